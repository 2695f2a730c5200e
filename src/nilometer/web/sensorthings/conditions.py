"""What a filter or an order means over the catalog: SQL over the tables, for SQLite and PostgreSQL.

A comparison of unlike types is false; a comparison with null is false, but for ``eq null`` and ``ne null``. A path
through a relation asks whether there is one such.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Text,
    and_,
    case,
    cast,
    collate,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.expression import FromClause

from nilometer.errors import NotSupported, RequestError
from nilometer.web.sensorthings.expressions import COMPARISONS, Binary, Call, Expression, Literal, Logical, Path, Unary
from nilometer.web.sensorthings.schema import TYPES, EntityType, Property, Relation

__all__ = ["COMPARE", "MIRROR", "Scope", "condition", "joined", "sort_key"]

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
MIRROR = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: a type, the table or alias its rows come from, the dialect, the option's name."""

    kind: EntityType
    rows: FromClause
    dialect: str
    place: str = "$filter"

    def at(self, node: Expression) -> str:
        """Return the place of a node, for errors."""
        return f"{self.place} at {node.at}"


def condition(expression: Expression, scope: Scope) -> ColumnElement[bool]:
    """Return an expression as a condition on the rows of a scope.

    Raises
    ------
    RequestError
        If a name is unknown or the expression is no condition.
    NotSupported
        If it needs what is not served: arithmetic, most functions, Observations seen from entities.
    """
    match expression:
        case Logical(connective, operands):
            parts = [condition(operand, scope) for operand in operands]
            return and_(*parts) if connective == "and" else or_(*parts)
        case Unary("not", operand):
            return not_(condition(operand, scope))
        case Binary(comparison, left, right) if comparison in COMPARISONS:
            return _comparison(comparison, left, right, scope, expression)
        case Literal("boolean", value):
            return literal(1) == (1 if value else 0)
        case Call():
            return _text_test(expression, scope)
        case Path():
            return _compare(expression, "eq", Literal("boolean", value=True, at=expression.at), scope)
        case _:
            raise RequestError("this is no condition; compare it with something", place=scope.at(expression))


def _comparison(
    comparison: str, left: Expression, right: Expression, scope: Scope, whole: Expression
) -> ColumnElement[bool]:
    if isinstance(left, Call) and isinstance(right, Literal) and right.kind == "boolean" and comparison in {"eq", "ne"}:
        test = _text_test(left, scope)
        return test if right.value is (comparison == "eq") else not_(test)
    if isinstance(left, Literal) and isinstance(right, Path):
        left, right, comparison = right, left, MIRROR[comparison]
    if isinstance(left, Path) and isinstance(right, Literal):
        return _compare(left, comparison, right, scope)
    raise NotSupported("only a property compared with a constant is served here", place=scope.at(whole))


def _compare(path: Path, comparison: str, constant: Literal, scope: Scope) -> ColumnElement[bool]:
    relation = scope.kind.relations.get(path.names[0])
    if relation is not None:
        if len(path.names) == 1:
            raise RequestError(f"{path.names[0]} is a relation; name a property of it", place=scope.at(path))
        return _there_is(relation, scope, lambda inner: _compare(_rest(path), comparison, constant, inner), path)
    return _test_value(_value(path, scope), comparison, constant, scope)


def _rest(path: Path) -> Path:
    return Path(path.names[1:], path.at)


def _there_is(
    relation: Relation, scope: Scope, test: Callable[[Scope], ColumnElement[bool]], path: Path
) -> ColumnElement[bool]:
    target = TYPES[relation.target]
    if target.table is None:
        raise NotSupported("conditions on Observations are served on Observations only", place=scope.at(path))
    inner = Scope(target, target.table.alias(), scope.dialect, scope.place)
    return exists(select(literal(1)).where(joined(relation, scope.rows, inner.rows), test(inner)))


