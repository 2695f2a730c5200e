"""Values of bound conditions: constants, kinds seen as others, functions and arithmetic, each with its check.

What does not depend on rows is worked out here, once.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nilometer.errors import RequestError
from nilometer.web.sensorthings.expressions import Literal
from nilometer.web.sensorthings.grammar import parse_expression
from nilometer.web.sensorthings.query.bound import (
    Apply,
    As,
    Compare,
    Condition,
    Constant,
    Field,
    Predicate,
    Truth,
    Value,
)
from nilometer.web.sensorthings.query.columns import Nothing, evaluate, judge
from nilometer.web.sensorthings.query.functions import ARITHMETIC, FUNCTIONS, Kind, Operation
from nilometer.web.sensorthings.query.geometry import parse_wkt, relate
from nilometer.web.sensorthings.query.temporal import FIRST_US, LAST_US, parse_clock, parse_date, parse_duration

__all__ = ["accept", "as_kind", "beside", "call", "fold", "literal", "operation", "predicate"]

Error = Callable[[str, int], RequestError]
_SEEN_AS = {
    Kind.TIME: frozenset({Kind.INTERVAL, Kind.DATE, Kind.CLOCK, Kind.JSON}),
    Kind.INTERVAL: frozenset({Kind.TIME, Kind.DATE, Kind.JSON}),
}
_JSON = frozenset({Kind.JSON})
_LARGEST = 1e300
_NOTHING = Nothing()
_DIGITS = re.compile(r"[1-9]\d{0,18}", re.ASCII)
_STARTS_AS_TIME = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def literal(item: Literal, error: Error) -> Constant:
    """Return a literal as a constant of its kind."""
    place = str(error("", item.at).place)
    match item.kind:
        case "number":
            return Constant(Kind.NUMBER, _number(item.value), item.at)
        case "duration":
            return Constant(Kind.DURATION, parse_duration(item.value, place), item.at)
        case "date":
            return Constant(Kind.DATE, parse_date(item.value, place), item.at)
        case "clock":
            return Constant(Kind.CLOCK, parse_clock(item.value, place), item.at)
        case "geography":
            return Constant(Kind.GEOMETRY, parse_wkt(item.value, place), item.at)
        case "interval" if item.value[1] < item.value[0]:
            raise error("the interval ends before it starts", item.at)
    return Constant(Kind(item.kind), item.value, item.at)


def _number(value: float) -> float:
    """Return a number that every backend can compare: what is beyond ±1e300 stands at that end."""
    if abs(value) > _LARGEST:
        return math.copysign(_LARGEST, value)
    return value


def as_kind(value: Value, kind: Kind) -> Value:
    """Return a value seen as another kind."""
    if value.kind is kind:
        return value
    if isinstance(value, Constant) and value.value is None:
        return Constant(kind, None, value.at)
    return _folded(As(kind, value, value.at))


def _is_id(value: Value) -> bool:
    return isinstance(value, Field) and value.name == "id" and not value.members


def beside(value: Value, other: Value, error: Error) -> Value:
    """Return a text beside an id or a time as the number or time in it: there are clients that quote both."""
    if not isinstance(other, Constant) or other.kind is not Kind.TEXT or not isinstance(other.value, str):
        return other
    if _is_id(value) and _DIGITS.fullmatch(other.value):
        return Constant(Kind.NUMBER, int(other.value), other.at)
    if value.kind in {Kind.TIME, Kind.INTERVAL} and _STARTS_AS_TIME.match(other.value):
        try:
            written = parse_expression(other.value)
        except RequestError:
            return other
        if isinstance(written, Literal) and written.kind in {"time", "interval", "date"}:
            return replace(literal(written, error), at=other.at)
    return other


def accept(value: Value, kind: Kind, what: str, error: Error) -> Value:
    """Return an argument as the kind that is taken, or refuse it; an id may be read as a text."""
    if kind is Kind.TEXT and _is_id(value):
        return Apply("written", (value,), Kind.TEXT, value.at)
    if value.kind not in {kind, Kind.NULL} and value.kind not in _SEEN_AS.get(kind, _JSON):
        raise error(f"{what} takes {_article(kind)}, and this is {_article(value.kind)}", value.at)
    return as_kind(value, kind)


def _article(kind: Kind) -> str:
    return f"an {kind}" if kind is Kind.INTERVAL else f"a {kind}"


def _accepted(name: str, arguments: Sequence[Value], at: int, error: Error) -> tuple[Value, ...]:
    function = FUNCTIONS[name]
    most = len(function.takes)
    if not most - function.optional <= len(arguments) <= most:
        few = f"{most - function.optional} or " if function.optional else ""
        raise error(f"{name} takes {few}{most} arguments, and {len(arguments)} are given", at)
    return tuple(accept(one, kind, name, error) for one, kind in zip(arguments, function.takes, strict=False))


def call(name: str, arguments: Sequence[Value], at: int, error: Error) -> Value:
    """Return a function of values.

    Raises
    ------
    RequestError
        If it takes other arguments.
    """
    accepted = _accepted(name, arguments, at, error)
    moments = {"mindatetime": FIRST_US, "maxdatetime": LAST_US}
    if name in moments:
        return Constant(Kind.TIME, moments[name], at)
    if name == "now":
        return Constant(Kind.TIME, time.time_ns() // 1000, at)
    return _folded(Apply(name, accepted, FUNCTIONS[name].gives, at))


def predicate(name: str, arguments: Sequence[Value], at: int, error: Error) -> Condition:
    """Return a function that gives true or false.

    Raises
    ------
    RequestError
        If it takes other arguments, or the pattern of ``st_relate`` is none.
    """
    accepted = _accepted(name, arguments, at, error)
    if name == "during" and arguments[1].kind is Kind.TIME:
        raise error("during takes an interval, start/end, and nothing lasts within an instant", arguments[1].at)
    if name == "st_relate":
        pattern = accepted[2]
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            raise error("the pattern of st_relate is a text such as 'T*F**F***'", pattern.at)
        relate([], [], pattern.value, str(error("", pattern.at).place))  # type: ignore[arg-type]
    return fold(Predicate(name, accepted, at))


def operation(operator: str, operands: Sequence[Value], at: int, error: Error) -> Value:
    """Return arithmetic on values.

    Raises
    ------
    RequestError
        If these kinds are not added, or whatever the operator does.
    """
    if operator == "neg":
        kind = Kind.DURATION if operands[0].kind is Kind.DURATION else Kind.NUMBER
        return _folded(Apply("neg", (accept(operands[0], kind, "-", error),), kind, at))
    left, right = operands
    found = _operation(operator, left.kind, right.kind)
    if found is None:
        raise error(f"{operator} of {_article(left.kind)} and {_article(right.kind)} means nothing", at)
    pair = (right, left) if found.swapped else (left, right)
    accepted = tuple(accept(one, kind, operator, error) for one, kind in zip(pair, found.takes, strict=True))
    return _folded(Apply(found.name, accepted, found.gives, at))


def _operation(operator: str, left: Kind, right: Kind) -> Operation | None:
    """Return what an operator means; null and members of JSON are taken for what the other side asks for."""
    loose = {Kind.JSON, Kind.NULL}
    lefts = [Kind.NUMBER, Kind.TIME] if left in loose else [left]
    rights = [Kind.NUMBER, Kind.DURATION] if right in loose else [right]
    found = (ARITHMETIC.get((operator, mine, theirs)) for mine in lefts for theirs in rights)
    return next((one for one in found if one is not None), None)


def _is_constant(node: Value) -> bool:
    match node:
        case Constant():
            return True
        case As(operand=operand):
            return _is_constant(operand)
        case Apply(arguments=arguments):
            return all(_is_constant(one) for one in arguments)
    return False


def _folded(value: Value) -> Value:
    if isinstance(value, Constant) or not _is_constant(value):
        return value
    column = evaluate(value, _NOTHING)
    return Constant(value.kind, column.one(), value.at)


def fold(leaf: Compare | Predicate) -> Condition:
    """Return what a leaf says of every row, where it says the same of all."""
    sides: tuple[Any, ...] = (leaf.left, leaf.right) if isinstance(leaf, Compare) else leaf.arguments
    if any(isinstance(side, Constant) and side.value is None for side in sides):
        return Truth(None)
    if not all(isinstance(side, Constant) for side in sides):
        return leaf
    met, valid = judge(leaf, _NOTHING)
    return Truth(bool(met[0]) if valid[0] else None)
