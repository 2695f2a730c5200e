"""The kernel against a plain reading of the tests, and live against batch."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc import oracle
from tests.qc.streams import (
    BARE,
    FULL,
    LATER,
    MARKED,
    PROFILES,
    batch,
    columns,
    cut,
    cut_rows,
    engine,
    every_engine,
    interleaved,
    judged,
    rows,
    run,
)

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

CUTS = st.lists(st.integers(0, 1000), max_size=6)


@settings(max_examples=90, deadline=None)
@given(made=rows())
def test_the_kernel_says_what_a_plain_reading_of_the_tests_says(made):
    all_rows, water = made
    answers = run(engine(), [all_rows], water)
    profiles = {0: (FULL, True), 1: (FULL.in_unit("degree_Fahrenheit"), False), 2: (BARE, False)}
    profiles |= {4: (FULL, True), 5: (FULL, False)}
    for stream, (profile, marked) in profiles.items():
        places = [k for k, row in enumerate(all_rows) if row[0] == stream]
        mine = [oracle.Row(*all_rows[k][1:], water=water[k]) for k in places]
        expected = oracle.judge(profile, mine, marked)
        for k, row, outcome in zip(places, mine, expected, strict=True):
            present = math.isfinite(row.value) and not (marked and row.mark == "F")
            text = None if set(outcome) == {1} else "".join(map(str, outcome))
            assert answers[k] == (oracle.roll_up(profile, outcome, present), text)


SEEDS = st.integers(0, 2**32 - 1)
WILD = st.sampled_from([0.0, 0.05, 0.2, 0.5])
RECEIVED = st.sampled_from([None, LATER])


def differences(found, made, received):
    """Where the flags of rows are not what a plain reading of the tests says."""
    different = []
    for stream, profile in PROFILES.items():
        places = np.flatnonzero(made.datastream == stream)
        mine = made.take(places).rows(received)
        expected = oracle.judge(profile, mine, stream in MARKED)
        for k, row, outcome in zip(places.tolist(), mine, expected, strict=True):
            quality, text = found[k]
            digits = [1] * len(profile.tests) if text is None else [int(digit) for digit in text]
            for name, digit, right in zip(profile.names, digits, outcome, strict=True):
                if digit not in (right if isinstance(right, set) else {right}):
                    different.append((stream, k, name, digit, right))
            rolled = oracle.roll_up(profile, digits, row.present)
            if quality != rolled or (text is not None and set(digits) == {1}):
                different.append((stream, k, "roll-up", quality, rolled))
    return different


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 250), wild=WILD, received=RECEIVED)
def test_every_test_along_time_and_down_a_cast_says_what_a_plain_reading_says(seed, n, wild, received):
    made = columns(seed, n, wild=wild)
    assert differences(judged(every_engine(), made, [np.arange(n)], received), made, received) == []


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 250), wild=WILD, received=RECEIVED, places=CUTS, order=SEEDS)
def test_every_test_says_the_same_for_every_cut_and_every_interleaving(seed, n, wild, received, places, order):
    made = columns(seed, n, wild=wild)
    whole, parts, mixed = every_engine(), every_engine(), every_engine()
    straight = judged(whole, made, [np.arange(n)], received)
    assert judged(parts, made, cut_rows(n, places), received) == straight
    order = interleaved(made, order)
    again = judged(mixed, made.take(order), cut_rows(n, places), received)
    assert again == [straight[k] for k in order.tolist()]
    assert whole.snapshot() == parts.snapshot() == mixed.snapshot()
    assert sorted(whole.pending().tolist()) == sorted(parts.pending().tolist()) == sorted(mixed.pending().tolist())


def test_a_number_that_its_mark_calls_no_value_has_no_rate_of_change():
    judge = QcEngine()
    for datastream in (1, 2):
        judge.set(datastream, load({"tests": {"rate_of_change": {"suspect": 1}}}), unit="1", mark_scheme="hj212-2017")
    for turn in range(2):
        made = ObservationBatch(
            datastream=np.tile(np.array([1, 2], np.int32), 4),
            phenomenon_time=(4 * turn + np.repeat(np.arange(4), 2)) * 1_000_000,
            raw_result=np.ones(8),
            result=np.ones(8),
            id=np.arange(8) + 8 * turn,
            mark=pa.array([None, None, "F" if turn else None, *[None] * 5]),
        )
        judge.evaluate(made)
    assert [text or "1" for text in made.tests.to_pylist()] == ["1", "1", "9", *["1"] * 5]


def test_a_flat_line_that_a_missing_value_comes_before_does_not_hang_on_other_datastreams():
    judge = QcEngine()
    for datastream in (1, 2):
        judge.set(datastream, load({"tests": {"flat_line": {"suspect": "30 min", "tolerance": 2}}}), unit="1")
    found = []
    parts = [(1, [60], [0.0]), (2, [61, 62, 63], [0.0] * 3), (2, [64], [0.0]), (1, [1260, 1320], [np.nan, 0.0])]
    for datastream, seconds, values in parts:
        made = ObservationBatch(
            datastream=np.full(len(values), datastream, np.int32),
            phenomenon_time=np.array(seconds) * 1_000_000,
            raw_result=np.array(values),
            result=np.array(values),
            id=np.array(seconds),
        )
        judge.evaluate(made)
        found = made.tests.to_pylist()
    assert found == ["9", "2"]  # the record does not reach back half an hour


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 250), wild=WILD, place=st.integers(0, 250), received=RECEIVED)
def test_a_restart_in_the_middle_of_every_test_goes_on(seed, n, wild, place, received):
    made = columns(seed, n, wild=wild)
    before, after = cut_rows(n, [place])
    steady, replayed, restarted = every_engine(), every_engine(), every_engine()
    some = made.take(before)
    steady.evaluate(some.batch(), water=some.water, received=received)
    replayed.advance(some.batch(), water=some.water, received=received)
    state = steady.snapshot()
    restarted.restore(state)
    assert restarted.snapshot() == replayed.snapshot() == state
    rest = made.take(after)
    answers = []
    for one in (steady, replayed, restarted):
        rows_after = rest.batch()
        settled = one.evaluate(rows_after, water=rest.water, received=received)
        answers.append((rows_after.result_quality.tolist(), rows_after.tests, settled.id.tolist(), settled.tests))
    assert answers[0] == answers[1] == answers[2]
    assert steady.snapshot() == replayed.snapshot() == restarted.snapshot()


@settings(max_examples=90, deadline=None)
@given(made=rows(), places=CUTS)
def test_live_equals_batch_for_every_cut(made, places):
    all_rows, water = made
    whole, parts = engine(), engine()
    assert run(whole, [all_rows], water) == run(parts, cut(all_rows, places), water)
    assert whole.snapshot() == parts.snapshot()
    assert sorted(whole.pending().tolist()) == sorted(parts.pending().tolist())


@settings(max_examples=100, deadline=None)
@given(made=rows(), seed=st.integers(0, 2**32 - 1), places=CUTS)
def test_live_equals_batch_for_every_interleaving_of_datastreams(made, seed, places):
    all_rows, water = made
    streams = [row[0] for row in all_rows]
    shuffled = np.random.default_rng(seed).permutation(streams).tolist()
    queues = {s: [k for k, row in enumerate(all_rows) if row[0] == s] for s in set(streams)}
    order = [queues[s].pop(0) for s in shuffled]
    one, other = engine(), engine()
    straight = run(one, [all_rows], water)
    mixed = run(other, cut([all_rows[k] for k in order], places), [water[k] for k in order])
    assert [straight[k] for k in order] == mixed
    assert one.snapshot() == other.snapshot()


@settings(max_examples=100, deadline=None)
@given(made=rows(), place=st.integers(0, 100))
def test_a_restart_goes_on_as_if_nothing_had_happened(made, place):
    all_rows, water = made
    before, after = cut(all_rows, [place])
    steady = engine()
    run(steady, [before], water)
    state, pending = steady.snapshot(), steady.pending().tolist()
    restarted = engine()
    restarted.restore(state)
    assert restarted.snapshot() == state
    assert restarted.pending().tolist() == pending

    first, again = batch(after), batch(after)
    right = np.array(water[len(before) :], np.bool_)
    settled, settled_again = steady.evaluate(first, water=right), restarted.evaluate(again, water=right)
    assert first.result_quality.tolist() == again.result_quality.tolist()
    assert first.tests == again.tests
    assert settled.id.tolist() == settled_again.id.tolist()
    assert settled.tests == settled_again.tests
    assert steady.snapshot() == restarted.snapshot()


@settings(max_examples=50, deadline=None)
@given(made=rows())
def test_replay_moves_the_state_as_judging_did(made):
    all_rows, water = made
    judged, replayed = engine(), engine()
    run(judged, [all_rows], water)
    replayed.advance(batch(all_rows), water=np.array(water, np.bool_))
    assert judged.snapshot() == replayed.snapshot()
