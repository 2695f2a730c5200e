"""The tests of several Datastreams: they wait for their inputs, and settle rows when these have come.

A row of the judged Datastream is compared with the row of the other one that is nearest in time, not further than
`within`. Which that is, is known as soon as the other has a row at the same time, or one `within` later or beyond:
then the row is settled. What the other never sends is given up: a row stays NOT_EVALUATED when the other has passed by
without a partner, or when its own Datastream has gone on by more than `deadline` before the partner came. The other's
rows are remembered as long, too. So the outcome depends on the rows and on which came first beyond a deadline, never
on how they were cut into batches.

Forms of comparison:

- *change*: this series moved by more than `n_dev` standard deviations (of its values in `tim_dev` before) and the
  other, at the same time, not by more than `other_n_dev` of its own: SUSPECT. A row that did not move passes at once.
- *difference*: this value less the other's, against `suspect` and `fail`.
- *curve*: this value outside the span that is usual at the other's value: SUSPECT; beyond the curve's ends nothing is
  said.

Here is no clock, no store and no profile: the engine says which rows stand in order, and writes what this settles.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc import layout
from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.kernel import slide_sums
from nilometer.qc.qartod.parameter import microseconds
from nilometer.qc.window import POINTS, most_buckets, width_of

__all__ = ["Joint", "Partner", "Seen", "Settled"]

_FIRST = -1
"""Arrival of a row that came in an earlier batch."""
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Partner:
    """The other Datastream of a test, and how its values become those of the judged one's unit."""

    datastream: int
    scale: float = 1.0
    offset: float = 0.0


