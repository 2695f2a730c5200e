"""The journal of folder version 1, a SQLite file: read once, and written anew as segments.

The folder's version is raised after the segments are durable and before the file is put aside. So a crash between any
two steps leaves a folder that either version of nilometer opens as it was, or one that only this one opens, whole.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from nilometer.store.disk import DISK, SyncedLater
from nilometer.store.journal import Journal
from nilometer.store.journal_segment import Record
from nilometer.store.journal_spares import not_at_all
from nilometer.store.record import ROWS, decode_rows
from nilometer.store.refusal import refusal
from nilometer.store.sqlite_reading import read_only

__all__ = ["convert", "old_journal_faults", "put_aside"]

_SEED = struct.Struct("<qBq")
_RECORDS = "SELECT sequence, kind, time, checksum, body FROM records WHERE sequence > ?"


def convert(old: Path, new: Path, *, sealed: int) -> list[str]:
    """Write the records and plans of a SQLite journal as segments, durably; the old file stays as it is.

    Parameters
    ----------
    old : Path
        The SQLite file.
    new : Path
        The folder of segments. What lies there is an attempt that a crash cut short, and is deleted.
    sealed : int
        The sequence the lake has reached.

    Returns
    -------
    list of str
        What was damaged in the old file.

    Raises
    ------
    StoreFull, StoreUnwritable
        If the disk refuses; the old file is untouched.
    StoreError
        If the old file is no journal.
    """
    beside = new.with_name(new.name + ".new")
    damage: list[str] = []
    try:
        for folder in (beside, new):
            _delete(folder)
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            floor = connection.execute("SELECT sequence, time FROM floor").fetchone()
            disk = SyncedLater()
            journal = Journal(beside, disk=disk, start=not_at_all)
            before = _beginning(connection, floor[0], max(floor[0], sealed))
            if before > floor[0]:
                damage.append(
                    f"records up to {before} of the journal of the older version are damaged; they are sealed"
                )
            journal.open(sealed=before, floor=(before, floor[1]))
            try:
                journal.copy(_records(connection, before, damage))
                for sequence, known, body in connection.execute("SELECT sequence, checksum, body FROM plans"):
                    if known == _checksum(sequence, 0, 0, body):
                        journal.plan(sequence, body)
            finally:
                journal.close()
        disk.settle(beside)
        DISK.rename(beside, new)
        DISK.sync_folder(new.parent)
    except (sqlite3.Error, OSError) as error:
        raise refusal(error, "read the journal of an older version", path=old) from error
    return damage


def old_journal_faults(path: Path, *, sealed: int) -> tuple[list[str], int, int]:
    """Return what is wrong with a SQLite journal, how many records it has, and how many rows are not sealed.

    It is read beside whoever writes it, and not changed.

    Parameters
    ----------
    path : Path
        The SQLite file.
    sealed : int
        The sequence that the lake has reached.

    Raises
    ------
    StoreError
        If it cannot be read at all.
    """
    faults, records, rows = [], 0, 0
    try:
        with read_only(path) as connection:
            floor = int(connection.execute("SELECT sequence FROM floor").fetchone()[0])
            if floor > sealed:
                faults.append(
                    f"{path} has let go of the records through {floor}, and the lake has reached {sealed} only: it is "
                    "not the lake of this journal; put back both from one backup"
                )
            due = floor
            for row in connection.execute(f"{_RECORDS} ORDER BY sequence", (floor,)):
                records += 1
                record, before, due = _whole(row), due, int(row[0])
                if record is None or due != before + 1:
                    faults.append(_fault(path, before, due, whole=record is not None, sealed=sealed))
                elif due > sealed and record.kind == ROWS:
                    rows += decode_rows(record.body)[0].num_rows
            plan = connection.execute("SELECT checksum, body FROM plans WHERE sequence = ?", (sealed,)).fetchone()
            if sealed and (plan is None or plan[0] != _checksum(sealed, ROWS, 0, plan[1])):
                faults.append(
                    f"{path} does not know the rows that the seal through {sealed} left, the newest of each "
                    "Datastream: put the folder back from a backup"
                )
    except sqlite3.Error as error:
        raise refusal(error, "read the journal", path=path) from error
    return faults, records, rows


def put_aside(old: Path) -> None:
    """Give the old file a name that says what it is; it is read no more."""
    if not old.exists():
        return
    try:
        for end in ("", "-wal", "-shm"):
            part = old.with_name(old.name + end)
            if part.exists():
                DISK.rename(part, old.with_name(f"{old.name}.v1{end}"))
        DISK.sync_folder(old.parent)
    except OSError as error:
        raise refusal(error, "put the journal of an older version aside", path=old) from error


def _fault(path: Path, before: int, sequence: int, *, whole: bool, sealed: int) -> str:
    what = f"record {sequence} follows {before}" if whole else f"record {sequence} fails its checksum"
    if sequence <= sealed:
        return f"{path}: {what}; its rows are in the lake, nothing is lost"
    return f"{path}: {what}; the next start cuts it off with what follows: make a copy of the folder first"


def _beginning(connection: sqlite3.Connection, floor: int, sealed: int) -> int:
    """Return the sequence after which all records up to the lake's are there and whole."""
    before = due = floor
    for row in connection.execute(f"{_RECORDS} AND sequence <= ? ORDER BY sequence", (floor, sealed)):
        is_whole = _whole(row) is not None
        if not is_whole or row[0] != due + 1:
            before = row[0] - 1 if is_whole else row[0]
        due = row[0]
    return before if due >= sealed else sealed


def _records(connection: sqlite3.Connection, before: int, damage: list[str]) -> Iterator[Record]:
    """Yield the records behind a sequence, up to the first that is not whole."""
    due = before
    try:
        for row in connection.execute(f"{_RECORDS} ORDER BY sequence", (before,)):
            due += 1
            record = _whole(row)
            if record is None or record.sequence != due:
                last = connection.execute("SELECT max(sequence) FROM records").fetchone()[0]
                damage.append(
                    f"records {due} to {last} of the journal of the older version are damaged, and were left out"
                )
                return
            yield record
    except sqlite3.DatabaseError as error:
        damage.append(f"the journal of the older version is torn after record {due} ({error})")


def _whole(row: tuple[Any, ...]) -> Record | None:
    sequence, kind, time, known, body = row
    is_whole = isinstance(body, bytes) and known == _checksum(sequence, kind, time, body)
    return Record(sequence, kind, time, body) if is_whole else None


def _checksum(sequence: int, kind: int, time: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_SEED.pack(sequence, kind, time)))


def _delete(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
