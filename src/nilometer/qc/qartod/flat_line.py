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
from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.inlined import inlined
from nilometer.qc.layout import (
    BASE,
    BLOCKER,
    CAPACITY,
    HIGH_HEAD,
    HIGH_LENGTH,
    LOW_HEAD,
    LOW_LENGTH,
    WINDOW_START,
)
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Numbers, Parameter, Role, suspect_before_fail

__all__ = ["FLAT_LINE", "judge_flat_line", "lengthen_run"]


def _numbers(parameters: Mapping[str, Any]) -> Numbers:
    return (parameters.get("suspect", ABSENT) * 1e6, parameters.get("fail", ABSENT) * 1e6, parameters["tolerance"], 0.0)


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
    parameters={
        "suspect": Parameter(role=Role.DURATION, meaning="flat for this long is suspect"),
        "fail": Parameter(role=Role.DURATION, meaning="flat for this long fails"),
        "tolerance": Parameter(role=Role.DIFFERENCE, meaning="a range below this is flat"),
    },
    numbers=_numbers,
    fault=_fault,
)


@inlined
def _merge(pool_value: NDArray[np.float64], pool_time: NDArray[np.int64], base: int, head: int, length: int) -> None:
    """Merge the two neighbours in a full queue that differ least: the older one's value with the newer one's time."""
    mask = length - 1
    best, least = 0, np.inf
    for k in range(length - 1):
        a, b = base + ((head + k) & mask), base + ((head + k + 1) & mask)
        apart = abs(pool_value[b] - pool_value[a])
        if apart < least:
            best, least = k, apart
    a, b = base + ((head + best) & mask), base + ((head + best + 1) & mask)
    pool_time[a] = pool_time[b]
    for k in range(best + 1, length - 1):
        a, b = base + ((head + k) & mask), base + ((head + k + 1) & mask)
        pool_time[a], pool_value[a] = pool_time[b], pool_value[b]


@inlined
def lengthen_run(  # noqa: C901 -- two queues, the same way
    windows: NDArray[np.int64],
    w: np.uint32,
    pool_time: NDArray[np.int64],
    pool_value: NDArray[np.float64],
    t: int,
    x: float,
    seen: bool,  # noqa: FBT001 -- compiled code takes no keyword-only arguments
    last_time: int,
    last: float,
    tolerance: float,
) -> None:
    """Add a value to the run, and drop from its start what no longer fits.

    Empty queues stand for a run of one, the last value: a series that moves needs no more, and touches no queue.
    """
    if not seen:  # a record begins
        windows[w, BLOCKER], windows[w, WINDOW_START] = NO_TIME, t
        windows[w, LOW_LENGTH] = windows[w, HIGH_LENGTH] = 0
        return
    if windows[w, WINDOW_START] == NO_TIME:  # the test is newer than the record
        windows[w, WINDOW_START] = last_time
    if abs(x - last) >= tolerance:
        windows[w, BLOCKER] = last_time
        windows[w, LOW_LENGTH] = windows[w, HIGH_LENGTH] = 0
        return

    capacity = windows[w, CAPACITY]
    mask = capacity - 1
    low, high = windows[w, BASE], windows[w, BASE] + capacity
    low_head, low_length = windows[w, LOW_HEAD], windows[w, LOW_LENGTH]
    high_head, high_length = windows[w, HIGH_HEAD], windows[w, HIGH_LENGTH]
    if low_length == 0:
        low_head, low_length, high_head, high_length = 0, 1, 0, 1
        pool_time[low] = pool_time[high] = last_time
        pool_value[low] = pool_value[high] = last

    while low_length > 0 and pool_value[low + ((low_head + low_length - 1) & mask)] >= x:
        low_length -= 1
    if low_length == capacity:
        _merge(pool_value, pool_time, low, low_head, low_length)
        low_length -= 1
    at = low + ((low_head + low_length) & mask)
    pool_time[at], pool_value[at] = t, x
    low_length += 1

    while high_length > 0 and pool_value[high + ((high_head + high_length - 1) & mask)] <= x:
        high_length -= 1
    if high_length == capacity:
        _merge(pool_value, pool_time, high, high_head, high_length)
        high_length -= 1
    at = high + ((high_head + high_length) & mask)
    pool_time[at], pool_value[at] = t, x
    high_length += 1

    while pool_value[high + (high_head & mask)] - pool_value[low + (low_head & mask)] >= tolerance:
        low_time, high_time = pool_time[low + (low_head & mask)], pool_time[high + (high_head & mask)]
        if low_time < high_time:
            windows[w, BLOCKER] = low_time
            low_head, low_length = low_head + 1, low_length - 1
        else:
            windows[w, BLOCKER] = high_time
            high_head, high_length = high_head + 1, high_length - 1

    windows[w, LOW_HEAD], windows[w, LOW_LENGTH] = low_head & mask, low_length
    windows[w, HIGH_HEAD], windows[w, HIGH_LENGTH] = high_head & mask, high_length


@inlined
def _is_flat(windows: NDArray[np.int64], w: np.uint32, t: int, since_last: int, period: float) -> int:
    """Return FAIL where the last `period` µs are flat, PASS where not, NOT_EVALUATED where nobody can tell."""
    blocker = windows[w, BLOCKER]
    if blocker != NO_TIME and t - blocker <= period:
        return PASS
    if since_last > period:  # the newest value stands alone in the window
        return NOT_EVALUATED
    if blocker != NO_TIME or t - windows[w, WINDOW_START] >= period:
        return FAIL
    return NOT_EVALUATED


@inlined
def judge_flat_line(
    windows: NDArray[np.int64], w: np.uint32, t: int, since_last: int, suspect: float, fail: float
) -> int:
    """Return the flag of the newest value, already in the run; `since_last` is µs since the value before it."""
    if fail != np.inf:
        outcome = _is_flat(windows, w, t, since_last, fail)
        if outcome == FAIL or suspect == np.inf:
            return outcome
    outcome = _is_flat(windows, w, t, since_last, suspect)
    return SUSPECT if outcome == FAIL else outcome
