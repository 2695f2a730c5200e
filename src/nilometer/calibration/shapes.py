"""The forms of a calibration as compiled arithmetic: value, slopes and the variance that the coefficients leave.

Each takes a reading in the certificate's unit, and where it matters the temperature (degree_Celsius), and finds its
coefficients and their covariance V in a pool of numbers. Variance after the GUM (JCGM 100:2008, eq. 13): gᵀ V g, g the
derivatives of the value by the coefficients.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.forms import BLEND, PHASE, RATIO, UPPER
from nilometer.uncertainty.rounding import inlined

__all__ = ["antilogarithm", "electrode", "one_site", "polynomial", "quenching", "ranges", "table"]

_LN10 = math.log(10.0)
_DEGREE = math.pi / 180.0


@inlined
def polynomial(x: float, pool: NDArray[np.float64], at: int, size: int) -> tuple[float, float, float]:
    """Return value, slope and variance of a polynomial.

    At `at` stand its coefficients, then those of its variance, gᵀ V g with g = (1, x, x², …), itself a polynomial of x
    with 2 size - 1 of them.
    """
    y, slope = pool[at + size - 1], 0.0
    for k in range(size - 2, -1, -1):
        slope = slope * x + y
        y = y * x + pool[at + k]
    variance = 0.0
    for k in range(3 * size - 2, size - 1, -1):
        variance = variance * x + pool[at + k]
    return y, slope, variance


@inlined
def table(x: float, pool: NDArray[np.float64], at: int, size: int) -> tuple[float, float, float]:
    """Return value, slope and variance between the points of a table; past its ends along its last lines.

    The uncertainties of two points are taken as fully correlated (one reference made both).
    """
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
def electrode(
    x: float, kelvin: float, level: float, each: float, c0: float, c1: float, v00: float, v01: float, v11: float
) -> tuple[float, float, float, float]:
    """Return value, slope by reading and by temperature, and variance of a potentiometric electrode.

    ``x = c0 + c1 · each · T · (L - level)`` with T in kelvin and L the value: a pH, or the logarithm of an activity.
    """
    per_slope = each * kelvin  # of c1
    inverse = 1.0 / (c1 * per_slope)
    away = (x - c0) * inverse
    first, second = -inverse, -away * per_slope * inverse
    variance = first * first * v00 + 2.0 * first * second * v01 + second * second * v11
    return level + away, inverse, -away * c1 * each * inverse, variance


@inlined
def antilogarithm(level: float, slope: float, warm: float, variance: float) -> tuple[float, float, float, float]:
    """Return what has a decimal logarithm, with its slopes and its variance."""
    value = math.exp(level * _LN10)
    if not value < math.inf:
        return math.nan, math.nan, math.nan, math.nan
    grown = value * _LN10
    return value, slope * grown, warm * grown, variance * grown * grown


@inlined
def _signal(x: float, kind: float) -> tuple[float, float]:
    """Return what falls with the quencher, and its slope by the reading."""
    if kind == PHASE:
        tangent = math.tan(x * _DEGREE)
        return tangent, (1.0 + tangent * tangent) * _DEGREE
    if kind == RATIO:
        return 1.0 / x, -1.0 / (x * x)
    return x, 1.0


@inlined
def one_site(
    x: float, kind: float, x0: float, k: float, v00: float, v01: float, v11: float
) -> tuple[float, float, float]:
    """Return value, slope and variance of one site without temperature: p = (x0/signal - 1) / K, by one division."""
    signal, signal_slope = _signal(x, kind)
    if not signal > 0.0:
        return math.nan, math.nan, math.nan
    v = 1.0 / (signal * k)
    p = v * (x0 - signal)
    by_k = -p * signal * v
    return p, -x0 * v * v * k * signal_slope, v * v * v00 + by_k * (2.0 * v * v01 + by_k * v11)


@inlined
def quenching(
    x: float, temperature: float, pool: NDArray[np.float64], at: int, size: int
) -> tuple[float, float, float, float]:
    """Return value, slope by reading and by temperature, and variance of quenched luminescence (Stern and Volmer).

    ``r = f / (1 + K1 p) + (1 - f) / (1 + K2 p)``, r being the signal over that without quencher: p follows from a
    quadratic equation, its derivatives from those of both sides. At `at` stand what the reading is, the reference
    temperature, x0, K1, a, b, f, K2 and V, `size` square, of the first `size` of these six. x0 grows by the share a,
    K1 and K2 by the share b with each kelvin. Where there is no r > 0, there is no value.
    """
    signal, signal_slope = _signal(x, pool[at])
    warmer = temperature - pool[at + 1]
    x0, k1, a, b, f, k2 = pool[at + 2], pool[at + 3], pool[at + 4], pool[at + 5], pool[at + 6], pool[at + 7]
    faded, grown = 1.0 + a * warmer, 1.0 + b * warmer
    q1, q2 = k1 * grown, k2 * grown
    if not signal * faded > 0.0:
        return math.nan, math.nan, math.nan, math.nan
    c = at + 8
    r = signal / (x0 * faded)
    half = r * (q1 + q2) - f * q2 - (1.0 - f) * q1
    root = half * half + 4.0 * r * q1 * q2 * (1.0 - r)
    if not root >= 0.0:
        return math.nan, math.nan, math.nan, math.nan
    p = 2.0 * (1.0 - r) / (half + math.sqrt(root))
    d1, d2 = 1.0 / (1.0 + q1 * p), 1.0 / (1.0 + q2 * p)
    by_q1, by_q2 = -f * p * d1 * d1, -(1.0 - f) * p * d2 * d2
    by_p = -1.0 / (f * q1 * d1 * d1 + (1.0 - f) * q2 * d2 * d2)
    by_b = by_q1 * k1 + by_q2 * k2
    slope = by_p * signal_slope / (x0 * faded)
    warm = by_p * (-r * a / faded - by_b * b)
    g = (
        -by_p * r / x0,
        -by_p * by_q1 * grown,
        -by_p * r * warmer / faded,
        -by_p * by_b * warmer,
        -by_p * (d1 - d2),
        -by_p * by_q2 * grown,
    )
    variance = 0.0
    for j in range(size):
        row = c + j * size
        part = 0.5 * g[j] * pool[row + j]
        for k in range(j):
            part += g[k] * pool[row + k]
        variance += 2.0 * g[j] * part
    return p, slope, warm, variance


@inlined
def ranges(x: float, pool: NDArray[np.float64], at: int, count: int, overlap: int) -> tuple[float, float, float]:
    """Return value, slope and variance of polynomials with a range each; past the ends those of the outer ones.

    At `at` stands, per range by rising reading, [its lower end, its upper end, what the fit leaves (NaN: its spread
    is not known), the number of coefficients, these and those of the
    variance as for `polynomial`]. Where two ranges overlap: that of the lower,
    of the upper, or a blend that goes from the lower to the upper along a straight line, whose uncertainties are taken
    as fully correlated (the same standards made both).
    """
    here, after, seen = at, -1, 0
    while seen < count - 1:
        size = int(pool[here + 3])
        following = here + 3 + 3 * size
        if x < pool[following] or (overlap != UPPER and x <= pool[here + 1]):
            if overlap == BLEND and x > pool[following]:
                after = following
            break
        here = following
        seen += 1
    size = int(pool[here + 3])
    y, slope, variance = polynomial(x, pool, here + 4, size)
    variance += pool[here + 2] * pool[here + 2]
    if after < 0:
        return y, slope, variance
    size = int(pool[after + 3])
    other, other_slope, other_variance = polynomial(x, pool, after + 4, size)
    other_variance += pool[after + 2] * pool[after + 2]
    width = pool[here + 1] - pool[after]
    share = (x - pool[after]) / width
    u = (1.0 - share) * math.sqrt(max(variance, 0.0)) + share * math.sqrt(max(other_variance, 0.0))
    return (
        (1.0 - share) * y + share * other,
        (1.0 - share) * slope + share * other_slope + (other - y) / width,
        u * u,
    )
