"""The one compiled kernel of quality control: a walk over rows in the order they arrived.

Rows are taken in blocks. Each finds its Datastream's program (its tests, shared by every Datastream of one profile and
unit) and state, and moves the state on (`entering`); then each test is one pass over the rows of a program, and the
roll-up another (`groups`). Rows of one Datastream that simply go on, which is most of any history, skip the first
half: the passes read the batch itself (`runs`). Live batches and history go through the same tests with the same
state, so any cut of the rows gives the same flags. No clock is read and no object is made. Where things stand is
`nilometer.qc.layout`.

The order of a row's life:

1. a mark that means "no value", NaN or infinity: there is no value (MISSING);
2. a row not newer than its Datastream's newest, of an impossible date, a revision, or a sample that is not the water:
   point tests only, state stays;
3. a step longer than the profile's gap starts every sequence test anew;
4. the row before gets its spike verdict: in place when it is in this batch, else as a settlement;
5. each test of the program in its slot, then the roll-up.

The compiled code is cached beside this file and keyed by a digest of all modules compiled in: a change in any of them
compiles anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from nilometer.qc.entering import enter, look_up
from nilometer.qc.groups import judge_group
from nilometer.qc.layout import BLOCK, ROOM, Memory, Rows, Scratch, Tables, Written
from nilometer.qc.runs import judge_run, plain_rows
from nilometer.qc.window import slide

__all__ = ["pack", "slide_sums", "walk"]

_LEAST_RUN = 32
_BESIDE = (
    "compiled.py",
    "entering.py",
    "flags.py",
    "groups.py",
    "layout.py",
    "prefetch.py",
    "rollup.py",
    "runs.py",
    "slots.py",
    "window.py",
)


def _digest() -> int:
    """Return a number that changes with any source the kernel compiles in."""
    here = Path(__file__).parent
    sources = sorted([*here.glob("qartod/*.py"), *(here / name for name in _BESIDE)])
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
        received: int,
        rows: Rows,
        tables: Tables,
        memory: Memory,
        scratch: Scratch,
        written: Written,
    ) -> int:
        """Judge the rows from `first` on; return their end, or where the pool must have more room to go on."""
        if digest < 0:
            return -1
        n = rows.time.size
        room = np.int64(0)
        for p in range(tables.programs.shape[0]):
            room = max(room, tables.programs[p, ROOM])
        at, few = first, 3
        while at < n:
            if room > 0 and memory.pool.size - memory.used[0] < room * min(BLOCK, tables.streams.shape[0]):
                return at
            run, whole = plain_rows(at, epoch, received, rows, tables, memory)
            if run >= _LEAST_RUN:
                judge_run(at, run, whole, epoch, received, rows, tables, memory, scratch, written)
                at += run
                few = 3
                continue
            size = min(n - at, BLOCK)
            if rows.datastream.size == 1 or (size > run + 32 and rows.datastream[at] == rows.datastream[at + run + 31]):
                size = min(size, run + few)  # history: only what a plain run cannot take
                few = min(2 * few, BLOCK)
            places = look_up(at, size, rows, tables, scratch, written)
            enter(at, size, epoch, received, rows, tables, memory, scratch, written)
            if places > 0:
                for p in range(tables.programs.shape[0]):
                    a, b = scratch.place[p], scratch.place[p + 1]
                    if b > a:
                        judge_group(a, b, p, received, rows, tables, memory, scratch, written)
            at += size
        return n

    return walk


def _slide_sums(digest: int) -> Callable[..., None]:
    def slide_sums(
        count: NDArray[np.float64],
        spread: NDArray[np.float64],
        since: NDArray[np.int64],
        x: NDArray[np.float64],
        t: NDArray[np.int64],
        status: NDArray[np.uint8],
        base: NDArray[np.int64],
        words: NDArray[np.int64],
        values: NDArray[np.float64],
        pool: NDArray[np.int64],
        sums: NDArray[np.float64],
        used: NDArray[np.int64],
        period: int,
        width: int,
    ) -> None:
        """Slide one window of sums over a series (`nilometer.qc.window.slide`), telling what it held before each."""
        if digest >= 0:
            slide(
                count, spread, since, x, t, status, base, 0, words, values, pool, sums, used, period, width, 0,
                False, True, t[:0],
            )  # fmt: skip

    return slide_sums


def _pack(
    flags: NDArray[np.uint8],
    spans: NDArray[np.uint8],
    zero: int,
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
                data[at + j] = flags[j, i] + zero
            at += length
    offsets[spans.size] = at


def _reads(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


def _writes(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C")


# Signatures are given, with read-only inputs (which take writable arrays too): one specialisation each, compiled or
# loaded from the cache when this module is imported, and never a pause later.
_ROWS = types.NamedTuple(
    (
        _reads(types.int32),  # datastream
        _reads(types.int64),  # time
        _reads(types.float64),  # result
        _reads(types.int64),  # id
        _reads(types.boolean),  # supersedes
        _reads(types.boolean),  # water
        _reads(types.int32),  # mark
        _reads(types.uint8, 2),  # mark_flags
        _reads(types.float64),  # depth
        _reads(types.float64),  # latitude
        _reads(types.float64),  # longitude
        _reads(types.uint8),  # syntax
    ),
    Rows,
)
_TABLES = types.NamedTuple(
    (
        _reads(types.int32),  # lookup
        _reads(types.int32, 2),  # streams
        _reads(types.int64, 2),  # programs
        _reads(types.int64, 2),  # slots
        _reads(types.float64, 2),  # numbers
        _reads(types.float64, 2),  # rows
    ),
    Tables,
)
_MEMORY = types.NamedTuple(
    (
        _writes(types.int64),  # words
        _writes(types.float64),  # values
        _writes(types.uint8),  # octets
        _writes(types.int64),  # pool
        _writes(types.float64),  # pool_values
        _writes(types.int64),  # used
    ),
    Memory,
)
_SCRATCH = types.NamedTuple(
    (
        _writes(types.float64, 2),  # numbers
        _writes(types.int64, 2),  # whole
        _writes(types.uint8),  # status
        _writes(types.uint8),  # mark
        _writes(types.uint8, 2),  # flags
        _writes(types.uint8),  # verdicts
        _writes(types.uint32),  # own
        _writes(types.uint32),  # late
        _writes(types.uint32),  # earlier
        _writes(types.int64),  # place
        _writes(types.uint8),  # any_of
        _writes(types.float64),  # counted
        _writes(types.float64),  # spread
        _writes(types.int64),  # since
        _writes(types.uint8),  # full
        _writes(types.uint8),  # moves
    ),
    Scratch,
)
_WRITTEN = types.NamedTuple(
    (
        _writes(types.uint8, 2),  # flags
        _writes(types.uint8),  # spans
        _writes(types.int8),  # quality
        _writes(types.int64),  # settled_id
        _writes(types.uint8, 2),  # settled_flags
        _writes(types.uint8),  # settled_spans
        _writes(types.int8),  # settled_quality
        _writes(types.int64),  # settled
        _writes(types.uint8),  # entered
    ),
    Written,
)

walk = njit(
    types.int64(types.int64, types.int64, types.int64, _ROWS, _TABLES, _MEMORY, _SCRATCH, _WRITTEN),
    nogil=True,
    cache=True,
    error_model="numpy",
)(_walk(_digest()))

pack = njit(
    types.void(
        _reads(types.uint8, 2),
        _reads(types.uint8),
        types.int64,
        _writes(types.int32),
        _writes(types.uint8),
        _writes(types.uint8),
    ),
    nogil=True,
    cache=True,
)(_pack)

_FLOATS, _INTS = _writes(types.float64), _writes(types.int64)
slide_sums = njit(
    types.void(
        _FLOATS,  # count
        _FLOATS,  # spread
        _INTS,  # since
        _reads(types.float64),  # x
        _reads(types.int64),  # t
        _reads(types.uint8),  # status
        _reads(types.int64),  # base
        _INTS,  # words
        _FLOATS,  # values
        _INTS,  # pool
        _FLOATS,  # sums
        _INTS,  # used
        types.int64,
        types.int64,
    ),
    nogil=True,
    cache=True,
    error_model="numpy",
)(_slide_sums(_digest()))
