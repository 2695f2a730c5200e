"""Rows for receivers that take rows: all that is behind a place in the history of commits, in its order, none twice.

The place is in the catalog. Before a batch is sent the end of it is written there as *under way*; when it is taken, as
the place. What was under way when something fell over is sent again *as repeated*: the receiver is told, or asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.errors import NotFound
from nilometer.model import Datastream
from nilometer.store import Catalog, Snapshot
from nilometer.uplink.own_values import COLUMNS, own_values, raw_unit_of
from nilometer.uplink.receiver import Desk

__all__ = ["Batch", "Row", "RowFeed", "datastreams_of", "hours_behind"]

HOUR_US = 3_600_000_000
BEHIND_MOST = 1_000_000
_LAST = (1 << 63) - 1
_PLANNED = 100_000
_READ = tuple(dict.fromkeys((*COLUMNS, "result_uncertainty", "result_quality", "result_time")))


@dataclass(frozen=True, slots=True)
class Row:
    """One Observation on its way: times in µs UTC; `repeated`: the receiver may have it already."""

    id: int
    commit: int
    datastream: Datastream
    time: int
    duration: int
    value: float | None
    unit: str
    uncertainty: float | None
    quality: int | None
    censored: int
    mark: str | None
    result_time: int | None
    repeated: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are sent together, and the place behind them; `is_again`: somebody asked for them."""

    rows: list[Row]
    commit: int
    id: int
    is_again: bool = False


class RowFeed:
    """The rows of one receiver; all of it blocks.

    Parameters
    ----------
    desk : Desk
        The store and the ledger.
    receiver : str
        Kind of the receiver.
    since : int, optional
        µs UTC: rows that were measured from then on; None: what is committed from now on.
    authority : bool
        Send only the instrument's own values of the water; see `own_values`.
    """

    def __init__(self, desk: Desk, receiver: str, *, since: int | None, authority: bool) -> None:
        self._desk, self._receiver, self._since, self._authority = desk, receiver, since, authority
        self._place = (0, _LAST)
        self._under_way: tuple[int, int] | None = None
        self._again: list[list[int]] = []
        self._plan = np.zeros((2, 0), np.int64)
        self._owed_since: int | None = None

    def open(self) -> None:
        """Read how far the receiver has come, or begin."""
        desk = self._desk
        first = desk.snapshot().sequence if self._since is None else 0
        fresh: dict[str, Any] = {"commit": first, "id": _LAST, "under_way": None, "again": [], "from": self._since}
        known = desk.ledger.begin(
            desk.name, self._receiver, desk.clock() if self._since is None else self._since, fresh
        )
        position = known.position
        self._place = (int(position["commit"]), int(position["id"]))
        under_way = position.get("under_way")
        self._under_way = None if under_way is None else (int(under_way[0]), int(under_way[1]))
        self._again = [list(one) for one in position.get("again", [])]
        self._owed_since = position.get("from")
        self._plan = np.zeros((2, 0), np.int64)

    def next(self, most: int) -> Batch | None:
        """Return the next rows, at most so many; None: it has all. Rows that may not leave are passed over."""
        desk = self._desk
        if desk.again:
            self._again += [[start, end, 0, -1] for start, end in desk.again]
            desk.again.clear()
            self._save()
        if self._again:
            return self._next_again(most)
        snapshot = desk.snapshot()
        if not self._plan.shape[1]:
            # What is to be sent is looked up for many batches at once: rows are read, ids are searched.
            ids = datastreams_of(desk.catalog, desk.status.things)
            found = snapshot.changes(*self._place, ids, self._owed_since, most=_PLANNED)
            self._plan = np.stack([found.commit, found.id])
        part, self._plan = self._plan[:, :most], self._plan[:, most:]
        if not part.shape[1]:
            return None
        end = (int(part[0, -1]), int(part[1, -1]))
        before = self._under_way
        # What was revised meanwhile stands behind this batch by now, and comes in its turn.
        rows = [row for row in self._rows(snapshot, part[1]) if (row.commit, row.id) <= end]
        self._under_way = end if before is None or before < end else before
        self._save()
        return Batch([_repeated(row, before) for row in rows], *end)

    def taken(self, batch: Batch) -> None:
        """Note that the receiver has a batch."""
        if batch.is_again:
            self._again[0][2:] = [batch.commit, batch.id]
        else:
            self._place = (batch.commit, batch.id)
            if self._under_way is not None and self._under_way <= self._place:
                self._under_way = None
        self._save()
        if batch.rows:
            newest = max(row.time for row in batch.rows)
            self._desk.status.newest = max(self._desk.status.newest or newest, newest)

    def lost(self) -> None:
        """Forget what was planned: the batch under way was not taken, and is sent again, as repeated."""
        self._plan = np.zeros((2, 0), np.int64)

    def waiting(self) -> int:
        """Return how many rows the receiver does not have, at most a million."""
        ids = datastreams_of(self._desk.catalog, self._desk.status.things)
        return len(self._desk.snapshot().changes(*self._place, ids, self._owed_since, most=BEHIND_MOST))

    def _next_again(self, most: int) -> Batch | None:
        start, end, commit, number = self._again[0]
        snapshot = self._desk.snapshot()
        ids = datastreams_of(self._desk.catalog, self._desk.status.things)
        found = snapshot.changes(commit, number, ids, start, end, most=most)
        if not len(found):
            self._again.pop(0)
            self._save()
            return self.next(most)
        last = (int(found.commit[-1]), int(found.id[-1]))
        rows = [_repeated(row, last) for row in self._rows(snapshot, found.id)]
        return Batch(rows, *last, is_again=True)

    def _rows(self, snapshot: Snapshot, ids: NDArray[np.int64]) -> Iterator[Row]:
        """Yield the rows of ids as they are now, in the order of commits."""
        table = self._of_those_there(snapshot.by_id(ids).select(list(_READ)))
        if self._authority:
            yield from self._own(table)
            return
        catalog = self._desk.catalog
        table = table.take(pa.array(_by_commit(table)))
        columns = {name: table[name].to_pylist() for name in _READ if name not in {"phenomenon_time", "result_time"}}
        time, result_time = (table[name].cast(pa.int64()).to_pylist() for name in ("phenomenon_time", "result_time"))
        for at, number in enumerate(columns["datastream"]):
            datastream = catalog.datastream(number)
            yield Row(
                id=columns["id"][at],
                commit=columns["commit"][at],
                datastream=datastream,
                time=time[at],
                duration=columns["duration"][at],
                value=columns["result"][at],
                unit=datastream.unit,
                uncertainty=columns["result_uncertainty"][at],
                quality=columns["result_quality"][at],
                censored=columns["censored"][at] or 0,
                mark=columns["mark"][at],
                result_time=result_time[at],
                repeated=False,
            )

    def _of_those_there(self, table: pa.Table) -> pa.Table:
        """Leave out rows of Datastreams that were deleted since the snapshot was taken."""
        gone = []
        for number in pc.unique(table["datastream"]).to_pylist():
            try:
                self._desk.catalog.datastream(number)
            except NotFound:
                gone.append(number)
        if not gone:
            return table
        return table.filter(pc.invert(pc.is_in(table["datastream"], pa.array(gone, pa.int32()))))

    def _own(self, table: pa.Table) -> Iterator[Row]:
        own, refused = own_values(table, self._desk.catalog)
        self._desk.status.refuse(refused)
        for at in np.lexsort((own.id, own.commit)).tolist():
            datastream = self._desk.catalog.datastream(int(own.datastream[at]))
            value = float(own.value[at])
            yield Row(
                id=int(own.id[at]),
                commit=int(own.commit[at]),
                datastream=datastream,
                time=int(own.time[at]),
                duration=int(own.duration[at]),
                value=None if np.isnan(value) else value,
                unit=raw_unit_of(datastream),
                uncertainty=None,
                quality=None,
                censored=int(own.censored[at]),
                mark=own.mark[at],
                result_time=None,
                repeated=False,
            )

    def _save(self) -> None:
        position = {"commit": self._place[0], "id": self._place[1], "again": self._again, "from": self._owed_since}
        under_way = None if self._under_way is None else list(self._under_way)
        self._desk.ledger.move(self._desk.name, position | {"under_way": under_way})


