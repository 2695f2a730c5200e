"""Values and times at the ends of what can be written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc import oracle
from tests.qc.streams import EVERY_TEST, SECOND, START, Columns, columns, cut_rows, judged

from nilometer.qc import check
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load
from nilometer.qc.qartod.parameter import moment

UNDATED = load({"tests": {name: test for name, test in EVERY_TEST.items() if name != "impossible_date"}})
HUGE = [1.7e308, -1.7e308, 1e200, -1e155, 5e-324, -5e-324, 0.0, -0.0, 1.0]
FIRST, LAST = moment("0001-01-03"), moment("9999-12-28")


def engine(profile=UNDATED):
    made = QcEngine()
    made.set(1, profile, unit="1")
    return made


@pytest.mark.parametrize("begin", [FIRST, LAST - 40 * 86_400 * SECOND, -3600 * SECOND, 0])
def test_times_of_the_first_and_the_last_year_are_as_good_as_any(begin):
    made = columns(8, 400, wild=0.1, streams=(1,))
    made.time += begin + 86_400 * SECOND - START
    made.mark = None
    assert FIRST <= made.time.min() <= made.time.max() <= LAST
    found = judged(engine(), made, [np.arange(400)])
    expected = oracle.judge(UNDATED, made.rows(), marked=False)
    for (_, text), outcome in zip(found, expected, strict=True):
        digits = [int(digit) for digit in text or "1" * len(UNDATED.names)]
        assert all(d in (o if isinstance(o, set) else {o}) for d, o in zip(digits, outcome, strict=True))


def test_the_longest_step_there_is_has_a_gap_and_a_rate():
    tests = {
        "gap": {"suspect": "1 day"},
        "rate_of_change": {"suspect": 1},
        "flat_line": {"suspect": "1 h", "tolerance": 1},
        "attenuated_signal": {"suspect": 1, "over": "1 h"},
    }
    time = np.array([FIRST, FIRST + SECOND, LAST, LAST + SECOND])
    assert check([0.0, 0, 1e300, 0], {"tests": tests}, time).flags == [2, 1, 3, 3]
    found = check(
        np.array([0.0, 0, 9, 9]), {"tests": {name: tests[name] for name in tests if name != "gap"}}, time
    ).tests
    assert found["rate_of_change"].tolist() == [2, 1, 1, 1]
    assert found["flat_line"].tolist() == [2, 2, 2, 3]
    assert found["attenuated_signal"].tolist() == [2, 2, 2, 2]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.sampled_from(HUGE), min_size=1, max_size=90),
    places=st.lists(st.integers(0, 90), max_size=4),
    after=st.integers(60, 80),
)
def test_values_beyond_every_sum_do_not_stop_or_change_what_follows(values, places, after):
    calm = [1.0, 1.25, 1.5, 1.25] * (after // 4)
    n = len(values) + len(calm)
    rows = Columns(np.ones(n), START + np.arange(n) * 60 * SECOND, np.array(values + calm), np.arange(n))
    whole, parts = engine(), engine()
    found = judged(whole, rows, [np.arange(n)])
    assert judged(parts, rows, cut_rows(n, places)) == found
    assert whole.snapshot() == parts.snapshot()
    texts = [text or "1" * len(UNDATED.names) for _, text in found]
    assert not any(text[UNDATED.names.index("gross_range")] == "9" for text in texts)
    plain = oracle.judge(UNDATED, rows.rows()[len(values) :], marked=False)
    for text, outcome in list(zip(texts[len(values) :], plain, strict=True))[40:]:
        assert all(int(d) in (o if isinstance(o, set) else {o}) for d, o in zip(text, outcome, strict=True))


@pytest.mark.parametrize(
    ("test", "values", "expected"),
    [
        ({"test": "spike", "suspect": 1}, [0, 1e308, 0, 0], [2, 3, 3, 2]),
        ({"test": "spike", "suspect": 1}, [1.7e308, -1.7e308, 1.7e308, 0], [2, 2, 2, 2]),
        ({"test": "spike", "suspect": 1, "method": "differential"}, [0, 1.7e308, -1.7e308, 0], [2, 3, 3, 2]),
        ({"test": "spike", "suspect": 5e-324}, [0, 1e-323, 0, 0], [2, 3, 1, 2]),
        ({"test": "spike", "suspect": 1, "method": "differential"}, [0, -0.0, 0, -0.0], [2, 1, 1, 2]),
        ({"test": "rate_of_change", "suspect": 1, "fail": 1e308}, [0, 1e308, -1.7e308, 1], [2, 3, 4, 4]),
        ({"test": "rate_of_change", "suspect": 5e-324}, [0, 5e-324, 1.5e-323, -0.0], [2, 1, 3, 3]),
        ({"test": "rate_of_change", "n_dev": 1, "tim_dev": "9 s", "least": 2}, [0, 1, 1e300, 0], [2, 2, 3, 1]),
        ({"test": "flat_line", "suspect": "1 s", "tolerance": 1}, [1.7e308, -1.7e308, -1.7e308, 0], [2, 1, 3, 1]),
        ({"test": "flat_line", "suspect": "1 s", "tolerance": 1e-9}, [0.0, -0.0, 0.0, 5e-324], [2, 3, 3, 3]),
        ({"test": "attenuated_signal", "suspect": 1, "over": "2 s"}, [1.7e308, -1.7e308, 0, 0, 0], [2, 2, 1, 3, 3]),
        (
            {"test": "attenuated_signal", "suspect": 5e-324, "over": "2 s", "measure": "range"},
            [0, 0, 5e-324],
            [2, 2, 1],
        ),
        ({"test": "gross_range", "fail": [-1.7e308, 1.7e308]}, [1.7e308, np.finfo(float).max, -0.0], [1, 4, 1]),
        ({"test": "gross_range", "suspect": [0, 5e-324]}, [-0.0, 5e-324, 1e-323, -5e-324], [1, 1, 3, 3]),
    ],
)
def test_what_cannot_be_added_or_is_hardly_there_is_judged_by_its_size(test, values, expected):
    n = len(values)
    found = check(np.array(values, float), {"tests": {"it": test}}, np.arange(n) * SECOND).tests["it"]
    assert found.tolist() == expected
