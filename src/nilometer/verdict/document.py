"""A verdict as JSON: what the native API, ``nilometer assess --json`` and a report show of it.

Numbers are not rounded (a class never rests on a rounded number); `decimals` says how many to show. Times are ms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nilometer import units
from nilometer.model.properties import vocabulary
from nilometer.verdict.wording import property_names

if TYPE_CHECKING:
    from nilometer.verdict.findings import ItemVerdict, Verdict

__all__ = ["document", "short_document"]


def short_document(verdict: Verdict) -> dict[str, Any]:
    """Return what a card shows: class, target, limiting items, how many items, how firm."""
    reason = verdict.indicative_reason
    return {
        "standard": verdict.standard.name,
        "edition": verdict.standard.edition,
        "applicable": True,
        "water_body": verdict.water_body.value,
        "class": verdict.class_,
        "target_class": verdict.target_class,
        "met": verdict.met,
        "limiting": [_limiting(part) for part in verdict.limiting],
        "assessed": verdict.items_assessed,
        "required": verdict.items_required,
        "indicative": verdict.indicative,
        "indicative_reason": None if reason is None else reason.to_document(),
        "start": _ms(verdict.start),
        "end": _ms(verdict.end),
        "class_without_suspect": verdict.class_without_suspect,
    }


def document(verdict: Verdict) -> dict[str, Any]:
    """Return the whole verdict."""
    standard, without = verdict.standard, verdict.without_suspect
    return {
        **short_document(verdict),
        "title": standard.title.to_document(),
        "method": {"name": standard.method, "title": standard.method_title.to_document()},
        "sources": {name: dict(part) for name, part in standard.sources.items()},
        "items": [_row(part, without) for part in verdict.items],
        "missing_items": [
            {"property": key, "names": property_names(key).to_document()} for key in verdict.missing_items
        ],
        "reference_items": [_row(part, without) for part in verdict.reference_items],
        "notes": [note.to_document() for note in verdict.notes],
        "without_suspect": None if without is None else short_document(without),
        "data": _data(verdict),
    }


def _limiting(part: ItemVerdict) -> dict[str, Any]:
    return {
        "property": part.property,
        "names": property_names(part.property).to_document(),
        "value": _number(part.value),
        "unit": part.item.unit,
        "class": part.class_,
        "multiple": part.multiple,
    }


def _row(part: ItemVerdict, without: Verdict | None) -> dict[str, Any]:
    term = vocabulary().get(part.property)
    counts = part.statistics
    trusted = part if without is None else without.item(part.property)
    return {
        **_limiting(part),
        "symbol": units.symbol(part.item.unit),
        "decimals": None if term is None else term.decimals,
        "rule": part.item.rule.value,
        "limit": _limit(part.limit),
        "target_limit": _limit(part.target_limit),
        "met": part.met,
        "by_saturation": part.by_saturation,
        "n": counts.n,
        "suspect": counts.suspect,
        "not_evaluated": counts.not_evaluated,
        "failed": counts.failed,
        "missing": counts.missing,
        "below_detection": counts.below,
        "above_range": counts.above,
        "minimum": _number(counts.minimum),
        "maximum": _number(counts.maximum),
        "without_suspect": {"value": _number(trusted.value), "class": trusted.class_},
        "datastreams": list(counts.datastreams),
        "source": f"{part.item.source}",
    }


def _data(verdict: Verdict) -> dict[str, Any]:
    counts = [part.statistics for part in (*verdict.items, *verdict.reference_items)]
    firsts = [part.first for part in counts if part.first is not None]
    lasts = [part.last for part in counts if part.last is not None]
    return {
        "datastreams": sorted({name for part in counts for name in part.datastreams}),
        "first": _ms(min(firsts, default=None)),
        "last": _ms(max(lasts, default=None)),
        "used": sum(part.n for part in counts),
        "suspect": sum(part.suspect for part in counts),
        "not_evaluated": sum(part.not_evaluated for part in counts),
        "failed": sum(part.failed for part in counts),
        "missing": sum(part.missing for part in counts),
        "samples": sum(part.samples for part in counts),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _limit(limit: Any) -> Any:  # noqa: ANN401 -- a number, a range or nothing
    return list(limit) if isinstance(limit, tuple) else limit


def _ms(time: int | None) -> int | None:
    return None if time is None else time // 1000
