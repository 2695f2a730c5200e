"""Linear waves on water of any depth: length, speed, and how much of a wave a pressure sensor feels.

Airy's theory: waves low against their length and the depth, no current. A current or steep waves change all of it.
"""

from __future__ import annotations

import math
from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["group_velocity", "pressure_response", "wavelength", "wavenumber"]

GRAVITY: Final = 9.80665
"""m s-2, standard."""

PERIOD: Final = Input("s", 0.2, 3600.0, scale=8.0, typical=8.0)
DEPTH: Final = Input("m", 0.01, 12000.0, scale=15.0, typical=15.0)


@njit(error_model="numpy", cache=True)
def wavenumber(frequency: float, depth: float) -> float:
    """Return the wavenumber, rad m-1, of a wave of a frequency, Hz, on a depth, m: w^2 = g k tanh(k h).

    Newton's steps from the deep-water or shallow-water guess, whichever is nearer; three digits after three, all after
    five. 0 at frequency 0.
    """
    if not frequency > 0.0:
        return 0.0
    deep = (2.0 * math.pi * frequency) ** 2 / GRAVITY * depth  # k h were the water deep
    x = deep if deep > 1.0 else math.sqrt(deep)
    for _ in range(6):
        t = math.tanh(x)
        x -= (x * t - deep) / (t + x * (1.0 - t * t))
    return x / depth


@function(period=PERIOD, depth=DEPTH, unit="m")
def wavelength(period: float, depth: float) -> float:
    """Return the length of a wave.

    Parameters
    ----------
    period : array_like, shape (n,)
        s, 0.2 to 3600.
    depth : array_like, shape (n,)
        Of the water, m, 0.01 to 12000.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    Dean and Dalrymple (1991), Water Wave Mechanics for Engineers and Scientists, equation 3.34 (dispersion); standard
    gravity.

    Examples
    --------
    >>> float(wavelength(8.0, 10.0).round(1)), float(wavelength(8.0, 4000.0).round(1))
    (70.9, 99.9)
    """
    return 2.0 * math.pi / wavenumber(1.0 / period, depth)


@function(period=PERIOD, depth=DEPTH, unit="m s-1")
def group_velocity(period: float, depth: float) -> float:
    """Return the speed at which the energy of a wave travels.

    Parameters
    ----------
    period : array_like, shape (n,)
        s, 0.2 to 3600.
    depth : array_like, shape (n,)
        Of the water, m, 0.01 to 12000.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Dean and Dalrymple (1991), equation 4.82: half the speed of the crest times 1 + 2kh / sinh(2kh).

    Examples
    --------
    >>> float(group_velocity(8.0, 4000.0).round(2)), float(group_velocity(600.0, 10.0).round(2))
    (6.24, 9.9)
    """
    k = wavenumber(1.0 / period, depth)
    twice = 2.0 * k * depth
    share = twice / math.sinh(twice) if twice < 50.0 else 0.0
    return 0.5 * 2.0 * math.pi / (period * k) * (1.0 + share)


@njit(error_model="numpy", cache=True)
def response(frequency: float, depth: float, height: float) -> float:
    """Return cosh(k z) / cosh(k h) of a frequency, Hz, a depth h and a height z of the sensor above the bed, m."""
    k = wavenumber(frequency, depth)
    # As exponentials, for cosh of a deep sea is no number.
    return math.exp(k * (height - depth)) * (1.0 + math.exp(-2.0 * k * height)) / (1.0 + math.exp(-2.0 * k * depth))


@function(
    period=PERIOD,
    depth=Input("m", 0.01, 12000.0, scale=15.0, typical=15.0),
    sensor_height=Input("m", 0.0, 12000.0, default=0.0, scale=1.0, typical=0.5),
    unit="1",
)
def pressure_response(period: float, depth: float, sensor_height: float = 0.0) -> float:
    """Return the share of a wave's height that a pressure sensor feels, as a head of water.

    Parameters
    ----------
    period : array_like, shape (n,)
        s, 0.2 to 3600.
    depth : array_like, shape (n,)
        Mean depth of the water, m, 0.01 to 12000.
    sensor_height : array_like, shape (n,)
        Of the sensor above the bed, m, 0 to the depth.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range, and where the sensor would stand above the water.

    References
    ----------
    Dean and Dalrymple (1991), equation 4.29: cosh(k z) / cosh(k h).

    Examples
    --------
    >>> float(pressure_response(8.0, 10.0).round(3)), float(pressure_response(3.0, 10.0).round(4))
    (0.705, 0.0228)
    """
    if sensor_height > depth:
        return math.nan
    return response(1.0 / period, depth, sensor_height)
