"""From a standard to an expanded uncertainty: the coverage factor and the degrees of freedom behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["coverage_factor", "effective_degrees_of_freedom"]


def effective_degrees_of_freedom(combined: float, parts: Iterable[tuple[float, float]]) -> float:
    """Return the effective degrees of freedom (Welch–Satterthwaite; JCGM 100:2008, eq. G.2b).

    Parameters
    ----------
    combined : float
        u_c.
    parts : iterable of (float, float)
        cᵢ·uᵢ and the degrees of freedom of each; the inputs are independent.

    Returns
    -------
    float
        ν_eff = u_c⁴ / Σ (cᵢuᵢ)⁴/νᵢ; infinite where every part is known exactly.

    Examples
    --------
    >>> parts = [(25.0, 18.0), (9.7, 25.6), (2.9, 50.0), (16.6, 2.0)]  # example H.1 of JCGM 100
    >>> round(effective_degrees_of_freedom(math.sqrt(1002.0), parts), 1)
    16.7
    """
    below = sum(part**4 / freedom for part, freedom in parts if math.isfinite(freedom))
    return combined**4 / below if below else math.inf


def coverage_factor(probability: float = 0.95, degrees_of_freedom: float = math.inf) -> float:
    """Return the coverage factor k of Student's distribution (JCGM 100:2008, table G.2).

    Parameters
    ----------
    probability : float
        Of the interval ±k·u_c, between 0 and 1.
    degrees_of_freedom : float
        At least 1; a broken number is used as it is.

    Returns
    -------
    float
        1.96 for 95 % and an exactly known u_c.

    Raises
    ------
    ValueError
        If the probability is not between 0 and 1, or there are no degrees of freedom.

    Examples
    --------
    >>> round(coverage_factor(0.95, 10), 2), round(coverage_factor(0.9545), 2)
    (2.23, 2.0)
    """
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a coverage probability of {probability!r}: give one between 0 and 1, such as 0.95")
    if not degrees_of_freedom > 0.0:
        raise ValueError(f"{degrees_of_freedom!r} degrees of freedom: there must be more than 0")
    if math.isinf(degrees_of_freedom):
        from statistics import NormalDist  # noqa: PLC0415 -- with its sister below

        return NormalDist().inv_cdf(0.5 + probability / 2.0)
    from scipy.special import stdtrit  # noqa: PLC0415 -- slow to import, and rarely asked for

    return float(stdtrit(degrees_of_freedom, 0.5 + probability / 2.0))
