"""Un-ionised ammonia: the share of total ammonia that is NH3, and what it weighs as nitrogen.

The share hangs on pH and so on its scale. Fresh water is measured on the NBS scale; the sea's equations are of the
*total* or the *free* scale, and take one for the other wrongly by a fifth.
"""

from __future__ import annotations

from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "fraction",
    "fraction_gb3097",
    "fraction_seawater_free",
    "fraction_seawater_total",
    "nitrogen",
    "nitrogen_gb3097",
]

PH: Final = Input("1", 4.0, 11.0, typical=8.1)
FRESH: Final = Input("degree_Celsius", 0.0, 30.0, typical=18.0)
SEA: Final = Input("degree_Celsius", -2.0, 40.0, typical=18.0)
SALINITY: Final = Input("1", 0.0, 40.0, typical=32.0)


@njit(inline="always", error_model="numpy")
def _emerson(ph: float, t: float) -> float:
    return 1.0 / (1.0 + 10.0 ** (0.09018 + 2729.92 / (t + 273.15) - ph))


@njit(inline="always", error_model="numpy")
def _gb3097(ph: float, t: float, s: float) -> float:
    # T = 273 + t is the standard's own, so that 298 - T is 25 - t.
    return 100.0 / (10.0 ** (9.245 + 0.002949 * s + 0.0324 * (25.0 - t) - ph) + 1.0)


@njit(inline="always", error_model="numpy")
def _pk(kelvin: float) -> float:
    return 9.244605 - 2729.33 * (1.0 / 298.15 - 1.0 / kelvin)


@function(ph=PH, temperature=FRESH, unit="%")
def fraction(ph: float, temperature: float) -> float:
    """Return the share of total ammonia that is NH3 in fresh water.

    Parameters
    ----------
    ph : array_like, shape (n,)
        pH on the NBS scale, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 30.

    Returns
    -------
    array_like, shape (n,)
        NH3 / (NH3 + NH4+), %. NaN where an input is NaN or out of range.

    References
    ----------
    Emerson, Russo, Lund and Thurston (1975), J. Fish. Res. Board Can. 32, 2379-2383: pKa = 0.09018 + 2729.92/T, of no
    salinity.

    Examples
    --------
    >>> float(fraction(8.0, 25.0).round(3))
    5.366
    """
    return 100.0 * _emerson(ph, temperature)


@function(total_ammonia=Input("mg L-1", 0.0, 1000.0, typical=0.5, scale=0.5), ph=PH, temperature=FRESH, unit="mg L-1")
def nitrogen(total_ammonia: float, ph: float, temperature: float) -> float:
    """Return un-ionised ammonia in fresh water.

    Parameters
    ----------
    total_ammonia : array_like, shape (n,)
        NH3 and NH4+ together, mg L-1, 0 to 1000; as nitrogen, or as whatever the result shall be.
    ph : array_like, shape (n,)
        pH on the NBS scale, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, 0 to 30.

    Returns
    -------
    array_like, shape (n,)
        mg L-1 as nitrogen where total ammonia is. NaN where an input is NaN or out of range.

    References
    ----------
    Emerson, Russo, Lund and Thurston (1975), J. Fish. Res. Board Can. 32, 2379-2383, as in `fraction`.

    Examples
    --------
    >>> float(nitrogen(1.0, 8.0, 25.0).round(5))
    0.05366
    """
    return total_ammonia * _emerson(ph, temperature)


@function(ph=PH, temperature=SEA, salinity=SALINITY, unit="%")
def fraction_gb3097(ph: float, temperature: float, salinity: float) -> float:
    """Return the share of total ammonia that is NH3 in sea water, as China's sea water standard computes it.

    Parameters
    ----------
    ph : array_like, shape (n,)
        pH, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        1, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        %. NaN where an input is NaN or out of range.

    References
    ----------
    GB 3097-1997, annex B: f = 100/(10^(pK - pH) + 1), pK = 9.245 + 0.002949·S + 0.0324·(298 - T), T = 273 + t.

    Examples
    --------
    >>> float(fraction_gb3097(8.0, 25.0, 35.0).round(4))
    4.2927
    """
    return _gb3097(ph, temperature, salinity)


