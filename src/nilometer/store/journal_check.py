"""Whether the journal of a folder is whole, as segments or as folder version 1 kept it, read beside whoever writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nilometer.errors import StoreError
from nilometer.store.disk import DISK, ReadingDisk
from nilometer.store.journal import Journal
from nilometer.store.journal_sqlite import old_journal_faults
from nilometer.store.journal_survey import Survey, damaged_files
from nilometer.store.record import ROWS, decode_rows
from nilometer.store.refusal import refusal

__all__ = ["JournalLook", "look_at_journal"]


@dataclass(slots=True)
class JournalLook:
    """What one look at a journal found.

    Parameters
    ----------
    faults : list of str
        What is wrong.
    torn : list of str
        Writes that a crash cut short before anybody was told that they are stored: nothing is lost.
    records : int
        How many it has.
    rows : int
        How many rows of them are not sealed.
    """

    faults: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    records: int = 0
    rows: int = 0


def look_at_journal(path: Path, old: Path | None, *, sealed: int) -> JournalLook:
    """Look at a journal once, changing nothing.

    A writer that goes on meanwhile may make whole things look damaged: only what a second look finds too is so.

    Parameters
    ----------
    path : Path
        The folder of segments.
    old : Path, optional
        The SQLite file of folder version 1 that has not been read yet; None: the segments are the journal.
    sealed : int
        The sequence that the lake has reached.

    Raises
    ------
    StoreError
        If it cannot be read at all.
    """
    if old is not None:
        return JournalLook(*_of_sqlite(old, sealed))
    journal = Journal(path, disk=ReadingDisk())
    try:
        found = journal.look(sealed=sealed)
    except OSError as error:
        raise refusal(error, "read the journal", path=path) from error
    try:
        return _judged(journal, found, sealed)
    except OSError as error:
        raise refusal(error, "read the journal", path=path) from error
    finally:
        found.close()


def _of_sqlite(old: Path, sealed: int) -> tuple[list[str], list[str], int, int]:
    faults, records, rows = old_journal_faults(old, sealed=sealed)
    return faults, [], records, rows


def _judged(journal: Journal, found: Survey, sealed: int) -> JournalLook:
    path = journal.path
    look = JournalLook(torn=[f"{path}: {what}" for what in found.torn])
    look.faults += journal.damage
    look.faults += [f"{path}: {what}" for what in found.damage]
    if found.aside:
        look.faults.append(f"{path}: the next start keeps the rest aside: make a copy of the folder first")
    kept = damaged_files(path, DISK)
    if kept:
        look.faults.append(
            f"records that were cut off are kept in {', '.join(kept)}; delete the files when they are of no more use"
        )
    if found.first - 1 > sealed:
        look.faults.append(
            f"{path} has let go of the records through {found.first - 1}, and the lake has reached {sealed} only: it "
            "is not the lake of this journal; put back both from one backup"
        )
    _look_at_the_plan(journal, look, sealed)
    for segment in found.segments:
        look.records += max(0, segment.last - max(segment.head.first, found.first) + 1)
        for sequence in range(max(segment.head.first, sealed + 1), segment.last + 1):
            record = segment.read(sequence)
            if record is None:
                look.faults.append(f"{segment.path}: record {sequence} is damaged")
            elif record.kind == ROWS:
                look.rows += decode_rows(record.body)[0].num_rows
    return look


def _look_at_the_plan(journal: Journal, look: JournalLook, sealed: int) -> None:
    try:
        known = not sealed or journal.planned(sealed) is not None
    except StoreError as error:
        look.faults.append(str(error))
        return
    if not known:
        look.faults.append(
            f"{journal.path} does not know the rows that the seal through {sealed} left, the newest of each "
            "Datastream: put the folder back from a backup"
        )
