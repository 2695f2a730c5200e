"""Entities as SensorThings JSON: camelCase exists here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import Location, SampleKind
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.quality import Evidence, Signed, split_extra
from nilometer.web.sensorthings.records import Record
from nilometer.web.sensorthings.schema import OBSERVATION, EntityType
from nilometer.web.times import format_interval, format_time, format_times

__all__ = ["Encoder"]

_OURS = {
    "Thing": ("key", "water_body", "target_class", "time_zone"),
    "Datastream": ("key", "origin", "profile", "mark_scheme", "identity", "unit"),
    "Sensor": ("key",),
    "ObservedProperty": ("key",),
}


class Encoder:
    """Makes documents of records, for one request.

    Parameters
    ----------
    root : str
        URL of the service, without a slash at its end: ``http://…/v1.1``.
    api : str
        URL of the native API.
    catalog, snapshot, evidence
        What is looked up: places, extents, provenance.
    """

    def __init__(self, root: str, api: str, catalog: Catalog, snapshot: Snapshot, evidence: Evidence) -> None:
        self.root, self._api = root, api
        self._catalog, self._snapshot, self._evidence = catalog, snapshot, evidence
        self._times_of: dict[int, str] = {}
        self._result_times: dict[int, str] = {}
        self._places: dict[int, list[Location]] = {}

    def link(self, kind: EntityType, number: int) -> str:
        """Return an entity's own URL."""
        return f"{self.root}/{kind.plural}({number})"

    def entities(self, kind: EntityType, records: Sequence[Record], options: Options) -> list[dict[str, Any]]:
        """Return the documents of records of the catalog; expansions are added by the caller."""
        # Store and catalog are asked once for all of them: a question for each costs many times what is encoded.
        if kind.name == "Datastream" and (not options.select or "resultTime" in options.select):
            self._result_times |= _result_times(self._snapshot, [record["id"] for record in records])
        if kind.name == "Datastream" and (not options.select or "phenomenonTime" in options.select):
            self._times_of |= _phenomenon_times(self._snapshot, [record["id"] for record in records])
        if kind.name == "Datastream" and (not options.select or "observedArea" in options.select):
            self._places |= self._catalog.locations_of_each(sorted({record["thing"] for record in records}))
        return [
            self._document(kind, record["id"], options, partial(self._property, kind, record)) for record in records
        ]

    def observations(self, rows: pa.Table, options: Options) -> list[dict[str, Any]]:
        """Return the documents of Observations."""
        records = rows.to_pylist() if len(rows) else []
        times = self._times(rows)
        wanted = set(options.select) or set(OBSERVATION.properties)
        signed = self._evidence.signed({record["datastream"] for record in records})
        documents = []
        for at, record in enumerate(records):
            values = self._observation(record, times, at, wanted, signed)
            documents.append(self._document(OBSERVATION, record["id"], options, values.get, values))
        return documents

    def _document(
        self,
        kind: EntityType,
        number: int,
        options: Options,
        value: Callable[[str], Any],
        given: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        own = self.link(kind, number)
        document: dict[str, Any] = {}
        chosen = options.select
        if not chosen or "id" in chosen or "@iot.id" in chosen:
            document["@iot.id"] = number
            document["@iot.selfLink"] = own
        expanded = {item.relation for item in options.expand}
        for name in kind.properties:
            if chosen and name not in chosen:
                continue
            if given is not None and name not in given:
                continue
            found = value(name)
            if found is not None or (kind is OBSERVATION and name in {"result", "resultTime"}):
                document[name] = found
        for name in kind.relations:
            if name not in expanded and (not chosen or name in chosen):
                document[f"{name}@iot.navigationLink"] = f"{own}/{name}"
        return document

    def _property(self, kind: EntityType, record: Record, name: str) -> Any:  # noqa: ANN401 -- any JSON
        special = _SPECIAL.get((kind.name, name))
        if special is not None:
            return special(self, record)
        if name == "properties":
            return _properties(kind, record)
        value = record[kind.properties[name].column]
        return format_time(value) if kind.properties[name].kind == "time" and value is not None else value

    def _unit(self, record: Record) -> dict[str, Any]:
        return {
            "name": record["unit_name"],
            "symbol": record["unit_symbol"],
            "definition": record["unit_definition"],
        }

    def _phenomenon_time(self, record: Record) -> str | None:
        return self._times_of.get(record["id"])

    def _result_time(self, record: Record) -> str | None:
        """Return the result times of the first and of the newest row; nothing where the newest has none."""
        return self._result_times.get(record["id"])

    def _observed_area(self, record: Record) -> Any:  # noqa: ANN401 -- GeoJSON
        if self._snapshot.extent(record["id"]) is None:
            return None
        places = [_geometry(place.location) for place in self._places.get(record["thing"], ())]
        return next((place for place in places if place is not None), None)

    def _observation(
        self, record: Record, times: dict[str, NDArray[Any]], at: int, wanted: set[str], signed: Signed
    ) -> dict[str, Any]:
        parameters, kept = split_extra(record["extra"])
        values: dict[str, Any] = {
            "phenomenonTime": str(times["phenomenon_time"][at]),
            "result": kept.get("@result", record["result"]),
            "resultTime": str(times["result_time"][at]) if record["result_time"] is not None else None,
        }
        if record["duration"]:
            start = int(times["µs"][at])
            values["phenomenonTime"] = format_interval(start, record["duration"])
        if "resultQuality" in wanted:
            supplied = kept.get("@resultQuality")
            values["resultQuality"] = self._evidence.document(record, supplied, self._api, signed)
        if "@validTime" in kept:
            values["validTime"] = kept["@validTime"]
        if parameters:
            values["parameters"] = parameters
        return values

    @staticmethod
    def _times(rows: pa.Table) -> dict[str, NDArray[Any]]:
        starts = rows["phenomenon_time"].cast(pa.int64()).to_numpy()
        results = rows["result_time"].cast(pa.int64()).fill_null(0).to_numpy()
        return {"µs": starts, "phenomenon_time": format_times(starts), "result_time": format_times(results)}


def _phenomenon_times(snapshot: Snapshot, datastreams: Sequence[int]) -> dict[int, str]:
    """Return the times of the first and of the newest row of each Datastream that has any."""
    ends = {number: extent for number in datastreams if (extent := snapshot.extent(number)) is not None}
    return _spans(list(ends), list(ends.values()))


def _result_times(snapshot: Snapshot, datastreams: Sequence[int]) -> dict[int, str]:
    """Return the result times of the first and of the newest row of each Datastream whose newest has one."""
    newest = _by_datastream(snapshot.latest(datastreams))
    first = _by_datastream(snapshot.first(sorted(newest), ["result_time"])) if newest else {}
    ends = [sorted((first.get(number, last), last)) for number, last in newest.items()]
    return _spans(list(newest), ends)


def _by_datastream(rows: pa.Table) -> dict[int, int]:
    times = rows["result_time"].cast(pa.int64())
    given = zip(rows["datastream"].to_pylist(), times.to_pylist(), strict=True)
    return {number: time for number, time in given if time is not None}


def _spans(numbers: Sequence[int], ends: Sequence[Sequence[int]]) -> dict[int, str]:
    if not numbers:
        return {}
    first, last = (format_times(times).tolist() for times in np.array(ends, np.int64).T)
    return {number: f"{start}/{end}" for number, start, end in zip(numbers, first, last, strict=True)}


def _geometry(location: Any) -> Any:  # noqa: ANN401 -- GeoJSON
    """Return the geometry of GeoJSON, bare or in a Feature; None of anything else."""
    if not isinstance(location, Mapping):
        return None
    return location.get("geometry") if location.get("type") == "Feature" else location


def _properties(kind: EntityType, record: Record) -> dict[str, Any]:
    """Return an entity's properties with ours under ``nilometer``; what is not set is left out."""
    given = dict(record["properties"] or {})
    kept = given.get("nilometer")
    if isinstance(kept, Mapping) and kept.get("plain") is True:
        # A client made it and said nothing of this: it gets back what it sent.
        del given["nilometer"]
        return given
    ours = {name: record[name] for name in _OURS.get(kind.name, ()) if record[name] is not None}
    if kind.name == "FeatureOfInterest":
        ours["sample_kind"] = SampleKind(record["sample_kind"]).name.lower()
    if ours:
        before = given.get("nilometer")
        given["nilometer"] = {**(before if isinstance(before, Mapping) else {}), **ours}
    return given


_SPECIAL = {
    ("Datastream", "unitOfMeasurement"): Encoder._unit,
    ("Datastream", "phenomenonTime"): Encoder._phenomenon_time,
    ("Datastream", "resultTime"): Encoder._result_time,
    ("Datastream", "observedArea"): Encoder._observed_area,
}
