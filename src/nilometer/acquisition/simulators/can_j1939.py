"""A virtual engine that speaks J1939: `can_engine` under a name of its own for the command line."""

from __future__ import annotations

from functools import partial

from nilometer.acquisition.simulators.can_engine import make
from nilometer.acquisition.simulators.simulator import SimulatorInfo

__all__ = ["SIMULATOR"]

SIMULATOR = SimulatorInfo(name="can_j1939", title="Engine on CAN (J1939)", make=partial(make, speaks="j1939"))
