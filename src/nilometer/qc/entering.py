"""How rows enter the kernel: what each finds of its Datastream, and what it leaves there.

A block of rows becomes columns (`Scratch`): value and time, the last value and its time, the one before, how it stands
in its series, and whose verdict it brings. Rows of one program lie together there, each Datastream's in their order,
so that every test is one pass over a stretch. The first cache line of a Datastream's state is brought up to date on
the way.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import MISSING, NOT_EVALUATED
from nilometer.qc.layout import (
    ALONG,
    AT,
    BASE,
    BATCH,
    BEFORE_T,
    BEFORE_X,
    BITS,
    COUNT,
    DIGITS,
    DIRECTION,
    EARLIER,
    EARLIEST,
    FETCH,
    FLANKED,
    FOUND,
    FUTURE,
    HERE,
    IN_ORDER,
    KEPT_BITS,
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
    OPENED,
    PLACE,
    PRESENT,
    PROGRAM,
    PROGRAM_OF,
    RESTART,
    ROW,
    SCHEME,
    SETTLED,
    SPIKED,
    STEP,
    STEPPED,
    STREAM,
    SUMMARY,
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
from nilometer.qc.prefetch import prefetch
from nilometer.qc.rollup import ALL_PASSED

__all__ = ["enter", "look_up"]

AHEAD = 16
"""Rows; about the time that memory takes."""

MOST_DEPTH = 1e9
"""m; what is not less is a number, such as a fill value, and no depth."""

_SUMMARY_MASK = 0xFFFF
_STANDS = (1 << SUMMARY) - 1
_ROW_MASK = (1 << 32) - 1
_FEW = 2
_MANY = 32


@compiled
def look_up(first: int, n: int, rows: Rows, tables: Tables, scratch: Scratch, written: Written) -> int:
    """Find program and state of `n` rows and give each its place, grouped by program.

    Rows of no known Datastream are flagged at once and get no place. Returns the number of places; the count of rows of
    program p is left in ``scratch.place[p + 1] - scratch.place[p]``.
    """
    whole, place = scratch.whole, scratch.place
    datastream, result, lookup, streams = rows.datastream, rows.result, tables.lookup, tables.streams
    spans, quality = written.spans, written.quality
    programs = tables.programs.shape[0]
    single = datastream.size == 1
    only, same = np.int64(-1), True
    for k in range(n):
        d = datastream[0] if single else datastream[first + k]
        s = np.int64(-1)
        if 0 <= d < lookup.size:
            s = np.int64(lookup[d])
        p = np.int64(programs)
        if s >= 0:
            p = np.int64(streams[s, PROGRAM])
            whole[FOUND, k] = np.int64(streams[s, PLACE]) * LINE
        else:
            spans[first + k] = 0
            quality[first + k] = NOT_EVALUATED if math.isfinite(result[first + k]) else MISSING
        whole[STREAM, k] = s
        whole[PROGRAM_OF, k] = p
        if k == 0:
            only = p
        same &= p == only
    for p in range(programs + 2):
        place[p] = 0
    if same:
        for p in range(only + 1, programs + 2):
            place[p] = n
        for k in range(n):
            whole[AT, k] = k
        return n if only < programs else 0
    for k in range(n):
        place[whole[PROGRAM_OF, k] + 1] += 1
    for p in range(programs + 1):
        place[p + 1] += place[p]
    # Each program's begin moves on as its rows are placed, and is then the next one's: shifted back below.
    for k in range(n):
        p = whole[PROGRAM_OF, k]
        whole[AT, k] = place[p]
        place[p] += 1
    for p in range(programs + 1, 0, -1):
        place[p] = place[p - 1]
    place[0] = 0
    return place[programs]


@compiled
def enter(
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
    """Bring `n` rows in, in their order of arrival."""
    programs, whole, place = tables.programs, scratch.whole, scratch.place
    p = whole[PROGRAM_OF, 0]
    alike = (
        p < programs.shape[0]
        and place[p + 1] - place[p] == n
        and not programs[p, ALONG]
        and not (rows.mark.size or rows.water.size or rows.supersedes.size)
    )
    o, few = 0, _FEW
    while o < n:
        if alike:
            until = _enter_alike(o, first, n, p, epoch, received, rows, tables, memory, scratch, written)
            few = _FEW if until - o >= _MANY else 2 * few  # each call costs as much as a few rows
            o = until
        end = min(o + few, n) if alike else n
        if o < end:
            _enter_rows(o, end, first, n, epoch, received, rows, tables, memory, scratch, written)
        o = end


@inlined
def _fetch(words: NDArray[np.int64], base: int, lines: int) -> None:
    """Fetch some lines of a Datastream's state into the cache, a bit each."""
    line = np.int64(0)
    while lines >> line != 0:
        if (lines >> line) & 1:
            prefetch(words, base + line * LINE)
        line += 1