def datastreams_of(catalog: Catalog, things: Sequence[str]) -> list[int] | None:
    """Return the Datastreams of Things by key; None, for all rows there are, where none is named."""
    if not things:
        # Rows of a MultiDatastream have no one value to send.
        return [one.id for one in catalog.datastreams()] if len(catalog.streams.ever_multi()) else None
    ids = {thing.id for key in things if (thing := catalog.thing_by_key(key)) is not None}
    return [one.id for one in catalog.datastreams() if one.thing in ids]


def hours_behind(
    catalog: Catalog, snapshot: Snapshot, name: str, things: Sequence[str], start: int, end: int
) -> dict[str, Any]:
    """Return the hours (UTC) that hold rows which a receiver of rows does not have, as `gaps` does of periods."""
    position = catalog.uplinks.position(name)
    if position is None:
        return {"since": None, "counts": {}, "gaps": []}
    place = (int(position.position["commit"]), int(position.position["id"]))
    first = max(start, position.position.get("from") or start)
    found = snapshot.changes(*place, datastreams_of(catalog, things), first, end, most=BEHIND_MOST)
    hours, rows = np.unique(found.time // HOUR_US, return_counts=True)
    behind = [
        {
            "kind": "hour",
            "start": hour * HOUR_US // 1000,
            "end": (hour + 1) * HOUR_US // 1000,
            "state": "waiting",
            "refused": {},
            "attempts": 0,
            "rows": count,
        }
        for hour, count in zip(hours.tolist(), rows.tolist(), strict=True)
    ]
    return {"since": position.since // 1000, "counts": {"waiting": len(behind)}, "gaps": behind}


def _by_commit(table: pa.Table) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.lexsort((table["id"].to_numpy(), table["commit"].to_numpy()))
    return order


def _repeated(row: Row, under_way: tuple[int, int] | None) -> Row:
    if under_way is None or (row.commit, row.id) > under_way:
        return row
    return Row(**{name: getattr(row, name) for name in Row.__slots__} | {"repeated": True})
