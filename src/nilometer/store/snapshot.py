"""The immutable read view: lake files, hot tail and tombstones as of one commit.

A row of the lake is seen unless a hot row has replaced it or a tombstone covers it; a hot row is seen unless its end
had come. The store hands out a new snapshot only after a commit or a seal, so nothing is seen twice and everything
acknowledged is seen. Only the flags of a hot row may still settle while a snapshot lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.datastream_index import NOWHERE
from nilometer.store.hot import CAPACITY, LIVE
from nilometer.store.lake_file import LakeFile
from nilometer.store.query import Query, query
from nilometer.store.versions import versions
from nilometer.store.view import View

__all__ = ["Snapshot"]

_KEYS = ("datastream", "phenomenon_time")


class Snapshot:
    """Everything that was acknowledged when it was taken; nothing twice, nothing later."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def sequence(self) -> int:
        """The last commit it shows."""
        return self._view.sequence

    @property
    def files(self) -> tuple[LakeFile, ...]:
        """The Parquet files of current rows, for reports."""
        return self._view.files

    def read(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        as_of: int | None = None,
        water_only: bool = True,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> pa.Table:
        """Return rows sorted by (datastream, phenomenon_time).

        Parameters
        ----------
        datastreams : sequence of int, optional
            Ids; None: all.
        start, end : int, optional
            phenomenon_time in µs UTC, start inclusive, end exclusive.
        columns : sequence of str, optional
            Of OBSERVATION; None: all.
        as_of : int, optional
            A moment in µs UTC: the rows as they were known then.
        water_only : bool
            Leave out zero, span, check and other samples.
        limit : int, optional
            Return the first so many rows.
        newest_first : bool
            Within each Datastream the newest row comes first.

        Returns
        -------
        pyarrow.Table
            Columns of OBSERVATION.

        Raises
        ------
        StoreError
            If a file of the lake cannot be read.
        """
        names = OBSERVATION.names if columns is None else list(columns)
        commit = None if as_of is None else self._view.at(as_of)
        wanted = query(datastreams, start, end)
        if limit is not None:
            table = self._first(wanted, names, commit, limit, water_only=water_only, newest_first=newest_first)
        else:
            parts = self._parts(wanted, names, commit, water_only=water_only)
            table = _ordered(list(parts), names, newest_first=newest_first)
        return table.select(names)

    def count(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        water_only: bool = True,
        as_of: int | None = None,
    ) -> int:
        """Return how many rows `read` would return; row groups that lie wholly inside are not read."""
        commit = None if as_of is None else self._view.at(as_of)
        wanted = query(datastreams, start, end)
        total: int = 0
        if commit is None:
            for file in self._view.files:
                if file.may_hold(wanted):
                    total += self._count(file, wanted, water_only=water_only)
        else:
            total = sum(part.num_rows for part in self._lake(wanted, [], commit, water_only=water_only))
        total += sum(part.num_rows for part in self._hot(wanted, [], commit, water_only=water_only))
        return total

    def by_id(self, ids: Sequence[int] | NDArray[np.int64]) -> pa.Table:
        """Return the current rows of these ids, samples too, sorted by (datastream, phenomenon_time)."""
        numbers = np.unique(np.asarray(ids, np.int64))
        wanted = query(np.unique(numbers >> 32).astype(np.int32), None, None)
        names = OBSERVATION.names
        parts = []
        for file in self._view.files:
            if file.may_hold(wanted):
                groups = file.groups(wanted)
                low = np.searchsorted(numbers, file.blocks.lowest_id[groups])
                high = np.searchsorted(numbers, file.blocks.highest_id[groups], "right")
                table = file.read(groups[high > low], names)
                table = table.filter(pa.array(np.isin(table["id"].to_numpy(), numbers)))
                parts.append(self._seen(table, None))
        for segment, n in self._view.segments.values():
            rows = np.flatnonzero(np.isin(segment.columns["id"][:n], numbers))
            live = segment.live(n, self._view.sequence)
            parts.append(segment.table(rows if live is None else rows[live[rows]], names))
        return _ordered(parts, names, newest_first=False).select(names)

    def versions(
        self,
        datastreams: Sequence[int],
        start: int | None = None,
        end: int | None = None,
        *,
        ids: Sequence[int] | NDArray[np.int64] | None = None,
        columns: Sequence[str] | None = None,
        as_of: int | None = None,
    ) -> pa.Table:
        """Return every version of rows, current and superseded, samples too, sorted by (id, commit).

        Parameters
        ----------
        datastreams : sequence of int
            Ids.
        start, end : int, optional
            The phenomenon_time that the version says, µs UTC, start inclusive, end exclusive.
        ids : sequence of int, optional
            Only versions of these rows.
        columns : sequence of str, optional
            Of REVISION; None: all. `superseded_commit` is the largest int64 for a current version.
        as_of : int, optional
            A moment in µs UTC: the versions as they were known then.

        Returns
        -------
        pyarrow.Table
            A version with ``commit == superseded_commit`` was never served: a later one came in the same commit.

        Raises
        ------
        StoreError
            If a file of the lake cannot be read.
        """
        names = REVISION.names if columns is None else list(columns)
        numbers = None if ids is None else np.unique(np.asarray(ids, np.int64))
        commit = None if as_of is None else self._view.at(as_of)
        return versions(self._view, query(datastreams, start, end), names, numbers, commit)

    def committed(self, sequence: int) -> int:
        """Return the first µs at which `as_of` shows a commit; of those long past to the second."""
        before, after = 0, 1
        while self._view.at(after) < sequence:
            if after > LIVE >> 2:
                return after
            before, after = after, after * 2
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if self._view.at(middle) >= sequence else (middle, after)
        return after

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of the water of each Datastream, without a scan."""
        extents = self._view.extents
        if datastreams is None:
            wanted = np.flatnonzero(extents.newest_water != NO_TIME)
        else:
            wanted = np.unique(np.asarray(list(datastreams), np.int64))
            wanted = wanted[(wanted >= 0) & (wanted < len(extents.newest_water))]
            wanted = wanted[extents.newest_water[wanted] != NO_TIME]
        location = extents.location[wanted]
        hot = location[location != NOWHERE]
        parts = []
        for number in np.unique(hot // CAPACITY):
            segment, _ = self._view.segments[int(number)]
            parts.append(segment.table(hot[hot // CAPACITY == number] % CAPACITY, OBSERVATION.names))
        parts.extend(self._cold(int(datastream)) for datastream in wanted[location == NOWHERE])
        return _ordered(parts, OBSERVATION.names, newest_first=False).select(OBSERVATION.names)

    def newest_times(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the phenomenon_time, µs UTC, of those ids that are the newest of their water; `NO_TIME` of others."""
        times = np.full(len(ids), NO_TIME, np.int64)
        extents = self._view.extents
        datastream = ids >> 32
        known = np.flatnonzero(datastream < len(extents.location))
        location = extents.location[datastream[known]]
        known, location = known[location != NOWHERE], location[location != NOWHERE]
        for number in np.unique(location // CAPACITY):
            segment, _ = self._view.segments[int(number)]
            which = location // CAPACITY == number
            rows, mine = location[which] % CAPACITY, known[which]
            same = segment.columns["id"][rows] == ids[mine]
            times[mine[same]] = segment.columns["phenomenon_time"][rows[same]]
        return times

    def extent(self, datastream: int) -> tuple[int, int] | None:
        """Return the first and last phenomenon_time of a Datastream, µs UTC; None when it has no rows."""
        extents = self._view.extents
        if not 0 <= datastream < len(extents.newest) or extents.newest[datastream] == NO_TIME:
            return None
        return int(extents.first[datastream]), int(extents.newest[datastream])

    def datastreams(self) -> NDArray[np.int64]:
        """Return the ids of the Datastreams that have rows."""
        return np.flatnonzero(self._view.extents.newest != NO_TIME)

    def existing(self, datastream: NDArray[np.int32], time: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return current rows, samples too, that may lie at these points; `time` and `datastream` by pairs."""
        wanted = query(np.unique(datastream), int(time.min()), int(time.max()) + 1)
        order = np.argsort(datastream, kind="stable")
        points = datastream[order], time[order]
        times = np.unique(time)
        parts = []
        for file in self._view.files:
            if file.may_hold(wanted):
                groups = file.groups(wanted)
                groups = groups[[_holds_point(file, int(group), points) for group in groups]] if len(groups) else groups
                table = file.read(groups, list(dict.fromkeys((*_KEYS, "id", *columns))))
                parts.append(self._seen(_at_times(table, wanted, times), None))
        hot = self._hot(wanted, ["id", *columns], None, water_only=False)
        parts.extend(_at_times(table, wanted, times) for table in hot)
        parts = [part.select(["id", *_KEYS, *columns]) for part in parts if part.num_rows]
        schema = pa.schema([OBSERVATION.field(name) for name in ("id", *_KEYS, *columns)])
        return pa.concat_tables(parts) if parts else schema.empty_table()

    # The parts: each a table with the keys and the wanted columns

    def _parts(
        self, wanted: Query, names: Sequence[str], commit: int | None, *, water_only: bool
    ) -> Iterator[pa.Table]:
        yield from self._lake(wanted, names, commit, water_only=water_only)
        yield from self._hot(wanted, names, commit, water_only=water_only)

    def _lake(self, wanted: Query, names: Sequence[str], commit: int | None, *, water_only: bool) -> Iterator[pa.Table]:
        for file in self._view.files:
            if file.may_hold(wanted):
                yield self._of_file(file, wanted, names, commit, None, water_only=water_only)
        if commit is None:
            return
        for file in self._view.revisions:
            if file.may_hold(wanted):
                needed = [*_KEYS, *names, "commit", "superseded_commit", "feature"]
                table = file.select(wanted, list(dict.fromkeys(needed)))
                ended = table["superseded_commit"].to_numpy()
                # What ended after the lake's sequence is still found in the hot tail or behind a mask.
                seen = (table["commit"].to_numpy() <= commit) & (commit < ended) & (ended <= self._view.lake_sequence)
                table = table.filter(pa.array(seen))
                yield self._water(table) if water_only else table

    def _of_file(
        self,
        file: LakeFile,
        wanted: Query,
        names: Sequence[str],
        commit: int | None,
        groups: NDArray[np.int64] | None,
        *,
        water_only: bool,
    ) -> pa.Table:
        needed = [*_KEYS, *names]
        if self._view.masks.touch(wanted.datastreams):
            needed.append("id")
        if commit is not None:
            needed.append("commit")
        samples = water_only and self._has_samples(file)
        if samples:
            needed.append("feature")
        needed = list(dict.fromkeys(needed))
        if groups is None:
            table = file.select(wanted, needed)
        else:
            table = file.read(groups, needed)
            keys = table["datastream"].to_numpy(), table["phenomenon_time"].cast(pa.int64()).to_numpy()
            table = table.filter(pa.array(wanted.mask(*keys)))
        table = self._seen(table, commit)
        return self._water(table) if samples else table

    def _hot(self, wanted: Query, names: Sequence[str], commit: int | None, *, water_only: bool) -> Iterator[pa.Table]:
        sequence = self._view.sequence if commit is None else min(commit, self._view.sequence)
        columns = list(dict.fromkeys((*_KEYS, *names)))
        for segment, n in self._view.segments.values():
            if segment.latest < wanted.start or segment.earliest >= wanted.end:
                continue
            mask = wanted.mask(segment.columns["datastream"][:n], segment.columns["phenomenon_time"][:n])
            live = segment.live(n, sequence)
            if live is not None:
                mask &= live
            if commit is not None:
                mask &= segment.columns["commit"][:n] <= commit
            rows = np.flatnonzero(mask)
            if water_only and len(self._view.samples) and len(rows):
                rows = rows[~np.isin(segment.columns["feature"][rows], self._view.samples)]
            if len(rows):
                yield segment.table(rows, columns)

    def _seen(self, table: pa.Table, commit: int | None) -> pa.Table:
        if not table.num_rows:
            return table
        known = self._view.sequence if commit is None else commit
        mask = np.ones(table.num_rows, bool)
        if commit is not None:
            mask &= table["commit"].to_numpy() <= commit
        if "id" in table.schema.names and len(self._view.masks):
            mask &= self._view.masks.ended(table["id"].to_numpy(), LIVE) > known
        if self._view.tombstones:
            datastream = table["datastream"].to_numpy()
            time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            for tombstone in self._view.tombstones:
                if tombstone.commit <= known:
                    mask &= ~tombstone.hides(datastream, time)
        return table if mask.all() else table.filter(pa.array(mask))

    def _water(self, table: pa.Table) -> pa.Table:
        if not len(self._view.samples) or not table.num_rows:
            return table
        sample = np.isin(table["feature"].to_numpy(), self._view.samples)
        return table.filter(pa.array(~sample)) if sample.any() else table

    def _has_samples(self, file: LakeFile) -> bool:
        feature = file.constant.get("feature")
        return bool(len(self._view.samples)) and (feature is None or feature in self._view.samples)

    # Narrow questions

    def _first(
        self, wanted: Query, names: list[str], commit: int | None, limit: int, *, water_only: bool, newest_first: bool
    ) -> pa.Table:
        """Read Datastream by Datastream, and of each only as many row groups as the limit needs."""
        candidates = self.datastreams() if wanted.datastreams is None else wanted.datastreams
        found: list[pa.Table] = []
        left = limit
        for datastream in candidates:
            if left <= 0:
                break
            one = Query(np.array([datastream], np.int32), wanted.start, wanted.end)
            table = self._first_of(one, names, commit, left, water_only=water_only, newest_first=newest_first)
            found.append(table)
            left -= table.num_rows
        return _concat(found, names)

    def _first_of(
        self, wanted: Query, names: list[str], commit: int | None, limit: int, *, water_only: bool, newest_first: bool
    ) -> pa.Table:
        parts = list(self._hot(wanted, names, commit, water_only=water_only))
        if commit is not None:
            parts.extend(self._lake(wanted, names, commit, water_only=water_only))
            return _ordered(parts, names, newest_first=newest_first).slice(0, limit)
        blocks = [
            (int(file.blocks.latest[group]) if newest_first else -int(file.blocks.earliest[group]), file, group)
            for file in self._view.files
            if file.may_hold(wanted)
            for group in file.groups(wanted)
        ]
        blocks.sort(key=lambda block: -block[0])
        table = _ordered(parts, names, newest_first=newest_first)
        for reach, file, group in blocks:
            if table.num_rows >= limit:
                worst = int(table["phenomenon_time"].cast(pa.int64())[limit - 1].as_py())
                if reach < (worst if newest_first else -worst):
                    break
            part = self._of_file(file, wanted, names, None, np.array([group]), water_only=water_only)
            table = _ordered([table, part], names, newest_first=newest_first)
        return table.slice(0, limit)

    def _count(self, file: LakeFile, wanted: Query, *, water_only: bool) -> int:
        groups = file.groups(wanted)
        if self._view.tombstones or self._view.masks.touch(wanted.datastreams):
            return int(self._of_file(file, wanted, [], None, groups, water_only=water_only).num_rows)
        if water_only and self._has_samples(file):
            return int(self._of_file(file, wanted, [], None, groups, water_only=True).num_rows)
        whole = wanted.covers(*(column[groups] for column in file.blocks[:4]))
        partly = groups[~whole]
        count = int(file.blocks.rows[groups[whole]].sum())
        if len(partly):
            count += self._of_file(file, wanted, [], None, partly, water_only=False).num_rows
        return count

    def _cold(self, datastream: int) -> pa.Table:
        newest = int(self._view.extents.newest_water[datastream])
        known = self._view.cold.get(datastream)
        if known is None or known[0] != newest:
            table = self.read([datastream], newest, newest + 1, limit=1, newest_first=True)
            if not table.num_rows:  # a revision took the newest row to an earlier time
                table = self.read([datastream], limit=1, newest_first=True)
            known = self._view.cold[datastream] = (newest, table)
        return known[1]


def _holds_point(file: LakeFile, group: int, points: tuple[NDArray[np.int32], NDArray[np.int64]]) -> bool:
    blocks = file.blocks
    low, high = np.searchsorted(points[0], (blocks.first[group], blocks.last[group] + 1))
    time = points[1][low:high]
    return bool(((time >= blocks.earliest[group]) & (time <= blocks.latest[group])).any())


def _at_times(table: pa.Table, wanted: Query, times: NDArray[np.int64]) -> pa.Table:
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    place = np.searchsorted(times, time)
    place[place == len(times)] = 0
    mask = (times[place] == time) & wanted.mask(table["datastream"].to_numpy(), time)
    return table.filter(pa.array(mask))


def _concat(parts: list[pa.Table], names: Sequence[str]) -> pa.Table:
    columns = list(dict.fromkeys((*_KEYS, *names)))
    schema = pa.schema([REVISION.field(name) for name in columns])
    kept = [part.select(columns) for part in parts if part.num_rows]
    if not kept:
        return schema.empty_table()
    return kept[0] if len(kept) == 1 else pa.concat_tables(kept)


def _ordered(parts: list[pa.Table], names: Sequence[str], *, newest_first: bool) -> pa.Table:
    table = _concat(parts, names)
    if table.num_rows < 2:
        return table
    datastream = table["datastream"].to_numpy()
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    step = np.diff(datastream)
    if newest_first:
        return table.take(pa.array(np.lexsort((-time, datastream))))
    if (step >= 0).all() and (np.diff(time)[step == 0] >= 0).all():
        return table
    return table.take(pa.array(np.lexsort((time, datastream))))
