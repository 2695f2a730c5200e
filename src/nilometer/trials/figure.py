"""One number of a trial, and how far it may be trusted: none is shown without its interval and how it was made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Figure", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An estimate from pairs of results.

    Parameters
    ----------
    name : str
        Key of the figure, such as ``bias`` or ``rmse``.
    value : float
        NaN where the data do not allow it; `note` says why.
    unit : str
        CF text; ``1`` for shares and correlations.
    interval : (float, float)
        Confidence interval of `value`; both ends NaN where there is none.
    probability : float
        Of the interval, two-sided.
    n : int
        Pairs it rests on.
    n_effective : float
        How many independent pairs these are worth; NaN where the method does not ask.
    method : str
        Key of how the interval was made: ``block_bootstrap``, ``student_t``, ``jackknife``, ``rank`` …
    note : str
        What a reader has to know beside the number; empty where there is nothing.
    """

    name: str
    value: float
    unit: str
    interval: tuple[float, float] = (math.nan, math.nan)
    probability: float = 0.95
    n: int = 0
    n_effective: float = math.nan
    method: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, what is NaN or infinite as null."""
        return {
            "name": self.name,
            "value": plain(self.value),
            "unit": self.unit,
            "interval": [plain(end) for end in self.interval],
            "probability": self.probability,
            "n": self.n,
            "n_effective": plain(self.n_effective),
            "method": self.method,
            "note": self.note,
        }


def plain(number: float) -> float | None:
    """Return a number as JSON has it: None where it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None
