"""Compiled sums behind Allan deviations: phase of a series, and squares of its differences.

Differences are walked in blocks and all factors share a block while it is in the cache. Of rates no phase is kept: near
factors follow the running sum in a window, and far ones have it made again in lanes, so that a long series is read
twice and nothing is written. Nothing here knows of time or units.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "LANE",
    "accumulate",
    "squares_in_lanes",
    "squares_in_window",
    "squares_of_means",
    "squares_overlapping",
    "squares_stepping",
]

Floats = NDArray[np.float64]

LANE: Final = 2048
"""Of how many values each the running sum is noted: what a far factor has to be a multiple of."""
_BLOCK: Final = 4096
_WINDOWS: Final = 8  # what a window holds over what it needs: it is moved seldom, and stays in the cache
_STRETCH: Final = 16
_REORDERED = {"reassoc", "nsz", "contract"}  # a sum of squares may be added in any order: that makes it a vector's


@njit(nogil=True, cache=True, error_model="numpy")
def accumulate(values: Floats, centre: float, out: Floats, begin: int, stop: int, state: Floats) -> None:
    """Write the running sum of ``values − centre`` from `begin` to `stop` into `out`, one element further.

    Compensated: a stretch is added up by itself, and what its addition to the sum before rounds away is kept apart
    (Knuth's two-sum). So the error of an element is that of storing it, however long the series is; and stretches do
    not wait for each other. `state` holds the sum so far and what it lost.
    """
    total = state[0]
    lost = state[1]
    for first in range(begin, stop, _STRETCH):
        part = 0.0
        for i in range(first, min(first + _STRETCH, stop)):
            part += values[i] - centre
            out[i + 1] = total + (part + lost)
        after = total + part
        kept = after - total
        lost += (total - (after - kept)) + (part - kept)
        total = after
    state[0] = total
    state[1] = lost


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def _second(a: Floats, b: Floats, c: Floats) -> float:
    total = 0.0
    for i in range(len(a)):
        apart = (c[i] - b[i]) - (b[i] - a[i])
        total += apart * apart
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def _third(a: Floats, b: Floats, c: Floats, d: Floats) -> float:
    total = 0.0
    for i in range(len(a)):
        apart = (d[i] - a[i]) - 3.0 * (c[i] - b[i])
        total += apart * apart
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def _four_octaves(
    a: Floats, b: Floats, c: Floats, d: Floats, e: Floats, f: Floats
) -> tuple[float, float, float, float]:
    """Return the sums of second differences of m, 2m, 4m and 8m: they share four of their six columns."""
    one = two = four = eight = 0.0
    for i in range(len(a)):
        here = a[i]
        to_b, to_c, to_d, to_e = b[i] - here, c[i] - here, d[i] - here, e[i] - here
        apart = to_c - 2.0 * to_b
        one += apart * apart
        apart = to_d - 2.0 * to_c
        two += apart * apart
        apart = to_e - 2.0 * to_d
        four += apart * apart
        apart = (f[i] - here) - 2.0 * to_e
        eight += apart * apart
    return one, two, four, eight


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def _eight_octaves(
    a: Floats,
    b: Floats,
    c: Floats,
    d: Floats,
    e: Floats,
    f: Floats,
    v: Floats,
    w: Floats,
    x: Floats,
    y: Floats,
    z: Floats,
) -> tuple[float, float, float, float, float, float, float, float]:
    """Return those of `_four_octaves` for two m at once: what one waits for from a slower cache the other fills."""
    one = two = four = eight = far_one = far_two = far_four = far_eight = 0.0
    for i in range(len(a)):
        here = a[i]
        to_b, to_c, to_d, to_e = b[i] - here, c[i] - here, d[i] - here, e[i] - here
        apart = to_c - 2.0 * to_b
        one += apart * apart
        apart = to_d - 2.0 * to_c
        two += apart * apart
        apart = to_e - 2.0 * to_d
        four += apart * apart
        apart = (f[i] - here) - 2.0 * to_e
        eight += apart * apart
        to_b, to_c, to_d, to_e = v[i] - here, w[i] - here, x[i] - here, y[i] - here
        apart = to_c - 2.0 * to_b
        far_one += apart * apart
        apart = to_d - 2.0 * to_c
        far_two += apart * apart
        apart = to_e - 2.0 * to_d
        far_four += apart * apart
        apart = (z[i] - here) - 2.0 * to_e
        far_eight += apart * apart
    return one, two, four, eight, far_one, far_two, far_four, far_eight


@njit(nogil=True, cache=True, error_model="numpy")
def _are_octaves(factors: NDArray[np.int64], j: int) -> bool:
    m = factors[j]
    return j + 3 < len(factors) and factors[j + 1] == 2 * m and factors[j + 2] == 4 * m and factors[j + 3] == 8 * m


@njit(nogil=True, cache=True, error_model="numpy")
def _squares_of_block(
    phase: Floats, factors: NDArray[np.int64], order: int, begin: int, stop: int, out: Floats
) -> None:
    n = len(phase)
    j = 0
    last = len(factors)
    while j < last:
        m = factors[j]
        p = factors[last - 4] if last - j >= 8 else 0
        if order == 2 and p and stop + 16 * p <= n and _are_octaves(factors, j) and _are_octaves(factors, last - 4):
            both = _eight_octaves(
                phase[begin:stop],
                phase[begin + m : stop + m],
                phase[begin + 2 * m : stop + 2 * m],
                phase[begin + 4 * m : stop + 4 * m],
                phase[begin + 8 * m : stop + 8 * m],
                phase[begin + 16 * m : stop + 16 * m],
                phase[begin + p : stop + p],
                phase[begin + 2 * p : stop + 2 * p],
                phase[begin + 4 * p : stop + 4 * p],
                phase[begin + 8 * p : stop + 8 * p],
                phase[begin + 16 * p : stop + 16 * p],
            )
            last -= 4
            for octave in range(4):
                out[j + octave] += both[octave]
                out[last + octave] += both[4 + octave]
            j += 4
            continue
        end = min(stop, n - order * m)
        a = phase[begin:end]
        b = phase[begin + m : end + m]
        c = phase[begin + 2 * m : end + 2 * m]
        if order == 2 and j + 4 <= last and _are_octaves(factors, j) and end + 16 * m <= n:
            d = phase[begin + 4 * m : end + 4 * m]
            e = phase[begin + 8 * m : end + 8 * m]
            sums = _four_octaves(a, b, c, d, e, phase[begin + 16 * m : end + 16 * m])
            for octave in range(4):
                out[j + octave] += sums[octave]
            j += 4
            continue
        if end > begin and order == 2:
            out[j] += _second(a, b, c)
        elif end > begin:
            out[j] += _third(a, b, c, phase[begin + 3 * m : end + 3 * m])
        j += 1


@njit(nogil=True, cache=True, error_model="numpy")
def squares_overlapping(
    phase: Floats, factors: NDArray[np.int64], order: int, step: int, first: int, stop: int, out: Floats
) -> None:
    """Add to `out` the squared differences, of order 2 or 3 and every factor, that begin at `first` to `stop`.

    And those that begin any number of `step` later: where all factors are multiples of it, blocks so far apart are
    the partners of each other, and one reading of them serves every factor.
    """
    n = len(phase)
    for lane in range(first, stop, _BLOCK):
        width = min(_BLOCK, stop - lane)
        for begin in range(lane, n, step):
            _squares_of_block(phase, factors, order, begin, min(begin + width, n), out)


@njit(nogil=True, cache=True, error_model="numpy")
def squares_in_window(
    values: Floats, centre: float, factors: NDArray[np.int64], order: int, sums: Floats, out: Floats
) -> float:
    """Add to `out` the squared differences of the phase of rates, as squares_overlapping has them; return its end.

    The running sum before each `LANE` values, and what it lost, go into `sums`, of shape (lanes, 2).
    """
    n = len(values)
    reach = 0
    for j in range(len(factors)):
        reach = max(reach, order * factors[j])
    window = np.empty(min(_WINDOWS * (reach + 2 * _BLOCK), n + 1 + _BLOCK))
    window[0] = 0.0
    state = np.zeros(2)
    base = done = 0
    for begin in range(0, n, _BLOCK):
        stop = min(begin + _BLOCK, n)
        if stop - base >= len(window):
            kept = begin + 1 - done
            window[:kept] = window[done - base : begin + 1 - base]
            base = done
        for first in range(begin, stop, LANE):
            sums[first // LANE, 0] = state[0]
            sums[first // LANE, 1] = state[1]
            accumulate(values[first:], centre, window[first - base :], 0, min(LANE, stop - first), state)
        if done + _BLOCK + reach <= stop:
            _squares_of_block(window[: stop + 1 - base], factors, order, done - base, done + _BLOCK - base, out)
            done += _BLOCK
    if n % LANE == 0:
        sums[n // LANE, 0] = state[0]
        sums[n // LANE, 1] = state[1]
    for begin in range(done, n + 1, _BLOCK):
        _squares_of_block(window[: n + 1 - base], factors, order, begin - base, min(begin + _BLOCK, n + 1) - base, out)
    return float(window[n - base])


@njit(nogil=True, cache=True, error_model="numpy")
def squares_in_lanes(
    values: Floats, centre: float, factors: NDArray[np.int64], order: int, step: int, sums: Floats, out: Floats
) -> None:
    """Add to `out` what `squares_in_window` does, of factors that are multiples of `step`, and it one of `LANE`.

    Stretches of `LANE` values a step apart are partners of each other alone: their phase is made from the `sums`
    before them, one behind the other, and is gone when the next lane comes.
    """
    n = len(values)
    lane = np.empty((n // step + 1) * LANE)
    state = np.zeros(2)
    near = factors // step * LANE
    for first in range(0, min(step, n + 1), LANE):
        filled = 0
        for begin in range(first, n + 1, step):
            stop = min(begin + LANE, n + 1)
            state[0] = sums[begin // LANE, 0]
            state[1] = sums[begin // LANE, 1]
            lane[filled] = state[0] + state[1]
            accumulate(values[begin:], centre, lane[filled:], 0, stop - begin - 1, state)
            filled += stop - begin
        for begin in range(0, filled, _BLOCK):
            _squares_of_block(lane[:filled], near, order, begin, min(begin + _BLOCK, filled), out)


@njit(nogil=True, cache=True, error_model="numpy")
def squares_stepping(phase: Floats, m: int, order: int) -> float:
    """Return the sum of squared differences of one factor that do not overlap."""
    total = 0.0
    for i in range(0, len(phase) - order * m, m):
        if order == 2:
            apart = (phase[i + 2 * m] - phase[i + m]) - (phase[i + m] - phase[i])
        else:
            apart = (phase[i + 3 * m] - phase[i]) - 3.0 * (phase[i + 2 * m] - phase[i + m])
        total += apart * apart
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def squares_of_means(phase: Floats, m: int) -> float:
    """Return the sum of squared means of `m` neighbouring second differences: the modified Allan deviation's."""
    n = len(phase)
    if n < 3 * m:
        return 0.0
    window = 0.0
    lost = 0.0
    for i in range(m):
        window += (phase[i + 2 * m] - phase[i + m]) - (phase[i + m] - phase[i])
    total = (window / m) ** 2
    for i in range(n - 3 * m):
        step = (phase[i + 3 * m] - phase[i]) - 3.0 * (phase[i + 2 * m] - phase[i + m])
        after = window + step
        part = after - window
        lost += (window - (after - part)) + (step - part)
        window = after
        total += ((window + lost) / m) ** 2
    return total
