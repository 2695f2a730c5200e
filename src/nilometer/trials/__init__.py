"""A candidate sensor beside a reference: the statistics of agreement, and what a norm accepts.

Pairs come in as plain columns, already matched in time; nothing here reads a store. Absence of a significant
difference is never called agreement.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "allan_deviation",
    "compare_with_laboratory",
    "concordance",
    "decide",
    "deming",
    "grade",
    "judge_control_sample",
    "limits_of_agreement",
    "passing_bablok",
    "size_of_trial",
]

_WHERE = {
    "allan_deviation": "allan",
    "compare_with_laboratory": "field_comparison",
    "concordance": "agreement",
    "decide": "deciding",
    "deming": "regression",
    "grade": "grading",
    "judge_control_sample": "field_comparison",
    "limits_of_agreement": "agreement",
    "passing_bablok": "regression",
    "size_of_trial": "power",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function, by name
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
