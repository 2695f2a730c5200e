"""How far two instruments agree: Bland and Altman's limits, and Lin's concordance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nilometer.trials.pairing.pairs import complete
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["Agreement", "concordance", "limits_of_agreement"]


_OF_1986 = (1.96, 2.0)
"""Factors for which the paper rounds 1 + k²/2 to 3."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The differences of two instruments.

    Parameters
    ----------
    n : int
        Pairs.
    mean, sd : float
        Of the differences x − y.
    limits : (float, float)
        mean ± k·sd.
    k : float
        What the limits were made with.
    mean_se, limit_se : float
        Standard errors of the mean and of either limit, for independent pairs.
    mean_interval, lower_interval, upper_interval : (float, float)
        Confidence intervals of the mean and of the limits.
    correlation : float
        Pearson's, of x and y; says nothing on agreement.
    trend : float
        Slope of the difference over the mean of a pair: away from 0 the limits do not hold along the range.
    trend_se : float
        Its standard error.
    """

    n: int
    mean: float
    sd: float
    limits: tuple[float, float]
    k: float
    mean_se: float
    limit_se: float
    mean_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    correlation: float
    trend: float
    trend_se: float


def limits_of_agreement(x: Any, y: Any, *, k: float = 1.96, probability: float = 0.95) -> Agreement:  # noqa: ANN401
    """Return the limits of agreement of two instruments.

    Parameters
    ----------
    x, y : series of n numbers
        Of candidate and reference, in one unit; pairs with a missing result are left out.
    k : float
        1.96 for 95 % of normal differences; the paper of 1986 takes 2.
    probability : float
        Of the confidence intervals.

    Returns
    -------
    Agreement
        In the unit of the results.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs.

    References
    ----------
    Bland and Altman (1986), Lancet 327, 307-310: mean and limits, se(mean) = s/√n, se(limit) ≈ √(3/n)·s, intervals by
    Student's t of n − 1 degrees of freedom. For a k that is neither 1.96 nor 2, se(limit) = s·√(1/n + k²/(2(n − 1))) of
    the same authors (1999), Stat. Methods Med. Res. 8, 135-160.

    Examples
    --------
    >>> found = limits_of_agreement([10.1, 11.9, 14.2, 16.1], [10.0, 12.0, 14.0, 16.0])
    >>> round(found.mean, 3), round(found.sd, 3)
    (0.075, 0.126)
    """
    first, second = complete(x, y, least=3)
    difference, middle = first - second, (first + second) / 2.0
    n, mean, sd = len(first), float(difference.mean()), float(difference.std(ddof=1))
    mean_se = sd / math.sqrt(n)
    limit_se = sd * math.sqrt(3.0 / n if k in _OF_1986 else 1.0 / n + k * k / (2.0 * (n - 1)))
    t = coverage_factor(probability, n - 1)
    low, high = mean - k * sd, mean + k * sd
    spread = float(np.sum((middle - middle.mean()) ** 2))
    slope = float(np.sum((middle - middle.mean()) * (difference - mean)) / spread) if spread else math.nan
    left = difference - mean - slope * (middle - middle.mean())
    constant = not first.std() or not second.std()
    return Agreement(
        n=n,
        mean=mean,
        sd=sd,
        limits=(low, high),
        k=k,
        mean_se=mean_se,
        limit_se=limit_se,
        mean_interval=(mean - t * mean_se, mean + t * mean_se),
        lower_interval=(low - t * limit_se, low + t * limit_se),
        upper_interval=(high - t * limit_se, high + t * limit_se),
        correlation=math.nan if constant else float(np.corrcoef(first, second)[0, 1]),
        trend=slope,
        trend_se=math.sqrt(float(np.sum(left**2)) / (n - 2) / spread) if spread else math.nan,
    )


def concordance(x: Any, y: Any, *, probability: float = 0.95) -> tuple[float, tuple[float, float]]:  # noqa: ANN401
    """Return Lin's concordance correlation with its confidence interval.

    It hangs on the range of the data: of two sites it must not be compared.

    Parameters
    ----------
    x, y : series of n numbers
        As in `limits_of_agreement`.
    probability : float
        Of the interval, by Fisher's z.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, or one of the two never changes.

    References
    ----------
    Lin (1989), Biometrics 45, 255-268: moments by 1/n, the variance of z of eq. 2.

    Examples
    --------
    >>> round(concordance([1.0, 2.0, 3.0, 4.0], [1.1, 2.1, 2.9, 4.2])[0], 3)
    0.993
    """
    first, second = complete(x, y, least=3)
    n = len(first)
    covariance = float(np.mean((first - first.mean()) * (second - second.mean())))
    apart = float(first.mean() - second.mean())
    if not first.std() or not second.std():
        raise ValueError("one of the instruments never changes: there is no concordance")
    found = 2.0 * covariance / (float(first.var()) + float(second.var()) + apart**2)
    r = covariance / float(first.std() * second.std())
    if not abs(found) < 1.0 or not r:
        return found, (found, found)
    u = apart / math.sqrt(float(first.std() * second.std()))
    variance = (
        (1 - r**2) * found**2 / ((1 - found**2) * r**2)
        + 2 * found**3 * (1 - found) * u**2 / (r * (1 - found**2) ** 2)
        - found**4 * u**4 / (2 * r**2 * (1 - found**2) ** 2)
    ) / (n - 2)
    half = coverage_factor(probability) * math.sqrt(max(variance, 0.0))
    z = math.atanh(found)
    return found, (math.tanh(z - half), math.tanh(z + half))
