"""Which times of a derived Datastream a change of its inputs concerns, and which of its rows differ afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.model import QartodFlag
from nilometer.pipeline.derived_inputs import Inputs, near_each_other
from nilometer.pipeline.derived_model import Uses
from nilometer.pipeline.derived_rows import Definition, DerivedRows, Operand, Rows, Times, rising, united, usable
from nilometer.store import Snapshot

__all__ = ["Difference", "concerned", "differing", "matched", "pieces", "reach", "span", "within"]

PIECE = 100_000
"""Times of a clock that are recomputed at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What recomputation would change of one derived Datastream in one piece of time.

    Parameters
    ----------
    definition : Definition
        How it is made.
    rows : DerivedRows
        The rows that differ, as they are to be, sorted by time.
    former : ndarray of int64, shape (n,)
        The row of `current` that each of them follows; -1: it is new.
    current : Rows
        What is served.
    computed : int
        How many rows were computed.
    """

    definition: Definition
    rows: DerivedRows
    former: Times
    current: Rows
    computed: int


def reach(definition: Definition, datastream: int) -> int:
    """Return how far from a time, in µs, a row of an input may lie that is taken there."""
    return max((one.tolerance for one in definition.operands if one.datastream == datastream), default=0)


def concerned(inputs: Inputs, one: Definition, changed: Mapping[int, Times]) -> Times:
    """Return the times of the clock whose inputs may have changed, by the times of each input that did."""
    found = [changed.get(one.clock_datastream, np.empty(0, np.int64))]
    for place, operand in enumerate(one.operands):
        number = operand.datastream
        if number is None or number not in changed or place == one.clock:
            continue
        times = changed[number]
        if operand.tolerance == 0 and np.array_equal(times, found[0]):
            continue
        for some in near_each_other(times):
            near = inputs.rows(number, int(some[0]) - operand.tolerance, int(some[-1]) + operand.tolerance)
            first, last = span(one, operand, some, near)
            clock = inputs.rows(one.clock_datastream, int(first.min()), int(last.max()))
            found.append(within(clock.time if rising(clock.time) else np.unique(clock.time), first, last))
    return united(found)


def span(definition: Uses, one: Operand, times: Times, rows: Rows) -> tuple[Times, Times]:
    """Return from when to when a change of an input at each of some times may change what is taken; ends included.

    Parameters
    ----------
    definition, one
        What is derived, and of which input.
    times : ndarray of int64
        Rising.
    rows : Rows
        The input, as it now is, within its tolerance of the times.
    """
    first, last = times - (0 if one.align == "previous" else one.tolerance), times + one.tolerance
    if not np.isnan(rows.depth).all():
        return first, last
    near = rows.time[usable(definition, rows)]
    if not len(near):
        return first, last
    # Beyond its usable neighbours a row is not taken, and never was.
    before = np.searchsorted(near, times, "left") - 1
    after = np.searchsorted(near, times, "right")
    first = np.where(before >= 0, np.maximum(first, near[before] + 1), first)
    last = np.where(after < len(near), np.minimum(last, near[np.minimum(after, len(near) - 1)] - 1), last)
    return first, last


def within(times: Times, first: Times, last: Times) -> Times:
    """Return those of some rising times that lie in one of the spans, ends included."""
    start = np.searchsorted(times, first, "left")
    stop = np.maximum(np.searchsorted(times, last, "right"), start)
    n = len(times) + 1
    open_spans = np.cumsum(np.bincount(start, minlength=n) - np.bincount(stop, minlength=n))
    found: Times = times[open_spans[:-1] > 0]
    return found


def differing(made: DerivedRows, current: Rows) -> tuple[DerivedRows, NDArray[np.int64]]:
    """Return the rows that have to be written, and which of the current ones each of them follows (-1: none).

    These are the rows that are new or other than the current ones, sorted by time, and current rows that nothing gives
    any more: they become MISSING. Whether a row that a review made is another is not known here: it is among them.
    """
    if not len(current):
        return made, np.full(len(made), -1, np.int64)
    place = matched(made, current)
    old = np.flatnonzero(place >= 0)
    same = np.zeros(len(made), np.bool_)
    there = place[old]
    same[old] = (
        _equal(made.result[old], current.result[there])
        & _equal(made.uncertainty[old].astype(np.float32), current.uncertainty[there].astype(np.float32))
        & (made.said[old] == current.said[there])
        & ~current.reviewed[there]
    )
    bare = np.ones(len(current), np.bool_)
    bare[there] = False
    bare &= ~(np.isnan(current.result) & (current.said == QartodFlag.MISSING) & ~current.reviewed)
    lost = np.flatnonzero(bare)
    rows, place = made.take(~same), place[~same]
    if not len(lost):
        return rows, place
    nothing, left = np.full(len(lost), np.nan), current.take(lost)
    gone = DerivedRows(
        left.time,
        left.duration,
        left.feature,
        left.depth,
        left.latitude,
        left.longitude,
        nothing,
        nothing,
        np.full(len(lost), QartodFlag.MISSING, np.int8),
    )
    both = DerivedRows.concat([rows, gone])
    order = np.argsort(both.time, kind="stable")
    return both.take(order), np.concatenate([place, lost])[order]


def pieces(snapshot: Snapshot, one: Definition, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield spans, ends not in them, that hold a bounded number of times, or rows, of a clock and of what it gave."""
    extents = [snapshot.extent(number) for number in (one.clock_datastream, one.datastream)]
    edges = [extent for extent in extents if extent is not None]
    if not edges:
        return
    start, end = max(start, min(edge[0] for edge in edges)), min(end, max(edge[1] for edge in edges) + 1)
    pending = [(start, end)] if start < end else []
    while pending:
        first, last = pending.pop()
        if last - first > 1 and snapshot.count([one.clock_datastream, one.datastream], first, last) > PIECE:
            middle = (first + last) // 2
            pending += [(middle, last), (first, middle)]
        else:
            yield first, last


def matched(made: DerivedRows, current: Rows | DerivedRows) -> NDArray[np.int64]:
    """Return which current row has the identity of each row that was made; -1: none."""
    place = np.full(len(made), -1, np.int64)
    if not len(current) or not len(made):
        return place
    at = np.minimum(np.searchsorted(current.time, made.time), len(current) - 1)
    if rising(current.time):
        found = current.time[at] == made.time
        found &= (current.duration[at] == made.duration) & (current.feature[at] == made.feature)
        found &= _equal(current.depth[at], made.depth)
        place[found] = at[found]
        return place
    known = {key: row for row, key in enumerate(_keys(current))}
    return np.array([known.get(key, -1) for key in _keys(made)], np.int64)


def _keys(rows: Rows | DerivedRows) -> list[tuple[float, ...]]:
    depth = np.where(np.isnan(rows.depth), np.inf, rows.depth)
    columns = (rows.time, rows.duration, rows.feature, depth)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _equal(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = one == other
    same |= np.isnan(one) & np.isnan(other)
    return same
