from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.acquisition.instrument import instruments
from nilometer.demo.episodes import Episodes
from nilometer.demo.instruments import ANALYSERS
from nilometer.demo.things import BUOY, DISCHARGE, RIVER, THINGS, feed_of
from nilometer.model import ObservationBatch, SampleKind
from nilometer.model.properties import vocabulary
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
START = int(np.datetime64("2026-11-01", "us").astype(np.int64))
MOMENTS = st.integers(START // MINUTE_US, (START + 400 * DAY_US) // MINUTE_US).map(lambda minute: minute * MINUTE_US)


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.key)
def test_a_thing_measures_what_it_says_in_the_vocabularys_units(thing):
    feed = feed_of(thing)
    assert set(feed.keys) == set(thing.properties) == set(thing.units())
    assert set(feed.at(START)) == set(thing.properties)
    assert {
        key for key, part in feed.history(START, START + DAY_US, HOUR_US).items() if part.sample is not None
    } == set(thing.cyclic)
    assert set(thing.names) == set(thing.descriptions) == {"en", "zh"}


def test_the_three_waters_are_what_the_verdict_and_the_wire_need():
    assert [thing.water_body.value for thing in THINGS] == ["river", "sea", "waste_water"]
    assert RIVER.target_class == "III"
    river = instruments()[RIVER.instrument]
    assert {channel.observed_property for channel in river.channel} >= set(RIVER.properties)
    assert all(vocabulary()[key].hj525 is not None for key in DISCHARGE.properties if key != "flow_rate")


def test_the_analysers_take_as_long_as_the_instrument_file_says():
    cycles = {cycle.name: cycle for cycle in instruments()[RIVER.instrument].cycle}
    assert {analyser.key: analyser.duration_min * 60 for analyser in ANALYSERS} == {
        key: cycles[key].nominal_s for key in RIVER.cyclic
    }


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.key)
@settings(max_examples=40, deadline=None)
@given(moment=MOMENTS)
def test_one_moment_is_the_same_alone_and_in_bulk(thing, moment):
    feed = feed_of(thing)
    now = feed.at(moment)
    past = feed.history(moment - 20 * MINUTE_US, moment + MINUTE_US, MINUTE_US)
    for key, part in past.items():
        if part.sample is not None:
            continue
        assert part.phenomenon_time[-1] == moment
        assert repr(now[key].value) == repr(float(part.values[-1])), key
        assert now[key].mark == part.marks[-1]


@settings(max_examples=40, deadline=None)
@given(moment=MOMENTS)
def test_the_newest_cycle_is_the_last_that_was_finished(moment):
    feed = feed_of(RIVER)
    now = feed.at(moment)
    past = feed.history(moment - 9 * HOUR_US, moment + 1, HOUR_US)
    for key in RIVER.cyclic:
        part = past[key]
        row = int(part.result_time.argmax())
        assert part.result_time[row] <= moment
        assert (now[key].time, int(now[key].sample)) == (part.phenomenon_time[row], part.sample[row])
        assert repr(now[key].value) == repr(float(part.values[row]))


def test_the_past_in_pieces_is_the_past_in_one():
    feed = feed_of(RIVER)
    cut = START + 7 * HOUR_US + 13 * MINUTE_US
    whole = feed.history(START, START + DAY_US, MINUTE_US)
    pieces = [feed.history(START, cut, MINUTE_US), feed.history(cut, START + DAY_US, MINUTE_US)]
    for key, part in whole.items():
        values = np.concatenate([piece[key].values for piece in pieces])
        assert np.array_equal(values, part.values, equal_nan=True), key


def test_analysers_sample_every_four_hours_and_check_once_a_day():
    part = feed_of(RIVER).history(START, START + 30 * DAY_US, HOUR_US)["codmn"]
    water, check = part.sample == SampleKind.WATER, part.sample == SampleKind.CHECK
    assert water.sum() == 180
    assert check.sum() == 30
    assert set(np.diff(part.phenomenon_time[water])) == {4 * HOUR_US}
    assert set(part.duration) == {45 * MINUTE_US}
    assert np.nanmean(part.values[check]) == pytest.approx(5.0, rel=0.05)
    assert np.nanmedian(part.values[water]) < 4.0


