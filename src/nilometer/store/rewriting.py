"""Files of the lake written anew with other values of their rows, each exchanged in one commit of its own.

What reprocessing changes are most rows of most files. As revisions through the journal each would be written four
times; here a file is read, and beside it lie its rows as they are now, bearing a sequence that is still to come, and
the rows that they take the place of. When they are durable the commits up to that sequence are filled with empty ones,
that sequence is journaled, an empty record too, and what a seal does is done at once: plan, `revisions`,
`observations`, the swap in memory. Nothing else is committed meanwhile, and who asks for this moment waits. So a crash
leaves an empty commit and files that nobody speaks of, or all of it, as with any seal::

    files, with sequence s ─▶ … s-1 filled ─▶ s journaled ─▶ plan ─▶ revisions ─▶ observations ─▶ memory, s shown
    nobody is held back      └──────────────────────── commits wait for these ──────────────────────────┘

Whoever changed a row of the file meanwhile is noticed by masks and tombstones that are new; then the files are thrown
away and nothing was done. It works where the lake lies in the folder: of a commit elsewhere nobody may know, for a
while, whether it has arrived, and a past moment would show first the one and then the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import Settlements
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.backup import Source
from nilometer.store.commit_clock import CommitClock
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_rewriter import Exchange
from nilometer.store.lake_splicer import FileChunks, SplicedFile
from nilometer.store.lake_writer import YearWriter
from nilometer.store.live import Live
from nilometer.store.masks import Masks
from nilometer.store.query import Query
from nilometer.store.record import ROWS, no_rows, row_parts
from nilometer.store.refusal import refusal
from nilometer.store.sealing import Done
from nilometer.store.seals import Seals
from nilometer.store.tombstones import Tombstones

__all__ = ["FileRewriter", "Lying", "Rewriting"]

LEVEL = 1
"""How hard zstd tries: such files stay until their year is still, when a merge writes them to stay."""


_MOST_RUNS = 64
"""With no more stretches of changed rows than this a table is pieced together of slices."""


@dataclass(frozen=True, slots=True)
class Lying:
    """The files of the lake, none with a hidden row but of the Datastreams that are named, and what hides rows then.

    Parameters
    ----------
    files : tuple of LakeFile
        By year, Datastream and time.
    hidden : frozenset of int
        Datastreams of which rows are hidden all the same: somebody has just changed them.
    """

    files: tuple[LakeFile, ...]
    hidden: frozenset[int]
    masks: Masks
    tombstones: Tombstones


@dataclass(slots=True)
class FileRewriter:
    """Takes the rows of a file one table after the other, in the file's order, and what some of them are now.

    Parameters
    ----------
    file : LakeFile
        The file.
    sequence : int
        The commit of the rows that are other than they were.
    """

    file: LakeFile
    sequence: int
    _current: YearWriter | SplicedFile
    _former: YearWriter | SplicedFile
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "nilometer-rewrite"))
    _under_way: list[Future[None]] = field(default_factory=list)

    def keep(self, groups: NDArray[np.int64], table: pa.Table) -> None:
        """Take row groups and their rows, with all columns of OBSERVATION, that stay as they are."""
        self._wait()
        self._under_way = [self._pool.submit(_write, self._current, groups, table, ())]

    def change(
        self, groups: NDArray[np.int64], table: pa.Table, rows: NDArray[np.int64], new: Mapping[str, pa.Array]
    ) -> None:
        """Take row groups of which some rows change.

        Parameters
        ----------
        groups : ndarray of int64
            The row groups of the file.
        table : pyarrow.Table
            Their rows, with all columns of OBSERVATION, each in one chunk.
        rows : ndarray of int64, ascending
            Those that change.
        new : mapping of str to pyarrow.Array, each as long as the table
            Columns of which these have other values, and these values; never id, Datastream and time. What stands in
            the other rows is not looked at.
        """
        n, names = table.num_rows, (*new, "commit")
        whole = table
        for name, values in {**new, "commit": pa.repeat(pa.scalar(self.sequence, pa.int64()), n)}.items():
            item = OBSERVATION.field(name)
            whole = whole.set_column(table.schema.get_field_index(name), item, values.cast(item.type))
        runs = _runs(rows)
        if len(runs) <= _MOST_RUNS:  # nearly all change, or few stretches: nothing is copied
            former = pa.concat_tables([table.slice(0, 0), *(table.slice(start, stop - start) for start, stop in runs)])
            now = pa.concat_tables(_woven(table, whole, runs))
        else:
            chosen = np.zeros(n, bool)
            chosen[rows] = True
            mask = pa.array(chosen)
            former, now = table.filter(mask), table
            for name in names:
                place = table.schema.get_field_index(name)
                column = pc.if_else(mask, whole.column(place), table.column(place))
                now = now.set_column(place, OBSERVATION.field(name), column)
        sequences = pa.repeat(pa.scalar(self.sequence, pa.int64()), len(rows))
        ended = former.append_column(REVISION.field("superseded_commit"), sequences)
        stops = np.cumsum(self.file.blocks.rows[groups])
        counts = np.diff(np.searchsorted(rows, np.append(0, stops)))
        self._wait()
        # Beside what the caller does next: encoding takes as long as judging.
        self._under_way = [
            self._pool.submit(_write, self._current, groups, now, names),
            self._pool.submit(_write, self._former, groups, ended, ("superseded_commit",), counts),
        ]

    def close(self) -> Exchange:
        """Write what waits, sync, and return what takes the place of the file.

        Raises
        ------
        StoreFull
            If the disk takes no more; nothing is left of it.
        """
        self._wait()
        try:
            current, former = self._pool.submit(self._current.close), self._pool.submit(self._former.close)
            return Exchange(self.file, current.result(), former.result())
        except BaseException as error:
            self.abandon()
            raise self._refused(error) from error
        finally:
            self._pool.shutdown()

    def abandon(self) -> None:
        """Remove what was written."""
        self._pool.shutdown()
        self._current.abandon()
        self._former.abandon()

    def _wait(self) -> None:
        """Return when what was taken before is written."""
        under_way, self._under_way = self._under_way, []
        try:
            for one in under_way:
                one.result()
        except BaseException as error:
            self.abandon()
            raise self._refused(error) from error

    def _refused(self, error: BaseException) -> BaseException:
        return refusal(error, "write a file anew", path=self.file.path) if isinstance(error, OSError) else error


class Rewriting:
    """Exchanges files of the lake for such with other values.

    Parameters
    ----------
    parts : Source
        The parts of the store.
    seals : Seals
        Does the exchange.
    live : Live
        What is true now.
    clock : CommitClock
        Told of the commits.
    """

    def __init__(self, parts: Source, seals: Seals, live: Live, clock: CommitClock) -> None:
        self._parts, self._seals, self._live, self._clock = parts, seals, live, clock

    @property
    def is_possible(self) -> bool:
        """Whether the lake lies where a commit either arrives or does not."""
        return not self._parts.observations.place.is_remote

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold back compaction: files that were listed are exchanged by nobody else."""
        with self._seals.compaction.alone():
            yield

    def lying(self) -> Lying:
        """Return the files, after hidden rows were taken out of them; called `alone`."""
        self._seals.compaction.rewrite()
        with self._live.lock:
            files, masks, tombstones = self._live.files, self._live.masks, self._live.tombstones
        hidden = {int(number) for number in np.unique(masks.ids >> 32)}
        hidden |= {int(number) for item in tombstones for number in item.datastreams}
        ordered = sorted(files, key=lambda file: (file.year, file.first, file.earliest))
        return Lying(tuple(ordered), frozenset(hidden), masks, tombstones)

    def reserve(self, ahead: int, *, behind: int = 0) -> int:
        """Return a sequence that is still to come, `ahead` of the last one and of one that was reserved before."""
        return max(self._parts.journal.sequence, behind) + ahead

    def rewrite(self, file: LakeFile, sequence: int) -> FileRewriter:
        """Begin to write a file anew, the changed rows with a sequence that was reserved."""
        source = FileChunks.of(file)
        tables = ((self._parts.observations.place, OBSERVATION), (self._parts.revisions.place, REVISION))
        current, former = (
            YearWriter(place, file.year, schema, level=LEVEL)
            if source is None
            else SplicedFile(place, file.year, schema, LEVEL, source)
            for place, schema in tables
        )
        return FileRewriter(file, sequence, current, former)

    def exchange(self, done: Exchange, sequence: int, seen: Lying) -> bool:
        """Exchange a file, durably and for every reader at once; commits wait meanwhile.

        Parameters
        ----------
        done : Exchange
            The file, and what takes its place.
        sequence : int
            The commit that its rows bear.
        seen : Lying
            What hid rows when it was read.

        Returns
        -------
        bool
            False where somebody has changed a row of the file since, or commits have passed the sequence: nothing was
            done, and what was written is gone.

        Raises
        ------
        StoreFull, StoreError
            If the disk refuses; nothing was done, or all was and the next seal shows it.
        """
        parts, live = self._parts, self._live
        parts.step("rewrite.written")
        self._seals.seal()  # what is hot is moved while nobody waits
        with self._seals.alone():
            with parts.committing:
                if parts.journal.sequence >= sequence or not self._is_untouched(done.old, seen):
                    parts.observations.discard(done.new)
                    parts.revisions.discard(done.former)
                    return False
                while parts.journal.sequence < sequence - 1:
                    self._commit_nothing()
                with self._clock.under_way(parts.now) as now:
                    number, moment = parts.journal.write(ROWS, _nothing(), now)
                    parts.step("rewrite.begun")
                    try:
                        self._seals.exchange(Done((done,)), number)
                    finally:
                        # The record is in the journal, whatever has become of the files.
                        with live.lock:
                            self._clock.note(number, moment, marked=True)
                            live.apply(no_rows(), Settlements.none(), number)
            parts.step("rewrite.shown")
            self._seals.tidy()
        return True

    def _commit_nothing(self) -> None:
        with self._clock.under_way(self._parts.now) as now:
            number, moment = self._parts.journal.write(ROWS, _nothing(), now)
            with self._live.lock:
                self._clock.note(number, moment, marked=True)
                self._live.apply(no_rows(), Settlements.none(), number)

    def _is_untouched(self, file: LakeFile, seen: Lying) -> bool:
        """Return whether a file lies there still, and nothing hides a row of it that did not before."""
        live = self._live
        if file not in live.files:
            return False
        blocks = file.blocks
        fresh = np.setdiff1d(live.masks.ids, seen.masks.ids, assume_unique=True)
        masks = Masks(fresh, np.zeros(len(fresh), np.int64))
        if masks.touch_ids(blocks.lowest_id, blocks.highest_id).any():
            return False
        known = {item.commit for item in seen.tombstones}
        return not any(
            len(file.groups(Query(item.datastreams, item.start, item.end)))
            for item in live.tombstones
            if item.commit not in known
        )


