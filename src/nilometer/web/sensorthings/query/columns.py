"""Bound conditions over columns: arrays of values, with which of them are there; no row is an object.

Numbers are float64, times and durations int64 µs, texts and JSON objects. What SQL answers of the catalog, this
answers of Observations and of what SQL cannot do; both give the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nilometer.web.sensorthings.query.bound import (
    AllOf,
    AnyOf,
    Apply,
    As,
    Compare,
    Condition,
    Constant,
    Exists,
    Field,
    FirstKnown,
    IsNull,
    Leaf,
    Not,
    Predicate,
    Truth,
    Value,
)
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.temporal import RELATIONS

__all__ = ["Column", "Frame", "Nothing", "evaluate", "holds", "judge", "missing"]

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
EXACT = float(2**53)
"""Below this every whole number is a float64 of its own."""
Mask = NDArray[np.bool_]
_TYPES: dict[Kind, Any] = {
    Kind.NUMBER: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.TEXT: object,
    Kind.JSON: object,
    Kind.GEOMETRY: object,
}


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one kind, shape (n,), and whether each is there; of intervals `values` are the starts."""

    kind: Kind
    values: NDArray[Any]
    valid: Mask
    ends: NDArray[np.int64] | None = None

    def one(self) -> Any:  # noqa: ANN401 -- of the kind
        """Return the value of the first row as a constant has it; None where there is none."""
        if not self.valid[0]:
            return None
        value = self.values[0]
        plain = value.item() if isinstance(value, np.generic) else value
        return plain if self.ends is None else (plain, int(self.ends[0]))

    @property
    def span(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts and ends; of instants both are the same."""
        return self.values, self.values if self.ends is None else self.ends


class Frame(Protocol):
    """Rows that are asked about."""

    @property
    def n(self) -> int:
        """How many."""

    def field(self, item: Field) -> Column:
        """Return a field of every row."""

    def seen(self, item: Field, kind: Kind) -> Column | None:
        """Return a JSON field as another kind, where that is at hand without reading any JSON."""

    def exists(self, item: Exists) -> Mask:
        """Return for which rows there is such an entity."""

    def exact(self, value: Value, rows: NDArray[np.intp]) -> list[int | float] | None:
        """Return the numbers of some rows as they were given, where float64 does not hold each; None: it does."""


class Nothing:
    """One row without fields, for what is constant."""

    n = 1

    def field(self, item: Field) -> Column:  # pragma: no cover -- constants have no fields
        """Refuse."""
        raise LookupError(item.name)

    def seen(self, _item: Field, _kind: Kind) -> Column | None:
        """Return nothing."""
        return None

    def exists(self, item: Exists) -> Mask:  # pragma: no cover
        """Refuse."""
        raise LookupError(item.variable.kind.name)

    def exact(self, _value: Value, _rows: NDArray[np.intp]) -> None:
        """Return nothing."""


def missing(kind: Kind, n: int) -> Column:
    """Return a column without any value."""
    values = np.full(n, "" if kind is Kind.TEXT else 0, _TYPES.get(kind, np.int64))
    return Column(kind, values, np.zeros(n, bool), values if kind is Kind.INTERVAL else None)


def holds(condition: Condition, frame: Frame) -> Mask:
    """Return which rows meet a condition; unknown is not met.

    Raises
    ------
    RequestError
        If a frame cannot answer it.
    """
    match condition:
        case AllOf(operands):
            return np.asarray(np.logical_and.reduce([holds(operand, frame) for operand in operands]))
        case AnyOf(operands):
            return np.asarray(np.logical_or.reduce([holds(operand, frame) for operand in operands]))
        case Exists():
            return frame.exists(condition)
        case Not(Exists() as inner):
            return ~frame.exists(inner)
        case Not(operand):
            met, valid = judge(operand, frame)
            return ~met & valid
        case _:
            met, valid = judge(condition, frame)
            return met & valid


def judge(leaf: Leaf | Exists, frame: Frame) -> tuple[Mask, Mask]:
    """Return which rows a leaf is true for, and for which it is known."""
    match leaf:
        case Truth(value):
            return np.full(frame.n, bool(value)), np.full(frame.n, value is not None)
        case IsNull(operand):
            return ~evaluate(operand, frame).valid, np.ones(frame.n, bool)
        case Compare():
            return _judged(leaf, frame)
        case FirstKnown(operands):
            return _first_known([judge(operand, frame) for operand in operands])
        case Predicate(name, arguments):
            return _predicate(name, [evaluate(one, frame) for one in arguments], leaf)
    return frame.exists(leaf), np.ones(frame.n, bool)


def _judged(leaf: Compare, frame: Frame) -> tuple[Mask, Mask]:
    match leaf:
        case Compare(name, left, Constant(Kind.NUMBER, int() | float() as number)) if abs(number) >= EXACT:
            return _compare_large(name, left, number, frame)
    return _compare(leaf.operator, evaluate(leaf.left, frame), evaluate(leaf.right, frame))


def _compare(name: str, left: Column, right: Column) -> tuple[Mask, Mask]:
    valid = left.valid & right.valid
    if left.kind is Kind.INTERVAL:
        return RELATIONS[name](left.span, right.span), valid
    with np.errstate(invalid="ignore"):
        return np.asarray(COMPARE[name](left.values, right.values), bool), valid


def _compare_large(name: str, left: Value, number: float, frame: Frame) -> tuple[Mask, Mask]:
    """Compare with a number that shares its float64 with others: where both have the same, what was given decides."""
    column = evaluate(left, frame)
    right = float(number)
    met, valid = _compare(name, column, _constant(Kind.NUMBER, right, frame.n))
    same = np.flatnonzero(valid & (column.values == right))
    given = frame.exact(left, same) or column.values[same].tolist()
    met[same] = [COMPARE[name](int(one), int(number)) for one in given]
    return met, valid


def _first_known(each: list[tuple[Mask, Mask]]) -> tuple[Mask, Mask]:
    met, known = each[0]
    for more, there in each[1:]:
        met, known = np.where(known, met, more), known | there
    return met, known


def _predicate(name: str, arguments: list[Column], leaf: Predicate) -> tuple[Mask, Mask]:
    from nilometer.web.sensorthings.query.column_functions import PREDICATES  # noqa: PLC0415 -- they need `Column`

    valid = np.logical_and.reduce([one.valid for one in arguments])
    if name in RELATIONS:
        return RELATIONS[name](arguments[0].span, arguments[1].span), valid
    return PREDICATES[name](name, arguments, valid)


def evaluate(value: Value, frame: Frame) -> Column:
    """Return a value for every row.

    Raises
    ------
    RequestError
        If a frame does not have a field.
    """
    from nilometer.web.sensorthings.query import column_functions as functions  # noqa: PLC0415 -- they need `Column`

    match value:
        case Constant(kind, constant):
            return _constant(kind, constant, frame.n)
        case Field():
            return frame.field(value)
        case As(kind, operand):
            found = frame.seen(operand, kind) if isinstance(operand, Field) else None
            if found is not None:
                return found
            return functions.seen_as(evaluate(operand, frame), kind)
        case Apply(name, arguments, kind):
            return functions.apply(name, [evaluate(one, frame) for one in arguments], kind)


def _constant(kind: Kind, value: Any, n: int) -> Column:  # noqa: ANN401 -- of the kind
    if value is None:
        return missing(kind, n)
    valid = np.ones(n, bool)
    if kind is Kind.INTERVAL:
        return Column(kind, np.full(n, value[0], np.int64), valid, np.full(n, value[1], np.int64))
    values = np.empty(n, _TYPES.get(kind, np.int64))
    values[:] = value
    return Column(kind, values, valid)
