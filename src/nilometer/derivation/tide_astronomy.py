"""Where the moon and the sun are, and what the moon's node does to the tides: arguments, f and u of Schureman.

Times are universal time; the difference to dynamical time (about a minute) moves no tide by a thousandth of a degree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGITUDES", "longitudes", "nodal_factors", "rates"]

LONGITUDES = ("T", "s", "h", "p", "N", "p1")
"""Hour angle of the mean sun; mean longitudes of moon, sun, lunar perigee, moon's node and solar perigee."""

_EPOCH_DAYS = 25567.5  # from 1899-12-31 12:00 to 1970-01-01 00:00
_US_A_DAY = 86_400_000_000.0
# Degrees, degrees a day, and the terms of second and third order in units of 10,000 days.
_SERIES = np.array(
    [
        [270.434164, 13.1763965268, -0.0000850, 0.000000039],  # s
        [279.696678, 0.9856473354, 0.00002267, 0.0],  # h
        [334.329556, 0.1114040803, -0.0007739, -0.00000026],  # p
        [259.183275, -0.0529539222, 0.0001557, 0.000000050],  # N
        [281.220844, 0.0000470684, 0.0000339, 0.000000070],  # p1
    ]
)
_OBLIQUITY = np.radians(23.0 + 27.0 / 60.0 + 8.26 / 3600.0)
_INCLINATION = np.radians(5.0 + 8.0 / 60.0 + 43.3546 / 3600.0)
_SOLAR_K1 = 0.3347  # 0.1681 / 0.5023: solar over lunar coefficient, equations 224 and 227
_SOLAR_K2 = 0.0727  # 0.0365 / 0.5023: likewise, equations 232 and 235


