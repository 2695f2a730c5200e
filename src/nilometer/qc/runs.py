"""Rows of one Datastream that simply go on, which is most of any history.

Nothing needs to be found or sorted for them: every pass reads the batch itself and writes its flags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import (
    ALONG,
    BASE,
    BITS,
    COUNT,
    DIGITS,
    EARLIEST,
    FLANKED,
    FUTURE,
    IN_ORDER,
    KIND,
    KNOWN,
    LAST,
    LAST2,
    LATE,
    LATEST,
    LINE,
    LINKED,
    NEWEST,
    NEXT,
    NOT_WATER,
    OPEN,
    OPEN_ID,
    PLACE,
    PRESENT,
    PROGRAM,
    REQUIRED,
    RESTART,
    ROW,
    RULE,
    RUN,
    SCHEME,
    START,
    STEP,
    SUMMARY,
    WANTS,
    WHERE,
    X1,
    X2,
    Memory,
    Rows,
    Scratch,
    Tables,
    Written,
)
from nilometer.qc.qartod.definition import Kind, Wants
from nilometer.qc.qartod.spike import flag_spike
from nilometer.qc.rollup import ALL_PASSED, roll_up, told
from nilometer.qc.slots import flag_slot

__all__ = ["judge_run", "plain_rows"]

_STANDING = PRESENT | IN_ORDER | LINKED
_SPIKE = int(Kind.SPIKE)
_KEEPS = int(Wants.QUEUE | Wants.WINDOW | Wants.PLACE)
_ROW_OF = int(Wants.PLACE | Wants.DEPTH | Wants.SYNTAX | Wants.RECEIVED)
_MARKS = int(Wants.MARK)
_STEPS = int(Wants.STEP)
_STEP = 256
_STRETCH = 64


@compiled
def plain_rows(first: int, epoch: int, received: int, rows: Rows, tables: Tables, memory: Memory) -> int:
    """Return how many rows from `first` on, at most `RUN`, simply go on: the same Datastream, in order, all there.

    Its last two rows must be the two before in the batch, so that whatever a test asks of them stands there.
    """
    if first < 2 or rows.mark.size or rows.supersedes.size or rows.water.size:
        return 0
    n = min(rows.time.size - first, RUN)
    d = rows.datastream[0]
    if rows.datastream.size > 1:
        d = rows.datastream[first]
        near = min(first + 15, rows.time.size - 1)
        if rows.datastream[first - 2] != d or rows.datastream[first - 1] != d or rows.datastream[near] != d:
            return 0
    if d < 0 or d >= tables.lookup.size or tables.lookup[d] < 0:
        return 0
    s = tables.lookup[d]
    p = tables.streams[s, PROGRAM]
    base = np.int64(tables.streams[s, PLACE]) * LINE
    words, values = memory.words, memory.values
    time, result, datastream = rows.time, rows.result, rows.datastream
    said = rows.mark_flags[tables.streams[s, SCHEME], 0]
    bits = words[base + BITS]
    if tables.programs[p, ALONG] or said & 15 == MISSING or said & NOT_WATER:
        return 0
    if (
        words[base + NEWEST] != rows.time[first - 1]
        or words[base + LAST] != rows.time[first - 1]
        or words[base + LAST2] != rows.time[first - 2]
        or values[base + X1] != rows.result[first - 1]
        or values[base + X2] != rows.result[first - 2]
        or bits & (KNOWN | NEXT) != KNOWN | NEXT
    ):
        return 0
    if tables.programs[p, LATE] < tables.programs[p, COUNT]:
        if bits & (OPEN | FLANKED) != OPEN | FLANKED or words[base + WHERE] != (epoch << 32) | (first - 1):
            return 0
    restart = tables.programs[p, RESTART]
    most = tables.programs[p, LATEST]
    if received != NO_TIME:
        most = min(most, received + tables.programs[p, FUTURE])
    if time[first] < tables.programs[p, EARLIEST]:
        return 0
    at = 0
    while at < n:
        size = min(_STEP, n - at)
        k = first + at
        ends = time[k - 1 : k + size]
        if ends[size] > most or _breaks(ends[:size], ends[1:], result[k : k + size], restart):
            break
        if datastream.size > 1 and _changes(datastream[k : k + size], d):
            break
        at += size
    while at < n:
        k = first + at
        step = time[k] - time[k - 1]
        x = result[k]
        if step <= 0 or step > restart or time[k] > most or x - x != 0.0:
            break
        if datastream.size > 1 and datastream[k] != d:
            break
        at += 1
    return at


@compiled
def _breaks(before: NDArray[np.int64], time: NDArray[np.int64], x: NDArray[np.float64], restart: int) -> bool:
    """Return whether a value is missing, or a step goes back or too far."""
    missing = 0
    for k in range(x.size):
        missing += x[k] - x[k] != 0.0
    steps = 0
    for k in range(time.size):
        step = time[k] - before[k]
        steps += (step <= 0) | (step > restart)
    return missing + steps > 0


@compiled
def _changes(datastream: NDArray[np.int32], only: int) -> bool:
    others = 0
    for k in range(datastream.size):
        others += datastream[k] != only
    return others > 0


@compiled
def judge_run(
    first: int,
    n: int,
    epoch: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
    written: Written,
) -> None:
    """Judge rows that simply go on: every pass reads the batch and writes the flags, nothing in between."""
    s = tables.lookup[rows.datastream[0 if rows.datastream.size == 1 else first]]
    p = tables.streams[s, PROGRAM]
    base = np.int64(tables.streams[s, PLACE]) * LINE
    start, count = tables.programs[p, START], tables.programs[p, COUNT]
    late, rule = tables.programs[p, LATE], tables.programs[p, RULE]
    end = first + n
    said = rows.mark_flags[tables.streams[s, SCHEME], 0] & 15
    x, last, before = rows.result[first:end], rows.result[first - 1 : end - 1], rows.result[first - 2 : end - 2]
    t, last_t, before_t = rows.time[first:end], rows.time[first - 1 : end - 1], rows.time[first - 2 : end - 2]
    step = scratch.whole[STEP][:n]
    wants = tables.programs[p, WANTS]
    if wants & _KEEPS:
        scratch.whole[BASE][:n] = base
    if wants & _ROW_OF:
        row = scratch.whole[ROW]
        for k in range(n):
            row[k] = first + k
    if wants & _MARKS:
        scratch.mark[:n] = said
    if wants & _STEPS:
        for k in range(n):
            step[k] = t[k] - last_t[k]
    status = scratch.full[:n]
    opens = late < count
    bits = memory.words[base + BITS]
    any_of = scratch.any_of[: n + 1]  # the row before is settled, too
    any_of[:] = PASS
    any_of[0] = PASS if (bits >> SUMMARY) & 0xFFFF == ALL_PASSED else MISSING
    for j in range(count):
        g = start + j
        if tables.slots[g, KIND] == _SPIKE:
            flag_spike(written.flags[j][first - 1 : end - 1], before, last, x, tables.numbers[g])
            written.flags[j, end - 1] = NOT_EVALUATED
        else:
            flags = written.flags[j][first:end]
            flag_slot(flags, x, last, t, last_t, before_t, step, status, 0, g, received, rows, tables, memory, scratch)
            _or(any_of[1:], flags)
    if written.entered.size:
        written.entered[first:end] = np.uint8(_STANDING)
    words, values = memory.words, memory.values
    words[base + NEWEST] = words[base + LAST] = t[n - 1]
    words[base + LAST2] = last_t[n - 1]
    values[base + X1], values[base + X2] = x[n - 1], last[n - 1]
    if opens:
        summary = np.int64(0)
        for j in range(count):
            if tables.slots[start + j, KIND] != _SPIKE:
                summary |= told(written.flags[j, end - 1], tables.slots[start + j, REQUIRED])
            memory.octets[(base + DIGITS) * 8 + j] = written.flags[j, end - 1]
        words[base + BITS] = (words[base + BITS] & ~np.int64(0xFFFF << SUMMARY)) | (summary << SUMMARY)
        words[base + OPEN_ID] = rows.id[end - 1] if rows.id.size else end - 1
        words[base + WHERE] = (epoch << 32) | (end - 1)
        for j in range(late, count):
            if tables.slots[start + j, KIND] == _SPIKE:
                _or(any_of, written.flags[j][first - 1 : end])
    skip = 0 if opens else 1
    if count > 0:
        _roll_up_run(first - 1 + skip, any_of[skip:], start, count, rule, tables, written)
    else:
        flag = said if said == SUSPECT or said == FAIL else NOT_EVALUATED
        written.quality[first:end] = np.int8(flag)
        written.spans[first:end] = np.uint8(0)


@compiled
def _or(any_of: NDArray[np.uint8], flags: NDArray[np.uint8]) -> None:
    """Gather outcomes by their bits: the sum is PASS where, and only where, all are."""
    for k in range(any_of.size):
        any_of[k] |= flags[k]


@compiled
def _roll_up_run(
    first: int, any_of: NDArray[np.uint8], start: int, count: int, rule: int, tables: Tables, written: Written
) -> None:
    """Roll up rows that all have a value; most passed throughout, and only the others are looked at."""
    n = any_of.size
    quality, spans, flags, slots = (
        written.quality[first : first + n],
        written.spans[first : first + n],
        written.flags,
        tables.slots,
    )
    quality[:] = np.int8(PASS)
    spans[:] = np.uint8(0)
    for begin in range(0, n, _STRETCH):
        end = min(begin + _STRETCH, n)
        others = 0
        for k in range(begin, end):
            others += any_of[k] != PASS
        if others == 0:
            continue
        for k in range(begin, end):
            if any_of[k] == PASS:
                continue
            summary = np.int64(0)
            for j in range(count):
                summary |= told(np.int64(flags[j, first + k]), slots[start + j, REQUIRED])
            quality[k] = roll_up(summary, rule, True)
            spans[k] = 0 if summary == ALL_PASSED else count
