"""What the gaugings say of a rating curve: deviations, the shift each would need, and tests for what is not chance.

The three tests are those that manuals of stream gauging ask of a curve: as many gaugings above as below it, no fewer
runs of one sign than chance gives, and no mean deviation. None of them changes the curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import CalibrationError

if TYPE_CHECKING:
    from nilometer.derivation.rating import RatingCurve

__all__ = ["RatingCheck", "check", "runs_test", "sign_test"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RatingCheck:
    """Gaugings against a curve, in the order in which they were given.

    Parameters
    ----------
    deviation : ndarray of float64, shape (n,)
        Percent of the curve's discharge, gauged minus curve; NaN outside of its limits or where nothing flows.
    standardised : ndarray of float64, shape (n,)
        ln Q minus that of the curve, over the standard uncertainty of the two together.
    shift : ndarray of float64, shape (n,)
        What must be added to the observed stage for the curve to give the gauged discharge, in the curve's unit.
    shift_uncertainty : ndarray of float64, shape (n,)
        Standard uncertainty of the shift.
    is_out : ndarray of bool, shape (n,)
        Whether the deviation is more than twice its standard uncertainty: a point out of the control chart.
    sign_p, runs_p, bias_p : float
        Chance of signs as uneven, of so few runs of one sign along the stage, and of a mean deviation so large, if the
        curve were right; NaN where there are too few gaugings.
    bias : float
        Mean deviation in percent.
    """

    deviation: Array
    standardised: Array
    shift: Array
    shift_uncertainty: Array
    is_out: NDArray[np.bool_]
    sign_p: float
    runs_p: float
    bias_p: float
    bias: float

    def findings(self, level: float = 0.05) -> tuple[str, ...]:
        """Return what is not chance at a level, in words."""
        told = []
        if self.sign_p < level:
            above = int((self.deviation > 0).sum())
            told.append(f"{above} of {len(self.deviation)} gaugings lie above the curve (p = {self.sign_p:.3g})")
        if self.runs_p < level:
            told.append(
                f"deviations of one sign follow each other along the stage (p = {self.runs_p:.3g}): the form is wrong"
            )
        if self.bias_p < level:
            told.append(f"the gaugings deviate by {self.bias:+.2f} % on the mean (p = {self.bias_p:.3g})")
        return tuple(told)


def check(
    curve: RatingCurve,
    stage: ArrayLike,
    discharge: ArrayLike,
    discharge_uncertainty: ArrayLike | None = None,
    stage_uncertainty: ArrayLike = 0.0,
) -> RatingCheck:
    """Return how gaugings lie about a curve.

    Parameters
    ----------
    curve : RatingCurve
        The curve, which they may have made or not.
    stage, discharge : array_like, shape (n,)
        In the curve's units.
    discharge_uncertainty : array_like, shape (n,), optional
        Standard uncertainty of each discharge; what is not known is taken as part of the curve's scatter.
    stage_uncertainty : float or array_like, shape (n,)
        Standard uncertainty of the stages.

    Returns
    -------
    RatingCheck
        Deviations, shifts and tests.

    Raises
    ------
    CalibrationError
        If stages and discharges do not go together.

    References
    ----------
    Shifts: Rantz et al. (1982), U.S. Geol. Survey Water-Supply Paper 2175. The tests are written from their statistical
    definitions (`sign_test`, `runs_test`, Student's for the mean).

    Examples
    --------
    >>> from nilometer.derivation.rating import RatingCurve
    >>> curve = RatingCurve.of([(None, 0.0, 1.0, 2.0)], gauged_range=(1.0, 4.0), scatter=0.02)
    >>> found = check(curve, [2.0, 3.0], [4.0, 9.9])
    >>> found.deviation.round(1).tolist(), found.shift.round(3).tolist(), found.is_out.tolist()
    ([0.0, 10.0], [0.0, 0.146], [False, True])
    """
    h, q = (np.atleast_1d(np.asarray(column, np.float64)) for column in (stage, discharge))
    if h.shape != q.shape or h.ndim != 1:
        raise CalibrationError(f"{h.shape} stages and {q.shape} discharges: one of each a gauging is needed",
                               sensor=curve.station, certificate="")  # fmt: skip
    own = np.zeros(h.shape) if discharge_uncertainty is None else np.asarray(discharge_uncertainty, np.float64)
    own = np.nan_to_num(np.broadcast_to(own, h.shape))
    found = curve.discharge(h, stage_uncertainty)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((found.value > 0) & (q > 0), q / found.value, np.nan)
        # Of a curve whose uncertainty is not known the gaugings' own is left.
        spread = np.hypot(np.nan_to_num(found.uncertainty) / found.value, own / q)
        standardised = np.log(ratio) / spread
        shift = curve.stage(q) - h
        shift_uncertainty = spread * q / curve.slope(h + shift)
    deviation = 100.0 * (ratio - 1.0)
    known = np.isfinite(standardised)
    along = np.log(ratio[known])[np.argsort(h[known], kind="stable")]
    mean, mean_p = _mean_test(along)
    return RatingCheck(
        deviation=deviation, standardised=standardised, shift=shift, shift_uncertainty=shift_uncertainty,
        is_out=np.abs(np.where(known, standardised, 0.0)) > 2.0,
        sign_p=sign_test(along), runs_p=runs_test(along), bias_p=mean_p, bias=100.0 * math.expm1(mean),
    )  # fmt: skip


def sign_test(deviation: ArrayLike) -> float:
    """Return the two-sided chance of signs so uneven, if above and below were as likely; zeros do not count.

    Parameters
    ----------
    deviation : array_like, shape (n,)
        Of any unit.

    Returns
    -------
    float
        1 for none.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, 3rd ed.: the sign test, exact by the binomial distribution.

    Examples
    --------
    >>> round(sign_test([1, 1, 1, 1, 1, 1, 1, 1, -1]), 5)
    0.03906
    """
    from scipy.special import bdtr  # noqa: PLC0415 -- slow to import

    values = np.asarray(deviation, np.float64)
    above, below = int((values > 0).sum()), int((values < 0).sum())
    return min(1.0, 2.0 * float(bdtr(min(above, below), above + below, 0.5))) if above + below else 1.0


def runs_test(deviation: ArrayLike) -> float:
    """Return the chance of so few runs of one sign, if the order were chance (one-sided, exact); zeros do not count.

    Parameters
    ----------
    deviation : array_like, shape (n,)
        In the order that is asked about, such as by rising stage.

    Returns
    -------
    float
        1 where all have one sign.

    References
    ----------
    Wald and Wolfowitz (1940), Ann. Math. Stat. 11, 147-162: the distribution of the number of runs.

    Examples
    --------
    >>> round(runs_test([-1, -1, -1, -1, 1, 1, 1, 1]), 4), round(runs_test([-1, 1, -1, 1]), 4)
    (0.0286, 1.0)
    """
    signs = np.sign(np.asarray(deviation, np.float64))
    signs = signs[np.abs(signs) > 0]
    a, b = int((signs > 0).sum()), int((signs < 0).sum())
    if not a or not b:
        return 1.0
    runs = 1 + int((np.diff(signs) != 0).sum())
    ways = 0
    for count in range(2, runs + 1):
        half, odd = divmod(count, 2)
        if odd:
            ways += math.comb(a - 1, half) * math.comb(b - 1, half - 1) + math.comb(a - 1, half - 1) * math.comb(
                b - 1, half
            )
        else:
            ways += 2 * math.comb(a - 1, half - 1) * math.comb(b - 1, half - 1)
    return ways / math.comb(a + b, a)


def _mean_test(deviation: Array) -> tuple[float, float]:
    """Return the mean, and the two-sided chance of one so far from zero (Student)."""
    from scipy.special import stdtr  # noqa: PLC0415 -- slow to import

    n = len(deviation)
    if n == 0:
        return math.nan, math.nan
    mean, spread = float(deviation.mean()), float(deviation.std(ddof=1)) if n > 1 else math.nan
    if not spread > 0:
        return mean, math.nan
    return mean, 2.0 * float(stdtr(n - 1, -abs(mean) / (spread / math.sqrt(n))))
