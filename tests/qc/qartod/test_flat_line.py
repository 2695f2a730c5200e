from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc import oracle
from tests.qc.streams import batch

from nilometer.qc import check
from nilometer.qc.engine import QcEngine
from nilometer.qc.layout import MOST_POINTS
from nilometer.qc.profile import load

MINUTE = 60_000_000


def flat(values, minutes=None, **parameters):
    time = np.round(np.array(range(len(values)) if minutes is None else minutes) * MINUTE).astype(np.int64)
    asked = {"tolerance": 0.1} | parameters
    return check(np.array(values, float), {"tests": {"flat_line": asked}}, time).tests["flat_line"].tolist()


def test_a_value_is_flagged_when_the_whole_window_lies_within_the_tolerance():
    assert flat([5, 5, 5, 5, 5], suspect="2 min", fail="3 min") == [2, 2, 3, 4, 4]


def test_a_range_equal_to_the_tolerance_is_not_flat():
    assert flat([0, 0.5, 0, 0.5], suspect="2 min", tolerance=0.5) == [2, 1, 1, 1]


def test_small_steps_that_add_up_to_the_tolerance_are_not_flat():
    assert flat([0, 0.25, 0.5, 0.5, 0.5], suspect="2 min", tolerance=0.5) == [2, 2, 1, 3, 3]
    assert flat([0.5, 0.25, 0, 0, 0], suspect="2 min", tolerance=0.5) == [2, 2, 1, 3, 3]


def test_what_moved_before_the_window_was_full_passes_at_once():
    assert flat([0, 9, 9, 9, 9], suspect="3 min") == [2, 1, 1, 1, 3]


def test_a_slow_drift_is_flat_only_within_the_tolerance():
    assert flat([0, 0.06, 0.12, 0.18, 0.24], suspect="2 min") == [2, 2, 1, 1, 1]


def test_a_missing_value_does_not_end_a_flat_line():
    assert flat([5, 5, np.nan, 5, 5], suspect="3 min") == [2, 2, 9, 3, 3]


def test_the_window_is_a_time_and_not_a_count():
    # One hour of data a minute apart, then one value an hour for which a count from the median interval means nothing.
    assert flat([5, 5, 5, 5], minutes=[0, 1, 61, 121], suspect="60 min") == [2, 2, 3, 3]


def test_a_value_alone_in_its_window_is_not_judged():
    assert flat([5, 5, 5], minutes=[0, 60, 120], suspect="30 min") == [2, 2, 2]


def test_two_tests_of_one_series_keep_their_own_runs():
    profile = {
        "tests": {
            "flat_line": {"suspect": "2 min", "tolerance": 0.1},
            "coarse": {"test": "flat_line", "suspect": "2 min", "tolerance": 2},
        }
    }
    found = check(np.array([0.0, 1, 0, 1]), profile, np.arange(4) * MINUTE).tests
    assert found["flat_line"].tolist() == [2, 1, 1, 1]
    assert found["coarse"].tolist() == [2, 2, 3, 3]


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, np.nan]), min_size=1, max_size=80),
    steps=st.lists(st.sampled_from([1, 1, 1, 2, 5]), min_size=80, max_size=80),
)
def test_windows_of_any_length_are_answered_from_one_run(values, steps):
    minutes = np.cumsum(steps[: len(values)])
    parameters = {"suspect": 180.0, "fail": 720.0, "tolerance": 0.75}
    record, expected = [], []
    for t, x in zip(minutes.tolist(), values, strict=True):
        present = not np.isnan(x)
        record.append((0, t * MINUTE, x if present else None))
        expected.append(oracle.flat(record, parameters) if present else 9)
    assert flat(values, minutes, **parameters) == expected


def test_a_run_of_more_extremes_than_are_kept_is_judged_a_little_wider_than_it_is():
    n = 4 * MOST_POINTS
    ramp = np.linspace(0, 1, n)
    window = {"suspect": f"{n - 1} min"}
    assert flat(ramp, **window, tolerance=1.05)[-1] == 3
    assert flat(ramp, **window, tolerance=0.95)[-1] == 1
    wave = np.where(np.arange(n) % 2, ramp, -ramp)  # both queues fill
    assert flat(wave[::-1], **window, tolerance=2.1)[-1] == 3


def test_runs_of_interleaved_datastreams_of_one_profile_are_their_own():
    # The first and the last row are of one Datastream, and those between are not: taken as one, no run ever ended.
    profile = load({"tests": {"flat_line": {"suspect": "3 s", "tolerance": 0.5}}})
    engine = QcEngine()
    for datastream in (1, 2):
        engine.set(datastream, profile, unit="1")

    def judged(streams, seconds, values):
        rows = batch([(d, s * 1_000_000, x, s, False, None) for d, s, x in zip(streams, seconds, values, strict=True)])
        engine.evaluate(rows)
        return rows.tests.to_pylist()

    assert judged([1, 2], [0, 0], [5, 9]) == ["2", "2"]
    found = judged([1, 2] * 4 + [1], [1, 1, 2, 2, 3, 3, 4, 4, 5], [5, 9, 5, 9, 5, 0, 5, 0, 5])
    assert found == ["2", "2", "2", "2", "3", None, "3", None, "3"]
