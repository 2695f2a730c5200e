"""What a filter or an order means over Observations: masks and keys over columns, and what may narrow the reading.

Null compares false with everything but ``eq null`` and ``ne null``; unlike types compare false. An interval compares by
its start. Conditions on the Datastream or the FeatureOfInterest are asked of the catalog, and become sets of ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotSupported, RequestError
from nilometer.store import Values
from nilometer.web.sensorthings.conditions import COMPARE, MIRROR
from nilometer.web.sensorthings.expressions import (
    ARITHMETIC,
    COMPARISONS,
    Binary,
    Call,
    Expression,
    Literal,
    Logical,
    Path,
    Unary,
)
from nilometer.web.sensorthings.options import Order
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.sensorthings.value_span import ValueSpan

__all__ = ["Ids", "Span", "columns_of", "mask", "names_feature", "order", "span_of"]

Ids = Callable[[str, Expression], NDArray[np.int64]]
"""Gives the ids of a type's entities that meet a condition."""

_COLUMN = {
    ("id",): "id",
    ("@iot.id",): "id",
    ("result",): "result",
    ("phenomenonTime",): "phenomenon_time",
    ("resultTime",): "result_time",
    ("resultQuality", "flag"): "result_quality",
    ("resultQuality", "mark"): "mark",
    ("Datastream", "id"): "datastream",
    ("Datastream", "@iot.id"): "datastream",
    ("FeatureOfInterest", "id"): "feature",
    ("FeatureOfInterest", "@iot.id"): "feature",
}
_KIND = {"phenomenon_time": "time", "result_time": "time", "mark": "text"}


@dataclass(slots=True)
class Span:
    """What a reading may be narrowed to; `exact` says that nothing of the filter is left to do.

    `start` is inclusive, `end` exclusive, µs; `datastreams`, `ids` and `values` None: any. The conditions behind
    `values` stand in `rest` too, for readings that do not ask the store for values.
    """

    start: int | None = None
    end: int | None = None
    datastreams: frozenset[int] | None = None
    ids: frozenset[int] | None = None
    exact: bool = True
    values: Values | None = None
    rest: list[Expression] = field(default_factory=list)

    def _narrow(self, which: str, wanted: frozenset[int]) -> None:
        known = getattr(self, which)
        setattr(self, which, wanted if known is None else known & wanted)

    def take(self, leaf: Expression, ids: Ids) -> bool:
        """Narrow by one condition and say whether that is all it means."""
        if isinstance(leaf, Logical) and leaf.operator == "or":
            wanted = [_equal(operand, "id") for operand in leaf.operands]
            if all(number is not None for number in wanted):
                self._narrow("ids", frozenset(number for number in wanted if number is not None))
                return True
            return False
        number = _equal(leaf, "id")
        if number is not None:
            self._narrow("ids", frozenset({number}))
            return True
        if _root(leaf) == "Datastream":
            self._narrow("datastreams", frozenset(ids("Datastream", _inside(leaf)).tolist()))
            return True
        return self._take_time(leaf)

    def _take_time(self, leaf: Expression) -> bool:
        sides = _sides(leaf)
        if sides is None or sides[0].names != ("phenomenonTime",) or sides[2].kind != "time":
            return False
        _, comparison, literal = sides
        moment: int = literal.value
        starts = {"ge": moment, "gt": moment + 1, "eq": moment}
        ends = {"lt": moment, "le": moment + 1, "eq": moment + 1}
        if comparison in starts:
            self.start = starts[comparison] if self.start is None else max(self.start, starts[comparison])
        if comparison in ends:
            self.end = ends[comparison] if self.end is None else min(self.end, ends[comparison])
        return comparison != "ne"


def span_of(expression: Expression | None, ids: Ids) -> Span:
    """Return what a filter narrows the reading to, with the conditions that are left over."""
    span = Span()
    if expression is None:
        return span
    leaves = expression.operands if isinstance(expression, Logical) and expression.operator == "and" else (expression,)
    values = ValueSpan()
    for leaf in leaves:
        if not span.take(leaf, ids):
            span.exact &= values.take(leaf)
            span.rest.append(leaf)
    span.values = values.values
    return span


def _sides(leaf: Expression) -> tuple[Path, str, Literal] | None:
    """Return property, comparison and constant of a plain comparison, the property first."""
    if not isinstance(leaf, Binary) or leaf.operator not in COMPARISONS:
        return None
    if isinstance(leaf.left, Path) and isinstance(leaf.right, Literal):
        return leaf.left, leaf.operator, leaf.right
    if isinstance(leaf.left, Literal) and isinstance(leaf.right, Path):
        return leaf.right, MIRROR[leaf.operator], leaf.left
    return None


