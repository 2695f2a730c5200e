"""Speed of sound in fresh water, sea water and air, by the equations of acoustics.

The oceanographers' own are `eos80.sound_speed` (Chen and Millero) and `seawater.sound_speed` (TEOS-10).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from nilometer.derivation.function import Input, function

__all__ = ["del_grosso", "dry_air", "fresh_water", "humid_air", "mackenzie", "pure_water_bilaniuk"]

_T68: Final = 1.00024


@function(temperature=Input("degree_Celsius", 0.0, 95.0, typical=15.0), unit="m s-1")
def fresh_water(temperature: float) -> float:
    """Return the speed of sound in pure water at one atmosphere.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, 0 to 95.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Marczak (1997), J. Acoust. Soc. Am. 102, 2776-2779, fifth-order polynomial.

    Examples
    --------
    >>> float(fresh_water(20.0).round(2))
    1482.38
    """
    t = temperature
    return 1.402385e3 + t * (5.038813 + t * (-5.799136e-2 + t * (3.287156e-4 + t * (-1.398845e-6 + t * 2.787860e-9))))


@function(temperature=Input("degree_Celsius", 0.0, 100.0, typical=15.0), unit="m s-1")
def pure_water_bilaniuk(temperature: float) -> float:
    """Return the speed of sound in pure water at one atmosphere by Bilaniuk and Wong.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, 0 to 100.

    Returns
    -------
    array_like, shape (n,)
        m s-1; within 0.02 of `fresh_water` from 0 to 95 °C. NaN where an input is NaN or out of range.

    References
    ----------
    Bilaniuk and Wong (1993), J. Acoust. Soc. Am. 93, 1609-1612, and erratum (1996), 99, 3257: 112 points.

    Examples
    --------
    >>> float(pure_water_bilaniuk(20.0).round(2))
    1482.36
    """
    t = temperature
    return 1.40238742e3 + t * (
        5.03821344 + t * (-5.80539349e-2 + t * (3.32000870e-4 + t * (-1.44537900e-6 + t * 2.99402365e-9)))
    )


@function(
    temperature=Input("degree_Celsius", 2.0, 30.0),
    salinity=Input("1", 25.0, 40.0),
    depth=Input("m", 0.0, 8000.0, default=0.0, typical=500.0),
    unit="m s-1",
    absolute_uncertainty=0.07,
)
def mackenzie(temperature: float, salinity: float, depth: float = 0.0) -> float:
    """Return the speed of sound in the ocean from depth instead of pressure.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 2 to 30.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 25 to 40.
    depth : array_like, shape (n,)
        m, 0 to 8000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        m s-1, with the standard error of 0.07 that the source states. NaN where an input is NaN or out of range.

    References
    ----------
    Mackenzie (1981), J. Acoust. Soc. Am. 70, 807-812, nine terms.

    Examples
    --------
    >>> float(mackenzie(25.0, 35.0, 1000.0).round(3))
    1550.744
    """
    t, s = temperature, salinity - 35.0
    return (
        1448.96
        + t * (4.591 + t * (-5.304e-2 + t * 2.374e-4))
        + s * (1.340 - 1.025e-2 * t)
        + depth * (1.630e-2 + depth * (1.675e-7 - 7.139e-13 * t * depth))
    )


@function(
    temperature=Input("degree_Celsius", 0.0, 30.0),
    salinity=Input("1", 30.0, 40.0),
    pressure=Input("dbar", 0.0, 9800.0, default=0.0, typical=500.0),
    unit="m s-1",
)
def del_grosso(temperature: float, salinity: float, pressure: float = 0.0) -> float:
    """Return the speed of sound in the ocean by Del Grosso, which deep soundings are computed with.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, 0 to 30.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 30 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 9800 (1000 kg cm-2); left out: 0.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Del Grosso (1974), J. Acoust. Soc. Am. 56, 1084-1091, eqs. 1 to 6, on the IPTS-68 and in kg cm-2
    (0.1019716 a dbar).

    Examples
    --------
    >>> float(del_grosso(10.0, 35.0, 0.0).round(2))
    1489.79
    """
    t, s, p = _T68 * temperature, salinity, 0.1019716 * pressure
    return (
        1402.392
        + t * (0.501109398873e1 + t * (-0.550946843172e-1 + t * 0.221535969240e-3))
        + s * (0.132952290781e1 + s * 0.128955756844e-3)
        + p * (0.156059257041 + p * (0.244998688441e-4 - p * 0.883392332513e-8))
        + t
        * (
            s * (-0.127562783426e-1 + 0.968403156410e-4 * t)
            + p
            * (
                0.635191613389e-2
                + p * (0.265484716608e-7 * t - 0.159349479045e-5 + 0.522116437235e-9 * p)
                - 0.438031096213e-6 * t * t
                + s * (0.485639620015e-5 * s - 0.340597039004e-3)
            )
        )
        - 0.161674495909e-8 * s * s * p * p
    )


@function(temperature=Input("degree_Celsius", -50.0, 60.0, typical=15.0), unit="m s-1")
def dry_air(temperature: float) -> float:
    """Return the speed of sound in dry air.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -50 to 60.

    Returns
    -------
    array_like, shape (n,)
        m s-1; an error of 1 K is 0.17 %. NaN where an input is NaN or out of range.

    References
    ----------
    Ideal gas: 331.3·√(1 + t/273.15), the form of ISO 9613-1 with its 343.2 m s-1 at 20 °C.

    Examples
    --------
    >>> float(dry_air(20.0).round(1))
    343.2
    """
    return 331.3 * np.sqrt(1.0 + temperature / 273.15)


@function(
    temperature=Input("degree_Celsius", 0.0, 30.0, typical=18.0),
    humidity=Input("%", 0.0, 100.0, typical=60.0),
    pressure=Input("hPa", 750.0, 1020.0, default=1013.25, typical=1000.0),
    unit="m s-1",
)
def humid_air(temperature: float, humidity: float, pressure: float = 1013.25) -> float:
    """Return the speed of sound in humid air with 0.04 % of carbon dioxide.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 0 to 30.
    humidity : array_like, shape (n,)
        Relative humidity, %, 0 to 100: at 30 °C it adds up to 0.7 %.
    pressure : array_like, shape (n,)
        hPa, 750 to 1020; left out: 1013.25.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Cramer (1993), J. Acoust. Soc. Am. 93, 2510-2516, eq. 15 and table III, with the vapour pressure of Davis (1992),
    Metrologia 29, 67-70, as the National Physical Laboratory computes it.

    Examples
    --------
    >>> float(humid_air(20.0, 50.0).round(2))
    343.99
    """
    t, kelvin, p, xc = temperature, temperature + 273.15, 100.0 * pressure, 0.0004
    saturated = np.exp(1.2378847e-5 * kelvin * kelvin - 1.9121316e-2 * kelvin + 33.93711047 - 6.3431645e3 / kelvin)
    xw = 0.01 * humidity * (1.00062 + 3.14e-8 * p + 5.6e-7 * t * t) * saturated / p
    return (
        331.5024
        + t * (0.603055 - 0.000528 * t)
        + xw * (51.471935 + t * (0.1495874 - 0.000782 * t) - 2.835149 * xw + 0.000486 * p * xc)
        + p * (-1.82e-7 + t * (3.73e-8 - 2.93e-10 * t) - 2.15e-13 * p)
        + xc * (-85.20931 + t * (-0.228525 + 5.91e-5 * t) + 29.179762 * xc)
    )
