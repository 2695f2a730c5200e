"""Messages of a broker to rows: which channel, which time, and what is said of odd clocks and repeated messages.

A value's time is the message's own where it has one that can be true, else when the network took it, else its arrival.
Every time that was set aside is named in the row's `extra`.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from nilometer.acquisition.driver import Channel
from nilometer.acquisition.protocols.mqtt import Publish
from nilometer.acquisition.protocols.telemetry import Message, Said
from nilometer.acquisition.rows import ChannelTable, Row
from nilometer.acquisition.uplink_counters import Counters
from nilometer.errors import FrameError, UnitError
from nilometer.model.batch import NO_TIME
from nilometer.model.flags import QartodFlag
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["MessageRows", "TimeFrom"]

TimeFrom = Literal["message", "network", "arrival"]
OLDEST_US = 946_684_800_000_000
"""2000-01-01: a clock that was never set counts from 1970 or 1980."""
MOST_REMEMBERED = 20_000
_UNCHECKED = int(QartodFlag.NOT_EVALUATED)  # A payload bears no check value of its own.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageRows:
    """Rows of one source.

    Parameters
    ----------
    table : ChannelTable
        The source's channels.
    time : {"message", "network", "arrival"}
        Where times come from.
    ahead_us : int
        How far ahead of us another clock may be.
    """

    def __init__(self, table: ChannelTable, *, time: TimeFrom = "message", ahead_us: int = 300_000_000) -> None:
        self._table, self._time, self._ahead_us = table, time, ahead_us
        self._counters = Counters()
        self._arrivals: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._newest: dict[str, int] = {}

    def rows(self, publish: Publish, message: Message, arrival: int) -> list[Row]:
        """Return a message's rows; what is worth saying is added to its `problems`.

        Parameters
        ----------
        publish : Publish
            The message as it came.
        message : Message
            What it says.
        arrival : int
            µs since 1970 UTC.
        """
        clock = _Fallback(self, publish, arrival, self._network(publish, message, arrival))
        rows: list[Row] = []
        for said in message.values:
            time, extra = said.time, said.extra
            if time is None or self._time != "message":
                time, extra = clock.time(extra)
            elif not self._can_be(time, arrival):
                time, extra = clock.time(self._odd_clock(message, said, time))
            index = self._index(message, said)
            if index is not None:
                rows.append(_row(index, time, extra, said))
        return rows

    def _network(self, publish: Publish, message: Message, arrival: int) -> int | None:
        """Return when the network took a message, where that counts; a further copy is as old as the first."""
        received = message.received
        if message.counter is not None:
            content = hash(publish.payload if received is None else tuple(message.values))
            received, note = self._counters.hear(message.device, message.counter, content, received)
            if note:
                message.problems.append(note)
        if received is None or self._time == "arrival":
            return None
        if not self._can_be(received, arrival):
            message.problems.append(f"{message.device}: the network's clock says {_iso(received)}")
            return None
        return received

    def _can_be(self, time: int, arrival: int) -> bool:
        return OLDEST_US <= time <= arrival + self._ahead_us

    def _odd_clock(self, message: Message, said: Said, time: int) -> str | None:
        text = _iso(time)
        problem = f"{message.device or said.key}: its clock says {text}; the time of arrival is taken"
        if problem not in message.problems and len(message.problems) < 5:
            message.problems.append(problem)
        return _with(said.extra, "device_time", text)

    def arrival(self, publish: Publish, arrival: int) -> tuple[int, bool]:
        """Return the time of a message that has none, and whether it may have been stored before at another.

        Two messages of a topic never share a moment, for the second would be a revision of the first. A message that
        is delivered again keeps the moment of its first delivery.
        """
        place = (publish.topic, hash(publish.payload))
        if publish.dup:
            known = self._arrivals.get(place)
            if known is not None:
                return known, False
        time = max(arrival, self._newest.get(publish.topic, 0) + 1)
        if len(self._newest) >= MOST_REMEMBERED:
            self._newest.clear()
        self._newest[publish.topic] = time
        if publish.packet_id:
            self._arrivals[place] = time
            if len(self._arrivals) > MOST_REMEMBERED:
                self._arrivals.popitem(last=False)
        return time, publish.dup

    def _index(self, message: Message, said: Said) -> int | None:
        key = f"{message.device}/{said.key}" if message.device else said.key
        if key not in self._table:
            if self._table.is_full:
                raise FrameError(f"channels: {key!r} is one too many")
            if math.isnan(said.value) and said.mark is None:
                return None  # A null of something that never had a value makes no channel.
        return self._table.index(key, lambda: _channel(key, said))


@dataclass(slots=True)
class _Fallback:
    """The time of those values of one message that have none that counts; settled when it is first asked for."""

    rows: MessageRows
    publish: Publish
    arrival: int
    network: int | None
    redelivered: bool = False

    def time(self, extra: str | None) -> tuple[int, str | None]:
        if self.network is None:
            self.network, self.redelivered = self.rows.arrival(self.publish, self.arrival)
        return self.network, _with(extra, "redelivered", value=True) if self.redelivered else extra


def _row(index: int, time: int, extra: str | None, said: Said) -> Row:
    result_time = NO_TIME if said.result_time is None else said.result_time
    return Row(
        index,
        time,
        said.value,
        duration=said.duration,
        result_time=result_time,
        mark=said.mark,
        extra=extra,
        syntax=_UNCHECKED,
    )


def _channel(key: str, said: Said) -> Channel:
    unit = None
    if said.unit is not None:
        try:
            unit = canonical(said.unit)
        except UnitError:
            unit = None
    name = said.key.rsplit(".", 1)[-1]
    observed = said.observed_property
    if observed is None:
        # A name out of the vocabulary means it; where no unit is said, in the vocabulary's.
        term = vocabulary().get(name)
        if term is not None and (unit is None or same_dimension(unit, term.unit)):
            observed, unit = term.key, unit or term.unit
    return Channel(key, observed, unit, said.key.replace("_", " "))


def _with(extra: str | None, name: str, value: object) -> str:
    return json.dumps({**(json.loads(extra) if extra else {}), name: value}, ensure_ascii=False, sort_keys=True)


def _iso(time: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat()
    except OverflowError:
        return f"{time} µs since 1970"