def _equal(leaf: Expression, name: str) -> int | None:
    sides = _sides(leaf)
    if sides is None or sides[0].names not in {(name,), (f"@iot.{name}",)} or sides[1] != "eq":
        return None
    return sides[2].value if isinstance(sides[2].value, int) and sides[2].kind == "number" else None


def _paths(expression: Expression) -> list[Path]:
    match expression:
        case Path():
            return [expression]
        case Unary(_, operand):
            return _paths(operand)
        case Binary(_, left, right):
            return _paths(left) + _paths(right)
        case Logical(_, operands):
            return [path for operand in operands for path in _paths(operand)]
        case Call(_, arguments):
            return [path for argument in arguments for path in _paths(argument)]
    return []


def _root(leaf: Expression) -> str:
    """Return the relation that every path of a condition goes through, or nothing; connectives have none."""
    if isinstance(leaf, Logical | Unary):
        return ""
    roots = {path.names[0] for path in _paths(leaf)}
    only = roots.pop() if len(roots) == 1 else ""
    return only if only in OBSERVATION.relations else ""


def _inside(leaf: Expression) -> Expression:
    """Return a condition as the related entity sees it."""
    match leaf:
        case Path(names, at):
            if len(names) == 1:
                raise RequestError(f"{names[0]} is a relation; name a property of it", place=f"$filter at {at}")
            return Path(names[1:], at)
        case Binary(name, left, right, at):
            return Binary(name, _inside(left), _inside(right), at)
        case Call(name, arguments, at):
            return Call(name, tuple(_inside(argument) for argument in arguments), at)
    return leaf


def names_feature(expression: Expression | None) -> bool:
    """Say whether a filter speaks of the FeatureOfInterest: then samples are shown beside the water."""
    return expression is not None and any(path.names[0] == "FeatureOfInterest" for path in _paths(expression))


def columns_of(expressions: list[Expression]) -> set[str]:
    """Return the columns that some expressions read."""
    found = set()
    for expression in expressions:
        for path in _paths(expression):
            root = OBSERVATION.relations.get(path.names[0])
            found.add(root.through.own if root is not None else _column(path, "$filter"))
    return found


def _column(path: Path, place: str) -> str:
    column = _COLUMN.get(path.names)
    if column is None:
        first = path.names[0]
        if first not in OBSERVATION.properties and first not in OBSERVATION.relations:
            raise OBSERVATION.unknown(first, f"{place} at {path.at}")
        raise NotSupported(f"{'/'.join(path.names)[:60]} is not served here", place=f"{place} at {path.at}")
    return column


@dataclass(frozen=True, slots=True)
class _Column:
    """Values and whether each is there."""

    kind: str
    values: NDArray[Any]
    valid: NDArray[np.bool_]


def _read(rows: pa.Table, column: str) -> _Column:
    array = rows[column].combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    kind = _KIND.get(column, "number")
    if kind == "time":
        array = array.cast(pa.int64())
    values = array.fill_null("" if kind == "text" else 0).to_numpy(zero_copy_only=False)
    return _Column(kind, values, valid)


def mask(expression: Expression, rows: pa.Table, ids: Ids) -> NDArray[np.bool_]:
    """Return which rows meet a condition.

    Parameters
    ----------
    expression : Expression
        The condition.
    rows : pyarrow.Table
        With the columns that `columns_of` names.
    ids : callable
        Asked about conditions on Datastreams and FeaturesOfInterest.

    Raises
    ------
    RequestError, NotSupported
        As in `nilometer.web.sensorthings.conditions.condition`.
    """
    match expression:
        case Logical(connective, operands):
            masks = [mask(operand, rows, ids) for operand in operands]
            combine = np.logical_and if connective == "and" else np.logical_or
            met: NDArray[np.bool_] = combine.reduce(masks)
            return met
        case Unary("not", operand):
            return ~mask(operand, rows, ids)
        case Literal("boolean", value):
            return np.full(len(rows), bool(value))
        case Binary(name) if name in COMPARISONS:
            return _compare(expression, rows, ids)
        case Path() | Call() if _root(expression):
            return _related(expression, rows, ids)
        case Call(name):
            raise NotSupported(f"the function {name[:40]!r} is not served on Observations", place=_at(expression))
    raise RequestError("this is no condition; compare it with something", place=_at(expression))


def _at(node: Expression) -> str:
    return f"$filter at {node.at}"


def _related(leaf: Expression, rows: pa.Table, ids: Ids) -> NDArray[np.bool_]:
    relation = OBSERVATION.relations[_root(leaf)]
    wanted = ids(relation.target, _inside(leaf))
    return np.isin(rows[relation.through.own].to_numpy(), wanted)


