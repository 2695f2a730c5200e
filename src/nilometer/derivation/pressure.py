"""Pressure of water and its depth: gravity by latitude, fresh water by density, the sea by TEOS-10.

A level from a pressure gauge, with its barometer and its datum, is `hydrostatic`; here are the equations alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.function import Input, function

__all__ = ["depth", "gravity", "hydrostatic_pressure", "sea_depth", "sea_pressure"]

Floats = NDArray[np.float64]

DENSITY: Final = Input("kg m-3", 900.0, 1300.0, typical=999.1)
GRAVITY: Final = Input("m s-2", 9.76, 9.84, default=9.80665)
_SEA_LATITUDE: Final = Input("degree", -86.0, 90.0, typical=30.3)


def _gsw() -> Any:  # noqa: ANN401 -- a library without types
    import gsw  # noqa: PLC0415 -- a third of a second that only sea water needs

    return gsw


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
    once, twice = np.sin(np.deg2rad(latitude)), np.sin(np.deg2rad(2.0 * latitude))
    return 9.780327 * (1.0 + 0.0053024 * once * once - 0.0000058 * twice * twice) - 3.086e-6 * altitude


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


@function(pressure=Input("dbar", 0.0, 11_000.0, typical=500.0), latitude=_SEA_LATITUDE, unit="m", compiled=False)
def sea_depth(pressure: Floats, latitude: Floats) -> Floats:
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
    found: Floats = -_gsw().z_from_p(pressure, latitude)
    return found


@function(depth=Input("m", 0.0, 10_800.0, typical=500.0), latitude=_SEA_LATITUDE, unit="dbar", compiled=False)
def sea_pressure(depth: Floats, latitude: Floats) -> Floats:
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
    found: Floats = _gsw().p_from_z(-depth, latitude)
    return found
