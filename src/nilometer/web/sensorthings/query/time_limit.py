"""No question to the catalog runs for ever: a statement that takes too long is given up, with a word on why."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from nilometer.errors import Overloaded

__all__ = ["MOST_SECONDS", "time_limit"]

MOST_SECONDS = 10
"""How long one statement may take."""

_STEPS = 200_000
_CANCELLED = "57014"


@contextmanager
def time_limit(connection: Connection, seconds: float = MOST_SECONDS) -> Iterator[None]:
    """Give up statements inside after a while.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To SQLite or PostgreSQL.
    seconds : float
        For all of them together on SQLite, for each on PostgreSQL.

    Raises
    ------
    Overloaded
        When the time is up.
    """
    raw = connection.connection.driver_connection
    end = time.monotonic() + seconds
    try:
        if isinstance(raw, sqlite3.Connection):
            raw.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            try:
                yield
            finally:
                raw.set_progress_handler(None, 0)
        else:
            connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == _CANCELLED or str(error.orig) == "interrupted":
            raise Overloaded(
                f"the catalog was asked for longer than {seconds:g} s; ask for less, or with a narrower condition"
            ) from error
        raise
