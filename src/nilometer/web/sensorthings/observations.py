"""Reading Observations for SensorThings: what the filter allows is narrowed before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, RequestError
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.expressions import Path
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.records import Records, window
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.sensorthings.selection import Span, columns_of, mask, names_feature, order, span_of

__all__ = ["MOST_SCANNED", "Observations", "Rows", "Within"]

MOST_SCANNED = 10_000_000
"""Rows that one request may look at where a filter or an order cannot be answered from the store's own order."""

_MOST_IDS = 10_000


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look: Datastreams (None: all), and one FeatureOfInterest or any."""

    datastreams: frozenset[int] | None = None
    feature: int | None = None


@dataclass(slots=True)
class Rows:
    """A page of Observations as a table, how many there are in all (None: not asked), and whether more follow."""

    table: pa.Table
    count: int | None = None
    more: bool = False


class Observations:
    """The store, for one request.

    Parameters
    ----------
    snapshot : Snapshot
        What is read: one moment for the whole request.
    records : Records
        The catalog, for conditions through relations.
    catalog : Catalog
        For the Datastreams of a FeatureOfInterest.
    """

    def __init__(self, snapshot: Snapshot, records: Records, catalog: Catalog) -> None:
        self._snapshot, self._records, self._catalog = snapshot, records, catalog

    def one(self, number: int) -> pa.Table | None:
        """Return the row of an id as a table, or None."""
        rows = self._snapshot.by_id([number])
        return rows if len(rows) else None

    def of_feature(self, feature: int) -> Within:
        """Return where the Observations of a FeatureOfInterest are."""
        try:
            thing = self._catalog.feature(feature).thing
        except NotFound:
            return Within(frozenset(), feature)
        datastreams = frozenset(item.id for item in self._catalog.datastreams() if thing in {None, item.thing})
        return Within(datastreams, feature)

    def page(self, within: Within, options: Options) -> Rows:
        """Return a page."""
        span = span_of(options.filter, self._records.ids)
        if within.datastreams is not None:
            span.datastreams = within.datastreams if span.datastreams is None else span.datastreams & within.datastreams
        water_only = options.samples == "water" and within.feature is None and not names_feature(options.filter)
        if span.ids is not None:
            rows = self._by_ids(span, within, options)  # who names an id wants that row, water or not
        elif span.exact and within.feature is None and self._is_store_order(options, span):
            rows = self._in_store_order(span, options, water_only=water_only)
        else:
            rows = self._scanned(span, within, options, water_only=water_only)
        self._records.take(len(rows.table))
        return rows

    def newest(self, datastreams: Sequence[int]) -> pa.Table:
        """Return the newest water row of each Datastream that has one."""
        return self._snapshot.latest(datastreams)

    def has_several(self, datastream: int) -> bool:
        """Say whether a Datastream has more than one time."""
        extent = self._snapshot.extent(datastream)
        return extent is not None and extent[0] < extent[1]

    def _is_store_order(self, options: Options, span: Span) -> bool:
        single = span.datastreams is not None and len(span.datastreams) == 1
        if span.values is not None and not single:
            return False  # what several Datastreams have of some values is found in one go, not one after the other
        if not options.orderby:
            return True
        by = options.orderby[0].by
        return single and len(options.orderby) == 1 and isinstance(by, Path) and by.names == ("phenomenonTime",)

    def _in_store_order(self, span: Span, options: Options, *, water_only: bool) -> Rows:
        wanted = _listed(span)
        skip, top = window(options)
        newest_first = bool(options.orderby) and options.orderby[0].descending
        table = self._snapshot.read(
            wanted,
            span.start,
            span.end,
            water_only=water_only,
            limit=skip + top + 1,
            newest_first=newest_first,
            values=span.values,
        )
        ordered = table.take(pa.array(order(options.orderby, table, {})))
        count = None
        if options.count:
            count = self._snapshot.count(wanted, span.start, span.end, water_only=water_only, values=span.values)
        return Rows(ordered.slice(skip, top), count, more=len(ordered) > skip + top)

    def _by_ids(self, span: Span, within: Within, options: Options) -> Rows:
        ids = sorted(number for number in span.ids or () if 0 < number < 2**53)
        if len(ids) > _MOST_IDS:
            raise RequestError(f"more than {_MOST_IDS} ids", place="$filter")
        table = self._snapshot.by_id(ids)
        chosen = np.ones(len(table), bool)
        moments = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        if span.start is not None:
            chosen &= moments >= span.start
        if span.end is not None:
            chosen &= moments < span.end
        if span.datastreams is not None:
            chosen &= np.isin(table["datastream"].to_numpy(), list(span.datastreams))
        return self._choose(table, chosen, span, within, options)

    def _scanned(self, span: Span, within: Within, options: Options, *, water_only: bool) -> Rows:
        wanted = _listed(span)
        n = self._looked_at(wanted, span, water_only=water_only)
        if n > MOST_SCANNED:
            raise RequestError(
                f"{n} Observations would have to be looked at, the limit is {MOST_SCANNED}; "
                "narrow phenomenonTime or the Datastream",
                place="$filter",
            )
        needed = {"id", "datastream", "feature", "phenomenon_time"}
        needed |= columns_of(span.rest) | columns_of([item.by for item in options.orderby])
        table = self._snapshot.read(
            wanted, span.start, span.end, columns=sorted(needed), water_only=water_only, values=span.values
        )
        rows = self._choose(table, np.ones(len(table), bool), span, within, options)
        return Rows(self._whole(rows.table), rows.count, rows.more)

    def _looked_at(self, wanted: list[int] | None, span: Span, *, water_only: bool) -> int:
        """Return how many rows have to be looked at: those in row groups that the values leave, if any are asked of."""
        n = self._snapshot.count(wanted, span.start, span.end, water_only=water_only)
        if span.values is None or n <= MOST_SCANNED:
            return n
        return min(n, self._snapshot.reach(wanted, span.start, span.end, values=span.values))

    def _whole(self, chosen: pa.Table) -> pa.Table:
        """Return all columns of the chosen rows, in their order."""
        ids = chosen["id"].to_numpy()
        table = self._snapshot.by_id(ids.tolist())
        found = table["id"].to_numpy()
        sorter = np.argsort(found)
        return table.take(pa.array(sorter[np.searchsorted(found, ids, sorter=sorter)]))

    def _choose(self, table: pa.Table, chosen: NDArray[np.bool_], span: Span, within: Within, options: Options) -> Rows:
        if within.feature is not None:
            chosen = chosen & (table["feature"].to_numpy() == within.feature)
        for leaf in span.rest:
            chosen = chosen & mask(leaf, table, self._records.ids)
        table = table.take(pa.array(np.flatnonzero(chosen)))
        skip, top = window(options)
        places = order(options.orderby, table, self._keys(options, table))
        count = len(table) if options.count else None
        return Rows(table.take(pa.array(places[skip : skip + top])), count, more=len(table) > skip + top)

    def _keys(self, options: Options, table: pa.Table) -> dict[int, NDArray[Any]]:
        """Return the keys of orders that go through a relation, such as ``Datastream/name``."""
        keys = {}
        for place, item in enumerate(options.orderby):
            if not isinstance(item.by, Path) or len(item.by.names) < 2 or item.by.names[1] in {"id", "@iot.id"}:
                continue
            relation = OBSERVATION.relations.get(item.by.names[0])
            if relation is None:
                continue
            values = self._records.keys(relation.target, Path(item.by.names[1:], item.by.at))
            ids = table[relation.through.own].to_pylist()
            keys[place] = _sortable([values.get(number) for number in ids])
        return keys


def _sortable(values: list[Any]) -> NDArray[Any]:
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, np.float64)
    return np.array([str(value) for value in values], object)


def _listed(span: Span) -> list[int] | None:
    return None if span.datastreams is None else sorted(span.datastreams)
