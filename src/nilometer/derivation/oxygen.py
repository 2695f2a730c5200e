"""Oxygen in water that stands under moist air: solubility, and saturation as a share of it.

It never guesses a pressure: what is computed at one atmosphere is *sea-level* saturation, what is computed at the
pressure of the place is *local* saturation, and the caller says which.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "concentration",
    "partial_pressure",
    "pressure_factor",
    "pressure_factor_usgs",
    "salinity_factor",
    "saturation",
    "saturation_from_partial_pressure",
    "solubility",
]

TEMPERATURE: Final = Input("degree_Celsius", 0.0, 40.0)
SALINITY: Final = Input("1", 0.0, 40.0, default=0.0)
PRESSURE: Final = Input("atm", 0.3, 1.2, default=1.0, typical=0.98)
SATURATION: Final = Input("%", 0.0, 500.0, typical=90.0)
_DRY_AIR: Final = 0.20946  # mole fraction of oxygen (Glueckauf 1951)


@njit(inline="always", error_model="numpy")
def _benson_krause(t: float, s: float, p: float) -> float:
    kelvin = t + 273.15
    inverse = 1.0 / kelvin
    fresh = -139.34411 + inverse * (
        1.575701e5 + inverse * (-6.642308e7 + inverse * (1.243800e10 - inverse * 8.621949e11))
    )
    at_one = np.exp(fresh - s * (1.7674e-2 + inverse * (-1.0754e1 + inverse * 2.1407e3)))
    if p == 1.0:
        return at_one
    return at_one * _pressure_factor(t, p)


@njit(inline="always", error_model="numpy")
def _pressure_factor(t: float, p: float) -> float:
    inverse = 1.0 / (t + 273.15)
    vapour = np.exp(11.8571 - 3840.70 * inverse - 216961.0 * inverse * inverse)
    theta = 0.000975 + t * (-1.426e-5 + t * 6.436e-8)
    return (p - vapour) * (1.0 - theta * p) / ((1.0 - vapour) * (1.0 - theta))


@njit(inline="always", error_model="numpy")
def _dry_oxygen(t: float, s: float, p: float) -> float:
    """Return the partial pressure of oxygen in moist air, hPa."""
    kelvin = t + 273.15
    vapour = np.exp(24.4543 - 6745.09 / kelvin - 4.8489 * np.log(0.01 * kelvin) - 0.000544 * s)
    return _DRY_AIR * 1013.25 * (p - vapour)


@function(temperature=TEMPERATURE, salinity=SALINITY, pressure=PRESSURE, unit="mg L-1")
def solubility(temperature: float, salinity: float = 0.0, pressure: float = 1.0) -> float:
    """Return the oxygen that water holds in balance with moist air.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 40.
    pressure : array_like, shape (n,)
        Air pressure at the water's surface, atm, 0.3 to 1.2.

    Returns
    -------
    array_like, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    References
    ----------
    Benson and Krause (1984), Limnol. Oceanogr. 29, 620-632, as printed in Standard Methods 4500-O and USGS Office of
    Water Quality Technical Memorandum 2011.03: equation at one atmosphere, and the pressure correction with theta and
    the vapour pressure of water.

    Examples
    --------
    >>> float(solubility(20.0).round(3))
    9.092
    """
    return _benson_krause(temperature, salinity, pressure)


@function(
    dissolved_oxygen=Input("mg L-1", 0.0, 60.0, typical=8.0),
    temperature=TEMPERATURE,
    salinity=SALINITY,
    pressure=PRESSURE,
    unit="%",
)
def saturation(dissolved_oxygen: float, temperature: float, salinity: float = 0.0, pressure: float = 1.0) -> float:
    """Return dissolved oxygen as a share of what the water would hold.

    Parameters
    ----------
    dissolved_oxygen : array_like, shape (n,)
        mg L-1, 0 to 60.
    temperature, salinity, pressure : array_like, shape (n,)
        As in `solubility`; at 1 atm the result is sea-level saturation, at the pressure of the place local saturation.

    Returns
    -------
    array_like, shape (n,)
        Percent. NaN where an input is NaN or out of range.

    References
    ----------
    USGS National Field Manual, chapter A6.2: 100 times the measured concentration over the solubility at the sample's
    temperature, salinity and pressure.

    Examples
    --------
    >>> float(saturation(9.092, 20.0).round(1))
    100.0
    """
    return 100.0 * dissolved_oxygen / _benson_krause(temperature, salinity, pressure)


@function(saturation=SATURATION, temperature=TEMPERATURE, salinity=SALINITY, pressure=PRESSURE, unit="mg L-1")
def concentration(saturation: float, temperature: float, salinity: float = 0.0, pressure: float = 1.0) -> float:
    """Return dissolved oxygen from its saturation.

    Parameters
    ----------
    saturation : array_like, shape (n,)
        %, 0 to 500; sea-level saturation goes with 1 atm, local saturation with the pressure of the place.
    temperature, salinity, pressure : array_like, shape (n,)
        As in `solubility`.

    Returns
    -------
    array_like, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    References
    ----------
    USGS National Field Manual, chapter A6.2, turned round; solubility by Benson and Krause (1984).

    Examples
    --------
    >>> float(concentration(50.0, 20.0).round(3))
    4.546
    """
    return 0.01 * saturation * _benson_krause(temperature, salinity, pressure)


@function(temperature=TEMPERATURE, salinity=Input("1", 0.0, 40.0), unit="1")
def salinity_factor(temperature: float, salinity: float) -> float:
    """Return the oxygen that salt water holds as a share of what fresh water holds.

    An optical or membrane probe without a conductivity cell reports as of fresh water: this factor corrects it.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    Benson and Krause (1984), Limnol. Oceanogr. 29, 620-632, salinity term; USGS OWQ Technical Memorandum 2011.03,
    salinity correction factor.

    Examples
    --------
    >>> float(salinity_factor(10.0, 35.0).round(4))
    0.7995
    """
    inverse = 1.0 / (temperature + 273.15)
    return np.exp(-salinity * (1.7674e-2 + inverse * (-1.0754e1 + inverse * 2.1407e3)))


@function(temperature=TEMPERATURE, pressure=Input("atm", 0.3, 1.2, typical=0.98), unit="1")
def pressure_factor(temperature: float, pressure: float) -> float:
    """Return the oxygen that water holds under a pressure as a share of what it holds under one atmosphere.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 40.
    pressure : array_like, shape (n,)
        Air pressure at the water's surface, atm, 0.3 to 1.2.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    Benson and Krause (1984) as in Standard Methods 4500-O: with theta and the vapour pressure of water.

    Examples
    --------
    >>> float(pressure_factor(20.0, 0.9).round(4))
    0.8977
    """
    return _pressure_factor(temperature, pressure)


@function(temperature=TEMPERATURE, pressure=Input("mmHg", 228.0, 912.0, typical=745.0), unit="1")
def pressure_factor_usgs(temperature: float, pressure: float) -> float:
    """Return the pressure factor of oxygen solubility in the simple form of the USGS tables.

    Differs from `pressure_factor` by less than 0.1 % at 0.9 atm.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 40.
    pressure : array_like, shape (n,)
        Air pressure at the water's surface, mmHg, 228 to 912.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    USGS Office of Water Quality Technical Memorandum 2011.03: (P - Pw)/(760 - Pw), with
    log10 Pw = 8.10765 - 1750.286/(235 + t) in mmHg.

    Examples
    --------
    >>> float(pressure_factor_usgs(20.0, 684.0).round(4))
    0.8976
    """
    vapour = 10.0 ** (8.10765 - 1750.286 / (235.0 + temperature))
    return (pressure - vapour) / (760.0 - vapour)


@function(saturation=SATURATION, temperature=TEMPERATURE, salinity=SALINITY, pressure=PRESSURE, unit="hPa")
def partial_pressure(saturation: float, temperature: float, salinity: float = 0.0, pressure: float = 1.0) -> float:
    """Return the partial pressure of oxygen in water from its saturation.

    Parameters
    ----------
    saturation : array_like, shape (n,)
        %, 0 to 500.
    temperature, salinity, pressure : array_like, shape (n,)
        As in `solubility`; the air pressure is that which the saturation refers to.

    Returns
    -------
    array_like, shape (n,)
        hPa, at the water's surface: the pressure of a water column above the sensor is not counted. NaN where an input
        is NaN or out of range.

    References
    ----------
    SCOR WG 142, Recommendations on the conversion between oxygen quantities (2018): the share of oxygen in dry air,
    0.20946 (Glueckauf 1951), times air pressure less vapour pressure by Weiss and Price (1980), Mar. Chem. 8, eq. 10.

    Examples
    --------
    >>> float(partial_pressure(100.0, 20.0).round(1))
    207.3
    """
    return 0.01 * saturation * _dry_oxygen(temperature, salinity, pressure)


@function(
    partial_pressure=Input("hPa", 0.0, 1200.0, typical=190.0),
    temperature=TEMPERATURE,
    salinity=SALINITY,
    pressure=PRESSURE,
    unit="%",
)
def saturation_from_partial_pressure(
    partial_pressure: float, temperature: float, salinity: float = 0.0, pressure: float = 1.0
) -> float:
    """Return the saturation of oxygen from its partial pressure, which is what a probe senses.

    Parameters
    ----------
    partial_pressure : array_like, shape (n,)
        Of oxygen at the water's surface, hPa, 0 to 1200.
    temperature, salinity, pressure : array_like, shape (n,)
        As in `solubility`.

    Returns
    -------
    array_like, shape (n,)
        %. NaN where an input is NaN or out of range.

    References
    ----------
    SCOR WG 142, Recommendations on the conversion between oxygen quantities (2018), as in `partial_pressure`.

    Examples
    --------
    >>> float(saturation_from_partial_pressure(207.3, 20.0).round(1))
    100.0
    """
    return 100.0 * partial_pressure / _dry_oxygen(temperature, salinity, pressure)
