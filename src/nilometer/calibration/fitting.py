"""Fit a calibration to standards: any form, both variables uncertain, standards of one lot correlated.

The map is from reading to quantity, as a certificate applies it, so the standards are fitted as quantities. Where
readings are uncertain too, the fit is of both (see `least_squares`), not of readings taken for exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.calibration.certificate import Calibration
from nilometer.calibration.curves import beginning, curve_of
from nilometer.calibration.evaluation import Evaluated, evaluate
from nilometer.calibration.forms import FORMS
from nilometer.calibration.least_squares import Adjusted, adjusted
from nilometer.errors import CalibrationError

__all__ = ["Fit", "fit", "lots_covariance"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration with what the fit left.

    Parameters
    ----------
    calibration : Calibration
        With the covariance of its coefficients, for the range of the readings.
    reading, quantity : ndarray of float64, shape (n,)
        The points.
    residuals : ndarray of float64, shape (n,)
        Quantity minus the calibration's value of the reading, in its unit.
    standardized : ndarray of float64, shape (n,)
        Residuals over their standard deviations; beyond ±3 one looks at the standard.
    degrees : int
        Points less coefficients.
    chi_square : float
        Sum of the squares left, in units of the given variances; without these of the weights.
    residual_deviation : float
        √(Σ residual² / degrees), in the unit of the quantity; with weights √(Σ w residual² / degrees). NaN: no degree
        is left.
    r_squared : float
        Share of the quantities' variance that is explained; through the origin (`slope`) of their squares.
    is_absolute : bool
        Uncertainties were given; else they were estimated from what the fit left.
    """

    calibration: Calibration
    reading: Array
    quantity: Array
    residuals: Array
    standardized: Array
    degrees: int
    chi_square: float
    residual_deviation: float
    r_squared: float
    is_absolute: bool

    @property
    def birge(self) -> float:
        """√(χ²/degrees): 1 where the points scatter as their uncertainties say. NaN without uncertainties."""
        return float(np.sqrt(self.chi_square / self.degrees)) if self.is_absolute and self.degrees else np.nan

    @property
    def probability(self) -> float:
        """Probability of such a χ² or a larger one; below 0.05 form and uncertainties do not fit. NaN: not known."""
        if not (self.is_absolute and self.degrees):
            return np.nan
        from scipy.stats import chi2  # noqa: PLC0415 -- slow to import

        return float(chi2.sf(self.chi_square, self.degrees))

    def predict(self, reading: ArrayLike, temperature: ArrayLike = np.nan) -> Evaluated:
        """Return value and standard uncertainty at readings; see `evaluate`."""
        return evaluate(self.calibration, reading, temperature)

    def inverse(self, quantity: float, temperature: float = np.nan) -> tuple[float, float]:
        """Return the reading at which the calibration gives a quantity, and its standard uncertainty.

        Raises
        ------
        CalibrationError
            If the calibration's range does not reach it.
        """
        low, high = self.calibration.span
        at_low, at_high = self.predict([low, high], temperature).value
        if not min(at_low, at_high) <= quantity <= max(at_low, at_high):
            raise CalibrationError(f"{quantity:g} lies outside what the calibration gives, {at_low:g} to {at_high:g}")
        for _ in range(200):
            middle = (low + high) / 2
            below = (self.predict([middle], temperature).value[0] < quantity) == (at_low < at_high)
            low, high = (middle, high) if below else (low, middle)
        step = 1e-6 * (self.calibration.span[1] - self.calibration.span[0])
        wide = replace(self.calibration, valid_range=None)
        ends = evaluate(wide, [low - step, low + step], temperature).value
        slope = (ends[1] - ends[0]) / (2 * step)
        return low, float(self.predict([low], temperature).uncertainty[0] / abs(slope))


