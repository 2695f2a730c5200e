"""History into a data folder: through the server that holds it, or through a pipeline of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from nilometer import units
from nilometer.acquisition.formats.recording import Recording
from nilometer.cli.file_options import FileWishes, opened
from nilometer.client import Client, connect
from nilometer.config import Config, DatastreamConfig, ThingConfig, config_error, load
from nilometer.errors import ConfigError, StoreLocked, UnitError
from nilometer.model import ObservationBatch
from nilometer.model.schemas import TIME
from nilometer.pipeline import Pipeline

__all__ = ["import_files"]

ROWS_A_DELIVERY = 200_000


@dataclass(frozen=True, slots=True)
class _Planned:
    """One column on its way: the Datastream it becomes, and its values in that Datastream's raw unit."""

    datastream: DatastreamConfig
    values: NDArray[np.float64]
    censored: NDArray[np.int8] | None


async def import_files(
    files: Sequence[Path],
    folder: Path,
    *,
    thing: str,
    water_body: str,
    wishes: FileWishes,
) -> dict[str, Any]:
    """Import files and return, for each, how many rows were new, unchanged, revised and rejected.

    Raises
    ------
    ReadError, ConfigError
        If a file or a setting cannot be used; files before it are imported.
    StoreError
        If the folder cannot be written.
    """
    recordings = [opened(path, wishes) for path in files]
    place = _place(thing, water_body, wishes.time_zone or "UTC")
    file = folder / "nilometer.toml"
    config = load(file) if file.exists() else Config()
    try:
        pipeline = Pipeline(folder, config.model_copy(update={"sources": ()}), config_file=file)
    except StoreLocked as locked:
        if not locked.address:
            raise
        client = connect(locked.address, token=config.server.token)
        return {"files": [_through_server(client, place, recording) for recording in recordings]}
    await pipeline.start()
    try:
        return {"files": [await _through_pipeline(pipeline, place, recording) for recording in recordings]}
    finally:
        await pipeline.close()


def _place(thing: str, water_body: str, time_zone: str) -> ThingConfig:
    zone = time_zone if "/" in time_zone else "UTC"
    try:
        return ThingConfig.model_validate({"key": thing, "name": thing, "water_body": water_body, "time_zone": zone})
    except ValidationError as error:
        wrong = config_error(error, ThingConfig)
        option = {"key": "--thing", "name": "--thing"}.get(wrong.key, f"--{wrong.key.replace('_', '-')}")
        raise ConfigError(option, seen=wrong.seen, allowed=wrong.near or wrong.allowed, reason=wrong.reason) from error


async def _through_pipeline(pipeline: Pipeline, place: ThingConfig, recording: Recording) -> dict[str, Any]:
    catalog = pipeline.store.catalog
    raw_units = {
        one.key: one.properties.get("nilometer", {}).get("raw_unit", one.unit) for one in catalog.datastreams()
    }
    planned = _planned(place.key, recording, raw_units)
    things = [] if catalog.thing_by_key(place.key) is not None else [place]
    made = await pipeline.configure(things, [one.datastream for one in planned])
    total = _report(recording, planned)
    for one, datastream in zip(planned, made, strict=True):
        for rows in _slices(recording, one.values):
            outcome = await pipeline.ingest(
                ObservationBatch(
                    datastream=np.full(len(rows), datastream.id, np.int32),
                    phenomenon_time=recording.times[rows],
                    raw_result=one.values[rows],
                    censored=None if one.censored is None else one.censored[rows],
                )
            )
            errors = [{"row": row, "reason": reason} for row, reason in outcome.errors]
            _add(
                total,
                {
                    "accepted": outcome.accepted,
                    "unchanged": outcome.unchanged,
                    "revised": outcome.revised,
                    "rejected": outcome.rejected,
                    "errors": errors,
                },
            )
    return total


def _through_server(client: Client, place: ThingConfig, recording: Recording) -> dict[str, Any]:
    raw_units: dict[str, str] = {}
    is_there = any(thing["key"] == place.key for thing in client.things())
    for known in client.datastreams(thing=place.key) if is_there else ():
        raw_units[known["key"]] = client.datastream(known["key"])["raw_unit"] or known["unit"]
    planned = _planned(place.key, recording, raw_units)
    things = [] if is_there else [place.model_dump(mode="json", exclude_defaults=True)]
    client.configure(things, [one.datastream.model_dump(mode="json", exclude_defaults=True) for one in planned])
    total = _report(recording, planned)
    for one in planned:
        for rows in _slices(recording, one.values):
            columns = {
                "datastream": pa.array([one.datastream.key] * len(rows)).dictionary_encode(),
                "phenomenon_time": pa.array(recording.times[rows]).cast(TIME),
                "result": pa.array(one.values[rows]),
            }
            if one.censored is not None:
                columns["censored"] = pa.array(one.censored[rows])
            _add(total, client.write(pa.table(columns)))
    return total


def _planned(thing: str, recording: Recording, raw_units: Mapping[str, str]) -> list[_Planned]:
    """Say which Datastream each column becomes; one that is there gets its values in its own raw unit.

    Raises
    ------
    ConfigError
        If a Datastream of that key holds another kind of quantity.
    """
    planned: list[_Planned] = []
    taken: set[str] = set()
    for name, column in recording.columns.items():
        slug = re.sub(r"\W+", "_", name).strip("_").lower()[:80] or "value"
        quantity = column.observed_property or slug
        key = f"{thing}/{quantity}"
        if key in taken:
            key = f"{key}.{slug}"
        stem, number = key, 2
        while key in taken:
            key, number = f"{stem}.{number}", number + 1
        taken.add(key)
        settings: dict[str, Any] = {"key": key, "thing": thing, "property": quantity}
        values = column.values
        if key in raw_units:
            try:
                values = units.convert(values, column.unit, raw_units[key])
            except UnitError as error:
                raise ConfigError(f"column {name}", reason=f"{key} is there already: {error}") from error
        else:
            settings |= {"raw_unit": column.unit, "name": name}
        planned.append(_Planned(DatastreamConfig.model_validate(settings), values, column.censored))
    return planned


def _slices(recording: Recording, values: NDArray[np.float64]) -> Iterator[NDArray[np.intp]]:
    """Yield the rows that hold a value, in time order, so many at once."""
    there = np.flatnonzero(~np.isnan(values))
    rows = there[np.argsort(recording.times[there], kind="stable")]
    for start in range(0, len(rows), ROWS_A_DELIVERY):
        yield rows[start : start + ROWS_A_DELIVERY]


def _report(recording: Recording, planned: Sequence[_Planned]) -> dict[str, Any]:
    keys = [one.datastream.key for one in planned]
    counts = dict.fromkeys(("accepted", "unchanged", "revised", "rejected"), 0)
    return {"file": str(recording.path), "format": recording.format, "datastreams": keys, **counts, "errors": []}


def _add(total: dict[str, Any], answer: dict[str, Any]) -> None:
    for name in ("accepted", "unchanged", "revised", "rejected"):
        total[name] += answer[name]
    total["errors"] += answer["errors"][: 100 - len(total["errors"])]
