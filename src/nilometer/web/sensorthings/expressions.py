"""What a filter says, as a tree; what its names mean is found by `query.binding`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["COMPARISONS", "Binary", "Call", "Expression", "Lambda", "Literal", "Logical", "Path", "Unary", "parts_of"]

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})


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
    """A property, through relations and into JSON: ``Thing/properties/depth``.

    The place of an element of an array is a name as well, in its brackets: ``result[0]`` is result and [0].
    """

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Lambda:
    """``Datastreams/any(d: d/name eq 'a')``; quantifier is any or all, a body of None asks whether there is one."""

    quantifier: str
    path: Path
    name: str
    body: Expression | None
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


Expression = Literal | Path | Call | Lambda | Unary | Binary | Logical


def parts_of(node: Expression) -> tuple[Expression, ...]:
    """Return what an expression is made of."""
    match node:
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Logical(_, operands) | Call(_, operands):
            return operands
        case Lambda(body=body):
            return () if body is None else (body,)
    return ()
