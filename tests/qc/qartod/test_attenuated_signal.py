from __future__ import annotations

import numpy as np

from nilometer.qc import check

MINUTE = 60_000_000


def flags(values, minutes=None, **asked):
    time = np.round(np.array(range(len(values)) if minutes is None else minutes) * MINUTE).astype(np.int64)
    test = {"tests": {"attenuated_signal": {"over": "3 min"} | asked}}
    return check(np.array(values, float), test, time).tests["attenuated_signal"].tolist()


def test_a_window_that_the_record_does_not_fill_is_not_judged():
    assert flags([0, 0, 0, 0, 0], suspect=1) == [2, 2, 2, 3, 3]
    assert flags([0, 0, 0, 0], [0, 1, 2, 2.9999], suspect=1) == [2, 2, 2, 2]


def test_a_value_as_old_as_the_window_does_not_count():
    assert flags([9, 0, 0, 0, 0], suspect=1, measure="range") == [2, 2, 2, 3, 3]
    assert flags([9, 0, 0, 0, 0], [0, 1, 2, 2.9999, 3.0001], suspect=1, measure="range") == [2, 2, 2, 2, 3]
    assert flags([0, 9, 0, 0, 0], suspect=1, measure="range") == [2, 2, 2, 1, 3]


def test_a_variation_equal_to_the_threshold_passes():
    values = [0, 0.5, 0, 0.5, 0]
    assert flags(values, suspect=0.5, measure="range") == [2, 2, 2, 1, 1]
    assert flags(values, suspect=0.5, fail=0.5, measure="range") == [2, 2, 2, 1, 1]
    assert flags(values, suspect=np.nextafter(0.5, 1), measure="range") == [2, 2, 2, 3, 3]
    assert flags(values, suspect=1, fail=np.nextafter(0.5, 1), measure="range") == [2, 2, 2, 4, 4]
    # Of 0 and 2 the deviation is 1, and no rounding comes in.
    assert flags([0, 2, 0, 2], [0, 1, 2, 3], over="2 min", suspect=1, fail=1) == [2, 2, 1, 1]
    assert flags([0, 2, 0, 2], [0, 1, 2, 3], over="2 min", suspect=1.0001) == [2, 2, 3, 3]
    assert flags([0, 2, 0, 2], [0, 1, 2, 3], over="2 min", suspect=2, fail=1.0001) == [2, 2, 4, 4]


def test_enough_values_are_judged_however_short_the_record():
    assert flags([0, 0, 0, 0], suspect=1, least=3) == [2, 2, 3, 3]
    assert flags([0, 0, 0], suspect=1, least=1) == [3, 3, 3]


def test_one_value_alone_has_no_variation():
    assert flags([0, 0, 0], [0, 3, 6], suspect=1) == [2, 2, 2]


def test_the_record_begins_anew_after_a_window_without_a_value():
    assert flags([0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 6, 7, 8, 9], suspect=1) == [2, 2, 2, 3, 2, 2, 2, 3]
    assert flags([0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 5.9999, 6.5], suspect=1) == [2, 2, 2, 3, 3, 3]


def test_a_missing_value_and_a_late_one_do_not_count():
    assert flags([0, 9, np.nan, 0, 0, 0], [0, 1, 1.5, 0.5, 3, 5], suspect=1, measure="range") == [2, 2, 9, 2, 1, 3]


def test_values_denser_than_the_parts_lengthen_the_window_by_one_part_at_most():
    values = [9, *[0] * 99]
    minutes = np.arange(100) / 10
    found = np.array(flags(values, minutes, suspect=1, measure="range", points=2))
    assert set(found[30:].tolist()) == {1, 3}
    assert 3 * 10 <= int(np.argmax(found == 3)) <= (3 + 1.5) * 10


def test_a_range_beyond_float64_passes():
    assert flags([-1.7e308, 1.7e308, -1.7e308, 1.7e308], suspect=1, measure="range") == [2, 2, 2, 1]
    assert flags([-1.7e308, 1.7e308, -1.7e308, 1.7e308], suspect=1) == [2, 2, 2, 1]
