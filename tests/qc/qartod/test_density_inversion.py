from __future__ import annotations

import numpy as np
import pytest
from tests.qc.streams import Columns, judged

from nilometer.errors import ConfigError
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

TEST = {"density_inversion": {"suspect": 0.25, "fail": 1}}


def flags(depths, values, *, parts=None, **asked):
    engine = QcEngine()
    engine.set(1, load({"along": "depth", "tests": TEST} | asked), unit="1")
    n = len(depths)
    rows = Columns(
        np.ones(n), np.zeros(n, np.int64), np.array(values, float), np.arange(n), depth=np.array(depths, float)
    )
    parts = [np.arange(n)] if parts is None else [np.array(part) for part in parts]
    return [int(text or 1) for _, text in judged(engine, rows, parts)]


@pytest.mark.parametrize("parts", [None, [[0], [1], [2], [3], [4]], [[0, 1, 2], [3, 4]]])
def test_both_points_of_a_pair_are_flagged_and_a_drop_of_the_threshold_is_none(parts):
    assert flags([1, 2, 3, 4, 5], [20, 19.75, 19.5, 19.25, 19], parts=parts) == [1] * 5
    assert flags([1, 2, 3, 4, 5], [20, 21, 20.5, 20.75, 21], parts=parts) == [1, 3, 3, 1, 1]
    assert flags([1, 2, 3, 4, 5], [20, 21, 20, 21, 19], parts=parts) == [1, 3, 3, 4, 4]


def test_a_cast_up_is_judged_by_the_depth():
    assert flags([5, 4, 3, 2], [21, 20.5, 20.875, 20]) == [1, 3, 3, 1]
    assert flags([5, 4, 3, 2], [20, 19, 18, 17]) == [1] * 4


def test_points_of_two_casts_are_no_pair():
    assert flags([1, 2, 3, 2, 1], [20, 21, 22, 9, 8]) == [1, 1, 1, 1, 1]
    assert flags([1, 2, 3, 2, 1], [20, 21, 22, 30, 31.5]) == [1, 1, 1, 4, 4]


def test_a_point_that_has_no_pair_is_not_evaluated():
    assert flags([1], [20]) == [2]
    assert flags([1, 2, 3], [20, np.nan, 15]) == [2, 9, 2]
    assert flags([1, 1, 2], [20, 15, 21]) == [1, 2, 1]
    assert flags([1, np.nan, 2], [20, 15, 21]) == [1, 2, 1]
    assert flags([1, 9.96921e36, 2], [20, 15, 21]) == [1, 2, 1]
    assert flags([1, 1e9, 2], [20, 15, 21]) == [1, 2, 1]
    assert flags([1, 999_999_999, 2], [20, 15, 21]) == [4, 4, 2]


def test_along_time_there_is_no_inversion():
    with pytest.raises(ConfigError, match="depth"):
        QcEngine().set(1, load({"tests": TEST}), unit="1")