@function(
    total_ammonia=Input("umol L-1", 0.0, 70_000.0, typical=20.0, scale=20.0),
    ph=PH,
    temperature=SEA,
    salinity=SALINITY,
    unit="mg L-1",
)
def nitrogen_gb3097(total_ammonia: float, ph: float, temperature: float, salinity: float) -> float:
    """Return un-ionised ammonia in sea water as nitrogen, as China's sea water standard computes it.

    Parameters
    ----------
    total_ammonia : array_like, shape (n,)
        NH3 and NH4+ together, umol L-1, 0 to 70000.
    ph : array_like, shape (n,)
        pH, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        1, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        mg L-1 of N. NaN where an input is NaN or out of range.

    References
    ----------
    GB 3097-1997, annex B: c = 14e-5·c(total, umol L-1)·f, f in per cent as in `fraction_gb3097`.

    Examples
    --------
    >>> float(nitrogen_gb3097(10.0, 8.0, 25.0, 35.0).round(5))
    0.00601
    """
    return 14e-5 * total_ammonia * _gb3097(ph, temperature, salinity)


@function(ph=PH, temperature=SEA, salinity=SALINITY, unit="%")
def fraction_seawater_total(ph: float, temperature: float, salinity: float) -> float:
    """Return the share of total ammonia that is NH3 in sea water, of pH on the total scale.

    Parameters
    ----------
    ph : array_like, shape (n,)
        pH on the total hydrogen ion scale, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        %. NaN where an input is NaN or out of range.

    References
    ----------
    Clegg and Whitfield (1995), Geochim. Cosmochim. Acta 59, 2403-2421, eq. 18, total scale; the coefficients as two
    independent programs print them.

    Examples
    --------
    >>> float(fraction_seawater_total(8.0, 25.0, 35.0).round(2))
    5.56
    """
    kelvin = temperature + 273.15
    half, root = kelvin**0.5, salinity**0.5
    pk = (
        _pk(kelvin)
        + (0.04203362 - 11.24742 / kelvin) * root**0.5
        + (-13.6416 + 1.176949 * half - 0.02860785 * kelvin + 545.4834 / kelvin) * root
        + (-0.1462507 + 0.009022648 * half - 1.471361e-4 * kelvin + 10.5425 / kelvin) * salinity * root
        + (0.004669309 - 1.691742e-4 * half - 0.5677934 / kelvin) * salinity * salinity
        + (-2.354039e-5 + 0.009698623 / kelvin) * salinity * salinity * root
    )
    return 100.0 / (1.0 + 10.0 ** (pk - ph))


@function(ph=PH, temperature=SEA, salinity=SALINITY, unit="%")
def fraction_seawater_free(ph: float, temperature: float, salinity: float) -> float:
    """Return the share of total ammonia that is NH3 in sea water, of pH on the free scale.

    Parameters
    ----------
    ph : array_like, shape (n,)
        pH on the free hydrogen ion scale, 1, 4 to 11.
    temperature : array_like, shape (n,)
        Water temperature, degree_Celsius, -2 to 40.
    salinity : array_like, shape (n,)
        Practical salinity, 1, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        %. NaN where an input is NaN or out of range.

    References
    ----------
    Clegg and Whitfield (1995), Geochim. Cosmochim. Acta 59, 2403-2421, free scale; the coefficients of one program,
    whose published example they reproduce.

    Examples
    --------
    >>> float(fraction_seawater_free(8.0, 25.0, 35.0).round(2))
    4.4
    """
    kelvin = temperature + 273.15
    s = salinity
    pk = (
        _pk(kelvin)
        + (0.0500616 - 9.412696 / kelvin - 2.029559e-7 * kelvin * kelvin) * s**0.5
        + (-0.0142372 + 1.46041e-5 * kelvin + 3.730005 / kelvin) * s
        + (7.1047e-5 - 0.0229021 / kelvin) * s * s
        + (-5.521278e-7 + 1.95413e-4 / kelvin) * s * s * s
    )
    return 100.0 / (1.0 + 10.0 ** (pk - ph))