@compiled
def _enter_alike(
    begin: int,
    first: int,
    n: int,
    p: int,
    epoch: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
    written: Written,
) -> int:
    """Bring rows of one program in, from `begin` on, whose Datastreams simply go on; return the first that does not."""
    words, values, streams, programs = memory.words, memory.values, tables.streams, tables.programs
    time, result, ids, mark_flags = rows.time, rows.result, rows.id, rows.mark_flags
    status_of, mark_of, earlier = scratch.status, scratch.mark, scratch.earlier
    x_of, last_x, before_x = scratch.numbers[X], scratch.numbers[LAST_X], scratch.numbers[BEFORE_X]
    t_of, last_t, before_t = scratch.whole[T], scratch.whole[LAST_T], scratch.whole[BEFORE_T]
    step, base_of, settles, row_of = (
        scratch.whole[STEP],
        scratch.whole[BASE],
        scratch.whole[EARLIER],
        scratch.whole[ROW],
    )
    found, stream = scratch.whole[FOUND], scratch.whole[STREAM]
    settled, settled_id, settled_flags = written.settled, written.settled_id, written.settled_flags
    octets, count = memory.octets, programs[p, COUNT]
    restart, earliest, latest = programs[p, RESTART], programs[p, EARLIEST], programs[p, LATEST]
    fetch, opens = programs[p, FETCH], programs[p, LATE] < programs[p, COUNT]
    if received != NO_TIME:
        latest = min(latest, received + programs[p, FUTURE])
    # What is known of a Datastream that goes on: its last two rows have a value, and the verdict of one is open.
    usual = np.int64(KNOWN | NEXT | OPEN | FLANKED if opens else KNOWN | NEXT)
    status = np.uint8(PRESENT | IN_ORDER | LINKED | STEPPED)
    if opens:
        status |= np.uint8(OPENED)
    ready, until = settled[0], n
    for o in range(begin, n):
        if o + AHEAD < n:
            _fetch(words, found[o + AHEAD], fetch)
        base, i = found[o], first + o
        x, t, newest = result[i], time[i], words[base + NEWEST]
        bits, where = words[base + BITS], words[base + WHERE]
        said = mark_flags[streams[stream[o], SCHEME], 0]
        if not (
            (bits & _STANDS == usual)
            & (newest < t)
            & (t - newest <= restart)
            & (earliest <= t)
            & (t <= latest)
            & (x - x == 0.0)
            & (said & 15 != MISSING)
            & (said & NOT_WATER == 0)
            & ((where >> 32 != epoch) | (where & _ROW_MASK < first) | (not opens))
        ):
            until = o
            break
        last, x1 = words[base + LAST], values[base + X1]
        x_of[o], last_x[o], before_x[o] = x, x1, values[base + X2]
        t_of[o], last_t[o], before_t[o] = t, last, words[base + LAST2]
        step[o], base_of[o], row_of[o] = t - newest, base, i
        status_of[o], mark_of[o] = status, said & 15
        words[base + NEWEST] = words[base + LAST] = t
        words[base + LAST2], values[base + X1], values[base + X2] = last, x, x1
        if opens:
            summary = (bits >> SUMMARY) & _SUMMARY_MASK
            earlier[o] = np.uint32(SPIKED | summary)
            if summary != ALL_PASSED:
                words[base + BITS] = (bits & ~(_SUMMARY_MASK << SUMMARY)) | (ALL_PASSED << SUMMARY)
            if where >> 32 == epoch:
                settles[o] = where & _ROW_MASK
                status_of[o] |= np.uint8(BATCH)
            else:
                settles[o], settled_id[ready] = ready, words[base + OPEN_ID]
                status_of[o] |= np.uint8(SETTLED)
                if summary != ALL_PASSED:
                    for j in range(count):
                        settled_flags[ready, j] = octets[(base + DIGITS) * 8 + j]
                ready += 1
            words[base + OPEN_ID] = ids[i] if ids.size else i
            words[base + WHERE] = (epoch << 32) | i
    settled[0] = ready
    return until


