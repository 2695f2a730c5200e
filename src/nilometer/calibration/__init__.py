"""Calibration: from the raw result of an instrument to a quantity with its uncertainty.

A certificate says what holds from which date; a table of them is applied by one compiled kernel. The raw result is
never changed, and no flag is given here: a value outside a certificate's range keeps its number and loses its
uncertainty.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Calibration", "CalibrationTable", "Companions", "Correction", "correct", "evaluate", "fit", "warm"]

_WHERE = {
    "Calibration": "nilometer.calibration.certificate",
    "CalibrationTable": "nilometer.calibration.table",
    "Companions": "nilometer.calibration.table",
    "Correction": "nilometer.calibration.drift",
    "correct": "nilometer.calibration.drift",
    "fit": "nilometer.calibration.fitting",
    "evaluate": "nilometer.calibration.evaluation",
    "warm": "nilometer.calibration.table",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function or a class, by name
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'nilometer.calibration' has no attribute {name!r}")
