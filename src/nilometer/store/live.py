"""What is true now: hot tail, index, masks and tombstones, changed by one record at a time.

A commit and a replay after a crash go through the same two calls, `apply` and `bury`; so what a restart finds is what
was there before. Neither reads the lake for the ends of Datastreams: those that may have moved are measured by readers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import Settlements
from nilometer.model.schemas import JOURNAL
from nilometer.store.coverage import Coverage, Covered, result_times_of
from nilometer.store.datastream_index import NOWHERE, DatastreamIndex
from nilometer.store.hot import CAPACITY, LIVE, HotTail
from nilometer.store.lake_file import LakeFile
from nilometer.store.masks import REPLACED, Masks
from nilometer.store.record import Tombstone
from nilometer.store.snapshot import Snapshot
from nilometer.store.tombstones import Tombstones
from nilometer.store.view import Ends, Extents, View

__all__ = ["Live"]


class Live:
    """The state in memory; every method but `learn` and `learn_coverage` is called with `lock` held.

    Parameters
    ----------
    samples : callable
        Returns the features that are not water, ascending.
    at, shows : callable
        Returns the last sequence at a moment in µs UTC; a moment that shows a sequence.
    """

    def __init__(
        self, samples: Callable[[], NDArray[np.int32]], at: Callable[[int], int], shows: Callable[[int], int]
    ) -> None:
        self.lock = threading.RLock()
        self.hot = HotTail()
        self.index = DatastreamIndex()
        self.coverage = Coverage()
        self.masks = Masks()
        self.tombstones = Tombstones()
        self.files: tuple[LakeFile, ...] = ()
        self.revisions: tuple[LakeFile, ...] = ()
        self.sequence = self.lake_sequence = 0
        self.samples, self._at, self._shows = samples, at, shows
        self._cold: dict[int, tuple[int, pa.Table]] = {}
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return the view of now; the same object until something changes."""
        snapshot = self._snapshot
        if snapshot is None:
            index = self.index
            extents = Extents(
                index.first.copy(),
                index.newest.copy(),
                index.newest_water.copy(),
                index.longest.copy(),
                index.location.copy(),
                index.rows.copy(),
                index.unsure.copy(),
            )
            snapshot = Snapshot(
                View(
                    sequence=self.sequence,
                    lake_sequence=self.lake_sequence,
                    files=self.files,
                    revisions=self.revisions,
                    segments={number: (segment, segment.n) for number, segment in self.hot.segments.items()},
                    masks=self.masks,
                    tombstones=self.tombstones,
                    samples=self.samples(),
                    extents=extents,
                    coverage=self.coverage.view(),
                    cold=self._cold,
                    at=self._at,
                    shows=self._shows,
                    learn=self.learn,
                    learn_coverage=self.learn_coverage,
                )
            )
            self._snapshot = snapshot
        return snapshot

    def changed(self) -> None:
        """Let the next snapshot be a new one."""
        self._snapshot = None

    def forget_newest(self) -> None:
        """Let newest rows that are not hot be looked for anew: files of the lake have other values."""
        self._cold = {}
        self.changed()

    def apply(self, rows: pa.RecordBatch, settled: Settlements, commit: int) -> None:
        """Settle earlier rows, then add rows of any columns of schema JOURNAL."""
        if len(settled):
            self._settle(settled)
        if rows.num_rows:
            self._add(rows, commit)
        self.sequence = max(self.sequence, commit)
        self.changed()

    def bury(self, tombstone: Tombstone) -> None:
        """Hide what lies under a tombstone, in the hot tail at once and in the lake until a seal takes it out."""
        for segment in self.hot.segments.values():
            if segment.latest < tombstone.start or segment.earliest >= tombstone.end:
                continue
            hidden = tombstone.hides(
                *(segment.columns[name][: segment.n] for name in ("datastream", "phenomenon_time", "id"))
            )
            live = segment.live(segment.n, tombstone.commit)
            rows = np.flatnonzero(hidden if live is None else hidden & live)
            if len(rows):
                segment.column("superseded")[rows] = tombstone.commit
        self.tombstones = self.tombstones.add(tombstone)
        self.sequence = max(self.sequence, tombstone.commit)
        self._cold = {}
        self.doubt(tombstone)
        self.changed()

    def doubt(self, tombstone: Tombstone) -> None:
        """Let ends of Datastreams that a delete may have taken be measured when somebody asks for them."""
        self.coverage.doubt(tombstone.datastreams, tombstone.commit)
        index = self.index
        mine = tombstone.datastreams[tombstone.datastreams < index.size]
        taken = np.zeros(len(mine), bool)
        for ends in (index.first, index.newest, index.newest_water):
            taken |= (ends[mine] >= tombstone.start) & (ends[mine] < tombstone.end)
        mine = mine[taken | index.unsure[mine]]
        index.doubt(mine, tombstone.commit)
        self._let_go(mine)

    def learn(self, datastream: int, sequence: int, ends: Ends) -> None:
        """Take the ends of a Datastream as a reader measured them, if nothing has come since what it saw."""
        with self.lock:
            index = self.index
            if not index.unsure[datastream] or index.disturbed[datastream] > sequence:
                return
            index.first[datastream], index.newest[datastream] = ends.first, ends.newest
            index.newest_water[datastream] = index.placed_time[datastream] = ends.newest_water
            index.placed_id[datastream], index.location[datastream] = ends.number, NOWHERE
            # A seal may have moved the row since; then it is found where it is when somebody asks for it.
            segment = self.hot.segments.get(ends.location // CAPACITY)
            if segment is not None and segment.columns["id"][ends.location % CAPACITY] == ends.number:
                index.location[datastream] = ends.location
            index.unsure[datastream] = False
            self._cold.pop(datastream, None)

    def learn_coverage(self, datastream: int, sequence: int, covered: Covered) -> None:
        """Take what the rows of a Datastream speak of, as a reader measured it, if nothing has come since."""
        with self.lock:
            self.coverage.learn(datastream, sequence, covered)

    def heat(self, rows: pa.RecordBatch) -> None:
        """Take rows of the lake, in schema JOURNAL, into the hot tail; the lake's are hidden from all moments."""
        found = rows.column("id").to_numpy()
        self._place(rows, self.hot.append(rows, 0))
        self.masks = self.masks.add(found, np.full(len(found), REPLACED, np.int64))
        self.changed()

    def _settle(self, settled: Settlements) -> None:
        datastream = settled.id >> 32
        inside = datastream < self.index.size
        location = np.where(inside, self.index.location[np.where(inside, datastream, 0)], NOWHERE)
        right = np.flatnonzero(location != NOWHERE)
        right = right[self.hot.column("id", location[right]) == settled.id[right]]
        wrong = np.ones(len(settled), bool)
        wrong[right] = False
        location[wrong] = NOWHERE
        if wrong.any():
            self._find_settled(settled, location, np.flatnonzero(wrong))
        self.hot.settle(location, settled)

    def _find_settled(self, settled: Settlements, location: NDArray[np.int64], missing: NDArray[np.int64]) -> None:
        found = self.hot.find(settled.id[missing])
        cold = np.setdiff1d(settled.id[missing], self.hot.column("id", found))
        if len(cold):
            self._heat(cold)
            found = self.hot.find(settled.id[missing])
        ids = self.hot.column("id", found)
        order = np.argsort(ids, kind="stable")
        place = np.searchsorted(ids[order], settled.id[missing])
        place[place == len(ids)] = 0
        if len(ids):
            hit = ids[order][place] == settled.id[missing]
            location[missing[hit]] = found[order][place[hit]]

    def _heat(self, ids: NDArray[np.int64]) -> None:
        """Bring rows of the lake back into the hot tail, as they are: they will settle, which is no revision."""
        self.changed()
        table = self.snapshot().by_id(ids)
        if table.num_rows:
            table = table.append_column("supersedes", pa.repeat(pa.scalar(value=False), table.num_rows))
            self.heat(table.cast(JOURNAL).combine_chunks().to_batches()[0])

    def _add(self, rows: pa.RecordBatch, commit: int) -> None:
        location = self.hot.append(rows, commit)
        number = rows.column("id").to_numpy()
        datastream = rows.column("datastream").to_numpy()
        time = rows.column("phenomenon_time").view(pa.int64()).to_numpy()
        feature = rows.column("feature").to_numpy()
        self.coverage.saw(datastream, feature, result_times_of(rows), commit, self.samples())
        moved = np.empty(0, np.int32)
        if "supersedes" in rows.schema.names:
            revised = rows.column("supersedes").to_numpy(zero_copy_only=False)
            if revised.any():
                moved = self._supersede(number[revised], commit)
                self.coverage.doubt(np.unique(datastream[revised]), commit)
        duration = rows.column("duration").to_numpy() if "duration" in rows.schema.names else None
        self.index.saw(datastream, time, number & 0xFFFFFFFF, duration)
        self._place(rows, location)
        if len(moved):
            self.index.doubt(moved, commit)
            self._let_go(moved)
        self.index.disturb(datastream, commit)

    def _place(self, rows: pa.RecordBatch, location: NDArray[np.int64]) -> None:
        datastream = rows.column("datastream").to_numpy()
        time = rows.column("phenomenon_time").view(pa.int64()).to_numpy()
        ids = rows.column("id").to_numpy()
        samples = self.samples()
        if len(samples):
            water = ~np.isin(rows.column("feature").to_numpy(), samples)
            datastream, time, ids, location = datastream[water], time[water], ids[water], location[water]
        self.index.place(datastream, time, ids, location)

    def _let_go(self, datastreams: NDArray[np.int32]) -> None:
        """Let no newest row lie where one has ended."""
        location = self.index.location[datastreams]
        datastreams, location = datastreams[location >= 0], location[location >= 0]
        ended = datastreams[self.hot.column("superseded", location) != LIVE]
        self.index.location[ended] = NOWHERE

    def _supersede(self, ids: NDArray[np.int64], commit: int) -> NDArray[np.int32]:
        """Hide the earlier versions of revised rows; those not in the hot tail are in the lake.

        Returns the Datastreams of which a row may have moved in time.
        """
        found = self.hot.find(ids)
        number = self.hot.column("id", found)
        order = np.argsort(number, kind="stable")
        found, number = found[order], number[order]
        again = np.append(number[1:] == number[:-1], [False])
        self.hot.end(found[again], np.full(int(again.sum()), commit, np.int64))
        # One version alone means that the one before lies in the lake. So does a first version among several whose
        # own row revised: it was masked when it came.
        unique, counts = np.unique(number, return_counts=True)
        cold = unique[counts == _versions(ids, unique)]
        self.masks = self.masks.add(cold, np.full(len(cold), commit, np.int64))
        time = self.hot.column("phenomenon_time", found)
        moves = np.append(time[1:] != time[:-1], [False]) & again
        return np.unique(np.concatenate((number[moves], cold)) >> 32).astype(np.int32)


def _versions(ids: NDArray[np.int64], unique: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of the rows just added have each id."""
    found, counts = np.unique(ids, return_counts=True)
    return counts[np.searchsorted(found, unique)]
