"""The two ends of an interval differ where a statistic scatters unevenly: by how much, after Hall.

A mean of squares scatters more to above, and its standard error is too small just where it is too small itself, so that
an interval alike to both sides errs at its upper end. Both are put right by one cubic. Nothing here widens an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shape", "shape_of", "skewness_of_mean"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a studentised statistic, to second order.

    Parameters
    ----------
    shift : float
        Its mean.
    skewness : float
        Its skewness.
    """

    shift: float
    skewness: float

    def ends(self, quantile: float) -> tuple[float, float]:
        """Return what the studentised statistic is below and above, each in as many trials, for a quantile of t.

        Examples
        --------
        >>> Shape(shift=0.0, skewness=0.0).ends(2.0)
        (-2.0, 2.0)
        """
        bend = -self.skewness / 6.0
        low, high = (side * quantile + self.shift + bend for side in (-1.0, 1.0))
        if abs(bend) < 1e-9:
            return low, high
        return float(np.cbrt(1.0 + 3.0 * bend * low) - 1.0) / bend, float(np.cbrt(1.0 + 3.0 * bend * high) - 1.0) / bend


def skewness_of_mean(influence: Floats, length: float, *, is_shrunk: bool = False) -> float:
    """Return the skewness of the mean of a series, from sums of all its blocks of a length.

    Parameters
    ----------
    influence : ndarray of float64, shape (n,)
        In order of time.
    length : float
        Of a block, 1 or more; the series goes on at its beginning.
    is_shrunk : bool
        Make it smaller by what it is not known: g²/(g² + 6/k) of it, g of k blocks, whose variance is 6/k where there
        is none.

    Examples
    --------
    >>> round(skewness_of_mean(np.array([0.0, 0.0, 0.0, 4.0]), 1), 3)
    0.577
    """
    n = len(influence)
    size = min(max(round(length), 1), n)
    running = np.concatenate([[0.0], np.cumsum(np.concatenate([influence, influence[:size]]))])
    sums = running[size : size + n] - running[:n]
    sums = sums - sums.mean()
    variance = float(np.mean(sums**2))
    if not variance > 0.0:
        return 0.0
    found = float(np.mean(sums**3)) / variance**1.5
    if is_shrunk and found:
        found *= found**2 / (found**2 + 6.0 * size / n)
    return float(found / math.sqrt(n / size))


def shape_of(moved: Floats, middle: float, linear: Floats, skewness: float, ratio: float) -> Shape:
    """Return how a studentised statistic scatters, from resamples.

    Parameters
    ----------
    moved : ndarray of float64, shape (resamples,)
        The statistic on the scale of its interval; what is not finite is left out.
    middle : float
        The same of the pairs themselves.
    linear : ndarray of float64, shape (resamples,)
        What its influence alone says of each resample.
    skewness : float
        Of the mean of the influence: `skewness_of_mean`.
    ratio : float
        Standard error of the interval over that of the resamples.

    References
    ----------
    Hall (1992), J. Royal Statistical Society B 54, 221-228, for smooth functions of means. With Z the standardised
    influence the statistic is Z + b·(Z² − 1) + bias, its standard error 1 + (γ/2 + 2·b)·Z; so the studentised one has
    mean bias − γ/2 − 2·b and skewness −2·γ − 6·b.
    """
    there = np.isfinite(moved)
    moved, off = moved[there], linear[there] - linear[there].mean()
    power = float(off @ off)
    if not power:
        return Shape(shift=0.0, skewness=0.0)
    slope = float(off @ moved) / power
    scatter = abs(slope) * math.sqrt(power / len(off))
    if not scatter:
        return Shape(shift=0.0, skewness=0.0)
    left = (moved - middle - slope * linear[there]) / scatter
    squared = off * off * len(off) / power - 1.0
    bend = ratio * float(left @ squared) / float(squared @ squared)
    uneven = math.copysign(skewness, skewness * slope)
    return Shape(shift=ratio * float(left.mean()) - uneven / 2.0 - 2.0 * bend, skewness=-2.0 * uneven - 6.0 * bend)
