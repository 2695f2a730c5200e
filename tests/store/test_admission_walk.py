"""The compiled walks say of every row what the rules of admission say, one Datastream at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nilometer.store.admission_walk import late, number, promise, sort_out

MOST = 6
NO_TIME = int(np.iinfo(np.int64).min)
TIMES = st.integers(-3, 12) | st.sampled_from([NO_TIME, NO_TIME + 1, 2**62])
FACTS = st.lists(st.booleans(), min_size=MOST, max_size=MOST).map(lambda marks: np.array(marks, np.bool_))
NUMBERS = st.lists(st.integers(0, 12), min_size=MOST, max_size=MOST).map(lambda some: np.array(some, np.int64))


def columns(rows, *kinds):
    return [np.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]


@given(
    st.lists(st.tuples(st.integers(-2, MOST + 2) | st.sampled_from([2**31 - 1, -(2**31)]), TIMES)),
    FACTS,
    st.lists(st.sampled_from([1, 1000]), min_size=MOST, max_size=MOST),
    st.lists(st.sampled_from([0, 7, 9]), min_size=MOST, max_size=MOST),
)
def test_a_row_needs_a_datastream_and_a_time_and_gets_its_water(rows, known, resolution, water):
    datastream, time = columns(rows, np.int32, np.int64)
    status, feature = np.zeros(len(rows), np.int8), np.full(len(rows), -1, np.int32)
    facts = (known, np.array(resolution), np.array(water, np.int32), np.array([-2, 11]))
    counts = sort_out(datastream, time, *facts, status, feature)
    good = [0 < d < MOST and bool(known[d]) and -2 <= t < 11 for d, t in rows]
    assert (status == 0).tolist() == good
    assert feature.tolist() == [water[d] if fine else 0 for (d, _), fine in zip(rows, good, strict=True)]
    sound = [d for (d, _), fine in zip(rows, good, strict=True) if fine]
    dry = sum(water[d] == 0 for d in sound)
    assert counts == (good.count(False), sum(resolution[d] > 1 for d in sound), dry)


@given(
    st.lists(st.tuples(st.integers(0, MOST - 1), TIMES, st.sampled_from([0, 0, 0, 3]), st.booleans())),
    FACTS,
    NUMBERS,
    NUMBERS,
    st.booleans(),
)
def test_a_datastream_goes_on_where_each_of_its_rows_is_newer_than_all_before(
    rows, always_new, newest, promised, some_created
):
    datastream, time, status, created = columns(rows, np.int32, np.int64, np.int8, np.bool_)
    if not some_created:
        created = np.empty(0, np.bool_)
    asked = [(d, t) for d, t, state, made in rows if state == 0 and not (some_created and made)]
    before, stopped = promised.copy(), set()
    for d in range(MOST):
        times = [max(newest[d], before[d]), *(t for other, t in asked if other == d)]
        if not always_new[d] and any(later <= earlier for earlier, later in pairwise(times)):
            stopped.add(d)
    stops = np.zeros(MOST, np.bool_)
    found = late(datastream, time, status, created, always_new, newest, promised, stops)
    assert set(np.flatnonzero(stops).tolist()) == stopped
    assert found == sum(d in stopped for d, _ in asked)
    assert promised.tolist() == [max([int(before[d]), *(t for other, t in asked if other == d)]) for d in range(MOST)]


@given(st.lists(st.tuples(st.integers(0, MOST - 1), TIMES, st.booleans())), NUMBERS)
def test_only_the_rows_that_are_meant_raise_what_is_promised(rows, promised):
    datastream, time, meant = columns(rows, np.int32, np.int64, np.bool_)
    wanted = [max([int(promised[d]), *(t for other, t, said in rows if said and other == d)]) for d in range(MOST)]
    promise(datastream, time, meant, promised)
    assert promised.tolist() == wanted


@given(st.lists(st.tuples(st.integers(0, MOST - 1), st.integers(0, 3))), NUMBERS)
def test_new_rows_get_the_next_numbers_of_their_datastreams_in_the_order_they_came(rows, given_out):
    datastream, status = columns(rows, np.int32, np.int8)
    ids = np.zeros(len(rows), np.int64)
    counters, wanted = given_out.tolist(), []
    for d, state in rows:
        counters[d] += state == 0
        wanted.append((d << 32) + counters[d] if state == 0 else 0)
    number(datastream, status, given_out, ids)
    assert ids.tolist() == wanted
    assert given_out.tolist() == counters


def test_columns_that_may_only_be_read_are_taken():
    """Those of an Arrow body are such."""
    datastream, time = np.ones(3, np.int32), np.arange(3)
    datastream.flags.writeable = time.flags.writeable = False
    facts = (np.ones(2, np.bool_), np.ones(2, np.int64), np.full(2, 5, np.int32), np.array([0, 9]))
    status, feature = np.zeros(3, np.int8), np.zeros(3, np.int32)
    assert sort_out(datastream, time, *facts, status, feature) == (0, 0, 0)
    assert feature.tolist() == [5, 5, 5]
