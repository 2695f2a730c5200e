"""Reprocessing of what lies in the lake, file by file: most rows of most files change, and each is written once.

A file is read in its order (Datastream, time), judged, compared, and where more than a few rows differ written anew
beside the old one; the store exchanges the two in one commit (`nilometer.store.rewriting`). Files go in the order of
years, so each Datastream's rows come in order of time. All is done at once: while a piece is judged
the next one is read, the one before is encoded, and the file before is made durable and exchanged. Left to the other
way (`reprocess_pass`), through the journal: rows whose verdict is open at the end of a piece, files of which few rows
differ, what is hot, and every Datastream with a manual review, a test of several Datastreams, or rows that somebody
changed meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import ObservationBatch
from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.reprocess_judging import QC, Judged
from nilometer.pipeline.reprocess_order import Group
from nilometer.pipeline.reprocess_pass import Hands, Pass, Run, stretches
from nilometer.pipeline.reprocess_report import Differences, Moved, differences
from nilometer.pipeline.reprocess_work import Work
from nilometer.store.lake_file import LakeFile
from nilometer.store.rewriting import Lying

__all__ = ["FilePass", "by_files"]

LEAST_ROWS = 200_000
"""With fewer rows in the lake than this files are not worth the while."""

_GROUPS_AT_ONCE = 8  # a quarter of a million rows: their columns are in the cache while they are judged
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


class FilePass(Pass):
    """One pass over the files of the lake; the group holds every Datastream that is to be reprocessed so."""

    def through(self, seen: Lying) -> set[int]:
        """Go through the files, then catch up with what is hot; return the Datastreams to be gone through again."""
        self._seen, self._later, self._fed, self._left = seen, [], dict.fromkeys(self._ids, 0), set()
        self._snapshot = self._store.snapshot()
        self._ahead, self._reserved, self._leaving = 8, 0, None
        files = [file for file in seen.files if file.last >= self._ids[0] and file.first <= self._ids[-1]]
        with ThreadPoolExecutor(2, "nilometer-reprocess-files") as beside:
            pieces = _pieces(beside, files)
            for file in files:
                self._file(file, pieces, beside)
            self._has_left()
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
    _reserved: int
    _leaving: tuple[Work, Future[tuple[bool, int]]] | None

    def _reach(self, datastreams: Sequence[int], *, is_last: bool) -> None:
        """Catch up with Datastreams, and let the live tests go on from there; in the pump's thread."""
        snapshot = self._store.snapshot()
        self._rejudging.refresh(snapshot.by_id(self._rejudging.open_ids(datastreams)))
        rows, commit = self._rows(snapshot, {number: self._next(number) for number in datastreams}, 1 << 62)
        self._see(*stretches(rows.datastream))
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

    def _see(self, numbers: list[int], starts: list[int], stops: list[int]) -> None:
        for number, start, stop in zip(numbers, starts, stops, strict=True):
            self._fed[number] += stop - start

    def _file(self, file: LakeFile, pieces: Iterator[_Piece], beside: ThreadPoolExecutor) -> None:
        """Go through a file, and have it exchanged where more than a few of its rows differ."""
        self._reserved = self._store.rewriting.reserve(self._ahead, behind=self._reserved)
        work = Work(self._store, file, self._reserved)
        try:
            for _ in range(0, len(file.blocks.rows), _GROUPS_AT_ONCE):
                self._piece(work, *next(pieces))
            self._has_left()
        except BaseException:
            work.abandon()
            raise
        if work.writer is None:
            self._later += work.few()
            self._add(work.kept)
        else:
            self._leaving = work, beside.submit(self._leave, work, self._store.sequence())

    def _leave(self, work: Work, sequence: int) -> tuple[bool, int]:
        """Make a file durable and exchange it; return whether it was, and how many commits came while it was made."""
        done = work.close()
        came = self._store.sequence() - sequence
        return self._store.rewriting.exchange(done, work.sequence, self._seen), came

    def _has_left(self) -> None:
        """Wait until the file before was exchanged, and count what moved in it."""
        if self._leaving is None:
            return
        (work, leaving), self._leaving = self._leaving, None
        is_done, came = leaving.result()
        self._ahead = 8 + 2 * came  # as many commits may come while the next is written
        if is_done:
            self._run.own.append(work.sequence)
            self._add(work.kept)
            self._add(work.changed)
        else:
            self._left |= {number for number in self._ids if work.file.first <= number <= work.file.last}

    def _add(self, counted: dict[int, Moved]) -> None:
        for number, moved in counted.items():
            self._moved[number].take_over(moved)

    def _piece(self, work: Work, groups: NDArray[np.int64], table: pa.Table) -> None:
        """Judge row groups; rows that differ wait until it is known whether the file is written anew."""
        self._run.check()
        numbers, starts, stops = stretches(table["datastream"].to_numpy())
        mine = [at for at, number in enumerate(numbers) if number in self._fed]
        if not mine:
            work.keep(groups, table)
            return
        part, rows_of = table, None
        if len(mine) < len(numbers):
            part = pa.concat_tables(table.slice(starts[at], stops[at] - starts[at]) for at in mine).combine_chunks()
            rows_of = np.concatenate([np.arange(starts[at], stops[at]) for at in mine])
        rows = ObservationBatch.from_arrow(part, spoken=True)
        runs = stretches(rows.datastream)
        self._see(*runs)
        judged, waits = self._rejudging.step(rows, part["commit"].to_numpy())
        for number, stop in zip(runs[0], runs[2], strict=True):
            self._newest[number] = int(rows.phenomenon_time[stop - 1])
        self._later += list(self._rejudging.drain())
        if waits.any():
            self._rejudging.wait(judged.take(np.flatnonzero(waits)))
        settled = self._inside(rows.phenomenon_time) & ~waits
        found = differences(judged, self._reckon(judged))
        differ = found.any & settled
        for number, start, stop in zip(*runs, strict=True):
            rest = int(settled[start:stop].sum()) - int(differ[start:stop].sum())
            work.kept.setdefault(number, Moved(number)).rows += rest
        _count_runs(work.changed, judged, found, differ, runs)
        work.take(groups, table, judged, found, np.flatnonzero(differ), rows_of)
        self._read(len(rows))