def joined(relation: Relation, mine: FromClause, theirs: FromClause) -> ColumnElement[bool]:
    """Return the condition under which rows of two types are related."""
    through = relation.through
    if through.own:
        return mine.c[through.own] == theirs.c.id
    if through.other:
        return theirs.c[through.other] == mine.c.id
    link = through.link
    if link is None:
        raise RequestError(f"{relation.name} leads nowhere")
    between = link.table.alias()
    return exists(select(literal(1)).where(between.c[link.mine] == mine.c.id, between.c[link.theirs] == theirs.c.id))


@dataclass(frozen=True, slots=True)
class _Value:
    """A value in SQL: its kind, and for each kind a constant may have, the SQL that gives it or null."""

    kind: str
    sql: ColumnElement[Any]
    document: tuple[ColumnElement[Any], ColumnElement[Any]] | None = None  # the JSON type, and the member as text


def _value(path: Path, scope: Scope) -> _Value:
    first, *more = path.names
    if first in {"id", "@iot.id"} and not more:
        return _Value("number", scope.rows.c.id)
    found = scope.kind.properties.get(first)
    if found is None:
        raise scope.kind.unknown(first, scope.at(path))
    if more:
        return _member(found, tuple(more), scope, path)
    if not found.column:
        raise NotSupported(f"{first} of a {scope.kind.name} cannot be compared", place=scope.at(path))
    if found.kind == "json":
        return _json(scope.rows.c[found.column], (), scope)
    return _Value(found.kind, scope.rows.c[found.column])


def _member(found: Property, names: tuple[str, ...], scope: Scope, path: Path) -> _Value:
    column = found.members.get(names)
    if column is not None:
        return _Value("number" if column == "sample_kind" else "text", scope.rows.c[column])
    if found.kind != "json":
        raise RequestError(f"{found.name} has no members", place=scope.at(path))
    if not found.column:
        known = ", ".join("/".join(member) for member in found.members)
        raise RequestError(
            f"{found.name} has no member {'/'.join(names)[:60]!r} (known: {known})", place=scope.at(path)
        )
    return _json(scope.rows.c[found.column], names, scope)


def _json(column: ColumnElement[Any], names: tuple[str, ...], scope: Scope) -> _Value:
    if scope.dialect == "postgresql":
        place = cast(literal(list(names), ARRAY(Text)), ARRAY(Text))
        document = cast(column, JSONB)
        return _Value(
            "json",
            document,
            (func.jsonb_typeof(document.op("#>")(place)), document.op("#>>")(place)),
        )
    route = "$" + "".join(f'."{name}"' for name in names)
    return _Value("json", column, (func.json_type(column, route), func.json_extract(column, route)))


def _test_value(value: _Value, comparison: str, constant: Literal, scope: Scope) -> ColumnElement[bool]:
    if value.document is not None:
        return _test_member(*value.document, comparison, constant, scope)
    if constant.kind == "null":
        return _test_null(value.sql, comparison)
    if value.kind != constant.kind:
        return false()
    if constant.kind == "number":
        return _test_number(value.sql, comparison, constant.value)
    sql = _bytewise(value.sql, scope) if value.kind == "text" else value.sql
    return and_(value.sql.is_not(None), COMPARE[comparison](sql, constant.value))


def _test_number(sql: ColumnElement[Any], comparison: str, number: float) -> ColumnElement[bool]:
    if isinstance(number, int) and abs(number) > _LARGEST:
        return literal(1) == int(COMPARE[comparison](0, number))
    kind = BigInteger if isinstance(number, int) else Double
    return COMPARE[comparison](sql, literal(number, kind))  # type: ignore[no-any-return]


def _bytewise(sql: ColumnElement[Any], scope: Scope) -> ColumnElement[Any]:
    """Have texts in the order of their bytes, as SQLite has them, whatever the language of the database."""
    return collate(sql, "C") if scope.dialect == "postgresql" else sql


def _test_null(sql: ColumnElement[Any], comparison: str) -> ColumnElement[bool]:
    if comparison == "eq":
        return sql.is_(None)
    return sql.is_not(None) if comparison == "ne" else false()


