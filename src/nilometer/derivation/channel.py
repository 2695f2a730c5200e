"""Discharge of uniform flow in open channels from the depth: Manning and Chézy.

The slope is that of the energy; the floor's stands for it where the flow is uniform. Roughness decides the result and
is seldom known better than to 10 %: give its uncertainty.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["chezy_trapezoidal", "manning", "manning_circular", "manning_trapezoidal"]

DEPTH: Final = Input("m", 0.0, 50.0, scale=0.5, typical=1.2)
WIDTH: Final = Input("m", 0.0, 2_000.0, scale=1.0, typical=3.0)
SIDE: Final = Input("1", 0.0, 20.0, default=0.0, scale=1.0, typical=1.5)
SLOPE: Final = Input("1", 0.0, 0.2, scale=0.001, typical=0.001)
ROUGHNESS: Final = Input("1", 0.005, 0.3, scale=0.01, typical=0.03)


@njit(error_model="numpy")
def _manning(area: float, wetted: float, slope: float, n: float) -> float:
    if area <= 0.0 or slope < 0.0:
        return 0.0 if area == 0.0 else math.nan
    root = np.cbrt(area / wetted)
    return area * root * root * math.sqrt(slope) / n


@njit(error_model="numpy")
def _trapezoid(depth: float, b: float, m: float) -> tuple[float, float]:
    return depth * (b + m * depth), b + 2.0 * depth * math.sqrt(1.0 + m * m)


@function(
    area=Input("m2", 0.0, 100_000.0, scale=1.0, typical=5.0),
    wetted_perimeter=Input("m", 0.001, 5_000.0, scale=1.0, typical=7.0),
    slope=SLOPE,
    roughness=ROUGHNESS,
    unit="m3 s-1",
)
def manning(area: float, wetted_perimeter: float, slope: float, roughness: float) -> float:
    """Return the discharge of uniform flow in a section of any shape by Manning's formula.

    Parameters
    ----------
    area : array_like, shape (n,)
        Of the flow, m2, 0 to 100000.
    wetted_perimeter : array_like, shape (n,)
        m, 0.001 to 5000.
    slope : array_like, shape (n,)
        Of the energy, 1, 0 to 0.2.
    roughness : array_like, shape (n,)
        Manning's n in SI (s m-1/3), 0.005 to 0.3: the same number as in feet.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Manning: Q = A R^(2/3) S^(1/2) / n, R = A/P. ISO 1070 (slope-area method).

    Examples
    --------
    >>> float(manning(5.0, 7.0, 0.001, 0.03).round(3))
    4.211
    """
    return _manning(area, wetted_perimeter, slope, roughness)


@function(depth=DEPTH, bottom_width=WIDTH, slope=SLOPE, roughness=ROUGHNESS, side_slope=SIDE, unit="m3 s-1")
def manning_trapezoidal(
    depth: float, bottom_width: float, slope: float, roughness: float, side_slope: float = 0.0
) -> float:
    """Return the discharge of uniform flow in a trapezoidal, rectangular or triangular channel by Manning's formula.

    Parameters
    ----------
    depth : array_like, shape (n,)
        m, 0 to 50.
    bottom_width : array_like, shape (n,)
        m, 0 to 2000; 0: a triangle.
    slope, roughness : array_like, shape (n,)
        As in `manning`.
    side_slope : array_like, shape (n,)
        Of both sides, horizontal to vertical, 0 to 20; left out: upright.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range.

    References
    ----------
    As `manning`, with A = y (b + m y) and P = b + 2 y √(1 + m²).

    Examples
    --------
    >>> float(manning_trapezoidal(1.2, 3.0, 0.001, 0.03, 1.5).round(3))
    5.172
    """
    area, wetted = _trapezoid(depth, bottom_width, side_slope)
    return _manning(area, wetted, slope, roughness)


@njit(error_model="numpy")
def _segment(depth: float, diameter: float) -> tuple[float, float]:
    """Return area and wetted perimeter of a circular pipe."""
    if depth > diameter:
        return math.nan, math.nan
    half = math.acos(1.0 - 2.0 * depth / diameter)
    return 0.25 * diameter * diameter * (half - math.sin(half) * math.cos(half)), diameter * half


@function(
    depth=Input("m", 0.0, 10.0, scale=0.2, typical=0.3),
    diameter=Input("m", 0.05, 10.0, scale=0.5, typical=0.8),
    slope=SLOPE,
    roughness=Input("1", 0.005, 0.3, scale=0.01, typical=0.013),
    unit="m3 s-1",
)
def manning_circular(depth: float, diameter: float, slope: float, roughness: float) -> float:
    """Return the discharge of uniform flow in a circular pipe that is partly full by Manning's formula.

    Parameters
    ----------
    depth : array_like, shape (n,)
        m, 0 to 10.
    diameter : array_like, shape (n,)
        Inside, m, 0.05 to 10.
    slope, roughness : array_like, shape (n,)
        As in `manning`; n is taken as the same at all depths.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, or the depth is above the diameter. Above 0.938 of the
        diameter the discharge falls again: a level there has two.

    References
    ----------
    As `manning`, with A = D²/4 (φ - sin φ cos φ) and P = D φ, cos φ = 1 - 2 y/D.

    Examples
    --------
    >>> float(manning_circular(0.4, 0.8, 0.001, 0.013).round(4))
    0.2091
    """
    area, wetted = _segment(depth, diameter)
    return _manning(area, wetted, slope, roughness)


@njit(error_model="numpy")
def _chezy(area: float, wetted: float, slope: float, c: float) -> float:
    if area <= 0.0 or slope < 0.0:
        return 0.0 if area == 0.0 else math.nan
    return c * area * math.sqrt(area / wetted * slope)


@function(
    depth=DEPTH,
    bottom_width=WIDTH,
    slope=SLOPE,
    coefficient=Input("1", 5.0, 200.0, typical=40.0),
    side_slope=SIDE,
    unit="m3 s-1",
)
def chezy_trapezoidal(
    depth: float, bottom_width: float, slope: float, coefficient: float, side_slope: float = 0.0
) -> float:
    """Return the discharge of uniform flow in a trapezoidal, rectangular or triangular channel by Chézy's formula.

    Parameters
    ----------
    depth, bottom_width, slope, side_slope
        As in `manning_trapezoidal`.
    coefficient : array_like, shape (n,)
        Chézy's C in SI (m1/2 s-1), 5 to 200; Manning's n is R^(1/6)/C.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Chézy: Q = C A √(R S).

    Examples
    --------
    >>> float(chezy_trapezoidal(1.2, 3.0, 0.001, 40.0, 1.5).round(3))
    6.46
    """
    area, wetted = _trapezoid(depth, bottom_width, side_slope)
    return _chezy(area, wetted, slope, coefficient)
