"""PATCH and PUT of entities: what a body says of one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nilometer.errors import Conflict, RequestError
from nilometer.model import Datastream, MultiDatastream, Thing
from nilometer.store import Catalog
from nilometer.store.catalog_edit import CatalogEdit
from nilometer.units import UNKNOWN
from nilometer.web.sensorthings.changes.bodies import MANDATORY, Draft
from nilometer.web.sensorthings.changes.making import CLASSES, Maker, Means, values_of
from nilometer.web.sensorthings.changes.ours import check_judged
from nilometer.web.sensorthings.changes.several import check_width
from nilometer.web.sensorthings.schema import EntityType

__all__ = ["Editing", "whole"]

_FREE = frozenset({"description", "observationType", "properties"})
"""What may be changed of a Datastream of the configuration: the file does not say it."""


def whole(draft: Draft) -> Draft:
    """Return an entity as PUT means it: what it leaves out goes back to nothing.

    Raises
    ------
    RequestError
        If it leaves out what is mandatory.
    """
    kind = draft.kind
    for name in MANDATORY[kind.name]:
        if name not in draft.values:
            raise RequestError(f"PUT replaces the {kind.name}, which needs {name}", place=f"$.{name}")
    for name, declared in kind.properties.items():
        if declared.column and name not in draft.values:
            draft.values[name] = None
    return draft


class Editing:
    """Updates entities.

    Parameters
    ----------
    catalog : Catalog
        Knows what a Datastream is judged and calibrated by.
    means : Means
        Profiles and ownership.
    """

    def __init__(self, catalog: Catalog, means: Means) -> None:
        self._catalog, self._means = catalog, means

    def update(self, edit: CatalogEdit, kind: EntityType, number: int, draft: Draft, now: int) -> None:
        """Change what a draft says of an entity.

        Raises
        ------
        NotFound
            If it is not there.
        RequestError, Conflict
            If it cannot be so.
        """
        maker = Maker(edit, self._means, now)
        if kind.name == "HistoricalLocation":
            self._history(edit, number, draft, maker)
            return
        entity = edit.get(CLASSES[kind.name], number)
        self._check_owner(entity, draft)
        fields = values_of(kind, draft.values, entity, "$")
        fields = {name: value for name, value in fields.items() if value is not None or name not in _STAY}
        if fields.get("properties", {}) is None:
            fields["properties"] = {}
        changed = replace(entity, **fields)
        if isinstance(changed, MultiDatastream):
            changed = self._together(edit, entity, changed, draft, maker)
        elif isinstance(changed, Datastream):
            self._check_unit(entity, changed)
            check_judged(changed, self._means.shelf, "$")
        edit.update(changed)
        for name, items in draft.links.items():
            relation = kind.relations[name]
            place = f"$.{name}"
            if relation.name == "ObservedProperties":
                continue  # they came with the rest
            if relation.name == "Locations" and isinstance(entity, Thing):
                maker.place(number, [self._there(edit, item, place) for item in items], place)
                continue
            for item in items:
                assert isinstance(item, int)  # noqa: S101 -- an update links only
                maker.link(kind, number, relation, item, place)

    def _together(
        self, edit: CatalogEdit, before: MultiDatastream, after: MultiDatastream, draft: Draft, maker: Maker
    ) -> MultiDatastream:
        """Change units, types and ObservedProperties of a MultiDatastream as one."""
        name = "ObservedProperties"
        observed = edit.observed_by(before.id)
        if name in draft.links:
            items = enumerate(draft.links[name])
            observed = [maker.there("ObservedProperty", item, f"$.{name}[{index}]") for index, item in items]
        check_width(after, len(observed), "$")
        if after.width != before.width and self._means.has_rows(before.id):
            raise Conflict(
                f"its Observations have {before.width} results each; make another MultiDatastream for {after.width}",
                place="$.unitOfMeasurements",
            )
        edit.observe(before.id, observed)
        return replace(after, observed_property=observed[0])

    def _there(self, edit: CatalogEdit, item: Draft | int, place: str) -> int:
        if not isinstance(item, int):
            raise RequestError("an update links entities, and makes none", place=place)
        if item not in {one.id for one in edit.all(CLASSES["Location"])}:
            raise RequestError(f"there is no Location with id {item}", place=place)
        return item

    def _history(self, edit: CatalogEdit, number: int, draft: Draft, maker: Maker) -> None:
        thing, time = edit.history(number)
        items = draft.links.get("Thing", [thing])
        edit.change_history(number, maker.there("Thing", items[0], "$.Thing"), draft.values.get("time", time))
        if "Locations" in draft.links:
            places = [self._there(edit, item, "$.Locations") for item in draft.links["Locations"]]
            if not places:
                raise RequestError("a HistoricalLocation needs Locations", place="$.Locations")
            edit.link_history(number, places)

    def _check_owner(self, entity: Any, draft: Draft) -> None:  # noqa: ANN401 -- an entity of any kind
        owner = self._means.ownership.of(entity)
        if not owner:
            return
        said = {*draft.values, *draft.links}
        if isinstance(entity, Datastream):
            ours = (draft.values.get("properties") or {}).get("nilometer")
            said -= _FREE if ours is None or _same(ours, entity) else _FREE - {"properties"}
        elif isinstance(entity, Thing):
            said -= {"Locations", "Datastreams"}  # where it stands may be left to clients
        else:
            return  # a Sensor is named by its source, and described here
        if said:
            name = sorted(said)[0]
            raise Conflict(f"{name} is said in {owner}, which would bring it back: change it there", place=f"$.{name}")

    def _check_unit(self, before: Datastream, after: Datastream) -> None:
        """Refuse another unit where numbers in the old one are calibrated, judged, derived or compared."""
        if before.unit in {after.unit, UNKNOWN}:
            return
        definitions = self._catalog.definitions.current()
        used = [one.get("datastream") for row in definitions.values() for one in row.document["inputs"].values()]
        if before.profile is not None or self._catalog.calibrations(before.id) or before.key in used:
            raise Conflict(
                f"{before.key} is calibrated or judged in {before.unit}, or others are derived from it; make another "
                "Datastream for the new unit",
                place="$.unitOfMeasurement",
            )


_STAY = frozenset({"key", "water_body", "time_zone", "origin", "unit"})


def _same(given: object, entity: Datastream) -> bool:
    """Say whether ``properties.nilometer`` came back as it was read."""
    if not isinstance(given, Mapping):
        return False
    known = {**entity.properties.get("nilometer", {})}
    known |= {name: getattr(entity, name) for name in ("key", "origin", "profile", "mark_scheme", "identity", "unit")}
    return all(known.get(name) == value for name, value in given.items())
