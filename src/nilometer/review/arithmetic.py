"""The numbers behind a correction: drift as a line in the reading, values between values, times on a wrong clock.

Everything here works on plain arrays and µs since 1970 UTC, and returns new arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["between", "elapsed", "moved", "percent_drift", "point_drift", "short", "standards_drift"]

_DIGITS = 12
_MILLISECOND = 1000


def elapsed(time: NDArray[np.int64], start: int, end: int) -> NDArray[np.float64]:
    """Return the share of the span from `start` to `end` that has passed: 0 before it, 1 after it."""
    share = (time - start) / float(end - start)
    return np.clip(share, 0.0, 1.0)


def percent_drift(share: NDArray[np.float64], percent: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift of a drift that has grown to `percent` of the reading."""
    return 1.0 + percent / 100.0 * share, np.zeros(len(share))


def point_drift(
    time: NDArray[np.int64], start: int, points: Sequence[tuple[int, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift of a drift known at several dates, 0 at `start` and straight between two of them."""
    dates = np.array([start, *(date for date, _ in points)], np.float64)
    gaps = np.array([0.0, *(gap for _, gap in points)])
    return np.ones(len(time)), np.interp(time.astype(np.float64), dates, gaps)


def standards_drift(
    share: NDArray[np.float64], low: tuple[float, float], high: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift that undo a drift checked with two standards.

    Parameters
    ----------
    share : ndarray of float64, shape (n,)
        How much of the drift has come, 0 to 1.
    low, high : tuple of float
        The standard's value, and what the sensor read in it at the end.

    Returns
    -------
    tuple of ndarray of float64
        ``corrected = scale × value + shift``.

    References
    ----------
    Hasenmueller, E. A. et al. (2017), driftR, "two-point variable data correction": the sensor's line through both
    standards moves from the true one at the start to the one found at the end; a value is read off it.
    """
    bottom = low[0] + share * (low[1] - low[0])
    top = high[0] + share * (high[1] - high[0])
    scale = (high[0] - low[0]) / (top - bottom)
    return scale, low[0] - bottom * scale


def between(
    time: NDArray[np.int64],
    values: NDArray[np.float64],
    good: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    greatest_gap: int,
) -> NDArray[np.float64]:
    """Return values on the straight line between the good values on both sides.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs, ascending.
    values : ndarray of float64, shape (n,)
        What the good rows say.
    good, wanted : ndarray of bool, shape (n,)
        Rows to stand on, and rows to fill; no row is both.
    greatest_gap : int
        µs from the good value before to the good value after, at most.

    Returns
    -------
    ndarray of float64, shape (count of wanted,)
        NaN where a side has no good value, or the gap is too wide.
    """
    anchors, holes = time[good], time[wanted]
    filled = np.full(len(holes), np.nan)
    if len(anchors) < 2:
        return filled
    after = np.searchsorted(anchors, holes, "left")
    inside = (after > 0) & (after < len(anchors))
    after = after[inside]
    left, right = anchors[after - 1], anchors[after]
    known = values[good]
    share = (holes[inside] - left) / (right - left).astype(np.float64)
    line = known[after - 1] + share * (known[after] - known[after - 1])
    filled[inside] = np.where(right - left <= greatest_gap, line, np.nan)
    return filled


def moved(time: NDArray[np.int64], start: int, end: int, shift: int, shift_end: int | None = None) -> NDArray[np.int64]:
    """Return times with a clock error taken out.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs as the clock said.
    start, end : int
        The span in which the clock was wrong.
    shift, shift_end : int
        µs to add at its start and at its end, in between along a straight line, to the millisecond; without
        `shift_end` the same everywhere, exactly.
    """
    if shift_end is None or shift_end == shift:
        return time + shift
    part = elapsed(time, start, end) * float(shift_end - shift)
    return time + shift + np.rint(part / _MILLISECOND).astype(np.int64) * _MILLISECOND


def short(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values to 12 significant digits: the digits that a sum of floats leaves behind mean nothing.

    Examples
    --------
    >>> short(np.array([7.1 + 0.2, 0.0, np.nan])).tolist()
    [7.3, 0.0, nan]
    """
    usual = np.isfinite(values) & (np.abs(values) > 1e-200) & (np.abs(values) < 1e200)
    power = np.floor(np.log10(np.abs(np.where(usual, values, 1.0)))).astype(np.int64)
    places = _DIGITS - 1 - power
    # A power of ten up to 22 is exact in float64, so dividing by it gives the number nearest to the decimal.
    up = 10.0 ** np.clip(places, 0, 22)
    down = 10.0 ** np.clip(-places, 0, 22)
    rounded = np.rint(values * up / down) / up * down
    return np.where(usual & (places <= 22) & (places >= -22), rounded, values)
