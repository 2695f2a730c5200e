"""A disk that takes no more: a clear refusal, nothing changed, and on again once there is room."""

from __future__ import annotations

import contextlib
import sqlite3
import sys

import numpy as np
import pytest

from nilometer.errors import StoreError, StoreFull
from nilometer.model import Sensor, Settlements
from nilometer.store import Store
from nilometer.store.refusal import refusal
from tests.store.waters import judge, rows

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
    assert list((folder / "lake").glob("*/month=*/*.parquet")) == []
    assert water.store.seal().rows == n - 1
    assert water.store.snapshot().count() == n


def test_a_full_disk_refuses_a_deletion_and_an_entity(water):
    one = water.ids[0]
    water.send(one, range(5), range(5))
    with no_file_above(0):
        with pytest.raises(StoreFull):
            water.store.delete([one], None, None)
        with pytest.raises(StoreFull):
            water.store.catalog.add_sensor(Sensor(key="next", name="Next"))
        with pytest.raises(StoreFull):
            water.store.save_state("qc", 1, b"x")
    assert water.values(one) == [0, 1, 2, 3, 4]
    assert water.store.catalog.sensor_by_key("next") is None
    assert water.store.catalog.add_sensor(Sensor(key="next", name="Next")).id == 2
    assert water.store.load_state("qc") is None


def test_a_read_only_place_is_named_as_such():
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorname = "SQLITE_READONLY"
    found = refusal(error, "journal", path="/data")
    assert type(found) is StoreError
    assert "read-only" in str(found)
    assert "/data" in str(found)
    assert type(refusal(OSError(5, "Input/output error"), "seal")) is StoreError
    assert sys.platform != "win32"
