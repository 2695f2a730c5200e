"""The rows of a chart: all of them, or fewer; above some number those that stand for their hour or day.

Whatever the resolution, what is given are rows as they are stored, and the least and the greatest value are among them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION
from nilometer.periods.spans import HOUR_US, Span, edges
from nilometer.store import Snapshot, Values
from nilometer.store.canonical import canonical
from nilometer.store.pieces import Piece
from nilometer.store.visible import ordered
from nilometer.web.api.reduction import reduce_rows, stand_ins

__all__ = ["Chart", "chart_rows"]

MOST_ROWS = 500_000
"""More rows are not held at a time: then hours or days are looked through, one piece after the other."""

MOST_HOURS = 24 * 366 * 2
"""More hours than these are looked through as days."""

KEPT_ROWS = 400_000
"""So many rows that stand for hours and days are kept, of pieces of files that do not change: some 50 MB at most."""

_BY = ("phenomenon_time", "result", "result_quality")


@dataclass(frozen=True, slots=True)
class Chart:
    """Rows to draw, how many there are in all, and what they are: ``raw``, ``extremes``, ``hour`` or ``day``."""

    rows: pa.Table
    count: int
    resolution: str


def chart_rows(
    snapshot: Snapshot,
    datastream: int,
    start: int | None,
    end: int | None,
    most: int,
    *,
    columns: Sequence[str] | None,
    water_only: bool,
    time_zone: str,
    values: Values | None = None,
) -> Chart:
    """Return the rows of a chart of one Datastream.

    Parameters
    ----------
    snapshot : Snapshot
        What is read.
    datastream : int
        Its id.
    start, end : int, optional
        µs UTC, start inclusive, end exclusive.
    most : int
        How many points are wanted; at most about twice as many are returned.
    columns : sequence of str, optional
        Of OBSERVATION; None: all.
    water_only : bool
        Leave out samples.
    time_zone : str
        Of the Thing: its days are looked through.
    values : Values, optional
        Only rows with these results or flags.

    Returns
    -------
    Chart
        ``raw``: every row. ``extremes``: reduced from all rows. ``hour``, ``day``: reduced from the first, the last,
        the least and the greatest row of each, and the same of each bad flag.
    """
    names = None if columns is None else list(dict.fromkeys([*columns, *_BY]))

    def read(first: int | None, last: int | None) -> pa.Table:
        return snapshot.read([datastream], first, last, columns=names, water_only=water_only, values=values)

    few = snapshot.most_rows(datastream) <= MOST_ROWS
    n = 0 if few else snapshot.count([datastream], start, end, water_only=water_only, values=values)
    if n <= MOST_ROWS:
        rows = read(start, end)
        if len(rows) <= most:
            return Chart(rows, len(rows), "raw")
        return Chart(_reduced(rows, most), len(rows), "extremes")
    span = _span(snapshot, datastream, start, end)
    wanted = OBSERVATION.names if names is None else names
    read_of_all = list(dict.fromkeys([*wanted, "id", "datastream"]))
    parts = (
        _standing_in(piece, read_of_all, span, time_zone)
        for piece in snapshot.pieces(datastream, start, end, water_only=water_only, values=values)
    )
    rows = ordered(pa.concat_tables([part for part in parts if part.num_rows]), newest_first=False)
    assert rows is not None  # noqa: S101 -- it has ids
    # A span that lies in two pieces has stand-ins of both: the same rows are chosen wherever files begin and end.
    rows = rows.take(pa.array(_chosen(rows, span, time_zone))).select(wanted)
    return Chart(_plain(snapshot, _reduced(rows, most)), n, span)


def _plain(snapshot: Snapshot, rows: pa.Table) -> pa.Table:
    """Return rows of a past moment so that their bytes are the same wherever they lie by now."""
    return rows if snapshot.commit is None else canonical(rows)


def _chosen(rows: pa.Table, span: Span, time_zone: str) -> NDArray[np.intp]:
    figures = _figures(rows)
    return stand_ins(*figures, edges(span, int(figures[0][0]), int(figures[0][-1]) + 1, time_zone))


def _span(snapshot: Snapshot, datastream: int, start: int | None, end: int | None) -> Span:
    extent = snapshot.extent(datastream)
    assert extent is not None  # noqa: S101 -- it has rows by the hundred thousand
    first = extent[0] if start is None else max(start, extent[0])
    last = extent[1] if end is None else min(end, extent[1])
    return "hour" if last - first <= MOST_HOURS * HOUR_US else "day"


class _Kept:
    """Rows that stand for spans, by the piece they were chosen from: those asked for last."""

    def __init__(self, most_rows: int) -> None:
        self._most, self._rows = most_rows, 0
        self._tables: OrderedDict[Hashable, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> pa.Table | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def put(self, key: Hashable, table: pa.Table) -> None:
        with self._lock:
            self._rows += len(table) - len(self._tables.pop(key, ()))
            self._tables[key] = table
            while self._rows > self._most:
                self._rows -= len(self._tables.popitem(last=False)[1])


_kept = _Kept(KEPT_ROWS)


def _standing_in(piece: Piece, names: Sequence[str], span: Span, time_zone: str) -> pa.Table:
    """Return the rows that stand for the spans of a piece."""
    key = None if piece.key is None else (piece.key, tuple(names), span, time_zone if span == "day" else "")
    known = None if key is None else _kept.get(key)
    if known is not None:
        return known
    rows = piece.read(names).select(names)
    if rows.num_rows:
        # Taken out of the whole: a view would keep all rows of the piece in memory.
        rows = rows.take(pa.array(_chosen(rows, span, time_zone))).combine_chunks()
    if key is not None:
        _kept.put(key, rows)
    return rows


def _figures(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
    return (
        rows["phenomenon_time"].cast(pa.int64()).to_numpy(),
        rows["result"].to_numpy().astype(np.float64),
        rows["result_quality"].to_numpy(),
    )


def _reduced(rows: pa.Table, most: int) -> pa.Table:
    return rows.take(pa.array(reduce_rows(*_figures(rows), most)))
