"""Filters of level series: tides out of it (Godin, Doodson X0, Lanczos), waves out of it (moving means and medians).

What a filter lets pass is known: `Filter.gain`. Ends and gaps are not guessed: a value whose weights do not all find a
sample is missing, unless a share of them is said to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.filters_kernel import box
from nilometer.derivation.record import NO_TIME, record

__all__ = ["Filter", "doodson_x0", "godin", "lanczos", "moving_mean", "moving_median"]

_HOUR_S = 3600.0
_OFF_GRID = 0.1
_LONG = 400  # weights: from here on transforms are faster than products
_X0 = (0, 2, 1, 1, 2, 0, 1, 1, 0, 2, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1)  # from the middle outwards, over 30


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A symmetric, or trailing, weighted mean of evenly sampled values.

    Parameters
    ----------
    name : str
        What it is called.
    weights : ndarray of float64, shape (m,)
        Of the earliest sample first; they sum to 1.
    step_s : float
        The sampling that they are made for.
    ahead : int
        How many samples after its own moment a value takes in: half of them, or 0 for a trailing one.
    boxes : tuple of int
        Lengths of plain means which, one after the other, are the filter; empty where it is none such.
    """

    name: str
    weights: NDArray[np.float64]
    step_s: float
    ahead: int
    boxes: tuple[int, ...] = ()

    def gain(self, period_s: ArrayLike) -> NDArray[np.float64]:
        """Return what is left of the amplitude of a wave, 1.

        Parameters
        ----------
        period_s : array_like, shape (n,)
            s; infinite for the mean. Below zero the wave comes out upside down (symmetric filters only).

        Examples
        --------
        >>> abs(godin().gain([12.4206012 * 3600, 23.9344697 * 3600, np.inf])).round(4).tolist()  # M2, K1, the mean
        [0.0, 0.0, 1.0]
        """
        of = self.ahead - np.arange(len(self.weights))[::-1]
        with np.errstate(divide="ignore"):
            angle = 2.0 * np.pi * self.step_s / np.asarray(period_s, np.float64)
        waves = self.weights * np.exp(1j * angle[..., None] * of)
        total = waves.sum(axis=-1)
        symmetric = 2 * self.ahead + 1 == len(self.weights)
        return np.asarray(total.real if symmetric else np.abs(total), np.float64)

    def apply(
        self, series: Any, *, time: Any = None, least_weight: float = 1.0  # noqa: ANN401 -- any library's series
    ) -> Any:  # fmt: skip  # noqa: ANN401 -- the same kind
        """Return the filtered series.

        Parameters
        ----------
        series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
            On the filter's sampling; rows may be absent, NaN is missing.
        time : array_like or str, optional
            Times, where the series brings none.
        least_weight : float
            Share of the weights (by size) that must find a sample, 0 to 1; what is found is then scaled to 1. At 1 ends
            and gaps are missing over half the filter's length. Below 1 tides leak in: the gain is another there.

        Returns
        -------
        same kind as `series`
            Shape (n,), of the unit of the series.

        Raises
        ------
        ValueError
            If there are no times, they are not on the filter's sampling, or two rows have one time.

        Examples
        --------
        >>> moving_mean(3.0, step_s=1.0).apply([1.0, 2.0, 3.0, 4.0], time=np.arange(4) * 1_000_000)
        [nan, 2.0, 3.0, nan]
        """
        part = record(series, time)
        place = _grid(part.times, self.step_s, self.name)
        n = int(place.max()) + 1 if len(place) else 0
        is_whole = n == len(place) and bool(np.all(place[1:] > place[:-1])) and not np.isnan(part.values).any()
        if is_whole and least_weight >= 1.0:
            centre = float(part.values.mean()) if n else 0.0
            found = self._walk(part.values - centre, self.weights) + centre
            found[: len(self.weights) - 1 - self.ahead] = np.nan
            found[max(n - self.ahead, 0) :] = np.nan
            return part.rewrap(found)
        known = np.flatnonzero((place >= 0) & ~np.isnan(part.values))
        grid, there = np.zeros(n), np.zeros(n)
        centre = float(part.values[known].mean()) if len(known) else 0.0
        grid[place[known]], there[place[known]] = part.values[known] - centre, 1.0
        size = np.abs(self.weights).sum()
        found = self._walk(grid, self.weights)
        share = self._walk(there, np.abs(self.weights)) / size
        weight = self._walk(there, self.weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.where((share >= least_weight - 1e-9) & (weight > 0.0), found / weight, np.nan)
        return part.rewrap(_back(scaled + centre, place))

    def _walk(self, grid: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(grid):
            return np.empty(0)
        if self.boxes:
            whole = np.concatenate([grid, np.zeros(len(weights) - 1)])
            for length in self.boxes:
                out = np.empty_like(whole)
                box(whole, length, out)
                whole = out
            return whole[self.ahead : self.ahead + len(grid)]
        turned = weights[::-1]
        if len(weights) < _LONG:
            whole = np.convolve(grid, turned)
        else:
            from scipy.signal import oaconvolve  # noqa: PLC0415 -- slow to import

            whole = oaconvolve(grid, turned)
        return np.asarray(whole[self.ahead : self.ahead + len(grid)], np.float64)


def godin(step_s: float = _HOUR_S) -> Filter:
    """Return Godin's tide killer: means over 24, 24 and 25 hours, one after the other.

    Parameters
    ----------
    step_s : float
        Sampling, s; divides the hour. Of other than hours, the third mean has one sample more than the 24 hours have.

    Raises
    ------
    ValueError
        If the step does not divide an hour.

    References
    ----------
    Godin (1972), The Analysis of Tides; as in Thompson (1983), J. Phys. Oceanogr. 13, 1077-1083.

    Examples
    --------
    >>> len(godin().weights), godin().weights.sum().round(12).item()
    (71, 1.0)
    """
    day = _samples(24 * _HOUR_S, step_s, "godin")
    once = np.full(day, 1.0 / day)
    weights = np.convolve(np.convolve(once, once), np.full(day + 1, 1.0 / (day + 1)))
    return Filter("godin", weights, step_s, len(weights) // 2, (day, day, day + 1))


def doodson_x0() -> Filter:
    """Return Doodson's X0 filter of 39 hours, the one by which daily mean sea levels are made.

    References
    ----------
    Doodson (1928), as in IOC Manuals and Guides 14, volume I (1985), section on the computation of mean sea level.

    Examples
    --------
    >>> len(doodson_x0().weights), abs(doodson_x0().gain([43200.0, 86400.0])).max().round(3).item()
    (39, 0.0)
    """
    half = np.array(_X0, np.float64) / 30.0
    return Filter("doodson_x0", np.concatenate([half[:0:-1], half]), _HOUR_S, len(_X0) - 1)


def lanczos(step_s: float = _HOUR_S, *, cutoff_s: float = 40 * _HOUR_S, half_s: float = 60 * _HOUR_S) -> Filter:
    """Return a Lanczos-cosine low-pass filter.

    Parameters
    ----------
    step_s : float
        Sampling, s.
    cutoff_s : float
        Period of which half the amplitude is left, s.
    half_s : float
        How far the weights reach on either side, s: the longer, the sharper the cut and the longer the ends.

    Raises
    ------
    ValueError
        If the filter reaches less than two samples, or cuts beyond what the sampling holds.

    References
    ----------
    Duchon (1979), J. Appl. Meteor. 18, 1016-1022, equation 9: a cut cosine series smoothed by sigma factors.

    Examples
    --------
    >>> lanczos().gain([40 * 3600.0]).round(1).tolist()
    [0.5]
    """
    n = round(half_s / step_s)
    if n < 2 or cutoff_s <= 2.0 * step_s:
        raise ValueError(f"half_s {half_s:g} s and cutoff_s {cutoff_s:g} s are too short for steps of {step_s:g} s")
    k = np.arange(-n, n + 1)
    weights = np.sinc(2.0 * step_s / cutoff_s * k) * np.sinc(k / (n + 1))
    return Filter("lanczos", weights / weights.sum(), step_s, n)


def moving_mean(length_s: float, *, step_s: float, trailing: bool = False) -> Filter:
    """Return a moving mean.

    Parameters
    ----------
    length_s : float
        s; 8 h and 24 h are those of many rules.
    step_s : float
        Sampling, s.
    trailing : bool
        A value is the mean of the `length_s` that end with it; else it stands in their middle, and an even number of
        samples has half a weight at both ends.

    Raises
    ------
    ValueError
        If the length is no multiple of the step.

    Examples
    --------
    >>> moving_mean(4.0, step_s=1.0).weights.tolist(), moving_mean(4.0, step_s=1.0, trailing=True).weights.tolist()
    ([0.125, 0.25, 0.25, 0.25, 0.125], [0.25, 0.25, 0.25, 0.25])
    """
    n = _samples(length_s, step_s, "moving_mean")
    if trailing or n % 2:
        return Filter("moving_mean", np.full(n, 1.0 / n), step_s, 0 if trailing else n // 2, (n,))
    return Filter("moving_mean", np.array([0.5, *[1.0] * (n - 1), 0.5]) / n, step_s, n // 2, (n, 2))


def moving_median(
    series: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    length_s: float,
    step_s: float,
    least_share: float = 0.5,
) -> Any:  # noqa: ANN401 -- the same kind
    """Return the median of the values about each, which spikes and single waves do not move.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        NaN is missing; rows may be absent.
    time : array_like or str, optional
        Times, where the series brings none.
    length_s, step_s : float
        Length of the window, an odd number of samples (one is added to an even one), and sampling, s.
    least_share : float
        Share of the window's samples that must be there; else the median is missing.

    Returns
    -------
    same kind as `series`
        Shape (n,).

    Raises
    ------
    ValueError
        As in `Filter.apply`.

    Examples
    --------
    >>> moving_median([1.0, 9.0, 2.0, 3.0], time=np.arange(4) * 1_000_000, length_s=3.0, step_s=1.0)
    [5.0, 2.0, 3.0, 2.5]
    """
    part = record(series, time)
    place = _grid(part.times, step_s, "moving_median")
    n = int(place.max()) + 1 if len(place) else 0
    half = _samples(length_s, step_s, "moving_median") // 2
    grid = np.full(n + 2 * half, np.nan)
    known = place >= 0
    grid[place[known] + half] = part.values[known]
    found = np.full(n, np.nan)
    every = np.lib.stride_tricks.sliding_window_view(grid, 2 * half + 1) if n else np.empty((0, 1))
    for start in range(0, n, 65_536):
        some = every[start : start + 65_536]
        enough = np.count_nonzero(~np.isnan(some), axis=1) >= max(least_share * some.shape[1], 1)
        found[start : start + len(some)][enough] = np.nanmedian(some[enough], axis=1)
    return part.rewrap(_back(found, place))


def _samples(length_s: float, step_s: float, name: str) -> int:
    n = round(length_s / step_s)
    if n < 1 or abs(n * step_s - length_s) > 1e-6 * length_s:
        raise ValueError(f"{name}: {length_s:g} s is no multiple of the step of {step_s:g} s")
    return n


def _grid(times: NDArray[np.int64], step_s: float, name: str) -> NDArray[np.int64]:
    """Return the place of each time on even steps from the earliest; -1 where there is none."""
    step = round(step_s * 1e6)
    if len(times) > 1 and times[0] != NO_TIME and np.all(np.diff(times) == step):
        return np.arange(len(times))
    there = times != NO_TIME
    place = np.full(len(times), -1, np.int64)
    if not there.any():
        return place
    known = times if there.all() else times[there]
    since = known - known.min()
    whole = (since + step // 2) // step
    off = np.abs(since - whole * step)
    if off.max() > _OFF_GRID * step:
        at = int(np.argmax(off))
        raise ValueError(f"{name}: row {at} lies {off[at] / step:.2f} steps off a sampling of {step_s:g} s")
    steps = np.diff(whole)
    if not np.all(steps > 0) and not np.all(np.diff(np.sort(whole)) > 0):
        raise ValueError(f"{name}: two rows have one time")
    place[there] = whole
    return place


def _back(grid: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(place >= 0, grid[place], np.nan) if len(grid) else np.full(len(place), np.nan)
