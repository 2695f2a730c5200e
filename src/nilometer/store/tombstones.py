"""Deleted time ranges that the lake still holds rows of: which of them concern a question, and what they hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nilometer.store.query import Query
from nilometer.store.record import Tombstone

__all__ = ["Tombstones"]


class Tombstones:
    """Tombstones in the order of their commits; immutable.

    Parameters
    ----------
    items : iterable of Tombstone
        What was deleted and is not yet taken out of the lake.
    """

    def __init__(self, items: Iterable[Tombstone] = ()) -> None:
        self._items = tuple(item for item in items if len(item.datastreams) and item.start < item.end)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Tombstone]:
        return iter(self._items)

    def add(self, tombstone: Tombstone) -> Tombstones:
        """Return these and one more."""
        return Tombstones((*self._items, tombstone))

    def without(self, others: Tombstones) -> Tombstones:
        """Return these without those that are among others."""
        done = {item.commit for item in others}
        return Tombstones(item for item in self._items if item.commit not in done) if done else self

    def until(self, sequence: int) -> Tombstones:
        """Return those committed up to a sequence."""
        return Tombstones(item for item in self._items if item.commit <= sequence)

    def touching(self, wanted: Query) -> Tombstones:
        """Return those that may hide rows that are meant."""
        if not self._items:
            return self
        first, last, earliest, latest = self._reach
        near = np.flatnonzero(wanted.overlaps(first, last, earliest, latest))
        if len(near) == len(self._items) and wanted.datastreams is None:
            return self
        return Tombstones(item for item in (self._items[at] for at in near) if _share(item, wanted))

    def touch(
        self, first: NDArray[np.int64], last: NDArray[np.int64], earliest: NDArray[np.int64], latest: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which blocks, of Datastreams first..last and times earliest..latest, may hold rows that are hidden."""
        mask = np.zeros(len(first), bool)
        for item in self._items:
            mask |= Query(item.datastreams, item.start, item.end).overlaps(first, last, earliest, latest)
        return mask

    def cover(
        self, datastream: int, earliest: NDArray[np.int64], latest: NDArray[np.int64], commit: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return of which blocks, of times earliest..latest, every row of a Datastream is hidden.

        `commit` is the greatest in each block: what was sent again after a delete is no longer under it.
        """
        mask = np.zeros(len(earliest), bool)
        for item in self._items:
            if item.ids is None and _has(item, datastream):
                mask |= (earliest >= item.start) & (latest < item.end) & (commit < item.commit)
        return mask

    def hidden(
        self,
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        commit: NDArray[np.int64],
        number: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return which rows are hidden: those that were there when a tombstone came."""
        mask = np.zeros(len(time), bool)
        for item in self._items:
            mask |= item.hides(datastream, time, number) & (commit < item.commit)
        return mask

    def ended(
        self,
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        commit: NDArray[np.int64],
        number: NDArray[np.int64],
        ended: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Return the commit that ended each row: that of the first tombstone over it, or `ended` if that is less."""
        for item in self._items:
            hidden = item.hides(datastream, time, number) & (commit < item.commit)
            ended = np.where(hidden & (item.commit < ended), item.commit, ended)
        return ended

    @cached_property
    def _reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        figures = [
            (int(item.datastreams[0]), int(item.datastreams[-1]), item.start, item.end - 1) for item in self._items
        ]
        first, last, earliest, latest = np.array(figures, np.int64).T
        return first, last, earliest, latest


def _has(item: Tombstone, datastream: int) -> bool:
    at = int(np.searchsorted(item.datastreams, datastream))
    return at < len(item.datastreams) and int(item.datastreams[at]) == datastream


def _share(item: Tombstone, wanted: Query) -> bool:
    return wanted.datastreams is None or bool(np.isin(wanted.datastreams, item.datastreams).any())
