"""How straight an instrument is: its readings against the standards, with a test of the line where readings repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import CalibrationError

__all__ = ["Linearity", "linearity"]


@dataclass(frozen=True, slots=True)
class Linearity:
    """The best line of readings against standards, and how far they are from it.

    Parameters
    ----------
    intercept, slope : float
        Of the line, by ordinary least squares.
    deviations : ndarray of float64, shape (n,)
        Reading less line, brought to the unit of the standards.
    greatest : float
        The deviation farthest from 0, with its sign.
    at : float
        The standard at which it is.
    percent_of_span : float
        Its size in percent of the span.
    r_squared : float
        Share of the readings' variance that the line explains.
    lack_of_fit : float
        F: what the means of repeated readings are off the line over what repeated readings are off their mean. NaN
        where no standard was read twice, or there are but two.
    probability : float
        Of so large an F or a larger one were the line right; below 0.05 it is not. NaN as above.
    """

    intercept: float
    slope: float
    deviations: NDArray[np.float64]
    greatest: float
    at: float
    percent_of_span: float
    r_squared: float
    lack_of_fit: float
    probability: float


def linearity(standard: ArrayLike, reading: ArrayLike, span: float | None = None) -> Linearity:
    """Return how straight readings run against standards.

    Parameters
    ----------
    standard : array_like, shape (n,)
        What the standards are; the same number is the same standard.
    reading : array_like, shape (n,)
        What was read in them.
    span : float, optional
        Width of the measuring range in the unit of the standards; without it that of the standards.

    Raises
    ------
    CalibrationError
        If there are fewer than three readings or two standards, or they do not rise or fall with each other.

    References
    ----------
    Draper, N. R. & Smith, H., Applied Regression Analysis: lack of fit and pure error.

    Examples
    --------
    >>> done = linearity([0, 5, 10], [0.1, 5.3, 9.9])
    >>> round(done.greatest, 3), done.at, round(done.percent_of_span, 2)
    (0.204, 5.0, 2.04)
    """
    x, y = (np.asarray(item, np.float64) for item in (standard, reading))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3 or not np.isfinite(x + y).all():
        raise CalibrationError("linearity needs three readings or more, finite, and a standard to each")
    width = float(np.ptp(x)) if span is None else span
    away = x - x.mean()
    if not away.any() or not width > 0:
        raise CalibrationError("linearity needs two different standards or more, and a span above 0")
    slope = float(away @ y / (away @ away))
    if slope == 0:
        raise CalibrationError("the readings do not change with the standards")
    intercept = float(y.mean() - slope * x.mean())
    left = y - (intercept + slope * x)
    worst = int(np.argmax(np.abs(left)))
    around = y - y.mean()
    ratio, probability = _lack_of_fit(x, y, left)
    return Linearity(
        intercept,
        slope,
        left / slope,
        float(left[worst] / slope),
        float(x[worst]),
        100.0 * float(abs(left[worst] / slope)) / width,
        1.0 - float(left @ left) / float(around @ around),
        ratio,
        probability,
    )


def _lack_of_fit(x: NDArray[np.float64], y: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[float, float]:
    levels, which = np.unique(x, return_inverse=True)
    m, n = len(levels), len(x)
    if m < 3 or n == m:
        return np.nan, np.nan
    means = np.bincount(which, y) / np.bincount(which)
    pure = float(np.sum((y - means[which]) ** 2))
    if pure == 0:
        return np.nan, np.nan
    from scipy.stats import f  # noqa: PLC0415 -- slow to import

    ratio = (float(left @ left) - pure) / (m - 2) / (pure / (n - m))
    return ratio, float(f.sf(ratio, m - 2, n - m))
