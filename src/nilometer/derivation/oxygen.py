"""Oxygen in water that stands under moist air: solubility, and saturation as a share of it.

It never guesses a pressure: what is computed at one atmosphere is *sea-level* saturation, what is computed at the
pressure of the place is *local* saturation, and the caller says which.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["saturation", "solubility"]


def solubility(temperature: ArrayLike, salinity: ArrayLike = 0.0, pressure: ArrayLike = 1.0) -> NDArray[np.float64]:
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
    ndarray of float64, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    Raises
    ------
    ValueError
        If the inputs do not broadcast to one shape.

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
    t = np.asarray(temperature, np.float64)
    s = np.asarray(salinity, np.float64)
    p = np.asarray(pressure, np.float64)
    inside = (t >= 0.0) & (t <= 40.0) & (s >= 0.0) & (s <= 40.0) & (p >= 0.3) & (p <= 1.2)
    t, s, p, inside = np.broadcast_arrays(t, s, p, inside)
    inverse = 1.0 / (np.where(inside, t, 20.0) + 273.15)
    fresh = -139.34411 + inverse * (
        1.575701e5 + inverse * (-6.642308e7 + inverse * (1.243800e10 - inverse * 8.621949e11))
    )
    salt = s * (1.7674e-2 + inverse * (-1.0754e1 + inverse * 2.1407e3))
    result = np.where(inside, np.exp(fresh - np.where(inside, salt, 0.0)), np.nan)
    if np.any(p != 1.0):
        result = result * _pressure_factor(np.where(inside, t, 20.0), np.where(inside, p, 1.0))
    return np.asarray(result, np.float64)


def _pressure_factor(t: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return C(p)/C(1 atm); t degree_Celsius, p atm; vapour pressure and theta as in Standard Methods 4500-O."""
    kelvin = t + 273.15
    vapour = np.exp(11.8571 - 3840.70 / kelvin - 216961.0 / kelvin**2)
    theta = 0.000975 - 1.426e-5 * t + 6.436e-8 * t**2
    factor: NDArray[np.float64] = p * (1.0 - vapour / p) * (1.0 - theta * p) / ((1.0 - vapour) * (1.0 - theta))
    return factor


def saturation(
    dissolved_oxygen: ArrayLike, temperature: ArrayLike, salinity: ArrayLike = 0.0, pressure: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """Return dissolved oxygen as a share of what the water would hold.

    Parameters
    ----------
    dissolved_oxygen : array_like, shape (n,)
        mg L-1, at least 0.
    temperature, salinity, pressure : array_like, shape (n,)
        As in `solubility`; at 1 atm the result is sea-level saturation, at the pressure of the place local saturation.

    Returns
    -------
    ndarray of float64, shape (n,)
        Percent. NaN where an input is NaN or out of range.

    Raises
    ------
    ValueError
        If the inputs do not broadcast to one shape.

    References
    ----------
    USGS National Field Manual, chapter A6.2: 100 times the measured concentration over the solubility at the sample's
    temperature, salinity and pressure.

    Examples
    --------
    >>> float(saturation(9.092, 20.0).round(1))
    100.0
    """
    oxygen = np.asarray(dissolved_oxygen, np.float64)
    share = 100.0 * oxygen / solubility(temperature, salinity, pressure)
    return np.where(oxygen >= 0.0, share, np.nan)
