"""Block bootstrap of pairs: the same stretch of time of both instruments, drawn again and again.

A resample is known by the sums of a few columns, so a block costs two rows of running sums whatever its length; the
quantile takes the few pairs near it. Draws are a stream of integers of their own (SplitMix64) for each resample: they
are the same on every machine, for every version of NumPy and in whatever parts resamples are made. Nothing here knows
what the columns mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.trials.steps import step

__all__ = ["Resamples", "resample"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])

SCHEMES = ("stationary", "circular")
_BATCH = 250  # resamples between which a run can be given up
_STRIDE = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64: the seed of resample r is so many of them further
_BITS = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """Sums of resamples.

    Parameters
    ----------
    means : ndarray of float64, shape (resamples, columns)
        Of each column in each resample.
    quantiles : ndarray of float64, shape (resamples,)
        Of the ranked column; empty where none was asked for.
    """

    means: Floats
    quantiles: Floats


def resample(
    columns: Floats,
    runs: Rows,
    clusters: Rows,
    *,
    length: float,
    resamples: int = 10_000,
    seed: int = 1,
    scheme: str = "stationary",
    whole_clusters: bool = False,
    ranked: Floats | None = None,
    probability: float = 0.95,
) -> Resamples:
    """Return means of columns in block-bootstrap resamples.

    A block begins at a pair drawn with equal chance among those of its cluster. Where it comes to the end of its run,
    it goes on at the beginning of a run of the same cluster drawn at random: it never bridges a gap as if there were
    none, and every pair has the same chance. With one run that is the circular wrap of Politis and Romano.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, k)
        Rows in order of time within clusters.
    runs, clusters : ndarray of int64
        First row of each run and of each cluster, and n: `dependence.run_starts`.
    length : float
        Of a block in pairs, 1 or more: the mean of geometric ones (stationary), or rounded, of all (circular).
    resamples : int
        How many.
    seed : int
        Of the draws.
    scheme : str
        ``stationary`` or ``circular``.
    whole_clusters : bool
        Draw clusters as they are instead of blocks within them.
    ranked : ndarray of float64, shape (n,), optional
        A column of which the quantile of `probability` is wanted too, interpolated as NumPy does.
    probability : float
        0 to 1.

    Returns
    -------
    Resamples

    Raises
    ------
    ValueError
        If the scheme is neither, the length is below 1, or there are no rows.

    References
    ----------
    Politis and Romano (1994), J. Amer. Statist. Assoc. 89, 1303-1313 (stationary); Politis and Romano (1992), in:
    Exploring the limits of bootstrap, 263-270 (circular); Steele, Lea and Flood (2014), OOPSLA (SplitMix64).

    Examples
    --------
    >>> drawn = resample(np.ones((8, 1)), np.array([0, 8]), np.array([0, 8]), length=2, resamples=3)
    >>> drawn.means.ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    n = len(columns)
    if scheme not in SCHEMES:
        raise ValueError(f"scheme = {scheme!r} (allowed: {', '.join(SCHEMES)})")
    if not length >= 1.0:
        raise ValueError(f"length = {length!r} (allowed: 1 or more)")
    if not n:
        raise ValueError("there are no pairs to draw from")
    running = np.zeros((n + 1, columns.shape[1]))
    np.cumsum(columns, axis=0, out=running[1:])
    chances = _lengths(length) if scheme == "stationary" else np.zeros(0, np.int64)
    fixed = max(round(length), 1)
    order = np.argsort(ranked, kind="stable") if ranked is not None else np.zeros(0, np.int64)
    for top in _shares(n, length, probability, whole_clusters=whole_clusters):
        # Of the ranked column only its highest part is followed; all of it where that did not reach down far enough.
        kept = np.sort(order[int((1.0 - top) * len(order)) :])
        rank = np.empty(n, np.int64)
        rank[order] = np.arange(len(order)) if len(order) else 0
        base = n - len(kept)
        before = np.searchsorted(kept, np.arange(n + 1))
        common = (running, np.asarray(runs, np.int64), np.asarray(clusters, np.int64), chances, fixed, whole_clusters)
        ranks = rank[kept] - base if len(order) else kept
        parts = []
        for first in range(0, resamples, _BATCH):
            step("resamples", first, resamples)
            start = np.uint64((seed + first * int(_STRIDE)) & _BITS)
            parts.append(_draw(*common, min(_BATCH, resamples - first), start, before, ranks, probability))
        sums, places = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        if not len(order) or (places[:, 0] >= 0).all():
            break
    quantiles = np.zeros(0)
    if ranked is not None:
        risen = ranked[order]
        low, high = (risen[places[:, side] + base] for side in (0, 1))
        part = (sums[:, -1] - 1.0) * probability
        quantiles = np.asarray(low + (part - np.floor(part)) * (high - low))
    return Resamples(means=sums[:, :-1] / sums[:, -1:], quantiles=quantiles)


