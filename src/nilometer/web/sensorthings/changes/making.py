"""Entities of a body become entities of the catalog, to any depth and in either direction, within one edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nilometer.errors import ConfigError, Conflict, NotFound, RequestError
from nilometer.model import (
    Datastream,
    FeatureOfInterest,
    Location,
    MultiDatastream,
    ObservedProperty,
    SampleKind,
    Sensor,
    Thing,
)
from nilometer.pipeline.ownership import Ownership
from nilometer.qc.shelf import Shelf
from nilometer.store.catalog_edit import CatalogEdit
from nilometer.units import UNKNOWN
from nilometer.web.sensorthings.changes.bodies import Draft
from nilometer.web.sensorthings.changes.ours import check_judged, free_key, split
from nilometer.web.sensorthings.changes.rows import NewRow, row_of
from nilometer.web.sensorthings.changes.several import TOGETHER, check_result, check_type, check_width, chosen
from nilometer.web.sensorthings.changes.unit_text import understood
from nilometer.web.sensorthings.schema import STREAMS, TYPES, EntityType, Relation

__all__ = ["CLASSES", "NO_PLACE", "Maker", "Means", "values_of"]

NO_PLACE = (
    "its Thing has no Location that a FeatureOfInterest could be made of: give the Thing a Location, or the "
    "Observation a FeatureOfInterest"
)

CLASSES: dict[str, type] = {
    "Thing": Thing,
    "Location": Location,
    "Sensor": Sensor,
    "ObservedProperty": ObservedProperty,
    "Datastream": Datastream,
    "MultiDatastream": MultiDatastream,
    "FeatureOfInterest": FeatureOfInterest,
}


@dataclass(frozen=True, slots=True)
class Means:
    """What a change needs beside the catalog: the profiles, whose entities are the configuration's, what has rows."""

    shelf: Shelf
    ownership: Ownership
    has_rows: Callable[[int], bool]


