"""Turbidity units are methods. Between methods there is no factor, so there is no function that converts.

All are calibrated on formazin and agree on formazin; on real water they differ by tens of per cents and by colour, size
and kind of particle. A relation between two instruments at one site is a calibration against a reference, and belongs
there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer import units
from nilometer.errors import UnitError

__all__ = ["METHODS", "Method", "in_unit", "method"]


class Method(NamedTuple):
    """What a turbidity unit says of the measurement: light, angle, norm."""

    light: str
    angle_degree: int
    norm: str
    about: str


METHODS: Final = {
    "NTU": Method("white, tungsten lamp of 2200 to 3000 K", 90, "EPA 180.1; GB/T 5750.4", "scattered light"),
    "FNU": Method("infrared, 860 nm", 90, "ISO 7027-1", "scattered light, below about 40"),
    "FAU": Method("infrared, 860 nm", 180, "ISO 7027-1", "attenuated light, above about 40"),
    "FTU": Method("not said", 90, "formazin only", "says no method: read the instrument's manual"),
    "FBU": Method("infrared, 780 to 900 nm", 30, "backscatter", "for high loads"),
}


def method(unit: str) -> Method:
    """Return how a turbidity of a unit is measured.

    Parameters
    ----------
    unit : str
        In any spelling.

    Raises
    ------
    UnitError
        If it is no unit of turbidity.

    Examples
    --------
    >>> method("ntu").angle_degree
    90
    """
    canonical = units.canonical(unit)
    if canonical not in METHODS:
        raise UnitError(f"{canonical} is no unit of turbidity ({', '.join(METHODS)})")
    return METHODS[canonical]


def in_unit(values: ArrayLike, source: str, target: str) -> NDArray[np.float64]:
    """Return turbidity in a unit of the same method, which is itself.

    Parameters
    ----------
    values : array_like, any shape
        Turbidity in `source`.
    source, target : str
        Units in any spelling.

    Returns
    -------
    ndarray of float64
        The values; NaN stays NaN.

    Raises
    ------
    UnitError
        If the units are of two methods, or not of turbidity.

    References
    ----------
    ISO 7027-1:2016, clause 5, and EPA 180.1: the units are bound to their methods.

    Examples
    --------
    >>> in_unit([1.5], "FNU", "fnu").tolist()
    [1.5]
    """
    here, there = method(source), method(target)
    if here != there:
        raise UnitError(
            f"{units.canonical(source)} ({here.light}, {here.angle_degree}°) cannot be turned into "
            f"{units.canonical(target)} ({there.light}, {there.angle_degree}°): they agree on formazin alone; "
            "calibrate one instrument against the other in the water in question"
        )
    return np.array(values, np.float64)
