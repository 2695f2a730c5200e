"""How well a mean is known from values that know of each other: standard errors under autocorrelation, means of bursts.

This is the error of sampling a quantity that goes on changing, not of the instrument: that one is in
`statistics.period_statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.operands import bare
from nilometer.derivation.record import NO_TIME, record
from nilometer.series import unpack

__all__ = ["BurstMeans", "burst_means", "effective_size", "standard_error"]


def effective_size(values: Any) -> float:  # noqa: ANN401 -- any library's series
    """Return how many independent values evenly sampled ones are worth.

    Parameters
    ----------
    values : array_like, pandas.Series, polars.Series, xarray.DataArray or pint.Quantity of one, shape (n,)
        Evenly sampled; NaN is missing and counts in no product.

    Returns
    -------
    float
        n / (1 + 2 sum of (1 - k/n) r_k) with autocorrelations r_k up to the first below zero; between 1 and n; NaN of
        fewer than two.

    References
    ----------
    Zieba (2010), Metrology and Measurement Systems 17, 3-16, equation 6; the sum is cut as in Zieba and Ramza (2011),
    Metrology and Measurement Systems 18, 529-542.

    Examples
    --------
    >>> effective_size([1.0, 2.0, 1.0, 2.0])
    4.0
    """
    y = unpack(bare(values)[0]).values
    there = ~np.isnan(y)
    n = int(np.count_nonzero(there))
    if n < 2:
        return float("nan")
    off = np.where(there, y - np.mean(y[there]), 0.0)
    if not np.any(off):
        return float(n)
    from scipy.fft import irfft, next_fast_len, rfft  # noqa: PLC0415 -- slow to import

    size = next_fast_len(2 * len(y), real=True)

    def products(column: NDArray[np.float64]) -> NDArray[np.float64]:
        lines = rfft(column, size)
        return np.asarray(irfft(lines * lines.conj(), size)[: len(y)], np.float64)

    pairs = np.rint(products(there.astype(np.float64)))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(pairs > 0, products(off) / pairs, -1.0)
    r = r / r[0]
    last = int(np.argmax(r < 0.0)) if np.any(r < 0.0) else len(r)
    k = np.arange(1, last)
    return float(min(max(n / (1.0 + 2.0 * np.sum((1.0 - k / len(y)) * r[1:last])), 1.0), n))


def standard_error(values: Any) -> float:  # noqa: ANN401 -- any library's series
    """Return the standard error (k = 1) of the mean of evenly sampled values, heeding their autocorrelation.

    Parameters
    ----------
    values : array_like, shape (n,)
        As in `effective_size`.

    Returns
    -------
    float
        Standard deviation over the root of the effective size, in the values' unit; NaN of fewer than two.

    References
    ----------
    Zieba (2010), equation 17: the variance itself is taken about the mean of as many independent values.

    Examples
    --------
    >>> round(standard_error([1.0, 2.0, 1.0, 2.0]), 4)
    0.2887
    """
    y = unpack(bare(values)[0]).values
    y = y[~np.isnan(y)]
    worth = effective_size(values)
    if not worth > 1.0:
        return float("nan")
    n = len(y)
    variance = float(np.var(y)) * worth / (worth - 1.0)
    return float(np.sqrt(variance / worth)) if n else float("nan")


@dataclass(frozen=True, slots=True)
class BurstMeans:
    """Means of bursts, an element a burst.

    Parameters
    ----------
    time : ndarray of int64
        Middle of the burst, µs since 1970 UTC.
    mean : ndarray of float64
        NaN where too few samples are there.
    standard_error : ndarray of float64
        Of sampling (k = 1), heeding autocorrelation.
    n : ndarray of int64
        Samples that are there.
    """

    time: NDArray[np.int64]
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    n: NDArray[np.int64]


def burst_means(
    series: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    pause_s: float,
    least_share: float = 0.75,
) -> BurstMeans:
    """Return the mean of each burst of a record that samples and rests in turn: the still-water level of a wave gauge.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        NaN is missing.
    time : array_like or str, optional
        Times, where the series brings none.
    pause_s : float
        A longer step begins another burst, s.
    least_share : float
        Of the samples of the longest burst that must be there.

    Returns
    -------
    BurstMeans

    Raises
    ------
    ValueError
        If there are no times.

    Examples
    --------
    >>> second = np.concatenate([np.arange(60), 600 + np.arange(60)]) * 1_000_000
    >>> found = burst_means(np.repeat([1.0, 2.0], 60), time=second, pause_s=10.0)
    >>> found.mean.tolist(), (found.time // 1_000_000).tolist(), found.n.tolist()
    ([1.0, 2.0], [29, 629], [60, 60])
    """
    part = record(series, time)
    order = np.flatnonzero(part.times != NO_TIME)
    order = order[np.argsort(part.times[order], kind="stable")]
    when, y = part.times[order], part.values[order]
    parts = np.split(np.arange(len(y)), np.flatnonzero(np.diff(when) > pause_s * 1e6) + 1) if len(y) else []
    longest = max((len(rows) for rows in parts), default=0)
    n = np.array([np.count_nonzero(~np.isnan(y[rows])) for rows in parts], np.int64)
    enough = n >= max(least_share * longest, 1)
    pairs = list(zip(parts, enough, strict=True))
    return BurstMeans(
        np.array([(when[rows[0]] + when[rows[-1]]) // 2 for rows in parts], np.int64),
        np.array([np.nanmean(y[rows]) if will_do else np.nan for rows, will_do in pairs], np.float64),
        np.array([standard_error(y[rows]) if will_do else np.nan for rows, will_do in pairs], np.float64),
        n,
    )
