"""The background thread that seals: often enough to bound memory, seldom enough to write few, large files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from nilometer.errors import StoreError
from nilometer.store.sealing import SealReport

__all__ = ["Sealer"]

_LOOK_S = 0.25
_RETRY_S = 5.0
_log = logging.getLogger(__name__)


class Sealer:
    """Calls `seal` when enough is hot, or after a time.

    Parameters
    ----------
    seal : callable
        Seals once.
    hot_rows : callable
        Returns how many rows are in memory.
    rows : int
        Seal when so many more are hot than the last seal left.
    every_s : float
        Seal after so long at the latest, s.
    """

    def __init__(
        self, seal: Callable[[], SealReport], hot_rows: Callable[[], int], *, rows: int, every_s: float
    ) -> None:
        self._seal, self._hot_rows, self._rows, self._every_s = seal, hot_rows, rows, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nilometer-sealer", daemon=True)
        self._left = 0

    def start(self) -> None:
        """Start the thread."""
        self._left = 0
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the seal it is in."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic() + self._every_s
        while not self._stop.wait(_LOOK_S):
            fresh = self._hot_rows() - self._left
            if fresh < self._rows and (time.monotonic() < due or fresh <= 0):
                continue
            try:
                report = self._seal()
            except StoreError as error:
                # Nothing is lost: the rows are in the journal and stay hot. It may work when space returns.
                _log.error("sealing failed and will be tried again: %s", error)
                self._stop.wait(_RETRY_S)
                continue
            self._left = report.held
            due = time.monotonic() + self._every_s
