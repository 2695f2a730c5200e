"""Open the catalog's database and bring its tables to this version: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import SchemaMismatch
from nilometer.store.refusal import refusal

__all__ = ["HEAD", "open_database"]

HEAD = "0002"
"""The newest migration in `migrations/versions`."""


def open_database(url: str) -> Engine:
    """Return an engine whose tables are those of this version.

    Parameters
    ----------
    url : str
        As SQLAlchemy writes it, such as ``sqlite:////data/catalog.sqlite``.

    Returns
    -------
    sqlalchemy.Engine
        SQLite in WAL mode with every commit synced.

    Raises
    ------
    SchemaMismatch
        If the tables were made by a newer version.
    StoreError
        If the database cannot be opened or written.
    """
    engine = create_engine(url, json_serializer=_json)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    try:
        with engine.connect() as connection:
            found = _revision(connection)
            connection.rollback()
            if found != HEAD:
                _migrate(connection, found, url)
                connection.commit()
    except SQLAlchemyError as error:
        engine.dispose()
        raise refusal(error, "open the catalog", path=url) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection, found: str | None, url: str) -> None:
    # Alembic is slow to import and seldom needed: only a new or an older catalog gets here.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"the catalog {url} is at revision {found}, which this nilometer does not know (newest here: {HEAD}); "
            "open it with the version that wrote it, or upgrade nilometer"
        )
    command.upgrade(config, "head")
