"""Which rows of a view are seen: those of the lake that nothing hides, and those of the hot tail that had not ended.

A view may be of the present or as of an earlier commit; the same questions go to both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import REVISION
from nilometer.store.hot import LIVE
from nilometer.store.lake_file import LakeFile
from nilometer.store.query import Query
from nilometer.store.tombstones import Tombstones
from nilometer.store.view import View

__all__ = ["KEYS", "Visible", "joined", "ordered"]

KEYS = ("datastream", "phenomenon_time")
_VALUES = ("result", "result_quality")


class Visible:
    """The rows that a view shows.

    Parameters
    ----------
    view : View
        Immutable.
    """

    def __init__(self, view: View) -> None:
        self._view, self._known = view, view.known
        self._tombstones = view.tombstones.until(view.known)
        self._files = view.files if view.commit is None else (*view.files, *view.revisions)
        self._former = frozenset(view.revisions)

    def parts(
        self,
        wanted: Query,
        names: Sequence[str],
        *,
        water_only: bool,
        ids: NDArray[np.int64] | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the rows that are meant in tables with the keys and the wanted columns.

        Parameters
        ----------
        wanted : Query
            Datastreams and a time range.
        names : sequence of str
            Columns of OBSERVATION.
        water_only : bool
            Leave out samples.
        ids : ndarray of int64, ascending, optional
            Only these rows.
        """
        for file in self._files:
            if file.may_hold(wanted):
                groups = self.groups(file, wanted, ids)
                if len(groups):
                    yield self.of_file(file, groups, wanted, names, water_only=water_only, ids=ids)
        yield from self.hot(wanted, names, water_only=water_only, ids=ids)

    def blocks(self, wanted: Query) -> Iterator[tuple[LakeFile, int]]:
        """Yield the row groups that may hold rows that are meant, each with its file."""
        for file in self._files:
            if file.may_hold(wanted):
                for group in self.groups(file, wanted):
                    yield file, int(group)

    def groups(self, file: LakeFile, wanted: Query, ids: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the row groups of a file that may hold rows that are seen."""
        blocks = file.blocks
        groups = file.groups(wanted)
        if ids is not None:
            low = np.searchsorted(ids, blocks.lowest_id[groups])
            groups = groups[np.searchsorted(ids, blocks.highest_id[groups], "right") > low]
        if self._view.commit is not None:
            groups = groups[blocks.lowest_commit[groups] <= self._known]
        if wanted.single is not None and len(self._tombstones) and file not in self._former:
            gone = self._tombstones.cover(
                wanted.single, blocks.earliest[groups], blocks.latest[groups], blocks.highest_commit[groups]
            )
            groups = groups[~gone]
        return groups

    def of_file(
        self,
        file: LakeFile,
        groups: NDArray[np.int64],
        wanted: Query,
        names: Sequence[str],
        *,
        water_only: bool,
        ids: NDArray[np.int64] | None = None,
    ) -> pa.Table:
        """Return the rows of row groups that are meant and seen."""
        former = file in self._former
        masked = not former and self._view.masks.touch(wanted.datastreams)
        samples = water_only and bool(self._samples_in(file, groups).any())
        values = wanted.values
        tombstones = self._tombstones.touching(wanted)
        asked = {
            "id": masked or ids is not None or len(tombstones) > 0,
            "commit": self._view.commit is not None or (not former and len(tombstones) > 0),
            "superseded_commit": former,
            "feature": samples,
        }
        needed = dict.fromkeys(
            [
                *(*KEYS, *names, *(() if values is None else values.columns)),
                *(name for name, is_asked in asked.items() if is_asked),
            ]
        )
        table = file.select(groups, wanted, list(needed))
        if not table.num_rows:
            return table
        mask = self._not_ended(table, tombstones, masked=masked) if not former else self._then(table)
        if self._view.commit is not None:
            mask &= table["commit"].to_numpy() <= self._known
        if ids is not None:
            mask &= np.isin(table["id"].to_numpy(), ids)
        if samples:
            mask &= ~np.isin(table["feature"].to_numpy(), self._view.samples)
        if values is not None:
            asked_of = (table[name].to_numpy() if name in values.columns else None for name in _VALUES)
            mask &= values.mask(*asked_of)
        return table if mask.all() else table.filter(pa.array(mask))

    def _not_ended(self, table: pa.Table, tombstones: Tombstones, *, masked: bool) -> NDArray[np.bool_]:
        """Return which rows of `observations` neither a hot row nor a tombstone hides."""
        mask = np.ones(table.num_rows, bool)
        if masked:
            mask &= self._view.masks.ended(table["id"].to_numpy(), LIVE) > self._known
        if len(tombstones):
            time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            mask &= ~tombstones.hidden(
                table["datastream"].to_numpy(), time, table["commit"].to_numpy(), table["id"].to_numpy()
            )
        return mask

    def _then(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return which rows of `revisions` had not ended."""
        ended = table["superseded_commit"].to_numpy()
        # What ended after the lake's sequence is still found in the hot tail or behind a mask.
        mask: NDArray[np.bool_] = (self._known < ended) & (ended <= self._view.lake_sequence)
        return mask

    def hot(
        self,
        wanted: Query,
        names: Sequence[str],
        *,
        water_only: bool,
        ids: NDArray[np.int64] | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the rows of the hot tail that are meant and seen."""
        columns = list(dict.fromkeys((*KEYS, *names)))
        for segment, n in self._view.segments.values():
            if segment.latest < wanted.start or segment.earliest >= wanted.end:
                continue
            mask = wanted.mask(segment.columns["datastream"][:n], segment.columns["phenomenon_time"][:n])
            live = segment.live(n, self._known)
            if live is not None:
                mask &= live
            if self._view.commit is not None:
                mask &= segment.columns["commit"][:n] <= self._known
            rows = np.flatnonzero(mask)
            if ids is not None and len(rows):
                rows = rows[np.isin(segment.columns["id"][rows], ids)]
            if water_only and len(self._view.samples) and len(rows):
                rows = rows[~np.isin(segment.columns["feature"][rows], self._view.samples)]
            if wanted.values is not None and len(rows):
                rows = rows[wanted.values.mask(*(segment.columns[name][rows] for name in _VALUES))]
            if len(rows):
                yield segment.table(rows, columns)

    def count(self, wanted: Query, *, water_only: bool) -> int:
        """Return how many rows are meant and seen; row groups that lie wholly inside are not read."""
        total = sum(part.num_rows for part in self.hot(wanted, [], water_only=water_only))
        for file in self._files:
            if not file.may_hold(wanted):
                continue
            groups = self.groups(file, wanted)
            plain = self._plain(file, groups, wanted, water_only=water_only)
            whole = plain & wanted.covers(*(column[groups] for column in file.blocks[:4]))
            total += int(file.blocks.rows[groups[whole]].sum())
            # Of a group that others share, where each Datastream lies says how many rows it has.
            if wanted.datastreams is not None:
                total += sum(file.cuts(int(group)).count(wanted.datastreams) for group in groups[plain & ~whole])
                whole |= plain
            if not whole.all():
                total += self.of_file(file, groups[~whole], wanted, [], water_only=water_only).num_rows
        return int(total)

    def _plain(
        self, file: LakeFile, groups: NDArray[np.int64], wanted: Query, *, water_only: bool
    ) -> NDArray[np.bool_]:
        """Return of which row groups every row of a Datastream that is meant is meant and seen, by statistics."""
        if file in self._former:
            return np.zeros(len(groups), bool)
        blocks = file.blocks
        reach = [column[groups] for column in blocks[:4]]
        whole = (reach[2] >= wanted.start) & (reach[3] < wanted.end)
        whole &= ~self._tombstones.touching(wanted).touch(*reach)
        if water_only:
            whole &= ~self._samples_in(file, groups)
        if wanted.values is not None:
            whole &= wanted.values.covers(file.ranges, groups)
        if len(self._view.masks):
            whole &= ~self._view.masks.touch_ids(blocks.lowest_id[groups], blocks.highest_id[groups])
        if self._view.commit is not None:
            whole &= blocks.highest_commit[groups] <= self._known
        return whole

    def plain_groups(
        self, wanted: Query, *, water_only: bool
    ) -> Iterator[tuple[LakeFile, NDArray[np.int64], NDArray[np.bool_]]]:
        """Yield files with their row groups that may hold rows that are meant, and of which all rows are seen."""
        for file in self._files:
            if file.may_hold(wanted):
                groups = self.groups(file, wanted)
                if len(groups):
                    yield file, groups, self._plain(file, groups, wanted, water_only=water_only)

    def reach(self, wanted: Query) -> int:
        """Return how many rows at most have to be looked at to find those that are meant."""
        hot = sum(
            int(wanted.mask(segment.columns["datastream"][:n], segment.columns["phenomenon_time"][:n]).sum())
            for segment, n in self._view.segments.values()
        )
        cold = (file.blocks.rows[self.groups(file, wanted)].sum() for file in self._files if file.may_hold(wanted))
        return hot + int(sum(cold))

    def _samples_in(self, file: LakeFile, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which row groups may hold samples."""
        samples = self._view.samples
        if not len(samples) or file.constant.get("feature", samples[0]) not in samples:
            return np.zeros(len(groups), bool)
        ranges = file.ranges
        at = np.searchsorted(samples, ranges.lowest_feature[groups])
        some: NDArray[np.bool_] = np.searchsorted(samples, ranges.highest_feature[groups], "right") > at
        return some


def joined(parts: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Return tables as one, with the keys and these columns."""
    columns = list(dict.fromkeys((*KEYS, *names)))
    schema = pa.schema([REVISION.field(name) for name in columns])
    kept = [part.select(columns) for part in parts if part.num_rows]
    if not kept:
        return schema.empty_table()
    return kept[0] if len(kept) == 1 else pa.concat_tables(kept)


def ordered(table: pa.Table, *, newest_first: bool) -> pa.Table | None:
    """Return rows sorted by (datastream, phenomenon_time, id), the two latter downwards when the newest come first.

    None: some rows share Datastream and time, and the table has no ids to tell them apart by.
    """
    if table.num_rows < 2:
        return table
    datastream = table["datastream"].to_numpy()
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    number = table["id"].to_numpy() if "id" in table.schema.names else None
    if not newest_first and _climbs(datastream, time, number):
        return table
    if number is not None:
        keys = (-number, -time, datastream) if newest_first else (number, time, datastream)
        return table.take(pa.array(np.lexsort(keys)))
    order = np.lexsort((-time if newest_first else time, datastream))
    if _climbs(datastream[order], -time[order] if newest_first else time[order]):
        return table.take(pa.array(order))
    return None


def _climbs(datastream: NDArray[np.int32], time: NDArray[np.int64], number: NDArray[np.int64] | None = None) -> bool:
    step, later = np.diff(datastream), np.diff(time)
    climbs = (step > 0) | ((step == 0) & (later > 0))
    if number is not None:
        climbs |= (step == 0) & (later == 0) & (np.diff(number) > 0)
    return bool(climbs.all())
