"""Lines between two instruments that both err: Deming's and Passing and Bablok's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nilometer.trials.pairing.pairs import complete
from nilometer.trials.statistics.slopes import PairwiseSlopes
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["Line", "deming", "passing_bablok"]


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope · x.

    Parameters
    ----------
    intercept, slope : float
        In the units of y, and of y per x.
    intercept_interval, slope_interval : (float, float)
        Confidence intervals.
    intercept_se, slope_se : float
        Standard errors; NaN where the method has none.
    n : int
        Pairs.
    """

    intercept: float
    slope: float
    intercept_interval: tuple[float, float]
    slope_interval: tuple[float, float]
    intercept_se: float
    slope_se: float
    n: int


def deming(x: Any, y: Any, *, ratio: float = 1.0, probability: float = 0.95) -> Line:  # noqa: ANN401 -- any series
    """Return Deming's line of two instruments.

    Parameters
    ----------
    x, y : series of n numbers
        Of reference and candidate.
    ratio : float
        Variance of the errors of y over that of x; 1: orthogonal. (Some programs want its inverse.)
    probability : float
        Of the intervals.

    Returns
    -------
    Line
        With analytical standard errors.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, they do not vary together, or `ratio` is not above 0.

    References
    ----------
    Deming (1943), Statistical adjustment of data; slope as in Linnet (1993), Clin. Chem. 39, 424-432; standard errors
    se(b) = |b|·√((1 − r²)/(r²(n − 2))), se(a) = se(b)·√(Σx²/n) (Strike 1991).

    Examples
    --------
    >>> line = deming([1.0, 2.0, 3.0, 4.0], [1.1, 2.1, 3.1, 4.1])
    >>> round(line.slope, 6), round(line.intercept, 6)
    (1.0, 0.1)
    """
    if not ratio > 0.0:
        raise ValueError(f"ratio = {ratio!r} (allowed: above 0)")
    first, second = complete(x, y, least=3)
    # Of numbers that are all the same the rounded mean is another one, and sums of squares are not 0.
    if not (np.ptp(first) and np.ptp(second)):
        raise ValueError("x and y do not vary together: there is no line")
    n, middle, other = len(first), float(first.mean()), float(second.mean())
    sxx = float(np.sum((first - middle) ** 2))
    syy = float(np.sum((second - other) ** 2))
    sxy = float(np.sum((first - middle) * (second - other)))
    if not sxy:
        raise ValueError("x and y do not vary together: there is no line")
    slope = (syy - ratio * sxx + math.sqrt((syy - ratio * sxx) ** 2 + 4.0 * ratio * sxy**2)) / (2.0 * sxy)
    intercept = other - slope * middle
    square = sxy**2 / (sxx * syy)
    slope_se = abs(slope) * math.sqrt(max(1.0 - square, 0.0) / (square * (n - 2)))
    intercept_se = slope_se * math.sqrt(float(np.mean(first**2)))
    t = coverage_factor(probability, n - 2)
    return Line(
        intercept,
        slope,
        (intercept - t * intercept_se, intercept + t * intercept_se),
        (slope - t * slope_se, slope + t * slope_se),
        intercept_se,
        slope_se,
        n,
    )


def passing_bablok(x: Any, y: Any, *, probability: float = 0.95) -> Line:  # noqa: ANN401 -- any series
    """Return Passing and Bablok's line of two instruments: no distribution is assumed, outliers do not bend it.

    The slopes are ranked without being made, so time grows with n·log n and memory with n.

    Parameters
    ----------
    x, y : series of n numbers
        Of reference and candidate; the relation has to be linear (`nilometer.trials.statistics.linearity`) and rising.
    probability : float
        Of the intervals, which hold for independent pairs.

    Returns
    -------
    Line
        Without standard errors.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, all x are the same, or the middle one of all slopes
        is infinite: for most points share one x, or y falls as x rises.

    References
    ----------
    Passing and Bablok (1983), J. Clin. Chem. Clin. Biochem. 21, 709-720: slopes of all pairs of points but undefined
    ones and −1, their median shifted by the number of those below −1, ranks of its interval; the intercept as the
    median of y − b·x, its interval from both ends of the slope's.

    Examples
    --------
    >>> line = passing_bablok([1.0, 2.0, 3.0, 4.0, 5.0], [1.1, 2.0, 3.1, 3.9, 9.0])
    >>> round(line.slope, 3)
    1.05
    """
    first, second = complete(x, y, least=3)
    n = len(first)
    if not np.ptp(first):
        raise ValueError("all x are the same: there is no line")
    slopes = PairwiseSlopes(first, second)
    steeper, opposite = slopes.rank(-1.0)
    count = slopes.count - opposite

    def ranked(rank: int) -> float:
        """Return the slope of a rank among all but those of −1."""
        return slopes.at(rank if rank <= steeper else rank + opposite)

    middle = (count + 1) // 2 + steeper, count // 2 + 1 + steeper
    slopes_between = [ranked(rank) for rank in dict.fromkeys(middle)]
    if not all(math.isfinite(each) for each in slopes_between):
        if 2 * slopes.finite < slopes.count:
            raise ValueError("most pairs of points share one x: the line is upright, and its slope has no end")
        raise ValueError("x and y do not rise together: there is no line")
    slope = sum(slopes_between) / len(slopes_between)
    half = coverage_factor(probability) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    lower = round((count - half) / 2.0)
    ends = ranked(lower + steeper), ranked(count - lower + 1 + steeper)
    # Without a bound of the slope there is none of the intercept.
    intercept, *others = (
        float(np.median(second - b * first)) if math.isfinite(b) else -b for b in (slope, ends[1], ends[0])
    )
    # The steeper end has the higher intercept where x lies below 0.
    return Line(intercept, slope, (min(others), max(others)), ends, math.nan, math.nan, n)
