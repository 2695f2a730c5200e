"""One compiled pass over the rows of periods: how many of their steps hold a value, and how many in a row do not."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["filled"]


def _filled(
    cuts: NDArray[np.int64],
    edges: NDArray[np.int64],
    step: int,
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    flag: NDArray[np.int8],
    fail: int,
    present: NDArray[np.int64],
    longest: NDArray[np.int64],
) -> None:
    for span in range(len(cuts) - 1):
        start = edges[span]
        last, held, gap, begin = -1, 0, 0, start
        for row in range(cuts[span], cuts[span + 1]):
            if flag[row] >= fail or math.isnan(value[row]) or (held and time[row] - begin < step):
                continue
            place = (time[row] - start) // step
            held += 1
            gap = max(gap, place - last - 1)
            last = place
            begin = start + place * step
        steps = -((start - edges[span + 1]) // step)
        present[span] = held
        longest[span] = max(gap, steps - last - 1)


filled = njit(nogil=True, cache=True)(_filled)
"""(first rows of periods, edges of periods, step, time, value, flag, the first flag that does not enter, out, out)."""
