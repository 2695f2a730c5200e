"""One compiled pass over the rows of a Datastream: what each span of them comes to.

Rows are never added to what was there before: a span is always counted anew from all of its rows.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

__all__ = ["CIRCULAR", "COUNTS", "HYDROGEN_ION", "NEITHER", "PLACES", "SUMS", "walk"]

NEITHER: Final = 0
HYDROGEN_ION: Final = 1
CIRCULAR: Final = 2

_CLASSES = ("good", "suspect")
COUNTS = (
    *("pass", "not_evaluated", "suspect", "fail", "missing"),
    *(f"{name}_{which}" for which in _CLASSES for name in ("n", "below", "above", "n_u")),
)
SUMS = tuple(
    f"{name}_{which}" for which in _CLASSES for name in ("sum", "sum_below", "sum_a", "sum_b", "sum_u", "sum_r2")
)
"""`sum_a` and `sum_b`: of 10^-x and nothing for a hydrogen-ion mean, of sine and cosine for a circular one."""
PLACES = ("min", "max", "first", "last", "lowest", "highest")

# Columns of the kernel's arrays, as above.
_FLAGS, _BY_CLASS, _SUMS_A_CLASS = 5, 4, 6
_MIN, _MAX, _OLDEST, _NEWEST, _LOWEST, _HIGHEST = range(6)
_SUSPECT, _FAIL = 2, 3
_RADIANS = math.pi / 180.0


# Each is called once a span, not once a row: passing an array costs more than looking at a value of it.
@njit(nogil=True, error_model="numpy")
def _extremes(
    result: NDArray[np.float64], flag: NDArray[np.int8], first: int, stop: int, below: int
) -> tuple[int, int, int, int]:
    """Return the least, greatest, first and last row of those with a value and a flag before `below`; -1: none."""
    least = greatest = oldest = newest = -1
    low, high = math.inf, -math.inf
    for row in range(first, stop):
        x = result[row]
        if flag[row] >= below or math.isnan(x):
            continue
        if oldest < 0:
            oldest = row
        newest = row
        if x < low or least < 0:  # of equal ones the first stays
            least, low = row, x
        if x > high or greatest < 0:
            greatest, high = row, x
    return least, greatest, oldest, newest


@njit(nogil=True, error_model="numpy")
def _add(
    result: NDArray[np.float64],
    flag: NDArray[np.int8],
    censored: NDArray[np.int8],
    first: int,
    stop: int,
    counts: NDArray[np.int32],
    sums: NDArray[np.float64],
) -> None:
    """Count rows by flag; count and add what means are formed of."""
    # Good rows, nearly all there are, are counted and added in registers; in the order of the rows, as the others are.
    n, total = 0, 0.0
    for row in range(first, stop):
        of, x = flag[row], result[row]
        if of == 0 and censored[row] == 0 and not math.isnan(x):
            n += 1
            total += x
            continue
        counts[of] += 1
        if of >= _FAIL or math.isnan(x):
            continue
        which = 1 if of == _SUSPECT else 0
        if which == 0:
            total += x
        else:
            sums[_SUMS_A_CLASS] += x
        counts[_FLAGS + which * _BY_CLASS] += 1
        if censored[row] < 0:
            counts[_FLAGS + which * _BY_CLASS + 1] += 1
            sums[which * _SUMS_A_CLASS + 1] += x
        elif censored[row] > 0:
            counts[_FLAGS + which * _BY_CLASS + 2] += 1
    counts[0] += n
    counts[_FLAGS] += n
    sums[0] += total


@njit(nogil=True, error_model="numpy")
def _add_of_kind(
    result: NDArray[np.float64], flag: NDArray[np.int8], first: int, stop: int, kind: int, sums: NDArray[np.float64]
) -> None:
    """Add what the mean of a kind is formed of beside the values themselves."""
    for row in range(first, stop):
        x = result[row]
        if flag[row] >= _FAIL or math.isnan(x):
            continue
        total = _SUMS_A_CLASS if flag[row] == _SUSPECT else 0
        if kind == HYDROGEN_ION:
            sums[total + 2] += 10.0**-x
        else:
            sums[total + 2] += math.sin(x * _RADIANS)
            sums[total + 3] += math.cos(x * _RADIANS)


@njit(nogil=True, error_model="numpy")
def _add_uncertainty(
    result: NDArray[np.float64],
    flag: NDArray[np.int8],
    censored: NDArray[np.int8],
    uncertainty: NDArray[np.float64],
    own: NDArray[np.float64],
    first: int,
    stop: int,
    kind: int,
    counts: NDArray[np.int32],
    sums: NDArray[np.float64],
) -> None:
    """Add what the uncertainty of a mean is formed of; that of a value below or above the measurable is not known."""
    for row in range(first, stop):
        x, u = result[row], uncertainty[row]
        if flag[row] >= _FAIL or math.isnan(x) or not u >= 0.0 or censored[row] != 0:
            continue
        which = 1 if flag[row] == _SUSPECT else 0
        weight = 10.0**-x if kind == HYDROGEN_ION else 1.0
        alone = min(own[row], u)
        counts[_FLAGS + which * _BY_CLASS + 3] += 1
        sums[which * _SUMS_A_CLASS + 4] += weight * math.sqrt(u * u - alone * alone)
        sums[which * _SUMS_A_CLASS + 5] += (weight * alone) ** 2


def _walk(
    starts: NDArray[np.int64],
    result: NDArray[np.float64],
    flag: NDArray[np.int8],
    censored: NDArray[np.int8],
    uncertainty: NDArray[np.float64],
    own: NDArray[np.float64],
    kind: int,
    counts: NDArray[np.int32],
    sums: NDArray[np.float64],
    places: NDArray[np.int64],
) -> None:
    for span in range(len(starts) - 1):
        first, stop = starts[span], starts[span + 1]
        _add(result, flag, censored, first, stop, counts[span], sums[span])
        if kind != NEITHER:
            _add_of_kind(result, flag, first, stop, kind, sums[span])
        if len(uncertainty) and kind != CIRCULAR:
            _add_uncertainty(result, flag, censored, uncertainty, own, first, stop, kind, counts[span], sums[span])
        least, greatest, oldest, newest = _extremes(result, flag, first, stop, _FAIL)
        places[span, _MIN], places[span, _MAX] = least, greatest
        places[span, _OLDEST], places[span, _NEWEST] = oldest, newest
        if counts[span, _FAIL] + counts[span, _FAIL + 1]:  # else they are the same
            least, greatest, oldest, newest = _extremes(result, flag, first, stop, _FLAGS)
        places[span, _LOWEST], places[span, _HIGHEST] = least, greatest


def _reads(dtype: types.Type) -> types.Array:
    return types.Array(dtype, 1, "C", readonly=True)


def _writes(dtype: types.Type) -> types.Array:
    return types.Array(dtype, 2, "C")


walk = njit(
    types.void(
        _reads(types.int64),  # starts: the first row of each span, and the number of rows
        _reads(types.float64),  # result, NaN where missing
        _reads(types.int8),  # flag: its place in COUNTS
        _reads(types.int8),  # censored
        _reads(types.float64),  # standard uncertainty, NaN where not known; none: of no row
        _reads(types.float64),  # the part of it that each row has for itself
        types.int64,  # kind
        _writes(types.int32),  # counts, a row a span, as COUNTS
        _writes(types.float64),  # sums, as SUMS
        _writes(types.int64),  # places: rows, as PLACES; -1 where there is none
    ),
    nogil=True,
    cache=True,
)(_walk)
