"""Rows of one Datastream that simply go on, which is most of any history.

Nothing needs to be found or sorted for them: every pass reads the batch itself and writes its flags. Values may be
missing among them.
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
    BEFORE_T,
    BITS,
    COUNT,
    DIGITS,
    EARLIEST,
    FLANKED,
    FUTURE,
    IN_ORDER,
    KEPT_BITS,
    KIND,
    KNOWN,
    LAST,
    LAST2,
    LAST_T,
    LAST_X,
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
    STEPPED,
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
from nilometer.qc.rollup import ALL_PASSED, roll_up, roll_up_rows, summarise, told
from nilometer.qc.slots import flag_slot

__all__ = ["judge_run", "plain_rows"]

_STANDING = PRESENT | IN_ORDER | LINKED
_SPIKE = int(Kind.SPIKE)
_KEEPS = int(Wants.QUEUE | Wants.WINDOW | Wants.PLACE)
_ROW_OF = int(Wants.PLACE | Wants.DEPTH | Wants.SYNTAX | Wants.RECEIVED | Wants.DATE)
_MARKS = int(Wants.MARK)
_STEPS = int(Wants.STEP)
_STEP = 1024
_SELDOM = 64
_EIGHT_PASSED = np.uint64(PASS * 0x0101010101010101)


@compiled
def plain_rows(first: int, epoch: int, received: int, rows: Rows, tables: Tables, memory: Memory) -> tuple[int, bool]:
    """Return how many rows from `first` on, at most `RUN`, simply go on: the same Datastream, in order.

    The two rows before must stand in the batch, too, as the state has them, so that whatever a test asks of them is
    read there. Also returned: whether each row has a value, and the last two rows before have theirs.
    """
    if first < 2 or rows.mark.size or rows.supersedes.size or rows.water.size:
        return 0, True
    n = min(rows.time.size - first, RUN)
    d = rows.datastream[0]
    if rows.datastream.size > 1:
        d = rows.datastream[first]
        near = min(first + 15, rows.time.size - 1)
        if rows.datastream[first - 2] != d or rows.datastream[first - 1] != d or rows.datastream[near] != d:
            return 0, True
    if d < 0 or d >= tables.lookup.size or tables.lookup[d] < 0:
        return 0, True
    s = tables.lookup[d]
    p = tables.streams[s, PROGRAM]
    time, result, datastream = rows.time, rows.result, rows.datastream
    said = rows.mark_flags[tables.streams[s, SCHEME], 0]
    if tables.programs[p, ALONG] or said & 15 == MISSING or said & NOT_WATER:
        return 0, True
    goes_on, whole = _goes_on(
        first, epoch, np.int64(tables.streams[s, PLACE]) * LINE, tables.programs[p, LATE] < tables.programs[p, COUNT],
        time, result, memory,
    )  # fmt: skip
    if not goes_on:
        return 0, True
    restart = tables.programs[p, RESTART]
    most = tables.programs[p, LATEST]
    if received != NO_TIME:
        most = min(most, received + tables.programs[p, FUTURE])
    if time[first] < tables.programs[p, EARLIEST]:
        return 0, True
    at, missing = 0, 0
    while at < n:
        size = min(_STEP, n - at)
        k = first + at
        ends = time[k - 1 : k + size]
        if ends[size] > most or _breaks(ends[:size], ends[1:], restart):
            break
        if datastream.size > 1 and _changes(datastream[k : k + size], d):
            break
        missing += _missing(result[k : k + size])
        at += size
    while at < n:
        k = first + at
        step = time[k] - time[k - 1]
        if step <= 0 or step > restart or time[k] > most:
            break
        if datastream.size > 1 and datastream[k] != d:
            break
        missing += result[k] - result[k] != 0.0
        at += 1
    return at, whole and missing == 0


@compiled
def _goes_on(
    first: int,
    epoch: int,
    base: int,
    opens: bool,
    time: NDArray[np.int64],
    result: NDArray[np.float64],
    memory: Memory,
) -> tuple[bool, bool]:
    """Return whether the state is that of the two rows before `first`, and whether both have a value."""
    words, values = memory.words, memory.values
    bits = words[base + BITS]
    if not bits & KNOWN or words[base + NEWEST] != time[first - 1]:
        return False, False
    before = result[first - 2]
    flanked = before - before == 0.0
    if not bits & NEXT:  # the row before has no value, and no verdict is open
        return bool(result[first - 1] - result[first - 1] != 0.0), False
    if words[base + LAST] != time[first - 1] or values[base + X1] != result[first - 1]:
        return False, False
    whole = flanked and words[base + LAST2] == time[first - 2] and values[base + X2] == before
    if not opens:
        return True, whole
    if not bits & OPEN:
        return not flanked, False
    return whole and bits & FLANKED != 0 and words[base + WHERE] == (epoch << 32) | (first - 1), whole


@compiled
def _breaks(before: NDArray[np.int64], time: NDArray[np.int64], restart: int) -> bool:
    """Return whether a step goes back or too far."""
    steps = 0
    for k in range(time.size):
        step = time[k] - before[k]
        steps += (step <= 0) | (step > restart)
    return steps > 0


@compiled
def _missing(x: NDArray[np.float64]) -> int:
    missing = 0
    for k in range(x.size):
        missing += x[k] - x[k] != 0.0
    return missing


@compiled
def _changes(datastream: NDArray[np.int32], only: int) -> bool:
    others = 0
    for k in range(datastream.size):
        others += datastream[k] != only
    return others > 0


@compiled
def _carry(
    time: NDArray[np.int64],
    result: NDArray[np.float64],
    base: int,
    memory: Memory,
    last: NDArray[np.float64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    missing: NDArray[np.uint8],
) -> None:
    """Write the last value there was before each row, over those that are missing, and move the state on.

    `time` and `result` begin two rows before the others; `missing` is room for a byte a row.
    """
    words, values = memory.words, memory.values
    n = last.size
    here, one_before, two_before = result[2:], time[1:], time
    last[:] = result[1 : n + 1]
    for k in range(n):
        last_t[k], before_t[k] = one_before[k], two_before[k]
    for k in range(n):
        missing[k] = np.uint8(here[k] - here[k] != 0.0)
    for k in range(n):
        status[k] = np.uint8(IN_ORDER | STEPPED) if missing[k] else np.uint8(_STANDING | STEPPED)
    value, older = values[base + X1], values[base + X2]
    when, earlier = words[base + LAST], words[base + LAST2]
    # Settled: the two rows before have the last two values, and what was written above holds.
    settled = when == time[1] and earlier == time[0]
    eights = missing.view(np.uint64)
    few = np.int64(0)
    while few < (n + 7) // 8:
        begin, end = 8 * few, 8 * few + 8
        few += 1
        if end > n:
            end = n
        elif settled and eights[np.uint64(few - 1)] == 0:
            at = np.uint64(few)
            while at + np.uint64(8) < eights.size and at + np.uint64(8) < np.uint64(n >> 3):
                some = eights[at] | eights[at + np.uint64(1)] | eights[at + np.uint64(2)] | eights[at + np.uint64(3)]
                if some != 0:
                    break
                at += np.uint64(4)
            few = np.int64(at)
            continue
        if settled:
            value, older, when, earlier = result[begin + 1], result[begin], time[begin + 1], time[begin]
        for k in range(begin, end):
            last[k], last_t[k], before_t[k] = value, when, earlier
            if not missing[k]:
                value, older, when, earlier = result[k + 2], value, time[k + 2], when
        settled = when == time[end + 1] and earlier == time[end]
    if settled:
        value, older, when, earlier = result[n + 1], result[n], time[n + 1], time[n]
    values[base + X1], values[base + X2] = value, older
    words[base + LAST], words[base + LAST2] = when, earlier


@compiled
def _without_values(
    flags: NDArray[np.uint8], before: NDArray[np.float64], x: NDArray[np.float64], after: NDArray[np.float64]
) -> None:
    """Take back what was said of a spike where the value or a neighbour is missing."""
    for k in range(flags.size):
        alone = (before[k] - before[k] != 0.0) | (after[k] - after[k] != 0.0)
        flag = np.uint8(NOT_EVALUATED) if alone else flags[k]
        flags[k] = np.uint8(MISSING) if x[k] - x[k] != 0.0 else flag


@compiled
def judge_run(
    first: int,
    n: int,
    whole: bool,
    epoch: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
    written: Written,
) -> None:
    """Judge rows that simply go on: every pass reads the batch and writes the flags, nothing in between.

    Where values are missing (not `whole`) only the last value before each row is written out beforehand.
    """
    s = tables.lookup[rows.datastream[0 if rows.datastream.size == 1 else first]]
    p = tables.streams[s, PROGRAM]
    base = np.int64(tables.streams[s, PLACE]) * LINE
    start, count = tables.programs[p, START], tables.programs[p, COUNT]
    late, rule = tables.programs[p, LATE], tables.programs[p, RULE]
    end = first + n
    said = rows.mark_flags[tables.streams[s, SCHEME], 0] & 15
    words, values = memory.words, memory.values
    bits = words[base + BITS]
    x, next_to, before = rows.result[first:end], rows.result[first - 1 : end - 1], rows.result[first - 2 : end - 2]
    t, before_t = rows.time[first:end], rows.time[first - 2 : end - 2]
    last, last_t, status = next_to, rows.time[first - 1 : end - 1], scratch.full[:n]
    if not whole:
        last, last_t, before_t = scratch.numbers[LAST_X][:n], scratch.whole[LAST_T][:n], scratch.whole[BEFORE_T][:n]
        status = scratch.status[:n]
        _carry(
            rows.time[first - 2 : end], rows.result[first - 2 : end], base, memory,
            last, last_t, before_t, status, scratch.moves,
        )  # fmt: skip
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
        stood = rows.time[first - 1 : end - 1]
        for k in range(n):
            step[k] = t[k] - stood[k]
    opens = late < count
    any_of = scratch.any_of[:n]
    any_of[:] = PASS
    for j in range(count):
        g = start + j
        if tables.slots[g, KIND] == _SPIKE:
            late_flags = written.flags[j][first - 1 : end - 1]
            flag_spike(late_flags, before, next_to, x, tables.numbers[g])
            if not whole:
                _without_values(late_flags, before, next_to, x)
            written.flags[j, end - 1] = NOT_EVALUATED if status[n - 1] & PRESENT else MISSING
        else:
            flags = written.flags[j][first:end]
            flag_slot(flags, x, last, t, last_t, before_t, step, status, 0, g, received, rows, tables, memory, scratch)
            _or(any_of, flags)
    if written.entered.size:
        written.entered[first:end] = status & np.uint8(_STANDING)
    if whole:
        words[base + LAST], words[base + LAST2] = t[n - 1], last_t[n - 1]
        values[base + X1], values[base + X2] = x[n - 1], last[n - 1]
    words[base + NEWEST] = t[n - 1]
    live = (words[base + BITS] & KEPT_BITS) | KNOWN
    if status[n - 1] & PRESENT:
        live |= NEXT
        if opens and next_to[n - 1] - next_to[n - 1] == 0.0:
            summary = np.int64(0)
            for j in range(count):
                if tables.slots[start + j, KIND] != _SPIKE:
                    summary |= told(written.flags[j, end - 1], tables.slots[start + j, REQUIRED])
                memory.octets[(base + DIGITS) * 8 + j] = written.flags[j, end - 1]
            live |= OPEN | FLANKED | (summary << SUMMARY)
            words[base + OPEN_ID] = rows.id[end - 1] if rows.id.size else end - 1
            words[base + WHERE] = (epoch << 32) | (end - 1)
    words[base + BITS] = live
    if opens:
        for j in range(late, count):
            if tables.slots[start + j, KIND] == _SPIKE:
                _or(any_of, written.flags[j][first:end])
    if bits & OPEN:  # its verdict has come
        _roll_up_row(first - 1, start, count, rule, rows.result, tables, written)
    if count > 0:
        _roll_up_run(first, scratch.any_of, scratch.own, n, start, count, rule, rows.result, tables, written)
    else:
        flag = said if said == SUSPECT or said == FAIL else NOT_EVALUATED
        quality = written.quality[first:end]
        for k in range(n):
            quality[k] = np.int8(flag) if x[k] - x[k] == 0.0 else np.int8(MISSING)
        written.spans[first:end] = np.uint8(0)


@compiled
def _or(any_of: NDArray[np.uint8], flags: NDArray[np.uint8]) -> None:
    """Gather outcomes by their bits: the sum is PASS where, and only where, all are."""
    for k in range(any_of.size):
        any_of[k] |= flags[k]


@compiled
def _roll_up_run(
    first: int,
    any_of: NDArray[np.uint8],
    summary: NDArray[np.uint32],
    n: int,
    start: int,
    count: int,
    rule: int,
    result: NDArray[np.float64],
    tables: Tables,
    written: Written,
) -> None:
    """Roll up `n` rows; most passed throughout, and only the others are looked at."""
    written.quality[first : first + n] = np.int8(PASS)
    written.spans[first : first + n] = np.uint8(0)
    any_of[n : -(-n // 8) * 8] = PASS
    eights = any_of.view(np.uint64)
    others = 0
    for eight in range(-(-n // 8)):
        others += eights[eight] != _EIGHT_PASSED
    if others > n // _SELDOM:
        summaries = summary[:n]
        summaries[:] = 0
        for j in range(count):
            summarise(summaries, written.flags[j][first : first + n], tables.slots[start + j, REQUIRED])
        roll_up_rows(summaries, result[first : first + n], rule, count, written.quality[first:], written.spans[first:])
        return
    if others == 0:
        return
    for eight in range(-(-n // 8)):
        if eights[eight] == _EIGHT_PASSED:
            continue
        for k in range(8 * eight, 8 * eight + 8):
            if any_of[k] != PASS:
                _roll_up_row(first + k, start, count, rule, result, tables, written)


@compiled
def _roll_up_row(
    row: int, start: int, count: int, rule: int, result: NDArray[np.float64], tables: Tables, written: Written
) -> None:
    summary = np.int64(0)
    for j in range(count):
        summary |= told(np.int64(written.flags[j, row]), tables.slots[start + j, REQUIRED])
    x = result[row]
    written.quality[row] = roll_up(summary, rule, x - x == 0.0)
    written.spans[row] = 0 if summary == ALL_PASSED else count
