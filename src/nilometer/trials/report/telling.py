"""What all parts of a report need of a trial: its words, its dates, and how it names things."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from nilometer.errors import ConfigError
from nilometer.model.properties import term
from nilometer.trials.figure import Figure
from nilometer.trials.inference.endpoint import Decision
from nilometer.trials.planning.plan import ArmPlan
from nilometer.trials.report.document import Line, line, quiet
from nilometer.trials.report.numbers import NONE, SHARES, Dates, interval, joined, plain, quantity, share, unit_text
from nilometer.trials.report.words import Language, Words, visible
from nilometer.trials.result import Comparison, Stratum, TrialResult

__all__ = ["Teller"]


@dataclass(frozen=True)
class Teller:
    """Tells parts of a result in one language.

    Parameters
    ----------
    result : TrialResult
        Of which is told.
    language : str
        ``en`` or ``zh``.
    """

    result: TrialResult
    language: Language

    @cached_property
    def words(self) -> Words:
        """Words of the language."""
        return Words(self.language)

    @cached_property
    def dates(self) -> Dates:
        """Dates by the zone of the trial."""
        return Dates(self.result.plan.trial.time_zone, self.words)

    @property
    def has_times(self) -> bool:
        """Whether rows have times, rather than an order alone."""
        return self.result.plan.alignment.by == "time"

    @property
    def unit(self) -> str:
        """Unit of the trial as people read it."""
        return unit_text(self.result.plan.trial.unit)

    def property_name(self) -> str:
        """Return the quantity as the field calls it; one that the vocabulary lacks as the plan writes it."""
        key = self.result.plan.trial.property
        try:
            known = term(key)
        except (ConfigError, KeyError):
            return key.replace("_", " ")
        if self.language == "zh":
            return known.name_zh
        # In a sentence; a symbol or an abbreviation keeps its letters.
        name = known.name_en
        return name if name[:2].isupper() or name[1:2].isupper() else name[:1].lower() + name[1:]

    def who(self, comparison: Comparison) -> str:
        """Return the name of a comparison."""
        return self.words("section.comparison", candidate=comparison.candidate, reference=comparison.reference)

    def condition(self, name: str) -> str:
        """Return a condition as people call it."""
        return self.words.name("condition", name)

    def span(self, low: float, high: float, unit: str) -> str:
        """Return a range with its unit."""
        if math.isnan(low) and math.isnan(high):
            return self.words("page.not_known")
        if math.isfinite(low) and math.isfinite(high):
            return quantity(self.words("page.range_to", low=plain(low), high=plain(high)), unit)
        if math.isfinite(low):
            return self.words("page.at_least", value=quantity(plain(low), unit))
        if math.isfinite(high):
            return self.words("page.below", value=quantity(plain(high), unit))
        return self.words("page.everything")

    def stratum(self, stratum: Stratum) -> str:
        """Return the range of a stratum."""
        if stratum.condition == "time":
            return self.words(
                "page.from_to", start=self.dates.day(int(stratum.low)), end=self.dates.day(int(stratum.high))
            )
        return self.span(stratum.low, stratum.high, stratum.unit)

    def estimate(self, figure: Figure) -> str:
        """Return a value with its unit."""
        value, _low, _high, unit = interval(figure)
        return joined(value, unit)

    def ends(self, figure: Figure) -> str:
        """Return the ends of an interval with their unit, or that there is none."""
        _value, low, high, unit = interval(figure)
        if low == NONE and high == NONE:
            return NONE
        return joined(self.words("page.range_to", low=low, high=high), unit)

    def margin(self, decision: Decision) -> str:
        """Return what a margin came to."""
        margin = decision.endpoint.margin
        unit = decision.figure.unit
        if decision.figure.name in SHARES or (margin.is_relative and not math.isfinite(decision.margin)):
            return share(decision.margin if math.isfinite(decision.margin) else margin.value)
        return quantity(plain(decision.margin), unit)

    def sentence(self, text: str) -> Line:
        """Return a sentence of the engine: in this language where it is known, else as it is, marked."""
        told, is_told = self.words.told(text)
        return line(told) if is_told else (("quiet", told),)

    def probability(self, probability: float) -> str:
        """Return a probability in percent."""
        return share(probability)

    def arms(self) -> list[tuple[str, ArmPlan]]:
        """Return all instruments with their role."""
        plan = self.result.plan
        return [(self.words("column.candidate"), arm) for arm in plan.candidate] + [
            (self.words("column.reference"), arm) for arm in plan.reference
        ]

    def stated(self, text: str) -> Line:
        """Return what a plan states, or that it does not."""
        return line(visible(text)) if text.strip() else quiet(self.words("page.unknown"))
