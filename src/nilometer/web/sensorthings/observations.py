"""Reading Observations for SensorThings: what the filter allows is narrowed before anything is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, RequestError
from nilometer.model.schemas import OBSERVATION as OBSERVATION_SCHEMA
from nilometer.store import Catalog, Snapshot
from nilometer.store.walking import PIECE
from nilometer.web.sensorthings.answers.limits import HEAVY_ROWS, MOST_SECONDS, Deadline, Gate
from nilometer.web.sensorthings.answers.paging import Place, Rows, write_token
from nilometer.web.sensorthings.expressions import Path
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.records import Records
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.sensorthings.selection import Span, columns_of, mask, names_feature, order, span_of

__all__ = ["MOST_SCANNED", "Observations", "Within"]

MOST_SCANNED = 10_000_000
"""Rows that one request may look at where a filter or an order cannot be answered from the store's own order."""

_MOST_IDS = 10_000
_LEAST_PIECE = 1024


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look: Datastreams (None: all), and one FeatureOfInterest or any."""

    datastreams: frozenset[int] | None = None
    feature: int | None = None


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
    gate : Gate
        Where heavy queries wait for none, and are refused.
    seconds : float, optional
        How long a query may look for its rows; None: `MOST_SECONDS`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        records: Records,
        catalog: Catalog,
        gate: Gate,
        seconds: float | None = None,
    ) -> None:
        self._snapshot, self._records, self._catalog = snapshot, records, catalog
        self._gate, self._seconds = gate, MOST_SECONDS if seconds is None else seconds

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

    def page(self, within: Within, options: Options, *, columns: Sequence[str] | None = None, top: int | None) -> Rows:
        """Return rows; they are read while they are asked for.

        Parameters
        ----------
        within : Within
            Where to look.
        options : Options
            Filter, order and place; `count` and `skiptoken` too.
        columns : sequence of str, optional
            Of OBSERVATION, that have to be there; None: all.
        top : int, optional
            How many at most; None: all.

        Raises
        ------
        RequestError, NotSupported
            If the filter or the order cannot be answered.
        Overloaded
            If it takes too long, or too many others look at much.
        """
        span = span_of(options.filter, self._records.ids)
        if within.datastreams is not None:
            span.datastreams = within.datastreams if span.datastreams is None else span.datastreams & within.datastreams
        water_only = options.samples == "water" and within.feature is None and not names_feature(options.filter)
        if span.ids is not None:
            found = self._by_ids(span, within, options)  # who names an id wants that row, water or not
        elif span.exact and within.feature is None and self._is_store_order(options, span):
            return self._in_store_order(span, options, columns, top, water_only=water_only)
        else:
            found = self._scanned(span, within, options, water_only=water_only)
        return self._chosen(found, options, top)

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

    def _in_store_order(
        self, span: Span, options: Options, columns: Sequence[str] | None, top: int | None, *, water_only: bool
    ) -> Rows:
        wanted = _listed(span)
        after = options.skiptoken
        if isinstance(after, Place):
            raise RequestError("is of another order; follow the next link as it is", place="$skiptoken")
        tables = self._snapshot.walk(
            wanted,
            span.start,
            span.end,
            columns=columns,
            water_only=water_only,
            newest_first=bool(options.orderby) and options.orderby[0].descending,
            values=span.values,
            after=after,
            piece=PIECE if top is None else max(_LEAST_PIECE, min(PIECE, options.skip + top + 1)),
        )
        count = None
        if options.count:
            count = self._snapshot.count(wanted, span.start, span.end, water_only=water_only, values=span.values)
        most = top
        if top is None or top > HEAVY_ROWS:
            n = self._snapshot.count(wanted, span.start, span.end, water_only=water_only, values=span.values)
            most = n if top is None else min(top, n)
        return Rows(tables, options.skip, top, count, most)

    def _chosen(self, found: pa.Table, options: Options, top: int | None) -> Rows:
        """Return rows that were found, in their order; a data array has those of a Datastream together."""
        count = len(found) if options.count else None
        ids = found["id"].to_numpy()[order(options.orderby, found, self._keys(options, found))]
        if options.skiptoken is not None and not isinstance(options.skiptoken, Place):
            raise RequestError("is of another order; follow the next link as it is", place="$skiptoken")
        start = options.skip + (0 if options.skiptoken is None else options.skiptoken.place)
        stop = len(ids) if top is None else min(start + top, len(ids))
        page = ids[start:stop]
        rows = Rows(
            self._whole(_grouped(page) if options.result_format == "dataArray" else page), 0, None, count, len(page)
        )
        if stop < len(ids) and len(page):
            rows.following = write_token(Place(self._snapshot.sequence, stop))
        return rows

    def _by_ids(self, span: Span, within: Within, options: Options) -> pa.Table:
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
        return self._choose(table.filter(pa.array(chosen)), span, within)

    def _scanned(self, span: Span, within: Within, options: Options, *, water_only: bool) -> pa.Table:
        wanted = _listed(span)
        n = self._looked_at(wanted, span, water_only=water_only)
        if n > MOST_SCANNED:
            raise RequestError(
                f"{n} Observations would have to be looked at, the limit is {MOST_SCANNED}; "
                "narrow phenomenonTime or the Datastream",
                place="$filter",
            )
        needed = {"id", "datastream", "feature", "phenomenon_time"}
        kept = sorted(needed | columns_of([item.by for item in options.orderby]))
        columns = sorted(needed | columns_of(span.rest) | set(kept))
        deadline = Deadline(self._seconds)
        heavy = n > HEAVY_ROWS
        if heavy:
            self._gate.enter()
        try:
            parts = []
            for table in self._read(wanted, span, columns, water_only=water_only):
                parts.append(self._choose(table, span, within).select(kept))
                deadline.check()
        finally:
            if heavy:
                self._gate.leave()
        return pa.concat_tables(parts) if parts else OBSERVATION_SCHEMA.empty_table().select(kept)

    def _read(
        self, wanted: list[int] | None, span: Span, columns: Sequence[str], *, water_only: bool
    ) -> Iterator[pa.Table]:
        if span.values is not None:
            # What several Datastreams have of some values is found in one go, by the statistics of row groups.
            table = self._snapshot.read(
                wanted, span.start, span.end, columns=columns, water_only=water_only, values=span.values
            )
            return iter([table])
        return self._snapshot.walk(wanted, span.start, span.end, columns=columns, water_only=water_only)

    def _looked_at(self, wanted: list[int] | None, span: Span, *, water_only: bool) -> int:
        """Return how many rows have to be looked at: those in row groups that the values leave, if any are asked of."""
        n = self._snapshot.count(wanted, span.start, span.end, water_only=water_only)
        if span.values is None or n <= MOST_SCANNED:
            return n
        return min(n, self._snapshot.reach(wanted, span.start, span.end, values=span.values))

    def _whole(self, ids: NDArray[np.int64]) -> Iterator[pa.Table]:
        """Yield the rows of some ids, in their order."""
        for start in range(0, len(ids), PIECE):
            some = ids[start : start + PIECE]
            table = self._snapshot.by_id(some)
            found = table["id"].to_numpy()
            sorter = np.argsort(found)
            yield table.take(pa.array(sorter[np.searchsorted(found, some, sorter=sorter)]))

    def _choose(self, table: pa.Table, span: Span, within: Within) -> pa.Table:
        chosen = np.ones(len(table), bool)
        if within.feature is not None:
            chosen &= table["feature"].to_numpy() == within.feature
        for leaf in span.rest:
            chosen = chosen & mask(leaf, table, self._records.ids)
        return table if chosen.all() else table.filter(pa.array(chosen))

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


def _grouped(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ids with those of a Datastream together, Datastreams in the order of their first."""
    _, first, group = np.unique(ids >> 32, return_index=True, return_inverse=True)
    return ids[np.argsort(first[group.reshape(-1)], kind="stable")]


def _listed(span: Span) -> list[int] | None:
    return None if span.datastreams is None else sorted(span.datastreams)
