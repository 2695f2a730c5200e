"""High and low waters, and the levels that are named after them.

Of a prediction they are where its derivative is nothing; of an observed series, the top of a parabola through an
extreme sample and its neighbours. What counts as one high water among ripples is a stated least range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation import tide_kernel as kernel
from nilometer.derivation.record import record
from nilometer.derivation.tide import HarmonicConstants, clock, levels, vectors
from nilometer.series import microseconds

__all__ = ["Extremes", "datums", "observed_extremes", "predicted_extremes"]

_STEP_US = 600_000_000
_MARGIN_US = 150 * _STEP_US  # a lunar day: what comes back after the end tells what was a water before it
_HOUR_US = 3_600_000_000
_YEAR_US = 365.25 * 24 * _HOUR_US
_LUNAR_DAY_US = 24.8412 * _HOUR_US
_LEAST_CYCLES = 10


@dataclass(frozen=True, slots=True)
class Extremes:
    """High and low waters in turn.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    level : ndarray of float64, shape (n,)
        In the unit of what they are of.
    is_high : ndarray of bool, shape (n,)
        High water, or low.
    """

    time: NDArray[np.int64]
    level: NDArray[np.float64]
    is_high: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def highs(self) -> NDArray[np.float64]:
        """Levels of the high waters."""
        return self.level[self.is_high]

    @property
    def lows(self) -> NDArray[np.float64]:
        """Levels of the low waters."""
        return self.level[~self.is_high]


def predicted_extremes(
    constants: HarmonicConstants,
    start: Any,  # noqa: ANN401 -- a time of any kind
    end: Any,  # noqa: ANN401 -- a time of any kind
    *,
    least_range: float = 0.0,
) -> Extremes:
    """Return the high and low waters of the astronomical tide.

    Parameters
    ----------
    constants : HarmonicConstants
        Of the place.
    start, end : datetime, numpy.datetime64, str or int
        From when to when, both inclusive; naive is UTC, int is µs.
    least_range : float
        A water is one once the level has come back from it by so much; in the constants' unit.

    Returns
    -------
    Extremes
        Times to the second or better. Of high waters with no such fall between them the highest stays.

    Raises
    ------
    ValueError
        If start or end is no time.

    Examples
    --------
    >>> found = predicted_extremes(HarmonicConstants(["S2"], [1.0], [90.0]), "2024-01-01", "2024-01-01T12:00")
    >>> [str(np.datetime64(int(round(t, -6)), "us"))[11:16] for t in found.time], found.level.round(3).tolist()
    (['03:00', '09:00'], [1.0, -1.0])
    """
    first, last = (int(microseconds([moment])[0]) for moment in (start, end))
    if last < first:
        return Extremes(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
    grid = np.arange(first - _MARGIN_US, last + _MARGIN_US + _STEP_US, _STEP_US, dtype=np.int64)
    rise = np.diff(levels(constants, grid)) > 0.0
    at = np.flatnonzero(rise[1:] != rise[:-1]) + 1
    time = np.rint(_newton(constants, grid, at)).astype(np.int64)
    level, is_high = levels(constants, time), rise[at - 1]
    stays = _zigzag(level, is_high, least_range)
    stays = stays[(time[stays] >= first) & (time[stays] <= last)]
    return Extremes(time[stays], level[stays], is_high[stays])


def _newton(constants: HarmonicConstants, grid: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where the derivative is nothing within a step of grid points, µs of UTC."""
    if not len(at):
        return np.empty(0)
    shift = float(clock(constants, np.zeros(1, np.int64))[0])
    made = vectors(constants, int(grid[0] + shift), int(grid[-1] + shift))
    trend = constants.trend / _YEAR_US
    time = grid[at].astype(np.float64)
    low, high = time - _STEP_US, time + _STEP_US
    for _ in range(6):
        found = np.zeros((3, len(time)))
        kernel.slopes(time + shift, made.first, made.block, made.knots, made.rates, found)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (found[1] + trend) / found[2]
        step = np.where(np.isfinite(step), step, 0.0)
        time = np.clip(time - step, low, high)
        if np.max(np.abs(step)) < 1e4:  # 10 ms
            break
    return time


