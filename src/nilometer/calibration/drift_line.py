"""The arithmetic of drift, shared by `calibration.drift` and the steps of a review: at each time a line in the reading.

Plain arrays and µs since 1970 UTC; nothing is applied here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["drift_line", "elapsed", "short"]

_DIGITS = 12

Line = tuple[NDArray[np.float64], NDArray[np.float64]]


def elapsed(time: NDArray[np.int64], start: int, end: int) -> NDArray[np.float64]:
    """Return the share of the span from `start` to `end` that has passed: 0 before it, 1 after it."""
    share = (time - start) / float(end - start)
    return np.clip(share, 0.0, 1.0)


def drift_line(
    time: NDArray[np.int64],
    start: int,
    end: int,
    *,
    gap: float | None = None,
    gap_percent: float | None = None,
    points: Sequence[tuple[int, float]] | None = None,
    standards: tuple[tuple[float, float], tuple[float, float]] | None = None,
    shape: str = "linear",
) -> Line:
    """Return scale and shift of a drift found at the end of a span: ``corrected = scale · reading + shift``.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    start, end : int
        The span.
    gap : float, optional
        Standard minus reading at the end.
    gap_percent : float, optional
        The same in percent of the reading.
    points : sequence of (int, float), optional
        The gap at several dates, 0 at the start unless they say otherwise.
    standards : pair of (value, reading), optional
        A low and a high standard, and what was read in each at the end.
    shape : {"linear", "step"}
        Grown along a line, or there from the start (points: each from its date).

    Returns
    -------
    tuple of ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If none of the four is given.
    """
    share = np.ones(len(time)) if shape == "step" else elapsed(time, start, end)
    if gap is not None:
        return np.ones(len(time)), gap * share
    if gap_percent is not None:
        return 1.0 + gap_percent / 100.0 * share, np.zeros(len(time))
    if points is not None:
        return np.ones(len(time)), _at_points(time, start, points, shape)
    if standards is not None:
        return _off_two_standards(share, *standards)
    raise ValueError("a drift needs one of gap, gap_percent, points, standards")


def _at_points(
    time: NDArray[np.int64], start: int, points: Sequence[tuple[int, float]], shape: str
) -> NDArray[np.float64]:
    dates = np.array([start, *(date for date, _ in points)], np.int64)
    gaps = np.array([0.0, *(gap for _, gap in points)])
    if shape == "step":
        found: NDArray[np.float64] = gaps[np.maximum(np.searchsorted(dates, time, "right") - 1, 0)]
    else:
        found = np.interp(time.astype(np.float64), dates.astype(np.float64), gaps)
    return found


def _off_two_standards(share: NDArray[np.float64], low: tuple[float, float], high: tuple[float, float]) -> Line:
    """Return scale and shift that undo a drift checked with two standards, each [value, what was read in it].

    References
    ----------
    Shaughnessy, A. R. et al. (2019), Environ. Monit. Assess. 191, 445 (driftR), two-point correction: the sensor's
    line through both standards moves from the true one at the start to the one found at the end; a value is read off
    it.
    """
    bottom = low[0] + share * (low[1] - low[0])
    top = high[0] + share * (high[1] - high[0])
    scale = (high[0] - low[0]) / (top - bottom)
    return scale, low[0] - bottom * scale


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
