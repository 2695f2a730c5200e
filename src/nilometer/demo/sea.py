"""The modelled sea off Vlissingen: the port's own tide, its streams, and weather that raises waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import seed_of, wander
from nilometer.demo.sun import HOUR_US, answer, season
from nilometer.demo.tide import tide, tide_rate

__all__ = ["SeaWater"]

_HOUR_S = 3600.0
_FLOOD_DEGREE = 105.0  # the flood runs up the estuary


@dataclass(frozen=True, slots=True)
class SeaWater:
    """The water and the air over it, before any instrument; `seed` chooses the weather."""

    seed: str = "sea"
    longitude: float = 3.53
    latitude: float = 51.41

    def at(self, times: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the state of water and air.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC.

        Returns
        -------
        dict of str to ndarray of float64, shape (n,)
            Vocabulary key to values in the vocabulary's units.
        """
        moments = np.asarray(times, np.int64)
        height, rate = tide(moments), tide_rate(moments)
        warm = season(moments, 228.0)
        sun = answer(moments, self.longitude, self.latitude, 5.0)
        # The stream leads the rise by about an hour at a port on an open estuary.
        along = 1.05 * tide_rate(moments + HOUR_US) + 0.05 * self._wander("stream", moments, 4.0)
        across = 0.07 + 0.03 * self._wander("across", moments, 3.0)
        speed, direction = _polar(along, across, _FLOOD_DEGREE)
        wind, wind_from = self._wind(moments)
        earlier = self._wind(moments - 90 * 60_000_000)[0]
        surge = 0.12 * self._wander("surge", moments, 30.0)
        half_day = np.sin(2.0 * np.pi * (moments / HOUR_US - 4.0) / 12.0)
        return {
            "depth_below_transducer": 12.4 + height + surge,
            "water_temperature": 11.8
            + 7.2 * warm
            + 0.5 * self._wander("water", moments, 144.0)
            - 0.12 * rate
            + 0.4 * sun,
            "salinity": 31.2 + 0.35 * height + 0.5 * self._wander("salinity", moments, 240.0),
            "flow_velocity": speed,
            "current_direction": direction,
            "wind_speed": wind,
            "wind_direction": wind_from,
            "air_temperature": 11.0 + 7.0 * warm + 2.2 * self._wander("air", moments, 72.0) + 5.0 * (sun - 0.2),
            "air_pressure": 1014.5 + 8.0 * self._wander("pressure", moments, 84.0) + 0.3 * half_day,
            "significant_wave_height": 0.2 + 0.0125 * earlier**2,
        }

    def _wind(self, times: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return wind speed and where it comes from: south-westerlies, stronger in winter, and passing lows."""
        east = 2.5 - 1.0 * season(times, 200.0) + 4.2 * self._wander("wind east", times, 18.0)
        north = 1.5 + 4.2 * self._wander("wind north", times, 22.0)
        return np.hypot(east, north), (np.degrees(np.arctan2(east, north)) + 180.0) % 360.0

    def _wander(self, name: str, times: NDArray[np.int64], hours: float) -> NDArray[np.float64]:
        return wander(seed_of(self.seed, name), times, hours * _HOUR_S)


def _polar(
    along: NDArray[np.float64], across: NDArray[np.float64], axis: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return speed and direction (degree, towards) of a stream along and across an axis."""
    return np.hypot(along, across), (axis + np.degrees(np.arctan2(across, along))) % 360.0
