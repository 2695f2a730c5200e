"""Times whose year, month, day, hour and minute, or day of the year, stand in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.acquisition.formats.numbers import numbers
from nilometer.acquisition.formats.serials import clock_of_digits

__all__ = ["ClockParts", "clock_parts"]

# Months and minutes are told apart by their case (MM, mm) or by their place.
_YEAR = re.compile(r"^(#?(yy|yyyy|yr|year)|年)$", re.IGNORECASE)
_MONTH = re.compile(r"^(MM|mo|month|月)$|^(?i:month|mo)$")
_DAY = re.compile(r"^(dd|dy|day|日)$", re.IGNORECASE)
_OF_YEAR = re.compile(
    r"^(doy|jday|yday|julian|j?julian.?day|jd|day.?of.?(the.?)?year|yearday|year.?day|年积日|儒略日)$", re.IGNORECASE
)
_HOUR = re.compile(r"^(hh|hr|hour|时|小时)$", re.IGNORECASE)
_MINUTE = re.compile(r"^(mm|mn|min|(?i:minute)|分|分钟)$")
_SECOND = re.compile(r"^(ss|sec|second|秒)$", re.IGNORECASE)


class ClockParts(NamedTuple):
    """Where the parts stand, and the times that they make as text."""

    positions: tuple[int, ...]
    words: Any
    decided: str = ""


def clock_parts(names: Sequence[str], columns: Sequence[Any]) -> ClockParts | None:
    """Return the times that columns of parts make; None where year, month and day are not all there.

    Parameters
    ----------
    names : sequence of str
        Of the columns; ``YY MM DD hh mm`` as well as ``Year Month Day Hour Minute``.
    columns : sequence of pyarrow arrays
        Text or whole numbers.
    """
    of_year = _of_day_of_year(names, columns)
    if of_year is not None:
        return of_year
    found = []
    for pattern in (_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND):
        at = next((at for at, name in enumerate(names) if pattern.match(name.strip()) and at not in found), None)
        if at is None:
            break
        found.append(at)
    if len(found) < 3 or (len(found) == 3 and _has_stamps(names)):
        return None
    texts: list[Any] = [_padded(columns[at]) for at in found]
    if any(text is None for text in texts):
        return None
    texts[0] = pc.replace_substring_regex(texts[0], r"^([0-6]\d)$", r"20\1")
    texts[0] = pc.replace_substring_regex(texts[0], r"^([7-9]\d)$", r"19\1")
    texts += [pa.array(["00"] * len(texts[0]))] * (6 - len(texts))
    day = pc.binary_join_element_wise(*texts[:3], "-")
    clock = pc.binary_join_element_wise(*texts[3:], ":")
    return ClockParts(tuple(found), pc.binary_join_element_wise(day, clock, " "))


def _has_stamps(names: Sequence[str]) -> bool:
    """Say whether a column beside year, month and day has the times: these only repeat its date."""
    return any(re.search(r"(?i)time|stamp|date|时间|日期|hh", name) for name in names)


def _of_day_of_year(names: Sequence[str], columns: Sequence[Any]) -> ClockParts | None:
    """Return the times of a year, a day of the year (whole, or with its fraction) and a clock that may stand beside."""
    year, day = _place(names, _YEAR), _place(names, _OF_YEAR)
    at = day if day is not None else _place(names, _DAY)
    if year is None or at is None or _place(names, _MONTH) is not None:
        return None
    years, days = _numbers(columns[year]), _numbers(columns[at])
    if years is None or days is None or not np.isfinite(days).any():
        return None
    first, last = float(np.nanmin(days)), float(np.nanmax(days))
    # A column named "day" counts those of a month until it shows otherwise.
    if first < 0 or last > 367 or (day is None and last <= 31):
        return None
    clock, used = _clock_beside(names, columns)
    moments = days - 1.0 + clock
    there = np.isfinite(years) & np.isfinite(moments) & (years > 1900) & (years < 2200)
    starts = (np.where(there, years, 1970).astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ms]")
    stamps = starts + np.round(np.where(there, moments, 0.0) * 86_400_000).astype("timedelta64[ms]")
    words = pa.array(np.datetime_as_string(stamps), pa.string())
    decided = "days are those of the year, of which 1 January is 1"
    return ClockParts((year, at, *used), pc.if_else(pa.array(there), words, None), decided)


def _clock_beside(names: Sequence[str], columns: Sequence[Any]) -> tuple[NDArray[np.float64] | float, list[int]]:
    """Return the part of a day that ``HHMM``, or hours and minutes, tell, and where these columns are."""
    for at, name in enumerate(names):
        digits = _numbers(columns[at]) if clock_of_digits(name, _words(columns[at])) else None
        if digits is not None:
            return (digits // 100 + digits % 100 / 60) / 24, [at]
    part: NDArray[np.float64] | float = 0.0
    used: list[int] = []
    for pattern, per_day in ((_HOUR, 24.0), (_MINUTE, 1440.0)):
        place = _place(names, pattern)
        counted = _numbers(columns[place]) if place is not None else None
        if place is None or counted is None:
            break
        part, used = part + counted / per_day, [*used, place]
    return part, used


def _place(names: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    return next((at for at, name in enumerate(names) if pattern.match(name.strip("%# "))), None)


def _words(column: Any) -> list[str]:  # noqa: ANN401 -- pyarrow has no types
    return [word or "" for word in column.slice(0, 400).cast(pa.string()).to_pylist()]


def _numbers(column: Any) -> NDArray[np.float64] | None:  # noqa: ANN401 -- pyarrow has no types
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = numbers(column.cast(pa.string()))
        return None if found is None else found.values
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    return None


def _padded(column: Any) -> Any | None:  # noqa: ANN401 -- pyarrow has no types
    kind = column.type
    if pa.types.is_integer(kind):
        column = column.cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    return pc.utf8_lpad(pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), "")), 2, "0")
