"""Reading Observations for SensorThings: what the filter allows is narrowed before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, RequestError
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.bound import Condition, Field, Variable, fields
from nilometer.web.sensorthings.query.columns import holds
from nilometer.web.sensorthings.query.observed import Documents, ObservationFrame, columns_needed
from nilometer.web.sensorthings.query.orders import Key, keys_of, sorted_rows
from nilometer.web.sensorthings.records import Records, window
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.sensorthings.selection import Span, names_feature, span_of

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
    documents : callable, optional
        Gives ``resultQuality`` of rows, for conditions on it.
    """

    def __init__(
        self, snapshot: Snapshot, records: Records, catalog: Catalog, documents: Documents | None = None
    ) -> None:
        self._snapshot, self._records, self._catalog = snapshot, records, catalog
        self._documents = documents or _no_documents
        self._asked: dict[int, _Asked] = {}
        records.answer_observed(self.observed)

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
        asked = self._ask(options)
        span = replace(asked.span)
        if within.datastreams is not None:
            span.datastreams = within.datastreams if span.datastreams is None else span.datastreams & within.datastreams
        water_only = options.samples == "water" and within.feature is None and not names_feature(asked.condition)
        rows = None
        if span.ids is not None:
            rows = self._by_ids(span, within, options)  # who names an id wants that row, water or not
        elif span.exact and within.feature is None and self._is_store_order(options, span):
            rows = self._in_store_order(span, options, water_only=water_only)
        if rows is None:
            rows = self._scanned(span, within, options, water_only=water_only)
        self._records.take(len(rows.table))
        return rows

    def observed(self, root: Variable, condition: Condition, column: str) -> NDArray[np.int64]:
        """Return what a column has in the Observations that meet a bound condition: ids of what they belong to."""
        span = span_of(condition, root, self._records.ids)
        water_only = column == "datastream" and not names_feature(condition)
        if span.ids is not None:
            table, chosen = self._of_ids(span)
        else:
            table = self._scan(span, root, {column}, water_only=water_only)
            chosen = np.ones(len(table), bool)
        chosen &= self._holding(span, root, table)
        return np.unique(table[column].to_numpy()[chosen]).astype(np.int64)

    def _ask(self, options: Options) -> _Asked:
        known = self._asked.get(id(options))
        if known is None:
            binder, by = Binder(OBSERVATION), Binder(OBSERVATION, "$orderby")
            condition = None if options.filter is None else binder.condition(options.filter)
            span = span_of(condition, binder.root, self._records.ids)
            known = _Asked(options, binder.root, condition, span, by.root, keys_of(by, options.orderby))
            self._asked[id(options)] = known
        return known

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
        keys = self._ask(options).keys
        return single and len(keys) == 1 and isinstance(keys[0][0], Field) and keys[0][0].name == "phenomenonTime"

    def _in_store_order(self, span: Span, options: Options, *, water_only: bool) -> Rows | None:
        """Return a page in the order that the store has; None where an Observation over an interval ends too late."""
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
        if _runs_over(table, span):
            return None
        # Of one time the greatest id comes first where the newest does: the store's own order backwards.
        count = None
        if options.count:
            count = self._snapshot.count(wanted, span.start, span.end, water_only=water_only, values=span.values)
            if count > len(table) and span.ended_by is not None:
                some = self._scan(span, None, {"phenomenon_time", "duration"}, water_only=water_only)
                if _runs_over(some, span):
                    return None
        return Rows(table.slice(skip, top), count, more=len(table) > skip + top)

    def _by_ids(self, span: Span, within: Within, options: Options) -> Rows:
        table, chosen = self._of_ids(span)
        return self._choose(table, chosen, span, within, options)

    def _of_ids(self, span: Span) -> tuple[pa.Table, NDArray[np.bool_]]:
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
        return table, chosen

    def _scanned(self, span: Span, within: Within, options: Options, *, water_only: bool) -> Rows:
        asked = self._ask(options)
        columns = {"id", "datastream", "feature", "phenomenon_time"}
        columns |= columns_needed((item for value, _ in asked.keys for item in fields(value)), asked.by)
        table = self._scan(span, asked.root, columns, water_only=water_only)
        rows = self._choose(table, np.ones(len(table), bool), span, within, options)
        return Rows(self._whole(rows.table), rows.count, rows.more)

    def _scan(self, span: Span, root: Variable | None, columns: set[str], *, water_only: bool) -> pa.Table:
        """Read what a span leaves, with the columns that the rest of its filter needs, or refuse beyond the limit."""
        wanted = _listed(span)
        n = self._looked_at(wanted, span, water_only=water_only)
        if n > MOST_SCANNED:
            raise RequestError(
                f"{n} Observations would have to be looked at, the limit is {MOST_SCANNED}; "
                "narrow phenomenonTime or the Datastream",
                place="$filter",
            )
        if root is not None:
            columns = columns | columns_needed((item for leaf in span.rest for item in fields(leaf)), root)
        return self._snapshot.read(
            wanted,
            span.start,
            span.end,
            columns=None if "*" in columns else sorted(columns),
            water_only=water_only,
            values=span.values,
        )

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
        asked = self._ask(options)
        if within.feature is not None:
            chosen = chosen & (table["feature"].to_numpy() == within.feature)
        chosen = chosen & self._holding(span, asked.root, table)
        table = table.take(pa.array(np.flatnonzero(chosen)))
        skip, top = window(options)
        places = self._order(asked, table)
        count = len(table) if options.count else None
        return Rows(table.take(pa.array(places[skip : skip + top])), count, more=len(table) > skip + top)

    def _holding(self, span: Span, root: Variable, table: pa.Table) -> NDArray[np.bool_]:
        """Return for which rows what is left of a filter holds; each condition looks at those that the others left."""
        chosen = np.arange(len(table))
        for leaf in span.rest:
            rows = table if len(chosen) == len(table) else table.take(pa.array(chosen))
            chosen = chosen[holds(leaf, ObservationFrame(root, rows, self._records, self._documents))]
        found = np.zeros(len(table), bool)
        found[chosen] = True
        return found

    def _order(self, asked: _Asked, table: pa.Table) -> NDArray[np.intp]:
        """Return the row numbers in order; the id is the last key, and goes down where the key before it does."""
        ids = table["id"].to_numpy()
        if not asked.keys:
            moments = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            return np.lexsort([ids, moments, table["datastream"].to_numpy()])
        frame = ObservationFrame(asked.by, table, self._records, self._documents)
        return sorted_rows(asked.keys, frame, [-ids if asked.keys[-1][1] else ids])


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options of a reading, bound: a condition on one variable, keys on another, and what it narrows."""

    options: Options
    root: Variable
    condition: Condition | None
    span: Span
    by: Variable
    keys: list[Key]


def _runs_over(table: pa.Table, span: Span) -> bool:
    """Say whether a row over an interval ends later than asked for; instants never do."""
    if span.ended_by is None or not len(table):
        return False
    ends = table["phenomenon_time"].cast(pa.int64()).to_numpy() + table["duration"].to_numpy()
    return bool((ends > span.ended_by).any())


def _no_documents(_: pa.Table) -> list[Any]:
    raise RequestError("resultQuality cannot be asked of here", place="$filter")


def _listed(span: Span) -> list[int] | None:
    return None if span.datastreams is None else sorted(span.datastreams)
