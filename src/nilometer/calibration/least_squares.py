"""Generalised least squares for a curve where both variables carry uncertainty.

Minimises (x - ξ)ᵀ U_x⁻¹ (x - ξ) + (y - η)ᵀ V_y⁻¹ (y - η) under η = f(c, ξ) by Gauss-Newton steps of the linearised
conditions (Gauss-Helmert). For a line and uncorrelated errors that is the best straight line of York; without errors of
x it is generalised least squares, and for a polynomial it is there after one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import CalibrationError

__all__ = ["Adjusted", "Curve", "adjusted"]

Array = NDArray[np.float64]
_STEPS = 200
_HALVINGS = 30
_CLOSE = 1e-9  # of a standard uncertainty


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve y = f(c, x).

    Parameters
    ----------
    value : callable
        (c, x) to y, shape (n,); raises CalibrationError, or gives NaN, where c is no curve.
    slope : callable
        (c, x) to dy/dx.
    design : callable
        (c, x) to the derivatives by c, shape (n, p).
    """

    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]
    design: Callable[[Array, Array], Array]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Coefficients that leave the least.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (p,)
        Those of the curve.
    covariance : ndarray of float64, shape (p, p)
        As the given uncertainties propagate.
    chi_square : float
        What is left, in units of the given variances.
    standardized : ndarray of float64, shape (n,)
        Residuals of y over their own standard deviations.
    """

    coefficients: Array
    covariance: Array
    chi_square: float
    standardized: Array


def adjusted(curve: Curve, start: Array, x: Array, y: Array, u_x: Array, v_y: Array) -> Adjusted:
    """Return the coefficients that leave the least.

    Parameters
    ----------
    curve : Curve
        What is fitted.
    start : ndarray of float64, shape (p,)
        Coefficients to begin with.
    x, y : ndarray of float64, shape (n,)
        What was measured.
    u_x : ndarray of float64, shape (n,)
        Standard uncertainties of x, uncorrelated; 0: exact.
    v_y : ndarray of float64, shape (n, n)
        Covariance of y.

    Raises
    ------
    CalibrationError
        If the points do not determine the coefficients, or no minimum is reached.
    """
    c, truth = start, x.copy()
    for _ in range(_STEPS):
        slope = curve.slope(c, truth)
        root = _root(v_y + np.diag((slope * u_x) ** 2))
        step, covariance = _solved(root, curve.design(c, truth), y - curve.value(c, truth) - slope * (x - truth))
        reached = _halved(curve, c, step, (x, y, u_x, v_y), truth)
        left = np.linalg.solve(root, y - curve.value(reached, truth) - slope * (x - truth))
        truth_next = x + u_x**2 * slope * np.linalg.solve(root.T, left)
        moved = max(_relative(reached - c, np.sqrt(np.diag(covariance))), _relative(truth_next - truth, u_x))
        c, truth = reached, truth_next
        if moved < _CLOSE:
            break
    else:
        raise CalibrationError("the fit does not settle: too few points for this form, or a start far away")
    return _result(curve, c, truth, (x, y, u_x, v_y))


def _result(curve: Curve, c: Array, truth: Array, data: tuple[Array, Array, Array, Array]) -> Adjusted:
    x, y, u_x, v_y = data
    slope = curve.slope(c, truth)
    whole = v_y + np.diag((slope * u_x) ** 2)
    root = _root(whole)
    design = curve.design(c, truth)
    residual = y - curve.value(c, truth) - slope * (x - truth)
    left = np.linalg.solve(root, residual)
    _, covariance = _solved(root, design, residual)
    own = np.diag(whole) - np.einsum("ij,jk,ik->i", design, covariance, design)
    # A point that alone determines a coefficient leaves no residual.
    free = own > 1e-9 * np.diag(whole)
    standardized = np.where(free, residual / np.sqrt(np.where(free, own, 1.0)), 0.0)
    return Adjusted(c, covariance, float(left @ left), standardized)


def _root(matrix: Array) -> Array:
    try:
        return np.asarray(np.linalg.cholesky(matrix), np.float64)
    except np.linalg.LinAlgError:
        raise CalibrationError(
            "the covariance of the points cannot be inverted: each needs an uncertainty of its own, above 0"
        ) from None


def _solved(root: Array, design: Array, right: Array) -> tuple[Array, Array]:
    """Return the least-squares solution and the covariance, columns brought to one size first."""
    white = np.linalg.solve(root, design)
    size = np.linalg.norm(white, axis=0)
    if not np.isfinite(white).all() or not (size > 0).all():
        raise CalibrationError("the points do not determine all coefficients of this form")
    orthogonal, triangle = np.linalg.qr(white / size)
    if abs(np.diag(triangle)).min() < 1e-13:
        raise CalibrationError("the points do not determine all coefficients of this form")
    inverse = np.linalg.inv(triangle) / size[:, None]
    solution = np.linalg.solve(triangle, orthogonal.T @ np.linalg.solve(root, right)) / size
    return np.asarray(solution, np.float64), np.asarray(inverse @ inverse.T, np.float64)


def _halved(curve: Curve, c: Array, step: Array, data: tuple[Array, Array, Array, Array], truth: Array) -> Array:
    """Return the coefficients after the step, or after as much of it as leaves less than before."""
    before = _left(curve, c, data, truth)
    for _ in range(_HALVINGS):
        if _left(curve, c + step, data, truth) <= before * (1 + 1e-9) + 1e-300:
            return c + step
        step = step / 2
    return c


def _left(curve: Curve, c: Array, data: tuple[Array, Array, Array, Array], truth: Array) -> float:
    x, y, u_x, v_y = data
    try:
        slope = curve.slope(c, truth)
        residual = y - curve.value(c, truth) - slope * (x - truth)
    except CalibrationError:
        return np.inf
    whole = v_y + np.diag((slope * u_x) ** 2)
    if not (np.isfinite(residual).all() and np.isfinite(whole).all()):
        return np.inf
    return float(residual @ np.linalg.solve(whole, residual))


def _relative(moved: Array, scale: Array) -> float:
    return float(np.max(np.abs(moved) / np.where(scale > 0, scale, 1.0), initial=0.0))
