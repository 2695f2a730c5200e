"""The journal of folder version 1, a SQLite file: read once, and written anew as segments.

The folder's version is raised after the segments are durable and before the file is put aside. So a crash between any
two steps leaves a folder that either version of nilometer opens as it was, or one that only this one opens, whole.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from nilometer.store.disk import DISK, Disk
from nilometer.store.journal import Journal
from nilometer.store.journal_segment import Record
from nilometer.store.refusal import refusal

__all__ = ["convert", "put_aside"]

_SEED = struct.Struct("<qBq")
_RECORDS = "SELECT sequence, kind, time, checksum, body FROM records WHERE sequence > ?"


class _SyncedLater(Disk):
    """Copies first and syncs once: nobody reads the copy before it is whole."""

    def sync(self, file: int) -> None:
        """Leave it to the end."""

    def sync_folder(self, path: Path) -> None:
        """Leave it to the end."""


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
            journal = Journal(beside, disk=_SyncedLater(), start=_not_at_all)
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
        for path in sorted(beside.iterdir()):
            file = DISK.open(path)
            try:
                DISK.sync(file)
            finally:
                DISK.close(file)
        DISK.sync_folder(beside)
        DISK.rename(beside, new)
        DISK.sync_folder(new.parent)
    except (sqlite3.Error, OSError) as error:
        raise refusal(error, "read the journal of an older version", path=old) from error
    return damage


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


def _not_at_all(_action: Callable[[], None]) -> None:
    """Make no spare file: a copy needs none."""
