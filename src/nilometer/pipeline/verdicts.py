"""Verdicts over what a Thing has stored: any window, and day by day in the Thing's zone."""

from __future__ import annotations

from typing import Any

from nilometer import units
from nilometer.model import Thing
from nilometer.store import Snapshot, Store
from nilometer.verdict import (
    DatastreamOf,
    Standard,
    Verdict,
    assess_periods,
    assess_series,
    days,
    not_applicable,
    series_of_observations,
    standard_for,
)
from nilometer.verdict.statistics import ItemSeries

__all__ = ["NotApplicable", "daily_verdicts", "verdict_of"]

NotApplicable = dict[str, Any]
"""What stands in a verdict's place where no shipped standard applies, JSON-ready."""

_COLUMNS = ("datastream", "phenomenon_time", "result", "result_quality", "censored", "feature")


def verdict_of(
    store: Store, thing: Thing, start: int, end: int, snapshot: Snapshot | None = None
) -> Verdict | NotApplicable:
    """Return the verdict on a Thing's water from `start` to `end` (µs since 1970 UTC, end exclusive).

    It rests on the rows of a snapshot; None: on those of now.
    """
    standard = standard_for(thing.water_body)
    if standard is None:
        return not_applicable(thing.water_body)
    series = _series(store, snapshot, thing, standard, start, end)
    target = _target(standard, thing)
    return assess_series(series, standard, water_body=thing.water_body, target_class=target, start=start, end=end)


def daily_verdicts(
    store: Store, thing: Thing, start: int, end: int, snapshot: Snapshot | None = None
) -> list[tuple[int, int, Verdict]]:
    """Return the verdict of every local day that holds any of [start, end), with its edges; none without a standard."""
    standard = standard_for(thing.water_body)
    edges = days(start, end, thing.time_zone)
    if standard is None or len(edges) < 2:
        return []
    series = _series(store, snapshot, thing, standard, edges[0], edges[-1])
    target = _target(standard, thing)
    verdicts = assess_periods(series, edges, standard, water_body=thing.water_body, target_class=target)
    return list(zip(edges[:-1], edges[1:], verdicts, strict=True))


def _series(
    store: Store, snapshot: Snapshot | None, thing: Thing, standard: Standard, start: int, end: int
) -> dict[str, ItemSeries]:
    wanted = {item.property for item in standard.items_for(thing.water_body)} | {
        item.alternative.property for item in standard.items_for(thing.water_body) if item.alternative is not None
    }
    wanted |= {"water_temperature", "oxygen_saturation"}
    mine = []
    for datastream in store.catalog.datastreams():
        if datastream.thing != thing.id or datastream.unit == units.UNKNOWN:
            continue
        key = store.catalog.observed_property(datastream.observed_property).key
        if key in wanted:
            mine.append(DatastreamOf(id=datastream.id, key=datastream.key, property=key, unit=datastream.unit))
    if not mine:
        return {}
    rows = (snapshot or store.snapshot()).read([one.id for one in mine], start, end, columns=_COLUMNS, water_only=False)
    return series_of_observations(rows, mine, sample_features=store.catalog.sample_kinds())


def _target(standard: Standard, thing: Thing) -> str | None:
    return thing.target_class if thing.target_class in standard.classes else None
