from __future__ import annotations

import numpy as np

from nilometer.qc import check


def flags(values, **asked):
    return check(np.array(values, float), {"tests": {"percentile_range": asked}}).tests["percentile_range"].tolist()


def test_both_percentiles_are_good_and_so_is_what_lies_within_the_pad():
    values = [2, 4, np.nextafter(2, 0), np.nextafter(4, 9), np.nan]
    assert flags(values, span=[2, 4]) == [1, 1, 3, 3, 9]
    assert flags([1.5, 4.5, 1.25, 4.75], span=[2, 4], pad=0.5) == [1, 1, 3, 3]
