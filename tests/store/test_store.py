"""The store from outside: what is committed is there, once, before and after a seal and a restart."""

from __future__ import annotations

import json
import threading

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from nilometer.errors import Overloaded, SchemaMismatch, StoreLocked
from nilometer.model import QartodFlag, SampleKind, Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.store import REVISED, UNCHANGED, Store
from tests.store.waters import START, Water, rows, settlement


def reopen(water, folder):
    water.store.close()
    water.store = Store.open(folder)
    return water.store


def test_what_was_committed_is_read_back_in_every_column(water):
    one = water.ids[0]
    feature = water.store.catalog.sample_feature(one, SampleKind.CHECK)
    batch = rows(
        one,
        [0, 1, 2],
        [7.0, np.nan, 7.2],
        duration=np.array([0, 5, 0]),
        censored=np.array([0, -1, 1], np.int8),
        mark=pa.array(["N", None, "T"]),
        extra=pa.array([None, '{"a":1}', None]),
        depth=np.array([np.nan, 1.5, 2.5]),
        result_time=np.array([START, np.iinfo(np.int64).min, START + 7]),
        feature=np.array([0, 0, feature], np.int32),
        provenance=np.array([4, 4, 5], np.int32),
    )
    water.put(batch)
    water.send(one, 3, 7.3)
    before = water.store.snapshot().read(water_only=False)
    water.store.seal()
    after = water.store.snapshot().read(water_only=False)
    assert before.schema.equals(OBSERVATION)
    assert before.equals(after)
    found = after.to_pylist()[:3]
    assert [row["result"] for row in found] == [7.0, None, 7.2]
    assert [row["raw_result"] for row in found] == [None, None, None]
    assert [row["mark"] for row in found] == ["N", None, "T"]
    assert [row["extra"] for row in found] == [None, '{"a":1}', None]
    assert [row["depth"] for row in found] == [None, 1.5, 2.5]
    assert [row["censored"] for row in found] == [None, -1, 1]
    assert [row["duration"] for row in found] == [0, 5, 0]
    assert [row["result_time"] is None for row in found] == [False, True, False]
    assert [row["provenance"] for row in found] == [4, 4, 5]
    assert [row["id"] for row in found] == [(one << 32) + n for n in (1, 2, 3)]
    assert len(water.values(one)) == 3


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("reopened", [False, True])
def test_repeated_rows_are_unchanged_and_different_ones_revise(water, folder, sealed, reopened):
    one = water.ids[0]
    water.send(one, range(10), range(10))
    if sealed:
        water.store.seal()
    if reopened:
        reopen(water, folder)
    again = water.send(one, range(10), range(10))
    assert (again.status == UNCHANGED).all()
    assert len(again.rows) == 0
    changed = water.send(one, [3, 9], [33.0, 99.0])
    assert (changed.status == REVISED).all()
    assert changed.rows.id.tolist() == [(one << 32) + 4, (one << 32) + 10]
    expected = [0, 1, 2, 33, 4, 5, 6, 7, 8, 99]
    assert water.values(one) == expected
    water.store.seal()
    assert water.values(one) == expected
    reopen(water, folder)
    assert water.values(one) == expected
    assert water.store.snapshot().latest()["result"].to_pylist() == [99]
    assert water.store.snapshot().count() == 10


def test_as_of_shows_every_past_moment_before_and_after_sealing(folder):
    moment = [START]

    def now():
        moment[0] += 10_000_000
        return moment[0]

    water = Water(Store.open(folder, now=now))
    one = water.ids[0]
    water.send(one, [0, 1, 2], [0, 1, 2])
    first = moment[0]
    water.send(one, [1, 3], [11, 3])
    second = moment[0]
    water.store.delete([one], START, START + 1_000_000)
    third = moment[0]
    water.send(one, 1, 111)

    def check():
        assert water.values(one, as_of=first - 1) == []
        assert water.values(one, as_of=first) == [0, 1, 2]
        assert water.values(one, as_of=second) == [0, 11, 2, 3]
        assert water.values(one, as_of=third) == [11, 2, 3]
        assert water.values(one, as_of=moment[0]) == water.values(one) == [111, 2, 3]
        assert water.store.snapshot(second).count([one]) == 4

    check()
    water.store.seal()
    check()
    water.send(one, 4, 4)
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()
    water.store.close()
    water.store = Store.open(folder, now=now)
    assert water.values(one, as_of=second) == [0, 11, 2, 3]
    assert water.values(one, as_of=third) == [11, 2, 3]
    water.store.close()


