"""Admission says whether a row is new, unchanged, a revision, or of no Datastream at all.

It is the store's first half and comes before qc: a repeated or late row must never move the state of a test. A row is
known by (Datastream, start, duration, feature, depth). Found with everything as it was sent before (raw result, mark,
censoring, parameters) it is unchanged; found with a difference it is a revision and keeps the id; else it is new. Rows
newer than all of their Datastream are new without a look; only the others are looked up, all of a batch together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME, ObservationBatch
from nilometer.model.schemas import OBSERVATION
from nilometer.store.datastream_index import MOST, DatastreamIndex
from nilometer.store.distinct import distinct
from nilometer.store.snapshot import Snapshot

__all__ = ["NEW", "REJECTED", "REVISED", "UNCHANGED", "Admission", "Batches", "Gate"]

NEW, UNCHANGED, REVISED, REJECTED = 0, 1, 2, 3
Batches = Sequence[ObservationBatch]

_MOST_REASONS = 1000
# The years 1 to 9999, which every reader of the lake can write down.
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000
_SPAN = np.array([_EARLIEST, _LATEST])
_SENT = ("duration", "feature", "depth", "result", "raw_result", "mark", "censored", "extra")


@dataclass(slots=True)
class Admission:
    """What became of the rows of a batch.

    Parameters
    ----------
    rows : ObservationBatch
        The rows that go on, new and revised, in arrival order.
    status : ndarray of int8, shape (n,)
        Per row of the input: NEW 0, UNCHANGED 1, REVISED 2, REJECTED 3.
    id : ndarray of int64, shape (n,)
        Per row of the input: the id it got or has had; 0 where it was rejected.
    reasons : dict
        Why rows were rejected, by their index; of the first thousand.
    """

    rows: ObservationBatch
    status: NDArray[np.int8]
    id: NDArray[np.int64]
    reasons: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Sent:
    """Keys and what was sent, of rows that are there and rows that come, comparable column by column."""

    id: NDArray[np.int64]
    keys: list[NDArray[Any]]
    values: list[NDArray[Any]]


class Gate:
    """Admits batches, one at a time.

    Parameters
    ----------
    index : DatastreamIndex
        Counters, extents and identity rules.
    snapshot : callable
        Returns what is visible now.
    water : callable
        Returns the id of the water of a Datastream.
    retimed : callable
        Returns the Datastreams of which a review moved rows in time: those are found where they were sent.
    reviewed : callable
        Says of rows, by their provenance, whether a review made them.
    same_water : callable
        Returns the first water of Things that were moved, by the ids of their other waters.
    """

    def __init__(
        self,
        index: DatastreamIndex,
        snapshot: Callable[[], Snapshot],
        water: Callable[[int], int],
        retimed: Callable[[], Collection[int]],
        reviewed: Callable[[NDArray[np.int32]], NDArray[np.bool_]],
        same_water: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        self._index, self._snapshot, self._water = index, snapshot, water
        self._retimed, self._reviewed, self._same_water = retimed, reviewed, same_water
        self._lock = threading.Lock()
        # The newest admitted time of each Datastream and the numbers it has given out, committed or not.
        self._promised, self._given = np.empty(0, np.int64), np.empty(0, np.int64)
        self._flying: list[ObservationBatch] = []

    def admit(self, batch: ObservationBatch) -> Admission:
        """Judge every row; `id`, `supersedes` and `feature` of the batch are written, times are rounded."""
        with self._lock:
            datastream = np.require(batch.datastream, np.int32, ["C", "A"])
            status = np.full(len(batch), NEW, np.int8)
            reasons = self._sort_out(batch, datastream, status)
            named = _named(batch, status, reasons)
            self._reach()  # behind what the walk knew: a Datastream may be made at any time
            base = np.full(len(batch), -1, np.int64)  # the row of this batch whose id a row shares
            ids = np.zeros(len(batch), np.int64)
            late = self._late(batch, datastream, status)
            if named is not None:
                late = late[~named[late]]
                ids[named] = np.asarray(batch.id)[named]
                status[named] = REVISED
            if len(late):
                self._look_up(batch, late, status, base, ids)
            _walk().number(datastream, status, self._given, ids)
            if len(late):
                shared = base >= 0
                ids[shared] = ids[base[shared]]
            batch.id = ids
            batch.supersedes = status == REVISED
            kept = (status == NEW) | (status == REVISED)
            rows = batch if kept.all() else batch.take(kept)
            if len(rows):
                self._flying.append(rows)
            return Admission(rows, status, ids, reasons)

    def landed(self, *batches: ObservationBatch) -> None:
        """Forget admitted rows: they are committed, or their sender gave them up.

        A batch as `admit` gave it is known again; of others the rows are looked for among what came first.
        """
        for rows in batches:
            self._landed(rows)

    def _landed(self, rows: ObservationBatch) -> None:
        with self._lock:
            known = [flying for flying in self._flying if flying is not rows]
            if len(known) < len(self._flying) or rows.id is None:
                self._flying = known
                return
            left = []
            for flying in self._flying:
                assert flying.id is not None  # noqa: S101 -- written by admit
                missing = ~np.isin(flying.id, rows.id)
                if missing.all():
                    left.append(flying)
                elif missing.any():
                    left.append(flying.take(missing))
            self._flying = left

    def _sort_out(
        self, batch: ObservationBatch, datastream: NDArray[np.int32], status: NDArray[np.int8]
    ) -> dict[int, str]:
        """Reject what has no Datastream or no time; give the others their water, and times as fine as their clocks."""
        index, n = self._index, len(batch)
        time = np.require(batch.phenomenon_time, np.int64, ["C", "A"])
        feature = np.empty(n, np.int32)
        facts = (index.known[:MOST], index.resolution)
        rejected, coarse, dry = _walk().sort_out(datastream, time, *facts, index.water, _SPAN, status, feature)
        if dry:
            # Who says what a row speaks of needs no water, and none is made for it.
            wanting = (status != REJECTED) & (feature == 0)
            if batch.feature is not None:
                wanting &= batch.feature == 0
            for number in np.unique(datastream[wanting]):
                index.water[number] = self._water(int(number))
            _walk().sort_out(datastream, time, *facts, index.water, _SPAN, status, feature)
        if coarse:
            good = status != REJECTED
            resolution = index.resolution[datastream[good]]
            batch.phenomenon_time = time.copy()
            batch.phenomenon_time[good] = (time[good] + resolution // 2) // resolution * resolution
        batch.feature = feature if batch.feature is None else np.where(batch.feature == 0, feature, batch.feature)
        return self._reasons(datastream, time, status) if rejected else {}

    def _reasons(
        self, datastream: NDArray[np.int32], time: NDArray[np.int64], status: NDArray[np.int8]
    ) -> dict[int, str]:
        """Say why rows were rejected: the first thousand without a Datastream, and of the others without a time."""
        rejected = np.flatnonzero(status == REJECTED)
        known = np.isin(datastream[rejected], np.flatnonzero(self._index.known))
        reasons = {int(row): f"there is no Datastream {datastream[row]}" for row in rejected[~known][:_MOST_REASONS]}
        for row in rejected[known][:_MOST_REASONS]:
            reasons[int(row)] = (
                "there is no phenomenon_time" if time[row] == NO_TIME else "the phenomenon_time is no year 1 to 9999"
            )
        return reasons

    def _late(
        self, batch: ObservationBatch, datastream: NDArray[np.int32], status: NDArray[np.int8]
    ) -> NDArray[np.int64]:
        """Return the rows to look up: of Datastreams that do not simply go on in time within this batch."""
        index = self._index
        if not index.size:
            return np.empty(0, np.int64)
        time = np.require(batch.phenomenon_time, np.int64, ["C", "A"])
        created = np.empty(0, np.bool_) if batch.always_new is None else np.require(batch.always_new, np.bool_, ["C"])
        stops = np.zeros(index.size, np.bool_)
        found = _walk().late(datastream, time, status, created, index.always_new, index.newest, self._promised, stops)
        late = np.empty(0, np.int64)
        if found:
            looked_up = status != REJECTED
            if len(created):
                looked_up &= ~created
            late = np.flatnonzero(looked_up)
            late = late[stops[datastream[late]]]
        if created.any():
            _walk().promise(datastream, time, created & (status != REJECTED), self._promised)
        return late

    def _reach(self) -> None:
        there, size = len(self._given), self._index.size
        if there < size:
            self._promised = np.append(self._promised, np.full(size - there, NO_TIME))
            # Commits count in arrays of their own, in another thread: from here on this is ahead of them.
            self._given = np.append(self._given, self._index.rows[there:size])

    def _look_up(
        self,
        batch: ObservationBatch,
        late: NDArray[np.int64],
        status: NDArray[np.int8],
        base: NDArray[np.int64],
        ids: NDArray[np.int64],
    ) -> None:
        coming = batch.take(late)
        there = self._there(coming)
        sent = _compare(there, coming, self._same_water())
        n = len(there)
        order = np.lexsort((np.arange(len(sent.id)), *reversed(sent.keys)))
        same_key = np.ones(len(order), bool)
        for key in sent.keys:
            same_key &= np.concatenate(([False], key[order][1:] == key[order][:-1]))
        same_sent = same_key.copy()
        for value in sent.values:
            same_sent &= np.concatenate(([False], value[order][1:] == value[order][:-1]))
        is_coming = order >= n
        is_base = ~is_coming | ~same_key
        first = np.maximum.accumulate(np.where(is_base, np.arange(len(order)), 0))
        found = order[first]  # what each row is a version of: a row that is there, or the first that comes
        rows = late[order[is_coming] - n]
        status[rows] = np.where(~same_key, NEW, np.where(same_sent, UNCHANGED, REVISED))[is_coming]
        version = found[is_coming]
        old = version < n
        ids[rows[old]] = sent.id[version[old]]
        again = ~old & same_key[is_coming]
        base[rows[again]] = late[version[again] - n]

    def _there(self, coming: ObservationBatch) -> ObservationBatch:
        """Return the rows that are there, or admitted and on their way, at the times of those that come."""
        snapshot, retimed = self._snapshot(), self._retimed()
        moved = np.intersect1d(coming.datastream, np.array(sorted(retimed), np.int32))
        table = snapshot.existing(coming.datastream, coming.phenomenon_time, (*_SENT, "provenance"))
        if len(moved):
            table = self._as_sent(snapshot, table, coming, moved)
        table = table.take(pa.array(np.argsort(table["id"].to_numpy(), kind="stable")))
        parts = [_batch(table)]
        times = distinct(coming.phenomenon_time)
        for rows in self._flying:
            near = np.isin(rows.phenomenon_time, times)
            if near.any():
                parts.append(_sent_only(rows.take(near)))
        return ObservationBatch.concat(parts)

    def _as_sent(
        self, snapshot: Snapshot, table: pa.Table, coming: ObservationBatch, moved: NDArray[np.int32]
    ) -> pa.Table:
        """Put the rows that a review made of Datastreams with moved rows back to where they were sent."""
        elsewhere = self._reviewed(table["provenance"].to_numpy()) & np.isin(table["datastream"].to_numpy(), moved)
        table = table.filter(pa.array(~elsewhere))
        mine = np.isin(coming.datastream, moved)
        times = distinct(coming.phenomenon_time[mine])
        names = table.schema.names
        former = snapshot.versions(moved.tolist(), int(times[0]), int(times[-1]) + 1, columns=names)
        sent = ~self._reviewed(former["provenance"].to_numpy())
        sent &= np.isin(former["phenomenon_time"].cast(pa.int64()).to_numpy(), times)
        former = former.filter(pa.array(sent))
        ids = former["id"].to_numpy()
        newest = np.append(ids[1:] != ids[:-1], np.ones(min(len(ids), 1), bool))
        former = former.filter(pa.array(newest))
        current = snapshot.by_id(former["id"].to_numpy())
        reviewed = current["id"].to_numpy()[self._reviewed(current["provenance"].to_numpy())]
        former = former.filter(pa.array(np.isin(former["id"].to_numpy(), reviewed)))
        return pa.concat_tables([table, former.select(names)])


def _named(batch: ObservationBatch, status: NDArray[np.int8], reasons: dict[int, str]) -> NDArray[np.bool_] | None:
    """Return which rows are sent as new versions of rows that they name by id; None: none is.

    One that names a row of another Datastream is rejected: ids of a Datastream are its own.
    """
    if batch.supersedes is None or batch.id is None or not batch.supersedes.any():
        return None
    foreign = batch.supersedes & (batch.id >> 32 != batch.datastream) & (status != REJECTED)
    for row in np.flatnonzero(foreign):
        status[row], reasons[int(row)] = REJECTED, f"{batch.id[row]} is no row of this Datastream"
    named: NDArray[np.bool_] = batch.supersedes & (status != REJECTED)
    return named


@cache
def _walk() -> ModuleType:
    """Return the compiled walks, loaded for the first row: who only reads a folder does not wait for a compiler."""
    from nilometer.store import admission_walk  # noqa: PLC0415 -- as said

    return admission_walk


def _batch(table: pa.Table) -> ObservationBatch:
    """Return looked-up rows as a batch with the columns that were sent."""
    n = table.num_rows
    whole = [table[item.name] if item.name in table.schema.names else _empty(item, n) for item in OBSERVATION]
    return _sent_only(ObservationBatch.from_arrow(pa.Table.from_arrays(whole, schema=OBSERVATION)))


def _empty(item: pa.Field, n: int) -> pa.Array:
    return pa.nulls(n, item.type) if item.nullable else pa.repeat(pa.scalar(0, pa.int64()), n).cast(item.type)


def _sent_only(rows: ObservationBatch) -> ObservationBatch:
    return ObservationBatch(
        id=rows.id,
        datastream=rows.datastream,
        phenomenon_time=rows.phenomenon_time,
        raw_result=rows.raw_result,
        feature=rows.feature,
        duration=rows.duration,
        depth=rows.depth,
        censored=rows.censored,
        mark=rows.mark,
        extra=rows.extra,
    )


def _compare(there: ObservationBatch, coming: ObservationBatch, same_water: Mapping[int, int]) -> _Sent:
    both = ObservationBatch.concat([there, _sent_only(coming)])
    n = len(both)
    zeros = np.zeros(n, np.int64)
    assert both.feature is not None  # noqa: S101 -- filled by admit, and never null in the lake
    feature = both.feature
    if same_water:
        feature = feature.copy()
        for other in np.unique(feature).tolist():
            feature[both.feature == other] = same_water.get(other, other)
    ids = zeros if both.id is None else both.id
    keys: list[NDArray[Any]] = [
        both.datastream,
        both.phenomenon_time,
        zeros if both.duration is None else both.duration,
        feature,
        zeros if both.depth is None else _bits(both.depth),
    ]
    values: list[NDArray[Any]] = [
        _bits(both.raw_result),
        zeros if both.censored is None else both.censored,
        zeros if both.mark is None else _codes(both.mark),
        zeros if both.extra is None else _codes(both.extra),
    ]
    return _Sent(ids, keys, values)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    # By their bits numbers compare as they were sent, and every NaN is one.
    return np.where(np.isnan(values), np.nan, values + 0.0).view(np.int64)


def _codes(column: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    codes: NDArray[np.int64] = column.dictionary_encode().indices.fill_null(-1).to_numpy()
    return codes
