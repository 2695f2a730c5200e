"""What a filter says, as a tree; what it means over entities is `conditions`, over Observations `selection`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ARITHMETIC", "COMPARISONS", "Binary", "Call", "Expression", "Literal", "Logical", "Path", "Unary"]

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "mod"})


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `kind` is number, text, boolean, null, time, interval, date, clock, duration or geography.

    A time is µs since 1970 UTC, an interval a pair of them; duration and geography keep their text.
    """

    kind: str
    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A property, through relations and into JSON: ``Thing/properties/depth``."""

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """``not x`` or ``-x``."""

    operator: str
    operand: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """A comparison or arithmetic."""

    operator: str
    left: Expression
    right: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Logical:
    """``and`` or ``or`` over two or more operands, kept flat so that long lists do not nest."""

    operator: str
    operands: tuple[Expression, ...]
    at: int


Expression = Literal | Path | Call | Unary | Binary | Logical
