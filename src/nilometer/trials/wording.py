"""What a trial's answers are called, in both languages."""

from __future__ import annotations

import math

from nilometer.trials.inference.endpoint import Outcome
from nilometer.trials.result import Grade
from nilometer.units import symbol

__all__ = ["OUTCOMES", "outcome_words", "range_words"]

OUTCOMES: dict[Outcome, dict[str, str]] = {
    Outcome.NON_INFERIOR: {"en": "not inferior", "zh": "非劣效"},
    Outcome.EQUIVALENT: {"en": "equivalent", "zh": "等效"},
    Outcome.INFERIOR: {"en": "inferior", "zh": "劣效"},
    Outcome.INCONCLUSIVE: {"en": "inconclusive", "zh": "无法判定"},
    Outcome.NOT_TESTED: {"en": "not tested", "zh": "未检验"},
}
_CONDITIONS = {"range": {"en": "", "zh": ""}}


def outcome_words(outcome: Outcome, language: str = "en") -> str:
    """Return what an outcome is called.

    Examples
    --------
    >>> outcome_words(Outcome.NON_INFERIOR), outcome_words(Outcome.NON_INFERIOR, "zh")
    ('not inferior', '非劣效')
    """
    return OUTCOMES[outcome][language]


def range_words(grade: Grade, language: str = "en") -> str:
    """Return the range in which a grade holds; empty where it has none.

    Examples
    --------
    >>> range_words(Grade(outcome=Outcome.NON_INFERIOR, ranges={"range": (0.0, 8.0)}, units={"range": "mg L-1"}))
    'at 0–8 mg/L'
    """
    parts = []
    for name, (low, high) in grade.ranges.items():
        unit = grade.units.get(name, "1")
        told = "" if unit == "1" else f" {symbol(unit)}"
        called = _CONDITIONS.get(name, {}).get(language, f"{name} ")
        if math.isfinite(low) and math.isfinite(high):
            parts.append(f"{called}{low:.4g}–{high:.4g}{told}")
        else:
            parts.append(f"{called}< {high:.4g}{told}" if math.isfinite(high) else f"{called}≥ {low:.4g}{told}")
    if not parts:
        return ""
    return f"at {', '.join(parts)}" if language == "en" else f"适用范围：{'，'.join(parts)}"
