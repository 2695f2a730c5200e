"""What is done with a block of rows once they have entered: each test in its slot, open verdicts, the roll-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import (
    ALONG,
    BASE,
    BATCH,
    BEFORE_T,
    BEFORE_X,
    BIT,
    BITS,
    COUNT,
    DIGITS,
    EARLIEST,
    EARLIER,
    FIRST_ROW,
    FLANKED,
    FUTURE,
    HERE,
    KEPT,
    KIND,
    KNOWN,
    LAST,
    LAST2,
    LAST_T,
    LAST_X,
    LATE,
    LATEST,
    LINE,
    NEWEST,
    NEXT,
    NOT_WATER,
    OPEN,
    OPENED,
    OPEN_ID,
    PLACE,
    PRESENT,
    PROGRAM,
    REQUIRED,
    RESTART,
    ROW,
    ROWS,
    RULE,
    RUN,
    SCHEME,
    SETTLED,
    SPIKED,
    START,
    STEP,
    SUMMARY,
    WANTS,
    WAY,
    WHERE,
    X1,
    X2,
    Memory,
    Rows,
    Scratch,
    T,
    Tables,
    Written,
    X,
)
from nilometer.model.batch import NO_TIME
from nilometer.qc.qartod.attenuated_signal import flag_attenuated_signal
from nilometer.qc.qartod.climatology import flag_climatology
from nilometer.qc.qartod.dates import flag_data_reception, flag_impossible_date
from nilometer.qc.qartod.definition import Kind, Wants
from nilometer.qc.qartod.density_inversion import flag_density_inversion
from nilometer.qc.qartod.flat_line import flag_flat_line
from nilometer.qc.qartod.gap import flag_gap
from nilometer.qc.qartod.gross_range import flag_gross_range
from nilometer.qc.qartod.location import flag_location
from nilometer.qc.qartod.rate_of_change import flag_rate_of_change, flag_rate_of_deviation
from nilometer.qc.qartod.spike import flag_spike
from nilometer.qc.rollup import ALL_PASSED, roll_up, told

__all__ = ["judge_group", "judge_run", "plain_rows"]

_UNJUDGED = int(Kind.UNJUDGED)
_GAP = int(Kind.GAP)
_SYNTAX = int(Kind.SYNTAX)
_LOCATION = int(Kind.LOCATION)
_GROSS_RANGE = int(Kind.GROSS_RANGE)
_CLIMATOLOGY = int(Kind.CLIMATOLOGY)
_SPIKE = int(Kind.SPIKE)
_RATE_OF_CHANGE = int(Kind.RATE_OF_CHANGE)
_FLAT_LINE = int(Kind.FLAT_LINE)
_ATTENUATED_SIGNAL = int(Kind.ATTENUATED_SIGNAL)
_DENSITY_INVERSION = int(Kind.DENSITY_INVERSION)
_DATA_RECEPTION = int(Kind.DATA_RECEPTION)
_IMPOSSIBLE_DATE = int(Kind.IMPOSSIBLE_DATE)
_PERCENTILE_RANGE = int(Kind.PERCENTILE_RANGE)
_RATE_OF_DEVIATION = int(Kind.RATE_OF_DEVIATION)
_MARK = int(Kind.MARK)
_KEEPS = int(Wants.QUEUE | Wants.WINDOW | Wants.PLACE)
_ROW_OF = int(Wants.PLACE | Wants.DEPTH | Wants.SYNTAX | Wants.RECEIVED)
_MARKS = int(Wants.MARK)
_STEPS = int(Wants.STEP)
_STEP = 256
"""Rows looked at together for the end of a plain run."""


@compiled
def _unjudged(flags: NDArray[np.uint8], status: NDArray[np.uint8]) -> None:
    for k in range(flags.size):
        flags[k] = np.uint8(NOT_EVALUATED) if status[k] & PRESENT else np.uint8(MISSING)


@compiled
def _said(flags: NDArray[np.uint8], said: NDArray[np.uint8], row: NDArray[np.int64]) -> None:
    for k in range(flags.size):
        flags[k] = said[row[k]] if said.size else np.uint8(NOT_EVALUATED)


@inlined
def _flag_slot(  # noqa: C901 -- one branch a kind
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    step: NDArray[np.int64],
    status: NDArray[np.uint8],
    a: int,
    g: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
) -> None:
    """Write the outcomes of slot `g` for the rows from place `a` on."""
    kind = tables.slots[g, KIND]
    numbers = tables.numbers[g]
    kept = tables.slots[g, KEPT]
    b = a + flags.size
    if kind == _GROSS_RANGE or kind == _PERCENTILE_RANGE:
        flag_gross_range(flags, x, status, numbers)
    elif kind == _RATE_OF_CHANGE:
        flag_rate_of_change(flags, x, last, t, last_t, status, numbers)
    elif kind == _FLAT_LINE:
        bit = tables.slots[g, BIT]
        base = scratch.whole[BASE][a:b]
        flag_flat_line(flags, x, last, t, last_t, before_t, status, base, kept, bit, memory, numbers, scratch.since)
    elif kind == _GAP:
        flag_gap(flags, step, status, numbers)
    elif kind == _ATTENUATED_SIGNAL:
        base = scratch.whole[BASE][a:b]
        flag_attenuated_signal(
            flags, x, t, status, base, kept, memory, numbers, scratch.counted, scratch.spread, scratch.since
        )
    elif kind == _RATE_OF_DEVIATION:
        base = scratch.whole[BASE][a:b]
        flag_rate_of_deviation(
            flags, x, last, t, last_t, status, base, kept, memory, numbers,
            scratch.counted, scratch.spread, scratch.since,
        )  # fmt: skip
    elif kind == _CLIMATOLOGY:
        members = tables.rows[tables.slots[g, FIRST_ROW] : tables.slots[g, FIRST_ROW] + tables.slots[g, ROWS]]
        row, times = scratch.whole[ROW][a:b], scratch.since[: flags.size]
        for k in range(flags.size):
            times[k] = rows.time[row[k]]
        flag_climatology(flags, x, times, row, rows.depth, status, numbers, members)
    elif kind == _MARK:
        flags[:] = scratch.mark[a:b]
    elif kind == _LOCATION:
        row, base = scratch.whole[ROW][a:b], scratch.whole[BASE][a:b]
        flag_location(flags, row, rows.latitude, rows.longitude, status, base, kept, memory, numbers)
    elif kind == _SYNTAX:
        _said(flags, rows.syntax, scratch.whole[ROW][a:b])
    elif kind == _IMPOSSIBLE_DATE:
        flag_impossible_date(flags, scratch.whole[ROW][a:b], rows.time, received, numbers)
    elif kind == _DATA_RECEPTION:
        flag_data_reception(flags, scratch.whole[ROW][a:b], rows.time, received, numbers)
    elif kind == _DENSITY_INVERSION:
        flag_density_inversion(flags, x, last, scratch.whole[WAY][a:b], status, numbers)
    else:
        _unjudged(flags, status)


@compiled
def _summarise(
    summary: NDArray[np.uint32], flags: NDArray[np.uint8], required: int
) -> None:
    if required:
        for k in range(summary.size):
            summary[k] |= np.uint32(told(flags[k], 1))
    else:
        for k in range(summary.size):
            summary[k] |= np.uint32(1) << np.uint32(flags[k])


@compiled
def _or(any_of: NDArray[np.uint8], flags: NDArray[np.uint8]) -> None:
    """Gather outcomes by their bits: the sum is PASS where, and only where, all are."""
    for k in range(any_of.size):
        any_of[k] |= flags[k]


@compiled
def _worse(one: int, other: int) -> int:
    """Return the outcome of a row for both of its pairs; a pair that was not judged says nothing."""
    return other if one == NOT_EVALUATED else max(one, other)


@compiled
def _judge_late(
    a: int, b: int, j: int, g: int, tables: Tables, scratch: Scratch, written: Written
) -> None:
    """Write the outcomes of a test that the next row settles, of the rows that those from `a` to `b` settle."""
    status, earlier, whole = scratch.status, scratch.earlier, scratch.whole
    flags, settled_flags = written.flags, written.settled_flags
    spike = tables.slots[g, KIND] == _SPIKE
    verdicts = scratch.verdicts[: b - a]
    own = scratch.flags[j]
    if spike:
        before, last, x = scratch.numbers[BEFORE_X][a:b], scratch.numbers[LAST_X][a:b], scratch.numbers[X][a:b]
        flag_spike(verdicts, before, last, x, tables.numbers[g])
        for k in range(a, b):
            own[k] = np.uint8(NOT_EVALUATED) if status[k] & PRESENT else np.uint8(MISSING)
    else:
        for k in range(a, b):
            verdicts[k - a] = own[k]
    required = tables.slots[g, REQUIRED]
    for k in range(a, b):
        brings = status[k] & (HERE | BATCH | SETTLED)
        if not brings:
            continue
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
    for k in range(a, b):
        brings = status[k] & (BATCH | SETTLED)
        if not brings:
            continue
        at = places[k]
        summary = np.int64(earlier[k]) & ~SPIKED
        flag = roll_up(summary, rule, True)
        span = 0 if summary == ALL_PASSED else count
        if brings & BATCH:
            quality[at], spans[at] = flag, span
        else:
            settled_quality[at], settled_spans[at] = flag, span


@compiled
def _keep_open(
    a: int, b: int, count: int, has_density: bool, memory: Memory, scratch: Scratch
) -> None:
    """Keep the outcomes of rows whose verdict is open when the block ends."""
    words, octets = memory.words, memory.octets
    status, bases, own, flags = scratch.status, scratch.whole[BASE], scratch.own, scratch.flags
    for k in range(a, b):
        if not status[k] & OPENED:
            continue
        base = bases[k]
        words[base + BITS] |= np.int64(own[k]) << SUMMARY
        if own[k] != ALL_PASSED or has_density:
            for j in range(count):
                octets[(base + DIGITS) * 8 + j] = flags[j, k]


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
            _flag_slot(
                scratch.flags[j][a:b], x, last, t, last_t, before_t, step, status, a, g, received,
                rows, tables, memory, scratch,
            )  # fmt: skip
        if kind == _SPIKE or kind == _DENSITY_INVERSION:
            _judge_late(a, b, j, g, tables, scratch, written)
        else:
            _summarise(own, scratch.flags[j][a:b], tables.slots[g, REQUIRED])
    if late < count:
        _settle_earlier(a, b, count, rule, scratch, written)
        _keep_open(a, b, count, tables.programs[program, ALONG] != 0, memory, scratch)
        for j in range(late, count):
            kind = tables.slots[start + j, KIND]
            if kind == _SPIKE or kind == _DENSITY_INVERSION:
                _summarise(later, scratch.flags[j][a:b], tables.slots[start + j, REQUIRED])
    for k in range(b - a):
        own[k] |= later[k]
    rows_of, summaries, statuses = whole[ROW], scratch.own, scratch.status
    quality, spans, said = written.quality, written.spans, scratch.mark
    for k in range(a, b):
        row = rows_of[k]
        present = statuses[k] & PRESENT != 0
        summary = np.int64(summaries[k])
        spans[row] = 0 if summary == ALL_PASSED or count == 0 else count
        if count > 0:
            quality[row] = roll_up(summary, rule, present)
        elif not present:
            quality[row] = MISSING
        else:  # without a profile only the instrument's own doubt counts
            quality[row] = said[k] if said[k] == SUSPECT or said[k] == FAIL else NOT_EVALUATED
    for j in range(count):
        of, to = scratch.flags[j], written.flags[j]
        for k in range(a, b):
            to[rows_of[k]] = of[k]


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
    any_of[0] = PASS if (bits >> SUMMARY) & 0xFFFF == ALL_PASSED else 0
    for j in range(count):
        g = start + j
        if tables.slots[g, KIND] == _SPIKE:
            flag_spike(written.flags[j][first - 1 : end - 1], before, last, x, tables.numbers[g])
            written.flags[j, end - 1] = NOT_EVALUATED
        else:
            flags = written.flags[j][first:end]
            _flag_slot(
                flags, x, last, t, last_t, before_t, step, status, 0, g, received, rows, tables, memory, scratch
            )
            _or(any_of[1:], flags)
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
def _roll_up_run(
    first: int, any_of: NDArray[np.uint8], start: int, count: int, rule: int, tables: Tables, written: Written
) -> None:
    """Roll up rows that all have a value; most passed throughout, and only the others are looked at."""
    n = any_of.size
    quality, spans, flags, slots = written.quality[first : first + n], written.spans[first : first + n], written.flags, tables.slots
    quality[:] = np.int8(PASS)
    spans[:] = np.uint8(0)
    for k in range(n):
        if any_of[k] == PASS:
            continue
        summary = np.int64(0)
        for j in range(count):
            summary |= told(np.int64(flags[j, first + k]), slots[start + j, REQUIRED])
        quality[k] = roll_up(summary, rule, True)
        spans[k] = 0 if summary == ALL_PASSED else count
