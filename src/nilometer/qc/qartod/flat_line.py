"""QARTOD test 8, flat line: values that stay within a tolerance for too long.

The manual counts repetitions (REP_CNT_SUSPECT, REP_CNT_FAIL within EPS); a count means nothing on a series sampled
unevenly, so the window is a time, as `ioos_qc` writes it, but measured by the clock of the rows and not by a count
from the median interval. A value is flagged when all values of the last T seconds, itself included, lie within less
than the tolerance, there are at least two of them, and the record reaches back T seconds. On a series sampled evenly
that is `ioos_qc`'s answer.

What is kept is not the window but the longest run that ends in the newest value and whose range is below the
tolerance: its running minima and maxima (two monotonic queues), and the time of the newest point that does not fit
the run. All window lengths are answered from that, and a series that moves keeps two or three points. Memory is
capped: past `MOST_POINTS` extremes the two that differ least are merged, so a run is judged at most 2 · tolerance /
(MOST_POINTS - 1) wider than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import (
    BEGIN,
    BITS,
    BLOCKER,
    FEW,
    HIGH_HEAD,
    HIGH_LENGTH,
    IN_ORDER,
    LINKED,
    LIVE,
    LOW,
    LOW_HEAD,
    LOW_LENGTH,
    MOST_POINTS,
    POINT,
    PRESENT,
    ROOMS,
    Memory,
)
from nilometer.qc.qartod.definition import (
    ABSENT,
    Definition,
    Kind,
    Parameter,
    Role,
    Wants,
    microseconds,
    suspect_before_fail,
)

__all__ = ["FLAT_LINE", "flag_flat_line"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    return (*(microseconds(parameters.get(key, ABSENT)) for key in ("suspect", "fail")), parameters["tolerance"])


def _fault(parameters: Mapping[str, Any]) -> str:
    if "tolerance" not in parameters:
        return "give tolerance: values that differ by less count as repeated"
    return suspect_before_fail(parameters)


FLAT_LINE = Definition(
    name="flat_line",
    kind=Kind.FLAT_LINE,
    clause="QARTOD test 8, flat line (EPS; REP_CNT as a time)",
    sequence=True,
    timed=True,
    wants=Wants.TIME | Wants.QUEUE,
    parameters={
        "suspect": Parameter(role=Role.DURATION, meaning="flat for this long is suspect"),
        "fail": Parameter(role=Role.DURATION, meaning="flat for this long fails"),
        "tolerance": Parameter(role=Role.DIFFERENCE, meaning="a range below this is flat"),
    },
    numbers=_numbers,
    fault=_fault,
)


_JUDGED = PRESENT | IN_ORDER | LINKED


@compiled
def flag_flat_line(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    base: NDArray[np.int64],
    kept: int,
    bit: int,
    memory: Memory,
    numbers: NDArray[np.float64],
    places: NDArray[np.int64],
) -> None:
    """Flag values by the run that ends in them.

    An empty queue stands for a run of the newest value alone, or of all values where there are at most two: a series
    that moves needs no more, and touches nothing but its first cache line. `places` is room for a number a row.
    """
    words, pool, points, used = memory.words, memory.pool, memory.pool_values, memory.used
    suspect, fail, tolerance = numbers[0], numbers[1], numbers[2]
    shorter = np.int64(min(suspect if suspect < np.inf else fail, 9e18))
    live = np.int64(1) << np.int64(LIVE + bit)
    others = 0
    for k in range(flags.size):
        others += (status[k] & _JUDGED != _JUDGED) | (base[k] != base[0])
    if others == 0:  # a single Datastream, going on
        still = 0
        for k in range(flags.size):
            places[still] = k
            still += np.int64(abs(x[k] - last[k]) < tolerance)
            flags[k] = np.uint8(PASS) if t[k] - last_t[k] <= shorter else np.uint8(NOT_EVALUATED)
        bits, queue = base[0] + BITS, base[0] + kept
        before = np.int64(-1) if words[bits] & live else np.int64(-2)
        for place in range(still):
            k = places[place]
            if before != k - 1:
                _begin(words, pool, points, used, queue, last_t[k], last[k], before_t[k])
            _lengthen(words, pool, points, used, queue, t[k], x[k], tolerance)
            flags[k] = _flag_run(words, queue, t[k], t[k] - last_t[k], suspect, fail)
            before = k
        words[bits] = words[bits] | live if before == flags.size - 1 else words[bits] & ~live
        return
    for k in range(flags.size):
        if not status[k] & PRESENT:
            flags[k] = MISSING
            continue
        if not status[k] & IN_ORDER:
            flags[k] = NOT_EVALUATED
            continue
        bits = base[k] + BITS
        if not status[k] & LINKED:  # a record begins
            words[bits] &= ~live
            flags[k] = NOT_EVALUATED
            continue
        if abs(x[k] - last[k]) >= tolerance:
            words[bits] &= ~live
            flags[k] = PASS if t[k] - last_t[k] <= shorter else NOT_EVALUATED
            continue
        queue = base[k] + kept
        if words[bits] & live == 0:
            words[bits] |= live
            _begin(words, pool, points, used, queue, last_t[k], last[k], before_t[k])
        _lengthen(words, pool, points, used, queue, t[k], x[k], tolerance)
        flags[k] = _flag_run(words, queue, t[k], t[k] - last_t[k], suspect, fail)


@inlined
def _flag_run(words: NDArray[np.int64], queue: int, t: int, alone: int, suspect: float, fail: float) -> int:
    """Return the flag of the newest value, which the run already holds, `alone` µs after the one before."""
    blocker, begin = words[queue + BLOCKER], words[queue + BEGIN]
    flag = np.int64(PASS)
    if fail < np.inf:
        flag = _is_flat(blocker, begin, t, alone, fail)
    if flag != FAIL and suspect < np.inf:
        flag = _is_flat(blocker, begin, t, alone, suspect)
        if flag == FAIL:
            flag = SUSPECT
    return flag


@inlined
def _is_flat(blocker: int, begin: int, t: int, alone: int, period: float) -> int:
    """Return FAIL where the last `period` µs are flat, PASS where not, NOT_EVALUATED where nobody can tell."""
    if blocker != NO_TIME and t - blocker <= period:
        return PASS
    if alone > period:  # the newest value stands alone in the window
        return NOT_EVALUATED
    if blocker != NO_TIME or t - begin >= period:
        return FAIL
    return NOT_EVALUATED


@inlined
def _begin(
    words: NDArray[np.int64],
    pool: NDArray[np.int64],
    points: NDArray[np.float64],
    used: NDArray[np.int64],
    queue: int,
    last_t: int,
    last: float,
    before_t: int,
) -> None:
    """Begin a run with the last value; the one before it did not belong, or there was none."""
    if words[queue + ROOMS] == 0:
        words[queue + LOW], words[queue + ROOMS] = used[0], FEW
        used[0] += 2 * FEW * POINT
    words[queue + BLOCKER], words[queue + BEGIN] = before_t, last_t
    low = words[queue + LOW]
    high = low + words[queue + ROOMS] * POINT
    for place in (low, high):
        pool[place], points[place + 1] = last_t, last
    words[queue + LOW_HEAD], words[queue + LOW_LENGTH] = 0, 1
    words[queue + HIGH_HEAD], words[queue + HIGH_LENGTH] = 0, 1


@compiled
def _lengthen(
    words: NDArray[np.int64],
    pool: NDArray[np.int64],
    points: NDArray[np.float64],
    used: NDArray[np.int64],
    queue: int,
    t: int,
    x: float,
    tolerance: float,
) -> None:
    """Add a value to the run, and drop from its start what no longer fits."""
    if max(words[queue + LOW_LENGTH], words[queue + HIGH_LENGTH]) == words[queue + ROOMS]:
        if words[queue + ROOMS] < MOST_POINTS:
            _widen(words, pool, used, queue)
    rooms = words[queue + ROOMS]
    mask = rooms - 1
    low = words[queue + LOW]
    high = low + rooms * POINT
    low_head, low_length = words[queue + LOW_HEAD], words[queue + LOW_LENGTH]
    high_head, high_length = words[queue + HIGH_HEAD], words[queue + HIGH_LENGTH]

    while low_length > 0 and points[low + ((low_head + low_length - 1) & mask) * POINT + 1] >= x:
        low_length -= 1
    if low_length == rooms:
        _merge(pool, points, low, low_head, low_length)
        low_length -= 1
    at = low + ((low_head + low_length) & mask) * POINT
    pool[at], points[at + 1] = t, x
    low_length += 1

    while high_length > 0 and points[high + ((high_head + high_length - 1) & mask) * POINT + 1] <= x:
        high_length -= 1
    if high_length == rooms:
        _merge(pool, points, high, high_head, high_length)
        high_length -= 1
    at = high + ((high_head + high_length) & mask) * POINT
    pool[at], points[at + 1] = t, x
    high_length += 1

    while points[high + (high_head & mask) * POINT + 1] - points[low + (low_head & mask) * POINT + 1] >= tolerance:
        low_time, high_time = pool[low + (low_head & mask) * POINT], pool[high + (high_head & mask) * POINT]
        if low_time < high_time:
            words[queue + BLOCKER] = low_time
            low_head, low_length = low_head + 1, low_length - 1
        else:
            words[queue + BLOCKER] = high_time
            high_head, high_length = high_head + 1, high_length - 1

    words[queue + LOW_HEAD], words[queue + LOW_LENGTH] = low_head & mask, low_length
    words[queue + HIGH_HEAD], words[queue + HIGH_LENGTH] = high_head & mask, high_length


@compiled
def _widen(words: NDArray[np.int64], pool: NDArray[np.int64], used: NDArray[np.int64], queue: int) -> None:
    """Move both queues to where they have twice the room; whoever calls the kernel sees to it that the pool has it."""
    rooms, old = words[queue + ROOMS], words[queue + LOW]
    place = used[0]
    used[0] += 4 * rooms * POINT
    for side in range(2):
        head, length = words[queue + LOW_HEAD + 2 * side], words[queue + LOW_LENGTH + 2 * side]
        for k in range(length):
            at = old + (side * rooms + ((head + k) & (rooms - 1))) * POINT
            to = place + (side * 2 * rooms + k) * POINT
            for part in range(POINT):
                pool[to + part] = pool[at + part]
        words[queue + LOW_HEAD + 2 * side] = 0
    words[queue + LOW], words[queue + ROOMS] = place, 2 * rooms


@compiled
def _merge(pool: NDArray[np.int64], points: NDArray[np.float64], base: int, head: int, length: int) -> None:
    """Merge the two neighbours in a full queue that differ least: the older one's value with the newer one's time."""
    mask = length - 1
    best, least = 0, np.inf
    for k in range(length - 1):
        a, b = base + ((head + k) & mask) * POINT, base + ((head + k + 1) & mask) * POINT
        apart = abs(points[b + 1] - points[a + 1])
        if apart < least:
            best, least = k, apart
    a, b = base + ((head + best) & mask) * POINT, base + ((head + best + 1) & mask) * POINT
    pool[a] = pool[b]
    for k in range(best + 1, length - 1):
        a, b = base + ((head + k) & mask) * POINT, base + ((head + k + 1) & mask) * POINT
        pool[a], points[a + 1] = pool[b], points[b + 1]
