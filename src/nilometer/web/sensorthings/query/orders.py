"""Sort keys: what ``$orderby`` says as columns for SQL and for NumPy, nulls last either way.

Members of JSON sort by kind, numbers first, then texts, then false and true; intervals by their start, as the store
has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement

from nilometer.errors import RequestError
from nilometer.web.sensorthings.expressions import Path
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.bound import As, Field, Source, Value, fields
from nilometer.web.sensorthings.query.columns import Column, Frame, evaluate
from nilometer.web.sensorthings.query.dialects import Dialect
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.sql import Rows, Sql, is_answerable

__all__ = ["Join", "Key", "joins_of", "keys_of", "order_by", "sorted_rows"]

Key = tuple[Value, bool]
"""What to sort by, and whether it descends."""


def keys_of(binder: Binder, orders: Sequence[Any]) -> list[Key]:
    """Return the keys of some orders, each of one plain kind.

    Raises
    ------
    RequestError
        If something cannot be sorted by.
    """
    keys: list[Key] = []
    for item in orders:
        known = binder.newest(item.by, descending=item.descending) if isinstance(item.by, Path) else None
        value = binder.value(item.by) if known is None else known
        if value.kind in {Kind.GEOMETRY, Kind.NULL}:
            raise RequestError(f"a {value.kind} cannot be sorted by", place=f"$orderby at {value.at}")
        for one in fields(value):
            property_ = one.source.kind.properties.get(one.name)
            if property_ is not None and property_.members and not property_.column and not one.members:
                raise RequestError(f"sort by a member of {one.name}", place=f"$orderby at {one.at}")
        kinds = (Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN) if value.kind is Kind.JSON else (value.kind,)
        keys += [(value if kind is value.kind else As(kind, value, value.at), item.descending) for kind in kinds]
    return keys


def order_by(keys: Sequence[Key], sql: Sql, words: Dialect, rows: Rows) -> list[ColumnElement[Any]] | None:
    """Return keys for ORDER BY; None where SQL does not answer one of them."""
    if not all(is_answerable(value) for value, _ in keys):
        return None
    made: list[ColumnElement[Any]] = []
    for value, descending in keys:
        column = sql.value(value, rows)
        if value.kind is Kind.TEXT:
            column = words.bytewise(column)
        ordered = column.desc() if descending else column.asc()
        # An index gives its own order only where nulls need no place of their own.
        made.append(ordered if _is_given(value) else ordered.nulls_last())
    return made


def _is_given(value: Value) -> bool:
    """Say whether a value is a column that is never null."""
    if not isinstance(value, Field) or value.members:
        return False
    kind = value.source.variable.kind
    for step in value.source.steps:
        if kind.table is None or kind.table.c[step.through.own].nullable:
            return False
        kind = Source(value.source.variable, (step,)).kind
    name = "id" if value.name == "id" else kind.properties[value.name].column
    return kind.table is not None and not kind.table.c[name].nullable


_MANY_TIMES = 8
Join = tuple[Any, Any]
"""A related table, and the column that leads to it."""


def joins_of(keys: Sequence[Key], rows: Any, sql: Sql) -> list[Join]:  # noqa: ANN401 -- an alias
    """Return the related entities that keys name, for the statement to join: it may then follow an index of theirs."""
    joins: list[Join] = []
    for item in (item for value, _ in keys for item in fields(value)):
        before = rows
        for n in range(1, len(item.source.steps) + 1):
            source = Source(item.source.variable, item.source.steps[:n])
            table = source.kind.table
            if table is not None and source not in sql.joined:
                sql.joined[source] = table.alias()
                joins.append((sql.joined[source], before.c[source.steps[-1].through.own]))
            before = sql.joined[source]
    return joins


def sorted_rows(
    keys: Sequence[Key], frame: Frame, last: Sequence[NDArray[Any]], first: int | None = None
) -> NDArray[np.intp]:
    """Return the row numbers in order.

    Parameters
    ----------
    keys : sequence of Key
        What they are sorted by.
    frame : Frame
        The rows.
    last : sequence of ndarray
        Keys behind all others, so that no two rows tie.
    first : int, optional
        How many rows are wanted; as many or more are returned, the first ones. None: all.
    """
    is_part = first is not None and first * _MANY_TIMES < frame.n
    columns = [(evaluate(value, frame), descending) for value, descending in keys]
    some = _foremost(columns, last, first) if is_part and first is not None else np.arange(frame.n)
    by: list[NDArray[Any]] = []
    for column, descending in columns:
        by += [~column.valid[some], _key(column.values[some], column.valid[some], descending=descending)]
    by += [key[some] for key in last]
    return np.asarray(some[np.lexsort(by[::-1])])


def _foremost(columns: Sequence[tuple[Column, bool]], last: Sequence[NDArray[Any]], n: int) -> NDArray[np.intp]:
    """Return rows among which are the first n; sorting these alone costs less than sorting all."""
    for column, descending in columns:
        known = np.flatnonzero(column.valid)
        if len(known) >= n:
            return known[_least(_key(column.values[known], column.valid[known], descending=descending), n)]
        if len(known):
            return np.arange(len(column.valid))
    return _least(last[0], n)


def _least(keys: NDArray[Any], n: int) -> NDArray[np.intp]:
    """Return where the n least are, and what is equal to the greatest of them."""
    return np.flatnonzero(~(keys > np.partition(keys, n - 1)[n - 1]))


def _key(values: NDArray[Any], valid: NDArray[np.bool_], *, descending: bool) -> NDArray[Any]:
    if not valid.any():
        return np.zeros(len(values), np.int8)
    if values.dtype.kind == "O":
        plain = np.where(valid, values, "")
        values = np.unique(plain.astype(object), return_inverse=True)[1]
    values = np.where(valid, values, np.zeros((), values.dtype))
    if not descending:
        return values
    return ~values if values.dtype.kind in "iub" else -values
