"""Windows over a time: what they hold, and how exact their sums are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.model.batch import NO_TIME, ObservationBatch
from nilometer.qc import layout
from nilometer.qc.engine import QcEngine
from nilometer.qc.kernel import slide_sums
from nilometer.qc.profile import load
from nilometer.qc.window import most_buckets, width_of

SECOND = 1_000_000


def held(times, values, period, points=128):
    """Count and standard deviation of the values before each row, as the kernel's window tells them."""
    n = len(times)
    width = int(width_of(period, points))
    words = np.zeros(layout.WINDOW_WORDS, np.int64)
    words[layout.FIRST] = words[layout.UNTIL] = NO_TIME
    words[layout.OLDEST] = layout.NEVER
    pool = np.zeros(2 * most_buckets(period, width) * layout.BUCKET_WORDS, np.int64)
    count, spread, since, used = np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.zeros(1, np.int64)
    status = np.full(n, layout.PRESENT | layout.IN_ORDER, np.uint8)
    slide_sums(
        count, spread, since, np.asarray(values, float), np.asarray(times, np.int64), status, np.zeros(n, np.int64),
        words, words.view(np.float64), pool, pool.view(np.float64), used, int(period), width,
    )  # fmt: skip
    assert used[0] <= len(pool)
    with np.errstate(invalid="ignore", over="ignore"):
        return count, np.sqrt(spread) / np.maximum(count, 1)


def deviations(times, values, period):
    """Plain counts and standard deviations of the values of the `period` before each row, itself left out."""
    times, values = np.asarray(times), np.asarray(values, float)
    windows = [values[:k][times[:k] > times[k] - period] for k in range(len(times))]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.array([len(w) for w in windows]), np.array([w.std() if len(w) else 0.0 for w in windows])


@pytest.mark.parametrize(("level", "allowed"), [(0.0, 1e-12), (1e3, 1e-12), (1e6, 1e-9), (1e9, 1e-6), (-1e12, 1e-3)])
def test_a_level_far_from_zero_costs_no_more_digits_than_its_values_have(level, allowed):
    rng = np.random.default_rng(3)
    values = level + rng.normal(0, 1, 3000)
    times = np.cumsum(rng.integers(SECOND, 3 * SECOND, 3000))
    count, deviation = held(times, values, 100 * SECOND)
    expected_count, expected = deviations(times, values, 100 * SECOND)
    assert count.tolist() == expected_count.tolist()
    assert np.abs(deviation - expected).max() <= allowed


@pytest.mark.parametrize("wild", [-9999.0, 1e20, 9.96921e36, -1e200, 1.7e308])
@pytest.mark.parametrize("place", [0, 57])
def test_a_wild_value_leaves_nothing_behind_in_the_window(wild, place):
    values = np.random.default_rng(4).normal(5, 0.01, 400)
    values[place] = wild
    times = np.arange(400) * SECOND
    count, deviation = held(times, values, 20 * SECOND)
    after = np.arange(400) >= place + 20
    assert set(count[after]) == {19.0}
    assert deviation[after] == pytest.approx(deviations(times, values, 20 * SECOND)[1][after], rel=1e-9)


def test_a_constant_series_has_no_deviation_at_all():
    for value in (0.1, -0.0, 1e9 + 0.1, 1.7e308, 5e-324):
        deviation = held(np.arange(500) * SECOND, np.full(500, value), 60 * SECOND)[1]
        assert set(deviation) == {0.0}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from([1, 2, 3, 5, 8, 13, 40, 200]), min_size=1, max_size=120),
    seed=st.integers(0, 2**32 - 1),
    points=st.sampled_from([1, 2, 3, 5, 7, 128]),
    period=st.sampled_from([1, 2, 7, 20, 35, 100]),
)
def test_a_window_is_exact_where_values_are_sparse_and_at_most_a_width_longer_elsewhere(steps, seed, points, period):
    times = np.cumsum(steps)
    values = np.random.default_rng(seed).normal(0, 1, len(steps))
    count, deviation = held(times, values, period, points)
    width = int(width_of(period, points))
    least, most = deviations(times, values, period)[0], deviations(times, values, period + width)[0]
    assert (least <= count).all()
    assert (count <= most).all()
    # The window is a stretch of the last values, and of these the deviation is exact.
    windows = [values[k - int(count[k]) : k] for k in range(len(steps))]
    assert deviation == pytest.approx([w.std() if len(w) else 0.0 for w in windows], rel=1e-9, abs=1e-9)
    if min(steps) >= width:
        assert count.tolist() == least.tolist()


