"""Oxygen as mass, volume, amount and content: what no factor of units alone can convert.

One litre of oxygen is 1.42905 g at 0 °C and one atmosphere, one mole is 31.9988 g; a content by mass of water needs the
density of the water.
"""

from __future__ import annotations

from typing import Final

from nilometer.derivation.function import Input, function

__all__ = [
    "amount_from_content",
    "amount_from_mass",
    "content_from_amount",
    "mass_from_amount",
    "mass_from_volume",
    "volume_from_mass",
]

MASS: Final = Input("mg L-1", 0.0, 60.0, typical=8.0)
AMOUNT: Final = Input("umol L-1", 0.0, 2000.0, typical=250.0)
DENSITY: Final = Input("kg m-3", 950.0, 1100.0, typical=1025.0)
_MG_PER_ML: Final = 1.42905
_MG_PER_UMOL: Final = 0.0319988


@function(volume=Input("mL L-1", 0.0, 42.0, typical=6.0), unit="mg L-1")
def mass_from_volume(volume: float) -> float:
    """Return a mass concentration of oxygen from the volume of its gas.

    Parameters
    ----------
    volume : array_like, shape (n,)
        mL L-1 at 0 °C and one atmosphere, 0 to 42.

    Returns
    -------
    array_like, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    References
    ----------
    USGS Office of Water Quality Technical Memorandum 2011.03: 1.42905 mg of oxygen fill 1 mL.

    Examples
    --------
    >>> float(mass_from_volume(1.0))
    1.42905
    """
    return _MG_PER_ML * volume


@function(mass=MASS, unit="mL L-1")
def volume_from_mass(mass: float) -> float:
    """Return the volume of its gas from a mass concentration of oxygen.

    Parameters
    ----------
    mass : array_like, shape (n,)
        mg L-1, 0 to 60.

    Returns
    -------
    array_like, shape (n,)
        mL L-1 at 0 °C and one atmosphere. NaN where an input is NaN or out of range.

    References
    ----------
    USGS Office of Water Quality Technical Memorandum 2011.03: 1.42905 mg of oxygen fill 1 mL.

    Examples
    --------
    >>> float(volume_from_mass(10.0).round(4))
    6.9977
    """
    return mass / _MG_PER_ML


@function(amount=AMOUNT, unit="mg L-1")
def mass_from_amount(amount: float) -> float:
    """Return a mass concentration of oxygen from its amount concentration.

    Parameters
    ----------
    amount : array_like, shape (n,)
        umol L-1 of O2, 0 to 2000.

    Returns
    -------
    array_like, shape (n,)
        mg L-1. NaN where an input is NaN or out of range.

    References
    ----------
    IUPAC standard atomic weight of oxygen, 15.9994: 31.9988 g mol-1 of O2.

    Examples
    --------
    >>> float(mass_from_amount(250.0).round(4))
    7.9997
    """
    return _MG_PER_UMOL * amount


@function(mass=MASS, unit="umol L-1")
def amount_from_mass(mass: float) -> float:
    """Return an amount concentration of oxygen from its mass concentration.

    Parameters
    ----------
    mass : array_like, shape (n,)
        mg L-1, 0 to 60.

    Returns
    -------
    array_like, shape (n,)
        umol L-1 of O2. NaN where an input is NaN or out of range.

    References
    ----------
    IUPAC standard atomic weight of oxygen, 15.9994: 31.9988 g mol-1 of O2.

    Examples
    --------
    >>> float(amount_from_mass(8.0).round(3))
    250.009
    """
    return mass / _MG_PER_UMOL


@function(amount=AMOUNT, density=DENSITY, unit="umol kg-1")
def content_from_amount(amount: float, density: float) -> float:
    """Return a content of oxygen by mass of water from its concentration by volume.

    Parameters
    ----------
    amount : array_like, shape (n,)
        umol L-1 of O2, 0 to 2000.
    density : array_like, shape (n,)
        Of the water as it was measured, kg m-3, 950 to 1100; for the sea usually the potential density.

    Returns
    -------
    array_like, shape (n,)
        umol kg-1. NaN where an input is NaN or out of range.

    References
    ----------
    SCOR WG 142, Recommendations on the conversion between oxygen quantities (2018): amount over
    density.

    Examples
    --------
    >>> float(content_from_amount(256.25, 1025.0).round(6))
    250.0
    """
    return 1000.0 * amount / density


@function(content=Input("umol kg-1", 0.0, 2000.0, typical=250.0), density=DENSITY, unit="umol L-1")
def amount_from_content(content: float, density: float) -> float:
    """Return a concentration of oxygen by volume from its content by mass of water.

    Parameters
    ----------
    content : array_like, shape (n,)
        umol kg-1 of O2, 0 to 2000.
    density : array_like, shape (n,)
        Of the water, kg m-3, 950 to 1100.

    Returns
    -------
    array_like, shape (n,)
        umol L-1. NaN where an input is NaN or out of range.

    References
    ----------
    SCOR WG 142, Recommendations on the conversion between oxygen quantities (2018): content
    times density.

    Examples
    --------
    >>> float(amount_from_content(250.0, 1025.0).round(6))
    256.25
    """
    return 0.001 * content * density
