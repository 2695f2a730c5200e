"""Whether a data folder is whole: looked at beside whoever writes it, and never changed.

Nothing here takes the folder's lock, migrates the catalog, cuts the journal or sweeps files: what is found damaged is
as it was before, for a backup or a person to mend.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deltalake.exceptions import DeltaError
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import NilometerError
from nilometer.model.schemas import OBSERVATION
from nilometer.store import tables
from nilometer.store.catalog_database import HEAD, REVISIONS, catalog_address, engine_of, name_of, revision_of
from nilometer.store.catalog_place import place_of
from nilometer.store.folder import FOLDER_VERSION, RESTORING, SEGMENTS_SINCE, journal_of, old_journal_of
from nilometer.store.journal_check import JournalLook, look_at_journal
from nilometer.store.lake import LakeTable
from nilometer.store.lake_check import deep_faults, footer_fault, presence_faults, tables_of
from nilometer.store.lake_home import LakeHome, find_lake
from nilometer.store.refusal import refusal
from nilometer.store.sqlite_reading import read_only
from nilometer.store.state_files import StateFiles

__all__ = ["Finding", "examine"]

_GRACE_S = 3600.0
_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    ok : bool
        Whether it is well.
    what : str
        The part of the folder.
    detail : str
        What there is, or what is wrong, where, and what to do.
    """

    ok: bool
    what: str
    detail: str


def examine(
    folder: Path,
    *,
    catalog_url: str | None = None,
    lake_url: str | None = None,
    lake_options: Mapping[str, str] | None = None,
    deep: bool = False,
    named: Mapping[str, Collection[str]] | None = None,
    told: Callable[[int], None] = lambda _rows: None,
) -> Iterator[Finding]:
    """Look at every part of a data folder.

    Parameters
    ----------
    folder : Path
        One that a process may hold, or none.
    catalog_url : str, optional
        The catalog's database; None: where the folder says.
    lake_url, lake_options :
        The lake's object store, if the folder has its lake in one; None: where the folder says.
    deep : bool
        Decode every value of the lake too.
    named : mapping of str to collection of str, optional
        Who names Datastreams by their keys, and which: they have to be there.
    told : callable
        Told how many rows of it were read.

    Yields
    ------
    Finding
        Good and bad, in the order: version, catalog, lake, states, journal.
    """
    version = _version(folder)
    yield version
    if not version.ok:
        return
    names: dict[int, str] = {}
    yield from _catalog(folder, catalog_url, names)
    for who, keys in (named or {}).items():
        absent = sorted(set(keys) - set(names.values())) if names else []
        if absent:
            yield _bad(who, f"names {', '.join(absent)}: no such Datastream; it was deleted, or has yet to come")
    home: LakeHome | None = None
    try:
        home = find_lake(folder, lake_url, lake_options)
        lake = tables_of(home)
        for table in lake or ():
            yield from _table(table, names, deep=deep, told=told)
        if lake is None and (folder / "state" / "index.state").exists():
            yield _bad("lake", f"{home.observations} is missing, and rows were sealed: put it back from a backup")
    except NilometerError as error:
        yield _bad("lake", str(error))
    yield from _states(folder / "state")
    yield from _journal(folder, home)


def _version(folder: Path) -> Finding:
    file = folder / "VERSION"
    text = ""
    try:
        text = file.read_text(encoding="utf-8").strip()
        number = int(text)
    except FileNotFoundError:
        if (folder / RESTORING).exists():
            return _bad("version", f"{folder} holds a backup that was not restored to the end: empty it, restore again")
        return _bad("version", f"{file} is missing: put it back from a backup")
    except OSError as error:
        return _bad("version", str(refusal(error, "read", path=file)))
    except ValueError:
        return _bad("version", f"{file} says {text!r}, which is no whole number: put it back from a backup")
    if number > FOLDER_VERSION:
        return _bad(
            "version",
            f"{folder} was written by a newer nilometer (folder version {number}, this one reads up to "
            f"{FOLDER_VERSION}): upgrade nilometer",
        )
    older = "" if number == FOLDER_VERSION else f": the next start brings it to {FOLDER_VERSION}"
    return Finding(ok=True, what="version", detail=f"folder version {number}{older}")


def _catalog(folder: Path, url: str | None, names: dict[int, str]) -> Iterator[Finding]:
    """Look at the catalog, and learn the keys of Datastreams from it."""
    try:
        place = place_of(folder)
        address = catalog_address(url or place.url or f"sqlite:///{folder / 'catalog.sqlite'}")
        if address.get_backend_name() == "sqlite":
            yield _file(Path(address.database or ""), names)
            return
        engine = engine_of(address)
        try:
            with engine.connect() as connection:
                owner = connection.execute(select(tables.folder.c.id)).scalar()
                if owner != place.number:
                    yield _bad("catalog", f"{name_of(address)} is the catalog of another folder than {folder}")
                    return
                yield _good_catalog(connection, name_of(address), names)
        except SQLAlchemyError as error:
            yield _bad("catalog", str(refusal(error, "read the catalog", path=name_of(address))))
        finally:
            engine.dispose()
    except NilometerError as error:
        yield _bad("catalog", str(error))


