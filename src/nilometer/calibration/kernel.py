"""The compiled kernel of calibration: per row, find the calibration that held, apply it, carry its uncertainty.

Uncertainty after the GUM (JCGM 100:2008, eq. 13):
u² = gᵀ V g + (∂y/∂T · u_T)² + u_residual² + (∂y/∂x · u_reading)², g the derivatives by the coefficients and V their
covariance, T a temperature. The reading, the temperature and the coefficients are taken as uncorrelated. The last term
is the random part, which averages down; the others are the calibration's, which all rows share. No flag is given and
no raw result changed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from nilometer.calibration import forms, shapes
from nilometer.calibration.forms import ION, NERNST, POLYNOMIAL, QUENCHING, RANGES, TABLE
from nilometer.calibration.shapes import electrode, polynomial, quenching, ranges, table
from nilometer.uncertainty import rounding
from nilometer.uncertainty.rounding import inlined, shortened

__all__ = ["apply_rows"]

_ALWAYS = int(np.iinfo(np.int64).min)
_FOREVER = int(np.iinfo(np.int64).max)


def _digest() -> int:
    sources = [Path(module.__file__ or "") for module in (forms, rounding, shapes)]
    text = b"".join(source.read_bytes() for source in sources if source.is_file())  # a frozen application has none
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


@inlined
def _held(dates: NDArray[np.int64], first: int, count: int, time: int) -> int:
    """Return which of a Datastream's calibrations held at a time, the newest being asked first; -1: none."""
    for k in range(count - 1, -1, -1):
        if dates[first + k] <= time:
            return k
    return -1


@inlined
def _spreads(
    slope: float, warm: float, variance: float, spread: float, residual: float, reading: float
) -> tuple[float, float]:
    """Return the variance of the calibration's part and of the random part; NaN: not known."""
    shift, own = warm * spread, slope * reading
    if math.isnan(variance):
        return math.nan, own * own
    return max(variance, 0.0) + shift * shift + residual * residual, own * own


def _apply(digest: int) -> Callable[..., None]:  # noqa: C901, PLR0915 -- see apply_rows
    """Return the loop as source; `digest` is a closure cell, which is part of the key of Numba's cache."""

    # One function: arrays that are handed two functions down cost locks, in each row.
    def apply_rows(  # noqa: C901, PLR0912, PLR0915
        datastream: NDArray[np.int32],
        time: NDArray[np.int64],
        raw: NDArray[np.float64],
        companion: NDArray[np.float64],
        companion_uncertainty: NDArray[np.float64],
        lookup: NDArray[np.int32],
        streams: NDArray[np.int32],
        plain: NDArray[np.float64],
        dates: NDArray[np.int64],
        order: NDArray[np.int32],
        forms: NDArray[np.int32],
        numbers: NDArray[np.float64],
        pool: NDArray[np.float64],
        result: NDArray[np.float64],
        uncertainty: NDArray[np.float64],
        random: NDArray[np.float64],
        applied: NDArray[np.int32],
    ) -> None:
        accompanied, split = companion.size == raw.size, random.size == raw.size
        s, first, row, c = -1, 0, -1, 0
        known, since, until = -1, 0, 0
        for i in range(raw.size if digest >= 0 else 0):
            x, d = raw[i], datastream[i]
            result[i], uncertainty[i], applied[i] = x, math.nan, -1
            # History comes in rows of one Datastream, where the calibration of the row before mostly holds.
            if d != known or not since <= time[i] < until:
                known, since, until, row = d, _ALWAYS, _FOREVER, -1
                s = lookup[d] if 0 <= d < lookup.size else -1
                if s >= 0:
                    first = streams[s, 0]
                    row = _held(dates, first, streams[s, 1], time[i])
                    c = first + row
                    since = dates[c] if row >= 0 else since
                    until = dates[c + 1] if row + 1 < streams[s, 1] else until
            if s < 0:
                continue
            if row < 0:
                if plain[s, 0] != 1.0 or plain[s, 1] != 0.0:
                    result[i] = x * plain[s, 0] + plain[s, 1]
                continue
            applied[i] = order[c]
            if not math.isfinite(x):
                continue
            x = x * numbers[c, 0] + numbers[c, 1]
            inside = numbers[c, 4] <= x <= numbers[c, 5]
            if not inside and forms[c, 3] != 0:
                result[i] = math.nan
                continue
            temperature, spread = numbers[c, 8], numbers[c, 9]
            if accompanied and forms[c, 6] != 0 and math.isfinite(companion[i]):
                temperature = companion[i]
                spread = companion_uncertainty[i] if companion_uncertainty[i] >= 0.0 else spread
            kind, at, size = forms[c, 0], forms[c, 1], forms[c, 2]
            y, slope, warm, variance = x, 1.0, 0.0, 0.0
            if kind == POLYNOMIAL:
                y, slope, variance = polynomial(x, pool, at, size, forms[c, 4] != 0)
            elif kind == TABLE:
                y, slope, variance = table(x, pool, at, size)
            elif kind in (NERNST, ION):
                y, slope, warm, variance = electrode(x, temperature, pool, at, kind == ION)
            elif kind == QUENCHING:
                y, slope, warm, variance = quenching(x, temperature, pool, at, size)
            elif kind == RANGES:
                y, slope, variance = ranges(x, pool, at, size, forms[c, 4])
            y = y * numbers[c, 2] + numbers[c, 3]
            shared, own = math.nan, math.nan
            if forms[c, 5] != 0 and inside:
                shared, own = _spreads(slope, warm, variance, spread, numbers[c, 6], numbers[c, 7])
            scale = abs(numbers[c, 2])
            if split:
                result[i], uncertainty[i], random[i] = y, math.sqrt(shared) * scale, math.sqrt(own) * scale
            else:
                result[i], uncertainty[i] = shortened(y, math.sqrt(shared + own) * scale)

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
        _reads(types.float64),  # companion, or nothing
        _reads(types.float64),  # companion_uncertainty
        _reads(types.int32),  # lookup
        _reads(types.int32, 2),  # streams: first calibration, their number
        _reads(types.float64, 2),  # plain: scale and offset without a calibration
        _reads(types.int64),  # dates
        _reads(types.int32),  # order: the number under which each was given
        # forms: kind, place in pool, size, missing outside, spread or overlap, is uncertain, asks for a companion
        _reads(types.int32, 2),
        # numbers: in scale, in offset, out scale, out offset, low, high, residual, reading, temperature and its own
        _reads(types.float64, 2),
        _reads(types.float64),  # pool
        _writes(types.float64),  # result
        _writes(types.float64),  # uncertainty; that of the calibration's part where `random` is asked for
        _writes(types.float64),  # random: the random part, and nothing is rounded; or nothing
        _writes(types.int32),  # applied
    ),
    nogil=True,
    cache=True,
    error_model="numpy",
)(_apply(_digest()))
