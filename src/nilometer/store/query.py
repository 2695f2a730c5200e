"""Which rows are meant: Datastreams and a time range, asked of columns, of files and of row groups alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.store.values import Values

__all__ = ["Query", "query"]

_MIN, _MAX = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of Datastreams (None: all) with start ≤ phenomenon_time < end, µs UTC; with some values, or any.

    What is asked of columns and of reaches below is Datastream and time alone; `values` asks for itself.
    """

    datastreams: NDArray[np.int32] | None = None
    start: int = _MIN
    end: int = _MAX
    values: Values | None = None

    @property
    def single(self) -> int | None:
        """The one Datastream asked for, if it is one."""
        return int(self.datastreams[0]) if self.datastreams is not None and len(self.datastreams) == 1 else None

    def mask(self, datastream: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows are meant."""
        mask = np.ones(len(time), bool)
        if self.start != _MIN:
            mask &= time >= self.start
        if self.end != _MAX:
            mask &= time < self.end
        if self.single is not None:
            mask &= datastream == self.single
        elif self.datastreams is not None:
            mask &= np.isin(datastream, self.datastreams)
        return mask

    def overlaps(
        self, first: NDArray[np.int64], last: NDArray[np.int64], earliest: NDArray[np.int64], latest: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which blocks, of Datastreams first..last and times earliest..latest, may hold rows that are meant."""
        mask: NDArray[np.bool_] = (latest >= self.start) & (earliest < self.end)
        if self.datastreams is not None:
            at = np.searchsorted(self.datastreams, first)
            mask &= at < np.searchsorted(self.datastreams, last, "right")
        return mask

    def covers(
        self, first: NDArray[np.int64], last: NDArray[np.int64], earliest: NDArray[np.int64], latest: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which blocks hold only rows that are meant."""
        mask: NDArray[np.bool_] = (earliest >= self.start) & (latest < self.end)
        if self.datastreams is not None:
            # Wanted are as many Datastreams of first..last as there can be: all of them.
            at = np.searchsorted(self.datastreams, first)
            mask &= np.searchsorted(self.datastreams, last, "right") - at == last - first + 1
        return mask


def query(
    datastreams: Iterable[int] | NDArray[np.int32] | None,
    start: int | None,
    end: int | None,
    values: Values | None = None,
) -> Query:
    """Return the Query of Datastreams (None: all) from start (inclusive) to end (exclusive), µs UTC or None."""
    wanted = None if datastreams is None else np.unique(np.asarray(list(datastreams), np.int32))
    return Query(wanted, _MIN if start is None else start, _MAX if end is None else end, values)
