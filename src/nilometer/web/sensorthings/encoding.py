"""Entities of the catalog as SensorThings JSON; Observations are encoded in `answers`, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from nilometer.model import Location, SampleKind
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.records import Record
from nilometer.web.sensorthings.schema import STREAMS, EntityType
from nilometer.web.times import bare_times

__all__ = ["Encoder", "own_document"]

_OURS = {
    "Thing": ("key", "water_body", "target_class", "time_zone"),
    "Datastream": ("key", "origin", "profile", "mark_scheme", "identity", "unit"),
    "MultiDatastream": ("key",),
    "Sensor": ("key",),
    "ObservedProperty": ("key",),
}


class Encoder:
    """Makes documents of records, for one request.

    Parameters
    ----------
    root : str
        URL of the service, without a slash at its end: ``http://…/v1.1``.
    catalog, snapshot
        What is looked up: places, extents.
    """

    def __init__(self, root: str, catalog: Catalog, snapshot: Snapshot) -> None:
        self.root = root
        self._catalog, self._snapshot = catalog, snapshot
        self._times_of: dict[int, str] = {}
        self._result_times: dict[int, str] = {}
        self._places: dict[int, list[Location]] = {}

    def link(self, kind: EntityType, number: int) -> str:
        """Return an entity's own URL."""
        return f"{self.root}/{kind.plural}({number})"

    def entities(self, kind: EntityType, records: Sequence[Record], options: Options) -> list[dict[str, Any]]:
        """Return the documents of records of the catalog; expansions are added by the caller."""
        # Store and catalog are asked once for all of them: a question for each costs many times what is encoded.
        if kind.name in STREAMS and (not options.select or "resultTime" in options.select):
            self._result_times |= _result_times(self._snapshot, [record["id"] for record in records])
        if kind.name in STREAMS and (not options.select or "phenomenonTime" in options.select):
            self._times_of |= _phenomenon_times(self._snapshot, [record["id"] for record in records])
        if kind.name in STREAMS and (not options.select or "observedArea" in options.select):
            self._places |= self._catalog.locations_of_each(sorted({record["thing"] for record in records}))
        chosen = options.select
        has_id = not chosen or "id" in chosen or "@iot.id" in chosen
        has_link = not chosen or "@iot.selfLink" in chosen
        values = [(name, self._value(kind, name)) for name in kind.properties if not chosen or name in chosen]
        expanded = {item.relation for item in options.expand}
        links = [
            (f"{name}@iot.navigationLink", f"/{name}")
            for name in kind.relations
            if name not in expanded and (not chosen or name in chosen)
        ]
        documents = []
        for record in records:
            number = record["id"]
            own = self.link(kind, number)
            document: dict[str, Any] = {"@iot.id": number} if has_id else {}
            if has_link:
                document["@iot.selfLink"] = own
            for name, value in values:
                found = value(record)
                if found is not None:
                    document[name] = found
            for name, path in links:
                document[name] = own + path
            documents.append(document)
        return documents

    def _value(self, kind: EntityType, name: str) -> Callable[[Record], Any]:
        """Return what gives a property of a record."""
        special = _SPECIAL.get((kind.name, name))
        if special is not None:
            return partial(special, self)
        if name == "properties":
            return partial(_properties, kind)
        column = itemgetter(kind.properties[name].column)
        return column if kind.properties[name].kind != "time" else lambda record: _time(column(record))

    def _unit(self, record: Record) -> dict[str, Any]:
        return _unit(record)

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


def own_document(kind: EntityType, record: Record) -> dict[str, Any]:
    """Return what a client said of an entity of the catalog; nothing that is computed of its Observations."""
    document: dict[str, Any] = {}
    for name, found in kind.properties.items():
        if name == "properties":
            document[name] = _properties(kind, record) or {}
        elif name == "unitOfMeasurement":
            document[name] = _unit(record)
        elif found.column:
            document[name] = _time(record[found.column]) if found.kind == "time" else record[found.column]
    return document


def _unit(record: Record) -> dict[str, Any]:
    return {"name": record["unit_name"], "symbol": record["unit_symbol"], "definition": record["unit_definition"]}


def _time(moment: int | None) -> str | None:
    return None if moment is None else str(bare_times(np.array([moment], np.int64))[0])


def _phenomenon_times(snapshot: Snapshot, datastreams: Sequence[int]) -> dict[int, str]:
    """Return what the rows of each Datastream that has any span."""
    numbers = np.array(datastreams, np.int64)
    first, over, has_rows = snapshot.spans(numbers)
    return _spans(numbers[has_rows].tolist(), np.column_stack([first, over])[has_rows])


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


def _spans(numbers: Sequence[int], ends: ArrayLike) -> dict[int, str]:
    if not numbers:
        return {}
    first, last = (bare_times(times).tolist() for times in np.asarray(ends, np.int64).T)
    return {number: f"{start}/{end}" for number, start, end in zip(numbers, first, last, strict=True)}


def _geometry(location: Any) -> Any:  # noqa: ANN401 -- GeoJSON
    """Return the geometry of GeoJSON, bare or in a Feature; None of anything else."""
    if not isinstance(location, Mapping):
        return None
    return location.get("geometry") if location.get("type") == "Feature" else location


def _properties(kind: EntityType, record: Record) -> dict[str, Any] | None:
    """Return an entity's properties with ours under ``nilometer``; what is not set is left out, None: nothing is."""
    given = dict(record["properties"] or {})
    kept = given.get("nilometer")
    if isinstance(kept, Mapping) and kept.get("plain") is True:
        # A client made it and said nothing of this: it gets back what it sent.
        del given["nilometer"]
        return given or None
    ours = {name: record[name] for name in _OURS.get(kind.name, ()) if record[name] is not None}
    if kind.name == "FeatureOfInterest":
        ours["sample_kind"] = SampleKind(record["sample_kind"]).name.lower()
    if ours:
        before = given.get("nilometer")
        given["nilometer"] = {**(before if isinstance(before, Mapping) else {}), **ours}
    return given or None


_SPECIAL = {
    ("Datastream", "unitOfMeasurement"): Encoder._unit,
    **{(name, "phenomenonTime"): Encoder._phenomenon_time for name in STREAMS},
    **{(name, "resultTime"): Encoder._result_time for name in STREAMS},
    **{(name, "observedArea"): Encoder._observed_area for name in STREAMS},
}
