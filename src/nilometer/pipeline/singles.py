"""Observations that come one a request, collected in the loop into one delivery a commit.

A request of its own through every stage costs a hundred times what a row of many does. So rows that come while a
commit is under way wait in plain lists; the pump takes all of them when its turn comes, makes their columns once, and
wakes the loop once when they are durable. Every request is still answered for its own row, and only then.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nilometer.errors import NilometerError
from nilometer.model import ObservationBatch
from nilometer.pipeline.delivery import Delivery, IngestOutcome
from nilometer.store.admission import REJECTED

__all__ = ["Single", "Singles"]


class Single(NamedTuple):
    """What became of one row.

    Parameters
    ----------
    id : int
        Its id; 0 where it was rejected.
    status : int
        As in `nilometer.store.admission.Admission`.
    reason : str
        Why it was rejected.
    """

    id: int
    status: int
    reason: str = ""


class _Gathering:
    """Rows of one delivery, and who waits for them."""

    __slots__ = ("always_new", "answers", "datastream", "duration", "result", "time")

    def __init__(self) -> None:
        self.datastream: list[int] = []
        self.time: list[int] = []
        self.result: list[float] = []
        self.duration: list[int] = []
        self.always_new: list[bool] = []
        self.answers: list[asyncio.Future[Single]] = []

    def batch(self) -> ObservationBatch:
        """Return the rows as columns; one that says nothing is left out."""
        return ObservationBatch(
            datastream=np.array(self.datastream, np.int32),
            phenomenon_time=np.array(self.time, np.int64),
            raw_result=np.array(self.result, np.float64),
            duration=np.array(self.duration, np.int64) if any(self.duration) else None,
            always_new=np.array(self.always_new, np.bool_) if any(self.always_new) else None,
        )


class Singles:
    """The collector; used from the loop's thread, but for what the pump calls.

    Parameters
    ----------
    deliver : callable
        Queues a delivery, or raises: `Pump.deliver`.
    call : callable
        Has the loop call something, from any thread.
    """

    def __init__(self, deliver: Callable[[Delivery], None], call: Callable[[Callable[[], None]], None]) -> None:
        self._deliver, self._call = deliver, call
        self._lock = threading.Lock()
        self._open: _Gathering | None = None

    def take(
        self, datastream: int, time: int, result: float, *, duration: int = 0, always_new: bool = False
    ) -> asyncio.Future[Single]:
        """Queue a row, and return what will be known once it is durable.

        Parameters
        ----------
        datastream : int
            Its Datastream.
        time, duration : int
            µs since 1970 UTC, and µs.
        result : float
            In the raw unit of the Datastream.
        always_new : bool
            Whether it is new whatever is there.

        Returns
        -------
        asyncio.Future of Single
            Raises what `Pump.deliver` raises, or what the pump says of the delivery.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Single] = loop.create_future()
        with self._lock:
            rows = self._open
            is_fresh = rows is None
            if rows is None:
                rows = self._open = _Gathering()
            rows.datastream.append(datastream)
            rows.time.append(time)
            rows.result.append(result)
            rows.duration.append(duration)
            rows.always_new.append(always_new)
            rows.answers.append(answer)
        if is_fresh:
            # Behind all requests that are there already: they are to share the commit, and the pump wants the
            # interpreter that reads them.
            loop.call_soon(self._queue, rows)
        return answer

    def _queue(self, rows: _Gathering) -> None:
        def prepare() -> ObservationBatch:
            # From here on others go into the next delivery; asked a second time, it is the same rows.
            with self._lock:
                if self._open is rows:
                    self._open = None
            return rows.batch()

        def done(outcome: IngestOutcome | NilometerError) -> None:
            with self._lock:
                if self._open is rows:  # given up before it was prepared
                    self._open = None
            self._call(lambda: _answer(rows.answers, outcome))

        try:
            # How many rows it will be nobody knows yet; they are bounded by the requests that are open.
            self._deliver(Delivery(1, prepare, done, every_error=True))
        except NilometerError as error:
            with self._lock:
                self._open = None
            _answer(rows.answers, error)


def _answer(answers: list[asyncio.Future[Single]], outcome: IngestOutcome | NilometerError) -> None:
    if isinstance(outcome, NilometerError):
        for answer in answers:
            if not answer.done():
                # Raised in as many tasks, one exception would gather the tracebacks of all.
                answer.set_exception(copy.copy(outcome))
        return
    reasons = dict(outcome.errors)
    rows = zip(answers, outcome.id.tolist(), outcome.status.tolist(), strict=True)
    for row, (answer, number, status) in enumerate(rows):
        if not answer.done():
            reason = reasons.get(row, "the row was refused") if status == REJECTED else ""
            answer.set_result(Single(number, status, reason))
