"""One segment of the journal: a file of whole blocks, a head and then records, appended and synced one at a time.

All little-endian; every part begins on a block of 4096 bytes, so that no write touches a block that holds something
acknowledged, and a torn one can spoil only itself::

    segment   ┌──────────────┬────────────┬────────────┬─────┬──────────────────────────────────────┐
              │ segment head │ record     │ record     │  …  │ zeros, or what an earlier life left  │
              │ 1 block      │ 1 + blocks │ 1 + blocks │     │                                      │
              └──────────────┴────────────┴────────────┴─────┴──────────────────────────────────────┘
    segment   ┌───────────────┬───────────┬─────────────┬───────────────┬──────────────────┬────────────┐
    head      │ NILSEGM1  8 B │ epoch u64 │ ordinal u64 │ first seq i64 │ time before, i64 │ CRC-32 u32 │
              └───────────────┴───────────┴─────────────┴───────────────┴──────────────────┴────────────┘
    record    ┌───────────────┬───────────┬──────────────┬─────────────┬────────────────┐
    64 bytes  │ NILRECO1  8 B │ epoch u64 │ sequence i64 │ time i64 µs │ body bytes u64 │
              ├──────────┬────┴─────┬─────┴──────────────┼─────────────┼────────────────┤     ┌──────┬───────┐
              │ kind u32 │ rows u32 │ CRC-32 of body u32 │ 8 zeros     │ CRC-32 of head │  ─▶ │ body │ zeros │
              └──────────┴──────────┴────────────────────┴─────────────┴────────────────┘     └──────┴───────┘

The epoch is drawn anew each time a file becomes a segment. A record of an earlier life of the file has another epoch; a
record that is out of its place has another sequence than the one that is due.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nilometer.store.disk import Disk

__all__ = ["BLOCK", "HEAD", "Head", "Place", "Record", "Segment", "block_of", "checksum", "padded", "parse"]

BLOCK = 4096
_SEGMENT = struct.Struct("<8sQQqq")
_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<8sQqqQIII8x")
HEAD = _RECORD.size + _CRC.size
_SEGMENT_MAGIC = b"NILSEGM1"
_MAGIC = b"NILRECO1"
_ZEROS = bytes(BLOCK)
_LOOKED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a segment: its life, its place among them, its first sequence, the time of the commit before."""

    epoch: int
    ordinal: int
    first: int
    time: int

    def to_block(self) -> bytes:
        """Return the first block of the file."""
        head = _SEGMENT.pack(_SEGMENT_MAGIC, self.epoch, self.ordinal, self.first, self.time)
        return (head + _CRC.pack(zlib.crc32(head))).ljust(BLOCK, b"\0")

    @classmethod
    def from_block(cls, block: bytes) -> Head | None:
        """Return the head that a block holds; None when it holds none."""
        if len(block) < _SEGMENT.size + _CRC.size:
            return None
        magic, epoch, ordinal, first, time = _SEGMENT.unpack_from(block)
        whole = _CRC.unpack_from(block, _SEGMENT.size)[0] == zlib.crc32(block[: _SEGMENT.size])
        return cls(epoch, ordinal, first, time) if magic == _SEGMENT_MAGIC and whole else None


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its sequence, its kind (ROWS or TOMBSTONE), its commit time in µs UTC, its bytes, its rows."""

    sequence: int
    kind: int
    time: int
    body: bytes
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The head of a record, as it lies at `at`."""

    at: int
    epoch: int
    sequence: int
    time: int
    length: int
    kind: int
    rows: int
    checksum: int

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.at + padded(HEAD + self.length)


