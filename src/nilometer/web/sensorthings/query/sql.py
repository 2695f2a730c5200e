"""Bound conditions as SQL over the catalog, for SQLite and PostgreSQL: one statement, whatever a condition reaches.

What no database answers alike, or at all, is looked up first and stands there as ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
)
from sqlalchemy.sql.expression import FromClause

from nilometer.model import SampleKind
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
    Source,
    Truth,
    Value,
    Variable,
    fields,
    moved,
)
from nilometer.web.sensorthings.query.columns import COMPARE
from nilometer.web.sensorthings.query.dialects import Dialect
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.rooting import gathered, rooted_at
from nilometer.web.sensorthings.schema import OBSERVATION, EntityType

__all__ = ["Foreign", "Rows", "Sql", "is_answerable"]

Rows = Mapping[Variable, FromClause]
"""The table or alias that each variable's rows come from."""

_KINDS = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME})
_NUMBERS = frozenset({"add", "sub", "mul", "div", "mod", "neg", "round", "floor", "ceiling"})
_TEXTS = frozenset({"length", "indexof", "substring", "tolower", "toupper", "trim", "concat", "written"})
_TESTS = frozenset({"substringof", "contains", "startswith", "endswith"})
_HEAVIEST = 1500
_MENTIONS = {"mul": 20, "div": 20, "mod": 80, "round": 12, **dict.fromkeys(_TEXTS, 1), "indexof": 2}
"""How often a statement repeats what a function is given; of other functions four times."""
_A_GROUP = 50
_BOOLEANS = {True: 1, False: 0}
_PLAIN = '{"nilometer": {"plain": true}}'
_NOT_GIVEN = {"Location": "{}"}
"""Properties as they are kept where a client gave none; of other kinds `_PLAIN`."""


class Foreign(Protocol):
    """Answers what SQL does not, as ids."""

    def entities(self, variable: Variable, condition: Condition) -> NDArray[Any]:
        """Return the ids of a variable's entities for which a condition on that variable alone holds."""

    def observed(self, variable: Variable, condition: Condition, column: str) -> NDArray[Any]:
        """Return what a column has in the Observations that meet a condition: ids of what they belong to."""


def is_answerable(node: Condition | Value) -> bool:
    """Say whether a leaf or a value is answered by SQL, in a statement of bearable length."""
    return _weight(node) <= _HEAVIEST


def _weight(node: Condition | Value) -> int:  # noqa: PLR0911 -- a return for each kind of node
    """Return how often a statement mentions columns; beyond the heaviest: it cannot say this at all."""
    never = _HEAVIEST + 1
    match node:
        case Truth():
            return 1
        case Constant(kind):
            return 1 if kind in _KINDS or kind is Kind.NULL else never
        case Field():
            return 1 if _has_column(node) else never
        case As(kind, operand):
            read = isinstance(operand, Field) and operand.kind is Kind.JSON and kind in _KINDS and kind is not Kind.TIME
            return 2 + _weight(operand) if read else never
        case IsNull(operand):
            return _weight(operand)
        case Compare(_, left, right):
            return min(never, _weight(left) + _weight(right)) if left.kind in _KINDS else never
        case FirstKnown(operands):
            return min(never, sum(_weight(operand) for operand in operands))
        case Predicate(name, arguments) if name in _TESTS:
            return min(never, sum(_weight(one) for one in arguments) * 2)
        case Apply(name, arguments) if name in _NUMBERS | _TEXTS:
            return min(never, sum(_weight(one) for one in arguments) * _MENTIONS.get(name, 4))
    return never


def _has_column(item: Field) -> bool:
    kind = item.source.kind
    if kind.table is None or item.source.variable.kind.table is None:
        return False
    if item.name == "id":
        return True
    found = kind.properties[item.name]
    return bool(found.column) or item.members in found.members


