"""A JSON body of one row, as a logger sends it after each measurement: read without columns, stored with others.

Only what is beyond doubt is read here: one Datastream, one UTC time in ISO 8601, one finite number. For any other body,
a faulty one above all, the way of many rows has the words.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from nilometer.errors import RequestError
from nilometer.web.times import parse_time

__all__ = ["MOST_BYTES", "OneRow", "read_one_row"]

MOST_BYTES = 512
"""A larger body is not tried."""

_EXACT = 2.0**53
_Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]


class OneRow(NamedTuple):
    """A Datastream's key or id, µs since 1970 UTC, and a result."""

    datastream: str | int
    time: int
    result: float


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    datastream: tuple[str | int]
    phenomenon_time: tuple[_Time]
    result: tuple[float]


_decoder = msgspec.json.Decoder(_Body)


def read_one_row(body: bytes) -> OneRow | None:
    """Return the row of a body; None: it is not one row, or not a plain one.

    Examples
    --------
    >>> read_one_row(b'{"datastream": ["r/ph"], "phenomenon_time": ["1970-01-01T00:00:01Z"], "result": [7.2]}')
    OneRow(datastream='r/ph', time=1000000, result=7.2)
    """
    try:
        found = _decoder.decode(body)
        time = parse_time(found.phenomenon_time[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RequestError):
        return None
    result = found.result[0]
    # A whole number that float64 does not hold is no plain one.
    return OneRow(found.datastream[0], time, result) if -_EXACT <= result <= _EXACT else None