def test_a_deleted_range_is_gone_at_once_and_its_ids_are_not_used_again(water, folder):
    one, two, _ = water.ids
    water.send(one, range(10), range(10))
    water.send(two, range(10), range(10))
    water.store.seal()
    water.send(one, range(10, 20), range(10, 20))
    water.store.delete([one], START + 5_000_000, None)
    for _ in range(2):
        assert water.values(one) == [0, 1, 2, 3, 4]
        assert water.store.snapshot().latest([one])["result"].to_pylist() == [4]
        assert water.store.snapshot().extent(one) == (START, START + 4_000_000)
        assert water.store.snapshot().count([one]) == 5
        assert len(water.values(two)) == 10
        water.store.seal()
        reopen(water, folder)
    again = water.send(one, 7, 7)
    assert again.rows.id.tolist() == [(one << 32) + 21]
    assert water.values(one) == [0, 1, 2, 3, 4, 7]


def test_a_settled_row_changes_its_flags_without_becoming_a_revision(water, folder):
    one = water.ids[0]
    first = water.send(one, 0, 1.0).rows.id
    water.put(rows(one, 1, 50.0), settled=settlement(first, QartodFlag.SUSPECT, "13"))
    found = water.store.snapshot().read([one])
    assert found["result_quality"].to_pylist() == [QartodFlag.SUSPECT, QartodFlag.PASS]
    assert found["tests"].to_pylist() == ["13", None]
    water.store.seal()
    reopen(water, folder)
    assert water.store.snapshot().read([one])["tests"].to_pylist() == ["13", None]
    # The newest row stayed hot; settling a row that is sealed already works too.
    water.store.commit(rows([], [], []), settlement(first, QartodFlag.FAIL, "14"))
    for _ in range(2):
        found = water.store.snapshot().read([one])
        assert found["tests"].to_pylist() == ["14", None]
        assert found["commit"].to_pylist() == [1, 2]
        water.store.seal()
    assert pl.scan_delta(str(folder / "lake" / "revisions")).collect().height == 0


def test_a_settlement_in_the_call_of_its_own_row_is_written_with_it(water):
    one = water.ids[0]
    batch = water.store.admit(rows(one, [0, 1, 2], [1, 2, 3])).rows
    batch.result, batch.result_quality = batch.raw_result, np.ones(3, np.int8)
    water.store.commit(batch, settlement(batch.id[1:2], QartodFlag.FAIL, "4"))
    found = water.store.snapshot().read([one])
    assert found["result_quality"].to_pylist() == [1, 4, 1]
    assert found["tests"].to_pylist() == [None, "4", None]


def test_a_snapshot_does_not_change_when_rows_come_and_a_seal_passes(water):
    one = water.ids[0]
    water.send(one, range(5), range(5))
    snapshot = water.store.snapshot()
    before = snapshot.read()
    water.send(one, [2, 5], [22, 5])
    water.store.seal()
    water.store.delete([one], None, None)
    assert snapshot.read().equals(before)
    assert snapshot.count() == 5
    assert snapshot.latest()["result"].to_pylist() == [4]


def test_samples_are_no_water_unless_asked_for(water):
    one = water.ids[0]
    feature = water.store.catalog.sample_feature(one, SampleKind.ZERO)
    water.send(one, range(3), range(3))
    water.send(one, [3], [0.01], feature=np.array([feature], np.int32))
    for _ in range(2):
        assert water.values(one) == [0, 1, 2]
        assert water.values(one, water_only=False) == [0, 1, 2, 0.01]
        assert water.store.snapshot().count([one]) == 3
        assert water.store.snapshot().count([one], water_only=False) == 4
        assert water.store.snapshot().latest()["result"].to_pylist() == [2]
        water.store.seal()


