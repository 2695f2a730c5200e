"""Parameters of tests: what a profile may write for each, how it is read, and what a change of unit does to it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import pairwise
from typing import Any

__all__ = ["PERIODS", "Parameter", "Role", "microseconds", "moment", "seconds"]

PERIODS: Mapping[str, tuple[int, int]] = {
    "year": (1, 9999),
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day_of_year": (1, 366),
    "day_of_week": (0, 6),
    "hour": (0, 23),
}
"""Parts of the calendar that a climatology member may name, with their first and last number (Monday is 0)."""


class Role(Enum):
    """What a parameter's value is, and so what a change of unit does to it."""

    SPAN = "two numbers, the lower first"
    DIFFERENCE = "a number above 0"
    DURATION = 'a time such as "90 s", "15 min", "2 h", "1 day", or a number of seconds; down a cast "5 m"'
    CHOICE = "one of the names"
    FACTOR = "a number above 0 that has no unit"
    PERCENT = "a number from 0 to 100"
    COUNT = "a whole number above 0"
    DISTANCE = "metres, above 0"
    PLACE = "[latitude, longitude] in degrees"
    BOUNDS = "[west, south, east, north] in degrees"
    MOMENT = "a date such as 2020-01-31 or 2020-01-31T08:00:00Z"
    OFFSET = 'hours from UTC such as "+08:00"'
    NAME = "the key of an observed property at the same Thing, or of a Datastream"
    MEMBERS = "a list of tables with period, time, depth, suspect, fail"
    DOUBTS = "a list of tables with from, to (absent: for ever) and reason"
    CURVE = "a list of at least two rows [other value, low, high], the other value rising"


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "days": 86400.0, "d": 86400.0, "m": 1.0}
_TIME = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|h|days?|d|m)\s*")
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
_MEMBER_KEYS = ("period", "time", "depth", "suspect", "fail")


def seconds(value: object) -> float:
    """Return a time in seconds, or a length in metres.

    Parameters
    ----------
    value : str or number
        "90 s", "15 min", "2 h", "1 day", "5 m" (metres, down a cast), or seconds.

    Returns
    -------
    float
        Seconds or metres, above 0.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> seconds("15 min")
    900.0
    """
    if isinstance(value, str):
        found = _TIME.fullmatch(value)
        number = float(found[1]) * _SECONDS[found[2]] if found else math.nan
    else:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number < math.inf:
        raise ValueError(Role.DURATION.value)
    return number


def microseconds(value: float) -> float:
    """Return a time in whole µs: 4.1 min are 246 s and not a little less, or a step as long would exceed them.

    Examples
    --------
    >>> microseconds(seconds("4.1 min"))
    246000000.0
    """
    return float(round(value * 1e6)) if math.isfinite(value) else value


