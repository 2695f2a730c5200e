"""How the difference of two instruments moves between cleanings: Theil and Sen's slope, which outliers do not bend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.differences import lacking, measured
from nilometer.trials.statistics.slopes import PairwiseSlopes
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["Drift", "IntervalDrift", "drift", "theil_sen", "theil_sen_of"]

Floats = NDArray[np.float64]

DAY_US = 86_400e6
NAME = "theil_sen_drift"
LEAST = 5


@dataclass(frozen=True, slots=True)
class IntervalDrift:
    """The drift between two cleanings.

    Parameters
    ----------
    cluster : str
        Site and unit.
    interval : int
        Number of the stretch; −1 where none is declared.
    start, end : int
        Times of its first and last pair, µs.
    figure : Figure
        ``theil_sen_drift``; NaN with fewer than five pairs.
    """

    cluster: str
    interval: int
    start: int
    end: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of all intervals together, and of each.

    Parameters
    ----------
    pooled : Figure
        Median of the slopes between pairs of one interval: a step at a cleaning does not enter.
    intervals : tuple of IntervalDrift
        In order of time within clusters.
    """

    pooled: Figure
    intervals: tuple[IntervalDrift, ...]


def theil_sen_of(time: Floats, values: Floats) -> float:
    """Return the median of the slopes between all pairs of values."""
    return theil_sen(time, values)[0]


def theil_sen(time: Floats, values: Floats, *, probability: float = 0.95) -> tuple[float, tuple[float, float]]:
    """Return the median of the slopes between all pairs of values, and its interval.

    Parameters
    ----------
    time, values : ndarray of float64, shape (n,)
        Without NaN; values of one time make no slope.
    probability : float
        Of the interval by ranks, for independent values: where each depends on the one before, it is too narrow.

    Raises
    ------
    ValueError
        If no two values have different times.

    References
    ----------
    Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389; the variance of Kendall's score with ties.

    Examples
    --------
    >>> theil_sen(np.arange(6.0), np.array([0.0, 1.0, 2.0, 3.0, 4.0, 50.0]))[0]
    1.0
    """
    return _of_groups([(np.asarray(time, np.float64), np.asarray(values, np.float64))], probability)


def drift(pairs: Pairs, *, probability: float = 0.95) -> Drift:
    """Return the drift of the candidate against the reference, by interval between cleanings and pooled.

    Parameters
    ----------
    pairs : Pairs
        Censored ones are left out.
    probability : float
        Of the intervals by ranks, for independent pairs; `nilometer.trials.inference.intervals` has one of the pooled
        drift by least squares that heeds how pairs depend on each other.

    Returns
    -------
    Drift
        In the unit of the pairs a day.
    """
    plain, note = measured(pairs)
    unit = "d-1" if plain.unit == "1" else f"{plain.unit} d-1"
    groups, parts = [], []
    # Sorted once: a search of all pairs for each interval would take the square of a record's length.
    order = np.lexsort((plain.interval, plain.cluster))
    is_other = (np.diff(plain.cluster[order]) != 0) | (np.diff(plain.interval[order]) != 0)
    for rows in np.split(order, np.flatnonzero(is_other) + 1) if len(plain) else []:
        inside = plain.take(rows)
        cluster, interval = int(inside.cluster[0]), int(inside.interval[0])
        days, apart = (inside.time - inside.time.min()) / DAY_US, inside.difference
        enough = len(inside) >= LEAST and days.max() > 0.0
        if enough:
            groups.append((days, apart))
        figure = _figure([(days, apart)] if enough else [], unit, len(inside), probability, "")
        times = int(inside.time.min()), int(inside.time.max())
        parts.append(IntervalDrift(plain.clusters[cluster], interval, *times, figure))
    used = sum(len(days) for days, _ in groups)
    if groups and used < len(plain):
        note = "; ".join(
            part for part in (note, f"{len(plain) - used} pairs of intervals with fewer than {LEAST}") if part
        )
    if len(parts) == 1:
        pooled = replace(parts[0].figure, note="; ".join(part for part in (note, parts[0].figure.note) if part))
        return Drift(pooled, tuple(parts))
    return Drift(_figure(groups, unit, used or len(plain), probability, note), tuple(parts))


def _figure(groups: Sequence[tuple[Floats, Floats]], unit: str, n: int, probability: float, note: str) -> Figure:
    if not groups:
        return lacking(NAME, unit, n, "", least=LEAST)
    value, ends = _of_groups(groups, probability)
    return Figure(
        name=NAME, value=value, unit=unit, interval=ends, probability=probability, n=n, method="rank", note=note
    )


def _of_groups(groups: Sequence[tuple[Floats, Floats]], probability: float) -> tuple[float, tuple[float, float]]:
    parts = [part for part in (PairwiseSlopes(*group) for group in groups) if part.finite]
    count = sum(part.finite for part in parts)
    if not count:
        raise ValueError("no two values have different times: there is no slope")
    half = coverage_factor(probability) * math.sqrt(sum(_score_variance(*group) for group in groups))
    low, high = round((count - half) / 2.0), round((count + half) / 2.0) + 1
    middles = [_at(parts, rank) for rank in dict.fromkeys([(count + 1) // 2, count // 2 + 1])]
    middle = sum(middles) / len(middles)
    return middle, (_at(parts, low) if low >= 1 else -math.inf, _at(parts, high) if high <= count else math.inf)


def _score_variance(time: Floats, values: Floats) -> float:
    """Return the variance of Kendall's score: without the ties of values, and of times."""

    def term(sizes: NDArray[np.int64]) -> float:
        size = sizes.astype(np.float64)
        return float(np.sum(size * (size - 1.0) * (2.0 * size + 5.0)))

    ties = [np.unique(column, return_counts=True)[1] for column in (time, values)]
    return (term(np.array([len(values)])) - term(ties[0]) - term(ties[1])) / 18.0


def _at(parts: Sequence[PairwiseSlopes], rank: int) -> float:
    """Return the slope of a rank among the finite ones of several groups: it lies between those of the same share."""
    if len(parts) == 1:
        return parts[0].at_finite(rank)
    count = sum(part.finite for part in parts)
    share = rank / count
    own = [
        part.at_finite(min(max(round(share * part.finite) + aside, 1), part.finite))
        for part in parts
        for aside in (-1, 1)
    ]
    low, high = min(own), max(own)
    below = _below(parts, low)
    if below[0] >= rank:
        low = min(part.at_finite(1) for part in parts)
    if sum(_below(parts, high)) < rank:
        high = max(part.at_finite(part.finite) for part in parts)
    while True:
        middle = low + (high - low) / 2.0
        if middle in {low, high}:
            return low if sum(_below(parts, low)) >= rank else high
        less, same = _below(parts, middle)
        if less < rank <= less + same:
            return middle
        low, high = (low, middle) if less >= rank else (middle, high)


def _below(parts: Sequence[PairwiseSlopes], value: float) -> tuple[int, int]:
    less, same = np.sum([part.rank_finite(value) for part in parts], axis=0).tolist()
    return less, same
