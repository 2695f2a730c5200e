from __future__ import annotations

import numpy as np
from tests.qc.streams import batch

from nilometer.qc import check
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

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


def test_a_change_equal_to_a_threshold_passes_in_either_form():
    for deviations in ({}, {"n_dev": 100, "tim_dev": "1 min", "least": 2}):
        values = [0, 1, 2, 4, 8]
        assert rates(values, range(5), suspect=2, fail=4, **deviations)[2:] == [1, 1, 3]
        assert rates(values, range(5), suspect=np.nextafter(2, 0), fail=np.nextafter(4, 0), **deviations)[2:] == [
            1,
            3,
            4,
        ]


def test_a_lone_row_after_a_gap_is_not_judged():
    engine = QcEngine()
    engine.set(0, load({"tests": {"rate_of_change": {"suspect": 1}, "gap": {"suspect": "10 s"}}}), unit="1")
    rows = [(0, second * SECOND, 7.0, k, False, None) for k, second in enumerate((0, 1, 20, 21))]
    found = []
    for row in rows:
        made = batch([row])
        engine.evaluate(made)
        found.append((made.tests.to_pylist()[0] or "11")[0])
    assert found == ["2", "1", "2", "1"]
