"""Density of air: the metrologists' equation for a laboratory, and the ideal gas for the field."""

from __future__ import annotations

from typing import Final

import numpy as np

from nilometer.derivation.function import Input, function

__all__ = ["density", "density_ideal"]

HUMIDITY: Final = Input("%", 0.0, 100.0, default=0.0, typical=50.0)


@function(
    temperature=Input("degree_Celsius", 15.0, 27.0),
    pressure=Input("hPa", 600.0, 1100.0, typical=1000.0),
    humidity=HUMIDITY,
    carbon_dioxide=Input("1", 0.0, 0.002, default=0.0004, typical=0.0004),
    unit="kg m-3",
    relative_uncertainty=22e-6,
)
def density(temperature: float, pressure: float, humidity: float = 0.0, carbon_dioxide: float = 0.0004) -> float:
    """Return the density of moist air, as weighing uses it.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 15 to 27.
    pressure : array_like, shape (n,)
        hPa, 600 to 1100.
    humidity : array_like, shape (n,)
        Relative humidity, %, 0 to 100; left out: dry.
    carbon_dioxide : array_like, shape (n,)
        Mole fraction, 1, 0 to 0.002; left out: 0.0004.

    Returns
    -------
    array_like, shape (n,)
        kg m-3. NaN where an input is NaN or out of range.

    References
    ----------
    Picard, Davis, Gläser and Fujii (2008), Metrologia 45, 149-155 (CIPM-2007): eq. 1 and appendix; the equation's own
    relative standard uncertainty is 22e-6.

    Examples
    --------
    >>> float(density(20.0, 1013.25, 50.0).round(4))
    1.1993
    """
    t, kelvin, p = temperature, temperature + 273.15, 100.0 * pressure
    saturated = np.exp(1.2378847e-5 * kelvin * kelvin - 1.9121316e-2 * kelvin + 33.93711047 - 6.3431645e3 / kelvin)
    enhancement = 1.00062 + 3.14e-8 * p + 5.6e-7 * t * t
    x = 0.01 * humidity * enhancement * saturated / p
    a = 1.58123e-6 + t * (-2.9331e-8 + 1.1043e-10 * t)
    b = x * (5.707e-6 - 2.051e-8 * t) + x * x * (1.9898e-4 - 2.376e-6 * t)
    over = p / kelvin
    compressibility = 1.0 - over * (a + b) + over * over * (1.83e-11 - 0.765e-8 * x * x)
    molar_mass = 28.96546e-3 + 12.011e-3 * (carbon_dioxide - 0.0004)
    return over * molar_mass / (compressibility * 8.314472) * (1.0 - x * (1.0 - 18.01528e-3 / molar_mass))


@function(
    temperature=Input("degree_Celsius", -45.0, 60.0, typical=15.0),
    pressure=Input("hPa", 300.0, 1200.0, typical=1000.0),
    vapour_pressure=Input("hPa", 0.0, 200.0, default=0.0, typical=10.0),
    unit="kg m-3",
)
def density_ideal(temperature: float, pressure: float, vapour_pressure: float = 0.0) -> float:
    """Return the density of moist air as of an ideal gas.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -45 to 60.
    pressure : array_like, shape (n,)
        hPa, 300 to 1200.
    vapour_pressure : array_like, shape (n,)
        Of the water in it, hPa, 0 to 200; left out: dry.

    Returns
    -------
    array_like, shape (n,)
        kg m-3, within 0.1 % of `density` where both hold. NaN where an input is NaN or out of range.

    References
    ----------
    Equation of state of ideal gases with R = 8.314462618 J mol-1 K-1 (CODATA 2018) and the molar masses of dry air and
    water of CIPM-2007 (Picard et al. 2008).

    Examples
    --------
    >>> float(density_ideal(15.0, 1013.25).round(4))
    1.225
    """
    dry = 28.96546e-3 * (pressure - vapour_pressure) + 18.01528e-3 * vapour_pressure
    return 100.0 * dry / (8.314462618 * (temperature + 273.15))
