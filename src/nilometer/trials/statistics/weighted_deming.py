"""Deming's line where errors grow with the value, and its interval by leaving pairs out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.pairing.pairs import complete
from nilometer.trials.statistics.regression import Line
from nilometer.trials.steps import beat
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["jackknifed_deming", "weighted_deming"]

Floats = NDArray[np.float64]

_AT_ONCE = 1 << 20
"""Numbers that a step of the jackknife holds at once."""
_MOST_TURNS = 200
_CLOSE = 1e-12
_GROUPS = 200
"""Pairs are left out one by one up to this many, in as many even groups beyond; in fewer of very many pairs."""
_ALONE = "one pair alone makes the line: without it x and y do not vary together"
_FEWEST_GROUPS, _MOST_PRODUCTS = 40, 1 << 24


def jackknifed_deming(x: Any, y: Any, *, ratio: float = 1.0, probability: float = 0.95) -> Line:  # noqa: ANN401 -- any series
    """Return Deming's line with standard errors by the jackknife, which ask for no normal errors.

    Parameters
    ----------
    x, y : series of n numbers
        Of reference and candidate.
    ratio : float
        Variance of the errors of y over that of x.
    probability : float
        Of the intervals, for independent pairs.

    Returns
    -------
    Line
        Slope and intercept are those of `nilometer.trials.statistics.regression.deming`.

    Raises
    ------
    ValueError
        If there are fewer than four complete pairs, they do not vary together, or `ratio` is not above 0.

    References
    ----------
    Linnet (1993), Clin. Chem. 39, 424-432: pseudo-values n·b − (n − 1)·b₍ᵢ₎, their spread over √n, t of n − 2.
    """
    return _line(x, y, ratio, probability, is_weighted=False)


def weighted_deming(x: Any, y: Any, *, ratio: float = 1.0, probability: float = 0.95) -> Line:  # noqa: ANN401 -- any series
    """Return Deming's line for errors in proportion to the value, of both instruments.

    Parameters
    ----------
    x, y : series of n numbers
        Of reference and candidate, in one unit, above 0.
    ratio : float
        Variance of the errors of y over that of x, at one value.
    probability : float
        Of the intervals by the jackknife, for independent pairs.

    Returns
    -------
    Line
        With standard errors by the jackknife.

    Raises
    ------
    ValueError
        If there are fewer than four complete pairs, a result is not above 0, `ratio` is not above 0, or the weights do
        not settle.

    References
    ----------
    Linnet (1990), Stat. Med. 9, 1463-1473, and (1993), Clin. Chem. 39, 424-432: weights of one over the square of the
    weighted mean of both estimated values, found anew from the line until it no longer moves. (Its ratio is the inverse
    of ours.)

    Examples
    --------
    >>> line = weighted_deming([1.0, 2.0, 4.0, 8.0], [1.1, 2.2, 4.4, 8.8])
    >>> round(line.slope, 6), round(abs(line.intercept), 6)
    (1.1, 0.0)
    """
    return _line(x, y, ratio, probability, is_weighted=True)


def _line(x: Any, y: Any, ratio: float, probability: float, *, is_weighted: bool) -> Line:  # noqa: ANN401 -- any series
    if not ratio > 0.0:
        raise ValueError(f"ratio = {ratio!r} (allowed: above 0)")
    first, second = complete(x, y, least=4)
    if is_weighted and not min(float(first.min()), float(second.min())) > 0.0:
        lowest = min(float(first.min()), float(second.min()))
        raise ValueError(f"a result of {lowest!r}: errors in proportion to the value need results above 0")
    n = len(first)
    if not (np.ptp(first) and np.ptp(second)):
        raise ValueError("x and y do not vary together: there is no line")
    one = np.ones((1, n))
    slopes, intercepts = _fit(first, second, one, ratio, is_weighted=is_weighted)
    slope, intercept = float(slopes[0]), float(intercepts[0])
    if not math.isfinite(slope):
        raise ValueError("x and y do not vary together: there is no line")
    groups = min(n, _GROUPS, max(_MOST_PRODUCTS // n, _FEWEST_GROUPS))
    # Neighbours fall into different groups, so that all are alike.
    member = np.arange(n) % groups
    if _stands_on_one(first, member) or _stands_on_one(second, member):
        raise ValueError(_ALONE)
    parts = [
        _fit(first, second, (member != each[:, None]).astype(np.float64), ratio, is_weighted=is_weighted)
        for each in np.array_split(np.arange(groups), -(-groups * n // _AT_ONCE))
    ]
    left = np.array([np.concatenate([part[side] for part in parts]) for side in (0, 1)])
    if not np.isfinite(left).all():
        raise ValueError(_ALONE)
    whole = np.array([[slope], [intercept]])
    pseudo = groups * whole - (groups - 1) * left
    slope_se, intercept_se = (float(row.std(ddof=1)) / math.sqrt(groups) for row in pseudo)
    t = coverage_factor(probability, groups - 2)
    return Line(
        intercept,
        slope,
        (intercept - t * intercept_se, intercept + t * intercept_se),
        (slope - t * slope_se, slope + t * slope_se),
        intercept_se,
        slope_se,
        n,
    )


def _stands_on_one(values: Floats, member: NDArray[np.int64]) -> bool:
    """Say whether without one group all values are the same: rounding would make a line of them."""
    distinct, count = np.unique(values, return_counts=True)
    return len(np.unique(member[values != distinct[count.argmax()]])) < 2


def _fit(x: Floats, y: Floats, kept: Floats, ratio: float, *, is_weighted: bool) -> tuple[Floats, Floats]:
    """Return slopes and intercepts of several choices of pairs, a row of `kept` each."""
    # Choices of pairs that do not vary together have no line: they come out as what is not finite.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return _settled(x, y, kept, ratio) if is_weighted else _weighted(x, y, kept, ratio)


def _settled(x: Floats, y: Floats, kept: Floats, ratio: float) -> tuple[Floats, Floats]:
    slope, intercept = _weighted(x, y, kept, ratio)
    for _ in range(_MOST_TURNS):
        beat()
        left = y - intercept[:, None] - slope[:, None] * x
        share = left / (ratio + slope[:, None] ** 2)
        true_x, true_y = x + slope[:, None] * share, y - ratio * share
        middle = (ratio * true_x + true_y) / (1.0 + ratio)
        before = slope
        # Where the line runs below 0 a pair's own results stand in: a weight has to be one.
        middle = np.where(middle > 0.0, middle, (ratio * x + y) / (1.0 + ratio))
        slope, intercept = _weighted(x, y, kept / middle**2, ratio)
        if not np.any(np.abs(slope - before) > _CLOSE * np.abs(slope)):
            return slope, intercept
    raise ValueError("the weights do not settle: errors are not in proportion to the value here")


def _weighted(x: Floats, y: Floats, weight: Floats, ratio: float) -> tuple[Floats, Floats]:
    total = weight.sum(axis=1)
    middle, other = weight @ x / total, weight @ y / total
    # Centred roughly before: squares of what all values have in common would eat the digits.
    a, b = x - x.mean(), y - y.mean()
    ca, cb = middle - x.mean(), other - y.mean()
    sxx = weight @ (a * a) - total * ca**2
    syy = weight @ (b * b) - total * cb**2
    sxy = weight @ (a * b) - total * ca * cb
    half = syy - ratio * sxx
    slope = (half + np.sqrt(half**2 + 4.0 * ratio * sxy**2)) / (2.0 * sxy)
    return slope, other - slope * middle
