"""A trailing mean of a fixed number of samples in one compiled pass, its running sum begun anew each length."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["box"]


def _box(values: NDArray[np.float64], length: int, out: NDArray[np.float64]) -> None:
    n = len(values)
    for first in range(0, n, length):  # so that rounding never adds up over more than one length
        total = 0.0
        for at in range(max(first - length + 1, 0), first + 1):
            total += values[at]
        out[first] = total / length
        for at in range(first + 1, min(first + length, n)):
            total += values[at] - (values[at - length] if at >= length else 0.0)
            out[at] = total / length


box = njit(nogil=True, cache=True)(_box)
"""(values, how many, out): each value and those before it, zero before the first."""
