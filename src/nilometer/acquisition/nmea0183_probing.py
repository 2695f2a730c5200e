"""Find out what an NMEA 0183 line says: listen for a while, and count talkers, sentences, values and faults.

Only listens. Of a serial line several speeds are tried; at a wrong one hardly a line has a checksum that stands.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.driver import Channel, Clock
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.udp import UdpLink
from nilometer.acquisition.nmea0183_channels import channel_index, is_measurement, value_in_channel
from nilometer.acquisition.protocols.nmea0183 import LineSplitter, Sentence, StreamClock, content
from nilometer.acquisition.rows import ChannelTable
from nilometer.errors import FrameError, LinkError

__all__ = ["Heard", "Listener", "hear_datagrams", "hear_stream"]

MOST_SENTENCES = 500
"""Kinds of sentences that are counted: what comes off a wire may be mad."""
SOUND = 0.5
"""The share of lines that stand at the right speed, at least."""


@dataclass(slots=True)
class Heard:
    """One kind of sentence of one talker."""

    talker: str
    sentence: str
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    unchecked: int = 0
    is_known: bool = False
    values: dict[str, tuple[Channel, float]] = field(default_factory=dict)

    @property
    def rate_hz(self) -> float | None:
        """Return how often it comes, Hz; None where it came once."""
        span = self.last_s - self.first_s
        return (self.count - 1) / span if self.count > 1 and span > 0 else None


class Listener:
    """What was heard.

    Parameters
    ----------
    clock : Clock
        The present, µs since 1970 UTC, beside which the stream's own clock is put.
    now_s : callable
        A clock that only runs forward, s.
    """

    def __init__(self, clock: Clock, now_s: Callable[[], float]) -> None:
        self._clock, self._now_s = clock, now_s
        self._table = ChannelTable()
        self._stream = StreamClock()
        self.sentences: dict[tuple[str, str], Heard] = {}
        self.bad: Counter[str] = Counter()
        self.bytes = 0
        self.clock_ahead_s: float | None = None
        self.has_position = False

    @property
    def sound(self) -> float:
        """Return the share of lines that stood."""
        good = sum(one.count for one in self.sentences.values())
        return good / (good + self.bad.total()) if good else 0.0

    @property
    def needs_no_checksum(self) -> bool:
        """Say whether sentences come without a checksum."""
        return any(one.unchecked for one in self.sentences.values())

    def doubled(self) -> list[str]:
        """Return sentences that several talkers say: their values would meet in one channel."""
        names = Counter(name for talker, name in self.sentences if talker != "P")
        return sorted(
            name
            for name, count in names.items()
            if count > 1 and any(one.values for (_, other), one in self.sentences.items() if other == name)
        )

    def take(self, lines: Iterable[Sentence | BadFrame]) -> None:
        """Take what was heard."""
        for line in lines:
            if isinstance(line, BadFrame):
                self.bad[line.error.partition(":")[0]] += 1
                continue
            try:
                self._count(line)
            except FrameError as error:
                self.bad[str(error).partition(":")[0]] += 1

    def _count(self, line: Sentence) -> None:
        said = content(line)
        place = (line.talker, line.name)
        if place not in self.sentences and len(self.sentences) >= MOST_SENTENCES:
            return
        heard = self.sentences.setdefault(place, Heard(line.talker, line.name, first_s=self._now_s()))
        heard.count += 1
        heard.last_s = self._now_s()
        heard.unchecked += not line.checked
        if said is None:
            return
        heard.is_known = True
        if said.fix is not None:
            self.has_position = self.has_position or said.fix.latitude is not None
            now = self._clock()
            self._stream.hear(said.fix, now)
            if self._stream.now is not None and self._stream.arrival == now:
                self.clock_ahead_s = (self._stream.now - now) / 1e6
        for reading in said.readings:
            if not is_measurement(reading):
                continue
            index = channel_index(self._table, line, reading, {}, by_talker=False)
            if index is not None:
                channel = self._table[index]
                heard.values[channel.key] = (channel, value_in_channel(channel, reading))


async def hear_stream(listener: Listener, link: Link, seconds: float) -> None:
    """Listen to a stream for a time, or until it is cut."""

    async def hear() -> None:
        lines = LineSplitter()
        while True:
            data = await link.read()
            listener.bytes += len(data)
            listener.take(lines.feed(data))

    await _within(hear(), seconds)


async def hear_datagrams(listener: Listener, socket: UdpLink, seconds: float) -> None:
    """Listen to datagrams for a time: each holds whole sentences."""

    async def hear() -> None:
        while True:
            data, _ = await socket.receive()
            listener.bytes += len(data)
            lines = LineSplitter()
            listener.take([*lines.feed(data), *lines.close(whole=True)])

    await _within(hear(), seconds)


async def _within(heard: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await heard
    except (TimeoutError, LinkError):
        return  # What was heard until then counts.
