"""Rows of a data folder with what their flags rest on: out of its store, or through the server that holds it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from nilometer import __version__
from nilometer.cli.opening import open_store, token_of
from nilometer.client import Client, connect
from nilometer.errors import ConfigError, StoreLocked
from nilometer.model import Datastream
from nilometer.netcdf import CfFile, Variable, safe_name
from nilometer.qc.cf_rows import row_variables
from nilometer.qc.profile import Profile
from nilometer.store import Store
from nilometer.web.api.describe import point_of
from nilometer.web.api.tables import PROFILES, SERVED, parted_digits, with_evidence
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.times import parse_moment, parse_time

__all__ = ["SUFFIXES", "export_rows"]

SUFFIXES = (".csv", ".parquet", ".nc")


@dataclass(frozen=True, slots=True)
class _About:
    """What a file says of a Datastream: its unit and property, and its Thing with longitude and latitude."""

    unit: str
    observed_property: str
    thing: str
    thing_name: str
    location: Sequence[float] | None


class _Source(Protocol):
    """Where rows come from."""

    def keys(self) -> list[str]: ...

    def rows(self, key: str) -> pa.Table: ...

    def about(self, key: str) -> _About: ...

    def profile(self, number: int) -> Profile: ...


def export_rows(
    folder: Path,
    out: Path,
    *,
    keys: Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    as_of: str | None = None,
) -> int:
    """Write rows with their flags, a Datastream at a time, and return how many.

    Parameters
    ----------
    folder : Path
        The data folder, held by a server or not.
    out : Path
        ``.csv``, ``.parquet`` or ``.nc``.
    keys : sequence of str, optional
        Of Datastreams; None: all.
    start, end : str, optional
        ISO 8601, inclusive and exclusive.
    as_of : str, optional
        ISO 8601: the rows as they were known then; None: now.

    Raises
    ------
    ConfigError
        If an option cannot be used.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError("--out", seen=str(out), allowed=f"a name that ends in {', '.join(SUFFIXES)}")
    if not (folder / "VERSION").exists():
        raise ConfigError("--data", seen=str(folder), reason="this is no data folder of nilometer")
    with _opened(folder, start, end, as_of) as source:
        wanted = list(keys) if keys else source.keys()
        return _netcdf(out, source, wanted) if out.suffix == ".nc" else _table(out, source, wanted)


def _table(out: Path, source: _Source, keys: Iterable[str]) -> int:
    at = SERVED.get_field_index("datastream")
    schema = SERVED.set(at, pa.field("datastream", pa.string()))
    told: dict[str, Any] = {}

    def tables() -> Iterator[pa.Table]:
        for key in keys:
            table = source.rows(key)
            told.update(json.loads((table.schema.metadata or {}).get(PROFILES, b"{}")))
            named = pa.array([key] * table.num_rows, pa.string())
            yield table.set_column(at, "datastream", named).replace_schema_metadata(None)

    parts = tables()
    first = next(parts, schema.empty_table())  # before the file is made: a key that is not there leaves none behind
    rows = 0
    with _writer(out, schema) as writer:
        for table in chain((first,), parts):
            writer.write_table(parted_digits(table) if out.suffix == ".csv" else table)
            rows += table.num_rows
        if out.suffix == ".parquet" and hasattr(writer, "add_key_value_metadata"):  # pyarrow 18 has it not
            writer.add_key_value_metadata({PROFILES.decode(): json.dumps(told, ensure_ascii=False)})
    return rows


def _writer(out: Path, schema: pa.Schema) -> Any:  # noqa: ANN401 -- one of pyarrow's writers
    if out.suffix == ".csv":
        return csv.CSVWriter(out, schema)
    return parquet.ParquetWriter(out, schema, compression="zstd")


def _netcdf(out: Path, source: _Source, keys: Sequence[str]) -> int:
    about = {key: source.about(key) for key in keys}
    things = {one.thing: one for one in about.values()}
    names = _names(about)
    rows = 0
    with CfFile(out, {"title": ", ".join(one.thing_name for one in things.values())[:1000]}) as file:
        file.describe({"source": f"nilometer {__version__}"})
        for key, one in about.items():
            table = source.rows(key)
            ids = [number for number in table["profile_id"].unique().to_pylist() if number is not None]
            profiles = {number: source.profile(number) for number in ids}
            variables, places = row_variables(
                names[key], table, profiles, unit=one.unit, observed_property=one.observed_property
            )
            if len(things) == 1 and one.location is not None and not places:
                places = ("latitude", "longitude", "station")
            file.part(table["phenomenon_time"].cast(pa.int64()).to_numpy(), variables, coordinates=places)
            rows += table.num_rows
        if len(things) == 1:
            _of_station(file, next(iter(things.values())), several_axes=file.axes > 1)
    return rows


