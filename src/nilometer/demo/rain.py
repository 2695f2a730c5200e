"""Rain: storms drawn day by day, and how a catchment answers them.

Storms are a Poisson process whose rate follows the year. Each day's storms hang on the seed and the day alone, so any
moment knows its storms without what was computed before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import uniform
from nilometer.demo.sun import DAY_US, HOUR_US, season

__all__ = ["Climate", "Storm", "rain_rate", "response", "storms_between"]

_MOST_A_DAY = 3


@dataclass(frozen=True, slots=True)
class Climate:
    """How it rains: storms a day in the mean of the year, how much more at its peak, mean depth and length of one."""

    seed: int
    storms_a_day: float = 0.30
    yearly_share: float = 0.45
    peak_day: float = 172.0  # the plum rains of the lower Yangtze
    depth_mm: float = 13.0
    length_h: float = 5.0


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm: µs of its start and end, mm, and the share (0 to 1) of dirt that has gathered since the last one."""

    start: int
    end: int
    depth_mm: float
    gathered: float


@lru_cache(maxsize=4096)
def _storms_of(climate: Climate, day: int) -> tuple[tuple[int, int, float], ...]:
    place = np.array([day * 16], np.int64)
    rate = climate.storms_a_day * (
        1.0 + climate.yearly_share * float(season(np.array([day * DAY_US]), climate.peak_day)[0])
    )
    draws = uniform(climate.seed, place + np.arange(1 + 3 * _MOST_A_DAY))
    found = []
    for n in range(_poisson(rate, float(draws[0]))):
        begin, length, depth = (float(draws[1 + 3 * n + k]) for k in range(3))
        start = day * DAY_US + int(begin * DAY_US)
        hours = 1.0 - climate.length_h * math.log(1.0 - 0.98 * length)
        found.append((start, start + int(hours * HOUR_US), 1.0 - climate.depth_mm * math.log(1.0 - 0.99 * depth)))
    return tuple(sorted(found))


def _poisson(rate: float, draw: float) -> int:
    """Return the Poisson number of a uniform draw, at most `_MOST_A_DAY`."""
    chance = total = math.exp(-rate)
    n = 0
    while draw > total and n < _MOST_A_DAY:
        n += 1
        chance *= rate / n
        total += chance
    return n


def storms_between(climate: Climate, start: int, end: int) -> list[Storm]:
    """Return the storms that begin from the day of `start` to the day of `end` (µs), in order."""
    first = start // DAY_US
    raw = [storm for day in range(first - 10, end // DAY_US + 1) for storm in _storms_of(climate, day)]
    storms = []
    for before, (begin, finish, depth) in zip([None, *raw], raw, strict=False):
        dry_days = 10.0 if before is None else min(max(begin - before[1], 0) / DAY_US, 10.0)
        storms.append(Storm(begin, finish, depth, 1.0 - math.exp(-dry_days / 4.0)))
    return [storm for storm in storms if storm.start >= first * DAY_US]


def rain_rate(climate: Climate, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the rain of the moment, mm h-1: each storm a half sine; shape (n,)."""
    moments = np.asarray(times, np.int64)
    rate = np.zeros(moments.shape)
    if not len(moments):
        return rate
    for storm in storms_between(climate, int(moments.min()) - 2 * DAY_US, int(moments.max())):
        during = (moments >= storm.start) & (moments < storm.end)
        length = storm.end - storm.start
        peak = storm.depth_mm * math.pi / 2.0 / (length / HOUR_US)
        rate += np.where(during, peak * np.sin(math.pi * (moments - storm.start) / length), 0.0)
    return rate


def response(
    climate: Climate, times: NDArray[np.int64], *, rise_h: float, recession_h: float, gathered: bool = False
) -> NDArray[np.float64]:
    """Return how a catchment answers its storms, summed over those of the last ten days.

    A storm's answer is depth × (exp(−τ/recession) − exp(−τ/rise)), scaled so that its highest value is the depth, τ
    from a third of the storm on: two linear reservoirs in a row (Nash's cascade of two).

    Parameters
    ----------
    climate : Climate
        The rain.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    rise_h, recession_h : float
        Time constants, h; the recession is the longer.
    gathered : bool
        Weigh each storm by the dirt that gathered before it: the first flush.

    Returns
    -------
    ndarray of float64, shape (n,)
        mm.
    """
    moments = np.asarray(times, np.int64)
    total = np.zeros(moments.shape)
    if not len(moments):
        return total
    top = math.log(recession_h / rise_h) / (1.0 / rise_h - 1.0 / recession_h)
    scale = 1.0 / (math.exp(-top / recession_h) - math.exp(-top / rise_h))
    for storm in storms_between(climate, int(moments.min()) - 10 * DAY_US, int(moments.max())):
        hours = (moments - storm.start - (storm.end - storm.start) // 3) / HOUR_US
        since = np.clip(hours, 0.0, 240.0)
        wave = np.exp(-since / recession_h) - np.exp(-since / rise_h)
        depth = storm.depth_mm * (storm.gathered if gathered else 1.0)
        total += np.where((hours > 0.0) & (hours < 240.0), depth * scale * wave, 0.0)
    return total
