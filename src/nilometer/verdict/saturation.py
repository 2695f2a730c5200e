"""Oxygen saturation for a verdict: as it was given, or computed Observation by Observation from oxygen and temperature.

The mean of saturations is not the saturation of means, so each oxygen value meets the temperature of its own moment.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.derivation import oxygen
from nilometer.model.flags import QartodFlag
from nilometer.verdict.statistics import ItemSeries
from nilometer.verdict.wording import SATURATION_GIVEN, SATURATION_LOCAL, SATURATION_SEA_LEVEL, Words

__all__ = ["saturation"]

_LONGEST_GAP_US = 3_600_000_000


def saturation(
    series: Mapping[str, ItemSeries], *, pressure_atm: float | None = None, salinity: float = 0.0
) -> tuple[ItemSeries, Words] | None:
    """Return oxygen saturation with the words that say what kind it is, or None where it cannot be had.

    Parameters
    ----------
    series : mapping of str to ItemSeries
        By vocabulary key: ``oxygen_saturation``, or ``dissolved_oxygen`` and ``water_temperature``.
    pressure_atm : float, optional
        Air pressure of the place, atm: local saturation; None: sea-level saturation.
    salinity : float
        Practical salinity of the water, 1.

    Returns
    -------
    tuple of ItemSeries and Words, or None
        Percent, with the flags of oxygen; NaN where the temperature is not usable or stands more than an hour away.
    """
    given = series.get("oxygen_saturation")
    if given is not None and len(given.values):
        return given, SATURATION_GIVEN
    dissolved, temperature = series.get("dissolved_oxygen"), series.get("water_temperature")
    if dissolved is None or temperature is None:
        return None
    degrees = _at_the_moments_of(dissolved, temperature)
    if degrees is None:
        return None
    share = oxygen.saturation(
        units.convert(dissolved.values, dissolved.unit, "mg L-1"),
        degrees,
        salinity,
        1.0 if pressure_atm is None else pressure_atm,
    )
    computed = ItemSeries(
        values=share,
        unit="%",
        quality=dissolved.flags(),
        censored=dissolved.censored,
        sample=dissolved.sample,
        times=dissolved.times,
        datastreams=dissolved.datastreams + temperature.datastreams,
    )
    return computed, SATURATION_SEA_LEVEL if pressure_atm is None else SATURATION_LOCAL


def _at_the_moments_of(dissolved: ItemSeries, temperature: ItemSeries) -> NDArray[np.float64] | None:
    degrees = units.convert(temperature.values, temperature.unit, "degree_Celsius")
    flags = temperature.flags()
    usable = (flags != QartodFlag.FAIL) & (flags != QartodFlag.MISSING)
    if temperature.sample is not None:
        usable &= np.asarray(temperature.sample) == 0
    if dissolved.times is None or temperature.times is None:
        return np.where(usable, degrees, np.nan) if len(degrees) == len(dissolved.values) else None
    if not usable.any():
        return None
    moments, first = np.unique(temperature.times[usable], return_index=True)
    known = degrees[usable][first]
    wanted = dissolved.times
    after = np.clip(np.searchsorted(moments, wanted), 0, len(moments) - 1)
    before = np.clip(after - (moments[after] != wanted), 0, len(moments) - 1)
    far = np.maximum(np.abs(moments[after] - wanted), np.abs(moments[before] - wanted)) > _LONGEST_GAP_US
    near: NDArray[np.float64] = np.interp(wanted.astype(np.float64), moments.astype(np.float64), known)
    return np.where(far, np.nan, near)
