"""How often, how long and by how much: percentiles by a named plotting position, duration curves, exceedances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.operands import bare, quantity
from nilometer.derivation.record import NO_TIME, record
from nilometer.series import unpack

__all__ = ["POSITIONS", "Exceedances", "exceedances", "flow_duration", "percentile"]

POSITIONS: dict[str, float] = {
    "weibull": 0.0,
    "blom": 0.375,
    "cunnane": 0.4,
    "gringorten": 0.44,
    "hazen": 0.5,
    "median": 1.0 / 3.0,  # Hyndman and Fan type 8
    "linear": 1.0,  # type 7: spreadsheets, NumPy
}
"""a of the plotting position (i - a) / (n + 1 - 2a) of the i-th of n values."""


def percentile(values: Any, percent: ArrayLike, *, position: str = "weibull") -> Any:  # noqa: ANN401 -- any series
    """Return percentiles by a plotting position, on the line between two values.

    Parameters
    ----------
    values : array_like, pandas.Series, polars.Series, xarray.DataArray or pint.Quantity of one, shape (n,)
        NaN is missing. Values below a detection limit may be given as the limit, where no percentile falls on them.
    percent : array_like, shape (m,)
        0 to 100: below which so many per cent lie.
    position : str
        One of POSITIONS.

    Returns
    -------
    ndarray of float64, shape (m,)
        A quantity where the values are one; NaN beyond the positions of the least and the greatest value: a sample says
        nothing of what lies there.

    Raises
    ------
    ValueError
        If there is no such position, or a per cent is none.

    References
    ----------
    Cunnane (1978), J. Hydrol. 37, 205-222; Hyndman and Fan (1996), Am. Stat. 50, 361-365.

    Examples
    --------
    >>> percentile(range(1, 10), [10, 50, 95]).tolist()
    [1.0, 5.0, nan]
    >>> percentile(range(1, 10), 90, position="linear").round(9).item()
    8.2
    """
    if position not in POSITIONS:
        raise ValueError(f"{position!r} is no plotting position: {', '.join(POSITIONS)}")
    a = POSITIONS[position]
    p = np.asarray(percent, np.float64) / 100.0
    if np.any((p < 0.0) | (p > 1.0)):
        raise ValueError(f"per cents lie between 0 and 100, not {np.asarray(percent)[(p < 0.0) | (p > 1.0)]}")
    series, unit = bare(values)
    y = unpack(series).values
    y = np.sort(y[~np.isnan(y)])
    n = len(y)
    rank = p * (n + 1.0 - 2.0 * a) + a
    inside = (rank >= 1.0 - 1e-9) & (rank <= n + 1e-9) & (n > 0)
    found = np.where(inside, np.interp(rank, np.arange(1, n + 1), y) if n else np.nan, np.nan)
    return found if series is values or unit is None else quantity(values, found, unit, is_difference=False)


def flow_duration(
    discharge: Any,  # noqa: ANN401 -- any library's series
    exceeded: ArrayLike = (5, 10, 25, 50, 75, 90, 95),
    *,
    position: str = "weibull",
) -> Any:  # noqa: ANN401 -- an array or a quantity
    """Return the discharges that are exceeded for shares of the time: Q95 is the low flow that 95 % of days exceed.

    Parameters
    ----------
    discharge : array_like, shape (n,)
        Of equal times, such as daily means; NaN is missing.
    exceeded : array_like, shape (m,)
        Per cent of the time.
    position : str
        One of POSITIONS.

    Returns
    -------
    ndarray of float64, shape (m,)
        In the unit of the discharge.

    Raises
    ------
    ValueError
        As in `percentile`.

    References
    ----------
    Searcy (1959), Flow-duration curves, USGS Water-Supply Paper 1542-A.

    Examples
    --------
    >>> flow_duration(range(1, 100), [10, 50, 95]).round(9).tolist()
    [90.0, 50.0, 5.0]
    """
    return percentile(discharge, 100.0 - np.asarray(exceeded, np.float64), position=position)


@dataclass(frozen=True, slots=True)
class Exceedances:
    """Times beyond a limit, an element an event.

    Parameters
    ----------
    start, end : ndarray of int64
        First and last value beyond the limit, µs since 1970 UTC.
    extreme : ndarray of float64
        The furthest value.
    n : ndarray of int64
        Values beyond it.
    share : float
        Of all values that are there, those beyond, 1.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    extreme: NDArray[np.float64]
    n: NDArray[np.int64]
    share: float

    def __len__(self) -> int:
        return len(self.start)


def exceedances(
    series: Any,  # noqa: ANN401 -- any library's series
    limit: float,
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    is_below: bool = False,
    longest_gap_s: float = np.inf,
) -> Exceedances:
    """Return when a series was beyond a limit.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        NaN is missing, and neither begins nor ends an event.
    limit : float
        Above it, not at it; below it with `is_below`.
    time : array_like or str, optional
        Times, where the series brings none.
    is_below : bool
        Whether what lies below the limit is looked for.
    longest_gap_s : float
        A longer time between two values ends an event, s.

    Returns
    -------
    Exceedances

    Raises
    ------
    ValueError
        If there are no times.

    Examples
    --------
    >>> found = exceedances([1.0, 3.0, 4.0, 1.0, 5.0], 2.0, time=np.arange(5) * 1_000_000)
    >>> found.start.tolist(), found.extreme.tolist(), found.share
    ([1000000, 4000000], [4.0, 5.0], 0.6)
    """
    part = record(series, time)
    there = np.flatnonzero(~np.isnan(part.values) & (part.times != NO_TIME))
    there = there[np.argsort(part.times[there], kind="stable")]
    when, y = part.times[there], part.values[there]
    beyond = y < limit if is_below else y > limit
    cut = np.append(True, np.diff(when) > longest_gap_s * 1e6) if len(y) else np.empty(0, bool)
    begins = np.flatnonzero(beyond & (~np.append(False, beyond[:-1]) | cut))
    ends = np.flatnonzero(beyond & (~np.append(beyond[1:], False) | np.append(cut[1:], True)))
    extreme = np.minimum if is_below else np.maximum
    peaks = [extreme.reduce(y[a : b + 1]) for a, b in zip(begins, ends, strict=True)]
    share = float(np.mean(beyond)) if len(y) else float("nan")
    return Exceedances(
        when[begins], when[ends], np.array(peaks, np.float64), (ends - begins + 1).astype(np.int64), share
    )
