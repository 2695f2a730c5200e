"""Rows of Observations as a frame: columns of the store, members of their JSON, and fields of what they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.errors import RequestError, TooLarge
from nilometer.web.sensorthings.members import member_of
from nilometer.web.sensorthings.quality import Evidence, split_extra
from nilometer.web.sensorthings.query.bound import As, Condition, Exists, Field, Source, Value, Variable
from nilometer.web.sensorthings.query.column_functions import seen_as
from nilometer.web.sensorthings.query.columns import Column, missing
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.lookups import json_column
from nilometer.web.sensorthings.query.rooting import under

__all__ = ["MOST_DOCUMENTS", "Catalogued", "ObservationFrame", "columns_needed", "quality_documents"]

MOST_DOCUMENTS = 500_000
"""Rows whose JSON, or whose resultQuality, one condition may look into one by one."""

_COLUMNS: dict[tuple[str, ...], tuple[str, Kind]] = {
    ("resultQuality", "flag"): ("result_quality", Kind.NUMBER),
    ("resultQuality", "mark"): ("mark", Kind.TEXT),
    ("result",): ("result", Kind.NUMBER),
}
"""Members of JSON that have columns of their own."""
Documents = Callable[[pa.Table], list[Any]]
"""Gives ``resultQuality`` of rows as it is shown."""


class Catalogued(Protocol):
    """Answers conditions on entities of the catalog."""

    def ids(self, variable: Variable, condition: Condition) -> NDArray[np.int64]:
        """Return the ids of those that meet one."""

    def values(self, variable: Variable, value: Value, ids: NDArray[np.int64]) -> Column:
        """Return a value of each of some, by ascending ids."""


def columns_needed(items: Iterable[Field], root: Variable) -> set[str]:
    """Return the columns of the store that fields of Observations are made of."""
    found: set[str] = set()
    for item in items:
        if item.source.variable is not root:
            continue
        if item.source.steps:
            found.add(item.source.steps[0].through.own)
        else:
            found |= _own_columns(item)
    return found


def _own_columns(item: Field) -> set[str]:  # noqa: PLR0911 -- a return for each property
    match item.name:
        case "id":
            return {"id"}
        case "phenomenonTime":
            return {"phenomenon_time", "duration"}
        case "resultTime":
            return {"result_time"}
        case "result":
            return {"result", "extra"}
        case "resultQuality" if (item.name, *item.members) in _COLUMNS:
            return {_COLUMNS[item.name, *item.members][0]}
        case "resultQuality":
            return {"*"}
    return {"extra"}


def quality_documents(evidence: Evidence, api: str) -> Documents:
    """Return what gives ``resultQuality`` of rows, as they are shown.

    Parameters
    ----------
    evidence : Evidence
        Where the numbers come from.
    api : str
        Root of the native API, for links.
    """

    def documents(table: pa.Table) -> list[Any]:
        signed = evidence.signed(pc.unique(table["datastream"]).to_pylist())
        supplied = (split_extra(row["extra"])[1].get("@resultQuality") for row in table.select(["extra"]).to_pylist())
        rows = zip(table.to_pylist(), supplied, strict=True)
        return [evidence.document(row, given, api, signed) for row, given in rows]

    return documents


class ObservationFrame:
    """Some rows, for conditions on one variable.

    Parameters
    ----------
    root : Variable
        What stands for a row.
    table : pyarrow.Table
        With the columns that `columns_needed` names.
    catalog : Catalogued
        For Datastreams and FeaturesOfInterest.
    documents : callable
        Gives resultQuality as it is shown.
    """

    def __init__(self, root: Variable, table: pa.Table, catalog: Catalogued, documents: Documents) -> None:
        self._root, self._table, self._catalog, self._documents = root, table, catalog, documents
        self._extras: tuple[NDArray[np.intp], list[tuple[dict[str, Any], dict[str, Any]]]] | None = None
        self._known: dict[Field, Column] = {}

    @property
    def n(self) -> int:
        """How many."""
        return len(self._table)

    def field(self, item: Field) -> Column:
        """Return a field of every row."""
        if item not in self._known:
            self._known[item] = self._related(item) if item.source.steps else self._own(item)
        return self._known[item]

    def seen(self, item: Field, kind: Kind) -> Column | None:
        """Return a member of JSON that has a column of its own."""
        if item.source.steps:
            # The catalog is asked for the JSON once, and each kind is read from that.
            return None
        if (item.name, item.members) == ("result", ()) and kind is not Kind.NUMBER:
            # Where nothing is kept beside the numbers, no result is read one by one to find that it is one.
            return missing(kind, self.n) if self._table["extra"].null_count == self.n else None
        name, own = _COLUMNS.get((item.name, *item.members), ("", None))
        if kind is not own:
            return None
        column = self._plain(name, kind)
        if item.name == "result" and not column.valid.all():
            self._add_large(column)
        return column

    def exact(self, value: Value, rows: NDArray[np.intp]) -> list[int | float] | None:
        """Return results of rows as they were given."""
        own = value.operand if isinstance(value, As) else value
        if not isinstance(own, Field) or own.source.steps or (own.name, own.members) != ("result", ()):
            return None
        column = self._result(())
        return [column.values[row] for row in rows.tolist()]

    def exists(self, item: Exists) -> NDArray[np.bool_]:
        """Return for which rows there is an entity, reached through what they belong to."""
        found = under(item, self._root)
        if found is None:
            raise RequestError(
                "a condition on entities reached from an Observation cannot speak of the Observation itself",
                place="$filter",
            )
        relation, there, condition = found
        wanted = self._catalog.ids(there, condition)
        return np.isin(self._numbers(relation.through.own), wanted)

    def _numbers(self, name: str) -> NDArray[np.int64]:
        numbers: NDArray[np.int64] = self._table[name].fill_null(0).to_numpy().astype(np.int64)
        return numbers

    def _related(self, item: Field) -> Column:
        first, *rest = item.source.steps
        own = self._numbers(first.through.own)
        ids, at = np.unique(own, return_inverse=True)
        there = Variable(Source(self._root, (first,)).kind)
        value = Field(Source(there, tuple(rest)), item.name, item.members, item.kind, item.at)
        found = self._catalog.values(there, value, ids)
        ends = None if found.ends is None else found.ends[at]
        return Column(found.kind, found.values[at], found.valid[at], ends)

    def _own(self, item: Field) -> Column:  # noqa: PLR0911 -- a return for each property
        match item.name:
            case "id":
                return self._plain("id", Kind.NUMBER)
            case "resultTime":
                return self._plain("result_time", Kind.TIME)
            case "phenomenonTime":
                starts = self._plain("phenomenon_time", Kind.TIME)
                ends = starts.values + self._table["duration"].to_numpy()
                return Column(Kind.INTERVAL, starts.values, starts.valid, ends)
            case "validTime":
                return seen_as(self._kept("@validTime", ()), Kind.INTERVAL)
            case "result":
                return self._result(item.members)
            case "resultQuality":
                return self._quality(item)
        return self._parameters(item.members)

    def _plain(self, name: str, kind: Kind) -> Column:
        array = self._table[name].combine_chunks()
        array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
        valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
        if kind is Kind.TEXT:
            values = array.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
        else:
            values = (
                (array.cast(pa.int64()) if kind is Kind.TIME else array).fill_null(0).to_numpy(zero_copy_only=False)
            )
            values = values.astype(np.int64 if kind is Kind.TIME else np.float64)
        return Column(kind, values, valid)

    def _decoded(self) -> tuple[NDArray[np.intp], list[tuple[dict[str, Any], dict[str, Any]]]]:
        """Return which rows have JSON beside their columns, and its two halves."""
        if self._extras is None:
            column = self._table["extra"]
            rows = np.flatnonzero(column.is_valid().to_numpy())
            self._bound(len(rows))
            self._extras = rows, [split_extra(text) for text in column.take(pa.array(rows)).to_pylist()]
        return self._extras

    @staticmethod
    def _bound(n: int) -> None:
        if n > MOST_DOCUMENTS:
            raise TooLarge(
                f"the JSON of {n} Observations would have to be looked into, the limit is {MOST_DOCUMENTS}; "
                "narrow phenomenonTime or the Datastream",
                place="$filter",
            )

    def _kept(self, name: str, members: tuple[str, ...]) -> Column:
        column = missing(Kind.JSON, self.n)
        for at, (_, kept) in zip(*self._decoded(), strict=True):
            column.values[at] = member_of(kept.get(name), members)
            column.valid[at] = column.values[at] is not None
        return column

    def _parameters(self, members: tuple[str, ...]) -> Column:
        column = missing(Kind.JSON, self.n)
        for at, (parameters, _) in zip(*self._decoded(), strict=True):
            column.values[at] = member_of(parameters or None, members)
            column.valid[at] = column.values[at] is not None
        return column

    def _result(self, members: tuple[str, ...]) -> Column:
        column = self._kept("@result", members)
        if not members:
            plain = self._plain("result", Kind.NUMBER)
            rows = np.flatnonzero(plain.valid & ~column.valid)
            column.values[rows] = plain.values[rows]
            column.valid[rows] = True
        return column

    def _add_large(self, column: Column) -> None:
        """Add numbers that no float64 holds exactly, and which are kept as JSON for that."""
        large = seen_as(self._kept("@result", ()), Kind.NUMBER)
        column.values[large.valid] = large.values[large.valid]
        column.valid[large.valid] = True

    def _quality(self, item: Field) -> Column:
        name, kind = _COLUMNS.get((item.name, *item.members), ("", Kind.JSON))
        if name:
            plain = self._plain(name, kind)
            return Column(Kind.JSON, plain.values.astype(object), plain.valid)
        self._bound(self.n)
        found: list[Any] = [member_of(one, item.members) for one in self._documents(self._table)]
        return json_column(found)
