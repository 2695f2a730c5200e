"""What all parts of a bench report need of a run: its words, dates, numbers, limits, and how sure each is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from nilometer.trials.bench.identity import ABOUT
from nilometer.trials.bench.limits import BenchLimit, Finding
from nilometer.trials.bench.results import TestResult, results
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.wording import told, word
from nilometer.trials.figure import Figure
from nilometer.trials.report.document import Line, line, quiet
from nilometer.trials.report.numbers import NONE, Dates, interval, joined, plain, quantity, unit_text
from nilometer.trials.report.words import Language, Words, visible
from nilometer.units import symbol

__all__ = ["MARKS", "BenchTeller"]

MARKS: Final = {
    "met": "non_inferior",
    "not_met": "inferior",
    "met_unverified": "met_unverified",
    "not_met_unverified": "not_met_unverified",
    "incomplete": "inconclusive",
    "not_decided": "inconclusive",
    "no_limit": "not_tested",
    "nothing": "not_tested",
    "not_made": "not_tested",
}
"""The shape of each finding."""


@dataclass(frozen=True)
class BenchTeller:
    """Tells parts of a run in one language.

    Parameters
    ----------
    run : BenchRun
        Of which is told.
    language : str
        ``en`` or ``zh``.
    """

    run: BenchRun
    language: Language

    @cached_property
    def words(self) -> Words:
        """Words of the language."""
        return Words(self.language)

    @cached_property
    def results(self) -> list[TestResult]:
        """Every test of the procedure, made or not."""
        return results(self.run)

    @cached_property
    def dates(self) -> Dates:
        """Dates by the zone the run states, else UTC."""
        return Dates(self.about.get("time_zone") or "UTC", self.words)

    @property
    def about(self) -> Mapping[str, str]:
        """What is told of instrument, place and operator."""
        given = self.run.facts.get("about")
        return {str(key): str(text) for key, text in given.items()} if isinstance(given, Mapping) else {}

    @property
    def standards(self) -> Mapping[str, str]:
        """What is told of the standard of each step."""
        given = self.run.facts.get("standards")
        return {str(key): str(text) for key, text in given.items()} if isinstance(given, Mapping) else {}

    def stated(self, text: str) -> Line:
        """Return what is told of a run, or that it is not."""
        return line(visible(text)) if text.strip() else quiet(self.words("page.unknown"))

    def in_language(self, names: Mapping[str, str], default: str) -> str:
        """Return a name of a procedure or a test."""
        return names.get(self.language) or names.get("en") or default

    def test_name(self, result: TestResult) -> str:
        """Return what a test is called."""
        return self.in_language(result.test.name, result.test.key)

    def sentence(self, text: str) -> str:
        """Return a sentence of the engine."""
        unit = self.run.procedure.unit
        text = told(text, self.language)
        return visible(text if unit == "1" else text.replace(unit, symbol(unit)))

    def figure_name(self, figure: Figure) -> str:
        """Return what a figure is called."""
        name = word("figure", figure.name, self.language)
        return name[:1].upper() + name[1:]

    def finding(self, finding: Finding) -> Line:
        """Return a finding with its shape."""
        text = word("finding", str(finding), self.language)
        return (("mark", MARKS[str(finding)]), ("plain", f"\u00a0{text[:1].upper()}{text[1:]}"))

    def estimate(self, figure: Figure) -> str:
        """Return a value with its unit; a figure that only has a lower end with that."""
        value, low, _high, unit = interval(figure)
        if value == NONE and low != NONE:
            return f"> {joined(low, unit)}"
        return joined(value, unit)

    def ends(self, figure: Figure) -> str:
        """Return the ends of an interval with their unit, or that there is none."""
        _value, low, high, unit = interval(figure)
        if low == high == NONE:
            return NONE
        return joined(self.words("page.range_to", low=low, high=high), unit)

    def limit(self, limit: BenchLimit | None) -> str:
        """Return the numbers of a limit."""
        if limit is None:
            return NONE
        if limit.told:
            return self.sentence(limit.told)
        bounds = [f"≤ {quantity(plain(limit.at_most), limit.unit)}"] if limit.at_most is not None else []
        bounds += [f"≥ {quantity(plain(limit.at_least), limit.unit)}"] if limit.at_least is not None else []
        for name, most in (limit.classes or {}).items():
            bounds.append(f"{self.sentence(f'class {name}')} ≤ {quantity(plain(most), limit.unit)}")
        return ", ".join(bounds)

    def sure(self, limit: BenchLimit | None) -> Line:
        """Return how sure a limit is."""
        if limit is None:
            return line(NONE)
        if limit.is_verified:
            return line(self.words("bench_sentence.verified"))
        return (("bold", self.words("bench_sentence.unverified", told=self.confidence(limit.confidence))),)

    def confidence(self, text: str) -> str:
        """Return how sure a number or a definition is."""
        return self.words.name("bench_sure", text) if self.language == "en" else self.sentence(text)

    def value(self, number: float) -> str:
        """Return a number in the unit of the run."""
        return quantity(plain(number, 4), self.run.procedure.unit)

    def facts(self) -> list[str]:
        """Return what is told without readings and figures are made of, one line each."""
        told: list[str] = []
        for key, value in self.run.facts.items():
            if key not in ABOUT:
                inner = value.items() if isinstance(value, Mapping) else [("", value)]
                told += [f"{key}{f'.{name}' if name else ''} = {_value(each)}" for name, each in inner]
        return told

    @property
    def unit(self) -> str:
        """Unit of the run as people read it."""
        return unit_text(self.run.procedure.unit)

    @property
    def span(self) -> str:
        """The range, with its unit."""
        low, high = plain(self.run.procedure.low), plain(self.run.procedure.high)
        return quantity(self.words("page.range_to", low=low, high=high), self.run.procedure.unit)

    def share(self, percent: float) -> str:
        """Return a number of percent."""
        return f"{plain(percent)}%" if math.isfinite(percent) else NONE

    def instruction(self, key: str) -> str:
        """Return what the operator is told to do at a step, units as people read them."""
        text = self.run.instruction(self.run.procedure.steps[key], self.language)
        unit = self.run.procedure.unit
        return text if unit == "1" else text.replace(unit, symbol(unit))


def _value(value: object) -> str:
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)
