"""Uncertainty after the GUM: what an input brings, how it passes through a function, and what it comes to.

Every uncertainty here is a *standard* uncertainty (k = 1) unless its name says expanded. Nothing here knows an
instrument or an equation: `propagation` takes any function that says its inputs, `jcgm101` checks it by JCGM 101.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Budget", "Estimate", "MonteCarlo", "Normal", "Rectangular", "Resolution", "Triangular", "monte_carlo"]

_WHERE = {
    "Budget": "nilometer.uncertainty.budget",
    "Estimate": "nilometer.uncertainty.estimate",
    "MonteCarlo": "nilometer.uncertainty.jcgm101",
    "monte_carlo": "nilometer.uncertainty.jcgm101",
    "Normal": "nilometer.uncertainty.sources",
    "Rectangular": "nilometer.uncertainty.sources",
    "Resolution": "nilometer.uncertainty.sources",
    "Triangular": "nilometer.uncertainty.sources",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function or a class, by name
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'nilometer.uncertainty' has no attribute {name!r}")
