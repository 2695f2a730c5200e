"""The kernel against a plain reading of the tests, and live against batch."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc import oracle
from tests.qc.streams import BARE, FULL, batch, cut, engine, rows, run

CUTS = st.lists(st.integers(0, 1000), max_size=6)


@settings(max_examples=150, deadline=None)
@given(made=rows())
def test_the_kernel_says_what_a_plain_reading_of_the_tests_says(made):
    all_rows, water = made
    answers = run(engine(), [all_rows], water)
    profiles = {0: (FULL, True), 1: (FULL.in_unit("degree_Fahrenheit"), False), 2: (BARE, False)}
    for stream, (profile, marked) in profiles.items():
        places = [k for k, row in enumerate(all_rows) if row[0] == stream]
        mine = [all_rows[k] for k in places]
        expected = oracle.judge(profile, mine, [water[k] for k in places], marked)
        for k, row, outcome in zip(places, mine, expected, strict=True):
            present = math.isfinite(row[2]) and not (marked and row[5] == "F")
            text = None if set(outcome) == {1} else "".join(map(str, outcome))
            assert answers[k] == (oracle.roll_up(profile, outcome, present), text)


@settings(max_examples=150, deadline=None)
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
