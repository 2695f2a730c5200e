"""How far good values go, told from a record that also holds bad ones.

Thresholds belong far out in the tail, where a contaminated record has mostly its bad values. So no quantile beyond a
trusted one (99 %: at most one value in a hundred is taken to be bad) is read from the record; beyond it the tail is
continued as an exponential through the 90 % and the 99 % quantile. Tails of departures and rates are about that heavy:
lighter ones get a threshold on the safe side, heavier ones are flagged more often than asked for, and the counts beside
every suggestion say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR", "TRUSTED", "Tail", "lower", "outward", "upper"]

NEAR = 0.90
TRUSTED = 0.99


@dataclass(frozen=True, slots=True)
class Tail:
    """Where one value in `1/rate` lies beyond, and the two quantiles that say so."""

    value: float
    near: float
    trusted: float
    n: int
    rate: float


def upper(values: NDArray[np.float64], rate: float, step: float = 0.0) -> Tail:
    """Return the value that a share `rate` of good values exceeds.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite, n > 0; up to one in a hundred may be bad.
    rate : float
        Above 0, at most 0.1.
    step : float
        The least difference that the values can show: quantiles nearer than that are taken to be so far apart, for
        values of a few levels say nothing of their tail.

    Returns
    -------
    Tail
        ``q90 + max(q99 - q90, step) * log10(0.1 / rate)``, the exponential through both quantiles.

    Examples
    --------
    >>> good = np.random.default_rng(1).exponential(size=100_000)
    >>> bad = np.concatenate([good, np.full(500, 1000.0)])
    >>> round(upper(good, 1e-3).value, 1), round(upper(bad, 1e-3).value, 1)
    (6.8, 8.1)
    """
    near, trusted = (float(q) for q in np.quantile(values, [NEAR, TRUSTED]))
    decades = math.log10((1 - NEAR) / rate)
    return Tail(near + max(trusted - near, step) * decades, near, trusted, len(values), rate)


def lower(values: NDArray[np.float64], rate: float, step: float = 0.0) -> Tail:
    """Return the value that a share `rate` of good values stays below; see `upper`."""
    mirrored = upper(-values, rate, step)
    return Tail(-mirrored.value, -mirrored.near, -mirrored.trusted, mirrored.n, rate)


def outward(value: float, *, up: bool, digits: int = 2) -> float:
    """Return a number rounded away from the good values, to so many digits.

    Examples
    --------
    >>> outward(0.1234, up=True), outward(0.1234, up=False), outward(-3.21, up=False)
    (0.13, 0.12, -3.3)
    """
    if value == 0 or not math.isfinite(value):
        return value
    place = digits - 1 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**place
    # What is a whole number but for the last bits of a double stays that number.
    whole = (
        round(scaled)
        if math.isclose(scaled, round(scaled), rel_tol=1e-9)
        else math.ceil(scaled)
        if up
        else math.floor(scaled)
    )
    return round(whole / 10.0**place, max(0, place)) if place >= 0 else float(whole * 10 ** (-place))
