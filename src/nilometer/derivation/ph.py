"""pH from the voltage of a glass electrode, its slope with temperature, and what a two-buffer check says of it.

Temperature compensation corrects the slope of the electrode. It does not bring the pH of the sample to another
temperature: that needs the chemistry of the sample, and nothing here does it.
"""

from __future__ import annotations

import math
from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "buffer_borax",
    "buffer_phosphate",
    "buffer_phthalate",
    "from_potential",
    "nernst_slope",
    "offset",
    "potential",
    "slope_efficiency",
]

PH: Final = Input("1", 0.0, 14.0, typical=8.1)
POTENTIAL: Final = Input("mV", -800.0, 800.0, typical=-60.0)
TEMPERATURE: Final = Input("degree_Celsius", -5.0, 100.0, typical=18.0)
OFFSET: Final = Input("mV", -100.0, 100.0, default=0.0, typical=5.0)
EFFICIENCY: Final = Input("%", 50.0, 110.0, default=100.0, typical=98.0)

# R·ln 10/F in mV K-1; R, F exact since 2019.
_SLOPE: Final = 1000.0 * 8.31446261815324 * math.log(10.0) / 96485.3321233100184

# China's primary buffers, pHs at these temperatures.
_AT: Final = (0., 5., 10., 15., 20., 25., 30., 35., 40., 45., 50., 55., 60., 70., 80., 90., 95.)  # fmt: skip
_PHTHALATE: Final = (
    4.006, 3.999, 3.996, 3.996, 3.998, 4.003, 4.010, 4.019, 4.029, 4.042, 4.055, 4.070, 4.087, 4.122, 4.161, 4.203,
    4.224,
)  # fmt: skip
_PHOSPHATE: Final = (
    6.981, 6.949, 6.921, 6.898, 6.879, 6.864, 6.852, 6.844, 6.838, 6.834, 6.833, 6.834, 6.837, 6.847, 6.862, 6.881,
    6.891,
)  # fmt: skip
_BORAX: Final = (
    9.458, 9.391, 9.330, 9.276, 9.226, 9.182, 9.142, 9.105, 9.072, 9.042, 9.015, 8.990, 8.968, 8.926, 8.890, 8.856,
    8.839,
)  # fmt: skip


@njit(error_model="numpy")
def _between(t: float, values: tuple[float, ...]) -> float:
    k = 0
    while k < len(values) - 2 and t >= _AT[k + 1]:
        k += 1
    return values[k] + (t - _AT[k]) * (values[k + 1] - values[k]) / (_AT[k + 1] - _AT[k])


@function(temperature=TEMPERATURE, unit="mV")
def nernst_slope(temperature: float) -> float:
    """Return the voltage that one unit of pH makes at an ideal electrode.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Of the electrode, degree_Celsius, -5 to 100.

    Returns
    -------
    array_like, shape (n,)
        mV a unit of pH. NaN where an input is NaN or out of range.

    References
    ----------
    Nernst's equation, R·T·ln 10/F, with R and F of CODATA 2018.

    Examples
    --------
    >>> float(nernst_slope(25.0).round(3))
    59.159
    """
    return _SLOPE * (temperature + 273.15)


@function(potential=POTENTIAL, temperature=TEMPERATURE, offset=OFFSET, efficiency=EFFICIENCY, unit="1")
def from_potential(potential: float, temperature: float, offset: float = 0.0, efficiency: float = 100.0) -> float:
    """Return pH from the voltage of an electrode whose isothermal point is pH 7.

    Parameters
    ----------
    potential : array_like, shape (n,)
        mV, -800 to 800; falling with pH.
    temperature : array_like, shape (n,)
        Of the electrode, degree_Celsius, -5 to 100.
    offset : array_like, shape (n,)
        Voltage at pH 7, mV, -100 to 100; left out: 0.
    efficiency : array_like, shape (n,)
        Slope as a share of the ideal one, %, 50 to 110; left out: 100.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    Nernst's equation: pH = 7 - (E - E7)/(efficiency·R·T·ln 10/F), IUPAC recommendations (Buck et al. 2002, Pure Appl.
    Chem. 74, 2169-2200).

    Examples
    --------
    >>> float(from_potential(-59.159, 25.0).round(3))
    8.0
    """
    return 7.0 - (potential - offset) / (0.01 * efficiency * _SLOPE * (temperature + 273.15))


@function(ph=PH, temperature=TEMPERATURE, offset=OFFSET, efficiency=EFFICIENCY, unit="mV")
def potential(ph: float, temperature: float, offset: float = 0.0, efficiency: float = 100.0) -> float:
    """Return the voltage of an electrode at a pH.

    Parameters
    ----------
    ph : array_like, shape (n,)
        1, 0 to 14.
    temperature : array_like, shape (n,)
        Of the electrode, degree_Celsius, -5 to 100.
    offset : array_like, shape (n,)
        Voltage at pH 7, mV, -100 to 100; left out: 0.
    efficiency : array_like, shape (n,)
        Slope as a share of the ideal one, %, 50 to 110; left out: 100.

    Returns
    -------
    array_like, shape (n,)
        mV. NaN where an input is NaN or out of range.

    References
    ----------
    Nernst's equation, as in `from_potential`, turned round.

    Examples
    --------
    >>> float(potential(4.0, 25.0).round(2))
    177.48
    """
    return offset - 0.01 * efficiency * _SLOPE * (temperature + 273.15) * (ph - 7.0)


