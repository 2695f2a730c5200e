"""Wet-chemistry analysers: a sample every four hours, a result some time later, and a check standard once a day.

A cycle is known by when its sample was taken. A check sample is the standard, never the water, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import normal, seed_of, uniform, wander
from nilometer.demo.sun import DAY_US, HOUR_US
from nilometer.model.entities import SampleKind

__all__ = ["Analyser", "CycleColumns"]

_MINUTE_US = 60_000_000
Water = Callable[[NDArray[np.int64]], Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class CycleColumns:
    """Results of one analyser: µs of sample and of result, value (NaN: the cycle failed), what was sampled, mark."""

    start: NDArray[np.int64]
    completion: NDArray[np.int64]
    values: NDArray[np.float64]
    sample: NDArray[np.int8]
    marks: NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyser:
    """One analyser.

    Parameters
    ----------
    key : str
        What it measures, vocabulary key, in the vocabulary's unit.
    decimals : int
        Digits after the point that it shows.
    duration_min : int
        From sample to result; the river station's instrument file says the same.
    noise_share, noise : float
        Standard deviation of its results: as a share of the value, and constant.
    standard : float
        Concentration of its check standard.
    seed : str
        Which faults.
    fault_mark, doubtful_mark : str, optional
        What it says of a cycle that failed, and of one it does not trust itself.
    """

    key: str
    decimals: int
    duration_min: int
    standard: float
    noise_share: float
    noise: float
    seed: str
    fault_mark: str | None = "fault"
    doubtful_mark: str | None = "doubtful"
    period_us: int = 4 * HOUR_US
    # 02:00 in China, between two cycles.
    check_at_us: int = 18 * HOUR_US

    def finished_between(self, start: int, end: int, water: Water) -> CycleColumns:
        """Return the cycles whose results come from `start` (µs, inclusive) to `end` (exclusive), by sample time."""
        duration = self.duration_min * _MINUTE_US
        first, last = start - duration, end - duration
        cycles = np.arange(-(-first // self.period_us), -(-last // self.period_us), dtype=np.int64) * self.period_us
        days = np.arange(
            -(-(first - self.check_at_us) // DAY_US), -(-(last - self.check_at_us) // DAY_US), dtype=np.int64
        )
        starts = np.concatenate([cycles, days * DAY_US + self.check_at_us])
        kinds = np.concatenate([np.full(len(cycles), SampleKind.WATER), np.full(len(days), SampleKind.CHECK)])
        order = np.argsort(starts, kind="stable")
        return self._results(starts[order], kinds[order].astype(np.int8), water)

    def newest(self, time: int, water: Water) -> CycleColumns:
        """Return the cycle that is shown at a moment: the last one that is finished; one row."""
        found = self.finished_between(time + 1 - 2 * self.period_us, time + 1, water)
        last = int(np.argmax(found.completion))
        pick = slice(last, last + 1)
        return CycleColumns(
            found.start[pick], found.completion[pick], found.values[pick], found.sample[pick], found.marks[pick]
        )

    def _results(self, starts: NDArray[np.int64], kinds: NDArray[np.int8], water: Water) -> CycleColumns:
        is_check = kinds == SampleKind.CHECK
        number = starts // _MINUTE_US
        true = np.where(is_check, self.standard, np.asarray(water(starts)[self.key]) if len(starts) else 0.0)
        # Reagents age: a slow drift of some percent, seen by the check samples.
        drift = 1.0 + 0.02 * wander(seed_of(self.seed, self.key, "drift"), starts, 5 * 86_400.0)
        noise = normal(seed_of(self.seed, self.key, "noise"), number) * (self.noise + self.noise_share * true)
        values = true * drift + noise
        fate = uniform(seed_of(self.seed, self.key, "fate"), number)
        marks = np.full(starts.shape, None, object)
        bubble = (fate < 0.02) & ~is_check
        values = np.where(bubble, values * 5.0 + 2.0 * self.standard, values)
        failed = (fate >= 0.02) & (fate < 0.035) & ~is_check
        values = np.where(failed, np.nan, values)
        marks[failed] = self.fault_mark
        marks[(fate >= 0.035) & (fate < 0.05) & ~is_check] = self.doubtful_mark
        shown = np.asarray(np.round(np.maximum(values, 0.0), self.decimals), np.float64)
        return CycleColumns(starts, starts + self.duration_min * _MINUTE_US, shown, kinds, marks)
