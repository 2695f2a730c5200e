"""The modelled Things at work: configuration, simulators on loopback sockets, and the two weeks before the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nilometer import units
from nilometer.acquisition.driver import Channel, Clock, RawBatch
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.simulator import Simulator
from nilometer.demo.things import BUOY, DISCHARGE, RIVER, THINGS, DemoThing, feed_of
from nilometer.model.batch import NO_TIME
from nilometer.pipeline import Pipeline

__all__ = ["DERIVED", "fill_past", "simulator_of", "source_of", "thing_of"]

PAST_US = 14 * 86_400 * 1_000_000
MINUTE_US = 60_000_000
FASTEST_POLL_S = 0.05

_CHANNELS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    BUOY.key: {
        "depth_below_transducer": ("DPT.depth_below_transducer", "m"),
        "water_temperature": ("MTW.water_temperature", "degree_Celsius"),
        "salinity": ("XDR.L.salinity", "1"),
        "flow_velocity": ("VDR.current_drift", "knot"),
        "current_direction": ("VDR.current_set_true", "degree"),
        "significant_wave_height": ("XDR.D.significant_wave_height", "m"),
        "wind_speed": ("MWD.wind_speed", "knot"),
        "wind_direction": ("MWD.wind_direction_true", "degree"),
        "air_temperature": ("MTA.air_temperature", "degree_Celsius"),
        "air_pressure": ("MMB.air_pressure", "bar"),
    },
    DISCHARGE.key: {
        "flow_rate": ("w00000-Rtd", "L s-1"),
        "ph": ("w01001-Rtd", "1"),
        "water_temperature": ("w01010-Rtd", "degree_Celsius"),
        "codcr": ("w01018-Rtd", "mg L-1"),
        "nh3_n": ("w21003-Rtd", "mg L-1"),
        "total_phosphorus": ("w21011-Rtd", "mg L-1"),
        "total_nitrogen": ("w21001-Rtd", "mg L-1"),
    },
}
"""Channel and unit on the wire by property, where they are not those of the vocabulary: what the drivers deliver."""


_UNCERTAINTY: Mapping[str, Mapping[str, float]] = {
    RIVER.key: {
        "water_temperature": 0.05,
        "ph": 0.05,
        "dissolved_oxygen": 0.1,
        "conductivity_25": 3.0,
        "turbidity_ntu": 0.5,
        "codmn": 0.15,
        "nh3_n": 0.02,
        "total_phosphorus": 0.004,
        "total_nitrogen": 0.06,
    },
    BUOY.key: {"water_temperature": 0.01, "salinity": 0.02, "depth_below_transducer": 0.05},
    DISCHARGE.key: {"ph": 0.05, "water_temperature": 0.1, "codcr": 1.0, "nh3_n": 0.03, "total_phosphorus": 0.006},
}
"""Standard uncertainty (k = 1) that the virtual certificates state, in the unit of the Datastream."""

_SATURATION: Mapping[str, Any] = {
    "key": f"{RIVER.key}/oxygen_saturation",
    "thing": RIVER.key,
    "property": "oxygen_saturation",
    "function": "oxygen.saturation",
    "inputs": {
        "dissolved_oxygen": f"{RIVER.key}/dissolved_oxygen",
        "temperature": {"datastream": f"{RIVER.key}/water_temperature", "tolerance": "90 s"},
        "salinity": {"value": 0.2, "uncertainty": 0.05},
    },
}

DERIVED: Sequence[Mapping[str, Any]] = (_SATURATION,)
"""What the demo computes from what its instruments measure, as ``nilometer.toml`` would have it."""


def thing_of(thing: DemoThing) -> dict[str, Any]:
    """Return a Thing as ``nilometer.toml`` would have it."""
    return {
        "key": thing.key,
        "name": thing.names["en"],
        "names": dict(thing.names),
        "description": thing.descriptions["en"],
        "water_body": thing.water_body,
        "target_class": thing.target_class,
        "time_zone": thing.time_zone,
        "location": thing.location,
    }


def simulator_of(thing: DemoThing, clock: Clock) -> Simulator:
    """Return the virtual instrument that stands in a Thing's water."""
    feed = feed_of(thing)
    found = simulators()
    made: Simulator
    link: dict[str, Any]
    if thing is RIVER:
        made = found["modbus"].make(thing.instrument, feed, clock)
    elif thing is BUOY:
        longitude, latitude = thing.location
        link = {"interval_s": thing.interval_s, "latitude": latitude, "longitude": longitude}
        made = found["nmea0183"].make(None, feed, clock, **link)
    else:
        link = {"device": thing.device, "interval_s": thing.interval_s, "time_zone": thing.time_zone}
        made = found["hj212"].make(None, feed, clock, **link)
    return made


def source_of(thing: DemoThing, reached: Mapping[str, Any], speed: float) -> dict[str, Any]:
    """Return a Thing's source as ``nilometer.toml`` would have it; `reached` is where its simulator is found.

    Its instruments come with virtual certificates: readings are taken as they are, with a stated uncertainty.
    """
    options = dict(reached)
    patience_s = max(10.0, 5 * thing.interval_s / speed)
    if thing is RIVER:
        options |= {"poll_interval_s": max(thing.interval_s / speed, FASTEST_POLL_S)}
    elif thing is BUOY:
        options |= {"silent_after_s": patience_s}
    else:
        options |= {"stations": [thing.device], "silent_after_s": patience_s}
    return {
        "name": f"{thing.key}.{thing.protocol}",
        "driver": thing.protocol,
        "thing": thing.key,
        "origin": "simulated",
        "options": options,
        "channels": {
            _CHANNELS.get(thing.key, {}).get(key, (key, ""))[0]: {
                "calibrations": [{"kind": "identity", "residual_uncertainty": u, "certificate": f"virtual {key}"}]
            }
            for key, u in _UNCERTAINTY[thing.key].items()
        }
        | ({"RMC.speed_over_ground": {"ignore": True}} if thing is BUOY else {}),
    }


async def fill_past(pipeline: Pipeline, end: int) -> int:
    """Deliver the two weeks before `end`, as if the instruments had kept them; return how many rows were new."""
    rows = 0
    for thing in THINGS:
        for batch in _past(thing, end - PAST_US, end):
            rows += (await pipeline.deliver(f"{thing.key}.{thing.protocol}", batch)).accepted
    return rows


def _past(thing: DemoThing, start: int, end: int) -> Iterator[RawBatch]:
    channels = _CHANNELS.get(thing.key, {})
    unit_of = thing.units()
    for key, past in feed_of(thing).history(start, end, MINUTE_US).items():
        name, unit = channels.get(key, (key, unit_of[key]))
        marks = None if all(mark is None for mark in past.marks) else list(past.marks)
        yield RawBatch(
            channels=[Channel(key=name, observed_property=key, unit=unit)],
            channel=np.zeros(len(past), np.int32),
            phenomenon_time=past.phenomenon_time,
            raw_result=units.convert(past.values, unit_of[key], unit),
            duration=past.duration,
            result_time=np.full(len(past), NO_TIME) if past.result_time is None else past.result_time,
            sample=past.sample,
            mark=marks,
        )