def observed_extremes(
    level: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    least_range: float = 0.0,
    longest_gap_s: float = 7200.0,
) -> Extremes:
    """Return the high and low waters of an observed level.

    Parameters
    ----------
    level : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Smoothed before, where waves or seiches are in it (`filters`). NaN is missing.
    time : array_like or str, optional
        Times, where the series brings none.
    least_range : float
        As in `predicted_extremes`, in the unit of the level.
    longest_gap_s : float
        A longer one ends a run; its first and last samples are no extremes.

    Returns
    -------
    Extremes
        By a parabola through three samples; where they stand level, their middle.

    Raises
    ------
    ValueError
        If there are no times.

    Examples
    --------
    >>> hours = np.arange(48)
    >>> found = observed_extremes(np.cos(np.radians(29.0 * (hours - 5.3))), time=hours * 3_600_000_000)
    >>> round(float(found.time[0]) / 3.6e9, 2), round(float(found.level[0]), 2), bool(found.is_high[0])
    (5.3, 1.0, True)
    """
    part = record(level, time)
    there = np.flatnonzero(~np.isnan(part.values) & (part.times != np.iinfo(np.int64).min))
    there = there[np.argsort(part.times[there], kind="stable")]
    when, y = part.times[there], part.values[there]
    cuts = np.flatnonzero(np.diff(when) > longest_gap_s * 1e6) + 1
    runs = [_of_run(when[rows], y[rows], least_range) for rows in np.split(np.arange(len(y)), cuts) if len(rows) > 2]
    if not runs:
        return Extremes(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
    moment, top, is_high = (np.concatenate(column) for column in zip(*runs, strict=True))
    return Extremes(moment, top, is_high)


def _of_run(
    when: NDArray[np.int64], y: NDArray[np.float64], least_range: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    first = np.flatnonzero(np.append(True, np.diff(y) != 0.0))  # of a level stretch its first stands for it
    last = np.append(first[1:] - 1, len(y) - 1)
    rise = np.diff(y[first]) > 0.0
    if not len(rise):
        return np.empty(0, np.int64), np.empty(0), np.empty(0, bool)
    at = np.flatnonzero(rise[1:] != rise[:-1]) + 1
    begin, end = first[at], last[at]
    moment, top = (when[begin] + when[end]) // 2, y[begin].copy()
    single = begin == end
    moment[single], top[single] = _parabola(when, y, begin[single])
    # Both ends of the run tell whether the level came back, and are no extremes themselves.
    is_high = np.concatenate([[not rise[0]], rise[at - 1], [rise[-1]]])
    stays = _zigzag(np.concatenate([[y[0]], top, [y[-1]]]), is_high, least_range)
    stays = stays[(stays > 0) & (stays <= len(at))] - 1
    return moment[stays], top[stays], is_high[1:-1][stays]


def _parabola(
    time: NDArray[np.int64], y: NDArray[np.float64], at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    before, after = (time[at] - time[at - 1]).astype(float), (time[at + 1] - time[at]).astype(float)
    left, right = (y[at] - y[at - 1]) / before, (y[at + 1] - y[at]) / after
    bend = (right - left) / (before + after)
    slope = left + bend * before
    shift = np.where(bend != 0.0, -slope / (2.0 * np.where(bend != 0.0, bend, 1.0)), 0.0)
    return time[at] + np.rint(shift).astype(np.int64), y[at] + slope * shift + bend * shift**2


def _zigzag(level: NDArray[np.float64], is_high: NDArray[np.bool_], least_range: float) -> NDArray[np.int64]:
    """Return which extremes stay: a water is one once the level has come back from it by the least range."""
    kept: list[int] = []
    last = 0
    for at in range(1, len(level)):
        if is_high[at] == is_high[last]:
            if (level[at] > level[last]) == is_high[at]:
                last = at
        elif abs(level[at] - level[last]) >= least_range:
            kept.append(last)
            last = at
    return np.array([*kept, last] if len(level) else [], np.int64)


def datums(constants: HarmonicConstants, start: Any = "2000-01-01", *, years: float = 19.0) -> dict[str, float]:  # noqa: ANN401
    """Return the tidal levels of a place, from its predicted tide of many years.

    Parameters
    ----------
    constants : HarmonicConstants
        Of the place; a trend is left out, and f and u of the middle are those of each time here.
    start : datetime, numpy.datetime64, str or int
        When the years begin.
    years : float
        How many; 19 hold a turn of the moon's node.

    Returns
    -------
    dict of str to float
        In the constants' unit: HAT and LAT, highest and lowest astronomical tide; MHHW, MHW, MTL, MSL, MLW, MLLW, mean
        of the (higher) high waters, of high and low waters, of the level, of the (lower) low waters; MHWS, MLWS (M2 +
        S2 about the mean) and MHWN, MLWN (M2 - S2) where both are known.

    Raises
    ------
    ValueError
        If the tide turns fewer than ten times.

    References
    ----------
    International Hydrographic Organization, Resolutions 3/1919 as amended (LAT and HAT over at least 18.6 years);
    NOAA (2000), Tide and Current Glossary: higher and lower waters are those of each tidal day, here of 24.84 h.

    Examples
    --------
    >>> found = datums(HarmonicConstants(["M2", "S2"], [1.75, 0.48], [59.5, 117.7], nodal="none"), years=1.0)
    >>> round(found["HAT"], 2), round(found["LAT"], 2), round(found["MHWS"], 2)
    (2.23, -2.23, 2.23)
    """
    level = replace(constants, trend=0.0, nodal="each" if constants.nodal == "middle" else constants.nodal)
    first = int(microseconds([start])[0])
    found = predicted_extremes(level, first, first + round(years * _YEAR_US))
    if len(found) < 2 * _LEAST_CYCLES:
        raise ValueError(f"the tide turns {len(found)} times in {years} years: no datum rests on so few")
    highs, lows = found.highs, found.lows
    day = ((found.time - found.time[0]) // _LUNAR_DAY_US).astype(np.int64)
    result = {
        "HAT": float(highs.max()),
        "MHHW": _of_days(day[found.is_high], highs, np.maximum),
        "MHW": float(highs.mean()),
        "MTL": float((highs.mean() + lows.mean()) / 2.0),
        "MSL": constants.mean,
        "MLW": float(lows.mean()),
        "MLLW": _of_days(day[~found.is_high], lows, np.minimum),
        "LAT": float(lows.min()),
    }
    if {"M2", "S2"} <= set(constants.names):
        m2, s2 = constants["M2"][0], constants["S2"][0]
        result |= {"MHWS": constants.mean + m2 + s2, "MHWN": constants.mean + m2 - s2}
        result |= {"MLWN": constants.mean - m2 + s2, "MLWS": constants.mean - m2 - s2}
    return result


def _of_days(day: NDArray[np.int64], level: NDArray[np.float64], pick: np.ufunc) -> float:
    starts = np.flatnonzero(np.append(True, np.diff(day) > 0))
    return float(np.mean(pick.reduceat(level, starts)))
