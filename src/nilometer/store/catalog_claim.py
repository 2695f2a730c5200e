"""The right to write a catalog on a server: one process has it, for as long as it is connected.

The lock file guards a folder; a database on a server may be named by two folders, on two machines. An advisory lock of
PostgreSQL, held by a connection of its own, lives and dies with the process.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import StoreLocked, StoreUnwritable

__all__ = ["Claim"]

_KEY = 0x6E696C6F
"""``nilo``: the advisory lock's number in the catalog's database."""


class Claim:
    """The lock on one catalog.

    Parameters
    ----------
    lone : sqlalchemy.Engine
        To the same database, without a pool: its one connection holds the lock.
    name : str
        The catalog in messages, without the password.
    """

    def __init__(self, lone: Engine, name: str) -> None:
        self._lone, self._name = lone, name
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def hold(self, engine: Engine) -> None:
        """Take the lock until `engine` is disposed of, and take it again whenever the server was gone.

        Raises
        ------
        StoreLocked
            If another process has it.
        SQLAlchemyError
            If the database cannot be reached.
        """
        if not self._take():
            self._lone.dispose()
            raise StoreLocked(
                f"the catalog {self._name} is held by another nilometer: stop that one first, or give this folder a "
                "database of its own (store.catalog_url)"
            )
        event.listen(engine, "connect", self._renew)
        event.listen(engine, "engine_disposed", self._let_go)

    def _take(self) -> bool:
        connection = self._lone.connect().execution_options(isolation_level="AUTOCOMMIT")
        # The server ends a session whose machine has vanished within a minute, and with it the lock.
        for name, value in (("idle", 30), ("interval", 10), ("count", 3)):
            connection.execute(text(f"SET tcp_keepalives_{name} = {value}"))
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
            connection.close()
            return False
        self._connection = connection
        return True

    def _renew(self, _connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
        """Where a new connection is made the server may have been restarted, and the lock with it."""
        with self._lock:
            if self._is_held():
                return
            if not self._take():
                raise StoreUnwritable(
                    f"the connection to the catalog {self._name} was lost and another session holds it now; "
                    "it will be tried again"
                )

    def _is_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
            return False
        return True

    def _let_go(self, _engine: Engine) -> None:
        with self._lock:
            if self._connection is not None:
                # A session ends some time after its connection is closed: who opens the catalog next must not wait.
                with contextlib.suppress(SQLAlchemyError):
                    self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
                self._connection.close()
                self._connection = None
            self._lone.dispose()
