"""How noise and drift of an instrument pass into each other with the time of averaging: Allan deviations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.series import unpack

__all__ = ["allan_deviation"]


def allan_deviation(series: Any, factors: Sequence[int], *, overlapping: bool = True) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the Allan deviation of a steady signal for several times of averaging.

    Parameters
    ----------
    series : series of n numbers
        At equal steps of time, without gaps.
    factors : sequence of int
        Of how many values each a mean is made.
    overlapping : bool
        Use every place at which a pair of means may begin: the same quantity, less noise.

    Returns
    -------
    ndarray of float64
        One a factor, in the unit of the series; NaN where there are too few values for it.

    Raises
    ------
    ValueError
        If a value is missing, or a factor is below 1.

    References
    ----------
    NIST SP 1065 (2008), eq. 5 to 8 and 10: σ²(τ) = ½⟨(ȳᵢ₊₁ − ȳᵢ)²⟩.

    Examples
    --------
    >>> allan_deviation([892.0, 809, 823, 798, 671, 644, 883, 903, 677], [1, 2]).round(5).tolist()
    [91.22945, 85.95287]
    """
    values = unpack(series).values
    if not np.isfinite(values).all():
        raise ValueError("the series has gaps: take a stretch without, or fill them")
    whole = np.concatenate([[0.0], np.cumsum(values - values.mean())])
    found = np.full(len(factors), np.nan)
    for place, m in enumerate(factors):
        if m < 1:
            raise ValueError(f"factor {m!r} (allowed: 1 or more)")
        means = (whole[m:] - whole[:-m]) / m
        if not overlapping:
            means = means[::m]
        step = m if overlapping else 1
        apart = means[step:] - means[:-step]
        if len(apart):
            found[place] = np.sqrt(0.5 * np.mean(apart**2))
    return found
