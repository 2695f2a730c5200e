"""The calibration that the points of a record give, fitted by `nilometer.calibration.fitting`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.calibration.certificate import Calibration
from nilometer.calibration.fitting import Fit, fit, lots_covariance
from nilometer.calibration.forms import FORMS
from nilometer.errors import RequestError

if TYPE_CHECKING:
    from nilometer.model.calibration_records import CalibrationPoint

__all__ = ["FitOrder", "fit_report", "fitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOrder:
    """How a calibration is fitted: a form of `nilometer.calibration.forms`, and what the certificate says beside.

    `use` chooses the readings: those ``before`` anything was adjusted, or those ``after``.
    """

    form: str = "polynomial"
    degree: int = 1
    use: str = "before"
    enlarge: bool = False
    certificate: Mapping[str, Any] = field(default_factory=dict)


def fitted(
    points: Sequence[CalibrationPoint],
    lots: Sequence[str | None],
    order: FitOrder,
    *,
    unit_in: str,
    unit_out: str,
    valid_from: int,
) -> tuple[Calibration, dict[str, Any]]:
    """Return the calibration that fits points best, and the report of the fit, JSON-ready.

    Parameters
    ----------
    points : sequence of CalibrationPoint
        Those without the reading that is asked for are left out.
    lots : sequence of str or None
        What each point's standard shares with others, such as its version: their uncertainties are then fully
        correlated; None: with none.
    order : FitOrder
        The form.
    unit_in, unit_out : str
        Of the readings, and what the calibration gives, CF text.
    valid_from : int
        µs since 1970 UTC.

    Raises
    ------
    RequestError
        If there is no form of that name.
    CalibrationError
        If the points do not determine the coefficients.
    UnitError
        If a standard has another dimension.

    Notes
    -----
    Uncertainties count where all points have them: those of the standards, and of the mean readings (s/√n). Where some
    point lacks its own, that kind is left out, and the report says so.
    """
    if order.form not in FORMS:
        raise RequestError(f"{order.form!r} is no form (allowed: {', '.join(FORMS)})", place="$.fit.form")
    taken = [(point, lot) for point, lot in zip(points, lots, strict=True) if getattr(point, order.use) is not None]
    if not taken:
        raise RequestError(f"no point has a reading {order.use}", place="$.fit.use")
    scales = [units.affine(point.unit, unit_out) for point, _ in taken]
    quantity = [scale * point.value + offset for (point, _), (scale, offset) in zip(taken, scales, strict=True)]
    own = [
        math.nan if point.uncertainty is None else abs(scale) * point.uncertainty
        for (point, _), (scale, _) in zip(taken, scales, strict=True)
    ]
    reads = [
        math.nan if point.spread is None or not point.readings else point.spread / math.sqrt(point.readings)
        for point, _ in taken
    ]
    temperature = [math.nan if point.temperature is None else point.temperature for point, _ in taken]
    certificate = {"unit_in": unit_in, "unit_out": unit_out, **order.certificate, "valid_from": valid_from}
    done = fit(
        [getattr(point, order.use) for point, _ in taken],
        quantity,
        order.form,
        degree=order.degree,
        reading_uncertainty=_known(reads),
        covariance=None if _known(own) is None else lots_covariance(0.0, own, [lot for _, lot in taken]),
        temperature=_known(temperature) if FORMS[order.form].temperature != "never" else None,
        enlarge=order.enlarge,
        **certificate,
    )
    used = {"standards": _known(own) is not None, "readings": _known(reads) is not None}
    return done.calibration, fit_report(done) | {"use": order.use, "uncertainties": used}


def fit_report(done: Fit) -> dict[str, Any]:
    """Return what a fit left, JSON-ready: points, residuals, and how well they go together; None: not known."""
    return {
        "form": done.calibration.kind,
        "reading": done.reading.tolist(),
        "quantity": done.quantity.tolist(),
        "residuals": [_digits(one) for one in done.residuals],
        "standardized": [_digits(one) for one in done.standardized],
        "degrees": done.degrees,
        "residual_deviation": _digits(done.residual_deviation),
        "r_squared": _digits(done.r_squared),
        "birge": _digits(done.birge),
        "probability": _digits(done.probability),
    }


def _known(values: Sequence[float]) -> NDArray[np.float64] | None:
    """Return values where all of them are known."""
    return None if any(math.isnan(value) for value in values) else np.array(values, np.float64)


def _digits(value: float) -> float | None:
    return None if not math.isfinite(value) else float(f"{value:.6g}")