def _nothing() -> tuple[bytes | memoryview, ...]:
    """Return the body of a record without rows."""
    return row_parts(no_rows(), Settlements.none(), marked=True)


def _write(
    into: YearWriter | SplicedFile,
    groups: NDArray[np.int64],
    table: pa.Table,
    names: Sequence[str],
    counts: NDArray[np.int64] | None = None,
) -> None:
    """Write rows of row groups; see `SplicedFile.write`."""
    if isinstance(into, SplicedFile):
        into.write(groups, table, names, counts)
    else:
        into.write(table)


def _runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the stretches, start and end, that ascending rows are."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(rows[1:] - rows[:-1] != 1)
    starts, stops = np.append(0, breaks + 1), np.append(breaks, len(rows) - 1)
    return list(zip(rows[starts].tolist(), (rows[stops] + 1).tolist(), strict=True))


def _woven(table: pa.Table, whole: pa.Table, runs: Sequence[tuple[int, int]]) -> list[pa.Table]:
    """Return slices that follow each other: of `whole` where runs are, of `table` between them."""
    parts, at = [], 0
    for start, stop in [*runs, (table.num_rows, table.num_rows)]:
        parts += [table.slice(at, start - at), whole.slice(start, stop - start)]
        at = stop
    return [part for part in parts if part.num_rows]