def test_dense_values_take_no_more_memory_than_sparse_ones():
    engines = []
    for step in (SECOND, 1):
        engine = QcEngine()
        engine.set(1, load({"tests": {"attenuated_signal": {"suspect": 1, "over": "1 h", "points": 16}}}), unit="1")
        n = 20_000
        engine.evaluate(rows_of(np.arange(n) * step, np.arange(n) % 7.0))
        engines.append(engine.bytes_used())
    assert max(engines) <= 8 * (3 * layout.LINE + layout.WINDOW_WORDS + 4 * 4 * 32) + 64


def rows_of(times, values, depth=None):
    n = len(times)
    values = np.asarray(values, float)
    return ObservationBatch(
        datastream=np.ones(n, np.int32),
        phenomenon_time=np.asarray(times, np.int64),
        raw_result=values,
        result=values,
        id=np.arange(n),
        depth=None if depth is None else np.asarray(depth, float),
    )


def cast(depths, values, test):
    engine = QcEngine()
    engine.set(1, load({"along": "depth", "tests": {"it": test}}), unit="1")
    rows = rows_of(np.zeros(len(depths)), values, depths)
    engine.evaluate(rows)
    return [text or "1" for text in rows.tests.to_pylist()]


VARIES = {"test": "attenuated_signal", "suspect": 1, "over": "3 m", "measure": "range", "least": 2}


def test_a_window_down_a_cast_is_that_of_the_same_cast_going_up():
    assert cast([1, 2, 3, 4, 5], [0, 5, 5, 5, 5], VARIES) == ["2", "1", "1", "3", "3"]
    assert cast([5, 4, 3, 2, 1], [0, 5, 5, 5, 5], VARIES) == ["2", "1", "1", "3", "3"]


def test_a_window_down_a_cast_begins_anew_where_the_instrument_turns():
    assert cast([3, 2, 1, 2, 3], [5, 5, 5, 0, 0], VARIES) == ["2", "3", "3", "2", "3"]
    assert cast([1, 2, 3, 2, 1], [5, 5, 5, 0, 0], VARIES) == ["2", "3", "3", "2", "3"]


def test_the_first_value_of_a_cast_counts_for_the_deviation_whichever_way_it_goes():
    change = {"test": "rate_of_change", "n_dev": 2, "tim_dev": "10 m", "least": 3}
    assert cast([1, 2, 3, 4], [0, 1, 0, 9], change) == ["2", "2", "2", "3"]
    assert cast([4, 3, 2, 1], [0, 1, 0, 9], change) == ["2", "2", "2", "3"]
    assert cast([0, -1, -2, -3], [0, 1, 0, 9], change) == ["2", "2", "2", "3"]


def test_a_cast_up_takes_room_of_its_own_for_its_first_parts():
    # Two casts in turn: what one writes where it has no room yet would be read by the other.
    engine = QcEngine()
    deviation = {"test": "rate_of_change", "n_dev": 2.2, "tim_dev": "5 m", "least": 2}
    for datastream in (1, 2):
        engine.set(datastream, load({"along": "depth", "tests": {"it": deviation}}), unit="1")
    depth = [1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 6, 4, 7, 3]
    value = [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 9, 9]
    rows = rows_of(np.zeros(14), value, depth)
    rows.datastream = np.array([1, 2] * 7, np.int32)
    engine.evaluate(rows)
    assert rows.tests.to_pylist() == ["2"] * 4 + [None] * 8 + ["3"] * 2