def _file(file: Path, names: dict[int, str]) -> Finding:
    if not file.exists():
        return _bad("catalog", f"{file} is missing: put it back from a backup; rows without it say nothing")
    try:
        with read_only(file) as connection:
            wrong = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if wrong != ["ok"]:
                return _bad("catalog", f"{file} is damaged ({'; '.join(wrong)}): put it back from a backup")
            stray = connection.execute("PRAGMA foreign_key_check").fetchone()
            if stray is not None:
                return _bad(
                    "catalog", f"{file}: row {stray[1]} of {stray[0]} speaks of a row of {stray[2]} that is gone"
                )
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            names.update(connection.execute("SELECT id, key FROM datastreams"))
    except sqlite3.Error as error:
        return _bad("catalog", f"{file} is damaged ({error}): put it back from a backup")
    return _revision(str(file), revision[0] if revision else None, len(names))


def _good_catalog(connection: Connection, name: str, names: dict[int, str]) -> Finding:
    datastreams = select(tables.datastreams.c.id, tables.datastreams.c.key)
    names.update((int(number), str(key)) for number, key in connection.execute(datastreams))
    return _revision(name, revision_of(connection), len(names))


def _revision(name: str, found: str | None, datastreams: int) -> Finding:
    if found not in REVISIONS:
        detail = f"{name} is at revision {found}, which this nilometer does not know (newest here: {HEAD}): upgrade it"
        return _bad("catalog", detail)
    older = "" if found == HEAD else f", at revision {found}: the next start brings it to {HEAD}"
    return Finding(ok=True, what="catalog", detail=f"{datastreams} Datastreams{older}")


def _table(table: LakeTable, names: dict[int, str], *, deep: bool, told: Callable[[int], None]) -> Iterator[Finding]:
    what = f"lake/{table.place.name}"
    faults, absent = [], presence_faults(table, names)
    for file in table.files:
        fault = absent.get(file) or footer_fault(file, names)
        if fault is not None:
            faults.append((file.path, fault))
    if faults:
        # A server merges and sweeps meanwhile: what has left the table was no fault.
        now = {file.path for file in LakeTable(table.place, table.schema).files}
        faults = [(path, fault) for path, fault in faults if path in now]
    for _, fault in faults:
        yield _bad(what, fault)
    if deep and not faults:
        deeper = list(deep_faults(table, names, told))
        for fault in deeper:
            yield _bad(what, fault)
        faults = [("", fault) for fault in deeper]
    if not faults:
        rows = sum(file.rows for file in table.files)
        looked = "every value read" if deep else "names, sizes and footers"
        yield Finding(ok=True, what=what, detail=f"{rows} rows in {len(table.files)} files: {looked}{_orphans(table)}")


def _orphans(table: LakeTable) -> str:
    known = {file.path for file in table.files}
    limit = time.time() - _GRACE_S
    lying = table.place.files()
    stray = [path for path, file in lying.items() if path not in known and file.written < limit]
    return f"; {len(stray)} files belong to no version and go when it is compacted" if stray else ""


def _states(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        return
    states = StateFiles(folder)
    bad = [name for name in sorted(path.stem for path in folder.glob("*.state")) if states.load(name) is None]
    for name in bad:
        yield _bad(
            "state",
            f"{folder / name}.state is damaged: what it holds is counted anew at the next start, from the lake or the "
            "journal; delete it, nothing is lost",
        )
    if not bad:
        yield Finding(ok=True, what="state", detail=f"{len(list(folder.glob('*.state')))} snapshots")


def _journal(folder: Path, home: LakeHome | None) -> Iterator[Finding]:
    path, old = journal_of(folder), old_journal_of(folder)
    # Which of the two a start would read: `open_journal` decides the same way.
    is_old = old.exists() and (_number(folder) < SEGMENTS_SINCE or not path.is_dir())
    if not is_old and not path.is_dir():
        if _sealed(home):
            yield _bad("journal", f"{path} is missing: put it back from a backup; the newest rows were only there")
        return
    try:
        look = _steady_look(home, path, old if is_old else None)
    except NilometerError as error:
        yield _bad("journal", str(error))
        return
    for fault in look.faults:
        yield _bad("journal", fault)
    for torn in look.torn:
        yield Finding(ok=True, what="journal", detail=torn)
    if not look.faults:
        older = f"; {old.name} of folder version 1, written anew at the next start" if is_old else ""
        detail = f"{look.records} records; {look.rows} rows are not sealed yet{older}"
        yield Finding(ok=True, what="journal", detail=detail)


def _steady_look(home: LakeHome | None, path: Path, old: Path | None) -> JournalLook:
    """Look until two looks see the same fault, or one sees none: who writes meanwhile is not taken for damage."""
    before: list[str] | None = None
    for _ in range(_LOOKS):
        sealed = _sealed(home)
        try:
            look = look_at_journal(path, old, sealed=sealed)
        except NilometerError as error:
            if before == [str(error)]:
                raise
            before = [str(error)]  # a segment may have become a spare between its name and its bytes
            continue
        seen = [*look.faults, *look.torn]
        if not seen or (seen == before and sealed == _sealed(home)):
            return look
        before = seen
    return look_at_journal(path, old, sealed=_sealed(home))


def _number(folder: Path) -> int:
    return int((folder / "VERSION").read_text(encoding="utf-8"))


def _sealed(home: LakeHome | None) -> int:
    try:
        is_there = home is not None and home.observations.has_table()
        return LakeTable(home.observations, OBSERVATION).sequence if home is not None and is_there else 0
    except (NilometerError, DeltaError, OSError):
        return 0  # said already, of the lake


def _bad(what: str, detail: str) -> Finding:
    return Finding(ok=False, what=what, detail=detail)
