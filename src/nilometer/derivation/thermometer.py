"""Resistance thermometers: thermistors and platinum, both ways, and the classes of IEC 60751 as uncertainties."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from nilometer.derivation.function import Input, function
from nilometer.uncertainty.sources import Rectangular

__all__ = [
    "beta",
    "beta_resistance",
    "platinum",
    "platinum_class",
    "platinum_resistance",
    "steinhart_hart",
]

RESISTANCE: Final = Input("ohm", 1.0, 1e8, typical=12_000.0, scale=10_000.0)
_A: Final = 3.9083e-3
_B: Final = -5.775e-7
_C: Final = -4.183e-12
_RATIO: Final = Input("ohm", 10.0, 2000.0, default=100.0, typical=100.0)


@function(
    resistance=RESISTANCE,
    a=Input("K-1", 0.0, 0.01, typical=1.129148e-3),
    b=Input("K-1", 0.0, 0.001, typical=2.34125e-4),
    c=Input("K-1", -1e-6, 1e-6, typical=8.76741e-8, scale=1e-7),
    unit="degree_Celsius",
)
def steinhart_hart(resistance: float, a: float, b: float, c: float) -> float:
    """Return the temperature of a thermistor by three coefficients.

    Parameters
    ----------
    resistance : array_like, shape (n,)
        ohm, 1 to 1e8.
    a, b, c : array_like, shape (n,)
        Of the thermistor's certificate, K-1: 0 to 0.01, 0 to 0.001, -1e-6 to 1e-6, with the resistance in ohm.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius. NaN where an input is NaN or out of range.

    References
    ----------
    Steinhart and Hart (1968), Deep-Sea Res. 15, 497-503: 1/T = a + b·ln R + c·(ln R)³.

    Examples
    --------
    >>> float(steinhart_hart(10000.0, 1.129148e-3, 2.34125e-4, 8.76741e-8).round(3))
    25.0
    """
    log = np.log(resistance)
    return 1.0 / (a + log * (b + c * log * log)) - 273.15


@function(
    resistance=RESISTANCE,
    reference_resistance=Input("ohm", 1.0, 1e8, typical=10_000.0, scale=10_000.0),
    coefficient=Input("K", 500.0, 8000.0, typical=3950.0),
    reference_temperature=Input("degree_Celsius", -50.0, 150.0, default=25.0, typical=25.0),
    unit="degree_Celsius",
)
def beta(
    resistance: float, reference_resistance: float, coefficient: float, reference_temperature: float = 25.0
) -> float:
    """Return the temperature of a thermistor by its B value.

    Parameters
    ----------
    resistance : array_like, shape (n,)
        ohm, 1 to 1e8.
    reference_resistance : array_like, shape (n,)
        At the reference temperature, ohm, 1 to 1e8.
    coefficient : array_like, shape (n,)
        B, K, 500 to 8000.
    reference_temperature : array_like, shape (n,)
        degree_Celsius, -50 to 150; left out: 25.

    Returns
    -------
    array_like, shape (n,)
        degree_Celsius. NaN where an input is NaN or out of range.

    References
    ----------
    IEC 60539-1, B value: 1/T = 1/T0 + ln(R/R0)/B; good to some tenths between the temperatures that B was measured at.

    Examples
    --------
    >>> float(beta(10000.0, 10000.0, 3950.0).round(3))
    25.0
    """
    inverse = 1.0 / (reference_temperature + 273.15) + np.log(resistance / reference_resistance) / coefficient
    return 1.0 / inverse - 273.15


@function(
    temperature=Input("degree_Celsius", -80.0, 300.0, typical=15.0),
    reference_resistance=Input("ohm", 1.0, 1e8, typical=10_000.0, scale=10_000.0),
    coefficient=Input("K", 500.0, 8000.0, typical=3950.0),
    reference_temperature=Input("degree_Celsius", -50.0, 150.0, default=25.0, typical=25.0),
    unit="ohm",
)
def beta_resistance(
    temperature: float, reference_resistance: float, coefficient: float, reference_temperature: float = 25.0
) -> float:
    """Return the resistance of a thermistor by its B value.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, -80 to 300.
    reference_resistance : array_like, shape (n,)
        At the reference temperature, ohm, 1 to 1e8.
    coefficient : array_like, shape (n,)
        B, K, 500 to 8000.
    reference_temperature : array_like, shape (n,)
        degree_Celsius, -50 to 150; left out: 25.

    Returns
    -------
    array_like, shape (n,)
        ohm. NaN where an input is NaN or out of range.

    References
    ----------
    IEC 60539-1, B value, as in `beta`, turned round.

    Examples
    --------
    >>> float(beta_resistance(0.0, 10000.0, 3950.0).round(0))
    33621.0
    """
    off = 1.0 / (temperature + 273.15) - 1.0 / (reference_temperature + 273.15)
    return reference_resistance * np.exp(coefficient * off)


@njit(inline="always", error_model="numpy")
def _platinum_ratio(t: float) -> float:
    ratio = 1.0 + t * (_A + t * _B)
    if t < 0.0:
        ratio += _C * (t - 100.0) * t * t * t
    return ratio


@function(temperature=Input("degree_Celsius", -200.0, 850.0, typical=20.0), ice_resistance=_RATIO, unit="ohm")
def platinum_resistance(temperature: float, ice_resistance: float = 100.0) -> float:
    """Return the resistance of a platinum thermometer.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, -200 to 850.
    ice_resistance : array_like, shape (n,)
        R0, at 0 °C, ohm, 10 to 2000; left out: 100 (Pt100).

    Returns
    -------
    array_like, shape (n,)
        ohm. NaN where an input is NaN or out of range.

    References
    ----------
    IEC 60751:2022 (Callendar-Van Dusen): R0·(1 + A·t + B·t² + C·(t - 100)·t³), the last below 0 °C only;
    A = 3.9083e-3, B = -5.775e-7, C = -4.183e-12.

    Examples
    --------
    >>> float(platinum_resistance(100.0).round(4))
    138.5055
    """
    return ice_resistance * _platinum_ratio(temperature)


@function(
    resistance=Input("ohm", 1.8, 7810.0, typical=108.0, scale=100.0), ice_resistance=_RATIO, unit="degree_Celsius"
)
def platinum(resistance: float, ice_resistance: float = 100.0) -> float:
    """Return the temperature of a platinum thermometer.

    Parameters
    ----------
    resistance : array_like, shape (n,)
        Of the thermometer without its leads, ohm, 1.8 to 7810.
    ice_resistance : array_like, shape (n,)
        R0, at 0 °C, ohm, 10 to 2000; left out: 100 (Pt100).

    Returns
    -------
    array_like, shape (n,)
        ITS-90, degree_Celsius. NaN where an input is NaN or out of range, and where the temperature is outside of -200
        to 850.

    References
    ----------
    IEC 60751:2022 (Callendar-Van Dusen), turned round: exactly from 0 °C on, by Newton's method to 1e-9
    below.

    Examples
    --------
    >>> float(platinum(18.5201).round(3))
    -200.0
    """
    ratio = resistance / ice_resistance
    if not 0.18520 <= ratio <= 3.90482:
        return np.nan
    t = (-_A + np.sqrt(_A * _A - 4.0 * _B * (1.0 - ratio))) / (2.0 * _B)
    if ratio < 1.0:
        for _ in range(3):
            square = t * t
            slope = _A + 2.0 * _B * t + _C * (4.0 * t - 300.0) * square
            t -= (1.0 + t * (_A + t * _B) + _C * (t - 100.0) * square * t - ratio) / slope
    return t


# Half-width at 0 °C and its growth with |t|; where wire-wound and film resistors may claim it.
_CLASSES: Final = {
    "AA": (0.1, 0.0017, (-50.0, 250.0), (0.0, 150.0)),
    "A": (0.15, 0.002, (-100.0, 450.0), (-30.0, 300.0)),
    "B": (0.3, 0.005, (-196.0, 600.0), (-50.0, 500.0)),
    "C": (0.6, 0.01, (-196.0, 600.0), (-50.0, 600.0)),
}


def platinum_class(
    temperature: ArrayLike,
    tolerance_class: Literal["AA", "A", "B", "C"],
    *,
    resistor: Literal["wire", "film"] = "wire",
) -> Rectangular:
    """Return the uncertainty of a platinum thermometer of which only its class is known.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius.
    tolerance_class : {"AA", "A", "B", "C"}
        Of IEC 60751; older names are 1/3 DIN for AA.
    resistor : {"wire", "film"}
        Of which the class holds over different ranges.

    Returns
    -------
    Rectangular
        Half-widths in K: anything within the tolerance is equally likely; NaN outside of the class's range.

    Raises
    ------
    ValueError
        If there is no such class or resistor.

    References
    ----------
    IEC 60751:2022, table of tolerance classes; the ranges of film resistors were compared with no second print.

    Examples
    --------
    >>> round(float(platinum_class(100.0, "A").size), 3), round(float(platinum_class(0.0, "B").standard()), 4)
    (0.35, 0.1732)
    """
    if tolerance_class not in _CLASSES:
        raise ValueError(f"tolerance_class = {tolerance_class!r} (allowed: {', '.join(_CLASSES)})")
    if resistor not in {"wire", "film"}:
        raise ValueError(f"resistor = {resistor!r} (allowed: wire, film)")
    at_zero, growth, wire, film = _CLASSES[tolerance_class]
    low, high = wire if resistor == "wire" else film
    t = np.asarray(temperature, np.float64)
    return Rectangular(np.where((t >= low) & (t <= high), at_zero + growth * np.abs(t), np.nan))
