"""What an assessment finds: a class, the items it came from, and all that a reader must know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nilometer.errors import ConfigError
from nilometer.model.entities import WaterBody
from nilometer.verdict.item import Item
from nilometer.verdict.standard import Standard
from nilometer.verdict.statistics import ItemStatistics
from nilometer.verdict.wording import Words

__all__ = ["ItemVerdict", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVerdict:
    """One item held against its limits.

    `class_index` counts from the best class, the number of classes is "beyond the worst", None is "no value";
    `limit` is the limit of that class, `target_limit` that of the target class, `multiple` by how much of it the value
    exceeds; `by_saturation` says that dissolved oxygen owes its class to the saturation route.
    """

    item: Item
    statistics: ItemStatistics
    value: float
    class_index: int | None
    class_: str | None
    limit: Any
    target_limit: Any
    multiple: float | None
    met: bool | None
    by_saturation: bool = False

    @property
    def property(self) -> str:
        """Return the vocabulary key."""
        return self.item.property


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A class with all that it rests on.

    `items` are the assessed items that data were given for, in the table's order (also those whose data were all left
    out: their class is None); `missing_items` are the keys of required items without a class; `limiting` holds the
    items of the worst class, the largest multiple first, and nothing when all are in the best class; `reference_items`
    are reported beside and decide nothing. `start` and `end` are µs. `without_suspect` is the verdict on the same data
    without SUSPECT, None where there is no SUSPECT.
    """

    standard: Standard
    water_body: WaterBody
    target_class: str | None
    class_: str | None
    class_index: int | None
    met: bool | None
    items: tuple[ItemVerdict, ...]
    limiting: tuple[ItemVerdict, ...]
    reference_items: tuple[ItemVerdict, ...]
    missing_items: tuple[str, ...]
    items_assessed: int
    items_required: int
    indicative_reason: Words | None
    start: int | None
    end: int | None
    notes: tuple[Words, ...]
    without_suspect: Verdict | None = None

    @property
    def indicative(self) -> bool:
        """Say whether the window is too short, or unknown, for a class of the method."""
        return self.indicative_reason is not None

    @property
    def class_without_suspect(self) -> str | None:
        """Return the class without SUSPECT values."""
        return self.class_ if self.without_suspect is None else self.without_suspect.class_

    def item(self, key: str) -> ItemVerdict:
        """Return the verdict on one item.

        Raises
        ------
        ConfigError
            If no data of that item were given.
        """
        known = {part.property: part for part in (*self.items, *self.reference_items)}
        if key not in known:
            raise ConfigError("item", seen=key, allowed=known)
        return known[key]

    def to_document(self) -> dict[str, Any]:
        """Return the verdict JSON-ready, times in ms; see `nilometer.verdict.document`."""
        from nilometer.verdict.document import document  # noqa: PLC0415 -- document reads Verdict

        return document(self)
