"""Conductivity at a reference temperature, and what is told from it by convention.

Two ways lead to 25 °C: a linear coefficient, which the caller chooses, and the non-linear factor of ISO 7888 for
natural waters. Which one was used belongs beside every published value: they differ by per cents in cold water.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "at_20",
    "at_25",
    "at_25_linear",
    "at_temperature",
    "at_temperature_linear",
    "dissolved_solids",
    "nonlinear_factor",
    "ratio",
]

NATURAL: Final = Input("uS cm-1", 0.0, 5000.0, typical=400.0)
ANY: Final = Input("uS cm-1", 0.0, 200_000.0, typical=400.0, scale=400.0)
NATURAL_TEMPERATURE: Final = Input("degree_Celsius", 0.0, 35.9, typical=12.4)
COEFFICIENT: Final = Input("degree_Celsius-1", 0.0, 0.05, default=0.0191, typical=0.0191)

# f25 at 0.0, 0.1, 0.2, 0.3, 1.0, 1.1, … 35.3 °C; the last step ends at 36, where it goes on as before.
_PRINTED: Final = (
    1.918, 1.912, 1.906, 1.899, 1.857, 1.851, 1.845, 1.840, 1.800, 1.794, 1.788, 1.783, 1.745, 1.740, 1.734, 1.729,
    1.693, 1.688, 1.683, 1.678, 1.643, 1.638, 1.634, 1.629, 1.596, 1.591, 1.587, 1.582, 1.551, 1.547, 1.542, 1.538,
    1.508, 1.504, 1.500, 1.496, 1.467, 1.463, 1.459, 1.455, 1.428, 1.424, 1.420, 1.416, 1.390, 1.387, 1.383, 1.379,
    1.354, 1.351, 1.347, 1.344, 1.320, 1.317, 1.313, 1.310, 1.287, 1.284, 1.281, 1.278, 1.256, 1.253, 1.249, 1.246,
    1.225, 1.222, 1.219, 1.216, 1.196, 1.193, 1.191, 1.188, 1.168, 1.166, 1.163, 1.160, 1.141, 1.139, 1.136, 1.134,
    1.116, 1.113, 1.111, 1.108, 1.091, 1.088, 1.086, 1.083, 1.067, 1.064, 1.062, 1.060, 1.044, 1.041, 1.039, 1.037,
    1.021, 1.019, 1.017, 1.015, 1.000, 0.998, 0.996, 0.994, 0.979, 0.977, 0.975, 0.973, 0.959, 0.957, 0.955, 0.953,
    0.940, 0.938, 0.936, 0.934, 0.921, 0.920, 0.918, 0.916, 0.903, 0.902, 0.900, 0.898, 0.886, 0.884, 0.883, 0.881,
    0.869, 0.867, 0.866, 0.864, 0.853, 0.851, 0.850, 0.848, 0.837, 0.835, 0.834, 0.832, 0.822, 0.820, 0.819, 0.817,
    0.807,
)  # fmt: skip
_DEGREES: Final = np.add.outer(np.arange(37.0), [0.0, 0.1, 0.2, 0.3]).ravel()[:145]
_F25: Final = np.interp(0.1 * np.arange(361), _DEGREES, _PRINTED)  # at every tenth: the lookup needs no search


@njit(inline="always", error_model="numpy")
def _f25(t: float) -> float:
    place = 10.0 * t
    if not 0.0 <= place <= 360.0:
        return np.nan
    k = min(int(place), 359)
    return _F25[k] + (place - k) * (_F25[k + 1] - _F25[k])


@function(temperature=NATURAL_TEMPERATURE, unit="1")
def nonlinear_factor(temperature: float) -> float:
    """Return the factor that leads conductivity of natural water to 25 °C.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 35.9.

    Returns
    -------
    array_like, shape (n,)
        f25, 1. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 7888:1985 and EN 27888, table of f25, as two makers' manuals print it: at every degree and its first three
    tenths, which could be compared, and linear between; the other tenths are met within 0.001.

    Examples
    --------
    >>> float(nonlinear_factor(10.0))
    1.428
    """
    return _f25(temperature)


@function(conductivity=NATURAL, temperature=NATURAL_TEMPERATURE, unit="uS cm-1")
def at_25(conductivity: float, temperature: float) -> float:
    """Return the conductivity of natural water at 25 °C, non-linear.

    Parameters
    ----------
    conductivity : array_like, shape (n,)
        As measured, not compensated, uS cm-1, 0 to 5000; ISO 7888 means waters of about 60 to 1000.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 35.9.

    Returns
    -------
    array_like, shape (n,)
        uS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 7888:1985 and EN 27888 (nLF): k25 = kT·f25(T), as in `nonlinear_factor`.

    Examples
    --------
    >>> float(at_25(400.0, 10.0).round(1))
    571.2
    """
    return conductivity * _f25(temperature)


@function(conductivity=NATURAL, temperature=NATURAL_TEMPERATURE, unit="uS cm-1")
def at_20(conductivity: float, temperature: float) -> float:
    """Return the conductivity of natural water at 20 °C, non-linear.

    Parameters
    ----------
    conductivity : array_like, shape (n,)
        As measured, not compensated, uS cm-1, 0 to 5000; ISO 7888 means waters of about 60 to 1000.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 35.9.

    Returns
    -------
    array_like, shape (n,)
        uS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 7888:1985 and EN 27888 (nLF): f20 = f25/1.116.

    Examples
    --------
    >>> float(at_20(400.0, 20.0).round(3))
    400.0
    """
    return conductivity * _f25(temperature) / 1.116


@function(conductivity_25=NATURAL, temperature=NATURAL_TEMPERATURE, unit="uS cm-1")
def at_temperature(conductivity_25: float, temperature: float) -> float:
    """Return the conductivity of natural water at its temperature from that at 25 °C, non-linear.

    Parameters
    ----------
    conductivity_25 : array_like, shape (n,)
        At 25 °C, uS cm-1, 0 to 5000.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 35.9.

    Returns
    -------
    array_like, shape (n,)
        uS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 7888:1985 and EN 27888 (nLF), turned round.

    Examples
    --------
    >>> float(at_temperature(571.2, 10.0).round(3))
    400.0
    """
    return conductivity_25 / _f25(temperature)


@function(
    conductivity=ANY,
    temperature=Input("degree_Celsius", -2.0, 60.0, typical=12.0),
    coefficient=COEFFICIENT,
    unit="uS cm-1",
)
def at_25_linear(conductivity: float, temperature: float, coefficient: float = 0.0191) -> float:
    """Return the conductivity at 25 °C by a linear coefficient (specific conductance).

    Parameters
    ----------
    conductivity : array_like, shape (n,)
        As measured, not compensated, uS cm-1, 0 to 200000.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 60.
    coefficient : array_like, shape (n,)
        Share of the conductivity at 25 °C, degree_Celsius-1, 0 to 0.05; left out: 0.0191. Makers use 0.0191, 0.0197,
        0.02 and 0.021: it is a choice, and an error of it weighs with the distance from 25 °C.

    Returns
    -------
    array_like, shape (n,)
        uS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    Standard Methods 2510 B: k25 = kT/(1 + 0.0191·(T - 25)); instrument manuals print 1.91 %/°C as well.

    Examples
    --------
    >>> float(at_25_linear(400.0, 15.0).round(2))
    494.44
    """
    return conductivity / (1.0 + coefficient * (temperature - 25.0))


@function(
    conductivity_25=ANY,
    temperature=Input("degree_Celsius", -2.0, 60.0, typical=12.0),
    coefficient=COEFFICIENT,
    unit="uS cm-1",
)
def at_temperature_linear(conductivity_25: float, temperature: float, coefficient: float = 0.0191) -> float:
    """Return the conductivity at the water's temperature from that at 25 °C, by a linear coefficient.

    What a logger stored as specific conductance is so led back, to be compensated otherwise.

    Parameters
    ----------
    conductivity_25 : array_like, shape (n,)
        At 25 °C, uS cm-1, 0 to 200000.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 60.
    coefficient : array_like, shape (n,)
        Share of the conductivity at 25 °C, degree_Celsius-1, 0 to 0.05; left out: 0.0191.

    Returns
    -------
    array_like, shape (n,)
        uS cm-1. NaN where an input is NaN or out of range.

    References
    ----------
    Standard Methods 2510 B, turned round.

    Examples
    --------
    >>> float(at_temperature_linear(494.44, 15.0).round(2))
    400.0
    """
    return conductivity_25 * (1.0 + coefficient * (temperature - 25.0))


@function(conductivity_25=ANY, factor=Input("mg L-1 / (uS cm-1)", 0.3, 1.0, typical=0.65), unit="mg L-1")
def dissolved_solids(conductivity_25: float, factor: float) -> float:
    """Return total dissolved solids from conductivity, by a factor that the caller chooses.

    Parameters
    ----------
    conductivity_25 : array_like, shape (n,)
        At 25 °C, uS cm-1, 0 to 200000.
    factor : array_like, shape (n,)
        mg L-1 per uS cm-1, 0.3 to 1; natural waters mostly 0.55 to 0.70. There is no default: it is a convention and
        belongs to the water, so it is found by evaporating samples of that water.

    Returns
    -------
    array_like, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    References
    ----------
    Standard Methods 1030 E: 0.55 to 0.7 times conductivity; a convention, no standard.

    Examples
    --------
    >>> float(dissolved_solids(1000.0, 0.65))
    650.0
    """
    return factor * conductivity_25


@function(conductivity=Input("mS cm-1", 0.0, 80.0, typical=40.0), unit="1")
def ratio(conductivity: float) -> float:
    """Return conductivity over that of standard sea water at 15 °C and no pressure.

    Parameters
    ----------
    conductivity : array_like, shape (n,)
        As measured, not compensated, mS cm-1, 0 to 80.

    Returns
    -------
    array_like, shape (n,)
        R of the PSS-78, 1. NaN where an input is NaN or out of range.

    References
    ----------
    Practical Salinity Scale 1978; C(35, 15, 0) = 42.9140 mS cm-1 (Culkin and Smith 1980).

    Examples
    --------
    >>> float(ratio(42.914))
    1.0
    """
    return conductivity / 42.9140