@function(
    first_potential=Input("mV", -800.0, 800.0, typical=178.0),
    first_ph=Input("1", 0.0, 14.0, typical=4.003),
    second_potential=Input("mV", -800.0, 800.0, typical=7.0),
    second_ph=Input("1", 0.0, 14.0, typical=6.864),
    temperature=TEMPERATURE,
    unit="%",
)
def slope_efficiency(
    first_potential: float, first_ph: float, second_potential: float, second_ph: float, temperature: float
) -> float:
    """Return the slope of an electrode between two buffers as a share of the ideal one.

    Parameters
    ----------
    first_potential, second_potential : array_like, shape (n,)
        In each buffer, mV, -800 to 800.
    first_ph, second_ph : array_like, shape (n,)
        Of each buffer at the temperature, 1, 0 to 14.
    temperature : array_like, shape (n,)
        Of both, degree_Celsius, -5 to 100.

    Returns
    -------
    array_like, shape (n,)
        %; makers call 90 or 95 to 105 sound. NaN where an input is NaN or out of range.

    References
    ----------
    Nernst's equation; IUPAC recommendations on two-point calibration (Buck et al. 2002, Pure Appl. Chem. 74,
    2169-2200).

    Examples
    --------
    >>> float(slope_efficiency(177.48, 4.0, 0.0, 7.0, 25.0).round(2))
    100.0
    """
    ideal = _SLOPE * (temperature + 273.15)
    return 100.0 * (first_potential - second_potential) / ((second_ph - first_ph) * ideal)


@function(
    first_potential=Input("mV", -800.0, 800.0, typical=178.0),
    first_ph=Input("1", 0.0, 14.0, typical=4.003),
    second_potential=Input("mV", -800.0, 800.0, typical=7.0),
    second_ph=Input("1", 0.0, 14.0, typical=6.864),
    unit="mV",
)
def offset(first_potential: float, first_ph: float, second_potential: float, second_ph: float) -> float:
    """Return the voltage of an electrode at pH 7 from two buffers.

    Parameters
    ----------
    first_potential, second_potential : array_like, shape (n,)
        In each buffer, mV, -800 to 800.
    first_ph, second_ph : array_like, shape (n,)
        Of each buffer at its temperature, 1, 0 to 14.

    Returns
    -------
    array_like, shape (n,)
        mV; makers call -30 to 30 sound. NaN where an input is NaN or out of range.

    References
    ----------
    Straight line through two buffers, IUPAC recommendations (Buck et al. 2002, Pure Appl. Chem. 74, 2169-2200).

    Examples
    --------
    >>> float(offset(182.48, 4.0, 5.0, 7.0).round(2))
    5.0
    """
    return second_potential + (second_potential - first_potential) / (second_ph - first_ph) * (7.0 - second_ph)


@function(temperature=Input("degree_Celsius", 0.0, 95.0, typical=22.0), unit="1")
def buffer_phthalate(temperature: float) -> float:
    """Return the pH of the phthalate buffer (0.05 mol/kg) at a temperature.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 0 to 95.

    Returns
    -------
    array_like, shape (n,)
        1; a buffer's own certificate goes before it. NaN where an input is NaN or out of range.

    References
    ----------
    China's primary pH buffers, B4 (JJG 119), as a maker prints them, linear between; the third decimal is of one print,
    JIS Z 8802 agrees within 0.012. NIST's buffer is 4.005 at 25 °C.

    Examples
    --------
    >>> float(buffer_phthalate(25.0))
    4.003
    """
    return _between(temperature, _PHTHALATE)


@function(temperature=Input("degree_Celsius", 0.0, 95.0, typical=22.0), unit="1")
def buffer_phosphate(temperature: float) -> float:
    """Return the pH of the equimolal phosphate buffer (0.025 mol/kg each) at a temperature.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 0 to 95.

    Returns
    -------
    array_like, shape (n,)
        1; a buffer's own certificate goes before it. NaN where an input is NaN or out of range.

    References
    ----------
    China's primary pH buffers, B6 (JJG 119), as a maker prints them, linear between; the third decimal is of one print,
    JIS Z 8802 agrees within 0.012. NIST's buffer is 6.865 at 25 °C.

    Examples
    --------
    >>> float(buffer_phosphate(25.0))
    6.864
    """
    return _between(temperature, _PHOSPHATE)


@function(temperature=Input("degree_Celsius", 0.0, 95.0, typical=22.0), unit="1")
def buffer_borax(temperature: float) -> float:
    """Return the pH of the borax buffer (0.01 mol/kg) at a temperature.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        degree_Celsius, 0 to 95.

    Returns
    -------
    array_like, shape (n,)
        1; a buffer's own certificate goes before it. NaN where an input is NaN or out of range.

    References
    ----------
    China's primary pH buffers, B9 (JJG 119), as a maker prints them, linear between; the third decimal is of one print,
    JIS Z 8802 agrees within 0.012. NIST's buffer is 9.180 at 25 °C.

    Examples
    --------
    >>> float(buffer_borax(25.0))
    9.182
    """
    return _between(temperature, _BORAX)
