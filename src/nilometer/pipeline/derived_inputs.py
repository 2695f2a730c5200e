"""The rows that derivation reads: of each input the newest ones in memory, older ones from the store.

A window holds every row of the water of a Datastream from its floor on, those of commits that are on their way
included. What is asked for below the floor is read from the store, once all that was judged before is written; what
arrives in the commit at hand is laid over it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.derived_rows import Rows, Times, rising
from nilometer.store import Snapshot, Store

__all__ = ["EVER", "Inputs", "clusters", "near_each_other", "stored_rows"]

EVER = 1 << 62
"""A floor that everything lies above, or with its sign below."""

DAY = 86_400_000_000
FEW_ROWS = 512
MOST_ROWS = 131_072
"""Rows that a window may hold beyond what its time asks for, and at all."""


def clusters(times: Times, apart: int) -> Iterator[Times]:
    """Yield parts of rising times between which there is more than so many µs."""
    if len(times) and times[-1] - times[0] <= apart:
        yield times
    elif len(times):
        yield from np.split(times, np.flatnonzero(np.diff(times) > apart) + 1)


def near_each_other(times: Times) -> Iterator[Times]:
    """Yield parts of rising times that are asked for at once: at most some dozens, however far they spread."""
    return clusters(times, max(DAY, int(times[-1] - times[0]) // 64)) if len(times) else iter(())


@dataclass(slots=True)
class _Window:
    rows: Rows
    floor: int


@dataclass(slots=True)
class _Arriving:
    """What the commit at hand changes: rows by Datastream, and flags by id."""

    rows: dict[int, Rows] = field(default_factory=dict)
    flags: dict[int, int] = field(default_factory=dict)


class Inputs:
    """Rows by Datastream; in the thread that judges.

    Parameters
    ----------
    store : Store
        What is older.
    rest : callable
        Returns when everything that was judged before is written.
    """

    def __init__(self, store: Store, rest: Callable[[], None]) -> None:
        self._store, self._rest = store, rest
        self._kept: dict[int, int] = {}
        self._derived: frozenset[int] = frozenset()
        self._windows: dict[int, _Window] = {}
        self._arriving = _Arriving()

    def keep(self, spans: Mapping[int, int], derived: frozenset[int]) -> None:
        """Say which Datastreams are asked for, how many µs of each stay in memory, and which are derived."""
        if spans != self._kept or derived != self._derived:
            self._windows.clear()
        self._kept, self._derived = dict(spans), derived

    def begin(self) -> None:
        """Begin a commit; what the last one brought may leave the memory."""
        for datastream in self._arriving.rows:
            if datastream in self._windows:
                self._trim(datastream, self._windows[datastream])
        self._arriving = _Arriving()

    def forget(self) -> None:
        """Forget all windows: what is stored has changed, or what was on its way never comes."""
        self._windows.clear()

    def parts(self, batch: ObservationBatch) -> list[tuple[int, Rows]]:
        """Return finished rows, each once, by Datastream: by time and id, as they will be read back."""
        if not len(batch):
            return []
        datastream = batch.datastream
        rows = _rows(self._store, batch, is_derived=np.isin(datastream, list(self._derived)))
        # Sixteen bits are sorted by counting.
        order = np.argsort(datastream.astype(np.uint16) if datastream.max() < 65_536 else datastream, kind="stable")
        goes_on = np.diff(datastream[order]) == 0
        if not (np.diff(rows.time[order]) > 0)[goes_on].all():
            order = np.lexsort((rows.id, rows.time, datastream))
        rows, datastream = rows.take(order), datastream[order]
        edges = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(order)]
        return [(int(datastream[i]), rows.take(slice(i, k))) for i, k in itertools.pairwise(edges)]

    def put(self, datastream: int, rows: Rows, *, is_revised: bool) -> Times:
        """Take rows that are new or revised, each once; return the times they have now and had before.

        Parameters
        ----------
        datastream : int
            Whose rows these are.
        rows : Rows
            As `parts` gives them.
        is_revised : bool
            Whether some of them may have been there.
        """
        window = self._window(datastream)
        here = window.rows
        known = self._arriving.rows.get(datastream)
        if known is not None:
            stays = known.take(~np.isin(known.id, rows.id))
            self._arriving.rows[datastream] = Rows.concat([stays, rows])
        else:
            self._arriving.rows[datastream] = rows
        times = rows.time
        if not is_revised and (not len(here) or times[0] > here.time[-1]):
            window.rows = Rows.concat([here, rows]) if len(here) else rows
            return times if rising(times) else np.unique(times)
        moved = np.isin(here.id, rows.id)
        times = np.concatenate([times, here.time[moved]])
        if is_revised:
            times = np.concatenate([times, self._former(rows, here.id[moved])])
        window.rows = Rows.concat([here.take(~moved), rows.take(rows.time >= window.floor)]).sorted()
        return np.unique(times)

    def settle(self, settled: Settlements) -> dict[int, Times]:
        """Take new flags of earlier rows; return, by Datastream, the times of those whose flag changed."""
        owner = (settled.id >> 32).astype(np.int32)
        order = np.argsort(owner, kind="stable")
        edges = [0, *(np.flatnonzero(np.diff(owner[order])) + 1).tolist(), len(order)]
        changed: dict[int, Times] = {}
        for first, last in itertools.pairwise(edges):
            mine = order[first:last]
            datastream = int(owner[mine[0]])
            if datastream not in self._kept:
                continue
            ids, flags = settled.id[mine], settled.result_quality[mine]
            rows = self._window(datastream).rows
            where, found = _placed(rows.id, ids)
            other = rows.quality[where] != flags[found]
            times = [rows.time[where[other]]]
            rows.quality = rows.quality.copy()
            rows.quality[where] = flags[found]
            if not found.all():
                times.append(self._settled_below(ids[~found], flags[~found]))
            both = np.unique(np.concatenate(times))
            if len(both):
                changed[datastream] = both
        return changed

    def rows(self, datastream: int, start: int, end: int) -> Rows:
        """Return the rows of a Datastream from `start` to `end`, µs since 1970 UTC, both ends in it."""
        window = self._window(datastream)
        if start >= window.floor:
            rows = window.rows
            first, last = np.searchsorted(rows.time, start, "left"), np.searchsorted(rows.time, end, "right")
            return rows.take(slice(int(first), int(last)))
        self._rest()
        rows = stored_rows(self._store, self._store.snapshot(), datastream, start, end, datastream in self._derived)
        return self._laid_over(datastream, rows, start, end)

    def newest(self, datastream: int) -> int | None:
        """Return the newest time of a Datastream, µs since 1970 UTC; None when it has no rows."""
        rows = self._window(datastream).rows
        return int(rows.time[-1]) if len(rows) else None

    def _laid_over(self, datastream: int, rows: Rows, start: int, end: int) -> Rows:
        coming, flags = self._arriving.rows.get(datastream), self._arriving.flags
        if coming is not None:
            inside = coming.take((coming.time >= start) & (coming.time <= end))
            rows = Rows.concat([rows.take(~np.isin(rows.id, coming.id)), inside]).sorted()
        for row in np.flatnonzero(np.isin(rows.id, list(flags))) if flags else ():
            rows.quality[row] = flags[int(rows.id[row])]
        return rows

    def _window(self, datastream: int) -> _Window:
        """Return the window of a Datastream; that of one that is new here is read from the store.

        Nothing of it is on its way then: what passes by is put into its window.
        """
        window = self._windows.get(datastream)
        if window is None:
            snapshot = self._store.snapshot()
            extent = snapshot.extent(datastream)
            window = _Window(Rows.none(), -EVER)
            if extent is not None:
                floor = extent[1] - self._kept.get(datastream, 0)
                is_derived = datastream in self._derived
                window.rows = stored_rows(self._store, snapshot, datastream, floor, EVER, is_derived)
                window.floor = -EVER if floor <= extent[0] else floor
            self._windows[datastream] = window
            self._trim(datastream, window)
        return window

    def _trim(self, datastream: int, window: _Window) -> None:
        rows = window.rows
        if len(rows) <= FEW_ROWS:
            return
        first = int(np.searchsorted(rows.time, rows.time[-1] - self._kept.get(datastream, 0)))
        first = max(first, len(rows) - MOST_ROWS)
        if first > FEW_ROWS // 2:
            # Rows of one time stay together.
            first = int(np.searchsorted(rows.time, rows.time[first], "left"))
            window.floor = int(rows.time[first])
            window.rows = rows.take(slice(first, len(rows)))

    def _former(self, rows: Rows, known: Times) -> Times:
        """Return the times that revised rows had before, of those that no window holds."""
        ids = np.setdiff1d(rows.id, known)
        if not len(ids):
            return np.empty(0, np.int64)
        self._rest()
        table = self._store.snapshot().by_id(ids)
        times: Times = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        return times

    def _settled_below(self, ids: Times, flags: NDArray[np.int8]) -> Times:
        self._rest()
        self._arriving.flags |= dict(zip(ids.tolist(), flags.tolist(), strict=True))
        table = self._store.snapshot().by_id(ids)
        was = dict(zip(table["id"].to_pylist(), table["result_quality"].to_pylist(), strict=True))
        times = dict(zip(table["id"].to_pylist(), table["phenomenon_time"].cast(pa.int64()).to_pylist(), strict=True))
        pairs = zip(ids.tolist(), flags.tolist(), strict=True)
        return np.array([times[row] for row, flag in pairs if row in times and was[row] != flag], np.int64)


def _placed(known: Times, ids: Times) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where in some ids others are that are among them, and which those are."""
    if not len(known):
        return np.empty(0, np.intp), np.zeros(len(ids), np.bool_)
    order = None if rising(known) else np.argsort(known, kind="stable")
    place = np.searchsorted(known, ids, sorter=order)
    place[place == len(known)] = 0
    if order is not None:
        place = order[place]
    found = known[place] == ids
    return place[found], found