@compiled
def _enter_rows(
    begin: int,
    end: int,
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
    """Bring the rows of a block from `begin` to `end` in, whatever they are."""
    words, values, octets = memory.words, memory.values, memory.octets
    whole, numbers, status_of = scratch.whole, scratch.numbers, scratch.status
    mark_of, earlier = scratch.mark, scratch.earlier
    programs, streams = tables.programs, tables.streams
    time, result, depths, ids = rows.time, rows.result, rows.depth, rows.id
    mark, mark_flags, water, revision = rows.mark, rows.mark_flags, rows.water, rows.supersedes
    settled, settled_id, settled_flags = written.settled, written.settled_id, written.settled_flags
    marked, sampled, revised = mark.size > 0, water.size > 0, revision.size > 0
    for o in range(begin, end):
        if o + AHEAD < n and whole[STREAM, o + AHEAD] >= 0:
            _fetch(words, whole[FOUND, o + AHEAD], programs[whole[PROGRAM_OF, o + AHEAD], FETCH])
        s = whole[STREAM, o]
        if s < 0:
            continue
        i = first + o
        k = whole[AT, o]
        p = whole[PROGRAM_OF, o]
        base = whole[FOUND, o]
        x = result[i]
        said = mark_flags[streams[s, SCHEME], mark[i] if marked else 0]
        present = math.isfinite(x) and said & 15 != MISSING
        t = time[i]
        newest = words[base + NEWEST]
        bits = words[base + BITS]
        supersedes = revised and revision[i]
        in_order = (
            not supersedes
            and (not sampled or water[i])
            and said & NOT_WATER == 0
            and programs[p, EARLIEST] <= t <= programs[p, LATEST]
            and (received == NO_TIME or t - received <= programs[p, FUTURE])
        )
        restart = newest != NO_TIME and t - newest > programs[p, RESTART]
        stands = t
        way = np.int64(0)
        if programs[p, ALONG]:
            depth = depths[i] if depths.size else np.nan
            in_order = in_order and abs(depth) < MOST_DEPTH and t >= newest
            if in_order and present:
                stands = np.int64(round(depth * 1e6))
                way = (bits >> DIRECTION) & 3
                last = words[base + LAST]
                if restart or not bits & KNOWN:
                    way = 0
                elif way == 0:
                    in_order = stands != last  # the same depth again does not say where the cast goes
                    way = np.int64(1 if stands > last else 2)
                    if in_order and way == 2:
                        words[base + LAST] = -last
                        stands = -stands
                else:
                    stands = stands if way == 1 else -stands
                    in_order = stands != last
                    if stands < last:  # it turned: another cast
                        restart = True
                        stands = stands if way == 1 else -stands
                        way = 0
        else:
            in_order = in_order and t > newest

        status = PRESENT if present else 0
        linked = False
        if in_order:
            status |= IN_ORDER
            known = bits & (KNOWN | NEXT)
            if newest != NO_TIME:
                status |= STEPPED
                whole[STEP, k] = t - newest
            if restart:
                known = 0
            linked = known & KNOWN != 0
            if bits & OPEN:
                where = words[base + WHERE]
                row = where & 0xFFFFFFFF
                is_here = where >> 32 == epoch and row >= first
                if is_here:
                    status_of[whole[AT, row - first]] &= np.uint8(~OPENED & 0xFF)
                if present and not restart:  # this row brings the verdict
                    spiked = SPIKED if bits & FLANKED else 0
                    if is_here:
                        status |= HERE
                        whole[EARLIER, k], earlier[k] = whole[AT, row - first], spiked
                    elif where >> 32 == epoch:
                        status |= BATCH
                        whole[EARLIER, k], earlier[k] = row, spiked | ((bits >> SUMMARY) & _SUMMARY_MASK)
                    else:
                        status |= SETTLED
                        at = settled[0]
                        settled[0] = at + 1
                        whole[EARLIER, k], earlier[k] = at, spiked | ((bits >> SUMMARY) & _SUMMARY_MASK)
                        settled_id[at] = words[base + OPEN_ID]
                        if (bits >> SUMMARY) & _SUMMARY_MASK != ALL_PASSED or programs[p, ALONG]:  # they stand at PASS
                            for j in range(programs[p, COUNT]):
                                settled_flags[at, j] = octets[(base + DIGITS) * 8 + j]
            live = bits & KEPT_BITS
            if linked:
                numbers[LAST_X, k], whole[LAST_T, k] = values[base + X1], words[base + LAST]
                numbers[BEFORE_X, k], whole[BEFORE_T, k] = values[base + X2], words[base + LAST2]
            if present:
                if linked:
                    status |= LINKED
                    values[base + X2], words[base + LAST2] = values[base + X1], words[base + LAST]
                else:
                    words[base + LAST2] = NO_TIME
                values[base + X1], words[base + LAST] = x, stands
                live |= KNOWN | NEXT | (way << DIRECTION)
                whole[WAY, k] = (1 if way == 1 else -1) if known & NEXT and way != 0 else 0
                if programs[p, LATE] < programs[p, COUNT] and (known & NEXT or programs[p, ALONG]):
                    live |= OPEN | (FLANKED if known & NEXT else 0) | (ALL_PASSED << SUMMARY)
                    status |= OPENED
                    words[base + OPEN_ID] = ids[i] if ids.size else i
                    words[base + WHERE] = (epoch << 32) | i
            else:
                live |= (known & KNOWN) | (0 if restart else bits & (3 << DIRECTION))
            words[base + NEWEST] = t
            words[base + BITS] = live
        elif supersedes and bits & OPEN and words[base + OPEN_ID] == ids[i]:
            # The row that waited is no longer the row that is kept.
            where = words[base + WHERE]
            if where >> 32 == epoch and where & 0xFFFFFFFF >= first:
                status_of[whole[AT, (where & 0xFFFFFFFF) - first]] &= np.uint8(~OPENED & 0xFF)
            words[base + BITS] = bits & ~OPEN
        if not linked:
            numbers[LAST_X, k], whole[LAST_T, k] = x, stands
            numbers[BEFORE_X, k], whole[BEFORE_T, k] = x, NO_TIME
        numbers[X, k] = x if present else np.nan  # a mark may say that a number is no value
        whole[T, k] = stands
        whole[BASE, k] = base
        status_of[k] = status
        mark_of[k] = said & 15
        whole[ROW, k] = i