def values_of(kind: EntityType, values: Mapping[str, Any], before: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 -- an entity or None
    """Return properties as the fields of an entity.

    Parameters
    ----------
    kind : EntityType
        What it is.
    values : mapping
        By the standard's names, checked.
    before : object
        The entity as it is; None: it is new.
    place : str
        Where it stands in the body.
    """
    fields: dict[str, Any] = {}
    said = None
    for name, value in values.items():
        if name == "unitOfMeasurement":
            fields |= {f"unit_{part}": value.get(part) for part in ("name", "symbol", "definition")}
            fields["unit"] = understood(value)
        elif name == "properties":
            if kind.name == "FeatureOfInterest":
                fields |= _sample_kind(value, before, f"{place}.properties")
            kept = {} if before is None else before.properties.get("nilometer", {})
            ours = split(CLASSES[kind.name], value, kept, f"{place}.properties")
            said = ours.pop("unit", None)
            fields |= ours
        else:
            fields[kind.properties[name].column] = value
    if kind.name == "MultiDatastream":
        check_type(fields, place)
    # A unit that comes back as it was read does not stand against a new unitOfMeasurement.
    if said is not None and not (before is not None and said == before.unit):
        fields["unit"] = understood({"symbol": str(said)})
        if fields["unit"] == UNKNOWN:
            raise RequestError(f"{str(said)[:60]!r} is no unit", place=f"{place}.properties.nilometer.unit")
    return fields


def _sample_kind(properties: Mapping[str, Any] | None, before: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 -- an entity or None
    """Return what is said of the kind of sample: of a FeatureOfInterest that is there it stays.

    Raises
    ------
    RequestError
        If it is none, or another than it was.
    """
    ours = (properties or {}).get("nilometer")
    said = ours.get("sample_kind") if isinstance(ours, Mapping) else None
    if said is None:
        return {}
    known = {kind.name.lower(): kind for kind in SampleKind}
    place = f"{place}.nilometer.sample_kind"
    if not isinstance(said, str) or said not in known:
        raise RequestError(f"{str(said)[:60]!r} is no kind of sample (allowed: {', '.join(known)})", place=place)
    if before is not None and before.sample_kind != known[said]:
        raise RequestError(f"it is {before.sample_kind.name.lower()}, and its Observations are with it", place=place)
    return {"sample_kind": known[said]}


@dataclass
class Maker:
    """Makes what drafts describe.

    Parameters
    ----------
    edit : CatalogEdit
        The transaction.
    means : Means
        Profiles and ownership.
    now : int
        The present, µs since 1970 UTC.

    Attributes
    ----------
    rows : list of NewRow
        The Observations that came with them.
    made : list of (str, int)
        Which entities came into being.
    stood : dict of int to list of int
        Where Things that were there before stood.
    """

    edit: CatalogEdit
    means: Means
    now: int
    rows: list[NewRow] = field(default_factory=list)
    made: list[tuple[str, int]] = field(default_factory=list)
    stood: dict[int, list[int]] = field(default_factory=dict)

    def make(self, draft: Draft, given: Mapping[str, int] | None = None) -> int:
        """Make an entity with all that comes with it, and return its id; of an Observation, its place in `rows`.

        Parameters
        ----------
        draft : Draft
            What it is to be.
        given : mapping of str to int
            Related entities that the path or the entity around it says.

        Raises
        ------
        RequestError
            If a relation is missing, contradicts what is given, or leads nowhere.
        Conflict
            If what it would change belongs to the configuration.
        """
        kind, given = draft.kind, dict(given or {})
        if kind.name == "Observation":
            return self._observe(draft, given)
        own = {relation.through.own: self._one(draft, relation, given) for relation in _to_one(kind)}
        if kind.name == "HistoricalLocation":
            return self._remember(draft, own["thing"], given)
        observed = self._observed(draft, given) if kind.name == "MultiDatastream" else []
        number = self._insert(draft, own, observed)
        self._surround(draft, number, given)
        return number

    def place(self, thing: int, locations: list[int], place: str) -> None:
        """Let a Thing stand at Locations from now on.

        Raises
        ------
        Conflict
            If the configuration says where it stands.
        """
        owner = self.means.ownership.of_place(self._there("Thing", thing, place))
        if owner:
            raise Conflict(f"where this Thing stands is said in {owner}; change it there", place=place)
        self.stood.setdefault(thing, self.edit.locations_of(thing))
        self.edit.stand(thing, locations)
        self.made.append(("HistoricalLocation", self.edit.add_history(thing, self.now, locations)))

    def link(self, kind: EntityType, number: int, relation: Relation, target: int, place: str) -> None:
        """Link an entity that is there to another: the same as to post it through the other's path.

        Raises
        ------
        RequestError
            If one of them is not there, or the relation cannot be changed.
        """
        if relation.through.link is not None:
            self._join(kind, number, relation.name, [target], place)
            return
        source, column, value = (kind.name, relation.through.own, target)
        if not column:
            source, column, number, value = relation.target, relation.through.other, target, number
        elif source not in CLASSES:
            raise RequestError(f"{relation.name} of a {kind.name} is changed by PATCH", place=place)
        if source not in CLASSES:
            raise RequestError(f"{relation.name} are not linked anew; they belong where they were made", place=place)
        entity = self._there(source, number, place)
        if source == "Datastream":
            owner = self.means.ownership.of(entity)
            if owner:
                raise Conflict(f"this Datastream is declared in {owner}; change it there", place=place)
        if relation.through.own:
            self._there(relation.target, value, place)
        self.edit.update(replace(entity, **{column: value}))

    def _one(self, draft: Draft, relation: Relation, given: dict[str, int]) -> int:
        items: list[Draft | int] | list[None] = draft.links.get(relation.name) or [None]
        item = items[0]
        place = f"{draft.place}.{relation.name}"
        if relation.name in given:
            number = given.pop(relation.name)
            if item is not None and item != number:
                raise RequestError(f"this contradicts the path, which says {number}", place=place)
            return number
        if item is None:
            if relation.name == "FeatureOfInterest":
                return 0
            raise RequestError(f"a {draft.kind.name} needs a {relation.name}: a link or an entity", place=place)
        if isinstance(item, Draft):
            return self.make(item)
        self._there(relation.target, item, place)
        return item

    def there(self, kind: str, number: Draft | int, place: str) -> int:
        """Return the id of an entity that a body links, or say where it names one that is not there."""
        if not isinstance(number, int):
            raise RequestError("an update links entities, and makes none", place=place)
        self._there(kind, number, place)
        return number

    def _there(self, kind: str, number: int, place: str) -> Any:  # noqa: ANN401 -- an entity of that kind
        """Return an entity, or say where in the body it was named."""
        try:
            return self.edit.history(number) if kind == "HistoricalLocation" else self.edit.get(CLASSES[kind], number)
        except NotFound as error:
            raise RequestError(str(error), place=place) from error

    def _observed(self, draft: Draft, given: dict[str, int]) -> list[int]:
        """Make or find the ObservedProperties of a MultiDatastream, in their order."""
        name, numbers = "ObservedProperties", []
        for index, item in enumerate(draft.links.get(name, [])):
            if isinstance(item, int):
                self._there("ObservedProperty", item, f"{draft.place}.{name}[{index}]")
            numbers.append(item if isinstance(item, int) else self.make(item))
        of_path = given.pop(name, None)
        return numbers if of_path is None or of_path in numbers else [*numbers, of_path]

    def _insert(self, draft: Draft, own: Mapping[str, int], observed: list[int]) -> int:
        kind = draft.kind
        values = {"properties": None, **draft.values} if kind.name != "HistoricalLocation" else draft.values
        fields = {**values_of(kind, values, None, draft.place), **own}
        fields = {name: value for name, value in fields.items() if value is not None or name not in _FILLED}
        if observed:
            fields["observed_property"] = observed[0]
        if kind.name in _KEYED and not fields.get("key"):
            fields["key"] = free_key(
                self.edit, CLASSES[kind.name], self._key(kind, fields), fields.get("definition", "")
            )
        if kind.name in STREAMS:
            fields["clock_resolution_us"] = 1  # a client's times are kept as they were sent
        if kind.name == "MultiDatastream":
            fields.setdefault("observed_property", 0)
        entity = CLASSES[kind.name](**fields)
        if isinstance(entity, MultiDatastream):
            check_width(entity, len(observed), draft.place)
        elif isinstance(entity, Datastream):
            check_judged(entity, self.means.shelf, draft.place)
        try:
            number = int(self.edit.add(entity).id)
        except ConfigError as error:
            raise RequestError(str(error), place=f"{draft.place}.properties.nilometer.key") from error
        if observed:
            self.edit.observe(number, observed)
        self.made.append((kind.name, number))
        return number

    def _key(self, kind: EntityType, fields: Mapping[str, Any]) -> str:
        if kind.name not in STREAMS:
            return str(fields["name"])
        thing = self.edit.get(Thing, fields["thing"])
        if kind.name == "MultiDatastream":
            return f"{thing.key}/multi"
        observed = self.edit.get(ObservedProperty, fields["observed_property"])
        return f"{thing.key}/{observed.key}"

    def _surround(self, draft: Draft, number: int, given: Mapping[str, int]) -> None:
        """Make and link what leads to many; `given` is the entity of the path, where it is one of many."""
        for relation in draft.kind.relations.values():
            if not relation.many:
                continue
            items = draft.links.get(relation.name, [])
            place = f"{draft.place}.{relation.name}"
            if draft.kind.name == "ObservedProperty" and relation.name == "MultiDatastreams":
                self._observe_with(items, number, place, is_given=relation.name in given)
            elif relation.name == "ObservedProperties":
                continue  # it was made of them
            elif relation.through.link is not None:
                if relation.name == "Things":  # one stands at its Location before what it measures is made
                    for item in items:
                        if isinstance(item, Draft):
                            self.make(item, {"Locations": number})
                    items = [item for item in items if isinstance(item, int)]
                back = {"Locations": number} if relation.target == "HistoricalLocation" else None
                ids = [item if isinstance(item, int) else self.make(item, back) for item in items]
                ids += [given[relation.name]] if relation.name in given and given[relation.name] not in ids else []
                if ids:
                    self._join(draft.kind, number, relation.name, ids, place)
            else:
                self._hang(draft.kind, number, relation, items, place)

    def _hang(self, kind: EntityType, number: int, relation: Relation, items: list[Draft | int], place: str) -> None:
        """Make or link what belongs to one entity."""
        back = _back(TYPES[relation.target], relation, kind)
        for item in items:
            if isinstance(item, Draft):
                self.make(item, {back: number})
            else:
                self.link(kind, number, relation, item, place)

    def _observe_with(self, items: list[Draft | int], observed: int, place: str, *, is_given: bool) -> None:
        """Make MultiDatastreams that come with one of their ObservedProperties."""
        for item in items:
            if isinstance(item, int):
                raise RequestError(TOGETHER, place=place)
            self.make(item, {"ObservedProperties": observed})
        if is_given:
            raise RequestError(TOGETHER, place=place)

    def _join(self, kind: EntityType, number: int, name: str, ids: list[int], place: str) -> None:
        match kind.name, name:
            case "Thing", "Locations":
                for location in ids:
                    self._there("Location", location, place)
                self.place(number, ids, place)
            case "Location", "Things":
                for thing in ids:
                    self.place(thing, [number], place)
            case ("MultiDatastream", _) | (_, "MultiDatastreams"):
                raise RequestError(TOGETHER, place=place)
            case "Location", _:
                for past in ids:
                    self._there("HistoricalLocation", past, place)
                    there = self.edit.places_of_history(past)
                    self.edit.link_history(past, there if number in there else [*there, number])
            case _:
                for location in ids:
                    self._there("Location", location, place)
                self.edit.link_history(number, [*self.edit.places_of_history(number), *ids])

    def _remember(self, draft: Draft, thing: int, given: Mapping[str, int]) -> int:
        """Add a HistoricalLocation; if it is the newest of its Thing, the Thing stands there."""
        items = draft.links.get("Locations", [])
        locations = [item if isinstance(item, int) else self.make(item) for item in items]
        locations += [given["Locations"]] if given.get("Locations") not in {None, *locations} else []
        place = f"{draft.place}.Locations"
        if not locations:
            raise RequestError("a HistoricalLocation needs Locations: links or entities", place=place)
        for location in locations:
            self._there("Location", location, place)
        time, newest = draft.values["time"], self.edit.newest_history(thing)
        number = self.edit.add_history(thing, time, locations)
        self.made.append(("HistoricalLocation", number))
        if newest is None or time > newest:
            self.stood.setdefault(thing, self.edit.locations_of(thing))
            self.edit.stand(thing, locations)
        return number

    def _observe(self, draft: Draft, given: dict[str, int]) -> int:
        relations = draft.kind.relations
        stream = self._one(draft, relations[chosen({**draft.links, **given}, draft.place)], given)
        feature = self._one(draft, relations["FeatureOfInterest"], given)
        owner = self.edit.stream(stream)
        if isinstance(owner, MultiDatastream):
            check_result(draft.values["result"], owner, f"{draft.place}.result")
        row = row_of(draft.values, stream, feature, self.now, draft.place)
        self.rows.append(row)
        if not row.feature and not self._has_place(row.datastream):
            raise RequestError(NO_PLACE, place=f"{draft.place}.FeatureOfInterest")
        return len(self.rows) - 1

    def _has_place(self, datastream: int) -> bool:
        thing = self.edit.stream(datastream).thing
        if self.edit.locations_of(thing):
            return True
        return any(feature.thing == thing for feature in self.edit.all(FeatureOfInterest))


_KEYED = frozenset({"Thing", "Sensor", "ObservedProperty", *STREAMS})
_FILLED = frozenset({"properties", "water_body", "time_zone", "origin", "unit", "key"})
"""Fields that null leaves as they are made."""


def _to_one(kind: EntityType) -> list[Relation]:
    return [relation for relation in kind.relations.values() if relation.through.own]


def _back(target: EntityType, relation: Relation, source: EntityType) -> str:
    """Return the relation of the other side that leads back."""
    ways = [back for back in _to_one(target) if back.target == source.name]
    return next(back.name for back in ways if back.through.own == relation.through.other)
