"""Numbers and times of SL 651's HEX/BCD coding, both ways.

A number is packed BCD without its point; the byte after the identifier says how many bytes it takes (upper 5 bits)
and how many decimals it has (lower 3). A first byte FF says that it is negative, all FF that there is none.

References
----------
SL 651-2014 sections 6.6.2.5, 6.6.3.3, 6.6.4.4 d, Table 26.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from nilometer.errors import FrameError

__all__ = ["CHINA", "bcd_number", "bcd_time", "definition_of", "number_bcd", "time_bcd"]

CHINA = ZoneInfo("Asia/Shanghai")
"""The zone of a station's clock where none is configured: the wire names none."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def bcd_number(data: bytes, decimals: int) -> float:
    """Return a packed number; NaN where the station has none (all FF).

    Raises
    ------
    FrameError
        If a digit is none.

    Examples
    --------
    >>> bcd_number(bytes.fromhex("00010490"), 3), bcd_number(bytes.fromhex("FF00001234"), 3)
    (10.49, -1.234)
    """
    digits = data.hex()
    is_negative = digits.startswith("ff")
    if is_negative:
        if data.count(0xFF) == len(data):
            return math.nan
        digits = digits[2:]
    if not digits.isdecimal():
        raise FrameError(f"number: {data.hex().upper()} is no BCD", frame=data)
    # Divided, the nearest number to what is written; multiplied by 0.001 it may not be.
    value: float = int(digits) / 10**decimals
    return -value if is_negative else value


def definition_of(size: int, decimals: int) -> int:
    """Return the byte that says how wide a number is and how many decimals it has."""
    return size << 3 | decimals


def number_bcd(value: float, digits: int, decimals: int) -> tuple[int, bytes]:
    """Return the definition byte and the packed number; NaN gives all FF.

    Parameters
    ----------
    value : float
        In the element's unit; rounded half to even at its decimals (GB/T 8170), in decimal arithmetic.
    digits, decimals : int
        N(digits, decimals) of the standard.

    Raises
    ------
    ValueError
        If the value has more digits than that, or is infinite.

    Examples
    --------
    >>> definition, data = number_bcd(-1.234, 7, 3)
    >>> f"{definition:02X} {data.hex()}"
    '2B ff00001234'
    """
    size = (digits + 1) // 2
    if math.isnan(value):
        return definition_of(size, decimals), b"\xff" * size
    if math.isinf(value):
        raise ValueError("an infinite value has no digits")
    scaled = Decimal(repr(value)).scaleb(decimals).quantize(Decimal(1), ROUND_HALF_EVEN)
    text = str(abs(int(scaled)))
    if len(text) > digits:
        raise ValueError(f"{value:g} does not fit into N({digits},{decimals})")
    data = bytes.fromhex(text.rjust(2 * size, "0"))
    if scaled < 0:
        return definition_of(size + 1, decimals), b"\xff" + data
    return definition_of(size, decimals), data


def bcd_time(digits: str, zone: dt.tzinfo) -> int:
    """Return ``YYMMDDHHmm`` or ``YYMMDDHHmmSS`` of a station's clock as µs since 1970 UTC.

    Raises
    ------
    FrameError
        If it is no time.

    Examples
    --------
    >>> bcd_time("1707181100", CHINA)
    1500346800000000
    """
    if len(digits) not in {8, 10, 12} or not (digits.isascii() and digits.isdecimal()):
        raise FrameError(f"time: {digits!r} is not YYMMDDHHmm")
    year, month, day, hour, *rest = (int(digits[i : i + 2]) for i in range(0, len(digits), 2))
    minute, second = (*rest, 0, 0)[:2]
    try:
        moment = dt.datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise FrameError(f"time: {digits!r}: {error}") from error
    return (moment - _EPOCH) // _MICROSECOND


def time_bcd(time: int, zone: dt.tzinfo, digits: int = 12) -> str:
    """Return µs since 1970 UTC as the digits of a station's clock: 8 (the hour), 10 (the minute) or 12 (the second).

    Examples
    --------
    >>> time_bcd(1500346800000000, CHINA, 10)
    '1707181100'
    """
    moment = (_EPOCH + dt.timedelta(microseconds=time)).astimezone(zone)
    return f"{moment:%y%m%d%H%M%S}"[:digits]
