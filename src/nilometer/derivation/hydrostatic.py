"""Water level from pressure: vented and absolute sensors, bubblers, columns of several densities.

Levels are heights of the water's surface over the sensor's diaphragm (over the orifice of a bubbler), to which the
height of that point over the gauge's zero is added. Density is an input, never assumed: it comes from temperature and
salinity (`water_density`, `seawater`), from a profile (`LayeredColumn`, `mean_density`), or from a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.family_settings import checked
from nilometer.derivation.function import Family, Function, Input, function
from nilometer.errors import ConfigError

__all__ = [
    "LAYERED_LEVEL",
    "LayeredColumn",
    "absolute_level",
    "bubbler_level",
    "mean_density",
    "vented_level",
]

STANDARD_GRAVITY: Final = 9.80665

PRESSURE: Final = Input("kPa", -50.0, 120_000.0, scale=10.0, typical=30.0)
DENSITY: Final = Input("kg m-3", 900.0, 1300.0, typical=998.2)
GRAVITY: Final = Input("m s-2", 9.7, 9.9, default=STANDARD_GRAVITY, typical=9.81)
AIR_DENSITY: Final = Input("kg m-3", 0.0, 2.0, default=0.0, typical=1.2)
HEIGHT: Final = Input("m", -500.0, 500.0, default=0.0, typical=3.0)
ELEVATION: Final = Input("m", -12_000.0, 9_000.0, default=0.0, scale=1.0, typical=10.0)


@njit(error_model="numpy")
def _column(difference: float, density: float, g: float, gas: float, height: float, air: float) -> float:
    """Return the height of water; difference in Pa between two points `height` above, gas and air between in kg m-3."""
    return (difference / g + (gas - air) * height) / (density - air)


@function(
    pressure=PRESSURE,
    density=DENSITY,
    gravity=GRAVITY,
    sensor_elevation=ELEVATION,
    air_density=AIR_DENSITY,
    vent_height=HEIGHT,
    unit="m",
)
def vented_level(
    pressure: float,
    density: float,
    gravity: float = STANDARD_GRAVITY,
    sensor_elevation: float = 0.0,
    air_density: float = 0.0,
    vent_height: float = 0.0,
) -> float:
    """Return the water level over a vented (gauge) pressure sensor.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Over that of the air at the end of the vent tube, kPa, -50 to 120000.
    density : array_like, shape (n,)
        Mean of the water above the sensor, kg m-3, 900 to 1300.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9; left out: 9.80665, which is right to 0.3 % anywhere;
        `pressure.gravity` has that of a latitude.
    sensor_elevation : array_like, shape (n,)
        Of the diaphragm over the gauge's zero or a datum, m, -12000 to 9000; negative below.
    air_density : array_like, shape (n,)
        Of the air between the water and the end of the vent tube, kg m-3, 0 to 2; left out: its weight is neglected,
        which is 1.2 mm for each metre that the tube's end is above the water.
    vent_height : array_like, shape (n,)
        Of the tube's end over the sensor, m, -500 to 500.

    Returns
    -------
    array_like, shape (n,)
        m over the zero that `sensor_elevation` is told from. NaN where an input is NaN or out of range.

    References
    ----------
    Hydrostatics: p(sensor) = p(surface) + ρ g h and p(surface) = p(vent) + ρa g (H - h), hence
    h = ((p(sensor) - p(vent)) / g - ρa H) / (ρ - ρa). ISO 4373:2022 names the quantities.

    Examples
    --------
    >>> float(vented_level(9.80665, 1000.0))
    1.0
    """
    return sensor_elevation + _column(1000.0 * pressure, density, gravity, 0.0, vent_height, air_density)


@function(
    pressure=Input("kPa", 0.0, 120_000.0, scale=10.0, typical=130.0),
    air_pressure=Input("kPa", 30.0, 120.0, typical=100.0),
    density=DENSITY,
    gravity=GRAVITY,
    sensor_elevation=ELEVATION,
    air_density=AIR_DENSITY,
    barometer_height=HEIGHT,
    unit="m",
)
def absolute_level(
    pressure: float,
    air_pressure: float,
    density: float,
    gravity: float = STANDARD_GRAVITY,
    sensor_elevation: float = 0.0,
    air_density: float = 0.0,
    barometer_height: float = 0.0,
) -> float:
    """Return the water level over a sensor of absolute pressure, with a barometer.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Absolute, at the sensor, kPa, 0 to 120000.
    air_pressure : array_like, shape (n,)
        Absolute, at the barometer and as it stands there (not reduced to sea level), kPa, 30 to 120.
    density, gravity, sensor_elevation
        As in `vented_level`.
    air_density : array_like, shape (n,)
        Of the air between the water and the barometer, kg m-3, 0 to 2; left out: its weight is neglected.
    barometer_height : array_like, shape (n,)
        Of the barometer over the sensor, m, -500 to 500. Ten metres are 12 mm of water.

    Returns
    -------
    array_like, shape (n,)
        m over the zero that `sensor_elevation` is told from. NaN where an input is NaN or out of range.

    References
    ----------
    As `vented_level`, with p(barometer) for p(vent). Two instruments of one make share part of their errors: say so by
    `correlation`, or the uncertainty is too large.

    Examples
    --------
    >>> float(absolute_level(111.13165, 101.325, 1000.0).round(6))
    1.0
    """
    difference = 1000.0 * (pressure - air_pressure)
    return sensor_elevation + _column(difference, density, gravity, 0.0, barometer_height, air_density)


@function(
    pressure=Input("kPa", 0.0, 3_000.0, scale=10.0, typical=30.0),
    density=DENSITY,
    gravity=GRAVITY,
    orifice_elevation=ELEVATION,
    gas_density=Input("kg m-3", 0.0, 3.0, default=0.0, typical=1.2),
    air_density=AIR_DENSITY,
    gauge_height=Input("m", -50.0, 500.0, default=0.0, typical=10.0),
    air_pressure=Input("kPa", 30.0, 120.0, default=101.325),
    flow_loss=Input("kPa", -10.0, 10.0, default=0.0, typical=0.1),
    unit="m",
)
def bubbler_level(
    pressure: float,
    density: float,
    gravity: float = STANDARD_GRAVITY,
    orifice_elevation: float = 0.0,
    gas_density: float = 0.0,
    air_density: float = 0.0,
    gauge_height: float = 0.0,
    air_pressure: float = 101.325,
    flow_loss: float = 0.0,
) -> float:
    """Return the water level over the orifice of a bubbler.

    Parameters
    ----------
    pressure : array_like, shape (n,)
        Of the gas at the gauge, over that of the air beside it, kPa, 0 to 3000.
    density, gravity, air_density
        As in `vented_level`.
    orifice_elevation : array_like, shape (n,)
        Over the gauge's zero or a datum, m.
    gas_density : array_like, shape (n,)
        Of the gas at the pressure of the air, kg m-3, 0 to 3; it is compressed by the pressure in the line. Left out:
        its weight is neglected.
    gauge_height : array_like, shape (n,)
        Of the gauge over the orifice, m, -50 to 500.
    air_pressure : array_like, shape (n,)
        Absolute, kPa, 30 to 120; only for the compression of the gas.
    flow_loss : array_like, shape (n,)
        What the flow of the gas loses in the line, kPa, -10 to 10: the reading minus that with the flow stopped.

    Returns
    -------
    array_like, shape (n,)
        m over the zero that `orifice_elevation` is told from. NaN where an input is NaN or out of range.

    References
    ----------
    Hydrostatics of the gas column: p(orifice) = p(gauge) - loss + ρg g H with ρg = gas density (1 + p/p(air)); the air
    outside as in `vented_level`. Described in USGS Techniques and Methods 3-A7 (2010), gas-purge systems.

    Examples
    --------
    >>> float(bubbler_level(9.80665, 1000.0))
    1.0
    >>> float(bubbler_level(98.0665, 1000.0, gas_density=1.2, air_density=1.2, gauge_height=20.0).round(3))
    10.035
    """
    net = pressure - flow_loss
    gas = gas_density * (1.0 + net / air_pressure)
    return orifice_elevation + _column(1000.0 * net, density, gravity, gas, gauge_height, air_density)


def mean_density(height: ArrayLike, density: ArrayLike, level: float) -> float:
    """Return the mean density of a column from a profile.

    Parameters
    ----------
    height : array_like, shape (n,)
        Over the sensor, m, rising.
    density : array_like, shape (n,)
        There, kg m-3; straight between, and as at the ends beyond them.
    level : float
        Height of the surface over the sensor, m, above 0.

    Returns
    -------
    float
        kg m-3: the integral over the column by its height. NaN where a density is NaN.

    Raises
    ------
    ValueError
        If heights do not rise, sizes differ, or the level is not above 0.

    References
    ----------
    p = g ∫ρ dz.

    Examples
    --------
    >>> mean_density([0.0, 2.0], [1020.0, 1000.0], 2.0)
    1010.0
    """
    z, rho = np.asarray(height, np.float64), np.asarray(density, np.float64)
    if z.ndim != 1 or z.shape != rho.shape or not z.size or np.any(np.diff(z) <= 0) or not level > 0:
        raise ValueError("a profile has rising heights with a density each, and a level above the sensor")
    inner = z[(z > 0.0) & (z < level)]
    at = np.concatenate([[0.0], inner, [level]])
    return float(np.trapezoid(np.interp(at, z, rho), at) / level)


@dataclass(frozen=True, slots=True)
class LayeredColumn:
    """Water that lies in layers, such as a salt wedge under a river.

    Parameters
    ----------
    tops : sequence of float
        Upper sides of all layers but the last, which reaches to the surface, m over the sensor, rising, above 0.
    densities : sequence of float
        Of the layers, from below, kg m-3; one more than `tops`.

    Raises
    ------
    ConfigError
        If they cannot be layers.

    Examples
    --------
    >>> level = LayeredColumn(tops=(2.0,), densities=(1020.0, 1000.0)).as_function()
    >>> float(level(9.80665 * (2 * 1.020 + 1.0)).round(6))
    3.0
    """

    tops: Sequence[float]
    densities: Sequence[float]

    def __post_init__(self) -> None:
        edges = [0.0, *self.tops]
        if len(self.densities) != len(edges) or any(b <= a for a, b in pairwise(edges)):
            raise ConfigError(
                "tops", seen=list(self.tops), allowed="heights that rise above 0, one less than densities"
            )
        if not all(DENSITY.low <= rho <= DENSITY.high for rho in self.densities):
            raise ConfigError("densities", seen=list(self.densities), allowed=f"{DENSITY.low} to {DENSITY.high} kg m-3")

    def as_function(self) -> Function:
        """Return the level over the sensor as a function of pressure (kPa, gauge) and gravity."""
        edges = np.array([0.0, *self.tops])
        rho = np.array(self.densities, np.float64)
        weight = np.concatenate([[0.0], np.cumsum(np.diff(edges) * rho[:-1])])

        def level(pressure: NDArray[np.float64], gravity: NDArray[np.float64]) -> NDArray[np.float64]:
            """Return the level over a sensor below layers of given densities."""
            mass = 1000.0 * pressure / gravity
            layer = np.clip(np.searchsorted(weight, mass, side="right") - 1, 0, len(rho) - 1)
            return np.asarray(edges[layer] + (mass - weight[layer]) / rho[layer])

        return Function.made("hydrostatic.layered_level", {"pressure": PRESSURE, "gravity": GRAVITY}, "m", level)


def _layered(settings: Mapping[str, Any]) -> Function:
    told = checked(settings, LAYERED_LEVEL.settings, ("densities",))
    return LayeredColumn(tuple(told.get("tops", ())), tuple(told["densities"])).as_function()


LAYERED_LEVEL: Final = Family(
    "hydrostatic.layered_level",
    "water level over a sensor below layers of given densities",
    {"tops": "upper sides of all layers but the last, m over the sensor", "densities": "of the layers, kg m-3"},
    _layered,
)