class Sql:
    """Writes SQL.

    Parameters
    ----------
    dialect : Dialect
        The database's words.
    foreign : Foreign
        Asked for what SQL does not answer.

    Attributes
    ----------
    joined : dict of Source to FromClause
        Related entities that the statement joins, and which need no query of their own.
    """

    def __init__(self, dialect: Dialect, foreign: Foreign) -> None:
        self.words, self._foreign = dialect, foreign
        self.joined: dict[Source, FromClause] = {}

    def condition(self, node: Condition, rows: Rows) -> ColumnElement[bool]:
        """Return a condition; null where it is unknown.

        Raises
        ------
        RequestError
            If what SQL does not answer cannot be looked up.
        """
        match node:
            case AllOf(operands):
                return _joined(and_, [self.condition(operand, rows) for operand in operands])
            case AnyOf(operands):
                return self._listed(operands, rows)
            case Exists(variable, inner):
                return self._exists(variable, inner, rows)
            case Not(Exists(variable, inner)):
                return not_(self._exists(variable, inner, rows))
            case Not(leaf):
                return self._leaf(leaf, rows, negated=True)
            case _:
                return self._leaf(node, rows, negated=False)

    def _listed(self, operands: tuple[Condition, ...], rows: Rows) -> ColumnElement[bool]:
        """Return alternatives; many ids are looked up as one list."""
        rest: list[ColumnElement[bool]] = []
        ids: dict[Source, list[int]] = {}
        for operand in operands:
            match operand:
                case Compare("eq", Field(name="id") as item, Constant(value=int() as number)):
                    ids.setdefault(item.source, []).append(number)
                case _:
                    rest.append(self.condition(operand, rows))
        found = [self.words.one_of(self.key(source, rows), numbers) for source, numbers in ids.items()]
        return _joined(or_, [*found, *rest])

    def value(self, node: Value, rows: Rows) -> ColumnElement[Any]:
        """Return a value that `is_answerable`."""
        match node:
            case Constant():
                return _constant(node)
            case Field():
                return self._field(node, rows)
            case As(kind, Field() as item):
                return self._member(item, kind, rows)
            case Apply(name, arguments):
                return self._apply(name, [self.value(one, rows) for one in arguments])
        message = f"{node} is not answered by SQL"
        raise TypeError(message)

    def key(self, source: Source, rows: Rows) -> ColumnElement[Any]:
        """Return the id of the entity of a source."""
        return self._column(source, "id", rows)

    def _column(self, source: Source, name: str, rows: Rows) -> ColumnElement[Any]:
        if not source.steps:
            return rows[source.variable].c[name]
        if source in self.joined:
            return self.joined[source].c[name]
        before, step = Source(source.variable, source.steps[:-1]), source.steps[-1]
        link = self._column(before, step.through.own, rows)
        if name == "id":
            return link
        table = _table(source.kind).alias()
        return select(table.c[name]).where(table.c.id == link).correlate(*rows.values()).scalar_subquery()

    # Conditions

    def _exists(self, variable: Variable, inner: Condition, rows: Rows) -> ColumnElement[bool]:
        parent, relation = variable.parent, variable.relation
        if parent is None or relation is None:
            message = "a quantified variable hangs on nothing"
            raise TypeError(message)
        key, through = self.key(parent, rows), relation.through
        if variable.kind is OBSERVATION:
            return self.words.one_of(key, self._observed(variable, inner, through.other))
        table = _table(variable.kind).alias()
        if through.link is None:
            chosen = select(table.c[through.other]).where(table.c[through.other].is_not(None))
        else:
            between = through.link.table.alias()
            chosen = select(between.c[through.link.mine])
            if inner != Truth(value=True):
                chosen = chosen.join(table, table.c.id == between.c[through.link.theirs])
        if inner != Truth(value=True):
            chosen = chosen.where(self.condition(inner, {**rows, variable: table}))
        return key.in_(chosen.correlate(*rows.values()))

    def _observed(self, variable: Variable, inner: Condition, column: str) -> list[int]:
        there = Variable(variable.kind)
        whole = rooted_at(inner, variable, there)
        return self._foreign.observed(there, whole, column).tolist()  # type: ignore[no-any-return]

    def _leaf(self, leaf: Leaf | Exists, rows: Rows, *, negated: bool) -> ColumnElement[bool]:
        if isinstance(leaf, Truth):
            value = None if leaf.value is None else leaf.value is not negated
            return null() if value is None else literal(1) == _BOOLEANS[value]  # type: ignore[return-value]
        whole: Condition = Not(leaf) if negated else leaf
        if not is_answerable(leaf):
            return self._looked_up(whole, rows)
        sources = {item.source for item in fields(leaf)}
        only = next(iter(sources)) if len(sources) == 1 else None
        if only is not None and only.steps and not isinstance(leaf, IsNull):
            return self._through_one(whole, only, rows)
        if not negated:
            return self._met(leaf, rows)
        return not_(self._answer(leaf, rows))

    def _through_one(self, leaf: Condition, source: Source, rows: Rows) -> ColumnElement[bool]:
        """Ask related entities first: of few Things all Datastreams are found faster than of each its Thing."""
        there = Variable(source.kind)
        table = _table(source.kind).alias()
        inner = moved(leaf, lambda _: Source(there))
        chosen = select(table.c.id).where(self.condition(inner, {there: table}))
        return self.key(source, rows).in_(chosen.correlate(None))

    def _looked_up(self, leaf: Condition, rows: Rows) -> ColumnElement[bool]:
        sources = {item.source for item in fields(leaf)}
        if len(sources) == 1:
            source = next(iter(sources))
            there = Variable(source.kind)
            found = self._foreign.entities(there, moved(leaf, lambda _: Source(there)))
            return self.words.one_of(self.key(source, rows), found.tolist())
        variable, whole = gathered(leaf)
        found = self._foreign.entities(variable, whole)
        return self.words.one_of(self.key(Source(variable), rows), found.tolist())

    def _met(self, leaf: Leaf | Exists, rows: Rows) -> ColumnElement[bool]:
        """Return a leaf that may be false where it is unknown: what it says of few rows is asked first."""
        found = self._answer(leaf, rows)
        likely: list[ColumnElement[bool] | None] = []
        match leaf:
            case Compare(name, As(kind, Field() as item), Constant(value=value)) if kind in {Kind.NUMBER, Kind.TEXT}:
                likely = [self.words.json_likely(self.document(item, rows), item.members, name, value)]
            case Predicate("startswith", (As(Kind.TEXT, Field() as item), Constant(value=str() as needle))):
                document = self.document(item, rows)
                likely = [
                    self.words.json_likely(document, item.members, name, edge)
                    for name, edge in (("ge", needle), ("lt", successor(needle)))
                    if edge
                ]
            case Predicate("startswith", (Field() as item, Constant(value=str() as needle))):
                after = successor(needle)
                if after:
                    text = self.words.bytewise(self.value(item, rows))
                    likely = [text >= needle, text < after]
        return and_(*(one for one in likely if one is not None), found)

    def _answer(self, leaf: Leaf | Exists, rows: Rows) -> ColumnElement[bool]:
        match leaf:
            case IsNull(Field(kind=Kind.JSON) as item):
                kind = self.words.json_kind(self.document(item, rows), item.members)
                return func.coalesce(kind, "null") == "null"
            case IsNull(operand):
                return self.value(operand, rows).is_(None)
            case Compare(name, left, right):
                mine, theirs = self.value(left, rows), self.value(right, rows)
                if left.kind is Kind.TEXT and name not in {"eq", "ne"}:
                    mine = self.words.bytewise(mine)
                return COMPARE[name](mine, theirs)  # type: ignore[no-any-return]
            case FirstKnown(operands):
                return func.coalesce(*(self._answer(operand, rows) for operand in operands))
            case Predicate(name, arguments):
                return self._test(name, [self.value(one, rows) for one in arguments])
        message = f"{leaf} is no condition"
        raise TypeError(message)

    def _test(self, name: str, arguments: list[ColumnElement[Any]]) -> ColumnElement[bool]:
        hay, needle = reversed(arguments) if name == "substringof" else arguments
        match name:
            case "startswith":
                return func.substr(hay, 1, func.length(needle)) == needle
            case "endswith":
                start = func.length(hay) - func.length(needle) + 1
                return and_(start >= 1, func.substr(hay, start) == needle)
        # An empty text is in every text; SQLite finds it nowhere in an empty one.
        return or_(self.words.find(hay, needle) > 0, and_(needle == "", hay.is_not(None)))

    # Values

    def _field(self, item: Field, rows: Rows) -> ColumnElement[Any]:
        if item.name == "id":
            return self.key(item.source, rows)
        found = item.source.kind.properties[item.name]
        column = found.members.get(item.members)
        if column == "sample_kind":
            named = {kind.value: kind.name.lower() for kind in SampleKind}
            return case(named, value=self._column(item.source, column, rows))
        return self._column(item.source, column or found.column, rows)

    def document(self, item: Field, rows: Rows) -> ColumnElement[Any]:
        """Return the whole JSON a field is a member of; properties that nobody gave are null, as they are shown."""
        kind = item.source.kind
        column = self._column(item.source, kind.properties[item.name].column, rows)
        if item.members or item.name != "properties":
            return column
        return case((cast(column, Text) != _NOT_GIVEN.get(kind.name, _PLAIN), column))

    def _member(self, item: Field, kind: Kind, rows: Rows) -> ColumnElement[Any]:
        read = {
            Kind.NUMBER: self.words.json_number,
            Kind.TEXT: self.words.json_text,
            Kind.BOOLEAN: self.words.json_boolean,
        }[kind]
        return read(self.document(item, rows), item.members)

    def _apply(  # noqa: PLR0911 -- a return for each function
        self, name: str, arguments: list[ColumnElement[Any]]
    ) -> ColumnElement[Any]:
        words = self.words
        if name in _NUMBERS:
            return words.number(name, *(cast(one, Double) for one in arguments))
        match name, arguments:
            case "length", [text]:
                return func.length(text)
            case "indexof", [hay, needle]:
                return case((and_(needle == "", hay.is_not(None)), 0), else_=words.find(hay, needle) - 1)
            case "substring", [text, start, *rest]:
                return func.substr(text, words.place(start) + 1, *(words.place(one) for one in rest), type_=Text)
            case "trim", [text]:
                return words.trimmed(text)
            case "written", [number]:
                return cast(number, Text)
            case "concat", [left, right]:
                # The cast is for its parentheses: COLLATE would take the right text only.
                return cast(cast(left, Text).concat(cast(right, Text)), Text)
        return words.cased(name, arguments[0])


