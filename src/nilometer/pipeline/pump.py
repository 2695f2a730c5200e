"""The pump: one thread in which rows pass admission, calibration, qc and the journal, many deliveries a commit.

Order of relief when more arrives than can be made durable: listeners lose their oldest rows, then HTTP deliveries are
refused (`Overloaded`), then sources wait, which is felt on the wire. Memory stays bounded by `MOST_QUEUED_ROWS`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import NilometerError, Overloaded, StoreError, StoreFull
from nilometer.model import ObservationBatch, Settlements
from nilometer.pipeline.log import Log
from nilometer.store.admission import Admission

__all__ = ["MOST_QUEUED_ROWS", "Delivery", "IngestOutcome", "Pump"]

MOST_QUEUED_ROWS = 2_000_000
MOST_ROWS_A_COMMIT = 262_144
RETRY_S = 0.5
MOST_ERRORS = 100

T = TypeVar("T")
_log = Log(__name__)


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
    status : ndarray of int8, shape (n,)
        What admission said of each row sent.
    """

    accepted: int = 0
    unchanged: int = 0
    revised: int = 0
    rejected: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    id: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    status: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))


@dataclass(slots=True)
class Delivery:
    """Rows on their way: `prepare` makes the batch in the pump's thread, `done` is told the outcome or the error.

    With `every_error` the outcome has the reason of every rejected row that admission knows one of.
    """

    rows: int
    prepare: Callable[[], ObservationBatch]
    done: Callable[[IngestOutcome | NilometerError], None]
    every_error: bool = False


