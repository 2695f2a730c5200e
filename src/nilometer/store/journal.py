"""The journal: what was acknowledged, synced before it was, in a SQLite file of its own.

A record's sequence is its commit. Sequences have no gaps; records leave from the front, when they are sealed and under
a state snapshot. A seal writes its plan here first: the rows it leaves hot, as they were at that sequence. After a
crash the plan of the sequence that the lake has reached, and the records after it, are the hot tail.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nilometer.errors import StoreError
from nilometer.store.folder import sync_folder
from nilometer.store.record import ROWS, checksum
from nilometer.store.refusal import refusal

__all__ = ["Journal", "Record"]

_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, time INTEGER NOT NULL, checksum INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS plans (sequence INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS floor (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL,
    time INTEGER NOT NULL);
INSERT OR IGNORE INTO floor VALUES (1, 0, 0);
"""


_DROPPED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its sequence, its kind (ROWS or TOMBSTONE), its commit time in µs UTC, its bytes."""

    sequence: int
    kind: int
    time: int
    body: bytes


@dataclass(slots=True)
class Journal:
    """The journal of one folder; `write` is called by one thread at a time, the lock sees to it.

    Parameters
    ----------
    path : Path
        The SQLite file, made when it does not exist.
    """

    path: Path
    sequence: int = 0
    time: int = 0
    first: int = 1
    damage: list[str] = field(default_factory=list)
    _connection: sqlite3.Connection | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def open(self, *, sealed: int) -> None:
        """Open the file, check every record that is not sealed yet, and cut back a damaged tail.

        Parameters
        ----------
        sealed : int
            The sequence the lake has reached; damage before it loses nothing but a replay.

        Raises
        ------
        StoreError
            If the file is no journal, or cannot be read or written.
        """
        try:
            connection = self._connect()
            floor, floor_time = connection.execute("SELECT sequence, time FROM floor").fetchone()
            self.sequence, self.time = max(floor, sealed), floor_time
            self.first = floor + 1
            self._check(connection, floor, sealed)
        except sqlite3.Error as error:
            raise refusal(error, "open the journal", path=self.path) from error

    def write(self, kind: int, body: bytes, now: int) -> tuple[int, int]:
        """Append a record and sync it; return its sequence and its time, which never runs back.

        Raises
        ------
        StoreFull
            If the disk takes no more. Nothing was changed, and the same call may be made again.
        StoreError
            If the file cannot be written.
        """
        with self._lock:
            sequence, time = self.sequence + 1, max(now, self.time + 1)
            self._do(
                "journal",
                "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
                (sequence, kind, time, checksum(sequence, kind, time, body), body),
            )
            self.sequence, self.time = sequence, time
            return sequence, time

    def plan(self, sequence: int, carried: bytes) -> None:
        """Keep the rows that a seal through `sequence` leaves hot."""
        values = (sequence, checksum(sequence, ROWS, 0, carried), carried)
        with self._lock:
            self._do("plan a seal", "INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", values)

    def planned(self, sequence: int) -> bytes | None:
        """Return the rows that the seal through `sequence` left hot.

        Raises
        ------
        StoreError
            If they are damaged.
        """
        with self._lock:
            found = (
                self._connect().execute("SELECT checksum, body FROM plans WHERE sequence = ?", (sequence,)).fetchone()
            )
        if found is None:
            return None
        if found[0] != checksum(sequence, ROWS, 0, found[1]):
            raise StoreError(
                f"{self.path}: the rows kept hot at sequence {sequence} are damaged; restore the folder from a backup"
            )
        return bytes(found[1])

    def drop(self, through: int, *, planned: int) -> None:
        """Let go of the records through a sequence, and of every plan but the one named.

        In small steps: a commit never waits for more than one of them.
        """
        while self.first <= through:
            self._drop(min(through, self.first + _DROPPED_AT_ONCE - 1))
        with self._lock:
            self._do("drop old plans", "DELETE FROM plans WHERE sequence <> ?", (planned,))

    def _drop(self, through: int) -> None:
        with self._lock:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                row = connection.execute("SELECT time FROM records WHERE sequence = ?", (through,)).fetchone()
                connection.execute("DELETE FROM records WHERE sequence <= ?", (through,))
                connection.execute(
                    "UPDATE floor SET sequence = ?, time = max(time, ?)", (through, row[0] if row else 0)
                )
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._recover()
                raise refusal(error, "drop sealed records", path=self.path) from error
            self.first = through + 1

    def records(self, after: int) -> Iterator[Record]:
        """Yield the records with a sequence above `after`, in order.

        Raises
        ------
        StoreError
            If a record is damaged.
        """
        # One record at a time by key: writers go on between two of them.
        sequence = max(after, self.first - 1)
        while sequence < self.sequence:
            with self._lock:
                row = (
                    self._connect()
                    .execute(
                        "SELECT sequence, kind, time, checksum, body FROM records WHERE sequence > ? "
                        "ORDER BY sequence LIMIT 1",
                        (sequence,),
                    )
                    .fetchone()
                )
            if row is None:
                return
            sequence, kind, time, expected, body = row
            if checksum(sequence, kind, time, body) != expected:
                raise StoreError(f"{self.path}: record {sequence} is damaged")
            yield Record(sequence, kind, time, body)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                # Restart the log early: it is synced anyway, and a short one is read fast after a crash.
                connection.execute("PRAGMA wal_autocheckpoint = 4000")
                connection.execute("PRAGMA journal_size_limit = 67108864")
                connection.executescript(_TABLES)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _do(self, doing: str, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._connect().execute(statement, values)
        except sqlite3.Error as error:
            self._recover()
            raise refusal(error, doing, path=self.path) from error

    def _recover(self) -> None:
        # After a refused write SQLite has rolled back; a fresh connection forgets whatever it half knew.
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                self.damage.append("a rollback was refused")
            finally:
                connection.close()

    def _check(self, connection: sqlite3.Connection, floor: int, sealed: int) -> None:
        expected = floor + 1
        cursor = connection.execute("SELECT sequence, kind, time, checksum, body FROM records ORDER BY sequence")
        try:
            for sequence, kind, time, known, body in cursor:
                whole = isinstance(body, bytes) and known == checksum(sequence, kind, time, body)
                if sequence > sealed and not (whole and sequence == max(expected, sealed + 1)):
                    cursor.close()
                    self._cut(connection, min(sequence, max(expected, sealed + 1)))
                    return
                if not whole or sequence != expected:
                    self.damage.append(f"before record {sequence + (not whole)} records are damaged; they are sealed")
                    self.first = sequence if whole else sequence + 1
                expected = sequence + 1
                self.sequence, self.time = max(self.sequence, sequence), max(self.time, time)
        except sqlite3.DatabaseError as error:
            cursor.close()
            self._salvage(str(error))

    def _cut(self, connection: sqlite3.Connection, cut: int) -> None:
        count = connection.execute("SELECT count(*) FROM records WHERE sequence >= ?", (cut,)).fetchone()[0]
        connection.execute("DELETE FROM records WHERE sequence >= ?", (cut,))
        self.sequence = max(self.sequence, cut - 1)
        self.damage.append(f"records from {cut} on failed their checksum: {count} were cut off")

    def _salvage(self, reason: str) -> None:
        """Start a new file with what can be read of a torn one, which is put aside."""
        torn, beside = self._connect(), self.path.with_name(self.path.name + ".new")
        beside.unlink(missing_ok=True)
        whole = Journal(beside)
        new = whole._connect()
        for table in ("floor", "plans"):
            for row in torn.execute(f"SELECT * FROM {table}"):  # noqa: S608 -- one of two fixed words
                new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
        for sequence in range(self.first, self.sequence + 1):
            row = torn.execute("SELECT * FROM records WHERE sequence = ?", (sequence,)).fetchone()
            new.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", row)
        whole.close()
        self.close()
        aside = self.path.with_name(self.path.name + ".damaged")
        self.path.replace(aside)
        for name in ("-wal", "-shm"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)
        beside.replace(self.path)
        sync_folder(self.path.parent)
        self.damage.append(f"the file is torn after record {self.sequence} ({reason}): it was put aside as {aside}")