def padded(length: int) -> int:
    """Return how many bytes of whole blocks hold so many."""
    return -(-length // BLOCK) * BLOCK


def checksum(parts: Sequence[bytes | memoryview]) -> int:
    """Return the CRC-32 of parts one behind the other."""
    found = 0
    for part in parts:
        found = zlib.crc32(part, found)
    return found


def block_of(
    epoch: int, sequence: int, time: int, kind: int, rows: int, parts: Sequence[bytes | memoryview], length: int
) -> bytes:
    """Return the head of a record whose body is `parts`, `length` bytes together."""
    head = _RECORD.pack(_MAGIC, epoch, sequence, time, length, kind, rows, checksum(parts))
    return head + _CRC.pack(zlib.crc32(head))


def parse(content: bytes | memoryview, at: int) -> Place | None:
    """Return the head of a record that lies at the beginning of `content`; None when none does."""
    if len(content) < HEAD or _CRC.unpack_from(content, _RECORD.size)[0] != zlib.crc32(content[: _RECORD.size]):
        return None
    magic, epoch, sequence, time, length, kind, rows, known = _RECORD.unpack_from(content)
    return Place(at, epoch, sequence, time, length, kind, rows, known) if magic == _MAGIC else None


@dataclass(slots=True, eq=False)
class Segment:
    """A segment that is open.

    Parameters
    ----------
    path : Path
        Where it lies.
    disk : Disk
        What it lies on.
    head : Head
        As written in its first block.
    capacity : int
        How far it may be written; a file shorter than that grows.
    """

    path: Path
    disk: Disk
    head: Head
    capacity: int
    file: int
    size: int
    end: int = BLOCK
    is_spoilt: bool = False
    _starts: array[int] = field(default_factory=lambda: array("q"))

    @classmethod
    def begin(cls, place: Path, path: Path, disk: Disk, head: Head, capacity: int, *, spare: bool) -> Segment:
        """Make a file a segment: under its own name only once its head is durable.

        Parameters
        ----------
        place : Path
            The file it is made of.
        path : Path
            Its name as a segment.
        disk, head, capacity
            As above.
        spare : bool
            Whether `place` is there; otherwise it is made, and grows as it is written.
        """
        file = disk.open(place, create=not spare)
        try:
            disk.write(file, [head.to_block()], 0)
            disk.sync(file)
        finally:
            disk.close(file)
        disk.rename(place, path)
        disk.sync_folder(path.parent)
        return cls.load(path, disk, head, capacity)

    @classmethod
    def load(cls, path: Path, disk: Disk, head: Head, capacity: int = 0) -> Segment:
        """Open a segment, as yet without its records; without a capacity it is as long as its file."""
        file = disk.open(path)
        size = disk.size(file)
        return cls(path, disk, head, max(capacity, size), file, size)

    @classmethod
    def fresh(cls, ordinal: int, first: int, time: int) -> Head:
        """Return the head of a new life."""
        return Head(secrets.randbits(64), ordinal, first, time)

    @property
    def records(self) -> int:
        """How many records it holds."""
        return len(self._starts)

    @property
    def last(self) -> int:
        """The sequence of its last record; the one before its first when it has none."""
        return self.head.first + len(self._starts) - 1

    @property
    def is_prewritten(self) -> bool:
        """Whether all its blocks are there already, so that a sync moves nothing but them."""
        return self.size >= self.capacity

    def fits(self, length: int) -> bool:
        """Say whether a record with a body of so many bytes goes into what is left."""
        return self.end + padded(HEAD + length) <= self.capacity

    def append(self, head: bytes, parts: Sequence[bytes | memoryview], length: int) -> None:
        """Write a record and sync it.

        Raises
        ------
        OSError
            If the disk refused. The record does not count; a segment that `is_spoilt` takes no other.
        """
        end = self.end + padded(HEAD + length)
        filling = _ZEROS[: end - self.end - HEAD - length]
        self.is_spoilt = True
        try:
            self.disk.write(self.file, [head, *parts, filling], self.end)
        except OSError:
            # Nothing was promised of these blocks: they may be written again, whatever lies there.
            self.is_spoilt = False
            raise
        try:
            self.disk.sync(self.file)
        except OSError:
            self._take_back()
            raise
        self.is_spoilt = False
        self.keep(self.end, end)

    def keep(self, at: int, end: int) -> None:
        """Count a record that lies from `at` to `end`."""
        self._starts.append(at)
        self.end, self.size = end, max(self.size, end)

    def make_durable(self) -> None:
        """Make the last record durable, whatever another process was told when it tried.

        Where its sync failed and it was killed then, the record is seen, is not on the platter, and no sync will write
        it: the system holds it to be there. So the same bytes are written over it first. All others were synced.
        """
        if self._starts:
            at = self._starts[-1]
            self.disk.write(self.file, [self.disk.read(self.file, self.end - at, at)], at)
        self.disk.sync(self.file)

    def skip(self, to: int) -> None:
        """Leave out damaged records before a sequence; nobody will ask for them."""
        while self.last < to - 1:
            self.keep(self.end, self.end)

    def close(self) -> None:
        """Close the file."""
        if self.file >= 0:
            self.disk.close(self.file)
            self.file = -1

    def read(self, sequence: int) -> Record | None:
        """Return a record that it holds; None when it is damaged."""
        found = self.whole(self._starts[sequence - self.head.first], sequence)
        return None if found is None else found[1]

    def whole(self, at: int, sequence: int) -> tuple[Place, Record] | None:
        """Return the record of a sequence if it lies whole at a place."""
        content = self.disk.read(self.file, BLOCK, at)
        place = parse(content, at)
        if place is None or place.epoch != self.head.epoch or place.sequence != sequence:
            return None
        body = content[HEAD : HEAD + place.length]
        if len(body) < place.length <= self.size:
            body = self.disk.read(self.file, place.length, at + HEAD)
        if len(body) != place.length or zlib.crc32(body) != place.checksum:
            return None
        return place, Record(sequence, place.kind, place.time, body, place.rows)

    def heads(self, at: int) -> Iterator[Place]:
        """Yield every head of a record of this life from a place on, whole bodies or not."""
        while at < self.size:
            content = self.disk.read(self.file, _LOOKED_AT_ONCE, at)
            blocks = len(content) // BLOCK * BLOCK
            if blocks:
                magic = np.frombuffer(content, "<i8", blocks // 8)[:: BLOCK // 8]
                for block in np.flatnonzero(magic == np.frombuffer(_MAGIC, "<i8")[0]).tolist():
                    start = block * BLOCK
                    place = parse(content[start : start + HEAD], at + start)
                    if place is not None and place.epoch == self.head.epoch:
                        yield place
            at += _LOOKED_AT_ONCE

    def _take_back(self) -> None:
        """Leave no head of a record whose sync failed: it was refused, and must not be there after a restart.

        This is tried once and nothing rests on it; the next segment begins with the sequence of the refused record, and
        that is what tells.
        """
        try:
            self.disk.write(self.file, [_ZEROS], self.end)
            self.disk.sync(self.file)
        except OSError:
            return