@settings(max_examples=60)
@given(moment=MOMENTS)
def test_two_slots_never_pass_without_an_episode(moment):
    episodes = Episodes(7, 30.0, 1.0, 1.0, (1.0, 2.0))
    minutes = moment + np.arange(60) * MINUTE_US
    assert episodes.at(minutes).during.any()


def judged(thing, start, end):
    found = {}
    scheme = "hj212-2017" if thing.protocol == "hj212" else None
    for key, part in feed_of(thing).history(start, end, MINUTE_US).items():
        if key == "current_direction" or part.sample is not None:
            continue
        name = "river/flow_velocity" if key == "flow_velocity" else f"{thing.water_body.value}/{key}"
        engine = QcEngine()
        engine.set(1, load(name), unit=vocabulary()[key].unit, mark_scheme=scheme)
        n = len(part)
        batch = ObservationBatch(
            datastream=np.ones(n, np.int32), id=np.arange(n) + 2**32, phenomenon_time=part.phenomenon_time,
            raw_result=part.values.copy(), result=part.values.copy(), mark=pa.array(list(part.marks), pa.string()),
        )  # fmt: skip
        engine.evaluate(batch)
        found[key] = batch.result_quality
    return found


@pytest.mark.parametrize("thing", [RIVER, BUOY, DISCHARGE], ids=lambda thing: thing.key)
def test_quality_control_sees_faults_within_the_hour_and_leaves_the_rest_alone(thing):
    flags = judged(thing, START, START + 4 * DAY_US)
    bad = np.any([(quality == 3) | (quality == 4) for quality in flags.values()], axis=0)
    hours = bad[: len(bad) // 60 * 60].reshape(-1, 60).any(axis=1)
    assert hours.all()
    for key, quality in flags.items():
        doubted = np.isin(quality, (3, 4)).mean()
        assert doubted < 0.12, key  # a stuck value lasts hours
    assert np.mean([np.isin(quality, (3, 4)).mean() for quality in flags.values()]) < 0.05


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.key)
def test_values_drop_out_now_and_then(thing):
    past = feed_of(thing).history(START, START + 7 * DAY_US, MINUTE_US)
    missing = sum(int(np.isnan(part.values).sum()) for part in past.values() if part.sample is None)
    assert 100 < missing < 600


def test_a_stuck_value_stays_stuck_for_hours():
    past = feed_of(BUOY).history(START, START + 14 * DAY_US, MINUTE_US)
    longest = 0
    for part in past.values():
        same = np.diff(part.values) == 0
        edges = np.flatnonzero(~same)
        longest = max(longest, int(np.diff(edges).max(initial=0)))
    assert longest > 6 * 60


def test_growth_makes_turbidity_read_high_until_it_is_cleaned():
    feed = feed_of(RIVER)
    past = feed.history(START, START + 28 * DAY_US, 10 * MINUTE_US)["turbidity_ntu"]
    true = feed.water(past.phenomenon_time)["turbidity_ntu"]
    cleaned = past.marks == "maintenance"
    assert cleaned.any()
    excess = np.where(np.isnan(past.values) | cleaned, 0.0, past.values - true)
    first = int(np.flatnonzero(cleaned)[0])
    last = first + int(np.flatnonzero(~cleaned[first:])[0])
    assert np.median(excess[first - 72 : first]) > np.median(excess[last : last + 72]) + 1.0


def test_the_outfall_says_normal_of_a_normal_value():
    readings = [feed_of(DISCHARGE).at(START + n * 7 * MINUTE_US) for n in range(200)]
    marks = {reading.mark for moment in readings for reading in moment.values()}
    assert "N" in marks
    assert marks <= {"N", "B", "M"}
    assert all(math.isnan(part.value) == (part.mark == "B") for moment in readings for part in moment.values())
