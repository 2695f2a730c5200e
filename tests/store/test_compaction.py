"""Deleted and revised rows leave the lake after the seal, not in it; what is true is the same before and after."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from nilometer.errors import StoreError, StoreFull
from nilometer.store import Store
from nilometer.store.hot import HotTail
from nilometer.store.lake_file import LakeFile
from nilometer.store.restore import restore_backup
from tests.pipeline.conftest import no_file_above
from tests.store.waters import SECOND, START, Clock, Water, rows, settlement

DAY = 86_400


class Crash(BaseException):
    """A process that ends."""


def files(store):
    return {file.path for file in (*store.snapshot().files, *store._live.revisions)}


def plain(folder, table="observations"):
    """What any Delta reader sees."""
    frame = pl.scan_delta(str(folder / "lake" / table)).collect()
    names = ["id", "commit", "superseded_commit"] if table == "revisions" else ["id", "commit", "result"]
    return sorted(frame.select(names).rows())


def answers(store, moments):
    """Every answer there is, the past byte by byte."""
    snapshot, ids = store.snapshot(), [item.id for item in store.catalog.datastreams()]
    past = []
    for moment in moments:
        sink = pa.BufferOutputStream()
        table = store.snapshot(moment).read(water_only=False)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        past.append(bytes(sink.getvalue()))
    # Where a row lies shows in no column; chunks do not count.
    return (
        snapshot.read(water_only=False).to_pydict(),
        snapshot.versions(ids).to_pydict(),
        snapshot.latest().to_pydict(),
        [snapshot.extent(one) for one in ids],
        [snapshot.count([one]) for one in ids],
        past,
    )


@pytest.fixture
def clock():
    return Clock(step_s=2)


@pytest.fixture
def owing(folder, clock):
    """A store whose lake has rows that were deleted, revised, moved and settled, with the moments between."""
    water = Water(Store.open(folder, now=clock))
    one, two, three = water.ids
    moments = []
    for number in water.ids:
        water.send(number, np.arange(0, 6 * DAY, 3600), np.arange(144.0))
        moments.append(clock())
    water.store.seal()
    water.send(one, [0, 3600, 2 * DAY], [100.0, 101.0, 102.0])
    moments.append(clock())
    water.store.delete([two], START + DAY * SECOND, START + 2 * DAY * SECOND)
    moments.append(clock())
    # Sent again after the delete: it is there.
    water.send(two, [DAY + 3600], [7.0])
    water.send(one, [3600], [201.0])
    row = water.store.snapshot().read([three], START, START + SECOND)["id"].to_numpy()
    water.put(rows([], [], []), settled=settlement(row, tests="4"))
    moments.append(clock())
    yield water, moments
    water.store.close()


def test_a_seal_reads_and_rewrites_nothing_of_the_lake(owing, monkeypatch):
    water, moments = owing
    before, old, read = answers(water.store, moments), files(water.store), []
    with monkeypatch.context() as patch:
        # The real call, and a note that it was made.
        call = LakeFile.read
        patch.setattr(LakeFile, "read", lambda *given: read.append(1) or call(*given))
        water.store.on_step = lambda name: name == "seal.swapped" and patch.undo()
        water.store.seal()
    assert old <= files(water.store)
    assert read == []
    assert answers(water.store, moments) == before


@pytest.mark.parametrize("seals", [0, 1, 3])
@pytest.mark.parametrize("is_reopened", [False, True])
def test_what_is_owed_outlives_the_records_it_came_from(owing, folder, clock, seals, is_reopened):
    water, moments = owing
    before = answers(water.store, moments)
    for number in range(seals):
        if number:
            water.store.mark()
        water.store.save_state("qc", water.store.sequence(), b"")
        water.store.seal()
        assert water.store._journal.first == water.store.sequence() + 1
        assert answers(water.store, moments) == before
    store = water.store
    if is_reopened:
        store.close()
        store = water.store = Store.open(folder, now=clock)
        assert answers(store, moments) == before
    store.compact()
    assert answers(store, moments) == before
    assert not len(store._live.masks)
    assert not len(store._live.tombstones)
    current = store.snapshot().read(columns=["id", "commit"])
    hot = store.status().hot_rows
    assert len(plain(folder)) == current.num_rows - hot
    assert hot == 3
    store.close()
    store = water.store = Store.open(folder, now=clock)
    assert answers(store, moments) == before
    store.close()


def test_a_plain_reader_never_sees_two_versions_of_a_row(owing, folder):
    water, _ = owing
    store, seen = water.store, []

    def look(name):
        found = plain(folder)
        ids = [row[0] for row in found]
        assert len(set(ids)) == len(ids), name
        seen.append(name)

    store.on_step = look
    store.seal()
    first = {row[0]: row[2] for row in plain(folder)}
    store.compact()
    last = {row[0]: row[2] for row in plain(folder)}
    revised = store.snapshot().read([water.ids[0]], START, START + SECOND)["id"][0].as_py()
    assert (first[revised], last[revised]) == (0.0, 100.0)
    assert "compact.rewritten" in seen
    former = plain(folder, "revisions")
    assert len({row[:2] for row in former}) == len(former)
    store.close()


@pytest.mark.parametrize("step", ["seal.written", "seal.revisions", "seal.observations", "compact.rewritten"])
@pytest.mark.parametrize("is_reopened", [False, True])
def test_an_exchange_that_is_cut_short_is_made_whole(owing, folder, clock, step, is_reopened):
    water, moments = owing
    store = water.store
    store.seal()
    before = answers(store, moments)
    at = store.sequence()

    def crash(name):
        if name == step and (store.sequence() > at or step == "compact.rewritten"):
            raise Crash

    store.on_step = crash
    with pytest.raises(Crash):
        store.compact()
    store.on_step = lambda _name: None
    assert answers(store, moments) == before
    if is_reopened:
        store.close()
        store = water.store = Store.open(folder, now=clock)
        assert answers(store, moments) == before
    # What comes now is sealed with what was left behind.
    water.send(water.ids[0], [7 * DAY], [1.0])
    water.store.seal()
    store.compact()
    then = answers(store, moments)
    assert then[5] == before[5]
    assert then[4] == [before[4][0] + 1, *before[4][1:]]
    former = plain(folder, "revisions")
    assert len(set(former)) == len(former)
    assert not len(store._live.masks)
    store.close()


def test_an_exchange_that_the_seal_under_way_knows_nothing_of_is_not_passed_over(owing, folder):
    water, moments = owing
    store, planned, waits, threads, written = water.store, threading.Event(), threading.Event(), [], []
    store.seal()
    water.send(water.ids[0], [7 * DAY, 8 * DAY], [1.0, 2.0])
    before, turn = answers(store, moments), store._seals.turns.seal

    def asked():
        if threads and threading.current_thread() is not threads[0]:
            waits.set()
        return turn()

    def between(name):
        written.extend([name] * (name == "compact.rewritten"))
        if len(written) == 2 and not threads:
            # The last file is written and not yet known to be ready: this seal does not exchange it.
            threads.append(threading.Thread(target=store.seal))
            threads[0].start()
            assert planned.wait(60)
        if name == "seal.planned" and threading.current_thread() in threads:
            planned.set()
            assert waits.wait(60)  # the compactor has seen that there is something to seal, and waits for its turn

    store._seals.turns.seal, store.on_step = asked, between
    store.compact()
    threads[0].join()
    assert len(written) == 2
    assert not store._seals.compaction.ready().exchanges
    store.mark()
    store.seal()
    assert answers(store, moments) == before
    ids = [row[0] for row in plain(folder)]
    assert len(set(ids)) == len(ids)
    assert not len(store._live.masks)


def test_a_file_that_is_not_in_the_lake_cannot_be_exchanged(owing, folder):
    water, _ = owing
    water.store.seal()
    table, old = water.store._seals.compaction._observations, water.store.snapshot().files
    water.store.compact()
    then = plain(folder)
    left = [file for file in old if file not in table.files]
    with pytest.raises(StoreError, match=left[0].path):
        table.commit([], left, None)
    assert plain(folder) == then


def test_a_swap_that_fails_is_done_before_anything_else_is_sealed(owing, monkeypatch, folder):
    water, moments = owing
    store = water.store
    before = answers(store, moments)
    with monkeypatch.context() as patch:
        # Memory may end there; no real event can be made to end it at this call.
        def refuse(*_):
            raise MemoryError

        patch.setattr(HotTail, "exchange", refuse)
        with pytest.raises(MemoryError):
            store.seal()
    assert answers(store, moments) == before
    water.send(water.ids[2], [9 * DAY], [1.0])
    store.seal()
    after = answers(store, moments)
    assert after[4] == [*before[4][:2], before[4][2] + 1]
    assert after[5] == before[5]
    ids = [row[0] for row in plain(folder)]
    assert len(set(ids)) == len(ids)
    store.close()


def test_a_row_that_settles_while_it_is_sealed_keeps_its_new_flags(water):
    one = water.ids[0]
    water.send(one, [0, 1, 2], [1.0, 2.0, 3.0])
    ids = water.store.snapshot().read()["id"].to_numpy()
    store = water.store

    def settle(name):
        if name == "seal.written":
            water.put(rows([], [], []), settled=settlement(ids[:1], tests="4"))
            store.on_step = lambda _name: None

    store.on_step = settle
    store.seal()
    for _ in range(2):
        assert store.snapshot().read()["tests"].to_pylist() == ["4", None, None]
        assert store.snapshot().count() == 3
        store.compact()


def test_a_row_of_the_lake_that_settles_while_a_seal_goes_on_is_there_once(water):
    one = water.ids[0]
    water.send(one, [0, 1, 2], [1.0, 2.0, 3.0])
    store = water.store
    store.seal()
    ids = store.snapshot().read()["id"].to_numpy()
    water.send(one, [3], [4.0])

    def settle(name):
        if name == "seal.written":
            water.put(rows([], [], []), settled=settlement(ids[:1], tests="4"))
            store.on_step = lambda _name: None

    store.on_step = settle
    store.seal()
    assert store.snapshot().read()["tests"].to_pylist() == ["4", None, None, None]
    assert store.snapshot().count() == 4


def test_a_backup_has_what_is_owed(owing, tmp_path, clock):
    water, moments = owing
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()
    before = answers(water.store, moments)
    water.store.backup(tmp_path / "backup")
    water.store.close()
    restore_backup(tmp_path / "backup", tmp_path / "again")
    store = Store.open(tmp_path / "again", now=clock)
    assert answers(store, moments) == before
    store.compact()
    assert answers(store, moments) == before
    store.close()


def test_a_deletes_and_revises_index_that_is_lost_is_counted_anew(owing, folder, clock):
    water, moments = owing
    water.store.delete([water.ids[1]], START + 5 * DAY * SECOND, None)
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()
    before = answers(water.store, moments)
    water.store.close()
    (folder / "state" / "index.state").unlink()
    water.store = Store.open(folder, now=clock)
    assert answers(water.store, moments) == before
    water.store.close()


def test_a_store_that_closes_ends_a_compaction_and_leaves_nothing_of_it(owing, folder, clock):
    water, moments = owing
    store = water.store
    water.send(water.ids[2], np.arange(-400, -390) * DAY, 1.0)  # in another file, of the year before
    store.seal()
    store.delete([water.ids[2]], None, START - 395 * DAY * SECOND)
    before = answers(store, moments)
    store.on_step = lambda name: name == "compact.rewritten" and store._seals.turns.end()
    with pytest.raises(StoreError, match="closed; nothing was lost"):
        store.compact()
    store.close()
    store = water.store = Store.open(folder, now=clock)
    known = {file.path for file in (*store._observations.files, *store._revisions.files)}
    lying = {path.relative_to(path.parents[1]).as_posix() for path in (folder / "lake").rglob("*.parquet")}
    assert lying == known
    assert answers(store, moments) == before
    store.close()


def test_the_background_compactor_takes_out_what_is_owed(owing, folder):
    water, moments = owing
    store = water.store
    before = answers(store, moments)
    compactor = store.start_compacting()
    store.seal()
    compactor.ask()
    store.compact()
    assert answers(store, moments) == before
    assert not len(store._live.tombstones)
    assert compactor.error == ""
    store.close()


def test_a_full_disk_leaves_what_is_owed_hidden(owing):
    water, moments = owing
    water.store.seal()
    before = answers(water.store, moments)
    with no_file_above(1000), pytest.raises(StoreFull):
        water.store.compact()
    assert answers(water.store, moments) == before
    water.store.compact()
    assert answers(water.store, moments) == before
    water.store.close()


def test_what_left_the_lake_is_kept_its_time_over_a_restart(owing, folder, clock):
    water, _ = owing
    water.store.seal()
    water.store.compact()
    tables = (water.store._observations, water.store._revisions)
    gone = [Path(table.place.at(path)) for table in tables for path in table._gone]
    assert gone
    for path in gone:
        os.utime(path, (1, 1))  # written long ago, gone a moment ago
    stray = folder / "lake" / "observations" / "year=2026" / "stray.parquet"
    stray.write_bytes(b"a crash came before its commit")
    os.utime(stray, (1, 1))
    water.store.close()
    store = water.store = Store.open(folder, now=clock)
    assert store.compact().deleted == 1
    assert not stray.exists()
    assert all(path.exists() for path in gone)
    store.forgetting.files_s = 0
    assert store.compact().deleted == len(gone)
    assert not any(path.exists() for path in gone)


def test_rows_that_fill_the_memory_because_they_were_revised_make_room(water, monkeypatch):
    monkeypatch.setattr("nilometer.store.store.HOT_ROWS_MOST", 100)
    one = water.ids[0]
    water.send(one, np.arange(400), 1.0)
    water.store.seal()
    water.send(one, np.arange(300), 2.0)
    assert water.store.status().hot_rows > 300
    water.store.seal()
    assert water.store.status().hot_rows > 300  # their former versions are in the lake
    water.store.start_compacting()
    water.send(one, np.arange(300, 310), 2.0)
    assert water.values(one) == [2.0] * 310 + [1.0] * 90
    assert water.store.status().hot_rows < 100
