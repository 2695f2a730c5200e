"""Sealing: settled rows leave the hot tail for the lake, exactly once.

The order is what makes it safe: plan (the rows that stay hot, durable in the journal) → Parquet files → commit of
`revisions` → commit of `observations`, which alone decides → the swap in memory → index, commit times, and only then do
records leave the journal. A crash before the deciding commit leaves the old state and files that nobody speaks of;
after it, the new state, which the plan and the records behind it restore. `revisions` may be one seal ahead: the next
one writes only what ended after the sequence it has reached.
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
from nilometer.store.hot import CAPACITY, LIVE, Segment, journal_table
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_rewriter import Rewriter
from nilometer.store.lake_writer import MonthWriter, months, sort_rows
from nilometer.store.live import Live
from nilometer.store.masks import Masks
from nilometer.store.record import no_rows
from nilometer.store.refusal import refusal
from nilometer.store.tombstones import Tombstones

__all__ = ["Plan", "SealReport", "begin", "finish", "write"]


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
        Rows that stayed hot: the newest of every Datastream, and those with a test still open.
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


@dataclass(slots=True)
class Plan:
    """What a seal has set out to do, as of its sequence."""

    sequence: int
    segments: list[Segment]
    held: list[NDArray[np.int64]]
    sealed: list[NDArray[np.int64]]
    ended: list[NDArray[np.int64]]
    masks: Masks
    tombstones: Tombstones
    carried: pa.RecordBatch
    flags: list[tuple[NDArray[Any], NDArray[Any] | None]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows go to the lake."""
        return sum(map(len, self.sealed))


