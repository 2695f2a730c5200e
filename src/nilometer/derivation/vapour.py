"""Water vapour in air: pressure at saturation, and humidity told in its several ways.

Which equation is meant is said by the name: `saturation_pressure` is that of the IAPWS for pure water; `magnus` and
`magnus_over_ice` are those that meteorology agreed on, and dew point and humidity are of these.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "buck",
    "dew_point",
    "enhancement_factor",
    "magnus",
    "magnus_over_ice",
    "relative_humidity",
    "saturation_pressure",
    "vapour_pressure",
]

AIR: Final = Input("degree_Celsius", -45.0, 60.0, typical=15.0)
HUMIDITY: Final = Input("%", 0.0, 100.0, typical=60.0)
PRESSURE: Final = Input("hPa", 300.0, 1200.0, default=1013.25)


@njit(inline="always", error_model="numpy")
def _magnus(t: float) -> float:
    return 6.112 * np.exp(17.62 * t / (243.12 + t))


@function(temperature=Input("degree_Celsius", 0.01, 370.0, typical=20.0), unit="hPa")
def saturation_pressure(temperature: float) -> float:
    """Return the vapour pressure of pure water.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Of the water (ITS-90), degree_Celsius, 0.01 to 370.

    Returns
    -------
    array_like, shape (n,)
        hPa. NaN where an input is NaN or out of range.

    References
    ----------
    IAPWS SR1-86(1992), eq. 1 (Wagner and Pruss 1993, J. Phys. Chem. Ref. Data 22, 783-787).

    Examples
    --------
    >>> float(saturation_pressure(0.01).round(5))
    6.11657
    """
    kelvin = temperature + 273.15
    tau = 1.0 - kelvin / 647.096
    root = np.sqrt(tau)
    power = tau * (
        -7.85951783
        + 1.84408259 * root
        + tau * tau * (-11.7866497 + 22.6807411 * root + tau * (-15.9618719 + 1.80122502 * tau * tau * tau * root))
    )
    return 220640.0 * np.exp(power * 647.096 / kelvin)


@function(temperature=AIR, unit="hPa")
def magnus(temperature: float) -> float:
    """Return the vapour pressure over water by the equation of the WMO.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -45 to 60; below 0 °C over supercooled water.

    Returns
    -------
    array_like, shape (n,)
        hPa, of pure vapour; `enhancement_factor` leads to moist air. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annex 4.B: 6.112·exp(17.62·t/(243.12 + t)).

    Examples
    --------
    >>> float(magnus(20.0).round(3))
    23.326
    """
    return _magnus(temperature)


@function(temperature=Input("degree_Celsius", -65.0, 0.0, typical=-10.0), unit="hPa")
def magnus_over_ice(temperature: float) -> float:
    """Return the vapour pressure over ice by the equation of the WMO.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -65 to 0.

    Returns
    -------
    array_like, shape (n,)
        hPa, of pure vapour. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annex 4.B: 6.112·exp(22.46·t/(272.62 + t)).

    Examples
    --------
    >>> float(magnus_over_ice(-10.0).round(3))
    2.599
    """
    return 6.112 * np.exp(22.46 * temperature / (272.62 + temperature))


@function(temperature=Input("degree_Celsius", -40.0, 50.0, typical=15.0), unit="hPa")
def buck(temperature: float) -> float:
    """Return the vapour pressure over water by Buck's equation.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -40 to 50.

    Returns
    -------
    array_like, shape (n,)
        hPa, of pure vapour. NaN where an input is NaN or out of range.

    References
    ----------
    Buck (1981), J. Appl. Meteorol. 20, 1527-1532, in the form of the maker's manual of 1996:
    6.1121·exp((18.678 - t/234.5)·t/(257.14 + t)).

    Examples
    --------
    >>> float(buck(20.0).round(3))
    23.383
    """
    return 6.1121 * np.exp((18.678 - temperature / 234.5) * temperature / (257.14 + temperature))


@function(pressure=Input("hPa", 300.0, 1200.0, typical=1000.0), unit="1")
def enhancement_factor(pressure: float) -> float:
    """Return by how much the vapour pressure at saturation in moist air exceeds that of pure vapour.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Of the air, hPa, 300 to 1200.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annex 4.B: 1.0016 + 3.15e-6·p - 0.074/p.

    Examples
    --------
    >>> float(enhancement_factor(1013.25).round(5))
    1.00472
    """
    return 1.0016 + 3.15e-6 * pressure - 0.074 / pressure


@function(temperature=AIR, humidity=HUMIDITY, unit="hPa")
def vapour_pressure(temperature: float, humidity: float) -> float:
    """Return the vapour pressure of air from its relative humidity.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Of the air, degree_Celsius, -45 to 60.
    humidity : array_like, shape (n,)
        Relative humidity over water, %, 0 to 100.

    Returns
    -------
    array_like, shape (n,)
        hPa. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annexes 4.A and 4.B: humidity times `magnus`, without
    the enhancement factor.

    Examples
    --------
    >>> float(vapour_pressure(20.0, 50.0).round(3))
    11.663
    """
    return 0.01 * humidity * _magnus(temperature)


@function(temperature=AIR, humidity=Input("%", 0.1, 100.0, typical=60.0), unit="degree_Celsius")
def dew_point(temperature: float, humidity: float) -> float:
    """Return the temperature at which air would be saturated over water.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Of the air, degree_Celsius, -45 to 60.
    humidity : array_like, shape (n,)
        Relative humidity over water, %, 0.1 to 100.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annex 4.B: `magnus` turned round.

    Examples
    --------
    >>> float(dew_point(20.0, 50.0).round(2))
    9.26
    """
    power = np.log(0.01 * humidity) + 17.62 * temperature / (243.12 + temperature)
    return 243.12 * power / (17.62 - power)


@function(temperature=AIR, dew_point=Input("degree_Celsius", -80.0, 60.0, typical=8.0), unit="%")
def relative_humidity(temperature: float, dew_point: float) -> float:
    """Return relative humidity over water from the dew point.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Of the air, degree_Celsius, -45 to 60.
    dew_point : array_like, shape (n,)
        degree_Celsius, -80 to 60.

    Returns
    -------
    array_like, shape (n,)
        %; above 100 where the dew point is above the air's temperature. NaN where an input is NaN or out of range.

    References
    ----------
    WMO-No. 8, Guide to Instruments and Methods of Observation, annexes 4.A and 4.B.

    Examples
    --------
    >>> float(relative_humidity(20.0, 9.26).round(1))
    50.0
    """
    return 100.0 * _magnus(dew_point) / _magnus(temperature)
