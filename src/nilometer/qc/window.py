"""Sums or extremes of the last hours, in memory that does not grow with the sampling rate.

Values fall into buckets of `width`; a value that comes later than that after the first of the open bucket closes it. So
where values are further apart than the width each has a bucket of its own and the window is exact; where they are
denser the window is at most one width longer than asked. Closed buckets stand in a ring. Its front holds, in each
bucket, the sums of everything from there to the end of the front, and the sums of the rest are kept aside: the oldest
bucket is dropped by looking at the next, nothing is ever subtracted, and no error gathers (the queue of two stacks,
which forms any associative aggregate).

Sums are count, Σ(x - K) and Σ(x - K)², K near the mean of the window and moved with it; extremes are count, minimum and
maximum.
"""

from __future__ import annotations

import numpy as np

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
    LENGTH,
    NEVER,
    OLDEST,
    REST,
    RING,
    SHIFT,
    SINCE,
    Memory,
)

__all__ = ["add", "count_of", "forget", "most_buckets", "range_of", "variance_of", "width_of"]


def width_of(period_us: float, points: int) -> float:
    """Return the width of a bucket, µs, so that a period has at most so many."""
    return max(1.0, period_us // points)


def most_buckets(period_us: float, width_us: float) -> int:
    """Return how many buckets a ring may ever need, a power of two."""
    return 1 << int(period_us // width_us + 2).bit_length()


@inlined
def count_of(memory: Memory, window: int) -> float:
    """Return how many values the window holds."""
    return memory.values[window + BUCKET] + memory.values[window + REST]


@inlined
def variance_of(memory: Memory, window: int) -> float:
    """Return the variance (of the population) of a window of sums."""
    values = memory.values
    n = values[window + BUCKET] + values[window + REST]
    mean = (values[window + BUCKET + 1] + values[window + REST + 1]) / n
    return max((values[window + BUCKET + 2] + values[window + REST + 2]) / n - mean * mean, 0.0)


@inlined
def range_of(memory: Memory, window: int) -> float:
    """Return the range of a window of extremes."""
    values = memory.values
    least, most = values[window + BUCKET + 1], values[window + BUCKET + 2]
    if values[window + REST] > 0:
        least = min(least, values[window + REST + 1])
        most = max(most, values[window + REST + 2])
    return most - least


@inlined
def add(memory: Memory, window: int, t: int, x: float, width: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    """Add the newest value."""
    words, values = memory.words, memory.values
    first = words[window + FIRST]
    if first == NO_TIME:
        words[window + SINCE] = t
        values[window + SHIFT] = x
    if first == NO_TIME or t - first >= width:
        if first != NO_TIME:
            _close(memory, window, extremes)
        words[window + FIRST] = t
        values[window + BUCKET] = 1.0
        if extremes:
            values[window + BUCKET + 1] = x
            values[window + BUCKET + 2] = x
        else:
            apart = x - values[window + SHIFT]
            values[window + BUCKET + 1] = apart
            values[window + BUCKET + 2] = apart * apart
    else:
        values[window + BUCKET] += 1.0
        if extremes:
            values[window + BUCKET + 1] = min(values[window + BUCKET + 1], x)
            values[window + BUCKET + 2] = max(values[window + BUCKET + 2], x)
        else:
            apart = x - values[window + SHIFT]
            values[window + BUCKET + 1] += apart
            values[window + BUCKET + 2] += apart * apart
    words[window + FINAL] = t


@inlined
def forget(memory: Memory, window: int, horizon: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    """Drop the buckets whose last value is not later than the horizon."""
    words = memory.words
    if words[window + OLDEST] <= horizon:
        _drop(memory, window, horizon, extremes)
    if words[window + OLDEST] == NEVER and words[window + FIRST] != NO_TIME and words[window + FINAL] <= horizon:
        words[window + FIRST] = NO_TIME
        for part in range(3):
            memory.values[window + BUCKET + part] = 0.0


@inlined
def _merge(values: np.ndarray, into: int, more: np.ndarray, at: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    if extremes:
        if values[into] == 0.0:
            values[into + 1], values[into + 2] = more[at + 1], more[at + 2]
        elif more[at] > 0.0:
            values[into + 1] = min(values[into + 1], more[at + 1])
            values[into + 2] = max(values[into + 2], more[at + 2])
    else:
        values[into + 1] += more[at + 1]
        values[into + 2] += more[at + 2]
    values[into] += more[at]


@compiled
def _close(memory: Memory, window: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    """Put the open bucket behind the closed ones."""
    words, values, pool = memory.words, memory.values, memory.pool
    if words[window + LENGTH] == words[window + BUCKETS]:
        _widen(memory, window)
    mask = words[window + BUCKETS] - 1
    at = words[window + RING] + ((words[window + HEAD] + words[window + LENGTH]) & mask) * BUCKET_WORDS
    pool[at] = words[window + FINAL]
    for part in range(3):
        memory.pool_values[at + 1 + part] = values[window + BUCKET + part]
    if words[window + LENGTH] == 0:
        words[window + OLDEST] = words[window + FINAL]
    words[window + LENGTH] += 1
    _merge(values, window + BACK, values, window + BUCKET, extremes)
    _merge(values, window + REST, values, window + BUCKET, extremes)


@compiled
def _widen(memory: Memory, window: int) -> None:
    """Move the ring to where it has twice the room; whoever calls the kernel sees to it that the pool has it."""
    words, pool = memory.words, memory.pool
    rooms, head, ring = words[window + BUCKETS], words[window + HEAD], words[window + RING]
    larger = max(FEW, 2 * rooms)
    place = memory.used[0]
    memory.used[0] += larger * BUCKET_WORDS
    for k in range(words[window + LENGTH]):
        for part in range(BUCKET_WORDS):
            pool[place + k * BUCKET_WORDS + part] = pool[ring + ((head + k) & (rooms - 1)) * BUCKET_WORDS + part]
    words[window + RING], words[window + BUCKETS], words[window + HEAD] = place, larger, 0


@compiled
def _drop(memory: Memory, window: int, horizon: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    words, values, pool = memory.words, memory.values, memory.pool
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    while words[window + LENGTH] > 0 and pool[ring + (words[window + HEAD] & mask) * BUCKET_WORDS] <= horizon:
        if words[window + FRONT] == 0:
            _turn(memory, window, extremes)
        words[window + HEAD] = (words[window + HEAD] + 1) & mask
        words[window + FRONT] -= 1
        words[window + LENGTH] -= 1
    head = ring + words[window + HEAD] * BUCKET_WORDS
    words[window + OLDEST] = pool[head] if words[window + LENGTH] > 0 else NEVER
    for part in range(3):
        values[window + REST + part] = values[window + BACK + part]
    if words[window + FRONT] > 0:
        _merge(values, window + REST, memory.pool_values, head + 1, extremes)


@compiled
def _turn(memory: Memory, window: int, extremes: bool) -> None:  # noqa: FBT001 -- compiled
    """Make everything the front: each bucket takes in those behind it. The shift moves to the mean on the way."""
    words, values, sums = memory.words, memory.values, memory.pool_values
    ring, mask = words[window + RING], words[window + BUCKETS] - 1
    head, length = words[window + HEAD], words[window + LENGTH]
    move = 0.0
    if not extremes:
        move = values[window + REST + 1] / values[window + REST]
        values[window + SHIFT] += move
        _shift(values, window + BUCKET, move)
    behind = np.int64(-1)
    for k in range(length - 1, -1, -1):
        at = ring + ((head + k) & mask) * BUCKET_WORDS + 1
        if not extremes:
            _shift(sums, at, move)
        if behind >= 0:
            _merge(sums, at, sums, behind, extremes)
        behind = at
    words[window + FRONT] = length
    for part in range(3):
        values[window + BACK + part] = 0.0


@inlined
def _shift(sums: np.ndarray, at: int, move: float) -> None:
    n, first = sums[at], sums[at + 1]
    sums[at + 1] = first - n * move
    sums[at + 2] = max(sums[at + 2] - 2.0 * move * first + n * move * move, 0.0)
