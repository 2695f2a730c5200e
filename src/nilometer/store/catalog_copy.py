"""A catalog as it is at one moment, copied while it goes on: from SQLite and from PostgreSQL, to either."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, Table, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import StoreError
from nilometer.store import tables
from nilometer.store.catalog_database import open_database
from nilometer.store.refusal import refusal

__all__ = ["Frozen", "fill_database", "freeze"]

_AT_ONCE = 1000


class Frozen(Protocol):
    """A catalog at one moment."""

    def copy(self, file: Path) -> None:
        """Write it as a SQLite file, durable when this returns.

        Raises
        ------
        StoreError
            If it cannot be read or written.
        """

    def close(self) -> None:
        """Let it go on."""


def freeze(engine: Engine) -> Frozen:
    """Return a catalog as it is now; whatever is written later is not in it. Close it.

    Raises
    ------
    StoreError
        If the database cannot be read.
    """
    try:
        return _FrozenFile(engine) if engine.dialect.name == "sqlite" else _FrozenServer(engine)
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise refusal(error, "copy the catalog") from error


class _FrozenFile:
    """An open read transaction: SQLite's own backup copies what it sees."""

    def __init__(self, engine: Engine) -> None:
        self._connection = sqlite3.connect(
            str(engine.url.database), isolation_level=None, check_same_thread=False, timeout=10
        )
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_master")

    def copy(self, file: Path) -> None:
        try:
            copied = sqlite3.connect(file)
            try:
                copied.execute("PRAGMA synchronous = FULL")
                self._connection.backup(copied)
                # One file, without the log that a database in use has beside it.
                copied.execute("PRAGMA journal_mode = DELETE")
            finally:
                copied.close()
        except sqlite3.Error as error:
            raise refusal(error, "copy the catalog", path=file) from error

    def close(self) -> None:
        self._connection.close()


class _FrozenServer:
    """A transaction that sees one moment."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect().execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._connection.execute(select(func.count()).select_from(tables.folder))

    def copy(self, file: Path) -> None:
        target = open_database(f"sqlite:///{file}")
        try:
            with target.begin() as connection:
                _copy_rows(self._connection, connection)
            with target.connect() as connection:
                connection.connection.driver_connection.execute("PRAGMA journal_mode = DELETE")  # type: ignore[union-attr]
        except SQLAlchemyError as error:
            raise refusal(error, "copy the catalog", path=file) from error
        finally:
            target.dispose()

    def close(self) -> None:
        self._connection.close()


def fill_database(file: Path, url: str) -> None:
    """Copy a SQLite file's catalog into an empty database.

    Raises
    ------
    ConfigError, StoreLocked
        As `open_database`.
    StoreError
        If the database is not empty, or cannot be written; then it stays as it was.
    """
    source = open_database(f"sqlite:///{file}")
    try:
        target = open_database(url)
    except BaseException:
        source.dispose()
        raise
    try:
        with source.connect() as read, target.begin() as written:
            for table in tables.METADATA.sorted_tables:
                if written.execute(select(func.count()).select_from(table)).scalar():
                    raise StoreError(f"the database holds a catalog already ({table.name}): name an empty one")
            _copy_rows(read, written)
    except SQLAlchemyError as error:
        raise refusal(error, "fill the catalog") from error
    finally:
        source.dispose()
        target.dispose()


def _copy_rows(source: Connection, target: Connection) -> None:
    for table in tables.METADATA.sorted_tables:
        if table is tables.folder:
            continue  # a copy belongs to whoever opens it first
        # By id: what a row speaks of was there before it.
        ordered = select(table).order_by(*table.primary_key.columns)
        result = source.execution_options(stream_results=True).execute(ordered)
        for rows in result.mappings().partitions(_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in rows])
        if "id" in table.c:
            _pass_counter(source, target, table)


def _pass_counter(source: Connection, target: Connection, table: Table) -> None:
    """Let the ids of rows that were deleted stay unused in the copy too."""
    given = _given(source, table)
    if not given:
        return
    if target.dialect.name == "sqlite":
        values = {"name": table.name, "given": given}
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        target.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :given)"), values)
    else:
        target.execute(text(f"SELECT setval('{table.name}_id_seq', :given)"), {"given": given})


def _given(source: Connection, table: Table) -> int:
    rows: Sequence[int | None]
    if source.dialect.name == "sqlite":
        found = source.execute(text("SELECT max(seq) FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        rows = list(found.scalars())
    else:
        of = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table.name}_id_seq"  # noqa: S608 -- ours
        rows = list(source.execute(text(of)).scalars())
    return int(rows[0] or 0) if rows else 0
