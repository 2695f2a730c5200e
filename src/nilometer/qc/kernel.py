"""The one compiled kernel of quality control: a walk over rows in the order they arrived.

Per row it looks up the Datastream's program (its tests, shared by every Datastream of one profile and unit) and its
state, writes the outcome of each test and the roll-up, and moves the state on. Live batches and history go through
the same loop, so any cut of the rows gives the same flags. No clock is read and no object is made. Where things stand
is `nilometer.qc.layout`.

The order of a row's life:

1. a mark that means "no value", NaN or infinity: there is no value (MISSING);
2. a row not newer than its Datastream's newest, a revision, or a sample that is not the water: point tests only,
   state stays;
3. a step longer than the profile's gap starts every sequence test anew;
4. the row before gets its spike verdict: in place when it is in this batch, else as a settlement;
5. each test of the program in its slot, then the roll-up, then the state.

Indexes are unsigned where they may be: a signed one costs a test for negative values at every access. No array gets a
second name inside the loop: that would count references.

The compiled code is cached beside this file and keyed by a digest of the test modules too: a change in any of them
compiles anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT, ZERO
from nilometer.qc.layout import (
    CAPACITY,
    COUNT,
    DIGITS,
    HIGH_LENGTH,
    KIND,
    LAST_TIME,
    LOW_LENGTH,
    MOST_POINTS,
    NEVER,
    NEWEST,
    NOT_WATER,
    OPEN,
    PENDING,
    PENDING_EPOCH,
    PENDING_ID,
    PENDING_ROW,
    PROGRAM,
    REQUIRED,
    RESTART,
    RULE,
    SCHEME,
    SEEN,
    SPIKES,
    START,
    WINDOW,
    WINDOWS,
    X1,
    X2,
)
from nilometer.qc.prefetch import prefetch
from nilometer.qc.qartod.definition import Kind
from nilometer.qc.qartod.flat_line import judge_flat_line, lengthen_run
from nilometer.qc.qartod.gap import judge_gap
from nilometer.qc.qartod.gross_range import judge_gross_range
from nilometer.qc.qartod.rate_of_change import judge_rate_of_change
from nilometer.qc.qartod.spike import judge_spike
from nilometer.qc.rollup import HELD, roll_up

__all__ = ["pack", "walk"]

_GAP = int(Kind.GAP)
_GROSS_RANGE = int(Kind.GROSS_RANGE)
_SPIKE = int(Kind.SPIKE)
_RATE_OF_CHANGE = int(Kind.RATE_OF_CHANGE)
_FLAT_LINE = int(Kind.FLAT_LINE)
_MARK = int(Kind.MARK)
MANY = 4096  # Datastreams whose tables no longer fit the processor's second cache
AHEAD = 24  # rows; about the time that memory takes
ALL_PASSED = 1 << PASS
UNJUDGED_FLAGS = (1 << NOT_EVALUATED) | (1 << MISSING)


def _digest() -> int:
    """Return a number that changes with any source the kernel compiles in."""
    here = Path(__file__).parent
    beside = ("flags.py", "inlined.py", "layout.py", "prefetch.py", "rollup.py")
    sources = sorted([*here.glob("qartod/*.py"), *(here / name for name in beside)])
    text = hashlib.blake2b(digest_size=4)
    for source in sources:
        if source.exists():  # a frozen application has none, and no cache to go stale
            text.update(source.read_bytes())
    return int.from_bytes(text.digest(), "little")


def _walk(digest: int) -> Callable[..., int]:
    """Return the walk as source; `digest` is a closure cell, which is part of the key of Numba's cache."""

    def walk(
        first: int,
        epoch: int,
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        result: NDArray[np.float64],
        row_id: NDArray[np.int64],
        supersedes: NDArray[np.bool_],
        water: NDArray[np.bool_],
        mark: NDArray[np.int32],
        mark_flags: NDArray[np.uint8],
        lookup: NDArray[np.int32],
        streams: NDArray[np.int32],
        programs: NDArray[np.int64],
        slots: NDArray[np.int64],
        numbers: NDArray[np.float64],
        state: NDArray[np.int64],
        values: NDArray[np.float64],
        octets: NDArray[np.uint8],
        windows: NDArray[np.int64],
        pool_time: NDArray[np.int64],
        pool_value: NDArray[np.float64],
        digits: NDArray[np.uint8],
        spans: NDArray[np.uint8],
        quality: NDArray[np.int8],
        settled_id: NDArray[np.int64],
        settled_digits: NDArray[np.uint8],
        settled_spans: NDArray[np.uint8],
        settled_quality: NDArray[np.int8],
        tally: NDArray[np.int64],
    ) -> int:
        if digest < 0:
            return -1
        n = datastream.size
        settled = tally[0]
        many = streams.shape[0] > MANY
        for place in range(first, n):
            i = np.uint32(place)
            if many and place + AHEAD < n:
                ahead = datastream[np.uint32(place + AHEAD)]
                if 0 <= ahead < lookup.size and lookup[np.uint32(ahead)] >= 0:
                    soon = np.uint32(lookup[np.uint32(ahead)])
                    prefetch(state, soon)
                    prefetch(streams, soon)
                ahead = datastream[np.uint32(place + AHEAD // 2)]
                if 0 <= ahead < lookup.size and lookup[np.uint32(ahead)] >= 0:
                    prefetch(windows, np.uint32(streams[np.uint32(lookup[np.uint32(ahead)]), WINDOW]))
            x = result[i]
            present = np.isfinite(x)
            d = datastream[i]
            found = np.int64(-1)
            if 0 <= d < lookup.size:
                found = np.int64(lookup[np.uint32(d)])
            if found < 0:
                spans[i] = 0
                quality[i] = NOT_EVALUATED if present else MISSING
                continue

            s = np.uint32(found)
            p = np.uint32(streams[s, PROGRAM])
            said = mark_flags[streams[s, SCHEME], mark[i]]
            mark_flag = said & 15
            present = present and mark_flag != MISSING
            t = time[i]
            newest = state[s, NEWEST]
            in_order = water[i] and not supersedes[i] and (said & NOT_WATER) == 0 and t > newest
            start, count, first_spike = programs[p, START], programs[p, COUNT], programs[p, SPIKES]
            in_order_value = in_order and present

            if in_order_value:
                w = streams[s, WINDOW]
                for k in range(programs[p, WINDOWS]):
                    capacity = windows[w + k, CAPACITY]
                    if capacity < MOST_POINTS and (
                        windows[w + k, LOW_LENGTH] == capacity or windows[w + k, HIGH_LENGTH] == capacity
                    ):
                        tally[0] = settled
                        return place  # the caller gives this Datastream's windows more room and calls again

            step = 0
            seen = 0
            last_time, last = state[s, LAST_TIME], values[s, X1]
            if in_order:
                seen = state[s, SEEN]
                pending = state[s, PENDING]
                if newest != NO_TIME:
                    step = t - newest
                    if step > programs[p, RESTART]:
                        seen = 0
                        pending = 0
                if pending != 0 and present:
                    before = values[s, X2]
                    summary = pending & ~OPEN
                    here = state[s, PENDING_EPOCH] == epoch
                    at = np.uint32(state[s, PENDING_ROW] if here else settled)
                    if not here:
                        for j in range(count):
                            settled_digits[at, j] = octets[s, DIGITS + j]
                    for j in range(first_spike, count):
                        g = np.uint32(start + j)
                        if slots[g, KIND] == _SPIKE:
                            flag = judge_spike(before, last, x, numbers[g, 0], numbers[g, 1], numbers[g, 2])
                            if here:
                                digits[at, j] = flag + ZERO
                            else:
                                settled_digits[at, j] = flag + ZERO
                            summary |= (1 << flag) | (slots[g, REQUIRED] * HELD if flag == NOT_EVALUATED else 0)
                    span = 0 if summary == ALL_PASSED else count
                    flag = roll_up(summary, programs[p, RULE], present=True)
                    if here:
                        spans[at] = span
                        quality[at] = flag
                    else:
                        settled_id[settled] = state[s, PENDING_ID]
                        settled_spans[settled] = span
                        settled_quality[settled] = flag
                        settled += 1
            elif supersedes[i] and state[s, PENDING] != 0 and state[s, PENDING_ID] == row_id[i]:
                state[s, PENDING] = 0  # the row that waited is no longer the row that is kept

            summary = 0
            spiked = 0
            for j in range(count):
                g = np.uint32(start + j)
                kind = slots[g, KIND]
                flag = NOT_EVALUATED
                if kind == _GAP:
                    if in_order and newest != NO_TIME:
                        flag = judge_gap(step, numbers[g, 0], numbers[g, 1])
                elif kind == _MARK:
                    flag = int(mark_flag)
                elif not present:
                    flag = MISSING
                elif kind == _GROSS_RANGE:
                    flag = judge_gross_range(x, numbers[g, 0], numbers[g, 1], numbers[g, 2], numbers[g, 3])
                elif not in_order:
                    flag = NOT_EVALUATED
                elif kind == _RATE_OF_CHANGE:
                    if seen & 1:
                        flag = judge_rate_of_change(last, x, t - last_time, numbers[g, 0], numbers[g, 1])
                elif kind == _FLAT_LINE:
                    w = np.uint32(streams[s, WINDOW] + slots[g, 2])
                    lengthen_run(windows, w, pool_time, pool_value, t, x, seen & 1 != 0, last_time, last, numbers[g, 2])
                    since = t - last_time if seen & 1 else NEVER
                    flag = judge_flat_line(windows, w, t, since, numbers[g, 0], numbers[g, 1])
                digits[i, j] = flag + ZERO
                told = 1 << flag
                if told & UNJUDGED_FLAGS:
                    told |= slots[g, REQUIRED] * HELD
                if kind == _SPIKE:
                    spiked |= told
                else:
                    summary |= told
            spans[i] = 0 if summary | spiked == ALL_PASSED else count
            if count > 0:
                quality[i] = roll_up(summary | spiked, programs[p, RULE], present=present)
            elif not present:
                quality[i] = MISSING
            else:  # without a profile only the instrument's own doubt counts
                quality[i] = mark_flag if mark_flag in (SUSPECT, FAIL) else NOT_EVALUATED

            if in_order:
                state[s, NEWEST] = t
                if not present:
                    state[s, SEEN] = seen & 1
                    state[s, PENDING] = 0
                elif first_spike < count and (seen & 2) != 0:
                    state[s, PENDING] = OPEN | summary
                    state[s, PENDING_ID] = row_id[i]
                    state[s, PENDING_ROW] = place
                    state[s, PENDING_EPOCH] = epoch
                    values[s, X2] = last
                    for j in range(count):
                        octets[s, DIGITS + j] = digits[i, j]
                else:
                    state[s, PENDING] = 0
                if present:
                    values[s, X1] = x
                    state[s, LAST_TIME] = t
                    state[s, SEEN] = 3
        tally[0] = settled
        return n

    return walk


def _pack(
    digits: NDArray[np.uint8],
    spans: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    data: NDArray[np.uint8],
    valid: NDArray[np.uint8],
) -> None:
    """Write the digits of the rows that did not pass throughout one behind the other, as Arrow lays strings out."""
    at = 0
    for i in range(spans.size):
        offsets[i] = at
        length = spans[i]
        if length > 0:
            valid[i >> 3] |= np.uint8(1 << (i & 7))
            for j in range(length):
                data[at + j] = digits[i, j]
            at += length
    offsets[spans.size] = at


def _reads(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


def _writes(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C")


# Signatures are given, with read-only inputs (which take writable arrays too): one specialisation each, compiled or
# loaded from the cache when this module is imported, and never a pause later.
walk = njit(
    types.int64(
        types.int64,
        types.int64,
        _reads(types.int32),  # datastream
        _reads(types.int64),  # time
        _reads(types.float64),  # result
        _reads(types.int64),  # row_id
        _reads(types.boolean),  # supersedes
        _reads(types.boolean),  # water
        _reads(types.int32),  # mark
        _reads(types.uint8, 2),  # mark_flags
        _reads(types.int32),  # lookup
        _reads(types.int32, 2),  # streams
        _reads(types.int64, 2),  # programs
        _reads(types.int64, 2),  # slots
        _reads(types.float64, 2),  # numbers
        _writes(types.int64, 2),  # state
        _writes(types.float64, 2),  # values
        _writes(types.uint8, 2),  # octets
        _writes(types.int64, 2),  # windows
        _writes(types.int64),  # pool_time
        _writes(types.float64),  # pool_value
        _writes(types.uint8, 2),  # digits
        _writes(types.uint8),  # spans
        _writes(types.int8),  # quality
        _writes(types.int64),  # settled_id
        _writes(types.uint8, 2),  # settled_digits
        _writes(types.uint8),  # settled_spans
        _writes(types.int8),  # settled_quality
        _writes(types.int64),  # tally
    ),
    nogil=True,
    cache=True,
    error_model="numpy",
)(_walk(_digest()))

pack = njit(
    types.void(
        _reads(types.uint8, 2), _reads(types.uint8), _writes(types.int32), _writes(types.uint8), _writes(types.uint8)
    ),
    nogil=True,
    cache=True,
)(_pack)