def _table(kind: EntityType) -> FromClause:
    if kind.table is None:
        message = f"{kind.plural} are not in the catalog"
        raise TypeError(message)
    return kind.table


def _joined(how: Callable[..., ColumnElement[bool]], parts: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return conditions joined in groups: SQLite counts a long row of them as so many levels."""
    while len(parts) > _A_GROUP:
        groups = [parts[n : n + _A_GROUP] for n in range(0, len(parts), _A_GROUP)]
        # A function keeps the groups apart; here what is unknown is as good as false.
        parts = [func.coalesce(how(*group), false()) for group in groups]
    return how(*parts)


def successor(text: str) -> str:
    """Return the least text behind all that begin with one; empty where there is none.

    Examples
    --------
    >>> successor("pH")
    'pI'
    """
    while text:
        last = ord(text[-1]) + 1
        if last <= 0x10FFFF:
            return text[:-1] + chr(0xE000 if 0xD800 <= last < 0xE000 else last)
        text = text[:-1]
    return ""


def _constant(item: Constant) -> ColumnElement[Any]:
    value = item.value
    if value is None:
        return null()
    match item.kind:
        case Kind.NUMBER:
            is_whole = isinstance(value, int) and abs(value) < 2**63
            return literal(value, BigInteger) if is_whole else literal(float(value), Double)
        case Kind.TIME:
            return literal(value, BigInteger)
        case Kind.BOOLEAN:
            return literal(_BOOLEANS[value])
    return literal(value, Text)