def test_the_lake_is_read_by_plain_duckdb_and_polars(water, folder, rng):
    for number in range(4):
        seconds = np.arange(number * 500, number * 500 + 500) * 3600
        for one in water.ids:
            water.send(one, seconds, rng.normal(size=500).round(2))
        water.store.seal()
    for one in water.ids:
        water.send(one, 4000 * 3600, 1.0)
    report = water.store.seal()
    assert report.held == 3
    ours = water.store.snapshot().read(end=START + 4000 * 3_600_000_000)
    lake = pl.scan_delta(str(folder / "lake" / "observations")).drop("year").sort("datastream", "phenomenon_time")
    assert lake.collect().to_arrow().cast(OBSERVATION).equals(ours)
    uris = DeltaTable(str(folder / "lake" / "observations")).file_uris()
    assert pl.read_parquet(uris).height == ours.num_rows
    total = duckdb.execute("SELECT count(*), sum(result) FROM read_parquet(?)", [uris]).fetchone()
    assert total[0] == ours.num_rows
    assert total[1] == pytest.approx(sum(ours["result"].to_pylist()))


def test_limits_take_the_first_or_the_newest_rows_of_each_datastream(water):
    one, two, _ = water.ids
    for part in range(5):
        water.send(one, np.arange(part * 10, part * 10 + 10) * 400_000, np.arange(10) + part * 10)
        water.send(two, np.arange(part * 10, part * 10 + 10) * 400_000, np.arange(10) + part * 10)
        if part < 4:
            water.store.seal()
    assert water.values(one, limit=3) == [0, 1, 2]
    assert water.values(one, limit=3, newest_first=True) == [49, 48, 47]
    assert water.values(one, limit=3, newest_first=True, end=START + 20 * 400_000_000_000) == [19, 18, 17]
    assert water.values(one, newest_first=True) == list(range(49, -1, -1))
    assert water.values(limit=60) == [*range(50), *range(10)]
    found = water.store.snapshot().by_id([(one << 32) + 3, (two << 32) + 50, 77])
    assert found["result"].to_pylist() == [2, 49]


def test_ids_go_on_after_a_restart_even_when_admitted_rows_were_lost(water, folder):
    one = water.ids[0]
    water.send(one, [0], [1])
    water.store.admit(rows(one, [1], [2]))
    reopen(water, folder)
    assert water.send(one, [5], [3]).rows.id.tolist() == [(one << 32) + 2]


def test_rows_in_flight_are_known_to_the_next_batch(water):
    one = water.ids[0]
    first = water.store.admit(rows(one, [0, 1], [1, 2]))
    second = water.store.admit(rows(one, [1, 2], [2, 3]))
    assert second.status.tolist() == [1, 0]
    water.store.abandon(first.rows)
    third = water.store.admit(rows(one, [1], [2]))
    assert third.status.tolist() == [0]


def test_unknown_datastreams_and_rows_without_time_are_rejected_with_their_reason(water):
    one = water.ids[0]
    batch = rows([one, 99, one, 0], [0, 1, 2, 3], [1, 2, 3, 4])
    batch.phenomenon_time[2] = np.iinfo(np.int64).min
    admission = water.put(batch)
    assert admission.status.tolist() == [0, 3, 3, 3]
    assert admission.reasons == {
        1: "there is no Datastream 99",
        2: "there is no phenomenon_time",
        3: "there is no Datastream 0",
    }
    assert water.values() == [1]


def test_times_are_rounded_to_the_clock_of_the_datastream(water):
    slow = water.add("weir/slow", clock_resolution_us=1_000_000).id
    water.send(slow, [0.4, 0.6], [1, 2])
    assert water.send(slow, [1.2], [2]).status.tolist() == [UNCHANGED]
    times = water.store.snapshot().read([slow])["phenomenon_time"].cast(pa.int64()).to_pylist()
    assert times == [START, START + 1_000_000]


def test_always_new_datastreams_never_recognise_a_row(water):
    new = water.add("weir/posts", identity="always_new").id
    water.send(new, [0, 0, 1], [1, 1, 1])
    water.send(new, [0], [1])
    assert len(water.values(new)) == 4


def test_a_second_store_is_told_who_holds_the_folder(folder):
    store = Store.open(folder, address="http://127.0.0.1:8080")
    with pytest.raises(StoreLocked, match=r"held by the server at http://127\.0\.0\.1:8080") as caught:
        Store.open(folder)
    assert caught.value.address == "http://127.0.0.1:8080"
    store.close()
    Store.open(folder).close()


