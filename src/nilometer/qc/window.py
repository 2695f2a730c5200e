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
    last_t: NDArray[np.int64] | None = None,
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
        downwards from its second row on where it goes up. Absent or empty: the rows are a series along time.
    """
    window = np.int64(-1)
    first, final, oldest, begun = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    shift, n0, a0, b0, n1, a1, b1 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(x.size):
        if status[k] & _COUNTS != _COUNTS:
            continue
        stale = False  # the registers are behind the memory
        if base[k] + kept != window:
            if window >= 0:
                _store(words, values, window, first, final, begun, shift, n0, a0, b0)
            window = base[k] + kept
            stale = True
            first = words[window + FIRST]
        if last_t is not None:
            if last_t.size > 0:
                if not stale:
                    _store(words, values, window, first, final, begun, shift, n0, a0, b0)
                    stale = True
                if not status[k] & LINKED:
                    clear(words, values, window)
                elif first != NO_TIME and words[window + FINAL] != last_t[k]:
                    words[window + FIRST] = words[window + FINAL] = words[window + SINCE] = last_t[k]
                first = words[window + FIRST]
        now, value = t[k], x[k]
        if not stale and first != NO_TIME and (now <= final or oldest <= now - period):
            _store(words, values, window, first, final, begun, shift, n0, a0, b0)
            stale = True
        if stale:
            if first != NO_TIME and now <= words[window + FINAL]:
                clear(words, values, window)
            elif words[window + OLDEST] <= now - period:
                _drop(words, values, pool, sums, window, now - period, extremes)
            first, final = words[window + FIRST], words[window + FINAL]
            oldest, begun = words[window + OLDEST], words[window + SINCE]
            shift = values[window + SHIFT]
            n0, a0, b0 = values[window + BUCKET], values[window + BUCKET + 1], values[window + BUCKET + 2]
            n1, a1, b1 = values[window + REST], values[window + REST + 1], values[window + REST + 2]
        if oldest == NEVER and first != NO_TIME and final <= now - period:
            first, n0, a0, b0 = NO_TIME, 0.0, 0.0, 0.0
        if before:
            count[k] = n0 + n1
            spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
        if first == NO_TIME:
            begun = now
        if first == NO_TIME or now - first >= width:
            if first != NO_TIME:
                _store(words, values, window, first, final, begun, shift, n0, a0, b0)
                _close(words, values, pool, sums, used, window, extremes)
                oldest = words[window + OLDEST]
                n1, a1, b1 = values[window + REST], values[window + REST + 1], values[window + REST + 2]
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
            count[k] = n0 + n1
            spread[k] = _spread_of(n0, a0, b0, n1, a1, b1, shift, extremes)
        since[k] = begun
    if window >= 0:
        _store(words, values, window, first, final, begun, shift, n0, a0, b0)


@inlined
def _store(
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    window: int,
    first: int,
    final: int,
    begun: int,
    shift: float,
    n: float,
    a: float,
    b: float,
) -> None:
    words[window + FIRST], words[window + FINAL], words[window + SINCE] = first, final, begun
    values[window + SHIFT] = shift
    values[window + BUCKET], values[window + BUCKET + 1], values[window + BUCKET + 2] = n, a, b


@inlined
def _spread_of(
    n0: float,
    a0: float,
    b0: float,
    n1: float,
    a1: float,
    b1: float,
    shift: float,
    extremes: bool,
) -> float:
    if extremes:
        return max(b0, b1) - min(a0, a1) if n1 > 0.0 else b0 - a0
    apart = shift - a1 if n1 > 0.0 else 0.0
    return max((n0 + n1) * (b0 + b1) + n1 * apart * (n0 * apart + 2.0 * a0) - a0 * a0, 0.0)


@inlined
def clear(words: NDArray[np.int64], values: NDArray[np.float64], window: int) -> None:
    """Forget everything: a new cast begins where depths begin anew."""
    words[window + FIRST], words[window + OLDEST] = NO_TIME, NEVER
    words[window + HEAD], words[window + LENGTH], words[window + FRONT] = 0, 0, 0
    for part in range(3):
        values[window + BUCKET + part] = 0.0
        values[window + REST + part] = 0.0
        values[window + BACK + part] = 0.0


@inlined
def _merge(values: NDArray[np.float64], into: int, more: NDArray[np.float64], at: int, extremes: bool) -> None:
    held, n = values[into], more[at]
    if held == 0.0:
        values[into + 1], values[into + 2] = more[at + 1], more[at + 2]
    elif extremes:
        values[into + 1] = min(values[into + 1], more[at + 1])
        values[into + 2] = max(values[into + 2], more[at + 2])
    else:
        apart = more[at + 1] - values[into + 1]
        values[into + 1] += apart * n / (held + n)
        values[into + 2] += more[at + 2] + apart * apart * (held * n / (held + n))
    values[into] = held + n


@compiled
def _close(
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    sums: NDArray[np.float64],
    used: NDArray[np.int64],
    window: int,
    extremes: bool,
) -> None:
    """Put the open bucket behind the closed ones."""
    if words[window + LENGTH] == words[window + BUCKETS]:
        _widen(words, pool, used, window)
    if not extremes:
        n, first = values[window + BUCKET], values[window + BUCKET + 1]
        values[window + BUCKET + 1] = values[window + SHIFT] + first / n
        values[window + BUCKET + 2] = max(values[window + BUCKET + 2] - first * (first / n), 0.0)
    mask = words[window + BUCKETS] - 1
    at = words[window + RING] + ((words[window + HEAD] + words[window + LENGTH]) & mask) * BUCKET_WORDS
    pool[at] = words[window + FINAL]
    for part in range(3):
        sums[at + 1 + part] = values[window + BUCKET + part]
    if words[window + LENGTH] == 0:
        words[window + OLDEST] = words[window + FINAL]
    words[window + LENGTH] += 1
    _merge(values, window + BACK, values, window + BUCKET, extremes)
    _merge(values, window + REST, values, window + BUCKET, extremes)


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
def _drop(
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    sums: NDArray[np.float64],
    window: int,
    horizon: int,
    extremes: bool,
) -> None:
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    while words[window + LENGTH] > 0 and pool[ring + (words[window + HEAD] & mask) * BUCKET_WORDS] <= horizon:
        if words[window + FRONT] == 0:
            _turn(words, values, pool, sums, window, extremes)
        words[window + HEAD] = (words[window + HEAD] + 1) & mask
        words[window + FRONT] -= 1
        words[window + LENGTH] -= 1
    head = ring + words[window + HEAD] * BUCKET_WORDS
    words[window + OLDEST] = pool[head] if words[window + LENGTH] > 0 else NEVER
    for part in range(3):
        values[window + REST + part] = values[window + BACK + part]
    if words[window + FRONT] > 0:
        _merge(values, window + REST, sums, head + 1, extremes)


@compiled
def _turn(
    words: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    sums: NDArray[np.float64],
    window: int,
    extremes: bool,
) -> None:
    """Make everything the front: each bucket takes in those behind it."""
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    head, length = words[window + HEAD], words[window + LENGTH]
    behind = np.int64(-1)
    for k in range(length - 1, -1, -1):
        at = ring + ((head + k) & mask) * BUCKET_WORDS + 1
        if behind >= 0:
            _merge(sums, at, sums, behind, extremes)
        behind = at
    words[window + FRONT] = length
    for part in range(3):
        values[window + BACK + part] = 0.0
