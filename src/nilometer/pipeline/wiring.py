"""Wiring: which channel of which source is which Datastream, made known to the catalog once and found again after.

Called from the pump's thread, so that the catalog has one writer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import structlog
from numpy.typing import NDArray
from pydantic import BaseModel

from nilometer import units
from nilometer.acquisition.driver import Channel, DriverInfo, RawBatch
from nilometer.acquisition.instrument import instruments
from nilometer.calibration.certificate import Calibration
from nilometer.config import ChannelConfig, Config, DatastreamConfig, SourceConfig, ThingConfig
from nilometer.errors import ConfigError, UnitError
from nilometer.model import Datastream, Location, ObservationBatch, ObservedProperty, Origin, SampleKind, Sensor, Thing
from nilometer.model.properties import VocabularyTerm, vocabulary
from nilometer.qc.profile import profiles
from nilometer.store import Store

__all__ = ["SourceWiring", "Wiring", "default_profile"]

MOST_CHANNELS = 2000
"""Datastreams that one source may bring into being: a hostile station must not fill the catalog."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SourceWiring:
    """One source's channels: `datastream` by channel key; -1 for a channel that is not taken."""

    config: SourceConfig
    info: DriverInfo
    options: BaseModel
    sensor: Sensor
    datastream: dict[str, int] = field(default_factory=dict)


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
    """

    def __init__(self, store: Store, config: Config, now: int) -> None:
        self._catalog = store.catalog
        self._things = {thing.key: thing for thing in self._catalog.things()}
        self._known: dict[tuple[str, str], Datastream] = {}
        self._by_key: dict[str, Datastream] = {}
        for datastream in self._catalog.datastreams():
            self._remember(datastream)
        self.configure(config.things, config.datastreams, now)

    def configure(
        self, things: Iterable[ThingConfig], datastreams: Iterable[DatastreamConfig], now: int
    ) -> list[Datastream]:
        """Make Things and Datastreams, or bring known ones up to date; return the Datastreams.

        Raises
        ------
        ConfigError
            If a Datastream names no known Thing, or a unit that does not fit.
        """
        for thing in things:
            self._things[thing.key] = self._make_thing(thing, now)
        return [self._make_configured(one, f"datastream[{index}]") for index, one in enumerate(datastreams)]

    def source(self, config: SourceConfig, info: DriverInfo, options: BaseModel) -> SourceWiring:
        """Return the wiring of a source, with its Sensor in the catalog."""
        return SourceWiring(config, info, options, self._make_sensor(config, info, options))

    def batch(self, wiring: SourceWiring, raw: RawBatch) -> tuple[ObservationBatch, list[Datastream]]:
        """Return raw rows as rows of Datastreams, and the Datastreams that came into being with them.

        Rows of channels that are not taken are left out; check samples get the Feature of their sample.
        """
        made: list[Datastream] = []
        lookup = np.empty(len(raw.channels), np.int32)
        for index, channel in enumerate(raw.channels):
            known = wiring.datastream.get(channel.key)
            if known is None:
                datastream, is_new = self._resolve(wiring, channel)
                known = datastream.id if datastream is not None else -1
                wiring.datastream[channel.key] = known
                if datastream is not None and is_new:
                    made.append(datastream)
            lookup[index] = known
        datastream_ids = lookup[raw.channel] if len(raw) else np.empty(0, np.int32)
        batch = ObservationBatch(
            datastream=datastream_ids,
            phenomenon_time=raw.phenomenon_time,
            raw_result=raw.raw_result,
            duration=raw.duration,
            result_time=raw.result_time,
            censored=raw.censored,
            mark=_text(raw.mark),
            extra=_text(raw.extra),
            depth=raw.depth,
            latitude=raw.latitude,
            longitude=raw.longitude,
            feature=self._features(datastream_ids, raw.sample),
        )
        taken = datastream_ids >= 0
        return (batch if taken.all() else batch.take(taken)), made

    def _features(self, datastreams: NDArray[np.int32], sample: NDArray[np.int8] | None) -> NDArray[np.int32] | None:
        if sample is None or not sample.any():
            return None
        features = np.zeros(len(datastreams), np.int32)
        for row in np.flatnonzero((sample != 0) & (datastreams >= 0)):
            features[row] = self._catalog.sample_feature(int(datastreams[row]), SampleKind(int(sample[row])))
        return features

    def _resolve(self, wiring: SourceWiring, channel: Channel) -> tuple[Datastream | None, bool]:
        config = wiring.config
        wanted = config.channels.get(channel.key)
        if (wanted is None and not config.discover) or (wanted is not None and wanted.ignore):
            return None, False
        known = self._known.get((config.name, channel.key))
        if known is not None:
            return known, False
        if len(wiring.datastream) >= MOST_CHANNELS:
            _log.warning("too many channels; not taken", source=config.name, channel=channel.key, most=MOST_CHANNELS)
            return None, False
        datastream = self._catalog.add_datastream(self._describe(wiring, channel, wanted or ChannelConfig()))
        self._remember(datastream)
        if wanted is not None:
            self._calibrate(datastream, wanted.calibrations)
        return datastream, True

    def _describe(self, wiring: SourceWiring, channel: Channel, wanted: ChannelConfig) -> Datastream:
        config = wiring.config
        thing = self._thing_of(config, channel.key)
        property_key = wanted.property or channel.observed_property or _slug(channel.key)
        term = vocabulary().get(property_key)
        raw_unit = units.canonical(wanted.raw_unit or channel.unit or (term.unit if term is not None else "1"))
        unit = _unit_of(term, raw_unit, wanted.unit)
        key = wanted.datastream or f"{thing.key}/{property_key}"
        if key in self._by_key:
            key = f"{thing.key}/{property_key}.{_slug(channel.key)}"
        if key in self._by_key:
            key = f"{key}.{config.name}"
        profile = (
            wanted.profile if wanted.profile is not None else default_profile(thing, property_key, config.profiles)
        )
        scheme = wiring.info.mark_scheme(wiring.options) if wiring.info.mark_scheme is not None else None
        name = wanted.name or (term.name_en if term is not None else channel.name or property_key)
        return Datastream(
            key=key,
            name=name,
            description=f"{name} of {thing.name} by {wiring.sensor.name}",
            thing=thing.id,
            sensor=wiring.sensor.id,
            observed_property=self._make_property(property_key, term),
            unit=unit,
            unit_name=unit,
            unit_symbol=units.symbol(unit),
            unit_definition=f"ucum:{units.ucum(unit)}",
            origin=config.origin,
            profile=profile or None,
            mark_scheme=scheme,
            clock_resolution_us=wiring.info.clock_resolution_us,
            properties={
                "nilometer": {
                    "source": config.name,
                    "channel": channel.key,
                    "raw_unit": raw_unit,
                    "property": property_key,
                }
            },
        )

    def _calibrate(self, datastream: Datastream, documents: Iterable[dict[str, Any]]) -> None:
        for document in documents:
            calibration = Calibration.from_document(document)
            self._catalog.add_calibration(datastream.id, calibration.valid_from, calibration.to_document())

    def _thing_of(self, config: SourceConfig, channel_key: str) -> Thing:
        device = channel_key.split("/", 1)[0] if "/" in channel_key else ""
        return self._things[config.things.get(device, config.thing)]

    def _remember(self, datastream: Datastream) -> None:
        self._by_key[datastream.key] = datastream
        ours = datastream.properties.get("nilometer", {})
        if "source" in ours:
            self._known[ours["source"], ours["channel"]] = datastream

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

    def _make_configured(self, configured: DatastreamConfig, at: str) -> Datastream:
        if configured.thing not in self._things:
            raise ConfigError(f"{at}.thing", seen=configured.thing, allowed=self._things, reason="no such thing")
        thing = self._things[configured.thing]
        term = vocabulary().get(configured.property)
        try:
            default = term.unit if term is not None else "1"
            raw_unit = units.canonical(configured.raw_unit or configured.unit or default)
            unit = _unit_of(term, raw_unit, configured.unit)
            units.affine(raw_unit, unit)
        except UnitError as error:
            raise ConfigError(f"{at}.unit", seen=configured.unit, reason=str(error)) from error
        known = self._by_key.get(configured.key)
        profile = configured.profile
        if profile is None:
            profile = default_profile(thing, configured.property, None)
        name = configured.name or (term.name_en if term is not None else configured.property)
        sensor = self._catalog.sensor_by_key("external") or self._catalog.add_sensor(
            Sensor(key="external", name="External source", description="Values that arrive over HTTP or from files")
        )
        described = Datastream(
            id=known.id if known is not None else 0,
            key=configured.key,
            name=name,
            description=f"{name} of {thing.name}",
            thing=thing.id,
            sensor=known.sensor if known is not None else sensor.id,
            observed_property=self._make_property(configured.property, term),
            unit=unit,
            unit_name=unit,
            unit_symbol=units.symbol(unit),
            unit_definition=f"ucum:{units.ucum(unit)}",
            origin=Origin(configured.origin),
            profile=profile or None,
            mark_scheme=configured.mark_scheme,
            identity=configured.identity,
            properties={"nilometer": {"raw_unit": raw_unit, "property": configured.property}},
        )
        if known is None:
            described = self._catalog.add_datastream(described)
            self._calibrate(described, configured.calibrations)
        elif known != described:
            described = replace(described, properties=known.properties | described.properties)
            self._catalog.update_datastream(described)
        self._remember(described)
        return described

    def _make_property(self, key: str, term: VocabularyTerm | None) -> int:
        known = self._catalog.observed_property_by_key(key)
        if known is not None:
            return known.id
        if term is None:
            made = ObservedProperty(key=key, name=key, definition=f"urn:nilometer:property:{key}")
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
        known = self._catalog.sensor_by_key(config.name)
        if known is not None:
            return known
        model = getattr(options, "instrument", None)
        about: dict[str, Any] = {"driver": info.name, **config.sensor}
        name = config.sensor.get("name") or config.name
        if isinstance(model, str) and model in instruments().items:
            instrument = instruments()[model]
            about |= {"instrument": model, "maker": instrument.maker, "model": ", ".join(instrument.models)}
            name = config.sensor.get("name") or instrument.title
        sensor = Sensor(key=config.name, name=name, description=info.title, metadata=info.manual, properties=about)
        return self._catalog.add_sensor(sensor)


def default_profile(thing: Thing, property_key: str, folder: str | None) -> str | None:
    """Return the shipped QC profile for a property in the water of a Thing, or None when there is none."""
    found = profiles().items
    for place in (folder, str(thing.water_body), "river"):
        name = f"{place}/{property_key}"
        if place and name in found:
            return name
    return None


def _unit_of(term: VocabularyTerm | None, raw_unit: str, wanted: str | None) -> str:
    if wanted is not None:
        return units.canonical(wanted)
    if term is not None and units.same_dimension(raw_unit, term.unit):
        return term.unit
    return raw_unit


def _slug(text: str) -> str:
    slug = re.sub(r"\W+", "_", text).strip("_").lower()
    return slug if slug[:1].isalpha() else f"x{slug}"


def _text(values: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return None if values is None else pa.array(values, pa.string())
