"""Indices that make one number of many items: the CCME's and the NSF's water quality index.

An index hides which item failed; it stands beside a verdict, never in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["NSF_WEIGHTS", "CcmeIndex", "Objective", "ccme_wqi", "nsf_wqi"]

NSF_WEIGHTS: Final[Mapping[str, float]] = {
    "do_percent_saturation": 0.17,
    "faecal_coliform": 0.16,
    "ph": 0.11,
    "bod5": 0.11,
    "temperature_change": 0.10,
    "total_phosphate": 0.10,
    "nitrate": 0.10,
    "turbidity": 0.08,
    "total_solids": 0.07,
}
"""Weights of the nine items (Brown et al. 1970)."""

_CATEGORIES = ((95, "excellent"), (80, "good"), (65, "fair"), (45, "marginal"), (0, "poor"))


@dataclass(frozen=True, slots=True)
class Objective:
    """What an item has to keep: at least `lower`, at most `upper`; either may be None."""

    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class CcmeIndex:
    """The CCME water quality index and its parts.

    Parameters
    ----------
    index : float
        0 to 100, the best.
    scope, frequency, amplitude : float
        F1, F2 and F3.
    variables, failed_variables, tests, failed_tests : int
        What they were counted of.
    category : str
        Of the rounded index.
    """

    index: float
    scope: float
    frequency: float
    amplitude: float
    variables: int
    failed_variables: int
    tests: int
    failed_tests: int
    category: str


def ccme_wqi(values: Mapping[str, Sequence[float | None]], objectives: Mapping[str, Objective]) -> CcmeIndex:
    """Return the water quality index of the Canadian Council of Ministers of the Environment.

    Parameters
    ----------
    values : mapping of str to sequence of float or None
        Results of each item, in the unit of its objective; None or NaN was not measured and is no test.
    objectives : mapping of str to Objective
        Of every item.

    Returns
    -------
    CcmeIndex
        The manual asks for four items sampled four times.

    Raises
    ------
    ValueError
        If an item has no objective, nothing was measured, or a value of 0 fails a lower objective (give its
        detection limit).

    References
    ----------
    CCME Water Quality Index 1.0, User's Manual (2001): F1, F2, F3 and CCME WQI = 100 − √(F1² + F2² + F3²)/1.732; an
    objective of 0 (must be absent) has the value as its excursion.

    Examples
    --------
    >>> objectives = {"ph": Objective(6.5, 9.0), "lead": Objective(upper=0.01)}
    >>> round(ccme_wqi({"ph": [7.0, 9.5], "lead": [0.001, 0.001]}, objectives).index, 1)
    67.7
    """
    tests = failed = variables = failed_variables = 0
    excursions = 0.0
    for name, column in values.items():
        if name not in objectives:
            raise ValueError(f"{name} has no objective")
        there = [float(value) for value in column if value is not None and not math.isnan(value)]
        missed = [value for value in there if _excursion(name, value, objectives[name]) > 0.0]
        excursions += sum(_excursion(name, value, objectives[name]) for value in missed)
        tests, failed = tests + len(there), failed + len(missed)
        variables, failed_variables = variables + bool(there), failed_variables + bool(missed)
    if not tests:
        raise ValueError("nothing was measured: there is no index")
    scope, frequency = 100.0 * failed_variables / variables, 100.0 * failed / tests
    share = excursions / tests
    amplitude = share / (0.01 * share + 0.01)
    index = 100.0 - math.sqrt(scope**2 + frequency**2 + amplitude**2) / 1.732
    category = next(word for least, word in _CATEGORIES if round(index) >= least)
    return CcmeIndex(index, scope, frequency, amplitude, variables, failed_variables, tests, failed, category)


def _excursion(name: str, value: float, objective: Objective) -> float:
    if objective.upper is not None and value > objective.upper:
        return value / objective.upper - 1.0 if objective.upper else value
    if objective.lower is not None and value < objective.lower:
        if value <= 0.0:
            raise ValueError(
                f"{name}: {value:g} is below the lower objective {objective.lower:g}: give its detection limit"
            )
        return objective.lower / value - 1.0
    return 0.0


def nsf_wqi(ratings: Mapping[str, float]) -> tuple[float, float]:
    """Return the National Sanitation Foundation's index of Q-values, and the weight of the items that were there.

    The curves that give a Q-value are published as graphs only, and digitised ones differ: whoever makes Q-values names
    the curves.

    Parameters
    ----------
    ratings : mapping of str to float
        Q-values, 0 to 100, by the names of `NSF_WEIGHTS`.

    Returns
    -------
    (float, float)
        Index, 0 to 100, with the weights of missing items left out; and the sum of the weights that entered.

    Raises
    ------
    ValueError
        If an item is unknown, a Q-value is out of range, or there is none.

    References
    ----------
    Brown et al. (1970), Water and Sewage Works 117, 339-343; weights as in Mitchell and Stapp, Field Manual.

    Examples
    --------
    >>> index, weight = nsf_wqi({"ph": 90.0, "nitrate": 70.0})
    >>> round(index, 2), round(weight, 2)
    (80.48, 0.21)
    """
    for name, rating in ratings.items():
        if name not in NSF_WEIGHTS:
            raise ValueError(f"{name} is no item of the index ({', '.join(NSF_WEIGHTS)})")
        if not 0.0 <= rating <= 100.0:
            raise ValueError(f"{name}: a Q-value of {rating!r} (allowed: 0 to 100)")
    weight = sum(NSF_WEIGHTS[name] for name in ratings)
    if not weight:
        raise ValueError("there is no item: there is no index")
    return sum(NSF_WEIGHTS[name] * rating for name, rating in ratings.items()) / weight, weight
