"""An instrument's own clock in registers, both ways: six numbers, or BCD; wall-clock time of a zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

__all__ = ["clock_time", "clock_words"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def clock_time(words: Sequence[int], zone: str) -> int:
    """Return what a clock shows as µs since 1970 UTC.

    Parameters
    ----------
    words : sequence of int
        Six: year, month, day, hour, minute, second. Three: YYMM, DDhh, mmss in BCD. A year below 100 is of this
        century.
    zone : str
        The clock's, as IANA names it.

    Returns
    -------
    int
        0 where it shows no time: an instrument that has measured nothing yet shows zeros.

    Examples
    --------
    >>> clock_time([2024, 7, 1, 12, 0, 0], "Asia/Shanghai") == clock_time([0x2407, 0x0112, 0x0000], "Asia/Shanghai")
    True
    """
    numbers = list(words)
    if len(words) == 3:
        digits = "".join(f"{word:04X}" for word in words)
        if not digits.isdecimal():
            return 0
        numbers = [int(digits[i : i + 2]) for i in range(0, 12, 2)]
    year, month, day, hour, minute, second = numbers
    year += 2000 if year < 100 else 0
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=ZoneInfo(zone))
    except (ValueError, OverflowError):
        return 0
    return max((moment - _EPOCH) // _MICROSECOND, 0)


def clock_words(time: int, zone: str, *, is_bcd: bool) -> list[int]:
    """Return what a clock shows at a time: the inverse of `clock_time`, to the second."""
    moment = (_EPOCH + dt.timedelta(microseconds=time)).astimezone(ZoneInfo(zone))
    if is_bcd:
        digits = f"{moment:%y%m%d%H%M%S}"
        return [int(digits[i : i + 4], 16) for i in range(0, 12, 4)]
    return [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
