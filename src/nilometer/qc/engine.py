"""Judge batches of Observations as they arrive, keeping what the next batch needs to know.

The engine holds a program (profile in a unit) and a state per Datastream and hands both to the kernel. It writes
`result_quality` and `tests` and nothing else. Calls may come from any thread, one at a time is served.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from nilometer.model.batch import NO_TIME, ObservationBatch, Settlements
from nilometer.qc import layout
from nilometer.qc.digits import strings
from nilometer.qc.flags import PASS
from nilometer.qc.joint import Partner
from nilometer.qc.joints import Joints
from nilometer.qc.kept_state import Group, groups_of, read_groups, write_groups
from nilometer.qc.kernel import walk
from nilometer.qc.layout import Rows, Scratch, Tables, Written
from nilometer.qc.marks import Marks
from nilometer.qc.profile import Profile
from nilometer.qc.program import Programs
from nilometer.qc.state import State

__all__ = ["Outcome", "QcEngine", "warm"]


class Outcome:
    """What the kernel wrote for one batch: flags of each test, how many of them count, roll-ups, settlements."""

    __slots__ = ("late", "written")

    def __init__(self, rows: int, settled: int, width: int, *, entered: bool) -> None:
        self.late = Settlements.none()
        # What is settled stands as passed until the kernel says otherwise: most of it is.
        self.written = Written(
            flags=np.empty((width, rows), np.uint8),
            spans=np.empty(rows, np.uint8),
            quality=np.empty(rows, np.int8),
            settled_id=np.empty(settled, np.int64),
            settled_flags=np.full((settled, width), PASS, np.uint8),
            settled_spans=np.zeros(settled, np.uint8),
            settled_quality=np.full(settled, PASS, np.int8),
            settled=np.zeros(1, np.int64),
            entered=np.zeros(rows if entered else 0, np.uint8),
        )

    @property
    def quality(self) -> NDArray[np.int8]:
        """The roll-up of every row."""
        quality: NDArray[np.int8] = self.written.quality
        return quality

    def test(self, slot: int) -> NDArray[np.int8]:
        """Return the flags of one test."""
        flags: NDArray[np.int8] = self.written.flags[slot].view(np.int8)
        return flags

    def tests(self) -> Any:  # noqa: ANN401 -- pyarrow has no types
        """Return the digits of each row as text; null where all passed."""
        return strings(self.written.flags, self.written.spans)

    def settlements(self) -> Settlements:
        """Return the flags of rows of earlier batches that this one settled."""
        n = int(self.written.settled[0])
        if n == 0:
            return self.late
        digits = np.ascontiguousarray(self.written.settled_flags[:n].T)
        tests = strings(digits, self.written.settled_spans[:n])
        if not len(self.late):
            return Settlements(self.written.settled_id[:n].copy(), self.written.settled_quality[:n].copy(), tests)
        return Settlements(
            np.concatenate([self.written.settled_id[:n], self.late.id]),
            np.concatenate([self.written.settled_quality[:n], self.late.result_quality]),
            pa.concat_arrays([tests, self.late.tests]),
        )


def _scratch(programs: int) -> Scratch:
    """Return the columns of a block, for any number of programs up to the one given."""
    return Scratch(
        numbers=np.zeros((3, layout.RUN)),
        whole=np.zeros((layout.WHOLE_COLUMNS, layout.RUN), np.int64),
        status=np.zeros(layout.RUN, np.uint8),
        mark=np.zeros(layout.RUN, np.uint8),
        flags=np.zeros((layout.MOST_TESTS + 1, layout.BLOCK), np.uint8),  # one is added: calibration_valid
        verdicts=np.zeros(layout.BLOCK, np.uint8),
        own=np.zeros(layout.RUN, np.uint32),
        late=np.zeros(layout.BLOCK, np.uint32),
        earlier=np.zeros(layout.BLOCK, np.uint32),
        place=np.zeros(programs + 2, np.int64),
        any_of=np.zeros(layout.RUN, np.uint8),
        counted=np.zeros(layout.RUN),
        spread=np.zeros(layout.RUN),
        since=np.zeros(layout.RUN, np.int64),
        full=np.full(layout.RUN, layout.PRESENT | layout.IN_ORDER | layout.LINKED | layout.STEPPED, np.uint8),
        moves=np.zeros(layout.RUN, np.uint8),
    )


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
        self._waiting: dict[int, tuple[Group, int]] = {}
        self._scratch = _scratch(16)
        self._joints = Joints()

    def set(
        self,
        datastream: int,
        profile: Profile | None,
        *,
        unit: str,
        mark_scheme: str | None = None,
        timed: bool = True,
        partners: Mapping[str, Partner] | None = None,
    ) -> None:
        """Add a Datastream or change how it is judged.

        State is kept: the newest row, the last values, and what every test of the same name and meaning remembers. A
        spike verdict that is open when the profile changes stays open for good: the row belongs to the older version.

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
        partners : mapping of str to Partner, optional
            For tests of several Datastreams, by the test's name, the other one; a test without is NOT_EVALUATED.

        Raises
        ------
        ConfigError
            If the profile's unit has another dimension, or the scheme is unknown.
        """
        with self._lock:
            program = self._programs.row(profile, unit, timed=timed)
            self._joints.set(datastream, profile.in_unit(unit) if profile is not None else None, partners or {})
            scheme = self._marks.row(mark_scheme)
            state = self._state
            row = state.row(datastream)
            kept: tuple[Group, int] | None = None
            if row < 0:
                row = state.add(datastream)
                kept = self._waiting.pop(datastream, None)
            else:
                if state.streams[row, layout.PROGRAM] == program:
                    state.streams[row, layout.SCHEME] = scheme
                    return
                kept = (groups_of(state, np.array([row]), self._programs)[0], 0)
            state.streams[row, : layout.PLACE] = (program, scheme)
            self._place(row)
            if kept is not None:
                group, number = kept
                group.give(np.array([number]), state, np.array([row]), self._programs)

    def _place(self, row: int) -> None:
        program = int(self._state.streams[row, layout.PROGRAM])
        space = int(self._programs.programs[program, layout.SPACE])
        self._state.place(row, space, self._programs.kept[program])

    def evaluate(
        self, batch: ObservationBatch, *, water: NDArray[np.bool_] | None = None, received: int | None = None
    ) -> Settlements:
        """Judge the rows in their order; write `batch.result_quality` and `batch.tests`.

        Rows that are not newer than their Datastream's newest, revisions (`batch.supersedes`) and rows that are not
        the water get the point tests only and move no state.

        Parameters
        ----------
        batch : ObservationBatch
            With `id` and `result`.
        water : ndarray of bool, shape (n,), optional
            False for zero, span, check and other samples; None: all rows are the water.
        received : int, optional
            When the rows were received, µs since 1970 UTC; None: not known, and not judged.

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
            outcome = self.walk(batch, water, received=received)
        batch.result_quality = outcome.quality
        batch.tests = outcome.tests()
        return outcome.settlements()

    def advance(
        self, batch: ObservationBatch, *, water: NDArray[np.bool_] | None = None, received: int | None = None
    ) -> None:
        """Move the state over rows that were judged before, in their order; the batch is not touched."""
        with self._lock:
            self.walk(batch, water, received=received)

    def walk(self, batch: ObservationBatch, water: NDArray[np.bool_] | None, *, received: int | None = None) -> Outcome:
        """Run the kernel over a batch and return all it wrote; the caller sees to it that nobody else does."""
        if batch.id is None or batch.result is None:
            raise ValueError("only rows that were admitted and calibrated can be judged: id and result are missing")
        codes, mark_flags = self._marks.read(batch.mark)
        rows = Rows(
            datastream=_column(batch.datastream, np.int32),
            time=_column(batch.phenomenon_time, np.int64),
            result=_column(batch.result, np.float64),
            id=_column(batch.id, np.int64),
            supersedes=_column(batch.supersedes, np.bool_),
            water=_column(water, np.bool_),
            mark=_column(codes, np.int32),
            mark_flags=_column(mark_flags, np.uint8),
            depth=_column(batch.depth, np.float64),
            latitude=_column(batch.latitude, np.float64),
            longitude=_column(batch.longitude, np.float64),
            syntax=_column(batch.syntax, np.uint8),
        )
        programs, state = self._programs, self._state
        if len(self._scratch.place) < len(programs.keys) + 2:
            self._scratch = _scratch(2 * len(programs.keys))
        n = len(rows.time)
        outcome = Outcome(n, min(n, state.count), programs.width, entered=bool(self._joints))
        tables = Tables(
            lookup=_column(state.lookup, np.int32),
            streams=_column(state.streams, np.int32),
            programs=_column(programs.programs, np.int64),
            slots=_column(programs.slots, np.int64),
            numbers=_column(programs.numbers, np.float64),
            rows=_column(programs.rows, np.float64),
        )
        self._epoch += 1
        since = NO_TIME if received is None else received
        at = 0
        while True:
            at = walk(at, self._epoch, since, rows, tables, state.memory(), self._scratch, outcome.written)
            if at >= n:
                break
            state.widen(int(programs.programs[:, layout.ROOM].max()) * min(layout.BLOCK, len(state.streams)))
        if self._joints:
            outcome.late = self._joints.settle(rows, outcome.written, programs, state)
        return outcome

    def snapshot(self) -> bytes:
        """Return the whole state as bytes; equal states give equal bytes, however the rows were cut."""
        with self._lock:
            groups = groups_of(self._state, np.arange(self._state.count), self._programs)
            return write_groups(groups, self._joints.kept())

    def restore(self, state: bytes) -> None:
        """Go on from a snapshot. Datastreams may be `set` before or after; state of the present is dropped.

        Raises
        ------
        ValueError
            If the bytes are not a snapshot, or another version wrote it.
        """
        groups, joints = read_groups(state)
        with self._lock:
            self._joints.restore(joints)
            here = self._state
            here.clear()
            for row in range(here.count):
                self._place(row)
            self._waiting = {}
            for group in groups:
                rows = np.array([here.row(datastream) for datastream in group.datastream.tolist()], np.intp)
                for picked in np.flatnonzero(rows < 0).tolist():
                    self._waiting[int(group.datastream[picked])] = (group, picked)
                known = np.flatnonzero(rows >= 0)
                programs = here.streams[rows[known], layout.PROGRAM]
                for program in np.unique(programs):
                    picked = known[programs == program]
                    group.give(picked, here, rows[picked], self._programs)

    def adopt(self, other: QcEngine, datastreams: Collection[int]) -> None:
        """Go on, for Datastreams that are known here, from where another engine stands with them."""
        groups, joints = read_groups(other.snapshot())
        with self._lock:
            state = self._state
            for group in groups:
                for number in np.flatnonzero(np.isin(group.datastream, list(datastreams))).tolist():
                    row = state.row(int(group.datastream[number]))
                    if row >= 0:
                        self._place(row)
                        group.give(np.array([number]), state, np.array([row]), self._programs)
            self._joints.adopt(joints, datastreams)

    def newest(self, datastream: int) -> int | None:
        """Return the µs of the newest row of the water a Datastream has had, or None."""
        with self._lock:
            row = self._state.row(datastream)
            if row < 0:
                return None
            time = int(self._state.words[self._state.bases(np.array([row]))[0] + layout.NEWEST])
        return None if time == NO_TIME else time

    def pending(self) -> NDArray[np.int64]:
        """Return the ids of rows of which a verdict is still open."""
        with self._lock:
            words, base = self._state.words, self._state.bases(np.arange(self._state.count))
            is_open = words[base + layout.BITS] & layout.OPEN != 0
            ids: NDArray[np.int64] = words[base[is_open] + layout.OPEN_ID]
            waiting = self._joints.open()
        return np.union1d(ids, waiting) if len(waiting) else ids

    def bytes_used(self) -> int:
        """Return the bytes of memory that the state of all Datastreams takes."""
        return self._state.bytes_used()


def _column(values: Any, dtype: DTypeLike) -> NDArray[Any]:  # noqa: ANN401 -- an array of whichever type
    """Return a column as the kernel takes it: contiguous, and read-only whether its owner is or not."""
    column = np.empty(0, dtype) if values is None else np.require(values, dtype, ["C", "A"]).view()
    column.flags.writeable = False
    return column


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