_Piece = tuple[NDArray[np.int64], pa.Table]


def _pieces(beside: ThreadPoolExecutor, files: Iterable[LakeFile]) -> Iterator[_Piece]:
    """Yield the row groups of files, some at once, and what is in them; the next ones are read meanwhile."""

    def read(file: LakeFile, groups: NDArray[np.int64]) -> _Piece:
        return groups, file.read(groups, OBSERVATION.names).combine_chunks()

    ahead: deque[Future[_Piece]] = deque()
    for file in files:
        count = len(file.blocks.rows)
        for start in range(0, count, _GROUPS_AT_ONCE):
            ahead.append(beside.submit(read, file, np.arange(start, min(start + _GROUPS_AT_ONCE, count))))
            if len(ahead) > 1:
                yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _count_runs(
    into: dict[int, Moved],
    judged: Judged,
    found: Differences,
    differ: NDArray[np.bool_],
    runs: tuple[list[int], list[int], list[int]],
) -> None:
    """Count what moved of the rows that differ, by Datastream; where these lie together nothing is copied."""
    kept = np.zeros(len(judged), bool)
    for number, start, stop in zip(*runs, strict=True):
        rows = np.flatnonzero(differ[start:stop])
        if not len(rows):
            continue
        first, last = start + int(rows[0]), start + int(rows[-1]) + 1
        part = slice(first, last) if last - first == len(rows) else rows + start
        into.setdefault(number, Moved(number)).add(judged.take(part), found.take(part), kept[part])