def _names(about: Mapping[str, _About]) -> dict[str, str]:
    """Return a name for each Datastream: its key, without the Thing where there is one only."""
    single = len({one.thing for one in about.values()}) == 1
    names: dict[str, str] = {}
    for key, one in about.items():
        short = key.removeprefix(f"{one.thing}/") if single else key
        name, n = safe_name(short), 1
        while name in names.values():
            n += 1
            name = f"{safe_name(short)}_{n}"
        names[key] = name
    return names


def _of_station(file: CfFile, thing: _About, *, several_axes: bool) -> None:
    """Say which station all values are of, and where it stands: then they are a CF time series of it."""
    identity: dict[str, Any] = {"long_name": thing.thing_name}
    if thing.location is not None and not several_axes:
        identity["cf_role"] = "timeseries_id"
        file.describe({"featureType": "timeSeries"})
    file.constant(Variable(name="station", values=_scalar(thing.thing), attributes=identity))
    if thing.location is None:
        return
    for name, value, axis in zip(("longitude", "latitude"), thing.location, ("east", "north"), strict=False):
        attributes = {"standard_name": name, "long_name": name, "units": f"degrees_{axis}"}
        file.constant(Variable(name=name, values=_scalar(float(value)), attributes=attributes))


def _scalar(value: Any) -> Any:  # noqa: ANN401 -- a text or a number
    return np.array(value)


@contextmanager
def _opened(folder: Path, start: str | None, end: str | None, as_of: str | None) -> Iterator[_Source]:
    try:
        store = open_store(folder)
    except StoreLocked as locked:
        if not locked.address:
            raise
        yield _Served(connect(locked.address, token=token_of(folder)), start, end, as_of)
        return
    try:
        yield _Stored(store, start, end, as_of)
    finally:
        store.close()


class _Stored:
    """A folder that nobody holds."""

    def __init__(self, store: Store, start: str | None, end: str | None, as_of: str | None) -> None:
        self._catalog, self._snapshot = store.catalog, store.snapshot(parse_moment(as_of, "--as-of"))
        self._evidence = Evidence(store.catalog, self._snapshot.commit)
        self._known = {one.key: one for one in store.catalog.datastreams()}
        self._span = tuple(parse_time(text) if text else None for text in (start, end))

    def keys(self) -> list[str]:
        return list(self._known)

    def rows(self, key: str) -> pa.Table:
        start, end = self._span
        rows = self._snapshot.read([self._datastream(key).id], start, end, water_only=False)
        return with_evidence(rows, self._evidence)

    def about(self, key: str) -> _About:
        one = self._datastream(key)
        thing = self._catalog.thing(one.thing)
        of = self._catalog.observed_property(one.observed_property).key
        return _About(one.unit, of, thing.key, thing.name, point_of(self._catalog, thing.id))

    def profile(self, number: int) -> Profile:
        row = self._catalog.profile_version_row(number)
        return Profile.from_document(row.document, name=row.name)

    def _datastream(self, key: str) -> Datastream:
        if key not in self._known:
            raise ConfigError("--datastream", seen=key, allowed=self._known)
        return self._known[key]


class _Served:
    """A folder that a server holds."""

    def __init__(self, client: Client, start: str | None, end: str | None, as_of: str | None) -> None:
        self._client, self._start, self._end = client, start, end
        self._then = {} if as_of is None else {"as_of": as_of}
        self._places: dict[str, Sequence[float] | None] | None = None

    def keys(self) -> list[str]:
        return [one["key"] for one in self._client.datastreams()]

    def rows(self, key: str) -> pa.Table:
        return self._client.read(key, self._start, self._end, samples="all", **self._then)

    def about(self, key: str) -> _About:
        if self._places is None:
            self._places = {one["key"]: one["location"] for one in self._client.things()}
        one = self._client.datastream(key)
        thing = one["thing"]
        return _About(one["unit"], one["property"], thing["key"], thing["name"], self._places.get(thing["key"]))

    def profile(self, number: int) -> Profile:
        row = self._client.profile(number)
        return Profile.from_document(row["document"], name=row["name"])
