"""Sealing: settled rows leave the hot tail for the lake, exactly once.

The order is what makes it safe: plan (the rows that stay hot and what stays hidden, durable in the journal) → Parquet
files → commit of `revisions` → commit of `observations`, which alone decides → the swap in memory → index, commit
times, and only then do records leave the journal. A crash before the deciding commit leaves the old state and files
that nobody speaks of; after it, the new state, which the plan and the records behind it restore. `revisions` may be one
seal ahead: what came with that seal bears its number, is passed over by readers, and replaced by the next seal.

A seal writes what is hot and reads nothing of the lake. Rows of the lake that are revised or deleted stay where they
are, behind masks and tombstones, until the compactor has written their file anew; the seal after that exchanges the
files in its own commits. The new version of a row stays hot until then, so that the lake never holds two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import Settlements
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.datastream_index import NOWHERE
from nilometer.store.distinct import distinct
from nilometer.store.hot import CAPACITY, LIVE, HotTail, Segment, journal_table
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_rewriter import Exchange
from nilometer.store.lake_writer import YearWriter, sort_rows, years
from nilometer.store.live import Live
from nilometer.store.masks import Masks
from nilometer.store.refusal import refusal
from nilometer.store.seal_plan import encode_plan
from nilometer.store.tombstones import Tombstones

__all__ = ["Done", "Plan", "SealReport", "begin", "divide", "finish", "write"]


@dataclass(frozen=True, slots=True)
class SealReport:
    """What a seal did.

    Parameters
    ----------
    sequence : int
        The journal sequence that the lake has reached.
    rows, revisions : int
        Rows that went to `observations` and to `revisions`.
    held : int
        Rows that stayed hot: the newest of every Datastream, those with a test still open, and new versions of rows
        that the compactor has not taken out of the lake yet.
    files : int
        Parquet files written.
    seconds : float
        How long it took.
    """

    sequence: int
    rows: int
    revisions: int
    held: int
    files: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """What the compactor has got ready for the next seal.

    Parameters
    ----------
    exchanges : tuple of Exchange
        Files to exchange.
    masks, tombstones :
        What hides nothing in the lake once they are exchanged.
    """

    exchanges: tuple[Exchange, ...] = ()
    masks: Masks = field(default_factory=Masks)
    tombstones: Tombstones = field(default_factory=Tombstones)


@dataclass(slots=True)
class Plan:
    """What a seal has set out to do, as of its sequence; `is_rewrite`: rows of the files it exchanges are others."""

    sequence: int
    segments: list[Segment]
    newest: NDArray[np.int64]
    masks: Masks
    tombstones: Tombstones
    done: Done
    held: list[NDArray[np.int64]] = field(default_factory=list)
    sealed: list[NDArray[np.int64]] = field(default_factory=list)
    ended: list[NDArray[np.int64]] = field(default_factory=list)
    flags: list[tuple[NDArray[Any], NDArray[Any] | None]] = field(default_factory=list)
    carried: pa.RecordBatch | None = None
    is_rewrite: bool = False
    kept: HotTail = field(default_factory=HotTail)

    @property
    def rows(self) -> int:
        """How many rows go to `observations`."""
        return sum(map(len, self.sealed))

    def to_bytes(self) -> bytes:
        """Return what the journal keeps of it."""
        assert self.carried is not None  # noqa: S101 -- divide has made them
        return encode_plan(self.carried, self.masks, self.tombstones)


def begin(live: Live, done: Done) -> Plan:
    """Choose a sequence; `live.lock` is held, and for nothing that takes the longer the more rows are hot."""
    newest = live.index.location[live.index.location >= 0]
    return Plan(live.sequence, live.hot.freeze(), newest, live.masks, live.tombstones, done)


def divide(plan: Plan, hold: NDArray[np.int64], reached: int) -> None:
    """Divide the hot rows into those that stay, go, and have ended, as of the plan's sequence.

    What comes meanwhile is in other segments, ends rows at a later sequence, or settles flags, which `finish` sees to.

    Parameters
    ----------
    plan : Plan
        Begun.
    hold : ndarray of int64
        Ids of rows with a test still open.
    reached : int
        Rows that ended up to this sequence are in `revisions` already.
    """
    plan.masks = plan.masks.without(plan.done.masks)
    plan.tombstones = plan.tombstones.without(plan.done.tombstones)
    wanted = distinct(hold)
    for segment in plan.segments:
        ids = segment.columns["id"][: segment.n]
        stays = np.isin(ids, wanted) if len(wanted) else np.zeros(segment.n, bool)
        if len(plan.masks):
            # Its former version is in the lake still, and an id must not be there twice.
            stays |= plan.masks.hold(ids)
        stays[plan.newest[plan.newest // CAPACITY == segment.number] % CAPACITY] = True
        column = segment.columns.get("superseded")
        ended = None if column is None else column[: segment.n].copy()
        alive = np.ones(segment.n, bool) if ended is None else ended > plan.sequence
        plan.held.append(np.flatnonzero(stays & alive))
        plan.sealed.append(np.flatnonzero(alive & ~stays))
        over = np.empty(0, np.int64)
        if ended is not None:
            over = np.flatnonzero(~alive & (ended > reached))
        plan.ended.append(over)
        words = segment.words.get("tests")
        codes = None if words is None else words.codes[: segment.n].copy()
        plan.flags.append((segment.columns["result_quality"][: segment.n].copy(), codes))
    plan.carried = journal_table(zip(plan.segments, plan.held, strict=True))
    plan.kept.append(plan.carried, 0)
    plan.kept.freeze()


def write(plan: Plan, observations: LakeTable, revisions: LakeTable, step: Callable[[str], None]) -> tuple[int, int]:
    """Write the files and commit them; return how many revisions and how many files there were.

    Raises
    ------
    StoreError
        If the disk refuses; the lake is as it was, or `revisions` is one seal ahead.
    """
    written: list[LakeFile] = []
    number = f"s{plan.sequence}-"
    try:
        former = _store(revisions, _tables(plan.segments, plan.ended, REVISION.names), written, number)
        new = _store(observations, _tables(plan.segments, plan.sealed, OBSERVATION.names), written, "")
        for exchange in plan.done.exchanges:
            for place, file in enumerate(exchange.former):
                exchange.former[place] = revisions.numbered(file, number)
            former += exchange.former
        step("seal.written")
        stale = [file for file in revisions.files if file.seal > observations.sequence]
        # What a seal that did not come to its end has left there was made anew, with the same bytes or others.
        stale = [file for file in stale if file not in former]
        fresh = [file for file in former if file not in revisions.files]
        if fresh or stale:
            revisions.commit(fresh, stale, plan.sequence if plan.sequence > revisions.sequence else None)
        step("seal.revisions")
        added = [file for exchange in plan.done.exchanges for file in exchange.new]
        removed = [exchange.old for exchange in plan.done.exchanges]
        observations.commit([*new, *added], removed, plan.sequence)
        step("seal.observations")
    except BaseException as error:
        for table in (observations, revisions):
            table.discard(file for file in written if file.place is table.place)
        if isinstance(error, OSError):
            raise refusal(error, "write the lake", path=str(observations.place)) from error
        raise
    return sum(file.rows for file in former), len(former) + len(new) + len(added)


def finish(live: Live, plan: Plan, observations: LakeTable, revisions: LakeTable) -> None:
    """Swap the sealed rows for the files that hold them; `live.lock` is held.

    Everything is worked out before anything is changed: where it fails, it can be done again.
    """
    sealed_ids, ends, late = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for segment, rows, flags in zip(plan.segments, plan.sealed, plan.flags, strict=True):
        column = segment.columns.get("superseded")
        end = None if column is None else column[rows]
        changed = _changed(segment, rows, flags)
        if end is not None:
            sealed_ids.append(segment.columns["id"][rows[end != LIVE]])
            ends.append(end[end != LIVE])
            changed &= end == LIVE
        if changed.any():
            late.append((segment, rows[changed]))
    masks = live.masks.without(plan.done.masks).add(np.concatenate(sealed_ids), np.concatenate(ends))
    tombstones = live.tombstones.without(plan.done.tombstones)
    settled = journal_table(late) if late else None
    files, former = observations.files, _confirmed(revisions, plan.sequence)
    _follow(plan)
    location = _moved(live, plan)
    live.hot.exchange(plan.segments, plan.kept)  # wholly or not at all; from here on nothing can fail
    live.index.location[: len(location)] = location
    live.masks, live.tombstones = masks, tombstones
    live.files, live.revisions, live.lake_sequence = files, former, plan.sequence
    if plan.is_rewrite:
        live.forget_newest()
    live.changed()
    if settled is not None:
        # Rows that settled after they were written: they live on in the hot tail, as a settled row of the lake does.
        live.heat(settled)


def _follow(plan: Plan) -> None:
    """Let the rows that stay have the ends and flags that came since they were copied."""
    start = 0
    for segment, rows, flags in zip(plan.segments, plan.held, plan.flags, strict=True):
        place = _places(start, len(rows))
        start += len(rows)
        ended = segment.columns.get("superseded")
        if ended is not None:
            over = ended[rows] != LIVE
            plan.kept.end(place[over], ended[rows[over]])
        changed = _changed(segment, rows, flags)
        if changed.any():
            which = rows[changed]
            tests = segment.table(which, ["tests"])["tests"].combine_chunks()
            settled = Settlements(segment.columns["id"][which], segment.columns["result_quality"][which], tests)
            plan.kept.settle(place[changed], settled)


def _moved(live: Live, plan: Plan) -> NDArray[np.int64]:
    """Return where the newest rows will be."""
    location = live.index.location.copy()
    old = np.concatenate(
        [rows + segment.number * CAPACITY for segment, rows in zip(plan.segments, plan.held, strict=True)]
        or [np.empty(0, np.int64)]
    )
    new = _places(0, len(old)) + live.hot.next_number * CAPACITY
    order = np.argsort(old)
    old, new = old[order], new[order]
    gone = np.array([segment.number for segment in plan.segments], np.int64)
    moved = np.flatnonzero((location >= 0) & np.isin(location // CAPACITY, gone))
    place = np.searchsorted(old, location[moved])
    stays = place < len(old)
    # A reader may have told, since the seal began, of a newest row that goes to the lake with it.
    stays[stays] = old[place[stays]] == location[moved[stays]]
    location[moved] = NOWHERE
    location[moved[stays]] = new[place[stays]]
    return location


def _places(start: int, n: int) -> NDArray[np.int64]:
    """Return the locations of rows that were put one behind the other into an empty tail."""
    return np.arange(start, start + n, dtype=np.int64)


def _changed(
    segment: Segment, rows: NDArray[np.int64], flags: tuple[NDArray[Any], NDArray[Any] | None]
) -> NDArray[np.bool_]:
    """Return which rows have other flags than when they were copied."""
    quality, codes = flags
    words = segment.words.get("tests")
    changed: NDArray[np.bool_] = segment.columns["result_quality"][rows] != quality[rows]
    if words is not None:
        changed |= words.codes[rows] != (-1 if codes is None else codes[rows])
    return changed


def _confirmed(revisions: LakeTable, sequence: int) -> tuple[LakeFile, ...]:
    return tuple(file for file in revisions.files if file.seal <= sequence)


def _tables(segments: Sequence[Segment], rows: Sequence[NDArray[np.int64]], names: Sequence[str]) -> list[pa.Table]:
    # Columns in which no row says anything are left to the writer: moving nulls costs as much as moving rows.
    used = [(segment, which) for segment, which in zip(segments, rows, strict=True) if len(which)]
    speaking = set().union(*(segment.speaking() for segment, _ in used))
    spoken = [name for name in names if name in speaking]
    return [segment.table(which, spoken) for segment, which in used]


def _store(table: LakeTable, parts: list[pa.Table], written: list[LakeFile], prefix: str) -> list[LakeFile]:
    if not parts:
        return []
    rows = sort_rows(pa.concat_tables(parts, promote_options="default"))
    files: list[LakeFile] = []
    for year, part in years(rows):
        writer = YearWriter(table.place, year, table.schema, prefix=prefix)
        try:
            writer.write(part)
            files.extend(writer.close())
        except BaseException:
            writer.abandon()
            raise
        finally:
            written.extend(file for file in writer.files if file not in written)
    return files
