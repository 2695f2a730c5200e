"""Oxygen in sea water by Garcia and Gordon, who fitted the measurements of Benson and Krause anew.

Only the fit to Benson and Krause is here; the paper's *combined* fit is another set of coefficients. All is at one
atmosphere of moist air: `oxygen.pressure_factor` leads to other pressures.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["solubility_content", "solubility_teos10", "solubility_volume"]

TEMPERATURE: Final = Input("degree_Celsius", -2.0, 40.0)
SALINITY: Final = Input("1", 0.0, 42.0, default=0.0)


@njit(inline="always", error_model="numpy")
def _content(t: float, s: float) -> float:
    ts = np.log((298.15 - t) / (273.15 + t))
    fresh = 5.80871 + ts * (3.20291 + ts * (4.17887 + ts * (5.10006 + ts * (-9.86643e-2 + ts * 3.80369))))
    salt = -7.01577e-3 + ts * (-7.70028e-3 + ts * (-1.13864e-2 - ts * 9.51519e-3))
    return np.exp(fresh + s * (salt - 2.75915e-7 * s))


@function(temperature=TEMPERATURE, salinity=SALINITY, unit="umol kg-1")
def solubility_content(temperature: float, salinity: float = 0.0) -> float:
    """Return the oxygen that sea water holds in balance with moist air, by mass of water.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.

    Returns
    -------
    array_like, shape (n,)
        umol kg-1, at one atmosphere. NaN where an input is NaN or out of range.

    References
    ----------
    Garcia and Gordon (1992), Limnol. Oceanogr. 37, 1307-1312, eq. 8 without its erroneous term A3·Ts², fit to Benson
    and Krause in umol kg-1; check value at 10 °C and S = 35.

    Examples
    --------
    >>> float(solubility_content(10.0, 35.0).round(2))
    274.61
    """
    return _content(temperature, salinity)


@function(potential_temperature=TEMPERATURE, salinity=SALINITY, unit="umol kg-1")
def solubility_teos10(potential_temperature: float, salinity: float = 0.0) -> float:
    """Return the oxygen that sea water would hold at the surface, as TEOS-10's library computes it.

    The same equation as `solubility_content`, at the temperature on the IPTS-68.

    Parameters
    ----------
    potential_temperature : array_like, shape (n,)
        Potential temperature referred to the surface (ITS-90), degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.

    Returns
    -------
    array_like, shape (n,)
        umol kg-1, at one atmosphere. NaN where an input is NaN or out of range.

    References
    ----------
    TEOS-10, Gibbs SeaWater Oceanographic Toolbox, gsw_O2sol_SP_pt, its documentation's example; after Garcia and Gordon
    (1992).

    Examples
    --------
    >>> float(solubility_teos10(28.7846, 34.5487).round(4))
    194.9607
    """
    return _content(1.00024 * potential_temperature, salinity)


@function(temperature=TEMPERATURE, salinity=SALINITY, unit="mL L-1")
def solubility_volume(temperature: float, salinity: float = 0.0) -> float:
    """Return the oxygen that sea water holds in balance with moist air, as a volume of gas (0 °C, 1 atm).

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.

    Returns
    -------
    array_like, shape (n,)
        mL L-1, at one atmosphere. NaN where an input is NaN or out of range.

    References
    ----------
    Garcia and Gordon (1992), Limnol. Oceanogr. 37, 1307-1312, eq. 8 without its erroneous term A3·Ts², fit to Benson
    and Krause in mL L-1.

    Examples
    --------
    >>> float(solubility_volume(10.0, 35.0).round(3))
    6.315
    """
    ts = np.log((298.15 - temperature) / (273.15 + temperature))
    fresh = 2.00907 + ts * (3.22014 + ts * (4.05010 + ts * (4.94457 + ts * (-0.256847 + ts * 3.88767))))
    salt = -6.24523e-3 + ts * (-7.37614e-3 + ts * (-1.03410e-2 - ts * 8.17083e-3))
    return np.exp(fresh + salinity * (salt - 4.88682e-7 * salinity))
