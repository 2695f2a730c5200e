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
from typing import TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from nilometer.calibration import forms, shapes
from nilometer.calibration.forms import IDENTITY, ION, KELVIN, POLYNOMIAL, QUENCHING, RANGES, TABLE
from nilometer.calibration.shapes import antilogarithm, electrode, one_site, polynomial, quenching, ranges, table
from nilometer.uncertainty import rounding
from nilometer.uncertainty.rounding import inlined, shortened

__all__ = ["apply_rows"]

F = TypeVar("F", bound=Callable[..., object])

_RUN = 1024  # rows of one calibration at a time: they stay in the cache while several loops go over them
_ALWAYS = int(np.iinfo(np.int64).min)
_FOREVER = int(np.iinfo(np.int64).max)


def _digest() -> int:
    sources = [Path(module.__file__ or "") for module in (forms, rounding, shapes)]
    text = b"".join(source.read_bytes() for source in sources if source.is_file())  # a frozen application has none
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def _woven(function: F) -> F:
    """Return the function as one whose text becomes part of its caller's: arrays handed two calls down cost locks."""
    return cast("F", njit(nogil=True, inline="always", error_model="numpy")(function))


@inlined
def _held(dates: NDArray[np.int64], first: int, count: int, time: int) -> int:
    """Return which of a Datastream's calibrations held at a time, the newest being asked first; -1: none."""
    for k in range(count - 1, -1, -1):
        if dates[first + k] <= time:
            return k
    return -1


