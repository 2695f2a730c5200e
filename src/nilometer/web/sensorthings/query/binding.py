"""From an expression to a bound condition: names are looked up, kinds are checked, quantifiers are placed.

A path through a relation to many asks whether there is one such entity. Conditions joined by ``and`` that go through
the same relation speak of the same entity; ``not`` says that there is none. ``any`` and ``all`` say it outright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nilometer.errors import RequestError
from nilometer.web.sensorthings.expressions import (
    COMPARISONS,
    Binary,
    Call,
    Expression,
    Lambda,
    Literal,
    Logical,
    Path,
    Unary,
)
from nilometer.web.sensorthings.query.bound import (
    AllOf,
    AnyOf,
    Apply,
    Compare,
    Condition,
    Constant,
    Exists,
    Field,
    FirstKnown,
    IsNull,
    Not,
    Predicate,
    Source,
    Truth,
    Value,
    Variable,
    fields,
    negate,
)
from nilometer.web.sensorthings.query.functions import FUNCTIONS, MOMENTS, Kind
from nilometer.web.sensorthings.query.values import as_kind, beside, call, fold, literal, operation, predicate
from nilometer.web.sensorthings.schema import STREAMS, TYPES, EntityType, Property

__all__ = ["Binder"]

_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "time": Kind.TIME, "interval": Kind.INTERVAL, "json": Kind.JSON}
_MIRRORS = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_LIE_IN_DAYS = frozenset({Kind.TIME, Kind.INTERVAL, Kind.JSON})
_JSON_KINDS = (Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN)
_TIMES_OF_ROWS = frozenset({("Observations", "phenomenonTime"), ("Observations", "resultTime")})
TRUE = Truth(value=True)


@dataclass(slots=True)
class _Reach:
    """The variables that paths through relations to many have made, by where they hang."""

    made: dict[tuple[Source, str], Variable] = field(default_factory=dict)

    def one(self, parent: Source, name: str) -> Variable:
        relation = parent.kind.relations[name]
        return self.made.setdefault((parent, name), Variable(TYPES[relation.target], parent, relation))


_Free = frozenset[Variable]
_NONE: _Free = frozenset()


class Binder:
    """Binds expressions over one entity type.

    Parameters
    ----------
    kind : EntityType
        Whose entities are asked about.
    place : str
        The option's name, for errors.
    """

    def __init__(self, kind: EntityType, place: str = "$filter") -> None:
        self.root = Variable(kind)
        self._place = place
        self._named: dict[str, Variable] = {}

    def condition(self, expression: Expression) -> Condition:
        """Return an expression as a condition.

        Raises
        ------
        RequestError
            If a name is unknown, a function gets what it does not take, or the expression is no condition.
        """
        return self._closed(expression)

    def value(self, expression: Expression) -> Value:
        """Return an expression as a value to sort by: no relation to many, and no condition.

        Raises
        ------
        RequestError
            As `condition`, and where a path leads to many.
        """
        reach = _Reach()
        value = self._value(expression, reach)
        for parent, name in reach.made:
            raise self._error(f"{name} of a {parent.kind.name} leads to many; one cannot be sorted by", expression.at)
        return value

    def newest(self, path: Path, *, descending: bool) -> Value | None:
        """Return what ``Observations/phenomenonTime`` is as a key of streams: their first one's, or their last one's.

        None: the path is none of that kind.
        """
        if self.root.kind.name not in STREAMS or path.names not in _TIMES_OF_ROWS:
            return None
        times = Field(Source(self.root), path.names[1], (), Kind.INTERVAL, path.at)
        return Apply("end", (times,), Kind.TIME, path.at) if descending else times

    def _error(self, message: str, at: int) -> RequestError:
        return RequestError(message, place=f"{self._place} at {at}")

    # Conditions

    def _closed(self, expression: Expression) -> Condition:
        """Bind a condition that shares no entity with what stands beside it."""
        node, free = self._condition(expression, None)
        return _quantified(node, free)

    def _condition(self, expression: Expression, reach: _Reach | None) -> tuple[Condition, _Free]:
        """Bind a condition; free are the variables that a conjunction around it has still to quantify."""
        match expression:
            case Logical("and", operands):
                return self._conjunction(operands, reach)
            case Logical("or", operands):
                return self._disjunction(operands, reach)
            case Unary("not", operand):
                return negate(self._closed(operand)), _NONE
            case Lambda():
                return self._lambda(expression), _NONE
            case Binary(operator) if operator in COMPARISONS:
                return self._comparison(expression, reach)
            case _:
                return self._bare(expression, reach)

    def _conjunction(self, operands: Sequence[Expression], reach: _Reach | None) -> tuple[Condition, _Free]:
        shared = reach or _Reach()
        bound = [self._condition(operand, shared) for operand in operands]
        if reach is not None:
            return AllOf(tuple(node for node, _ in bound)), frozenset().union(*(free for _, free in bound))
        alone = [node for node, free in bound if not free]
        groups: list[tuple[list[Condition], _Free]] = []
        for node, free in bound:
            if free:
                joined = [group for group in groups if group[1] & free]
                groups = [group for group in groups if not group[1] & free]
                nodes = [one for group in joined for one in group[0]]
                groups.append(([*nodes, node], free.union(*(group[1] for group in joined))))
        return _all_of([*alone, *(_quantified(_all_of(nodes), free) for nodes, free in groups)]), _NONE

    def _disjunction(self, operands: Sequence[Expression], reach: _Reach | None) -> tuple[Condition, _Free]:
        if reach is None:
            return AnyOf(tuple(self._closed(operand) for operand in operands)), _NONE
        bound = [self._condition(operand, reach) for operand in operands]
        if len({free for _, free in bound}) == 1:
            return AnyOf(tuple(node for node, _ in bound)), bound[0][1]
        return AnyOf(tuple(_quantified(node, free) for node, free in bound)), _NONE

    def _lambda(self, item: Lambda) -> Condition:
        reach = _Reach()
        end, left = self._walk(item.path, reach)
        if left or end.steps or end.variable not in reach.made.values():
            raise self._error(f"{item.quantifier} follows a relation to many", item.at)
        variable = end.variable
        inner: Condition = TRUE
        if item.body is not None:
            if item.name in self._named:
                raise self._error(f"{item.name} names an entity already", item.at)
            self._named[item.name] = variable
            try:
                inner = self._closed(item.body)
            finally:
                del self._named[item.name]
        if item.quantifier == "all":
            outer = frozenset(reach.made.values()) - {variable}
            return _quantified(Not(Exists(variable, negate(inner))), outer)
        return _quantified(inner, frozenset(reach.made.values()))

    def _comparison(self, leaf: Binary, reach: _Reach | None) -> tuple[Condition, _Free]:
        sides = leaf.left, leaf.right
        for one, other in (sides, sides[::-1]):
            if isinstance(other, Literal) and other.kind == "null":
                return self._is_null(one, leaf.operator, leaf.at), _NONE
            if isinstance(one, Call) and self._is_condition(one) and getattr(other, "kind", "") == "boolean":
                return self._told(one, leaf, other, reach)
        if any(self._is_condition(side) for side in sides):
            return self._equivalence(leaf), _NONE
        mine = _Reach() if reach is None else reach
        left, right = self._value(leaf.left, mine), self._value(leaf.right, mine)
        return self._finish(self._compare(leaf.operator, left, right, leaf.at), [left, right], reach)

    def _told(self, item: Call, leaf: Binary, other: Expression, reach: _Reach | None) -> tuple[Condition, _Free]:
        """Bind ``startswith(…) eq false``: of a relation to many, there is one of which it is false."""
        if leaf.operator not in {"eq", "ne"}:
            return Truth(None), _NONE
        mine = _Reach() if reach is None else reach
        arguments = self._arguments(item, mine)
        node = predicate(item.name, arguments, item.at, self._error)
        wanted = getattr(other, "value", None) is (leaf.operator == "eq")
        return self._finish(node if wanted else negate(node), arguments, reach)

    def _is_null(self, expression: Expression, operator: str, at: int) -> Condition:
        """Bind ``eq null``: absent, or no related entity at all that could have it."""
        if operator not in {"eq", "ne"}:
            return Truth(None)
        if isinstance(expression, Literal) or self._is_condition(expression):
            return Truth((getattr(expression, "kind", "") == "null") is (operator == "eq"))
        reach = _Reach()
        value = _own_id(self._value(expression, reach))
        leaf: Condition = Truth(value.value is None) if isinstance(value, Constant) else IsNull(value, at)
        free = frozenset(reach.made.values())
        if operator == "ne":
            return _quantified(negate(leaf), free)
        if not free:
            return leaf
        return AnyOf((_quantified(leaf, free), negate(_quantified(TRUE, free))))

    def _is_condition(self, expression: Expression) -> bool:
        match expression:
            case Logical() | Lambda() | Unary("not"):
                return True
            case Binary(operator):
                return operator in COMPARISONS
            case Call(name):
                return name in FUNCTIONS and FUNCTIONS[name].gives is Kind.BOOLEAN
        return False

    def _equivalence(self, leaf: Binary) -> Condition:
        """Bind ``condition eq true``, or the comparison of two conditions."""
        if leaf.operator not in {"eq", "ne"}:
            return Truth(None)
        left, right = self._closed(leaf.left), self._closed(leaf.right)
        if leaf.operator == "ne":
            right = negate(right)
        match left, right:
            case (Truth(bool() as value), other) | (other, Truth(bool() as value)):
                return other if value else negate(other)
        return AnyOf((AllOf((left, right)), AllOf((negate(left), negate(right)))))

    def _bare(self, expression: Expression, reach: _Reach | None) -> tuple[Condition, _Free]:
        if isinstance(expression, Literal):
            if expression.kind == "boolean":
                return Truth(bool(expression.value)), _NONE
            if expression.kind == "null":
                return Truth(None), _NONE
        mine = _Reach() if reach is None else reach
        if isinstance(expression, Call) and self._is_condition(expression):
            arguments = self._arguments(expression, mine)
            node = predicate(expression.name, arguments, expression.at, self._error)
            return self._finish(node, arguments, reach)
        if isinstance(expression, Path):
            value = self._value(expression, mine)
            if value.kind is Kind.JSON:
                truth = Constant(Kind.BOOLEAN, value=True)
                return self._finish(self._compare("eq", value, truth, expression.at), [value], reach)
        raise self._error("this is no condition; compare it with something", expression.at)

    def _finish(self, node: Condition, of: Sequence[Value], reach: _Reach | None) -> tuple[Condition, _Free]:
        """Quantify a leaf by what its values reach, even where it is the same for all of it."""
        free = self._variables(of)
        return (_quantified(node, free), _NONE) if reach is None else (node, free)

    def _variables(self, values: Sequence[Value]) -> _Free:
        """Return the variables of values that have to be quantified, with those they hang on."""
        found: set[Variable] = set()
        for item in (item for value in values for item in fields(value)):
            variable = item.source.variable
            while variable.parent is not None and variable not in self._named.values():
                found.add(variable)
                variable = variable.parent.variable
        return frozenset(found)

    def _compare(self, operator: str, left: Value, right: Value, at: int) -> Condition:
        if left.kind is Kind.JSON and right.kind is Kind.JSON:
            each = [
                Compare(operator, as_kind(left, kind), as_kind(right, kind), at)
                for kind in _JSON_KINDS
                if kind is not Kind.BOOLEAN or operator in {"eq", "ne"}
            ]
            return FirstKnown(tuple(each))
        if isinstance(left, Constant) and not isinstance(right, Constant):
            left, right, operator = right, left, _MIRRORS[operator]
        right = beside(left, right, self._error)
        if operator not in {"eq", "ne"} and right.kind is Kind.TEXT and _is_result(left):
            written = Apply("written", (as_kind(left, Kind.NUMBER),), Kind.TEXT, at)
            return FirstKnown(
                (Compare(operator, as_kind(left, Kind.TEXT), right, at), Compare(operator, written, right, at))
            )
        if isinstance(right, Constant) and right.kind is Kind.DATE and left.kind in _LIE_IN_DAYS:
            return self._compare_day(operator, left, right, at)
        kind = _common(left.kind, right.kind)
        if kind is None or (kind is Kind.BOOLEAN and operator not in {"eq", "ne"}):
            return Truth(None)
        return fold(Compare(operator, as_kind(left, kind), as_kind(right, kind), at))

    def _compare_day(self, operator: str, left: Value, day: Constant, at: int) -> Condition:
        """Compare a time with a day: of an instant just one of ``lt``, ``eq``, ``gt`` is true."""
        start, end = as_kind(day, Kind.INTERVAL).value  # type: ignore[union-attr]
        if operator in {"eq", "ne"}:
            within = fold(Predicate("during", (as_kind(left, Kind.INTERVAL), as_kind(day, Kind.INTERVAL)), at))
            return within if operator == "eq" else negate(within)
        moment = start if operator in {"lt", "ge"} else end
        beside = Constant(Kind.INTERVAL, (moment, moment), at)
        return fold(Compare("lt" if operator in {"lt", "le"} else "ge", as_kind(left, Kind.INTERVAL), beside, at))

    # Values

    def _value(self, expression: Expression, reach: _Reach) -> Value:
        match expression:
            case Literal():
                return literal(expression, self._error)
            case Path():
                return self._field(expression, reach)
            case Call(name, _, at):
                arguments = self._arguments(expression, reach)
                if FUNCTIONS[name].gives is Kind.BOOLEAN:
                    raise self._error(f"{name} gives true or false, and a value is needed here", at)
                return call(name, arguments, at, self._error)
            case Unary("-", operand, at):
                return operation("neg", [self._value(operand, reach)], at, self._error)
            case Binary(operator, left, right, at) if operator not in COMPARISONS:
                return operation(operator, [self._value(left, reach), self._value(right, reach)], at, self._error)
        raise self._error("this is a condition, and a value is needed here", expression.at)

    def _arguments(self, item: Call, reach: _Reach) -> list[Value]:
        if item.name not in FUNCTIONS:
            raise self._error(f"there is no function {item.name[:40]!r} (known: {', '.join(FUNCTIONS)})", item.at)
        return [self._value(argument, reach) for argument in item.arguments]

    def _walk(self, path: Path, reach: _Reach) -> tuple[Source, tuple[str, ...]]:
        """Follow a path's relations; return where they end, and what is left of it."""
        names = path.names
        if names[0] in self._named:
            source, names = Source(self._named[names[0]]), names[1:]
        else:
            source = Source(self.root)
        while names and names[0] in source.kind.relations:
            relation = source.kind.relations[names[0]]
            source = Source(reach.one(source, relation.name)) if relation.many else source.to(relation)
            names = names[1:]
        return source, names

    def _field(self, path: Path, reach: _Reach) -> Field:
        source, names = self._walk(path, reach)
        if not names:
            raise self._error(f"{path.names[-1]} is an entity; name a property of it", path.at)
        name, members = names[0], names[1:]
        if name in {"id", "@iot.id"} and not members:
            return Field(source, "id", (), Kind.NUMBER, path.at)
        found = source.kind.properties.get(name)
        if found is None:
            raise source.kind.unknown(name, f"{self._place} at {path.at}")
        return Field(source, name, members, self._kind(source.kind, found, members, path), path.at)

    def _kind(self, owner: EntityType, found: Property, members: tuple[str, ...], path: Path) -> Kind:
        if not members:
            return _KINDS[found.kind]
        if found.kind != "json":
            raise self._error(f"{found.name} of a {owner.name} has no members", path.at)
        if members in found.members:
            return Kind.TEXT
        if found.members and not found.column:
            allowed = ", ".join("/".join(member) for member in found.members)
            raise self._error(f"{found.name} has no member {'/'.join(members)[:60]!r} (known: {allowed})", path.at)
        return Kind.JSON


