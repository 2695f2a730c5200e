"""Pressure of water and its depth: gravity by latitude, fresh water by density, the sea by TEOS-10.

A level from a pressure gauge, with its barometer and its datum, is `hydrostatic`; here are the equations alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["depth", "gravity", "hydrostatic_pressure", "sea_depth", "sea_pressure"]

DENSITY: Final = Input("kg m-3", 900.0, 1300.0, typical=999.1)
GRAVITY: Final = Input("m s-2", 9.76, 9.84, default=9.80665)
_SEA_LATITUDE: Final = Input("degree", -86.0, 90.0, typical=30.3)


_GROWTH: Final = 2.26e-7  # of gravity with depth, a metre


@njit(inline="always", error_model="numpy")
def _enthalpy(z: float) -> float:
    """Return the dynamic enthalpy of the standard ocean, J kg-1; z is the pressure in 10⁴ dbar."""
    return (
        1e8
        * z
        * (
            9.726613854843870e-4
            + z
            * (
                -2.252956605630465e-5
                + z
                * (
                    2.376909655387404e-6
                    + z
                    * (
                        -1.664294869986011e-7
                        + z * (-5.988108894465758e-9 + z * (-2.1078768810e-9 + z * 2.8019291329e-10))
                    )
                )
            )
        )
    )


@njit(inline="always", error_model="numpy")
def _surface_gravity(latitude: float) -> float:
    sine = np.sin(np.deg2rad(latitude))
    x = sine * sine
    return 9.780327 * (1.0 + x * (5.2792e-3 + x * 2.32e-5))


@function(
    latitude=Input("degree", -90.0, 90.0, typical=30.0),
    altitude=Input("m", -500.0, 9000.0, default=0.0, typical=300.0),
    unit="m s-2",
)
def gravity(latitude: float, altitude: float = 0.0) -> float:
    """Return the acceleration of free fall.

    Parameters
    ----------
    latitude : array_like, shape (n,)
        degree, -90 to 90.
    altitude : array_like, shape (n,)
        Above sea level, m, -500 to 9000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        m s-2. NaN where an input is NaN or out of range.

    References
    ----------
    International gravity formula 1980 (GRS80, Moritz 1980), 9.780327·(1 + 0.0053024·sin²φ - 0.0000058·sin²2φ), and its
    free-air gradient, 3.086e-6 s-2.

    Examples
    --------
    >>> float(gravity(45.0).round(5))
    9.8062
    """
    sine = np.sin(np.deg2rad(latitude))
    x = sine * sine  # sin²2φ is 4·x·(1 - x)
    return 9.780327 * (1.0 + x * (0.0053024 - 0.0000232 * (1.0 - x))) - 3.086e-6 * altitude


@function(
    pressure=Input("hPa", 0.0, 30_000.0, typical=500.0),
    density=DENSITY,
    gravity=GRAVITY,
    unit="m",
)
def depth(pressure: float, density: float, gravity: float = 9.80665) -> float:
    """Return the height of a column of water of one density from its pressure.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Above that of the air, hPa, 0 to 30000.
    density : array_like, shape (n,)
        Mean density of the column, kg m-3, 900 to 1300: a 0.1 % error is 10 mm in 10 m.
    gravity : array_like, shape (n,)
        m s-2, 9.76 to 9.84; left out: the standard 9.80665, which errs by up to 0.3 %; `gravity` gives that of the
        place.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    Hydrostatics: h = p/(ρ·g); ISO 4373, pressure gauges.

    Examples
    --------
    >>> float(depth(100.0, 1000.0).round(4))
    1.0197
    """
    return 100.0 * pressure / (density * gravity)


@function(depth=Input("m", 0.0, 300.0, typical=5.0), density=DENSITY, gravity=GRAVITY, unit="hPa")
def hydrostatic_pressure(depth: float, density: float, gravity: float = 9.80665) -> float:
    """Return the pressure of a column of water of one density.

    Parameters
    ----------
    depth : array_like, shape (n,)
        Height of the column, m, 0 to 300.
    density : array_like, shape (n,)
        Mean density of the column, kg m-3, 900 to 1300.
    gravity : array_like, shape (n,)
        m s-2, 9.76 to 9.84; left out: the standard 9.80665.

    Returns
    -------
    array_like, shape (n,)
        hPa above the pressure of the air. NaN where an input is NaN or out of range.

    References
    ----------
    Hydrostatics: p = ρ·g·h.

    Examples
    --------
    >>> float(hydrostatic_pressure(10.0, 1000.0).round(3))
    980.665
    """
    return 0.01 * depth * density * gravity


@function(pressure=Input("dbar", 0.0, 11_000.0, typical=500.0), latitude=_SEA_LATITUDE, unit="m")
def sea_depth(pressure: float, latitude: float) -> float:
    """Return the depth of a pressure in a standard ocean (SA = 35.16504 g kg-1, CT = 0 °C).

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 11000.
    latitude : array_like, shape (n,)
        degree north, -86 to 90.

    Returns
    -------
    array_like, shape (n,)
        m, positive downwards. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 3.32; gsw_z_from_p, its sign turned.

    Examples
    --------
    >>> float(sea_depth(10.0, 4.0).round(3))
    9.945
    """
    enthalpy = _enthalpy(1e-4 * pressure)
    surface = _surface_gravity(latitude)
    # Gravity grows downwards by 2.26e-7 of itself a metre, so that depth is the root of a quadratic.
    return 2.0 * enthalpy / (surface + np.sqrt(surface * surface + 2.0 * _GROWTH * surface * enthalpy))


@function(depth=Input("m", 0.0, 10_800.0, typical=500.0), latitude=_SEA_LATITUDE, unit="dbar")
def sea_pressure(depth: float, latitude: float) -> float:
    """Return the pressure at a depth in a standard ocean (SA = 35.16504 g kg-1, CT = 0 °C).

    Parameters
    ----------
    depth : array_like, shape (n,)
        m, positive downwards, 0 to 10800.
    latitude : array_like, shape (n,)
        degree north, -86 to 90.

    Returns
    -------
    array_like, shape (n,)
        dbar above the pressure of the air. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 3.32; gsw_p_from_z.

    Examples
    --------
    >>> float(sea_pressure(10.0, 4.0).round(3))
    10.056
    """
    surface = _surface_gravity(latitude)
    enthalpy = depth * surface * (1.0 + 0.5 * _GROWTH * depth)
    z = enthalpy * (1.02811e-5 + enthalpy * 2.448e-12)
    for _ in range(2):
        slope = 1e8 * (9.726613854843870e-4 + z * (-4.50591321e-5 + z * (7.13072897e-6 - z * 6.65717795e-7)))
        z -= (_enthalpy(z) - enthalpy) / slope
    return 1e4 * z
