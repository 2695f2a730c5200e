"""Water level from above: ultrasonic and radar gauges.

A gauge hangs at a known height and tells how far down the water is. Sound travels as fast as the air is warm: what
counts is the mean slowness along the path. A distance that is nearer than the blanking distance, or that came back too
weak, is no measurement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.family_settings import checked
from nilometer.derivation.function import Family, Function, Input, function
from nilometer.errors import ConfigError

__all__ = [
    "PROFILE_DISTANCE",
    "flight_distance",
    "level_below_gauge",
    "profile_distance",
    "radar_distance",
    "temperature_corrected_distance",
]

SPEED: Final = 331.3
"""Of sound in dry air at 0 degree_Celsius, m s-1."""

TEMPERATURE: Final = Input("degree_Celsius", -50.0, 60.0, typical=15.0)
MOISTURE: Final = Input("1", 0.99, 1.02, default=1.0, typical=1.003)
DIFFERENCE: Final = Input("K", -60.0, 60.0, default=0.0, typical=-4.0)


@njit(error_model="numpy")
def _speed(t: float) -> float:
    """Return the speed of sound in dry air."""
    return SPEED * math.sqrt(1.0 + t / 273.15)


@njit(error_model="numpy")
def _mean_speed(t: float, difference: float) -> float:
    # Over a temperature that changes evenly from one end to the other, 1/c with c ~ sqrt(T) has the mean
    # 2/(c1 + c2): the mean slowness is that of the mean of the two speeds, exactly.
    return 0.5 * (_speed(t) + _speed(t + difference))


@function(
    time_of_flight=Input("ms", 0.0, 500.0, typical=20.0),
    temperature=TEMPERATURE,
    surface_difference=DIFFERENCE,
    moisture_factor=MOISTURE,
    unit="m",
)
def flight_distance(
    time_of_flight: float, temperature: float, surface_difference: float = 0.0, moisture_factor: float = 1.0
) -> float:
    """Return the distance to the water from the time that a pulse of sound takes there and back.

    Parameters
    ----------
    time_of_flight : array_like, shape (n,)
        There and back, ms, 0 to 500.
    temperature : array_like, shape (n,)
        Of the air at the transducer, degree_Celsius, -50 to 60.
    surface_difference : array_like, shape (n,)
        Temperature of the air at the water minus that at the transducer, K, -60 to 60, straight between; left out: 0.
    moisture_factor : array_like, shape (n,)
        Speed of sound in the air as it is over that in dry air as warm, 1, 0.99 to 1.02: `sound.humid_air` over
        `sound.dry_air`, 1.004 in saturated air of 20 °C and 1.007 of 30 °C. Left out: 1.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    d = t / (2 s), s the mean slowness of the path: of an evenly changing temperature 2/(c1 + c2), from ∫dz/√T. The
    speed in dry air is 331.3 √(1 + t/273.15) m s-1 (ideal gas; also told as 20.05 √T). An error of 1 K of the whole
    path is 0.17 % of the distance.

    Examples
    --------
    >>> float(flight_distance(20.0, 20.0).round(3))
    3.432
    """
    return 0.5e-3 * time_of_flight * moisture_factor * _mean_speed(temperature, surface_difference)


@function(
    distance=Input("m", 0.0, 100.0, typical=4.0),
    temperature=TEMPERATURE,
    assumed_temperature=TEMPERATURE,
    surface_difference=DIFFERENCE,
    moisture_factor=MOISTURE,
    unit="m",
)
def temperature_corrected_distance(
    distance: float,
    temperature: float,
    assumed_temperature: float,
    surface_difference: float = 0.0,
    moisture_factor: float = 1.0,
) -> float:
    """Return the distance that an ultrasonic gauge would have told at the true temperature of the air.

    Parameters
    ----------
    distance : array_like, shape (n,)
        As the gauge tells it, m, 0 to 100.
    temperature : array_like, shape (n,)
        Of the air at the transducer, degree_Celsius, -50 to 60.
    assumed_temperature : array_like, shape (n,)
        What the gauge took it to be: its own sensor's value (which the sun warms), or a fixed one, degree_Celsius.
    surface_difference, moisture_factor : array_like, shape (n,)
        As in `flight_distance`; the gauge takes the air to be dry.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    The time of flight is what was measured: d = d(told) · c(path) / c(assumed); the speeds as in `flight_distance`.

    Examples
    --------
    >>> float(temperature_corrected_distance(3.432, 10.0, 20.0).round(3))
    3.373
    """
    return distance * moisture_factor * _mean_speed(temperature, surface_difference) / _speed(assumed_temperature)


@function(
    distance=Input("m", 0.0, 200.0, typical=10.0),
    refractivity=Input("1", 0.0, 500.0, typical=300.0),
    assumed_refractivity=Input("1", 0.0, 500.0, default=0.0, typical=290.0),
    unit="m",
)
def radar_distance(distance: float, refractivity: float, assumed_refractivity: float = 0.0) -> float:
    """Return the distance of a radar gauge with the refraction of the air, which hardly matters.

    Parameters
    ----------
    distance : array_like, shape (n,)
        As the gauge tells it, m, 0 to 200.
    refractivity : array_like, shape (n,)
        N = 1e6 (n - 1) of the air, 0 to 500; about 270 to 380 near the ground, vapour included.
    assumed_refractivity : array_like, shape (n,)
        Of the gauge; left out: it takes the speed of light in vacuum.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    The speed is c/n: N = 300 is 0.3 mm for each metre, and the difference between dry and moist air 0.1 mm. Radar
    needs no correction for temperature; this is for budgets of uncertainty.

    Examples
    --------
    >>> float(radar_distance(10.0, 300.0).round(4))
    9.997
    """
    return distance * (1.0 + 1e-6 * assumed_refractivity) / (1.0 + 1e-6 * refractivity)


@njit(error_model="numpy")
def _below(
    distance: float, mount: float, tilt: float, blanking: float, longest: float, echo: float, weakest: float
) -> float:
    if distance < blanking or distance > longest or echo < weakest:
        return math.nan
    return mount - distance * math.cos(math.radians(tilt))


@function(
    distance=Input("m", 0.0, 200.0, typical=4.0),
    mount_elevation=Input("m", -500.0, 9_000.0, scale=1.0, typical=10.0),
    tilt=Input("degree", 0.0, 30.0, default=0.0, typical=2.0),
    blanking=Input("m", 0.0, 10.0, default=0.0, typical=0.3),
    longest=Input("m", 0.0, 200.0, default=200.0, typical=20.0),
    echo=Input("%", 0.0, 100.0, default=100.0, typical=80.0),
    weakest_echo=Input("%", 0.0, 100.0, default=0.0, typical=20.0),
    unit="m",
)
def level_below_gauge(
    distance: float,
    mount_elevation: float,
    tilt: float = 0.0,
    blanking: float = 0.0,
    longest: float = 200.0,
    echo: float = 100.0,
    weakest_echo: float = 0.0,
) -> float:
    """Return the water level below an ultrasonic or radar gauge.

    Parameters
    ----------
    distance : array_like, shape (n,)
        From the reference point of the transducer to the water along the beam, m, 0 to 200.
    mount_elevation : array_like, shape (n,)
        Of the reference point over the gauge's zero or a datum, m, -500 to 9000.
    tilt : array_like, shape (n,)
        Of the beam against the plumb line, degree, 0 to 30.
    blanking, longest : array_like, shape (n,)
        The nearest and the farthest distance that the gauge can measure, m. A transducer that still rings answers
        itself: anything nearer than the blanking distance is no value.
    echo, weakest_echo : array_like, shape (n,)
        Strength of the echo as the gauge tells it, and the least that is believed, %: a weaker one is a lost echo, and
        no value.

    Returns
    -------
    array_like, shape (n,)
        m over the zero that `mount_elevation` is told from. NaN where an input is NaN or out of range, inside the
        blanking distance, beyond the farthest distance, and where the echo is lost; these hold with
        ``outside="extrapolate"`` too.

    References
    ----------
    Geometry: level = mount - d cos(tilt). ISO 4373:2022 describes the gauges and their blanking.

    Examples
    --------
    >>> level_below_gauge([3.5, 0.2], 10.0, blanking=0.3).tolist()
    [6.5, nan]
    """
    return _below(distance, mount_elevation, tilt, blanking, longest, echo, weakest_echo)


def profile_distance(depths: Sequence[float]) -> Function:
    """Return the distance of a gauge with thermometers along its path, as a function of the time of flight and of them.

    Parameters
    ----------
    depths : sequence of float
        Of the thermometers below the transducer, m, rising from 0; two or more.

    Returns
    -------
    Function
        Of `time_of_flight` (ms) and `temperature_1` … (degree_Celsius), in m. Below the last thermometer it is as
        warm as there; what sound does not pass does not count.

    Raises
    ------
    ConfigError
        If the depths do not rise from 0.

    References
    ----------
    As `flight_distance`, piece by piece: where T changes evenly along the path its root grows evenly in time,
    √T = √T₀ + s k t / 2 with s = dT/dz and c = k √T, and z = (T - T₀)/s.

    Examples
    --------
    >>> gauge = profile_distance([0.0, 2.0, 4.0])
    >>> float(gauge(20.0, 25.0, 20.0, 15.0).round(4))
    3.4362
    """
    told = [float(depth) for depth in depths]
    if len(told) < 2 or told[0] != 0.0 or any(b <= a for a, b in pairwise(told)):
        raise ConfigError("depths", seen=told, allowed="two or more, rising from 0 m")

    def distance(time_of_flight: NDArray[np.float64], *temperatures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance to the water through air of several temperatures."""
        k = SPEED / math.sqrt(273.15)
        left = 0.5e-3 * np.asarray(time_of_flight)  # of the way down, s
        root = np.sqrt(273.15 + np.asarray(temperatures[0]))
        found = np.zeros(np.broadcast_shapes(left.shape, *(np.shape(t) for t in temperatures)))
        for (above, below), (warm, cold) in zip(pairwise(told), pairwise(temperatures), strict=True):
            slope = (cold - warm) / (below - above)
            next_root = np.sqrt(273.15 + np.asarray(cold))
            whole = 2.0 * (below - above) / (k * (root + next_root))
            part = np.minimum(left, whole)
            # z = (T - T0)/s, written so that nothing is divided by a slope of 0.
            found = found + part * k * (root + 0.25 * slope * k * part)
            left = left - part
            root = next_root
        return found + left * k * root

    inputs = {"time_of_flight": Input("ms", 0.0, 500.0, typical=20.0)}
    inputs |= {f"temperature_{n}": TEMPERATURE for n in range(1, len(told) + 1)}
    return Function.made("ultrasonic.profile_distance", inputs, "m", distance)


def _profile(settings: Mapping[str, Any]) -> Function:
    return profile_distance(checked(settings, PROFILE_DISTANCE.settings, ("depths",))["depths"])


PROFILE_DISTANCE: Final = Family(
    "ultrasonic.profile_distance",
    "distance of an ultrasonic gauge with several thermometers along its path",
    {"depths": "of the thermometers below the transducer, m, rising from 0"},
    _profile,
)
