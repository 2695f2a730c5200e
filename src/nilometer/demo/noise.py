"""Chance that is the same at every start: numbers drawn from a seed and a moment, with no state between draws.

A draw is a hash of (seed, counter), so any moment can be asked for alone, in any order, and in bulk.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal", "seed_of", "uniform", "wander"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SECOND_US = 1_000_000


def seed_of(*words: str | int) -> int:
    """Return the seed that belongs to some words, the same on every machine.

    Examples
    --------
    >>> seed_of("river", "turbidity_ntu") == seed_of("river", "turbidity_ntu")
    True
    """
    text = "/".join(str(word) for word in words).encode()
    return zlib.crc32(text) << 32 | zlib.crc32(text[::-1] + b"\x01")


def _hashed(seed: int, counter: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return splitmix64 of seed and counter (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = np.asarray(counter, np.int64).astype(np.uint64) * _GOLDEN + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)


def uniform(seed: int, counter: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers of [0, 1) drawn for each counter, shape (n,)."""
    drawn: NDArray[np.float64] = (_hashed(seed, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


def normal(seed: int, counter: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return standard normal numbers drawn for each counter, shape (n,) (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(seed, counter)))
    drawn: NDArray[np.float64] = radius * np.cos(2.0 * np.pi * uniform(seed ^ 0x5BD1E995, counter))
    return drawn


def wander(seed: int, times: NDArray[np.int64], period_s: float) -> NDArray[np.float64]:
    """Return a smooth, slow disturbance of mean 0 and variance 1.

    Parameters
    ----------
    seed : int
        Which disturbance.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    period_s : float
        Time after which it has forgotten where it was, s.

    Returns
    -------
    ndarray of float64, shape (n,)
        Normal draws at whole periods, blended between them with weights of constant variance.
    """
    period = int(period_s * _SECOND_US)
    moments = np.asarray(times, np.int64)
    step = moments // period
    part = (moments - step * period) / period
    share = part * part * (3.0 - 2.0 * part)
    blended = (1.0 - share) * normal(seed, step) + share * normal(seed, step + 1)
    smooth: NDArray[np.float64] = blended / np.sqrt(share**2 + (1.0 - share) ** 2)
    return smooth