@dataclass(slots=True)
class Seen:
    """Rows of one Datastream of a batch that have a value and stand in order.

    Parameters
    ----------
    row : ndarray of int64, shape (n,)
        Their rows in the batch: the order of arrival.
    time : ndarray of int64, shape (n,)
        µs, rising.
    value : ndarray of float64, shape (n,)
        Results.
    id : ndarray of int64, shape (n,)
        Ids.
    linked : ndarray of bool, shape (n,)
        The last value belongs to the same record.
    """

    row: NDArray[np.int64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    id: NDArray[np.int64]
    linked: NDArray[np.bool_]


@dataclass(slots=True)
class Settled:
    """What a batch settled: row in the batch (-1: of an earlier one), id and flag."""

    row: NDArray[np.int64]
    id: NDArray[np.int64]
    flag: NDArray[np.int8]


@dataclass(slots=True)
class _Side:
    """How far one series moves, row by row, in its own standard deviations."""

    period: int
    last: float = np.nan
    words: NDArray[np.int64] = field(init=False)
    pool: NDArray[np.int64] = field(init=False)
    used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def __post_init__(self) -> None:
        self.words = np.zeros(layout.WINDOW_WORDS, np.int64)
        self.words[layout.FIRST] = self.words[layout.UNTIL] = NO_TIME
        self.words[layout.OLDEST] = layout.NEVER
        width = width_of(self.period, POINTS)
        self.pool = np.zeros(2 * most_buckets(self.period, width) * layout.BUCKET_WORDS, np.int64)

    def moves(self, seen: Seen, deviations: float, least: int) -> NDArray[np.int8]:
        """Return 1 where a row moved by more than so many standard deviations, 0 where not, -1 where unknown."""
        n = len(seen.row)
        count, spread, since = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
        status = np.full(n, layout.PRESENT | layout.IN_ORDER, np.uint8)
        memory = (self.words, self.words.view(np.float64), self.pool, self.pool.view(np.float64), self.used)
        width = int(width_of(self.period, POINTS))
        base = np.zeros(n, np.int64)
        slide_sums(count, spread, since, seen.value, seen.time, status, base, *memory, self.period, width)
        before = np.concatenate([[self.last], seen.value[:-1]])
        self.last = float(seen.value[-1])
        change = np.abs(seen.value - before) * count
        moved = np.where(change * change > deviations * deviations * spread, 1, 0)
        known = seen.linked & (count >= least) & np.isfinite(before)
        return np.where(known, moved, -1).astype(np.int8)


@dataclass(slots=True)
class _Rows:
    """Rows kept in mind: time, value, whether moved, id, arrival."""

    time: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    value: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    moved: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    id: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    row: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def extended(self, seen: Seen, moved: NDArray[np.int8]) -> _Rows:
        """Return these, of earlier batches, and those of a batch behind them."""
        return _Rows(
            np.concatenate([self.time, seen.time]),
            np.concatenate([self.value, seen.value]),
            np.concatenate([self.moved, moved]),
            np.concatenate([self.id, seen.id]),
            np.concatenate([np.full(len(self.time), _FIRST), seen.row]),
        )

    def take(self, which: NDArray[Any]) -> _Rows:
        """Return some of them."""
        return _Rows(*(getattr(self, name)[which] for name in _Rows.__slots__))


class Joint:
    """One test of two Datastreams.

    Parameters
    ----------
    parameters : mapping
        As the profile has them, in the judged Datastream's unit.
    partner : Partner
        The other Datastream.
    """

    def __init__(self, parameters: Mapping[str, Any], partner: Partner) -> None:
        self.partner = partner
        self.parameters = parameters
        self._within = int(microseconds(parameters["within"]))
        self._deadline = int(microseconds(parameters["deadline"]))
        self._by_change = "n_dev" in parameters
        period = int(microseconds(parameters.get("tim_dev", 1.0)))
        self._own, self._other = _Side(period), _Side(period)
        self.open = _Rows()
        self._recent = _Rows()
        self._newest = NO_TIME  # of the judged Datastream
        self._passed = NO_TIME  # of the other

    def judge(self, own: Seen, other: Seen) -> Settled:
        """Take the rows of a batch; return those settled, in the order of the judged Datastream."""
        parameters = self.parameters
        least = parameters.get("least", 10)
        moved, other_moved = np.zeros(len(own.row), np.int8), np.zeros(len(other.row), np.int8)
        if self._by_change:
            if len(own.row):
                moved = self._own.moves(own, parameters["n_dev"], least)
            if len(other.row):
                other_moved = self._other.moves(other, parameters["other_n_dev"], least)
        waiting, recent = self.open.extended(own, moved), self._recent.extended(other, other_moved)
        at_once = waiting.moved != 1 if self._by_change else np.zeros(len(waiting.time), bool)
        chosen, known = self._partners(waiting, recent, own, other)
        flags = self._flags(waiting, recent, chosen)
        given_up = self._given_up(waiting, own, known)
        done = at_once | (known != _NEVER) | given_up
        flags[given_up & ~at_once] = NOT_EVALUATED
        if len(own.time):
            self._newest = int(own.time[-1])
        if len(other.time):
            self._passed = int(other.time[-1])
        self.open = waiting.take(~done)
        self._forget(recent)
        told = done & (flags != NOT_EVALUATED)
        return Settled(waiting.row[told], waiting.id[told], flags[told])

    def _partners(
        self, waiting: _Rows, recent: _Rows, own: Seen, other: Seen
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the partner of each row (-1: none) and when that was known (`_NEVER`: not yet)."""
        n = len(recent.time)
        if n == 0:
            return np.full(len(waiting.time), -1), np.full(len(waiting.time), _NEVER)
        after = np.searchsorted(recent.time, waiting.time)
        later, earlier = np.minimum(after, n - 1), np.maximum(after - 1, 0)
        ahead = np.where(after < n, recent.time[later] - waiting.time, _NEVER)
        behind = np.where(after > 0, waiting.time - recent.time[earlier], _NEVER)
        chosen = np.where(ahead < behind, later, earlier)
        apart = np.minimum(ahead, behind)
        chosen = np.where(apart <= self._within, chosen, -1)
        # Known with the row at the same time, or with the first one that lies `within` later or beyond.
        passing = np.searchsorted(recent.time, waiting.time + self._within)
        known = np.where(passing < n, recent.row[np.minimum(passing, n - 1)], _NEVER)
        known = np.where(ahead == 0, recent.row[later], known)
        # What the other sent is remembered for the deadline, counted in its own time at the row's arrival.
        stand = np.searchsorted(other.row, waiting.row) if len(other.row) else np.zeros(len(waiting.row), np.int64)
        passed = np.where(stand > 0, other.time[stand - 1], self._passed) if len(other.row) else self._passed
        came = waiting.row != _FIRST
        forgotten = came & (chosen >= 0) & (recent.time[chosen] < _less(passed, self._deadline))
        return np.where(forgotten, -1, chosen), known

    def _given_up(self, waiting: _Rows, own: Seen, known: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows' own Datastream had gone on beyond the deadline before the partner was known."""
        if not len(own.time):
            return np.zeros(len(waiting.time), bool)
        beyond = np.searchsorted(own.time, waiting.time + self._deadline, side="right")
        when = np.where(beyond < len(own.time), own.row[np.minimum(beyond, len(own.time) - 1)], _NEVER)
        given_up: NDArray[np.bool_] = when < known
        return given_up

    def _flags(self, waiting: _Rows, recent: _Rows, chosen: NDArray[np.int64]) -> NDArray[np.int8]:
        found = chosen >= 0
        at = np.maximum(chosen, 0)
        if not len(recent.time):
            value = np.full(len(at), np.nan)
            other_moved = np.full(len(at), -1)
        else:
            value = recent.value[at] * self.partner.scale + self.partner.offset
            other_moved = recent.moved[at]
        if self._by_change:
            flags = np.where(other_moved == 0, SUSPECT, np.where(other_moved == 1, PASS, NOT_EVALUATED))
            flags = np.where(found, flags, NOT_EVALUATED)
            flags = np.where(waiting.moved == 1, flags, np.where(waiting.moved == 0, PASS, NOT_EVALUATED))
            return flags.astype(np.int8)
        if "curve" in self.parameters:
            curve = np.array(self.parameters["curve"], np.float64)
            low = np.interp(value, curve[:, 0], curve[:, 1], left=np.nan, right=np.nan)
            high = np.interp(value, curve[:, 0], curve[:, 2], left=np.nan, right=np.nan)
            flags = np.where((waiting.value < low) | (waiting.value > high), SUSPECT, PASS)
            flags = np.where(np.isnan(low), NOT_EVALUATED, flags)
        else:
            apart = np.abs(waiting.value - value)
            flags = np.where(apart > self.parameters.get("suspect", np.inf), SUSPECT, PASS)
            flags = np.where(apart > self.parameters.get("fail", np.inf), FAIL, flags)
        return np.where(found, flags, NOT_EVALUATED).astype(np.int8)

    def _forget(self, recent: _Rows) -> None:
        """Keep of the other's rows those that a waiting or a coming row may need."""
        needed = _less(np.int64(self._passed), self._deadline)
        waits = int(self.open.time.min()) if len(self.open.time) else _NEVER
        coming = _NEVER if self._newest == NO_TIME else self._newest
        horizon = int(needed) if self._newest == NO_TIME else max(int(needed), min(waits, coming) - self._within)
        horizon = min(horizon, waits - self._within) if waits != _NEVER else horizon
        self._recent = recent.take(recent.time >= horizon)

    def to_bytes(self, digits: Mapping[int, NDArray[np.uint8]]) -> bytes:
        """Return what it keeps in mind, with the digits of the rows that wait; equal minds give equal bytes."""
        buffer = io.BytesIO()
        waiting = [digits[ident] for ident in self.open.id.tolist()]
        columns: dict[str, Any] = {
            "ends": np.array([self._newest, self._passed]),
            "digits": np.array(waiting, np.uint8).reshape(len(waiting), -1 if waiting else 0),
        }
        for name, rows in (("open", self.open), ("recent", self._recent)):
            columns |= {f"{name}.{item}": getattr(rows, item) for item in ("time", "value", "moved", "id")}
        for name, side in (("own", self._own), ("other", self._other)):
            columns |= {
                f"{name}.words": side.words,
                f"{name}.pool": side.pool[: side.used[0]],
                f"{name}.last": side.last,
            }
        np.savez(buffer, **columns)
        return buffer.getvalue()

    def restore(self, kept: bytes) -> dict[int, NDArray[np.uint8]]:
        """Go on from what `to_bytes` returned; return the digits of the rows that wait, by id."""
        with np.load(io.BytesIO(kept), allow_pickle=False) as columns:
            self._newest, self._passed = columns["ends"].tolist()
            parts = []
            for name in ("open", "recent"):
                time, value, moved, ids = (columns[f"{name}.{item}"] for item in ("time", "value", "moved", "id"))
                parts.append(_Rows(time, value, moved, ids, np.full(len(time), _FIRST)))
            self.open, self._recent = parts
            for name, side in (("own", self._own), ("other", self._other)):
                side.words[:] = columns[f"{name}.words"]
                pool = columns[f"{name}.pool"]
                side.pool[: len(pool)], side.used[0] = pool, len(pool)
                side.last = float(columns[f"{name}.last"])
            return dict(zip(self.open.id.tolist(), columns["digits"].copy(), strict=True))


def _less(time: Any, span: int) -> Any:  # noqa: ANN401 -- a number or an array
    """Return a time some µs earlier; before all times where there is none."""
    return np.where(time == NO_TIME, NO_TIME, time - np.where(time == NO_TIME, 0, span))
