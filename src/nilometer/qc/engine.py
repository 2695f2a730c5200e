"""Judge batches of Observations as they arrive, keeping what the next batch needs to know.

The engine holds a program (profile in a unit) and a state per Datastream and hands both to the kernel. It writes
`result_quality` and `tests` and nothing else. Calls may come from any thread, one at a time is served.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from nilometer.model.batch import NO_TIME, ObservationBatch, Settlements
from nilometer.qc import layout
from nilometer.qc.kernel import pack, walk
from nilometer.qc.marks import Marks
from nilometer.qc.profile import Profile
from nilometer.qc.program import Programs
from nilometer.qc.state import Saved, State

__all__ = ["Outcome", "QcEngine", "warm"]


class Outcome:
    """What the kernel wrote for one batch: digits of each test, how many of them count, roll-ups, settlements."""

    __slots__ = (
        "digits",
        "quality",
        "settled",
        "settled_digits",
        "settled_id",
        "settled_quality",
        "settled_spans",
        "spans",
    )

    def __init__(self, rows: int, settled: int, width: int) -> None:
        self.digits: NDArray[np.uint8] = np.empty((rows, width), np.uint8)
        self.spans: NDArray[np.uint8] = np.empty(rows, np.uint8)
        self.quality: NDArray[np.int8] = np.empty(rows, np.int8)
        self.settled = np.zeros(1, np.int64)
        self.settled_id: NDArray[np.int64] = np.empty(settled, np.int64)
        self.settled_digits: NDArray[np.uint8] = np.empty((settled, width), np.uint8)
        self.settled_spans: NDArray[np.uint8] = np.empty(settled, np.uint8)
        self.settled_quality: NDArray[np.int8] = np.empty(settled, np.int8)

    def settlements(self) -> Settlements:
        """Return the flags of rows of earlier batches that this one settled."""
        n = int(self.settled[0])
        if n == 0:
            return Settlements.none()
        return Settlements(
            self.settled_id[:n].copy(),
            self.settled_quality[:n].copy(),
            _strings(self.settled_digits, self.settled_spans[:n]),
        )


def _strings(digits: NDArray[np.uint8], spans: NDArray[np.uint8]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return one string a row; null where a span is 0: everything passed, or nothing was asked."""
    n = len(spans)
    total = int(spans.sum(dtype=np.int64))
    if total == 0:
        return pa.nulls(n, pa.string())
    if total >= 1 << 31:
        raise ValueError(
            f"{n} rows have {total} digits of tests, more than one array of strings holds: send fewer rows at once"
        )
    offsets = np.empty(n + 1, np.int32)
    data = np.empty(total, np.uint8)
    valid = np.zeros((n + 7) // 8, np.uint8)
    pack(digits, spans, offsets, data, valid)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(data), pa.py_buffer(valid))