def _own_id(value: Value) -> Value:
    """Return what is absent where a value is: JSON that is made of columns is there wherever its entity is."""
    found = value.source.kind.properties.get(value.name) if isinstance(value, Field) else None
    if not isinstance(value, Field) or found is None or value.members or found.column or not found.members:
        return value
    return Field(value.source, "id", (), Kind.NUMBER, value.at)


def _common(left: Kind, right: Kind) -> Kind | None:
    """Return the kind in which two kinds compare; None: they do not."""
    if left is Kind.JSON or right is Kind.JSON:
        other = right if left is Kind.JSON else left
        if other in MOMENTS:
            return Kind.INTERVAL
        return other if other in {Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.DURATION} else None
    if left is right:
        return None if left in {Kind.GEOMETRY, Kind.NULL} else left
    return Kind.INTERVAL if {left, right} <= MOMENTS else None


def _is_result(value: Value) -> bool:
    """Say whether a value is the result of an Observation, which may be a number or a text."""
    return isinstance(value, Field) and value.name == "result" and not value.members


def _all_of(nodes: list[Condition]) -> Condition:
    return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))


def _quantified(node: Condition, free: _Free) -> Condition:
    """Put quantifiers around a condition, those that hang on others inside them."""
    for variable in sorted(free, key=_depth, reverse=True):
        node = Exists(variable, node)
    return node


def _depth(variable: Variable) -> int:
    return 0 if variable.parent is None else 1 + _depth(variable.parent.variable)
