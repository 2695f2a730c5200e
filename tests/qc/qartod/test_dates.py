from __future__ import annotations

import numpy as np
from tests.qc.streams import SECOND, Columns, judged

from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

DAY = 86_400 * SECOND
DATE = {"impossible_date": {"earliest": "2024-01-02", "latest": "2024-01-05", "future": "10 min"}}
FIRST = 1_704_153_600 * SECOND  # 2024-01-02


def flags(test, time, received=None, values=None, unlike=None):
    engine = QcEngine()
    engine.set(1, load({"tests": test | {"rate_of_change": {"suspect": 1}}}), unit="1")
    n = len(time)
    rows = Columns(np.ones(n), np.array(time), np.ones(n) if values is None else np.array(values), np.arange(n))
    return [(text and int(text[0])) or 1 for _, text in judged(engine, rows, [np.arange(n)], received)]


def test_the_ends_of_what_can_be_are_possible():
    time = [FIRST, FIRST - 1, FIRST + 3 * DAY, FIRST + 3 * DAY + 1]
    assert flags(DATE, time) == [1, 4, 1, 4]


def test_a_row_dated_after_its_reception_fails():
    time = [FIRST + DAY, FIRST + DAY + 600 * SECOND, FIRST + DAY + 600 * SECOND + 1]
    assert flags(DATE, time, FIRST + DAY) == [1, 1, 4]
    assert flags(DATE, time) == [1, 1, 1]


def test_an_impossible_date_moves_no_state_and_what_follows_is_in_order():
    engine = QcEngine()
    engine.set(1, load({"tests": DATE | {"rate_of_change": {"suspect": 1}}}), unit="1")
    time = np.array([FIRST, FIRST + SECOND, FIRST + 9 * DAY, FIRST - DAY, FIRST + 2 * SECOND])
    rows = Columns(np.ones(5), time, np.array([0.0, 0, 9, 9, 2]), np.arange(5))
    found = judged(engine, rows, [np.arange(5)])
    assert [text for _, text in found] == ["12", None, "42", "42", "13"]
    assert engine.newest(1) == FIRST + 2 * SECOND
    future = Columns(np.ones(2), FIRST + DAY + np.array([700, 3]) * SECOND, np.array([9.0, 2]), np.arange(2))
    assert [text for _, text in judged(engine, future, [np.arange(2)], FIRST + DAY)] == ["42", None]


def test_the_way_of_a_row_is_judged_where_its_reception_is_known():
    test = {"data_reception": {"suspect": "1 h", "fail": "4.1 min"}}
    test["data_reception"] = {"suspect": "4.1 min", "fail": "1 h"}
    time = [FIRST, FIRST + DAY - 3600 * SECOND, FIRST + DAY - 246 * SECOND - 1, FIRST + DAY - 246 * SECOND]
    assert flags(test, time, FIRST + DAY) == [4, 3, 3, 1]
    assert flags(test, time) == [2] * 4


def test_a_missing_value_has_a_date_and_a_way_all_the_same():
    assert flags(DATE, [FIRST - 1, FIRST], values=[np.nan, np.nan]) == [4, 1]
    assert flags({"data_reception": {"fail": "1 h"}}, [FIRST], FIRST, values=[np.nan]) == [1]


def test_a_row_without_a_time_has_no_date_and_no_way():
    nothing = [np.iinfo(np.int64).min]
    assert flags(DATE, nothing, FIRST) == [2]
    assert flags({"data_reception": {"fail": "1 h"}}, nothing, FIRST) == [2]