class QcEngine:
    """The flags of every Datastream, live or from a file: the same rows in the same order give the same flags.

    Examples
    --------
    >>> from nilometer.qc.profile import load
    >>> engine = QcEngine()
    >>> engine.set(1, load({"tests": {"gross_range": {"fail": [0, 14]}}}), unit="1")
    >>> batch = ObservationBatch(
    ...     datastream=np.array([1, 1], np.int32), phenomenon_time=np.array([0, 1]), raw_result=np.array([7.0, 15.0]),
    ...     result=np.array([7.0, 15.0]), id=np.array([0, 1]),
    ... )
    >>> len(engine.evaluate(batch))
    0
    >>> batch.result_quality.tolist(), batch.tests.to_pylist()
    ([1, 4], [None, '4'])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs = Programs()
        self._marks = Marks()
        self._state = State()
        self._epoch = 0
        self._saved: Saved | None = None
        self._saved_rows: dict[int, int] = {}
        self._no: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._yes: NDArray[np.bool_] = np.ones(0, np.bool_)
        self._unmarked: NDArray[np.int32] = np.zeros(0, np.int32)

    def set(
        self, datastream: int, profile: Profile | None, *, unit: str, mark_scheme: str | None = None, timed: bool = True
    ) -> None:
        """Add a Datastream or change how it is judged.

        State is kept: the newest row, the last values, and the run of every flat-line test of the same name and
        tolerance. A spike verdict that is open when the profile changes stays open for good: the row belongs to the
        older version.

        Parameters
        ----------
        datastream : int
            Its id.
        profile : Profile or None
            Its tests; None: flagged NOT_EVALUATED, or as its mark says.
        unit : str
            Unit of its results; thresholds are converted to it.
        mark_scheme : str or None
            Name of the table its marks are read with (`nilometer.qc.marks`).
        timed : bool
            False: its rows have an order but no times; tests that need times are not evaluated.

        Raises
        ------
        ConfigError
            If the profile's unit has another dimension, or the scheme is unknown.
        """
        with self._lock:
            program = self._programs.row(profile, unit, timed=timed)
            scheme = self._marks.row(mark_scheme)
            row = self._state.row(datastream)
            kept: Saved | None = None
            picked = 0
            if row < 0:
                row = self._state.add(datastream)
                if datastream in self._saved_rows:
                    kept, picked = self._saved, self._saved_rows.pop(datastream)
            else:
                if self._state.streams[row, layout.PROGRAM] == program:
                    self._state.streams[row, layout.SCHEME] = scheme
                    return
                kept = self._state.save(np.array([row]), self._programs.keys, self._programs.windows)
            self._state.streams[row, :2] = (program, scheme)
            self._state.add_windows(row, len(self._programs.windows[program]))
            if kept is not None:
                rows = np.array([row])
                self._state.adopt(kept, np.array([picked]), rows, self._programs.keys, self._programs.windows)

    def evaluate(self, batch: ObservationBatch, *, water: NDArray[np.bool_] | None = None) -> Settlements:
        """Judge the rows in their order; write `batch.result_quality` and `batch.tests`.

        Rows that are not newer than their Datastream's newest, revisions (`batch.supersedes`) and rows that are not
        the water get the point tests only and move no state.

        Parameters
        ----------
        batch : ObservationBatch
            With `id` and `result`.
        water : ndarray of bool, shape (n,), optional
            False for zero, span, check and other samples; None: all rows are the water.

        Returns
        -------
        Settlements
            Final flags of rows of earlier batches whose spike verdict was open.

        Raises
        ------
        ValueError
            If the batch has no `id` or no `result`.
        """
        with self._lock:
            outcome = self.walk(batch, water)
        batch.result_quality = outcome.quality
        batch.tests = _strings(outcome.digits, outcome.spans)
        return outcome.settlements()

    def advance(self, batch: ObservationBatch, *, water: NDArray[np.bool_] | None = None) -> None:
        """Move the state over rows that were judged before, in their order; the batch is not touched."""
        with self._lock:
            self.walk(batch, water)

    def walk(self, batch: ObservationBatch, water: NDArray[np.bool_] | None) -> Outcome:
        """Run the kernel over a batch and return all it wrote; the caller sees to it that nobody else does."""
        n = len(batch)
        if batch.id is None or batch.result is None:
            raise ValueError("only rows that were admitted and calibrated can be judged: id and result are missing")
        if n > len(self._no):
            self._no, self._yes = np.zeros(2 * n, np.bool_), np.ones(2 * n, np.bool_)
            self._unmarked = np.zeros(2 * n, np.int32)
        datastream = _column(batch.datastream, np.int32)
        codes, mark_flags = self._marks.read(batch.mark)
        columns = (
            datastream,
            _column(batch.phenomenon_time, np.int64),
            _column(batch.result, np.float64),
            _column(batch.id, np.int64),
            self._no[:n] if batch.supersedes is None else _column(batch.supersedes, np.bool_),
            self._yes[:n] if water is None else _column(water, np.bool_),
            self._unmarked[:n] if codes is None else codes,
            mark_flags,
        )
        programs, state = self._programs, self._state
        outcome = Outcome(n, min(n, state.count), programs.width)
        self._epoch += 1
        at = 0
        while True:
            at = walk(
                at,
                self._epoch,
                *columns,
                state.lookup,
                state.streams,
                programs.programs,
                programs.slots,
                programs.numbers,
                state.table,
                state.table.view(np.float64),
                state.table.view(np.uint8),
                state.windows,
                state.pool_time,
                state.pool_value,
                outcome.digits,
                outcome.spans,
                outcome.quality,
                outcome.settled_id,
                outcome.settled_digits,
                outcome.settled_spans,
                outcome.settled_quality,
                outcome.settled,
            )
            if at >= n:
                return outcome
            row = state.row(int(datastream[at]))
            state.widen_full(row, len(programs.windows[state.streams[row, layout.PROGRAM]]))

    def snapshot(self) -> bytes:
        """Return the whole state as bytes; equal states give equal bytes, however the rows were cut."""
        with self._lock:
            rows = np.argsort(self._state.ids[: self._state.count], kind="stable")
            return self._state.save(rows, self._programs.keys, self._programs.windows).to_bytes()

    def restore(self, state: bytes) -> None:
        """Go on from a snapshot. Datastreams may be `set` before or after; state of the present is dropped.

        Raises
        ------
        ValueError
            If the bytes are not a snapshot.
        """
        saved = Saved.from_bytes(state)
        with self._lock:
            here = self._state
            here.table[: here.count] = 0
            here.table[: here.count, layout.NEWEST] = NO_TIME
            here.window_count = here.pool_used = 0
            for row in range(here.count):
                here.add_windows(row, len(self._programs.windows[here.streams[row, layout.PROGRAM]]))
            rows = np.array([here.row(datastream) for datastream in saved.datastream.tolist()], np.intp)
            known = np.flatnonzero(rows >= 0)
            here.adopt(saved, known, rows[known], self._programs.keys, self._programs.windows)
            self._saved = saved
            self._saved_rows = {int(saved.datastream[k]): int(k) for k in np.flatnonzero(rows < 0)}

    def newest(self, datastream: int) -> int | None:
        """Return the µs of the newest row of the water a Datastream has had, or None."""
        with self._lock:
            row = self._state.row(datastream)
            time = NO_TIME if row < 0 else int(self._state.table[row, layout.NEWEST])
        return None if time == NO_TIME else time

    def pending(self) -> NDArray[np.int64]:
        """Return the ids of rows whose spike verdict is still open, in order of Datastream set."""
        with self._lock:
            table = self._state.table[: self._state.count]
            ids: NDArray[np.int64] = table[table[:, layout.PENDING] != 0, layout.PENDING_ID].copy()
        return ids


def _column(values: Any, dtype: DTypeLike) -> NDArray[Any]:  # noqa: ANN401 -- an array of whichever type
    return np.require(values, dtype, ["C", "A"])


def warm() -> None:
    """Compile the kernel, or load it from its cache, and run it once."""
    engine = QcEngine()
    one = ObservationBatch(
        datastream=np.zeros(1, np.int32),
        phenomenon_time=np.zeros(1, np.int64),
        raw_result=np.zeros(1),
        result=np.zeros(1),
        id=np.zeros(1, np.int64),
    )
    engine.set(0, None, unit="1")
    engine.evaluate(one)
