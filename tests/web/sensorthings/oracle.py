"""The query language once more, slowly and plainly: expressions over dictionaries, a row at a time.

It shares nothing with `query` but the grammar. True, False or None (unknown); a value is a number, a text, a bool, a
`Moment`, or None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from nilometer.web.sensorthings.expressions import Binary, Call, Lambda, Literal, Logical, Path, Unary

COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
WHITE = " \t\n\r\x0b\x0c\x85\xa0\u3000\u2003"


@dataclass(eq=False)
class Row:
    """An entity: its properties, and what it is related to."""

    values: dict[str, Any]
    one: dict[str, Any] = field(default_factory=dict)
    many: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """A time or an interval."""

    start: int
    end: int


class Oracle:
    """Answers for one row; `named` are the entities of lambdas, `bound` those that a conjunction has chosen."""

    def __init__(self, row: Row) -> None:
        self.row, self.named, self.bound = row, {}, {}

    def holds(self, expression: Any) -> bool | None:
        match expression:
            case Logical("and", operands):
                return self._together(operands)
            case Logical("or", operands):
                found = [self.holds(operand) for operand in operands]
                return True if True in found else None if None in found else False
            case Unary("not", operand):
                found = self.holds(operand)
                return None if found is None else not found
            case Lambda():
                return self._lambda(expression)
        return self._together([expression])

    def _together(self, operands):
        """Conditions through the same relations speak of the same entities, if they are leaves."""
        free = {id(one): self._free(one) if not isinstance(one, Logical | Unary | Lambda) else () for one in operands}
        alone = [one for one in operands if not free[id(one)]]
        known = [self._leaf(one) if free[id(one)] == () and not isinstance(one, Logical | Unary | Lambda)
                 else self.holds(one) for one in alone]  # fmt: skip
        joined = [one for one in operands if free[id(one)]]
        while joined:
            group, names = [joined.pop(0)], set()
            while True:
                names |= set().union(*(free[id(one)] for one in group))
                more = [one for one in joined if set(free[id(one)]) & names]
                if not more:
                    break
                group += more
                joined = [one for one in joined if one not in more]
            known.append(self._some(group, names))
        return False if False in known else None if None in known else True

    def _some(self, group, names):
        if len(group) == 1 and is_null_test(group[0]):
            return self._null_test(group[0], names)
        prefixes = sorted(names, key=len)
        return self._choose(group, prefixes)

    def _choose(self, group, prefixes):
        if not prefixes:
            found = [self._leaf(one) for one in group]
            return all(one is True for one in found)
        first, *rest = prefixes
        for item in self._children(first):
            self.bound[first] = item
            met = self._choose(group, rest)
            del self.bound[first]
            if met:
                return True
        return False

    def _null_test(self, leaf, names):
        if self._choose([leaf], sorted(names, key=len)):
            return True
        there = list(self._children(min(names, key=len)))
        return leaf.operator == "eq" and not there

    def _children(self, prefix):
        at = self._start(prefix[:-1])
        return [] if at is None else at.many[prefix[-1]]

    def _start(self, names):
        """Follow names that are relations, by what is bound."""
        at: Any = self.row
        walked: tuple[str, ...] = ()
        if names and names[0] in self.named:
            at, walked, names = self.named[names[0]], (names[0],), names[1:]
        for name in names:
            walked = (*walked, name)
            if at is None:
                return None
            at = self.bound[walked] if walked in self.bound else at.one[name]
        return at

    def _free(self, node):
        """Return the prefixes of paths that lead to many."""
        found = set()
        for path in paths(node):
            at: Any = self.row
            names, walked = path.names, ()
            if names[0] in self.named:
                at, walked, names = self.named[names[0]], (names[0],), names[1:]
            kind = at
            for name in names:
                walked = (*walked, name)
                if kind is None or not isinstance(kind, Row):
                    break
                if name in kind.many:
                    found.add(walked)
                    kind = SHAPES[name]
                elif name in kind.one:
                    kind = kind.one[name] or SHAPES[name]
                else:
                    break
        return tuple(found)

    def _lambda(self, item):
        prefix = item.path.names
        met = [] if item.quantifier == "any" else [True]
        for child in self._start(prefix[:-1]).many[prefix[-1]]:
            if item.body is None:
                return True
            self.named[item.name] = child
            met.append(self.holds(item.body))
            del self.named[item.name]
        return (True in met) if item.quantifier == "any" else False not in met

    def _leaf(self, leaf):
        match leaf:
            case Literal("boolean", value):
                return value
            case Binary(operator, left, right) if operator in COMPARISONS:
                if is_null_test(leaf):
                    side = left if isinstance(right, Literal) and right.kind == "null" else right
                    return (self.value(side) is None) is (operator == "eq") if operator in {"eq", "ne"} else None
                if is_condition(left):
                    return self._equal(operator, self._leaf(left), right)
                return compare(operator, self.value(left), self.value(right))
            case Call(name, arguments):
                values = [self.value(one) for one in arguments]
                return (
                    None if None in values or not all(isinstance(one, str) for one in values) else TESTS[name](*values)
                )
            case Path():
                value = self.value(leaf)
                return value if isinstance(value, bool) else None
        raise AssertionError(leaf)

    def _equal(self, operator, met, right):
        other = self.holds(right)
        return None if met is None or other is None else (met == other) is (operator == "eq")

    def value(self, node):
        match node:
            case Literal(kind, value):
                return literal(kind, value)
            case Path():
                return self._path(node)
            case Unary("-", operand):
                value = number(self.value(operand))
                return None if value is None else bounded(-value)
            case Binary(operator, left, right):
                return arithmetic(operator, self.value(left), self.value(right))
            case Call(name, arguments):
                values = [self.value(one) for one in arguments]
                kinds = TAKES[name]
                values = [number(v) if kind == "n" else text(v) for v, kind in zip(values, kinds, strict=False)]
                return None if None in values else FUNCTIONS[name](*values)
        raise AssertionError(node)

    def _path(self, path):
        names = list(path.names)
        at = self.row
        walked: tuple[str, ...] = ()
        if names[0] in self.named:
            at, walked = self.named[names[0]], (names.pop(0),)
        while names and at is not None and (names[0] in at.many or names[0] in at.one):
            walked = (*walked, names[0])
            at = self.bound[walked] if names[0] in at.many else at.one[names[0]]
            names.pop(0)
        if at is None:
            return None
        value = at.values.get(names[0])
        for name in names[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value


SHAPES: dict[str, Row] = {}
"""A row of each relation's target, for following paths where there is none."""


