"""Readings of a CAN bus to rows with times and, for a platform that moves, positions; does no I/O.

A value is as old as its arrival, unless its message tells the time of the measurement. A channel's times never stand
still, for a second value at one moment would be a revision of the first. A group that several senders tell is one
channel: it keeps to the sender that it heard first, until that one has been silent for a while; or each sender has
channels of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nilometer.acquisition.driver import Channel, RawBatch
from nilometer.acquisition.protocols.can_reading import ERROR, NOT_AVAILABLE, RESERVED, CanReading
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable, Row, raw_batch, rounded
from nilometer.errors import UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["ReadingRows", "SignalMeaning"]

_CODES = frozenset({NOT_AVAILABLE, ERROR, RESERVED})
_ODD_UNITS = {"rpm": "min-1", "ppt": "1", "deg": "degree"}


@dataclass(frozen=True, slots=True)
class SignalMeaning:
    """What a signal measures, as configured: a vocabulary key, and the unit where the bus tells none."""

    observed_property: str
    unit: str | None = None


@dataclass(slots=True)
class _Speaker:
    """Who speaks for a channel, and when it was heard last; `time` is that of its last row."""

    source: int
    heard: int
    time: int = -(1 << 62)
    taken: int = -(1 << 62)


class ReadingRows:
    """Collects rows until `flush`.

    Parameters
    ----------
    table : ChannelTable
        The source's channels.
    meanings : mapping of str to SignalMeaning
        What signals measure, by key or name.
    by_source : bool
        Give each sender channels of its own: ``src35.130312…``.
    hold_us : int
        How long a sender that is silent still speaks for a channel.
    interval_us : int
        The least time between two rows of a channel; 0: every value.
    position_age_us : int, optional
        For a platform that moves: how old a position may be; None: it stands.
    """

    def __init__(
        self,
        table: ChannelTable,
        *,
        meanings: Mapping[str, SignalMeaning] | None = None,
        by_source: bool = False,
        hold_us: int = 10_000_000,
        interval_us: int = 0,
        position_age_us: int | None = None,
    ) -> None:
        self._table, self._meanings, self._by_source = table, meanings or {}, by_source
        self._hold_us, self._interval_us, self._position_age_us = hold_us, interval_us, position_age_us
        self._speakers: dict[str, _Speaker] = {}
        self._position: tuple[int, float, float] | None = None
        self._rows: list[Row] = []
        self.others: dict[str, int] = {}

    def place(self, latitude: float, longitude: float, arrival: int) -> None:
        """Take a position of the platform, degree_north and degree_east."""
        self._position = (arrival, latitude, longitude)

    def take(self, readings: Iterable[CanReading], source: int, arrival: int, time: int | None = None) -> None:
        """Take readings of one sender.

        Parameters
        ----------
        readings : iterable of CanReading
            What it says.
        source : int
            Its address; -1 where there is none.
        arrival : int
            µs since 1970 UTC.
        time : int, optional
            When it was measured, where the message tells it.
        """
        for reading in readings:
            if not isinstance(reading.value, str):
                self._take(reading, source, arrival, time)

    def flush(self) -> RawBatch | None:
        """Return the rows that were taken, or None."""
        if not self._rows:
            return None
        rows, self._rows = self._rows, []
        return raw_batch(self._table.channels, rows, moving=self._position_age_us is not None)

    def _take(self, reading: CanReading, source: int, arrival: int, time: int | None) -> None:
        key = f"src{source}.{reading.key}" if self._by_source and source >= 0 else reading.key
        # What an instrument lacks it sends as not available for ever: that makes no channel.
        if key not in self._table and (reading.value is None or self._table.is_full):
            return
        speaker = self._speakers.get(key)
        if speaker is None:
            speaker = self._speakers[key] = _Speaker(source, arrival)
        elif speaker.source != source:
            if arrival - speaker.heard < self._hold_us:
                self.others[key] = source
                return
            speaker.source = source
        speaker.heard = arrival
        at = arrival if time is None else time
        if at - speaker.taken < self._interval_us:
            return
        index = self._table.index(key, lambda: self._channel(key, reading))
        speaker.taken = at
        # A clock that was set back is followed; a second value within its resolution goes a step on.
        at = rounded(at)
        if speaker.time - 10_000_000 < at <= speaker.time:
            if time is not None:
                return  # the same measurement, told again
            at = speaker.time + CLOCK_RESOLUTION_US
        speaker.time = at
        row = Row(index, at, float("nan") if reading.value is None else float(reading.value))
        row.mark = reading.mark if reading.mark in _CODES else None
        row.extra = None if reading.mark in _CODES or reading.mark is None else json.dumps({"meaning": reading.mark})
        self._move(row, arrival)
        self._rows.append(row)

    def _move(self, row: Row, arrival: int) -> None:
        if self._position_age_us is None or self._position is None:
            return
        since, latitude, longitude = self._position
        if arrival - since <= self._position_age_us:
            row.latitude, row.longitude = latitude, longitude

    def _channel(self, key: str, reading: CanReading) -> Channel:
        unit = _unit(reading.unit)
        meaning = self._meanings.get(reading.key) or self._meanings.get(reading.parameter)
        if meaning is not None:
            told = canonical(meaning.unit) if meaning.unit else unit
            return Channel(key, meaning.observed_property, told, reading.parameter)
        observed = reading.observed_property or reading.parameter
        item = vocabulary().get(observed)
        # A signal named as the vocabulary has it means it, if its unit can be of it.
        if item is None or unit is None or not same_dimension(unit, item.unit):
            return Channel(key, None, unit, reading.parameter.replace("_", " "))
        return Channel(key, item.key, unit, reading.parameter.replace("_", " "))


def _unit(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return canonical(_ODD_UNITS.get(text, text))
    except UnitError:
        return None
