"""Sums or extremes of the last hours, in memory that does not grow with the sampling rate.

Values fall into buckets of `width`; a value that comes later than that after the first of the open bucket closes it.
So where values are further apart than the width each has a bucket of its own and the window is exact; where they are
denser the window is at most one width longer than asked. Closed buckets stand in a ring. Its front holds, in each
bucket, the sums of everything from there to the end of the front, and the sums of the rest are kept aside: the oldest
bucket is dropped by looking at the next, nothing is ever subtracted, and no error gathers (the queue of two stacks,
which forms any associative aggregate).

Of the open bucket the sums are count, Σ(x - K) and Σ(x - K)², K its first value; of closed ones count, mean and Σ(x -
mean)², merged as Chan et al. (1983) do: a wild value, or a level far from zero, costs no digit once it has left the
window. Extremes are count, minimum and maximum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.layout import (
    BACK,
    BUCKET,
    BUCKET_WORDS,
    BUCKETS,
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
)

__all__ = ["POINTS", "most_buckets", "slide", "width_of"]


_COUNTS = PRESENT | IN_ORDER

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
    extremes: bool,
    before: bool,
    last_t: NDArray[np.int64],
) -> None:
    """Add each row to its Datastream's window and say what the window holds then, or held `before`.

    Parameters
    ----------
    count, spread, since
        Written: how many values, how far they spread, µs of the first since the window was last empty. Of sums the
        spread is the variance of the population times the square of the count, of extremes the range.
    x, t, status, base
        Values, µs, how rows stand in their series, first words of their Datastreams' state. Rows that have no value or
        are not in order are passed over.
    kept
        Word of a Datastream's state where its window begins.
    words, values, pool, sums, used
        The memory of the kernel.
    period, width
        µs.
    last_t
        Where the value before each stands along a cast: a cast has a window of its own, and depths are counted
        downwards from its second row on where it goes up. Empty: the rows are a series along time.
    """
    window = np.int64(-1)
    first, final, oldest, begun = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    ring, mask = np.int64(0), np.int64(0)
    head, length, front = np.int64(0), np.int64(0), np.int64(0)
    shift, n0, a0, b0 = 0.0, 0.0, 0.0, 0.0  # the open bucket
    n1, a1, b1, n2, a2, b2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0  # all closed ones, and those behind the front
    dirty = False  # the former are to be made from the latter
    rows, k = x.size, 0
    casts = last_t.size > 0
    while k < rows:
        if status[k] & _COUNTS != _COUNTS:
            k += 1
            continue
        now, value = t[k], x[k]
        is_other = casts or base[k] + kept != window  # what a cast begins with is changed in memory, too
        # A full ring grows, and a front that is used up is made anew, in memory: the registers go there and back.
        turns = not is_other and oldest <= now - period and front == 0
        widens = not is_other and first != NO_TIME and now - first >= width and length > mask
        if is_other or turns or widens:
            if window >= 0:
                words[window + FIRST], words[window + FINAL], words[window + SINCE] = first, final, begun
                words[window + OLDEST], words[window + HEAD] = oldest, head
                words[window + LENGTH], words[window + FRONT] = length, front
                if dirty:
                    n1, a1, b1 = _rest_of(n2, a2, b2, sums, ring + head * BUCKET_WORDS, front, extremes)
                    dirty = False
                values[window + SHIFT] = shift
                values[window + BUCKET], values[window + BUCKET + 1], values[window + BUCKET + 2] = n0, a0, b0
                values[window + REST], values[window + REST + 1], values[window + REST + 2] = n1, a1, b1
                values[window + BACK], values[window + BACK + 1], values[window + BACK + 2] = n2, a2, b2
            window = base[k] + kept
            if casts:
                if not status[k] & LINKED:  # a cast begins
                    words[window + FIRST], words[window + OLDEST] = NO_TIME, NEVER
                    words[window + HEAD], words[window + LENGTH], words[window + FRONT] = 0, 0, 0
                    for part in range(3):
                        values[window + BUCKET + part] = 0.0
                        values[window + REST + part] = 0.0
                        values[window + BACK + part] = 0.0
                elif words[window + FIRST] != NO_TIME and words[window + FINAL] != last_t[k]:
                    # It goes up: its first row is counted downwards, too.
                    words[window + FIRST] = words[window + FINAL] = words[window + SINCE] = last_t[k]
            if words[window + OLDEST] <= now - period and words[window + FRONT] == 0:
                _turn(words, values, sums, window, extremes)
            first = words[window + FIRST]
            if first != NO_TIME and now - first >= width and words[window + LENGTH] == words[window + BUCKETS]:
                _widen(words, pool, used, window)
            first, final, begun = words[window + FIRST], words[window + FINAL], words[window + SINCE]
            oldest, head = words[window + OLDEST], words[window + HEAD]
            length, front = words[window + LENGTH], words[window + FRONT]
            ring, mask = words[window + RING], words[window + BUCKETS] - 1
            shift = values[window + SHIFT]
            n0, a0, b0 = values[window + BUCKET], values[window + BUCKET + 1], values[window + BUCKET + 2]
            n1, a1, b1 = values[window + REST], values[window + REST + 1], values[window + REST + 2]
            n2, a2, b2 = values[window + BACK], values[window + BACK + 1], values[window + BACK + 2]
        if oldest <= now - period:
            while front > 0 and oldest <= now - period:
                head = (head + 1) & mask
                front -= 1
                length -= 1
                oldest = pool[ring + head * BUCKET_WORDS] if length > 0 else np.int64(NEVER)
            dirty = True
            if front == 0 and oldest <= now - period:
                continue  # the rest of the ring is as old: it is turned first
        if oldest == NEVER and first != NO_TIME and final <= now - period:
            first, n0, a0, b0 = NO_TIME, 0.0, 0.0, 0.0
        if before:
            if dirty:
                n1, a1, b1 = _rest_of(n2, a2, b2, sums, ring + head * BUCKET_WORDS, front, extremes)
                dirty = False
            count[k] = n0 + n1
            spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
        if first == NO_TIME:
            begun = now
        if first == NO_TIME or now - first >= width:
            if first != NO_TIME:  # the open bucket is closed
                if n0 == 1.0:
                    a0, b0 = (shift, shift) if extremes else (shift, 0.0)
                elif not extremes:
                    mean = a0 / n0
                    b0 = max(b0 - a0 * mean, 0.0)
                    a0 = shift + mean
                at = ring + ((head + length) & mask) * BUCKET_WORDS
                pool[at], sums[at + 1], sums[at + 2], sums[at + 3] = final, n0, a0, b0
                if length == 0:
                    oldest = final
                length += 1
                n2, a2, b2 = _both(n2, a2, b2, n0, a0, b0, extremes)
                dirty = True
            first, shift, n0 = now, value, 1.0
            a0, b0 = (value, value) if extremes else (0.0, 0.0)
        else:
            n0 += 1.0
            if extremes:
                a0, b0 = min(a0, value), max(b0, value)
            else:
                apart = value - shift
                a0 += apart
                b0 += apart * apart
        final = now
        if not before:
            if dirty:
                n1, a1, b1 = _rest_of(n2, a2, b2, sums, ring + head * BUCKET_WORDS, front, extremes)
                dirty = False
            count[k] = n0 + n1
            spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
        since[k] = begun
        k += 1
        # What comes before the bucket is full and before another is too old only adds to the open one.
        until = min(first + width, oldest + period)
        while k < rows and not casts:
            if status[k] & _COUNTS != _COUNTS or base[k] + kept != window or not final < t[k] < until:
                break
            value = x[k]
            if dirty:
                n1, a1, b1 = _rest_of(n2, a2, b2, sums, ring + head * BUCKET_WORDS, front, extremes)
                dirty = False
            if before:
                count[k] = n0 + n1
                spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
            n0 += 1.0
            if extremes:
                a0, b0 = min(a0, value), max(b0, value)
            else:
                apart = value - shift
                a0 += apart
                b0 += apart * apart
            if not before:
                count[k] = n0 + n1
                spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
            since[k] = begun
            final = t[k]
            k += 1
    if window >= 0:
        words[window + FIRST], words[window + FINAL], words[window + SINCE] = first, final, begun
        words[window + OLDEST], words[window + HEAD] = oldest, head
        words[window + LENGTH], words[window + FRONT] = length, front
        if dirty:
            n1, a1, b1 = _rest_of(n2, a2, b2, sums, ring + head * BUCKET_WORDS, front, extremes)
        values[window + SHIFT] = shift
        values[window + BUCKET], values[window + BUCKET + 1], values[window + BUCKET + 2] = n0, a0, b0
        values[window + REST], values[window + REST + 1], values[window + REST + 2] = n1, a1, b1
        values[window + BACK], values[window + BACK + 1], values[window + BACK + 2] = n2, a2, b2


@inlined
def _rest_of(
    n: float, a: float, b: float, sums: NDArray[np.float64], at: int, front: int, extremes: bool
) -> tuple[float, float, float]:
    """Return the sums of all closed buckets: those behind the front, and the front's from its head at `at` on."""
    if front == 0:
        return n, a, b
    return _both(n, a, b, sums[at + 1], sums[at + 2], sums[at + 3], extremes)


