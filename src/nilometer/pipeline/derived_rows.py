"""Rows of a derived Datastream from rows of its inputs: a pure function, the same live and in reprocessing.

There is one row for every row of the water of the *clock* input, with its time, duration, feature and place. The other
inputs are taken at that time by their alignment. What this module never does: read a store, a clock or a journal, or
remember anything. A row depends on the inputs within their tolerance of its own time and on nothing else, so that any
cut of the times gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import NilometerError
from nilometer.model import ObservationBatch, QartodFlag
from nilometer.pipeline.derived_model import (
    Definition,
    DerivedRows,
    Floats,
    Operand,
    Rows,
    Times,
    Uses,
    among,
    rising,
    united,
)
from nilometer.uncertainty.rounding import round_all

__all__ = [
    "Definition",
    "DerivedRows",
    "Gathered",
    "Operand",
    "Rows",
    "Times",
    "among",
    "batch_of",
    "gathered",
    "is_final",
    "rising",
    "rows_of",
    "rows_of_each",
    "taken_at",
    "united",
    "usable",
]

# From best to worst: what a combination of flags is, is the worst of them.
_FLAG = np.array([QartodFlag.PASS, QartodFlag.NOT_EVALUATED, QartodFlag.SUSPECT, QartodFlag.FAIL, QartodFlag.MISSING])
_FLAG = _FLAG.astype(np.int8)
_RANK = np.zeros(10, np.int8)
_RANK[_FLAG] = range(len(_FLAG))


@dataclass(slots=True)
class _Taken:
    """One input at the times of the clock: in the function's unit, NaN and MISSING where there is none."""

    value: Floats
    uncertainty: Floats
    flag: NDArray[np.int8]


@dataclass(slots=True)
class Gathered:
    """Everything that rows of a derived Datastream are computed of.

    Parameters
    ----------
    definition : Definition
        How.
    clock : Rows
        One row of each identity.
    taken : list
        The operands at the times of the clock; of a constant one value.
    said : ndarray of int8, shape (n,)
        The worst flag of the inputs.
    there : ndarray of int
        The rows that have all inputs.
    """

    definition: Definition
    clock: Rows
    taken: list[_Taken]
    said: NDArray[np.int8]
    there: NDArray[np.intp]

    def kind(self) -> object:
        """Return what must be equal of two to compute them in one call."""
        one = self.definition
        constants = tuple(
            (place, taken.value.tobytes(), taken.uncertainty.tobytes())
            for place, (operand, taken) in enumerate(zip(one.operands, self.taken, strict=True))
            if operand.datastream is None
        )
        return id(one.function), constants, None if one.correlation is None else one.correlation.tobytes()

    def present(self) -> list[tuple[Floats, Floats]]:
        """Return value and uncertainty of each operand where all of them are there."""
        if len(self.there) == len(self.said):
            return [(one.value, one.uncertainty) for one in self.taken]
        return [
            (one.value, one.uncertainty)
            if operand.datastream is None
            else (one.value[self.there], one.uncertainty[self.there])
            for operand, one in zip(self.definition.operands, self.taken, strict=True)
        ]

    def rows(self, result: Floats, uncertainty: Floats) -> DerivedRows:
        """Return the rows, from what the function gave where all operands are there."""
        definition, clock, n = self.definition, self.clock, len(self.clock)
        if definition.scale != 1.0 or definition.offset != 0.0:
            result = result * definition.scale + definition.offset
            uncertainty = uncertainty * abs(definition.scale)
            round_all(result, uncertainty)
        lost = ~np.isfinite(result)
        if lost.any():
            result[lost], uncertainty[lost] = np.nan, np.nan
        if len(self.there) < n:
            whole, spread = np.full(n, np.nan), np.full(n, np.nan)
            whole[self.there], spread[self.there] = result, uncertainty
            result, uncertainty = whole, spread
        rows = DerivedRows(
            clock.time,
            clock.duration,
            clock.feature,
            clock.depth,
            clock.latitude,
            clock.longitude,
            result,
            uncertainty,
            self.said,
        )
        return rows.take(self.there) if definition.skips and len(self.there) < n else rows


