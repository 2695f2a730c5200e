"""What a test is to a profile: its name, its number in the manuals, its parameters and how they scale with the unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from nilometer.qc.qartod.parameter import Parameter, Role, microseconds, moment, seconds

__all__ = [
    "ABSENT",
    "Definition",
    "Kind",
    "Parameter",
    "Role",
    "Rows",
    "Wants",
    "microseconds",
    "moment",
    "seconds",
    "suspect_before_fail",
]

ABSENT: Final = math.inf
"""A threshold that nothing exceeds."""

Rows = tuple[tuple[float, ...], ...]
"""What the kernel reads of one test beside its numbers: rows of a table."""


class Kind(IntEnum):
    """How the kernel judges; the first thirteen numbers are the manuals' (water level, T/S and their siblings)."""

    UNJUDGED = 0  # a test that its series cannot feed, such as a rate without times
    GAP = 1
    SYNTAX = 2
    LOCATION = 3
    GROSS_RANGE = 4
    CLIMATOLOGY = 5
    SPIKE = 6
    RATE_OF_CHANGE = 7
    FLAT_LINE = 8
    MULTI_VARIATE = 9
    ATTENUATED_SIGNAL = 10
    NEIGHBOR = 11
    TS_CURVE = 12
    DENSITY_INVERSION = 13
    DATA_RECEPTION = 14
    IMPOSSIBLE_DATE = 15
    PERCENTILE_RANGE = 16
    RATE_OF_DEVIATION = 17  # test 7 by N_DEV and TIM_DEV
    WAITING = 18  # a test of several Datastreams: settled once its inputs are there
    MARK = 32  # not QARTOD's: what the instrument said of its own value
    CALIBRATION_VALID = 33  # nor this: whether its calibration held


def _no_fault(_: Mapping[str, Any]) -> str:
    return ""


def _no_rows(_: Mapping[str, Any]) -> Rows:
    return ()


class Wants(IntEnum):
    """What of a row, or of the rows before, a test reads."""

    VALUE = 0
    BEFORE = 1  # the value before the last
    TIME = 2  # its own time, and the last value's
    QUEUE = 4  # a run of values (flat line)
    WINDOW = 8  # sums or extremes over a time
    PLACE = 16  # latitude and longitude
    DEPTH = 32
    SYNTAX = 64
    RECEIVED = 128
    MARK = 256
    STEP = 512  # the time since the row before
    DATE = 1024  # its own time, along a cast too


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One test.

    Parameters
    ----------
    name : str
        As profiles and results call it.
    kind : Kind
        How the kernel judges.
    clause : str
        Manual, test number and what it says.
    sequence : bool
        It needs the rows before: late rows, revisions and check samples do not get it.
    timed : bool
        It needs times.
    parameters : mapping
        By name.
    numbers : callable
        From read parameters to at most eight numbers that the kernel takes.
    rows : callable
        From read parameters to rows of at most ten numbers, for tests with tables.
    wants : int
        Sum of `Wants`.
    kind_of : callable, optional
        From read parameters to the kind, where one test is judged in several ways.
    fault : callable
        What is wrong between parameters, or an empty string.
    """

    name: str
    kind: Kind
    clause: str
    sequence: bool
    timed: bool
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    numbers: Callable[[Mapping[str, Any]], tuple[float, ...]]
    rows: Callable[[Mapping[str, Any]], Rows] = _no_rows
    wants: int = Wants.VALUE
    kind_of: Callable[[Mapping[str, Any]], Kind] | None = None
    fault: Callable[[Mapping[str, Any]], str] = _no_fault


def suspect_before_fail(parameters: Mapping[str, Any]) -> str:
    """Return what is wrong when the suspect threshold lies beyond the fail threshold, or when neither is given."""
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None:
        return "give suspect, fail or both"
    if suspect is not None and fail is not None and suspect > fail:
        return f"suspect ({suspect:g}) must not lie beyond fail ({fail:g})"
    return ""