def moment(value: object) -> int:
    """Return a date or a time as µs since 1970 UTC; without a zone it is UTC.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> moment("1970-01-02")
    86400000000
    """
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(Role.MOMENT.value) from None
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a test.

    Parameters
    ----------
    role : Role
        What its value is.
    meaning : str
        One line for the documentation.
    choices : tuple of str
        The names allowed, for `Role.CHOICE`.
    default : object
        The value when a profile says nothing; None: absent.
    """

    role: Role
    meaning: str
    choices: tuple[str, ...] = ()
    default: Any = None

    def read(self, value: object) -> Any:  # noqa: ANN401 -- a number, a pair or a name, by role
        """Return the value as kept.

        Raises
        ------
        ValueError
            If it is not what the role asks for; the message is what would be allowed.
        """
        if self.role is Role.CHOICE:
            if value not in self.choices:
                raise ValueError(", ".join(self.choices))
            return value
        return _READERS[self.role](value)

    def scaled(self, value: Any, scale: float, offset: float) -> Any:  # noqa: ANN401 -- as `read`
        """Return the value in another unit, where ``new = scale · old + offset``."""
        if self.role is Role.SPAN:
            return _scaled_span(value, scale, offset)
        if self.role is Role.MEMBERS:
            return tuple(
                member
                | {key: list(_scaled_span(member[key], scale, offset)) for key in ("suspect", "fail") if key in member}
                for member in value
            )
        if self.role is Role.CURVE:
            return tuple([other, *_scaled_span(span, scale, offset)] for other, *span in value)
        return value * abs(scale) if self.role is Role.DIFFERENCE else value


def _scaled_span(span: Any, scale: float, offset: float) -> tuple[float, float]:  # noqa: ANN401 -- a pair
    low, high = sorted(item * scale + offset for item in span)
    return (low, high)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number")
    return float(value)


def _numbers(value: object, count: int, role: Role) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != count:
        raise ValueError(role.value)
    return [_number(item) for item in value]


def _span(value: object) -> tuple[float, float]:
    low, high = _numbers(value, 2, Role.SPAN)
    if low > high:
        raise ValueError(Role.SPAN.value)
    return (low, high)


def _above_zero(role: Role) -> Callable[[object], float]:
    def read(value: object) -> float:
        number = _number(value)
        if number <= 0:
            raise ValueError(role.value)
        return number

    return read


def _percent(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 100:
        raise ValueError(Role.PERCENT.value)
    return number


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(Role.COUNT.value)
    return value


def _place(value: object) -> tuple[float, float]:
    latitude, longitude = _numbers(value, 2, Role.PLACE)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError(Role.PLACE.value)
    return (latitude, longitude)


def _bounds(value: object) -> tuple[float, float, float, float]:
    west, south, east, north = _numbers(value, 4, Role.BOUNDS)
    if south > north or max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > 180:
        raise ValueError(Role.BOUNDS.value)
    return (west, south, east, north)


def _moment(value: object) -> str:
    moment(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _offset(value: object) -> str:
    if not isinstance(value, str) or not _OFFSET.fullmatch(value):
        raise ValueError(Role.OFFSET.value)
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(Role.NAME.value)
    return value


def _curve(value: object) -> tuple[list[float], ...]:
    if not isinstance(value, list | tuple) or len(value) < 2:
        raise ValueError(Role.CURVE.value)
    rows = tuple(_numbers(row, 3, Role.CURVE) for row in value)
    if any(later[0] <= row[0] for row, later in pairwise(rows)) or any(r[1] > r[2] for r in rows):
        raise ValueError(Role.CURVE.value)
    return rows


def _members(value: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(Role.MEMBERS.value)
    return tuple(_member(item) for item in value)


def _member(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping) or set(item) - set(_MEMBER_KEYS):
        raise ValueError(f"tables with {', '.join(_MEMBER_KEYS)}")
    if "suspect" not in item and "fail" not in item:
        raise ValueError("a suspect span, a fail span or both in every member")
    read: dict[str, Any] = {key: list(_span(item[key])) for key in ("suspect", "fail", "depth") if key in item}
    if all(key in read for key in ("suspect", "fail")):
        (low, high), (least, most) = read["suspect"], read["fail"]
        if low < least or high > most:
            raise ValueError(f"suspect {read['suspect']} inside fail {read['fail']}")
    period, time = item.get("period"), item.get("time")
    if period is None and time is None:
        return read
    if not isinstance(time, list | tuple) or len(time) != 2:
        raise ValueError("time = [from, to] in every member that has a period")
    if period is None:
        first, last = (_moment(end) for end in time)
        if moment(first) > moment(last):
            raise ValueError("time = [from, to], the earlier date first")
        return read | {"time": [first, last]}
    if period not in PERIODS:
        raise ValueError(f"period = {', '.join(PERIODS)}")
    lowest, highest = PERIODS[period]
    if not all(isinstance(end, int) and not isinstance(end, bool) and lowest <= end <= highest for end in time):
        raise ValueError(f"time = two whole numbers from {lowest} to {highest} for {period}")
    return read | {"period": period, "time": list(time)}


def _doubts(value: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(Role.DOUBTS.value)  # noqa: TRY004 -- as every reader: what would be allowed
    return tuple(_doubt(item) for item in value)


def _doubt(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping) or "from" not in item or set(item) - {"from", "to", "reason"}:
        raise ValueError(Role.DOUBTS.value)
    read = {key: _moment(item[key]) for key in ("from", "to") if key in item}
    if "to" in read and moment(read["from"]) >= moment(read["to"]):
        raise ValueError("from before to")
    return read | {"reason": _name(item["reason"])} if "reason" in item else read


_READERS: Mapping[Role, Callable[[object], Any]] = {
    Role.SPAN: _span,
    Role.DIFFERENCE: _above_zero(Role.DIFFERENCE),
    Role.DURATION: seconds,
    Role.FACTOR: _above_zero(Role.FACTOR),
    Role.PERCENT: _percent,
    Role.COUNT: _count,
    Role.DISTANCE: _above_zero(Role.DISTANCE),
    Role.PLACE: _place,
    Role.BOUNDS: _bounds,
    Role.MOMENT: _moment,
    Role.OFFSET: _offset,
    Role.NAME: _name,
    Role.MEMBERS: _members,
    Role.DOUBTS: _doubts,
    Role.CURVE: _curve,
}
