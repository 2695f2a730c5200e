"""Virtual instruments that speak their real protocol, with faults on request."""

from __future__ import annotations

import importlib
import pkgutil

from nilometer.acquisition.simulators.simulator import SimulatorInfo
from nilometer.plugins import Found

__all__ = ["simulators"]


def simulators() -> Found[SimulatorInfo]:
    """Return every simulator: every module here that has a constant ``SIMULATOR``, by its name."""
    found: Found[SimulatorInfo] = Found("nilometer.simulators")
    for module in pkgutil.iter_modules(__path__):
        simulator = getattr(importlib.import_module(f"{__name__}.{module.name}"), "SIMULATOR", None)
        if isinstance(simulator, SimulatorInfo):
            found.items[simulator.name] = simulator
    return found
