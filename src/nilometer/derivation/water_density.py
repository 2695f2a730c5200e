"""Density of fresh water at one atmosphere. With salt it is `eos80.density` or `seawater.density`."""

from __future__ import annotations

from nilometer.derivation.function import Input, function

__all__ = ["kell", "tanaka"]


@function(temperature=Input("degree_Celsius", 0.0, 40.0), unit="kg m-3")
def tanaka(temperature: float) -> float:
    """Return the density of air-free water at one atmosphere, as metrology uses it (CIPM).

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, 0 to 40.

    Returns
    -------
    array_like, shape (n,)
        kg m-3. NaN where an input is NaN or out of range.

    References
    ----------
    Tanaka, Girard, Davis, Peuto and Bignell (2001), Metrologia 38, 301-309, eq. 1, for water of standard isotopic
    composition.

    Examples
    --------
    >>> float(tanaka(20.0).round(4))
    998.2067
    """
    off = temperature - 3.983035
    return 999.974950 * (1.0 - off * off * (temperature + 301.797) / (522528.9 * (temperature + 69.34881)))


@function(temperature=Input("degree_Celsius", 0.0, 150.0), unit="kg m-3")
def kell(temperature: float) -> float:
    """Return the density of air-free water at one atmosphere up to 150 °C.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        ITS-90, degree_Celsius, 0 to 150 (above 100 in liquid water under its own pressure, led back to one atmosphere).

    Returns
    -------
    array_like, shape (n,)
        kg m-3; within 0.004 of `tanaka` from 0 to 40 °C, which was checked; the coefficients were compared with no
        second print. NaN where an input is NaN or out of range.

    References
    ----------
    Kell (1975), J. Chem. Eng. Data 20, 97-105, on the IPTS-68 (t68 = 1.00024·t90).

    Examples
    --------
    >>> float(kell(20.0).round(2))
    998.2
    """
    t = 1.00024 * temperature
    over = 999.83952 + t * (
        16.945176 + t * (-7.9870401e-3 + t * (-46.170461e-6 + t * (105.56302e-9 - t * 280.54253e-12)))
    )
    return over / (1.0 + 16.879850e-3 * t)
