"""Several changes of the catalog as one: all of them become durable and known together, or none does.

What an edit adds, changes or strikes is seen by the edit itself; memory and listeners hear of it after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from nilometer.errors import NotFound
from nilometer.model import Datastream, HistoricalLocation, MultiDatastream, Thing
from nilometer.store import tables
from nilometer.store.entity_table import EntityTable
from nilometer.store.row_ids import row_id

__all__ = ["CatalogEdit", "Struck"]


@dataclass(frozen=True, slots=True)
class Struck:
    """An entity that was deleted, as listeners are told of it."""

    entity: Any


class _Overlay:
    """What an edit has done to one table."""

    def __init__(self, table: EntityTable[Any]) -> None:
        self.table = table
        self.stored: dict[int, Any] = {}
        self.struck: dict[int, Any] = {}
        self.keys: dict[str, int | None] = {}

    def get(self, number: int) -> Any:  # noqa: ANN401 -- an entity of whichever kind
        if number in self.struck:
            raise NotFound(f"there is no {self.table.noun} with id {number}")
        known = self.stored.get(number)
        return self.table.get(number) if known is None else known

    def owner(self, key: str) -> int | None:
        return self.keys[key] if key in self.keys else self.table.owner(key)

    def put(self, entity: Any, old: Any = None) -> None:  # noqa: ANN401 -- as above
        self._free(old)
        self.stored[entity.id] = entity
        if hasattr(entity, "key"):
            self.keys[entity.key] = entity.id

    def strike(self, entity: Any) -> None:  # noqa: ANN401 -- as above
        self._free(entity)
        self.stored.pop(entity.id, None)
        self.struck[entity.id] = entity

    def _free(self, entity: Any) -> None:  # noqa: ANN401 -- as above
        if hasattr(entity, "key"):
            self.keys[entity.key] = None


class CatalogEdit:
    """Changes within one transaction; made by `Catalog.edit`.

    Parameters
    ----------
    entity_tables : mapping of type to EntityTable
        By the class of the entity.
    connection : sqlalchemy.Connection
        In a transaction.
    moment : int
        The present, µs since 1970 UTC.
    """

    def __init__(self, entity_tables: Mapping[type, EntityTable[Any]], connection: Connection, moment: int) -> None:
        self._of = {kind: _Overlay(table) for kind, table in entity_tables.items()}
        self._of[MultiDatastream].keys = self._of[Datastream].keys  # of one table
        self.connection, self.moment = connection, moment
        self.moved: set[int] = set()
        self._remembered: dict[int, HistoricalLocation] = {}

    def add(self, entity: Any, **extra: object) -> Any:  # noqa: ANN401 -- the same kind
        """Insert an entity and return it with its id."""
        overlay = self._of[type(entity)]
        stored = overlay.table.insert(entity, self.connection, overlay.owner, **extra)
        overlay.put(stored)
        return stored

    def update(self, entity: Any) -> Any:  # noqa: ANN401 -- the same kind
        """Write all fields of an entity that is there."""
        overlay = self._of[type(entity)]
        old = overlay.get(entity.id)
        if old != entity:
            overlay.table.overwrite(entity, self.connection, overlay.owner)
            overlay.put(entity, old)
        return entity

    def strike(self, kind: type, number: int) -> Any:  # noqa: ANN401 -- an entity of that kind
        """Delete an entity and return it as it was."""
        overlay = self._of[kind]
        entity = overlay.get(number)
        overlay.table.strike(number, self.connection, self.moment)
        overlay.strike(entity)
        return entity

    def get(self, kind: type, number: int) -> Any:  # noqa: ANN401 -- an entity of that kind
        """Return an entity, or raise NotFound."""
        return self._of[kind].get(number)

    def stream(self, number: int) -> Datastream:
        """Return the Datastream or the MultiDatastream of an id, or raise NotFound."""
        try:
            return self.get(Datastream, number)  # type: ignore[no-any-return]
        except NotFound:
            return self.get(MultiDatastream, number)  # type: ignore[no-any-return]

    def owner(self, kind: type, key: str) -> int | None:
        """Return the id of the entity of a key, or None."""
        return self._of[kind].owner(key)

    def all(self, kind: type) -> list[Any]:
        """Return every entity of a kind by ascending id."""
        overlay = self._of[kind]
        known = {entity.id: entity for entity in overlay.table.all() if entity.id not in overlay.struck}
        return [entity for _, entity in sorted((known | overlay.stored).items())]

    def changed(self, kind: type) -> list[Any]:
        """Return the entities of a kind that were added or changed."""
        return list(self._of[kind].stored.values())

    def gone(self, kind: type) -> list[Any]:
        """Return the entities of a kind that were deleted, as they were."""
        return list(self._of[kind].struck.values())

    # Where Things stand

    def locations_of(self, thing: int) -> list[int]:
        """Return the Locations of a Thing, in order."""
        links = tables.things_locations
        statement = select(links.c.location).where(links.c.thing == thing).order_by(links.c.ordinal)
        return list(self.connection.execute(statement).scalars())

    def things_at(self, location: int) -> list[int]:
        """Return the Things that stand at a Location."""
        links = tables.things_locations
        statement = select(links.c.thing).where(links.c.location == location).order_by(links.c.thing)
        return list(self.connection.execute(statement).scalars())

    def stand(self, thing: int, locations: Sequence[int]) -> None:
        """Let a Thing stand at Locations and nowhere else; its history is not touched."""
        links = tables.things_locations
        self.connection.execute(delete(links).where(links.c.thing == thing))
        for ordinal, location in enumerate(dict.fromkeys(locations)):
            self.connection.execute(insert(links).values(thing=thing, location=location, ordinal=ordinal))
        self.moved.add(thing)

    def add_history(self, thing: int, time: int, locations: Sequence[int]) -> int:
        """Note where a Thing stood from a time (µs UTC) on, and return the id of the HistoricalLocation."""
        past = tables.historical_locations
        number = self.connection.execute(insert(past).values(thing=thing, time=time).returning(past.c.id)).scalar_one()
        self._remember(int(number), thing, time, locations)
        return int(number)

    def link_history(self, number: int, locations: Sequence[int]) -> None:
        """Say which Locations a HistoricalLocation has."""
        links = tables.historical_locations_locations
        self.connection.execute(delete(links).where(links.c.historical_location == number))
        self._remember(number, *self.history(number), locations)

    def _remember(self, number: int, thing: int, time: int, locations: Sequence[int]) -> None:
        """Link a HistoricalLocation that has no links."""
        links = tables.historical_locations_locations
        places = tuple(dict.fromkeys(locations))
        for ordinal, location in enumerate(places):
            self.connection.execute(
                insert(links).values(historical_location=number, location=location, ordinal=ordinal)
            )
        self._remembered[number] = HistoricalLocation(id=number, thing=thing, time=time, locations=places)

    def history(self, number: int) -> tuple[int, int]:
        """Return the Thing and the time of a HistoricalLocation, or raise NotFound."""
        past = tables.historical_locations
        row = self.connection.execute(
            select(past.c.thing, past.c.time).where(past.c.id == row_id(number))
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no HistoricalLocation with id {number}")
        return row[0], row[1]

    def places_of_history(self, number: int) -> list[int]:
        """Return the Locations of a HistoricalLocation, in order."""
        links = tables.historical_locations_locations
        statement = select(links.c.location).where(links.c.historical_location == number).order_by(links.c.ordinal)
        return list(self.connection.execute(statement).scalars())

    def newest_history(self, thing: int, *, but: int = 0) -> int | None:
        """Return the time of the newest HistoricalLocation of a Thing; None: there is none."""
        past = tables.historical_locations
        statement = select(func.max(past.c.time)).where(past.c.thing == thing, past.c.id != but)
        return self.connection.execute(statement).scalar()

    def change_history(self, number: int, thing: int, time: int) -> None:
        """Give a HistoricalLocation another Thing or time."""
        past = tables.historical_locations
        self.connection.execute(update(past).where(past.c.id == number).values(thing=thing, time=time))
        places = tuple(self.places_of_history(number))
        self._remembered[number] = HistoricalLocation(id=number, thing=thing, time=time, locations=places)

    def strike_history(self, numbers: Iterable[int]) -> None:
        """Delete HistoricalLocations."""
        past = tables.historical_locations
        for number in numbers:
            self.connection.execute(delete(past).where(past.c.id == number))
            self._remembered.pop(number, None)

    def histories_of(self, thing: int) -> list[int]:
        """Return the HistoricalLocations of a Thing."""
        past = tables.historical_locations
        return list(self.connection.execute(select(past.c.id).where(past.c.thing == thing)).scalars())

    def histories_at(self, location: int) -> list[int]:
        """Return the HistoricalLocations that name a Location."""
        links = tables.historical_locations_locations
        statement = select(links.c.historical_location).where(links.c.location == location)
        return list(self.connection.execute(statement).scalars())

    # What MultiDatastreams observe

    def observe(self, multi: int, observed: Sequence[int]) -> None:
        """Say which ObservedProperties a MultiDatastream has, in the order of its results."""
        links = tables.datastreams_observed_properties
        self.connection.execute(delete(links).where(links.c.datastream == multi))
        for ordinal, number in enumerate(observed):
            self.connection.execute(insert(links).values(datastream=multi, ordinal=ordinal, observed_property=number))

    def observed_by(self, multi: int) -> list[int]:
        """Return the ObservedProperties of a MultiDatastream, in the order of its results."""
        links = tables.datastreams_observed_properties
        statement = select(links.c.observed_property).where(links.c.datastream == multi).order_by(links.c.ordinal)
        return list(self.connection.execute(statement).scalars())

    def observing(self, observed: int) -> list[int]:
        """Return the MultiDatastreams that have an ObservedProperty among theirs."""
        links = tables.datastreams_observed_properties
        statement = select(links.c.datastream).where(links.c.observed_property == observed).distinct()
        return sorted(self.connection.execute(statement).scalars())

    # What belongs to the change and is no entity

    def audit(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Note who changed what."""
        values = {"time": self.moment, "actor": actor, "action": action, "subject": subject, "detail": dict(detail)}
        self.connection.execute(insert(tables.audit).values(values))

    def begin_insertion(self, body: Mapping[str, Any]) -> int:
        """Note what is to be taken back if the Observations of a deep insert never come; return the note's id."""
        table = tables.insertions
        values = {"time": self.moment, "body": dict(body)}
        return int(self.connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())

    def end_insertion(self, number: int) -> None:
        """Let go of such a note."""
        self.connection.execute(delete(tables.insertions).where(tables.insertions.c.id == number))

    def insertions(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the notes that are open."""
        table = tables.insertions
        return [(row[0], row[1]) for row in self.connection.execute(select(table.c.id, table.c.body))]

    def take(self) -> list[object]:
        """Have memory take what was committed, and return what listeners are to be told."""
        told: list[object] = []
        for overlay in self._of.values():
            overlay.table.take(overlay.stored.values(), overlay.struck)
            told += [*overlay.stored.values(), *map(Struck, overlay.struck.values())]
        told += self._remembered.values()
        things = self._of[Thing]
        told += [things.table.get(number) for number in self.moved if number not in {*things.stored, *things.struck}]
        return told
