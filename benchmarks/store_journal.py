"""The journal alone, beside the SQLite file that it took the place of, in one run on one disk.

    python benchmarks/store_journal.py [--folder DIR] [--seconds S] [--rounds N]

For records of one row, of 31 rows (64 clients) and of 250,000 rows: commits a second, MB/s, the time of a commit, CPU;
both forms take turns. Then letting go of sealed records, and the start with a full journal. The file system and how
many syncs a second it gives (4 KiB appended, 4 KiB over blocks written before) stand beside: no durable figure means
anything without them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from nilometer.store.journal import Journal

SIZES = {"1 row": 180, "31 rows": 1_600, "250,000 rows": 11_800_000}
MOST_BYTES = 2 << 30


class SqliteJournal:
    """The journal of folder version 1: its tables, its settings, its statements."""

    def __init__(self, path):
        self.path, self.sequence = path, 0

    def open(self):
        self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for setting in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 4000",
            "journal_size_limit = 67108864",
        ):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS records (sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, time INTEGER NOT"
            " NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL)"
        )
        for sequence, known, body in self._connection.execute(
            "SELECT sequence, checksum, body FROM records ORDER BY sequence"
        ):
            assert zlib.crc32(body) == known
            self.sequence = sequence

    def write(self, body):
        self.sequence += 1
        self._connection.execute(
            "INSERT INTO records VALUES (?, 0, ?, ?, ?)", (self.sequence, self.sequence, zlib.crc32(body), body)
        )

    def drop(self, through):
        first = self._connection.execute("SELECT min(sequence) FROM records").fetchone()[0]
        for last in range(first + 15, through + 16, 16):
            self._connection.execute("DELETE FROM records WHERE sequence <= ?", (min(last, through),))

    def close(self):
        self._connection.close()


class Segments:
    """The journal of today."""

    def __init__(self, path):
        self._journal = Journal(path)

    @property
    def sequence(self):
        return self._journal.sequence

    def open(self):
        self._journal.open(sealed=0)

    def write(self, body):
        self._journal.write(0, body, 0)

    def drop(self, through):
        self._journal.drop(through, planned=through)

    def close(self):
        self._journal.close()


FORMS = {"SQLite": SqliteJournal, "segments": Segments}


def syncs(folder, *, prewritten, seconds=1.0):
    path = folder / "sync"
    block = os.urandom(4096)
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    if prewritten:
        for at in range(0, 32 << 20, 1 << 20):
            os.pwrite(file, bytes(1 << 20), at)
        os.fsync(file)
    count, limit = 0, time.perf_counter() + seconds
    while time.perf_counter() < limit:
        os.pwrite(file, block, count % 8192 * 4096 if prewritten else count * 4096)
        getattr(os, "fdatasync", os.fsync)(file)
        count += 1
    os.close(file)
    path.unlink()
    return count / seconds


def file_system(folder):
    found = ("?", "?")
    for line in Path("/proc/mounts").read_text().splitlines():
        device, place, kind = line.split()[:3]
        if folder.resolve().is_relative_to(place) and len(place) >= len(found[1]):
            found = (f"{kind} on {device}", place)
    return found[0]


def commits(journal, body, seconds):
    times, cpu = [], time.process_time()
    limit = time.perf_counter() + seconds
    while (before := time.perf_counter()) < limit and len(times) * len(body) < MOST_BYTES:
        journal.write(body)
        times.append(time.perf_counter() - before)
    return times, time.process_time() - cpu


def line(name, size, length, times, cpu):
    spent = np.array(times)
    rate = len(spent) / spent.sum()
    print(
        f"{name:14} {size:10} {rate:9.0f} commits/s {rate * length / 1e6:8.1f} MB/s   median "
        f"{np.median(spent) * 1e3:7.3f} ms  p99 {np.quantile(spent, 0.99) * 1e3:8.3f} ms   "
        f"CPU {cpu / len(spent) * 1e3:7.3f} ms"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seconds", type=float, default=2.0, help="of each form and size, in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        print(f"{file_system(folder)}; load {os.getloadavg()[0]:.1f}")
        for name, prewritten in (("appended", False), ("over written blocks", True)):
            print(f"4 KiB {name} and synced: {syncs(folder, prewritten=prewritten):.0f} a second")
        for size, length in SIZES.items():
            compare(folder, size, np.random.default_rng(1).bytes(length), options)


def compare(folder, size, body, options):
    made = {name: form(folder / f"{name}-{len(body)}") for name, form in FORMS.items()}
    found = {name: ([], 0.0) for name in FORMS}
    for journal in made.values():
        journal.open()
    for _ in range(options.rounds):
        for name, journal in made.items():
            times, cpu = commits(journal, body, options.seconds)
            found[name] = (found[name][0] + times, found[name][1] + cpu)
    for name, (times, cpu) in found.items():
        line(name, size, len(body), times, cpu)
    for name, journal in made.items():
        journal.close()
        again = FORMS[name](folder / f"{name}-{len(body)}")
        before = time.perf_counter()
        again.open()
        started = time.perf_counter() - before
        kept = again.sequence
        before = time.perf_counter()
        again.drop(kept - 1)
        dropped = time.perf_counter() - before
        again.close()
        print(
            f"{name:14} {size:10} start with {kept} records, {kept * len(body) / 1e6:.0f} MB: {started:.2f} s; "
            f"dropped in {dropped * 1e3:.0f} ms"
        )
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
