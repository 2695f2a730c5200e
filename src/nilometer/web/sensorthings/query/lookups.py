"""What SQL does not answer of the catalog: fields are read once, asked as columns, and given back as ids.

Geometry, parts of times and intervals are answered here; so are times and areas of Datastreams, which the store knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, Text, cast, select

from nilometer.errors import RequestError, TooLarge
from nilometer.web.sensorthings.members import member_of
from nilometer.web.sensorthings.query.bound import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Field,
    IsNull,
    Not,
    Source,
    Truth,
    Value,
    Variable,
    fields,
)
from nilometer.web.sensorthings.query.columns import Column, evaluate, holds, missing
from nilometer.web.sensorthings.query.dialects import Dialect
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.geometry import read_geojson
from nilometer.web.sensorthings.query.sql import Sql, is_answerable
from nilometer.web.sensorthings.schema import STREAMS

__all__ = ["MOST_LOOKED_UP", "Computed", "EntityFrame", "Lookups"]

MOST_LOOKED_UP = 200_000
"""Entities that one condition may look at where SQL does not answer it."""

Run = Callable[[Select[Any]], Sequence[Any]]


class Computed(Protocol):
    """What the store knows of Datastreams."""

    def ids(self) -> NDArray[np.int64]:
        """Return those of which it knows anything, ascending."""

    def column(self, name: str, ids: NDArray[np.int64]) -> Column:
        """Return a property of some."""

    def shapes(self, name: str, ids: NDArray[np.int64]) -> Column | None:
        """Return a property of some as geometries; None: it has none."""


Observed = Callable[[Variable, Condition, str], NDArray[np.int64]]


class EntityFrame:
    """Entities whose fields have been read; JSON is decoded, and the store asked, where somebody asks for it.

    Parameters
    ----------
    ids : ndarray of int64
        The entities, ascending.
    columns : dict of Field to Column
        What has been read.
    texts : mapping of Field to list of str or None
        JSON that has been read.
    stored : mapping of Field to ndarray of int64
        The Datastreams of which the store is asked for a field; checked.
    computed : Computed, optional
        The store.
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        columns: dict[Field, Column],
        texts: Mapping[Field, list[str | None]],
        stored: Mapping[Field, NDArray[np.int64]],
        computed: Computed | None,
    ) -> None:
        self.ids, self._columns, self._texts, self._stored, self._computed = ids, columns, texts, stored, computed

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ids)

    def field(self, item: Field) -> Column:
        """Return a field of every entity."""
        if item not in self._columns:
            self._columns[item] = self._read(item)
        return self._columns[item]

    def _read(self, item: Field) -> Column:
        if self._computed is not None and item in self._stored:
            column = self._computed.column(item.name, self._stored[item])
            return json_column([member_of(value, item.members) for value in column.values]) if item.members else column
        decoded = (None if text is None else json.loads(text) for text in self._texts[item])
        return json_column([member_of(value, item.members) for value in decoded])

    def seen(self, item: Field, kind: Kind) -> Column | None:
        """Return geometries, which are read without decoding their JSON."""
        if kind is not Kind.GEOMETRY or item.members:
            return None
        if self._computed is not None and item in self._stored:
            return self._computed.shapes(item.name, self._stored[item])
        return Column(kind, *read_geojson(self._texts[item])) if item in self._texts else None

    def exact(self, _value: Value, _rows: NDArray[np.intp]) -> None:
        """Return nothing: of entities numbers are what float64 makes of them."""

    def exists(self, item: Exists) -> NDArray[np.bool_]:
        """Refuse: quantifiers are SQL's."""
        raise RequestError(f"{item.variable.kind.plural} cannot be asked of here", place="$filter")


