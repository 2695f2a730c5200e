"""How much results of one series know of each other: autocorrelation, what n is worth, how long a block must be.

Series may be irregular and have gaps. Lags are of time, counted in steps of the series' median spacing: two results
make a product at the lag that lies between them, so that what is on both sides of a gap of weeks never counts as
neighbours. Clusters (sites, units) have means of their own and no products with each other. Nothing here decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Autocorrelation",
    "autocorrelation",
    "block_length",
    "centred",
    "effective_size",
    "longest_block",
    "run_starts",
]

Floats = NDArray[np.float64]
MOST_SLOTS = 1 << 23
# Of a resample: so many say all that a bootstrap can, and a record of any length takes no more time.
_MOST_BLOCKS = 5000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Autocorrelation:
    """Autocorrelation of a series by lag.

    Parameters
    ----------
    step_us : int
        One lag, µs.
    n : int
        Results.
    shares : ndarray of float64, shape (lags,)
        Sum of the products at each lag over that at lag 0: a lag at which few products can be made weighs little.
    products : ndarray of float64, shape (lags,)
        How many products there are.
    slots : int
        Steps the series fills, of a gap no more than the longest block.
    """

    step_us: int
    n: int
    shares: Floats
    products: Floats
    slots: int

    @property
    def correlations(self) -> Floats:
        """Mean product at each lag over the variance; 0 where there is no product."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.products > 0, self.shares * self.n / self.products, 0.0)


