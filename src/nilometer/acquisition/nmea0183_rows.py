"""Sentences of one NMEA 0183 stream to rows with times and, for a platform that moves, positions; does no I/O.

Two ways of time. ``stream``: a value is as old as the last clock its stream carried; the first value of a channel after
a clock takes its time, further ones go on at the pace of arrival. Rows that come before the stream's date is known wait
for it. ``arrival``: a value is as old as its arrival. In both, a channel's times never stand still, for a second value
at one moment would be a revision of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nilometer.acquisition.driver import RawBatch
from nilometer.acquisition.nmea0183_channels import Transducer, channel_index, is_measurement, value_in_channel
from nilometer.acquisition.protocols.nmea0183 import Content, Fix, Sentence, StreamClock
from nilometer.acquisition.protocols.nmea0183_quantity import Reading
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable, Row, raw_batch, rounded
from nilometer.model.flags import QartodFlag

__all__ = ["SentenceRows"]

SAME_BURST_US = 2_000_000
MOST_WAITING = 20_000
CLOCK_STEP_US = 10_000_000

# The letter that a sentence has for it.
_MARKS = {"invalid": "V", "estimated": "E", "manual": "M", "simulator": "S"}


@dataclass(slots=True)
class _Last:
    """The last row of a channel: the clock it went by, and its time."""

    clock: int | None
    time: int


class SentenceRows:
    """Collects rows until `flush`.

    Parameters
    ----------
    table : ChannelTable
        The source's channels; shared by its streams.
    time : {"stream", "arrival"}
        Where times come from.
    clock_wait_us : int
        How long rows wait for the stream's date.
    position_age_us : int, optional
        For a platform that moves: how old a position may be; None: it stands.
    by_talker : bool
        Keep talkers apart.
    transducers : mapping of str to Transducer
        What XDR transducers measure, by ``type.name`` or name.
    sentences : frozenset of str
        Names of the sentences to take; empty: all.
    """

    def __init__(
        self,
        table: ChannelTable,
        *,
        time: Literal["stream", "arrival"] = "stream",
        clock_wait_us: int = 5_000_000,
        position_age_us: int | None = None,
        by_talker: bool = False,
        transducers: Mapping[str, Transducer] | None = None,
        sentences: frozenset[str] = frozenset(),
    ) -> None:
        self._table, self._by_stream, self._wait_us = table, time == "stream", clock_wait_us
        self._position_age_us, self._by_talker = position_age_us, by_talker
        self._transducers, self._sentences = transducers or {}, sentences
        self._clock = StreamClock()
        self._began: int | None = None
        self._position: tuple[int, float, float] | None = None
        self._last: dict[int, _Last] = {}
        self._waiting: list[Row] = []
        self._rows: list[Row] = []

    @property
    def is_waiting(self) -> bool:
        """Say whether rows wait for the stream's date."""
        return bool(self._waiting)

    def take(self, sentence: Sentence, content: Content, arrival: int) -> None:
        """Take what a sentence says.

        Parameters
        ----------
        sentence : Sentence
            The sentence.
        content : Content
            What it says.
        arrival : int
            µs since 1970 UTC.
        """
        self._began = arrival if self._began is None else self._began
        own = self._hear(content.fix, arrival)
        if self._sentences and sentence.name not in self._sentences:
            return
        for reading in content.readings:
            if is_measurement(reading) and reading.flag != "simulator":
                self._add(sentence, reading, own, arrival)

    def flush(self, now: int) -> RawBatch | None:
        """Return the rows that have their time, or None; at `now` the wait for a date may be over."""
        if self._waiting and (self._is_wait_over(now) or len(self._waiting) > MOST_WAITING):
            self._release(None)
        if not self._rows:
            return None
        rows, self._rows = self._rows, []
        return raw_batch(self._table.channels, rows, moving=self._position_age_us is not None)

    def _is_wait_over(self, now: int) -> bool:
        return self._began is not None and now - self._began >= self._wait_us

    def _hear(self, fix: Fix | None, arrival: int) -> int | None:
        """Set the clock and the position by a sentence; return the sentence's own full time."""
        if fix is None:
            return None
        if fix.latitude is not None and fix.longitude is not None:
            self._position = (arrival, fix.latitude, fix.longitude)
        if not self._by_stream:
            return None
        own = self._clock.hear(fix, arrival, guess_date=self._is_wait_over(arrival))
        if self._waiting and self._clock.now is not None:
            self._release(self._clock.now - self._clock.arrival)
        return own

    def _add(self, sentence: Sentence, reading: Reading, own: int | None, arrival: int) -> None:
        index = channel_index(self._table, sentence, reading, self._transducers, by_talker=self._by_talker)
        if index is None:
            return
        value = value_in_channel(self._table[index], reading)
        row = Row(index, arrival, value, mark=_MARKS.get(reading.flag or ""))
        if not sentence.checked:
            row.syntax = int(QartodFlag.NOT_EVALUATED)
        if self._position_age_us is not None and self._position is not None:
            since, latitude, longitude = self._position
            if arrival - since <= self._position_age_us:
                row.latitude, row.longitude = latitude, longitude
        if self._by_stream and self._clock.now is None and not self._is_wait_over(arrival):
            self._waiting.append(row)
            return
        self._stamp(row, own)

    def _release(self, offset: int | None) -> None:
        """Give the waiting rows their time: `offset` from arrival to stream, or arrival where no date came."""
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            self._place(row, row.time + (offset or 0), None)

    def _stamp(self, row: Row, own: int | None) -> None:
        clock = self._clock.now if self._by_stream else None
        if clock is None:
            self._place(row, row.time, None)
            return
        last = self._last.get(row.channel)
        is_first = last is None or last.clock != clock
        if own is not None or (is_first and row.time - self._clock.arrival <= SAME_BURST_US):
            self._place(row, clock, clock)
        else:
            self._place(row, self._clock.at(row.time) or clock, clock)

    def _place(self, row: Row, time: int, clock: int | None) -> None:
        time = rounded(time)
        last = self._last.get(row.channel)
        # Two values of a channel at one moment: the second goes a step on. A clock that was set back is followed.
        if last is not None and last.clock == clock and last.time - CLOCK_STEP_US < time <= last.time:
            time = last.time + CLOCK_RESOLUTION_US
        self._last[row.channel] = _Last(clock, time)
        row.time = time
        self._rows.append(row)
