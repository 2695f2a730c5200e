"""The immutable read view: lake files, hot tail and tombstones as of one commit, of the present or of the past.

A row of the lake is seen unless a hot row has replaced it or a tombstone covers it; a hot row is seen unless its end
had come. The store hands out a new snapshot only after a commit or a seal, so nothing is seen twice and everything
acknowledged is seen. Only the flags of a hot row may still settle while a snapshot lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.canonical import canonical
from nilometer.store.changes import Changes, changes
from nilometer.store.coverage_reading import CoverageReading
from nilometer.store.datastream_index import NOWHERE
from nilometer.store.distinct import distinct
from nilometer.store.edges import Edges
from nilometer.store.first_rows import first_rows
from nilometer.store.hot import CAPACITY
from nilometer.store.lake_file import LakeFile
from nilometer.store.pieces import Piece, pieces
from nilometer.store.points import first_of_each, rows_near
from nilometer.store.query import Query, query
from nilometer.store.values import Values
from nilometer.store.versions import versions
from nilometer.store.view import View
from nilometer.store.visible import KEYS, Visible, joined, ordered
from nilometer.store.walking import PIECE, Position, walk

__all__ = ["Snapshot"]


class Snapshot:
    """Everything that was acknowledged when it was taken, or as it was known before; nothing twice, nothing later.

    Parameters
    ----------
    view : View
        What it rests on.
    """

    def __init__(self, view: View) -> None:
        self._view, self._visible = view, Visible(view)
        self._edges = Edges(view, self._visible)
        self._coverage = CoverageReading(view, self._visible)

    @property
    def sequence(self) -> int:
        """The last commit it shows."""
        return self._view.known

    @property
    def commit(self) -> int | None:
        """The last commit it shows, where it was asked for a past moment; None: it shows the present."""
        return self._view.commit

    @property
    def files(self) -> tuple[LakeFile, ...]:
        """The Parquet files of current rows, for reports."""
        return self._view.files

    def at(self, moment: int | None) -> Snapshot:
        """Return the rows as they were known at a moment (µs UTC; None: this snapshot), for every question alike.

        A moment means the whole second at or before it, but for marked commits: see `CommitClock`. The flags are those
        that each row settled on. For a moment of the present ask `Store.snapshot`, which waits for what is under way.

        Raises
        ------
        StoreError
            If the times of commits cannot be read.
        """
        if moment is None:
            return self
        return Snapshot(replace(self._view, commit=min(self._view.at(moment), self.sequence)))

    def at_sequence(self, sequence: int) -> Snapshot:
        """Return the rows as they were known after a commit: what `sequence` said then."""
        return Snapshot(replace(self._view, commit=min(sequence, self.sequence)))

    def read(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        water_only: bool = True,
        limit: int | None = None,
        newest_first: bool = False,
        values: Values | None = None,
    ) -> pa.Table:
        """Return rows sorted by (datastream, phenomenon_time, id).

        Parameters
        ----------
        datastreams : sequence of int, optional
            Ids; None: all.
        start, end : int, optional
            phenomenon_time in µs UTC, start inclusive, end exclusive.
        columns : sequence of str, optional
            Of OBSERVATION; None: all.
        water_only : bool
            Leave out zero, span, check and other samples.
        limit : int, optional
            Return the first so many rows.
        newest_first : bool
            Within each Datastream the newest row comes first, of one time that with the greatest id.
        values : Values, optional
            Only rows with these results or flags; row groups whose statistics exclude them are not read.

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
        wanted = query(datastreams, start, end, values)
        if limit is not None:
            candidates = self._edges.candidates() if wanted.datastreams is None else wanted.datastreams
            table = first_rows(
                self._visible, candidates, wanted, names, limit, water_only=water_only, newest_first=newest_first
            )
        else:
            table = self._sorted(wanted, names, water_only=water_only, newest_first=newest_first)
        return self._plain(table, names)

    def walk(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        water_only: bool = True,
        newest_first: bool = False,
        values: Values | None = None,
        after: Position | None = None,
        piece: int = PIECE,
    ) -> Iterator[pa.Table]:
        """Yield what `read` returns, in its order, in tables of at most so many rows; memory stays bounded.

        Parameters
        ----------
        datastreams, start, end, columns, water_only, newest_first, values
            As in `read`; the first three columns of what comes are always `id`, `datastream`, `phenomenon_time`.
        after : Position, optional
            Begin behind this row, whether it is still there or not.
        piece : int
            Rows in one table.

        Raises
        ------
        StoreError
            If a file of the lake cannot be read.
        """
        names = list(dict.fromkeys(("id", *KEYS, *(OBSERVATION.names if columns is None else columns))))
        wanted = query(datastreams, start, end, values)
        known = self._view.extents.rows
        candidates = self._edges.candidates() if wanted.datastreams is None else wanted.datastreams.astype(np.int64)
        candidates = candidates[(candidates >= (0 if after is None else after[0])) & (candidates < len(known))]
        rows = known[candidates].astype(np.int64)
        candidates, rows = candidates[rows > 0], rows[rows > 0]
        tables = walk(
            self._visible,
            candidates,
            rows,
            wanted,
            names,
            water_only=water_only,
            newest_first=newest_first,
            after=after,
            piece=piece,
        )
        for table in tables:
            yield self._plain(table, names)

    def count(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        water_only: bool = True,
        values: Values | None = None,
    ) -> int:
        """Return how many rows `read` would return; row groups that lie wholly inside are not read."""
        return self._visible.count(query(datastreams, start, end, values), water_only=water_only)

    def reach(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        values: Values | None = None,
    ) -> int:
        """Return how many rows at most `read` has to look at, by the statistics of row groups; nothing is read."""
        return self._visible.reach(query(datastreams, start, end, values))

    def pieces(
        self,
        datastream: int,
        start: int | None = None,
        end: int | None = None,
        *,
        water_only: bool = True,
        values: Values | None = None,
    ) -> Iterator[Piece]:
        """Yield the rows of a Datastream in pieces of bounded size, in no order; what is made of some can be kept."""
        return pieces(self._visible, query([datastream], start, end, values), water_only=water_only)

    def changes(
        self,
        commit: int,
        number: int,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        most: int,
        water_only: bool = True,
    ) -> Changes:
        """Return the first rows behind a commit, and behind an id in it, by (commit, id), at most so many.

        Datastreams and times narrow it as in `read`.
        """
        return changes(self._visible, query(datastreams, start, end), commit, number, most, water_only=water_only)

    def most_rows(self, datastream: int) -> int:
        """Return how many rows a Datastream was given so far, at once: it never has more."""
        rows = self._view.extents.rows
        return int(rows[datastream]) if 0 <= datastream < len(rows) else 0

    def by_id(self, ids: Sequence[int] | NDArray[np.int64]) -> pa.Table:
        """Return the rows of these ids, samples too, sorted by (datastream, phenomenon_time, id)."""
        numbers = distinct(np.asarray(ids, np.int64))
        wanted = query(np.unique(numbers >> 32).astype(np.int32), None, None)
        names = OBSERVATION.names
        parts = list(self._visible.parts(wanted, names, water_only=False, ids=numbers))
        table = ordered(joined(parts, names), newest_first=False)
        assert table is not None  # noqa: S101 -- it has ids
        return self._plain(table, names)

    def of_feature(self, feature: int, datastreams: Sequence[int] | None = None, *, most: int) -> pa.Table | None:
        """Return id, Datastream and time of the rows that speak of a FeatureOfInterest; None: too many to look at.

        Parameters
        ----------
        feature : int
            Its id.
        datastreams : sequence of int, optional
            Only of these; None: all.
        most : int
            How many rows may be looked at.
        """
        wanted = query(None if datastreams is None else np.asarray(sorted(datastreams), np.int32), None, None)
        names = ("id", "feature")
        parts = [part for part in self._visible.hot(wanted, names, water_only=False) if part.num_rows]
        looked_at = sum(part.num_rows for part in parts)
        for file, groups, _ in self._visible.plain_groups(wanted, water_only=False):
            if file.constant.get("feature", feature) != feature:
                continue
            ranges = file.ranges
            mine = groups[(ranges.lowest_feature[groups] <= feature) & (ranges.highest_feature[groups] >= feature)]
            looked_at += int(file.blocks.rows[mine].sum())
            if looked_at > most:
                return None
            if len(mine):
                parts.append(self._visible.of_file(file, mine, wanted, names, water_only=False))
        rows = joined(parts, names)
        return rows.filter(pa.array(rows["feature"].to_numpy() == feature))

    def versions(
        self,
        datastreams: Sequence[int],
        start: int | None = None,
        end: int | None = None,
        *,
        ids: Sequence[int] | NDArray[np.int64] | None = None,
        columns: Sequence[str] | None = None,
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
        numbers = None if ids is None else distinct(np.asarray(ids, np.int64))
        table = versions(self._view, query(datastreams, start, end), names, numbers)
        return self._plain(table, names)

    def committed(self, sequence: int) -> int:
        """Return the first moment in µs UTC at which `at` shows a commit, less than a second after it.

        Raises
        ------
        StoreError
            If the times of commits cannot be read.
        """
        return self._view.shows(sequence)

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of the water of each Datastream; of the present without a scan."""
        table = ordered(joined(self._edges.latest(datastreams), OBSERVATION.names), newest_first=False)
        assert table is not None  # noqa: S101 -- it has ids
        return self._plain(table, OBSERVATION.names)

    def first(self, datastreams: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Return columns of the first row of the water of each Datastream, of one time the least id.

        Parameters
        ----------
        datastreams : sequence of int
            Ids.
        columns : sequence of str
            Of OBSERVATION; `id`, `datastream` and `phenomenon_time` are always among them.

        Raises
        ------
        StoreError
            If a file of the lake cannot be read.
        """
        names = list(dict.fromkeys(("id", *KEYS, *columns)))
        rest = names[1 + len(KEYS) :]
        ends = {number: self.extent(number) for number in np.unique(np.asarray(datastreams, np.int64)).tolist()}
        known = {number: end[0] for number, end in ends.items() if end is not None}
        if not known:
            return self.read([], columns=names)
        owners, times = np.array(list(known), np.int64), np.array(list(known.values()), np.int64)
        near = rows_near(self._visible, owners.astype(np.int32), times, rest, water_only=True)
        found = first_of_each(near, owners, times)
        # The first row of these is a sample: the water begins later.
        later = np.setdiff1d(owners, found["datastream"].to_numpy()).tolist()
        parts = [found.select(names), *(self.read([one], columns=names, limit=1) for one in later)]
        return self._plain(pa.concat_tables(parts).sort_by("datastream"), names)

    def newest_times(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the phenomenon_time, µs UTC, of those ids that are newest and hot now; `NO_TIME` of others."""
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
        return self._edges.extent(datastream)

    def outline(self, datastreams: Sequence[int] | None = None) -> tuple[int, int] | None:
        """Return about which phenomenon_times, µs UTC, the rows of Datastreams lie between, at once; None: no rows.

        It is that of the present: an earlier commit may have had rows beyond.
        """
        return self._edges.outline(datastreams)

    def extents(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the first and last phenomenon_time of many Datastreams, µs UTC, and which of them have rows."""
        return self._edges.extents(datastreams)

    def spans(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return what the rows of Datastreams span: as `extents`, but to the end of the last that lasts for a while."""
        return self._edges.spans(datastreams)

    def result_times(
        self, datastreams: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the first and last result_time of the water of many Datastreams, µs UTC, and which have any."""
        return self._coverage.result_times(datastreams)

    def features(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Return the FeaturesOfInterest that the water rows of Datastreams speak of.

        Parameters
        ----------
        datastreams : ndarray of int64, shape (n,)
            Ids.

        Returns
        -------
        at : ndarray of intp, shape (m,)
            Whose feature it is: a place among `datastreams`, once for each of its features.
        features : ndarray of int32, shape (m,)
            Ids.
        """
        known = np.flatnonzero(self.extents(datastreams)[2])
        at, features = self._coverage.features(datastreams[known])
        return known[at], features

    def speaking_of(self, feature: int) -> NDArray[np.int64] | None:
        """Return Datastreams among which are all whose water rows speak of a FeatureOfInterest; None: any may."""
        return self._coverage.speaking_of(feature)

    def datastreams(self) -> NDArray[np.int64]:
        """Return the ids of the Datastreams that have rows."""
        return self._edges.datastreams()

    def existing(self, datastream: NDArray[np.int32], time: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return rows, samples too, that may lie at these points; `time` and `datastream` by pairs."""
        return rows_near(self._visible, datastream, time, columns, water_only=False)

    def _plain(self, table: pa.Table, names: Sequence[str]) -> pa.Table:
        """Return columns; of the past laid out so that their bytes are the same wherever the rows lie by now."""
        table = table.select(names)
        return table if self._view.commit is None else canonical(table)

    def _sorted(self, wanted: Query, names: Sequence[str], *, water_only: bool, newest_first: bool) -> pa.Table:
        parts = [part for part in self._visible.parts(wanted, names, water_only=water_only) if part.num_rows]
        if wanted.single is not None:
            # Then parts that do not overlap need no sorting of rows.
            parts.sort(key=lambda part: part["phenomenon_time"][0].value)
        table = ordered(joined(parts, names), newest_first=newest_first)
        if table is not None:
            return table
        return self._sorted(wanted, [*names, "id"], water_only=water_only, newest_first=newest_first)
