"""One item of a standard: a property, its limits, and the class that a value falls into.

Values are compared unrounded. Limits are inclusive, but for `MORE_THAN`. A relative guard of 1e-12 stands for the
binary representation of decimal limits and means (the mean of three times 0.2 is 0.20000000000000004); it is no
rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nilometer.model.entities import WaterBody
from nilometer.verdict.wording import Words

__all__ = ["Alternative", "Item", "Role", "Rule"]

_GUARD = 1e-12


class Rule(StrEnum):
    """How a value is held against its limits."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    MORE_THAN = "more_than"
    WITHIN = "within"
    CHANGE = "change"  # a man-made change, which a reading cannot show


class Role(StrEnum):
    """Whether an item decides the class, or is reported beside it."""

    ASSESSED = "assessed"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A second way to a class that can only raise an item: `property` at least `at_least` gives class index `index`."""

    property: str
    unit: str
    at_least: float
    index: int
    source: str = ""

    def is_met(self, value: float | None) -> bool:
        """Say whether the value opens this way; False where there is none."""
        return value is not None and not math.isnan(value) and _at_least(value, self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of a standard's table.

    Parameters
    ----------
    number : int
        Its number in the table.
    property : str
        Vocabulary key.
    unit : str
        CF text of the limits.
    rule : Rule
        How values are held against the limits.
    limits : tuple of float
        One a class, best first; empty for `WITHIN` and `CHANGE`.
    lower, upper : float, optional
        The range of `WITHIN`, where all classes have one.
    ranges : tuple of (float, float)
        The range of `WITHIN` for each class, best first.
    applies_to : frozenset of WaterBody
        Kinds of water the row is printed for.
    role : Role
        Decides the class, or is reported beside it.
    mean : {"arithmetic", "hydrogen_ion"}
        How several results become one value.
    alternative : Alternative, optional
        A second way to a class.
    source : str
        The clause.
    note : Words, optional
        What a reader must know of it.
    classes : int
        How many classes the standard has.
    """

    number: int
    property: str
    unit: str
    rule: Rule
    classes: int
    limits: tuple[float, ...] = ()
    lower: float | None = None
    upper: float | None = None
    ranges: tuple[tuple[float, float], ...] = ()
    applies_to: frozenset[WaterBody] = frozenset()
    role: Role = Role.ASSESSED
    mean: str = "arithmetic"
    alternative: Alternative | None = None
    source: str = ""
    note: Words | None = None

    def class_index(self, value: float, alternative: float | None = None) -> int | None:
        """Return the best class whose limit the value satisfies.

        Parameters
        ----------
        value : float
            In the unit of the item.
        alternative : float, optional
            Value of the alternative's property, in its unit.

        Returns
        -------
        int or None
            0 for the best class; the number of classes for "worse than the worst"; None for a NaN, and for items that
            a reading cannot show.
        """
        if self.rule is Rule.CHANGE or math.isnan(value):
            return None
        index = next((n for n in range(self.classes) if self._satisfies(value, n)), self.classes)
        if self.alternative is not None and self.alternative.is_met(alternative):
            index = min(index, self.alternative.index)
        return index

    def limit(self, index: int) -> float | tuple[float | None, float | None] | None:
        """Return the limit of a class (of the worst class for a value beyond it); a pair for a range."""
        if self.ranges:
            return self.ranges[min(index, self.classes - 1)]
        if self.rule is Rule.WITHIN:
            return (self.lower, self.upper)
        if self.rule is Rule.CHANGE:
            return None
        return self.limits[min(index, self.classes - 1)]

    def multiple(self, value: float, index: int) -> float | None:
        """Return by what multiple of its limit a value exceeds a class: (C − limit)/limit.

        Returns
        -------
        float or None
            None where the value does not exceed, and for pH and dissolved oxygen, for which the standard defines none.
        """
        if self.rule is not Rule.AT_MOST or math.isnan(value) or index >= self.classes or self._satisfies(value, index):
            return None
        return (value - self.limits[index]) / self.limits[index]

    def _satisfies(self, value: float, index: int) -> bool:
        if self.rule is Rule.WITHIN:
            lower, upper = self.ranges[index] if self.ranges else (self.lower, self.upper)
            above = lower is None or _at_least(value, lower)
            return above and (upper is None or _at_most(value, upper))
        if self.rule is Rule.AT_LEAST:
            return _at_least(value, self.limits[index])
        if self.rule is Rule.MORE_THAN:
            return not _at_most(value, self.limits[index])
        return _at_most(value, self.limits[index])


def _at_most(value: float, limit: float) -> bool:
    return value <= limit + abs(limit) * _GUARD


def _at_least(value: float, limit: float) -> bool:
    return value >= limit - abs(limit) * _GUARD