class Pump:
    """Moves deliveries through the stages.

    Parameters
    ----------
    admit, finish, review, commit, publish : callable
        The stages: admission; calibration and qc (gives settlements); manual review (adds what follows from standing
        steps); the journal (gives the sequence); the listeners.
    abandon : callable
        Told of admitted rows that will never be journaled, whose flags may have moved the state of the tests.
    between : callable
        Called between commits, in the pump's thread: state snapshots and sealing hang on it.
    held : callable
        Called again and again while the store refuses and rows are held: what makes room hangs on it.
    """

    def __init__(
        self,
        *,
        admit: Callable[[ObservationBatch], Admission],
        finish: Callable[[ObservationBatch], Settlements],
        commit: Callable[[ObservationBatch, Settlements], int],
        publish: Callable[[ObservationBatch, Settlements, int], None],
        review: Callable[[ObservationBatch, Settlements], tuple[ObservationBatch, Settlements]] | None = None,
        abandon: Callable[[ObservationBatch], None],
        between: Callable[[], None],
        held: Callable[[], None],
    ) -> None:
        self._admit, self._finish, self._commit, self._abandon = admit, finish, commit, abandon
        self._publish, self._between, self._held = publish, between, held
        self._review = review or (lambda rows, settled: (rows, settled))
        self._queue: deque[Delivery] = deque()
        self._queued = 0
        self._turn = threading.Condition()
        self._stopping = False
        self._room: Callable[[], None] = lambda: None
        self._calls: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="nilometer-pump", daemon=True)
        self._ended = False
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
        refusing = self.refusing
        if refusing is not None and not wait:
            raise type(refusing)(str(refusing))
        if not wait and not self.has_room(delivery.rows):
            raise Overloaded(f"{self._queued} rows wait to be made durable; send again later")
        with self._turn:
            if self._stopping:
                raise StoreError("the server is stopping; nothing more is accepted")
            self._queue.append(delivery)
            self._queued += delivery.rows
            self._turn.notify()

    def call(self, action: Callable[[], None]) -> None:
        """Have something done in the pump's thread between two commits, where no row is in flight.

        Raises
        ------
        StoreError
            When the pump has ended: nobody would do it.
        """
        with self._turn:
            if self._ended:
                raise StoreError("the server has ended; nothing more is done")
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
                self._ended = ended
            for action in calls:
                _guarded(action, "a change between commits failed")
            if deliveries:
                self._pass(deliveries)
            _guarded(self._between, "the state was not kept; it will be tried again")
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
                batches.append(self._until_room(delivery.prepare, delivery.rows))
                prepared.append(delivery)
            except Exception as error:  # noqa: BLE001 -- one delivery's fault must not take the pump along
                _tell(delivery, _as_ours(error))
        try:
            if batches:
                self._pass_batches(prepared, batches)
        except Exception as error:  # noqa: BLE001 -- the same; every sender is told
            _log.exception("rows could not be processed", deliveries=len(prepared))
            for delivery in prepared:
                _tell(delivery, _as_ours(error))
        finally:
            with self._turn:
                self._queued -= sum(delivery.rows for delivery in deliveries)
            self._room()

    def _pass_batches(self, deliveries: list[Delivery], batches: list[ObservationBatch]) -> None:
        whole = ObservationBatch.concat(batches)
        admission = self._until_room(lambda: self._admit(whole), len(whole))
        rows = admission.rows
        written, settled, sequence = rows, Settlements.none(), 0
        if len(rows):
            try:
                settled = self._finish(rows)
                # The state of the tests has moved: from here rows are held however long it takes, never dropped.
                written, settled, sequence = self._until_room(
                    lambda: self._journal(rows, settled), len(rows), whatever=True
                )
            except BaseException:
                # Sent again, they must be new: never taken for rows that are stored already.
                _guarded(lambda: self._abandon(rows), "rows that were given up left a trace")
                raise
            self.committed_rows += len(rows)
        start = 0
        for delivery, batch in zip(deliveries, batches, strict=True):
            most = None if delivery.every_error else MOST_ERRORS
            _tell(delivery, outcome_of(admission, start, start + len(batch), most))
            start += len(batch)
        if len(rows):
            _guarded(lambda: self._publish(written, settled, sequence), "listeners were not told")

    def _journal(self, rows: ObservationBatch, settled: Settlements) -> tuple[ObservationBatch, Settlements, int]:
        """Journal rows with what the standing steps of a review make of them."""
        written, left = self._review(rows, settled)
        return written, left, self._commit(written, left)

    def _until_room(self, action: Callable[[], T], rows: int, *, whatever: bool = False) -> T:
        """Do something that writes; while the store refuses, hold the rows and try again.

        That is for a full disk, or `whatever` the store says.
        """
        while True:
            try:
                done = action()
            except StoreError as error:
                if self._stopping or not (whatever or error.retryable):
                    raise
                if self.refusing is None:
                    _log.error("the store refuses; rows are held", rows=rows, error=str(error))
                self.refusing = error if error.retryable else StoreFull(str(error))
                _guarded(self._held, "room could not be made")
                with self._turn:
                    self._turn.wait_for(lambda: self._stopping, RETRY_S)
            else:
                if self.refusing is not None:
                    _log.info("the store accepts again", rows=rows)
                self.refusing = None
                return done


def _guarded(action: Callable[[], None], failed: str) -> None:
    """Do what must not take the pump along when it fails."""
    try:
        action()
    except Exception:  # noqa: BLE001 -- whatever it is, the rows that come next must pass
        _log.exception(failed)


def _tell(delivery: Delivery, outcome: IngestOutcome | NilometerError) -> None:
    """Tell a sender; what a stranger's acknowledgement does wrong is not the others' concern."""
    _guarded(lambda: delivery.done(outcome), "a sender could not be told")


def _as_ours(error: Exception) -> NilometerError:
    return error if isinstance(error, NilometerError) else StoreError(f"{type(error).__name__}: {error}")


def outcome_of(admission: Admission, start: int, stop: int, most: int | None = MOST_ERRORS) -> IngestOutcome:
    """Return what admission said of the rows from `start` to `stop` of what it was given, with so many errors."""
    counts = np.bincount(admission.status[start:stop], minlength=4)
    errors = [(row - start, reason) for row, reason in sorted(admission.reasons.items()) if start <= row < stop]
    return IngestOutcome(
        accepted=int(counts[0]),
        unchanged=int(counts[1]),
        revised=int(counts[2]),
        rejected=int(counts[3]),
        errors=errors[:most],
        id=admission.id[start:stop],
        status=admission.status[start:stop],
    )
