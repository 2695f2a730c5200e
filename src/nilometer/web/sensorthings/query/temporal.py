"""Times of the query language: durations, dates and clocks as written, and what is asked of arrays of µs since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import RequestError
from nilometer.web.times import parse_interval

__all__ = [
    "FIRST_US",
    "LAST_US",
    "PARTS",
    "RELATIONS",
    "parse_clock",
    "parse_date",
    "parse_duration",
    "read_interval",
]

FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: a time that arithmetic leads beyond is null."""
DAY_US = 86_400_000_000
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d{1,9})W|(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,12})(?P<part>\.\d+)?S)?)?)",
    re.ASCII,
)
_UNITS = {"weeks": 7 * DAY_US, "days": DAY_US, "hours": 3_600_000_000, "minutes": 60_000_000, "seconds": 1_000_000}
_EPOCH = date(1970, 1, 1)


def parse_duration(text: str, place: str) -> int:
    """Return an ISO 8601 duration as µs; years and months have no fixed length and are refused.

    Examples
    --------
    >>> parse_duration("PT1H0.5S", "")
    3600500000
    """
    match = _DURATION.fullmatch(text)
    if match is None or text[-1:] in {"P", "T"}:
        raise RequestError(f"{text[:40]!r} is not a duration of days and times, such as P1DT2H30M", place=place)
    total = sum(int(match[name] or 0) * unit for name, unit in _UNITS.items())
    total += int((match["part"] or ".0")[1:7].ljust(6, "0"))
    if total > LAST_US - FIRST_US:
        raise RequestError(f"{text[:40]!r} is longer than ten thousand years", place=place)
    return -total if match["sign"] == "-" else total


def parse_date(text: str, place: str) -> int:
    """Return ``2021-03-05`` as days since 1970."""
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError as error:
        raise RequestError(f"{text[:40]!r} is not a date: {error}", place=place) from error


def parse_clock(text: str, place: str) -> int:
    """Return ``12:30:15.5`` as µs of the day."""
    try:
        # A fraction may have any number of digits; the interpreter reads six.
        moment = datetime.fromisoformat(f"1970-01-01T{text[:15]}+00:00")
    except ValueError as error:
        raise RequestError(f"{text[:40]!r} is not a time of day: {error}", place=place) from error
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def read_interval(value: object) -> tuple[int, int] | None:
    """Return the start and the end of what JSON says of a time or an interval; None where it says none."""
    if not isinstance(value, str) or len(value) > 100:
        return None
    try:
        start, duration = parse_interval(value)
    except RequestError:
        return None
    return start, start + duration


def _calendar(unit: str, base: str) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    def part(moments: NDArray[np.int64]) -> NDArray[np.int64]:
        at = moments.astype("datetime64[us]")
        passed = at.astype(f"datetime64[{unit}]") - at.astype(f"datetime64[{base}]")
        return np.asarray(passed.astype(np.int64) + 1)

    return part


def _year(moments: NDArray[np.int64]) -> NDArray[np.int64]:
    return moments.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970


PARTS: dict[str, Callable[[NDArray[np.int64]], Any]] = {
    "year": _year,
    "month": _calendar("M", "Y"),
    "day": _calendar("D", "M"),
    "hour": lambda moments: moments // 3_600_000_000 % 24,
    "minute": lambda moments: moments // 60_000_000 % 60,
    "second": lambda moments: moments // 1_000_000 % 60,
    "fractionalseconds": lambda moments: moments % 1_000_000 / 1e6,
    "totaloffsetminutes": np.zeros_like,  # what is stored is UTC
}
"""Parts of times in UTC; numbers."""

Ends = tuple[NDArray[np.int64], NDArray[np.int64]]


def _before(a: Ends, b: Ends) -> NDArray[np.bool_]:
    return (a[1] <= b[0]) & (a[0] < b[0])


def _at_most(a: Ends, b: Ends) -> NDArray[np.bool_]:
    return (a[0] <= b[0]) & (a[1] <= b[1])


RELATIONS: dict[str, Callable[[Ends, Ends], NDArray[np.bool_]]] = {
    "eq": lambda a, b: (a[0] == b[0]) & (a[1] == b[1]),
    "ne": lambda a, b: (a[0] != b[0]) | (a[1] != b[1]),
    "lt": _before,
    "gt": lambda a, b: (a[0] >= b[1]) & (a[0] > b[0]),
    "le": _at_most,
    "ge": lambda a, b: _at_most(b, a),
    "before": _before,
    "after": lambda a, b: (a[0] >= b[1]) & (a[0] > b[0]),
    "meets": lambda a, b: (a[0] == b[1]) | (a[1] == b[0]),
    "during": lambda a, b: (b[0] <= a[0]) & (b[1] > a[0]) & (b[1] >= a[1]),
    "overlaps": lambda a, b: ((a[0] < b[1]) & (b[0] < a[1])) | (a[0] == b[0]),
    "starts": lambda a, b: a[0] == b[0],
    "finishes": lambda a, b: a[1] == b[1],
}
"""How two intervals lie, an instant being one whose ends are the same; intervals do not hold their end.

As the reference server has them, so that clients find what they are used to: an interval is before an instant if it
has ended by then, and after one if it begins later; ``le`` and ``ge`` ask it of both ends.
"""
