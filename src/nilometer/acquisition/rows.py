"""Rows of a text protocol, gathered one by one and handed on as columns; its channels appear as the source speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nilometer.acquisition.driver import Channel, RawBatch
from nilometer.model.batch import NO_TIME
from nilometer.model.entities import SampleKind
from nilometer.model.flags import QartodFlag

__all__ = ["CLOCK_RESOLUTION_US", "ChannelTable", "Row", "raw_batch", "rounded"]

CLOCK_RESOLUTION_US = 1000
MOST_CHANNELS = 10_000


def rounded(time: int) -> int:
    """Return µs rounded to the clock resolution of the text protocols."""
    return (time + CLOCK_RESOLUTION_US // 2) // CLOCK_RESOLUTION_US * CLOCK_RESOLUTION_US


@dataclass(slots=True)
class Row:
    """One raw result: index of its channel, start in µs since 1970 UTC, and the rest of `RawBatch`'s columns."""

    channel: int
    time: int
    value: float
    duration: int = 0
    result_time: int = NO_TIME
    censored: int = 0
    sample: SampleKind = SampleKind.WATER
    mark: str | None = None
    extra: str | None = None
    latitude: float = float("nan")
    longitude: float = float("nan")
    syntax: int = int(QartodFlag.PASS)


class ChannelTable:
    """The channels of a source in the order of their first word; an index stays what it means."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._channels: list[Channel] = []

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def __getitem__(self, index: int) -> Channel:
        return self._channels[index]

    @property
    def is_full(self) -> bool:
        """Say whether no more channels are taken: names come off a wire, which may be hostile or mad."""
        return len(self._channels) >= MOST_CHANNELS

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Return the channels known by now."""
        return tuple(self._channels)

    def index(self, key: str, make: Callable[[], Channel]) -> int:
        """Return the index of a channel, made when its key is new."""
        known = self._index.get(key)
        if known is None:
            known = self._index[key] = len(self._channels)
            self._channels.append(make())
        return known


def raw_batch(
    channels: Sequence[Channel],
    rows: Sequence[Row],
    *,
    moving: bool = False,
    acknowledge: Callable[[], None] | None = None,
) -> RawBatch:
    """Return rows as columns.

    Parameters
    ----------
    channels : sequence of Channel
        What the rows' indices mean.
    rows : sequence of Row
        In arrival order.
    moving : bool
        Give the columns of the position.
    acknowledge : callable, optional
        See `RawBatch`.
    """
    batch = RawBatch(
        channels=channels,
        channel=np.array([row.channel for row in rows], np.int32),
        phenomenon_time=np.array([row.time for row in rows], np.int64),
        raw_result=np.array([row.value for row in rows], np.float64),
        duration=np.array([row.duration for row in rows], np.int64),
        result_time=np.array([row.result_time for row in rows], np.int64),
        censored=np.array([row.censored for row in rows], np.int8),
        sample=np.array([row.sample for row in rows], np.int8),
        mark=[row.mark for row in rows],
        extra=[row.extra for row in rows],
        syntax=np.array([row.syntax for row in rows], np.uint8),
    )
    if moving:
        batch.latitude = np.array([row.latitude for row in rows], np.float64)
        batch.longitude = np.array([row.longitude for row in rows], np.float64)
    if acknowledge is not None:
        batch.acknowledge = acknowledge
    return batch
