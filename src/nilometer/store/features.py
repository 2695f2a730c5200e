"""What Observations speak of: the water where a Thing stands, and the samples of a Datastream, made at first use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.model import Datastream, FeatureOfInterest, Location, SampleKind, Thing
from nilometer.store import tables
from nilometer.store.entity_table import EntityTable
from nilometer.store.refusal import refusal

__all__ = ["Features"]


class Features:
    """The FeaturesOfInterest that the platform makes by itself.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    features : EntityTable
        All FeaturesOfInterest.
    thing, datastream : callable
        Return the entity of an id, or raise NotFound.
    locations : callable
        Returns where a Thing stands now.
    """

    def __init__(
        self,
        engine: Engine,
        features: EntityTable[FeatureOfInterest],
        thing: Callable[[int], Thing],
        datastream: Callable[[int], Datastream],
        locations: Callable[[int], Sequence[Location]],
    ) -> None:
        self._engine, self._features = engine, features
        self._thing, self._datastream, self._locations = thing, datastream, locations
        self._lock = threading.RLock()
        self._water: dict[int, int] = {}
        self._samples: dict[tuple[int, SampleKind], int] | None = None
        self._sample_kinds: dict[int, SampleKind] | None = None
        self._gone: dict[int, SampleKind] | None = None
        self._same: dict[int, int] | None = None

    def water(self, datastream_id: int) -> int:
        """Return the id of the water a Datastream measures, where its Thing stands now; made at first use."""
        thing_id = self._datastream(datastream_id).thing
        number = self._water.get(thing_id)
        if number is None:
            with self._lock:
                number = self._water.get(thing_id) or self._find_water(thing_id) or self._add_water(thing_id)
                self._water[thing_id] = number
        return number

    def same_water(self) -> Mapping[int, int]:
        """Return, of a Thing that was moved, which of its waters is the first; by the others' ids.

        A row that is sent again after a move is the row that was sent before it.
        """
        same = self._same
        if same is None:
            with self._lock:
                first: dict[int, int] = {}
                same = {}
                for item in self._features.all():
                    if item.thing is not None and item.sample_kind == SampleKind.WATER:
                        known = first.setdefault(item.thing, item.id)
                        if known != item.id:
                            same[item.id] = known
                self._same = same
        return MappingProxyType(same)

    def has_place(self, datastream_id: int) -> bool:
        """Say whether a FeatureOfInterest for a Datastream is there, or follows from where its Thing stands."""
        thing_id = self._datastream(datastream_id).thing
        return thing_id in self._water or self._find_water(thing_id) is not None or bool(self._locations(thing_id))

    def sample(self, datastream_id: int, kind: SampleKind) -> int:
        """Return the id of the sample or standard of this kind that a Datastream measures, made at first use."""
        if kind == SampleKind.WATER:
            return self.water(datastream_id)
        with self._lock:
            samples = self._load_samples()
            number = samples.get((datastream_id, kind))
            if number is None:
                datastream = self._datastream(datastream_id)
                feature = FeatureOfInterest(
                    name=f"{datastream.name}: {kind.name.lower()} sample", sample_kind=kind, thing=datastream.thing
                )
                number = self._features.add(feature, datastream=datastream_id).id
                samples[datastream_id, kind] = number
            return number

    def sample_kinds(self) -> Mapping[int, SampleKind]:
        """Return the kind of every FeatureOfInterest that is not water, by its id."""
        kinds = self._sample_kinds
        if kinds is None:
            everything = self._features.all()
            kinds = {item.id: item.sample_kind for item in everything if item.sample_kind != SampleKind.WATER}
            kinds |= self._deleted_kinds()
            self._sample_kinds = kinds
        return MappingProxyType(kinds)

    def changed(self) -> None:
        """Look anew: a FeatureOfInterest was added, changed or deleted."""
        self._sample_kinds = self._same = None

    def forget(self) -> None:
        """Look everything up anew: Things were moved, or FeaturesOfInterest deleted."""
        with self._lock:
            self._water, self._samples, self._gone = {}, None, None
            self.changed()

    def give_place(self, thing_id: int) -> None:
        """Give a water that was made before its Thing was placed its geometry; one that has keeps it."""
        with self._lock:
            self._water.pop(thing_id, None)
            places = self._locations(thing_id)
            for water in self._waters(thing_id):
                if water.feature is None and places and places[0].location is not None:
                    place = places[0]
                    self._features.update(replace(water, encoding_type=place.encoding_type, feature=place.location))
                    return

    def _waters(self, thing_id: int) -> list[FeatureOfInterest]:
        everything = self._features.all()
        return [item for item in everything if item.thing == thing_id and item.sample_kind == SampleKind.WATER]

    def _find_water(self, thing_id: int) -> int | None:
        """Return the newest water of where a Thing stands; of one that stands nowhere the newest of all."""
        places = self._locations(thing_id)
        for feature in reversed(self._waters(thing_id)):
            if not places or feature.feature == places[0].location:
                return feature.id
        return None

    def _add_water(self, thing_id: int) -> int:
        places = self._locations(thing_id)
        place = places[0] if places else Location(name=self._thing(thing_id).name)
        feature = FeatureOfInterest(
            name=place.name,
            description=place.description,
            encoding_type=place.encoding_type,
            feature=place.location,
            thing=thing_id,
        )
        return self._features.add(feature).id

    def _load_samples(self) -> dict[tuple[int, SampleKind], int]:
        if self._samples is None:
            table = tables.features_of_interest
            statement = select(table.c.datastream, table.c.sample_kind, table.c.id).where(
                table.c.datastream.is_not(None), table.c.deleted.is_(None)
            )
            self._samples = {(row[0], SampleKind(row[1])): row[2] for row in self._read(statement)}
        return self._samples

    def _deleted_kinds(self) -> dict[int, SampleKind]:
        """Return the kinds of samples that were deleted: their rows are no water as of an earlier moment either."""
        if self._gone is None:
            table = tables.features_of_interest
            statement = select(table.c.id, table.c.sample_kind).where(
                table.c.deleted.is_not(None), table.c.sample_kind != SampleKind.WATER.value
            )
            self._gone = {row[0]: SampleKind(row[1]) for row in self._read(statement)}
        return self._gone

    def _read(self, statement: object) -> list[tuple[int, ...]]:
        try:
            with self._engine.connect() as connection:
                return [tuple(row) for row in connection.execute(statement)]  # type: ignore[call-overload]
        except SQLAlchemyError as error:
            raise refusal(error, "read FeaturesOfInterest") from error
