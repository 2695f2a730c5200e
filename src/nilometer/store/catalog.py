"""The catalog: what is where, measured by what, judged how. It never holds an Observation.

One process writes it (the folder's lock), so entities are kept in memory once read and no call per batch touches the
database. Every write is durable when the call returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import NotFound, StoreError
from nilometer.model import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    MultiDatastream,
    ObservedProperty,
    SampleKind,
    Sensor,
    Thing,
    WaterBody,
)
from nilometer.store import tables
from nilometer.store.calibration_ledger import CalibrationLedger
from nilometer.store.catalog_edit import CatalogEdit, Struck
from nilometer.store.definition_ledger import DefinitionLedger
from nilometer.store.entity_table import EntityTable
from nilometer.store.features import Features
from nilometer.store.ledger import CalibrationRow, Event, Ledger, ProfileVersionRow, ProvenanceRow
from nilometer.store.refusal import refusal
from nilometer.store.review_ledger import VALUE_ACTIONS, ReviewLedger
from nilometer.store.streams import Streams
from nilometer.store.trial_ledger import TrialLedger
from nilometer.store.uplink_ledger import UplinkLedger

__all__ = ["CalibrationRow", "Catalog", "Event", "ProfileVersionRow", "ProvenanceRow"]


class Catalog:
    """The entities of one data folder, and the ledgers that explain its numbers.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose tables are at the head of the migrations.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._listeners: list[Callable[[Any], None]] = []
        self._lock = threading.RLock()
        self._things = EntityTable(engine, tables.things, Thing, "Thing", self._tell, {"water_body": WaterBody})
        self._locations = EntityTable(engine, tables.locations, Location, "Location", self._tell)
        self._sensors = EntityTable(engine, tables.sensors, Sensor, "Sensor", self._tell)
        self._properties = EntityTable(
            engine, tables.observed_properties, ObservedProperty, "ObservedProperty", self._tell
        )
        self.streams = Streams(engine, self._tell)
        self._datastreams = self.streams.plain
        self._features = EntityTable(
            engine,
            tables.features_of_interest,
            FeatureOfInterest,
            "FeatureOfInterest",
            self._tell,
            {"sample_kind": SampleKind},
        )
        self._made = Features(engine, self._features, self.thing, self.streams.get, self.locations_of)
        self._tables: dict[type, EntityTable[Any]] = {
            Thing: self._things,
            Location: self._locations,
            Sensor: self._sensors,
            ObservedProperty: self._properties,
            Datastream: self._datastreams,
            MultiDatastream: self.streams.multi,
            FeatureOfInterest: self._features,
        }
        self.ledger = Ledger(engine)
        self.calibration_records = CalibrationLedger(engine, self.ledger.forget_calibrations)
        self.reviews = ReviewLedger(engine)
        self.uplinks = UplinkLedger(engine)
        self.definitions = DefinitionLedger(engine)
        self.trials = TrialLedger(engine)

    def on_change(self, listener: Callable[[Any], None]) -> None:
        """Call `listener` with every entity added or changed from now on, after it is durable.

        Of one that is deleted it gets a `Struck`; of a Thing that was moved, the Thing.
        """
        self._listeners.append(listener)

    def _tell(self, entity: object) -> None:
        if isinstance(entity, FeatureOfInterest):
            self._made.changed()
        elif isinstance(entity, MultiDatastream):
            self.streams.forget()
        for listener in self._listeners:
            listener(entity)

    @contextmanager
    def edit(self, doing: str, moment: int) -> Iterator[CatalogEdit]:
        """Make several changes as one: durable and known together at the end of the block, none after an error.

        Parameters
        ----------
        doing : str
            What is done, as words after "could not".
        moment : int
            The present, µs since 1970 UTC.

        Raises
        ------
        StoreError
            If the database refuses; nothing was changed.
        """
        with self._lock:
            try:
                with self._begin(doing) as connection:
                    edit = CatalogEdit(self._tables, connection, moment)
                    yield edit
            except StoreError:
                # The write may have arrived before the connection broke: what is there is read anew.
                for table in self._tables.values():
                    table.forget()
                self.streams.forget()
                self._made.forget()
                raise
            told = edit.take()
            # Where a Thing stands is its Locations, and they may be corrected while it stays.
            gone, changed = map(edit.gone, (Thing, FeatureOfInterest)), map(edit.changed, (Location, FeatureOfInterest))
            if edit.moved or any(gone) or any(changed):
                self._made.forget()
            for thing in edit.moved - {item.entity.id for item in told if isinstance(item, Struck)}:
                self._made.give_place(thing)
        for item in told:
            self._tell(item)

    # Things and where they stand

    def add_thing(self, thing: Thing) -> Thing:
        """Add a Thing and return it with its id."""
        return self._things.add(thing)

    def update_thing(self, thing: Thing) -> Thing:
        """Write all fields of a Thing that exists."""
        return self._things.update(thing)

    def thing(self, number: int) -> Thing:
        """Return the Thing of an id, or raise NotFound."""
        return self._things.get(number)

    def thing_by_key(self, key: str) -> Thing | None:
        """Return the Thing of a key, or None."""
        return self._things.find(key)

    def things(self) -> list[Thing]:
        """Return every Thing by ascending id."""
        return self._things.all()

    def add_location(self, location: Location) -> Location:
        """Add a Location and return it with its id."""
        return self._locations.add(location)

    def location(self, number: int) -> Location:
        """Return the Location of an id, or raise NotFound."""
        return self._locations.get(number)

    def locations(self) -> list[Location]:
        """Return every Location by ascending id."""
        return self._locations.all()

    def place(self, thing_id: int, location_ids: Sequence[int], time: int) -> HistoricalLocation:
        """Say that a Thing stands at these Locations from `time` (µs UTC) on; older places become history."""
        self.thing(thing_id)
        for number in location_ids:
            self.location(number)
        links = tables.things_locations
        past = tables.historical_locations
        past_links = tables.historical_locations_locations
        with self._lock, self._begin("place a Thing") as connection:
            connection.execute(delete(links).where(links.c.thing == thing_id))
            number = connection.execute(
                insert(past).values(thing=thing_id, time=time).returning(past.c.id)
            ).scalar_one()
            for ordinal, location in enumerate(location_ids):
                connection.execute(insert(links).values(thing=thing_id, location=location, ordinal=ordinal))
                connection.execute(
                    insert(past_links).values(historical_location=number, location=location, ordinal=ordinal)
                )
        self._made.give_place(thing_id)
        self._tell(self.thing(thing_id))
        past_place = HistoricalLocation(id=number, thing=thing_id, time=time, locations=tuple(location_ids))
        self._tell(past_place)
        return past_place

    def locations_of(self, thing_id: int) -> list[Location]:
        """Return where a Thing stands now."""
        links = tables.things_locations
        statement = select(links.c.location).where(links.c.thing == thing_id).order_by(links.c.ordinal)
        with self._connect("read Locations") as connection:
            return [self.location(number) for number in connection.execute(statement).scalars()]

    def things_at(self, location_id: int) -> list[Thing]:
        """Return the Things that stand at a Location now."""
        links = tables.things_locations
        statement = select(links.c.thing).where(links.c.location == location_id).order_by(links.c.thing)
        with self._connect("read Things") as connection:
            return [self.thing(number) for number in connection.execute(statement).scalars()]

    def historical_locations_of(self, thing_id: int) -> list[HistoricalLocation]:
        """Return where a Thing stood, oldest first."""
        return [item for item in self.historical_locations() if item.thing == thing_id]

    def historical_locations(self) -> list[HistoricalLocation]:
        """Return every HistoricalLocation, oldest first."""
        past, links = tables.historical_locations, tables.historical_locations_locations
        statement = (
            select(past.c.id, past.c.thing, past.c.time, links.c.location)
            .join_from(past, links, isouter=True)
            .order_by(past.c.time, past.c.id, links.c.ordinal)
        )
        found: dict[int, HistoricalLocation] = {}
        with self._connect("read HistoricalLocations") as connection:
            for number, thing, time, location in connection.execute(statement):
                item = found.get(number) or HistoricalLocation(id=number, thing=thing, time=time)
                places = item.locations if location is None else (*item.locations, location)
                found[number] = replace(item, locations=places)
        return list(found.values())

    def historical_location(self, number: int) -> HistoricalLocation:
        """Return the HistoricalLocation of an id, or raise NotFound."""
        for item in self.historical_locations():
            if item.id == number:
                return item
        raise NotFound(f"there is no HistoricalLocation with id {number}")

    # Instruments and quantities

    def add_sensor(self, sensor: Sensor) -> Sensor:
        """Add a Sensor and return it with its id."""
        return self._sensors.add(sensor)

    def sensor(self, number: int) -> Sensor:
        """Return the Sensor of an id, or raise NotFound."""
        return self._sensors.get(number)

    def sensor_by_key(self, key: str) -> Sensor | None:
        """Return the Sensor of a key, or None."""
        return self._sensors.find(key)

    def sensors(self) -> list[Sensor]:
        """Return every Sensor by ascending id."""
        return self._sensors.all()

    def add_observed_property(self, observed_property: ObservedProperty) -> ObservedProperty:
        """Add an ObservedProperty and return it with its id."""
        return self._properties.add(observed_property)

    def observed_property(self, number: int) -> ObservedProperty:
        """Return the ObservedProperty of an id, or raise NotFound."""
        return self._properties.get(number)

    def observed_property_by_key(self, key: str) -> ObservedProperty | None:
        """Return the ObservedProperty of a key, or None."""
        return self._properties.find(key)

    def observed_properties(self) -> list[ObservedProperty]:
        """Return every ObservedProperty by ascending id."""
        return self._properties.all()

    def add_datastream(self, datastream: Datastream) -> Datastream:
        """Add a Datastream and return it with its id."""
        return self._datastreams.add(datastream)

    def update_datastream(self, datastream: Datastream) -> Datastream:
        """Write all fields of a Datastream that exists."""
        return self._datastreams.update(datastream)

    def datastream(self, number: int) -> Datastream:
        """Return the Datastream of an id, or raise NotFound."""
        return self._datastreams.get(number)

    def datastream_by_key(self, key: str) -> Datastream | None:
        """Return the Datastream of a key, or None."""
        return self._datastreams.find(key)

    def datastreams(self) -> list[Datastream]:
        """Return every Datastream by ascending id; MultiDatastreams are not among them: see `streams`."""
        return self._datastreams.all()

    # What an Observation speaks of

    def add_feature(self, feature: FeatureOfInterest) -> FeatureOfInterest:
        """Add a FeatureOfInterest and return it with its id."""
        return self._features.add(feature)

    def feature(self, number: int) -> FeatureOfInterest:
        """Return the FeatureOfInterest of an id, or raise NotFound."""
        return self._features.get(number)

    def features(self) -> list[FeatureOfInterest]:
        """Return every FeatureOfInterest by ascending id."""
        return self._features.all()

    def water_feature(self, datastream_id: int) -> int:
        """Return the id of the water a Datastream measures: where its Thing stands now, made at first use."""
        return self._made.water(datastream_id)

    def has_place(self, datastream_id: int) -> bool:
        """Say whether the water of a Datastream is known, or follows from a Location of its Thing."""
        return self._made.has_place(datastream_id)

    def same_water(self) -> Mapping[int, int]:
        """Return the first water of Things that were moved, by the ids of their other waters."""
        return self._made.same_water()

    def sample_feature(self, datastream_id: int, kind: SampleKind) -> int:
        """Return the id of the sample or standard of this kind that a Datastream measures, made at first use."""
        return self._made.sample(datastream_id, kind)

    def sample_kinds(self) -> Mapping[int, SampleKind]:
        """Return the kind of every FeatureOfInterest that is not water, by its id."""
        return self._made.sample_kinds()

    # Ledgers: rows that are added and never changed

    def calibrations(self, datastream_id: int) -> list[CalibrationRow]:
        """Return the calibrations of a Datastream by date."""
        return self.ledger.calibrations(datastream_id)

    def calibrations_in_force(self, datastream_id: int) -> list[CalibrationRow]:
        """Return those calibrations by date that no correction of a calibration record took back."""
        dropped = self.calibration_records.dropped(datastream_id)
        return [row for row in self.ledger.calibrations(datastream_id) if row.id not in dropped]

    def add_calibration(self, datastream_id: int, valid_from: int, document: Mapping[str, Any]) -> CalibrationRow:
        """Add a calibration valid from a time (µs UTC) on and return it with its id."""
        self.datastream(datastream_id)
        return self.ledger.add_calibration(datastream_id, valid_from, document)

    def profile_version(self, name: str, version: str | int, document: Mapping[str, Any]) -> int:
        """Return the row id of a QC profile exactly as it is written; the same content has the same id."""
        return self.ledger.profile_version(name, str(version), document)

    def profile_versions(self) -> list[ProfileVersionRow]:
        """Return every profile version that ever judged."""
        return self.ledger.profile_versions()

    def profile_version_row(self, number: int) -> ProfileVersionRow:
        """Return the profile version of an id, or raise NotFound."""
        return self.ledger.profile_version_row(number)

    def provenance(
        self,
        calibration_id: int | None,
        profile_version_id: int | None,
        source: str,
        code_version: str,
        review: int | None = None,
        steps: str | None = None,
        definition: int | None = None,
    ) -> int:
        """Return the row id of a way in which rows were made; the same way has the same id."""
        key = (calibration_id, profile_version_id, source, code_version, review, steps, definition)
        return self.ledger.provenance(*key)

    def reviewed(self, provenance: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which rows a manual review made, by their provenance."""
        return self.ledger.reviewed(provenance)

    def corrected(self, provenance: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which rows a review corrected, so that they are not what was measured; an uplink leaves them out."""
        mask = self.reviewed(provenance)
        for number in np.unique(provenance[mask]):
            steps = (self.provenance_row(int(number)).steps or "").split(",")
            if not any(self.reviews.step(int(step)).action in VALUE_ACTIONS for step in steps if step):
                mask[provenance == number] = False
        return mask

    def provenance_row(self, number: int) -> ProvenanceRow:
        """Return the provenance of an id, or raise NotFound."""
        return self.ledger.provenance_row(number)

    def add_event(
        self, thing: int | None, datastream: int | None, time: int, kind: str, detail: Mapping[str, Any] | None = None
    ) -> Event:
        """Note what happened to a Thing or a Datastream at `time` (µs UTC)."""
        return self.ledger.add_event(thing, datastream, time, kind, detail or {})

    def events(
        self, thing: int | None = None, start: int | None = None, end: int | None = None, limit: int | None = None
    ) -> list[Event]:
        """Return events, newest first; start inclusive, end exclusive, µs UTC."""
        return self.ledger.events(thing, start, end, limit)

    def add_audit(self, time: int, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Note who changed what."""
        self.ledger.add_audit(time, actor, action, subject, detail)

    def reading(self, doing: str) -> AbstractContextManager[Connection]:
        """Return a connection to read with; an error of the database leaves as StoreError."""
        return self._connect(doing)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def _connect(self, doing: str) -> _Guarded:
        return _Guarded(self.engine, doing, write=False)

    def _begin(self, doing: str) -> _Guarded:
        return _Guarded(self.engine, doing, write=True)


@dataclass
class _Guarded:
    """A connection whose database errors leave as StoreError."""

    engine: Engine
    doing: str
    write: bool

    def __enter__(self) -> Any:  # noqa: ANN401 -- a SQLAlchemy connection
        try:
            self._context = self.engine.begin() if self.write else self.engine.connect()
            return self._context.__enter__()
        except SQLAlchemyError as error:
            raise refusal(error, self.doing) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:  # noqa: ANN401
        try:
            self._context.__exit__(kind, error, trace)
        except SQLAlchemyError as failed:
            raise refusal(failed, self.doing) from failed
        if isinstance(error, SQLAlchemyError):
            raise refusal(error, self.doing) from error