def is_condition(node):
    if isinstance(node, Call):
        return node.name in TESTS
    return isinstance(node, Logical | Lambda) or (isinstance(node, Unary) and node.operator == "not")


def is_null_test(leaf):
    sides = (leaf.left, leaf.right) if isinstance(leaf, Binary) else ()
    return any(isinstance(side, Literal) and side.kind == "null" for side in sides)


def paths(node):
    match node:
        case Path():
            yield node
        case Unary(_, operand):
            yield from paths(operand)
        case Binary(_, left, right):
            yield from paths(left)
            yield from paths(right)
        case Call(_, arguments):
            for one in arguments:
                yield from paths(one)


def literal(kind, value):
    if kind == "time":
        return Moment(value, value)
    if kind == "interval":
        return Moment(*value)
    return number(value) if kind == "number" else value


def number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(min(float(value), 1e300), -1e300)


def text(value):
    return value if isinstance(value, str) else None


def bounded(value):
    if value is None or not abs(value) <= 1e300:
        return None
    return value if abs(value) >= 1e-300 else 0.0


def arithmetic(operator, left, right):
    left, right = number(left), number(right)
    if left is None or right is None:
        return None
    match operator:
        case "add":
            return bounded(left + right)
        case "sub":
            return bounded(left - right)
        case "mul":
            return bounded(left * right)
    if right == 0:
        return None
    ratio = bounded(left / right)
    if operator == "div" or ratio is None:
        return ratio
    return bounded(left - right * math.trunc(ratio))


def compare(operator, left, right):
    if isinstance(left, Moment) and isinstance(right, Moment):
        return moments(operator, left, right)
    if isinstance(left, bool) or isinstance(right, bool):
        if not (isinstance(left, bool) and isinstance(right, bool)) or operator not in {"eq", "ne"}:
            return None
    elif isinstance(left, int | float) and isinstance(right, int | float):
        left, right = number(left), number(right)
    elif not (isinstance(left, str) and isinstance(right, str)):
        return None
    return ordered(operator, left, right)


def ordered(operator, left, right):
    return {
        "eq": left == right, "ne": left != right, "gt": left > right,
        "ge": left >= right, "lt": left < right, "le": left <= right,
    }[operator]  # fmt: skip


def moments(operator, a, b):
    if a.start == a.end and b.start == b.end:
        return ordered(operator, a.start, b.start)
    return {
        "eq": a == b,
        "ne": a != b,
        "lt": a.end <= b.start and a.start < b.start,
        "gt": a.start >= b.end and a.start > b.start,
        "le": a.start <= b.start and a.end <= b.end,
        "ge": a.start >= b.start and a.end >= b.end,
    }[operator]


def substring(value, start, length=None):
    first = max(0, int(start))
    return value[first:] if length is None else value[first : first + max(0, int(length))]


def rounded(x):
    return math.copysign(math.floor(abs(x) + 0.5), x)


TESTS = {
    "substringof": lambda needle, hay: needle in hay,
    "contains": lambda hay, needle: needle in hay,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
FUNCTIONS = {
    "length": lambda value: float(len(value)),
    "indexof": lambda hay, needle: float(hay.find(needle)),
    "substring": substring,
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": lambda value: value.strip(WHITE),
    "concat": lambda left, right: left + right,
    "round": lambda x: bounded(rounded(x)),
    "floor": lambda x: bounded(float(math.floor(x))),
    "ceiling": lambda x: bounded(float(math.ceil(x))),
}
TAKES = {
    "length": "t", "indexof": "tt", "substring": "tnn", "tolower": "t", "toupper": "t", "trim": "t", "concat": "tt",
    "round": "n", "floor": "n", "ceiling": "n",
}  # fmt: skip


def meeting(rows: list[Row], expression: Any) -> list[int]:
    return [row.values["id"] for row in rows if Oracle(row).holds(expression) is True]
