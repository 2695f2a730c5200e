from __future__ import annotations

import numpy as np

from nilometer.qc import check

HOUR = 3_600_000_000
GAP = {"tests": {"gap": {"suspect": "1 h", "fail": "3 h"}}}


def flags(time, profile=GAP, name="gap"):
    return check(np.ones(len(time)), profile, np.array(time)).tests[name].tolist()


def test_a_step_as_long_as_the_threshold_is_no_gap():
    assert flags([0, HOUR, 2 * HOUR + 1, 5 * HOUR + 1, 8 * HOUR + 2]) == [2, 1, 3, 3, 4]


def test_a_threshold_is_a_whole_number_of_microseconds():
    # 4.1 min are 245.99999999999997 s in float64, and 1.001 s are 1000999.9999999999 µs.
    for text, step in (("4.1 min", 246_000_000), ("1.001 s", 1_001_000)):
        profile = {"tests": {"gap": {"suspect": text}, "spike": {"suspect": 1}}}
        assert flags([0, step, 2 * step + 1], profile) == [2, 1, 3]
        assert flags([0, step, 2 * step, 3 * step + 1], profile, "spike") == [2, 1, 2, 2]


def test_the_first_row_has_no_step():
    assert flags([0]) == [2]


def test_a_late_row_and_a_duplicate_are_not_judged_and_do_not_move_the_record():
    assert flags([0, HOUR, HOUR, HOUR // 2, 2 * HOUR]) == [2, 1, 2, 2, 1]


def test_a_missing_value_still_has_a_time():
    series = np.array([1.0, np.nan, 1.0])
    assert check(series, GAP, np.array([0, HOUR, 3 * HOUR])).tests["gap"].tolist() == [2, 1, 3]


def test_a_gap_resets_the_spike_window():
    profile = {"tests": {"gap": {"suspect": "1 h"}, "spike": {"suspect": 1}}}
    series = np.array([0.0, 0, 9, 0, 0])
    minutes = np.array([0, 10, 20, 120, 130]) * 60_000_000
    assert check(series, profile, minutes).tests["spike"].tolist() == [2, 3, 2, 2, 2]


def test_a_step_as_long_as_the_threshold_resets_nothing():
    profile = {"tests": {"gap": {"suspect": "1 h"}, "spike": {"suspect": 1}}}
    found = check(np.array([0.0, 9, 0]), profile, np.array([0, HOUR, 2 * HOUR])).tests
    assert found["spike"].tolist() == [2, 3, 2]


def test_a_gap_starts_rate_and_flat_line_anew():
    profile = {
        "tests": {
            "gap": {"suspect": "1 h"},
            "rate_of_change": {"suspect": 1},
            "flat_line": {"suspect": "20 min", "tolerance": 1},
        }
    }
    minutes = np.array([0, 10, 20, 120, 130, 140]) * 60_000_000
    found = check(np.ones(6), profile, minutes).tests
    assert found["rate_of_change"].tolist() == [2, 1, 1, 2, 1, 1]
    assert found["flat_line"].tolist() == [2, 2, 3, 2, 2, 3]


def test_a_clock_that_jumps_ahead_makes_what_follows_late():
    assert flags([0, HOUR, 100 * HOUR, 2 * HOUR, 3 * HOUR, 101 * HOUR]) == [2, 1, 4, 2, 2, 1]
