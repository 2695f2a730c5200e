"""The table of fault points is the source's, and a process killed at each leaves what a dictionary holds."""

from __future__ import annotations

import ast
import shutil
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import nilometer.store
from nilometer.errors import StoreError
from nilometer.store import Store
from nilometer.store.deletions import ACTION
from nilometer.store.faults import POINTS
from nilometer.store.restore import check_backup, restore_backup
from tests.store.doomed import Doomed
from tests.store.fault_writer import ROUND, SECOND, START, STREAMS, Oracle, at, write
from tests.store.test_backup import RESTORE_STEPS

HERE = [point for point in POINTS if not point.startswith("restore.")]
AFTER = len(ROUND) + 1
"""The event from which on a process dies: the points are those of the second round."""
GOES_ON = len(ROUND) // 2
"""Events after the restart; the audit seals and compacts besides."""


def test_the_table_names_every_point_of_the_source_and_no_other():
    found = Counter()
    for file in Path(nilometer.store.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in {"step", "_step", "on_step"} and node.args and isinstance(node.args[0], ast.Constant):
                    found[node.args[0].value] += 1
    assert set(found) == set(POINTS)
    assert set(found.values()) == {1}
    # test_backup kills a restore at each; into a database it has a point more.
    assert {point for point in POINTS if point.startswith("restore.")} == {*RESTORE_STEPS, "restore.catalog"}


def run(folder, first, last, point=None, lake=None):
    """Run the writer; return its status and the last event that it said was acknowledged."""
    status, acknowledged = Doomed(write, folder, first, last, point, lake).end()
    return status, acknowledged[-1] if acknowledged else first - 1


@pytest.fixture(scope="module")
def first_round(tmp_path_factory):
    """A folder after the first round, which leaves a backup and a lake that was compacted, with what lies beside it."""
    place = tmp_path_factory.mktemp("first") / "place"
    assert run(place / "data", 0, AFTER) == (0, AFTER - 1)
    return place


def shown(table):
    """Rows by (stream, second); each key is there once."""
    keys = keys_of(table)
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, table["result"].to_pylist(), strict=True))


def keys_of(table):
    time = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // SECOND
    return list(zip((table["datastream"].to_numpy() - 1).tolist(), time.tolist(), strict=True))


def oracle_of(done):
    oracle = Oracle()
    for k in range(done + 1):
        oracle.event(k)
    return oracle


def audit(folder, acknowledged, lake=None):
    """Hold everything that a reader can see against the dictionary; return the last event that is there."""
    store = Store.open(folder, now=lambda: at(acknowledged + 1), **(lake or {}))
    try:
        done = settled(store, acknowledged)
        moments = 6
        answers = look(store, oracle_of(done), done, moments)
        store.seal()
        assert look(store, oracle_of(done), done, moments) == answers
        store.compact()
        assert look(store, oracle_of(done), done, moments) == answers
        for name, columns in (("observations", ["id"]), ("revisions", ["id", "commit"])):
            where = str(folder / "lake" / name) if lake is None else f"{lake['lake_url']}/{name}"
            options = None if lake is None else lake["lake_options"]
            frame = pl.scan_delta(where, storage_options=options).select(columns).collect()
            assert frame.unique().height == frame.height
    finally:
        store.close()
    return done


def settled(store, acknowledged):
    """Return whether the event that was under way is there, whole, or not at all."""
    table = store.snapshot().read()
    found, tests = shown(table), dict(zip(keys_of(table), table["tests"].to_pylist(), strict=True))
    candidates = []
    for done in (acknowledged, acknowledged + 1):
        oracle = oracle_of(done)
        if found == oracle.rows and tests == {key: oracle.tests.get(key) for key in oracle.rows}:
            candidates.append(done)
    assert candidates, acknowledged
    return candidates[0]


def look(store, oracle, done, moments=1):
    """Hold what is there, and was at each or at every so many moments, against the dictionary."""
    snapshot, ids = store.snapshot(), range(1, STREAMS + 1)
    table = snapshot.read()
    assert shown(table) == oracle.rows
    assert len(set(table["id"].to_pylist())) == table.num_rows
    assert snapshot.count() == table.num_rows
    newest = {key[0]: key for key in sorted(oracle.rows)}
    assert sorted(keys_of(snapshot.latest())) == sorted(newest.values())
    versions = snapshot.versions(ids)
    keys = zip(keys_of(versions), versions["result"].to_pylist(), strict=True)
    assert Counter((*key, value) for key, value in keys) == Counter(oracle.versions)
    ended = versions["superseded_commit"].to_numpy() == np.iinfo(np.int64).max
    assert int(ended.sum()) == len(oracle.rows)
    for k in range(done, -1, -moments):
        assert shown(store.snapshot(at(k) + 10 * SECOND).read()) == oracle.past[k], k
    deletes = sum(ROUND[k % len(ROUND)] == "delete" for k in range(done + 1))
    assert len(store.catalog.ledger.audit(ACTION)) - deletes in {0, 1}
    return table.to_pydict(), versions.to_pydict(), [snapshot.extent(one) for one in ids]


def audit_backups(folder, acknowledged):
    """What has a manifest is whole, and holds every event up to it; what has none is refused."""
    for backup in folder.parent.glob("backup-*"):
        k = int(backup.name.split("-")[1])
        if (backup / "manifest.json").exists():
            restore_backup(backup, folder.parent / f"restored-{k}")
            store = Store.open(folder.parent / f"restored-{k}", now=lambda: at(acknowledged + 1))
            look(store, oracle_of(k), k, 4)
            store.close()
        else:
            # Its event is done again, and every backup has a new folder.
            assert k == acknowledged + 1
            with pytest.raises(StoreError, match="no whole backup"):
                check_backup(backup)
        shutil.rmtree(backup)


@pytest.mark.slow
@pytest.mark.parametrize("point", HERE)
def test_killed_at_a_point_everything_is_as_the_dictionary_says(tmp_path, first_round, point):
    folder = tmp_path / "place" / "data"
    shutil.copytree(first_round, folder.parent)
    status, acknowledged = run(folder, AFTER, 3 * len(ROUND), point)
    assert status == -signal.SIGKILL
    assert acknowledged >= AFTER - 1
    done = audit(folder, acknowledged)
    audit_backups(folder, acknowledged)
    # It goes on as if nothing had been.
    status, last = run(folder, done + 1, done + 1 + GOES_ON)
    assert (status, last) == (0, done + GOES_ON)
    assert audit(folder, last) == last


@pytest.mark.slow
def test_killed_with_its_lake_in_an_object_store_everything_is_as_the_dictionary_says(tmp_path, object_store):
    folder, lake = tmp_path / "data", object_store.lake()
    assert run(folder, 0, AFTER, lake=lake) == (0, AFTER - 1)
    first = AFTER
    for point in ("seal.observations", "compact.merged"):
        status, acknowledged = run(folder, first, first + 2 * len(ROUND), point, lake)
        assert status == -signal.SIGKILL
        done = audit(folder, acknowledged, lake)
        audit_backups(folder, acknowledged)
        first = done + 1
    status, last = run(folder, first, first + GOES_ON, lake=lake)
    assert (status, last) == (0, done + GOES_ON)
    assert audit(folder, last, lake) == last
