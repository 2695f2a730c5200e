"""The compiled loop of a rating curve: which segment a stage falls in, and what flows there.

A segment is ``Q = exp(ln a + b ln(h - c))``; at and below its offset nothing flows. It never judges a range.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["flow", "stage_of"]

Array = NDArray[np.float64]


@njit(nogil=True, cache=True, error_model="numpy")
def _flow(stage: Array, start: Array, offset: Array, log_scale: Array, exponent: Array, out: Array) -> None:
    last = len(start) - 1
    for n in range(len(stage)):
        h = stage[n]
        if last < 8:
            i = 0
            while i < last and h >= start[i + 1]:
                i += 1
        else:  # a table has hundreds of segments
            i, high = 0, last + 1
            while high - i > 1:
                middle = (i + high) // 2
                if h >= start[middle]:
                    i = middle
                else:
                    high = middle
        head = h - offset[i]
        if head > 0.0:
            out[n] = np.exp(log_scale[i] + exponent[i] * np.log(head))
        elif head <= 0.0:
            out[n] = 0.0
        else:
            out[n] = np.nan


def flow(stage: Array, start: Array, offset: Array, log_scale: Array, exponent: Array) -> Array:
    """Return the discharge at each stage.

    Parameters
    ----------
    stage : ndarray of float64, shape (n,)
        In the unit of the curve; NaN gives NaN.
    start, offset, log_scale, exponent : ndarray of float64, shape (segments,)
        Where each segment begins (the first anywhere), its c, ln a and b.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 at and below the offset of the first segment.

    Examples
    --------
    >>> one = np.ones(1)
    >>> flow(np.array([0.5, 3.0]), one, one, np.log(2.0) * one, 1.5 * one).round(4).tolist()
    [0.0, 5.6569]
    """
    out = np.empty(len(stage))
    _flow(np.ascontiguousarray(stage, np.float64), start, offset, log_scale, exponent, out)
    return out


def stage_of(discharge: Array, start: Array, offset: Array, log_scale: Array, exponent: Array) -> Array:
    """Return the stage at which a discharge flows, the inverse of `flow`; NaN for a negative discharge.

    Parameters
    ----------
    discharge : ndarray of float64, shape (n,)
        At least 0.
    start, offset, log_scale, exponent : ndarray of float64, shape (segments,)
        As in `flow`; the curve must rise.

    Returns
    -------
    ndarray of float64, shape (n,)
        The offset of the first segment where nothing flows.

    Examples
    --------
    >>> one = np.ones(1)
    >>> stage_of(np.array([0.0, 5.65685425]), one, one, np.log(2.0) * one, 1.5 * one).round(4).tolist()
    [1.0, 3.0]
    """
    least = flow(start[1:], start, offset, log_scale, exponent)
    at = np.searchsorted(least, discharge, side="right")
    with np.errstate(divide="ignore", invalid="ignore"):
        head = np.exp((np.log(discharge) - log_scale[at]) / exponent[at])
    return np.where(discharge == 0.0, offset[0], offset[at] + head)
