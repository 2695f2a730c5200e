"""What the store knows of every Datastream at hand: one array a fact, one slot a Datastream id."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import NO_TIME, Datastream

__all__ = ["NOWHERE", "DatastreamIndex"]

NOWHERE = -1
"""The location of a row that is not hot."""

MOST = 1 << 21
"""Ids of Datastreams are smaller: id × 2³² + n stays exact in a double."""

_LATEST = int(np.iinfo(np.int64).max)
_FACTS: dict[str, tuple[type, int]] = {
    "rows": (np.int64, 0),
    "first": (np.int64, _LATEST),
    "newest": (np.int64, NO_TIME),
    "newest_water": (np.int64, NO_TIME),
    "longest": (np.int64, 0),
    "location": (np.int64, NOWHERE),
    "placed_time": (np.int64, NO_TIME),
    "placed_id": (np.int64, 0),
    "unsure": (np.bool_, 0),
    "disturbed": (np.int64, 0),
    "known": (np.bool_, 0),
    "always_new": (np.bool_, 0),
    "resolution": (np.int64, 1),
    "water": (np.int32, 0),
}
_KEPT = ("rows", "first", "newest", "newest_water", "longest", "unsure")


class DatastreamIndex:
    """Counters, extents and places of the newest rows, by Datastream id.

    Attributes
    ----------
    rows : ndarray of int64
        The greatest row number that was committed; ids are datastream × 2³² + a number. Never runs back.
    first, newest : ndarray of int64
        First and last phenomenon_time of any row, µs UTC. A delete may leave them wider than the truth.
    newest_water : ndarray of int64
        Last phenomenon_time of a row of the water.
    longest : ndarray of int64
        The longest duration of any row there ever was, µs.
    location : ndarray of int64
        Where in the hot tail that row is, or NOWHERE; of several of one time that with the greatest id.
    placed_time, placed_id : ndarray of int64
        What `location` was last set for.
    unsure : ndarray of bool
        Whether a delete or a revision may have taken an end: then all of the above may be wider than the truth.
    disturbed : ndarray of int64
        The last commit that touched a Datastream while it was unsure.
    known, always_new, resolution, water : ndarray
        From the catalog: whether the Datastream exists, its identity rule, its clock resolution in µs, and the id of
        its water (0 until asked for).
    """

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    newest: NDArray[np.int64]
    newest_water: NDArray[np.int64]
    longest: NDArray[np.int64]
    location: NDArray[np.int64]
    placed_time: NDArray[np.int64]
    placed_id: NDArray[np.int64]
    unsure: NDArray[np.bool_]
    disturbed: NDArray[np.int64]
    known: NDArray[np.bool_]
    always_new: NDArray[np.bool_]
    resolution: NDArray[np.int64]
    water: NDArray[np.int32]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.size = 0
        for name, (kind, value) in _FACTS.items():
            setattr(self, name, np.full(0, value, kind))

    def reach(self, datastream: int) -> None:
        """Make room for a Datastream id."""
        if datastream < self.size:
            return
        with self._lock:
            size = max(64, 1 << int(datastream).bit_length())
            for name, (kind, value) in _FACTS.items():
                old = getattr(self, name)
                new: NDArray[Any] = np.full(size, value, kind)
                new[: len(old)] = old
                setattr(self, name, new)
            self.size = size

    def know(self, datastream: Datastream) -> None:
        """Take what the catalog says of a Datastream."""
        number = datastream.id
        self.reach(number)
        self.always_new[number] = datastream.identity == "always_new"
        self.resolution[number] = max(1, datastream.clock_resolution_us)
        self.known[number] = True

    def saw(
        self,
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        number: NDArray[np.int64],
        duration: NDArray[np.int64] | None = None,
    ) -> None:
        """Widen extents and counters by rows; `number` is their n, `duration` None: all are instants."""
        if not len(datastream):
            return
        self.reach(int(datastream.max()))
        np.maximum.at(self.rows, datastream, number)
        np.maximum.at(self.newest, datastream, time)
        np.minimum.at(self.first, datastream, time)
        if duration is not None:
            np.maximum.at(self.longest, datastream, duration)

    def place(
        self,
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        ids: NDArray[np.int64],
        location: NDArray[np.int64],
    ) -> None:
        """Take the newest of these rows of the water, in arrival order, as each Datastream's newest."""
        if not len(datastream):
            return
        np.maximum.at(self.newest_water, datastream, time)
        newest = np.flatnonzero(time == self.newest_water[datastream])
        # Where an index repeats, the last assignment stands: of two rows of one time that with the greater id.
        newest = newest[np.argsort(ids[newest], kind="stable")]
        which = datastream[newest]
        stays = (self.placed_time[which] == time[newest]) & (self.placed_id[which] > ids[newest])
        newest, which = newest[~stays], which[~stays]
        self.location[which] = location[newest]
        self.placed_time[which], self.placed_id[which] = time[newest], ids[newest]

    def doubt(self, datastreams: NDArray[np.int32], commit: int) -> None:
        """Let the ends of Datastreams be measured before anybody is told of them."""
        datastreams = datastreams[datastreams < self.size]
        self.unsure[datastreams] = True
        self.disturbed[datastreams] = commit

    def disturb(self, datastream: NDArray[np.int32], commit: int) -> None:
        """Let no measurement from before these rows be believed."""
        if self.unsure.any():
            self.disturbed[datastream[self.unsure[datastream]]] = commit

    def to_bytes(self) -> bytes:
        """Return counters and extents, for `merge`."""
        used = np.flatnonzero(self.rows)
        columns = {"datastream": used.astype(np.int32)} | {name: getattr(self, name)[used] for name in _KEPT}
        batch = pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    def merge(self, state: bytes) -> None:
        """Take over what `to_bytes` returned."""
        table = pa.ipc.open_stream(state).read_all()
        columns = {name: table[name].to_numpy() for name in table.schema.names}
        datastream = columns["datastream"]
        if not len(datastream):
            return
        # Neither durations nor doubts were kept in the first release.
        self.saw(datastream, columns["newest"], columns["rows"], columns.get("longest"))
        np.minimum.at(self.first, datastream, columns["first"])
        np.maximum.at(self.newest_water, datastream, columns["newest_water"])
        if "unsure" in columns:
            self.unsure[datastream] |= columns["unsure"]
