"""A disk that takes no more: a clear refusal, nothing changed, and on again once there is room."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from nilometer.errors import StoreError, StoreFull, StoreUnwritable
from nilometer.model import Sensor, Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.store import Store
from nilometer.store.disk import Disk
from nilometer.store.journal import Journal
from nilometer.store.lake import LakeTable
from nilometer.store.lake_place import FolderPlace
from nilometer.store.lake_writer import YearWriter
from nilometer.store.record import full_rows
from nilometer.store.refusal import refusal
from nilometer.web.statuses import status_of
from tests.store.waters import Water, judge, rows

resource = pytest.importorskip("resource", reason="file size limits are a matter of POSIX")


@contextlib.contextmanager
def no_file_above(size):
    """Refuse every write beyond `size` bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_a_commit_and_takes_the_same_call_once_there_is_room(water, folder):
    one = water.ids[0]
    water.send(one, [0], [1])
    n = 50_000
    batch = judge(water.store.admit(rows(one, np.arange(1, n + 1), np.arange(n))).rows)
    before = water.store.snapshot()
    with no_file_above(400_000):
        for _ in range(2):
            with pytest.raises(StoreFull, match="disk is full"):
                water.store.commit(batch, Settlements.none())
    assert water.store.snapshot() is before
    assert water.store.sequence() == 1
    assert water.store.commit(batch, Settlements.none()) == 2
    assert water.store.snapshot().count() == n + 1
    water.store.close()
    water.store = Store.open(folder)
    assert water.store.snapshot().count() == n + 1
    assert water.store.status().damage == ()


def test_a_full_disk_refuses_a_seal_and_loses_nothing(water, folder, rng):
    one = water.ids[0]
    n = 100_000
    water.send(one, np.arange(n), rng.normal(size=n))
    with no_file_above(100_000), pytest.raises(StoreFull):
        water.store.seal()
    assert water.store.snapshot().count() == n
    assert list((folder / "lake").glob("*/year=*/*.parquet")) == []
    assert water.store.seal().rows == n - 1
    assert water.store.snapshot().count() == n


def test_a_full_disk_refuses_a_deletion_and_an_entity(water):
    one = water.ids[0]
    water.send(one, range(5), range(5))
    with no_file_above(0):
        with pytest.raises(StoreFull):
            water.store.delete([one], None, None)
        if water.store.catalog.engine.dialect.name == "sqlite":
            with pytest.raises(StoreFull):
                water.store.catalog.add_sensor(Sensor(key="next", name="Next"))
        with pytest.raises(StoreFull):
            water.store.save_state("qc", 1, b"x")
    assert water.values(one) == [0, 1, 2, 3, 4]
    assert water.store.catalog.sensor_by_key("next") is None
    assert water.store.catalog.add_sensor(Sensor(key="next", name="Next")).id == 2
    assert water.store.load_state("qc") is None


READ_ONLY = sqlite3.OperationalError("attempt to write a readonly database")
READ_ONLY.sqlite_errorname = "SQLITE_READONLY"
FAILING = sqlite3.OperationalError("disk I/O error")
FAILING.sqlite_errorname = "SQLITE_IOERR_FSYNC"


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (READ_ONLY, StoreUnwritable, "read-only"),
        (FAILING, StoreUnwritable, "the disk fails"),
        (OSError(errno.EROFS, "Read-only file system"), StoreUnwritable, "read-only"),
        (OSError(errno.EIO, "Input/output error"), StoreUnwritable, "the disk fails"),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFull, "the disk is full"),
        (OSError("Generic LocalFileSystem error: Read-only file system (os error 30)"), StoreUnwritable, "read-only"),
        (DeltaError("Unable to sync: Input/output error (os error 5)"), StoreUnwritable, "the disk fails"),
        (DeltaError("Unable to write: No space left on device (os error 28)"), StoreFull, "the disk is full"),
        (sqlite3.DatabaseError("database disk image is malformed"), StoreError, "malformed"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), StoreError, "too long"),
    ],
)
def test_what_refused_is_named_with_its_place_and_can_be_tried_again(cause, kind, words):
    found = refusal(cause, "journal", path="/data")
    assert type(found) is kind
    assert words in str(found)
    assert "/data" in str(found)
    assert found.retryable == (kind is not StoreError)
    assert status_of(found) == {StoreFull: 507, StoreUnwritable: 503, StoreError: 500}[kind]


