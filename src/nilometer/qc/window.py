"""Sums or extremes of the last hours, in memory that does not grow with the sampling rate.

Values fall into buckets of `width`; a value that comes later than that after the first of the open bucket closes it.
So where values are further apart than the width each has a bucket of its own and the window is exact; where they are
denser the window is at most one width longer than asked. Closed buckets stand in a ring. Its front holds, in each
bucket, the sums of everything from there to the end of the front, and the sums of those behind it, the back, are kept
aside: the oldest bucket is dropped by looking at the next, and nothing is ever subtracted. When the front is used up
everything becomes the front (the queue of two stacks, which forms any associative aggregate).

A closed bucket in the back has count, mean and Σ(x - mean)²; all other sums are count, Σ(x - K) and Σ(x - K)². K is the
mean of the newest bucket of the front, for as long as that is in the window, and of the open bucket its own first
value. So nothing that is squared exceeds the range of what is in the window, the variance is exact to about n · 2⁻⁵²
of itself whatever the level, and a wild value that has left the window leaves nothing behind. Extremes are count,
minimum and maximum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.layout import (
    ANCHOR,
    ASIDE,
    BACK,
    BUCKET,
    BUCKET_WORDS,
    BUCKETS,
    COUNTS,
    FEW,
    FINAL,
    FIRST,
    FRONT,
    HEAD,
    IN_ORDER,
    LENGTH,
    LINKED,
    NEVER,
    OLDEST,
    PRESENT,
    REST,
    RING,
    SHIFT,
    SINCE,
    UNTIL,
)

__all__ = ["POINTS", "most_buckets", "slide", "width_of"]


_COUNTS = PRESENT | IN_ORDER
_STRETCH = 64
_COUNT = np.int64((1 << 31) - 1)
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)

POINTS = 128
"""Parts a window is remembered in, at most, where a profile does not say."""


def width_of(period_us: float, points: int) -> float:
    """Return the width of a bucket, µs, so that a period has at most so many."""
    return max(1.0, period_us // points)


def most_buckets(period_us: float, width_us: float) -> int:
    """Return how many buckets a ring may ever need, a power of two."""
    return 1 << int(period_us // width_us + 2).bit_length()


@compiled
def slide(
    count: NDArray[np.float64],
    spread: NDArray[np.float64],
    since: NDArray[np.int64],
    x: NDArray[np.float64],
    t: NDArray[np.int64],
    status: NDArray[np.uint8],
    base: NDArray[np.int64],
    kept: int,
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    sums: NDArray[np.float64],
    used: NDArray[np.int64],
    period: int,
    width: int,
    reach: int,
    extremes: bool,
    before: bool,
    last_t: NDArray[np.int64],
) -> None:
    """Add each row to its Datastream's window and say what the window holds then, or held `before`.

    Parameters
    ----------
    count, spread, since
        Written: how many values, how far they spread, µs of the first since the window was last empty, or of any time
        at least `reach` µs ago where that lies as far back. Of sums the spread is the variance of the population times
        the square of the count, of extremes the range.
    x, t, status, base
        Values, µs, how rows stand in their series, first words of their Datastreams' state. Rows that have no value or
        are not in order are passed over.
    kept
        Word of a Datastream's state where its window begins.
    words, values, pool, sums, used
        The memory of the kernel.
    period, width, reach
        µs.
    last_t
        Where the value before each stands along a cast: a cast has a window of its own, and depths are counted
        downwards from its second row on where it goes up. Empty: the rows are a series along time.
    """
    k, casts = 0, last_t.size > 0
    while k < x.size:
        if status[k] & _COUNTS != _COUNTS:
            k += 1
            continue
        window, end = base[k] + kept, k + 1
        if k < 0 or window < 0:  # never; but the compiler knows then, and need not look at each access
            return
        alone = end == x.size or base[end] != base[k]
        if alone and not casts and t[k] < words[window + UNTIL]:
            # It only adds to the open bucket, as most rows do that arrive live. Written out, since a function would
            # count references to its arrays for every row.
            counts = words[window + COUNTS]
            n = np.float64((counts & _COUNT) + ((counts >> np.int64(31)) & _COUNT))
            a0, b0 = values[window + BUCKET], values[window + BUCKET + 1]
            a1, b1 = values[window + ASIDE], values[window + ASIDE + 1]
            if before:
                count[k], spread[k] = n, _spread_of(n, a0, b0, a1, b1, extremes)
            if extremes:
                a0, b0 = min(a0, x[k]), max(b0, x[k])
            else:
                move = x[k] - values[window + SHIFT]
                a0, b0 = a0 + move, b0 + move * move
            if not before:
                count[k], spread[k] = n + 1.0, _spread_of(n + 1.0, a0, b0, a1, b1, extremes)
            begun = t[k] - reach
            if counts >> np.int64(62) == 0:  # the window may not reach back so far
                begun = words[window + SINCE]
                if t[k] - begun >= reach:
                    counts |= np.int64(1) << np.int64(62)
            since[k] = begun
            words[window + COUNTS] = counts + 1
            values[window + BUCKET], values[window + BUCKET + 1] = a0, b0
            words[window + FINAL] = t[k]
            k += 1
            continue
        if casts:
            if not status[k] & LINKED:  # a cast begins
                words[window + FIRST] = words[window + UNTIL] = NO_TIME
                words[window + OLDEST] = NEVER
                words[window + COUNTS] = words[window + HEAD] = words[window + LENGTH] = words[window + FRONT] = 0
            elif words[window + FIRST] != NO_TIME and words[window + FINAL] != last_t[k]:
                # It goes up: its first row is counted downwards, too.
                words[window + FIRST] = words[window + FINAL] = words[window + SINCE] = last_t[k]
        elif not alone:
            end = _end_of(k, base, status)
        _slide_on(
            count, spread, since, x, t, k, end, window, words, values, pool, sums, used,
            period, width, reach, extremes, before,
        )  # fmt: skip
        k = end


@inlined
def _end_of(k: int, base: NDArray[np.int64], status: NDArray[np.uint8]) -> int:
    """Return the end of the rows from `k` on that count and are of one Datastream."""
    end, others = k + 1, 0
    while others == 0 and end + _STRETCH <= base.size:
        for row in range(end, end + _STRETCH):
            others += (status[row] & _COUNTS != _COUNTS) | (base[row] != base[k])
        if others == 0:
            end += _STRETCH
    while end < base.size and base[end] == base[k] and status[end] & _COUNTS == _COUNTS:
        end += 1
    return end


@inlined
def _slide_on(
    count: NDArray[np.float64],
    spread: NDArray[np.float64],
    since: NDArray[np.int64],
    x: NDArray[np.float64],
    t: NDArray[np.int64],
    row: int,
    end: int,
    window: int,
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    sums: NDArray[np.float64],
    used: NDArray[np.int64],
    period: int,
    width: int,
    reach: int,
    extremes: bool,
    before: bool,
) -> None:
    """Slide the window that begins at `window` over the rows from `row` to `end`, which all count and are its own."""
    first, final, oldest = words[window + FIRST], words[window + FINAL], words[window + OLDEST]
    begun, counts = words[window + SINCE], words[window + COUNTS]
    shift, anchor = values[window + SHIFT], values[window + ANCHOR]
    n0, a0, b0 = np.float64(counts & _COUNT), values[window + BUCKET], values[window + BUCKET + 1]
    n1, a1, b1 = np.float64((counts >> np.int64(31)) & _COUNT), values[window + REST], values[window + REST + 1]
    n2, a2, b2 = values[window + BACK], values[window + BACK + 1], values[window + BACK + 2]
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    head, length, front = words[window + HEAD], words[window + LENGTH], words[window + FRONT]
    low, high = (np.inf, -np.inf) if extremes else (0.0, 0.0)
    rows, k = np.uint64(end), np.uint64(row)  # unsigned: an index that cannot be negative costs less
    while k < rows:
        # What comes before the bucket is full and before another is too old only adds to the open one.
        until = min(first + width, oldest + period) if first != NO_TIME else first
        if t[k] < until:
            a3, b3 = _aside(n1, a1, b1, anchor - shift, extremes)
            begin = k
            if extremes:
                while k < rows and t[k] < until:
                    if before:
                        count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, True)
                    n0, a0, b0 = n0 + 1.0, min(a0, x[k]), max(b0, x[k])
                    if not before:
                        count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, True)
                    k += _ONE
            elif before:
                while k < rows and t[k] < until:
                    count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, False)
                    move = x[k] - shift
                    n0, a0, b0 = n0 + 1.0, a0 + move, b0 + move * move
                    k += _ONE
            else:
                while k < rows and t[k] < until:
                    move = x[k] - shift
                    n0, a0, b0 = n0 + 1.0, a0 + move, b0 + move * move
                    count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, False)
                    k += _ONE
            since[np.int64(begin) : np.int64(k)] = begun
            final = t[k - _ONE]
            continue
        now, value = t[k], x[k]
        if oldest <= now - period:
            while oldest <= now - period:
                head = (head + 1) & mask
                length -= 1
                front -= 1
                if length == 0:
                    oldest = np.int64(NEVER)
                    break
                if front == 0:
                    front = length
                    anchor = _turn(sums, ring, mask, head, length, extremes)
                    n2, a2, b2 = 0.0, low, high
                oldest = pool[_place(ring, mask, head)]
            n1, a1, b1, at = 0.0, low, high, _place(ring, mask, head)
            if length > 0 and extremes:
                n1, a1, b1 = sums[at + _ONE] + n2, min(sums[at + _TWO], a2), max(sums[at + _THREE], b2)
            elif length > 0:
                n1, a1, b1 = sums[at + _ONE] + n2, sums[at + _TWO] + a2, sums[at + _THREE] + b2
        if length == 0 and first != NO_TIME and final <= now - period:
            first, n0, a0, b0 = np.int64(NO_TIME), 0.0, low, high
        if before:
            a3, b3 = _aside(n1, a1, b1, anchor - shift, extremes)
            count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, extremes)
        if first == NO_TIME:
            begun = now
        elif now - first >= width:  # the open bucket is closed
            if length > mask:
                words[window + HEAD], words[window + LENGTH] = head, length
                _widen(words, pool, used, window)
                ring, mask, head = words[window + RING], words[window + BUCKETS] - 1, np.int64(0)
            if n0 == 1.0:
                a0, b0 = (shift, shift) if extremes else (shift, 0.0)
            elif not extremes:
                mean = a0 / n0
                a0, b0 = shift + mean, max(b0 - a0 * mean, 0.0)
            at = _place(ring, mask, head + length)
            pool[at], sums[at + _ONE], sums[at + _TWO], sums[at + _THREE] = final, n0, a0, b0
            if length == 0:
                oldest, front, anchor = final, np.int64(1), a0
                n1, a1, b1, n2, a2, b2 = n0, a0, b0, 0.0, low, high
                if not extremes:
                    a1 = sums[at + _TWO] = 0.0
            elif extremes:
                n2, a2, b2 = n2 + n0, min(a2, a0), max(b2, b0)
                n1, a1, b1 = n1 + n0, min(a1, a0), max(b1, b0)
            else:
                move = a0 - anchor
                a0 = n0 * move
                b0 += a0 * move
                n2, a2, b2 = n2 + n0, a2 + a0, b2 + b0
                n1, a1, b1 = n1 + n0, a1 + a0, b1 + b0
            length += 1
        if first == NO_TIME or now - first >= width:
            first, shift, n0 = now, value, 1.0
            a0, b0 = (value, value) if extremes else (0.0, 0.0)
            if length == 0:
                n1, a1, b1, anchor = 0.0, low, high, shift
        else:
            n0 += 1.0
            if extremes:
                a0, b0 = min(a0, value), max(b0, value)
            else:
                move = value - shift
                a0, b0 = a0 + move, b0 + move * move
        final = now
        if not before:
            a3, b3 = _aside(n1, a1, b1, anchor - shift, extremes)
            count[k], spread[k] = n0 + n1, _spread_of(n0 + n1, a0, b0, a3, b3, extremes)
        since[k] = begun
        k += _ONE
    a3, b3 = _aside(n1, a1, b1, anchor - shift, extremes)
    counts = np.int64(n0) | np.int64(n1) << np.int64(31) | np.int64(final - begun >= reach) << np.int64(62)
    words[window + UNTIL], words[window + COUNTS] = min(first + width, oldest + period), counts
    words[window + FIRST], words[window + FINAL], words[window + OLDEST] = first, final, oldest
    words[window + SINCE] = begun
    values[window + SHIFT], values[window + ANCHOR] = shift, anchor
    values[window + BUCKET], values[window + BUCKET + 1] = a0, b0
    values[window + ASIDE], values[window + ASIDE + 1] = a3, b3
    values[window + REST], values[window + REST + 1] = a1, b1
    values[window + BACK], values[window + BACK + 1], values[window + BACK + 2] = n2, a2, b2
    words[window + HEAD], words[window + LENGTH], words[window + FRONT] = head, length, front


@inlined
def _aside(n: float, a: float, b: float, apart: float, extremes: bool) -> tuple[float, float]:
    """Return the sums of the closed buckets as if what the open one subtracts had been subtracted there."""
    if extremes:
        return a, b
    part = n * apart
    return a + part, b + apart * (a + a + part)


@inlined
def _spread_of(n: float, a0: float, b0: float, a1: float, b1: float, extremes: bool) -> float:
    """Return the range, or the variance times the square of the count, of `n` values in two parts."""
    if extremes:
        return max(b0, b1) - min(a0, a1)
    a = a0 + a1
    return max(n * (b0 + b1) - a * a, 0.0)


@inlined
def _place(ring: int, mask: int, bucket: int) -> np.uint64:
    """Return the word of the pool where a bucket begins."""
    return np.uint64(ring) + np.uint64(bucket & mask) * np.uint64(BUCKET_WORDS)


@compiled
def _widen(words: NDArray[np.int64], pool: NDArray[np.int64], used: NDArray[np.int64], window: int) -> None:
    """Move the ring to where it has twice the room; whoever calls the kernel sees to it that the pool has it."""
    rooms, head, ring = words[window + BUCKETS], words[window + HEAD], words[window + RING]
    larger = max(FEW, 2 * rooms)
    place = used[0]
    used[0] += larger * BUCKET_WORDS
    for k in range(words[window + LENGTH]):
        for part in range(BUCKET_WORDS):
            pool[place + k * BUCKET_WORDS + part] = pool[ring + ((head + k) & (rooms - 1)) * BUCKET_WORDS + part]
    words[window + RING], words[window + BUCKETS], words[window + HEAD] = place, larger, 0


@compiled
def _turn(sums: NDArray[np.float64], ring: int, mask: int, head: int, length: int, extremes: bool) -> float:
    """Make everything the front: each bucket takes in those behind it; return what was subtracted in their sums."""
    at = _place(ring, mask, head + length - 1)
    anchor = sums[at + _TWO]
    n, a, b = 0.0, 0.0, 0.0
    if extremes:
        a, b = np.inf, -np.inf
    for k in range(length - 1, -1, -1):
        at = _place(ring, mask, head + k)
        if extremes:
            n, a, b = n + sums[at + _ONE], min(a, sums[at + _TWO]), max(b, sums[at + _THREE])
        else:
            move = sums[at + _TWO] - anchor
            part = sums[at + _ONE] * move
            n, a, b = n + sums[at + _ONE], a + part, b + (sums[at + _THREE] + part * move)
        sums[at + _ONE], sums[at + _TWO], sums[at + _THREE] = n, a, b
    return float(anchor)
