"""Open the catalog's database and bring its tables to this version: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    NullPool,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from nilometer.errors import ConfigError, SchemaMismatch, StoreError
from nilometer.store.catalog_claim import Claim
from nilometer.store.document_indexes import add_document_indexes
from nilometer.store.refusal import refusal
from nilometer.store.tables import METADATA

__all__ = ["HEAD", "REVISIONS", "catalog_address", "engine_of", "name_of", "open_database", "revision_of"]

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
"""Every migration in `migrations/versions`, oldest first."""

HEAD = REVISIONS[-1]
"""The newest of them."""

_KINDS = "sqlite:////path/catalog.sqlite or postgresql://user:password@host:5432/database"
_PATIENCE_S = 10
_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic looks for the revision; shaped as it makes it."""


def catalog_address(url: str) -> URL:
    """Return the address of a catalog; its text leaves the password out.

    Parameters
    ----------
    url : str
        As SQLAlchemy writes it; ``postgresql://`` alone means the driver psycopg.

    Raises
    ------
    ConfigError
        If it is no URL, of another kind of database, or the driver is not installed.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        # Whatever stands there may hold a password: it is not repeated.
        raise ConfigError("store.catalog_url", reason="this is no URL of a database", allowed=_KINDS) from error
    kind, _, driver = address.drivername.partition("+")
    if kind in {"postgresql", "postgres"} and driver in {"", "psycopg"}:
        if find_spec("psycopg") is None:
            raise ConfigError(
                "store.catalog_url",
                seen=name_of(address),
                reason="a catalog on PostgreSQL needs psycopg: pip install 'nilometer[postgresql]'",
            )
        return address.set(drivername="postgresql+psycopg")
    if address.drivername != "sqlite":
        raise ConfigError("store.catalog_url", seen=name_of(address), reason="no such kind of catalog", allowed=_KINDS)
    return address


def name_of(address: URL) -> str:
    """Return an address as it may be written and said: without the password."""
    # `URL.set` takes None for "as it was".
    return address._replace(password=None).render_as_string(hide_password=False)


def engine_of(address: URL) -> Engine:
    """Return an engine that has not connected yet, each commit of which is synced when it returns."""
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address, json_serializer=_json)
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    # A server may have been restarted since a connection was last used: it is asked before it is trusted.
    engine = create_engine(address, json_serializer=_json, pool_pre_ping=True, connect_args=_postgresql_options())
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def open_database(url: str, *, met: Callable[[Connection], None] | None = None) -> Engine:
    """Return an engine whose tables are those of this version.

    Parameters
    ----------
    url : str
        See `catalog_address`.
    met : callable, optional
        Called with a connection before anything is changed, to refuse a database by what it holds.

    Returns
    -------
    sqlalchemy.Engine
        SQLite in WAL mode; PostgreSQL held against every other process until the engine is disposed of.

    Raises
    ------
    ConfigError
        If the URL cannot be used.
    SchemaMismatch
        If the tables were made by a newer version.
    StoreLocked
        If another process holds the catalog.
    StoreError
        If the database cannot be opened or written.
    """
    address = catalog_address(url)
    engine = engine_of(address)
    try:
        if address.get_backend_name() == "postgresql":
            # First of all: two processes that migrate at once would both fail half-way.
            lone = create_engine(address, poolclass=NullPool, connect_args=_postgresql_options())
            Claim(lone, name_of(address)).hold(engine)
        with engine.connect() as connection:
            _check_encoding(connection, address)
            found = revision_of(connection)
            _check_revision(found, address)
            if met is not None:
                met(connection)
            connection.rollback()
            if found != HEAD:
                (_lay if found is None else _migrate)(connection)
                connection.commit()
    except SQLAlchemyError as error:
        engine.dispose()
        raise refusal(error, "open the catalog", path=name_of(address)) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _postgresql_options() -> dict[str, Any]:
    return {
        "connect_timeout": _PATIENCE_S,
        "application_name": "nilometer",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }


def _set_up_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    # What returned is durable, whatever the server's default; a stricter setting than ours stays.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    # Compiling a statement costs seconds where the planner takes a catalog for large; none of ours gains by it.
    connection.execute("SELECT set_config('jit', 'off', false)")
    connection.commit()


def _check_encoding(connection: Connection, address: URL) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise StoreError(
            f"the catalog {name_of(address)} is encoded in {encoding}, which cannot hold every name: make the database "
            "anew with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _check_revision(found: str | None, address: URL) -> None:
    if found is not None and found not in REVISIONS:
        raise SchemaMismatch(
            f"the catalog {name_of(address)} is at revision {found}, which this nilometer does not know (newest here: "
            f"{HEAD}); open it with the version that wrote it, or upgrade nilometer; nothing was changed"
        )


def _lay(connection: Connection) -> None:
    """Make the tables of a new catalog as the migrations leave them, all of them or none."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")  # the driver begins none by itself before a CREATE
    METADATA.create_all(connection, checkfirst=False)
    add_document_indexes(connection)
    _REVISION.create(connection, checkfirst=True)
    connection.execute(_REVISION.insert().values(version_num=HEAD))


def _migrate(connection: Connection) -> None:
    # Alembic is slow to import and seldom needed: only an older catalog gets here.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