def rows_of(definition: Definition, inputs: Mapping[int, Rows], times: Times | None = None) -> DerivedRows:
    """Return the rows of a derived Datastream.

    Parameters
    ----------
    definition : Definition
        What to compute.
    inputs : mapping of int to Rows
        By Datastream: every row within its tolerance of the times; others do no harm.
    times : ndarray of int64, optional
        The times of the clock that are asked for, µs since 1970 UTC; None: all.

    Returns
    -------
    DerivedRows
        One a row of the clock; of several that agree in time, duration, feature and depth, of the one with the
        greatest id. Without those that have an input missing, where the definition skips them.
    """
    (made,) = rows_of_each([gathered(definition, inputs, times)])
    if isinstance(made, Exception):
        raise made
    return made


def gathered(definition: Definition, inputs: Mapping[int, Rows], times: Times | None = None) -> Gathered:
    """Return what the rows of a derived Datastream are computed of; the parameters are those of `rows_of`."""
    clock = inputs.get(definition.clock_datastream, Rows.none())
    if times is not None:
        asked = among(clock.time, times)
        clock = clock if asked.all() else clock.take(asked)
    clock = _distinct(clock)
    taken = [
        _constant(one)
        if one.datastream is None
        else _own(definition, one, clock)
        if place == definition.clock
        else _aligned(definition, one, inputs.get(one.datastream, Rows.none()), clock)
        for place, one in enumerate(definition.operands)
    ]
    said = _worst([one.flag for one in taken], len(clock))
    return Gathered(definition, clock, taken, said, np.flatnonzero(said != QartodFlag.MISSING))


def rows_of_each(parts: Sequence[Gathered]) -> list[DerivedRows | Exception]:
    """Return the rows of several derived Datastreams; those of one function are computed in one call.

    A row depends on its own inputs alone, so that the company it is computed in makes no difference.

    Returns
    -------
    list of DerivedRows or Exception
        One a part: its rows as `rows_of` gives them, or why its function failed.
    """
    groups: dict[object, list[int]] = {}
    for place, part in enumerate(parts):
        groups.setdefault(part.kind() if len(part.there) else place, []).append(place)
    made: dict[int, DerivedRows | Exception] = {}
    for places in groups.values():
        try:
            made |= zip(places, _together([parts[place] for place in places]), strict=True)
        except NilometerError:
            raise
        except Exception as error:  # noqa: BLE001 -- a stranger's function: it is told of the Datastream it failed for
            alone = [[error]] if len(places) == 1 else [rows_of_each([parts[place]]) for place in places]
            made |= zip(places, (one for (one,) in alone), strict=True)
    return [made[place] for place in range(len(parts))]


def _together(parts: Sequence[Gathered]) -> list[DerivedRows]:
    """Return the rows of parts of one kind."""
    first, edges = parts[0].definition, np.cumsum([0, *(len(part.there) for part in parts)]).tolist()
    result, uncertainty = np.empty(0), np.empty(0)
    if edges[-1]:
        taken = [part.present() for part in parts]
        values = [_joined([one[place][0] for one in taken], operand) for place, operand in enumerate(first.operands)]
        spreads = [_joined([one[place][1] for one in taken], operand) for place, operand in enumerate(first.operands)]
        result, uncertainty = first.function.rows(values, spreads, first.correlation)
    return [
        part.rows(result[start:stop], uncertainty[start:stop])
        for part, start, stop in zip(parts, edges, edges[1:], strict=False)
    ]


def _joined(columns: Sequence[Floats], operand: Operand) -> Floats:
    return columns[0] if len(columns) == 1 or operand.datastream is None else np.concatenate(columns)


def taken_at(whose: Uses, one: Operand, rows: Rows, times: Times, depth: Floats | None = None) -> tuple[Floats, Floats]:
    """Return value and uncertainty of an input at some times, in any order; NaN where none is within its tolerance.

    Parameters
    ----------
    whose, one
        Which flags are used, and how the input is taken.
    rows : Rows
        The input: every row within its tolerance of the times; others do no harm.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    depth : ndarray of float64, shape (n,), optional
        Of rows at a depth only those of the same depth are taken.
    """
    n = len(times)
    nan, zero = np.full(n, np.nan), np.zeros(n, np.int8)
    place = nan if depth is None else depth
    none = np.zeros(n, np.bool_)
    clock = Rows(times, times, nan, nan, zero, zero, times, zero.astype(np.int32), place, nan, nan, zero, none)
    taken = _aligned(whose, one, rows, clock)
    return taken.value, taken.uncertainty


