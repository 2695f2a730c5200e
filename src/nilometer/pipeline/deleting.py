"""Deletes: checked against what was signed, one commit for all Datastreams, with who and why in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import Conflict, RequestError
from nilometer.model import ObservationBatch
from nilometer.pipeline.computed import why_computed
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.review_orders import Orders
from nilometer.store import Store

__all__ = ["DeleteOrder", "Deleted", "Deleting"]

_EVER = (-(1 << 63), (1 << 63) - 1)
MOST_ASKED = 1000
"""Rows of which each is looked at by itself: whether it is signed, and what was derived from it."""


@dataclass(frozen=True, slots=True)
class DeleteOrder:
    """What is to be deleted.

    Parameters
    ----------
    datastreams : sequence of str or int
        Keys or ids.
    start, end : int, optional
        phenomenon_time in µs UTC, start inclusive, end exclusive; None: without end.
    by, reason, comment : str
        Who, why (a code as for the review, or nothing), and in words.
    force : bool
        Also rows that somebody signed.
    derives : bool
        Whether what was derived from them goes or changes with them.
    """

    datastreams: Sequence[str | int]
    start: int | None = None
    end: int | None = None
    by: str = ""
    reason: str = ""
    comment: str = ""
    force: bool = False
    derives: bool = True


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted.

    Parameters
    ----------
    rows : int
        How many rows there were.
    sequence, since : int, optional
        The commit from which on they are gone, and the first moment, µs UTC, that shows it; None: there were none.
    """

    rows: int
    sequence: int | None = None
    since: int | None = None


class Deleting:
    """Takes deletes, one at a time, in the pump's thread: what is under way then has been committed, or comes after.

    Parameters
    ----------
    store : Store
        The rows.
    orders : Orders
        Knows Datastreams, reasons and sign-offs.
    deriving : Deriving
        Knows what was derived from them.
    told : callable
        Told of every commit of derived rows that changed: the rows and their sequence.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(
        self,
        store: Store,
        orders: Orders,
        deriving: Deriving,
        told: Callable[[ObservationBatch, int], None],
        clock: Callable[[], int],
    ) -> None:
        self._store, self._orders, self._deriving = store, orders, deriving
        self._told, self._clock = told, clock

    def follow(self) -> None:
        """Bring derived rows to what is left of their inputs; also after a crash, before any row passes.

        Raises
        ------
        StoreError
            If the store refuses. What was committed before stays; the same call goes on from there.
        """
        for derived in self._deriving.settle_owed(self._clock()):
            sequence = self._store.commit(derived.rows, derived.settled, derived.admitted)
            self._told(derived.rows, sequence)

    def delete(self, order: DeleteOrder) -> Deleted:
        """Delete what is ordered; nothing is written where no row lies.

        Raises
        ------
        RequestError
            If the order cannot be understood.
        NotFound
            If there is no such Datastream.
        ReviewRefused
            If somebody signed some of the rows, and it is not forced.
        StoreError
            If the store refuses; then nothing was deleted.
        """
        if order.reason and order.reason not in self._orders.reasons:
            allowed = ", ".join(self._orders.reasons)
            raise RequestError(f"{order.reason!r} is no reason (allowed: {allowed})", place="reason")
        if order.start is not None and order.end is not None and order.end < order.start:
            raise RequestError("end lies before start", place="end")
        ids = [one.id for one in self._orders.datastreams(order.datastreams, "datastream")]
        start = _EVER[0] if order.start is None else order.start
        end = _EVER[1] if order.end is None else order.end
        rows = self._store.snapshot().count(ids, order.start, order.end, water_only=False)
        if not rows:
            return Deleted(0)
        followers = self._deriving.followers(ids) if order.derives else []
        self._orders.check_unsigned([*ids, *followers], [(start, end)], force=order.force)
        about = {"by": order.by.strip(), "reason": order.reason, "comment": order.comment, "rows": rows}
        if order.derives:
            self._deriving.deletes(ids, start, end)
        sequence = self._store.delete([*ids, *followers], order.start, order.end, about=about)
        self._deriving.forget()
        self.follow()
        return Deleted(rows, sequence, self._store.snapshot().committed(sequence))

    def delete_rows(self, ids: NDArray[np.int64], *, about: Mapping[str, str]) -> Deleted:
        """Delete single rows, and what was derived at their times; those that are not there are left out.

        Parameters
        ----------
        ids : ndarray of int64
            The rows.
        about : mapping
            ``by``, ``reason``, ``comment``, for the audit trail.

        Raises
        ------
        Conflict
            If a row is derived, or so many rows have followers that their times have to be deleted as a range.
        ReviewRefused
            If somebody signed one of them.
        StoreError
            If the store refuses; then nothing was deleted.
        """
        rows = self._store.snapshot().by_id(ids)
        if not rows.num_rows:
            return Deleted(0)
        numbers = rows["id"].to_numpy()
        datastream = rows["datastream"].to_numpy()
        time = rows["phenomenon_time"].cast(pa.int64()).to_numpy()
        whose = np.unique(datastream)
        for number in whose.tolist():
            reason = why_computed(number, self._store.catalog)
            if reason is not None:
                raise Conflict(f"{reason}; or take its definition back", place="path")
        self._check_rows(datastream, time)
        following = self._following(numbers, datastream, time)
        for number in whose.tolist():
            mine = time[datastream == number]
            self._deriving.deletes([number], int(mine.min()), int(mine.max()) + 1)
        gone = np.union1d(numbers, following)
        detail = {**about, "rows": rows.num_rows}
        sequence = self._store.delete(
            np.unique(gone >> 32).tolist(), int(time.min()), int(time.max()) + 1, about=detail, ids=gone
        )
        self._deriving.forget()
        self.follow()
        return Deleted(rows.num_rows, sequence, self._store.snapshot().committed(sequence))

    def _check_rows(self, datastream: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        for number in np.unique(datastream).tolist():
            mine = np.unique(time[datastream == number])
            spans = [(one, one + 1) for one in mine.tolist()]
            if len(spans) > MOST_ASKED:
                spans = [(int(mine[0]), int(mine[-1]) + 1)]
            self._orders.check_unsigned([number, *self._deriving.followers([number])], spans, force=False)

    def _following(
        self, numbers: NDArray[np.int64], datastream: NDArray[np.int32], time: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the derived rows that stand at rows which go, where none of their clock's is left at the time."""
        found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        snapshot = self._store.snapshot()
        for number in np.unique(datastream).tolist():
            followers = self._deriving.followers([number])
            if not followers:
                continue
            times = np.unique(time[datastream == number])
            if len(times) > MOST_ASKED:
                raise Conflict(
                    "others are derived from these rows, which are too many to be looked at one by one; delete a range "
                    "of times with DELETE /api/v1/observations",
                    place="$filter",
                )
            for moment in times.tolist():
                there = snapshot.read([number], moment, moment + 1, columns=["id"], water_only=False)
                if np.isin(there["id"].to_numpy(), numbers).all():
                    rows = snapshot.read(followers, moment, moment + 1, columns=["id"], water_only=False)
                    found.append(rows["id"].to_numpy())
        return np.concatenate(found)
