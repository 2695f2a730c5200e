"""What the fields of NMEA 0183 sentences hold: numbers, positions, times; a null field is None, never 0."""

from __future__ import annotations

import datetime as dt
import re

from nilometer.errors import FrameError

__all__ = ["calendar_date", "day_month_year", "month_day_year", "number", "position", "text_number", "time_of_day"]

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})")
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{0,9}))?")
_ANGLE = re.compile(r"(\d{1,3})(\d\d)(?:\.(\d{0,12}))?")
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)")

US = 1_000_000


def number(text: str) -> float | None:
    """Return the number of a field, or None for a null field.

    Raises
    ------
    FrameError
        If the field holds anything else; exponents, ``nan`` and ``inf`` are no NMEA numbers.

    Examples
    --------
    >>> number("+03.1"), number(""), number("00.0")
    (3.1, None, 0.0)
    """
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise FrameError(f"number: {text!r}")
    return float(text)


def text_number(value: float, decimals: int) -> str:
    """Return a number as a field holds it; empty for NaN."""
    return "" if value != value else f"{value:.{decimals}f}"  # noqa: PLR0124 -- the test for NaN without a library


def position(angle: str, hemisphere: str, *, most: int) -> float | None:
    """Return ``dddmm.mmmm`` and its hemisphere in degrees, as finely as it was written.

    Parameters
    ----------
    angle : str
        Degrees and minutes.
    hemisphere : str
        N or S, E or W.
    most : int
        90 for a latitude, 180 for a longitude.

    Raises
    ------
    FrameError
        If it is not a position on Earth.

    Examples
    --------
    >>> position("08835.9993", "W", most=180)
    -88.599988
    """
    if not angle:
        return None
    match = _ANGLE.fullmatch(angle)
    allowed = "NS" if most == 90 else "EW"
    if not match or len(hemisphere) != 1 or hemisphere not in allowed:
        raise FrameError(f"position: {angle!r} {hemisphere!r}")
    minutes = float(f"{match[2]}.{match[3] or 0}")
    degrees = int(match[1]) + minutes / 60.0
    if minutes >= 60.0 or degrees > most:
        raise FrameError(f"position: {angle!r} {hemisphere!r}")
    # A digit of a minute is worth 1/60 of a degree: two more decimals lose nothing and invent nothing.
    degrees = round(degrees, max(6, len(match[3] or "") + 2))
    return -degrees if hemisphere in "SW" else degrees


def time_of_day(text: str) -> int | None:
    """Return ``hhmmss.ss`` as µs since midnight; a leap second is the next day's first.

    Raises
    ------
    FrameError
        If it is no time.

    Examples
    --------
    >>> time_of_day("160012.71")
    57612710000
    """
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if not match or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 60:
        raise FrameError(f"date_time: time {text!r}")
    fraction = int((match[4] or "").ljust(6, "0")[:6])
    return ((int(match[1]) * 60 + int(match[2])) * 60 + int(match[3])) * US + fraction


def day_month_year(text: str) -> int | None:
    """Return ``ddmmyy`` of RMC as µs of that midnight since 1970 UTC; 00 to 79 are the 2000s.

    Raises
    ------
    FrameError
        If it is no date.
    """
    match = _match_date(text)
    return match and calendar_date(_century(match[3]), int(match[2]), int(match[1]))


def month_day_year(text: str) -> int | None:
    """Return ``mmddyy`` of a Nortek sentence as `day_month_year` does."""
    match = _match_date(text)
    return match and calendar_date(_century(match[3]), int(match[1]), int(match[2]))


def calendar_date(year: int, month: int, day: int) -> int:
    """Return a date as µs of its midnight since 1970 UTC.

    Raises
    ------
    FrameError
        If there is no such day.
    """
    try:
        date = dt.datetime(year, month, day, tzinfo=dt.UTC)
    except ValueError as error:
        raise FrameError(f"date_time: {error}") from error
    return int(date.timestamp()) * US


def _match_date(text: str) -> re.Match[str] | None:
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if not match:
        raise FrameError(f"date_time: date {text!r}")
    return match


def _century(two_digits: str) -> int:
    return int(two_digits) + (2000 if int(two_digits) < 80 else 1900)
