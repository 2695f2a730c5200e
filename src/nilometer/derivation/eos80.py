"""Sea water by the international equations of 1980 (EOS-80), as UNESCO's technical paper 44 computes them.

Older data and many instruments are of these; TEOS-10 (`seawater`) has followed. The paper's temperatures are on the
IPTS-68: every function takes and gives ITS-90 and converts inside (t68 = 1.00024·t90).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "adiabatic_lapse_rate",
    "density",
    "depth",
    "freezing_point",
    "heat_capacity",
    "potential_temperature",
    "sound_speed",
]

SALINITY: Final = Input("1", 0.0, 42.0)
TEMPERATURE: Final = Input("degree_Celsius", -2.0, 40.0)
PRESSURE: Final = Input("dbar", 0.0, 10_000.0, default=0.0, typical=500.0)
_T68: Final = 1.00024


@njit(inline="always", error_model="numpy")
def _surface_density(s: float, t: float) -> float:
    water = 999.842594 + t * (
        6.793952e-2 + t * (-9.095290e-3 + t * (1.001685e-4 + t * (-1.120083e-6 + t * 6.536332e-9)))
    )
    first = 8.24493e-1 + t * (-4.0899e-3 + t * (7.6438e-5 + t * (-8.2467e-7 + t * 5.3875e-9)))
    higher = -5.72466e-3 + t * (1.0227e-4 - t * 1.6546e-6)
    return water + s * (first + np.sqrt(s) * higher + s * 4.8314e-4)


@njit(inline="always", error_model="numpy")
def _secant_bulk_modulus(s: float, t: float, p: float) -> float:
    """Return K; p in bar."""
    root = np.sqrt(s)
    water = 19652.21 + t * (148.4206 + t * (-2.327105 + t * (1.360477e-2 - t * 5.155288e-5)))
    surface = water + s * (
        54.6746
        + t * (-0.603459 + t * (1.09987e-2 - t * 6.1670e-5))
        + root * (7.944e-2 + t * (1.6483e-2 - t * 5.3009e-4))
    )
    a = (
        3.239908
        + t * (1.43713e-3 + t * (1.16092e-4 - t * 5.77905e-7))
        + s * (2.2838e-3 + t * (-1.0981e-5 - t * 1.6078e-6) + 1.91075e-4 * root)
    )
    b = 8.50935e-5 + t * (-6.12293e-6 + t * 5.2787e-8) + s * (-9.9348e-7 + t * (2.0816e-8 + t * 9.1697e-10))
    return surface + p * (a + p * b)


@function(salinity=SALINITY, temperature=TEMPERATURE, pressure=PRESSURE, unit="kg m-3")
def density(salinity: float, temperature: float, pressure: float = 0.0) -> float:
    """Return the density of sea water.

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    temperature : array_like, shape (n,)
        In situ (ITS-90), degree_Celsius, -2 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 10000.

    Returns
    -------
    array_like, shape (n,)
        kg m-3. NaN where an input is NaN or out of range.

    References
    ----------
    Fofonoff and Millard (1983), UNESCO technical papers in marine science 44, SVAN; Millero and Poisson (1981).

    Examples
    --------
    >>> float(density(40.0, 40.0 / 1.00024, 10000.0).round(5))
    1059.82038
    """
    t = _T68 * temperature
    bar = 0.1 * pressure
    return _surface_density(salinity, t) / (1.0 - bar / _secant_bulk_modulus(salinity, t, bar))


@njit(inline="always", error_model="numpy")
def _chen_millero(s: float, t: float, p: float) -> float:
    """Return the sound speed, m s-1; t on the IPTS-68, p in bar."""
    c0 = 1402.388 + t * (5.03711 + t * (-5.80852e-2 + t * (3.3420e-4 + t * (-1.47800e-6 + t * 3.1464e-9))))
    c1 = 0.153563 + t * (6.8982e-4 + t * (-8.1788e-6 + t * (1.3621e-7 - t * 6.1185e-10)))
    c2 = 3.1260e-5 + t * (-1.7107e-6 + t * (2.5974e-8 + t * (-2.5335e-10 + t * 1.0405e-12)))
    c3 = -9.7729e-9 + t * (3.8504e-10 - t * 2.3643e-12)
    a0 = 1.389 + t * (-1.262e-2 + t * (7.164e-5 + t * (2.006e-6 - t * 3.21e-8)))
    a1 = 9.4742e-5 + t * (-1.2580e-5 + t * (-6.4885e-8 + t * (1.0507e-8 - t * 2.0122e-10)))
    a2 = -3.9064e-7 + t * (9.1041e-9 + t * (-1.6002e-10 + t * 7.988e-12))
    a3 = 1.100e-10 + t * (6.649e-12 - t * 3.389e-13)
    b = -1.922e-2 - 4.42e-5 * t + p * (7.3637e-5 + 1.7945e-7 * t)
    d = 1.727e-3 - 7.9836e-6 * p
    water = c0 + p * (c1 + p * (c2 + p * c3))
    return water + s * (a0 + p * (a1 + p * (a2 + p * a3)) + np.sqrt(s) * b + s * d)


@function(salinity=SALINITY, temperature=TEMPERATURE, pressure=PRESSURE, unit="m s-1")
def sound_speed(salinity: float, temperature: float, pressure: float = 0.0) -> float:
    """Return the speed of sound in sea water (Chen and Millero).

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    temperature : array_like, shape (n,)
        In situ (ITS-90), degree_Celsius, -2 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 10000.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Chen and Millero (1977), J. Acoust. Soc. Am. 62, 1129-1135, as in UNESCO technical papers in marine science 44
    (1983), SVEL.

    Examples
    --------
    >>> float(sound_speed(40.0, 40.0 / 1.00024, 10000.0).round(3))
    1731.995
    """
    return _chen_millero(salinity, _T68 * temperature, 0.1 * pressure)


@function(salinity=SALINITY, temperature=TEMPERATURE, pressure=PRESSURE, unit="J kg-1 K-1")
def heat_capacity(salinity: float, temperature: float, pressure: float = 0.0) -> float:
    """Return the specific heat of sea water at constant pressure.

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    temperature : array_like, shape (n,)
        In situ (ITS-90), degree_Celsius, -2 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 10000.

    Returns
    -------
    array_like, shape (n,)
        J kg-1 K-1. NaN where an input is NaN or out of range.

    References
    ----------
    Millero, Perron and Desnoyers (1973), J. Geophys. Res. 78, 4499-4507, as in UNESCO technical papers in marine
    science 44 (1983), CPSW.

    Examples
    --------
    >>> float(heat_capacity(40.0, 40.0 / 1.00024, 10000.0).round(2))
    3849.5
    """
    t, p, root = _T68 * temperature, 0.1 * pressure, np.sqrt(salinity)
    surface = 4217.4 + t * (-3.720283 + t * (0.1412855 + t * (-2.654387e-3 + t * 2.093236e-5)))
    surface += salinity * (
        -7.64357 + t * (0.1072763 - t * 1.38385e-3) + root * (0.1770383 + t * (-4.07718e-3 + t * 5.148e-5))
    )
    a = -4.9592e-1 + t * (1.45747e-2 + t * (-3.13885e-4 + t * (2.0357e-6 + t * 1.7168e-8)))
    b = 2.4931e-4 + t * (-1.08645e-5 + t * (2.87533e-7 + t * (-4.0027e-9 + t * 2.2956e-11)))
    c = -5.422e-8 + t * (2.6380e-9 + t * (-6.5637e-11 + t * 6.136e-13))
    d = 4.9247e-3 + t * (-1.28315e-4 + t * (9.802e-7 + t * (2.5941e-8 - t * 2.9179e-10)))
    e = -1.2331e-4 + t * (-1.517e-6 + t * 3.122e-8)
    f = -2.9558e-6 + t * (1.17054e-7 + t * (-2.3905e-9 + t * 1.8448e-11))
    h = 5.540e-10 + t * (-1.7682e-11 + t * 3.513e-13)
    salt = salinity * (d + root * e + p * (f + root * 9.971e-8 + p * (h - root * 1.4300e-12 * t)))
    return surface + p * (a + p * (b + p * c) + salt)


@njit(inline="always", error_model="numpy")
def _lapse_rate(s: float, t: float, p: float) -> float:
    """Return the adiabatic lapse rate, K dbar-1; t on the IPTS-68, p in dbar."""
    return (
        3.5803e-5
        + t * (8.5258e-6 + t * (-6.836e-8 + t * 6.6228e-10))
        + (1.8932e-6 - 4.2393e-8 * t) * (s - 35.0)
        + p
        * (
            1.8741e-8
            + t * (-6.7795e-10 + t * (8.733e-12 - t * 5.4481e-14))
            + (-1.1351e-10 + 2.7759e-12 * t) * (s - 35.0)
            + p * (-4.6206e-13 + t * (1.8676e-14 - t * 2.1687e-16))
        )
    )


@function(salinity=SALINITY, temperature=TEMPERATURE, pressure=PRESSURE, unit="K dbar-1")
def adiabatic_lapse_rate(salinity: float, temperature: float, pressure: float = 0.0) -> float:
    """Return the warming of sea water that is compressed without exchange of heat.

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    temperature : array_like, shape (n,)
        In situ (ITS-90), degree_Celsius, -2 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 10000.

    Returns
    -------
    array_like, shape (n,)
        K dbar-1, of the IPTS-68 as printed. NaN where an input is NaN or out of range.

    References
    ----------
    Bryden (1973), Deep-Sea Res. 20, 401-408, as in UNESCO technical papers in marine science 44 (1983), ATG.

    Examples
    --------
    >>> float(adiabatic_lapse_rate(40.0, 40.0 / 1.00024, 10000.0).round(10))
    0.0003255976
    """
    return _lapse_rate(salinity, _T68 * temperature, pressure)


@function(
    salinity=SALINITY,
    temperature=TEMPERATURE,
    pressure=Input("dbar", 0.0, 10_000.0, typical=500.0),
    reference_pressure=Input("dbar", 0.0, 10_000.0, default=0.0, typical=10.0),
    unit="degree_Celsius",
)
def potential_temperature(
    salinity: float, temperature: float, pressure: float, reference_pressure: float = 0.0
) -> float:
    """Return the temperature of sea water after it was brought to another pressure without exchange of heat.

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    temperature : array_like, shape (n,)
        In situ (ITS-90), degree_Celsius, -2 to 40.
    pressure, reference_pressure : array_like, shape (n,)
        Where it is and where it is brought to, above the pressure of the air, dbar, 0 to 10000; left out: to the
        surface.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius (ITS-90). NaN where an input is NaN or out of range.

    References
    ----------
    Bryden (1973) with the Runge-Kutta steps of Fofonoff (1977), as in UNESCO technical papers in marine science 44
    (1983), THETA.

    Examples
    --------
    >>> float((1.00024 * potential_temperature(40.0, 40.0 / 1.00024, 10000.0)).round(5))
    36.89073
    """
    root = np.sqrt(0.5)
    t, p, step = _T68 * temperature, pressure, reference_pressure - pressure
    change = step * _lapse_rate(salinity, t, p)
    t += 0.5 * change
    q = change
    change = step * _lapse_rate(salinity, t, p + 0.5 * step)
    t += (1.0 - root) * (change - q)
    q = (2.0 - 2.0 * root) * change + (3.0 * root - 2.0) * q
    change = step * _lapse_rate(salinity, t, p + 0.5 * step)
    t += (1.0 + root) * (change - q)
    q = (2.0 + 2.0 * root) * change - (2.0 + 3.0 * root) * q
    change = step * _lapse_rate(salinity, t, p + step)
    return (t + (change - 2.0 * q) / 6.0) / _T68


@function(
    salinity=Input("1", 0.0, 42.0),
    pressure=Input("dbar", 0.0, 500.0, default=0.0),
    unit="degree_Celsius",
)
def freezing_point(salinity: float, pressure: float = 0.0) -> float:
    """Return the temperature at which air-free sea water freezes.

    Parameters
    ----------
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42; the source measured 4 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 500.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius (ITS-90). NaN where an input is NaN or out of range.

    References
    ----------
    Millero (1978), UNESCO technical papers in marine science 28, 29-35, as in 44 (1983), TF.

    Examples
    --------
    >>> float((1.00024 * freezing_point(40.0, 500.0)).round(6))
    -2.588567
    """
    at_surface = salinity * (-0.0575 + 1.710523e-3 * np.sqrt(salinity) - 2.154996e-4 * salinity)
    return (at_surface - 7.53e-4 * pressure) / _T68


@function(
    pressure=Input("dbar", 0.0, 10_000.0, typical=500.0), latitude=Input("degree", -90.0, 90.0, typical=30.0), unit="m"
)
def depth(pressure: float, latitude: float) -> float:
    """Return the depth of a pressure in a standard ocean (salinity 35, 0 °C).

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 10000.
    latitude : array_like, shape (n,)
        degree, -90 to 90.

    Returns
    -------
    array_like, shape (n,)
        m, positive downwards; another water column is deeper or shallower by its dynamic height. NaN where an input is
        NaN or out of range.

    References
    ----------
    Saunders and Fofonoff (1976), Deep-Sea Res. 23, 109-111, refitted to EOS-80, as in UNESCO technical papers in marine
    science 44 (1983), DEPTH.

    Examples
    --------
    >>> float(depth(10000.0, 30.0).round(3))
    9712.653
    """
    sine = np.sin(np.deg2rad(latitude))
    x = sine * sine
    gravity = 9.780318 * (1.0 + x * (5.2788e-3 + x * 2.36e-5)) + 1.092e-6 * pressure
    return pressure * (9.72659 + pressure * (-2.2512e-5 + pressure * (2.279e-10 - pressure * 1.82e-15))) / gravity
