"""What a trial decides on: a statistic of the pairs, and the margin it was held against before the first datum."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nilometer.trials.figure import Figure

__all__ = ["SHOWN", "Decision", "Endpoint", "Kind", "Margin", "Origin", "Outcome"]


class Kind(StrEnum):
    """What is to be shown."""

    NON_INFERIORITY = "non_inferiority"
    EQUIVALENCE = "equivalence"


class Outcome(StrEnum):
    """What was shown. Nothing shown is an answer of its own, never a pass."""

    NON_INFERIOR = "non_inferior"
    EQUIVALENT = "equivalent"
    INFERIOR = "inferior"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not_tested"


SHOWN = frozenset({Outcome.NON_INFERIOR, Outcome.EQUIVALENT})
"""Outcomes by which a claim is shown."""


class Origin(StrEnum):
    """Where a margin comes from."""

    PERMIT = "permit"
    CLASS_WIDTH = "class_width"
    HJ355 = "hj355"
    REFERENCE_UNCERTAINTY = "reference_uncertainty"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The difference that does not matter.

    Parameters
    ----------
    value : float
        Above 0: in `unit`, or a share of the reference's result where `is_relative`.
    unit : str
        CF text.
    origin : Origin
        Where it comes from.
    source : str
        The sentence a reader can check: norm and table, permit, or who chose it and why.
    is_relative : bool
        Whether `value` is a share of the reference's mean.
    """

    value: float
    unit: str
    origin: Origin = Origin.USER
    source: str = ""
    is_relative: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.value < math.inf:
            raise ValueError(f"margin = {self.value!r} (allowed: above 0)")
        if self.is_relative and self.value >= 1.0:
            raise ValueError(f"margin = {self.value!r} of the result itself (allowed: below 1; 0.05 is 5 %)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One claim of a trial.

    Parameters
    ----------
    name : str
        As the plan calls it.
    statistic : str
        Which figure of the pairs is held against the margin, such as ``bias`` or ``mean_absolute_difference``.
    margin : Margin
        Frozen before the first datum.
    kind : Kind
        Non-inferiority: the statistic is worse by less than the margin. Equivalence: it lies within ± margin.
    alpha : float
        One-sided share of wrong passes that is accepted.
    condition : mapping of str to (float, float)
        The range of conditions the claim is made for; empty: all that was met.
    """

    name: str
    statistic: str
    margin: Margin
    kind: Kind = Kind.NON_INFERIORITY
    alpha: float = 0.025
    condition: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 0.5:
            raise ValueError(f"alpha = {self.alpha!r} (allowed: above 0, below 0.5)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided of one endpoint.

    Parameters
    ----------
    endpoint : Endpoint
        The claim.
    outcome : Outcome
        NOT_TESTED: a claim before it in the stated order was not shown.
    figure : Figure
        The statistic with the interval the outcome rests on: of probability 1 − 2·alpha.
    margin : float
        In the unit of `figure`: what a relative margin came to.
    reason : str
        One sentence: what lies where, or why nothing could be said.
    note : str
        What keeps the decision from being claimed: `claims.caveat_of`; empty where its error rate was shown.
    """

    endpoint: Endpoint
    outcome: Outcome
    figure: Figure
    margin: float
    reason: str
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        margin = self.endpoint.margin
        return {
            "endpoint": self.endpoint.name,
            "statistic": self.endpoint.statistic,
            "kind": str(self.endpoint.kind),
            "alpha": self.endpoint.alpha,
            "condition": {name: list(ends) for name, ends in self.endpoint.condition.items()},
            "outcome": str(self.outcome),
            "figure": self.figure.to_dict(),
            "margin": self.margin if math.isfinite(self.margin) else None,
            "margin_origin": str(margin.origin),
            "margin_source": margin.source,
            "reason": self.reason,
            "note": self.note,
        }
