"""Where a resource path leads: every step is checked against the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from nilometer.errors import NotFound, RequestError
from nilometer.web.sensorthings.observations import Observations
from nilometer.web.sensorthings.paths import Step
from nilometer.web.sensorthings.records import Record, Records
from nilometer.web.sensorthings.schema import OBSERVATION, SETS, TYPES, EntityType, Relation

__all__ = ["Place", "Walk"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands: an entity of a type, or a set, perhaps of a parent; `path` is the URL so far."""

    kind: EntityType
    path: str
    number: int | None = None
    parent: tuple[EntityType, Relation, int] | None = None
    record: Record | None = None
    row: pa.Table | None = None


class Walk:
    """Follows paths, for one request.

    Parameters
    ----------
    records, observations
        Where the entities of the steps are looked up.
    """

    def __init__(self, records: Records, observations: Observations) -> None:
        self._records, self._observations = records, observations

    def walk(self, steps: Sequence[Step]) -> tuple[Place, tuple[str, ...]]:
        """Follow a path; return where it ends, and the property it names there with the members below, if it does."""
        first = steps[0]
        kind = SETS.get(first.name)
        if kind is None:
            raise NotFound(f"there is no entity set {first.name!r} (known: {', '.join(SETS)})")
        place = self._enter(Place(kind, first.name), first)
        for at, step in enumerate(steps[1:], 2):
            if step.error is not None:
                raise step.error
            if place.number is None:
                raise NotFound(f"{place.path} is a set; give an id before {step.name!r}")
            if step.name in place.kind.relations:
                place = self._follow(place, place.kind.relations[step.name], step)
            elif (step.name in place.kind.properties or step.name in {"id", "@iot.id"}) and step.id is None:
                members = tuple(one.text for one in steps[at:])
                found = place.kind.properties.get(step.name)
                if members and (found is None or found.kind != "json"):
                    raise NotFound(f"nothing follows the property {step.name!r}")
                return place, (step.name, *members)
            else:
                raise NotFound(str(place.kind.unknown(step.name, "")))
        return place, ()

    def _enter(self, place: Place, step: Step) -> Place:
        """Take the entity a step names, and make sure that it is there."""
        if step.id is None:
            return place
        here = f"{place.kind.plural}({step.id})"
        missing = NotFound(f"there is no {here}" + (f" in {place.path}" if place.parent else ""))
        if place.kind is OBSERVATION:
            row = self._observations.one(step.id)
            if row is None or not self._is_within(row, place.parent):
                raise missing
            return Place(OBSERVATION, here, step.id, row=row)
        if place.parent is not None and not self._records.holds(*place.parent, step.id):
            raise missing
        record = self._records.by_id(place.kind, [step.id]).get(step.id)
        if record is None:
            raise missing
        return Place(place.kind, here, step.id, record=record)

    @staticmethod
    def _is_within(row: pa.Table, parent: tuple[EntityType, Relation, int] | None) -> bool:
        return parent is None or row[parent[1].through.other][0].as_py() == parent[2]

    def _follow(self, place: Place, relation: Relation, step: Step) -> Place:
        target = TYPES[relation.target]
        number = place.number or 0
        if relation.many:
            inside = Place(target, f"{place.path}/{relation.name}", parent=(place.kind, relation, number))
            return self._enter(inside, step)
        if step.id is not None:
            raise RequestError(f"{relation.name} is one entity; it takes no id", place="path")
        if place.row is not None:
            own = place.row[relation.through.own][0].as_py()
        else:
            own = (place.record or {})[relation.through.own]
        record = self._records.by_id(target, [own]).get(own)
        if record is None:
            raise NotFound(f"{place.path} has no {relation.name}")
        return Place(target, f"{target.plural}({own})", own, record=record)
