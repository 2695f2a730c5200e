"""Compiled loops over times and constituents: sums of turning vectors, and the columns that a fit needs.

Between two knots (some days apart) a constituent turns evenly and its nodal factor grows evenly, so that one step is
one multiplication; where the step changes, the vector is set anew from the knot. Nothing is known of tides here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["columns", "slopes", "sums"]


def _set(
    knot: NDArray[np.complex128], rate: NDArray[np.complex128], since: float, re: NDArray[np.float64],
    im: NDArray[np.float64],
) -> None:  # fmt: skip
    """Set the vectors: logarithm of each at the knot, plus its rate times the time since."""
    for k in range(len(knot)):
        log = knot[k] + rate[k] * since
        size = math.exp(log.real)
        re[k], im[k] = size * math.cos(log.imag), size * math.sin(log.imag)


_set_vectors = njit(nogil=True, cache=True, fastmath=True)(_set)


def _turn(
    re: NDArray[np.float64], im: NDArray[np.float64], step_re: NDArray[np.float64], step_im: NDArray[np.float64]
) -> float:
    """Turn all vectors by their steps; return the sum of their real parts."""
    total = 0.0
    for k in range(len(re)):
        east = re[k] * step_re[k] - im[k] * step_im[k]
        im[k] = re[k] * step_im[k] + im[k] * step_re[k]
        re[k] = east
        total += east
    return total


_turn_vectors = njit(nogil=True, cache=True, fastmath=True)(_turn)


def _sums(
    time: NDArray[np.int64],
    first: int,
    length: int,
    knots: NDArray[np.complex128],
    rates: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    n_k = knots.shape[1]
    re, im, step_re, step_im = np.empty(n_k), np.empty(n_k), np.empty(n_k), np.empty(n_k)
    block, step = -1, 0
    for row in range(len(time)):
        of = (time[row] - first) // length
        gap = time[row] - time[row - 1] if row else 0
        if of == block and gap == step and gap > 0:
            out[row] = _turn_vectors(re, im, step_re, step_im)
            continue
        since = float(time[row] - first - of * length)
        _set_vectors(knots[of], rates[of], since, re, im)
        total = 0.0
        for k in range(n_k):
            total += re[k]
        out[row] = total
        ahead = time[row + 1] - time[row] if row + 1 < len(time) else 0
        if of != block or ahead != step:
            block, step = of, ahead
            _set_vectors(np.zeros(n_k, np.complex128), rates[of], float(step), step_re, step_im)


def _columns(
    time: NDArray[np.int64],
    first: int,
    length: int,
    knots: NDArray[np.complex128],
    rates: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    n_k = knots.shape[1]
    re, im, step_re, step_im = np.empty(n_k), np.empty(n_k), np.empty(n_k), np.empty(n_k)
    block, step = -1, 0
    for row in range(len(time)):
        of = (time[row] - first) // length
        gap = time[row] - time[row - 1] if row else 0
        if of == block and gap == step and gap > 0:
            _turn_vectors(re, im, step_re, step_im)
        else:
            _set_vectors(knots[of], rates[of], float(time[row] - first - of * length), re, im)
            ahead = time[row + 1] - time[row] if row + 1 < len(time) else 0
            if of != block or ahead != step:
                block, step = of, ahead
                _set_vectors(np.zeros(n_k, np.complex128), rates[of], float(step), step_re, step_im)
        for k in range(n_k):
            out[row, k] = re[k]
            out[row, n_k + k] = im[k]


def _slopes(
    time: NDArray[np.float64],
    first: int,
    length: int,
    knots: NDArray[np.complex128],
    rates: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    for row in range(len(time)):
        of = int((time[row] - first) // length)
        since = time[row] - first - of * length
        for k in range(knots.shape[1]):
            log = knots[of, k] + rates[of, k] * since
            size, speed = math.exp(log.real), rates[of, k].imag
            re, im = size * math.cos(log.imag), size * math.sin(log.imag)
            out[0, row] += re
            out[1, row] -= speed * im
            out[2, row] -= speed * speed * re


sums = njit(nogil=True, cache=True)(_sums)
"""Of each time, the sum of the real parts: (time, first knot, time between knots, logarithms, rates, out)."""
columns = njit(nogil=True, cache=True)(_columns)
"""Of each time, the real parts and after them the imaginary parts."""
slopes = njit(nogil=True, cache=True)(_slopes)
"""Of each time (here a float), the sum of the real parts and its first two derivatives in time, added to out."""
