"""Rows at given points, each a Datastream with a time: only row groups that hold a point are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION
from nilometer.store.distinct import distinct
from nilometer.store.lake_file import LakeFile
from nilometer.store.query import query
from nilometer.store.visible import KEYS, Visible

__all__ = ["first_of_each", "rows_near"]


def rows_near(
    visible: Visible,
    datastream: NDArray[np.int32],
    time: NDArray[np.int64],
    columns: Sequence[str],
    *,
    water_only: bool,
) -> pa.Table:
    """Return the rows that may lie at points, some beside them, in no order.

    Parameters
    ----------
    visible : Visible
        The rows that are seen.
    datastream, time : ndarray
        The points, by pairs; at least one. A row of one point's Datastream at the time of another may be there too.
    columns : sequence of str
        Of OBSERVATION; `id`, `datastream` and `phenomenon_time` come first whatever is named.
    water_only : bool
        Leave out samples.
    """
    wanted = query(np.unique(datastream), int(time.min()), int(time.max()) + 1)
    order = np.argsort(datastream, kind="stable")
    points = datastream[order], time[order]
    times = distinct(time)
    names = ["id", *columns]
    parts = [_at_times(table, times) for table in visible.hot(wanted, names, water_only=water_only)]
    groups: dict[LakeFile, list[int]] = {}
    for file, group in visible.blocks(wanted):
        if _holds_point(file, group, points):
            groups.setdefault(file, []).append(group)
    for file, mine in groups.items():
        table = visible.of_file(file, np.array(mine), wanted, names, water_only=water_only)
        parts.append(_at_times(table, times))
    parts = [part.select(["id", *KEYS, *columns]) for part in parts if part.num_rows]
    schema = pa.schema([OBSERVATION.field(name) for name in ("id", *KEYS, *columns)])
    return pa.concat_tables(parts) if parts else schema.empty_table()


def first_of_each(rows: pa.Table, datastream: NDArray[np.int64], time: NDArray[np.int64]) -> pa.Table:
    """Return of each Datastream the row at its time that has the least id, in the order of Datastreams.

    Parameters
    ----------
    rows : pyarrow.Table
        As `rows_near` gives them.
    datastream, time : ndarray of int64
        The points, one a Datastream, Datastreams ascending.
    """
    owner = rows["datastream"].to_numpy()
    there = rows["phenomenon_time"].cast(pa.int64()).to_numpy() == time[np.searchsorted(datastream, owner)]
    places = np.flatnonzero(there)
    places = places[np.lexsort((rows["id"].to_numpy()[places], owner[places]))]
    _, first = np.unique(owner[places], return_index=True)
    return rows.take(pa.array(places[first]))


def _holds_point(file: LakeFile, group: int, points: tuple[NDArray[np.int32], NDArray[np.int64]]) -> bool:
    blocks = file.blocks
    low, high = np.searchsorted(points[0], (blocks.first[group], blocks.last[group] + 1))
    time = points[1][low:high]
    return bool(((time >= blocks.earliest[group]) & (time <= blocks.latest[group])).any())


def _at_times(table: pa.Table, times: NDArray[np.int64]) -> pa.Table:
    if not table.num_rows:
        return table
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    place = np.searchsorted(times, time)
    place[place == len(times)] = 0
    return table.filter(pa.array(times[place] == time))
