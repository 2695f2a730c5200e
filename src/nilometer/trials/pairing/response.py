"""Instruments that follow the water at different speeds: the faster is slowed down before the two are compared."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["first_order", "time_constant"]


def time_constant(t90: float) -> float:
    """Return the time constant of a first-order instrument from its T90: τ = T90 / ln 10.

    Examples
    --------
    >>> round(time_constant(60.0), 3)
    26.058
    """
    return t90 / math.log(10.0)


def first_order(
    time: NDArray[np.int64], values: NDArray[np.float64], tau_us: float, longest_gap_us: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what an instrument of first order shows of a signal that runs straight between its values.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs, rising.
    values : ndarray of float64, shape (n,)
        Without NaN.
    tau_us : float
        Time constant, above 0.
    longest_gap_us : int
        After a longer step the filter begins anew.

    Returns
    -------
    ndarray of float64, shape (n,)
        The filtered values.
    ndarray of bool, shape (n,)
        False within T90 = τ·ln 10 of a beginning, where it still remembers what it could not know.

    References
    ----------
    τ·dy/dt + y = x, solved exactly for x straight over a step h: with r = (xᵢ − xᵢ₋₁)/h,
    yᵢ = xᵢ − rτ + (yᵢ₋₁ − xᵢ₋₁ + rτ)·exp(−h/τ).

    Examples
    --------
    >>> time = np.arange(0, 1000, 10)
    >>> shown, settled = first_order(time, time.astype(float), 50.0, 20)
    >>> round(float(time[-1] - shown[-1]), 3), int(settled.argmax())
    (50.0, 12)
    """
    if not tau_us > 0.0:
        raise ValueError(f"a time constant of {tau_us!r}: it has to be above 0")
    shown, since = np.empty(len(values)), np.empty(len(values), np.int64)
    _follow(time, values, float(tau_us), int(longest_gap_us), shown, since)
    return shown, since >= tau_us * math.log(10.0)


@njit(nogil=True, error_model="numpy")
def _follow(
    time: NDArray[np.int64],
    values: NDArray[np.float64],
    tau: float,
    longest: int,
    shown: NDArray[np.float64],
    since: NDArray[np.int64],
) -> None:
    begin = 0
    for i in range(len(values)):
        step = time[i] - time[i - 1] if i else longest + 1
        if step > longest:
            begin = time[i]
            shown[i] = values[i]
        else:
            lag = (values[i] - values[i - 1]) * tau / step
            shown[i] = values[i] - lag + (shown[i - 1] - values[i - 1] + lag) * math.exp(-step / tau)
        since[i] = time[i] - begin
