"""Rows that simply go on are judged without looking each up: what they get must be what every row gets."""

from __future__ import annotations

from copy import copy
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc.streams import EVERY, FULL, LATER, SECOND, SIMPLE, START, STRICT, Columns, columns, judged

from nilometer.model.batch import NO_TIME
from nilometer.qc import engine as engine_module
from nilometer.qc import layout
from nilometer.qc.engine import QcEngine
from nilometer.qc.layout import BLOCK, RUN
from nilometer.qc.profile import load
from nilometer.qc.runs import plain_rows

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


@settings(max_examples=15, deadline=None)
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


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 3 * RUN),
    levels=st.sampled_from([1, 2, 3, 10]),
    holes=st.sampled_from([0.0, 0.001, 0.02, 0.3, 0.95]),
    suspect=st.sampled_from([2, 3, 4, 63, 64, 65, 300]),
    jitter=st.sampled_from([0, 1, 20]),
    cuts=st.lists(st.integers(1, 3 * RUN), max_size=3),
)
def test_a_series_alone_and_among_others_says_the_same(seed, n, levels, holes, suspect, jitter, cuts):
    rng = np.random.default_rng(seed)
    value = np.round(rng.choice(levels, n) + np.cumsum(rng.random(n) < 0.01) + rng.normal(0, 0.01, n), 2)
    value[rng.random(n) < holes] = rng.choice([np.nan, np.inf, -np.inf])
    time = START + (np.arange(n) * 60 + rng.integers(0, jitter + 1, n)) * SECOND
    time[n // 2 :] += rng.choice([0, 1, 600, 90_000]) * SECOND
    flat = {"suspect": f"{suspect} min", "fail": f"{2 * suspect} min", "tolerance": 0.5}
    tests = {"gap": {"suspect": "1 h"}, "spike": {"suspect": 1}, "flat_line": flat, "rate_of_change": {"suspect": 0.02}}
    tests["short"] = {"test": "flat_line", "suspect": "90 s", "tolerance": 0.015}
    tests["lone"] = {"test": "spike", "suspect": 1, "method": "differential"}
    profile = load({"tests": tests, "required": ["gap"]})
    alone, among = QcEngine(), QcEngine()
    for made in (alone, among):
        made.set(0, profile, unit="1")
    among.set(1, profile, unit="1")
    own = Columns(np.zeros(n), time, value, np.arange(n))
    mixed = own.take(np.repeat(np.arange(n), 2))
    mixed.datastream = np.tile([0, 1], n)
    mixed.id = np.arange(2 * n)
    expected = judged(among, mixed, [np.arange(2 * n)])
    assert judged(alone, own, parts_at(n, cuts)) == expected[0::2] == expected[1::2]


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


SERIES = load(
    {"tests": {"gap": {"suspect": "1 h"}, "spike": {"suspect": 1}, "flat_line": {"suspect": 9, "tolerance": 1}}}
)
STEADY = load({"tests": {"gap": {"suspect": "1 h"}, "gross_range": {"fail": [-90, 90]}}})
DOWN = load({"along": "depth", "tests": {"gross_range": {"fail": [-90, 90]}}})


class Walked:
    """The first rows of a batch have been walked; how many of the others simply go on?"""

    def __init__(
        self, monkeypatch, profile=SERIES, *, first=40, n=700, step=60 * SECOND, datastream=0, scheme=None, holes=()
    ):
        self.first, self.n = first, n
        judge = QcEngine()
        judge.set(0, profile, unit="1", mark_scheme=scheme)
        judge.set(1, profile, unit="1", mark_scheme=scheme)
        time = START // SECOND * SECOND + np.arange(n, dtype=np.int64) * step
        value = np.arange(n) % 7.0
        value[list(holes)] = np.nan
        self.all = Columns(np.full(n, datastream), time, value, np.arange(n), depth=time / 1e6)
        seen = []

        def walk(*arguments):
            seen.append(arguments)
            return real(*arguments)

        # What the engine hands to the kernel is looked at, and handed on.
        real = engine_module.walk
        monkeypatch.setattr(engine_module, "walk", walk)
        judge.evaluate(self.all.take(np.arange(first)).batch())
        judge.evaluate(Columns(np.ones(0), *[np.zeros(0, np.int64)] * 3).batch())
        _, epoch, _, rows, tables, memory, *_ = seen[0]
        self.epoch, self.tables, self.memory = epoch, tables, memory
        self.base = int(tables.streams[tables.lookup[0], layout.PLACE]) * layout.LINE
        self.rows = rows._replace(
            datastream=self.all.datastream.astype(np.int32), time=time, result=self.all.value, id=self.all.id
        )

    def plain(self, **given):
        return self.found(**given)[0]

    def found(self, *, first=None, received=NO_TIME, epoch=None, **columns):
        rows = self.rows._replace(**columns)
        first = self.first if first is None else first
        return plain_rows(first, self.epoch if epoch is None else epoch, received, rows, self.tables, self.memory)

    def changed(self, name, place, value):
        """A column with one place changed."""
        column = getattr(self.rows, name).copy()
        column[place] = value
        return {name: column}

    def within(self, column, value):
        """The same, were this number of all programs another."""
        programs = self.tables.programs.copy()
        programs[:, column] = value
        other = copy(self)
        other.tables = self.tables._replace(programs=programs)
        return other


@pytest.mark.parametrize("profile", [SERIES, STEADY])
@pytest.mark.parametrize("first", [2, 3, 40])
def test_rows_that_go_on_are_plain_from_the_third_on(monkeypatch, profile, first):
    walked = Walked(monkeypatch, profile, first=first)
    assert walked.plain() == 700 - first
    assert walked.plain(datastream=np.zeros(1, np.int32)) == 700 - first
    assert walked.plain(id=np.empty(0, np.int64)) == 700 - first
    assert Walked(monkeypatch, profile, first=40, n=41).plain() == 1
    assert Walked(monkeypatch, profile, first=1).plain() == 0
    assert Walked(monkeypatch, profile, first=40, n=40 + RUN + 9).plain() == RUN


def test_a_column_that_may_say_something_leaves_no_row_plain(monkeypatch):
    walked = Walked(monkeypatch)
    for name, dtype in (("mark", np.int32), ("supersedes", np.bool_), ("water", np.bool_)):
        assert walked.plain(**{name: np.zeros(700, dtype)}) == 0


def test_rows_of_no_datastream_or_of_a_cast_are_not_plain(monkeypatch):
    walked = Walked(monkeypatch)
    for stranger in (-1, 2, len(walked.tables.lookup) - 1, len(walked.tables.lookup), 1 << 20):
        assert walked.plain(datastream=np.full(700, stranger, np.int32)) == 0
        assert walked.plain(datastream=np.full(1, stranger, np.int32)) == 0
    assert Walked(monkeypatch, DOWN).plain() == 0


def test_where_no_mark_means_no_value_or_no_water_no_row_is_plain(monkeypatch):
    walked = Walked(monkeypatch)
    for said, expected in ((1, 660), (3, 660), (4, 660), (9, 0), (layout.NOT_WATER | 1, 0), (layout.NOT_WATER | 9, 0)):
        assert walked.plain(mark_flags=np.full((1, 1), said, np.uint8)) == expected


@pytest.mark.parametrize("word", [layout.NEWEST, layout.LAST, layout.LAST2, layout.X1, layout.X2])
def test_a_state_that_is_not_of_the_two_rows_before_leaves_no_row_plain(monkeypatch, word):
    walked, steady = Walked(monkeypatch), Walked(monkeypatch, STEADY)
    for add in (1, -1):
        for some in (walked, steady):
            some.memory.words[some.base + word] += add
            # Without a spike nothing is asked of the value before the last; it is taken from the state.
            older = some is steady and word in (layout.LAST2, layout.X2)
            assert some.found() == ((660, False) if older else (0, True))
            some.memory.words[some.base + word] -= add
    assert walked.found() == steady.found() == (660, True)


def test_a_row_before_without_its_value_or_its_open_verdict_leaves_no_row_plain(monkeypatch):
    walked, steady = Walked(monkeypatch), Walked(monkeypatch, STEADY)
    for bit in (layout.KNOWN, layout.NEXT, layout.OPEN, layout.FLANKED):
        for some in (walked, steady):
            kept = int(some.memory.words[some.base + layout.BITS])
            some.memory.words[some.base + layout.BITS] = kept & ~bit
            asked = some is walked or bit in (layout.KNOWN, layout.NEXT)
            assert some.plain() == (0 if asked else 660)
            some.memory.words[some.base + layout.BITS] = kept
    assert walked.plain(epoch=walked.epoch + 1) == 0
    assert steady.plain(epoch=steady.epoch + 1) == 660
    for other in (38, 40):
        walked.memory.words[walked.base + layout.WHERE] = (walked.epoch << 32) | other
        assert walked.plain() == 0


def test_rows_go_on_behind_a_value_that_is_missing(monkeypatch):
    walked = Walked(monkeypatch, holes=[39])
    assert walked.found() == (660, False)
    assert walked.found(**walked.changed("result", 39, 1.0)) == (0, True)  # the state knows of none
    walked.memory.words[walked.base + layout.NEWEST] += 1
    assert walked.found() == (0, True)
    walked = Walked(monkeypatch, holes=[38])
    assert walked.found() == (660, False)
    assert walked.found(**walked.changed("result", 38, 1.0)) == (0, True)  # its verdict would be open
    assert Walked(monkeypatch, holes=[37]).found() == (660, True)
    assert Walked(monkeypatch, holes=range(40)).found() == (0, True)  # no last value is known


@pytest.mark.parametrize("profile", [SERIES, STEADY])
@pytest.mark.parametrize("place", [0, 1, 7, 20, 255, 256, 257, 600, 659])
def test_a_run_ends_before_the_first_row_that_does_not_go_on(monkeypatch, profile, place):
    walked = Walked(monkeypatch, profile)
    at = 40 + place
    before = int(walked.rows.time[at - 1])
    assert walked.found() == (660, True)
    for value in (np.nan, np.inf, -np.inf):
        assert walked.found(**walked.changed("result", at, value)) == (660, False)
    near = 0 if place == 15 else place
    assert walked.plain(**walked.changed("datastream", at, 1)) == near
    assert walked.plain(**walked.changed("time", at, before)) == place
    assert walked.plain(**walked.changed("time", at, before - 1)) == place
    assert walked.plain(**walked.changed("time", at, before + 1)) == 660
    later = walked.rows.time.copy()
    later[at:] += 3600 * SECOND - 60 * SECOND
    assert walked.plain(time=later) == 660
    later[at:] += 1
    assert walked.plain(time=later) == place


def test_the_datastreams_of_the_rows_before_and_a_little_ahead_are_looked_at_first(monkeypatch):
    walked = Walked(monkeypatch, STEADY)
    for place in (38, 39, 40, 55):
        assert walked.plain(**walked.changed("datastream", place, 1)) == 0
    assert walked.plain(**walked.changed("datastream", 37, 1)) == 660
    assert walked.plain(**walked.changed("datastream", 54, 1)) == 14
    assert walked.plain(**walked.changed("datastream", 56, 1)) == 16


@pytest.mark.parametrize("place", [0, 20, 255, 256, 600])
def test_a_run_keeps_to_the_dates_that_can_be(monkeypatch, place):
    walked = Walked(monkeypatch, STEADY)
    time = int(walked.rows.time[40 + place])
    assert walked.within(layout.LATEST, time).plain() == place + 1
    assert walked.within(layout.LATEST, time - 1).plain() == place
    patient = walked.within(layout.FUTURE, 600 * SECOND)
    assert patient.plain() == 660
    assert patient.plain(received=time - 600 * SECOND) == place + 1
    assert patient.plain(received=time - 600 * SECOND - 1) == place
    assert walked.plain(received=START) == 660
    first = int(walked.rows.time[40])
    for earliest, expected in ((first, 660), (first - 1, 660), (first + 1, 0)):
        assert walked.within(layout.EARLIEST, earliest).plain() == expected
