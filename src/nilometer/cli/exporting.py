"""Rows of a data folder with what their flags rest on: out of its store, or through the server that holds it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from nilometer.cli.dataset_attributes import Coverage, dataset_attributes
from nilometer.cli.erddap import Dataset, datasets_xml
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
    """What a file says of a Datastream: its unit and property, and its Thing with longitude and latitude.

    `definition` is the URI of what was observed, `acdd` what somebody wrote of the Thing for files of it.
    """

    unit: str
    observed_property: str
    thing: str
    thing_name: str
    location: Sequence[float] | None
    definition: str
    acdd: Mapping[str, Any]


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
    attributes: Mapping[str, Any] | None = None,
) -> int:
    """Write rows with their flags, a Datastream at a time, and return how many.

    Parameters
    ----------
    folder : Path
        The data folder, held by a server or not.
    out : Path
        ``.csv``, ``.parquet`` or ``.nc``; a folder for ERDDAP: netCDF files and a ``datasets.xml``.
    keys : sequence of str, optional
        Of Datastreams; None: all.
    start, end : str, optional
        ISO 8601, inclusive and exclusive.
    as_of : str, optional
        ISO 8601: the rows as they were known then; None: now.
    attributes : mapping, optional
        Global attributes of netCDF files.

    Raises
    ------
    ConfigError
        If an option cannot be used.
    """
    if out.suffix not in SUFFIXES and not out.is_dir():
        allowed = f"a name that ends in {', '.join(SUFFIXES)}, or a folder that is there"
        raise ConfigError("--out", seen=str(out), allowed=allowed)
    if not (folder / "VERSION").exists():
        raise ConfigError("--data", seen=str(folder), reason="this is no data folder of nilometer")
    with _opened(folder, start, end, as_of) as source:
        wanted = list(keys) if keys else source.keys()
        given = dict(attributes or {}) | ({} if as_of is None else {"nilometer_as_of": as_of})
        if out.is_dir():
            return _folder(out, source, wanted, given)
        return _netcdf(out, source, wanted, given)[0] if out.suffix == ".nc" else _table(out, source, wanted)


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


def _folder(out: Path, source: _Source, keys: Sequence[str], given: Mapping[str, Any]) -> int:
    """Write a file for each Thing and time axis, and what ERDDAP has to know of them."""
    groups: dict[tuple[str, bytes], list[str]] = {}
    for key in keys:
        times = source.rows(key)["phenomenon_time"].cast(pa.int64()).to_numpy()
        if len(times):
            axis = hashlib.blake2b(np.ascontiguousarray(times).tobytes()).digest()
            groups.setdefault((source.about(key).thing, axis), []).append(key)
    rows, datasets, seen = 0, [], Counter[str]()
    for (thing, _), mine in groups.items():
        seen[thing] += 1
        name = safe_name(thing) + (f"_{seen[thing]}" if seen[thing] > 1 else "")
        n, described = _netcdf(out / f"{name}.nc", source, mine, given)
        rows += n
        datasets.append(Dataset(name, out / f"{name}.nc", described.attributes, described.variables))
    (out / "datasets.xml").write_text(datasets_xml(datasets), encoding="utf-8")
    return rows


def _netcdf(out: Path, source: _Source, keys: Sequence[str], given: Mapping[str, Any]) -> tuple[int, CfFile]:
    about = {key: source.about(key) for key in keys}
    things = {one.thing: one for one in about.values()}
    names = _names(about)
    rows, coverage = 0, Coverage()
    with CfFile(out, {"title": ", ".join(one.thing_name for one in things.values())[:1000]}) as file:
        for key, one in about.items():
            table = source.rows(key)
            ids = [number for number in table["profile_id"].unique().to_pylist() if number is not None]
            profiles = {number: source.profile(number) for number in ids}
            variables, places = row_variables(
                names[key],
                table,
                profiles,
                unit=one.unit,
                observed_property=one.observed_property,
                definition=one.definition,
            )
            if len(things) == 1 and one.location is not None and not places:
                places = ("latitude", "longitude", "station")
            times = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            file.part(times, variables, coordinates=places)
            coverage.add(times)
            coverage.depths += [depth for depth in table["depth"].unique().to_pylist() if depth is not None]
            rows += table.num_rows
        coverage.places = [one.location for one in things.values() if one.location is not None]
        written = {name: value for one in things.values() for name, value in one.acdd.items()} | dict(given)
        observed = [one.observed_property for one in about.values()]
        named = {key: one.thing_name for key, one in things.items()}
        file.describe(dataset_attributes(named, observed, coverage, written, datetime.now(UTC)))
        if len(things) == 1:
            _of_station(file, next(iter(things.values())), several_axes=file.axes > 1)
    return rows, file


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
        file.describe({"featureType": "timeSeries", "cdm_data_type": "TimeSeries"})
    file.constant(Variable(name="station", values=_scalar(thing.thing), attributes=identity))
    if thing.location is None:
        return
    for name, value, axis in zip(("longitude", "latitude"), thing.location, ("east", "north"), strict=False):
        attributes = {"standard_name": name, "long_name": name, "units": f"degrees_{axis}"}
        file.constant(Variable(name=name, values=_scalar(float(value)), attributes=attributes))


def _acdd(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody wrote of a Thing for files of it."""
    given = properties.get("acdd", {})
    return {name: str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}


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
        of = self._catalog.observed_property(one.observed_property)
        place = point_of(self._catalog, thing.id)
        acdd = _acdd(thing.properties)
        return _About(one.unit, of.key, thing.key, thing.name, place, of.definition, acdd)

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
        self._things: dict[str, dict[str, Any]] | None = None

    def keys(self) -> list[str]:
        return [one["key"] for one in self._client.datastreams()]

    def rows(self, key: str) -> pa.Table:
        return self._client.read(key, self._start, self._end, samples="all", **self._then)

    def about(self, key: str) -> _About:
        if self._things is None:
            self._things = {one["key"]: one for one in self._client.things()}
        one = self._client.datastream(key)
        thing = self._things[one["thing"]["key"]]
        if "acdd" not in thing:
            thing["acdd"] = _acdd(self._client.sensorthings(f"Things({thing['id']})").get("properties", {}))
        definition = self._client.sensorthings(f"Datastreams({one['id']})/ObservedProperty")["definition"]
        place = thing["location"]
        name = thing["name"]
        return _About(one["unit"], one["property"], thing["key"], name, place, definition, thing["acdd"])

    def profile(self, number: int) -> Profile:
        row = self._client.profile(number)
        return Profile.from_document(row["document"], name=row["name"])
