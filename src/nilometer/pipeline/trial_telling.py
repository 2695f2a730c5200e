"""Decisions as a page tells them: why, in both languages as the report has it, and what the margin allows."""

from __future__ import annotations

from typing import Any

from nilometer.trials.inference.deciding import HIGHER_IS_BETTER, IDEAL
from nilometer.trials.inference.endpoint import Decision, Kind
from nilometer.trials.report.reasons import reason_of
from nilometer.trials.report.telling import Teller
from nilometer.trials.result import TrialResult

__all__ = ["allowed", "told"]


def told(result: TrialResult) -> dict[str, Any]:
    """Return a result as plain JSON, each of its main decisions with ``told`` (en, zh) and what is ``allowed``."""
    document = result.to_dict()
    tellers = [Teller(result, "en"), Teller(result, "zh")]
    for one, comparison in zip(document["comparisons"], result.comparisons, strict=True):
        for part, decision in zip(one["decisions"], comparison.decisions, strict=True):
            part["told"] = {
                teller.language: "".join(text for _style, text in reason_of(teller, decision)) for teller in tellers
            }
            part["allowed"] = list(allowed(decision))
    return document


def allowed(decision: Decision) -> tuple[float | None, float | None]:
    """Return between which values a statistic does no harm, in the unit of its figure; None: that side is open."""
    endpoint, margin = decision.endpoint, decision.margin
    if not margin > 0.0:
        return None, None
    if endpoint.statistic in HIGHER_IS_BETTER:
        return 1.0 - margin, None
    ideal = IDEAL.get(endpoint.statistic)
    if ideal is None and endpoint.kind is Kind.EQUIVALENCE and endpoint.statistic == "excess_error":
        ideal = 0.0
    return (None, margin) if ideal is None else (ideal - margin, ideal + margin)
