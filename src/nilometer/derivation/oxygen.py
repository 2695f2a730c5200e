"""Oxygen in water that stands under moist air: solubility, and saturation as a share of it.

It never guesses a pressure: what is computed at one atmosphere is *sea-level* saturation, what is computed at the
pressure of the place is *local* saturation, and the caller says which.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["saturation", "solubility"]

TEMPERATURE: Final = Input("degree_Celsius", 0.0, 40.0)
SALINITY: Final = Input("1", 0.0, 40.0, default=0.0)
PRESSURE: Final = Input("atm", 0.3, 1.2, default=1.0, typical=0.98)


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
    vapour = np.exp(11.8571 - 3840.70 * inverse - 216961.0 * inverse * inverse)
    theta = 0.000975 + t * (-1.426e-5 + t * 6.436e-8)
    return at_one * (p - vapour) * (1.0 - theta * p) / ((1.0 - vapour) * (1.0 - theta))


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