def fit(
    reading: ArrayLike,
    quantity: ArrayLike,
    form: str = "polynomial",
    *,
    degree: int = 1,
    reading_uncertainty: ArrayLike | None = None,
    quantity_uncertainty: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: ArrayLike | None = None,
    start: Sequence[float] | None = None,
    enlarge: bool = False,
    **certificate: Any,  # noqa: ANN401 -- keys of a certificate's document
) -> Fit:
    """Return the calibration of a form that fits standards best, with the covariance of its coefficients.

    Parameters
    ----------
    reading : array_like, shape (n,)
        What was read in each standard, in the certificate's `unit_in`.
    quantity : array_like, shape (n,)
        What each standard is, in `unit_out`.
    form : str
        A kind of `FORMS` with coefficients, but `ranges`.
    degree : int
        Of a polynomial.
    reading_uncertainty : array_like, scalar or shape (n,), optional
        Standard uncertainties of the readings, uncorrelated.
    quantity_uncertainty : array_like, scalar or shape (n,), optional
        Standard uncertainties of the standards, uncorrelated.
    covariance : array_like, shape (n, n), optional
        Covariance of the standards instead: those of one lot or one certificate err together (`lots_covariance`).
    weights : array_like, shape (n,), optional
        Relative weights instead of uncertainties; the scatter says how large they are.
    temperature : array_like, scalar or shape (n,), optional
        degree_Celsius, of each reading; forms with temperature need it.
    start : sequence of float, optional
        Coefficients to begin with; without it they are guessed from the points. Its length says whether an optical
        form has coefficients of temperature.
    enlarge : bool
        Where the points scatter more than their uncertainties say, multiply the covariance by the square of the Birge
        ratio. Otherwise it is as the uncertainties propagate.
    **certificate
        Further keys of the certificate's document: sensor, certificate, valid_from, unit_out, companion, signal …; a
        single number for `reading_uncertainty` and `temperature` is handed on to it.

    Returns
    -------
    Fit

    Raises
    ------
    CalibrationError
        If the points do not determine the coefficients, or arguments do not fit each other.

    References
    ----------
    JCGM 100:2008, H.3 (the line of a thermometer); York, D. et al. (2004), Am. J. Phys. 72, 367 (both variables).

    Examples
    --------
    >>> done = fit([0.1, 1.1, 1.9, 3.0], [0.0, 1.0, 2.0, 3.0])
    >>> [round(c, 4) for c in done.calibration.coefficients], round(done.residual_deviation, 4)
    ([-0.0999, 1.0491], 0.091)
    """
    x, y = (np.asarray(item, np.float64) for item in (reading, quantity))
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise CalibrationError(f"readings {x.shape} and quantities {y.shape} must be as many finite numbers")
    u_x = _spread(reading_uncertainty, len(x), "reading_uncertainty")
    v_y, is_absolute = _covariance(len(x), quantity_uncertainty, covariance, weights, reads=bool(u_x.any()))
    kept = _template(form, certificate, temperature, reading_uncertainty)
    t = np.broadcast_to(np.asarray(np.nan if temperature is None else temperature, np.float64), x.shape).copy()
    first = beginning(kept, x, y, t, degree) if start is None else np.asarray(start, np.float64)
    if len(x) < len(first):
        raise CalibrationError(f"{len(x)} points cannot determine {len(first)} coefficients")
    done = adjusted(curve_of(kept, t, len(first)), first, x, y, u_x, v_y)
    return _reported(kept, done, (x, y, t), is_absolute=is_absolute, enlarge=enlarge, weighted=weights is not None)


def lots_covariance(own: ArrayLike, common: ArrayLike, lots: Sequence[object]) -> Array:
    """Return the covariance of standards of which some come from one lot, or one certificate.

    Parameters
    ----------
    own : array_like, scalar or shape (n,)
        Standard uncertainties of each alone: its dilution, its pouring.
    common : array_like, scalar or shape (n,)
        Standard uncertainties that the standards of one lot share, with one sign.
    lots : sequence of n
        Which lot each is of; None: of no other's.

    Returns
    -------
    ndarray of float64, shape (n, n)

    Examples
    --------
    >>> lots_covariance(0.1, [0.2, 0.4, 0.2], ["A", "A", "B"]).round(3).tolist()
    [[0.05, 0.08, 0.0], [0.08, 0.17, 0.0], [0.0, 0.0, 0.05]]
    """
    n = len(lots)
    alone, shared = (_spread(item, n, name) for item, name in ((own, "own"), (common, "common")))
    together = [[a == b and a is not None for b in lots] for a in lots]
    square = np.outer(shared, shared) * (np.array(together) | np.eye(n, dtype=bool))
    return square + np.diag(alone**2)


