"""NMEA 0183 sentences whose values stand under a letter: valid, estimated, simulated, or not to be used.

References
----------
IEC 61162-1 (2016) and NMEA 0183 4.11: CUR, GNS, ROT, THS, VTG; the fields after the public parsers named in
docs/drivers/nmea0183.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nilometer.acquisition.protocols.nmea0183_fields import number, position, time_of_day
from nilometer.acquisition.protocols.nmea0183_line import Sentence
from nilometer.acquisition.protocols.nmea0183_quantity import Either, Fix, Quantity, Reading, read
from nilometer.errors import FrameError

__all__ = ["UNDER_STATUS"]

Said = tuple[tuple[Reading, ...], Fix | None]

_DEGREES = "deg"
_COURSE = (
    Quantity("course_over_ground", (Either(1, 2, "T", _DEGREES),)),
    Quantity("course_over_ground_magnetic", (Either(3, 4, "M", _DEGREES),), required=False),
    Quantity("speed_over_ground", (Either(5, 6, "N", "kn"), Either(7, 8, "K", "km/h"))),
)
# Mode letters of receivers (VTG, GNS, RMC) under which nothing was measured, and what is said of them.
_UNUSABLE = {"N": "invalid", "S": "simulator"}


def _course_and_speed(sentence: Sentence) -> Said:
    mode = sentence.field(9)
    if mode in _UNUSABLE:
        # Receivers write 0 knots there, which no anchored platform could be told from.
        return (Reading("fix_mode", mode, None, _UNUSABLE[mode]),), None
    return read(sentence, _COURSE), None


def _true_heading(sentence: Sentence) -> Said:
    heading, mode = number(sentence.field(1)), sentence.field(2)
    if mode not in {"A", "E", "M", "S", "V", ""}:
        raise FrameError(f"status: {mode!r} is not one of A E M S V")
    flag = {"E": "estimated", "M": "manual", "S": "simulator", "V": "invalid"}.get(mode)
    return (Reading("heading_true", None if mode == "S" else heading, _DEGREES, flag),), None


def _rate_of_turn(sentence: Sentence) -> Said:
    return (Reading("rate_of_turn", number(sentence.field(1)), "deg/min", _status(sentence, 2)),), None


def _current(sentence: Sentence) -> Said:
    flag, layer = _status(sentence, 1), sentence.field(3)
    reference = sentence.field(6)
    if layer and not layer.isdecimal():
        raise FrameError(f"number: layer {layer!r}")
    if reference not in {"T", "R", ""}:
        raise FrameError(f"reference: {reference!r} is not T or R")
    # Relative: counted from the bow, which is no direction of the water.
    direction = "current_angle" if reference == "R" else "current_direction"
    kind = f"layer{int(layer)}" if layer else ""
    return (
        Reading("current_depth", number(sentence.field(4)), "m", flag, kind),
        Reading(direction, number(sentence.field(5)), _DEGREES, flag, kind),
        Reading("current_speed", number(sentence.field(7)), "kn", flag, kind),
    ), None


def _satellite_fixes(sentence: Sentence) -> Said:
    time, modes = time_of_day(sentence.field(1)), sentence.field(6)
    # A letter a system: one that has a fix is enough, one that simulates spoils all.
    if "S" in modes or not modes.strip("N"):
        mode = "S" if "S" in modes else "N"
        return (Reading("fix_mode", modes, None, _UNUSABLE[mode]),), None if mode == "S" else Fix(time=time)
    latitude = position(sentence.field(2), sentence.field(3), most=90)
    longitude = position(sentence.field(4), sentence.field(5), most=180)
    readings = [Reading("latitude", latitude, _DEGREES), Reading("longitude", longitude, _DEGREES)]
    for name, place, unit in (
        ("satellites_used", 7, None),
        ("horizontal_dilution", 8, None),
        ("altitude", 9, "m"),
        ("geoid_separation", 10, "m"),
    ):
        detail = number(sentence.field(place))
        if detail is not None:
            readings.append(Reading(name, detail, unit))
    return tuple(readings), Fix(time=time, latitude=latitude, longitude=longitude)


def _status(sentence: Sentence, place: int) -> str | None:
    status = sentence.field(place)
    if status not in {"A", "V", ""}:
        raise FrameError(f"status: {status!r} is not A or V")
    return "invalid" if status == "V" else None


UNDER_STATUS: Mapping[str, Callable[[Sentence], Said]] = {
    "VTG": _course_and_speed,
    "THS": _true_heading,
    "ROT": _rate_of_turn,
    "CUR": _current,
    "GNS": _satellite_fixes,
}
"""By the three letters."""
