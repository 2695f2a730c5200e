"""Air pressure at one height from that at another.

Oxygen saturation, and the depth of a gauge that is not vented, need the pressure of the place; weather services publish
it reduced to sea level.
"""

from __future__ import annotations

from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["sea_level_pressure", "standard_altitude", "standard_pressure", "station_pressure"]

PRESSURE: Final = Input("hPa", 300.0, 1100.0, typical=980.0)
ALTITUDE: Final = Input("m", -500.0, 9000.0, typical=300.0)
TEMPERATURE: Final = Input("degree_Celsius", -45.0, 60.0, typical=15.0)
_LAPSE: Final = 0.0065
_EXPONENT: Final = 9.80665 * 0.0289644 / (8.31432 * _LAPSE)


@njit(inline="always", error_model="numpy")
def _ratio(t: float, altitude: float) -> float:
    """Return pressure at sea level over pressure at the altitude, where it is t degree_Celsius."""
    kelvin = t + 273.15
    return ((kelvin + _LAPSE * altitude) / kelvin) ** _EXPONENT


@function(pressure=PRESSURE, altitude=ALTITUDE, temperature=TEMPERATURE, unit="hPa")
def sea_level_pressure(pressure: float, altitude: float, temperature: float) -> float:
    """Return air pressure reduced to sea level.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        At the station, hPa, 300 to 1100.
    altitude : array_like, shape (n,)
        Of the barometer above sea level, m, -500 to 9000.
    temperature : array_like, shape (n,)
        Of the air at the station, degree_Celsius, -45 to 60.

    Returns
    -------
    array_like, shape (n,)
        hPa. NaN where an input is NaN or out of range.

    References
    ----------
    Barometric equation of a layer of constant lapse rate, ISO 2533 (1975), here with 6.5 K/km from the
    station's own temperature; moisture is not counted.

    Examples
    --------
    >>> float(sea_level_pressure(954.61, 500.0, 11.75).round(2))
    1013.25
    """
    return pressure * _ratio(temperature, altitude)


@function(
    sea_level_pressure=Input("hPa", 850.0, 1100.0, typical=1013.0),
    altitude=ALTITUDE,
    temperature=TEMPERATURE,
    unit="hPa",
)
def station_pressure(sea_level_pressure: float, altitude: float, temperature: float) -> float:
    """Return the air pressure at a station from that reduced to sea level.

    Parameters
    ----------
    sea_level_pressure : array_like, shape (n,)
        hPa, 850 to 1100.
    altitude : array_like, shape (n,)
        Of the station above sea level, m, -500 to 9000.
    temperature : array_like, shape (n,)
        Of the air at the station, degree_Celsius, -45 to 60.

    Returns
    -------
    array_like, shape (n,)
        hPa. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 2533 (1975), as in `sea_level_pressure`, turned round.

    Examples
    --------
    >>> float(station_pressure(1013.25, 500.0, 11.75).round(2))
    954.61
    """
    return sea_level_pressure / _ratio(temperature, altitude)


@function(altitude=ALTITUDE, unit="hPa")
def standard_pressure(altitude: float) -> float:
    """Return the pressure of the standard atmosphere at an altitude.

    Parameters
    ----------
    altitude : array_like, shape (n,)
        Geopotential altitude, m, -500 to 9000.

    Returns
    -------
    array_like, shape (n,)
        hPa; the weather of a day differs by up to some per cent. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 2533 (1975), equation and table, equal to the U.S. Standard Atmosphere 1976 below 11 km.

    Examples
    --------
    >>> float(standard_pressure(1000.0).round(2))
    898.75
    """
    return 1013.25 * (1.0 - _LAPSE * altitude / 288.15) ** _EXPONENT


@function(pressure=PRESSURE, unit="m")
def standard_altitude(pressure: float) -> float:
    """Return the altitude at which the standard atmosphere has a pressure.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        hPa, 300 to 1100.

    Returns
    -------
    array_like, shape (n,)
        Geopotential altitude, m. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 2533 (1975), turned round.

    Examples
    --------
    >>> float(standard_altitude(898.75).round(0))
    1000.0
    """
    return 288.15 / _LAPSE * (1.0 - (pressure / 1013.25) ** (1.0 / _EXPONENT))
