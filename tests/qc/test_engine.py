"""The engine where hypothesis does not lead: settlements, revisions, changed profiles, odd input."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc.streams import EVERY, EVERY_TEST, FULL, SECOND, Columns, batch, columns, cut_rows, engine, judged

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine, warm
from nilometer.qc.layout import MOST_POINTS
from nilometer.qc.profile import load

SPIKE = load(
    {"required": ["gross_range"], "tests": {"gross_range": {"fail": [0, 50]}, "spike": {"suspect": 2, "fail": 6}}}
)


def spiker(profile=SPIKE):
    made = QcEngine()
    made.set(5, profile, unit="1")
    return made


def one(judge, k, value, *, time=None, supersedes=False):
    rows = batch([(5, k if time is None else time, value, k, supersedes, None)])
    settled = judge.evaluate(rows)
    answers = zip(settled.result_quality.tolist(), settled.tests.to_pylist(), strict=True)
    answer = dict(zip(settled.id.tolist(), answers, strict=True))
    return (rows.result_quality[0], rows.tests[0].as_py()), answer


def test_a_pending_spike_does_not_hold_back_pass_and_is_settled_by_its_successor():
    judge = spiker()
    assert one(judge, 0, 1.0) == ((1, "12"), {})
    assert judge.pending().tolist() == []  # the first row has no neighbour before it
    assert one(judge, 1, 1.0) == ((1, "12"), {})
    assert judge.pending().tolist() == [1]
    assert one(judge, 2, 11.0) == ((1, "12"), {1: (3, "13")})
    assert one(judge, 3, 1.0) == ((1, "12"), {2: (4, "14")})
    assert one(judge, 4, 1.0) == ((1, "12"), {3: (3, "13")})
    assert one(judge, 5, 1.0) == ((1, "12"), {4: (1, None)})


def test_a_missing_successor_leaves_the_spike_verdict_open_for_good():
    judge = spiker()
    one(judge, 0, 1.0)
    one(judge, 1, 1.0)
    assert one(judge, 2, np.nan) == ((9, "99"), {})
    assert judge.pending().tolist() == []


def test_a_required_spike_holds_back_pass_until_it_is_settled():
    judge = spiker(load({"required": ["spike"], "tests": {"gross_range": {"fail": [0, 50]}, "spike": {"suspect": 2}}}))
    one(judge, 0, 1.0)
    assert one(judge, 1, 1.0) == ((2, "12"), {})
    assert one(judge, 2, 1.0) == ((2, "12"), {1: (1, None)})


def test_a_revision_of_the_waiting_row_is_not_overwritten_by_its_settlement():
    judge = spiker()
    one(judge, 0, 1.0)
    one(judge, 1, 1.0)
    assert one(judge, 1, 99.0, supersedes=True) == ((4, "42"), {})
    assert judge.pending().tolist() == []
    assert one(judge, 2, 1.0) == ((1, "12"), {})


def test_a_revision_of_an_older_row_leaves_the_waiting_row_alone():
    judge = spiker()
    one(judge, 0, 1.0)
    one(judge, 1, 1.0)
    one(judge, 0, 9.0, supersedes=True)
    assert one(judge, 2, 1.0) == ((1, "12"), {1: (1, None)})


def test_a_late_row_gets_point_tests_and_moves_nothing():
    judge = spiker()
    one(judge, 0, 1.0, time=100)
    one(judge, 1, 1.0, time=200)
    state = judge.snapshot()
    assert one(judge, 2, 40.0, time=150) == ((1, "12"), {})
    assert one(judge, 3, 60.0, time=200) == ((4, "42"), {})
    assert judge.snapshot() == state
    assert judge.newest(5) == 200


def test_a_check_sample_moves_nothing():
    judge = spiker()
    one(judge, 0, 1.0)
    state = judge.snapshot()
    rows = batch([(5, 10, 30.0, 1, False, None)])
    judge.evaluate(rows, water=np.array([False]))
    assert (rows.result_quality.tolist(), rows.tests.to_pylist()) == ([1], ["12"])
    assert judge.snapshot() == state


def test_newest_is_none_before_the_first_row_and_for_strangers():
    judge = spiker()
    assert judge.newest(5) is None
    assert judge.newest(6) is None
    assert judge.newest(-1) is None


def test_rows_of_unknown_datastreams_are_not_evaluated():
    judge = spiker()
    strangers = [6, 16, 17, 1 << 20, -3]
    rows = batch([(datastream, 0, 1.0, k, False, "D") for k, datastream in enumerate(strangers)])
    rows.result[-1] = np.nan
    judge.evaluate(rows)
    assert rows.result_quality.tolist() == [2, 2, 2, 2, 9]
    assert rows.tests.to_pylist() == [None] * 5


def test_an_empty_batch_is_an_empty_answer():
    rows = batch([])
    assert len(spiker().evaluate(rows)) == 0
    assert len(rows.result_quality) == len(rows.tests) == 0


def test_rows_without_admission_or_calibration_are_refused():
    rows = batch([(5, 0, 1.0, 0, False, None)])
    rows.result = None
    with pytest.raises(ValueError, match="id and result"):
        spiker().evaluate(rows)


def test_columns_of_other_layouts_are_read_as_they_are():
    values = np.arange(8.0)[::2]
    values.flags.writeable = False
    rows = ObservationBatch(
        datastream=np.full(4, 5, np.int64),
        phenomenon_time=np.arange(4, dtype=np.int32),
        raw_result=values,
        result=values,
        id=np.arange(8)[::2],
    )
    spiker().evaluate(rows)
    assert rows.result_quality.tolist() == [1, 1, 1, 1]


def test_a_changed_threshold_keeps_the_values_and_lets_the_open_verdict_lie():
    judge = spiker()
    one(judge, 0, 1.0)
    one(judge, 1, 1.0)
    changed = load({"tests": {"gross_range": {"fail": [0, 50]}, "spike": {"suspect": 1}}})
    judge.set(5, changed, unit="1")
    assert judge.newest(5) == 1
    assert judge.pending().tolist() == []
    assert one(judge, 2, 9.0) == ((1, "12"), {})
    assert one(judge, 3, 1.0) == ((1, "12"), {2: (3, "13")})


def test_the_same_profile_again_changes_nothing():
    judge = spiker()
    one(judge, 0, 1.0)
    one(judge, 1, 1.0)
    state = judge.snapshot()
    judge.set(5, load(SPIKE.to_document()), unit="1")  # another name: another profile
    judge.set(5, SPIKE, unit="1")
    other = spiker()
    one(other, 0, 1.0)
    one(other, 1, 1.0)
    other.set(5, SPIKE, unit="1")
    assert other.snapshot() == state


def test_a_run_survives_a_change_of_thresholds_but_not_of_tolerance():
    def flat(tolerance, minutes):
        return load({"tests": {"flat_line": {"suspect": f"{minutes} min", "tolerance": tolerance}}})

    minute = 60_000_000
    for tolerance, expected in ((0.1, "3"), (0.2, "2")):
        judge = QcEngine()
        judge.set(1, flat(0.1, 60), unit="1")
        judge.evaluate(batch([(1, k * minute, 5 + 0.01 * (k % 3), k, False, None) for k in range(10)]))
        judge.set(1, flat(tolerance, 5), unit="1")
        rows = batch([(1, 10 * minute, 5.0, 10, False, None)])
        judge.evaluate(rows)
        assert rows.tests.to_pylist() == [expected]


CHANGED = load(
    {
        "tests": {
            "fresh_flat": {"test": "flat_line", "suspect": "2 min", "tolerance": 0.75},
            "fresh_window": {"test": "attenuated_signal", "suspect": 1, "over": "2 min"},
        }
        | {
            name: EVERY_TEST[name] | ({"suspect": [-2, 2]} if name == "gross_range" else {})
            for name in reversed(EVERY_TEST)
            if name not in ("stuck", "needle", "narrow", "mark")
        }
    }
)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 200),
    place=st.integers(0, 200),
    wild=st.sampled_from([0.0, 0.1, 0.3]),
    kept=st.booleans(),
)
def test_a_test_that_a_changed_profile_keeps_goes_on(seed, n, place, wild, kept):
    made = columns(seed, n, wild=wild, streams=(0, 1))
    before, after = cut_rows(n, [place])
    same, changed = QcEngine(), QcEngine()
    for one in (same, changed):
        for datastream in (0, 1):
            one.set(datastream, EVERY, unit="1")
        judged(one, made.take(before), [np.arange(len(before))])
    if kept:  # through a snapshot, to an engine that has the changed profile from the beginning
        state, changed = changed.snapshot(), QcEngine()
        changed.restore(state)
    for datastream in (0, 1):
        changed.set(datastream, CHANGED, unit="1")
    assert changed.pending().tolist() == []
    rest = made.take(after)
    answers = []
    for one, profile in ((same, EVERY), (changed, CHANGED)):
        rows = rest.batch()
        one.evaluate(rows, water=rest.water)
        texts = [text or "1" * len(profile.names) for text in rows.tests.to_pylist()]
        answers.append({name: [text[slot] for text in texts] for slot, name in enumerate(profile.names)})
    kept_names = set(EVERY.names) & set(CHANGED.names) - {"gross_range"}
    assert {name: answers[0][name] for name in kept_names} == {name: answers[1][name] for name in kept_names}


def after_a_change(before, changed, *, unit="1", depth=None, kept):
    """Digits of three rows that follow ten of another profile, and of three that follow nothing."""
    first = Columns(np.ones(10), np.arange(10) * SECOND, np.full(10, 5.0), np.arange(10), depth=depth)
    rest = Columns(np.ones(3), np.arange(10, 13) * SECOND, np.array([41.0, 41, 41]), np.arange(10, 13))
    rest.depth = None if depth is None else np.arange(10.0, 13)
    old, fresh = QcEngine(), QcEngine()
    old.set(1, before, unit="1")
    judged(old, first, [np.arange(10)])
    if kept:
        state, old = old.snapshot(), QcEngine()
        old.restore(state)
    for one in (old, fresh):
        one.set(1, changed, unit=unit)
    return [judged(one, rest, [np.arange(3)]) for one in (old, fresh)]


@pytest.mark.parametrize("kept", [False, True])
def test_values_of_another_unit_are_not_compared(kept):
    tests = {"rate_of_change": {"suspect": 0.1}, "stuck": {"test": "flat_line", "suspect": "2 s", "tolerance": 50}}
    tests |= {"calm": {"test": "attenuated_signal", "suspect": 1, "over": "3 s", "least": 2}}
    profile = load({"tests": tests})
    changed, fresh = after_a_change(profile, profile, unit="degree_Fahrenheit", kept=kept)
    assert changed == fresh


@pytest.mark.parametrize("kept", [False, True])
def test_a_profile_down_a_cast_does_not_go_on_from_times(kept):
    tests = {
        "rate_of_change": {"suspect": 1},
        "flat_line": {"suspect": "2 m", "tolerance": 50},
        "spike": {"suspect": 1},
    }
    along = load({"along": "depth", "tests": tests})
    for before, after in ((load({"tests": tests}), along), (along, load({"tests": tests}))):
        changed, fresh = after_a_change(before, after, depth=np.arange(10.0), kept=kept)
        assert changed == fresh


def test_a_snapshot_waits_for_datastreams_that_are_set_later():
    steady = engine()
    steady.evaluate(batch([(k % 4, k * 1_000_000, float(k % 3), k, False, None) for k in range(40)]))
    late = QcEngine()
    late.restore(steady.snapshot())
    late.set(0, FULL, unit="degree_Celsius", mark_scheme="hj212-2017")
    assert late.newest(0) == steady.newest(0)
    more = [(0, 60_000_000 + k, 1.0, 100 + k, False, None) for k in range(3)]
    first, second = batch(more), batch(more)
    assert steady.evaluate(first).id.tolist() == late.evaluate(second).id.tolist()
    assert first.tests == second.tests


def test_bytes_that_are_no_snapshot_are_refused():
    for state in (b"", b"nonsense", b"PK\x03\x04"):
        with pytest.raises(ValueError, match="not a state"):
            QcEngine().restore(state)


def test_threads_take_turns():
    judge = QcEngine()
    for k in range(4):
        judge.set(k, FULL, unit="degree_Celsius")

    def work(stream):
        for k in range(50):
            judge.evaluate(batch([(stream, k * 1000 + j, 1.0 + j, k * 10 + j, False, None) for j in range(5)]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [judge.newest(k) for k in range(4)] == [49_004] * 4


def test_the_memory_of_a_flat_line_is_capped():
    judge = QcEngine()
    judge.set(1, load({"tests": {"flat_line": {"suspect": "1 day", "tolerance": 2}}}), unit="1")
    empty = len(judge.snapshot())
    n = 4 * MOST_POINTS
    judge.evaluate(batch([(1, k, k / n, k, False, None) for k in range(n)]))
    assert 0 < len(judge.snapshot()) - empty <= 16 * (MOST_POINTS + 1)


def test_warm_compiles_without_a_datastream():
    warm()
