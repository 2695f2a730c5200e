"""History into a data folder: through the server that holds it, or through a pipeline of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.recording import Recording, RecordingColumn
from nilometer.client import Client, connect
from nilometer.config import Config, DatastreamConfig, ThingConfig, load
from nilometer.errors import StoreLocked
from nilometer.model import ObservationBatch
from nilometer.model.schemas import TIME
from nilometer.pipeline import Pipeline

__all__ = ["import_files"]

ROWS_A_DELIVERY = 200_000


async def import_files(
    files: Sequence[Path],
    folder: Path,
    *,
    thing: str,
    water_body: str,
    time_zone: str,
    file_format: str | None = None,
    time: str | None = None,
) -> dict[str, Any]:
    """Import files and return, for each, how many rows were new, unchanged, revised and rejected.

    Raises
    ------
    ReadError, ConfigError
        If a file or a setting cannot be used; files before it are imported.
    StoreError
        If the folder cannot be written.
    """
    recordings = [read(path, format=file_format, time=time, time_zone=time_zone) for path in files]
    place = ThingConfig.model_validate(
        {"key": thing, "name": thing, "water_body": water_body, "time_zone": time_zone if "/" in time_zone else "UTC"}
    )
    config = load(folder / "nilometer.toml") if (folder / "nilometer.toml").exists() else Config()
    try:
        pipeline = Pipeline(folder, config.model_copy(update={"sources": ()}))
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


async def _through_pipeline(pipeline: Pipeline, place: ThingConfig, recording: Recording) -> dict[str, Any]:
    known = pipeline.store.catalog.thing_by_key(place.key)
    described = _datastreams(place.key, recording)
    made = await pipeline.configure([] if known is not None else [place], [one for _, one in described])
    total = _report(recording, described)
    for (column, _), datastream in zip(described, made, strict=True):
        for rows in _slices(recording, column):
            outcome = await pipeline.ingest(
                ObservationBatch(
                    datastream=np.full(len(rows), datastream.id, np.int32),
                    phenomenon_time=recording.times[rows],
                    raw_result=column.values[rows],
                    censored=None if column.censored is None else column.censored[rows],
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
    described = _datastreams(place.key, recording)
    things = [] if client.datastreams(thing=place.key) else [place.model_dump(mode="json", exclude_defaults=True)]
    client.configure(things, [one.model_dump(mode="json", exclude_defaults=True) for _, one in described])
    total = _report(recording, described)
    for column, datastream in described:
        for rows in _slices(recording, column):
            values = column.values[rows]
            table = pa.table(
                {
                    "datastream": pa.array([datastream.key] * len(rows)).dictionary_encode(),
                    "phenomenon_time": pa.array(recording.times[rows]).cast(TIME),
                    "result": pa.array(values, mask=np.isnan(values)),
                }
            )
            _add(total, client.write(table))
    return total


def _datastreams(thing: str, recording: Recording) -> list[tuple[RecordingColumn, DatastreamConfig]]:
    described = []
    taken: set[str] = set()
    for name, column in recording.columns.items():
        quantity = column.observed_property or re.sub(r"\W+", "_", name).strip("_").lower() or "value"
        key = f"{thing}/{quantity}"
        if key in taken:
            key = f"{key}.{re.sub(r'[^0-9A-Za-z]+', '_', name).strip('_').lower()}"
        taken.add(key)
        settings = {"key": key, "thing": thing, "property": quantity, "raw_unit": column.unit, "name": name}
        described.append((column, DatastreamConfig.model_validate(settings)))
    return described


def _slices(recording: Recording, column: RecordingColumn) -> Iterator[np.ndarray]:
    """Yield the rows that hold a value, in time order, so many at once."""
    there = np.flatnonzero(~np.isnan(column.values))
    rows = there[np.argsort(recording.times[there], kind="stable")]
    for start in range(0, len(rows), ROWS_A_DELIVERY):
        yield rows[start : start + ROWS_A_DELIVERY]


def _report(recording: Recording, described: Sequence[tuple[RecordingColumn, DatastreamConfig]]) -> dict[str, Any]:
    keys = [datastream.key for _, datastream in described]
    counts = dict.fromkeys(("accepted", "unchanged", "revised", "rejected"), 0)
    return {"file": str(recording.path), "format": recording.format, "datastreams": keys, **counts, "errors": []}


def _add(total: dict[str, Any], answer: dict[str, Any]) -> None:
    for name in ("accepted", "unchanged", "revised", "rejected"):
        total[name] += answer[name]
    total["errors"] += answer["errors"][: 100 - len(total["errors"])]