def _spread(given: ArrayLike | None, n: int, name: str) -> Array:
    try:
        spread = np.broadcast_to(np.asarray(0.0 if given is None else given, np.float64), (n,)).copy()
    except ValueError:
        raise CalibrationError(f"{name}: one number, or one for each of the {n} points") from None
    if not (np.isfinite(spread).all() and (spread >= 0).all()):
        raise CalibrationError(f"{name} must be numbers from 0")
    return spread


def _covariance(
    n: int, uncertainty: ArrayLike | None, covariance: ArrayLike | None, weights: ArrayLike | None, *, reads: bool
) -> tuple[Array, bool]:
    """Return the covariance of the quantities, and whether it is absolute."""
    if sum(item is not None for item in (uncertainty, covariance, weights)) > 1 or (weights is not None and reads):
        raise CalibrationError("give weights alone, or quantity_uncertainty, or covariance: they exclude each other")
    if weights is not None:
        heavy = _spread(weights, n, "weights")
        if not (heavy > 0).all():
            raise CalibrationError("weights must be above 0: leave a point out instead")
        return np.diag(1.0 / heavy), False
    if covariance is not None:
        matrix = np.asarray(covariance, np.float64)
        if matrix.shape != (n, n) or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9):
            raise CalibrationError(f"covariance must be a symmetric square of {n} rows, one for each standard")
        return matrix, True
    if uncertainty is not None or reads:
        return np.diag(_spread(uncertainty, n, "quantity_uncertainty") ** 2), True
    return np.eye(n), False


def _template(
    form: str, certificate: dict[str, Any], temperature: ArrayLike | None, read: ArrayLike | None
) -> dict[str, Any]:
    """Return the certificate's document without what the fit finds."""
    if form not in FORMS:
        raise CalibrationError(f"form = {form!r} (allowed: {', '.join(FORMS)})")
    document = {"kind": form, **certificate}
    if read is not None and np.ndim(read) == 0:
        document["reading_uncertainty"] = float(np.asarray(read))
    if temperature is not None and np.ndim(temperature) == 0 and "companion" not in document:
        document["temperature"] = float(np.asarray(temperature))
    if temperature is not None and "temperature" not in document and "companion" not in document:
        raise CalibrationError("readings at several temperatures: name the companion that will say the temperature")
    return document


def _reported(
    template: dict[str, Any],
    done: Adjusted,
    data: tuple[Array, Array, Array],
    *,
    is_absolute: bool,
    enlarge: bool,
    weighted: bool,
) -> Fit:
    x, y, t = data
    degrees = len(x) - len(done.coefficients)
    unit = done.chi_square / degrees if degrees else np.nan
    scale = unit
    if is_absolute:
        scale = max(unit, 1.0) if enlarge and degrees else 1.0
    document = {"valid_range": [x.min(), x.max()], **template, "coefficients": done.coefficients.tolist()}
    if np.isfinite(scale):
        document["covariance"] = ((done.covariance + done.covariance.T) / 2 * scale).tolist()
    if not is_absolute and not weighted and degrees:
        document.setdefault("residual_uncertainty", float(np.sqrt(unit)))
    calibration = Calibration.from_document(document)
    residuals = y - evaluate(replace(calibration, valid_range=None), x, t).value
    around = y if template["kind"] == "slope" else y - y.mean()
    whole = float(around @ around)
    left = residuals @ residuals / degrees if is_absolute and degrees else unit
    return Fit(
        calibration=calibration,
        reading=x,
        quantity=y,
        residuals=residuals,
        standardized=done.standardized / (1.0 if is_absolute else np.sqrt(unit) or 1.0),
        degrees=degrees,
        chi_square=done.chi_square,
        residual_deviation=float(np.sqrt(left)),
        r_squared=1.0 - float(residuals @ residuals) / whole if whole > 0 else np.nan,
        is_absolute=is_absolute,
    )
