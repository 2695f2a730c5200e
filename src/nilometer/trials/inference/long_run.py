"""The standard error of a mean whose terms know of each other, from the slowest waves of their series.

A block bootstrap alone makes intervals too narrow where results are few for their memory; this is what they are scaled
to. Waves are over the results in order, so a gap neither adds results nor hides any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.dependence import autocorrelation, centred, effective_size
from nilometer.uncertainty.coverage import effective_degrees_of_freedom

__all__ = ["FEWEST_CLUSTERS", "FEWEST_WAVES", "MOST_WAVES", "LongRun", "fitted", "long_run", "waves_of"]

Floats = NDArray[np.float64]

FEWEST_CLUSTERS = 5
MOST_WAVES = 12
FEWEST_WAVES = 3
# Of the variance: what may be missed because a wave is not infinitely slow.
BIAS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRun:
    """How well a mean is known.

    Parameters
    ----------
    se : float
        Standard error.
    degrees_of_freedom : float
        What it rests on: Student's t of them makes the interval.
    n_effective : float
        How many independent results these are worth (Geyer).
    """

    se: float
    degrees_of_freedom: float
    n_effective: float


def long_run(values: Floats, time: NDArray[np.int64], cluster: NDArray[np.int32]) -> LongRun:
    """Return the standard error of the mean of a series.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Never NaN.
    time : ndarray of int64, shape (n,)
        µs, rising within a cluster.
    cluster : ndarray of int32, shape (n,)
        Clusters follow each other. From five on the mean is of the population they stand for, its error comes from how
        clusters differ; with fewer it is of these clusters alone.

    Returns
    -------
    LongRun
        Of `se` 0 where the series never changes.

    References
    ----------
    Equally weighted cosines: Müller (2007), J. Econometrics 141, 1331-1352; Lazarus, Lewis, Stock and Watson (2018),
    J. Business & Economic Statistics 36, 541-559: Λⱼ = √(2/n)·Σ cos(πj(i − ½)/n)·xᵢ, variance the mean of Λⱼ² over
    j ≤ B, Student's t of B degrees of freedom. B here follows from the effective size, so that at an AR(1) spectrum of
    that size 1 % of the variance is missed, and is at most 12: beyond, little narrowness is gained and much safety
    against long memory is lost. Where the slowest quarter of the waves holds more than the others (F at 5 %), only it
    is used, for then the spectrum still rises.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=1000)
    >>> found = long_run(x, np.arange(1000), np.zeros(1000, np.int32))
    >>> found.degrees_of_freedom, 0.02 < found.se < 0.05
    (12.0, True)
    """
    n = len(values)
    starts = np.flatnonzero(np.diff(cluster, prepend=cluster[0] - 1))
    off = values - values.mean()
    if not np.any(np.abs(off) > 1e-14 * max(float(np.max(np.abs(values))), 1e-300)):
        return LongRun(se=0.0, degrees_of_freedom=math.inf, n_effective=float(n))
    if len(starts) >= FEWEST_CLUSTERS:
        sums = np.add.reduceat(off, starts)
        k = len(starts)
        variance = k / (k - 1) * float(sums @ sums) / n**2
        worth = min(float(np.mean(off**2)) / variance, float(n)) if variance else float(n)
        return LongRun(se=math.sqrt(variance), degrees_of_freedom=k - 1.0, n_effective=worth)
    parts = []
    for first, last in zip(starts, [*starts[1:], n], strict=True):
        rows = slice(int(first), int(last))
        parts.append(_of_one(values[rows], time[rows]))
    sizes = np.diff([*starts, n])
    shares = [(size / n * part.se, part.degrees_of_freedom) for size, part in zip(sizes, parts, strict=True)]
    se = math.sqrt(sum(share**2 for share, _ in shares))
    freedom = (
        effective_degrees_of_freedom(se, [one for one in shares if one[0]])
        if len(parts) > 1
        else parts[0].degrees_of_freedom
    )
    return LongRun(se=se, degrees_of_freedom=freedom, n_effective=sum(part.n_effective for part in parts))


def fitted(found: LongRun, weights: Floats, stretch: NDArray[np.int64]) -> LongRun:
    """Return the standard error of a slope fitted within stretches, from that of its influence.

    The fit takes the slowest movements out of what it leaves, and weighs the ends of a stretch most: both are made good
    for noise that is level over the waves.

    Parameters
    ----------
    found : LongRun
        Of the influence, as if it had not been fitted.
    weights : ndarray of float64, shape (n,)
        Time less the mean of its stretch: what the slope is fitted on.
    stretch : ndarray of int64, shape (n,)
        Which; a level of its own was fitted to each.
    """
    if not math.isfinite(found.degrees_of_freedom) or not weights.any():
        return found
    waves = max(int(found.degrees_of_freedom), 1)
    i = (np.arange(len(weights)) + 0.5) / len(weights)
    shapes = math.sqrt(2.0) * np.cos(math.pi * np.arange(1, waves + 1)[:, None] * i) * weights
    count = np.maximum(np.bincount(stretch), 1)
    for place in range(waves):
        level = (np.bincount(stretch, shapes[place]) / count)[stretch]
        slope = float(shapes[place] @ weights) / float(weights @ weights)
        shapes[place] -= level + slope * weights
    kept = shapes @ shapes.T / float(weights @ weights)
    total = float(np.trace(kept))
    if not total:
        return found
    freedom = total**2 / float(np.sum(kept**2))
    return LongRun(se=found.se * math.sqrt(waves / total), degrees_of_freedom=freedom, n_effective=found.n_effective)


def waves_of(effective: float, memory: float = math.inf) -> int:
    """Return how many waves, so degrees of freedom, a series has that is worth so many results.

    Parameters
    ----------
    effective : float
        What it is worth.
    memory : float
        How many results are worth one; 1: independent.
    """
    # An AR(1) spectrum falls by (τ² − 1)/4·ω² at low frequencies ω = πj/n: ω² is (πB/n)²/3 on average of j ≤ B.
    waves = float(MOST_WAVES)
    if memory > 1.0:
        share = 1.0 if math.isinf(memory) else memory / math.sqrt(memory**2 - 1.0)
        waves = min(effective * share * math.sqrt(12.0 * BIAS) / math.pi, waves)
    return max(int(waves), FEWEST_WAVES)


def _of_one(values: Floats, time: NDArray[np.int64]) -> LongRun:
    n, alone = len(values), np.zeros(len(values), np.int32)
    off = centred(values, alone)
    if n < 2 or not np.any(np.abs(off) > 1e-14 * max(float(np.max(np.abs(values))), 1e-300)):
        # One result of a cluster says nothing of its spread: taken as known, which the note on clusters speaks of.
        return LongRun(se=0.0, degrees_of_freedom=math.inf, n_effective=float(n))
    worth = effective_size(autocorrelation(values, time, alone))
    waves = min(waves_of(worth, n / worth), n - 1)
    i = np.arange(n) + 0.5
    power = np.array([2.0 / n * float(np.cos(math.pi * j / n * i) @ off) ** 2 for j in range(1, waves + 1)])
    slow = max(waves // 4, FEWEST_WAVES)
    if waves > slow and power[slow:].any():
        from scipy.special import fdtrc  # noqa: PLC0415 -- slow to import

        if fdtrc(slow, waves - slow, power[:slow].mean() / power[slow:].mean()) < 0.05:
            power = power[:slow]
    return LongRun(se=math.sqrt(float(power.mean()) / n), degrees_of_freedom=float(len(power)), n_effective=worth)
