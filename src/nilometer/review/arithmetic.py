"""The numbers behind a correction: values between values, times on a wrong clock.

Everything here works on plain arrays and µs since 1970 UTC, and returns new arrays. That of drift is
`calibration.drift_line`'s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.drift_line import elapsed

__all__ = ["between", "moved"]

_MILLISECOND = 1000


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