def is_final(
    definition: Definition, inputs: Mapping[int, Rows], times: Times, newest: Mapping[int, int]
) -> NDArray[np.bool_]:
    """Say of times of the clock whether every input is there, and later rows of it would not be taken instead.

    An input is there when a row of it lies within reach, whatever its flag: who waits longer gets no other. Where none
    does, the time is not final: the row may be late.

    Parameters
    ----------
    definition, inputs, times
        As `rows_of`.
    newest : mapping of int to int
        The newest phenomenon_time of each Datastream; absent: it has no rows.
    """
    final = np.ones(len(times), np.bool_)
    for place, one in enumerate(definition.operands):
        if one.datastream is None or place == definition.clock:
            continue
        rows, reached = inputs.get(one.datastream), newest.get(one.datastream)
        if rows is None or reached is None:
            return np.zeros(len(times), np.bool_)
        if one.tolerance == 0 and np.array_equal(rows.time, times):
            continue
        good = rows.time[usable(definition, rows)]
        earliest, latest = times - one.tolerance, times + one.tolerance
        if one.align == "previous":
            final &= _any(rows.time, earliest, times) & (times <= reached)
        elif one.align == "linear":
            later = _any(good, times, latest) | (_any(rows.time, times, latest) & (latest <= reached))
            final &= _any(rows.time, earliest, times) & later
        else:
            final &= _any(good, times, latest) | (_any(rows.time, earliest, latest) & (latest <= reached))
    return final


def _any(time: Times, first: Times, last: Times) -> NDArray[np.bool_]:
    """Say of each span, both ends in it, whether one of the times lies there."""
    found: NDArray[np.bool_] = np.searchsorted(time, first, side="left") < np.searchsorted(time, last, side="right")
    return found


def batch_of(definition: Definition, made: DerivedRows) -> ObservationBatch:
    """Return derived rows as they are admitted: what an instrument sends is here what was computed."""
    n = len(made)
    return ObservationBatch(
        datastream=np.full(n, definition.datastream, np.int32),
        phenomenon_time=made.time.copy(),  # admission rounds it in place; it may be that of the window
        raw_result=made.result,
        feature=made.feature,
        duration=made.duration,
        depth=made.depth,
        latitude=made.latitude,
        longitude=made.longitude,
        syntax=made.said.astype(np.uint8),
        result=made.result,
        result_uncertainty=made.uncertainty,
    )


def usable(definition: Uses, rows: Rows) -> NDArray[np.bool_]:
    """Say which rows have a value whose flag is used."""
    good: NDArray[np.bool_] = _lookup(definition.used)[rows.quality]
    good &= np.isfinite(rows.result)
    good &= rows.censored == 0
    return good


@cache
def _lookup(used: frozenset[int]) -> NDArray[np.bool_]:
    return np.isin(np.arange(10), list(used))


def _distinct(clock: Rows) -> Rows:
    """Return one row of each identity: the one that was given last."""
    if rising(clock.time):
        return clock
    place = np.where(np.isnan(clock.depth), np.inf, clock.depth)
    keys = (clock.time, clock.duration, clock.feature, place)
    order = np.lexsort((clock.id, *reversed(keys)))
    last = np.zeros(len(order), np.bool_)
    last[-1] = True
    for key in keys:
        last[:-1] |= key[order][1:] != key[order][:-1]
    return clock.take(order[last])


def _constant(one: Operand) -> _Taken:
    return _Taken(np.array([one.value]), np.array([one.uncertainty]), np.array([QartodFlag.PASS], np.int8))


def _own(definition: Definition, one: Operand, clock: Rows) -> _Taken:
    good = usable(definition, clock)
    flag = np.where(good, clock.quality, QartodFlag.MISSING).astype(np.int8)
    value = np.where(good, clock.result * one.scale + one.offset, np.nan)
    return _filled(one, _Taken(value, clock.uncertainty * abs(one.scale), flag))


