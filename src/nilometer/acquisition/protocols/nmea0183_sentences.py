"""What each NMEA 0183 sentence says: quantities with their units, and the clock that some of them carry.

A null field is "not available" (IEC 61162-1 7.2.3.4): a quantity that its sentence exists for is then given as missing,
any other is left out; neither is ever 0. Values of a receiver without a fix, or of one that simulates, are not given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from nilometer.acquisition.protocols.nmea0183_fields import (
    calendar_date,
    day_month_year,
    number,
    position,
    time_of_day,
)
from nilometer.acquisition.protocols.nmea0183_line import Sentence
from nilometer.acquisition.protocols.nmea0183_maker import MAKERS
from nilometer.acquisition.protocols.nmea0183_quantity import Either, Fix, Quantity, Reading, read
from nilometer.acquisition.protocols.nmea0183_status import UNDER_STATUS
from nilometer.errors import FrameError

__all__ = ["SENTENCES", "Content", "content"]


class Content(msgspec.Struct, frozen=True):
    """What a sentence says: its quantities, its clock where it has one, its position where it has one."""

    readings: tuple[Reading, ...]
    fix: Fix | None = None
    broken: tuple[str, ...] = ()


_DEGREES = "deg"
_TABLE: Mapping[str, tuple[Quantity, ...]] = {
    # One depth in three units: metres first, for feet and fathoms were made from it.
    **{
        name: (Quantity(key, (Either(3, 4, "M", "m"), Either(1, 2, "f", "ft"), Either(5, 6, "F", "fathom"))),)
        for name, key in (
            ("DBT", "depth_below_transducer"),
            ("DBS", "depth_below_surface"),
            ("DBK", "depth_below_keel"),
        )
    },
    "MTW": (Quantity("water_temperature", (Either(1, 2, "C", "degC"),)),),
    "VHW": (
        Quantity("heading_true", (Either(1, 2, "T", _DEGREES),)),
        Quantity("heading_magnetic", (Either(3, 4, "M", _DEGREES),)),
        Quantity("speed_through_water", (Either(5, 6, "N", "kn"), Either(7, 8, "K", "km/h"))),
    ),
    "VLW": (
        Quantity("water_distance_total", (Either(1, 2, "N", "nmi"),)),
        Quantity("water_distance_trip", (Either(3, 4, "N", "nmi"),), required=False),
        Quantity("ground_distance_total", (Either(5, 6, "N", "nmi"),), required=False),
        Quantity("ground_distance_trip", (Either(7, 8, "N", "nmi"),), required=False),
    ),
    "VDR": (
        Quantity("current_set_true", (Either(1, 2, "T", _DEGREES),)),
        Quantity("current_set_magnetic", (Either(3, 4, "M", _DEGREES),), required=False),
        Quantity("current_drift", (Either(5, 6, "N", "kn"),)),
    ),
    "MWD": (
        Quantity("wind_direction_true", (Either(1, 2, "T", _DEGREES),)),
        Quantity("wind_direction_magnetic", (Either(3, 4, "M", _DEGREES),), required=False),
        Quantity("wind_speed", (Either(5, 6, "N", "kn"), Either(7, 8, "M", "m/s"))),
    ),
    "MTA": (Quantity("air_temperature", (Either(1, 2, "C", "degC"),)),),
    "MMB": (Quantity("air_pressure", (Either(3, 4, "B", "bar"), Either(1, 2, "I", "inHg"))),),
    "MDA": (
        Quantity("air_pressure", (Either(3, 4, "B", "bar"), Either(1, 2, "I", "inHg")), required=False),
        Quantity("air_temperature", (Either(5, 6, "C", "degC"),), required=False),
        Quantity("water_temperature", (Either(7, 8, "C", "degC"),), required=False),
        Quantity("relative_humidity", (Either(9, 0, "", "%"),), required=False),
        Quantity("absolute_humidity", (Either(10, 0, "", None),), required=False),
        Quantity("dew_point", (Either(11, 12, "C", "degC"),), required=False),
        Quantity("wind_direction_true", (Either(13, 14, "T", _DEGREES),), required=False),
        Quantity("wind_direction_magnetic", (Either(15, 16, "M", _DEGREES),), required=False),
        Quantity("wind_speed", (Either(17, 18, "N", "kn"), Either(19, 20, "M", "m/s")), required=False),
    ),
    "MHU": (
        Quantity("relative_humidity", (Either(1, 0, "", "%"),)),
        Quantity("absolute_humidity", (Either(2, 0, "", None),), required=False),
        Quantity("dew_point", (Either(3, 4, "C", "degC"),), required=False),
    ),
    "HDT": (Quantity("heading_true", (Either(1, 2, "T", _DEGREES),)),),
    "HDM": (Quantity("heading_magnetic", (Either(1, 2, "M", _DEGREES),)),),
    "HDG": (
        Quantity("heading_sensor", (Either(1, 0, "", _DEGREES),)),
        Quantity("magnetic_deviation", (Either(2, 0, "", _DEGREES),), required=False, sign=3),
        Quantity("magnetic_variation", (Either(4, 0, "", _DEGREES),), required=False, sign=5),
    ),
}


def content(sentence: Sentence) -> Content | None:
    """Return what a sentence says, or None where it is not one of ours.

    Raises
    ------
    FrameError
        If a field cannot be what it has to be; the message starts with ``unit``, ``number``, ``date_time``,
        ``position``, ``status`` or ``reference``.
    """
    try:
        quantities = _TABLE.get(sentence.name)
        if quantities is not None:
            return Content(read(sentence, quantities))
        special = SENTENCES.get(sentence.name)
        if special is not None:
            return special(sentence)
        maker = MAKERS.get(sentence.name) or UNDER_STATUS.get(sentence.name)
        if maker is None:
            return None
        readings, fix = maker(sentence)
        return Content(readings, fix)
    except FrameError as error:
        raise FrameError(str(error), frame=sentence.text.encode("ascii"), offset=sentence.offset) from error


def _depth(sentence: Sentence) -> Content:
    depth, offset, scale = (number(sentence.field(n)) for n in (1, 2, 3))
    readings = [Reading("depth_below_transducer", depth, "m")]
    if depth is not None:
        if offset is not None:
            readings.append(Reading("transducer_offset", offset, "m"))
        if scale is not None:
            readings.append(Reading("max_range_scale", scale, "m"))
        if offset:
            # Positive: from the transducer up to the water line; negative: down to the keel.
            name = "depth_below_surface" if offset > 0 else "depth_below_keel"
            readings.append(Reading(name, round(depth + offset, 6), "m"))
    return Content(tuple(readings))


_WIND_UNITS = {"K": "km/h", "M": "m/s", "N": "kn", "S": "mph"}
_WIND_REFERENCES = {"R": "relative", "T": "true"}


def _wind(sentence: Sentence) -> Content:
    reference, letter, status = (sentence.field(n) for n in (2, 4, 5))
    angle, speed = number(sentence.field(1)), number(sentence.field(3))
    if letter not in _WIND_UNITS and not (letter == "" and speed is None):
        raise FrameError(f"unit: {letter!r} is not one of K M N S")
    if reference not in _WIND_REFERENCES:
        raise FrameError(f"reference: {reference!r} is not R or T")
    if status not in {"A", "V", ""}:
        raise FrameError(f"status: {status!r} is not A or V")
    flag = "invalid" if status == "V" else None
    unit = _WIND_UNITS.get(letter, "kn")
    readings = (
        Reading("wind_angle", angle, _DEGREES, flag, kind=reference),
        Reading("wind_speed", speed, unit, flag, kind=reference),
        Reading("wind_reference", _WIND_REFERENCES[reference], None),
    )
    return Content(readings)


_XDR_UNITS = {
    ("C", "C"): "degC", ("C", "F"): "degF", ("C", "K"): "K", ("A", "D"): "deg", ("D", "M"): "m", ("F", "H"): "Hz",
    ("P", "B"): "bar", ("P", "P"): "Pa", ("R", "l"): "L/s", ("T", "R"): "rpm", ("H", "P"): "%", ("V", "M"): "m3",
    ("V", "P"): "%",
    ("I", "A"): "A", ("U", "V"): "V", ("L", "S"): "ppt",
}  # fmt: skip


def _transducers(sentence: Sentence) -> Content:
    readings, broken = [], []
    for start in range(0, len(sentence.fields), 4):
        group = sentence.fields[start : start + 4]
        try:
            readings.append(_transducer(group))
        except FrameError as error:
            broken.append(f"xdr_group: {','.join(group)!r}: {error}")
    return Content(tuple(readings), broken=tuple(broken))


def _transducer(group: tuple[str, ...]) -> Reading:
    if len(group) != 4:
        raise FrameError(f"{len(group)} of four fields")
    kind, value, letter, name = (part.strip() for part in group)
    if len(kind) != 1 or not kind.isalpha():
        raise FrameError(f"type {kind!r}")
    return Reading(f"xdr:{name}", number(value), _XDR_UNITS.get((kind, letter), letter or None), kind=kind)


def _date_time(sentence: Sentence) -> Content:
    time = time_of_day(sentence.field(1))
    parts = [sentence.field(n) for n in (4, 3, 2)]
    date = None
    if all(parts):
        if not all(part.isdecimal() for part in parts):
            raise FrameError(f"date_time: date {parts!r}")
        date = calendar_date(*(int(part) for part in parts))
    elif any(parts):
        raise FrameError(f"date_time: date {parts!r}")
    readings = [Reading.time(date, time)]
    zone = number(sentence.field(5))
    if zone:
        readings.append(Reading("local_zone_hours", int(zone), "h"))
    minutes = number(sentence.field(6))
    if minutes:
        readings.append(Reading("local_zone_minutes", int(minutes), "min"))
    return Content(tuple(readings), Fix(date=date, time=time))


def _recommended_minimum(sentence: Sentence) -> Content:
    status, mode = sentence.field(2), sentence.field(12)
    if status not in {"A", "V", ""}:
        raise FrameError(f"status: {status!r} is not A or V")
    time, date = time_of_day(sentence.field(1)), day_month_year(sentence.field(9))
    if status == "A" and (time is None or date is None):
        raise FrameError("date_time: a valid fix without its time or date")
    if mode == "S":
        return Content((Reading("fix_mode", mode, None, "simulator"),))
    clock = Reading.time(date, time)
    if status != "A" or mode == "N":
        invalid = Reading("fix_status", status or "V", None, "invalid")
        return Content((clock, invalid), Fix(date=date, time=time))
    latitude = position(sentence.field(3), sentence.field(4), most=90)
    longitude = position(sentence.field(5), sentence.field(6), most=180)
    readings = [clock, Reading("latitude", latitude, _DEGREES), Reading("longitude", longitude, _DEGREES)]
    speed, course = number(sentence.field(7)), number(sentence.field(8))
    if speed is not None:
        readings.append(Reading("speed_over_ground", speed, "kn"))
        # What does not move has no course; receivers write 0 there.
        if speed and course is not None:
            readings.append(Reading("course_over_ground", course, _DEGREES))
    variation = number(sentence.field(10))
    if variation is not None and sentence.field(11) in {"E", "W"}:
        sign = -1.0 if sentence.field(11) == "W" else 1.0
        readings.append(Reading("magnetic_variation", sign * variation, _DEGREES))
    return Content(tuple(readings), Fix(date=date, time=time, latitude=latitude, longitude=longitude))


_FIX_DETAILS: tuple[tuple[str, int, str | None], ...] = (
    ("satellites_used", 7, None),
    ("horizontal_dilution", 8, None),
    ("altitude", 9, "m"),
    ("geoid_separation", 11, "m"),
)


def _satellite_fix(sentence: Sentence) -> Content:
    time = time_of_day(sentence.field(1))
    quality = sentence.field(6)
    if quality and not quality.isdecimal():
        raise FrameError(f"status: quality {quality!r}")
    if quality in {"", "0"}:
        value = 0 if quality else None
        return Content((Reading("fix_quality", value, None, "invalid"),), Fix(time=time))
    if quality == "8":
        return Content((Reading("fix_quality", 8, None, "simulator"),))
    latitude = position(sentence.field(2), sentence.field(3), most=90)
    longitude = position(sentence.field(4), sentence.field(5), most=180)
    readings = [
        Reading("latitude", latitude, _DEGREES),
        Reading("longitude", longitude, _DEGREES),
        Reading("fix_quality", int(quality), None),
    ]
    for name, index, unit in _FIX_DETAILS:
        detail = number(sentence.field(index))
        if detail is not None:
            readings.append(Reading(name, detail, unit))
    return Content(tuple(readings), Fix(time=time, latitude=latitude, longitude=longitude))


def _geographic(sentence: Sentence) -> Content:
    time = time_of_day(sentence.field(5))
    status, mode = sentence.field(6), sentence.field(7)
    if mode == "S":
        return Content((Reading("fix_mode", mode, None, "simulator"),))
    # Status and mode came with NMEA 2.0 and 2.3: older receivers leave them out.
    if status == "V" or mode == "N":
        return Content((Reading("fix_status", "V", None, "invalid"),), Fix(time=time))
    latitude = position(sentence.field(1), sentence.field(2), most=90)
    longitude = position(sentence.field(3), sentence.field(4), most=180)
    readings = (Reading("latitude", latitude, _DEGREES), Reading("longitude", longitude, _DEGREES))
    return Content(readings, Fix(time=time, latitude=latitude, longitude=longitude))


def _water_ground_speed(sentence: Sentence) -> Content:
    readings = []
    for names, first, status in (
        (("water_speed_longitudinal", "water_speed_transverse"), 1, 3),
        (("ground_speed_longitudinal", "ground_speed_transverse"), 4, 6),
        (("water_speed_stern",), 7, 8),
        (("ground_speed_stern",), 9, 10),
    ):
        flag = "invalid" if sentence.field(status) == "V" else None
        for index, name in enumerate(names):
            value = number(sentence.field(first + index))
            if value is not None:
                readings.append(Reading(name, value, "kn", flag))
    return Content(tuple(readings))


SENTENCES: Mapping[str, Callable[[Sentence], Content]] = {
    "DPT": _depth,
    "MWV": _wind,
    "XDR": _transducers,
    "ZDA": _date_time,
    "RMC": _recommended_minimum,
    "GGA": _satellite_fix,
    "GLL": _geographic,
    "VBW": _water_ground_speed,
}
"""Sentences that a table of fields cannot describe, by their three letters."""
