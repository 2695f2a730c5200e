"""The first and the newest row of every Datastream in a view.

Of the present they are at hand in the index, but for Datastreams of which a delete or a revision may have taken an end:
those are measured when somebody asks, and the answer is given back to the index. As of an earlier commit they are read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME
from nilometer.model.schemas import OBSERVATION
from nilometer.store.datastream_index import NOWHERE
from nilometer.store.first_rows import first_rows
from nilometer.store.hot import CAPACITY
from nilometer.store.query import Query
from nilometer.store.view import Ends, View
from nilometer.store.visible import Visible

__all__ = ["Edges"]

_LATEST = int(np.iinfo(np.int64).max)
_MOST_OVERLAPPING = 100_000
"""Rows that are looked at for the end of a Datastream, newest first."""


class Edges:
    """What a snapshot says of the ends of Datastreams.

    Parameters
    ----------
    view : View
        What is seen; its extents are brought up to date here.
    visible : Visible
        The rows of it.
    """

    def __init__(self, view: View, visible: Visible) -> None:
        self._view, self._visible = view, visible
        self._then: dict[int, tuple[int, int] | None] = {}
        self._over: dict[int, int] = {}

    def candidates(self) -> NDArray[np.int64]:
        """Return the Datastreams that may have rows in the view."""
        extents = self._view.extents
        # Ids never run back: what has no row today may have had some then.
        return np.flatnonzero(extents.newest != NO_TIME if self._view.commit is None else extents.rows > 0)

    def outline(self, datastreams: Sequence[int] | None) -> tuple[int, int] | None:
        """Return between which phenomenon_times, µs UTC, rows of Datastreams lie; a past may have had others."""
        extents = self._view.extents
        known = np.flatnonzero(extents.newest != NO_TIME)
        if datastreams is not None:
            known = np.intersect1d(known, np.asarray(datastreams, np.int64))
        if not len(known):
            return None
        return int(extents.first[known].min()), int(extents.newest[known].max())

    def extent(self, datastream: int) -> tuple[int, int] | None:
        """Return the first and last phenomenon_time of a Datastream, µs UTC; None when it has no rows."""
        extents = self._view.extents
        if not 0 <= datastream < len(extents.newest):
            return None
        if self._view.commit is not None:
            if datastream not in self._then:
                self._then[datastream] = self._extent_then(datastream)
            return self._then[datastream]
        if extents.unsure[datastream]:
            self._sure(np.array([datastream]))
        if extents.newest[datastream] == NO_TIME:
            return None
        return int(extents.first[datastream]), int(extents.newest[datastream])

    def extents(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the first and last phenomenon_time of Datastreams, µs UTC, and which of them have rows."""
        extents = self._view.extents
        first, newest = np.zeros(len(datastreams), np.int64), np.full(len(datastreams), NO_TIME, np.int64)
        known = np.flatnonzero((datastreams >= 0) & (datastreams < len(extents.newest)))
        wanted = datastreams[known]
        if self._view.commit is None:
            self._sure(wanted)
            first[known], newest[known] = extents.first[wanted], extents.newest[wanted]
        else:
            for at, number in zip(known.tolist(), wanted.tolist(), strict=True):
                first[at], newest[at] = self.extent(number) or (0, NO_TIME)
        return first, newest, newest != NO_TIME

    def spans(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return when the first row of Datastreams begins and when all are over, and which of them have rows."""
        first, newest, valid = self.extents(datastreams)
        longest = self._view.extents.longest
        for at in np.flatnonzero(valid):
            number = int(datastreams[at])
            if longest[number]:
                newest[at] = self._over_by(number, int(newest[at]))
        return first, newest, valid

    def _over_by(self, datastream: int, newest: int) -> int:
        """Return the end of the last of the rows that may reach beyond the start of the newest."""
        if datastream not in self._over:
            since = Query(start=newest - int(self._view.extents.longest[datastream]))
            names = ["phenomenon_time", "duration"]
            rows = first_rows(
                self._visible, [datastream], since, names, _MOST_OVERLAPPING, water_only=False, newest_first=True
            )
            ends = rows["phenomenon_time"].cast(pa.int64()).to_numpy() + rows["duration"].to_numpy()
            self._over[datastream] = int(ends.max(initial=newest))
        return self._over[datastream]

    def datastreams(self) -> NDArray[np.int64]:
        """Return the ids of the Datastreams that have rows."""
        candidates = self.candidates()
        if self._view.commit is not None:
            return np.array([one for one in candidates.tolist() if self.extent(one) is not None], np.int64)
        self._sure(candidates)
        return self.candidates()

    def latest(self, datastreams: Sequence[int] | None) -> list[pa.Table]:
        """Return the newest row of the water of each Datastream that has one, in parts; of one time the later id."""
        extents = self._view.extents
        wanted = np.arange(len(extents.rows)) if datastreams is None else np.unique(np.asarray(datastreams, np.int64))
        wanted = wanted[(wanted >= 0) & (wanted < len(extents.rows))]
        if self._view.commit is not None:
            wanted = wanted[extents.rows[wanted] > 0]
            return [self._newest(datastream) for datastream in wanted.tolist()]
        self._sure(wanted)
        wanted = wanted[extents.newest_water[wanted] != NO_TIME]
        location = extents.location[wanted]
        hot = location[location != NOWHERE]
        parts = []
        for number in np.unique(hot // CAPACITY):
            segment, _ = self._view.segments[int(number)]
            parts.append(segment.table(hot[hot // CAPACITY == number] % CAPACITY, OBSERVATION.names))
        parts.extend(self._cold(int(datastream)) for datastream in wanted[location == NOWHERE])
        return parts

    def _sure(self, wanted: NDArray[np.int64]) -> None:
        extents = self._view.extents
        for datastream in wanted[extents.unsure[wanted]].tolist():
            ends = self._measure(datastream)
            extents.first[datastream], extents.newest[datastream] = ends.first, ends.newest
            extents.newest_water[datastream], extents.location[datastream] = ends.newest_water, ends.location
            extents.unsure[datastream] = False  # last: another thread that asks either measures too, or finds all done
            self._view.learn(datastream, self._view.sequence, ends)

    def _measure(self, datastream: int) -> Ends:
        first = self._end(datastream, newest_first=False, water_only=False)
        newest = self._end(datastream, newest_first=True, water_only=False)
        water = self._end(datastream, newest_first=True, water_only=True)
        if first is None or newest is None:
            return Ends(_LATEST, NO_TIME, NO_TIME, NOWHERE, 0)
        if water is None:
            return Ends(first[0], newest[0], NO_TIME, NOWHERE, 0)
        return Ends(first[0], newest[0], water[0], self._hot_location(water[1]), water[1])

    def _extent_then(self, datastream: int) -> tuple[int, int] | None:
        first = self._end(datastream, newest_first=False, water_only=False)
        newest = self._end(datastream, newest_first=True, water_only=False)
        return None if first is None or newest is None else (first[0], newest[0])

    def _end(self, datastream: int, *, newest_first: bool, water_only: bool) -> tuple[int, int] | None:
        """Return time and id of the first or the last row."""
        names = ["phenomenon_time", "id"]
        table = first_rows(
            self._visible, [datastream], Query(), names, 1, water_only=water_only, newest_first=newest_first
        )
        if not table.num_rows:
            return None
        return int(table["phenomenon_time"].cast(pa.int64())[0].as_py()), int(table["id"][0].as_py())

    def _hot_location(self, number: int) -> int:
        for place, (segment, n) in self._view.segments.items():
            rows = np.flatnonzero(segment.columns["id"][:n] == number)
            live = segment.live(n, self._view.sequence)
            rows = rows if live is None else rows[live[rows]]
            if len(rows):
                return place * CAPACITY + int(rows[-1])
        return NOWHERE

    def _newest(self, datastream: int, span: Query | None = None) -> pa.Table:
        return first_rows(
            self._visible, [datastream], span or Query(), OBSERVATION.names, 1, water_only=True, newest_first=True
        )

    def _cold(self, datastream: int) -> pa.Table:
        newest = int(self._view.extents.newest_water[datastream])
        known = self._view.cold.get(datastream)
        if known is None or known[0] != newest:
            table = self._newest(datastream, Query(start=newest, end=newest + 1))
            if not table.num_rows:  # a revision took the newest row to an earlier time
                table = self._newest(datastream)
            known = self._view.cold[datastream] = (newest, table)
        return known[1]
