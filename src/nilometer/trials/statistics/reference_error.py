"""How much the reference itself errs: as its uncertainty states it, or as three instruments of one water show it.

A reference that errs makes a good candidate look bad, and least squares on it flat. What is known of its error enters
Deming's line as a ratio of variances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.series import unpack
from nilometer.trials.pairing.pairs import Pairs, check_size
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["ErrorVariance", "ratio_from_reference", "stated_ratio", "three_cornered_hat"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ErrorVariance:
    """The random error of one instrument.

    Parameters
    ----------
    name : str
        Of the instrument.
    variance : float
        Of its errors; below 0 where chance, or errors that instruments share, make it so.
    sd : float
        Its root; NaN where the variance is below 0.
    interval : (float, float)
        Of the variance, by the jackknife, for independent results; of sixty results one of 95 % held the truth in 93 %.
    n : int
        Times at which all instruments have a result.
    """

    name: str
    variance: float
    sd: float
    interval: tuple[float, float]
    n: int


def stated_ratio(pairs: Pairs) -> float:
    """Return the candidate's error variance over the reference's, as both state it; NaN without.

    Examples
    --------
    >>> columns = {"candidate_uncertainty": np.full(3, 0.2), "reference_uncertainty": np.full(3, 0.1)}
    >>> round(stated_ratio(Pairs.of(range(3), [1, 2, 3], [1, 2, 3], "mg L-1", **columns)), 6)
    4.0
    """
    ours, theirs = (_mean_square(each) for each in (pairs.candidate_uncertainty, pairs.reference_uncertainty))
    return ours / theirs if ours > 0.0 and theirs > 0.0 else math.nan


def ratio_from_reference(pairs: Pairs) -> float:
    """Return the ratio of error variances where only the reference states its uncertainty.

    What pairs scatter beyond the reference's stated error is the candidate's.

    Parameters
    ----------
    pairs : Pairs
        With `reference_uncertainty`.

    Returns
    -------
    float
        For `nilometer.trials.statistics.regression.deming`: variance of the candidate's errors over that of the
        reference's.

    Raises
    ------
    ValueError
        If the uncertainty is not stated, or is larger than the pairs can bear.

    References
    ----------
    Fuller (1987), Measurement Error Models, section 1.2: Sxx = σ² + u², Sxy = bσ², Syy = b²σ² + e² of a known u.
    """
    known = _mean_square(pairs.reference_uncertainty)
    if not known > 0.0:
        raise ValueError("the reference states no uncertainty: give it, a second reference, or a ratio")
    moments = np.cov(pairs.reference, pairs.candidate)
    signal = float(moments[0, 0]) - known
    if signal <= 0.0:
        raise ValueError(
            f"the reference's stated uncertainty ({math.sqrt(known):.4g} {pairs.unit}) is as large as all that it "
            f"shows (standard deviation {math.sqrt(float(moments[0, 0])):.4g}): no line can be found"
        )
    rest = float(moments[1, 1]) - float(moments[0, 1]) ** 2 / signal
    if rest <= 0.0:
        raise ValueError(
            f"the pairs scatter less than the reference's stated uncertainty ({math.sqrt(known):.4g} {pairs.unit}) "
            "lets them: it is stated too large, or both err together"
        )
    return rest / known


def three_cornered_hat(series: Mapping[str, Any], *, probability: float = 0.95) -> tuple[ErrorVariance, ...]:
    """Return the error variance of each of three instruments of one water, without knowing the truth.

    Errors are taken as independent of one another and of the water; a constant bias does not matter, one in proportion
    to the value does.

    Parameters
    ----------
    series : mapping of str to series of n numbers
        Three, by name, at the same times; times at which one is missing are left out.
    probability : float
        Of the intervals.

    Returns
    -------
    tuple of ErrorVariance
        In the order given.

    Raises
    ------
    ValueError
        If there are not three, lengths differ, fewer than four times have all, or results cannot be squared.

    References
    ----------
    Grubbs (1948), J. Am. Stat. Assoc. 43, 243-264: of variances V of differences, σ²(a) = (V(ab) + V(ac) − V(bc))/2.

    Examples
    --------
    >>> found = three_cornered_hat({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4], "c": [1.1, 1.9, 3.1, 3.9]})
    >>> [round(one.variance, 4) for one in found]
    [0.0, 0.0, 0.0133]
    """
    names = list(series)
    if len(names) != 3:
        raise ValueError(f"{len(names)} series: the errors of three instruments can be told apart, no other number's")
    columns = [unpack(each).values for each in series.values()]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"series of {[len(column) for column in columns]} results: give one a time of each")
    stack = np.array(columns)
    stack = stack[:, np.isfinite(stack).all(axis=0)]
    check_size(stack)
    n = stack.shape[1]
    if n < 4:
        raise ValueError(f"{n} times have results of all three: four or more are needed")
    found = _grubbs(*_sums(stack), n)
    # One time left out: sums less its own.
    sums, squares = _sums(stack)
    apart = _differences(stack)
    left = _grubbs(sums[:, None] - apart, squares[:, None] - apart**2, n - 1)
    spread = np.sqrt((n - 1) / n * np.sum((left - left.mean(axis=1, keepdims=True)) ** 2, axis=1))
    half = coverage_factor(probability, n - 1) * spread
    return tuple(
        ErrorVariance(name, value, math.sqrt(value) if value >= 0.0 else math.nan, (value - reach, value + reach), n)
        for name, value, reach in zip(names, found.tolist(), half.tolist(), strict=True)
    )


def _mean_square(column: Floats) -> float:
    there = column[np.isfinite(column)]
    return float(np.mean(there**2)) if len(there) else math.nan


def _differences(stack: Floats) -> Floats:
    apart = np.array([stack[one] - stack[other] for one, other in combinations(range(3), 2)])
    centred: Floats = apart - apart.mean(axis=1, keepdims=True)
    return centred


def _sums(stack: Floats) -> tuple[Floats, Floats]:
    apart = _differences(stack)
    return apart.sum(axis=1), (apart**2).sum(axis=1)


def _grubbs(sums: Floats, squares: Floats, n: int) -> Floats:
    ab, ac, bc = (squares - sums**2 / n) / (n - 1)
    return np.array([(ab + ac - bc) / 2.0, (ab + bc - ac) / 2.0, (ac + bc - ab) / 2.0])
