"""What a virtual platform says of its water: observed properties to NMEA 0183 sentences."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping

from nilometer.acquisition.protocols.nmea0183 import encode
from nilometer.acquisition.simulators.simulator import Reading
from nilometer.model.properties import vocabulary

__all__ = ["sentences"]

KNOT_M_S = 0.514444


def sentences(readings: Mapping[str, Reading], time: int, place: Mapping[str, float | None]) -> Iterator[bytes]:
    """Return the sentences of one tick: clock and position first, then what is measured.

    Parameters
    ----------
    readings : mapping of str to Reading
        By observed property, in the vocabulary's units.
    time : int
        µs since 1970 UTC.
    place : mapping of str to float
        ``latitude`` and ``longitude`` of a platform whose feed does not say them.
    """
    values = {key: reading.value for key, reading in readings.items()}
    latitude, longitude = (values.pop(key, place.get(key)) for key in ("latitude", "longitude"))
    yield from _clock(time, latitude, longitude)
    for keys, talk in _SENTENCES.items():
        found = [values.pop(key, None) for key in keys]
        if any(value is not None for value in found):
            yield talk(*(math.nan if value is None else value for value in found))
    for key, value in values.items():
        yield _transducer(key, value)


def _clock(time: int, latitude: float | None, longitude: float | None) -> Iterator[bytes]:
    moment = dt.datetime.fromtimestamp(time // 1_000_000, tz=dt.UTC)
    clock = f"{moment:%H%M%S}.{time % 1_000_000 // 10_000:02d}"
    yield encode("GP", "ZDA", [clock, f"{moment:%d}", f"{moment:%m}", f"{moment:%Y}", "00", "00"])
    if latitude is None or longitude is None:
        return
    position = [*_angle(latitude, "NS", 2), *_angle(longitude, "EW", 3)]
    yield encode("GP", "RMC", [clock, "A", *position, "0.0", "", f"{moment:%d%m%y}", "", "", "A"])
    yield encode("GP", "GGA", [clock, *position, "1", "09", "0.9", "0.0", "M", "", "M", "", ""])


def _angle(degrees: float, hemispheres: str, width: int) -> tuple[str, str]:
    # In whole hundred-thousandths of a minute: 59.999999 must not be written as 60.
    whole, rest = divmod(round(abs(degrees) * 6_000_000), 6_000_000)
    return f"{whole:0{width}d}{rest // 100_000:02d}.{rest % 100_000:05d}", hemispheres[degrees < 0]


def _text(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _depth(depth: float) -> bytes:
    return encode("SD", "DPT", [_text(depth, 2), "0.0", ""])


def _temperature(celsius: float) -> bytes:
    return encode("YX", "MTW", [_text(celsius, 3), "C"])


def _speed(metres_per_second: float, heading: float) -> bytes:
    fields = [_text(heading, 1), "T", "", "M", _text(metres_per_second / KNOT_M_S, 3), "N"]
    return encode("VW", "VHW", [*fields, _text(metres_per_second * 3.6, 3), "K"])


def _current(metres_per_second: float, direction: float) -> bytes:
    return encode("II", "VDR", [_text(direction, 1), "T", "", "M", _text(metres_per_second / KNOT_M_S, 3), "N"])


def _wind(metres_per_second: float, direction: float) -> bytes:
    fields = [_text(direction, 1), "T", "", "M", _text(metres_per_second / KNOT_M_S, 2), "N"]
    return encode("WI", "MWD", [*fields, _text(metres_per_second, 2), "M"])


def _air_temperature(celsius: float) -> bytes:
    return encode("WI", "MTA", [_text(celsius, 2), "C"])


def _air_pressure(hectopascals: float) -> bytes:
    return encode("WI", "MMB", [_text(hectopascals / 33.86389, 4), "I", _text(hectopascals / 1000.0, 5), "B"])


_SENTENCES: Mapping[tuple[str, ...], Callable[..., bytes]] = {
    ("water_temperature",): _temperature,
    ("depth_below_transducer",): _depth,
    ("speed_through_water", "heading"): _speed,
    ("flow_velocity", "current_direction"): _current,
    ("wind_speed", "wind_direction"): _wind,
    ("air_temperature",): _air_temperature,
    ("air_pressure",): _air_pressure,
}
_XDR = {"degree_Celsius": ("C", "C"), "%": ("H", "P"), "V": ("U", "V"), "m": ("D", "M"), "degree": ("A", "D")}


def _transducer(key: str, value: float) -> bytes:
    term = vocabulary().get(key)
    unit, decimals = (term.unit, max(term.decimals, 3)) if term is not None else ("", 6)
    kind, letter = ("L", "S") if key == "salinity" else _XDR.get(unit, ("G", ""))
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", key)
    return encode("YX", "XDR", [kind, _text(value, decimals), letter, name])
