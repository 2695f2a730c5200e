"""Fewer points of a long record, without losing what matters: extremes, and rows that are flagged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler, MinMaxLTTBDownsampler

from nilometer.model import QartodFlag

__all__ = ["reduce_rows"]

# tsdownsample has no types; its samplers keep no state.
_EXTREMES: Any = MinMaxDownsampler()  # type: ignore[no-untyped-call]
_SHAPE: Any = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]


def reduce_rows(
    time: NDArray[np.int64], result: NDArray[np.float64], quality: NDArray[np.int8], most: int
) -> NDArray[np.intp]:
    """Return which rows to keep, in order.

    The least and the greatest value of every stretch of time stay, the shape between them stays (MinMaxLTTB), and
    flagged rows stay: all of them up to `most`, above that the extremes of each flag.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs since 1970 UTC, ascending.
    result : ndarray of float64, shape (n,)
        NaN where missing.
    quality : ndarray of int8, shape (n,)
        QartodFlag.
    most : int
        How many points are wanted; at most about twice as many are returned.

    References
    ----------
    Van Der Donckt et al. (2023), MinMaxLTTB: leveraging MinMax-preselection to scale LTTB, IEEE VIS.
    """
    n = len(time)
    if n <= most:
        return np.arange(n)
    finite = np.flatnonzero(np.isfinite(result))
    kept = [np.array([0, n - 1]), _shape(time, result, finite, most)]
    flagged = (quality != QartodFlag.PASS) & (quality != QartodFlag.NOT_EVALUATED)
    kept.append(_flagged(time, result, quality, np.flatnonzero(flagged), most))
    return np.unique(np.concatenate(kept))


def _shape(time: NDArray[np.int64], result: NDArray[np.float64], rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if len(rows) <= most:
        return rows
    x, y = np.ascontiguousarray(time[rows]), np.ascontiguousarray(result[rows])
    extremes = _EXTREMES.downsample(x, y, n_out=max(4, 2 * (most // 3)))
    shape = _SHAPE.downsample(x, y, n_out=max(3, most // 3))
    ends = [int(np.argmin(y)), int(np.argmax(y))]
    chosen: NDArray[np.intp] = rows[np.unique(np.concatenate([extremes, shape, ends]).astype(np.intp))]
    return chosen


def _flagged(
    time: NDArray[np.int64],
    result: NDArray[np.float64],
    quality: NDArray[np.int8],
    rows: NDArray[np.intp],
    most: int,
) -> NDArray[np.intp]:
    if len(rows) <= most:
        return rows
    flags = np.unique(quality[rows])
    share = max(most // len(flags), 4)
    kept: list[NDArray[np.intp]] = []
    for flag in flags:
        mine = rows[quality[rows] == flag]
        finite = mine[np.isfinite(result[mine])]
        missing = mine[~np.isfinite(result[mine])]
        if len(finite) > share:
            x, y = np.ascontiguousarray(time[finite]), np.ascontiguousarray(result[finite])
            picked = _EXTREMES.downsample(x, y, n_out=share - share % 2)
            finite = finite[np.asarray(picked, np.intp)]
        step = max(1, -(-len(missing) // share))
        kept.extend((finite, missing[::step]))
    return np.concatenate(kept)
