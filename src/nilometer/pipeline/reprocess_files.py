"""Reprocessing of what lies in the lake, file by file: most rows of most files change, and each is written once.

A file is read in its order (Datastream, time), judged, compared, and where more than a few rows differ written anew
beside the old one; the store exchanges the two in one commit (`nilometer.store.rewriting`). Files go in the order of
years, so each Datastream's rows come in order of time. Left to the other way (`reprocess_pass`), through the journal:
rows whose verdict is open at the end of a piece, files of which few rows differ, what is hot, and every Datastream
with a manual review, a test of several Datastreams, or rows that somebody changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import ObservationBatch
from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.reprocess_judging import QC, Judged
from nilometer.pipeline.reprocess_order import Group
from nilometer.pipeline.reprocess_pass import Hands, Pass, Run
from nilometer.pipeline.reprocess_report import Moved, differences
from nilometer.store import Store
from nilometer.store.lake_file import LakeFile
from nilometer.store.rewriting import FileRewriter, Lying

__all__ = ["FilePass", "FileRewriter", "by_files"]

LEAST_ROWS = 200_000
"""With fewer rows in the lake than this files are not worth the while."""

FEW = 0.03
"""Up to this share of a file's rows go through the journal."""

_GROUPS_AT_ONCE = 16
_CAUGHT_UP_AT_ONCE = 50


def by_files(hands: Hands, run: Run, groups: Sequence[Group], told: Callable[[int], None]) -> list[Group]:
    """Reprocess what can be reprocessed by files; return the groups that are left to the other way."""
    rewriting, order = hands.store.rewriting, run.order
    # What is derived follows in the commit of its inputs, and no row of a file has one of its own.
    derives: set[int] = hands.ask(lambda: _inputs(hands))
    fit = [group for group in groups if _is_fit(hands, group) and not group.wanted & derives]
    if order.dry_run or order.changes or order.end is not None or not rewriting.is_possible or not fit:
        return list(groups)
    ids = [group.members[0].id for group in fit]
    if hands.store.snapshot().count(ids, water_only=False) < LEAST_ROWS:
        return list(groups)
    with rewriting.alone():
        seen = rewriting.lying()
        disordered = _disordered(seen.files)
        members = tuple(group.members[0] for group in fit if group.members[0].id not in seen.hidden | disordered)
        if not members:
            return list(groups)
        whole = Group(members, frozenset(one.id for one in members))
        left = FilePass(hands, run, whole, is_last=False, told=told).through(seen)
    done = {one.id for one in members} - left
    return [group for group in groups if not group.wanted <= done]


def _inputs(hands: Hands) -> set[int]:
    """Return the Datastreams that something is derived of, or calibrated with; in the pump's thread."""
    operands = [operand for one in hands.deriving.definitions() for operand in one.operands]
    asks = hands.deriving.asks()
    beside = {number for one in asks.values() for number in (one.datastream, *one.companions)}
    return beside | {operand.datastream for operand in operands if operand.datastream is not None}


def _is_fit(hands: Hands, group: Group) -> bool:
    plan = hands.reviewing.plans.of(group.members[0].id)
    return len(group.members) == 1 and not plan.steps and not plan.signed


def _disordered(files: Iterable[LakeFile]) -> set[int]:
    """Return the Datastreams of which the files of a year, in their order, do not hold the rows in order of time."""
    years: dict[str, list[LakeFile]] = {}
    for file in files:
        years.setdefault(file.year, []).append(file)
    found: set[int] = set()
    for several in years.values():
        newest: dict[int, int] = {}
        for file in several if len(several) > 1 else ():
            for start in range(0, len(file.blocks.rows), _GROUPS_AT_ONCE):
                groups = np.arange(start, min(start + _GROUPS_AT_ONCE, len(file.blocks.rows)))
                table = file.read(groups, ["datastream", "phenomenon_time"])
                owner = table["datastream"].to_numpy()
                time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
                first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
                last = np.append(first[1:], len(owner)) - 1
                for number, begin, end in zip(
                    owner[first].tolist(), time[first].tolist(), time[last].tolist(), strict=True
                ):
                    if begin < newest.get(number, begin):
                        found.add(number)
                    newest[number] = max(end, newest.get(number, end))
    return found


@dataclass(slots=True)
class _Work:
    """A file being gone through: rows that differ, until it is known whether they are many; then the file anew."""

    store: Store
    file: LakeFile
    sequence: int
    kept: dict[int, Moved] = field(default_factory=dict)
    changed: dict[int, Moved] = field(default_factory=dict)
    buffered: list[tuple[NDArray[np.int64], NDArray[np.int64], Judged | None]] = field(default_factory=list)
    writer: FileRewriter | None = None
    _count: int = 0

    def take(self, groups: NDArray[np.int64], table: pa.Table, rows: NDArray[np.int64], moved: Judged | None) -> None:
        """Take row groups, the rows of them that differ, and these as they are today."""
        if self.writer is not None:
            _write(self.writer, table, rows, moved)
            return
        self.buffered.append((groups, rows, moved if len(rows) else None))
        self._count += len(rows)
        if self._count > FEW * self.file.rows:
            self.writer = self.store.rewriting.rewrite(self.file, self.sequence)
            for before, which, judged in self.buffered:
                again = table if before is groups else self.file.read(before, OBSERVATION.names).combine_chunks()
                _write(self.writer, again, which, judged)
            self.buffered = []


