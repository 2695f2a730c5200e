"""Rows that simply go on are judged without looking each up: what they get must be what every row gets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc.streams import EVERY, FULL, LATER, SECOND, SIMPLE, START, STRICT, Columns, columns, judged

from nilometer.qc.engine import QcEngine
from nilometer.qc.layout import BLOCK, RUN
from nilometer.qc.profile import load

EDGES = [1, 2, 3, 31, 32, 33, 34, 35, BLOCK - 1, BLOCK, BLOCK + 1, RUN - 1, RUN, RUN + 1, RUN + 2, RUN + 3]
LATE = load({"tests": {"flat_line": EVERY.tests[13].parameters, "gap": {"suspect": "20 min"}}})
BY_STREAM = {0: EVERY, 1: STRICT, 2: SIMPLE, 3: LATE, 4: FULL, 5: None, 6: EVERY}


def long_rows(seed, n, streams, every):
    """Rows of long regular stretches, about one in `every` irregular, Datastream after Datastream."""
    rng = np.random.default_rng(seed)
    stream = np.sort(rng.choice(streams, n))
    odd = rng.random(n) < 1 / every
    step = np.where(odd, rng.choice([0, -30, 1e-6, 0.5, 1199, 1200, 1200.000001, 9000, -5000], n), rng.choice([10, 60]))
    time = np.zeros(n, np.int64)
    for one in set(stream.tolist()):
        mine = stream == one
        time[mine] = START + np.cumsum(np.round(step[mine] * SECOND).astype(np.int64))
    value = np.round(np.sin(np.arange(n) / 40) * 3 + rng.normal(0, 0.3, n), 1)
    calm = np.repeat(rng.random(n // 50 + 1) < 0.2, 50)[:n]
    value = np.where(calm, 1.0, value)
    strange = rng.random(n) < 1 / every
    value = np.where(strange, rng.choice([np.nan, np.inf, 9.0, -9.0, 1e30, -0.0], n), value)
    made = Columns(stream, time, value, np.arange(n))
    if rng.random() < 0.5:
        made.depth = np.where(odd, np.nan, 3.0)
        made.latitude, made.longitude = np.full(n, 10.0), np.where(odd, -179.99, 179.99)
        made.syntax = rng.choice([1, 1, 1, 4], n).astype(np.uint8)
    return made


def engine(scheme=None):
    made = QcEngine()
    for datastream, profile in BY_STREAM.items():
        made.set(datastream, profile, unit="degree_Celsius" if profile is FULL else "1", mark_scheme=scheme)
    return made


def through_blocks(rows):
    """The same rows with a column that says nothing, for which no run is plain."""
    return Columns(**(vars(rows) | {"water": np.ones(len(rows), np.bool_)}))


def parts_at(n, places):
    edges = [0, *sorted({place for place in places if place < n}), n]
    return [np.arange(a, b) for a, b in pairwise(edges)]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.one_of(st.sampled_from(EDGES), st.integers(1, 9000)),
    streams=st.sampled_from([[0], [1], [2, 3], [0, 0, 0, 1, 4], [0, 6], list(BY_STREAM)]),
    every=st.sampled_from([20, 100, 1000]),
    cuts=st.lists(st.one_of(st.sampled_from(EDGES), st.integers(1, 9000)), max_size=4),
    received=st.sampled_from([None, LATER, START + 30 * 60 * SECOND]),
    scheme=st.sampled_from([None, "hj212-2017"]),
)
def test_runs_and_blocks_say_the_same_and_leave_the_same(seed, n, streams, every, cuts, received, scheme):
    rows = long_rows(seed, n, streams, every)
    plain, blocks, parts = engine(scheme), engine(scheme), engine(scheme)
    whole = [np.arange(n)]
    expected = judged(blocks, through_blocks(rows), whole, received)
    assert judged(plain, rows, whole, received) == expected
    assert judged(parts, rows, parts_at(n, cuts), received) == expected
    assert plain.snapshot() == parts.snapshot() == blocks.snapshot()
    assert sorted(plain.pending().tolist()) == sorted(parts.pending().tolist()) == sorted(blocks.pending().tolist())


@pytest.mark.parametrize("first", [RUN, BLOCK, 2, 3, 34, 35, 36, 40, 2 * RUN + 1])
def test_a_series_cut_anywhere_near_the_sizes_of_blocks_and_runs_is_one_series(first):
    rows = long_rows(first, 2 * RUN + 100, [0], 500)
    n = len(rows)
    whole = engine()
    expected = judged(whole, rows, [np.arange(n)])
    for at in range(first - 1, first + 3):
        parts = engine()
        assert judged(parts, rows, parts_at(n, [at, at + 1, at + BLOCK])) == expected
        assert parts.snapshot() == whole.snapshot()


def test_one_datastream_for_all_rows_is_one_for_each():
    rows = long_rows(5, 5000, [0], 100)
    single, each = engine(), engine()
    batch, other = rows.batch(), rows.batch()
    batch.datastream = np.zeros(1, np.int32)
    batch.id = np.empty(0, np.int64)
    outcome = single.walk(batch, None)
    each.evaluate(other)
    assert outcome.quality.tolist() == other.result_quality.tolist()
    assert outcome.tests() == other.tests
    assert single.snapshot() == each.snapshot()


def test_a_row_late_by_one_microsecond_and_a_step_of_the_gap_end_and_keep_a_run():
    for odd, expected in ((-1, 2), (0, 2), (1, 1), (1200 * SECOND, 1), (1200 * SECOND + 1, 3)):
        steps = np.full(400, 60 * SECOND)
        steps[300] = odd
        rows = Columns(np.full(400, 3), START + np.cumsum(steps), np.arange(400) % 7.0, np.arange(400))
        blocks, plain = engine(), engine()
        found = judged(plain, rows, [np.arange(400)])
        assert int((found[300][1] or "11")[1]) == expected
        assert found == judged(blocks, through_blocks(rows), [np.arange(400)])
        assert plain.snapshot() == blocks.snapshot()


@pytest.mark.parametrize("bound", ["latest", "future", "earliest"])
def test_a_run_ends_at_an_impossible_date(bound):
    day = 86_400 * SECOND
    test = {"earliest": "2023-11-15"} if bound == "earliest" else {"latest": "2023-11-15"} if bound == "latest" else {}
    profile = load({"tests": {"impossible_date": test, "rate_of_change": {"suspect": 1}}})
    turn = 1_700_006_400 * SECOND
    assert turn % day == 0
    time = turn + (np.arange(-300, 300) * 60 + 0) * SECOND
    rows = Columns(np.zeros(600), time, np.arange(600) % 5.0, np.arange(600))
    received = turn - 60 * SECOND if bound == "future" else None
    answers = []
    for some in (rows, through_blocks(rows)):
        made = QcEngine()
        made.set(0, profile, unit="1")
        answers.append((judged(made, some, [np.arange(600)], received), made.snapshot()))
    assert answers[0] == answers[1]
    possible = np.array([text is None or text[0] == "1" for _, text in answers[0][0]])
    assert possible.tolist() == [(k >= 300) if bound == "earliest" else (k <= 300) for k in range(600)]


def test_what_the_instrument_never_said_counts_for_every_row_of_a_run():
    for scheme, digit in ((None, "1"), ("hj212-2017", "2")):
        made = QcEngine()
        made.set(0, load({"tests": {"mark": {}, "gross_range": {"fail": [0, 9]}}}), unit="1", mark_scheme=scheme)
        rows = Columns(np.zeros(200), START + np.arange(200), np.ones(200), np.arange(200))
        found = judged(made, rows, [np.arange(200)])
        assert {(text or "11")[0] for _, text in found} == {digit}


def test_rows_in_disorder_go_through_both_ways():
    made = columns(11, 6000, wild=0.01, streams=(0, 1, 2), bare=True)
    order = np.argsort(made.datastream, kind="stable")
    rows = made.take(order)
    plain, mixed = engine(), engine()
    sorted_flags = judged(plain, rows, [np.arange(6000)])
    flags = judged(mixed, made, parts_at(6000, [100, 5000]))
    assert [flags[k] for k in order.tolist()] == sorted_flags
    assert plain.snapshot() == mixed.snapshot()