class Faulty(Disk):
    """This machine's disk, until it is told to refuse a call."""

    def __init__(self):
        self.refused = {}

    def write(self, file, parts, at):
        self._ask("write")
        super().write(file, parts, at)

    def sync(self, file):
        self._ask("sync")
        super().sync(file)

    def rename(self, old, new):
        self._ask("rename")
        super().rename(old, new)

    def sync_folder(self, path):
        self._ask("sync_folder")
        super().sync_folder(path)

    def _ask(self, call):
        if call in self.refused:
            number = self.refused[call]
            raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("calls", [["write"], ["sync"], ["write", "sync"], ["sync", "sync_folder"]])
def test_a_failing_disk_refuses_a_commit_and_takes_it_without_a_restart(water, folder, number, calls):
    one = water.ids[0]
    water.send(one, [0], [1])
    disk = water.store._journal.disk = Faulty()
    for segment in water.store._journal._segments:
        segment.disk = disk
    batch = judge(water.store.admit(rows(one, [1, 2], [2, 3])).rows)
    disk.refused = dict.fromkeys(calls, number)
    for _ in range(3):
        with pytest.raises(StoreFull if number == errno.ENOSPC else StoreUnwritable):
            water.store.commit(batch, Settlements.none())
        assert water.values(one) == [1]
    disk.refused = {}
    assert water.store.commit(batch, Settlements.none()) == 2
    assert water.values(one) == [1, 2, 3]
    water.store.close()
    assert list((folder / "journal").glob("unready-*")) == []
    water.store = Store.open(folder)
    assert water.values(one) == [1, 2, 3]
    assert water.store.status().damage == ()


def test_a_segment_that_may_or_may_not_be_there_takes_no_record_away(tmp_path):
    disk = Faulty()
    journal = Journal(tmp_path / "journal", disk=disk, start=lambda action: action())
    journal.open(sealed=0)
    while not list(journal.path.glob("spare-*")):
        journal.write(0, b"x", 1)
    last = journal.sequence
    # The next record goes to the spare, which gets its name; only nobody knows whether for good.
    disk.refused = {"sync_folder": errno.EIO}
    with pytest.raises(StoreUnwritable):
        journal.write(0, b"refused", 1)
    disk.refused = {}
    for number in range(3):
        assert journal.write(0, b"later", 1)[0] == last + 1 + number
    journal.close()
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=0)
    assert [record.body for record in journal.records(last)] == [b"later"] * 3
    assert journal.damage == []
    journal.close()


def test_after_a_failed_sync_the_record_is_written_again_elsewhere(tmp_path):
    disk = Faulty()
    journal = Journal(tmp_path / "journal", disk=disk)
    journal.open(sealed=0)
    journal.write(0, b"first", 1)
    disk.refused = {"sync": errno.EIO}
    with pytest.raises(StoreUnwritable):
        journal.write(0, b"given up", 2)
    disk.refused = {}
    assert journal.write(0, b"second", 3) == (2, 3)
    assert len(list(journal.path.glob("segment-*"))) == 2
    assert [record.body for record in journal.records(0)] == [b"first", b"second"]
    journal.close()
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=0)
    assert [record.body for record in journal.records(0)] == [b"first", b"second"]
    assert (journal.damage, journal.torn) == ([], [])
    journal.close()


def test_a_refused_record_that_is_given_up_is_not_there_after_a_restart(tmp_path):
    disk = Faulty()
    journal = Journal(tmp_path / "journal", disk=disk)
    journal.open(sealed=0)
    journal.write(0, b"first", 1)
    disk.refused = {"sync": errno.EIO}
    with pytest.raises(StoreUnwritable):
        journal.write(0, b"given up", 2)
    journal.close()
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=0)
    assert [record.body for record in journal.records(0)] == [b"first"]
    journal.close()


