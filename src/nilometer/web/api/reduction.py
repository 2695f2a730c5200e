"""Fewer points of a long record, without losing what matters: extremes, and rows that are flagged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler, MinMaxLTTBDownsampler

from nilometer.model import QartodFlag

__all__ = ["reduce_rows", "stand_ins"]

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


def stand_ins(
    time: NDArray[np.int64], result: NDArray[np.float64], quality: NDArray[np.int8], edges: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Return the rows that stand for each of many spans of time, in order.

    Of each span the first and the last row stay, the least and the greatest value, the least and the greatest that is
    flagged SUSPECT and FAIL, and the first row without a value of each flag.

    Parameters
    ----------
    time, result, quality : ndarray, shape (n,)
        As in `reduce_rows`.
    edges : ndarray of int64
        Of the spans, ascending.
    """
    cuts = np.searchsorted(time, edges)
    filled = np.flatnonzero(np.diff(cuts))
    kept = [cuts[filled], cuts[filled + 1] - 1, *_ends_of_spans(result, np.arange(len(time)), cuts)]
    for flag in (QartodFlag.SUSPECT, QartodFlag.FAIL, QartodFlag.MISSING):
        mine = np.flatnonzero(quality == flag)
        if not len(mine):
            continue
        kept.extend(_ends_of_spans(result, mine, cuts))
        absent = mine[np.isnan(result[mine])]
        kept.append(absent[_first_of_spans(absent, cuts)])
    return np.unique(np.concatenate(kept))


def _ends_of_spans(
    result: NDArray[np.float64], rows: NDArray[np.intp], cuts: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """Return the row of the least and that of the greatest value among some rows, of each span that has one."""
    finite = rows[np.isfinite(result[rows])]
    if not len(finite):
        return []
    starts = _first_of_spans(finite, cuts)
    values = result[finite]
    lengths = np.diff(np.append(starts, len(finite)))
    ends = []
    for reach in (np.minimum, np.maximum):
        reached = np.flatnonzero(values == np.repeat(reach.reduceat(values, starts), lengths))
        ends.append(finite[reached[_first_of_spans(finite[reached], cuts)]])
    return ends


def _first_of_spans(rows: NDArray[np.intp], cuts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the places, among ascending rows, of the first of each span."""
    span = np.searchsorted(cuts, rows, "right")
    return np.flatnonzero(np.diff(span, prepend=-1))


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
