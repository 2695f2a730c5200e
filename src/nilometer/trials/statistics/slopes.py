"""Slopes between all pairs of points, by rank: found without making them, so memory grows with the points alone.

A slope below t belongs to a pair whose order by y − t·x is not its order by x; such pairs are counted by sorting. A
search over t closes in on the wanted rank, and the few slopes that are left are walked through and ranked as the
floating-point numbers they are. The answer is that of a sort of all slopes, to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.trials.steps import beat

__all__ = ["PairwiseSlopes"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_FEW = 500
"""Points of which all slopes are simply made and kept: 1 MB of them."""
_BINS = 1 << 16
_SAMPLE = 20_000
_ROUNDS = 80


class PairwiseSlopes:
    """The slopes (yⱼ − yᵢ)/(xⱼ − xᵢ) of all pairs i < j, in rising order, each as often as it stands.

    Points of one x have −∞ or +∞ by the sign of yⱼ − yᵢ; two points that are one have no slope.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Without NaN.

    Attributes
    ----------
    count : int
        Of slopes.
    finite : int
        Of those between points of different x.

    Examples
    --------
    >>> slopes = PairwiseSlopes(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 2.0]))
    >>> slopes.count, slopes.at(2), slopes.rank(1.0)
    (3, 1.0, (1, 1))
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        order = np.lexsort((np.arange(len(x)), x))
        self._falling = _inversions_within(x[order], y[order])
        order = np.lexsort((y, x))
        self._x, self._y = np.ascontiguousarray(x[order]), np.ascontiguousarray(y[order])
        n = len(x)
        new_x = np.concatenate([[True], np.diff(self._x) != 0.0])
        same_x = _pairs_of(np.diff(np.append(np.flatnonzero(new_x), n)))
        new_point = new_x | np.concatenate([[True], np.diff(self._y) != 0.0])
        same_point = _pairs_of(np.diff(np.append(np.flatnonzero(new_point), n)))
        self.finite = n * (n - 1) // 2 - same_x
        self._rising = same_x - same_point - self._falling
        self.count = self.finite + self._falling + self._rising
        self._sorted = self._all() if n <= _FEW else None
        # Keys are of centred columns, whose rounding errors are small beside their spread.
        self._kx, self._ky = self._x - self._x[n // 2], self._y - np.median(self._y)
        # The last two values and how many slopes lie below each: a median of an even count asks for neighbours.
        self._near = (math.nan, math.nan, 0, 0)
        self._sample = self._draw() if self._sorted is None and self.finite else np.zeros(0)

    def rank(self, value: float) -> tuple[int, int]:
        """Return how many slopes lie below a finite value, and how many are it exactly."""
        less, same = self.rank_finite(value)
        return self._falling + less, same

    def rank_finite(self, value: float) -> tuple[int, int]:
        """Return the same among the slopes of points of different x."""
        if self._sorted is not None:
            ends = [int(np.searchsorted(self._sorted, value, side=side)) for side in ("left", "right")]
            return ends[0], ends[1] - ends[0]
        low, below = self._clear(value, -1.0)
        high, _ = self._clear(value, 1.0)
        histogram = np.zeros(1, np.int64)
        less = self._walk(low, high, _ordinal(value), 1, histogram)
        return below + less, int(histogram[0])

    def at(self, rank: int) -> float:
        """Return the slope of a rank, counted from 1; beyond the ends there is only infinity to say."""
        return self.at_finite(rank - self._falling)

    def at_finite(self, place: int) -> float:
        """Return the slope of a rank among those of points of different x."""
        if place < 1:
            return -math.inf
        if place > self.finite:
            return math.inf
        if self._sorted is not None:
            return float(self._sorted[place - 1])
        low, high, below, upto = self._near
        if not below < place <= upto:
            low, high = self._bracket(place)
            low, below = self._clear(low, -1.0) if math.isfinite(low) else (low, 0)
            high, upto = self._clear(high, 1.0) if math.isfinite(high) else (high, self.finite)
            self._near = low, high, below, upto
        return self._within(low, high, place - below)

    def _all(self) -> Floats:
        one, other = np.triu_indices(len(self._x), 1)
        run = self._x[other] - self._x[one]
        there = run != 0.0
        # Adding 0 makes one zero of two.
        return np.sort((self._y[other] - self._y[one])[there] / run[there] + 0.0)

    def _draw(self) -> Floats:
        """Return the slopes of some random pairs: where to begin, and nothing of the result."""
        pick = np.random.default_rng(0).integers(0, len(self._x), (2, _SAMPLE))
        run = self._x[pick[1]] - self._x[pick[0]]
        there = run != 0.0
        found = (self._y[pick[1]] - self._y[pick[0]])[there] / run[there]
        return np.sort(found[np.isfinite(found)])

    def _below(self, t: float) -> int:
        beat()
        return int(_inversions(self._ky - t * self._kx))

    def _bracket(self, place: int) -> tuple[float, float]:
        """Return two values with the slope of a place between them, and few others."""
        few = max(2 * len(self._x), 200_000)
        low, high, at_low, at_high = self._first_bracket(place)
        for turn in range(_ROUNDS):
            apart = at_high - at_low
            if apart <= few or not high - low > 1e-9 * max(abs(low), abs(high)):
                break
            share = 0.5
            if turn % 3 != 2:  # every third step halves, which no distribution can slow down
                # The fewer are left, the more evenly they lie.
                aside = (0.05 if turn < 3 else 0.01) * (1 if turn % 3 else -1)
                share = min(max((place - at_low) / apart + aside, 0.001), 0.999)
            t = low + share * (high - low)
            below = self._below(t)
            if below < place:
                low, at_low = t, below
            else:
                high, at_high = t, below
        return low, high

    def _first_bracket(self, place: int) -> tuple[float, float, int, int]:
        sample, low, high, at_low, at_high = self._sample, -math.inf, math.inf, 0, self.finite
        middle = place / self.finite * len(sample)
        for spread in (4.0, 20.0, 1e9):
            reach = spread * (math.sqrt(len(sample)) / 2.0 + 1.0)
            first, last = max(int(middle - reach), 0), min(int(middle + reach), len(sample) - 1)
            if last <= first:
                break
            low, high = float(sample[first]), float(sample[last])
            low, high = low - 1e-9 * (high - low), high + 1e-9 * (high - low)
            at_low, at_high = self._below(low), self._below(high)
            if at_low < place <= at_high and low < high:
                return low, high, at_low, at_high
        # An extreme rank, or hardly any slopes but one: the walk takes what lies beyond the sample.
        low, at_low = (low, at_low) if at_low < place and math.isfinite(low) else (-math.inf, 0)
        high, at_high = (high, at_high) if at_high >= place and math.isfinite(high) else (math.inf, self.finite)
        return low, high, at_low, at_high

    def _clear(self, t: float, side: float) -> tuple[float, int]:
        """Return a value at or just beyond t at which no slope stands, and how many lie below it."""
        away = 1e-13
        scale = float(np.abs(self._ky).max()) / max(float(np.abs(self._kx).max()), 1e-300)
        place = t + side * away * max(abs(t), scale)
        while away < 1e-3:
            key = self._ky - place * self._kx
            order = np.argsort(key, kind="stable")
            # Half units in the last place of both terms, of their difference and of the slope itself, doubled.
            doubt = 2e-15 * (float(np.abs(self._ky).max()) + abs(place) * float(np.abs(self._kx).max()))
            near = np.diff(key[order]) <= doubt
            if not np.any(near & (np.diff(self._x[order]) != 0.0)):
                return place, self._below(place)
            away *= 3.0
            place = t + side * away * max(abs(t), scale)
        return (-math.inf, 0) if side < 0.0 else (math.inf, self.finite)

    def _order(self, t: float) -> Rows:
        if t == -math.inf:
            return np.arange(len(self._x))
        return np.argsort(-self._x if t == math.inf else self._ky - t * self._kx, kind="stable")

    def _walk(self, low: float, high: float, base: int, width: int, histogram: Rows) -> int:
        beat()
        place = np.empty(len(self._x), np.int64)
        place[self._order(high)] = np.arange(len(self._x))
        return int(_tally(self._order(low), place, self._x, self._y, base, width, histogram))

    def _within(self, low: float, high: float, rank: int) -> float:
        """Return the slope of a rank among those between two values, by ever finer histograms of their bits."""
        base, last = _ordinal(low), _ordinal(high)
        while True:
            width = -(-(last - base + 1) // _BINS)
            histogram = np.zeros(_BINS, np.int64)
            below = self._walk(low, high, base, width, histogram)
            bin_ = int(np.searchsorted(np.cumsum(histogram), rank - below))
            if bin_ >= _BINS:
                raise ArithmeticError(f"slopes between {low!r} and {high!r} cannot be told apart")
            base += bin_ * width
            if width == 1:
                return _value(base)
            last = base + width - 1


def _pairs_of(sizes: Rows) -> int:
    return int(np.sum(sizes * (sizes - 1) // 2))


def _ordinal(value: float) -> int:
    """Return a number that rises with the float by one from each float to the next."""
    bits = int(np.float64(value + 0.0).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _value(ordinal: int) -> float:
    return float(np.int64(ordinal).view(np.float64)) if ordinal >= 0 else -float(np.int64(-ordinal).view(np.float64))


def _inversions_within(x: Floats, y: Floats) -> int:
    """Return how many pairs of one x, in the order given, fall in y."""
    group = np.cumsum(np.concatenate([[0], np.diff(x) != 0.0]))
    place = np.unique(y, return_inverse=True)[1]
    return int(_inversions((group * (len(x) + 1) + place).astype(np.float64)))


@njit(nogil=True, cache=True, error_model="numpy")
def _inversions(keys: Floats) -> int:
    """Return how many pairs i < j have key j below key i: a merge sort that counts."""
    n = len(keys)
    here, there = keys.copy(), np.empty(n)
    found, size = 0, 1
    while size < n:
        for left in range(0, n, 2 * size):
            middle, right = min(left + size, n), min(left + 2 * size, n)
            i, j = left, middle
            for out in range(left, right):
                if j >= right or (i < middle and here[i] <= here[j]):
                    there[out] = here[i]
                    i += 1
                else:
                    there[out] = here[j]
                    found += middle - i
                    j += 1
        here, there = there, here
        size *= 2
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _tally(order: Rows, place: Rows, x: Floats, y: Floats, base: int, width: int, histogram: Rows) -> int:
    """Count the slopes of pairs whose places run against their order: a histogram of ordinals; return those below."""
    n, below, bins = len(order), 0, len(histogram)
    here, there = order.copy(), np.empty(n, np.int64)
    bits = np.empty(1)
    number = bits.view(np.int64)
    size = 1
    while size < n:
        for left in range(0, n, 2 * size):
            middle, right = min(left + size, n), min(left + 2 * size, n)
            i, j = left, middle
            for out in range(left, right):
                if j >= right or (i < middle and place[here[i]] <= place[here[j]]):
                    there[out] = here[i]
                    i += 1
                    continue
                q = here[j]
                for m in range(i, middle):
                    p = here[m]
                    bits[0] = (y[q] - y[p]) / (x[q] - x[p]) + 0.0
                    ordinal = number[0]
                    if ordinal < 0:
                        ordinal = -(ordinal & 0x7FFFFFFFFFFFFFFF)
                    if ordinal < base:
                        below += 1
                    else:
                        # Unsigned: between far ends of the line the difference leaves int64.
                        step = np.uint64(ordinal - base) // np.uint64(width)
                        if step < np.uint64(bins):
                            histogram[np.int64(step)] += 1
                there[out] = q
                j += 1
        here, there = there, here
        size *= 2
    return below
