"""A recorded series made ready to learn from: in time order, without fill values, with its interval and resolution.

History is contaminated: fill values, stuck values, spikes, drift. What is plainly no measurement is taken out here;
the rest is left to quantiles that a small share of bad values does not move (`nilometer.qc.tails`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.series import NO_TIME

__all__ = ["DAY", "HOUR", "History"]

HOUR = 3_600_000_000
DAY = 24 * HOUR
_REPEATS = 3  # a far number that comes back to the last digit is a fill value
_FAR = 20.0  # spreads from the middle


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What can be learnt from.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC, rising.
    values : ndarray of float64, shape (n,)
        Finite.
    given : int
        Rows of the series.
    fill : dict of float to int
        Numbers that were taken for no measurement, and how often they came.
    outside : int
        Values outside what the sensor can give, left out.
    interval : float
        The usual step, µs.
    resolution : float
        The usual step of the values; 0 where they have none.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    given: int
    fill: dict[float, int]
    outside: int
    interval: float
    resolution: float

    @classmethod
    def of(
        cls, times: NDArray[np.int64], values: NDArray[np.float64], sensor: tuple[float, float] | None = None
    ) -> History:
        """Return the history of a series.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC; any order.
        values : ndarray of float64, shape (n,)
            NaN where there is none.
        sensor : tuple of float, optional
            What the sensor can give, both ends included.

        Raises
        ------
        ValueError
            If fewer than 100 values are left, or they hold no time.
        """
        there = np.isfinite(values) & (times != NO_TIME)
        kept_times, kept = times[there], values[there]
        order = np.argsort(kept_times, kind="stable")
        kept_times, kept = kept_times[order], kept[order]
        first = np.concatenate([[True], np.diff(kept_times) > 0]) if len(kept_times) else np.zeros(0, bool)
        kept_times, kept = kept_times[first], kept[first]
        fill = _fill_values(kept)
        real = ~np.isin(kept, list(fill))
        inside = real if sensor is None else real & (kept >= sensor[0]) & (kept <= sensor[1])
        outside = int(real.sum() - inside.sum())
        kept_times, kept = kept_times[inside], kept[inside]
        if len(kept) < 100:
            raise ValueError(f"{len(kept)} usable values of {len(values)}: at least 100 are needed to learn from")
        return cls(
            times=kept_times,
            values=kept,
            given=len(values),
            fill=fill,
            outside=outside,
            interval=float(np.median(np.diff(kept_times))),
            resolution=_resolution(kept),
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def days(self) -> float:
        """Days from the first value to the last."""
        return float(self.times[-1] - self.times[0]) / DAY

    @property
    def years(self) -> float:
        """Years of values, holes left out; at least a week's share."""
        return max(7 / 365.25, len(self) * self.interval / (365.25 * DAY))

    def taken(self, rows: NDArray[np.bool_]) -> History:
        """Return the history of some of the rows."""
        return History(
            times=self.times[rows],
            values=self.values[rows],
            given=self.given,
            fill=self.fill,
            outside=self.outside,
            interval=self.interval,
            resolution=self.resolution,
        )

    def runs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first and last row of every run of equal values; a hole longer than 10 intervals ends a run."""
        step = np.diff(self.times) > 10 * self.interval
        change = np.flatnonzero((np.abs(np.diff(self.values)) > 0.5 * self.resolution) | step) + 1
        return np.concatenate([[0], change]), np.concatenate([change - 1, [len(self) - 1]])

    def neighbours(self) -> NDArray[np.bool_]:
        """Return, for each step between two rows, whether it is no longer than two and a half intervals."""
        return np.asarray(np.diff(self.times) <= 2.5 * self.interval)


def _fill_values(values: NDArray[np.float64]) -> dict[float, int]:
    """Return far numbers that come back to the last digit: fill values, and the end of an instrument's range."""
    if len(values) == 0:
        return {}
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    spread = max(high - low, 1e-9 * max(1.0, abs(middle)))
    far = values[np.abs(values - middle) > _FAR * spread]
    numbers, counts = np.unique(far, return_counts=True)
    # An excursion repeats itself too, here and there; a fill value is a good part of what is out there.
    return {
        float(number): int(count)
        for number, count in zip(numbers, counts, strict=True)
        if count >= max(_REPEATS, 0.1 * len(far)) or _is_nines(float(number))
    }


def _is_nines(number: float) -> bool:
    digits = f"{abs(number):.12g}".replace(".", "")
    return len(digits) >= 3 and set(digits) == {"9"}


def _resolution(values: NDArray[np.float64]) -> float:
    """Return the usual step between neighbouring distinct values in the middle 90 %: the last digit there is."""
    low, high = np.quantile(values, [0.05, 0.95])
    distinct = np.unique(values[(values >= low) & (values <= high)])
    gaps = np.diff(distinct)
    gaps = gaps[gaps > 1e-9 * max(1.0, abs(high), abs(low))]
    if len(gaps) < 5:
        return float(gaps.min()) if len(gaps) else 0.0
    step = float(np.quantile(gaps, 0.1))
    return float(f"{step:.2g}") if (high - low) / step < 1e5 else 0.0
