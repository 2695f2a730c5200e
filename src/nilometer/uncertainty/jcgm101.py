"""Propagation of distributions by Monte Carlo (JCGM 101:2008): the check of what `propagation` says.

The function is evaluated at draws of its inputs, also beyond its valid range where a distribution reaches there: a
draw that is thrown away would narrow the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.uncertainty.estimate import Estimate
from nilometer.uncertainty.propagation import Measurable, correlation_matrix
from nilometer.uncertainty.sources import Normal, Source

__all__ = ["MonteCarlo", "agrees", "monte_carlo"]

_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """The distribution of a result.

    Parameters
    ----------
    value, uncertainty : float
        Mean and standard deviation of the draws.
    interval : (float, float)
        Probabilistically symmetric coverage interval.
    shortest : (float, float)
        The shortest one of the same probability.
    probability : float
        That the intervals cover.
    draws : int
        How many.
    value_error, uncertainty_error : float
        Standard errors of the first two, for so many draws.
    """

    value: float
    uncertainty: float
    interval: tuple[float, float]
    shortest: tuple[float, float]
    probability: float
    draws: int
    value_error: float
    uncertainty_error: float


def monte_carlo(
    function: Measurable,
    values: Mapping[str, float],
    uncertainty: Mapping[str, float | Source],
    *,
    correlation: Mapping[tuple[str, str], float] | None = None,
    draws: int = 1_000_000,
    probability: float = 0.95,
    seed: int = 0,
) -> MonteCarlo:
    """Return the distribution of a function of uncertain inputs at one point.

    Parameters
    ----------
    function : Measurable
        Such as ``oxygen.saturation``.
    values : mapping of str to float
        The inputs, in their units; a default stands for those left out.
    uncertainty : mapping of str to float or Source
        Standard uncertainties (normal), or distributions.
    correlation : mapping of (str, str) to float, optional
        Of normal inputs.
    draws : int
        At least 10 000; JCGM 101 (7.2.2) asks for 10⁶ where 95 % intervals are told to two digits.
    probability : float
        Of the coverage intervals.
    seed : int
        The same gives the same draws.

    Returns
    -------
    MonteCarlo
        With the standard errors of its own figures.

    Raises
    ------
    ValueError
        If an input is missing or unknown, correlated inputs are not normal, or no draw gave a number.

    Examples
    --------
    >>> from nilometer.derivation import oxygen
    >>> found = monte_carlo(oxygen.solubility, {"temperature": 20.0}, {"temperature": 0.1}, draws=20_000)
    >>> round(found.value, 2), round(found.uncertainty, 3)
    (9.09, 0.018)
    """
    names = list(function.inputs)
    for name in (*values, *uncertainty):
        if name not in names:
            raise ValueError(f"there is no input {name!r} ({', '.join(names)})")
    if draws < 10_000:
        raise ValueError(f"draws = {draws} (allowed: 10000 or more)")
    middle = [_value(function, name, values) for name in names]
    sources = [_source(uncertainty.get(name, 0.0)) for name in names]
    factor = _factor(names, sources, correlation)
    rng = np.random.default_rng(seed)
    results = np.empty(draws)
    for start in range(0, draws, _BLOCK):
        count = min(_BLOCK, draws - start)
        columns = _drawn(middle, sources, factor, rng, count)
        results[start : start + count] = function.compute(columns)
    return _told(results, probability)


def agrees(estimate: Estimate, found: MonteCarlo, digits: int = 2) -> bool:
    """Say whether the law of propagation is validated by Monte Carlo (JCGM 101:2008, clause 8).

    Both ends of the coverage interval have to agree to the numerical tolerance of so many significant digits of u.

    Parameters
    ----------
    estimate : Estimate
        Of one point.
    found : MonteCarlo
        Of the same point.
    digits : int
        Significant digits of u that are regarded as meaningful: 1 or 2.
    """
    k = float(estimate.coverage(found.probability)[0])
    u, value = float(estimate.combined[0]), float(estimate.results[0])
    tolerance = 0.5 * 10.0 ** (math.floor(math.log10(u)) - digits + 1)
    ends = (value - k * u, value + k * u)
    return all(abs(ours - theirs) <= tolerance for ours, theirs in zip(ends, found.interval, strict=True))


def _value(function: Measurable, name: str, values: Mapping[str, float]) -> float:
    value = values.get(name, function.inputs[name].default)
    if value is None:
        raise ValueError(f"a value of {name} is needed")
    return float(value)


def _source(given: float | Source) -> Source:
    return given if isinstance(given, Source) else Normal(float(given))


def _factor(
    names: Sequence[str], sources: Sequence[Source], correlation: Mapping[tuple[str, str], float] | None
) -> NDArray[np.float64] | None:
    matrix = correlation_matrix(names, correlation or {})
    if matrix is None:
        return None
    for pair in correlation or {}:
        for name in pair:
            source = sources[names.index(name)]
            if not isinstance(source, Normal) or math.isfinite(source.degrees_of_freedom):
                raise ValueError(f"{name} is correlated: its distribution has to be normal, and exactly known")
    values, vectors = np.linalg.eigh(matrix)
    factor: NDArray[np.float64] = vectors * np.sqrt(np.maximum(values, 0.0))
    return factor


def _drawn(
    middle: Sequence[float],
    sources: Sequence[Source],
    factor: NDArray[np.float64] | None,
    rng: np.random.Generator,
    count: int,
) -> list[NDArray[np.float64]]:
    spreads = [float(source.standard()) for source in sources]
    if factor is None:
        return [
            value + spread * source.draw(rng, count) if spread else np.full(count, value)
            for value, spread, source in zip(middle, spreads, sources, strict=True)
        ]
    together = factor @ rng.standard_normal((len(middle), count))
    apart = [not isinstance(source, Normal) or math.isfinite(source.degrees_of_freedom) for source in sources]
    return [
        value + spread * (source.draw(rng, count) if own else together[row])
        for row, (value, spread, source, own) in enumerate(zip(middle, spreads, sources, apart, strict=True))
    ]


def _told(results: NDArray[np.float64], probability: float) -> MonteCarlo:
    found = np.sort(results[np.isfinite(results)])
    n = len(found)
    if n < 2:
        raise ValueError("the function has no value at any draw: its inputs lie where it is not defined")
    value, spread = float(found.mean()), float(found.std(ddof=1))
    covered = max(round(probability * n), 1)
    low = (n - covered) // 2
    widths = found[covered - 1 :] - found[: n - covered + 1]
    first = int(np.argmin(widths))
    # The variance of a variance needs the fourth moment, which is not the normal one here.
    fourth = float(np.mean((found - value) ** 4))
    error = math.sqrt(max(fourth - spread**4, 0.0) / n) / (2.0 * spread) if spread else 0.0
    return MonteCarlo(
        value=value,
        uncertainty=spread,
        interval=(float(found[low]), float(found[low + covered - 1])),
        shortest=(float(found[first]), float(found[first + covered - 1])),
        probability=probability,
        draws=n,
        value_error=spread / math.sqrt(n),
        uncertainty_error=error,
    )
