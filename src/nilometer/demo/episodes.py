"""When instruments fail: spikes, drop-outs, stuck values and cleanings, drawn slot by slot from a seed.

Time is cut into slots; each slot holds one episode at a drawn place, and a draw says whom it hits. So a moment alone
tells what is wrong with an instrument, and in any stretch of two slots something is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import uniform

__all__ = ["Episodes", "Hit"]

_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Hit:
    """For each moment: whether it is hit, whom (index), since when (µs), and a number drawn for the episode."""

    during: NDArray[np.bool_]
    whom: NDArray[np.int64]
    start: NDArray[np.int64]
    draw: NDArray[np.float64]

    def of(self, index: int) -> NDArray[np.bool_]:
        """Return when instrument `index` is hit."""
        hit: NDArray[np.bool_] = self.during & (self.whom == index)
        return hit


@dataclass(frozen=True, slots=True)
class Episodes:
    """One kind of episode.

    Parameters
    ----------
    seed : int
        Which.
    slot_min : float
        One episode falls into each slot of this length, in its middle part, so that two are never further apart than
        one slot and a half.
    shortest_min, longest_min : float
        How long one lasts.
    weights : tuple of float
        How often each instrument is hit; an empty one hits all at once.
    """

    seed: int
    slot_min: float
    shortest_min: float
    longest_min: float
    weights: tuple[float, ...] = ()

    def at(self, times: NDArray[np.int64]) -> Hit:
        """Return what each moment (µs since 1970 UTC), shape (n,), is hit by."""
        moments = np.asarray(times, np.int64)
        slot = int(self.slot_min * _MINUTE_US)
        number = moments // slot
        begin, length, whom, draw = (uniform(self.seed + k, number) for k in range(4))
        minutes = self.shortest_min + (self.longest_min - self.shortest_min) * length
        room = 0.75 * slot - self.longest_min * _MINUTE_US
        # Whole seconds, so that a reading on the second is clearly in or out.
        start = number * slot + ((0.25 * slot + begin * max(room, 0.0)) // 1_000_000 * 1_000_000).astype(np.int64)
        end = start + (minutes * 60.0).astype(np.int64) * 1_000_000
        return Hit((moments >= start) & (moments < end), self._chosen(whom), start, draw)

    def _chosen(self, draws: NDArray[np.float64]) -> NDArray[np.int64]:
        if not self.weights:
            return np.zeros(draws.shape, np.int64)
        edges = np.cumsum(self.weights)
        return np.searchsorted(edges / edges[-1], draws, side="right").astype(np.int64)
