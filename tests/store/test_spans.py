"""What the rows of a Datastream span, to the end of the last that lasts, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.store import Store
from nilometer.store.seals import INDEX
from tests.store.test_past import reopen, seal
from tests.store.waters import SECOND, START, Clock, Water


@pytest.fixture
def clock():
    return Clock(step_s=5)


@pytest.fixture
def water(folder, clock):
    water = Water(Store.open(folder, now=clock))
    yield water
    water.store.close()


def lasting(water, number, second, seconds):
    return water.send(number, second, 1.0, duration=np.array([seconds * SECOND], np.int64))


def spans(water, as_of=None):
    first, over, valid = water.store.snapshot(as_of).spans(np.array(water.ids, np.int64))
    seconds = [((one - START) // SECOND).tolist() for one in (first, over)]
    return [span if seen else None for *span, seen in zip(*seconds, valid, strict=True)]


def test_rows_span_to_the_end_of_the_last_wherever_they_lie(water, folder, clock):
    instants, intervals, _ = water.ids
    water.send(instants, np.arange(10), np.arange(10))
    long = lasting(water, intervals, 0, 100)
    lasting(water, intervals, 50, 10)
    lasting(water, intervals, 70, 5)
    assert spans(water) == [[0, 9], [0, 100], None]
    seal(water)
    assert spans(water) == [[0, 9], [0, 100], None]
    reopen(water, folder, clock)
    assert spans(water) == [[0, 9], [0, 100], None]
    then = clock()
    water.store.delete([intervals], START, START + SECOND)
    assert spans(water) == [[0, 9], [50, 75], None]
    assert spans(water, then) == [[0, 9], [0, 100], None]
    assert long.rows.id.tolist()


def test_a_store_whose_index_is_lost_counts_durations_anew(water, folder, clock):
    number = water.ids[0]
    lasting(water, number, 0, 100)
    water.send(number, 20, 1.0)
    seal(water)
    water.send(number, 30, 1.0)
    water.store.close()
    lost = [file for file in folder.rglob("*") if file.is_file() and file.name.startswith(INDEX)]
    assert lost
    for file in lost:
        file.unlink()
    water.store = Store.open(folder, now=clock)
    assert spans(water)[0] == [0, 100]


def test_a_row_that_names_its_feature_has_no_water_made_for_it(water):
    number = water.ids[0]
    water.send(number, [0, 1], [1.0, 2.0], feature=np.array([7, 7], np.int32))
    assert water.store.catalog.features() == []
    water.send(number, [2, 3], [1.0, 2.0], feature=np.array([7, 0], np.int32))
    (made,) = water.store.catalog.features()
    assert water.store.snapshot().read([number])["feature"].to_pylist() == [7, 7, 7, made.id]
