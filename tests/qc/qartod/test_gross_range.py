from __future__ import annotations

import numpy as np

from nilometer.qc import check

RANGE = {"tests": {"gross_range": {"fail": [0, 14], "suspect": [6, 9]}}}


def test_both_ends_of_both_spans_are_good():
    series = np.array([6, 9, np.nextafter(6, 0), np.nextafter(9, 10), 0, 14, np.nextafter(0, -1), np.nextafter(14, 15)])
    assert check(series, RANGE).flags.tolist() == [1, 1, 3, 3, 3, 3, 4, 4]


def test_nan_and_infinity_are_missing():
    assert check(np.array([np.nan, np.inf, -np.inf]), RANGE).flags.tolist() == [9, 9, 9]


def test_one_span_is_enough():
    assert check(np.array([-1.0, 15]), {"tests": {"gross_range": {"suspect": [0, 14]}}}).flags.tolist() == [3, 3]
