"""The state of every Datastream between two rows, as tables that the kernel walks and that outlive a restart."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc import layout

__all__ = ["Saved", "State"]

_FEW = 4  # points a window has room for at first; it doubles when a run needs more


@dataclass(slots=True)
class Saved:
    """State without its place in memory: what a snapshot holds, in order of Datastream.

    Parameters
    ----------
    datastream : ndarray of int32, shape (n,)
        Ids.
    program : ndarray of int64, shape (n,)
        Fingerprints of the programs that the pending digits belong to.
    state : ndarray of int64, shape (n, 16)
        As `nilometer.qc.layout`.
    owner : ndarray of int64, shape (m,)
        For each window, the row of its Datastream above.
    key : ndarray of int64, shape (m,)
        Fingerprint of each window.
    window : ndarray of int64, shape (m, 4)
        Lengths of the low and the high queue, blocker, start of the record.
    times : ndarray of int64
        µs of the queues' points, low then high, window after window.
    points : ndarray of float64
        Their values.
    """

    datastream: NDArray[np.int32]
    program: NDArray[np.int64]
    state: NDArray[np.int64]
    owner: NDArray[np.int64]
    key: NDArray[np.int64]
    window: NDArray[np.int64]
    times: NDArray[np.int64]
    points: NDArray[np.float64]

    def to_bytes(self) -> bytes:
        """Return the state as bytes; the same state gives the same bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in self.__slots__})
        return buffer.getvalue()

    @staticmethod
    def from_bytes(state: bytes) -> Saved:
        """Return the state that `to_bytes` wrote.

        Raises
        ------
        ValueError
            If the bytes are not such a state.
        """
        if not state.startswith(b"PK"):
            raise ValueError("not a state of quality control")
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
                return Saved(**dict(arrays))
        except (OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"not a state of quality control: {error}") from error


