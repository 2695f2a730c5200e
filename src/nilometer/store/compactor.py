"""The background thread that compacts: soon after there is something to do, and not all the time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from nilometer.errors import StoreError
from nilometer.store.compaction import CompactReport
from nilometer.store.refusal import reason

__all__ = ["Compactor"]

_REST = 9.0
"""After a round it rests so many times as long: a revision in every old month must not keep the disk busy."""

_LOOK_S = 300.0
_RETRY_S, _LONGEST_RETRY_S = 5.0, 300.0
_log = logging.getLogger(__name__)


class Compactor:
    """Calls `run` when it is woken, or asked.

    Parameters
    ----------
    run : callable
        Does what there is to do, or everything.
    """

    def __init__(self, run: Callable[[bool], CompactReport]) -> None:
        self._run = run
        self._changed = threading.Condition()
        self._is_woken = self._is_urgent = self._is_asked = self._is_over = False
        self._rests_until, self._retry_s = 0.0, _RETRY_S
        self._thread = threading.Thread(target=self._work, name="nilometer-compactor", daemon=True)
        self.is_busy = False
        self.report: CompactReport | None = None
        self.error = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self, *, urgent: bool = False) -> None:
        """Say that there may be something to do; urgent: it must not rest first."""
        with self._changed:
            self._is_woken = True
            self._is_urgent = self._is_urgent or urgent
            self._changed.notify_all()

    def ask(self) -> bool:
        """Have everything compacted; return False if that is under way or asked for already."""
        with self._changed:
            if self._is_asked:
                return False
            self._is_asked, self.report, self.error = True, None, ""
            self._changed.notify_all()
            return True

    @property
    def is_asked(self) -> bool:
        """Whether everything is being compacted, or will be next."""
        return self._is_asked

    def stop(self) -> None:
        """End the thread; what it is at gives up at its next chunk."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while self._wait():
            everything, started = self._is_asked, time.monotonic()
            self.is_busy = True
            try:
                report = self._run(everything)
            except Exception as error:  # noqa: BLE001 -- what is hidden stays hidden; it is tried again
                if not self._is_over:
                    self.error = reason(error)
                    is_known = isinstance(error, StoreError)
                    _log.error("compaction failed and will be tried again: %s", self.error, exc_info=not is_known)
                self._rests_until = time.monotonic() + self._retry_s
                self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
                self.wake()
            else:
                self.error, self._retry_s = "", _RETRY_S
                if everything:
                    self.report = report
                now = time.monotonic()
                self._rests_until = now + _REST * (now - started)
            finally:
                self.is_busy = False
                if everything:
                    with self._changed:
                        self._is_asked = False

    def _wait(self) -> bool:
        """Return whether to go on, when it is time."""
        with self._changed:
            while not self._is_over:
                left = self._rests_until - time.monotonic()
                if self._is_asked or (self._is_woken and (left <= 0 or self._is_urgent)):
                    break
                if not self._changed.wait(left if self._is_woken else _LOOK_S) and not self._is_woken:
                    self._is_woken = True  # files may have become old enough
            self._is_woken = self._is_urgent = False
            return not self._is_over
