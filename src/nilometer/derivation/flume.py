"""Discharge through flumes from the head at their gauge, each within the range it was rated for.

Parshall flumes by size; long-throated flumes of any trapezoid by the theory of critical flow; H, HS and HL flumes and
60° V flumes by their published ratings. A flume that is drowned has no value here: no equation guesses past the limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.family_settings import checked
from nilometer.derivation.function import Family, Function, Input, function
from nilometer.errors import ConfigError

__all__ = ["H_FLUME", "h_flume", "long_throated", "parshall", "v_flume_60"]

GRAVITY: Final = Input("m s-2", 9.7, 9.9, default=9.80665, typical=9.81)

# Throat width m, C and n of Q = C ha^n (m, m3/s), lowest and highest ha m, greatest hb/ha.
# C and n: ISO 9826 from 0.25 m on, converted from the US equations below and above (Q = (3.6875 W + 2.5) ha^1.6 in
# feet from 10 ft). Heads: CJ/T 3008.3-1993; where another print of ISO 9826 is narrower, that.
_METRIC: Final = [
    [0.0254, 0.0604, 1.55, 0.015, 0.21, 0.5],
    [0.0508, 0.1207, 1.55, 0.015, 0.24, 0.5],
    [0.0762, 0.1765, 1.547, 0.03, 0.33, 0.5],
    [0.1524, 0.3812, 1.58, 0.03, 0.45, 0.6],
    [0.2286, 0.5354, 1.53, 0.03, 0.60, 0.6],
    [0.25, 0.561, 1.513, 0.03, 0.60, 0.6],
    [0.3, 0.679, 1.521, 0.03, 0.75, 0.7],
    [0.45, 1.038, 1.537, 0.03, 0.75, 0.7],
    [0.6, 1.403, 1.548, 0.05, 0.75, 0.7],
    [0.75, 1.772, 1.557, 0.06, 0.75, 0.7],
    [0.9, 2.147, 1.565, 0.06, 0.75, 0.7],
    [1.0, 2.397, 1.569, 0.06, 0.80, 0.7],
    [1.2, 2.904, 1.577, 0.06, 0.80, 0.7],
    [1.5, 3.668, 1.586, 0.06, 0.80, 0.7],
    [1.8, 4.44, 1.593, 0.08, 0.80, 0.7],
    [2.1, 5.222, 1.599, 0.08, 0.80, 0.7],
    [2.4, 6.004, 1.606, 0.08, 0.80, 0.7],
    [3.048, 7.463, 1.6, 0.09, 1.07, 0.8],
    [3.658, 8.859, 1.6, 0.09, 1.37, 0.8],
    [4.572, 10.96, 1.6, 0.09, 1.67, 0.8],
    [6.096, 14.45, 1.6, 0.09, 1.83, 0.8],
    [7.62, 17.94, 1.6, 0.09, 1.83, 0.8],
    [9.144, 21.44, 1.6, 0.09, 1.83, 0.8],
    [12.192, 28.43, 1.6, 0.09, 1.83, 0.8],
    [15.24, 35.41, 1.6, 0.09, 1.83, 0.8],
]
# The sizes of 1 to 8 ft by the US equation Q = 4 W ha^(1.522 W^0.026), feet; heads as of the metric size beside each.
_FEET: Final = [
    [w * 0.3048, 4.0 * w * 0.3048 ** (3.0 - 1.522 * w**0.026), 1.522 * w**0.026, lowest, highest, 0.7]
    for w, lowest, highest in [
        (1.0, 0.03, 0.75),
        (1.5, 0.03, 0.75),
        (2.0, 0.05, 0.75),
        (3.0, 0.06, 0.75),
        (4.0, 0.06, 0.75),
        (5.0, 0.06, 0.75),
        (6.0, 0.08, 0.75),
        (7.0, 0.08, 0.75),
        (8.0, 0.08, 0.75),
    ]
]
_PARSHALL: Final = np.array(sorted(_METRIC + _FEET))


@njit(error_model="numpy")
def _parshall(head: float, width: float, tailwater: float) -> float:
    k, above = 0, _PARSHALL.shape[0] - 1
    while above - k > 1:
        middle = (k + above) // 2
        if _PARSHALL[middle, 0] <= width:
            k = middle
        else:
            above = middle
    if _PARSHALL[above, 0] - width < width - _PARSHALL[k, 0]:
        k = above
    if abs(width - _PARSHALL[k, 0]) > 0.01 * _PARSHALL[k, 0]:
        return math.nan
    if head < _PARSHALL[k, 3] or head > _PARSHALL[k, 4]:
        return math.nan
    if tailwater > _PARSHALL[k, 5] * head:
        return math.nan
    return width / _PARSHALL[k, 0] * _PARSHALL[k, 1] * math.pow(head, _PARSHALL[k, 2])


@function(
    head=Input("m", 0.015, 1.83, typical=0.3),
    throat_width=Input("m", 0.025, 15.4, typical=0.6),
    tailwater=Input("m", -5.0, 1.83, default=0.0, scale=0.1, typical=0.1),
    unit="m3 s-1",
    relative_uncertainty=0.025,
)
def parshall(head: float, throat_width: float, tailwater: float = 0.0) -> float:
    """Return the discharge of a Parshall flume in free flow.

    Parameters
    ----------
    head : array_like, shape (n,)
        At the gauge in the converging part (ha), m, 0.015 to 1.83; each size has its own range, which is kept:

        =====================  ==================  =============
        throat m               ha m                hb/ha at most
        =====================  ==================  =============
        0.0254, 0.0508         0.015 to 0.21, 0.24  0.5
        0.0762                 0.03 to 0.33        0.5
        0.1524                 0.03 to 0.45        0.6
        0.2286, 0.25           0.03 to 0.60        0.6
        0.3, 0.45              0.03 to 0.75        0.7
        0.6                    0.05 to 0.75        0.7
        0.75, 0.9              0.06 to 0.75        0.7
        1.0, 1.2, 1.5          0.06 to 0.80        0.7
        1.8, 2.1, 2.4          0.08 to 0.80        0.7
        1 to 8 ft              as beside, to 0.75  0.7
        3.048 to 15.24         0.09 to 1.07 … 1.83  0.8
        =====================  ==================  =============

    throat_width : array_like, shape (n,)
        m: one of the sizes, as measured, within 1 % of it; the discharge goes with it.
    tailwater : array_like, shape (n,)
        At the gauge of the throat (hb), over the floor at ha, m; left out: the flume is known to run free.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, the throat is of no size in the table, or hb/ha is above the
        limit: a drowned flume is not guessed at.

    References
    ----------
    ISO 9826:1992 and, for the sizes in inches and above 8 ft, the US equations (USBR, Water Measurement Manual, chapter
    8); CJ/T 3008.3-1993 for the ranges of head. Some Chinese tables print n = 1.54 for 0.152 m with the C of n = 1.58.
    5 % in the field (2 % in a laboratory) stands as u = 2.5 %.

    Examples
    --------
    >>> float(parshall(0.3, 0.6).round(4))
    0.2176
    """
    return _parshall(head, throat_width, tailwater)


@function(
    head=Input("m", 0.03, 0.5, typical=0.2),
    unit="m3 s-1",
    relative_uncertainty=0.025,
)
def v_flume_60(head: float) -> float:
    """Return the discharge of a trapezoidal flume with a 60° V throat.

    Parameters
    ----------
    head : array_like, shape (n,)
        Over the floor of the flume at its gauge, m, 0.03 to 0.5; the sizes (small, large, extra large) differ in how
        far they reach, not in their rating. The range here is that of all of them, and was not verified for each.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1. NaN where the input is NaN or out of range.

    References
    ----------
    Robinson and Chamberlain (1960): Q = 1.55 h^2.58 in feet and seconds, as a maker prints it; 2 to 5 %, which stands
    as u = 2.5 %. Only one print was at hand.

    Examples
    --------
    >>> float(v_flume_60(0.3048).round(4))
    0.0439
    """
    return 1.55 * 0.3048**3 * math.pow(head / 0.3048, 2.58)


@njit(error_model="numpy")
def _long_throated(
    head: float, b: float, m: float, length: float, channel: float, slope: float, sill: float, g: float
) -> float:
    if head < 0.1 * length or head > 0.5 * length:
        return math.nan
    # The boundary layer makes the throat narrower and the head lower by its displacement thickness.
    thin = 0.003 * length
    width = b - 2.0 * thin * (math.sqrt(1.0 + m * m) - m)
    depth = head + sill
    approach = depth * (channel + slope * depth)
    # Critical flow has Q² = g A³/T and the energy y + A/(2T); before the flume that is the head and v²/2g.
    y = 0.7 * head
    for _ in range(20):
        area, top = y * (width + m * y), width + 2.0 * m * y
        share = area / approach
        error = y + 0.5 * area / top * (1.0 - share * share) + thin - head
        bend = m * area / (top * top)
        move = error / (1.5 - bend - share * share * (1.5 - bend))
        y -= move
        if abs(move) < 1e-15 * head:
            break
    area, top = y * (width + m * y), width + 2.0 * m * y
    q = area * math.sqrt(g * area / top)
    if q * q * (channel + 2.0 * slope * depth) > 0.25 * g * approach * approach * approach:
        return math.nan
    return q


@function(
    head=Input("m", 0.05, 2.0, typical=0.3),
    throat_width=Input("m", 0.0, 10.0, scale=0.5, typical=0.4),
    side_slope=Input("1", 0.0, 4.0, scale=1.0, typical=1.0),
    throat_length=Input("m", 0.1, 20.0, scale=1.0, typical=1.0),
    channel_width=Input("m", 0.0, 50.0, scale=1.0, typical=1.2),
    channel_slope=Input("1", 0.0, 5.0, default=0.0, scale=1.0, typical=0.5),
    sill_height=Input("m", 0.0, 3.0, default=0.0, scale=0.2, typical=0.1),
    gravity=GRAVITY,
    unit="m3 s-1",
    relative_uncertainty=0.015,
)
def long_throated(
    head: float,
    throat_width: float,
    side_slope: float,
    throat_length: float,
    channel_width: float,
    channel_slope: float = 0.0,
    sill_height: float = 0.0,
    gravity: float = 9.80665,
) -> float:
    """Return the discharge of a long-throated flume: rectangular, trapezoidal or triangular.

    Parameters
    ----------
    head : array_like, shape (n,)
        At the gauge, over the floor of the throat, m, 0.05 to 2.
    throat_width : array_like, shape (n,)
        Of the throat's floor, m, 0 to 10.
    side_slope : array_like, shape (n,)
        Of the throat's sides, horizontal to vertical, 0 to 4; 0: upright.
    throat_length : array_like, shape (n,)
        Along the flow, m, 0.1 to 20.
    channel_width, channel_slope : array_like, shape (n,)
        Of the floor and the sides of the channel at the gauge.
    sill_height : array_like, shape (n,)
        Of the throat's floor over that of the channel, m, 0 to 3.
    gravity : array_like, shape (n,)
        m s-2, 9.7 to 9.9.

    Returns
    -------
    array_like, shape (n,)
        m3 s-1, free flow. NaN where an input is NaN or out of range, h/L is outside of 0.1 to 0.5, or the Froude number
        at the gauge is above 0.5.

    References
    ----------
    ISO 4359: critical flow in the throat, H = y + A/(2T) and Q = A √(g A/T), with H the head of energy (h and the
    velocity of approach, by iteration) and the throat reduced by a displacement thickness of 0.003 L; of a rectangle
    this is its equation Q = (2/3)^1.5 √g C_D C_V b h^1.5. The 0.003 is the standard's for a smooth throat. 3 % stands
    as u = 1.5 %, which was not verified in the text.

    Examples
    --------
    >>> float(long_throated(0.3, 0.4, 1.0, 1.0, 1.2).round(4))
    0.1807
    """
    return _long_throated(
        head, throat_width, side_slope, throat_length, channel_width, channel_slope, sill_height, gravity
    )


# Depth ft: A, B, C of log10 Q = A + B log10 h + C (log10 h)^2, in m and m3/s.
_H_FLUMES: Final[Mapping[str, Mapping[float, tuple[float, float, float]]]] = {
    "HS": {
        0.4: (-0.4361, 2.5151, 0.1379),
        0.6: (-0.4430, 2.4908, 0.1657),
        0.8: (-0.4410, 2.4571, 0.1762),
        1.0: (-0.4382, 2.4193, 0.1790),
    },
    "H": {
        0.5: (0.0372, 2.6629, 0.1954),
        0.75: (0.0351, 2.6434, 0.2243),
        1.0: (0.0206, 2.5902, 0.2281),
        1.5: (0.0238, 2.5473, 0.2540),
        2.0: (0.0237, 2.4918, 0.2605),
        2.5: (0.0268, 2.4402, 0.2600),
        3.0: (0.0329, 2.3977, 0.2588),
        4.5: (0.0588, 2.3032, 0.2547),
    },
    "HL": {4.0: (0.3160, 2.3466, 0.2794)},
}
_LOWEST_HEAD: Final = 0.03


def h_flume(kind: str, depth_ft: float) -> Function:
    """Return the rating of an HS, H or HL flume as a function of the head.

    Parameters
    ----------
    kind : {"HS", "H", "HL"}
        Its shape.
    depth_ft : float
        Its depth, by which it is named, in feet: 0.4, 0.6, 0.8, 1.0 (HS); 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5 (H);
        4.0 (HL).

    Returns
    -------
    Function
        Of `head` (m, 0.03 to the depth), in m3 s-1, with u = 1.5 % (3 % as Bos has it).

    Raises
    ------
    ConfigError
        If there is no such flume.

    References
    ----------
    Bos (1989), Discharge Measurement Structures, ILRI publication 20, section 7.5: log10 Q = A + B log10 h +
    C (log10 h)². The table was not at hand: that of HL 4.0 was found in use, and each of the others gives the capacity
    that USDA Agriculture Handbook 224 has for a full flume within 1.3 %.

    Examples
    --------
    >>> float(h_flume("H", 1.0)(0.3048).round(4))
    0.0556
    """
    if kind not in _H_FLUMES:
        raise ConfigError("kind", seen=kind, allowed=_H_FLUMES)
    if depth_ft not in _H_FLUMES[kind]:
        raise ConfigError("depth_ft", seen=depth_ft, allowed=[str(size) for size in _H_FLUMES[kind]])
    a, b, c = _H_FLUMES[kind][depth_ft]

    def rating(head: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the discharge of an H flume."""
        log = np.log10(head)
        return np.asarray(np.power(10.0, a + log * (b + log * c)))

    return Function.made(
        "flume.h_flume",
        {"head": Input("m", _LOWEST_HEAD, 0.3048 * depth_ft)},
        "m3 s-1",
        rating,
        relative_uncertainty=0.015,
    )


def _h_flume(settings: Mapping[str, Any]) -> Function:
    told = checked(settings, H_FLUME.settings, ("kind", "depth_ft"))
    return h_flume(str(told["kind"]), float(told["depth_ft"]))


H_FLUME: Final = Family(
    "flume.h_flume",
    "discharge of an HS, H or HL flume",
    {"kind": "HS, H or HL", "depth_ft": "depth of the flume, by which it is named, ft"},
    _h_flume,
)