def _aligned(definition: Uses, one: Operand, rows: Rows, clock: Rows) -> _Taken:
    """Return an input at the times of the clock.

    Of rows that were taken at a depth only those of the clock's own depth count, and those without one. Of rows of one
    time the one given last counts; of two equally near the earlier.
    """
    good = usable(definition, rows)
    rows = rows if good.all() else rows.take(good)
    if _is_beside(rows, clock):
        value, uncertainty = rows.result * one.scale + one.offset, rows.uncertainty * abs(one.scale)
        return _filled(one, _Taken(value, uncertainty, rows.quality.copy()))
    before, after = _neighbours(rows, clock)
    n, t = len(clock), clock.time
    time, value = rows.time, rows.result * one.scale + one.offset
    uncertainty = rows.uncertainty * abs(one.scale)
    taken = _Taken(np.full(n, np.nan), np.full(n, np.nan), np.full(n, QartodFlag.MISSING, np.int8))
    has_before, has_after = before >= 0, after >= 0
    has_before[has_before] = t[has_before] - time[before[has_before]] <= one.tolerance
    has_after[has_after] = time[after[has_after]] - t[has_after] <= one.tolerance
    if one.align == "linear":
        both = np.flatnonzero(has_before & has_after)
        b, a = before[both], after[both]
        span = time[a] - time[b]
        share = (t[both] - time[b]) / np.where(span == 0, 1, span)
        taken.value[both] = np.where(share == 0.0, value[b], value[b] + share * (value[a] - value[b]))
        mixed = uncertainty[b] + share * (uncertainty[a] - uncertainty[b])
        taken.uncertainty[both] = np.where(share == 0.0, uncertainty[b], mixed)
        taken.flag[both] = np.where(share == 0.0, rows.quality[b], _worst([rows.quality[b], rows.quality[a]], len(b)))
        return _filled(one, taken)
    if one.align == "previous":
        has_after[:] = False
    both = np.flatnonzero(has_before & has_after)
    nearer = t[both] - time[before[both]] <= time[after[both]] - t[both]
    has_after[both[nearer]] = False
    has_before[both[~nearer]] = False
    for mask, index in ((has_before, before), (has_after, after)):
        here = np.flatnonzero(mask)
        source = index[here]
        taken.value[here], taken.uncertainty[here] = value[source], uncertainty[source]
        taken.flag[here] = rows.quality[source]
    return _filled(one, taken)


def _filled(one: Operand, taken: _Taken) -> _Taken:
    """Put the stand-in where there is nothing."""
    if one.stand_in is not None:
        absent = taken.flag == QartodFlag.MISSING
        taken.value = np.where(absent, one.stand_in[0], taken.value)
        taken.uncertainty = np.where(absent, one.stand_in[1], taken.uncertainty)
        taken.flag[absent] = QartodFlag.SUSPECT
    return taken


def _is_beside(rows: Rows, clock: Rows) -> bool:
    """Say whether there is one row at each time of the clock, and no depth to keep apart: what most sensors give."""
    return np.array_equal(rows.time, clock.time) and rising(rows.time) and bool(np.isnan(rows.depth).all())


def _neighbours(rows: Rows, clock: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, by row of the clock, the last row at or before it and the first at or after it; -1: there is none.

    Among rows of one time that is the one with the greatest id.
    """
    if np.isnan(rows.depth).all() or not len(clock):
        return _beside(rows.time, clock.time)
    before, after = np.full(len(clock), -1, np.int64), np.full(len(clock), -1, np.int64)
    bare = np.isnan(clock.depth)
    before[bare], after[bare] = _beside(rows.time, clock.time[bare])
    anywhere = np.isnan(rows.depth)
    for depth in np.unique(clock.depth[~bare]):
        mine = clock.depth == depth
        near = np.flatnonzero(anywhere | (rows.depth == depth))
        one, other = _beside(rows.time[near], clock.time[mine])
        before[mine] = np.where(one >= 0, near[one], -1) if len(near) else -1
        after[mine] = np.where(other >= 0, near[other], -1) if len(near) else -1
    return before, after


def _beside(time: Times, at: Times) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    before = np.searchsorted(time, at, side="right") - 1
    first = np.searchsorted(time, at, side="left")
    inside = first < len(time)
    after = np.full(len(at), -1, np.int64)
    # The last of those rows that share the time of the first one at or after.
    after[inside] = np.searchsorted(time, time[first[inside]], side="right") - 1
    return before, after


def _worst(flags: Sequence[NDArray[np.int8]], n: int) -> NDArray[np.int8]:
    rank = np.zeros(n, np.int8)
    for flag in flags:
        rank = np.maximum(rank, _RANK[flag])
    worst: NDArray[np.int8] = _FLAG[rank]
    return worst
