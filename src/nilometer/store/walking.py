"""Rows in the store's own order, a bounded piece at a time: memory does not grow with how many there are.

A Datastream of many rows is walked by its row groups: what of a piece may still be joined by rows of a later group
waits for that group. Datastreams of few rows are read together. Hot rows are one more group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.query import Query
from nilometer.store.visible import Visible, joined, ordered

__all__ = ["PIECE", "Position", "walk"]

PIECE = 32_768
"""Rows in one piece at most."""

Position = tuple[int, int, int]
"""A row by (datastream, phenomenon_time in µs UTC, id), as rows are sorted."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a Datastream; none comes before `reach`, in µs UTC (negative where the newest come first)."""

    reach: int
    read: Callable[[], pa.Table]


def walk(
    visible: Visible,
    candidates: NDArray[np.int64],
    rows: NDArray[np.int64],
    wanted: Query,
    names: Sequence[str],
    *,
    water_only: bool,
    newest_first: bool,
    after: Position | None = None,
    piece: int = PIECE,
) -> Iterator[pa.Table]:
    """Yield rows sorted by (datastream, phenomenon_time, id), the two latter downwards when the newest come first.

    Parameters
    ----------
    visible : Visible
        The rows that are seen.
    candidates : ndarray of int64
        Datastreams, ascending.
    rows : ndarray of int64
        How many rows each of them has at most.
    wanted : Query
        A time range, and values or any; its Datastreams are those of `candidates`.
    names : sequence of str
        Columns of OBSERVATION; `id`, `datastream` and `phenomenon_time` are always among those that come.
    water_only, newest_first : bool
        As in `Snapshot.read`.
    after : Position, optional
        The last row that was shown before.
    piece : int
        Rows in one table at most.

    Raises
    ------
    StoreError
        If a file of the lake cannot be read.
    """
    columns = list(dict.fromkeys(("id", *names)))

    def parts_of(one: Query) -> list[pa.Table]:
        return list(visible.parts(one, columns, water_only=water_only))

    for some, n in _together(candidates, rows, piece):
        one = replace(wanted, datastreams=some.astype(np.int32))
        if after is not None and len(some) == 1 and some[0] == after[0]:
            one = replace(one, start=max(one.start, after[1])) if not newest_first else _until(one, after[1])
        if n <= piece:
            tables: Iterator[pa.Table] = iter([_sorted(parts_of(one), columns, newest_first=newest_first)])
        else:
            tables = _of_one(visible, one, columns, piece, water_only=water_only, newest_first=newest_first)
        for table in tables:
            rest = table if after is None else _behind(table, after, newest_first=newest_first)
            for start in range(0, rest.num_rows, piece):
                yield rest.slice(start, piece)


def _until(wanted: Query, last: int) -> Query:
    return replace(wanted, end=min(wanted.end, last + 1))


def _together(
    candidates: NDArray[np.int64], rows: NDArray[np.int64], piece: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield Datastreams that are read together, with how many rows they have at most."""
    start, total = 0, 0
    for at, n in enumerate(rows.tolist()):
        if at > start and total + n > piece:
            yield candidates[start:at], total
            start, total = at, 0
        total += n
    if start < len(candidates):
        yield candidates[start:], total


def _of_one(
    visible: Visible, wanted: Query, names: list[str], piece: int, *, water_only: bool, newest_first: bool
) -> Iterator[pa.Table]:
    """Yield the rows of one Datastream in order."""
    parts = [
        _Part(
            -int(file.blocks.latest[group]) if newest_first else int(file.blocks.earliest[group]),
            partial(visible.of_file, file, np.array([group]), wanted, names, water_only=water_only),
        )
        for file, group in visible.blocks(wanted)
    ]
    parts += _hot_parts(visible, wanted, names, piece, water_only=water_only, newest_first=newest_first)
    parts.sort(key=lambda part: part.reach)
    waiting = joined([], names)
    for part in parts:
        # Rows at the reach itself wait: those of one time come by id, wherever they lie.
        done = int(np.searchsorted(_reaches(waiting, newest_first=newest_first), part.reach))
        if done:
            yield waiting.slice(0, done)
            waiting = waiting.slice(done)
        waiting = _sorted([waiting, part.read()], names, newest_first=newest_first)
    if waiting.num_rows:
        yield waiting


def _hot_parts(
    visible: Visible, wanted: Query, names: list[str], piece: int, *, water_only: bool, newest_first: bool
) -> list[_Part]:
    """Return the hot rows of one Datastream in spans of about so many: who wants the first takes no more of them."""
    found = [table["phenomenon_time"].cast(pa.int64()) for table in visible.hot(wanted, [], water_only=water_only)]
    if not found:
        return []
    # They lie nearly in order, which a stable sort makes use of.
    times = np.sort(np.concatenate([column.to_numpy() for column in found]), kind="stable")
    places = _doubling(len(times), piece)
    if newest_first:
        edges = [int(times[0]), *np.unique(times[::-1][places] + 1).tolist()]
    else:
        edges = [*np.unique(times[places]).tolist(), int(times[-1]) + 1]
    return [
        _Part(
            1 - stop if newest_first else start,
            partial(
                _hot,
                visible,
                replace(wanted, start=start, end=stop),
                names,
                water_only=water_only,
                newest_first=newest_first,
            ),
        )
        for start, stop in pairwise(edges)
    ]


def _doubling(n: int, piece: int) -> list[int]:
    """Return places from 0 on, each twice as far from the one before, up to `PIECE`."""
    places, step = [0], piece
    while places[-1] + step < n:
        places.append(places[-1] + step)
        step = min(2 * step, PIECE)
    return places


def _hot(visible: Visible, wanted: Query, names: list[str], *, water_only: bool, newest_first: bool) -> pa.Table:
    return _sorted(list(visible.hot(wanted, names, water_only=water_only)), names, newest_first=newest_first)


def _reaches(table: pa.Table, *, newest_first: bool) -> NDArray[np.int64]:
    """Return the times of rows, ascending in the order asked for."""
    times: NDArray[np.int64] = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    return -times if newest_first else times


def _behind(table: pa.Table, after: Position, *, newest_first: bool) -> pa.Table:
    """Return the rows that come after one."""
    if not table.num_rows:
        return table
    sign = -1 if newest_first else 1
    datastream = table["datastream"].to_numpy()
    time = sign * table["phenomenon_time"].cast(pa.int64()).to_numpy()
    number = sign * table["id"].to_numpy()
    there, last, known = after[0], sign * after[1], sign * after[2]
    mask = (datastream > there) | ((datastream == there) & ((time > last) | ((time == last) & (number > known))))
    return table if mask.all() else table.filter(pa.array(mask))


def _sorted(parts: list[pa.Table], names: Sequence[str], *, newest_first: bool) -> pa.Table:
    table = ordered(joined(parts, names), newest_first=newest_first)
    assert table is not None  # noqa: S101 -- it has ids
    return table
