"""Which catalog belongs to a data folder, and which folder to a catalog: each knows the other.

A catalog inside the folder needs no more. One that lies elsewhere is named in the folder's file `CATALOG`, with a
number that the catalog has too: so a folder is never opened with the entities of another, nor with none at all.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import SchemaMismatch
from nilometer.store import tables
from nilometer.store.catalog_database import catalog_address, name_of, open_database
from nilometer.store.disk import write_durably
from nilometer.store.folder import Folder
from nilometer.store.refusal import refusal

__all__ = ["CATALOG_FILE", "Place", "open_catalog", "place_of"]

CATALOG_FILE = "CATALOG"
_MOVE = (
    "to move a catalog, make a backup and restore it: nilometer backup --data DIR -o BACKUP, then "
    "nilometer restore BACKUP --data NEW --catalog-url URL"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the catalog of a folder lies.

    Parameters
    ----------
    number : str
        Of the folder; empty while the catalog lies inside.
    url : str
        Without a password; empty while the catalog lies inside.
    """

    number: str = ""
    url: str = ""


def place_of(folder: Path) -> Place:
    """Return where the catalog of a folder lies.

    Raises
    ------
    StoreError
        If the file that says so cannot be read.
    """
    file = folder / CATALOG_FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Place(str(found["folder"]), str(found["url"]))
    except FileNotFoundError:
        return Place()
    except OSError as error:
        raise refusal(error, "read", path=file) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaMismatch(f"{file} is damaged: put it back from a backup; nothing was changed") from error


def open_catalog(folder: Folder, url: str | None) -> Engine:
    """Open the catalog of a folder, or make it.

    Parameters
    ----------
    folder : Folder
        Held by this process.
    url : str, optional
        The database; None: where the folder says, which is inside it unless another was ever given.

    Raises
    ------
    ConfigError
        If the URL cannot be used.
    SchemaMismatch
        If the catalog is that of another folder, or the folder has one elsewhere.
    StoreLocked, StoreError
        As `open_database`.
    """
    place = place_of(folder.path)
    own = f"sqlite:///{folder.catalog}"
    wanted = url or place.url or own
    address = catalog_address(wanted)
    name = name_of(address)
    inside = (
        address.get_backend_name() == "sqlite" and Path(address.database or "").resolve() == folder.catalog.resolve()
    )
    if inside and place.url:
        raise SchemaMismatch(f"{folder.path} has its catalog at {place.url}, not inside; {_MOVE}")
    if not inside and not place.url and folder.catalog.exists():
        raise SchemaMismatch(f"{folder.path} has a catalog of its own, {folder.catalog}, not {name}; {_MOVE}")
    number = place.number or (str(uuid.uuid4()) if not inside else "")

    def met(connection: Connection) -> None:
        _check(connection, number, folder, name, is_new=not place.number)

    if not inside and place != Place(number, name):
        # Before the catalog's own word: a crash between the two leaves a folder that can claim what nobody has.
        engine = open_database(wanted, met=met)
        try:
            _write(folder, Place(number, name))
        except OSError as error:
            engine.dispose()
            raise refusal(error, "say where the catalog is", path=folder.path) from error
    else:
        engine = open_database(wanted, met=None if inside else met)
    try:
        _claim(engine, number, folder.path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _check(connection: Connection, number: str, folder: Folder, address: str, *, is_new: bool) -> None:
    """Refuse a catalog that belongs to another folder, or that is not the one this folder was filled with."""
    found = _owner(connection)
    if found is not None and found[0] != number:
        raise SchemaMismatch(
            f"the catalog {address} belongs to the data folder {found[1]}, not to {folder.path}: give this folder a "
            "database of its own (store.catalog_url); nothing was changed"
        )
    if found is None and not is_new and folder.holds_rows:
        raise SchemaMismatch(
            f"the catalog {address} is not the one of {folder.path}, which holds data already: name the right one "
            "(store.catalog_url), or restore a backup; nothing was changed"
        )


def _owner(connection: Connection) -> tuple[str, str] | None:
    if not inspect(connection).has_table(tables.folder.name):
        return None
    row = connection.execute(select(tables.folder.c.id, tables.folder.c.path)).first()
    return None if row is None else (str(row[0]), str(row[1]))


def _write(folder: Folder, place: Place) -> None:
    text = json.dumps({"folder": place.number, "url": place.url}, ensure_ascii=False)
    write_durably(folder.path / CATALOG_FILE, f"{text}\n".encode())


def _claim(engine: Engine, number: str, path: Path) -> None:
    """Write whose catalog it is, where that is not written yet."""
    try:
        with engine.begin() as connection:
            found = _owner(connection)
            row = (number or (found[0] if found else str(uuid.uuid4())), str(path.resolve()))
            if found != row:
                connection.execute(delete(tables.folder))
                connection.execute(insert(tables.folder).values(id=row[0], path=row[1]))
    except SQLAlchemyError as error:
        raise refusal(error, "write whose catalog it is") from error
