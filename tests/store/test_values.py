from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.model import QartodFlag, SampleKind
from nilometer.store import Store, Values
from tests.store.releases import unpack
from tests.store.test_past import Reads
from tests.store.waters import SECOND, START, Water, rows, settlement

GROUP = 32_768
N = 4 * GROUP
NEXT_MONTH = 86_400
"""Seconds after START from which on all rows are of one month."""


def seal(water):
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Four row groups of one Datastream, sealed, with rows of the hot tail, a revision, flags, samples and a delete."""
    water = Water(Store.open(tmp_path_factory.mktemp("values") / "data"))
    one, other = water.ids[:2]
    seconds = np.arange(N)
    water.send(one, NEXT_MONTH + seconds, np.floor(seconds / GROUP) * 10 + seconds % 7)
    water.put(rows(other, [NEXT_MONTH, NEXT_MONTH + 1, NEXT_MONTH + 2], [31.0, 32.0, np.nan]), quality=QartodFlag.FAIL)
    seal(water)
    water.send(one, [NEXT_MONTH + N, NEXT_MONTH + N + 1], [500.0, 3.0])
    water.send(one, [NEXT_MONTH + 3], [77.0])
    water.put(rows([], [], []), settled=settlement(np.array([(one << 32) + 9]), QartodFlag.SUSPECT))
    feature = water.store.catalog.sample_feature(one, SampleKind.CHECK)
    water.send(one, [NEXT_MONTH + N + 2], [501.0], feature=np.array([feature], np.int32))
    water.store.delete([one], START + (NEXT_MONTH + 100) * SECOND, START + (NEXT_MONTH + 200) * SECOND)
    yield water
    water.store.close()


def wanted_of(table, values):
    result = table["result"].to_numpy()
    mask = np.ones(len(table), bool)
    if values.least is not None:
        mask &= result >= values.least
    if values.greatest is not None:
        mask &= result <= values.greatest
    if values.flags is not None:
        mask &= np.isin(table["result_quality"].to_numpy(), list(values.flags))
    return table.filter(mask)


BOUND = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 3.0, 6.0, 9.5, 10.0, 36.0, 77.0, 500.0, 501.0]))
VALUES = st.tuples(BOUND, BOUND, st.one_of(st.none(), st.frozensets(st.sampled_from([1, 2, 3, 4, 9])))).filter(
    lambda given: any(part is not None for part in given)
)


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 1]), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_of_some_values_are_those_of_all_that_have_them(many, given_values, water_only, which, newest_first):
    values = Values(*given_values)
    snapshot = many.store.snapshot()
    ids = None if which is None else [many.ids[which]]
    options = {"water_only": water_only}
    whole = wanted_of(snapshot.read(ids, newest_first=newest_first, **options), values)
    found = snapshot.read(ids, newest_first=newest_first, values=values, **options)
    assert found["id"].to_pylist() == whole["id"].to_pylist()
    assert snapshot.count(ids, values=values, **options) == len(whole)
    assert len(found) <= snapshot.reach(ids, values=values)
    first = snapshot.read(ids, newest_first=newest_first, values=values, limit=3, columns=["id"], **options)
    assert first["id"].to_pylist() == whole["id"].to_pylist()[:3]


def test_only_row_groups_that_may_hold_the_values_are_read(many, monkeypatch):
    snapshot, one = many.store.snapshot(), many.ids[0]
    reads = Reads(monkeypatch)
    assert snapshot.count([one], values=Values(least=100.0)) == 1  # 500, hot
    assert snapshot.count([one], values=Values(least=100.0, flags=frozenset({4}))) == 0
    assert snapshot.read(values=Values(flags=frozenset({9})))["id"].to_pylist() == []
    assert reads.rows == 0
    assert snapshot.reach([one], values=Values(least=100.0)) <= 10
    assert len(snapshot.read([one], values=Values(least=30.0, greatest=31.0))) > 9000
    assert reads.rows <= GROUP + 3
    # A group whose values are all meant is counted without a look.
    reads.rows = 0
    assert snapshot.count([one], values=Values(least=10.0, greatest=26.0)) == 2 * GROUP
    assert reads.rows == 0


def test_a_count_of_water_reads_only_row_groups_that_hold_samples(folder, monkeypatch):
    water = Water(Store.open(folder))
    one = water.ids[0]
    feature = water.store.catalog.sample_feature(one, SampleKind.CHECK)
    water.send(one, NEXT_MONTH + np.arange(3 * GROUP), np.arange(3 * GROUP) % 5)
    water.send(one, [NEXT_MONTH + 1.5], [4.0], feature=np.array([feature], np.int32))
    seal(water)
    reads = Reads(monkeypatch)
    assert water.store.snapshot().count([one]) == 3 * GROUP
    assert reads.rows == GROUP
    water.store.close()


def test_a_count_of_some_datastreams_looks_once_where_they_lie(folder, monkeypatch):
    water = Water(Store.open(folder), datastreams=5)
    for one in water.ids:
        water.send(one, NEXT_MONTH + np.arange(10_000), np.arange(10_000) % 5)
    seal(water)
    reads = Reads(monkeypatch)
    span = START + (NEXT_MONTH - 1) * SECOND, START + (NEXT_MONTH + 20_000) * SECOND
    assert [water.store.snapshot().count([one]) for one in water.ids] == [10_000] * 5
    assert 0 < reads.rows < 50_000  # each row group once
    reads.rows = 0
    snapshot = water.store.snapshot()
    assert [snapshot.count([one], *span) for one in water.ids] == [10_000] * 5
    assert snapshot.count(water.ids[1:4]) == 30_000
    assert snapshot.count([water.ids[0], water.ids[4]], values=Values(flags=frozenset({1}))) == 20_000
    assert reads.rows == 0
    water.store.close()


def test_rows_of_one_time_in_a_file_of_one_time_are_found(folder):
    water = Water(Store.open(folder), datastreams=4)
    for one in water.ids:
        water.send(one, [NEXT_MONTH], [float(one)])
    for one in water.ids:  # the newest row of each stays hot: these do
        water.send(one, [3 * NEXT_MONTH], [0.5])
    seal(water)
    for _ in range(2):
        assert water.store.snapshot().files[0].constant.keys() >= {"phenomenon_time"}
        for one in water.ids:
            assert water.values(one) == [float(one), 0.5]
            assert water.store.snapshot().read([one], columns=["mark"]).num_rows == 2
    water.store.close()


def test_a_file_that_says_nothing_of_values_is_looked_through(tmp_path):
    store = Store.open(unpack("0.1.0", tmp_path))
    snapshot = store.snapshot()
    whole = snapshot.read(water_only=False)
    assert snapshot.files
    for values in (Values(flags=frozenset({3, 4})), Values(least=0.0), Values(greatest=8.0, flags=frozenset({1}))):
        wanted = wanted_of(whole, values)
        assert 0 < len(wanted) < len(whole) or values.least == 0.0
        assert snapshot.read(values=values, water_only=False).equals(wanted)
        assert snapshot.count(values=values, water_only=False) == len(wanted)
    store.close()


def test_values_have_to_ask_of_something():
    with pytest.raises(ValueError, match="None in place"):
        Values()


@given(
    st.sampled_from([None, Values(flags=frozenset({1})), Values(least=3.0)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 1]),
    st.integers(0, N + 10),
    st.sampled_from([1000, 40_000]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_walk_gives_what_a_read_gives_in_bounded_pieces_from_any_row_on(
    many, given_values, water_only, newest_first, which, place, piece
):
    snapshot = many.store.snapshot()
    ids = None if which is None else [many.ids[which]]
    options = {"water_only": water_only, "newest_first": newest_first, "values": given_values}
    whole = snapshot.read(ids, columns=["id", "datastream", "phenomenon_time"], **options)
    after, behind = None, 0
    if place < len(whole):
        row = whole.slice(place, 1)
        after = (row["datastream"][0].as_py(), row["phenomenon_time"].cast("int64")[0].as_py(), row["id"][0].as_py())
        behind = place + 1
    tables = list(snapshot.walk(ids, columns=["result"], after=after, piece=piece, **options))
    assert all(len(table) <= piece for table in tables)
    found = [number for table in tables for number in table["id"].to_pylist()]
    assert found == whole["id"].to_pylist()[behind:]
