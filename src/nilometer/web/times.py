"""Times as HTTP speaks them: ISO 8601 with an offset in, UTC with ``Z`` out; inside, µs since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import RequestError

__all__ = [
    "bare_times",
    "format_interval",
    "format_time",
    "format_times",
    "parse_interval",
    "parse_moment",
    "parse_time",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|z|[+-]\d\d(:?\d\d)?)", re.ASCII)
_MILLISECONDS = re.compile(r"-?\d{1,15}(\.\d{1,3})?", re.ASCII)
_LAST = 253_402_300_799_999_999
_FIRST = -62_135_596_800_000_000


def parse_time(text: str, place: str = "") -> int:
    """Return an ISO 8601 time with its offset as µs since 1970 UTC.

    Parameters
    ----------
    text : str
        Such as ``2021-03-05T12:00:00.250+08:00``; digits beyond µs are dropped.
    place : str
        Where it stands, for the error.

    Raises
    ------
    RequestError
        If it is no such time, or has no offset.

    Examples
    --------
    >>> parse_time("1970-01-01T08:00:01+08:00")
    1000000
    """
    if not _SHAPE.fullmatch(text):
        raise RequestError(
            f"{text[:60]!r} is not a time; write it as 2021-03-05T12:00:00Z, with Z or an offset (+ as %2B in a URL)",
            place=place,
        )
    try:
        moment = datetime.fromisoformat(text.replace("z", "Z"))
        return (moment - _EPOCH) // _US
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{text[:60]!r} is not a time: {error}", place=place) from error


def parse_interval(text: str, place: str = "") -> tuple[int, int]:
    """Return ``start/end``, or one instant, as start and duration in µs.

    Raises
    ------
    RequestError
        If a part is no time or the end lies before the start.
    """
    start_text, slash, end_text = text.partition("/")
    start = parse_time(start_text, place)
    if not slash:
        return start, 0
    end = parse_time(end_text, place)
    if end < start:
        raise RequestError(f"the interval {text[:80]!r} ends before it starts", place=place)
    return start, end - start


def parse_moment(text: str | None, place: str) -> int | None:
    """Return a time of the native API, ISO 8601 or milliseconds since 1970 UTC, as µs; None for None or nothing.

    Raises
    ------
    RequestError
        If it is neither, or outside the years 1 to 9999.
    """
    if text is None or not text:
        return None
    if _MILLISECONDS.fullmatch(text):
        moment = round(float(text) * 1000) if "." in text else int(text) * 1000
        if not _FIRST <= moment <= _LAST:
            raise RequestError(f"{text} ms since 1970 lies outside the years 1 to 9999", place=place)
        return moment
    return parse_time(text.replace(" ", "+") if "T" in text else text, place)


def format_time(moment: int) -> str:
    """Return µs since 1970 as ISO 8601 in UTC with ms, or with µs where ms would lose some.

    Examples
    --------
    >>> format_time(1_000_250)
    '1970-01-01T00:00:01.000250Z'
    """
    return str(format_times(np.array([moment], np.int64))[0])


def format_times(moments: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return many times as ISO 8601 in UTC, each with ms, or with µs where ms would lose some."""
    text = np.datetime_as_string((moments // 1000).astype("datetime64[ms]"), unit="ms", timezone="UTC")
    finer = moments % 1000 != 0
    if finer.any():
        exact = np.datetime_as_string(moments.astype("datetime64[us]"), unit="us", timezone="UTC")
        return np.where(finer, exact, text)
    return text


def bare_times(moments: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return times as SensorThings has them: as `format_times`, without a fraction where it says nothing.

    Examples
    --------
    >>> bare_times(np.array([0, 250_000])).tolist()
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.250Z']
    """
    seconds = np.datetime_as_string((moments // 1_000_000).astype("datetime64[s]"), unit="s", timezone="UTC")
    whole = moments % 1_000_000 == 0
    return seconds if whole.all() else np.where(whole, seconds, format_times(moments))


def format_interval(start: int, duration: int) -> str:
    """Return an instant, or ``start/end`` where the duration is not 0, as SensorThings has them."""
    first, last = bare_times(np.array([start, start + duration], np.int64)).tolist()
    return f"{first}/{last}" if duration else str(first)
