"""Windows and days of a Thing: days, weeks and months are counted in its own time zone, times are µs in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nilometer.errors import ConfigError

__all__ = ["WINDOWS", "days", "window_start"]

WINDOWS: dict[str, timedelta | None] = {
    "hour": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": None,
}
"""The windows that end now; a month is the calendar's, back to the same local time of the month before."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def window_start(name: str, end: int, time_zone: str = "UTC") -> int:
    """Return the start of a window that ends at `end`, µs since 1970 UTC.

    Raises
    ------
    ConfigError
        If there is no window or no time zone of that name.

    Examples
    --------
    >>> window_start("hour", 3_600_000_000)
    0
    """
    if name not in WINDOWS:
        raise ConfigError("window", seen=name, allowed=", ".join(WINDOWS))
    length = WINDOWS[name]
    if length is not None:
        return end - length // _MICROSECOND
    local = _local(end, time_zone)
    year, month = (local.year, local.month - 1) if local.month > 1 else (local.year - 1, 12)
    last = (datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)).day
    return _us(local.replace(year=year, month=month, day=min(local.day, last)))


def days(start: int, end: int, time_zone: str = "UTC") -> list[int]:
    """Return the edges of the local days that hold any of [start, end): one more than the days, µs since 1970 UTC.

    A day of summer time's change has 23 or 25 hours.

    Raises
    ------
    ConfigError
        If there is no time zone of that name.

    Examples
    --------
    >>> [edge // 3_600_000_000 for edge in days(0, 90_000_000_000, "Asia/Shanghai")]
    [-8, 16, 40]
    """
    if end <= start:
        return []
    zone = _zone(time_zone)
    day = _local(start, time_zone).date()
    edges = [_us(datetime.combine(day, time(), zone))]
    while edges[-1] < end:
        day += timedelta(days=1)
        edges.append(_us(datetime.combine(day, time(), zone)))
    return edges


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError("time_zone", seen=name, allowed="an IANA name such as Asia/Shanghai") from None


def _local(moment: int, time_zone: str) -> datetime:
    return (_EPOCH + timedelta(microseconds=moment)).astimezone(_zone(time_zone))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
