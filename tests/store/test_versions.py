"""Every version of rows, wherever it lies; a row that a revision moves in time; a commit without rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from nilometer.model import ObservationBatch, Settlements
from nilometer.store import Store
from tests.store.waters import SECOND, START, Clock, Water, rows, settlement

LIVE = int(np.iinfo(np.int64).max)


@pytest.fixture
def clock():
    return Clock(step_s=5)


@pytest.fixture
def water(tmp_path, clock):
    water = Water(Store.open(tmp_path / "data", now=clock), datastreams=2)
    yield water
    water.store.close()


def seal(water):
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()


def reopen(water, clock, tmp_path):
    water.store.close()
    water.store = Store.open(tmp_path / "data", now=clock)


def told(water, **options):
    table = water.store.snapshot(options.pop("as_of", None)).versions([water.ids[0]], **options)
    names = ("id", "result", "commit", "superseded_commit")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def revise(water, one, *, time=None, result=None):
    """Write a revision of a row at another time or with another result, as a review does."""
    row = ObservationBatch.from_arrow(water.store.snapshot().by_id([one]))
    if time is not None:
        row = replace(row, phenomenon_time=np.array([START + int(time * SECOND)]))
    if result is not None:
        row = replace(row, result=np.array([result]))
    return water.store.commit(replace(row, supersedes=np.ones(1, bool)), Settlements.none())


def test_versions_are_found_in_the_hot_tail_behind_masks_and_in_the_lake(water, clock, tmp_path):
    first = water.ids[0] << 32
    water.send(water.ids[0], [0, 60, 120], [1, 2, 3])
    expected = [(first + 1, 1, 1, LIVE), (first + 2, 2, 1, LIVE), (first + 3, 3, 1, LIVE)]
    for n, value in enumerate((20, 200, 2000)):
        seal(water)
        assert told(water) == sorted(expected)
        water.send(water.ids[0], [60], [value])
        expected.remove((first + 2, value / 10, n + 1, LIVE))
        expected += [(first + 2, value / 10, n + 1, n + 2), (first + 2, value, n + 2, LIVE)]
        assert told(water) == sorted(expected)
        if n:
            reopen(water, clock, tmp_path)
            assert told(water) == sorted(expected)
    water.store.compact()
    assert told(water, ids=[first + 2]) == [row for row in sorted(expected) if row[0] == first + 2]
    assert told(water, start=START, end=START + SECOND) == [(first + 1, 1, 1, LIVE)]
    water.store.delete([water.ids[0]], START, START + 90 * SECOND)
    ended = {row[0]: row[3] for row in told(water)}
    assert (ended[first + 1], ended[first + 2], ended[first + 3]) == (5, 5, LIVE)
    seal(water)
    assert {row[0]: row[3] for row in told(water)} == ended


def test_versions_as_of_a_moment_end_only_where_they_had_ended(water, clock):
    water.send(water.ids[0], [0], [1])
    moment = clock.now
    water.send(water.ids[0], [0], [2])
    one = (water.ids[0] << 32) + 1
    assert told(water, as_of=moment) == [(one, 1, 1, LIVE)]
    assert told(water) == [(one, 1, 1, 2), (one, 2, 2, LIVE)]


def test_two_versions_of_one_commit_keep_their_order_through_seals_and_merges(water):
    batch = rows(water.ids[0], [0], [1])
    admission = water.store.admit(batch)
    first = admission.rows
    first.result, first.result_quality = first.raw_result.copy(), np.ones(1, np.int8)
    second = replace(first, result=np.array([7.0]), supersedes=np.ones(1, bool))
    water.store.commit(ObservationBatch.concat([first, second]), Settlements.none())
    one = (water.ids[0] << 32) + 1
    for _ in range(3):
        assert told(water) == [(one, 1, 1, 1), (one, 7, 1, LIVE)]
        assert water.values(water.ids[0]) == [7]
        water.send(water.ids[1], [0, 600], [1, 1])
        seal(water)
        water.store.compact()


def test_a_row_that_is_moved_is_seen_where_it_is_and_as_of_before_where_it_was(water, clock, tmp_path):
    water.send(water.ids[0], [0, 3600, 6 * 3600], [1, 2, 3])  # the last in another year
    moment = clock.now
    newest = (water.ids[0] << 32) + 3
    for _ in range(2):
        seal(water)
        revise(water, newest, time=1800)
        for _ in range(2):
            snapshot = water.store.snapshot()
            assert snapshot.read()["result"].to_pylist() == [1, 3, 2]
            assert snapshot.at(moment).read()["result"].to_pylist() == [1, 2, 3]
            assert snapshot.latest()["result"].to_pylist() == [2]
            assert snapshot.count() == 3
            assert snapshot.at(moment).count() == 3
            reopen(water, clock, tmp_path)
        revise(water, newest, time=6 * 3600)
        assert water.store.snapshot().latest()["result"].to_pylist() == [3]


def test_a_row_that_settles_after_it_was_revised_settles_as_it_is_now(water):
    water.send(water.ids[0], [0], [1])
    one = (water.ids[0] << 32) + 1
    revise(water, one, result=5.0)
    water.put(rows([], [], []), settled=settlement(np.array([one]), tests="3"))
    assert water.store.snapshot().by_id([one])["tests"].to_pylist() == ["3"]


def test_a_commit_without_rows_is_a_moment_of_its_own(water, clock, tmp_path):
    water.send(water.ids[0], [0], [1])
    before = clock.now
    assert water.store.mark() == 2
    assert (water.store.commit_at(before), water.store.commit_at(clock.now)) == (1, 2)
    moment = water.store.snapshot().committed(2)
    assert before < moment <= clock.now
    assert (water.store.commit_at(moment), water.store.commit_at(moment - 1)) == (2, 1)
    reopen(water, clock, tmp_path)
    assert water.store.sequence() == 2
    assert water.values() == [1]
    water.send(water.ids[0], [60], [2])
    seal(water)
    reopen(water, clock, tmp_path)
    assert water.values() == [1, 2]


@pytest.mark.parametrize("extra", [None, "{}", '{"a": 1}', '{"b":{"c":[1,2]},"@validTime":"x"}', '{"溶":"氧, {1}"}'])
def test_a_result_without_a_raw_result_is_told_from_one_that_equals_it(extra):
    batch = ObservationBatch(
        id=np.arange(3),
        datastream=np.ones(3, np.int32),
        phenomenon_time=np.arange(3),
        raw_result=np.array([np.nan, np.nan, 4.0]),
        result=np.array([5.0, np.nan, 4.0]),
        result_quality=np.ones(3, np.int8),
        extra=pa.array([extra] * 3, pa.string()),
    )
    table = batch.to_arrow(commit=1)
    assert table["raw_result"].null_count == 3
    again = ObservationBatch.from_arrow(table)
    np.testing.assert_array_equal(again.raw_result, batch.raw_result)
    np.testing.assert_array_equal(again.result, batch.result)
    # An object without members says nothing: it comes back as such, or as none.
    same = [None if text in {None, "{}"} else text for text in again.extra.to_pylist()]
    assert [text.replace(" ", "") if text else text for text in same] == [
        None if extra in {None, "{}"} else extra.replace(" ", "")
    ] * 3
