"""Times of HJ 212: ``YYYYMMDDhhmmss`` of a station's own zone, which the wire never names."""

from __future__ import annotations

import datetime as dt
import re
from types import MappingProxyType

from nilometer.errors import FrameError

__all__ = ["INTERVALS", "interval_us", "iso_time", "station_time", "time_text"]

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})?")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

INTERVALS = MappingProxyType(
    {"2051": "minute", "2061": "hour", "2031": "day", "2041": "day", "2013": "cycle", "2111": "five_minutes"}
)
"""Commands whose values stand for an interval that starts at DataTime (2013: for an analyser's cycle)."""


def station_time(text: str, zone: dt.tzinfo) -> int:
    """Return a time of the wire as µs since 1970 UTC.

    Parameters
    ----------
    text : str
        14 digits, or 17 with milliseconds, as some stations send.
    zone : tzinfo
        The station's zone.

    Raises
    ------
    FrameError
        If it is no time.

    Examples
    --------
    >>> import zoneinfo
    >>> station_time("20160801085857", zoneinfo.ZoneInfo("Asia/Shanghai"))
    1470013137000000
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise FrameError(f"time: {text!r} is not YYYYMMDDhhmmss")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, int(match[7] or 0) * 1000, tzinfo=zone)
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise FrameError(f"time: {text!r}: {error}") from error


def time_text(time: int, zone: dt.tzinfo, *, milliseconds: bool = False) -> str:
    """Return µs since 1970 UTC as the wire writes it: 14 digits, or 17 (a QN).

    Examples
    --------
    >>> time_text(1470013137223000, dt.timezone(dt.timedelta(hours=8)), milliseconds=True)
    '20160801085857223'
    """
    moment = (_EPOCH + dt.timedelta(microseconds=time)).astimezone(zone)
    fraction = f"{moment.microsecond // 1000:03d}" if milliseconds else ""
    return f"{moment:%Y%m%d%H%M%S}{fraction}"


def iso_time(time: int, zone: dt.tzinfo) -> str:
    """Return µs since 1970 UTC as ISO 8601 in a station's zone."""
    moment = (_EPOCH + dt.timedelta(microseconds=time)).astimezone(zone)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def interval_us(command: str, start: int, zone: dt.tzinfo, *, minute_interval_min: int) -> int:
    """Return how long the interval is that a command's values stand for.

    Parameters
    ----------
    command : str
        CN of the upload.
    start : int
        µs since 1970 UTC.
    zone : tzinfo
        The station's: a day is its calendar day.
    minute_interval_min : int
        The station's MinInterval, min: minute data do not say it.

    Returns
    -------
    int
        µs; 0 for values that stand for a moment.
    """
    match INTERVALS.get(command):
        case "minute":
            return minute_interval_min * 60_000_000
        case "five_minutes":
            return 300_000_000
        case "hour":
            return 3_600_000_000
        case "day":
            day = (_EPOCH + dt.timedelta(microseconds=start)).astimezone(zone)
            # Wall-clock arithmetic inside the zone, then back: a day is 23 or 25 hours where clocks change.
            after = (day + dt.timedelta(days=1)).astimezone(dt.UTC)
            return (after - day.astimezone(dt.UTC)) // _MICROSECOND
        case _:
            return 0
