"""No question to the catalog runs for ever, and few run for long: what is given up says why.

A statement has a thread while it runs, and writers need threads too. So only a few go on beyond some seconds; one more
is given up there.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from nilometer.errors import Overloaded

__all__ = ["LONG", "MOST_SECONDS", "LongStatements", "Statement", "time_limit"]

MOST_SECONDS = 10
"""How long one statement may take."""

_STEPS = 200_000
_CANCELLED = "57014"


@dataclass
class Statement:
    """One that runs: since when, whether it is one of the long ones, and whether it was refused to be."""

    began: float = field(default_factory=time.monotonic)
    is_long: bool = False
    is_refused: bool = False
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class LongStatements:
    """Those that run for long, of all threads of the process.

    Parameters
    ----------
    most : int
        How many at a time.
    after_s : float
        From when on a statement is one of them, s.
    """

    def __init__(self, most: int = 4, after_s: float = 2.0) -> None:
        self.most, self.after_s = most, after_s
        self._running = 0
        self._lock = threading.Lock()
        self._wake = threading.Condition()
        self._watched: deque[tuple[Statement, Callable[[], None]]] = deque()
        self._watcher: threading.Thread | None = None

    @property
    def running(self) -> int:
        """How many run for long now."""
        return self._running

    def refuses(self, statement: Statement) -> bool:
        """Say whether a statement has to end, for others run long already; asked while it runs."""
        if statement.is_long or time.monotonic() < statement.began + self.after_s:
            return False
        with self._lock:
            statement.is_long = self._running < self.most
            self._running += statement.is_long
        statement.is_refused = not statement.is_long
        return statement.is_refused

    def watch(self, statement: Statement, cancel: Callable[[], None]) -> None:
        """Cancel a statement that cannot be asked while it runs, once it has to end."""
        with self._wake:
            self._watched.append((statement, cancel))
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._look, name="nilometer-long-statements", daemon=True)
                self._watcher.start()
            if len(self._watched) == 1:
                self._wake.notify()

    def over(self, statement: Statement) -> None:
        """Forget a statement that has ended; from then on nothing is cancelled for it."""
        with statement.lock:
            statement.is_over = True
        with self._lock:
            self._running -= statement.is_long

    def _look(self) -> None:
        while True:
            with self._wake:
                while not self._watched:
                    self._wake.wait()
                statement, cancel = self._watched.popleft()
            # All are given the same time: who began first is due first.
            time.sleep(max(0.0, statement.began + self.after_s - time.monotonic()))
            with statement.lock:
                if not statement.is_over and self.refuses(statement):
                    cancel()


LONG = LongStatements()
"""Those of this process."""


@contextmanager
def time_limit(connection: Connection, seconds: float = MOST_SECONDS, long: LongStatements = LONG) -> Iterator[None]:
    """Give up a statement inside after a while, sooner where others run for long already.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To SQLite or PostgreSQL.
    seconds : float
        How long it may take.
    long : LongStatements
        The others.

    Raises
    ------
    Overloaded
        When the time is up.
    """
    raw = connection.connection.driver_connection
    statement = Statement()
    end = statement.began + seconds
    try:
        if isinstance(raw, sqlite3.Connection):
            raw.set_progress_handler(lambda: time.monotonic() > end or long.refuses(statement), _STEPS)
            try:
                yield
            finally:
                raw.set_progress_handler(None, 0)
        else:
            connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            long.watch(statement, raw.cancel)  # type: ignore[union-attr]
            yield
    except DBAPIError as error:
        if statement.is_refused:
            raise Overloaded(
                f"{long.most} questions to the catalog run for more than {long.after_s:g} s, and no more do at a time; "
                "ask again, or for less"
            ) from error
        if getattr(error.orig, "sqlstate", "") == _CANCELLED or str(error.orig) == "interrupted":
            raise Overloaded(
                f"the catalog was asked for longer than {seconds:g} s; ask for less, or with a narrower condition"
            ) from error
        raise
    finally:
        long.over(statement)
