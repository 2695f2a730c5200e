"""How sure an Allan deviation is: the noise that prevails, and how many independent differences it amounts to."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

__all__ = ["degrees_of_freedom", "interval_of", "noise_powers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_MEANS: Final = 30  # fewer means than this no longer tell a noise
_FINEST: Final = 100  # a sum over more steps than so many a stride is its integral, within 0.1 %


def noise_powers(phase: Floats, factors: Ints, *, order: int = 2) -> Ints:
    """Return the power α of the noise S_y ∝ f^α that prevails at each factor, from the lag-1 autocorrelation.

    Parameters
    ----------
    phase : ndarray of float64, shape (n,)
        Running sum of the rates.
    factors : ndarray of int64, shape (k,)
        Where fewer than 30 means are left none is told: the noise of the factor before is kept, but none above 0,
        which would promise degrees of freedom that so short a record does not show.
    order : int
        Of the deviation's difference: 2 tells α from 2 to −2, 3 down to −4.

    References
    ----------
    Riley and Greenhall (2004), Power law noise identification using the lag 1 autocorrelation; NIST SP 1065, 5.5.6.
    """
    found = np.zeros(len(factors), np.int64)
    last = 0
    for place in np.argsort(factors, kind="stable"):
        m = int(factors[place])
        thinned = phase[::m]
        last = _power(thinned, order) if len(thinned) > _LEAST_MEANS else min(last, 0)
        found[place] = last
    return found


def _power(series: Floats, order: int) -> int:
    at = np.linspace(-1.0, 1.0, len(series))
    series = series - np.polynomial.polynomial.polyval(at, np.polynomial.polynomial.polyfit(at, series, 2))
    for differences in range(order + 1):
        centred = series - series.mean()
        power = float(centred @ centred)
        lag1 = float(centred[1:] @ centred[:-1]) / power if power > 0.0 else 0.0
        delta = lag1 / (1.0 + lag1)
        if delta < 0.25 or differences == order:
            return max(min(round(2.0 - 2.0 * (delta + differences)), 2), 2 - 2 * order)
        series = np.diff(series)
    raise AssertionError("the last order returns")


def degrees_of_freedom(n: int, factors: Ints, noise: Ints, *, order: int, overlaps: bool, is_modified: bool) -> Floats:
    """Return the equivalent degrees of freedom of variances of finite differences.

    Parameters
    ----------
    n : int
        Phases of the record.
    factors, noise : ndarray of int64, shape (k,)
        Factor of averaging and power α of the noise.
    order : int
        2 for Allan, 3 for Hadamard variances.
    overlaps, is_modified : bool
        Which estimator.

    Returns
    -------
    ndarray of float64, shape (k,)
        NaN where the record is too short for the factor.

    References
    ----------
    Greenhall and Riley (2003), Uncertainty of stability variances based on finite differences, PTTI 35; NIST SP 1065,
    5.4.1. Their tables for long records are limits of the sums evaluated here.
    """
    found = np.full(len(factors), np.nan)
    for place, (m, alpha) in enumerate(zip(factors.tolist(), noise.tolist(), strict=True)):
        length = (1 if is_modified else 0) * (m - 1) + order * m
        stride = m if overlaps else 1
        terms = 1 + math.floor(stride * (n - 1 - length) / m)
        if n - 1 - length < 0:
            continue
        if alpha == 2 and not is_modified:
            found[place] = _white_phase(terms, terms / stride, order)
            continue
        # A fine stride only refines the sum: the share of the record that is used stays.
        fine = min(stride, _FINEST)
        terms_fine = terms * fine / stride
        filtering = 1.0 if is_modified else float(m)
        if not is_modified and alpha <= 0 and m * (order + 1) > _FINEST:
            filtering = math.inf
        lags = np.arange(1, max(min(math.ceil(terms_fine), (order + 1) * fine), 1)) / fine
        at_zero = _sz(np.zeros(1), filtering, alpha, order)[0]
        shares = 1.0 - lags * fine / terms_fine
        spread = at_zero**2 + 2.0 * float(shares @ _sz(lags, filtering, alpha, order) ** 2)
        found[place] = terms_fine * at_zero**2 / spread
    return found


def _white_phase(terms: float, ratio: float, order: int) -> float:
    """Return the sum in closed form: differences of white phases share single values."""
    middle = math.comb(2 * order, order)
    shared = sum(
        (1.0 - k / ratio) * math.comb(2 * order, order - k) ** 2 for k in range(1, min(math.ceil(ratio), order + 1))
    )
    return terms / (1.0 + 2.0 * shared / middle**2)


def _sw(t: Floats, alpha: int) -> Floats:
    """Return the generalised autocovariance of the phase, but for a factor and sign that cancel."""
    size = np.abs(t)
    power = 3 - alpha
    raised: Floats = size**power
    if power % 2 == 1:
        return raised
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0.0, raised * np.log(size), 0.0)


def _sx(t: Floats, filtering: float, alpha: int) -> Floats:
    if math.isinf(filtering):
        return _sw(t, alpha + 2)
    step = 1.0 / filtering
    found: Floats = filtering**2 * (2.0 * _sw(t, alpha) - _sw(t - step, alpha) - _sw(t + step, alpha))
    return found


def _sz(t: Floats, filtering: float, alpha: int, order: int) -> Floats:
    found = math.comb(2 * order, order) * _sx(t, filtering, alpha)
    for k in range(1, order + 1):
        weight = (-1.0) ** k * math.comb(2 * order, order - k)
        found = found + weight * (_sx(t - k, filtering, alpha) + _sx(t + k, filtering, alpha))
    return found


def interval_of(deviation: Floats, edf: Floats, probability: float) -> tuple[Floats, Floats]:
    """Return the two-sided interval of deviations, of χ² with their degrees of freedom."""
    tail = (1.0 - probability) / 2.0
    return (
        deviation * np.sqrt(edf / chi2.ppf(1.0 - tail, edf)),
        deviation * np.sqrt(edf / chi2.ppf(tail, edf)),
    )
