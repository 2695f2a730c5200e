from __future__ import annotations

import numpy as np

from nilometer.qc import check

SECOND = 1_000_000


def rates(values, seconds, **parameters):
    time = np.array([round(s * SECOND) for s in seconds])
    return (
        check(np.array(values, float), {"tests": {"rate_of_change": parameters}}, time).tests["rate_of_change"].tolist()
    )


def test_the_later_value_is_flagged_when_it_moved_faster_than_the_threshold():
    assert rates([0, 1, 3, 9, 9], [0, 1, 2, 3, 4], suspect=1, fail=5) == [2, 1, 3, 4, 1]


def test_thresholds_are_given_for_a_time():
    assert rates([0, 1, 3], [0, 1800, 3600], suspect=2, per="1 h") == [2, 1, 3]


def test_sub_second_steps_have_a_rate():
    assert rates([0, 0.4, 1.0], [0, 0.5, 1.0], suspect=1) == [2, 1, 3]


def test_a_missing_value_in_between_does_not_hide_a_jump():
    assert rates([0, np.nan, 9], [0, 1, 2], suspect=1) == [2, 9, 3]


def test_uneven_steps_are_judged_by_the_time_they_took():
    assert rates([0, 10, 20], [0, 100, 101], suspect=1) == [2, 1, 3]
