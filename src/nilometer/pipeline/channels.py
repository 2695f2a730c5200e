"""Channels: which channel of which source is which Datastream, made once, found again ever after.

A Datastream keeps the raw unit and the observed property that its channel had when it came into being. A channel that
later speaks in another unit is converted to it; one that measures something else is refused and seen in the events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

from nilometer import units
from nilometer.acquisition.current_loop import CurrentLoop, expanded
from nilometer.acquisition.driver import Channel, Clock, DriverInfo, RawBatch
from nilometer.config import ChannelConfig, SourceConfig
from nilometer.errors import UnitError
from nilometer.model import Datastream, ObservationBatch, SampleKind, Sensor, Thing
from nilometer.model.properties import vocabulary
from nilometer.pipeline.choosing import chosen, default_profile
from nilometer.pipeline.log import Log
from nilometer.pipeline.loops import LoopRoute, mark_loops
from nilometer.pipeline.wiring import Wiring, unit_of
from nilometer.store import Store

__all__ = ["Channels", "Route", "SourceWiring"]

MOST_CHANNELS = 2000
"""Routes that one source may have: a hostile station must fill neither the catalog nor the memory."""

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a channel's rows go, and what brings them to the Datastream's raw unit; Datastream -1: nowhere."""

    datastream: int
    scale: float = 1.0
    offset: float = 0.0
    loop: LoopRoute | None = None


_NOWHERE = Route(-1)


@dataclass(slots=True)
class SourceWiring:
    """One source: its configuration, its Sensor, and the routes found so far by channel key, unit and property."""

    config: SourceConfig
    info: DriverInfo
    options: BaseModel
    sensor: Sensor
    routes: dict[tuple[str, str | None, str | None], Route] = field(default_factory=dict)
    is_full: bool = False


