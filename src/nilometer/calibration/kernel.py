"""The compiled kernel of calibration: per row, find the calibration that held, apply it, carry its uncertainty.

Uncertainty after the GUM (JCGM 100:2008, eq. 13): for a polynomial u² = gᵀ V g + (dy/dx · u_reading)² + u_residual²,
g = (1, x, x², …), V the covariance of the coefficients. For a table the uncertainties of the two points are taken as
fully correlated (one reference made both), so the interpolated one lies between them. No flag is given and no raw
result changed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from nilometer.uncertainty.rounding import inlined, rounded, two_digits

__all__ = ["IDENTITY", "POLYNOMIAL", "TABLE", "apply_rows"]

IDENTITY: Final = 0
POLYNOMIAL: Final = 1
TABLE: Final = 2


def _digest() -> int:
    source = Path(__file__).with_name("rounding.py")
    text = source.read_bytes() if source.exists() else b""  # a frozen application has none
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


@inlined
def _polynomial(
    x: float,
    pool: NDArray[np.float64],
    at: int,
    size: int,
    spread: bool,  # noqa: FBT001 -- compiled code takes no keyword-only arguments
) -> tuple[float, float, float]:
    """Return value, slope and variance of a polynomial; at `at` stand its coefficients, then their covariance."""
    y, slope, variance = pool[at + size - 1], 0.0, 0.0
    for k in range(size - 2, -1, -1):
        slope = slope * x + y
        y = y * x + pool[at + k]
    if spread:
        left = 1.0
        for j in range(size):
            right = 1.0
            for k in range(size):
                variance += left * pool[at + size + j * size + k] * right
                right *= x
            left *= x
    return y, slope, variance


@inlined
def _table(x: float, pool: NDArray[np.float64], at: int, size: int) -> tuple[float, float, float]:
    """Return value, slope and variance between the points of a table; past its ends along its last lines."""
    lower, upper = 0, size - 1
    while upper - lower > 1:
        middle = (lower + upper) // 2
        if pool[at + 3 * middle] <= x:
            lower = middle
        else:
            upper = middle
    a, b = at + 3 * lower, at + 3 * upper
    share = (x - pool[a]) / (pool[b] - pool[a])
    slope = (pool[b + 1] - pool[a + 1]) / (pool[b] - pool[a])
    y = pool[b + 1] if share == 1.0 else pool[a + 1] + slope * (x - pool[a])
    u = pool[a + 2] * (1.0 - share) + pool[b + 2] * share
    return y, slope, u * u


@inlined
def _held(dates: NDArray[np.int64], first: int, count: int, time: int) -> int:
    """Return which of a Datastream's calibrations held at a time, the newest being asked first; -1: none."""
    for k in range(count - 1, -1, -1):
        if dates[first + k] <= time:
            return k
    return -1


@inlined
def _calibrated(
    x: float, c: int, forms: NDArray[np.int32], numbers: NDArray[np.float64], pool: NDArray[np.float64]
) -> tuple[float, float]:
    """Return result and uncertainty (NaN: not known) of a reading after calibration `c`."""
    x = x * numbers[c, 0] + numbers[c, 1]
    inside = numbers[c, 4] <= x <= numbers[c, 5]
    if not inside and forms[c, 3] != 0:
        return math.nan, math.nan
    y, slope, variance = x, 1.0, 0.0
    if forms[c, 0] == POLYNOMIAL:
        y, slope, variance = _polynomial(x, pool, forms[c, 1], forms[c, 2], forms[c, 4] != 0)
    elif forms[c, 0] == TABLE:
        y, slope, variance = _table(x, pool, forms[c, 1], forms[c, 2])
    y = y * numbers[c, 2] + numbers[c, 3]
    if forms[c, 5] == 0 or not inside:
        return y, math.nan
    reading = slope * numbers[c, 7]
    u = math.sqrt(max(variance, 0.0) + numbers[c, 6] * numbers[c, 6] + reading * reading) * abs(numbers[c, 2])
    if not 0.0 < u < math.inf:
        return y, (u if u == 0.0 else math.nan)
    u = two_digits(u)
    return rounded(y, u), u


def _apply(digest: int) -> Callable[..., None]:
    """Return the loop as source; `digest` is a closure cell, which is part of the key of Numba's cache."""

    def apply_rows(
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        raw: NDArray[np.float64],
        lookup: NDArray[np.int32],
        streams: NDArray[np.int32],
        plain: NDArray[np.float64],
        dates: NDArray[np.int64],
        forms: NDArray[np.int32],
        numbers: NDArray[np.float64],
        pool: NDArray[np.float64],
        result: NDArray[np.float64],
        uncertainty: NDArray[np.float64],
        applied: NDArray[np.int32],
    ) -> None:
        for i in range(raw.size if digest >= 0 else 0):
            x, d = raw[i], datastream[i]
            result[i], uncertainty[i], applied[i] = x, math.nan, -1
            s = lookup[d] if 0 <= d < lookup.size else -1
            if s < 0:
                continue
            row = _held(dates, streams[s, 0], streams[s, 1], time[i])
            applied[i] = row
            if row >= 0 and math.isfinite(x):
                result[i], uncertainty[i] = _calibrated(x, streams[s, 0] + row, forms, numbers, pool)
            elif row < 0 and (plain[s, 0] != 1.0 or plain[s, 1] != 0.0):
                result[i] = x * plain[s, 0] + plain[s, 1]

    return apply_rows


def _reads(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


def _writes(dtype: types.Type, dimensions: int = 1) -> types.Array:
    return types.Array(dtype, dimensions, "C")


apply_rows = njit(
    types.void(
        _reads(types.int32),  # datastream
        _reads(types.int64),  # time
        _reads(types.float64),  # raw
        _reads(types.int32),  # lookup
        _reads(types.int32, 2),  # streams: first calibration, their number
        _reads(types.float64, 2),  # plain: scale and offset without a calibration
        _reads(types.int64),  # dates
        _reads(types.int32, 2),  # forms: kind, place in pool, size, missing outside, has its own spread, is uncertain
        _reads(types.float64, 2),  # numbers: in scale, in offset, out scale, out offset, low, high, residual, reading
        _reads(types.float64),  # pool
        _writes(types.float64),  # result
        _writes(types.float64),  # uncertainty
        _writes(types.int32),  # applied
    ),
    nogil=True,
    cache=True,
)(_apply(_digest()))
