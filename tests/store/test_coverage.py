"""What rows speak of is known without reading them, after whatever happened to them and to the folder."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.model import NO_TIME, FeatureOfInterest
from nilometer.store import Store, coverage_reading
from tests.store.waters import SECOND, START, Water


def add_features(water, n):
    catalog = water.store.catalog
    return [catalog.add_feature(FeatureOfInterest(name=f"place {k}")).id for k in range(n)]


def features_by_id(snapshot, ids):
    features = {}
    for at, feature in zip(*(one.tolist() for one in snapshot.features(ids)), strict=True):
        assert feature not in features.setdefault(int(ids[at]), set())
        features[int(ids[at])].add(feature)
    return features


def told(water, as_of=None):
    """Return by Datastream what the store says, in seconds after START."""
    ids = np.array(water.ids, np.int64)
    snapshot = water.store.snapshot(as_of)
    first, last, valid = snapshot.result_times(ids)
    features = features_by_id(snapshot, ids)
    spans = ((first - START) // SECOND, (last - START) // SECOND)
    times = zip(*(one.tolist() for one in (*spans, valid)), strict=True)
    return {
        number: (features.get(number, set()), (start, end) if is_valid else None)
        for number, (start, end, is_valid) in zip(ids.tolist(), times, strict=True)
    }


def read(water, as_of=None):
    """Return the same, of the rows."""
    found = {}
    for number in water.ids:
        table = water.store.snapshot(as_of).read([number], water_only=True)
        moments = [int(one.timestamp()) for one in table["result_time"].to_pylist() if one is not None]
        spans = [second - START // SECOND for second in moments]
        found[number] = (set(table["feature"].to_pylist()), (min(spans), max(spans)) if spans else None)
    return found


def send(water, datastream, seconds, features, result_seconds):
    times = [NO_TIME if one is None else START + one * SECOND for one in result_seconds]
    water.send(
        datastream,
        seconds,
        [1.0] * len(seconds),
        feature=np.array(features, np.int32),
        result_time=np.array(times, np.int64),
    )


@pytest.fixture
def reads(monkeypatch):
    """Return a list of the Datastreams whose rows were looked at."""
    seen = []
    real = coverage_reading.measure

    def measure(visible, datastream):
        seen.append(datastream)
        return real(visible, datastream)

    monkeypatch.setattr(coverage_reading, "measure", measure)  # to count, not to replace
    return seen


def test_rows_that_come_widen_it_and_nothing_is_read(water, reads):
    here, there = add_features(water, 2)
    assert told(water)[water.ids[0]] == (set(), None)
    send(water, water.ids[0], [0, 10, 20], [here, there, here], [None, 15, 25])
    send(water, water.ids[1], [0], [there], [None])
    assert told(water)[water.ids[0]] == ({here, there}, (15, 25))
    before = water.store.snapshot()
    send(water, water.ids[0], [30], [here], [5])
    assert told(water)[water.ids[0]] == ({here, there}, (5, 25))
    assert before.result_times(np.array(water.ids[:1]))[0][0] == START + 15 * SECOND
    assert told(water) == read(water)
    assert reads == []


def test_of_many_places_none_is_lost(water, reads):
    places = add_features(water, 5)
    send(water, water.ids[0], range(10), [places[k % 5] for k in range(10)], [None] * 10)
    send(water, water.ids[0], range(10, 14), [places[k % 2] for k in range(4)], [None] * 4)
    assert told(water)[water.ids[0]] == (set(places), None)
    assert reads == []


def test_a_delete_and_a_revision_are_measured_once(water, reads):
    here, there = add_features(water, 2)
    send(water, water.ids[0], [0, 10, 20], [here, there, here], [5, 15, 25])
    send(water, water.ids[1], [0, 10], [here, here], [None, None])
    water.store.delete([water.ids[0]], START + 10 * SECOND, START + 21 * SECOND)
    water.store.delete([water.ids[1]], START, START + SECOND)
    for _ in range(2):
        assert told(water)[water.ids[0]] == ({here}, (5, 5))
        assert told(water)[water.ids[1]] == ({here}, None)
    assert reads == water.ids[:1]  # where all rows speak of one place, a delete leaves nothing to find out
    assert told(water) == read(water)


@pytest.mark.parametrize("is_opened_anew", [False, True])
def test_a_place_whose_rows_have_all_gone_does_not_come_back(folder, reads, is_opened_anew):
    water = Water(Store.open(folder))
    here, there = add_features(water, 2)
    send(water, water.ids[0], [0, 10], [here, here], [None, None])
    water.store.delete([water.ids[0]], START, START + 11 * SECOND)
    if is_opened_anew:
        water.store.save_state("qc", water.store.sequence(), b"")
        water.store.seal()
        water.store.close()
        water = Water(Store.open(folder))
    send(water, water.ids[0], [20], [there], [None])
    assert told(water)[water.ids[0]] == ({there}, None)
    assert reads == water.ids[:1]
    water.store.close()


def test_it_is_kept_with_the_index_and_found_again(folder, reads):
    water = Water(Store.open(folder))
    here, there = add_features(water, 2)
    send(water, water.ids[0], [0, 10], [here, there], [5, 15])
    water.store.save_state("qc", water.store.sequence(), b"")
    water.store.seal()
    send(water, water.ids[0], [20], [here], [35])
    water.store.close()
    water = Water(Store.open(folder))
    assert told(water)[water.ids[0]] == ({here, there}, (5, 35))
    assert reads == []
    water.store.close()
    (folder / "state" / "coverage.state").unlink()  # as a folder has it that an earlier version wrote
    water = Water(Store.open(folder))
    assert told(water)[water.ids[0]] == ({here, there}, (5, 35))
    assert water.ids[0] in reads
    water.store.close()


def test_the_past_is_as_it_was(water):
    here, there = add_features(water, 2)
    send(water, water.ids[0], [0], [here], [5])
    mark = water.store.mark()
    send(water, water.ids[0], [10], [there], [15])
    then = water.store.snapshot().at_sequence(mark)
    ids = np.array(water.ids[:1])
    assert features_by_id(then, ids) == {water.ids[0]: {here}}
    assert then.speaking_of(here) is None
    assert then.result_times(ids)[1][0] == START + 5 * SECOND


def test_it_is_what_the_rows_say_whatever_happens(folder, rng):
    water = Water(Store.open(folder))
    places = add_features(water, 3)

    def check():
        rows, snapshot = read(water), water.store.snapshot()
        for place in places:
            speaking = {number for number in water.ids if place in rows[number][0]}
            assert speaking <= set(snapshot.speaking_of(place).tolist())
        assert told(water) == rows
        for place in places:  # by now nothing is in doubt, where there are rows
            speaking = {number for number in water.ids if place in rows[number][0]}
            assert speaking == set(water.store.snapshot().speaking_of(place).tolist()) & set(snapshot.datastreams())

    try:
        for step in rng.choice(["send", "send", "send", "delete", "seal", "ask", "open"], 60):
            which = water.ids[rng.integers(3)]
            if step == "send":
                n = int(rng.integers(1, 4))
                result = [None if rng.random() < 0.7 else int(one) for one in rng.integers(0, 60, n)]
                send(water, which, rng.integers(0, 30, n).tolist(), rng.choice(places, n), result)
            elif step == "delete":
                start = int(rng.integers(30))
                water.store.delete([which], START + start * SECOND, START + (start + 5) * SECOND)
            elif step == "seal":
                water.store.save_state("qc", water.store.sequence(), b"")
                water.store.seal()
            elif step == "open":
                water.store.close()
                water = Water(Store.open(folder))
            else:
                check()
        check()
    finally:
        water.store.close()
