"""Which channel a reading of an NMEA 0183 sentence belongs to, and what it measures.

A channel's key is ``MTW.water_temperature``: sentence and parameter, the talker in front where asked for, and the kind
between where a sentence tells several apart (``MWV.R.wind_speed``, ``PNORC.cell3.current_speed``, ``XDR.C.WTHI``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from nilometer.acquisition.driver import Channel
from nilometer.acquisition.protocols.nmea0183_line import Sentence
from nilometer.acquisition.protocols.nmea0183_quantity import Reading
from nilometer.acquisition.rows import ChannelTable
from nilometer.errors import UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, convert

__all__ = ["PROPERTIES", "Transducer", "channel_index", "is_measurement", "value_in_channel"]

PROPERTIES: Mapping[str, str] = {
    "water_temperature": "water_temperature",
    "depth_below_transducer": "depth_below_transducer",
    "depth_below_surface": "water_depth",
    "depth_below_keel": "depth_below_keel",
    "speed_through_water": "speed_through_water",
    "heading_true": "heading",
    "heading_magnetic": "heading_magnetic",
    "speed_over_ground": "speed_over_ground",
    "course_over_ground": "course_over_ground",
    "current_drift": "flow_velocity",
    "current_set_true": "current_direction",
    "current_speed": "flow_velocity",
    "current_direction": "current_direction",
    "air_temperature": "air_temperature",
    "air_pressure": "air_pressure",
    "relative_humidity": "relative_humidity",
    "dew_point": "dew_point",
    "wind_direction_true": "wind_direction",
    "wind_speed": "wind_speed",
    "battery_voltage": "battery_voltage",
    "sound_speed": "sound_speed",
    "water_pressure": "water_pressure",
    "wave_height": "significant_wave_height",
    "wave_height_max": "maximum_wave_height",
    "wave_period_peak": "wave_peak_period",
    "wave_period_mean": "wave_mean_period",
    "wave_direction_mean": "wave_direction",
}
"""Observed property of each parameter that has one, whatever sentence brings it."""

# A relative wind is the platform's, and its angle counts from the bow; so does that of the "true" wind of MWV.
_WINDS = {
    ("R", "wind_speed"): "apparent_wind_speed",
    ("R", "wind_angle"): "apparent_wind_angle",
    ("T", "wind_speed"): "wind_speed",
}
# What is said of the receiver, the clock or the mounting is no observation.
_NOT_MEASURED = frozenset(
    {"transducer_offset", "max_range_scale", "local_zone_hours", "local_zone_minutes", "latitude", "longitude"}
    | {"fix_quality", "satellites_used", "horizontal_dilution", "altitude", "geoid_separation"}
    | {"position_error_horizontal", "position_error_vertical", "position_error_spherical"}
)
# Units of the wire that are no CF units, and what they are.
_ODD_UNITS = {"fathom": ("m", 1.8288), "rpm": ("min-1", 1.0), "ppt": ("1", 1.0)}
_XDR_UNITS = frozenset({"degC", "degF", "K", "deg", "m", "Hz", "bar", "Pa", "L/s", "rpm", "%", "m3", "A", "V", "ppt"})


@dataclass(frozen=True, slots=True)
class Transducer:
    """What a configured XDR transducer measures: vocabulary key, and unit where the wire's letter is none."""

    observed_property: str
    unit: str | None = None


def is_measurement(reading: Reading) -> bool:
    """Say whether a reading may become an observation: a number, and not one of the receiver or the mounting."""
    return not isinstance(reading.value, str) and reading.parameter not in _NOT_MEASURED


def channel_index(
    table: ChannelTable, sentence: Sentence, reading: Reading, transducers: Mapping[str, Transducer], *, by_talker: bool
) -> int | None:
    """Return the index of a reading's channel; None for a null reading of a channel that never had a value.

    An instrument that lacks a part sends its field empty for ever: that makes no channel.
    """
    key = _key(sentence, reading, by_talker=by_talker)
    if key not in table and (reading.value is None or table.is_full):
        return None
    return table.index(key, lambda: _channel(key, sentence, reading, transducers))


def value_in_channel(channel: Channel, reading: Reading) -> float:
    """Return a reading's value in its channel's unit, NaN for none: a sender may change from knots to km/h."""
    if reading.value is None or isinstance(reading.value, str):
        return float("nan")
    unit, factor = _unit(reading.unit)
    value = float(reading.value) * factor if factor != 1.0 else float(reading.value)
    if unit is None or channel.unit is None or unit == channel.unit:
        return value
    return float(convert([value], unit, channel.unit)[0])


def _key(sentence: Sentence, reading: Reading, *, by_talker: bool) -> str:
    talker = "" if sentence.talker == "P" or not by_talker else sentence.talker
    if sentence.name == "XDR":
        return f"{talker}XDR.{reading.kind}.{reading.parameter.removeprefix('xdr:')}"
    kind = f"{reading.kind}." if reading.kind else ""
    return f"{talker}{sentence.name}.{kind}{reading.parameter}"


def _channel(key: str, sentence: Sentence, reading: Reading, transducers: Mapping[str, Transducer]) -> Channel:
    if sentence.name == "XDR":
        return _transducer(key, reading, transducers)
    unit, _ = _unit(reading.unit)
    observed = PROPERTIES.get(reading.parameter)
    if sentence.name == "MWV":
        observed = _WINDS.get((reading.kind, reading.parameter))
    elif sentence.name == "PNORB":
        observed = None  # of one band of frequencies only
    return Channel(key, observed, unit, reading.parameter.replace("_", " "))


def _transducer(key: str, reading: Reading, transducers: Mapping[str, Transducer]) -> Channel:
    name = reading.parameter.removeprefix("xdr:")
    unit, _ = _unit(reading.unit if reading.unit in _XDR_UNITS else None)
    known = transducers.get(f"{reading.kind}.{name}") or transducers.get(name)
    if known is not None:
        return Channel(key, known.observed_property, canonical(known.unit) if known.unit else unit, name)
    term = vocabulary().get(name)
    if term is not None:
        # A name out of the vocabulary means it; a generic transducer has no unit, so it is the vocabulary's.
        return Channel(key, term.key, unit or term.unit, name)
    return Channel(key, "salinity" if reading.kind == "L" else None, unit, name)


@cache
def _unit(text: str | None) -> tuple[str | None, float]:
    if text is None:
        return None, 1.0
    if text in _ODD_UNITS:
        return _ODD_UNITS[text]
    try:
        return canonical(text), 1.0
    except UnitError:
        return None, 1.0