class Lookups:
    """Reads fields of the catalog, for one request.

    Parameters
    ----------
    run : callable
        Executes a statement and returns its rows.
    words : Dialect
        The database's words.
    computed : Computed, optional
        What the store knows of Datastreams; without it such properties are refused.
    observed : callable, optional
        Answers conditions on Observations; without it they are refused.
    """

    def __init__(self, run: Run, words: Dialect, computed: Computed | None, observed: Observed | None) -> None:
        self._run, self._computed, self._observed = run, computed, observed
        self.sql = Sql(words, self)

    def entities(self, variable: Variable, condition: Condition) -> NDArray[np.int64]:
        """Return the ids of entities for which a condition on them alone holds.

        Raises
        ------
        TooLarge
            Beyond `MOST_LOOKED_UP` entities.
        """
        wanted = list(fields(condition))
        # Of Datastreams without Observations nothing that the store knows holds.
        some = self.stored_ids() if self.knows(wanted) and not _asks_absence(condition) else None
        frame = self.frame(variable, wanted) if some is None else self.frame_of(some, wanted)
        return frame.ids[holds(condition, frame)]

    def knows(self, items: Sequence[Field]) -> bool:
        """Say whether the store alone knows fields, and knows all of them of the entities themselves."""
        return self._computed is not None and all(_is_computed(item) and not item.source.steps for item in items)

    def stored_ids(self) -> NDArray[np.int64]:
        """Return the Datastreams of which the store knows anything, ascending."""
        return np.zeros(0, np.int64) if self._computed is None else self._computed.ids()

    def frame_of(self, ids: NDArray[np.int64], items: Sequence[Field]) -> EntityFrame:
        """Return entities, given by ascending ids, with fields of them that the store `knows`."""
        return EntityFrame(ids, {}, {}, {item: self._asked(item, ids) for item in items}, self._computed)

    def observed(self, variable: Variable, condition: Condition, column: str) -> NDArray[np.int64]:
        """Return what a column has in the Observations that meet a condition."""
        if self._observed is None:
            raise RequestError("conditions on Observations are not answered here", place="$filter")
        return self._observed(variable, condition, column)

    def values(self, variable: Variable, value: Value, ids: NDArray[np.int64]) -> Column:
        """Return a value of each of some entities, given by ascending ids; null for those that are not there."""
        frame = self.frame(variable, list(fields(value)), ids)
        found = evaluate(value, frame)
        at = np.searchsorted(frame.ids, ids)
        at[at == len(frame.ids)] = 0
        if not frame.n:
            return missing(found.kind, len(ids))
        there = frame.ids[at] == ids
        ends = None if found.ends is None else found.ends[at]
        return Column(found.kind, found.values[at], found.valid[at] & there, ends)

    def frame(self, variable: Variable, items: Sequence[Field], ids: NDArray[np.int64] | None = None) -> EntityFrame:
        """Read fields of all entities of a type, or of some, by ascending id."""
        wanted = list(dict.fromkeys(items))
        table = variable.kind.table
        if table is None:
            raise RequestError(f"{variable.kind.plural} are not in the catalog", place="$filter")
        rows = table.alias()
        # What the store knows of the entities themselves needs nothing of the catalog but their ids.
        read = [item for item in wanted if item.source.steps or not _is_computed(item)]
        columns = [self._column(item, variable, rows).label(f"f{n}") for n, item in enumerate(read)]
        chosen = select(rows.c.id.label("id"), *columns).order_by(rows.c.id)
        if ids is not None:
            chosen = chosen.where(self.sql.words.one_of(rows.c.id, ids.tolist()))
        found = self._run(chosen.limit(MOST_LOOKED_UP + 1))
        if len(found) > MOST_LOOKED_UP:
            raise TooLarge(
                f"this would look at more than {MOST_LOOKED_UP} {variable.kind.plural} one by one; narrow it with a "
                "condition that the database answers",
                place=f"$filter at {wanted[0].at if wanted else 0}",
            )
        own = np.fromiter((row[0] for row in found), np.int64, len(found))
        made, texts, stored = {}, {}, {}
        for n, item in enumerate(read, 1):
            values = [row[n] for row in found]
            if _is_computed(item):
                stored[item] = self._asked(item, np.array(values, np.int64))
            elif item.kind is Kind.JSON:
                texts[item] = values
            else:
                made[item] = _made(item, values)
        stored |= {item: self._asked(item, own) for item in wanted if item not in read}
        return EntityFrame(own, made, texts, stored, self._computed)

    def _column(self, item: Field, variable: Variable, rows: Any) -> ColumnElement[Any]:  # noqa: ANN401 -- an alias
        here = Source(variable, item.source.steps)
        own = Field(here, item.name, item.members, item.kind, item.at)
        if item.kind is Kind.JSON and item.source.kind.properties[item.name].column:
            return cast(self.sql.document(own, {variable: rows}), Text)
        if is_answerable(own):
            return self.sql.value(own, {variable: rows})
        return self.sql.key(here, {variable: rows})

    def _asked(self, item: Field, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._computed is None or item.source.kind.name not in STREAMS:
            raise RequestError(
                f"{item.name} of a {item.source.kind.name} cannot be asked of", place=f"$filter at {item.at}"
            )
        return ids


def _made(item: Field, values: Sequence[Any]) -> Column:
    column = missing(item.kind, len(values))
    for at, value in enumerate(values):
        if value is not None:
            column.values[at], column.valid[at] = value, True
    return column


def _asks_absence(condition: Condition) -> bool:
    match condition:
        case AllOf(operands) | AnyOf(operands):
            return any(_asks_absence(operand) for operand in operands)
        case Not(operand):
            return _asks_absence(operand)
    return isinstance(condition, IsNull | Truth)


def _is_computed(item: Field) -> bool:
    found = None if item.name == "id" else item.source.kind.properties[item.name]
    return found is not None and not found.column and item.members not in found.members


def json_column(values: Sequence[Any]) -> Column:
    """Return JSON values as a column; null and what is absent are not there."""
    column = missing(Kind.JSON, len(values))
    for at, value in enumerate(values):
        column.values[at] = value
        column.valid[at] = value is not None
    return column
