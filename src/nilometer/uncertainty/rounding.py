"""Digits that mean nothing are not stored: the rounding rule of a result with its uncertainty.

u to two significant digits, and the result to a power of ten not above u/100, so that rounding adds at most half a
percent of u. Both come out as the float64 nearest to the short decimal, which compresses well and reads well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["inlined", "round_all", "round_to", "rounded", "shortened", "two_digits"]

F = TypeVar("F", bound=Callable[..., object])

# Exact in float64, so that dividing by one gives the float64 nearest to the decimal.
_POWERS: NDArray[np.float64] = np.array([float(10**k) for k in range(23)])
_LARGEST = 22


def inlined(function: F) -> F:
    """Return the function compiled without the interpreter lock, for the kernel to call."""
    return cast("F", njit(nogil=True, forceinline=True, error_model="numpy")(function))


@inlined
def _exponent(x: float) -> int:
    """Return the exponent of the first digit of a positive number."""
    # From the binary exponent, which names the decimal one or that below it: a tenth of the cost of a logarithm.
    binary = (np.float64(x).view(np.int64) >> 52) - 1023
    e = int((binary * 1233) >> 12)
    if -_LARGEST <= e < _LARGEST:
        reached = x >= _POWERS[e + 1] if e >= 0 else x * _POWERS[-e - 1] >= 1.0
        return e + 1 if reached else e
    return math.floor(math.log10(x))


@inlined
def round_to(x: float, exponent: int) -> float:
    """Return x rounded (half to even) to a multiple of 10**exponent; unchanged where float64 holds no more digits."""
    if exponent < 0:
        if exponent < -_LARGEST:
            return x
        shifted = x * _POWERS[-exponent]
        if abs(shifted) >= 9007199254740992.0:
            return x
        return float(np.rint(shifted) / _POWERS[-exponent])
    if exponent > _LARGEST:
        return x
    return float(np.rint(x / _POWERS[exponent]) * _POWERS[exponent])


@inlined
def two_digits(u: float) -> float:
    """Return a positive uncertainty rounded to two significant digits."""
    return round_to(u, _exponent(u) - 1)


@inlined
def rounded(x: float, u: float) -> float:
    """Return a result rounded to a power of ten not above u/100, for an uncertainty that `two_digits` gave."""
    return round_to(x, _exponent(u) - 2)


@inlined
def shortened(x: float, u: float) -> tuple[float, float]:
    """Return a result and its uncertainty with the digits that mean something; not 0 < u < ∞: both as they are."""
    if not 0.0 < u < math.inf:
        return x, (u if u == 0.0 else math.nan)
    e = _exponent(u)
    if not -_LARGEST < e - 1 <= e + 1 < _LARGEST:
        u = two_digits(u)
        return rounded(x, u), u
    # As above, but the first digit of the rounded u follows from its two digits: 0.0996 has become 0.10.
    if e < 1:
        digits = np.rint(u * _POWERS[1 - e])
        u = digits / _POWERS[1 - e]
    else:
        digits = np.rint(u / _POWERS[e - 1])
        u = digits * _POWERS[e - 1]
    return round_to(x, e - 1 if digits >= 100.0 else e - 2), u


@njit(nogil=True, cache=True, error_model="numpy")
def round_all(result: NDArray[np.float64], uncertainty: NDArray[np.float64]) -> None:
    """Shorten results and their uncertainties in place; what is exact or not known stays as it is."""
    for i in range(len(result)):
        result[i], uncertainty[i] = shortened(result[i], uncertainty[i])
