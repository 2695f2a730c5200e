"""What a test is to a profile: its name, its number in the manuals, its parameters and how they scale with the unit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, Final

__all__ = ["ABSENT", "Definition", "Kind", "Numbers", "Parameter", "Role", "seconds", "suspect_before_fail"]

ABSENT: Final = math.inf
"""A threshold that nothing exceeds."""

Numbers = tuple[float, float, float, float]
"""What the kernel reads of one test."""


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
    MARK = 32  # not QARTOD's: what the instrument said of its own value


class Role(Enum):
    """What a parameter's number is, and so what a change of unit does to it."""

    SPAN = "two numbers, the lower first"
    DIFFERENCE = "a number above 0"
    DURATION = 'a time such as "90 s", "15 min", "2 h", "1 day", or a number of seconds'
    CHOICE = "one of the names"


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "d": 86400.0}
_TIME = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|h|day|d)\s*")


def seconds(value: object) -> float:
    """Return a time in seconds.

    Parameters
    ----------
    value : str or number
        "90 s", "15 min", "2 h", "1 day", or seconds.

    Returns
    -------
    float
        Seconds, above 0.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> seconds("15 min")
    900.0
    """
    if isinstance(value, str):
        found = _TIME.fullmatch(value)
        number = float(found[1]) * _SECONDS[found[2]] if found else math.nan
    else:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number < math.inf:
        raise ValueError(Role.DURATION.value)
    return number


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a test.

    Parameters
    ----------
    role : Role
        What its value is.
    meaning : str
        One line for the documentation.
    choices : tuple of str
        The names allowed, for `Role.CHOICE`.
    default : object
        The value when a profile says nothing; None: absent.
    """

    role: Role
    meaning: str
    choices: tuple[str, ...] = ()
    default: Any = None

    def read(self, value: object) -> Any:  # noqa: ANN401 -- a number, a pair or a name, by role
        """Return the value as kept.

        Raises
        ------
        ValueError
            If it is not what the role asks for; the message is what would be allowed.
        """
        if self.role is Role.CHOICE:
            if value not in self.choices:
                raise ValueError(", ".join(self.choices))
            return value
        if self.role is Role.DURATION:
            return seconds(value)
        if self.role is Role.SPAN:
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise ValueError(self.role.value)
            low, high = (_number(item) for item in value)
            if low > high:
                raise ValueError(self.role.value)
            return (low, high)
        number = _number(value)
        if number <= 0:
            raise ValueError(self.role.value)
        return number

    def scaled(self, value: Any, scale: float, offset: float) -> Any:  # noqa: ANN401 -- as `read`
        """Return the value in another unit, where ``new = scale · old + offset``."""
        if self.role is Role.SPAN:
            low, high = sorted(item * scale + offset for item in value)
            return (low, high)
        return value * abs(scale) if self.role is Role.DIFFERENCE else value


def _no_fault(_: Mapping[str, Any]) -> str:
    return ""


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
        From read parameters to what the kernel takes.
    fault : callable
        What is wrong between parameters, or an empty string.
    """

    name: str
    kind: Kind
    clause: str
    sequence: bool
    timed: bool
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    numbers: Callable[[Mapping[str, Any]], Numbers]
    fault: Callable[[Mapping[str, Any]], str] = _no_fault


def suspect_before_fail(parameters: Mapping[str, Any]) -> str:
    """Return what is wrong when the suspect threshold lies beyond the fail threshold, or when neither is given."""
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None:
        return "give suspect, fail or both"
    if suspect is not None and fail is not None and suspect > fail:
        return f"suspect ({suspect:g}) must not lie beyond fail ({fail:g})"
    return ""
