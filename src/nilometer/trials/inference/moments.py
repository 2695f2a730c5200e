"""The statistics of pairs as functions of means: what can be formed again for ten thousand resamples at once.

Every statistic but the quantile is a smooth function of the means of twelve columns, so that a resample is known by
twelve sums; its influence on one pair gives the standard error. Nothing here resamples or decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.trials.pairing.pairs import Pairs
from nilometer.units import affine, same_dimension

__all__ = ["COLUMNS", "QUANTILE", "STATISTICS", "Moments", "has_arbitrary_zero", "moments_of", "unit_of"]

Floats = NDArray[np.float64]

DAY_US = 86_400e6
COLUMNS = 12
QUANTILE = "absolute_difference_95"
# Unit of each: that of the results, one per day of it, or none; and where the ideal candidate would be.
STATISTICS: dict[str, str] = {
    "bias": "result",
    "relative_bias": "1",
    "mean_absolute_difference": "result",
    "rmse": "result",
    "sd": "result",
    "lower_limit": "result",
    "upper_limit": "result",
    QUANTILE: "result",
    "slope": "1",
    "intercept": "result",
    "concordance": "1",
    "drift": "per_day",
    "class_agreement": "1",
    "excess_error": "result",
}


def unit_of(statistic: str, unit: str) -> str:
    """Return the unit of a statistic of results in `unit`.

    Raises
    ------
    ConfigError
        If there is no such statistic.

    Examples
    --------
    >>> unit_of("drift", "mg L-1")
    'mg L-1 d-1'
    """
    if statistic not in STATISTICS:
        raise ConfigError("statistic", seen=statistic, allowed=STATISTICS)
    kind = STATISTICS[statistic]
    if kind == "result":
        return unit
    return "1" if kind == "1" else ("d-1" if unit == "1" else f"{unit} d-1")


def has_arbitrary_zero(unit: str) -> bool:
    """Return whether shares of results in a unit hang on where its scale begins, as those of °C do.

    Examples
    --------
    >>> has_arbitrary_zero("degree_Celsius"), has_arbitrary_zero("K"), has_arbitrary_zero("mg L-1")
    (True, False, False)
    """
    return same_dimension(unit, "K") and bool(affine(unit, "K")[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Pairs as the columns whose means give every statistic.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, 12)
        1; reference x and difference d less their means; x², d², x·d of these; |d|; day·d and day² within intervals;
        same class; error beyond the reference's; |d| beyond its quantile.
    reference_mean, difference_mean : float
        What was taken off.
    ratio : float
        Variance of the candidate's errors over the reference's, of Deming's line.
    quantile : float
        Of |d|, at `probability`.
    probability : float
        0.95.
    absolute : ndarray of float64, shape (n,)
        |d|.
    day : ndarray of float64, shape (n,)
        Time less the mean of the interval between cleanings.
    stretch : ndarray of int64, shape (n,)
        Number of that interval.
    has_classes, has_arbiter : bool
        Whether the columns on classes and errors are filled.
    """

    columns: Floats
    reference_mean: float
    difference_mean: float
    ratio: float
    quantile: float
    probability: float
    absolute: Floats
    day: Floats
    stretch: NDArray[np.int64]
    has_classes: bool
    has_arbiter: bool

    @property
    def means(self) -> Floats:
        """Means of the columns."""
        return np.asarray(self.columns.mean(axis=0))

    def statistic(self, name: str, means: Floats) -> Floats:
        """Return a statistic of means, shape (…, 12): all but the quantile, for which there is the share beyond it.

        NaN where the data do not allow it: a reference without a mean or that never changes.
        """
        _, x, d, xx, dd, xd, absolute, day_d, day_day, same, excess, over = np.moveaxis(means, -1, 0)
        bias = d + self.difference_mean
        variance = np.maximum(dd - d * d, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            if name in {"slope", "intercept", "concordance"}:
                return self._line(name, x, d, xx, variance, xd)
            if name in {"sd", "lower_limit", "upper_limit"}:
                sd = np.sqrt(variance * self._unbiased)
                return np.asarray({"sd": sd, "lower_limit": bias - 1.96 * sd, "upper_limit": bias + 1.96 * sd}[name])
            lacking = np.full_like(bias, np.nan)
            return np.asarray(
                {
                    "bias": bias,
                    "relative_bias": bias / (x + self.reference_mean),
                    "mean_absolute_difference": absolute,
                    "rmse": np.sqrt(variance + bias * bias),
                    QUANTILE: over,
                    "drift": np.where(day_day > 0.0, day_d / day_day, np.nan),
                    "class_agreement": same if self.has_classes else lacking,
                    "excess_error": excess if self.has_arbiter else lacking,
                }[name]
            )

    @property
    def _unbiased(self) -> float:
        n = len(self.columns)
        return n / max(n - 1, 1)

    def _line(self, name: str, x: Floats, d: Floats, xx: Floats, variance: Floats, xd: Floats) -> Floats:
        sxx = np.maximum(xx - x * x, 0.0)
        cross = xd - x * d
        sxy, syy = sxx + cross, sxx + 2.0 * cross + variance
        if name == "concordance":
            return np.asarray(2.0 * sxy / (sxx + syy + (d + self.difference_mean) ** 2))
        half = syy - self.ratio * sxx
        slope = (half + np.sqrt(half * half + 4.0 * self.ratio * sxy * sxy)) / (2.0 * sxy)
        slope = np.where((sxx > 0.0) & (sxy != 0.0), slope, np.nan)
        if name == "slope":
            return np.asarray(slope)
        middle = x + self.reference_mean
        return np.asarray(middle + d + self.difference_mean - slope * middle)

    def value(self, name: str) -> float:
        """Return a statistic of the pairs themselves."""
        return self.quantile if name == QUANTILE else float(self.statistic(name, self.means))

    def gradient(self, name: str) -> Floats:
        """Return how the statistic changes with each column's mean, shape (12,)."""
        means = self.means
        spread = self.columns.std(axis=0)
        step = 1e-5 * np.where(spread > 0.0, spread, 1.0)
        up = self.statistic(name, means + np.diag(step))
        down = self.statistic(name, means - np.diag(step))
        return np.where(spread > 0.0, (up - down) / (2.0 * step), 0.0)


def moments_of(
    pairs: Pairs,
    *,
    ratio: float | None = None,
    class_edges: Sequence[float] = (),
    arbiter: Floats | None = None,
    probability: float = 0.95,
) -> Moments:
    """Return the columns of pairs.

    Parameters
    ----------
    pairs : Pairs
        At least one.
    ratio : float, optional
        Of Deming's line; default: from the uncertainties where both are known, else 1.
    class_edges : sequence of float
        Limits between classes, rising, in the unit of the results; a result on a limit is of the class below it.
    arbiter : ndarray of float64, shape (n,), optional
        What was true, by a laboratory or a standard.
    probability : float
        Of the quantile of the absolute difference.

    Raises
    ------
    ValueError
        If `ratio` is not above 0.
    """
    n = len(pairs)
    if ratio is None:
        above, below = np.mean(pairs.candidate_uncertainty**2), np.mean(pairs.reference_uncertainty**2)
        ratio = float(above / below) if above > 0.0 and below > 0.0 else 1.0
    if not ratio > 0.0:
        raise ValueError(f"ratio = {ratio!r} (allowed: above 0)")
    difference = pairs.difference
    x_mean, d_mean = float(pairs.reference.mean()), float(difference.mean())
    x, d = pairs.reference - x_mean, difference - d_mean
    stretch = _numbered(pairs.cluster, pairs.interval)
    count = np.maximum(np.bincount(stretch), 1)

    def within(column: Floats) -> Floats:
        return np.asarray(column - (np.bincount(stretch, column) / count)[stretch])

    day, off = within((pairs.time - pairs.time.min()) / DAY_US), within(difference)
    absolute = np.abs(difference)
    quantile = float(np.quantile(absolute, probability))
    edges = np.asarray(class_edges, np.float64)
    same = np.zeros(n)
    if len(edges):
        same = (np.searchsorted(edges, pairs.candidate) == np.searchsorted(edges, pairs.reference)).astype(np.float64)
    excess = np.zeros(n)
    if arbiter is not None:
        excess = np.abs(pairs.candidate - arbiter) - np.abs(pairs.reference - arbiter)
    over = (absolute > quantile).astype(np.float64)
    columns = [np.ones(n), x, d, x * x, d * d, x * d, absolute, day * off, day * day, same, excess, over]
    return Moments(
        columns=np.stack(columns, axis=1),
        reference_mean=x_mean,
        difference_mean=d_mean,
        ratio=ratio,
        quantile=quantile,
        probability=probability,
        absolute=absolute,
        day=day,
        stretch=stretch,
        has_classes=bool(len(edges)),
        has_arbiter=arbiter is not None,
    )


def _numbered(cluster: NDArray[np.int32], interval: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return numbers from 0 of what intervals of what clusters there are: by one key, for rows are slow to sort."""
    if not len(cluster):
        return np.zeros(0, np.int64)
    least = int(interval.min())
    key = cluster.astype(np.int64) * (int(interval.max()) - least + 1) + (interval - least)
    return np.asarray(np.unique(key, return_inverse=True)[1], np.int64)
