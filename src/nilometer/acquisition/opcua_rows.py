"""Values of an OPC UA server to rows: which channel, which time, which mark, and what is said of odd clocks.

A value's time is its SourceTimestamp where that can be true, else its ServerTimestamp, else its arrival. A list gives
a channel for each of its elements; text gives no number and stands in the row's `extra`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from nilometer.acquisition.driver import Channel
from nilometer.acquisition.links.opcua import OpcuaValue, Plain
from nilometer.acquisition.rows import ChannelTable, Row
from nilometer.model.flags import QartodFlag

__all__ = ["NodeChannel", "TimeFrom", "ValueRows", "has_overflowed", "iso"]

TimeFrom = Literal["source", "server", "arrival"]
OLDEST_US = 946_684_800_000_000
"""2000-01-01: a clock that was never set counts from 1601 or 1970."""
MOST_ELEMENTS = 1000
EXACT = 2**53
_DATA_VALUE = 0x0400  # Part 4, 7.39.1: the low bits are those of a data value only then
_OVERFLOW = 0x0080
_LIMITS = ("", "low", "high", "constant")
_CHECKED = int(QartodFlag.NOT_EVALUATED)  # Without Sign nothing but TCP guards a value.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def has_overflowed(status: int) -> bool:
    """Return whether the server's queue was full, and values between this one and the last were dropped.

    Examples
    --------
    >>> has_overflowed(0x00000480), has_overflowed(0x00000080), has_overflowed(0)
    (True, False, False)
    """
    return status & (_DATA_VALUE | _OVERFLOW) == _DATA_VALUE | _OVERFLOW


@dataclass(frozen=True, slots=True)
class NodeChannel:
    """What the rows of a node are called, and are."""

    key: str
    unit: str | None = None
    observed_property: str | None = None
    name: str = ""


class ValueRows:
    """Rows of one source.

    Parameters
    ----------
    table : ChannelTable
        The source's channels.
    time : {"source", "server", "arrival"}
        The best time that may be taken.
    ahead_us : int
        How far ahead of us another clock may be.
    checked : bool
        Whether the channel is signed: then nobody changed a value on the way.
    """

    def __init__(
        self, table: ChannelTable, *, time: TimeFrom = "source", ahead_us: int = 300_000_000, checked: bool = False
    ) -> None:
        self._table, self._time, self._ahead_us = table, time, ahead_us
        self._syntax = int(QartodFlag.PASS) if checked else _CHECKED
        self._newest: dict[str, int] = {}

    def rows(self, item: OpcuaValue, node: NodeChannel, arrival: int, problems: list[str]) -> list[Row]:
        """Return a value's rows; what is worth saying is added to `problems`.

        Parameters
        ----------
        item : OpcuaValue
            As it came.
        node : NodeChannel
            What it is.
        arrival : int
            µs since 1970 UTC.
        """
        extra: dict[str, object] = {}
        time = self._moment(item, node, arrival, extra, problems)
        if item.status & _DATA_VALUE:
            limit = _LIMITS[item.status >> 8 & 3]
            extra |= {"limit": limit} if limit else {}
            extra |= {"overflow": True} if has_overflowed(item.status) else {}
        if not isinstance(item.value, list):
            return self._one(node, time, item.value, item.status_name, extra)
        if len(item.value) > MOST_ELEMENTS:
            problems.append(f"{node.key}: of {len(item.value)} elements the first {MOST_ELEMENTS} are taken")
        found: list[Row] = []
        for place, element in enumerate(item.value[:MOST_ELEMENTS]):
            one = NodeChannel(f"{node.key}.{place}", node.unit, node.observed_property, f"{node.name} {place}".strip())
            found += self._one(one, time, element, item.status_name, extra)
        return found

    def _one(self, node: NodeChannel, time: int, value: Plain, mark: str, shared: Mapping[str, object]) -> list[Row]:
        if node.key not in self._table and self._table.is_full:
            return []
        extra = dict(shared)
        number = math.nan
        if isinstance(value, bool | int | float):
            number = _float(value)
            if isinstance(value, int) and abs(value) > EXACT:
                extra["exact"] = str(value)
        elif value is not None:
            extra["value"] = str(value)[:200]
        if not math.isfinite(number):
            if isinstance(value, float):
                extra["value"] = f"{value:g}"  # The server sent NaN or infinity, and means it.
            number = math.nan
        index = self._table.index(
            node.key, lambda: Channel(node.key, node.observed_property, node.unit, node.name or node.key)
        )
        text = json.dumps(extra, ensure_ascii=False, sort_keys=True) if extra else None
        return [Row(index, time, number, mark=mark, extra=text, syntax=self._syntax)]

    def _moment(
        self, item: OpcuaValue, node: NodeChannel, arrival: int, extra: dict[str, object], problems: list[str]
    ) -> int:
        offered = {"source": (item.source_time, item.server_time), "server": (item.server_time,), "arrival": ()}
        for time in offered[self._time]:
            if time is None:
                continue
            if OLDEST_US <= time <= arrival + self._ahead_us:
                return time
            extra["device_time"] = iso(time)
            ahead_s = self._ahead_us / 1e6
            text = f"{node.key}: a clock is before 2000, or more than {ahead_s:g} s ahead; the next best time is taken"
            problems += [] if text in problems else [text]
        # Two values of a node never share a moment of arrival, for the second would be a revision of the first.
        time = self._newest[node.key] = max(arrival, self._newest.get(node.key, 0) + 1)
        return time


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.nan


def iso(time: int) -> str:
    """Return a time (µs since 1970 UTC) as text."""
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat()
    except OverflowError:
        return f"{time} µs since 1970"
