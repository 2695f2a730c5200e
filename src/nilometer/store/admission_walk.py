"""The compiled walks of admission: one look at each row in the order it came, nothing sorted.

What a Datastream has is in arrays by its id (`DatastreamIndex`), so rows of a thousand Datastreams in turn cost what
rows of one do. Nothing here knows of batches or reads the lake; the index is written only by `number` and `promise`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

__all__ = ["late", "number", "promise", "sort_out"]

REJECTED: Final = 3


def _sort_out(
    datastream: NDArray[np.int32],
    time: NDArray[np.int64],
    known: NDArray[np.bool_],
    resolution: NDArray[np.int64],
    water: NDArray[np.int32],
    span: NDArray[np.int64],
    status: NDArray[np.int8],
    feature: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Set `status` where a row has no Datastream or no time in `span`, and `feature` to the water of the others.

    Return how many rows were rejected, how many are of a clock coarser than 1 µs, and how many have no known water.
    """
    rejected, coarse, dry = 0, 0, 0
    for i in range(datastream.size):
        d = datastream[i]
        if not (0 < d < known.size and known[d]) or not span[0] <= time[i] < span[1]:
            status[i] = REJECTED
            feature[i] = 0
            rejected += 1
            continue
        coarse += resolution[d] > 1
        feature[i] = water[d]
        dry += water[d] == 0
    return rejected, coarse, dry


def _late(
    datastream: NDArray[np.int32],
    time: NDArray[np.int64],
    status: NDArray[np.int8],
    created: NDArray[np.bool_],
    always_new: NDArray[np.bool_],
    newest: NDArray[np.int64],
    promised: NDArray[np.int64],
    stops: NDArray[np.bool_],
) -> int:
    """Mark in `stops` the Datastreams that do not simply go on in time; return how many of the rows are theirs.

    Rows that were rejected, or that are `created` (new whatever is there), have no say. `promised` is raised.
    """
    found = 0
    for i in range(datastream.size):
        d = datastream[i]
        if status[i] == REJECTED or (created.size and created[i]):
            continue
        t = time[i]
        if t <= max(newest[d], promised[d]) and not always_new[d]:
            stops[d] = True
        promised[d] = max(promised[d], t)
    for i in range(datastream.size):
        found += status[i] != REJECTED and not (created.size and created[i]) and stops[datastream[i]]
    return found


def _promise(
    datastream: NDArray[np.int32], time: NDArray[np.int64], which: NDArray[np.bool_], promised: NDArray[np.int64]
) -> None:
    """Raise what is promised by the rows that are meant."""
    for i in range(datastream.size):
        if which[i]:
            promised[datastream[i]] = max(promised[datastream[i]], time[i])


def _number(
    datastream: NDArray[np.int32], status: NDArray[np.int8], rows: NDArray[np.int64], ids: NDArray[np.int64]
) -> None:
    """Give new rows (status 0) the next ids of their Datastreams, in the order they came."""
    for i in range(datastream.size):
        if status[i] == 0:
            d = datastream[i]
            rows[d] += 1
            ids[i] = (np.int64(d) << 32) + rows[d]


def _reads(dtype: types.Type) -> types.Array:
    return types.Array(dtype, 1, "C", readonly=True)


def _writes(dtype: types.Type) -> types.Array:
    return types.Array(dtype, 1, "C")


_IDS, _TIMES, _STATUS, _MASK = _reads(types.int32), _reads(types.int64), _reads(types.int8), _reads(types.boolean)

sort_out = njit(
    types.UniTuple(types.int64, 3)(
        _IDS, _TIMES, _MASK, _TIMES, _IDS, _TIMES, _writes(types.int8), _writes(types.int32)
    ),
    nogil=True,
    cache=True,
)(_sort_out)
late = njit(
    types.int64(_IDS, _TIMES, _STATUS, _MASK, _MASK, _TIMES, _writes(types.int64), _writes(types.boolean)),
    nogil=True,
    cache=True,
)(_late)
promise = njit(types.void(_IDS, _TIMES, _MASK, _writes(types.int64)), nogil=True, cache=True)(_promise)
number = njit(types.void(_IDS, _STATUS, _writes(types.int64), _writes(types.int64)), nogil=True, cache=True)(_number)
