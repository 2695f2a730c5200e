"""Wiring: the Things, Sensors and Datastreams of the configuration, made known to the catalog and kept up to date.

Called from the pump's thread, so that the catalog has one writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from nilometer import units
from nilometer.acquisition.driver import DriverInfo
from nilometer.acquisition.instrument import instruments
from nilometer.calibration.certificate import ALWAYS, Calibration
from nilometer.config import Config, DatastreamConfig, SourceConfig, ThingConfig
from nilometer.errors import ConfigError
from nilometer.model import Datastream, Location, ObservedProperty, Origin, Sensor, Thing
from nilometer.model.properties import VocabularyTerm, own_definition, vocabulary
from nilometer.pipeline.checking import check_datastream
from nilometer.pipeline.choosing import chosen, default_profile
from nilometer.pipeline.log import Log
from nilometer.qc.shelf import Shelf
from nilometer.store import Store

__all__ = ["Wiring", "unit_of"]

EXTERNAL = Sensor(key="external", name="External source", description="Values that arrive over HTTP or from files")
DERIVED = Sensor(key="derived", name="Derivation", description="Values that are computed from other Datastreams")
_log = Log(__name__)


class Wiring:
    """The catalog side of configuration.

    Parameters
    ----------
    store : Store
        Where entities are kept.
    config : Config
        What was configured.
    now : int
        µs since 1970 UTC, for the Locations' history.
    shelf : Shelf, optional
        The profiles there are; None: the installed ones.
    """

    def __init__(self, store: Store, config: Config, now: int, shelf: Shelf | None = None) -> None:
        self._store, self._catalog = store, store.catalog
        self.shelf = Shelf() if shelf is None else shelf
        self._things = {thing.key: thing for thing in self._catalog.things()}
        self.configure(config.things, config.datastreams, now)

    def configure(
        self, things: Iterable[ThingConfig], datastreams: Iterable[DatastreamConfig], now: int
    ) -> list[Datastream]:
        """Make Things and Datastreams, or bring known ones up to date; return the Datastreams.

        Raises
        ------
        ConfigError
            If one of the Datastreams cannot be as it is described; then nothing was made.
        """
        things, datastreams = list(things), list(datastreams)
        named = self._things.keys() | {thing.key for thing in things}
        for index, one in enumerate(datastreams):
            if one.thing not in named:
                raise ConfigError(f"datastream[{index}].thing", seen=one.thing, allowed=named, reason="no such thing")
            check_datastream(one, f"datastream[{index}]", shelf=self.shelf)
            self._check_same(one, f"datastream[{index}]")
        for thing in things:
            self._things[thing.key] = self._make_thing(thing, now)
        return [self._make_configured(one) for one in datastreams]

    def thing(self, key: str) -> Thing:
        """Return a Thing that was configured, or that the catalog has."""
        return self._things[key]

    def know(self, changed: Iterable[Thing], gone: Iterable[Thing]) -> None:
        """Take Things that were made, changed or deleted elsewhere."""
        for thing in gone:
            self._things.pop(thing.key, None)
        for thing in changed:
            self._things[thing.key] = thing

    def sensor(self, config: SourceConfig, info: DriverInfo, options: BaseModel) -> Sensor:
        """Return the Sensor of a source; made when there is none."""
        known = self._catalog.sensor_by_key(config.name)
        return known if known is not None else self._make_sensor(config, info, options)

    def calibrate(self, datastream: Datastream, documents: Iterable[dict[str, Any]]) -> int:
        """Add those calibrations that a Datastream does not have yet; return how many."""
        known = [row.document for row in self._catalog.calibrations(datastream.id)] if documents else []
        added = 0
        for document in documents:
            calibration = Calibration.from_document(document)
            if calibration.to_document() not in known:
                self._catalog.add_calibration(datastream.id, calibration.valid_from, calibration.to_document())
                self._tell_of_stored(datastream, calibration)
                added += 1
        return added

    def _tell_of_stored(self, datastream: Datastream, calibration: Calibration) -> None:
        """Say it where rows are stored that another calibration made: history does not change by itself."""
        since = None if calibration.valid_from == ALWAYS else calibration.valid_from
        stored = self._store.snapshot().count([datastream.id], since, water_only=False)
        if stored:
            when = "" if since is None else f" --start {np.datetime64(since, 'us')}Z"
            advice = f"nilometer reprocess {datastream.key} --data …{when}"
            _log.warning("stored rows keep what they were made with", rows=stored, next=advice)

    def _make_thing(self, configured: ThingConfig, now: int) -> Thing:
        properties = dict(configured.properties)
        if configured.names:
            properties["names"] = configured.names
        known = self._catalog.thing_by_key(configured.key)
        thing = Thing(
            id=known.id if known is not None else 0,
            key=configured.key,
            name=configured.name,
            description=configured.description or configured.name,
            water_body=configured.water_body,
            target_class=configured.target_class,
            time_zone=configured.time_zone,
            properties=properties,
        )
        if known is None:
            thing = self._catalog.add_thing(thing)
        elif known != thing:
            self._catalog.update_thing(thing)
        if configured.location is not None:
            self._place(thing, list(configured.location), now)
        return thing

    def _place(self, thing: Thing, coordinates: list[float], now: int) -> None:
        point = {"type": "Point", "coordinates": coordinates}
        if any(location.location == point for location in self._catalog.locations_of(thing.id)):
            return
        place = Location(name=thing.name, description=f"Where {thing.name} stands", location=point)
        self._catalog.place(thing.id, [self._catalog.add_location(place).id], now)

    def _check_same(self, configured: DatastreamConfig, at: str) -> None:
        """Refuse another property or unit for a Datastream that has rows: what is stored would be read as such."""
        known = self._catalog.datastream_by_key(configured.key)
        if known is None or self._store.snapshot().extent(known.id) is None:
            return
        is_now = {"property": _ours(known, "property"), "unit": known.unit, "raw_unit": _ours(known, "raw_unit")}
        for name, value in _units_of(configured, known).items():
            if is_now[name] and value != is_now[name]:
                reason = f"{known.key} has rows in {is_now[name]}; give the new Datastream another key"
                raise ConfigError(f"{at}.{name}", seen=value, allowed=is_now[name], reason=reason)

    def _make_configured(self, configured: DatastreamConfig) -> Datastream:
        known = self._catalog.datastream_by_key(configured.key)
        thing = self._things[configured.thing]
        term = vocabulary().get(configured.property)
        if known is not None:
            described = self._changed(known, configured, term)
            if described != known:
                self._catalog.update_datastream(described)
        else:
            described = self._catalog.add_datastream(self._described(configured, thing, term))
        self.calibrate(described, configured.calibrations)
        return described

    def _described(self, configured: DatastreamConfig, thing: Thing, term: VocabularyTerm | None) -> Datastream:
        raw_unit = units.canonical(configured.raw_unit or configured.unit or (term.unit if term is not None else "1"))
        unit = unit_of(term, raw_unit, configured.unit)
        profile = default_profile(
            self.shelf,
            datastream=configured.key,
            thing=thing.key,
            water_body=thing.water_body,
            property_key=configured.property,
            folder=None,
        )
        name = configured.name or (term.name_en if term is not None else configured.property)
        is_derived = configured.origin is Origin.DERIVED
        source = DERIVED if is_derived else EXTERNAL
        sensor = self._catalog.sensor_by_key(source.key) or self._catalog.add_sensor(source)
        made = Datastream(
            key=configured.key,
            name=name,
            description=f"{name} of {thing.name}",
            thing=thing.id,
            sensor=sensor.id,
            observed_property=self.make_property(configured.property, term),
            **_unit_fields(unit),
            origin=Origin(configured.origin),
            profile=profile,
            mark_scheme=configured.mark_scheme,
            identity=configured.identity,
            # A derived row has the time of the row it was computed from, to the µs.
            clock_resolution_us=1 if is_derived else 1000,
            properties={"nilometer": {"raw_unit": raw_unit, "property": configured.property}},
        )
        return chosen(made, configured, thing.key, self.shelf)

    def _changed(self, known: Datastream, configured: DatastreamConfig, term: VocabularyTerm | None) -> Datastream:
        """Return a known Datastream with what the configuration says of it; of the rest it keeps what it has."""
        said = configured.model_fields_set
        changes: dict[str, Any] = {
            name: getattr(configured, name)
            for name in ("name", "origin", "mark_scheme", "identity")
            if name in said and getattr(configured, name) is not None
        }
        now = _units_of(configured, known)
        ours = {**known.properties.get("nilometer", {})}
        ours |= {name: now[name] for name in ("property", "raw_unit") if name in now}
        changes["properties"] = {**known.properties, "nilometer": ours}
        changes["observed_property"] = self.make_property(configured.property, term)
        today = replace(known, **_unit_fields(now.get("unit", known.unit)), **changes)
        return chosen(today, configured, configured.thing, self.shelf)

    def make_property(self, key: str, term: VocabularyTerm | None) -> int:
        """Return the id of an observed property; made when there is none."""
        known = self._catalog.observed_property_by_key(key)
        if known is not None:
            return known.id
        if term is None:
            made = ObservedProperty(key=key, name=key, definition=own_definition(key))
        else:
            made = ObservedProperty(
                key=key,
                name=term.name_en,
                definition=term.definition,
                description=term.basis or term.name_en,
                properties={"name_zh": term.name_zh, "decimals": term.decimals, "unit": term.unit},
            )
        return self._catalog.add_observed_property(made).id

    def _make_sensor(self, config: SourceConfig, info: DriverInfo, options: BaseModel) -> Sensor:
        model = getattr(options, "instrument", None)
        about: dict[str, Any] = {"driver": info.name, **config.sensor}
        name = config.sensor.get("name") or config.name
        if isinstance(model, str) and model in instruments().items:
            instrument = instruments()[model]
            about |= {"instrument": model, "maker": instrument.maker, "model": ", ".join(instrument.models)}
            name = config.sensor.get("name") or instrument.title
        sensor = Sensor(key=config.name, name=name, description=info.title, metadata=info.manual, properties=about)
        return self._catalog.add_sensor(sensor)


def unit_of(term: VocabularyTerm | None, raw_unit: str, wanted: str | None) -> str:
    """Return the unit of results: the one that is wanted, else the vocabulary's where it fits, else the raw one."""
    if wanted is not None:
        return units.canonical(wanted)
    if term is not None and units.same_dimension(raw_unit, term.unit):
        return term.unit
    return raw_unit


def _unit_fields(unit: str) -> dict[str, Any]:
    symbol, definition = units.symbol(unit), f"ucum:{units.ucum(unit)}"
    return {"unit": unit, "unit_name": unit, "unit_symbol": symbol, "unit_definition": definition}


def _units_of(configured: DatastreamConfig, known: Datastream) -> dict[str, str]:
    """Return property, unit and raw unit as far as the configuration says them of a Datastream that exists."""
    said = {"property": configured.property}
    if configured.unit is not None:
        said["unit"] = units.canonical(configured.unit)
    elif configured.raw_unit is not None and not units.same_dimension(configured.raw_unit, known.unit):
        said["unit"] = units.canonical(configured.raw_unit)
    if configured.raw_unit is not None or configured.unit is not None:
        said["raw_unit"] = units.canonical(configured.raw_unit or configured.unit or "1")
    return said


def _ours(datastream: Datastream, name: str) -> str:
    return str(datastream.properties.get("nilometer", {}).get(name, ""))
