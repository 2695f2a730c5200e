"""Rows that were stored pass calibration or derivation and qc again, in order of time, by the code that live rows pass.

Some things are not stored with a row: when it was received, what was verified of its frame, what the inputs of a
derived row were flagged. What the tests that asked for them said then (impossible date, data reception, syntax, inputs)
is read back from the row's digits and handed to the same tests, so that it stays as it was. A row whose verdict is open
waits here until a later one has settled it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.calibration.table import Companions
from nilometer.errors import NotFound
from nilometer.model import Datastream, ObservationBatch, QartodFlag, Settlements
from nilometer.pipeline.judging import Judging
from nilometer.qc.qartod.parameter import microseconds
from nilometer.qc.shelf import Shelf
from nilometer.store import Store

__all__ = ["ALL", "CALIBRATION", "DERIVATION", "QC", "Judged", "Rejudging", "Remade", "said_of_inputs"]

CALIBRATION, QC, DERIVATION = "calibration", "qc", "derivation"
ALL = (CALIBRATION, QC, DERIVATION)

_EARLY, _LATE = -(1 << 60), 1 << 60
_IN_A_COLUMN = ("syntax", "inputs")  # what was verified of a frame; what the inputs of a derived row were flagged
_UNSTORED = ("impossible_date", "data_reception", *_IN_A_COLUMN)


@dataclass(slots=True)
class Judged:
    """Rows as they are stored and, row by row beside them, as they come out today.

    Parameters
    ----------
    old, new : ObservationBatch
        Automatic rows, in order of time.
    commit : ndarray of int64, shape (n,)
        Of what is served of each row.
    """

    old: ObservationBatch
    new: ObservationBatch
    commit: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.old)

    def take(self, rows: NDArray[np.int64] | slice) -> Judged:
        """Return some of the rows; what was sent is copied once, for it is the same before and after."""
        old = self.old.take(rows)
        new = _written(self.new).take(rows)
        return Judged(old, _beside(old, new), self.commit[rows])


@dataclass(slots=True)
class Remade:
    """What derivation gives for rows today.

    Parameters
    ----------
    here : ndarray of bool, shape (n,)
        Which of the rows are made anew; nothing else is said of the others.
    result, uncertainty : ndarray of float64, shape (n,)
        NaN: none, not known.
    said : ndarray of int8, shape (n,)
        The worst flag of the inputs; MISSING where one is.
    """

    here: NDArray[np.bool_]
    result: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    said: NDArray[np.int8]


class Rejudging:
    """Calibration and qc for Datastreams that are judged together; the state begins with nothing seen.

    Parameters
    ----------
    store : Store
        What calibrations and profiles hold today.
    shelf : Shelf
        The profiles there are.
    datastreams : sequence of Datastream
        All whose rows will be fed.
    what : sequence of str
        ``calibration``, ``qc``: what is done anew; the other keeps what is stored.
    remake : callable, optional
        Gives what derivation makes of rows today; None: derived rows keep their results.
    beside : callable, optional
        Gives the companions of rows that are about to be calibrated; gets what calibrates them, and the rows.
    judging : Judging, optional
        What judges; None: one that has seen nothing.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf | None,
        datastreams: Sequence[Datastream],
        what: Sequence[str],
        remake: Callable[[ObservationBatch], Remade | None] = lambda _rows: None,
        *,
        beside: Callable[[Judging, ObservationBatch], Companions | None] = lambda _judging, _rows: None,
        judging: Judging | None = None,
    ) -> None:
        self._remake, self._beside = remake, beside
        self._catalog = store.catalog
        self.judging = Judging(store, shelf) if judging is None else judging
        for datastream in datastreams if judging is None else ():
            self.judging.set(datastream)
        self._calibrates, self._judges = CALIBRATION in what, QC in what
        self._waiting: deque[Judged] = deque()
        self._slots: dict[int, dict[str, int]] = {}
        self._limits: dict[int, tuple[float, float]] = {}
        kinds = {kind for one in datastreams for kind in self._unstored_today(one)}
        self._wants = [kind for kind in _UNSTORED if kind in kinds]

    def feed(self, rows: ObservationBatch, commit: NDArray[np.int64]) -> Iterator[Judged]:
        """Take rows that follow those fed before, and yield what is settled by now.

        Parameters
        ----------
        rows : ObservationBatch
            Automatic rows as they are stored; of each Datastream in order of time.
        commit : ndarray of int64, shape (n,)
            Of what is served of each row.
        """
        if len(rows):
            judged, waits = self.step(rows, commit)
            yield from self.drain()
            if waits.any():
                self._waiting.append(judged.take(np.flatnonzero(waits)))
                judged = judged.take(np.flatnonzero(~waits))
            if len(judged):
                yield judged
        else:
            yield from self.drain()

    def step(self, rows: ObservationBatch, commit: NDArray[np.int64]) -> tuple[Judged, NDArray[np.bool_]]:
        """Judge rows as `feed` does; return all of them, and which of them are not settled."""
        new = _as_sent(rows)
        if self._calibrates:
            self.judging.calibrate(new, self._beside(self.judging, new))
            way = new.provenance
        else:
            way = self._ways_of(new)
            new.result, new.result_uncertainty = rows.result, rows.result_uncertainty
        made = self._remake(rows)
        if made is not None:
            _take_over(new, made)
        if self._judges:
            self._judge(rows, new, made)
        else:
            new.result_quality, new.tests = rows.result_quality, rows.tests
        new.provenance = way
        assert new.id is not None  # noqa: S101 -- stored rows
        return Judged(rows, new, commit), self._is_open(new.id)

    def restate(self, old: ObservationBatch, new: ObservationBatch) -> None:
        """Judge rows that were calibrated anew beside how they are stored; the provenance stays."""
        self._judge(old, new, None)

    def wait(self, judged: Judged) -> None:
        """Keep rows that were not settled, until they are."""
        self._waiting.append(judged)

    def drain(self) -> Iterator[Judged]:
        """Yield the rows that waited and are settled by now."""
        for _ in range(len(self._waiting)):
            judged = self._waiting.popleft()
            assert judged.new.id is not None  # noqa: S101 -- stored rows
            waits = self._is_open(judged.new.id)
            if waits.any():
                self._waiting.append(judged.take(np.flatnonzero(waits)))
            if not waits.all():
                yield judged.take(np.flatnonzero(~waits))

    def _is_open(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(len(ids), bool)
        if self._judges:
            found[_places(ids, self.judging.pending())] = True
        return found

    def rest(self) -> Iterator[Judged]:
        """Yield what was not settled: the newest rows wait for a successor, as live rows do."""
        while self._waiting:
            yield self._waiting.popleft()

    def refresh(self, there: pa.Table) -> None:
        """Take the flags that live rows have settled on meanwhile into what waits.

        Parameters
        ----------
        there : pyarrow.Table
            The rows of `open_ids` as they are stored by now.
        """
        ids, commit = there["id"].to_numpy(), there["commit"].to_numpy()
        for waiting in self._waiting:
            known = dict(zip(ids.tolist(), commit.tolist(), strict=True))
            assert waiting.old.id is not None  # noqa: S101 -- stored rows
            same = [
                known.get(one) == at for one, at in zip(waiting.old.id.tolist(), waiting.commit.tolist(), strict=True)
            ]
            mine = pa.array(np.isin(ids, waiting.old.id[same]))
            rows = there.filter(mine)
            told = rows["tests"].combine_chunks()
            _settle(waiting.old, Settlements(rows["id"].to_numpy(), rows["result_quality"].to_numpy(), told))

    def open_ids(self, datastreams: Sequence[int] | None = None) -> NDArray[np.int64]:
        """Return the ids of the rows that wait, of some Datastreams or of all."""
        ids = [one.old.id for one in self._waiting if one.old.id is not None]
        found = np.concatenate(ids) if ids else np.empty(0, np.int64)
        return found if datastreams is None else found[np.isin(found >> 32, list(datastreams))]

    def rest_of(self, datastreams: Sequence[int]) -> Iterator[Judged]:
        """Yield what was not settled of some Datastreams."""
        for _ in range(len(self._waiting)):
            judged = self._waiting.popleft()
            mine = np.isin(judged.old.datastream, list(datastreams))
            if not mine.all():
                self._waiting.append(judged.take(np.flatnonzero(~mine)))
            if mine.any():
                yield judged.take(np.flatnonzero(mine))

    def is_open(self, before: int) -> bool:
        """Return whether a row older than a time, µs UTC, still waits."""
        return any(bool((one.old.phenomenon_time < before).any()) for one in self._waiting)

    def _ways_of(self, rows: ObservationBatch) -> NDArray[np.int32] | None:
        """Return what provenance rows would have whose results stay."""
        other = _as_sent(rows)
        self.judging.calibrate(other)  # which calibration holds does not depend on a companion
        return other.provenance

    def _judge(self, old: ObservationBatch, new: ObservationBatch, made: Remade | None) -> None:
        new.result_quality = np.zeros(len(new), np.int8)
        tests = pa.nulls(len(new), pa.string())
        parts = []
        settled: list[Settlements] = []
        for start, stop, received in self._stretches(old, new, made):
            part = new.take(slice(start, stop))
            settled.append(self.judging.judge(part, received))
            assert part.result_quality is not None  # noqa: S101 -- written by qc
            new.result_quality[start:stop] = part.result_quality
            parts.append(part.tests)
        new.tests = pa.concat_arrays(parts) if len(parts) > 1 else parts[0] if parts else tests
        new.syntax = None
        for one in settled:
            if len(one):
                _settle(new, one)
                for waiting in self._waiting:
                    _settle(waiting.new, one)

    def _stretches(
        self, old: ObservationBatch, new: ObservationBatch, made: Remade | None
    ) -> Iterator[tuple[int, int, int | None]]:
        """Yield stretches of rows with the time of reception that lets the tests say what they said then."""
        n = len(old)
        if not self._wants:
            yield 0, n, None
            return
        said = {kind: self._said(old, kind) for kind in self._wants}
        for kind in _IN_A_COLUMN:
            if kind in said:
                column = said[kind]
                if kind == "inputs" and made is not None:
                    column = np.where(made.here, made.said, column)
                new.syntax = column.astype(np.uint8)
        date, reception = said.get("impossible_date"), said.get("data_reception")
        if reception is not None:
            for row in range(n):
                yield row, row + 1, self._received(old, row, date, int(reception[row]))
        elif date is not None:
            ends = [*(np.flatnonzero(np.diff(date)) + 1).tolist(), n]
            for start, stop in zip([0, *ends[:-1]], ends, strict=True):
                yield start, stop, _RECEIVED.get(int(date[start]))
        else:
            yield 0, n, None

    def _received(self, old: ObservationBatch, row: int, date: NDArray[np.int8] | None, said: int) -> int | None:
        if date is not None and date[row] == QartodFlag.FAIL:
            return _EARLY
        time, datastream = int(old.phenomenon_time[row]), int(old.datastream[row])
        limits = self._limits.get(datastream, (0.0, 0.0))
        beyond = {
            int(QartodFlag.PASS): 0,
            int(QartodFlag.SUSPECT): int(limits[0]) + 1,
            int(QartodFlag.FAIL): int(limits[1]) + 1,
        }.get(said)
        return None if beyond is None else time + beyond

    def _said(self, old: ObservationBatch, kind: str) -> NDArray[np.int8]:
        """Return what a test said of rows, by the digits of the profile version that judged each."""
        found = np.full(len(old), QartodFlag.NOT_EVALUATED, np.int8)
        assert old.provenance is not None  # noqa: S101 -- stored rows
        for number in np.unique(old.provenance):
            slot = self._slot(int(number), kind)
            if slot is None:
                continue
            mine = np.flatnonzero(old.provenance == number)
            digit = pc.fill_null(pc.utf8_slice_codeunits(old.tests.take(pa.array(mine)), slot, slot + 1), "1")
            digit = pc.if_else(pc.equal(digit, ""), str(int(QartodFlag.NOT_EVALUATED)), digit)
            found[mine] = digit.cast(pa.int8()).to_numpy(zero_copy_only=False)
        return found

    def _slot(self, provenance: int, kind: str) -> int | None:
        """Return the place of a test's digit in rows of a provenance."""
        slots = self._slots.get(provenance)
        if slots is None:
            try:
                version = self._catalog.provenance_row(provenance).profile_version
                document = {} if version is None else self._catalog.profile_version_row(version).document
            except NotFound:
                document = {}
            tests = document.get("tests", {})
            names = document.get("slots", list(tests))
            slots = {str(tests[name].get("test", name)): place for place, name in enumerate(names)}
            self._slots[provenance] = slots
        return slots.get(kind)

    def _unstored_today(self, datastream: Datastream) -> set[str]:
        profile = self.judging.profile(datastream)
        found = set()
        for test in profile.tests if profile is not None else ():
            if test.kind in _UNSTORED:
                found.add(test.kind)
            if test.kind == "data_reception":
                suspect, fail = (microseconds(test.parameters.get(name, np.inf)) for name in ("suspect", "fail"))
                self._limits[datastream.id] = (min(suspect, fail), fail)
        return found


_RECEIVED = {int(QartodFlag.PASS): _LATE, int(QartodFlag.FAIL): _EARLY}


def _as_sent(rows: ObservationBatch) -> ObservationBatch:
    """Return rows as they came: what calibration and qc wrote is to be written anew."""
    return replace(
        rows,
        mark=None if rows.mark is None or rows.mark.null_count == len(rows) else rows.mark,
        result=None,
        result_uncertainty=None,
        result_quality=None,
        tests=None,
        provenance=None,
        supersedes=None,
    )


def _take_over(rows: ObservationBatch, made: Remade) -> None:
    """Write what derivation makes today; what an instrument sends is there what was computed."""
    assert rows.result is not None  # noqa: S101 -- written before
    nan = np.full(len(rows), np.nan)
    spread = nan if rows.result_uncertainty is None else rows.result_uncertainty
    rows.raw_result = np.where(made.here, made.result, rows.raw_result)
    rows.result = np.where(made.here, made.result, rows.result)
    rows.result_uncertainty = np.where(made.here, made.uncertainty, spread)


def said_of_inputs(rows: ObservationBatch) -> NDArray[np.int8]:
    """Return what the inputs of derived rows were flagged: the outcome of their first test."""
    digits = pc.fill_null(pc.utf8_slice_codeunits(rows.tests.cast(pa.string()), 0, 1), "1")
    said: NDArray[np.int8] = digits.cast(pa.int8()).to_numpy(zero_copy_only=False)
    return said


_WRITTEN = ("result", "result_uncertainty", "result_quality", "tests", "provenance")


def _written(rows: ObservationBatch) -> ObservationBatch:
    """Return rows with the columns that calibration and qc wrote, and what every row must have."""
    return ObservationBatch(
        datastream=rows.datastream,
        phenomenon_time=rows.phenomenon_time,
        raw_result=rows.raw_result,
        id=rows.id,
        **{name: getattr(rows, name) for name in _WRITTEN},
    )


def _beside(old: ObservationBatch, new: ObservationBatch) -> ObservationBatch:
    """Return rows as they were sent, with what calibration, derivation and qc wrote of others."""
    return replace(_as_sent(old), raw_result=new.raw_result, **{name: getattr(new, name) for name in _WRITTEN})


def _places(ids: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, ascending, where among ids, each there once, some of them and others are."""
    if not len(ids) or not len(some):
        return np.empty(0, np.int64)
    if not (ids[1:] > ids[:-1]).all():
        return np.flatnonzero(np.isin(ids, some))
    wanted = np.unique(some)  # in the order of the ids: nothing is to be sorted
    at = np.searchsorted(ids, wanted)
    at[at == len(ids)] = 0
    found: NDArray[np.int64] = at[ids[at] == wanted]
    return found


def _settle(rows: ObservationBatch, settled: Settlements) -> None:
    """Write settlements into those of the rows that they speak of."""
    assert rows.id is not None  # noqa: S101 -- stored rows
    assert rows.result_quality is not None  # noqa: S101
    mine = _places(rows.id, settled.id)
    if not len(mine):
        return
    order = np.argsort(settled.id, kind="stable")
    which = order[np.searchsorted(settled.id[order], rows.id[mine], "right") - 1]  # the last of several stands
    rows.result_quality[mine] = settled.result_quality[which]
    mask = np.zeros(len(rows), bool)
    mask[mine] = True
    rows.tests = pc.replace_with_mask(
        rows.tests.cast(pa.string()), pa.array(mask), settled.tests.cast(pa.string()).take(pa.array(which))
    )
