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
    NEVER,
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
_STRETCH = 64


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
    moves: NDArray[np.uint8],
) -> None:
    """Flag values by the run that ends in them.

    An empty queue stands for a run of the newest value alone, or of all values where there are at most two: a series
    that moves needs no more, and touches nothing but its first cache line. `moves` is room for a byte a row.
    """
    words, pool, points, used = memory.words, memory.pool, memory.pool_values, memory.used
    suspect, fail, tolerance = numbers[0], numbers[1], numbers[2]
    shorter = np.int64(min(suspect if suspect < np.inf else fail, 9e18))
    live = np.int64(1) << np.int64(LIVE + bit)
    others = 0
    for k in range(flags.size):
        others += base[k] != base[0]
    if others == 0:
        _flag_one_series(
            flags, x, last, t, last_t, before_t, status, base[0] + BITS, base[0] + kept, live,
            words, pool, points, used, suspect, fail, shorter, tolerance, moves,
        )  # fmt: skip
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


@compiled
def _flag_one_series(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    bits: int,
    queue: int,
    live: int,
    words: NDArray[np.int64],
    pool: NDArray[np.int64],
    points: NDArray[np.float64],
    used: NDArray[np.int64],
    suspect: float,
    fail: float,
    shorter: int,
    tolerance: float,
    moves: NDArray[np.uint8],
) -> None:
    """Flag values of a single Datastream.

    A run passes, whatever it holds, while the value before it lies in the shorter window: its queues are made from the
    rows only when it grows longer, or when the rows end.
    """
    n = flags.size
    queued = words[bits] & live != 0
    # The row a run may begin with, and where the value before it stands: a run that is queued is looked at row by row.
    start, blocker = np.int64(0), np.int64(-NEVER)
    # The first row of a run, and its range: known (`ranged`) once somebody has asked.
    ranged, first, low, high = False, np.int64(0), 0.0, 0.0
    if not queued and n > 0 and before_t[0] != NO_TIME:
        blocker = before_t[0]
    for k in range(n):
        flags[k] = np.uint8(PASS) if t[k] - last_t[k] <= shorter else np.uint8(NOT_EVALUATED)
    usual = _usual_step(t, last_t)
    for k in range(n):
        is_odd = (t[k] - last_t[k] > usual) | (status[k] & _JUDGED != _JUDGED)
        moves[k] = np.uint8(not abs(x[k] - last[k]) < tolerance) | np.uint8(is_odd) << np.uint8(1)
    # A run of so many rows and no fewer can be longer than the window: one more step leads back to the value before.
    least = max(shorter // usual, 1)
    eights = moves.view(np.uint64)
    for begin in range(0, n, _STRETCH):
        end = min(begin + _STRETCH, n)
        if end - begin == _STRETCH and not _may_be_flat(eights, begin, least):
            k = begin
            while k < end and moves[k] == 0:
                k += 1
            if k == begin or t[k - 1] - blocker <= shorter:
                if k < end:
                    k = end - 1
                    while moves[k] == 0:
                        k -= 1
                    start, blocker, queued, ranged = k + 1, last_t[k], False, False
                continue
        for k in range(begin, end):
            if status[k] & _JUDGED != _JUDGED:
                flags[k] = np.uint8(NOT_EVALUATED) if status[k] & PRESENT else np.uint8(MISSING)
                if status[k] & _JUDGED == _JUDGED & ~LINKED:  # a record begins
                    start, blocker, queued, ranged = k + 1, np.int64(-NEVER), False, False
            elif moves[k] & 1:
                start, blocker, queued, ranged = k + 1, last_t[k], False, False
            elif queued or t[k] - blocker > shorter:
                if not queued:
                    if not ranged:
                        ranged, first = True, start
                        while status[first] & _JUDGED != _JUDGED:
                            first += 1
                        low = high = last[first]
                        for earlier in range(first, k):
                            if status[earlier] & _JUDGED == _JUDGED:
                                low, high = min(low, x[earlier]), max(high, x[earlier])
                    low, high = min(low, x[k]), max(high, x[k])
                    if high - low < tolerance:  # all of it still belongs to the run
                        flags[k] = _flag_of(before_t[first], last_t[first], t[k], t[k] - last_t[k], suspect, fail)
                        continue
                    _queue_up(
                        words, pool, points, used, queue, first, k, x, last, t, last_t, before_t, status, tolerance
                    )
                    queued = True
                _lengthen(words, pool, points, used, queue, t[k], x[k], tolerance)
                flags[k] = _flag_run(words, queue, t[k], t[k] - last_t[k], suspect, fail)
    newest = n - 1
    while newest >= 0 and status[newest] & (PRESENT | IN_ORDER) != PRESENT | IN_ORDER:
        newest -= 1
    if newest < 0:
        return
    if newest < start:
        words[bits] &= ~live
        return
    words[bits] |= live
    if not queued:
        _queue_up(words, pool, points, used, queue, start, n, x, last, t, last_t, before_t, status, tolerance)


@inlined
def _usual_step(t: NDArray[np.int64], last_t: NDArray[np.int64]) -> int:
    """Return a time that few steps exceed: the median of three of them, and a quarter more where they differ."""
    a, b, c = t[0] - last_t[0], t[t.size // 2] - last_t[t.size // 2], t[t.size - 1] - last_t[t.size - 1]
    step = max(min(a, b), min(max(a, b), c), 1)
    return np.int64(step if a == b == c else step + step // 4)


@inlined
def _may_be_flat(eights: NDArray[np.uint64], begin: int, least: int) -> bool:
    """Return whether so many rows of a stretch, one after another, do not move, or one is odd."""
    still, odd = np.uint64(0), np.uint64(0)
    for j in range(8):  # a bit a row, from a byte a row
        eight = eights[np.uint64(begin >> 3) + np.uint64(j)]
        odd |= eight
        eight = ~eight & np.uint64(0x0101010101010101)
        still |= (eight * np.uint64(0x0102040810204080) >> np.uint64(56)) << np.uint64(8 * j)
    if odd & np.uint64(0x0202020202020202) != 0:
        return True
    have = 1
    while have < min(least, _STRETCH + 1) and still != 0:
        more = min(have, least - have)
        still &= still >> np.uint64(min(more, 63))
        have += more
    return still != 0 and have <= _STRETCH


@compiled
def _queue_up(
    words: NDArray[np.int64],
    pool: NDArray[np.int64],
    points: NDArray[np.float64],
    used: NDArray[np.int64],
    queue: int,
    start: int,
    end: int,
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    tolerance: float,
) -> None:
    """Make the queues of a run from its rows."""
    first = start
    while first < end and status[first] & _JUDGED != _JUDGED:
        first += 1
    _begin(words, pool, points, used, queue, last_t[first], last[first], before_t[first])
    for k in range(first, end):
        if status[k] & _JUDGED == _JUDGED:
            _lengthen(words, pool, points, used, queue, t[k], x[k], tolerance)


@inlined
def _flag_run(words: NDArray[np.int64], queue: int, t: int, alone: int, suspect: float, fail: float) -> int:
    """Return the flag of the newest value, which the run already holds, `alone` µs after the one before."""
    return _flag_of(words[queue + BLOCKER], words[queue + BEGIN], t, alone, suspect, fail)


@inlined
def _flag_of(blocker: int, begin: int, t: int, alone: int, suspect: float, fail: float) -> int:
    """Return the flag of a value by the run that ends in it, which begins after `blocker`."""
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
