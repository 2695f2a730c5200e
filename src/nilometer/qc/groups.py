"""Rows of one program that have entered: each test in its slot, open verdicts, the roll-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import (
    ALONG,
    BASE,
    BATCH,
    BEFORE_T,
    BEFORE_X,
    BITS,
    COUNT,
    DIGITS,
    EARLIER,
    HERE,
    IN_ORDER,
    KIND,
    LAST_T,
    LAST_X,
    LATE,
    LINKED,
    OPENED,
    PRESENT,
    REQUIRED,
    ROW,
    RULE,
    SETTLED,
    SPIKED,
    START,
    STEP,
    SUMMARY,
    Memory,
    Rows,
    Scratch,
    T,
    Tables,
    Written,
    X,
)
from nilometer.qc.qartod.definition import Kind
from nilometer.qc.qartod.spike import flag_spike
from nilometer.qc.rollup import ALL_PASSED, roll_up, summarise, told
from nilometer.qc.slots import flag_slot, leave_unjudged

__all__ = ["judge_group"]

_STANDING = PRESENT | IN_ORDER | LINKED
_USUAL = SPIKED | ALL_PASSED
_SPIKE = int(Kind.SPIKE)
_DENSITY_INVERSION = int(Kind.DENSITY_INVERSION)


@compiled
def judge_group(
    a: int,
    b: int,
    program: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
    written: Written,
) -> None:
    """Judge the rows from place `a` to `b` of a block, all of one program, and write their flags."""
    start, count = tables.programs[program, START], tables.programs[program, COUNT]
    late, rule = tables.programs[program, LATE], tables.programs[program, RULE]
    numbers, whole = scratch.numbers, scratch.whole
    x, last = numbers[X][a:b], numbers[LAST_X][a:b]
    t, last_t, before_t, step = whole[T][a:b], whole[LAST_T][a:b], whole[BEFORE_T][a:b], whole[STEP][a:b]
    status = scratch.status[a:b]
    own, later = scratch.own[a:b], scratch.late[a:b]
    own[:] = 0
    later[:] = 0
    for j in range(count):
        g = start + j
        kind = tables.slots[g, KIND]
        if kind != _SPIKE:
            flag_slot(
                scratch.flags[j][a:b], x, last, t, last_t, before_t, step, status, a, g, received,
                rows, tables, memory, scratch,
            )  # fmt: skip
        if kind == _SPIKE or kind == _DENSITY_INVERSION:
            _judge_late(a, b, j, g, tables, scratch, written)
        else:
            summarise(own, scratch.flags[j][a:b], tables.slots[g, REQUIRED])
    if late < count:
        _settle_earlier(a, b, count, rule, scratch, written)
        _keep_open(a, b, count, tables.programs[program, ALONG] != 0, memory, scratch)
        for j in range(late, count):
            kind = tables.slots[start + j, KIND]
            if kind == _SPIKE or kind == _DENSITY_INVERSION:
                summarise(later, scratch.flags[j][a:b], tables.slots[start + j, REQUIRED])
    for k in range(b - a):
        own[k] |= later[k]
    _write(a, b, count, rule, memory, scratch, written)


@compiled
def _write(a: int, b: int, count: int, rule: int, memory: Memory, scratch: Scratch, written: Written) -> None:
    """Roll the rows up and write all that was found of them where they stand in the batch."""
    rows_of, summaries, statuses, said = scratch.whole[ROW], scratch.own, scratch.status, scratch.mark
    quality, spans = written.quality, written.spans
    in_one = rows_of[b - 1] - rows_of[a] == b - 1 - a
    first, end = rows_of[a], rows_of[a] + b - a
    rolled, flag, span = np.int64(-1), np.int64(NOT_EVALUATED), 0  # most rows have the summary of the one before
    others = a
    if in_one and count > 0 and _are_alike(summaries[a:b], statuses[a:b]):
        present = statuses[a] & PRESENT != 0
        quality[first:end] = np.int8(roll_up(np.int64(summaries[a]), rule, present))
        spans[first:end] = np.uint8(0 if summaries[a] == ALL_PASSED else count)
        others = b
    for k in range(others, b):
        row = rows_of[k]
        present = statuses[k] & PRESENT != 0
        summary = np.int64(summaries[k])
        if count == 0:  # without a profile only the instrument's own doubt counts
            doubt = said[k] if said[k] == SUSPECT or said[k] == FAIL else NOT_EVALUATED
            quality[row], spans[row] = doubt if present else MISSING, 0
            continue
        if summary + summary + present != rolled:
            rolled = summary + summary + present
            flag, span = roll_up(summary, rule, present), 0 if summary == ALL_PASSED else count
        quality[row], spans[row] = flag, span
    if written.entered.size:
        entered = written.entered
        for k in range(a, b):
            entered[rows_of[k]] = statuses[k] & _STANDING
    for j in range(count):
        if in_one:
            written.flags[j, first:end] = scratch.flags[j, a:b]
        else:
            of, to = scratch.flags[j], written.flags[j]
            for k in range(a, b):
                to[rows_of[k]] = of[k]


@compiled
def _are_alike(summaries: NDArray[np.uint32], statuses: NDArray[np.uint8]) -> bool:
    """Return whether rows all have the same summary, and all a value or none."""
    others = 0
    for k in range(summaries.size):
        others += (summaries[k] != summaries[0]) | ((statuses[k] ^ statuses[0]) & PRESENT != 0)
    return others == 0


@compiled
def _are_usual(status: NDArray[np.uint8], earlier: NDArray[np.uint32]) -> bool:
    """Return whether each of these rows settles one of an earlier batch that passed its other tests."""
    others = 0
    for k in range(status.size):
        others += (earlier[k] != _USUAL) | (status[k] & (HERE | BATCH | SETTLED) != SETTLED)
    return others == 0


@compiled
def _all_pass(flags: NDArray[np.uint8]) -> bool:
    others = 0
    for k in range(flags.size):
        others += flags[k] != PASS
    return others == 0


@compiled
def _worse(one: int, other: int) -> int:
    """Return the outcome of a row for both of its pairs; a pair that was not judged says nothing."""
    return other if one == NOT_EVALUATED else max(one, other)


@compiled
def _judge_late(a: int, b: int, j: int, g: int, tables: Tables, scratch: Scratch, written: Written) -> None:
    """Write the outcomes of a test that the next row settles, of the rows that those from `a` to `b` settle."""
    status, earlier, whole = scratch.status, scratch.earlier, scratch.whole
    flags, settled_flags = written.flags, written.settled_flags
    spike = tables.slots[g, KIND] == _SPIKE
    verdicts = scratch.verdicts[: b - a]
    own = scratch.flags[j]
    if spike:
        before, last, x = scratch.numbers[BEFORE_X][a:b], scratch.numbers[LAST_X][a:b], scratch.numbers[X][a:b]
        flag_spike(verdicts, before, last, x, tables.numbers[g])
        leave_unjudged(own[a:b], status[a:b])
        if _all_pass(verdicts) and _are_usual(status[a:b], earlier[a:b]):
            return  # they stand at PASS
    else:
        for k in range(a, b):
            verdicts[k - a] = own[k]
    required = tables.slots[g, REQUIRED]
    for k in range(a, b):
        brings = status[k] & (HERE | BATCH | SETTLED)
        if not brings:
            continue
        if earlier[k] == _USUAL and verdicts[k - a] == PASS and spike and brings == SETTLED:
            continue  # it stands at PASS
        flag = np.int64(verdicts[k - a])
        if spike and not earlier[k] & SPIKED:
            flag = NOT_EVALUATED
        at = whole[EARLIER, k]
        if brings & HERE:
            own[at] = flag if spike else _worse(own[at], flag)
        elif brings & BATCH:
            if not spike:
                flag = _worse(np.int64(flags[j, at]), flag)
            flags[j, at] = flag
            earlier[k] |= np.uint32(told(flag, required))
        else:
            if not spike:
                flag = _worse(np.int64(settled_flags[at, j]), flag)
            settled_flags[at, j] = flag
            earlier[k] |= np.uint32(told(flag, required))


@compiled
def _settle_earlier(a: int, b: int, count: int, rule: int, scratch: Scratch, written: Written) -> None:
    """Roll up rows before this block whose verdict has come."""
    status, places, earlier = scratch.status, scratch.whole[EARLIER], scratch.earlier
    quality, spans = written.quality, written.spans
    settled_quality, settled_spans = written.settled_quality, written.settled_spans
    if _are_usual(status[a:b], earlier[a:b]):
        return
    for k in range(a, b):
        brings = status[k] & (BATCH | SETTLED)
        if not brings or (brings == SETTLED and earlier[k] == _USUAL):
            continue  # it stands as passed
        at = places[k]
        summary = np.int64(earlier[k]) & ~SPIKED
        flag = roll_up(summary, rule, True)
        span = 0 if summary == ALL_PASSED else count
        if brings & BATCH:
            quality[at], spans[at] = flag, span
        else:
            settled_quality[at], settled_spans[at] = flag, span


@compiled
def _keep_open(a: int, b: int, count: int, has_density: bool, memory: Memory, scratch: Scratch) -> None:
    """Keep the outcomes of rows whose verdict is open when the block ends."""
    words, octets = memory.words, memory.octets
    status, bases, own, flags = scratch.status, scratch.whole[BASE], scratch.own, scratch.flags
    if own[a] == ALL_PASSED and not has_density and _are_alike(own[a:b], status[a:b]):
        return
    for k in range(a, b):
        if not status[k] & OPENED or (own[k] == ALL_PASSED and not has_density):
            continue
        base = bases[k]
        if own[k] != ALL_PASSED:
            words[base + BITS] += (np.int64(own[k]) - ALL_PASSED) << SUMMARY
        if own[k] != ALL_PASSED or has_density:
            for j in range(count):
                octets[(base + DIGITS) * 8 + j] = flags[j, k]
