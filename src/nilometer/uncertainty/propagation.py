"""The law of propagation of uncertainty (JCGM 100:2008, eq. 13), along arrays of values.

A function that is measured through says its inputs and computes on plain arrays (`Measurable`); its partial
derivatives are taken by central differences, as note 2 to 5.1.3 allows, with a step at which neither rounding nor
curvature is seen: about ten digits are right, where an uncertainty has two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Measurable", "combined", "correlation_matrix", "partials"]

STEP: Final = 6.0e-6
"""The cube root of the spacing of float64, of the size of an input: where both errors of a central difference meet."""

Floats = NDArray[np.float64]


class Quantity(Protocol):
    """An input of a measurable function."""

    @property
    def scale(self) -> float:
        """Its typical size, in its unit."""


class Measurable(Protocol):
    """A function whose uncertainty can be told."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Its inputs by name, in order."""

    def compute(self, values: Sequence[Floats]) -> Floats:
        """Return the function of so many arrays of one shape, whether in the valid range or not."""


@njit(nogil=True, cache=True, error_model="numpy")
def _steps(x: Floats, scale: float, above: Floats, below: Floats) -> None:
    for i in range(len(x)):
        step = STEP * max(abs(x[i]), scale)
        above[i], below[i] = x[i] + step, x[i] - step


@njit(nogil=True, cache=True, error_model="numpy")
def _slopes(high: Floats, low: Floats, above: Floats, below: Floats) -> int:
    """Put the slopes where `high` was; return how many are no numbers."""
    n, lost = len(above), 0
    for i in range(len(high)):
        k = i if n > 1 else 0
        high[i] = (high[i] - low[i]) / (above[k] - below[k])
        if not np.isfinite(high[i]):
            lost += 1
    return lost


def partials(function: Measurable, values: Sequence[Floats], wanted: Sequence[int]) -> list[Floats]:
    """Return the partial derivatives of a function by some of its inputs.

    Parameters
    ----------
    function : Measurable
        What is derived.
    values : sequence of ndarray of float64
        One array of n values an input, in order; those of one element stand for all.
    wanted : sequence of int
        By which inputs.

    Returns
    -------
    list of ndarray of float64, shape (n,)
        In the order of `wanted`. Beside a point where the function ends (a root of a negative number) the derivative
        is that of its own side.
    """
    scales = [quantity.scale for quantity in function.inputs.values()]
    found = []
    for place in wanted:
        x = values[place]
        above, below = np.empty(len(x)), np.empty(len(x))
        _steps(x, scales[place], above, below)
        slope = function.compute(_with(values, place, above))
        low = function.compute(_with(values, place, below))
        if _slopes(slope, low, above, below):
            slope = _one_sided(function, values, place, above, below)
        found.append(slope)
    return found


def _one_sided(function: Measurable, values: Sequence[Floats], place: int, above: Floats, below: Floats) -> Floats:
    """Return the derivative with that of the other side where a side has no value."""
    high, low = (function.compute(_with(values, place, side)) for side in (above, below))
    middle = function.compute(values)
    with np.errstate(invalid="ignore"):
        slope = (high - low) / (above - below)
        slope = np.where(np.isfinite(low), slope, (high - middle) / (above - values[place]))
        return np.where(np.isfinite(high), slope, (middle - low) / (values[place] - below))


def _with(values: Sequence[Floats], place: int, other: Floats) -> list[Floats]:
    return [*values[:place], other, *values[place + 1 :]]


def combined(contributions: Sequence[Floats], correlation: NDArray[np.float64] | None = None) -> Floats:
    """Return the combined standard uncertainty.

    Parameters
    ----------
    contributions : sequence of ndarray of float64
        cᵢ·uᵢ of each input, with the sign of cᵢ: of opposite signs correlated inputs cancel.
    correlation : ndarray of float64, shape (k, k), optional
        rᵢⱼ; None: uncorrelated.

    Returns
    -------
    ndarray of float64
        u_c = √(Σ (cᵢuᵢ)² + 2 ΣΣ cᵢuᵢ cⱼuⱼ rᵢⱼ). NaN where a contribution is: it is not known.

    Examples
    --------
    >>> one = [np.array([3.0]), np.array([4.0])]
    >>> combined(one).item(), combined(one, np.array([[1.0, 1.0], [1.0, 1.0]])).item()
    (5.0, 7.0)
    """
    n = max(len(one) for one in contributions)
    variance = np.zeros(n)
    for one in contributions:
        _add(variance, one, one, 1.0)
    if correlation is not None:
        for i, one in enumerate(contributions):
            for j in range(i + 1, len(contributions)):
                if correlation[i, j]:
                    _add(variance, one, contributions[j], 2.0 * correlation[i, j])
    # Fully correlated opposites cancel to a rounding error of either sign.
    return np.sqrt(np.maximum(variance, 0.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _add(variance: Floats, one: Floats, other: Floats, factor: float) -> None:
    n, m = len(one), len(other)
    for i in range(len(variance)):
        variance[i] += factor * one[i if n > 1 else 0] * other[i if m > 1 else 0]


def correlation_matrix(names: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> NDArray[np.float64] | None:
    """Return the correlations of inputs as a matrix; None where there are none.

    Parameters
    ----------
    names : sequence of str
        The inputs, in order.
    pairs : mapping of (str, str) to float
        Coefficients, −1 to 1, each pair once.

    Raises
    ------
    ValueError
        If a name is unknown, a coefficient is out of range, or no inputs can be correlated like that.

    Examples
    --------
    >>> correlation_matrix(["a", "b"], {("b", "a"): 0.5}).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    if not pairs:
        return None
    matrix = np.eye(len(names))
    for (one, other), coefficient in pairs.items():
        for name in (one, other):
            if name not in names:
                raise ValueError(f"correlation of {one!r} with {other!r}: {name!r} is no input ({', '.join(names)})")
        if one == other or not -1.0 <= coefficient <= 1.0:
            raise ValueError(f"correlation of {one!r} with {other!r} = {coefficient!r}: give two inputs, and −1 to 1")
        i, j = names.index(one), names.index(other)
        matrix[i, j] = matrix[j, i] = coefficient
    if np.linalg.eigvalsh(matrix)[0] < -1e-9:
        raise ValueError(f"no inputs are correlated like {dict(pairs)}: the matrix has a negative eigenvalue")
    return matrix
