"""How far the candidate is from the reference: bias, relative bias, mean absolute difference, root mean square.

Every interval here is a classical one, for pairs that do not know of each other. Results of one water ten minutes apart
do: `nilometer.trials.inference.intervals` has the intervals for those, of the same statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure
from nilometer.trials.pairing.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor
from nilometer.units import canonical

__all__ = [
    "bias",
    "bias_of",
    "lacking",
    "mean_absolute_difference",
    "mean_absolute_difference_of",
    "measured",
    "relative_bias",
    "relative_bias_of",
    "rmse",
    "rmse_of",
]

Floats = NDArray[np.float64]
LEAST = 3
_ARBITRARY_ZERO = ("degree_Celsius", "degree_Fahrenheit")


def measured(pairs: Pairs) -> tuple[Pairs, str]:
    """Return the pairs of which neither result is a bound, and what a reader has to know of the others."""
    plain = (pairs.candidate_censored == 0) & (pairs.reference_censored == 0)
    left_out = int(np.count_nonzero(~plain))
    if not left_out:
        return pairs, ""
    return pairs.take(plain), f"{left_out} pairs with a censored result are left out"


def lacking(name: str, unit: str, n: int, why: str, *, least: int = LEAST) -> Figure:
    """Return a figure without a number; `why` is empty where pairs are too few."""
    return Figure(name=name, value=math.nan, unit=unit, n=n, note=why or f"{n} pairs: {least} or more are needed")


def bias_of(candidate: Floats, reference: Floats) -> float:
    """Return the mean difference."""
    return float(np.mean(candidate - reference))


def relative_bias_of(candidate: Floats, reference: Floats) -> float:
    """Return the mean difference as a share of the reference's mean."""
    middle = float(np.mean(reference))
    return bias_of(candidate, reference) / middle if middle else math.nan


def mean_absolute_difference_of(candidate: Floats, reference: Floats) -> float:
    """Return the mean of the absolute differences."""
    return float(np.mean(np.abs(candidate - reference)))


def rmse_of(candidate: Floats, reference: Floats) -> float:
    """Return the root of the mean squared difference."""
    return math.sqrt(float(np.mean((candidate - reference) ** 2)))


def bias(pairs: Pairs, *, probability: float = 0.95) -> Figure:
    """Return the mean of candidate minus reference, with Student's interval for independent pairs.

    Parameters
    ----------
    pairs : Pairs
        Censored ones are left out.
    probability : float
        Of the interval.

    Returns
    -------
    Figure
        ``bias``, in the unit of the pairs; NaN for fewer than three.

    Examples
    --------
    >>> pairs = Pairs.of(range(4), [1.1, 2.2, 3.0, 4.1], [1.0, 2.0, 3.0, 4.0], "mg L-1")
    >>> found = bias(pairs)
    >>> round(found.value, 3), [round(end, 3) for end in found.interval]
    (0.1, [-0.03, 0.23])
    """
    return _figure("bias", pairs, bias_of, _mean_of(lambda c, r: c - r), probability)


def relative_bias(pairs: Pairs, *, probability: float = 0.95) -> Figure:
    """Return the bias as a share of the reference's mean, with the interval of a ratio of means of independent pairs.

    Parameters
    ----------
    pairs : Pairs
        Censored ones are left out.
    probability : float
        Of the interval.

    Returns
    -------
    Figure
        ``relative_bias``, 1; NaN where the reference's mean is not away from 0, and of temperatures, whose zero is
        arbitrary.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., chapter 6: standard error of a ratio of means by linearisation.
    """
    if canonical(pairs.unit) in _ARBITRARY_ZERO:
        return lacking(
            "relative_bias", "1", len(pairs), f"{pairs.unit} has an arbitrary zero: a share of it says nothing"
        )
    return _figure("relative_bias", pairs, relative_bias_of, _ratio, probability, unit="1")


def mean_absolute_difference(pairs: Pairs, *, probability: float = 0.95) -> Figure:
    """Return the mean absolute difference, with Student's interval for independent pairs; as `bias`."""
    spread = _mean_of(lambda c, r: np.abs(c - r))
    return _figure(
        "mean_absolute_difference", pairs, mean_absolute_difference_of, spread, probability, is_positive=True
    )


def rmse(pairs: Pairs, *, probability: float = 0.95) -> Figure:
    """Return the root mean square of the differences; its interval by the jackknife of its logarithm.

    As `bias`. A candidate's random error and its bias are both in it, and so is the reference's error.
    """

    def left_out(candidate: Floats, reference: Floats) -> float:
        squares = (candidate - reference) ** 2
        n, rest = len(squares), float(squares.sum()) - squares
        if not np.all(rest > 0.0):
            return 0.0
        halves = np.log(rest) / 2.0
        spread = math.sqrt((n - 1) / n * float(np.sum((halves - halves.mean()) ** 2)))
        return spread * rmse_of(candidate, reference)

    return _figure("rmse", pairs, rmse_of, left_out, probability, is_positive=True, method="jackknife")


def _mean_of(column: Callable[[Floats, Floats], Floats]) -> Callable[[Floats, Floats], float]:
    """Return the function that gives the standard error of the mean of a column."""

    def spread(candidate: Floats, reference: Floats) -> float:
        return float(column(candidate, reference).std(ddof=1)) / math.sqrt(len(candidate))

    return spread


def _ratio(candidate: Floats, reference: Floats) -> float:
    found = relative_bias_of(candidate, reference)
    left = candidate - reference - found * reference
    n = len(left)
    return math.sqrt(float(np.sum(left**2)) / (n * (n - 1))) / abs(float(np.mean(reference)))


def _figure(
    name: str,
    pairs: Pairs,
    statistic: Callable[[Floats, Floats], float],
    spread: Callable[[Floats, Floats], float],
    probability: float,
    *,
    unit: str | None = None,
    is_positive: bool = False,
    method: str = "student_t",
) -> Figure:
    plain, note = measured(pairs)
    unit = pairs.unit if unit is None else unit
    n = len(plain)
    if n < LEAST:
        return lacking(name, unit, n, "")
    if name == "relative_bias":
        middle, error = float(np.mean(plain.reference)), float(np.std(plain.reference, ddof=1)) / math.sqrt(n)
        if abs(middle) <= 3.0 * error or not middle:
            return lacking(name, unit, n, "the reference's mean is not away from 0")
    value = statistic(plain.candidate, plain.reference)
    half = coverage_factor(probability, n - 1) * spread(plain.candidate, plain.reference)
    ends = (value - half, value + half)
    if is_positive and value > 0.0:
        ends = (value * math.exp(-half / value), value * math.exp(half / value))
    return Figure(
        name=name, value=value, unit=unit, interval=ends, probability=probability, n=n, method=method, note=note
    )
