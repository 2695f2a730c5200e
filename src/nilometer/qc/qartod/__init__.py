"""The QARTOD tests, one module each: its clause, its parameters, and the function that the kernel calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nilometer.qc.qartod.definition import Definition, Kind, Parameter
from nilometer.qc.qartod.flat_line import FLAT_LINE
from nilometer.qc.qartod.gap import GAP
from nilometer.qc.qartod.gross_range import GROSS_RANGE
from nilometer.qc.qartod.mark import MARK
from nilometer.qc.qartod.rate_of_change import RATE_OF_CHANGE
from nilometer.qc.qartod.spike import SPIKE

__all__ = ["DEFINITIONS", "Definition", "Kind", "Parameter"]

DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {item.name: item for item in (GAP, GROSS_RANGE, SPIKE, RATE_OF_CHANGE, FLAT_LINE, MARK)}
)
"""Every test that a profile can ask for, by name."""
