"""The state of every Datastream between two rows, as tables that the kernel walks and that outlive a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc import layout
from nilometer.qc.layout import Memory
from nilometer.qc.program import Kept
from nilometer.qc.qartod import Kind

__all__ = ["State"]

N = TypeVar("N", bound=np.generic)
_LINE_BYTES = layout.LINE * 8


def _grown(table: NDArray[N], rows: int) -> NDArray[N]:
    if rows <= len(table):
        return table
    larger: NDArray[N] = np.zeros((max(rows, 2 * len(table)), *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger


def _aligned(words: int) -> NDArray[np.int64]:
    """Return zeroed words that begin at a cache line; they take no memory until they are touched."""
    raw = np.zeros(words + layout.LINE, np.int64)
    skip = -raw.ctypes.data % _LINE_BYTES // 8
    return raw[skip : skip + words]


@dataclass(slots=True)
class State:
    """The tables. `lookup` leads from a Datastream's id to its row in `streams`, or to -1."""

    count: int = 0
    lookup: NDArray[np.int32] = field(default_factory=lambda: np.full(16, -1, np.int32))
    ids: NDArray[np.int32] = field(default_factory=lambda: np.zeros(16, np.int32))
    streams: NDArray[np.int32] = field(default_factory=lambda: np.zeros((16, 3), np.int32))
    words: NDArray[np.int64] = field(default_factory=lambda: _aligned(16 * layout.LINE))
    words_used: int = 0
    pool: NDArray[np.int64] = field(default_factory=lambda: _aligned(layout.LINE))
    pool_used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def memory(self) -> Memory:
        """Return what the kernel writes to."""
        return Memory(
            self.words,
            self.words.view(np.float64),
            self.words.view(np.uint8),
            self.pool,
            self.pool.view(np.float64),
            self.pool_used,
        )

    def row(self, datastream: int) -> int:
        """Return the row of a Datastream, or -1."""
        return int(self.lookup[datastream]) if 0 <= datastream < len(self.lookup) else -1

    def add(self, datastream: int) -> int:
        """Return the row of a new Datastream, which has no place yet."""
        if datastream >= len(self.lookup):
            larger = np.full(max(datastream + 1, 2 * len(self.lookup)), -1, np.int32)
            larger[: len(self.lookup)] = self.lookup
            self.lookup = larger
        row = self.count
        self.count += 1
        self.ids = _grown(self.ids, self.count)
        self.streams = _grown(self.streams, self.count)
        self.lookup[datastream] = row
        self.ids[row] = datastream
        return row

    def place(self, row: int, space: int, kept: list[Kept]) -> None:
        """Give a Datastream a fresh stretch of state, which has seen nothing."""
        first = self.words_used
        self.words_used += space
        if self.words_used > len(self.words):
            larger = _aligned(max(self.words_used, 2 * len(self.words)))
            larger[:first] = self.words[:first]
            self.words = larger
        self.streams[row, layout.PLACE] = first // layout.LINE
        self.words[first + layout.NEWEST] = self.words[first + layout.LAST2] = NO_TIME
        self.words[first + layout.WHERE] = -1
        for one in kept:
            at = first + one.place
            if one.kind is Kind.LOCATION:
                self.words.view(np.float64)[at : at + one.words] = np.nan
            elif one.words == layout.WINDOW_WORDS:
                self.words[at + layout.FIRST] = self.words[at + layout.UNTIL] = NO_TIME
                self.words[at + layout.OLDEST] = layout.NEVER

    def clear(self) -> None:
        """Take every Datastream's stretch away; each must be placed anew."""
        self.words_used = 0
        self.pool_used[0] = 0
        self.words[:] = 0

    def widen(self, room: int) -> None:
        """Give the pool more room than so many words."""
        used = int(self.pool_used[0])
        larger = _aligned(2 * used + 2 * room)
        larger[:used] = self.pool[:used]
        self.pool = larger

    def bytes_used(self) -> int:
        """Return how many bytes the state of all Datastreams takes."""
        return 8 * (self.words_used + int(self.pool_used[0])) + self.streams[: self.count].nbytes

    def bases(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the first words of the states of some rows."""
        bases: NDArray[np.int64] = self.streams[rows, layout.PLACE].astype(np.int64) * layout.LINE
        return bases

    def room(self, words: int) -> int:
        """Take so many words of the pool; return where they begin."""
        place = int(self.pool_used[0])
        if place + words > len(self.pool):
            self.widen(words)
        self.pool_used[0] += words
        return place
