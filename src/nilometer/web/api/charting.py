"""The rows of a chart: all of them, or fewer; above some number those that stand for their hour or day.

Whatever the resolution, what is given are rows as they are stored, and the least and the greatest value are among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store import Snapshot
from nilometer.store.rollups import asked_edges
from nilometer.store.spans import Span
from nilometer.web.api.reduction import reduce_rows, stand_ins

__all__ = ["Chart", "chart_rows"]

MOST_ROWS = 500_000
"""More rows are not held at a time: then hours or days are looked through, one stretch after the other."""

MOST_HOURS = 24 * 366 * 2
"""More hours than these are looked through as days."""

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

    Returns
    -------
    Chart
        ``raw``: every row. ``extremes``: reduced from all rows. ``hour``, ``day``: reduced from the first, the last,
        the least and the greatest row of each, and the same of each bad flag.
    """
    names = None if columns is None else list(dict.fromkeys([*columns, *_BY]))

    def read(first: int | None, last: int | None) -> pa.Table:
        return snapshot.read([datastream], first, last, columns=names, water_only=water_only)

    few = snapshot.most_rows(datastream) <= MOST_ROWS
    n = 0 if few else snapshot.count([datastream], start, end, water_only=water_only)
    if n <= MOST_ROWS:
        rows = read(start, end)
        if len(rows) <= most:
            return Chart(rows, len(rows), "raw")
        return Chart(_reduced(rows, most), len(rows), "extremes")
    span: Span = "hour"
    every = asked_edges(snapshot, datastream, span, start, end, time_zone)
    if len(every) > MOST_HOURS:
        span = "day"
        every = asked_edges(snapshot, datastream, span, start, end, time_zone)
    # What the question leaves out of its first and its last span is not shown.
    every[0] = every[0] if start is None else max(int(every[0]), start)
    every[-1] = every[-1] if end is None else min(int(every[-1]), end)
    parts = []
    for some in _stretches(every, -(-n // MOST_ROWS)):
        rows = read(int(some[0]), int(some[-1]))
        parts.append(rows.take(pa.array(stand_ins(*_figures(rows), some))))
    return Chart(_reduced(pa.concat_tables(parts), most), n, span)


def _stretches(every: NDArray[np.int64], count: int) -> Iterator[NDArray[np.int64]]:
    cuts = np.unique(np.linspace(0, len(every) - 1, count + 1).astype(np.int64))
    for first, last in pairwise(cuts.tolist()):
        yield every[first : last + 1]


def _figures(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
    return (
        rows["phenomenon_time"].cast(pa.int64()).to_numpy(),
        rows["result"].to_numpy().astype(np.float64),
        rows["result_quality"].to_numpy(),
    )


def _reduced(rows: pa.Table, most: int) -> pa.Table:
    return rows.take(pa.array(reduce_rows(*_figures(rows), most)))
