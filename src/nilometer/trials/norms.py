"""What a norm of the field says of both arms beside a laboratory: told beside the trial's decision, never instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nilometer.errors import NilometerError
from nilometer.trials.statistics.field_comparison import Comparison as NormComparison
from nilometer.trials.statistics.samples import Sampled, judge_by_norm

__all__ = ["NormVerdict", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NormVerdict:
    """A norm's verdict on candidate and reference, of the same samples.

    Parameters
    ----------
    norm : str
        As the plan names it.
    candidate, reference : Comparison or None
        Of `nilometer.trials.statistics.field_comparison`; None where there are too few samples.
    unit : str
        Of a limit that is no share.
    note : str
        Why there is none.
    """

    norm: str
    candidate: NormComparison | None
    reference: NormComparison | None
    unit: str = "mg L-1"
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "norm": self.norm,
            "candidate": None if self.candidate is None else _document(self.candidate),
            "reference": None if self.reference is None else _document(self.reference),
            "note": self.note,
        }


def judged(sampled: Sampled, observed_property: str, norm: str) -> NormVerdict:
    """Return what a norm says of both arms.

    Raises
    ------
    ConfigError
        If there is no such norm, or it has no band for the property.
    UnitError
        If the unit cannot become the norm's.
    """
    try:
        ours, theirs = judge_by_norm(sampled, observed_property, norm)
    except (ZeroDivisionError, ValueError) as error:
        if isinstance(error, NilometerError):
            raise
        return NormVerdict(norm=norm, candidate=None, reference=None, note=str(error))
    return NormVerdict(norm=norm, candidate=ours, reference=theirs, unit="1" if observed_property == "ph" else "mg L-1")


def _document(found: NormComparison) -> dict[str, Any]:
    return {
        "norm": found.norm,
        "limit": found.limit,
        "is_relative": found.is_relative,
        "errors": list(found.errors),
        "within": sum(found.within),
        "needed": found.needed,
        "passes": found.passes,
    }
