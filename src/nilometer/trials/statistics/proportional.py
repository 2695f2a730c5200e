"""Limits of agreement where differences grow with the value: by ratios, or by lines through them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.pairing.pairs import complete
from nilometer.trials.statistics.agreement import Agreement, limits_of_agreement
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["RatioLimits", "SlopingLimits", "ratio_limits", "sloping_limits"]

Floats = NDArray[np.float64]

_HALF_NORMAL = math.sqrt(math.pi / 2.0)
"""Standard deviation over mean absolute value, of a normal distribution."""


@dataclass(frozen=True, slots=True)
class RatioLimits:
    """Limits of candidate over reference.

    Parameters
    ----------
    ratio : float
        Geometric mean of the ratios: 1.1 is 10 % more.
    limits : (float, float)
        Between which 95 % of the ratios are to be expected.
    ratio_interval, lower_interval, upper_interval : (float, float)
        Confidence intervals, for independent pairs.
    logarithms : Agreement
        What they come from; its `trend` says whether ratios still change with the value.
    """

    ratio: float
    limits: tuple[float, float]
    ratio_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    logarithms: Agreement


@dataclass(frozen=True, slots=True)
class SlopingLimits:
    """Limits that are lines over the mean of a pair.

    Parameters
    ----------
    n : int
        Pairs.
    intercept, slope : float
        Of the mean difference: intercept + slope · mean of the pair.
    slope_interval : (float, float)
        For independent pairs.
    spread_intercept, spread_slope : float
        Of the standard deviation of the differences.
    spread_slope_interval : (float, float)
        For independent pairs.
    k : float
        Standard deviations from the mean to a limit.
    """

    n: int
    intercept: float
    slope: float
    slope_interval: tuple[float, float]
    spread_intercept: float
    spread_slope: float
    spread_slope_interval: tuple[float, float]
    k: float

    def at(self, middle: float) -> tuple[float, float, float]:
        """Return lower limit, mean difference and upper limit at a mean of a pair; NaN where the spread is none."""
        spread = self.spread_intercept + self.spread_slope * middle
        mean = self.intercept + self.slope * middle
        half = self.k * spread if spread >= 0.0 else math.nan
        return mean - half, mean, mean + half


def ratio_limits(candidate: Any, reference: Any, *, k: float = 1.96, probability: float = 0.95) -> RatioLimits:  # noqa: ANN401 -- any series
    """Return the limits of agreement of ratios: for differences that grow in proportion to the value.

    Parameters
    ----------
    candidate, reference : series of n numbers
        Above 0; pairs with a missing result are left out.
    k, probability : float
        As in `limits_of_agreement`.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, or a result is not above 0.

    References
    ----------
    Bland and Altman (1999), Stat. Methods Med. Res. 8, 135-160: limits of differences of logarithms, taken back.

    Examples
    --------
    >>> found = ratio_limits([1.1, 2.2, 4.4], [1.0, 2.0, 4.0])
    >>> round(found.ratio, 6), [round(end, 6) for end in found.limits]
    (1.1, [1.1, 1.1])
    """
    first, second = complete(candidate, reference, least=3)
    lowest = min(float(first.min()), float(second.min()))
    if not lowest > 0.0:
        raise ValueError(f"a result of {lowest!r}: ratios need results above 0")
    found = limits_of_agreement(np.log(first), np.log(second), k=k, probability=probability)

    def back(ends: tuple[float, float]) -> tuple[float, float]:
        return math.exp(ends[0]), math.exp(ends[1])

    return RatioLimits(
        ratio=math.exp(found.mean),
        limits=back(found.limits),
        ratio_interval=back(found.mean_interval),
        lower_interval=back(found.lower_interval),
        upper_interval=back(found.upper_interval),
        logarithms=found,
    )


def sloping_limits(
    candidate: Any,  # noqa: ANN401 -- any series
    reference: Any,  # noqa: ANN401 -- any series
    *,
    k: float = 1.96,
    probability: float = 0.95,
    weighted: bool = False,
) -> SlopingLimits:
    """Return limits whose mean and width are lines over the mean of a pair.

    Parameters
    ----------
    candidate, reference : series of n numbers
        In one unit; pairs with a missing result are left out.
    k : float
        1.96 for 95 % of normal differences.
    probability : float
        Of the intervals, by Student's t of standard errors that allow for scatter along the line.
    weighted : bool
        Fit both lines again, twice, with weights of one over the spread's square, and free the residuals of what the
        fit takes from them: surer, and less biased, than the paper's plain least squares.

    Raises
    ------
    ValueError
        If there are fewer than four complete pairs, or their means are all the same.

    References
    ----------
    Bland and Altman (1999), Stat. Methods Med. Res. 8, 135-160: the difference on the mean by least squares; the
    absolute residuals on the mean, times √(π/2), for the standard deviation.
    """
    first, second = complete(candidate, reference, least=4)
    middle, difference = (first + second) / 2.0, first - second
    if middle.min() == middle.max():
        raise ValueError("all pairs have one mean: no limits can slope over it")
    weight = np.ones(len(first))
    for turn in range(3 if weighted else 1):
        intercept, slope, slope_se, leverage = _least_squares(middle, difference, weight)
        left = np.abs(difference - intercept - slope * middle)
        if turn:
            left /= np.sqrt(np.maximum(1.0 - leverage, 1e-9))
        low, rise, rise_se, _ = _least_squares(middle, left, weight)
        # Where the line of the spread runs to nothing, a tenth of its mean stands in: a weight has to be one.
        floor = max(0.1 * float(left.mean()), 1e-300)
        weight = 1.0 / np.maximum(low + rise * middle, floor) ** 2 if left.any() else weight
    t = coverage_factor(probability, len(first) - 2)
    spread = rise * _HALF_NORMAL, t * rise_se * _HALF_NORMAL
    return SlopingLimits(
        n=len(first),
        intercept=intercept,
        slope=slope,
        slope_interval=(slope - t * slope_se, slope + t * slope_se),
        spread_intercept=low * _HALF_NORMAL,
        spread_slope=spread[0],
        spread_slope_interval=(spread[0] - spread[1], spread[0] + spread[1]),
        k=k,
    )


def _least_squares(x: Floats, y: Floats, weight: Floats) -> tuple[float, float, float, Floats]:
    """Return intercept, slope, its standard error and the leverage of each point."""
    share = weight / float(weight.sum())
    away = x - float(np.sum(share * x))
    spread = float(np.sum(share * away**2))
    slope = float(np.sum(share * away * y)) / spread
    intercept = float(np.sum(share * y)) - slope * float(np.sum(share * x))
    # Scatter that grows along the line makes the usual standard error far too small: this one takes it as it is.
    leverage = share * (1.0 + away**2 / spread)
    left = (y - intercept - slope * x) / np.maximum(1.0 - leverage, 1e-9)
    return intercept, slope, math.sqrt(float(np.sum((share * away * left) ** 2))) / spread, leverage
