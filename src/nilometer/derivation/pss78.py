"""Practical salinity from a conductivity ratio; from conductivity it is `seawater.practical_salinity`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["of_ratio", "salinity"]

TEMPERATURE: Final = Input("degree_Celsius", -2.0, 40.0)
PRESSURE: Final = Input("dbar", 0.0, 11_000.0, default=0.0, typical=500.0)


@njit(inline="always", error_model="numpy")
def _scale(root: float, ft: float) -> float:
    """Return salinity of the square root of Rt; ft is the temperature term."""
    a = 0.0080 + root * (-0.1692 + root * (25.3851 + root * (14.0941 + root * (-7.0261 + root * 2.7081))))
    b = 0.0005 + root * (-0.0056 + root * (-0.0066 + root * (-0.0375 + root * (0.0636 - root * 0.0144))))
    return a + ft * b


@njit(inline="always", error_model="numpy")
def _hill(root: float, ft: float, s: float) -> float:
    """Return the low-salinity extension where the scale gives s."""
    x, y = 400.0 * root * root, 10.0 * root
    return s - 0.0080 / (1.0 + x * (1.5 + x)) - 0.0005 * ft / (1.0 + y * (1.0 + y * (1.0 + y)))


@njit(error_model="numpy")
def _step_at_two(ft: float) -> float:
    """Return 2 over the extension at salinity 2, by which it is scaled to join the scale without a step."""
    root = 2.66450968e-1 + ft * (1.17566668e-4 + ft * 6.36591370e-8)  # where the scale gives 2, to 1e-7
    slope = -0.1692 + root * (50.7702 + root * (42.2823 + root * (-28.1044 + root * 13.5405)))
    slope += ft * (-0.0056 + root * (-0.0132 + root * (-0.1125 + root * (0.2544 - root * 0.0720))))
    return 2.0 / _hill(root - (_scale(root, ft) - 2.0) / slope, ft, 2.0)


@njit(inline="always", error_model="numpy")
def of_ratio(r: float, t90: float, p: float) -> float:
    """Return practical salinity of a conductivity ratio, to be compiled into other equations."""
    t = 1.00024 * t90
    rt = 0.6766097 + t * (2.00564e-2 + t * (1.104259e-4 + t * (-6.9698e-7 + t * 1.0031e-9)))
    over = p * (2.070e-5 + p * (-6.370e-10 + p * 3.989e-15))
    under = 1.0 + t * (3.426e-2 + 4.464e-4 * t) + (4.215e-1 - 3.107e-3 * t) * r
    root = np.sqrt(r * under / ((under + over) * rt))
    ft = (t - 15.0) / (1.0 + 0.0162 * (t - 15.0))
    s = _scale(root, ft)
    if s < 2.0:
        s = max(_step_at_two(ft) * _hill(root, ft, s), 0.0)
    return s


@function(
    conductivity_ratio=Input("1", 0.0, 2.0, typical=0.9), temperature=TEMPERATURE, pressure=PRESSURE, unit="1"
)  # fmt: skip
def salinity(conductivity_ratio: float, temperature: float, pressure: float = 0.0) -> float:
    """Return practical salinity from a conductivity ratio.

    Parameters
    ----------
    conductivity_ratio : array_like, shape (n,)
        R, conductivity over that of standard sea water at 15 °C (IPTS-68) and no pressure, 1, 0 to 2.
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, -2 to 40.
    pressure : array_like, shape (n,)
        Above that of the air, dbar, 0 to 11000; left out: 0.

    Returns
    -------
    array_like, shape (n,)
        Practical salinity, 1; valid from 2 to 42, below 2 with the extension of Hill et al., scaled so that it joins at
        2 without a step, as TEOS-10's library does. NaN where an input is NaN or out of range.

    References
    ----------
    Fofonoff and Millard (1983), UNESCO technical papers in marine science 44, SAL78; Hill, Dauphinee and Woods (1986),
    IEEE J. Oceanic Eng. 11, 109-112.

    Examples
    --------
    >>> float(salinity(1.2, 20.0 / 1.00024, 2000.0).round(6))
    37.245628
    """
    return of_ratio(conductivity_ratio, temperature, pressure)