def _compare(leaf: Binary, rows: pa.Table, ids: Ids) -> NDArray[np.bool_]:
    if _root(leaf):
        return _related(leaf, rows, ids)
    left, right = _operand(leaf.left, rows), _operand(leaf.right, rows)
    comparison = leaf.operator
    if not isinstance(left, _Column) and isinstance(right, _Column):
        left, right, comparison = right, left, MIRROR[comparison]
    if not isinstance(left, _Column):
        raise NotSupported("two constants are not compared; name a property", place=_at(leaf))
    if isinstance(right, _Column):
        if left.kind != right.kind:
            return np.zeros(len(rows), bool)
        return np.asarray(COMPARE[comparison](left.values, right.values) & left.valid & right.valid)
    return _with_constant(left, comparison, right)


def _with_constant(column: _Column, comparison: str, constant: Literal) -> NDArray[np.bool_]:
    if constant.kind == "null":
        return {"eq": ~column.valid, "ne": column.valid}.get(comparison, np.zeros(len(column.valid), bool))
    if constant.kind == "interval" and column.kind == "time":
        raise NotSupported("an interval is not compared; give its two ends", place=_at(constant))
    if constant.kind != column.kind:
        return np.zeros(len(column.valid), bool)
    value = constant.value
    if isinstance(value, int) and column.kind == "number" and column.values.dtype.kind == "f":
        value = float(value)
    return np.asarray(COMPARE[comparison](column.values, value), bool) & column.valid


def _operand(node: Expression, rows: pa.Table) -> _Column | Literal:
    match node:
        case Literal():
            return node
        case Path():
            return _read(rows, _column(node, "$filter"))
        case Unary("-", operand):
            inner = _numbers(operand, rows)
            return _Column("number", -inner.values, inner.valid)
        case Binary(name, left, right) if name in ARITHMETIC:
            return _arithmetic(name, _numbers(left, rows), _numbers(right, rows))
        case Call(name):
            raise NotSupported(f"the function {name[:40]!r} is not served on Observations", place=_at(node))
    raise RequestError("this is no value", place=_at(node))


def _numbers(node: Expression, rows: pa.Table) -> _Column:
    operand = _operand(node, rows)
    if isinstance(operand, Literal):
        if operand.kind != "number":
            raise RequestError("arithmetic needs numbers", place=_at(node))
        return _Column("number", np.full(len(rows), float(operand.value)), np.ones(len(rows), bool))
    if operand.kind != "number":
        raise RequestError("arithmetic needs numbers", place=_at(node))
    return _Column("number", operand.values.astype(np.float64), operand.valid)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "mod": np.fmod,
}


def _arithmetic(name: str, left: _Column, right: _Column) -> _Column:
    with np.errstate(all="ignore"):
        values = _ARITHMETIC[name](left.values, right.values)
    return _Column("number", values, left.valid & right.valid & np.isfinite(values))


def order(orders: tuple[Order, ...], rows: pa.Table, keys: dict[int, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the row numbers in order; the id is the last key, so that pages neither repeat nor lose rows.

    It goes down where the key before it does: the newest first is the store's own order backwards.

    Parameters
    ----------
    orders : tuple of Order
        What ``$orderby`` says; nothing: by Datastream, then time.
    rows : pyarrow.Table
        Columns ``id`` and those sorted by.
    keys : dict of int to ndarray
        Keys made elsewhere (through relations), by their place in `orders`.
    """
    chosen: list[NDArray[Any]] = []
    for place, item in enumerate(orders):
        chosen.extend(_keys(keys[place], item) if place in keys else _keys_of_column(rows, item))
    if not orders:
        chosen = [_read(rows, "datastream").values, _read(rows, "phenomenon_time").values]
    number = _read(rows, "id").values
    chosen.append(-number if orders and orders[-1].descending else number)
    return np.lexsort(chosen[::-1])


def _keys_of_column(rows: pa.Table, item: Order) -> list[NDArray[Any]]:
    if not isinstance(item.by, Path):
        raise NotSupported("only properties can be sorted by", place=f"$orderby at {item.by.at}")
    column = _read(rows, _column(item.by, "$orderby"))
    return [~column.valid, *_keys(column.values, item)]  # nulls last either way


def _keys(values: NDArray[Any], item: Order) -> list[NDArray[Any]]:
    if values.dtype.kind == "O":
        values = np.unique(values.astype(str), return_inverse=True)[1]
    if not item.descending:
        return [values]
    return [~values if values.dtype.kind in "iu" else -values]