class Channels:
    """Raw rows to rows of Datastreams.

    Parameters
    ----------
    store : Store
        Where Datastreams and events are kept.
    wiring : Wiring
        Makes what a Datastream belongs to.
    clock : callable
        The present, µs since 1970 UTC, for events.
    changed : callable
        Told of every Datastream that came into being or changed, before a row of it passes.
    """

    def __init__(self, store: Store, wiring: Wiring, clock: Clock, changed: Callable[[Datastream], None]) -> None:
        self._catalog, self._wiring, self._clock, self._changed = store.catalog, wiring, clock, changed
        self._known: dict[tuple[str, str], Datastream] = {}
        for datastream in self._catalog.datastreams():
            ours = datastream.properties.get("nilometer", {})
            if "source" in ours:
                self._known[ours["source"], ours["channel"]] = datastream

    def batch(self, wiring: SourceWiring, raw: RawBatch) -> ObservationBatch:
        """Return raw rows as rows of Datastreams.

        Rows of channels that are not taken are left out; check samples get the Feature of their sample.
        """
        routes = [self._route(wiring, channel) for channel in raw.channels]
        datastreams = np.array([route.datastream for route in routes], np.int32)[raw.channel]
        results = _in_raw_unit(routes, raw)
        loops = {place: route.loop for place, route in enumerate(routes) if route.loop is not None}
        if loops:
            raw = mark_loops(raw, results, loops)
        batch = ObservationBatch(
            datastream=datastreams,
            phenomenon_time=raw.phenomenon_time,
            raw_result=results,
            duration=raw.duration,
            result_time=raw.result_time,
            censored=raw.censored,
            mark=_text(raw.mark),
            extra=_text(raw.extra),
            depth=raw.depth,
            latitude=raw.latitude,
            longitude=raw.longitude,
            syntax=raw.syntax,
            feature=self._features(datastreams, raw.sample),
        )
        taken = datastreams >= 0
        return batch if taken.all() else batch.take(taken)

    def datastreams_of(self, source: str, beginning: str) -> dict[int, str]:
        """Return the channel key of each Datastream of a source whose key begins with a text."""
        known = list(self._known.items())
        return {one.id: key for (name, key), one in known if name == source and key.startswith(beginning)}

    def _features(self, datastreams: NDArray[np.int32], sample: NDArray[np.int8] | None) -> NDArray[np.int32] | None:
        if sample is None or not sample.any():
            return None
        features = np.zeros(len(datastreams), np.int32)
        for row in np.flatnonzero((sample != 0) & (datastreams >= 0)):
            features[row] = self._catalog.sample_feature(int(datastreams[row]), SampleKind(int(sample[row])))
        return features

    def _route(self, wiring: SourceWiring, channel: Channel) -> Route:
        place = (channel.key, channel.unit, channel.observed_property)
        route = wiring.routes.get(place)
        if route is None:
            if len(wiring.routes) >= MOST_CHANNELS:
                self._say_full(wiring, channel)
                return _NOWHERE
            route = wiring.routes[place] = self._find(wiring, channel)
        return route

    def _find(self, wiring: SourceWiring, channel: Channel) -> Route:
        config = wiring.config
        wanted = config.channels.get(channel.key)
        if (wanted is None and not config.discover) or (wanted is not None and wanted.ignore):
            return _NOWHERE
        wanted = expanded(wanted or ChannelConfig())
        if config.calibration is not None and "calibration" not in wanted.model_fields_set:
            wanted = wanted.model_copy(update={"calibration": config.calibration})
        known = self._known.get((config.name, channel.key))
        try:
            if known is None:
                made = self._catalog.add_datastream(self._describe(wiring, channel, wanted))
                known = self._known[config.name, channel.key] = made
                self._take_over(wiring, channel, made, wanted, is_new=True)
                return replace(Route(made.id), loop=_loop(made, wanted))
            self._take_over(wiring, channel, known, wanted, is_new=False)
            return replace(_to(known, wanted, channel), loop=_loop(known, wanted))
        except UnitError as error:
            self._refuse(wiring, channel, known, str(error))
            return _NOWHERE

    def _take_over(
        self, wiring: SourceWiring, channel: Channel, datastream: Datastream, wanted: ChannelConfig, *, is_new: bool
    ) -> None:
        """Bring a Datastream to what its channel's configuration says today: its profile, name and calibrations."""
        today = datastream
        today = chosen(today, wanted, self._thing_of(wiring.config, channel.key).key, self._wiring.shelf)
        if wanted.name is not None:
            today = replace(today, name=wanted.name)
        if today != datastream:
            self._catalog.update_datastream(today)
            ours = today.properties["nilometer"]
            self._known[ours["source"], ours["channel"]] = today
        added = self._wiring.calibrate(today, wanted.calibrations)
        if is_new or added or today != datastream:
            self._changed(today)

    def _refuse(self, wiring: SourceWiring, channel: Channel, known: Datastream | None, reason: str) -> None:
        source = wiring.config.name
        _log.error("the rows of a channel are not taken", source=source, channel=channel.key, reason=reason)
        thing = self._thing_of(wiring.config, channel.key).id if known is None else known.thing
        detail = {"source": source, "device": channel.key, "state": "refused", "detail": reason}
        self._catalog.add_event(thing, None if known is None else known.id, self._clock(), "source", detail)

    @staticmethod
    def _say_full(wiring: SourceWiring, channel: Channel) -> None:
        if not wiring.is_full:
            wiring.is_full = True
            _log.error(
                "too many channels; this one and all that follow are not taken",
                source=wiring.config.name,
                channel=channel.key,
                most=MOST_CHANNELS,
            )

    def _describe(self, wiring: SourceWiring, channel: Channel, wanted: ChannelConfig) -> Datastream:
        config = wiring.config
        thing = self._thing_of(config, channel.key)
        property_key = wanted.property or channel.observed_property or _slug(channel.key)
        term = vocabulary().get(property_key)
        own = term.unit if term is not None else "1"
        if wanted.loop is not None:
            own = CurrentLoop.of(wanted.loop).signal_unit
        raw_unit = units.canonical(wanted.raw_unit or channel.unit or own)
        unit = unit_of(term, raw_unit, wanted.unit)
        if wanted.loop is not None:
            units.affine(raw_unit, CurrentLoop.of(wanted.loop).signal_unit)
        if not wanted.calibrations:  # a certificate may lead from one dimension to another
            units.affine(raw_unit, unit)
        key = wanted.datastream or f"{thing.key}/{property_key}"
        if self._catalog.datastream_by_key(key) is not None:
            key = f"{thing.key}/{property_key}.{_slug(channel.key)}"
        if self._catalog.datastream_by_key(key) is not None:
            key = f"{key}.{config.name}"
        profile = default_profile(
            self._wiring.shelf,
            datastream=key,
            thing=thing.key,
            water_body=thing.water_body,
            property_key=property_key,
            folder=config.profiles,
        )
        scheme = wiring.info.mark_scheme(wiring.options) if wiring.info.mark_scheme is not None else None
        name = wanted.name or (term.name_en if term is not None else channel.name or property_key)
        return Datastream(
            key=key,
            name=name,
            description=f"{name} of {thing.name} by {wiring.sensor.name}",
            thing=thing.id,
            sensor=wiring.sensor.id,
            observed_property=self._wiring.make_property(property_key, term),
            unit=unit,
            unit_name=unit,
            unit_symbol=units.symbol(unit),
            unit_definition=f"ucum:{units.ucum(unit)}",
            origin=config.origin,
            profile=profile,
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

    def _thing_of(self, config: SourceConfig, channel_key: str) -> Thing:
        device = channel_key.split("/", 1)[0] if "/" in channel_key else ""
        return self._wiring.thing(config.things.get(device, config.thing))


def _to(known: Datastream, wanted: ChannelConfig, channel: Channel) -> Route:
    """Return the route to a Datastream that exists.

    Raises
    ------
    UnitError
        If the channel no longer measures what the Datastream holds.
    """
    ours = known.properties["nilometer"]
    now = wanted.property or channel.observed_property
    if now is not None and now != ours["property"]:
        raise UnitError(
            f"the channel is now {now}, and {known.key} holds {ours['property']}; "
            "give the source another name, and it begins Datastreams of its own"
        )
    unit = wanted.raw_unit or channel.unit
    if unit is None:
        return Route(known.id)
    try:
        return Route(known.id, *units.affine(units.canonical(unit), ours["raw_unit"]))
    except UnitError as error:
        raise UnitError(f"{known.key} holds raw results in {ours['raw_unit']}: {error}") from error


def _loop(known: Datastream, wanted: ChannelConfig) -> LoopRoute | None:
    """Return what judges the currents of a channel.

    Raises
    ------
    UnitError
        If its raw results are no currents (with a shunt: no voltages).
    """
    if wanted.loop is None:
        return None
    loop, raw_unit = CurrentLoop.of(wanted.loop), known.properties["nilometer"]["raw_unit"]
    units.affine(raw_unit, loop.signal_unit)
    return LoopRoute(loop, raw_unit, known.mark_scheme)


def _in_raw_unit(routes: list[Route], raw: RawBatch) -> NDArray[np.float64]:
    """Return the raw results in the raw units of their Datastreams; to the bit as sent where the unit is the same."""
    if all(route.scale == 1.0 and route.offset == 0.0 for route in routes):
        return raw.raw_result
    scale = np.array([route.scale for route in routes])[raw.channel]
    offset = np.array([route.offset for route in routes])[raw.channel]
    return np.where((scale == 1.0) & (offset == 0.0), raw.raw_result, raw.raw_result * scale + offset)


def _slug(text: str) -> str:
    slug = re.sub(r"\W+", "_", text).strip("_").lower()
    return slug if slug[:1].isalpha() else f"x{slug}"


def _text(values: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return None if values is None else pa.array(values, pa.string())
