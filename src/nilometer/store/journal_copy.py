"""The journal of a backup: one file of records, whatever form the journal of a folder has.

::

    head    ┌────────────┬───────────┬──────────┬─────────────┐   floor: no record is as old as this; its time
            │ "NILBACK1" │ floor i64 │ time i64 │ planned i64 │   planned: of the plan below, −1 without
            └────────────┴───────────┴──────────┴─────────────┘
    frame   ┌──────────────┬─────────┬──────────┬──────────┬────────────┬──────────────┬──────┐
            │ sequence i64 │ kind i8 │ time i64 │ rows u32 │ length u64 │ CRC-32 u32   │ body │
            └──────────────┴─────────┴──────────┴──────────┴────────────┴──────────────┴──────┘

The plan, if there is one, is the first frame, of kind 2; then come the records, ascending without gaps.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nilometer.errors import StoreError
from nilometer.store.disk import SyncedLater
from nilometer.store.journal import Journal, Record
from nilometer.store.journal_spares import not_at_all
from nilometer.store.refusal import refusal

__all__ = ["copy_journal", "put_back"]

_HEAD = struct.Struct("<8sqqq")
_FRAME = struct.Struct("<qbqIQI")
_MAGIC = b"NILBACK1"
_PLAN = 2


def copy_journal(journal: Journal, file: Path, *, through: int, sealed: int) -> None:
    """Write the records of a journal up to a sequence, and the plan of the last seal, durably.

    No record may leave the journal meanwhile; new ones may come.

    Raises
    ------
    StoreError
        If a record is damaged, or missing.
    OSError
        If the file cannot be written.
    """
    plan = journal.planned(sealed) if sealed else None
    floor = expected = journal.first - 1
    time = journal.time
    with file.open("xb") as out:
        out.write(_HEAD.pack(_MAGIC, floor, time, -1 if plan is None else sealed))
        if plan is not None:
            _write(out, Record(sealed, _PLAN, 0, plan))
        for record in journal.records(floor):
            if record.sequence != expected + 1 or record.sequence > through:
                break
            _write(out, record)
            expected += 1
        if expected != through:
            raise StoreError(
                f"the journal ends at record {expected}, not at {through}: it was not copied; see nilometer doctor"
            )
        out.flush()
        os.fsync(out.fileno())


def put_back(file: Path, folder: Path) -> int:
    """Make the journal of a folder out of a copy, durably, and return its last sequence.

    Parameters
    ----------
    file : Path
        The copy.
    folder : Path
        The journal's, which is not there yet.

    Raises
    ------
    StoreError
        If the copy is damaged, or the journal cannot be written.
    """
    disk = SyncedLater()
    journal = Journal(folder, disk=disk, start=not_at_all)
    try:
        with file.open("rb") as source:
            head = source.read(_HEAD.size)
            if len(head) < _HEAD.size or not head.startswith(_MAGIC):
                raise StoreError(f"{file} is no journal of a backup")
            floor, time, planned = (int(number) for number in _HEAD.unpack(head)[1:])
            journal.open(sealed=floor, floor=(floor, time))
            if journal.sequence != floor:
                raise StoreError(f"{folder} holds records up to {journal.sequence}: a journal is put back into none")
            frames = _frames(source, file)
            if planned >= 0:
                journal.plan(planned, _plan(frames, file))
            journal.copy(_ascending(frames, file, floor))
            last = journal.sequence
    finally:
        journal.close()
    try:
        disk.settle(folder)
    except OSError as error:
        raise refusal(error, "put the journal back", path=folder) from error
    return last


def _plan(frames: Iterator[Record], file: Path) -> bytes:
    plan = next(frames, None)
    if plan is None or plan.kind != _PLAN:
        raise StoreError(f"{file} is damaged: the plan of the last seal is missing")
    return plan.body


def _ascending(frames: Iterator[Record], file: Path, last: int) -> Iterator[Record]:
    for record in frames:
        if record.sequence != last + 1 or record.kind == _PLAN:
            raise StoreError(f"{file} is damaged: record {record.sequence} follows {last}")
        last = record.sequence
        yield record


def _write(out: IO[bytes], record: Record) -> None:
    size, known = len(record.body), _checksum(record)
    out.write(_FRAME.pack(record.sequence, record.kind, record.time, record.rows, size, known))
    out.write(record.body)


def _checksum(record: Record) -> int:
    head = _FRAME.pack(record.sequence, record.kind, record.time, record.rows, len(record.body), 0)
    return zlib.crc32(record.body, zlib.crc32(head))


def _frames(source: IO[bytes], file: Path) -> Iterator[Record]:
    while head := source.read(_FRAME.size):
        if len(head) < _FRAME.size:
            raise StoreError(f"{file} is cut off")
        sequence, kind, time, rows, length, known = _FRAME.unpack(head)
        body = source.read(length)
        if len(body) < length:
            raise StoreError(f"{file} is cut off in record {sequence}")
        record = Record(sequence, kind, time, body, rows)
        if _checksum(record) != known:
            raise StoreError(f"{file} is damaged in record {sequence}")
        yield record
