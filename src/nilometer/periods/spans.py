"""Spans of time that rows are rolled up by: hours of UTC; days, months and years of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError

__all__ = ["HOUR_US", "PERIODS", "SPANS", "Period", "Span", "edges"]

Span = Literal["hour", "day"]
SPANS: tuple[Span, ...] = ("hour", "day")
"""What the store rolls up by."""
Period = Literal["hour", "day", "month", "year"]
PERIODS: tuple[Period, ...] = ("hour", "day", "month", "year")
HOUR_US = 3_600_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 2, 9998
_YEARS_KEPT = 4096


def edges(span: Period, start: int, end: int, time_zone: str = "UTC", *, first_month: int = 1) -> NDArray[np.int64]:
    """Return the edges of the spans that hold any of [start, end): one more than the spans, µs since 1970 UTC.

    Hours are those of UTC whatever the zone. A day of summer time's change has 23 or 25 hours (Lord Howe: 23.5, 24.5);
    a day that a zone left out (Samoa, 2011-12-30) is not there.

    Parameters
    ----------
    span : {"hour", "day", "month", "year"}
        Which.
    start, end : int
        µs since 1970 UTC.
    time_zone : str
        An IANA name; days, months and years are counted in it.
    first_month : int
        With which month a year begins, 1 to 12: 10 or 11 for many a hydrological year.

    Raises
    ------
    ConfigError
        If there is no such zone or month, or days of years before 2 or after 9998 are asked for.

    Examples
    --------
    >>> (edges("day", 0, 90_000_000_000, "Asia/Shanghai") // 3_600_000_000).tolist()
    [-8, 16, 40]
    >>> edges("hour", 1, 3_600_000_001).tolist()
    [0, 3600000000, 7200000000]
    >>> np.array(edges("year", 0, 1, first_month=11), "datetime64[us]").astype("datetime64[D]").astype(str).tolist()
    ['1969-11-01', '1970-11-01']
    """
    if end <= start:
        return np.empty(0, np.int64)
    if span == "hour":
        return np.arange(start // HOUR_US, -(-end // HOUR_US) + 1, dtype=np.int64) * HOUR_US
    # A local year begins less than a day from UTC's.
    first, last = (int(year) for year in np.array([start, end], "datetime64[us]").astype("datetime64[Y]").astype(int))
    more = 2 if span == "year" else 1  # a year that begins late in one has its end in the next
    first, last = first + 1970 - more, last + 1970 + more
    if first < _FIRST_YEAR or last > _LAST_YEAR:
        raise ConfigError("span", seen=f"days of the years {first + 1} to {last - 1}", allowed="years 3 to 9997")
    if first_month not in range(1, 13):
        raise ConfigError("first_month", seen=first_month, allowed="1 to 12")
    years = range(first, last + 1)
    if span == "day":
        every = np.concatenate([_days_of_year(time_zone, year) for year in years])
    else:
        months = range(1, 13) if span == "month" else (first_month,)
        days = [_days_of_year(time_zone, year)[_day_of_year(year, month)] for year in years for month in months]
        every = np.array(days, np.int64)
    every = np.unique(every)
    low, high = np.searchsorted(every, start, "right") - 1, np.searchsorted(every, end, "left") + 1
    return every[low:high]


@lru_cache(_YEARS_KEPT)
def _days_of_year(time_zone: str, year: int) -> NDArray[np.int64]:
    """Return where the days of a local year begin; a midnight that a change of the clock leaves out is that change."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError("time_zone", seen=time_zone, allowed="an IANA name such as Asia/Shanghai") from None
    day, begins = date(year, 1, 1), []
    while day.year == year:
        begins.append((datetime.combine(day, time(), zone) - _EPOCH) // timedelta(microseconds=1))
        day += timedelta(days=1)
    return np.array(begins, np.int64)


def _day_of_year(year: int, month: int) -> int:
    return (date(year, month, 1) - date(year, 1, 1)).days