def _test_member(
    kind: ColumnElement[Any], text: ColumnElement[Any], comparison: str, constant: Literal, scope: Scope
) -> ColumnElement[bool]:
    """Compare a JSON member with a constant of its own type; an absent member matches nothing but ``eq null``."""
    compare = COMPARE[comparison]
    match constant.kind:
        case "null":
            absent = or_(kind.is_(None), kind == "null")
            return absent if comparison == "eq" else and_(not_(absent), literal(1) == int(comparison == "ne"))
        case "number":
            number = float(max(min(constant.value, 1e300), -1e300))
            # Only a CASE keeps PostgreSQL from reading texts of other rows as numbers.
            read = case((kind.in_(("integer", "real", "number")), cast(text, Double)))
            return and_(read.is_not(None), compare(read, number))
        case "text":
            return and_(kind.in_(("text", "string")), compare(_bytewise(cast(text, Text), scope), constant.value))
        case "boolean":
            # SQLite names the types true and false, and reads them as 1 and 0; PostgreSQL has boolean, read as text.
            truth = cast(text, Text).in_(("1", "true"))
            wanted = constant.value is (comparison == "eq")
            known = kind.in_(("true", "false", "boolean"))
            if comparison not in {"eq", "ne"}:
                return false()
            return and_(known, truth if wanted else not_(truth))
    return false()


def _text_test(call: Call, scope: Scope) -> ColumnElement[bool]:
    """Return ``substringof startswith endswith`` of one property and one constant text, with case."""
    if call.name not in {"substringof", "startswith", "endswith", "contains"}:
        raise NotSupported(f"the function {call.name[:40]!r} is not served here", place=scope.at(call))
    if len(call.arguments) != 2:
        raise RequestError(f"{call.name} takes two arguments", place=scope.at(call))
    needle, hay = call.arguments if call.name == "substringof" else reversed(call.arguments)
    if not isinstance(hay, Path) or not isinstance(needle, Literal) or needle.kind != "text":
        raise NotSupported(f"{call.name} is served for a property and a constant text", place=scope.at(call))
    return _find(call.name, hay, needle.value, scope)


def _find(name: str, hay: Path, needle: str, scope: Scope) -> ColumnElement[bool]:
    relation = scope.kind.relations.get(hay.names[0])
    if relation is not None and len(hay.names) > 1:
        return _there_is(relation, scope, lambda inner: _find(name, _rest(hay), needle, inner), hay)
    value = _value(hay, scope)
    if value.document is not None:
        kind, text = value.document
        return and_(kind.in_(("text", "string")), _found(name, cast(text, Text), needle))
    return _found(name, value.sql, needle) if value.kind == "text" else false()


def _found(name: str, text: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
    """Look for a needle without LIKE, whose wildcards and folding of case differ from one database to the next."""
    if not needle:
        return text.is_not(None)
    match name:
        case "startswith":
            return func.substr(text, 1, len(needle)) == needle
        case "endswith":
            start = func.length(text) - len(needle) + 1
            return and_(start >= 1, func.substr(text, start) == needle)
    return func.length(func.replace(text, needle, "")) < func.length(text)


def sort_key(expression: Expression, scope: Scope) -> ColumnElement[Any]:
    """Return what ``$orderby`` sorts by: a property, or one of a related entity where there is only one.

    Raises
    ------
    RequestError
        If the name is unknown.
    NotSupported
        If it is no such path.
    """
    if not isinstance(expression, Path):
        raise NotSupported("only properties can be sorted by", place=scope.at(expression))
    relation = scope.kind.relations.get(expression.names[0])
    if relation is None:
        value = _value(expression, scope)
        sql = value.sql if value.document is None else value.document[1]
        return _bytewise(sql, scope) if value.kind in {"text", "json"} else sql
    if len(expression.names) == 1:
        raise RequestError(f"{expression.names[0]} is a relation; name a property", place=scope.at(expression))
    target = TYPES[relation.target]
    if relation.many or target.table is None:
        raise NotSupported(f"{relation.name} leads to many; one cannot be sorted by", place=scope.at(expression))
    inner = Scope(target, target.table.alias(), scope.dialect, scope.place)
    return select(sort_key(_rest(expression), inner)).where(joined(relation, scope.rows, inner.rows)).scalar_subquery()
