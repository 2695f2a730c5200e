"""The QARTOD tests: for each its clause, its parameters, and the pass over a block that the kernel calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nilometer.qc.qartod.attenuated_signal import ATTENUATED_SIGNAL
from nilometer.qc.qartod.calibration_valid import CALIBRATION_VALID
from nilometer.qc.qartod.climatology import CLIMATOLOGY
from nilometer.qc.qartod.dates import DATA_RECEPTION, IMPOSSIBLE_DATE
from nilometer.qc.qartod.definition import Definition, Kind, Parameter
from nilometer.qc.qartod.density_inversion import DENSITY_INVERSION
from nilometer.qc.qartod.flat_line import FLAT_LINE
from nilometer.qc.qartod.gap import GAP
from nilometer.qc.qartod.gross_range import GROSS_RANGE
from nilometer.qc.qartod.location import LOCATION
from nilometer.qc.qartod.mark import MARK
from nilometer.qc.qartod.percentile_range import PERCENTILE_RANGE
from nilometer.qc.qartod.rate_of_change import RATE_OF_CHANGE
from nilometer.qc.qartod.spike import SPIKE
from nilometer.qc.qartod.syntax import INPUTS, SYNTAX
from nilometer.qc.qartod.waiting import MULTI_VARIATE, NEIGHBOR, TS_CURVE

__all__ = ["DEFINITIONS", "Definition", "Kind", "Parameter"]

_ALL = (
    GAP,
    SYNTAX,
    LOCATION,
    GROSS_RANGE,
    CLIMATOLOGY,
    SPIKE,
    RATE_OF_CHANGE,
    FLAT_LINE,
    MULTI_VARIATE,
    ATTENUATED_SIGNAL,
    NEIGHBOR,
    TS_CURVE,
    DENSITY_INVERSION,
    DATA_RECEPTION,
    IMPOSSIBLE_DATE,
    PERCENTILE_RANGE,
    MARK,
    CALIBRATION_VALID,
    INPUTS,
)
DEFINITIONS: Mapping[str, Definition] = MappingProxyType({item.name: item for item in _ALL})
"""Every test that a profile can ask for, by name, in the order of the manuals' numbers."""
