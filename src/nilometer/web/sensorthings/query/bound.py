"""A bound condition: every name is a column or a member, every value has a kind, every relation to many quantifies.

Negation stands directly over a leaf or a quantifier. Both backends walk these trees; neither sees an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.schema import TYPES, EntityType, Relation

__all__ = [
    "AllOf",
    "AnyOf",
    "Apply",
    "As",
    "Compare",
    "Condition",
    "Constant",
    "Exists",
    "Field",
    "FirstKnown",
    "IsNull",
    "Leaf",
    "Not",
    "Predicate",
    "Source",
    "Truth",
    "Value",
    "Variable",
    "fields",
    "holds_of_nothing",
    "moved",
    "negate",
]


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One entity that a condition speaks of: the one asked about, or one that a quantifier ranges over."""

    kind: EntityType
    parent: Source | None = None
    relation: Relation | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An entity reached from a variable through relations to one."""

    variable: Variable
    steps: tuple[Relation, ...] = ()

    @property
    def kind(self) -> EntityType:
        """Its type."""
        return TYPES[self.steps[-1].target] if self.steps else self.variable.kind

    def to(self, relation: Relation) -> Source:
        """Return the entity a relation to one leads to."""
        return Source(self.variable, (*self.steps, relation))


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same for all rows."""

    kind: Kind
    value: Any
    at: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an entity, or a member of one."""

    source: Source
    name: str
    members: tuple[str, ...]
    kind: Kind
    at: int


@dataclass(frozen=True, slots=True)
class As:
    """A value seen as another kind: a member of JSON as a number, a time as an interval; null where it is none."""

    kind: Kind
    operand: Value
    at: int = 0


@dataclass(frozen=True, slots=True)
class Apply:
    """A function, by its name in the tables, of values of the kinds it takes."""

    name: str
    arguments: tuple[Value, ...]
    kind: Kind
    at: int


Value = Constant | Field | As | Apply


@dataclass(frozen=True, slots=True)
class Truth:
    """True, false or unknown for every row."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two values of one kind."""

    operator: str
    left: Value
    right: Value
    at: int


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether a value is absent."""

    operand: Value
    at: int


@dataclass(frozen=True, slots=True)
class Predicate:
    """A function that gives true or false."""

    name: str
    arguments: tuple[Value, ...]
    at: int


@dataclass(frozen=True, slots=True)
class FirstKnown:
    """Comparisons of one pair of values as one kind and another; what the first that is known says."""

    operands: tuple[Compare, ...]


Leaf = Truth | Compare | IsNull | Predicate | FirstKnown


@dataclass(frozen=True, slots=True)
class AllOf:
    """``and``."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``or``."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """There is an entity, of those that a variable ranges over, for which a condition holds."""

    variable: Variable
    condition: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a leaf or of a quantifier."""

    operand: Leaf | Exists


Condition = Leaf | AllOf | AnyOf | Exists | Not


def negate(condition: Condition) -> Condition:
    """Return the negation, with every ``not`` down at a leaf or a quantifier."""
    match condition:
        case Truth(value):
            return Truth(None if value is None else not value)
        case AllOf(operands):
            return AnyOf(tuple(negate(operand) for operand in operands))
        case AnyOf(operands):
            return AllOf(tuple(negate(operand) for operand in operands))
        case Not(operand):
            return operand
        case _:
            return Not(condition)


def holds_of_nothing(condition: Condition) -> bool:
    """Say whether a condition holds where the entity that it speaks of is not there: then all of it is null."""
    match condition:
        case Truth(value):
            return bool(value)
        case AllOf(operands):
            return all(holds_of_nothing(operand) for operand in operands)
        case AnyOf(operands):
            return any(holds_of_nothing(operand) for operand in operands)
        case Not(Exists()) | IsNull():
            return True
    return False


def fields(node: Condition | Value) -> Iterator[Field]:  # noqa: C901 -- a case for each kind of node
    """Yield every field of a tree, those under quantifiers too."""
    match node:
        case Field():
            yield node
        case Constant() | Truth():
            return
        case As(operand=operand) | IsNull(operand=operand) | Not(operand=operand):
            yield from fields(operand)
        case Apply(arguments=parts) | Predicate(arguments=parts):
            for part in parts:
                yield from fields(part)
        case AllOf(operands=nodes) | AnyOf(operands=nodes) | FirstKnown(operands=nodes):
            for one in nodes:
                yield from fields(one)
        case Compare(left=left, right=right):
            yield from fields(left)
            yield from fields(right)
        case Exists(variable, condition):
            if variable.parent is not None:
                yield Field(variable.parent, "id", (), Kind.NUMBER, 0)
            yield from fields(condition)


def moved(node: Any, move: Callable[[Source], Source]) -> Any:  # noqa: ANN401, PLR0911 -- a condition, or a value
    """Return a tree with every source replaced; quantifiers range over variables of their own there."""
    match node:
        case Field():
            return replace(node, source=move(node.source))
        case As() | IsNull() | Not():
            return replace(node, operand=moved(node.operand, move))
        case Apply() | Predicate():
            return replace(node, arguments=tuple(moved(part, move) for part in node.arguments))
        case AllOf() | AnyOf() | FirstKnown():
            return replace(node, operands=tuple(moved(part, move) for part in node.operands))
        case Compare():
            return replace(node, left=moved(node.left, move), right=moved(node.right, move))
        case Exists(variable, condition):
            parent = None if variable.parent is None else move(variable.parent)
            fresh = Variable(variable.kind, parent, variable.relation)

            def inside(source: Source) -> Source:
                return Source(fresh, source.steps) if source.variable is variable else move(source)

            return Exists(fresh, moved(condition, inside))
    return node
