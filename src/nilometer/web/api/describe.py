"""Things, Datastreams and sources as documents of the native API; times are ms since 1970 UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nilometer import units
from nilometer.model import Datastream, ObservationBatch, ObservedProperty, SampleKind, Sensor, Thing
from nilometer.model.properties import vocabulary
from nilometer.pipeline import SourceStatus
from nilometer.store import Catalog, Snapshot
from nilometer.web.api.reduction import reduce_rows
from nilometer.web.api.tables import json_columns, milliseconds
from nilometer.web.sensorthings.quality import Evidence

__all__ = [
    "datastream_document",
    "latest_documents",
    "names_of",
    "point_of",
    "sensor_document",
    "source_document",
    "sources_of",
    "spark_documents",
    "state_of",
    "thing_document",
]

SPARK_POINTS = 60
_WORST_FIRST = ("broken", "disconnected", "silent", "starting", "stopped", "live")


def source_document(status: SourceStatus) -> dict[str, Any]:
    """Return how a source is doing."""
    return {
        "name": status.name,
        "driver": status.driver,
        "thing": status.thing,
        "state": str(status.state),
        "detail": status.detail,
        "since": status.since // 1000,
        "devices": [
            {
                "device": device.device,
                "state": str(device.state),
                "detail": device.detail,
                "since": device.since // 1000,
            }
            for device in status.devices.values()
        ],
        "received": status.received,
        "bad_frames": status.bad_frames,
    }


def sources_of(thing: Thing, datastreams: Iterable[Datastream], statuses: Sequence[SourceStatus]) -> list[SourceStatus]:
    """Return the sources that feed a Thing: configured for it, or named by one of its Datastreams."""
    names = {_source_of(datastream) for datastream in datastreams}
    return [status for status in statuses if status.thing == thing.key or status.name in names]


def _source_of(datastream: Datastream) -> str:
    ours = datastream.properties.get("nilometer", {})
    return str(ours.get("source", "")) if isinstance(ours, Mapping) else ""


def state_of(statuses: Sequence[SourceStatus]) -> str:
    """Return the state of a Thing: that of its worst source; ``none`` without any."""
    states = {str(status.state) for status in statuses}
    return next((state for state in _WORST_FIRST if state in states), "none")


def names_of(key: str, otherwise: str) -> dict[str, str]:
    """Return the names of an observed property in English and Chinese."""
    term = vocabulary().get(key)
    return {"en": otherwise, "zh": otherwise} if term is None else {"en": term.name_en, "zh": term.name_zh}


def thing_document(
    thing: Thing, catalog: Catalog, statuses: Sequence[SourceStatus] | None, datastreams: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a Thing with its place, its sources (None: of the past nobody knows) and its Datastreams' documents."""
    given = thing.properties.get("names", {})
    names = given if isinstance(given, Mapping) else {}
    fed: dict[str, Any] = {}
    if statuses is not None:
        fed = {"state": state_of(statuses), "sources": [source_document(status) for status in statuses]}
    return {
        "id": thing.id,
        "key": thing.key,
        "name": thing.name,
        "names": {"en": names.get("en", thing.name), "zh": names.get("zh", thing.name)},
        "description": thing.description,
        "water_body": str(thing.water_body),
        "target_class": thing.target_class,
        "time_zone": thing.time_zone,
        "location": point_of(catalog, thing.id),
        **fed,
        "datastreams": datastreams,
    }


def point_of(catalog: Catalog, thing: int) -> list[float] | None:
    """Return longitude and latitude of the first place that is a point."""
    for place in catalog.locations_of(thing):
        shape = place.location
        if isinstance(shape, Mapping) and shape.get("type") == "Feature":
            shape = shape.get("geometry")
        if isinstance(shape, Mapping) and shape.get("type") == "Point":
            # A client may have written anything there.
            match shape.get("coordinates"):
                case [int() | float() as longitude, int() | float() as latitude, *_]:
                    return [longitude, latitude]
    return None


def sensor_document(sensor: Sensor) -> dict[str, Any]:
    """Return a Sensor with its maker and model."""
    about = sensor.properties
    return {
        "id": sensor.id,
        "key": sensor.key,
        "name": sensor.name,
        "maker": about.get("maker"),
        "model": about.get("model"),
        "properties": about,
    }


def datastream_document(
    datastream: Datastream,
    observed: ObservedProperty,
    latest: Mapping[str, Any] | None,
    spark: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return a Datastream in short; `latest` and `spark` as `latest_documents` and `spark_documents` give them."""
    term = vocabulary().get(observed.key)
    document = {
        "id": datastream.id,
        "key": datastream.key,
        "name": datastream.name,
        "names": names_of(observed.key, datastream.name),
        "property": observed.key,
        "unit": datastream.unit,
        "symbol": datastream.unit_symbol if datastream.unit_symbol is not None else _symbol(datastream.unit),
        "decimals": None if term is None else term.decimals,
        "origin": str(datastream.origin),
        "profile": datastream.profile,
        "latest": latest,
    }
    if spark is not None:
        document["spark"] = spark
    return document


def latest_documents(
    snapshot: Snapshot, datastreams: Sequence[int], sample_kinds: Mapping[int, SampleKind], evidence: Evidence
) -> dict[int, dict[str, Any]]:
    """Return the newest Observation of the water of each Datastream that has one."""
    if not datastreams:
        return {}
    rows = snapshot.latest(datastreams)
    columns = json_columns(ObservationBatch.from_arrow(rows), sample_kinds, evidence)
    return {
        number: {
            "id": columns["id"][at],
            "time": columns["time"][at],
            "result": columns["result"][at],
            "uncertainty": columns["uncertainty"][at],
            "quality": columns["quality"][at],
            "censored": columns["censored"][at],
            "mark": columns["mark"][at],
            "tests": columns["tests"][at],
            "profile": columns["profile"][at],
        }
        for at, number in enumerate(rows["datastream"].to_pylist())
    }


def spark_documents(snapshot: Snapshot, datastreams: Sequence[int], start: int) -> dict[int, dict[str, Any]]:
    """Return the last stretch of each Datastream in a few points; empty columns where it has none."""
    sparks: dict[int, dict[str, Any]] = {number: {"time": [], "result": [], "quality": []} for number in datastreams}
    if not datastreams:
        return sparks
    names = ["datastream", "phenomenon_time", "result", "result_quality"]
    rows = snapshot.read(datastreams, start, None, columns=names)
    owner = rows["datastream"].to_numpy()
    time = rows["phenomenon_time"].cast("int64").to_numpy()
    result = rows["result"].to_numpy().astype(np.float64)
    quality = rows["result_quality"].to_numpy()
    for number in datastreams:
        first, last = np.searchsorted(owner, [number, number + 1])
        kept = first + reduce_rows(time[first:last], result[first:last], quality[first:last], SPARK_POINTS // 2)
        kept = kept[:: max(1, -(-len(kept) // SPARK_POINTS))]
        sparks[number] = {
            "time": milliseconds(time[kept]),
            "result": result[kept].tolist(),
            "quality": quality[kept].tolist(),
        }
    return sparks


def _symbol(unit: str) -> str:
    """Return the symbol of a unit; empty where nobody understood it."""
    return "" if unit == units.UNKNOWN else units.symbol(unit)
