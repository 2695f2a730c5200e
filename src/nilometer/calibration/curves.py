"""The forms of a calibration as curves that a fit can move: value, slope, derivatives, and where to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.certificate import Calibration
from nilometer.calibration.evaluation import evaluate
from nilometer.calibration.forms import FORMS, IDEAL_SLOPE
from nilometer.calibration.least_squares import Curve
from nilometer.errors import CalibrationError

__all__ = ["beginning", "curve_of"]

Array = NDArray[np.float64]
_PART = 1e-6  # of a coefficient or a reading: the step of a central difference, whose error is its square


def curve_of(template: Mapping[str, Any], temperature: Array, size: int) -> Curve:
    """Return the curve of a certificate whose coefficients are open.

    Parameters
    ----------
    template : mapping
        The certificate's document without coefficients.
    temperature : ndarray of float64, shape (n,)
        degree_Celsius, of each point.
    size : int
        How many coefficients there are.
    """
    kind = template["kind"]
    if kind == "offset":
        return Curve(lambda c, x: x + c[0], lambda _, x: np.ones(len(x)), lambda _, x: np.ones((len(x), 1)))
    if kind == "slope":
        return Curve(lambda c, x: c[0] * x, lambda c, x: np.full(len(x), c[0]), lambda _, x: x[:, None].copy())
    if kind == "polynomial":
        powers = np.arange(1, size)
        return Curve(
            lambda c, x: np.vander(x, size, increasing=True) @ c,
            lambda c, x: (
                np.vander(x, max(size - 1, 1), increasing=True) @ (powers * c[1:] if size > 1 else np.zeros(1))
            ),
            lambda _, x: np.vander(x, size, increasing=True),
        )
    return _differenced(template, temperature)


def _differenced(template: Mapping[str, Any], temperature: Array) -> Curve:
    """Return a curve that asks the kernel, with derivatives as JCGM 100, 5.1.3 note 2 takes them."""

    def value(c: Array, x: Array) -> Array:
        calibration = Calibration.from_document({**template, "coefficients": c.tolist()})
        return evaluate(calibration, x, temperature).value

    def slope(c: Array, x: Array) -> Array:
        step = _PART * np.maximum(np.abs(x), np.ptp(x))
        found: Array = (value(c, x + step) - value(c, x - step)) / (2 * step)
        return found

    def design(c: Array, x: Array) -> Array:
        columns = []
        for k, scale in enumerate(_scales(template["kind"], c)):
            step = np.zeros(len(c))
            step[k] = _PART * scale
            low = value(c - step, x)
            try:
                columns.append((value(c + step, x) - low) / (2 * step[k]))
            except CalibrationError:  # a share is at its end
                columns.append((value(c, x) - low) / step[k])
        return np.stack(columns, axis=1)

    return Curve(value, slope, design)


def _scales(kind: str, c: Array) -> list[float]:
    if kind in {"nernst", "ise"}:
        return [max(abs(c[0]), 1.0), abs(c[1])]
    zero, quench, *rest = np.abs(c).tolist()
    if kind == "stern_volmer":
        return [zero, quench, *[0.01] * len(rest)]
    return [zero, quench, 0.1, max(rest[1], 0.01 * quench), *[0.01] * (len(rest) - 2)]


def beginning(template: Mapping[str, Any], x: Array, y: Array, temperature: Array, degree: int) -> Array:
    """Return coefficients near those that fit, from a line through the points where the form is one after a change.

    Raises
    ------
    CalibrationError
        If the form has no coefficients of its own, or the points cannot be on it.
    """
    kind = template["kind"]
    if kind in {"offset", "slope"}:
        return np.array([np.mean(y - x)]) if kind == "offset" else np.array([x @ y / (x @ x)])
    if kind == "polynomial":
        if degree < 0:
            raise CalibrationError(f"degree = {degree} (allowed: a whole number from 0)")
        return np.zeros(degree + 1)
    if kind in {"nernst", "ise"}:
        return _electrode(template, x, y, temperature)
    if FORMS[kind].temperature == "last two":
        return _quenched(template, x, y)
    raise CalibrationError(f"{kind} has no coefficients to fit: give its points or ranges in the certificate")


def _electrode(template: Mapping[str, Any], x: Array, y: Array, temperature: Array) -> Array:
    if not np.isfinite(temperature).all():
        raise CalibrationError(f"{template['kind']} needs the temperature of each reading")
    kelvin = temperature + 273.15
    if template["kind"] == "nernst":
        steep = -IDEAL_SLOPE / 100.0 * kelvin * (y - template.get("isopotential", 7.0))
    else:
        if not (y > 0).all():
            raise CalibrationError("an activity or concentration of 0 or less has no logarithm")
        reference = template.get("reference_temperature", 25.0) + 273.15
        steep = kelvin / reference * np.log10(y / template.get("isopotential", 1.0))
    slope, constant = np.polyfit(steep, x, 1)
    return np.array([constant, slope])


def _quenched(template: Mapping[str, Any], x: Array, y: Array) -> Array:
    signal = template.get("signal", "intensity")
    light = np.tan(np.radians(x)) if signal == "phase" else x
    faded = light if signal == "ratio" else 1.0 / light
    rise, first = np.polyfit(y, faded, 1)
    if not (rise > 0 and first > 0):
        raise CalibrationError(
            "the light must fall with the quantity: are readings and signal what they are said to be?"
        )
    zero = np.degrees(np.arctan(1.0 / first)) if signal == "phase" else 1.0 / first
    if template["kind"] == "stern_volmer":
        return np.array([zero, rise / first])
    return np.array([zero, 1.3 * rise / first, 0.85, 0.1 * rise / first])
