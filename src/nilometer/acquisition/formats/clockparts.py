"""Times whose year, month, day, hour and minute stand in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ClockParts", "clock_parts"]

# Months and minutes are told apart by their case (MM, mm) or by their place.
_YEAR = re.compile(r"^(#?(yy|yyyy|yr|year)|年)$", re.IGNORECASE)
_MONTH = re.compile(r"^(MM|mo|month|月)$|^(?i:month|mo)$")
_DAY = re.compile(r"^(dd|dy|day|日)$", re.IGNORECASE)
_HOUR = re.compile(r"^(hh|hr|hour|时|小时)$", re.IGNORECASE)
_MINUTE = re.compile(r"^(mm|mn|min|(?i:minute)|分|分钟)$")
_SECOND = re.compile(r"^(ss|sec|second|秒)$", re.IGNORECASE)


class ClockParts(NamedTuple):
    """Where the parts stand, and the times that they make as text."""

    positions: tuple[int, ...]
    words: Any


def clock_parts(names: Sequence[str], columns: Sequence[Any]) -> ClockParts | None:
    """Return the times that columns of parts make; None where year, month, day and hour are not all there.

    Parameters
    ----------
    names : sequence of str
        Of the columns; ``YY MM DD hh mm`` as well as ``Year Month Day Hour Minute``.
    columns : sequence of pyarrow arrays
        Text or whole numbers.
    """
    found = []
    for pattern in (_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND):
        at = next((at for at, name in enumerate(names) if pattern.match(name.strip()) and at not in found), None)
        if at is None:
            break
        found.append(at)
    if len(found) < 4:
        return None
    texts: list[Any] = [_padded(columns[at]) for at in found]
    if any(text is None for text in texts):
        return None
    texts[0] = pc.replace_substring_regex(texts[0], r"^([0-6]\d)$", r"20\1")
    texts[0] = pc.replace_substring_regex(texts[0], r"^([7-9]\d)$", r"19\1")
    texts += [pa.array(["00"] * len(texts[0]))] * (6 - len(texts))
    day = pc.binary_join_element_wise(*texts[:3], "-")
    clock = pc.binary_join_element_wise(*texts[3:], ":")
    return ClockParts(tuple(found), pc.binary_join_element_wise(day, clock, " "))


def _padded(column: Any) -> Any | None:  # noqa: ANN401 -- pyarrow has no types
    kind = column.type
    if pa.types.is_integer(kind):
        column = column.cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    return pc.utf8_lpad(pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), "")), 2, "0")
