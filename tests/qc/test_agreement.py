"""Value for value beside ioos_qc on series sampled evenly; every difference left out here stands in docs/qartod.md."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.qc import check
from nilometer.qc.rollup import Rule, roll_up

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    qartod = pytest.importorskip("ioos_qc.qartod")

INTERVAL = 900
# Quarters, so that sums and differences are exact and equality with a threshold happens.
NUMBERS = st.integers(-40, 80).map(lambda k: k / 4)
SERIES = st.lists(st.one_of(NUMBERS, NUMBERS, NUMBERS, st.sampled_from([np.nan, np.inf, 1.0])), min_size=3, max_size=80)
WHOLE = st.lists(NUMBERS, min_size=3, max_size=80)
LEVELS = st.tuples(st.integers(1, 20).map(lambda k: k / 4), st.integers(0, 20).map(lambda k: k / 4))


def times(n):
    return np.arange(n) * np.timedelta64(INTERVAL, "s") + np.datetime64("2024-01-01", "s")


def theirs(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.ma.filled(getattr(qartod, function)(*args, **kwargs), 255).astype(int).tolist()


def ours(values, name, parameters):
    document = {"qartod": {name: parameters}}
    found = check(np.array(values, float), document, times(len(values)))
    assert np.array_equal(found.flags, next(iter(found.tests.values())))  # one test: the roll-up says the same
    return found.flags.tolist()


@settings(max_examples=200, deadline=None)
@given(values=SERIES, span=st.tuples(NUMBERS, NUMBERS).map(sorted), wider=st.integers(0, 8))
def test_gross_range_agrees(values, span, wider):
    values = [
        x for x in values if not np.isinf(x)
    ]  # there an infinity fails; here it is missing, as in its other tests
    fail = [span[0] - wider / 2, span[1] + wider / 2]
    assert ours(values, "gross_range_test", {"fail_span": fail, "suspect_span": span}) == theirs(
        "gross_range_test", np.array(values), fail_span=tuple(fail), suspect_span=tuple(span)
    )


@settings(max_examples=200, deadline=None)
@given(values=SERIES, levels=LEVELS, method=st.sampled_from(["average", "differential"]))
def test_spike_agrees(values, levels, method):
    low, more = levels
    parameters = {"suspect_threshold": low, "fail_threshold": low + more, "method": method}
    assert ours(values, "spike_test", parameters) == theirs("spike_test", np.array(values), **parameters)


@settings(max_examples=200, deadline=None)
@given(values=WHOLE, levels=LEVELS)
def test_rate_of_change_agrees_but_for_the_first_value(values, levels):
    low, more = levels
    parameters = {"threshold": low / INTERVAL, "fail_threshold": (low + more) / INTERVAL}
    expected = theirs("rate_of_change_test", np.array(values), times(len(values)), **parameters)
    assert ours(values, "rate_of_change_test", parameters) == [2, *expected[1:]]


@settings(max_examples=200, deadline=None)
@given(values=WHOLE, counts=st.tuples(st.integers(1, 6), st.integers(0, 6)), tolerance=st.integers(1, 30))
def test_flat_line_agrees_where_a_window_is_full(values, counts, tolerance):
    suspect, fail = counts[0] * INTERVAL, (counts[0] + counts[1]) * INTERVAL
    parameters = {"suspect_threshold": suspect, "fail_threshold": fail, "tolerance": tolerance / 4}
    expected = theirs("flat_line_test", np.array(values), times(len(values)), **parameters)
    for k, (mine, other) in enumerate(zip(ours(values, "flat_line_test", parameters), expected, strict=True)):
        assert mine == other or (k < counts[0] and (mine, other) == (2, 1))


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.sampled_from([600, 3600, 7200, 7201, 9000]), min_size=2, max_size=40))
def test_gap_agrees_but_for_the_first_row(steps):
    stamps = np.datetime64("2024-01-01", "ns") + np.cumsum(steps) * np.timedelta64(1, "s")
    mine = check(np.ones(len(steps)), {"qartod": {"time_gap_test": {"fail_span": 2}}}, stamps).flags.tolist()
    assert mine == [2, *theirs("time_gap_test", stamps, fail_span=2)[1:]]


@settings(max_examples=100, deadline=None)
@given(flags=st.lists(st.lists(st.sampled_from([1, 2, 3, 4, 9]), min_size=3, max_size=3), min_size=1, max_size=4))
def test_its_roll_up_rule_is_an_option(flags):
    expected = theirs("qartod_compare", [np.array(column) for column in flags])
    for k, other in enumerate(expected):
        summary = 0
        for column in flags:
            summary |= 1 << column[k]
        assert roll_up(summary, int(Rule.IOOS_QC), False) == other