def _grown(table: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    if rows <= len(table):
        return table
    larger = np.zeros((max(rows, 2 * len(table)), *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger


@dataclass(slots=True)
class State:
    """The tables. `lookup` leads from a Datastream's id to its row in `streams` and `table`, or to -1."""

    count: int = 0
    lookup: NDArray[np.int32] = field(default_factory=lambda: np.full(16, -1, np.int32))
    ids: NDArray[np.int32] = field(default_factory=lambda: np.zeros(16, np.int32))
    streams: NDArray[np.int32] = field(default_factory=lambda: np.zeros((16, 3), np.int32))
    table: NDArray[np.int64] = field(default_factory=lambda: np.zeros((16, layout.STATE_WIDTH), np.int64))
    window_count: int = 0
    windows: NDArray[np.int64] = field(default_factory=lambda: np.zeros((16, 8), np.int64))
    pool_used: int = 0
    pool_time: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1024, np.int64))
    pool_value: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1024))

    def row(self, datastream: int) -> int:
        """Return the row of a Datastream, or -1."""
        return int(self.lookup[datastream]) if 0 <= datastream < len(self.lookup) else -1

    def add(self, datastream: int) -> int:
        """Return the row of a new Datastream, which has seen nothing."""
        if datastream >= len(self.lookup):
            larger = np.full(max(datastream + 1, 2 * len(self.lookup)), -1, np.int32)
            larger[: len(self.lookup)] = self.lookup
            self.lookup = larger
        row = self.count
        self.count += 1
        self.ids = _grown(self.ids, self.count)  # type: ignore[assignment]
        self.streams = _grown(self.streams, self.count)  # type: ignore[assignment]
        self.table = _grown(self.table, self.count)  # type: ignore[assignment]
        self.lookup[datastream] = row
        self.ids[row] = datastream
        self.table[row] = 0
        self.table[row, layout.NEWEST] = NO_TIME
        return row

    def add_windows(self, row: int, number: int) -> None:
        """Give a Datastream fresh windows."""
        first = self.window_count
        self.window_count += number
        self.windows = _grown(self.windows, self.window_count)  # type: ignore[assignment]
        self.streams[row, layout.WINDOW] = first
        for w in range(first, self.window_count):
            self._place(w, _FEW)
            self.windows[w, [layout.LOW_HEAD, layout.LOW_LENGTH, layout.HIGH_HEAD, layout.HIGH_LENGTH]] = 0
            self.windows[w, [layout.BLOCKER, layout.WINDOW_START]] = NO_TIME

    def _place(self, w: int, capacity: int) -> None:
        self.windows[w, layout.BASE] = self.pool_used
        self.windows[w, layout.CAPACITY] = capacity
        self.pool_used += 2 * capacity
        self.pool_time = _grown(self.pool_time, self.pool_used)  # type: ignore[assignment]
        self.pool_value = _grown(self.pool_value, self.pool_used)  # type: ignore[assignment]

    def fill(self, w: int, low: int, times: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Put queues into a window that has room: `low` points of the low queue, the rest of the high."""
        base, capacity = int(self.windows[w, layout.BASE]), int(self.windows[w, layout.CAPACITY])
        high = len(times) - low
        for pool, points in ((self.pool_time, times), (self.pool_value, values)):
            pool[base : base + low] = points[:low]
            pool[base + capacity : base + capacity + high] = points[low:]
        self.windows[w, [layout.LOW_HEAD, layout.HIGH_HEAD]] = 0
        self.windows[w, [layout.LOW_LENGTH, layout.HIGH_LENGTH]] = (low, high)

    def widen(self, w: int, capacity: int) -> None:
        """Move a window to where it has room for `capacity` points a queue."""
        low = int(self.windows[w, layout.LOW_LENGTH])
        index = self._points(self.windows[w : w + 1])
        times, values = self.pool_time[index], self.pool_value[index]
        self._place(w, capacity)
        self.fill(w, low, times, values)

    def widen_full(self, row: int, number: int) -> None:
        """Give more room to those of a Datastream's windows that are full."""
        first = int(self.streams[row, layout.WINDOW])
        for w in range(first, first + number):
            capacity = int(self.windows[w, layout.CAPACITY])
            if capacity == max(self.windows[w, layout.LOW_LENGTH], self.windows[w, layout.HIGH_LENGTH]):
                self.widen(w, 2 * capacity)

    def save(self, rows: NDArray[np.intp], keys: list[int], windows: list[list[int]]) -> Saved:
        """Return the state of some rows.

        Parameters
        ----------
        rows : ndarray of intp
            Rows, in the order of the result.
        keys : list of int
            Fingerprint of each program.
        windows : list of list of int
            Fingerprints of the windows of each program.
        """
        state = self.table[rows].copy()
        state[:, [layout.PENDING_ROW, layout.PENDING_EPOCH]] = 0
        idle = state[:, layout.PENDING] == 0
        state[idle, layout.PENDING_ID] = 0
        state.view(np.uint8).reshape(len(rows), 8 * layout.STATE_WIDTH)[idle, layout.DIGITS :] = 0
        programs = self.streams[rows, layout.PROGRAM]
        numbers = np.array([len(keys_of) for keys_of in windows], np.int64)[programs] if len(rows) else np.zeros(0, int)
        owner = np.repeat(np.arange(len(rows)), numbers)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        held = self.windows[self.streams[rows, layout.WINDOW][owner] + within]
        each = [fingerprint for program in programs.tolist() for fingerprint in windows[program]]
        index = self._points(held)
        return Saved(
            datastream=self.ids[rows].copy(),
            program=np.array(keys, np.int64)[programs] if len(rows) else np.zeros(0, np.int64),
            state=state,
            owner=owner.astype(np.int64),
            key=np.array(each, np.int64),
            window=held[:, [layout.LOW_LENGTH, layout.HIGH_LENGTH, layout.BLOCKER, layout.WINDOW_START]],
            times=self.pool_time[index],
            points=self.pool_value[index],
        )

    @staticmethod
    def _points(held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the points of some windows lie: low queue, then high, oldest first, window after window."""
        capacity = held[:, layout.CAPACITY]
        base = np.column_stack([held[:, layout.BASE], held[:, layout.BASE] + capacity]).ravel()
        head = held[:, [layout.LOW_HEAD, layout.HIGH_HEAD]].ravel()
        length = held[:, [layout.LOW_LENGTH, layout.HIGH_LENGTH]].ravel()
        place = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        mask = np.repeat(capacity - 1, 2)
        ring = (np.repeat(head, length) + place) & np.repeat(mask, length)
        index: NDArray[np.int64] = np.repeat(base, length) + ring
        return index

    def adopt(
        self, saved: Saved, picked: NDArray[np.intp], rows: NDArray[np.intp], keys: list[int], windows: list[list[int]]
    ) -> None:
        """Take state over: what a changed profile cannot use (a pending verdict, another test's window) begins anew.

        Parameters
        ----------
        saved : Saved
            The state.
        picked : ndarray of intp
            Rows of `saved` to take.
        rows : ndarray of intp
            The rows they go to, with fresh windows.
        keys, windows : list
            As in `save`, for the programs the rows have now.
        """
        self.table[rows] = saved.state[picked]
        programs = self.streams[rows, layout.PROGRAM]
        changed = np.array(keys, np.int64)[programs] != saved.program[picked] if len(rows) else np.zeros(0, bool)
        self.table[rows[changed], layout.PENDING] = 0
        self.table[rows, layout.PENDING_EPOCH] = -1
        ends = np.cumsum(saved.window[:, :2].sum(axis=1))
        found = dict(zip(zip(saved.owner.tolist(), saved.key.tolist(), strict=True), range(len(ends)), strict=True))
        for k, row, program in zip(picked.tolist(), rows.tolist(), programs.tolist(), strict=True):
            for w, fingerprint in enumerate(windows[program], int(self.streams[row, layout.WINDOW])):
                at = found.get((k, fingerprint))
                if at is not None:
                    self._adopt_window(saved, at, int(ends[at]), w)

    def _adopt_window(self, saved: Saved, at: int, end: int, w: int) -> None:
        low, high, blocker, start = saved.window[at].tolist()
        capacity = int(self.windows[w, layout.CAPACITY])
        while capacity < max(low, high):
            capacity *= 2
        if capacity > self.windows[w, layout.CAPACITY]:
            self._place(w, capacity)
        first = end - low - high
        self.fill(w, low, saved.times[first:end], saved.points[first:end])
        self.windows[w, [layout.BLOCKER, layout.WINDOW_START]] = (blocker, start)