@_woven
def _formed(  # noqa: C901, PLR0912 -- a loop for each form
    start: int,
    stop: int,
    c: int,
    raw: NDArray[np.float64],
    companion: NDArray[np.float64],
    companion_uncertainty: NDArray[np.float64],
    forms: NDArray[np.int32],
    numbers: NDArray[np.float64],
    pool: NDArray[np.float64],
    result: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> None:
    """Fill value, variance of the calibration's part and slope of rows that have calibration `c`, in its units.

    A loop for each form, with its coefficients at hand: the compiler makes vector code of the simple ones.
    """
    kind, at, size = forms[c, 0], forms[c, 1], forms[c, 2]
    scale, offset = numbers[c, 0], numbers[c, 1]
    temperature, spread = numbers[c, 8], numbers[c, 9]
    asks = forms[c, 6] != 0 and companion.size == raw.size
    if kind == IDENTITY:
        for i in range(start, stop):
            result[i], uncertainty[i], slopes[i - start] = raw[i] * scale + offset, 0.0, 1.0
    elif kind == POLYNOMIAL and size == 2:
        c0, c1, w0, w1, w2 = pool[at], pool[at + 1], pool[at + 2], pool[at + 3], pool[at + 4]
        for i in range(start, stop):
            x = raw[i] * scale + offset
            result[i], uncertainty[i], slopes[i - start] = c0 + c1 * x, w0 + x * (w1 + x * w2), c1
    elif kind == POLYNOMIAL:
        for i in range(start, stop):
            x = raw[i] * scale + offset
            result[i], slopes[i - start], uncertainty[i] = polynomial(x, pool, at, size)
    elif kind == TABLE:
        for i in range(start, stop):
            x = raw[i] * scale + offset
            result[i], slopes[i - start], uncertainty[i] = table(x, pool, at, size)
    elif kind == RANGES:
        for i in range(start, stop):
            x = raw[i] * scale + offset
            result[i], slopes[i - start], uncertainty[i] = ranges(x, pool, at, size, forms[c, 4])
    elif kind == QUENCHING and size == 2:
        what, x0, k, v00, v01, v11 = pool[at], pool[at + 2], pool[at + 3], pool[at + 8], pool[at + 9], pool[at + 11]
        for i in range(start, stop):
            x = raw[i] * scale + offset
            result[i], slopes[i - start], uncertainty[i] = one_site(x, what, x0, k, v00, v01, v11)
    elif kind == QUENCHING:
        for i in range(start, stop):
            t, u = temperature, spread
            if asks and math.isfinite(companion[i]):
                t = companion[i]
                u = companion_uncertainty[i] if companion_uncertainty[i] >= 0.0 else spread
            y, slope, warm, variance = quenching(raw[i] * scale + offset, t, pool, at, size)
            result[i], slopes[i - start], uncertainty[i] = y, slope, variance + warm * warm * u * u
    else:
        level, each, c0, c1 = pool[at], pool[at + 1], pool[at + 2], pool[at + 3]
        v00, v01, v11 = pool[at + 4], pool[at + 5], pool[at + 7]
        if asks:
            for i in range(start, stop):
                there = math.isfinite(companion[i])
                t = companion[i] if there else temperature
                u = companion_uncertainty[i] if there and companion_uncertainty[i] >= 0.0 else spread
                y, slope, warm, variance = electrode(
                    raw[i] * scale + offset, t + KELVIN, level, each, c0, c1, v00, v01, v11
                )
                result[i], slopes[i - start], uncertainty[i] = y, slope, variance + warm * warm * u * u
        else:
            for i in range(start, stop):
                y, slope, warm, variance = electrode(
                    raw[i] * scale + offset, temperature + KELVIN, level, each, c0, c1, v00, v01, v11
                )
                result[i], slopes[i - start], uncertainty[i] = y, slope, variance + warm * warm * spread * spread
        if kind == ION:
            for i in range(start, stop):
                y, slope, _, variance = antilogarithm(result[i], slopes[i - start], 0.0, uncertainty[i])
                result[i], slopes[i - start], uncertainty[i] = y, slope, variance


@_woven
def _finished(
    start: int,
    stop: int,
    c: int,
    raw: NDArray[np.float64],
    forms: NDArray[np.int32],
    numbers: NDArray[np.float64],
    slopes: NDArray[np.float64],
    result: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    random: NDArray[np.float64],
) -> None:
    """Bring values to the Datastream's unit, and their uncertainty to one, or to both of its parts."""
    scale, offset, out_scale, out_offset = numbers[c, 0], numbers[c, 1], numbers[c, 2], numbers[c, 3]
    low, high, width = numbers[c, 4], numbers[c, 5], abs(numbers[c, 2])
    residual, reading = numbers[c, 6] * numbers[c, 6], numbers[c, 7] * numbers[c, 7]
    missing, certain = forms[c, 3] != 0, forms[c, 5] != 0
    split = random.size == raw.size
    for i in range(start, stop):
        x = raw[i] * scale + offset
        inside = low <= x <= high
        variance, slope = uncertainty[i], slopes[i - start]
        shared = (0.0 if variance < 0.0 else variance) + residual
        own = slope * slope * reading
        known = certain and inside
        if split:
            uncertainty[i] = math.sqrt(shared) * width if known else math.nan
            random[i] = math.sqrt(own) * width if known else math.nan
        else:
            uncertainty[i] = math.sqrt(shared + own) * width if known else math.nan
        y = math.nan if missing and not inside else result[i] * out_scale + out_offset
        # What is no number stays what it was.
        result[i] = y if math.isfinite(raw[i]) else raw[i]
    if not split:
        for i in range(start, stop):
            result[i], uncertainty[i] = shortened(result[i], uncertainty[i])


def _apply(digest: int) -> Callable[..., None]:
    """Return the loop as source; `digest` is a closure cell, which is part of the key of Numba's cache."""

    def apply_rows(
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
        slopes = np.empty(_RUN)
        start, count = 0, raw.size if digest >= 0 else 0
        while start < count:
            d = datastream[start]
            s = lookup[d] if 0 <= d < lookup.size else -1
            row, since, until, first = -1, _ALWAYS, _FOREVER, 0
            if s >= 0:
                first = streams[s, 0]
                row = _held(dates, first, streams[s, 1], time[start])
                since = dates[first + row] if row >= 0 else since
                until = dates[first + row + 1] if row + 1 < streams[s, 1] else until
            stop, last = start + 1, min(count, start + _RUN)
            while stop < last and datastream[stop] == d and since <= time[stop] < until:
                stop += 1
            c = first + row
            if row >= 0:
                applied[start:stop] = order[c]
                _formed(
                    start,
                    stop,
                    c,
                    raw,
                    companion,
                    companion_uncertainty,
                    forms,
                    numbers,
                    pool,
                    result,
                    uncertainty,
                    slopes,
                )
                _finished(start, stop, c, raw, forms, numbers, slopes, result, uncertainty, random)
            else:
                scale, offset = (plain[s, 0], plain[s, 1]) if s >= 0 else (1.0, 0.0)
                for i in range(start, stop):
                    result[i] = raw[i] if scale == 1.0 and offset == 0.0 else raw[i] * scale + offset
                    uncertainty[i], applied[i] = math.nan, -1
            start = stop

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
        # forms: kind, place in pool, size, missing outside, overlap, is uncertain, asks for a companion
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
