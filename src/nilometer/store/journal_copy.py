"""The journal of a backup: one file of records, whatever form the journal of a folder has.

::

    head    ┌────────────┬───────────┬──────────┬─────────────┐   floor: no record is as old as this; its time
            │ "NILBACK1" │ floor i64 │ time i64 │ planned i64 │   planned: of the plan below, −1 without
            └────────────┴───────────┴──────────┴─────────────┘
    frame   ┌──────────────┬─────────┬──────────┬──────────┬────────────┬────────────┬──────┐
            │ sequence i64 │ kind i8 │ time i64 │ rows u32 │ length u64 │ CRC-32 u32 │ body │
            └──────────────┴─────────┴──────────┴──────────┴────────────┴────────────┴──────┘

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
from nilometer.store.journal import Journal, Record

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
    records = journal.records(floor)
    record = next(records, None)
    before = journal.time if record is None else record.time - 1
    with file.open("xb") as out:
        out.write(_HEAD.pack(_MAGIC, floor, before, -1 if plan is None else sealed))
        if plan is not None:
            _write(out, Record(sealed, _PLAN, 0, plan))
        while record is not None and record.sequence == expected + 1 <= through:
            _write(out, record)
            expected += 1
            record = next(records, None)
        if expected != through:
            raise StoreError(
                f"the journal ends at record {expected}, not at {through}: it was not copied; see nilometer doctor"
            )
        out.flush()
        os.fsync(out.fileno())


def put_back(file: Path, journal: Journal) -> int:
    """Fill a new journal from a copy, and return its last sequence.

    Raises
    ------
    StoreError
        If the copy is damaged, or the journal cannot be written.
    """
    with file.open("rb") as source:
        head = source.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            raise StoreError(f"{file} is no journal of a backup")
        floor, time, planned = (int(number) for number in _HEAD.unpack(head)[1:])
        journal.open(sealed=floor, floor=(floor, time))
        last = floor
        for record in _frames(source, file):
            if record.kind == _PLAN:
                journal.plan(planned, record.body)
                continue
            if record.sequence != last + 1:
                raise StoreError(f"{file} is damaged: record {record.sequence} follows {last}")
            journal.copy([record])
            last = record.sequence
    if journal.sequence != last:
        raise StoreError(f"record {last} of {file} became {journal.sequence}: the journal was not empty")
    return last


def _write(out: IO[bytes], record: Record) -> None:
    fields = (record.sequence, record.kind, record.time, record.rows, len(record.body))
    out.write(_FRAME.pack(*fields, _checksum(*fields, record.body)))
    out.write(record.body)


def _frames(source: IO[bytes], file: Path) -> Iterator[Record]:
    while head := source.read(_FRAME.size):
        if len(head) < _FRAME.size:
            raise StoreError(f"{file} is cut off")
        sequence, kind, time, rows, length, known = _FRAME.unpack(head)
        body = source.read(length)
        if len(body) < length:
            raise StoreError(f"{file} is cut off in record {sequence}")
        if _checksum(sequence, kind, time, rows, length, body) != known:
            raise StoreError(f"{file} is damaged in record {sequence}")
        yield Record(sequence, kind, time, body, rows)


def _checksum(sequence: int, kind: int, time: int, rows: int, length: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_FRAME.pack(sequence, kind, time, rows, length, 0)))
