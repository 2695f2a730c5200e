"""The compiled walk through the posterior of a rating curve: how likely one place is, and steps from place to place.

A place is, for K segments: ln of the lowest gauged stage above the first offset, ln of each break above its segment's
offset (both as shares of the gauged range), the breaks, and ln σ.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LOG_HEAD", "LOG_HEAD_SD", "LOG_STEP", "LOG_STEP_SD", "likely", "walk"]

Array = NDArray[np.float64]

LOG_HEAD: Final = float(np.log(0.2))
LOG_HEAD_SD: Final = 1.5
"""Prior of ln of the lowest gauged stage above that of zero flow, in gauged ranges: 95 % of 0.01 to 4 of them."""
LOG_STEP: Final = float(np.log(0.5))
LOG_STEP_SD: Final = 1.0
"""Prior of ln of a break above the offset of its segment: 95 % of 0.07 to 3.5 ranges."""
_LEAST_SCATTER: Final = 5e-4  # no gauging is as exact as that
_SCATTER_RATE: Final = 28.78
"""The scatter σ of ln Q has an exponential prior of this rate, a penalised complexity prior: one in a hundred above
0.16 (the value of the R package bdrc, whose published curves are among our tests)."""


@njit(nogil=True, cache=True, error_model="numpy")
def _prior(place: Array, stage: Array, offset: Array, start: Array, known: Array, fewest: int) -> float:
    """Return the log prior; -inf where a segment has too few gaugings, or a place makes no sense."""
    k = len(offset)
    scatter = np.exp(place[2 * k - 1])
    if not _LEAST_SCATTER < scatter < 5.0 or not -9.0 < place[0] < 12.0:
        return -np.inf
    log = place[2 * k - 1] - _SCATTER_RATE * scatter - 0.5 * ((place[0] - LOG_HEAD) / LOG_HEAD_SD) ** 2
    offset[0] = stage[0] - (stage[-1] - stage[0]) * np.exp(place[0])
    start[0] = -np.inf
    if np.isfinite(known[0, 0]):
        log -= 0.5 * ((offset[0] - known[0, 0]) / known[0, 1]) ** 2
    before = 0
    for i in range(1, k):
        start[i] = place[k + i - 1]
        if start[i] <= start[i - 1] or not -9.0 < place[i] < 12.0:
            return -np.inf
        offset[i] = start[i] - (stage[-1] - stage[0]) * np.exp(place[i])
        log -= 0.5 * ((place[i] - LOG_STEP) / LOG_STEP_SD) ** 2
        if np.isfinite(known[i, 0]):
            log -= 0.5 * ((start[i] - known[i, 0]) / known[i, 1]) ** 2
        below = np.searchsorted(stage, start[i], side="right")
        if below - before < fewest:
            return -np.inf
        before = below
    return log if len(stage) - before >= fewest else -np.inf


@njit(nogil=True, cache=True, error_model="numpy")
def _row(h: float, at: int, offset: Array, start: Array, whole: Array, row: Array) -> None:
    """Fill in 1 and L_k(h) of a stage in segment `at`; `whole` has L_k of segments that lie below it."""
    row[0] = 1.0
    for i in range(len(offset)):
        if i < at:
            row[i + 1] = whole[i]
        elif i > at:
            row[i + 1] = 0.0
        elif i == 0:
            row[1] = np.log(max(h - offset[0], 1e-300))
        else:
            row[i + 1] = np.log((h - offset[i]) / (start[i] - offset[i]))


@njit(nogil=True, cache=True, error_model="numpy")
def _marginal(right: Array, precision: Array) -> float:
    """Return m'Pm - ln|P| for P m = right, by Cholesky in place; -inf where P is none."""
    size = len(right)
    total = 0.0
    for j in range(size):
        d = precision[j, j]
        for i in range(j):
            d -= precision[j, i] ** 2
        if not d > 0.0:
            return -np.inf
        root = np.sqrt(d)
        precision[j, j] = root
        for i in range(j + 1, size):
            x = precision[i, j]
            for at in range(j):
                x -= precision[i, at] * precision[j, at]
            precision[i, j] = x / root
        x = right[j]
        for i in range(j):
            x -= precision[j, i] * right[i]
        right[j] = x / root
        total += right[j] ** 2 - 2.0 * np.log(root)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _one(
    place: Array,
    stage: Array,
    y: Array,
    variance: Array,
    weight: Array,
    prior: Array,
    mean: Array,
    known: Array,
    fewest: int,
) -> float:
    """Return the log posterior of a place, the linear part integrated."""
    k = len(place) // 2
    offset, start, row, right = np.empty(k), np.empty(k), np.empty(k + 1), np.empty(k + 1)
    log = _prior(place, stage, offset, start, known, fewest)
    if log == -np.inf:
        return log
    scatter = np.exp(2.0 * place[2 * k - 1])
    precision = np.zeros((k + 1, k + 1))
    square = 0.0
    for i in range(k + 1):
        precision[i, i] = prior[i]
        right[i] = prior[i] * mean[i]
        square += prior[i] * mean[i] ** 2
    whole = np.zeros(k)
    for i in range(k - 1):
        below = 1.0 if i == 0 else start[i] - offset[i]
        whole[i] = np.log((start[i + 1] - offset[i]) / below)
    at = 0
    for n in range(len(stage)):  # by rising stage
        while at + 1 < k and stage[n] > start[at + 1]:
            at += 1
        v = (scatter + variance[n]) / weight[n]
        _row(stage[n], at, offset, start, whole, row)
        square += y[n] ** 2 / v + np.log(v)
        for i in range(k + 1):
            right[i] += row[i] * y[n] / v
            for j in range(i + 1):
                precision[i, j] += row[i] * row[j] / v
    return log + 0.5 * (_marginal(right, precision) - square)


@njit(nogil=True, cache=True, error_model="numpy")
def likely(
    places: Array,
    stage: Array,
    y: Array,
    variance: Array,
    weight: Array,
    prior: Array,
    mean: Array,
    known: Array,
    fewest: int,
) -> Array:
    """Return the log posterior of places, shape (m, 2 segments)."""
    log = np.empty(len(places))
    for m in range(len(places)):
        log[m] = _one(places[m], stage, y, variance, weight, prior, mean, known, fewest)
    return log


@njit(nogil=True, cache=True, error_model="numpy")
def walk(
    place: Array, log: Array, chain: Array, random: np.random.Generator,
    stage: Array, y: Array, variance: Array, weight: Array, prior: Array, mean: Array, known: Array, fewest: int,
) -> int:  # fmt: skip
    """Move the walkers in place, each by the difference of two others; fill the chain, and return the steps taken."""
    walkers, dimensions = place.shape
    taken = 0
    proposed = np.empty(dimensions)
    for step in range(len(chain)):
        # Every tenth step goes the whole way from one mode to another.
        length = 1.0 if step % 10 == 9 else 2.38 / np.sqrt(2.0 * dimensions)
        for w in range(walkers):
            first = (w + 1 + int(random.random() * (walkers - 1))) % walkers
            second = first
            while second in (first, w):
                second = int(random.random() * walkers)
            scale = length * (1.0 + 0.1 * random.standard_normal())
            for d in range(dimensions):
                proposed[d] = (
                    place[w, d] + scale * (place[first, d] - place[second, d]) + 1e-5 * random.standard_normal()
                )
            fresh = _one(proposed, stage, y, variance, weight, prior, mean, known, fewest)
            if np.log(random.random()) < fresh - log[w]:
                place[w] = proposed
                log[w] = fresh
                taken += 1
        chain[step] = place
    return taken