def _shares(n: int, length: float, probability: float, *, whole_clusters: bool) -> list[float]:
    """Return which shares of the ranked column to follow, one after another: the last is all of it."""
    tail = max(1.0 - probability, 1.0 / n)
    # As many beyond as blocks that lie there as a whole would scatter by, six times.
    near = tail if whole_clusters else tail * (1.0 + 6.0 * math.sqrt(length / (n * tail)))
    shares = [near] if near < 4.0 * tail and not whole_clusters else []
    return sorted({min(share, 1.0) for share in (*shares, 4.0 * tail, 1.0)})


def _lengths(mean: float) -> Rows:
    """Return chances of a geometric length as thresholds of 32 bits: products alone, so equal on every machine."""
    if mean <= 1.0:
        return np.array([1 << 32], np.int64)
    left, stay, found = 1.0, 1.0 - 1.0 / mean, []
    while left >= 2.0**-32:
        left *= stay
        found.append(int((1.0 - left) * 2**32))
    found[-1] = 1 << 32
    return np.array(found, np.int64)


def _compiled(function: F) -> F:
    return cast("F", njit(nogil=True, cache=True, error_model="numpy")(function))


@_compiled
def _mixed(state: Any) -> Any:  # noqa: ANN401 -- an integer of 64 bits
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@_compiled
def _draw(  # noqa: C901, PLR0912, PLR0915 -- one loop over blocks; calls between would hide what it keeps
    running: Floats,
    runs: Rows,
    clusters: Rows,
    chances: Rows,
    fixed: int,
    whole: bool,  # noqa: FBT001 -- a kernel takes no keywords
    resamples: int,
    seed: np.uint64,
    before: Rows,
    ranks: Rows,
    probability: float,
) -> tuple[Floats, Rows]:
    """Return the sums of each resample with its count behind, and the two places of its quantile among `ranks`."""
    half = np.uint64(32)
    n, columns = running.shape[0] - 1, running.shape[1]
    sums = np.zeros((resamples, columns + 1))
    places = np.full((resamples, 2), -1, np.int64)
    count = np.zeros(len(ranks), np.int32)
    run_of = np.searchsorted(runs, np.arange(n), side="right") - 1
    first_run = np.searchsorted(runs, clusters)
    total_clusters = len(clusters) - 1
    for r in range(resamples):
        state = _mixed(seed + np.uint64(r + 1) * _STRIDE)
        drawn = 0
        for c in range(total_clusters):
            first, last = clusters[c], clusters[c + 1]
            if whole:
                state += _STRIDE
                chosen = np.int64(((_mixed(state) >> half) * np.uint64(total_clusters)) >> half)
                first, last = clusters[chosen], clusters[chosen + 1]
            left = last - first
            while left > 0:
                if whole:
                    size, at = left, first
                else:
                    state += _STRIDE
                    bits = _mixed(state)
                    at = first + np.int64(((bits >> half) * np.uint64(last - first)) >> half)
                    if len(chances):
                        size = 1 + np.searchsorted(chances, np.int64(bits & np.uint64(0xFFFFFFFF)), side="right")
                    else:
                        size = fixed
                    size = min(size, left)
                left -= size
                drawn += size
                while size > 0:
                    end = last if whole else runs[run_of[at] + 1]
                    stop = min(at + size, end)
                    for k in range(columns):
                        sums[r, k] += running[stop, k] - running[at, k]
                    for i in range(before[at], before[stop]):
                        count[ranks[i]] += 1
                    size -= stop - at
                    if size > 0:
                        state += _STRIDE
                        number = np.uint64(first_run[c + 1] - first_run[c])
                        at = runs[first_run[c] + np.int64(((_mixed(state) >> half) * number) >> half)]
        sums[r, columns] = drawn
        if len(ranks):
            # Ascending place j has `drawn − j` values at or above it.
            low = int((drawn - 1) * probability)
            high = low + 1 if low + 1 < drawn else low
            seen = 0
            for i in range(len(ranks) - 1, -1, -1):
                seen += count[i]
                if places[r, 1] < 0 and seen >= drawn - high:
                    places[r, 1] = i
                if seen >= drawn - low:
                    places[r, 0] = i
                    break
            count[:] = 0
    return sums, places
