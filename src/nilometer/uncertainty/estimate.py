"""A value with its uncertainty, and what that is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.uncertainty.budget import Budget, Entry
from nilometer.uncertainty.coverage import coverage_factor, effective_degrees_of_freedom
from nilometer.uncertainty.sources import Source

__all__ = ["Estimate"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a function makes of uncertain inputs.

    Parameters
    ----------
    value : scalar, array or series
        The quantity, as the kind of series that its inputs are of.
    uncertainty : scalar, array or series
        Its combined standard uncertainty (k = 1), the same kind; NaN: not known.
    unit : str
        CF text.
    name : str
        Of the function.
    inputs : mapping
        By name: unit, values, standard uncertainties, source.
    contributions : mapping of str to ndarray of float64
        cᵢ·uᵢ of each input that has an uncertainty; ``equation``: of the equation itself.
    results, combined : ndarray of float64, shape (n,)
        Value and uncertainty as plain columns.
    """

    value: Any
    uncertainty: Any
    unit: str
    name: str
    inputs: Mapping[str, tuple[str, Floats, Floats, Source]] = field(repr=False)
    contributions: Mapping[str, Floats] = field(repr=False)
    results: Floats = field(repr=False)
    combined: Floats = field(repr=False)

    def expanded(self, k: float = 2.0) -> Any:  # noqa: ANN401 -- any kind
        """Return the expanded uncertainty U = k·u_c; k = 2 covers about 95 % of a normal distribution."""
        return self.uncertainty * k

    def coverage(self, probability: float = 0.95, row: int = 0) -> tuple[float, float]:
        """Return k for a coverage probability, and the effective degrees of freedom behind it (JCGM 100, annex G).

        Raises
        ------
        ValueError
            If the probability is not between 0 and 1.
        """
        known = {name: self.inputs[name][3].degrees_of_freedom for name in self.contributions if name in self.inputs}
        parts = [(_at(column, row), known.get(name, math.inf)) for name, column in self.contributions.items()]
        freedom = effective_degrees_of_freedom(_at(self.combined, row), parts)
        return coverage_factor(probability, freedom), freedom

    def budget(self, row: int = 0) -> Budget:
        """Return which input contributes how much to one of the results.

        Parameters
        ----------
        row : int
            Which, counted along the flattened results.

        Raises
        ------
        IndexError
            If there are not so many.
        """
        if not -len(self.results) <= row < len(self.results):
            raise IndexError(f"row {row} of {len(self.results)} results")
        total = _at(self.combined, row)
        entries = []
        for name, column in self.contributions.items():
            part = _at(column, row)
            share = part * part / (total * total) if total else 0.0
            if name not in self.inputs:
                entries.append(Entry(name, self.unit, _at(self.results, row), part, "equation", 1.0, part, share))
                continue
            unit, values, spreads, source = self.inputs[name]
            spread = _at(spreads, row)
            slope = part / spread if spread else math.nan
            entries.append(Entry(name, unit, _at(values, row), spread, source.name, slope, part, share))
        return Budget(self.name, self.unit, _at(self.results, row), total, tuple(entries))


def _at(column: Floats, row: int) -> float:
    return float(column[0] if len(column) == 1 else column[row])
