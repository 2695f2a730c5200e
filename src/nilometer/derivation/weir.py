"""Discharge over weirs from the head above the crest, each within the limits that its equation was measured in.

The head is taken upstream, three to five times its greatest value before the crest. Where two inputs together leave
what an equation holds for (a head too high for the weir's height), there is no value, with ``outside="extrapolate"``
too. Each function carries the standard uncertainty of its coefficient; that of the head comes through the equation:
u(Q)/Q = 2.5 u(h)/h of a V-notch, 1.5 u(h)/h of a level crest.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.function import Input, function

__all__ = [
    "broad_crested",
    "cipolletti",
    "full_width",
    "kindsvater_shen",
    "rectangular",
    "submergence_factor",
    "v_notch",
    "v_notch_90",
]

GRAVITY: Final = Input("m s-2", 9.7, 9.9, default=9.80665, typical=9.81)
FULL_HEIGHT: Final = Input("m", 0.05, 20.0, default=20.0, typical=2.0)
FULL_WIDTH: Final = Input("m", 0.2, 50.0, default=50.0, typical=5.0)

# ISO 1438, Kindsvater-Carter: b/B, alpha, alpha' of Ce = alpha + alpha' h/p. Recomputed from table 6-2 of the SWMM
# hydraulics manual, which has them from the Water Measurement Manual: alpha differs there by up to 0.0011 from these.
_RATIO: Final = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0])
_ALPHA: Final = np.array([0.587, 0.588, 0.591, 0.593, 0.594, 0.596, 0.598, 0.602])
_SLOPE: Final = np.array([-0.0023, -0.0018, 0.0058, 0.018, 0.030, 0.045, 0.064, 0.075])
_KB_RATIO: Final = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
_KB: Final = np.array([0.0024, 0.0024, 0.0027, 0.0036, 0.0042, -0.0009])


@njit(error_model="numpy")
def _between(x: float, at: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    k = 1
    while k < at.size - 1 and x > at[k]:
        k += 1
    return values[k - 1] + (values[k] - values[k - 1]) * (x - at[k - 1]) / (at[k] - at[k - 1])


@njit(error_model="numpy")
def kindsvater_shen(angle: float) -> tuple[float, float]:
    """Return Ce and kh (m) of a fully contracted V-notch.

    Parameters
    ----------
    angle : float
        Whole angle of the notch, degree, 20 to 100.

    Returns
    -------
    ce, kh : float
        The polynomial for kh is published in feet: taken for metres it gives three times too much.

    References
    ----------
    LMNO Engineering's fit of the curves of ISO 1438 and of the Water Measurement Manual, figures 7-6a and b.
    """
    ce = 0.607165052 + angle * (-0.000874466963 + angle * 6.10393334e-6)
    feet = 0.0144902648 + angle * (-0.00033955535 + angle * (3.29819003e-6 - angle * 1.06215442e-8))
    return ce, 0.3048 * feet


@njit(error_model="numpy")
def _notch(head: float, angle: float, ce: float, kh: float, p: float, width: float, g: float) -> float:
    if head > 0.4 * p or head > 0.2 * width:
        return math.nan
    he = head + kh
    return 8.0 / 15.0 * ce * math.sqrt(2.0 * g) * math.tan(math.radians(0.5 * angle)) * he * he * math.sqrt(he)


@function(
    head=Input("m", 0.05, 0.6, typical=0.2),
    notch_height=FULL_HEIGHT,
    channel_width=FULL_WIDTH,
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.005,
)
def v_notch_90(head: float, notch_height: float = 20.0, channel_width: float = 50.0, gravity: float = 9.80665) -> float:
    """Return the discharge over a fully contracted thin-plate V-notch of 90°.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the point of the notch, m, 0.05 to 0.6. ISO 1438 and the Water Measurement Manual ask for 0.06 at least;
        their tables for fully contracted notches end at 0.381.
    notch_height : array_like, shape (n,)
        Of the point over the floor of the channel (p), m, 0.05 to 20. The notch is fully contracted where h/p ≤ 0.4.
    channel_width : array_like, shape (n,)
        Of the channel of approach (B), m, 0.2 to 50; h/B ≤ 0.2. Left out, both are wide enough: the caller says so.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, or the notch is not fully contracted.

    References
    ----------
    ISO 1438, Kindsvater-Shen: Q = 8/15 Ce √(2g) tan(θ/2) (h + kh)^2.5 with Ce = 0.578 and kh = 0.85 mm at 90°. Its
    1.0 % for Ce at 95 % stands here as u = 0.5 %; the text of the standard was not at hand.

    Examples
    --------
    >>> float(v_notch_90(0.1).round(7))
    0.0044095
    """
    return _notch(head, 90.0, 0.578, 0.00085, notch_height, channel_width, gravity)


@function(
    head=Input("m", 0.05, 0.6, typical=0.2),
    angle=Input("degree", 20.0, 100.0, typical=60.0),
    notch_height=FULL_HEIGHT,
    channel_width=FULL_WIDTH,
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.005,
)
def v_notch(
    head: float, angle: float, notch_height: float = 20.0, channel_width: float = 50.0, gravity: float = 9.80665
) -> float:
    """Return the discharge over a fully contracted thin-plate V-notch of any angle.

    Parameters
    ----------
    head, notch_height, channel_width, gravity
        As in `v_notch_90`.
    angle : array_like, shape (n,)
        Whole angle of the notch, degree, 20 to 100; below 25 the fit is beyond what the Water Measurement Manual plots.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, or the notch is not fully contracted. Notches that are partly
        contracted have coefficients for 90° alone (ISO 1438), which are not in here: there is no value.

    References
    ----------
    Kindsvater-Shen as in `v_notch_90`, with Ce and kh of `kindsvater_shen`, which at 90° gives 0.04 % more than the
    standard's pair at 0.2 m.

    Examples
    --------
    >>> float(v_notch(0.2, 60.0).round(5))
    0.01427
    """
    ce, kh = kindsvater_shen(angle)
    return _notch(head, angle, ce, kh, notch_height, channel_width, gravity)


@njit(error_model="numpy")
def _kindsvater_carter(head: float, b: float, channel: float, p: float, g: float) -> float:
    ratio = b / channel
    if head > 2.0 * p or ratio > 1.0 or (ratio < 1.0 and channel - b < 0.2):
        return math.nan
    ce = _between(ratio, _RATIO, _ALPHA) + _between(ratio, _RATIO, _SLOPE) * head / p
    he = head + 0.001
    return 2.0 / 3.0 * ce * math.sqrt(2.0 * g) * (b + _between(ratio, _KB_RATIO, _KB)) * he * math.sqrt(he)


@function(
    head=Input("m", 0.03, 2.0, typical=0.3),
    width=Input("m", 0.15, 50.0, scale=1.0, typical=1.0),
    channel_width=Input("m", 0.15, 100.0, scale=1.0, typical=2.0),
    crest_height=Input("m", 0.1, 20.0, scale=0.5, typical=0.6),
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.0075,
)
def rectangular(
    head: float, width: float, channel_width: float, crest_height: float, gravity: float = 9.80665
) -> float:
    """Return the discharge over a rectangular thin-plate weir, contracted or of the channel's whole width.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the crest, m, 0.03 to 2.
    width : array_like, shape (n,)
        Of the notch (b), m, 0.15 to 50.
    channel_width : array_like, shape (n,)
        Of the channel of approach (B), m, 0.15 to 100: b itself, or at least 0.2 more.
    crest_height : array_like, shape (n,)
        Of the crest over the floor (p), m, 0.1 to 20.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, h/p is above 2, or the notch does not fit its channel.

    References
    ----------
    ISO 1438, Kindsvater-Carter: Q = 2/3 Ce √(2g) (b + kb) (h + kh)^1.5, kh = 1.0 mm, Ce = α + α' h/p; α, α' and kb by
    b/B from the tables of the standard, straight between. Between b/B 0.8 and 1 the curve of kb is not straight: it is
    known to some 2 mm of the width there. 1.5 % for Ce at 95 % up to h/p = 1 (2 to 3 % above) stands as u = 0.75 %:
    a figure of this project's collection of facts, not verified in the text of the standard.

    Examples
    --------
    >>> float(rectangular(0.3, 1.0, 2.0, 0.6).round(4))
    0.2925
    """
    return _kindsvater_carter(head, width, channel_width, crest_height, gravity)


@njit(error_model="numpy")
def _rehbock(head: float, b: float, p: float, g: float) -> float:
    if head > p:
        return math.nan
    he = head + 0.0012
    return 2.0 / 3.0 * (0.602 + 0.083 * head / p) * math.sqrt(2.0 * g) * b * he * math.sqrt(he)


@function(
    head=Input("m", 0.03, 0.75, typical=0.3),
    width=Input("m", 0.3, 50.0, scale=1.0, typical=1.0),
    crest_height=Input("m", 0.1, 20.0, scale=0.5, typical=0.6),
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.0075,
)
def full_width(head: float, width: float, crest_height: float, gravity: float = 9.80665) -> float:
    """Return the discharge over a thin-plate weir across the whole channel, with air below the nappe.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the crest, m, 0.03 to 0.75.
    width : array_like, shape (n,)
        Of the channel, m, 0.3 to 50.
    crest_height : array_like, shape (n,)
        Of the crest over the floor (p), m, 0.1 to 20.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, or h/p is above 1.

    References
    ----------
    Rehbock (1929) as in ISO 1438: Q = 2/3 (0.602 + 0.083 h/p) √(2g) b (h + 0.0012 m)^1.5. Other prints have 0.0832
    and 1.25 mm, 0.1 % apart. u = 0.75 % as in `rectangular`, and like it not verified in the text of the standard.

    Examples
    --------
    >>> float(full_width(0.3, 1.0, 0.6).round(4))
    0.3141
    """
    return _rehbock(head, width, crest_height, gravity)


@njit(error_model="numpy")
def _cipolletti(head: float, length: float, g: float) -> float:
    if head > length / 3.0:
        return math.nan
    # 3.367 ft^0.5 s-1 at standard gravity.
    return 3.367 * math.sqrt(0.3048 * g / 9.80665) * length * head * math.sqrt(head)


@function(
    head=Input("m", 0.06, 0.6, typical=0.2),
    crest_length=Input("m", 0.18, 20.0, scale=1.0, typical=1.0),
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.025,
)
def cipolletti(head: float, crest_length: float, gravity: float = 9.80665) -> float:
    """Return the discharge over a Cipolletti weir: a trapezoidal notch whose sides lean outwards 1 to 4.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the crest, m, 0.06 to 0.6.
    crest_length : array_like, shape (n,)
        Of the level crest (L), m, 0.18 to 20.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, or h is above L/3.

    References
    ----------
    USBR, Water Measurement Manual, chapter 7 section 12: Q = 3.367 L h^1.5 in feet and seconds, without velocity of
    approach; some 5 % at best, which stands as u = 2.5 %. The crest has to be 2h above the floor and 2h from
    the sides.

    Examples
    --------
    >>> float(cipolletti(0.2, 1.0).round(4))
    0.1663
    """
    return _cipolletti(head, crest_length, gravity)


@function(
    head=Input("m", 0.06, 5.0, typical=0.3),
    width=Input("m", 0.1, 100.0, scale=1.0, typical=2.0),
    coefficient=Input("1", 0.7, 1.2, typical=0.86),
    gravity=GRAVITY,
    unit="m3 s-1",
)
def broad_crested(head: float, width: float, coefficient: float, gravity: float = 9.80665) -> float:
    """Return the discharge over a broad-crested weir of a known coefficient.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the crest, m, 0.06 to 5.
    width : array_like, shape (n,)
        Of the crest across the channel, m, 0.1 to 100.
    coefficient : array_like, shape (n,)
        Of discharge, 0.7 to 1.2, for the head as measured. Its tables by h/L and h/p (ISO 3846) were not at hand, so
        that there is no value that comes by itself; give its uncertainty too.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range.

    References
    ----------
    Critical flow over the crest: Q = (2/3)^1.5 C √g b h^1.5 (ISO 3846; BS 3680 part 4E).

    Examples
    --------
    >>> float(broad_crested(0.3, 2.0, 0.86).round(4))
    0.4818
    """
    return math.pow(2.0 / 3.0, 1.5) * coefficient * math.sqrt(gravity) * width * head * math.sqrt(head)


@njit(error_model="numpy")
def _villemonte(head: float, tailwater: float, exponent: float) -> float:
    if tailwater <= 0.0:
        return 1.0
    if tailwater > 0.9 * head:
        return math.nan
    return math.pow(1.0 - math.pow(tailwater / head, exponent), 0.385)


@function(
    head=Input("m", 0.03, 5.0, typical=0.3),
    tailwater=Input("m", -20.0, 5.0, scale=0.1, typical=0.1),
    exponent=Input("1", 1.0, 3.0, default=1.5, typical=2.5),
    unit="1",
    relative_uncertainty=0.025,
)
def submergence_factor(head: float, tailwater: float, exponent: float = 1.5) -> float:
    """Return by how much a drowned thin-plate weir gives less than a free one.

    Parameters
    ----------
    head : array_like, shape (n,)
        Upstream, over the crest, m, 0.03 to 5.
    tailwater : array_like, shape (n,)
        Downstream, over the crest, m, -20 to 5; below the crest the weir is free.
    exponent : array_like, shape (n,)
        Of the free discharge: 1.5 of a level crest, 2.5 of a V-notch.

    Returns
    -------
    array_like, shape (n,)
        1, to multiply the free discharge with. NaN where an input is NaN or out of range, or tailwater/head is above
        0.9: what is left is too small a difference.

    References
    ----------
    Villemonte (1947), Engineering News-Record 139: (1 - (h2/h1)^n)^0.385; 5 % as usually told stands as u = 2.5 %,
    of a weir that is free as well.

    Examples
    --------
    >>> float(submergence_factor(0.3, 0.15).round(3))
    0.845
    """
    return _villemonte(head, tailwater, exponent)
