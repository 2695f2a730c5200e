"""Quality control: every Observation gets a flag, and the outcome of each test behind it.

It never changes a result, never reads the clock and never deletes: doubt is a flag. The names below load what they need
on first use, so that reading a profile does not compile a kernel.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "CheckResult",
    "Profile",
    "QartodFlag",
    "QcEngine",
    "Suggestion",
    "check",
    "check_frame",
    "load",
    "suggest",
    "warm",
]

_WHERE = {
    "CheckResult": "nilometer.qc.checking",
    "Profile": "nilometer.qc.profile",
    "QartodFlag": "nilometer.qc.flags",
    "QcEngine": "nilometer.qc.engine",
    "Suggestion": "nilometer.qc.suggestion",
    "check": "nilometer.qc.checking",
    "check_frame": "nilometer.qc.frames",
    "load": "nilometer.qc.profile",
    "suggest": "nilometer.qc.suggestion",
    "warm": "nilometer.qc.engine",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function or a class, by name
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'nilometer.qc' has no attribute {name!r}")
