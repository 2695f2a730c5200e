"""When hot rows go to the lake: beside the pump, in a thread that goes on as long as it is behind.

Only the state of the tests is kept between two batches; the seal itself holds nobody up, unless rows come faster than
the lake takes them and memory is full of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from nilometer.config import StoreConfig
from nilometer.pipeline.log import Log
from nilometer.store import Store

__all__ = ["Sealing"]

HELD_SEAL_S = 5.0
"""How often sealing is tried while the store refuses and a seal has failed."""

MOST_JOURNAL_BYTES = 512 << 20
"""A journal that is larger is sealed whatever its rows are: a commit takes a block of it however few they are."""

LEAST_ROWS_SEALED = 10_000
"""Fewer rows since the last seal are not sealed for the journal's size."""

_log = Log(__name__)


class Sealing:
    """Decides when, and seals.

    Parameters
    ----------
    store : Store
        What is sealed.
    config : StoreConfig
        How often.
    committed : callable
        Returns how many rows were journaled since the start.
    keep : callable
        Keeps the state of the tests, where no row is in flight; called by `when_due`.
    """

    def __init__(
        self, store: Store, config: StoreConfig, *, committed: Callable[[], int], keep: Callable[[], None]
    ) -> None:
        self._store, self._config, self._committed, self._keep = store, config, committed, keep
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_running = self._is_wanted = self._has_failed = self._ends = False
        self._began = time.monotonic()
        self._rows_kept = 0

    def when_due(self) -> None:
        """Keep the state and have the rows sealed, if it is time; called between two batches.

        Raises
        ------
        StoreError
            If the state could not be kept; the rows are sealed all the same.
        """
        if not self._is_due():
            return
        try:
            self._keep()
        finally:
            self._rows_kept = self._committed()
            self._start()

    def make_room(self) -> bool:
        """Seal while the store waits or refuses: rows that wait for the lake may be why. Return whether it will be."""
        if not self._has_failed or time.monotonic() - self._began >= HELD_SEAL_S:
            self._start()
        return self._is_running

    def end(self) -> None:
        """Let the seal that is under way be the last, and wait for it."""
        with self._lock:
            self._ends = True
            thread = self._thread
        if thread is not None:
            thread.join()

    def _is_due(self) -> bool:
        rows = self._committed() - self._rows_kept
        if rows >= self._config.seal_rows:
            return True
        if self._is_running:
            return False
        is_large = rows >= LEAST_ROWS_SEALED and self._store.journal_bytes >= MOST_JOURNAL_BYTES
        return is_large or (rows > 0 and time.monotonic() - self._began >= self._config.seal_every_s)

    def _start(self) -> None:
        with self._lock:
            if self._ends:
                return
            self._is_wanted = True
            if not self._is_running:
                self._is_running = True
                self._thread = threading.Thread(target=self._run, name="nilometer-seal", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._goes_on():
            before = self._committed()
            try:
                self._store.seal()
            except Exception:  # noqa: BLE001 -- sealing is tried again; what is journaled stays journaled
                _log.exception("sealing failed; it will be tried again")
                self._has_failed = True
                continue
            self._has_failed = False
            if self._committed() - before >= self._config.seal_rows:
                # Nobody might ask: who writes may be waiting for the room that only the next seal makes.
                self._is_wanted = True

    def _goes_on(self) -> bool:
        with self._lock:
            if self._ends or not self._is_wanted:
                self._is_running = False
                return False
            self._is_wanted = False
            self._began = time.monotonic()
            return True
