"""Deleting entities as the standard has it: what goes with each, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nilometer.errors import Conflict
from nilometer.model import Datastream, Location, MultiDatastream, ObservedProperty, Sensor, Thing
from nilometer.pipeline.ownership import Ownership
from nilometer.store import Store
from nilometer.store.catalog_edit import CatalogEdit

__all__ = ["Removing"]

_MOST_NAMED = 5
_EVER = (-(1 << 63), (1 << 63) - 1)


class Removing:
    """What is deleted with an entity.

    Parameters
    ----------
    store : Store
        Catalog and rows.
    ownership : Ownership
        Knows what ``nilometer.toml`` declares.
    check_unsigned : callable
        Refuses where somebody signed rows of some Datastreams in some spans: `Orders.check_unsigned`.
    """

    def __init__(self, store: Store, ownership: Ownership, check_unsigned: Callable[..., None]) -> None:
        self._catalog, self._ownership, self._check_unsigned = store.catalog, ownership, check_unsigned

    def thing(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete a Thing with all that has rows and its history; its Locations stay. Return what had rows.

        Raises
        ------
        Conflict, ReviewRefused
            If something stands against it; each says what to do.
        """
        thing = self._free(edit, Thing, number)
        gone = self.datastreams(edit, [one for one in _streams(edit) if one.thing == number])
        edit.strike_history(edit.histories_of(number))
        edit.stand(number, [])
        edit.moved.discard(number)
        self._strike(edit, thing)
        return gone

    def sensor(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete a Sensor with its Datastreams and MultiDatastreams, and return these; raises as `thing`."""
        sensor = self._free(edit, Sensor, number)
        gone = self.datastreams(edit, [one for one in _streams(edit) if one.sensor == number])
        self._strike(edit, sensor)
        return gone

    def observed_property(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete an ObservedProperty as `sensor` does; a MultiDatastream goes with any of its properties."""
        observed = self._free(edit, ObservedProperty, number)
        several = set(edit.observing(number))
        going = [one for one in _streams(edit) if one.observed_property == number or one.id in several]
        gone = self.datastreams(edit, going)
        self._strike(edit, observed)
        return gone

    def datastream(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete a Datastream, and return it; raises as `thing`."""
        return self.datastreams(edit, [edit.get(Datastream, number)])

    def multi_datastream(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete a MultiDatastream, and return it; raises as `thing`."""
        return self.datastreams(edit, [edit.get(MultiDatastream, number)])

    def location(self, edit: CatalogEdit, number: int) -> list[int]:
        """Delete a Location with the history that points to it alone; Things stay, and stand there no more."""
        location = edit.get(Location, number)
        things = [edit.get(Thing, thing) for thing in edit.things_at(number)]
        owner = self._ownership.of_location(location, things)
        if owner:
            raise Conflict(f"this Location is declared in {owner}; change it there, then delete it", place="path")
        for thing in things:
            edit.stand(thing.id, [other for other in edit.locations_of(thing.id) if other != number])
        lone = [past for past in edit.histories_at(number) if edit.places_of_history(past) == [number]]
        edit.strike_history(lone)
        self._strike(edit, location)
        return []

    def datastreams(self, edit: CatalogEdit, datastreams: Iterable[Datastream]) -> list[int]:
        """Delete Datastreams and MultiDatastreams, and return their ids; raises as `thing`."""
        going = list(datastreams)
        for one in going:
            self.check(edit, one)
        keys = {one.key for one in going}
        self._check_followed(keys, {one.id for one in going})
        self._check_trials(keys)
        for one in going:
            if isinstance(one, MultiDatastream):
                edit.observe(one.id, [])
            self._strike(edit, one)
        return [one.id for one in going]

    def check(self, edit: CatalogEdit, datastream: Datastream) -> None:
        """Refuse to delete a Datastream whose numbers are accounted for elsewhere.

        Raises
        ------
        Conflict
            With what to do.
        """
        del edit
        owner = self._ownership.of(datastream)
        if owner:
            raise Conflict(
                f"{datastream.key} is declared in {owner}: take it out there, start again, then delete it; its "
                f"Observations can be deleted now",
                place="path",
            )
        if datastream.id in self._catalog.definitions.current():
            raise Conflict(
                f"{datastream.key} is derived; take its definition back first: DELETE /api/v1/derived/{datastream.key}",
                place="path",
            )
        if self._catalog.calibrations(datastream.id) or self._catalog.calibration_records.has_records(datastream.id):
            raise Conflict(
                f"{datastream.key} has calibrations, which account for numbers that were given out: it stays; its "
                "Observations can be deleted",
                place="path",
            )
        self._check_unsigned([datastream.id], [_EVER], force=False)

    def _check_followed(self, keys: set[str], ids: set[int]) -> None:
        for number, row in self._catalog.definitions.current().items():
            used = sorted({one.get("datastream") for one in row.document["inputs"].values()} & keys)
            if used and number not in ids:
                name = self._catalog.datastream(number).key
                raise Conflict(
                    f"{name} is derived from {', '.join(used[:_MOST_NAMED])}; take its definition back first: "
                    f"DELETE /api/v1/derived/{name}",
                    place="path",
                )

    def _check_trials(self, keys: set[str]) -> None:
        for trial in self._catalog.trials.trials():
            named = sorted(_texts(trial.plan) & keys)
            if named and not trial.withdrawn:
                raise Conflict(
                    f"trial {trial.id} compares {', '.join(named[:_MOST_NAMED])}, and has to be able to run again; a "
                    "plan that was never frozen can be withdrawn",
                    place="path",
                )

    def _free(self, edit: CatalogEdit, kind: type, number: int) -> Any:  # noqa: ANN401 -- an entity of that kind
        entity = edit.get(kind, number)
        owner = self._ownership.of(entity)
        if owner:
            raise Conflict(
                f"this {kind.__name__} is declared in {owner}: take it out there, start again, then delete it",
                place="path",
            )
        return entity

    @staticmethod
    def _strike(edit: CatalogEdit, entity: Any) -> None:  # noqa: ANN401 -- an entity of any kind
        edit.strike(type(entity), entity.id)
        known = {"name": entity.name} | ({"key": entity.key} if hasattr(entity, "key") else {})
        edit.audit("", "entity.delete", f"{type(entity).__name__}/{entity.id}", known)


def _streams(edit: CatalogEdit) -> list[Datastream]:
    return [*edit.all(Datastream), *edit.all(MultiDatastream)]


def _texts(document: object) -> set[str]:
    """Return every text that stands somewhere in a document."""
    if isinstance(document, str):
        return {document}
    if isinstance(document, dict):
        return {text for value in document.values() for text in _texts(value)}
    if isinstance(document, list | tuple):
        return {text for value in document for text in _texts(value)}
    return set()
