"""Discharge through orifices and under gates."""

from __future__ import annotations

import math
from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = ["orifice", "sluice_gate"]

GRAVITY: Final = Input("m s-2", 9.7, 9.9, default=9.80665, typical=9.81)


@njit(error_model="numpy")
def _orifice(difference: float, area: float, coefficient: float, g: float) -> float:
    return coefficient * area * math.sqrt(2.0 * g * difference)


@function(
    head_difference=Input("m", 0.0, 50.0, scale=0.5, typical=0.4),
    area=Input("m2", 0.0, 100.0, scale=0.1, typical=0.2),
    coefficient=Input("1", 0.4, 1.0, default=0.61),
    gravity=GRAVITY,
    unit="m3 s-1",
)
def orifice(head_difference: float, area: float, coefficient: float = 0.61, gravity: float = 9.80665) -> float:
    """Return the discharge through an orifice that is wholly under water.

    Parameters
    ----------
    head_difference : array_like, shape (n,)
        Level upstream minus level downstream or, where the jet falls free, minus the middle of the orifice, m, 0 to 50.
    area : array_like, shape (n,)
        Of the opening, m2, 0 to 100.
    coefficient : array_like, shape (n,)
        Of discharge, 0.4 to 1; left out: 0.61, of sharp edges that the jet leaves contracted all round.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Torricelli with contraction: Q = C A √(2 g Δh). C = 0.61: USBR, Water Measurement Manual, chapter 9, of a fully
    contracted submerged rectangular orifice.

    Examples
    --------
    >>> float(orifice(0.4, 0.2).round(4))
    0.3417
    """
    return _orifice(head_difference, area, coefficient, gravity)


@njit(error_model="numpy")
def _gate(upstream: float, opening: float, width: float, downstream: float, contraction: float, g: float) -> float:
    if opening > 0.667 * upstream or downstream >= upstream:
        return math.nan
    jet = contraction * opening
    # Energy from the water above the gate to the jet, with the velocity of approach.
    q = jet * math.sqrt(2.0 * g * (upstream - jet) / (1.0 - (jet / upstream) ** 2))
    conjugate = 0.5 * jet * (math.sqrt(1.0 + 8.0 * q * q / (g * jet * jet * jet)) - 1.0)
    if downstream <= jet:
        return width * q
    # Where the jump lies on the jet the water above it stands at h, by momentum from there to the water below.
    k = 1.0 / (jet * jet) - 1.0 / (upstream * upstream)
    pull = 4.0 / k * (1.0 / jet - 1.0 / downstream)
    root = 0.25 * pull * pull - pull * upstream + downstream * downstream
    if downstream <= conjugate:
        return math.nan if root >= 0.0 else width * q  # between the two limits both states exist
    return width * math.sqrt(2.0 * g * (upstream - 0.5 * pull - math.sqrt(root)) / k)


@function(
    upstream=Input("m", 0.05, 30.0, scale=1.0, typical=2.0),
    opening=Input("m", 0.01, 10.0, scale=0.2, typical=0.3),
    width=Input("m", 0.05, 50.0, scale=1.0, typical=2.0),
    downstream=Input("m", 0.0, 30.0, default=0.0, scale=1.0, typical=1.5),
    contraction=Input("1", 0.5, 1.0, default=0.61),
    gravity=GRAVITY,
    unit="m3 s-1",
)
def sluice_gate(
    upstream: float,
    opening: float,
    width: float,
    downstream: float = 0.0,
    contraction: float = 0.61,
    gravity: float = 9.80665,
) -> float:
    """Return the discharge under a vertical sluice gate across a rectangular channel, free or drowned.

    Parameters
    ----------
    upstream : array_like, shape (n,)
        Depth before the gate, over the floor, m, 0.05 to 30.
    opening : array_like, shape (n,)
        Of the gate over the floor, m, 0.01 to 10; at most two thirds of the depth: above it the gate does not touch
        the water.
    width : array_like, shape (n,)
        Of the gate, m, 0.05 to 50.
    downstream : array_like, shape (n,)
        Depth behind the gate, beyond the jump, m, 0 to 30; left out: the jet runs free.
    contraction : array_like, shape (n,)
        Of the jet, 0.5 to 1; left out: 0.61, of a sharp vertical gate. It grows with opening/depth and where the lip is
        round: give its uncertainty.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, the gate is out of the water, the depth behind is not below
        that before it, or lies in the narrow band where the flow may be free or drowned, as it was before (hysteresis).

    References
    ----------
    Henderson (1966), Open Channel Flow, chapter 6: energy up to the contracted jet, conjugate depth of the jump for the
    limit of free flow, momentum behind the gate where it is drowned; of one floor, without friction. Defina and Susin
    (2003), Phys. Fluids 15, 2541, on the hysteresis between. Belaud, Cassan and
    Baume (2009), J. Hydraul. Eng. 135, 1086-1091, on the contraction.

    Examples
    --------
    >>> sluice_gate(2.0, 0.3, 2.0, [0.0, 1.7]).round(3).tolist()
    [2.194, 0.996]
    """
    return _gate(upstream, opening, width, downstream, contraction, gravity)
