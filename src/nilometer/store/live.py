"""What is true now: hot tail, index, masks and tombstones, changed by one record at a time.

A commit and a replay after a crash go through the same two calls, `apply` and `bury`; so what a restart finds is what
was there before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME, Settlements
from nilometer.model.schemas import JOURNAL
from nilometer.store.datastream_index import NOWHERE, DatastreamIndex
from nilometer.store.hot import LIVE, HotTail
from nilometer.store.lake_file import LakeFile
from nilometer.store.masks import REPLACED, Masks
from nilometer.store.record import Tombstone
from nilometer.store.snapshot import Snapshot
from nilometer.store.view import Extents, View

__all__ = ["Live"]


class Live:
    """The state in memory; every method is called with `lock` held.

    Parameters
    ----------
    samples : callable
        Returns the features that are not water, ascending.
    at : callable
        Returns the last sequence at a moment in µs UTC.
    """

    def __init__(self, samples: Callable[[], NDArray[np.int32]], at: Callable[[int], int]) -> None:
        self.lock = threading.RLock()
        self.hot = HotTail()
        self.index = DatastreamIndex()
        self.masks = Masks()
        self.tombstones: tuple[Tombstone, ...] = ()
        self.files: tuple[LakeFile, ...] = ()
        self.revisions: tuple[LakeFile, ...] = ()
        self.sequence = self.lake_sequence = 0
        self.samples, self._at = samples, at
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
                index.location.copy(),
                index.rows.copy(),
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
                    cold=self._cold,
                    at=self._at,
                )
            )
            self._snapshot = snapshot
        return snapshot

    def changed(self) -> None:
        """Let the next snapshot be a new one."""
        self._snapshot = None

    def apply(self, rows: pa.RecordBatch, settled: Settlements, commit: int) -> None:
        """Settle earlier rows, then add rows of any columns of schema JOURNAL."""
        if len(settled):
            self._settle(settled)
        if rows.num_rows:
            self._add(rows, commit)
        self.sequence = max(self.sequence, commit)
        self.changed()
        if rows.num_rows:
            self._mend(rows)

    def bury(self, tombstone: Tombstone) -> None:
        """Hide what lies under a tombstone, in the hot tail at once and in the lake until a seal takes it out."""
        for segment in self.hot.segments.values():
            hidden = tombstone.hides(
                segment.columns["datastream"][: segment.n], segment.columns["phenomenon_time"][: segment.n]
            )
            live = segment.live(segment.n, tombstone.commit)
            rows = np.flatnonzero(hidden if live is None else hidden & live)
            if len(rows):
                segment.column("superseded")[rows] = tombstone.commit
        self.tombstones = (*self.tombstones, tombstone)
        self.sequence = max(self.sequence, tombstone.commit)
        self._cold = {}
        self.changed()
        for datastream in tombstone.datastreams:
            self.measure(int(datastream), tombstone)
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
        if not table.num_rows:
            return
        found = table["id"].to_numpy()
        table = table.append_column("supersedes", pa.repeat(pa.scalar(value=False), table.num_rows))
        rows = table.cast(JOURNAL).combine_chunks().to_batches()[0]
        location = self.hot.append(rows, 0)
        self._place(rows, location)
        self.masks = self.masks.add(found, np.full(len(found), REPLACED, np.int64))
        self.changed()

    def _add(self, rows: pa.RecordBatch, commit: int) -> None:
        location = self.hot.append(rows, commit)
        number = rows.column("id").to_numpy()
        datastream = rows.column("datastream").to_numpy()
        time = rows.column("phenomenon_time").cast(pa.int64()).to_numpy()
        if "supersedes" in rows.schema.names:
            revised = rows.column("supersedes").to_numpy(zero_copy_only=False)
            if revised.any():
                self._supersede(number[revised], commit)
        self.index.saw(datastream, time, number & 0xFFFFFFFF)
        self._place(rows, location)

    def _place(self, rows: pa.RecordBatch, location: NDArray[np.int64]) -> None:
        datastream = rows.column("datastream").to_numpy()
        time = rows.column("phenomenon_time").cast(pa.int64()).to_numpy()
        samples = self.samples()
        if len(samples):
            water = ~np.isin(rows.column("feature").to_numpy(), samples)
            datastream, time, location = datastream[water], time[water], location[water]
        self.index.place(datastream, time, location)

    def _mend(self, rows: pa.RecordBatch) -> None:
        """Find the newest row anew where a revision took it to another time."""
        if "supersedes" not in rows.schema.names:
            return
        revised = rows.column("supersedes").to_numpy(zero_copy_only=False)
        datastreams = np.unique(rows.column("datastream").to_numpy()[revised])
        location = self.index.location[datastreams]
        datastreams, location = datastreams[location >= 0], location[location >= 0]
        ended = self.hot.column("superseded", location) != LIVE
        for datastream in datastreams[ended]:
            self._measure_water(int(datastream), self.snapshot())
        self.changed()

    def _supersede(self, ids: NDArray[np.int64], commit: int) -> None:
        """Hide the earlier versions of revised rows; those not in the hot tail are in the lake."""
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

    def measure(self, datastream: int, tombstone: Tombstone) -> None:
        """Set extents anew where a delete took an end of a Datastream."""
        index = self.index
        if datastream >= index.size or index.newest[datastream] == NO_TIME:
            return
        snapshot = self.snapshot()
        keys = ["phenomenon_time"]
        if tombstone.start <= index.newest_water[datastream] < tombstone.end:
            self._measure_water(datastream, snapshot)
        if tombstone.start <= index.newest[datastream] < tombstone.end:
            last = snapshot.read([datastream], columns=keys, water_only=False, limit=1, newest_first=True)
            index.newest[datastream] = _only(last, NO_TIME)
        if tombstone.start <= index.first[datastream] < tombstone.end:
            first = snapshot.read([datastream], columns=keys, water_only=False, limit=1)
            index.first[datastream] = _only(first, int(np.iinfo(np.int64).max))

    def _measure_water(self, datastream: int, snapshot: Snapshot) -> None:
        last = snapshot.read([datastream], columns=["phenomenon_time", "id"], limit=1, newest_first=True)
        self.index.newest_water[datastream] = _only(last, NO_TIME)
        self.index.location[datastream] = NOWHERE
        if last.num_rows:
            found = self.hot.find(last["id"].to_numpy())
            if len(found):
                self.index.location[datastream] = found[-1]


def _versions(ids: NDArray[np.int64], unique: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of the rows just added have each id."""
    found, counts = np.unique(ids, return_counts=True)
    return counts[np.searchsorted(found, unique)]


def _only(table: pa.Table, otherwise: int) -> int:
    return int(table["phenomenon_time"].cast(pa.int64())[0].as_py()) if table.num_rows else otherwise
