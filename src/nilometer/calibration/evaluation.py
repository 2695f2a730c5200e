"""One calibration applied to plain numbers, nothing rounded, and its uncertainty in two parts.

For work in a notebook, for fits and for means: what the rows of a batch get is `CalibrationTable.apply`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.calibration.certificate import ALWAYS, Calibration
from nilometer.calibration.table import CalibrationTable, Companions
from nilometer.model.batch import ObservationBatch

__all__ = ["Evaluated", "evaluate"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Values after a calibration.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
        In `unit_out`, not rounded.
    calibration_uncertainty : ndarray of float64, shape (n,)
        Standard uncertainty that values share: coefficients, points, temperature, what the fit leaves. NaN: not known.
    random_uncertainty : ndarray of float64, shape (n,)
        That of each value alone: its reading's, times the slope.
    """

    value: NDArray[np.float64]
    calibration_uncertainty: NDArray[np.float64]
    random_uncertainty: NDArray[np.float64]

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Combined standard uncertainty, k = 1."""
        return np.hypot(self.calibration_uncertainty, self.random_uncertainty)


def evaluate(
    calibration: Calibration,
    reading: ArrayLike,
    temperature: ArrayLike = np.nan,
    temperature_uncertainty: ArrayLike = np.nan,
) -> Evaluated:
    """Return the values of readings after a calibration, with both parts of their uncertainty.

    Parameters
    ----------
    calibration : Calibration
        Applied whatever its date.
    reading : array_like, shape (n,)
        In `unit_in`. NaN gives NaN; out of range as the certificate says.
    temperature, temperature_uncertainty : array_like, shape (n,), optional
        degree_Celsius and K, standard; used in place of the certificate's constant where given.

    Returns
    -------
    Evaluated

    Raises
    ------
    ValueError
        If the shapes do not broadcast to one dimension.

    Examples
    --------
    >>> line = Calibration(kind="slope", coefficients=(2.0,), covariance=((0.01,),), reading_uncertainty=0.5)
    >>> done = evaluate(line, [3.0])
    >>> done.value.tolist(), done.calibration_uncertainty.round(3).tolist(), done.random_uncertainty.tolist()
    ([6.0], [0.3], [1.0])
    """
    given = [np.atleast_1d(np.asarray(item, np.float64)) for item in (reading, temperature, temperature_uncertainty)]
    x, t, u = (np.require(item, np.float64, ["C", "A"]) for item in np.broadcast_arrays(*given))
    if x.ndim != 1:
        raise ValueError(f"readings have {x.ndim} dimensions: one is needed")
    if calibration.takes_temperature:
        calibration = replace(calibration, companion="temperature")
    table = CalibrationTable({0: [replace(calibration, valid_from=ALWAYS)]})
    batch = ObservationBatch(
        datastream=np.zeros(len(x), np.int32), phenomenon_time=np.zeros(len(x), np.int64), raw_result=x
    )
    return Evaluated(*table.split(batch, Companions(t, u)))
