"""The astronomical tide of a real port, from its published harmonic constants.

The port is Vlissingen (Westerschelde), whose constants Rijkswaterstaat publishes; the eighteen largest of the 94 are
kept. Height = Σ f·H·cos(V + u − g), with V from the mean longitudes of moon and sun, and the nodal corrections f and u
of the 18.6-year cycle for every constituent of the moon. Against the owner's own prediction of 2019 (94 constituents)
the difference has a standard deviation of 0.12 m in a tide of 1.33 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["VLISSINGEN", "Constituent", "tide", "tide_rate"]

_J2000_US = 946_728_000_000_000  # 2000-01-01 12:00 UTC
_DAY_US = 86_400_000_000.0
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Constituent:
    """One constituent: amplitude m, phase lag g degree (UTC+1), and how its argument is built.

    `lunar_day`, `s`, `h`, `p` multiply the mean lunar time and the mean longitudes of moon, sun and lunar perigee;
    `offset` is in degree; `node` names the lunar constituent whose nodal correction it takes, and how often: ``("M2",
    2)`` is that of M2 twice.
    """

    name: str
    amplitude: float
    phase: float
    lunar_day: int
    s: int
    h: int
    p: int
    offset: float = 0.0
    node: tuple[str, int] = ("", 0)


# Rijkswaterstaat, harmonic constants of Vlissingen: analysis of 2009 to 2012, SA from 1976 to 1994, times in UTC+1.
VLISSINGEN: tuple[Constituent, ...] = (
    Constituent("SA", 0.07410, 216.10, 0, 0, 1, 0),
    Constituent("Q1", 0.03054, 128.63, 1, -2, 0, 1, 90.0, ("O1", 1)),
    Constituent("O1", 0.10341, 191.97, 1, -1, 0, 0, 90.0, ("O1", 1)),
    Constituent("P1", 0.03355, 354.77, 1, 1, -2, 0, 90.0),
    Constituent("K1", 0.06700, 10.93, 1, 1, 0, 0, 270.0, ("K1", 1)),
    Constituent("MU2", 0.13260, 161.00, 2, -2, 2, 0, 0.0, ("M2", 2)),
    Constituent("N2", 0.28446, 35.18, 2, -1, 0, 1, 0.0, ("M2", 1)),
    Constituent("NU2", 0.09255, 25.49, 2, -1, 2, -1, 0.0, ("M2", 1)),
    Constituent("M2", 1.74666, 59.47, 2, 0, 0, 0, 0.0, ("M2", 1)),
    Constituent("LABDA2", 0.05813, 75.27, 2, 1, -2, 1, 180.0, ("M2", 1)),
    Constituent("2MN2", 0.12966, 255.25, 2, 1, 0, -1, 0.0, ("M2", 3)),
    Constituent("S2", 0.47656, 117.72, 2, 2, -2, 0),
    Constituent("K2", 0.13765, 116.67, 2, 2, 0, 0, 0.0, ("K2", 1)),
    Constituent("M4", 0.13078, 117.40, 4, 0, 0, 0, 0.0, ("M2", 2)),
    Constituent("MS4", 0.08759, 178.05, 4, 2, -2, 0, 0.0, ("M2", 1)),
    Constituent("M6", 0.08911, 104.33, 6, 0, 0, 0, 0.0, ("M2", 3)),
    Constituent("2MS6", 0.09006, 156.31, 6, 2, -2, 0, 0.0, ("M2", 2)),
    Constituent("2MN6", 0.04710, 79.08, 6, -1, 0, 1, 0.0, ("M2", 3)),
)


def tide(times: NDArray[np.int64], constituents: tuple[Constituent, ...] = VLISSINGEN) -> NDArray[np.float64]:
    """Return the height of the tide over mean sea level.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    constituents : tuple of Constituent
        The port's constants.

    Returns
    -------
    ndarray of float64, shape (n,)
        m.

    References
    ----------
    Mean longitudes: Meeus, Astronomical Algorithms, 2nd edition, chapters 22, 25 and 47. Nodal corrections: the series
    in the longitude of the node of Pugh, Tides, Surges and Mean Sea-Level (1987), table 4.3.

    Examples
    --------
    >>> float(tide(np.array([1_546_300_800_000_000]))[0].round(1))  # 2019-01-01 00:00 UTC
    0.4
    """
    # The owner's phase lags count from the clock of UTC+1, for sun and moon alike.
    moments = np.asarray(times, np.int64) + _HOUR_US
    centuries = (moments - _J2000_US) / (_DAY_US * 36_525.0)
    s = 218.3164477 + 481_267.88123421 * centuries
    h = 280.46646 + 36_000.76983 * centuries
    p = 83.3532465 + 4_069.0137287 * centuries
    node = np.radians(125.04452 - 1_934.136261 * centuries)
    lunar_day = moments % int(_DAY_US) * (360.0 / _DAY_US) + 180.0 + h - s
    height = np.zeros(moments.shape)
    for part in constituents:
        argument = part.lunar_day * lunar_day + part.s * s + part.h * h + part.p * p + part.offset
        f, u = _nodal(*part.node, node)
        height += f * part.amplitude * np.cos(np.radians(argument + u - part.phase))
    return height


def tide_rate(times: NDArray[np.int64], constituents: tuple[Constituent, ...] = VLISSINGEN) -> NDArray[np.float64]:
    """Return how fast the tide rises, m h-1, by a central difference over ten minutes; for tidal streams."""
    half = 300_000_000
    moments = np.asarray(times, np.int64)
    return (tide(moments + half, constituents) - tide(moments - half, constituents)) * 6.0


# f: constant, cos N, cos 2N; u: sin N, sin 2N, degree; N is the longitude of the moon's ascending node.
_NODAL = {
    "": (1.0, 0.0, 0.0, 0.0, 0.0),
    "M2": (1.0, -0.037, 0.0, -2.1, 0.0),
    "O1": (1.009, 0.187, -0.015, 10.8, -1.3),
    "K1": (1.006, 0.115, -0.009, -8.9, 0.7),
    "K2": (1.024, 0.286, 0.008, -17.7, 0.7),
}


def _nodal(name: str, power: int, node: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return f and u (degree) of a constituent."""
    mean, first, second, turn, turn_2 = _NODAL[name]
    f = mean + first * np.cos(node) + second * np.cos(2.0 * node)
    u = turn * np.sin(node) + turn_2 * np.sin(2.0 * node)
    return f**power, u * power
