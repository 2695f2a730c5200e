"""Tests of several Datastreams: against a plain reading, and live against batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc.streams import cut

from nilometer.errors import ConfigError
from nilometer.model.batch import ObservationBatch
from nilometer.qc import check
from nilometer.qc.engine import QcEngine
from nilometer.qc.joint import Partner
from nilometer.qc.profile import load

MINUTE = 60_000_000
WITHIN, DEADLINE = 2 * MINUTE, 20 * MINUTE
OTHER = {"other": "other", "within": "2 min", "deadline": "20 min"}
TESTS = {
    "gross_range": {"fail": [-50, 50]},
    "spike": {"suspect": 3},
    "neighbor": OTHER | {"suspect": 2, "fail": 4},
    "multi_variate": OTHER | {"n_dev": 2, "other_n_dev": 2, "tim_dev": "1 h", "least": 3},
    "ts_curve": OTHER | {"curve": [[0, -3, 3], [5, -1, 4]]},
}
FULL = load({"required": ["neighbor"], "tests": TESTS})
PARTNERS = {name: Partner(1) for name in ("neighbor", "multi_variate", "ts_curve")}

VALUES = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, 6.0, np.nan]), st.floats(-6, 8).map(lambda x: round(x, 1)))
STEPS = st.sampled_from([MINUTE, MINUTE, 5 * MINUTE, 30_000_000, 30 * MINUTE, 0, -MINUTE])


@st.composite
def arrivals(draw):
    clock = [1_700_000_000_000_000] * 2
    made = []
    for k in range(draw(st.integers(0, 50))):
        stream = draw(st.integers(0, 1))
        clock[stream] += draw(STEPS)
        made.append((stream, clock[stream], draw(VALUES), k))
    return made


def engine():
    made = QcEngine()
    made.set(0, FULL, unit="1", partners=PARTNERS)
    made.set(1, load({"tests": {"gross_range": {"fail": [-50, 50]}}}), unit="1")
    return made


def batch(rows):
    stream, time, value, ids = zip(*rows, strict=True) if rows else ([],) * 4
    return ObservationBatch(
        datastream=np.array(stream, np.int32),
        phenomenon_time=np.array(time, np.int64),
        raw_result=np.array(value, np.float64),
        result=np.array(value, np.float64),
        id=np.array(ids, np.int64),
    )


def run(judge, parts):
    flags = {}
    for part in parts:
        made = batch(part)
        settled = judge.evaluate(made)
        for ident, quality, tests in zip(settled.id, settled.result_quality, settled.tests.to_pylist(), strict=True):
            assert int(ident) in flags
            flags[int(ident)] = (int(quality), tests)
        for ident, quality, tests in zip(made.id, made.result_quality, made.tests.to_pylist(), strict=True):
            flags[int(ident)] = (int(quality), tests)
    return flags


def in_order(rows, stream):
    newest, taken = -math.inf, []
    for k, (of, time, value, ident) in enumerate(rows):
        if of == stream and time > newest:
            newest = time
            if not math.isnan(value):
                taken.append((k, time, value, ident))
    return taken


def moved(series, k, deviations):
    """Whether a value moved: True, False, or None where nobody can say."""
    _, time, value, _ = series[k]
    before = [row[2] for row in series[:k] if row[1] > time - 60 * MINUTE]
    if k == 0 or len(before) < 3:
        return None
    return abs(value - series[k - 1][2]) > deviations * np.std(before)


def expected(rows):
    """Outcomes of neighbor, multi_variate and ts_curve of the rows of stream 0, by id."""
    own, other = in_order(rows, 0), in_order(rows, 1)
    answers = {}
    for k, (arrival, time, value, ident) in enumerate(own):
        near = sorted((abs(row[1] - time), row[1], n) for n, row in enumerate(other))
        there = [row[0] for row in other if row[1] == time or row[1] >= time + WITHIN]
        known = min(there, default=math.inf)
        gone = min((row[0] for row in own if row[1] > time + DEADLINE), default=math.inf)
        partner = None
        if near and near[0][0] <= WITHIN and known < math.inf and known <= gone:
            partner = near[0][2]
            passed = max((row[1] for row in other if row[0] < arrival), default=-math.inf)
            if other[partner][1] < passed - DEADLINE:
                partner = None
        answers[ident] = [
            neighbor(value, other[partner][2] if partner is not None else None),
            multi(own, k, other, partner),
            curve(value, other[partner][2] if partner is not None else None),
        ]
    return answers


def neighbor(value, other):
    if other is None:
        return 2
    return 4 if abs(value - other) > 4 else 3 if abs(value - other) > 2 else 1


def multi(own, k, other, partner):
    here = moved(own, k, 2)
    if not here:
        return 2 if here is None else 1
    there = None if partner is None else moved(other, partner, 2)
    return 2 if there is None else 1 if there else 3


def curve(value, other):
    if other is None or not 0 <= other <= 5:
        return 2
    low, high = -3 + other * 0.4, 3 + other * 0.2  # rounded as numpy.interp does it: values may lie on the edge
    return 3 if value < low or value > high else 1


@settings(max_examples=90, deadline=None)
@given(rows=arrivals())
def test_outcomes_are_those_of_a_plain_reading(rows):
    flags = run(engine(), [rows])
    for ident, outcome in expected(rows).items():
        text = flags[ident][1] or "11111"
        assert [int(digit) for digit in text[2:]] == outcome


@settings(max_examples=90, deadline=None)
@given(rows=arrivals(), places=st.lists(st.integers(0, 1000), max_size=8))
def test_live_equals_batch_for_every_cut(rows, places):
    whole, parts = engine(), engine()
    assert run(whole, [rows]) == run(parts, cut(rows, places))
    assert whole.snapshot() == parts.snapshot()
    assert whole.pending().tolist() == parts.pending().tolist()


@settings(max_examples=100, deadline=None)
@given(rows=arrivals(), place=st.integers(0, 100))
def test_a_restart_goes_on_as_if_nothing_had_happened(rows, place):
    before, after = cut(rows, [place])
    steady = engine()
    run(steady, [before])
    for late in (False, True):
        restarted = QcEngine() if late else engine()
        restarted.restore(steady.snapshot())
        if late:
            restarted.set(0, FULL, unit="1", partners=PARTNERS)
            restarted.set(1, load({"tests": {"gross_range": {"fail": [-50, 50]}}}), unit="1")
        assert restarted.snapshot() == steady.snapshot()
        assert restarted.pending().tolist() == steady.pending().tolist()
    first, again = batch(after), batch(after)
    settled, settled_again = steady.evaluate(first), restarted.evaluate(again)
    assert first.tests == again.tests
    assert settled.id.tolist() == settled_again.id.tolist()
    assert settled.tests == settled_again.tests
    assert steady.snapshot() == restarted.snapshot()


@settings(max_examples=60, deadline=None)
@given(rows=arrivals())
def test_the_rollup_is_that_of_the_digits_at_every_time(rows):
    judge = engine()
    for row in rows:
        made = batch([row])
        settled = judge.evaluate(made)
        for quality, tests in [
            *zip(settled.result_quality.tolist(), settled.tests.to_pylist(), strict=True),
            *(zip(made.result_quality.tolist(), made.tests.to_pylist(), strict=True) if row[0] == 0 else ()),
        ]:
            digits = [int(digit) for digit in tests or "11111"]
            if 9 in digits:
                assert quality == 9
            elif 4 in digits or 3 in digits:
                assert quality == (4 if 4 in digits else 3)
            else:
                assert quality == (2 if digits[2] == 2 else 1)  # neighbor is required


def test_a_row_waits_and_is_settled_when_the_other_comes():
    judge = engine()
    times = [k * MINUTE for k in range(10)]
    judge.evaluate(batch([(0, time, 1.0, k) for k, time in enumerate(times)]))
    assert judge.pending().tolist() == list(range(10))
    settled = judge.evaluate(batch([(1, times[4], 1.5, 100)]))
    # Known for the row of that minute and for those at least two minutes before it; the partner of 3 may still come.
    assert settled.id.tolist() == [2, 4]


def test_a_test_without_its_partner_is_not_evaluated():
    judge = QcEngine()
    judge.set(0, FULL, unit="1")
    made = batch([(0, 0, 1.0, 0)])
    judge.evaluate(made)
    assert made.tests.to_pylist() == ["12222"]
    assert len(judge.pending()) == 0


def test_a_series_is_checked_beside_another():
    times = np.arange(300) * 6 * MINUTE
    rng = np.random.default_rng(4)
    ph, oxygen = 8 + rng.normal(0, 0.01, 300), 9 + rng.normal(0, 0.05, 300)
    ph[200:] += 0.5  # the acid spill that the oxygen does not know of
    ph[250:] += 0.5
    oxygen[250:] += 3
    profile = {"tests": {"multi_variate": {"other": "oxygen", "n_dev": 6, "other_n_dev": 6, "tim_dev": "25 h"}}}
    found = check(ph, profile, times, others={"oxygen": (oxygen, times)}).tests["multi_variate"]
    assert np.flatnonzero(found == 3).tolist() == [200]
    assert found[250] == 1


def test_the_neighbor_is_compared_in_the_unit_of_the_judged():
    judge = QcEngine()
    profile = load({"unit": "degree_Celsius", "tests": {"neighbor": OTHER | {"suspect": 1}}})
    judge.set(0, profile, unit="degree_Celsius", partners={"neighbor": Partner(1, 5 / 9, -160 / 9)})
    judge.set(1, None, unit="degree_Fahrenheit")
    made = batch([(1, 0, 50.0, 10), (0, 0, 10.5, 0), (1, MINUTE, 68.0, 11), (0, MINUTE, 10.5, 1)])
    judge.evaluate(made)
    assert made.tests.to_pylist()[1::2] == [None, "3"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"suspect": 1}, "other"),
        (OTHER | {"suspect": 2, "fail": 1}, "beyond"),
        (OTHER | {"n_dev": 2}, "other_n_dev"),
        (OTHER | {"suspect": 1, "deadline": "1 min"}, "deadline"),
    ],
)
def test_what_a_neighbor_cannot_be_judged_by_is_said(table, says):
    with pytest.raises(ConfigError, match=says):
        load({"tests": {"neighbor": table}})


def outcomes(rows, *, one_by_one):
    """Digits of neighbor, multi_variate and ts_curve of row 0 of the judged series."""
    parts = [[row] for row in rows] if one_by_one else [rows]
    return (run(engine(), parts)[0][1] or "11111")[2:]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_each_threshold_itself_is_not_beyond_it(one_by_one):
    def beside(value, other, apart=0):
        return outcomes([(0, 0, value, 0), (1, apart, other, 10), (1, 9 * MINUTE, other, 11)], one_by_one=one_by_one)

    for value, other, neighbor, curve in (
        (2.0, 0.0, "1", "1"), (2.0, np.nextafter(0.0, -1), "1", "2"), (np.nextafter(2.0, 3), 0.0, "3", "1"),
        (-2.0, 0.0, "1", "1"), (4.0, 0.0, "3", "3"), (np.nextafter(4.0, 5), 0.0, "4", "3"),
        (3.0, 0.0, "3", "1"), (np.nextafter(3.0, 4), 0.0, "3", "3"), (-3.0, 0.0, "3", "1"),
        (np.nextafter(-3.0, -4), 0.0, "3", "3"), (4.0, 5.0, "1", "1"), (np.nextafter(4.0, 5), 5.0, "1", "3"),
        (-1.0, 5.0, "4", "1"), (4.0, np.nextafter(5.0, 6), "1", "2"),
    ):  # fmt: skip
        found = beside(value, other)
        assert (found[0], found[2]) == (neighbor, curve), (value, other)
    for apart, neighbor in ((WITHIN, "1"), (-WITHIN, "1"), (WITHIN + 1, "2"), (-WITHIN - 1, "2")):
        assert beside(1.0, 1.0, apart)[0] == neighbor


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(("beyond", "digit"), [(0, "1"), (1, "2")])
def test_the_other_is_remembered_and_waited_for_until_the_deadline_and_no_longer(one_by_one, beyond, digit):
    late = [(1, 0, 1.0, 10), (1, DEADLINE + beyond, 1.0, 11), (0, 0, 1.0, 0)]
    assert outcomes(late, one_by_one=one_by_one)[0] == digit
    waiting = [(0, 0, 1.0, 0), (0, DEADLINE + beyond, 1.0, 1), (1, 0, 1.0, 10)]
    assert outcomes(waiting, one_by_one=one_by_one)[0] == digit


@pytest.mark.parametrize("one_by_one", [False, True])
def test_of_two_others_as_near_the_earlier_is_the_partner(one_by_one):
    rows = [(1, -MINUTE, 0.0, 10), (0, 0, 0.0, 0), (1, MINUTE, 3.0, 11), (1, 9 * MINUTE, 0.0, 12)]
    assert outcomes(rows, one_by_one=one_by_one)[0] == "1"
    rows[0] = (1, -MINUTE - 1, 0.0, 10)
    assert outcomes(rows, one_by_one=one_by_one)[0] == "3"


@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_other_may_come_first_again_and_again(one_by_one):
    rows = [(0, 0, 1.0, 1), (1, 0, 1.0, 10), (1, 5 * MINUTE, 1.0, 11), (0, 5 * MINUTE, 1.0, 0)]
    assert outcomes(rows, one_by_one=one_by_one)[0] == "1"
