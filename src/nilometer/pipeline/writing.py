"""The second stage of the pump: judged rows go to the journal, in the order in which they were judged.

A sync takes as long as judging many rows does, so it has a thread of its own: while it writes one batch the pump
judges the next. Between the two lies one place. Where the journal does not take a batch for good, whatever was judged
after it was judged on rows that are not there: the writer stops, and the pump takes all of it back::

    pump    │ judge 2 ───▶│ judge 3 ───────▶│ … waits: the place is taken
                          ▼                 ▼
    place                [2]               [3]
                            ▼
    writer  │ write 1, sync │ write 2, sync, tell its senders │
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nilometer.model import ObservationBatch, Settlements
from nilometer.pipeline.delivery import Delivery, guarded, outcome_of, tell
from nilometer.pipeline.log import Log
from nilometer.pipeline.patience import Patience
from nilometer.store.admission import Admission

__all__ = ["Judged", "Writer"]

FEW_ROWS = 2_048

_log = Log(__name__)


@dataclass(slots=True)
class Judged:
    """Deliveries that share a commit, with what the stages before the journal made of their rows.

    Parameters
    ----------
    deliveries : list of Delivery
        Whose rows these are.
    lengths : list of int
        How many rows each of them brought.
    admission : Admission, optional
        What was said of every row; its `rows` are those that go on.
    written, settled
        What the journal gets.
    derived : list of ObservationBatch
        What admission gave of the rows that follow from these.
    error : Exception, optional
        Why it gets nothing.
    """

    deliveries: list[Delivery]
    lengths: list[int]
    admission: Admission | None = None
    written: ObservationBatch | None = None
    settled: Settlements = field(default_factory=Settlements.none)
    derived: list[ObservationBatch] = field(default_factory=list)
    error: Exception | None = None

    @property
    def rows(self) -> ObservationBatch | None:
        """The admitted rows; None: there are none."""
        return self.admission.rows if self.admission is not None and len(self.admission.rows) else None

    @property
    def admitted(self) -> list[ObservationBatch]:
        """All that admission gave: the rows of the deliveries, and those that follow from them."""
        return self.derived if self.rows is None else [self.rows, *self.derived]


class Writer:
    """Writes one batch at a time; one more may wait.

    Parameters
    ----------
    lock : threading.Lock
        The pump's.
    turn : threading.Condition
        What the pump waits on, of that lock.
    commit : callable
        The journal: what it gets, the settlements, and the admitted batches among it; gives the sequence.
    publish : callable
        Tells the listeners.
    held : callable
        As in `Patience`.
    done : callable
        Told of deliveries whose senders have been told.
    """

    def __init__(
        self,
        lock: threading.Lock,
        turn: threading.Condition,
        *,
        commit: Callable[[ObservationBatch, Settlements, list[ObservationBatch]], int],
        publish: Callable[[ObservationBatch, Settlements, int], None],
        held: Callable[[], object],
        done: Callable[[list[Delivery]], None],
    ) -> None:
        self._lock, self._pump = lock, turn
        self._commit, self._publish, self._done = commit, publish, done
        self._turn = threading.Condition(lock)
        self.patience = Patience(self._turn, held)
        self._waiting: Judged | None = None
        self._in_hand: Judged | None = None
        self._has_failed = self._ends = False
        self._thread = threading.Thread(target=self._run, name="nilometer-writer", daemon=True)
        self.committed_rows = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End, once nothing is left to be written."""
        with self._lock:
            self._ends = True
            self._turn.notify_all()
        self._thread.join()

    @property
    def has_room(self) -> bool:
        """Whether something may be put; asked with the lock held."""
        return self._waiting is None and not self._has_failed

    @property
    def has_failed(self) -> bool:
        """Whether something is to be taken back."""
        return self._has_failed

    def put(self, judged: Judged) -> bool:
        """Take over a batch, where there is room; False: what came before it has failed.

        Few rows are written here and now when nothing is before them: waking a thread takes longer than they do.
        """
        with self._lock:
            if self._has_failed:
                return False
            assert self._waiting is None, "the place is taken"  # noqa: S101 -- the pump waits for room before it judges
            is_here = self._in_hand is None and sum(judged.lengths) <= FEW_ROWS
            if is_here:
                self._in_hand = judged
            else:
                self._waiting = judged
                self._turn.notify_all()
        if is_here:
            self._pass(judged)
        return True

    def rest(self) -> None:
        """Return when all is written, or has failed."""
        with self._lock:
            self._pump.wait_for(lambda: self._has_failed or (self._waiting is None and self._in_hand is None))

    def take_back(self) -> list[Judged]:
        """Return what could not be written and what waits behind it, in order; then go on."""
        with self._lock:
            if not self._has_failed:
                return []
            lost = [one for one in (self._in_hand, self._waiting) if one is not None]
            self._in_hand = self._waiting = None
            self._has_failed = False
            return lost

    def _run(self) -> None:
        while True:
            with self._lock:
                self._turn.wait_for(lambda: self._ends or (self._waiting is not None and not self._has_failed))
                judged, self._waiting = self._waiting, None
                if judged is None:
                    return
                self._in_hand = judged
                self._pump.notify_all()
            self._pass(judged)

    def _pass(self, judged: Judged) -> None:
        """Write what is in hand; what cannot be written stays there."""
        try:
            self._write(judged)
        except Exception as error:  # noqa: BLE001 -- kept for the pump, which tells the senders
            _log.exception("rows could not be journaled", deliveries=len(judged.deliveries))
            judged.error = error
        with self._lock:
            if judged.error is None:
                self._in_hand = None
            else:
                self._has_failed = True
            self._pump.notify_all()

    def _write(self, judged: Judged) -> None:
        """Journal a batch, then tell. Without a row too it waits for its turn: what it repeats may be before it."""
        admitted, written, settled, sequence = judged.admitted, judged.written, judged.settled, 0
        if written is not None:
            # The state of the tests has moved: from here rows are held however long it takes, never dropped.
            rows = sum(len(batch) for batch in admitted)
            sequence = self.patience.until_taken(lambda: self._commit(written, settled, admitted), rows, whatever=True)
            self.committed_rows += rows
        self._tell(judged)
        if written is not None:
            guarded(lambda: self._publish(written, settled, sequence), "listeners were not told")

    def _tell(self, judged: Judged) -> None:
        start = 0
        for delivery, length in zip(judged.deliveries, judged.lengths, strict=True):
            stop = start + length
            assert judged.admission is not None  # noqa: S101 -- nothing is put that was not admitted
            tell(delivery, outcome_of(judged.admission, start, stop, every_error=delivery.every_error))
            start = stop
        self._done(judged.deliveries)