def test_no_room_for_a_spare_file_refuses_nothing(tmp_path):
    disk = Faulty()
    journal = Journal(tmp_path / "journal", disk=disk, start=lambda action: action())
    journal.open(sealed=0)
    for _ in range(3):
        disk.refused = {"rename": errno.ENOSPC} if journal.sequence > 0 else {}
        for _ in range(20):
            journal.write(0, b"x", 1)
    assert not list(journal.path.glob("spare-*"))
    assert not list(journal.path.glob("unready-*"))
    disk.refused = {}
    for _ in range(20):
        journal.write(0, b"x", 1)
    assert journal.sequence == 80
    assert len(list(journal.path.glob("segment-*"))) == 2
    journal.close()


def test_the_names_of_a_new_year_are_durable_before_the_lake_speaks_of_it(tmp_path):
    class Noting(Disk):
        """Notes which names were durable when."""

        def __init__(self):
            self.synced = []

        def sync_folder(self, path):
            self.synced.append((path, sorted(one.name for one in path.iterdir())))
            super().sync_folder(path)

    disk = Noting()
    root = tmp_path / "lake" / "observations"
    table = LakeTable(FolderPlace(root, disk), OBSERVATION)
    assert (tmp_path, ["lake"]) in disk.synced
    assert (root.parent, ["observations"]) in disk.synced
    assert (root, ["_delta_log"]) in disk.synced
    batch = judge(rows(1, [0], [1]))
    batch.id = np.array([1 << 32])
    writer = YearWriter(table.place, "2026", OBSERVATION)
    writer.write(pa.table(full_rows(batch.to_arrow(commit=1), 1)).select(OBSERVATION.names))
    files = writer.close()
    disk.synced.clear()
    table.commit(files, [], 1)
    log = f"{table._table.version():020}.json"
    paths = [path for path, _ in disk.synced]
    before = disk.synced[: paths.index(root / "_delta_log")]
    assert (root, ["_delta_log", "year=2026"]) in before
    assert (root / "year=2026", [Path(files[0].path).name]) in before
    assert log in disk.synced[-1][1]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB of its own, and what remounts it."""
    place = tmp_path / "small"
    place.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options, place], capture_output=True, text=True, check=False)

    if sys.platform == "win32" or os.geteuid() or mount("-t", "tmpfs", "-o", "size=24m", "tmpfs").returncode:
        pytest.skip("a file system can be mounted here by nobody, or not by this user")
    try:
        yield place, mount
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_file_system_that_is_full_takes_rows_again_once_there_is_room(small_disk):
    place, _ = small_disk
    water = Water(Store.open(place / "data"))
    one, n = water.ids[0], 20_000
    batch = judge(water.store.admit(rows(one, np.arange(n), np.arange(n))).rows)
    filler = place / "filler"
    # Unbuffered: what a buffer held back would be refused once more when it is closed.
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    for _ in range(2):
        with pytest.raises(StoreFull, match="disk is full"):
            water.store.commit(batch, Settlements.none())
    filler.unlink()
    assert water.store.commit(batch, Settlements.none()) == 1
    water.store.close()
    store = Store.open(place / "data")
    assert store.snapshot().count() == n
    assert (store.status().damage, store.status().torn) == ((), ())
    store.close()


def test_a_file_system_that_is_read_only_is_named_and_left_as_it_is(small_disk):
    place, mount = small_disk
    water = Water(Store.open(place / "data"))
    water.send(water.ids[0], range(5), range(5))
    water.store.close()
    assert mount("-o", "remount,ro").returncode == 0
    with pytest.raises(StoreUnwritable, match="read-only"):
        Store.open(place / "data")
    assert mount("-o", "remount,rw").returncode == 0
    store = Store.open(place / "data")
    assert store.snapshot().count() == 5
    store.close()
