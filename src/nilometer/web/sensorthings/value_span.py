"""What conditions on `result` and on the flag of an Observation mean as `Values`, which the store looks up by itself.

A row without a result meets no comparison, so nothing is lost where a condition is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from nilometer.store import Values
from nilometer.web.sensorthings.conditions import COMPARE, MIRROR
from nilometer.web.sensorthings.expressions import COMPARISONS, Binary, Expression, Literal, Logical, Path, Unary

__all__ = ["ValueSpan"]

_RESULT, _FLAG = ("result",), ("resultQuality", "flag")
_EVERY_FLAG = np.arange(-128, 128)


@dataclass(slots=True)
class ValueSpan:
    """The conditions taken so far; all have to be met."""

    least: float | None = None
    greatest: float | None = None
    flags: frozenset[int] | None = None
    _taken: list[Expression] = field(default_factory=list)

    @property
    def values(self) -> Values | None:
        """What the store is asked for; None: any value."""
        return Values(self.least, self.greatest, self.flags) if self._taken else None

    def take(self, leaf: Expression) -> bool:
        """Narrow by one condition and say whether that is all it means."""
        flags = _flags(leaf)
        if flags is not None:
            self.flags = flags if self.flags is None else self.flags & flags
        elif not self._take_result(leaf):
            return False
        self._taken.append(leaf)
        return True

    def _take_result(self, leaf: Expression) -> bool:
        sides = _sides(leaf, _RESULT)
        if sides is None or sides[0] == "ne":
            return False
        comparison, number = sides
        if comparison in {"ge", "gt", "eq"}:
            least = math.nextafter(number, math.inf) if comparison == "gt" else number
            self.least = least if self.least is None else max(self.least, least)
        if comparison in {"le", "lt", "eq"}:
            greatest = math.nextafter(number, -math.inf) if comparison == "lt" else number
            self.greatest = greatest if self.greatest is None else min(self.greatest, greatest)
        return True


def _flags(leaf: Expression) -> frozenset[int] | None:
    """Return the flags that meet a condition, or one of several joined by ``or``; None: it asks of something else."""
    if isinstance(leaf, Logical) and leaf.operator == "or":
        each = [_flags(operand) for operand in leaf.operands]
        found = [flags for flags in each if flags is not None]
        return frozenset().union(*found) if len(found) == len(each) else None
    sides = _sides(leaf, _FLAG)
    if sides is None:
        return None
    comparison, number = sides
    return frozenset(_EVERY_FLAG[COMPARE[comparison](_EVERY_FLAG, number)].tolist())


def _sides(leaf: Expression, names: tuple[str, ...]) -> tuple[str, float] | None:
    """Return comparison and number of a plain comparison of a property with a number, the property first."""
    if not isinstance(leaf, Binary) or leaf.operator not in COMPARISONS:
        return None
    left, right, comparison = leaf.left, leaf.right, leaf.operator
    if isinstance(right, Path):
        left, right, comparison = right, left, MIRROR[comparison]
    number = _number(right)
    if not isinstance(left, Path) or left.names != names or number is None:
        return None
    return comparison, number


def _number(node: Expression) -> float | None:
    if isinstance(node, Unary) and node.operator == "-":
        number = _number(node.operand)
        return None if number is None else -number
    if not isinstance(node, Literal) or node.kind != "number":
        return None
    try:
        return float(node.value)
    except OverflowError:
        return None