def test_a_newer_folder_is_refused_and_left_as_it_is(folder):
    Store.open(folder).close()
    (folder / "VERSION").write_text("99\n")
    with pytest.raises(SchemaMismatch, match="newer nilometer"):
        Store.open(folder)
    assert (folder / "VERSION").read_text() == "99\n"
    (folder / "VERSION").unlink()
    with pytest.raises(SchemaMismatch, match="VERSION is missing"):
        Store.open(folder)


def test_replay_yields_what_a_stage_has_not_seen_and_seals_wait_for_its_state(water, folder):
    one = water.ids[0]
    water.send(one, [0, 1], [1, 2])
    second = water.send(one, [2], [3])
    water.store.save_state("qc", 1, b"state after one")
    water.send(one, [3], [4])
    water.store.seal()
    reopen(water, folder)
    assert water.store.load_state("qc") == (1, b"state after one")
    assert water.store.load_state("other") is None
    replayed = list(water.store.replay(1))
    assert [sequence for sequence, _ in replayed] == [2, 3]
    assert replayed[0][1].id.tolist() == second.rows.id.tolist()
    assert replayed[0][1].raw_result.tolist() == [3]
    water.store.save_state("qc", 3, b"later")
    water.store.seal()
    assert list(water.store.replay(0)) == []


def test_files_that_pile_up_are_merged_and_nothing_changes(water):
    one, two, _ = water.ids
    for part in range(20):
        seconds = np.arange(part * 10, part * 10 + 10)
        water.send(one, seconds, seconds)
        water.send(two, seconds[::-1], seconds)
        water.store.seal()
        water.store.compact(everything=False)
    assert water.store.status().files < 10
    assert water.values(one) == list(range(200))
    assert len(water.values(two)) == 200
    water.store.compact()
    assert water.store.status().files == 1
    assert water.values(one) == list(range(200))


def test_the_same_snapshot_is_handed_out_until_something_changes(water):
    assert water.store.snapshot() is water.store.snapshot()
    before = water.store.snapshot()
    water.send(water.ids[0], 0, 1)
    assert water.store.snapshot() is not before


def test_an_empty_store_answers_with_nothing(water):
    snapshot = water.store.snapshot()
    assert snapshot.read().num_rows == snapshot.latest().num_rows == snapshot.count() == 0
    assert snapshot.extent(1) is None
    assert snapshot.by_id([5]).num_rows == 0
    assert water.store.commit(rows([], [], []), Settlements.none()) == 0
    assert water.store.seal().rows == 0
    assert json.loads('{"sequence": 0}')["sequence"] == water.store.sequence()


def test_the_index_is_counted_anew_when_it_is_lost(water, folder):
    one, two, _ = water.ids
    feature = water.store.catalog.sample_feature(two, SampleKind.SPAN)
    water.send(one, range(10), range(10))
    water.send(two, range(5), range(5))
    water.send(two, [9], [9], feature=np.array([feature], np.int32))
    water.store.delete([one], START + 8_000_000, None)
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()
    water.send(one, 7.5, 7.5)
    before = [water.store.snapshot().latest(), water.store.snapshot().read(water_only=False)]
    water.store.close()
    (folder / "state" / "index.state").unlink()
    water.store = Store.open(folder)
    assert [water.store.snapshot().latest(), water.store.snapshot().read(water_only=False)] == before
    assert water.send(one, 20, 20).rows.id.tolist() == [(one << 32) + 12]
    assert water.send(two, 3, 3).status.tolist() == [UNCHANGED]


def test_a_writer_waits_for_a_seal_and_is_refused_when_none_comes(water, monkeypatch):
    monkeypatch.setattr("nilometer.store.store.HOT_ROWS_MOST", 100)  # the real bound takes seconds to reach
    one = water.ids[0]
    water.send(one, range(150), 1.0)
    with pytest.raises(Overloaded, match="150 rows wait"):
        water.send(one, 200, 1.0)
    seal = threading.Thread(target=water.store.seal)

    def seals():
        seal.start()
        return True

    water.store.on_full = seals
    water.send(one, 201, 1.0)
    seal.join()
    assert len(water.values(one)) == 151