@inlined
def _both(
    n: float, a: float, b: float, more_n: float, more_a: float, more_b: float, extremes: bool
) -> tuple[float, float, float]:
    """Return two parts as one: counts, with means and sums of squares about them, or with extremes."""
    if n == 0.0:
        return more_n, more_a, more_b
    if more_n == 0.0:
        return n, a, b
    whole = n + more_n
    if extremes:
        return whole, min(a, more_a), max(b, more_b)
    apart, share = more_a - a, more_n / whole
    moved = apart * share
    return whole, a + moved, b + more_b + apart * moved * n


@inlined
def _spread_of(n0: float, a0: float, b0: float, n1: float, a1: float, b1: float, shift: float, extremes: bool) -> float:
    if extremes:
        return max(b0, b1) - min(a0, a1) if n1 > 0.0 else b0 - a0
    apart = shift - a1 if n1 > 0.0 else 0.0
    return max((n0 + n1) * (b0 + b1) + n1 * apart * (n0 * apart + 2.0 * a0) - a0 * a0, 0.0)


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
def _turn(
    words: NDArray[np.int64], values: NDArray[np.float64], sums: NDArray[np.float64], window: int, extremes: bool
) -> None:
    """Make everything the front: each bucket takes in those behind it."""
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    head, length = words[window + HEAD], words[window + LENGTH]
    n, a, b = 0.0, 0.0, 0.0
    for k in range(length - 1, -1, -1):
        at = ring + ((head + k) & mask) * BUCKET_WORDS
        n, a, b = _both(sums[at + 1], sums[at + 2], sums[at + 3], n, a, b, extremes)
        sums[at + 1], sums[at + 2], sums[at + 3] = n, a, b
    words[window + FRONT] = length
    values[window + REST], values[window + REST + 1], values[window + REST + 2] = n, a, b
    for part in range(3):
        values[window + BACK + part] = 0.0
