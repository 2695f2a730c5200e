"""The first or the newest rows of Datastreams, read no further than the limit needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.query import Query
from nilometer.store.visible import Visible, joined, ordered

__all__ = ["first_rows"]


def first_rows(
    visible: Visible,
    candidates: Iterable[int] | NDArray[np.int64],
    wanted: Query,
    names: Sequence[str],
    limit: int,
    *,
    water_only: bool,
    newest_first: bool,
) -> pa.Table:
    """Return the first so many rows, Datastream by Datastream, of each in order of time.

    Parameters
    ----------
    visible : Visible
        The rows that are seen.
    candidates : iterable of int
        Datastreams, ascending.
    wanted : Query
        The time range.
    names : sequence of str
        Columns of OBSERVATION.
    limit : int
        How many rows at most.
    water_only : bool
        Leave out samples.
    newest_first : bool
        Within each Datastream the newest row comes first.
    """
    columns = list(dict.fromkeys((*names, "id")))  # tells rows of one time apart
    found: list[pa.Table] = []
    left = limit
    for datastream in candidates:
        if left <= 0:
            break
        one = replace(wanted, datastreams=np.array([datastream], np.int32))
        table = _of_one(visible, one, columns, left, water_only=water_only, newest_first=newest_first)
        found.append(table)
        left -= table.num_rows
    return joined(found, names)


def _of_one(
    visible: Visible, wanted: Query, names: list[str], limit: int, *, water_only: bool, newest_first: bool
) -> pa.Table:
    blocks = [
        (int(file.blocks.latest[group]) if newest_first else -int(file.blocks.earliest[group]), file, group)
        for file, group in visible.blocks(wanted)
    ]
    blocks.sort(key=lambda block: -block[0])
    table = _in_order(list(visible.hot(wanted, names, water_only=water_only)), names, newest_first=newest_first)
    for reach, file, group in blocks:
        if table.num_rows >= limit:
            worst = int(table["phenomenon_time"].cast(pa.int64())[limit - 1].as_py())
            if reach < (worst if newest_first else -worst):
                break
        part = visible.of_file(file, np.array([group]), wanted, names, water_only=water_only)
        if part.num_rows:
            table = _in_order([table, part], names, newest_first=newest_first)
    return table.slice(0, limit)


def _in_order(parts: list[pa.Table], names: Sequence[str], *, newest_first: bool) -> pa.Table:
    table = ordered(joined(parts, names), newest_first=newest_first)
    assert table is not None  # noqa: S101 -- it has ids
    return table
