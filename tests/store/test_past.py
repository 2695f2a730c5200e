"""Every question to a snapshot of the past has the bytes that it had then, and rows of one time keep their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nilometer.model import Settlements
from nilometer.store import Store
from nilometer.store.lake_file import LakeFile
from tests.store.waters import SECOND, START, Clock, Water, judge, rows, settlement


@pytest.fixture
def clock():
    return Clock(step_s=5)


@pytest.fixture
def water(folder, clock):
    water = Water(Store.open(folder, now=clock))
    yield water
    water.store.close()


def reopen(water, folder, clock):
    water.store.close()
    water.store = Store.open(folder, now=clock)


def seal(water):
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()


def answers(snapshot, ids):
    """Every method of a snapshot, as bytes and numbers."""

    def told(table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    everything = snapshot.read(water_only=False)
    known = everything["id"].to_numpy()
    middle = START + 40 * SECOND
    return {
        "read": told(everything),
        "narrow": told(snapshot.read(ids[:1], None, middle, columns=["result"])),
        "first": told(snapshot.read(limit=4)),
        "last": told(snapshot.read(ids, limit=7, newest_first=True)),
        "down": told(snapshot.read(ids[1:], newest_first=True)),
        "counts": [snapshot.count(), *(snapshot.count([one], START + 10 * SECOND, middle) for one in ids)],
        "by_id": told(snapshot.by_id(known[::2])),
        "latest": told(snapshot.latest()),
        "one latest": told(snapshot.latest([ids[1]])),
        "extents": [snapshot.extent(one) for one in ids],
        "datastreams": snapshot.datastreams().tolist(),
        "versions": told(snapshot.versions(ids)),
        "existing": sorted(
            snapshot.existing(np.full(9, ids[0], np.int32), START + np.arange(9) * SECOND, ["result"])["id"].to_pylist()
        ),
    }


def test_every_question_of_the_past_keeps_its_answer(water, folder, clock):
    ids, past = water.ids, []

    def check():
        past.append((clock.now, answers(water.store.snapshot(clock.now), ids)))
        present, then = water.store.snapshot(), water.store.snapshot(clock.now)
        assert present.read(ids, water_only=False).equals(then.read(ids, water_only=False))
        assert present.latest().equals(then.latest())
        assert [present.extent(one) for one in ids] == [then.extent(one) for one in ids]
        assert present.versions(ids).equals(then.versions(ids))
        for moment, then in past:
            found = answers(water.store.snapshot(moment), ids)
            assert [name for name in then if found[name] != then[name]] == []

    check()
    water.send(ids[0], np.arange(60), np.arange(60))
    water.send(ids[1], np.arange(0, 60, 7), 1.5)
    check()
    water.send(ids[0], [5, 59, 60], [-5, -59, 60])  # corrections, one of them of the newest row
    check()
    seal(water)
    check()
    water.store.delete([ids[0], ids[1]], START + 50 * SECOND, None)  # takes an end
    check()
    water.send(ids[0], [7, 52], [-7, 52])
    check()
    seal(water)
    check()
    water.store.delete([ids[1]], None, None)
    check()
    reopen(water, folder, clock)
    check()
    water.send(ids[2], [3, 1, 2], [3, 1, 2])
    seal(water)
    water.store.compact()
    check()
    reopen(water, folder, clock)
    check()
    assert len({then["read"] for _, then in past}) == 7


def test_rows_of_one_time_come_by_id_before_and_after_a_seal(water, folder, clock):
    cast = water.add("weir/cast", identity="always_new").id
    water.send(cast, [0, 0, 0, 5, 5], [1, 2, 3, 4, 5])
    # A revision of the first two comes last, and is not the newest: ids order what has one time.
    batch = rows(
        [cast, cast], [0, 5], [1.5, 4.5], id=(cast << 32) + np.array([1, 4]), supersedes=np.array([True, True])
    )
    judge(batch)
    batch.feature = np.full(2, water.store.catalog.water_feature(cast), np.int32)
    water.store.commit(batch, Settlements.none())

    def check():
        snapshot = water.store.snapshot()
        for shown in (snapshot, water.store.snapshot(clock.now)):
            assert shown.read([cast])["result"].to_pylist() == [1.5, 2, 3, 4.5, 5]
            assert shown.read([cast], columns=["result"])["result"].to_pylist() == [1.5, 2, 3, 4.5, 5]
            assert shown.read([cast], columns=["result"], limit=4)["result"].to_pylist() == [1.5, 2, 3, 4.5]
            assert shown.read([cast], newest_first=True)["result"].to_pylist() == [5, 4.5, 3, 2, 1.5]
            newest = shown.read([cast], columns=["result"], limit=2, newest_first=True)
            assert newest["result"].to_pylist() == [5, 4.5]
            assert shown.latest([cast])["result"].to_pylist() == [5]

    check()
    reopen(water, folder, clock)
    check()
    seal(water)
    check()
    water.send(cast, [0, 9], [6, 7])
    water.store.delete([cast], START + 9 * SECOND, None)
    assert water.values(cast) == [1.5, 2, 3, 6, 4.5, 5]
    assert water.store.snapshot().latest([cast])["result"].to_pylist() == [5]
    seal(water)
    reopen(water, folder, clock)
    assert water.values(cast) == [1.5, 2, 3, 6, 4.5, 5]
    assert water.store.snapshot().latest([cast])["result"].to_pylist() == [5]


class Reads:
    """How many rows were taken out of files of the lake."""

    def __init__(self, monkeypatch):
        self.rows, original = 0, LakeFile._stored

        def stored(file, groups, columns):
            self.rows += int(file.blocks.rows[np.asarray(groups, np.int64)].sum())
            return original(file, groups, columns)

        monkeypatch.setattr(LakeFile, "_stored", stored)  # counts, and does what it did


def test_a_delete_reads_nothing_and_other_counts_read_no_more_than_before(folder, clock, monkeypatch):
    water = Water(Store.open(folder, now=clock), datastreams=20)
    for one in water.ids:
        water.send(one, np.arange(10_000), np.arange(10_000))
    seal(water)
    reads = Reads(monkeypatch)
    assert water.store.snapshot().count() == 200_000
    assert reads.rows == 0
    water.store.delete(water.ids[3:13], START + 3000 * SECOND, START + 8000 * SECOND)
    assert reads.rows == 0
    snapshot = water.store.snapshot()
    assert snapshot.count([water.ids[0]]) == 10_000
    assert snapshot.count(water.ids[-2:]) == 20_000
    before = reads.rows
    assert before <= 4 * 32_768  # the groups at the edges of their Datastreams
    assert snapshot.count() == 150_000
    # The groups that hold deleted rows, and no others.
    assert reads.rows - before <= 100_000 + 2 * 32_768
    water.store.close()


def test_ends_that_a_delete_took_are_measured_once_and_kept(folder, clock, monkeypatch):
    water = Water(Store.open(folder, now=clock))
    one, other = water.ids[:2]
    water.send(one, np.arange(100), np.arange(100))
    water.send(other, np.arange(100), np.arange(100))
    seal(water)
    water.store.delete([one], START + 90 * SECOND, None)
    water.store.delete([one], None, START + 5 * SECOND)
    reads = Reads(monkeypatch)
    expected = (START + 5 * SECOND, START + 89 * SECOND)
    assert water.store.snapshot().extent(other) == (START, START + 99 * SECOND)
    assert reads.rows == 0
    assert water.store.snapshot().extent(one) == expected
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [89]
    once = reads.rows
    assert once > 0
    water.send(other, 100, 100)  # another snapshot: it was told
    assert water.store.snapshot().extent(one) == expected
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [89]
    assert reads.rows == once
    water.send(one, [95], [95])
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [95]
    assert water.store.snapshot().extent(one) == (START + 5 * SECOND, START + 95 * SECOND)
    water.store.close()


def test_a_newest_row_that_is_learnt_of_while_it_is_sealed_is_found(water):
    one = water.ids[0]
    water.send(one, np.arange(10), np.arange(10))
    water.store.delete([one], START + 5 * SECOND, None)

    def ask(step):
        if step == "written":  # the seal has chosen what stays hot: nothing of it, for nobody knew the newest row
            assert water.store.snapshot().latest([one])["result"].to_pylist() == [4]

    water.store.on_step = ask
    seal(water)
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [4]
    assert water.store.snapshot().extent(one) == (START, START + 4 * SECOND)
    water.send(one, [6], [6])
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [6]
    assert water.values(one) == [0, 1, 2, 3, 4, 6]


def test_rows_that_come_while_ends_are_measured_are_not_forgotten(water):
    one = water.ids[0]
    water.send(one, np.arange(10), np.arange(10))
    water.store.delete([one], START + 5 * SECOND, None)
    before = water.store.snapshot()
    water.send(one, [7], [7])
    # The snapshot from before measures what it sees, and what it tells is too old to be kept.
    assert before.extent(one) == (START, START + 4 * SECOND)
    assert water.store.snapshot().extent(one) == (START, START + 7 * SECOND)
    assert water.store.snapshot().latest([one])["result"].to_pylist() == [7]


def test_settled_flags_are_those_of_the_past_too(water, clock):
    one = water.ids[0]
    water.send(one, [0, 1], [1, 2])
    moment = clock.now
    water.put(rows([], [], []), settled=settlement(np.array([(one << 32) + 1])))
    assert water.store.snapshot(moment).read([one])["result_quality"].to_pylist() == [3, 1]
