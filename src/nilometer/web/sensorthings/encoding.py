"""Entities of the catalog as SensorThings JSON; Observations are encoded in `answers`, as columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model import SampleKind
from nilometer.store import Snapshot
from nilometer.web.sensorthings.members import chosen_members, pruned
from nilometer.web.sensorthings.observed_area import ObservedAreas
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
    snapshot, areas
        What is looked up: spans of times, and areas.
    """

    def __init__(self, root: str, snapshot: Snapshot, areas: ObservedAreas) -> None:
        self.root = root
        self._snapshot, self._observed = snapshot, areas
        self._times_of: dict[int, str] = {}
        self._result_times: dict[int, str] = {}
        self._areas: dict[int, Any] = {}

    def link(self, kind: EntityType, number: int) -> str:
        """Return an entity's own URL."""
        return f"{self.root}/{kind.plural}({number})"

    def entities(self, kind: EntityType, records: Sequence[Record], options: Options) -> list[dict[str, Any]]:
        """Return the documents of records of the catalog; expansions are added by the caller."""
        # Store and catalog are asked once for all of them: a question for each costs many times what is encoded.
        chosen = chosen_members(options.select)
        if kind.name in STREAMS:
            self._look_up(np.array([record["id"] for record in records], np.int64), chosen)
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
                found = pruned(value(record), chosen.get(name, ()))
                if found is not None or name == "feature":
                    document[name] = found  # a sample has no place, and the standard wants to be told of one
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
        return self._result_times.get(record["id"])

    def _observed_area(self, record: Record) -> Any:  # noqa: ANN401 -- GeoJSON
        return self._areas.get(record["id"])

    def _look_up(self, datastreams: NDArray[np.int64], chosen: Collection[str]) -> None:
        """Ask the store for what it knows of Datastreams, of properties that are selected."""
        if not chosen or "phenomenonTime" in chosen:
            self._times_of |= _spans(datastreams, *self._snapshot.spans(datastreams))
        if not chosen or "resultTime" in chosen:
            self._result_times |= _spans(datastreams, *self._snapshot.result_times(datastreams))
        if not chosen or "observedArea" in chosen:
            self._areas |= self._observed.documents(self._snapshot, datastreams)


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


def _spans(
    numbers: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], valid: NDArray[np.bool_]
) -> dict[int, str]:
    if not valid.any():
        return {}
    first, last = (bare_times(times[valid]).tolist() for times in (starts, ends))
    return {number: f"{start}/{end}" for number, start, end in zip(numbers[valid].tolist(), first, last, strict=True)}


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
