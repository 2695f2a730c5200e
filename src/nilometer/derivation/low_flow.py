"""Low flows of a river: annual minima of means over days, their mean, and the one that comes once in some years."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.record import record
from nilometer.periods.spans import edges

__all__ = ["LowFlow", "annual_minima", "low_flow", "mean_annual_minimum"]

_LEAST_YEARS = 10
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class LowFlow:
    """A low flow of a return period.

    Parameters
    ----------
    value : float
        In the unit of the discharge.
    uncertainty : float
        Standard (k = 1), of the few years alone: by resampling them. That of the discharges comes on top.
    years : int
        Complete ones that it rests on.
    zeros : int
        Of these, with a minimum of nothing.
    """

    value: float
    uncertainty: float
    years: int
    zeros: int


def annual_minima(
    discharge: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    days: int = 7,
    first_month: int = 4,
    time_zone: str = "UTC",
    most_missing: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the least mean over some days of each complete year.

    Parameters
    ----------
    discharge : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Daily means, one a day at any hour of it; NaN is missing.
    time : array_like or str, optional
        Times, where the series brings none.
    days : int
        How many days a mean has, at least 1; it belongs to the year of its last day.
    first_month : int
        With which a year begins: 4 (April) in the north, so that no dry season is cut in two.
    time_zone : str
        Of days and years.
    most_missing : int
        A year with more missing days does not count.

    Returns
    -------
    begin : ndarray of int64, shape (years,)
        When each year begins, µs since 1970 UTC.
    minimum : ndarray of float64, shape (years,)

    Raises
    ------
    ValueError
        If there are no times, or a day has two values.
    ConfigError
        If there is no such zone or month.

    References
    ----------
    Riggs (1972), Low-flow investigations, USGS Techniques of Water-Resources Investigations 4-B1 (climatic year from
    April).

    Examples
    --------
    >>> day = np.arange(731) * 86_400_000_000 + 90 * 86_400_000_000  # from 1970-04-01
    >>> begin, least = annual_minima(10.0 + np.arange(731) % 365, time=day)
    >>> begin.view("datetime64[us]").astype("datetime64[D]").astype(str).tolist(), least.round(9).tolist()
    (['1970-04-01', '1971-04-01'], [13.0, 13.0])
    """
    part = record(discharge, time)
    if not len(part.times):
        return np.empty(0, np.int64), np.empty(0)
    midnights = edges("day", int(part.times.min()), int(part.times.max()) + 1, time_zone)
    day = np.searchsorted(midnights, part.times, "right") - 1
    if not np.all(np.diff(np.sort(day)) > 0):
        raise ValueError("a day has two values: give daily means, such as those of period_statistics")
    flow = np.full(len(midnights) - 1, np.nan)
    flow[day] = part.values
    # Summed window by window, so that days without flow have a mean of exactly nothing.
    before = np.concatenate([np.full(days - 1, np.nan), flow])
    least = np.lib.stride_tricks.sliding_window_view(before, days).mean(axis=1)
    years = edges("year", int(midnights[0]), int(midnights[-1]), time_zone, first_month=first_month)
    begin, found = [], []
    for first, last in pairwise(years.tolist()):
        rows = slice(*np.searchsorted(midnights, [first, last]))
        whole = len(edges("day", first, last, time_zone)) - 1
        there = np.count_nonzero(~np.isnan(flow[rows]))
        if whole - there <= most_missing and not np.all(np.isnan(least[rows])):
            begin.append(first)
            found.append(np.nanmin(least[rows]))
    return np.array(begin, np.int64), np.array(found, np.float64)


def mean_annual_minimum(discharge: Any, *, time: Any = None, days: int = 7, **settings: Any) -> float:  # noqa: ANN401
    """Return the mean of the annual minima: MAM7 for seven days.

    Parameters are those of `annual_minima`; NaN of no complete year.

    References
    ----------
    Gustard, Bullock and Dixon (1992), Low flow estimation in the United Kingdom, Institute of Hydrology Report 108.
    """
    _, least = annual_minima(discharge, time=time, days=days, **settings)
    return float(np.mean(least)) if len(least) else float("nan")


def low_flow(
    discharge: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    days: int = 7,
    return_period: float = 10.0,
    seed: int = 0,
    **settings: Any,  # noqa: ANN401 -- of annual_minima
) -> LowFlow:
    """Return the low flow that years fall below once in a return period: 7Q10 unless otherwise asked.

    Parameters
    ----------
    discharge, time, days :
        As in `annual_minima`, which takes the other settings too.
    return_period : float
        Years, more than 1.
    seed : int
        Of the resampling.

    Returns
    -------
    LowFlow
        NaN of fewer than ten complete years.

    Raises
    ------
    ValueError
        If the return period is not more than 1, and as in `annual_minima`.

    Notes
    -----
    Log-Pearson type III by moments of the logarithms. Years with a minimum of nothing are set apart: the others' chance
    is that of the return period, less theirs, over what is left.

    References
    ----------
    Riggs (1972), USGS TWRI 4-B1; Tasker (1987), Water Resour. Bull. 23, 1077-1083 (years of zero flow).
    """
    if not return_period > 1.0:
        raise ValueError(f"a return period of {return_period:g} years is none: give more than 1")
    _, least = annual_minima(discharge, time=time, days=days, **settings)
    zeros = int(np.count_nonzero(least <= 0.0))
    if len(least) < _LEAST_YEARS:
        return LowFlow(float("nan"), float("nan"), len(least), zeros)
    rng = np.random.default_rng(seed)
    drawn = least[rng.integers(0, len(least), (_RESAMPLES, len(least)))]
    spread = np.std([_log_pearson(years, 1.0 / return_period) for years in drawn], ddof=1)
    return LowFlow(_log_pearson(least, 1.0 / return_period), float(spread), len(least), zeros)


def _log_pearson(least: NDArray[np.float64], chance: float) -> float:
    flowing = least[least > 0.0]
    dry = 1.0 - len(flowing) / len(least)
    if dry >= chance or len(flowing) < 3:
        return 0.0
    log = np.log10(flowing)
    n, spread = len(log), float(np.std(log, ddof=1))
    if spread == 0.0:
        return float(flowing[0])
    skew = float(n / ((n - 1) * (n - 2)) * np.sum(((log - log.mean()) / spread) ** 3))
    return float(10.0 ** (log.mean() + spread * _frequency_factor(skew, (chance - dry) / (1.0 - dry))))


def _frequency_factor(skew: float, chance: float) -> float:
    """Return how many standard deviations below a chance of Pearson's type III lies."""
    from scipy.stats import pearson3  # noqa: PLC0415 -- slow to import

    return float(pearson3.ppf(chance, skew))
