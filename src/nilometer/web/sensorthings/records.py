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
from nilometer.store.tables import row_id
from nilometer.web.sensorthings.conditions import Scope, condition, sort_key
from nilometer.web.sensorthings.expressions import Expression
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.schema import TYPES, EntityType, Relation

__all__ = ["MOST_ENTITIES", "Page", "Record", "Records", "window"]

DEFAULT_TOP = 100
MOST_TOP = 10_000
MOST_ENTITIES = 200_000
"""Entities in one answer, those of expansions among them."""
_A_QUERY = 5_000

Record = dict[str, Any]
"""The columns of one row."""


@dataclass(slots=True)
class Page:
    """Some records, how many there are in all (None: not asked), and whether more follow."""

    records: list[Record] = field(default_factory=list)
    count: int | None = None
    more: bool = False


def window(options: Options) -> tuple[int, int]:
    """Return how many to skip and how many to take at most."""
    return options.skip, min(DEFAULT_TOP if options.top is None else options.top, MOST_TOP)


class Records:
    """The catalog, for one request.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the catalog's database.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._taken = 0

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
            for row in self._run(select(table).where(table.c.id.in_([row_id(number) for number in some]))):
                record = dict(row._mapping)
                found[record["id"]] = record
        self.take(len(found))
        return found

    def page(self, kind: EntityType, options: Options) -> Page:
        """Return a page of a whole set."""
        scope = self._scope(kind)
        statement = select(scope.rows)
        if options.filter is not None:
            statement = statement.where(condition(options.filter, scope))
        count = self._count(statement) if options.count else None
        skip, top = window(options)
        ordered = statement.order_by(*self._order(options, scope)).offset(skip).limit(top + 1)
        records = [dict(row._mapping) for row in self._run(ordered)]
        self.take(min(len(records), top))
        return Page(records[:top], count, more=len(records) > top)

    def related(
        self, source: EntityType, relation: Relation, parents: Sequence[int], options: Options
    ) -> dict[int, Page]:
        """Return a page of related entities for each parent, through a relation to many."""
        pages = {parent: Page(count=0 if options.count else None) for parent in parents}
        skip, top = window(options)
        for some in _chunks(parents):
            statement, parent, scope = self._children(source, relation, options, some)
            if options.count:
                counted = statement.with_only_columns(parent, func.count()).group_by(parent)
                for number, count in self._run(counted):
                    pages[number].count = count
            ranked = statement.add_columns(
                parent.label("@parent"),
                func.row_number().over(partition_by=parent, order_by=self._order(options, scope)).label("@n"),
            ).subquery()
            place = ranked.c["@n"]
            chosen = select(ranked).where(place > skip, place <= skip + top + 1).order_by(ranked.c["@parent"], place)
            for row in self._run(chosen):
                record = dict(row._mapping)
                page = pages[record.pop("@parent")]
                if record.pop("@n") > skip + top:
                    page.more = True
                else:
                    page.records.append(record)
        self.take(sum(len(page.records) for page in pages.values()))
        return pages

    def holds(self, source: EntityType, relation: Relation, parent: int, child: int) -> bool:
        """Say whether an entity is among those related to a parent."""
        statement, _, scope = self._children(source, relation, Options(), [parent])
        return bool(self._run(statement.where(scope.rows.c.id == row_id(child)).limit(1)))

    def ids(self, kind_name: str, expression: Expression) -> NDArray[np.int64]:
        """Return the ids of entities that meet a condition."""
        scope = self._scope(TYPES[kind_name])
        found = self._run(select(scope.rows.c.id).where(condition(expression, scope)))
        return np.fromiter((row[0] for row in found), np.int64, len(found))

    def keys(self, kind_name: str, expression: Expression) -> dict[int, Any]:
        """Return what ``$orderby`` sorts by, by id."""
        scope = self._scope(TYPES[kind_name], "$orderby")
        return {row[0]: row[1] for row in self._run(select(scope.rows.c.id, sort_key(expression, scope)))}

    def _children(
        self, source: EntityType, relation: Relation, options: Options, parents: Sequence[int]
    ) -> tuple[Select[Any], Any, Scope]:
        scope = self._scope(TYPES[relation.target])
        through = relation.through
        statement = select(scope.rows)
        parent: Any
        if through.link is not None:
            between = through.link.table.alias()
            parent = between.c[through.link.mine]
            statement = statement.join(between, between.c[through.link.theirs] == scope.rows.c.id)
        elif through.other:
            parent = scope.rows.c[through.other]
        else:
            own = self._scope(source)
            parent = own.rows.c.id
            statement = statement.join(own.rows, own.rows.c[through.own] == scope.rows.c.id)
        statement = statement.where(parent.in_(parents))
        if options.filter is not None:
            statement = statement.where(condition(options.filter, scope))
        return statement, parent, scope

    def _scope(self, kind: EntityType, place: str = "$filter") -> Scope:
        if kind.table is None:
            raise RequestError(f"{kind.plural} are not in the catalog")
        return Scope(kind, kind.table.alias(), self._dialect, place)

    def _order(self, options: Options, scope: Scope) -> list[Any]:
        by = Scope(scope.kind, scope.rows, scope.dialect, "$orderby")
        keys = []
        for item in options.orderby:
            key = sort_key(item.by, by)
            keys.append(key.desc().nulls_last() if item.descending else key.asc().nulls_last())
        return [*keys, scope.rows.c.id.asc()]

    def _count(self, statement: Select[Any]) -> int:
        return int(self._run(select(func.count()).select_from(statement.subquery()))[0][0])

    def _run(self, statement: Any) -> Sequence[Any]:  # noqa: ANN401 -- any select
        try:
            return self._connection.execute(statement).all()
        except (DBAPIError, OverflowError) as error:
            refused = refusal(error, "read entities")
            if refused.retryable:
                # The database is away: no fault of the request.
                raise refused from error
            cause = getattr(error, "orig", None) or error
            raise RequestError(f"the catalog cannot answer this: {cause}", place="$filter") from error


def _chunks(ids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _A_QUERY):
        yield list(ids[start : start + _A_QUERY])
