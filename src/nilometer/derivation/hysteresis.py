"""Loops of a rating: a flood that rises has a steeper surface than one that falls, and more flows at the same stage.

Jones' formula says how much by hydraulics; `loop_test` says whether the gaugings show it. Neither corrects a curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nilometer.derivation.function import Input, function

__all__ = ["LoopTest", "jones", "loop_test"]


@function(
    discharge=Input("m3 s-1", 0.0, 1e6, scale=100.0, typical=100.0),
    stage_rate=Input("m s-1", -0.01, 0.01, scale=1e-5, typical=2e-5),
    celerity=Input("m s-1", 0.05, 20.0, scale=1.0, typical=2.0),
    bed_slope=Input("1", 1e-6, 0.1, scale=1e-3, typical=1e-3),
    unit="m3 s-1",
)
def jones(discharge: float, stage_rate: float, celerity: float, bed_slope: float) -> float:
    """Return the discharge while the stage changes, from the one that a steady flow would have.

    Parameters
    ----------
    discharge : array_like, shape (n,)
        Of steady flow at that stage, by the rating curve, m3 s-1, 0 to 1e6.
    stage_rate : array_like, shape (n,)
        Change of the stage, positive while it rises, m s-1, -0.01 to 0.01.
    celerity : array_like, shape (n,)
        Speed of the flood wave, m s-1, 0.05 to 20; of a kinematic wave in a wide channel 5/3 of the mean velocity.
    bed_slope : array_like, shape (n,)
        Slope of the bed, 1, 1e-6 to 0.1.

    Returns
    -------
    ndarray of float64, shape (n,)
        m3 s-1. NaN where an input is NaN or out of range, and where the stage falls faster than the formula knows. Its
        ratio to the steady discharge is the indicator of a loop: within the scatter of the curve none will show.

    Raises
    ------
    UnitError
        If an input has a unit of another dimension.

    References
    ----------
    Jones (1916), U.S. Geol. Survey Water-Supply Paper 375-E: Q = Q0 (1 + (dh/dt) / (c S0))^(1/2). The form is that of
    textbooks (diffusion analogy, the surface's slope by dh/dx = -(dh/dt)/c); the paper itself was not at hand.

    Examples
    --------
    >>> round(float(jones(100.0, 2e-5, 2.0, 1e-3)), 4)
    100.4988
    """
    return discharge * math.sqrt(1.0 + stage_rate / (celerity * bed_slope))


@dataclass(frozen=True, slots=True)
class LoopTest:
    """Whether deviations from a curve go with the change of the stage.

    Parameters
    ----------
    correlation : float
        Spearman's, of the deviations and the rates of the stage; positive for a loop as of floods.
    p : float
        Two-sided chance of one so far from zero, if there were none; NaN for fewer than five gaugings.
    count : int
        Gaugings with both.
    """

    correlation: float
    p: float
    count: int

    @property
    def warning(self) -> str:
        """What to say of it; empty where it may be chance (5 %)."""
        if not self.p < 0.05:
            return ""
        told = f"deviations go with the change of the stage (rank correlation {self.correlation:+.2f}, p = {self.p:.2g}"
        if self.correlation > 0:
            return told + "): more flows while it rises, the rating is a loop and one curve errs on both limbs"
        return (
            told + "): less flows while it rises, which no flood wave does; look for backwater, or clocks that differ"
        )


def loop_test(deviation: ArrayLike, stage_rate: ArrayLike) -> LoopTest:
    """Return whether gaugings lie above a curve while the stage rises and below it while it falls.

    Parameters
    ----------
    deviation : array_like, shape (n,)
        Of the gaugings from the curve, in any unit; NaN where not known.
    stage_rate : array_like, shape (n,)
        Change of the stage at each, in any unit.

    Returns
    -------
    LoopTest
        The rank correlation and its chance.

    Raises
    ------
    ValueError
        If there are not as many of both.

    References
    ----------
    Spearman's rank correlation, its chance by Student's distribution of n - 2 degrees of freedom (Conover 1999).

    Examples
    --------
    >>> found = loop_test([1, 2, 3, 5, 4, 6, 8, 7], [1, 2, 3, 4, 5, 6, 7, 8])
    >>> round(found.correlation, 4), round(found.p, 5)
    (0.9524, 0.00026)
    """
    from scipy.special import stdtr  # noqa: PLC0415 -- slow to import

    a, b = np.asarray(deviation, np.float64), np.asarray(stage_rate, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.shape} deviations and {b.shape} rates: one of each a gauging is needed")
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    if n < 5:
        return LoopTest(math.nan, math.nan, n)
    ranks = [_ranks(column[both]) for column in (a, b)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return LoopTest(math.nan, math.nan, n)
    r = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    t = abs(r) * math.sqrt((n - 2) / max(1.0 - r * r, 1e-300))
    return LoopTest(r, 2.0 * float(stdtr(n - 2, -t)), n)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks, ties with the mean of theirs."""
    _, where, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2.0)[where]
