"""Which result of one instrument belongs to which of the other: nearest in time, or all within an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows", "median_step", "mutual_nearest", "nearest", "windows"]

Times = NDArray[np.int64]


def median_step(times: Times) -> int:
    """Return the median step between neighbours, of some 65,536 of them spread evenly where there are more.

    Examples
    --------
    >>> median_step(np.array([0, 10, 20, 60]))
    10
    """
    if len(times) < 2:
        return 0
    first = np.arange(0, len(times) - 1, max(len(times) >> 16, 1))
    return int(np.median(times[first + 1] - times[first]))


def nearest(times: Times, among: Times) -> NDArray[np.int64]:
    """Return the index of the nearest of `among` for each time; of two as near, the earlier.

    Parameters
    ----------
    times, among : ndarray of int64
        In rising order; `among` is not empty.

    Examples
    --------
    >>> nearest(np.array([0, 5, 9]), np.array([1, 9])).tolist()
    [0, 0, 1]
    """
    after = np.searchsorted(among, times, side="left")
    after = np.minimum(after, len(among) - 1)
    before = np.maximum(after - 1, 0)
    is_earlier = np.abs(times - among[before]) <= np.abs(among[after] - times)
    found: NDArray[np.int64] = np.where(is_earlier, before, after)
    return found


def mutual_nearest(first: Times, second: Times, tolerance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs in which each is the nearest of the other, no further than a tolerance: none is used twice.

    Parameters
    ----------
    first, second : ndarray of int64
        In rising order, without repeats.
    tolerance : int
        In their unit; what lies exactly so far still pairs.

    Returns
    -------
    ndarray of int64, ndarray of int64
        Indices into both, in order.

    Examples
    --------
    >>> [rows.tolist() for rows in mutual_nearest(np.array([0, 10, 20]), np.array([1, 11, 12]), 5)]
    [[0, 1], [0, 1]]
    """
    if not len(first) or not len(second):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    there = nearest(first, second)
    rows = np.arange(len(first))
    fits = (nearest(second, first)[there] == rows) & (np.abs(second[there] - first) <= tolerance)
    return rows[fits], there[fits]


@dataclass(frozen=True, slots=True)
class Windows:
    """Runs of rows that fall into intervals.

    Parameters
    ----------
    begin, end : ndarray of int64, shape (m,)
        Rows [begin, end) of each interval.
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Rows in each."""
        return self.end - self.begin

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean in each interval; NaN where there is no row or a value in it is NaN."""
        found = np.full(len(self.begin), np.nan)
        some = self.count > 0
        if some.any():
            # reduceat sums from each edge to the next: every second sum is that of an interval.
            edges = np.column_stack([self.begin[some], self.end[some]]).ravel()
            sums = np.add.reduceat(np.append(values, 0.0), edges)[::2]
            found[some] = sums / self.count[some]
        return found

    def any(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say of each interval whether the mask holds of a row in it."""
        whole = np.concatenate([[0], np.cumsum(mask)])
        found: NDArray[np.bool_] = whole[self.end] > whole[self.begin]
        return found


def windows(times: Times, start: Times, length: int) -> Windows:
    """Return the rows whose times lie in [start, start + length).

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        In rising order.
    start : ndarray of int64, shape (m,)
        Where the intervals begin.
    length : int
        Of each.

    Examples
    --------
    >>> windows(np.array([0, 1, 2, 3]), np.array([0, 2]), 2).count.tolist()
    [2, 2]
    """
    return Windows(np.searchsorted(times, start, side="left"), np.searchsorted(times, start + length, side="left"))