def _write(writer: FileRewriter, table: pa.Table, rows: NDArray[np.int64], moved: Judged | None) -> None:
    if moved is None or not len(rows):
        writer.keep(table)
        return
    new = moved.new
    assert new.result is not None  # noqa: S101 -- finished rows
    assert new.result_uncertainty is not None  # noqa: S101
    raw = new.raw_result
    same = (new.result == raw) | np.isnan(raw)  # a raw result that is equal is not stored
    columns = {
        "result": pa.array(new.result, mask=np.isnan(new.result)),
        "raw_result": pa.array(raw, mask=same),
        "result_uncertainty": pa.array(
            new.result_uncertainty.astype(np.float32), mask=np.isnan(new.result_uncertainty)
        ),
        "result_quality": pa.array(new.result_quality, pa.int8()),
        "tests": new.tests,
        "provenance": pa.array(new.provenance, pa.int32()),
    }
    writer.change(table, rows, columns)


class FilePass(Pass):
    """One pass over the files of the lake; the group holds every Datastream that is to be reprocessed so."""

    def through(self, seen: Lying) -> set[int]:
        """Go through the files, then catch up with what is hot; return the Datastreams to be gone through again."""
        self._seen, self._later, self._fed, self._left = seen, [], dict.fromkeys(self._ids, 0), set()
        self._snapshot = self._store.snapshot()
        self._ahead = 8
        for file in seen.files:
            if file.last >= self._ids[0] and file.first <= self._ids[-1]:
                self._file(file)
        for judged in [*self._later, *self._rejudging.drain()]:
            self._take(judged)
        waiting = [number for number in self._ids if number not in self._left]
        for start in range(0, len(waiting), _CAUGHT_UP_AT_ONCE):
            some = waiting[start : start + _CAUGHT_UP_AT_ONCE]
            self._hands.ask(partial(self._reach, some, is_last=start + _CAUGHT_UP_AT_ONCE >= len(waiting)))
        return self._left

    _seen: Lying
    _later: list[Judged]
    _fed: dict[int, int]
    _left: set[int]
    _ahead: int

    def _reach(self, datastreams: Sequence[int], *, is_last: bool) -> None:
        """Catch up with Datastreams, and let the live tests go on from there; in the pump's thread."""
        snapshot = self._store.snapshot()
        self._rejudging.refresh(snapshot.by_id(self._rejudging.open_ids(datastreams)))
        rows, commit = self._rows(snapshot, {number: self._next(number) for number in datastreams}, 1 << 62)
        self._see(rows)
        settled = list(self._rejudging.feed(rows, commit))
        for judged in (*settled, *self._rejudging.rest_of(datastreams)):
            self._take(judged, is_here=True)
        for number in datastreams:
            if snapshot.count([number], water_only=False) != self._fed[number]:
                self._left.add(number)  # rows lie among those that were read
        if QC in self._what:
            self._hands.live.adopt(self._rejudging.judging, datastreams)
            if is_last:
                self._hands.keep()

    def _see(self, rows: ObservationBatch) -> None:
        numbers, counts = np.unique(rows.datastream, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            self._fed[number] += count

    def _file(self, file: LakeFile) -> None:
        """Go through a file, and exchange it where more than a few of its rows differ."""
        work = _Work(self._store, file, self._store.rewriting.reserve(self._ahead))
        before = self._store.sequence()
        try:
            for start in range(0, len(file.blocks.rows), _GROUPS_AT_ONCE):
                self._piece(work, np.arange(start, min(start + _GROUPS_AT_ONCE, len(file.blocks.rows))))
        except BaseException:
            if work.writer is not None:
                work.writer.abandon()
            raise
        if work.writer is None:
            self._later += [judged for _, _, judged in work.buffered if judged is not None]
            self._add(work.kept)
            return
        done = work.writer.close()
        self._ahead = 8 + 2 * (self._store.sequence() - before)  # as many commits may come while the next is written
        is_done = self._store.rewriting.exchange(done, work.sequence, self._seen)
        if is_done:
            self._run.own.append(work.sequence)
            self._add(work.kept)
            self._add(work.changed)
        else:
            self._left |= {number for number in self._ids if file.first <= number <= file.last}

    def _add(self, counted: dict[int, Moved]) -> None:
        for number, moved in counted.items():
            self._moved[number].take_over(moved)

    def _piece(self, work: _Work, groups: NDArray[np.int64]) -> None:
        """Judge row groups; rows that differ wait until it is known whether the file is written anew."""
        self._run.check()
        table = work.file.read(groups, OBSERVATION.names).combine_chunks()
        mine = np.flatnonzero(np.isin(table["datastream"].to_numpy(), self._wanted))
        if not len(mine):
            work.take(groups, table, mine, None)
            return
        part = table if len(mine) == table.num_rows else table.take(pa.array(mine))
        rows = ObservationBatch.from_arrow(part)
        self._see(rows)
        judged, waits = self._rejudging.step(rows, part["commit"].to_numpy())
        ends = np.flatnonzero(np.append(rows.datastream[1:] != rows.datastream[:-1], True))
        for row in ends.tolist():
            self._newest[int(rows.datastream[row])] = int(rows.phenomenon_time[row])
        self._later += list(self._rejudging.drain())
        if waits.any():
            self._rejudging.wait(judged.take(np.flatnonzero(waits)))
        settled = self._inside(rows.phenomenon_time) & ~waits
        found = differences(judged, self._reckon(judged))
        differ = found.any & settled
        for some, into in ((settled & ~differ, work.kept), (differ, work.changed)):
            for number in np.unique(rows.datastream[some]).tolist():
                into.setdefault(number, Moved(number))
        numbers, counts = np.unique(rows.datastream[settled & ~differ], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            work.kept[number].rows += count
        changes = np.flatnonzero(differ)
        moved = judged if len(changes) == len(judged) else judged.take(changes)
        if len(changes):
            self._count(
                work.changed, moved, found if moved is judged else found.take(changes), np.zeros(len(moved), bool)
            )
        work.take(groups, table, mine[changes], moved)
        self._read(len(rows))
