"""The modelled river: sun, rain and season make temperature, oxygen, pH, flow, turbidity and what rain washes in.

A small lowland river of the lower Yangtze. Every value is a function of the moment alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.noise import seed_of, wander
from nilometer.demo.rain import Climate, response
from nilometer.demo.sun import answer, season
from nilometer.derivation.oxygen import solubility

__all__ = ["RiverWater"]

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RiverWater:
    """The water itself, before any instrument; `seed` chooses its weather."""

    seed: str = "river"
    longitude: float = 119.95
    latitude: float = 30.05

    def at(self, times: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the state of the water.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC.

        Returns
        -------
        dict of str to ndarray of float64, shape (n,)
            Vocabulary key to values in the vocabulary's units; ``discharge`` beside what the station measures.
        """
        climate = Climate(seed_of(self.seed, "rain"))
        quick = response(climate, times, rise_h=3.0, recession_h=20.0)
        muddy = response(climate, times, rise_h=1.5, recession_h=9.0)
        flush = response(climate, times, rise_h=1.0, recession_h=7.0, gathered=True)
        warm, wet = season(times, 212.0), season(times, 182.0)

        base = 60.0 * (1.0 + 0.45 * wet) * np.exp(0.08 * self._wander("flow", times, 6.0))
        discharge = base + 9.0 * quick
        turbidity = 9.0 * np.exp(0.25 * self._wander("turbidity", times, 1.0)) + 1.4 * muddy**1.25
        conductivity = 330.0 * (base / discharge) ** 0.35 + 6.0 * self._wander("conductivity", times, 2.0)

        sun = answer(times, self.longitude, self.latitude, 9.0)
        temperature = 18.0 + 9.8 * warm + 1.1 * self._wander("temperature", times, 5.0) + 3.2 * (sun - 0.30)
        temperature = np.maximum(temperature - 0.03 * quick, 0.1)

        oxygen, excess = self._oxygen(times, temperature, turbidity, flush)
        ph = 7.62 + 0.11 * excess - 0.006 * quick + 0.04 * self._wander("ph", times, 6.0)
        return {
            "water_temperature": temperature,
            "ph": ph,
            "dissolved_oxygen": oxygen,
            "conductivity_25": conductivity,
            "turbidity_ntu": turbidity,
            "codmn": 2.9 + 0.35 * warm + 0.15 * self._wander("codmn", times, 3.0) + 0.11 * flush,
            "nh3_n": np.maximum(0.26 - 0.10 * warm + 0.03 * self._wander("nh3_n", times, 2.0) + 0.018 * flush, 0.02),
            "total_phosphorus": 0.062 + 0.006 * self._wander("phosphorus", times, 3.0) + 0.0050 * flush,
            "total_nitrogen": 1.70 - 0.25 * warm + 0.10 * self._wander("nitrogen", times, 4.0) + 0.05 * flush,
            "discharge": discharge,
        }

    def _oxygen(
        self,
        times: NDArray[np.int64],
        temperature: NDArray[np.float64],
        turbidity: NDArray[np.float64],
        flush: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return oxygen and its excess over solubility: plants add by day, all that breathes takes, air makes even."""
        growth = np.clip((temperature - 4.0) / 20.0, 0.1, 1.3)
        clear = 1.0 / (1.0 + turbidity / 60.0)
        made = 4.2 * growth * clear * answer(times, self.longitude, self.latitude, 5.0)
        breathed = 0.85 * 1.047 ** (temperature - 20.0) + 0.012 * flush
        excess = made - breathed
        return np.maximum(solubility(np.clip(temperature, 0.0, 40.0)) + excess, 0.2), excess

    def _wander(self, name: str, times: NDArray[np.int64], days: float) -> NDArray[np.float64]:
        return wander(seed_of(self.seed, name), times, days * _DAY_S)