def longitudes(time_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the six arguments that tides are made of.

    Parameters
    ----------
    time_us : ndarray of int64, shape (n,)
        µs since 1970 UTC, of the years 1700 to 2300.

    Returns
    -------
    ndarray of float64, shape (6, n)
        Degrees, not reduced, in the order of LONGITUDES. T is 180 at midnight and grows 15 an hour.

    References
    ----------
    Explanatory Supplement to the Astronomical Ephemeris (1961), pages 98 and 107, as in Foreman (1977), Manual for
    tidal heights analysis and prediction; checked against Meeus, Astronomical Algorithms, at J2000.

    Examples
    --------
    >>> noon = np.array(["2000-01-01T12:00"], "datetime64[us]").view(np.int64)
    >>> (longitudes(noon)[:, 0] % 360.0).round(2).tolist()  # Meeus: s 218.32, h 280.47, p 83.35, N 125.04
    [0.0, 218.32, 280.47, 83.35, 125.04, 282.94]
    """
    time = np.asarray(time_us, np.int64)
    days = time / _US_A_DAY + _EPOCH_DAYS
    myriads = days * 1e-4
    found = np.empty((6, len(time)))
    found[0] = 180.0 + (time % int(_US_A_DAY)) * (360.0 / _US_A_DAY)
    a, b, c, d = (_SERIES[:, column, None] for column in range(4))
    found[1:] = a + b * days + (c + d * myriads) * myriads**2
    return found


def rates(time_us: int) -> NDArray[np.float64]:
    """Return how fast the six arguments grow at a time, degree h-1, shape (6,)."""
    myriads = (time_us / _US_A_DAY + _EPOCH_DAYS) * 1e-4
    _, b, c, d = _SERIES.T
    return np.concatenate([[15.0], (b + (2.0 * c + 3.0 * d * myriads) * myriads * 1e-4) / 24.0])


def nodal_factors(
    node: NDArray[np.float64], perigee: NDArray[np.float64]
) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """Return f and u of every kind of lunar tide.

    Parameters
    ----------
    node, perigee : ndarray of float64, shape (n,)
        N and p, degree.

    Returns
    -------
    dict of str to (ndarray, ndarray), each of shape (n,)
        f (1) and u (degree) by kind, a kind being named after its chief tide.

    References
    ----------
    Schureman (1958), Manual of Harmonic Analysis and Prediction of Tides, US Coast and Geodetic Survey Special
    Publication 98: I, xi, nu from the spherical triangle of page 156; f by equations 73-79, 144, 149, 206, 215, 227,
    235 with the means of 65-71; u by table 2, with Q (203), R (214), nu' (224) and 2 nu'' (232).

    Examples
    --------
    >>> f, u = nodal_factors(np.array([0.0, 180.0]), np.zeros(2))["M2"]
    >>> f.round(3).tolist(), abs(u).round(3).tolist()
    ([0.963, 1.038], [0.0, 0.0])
    """
    w, i = _OBLIQUITY, _INCLINATION
    n = np.radians(np.asarray(node, np.float64))
    moon = np.arccos(np.cos(i) * np.cos(w) - np.sin(i) * np.sin(w) * np.cos(n))  # I: the orbit's angle to the equator
    half = np.arctan2(np.sin(n / 2.0), np.cos(n / 2.0))
    tangent = np.tan(half)
    sum_ = np.arctan(np.cos((w - i) / 2.0) / np.cos((w + i) / 2.0) * tangent)
    difference = np.arctan(np.sin((w - i) / 2.0) / np.sin((w + i) / 2.0) * tangent)
    nu = sum_ - difference
    xi = _near_zero(n - sum_ - difference)
    perigee_of_orbit = np.radians(np.asarray(perigee, np.float64)) - xi  # P

    half_sine, half_cosine = np.sin(moon / 2.0), np.cos(moon / 2.0)
    sine, double = np.sin(moon), np.sin(2.0 * moon)
    mean_half_cosine, mean_half_sine = np.cos(w / 2.0), np.sin(w / 2.0)
    tilt, spread = np.cos(i / 2.0) ** 4, 1.0 - 1.5 * np.sin(i) ** 2
    one = half_cosine**4 / (mean_half_cosine**4 * tilt)  # 78
    diurnal = sine * half_cosine**2 / (np.sin(w) * mean_half_cosine**2 * tilt)  # 75
    square = sine**2 / (np.sin(w) ** 2 * spread)  # 79
    lunisolar = double / (np.sin(2.0 * w) * spread)  # 76

    mean_k1 = np.sin(2.0 * w) * spread + _SOLAR_K1
    mean_k2 = np.sin(w) ** 2 * spread + _SOLAR_K2
    k1 = np.sqrt(double**2 + 2.0 * _SOLAR_K1 * double * np.cos(nu) + _SOLAR_K1**2) / mean_k1
    k2 = np.sqrt(sine**4 + 2.0 * _SOLAR_K2 * sine**2 * np.cos(2.0 * nu) + _SOLAR_K2**2) / mean_k2
    nu_k1 = np.arctan2(double * np.sin(nu), double * np.cos(nu) + _SOLAR_K1)
    nu_k2 = np.arctan2(sine**2 * np.sin(2.0 * nu), sine**2 * np.cos(2.0 * nu) + _SOLAR_K2)

    twice = 2.0 * perigee_of_orbit
    slope = (half_sine / half_cosine) ** 2
    r = np.arctan2(np.sin(twice), 1.0 / (6.0 * slope) - np.cos(twice))
    f_l2 = one * np.sqrt(1.0 - 12.0 * slope * np.cos(twice) + 36.0 * slope**2)
    ratio = np.cos(moon) / half_cosine**2
    f_m1 = diurnal * np.sqrt(0.25 + 1.5 * ratio * np.cos(twice) + 2.25 * ratio**2)
    q_of_perigee = np.arctan2(np.sin(twice), 3.0 * ratio + np.cos(twice))  # Q_u

    def by_144(sine_half: NDArray[np.float64], cosine_half: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (1.0 - 10.0 * sine_half**2 + 15.0 * sine_half**4) * cosine_half**2
        return found

    f_m1c = by_144(half_sine, half_cosine) / by_144(np.asarray(mean_half_sine), np.asarray(mean_half_cosine))
    radians = {
        "Mm": ((2.0 / 3.0 - sine**2) / ((2.0 / 3.0 - np.sin(w) ** 2) * spread), np.zeros_like(n)),  # 73
        "Mf": (sine**2 / (np.sin(w) ** 2 * tilt), -2.0 * xi),  # 74
        "O1": (diurnal, 2.0 * xi - nu),
        "J1": (lunisolar, -nu),
        "OO1": (sine * half_sine**2 / (np.sin(w) * mean_half_sine**2 * tilt), -2.0 * xi - nu),  # 77
        "M2": (one, 2.0 * xi - 2.0 * nu),
        "ETA2": (square, -2.0 * nu),
        "M3": (one**1.5, 3.0 * xi - 3.0 * nu),  # 149
        "K1": (k1, -nu_k1),
        "K2": (k2, -nu_k2),
        "L2": (f_l2, 2.0 * xi - 2.0 * nu - r),
        "M1": (f_m1, -nu - q_of_perigee),
        "M1C": (f_m1c, xi - nu),
    }
    return {kind: (f, np.degrees(_near_zero(u))) for kind, (f, u) in radians.items()}


def _near_zero(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an angle in radians as its like between -pi and pi."""
    found: NDArray[np.float64] = np.remainder(angle + np.pi, 2.0 * np.pi) - np.pi
    return found
