"""Whether a journal is whole, read beside whoever writes it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from nilometer.store.disk import Disk
from nilometer.store.journal import Journal
from nilometer.store.journal_survey import damaged_files
from nilometer.store.record import ROWS
from nilometer.store.refusal import refusal
from nilometer.store.sqlite_reading import read_only

__all__ = ["journal_faults", "old_journal_faults"]

_LOOKS = 3


class _ReadOnly(Disk):
    """A disk of which files are only read."""

    def open(self, path: Path, *, create: bool = False) -> int:
        if create:
            raise PermissionError(f"{path} is only looked at")
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))


def journal_faults(path: Path, *, sealed: int) -> tuple[list[str], int, int]:
    """Return what is wrong with a journal, how many records it has, and how many rows of them are not sealed.

    Parameters
    ----------
    path : Path
        Its folder.
    sealed : int
        The sequence that the lake has reached.

    Raises
    ------
    StoreError
        If it cannot be read at all.
    """
    # Segments come and go under a writer: a fault is what every look finds.
    faults, records, rows = _look(path, sealed)
    for _ in range(_LOOKS - 1):
        if not faults:
            break
        again, records, rows = _look(path, sealed)
        faults = [fault for fault in faults if fault in again]
    kept = damaged_files(path, _ReadOnly())
    if kept:
        faults.append(
            f"records that were cut off are kept in {', '.join(kept)}; delete the files when they are of no more use"
        )
    return faults, records, rows


def old_journal_faults(path: Path) -> list[str]:
    """Return what is wrong with the SQLite file of a folder of version 1, which the next start reads."""
    try:
        with read_only(path) as connection:
            wrong = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        wrong = [str(error)]
    return [] if wrong == ["ok"] else [f"{path} is damaged ({'; '.join(wrong)}): make a copy of the folder first"]


def _look(path: Path, sealed: int) -> tuple[list[str], int, int]:
    journal = Journal(path, disk=_ReadOnly())
    try:
        found = journal.look(sealed=sealed)
    except OSError as error:
        raise refusal(error, "read the journal", path=path) from error
    faults = [f"{path}: {what}; make a copy of the folder before it is started" for what in found.damage]
    faults += [f"{path.parent}: {what}" for what in journal.damage]
    records = rows = 0
    try:
        if found.first - 1 > sealed:
            faults.append(
                f"{path} has let go of the records through {found.first - 1}, and the lake has reached {sealed} only: "
                "it is not the lake of this journal; put back both from one backup"
            )
        for segment in found.segments:
            for sequence in range(max(segment.head.first, found.first), segment.last + 1):
                record = segment.read(sequence)
                records += record is not None
                if record is not None and sequence > sealed and record.kind == ROWS:
                    rows += record.rows
    except OSError as error:
        raise refusal(error, "read the journal", path=path) from error
    finally:
        for segment in (*found.segments, *found.empty, *(item for item, _ in found.aside)):
            segment.close()
    if sealed and journal.planned(sealed) is None:
        faults.append(
            f"{path} does not know the rows that the seal through {sealed} left, the newest of each Datastream: "
            "put the folder back from a backup"
        )
    return faults, records, rows