def autocorrelation(values: Floats, time: NDArray[np.int64], cluster: NDArray[np.int32]) -> Autocorrelation:
    """Return the autocorrelation of results in order of time within clusters.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Never NaN.
    time : ndarray of int64, shape (n,)
        µs, rising within a cluster.
    cluster : ndarray of int32, shape (n,)
        Clusters follow each other.

    Raises
    ------
    ValueError
        If there are fewer than two results, or they never change.

    Examples
    --------
    >>> minute = np.arange(6) * 60_000_000
    >>> found = autocorrelation(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), minute, np.zeros(6, np.int32))
    >>> found.correlations[:3].tolist()
    [1.0, -1.0, 1.0]
    """
    from scipy.fft import irfft, next_fast_len, rfft  # noqa: PLC0415 -- slow to import

    n = len(values)
    if n < 2:
        raise ValueError(f"{n} results have no autocorrelation: two or more are needed")
    off = centred(values, cluster)
    if not off.any():
        raise ValueError("the series never changes: it has no autocorrelation")
    same = np.diff(cluster) == 0
    apart = np.diff(time)
    near = apart[same & (apart > 0)]
    step = int(np.median(near)) if len(near) else 1
    moved = np.where(same, np.rint(apart / step), np.inf)
    # A gap longer than the longest lag is as good as any longer one: it only must not bring its sides together.
    lags = min(n, max(MOST_SLOTS // (1 + int(np.count_nonzero(moved > n))), 2))
    slot = np.concatenate([[0], np.cumsum(np.minimum(moved, lags).astype(np.int64))])
    slots = int(slot[-1]) + 1
    size = next_fast_len(slots + lags, real=True)

    def products(weights: Floats | None) -> Floats:
        lines = rfft(np.bincount(slot, weights, minlength=slots).astype(np.float64), size)
        return np.asarray(irfft(lines * lines.conj(), size)[:lags], np.float64)

    is_regular = slots == n and bool(np.all(moved == 1.0))
    sums, counts = products(off), n - np.arange(lags, dtype=np.float64) if is_regular else np.rint(products(None))
    power = float(off @ off)
    sums[0], counts[0] = power, n
    filled = 1 + int(np.sum(np.minimum(moved, longest_block(n))))
    return Autocorrelation(step_us=step, n=n, shares=sums / power, products=counts, slots=filled)


def longest_block(n: int) -> int:
    """Return the length no block goes beyond: min(3·√n, n/3), as Politis and White's programs have it."""
    return max(math.ceil(min(3.0 * math.sqrt(n), n / 3.0)), 1)


def centred(values: Floats, cluster: NDArray[np.int32]) -> Floats:
    """Return values less the mean of their cluster."""
    number, place = np.unique(cluster, return_inverse=True)
    if len(number) == 1:
        return np.asarray(values - values.mean())
    means = np.bincount(place, values) / np.bincount(place)
    return np.asarray(values - means[place])


def effective_size(found: Autocorrelation, *, method: str = "geyer") -> float:
    """Return how many independent results the series is worth for its mean.

    Parameters
    ----------
    found : Autocorrelation
        Of the series.
    method : str
        ``geyer``: sums of two neighbouring lags, made to fall, up to the first that is not positive. ``ar1``:
        n·(1 − r₁)/(1 + r₁), right where lag 1 says all, which with white noise on top it does not.

    Returns
    -------
    float
        Between 1 and n.

    Raises
    ------
    ValueError
        If the method is neither.

    References
    ----------
    Geyer (1992), Statistical Science 7, 473-483: initial monotone sequence.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=500)
    >>> found = autocorrelation(noise, np.arange(500), np.zeros(500, np.int32))
    >>> 300 < effective_size(found) <= 500
    True
    """
    if method == "ar1":
        r = min(max(float(found.correlations[1]), -1.0), 1.0)
        return float(min(max(found.n * (1.0 - r) / (1.0 + r), 1.0), found.n)) if r > -1.0 else float(found.n)
    if method != "geyer":
        raise ValueError(f"method = {method!r} (allowed: geyer, ar1)")
    shares = found.shares
    both = shares[0 : len(shares) // 2 * 2 : 2] + shares[1::2][: len(shares) // 2]
    end = int(np.argmax(both <= 0.0)) if np.any(both <= 0.0) else len(both)
    total = 2.0 * float(np.sum(np.minimum.accumulate(both[:end]))) - 1.0 if end else 0.0
    return float(min(max(found.n / max(total, 1.0), 1.0), found.n))


def block_length(found: Autocorrelation) -> tuple[float, float]:
    """Return the automatic block lengths of the stationary and of the circular bootstrap.

    Parameters
    ----------
    found : Autocorrelation
        Of the series.

    Returns
    -------
    (float, float)
        Mean length for the stationary and length for the circular one, in results; at least n^⅓ and n/5000 (but no
        longer than a third of the series), at most min(3·√n, n/3).

    References
    ----------
    Politis and White (2004), Econometric Reviews 23, 53-70, with the corrected D of Patton, Politis and White (2009),
    Econometric Reviews 28, 372-375: b = (2·G²/D)^⅓·n^⅓ with a flat-top window of twice the lag after which
    K = max(5, √log₁₀n) correlations are within ± 2·√(log₁₀n/n); D = 2·g² (stationary), 4/3·g² (circular). The floor of
    n^⅓, or n/5000, is ours: a length that happened to come out near 1 saves nothing and risks much. (`arch` 8.0 takes
    the lag after the last that counts, one more than the paper's.)
    """
    n, r = found.n, found.correlations
    # As the estimators of the papers divide by n: products over what was expected at a full series, less at long lags.
    weight = np.maximum(1.0 - np.arange(len(r)) / max(found.slots, n), 0.0)
    r = r * weight
    band = 2.0 * math.sqrt(math.log10(max(n, 10)) / n)
    quiet = max(5, int(math.sqrt(math.log10(max(n, 10)))))
    most = min(math.ceil(math.sqrt(n)) + quiet, len(r) - 1)
    last = _last_that_counts(np.abs(r[1 : most + 1]) > band, quiet)
    window = min(2 * max(last, 1), most)
    k = np.arange(1, window + 1)
    taper = np.minimum(1.0, 2.0 * (1.0 - k / window))
    bend = 2.0 * float(np.sum(taper * k * r[1 : window + 1]))
    level = 1.0 + 2.0 * float(np.sum(taper * r[1 : window + 1]))
    ceiling = longest_block(n)
    floor = min(max(n ** (1.0 / 3.0), n / _MOST_BLOCKS), ceiling)
    # Lags count steps; where steps are missing a block of as much time holds fewer results.
    fill = min(n / found.slots, 1.0)
    lengths = []
    for constant in (2.0, 4.0 / 3.0):
        length = (2.0 * bend**2 / (constant * level**2)) ** (1.0 / 3.0) * n ** (1.0 / 3.0) if level else math.inf
        lengths.append(float(min(max(length * fill, floor), ceiling)))
    return lengths[0], lengths[1]


def _last_that_counts(loud: NDArray[np.bool_], quiet: int) -> int:
    """Return the lag after which `quiet` correlations in a row say nothing."""
    silent = 0
    for lag, is_loud in enumerate(loud, start=1):
        silent = 0 if is_loud else silent + 1
        if silent == quiet:
            return lag - quiet
    there = np.flatnonzero(loud)
    return int(there[-1]) + 1 if len(there) else 0


def run_starts(
    time: NDArray[np.int64], cluster: NDArray[np.int32], *, step_us: int, length: float
) -> NDArray[np.int64]:
    """Return where runs begin: stretches that blocks of a length may be cut from without bridging a gap.

    A run ends at the end of its cluster and at every gap longer than the block itself (at least three steps): results
    on both sides of a shorter gap may know of each other, of a longer one a block would make neighbours that were none.

    Parameters
    ----------
    time, cluster : ndarray, shape (n,)
        As in `autocorrelation`.
    step_us : int
        Median spacing.
    length : float
        Of a block, in results.

    Returns
    -------
    ndarray of int64, shape (runs + 1,)
        First row of each run, and n.

    Examples
    --------
    >>> time = np.array([0, 1, 2, 50, 51, 52])
    >>> run_starts(time, np.zeros(6, np.int32), step_us=1, length=4).tolist()
    [0, 3, 6]
    """
    longest = max(length, 3.0) * step_us
    breaks = (np.diff(time) > longest) | (np.diff(cluster) != 0)
    return np.concatenate([[0], np.flatnonzero(breaks) + 1, [len(time)]]).astype(np.int64)
