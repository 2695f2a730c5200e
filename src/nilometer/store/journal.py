"""The journal: what was acknowledged, synced before it was, in a folder of segment files.

A record's sequence is its commit. Sequences have no gaps; records leave from the front, when they are sealed and under
a state snapshot. A seal writes its plan here first: the rows it leaves hot, as they were at that sequence. After a
crash the plan of the sequence that the lake has reached, and the records after it, are the hot tail::

    journal/
    ├── segment-ORDINAL       records (`journal_segment` draws them)
    ├── spare-RANDOM          a file that stands ready to become a segment
    ├── floor                 ┌─────────────┬──────────────┬─────────────┬────────┐  the last record
    │                         │ NILFLOOR 8 B│ sequence i64 │ time i64 µs │ CRC-32 │  that was dropped
    │                         └─────────────┴──────────────┴─────────────┴────────┘
    ├── plan-SEQUENCE         ┌─────────────┬──────────────┬────────┬──────┐  the rows that the seal through
    │                         │ NILPLAN1 8 B│ sequence i64 │ CRC-32 │ body │  SEQUENCE left hot
    │                         └─────────────┴──────────────┴────────┴──────┘
    └── damaged-…             what was cut off because something before it was damaged
"""

from __future__ import annotations

import struct
import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nilometer.errors import StoreError
from nilometer.store.disk import DISK, Disk
from nilometer.store.journal_segment import BLOCK, HEAD, Record, Segment, block_of, padded
from nilometer.store.journal_spares import Spares, in_background
from nilometer.store.journal_survey import DAMAGED, Survey, damaged_files, segment_name, survey
from nilometer.store.refusal import refusal

__all__ = ["Journal", "Record"]

LEAST, MOST = 1 << 20, 64 << 20
"""Bytes of the smallest and of the greatest segment."""

_PREPARED_AFTER = 16
_FLOOR = struct.Struct("<8sqqI")
_PLAN = struct.Struct("<8sqI")
_FLOOR_MAGIC, _PLAN_MAGIC = b"NILFLOOR", b"NILPLAN1"
_PLAN_NAME = "plan-"
_COPIED_AT_ONCE = 4 << 20


