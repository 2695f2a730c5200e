"""How fertile a water is: Carlson's index, China's comprehensive index of lakes (TLI), and that of the coastal sea.

All take concentrations above 0: of 0 there is no logarithm, and what is below detection is not known to be any number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.function import Input, function

__all__ = [
    "Comprehensive",
    "carlson_chlorophyll",
    "carlson_phosphorus",
    "carlson_secchi",
    "comprehensive",
    "lake_grade",
    "sea_eutrophication",
    "sea_grade",
    "tli",
    "tli_chlorophyll",
    "tli_nitrogen",
    "tli_permanganate",
    "tli_phosphorus",
    "tli_secchi",
]

CHLOROPHYLL: Final = Input("mg m-3", 0.01, 1000.0, typical=10.0, scale=10.0)
SECCHI: Final = Input("m", 0.02, 60.0, typical=1.5, scale=1.0)
PHOSPHORUS: Final = Input("mg L-1", 0.0005, 10.0, typical=0.05, scale=0.05)
NITROGEN: Final = Input("mg L-1", 0.005, 100.0, typical=1.0, scale=1.0)
PERMANGANATE: Final = Input("mg L-1", 0.1, 200.0, typical=4.0, scale=4.0)

# Correlation with chlorophyll in the lakes of China, squared.
_R2: Final = {"chlorophyll": 1.0, "phosphorus": 0.7056, "nitrogen": 0.6724, "secchi": 0.6889, "permanganate": 0.6889}
_TOTAL: Final = 1.0 + 0.7056 + 0.6724 + 0.6889 + 0.6889


@njit(inline="always", error_model="numpy")
def _line(x: float, intercept: float, slope: float) -> float:
    return 10.0 * (intercept + slope * np.log(x))


@function(chlorophyll=CHLOROPHYLL, unit="1")
def carlson_chlorophyll(chlorophyll: float) -> float:
    """Return Carlson's trophic state index from chlorophyll a.

    Parameters
    ----------
    chlorophyll : array_like, shape (n,)
        mg m-3 (that is µg/L), 0.01 to 1000.

    Returns
    -------
    array_like, shape (n,)
        1, mostly 0 to 100. NaN where an input is NaN or out of range.

    References
    ----------
    Carlson (1977), Limnol. Oceanogr. 22, 361-369: 9.81·ln(Chl) + 30.6.

    Examples
    --------
    >>> float(carlson_chlorophyll(10.0).round(2))
    53.19
    """
    return 9.81 * np.log(chlorophyll) + 30.6


@function(secchi=SECCHI, unit="1")
def carlson_secchi(secchi: float) -> float:
    """Return Carlson's trophic state index from Secchi depth.

    Parameters
    ----------
    secchi : array_like, shape (n,)
        m, 0.02 to 60.

    Returns
    -------
    array_like, shape (n,)
        1, mostly 0 to 100; 60 at 1 m. NaN where an input is NaN or out of range.

    References
    ----------
    Carlson (1977), Limnol. Oceanogr. 22, 361-369: 60 - 14.41·ln(SD).

    Examples
    --------
    >>> float(carlson_secchi(2.0).round(2))
    50.01
    """
    return 60.0 - 14.41 * np.log(secchi)


@function(phosphorus=Input("ug L-1", 0.5, 10_000.0, typical=50.0, scale=50.0), unit="1")
def carlson_phosphorus(phosphorus: float) -> float:
    """Return Carlson's trophic state index from total phosphorus.

    Parameters
    ----------
    phosphorus : array_like, shape (n,)
        ug L-1, 0.5 to 10000.

    Returns
    -------
    array_like, shape (n,)
        1, mostly 0 to 100. NaN where an input is NaN or out of range.

    References
    ----------
    Carlson (1977), Limnol. Oceanogr. 22, 361-369: 14.42·ln(TP) + 4.15.

    Examples
    --------
    >>> float(carlson_phosphorus(48.0).round(2))
    59.97
    """
    return 14.42 * np.log(phosphorus) + 4.15


@function(chlorophyll=CHLOROPHYLL, unit="1")
def tli_chlorophyll(chlorophyll: float) -> float:
    """Return the chlorophyll part of China's lake index.

    Parameters
    ----------
    chlorophyll : array_like, shape (n,)
        Chlorophyll a, mg m-3, 0.01 to 1000.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22:
    10·(2.5 + 1.086·ln).

    Examples
    --------
    >>> float(tli_chlorophyll(10.0).round(3))
    50.006
    """
    return _line(chlorophyll, 2.5, 1.086)


@function(phosphorus=PHOSPHORUS, unit="1")
def tli_phosphorus(phosphorus: float) -> float:
    """Return the phosphorus part of China's lake index.

    Parameters
    ----------
    phosphorus : array_like, shape (n,)
        Total phosphorus, mg L-1, 0.0005 to 10.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22:
    10·(9.436 + 1.624·ln).

    Examples
    --------
    >>> float(tli_phosphorus(0.05).round(3))
    45.709
    """
    return _line(phosphorus, 9.436, 1.624)


@function(nitrogen=NITROGEN, unit="1")
def tli_nitrogen(nitrogen: float) -> float:
    """Return the nitrogen part of China's lake index.

    Parameters
    ----------
    nitrogen : array_like, shape (n,)
        Total nitrogen, mg L-1, 0.005 to 100.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22:
    10·(5.453 + 1.694·ln).

    Examples
    --------
    >>> float(tli_nitrogen(1.0).round(3))
    54.53
    """
    return _line(nitrogen, 5.453, 1.694)


@function(secchi=SECCHI, unit="1")
def tli_secchi(secchi: float) -> float:
    """Return the transparency part of China's lake index.

    Parameters
    ----------
    secchi : array_like, shape (n,)
        Secchi depth, m, 0.02 to 60.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22:
    10·(5.118 - 1.94·ln).

    Examples
    --------
    >>> float(tli_secchi(0.8).round(3))
    55.509
    """
    return _line(secchi, 5.118, -1.94)


@function(permanganate=PERMANGANATE, unit="1")
def tli_permanganate(permanganate: float) -> float:
    """Return the organic part of China's lake index.

    Parameters
    ----------
    permanganate : array_like, shape (n,)
        Permanganate index (CODMn), mg L-1, 0.1 to 200.

    Returns
    -------
    array_like, shape (n,)
        1. NaN where an input is NaN or out of range.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22:
    10·(0.109 + 2.661·ln).

    Examples
    --------
    >>> float(tli_permanganate(4.0).round(3))
    37.979
    """
    return _line(permanganate, 0.109, 2.661)


@function(
    chlorophyll=CHLOROPHYLL,
    phosphorus=PHOSPHORUS,
    nitrogen=NITROGEN,
    secchi=SECCHI,
    permanganate=PERMANGANATE,
    unit="1",
)
def tli(chlorophyll: float, phosphorus: float, nitrogen: float, secchi: float, permanganate: float) -> float:
    """Return China's comprehensive trophic level index of a lake, of all five items.

    Parameters
    ----------
    chlorophyll : array_like, shape (n,)
        Chlorophyll a, mg m-3, 0.01 to 1000.
    phosphorus, nitrogen : array_like, shape (n,)
        Total, mg L-1, 0.0005 to 10 and 0.005 to 100.
    secchi : array_like, shape (n,)
        Secchi depth, m, 0.02 to 60.
    permanganate : array_like, shape (n,)
        Permanganate index (CODMn), mg L-1, 0.1 to 200.

    Returns
    -------
    array_like, shape (n,)
        1; `lake_grade` names it. NaN where an input is NaN or out of range: `comprehensive` does with fewer items.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090; Huanban [2011] 22: parts weighted by
    their squared correlation with chlorophyll.

    Examples
    --------
    >>> float(tli(10.0, 0.05, 1.0, 0.8, 4.0).round(3))
    48.812
    """
    weighted = (
        _line(chlorophyll, 2.5, 1.086)
        + 0.7056 * _line(phosphorus, 9.436, 1.624)
        + 0.6724 * _line(nitrogen, 5.453, 1.694)
        + 0.6889 * (_line(secchi, 5.118, -1.94) + _line(permanganate, 0.109, 2.661))
    )
    return weighted / _TOTAL


@dataclass(frozen=True, slots=True)
class Comprehensive:
    """A trophic level index of whatever items there were.

    Parameters
    ----------
    index : ndarray of float64, shape (n,)
        TLI with the weights of the present items scaled to 1; NaN where there is none.
    items : ndarray of int64, shape (n,)
        How many of five it is made of.
    is_partial : ndarray of bool, shape (n,)
        Fewer than five: not the index that the method defines, and to be labelled so wherever it is shown.
    """

    index: NDArray[np.float64]
    items: NDArray[np.int64]
    is_partial: NDArray[np.bool_]


def comprehensive(items: Mapping[str, ArrayLike]) -> Comprehensive:
    """Return the comprehensive index of the items that there are.

    Parameters
    ----------
    items : mapping of str to array_like, shape (n,)
        Of ``chlorophyll``, ``phosphorus``, ``nitrogen``, ``secchi``, ``permanganate``, in the units of `tli`; NaN where
        one is missing.

    Raises
    ------
    ValueError
        If an item is unknown, there is none, or the shapes differ.

    References
    ----------
    As `tli`; the weights are scaled by those of the items present.

    Examples
    --------
    >>> found = comprehensive({"chlorophyll": [10.0], "secchi": [0.8]})
    >>> float(found.index[0].round(2)), int(found.items[0]), bool(found.is_partial[0])
    (52.25, 2, True)
    """
    parts = {
        "chlorophyll": tli_chlorophyll,
        "phosphorus": tli_phosphorus,
        "nitrogen": tli_nitrogen,
        "secchi": tli_secchi,
        "permanganate": tli_permanganate,
    }
    unknown = sorted(set(items) - set(parts))
    if unknown or not items:
        raise ValueError(f"items {unknown or 'are missing'} (allowed: {', '.join(parts)})")
    names = list(items)
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(parts[name](items[name]), np.float64)) for name in names))
    values = np.stack(columns)
    weights = np.where(np.isnan(values), 0.0, np.array([_R2[name] for name in names])[:, None])
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        index = np.where(np.isnan(values), 0.0, values * weights).sum(axis=0) / total
    count = (weights > 0.0).sum(axis=0)
    return Comprehensive(index, count, count < len(parts))


def lake_grade(index: float) -> str:
    """Return the name of a trophic level index.

    Parameters
    ----------
    index : float
        TLI.

    Returns
    -------
    str
        ``oligotrophic`` below 30, ``mesotrophic`` to 50, ``lightly eutrophic`` to 60, ``moderately eutrophic`` to 70,
        ``hypereutrophic`` above; empty of NaN.

    References
    ----------
    China National Environmental Monitoring Centre, Zongzhanshengzi [2001] 090, grades.

    Examples
    --------
    >>> lake_grade(48.8), lake_grade(50.1)
    ('mesotrophic', 'lightly eutrophic')
    """
    if np.isnan(index):
        return ""
    if index < 30.0:
        return "oligotrophic"
    limits = ((50.0, "mesotrophic"), (60.0, "lightly eutrophic"), (70.0, "moderately eutrophic"))
    return next((name for limit, name in limits if index <= limit), "hypereutrophic")


@function(
    oxygen_demand=Input("mg L-1", 0.0, 100.0, typical=3.0),
    nitrogen=Input("mg L-1", 0.0, 50.0, typical=0.3, scale=0.3),
    phosphorus=Input("mg L-1", 0.0, 10.0, typical=0.03, scale=0.03),
    unit="1",
)
def sea_eutrophication(oxygen_demand: float, nitrogen: float, phosphorus: float) -> float:
    """Return the eutrophication index of China's coastal waters (E).

    Parameters
    ----------
    oxygen_demand : array_like, shape (n,)
        COD by alkaline permanganate, mg L-1, 0 to 100.
    nitrogen : array_like, shape (n,)
        Inorganic nitrogen as N, mg L-1, 0 to 50.
    phosphorus : array_like, shape (n,)
        Active phosphate as P, mg L-1, 0 to 10.

    Returns
    -------
    array_like, shape (n,)
        E, 1; eutrophic from 1 on. NaN where an input is NaN or out of range.

    References
    ----------
    China, seawater eutrophication index, E = COD·DIN·DIP·1e6/4500, as the published maxima of the classes of GB 3097
    (1.3, 6, 10.7, 25) confirm.

    Examples
    --------
    >>> float(sea_eutrophication(3.0, 0.3, 0.03).round(3))
    6.0
    """
    return oxygen_demand * nitrogen * phosphorus / 4500.0 * 1e6


def sea_grade(index: float) -> str:
    """Return the name of a coastal eutrophication index.

    Parameters
    ----------
    index : float
        E.

    Returns
    -------
    str
        ``none`` below 1, ``light`` to 3, ``moderate`` to 9, ``severe`` above; empty of NaN.

    References
    ----------
    Grades of China's seawater eutrophication index; not compared with a second print.

    Examples
    --------
    >>> sea_grade(0.9), sea_grade(6.0)
    ('none', 'moderate')
    """
    if np.isnan(index):
        return ""
    if index < 1.0:
        return "none"
    return next((name for limit, name in ((3.0, "light"), (9.0, "moderate")) if index <= limit), "severe")
