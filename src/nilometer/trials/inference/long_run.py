"""The standard error of a mean whose terms know of each other, from the slowest waves of their series.

A block bootstrap alone makes intervals too narrow where results are few for their memory; this is what they are scaled
to. Waves are over the results in order, so a gap neither adds results nor hides any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.dependence import autocorrelation, centred, effective_size
from nilometer.trials.inference.long_memory import MOST, find_long_memory
from nilometer.uncertainty.coverage import coverage_factor, effective_degrees_of_freedom

__all__ = ["FEWEST_CLUSTERS", "FEWEST_WAVES", "MOST_WAVES", "LongRun", "fitted", "long_run", "of_uneven", "waves_of"]

Floats = NDArray[np.float64]

FEWEST_CLUSTERS = 5
MOST_WAVES = 12
FEWEST_WAVES = 3
# Of the variance: what may be missed because a wave is not infinitely slow.
BIAS = 0.01
# The same of the waves in which long memory is looked for, where those are 40.
_BIAS_OF_MEMORY = 0.1
_WAVES_OF_MEMORY = 40.0


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
        How many independent results these are worth: by Geyer's sum, or where memory is long by the standard error.
    order : float
        Of long memory: d of `long_memory.find_long_memory`; 0 where none was found.
    """

    se: float
    degrees_of_freedom: float
    n_effective: float
    order: float = 0.0


def long_run(
    values: Floats, time: NDArray[np.int64], cluster: NDArray[np.int32], *, worth: float = math.inf
) -> LongRun:
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
    worth : float
        How many independent results the series is worth that the values were made of, where they are not that series.
        Long memory is looked for in its waves: values that forget in part at once, as a share beyond a limit does, seem
        level up to waves that are not.

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
    is used, for then the spectrum still rises. Where more waves show that it rises without end
    (`long_memory.find_long_memory`), and that makes the interval wider, the error is that of fractional noise.

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
        parts.append(_of_one(values[rows], time[rows], worth * (last - first) / n))
    sizes = np.diff([*starts, n])
    shares = [(size / n * part.se, part.degrees_of_freedom) for size, part in zip(sizes, parts, strict=True)]
    se = math.sqrt(sum(share**2 for share, _ in shares))
    freedom = (
        effective_degrees_of_freedom(se, [one for one in shares if one[0]])
        if len(parts) > 1
        else parts[0].degrees_of_freedom
    )
    order = max(part.order for part in parts)
    return LongRun(se=se, degrees_of_freedom=freedom, n_effective=sum(part.n_effective for part in parts), order=order)


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
    return replace(found, se=found.se * math.sqrt(waves / total), degrees_of_freedom=freedom)


def of_uneven(found: LongRun, values: Floats) -> LongRun:
    """Return a standard error with the degrees of freedom that terms which now and then are large leave it.

    Parameters
    ----------
    found : LongRun
        Of the mean of `values`.
    values : ndarray of float64, shape (n,)
        As `long_run` had them.

    References
    ----------
    The variance of the logarithm of a variance is 2/ν of normal terms; an excess kurtosis κ adds κ/n for n independent
    ones (Cramér (1946), Mathematical methods of statistics, eq. 27.4.2). What of it goes with the mean, γ²/n of a
    skewness γ, the scale and the ends of an interval have seen to. Squares of normal differences have κ = 12, γ² = 8.

    Examples
    --------
    >>> found = LongRun(se=0.1, degrees_of_freedom=12.0, n_effective=120.0)
    >>> round(of_uneven(found, np.random.default_rng(1).normal(size=100_000) ** 2).degrees_of_freedom)
    10
    """
    off = values - values.mean()
    power = float(np.mean(off**2))
    if not power or not math.isfinite(found.degrees_of_freedom):
        return found
    excess = max(float(np.mean(off**4)) / power**2 - 3.0 - float(np.mean(off**3)) ** 2 / power**3, 0.0)
    freedom = 2.0 / (2.0 / found.degrees_of_freedom + excess / found.n_effective)
    return replace(found, degrees_of_freedom=max(freedom, 2.0))


def waves_of(effective: float, memory: float = math.inf) -> int:
    """Return how many waves, so degrees of freedom, a series has that is worth so many results.

    Parameters
    ----------
    effective : float
        What it is worth.
    memory : float
        How many results are worth one; 1: independent.
    """
    return max(int(min(_level(effective, memory, BIAS), MOST_WAVES)), FEWEST_WAVES)


def _level(effective: float, memory: float, missed: float) -> float:
    """Return how many waves miss a share of the variance at an AR(1) spectrum."""
    # It falls by (τ² − 1)/4·ω² at low frequencies ω = πj/n: ω² is (πB/n)²/3 on average of j ≤ B.
    if memory <= 1.0:
        return math.inf
    share = 1.0 if math.isinf(memory) else memory / math.sqrt(memory**2 - 1.0)
    return effective * share * math.sqrt(12.0 * missed) / math.pi


def _of_one(values: Floats, time: NDArray[np.int64], most_worth: float) -> LongRun:
    n, alone = len(values), np.zeros(len(values), np.int32)
    off = centred(values, alone)
    if n < 2 or not np.any(np.abs(off) > 1e-14 * max(float(np.max(np.abs(values))), 1e-300)):
        # One result of a cluster says nothing of its spread: taken as known, which the note on clusters speaks of.
        return LongRun(se=0.0, degrees_of_freedom=math.inf, n_effective=float(n))
    worth = effective_size(autocorrelation(values, time, alone))
    waves = min(waves_of(worth, n / worth), n - 1)
    # What a short memory bends must grow no faster than what an order is known by: hence 4/5 (Robinson 1995).
    least = min(worth, max(most_worth, 1.0))
    most = _WAVES_OF_MEMORY**0.2 * _level(least, n / least, _BIAS_OF_MEMORY) ** 0.8
    power = _powers(off, max(waves, int(min(most, MOST, n // 2))))
    memory, slowest = find_long_memory(power, n), power[:waves]
    slow = max(waves // 4, FEWEST_WAVES)
    if waves > slow and slowest[slow:].any():
        from scipy.special import fdtrc  # noqa: PLC0415 -- slow to import

        if fdtrc(slow, waves - slow, slowest[:slow].mean() / slowest[slow:].mean()) < 0.05:
            slowest = slowest[:slow]
    found = LongRun(se=math.sqrt(float(slowest.mean()) / n), degrees_of_freedom=float(len(slowest)), n_effective=worth)
    if memory is None:
        return found
    wider = LongRun(
        se=math.sqrt(memory.variance),
        degrees_of_freedom=memory.degrees_of_freedom,
        n_effective=min(max(float(np.mean(off**2)) / memory.variance, 1.0), worth),
        order=memory.order,
    )
    halves = [coverage_factor(0.95, each.degrees_of_freedom) * each.se for each in (wider, found)]
    return wider if halves[0] > halves[1] else found


def _powers(off: Floats, count: int) -> Floats:
    """Return Λⱼ² of the slowest waves of a series about its mean."""
    from scipy.fft import dct  # noqa: PLC0415 -- slow to import

    return np.asarray(dct(off, type=2)[1 : count + 1] ** 2 / (2.0 * len(off)), np.float64)
