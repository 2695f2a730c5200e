"""The history over the automatic rows: replayed, undone, restarted, sealed, with rows that come late."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.errors import RequestError, ReviewRefused, StoreFull
from nilometer.model import ObservationBatch, SampleKind
from nilometer.pipeline import reviewing
from nilometer.store import NEW, REVISED, UNCHANGED
from nilometer.store.review_ledger import UNDO
from tests.pipeline.reviews import Replay, Reviewed, same, short
from tests.store.waters import SECOND, START, settlement

SLOT = st.integers(0, 23).map(lambda n: n * 600)  # over the end of a month
SPAN = st.tuples(SLOT, SLOT).filter(lambda pair: pair[0] != pair[1]).map(sorted).map(tuple)
WHERE = st.sampled_from([{}, {}, {"where": {"flag": ["fail"]}}, {"where": {"above": 5}}])
STEP = st.one_of(
    st.tuples(st.just("flag"), SPAN, st.sampled_from(["pass", "suspect", "fail"]).map(lambda f: {"flag": f}), WHERE),
    st.tuples(st.just("flag"), SPAN, st.just({"flag": "suspect", "worse": True}), st.just({})),
    st.tuples(st.just("offset"), SPAN, st.sampled_from([0.25, -1.5]).map(lambda f: {"offset": f}), WHERE),
    st.tuples(st.just("drift"), SPAN, st.just({"gap": 0.75}), WHERE),
    st.tuples(st.just("delete"), SPAN, st.just({}), WHERE),
    st.tuples(
        st.just("interpolate"), SPAN, st.sampled_from([1300, 5000]).map(lambda g: {"greatest_gap": g}), st.just({})
    ),
    st.tuples(st.just("retime"), SPAN, st.sampled_from([-90, 90, 700]).map(lambda s: {"shift": s}), st.just({})),
)
ROW = st.tuples(SLOT, st.sampled_from([1.0, 4.0, 9.0, None]))
EVENT = st.one_of(
    st.tuples(st.just("send"), st.lists(ROW, min_size=1, max_size=10, unique_by=lambda row: row[0])),
    st.tuples(st.just("step"), STEP),
    st.tuples(st.just("step"), STEP),
    st.tuples(st.just("undo"), st.integers(0, 20)),
    st.tuples(st.just("settle"), st.integers(0, 50)),
    st.tuples(st.just("seal"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)
FIRST = [(600 * n, float(n % 4), 1) for n in range(0, 24, 2)]


class Run:
    """One run of events over a store and over the oracle."""

    def __init__(self, folder):
        self.bench, self.replay, self.past = Reviewed(folder), Replay(), []
        self.send(FIRST)

    def send(self, batch):
        values = [np.nan if row[1] is None else row[1] for row in batch]
        admission = self.bench.send(self.bench.ids[0], [row[0] for row in batch], values)
        for one, row, status in zip(admission.id.tolist(), batch, admission.status.tolist(), strict=True):
            # One time of an instrument is one row, wherever a review has moved it.
            assert self.replay.sent.setdefault(row[0], one) == one
            if status != UNCHANGED:
                self.replay.automatic[one] = [float(row[0]), row[1], 9 if row[1] is None else 1]

    def step(self, what):
        action, (start, end), told, where = what
        try:
            done = self.bench.order(action, start, end, {**told, **where})
        except (ReviewRefused, RequestError):
            return  # no row in the span, or rows that would collide: nothing has changed, which `check` sees
        self.replay.steps[done.steps[0].id] = (action, start, end, {**told, **where})

    def undo(self, what):
        if self.replay.steps:
            number = sorted(self.replay.steps)[what % len(self.replay.steps)]
            self.bench.orders.undo(number, by="Wang")
            del self.replay.steps[number]

    def settle(self, what):
        one = sorted(self.replay.automatic)[what % len(self.replay.automatic)]
        row = self.replay.automatic[one]
        row[2] = 9 if row[1] is None else 3
        self.bench.settle(settlement(np.array([one]), quality=row[2]))
        # Where no review has a say settling is no revision: it shows in the past as well.
        self.past = [(moment, {k: row for k, row in then.items() if k != one}) for moment, then in self.past]

    def seal(self, _):
        self.bench.store.save_state("qc", self.bench.store.sequence(), b"")
        self.bench.store.seal()

    def reopen(self, _):
        self.bench.reopen()

    def check(self):
        served = self.bench.served()
        same(self.replay.rows(), served)
        for moment, then in self.past:
            found = self.bench.served(as_of=moment)
            assert {one: found.get(one) for one in then} == then
        self.past.append((self.bench.clock.now, served))

    def check_history(self):
        reviews = self.bench.store.catalog.reviews
        assert all(step.is_applied for step in reviews.steps())
        assert [step.id for step in reviews.active()] == sorted(self.replay.steps)
        assert {step.undoes for step in reviews.steps() if step.action == UNDO}.isdisjoint(self.replay.steps)
        # The newest version that no review made is what was sent, and no raw result ever changed.
        automatic = {one: row[1] for one, row in self.replay.automatic.items()}
        assert automatic_results(self.bench) == automatic
        rows = ObservationBatch.from_arrow(self.bench.store.snapshot().read([self.bench.ids[0]], water_only=False))
        raw = [None if np.isnan(value) else value for value in rows.raw_result.tolist()]
        assert dict(zip(rows.id.tolist(), raw, strict=True)) == automatic


def automatic_results(bench):
    table = bench.store.snapshot().versions([bench.ids[0]])
    reviewed = bench.store.catalog.reviewed(table["provenance"].to_numpy())
    table = table.filter(pa.array(~reviewed))
    return dict(zip(table["id"].to_pylist(), table["result"].to_pylist(), strict=True))


@given(st.lists(EVENT, min_size=3, max_size=14))
@settings(max_examples=18, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_served_is_the_history_over_the_automatic_rows(events):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "data")
        for kind, what in events:
            getattr(run, kind)(what)
            run.check()
        run.check_history()
        run.bench.close()


@pytest.fixture
def bench(tmp_path):
    bench = Reviewed(tmp_path / "data")
    yield bench
    bench.close()


def results(bench, **options):
    return [row[1] for row in bench.served(**options).values()]


def flags(bench, **options):
    return [row[2] for row in bench.served(**options).values()]


def test_every_step_is_seen_as_of_before_and_after(bench):
    bench.send(bench.ids[0], [0, 60, 120], [1, 2, 3])
    before = bench.clock.now
    bench.order("offset", 60, 180, {"offset": 0.5})
    between = bench.clock.now
    bench.order("delete", 120, 180)
    assert results(bench, as_of=before) == [1, 2, 3]
    assert results(bench, as_of=between) == [1, 2.5, 3.5]
    assert results(bench) == [1, 2.5, None]
    assert flags(bench) == [1, 1, 9]
    raw = ObservationBatch.from_arrow(bench.store.snapshot().read([bench.ids[0]])).raw_result
    assert raw.tolist() == [1, 2, 3]


def test_undoing_an_early_step_applies_the_later_ones_to_what_remains(bench):
    bench.send(bench.ids[0], [0, 60, 120], [10, 20, 30])
    first = bench.order("offset", 0, 120, {"offset": 1}).steps[0].id
    bench.order("drift", 0, 120, {"gap_percent": 10})
    assert results(bench) == [11, 22.05, 30]
    bench.orders.undo(first, by="Wang")
    assert results(bench) == [10, 21, 30]


def test_after_all_is_undone_the_rows_are_the_automatic_ones_again(bench):
    bench.send(bench.ids[0], [0, 60, 120, 180], [1, 2, 3, 4])
    before = bench.store.snapshot().read().drop_columns(["commit"])
    numbers = [
        bench.order("offset", 0, 180, {"offset": 1, "uncertainty": 0.1}).steps[0].id,
        bench.order("retime", 180, 240, {"shift": 30}).steps[0].id,
        bench.order("delete", 60, 120).steps[0].id,
        bench.order("interpolate", 0, 180, {"greatest_gap": "10 min"}).steps[0].id,
    ]
    assert bench.store.snapshot().read().drop_columns(["commit"]) != before
    for number in (numbers[1], numbers[3], numbers[0], numbers[2]):
        bench.orders.undo(number, by="Wang")
    assert bench.store.snapshot().read().drop_columns(["commit"]) == before


def test_a_row_that_arrives_within_a_reviewed_span_is_served_as_the_review_has_it(bench):
    bench.send(bench.ids[0], [0, 120], [1, 3])
    bench.order("offset", 0, 180, {"offset": 10})
    before = bench.store.sequence()
    admission = bench.send(bench.ids[0], [60, 600], [2, 7])
    assert bench.store.sequence() == before + 1, "the row as it came and as it is served are one commit"
    assert results(bench) == [11, 12, 13, 7]
    versions = bench.store.snapshot().versions([bench.ids[0]], ids=admission.id[:1])
    assert versions["result"].to_pylist() == [2, 12]
    assert versions["commit"].to_pylist() == [before + 1, before + 1]
    assert bench.send(bench.ids[0], [60], [2]).status.tolist() == [UNCHANGED]
    assert bench.send(bench.ids[0], [60], [5]).status.tolist() == [REVISED]
    assert results(bench) == [11, 15, 13, 7]


def test_a_late_neighbour_changes_what_was_interpolated(bench):
    bench.send(bench.ids[0], [0, 60, 120, 240], [0, np.nan, np.nan, 8])
    bench.order("interpolate", 0, 300, {"greatest_gap": "10 min"})
    assert results(bench) == [0, 2, 4, 8]
    assert flags(bench) == [1, 3, 3, 1]
    bench.send(bench.ids[0], [180], [9])
    assert results(bench) == [0, 3, 6, 9, 8]


def test_an_interpolated_value_has_no_raw_result_and_a_repetition_is_still_recognised(bench):
    bench.send(bench.ids[0], [0, 60, 120], [1, np.nan, 3], extra=pa.array(['{"a": 1}', '{"a":1}', None]))
    bench.order("interpolate", 0, 180, {"greatest_gap": 600})
    for _ in range(2):
        rows = ObservationBatch.from_arrow(bench.store.snapshot().read([bench.ids[0]]))
        assert rows.result.tolist() == [1, 2, 3]
        np.testing.assert_array_equal(rows.raw_result, [1, np.nan, 3])
        assert rows.extra.to_pylist() == ['{"a": 1}', '{"a":1}', None]
        again = bench.send(bench.ids[0], [60], [np.nan], extra=pa.array(['{"a":1}']))
        assert again.status.tolist() == [UNCHANGED]
        bench.store.save_state("qc", bench.store.sequence(), b"")
        bench.store.seal()
        bench.reopen()


def test_a_row_that_was_moved_in_time_is_recognised_where_it_was_sent(bench):
    bench.send(bench.ids[0], [0, 3600, 3660], [1, 2, 3])
    bench.order("retime", 3600, 3720, {"shift": "-30 min"})
    assert [row[0] for row in bench.served().values()] == [0, 1800, 1860]
    assert bench.store.snapshot().latest([bench.ids[0]])["result"].to_pylist() == [3]
    assert bench.send(bench.ids[0], [3600, 3660], [2, 3]).status.tolist() == [UNCHANGED, UNCHANGED]
    assert bench.send(bench.ids[0], [3660], [4]).status.tolist() == [REVISED]
    assert [row[:2] for row in bench.served().values()] == [(0, 1), (1800, 2), (1860, 4)]
    # What is measured at a time to which a row was moved is another row.
    assert bench.send(bench.ids[0], [1800], [9]).status.tolist() == [NEW]
    for _ in range(2):
        assert bench.store.snapshot().latest([bench.ids[0]])["result"].to_pylist() == [4]
        bench.store.save_state("qc", bench.store.sequence(), b"")
        bench.store.seal()
        bench.reopen()


def test_a_clock_that_ran_slow_is_put_right_along_a_line(bench):
    bench.send(bench.ids[0], [0, 1000, 2000], [1, 2, 3])
    bench.order("retime", 0, 2000, {"shift": 0, "shift_end": 100})
    assert [row[0] for row in bench.served().values()] == [0, 1050, 2000]


@pytest.mark.parametrize(
    ("start", "end", "told", "words"),
    [
        (60, 120, {"shift": 60}, "after the span, at 2025-12-31T20:02:00.000Z"),
        (60, 120, {"shift": -60}, "before the span, at 2025-12-31T20:00:00.000Z"),
        (60, 120, {"shift": "1 h"}, "jump over it"),
    ],
)
def test_rows_are_not_moved_onto_others_or_past_them(bench, start, end, told, words):
    bench.send(bench.ids[0], [0, 60, 120], [1, 2, 3])
    before = bench.store.sequence()
    with pytest.raises(ReviewRefused, match=words):
        bench.order("retime", start, end, told)
    assert bench.store.sequence() == before
    assert bench.store.catalog.reviews.steps() == []


def test_settling_a_reviewed_row_keeps_what_the_review_said_and_the_settled_flag_behind_it(bench):
    admission = bench.send(bench.ids[0], [0, 60], [1, 2])
    bench.order("flag", 0, 120, {"flag": "fail"})
    bench.settle(settlement(admission.id[1:], quality=3, tests="13"))
    assert flags(bench) == [4, 4]
    table = bench.store.snapshot().versions([bench.ids[0]], ids=admission.id[1:])
    reviewed = bench.store.catalog.reviewed(table["provenance"].to_numpy())
    assert table.filter(pa.array(~reviewed))["result_quality"].to_pylist()[-1] == 3
    assert bench.store.snapshot().by_id(admission.id[1:])["tests"].to_pylist() == ["13"]
    bench.orders.undo(1, by="Wang")
    assert flags(bench) == [1, 3]


def test_a_settlement_in_the_same_commit_as_its_row_comes_before_the_review(bench):
    bench.send(bench.ids[0], [0], [1])
    bench.order("flag", 0, 900, {"flag": "suspect", "worse": True})
    one = (bench.ids[0] << 32) + 2
    bench.send(bench.ids[0], [60], [2], settled=settlement(np.array([one]), quality=4, tests="4"))
    assert flags(bench) == [3, 4]


def test_samples_are_not_the_water_and_stay_as_they_are(bench):
    feature = bench.store.catalog.sample_feature(bench.ids[0], SampleKind.CHECK)
    bench.send(bench.ids[0], [0, 60], [4, 5], feature=np.array([feature, 0], np.int32))
    bench.order("offset", 0, 120, {"offset": 1})
    assert results(bench) == [4, 6]
    one = next(iter(bench.served()))
    bench.order("flag", 0, 120, {"flag": "fail", "observations": [one]})
    assert flags(bench) == [4, 1]


def test_values_that_are_limits_are_not_corrected(bench):
    bench.send(bench.ids[0], [0, 60], [0.05, 1], censored=np.array([-1, 0], np.int8))
    bench.order("offset", 0, 120, {"offset": 1})
    assert results(bench) == [0.05, 2]


def test_the_row_says_which_steps_made_it(bench):
    bench.send(bench.ids[0], [0, 60], [1, 2])
    bench.order("offset", 0, 120, {"offset": 1})
    bench.order("flag", 60, 120, {"flag": "suspect"}, by="Wang", reason="spike", comment="fish")
    catalog = bench.store.catalog
    ways = [catalog.provenance_row(way) for way in bench.store.snapshot().read()["provenance"].to_pylist()]
    assert [(way.review, way.steps) for way in ways] == [(1, "1"), (2, "1,2")]
    assert [(way.source, way.code_version) for way in ways] == [("test", "0"), ("test", "0")]
    step = catalog.reviews.step(2)
    assert (step.actor, step.reason, step.comment) == ("Wang", "spike", "fish")


def test_a_step_larger_than_a_commit_takes_several(bench, monkeypatch):
    monkeypatch.setattr(reviewing, "MOST_ROWS_A_COMMIT", 400)
    monkeypatch.setattr(reviewing, "PIECE_ROWS", 150)
    bench.send(bench.ids[0], np.arange(1000), np.arange(1000))
    before = bench.store.sequence()
    done = bench.order("drift", 0, 1000, {"gap": 1})
    assert done.rows == 1000
    assert [count for _, count in bench.told] == [400, 400, 200]
    assert done.sequence == before + 3
    expected = [short(n + n / 1000) for n in range(1000)]
    np.testing.assert_allclose(results(bench), expected, rtol=1e-11)


@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_crash_amid_a_step_is_finished_by_the_next_start(bench, monkeypatch, commits):
    monkeypatch.setattr(reviewing, "MOST_ROWS_A_COMMIT", 40)
    bench.send(bench.ids[0], np.arange(100), np.arange(100))
    real, left = bench.store.commit, [commits]

    def commit(rows, settled, *own, **more):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(rows, settled, *own, **more)

    monkeypatch.setattr(bench.store, "commit", commit)
    monkeypatch.setattr(bench.store.catalog.reviews, "cancel", lambda *_: None)  # a crash cancels nothing
    with pytest.raises(KeyboardInterrupt):
        bench.order("offset", 0, 100, {"offset": 1000})
    assert len(bench.store.catalog.reviews.pending()) == 1
    bench.reopen()
    assert bench.store.catalog.reviews.pending() == []
    assert results(bench) == [1000.0 + n for n in range(100)]


def test_a_refused_commit_takes_the_step_back(bench, monkeypatch):
    bench.send(bench.ids[0], [0, 60], [1, 2])

    def refuse(*_, **__):
        raise StoreFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "commit", refuse)
        with pytest.raises(StoreFull):
            bench.order("offset", 0, 100, {"offset": 1})
    assert bench.store.catalog.reviews.steps() == []
    bench.send(bench.ids[0], [30], [5])
    assert results(bench) == [1, 5, 2]
    bench.order("offset", 0, 100, {"offset": 1})
    assert results(bench) == [2, 6, 3]


def test_a_deleted_range_stays_deleted(bench):
    bench.send(bench.ids[0], [0, 60, 120], [1, 2, 3])
    number = bench.order("offset", 0, 180, {"offset": 1}).steps[0].id
    bench.store.delete([bench.ids[0]], START + 60 * SECOND, START + 120 * SECOND)
    bench.orders.undo(number, by="Wang")
    assert results(bench) == [1, 3]


def test_one_step_may_speak_of_several_datastreams(bench):
    bench.send([bench.ids[0], bench.ids[1]], [0, 0], [1, 2])
    before = bench.store.sequence()
    done = bench.order("offset", 0, 60, {"offset": 1}, datastreams=["weir/ph0", bench.ids[1]])
    assert (done.rows, done.sequence) == (2, before + 1)
    assert [results(bench), next(iter(bench.served(bench.ids[1]).values()))[1]] == [[2], 3]


def test_what_was_corrected_is_told_from_what_was_only_flagged(bench):
    bench.send(bench.ids[0], [0, 60, 120, 180], [1, 2, 3, 4])
    bench.order("offset", 0, 120, {"offset": 1})
    bench.order("flag", 60, 180, {"flag": "suspect"})
    provenance = bench.store.snapshot().read()["provenance"].to_numpy()
    assert bench.store.catalog.corrected(provenance).tolist() == [True, True, False, False]
    assert bench.store.catalog.reviewed(provenance).tolist() == [True, True, True, False]
