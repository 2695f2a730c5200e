"""QARTOD test 5, climatology: a value unusual for the season (and the depth).

Members are tried in their order and the last one that holds for the row's time and depth decides; where none holds the
test is NOT_EVALUATED. Ends of times, depths and spans belong to them. A member with a depth holds for no row without
one. A period is a part of the calendar at the offset given, by default of UTC; its span may wrap round the year's or
the week's end (months 12 to 2). The manuals define no failure; `fail` is for those who have a limit nothing passes.

The calendar is asked once a day (once an hour where a member names hours), not once a row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import MISSING, NOT_EVALUATED
from nilometer.qc.layout import PRESENT
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Rows, Wants, moment
from nilometer.qc.qartod.gross_range import flag_gross_range
from nilometer.qc.qartod.parameter import PERIODS

__all__ = ["CLIMATOLOGY", "flag_climatology"]

_DAY, _HOUR = 86_400_000_000, 3_600_000_000
_CODES = {name: float(code) for code, name in enumerate(PERIODS, start=1)}
_ALWAYS, _DATES = 0.0, -1.0
_YEAR, _QUARTER, _MONTH, _WEEK, _DAY_OF_YEAR, _DAY_OF_WEEK = range(1, 7)


def _offset_us(text: str) -> float:
    sign = -1.0 if text[0] == "-" else 1.0
    return sign * (int(text[1:3]) * 60 + int(text[4:6])) * 60e6


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    members = parameters["members"]
    has_hours = any(member.get("period") == "hour" for member in members)
    has_depths = any("depth" in member for member in members)
    return (_offset_us(parameters["utc_offset"]), _HOUR if has_hours else _DAY, float(has_depths))


def _row(member: Mapping[str, Any]) -> tuple[float, ...]:
    everything = (-ABSENT, ABSENT)
    period, time = member.get("period"), member.get("time")
    if period is not None and time is not None:
        when = (_CODES[period], float(time[0]), float(time[1]))
    elif time is not None:
        when = (_DATES, float(moment(time[0])), float(moment(time[1])))
    else:
        when = (_ALWAYS, 0.0, 0.0)
    depth = member.get("depth", (math.nan, math.nan))
    return (*when, *depth, *member.get("suspect", everything), *member.get("fail", everything), 0.0)


def _rows(parameters: Mapping[str, Any]) -> Rows:
    return tuple(_row(member) for member in parameters["members"])


def _fault(parameters: Mapping[str, Any]) -> str:
    return "" if "members" in parameters else "give members: the spans of each season"


CLIMATOLOGY = Definition(
    name="climatology",
    kind=Kind.CLIMATOLOGY,
    clause="QARTOD test 5, climatology (season, SEASON_MIN, SEASON_MAX)",
    sequence=False,
    timed=True,
    wants=Wants.TIME | Wants.DEPTH,
    parameters={
        "members": Parameter(role=Role.MEMBERS, meaning="seasons and depths with their spans; later ones overrule"),
        "utc_offset": Parameter(role=Role.OFFSET, meaning="where the calendar holds", default="+00:00"),
    },
    numbers=_numbers,
    rows=_rows,
    fault=_fault,
)


@compiled
def _part(code: int, days: int, hour: int) -> int:
    """Return a part of the calendar of a day counted from 1970-01-01 (a Thursday)."""
    weekday = (days + 3) % 7
    if code == _DAY_OF_WEEK:
        return weekday
    if code > _DAY_OF_WEEK:
        return hour
    if code == _WEEK:  # ISO 8601: the week belongs to the year of its Thursday
        days = days - weekday + 3
    # From a count of days to year and day of the year (proleptic Gregorian, eras of 400 years that begin in March).
    shifted = days + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    from_march = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * from_march + 2) // 153
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    if code == _YEAR:
        return year
    if code == _QUARTER:
        return (month + 2) // 3
    if code == _MONTH:
        return month
    is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    of_year = from_march - 305 if month <= 2 else from_march + 60 + int(is_leap)
    return (of_year - 1) // 7 + 1 if code == _WEEK else of_year


@inlined
def _holds(member: NDArray[np.float64], days: int, hour: int) -> bool:
    """Return whether a member with a period holds on a day."""
    first, last = member[1], member[2]
    now = float(_part(int(member[0]), days, hour))
    return bool(first <= now <= last if first <= last else now >= first or now <= last)


@compiled
def _ask(
    holding: NDArray[np.bool_], members: NDArray[np.float64], t: int, offset: int, grain: int
) -> tuple[int, int, int]:
    """Note which members hold at `t`; return from when to when they do, and the last one that does, or -1."""
    if t == NO_TIME:  # a member without a time holds for a row without one
        chosen = -1
        for m in range(members.shape[0]):
            holding[m] = members[m, 0] == _ALWAYS
            if holding[m]:
                chosen = m
        return t, t + 1, chosen
    begin = (t + offset) // grain * grain - offset
    end = begin + grain
    days = (begin + offset) // _DAY
    hour = (begin + offset - days * _DAY) // _HOUR
    chosen = -1
    for m in range(members.shape[0]):
        code = members[m, 0]
        if code == _ALWAYS:
            holding[m] = True
        elif code == _DATES:
            holding[m] = members[m, 1] <= t <= members[m, 2]
            for edge in (members[m, 1], members[m, 2] + 1.0):
                if edge <= t:
                    begin = max(begin, np.int64(edge))
                elif edge < end:
                    end = np.int64(edge)
        else:
            holding[m] = _holds(members[m], days, hour)
        if holding[m]:
            chosen = m
    return begin, end, chosen


@compiled
def flag_climatology(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    t: NDArray[np.int64],
    row: NDArray[np.int64],
    depths: NDArray[np.float64],
    status: NDArray[np.uint8],
    numbers: NDArray[np.float64],
    members: NDArray[np.float64],
) -> None:
    """Flag values against the member that holds, a stretch of rows of one day at a time."""
    offset, grain, has_depths = np.int64(numbers[0]), np.int64(numbers[1]), numbers[2] != 0.0
    holding = np.zeros(members.shape[0], np.bool_)
    n, k = flags.size, 0
    while k < n:
        begin, end, chosen = _ask(holding, members, t[k], offset, grain)
        stop = k + 1
        while stop < n and begin <= t[stop] < end:
            stop += 1
        if not has_depths:
            _judge(flags[k:stop], x[k:stop], status[k:stop], members, chosen)
            k = stop
            continue
        for at in range(k, stop):
            depth = depths[row[at]] if depths.size else np.nan
            chosen = -1
            for m in range(members.shape[0]):
                low, high = members[m, 3], members[m, 4]
                if holding[m] and (math.isnan(low) or low <= depth <= high):
                    chosen = m
            _judge(flags[at : at + 1], x[at : at + 1], status[at : at + 1], members, chosen)
        k = stop


@compiled
def _judge(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    status: NDArray[np.uint8],
    members: NDArray[np.float64],
    chosen: int,
) -> None:
    if chosen < 0:
        for k in range(flags.size):
            flags[k] = np.uint8(NOT_EVALUATED) if status[k] & PRESENT else np.uint8(MISSING)
    else:
        flag_gross_range(flags, x, status, members[chosen][5:9])
