"""Sea water by TEOS-10, with its symbols: density and what is made of it compiled, the rest through its library (gsw).

``SP`` is practical salinity, ``SA`` absolute salinity (g kg-1), ``t`` the temperature in situ, ``CT`` conservative
temperature, ``p`` the pressure above that of the air (dbar). Absolute salinity needs the place, for the sea's salts are
not everywhere mixed alike; on land and in closed seas that the atlas does not know it is NaN. The equations of 1980 are
in `eos80`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.function import Input, function
from nilometer.derivation.pss78 import of_ratio
from nilometer.derivation.seawater_volume import SALINITY_FACTOR, by_salinity, by_temperature, coordinates, volume

__all__ = [
    "absolute_salinity",
    "adiabatic_lapse_rate",
    "conductivity",
    "conservative_temperature",
    "density",
    "freezing_temperature",
    "haline_contraction",
    "heat_capacity",
    "potential_density_anomaly",
    "potential_temperature",
    "practical_salinity",
    "sound_speed",
    "thermal_expansion",
]

Floats = NDArray[np.float64]

_SP: Final = Input("1", 0.0, 42.0, typical=35.0)
_SA: Final = Input("g kg-1", 0.0, 42.0, typical=35.0)
_TEMPERATURE: Final = Input("degree_Celsius", -2.0, 40.0, typical=12.0)
_PRESSURE: Final = Input("dbar", 0.0, 11_000.0, default=0.0, typical=500.0)
_LONGITUDE: Final = Input("degree", -180.0, 360.0, typical=-30.3)
_LATITUDE: Final = Input("degree", -86.0, 90.0, typical=30.3)
_SURFACE: Final = np.zeros(1)


def _gsw() -> Any:  # noqa: ANN401 -- a library without types
    import gsw  # noqa: PLC0415 -- a third of a second that only sea water needs

    return gsw


@njit(inline="always", error_model="numpy")
def _volume(x: float, y: float, z: float) -> float:
    v0, v1, v2, v3, v4, v5, v6 = volume(x, y)
    return v0 + z * (v1 + z * (v2 + z * (v3 + z * (v4 + z * (v5 + z * v6)))))


@function(C=Input("mS cm-1", 0.0, 80.0, typical=40.0), t=_TEMPERATURE, p=_PRESSURE, unit="1")
def practical_salinity(C: float, t: float, p: float = 0.0) -> float:
    """Return practical salinity from conductivity.

    Parameters
    ----------
    C : array_like, shape (n,)
        Conductivity as measured, not compensated, mS cm-1, 0 to 80.
    t : array_like, shape (n,)
        Temperature (ITS-90), degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        Practical salinity (PSS-78), 1; below 2 with the extension of Hill, Dauphinee and Woods (1986), joined without a
        step. NaN where an input is NaN or out of range.

    References
    ----------
    UNESCO (1981), PSS-78; Hill et al. (1986), IEEE J. Oceanic Eng. 11, 109-112; C(35, 15, 0) = 42.9140
    mS cm-1; equal to gsw_SP_from_C.

    Examples
    --------
    >>> float(practical_salinity(42.914, 15.0 / 1.00024, 0.0).round(4))
    35.0
    """
    return of_ratio(C * (1.0 / 42.9140), t, p)


@function(SP=_SP, t=_TEMPERATURE, p=_PRESSURE, unit="mS cm-1", compiled=False)
def conductivity(SP: Floats, t: Floats, p: Floats = _SURFACE) -> Floats:
    """Return the conductivity of water of a practical salinity.

    Parameters
    ----------
    SP : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    t : array_like, shape (n,)
        Temperature (ITS-90), degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        mS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    UNESCO (1981), PSS-78, turned round; gsw_C_from_SP.

    Examples
    --------
    >>> float(conductivity(35.0, 15.0 / 1.00024, 0.0).round(3))
    42.914
    """
    found: Floats = _gsw().C_from_SP(SP, t, p)
    return found


@function(
    SP=_SP,
    p=Input("dbar", 0.0, 11_000.0, typical=500.0),
    longitude=_LONGITUDE,
    latitude=_LATITUDE,
    unit="g kg-1",
    compiled=False,
)
def absolute_salinity(SP: Floats, p: Floats, longitude: Floats, latitude: Floats) -> Floats:
    """Return absolute salinity from practical salinity and the place.

    Parameters
    ----------
    SP : array_like, shape (n,)
        Practical salinity, 1, 0 to 42.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000.
    longitude, latitude : array_like, shape (n,)
        degree east and north, -180 to 360 and -86 to 90.

    Returns
    -------
    array_like, shape (n,)
        SA, g kg-1. NaN where an input is NaN or out of range, and on land.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 2.5; McDougall et al. (2012), Ocean Sci. 8, 1123-1134;
    gsw_SA_from_SP.

    Examples
    --------
    >>> float(absolute_salinity(34.5487, 10.0, 188.0, 4.0).round(4))
    34.7118
    """
    found: Floats = _gsw().SA_from_SP(SP, p, longitude, latitude)
    return found


@function(SA=_SA, t=_TEMPERATURE, p=_PRESSURE, unit="degree_Celsius", compiled=False)
def conservative_temperature(SA: Floats, t: Floats, p: Floats = _SURFACE) -> Floats:
    """Return conservative temperature from the temperature in situ.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    t : array_like, shape (n,)
        Temperature (ITS-90), degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        CT, degree_Celsius. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, eq. 3.3.1; gsw_CT_from_t.

    Examples
    --------
    >>> float(conservative_temperature(34.7118, 28.7856, 10.0).round(4))
    28.8099
    """
    found: Floats = _gsw().CT_from_t(SA, t, p)
    return found


@function(
    SA=_SA,
    t=_TEMPERATURE,
    p=Input("dbar", 0.0, 11_000.0, typical=500.0),
    p_ref=Input("dbar", 0.0, 11_000.0, default=0.0, typical=10.0),
    unit="degree_Celsius",
    compiled=False,
)
def potential_temperature(SA: Floats, t: Floats, p: Floats, p_ref: Floats = _SURFACE) -> Floats:
    """Return the temperature after water was brought to another pressure without exchange of heat and salt.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    t : array_like, shape (n,)
        Temperature (ITS-90), degree_Celsius, -2 to 40.
    p, p_ref : array_like, shape (n,)
        Where it is and where it is brought to, above the pressure of the air, dbar, 0 to 11000; left out: to the
        surface.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 3.1; gsw_pt_from_t.

    Examples
    --------
    >>> float(potential_temperature(34.7118, 28.7856, 10.0).round(4))
    28.7832
    """
    found: Floats = _gsw().pt_from_t(SA, t, p, p_ref)
    return found


@function(SA=_SA, CT=_TEMPERATURE, p=_PRESSURE, unit="kg m-3")
def density(SA: float, CT: float, p: float = 0.0) -> float:
    """Return the density of sea water.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        kg m-3. NaN where an input is NaN or out of range.

    References
    ----------
    Roquet et al. (2015), Ocean Modelling 90, 29-43 (75 terms), equal to gsw_rho to twelve digits.

    Examples
    --------
    >>> float(density(34.7118, 28.8099, 10.0).round(5))
    1021.83994
    """
    x, y, z = coordinates(SA, CT, p)
    return 1.0 / _volume(x, y, z)


@function(SA=_SA, CT=_TEMPERATURE, unit="kg m-3")
def potential_density_anomaly(SA: float, CT: float) -> float:
    """Return the density that water would have at the surface, less 1000 kg m-3 (sigma0).

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.

    Returns
    -------
    array_like, shape (n,)
        kg m-3. NaN where an input is NaN or out of range.

    References
    ----------
    Roquet et al. (2015), Ocean Modelling 90, 29-43 (75 terms), equal to gsw_sigma0 to twelve digits.

    Examples
    --------
    >>> float(potential_density_anomaly(34.7118, 28.8099).round(4))
    21.7979
    """
    x, y, _ = coordinates(SA, CT, 0.0)
    return 1.0 / volume(x, y)[0] - 1000.0


@function(SA=_SA, CT=_TEMPERATURE, p=_PRESSURE, unit="m s-1")
def sound_speed(SA: float, CT: float, p: float = 0.0) -> float:
    """Return the speed of sound in sea water.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        m s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Roquet et al. (2015), Ocean Modelling 90, 29-43 (75 terms), equal to gsw_sound_speed to twelve digits.

    Examples
    --------
    >>> float(sound_speed(34.7118, 28.8099, 10.0).round(3))
    1542.478
    """
    x, y, z = coordinates(SA, CT, p)
    v0, v1, v2, v3, v4, v5, v6 = volume(x, y)
    here = v0 + z * (v1 + z * (v2 + z * (v3 + z * (v4 + z * (v5 + z * v6)))))
    by_pressure = v1 + z * (2.0 * v2 + z * (3.0 * v3 + z * (4.0 * v4 + z * (5.0 * v5 + z * 6.0 * v6))))
    return 1e4 * here / np.sqrt(-by_pressure)


@function(SA=_SA, p=_PRESSURE, unit="degree_Celsius", compiled=False)
def freezing_temperature(SA: Floats, p: Floats = _SURFACE) -> Floats:
    """Return the temperature in situ at which air-free sea water freezes.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius (ITS-90). NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 3.33; gsw_t_freezing without dissolved air.

    Examples
    --------
    >>> float(freezing_temperature(34.7118, 10.0).round(4))
    -1.9008
    """
    found: Floats = _gsw().t_freezing(SA, p, 0.0)
    return found


@function(SA=_SA, t=_TEMPERATURE, p=_PRESSURE, unit="J kg-1 K-1", compiled=False)
def heat_capacity(SA: Floats, t: Floats, p: Floats = _SURFACE) -> Floats:
    """Return the specific heat of sea water at constant pressure.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    t : array_like, shape (n,)
        Temperature (ITS-90), degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        J kg-1 K-1. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 2.20; gsw_cp_t_exact.

    Examples
    --------
    >>> float(heat_capacity(34.7118, 28.7856, 10.0).round(2))
    4002.89
    """
    found: Floats = _gsw().cp_t_exact(SA, t, p)
    return found


@function(SA=_SA, CT=_TEMPERATURE, p=_PRESSURE, unit="K Pa-1", compiled=False)
def adiabatic_lapse_rate(SA: Floats, CT: Floats, p: Floats = _SURFACE) -> Floats:
    """Return the warming of sea water that is compressed without exchange of heat and salt.

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        K Pa-1. NaN where an input is NaN or out of range.

    References
    ----------
    IOC, SCOR and IAPSO (2010), TEOS-10 manual, section 2.22; gsw_adiabatic_lapse_rate_from_CT.

    Examples
    --------
    >>> float(1e7 * adiabatic_lapse_rate(34.7118, 28.8099, 10.0).round(12))
    0.24035
    """
    found: Floats = _gsw().adiabatic_lapse_rate_from_CT(SA, CT, p)
    return found


@function(SA=_SA, CT=_TEMPERATURE, p=_PRESSURE, unit="K-1")
def thermal_expansion(SA: float, CT: float, p: float = 0.0) -> float:
    """Return the thermal expansion coefficient with respect to conservative temperature (alpha).

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        K-1. NaN where an input is NaN or out of range.

    References
    ----------
    Roquet et al. (2015), Ocean Modelling 90, 29-43 (75 terms), equal to gsw_alpha to twelve digits.

    Examples
    --------
    >>> float(1e3 * thermal_expansion(34.7118, 28.8099, 10.0).round(8))
    0.32464
    """
    x, y, z = coordinates(SA, CT, p)
    v0, v1, v2, v3, v4 = by_temperature(x, y)
    return 0.025 * (v0 + z * (v1 + z * (v2 + z * (v3 + z * v4)))) / _volume(x, y, z)


@function(SA=_SA, CT=_TEMPERATURE, p=_PRESSURE, unit="kg g-1")
def haline_contraction(SA: float, CT: float, p: float = 0.0) -> float:
    """Return the haline contraction coefficient at constant conservative temperature (beta).

    Parameters
    ----------
    SA : array_like, shape (n,)
        Absolute salinity, g kg-1, 0 to 42.
    CT : array_like, shape (n,)
        Conservative temperature, degree_Celsius, -2 to 40.
    p : array_like, shape (n,)
        Pressure above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        kg g-1. NaN where an input is NaN or out of range.

    References
    ----------
    Roquet et al. (2015), Ocean Modelling 90, 29-43 (75 terms), equal to gsw_beta to twelve digits.

    Examples
    --------
    >>> float(1e3 * haline_contraction(34.7118, 28.8099, 10.0).round(8))
    0.71748
    """
    x, y, z = coordinates(SA, CT, p)
    v0, v1, v2, v3, v4 = by_salinity(x, y)
    change = v0 + z * (v1 + z * (v2 + z * (v3 + z * v4)))
    return -0.5 * SALINITY_FACTOR * change / (x * _volume(x, y, z))
