"""What a filter means for a reading of Observations: what is narrowed before anything is read, and what is left.

Times, ids, Datastreams, results and flags are the store's to look up; the rest is asked of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.store import Values
from nilometer.web.sensorthings.query.bound import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Constant,
    Field,
    Predicate,
    Truth,
    Value,
    Variable,
    fields,
)
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.rooting import under
from nilometer.web.sensorthings.schema import STREAMS
from nilometer.web.sensorthings.value_span import ValueSpan

__all__ = ["Ids", "Span", "names_feature", "span_of"]

Ids = Callable[[Variable, Condition], NDArray[np.int64]]
"""Gives the ids of the entities that meet a condition."""


@dataclass(slots=True)
class Span:
    """What a reading may be narrowed to; `exact` says that nothing of the filter is left to do.

    `start` is inclusive, `end` exclusive, µs; `datastreams`, `ids` and `values` None: any. The conditions behind
    `values` stand in `rest` too, for readings that do not ask the store for values. `ended_by` is the moment by which
    Observations have to be over: those at one instant that begin before `end` are.
    """

    start: int | None = None
    end: int | None = None
    datastreams: frozenset[int] | None = None
    ids: frozenset[int] | None = None
    exact: bool = True
    values: Values | None = None
    ended_by: int | None = None
    rest: list[Condition] = field(default_factory=list)

    def _narrow(self, which: str, wanted: frozenset[int]) -> None:
        known = getattr(self, which)
        setattr(self, which, wanted if known is None else known & wanted)

    def _from(self, moment: int) -> None:
        self.start = moment if self.start is None else max(self.start, moment)

    def _until(self, moment: int) -> None:
        self.end = moment if self.end is None else min(self.end, moment)

    def _over_by(self, moment: int) -> bool:
        self.ended_by = moment if self.ended_by is None else min(self.ended_by, moment)
        return True

    def take(self, leaf: Condition, root: Variable, ids: Ids) -> bool:
        """Narrow by one condition and say whether that is all it means."""
        numbers = _ids_of(leaf, root)
        if numbers is not None:
            self._narrow("ids", numbers)
            return True
        behind = under(leaf, root)
        if behind is not None and behind[0].name in STREAMS:
            self._narrow("datastreams", frozenset(ids(behind[1], behind[2]).tolist()))
            return True
        return self._take_time(leaf, root)

    def _take_time(self, leaf: Condition, root: Variable) -> bool:  # noqa: PLR0911 -- a return for each relation
        found = _times(leaf, root)
        if found is None:
            return False
        name, (start, end) = found
        # Of an Observation over an interval the store knows the start; what is said of its end is left over.
        match name:
            case "ge":
                self._from(start)
                return start == end
            case "gt" | "after":
                self._from(max(end, start + 1))
                return True
            case "lt" | "before":
                self._until(start)
                return self._over_by(start)
            case "le":
                self._until(start + 1)
                return self._over_by(end)
            case "during":
                self._from(start)
                self._until(end)
                return self._over_by(end)
            case "eq" | "starts":
                self._from(start)
                self._until(start + 1)
                return name == "starts"
        return False


def span_of(condition: Condition | None, root: Variable, ids: Ids) -> Span:
    """Return what a filter narrows the reading to, with the conditions that are left over."""
    span, values = Span(), ValueSpan()
    for leaf in _conjuncts(condition):
        if leaf == Truth(value=True):
            continue
        if not span.take(leaf, root, ids):
            span.exact &= values.take(leaf, root)
            span.rest.append(leaf)
        elif span.ended_by is not None and _times(leaf, root) is not None:
            span.rest.append(leaf)
    span.values = values.values
    return span


def _conjuncts(condition: Condition | None) -> list[Condition]:
    if condition is None:
        return []
    if isinstance(condition, AllOf):
        return [leaf for operand in condition.operands for leaf in _conjuncts(operand)]
    return [condition]


def _ids_of(leaf: Condition, root: Variable) -> frozenset[int] | None:
    """Return the ids that a condition names, alone or joined by ``or``; None: it asks of something else."""
    if isinstance(leaf, AnyOf):
        each = [_ids_of(operand, root) for operand in leaf.operands]
        found = [numbers for numbers in each if numbers is not None]
        return frozenset().union(*found) if len(found) == len(each) else None
    if not isinstance(leaf, Compare) or leaf.operator != "eq" or not _is_own(leaf.left, "id", root):
        return None
    value = leaf.right.value if isinstance(leaf.right, Constant) else None
    return frozenset({value}) if isinstance(value, int) else None


def _is_own(value: Value, name: str, root: Variable) -> bool:
    return isinstance(value, Field) and value.name == name and value.source.variable is root and not value.source.steps


def _times(leaf: Condition, root: Variable) -> tuple[str, tuple[int, int]] | None:
    """Return how phenomenonTime lies to a constant, if that is what is asked."""
    match leaf:
        case Compare(name, left, Constant(Kind.INTERVAL, (start, end))) if _is_own(left, "phenomenonTime", root):
            return name, (start, end)
        case Predicate(name, (left, Constant(Kind.INTERVAL, (start, end)))) if _is_own(left, "phenomenonTime", root):
            return name, (start, end)
    return None


def names_feature(condition: Condition | None) -> bool:
    """Say whether a filter speaks of the FeatureOfInterest: then samples are shown beside the water."""
    if condition is None:
        return False
    return any("FeatureOfInterest" in {step.name for step in item.source.steps} for item in fields(condition))
