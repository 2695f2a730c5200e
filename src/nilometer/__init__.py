"""Nilometer: water, from the probe on the wire to a verdict that can be trusted.

The names below load their stage on first use, so that ``import nilometer`` stays cheap.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "calibration", "connect", "derivation", "qc", "read", "trials", "uncertainty", "verdict"]

_STAGES = ("calibration", "derivation", "qc", "trials", "uncertainty", "verdict")

_FUNCTIONS = {"connect": "nilometer.client", "read": "nilometer.acquisition.formats.reading"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a stage or a function, by name
    if name in _STAGES:
        stage: ModuleType = importlib.import_module(f"nilometer.{name}")
        return stage
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'nilometer' has no attribute {name!r}")
