"""Whether two instruments are related by a line at all: the cusum test beside Passing and Bablok's regression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.pairing.pairs import complete
from nilometer.trials.statistics.regression import Line

__all__ = ["CusumTest", "cusum_linearity"]


@dataclass(frozen=True, slots=True)
class CusumTest:
    """How points above and below a line follow one another along it.

    Parameters
    ----------
    statistic : float
        Largest cusum over the root of the points off the line; 1.36 is exceeded by chance in 5 %.
    p_value : float
        Share of lines that would show a larger one by chance: a small one speaks against linearity. A large one proves
        nothing.
    above, below : int
        Points on each side.
    cusum : ndarray of float64, shape (n,)
        Along the line; for a plot.
    """

    statistic: float
    p_value: float
    above: int
    below: int
    cusum: NDArray[np.float64]

    @property
    def is_linear(self) -> bool:
        """Whether linearity is not refuted at 5 %."""
        return self.p_value >= 0.05


def cusum_linearity(x: Any, y: Any, line: Line) -> CusumTest:  # noqa: ANN401 -- any series
    """Test whether points lie above and below a line in random order.

    Parameters
    ----------
    x, y : series of n numbers
        Of reference and candidate.
    line : Line
        Such as that of `nilometer.trials.statistics.regression.passing_bablok`.

    Returns
    -------
    CusumTest
        For independent pairs: where results depend on those before, they stay on one side longer, and more lines fail.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, or the line is level.

    References
    ----------
    Passing and Bablok (1983), J. Clin. Chem. Clin. Biochem. 21, 709-720: scores √(L/l) of the l points
    above and −√(l/L) of the L below, in order of the distance (y + x/b − a)/√(1 + 1/b²) along the line. Their largest
    sum over √(l + L) is the statistic of Kolmogorov and Smirnov for two samples, those above and those below.

    Examples
    --------
    >>> from nilometer.trials.statistics.regression import passing_bablok
    >>> x = np.linspace(1.0, 10.0, 60)
    >>> bent = x + 0.1 * (x - 5.0) ** 2
    >>> cusum_linearity(x, bent, passing_bablok(x, bent)).is_linear
    False
    """
    from scipy.special import kolmogorov  # noqa: PLC0415 -- slow to import

    first, second = complete(x, y, least=3)
    if not line.slope or not math.isfinite(line.slope):
        raise ValueError(f"a slope of {line.slope!r}: along such a line nothing can be ordered")
    left = second - line.intercept - line.slope * first
    # What is off the line by rounding alone lies on it.
    left[np.abs(left) <= 1e-12 * np.max(np.abs(second) + np.abs(line.slope * first))] = 0.0
    above, below = int(np.count_nonzero(left > 0.0)), int(np.count_nonzero(left < 0.0))
    if not above or not below:
        return CusumTest(0.0, 1.0, above, below, np.zeros(len(first)))
    score = np.where(left > 0.0, math.sqrt(below / above), np.where(left < 0.0, -math.sqrt(above / below), 0.0))
    along = (second + first / line.slope - line.intercept) / math.sqrt(1.0 + 1.0 / line.slope**2)
    cusum = np.cumsum(score[np.argsort(along, kind="stable")])
    statistic = float(np.max(np.abs(cusum))) / math.sqrt(above + below)
    return CusumTest(statistic, float(kolmogorov(statistic)), above, below, cusum)
