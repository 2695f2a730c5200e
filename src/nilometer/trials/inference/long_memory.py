"""Memory that does not end: whether the slowest waves of a record still rise, and what its mean is known to then.

A record whose memory ends has a level spectrum below some frequency, and its mean is known to n^−½. Of fractional
noise of order d the spectrum rises as ω^−2d down to the slowest wave, and the mean is known to n^(d − ½) alone: what
looks like many independent results is few. Nothing here says why a memory is long; two memories of quite different
length look alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST", "MOST", "LongMemory", "find_long_memory"]

Floats = NDArray[np.float64]

FEWEST = 6
"""Waves below which no memory is looked for."""
MOST = 1000
_LARGEST = 0.49
# Of the score where the spectrum is level: passed in 1 % of records of 6 to 1000 waves, drawn.
_CRITICAL = 2.6
# A single wave beyond so many times its level is a line (a day, a tide), not memory: by chance in one of 6,000.
_LINE = 14.0
_TURNS = 3
_HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LongMemory:
    """What was found of a record whose memory does not end.

    Parameters
    ----------
    order : float
        Of fractional integration d, above 0, below ½.
    variance : float
        Of the mean.
    degrees_of_freedom : float
        What the variance rests on; mostly on how well the order is known.
    """

    order: float
    variance: float
    degrees_of_freedom: float


def find_long_memory(power: Floats, n: int) -> LongMemory | None:
    """Return the memory that the slowest waves show; None where their level does not rise.

    Parameters
    ----------
    power : ndarray of float64, shape (m,)
        Squares of Λⱼ = √(2/n)·Σ cos(πj(i − ½)/n)·xᵢ, j = 1 to m: waves so slow that a short memory leaves them level.
    n : int
        Results.

    References
    ----------
    Whether they rise: the score at d = 0 (Lobato and Robinson (1998), Review of Economic Studies 65, 475-495). The
    order: local Whittle (Robinson (1995), Annals of Statistics 23, 1630-1661). The variance of a mean whose spectrum
    is G·ω^−2d near 0: G·n^(2d − 1)·Γ(1 − 2d)·sin(πd)/(πd·(1 + 2d)) (Beran (1994), Statistics for long-memory processes,
    theorem 2.2), with G the mean of Λⱼ²·(πj/n)^2d. Each wave has one degree of freedom, so the variance of d is half of
    1/Σ(ln j − mean)²; degrees of freedom ν are such that 2/ν is the variance of the logarithm.

    Examples
    --------
    >>> find_long_memory(np.ones(50), 1000) is None
    True
    >>> round(find_long_memory(np.arange(1.0, 51.0) ** -0.6, 1000).order, 3)
    0.3
    """
    if len(power) < FEWEST or not np.any(power > 0.0):
        return None
    logs = np.log(math.pi * np.arange(1, len(power) + 1))
    kept = np.ones(len(power), np.bool_)
    order = 0.0
    for _ in range(_TURNS):
        order = _local_whittle(power[kept], logs[kept])
        level = power * np.exp(2.0 * order * logs)
        fits = level <= _LINE * float(level[kept].mean())
        if np.array_equal(fits, kept) or np.count_nonzero(fits) < FEWEST:
            break
        kept = fits
    power, logs = power[kept], logs[kept]
    order = _local_whittle(power, logs)
    spread = float(np.sum((logs - logs.mean()) ** 2))
    score = -_lean(0.0, power, logs) * len(power) / math.sqrt(2.0 * spread)
    if score <= _CRITICAL or order <= 0.0:
        return None
    level = float(np.mean(power * np.exp(2.0 * order * logs)))
    step = 1e-4
    slope = 2.0 * float(logs.mean()) + (math.log(_of_mean(order + step)) - math.log(_of_mean(order - step))) / (
        2.0 * step
    )
    doubt = 2.0 / len(power) + slope**2 / (2.0 * spread)
    return LongMemory(order=order, variance=level * _of_mean(order) / n, degrees_of_freedom=max(2.0 / doubt, 2.0))


def _lean(order: float, power: Floats, logs: Floats) -> float:
    """Return by how much waves made level by an order weigh towards the faster ones: rising with the order."""
    level = power * np.exp(2.0 * order * logs)
    return float(level @ logs) / float(level.sum()) - float(logs.mean())


def _local_whittle(power: Floats, logs: Floats) -> float:
    low, high = 0.0, _LARGEST
    if _lean(low, power, logs) >= 0.0:
        return low
    if _lean(high, power, logs) <= 0.0:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _lean(middle, power, logs) < 0.0 else (low, middle)
    return (low + high) / 2.0


def _of_mean(order: float) -> float:
    """Return the variance of a mean over that of a level spectrum of the same G, times (πj)^−2d of its waves."""
    turn = math.pi * order
    return math.gamma(1.0 - 2.0 * order) * math.sin(turn) / (turn * (1.0 + 2.0 * order))
