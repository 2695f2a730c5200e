"""Means and their uncertainty from the sums that the kernel makes: every mean of the house is formed here."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["BELOW", "MEANS", "Below", "Mean", "arithmetic", "circular", "flow_weighted", "hydrogen_ion", "uncertainty"]

Floats = NDArray[np.float64]

Mean = Literal["arithmetic", "hydrogen_ion", "circular"]
MEANS: tuple[Mean, ...] = ("arithmetic", "hydrogen_ion", "circular")

Below = Literal["half", "limit", "zero"]
BELOW: dict[str, float] = {"half": 0.5, "limit": 1.0, "zero": 0.0}
"""What share of its detection limit stands for a value below it."""

_NO_DIRECTION = 1e-9  # directions that cancel have no mean; what is left of them is rounding


def arithmetic(total: Floats, limits: Floats, n: Floats, below: Below) -> Floats:
    """Return means of sums, of which `limits` are detection limits of values below them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((total - (1.0 - BELOW[below]) * limits) / n, np.float64)


def hydrogen_ion(total: Floats, n: Floats) -> Floats:
    """Return the pH of mean activities, of sums of 10^−pH."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-np.log10(total / n), np.float64)


def circular(sines: Floats, cosines: Floats, n: Floats) -> Floats:
    """Return the directions of mean vectors, 0 ≤ d < 360, of sums; NaN where directions cancel."""
    with np.errstate(invalid="ignore", divide="ignore"):
        east, north = sines / n, cosines / n
        direction = np.degrees(np.arctan2(east, north)) % 360.0
        return np.where(np.hypot(east, north) > _NO_DIRECTION, direction % 360.0, np.nan)


def flow_weighted(value: Floats, discharge: Floats, starts: NDArray[np.int64]) -> Floats:
    """Return Σcq / Σq of the rows from each start to the next; NaN where discharges sum to nothing, or to less.

    A value without a discharge has 0 for it.
    """
    if not len(starts):
        return np.empty(0)
    flows = np.add.reduceat(discharge, starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flows > 0, np.add.reduceat(value * discharge, starts) / flows, np.nan)


def uncertainty(n: Floats, known: Floats, weight: Floats, common: Floats, own: Floats) -> Floats:
    """Return standard uncertainties of means: the common parts add up, the squares of own parts do.

    NaN where the uncertainty of some of the n values is not known. JCGM 100:2008, equation 16.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((known == n) & (n > 0), np.sqrt(common**2 + own) / weight, np.nan)
