"""The sun over a place, and what answers it with delay: warmth and oxygen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_US", "HOUR_US", "answer", "elevation_sine", "season"]

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
_YEAR_DAYS = 365.2425
_LATTICE_US = 600_000_000  # answers are computed every ten minutes and joined by straight lines


def season(times: NDArray[np.int64], peak_day: float) -> NDArray[np.float64]:
    """Return a yearly cosine: 1 at the given day of the year, -1 half a year later.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    peak_day : float
        Day of the year, 1 to 365, of the highest value.

    Returns
    -------
    ndarray of float64, shape (n,)
        From -1 to 1.
    """
    days = np.asarray(times, np.int64) / DAY_US
    cycle: NDArray[np.float64] = np.cos(2.0 * np.pi * (days - peak_day + 1.0) / _YEAR_DAYS)
    return cycle


def elevation_sine(times: NDArray[np.int64], longitude: float, latitude: float) -> NDArray[np.float64]:
    """Return the sine of the sun's elevation.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    longitude, latitude : float
        degree_east, degree_north.

    Returns
    -------
    ndarray of float64, shape (n,)
        From -1 to 1; negative at night.

    References
    ----------
    Spencer (1971), Fourier series of declination and equation of time, as printed in Iqbal, An Introduction to Solar
    Radiation (1983), equations 1.3.1 and 1.4.1.

    Examples
    --------
    >>> noon = np.array([1_718_884_800_000_000])  # 2024-06-20 12:00 UTC
    >>> float(elevation_sine(noon, 0.0, 23.44)[0].round(3))
    1.0
    """
    days = np.asarray(times, np.int64) / DAY_US
    angle = 2.0 * np.pi * (days % _YEAR_DAYS) / _YEAR_DAYS
    declination = (
        0.006918 - 0.399912 * np.cos(angle) + 0.070257 * np.sin(angle) - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle) - 0.002697 * np.cos(3 * angle) + 0.00148 * np.sin(3 * angle)
    )  # fmt: skip
    equation_of_time = (
        0.000075 + 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle) - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )  # fmt: skip
    hour_angle = 2.0 * np.pi * (days % 1.0) + np.radians(longitude) + equation_of_time - np.pi
    phi = np.radians(latitude)
    sine: NDArray[np.float64] = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(
        hour_angle
    )
    return sine


def answer(times: NDArray[np.int64], longitude: float, latitude: float, memory_h: float) -> NDArray[np.float64]:
    """Return what a water that forgets with a time constant has kept of the sun.

    The solution of dx/dt = light − x/memory, light being the positive part of the sun's sine, divided by the memory: so
    it runs between 0 and 1 like the light, but later and flatter.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    longitude, latitude : float
        degree_east, degree_north.
    memory_h : float
        Time constant, h.

    Returns
    -------
    ndarray of float64, shape (n,)
        From 0 to 1.
    """
    moments = np.asarray(times, np.int64)
    nodes = np.unique(np.concatenate([moments // _LATTICE_US, moments // _LATTICE_US + 1]))
    lags = np.arange(0.25, 4.0 * memory_h, 0.5)
    weights = np.exp(-lags / memory_h)
    past = nodes[:, None] * _LATTICE_US - (lags * HOUR_US).astype(np.int64)[None, :]
    light = np.maximum(elevation_sine(past, longitude, latitude), 0.0)
    # A sum row by row, not a matrix product: the same value whether one moment is asked for or a million.
    kept = (light * weights).sum(axis=1) / weights.sum()
    before = np.searchsorted(nodes, moments // _LATTICE_US)
    share = (moments % _LATTICE_US) / _LATTICE_US
    joined: NDArray[np.float64] = kept[before] * (1.0 - share) + kept[before + 1] * share
    return joined
