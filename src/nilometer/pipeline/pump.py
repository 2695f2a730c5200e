"""The pump: rows pass admission, calibration, qc and the journal in one order, many deliveries a commit.

Two threads do it: this one judges, the `Writer` journals what was judged before. Order of relief when more arrives than
can be made durable: listeners lose their oldest rows, then HTTP deliveries are refused (`Overloaded`), then sources
wait, which is felt on the wire. Memory stays bounded by `MOST_QUEUED_ROWS`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from nilometer.errors import Overloaded, StoreError
from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.delivery import Delivery, as_ours, guarded, tell
from nilometer.pipeline.derived import Derived, Patient
from nilometer.pipeline.log import Log
from nilometer.pipeline.patience import Patience
from nilometer.pipeline.writing import Judged, Writer
from nilometer.store.admission import Admission

__all__ = ["MOST_QUEUED_ROWS", "Pump"]

MOST_QUEUED_ROWS = 2_000_000
MOST_ROWS_A_COMMIT = 131_072
NO_ROWS: Final = ObservationBatch.from_arrow(OBSERVATION.empty_table())

T = TypeVar("T")
_log = Log(__name__)


class Pump:
    """Moves deliveries through the stages.

    Parameters
    ----------
    admit, finish, review, derive, commit, publish : callable
        The stages: admission; calibration and qc (gives settlements); manual review (adds what follows from standing
        steps); derivation (adds what follows from the rows; gets what does again that the store refuses); the journal
        (gets these and the admitted batches among them, gives the sequence); the listeners. The first four are called
        in one thread, the last two in another.
    looks_back : callable
        Whether `review` reads what is stored: then all that was judged before is written first.
    is_due : callable
        Whether `derive` has something to add without a row.
    abandon : callable
        Told, in order, of admitted rows that will never be journaled, whose flags may have moved the state of the
        tests. Nothing is under way meanwhile.
    between : callable
        Called between batches, in the thread that judges: state snapshots and sealing hang on it.
    held : callable
        Called again and again while the store refuses and rows are held, in either thread: what makes room hangs on it.
    """

    def __init__(
        self,
        *,
        admit: Callable[[ObservationBatch], Admission],
        finish: Callable[[ObservationBatch], Settlements],
        commit: Callable[[ObservationBatch, Settlements, list[ObservationBatch]], int],
        publish: Callable[[ObservationBatch, Settlements, int], None],
        review: Callable[[ObservationBatch, Settlements], tuple[ObservationBatch, Settlements]] | None = None,
        looks_back: Callable[[], bool] = lambda: False,
        derive: Callable[[ObservationBatch, Settlements, Patient], Derived] | None = None,
        is_due: Callable[[], bool] = lambda: False,
        abandon: Callable[[list[ObservationBatch]], None],
        between: Callable[[], None],
        held: Callable[[], object],
    ) -> None:
        self._admit, self._finish, self._abandon, self._between = admit, finish, abandon, between
        self._review = review or (lambda rows, settled: (rows, settled))
        self._looks_back, self._is_due = looks_back, is_due
        self._derive = derive or (lambda rows, settled, _patient: Derived(rows, settled))
        self._queue: deque[Delivery] = deque()
        self._queued = 0
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._patience = Patience(self._turn, held)
        self._writer = Writer(self._lock, self._turn, commit=commit, publish=publish, held=held, done=self._done)
        self._stopping = False
        self._room: Callable[[], None] = lambda: None
        self._calls: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="nilometer-pump", daemon=True)
        self._ended = False
        self._revised_rows = 0

    def start(self, room: Callable[[], None]) -> None:
        """Begin; `room` is called from the pump's threads whenever the queue has shrunk."""
        self._room = room
        self._writer.start()
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Finish what is queued, then end."""
        with self._lock:
            self._stopping = True
            self._patience.end()
            self._writer.patience.end()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def queued(self) -> int:
        """Rows that wait."""
        return self._queued

    @property
    def committed_rows(self) -> int:
        """Rows that were journaled since the start, and those that a review wrote."""
        return self._writer.committed_rows + self._revised_rows

    @property
    def refusing(self) -> StoreError | None:
        """Why the store takes nothing at present."""
        return self._writer.patience.refusing or self._patience.refusing

    def note_revised(self, rows: int) -> None:
        """Count rows that were journaled by a call."""
        self._revised_rows += rows

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
        with self._lock:
            if self._stopping:
                raise StoreError("the server is stopping; nothing more is accepted")
            self._queue.append(delivery)
            self._queued += delivery.rows
            self._turn.notify_all()

    def call(self, action: Callable[[], None]) -> None:
        """Have something done in the thread that judges, between two commits, where no row is in flight.

        Raises
        ------
        StoreError
            When the pump has ended: nobody would do it.
        """
        with self._lock:
            if self._ended:
                raise StoreError("the server has ended; nothing more is done")
            self._calls.append(action)
            self._turn.notify_all()

    def ask(self, action: Callable[[], T]) -> T:
        """Have something done as `call` does, wait for it, and return what it gives; for other threads.

        Raises
        ------
        StoreError
            As `call`; and whatever the action raises.
        """
        answer: Future[T] = Future()

        def act() -> None:
            try:
                answer.set_result(action())
            except BaseException as error:  # noqa: BLE001 -- handed to the caller, who waits in another thread
                answer.set_exception(error)

        self.call(act)
        return answer.result()

    def rest(self) -> None:
        """Return when no row is in flight; only for what the pump itself calls between batches.

        What could not be written has been given up then, and the state of the tests is that of the journal.
        """
        self._writer.rest()
        self._give_up()

    def finish_writing(self) -> None:
        """Return when all that was judged is written, or has failed; for what the stages of `derive` read."""
        self._writer.rest()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._turn.wait_for(self._has_work, timeout=1.0)
                deliveries = self._take() if self._writer.has_room else []
                calls = list(self._calls)
                self._calls.clear()
                ended = self._stopping and not (self._queue or deliveries or calls)
                self._ended = ended
            if calls or ended or self._writer.has_failed:
                self.rest()
            for action in calls:
                guarded(action, "a change between commits failed")
            if deliveries:
                self._pass(deliveries)
            elif not ended and self._is_due():
                self._pass([])
            guarded(self._between, "the state was not kept; it will be tried again")
            if ended:
                self._writer.end()
                return

    def _has_work(self) -> bool:
        # Rows are taken only when there is a place to put them: until then more of them gather.
        if self._calls or self._writer.has_failed:
            return True
        return self._writer.has_room and bool(self._queue or self._stopping)

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
                batches.append(self._patience.until_taken(delivery.prepare, delivery.rows))
                prepared.append(delivery)
            except Exception as error:  # noqa: BLE001 -- one delivery's fault must not take the pump along
                tell(delivery, as_ours(error))
                self._done([delivery])
        if deliveries and not prepared:
            return
        judged = Judged(prepared, [len(batch) for batch in batches])
        try:
            self._judge(judged, batches)
        except Exception as error:  # noqa: BLE001 -- the same; every sender is told
            _log.exception("rows could not be processed", deliveries=len(prepared))
            judged.error = error
        if judged.error is not None or not self._writer.put(judged):
            # What was judged before is written first, or given up with it: the tests then know what the journal has.
            self._writer.rest()
            self._give_up(judged)

    def _judge(self, judged: Judged, batches: list[ObservationBatch]) -> None:
        written, settled = NO_ROWS, Settlements.none()
        if batches:
            whole = ObservationBatch.concat(batches)
            judged.admission = self._patience.until_taken(lambda: self._admit(whole), len(whole))
            rows = judged.rows
            if rows is None:
                return
            settled = self._finish(rows)
            # The state of the tests has moved: from here rows are held however long it takes, never dropped.
            written, settled = self.patiently(lambda: self._reviewed(rows, settled))
        derived = self._derive(written, settled, self.patiently)
        judged.derived = derived.admitted
        if len(derived.rows) or len(derived.settled):
            judged.written, judged.settled = derived.rows, derived.settled

    def patiently(self, action: Callable[[], T]) -> T:
        """Do what the store may refuse, until it does not."""
        return self._patience.until_taken(action, self._queued, whatever=True)

    def _reviewed(self, rows: ObservationBatch, settled: Settlements) -> tuple[ObservationBatch, Settlements]:
        """Return rows with what the standing steps of a review make of them."""
        if self._looks_back():
            self._writer.rest()
        return self._review(rows, settled)

    def _give_up(self, last: Judged | None = None) -> None:
        """Give up what the writer could not write, what was judged after it, and what could not be judged."""
        lost = self._writer.take_back()
        if last is not None:
            lost.append(last)
        if not lost:
            return
        rows = [batch for one in lost for batch in one.admitted]
        if rows or any(not one.deliveries for one in lost):
            # Sent again, they must be new: never taken for rows that are stored already.
            guarded(lambda: self._abandon(rows), "rows that were given up left a trace")
        first = next(one.error for one in lost if one.error is not None)
        for one in lost:
            for delivery in one.deliveries:
                tell(delivery, as_ours(one.error or first))
            self._done(one.deliveries)

    def _done(self, deliveries: list[Delivery]) -> None:
        with self._lock:
            self._queued -= sum(delivery.rows for delivery in deliveries)
        guarded(self._room, "who waits for room was not told")
