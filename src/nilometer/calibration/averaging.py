"""The uncertainty of a mean: what the calibration brings does not average down, what each reading brings does.

u² = (mean of the calibration's parts)² + (sum of the squares of the random parts) / n². The calibration's parts are
taken as fully correlated, with one sign, which is what one certificate behind all values means; where several
certificates or ranges made them it is the upper bound. `CalibrationTable.split` and `evaluate` give both parts. Which
values belong into a mean (flags, coverage) is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.calibration.certificate import Calibration
from nilometer.calibration.table import CalibrationTable
from nilometer.model.batch import ObservationBatch
from nilometer.units import affine

__all__ = ["Means", "mean", "means", "own_uncertainty"]


@dataclass(frozen=True, slots=True)
class Means:
    """Means with both parts of their uncertainty.

    Parameters
    ----------
    value : ndarray of float64, shape (m,)
        NaN where a group has no value.
    calibration_uncertainty, random_uncertainty : ndarray of float64, shape (m,)
        Standard uncertainties; NaN: not known of every value of the group.
    count : ndarray of int64, shape (m,)
        Values in the group.
    """

    value: NDArray[np.float64]
    calibration_uncertainty: NDArray[np.float64]
    random_uncertainty: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Combined standard uncertainty, k = 1."""
        return np.hypot(self.calibration_uncertainty, self.random_uncertainty)


def means(
    group: ArrayLike,
    value: ArrayLike,
    calibration_uncertainty: ArrayLike,
    random_uncertainty: ArrayLike = 0.0,
    *,
    weight: ArrayLike = 1.0,
    count: int | None = None,
) -> Means:
    """Return the means of groups of values.

    Parameters
    ----------
    group : array_like of int, shape (n,)
        Which group each value is of, from 0.
    value : array_like, shape (n,)
        NaN is left out.
    calibration_uncertainty : array_like, scalar or shape (n,)
        Standard uncertainty that the values share.
    random_uncertainty : array_like, scalar or shape (n,)
        Standard uncertainty of each value alone. Where the parts are not known apart, give the whole as the
        calibration's: then nothing averages down.
    weight : array_like, scalar or shape (n,), optional
        From 0, exact: lengths of time, flows.
    count : int, optional
        Number of groups; without it as many as the highest says.

    Returns
    -------
    Means

    Raises
    ------
    ValueError
        If shapes do not fit or a weight is negative.

    Examples
    --------
    >>> done = means([0, 0, 0, 0, 1], [7.0, 7.1, 7.1, 7.2, 8.0], 0.03, 0.08)
    >>> done.value.round(3).tolist(), done.uncertainty.round(4).tolist()
    ([7.1, 8.0], [0.05, 0.0854])
    """
    which = np.asarray(group, np.int64)
    given = (value, calibration_uncertainty, random_uncertainty, weight)
    y, shared, own, w = (np.broadcast_to(np.asarray(item, np.float64), which.shape) for item in given)
    if which.ndim != 1:
        raise ValueError(f"groups have {which.ndim} dimensions: one is needed")
    if not (w >= 0).all():
        raise ValueError("weights must be numbers from 0")
    size = int(which.max(initial=-1)) + 1 if count is None else count
    there = ~np.isnan(y)
    which, y, shared, own, w = which[there], y[there], shared[there], own[there], w[there]

    def summed(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(which, part, size).astype(np.float64, copy=False)

    whole = summed(w)
    whole[whole == 0] = np.nan
    return Means(
        summed(w * y) / whole,
        summed(w * shared) / whole,
        np.sqrt(summed((w * own) ** 2)) / whole,
        np.bincount(which, minlength=size),
    )


def mean(
    value: ArrayLike,
    calibration_uncertainty: ArrayLike,
    random_uncertainty: ArrayLike = 0.0,
    *,
    weight: ArrayLike = 1.0,
) -> Means:
    """Return the mean of all values, as `means` of one group.

    Examples
    --------
    >>> mean([7.0, 7.2], 0.03, 0.04).uncertainty.round(4).tolist()
    [0.0412]
    """
    group = np.zeros(np.shape(value), np.int64)
    return means(group, value, calibration_uncertainty, random_uncertainty, weight=weight, count=1)


def own_uncertainty(calibration: Calibration, raw_unit: str, unit: str) -> float:
    """Return the part of the standard uncertainty that each value of a straight certificate has for itself.

    Parameters
    ----------
    calibration : Calibration
        What made the values.
    raw_unit, unit : str
        Of the raw results, and of the values.

    Returns
    -------
    float
        In `unit`; 0 where the certificate says nothing of a reading's noise, and where that part differs from value to
        value (a curve, a table, an electrode): then nothing averages down.

    Examples
    --------
    >>> line = Calibration(kind="polynomial", coefficients=(0.0, 2.0), reading_uncertainty=0.1)
    >>> own_uncertainty(line, "mV", "mV")
    0.2
    """
    is_straight = calibration.kind == "identity" or (
        calibration.kind == "polynomial" and len(calibration.coefficients) <= 2
    )
    if not is_straight or not calibration.reading_uncertainty:
        return 0.0
    scale, offset = affine(calibration.unit_in or raw_unit, raw_unit)
    reading = next((end for end in calibration.span if math.isfinite(end)), 0.0)
    table = CalibrationTable()
    table.set(0, [calibration], raw_unit=raw_unit, unit=unit)
    time = np.full(1, max(calibration.valid_from, 0), np.int64)
    probe = ObservationBatch(
        datastream=np.zeros(1, np.int32), phenomenon_time=time, raw_result=np.array([scale * reading + offset])
    )
    own = float(table.split(probe)[2][0])
    return 0.0 if math.isnan(own) else own
