"""The pump: one thread in which rows pass admission, calibration, qc and the journal, many deliveries a commit.

Order of relief when more arrives than can be made durable: listeners lose their oldest rows, then HTTP deliveries are
refused (`Overloaded`), then sources wait, which is felt on the wire. Memory stays bounded by `MOST_QUEUED_ROWS`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from nilometer.errors import NilometerError, Overloaded, StoreError, StoreFull
from nilometer.model import ObservationBatch, Settlements
from nilometer.store.admission import Admission

__all__ = ["MOST_QUEUED_ROWS", "Delivery", "IngestOutcome", "Pump"]

MOST_QUEUED_ROWS = 2_000_000
MOST_ROWS_A_COMMIT = 262_144
RETRY_S = 0.5
MOST_ERRORS = 100

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class IngestOutcome:
    """What became of one delivery, once it is durable.

    Parameters
    ----------
    accepted, unchanged, revised, rejected : int
        Rows by what admission said of them.
    errors : list of (int, str)
        The first 100 rejected rows with the reason.
    id : ndarray of int64, shape (n,)
        Ids by row sent; 0 where rejected.
    """

    accepted: int = 0
    unchanged: int = 0
    revised: int = 0
    rejected: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    id: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(slots=True)
class Delivery:
    """Rows on their way: `prepare` makes the batch in the pump's thread, `done` is told the outcome or the error."""

    rows: int
    prepare: Callable[[], ObservationBatch]
    done: Callable[[IngestOutcome | NilometerError], None]


class Pump:
    """Moves deliveries through the stages.

    Parameters
    ----------
    admit, finish, commit, publish : callable
        The stages: admission; calibration and qc (gives settlements); the journal (gives the sequence); the listeners.
    between : callable
        Called between commits, in the pump's thread: state snapshots and sealing hang on it.
    """

    def __init__(
        self,
        *,
        admit: Callable[[ObservationBatch], Admission],
        finish: Callable[[ObservationBatch], Settlements],
        commit: Callable[[ObservationBatch, Settlements], int],
        publish: Callable[[ObservationBatch, Settlements, int], None],
        between: Callable[[], None],
    ) -> None:
        self._admit, self._finish, self._commit = admit, finish, commit
        self._publish, self._between = publish, between
        self._queue: deque[Delivery] = deque()
        self._queued = 0
        self._turn = threading.Condition()
        self._stopping = False
        self._room: Callable[[], None] = lambda: None
        self._calls: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="nilometer-pump", daemon=True)
        self.refusing: StoreError | None = None
        self.committed_rows = 0

    def start(self, room: Callable[[], None]) -> None:
        """Begin; `room` is called from the pump's thread whenever the queue has shrunk."""
        self._room = room
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Finish what is queued, then end."""
        with self._turn:
            self._stopping = True
            self._turn.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def queued(self) -> int:
        """Rows that wait."""
        return self._queued

    def has_room(self, rows: int) -> bool:
        """Say whether so many rows may be delivered now; an empty queue takes any number."""
        return self._queued == 0 or self._queued + rows <= MOST_QUEUED_ROWS

    def deliver(self, delivery: Delivery, *, wait: bool = False) -> None:
        """Queue a delivery.

        Raises
        ------
        Overloaded
            When the queue is full and `wait` is false.
        StoreError
            When the store refuses at present (disk full, read-only), or the pump has ended.
        """
        if self.refusing is not None and not wait:
            raise self.refusing
        if not wait and not self.has_room(delivery.rows):
            raise Overloaded(f"{self._queued} rows wait to be made durable; send again later")
        with self._turn:
            if self._stopping:
                raise StoreError("the server is stopping; nothing more is accepted")
            self._queue.append(delivery)
            self._queued += delivery.rows
            self._turn.notify()

    def call(self, action: Callable[[], None]) -> None:
        """Have something done in the pump's thread between two commits, where no row is in flight."""
        with self._turn:
            self._calls.append(action)
            self._turn.notify()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._queue or self._calls or self._stopping, timeout=1.0)
                deliveries = self._take()
                calls = list(self._calls)
                self._calls.clear()
                ended = self._stopping and not deliveries and not calls
            for action in calls:
                action()
            if deliveries:
                self._pass(deliveries)
            self._between()
            if ended:
                return

    def _take(self) -> list[Delivery]:
        taken: list[Delivery] = []
        rows = 0
        while self._queue and (not taken or rows + self._queue[0].rows <= MOST_ROWS_A_COMMIT):
            delivery = self._queue.popleft()
            taken.append(delivery)
            rows += delivery.rows
        return taken

    def _pass(self, deliveries: list[Delivery]) -> None:
        prepared, batches = [], []
        for delivery in deliveries:
            try:
                batches.append(delivery.prepare())
                prepared.append(delivery)
            except Exception as error:  # noqa: BLE001 -- one delivery's fault must not take the pump along
                delivery.done(_as_ours(error))
        try:
            if batches:
                self._pass_batches(prepared, batches)
        except Exception as error:  # noqa: BLE001 -- the same; every sender is told
            _log.exception("rows could not be processed", deliveries=len(prepared))
            for delivery in prepared:
                delivery.done(_as_ours(error))
        finally:
            with self._turn:
                self._queued -= sum(delivery.rows for delivery in deliveries)
            self._room()

    def _pass_batches(self, deliveries: list[Delivery], batches: list[ObservationBatch]) -> None:
        admission = self._admit(ObservationBatch.concat(batches))
        rows = admission.rows
        settled = self._finish(rows) if len(rows) else Settlements.none()
        sequence = self._commit_until_done(rows, settled) if len(rows) else 0
        self.committed_rows += len(rows)
        start = 0
        for delivery, batch in zip(deliveries, batches, strict=True):
            delivery.done(outcome_of(admission, start, start + len(batch)))
            start += len(batch)
        if len(rows):
            self._publish(rows, settled, sequence)

    def _commit_until_done(self, rows: ObservationBatch, settled: Settlements) -> int:
        """Journal the rows, however long it takes: the state of the tests has moved, so they are held, not dropped."""
        while True:
            try:
                sequence = self._commit(rows, settled)
            except StoreError as error:
                if self.refusing is None:
                    _log.error("the store refuses; rows are held", rows=len(rows), error=str(error))
                self.refusing = error if error.retryable else StoreFull(str(error))
                time.sleep(RETRY_S)
                if self._stopping:
                    raise
            else:
                if self.refusing is not None:
                    _log.info("the store accepts again", rows=len(rows))
                self.refusing = None
                return sequence


def _as_ours(error: Exception) -> NilometerError:
    return error if isinstance(error, NilometerError) else StoreError(f"{type(error).__name__}: {error}")


def outcome_of(admission: Admission, start: int, stop: int) -> IngestOutcome:
    """Return what admission said of the rows from `start` to `stop` of what it was given."""
    counts = np.bincount(admission.status[start:stop], minlength=4)
    errors = [(row - start, reason) for row, reason in sorted(admission.reasons.items()) if start <= row < stop]
    return IngestOutcome(
        accepted=int(counts[0]),
        unchanged=int(counts[1]),
        revised=int(counts[2]),
        rejected=int(counts[3]),
        errors=errors[:MOST_ERRORS],
        id=admission.id[start:stop],
    )
