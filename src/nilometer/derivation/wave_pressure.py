"""Waves from a pressure sensor under water: linear theory brings its record up to the surface.

Where the sensor feels less than a stated share of a wave nothing is known of it; the spectrum ends there unless a tail
is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.burst import Burst, BurstRules, burst
from nilometer.derivation.dispersion import GRAVITY, response
from nilometer.derivation.record import record
from nilometer.derivation.wave_spectrum import WaveSpectrum, spectrum
from nilometer.units import convert

__all__ = ["surface_elevation", "surface_spectrum"]

_LEAST_RESPONSE = 0.1
_ANCHOR_HZ = 0.02


def surface_spectrum(
    pressure: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    unit: str = "dbar",
    sensor_height: float,
    depth: float | None = None,
    density: float = 1025.0,
    least_response: float = _LEAST_RESPONSE,
    tail: float | None = None,
    segment_s: float = 256.0,
    rules: BurstRules = BurstRules(),  # noqa: B008 -- frozen
) -> WaveSpectrum:
    """Return the spectrum of the surface over a pressure sensor, by linear theory.

    Parameters
    ----------
    pressure : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Gauge pressure (less air pressure), in `unit`.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str
        Of a bare series, CF text.
    sensor_height : float
        Of the sensor above the bed, m.
    depth : float, optional
        Mean depth of the water, m; mean pressure over density and gravity, plus the sensor's height, unless given.
    density : float
        Of the water, kg m-3.
    least_response : float
        Where the sensor feels less than this share of a wave, nothing is known of it: the spectrum ends there.
    tail : float, optional
        Power of frequency by which the spectrum goes on from its last 0.02 Hz to 1 Hz, such as -4 or -5; it ends unless
        given, and then short waves are missing from heights and mean periods.
    segment_s, rules :
        As in `spectrum`.

    Returns
    -------
    WaveSpectrum
        Of the surface, m2 Hz-1; empty where the record is refused or the sensor falls dry.

    Raises
    ------
    ValueError
        If there are no times, or the sensor is below the bed.
    UnitError
        If the unit is no pressure.

    References
    ----------
    Bishop and Donelan (1987), Coastal Engineering 11, 309-328: linear theory gives heights within 5 per cent; the
    cut-off by response as in Jones and Monismith (2007), Limnol. Oceanogr. Methods 5, 317-327.
    """
    part = _in_pascal(pressure, time, unit, rules)
    found = spectrum(part, segment_s=segment_s)
    if found.refused:
        return found
    head = part.values / (density * GRAVITY)
    water = _depth(head, sensor_height, depth)
    if water <= sensor_height:
        nothing = np.empty(0)
        return WaveSpectrum(nothing, nothing, nothing, refused="the sensor lies dry")
    share = np.array([response(f, water, sensor_height) for f in found.frequency])
    felt = share >= least_response
    surface = np.where(felt, found.density / (density * GRAVITY * share) ** 2, 0.0)
    f = found.frequency
    if tail is None:
        f, surface = f[felt], surface[felt]
    else:
        last = f[felt][-1]
        anchor = felt & (f > last - _ANCHOR_HZ)
        level = float(np.mean(surface[anchor] * f[anchor] ** -tail))
        surface = np.where(felt, surface, level * np.where(f > 0.0, f, 1.0) ** tail)
    return WaveSpectrum(f, surface, found.width[: len(f)], found.degrees_of_freedom, found.duration_s)


def surface_elevation(
    pressure: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    unit: str = "dbar",
    sensor_height: float,
    depth: float | None = None,
    density: float = 1025.0,
    least_response: float = _LEAST_RESPONSE,
    rules: BurstRules = BurstRules(),  # noqa: B008 -- frozen
) -> Burst:
    """Return the surface over a pressure sensor in time, for waves to be counted in it.

    Parameters are those of `surface_spectrum`. The whole record is transformed at once, a straight line taken out
    before; waves that the sensor does not feel are left out, so that crests are too round. Within some wavelengths of
    both ends it is less sure.

    Returns
    -------
    Burst
        m about the mean; refused as in `burst`, or where the sensor lies dry.

    Raises
    ------
    ValueError
        If there are no times, or the sensor is below the bed.
    UnitError
        If the unit is no pressure.
    """
    part = _in_pascal(pressure, time, unit, rules)
    if part.refused:
        return part
    head = part.values / (density * GRAVITY)
    water = _depth(head, sensor_height, depth)
    if water <= sensor_height:
        return Burst(np.empty(0), part.step_s, part.missing, "the sensor lies dry")
    from scipy.fft import irfft, next_fast_len, rfft  # noqa: PLC0415 -- slow to import

    line = np.arange(len(head)) - (len(head) - 1) / 2.0
    flat = head - head.mean() - line * (head @ line / (line @ line))
    n = next_fast_len(len(flat), real=True)
    lines = rfft(flat, n)
    share = np.array([response(f, water, sensor_height) for f in np.fft.rfftfreq(n, part.step_s)])
    lines = np.where(share >= least_response, lines / np.maximum(share, least_response), 0.0)
    return Burst(np.asarray(irfft(lines, n)[: len(flat)], np.float64), part.step_s, part.missing)


def _in_pascal(pressure: Any, time: Any, unit: str, rules: BurstRules) -> Burst:  # noqa: ANN401 -- any series
    part = record(pressure, time, unit)
    return burst(np.asarray(convert(part.values, unit, "Pa"), np.float64), time=part.times, rules=rules)


def _depth(head: NDArray[np.float64], sensor_height: float, depth: float | None) -> float:
    if sensor_height < 0.0:
        raise ValueError(f"sensor_height {sensor_height:g} m: a sensor below the bed feels another pressure")
    return float(head.mean()) + sensor_height if depth is None else depth