def stored_rows(store: Store, snapshot: Snapshot, datastream: int, start: int, end: int, is_derived: bool) -> Rows:  # noqa: FBT001
    """Return the rows of the water of a Datastream from `start` to `end`, both in it, as a snapshot shows them."""
    table = snapshot.read([datastream], max(start, -EVER), min(end + 1, EVER)).select(OBSERVATION.names)
    return _rows(store, ObservationBatch.from_arrow(table), is_derived=is_derived).sorted()


def _rows(store: Store, batch: ObservationBatch, *, is_derived: NDArray[np.bool_] | bool) -> Rows:
    """Return finished rows as they will be read back: an uncertainty is stored as a float32."""
    n = len(batch)
    assert batch.id is not None and batch.result is not None and batch.result_quality is not None  # noqa: S101, PT018
    nan = np.full(n, np.nan)
    spread = nan if batch.result_uncertainty is None else batch.result_uncertainty.astype(np.float32).astype(float)
    provenance = np.zeros(n, np.int32) if batch.provenance is None else batch.provenance
    return Rows(
        time=batch.phenomenon_time,
        id=batch.id,
        result=batch.result,
        uncertainty=spread,
        quality=batch.result_quality,
        censored=np.zeros(n, np.int8) if batch.censored is None else batch.censored,
        duration=np.zeros(n, np.int64) if batch.duration is None else batch.duration,
        feature=np.zeros(n, np.int32) if batch.feature is None else batch.feature,
        depth=nan if batch.depth is None else batch.depth,
        latitude=nan if batch.latitude is None else batch.latitude,
        longitude=nan if batch.longitude is None else batch.longitude,
        said=np.where(is_derived, _first_digits(batch), 0).astype(np.int8)
        if np.any(is_derived)
        else np.zeros(n, np.int8),
        reviewed=store.catalog.reviewed(provenance),
    )


def _first_digits(batch: ObservationBatch) -> NDArray[np.int8]:
    """Return the outcome of the first test of rows; of derived ones that is what their inputs were flagged."""
    if batch.tests is None or batch.tests.null_count == len(batch):
        return np.ones(len(batch), np.int8)
    digits = pc.fill_null(pc.utf8_slice_codeunits(batch.tests.cast(pa.string()), 0, 1), "1")
    said: NDArray[np.int8] = digits.cast(pa.int8()).to_numpy(zero_copy_only=False)
    return said
