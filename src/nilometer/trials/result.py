"""What a trial gave: every comparison with its figures, what was decided, and what a reader needs to attack it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nilometer.trials.figure import Figure
from nilometer.trials.gathering import Taken
from nilometer.trials.inference.endpoint import Decision, Outcome
from nilometer.trials.norms import NormVerdict
from nilometer.trials.pairing.alignment import Alignment
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.planning.freezing import Frozen
from nilometer.trials.planning.plan import Plan
from nilometer.trials.statistics.availability import Availability
from nilometer.trials.statistics.lots import Components
from nilometer.trials.statistics.references import References
from nilometer.trials.statistics.water_class import ClassAgreement

__all__ = ["Comparison", "Grade", "Stratum", "TrialResult"]

_DESCRIBES = re.compile(
    r"trial\.(title|question|place|cleaning|responsible|server)"
    r"|(candidate|reference)\[\d+\]\.(maker|model|serial|lot|site|certificate)"
    r"|sample\[\d+\]\.(laboratory|method)"
    r"|endpoint\[\d+\]\.source"
    r"|maintenance.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """The pairs of one range of a condition, or of one stretch of time.

    Parameters
    ----------
    condition : str
        Name of the condition; ``range``: the reference's own result; ``time``: a stretch of the trial.
    low, high : float
        Its range [low, high), in `unit`; of time µs since 1970 UTC.
    unit : str
        CF text of the range.
    n : int
        Pairs in it; 0: nothing of the kind was met.
    figures : tuple of Figure
        Of these pairs; empty where they are too few.
    decisions : tuple of Decision
        Of these pairs, where the plan asks for them.
    """

    condition: str
    low: float
    high: float
    unit: str
    n: int
    figures: tuple[Figure, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "condition": self.condition,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "unit": self.unit,
            "n": self.n,
            "figures": [figure.to_dict() for figure in self.figures],
            "decisions": [decision.to_dict() for decision in self.decisions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The answer of a comparison, with the range it holds in: never a blanket yes.

    Parameters
    ----------
    outcome : Outcome
        Of the endpoints together, in the plan's order: the first that was not shown decides.
    ranges : dict of str to (float, float)
        Conditions that were met with enough data; it says nothing beyond.
    units : dict of str to str
        Of the ranges.
    notes : tuple of str
        What limits it.
    parts : tuple of Stratum
        Where it was not shown over all water: the declared strata in each of which every claim was shown.
    """

    outcome: Outcome
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    parts: tuple[Stratum, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "outcome": str(self.outcome),
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "units": dict(self.units),
            "notes": list(self.notes),
            "parts": [part.to_dict() for part in self.parts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One candidate beside one reference.

    Parameters
    ----------
    candidate, reference : str
        Their names in the plan.
    pairs : Pairs
        What was compared.
    alignment : Alignment
        How they came to be, and every result that is in none.
    figures : tuple of Figure
        Of all pairs.
    without_suspect : tuple of Figure
        The same without results that are SUSPECT; empty where there are none.
    strata : tuple of Stratum
        By condition.
    over_time : tuple of Stratum
        By week or month.
    decisions : tuple of Decision
        In the plan's order.
    grade : Grade
        The answer.
    availability : dict of str to Availability
        Of either arm by its name: what was due and what was given; empty where rows pair by order.
    samples : dict of str to tuple of Figure
        How either arm erred against samples, by the name the plan has for them.
    classes : ClassAgreement or None
        How they agree on the class of a standard or between edges, where the plan names one.
    norms : dict of str to NormVerdict
        What a norm of the field says of either arm beside samples, by the name the plan has for them.
    """

    candidate: str
    reference: str
    pairs: Pairs
    alignment: Alignment
    figures: tuple[Figure, ...]
    without_suspect: tuple[Figure, ...] = ()
    strata: tuple[Stratum, ...] = ()
    over_time: tuple[Stratum, ...] = ()
    decisions: tuple[Decision, ...] = ()
    grade: Grade
    availability: Mapping[str, Availability] = field(default_factory=dict)
    samples: Mapping[str, tuple[Figure, ...]] = field(default_factory=dict)
    classes: ClassAgreement | None = None
    norms: Mapping[str, NormVerdict] = field(default_factory=dict)

    def figure(self, name: str) -> Figure | None:
        """Return a figure of all pairs by its name."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, without the pairs."""
        return {
            "candidate": self.candidate,
            "reference": self.reference,
            "alignment": self.alignment.to_dict(),
            "figures": [figure.to_dict() for figure in self.figures],
            "without_suspect": [figure.to_dict() for figure in self.without_suspect],
            "strata": [stratum.to_dict() for stratum in self.strata],
            "over_time": [stratum.to_dict() for stratum in self.over_time],
            "decisions": [decision.to_dict() for decision in self.decisions],
            "grade": self.grade.to_dict(),
            "availability": {name: one.to_dict() for name, one in self.availability.items()},
            "samples": {name: [figure.to_dict() for figure in one] for name, one in self.samples.items()},
            "classes": None if self.classes is None else self.classes.to_dict(),
            "norms": {name: one.to_dict() for name, one in self.norms.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """All of a trial.

    Parameters
    ----------
    plan : Plan
        As it was when the trial was run.
    frozen : Frozen
        Its history; empty where it was never frozen.
    first_datum : int
        Time of the first result of a candidate, µs since 1970 UTC.
    taken : tuple of Taken
        The series that were read.
    data_hash : str
        SHA-256 of all of them.
    comparisons : tuple of Comparison
        Every candidate beside every reference.
    version : str
        Of this software.
    made_at : str
        When it was computed, UTC, ISO 8601; no number hangs on it.
    units : dict of str to Components
        Of several candidates beside a reference, by its name: how units and lots differ.
    notes : tuple of str
        What holds for the whole trial.
    references : References
        How several references agree, and what they are to the trial.
    maintenance : tuple of (int, int)
        Windows in which neither arm counted, [start, end) in µs since 1970 UTC, of the plan and of its files.
    """

    plan: Plan
    frozen: Frozen
    first_datum: int
    taken: tuple[Taken, ...]
    data_hash: str
    comparisons: tuple[Comparison, ...]
    version: str
    made_at: str
    units: Mapping[str, Components] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    references: References = field(default_factory=References)
    maintenance: tuple[tuple[int, int], ...] = ()

    @property
    def is_confirmatory(self) -> bool:
        """Whether the plan was frozen before the first datum, and nothing that moves an answer was changed since.

        Windows of maintenance, which are out for both arms alike, and what only describes may be added later.
        """
        late = self.frozen.amended_after(self.first_datum)
        return self.frozen.is_before(self.first_datum) and all(
            _DESCRIBES.fullmatch(change["key"]) for entry in late for change in entry.changes
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, without the pairs."""
        return {
            "plan": self.plan.model_dump(mode="json"),
            "plan_hash": self.plan.hash(),
            "frozen": [asdict(entry) for entry in self.frozen.entries],
            "frozen_hash": self.frozen.hash,
            "is_confirmatory": self.is_confirmatory,
            "first_datum": self.first_datum,
            "data": [asdict(part) for part in self.taken],
            "data_hash": self.data_hash,
            "comparisons": [one.to_dict() for one in self.comparisons],
            "version": self.version,
            "made_at": self.made_at,
            "units": {name: one.to_dict() for name, one in self.units.items()},
            "references": self.references.to_dict(),
            "notes": list(self.notes),
            "maintenance": [list(window) for window in self.maintenance],
        }
