"""Reading Observations for SensorThings: what the filter allows is narrowed before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, RequestError
from nilometer.model import SampleKind
from nilometer.model.schemas import OBSERVATION as OBSERVATION_SCHEMA
from nilometer.store import Catalog, Snapshot
from nilometer.store.walking import PIECE
from nilometer.web.sensorthings.answers.limits import HEAVY_ROWS, MOST_SECONDS, Deadline, Gate
from nilometer.web.sensorthings.answers.paging import LastId, Place, Rows, write_token
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.bound import Condition, Field, Variable, fields, holds_of_nothing
from nilometer.web.sensorthings.query.columns import holds
from nilometer.web.sensorthings.query.observed import Documents, ObservationFrame, columns_needed
from nilometer.web.sensorthings.query.orders import Key, keys_of, sorted_rows
from nilometer.web.sensorthings.records import Records
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.sensorthings.selection import Span, names_feature, span_of
from nilometer.web.sensorthings.slices import slices

__all__ = ["MOST_SCANNED", "Observations", "Within"]

MOST_SCANNED = 10_000_000
"""Rows that one request may look at where a filter or an order cannot be answered from the store's own order."""

_MOST_IDS = 10_000
_LEAST_PIECE = 1024


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look: Datastreams and MultiDatastreams (None: all), and one FeatureOfInterest or any."""

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
    documents : callable, optional
        Gives ``resultQuality`` of rows, for conditions on it.
    """

    def __init__(
        self, snapshot: Snapshot, records: Records, catalog: Catalog, gate: Gate, documents: Documents | None = None
    ) -> None:
        self._snapshot, self._records, self._catalog, self._gate = snapshot, records, catalog, gate
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
            found = self._catalog.feature(feature)
        except NotFound:
            return Within(frozenset(), feature)
        streams = self._catalog.streams.all()
        if found.sample_kind != SampleKind.WATER:
            return Within(frozenset(item.id for item in streams if found.thing in {None, item.thing}), feature)
        # Rows of other Things may be linked to the water of one.
        speaking, ids = self._snapshot.speaking_of(feature), np.array([item.id for item in streams], np.int64)
        return Within(frozenset((ids if speaking is None else np.intersect1d(ids, speaking)).tolist()), feature)

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
        asked = self._ask(options)
        span = replace(asked.span)
        if within.datastreams is not None:
            span.datastreams = within.datastreams if span.datastreams is None else span.datastreams & within.datastreams
        water_only = options.samples == "water" and within.feature is None and not names_feature(asked.condition)
        if span.ids is not None:
            found = self._by_ids(span, within, asked)  # who names an id wants that row, water or not
        elif span.exact and within.feature is None and self._is_store_order(options, span):
            return self._in_store_order(span, asked, columns, top, water_only=water_only)
        else:
            found = self._scanned(span, within, asked, top, water_only=water_only)
        return self._chosen(found, asked, top)

    def observed(self, root: Variable, condition: Condition, column: str) -> NDArray[np.int64]:
        """Return what a column has in the Observations that meet a bound condition: ids of what they belong to."""
        span = span_of(condition, root, self._ids)
        water_only = column == "datastream" and not names_feature(condition)
        tables: Iterator[pa.Table]
        if span.ids is not None:
            tables = iter([self._of_ids(span)])
        else:
            tables = self._scan([span], root, {column}, water_only=water_only)
        found = [np.unique(table[column].to_numpy()[self._holding(span, root, table)]) for table in tables]
        return np.unique(np.concatenate(found)).astype(np.int64) if found else np.zeros(0, np.int64)

    def _ask(self, options: Options) -> _Asked:
        known = self._asked.get(id(options))
        if known is None:
            binder, by = Binder(OBSERVATION), Binder(OBSERVATION, "$orderby")
            condition = None if options.filter is None else binder.condition(options.filter)
            span = span_of(condition, binder.root, self._ids)
            known = _Asked(options, binder.root, condition, span, by.root, keys_of(by, options.orderby))
            self._asked[id(options)] = known
        return known

    def _ids(self, variable: Variable, condition: Condition) -> NDArray[np.int64]:
        """Return the ids behind which Observations meet a condition; those that belong to the other type have null."""
        found = self._records.ids(variable, condition)
        if not holds_of_nothing(condition):
            return found
        streams = self._catalog.streams
        others = streams.multi if variable.kind.name == "Datastream" else streams.plain
        return np.union1d(found, np.array([one.id for one in others.all()], np.int64))

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

    def _in_store_order(
        self, span: Span, asked: _Asked, columns: Sequence[str] | None, top: int | None, *, water_only: bool
    ) -> Rows:
        options, wanted = asked.options, _listed(span)
        after = options.skiptoken
        if isinstance(after, Place | LastId):
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
        most = top
        if top is None or top > HEAVY_ROWS:
            n = self._snapshot.count(wanted, span.start, span.end, water_only=water_only, values=span.values)
            most = n if top is None else min(top, n)
        count = self._count(span, asked, water_only=water_only) if options.count else None
        return Rows(self._in_time(tables, span, asked), options.skip, top, count, most)

    def _in_time(self, tables: Iterator[pa.Table], span: Span, asked: _Asked) -> Iterator[pa.Table]:
        """Leave out Observations over an interval that ends too late; the store knows where one begins."""
        for table in tables:
            if _runs_over(table, span):
                yield table.filter(pa.array(self._holding(span, asked.root, table)))
            else:
                yield table

    def _count(self, span: Span, asked: _Asked, *, water_only: bool) -> int:
        """Return how many Observations a filter leaves that the store can look up."""
        count = self._snapshot.count(_listed(span), span.start, span.end, water_only=water_only, values=span.values)
        if span.ended_by is None:
            return count
        for table in self._scan([span], asked.root, {"phenomenon_time", "duration"}, water_only=water_only):
            if _runs_over(table, span):
                count -= len(table) - int(self._holding(span, asked.root, table).sum())
        return count

    def _chosen(self, found: pa.Table, asked: _Asked, top: int | None) -> Rows:
        """Return rows that were found, in their order; a data array has those of a Datastream together."""
        options = asked.options
        count = len(found) if options.count else None
        if options.skiptoken is not None and not isinstance(options.skiptoken, Place):
            raise RequestError("is of another order; follow the next link as it is", place="$skiptoken")
        start = _start(options)
        ids = found["id"].to_numpy()[self._order(asked, found, None if top is None else start + top + 1)]
        stop = len(ids) if top is None else min(start + top, len(ids))
        page = ids[start:stop]
        whole = self._whole(_grouped(page) if options.result_format == "dataArray" else page)
        rows = Rows(whole, 0, None, count, len(page))
        if stop < len(ids) and len(page):
            rows.following = write_token(Place(self._snapshot.sequence, stop))
        return rows

    def _by_ids(self, span: Span, within: Within, asked: _Asked) -> pa.Table:
        return self._choose(self._of_ids(span), span, within, asked)

    def _of_ids(self, span: Span) -> pa.Table:
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
        return table.filter(pa.array(chosen))

    def _scanned(self, span: Span, within: Within, asked: _Asked, top: int | None, *, water_only: bool) -> pa.Table:
        """Return the rows that a filter leaves; where none but the first are asked for, perhaps not all others."""
        columns = {"id", "datastream", "feature", "phenomenon_time"}
        columns |= columns_needed((item for value, _ in asked.keys for item in fields(value)), asked.by)
        kept = OBSERVATION_SCHEMA.names if "*" in columns else sorted(columns)
        parts: list[pa.Table] = []
        spans: Iterable[Span] = [span]
        if top is not None and not asked.options.count:
            need = _start(asked.options) + top + 1
            key = asked.keys[0] if asked.keys else None
            spans = slices(self._snapshot, span, key, need, lambda: sum(map(len, parts)) >= need)
        for table in self._scan(spans, asked.root, columns, water_only=water_only):
            parts.append(self._choose(table, span, within, asked).select(kept))  # noqa: PERF401 -- slices look at them
        return pa.concat_tables(parts) if parts else OBSERVATION_SCHEMA.empty_table().select(kept)

    def _scan(
        self, spans: Iterable[Span], root: Variable, columns: set[str], *, water_only: bool
    ) -> Iterator[pa.Table]:
        """Yield what spans leave, with the columns that the rest of their filter needs; refuse beyond the limits."""
        deadline = Deadline(MOST_SECONDS)
        looked_at, client, is_inside = 0, None, False
        try:
            for span in spans:
                wanted = _listed(span)
                n = self._looked_at(wanted, span, water_only=water_only)
                looked_at += n
                if looked_at > MOST_SCANNED:
                    raise RequestError(
                        f"{looked_at} Observations would have to be looked at, the limit is {MOST_SCANNED}; "
                        "narrow phenomenonTime or the Datastream",
                        place="$filter",
                    )
                if looked_at > HEAVY_ROWS and not is_inside:
                    client, is_inside = self._gate.enter(), True
                needed = columns | columns_needed((item for leaf in span.rest for item in fields(leaf)), root)
                names = None if "*" in needed else sorted(needed)
                for table in self._read(wanted, span, names, n, water_only=water_only):
                    yield table
                    deadline.check()
        finally:
            if is_inside:
                self._gate.leave(client)

    def _read(
        self, wanted: list[int] | None, span: Span, columns: Sequence[str] | None, n: int, *, water_only: bool
    ) -> Iterator[pa.Table]:
        if span.values is not None or n <= PIECE:
            # What several Datastreams have of some values or of a short time is found in one go.
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

    def _choose(self, table: pa.Table, span: Span, within: Within, asked: _Asked) -> pa.Table:
        chosen = self._holding(span, asked.root, table)
        if within.feature is not None:
            chosen &= table["feature"].to_numpy() == within.feature
        return table if chosen.all() else table.filter(pa.array(chosen))

    def _holding(self, span: Span, root: Variable, table: pa.Table) -> NDArray[np.bool_]:
        """Return for which rows what is left of a filter holds; each condition looks at those that the others left."""
        chosen = np.arange(len(table))
        for leaf in span.rest:
            rows = table if len(chosen) == len(table) else table.take(pa.array(chosen))
            chosen = chosen[holds(leaf, ObservationFrame(root, rows, self._records, self._documents))]
        found = np.zeros(len(table), bool)
        found[chosen] = True
        return found

    def _order(self, asked: _Asked, table: pa.Table, first: int | None) -> NDArray[np.intp]:
        """Return the row numbers in order, of all or of so many at least.

        The id is the last key, and goes down where the key before it does.
        """
        ids = table["id"].to_numpy()
        if not asked.keys:
            moments = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            return np.lexsort([ids, moments, table["datastream"].to_numpy()])
        frame = ObservationFrame(asked.by, table, self._records, self._documents)
        return sorted_rows(asked.keys, frame, [-ids if asked.keys[-1][1] else ids], first)


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


def _start(options: Options) -> int:
    """Return how many rows of an order come before the page."""
    return options.skip + (options.skiptoken.place if isinstance(options.skiptoken, Place) else 0)


def _grouped(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ids with those of a Datastream together, Datastreams in the order of their first."""
    _, first, group = np.unique(ids >> 32, return_index=True, return_inverse=True)
    return ids[np.argsort(first[group.reshape(-1)], kind="stable")]


def _listed(span: Span) -> list[int] | None:
    return None if span.datastreams is None else sorted(span.datastreams)
