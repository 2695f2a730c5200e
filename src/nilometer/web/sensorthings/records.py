"""Reading the catalog's entities: one page, or one page for each of many parents, in one query either way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from nilometer.errors import RequestError
from nilometer.store.refusal import refusal
from nilometer.store.row_ids import row_id
from nilometer.web.sensorthings.answers.paging import LastId
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.bound import Condition, Field, Value, Variable, fields
from nilometer.web.sensorthings.query.columns import Column, evaluate
from nilometer.web.sensorthings.query.dialects import prepare
from nilometer.web.sensorthings.query.lookups import Computed, Lookups, Observed
from nilometer.web.sensorthings.query.orders import Join, Key, joins_of, keys_of, order_by, sorted_rows
from nilometer.web.sensorthings.query.time_limit import time_limit
from nilometer.web.sensorthings.schema import TYPES, EntityType, Relation

__all__ = ["MOST_ENTITIES", "Page", "Record", "Records", "by_id", "window"]

DEFAULT_TOP = 100
MOST_TOP = 10_000
MOST_ENTITIES = 200_000
"""Entities in one answer, those of expansions among them."""
_A_QUERY = 5_000
_LARGEST_ID = 2**31 - 1
_TOO_DEEP = ("parser stack overflow", "Expression tree is too large", "stack depth limit exceeded")

Record = dict[str, Any]
"""The columns of one row."""


@dataclass(slots=True)
class Page:
    """Some records, how many there are in all (None: not asked), and whether more follow."""

    records: list[Record] = field(default_factory=list)
    count: int | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """What a page is sorted by: keys of a variable, and the same for SQL; None: SQL does not give that order."""

    root: Variable
    keys: list[Key]
    by: list[Any] | None
    joins: list[Join]

    def joined(self, statement: Select[Any]) -> Select[Any]:
        """Return a statement with the related entities that it is sorted by."""
        for table, link in self.joins:
            statement = statement.join(table, table.c.id == link, isouter=bool(link.nullable))
        return statement


def by_id(options: Options) -> bool | None:
    """Say whether entities come by descending id; None: they come in another order."""
    if not options.orderby:
        return False
    names = getattr(options.orderby[0].by, "names", None)
    is_id = len(options.orderby) == 1 and names in {("id",), ("@iot.id",)}
    return options.orderby[0].descending if is_id else None


def window(options: Options) -> tuple[int, int]:
    """Return how many to skip and how many to take at most."""
    return options.skip, min(DEFAULT_TOP if options.top is None else options.top, MOST_TOP)


class Records:
    """The catalog, for one request.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the catalog's database.
    computed : Computed, optional
        What the store knows of Datastreams, for conditions on it.
    """

    def __init__(self, connection: Connection, computed: Computed | None = None) -> None:
        self._connection, self._words = connection, prepare(connection)
        self._computed = computed
        self._taken = 0
        self.answer_observed(None)

    def answer_observed(self, observed: Observed | None) -> None:
        """Say who answers conditions on Observations."""
        self._lookups = Lookups(self._run, self._words, self._computed, observed)
        self._sql = self._lookups.sql

    def take(self, n: int) -> None:
        """Count entities of the answer.

        Raises
        ------
        RequestError
            Beyond `MOST_ENTITIES`.
        """
        self._taken += n
        if self._taken > MOST_ENTITIES:
            raise RequestError(
                f"the answer would hold more than {MOST_ENTITIES} entities; ask for less with $top", place="$expand"
            )

    def by_id(self, kind: EntityType, ids: Sequence[int]) -> dict[int, Record]:
        """Return records by id; absent ones are left out."""
        found: dict[int, Record] = {}
        for some in _chunks(ids):
            table = kind.table
            if table is None:
                return found
            for record in self._read(select(table).where(table.c.id.in_([row_id(number) for number in some]))):
                found[record["id"]] = record
        self.take(len(found))
        return found

    def page(self, kind: EntityType, options: Options) -> Page:
        """Return a page of a whole set."""
        rows = self._alias(kind)
        statement = whole = self._filtered(select(rows), kind, rows, options)
        statement = _behind(statement, rows, options)
        skip, top = window(options)
        order = self._order(kind, rows, options)
        numbers: list[int] | None = None
        if order.by is None:
            is_whole = whole is statement and options.filter is None
            ids = statement.with_only_columns(rows.c.id)
            numbers = self._first(order, ids, skip + top + 1, is_whole=is_whole)[skip:]
        else:
            ordered = order.joined(statement).order_by(*order.by).offset(skip).limit(top + 1)
            if order.keys:
                # Sorted with all its columns, a whole set costs several times what its ids do.
                numbers = [row[0] for row in self._run(ordered.with_only_columns(rows.c.id))]
        records = self._read(ordered) if numbers is None else self._in_order(kind, numbers)
        found = len(records) if numbers is None else len(numbers)
        self.take(min(len(records), top))
        page = Page(records[:top], more=found > top)
        if options.count:
            # Where the page holds the last of them, they need not be counted.
            is_last = whole is statement and not page.more and (found or not skip)
            page.count = skip + found if is_last else self._count(whole)
        return page

    def related(
        self, source: EntityType, relation: Relation, parents: Sequence[int], options: Options
    ) -> dict[int, Page]:
        """Return a page of related entities for each parent, through a relation to many."""
        pages = {parent: Page(count=0 if options.count else None) for parent in parents}
        for some in _chunks(parents):
            statement, parent, rows, place = self._children(source, relation, some)
            statement = self._filtered(statement, TYPES[relation.target], rows, options)
            if options.count:
                counted = statement.with_only_columns(parent, func.count()).group_by(parent)
                for number, count in self._run(counted):
                    pages[number].count = count
            statement = _behind(statement, rows, options)
            order = self._order(TYPES[relation.target], rows, options, place)
            if order.by is None:
                self._sort_children(order, statement.with_only_columns(parent, rows.c.id), options, pages)
            else:
                self._rank_children(order.joined(statement), parent, order.by, options, pages)
        self.take(sum(len(page.records) for page in pages.values()))
        return pages

    def _rank_children(
        self,
        statement: Select[Any],
        parent: Any,  # noqa: ANN401 -- a column
        by: Sequence[Any],
        options: Options,
        pages: dict[int, Page],
    ) -> None:
        skip, top = window(options)
        ranked = statement.add_columns(
            parent.label("@parent"), func.row_number().over(partition_by=parent, order_by=by).label("@n")
        ).subquery()
        place = ranked.c["@n"]
        chosen = select(ranked).where(place > skip, place <= skip + top + 1).order_by(ranked.c["@parent"], place)
        for record in self._read(chosen):
            page = pages[record.pop("@parent")]
            if record.pop("@n") > skip + top:
                page.more = True
            else:
                page.records.append(record)

    def _sort_children(self, order: _Order, pairs: Select[Any], options: Options, pages: dict[int, Page]) -> None:
        found = self._run(pairs)
        skip, top = window(options)
        owners, children = (np.array([row[side] for row in found], np.int64) for side in (0, 1))
        distinct, place = np.unique(children, return_inverse=True)
        rank = np.argsort(np.searchsorted(distinct, self._ranked(order, distinct)))[place]
        taken: dict[int, list[int]] = {}
        for at in np.lexsort([rank, owners]).tolist():
            taken.setdefault(int(owners[at]), []).append(int(children[at]))
        chosen = {owner: numbers[skip : skip + top] for owner, numbers in taken.items()}
        known = self._fetched(order.root.kind, {number for numbers in chosen.values() for number in numbers})
        for owner, numbers in chosen.items():
            pages[owner].records = [known[number] for number in numbers]
            pages[owner].more = len(taken[owner]) > skip + top

    def _first(self, order: _Order, statement: Select[Any], n: int, *, is_whole: bool) -> list[int]:
        """Return the first ids of a statement in an order that SQL does not give; whole: it leaves nothing out."""
        if is_whole and self._lookups.knows(_items(order)):
            # Those of which the store knows nothing come last: they need not be read where enough come before.
            foremost = self._ranked(order, self._lookups.stored_ids())[:n]
            frame = self._lookups.frame_of(np.sort(foremost), _items(order))
            known = np.logical_or.reduce([evaluate(value, frame).valid for value, _ in order.keys])
            numbers: list[int] = foremost.tolist()
            if known.sum() == n == self._there(order.root.kind, numbers):
                return numbers
        found = self._run(statement)
        ranked: list[int] = self._ranked(order, np.array([row[0] for row in found], np.int64)).tolist()
        return ranked[:n]

    def _ranked(self, order: _Order, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ids in an order that SQL does not give."""
        items, ids = _items(order), np.sort(ids)
        frame = self._lookups.frame_of(ids, items) if self._lookups.knows(items) else None
        frame = self._lookups.frame(order.root, items, ids) if frame is None else frame
        return frame.ids[sorted_rows(order.keys, frame, [frame.ids])]

    def _in_order(self, kind: EntityType, numbers: Sequence[int]) -> list[Record]:
        known = self._fetched(kind, set(numbers))
        # One that was deleted between the two questions is left out.
        return [known[number] for number in numbers if number in known]

    def _fetched(self, kind: EntityType, numbers: set[int]) -> dict[int, Record]:
        rows = self._alias(kind)
        found = self._read(select(rows).where(self._words.one_of(rows.c.id, numbers)))
        return {record["id"]: record for record in found}

    def _there(self, kind: EntityType, numbers: Sequence[int]) -> int:
        rows = self._alias(kind)
        return len(self._run(select(rows.c.id).where(self._words.one_of(rows.c.id, numbers))))

    def holds(self, source: EntityType, relation: Relation, parent: int, child: int) -> bool:
        """Say whether an entity is among those related to a parent."""
        statement, _, rows, _ = self._children(source, relation, [parent])
        return bool(self._run(statement.where(rows.c.id == row_id(child)).limit(1)))

    def ids(self, variable: Variable, condition: Condition) -> NDArray[np.int64]:
        """Return the ids of entities that meet a bound condition."""
        rows = self._alias(variable.kind)
        found = self._run(select(rows.c.id).where(self._sql.condition(condition, {variable: rows})))
        return np.fromiter((row[0] for row in found), np.int64, len(found))

    def values(self, variable: Variable, value: Value, ids: NDArray[np.int64]) -> Column:
        """Return a bound value of each of some entities, given by ascending ids."""
        return self._lookups.values(variable, value, ids)

    def _children(
        self, source: EntityType, relation: Relation, parents: Sequence[int]
    ) -> tuple[Select[Any], Any, Any, Any]:
        """Return related entities, with the columns of the parent, of the rows, and of their place among others."""
        rows = self._alias(TYPES[relation.target])
        through = relation.through
        statement = select(rows)
        parent: Any
        place: Any = None
        if through.link is not None:
            between = through.link.table.alias()
            parent = between.c[through.link.mine]
            statement = statement.join(between, between.c[through.link.theirs] == rows.c.id)
            place = between.c[through.link.order] if through.link.order else None
        elif through.other:
            parent = rows.c[through.other]
        else:
            own = self._alias(source)
            parent = own.c.id
            statement = statement.join(own, own.c[through.own] == rows.c.id)
        return statement.where(parent.in_(parents)), parent, rows, place

    @staticmethod
    def _alias(kind: EntityType) -> Any:  # noqa: ANN401 -- an alias
        if kind.table is None:
            raise RequestError(f"{kind.plural} are not in the catalog")
        return kind.table.alias()

    def _filtered(self, statement: Select[Any], kind: EntityType, rows: Any, options: Options) -> Select[Any]:  # noqa: ANN401 -- an alias
        if options.filter is None:
            return statement
        binder = Binder(kind)
        return statement.where(self._sql.condition(binder.condition(options.filter), {binder.root: rows}))

    def _order(self, kind: EntityType, rows: Any, options: Options, place: Any = None) -> _Order:  # noqa: ANN401 -- an alias, a column
        binder = Binder(kind, "$orderby")
        keys = keys_of(binder, options.orderby)
        joins: list[Join] = joins_of(keys, rows, self._sql) if options.orderby else []
        by = order_by(keys, self._sql, self._words, {binder.root: rows})
        last = [rows.c.id.asc()] if place is None else [place.asc(), rows.c.id.asc()]
        return _Order(binder.root, keys, None if by is None else [*by, *last], joins)

    def _count(self, statement: Select[Any]) -> int:
        return int(self._run(select(func.count()).select_from(statement.subquery()))[0][0])

    def _read(self, statement: Select[Any]) -> list[Record]:
        # A mapping made of each row by itself costs twice as much.
        names = statement.selected_columns.keys()
        return [dict(zip(names, row, strict=True)) for row in self._run(statement)]

    def _run(self, statement: Any) -> Sequence[Any]:  # noqa: ANN401 -- any select
        try:
            with time_limit(self._connection):
                return self._connection.execute(statement).all()
        except RecursionError as error:
            raise RequestError("nested too deeply", place="$filter") from error
        except (DBAPIError, OverflowError) as error:
            refused = refusal(error, "read entities")
            if refused.retryable:
                # The database is away: no fault of the request.
                raise refused from error
            cause = getattr(error, "orig", None) or error
            if any(words in str(cause) for words in _TOO_DEEP):
                raise RequestError("nested too deeply for the catalog's database", place="$filter") from error
            raise RequestError(f"the catalog cannot answer this: {cause}", place="$filter") from error


def _items(order: _Order) -> list[Field]:
    return [item for value, _ in order.keys for item in fields(value)]


def _behind(statement: Select[Any], rows: Any, options: Options) -> Select[Any]:  # noqa: ANN401 -- an alias
    """Return those behind the last that was shown."""
    token = options.skiptoken
    if token is None:
        return statement
    descending = by_id(options)
    if not isinstance(token, LastId) or descending is None:
        raise RequestError("is of another order; follow the next link as it is", place="$skiptoken")
    number = min(token.id, _LARGEST_ID)
    return statement.where(rows.c.id < number if descending else rows.c.id > number)


def _chunks(ids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _A_QUERY):
        yield list(ids[start : start + _A_QUERY])