def begin(live: Live, hold: NDArray[np.int64], reached: int) -> Plan:
    """Choose a sequence and divide the hot rows into those that stay, go, and have ended; `live.lock` is held.

    Parameters
    ----------
    live : Live
        What is true now.
    hold : ndarray of int64
        Ids of rows with a test still open.
    reached : int
        The sequence that `revisions` has reached.

    Returns
    -------
    Plan
        With the rows that stay as the journal keeps them.
    """
    sequence = live.sequence
    segments = live.hot.freeze()
    places = live.index.location[live.index.location >= 0]
    kept = np.unique(np.concatenate((places, live.hot.find(hold)))) if len(hold) else np.unique(places)
    plan = Plan(
        sequence,
        segments,
        [],
        [],
        [],
        live.masks.until(sequence),
        live.tombstones.until(sequence),
        no_rows(),
    )
    for segment in segments:
        stays = np.zeros(segment.n, bool)
        stays[kept[kept // CAPACITY == segment.number] % CAPACITY] = True
        ended = segment.columns.get("superseded")
        alive = np.ones(segment.n, bool) if ended is None else ended[: segment.n] > sequence
        plan.held.append(np.flatnonzero(stays & alive))
        plan.sealed.append(np.flatnonzero(alive & ~stays))
        over = np.empty(0, np.int64)
        if ended is not None:
            over = np.flatnonzero(~alive & (ended[: segment.n] > reached))
        plan.ended.append(over)
    plan.carried = journal_table(zip(segments, plan.held, strict=True))
    return plan


def write(plan: Plan, observations: LakeTable, revisions: LakeTable, step: Callable[[str], None]) -> tuple[int, int]:
    """Write the files and commit them; return how many revisions and how many files there were.

    Raises
    ------
    StoreError
        If the disk refuses; the lake is as it was.
    """
    for segment in plan.segments:
        words = segment.words.get("tests")
        plan.flags.append(
            (
                segment.columns["result_quality"][: segment.n].copy(),
                None if words is None else words.codes[: segment.n].copy(),
            )
        )
    rewriter = Rewriter(observations, plan.masks, plan.tombstones, revisions.sequence)
    written: list[LakeFile] = []
    try:
        rewriter.run()
        old = rewriter.revisions + _tables(plan.segments, plan.ended, REVISION.names)
        former = _store(revisions, old, written)
        new = _store(observations, _tables(plan.segments, plan.sealed, OBSERVATION.names), written)
        step("written")
        if former:
            revisions.commit(former, [], plan.sequence)
        step("revisions")
        observations.commit([*rewriter.added, *new], rewriter.removed, plan.sequence)
        step("observations")
    except BaseException as error:
        _forget((observations, revisions), [*written, *rewriter.added])
        if isinstance(error, OSError):
            raise refusal(error, "write the lake", path=observations.root) from error
        raise
    return sum(file.rows for file in former), len(former) + len(new) + len(rewriter.added)


def finish(live: Live, plan: Plan, observations: LakeTable, revisions: LakeTable) -> None:
    """Swap the sealed rows for the files that hold them; `live.lock` is held."""
    sealed_ids, ends, late = [], [], []
    for segment, rows, (quality, codes) in zip(plan.segments, plan.sealed, plan.flags, strict=True):
        ended = segment.columns.get("superseded")
        if ended is not None:
            over = rows[ended[rows] != LIVE]
            sealed_ids.append(segment.columns["id"][over])
            ends.append(ended[over])
        late.append(_settled_since(segment, rows, quality, codes))
    _move_held(live, plan)
    live.masks = live.masks.after(plan.sequence)
    if sealed_ids:
        live.masks = live.masks.add(np.concatenate(sealed_ids), np.concatenate(ends))
    live.tombstones = live.tombstones.after(plan.sequence)
    live.files, live.revisions = observations.files, revisions.files
    live.lake_sequence = plan.sequence
    live.changed()
    for settled in late:
        if len(settled):
            live.apply(no_rows(), settled, live.sequence)


def _move_held(live: Live, plan: Plan) -> None:
    """Give the rows that stay a segment of their own, before all that came since."""
    hot, index = live.hot, live.index
    newer = [segment for number, segment in hot.segments.items() if segment not in plan.segments]
    old = np.concatenate(
        [rows + segment.number * CAPACITY for segment, rows in zip(plan.segments, plan.held, strict=True)]
        or [np.empty(0, np.int64)]
    )
    ends = hot.column("superseded", old)
    rows = journal_table(zip(plan.segments, plan.held, strict=True))
    gone = {segment.number for segment in plan.segments}
    hot.segments = {}
    new = hot.append(rows, 0)
    hot.freeze()
    for segment in newer:
        hot.segments[segment.number] = segment
    over = ends != LIVE
    hot.end(new[over], ends[over])
    order = np.argsort(old)
    old, new = old[order], new[order]
    moved = np.flatnonzero(np.isin(index.location // CAPACITY, list(gone)) & (index.location >= 0))
    place = np.searchsorted(old, index.location[moved])
    stays = place < len(old)
    # A reader may have told, since the seal began, of a newest row that goes to the lake with it.
    stays[stays] = old[place[stays]] == index.location[moved[stays]]
    index.location[moved] = NOWHERE
    index.location[moved[stays]] = new[place[stays]]


def _settled_since(
    segment: Segment, rows: NDArray[np.int64], quality: NDArray[Any], codes: NDArray[Any] | None
) -> Settlements:
    words = segment.words.get("tests")
    changed = segment.columns["result_quality"][rows] != quality[rows]
    if words is not None:
        changed |= words.codes[rows] != (-1 if codes is None else codes[rows])
    which = rows[changed]
    if not len(which):
        return Settlements.none()
    tests = segment.table(which, ["tests"])["tests"].combine_chunks()
    return Settlements(segment.columns["id"][which], segment.columns["result_quality"][which], tests)


def _tables(segments: Sequence[Segment], rows: Sequence[NDArray[np.int64]], names: Sequence[str]) -> list[pa.Table]:
    # Columns in which no row says anything are left to the writer: moving nulls costs as much as moving rows.
    used = [(segment, which) for segment, which in zip(segments, rows, strict=True) if len(which)]
    speaking = set().union(*(segment.speaking() for segment, _ in used))
    spoken = [name for name in names if name in speaking]
    return [segment.table(which, spoken) for segment, which in used]


def _store(table: LakeTable, parts: list[pa.Table], written: list[LakeFile]) -> list[LakeFile]:
    if not parts:
        return []
    rows = sort_rows(pa.concat_tables(parts, promote_options="default"))
    files: list[LakeFile] = []
    for month, part in months(rows):
        writer = MonthWriter(table.root, month, table.schema)
        try:
            writer.write(part)
            files.extend(writer.close())
        except BaseException:
            writer.abandon()
            raise
        finally:
            written.extend(file for file in writer.files if file not in written)
    return files


def _forget(tables: Sequence[LakeTable], files: Sequence[LakeFile]) -> None:
    known = {file for table in tables for file in table.files}
    for file in files:
        if file not in known:
            (file.root / file.path).unlink(missing_ok=True)
