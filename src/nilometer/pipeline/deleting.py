"""Deletes: checked against what was signed, one commit for all Datastreams, with who and why in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nilometer.errors import RequestError
from nilometer.model import ObservationBatch
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.review_orders import Orders
from nilometer.store import Store

__all__ = ["DeleteOrder", "Deleted", "Deleting"]

_EVER = (-(1 << 63), (1 << 63) - 1)


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
