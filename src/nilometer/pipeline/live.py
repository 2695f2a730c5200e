"""Live rows for whoever listens: bounded per listener, shedding the oldest, never holding back the pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, Settlements

__all__ = ["LiveRows", "Subscription"]

MOST_ROWS = 100_000
"""Rows that wait for one slow listener before its oldest are shed."""


@dataclass(frozen=True, slots=True)
class LiveRows:
    """What one commit brought: new or revised rows, and new flags of earlier rows."""

    rows: ObservationBatch
    settled: Settlements
    sequence: int

    def __len__(self) -> int:
        return len(self.rows) + len(self.settled)


class Subscription:
    """One listener: an asynchronous iterator of `LiveRows`, narrowed to its Datastreams.

    A listener that is too slow loses its oldest rows, and `take_shed` says how many.
    """

    def __init__(self, datastreams: Iterable[int] | None, loop: asyncio.AbstractEventLoop) -> None:
        self._wanted: NDArray[np.int32] | None = None
        if datastreams is not None:
            self._wanted = np.unique(np.fromiter(datastreams, np.int32))
        self._loop = loop
        self._waiting: deque[LiveRows] = deque()
        self._rows = 0
        self._shed = 0
        self._ready = asyncio.Event()
        self._closed = False

    def put(self, rows: LiveRows) -> int:
        """Add what a commit has for this listener; called in the loop's thread. Return how many rows were shed."""
        mine = self._narrow(rows)
        if not (len(mine.rows) or len(mine.settled)):
            return 0
        self._waiting.append(mine)
        self._rows += len(mine)
        shed = 0
        while self._rows > MOST_ROWS and len(self._waiting) > 1:
            dropped = self._waiting.popleft()
            self._rows -= len(dropped)
            shed += len(dropped.rows)
        self._shed += shed
        self._ready.set()
        return shed

    def close(self) -> None:
        """End the iteration; called in the loop's thread."""
        self._closed = True
        self._ready.set()

    def take_shed(self) -> int:
        """Return how many rows were shed since the last call."""
        shed, self._shed = self._shed, 0
        return shed

    def __aiter__(self) -> AsyncIterator[LiveRows]:
        return self

    async def __anext__(self) -> LiveRows:
        """Return the next commit that has rows of the wanted Datastreams."""
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        rows = self._waiting.popleft()
        self._rows -= len(rows)
        return rows

    def _narrow(self, live: LiveRows) -> LiveRows:
        if self._wanted is None:
            return live
        mine = np.isin(live.rows.datastream, self._wanted)
        settled = live.settled
        theirs = np.isin((settled.id >> 32).astype(np.int32), self._wanted)
        index = np.flatnonzero(theirs)
        return LiveRows(
            live.rows if mine.all() else live.rows.take(mine),
            settled
            if theirs.all()
            else Settlements(settled.id[index], settled.result_quality[index], settled.tests.take(index)),
            live.sequence,
        )
