"""How far light goes in water: Secchi depth, attenuation, absorption."""

from __future__ import annotations

from typing import Final

import numpy as np

from nilometer.derivation.function import Input, function

__all__ = [
    "absorption_coefficient",
    "attenuation_from_secchi",
    "beam_attenuation",
    "black_odorous_limit",
    "euphotic_depth",
]

SECCHI: Final = Input("m", 0.05, 60.0, typical=3.0)


@function(secchi=SECCHI, constant=Input("1", 1.0, 2.5, default=1.7, typical=1.7), unit="m-1")
def attenuation_from_secchi(secchi: float, constant: float = 1.7) -> float:
    """Return the attenuation of daylight from Secchi depth.

    Parameters
    ----------
    secchi : array_like, shape (n,)
        Secchi depth, m, 0.05 to 60.
    constant : array_like, shape (n,)
        Attenuation times Secchi depth, 1, 1 to 2.5; left out: 1.7. It is no constant of nature: other authors found
        1.44 and 1.45 in turbid waters.

    Returns
    -------
    array_like, shape (n,)
        Diffuse attenuation coefficient, m-1. NaN where an input is NaN or out of range.

    References
    ----------
    Poole and Atkins (1929), J. Mar. Biol. Assoc. U.K. 16, 297-324: k = 1.7/SD, of the English Channel.

    Examples
    --------
    >>> float(attenuation_from_secchi(2.0))
    0.85
    """
    return constant / secchi


@function(attenuation=Input("m-1", 0.01, 100.0, typical=0.8, scale=1.0), unit="m")
def euphotic_depth(attenuation: float) -> float:
    """Return the depth at which one per cent of the surface's light is left.

    Parameters
    ----------
    attenuation : array_like, shape (n,)
        Diffuse attenuation coefficient, m-1, 0.01 to 100.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    Lambert's law, ln(100)/k; Kirk, Light and Photosynthesis in Aquatic Ecosystems, definition of the euphotic zone.

    Examples
    --------
    >>> float(euphotic_depth(0.85).round(3))
    5.418
    """
    return 4.605170185988092 / attenuation


@function(
    transmittance=Input("%", 0.01, 100.0, typical=60.0),
    path=Input("m", 0.001, 2.0, default=0.25, typical=0.25),
    unit="m-1",
)
def beam_attenuation(transmittance: float, path: float = 0.25) -> float:
    """Return the attenuation of a beam from a transmissometer's reading.

    Parameters
    ----------
    transmittance : array_like, shape (n,)
        Light that arrives as a share of that in clean water or air, as the maker defines it, %, 0.01 to 100.
    path : array_like, shape (n,)
        Length of the beam, m, 0.001 to 2; left out: 0.25.

    Returns
    -------
    array_like, shape (n,)
        m-1, by the natural logarithm. NaN where an input is NaN or out of range.

    References
    ----------
    Lambert's law: c = -ln(T)/path.

    Examples
    --------
    >>> float(beam_attenuation(50.0, 0.25).round(4))
    2.7726
    """
    return -np.log(0.01 * transmittance) / path


@function(
    absorbance=Input("1", 0.0, 5.0, typical=0.1),
    path=Input("m", 0.0005, 1.0, default=0.01, typical=0.01),
    unit="m-1",
)
def absorption_coefficient(absorbance: float, path: float = 0.01) -> float:
    """Return a spectral absorption coefficient from absorbance, such as SAC254.

    Parameters
    ----------
    absorbance : array_like, shape (n,)
        Decadic, 1, 0 to 5.
    path : array_like, shape (n,)
        Length of the cell, m, 0.0005 to 1; left out: 0.01.

    Returns
    -------
    array_like, shape (n,)
        m-1, decadic: 2.303 times less than the natural one. NaN where an input is NaN or out of range.

    References
    ----------
    ISO 7887:2011, method B, and DIN 38404-3: absorbance over path.

    Examples
    --------
    >>> float(absorption_coefficient(0.05, 0.01).round(3))
    5.0
    """
    return absorbance / path


@function(depth=Input("cm", 1.0, 3000.0, typical=15.0, scale=10.0), unit="cm")
def black_odorous_limit(depth: float) -> float:
    """Return the transparency below which an urban water is severely black and odorous.

    Parameters
    ----------
    depth : array_like, shape (n,)
        Of the water, cm, 1 to 3000.

    Returns
    -------
    array_like, shape (n,)
        cm: 10, or 40 % of the depth where that is less than 25. Below 25 cm of transparency a water is mildly so. NaN
        where an input is NaN or out of range.

    References
    ----------
    China, Guideline for the remediation of urban black and odorous waters (2015), table of grades with its note on
    shallow water; from one rule base, not compared with the printed guideline.

    Examples
    --------
    >>> black_odorous_limit([15.0, 100.0]).round(6).tolist()
    [6.0, 10.0]
    """
    return min(10.0, 0.4 * depth)
