"""A candidate sensor beside a reference: the statistics of agreement, and what a norm accepts.

Pairs come in as plain columns, already matched in time; nothing here reads a store. Absence of a significant
difference is never called agreement.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "Arm",
    "Pairs",
    "Rules",
    "align",
    "allan_curve",
    "allan_deviation",
    "class_agreement",
    "classical_figures",
    "combine",
    "compare",
    "compare_with_laboratory",
    "concordance",
    "decide",
    "deming",
    "judge_control_sample",
    "limits_of_agreement",
    "load_plan",
    "match_samples",
    "passing_bablok",
    "read_noise",
    "run_trial",
    "size_of_trial",
    "unit_table",
]

_WHERE = {
    "Arm": "pairing.arm",
    "Pairs": "pairing.pairs",
    "Rules": "pairing.alignment",
    "align": "pairing.alignment",
    "allan_curve": "allan.deviation",
    "allan_deviation": "allan.deviation",
    "class_agreement": "statistics.water_class",
    "classical_figures": "statistics.figures",
    "combine": "statistics.references",
    "compare": "quick",
    "compare_with_laboratory": "statistics.field_comparison",
    "concordance": "statistics.agreement",
    "decide": "inference.deciding",
    "deming": "statistics.regression",
    "judge_control_sample": "statistics.field_comparison",
    "limits_of_agreement": "statistics.agreement",
    "load_plan": "planning.plan",
    "match_samples": "statistics.samples",
    "passing_bablok": "statistics.regression",
    "read_noise": "allan.noise",
    "run_trial": "trial",
    "size_of_trial": "inference.power",
    "unit_table": "statistics.lots",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function or class, by name
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
