"""Where the uncertainty of an input comes from: its distribution, its standard uncertainty, how well that is known.

A bare number is a `Normal`. Sources are for one value or for a whole series: a half-width or a standard uncertainty
may be an array that goes with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Normal", "Rectangular", "Resolution", "Source", "Triangular", "mean_of"]


@dataclass(frozen=True, slots=True)
class Source:
    """What an input's uncertainty is made of.

    Parameters
    ----------
    size : float or array_like
        As its kind says, in the unit of the input.
    degrees_of_freedom : float
        How well it is known; infinite: exactly.
    """

    size: Any
    degrees_of_freedom: float = math.inf

    @property
    def name(self) -> str:
        """What a budget calls the distribution."""
        return type(self).__name__.lower()

    @property
    def divisor(self) -> float:
        """What `size` is divided by to give the standard uncertainty."""
        return 1.0

    def standard(self) -> Any:  # noqa: ANN401 -- a number, or the kind of series that was given
        """Return the standard uncertainty (k = 1)."""
        return self.size if self.divisor == 1.0 else self.size / self.divisor

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
        """Return so many deviations of unit standard uncertainty."""
        if math.isfinite(self.degrees_of_freedom):
            # JCGM 101, 6.4.9.2: a mean of few readings is Student's, scaled so that its scale parameter is u.
            return rng.standard_t(self.degrees_of_freedom, draws)
        return rng.standard_normal(draws)


class Normal(Source):
    """A standard uncertainty: of a certificate (U divided by its k), of a mean of readings.

    Examples
    --------
    >>> Normal(0.02).standard()
    0.02
    """


class Rectangular(Source):
    """Anything between two limits, `size` to either side: u = a/√3 (JCGM 100, 4.3.7).

    Examples
    --------
    >>> round(Rectangular(0.1).standard(), 4)
    0.0577
    """

    @property
    def divisor(self) -> float:
        """The root of 3."""
        return math.sqrt(3.0)

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
        """Return so many deviations of unit standard uncertainty."""
        return rng.uniform(-self.divisor, self.divisor, draws)


class Resolution(Rectangular):
    """The last digit of a display, or the step of a converter, `size` wide: u = d/√12 (JCGM 100, F.2.2.1).

    Examples
    --------
    >>> round(Resolution(0.01).standard(), 5)
    0.00289
    """

    @property
    def divisor(self) -> float:
        """The root of 12."""
        return math.sqrt(12.0)

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
        """Return so many deviations of unit standard uncertainty."""
        return rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), draws)


class Triangular(Source):
    """Between two limits, most likely in the middle: u = a/√6 (JCGM 100, 4.3.9).

    Examples
    --------
    >>> round(Triangular(0.1).standard(), 4)
    0.0408
    """

    @property
    def divisor(self) -> float:
        """The root of 6."""
        return math.sqrt(6.0)

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
        """Return so many deviations of unit standard uncertainty."""
        return rng.triangular(-self.divisor, 0.0, self.divisor, draws)


def mean_of(readings: Any) -> Normal:  # noqa: ANN401 -- array_like
    """Return the uncertainty of the mean of repeated readings: s/√n, with n − 1 degrees of freedom (JCGM 100, 4.2.3).

    Parameters
    ----------
    readings : array_like, shape (n,)
        Independent readings of one thing, two or more.

    Raises
    ------
    ValueError
        If there are fewer than two.

    Examples
    --------
    >>> round(mean_of([10.1, 10.3, 10.2]).standard(), 4), mean_of([10.1, 10.3, 10.2]).degrees_of_freedom
    (0.0577, 2.0)
    """
    values = np.asarray(readings, np.float64)
    if values.size < 2:
        raise ValueError(f"{values.size} readings have no spread: give two or more")
    return Normal(float(values.std(ddof=1) / math.sqrt(values.size)), float(values.size - 1))
