"""Proprietary sentences of makers: attitude sensors, receivers, and the wave and current profilers of Nortek.

References
----------
PASHR, PFEC, PGRME, PRDID as in pynmea2 1.19 (types/proprietary); PSAT after Hemisphere's user guides; PNORS, PNORC,
PNORW, PNORB after Nortek's description of its ASCII output, checked on a recording of an AWAC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nilometer.acquisition.protocols.nmea0183_fields import month_day_year, number, time_of_day
from nilometer.acquisition.protocols.nmea0183_line import Sentence
from nilometer.acquisition.protocols.nmea0183_quantity import Either, Fix, Quantity, Reading, read
from nilometer.errors import FrameError

__all__ = ["MAKERS"]

Said = tuple[tuple[Reading, ...], Fix | None]
Columns = tuple[tuple[str, int, str | None], ...]

_GARMIN_ERROR = (
    Quantity("position_error_horizontal", (Either(1, 2, "M", "m"),)),
    Quantity("position_error_vertical", (Either(3, 4, "M", "m"),), required=False),
    Quantity("position_error_spherical", (Either(5, 6, "M", "m"),), required=False),
)


def _present(sentence: Sentence, columns: Columns) -> tuple[Reading, ...]:
    values = ((name, number(sentence.field(index)), unit) for name, index, unit in columns)
    return tuple(Reading(name, value, unit) for name, value, unit in values if value is not None)


def _garmin(sentence: Sentence) -> Said:
    return read(sentence, _GARMIN_ERROR), None


def _ashtech(sentence: Sentence) -> Said:
    columns: Columns = (("heading_true", 2, "deg"), ("roll", 4, "deg"), ("pitch", 5, "deg"), ("heave", 6, "m"))
    return _present(sentence, columns), Fix(time=time_of_day(sentence.field(1)))


def _hemisphere(sentence: Sentence) -> Said:
    if sentence.field(1) != "HPR":
        return (), None
    columns: Columns = (("heading_true", 3, "deg"), ("pitch", 4, "deg"), ("roll", 5, "deg"))
    readings = _present(sentence, columns)
    mode = {"N": "gnss", "G": "gyro"}.get(sentence.field(6))
    if mode is not None:
        readings += (Reading("mode", mode, None),)
    return readings, Fix(time=time_of_day(sentence.field(2)))


def _furuno(sentence: Sentence) -> Said:
    kind = sentence.field(1)
    if kind == "GPatt":
        return _present(sentence, (("heading_true", 2, "deg"), ("pitch", 3, "deg"), ("roll", 4, "deg"))), None
    if kind == "GPhve":
        flag = None if sentence.field(3) in {"A", ""} else "invalid"
        heave = number(sentence.field(2))
        return ((Reading("heave", heave, "m", flag),), None) if heave is not None else ((), None)
    return (), None


def _teledyne(sentence: Sentence) -> Said:
    return _present(sentence, (("pitch", 1, "deg"), ("roll", 2, "deg"), ("heading_true", 3, "deg"))), None


_NORTEK: Mapping[str, Columns] = {
    "PNORS": (
        ("battery_voltage", 5, "V"), ("sound_speed", 6, "m/s"), ("heading_magnetic", 7, "deg"), ("pitch", 8, "deg"),
        ("roll", 9, "deg"), ("water_pressure", 10, "dbar"), ("water_temperature", 11, "degC"),
    ),
    "PNORC": (
        ("current_velocity_east", 4, "m/s"), ("current_velocity_north", 5, "m/s"), ("current_velocity_up", 6, "m/s"),
        ("current_speed", 7, "m/s"), ("current_direction", 8, "deg"),
    ),
    "PNORW": (
        ("wave_height", 5, "m"), ("wave_height_third", 6, "m"), ("wave_height_tenth", 7, "m"),
        ("wave_height_max", 8, "m"), ("wave_period_mean", 9, "s"), ("wave_period_peak", 10, "s"),
        ("wave_period_zero_crossing", 11, "s"), ("wave_direction_peak", 12, "deg"),
        ("wave_spreading_peak", 13, "deg"), ("wave_direction_mean", 14, "deg"), ("water_pressure", 16, "dbar"),
        ("current_speed_near_surface", 19, "m/s"), ("current_direction_near_surface", 20, "deg"),
    ),
    "PNORB": (
        ("wave_height", 7, "m"), ("wave_period_mean", 8, "s"), ("wave_period_peak", 9, "s"),
        ("wave_direction_peak", 10, "deg"), ("wave_spreading_peak", 11, "deg"), ("wave_direction_mean", 12, "deg"),
    ),
}  # fmt: skip
_SIGNED = frozenset({"pitch", "roll", "current_velocity_east", "current_velocity_north", "current_velocity_up"})


def _nortek(sentence: Sentence) -> Said:
    date, time = month_day_year(sentence.field(1)), time_of_day(sentence.field(2))
    if date is None or time is None:
        raise FrameError("date_time: a profiler's sentence without its time")
    kind = _nortek_kind(sentence)
    readings = []
    for name, index, unit in _NORTEK[sentence.name]:
        value = number(sentence.field(index))
        if value is None or _is_fill(name, sentence.field(index)):
            value = None
        readings.append(Reading(name, value, unit, kind=kind))
    return tuple(readings), Fix(date=date, time=time)


def _nortek_kind(sentence: Sentence) -> str:
    if sentence.name == "PNORC":
        cell = sentence.field(3)
        if not cell.isdecimal():
            raise FrameError(f"number: cell {cell!r}")
        return f"cell{int(cell)}"
    if sentence.name == "PNORB":
        return f"{sentence.field(5)}-{sentence.field(6)}Hz"
    return ""


def _is_fill(name: str, text: str) -> bool:
    # The maker fills with -9, -99 or -999 in each column's format.
    digits = text.removeprefix("-").partition(".")
    nines = text.startswith("-") and set(digits[0]) == {"9"} and not digits[2].strip("0")
    return nines and (name not in _SIGNED or len(digits[0]) > 1 or name.startswith("current"))


MAKERS: Mapping[str, Callable[[Sentence], Said]] = {
    "PGRME": _garmin,
    "PASHR": _ashtech,
    "PSAT": _hemisphere,
    "PFEC": _furuno,
    "PRDID": _teledyne,
    **dict.fromkeys(_NORTEK, _nortek),
}
"""By the whole address."""
