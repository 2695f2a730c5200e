"""The modelled discharge of a treatment works: people make its day and its week, rain and season the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import seed_of, wander
from nilometer.demo.rain import Climate, response
from nilometer.demo.sun import DAY_US, HOUR_US, season

__all__ = ["WorksWater"]

_ZONE_US = 8 * HOUR_US
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class WorksWater:
    """What runs through the outfall, before any instrument; `seed` chooses its weather."""

    seed: str = "works"

    def at(self, times: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the state of the effluent.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC.

        Returns
        -------
        dict of str to ndarray of float64, shape (n,)
            Vocabulary key to values in the vocabulary's units.
        """
        local = np.asarray(times, np.int64) + _ZONE_US
        day = _daily(local % DAY_US / HOUR_US)
        # 1970-01-01 was a Thursday: days 2 and 3 of the count are the weekend.
        weekend = (local // DAY_US + 3) % 7 >= 5
        infiltration = response(
            Climate(seed_of(self.seed, "rain"), depth_mm=16.0, peak_day=165.0), times, rise_h=1.0, recession_h=10.0
        )
        warm = season(times, 220.0)
        load = 1.0 + 0.10 * day - 0.004 * np.minimum(infiltration, 40.0)
        cold = np.maximum(-warm, 0.0)
        return {
            "flow_rate": 420.0 * (1.0 + 0.32 * day) * np.where(weekend, 0.94, 1.0) + 7.0 * infiltration,
            "ph": 7.12 + 0.05 * day + 0.06 * self._wander("ph", times, 0.6),
            "water_temperature": 21.0
            + 5.8 * warm
            + 0.5 * self._wander("temperature", times, 3.0)
            - 0.02 * infiltration,
            "codcr": 26.0 * load * np.exp(0.10 * self._wander("codcr", times, 0.5)),
            "nh3_n": (0.9 + 1.4 * cold) * load * np.exp(0.25 * self._wander("nh3_n", times, 0.4)),
            "total_phosphorus": 0.24 * load * np.exp(0.15 * self._wander("phosphorus", times, 0.7)),
            "total_nitrogen": (9.2 + 1.6 * cold) * load * np.exp(0.08 * self._wander("nitrogen", times, 0.8)),
        }

    def _wander(self, name: str, times: NDArray[np.int64], days: float) -> NDArray[np.float64]:
        return wander(seed_of(self.seed, name), times, days * _DAY_S)


def _daily(hour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the day of a town, -1 to 1: least before dawn, most in the morning and in the evening."""
    angle = 2.0 * np.pi * hour / 24.0
    curve: NDArray[np.float64] = -0.62 * np.cos(angle - 1.05) - 0.38 * np.cos(2.0 * angle - 1.7)
    return curve