@dataclass(slots=True)
class Journal:
    """The journal of one folder; `write` is called by one thread at a time, the lock sees to it.

    Parameters
    ----------
    path : Path
        Its folder, made when it does not exist.
    disk : Disk
        What it lies on.
    start : callable
        Has spare files made; in a thread, unless a test wants it at once.
    least, most : int
        Bytes of a segment: the first is small, each next one four times the last, up to the greatest.
    """

    path: Path
    disk: Disk = DISK
    start: Callable[[Callable[[], None]], threading.Thread | None] = in_background
    least: int = LEAST
    most: int = MOST
    sequence: int = 0
    time: int = 0
    first: int = 1
    damage: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _current: Segment | None = None
    _ordinal: int = 0
    _wanted: int = 0
    _spares: Spares = field(init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._spares = Spares(self.path, self.disk, self.start)
        self._wanted = self.least

    def open(self, *, sealed: int, floor: tuple[int, int] = (0, 0)) -> None:
        """Open the folder, check every record, and leave out a torn end.

        Parameters
        ----------
        sealed : int
            The sequence the lake has reached; damage before it loses nothing but a replay.
        floor : tuple of int
            Where a journal that is made now begins: the last sequence before it, and its time.

        Raises
        ------
        StoreFull, StoreUnwritable
            If the disk refuses; nothing was changed.
        StoreError
            If the folder cannot be read.
        """
        try:
            self.disk.make_folder(self.path)
            if not any(name == "floor" or name.startswith("segment-") for name in self.disk.names(self.path)):
                self._write_floor(*floor)
            found = self.look(sealed=sealed)
            self.damage += [f"{self.path.name}: {what}" for what in found.damage]
            self.torn += [f"{self.path.name}: {what}" for what in found.torn]
            self._spares.find()
            self._take(found)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise refusal(error, "open the journal", path=self.path) from error
            raise

    def look(self, *, sealed: int) -> Survey:
        """Return what lies in the folder, with segments that the caller closes; nothing is changed.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        return survey(self.path, self.disk, floor=self._read_floor(), sealed=sealed)

    def write(
        self, kind: int, body: bytes | Sequence[bytes | memoryview], now: int, *, rows: int = 0
    ) -> tuple[int, int]:
        """Append a record and sync it; return its sequence and its time, which never runs back.

        Parameters
        ----------
        kind : int
            ROWS or TOMBSTONE.
        body : bytes, or a sequence of them
            What it says; parts are written one behind the other.
        now : int
            µs UTC.
        rows : int
            How many rows it holds, for whoever counts what was lost.

        Raises
        ------
        StoreFull
            If the disk takes no more. Nothing was changed, and the same call may be made again.
        StoreUnwritable
            If the disk fails or is read-only; the same holds.
        """
        with self._lock:
            time = max(now, self.time + 1)
            self._append(kind, body, time, rows)
            return self.sequence, time

    def plan(self, sequence: int, carried: bytes) -> None:
        """Keep the rows that a seal through `sequence` leaves hot."""
        head = _PLAN.pack(_PLAN_MAGIC, sequence, zlib.crc32(carried, sequence & 0xFFFFFFFF))
        try:
            self.disk.write_whole(self.path / f"{_PLAN_NAME}{sequence}", head + carried)
        except OSError as error:
            raise refusal(error, "plan a seal", path=self.path) from error

    def planned(self, sequence: int) -> bytes | None:
        """Return the rows that the seal through `sequence` left hot.

        Raises
        ------
        StoreError
            If they are damaged.
        """
        path = self.path / f"{_PLAN_NAME}{sequence}"
        try:
            content = self.disk.read_whole(path)
        except OSError as error:
            raise refusal(error, "read the plan of a seal", path=path) from error
        if content is None:
            return None
        carried = content[_PLAN.size :]
        if content[: _PLAN.size] != _PLAN.pack(_PLAN_MAGIC, sequence, zlib.crc32(carried, sequence & 0xFFFFFFFF)):
            raise StoreError(
                f"{path}: the rows kept hot at sequence {sequence} are damaged; restore the folder from a backup"
            )
        return carried

    def drop(self, through: int, *, planned: int) -> None:
        """Let go of the records through a sequence, and of every plan but the one named.

        A commit does not wait for it: segments change their name beside the writer.
        """
        try:
            if through >= self.first:
                self._write_floor(through, self.time)
                self.first = through + 1
                self._recycle(through)
            for name in self.disk.names(self.path):
                if name.startswith(_PLAN_NAME) and name != f"{_PLAN_NAME}{planned}":
                    self.disk.unlink(self.path / name)
        except OSError as error:
            raise refusal(error, "drop sealed records", path=self.path) from error

    def records(self, after: int) -> Iterator[Record]:
        """Yield the records with a sequence above `after`, in order.

        Raises
        ------
        StoreError
            If a record is damaged.
        """
        # One record at a time by sequence: writers go on between two of them.
        sequence = after
        while True:
            with self._lock:
                record = self._next(max(sequence + 1, self.first))
            if record is None:
                return
            sequence = record.sequence
            yield record

    def close(self) -> None:
        """Close the files."""
        self._spares.close()
        with self._lock:
            for segment in self._segments:
                segment.close()
            self._segments, self._current = [], None

    @property
    def size(self) -> int:
        """Bytes of the records that are held."""
        with self._lock:
            return sum(segment.end for segment in self._segments)

    def copy(self, records: Iterable[Record]) -> None:
        """Append records of another journal as they are; durable once it returns."""
        with self._lock:
            for record in records:
                self._append(record.kind, record.body, record.time, record.rows)

    def _append(self, kind: int, body: bytes | Sequence[bytes | memoryview], time: int, rows: int) -> None:
        parts = [body] if isinstance(body, bytes) else list(body)
        length = sum(map(len, parts))
        try:
            segment = self._room(length)
            head = block_of(segment.head.epoch, self.sequence + 1, time, kind, rows, parts, length)
            segment.append(head, parts, length)
        except OSError as error:
            if self._current is not None and self._current.is_spoilt:
                # What its sync left on the platter nobody knows: the next record begins another segment.
                self._current = None
            raise refusal(error, "journal", path=self.path) from error
        self.sequence, self.time = self.sequence + 1, time
        is_half_full = 2 * segment.end >= segment.capacity
        if is_half_full or (segment.records >= _PREPARED_AFTER and not segment.is_prewritten):
            self._spares.prepare(self._wanted)

    def _room(self, length: int) -> Segment:
        """Return a segment with room for a body of so many bytes."""
        current = self._current
        if current is not None and current.fits(length) and (current.is_prewritten or not len(self._spares)):
            return current
        needed = BLOCK + padded(HEAD + length)
        spare = self._spares.take(needed)
        if spare is None and current is not None and current.fits(length):
            return current
        return self._begin(spare, needed)

    def _begin(self, spare: tuple[int, Path] | None, needed: int) -> Segment:
        self._ordinal += 1
        path = self.path / segment_name(self._ordinal)
        capacity, place = spare or (max(needed, self._wanted), path.with_name(f"unready-{path.name}"))
        head = Segment.fresh(self._ordinal, self.sequence + 1, self.time)
        try:
            segment = Segment.begin(place, path, self.disk, head, capacity, spare=spare is not None)
        except OSError:
            if not self._spares.give_back(place, capacity, name=path.name, spare=spare is not None):
                # It may have its name by now, and takes the place of what others have from its first sequence on: only
                # a segment behind it may have that one.
                self._current = None
            raise
        # Large records call for larger segments: a few should fit into one.
        self._wanted = min(self.most, max(4 * self._wanted, 8 * padded(needed)))
        self._segments.append(segment)
        self._current = segment
        return segment

    def _next(self, sequence: int) -> Record | None:
        """Return the first record from a sequence on; what is missing before the lake's sequence is passed over."""
        place = max(0, bisect_right(self._segments, sequence, key=lambda segment: segment.head.first) - 1)
        for segment in self._segments[place:]:
            sequence = max(sequence, segment.head.first)
            if sequence <= segment.last:
                try:
                    record = segment.read(sequence)
                except OSError as error:
                    raise refusal(error, f"read record {sequence}", path=segment.path) from error
                if record is None:
                    raise StoreError(f"{segment.path}: record {sequence} is damaged")
                return record
        return None

    def _recycle(self, through: int) -> None:
        """Make spares of the segments whose records have all been dropped, but for the one that is written."""
        while True:
            with self._lock:
                oldest = self._segments[0] if self._segments else None
                if oldest is None or oldest is self._current or oldest.last > through:
                    return
                self._segments.pop(0)
            oldest.close()
            self._spares.give(oldest.path, oldest.size // BLOCK * BLOCK, wanted=self._wanted)

    def _take(self, found: Survey) -> None:
        """Go on from what was found; damaged parts are kept aside before anything is written."""
        self._segments, self._ordinal = found.segments, found.ordinal
        self.first, self.sequence, self.time = found.first, found.sequence, found.time
        if self._segments:
            self._wanted = min(self.most, max(self.least, 4 * self._segments[-1].size))
            # What a killed process wrote and did not sync is read like what it synced: it is made durable first.
            self._segments[-1].make_durable()
            self.disk.sync_folder(self.path)
            if found.is_clean:
                self._current = self._segments[-1]
        self._keep_aside(found)
        kept = damaged_files(self.path, self.disk)
        if kept:
            self.damage.append(
                f"{self.path.name}: records that were cut off are kept in {', '.join(kept)}; "
                "delete the files when they are of no more use"
            )

    def _keep_aside(self, found: Survey) -> None:
        """Keep what is cut off; the segment that the next record begins will take its place."""
        for segment, at in found.aside:
            if at:
                self._copy_aside(segment, at)
        for segment, at in found.aside:
            if not at:
                segment.close()
                self.disk.rename(segment.path, self.path / f"{DAMAGED}{segment.path.name}")
        for segment in found.empty:
            segment.close()
            self.disk.unlink(segment.path)
        if found.aside or found.empty:
            self.disk.sync_folder(self.path)

    def _copy_aside(self, segment: Segment, at: int) -> None:
        """Copy a segment's head and what lies from a place on to a file beside it."""
        path = self.path / f"{DAMAGED}{segment.path.name}-at-{at}"
        self.disk.unlink(path)
        file = self.disk.open(path, create=True)
        try:
            self.disk.write(file, [segment.head.to_block()], 0)
            end = max((place.end for place in segment.heads(at)), default=segment.size)
            for start in range(at, end, _COPIED_AT_ONCE):
                part = self.disk.read(segment.file, min(_COPIED_AT_ONCE, end - start), start)
                self.disk.write(file, [part], BLOCK + start - at)
            self.disk.sync(file)
        finally:
            self.disk.close(file)

    def _write_floor(self, sequence: int, time: int) -> None:
        head = _FLOOR.pack(_FLOOR_MAGIC, sequence, time, 0)[:-4]
        self.disk.write_whole(self.path / "floor", head + struct.pack("<I", zlib.crc32(head)))

    def _read_floor(self) -> tuple[int, int] | None:
        content = self.disk.read_whole(self.path / "floor") or b""
        if len(content) == _FLOOR.size:
            magic, sequence, time, known = _FLOOR.unpack(content)
            if magic == _FLOOR_MAGIC and known == zlib.crc32(content[:-4]):
                return sequence, time
        self.damage.append(f"{self.path.name}: the file floor is missing or damaged; all segments were read")
        return None
