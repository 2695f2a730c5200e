"""What conditions on `result` and on the flag of an Observation mean as `Values`, which the store looks up by itself.

A row without a result meets no comparison, so nothing is lost where a condition is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from nilometer.store import Values
from nilometer.web.sensorthings.query.bound import AnyOf, As, Compare, Condition, Constant, Field, Value, Variable
from nilometer.web.sensorthings.query.columns import COMPARE, EXACT
from nilometer.web.sensorthings.query.functions import Kind

__all__ = ["ValueSpan"]

_RESULT, _FLAG = ("result", ()), ("resultQuality", ("flag",))
_INCLUSIVE = {"gt": "ge", "lt": "le"}
_EVERY_FLAG = np.arange(-128, 128)


@dataclass(slots=True)
class ValueSpan:
    """The conditions taken so far; all have to be met."""

    least: float | None = None
    greatest: float | None = None
    flags: frozenset[int] | None = None
    _taken: list[Condition] = field(default_factory=list)

    @property
    def values(self) -> Values | None:
        """What the store is asked for; None: any value."""
        return Values(self.least, self.greatest, self.flags) if self._taken else None

    def take(self, leaf: Condition, root: Variable) -> bool:
        """Narrow by one condition and say whether that is all it means."""
        flags = _flags(leaf, root)
        if flags is not None:
            self.flags = flags if self.flags is None else self.flags & flags
            self._taken.append(leaf)
            return True
        sides = _sides(leaf, _RESULT, root)
        if sides is None or sides[0] == "ne":
            return False
        self._taken.append(leaf)
        comparison, number = sides
        # Beyond 2⁵³ several whole numbers share a float64, and are told apart by what is kept of them.
        is_exact = abs(number) < EXACT
        self._narrow(comparison if is_exact else _INCLUSIVE.get(comparison, comparison), number)
        return is_exact

    def _narrow(self, comparison: str, number: float) -> None:
        if comparison in {"ge", "gt", "eq"}:
            least = math.nextafter(number, math.inf) if comparison == "gt" else number
            self.least = least if self.least is None else max(self.least, least)
        if comparison in {"le", "lt", "eq"}:
            greatest = math.nextafter(number, -math.inf) if comparison == "lt" else number
            self.greatest = greatest if self.greatest is None else min(self.greatest, greatest)


def _flags(leaf: Condition, root: Variable) -> frozenset[int] | None:
    """Return the flags that meet a condition, or one of several joined by ``or``; None: it asks of something else."""
    if isinstance(leaf, AnyOf):
        each = [_flags(operand, root) for operand in leaf.operands]
        found = [flags for flags in each if flags is not None]
        return frozenset().union(*found) if len(found) == len(each) else None
    sides = _sides(leaf, _FLAG, root)
    if sides is None:
        return None
    comparison, number = sides
    return frozenset(_EVERY_FLAG[COMPARE[comparison](_EVERY_FLAG, number)].tolist())


def _sides(leaf: Condition, named: tuple[str, tuple[str, ...]], root: Variable) -> tuple[str, float] | None:
    """Return comparison and number of a plain comparison of a property with a number."""
    if not isinstance(leaf, Compare) or not isinstance(leaf.right, Constant) or leaf.right.kind is not Kind.NUMBER:
        return None
    return (leaf.operator, float(leaf.right.value)) if _is(leaf.left, named, root) else None


def _is(value: Value, named: tuple[str, tuple[str, ...]], root: Variable) -> bool:
    own = value.operand if isinstance(value, As) else value
    if not isinstance(own, Field) or own.source.variable is not root or own.source.steps:
        return False
    return (own.name, own.members) == named
