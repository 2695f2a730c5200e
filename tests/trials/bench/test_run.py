"""Runs over simulated instruments whose lag, noise, gain and drift are known: the figures have to give them back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from nilometer.errors import ConfigError, UnitError
from nilometer.trials.bench.limits import Finding
from nilometer.trials.bench.procedure import procedure_of, procedures, read_procedure
from nilometer.trials.bench.results import results
from nilometer.trials.bench.run import BenchRun, Phase, over_recording
from nilometer.trials.bench.segment import Outcome

S = 1_000_000
START = 1_700_000_000 * S
HOLD_S = 300


class Instrument:
    """First-order lag behind a dead time, gain and offset, noise, and a drift by the day."""

    def __init__(self, *, lag_s=8.0, dead_s=2.0, gain=1.02, offset=0.05, noise=0.01, drift_a_day=0.0, seed=1):
        self.lag_s, self.dead_s, self.gain, self.offset = lag_s, dead_s, gain, offset
        self.noise, self.drift, self.rng = noise, drift_a_day, np.random.default_rng(seed)

    def record(self, levels, hold_s=HOLD_S, step_s=1.0):
        """Return times and values of standards given one after the other."""
        fine = 0.05
        true = np.repeat(levels, round(hold_s / fine))
        late = np.concatenate([np.full(round(self.dead_s / fine), true[0]), true])[: len(true)]
        out, state = np.empty(len(late)), late[0]
        keep = math.exp(-fine / self.lag_s)
        for i, level in enumerate(late):
            state = level + (state - level) * keep
            out[i] = state
        every = round(step_s / fine)
        seen = out[::every] * self.gain + self.offset
        at = np.arange(len(seen)) * step_s
        seen = seen + self.drift * at / 86400 + self.rng.normal(0, self.noise, len(seen))
        return START + np.round(at * S).astype(np.int64), seen


def declared(order, hold_s=HOLD_S):
    return [(key, START + k * hold_s * S, START + (k + 1) * hold_s * S) for k, key in enumerate(order)]


@pytest.fixture(scope="module")
def characterised():
    """ISO 15839 over a file, range 0 to 10 mg/L."""
    procedure = procedure_of("iso15839")
    order = [key for key in procedure.order if key != "drift"]
    levels = [procedure.steps[key].nominal(0.0, 10.0) for key in order]
    times, values = Instrument().record(levels)
    run = BenchRun(procedure, facts={"working_hours": 990.0, "total_hours": 1000.0})
    over_recording(run, times, values, declared(order))
    return run, {result.test.key: result for result in results(run)}


def test_figures_of_a_simulated_sensor_are_those_it_was_made_with(characterised):
    run, found = characterised
    assert run.phase is Phase.FINISHED
    figures = {f"{key}.{one.name}": one for key, result in found.items() for one in result.figures}
    t90 = figures["response.response_time"]
    truth = 2.0 + 8.0 * math.log(10.0)  # dead time and first order
    assert t90.interval[0] <= truth <= t90.interval[1]
    assert t90.value == pytest.approx(truth, abs=0.8)
    assert t90.n == 5
    assert figures["response.delay_time"].value == pytest.approx(2.0 + 8.0 * math.log(1 / 0.9), abs=0.6)
    assert figures["response.rise_time"].value == pytest.approx(8.0 * math.log(9.0), abs=1.0)
    slope = figures["linearity.slope"]
    assert slope.interval[0] <= 1.02 <= slope.interval[1]
    assert slope.value == pytest.approx(1.02, abs=0.002)
    assert figures["linearity.intercept"].value == pytest.approx(0.05, abs=0.01)
    # A reading is the mean of ten seconds: its spread is the noise over √10.
    s = 0.01 / math.sqrt(10.0)
    for key, factor in (("repeatability_20.repeatability", 1), ("ldc_80.ldc", 3), ("lod.lod", 3), ("loq.loq", 10)):
        low, high = figures[key].interval
        assert low <= factor * s <= high, key
    assert figures["bias.bias_level80"].value == pytest.approx(0.02 * 8.0 + 0.05, abs=0.01)
    assert figures["up_time.up_time"].value == 99.0
    assert {result.finding for result in found.values()} <= {Finding.NO_LIMIT, Finding.NOT_MADE, Finding.NOT_DECIDED}
    assert found["short_term_drift"].finding is Finding.NOT_MADE
    assert found["day_to_day"].finding is Finding.NOT_DECIDED  # one day was made
    assert "not among the declared steps" in found["short_term_drift"].figures[0].note
    assert "5 or more" in found["day_to_day"].figures[0].note


def test_readings_begin_once_the_signal_is_steady_and_not_before(characterised):
    run, _ = characterised
    low = run.counted("high")[0]
    assert low.outcome is Outcome.COMPLETE
    waited = (low.steady_us - low.began_us) / S
    assert 80 < waited < 130  # some lags, and then a minute in which 0.5 % of the range is all that is left
    assert np.std(low.readings) < 0.01


def test_live_saved_and_over_a_file_are_one(characterised):
    """Row by row, with the operator's word at the same moments and a save in the middle of a reading."""
    over_file, found = characterised
    procedure = over_file.procedure
    order = [key for key in procedure.order if key != "drift"]
    levels = [procedure.steps[key].nominal(0.0, 10.0) for key in order]
    times, values = Instrument().record(levels)
    run = BenchRun(procedure, facts=dict(over_file.facts))
    for k, (step, start, end) in enumerate(declared(order)):
        assert run.prompt("zh").phase is Phase.OPERATOR
        assert run.prompt("en").step == step
        run.confirm(start)
        for row in np.flatnonzero((times >= start) & (times < end)):
            run.feed(times[row], values[row])
            if k == 1 and row % 50 == 0:
                run = BenchRun.from_dict(json.loads(json.dumps(run.to_dict())), procedure)
    run.skip("no time")
    assert run.phase is Phase.FINISHED
    ours = {one.test.key: [f.to_dict() for f in one.figures] for one in results(run)}
    theirs = {key: [f.to_dict() for f in one.figures] for key, one in found.items()}
    del ours["short_term_drift"], theirs["short_term_drift"]  # their reasons differ
    assert json.dumps(ours) == json.dumps(theirs)
    assert "8 mg L-1" in BenchRun(procedure, place=1).prompt("en").do
    assert "80" in BenchRun(procedure, place=1).prompt("zh").do


def test_an_analyser_is_held_against_limits_that_say_they_are_unverified():
    """Hourly cycles: drift of a known slope, a memory of 5 % of the step, gain 1.06."""
    procedure = procedure_of("hj101-2019")
    times, values, steps, at = [], [], [], START
    before = 0.0
    rng = np.random.default_rng(5)
    hour = 3600 * S
    for key in procedure.order:
        step = procedure.steps[key]
        if key.startswith("sample"):
            continue
        level = step.nominal(0.0, 10.0)
        steps.append((key, at, at + step.readings * hour))
        for k in range(step.readings):
            true = level * (0.95 if key == "voltage_low" else 1.0) + (0.05 * (before - level) if k == 0 else 0.0)
            drift = 0.01 * k if key.endswith("24h") else 0.0
            times.append(at + k * hour + 60 * S)
            values.append(1.06 * true + drift + rng.normal(0, 0.001))
        before, at = level, at + step.readings * hour
    facts = {"hours": 1440, "failures": 1, "valid": 95, "due": 100}
    run, *others = (BenchRun(procedure, facts=facts) for _ in range(3))
    for one, gain in ((run, 1.0), (others[0], 1.1), (others[1], 0.9)):
        over_recording(one, times, gain * np.array(values), steps)
    assert {one.test.key: one.finding for one in results(run)}["consistency"] is Finding.NOT_MADE  # one unit is none
    run.beside = others
    found = {one.test.key: one for one in results(run)}
    assert found["indication_error_50"].figures[0].value == pytest.approx(6.0 + 100 * 1.06 * 0.05 * -3 / 5 / 6, abs=0.1)
    assert found["indication_error_80"].finding is Finding.NOT_MET_UNVERIFIED
    assert found["memory_80_20"].figures[0].value == pytest.approx(2.0 * 0.06 + 1.06 * 0.05 * 6.0, abs=0.01)
    assert found["memory_80_20"].finding is Finding.NOT_MET_UNVERIFIED  # 0.44 of 0.3 mg/L
    assert found["voltage"].figures[0].value == pytest.approx(-5.0, abs=0.2)
    # the 24 h at 80 %: the first reading still remembers zero, then a drift of 0.01 an hour
    mean = (1.06 * (8.0 - 0.05 * 8.0) + 1.06 * 8.0 * 2 + 0.01 * (0 + 1 + 2)) / 3
    assert found["high_drift"].figures[0].value == pytest.approx(10.0 * (1.06 * 8.0 + 0.23 - mean), abs=0.1)
    assert found["valid_data_rate"].finding is Finding.MET_UNVERIFIED
    assert found["consistency"].figures[0].value == pytest.approx(90.0)  # s of 1, 1.1 and 0.9 over their mean
    assert found["mtbf"].finding is Finding.NO_LIMIT  # HJ 101's is not known: missing stays missing
    assert found["loq"].limit.confidence == "single-source + memory"


def test_a_gauge_with_backlash_shows_it_and_gets_its_class():
    procedure = procedure_of("level-gauge")
    levels = [procedure.steps[key].nominal(0.0, 10.0) for key in procedure.order]
    times, values = Instrument(lag_s=1.0, dead_s=0.0, gain=1.0, offset=0.0, noise=0.001).record(levels, hold_s=60)
    going_down = np.arange(len(times)) >= len(times) // 2
    run = BenchRun(procedure)
    over_recording(run, times, values + 0.02 * going_down, declared(procedure.order, 60))
    found = {one.test.key: one for one in results(run)}
    assert found["hysteresis"].figures[0].value == pytest.approx(0.2, abs=0.02)  # 20 mm of 10 m
    uncertainty = found["level_uncertainty"]
    assert uncertainty.figures[0].value == pytest.approx(100 * 2 * 0.02 / math.sqrt(2) / 10, abs=0.02)
    assert uncertainty.finding is Finding.MET_UNVERIFIED
    assert "class 2" in uncertainty.notes


@pytest.fixture
def short():
    """Two steps: enough for everything that goes wrong."""
    content = {
        "key": "short",
        "name": {"en": "short"},
        "source": "",
        "confidence": "",
        "unit": "mg L-1",
        "range": [0, 10],
        "steady": {"window_s": 20, "change_pct": 0.5, "spread_pct": 1.0},
        "step": {
            "low": {"level": 20, "readings": 3, "reading_s": 10, "timeout_s": 120},
            "high": {"level": 80, "readings": 3, "reading_s": 10, "timeout_s": 120},
        },
        "test": {"repeatability": {"steps": ["high"]}, "response": {"steps": ["low", "high"]}},
    }
    return read_procedure(content, "short.toml")


def seconds(n, start=0):
    return START + (start + np.arange(n)) * S


def test_a_signal_that_never_settles_is_given_up_with_its_reason(short):
    run = BenchRun(short)
    run.confirm(START)
    run.feed(seconds(200), 2.0 + 0.01 * np.arange(200))
    assert run.phase is Phase.TROUBLE
    assert "rises by" in run.prompt().reason
    assert "not steady after 120 s" in run.prompt().reason
    run.confirm(START + 200 * S)  # once more
    run.feed(seconds(60, 200), np.full(60, 2.0) + 0.001 * np.sin(np.arange(60.0)))
    assert run.phase is Phase.OPERATOR
    run.skip("the bottle is empty")
    result = results(run)[0]
    assert math.isnan(result.figures[0].value)
    assert result.finding is Finding.NOT_MADE
    assert "bottle is empty" in result.figures[0].note


def test_a_silent_instrument_is_given_up_too(short):
    run = BenchRun(short)
    run.confirm(START)
    run.tick(START + 60 * S)
    assert run.phase is Phase.SETTLING
    run.tick(START + 121 * S)
    assert "no value since" in run.prompt().reason


def test_doubtful_readings_say_so(short):
    noise = np.random.default_rng(1).normal(0, 0.01, 100)

    def notes(low, high, unit=""):
        run = BenchRun(short, unit)
        over_recording(
            run,
            seconds(200),
            np.concatenate([low, high]),
            [("low", START, START + 100 * S), ("high", START + 100 * S, START + 200 * S)],
        )
        return " ".join(results(run)[0].notes)

    assert "signal is stuck" in notes(np.full(100, 2.0), np.full(100, 2.0))
    assert "0.001 × the standard" in notes(2.0 + noise, (8.0 + noise) / 1000)
    assert "readings are those of step low" in notes(2.0 + noise, 2.0 + noise)
    run = BenchRun(short)
    parts = [("low", START, START + 100 * S), ("high", START + 100 * S, START + 200 * S)]
    over_recording(run, seconds(200), np.concatenate([2.0 + noise, 2.05 + noise]), parts)
    assert math.isnan(results(run)[1].figures[0].value)  # its noise is no response
    assert notes((2.0 + noise) * 1000, (8.0 + noise) * 1000, "ug L-1") == ""
    with pytest.raises(UnitError):
        BenchRun(short, "degree_Celsius")


def test_missing_values_clock_jumps_and_short_parts(short):
    rng = np.random.default_rng(2)
    values = np.concatenate([np.full(100, 2.0), np.full(45, 8.0)]) + rng.normal(0, 0.01, 145)
    values[10:14] = np.nan
    times = seconds(145)
    times[50] -= 3600 * S
    run = BenchRun(short)
    over_recording(run, times, values, [("low", START, START + 100 * S), ("high", START + 100 * S, START + 145 * S)])
    assert "go back" in run.notes[0]
    result = {one.test.key: one for one in results(run)}
    assert run.segments[0].outcome is Outcome.COMPLETE
    assert run.segments[1].outcome is Outcome.COMPLETE or "of 3 readings" in run.segments[1].reason
    live = BenchRun(short)
    live.confirm(START)
    live.feed([START + S, START, START + 2 * S], [2.0, 2.0, 2.0])
    assert "the clock jumped" in live.notes[0]
    assert len(live.segments[0].times) == 2
    few = BenchRun(short)
    over_recording(few, times[:30], values[:30], [("low", START, START + 30 * S)])
    assert few.segments[0].outcome is not Outcome.COMPLETE
    assert "readings" in few.segments[0].reason
    assert result["response"].figures[0].name == "response_time"
    few.abort("lunch")
    assert few.prompt().reason == "aborted: lunch"


def test_files_that_cannot_be_used_name_the_place(tmp_path):
    base = {"key": "x", "name": {"en": "x"}, "source": "", "confidence": "", "unit": "1", "steady": {}}
    with pytest.raises(ConfigError, match=r"test\.t\.statistic"):
        read_procedure(base | {"test": {"t": {"statistic": "magic"}}}, "x.toml")
    with pytest.raises(ConfigError, match=r"step\.a\.dwell"):
        read_procedure(base | {"step": {"a": {"dwell": 3}}}, "x.toml")
    with pytest.raises(ConfigError, match="steady"):
        read_procedure(base, "x.toml")
    with pytest.raises(ConfigError, match="hj101-2019"):
        procedure_of("hj101")
    own = tmp_path / "own.toml"
    own.write_text(
        'extends = "hj101-2019"\nkey = "own"\nrange = [0, 5]\n[step.level80]\nlevel = 90\n', encoding="utf-8"
    )
    mine = procedure_of(own)
    assert (mine.key, mine.high, mine.steps["level80"].level, mine.limits) == ("own", 5.0, 90, "hj101-2019")


@pytest.mark.parametrize("key", procedures())
def test_every_procedure_of_ours_tells_the_operator_in_both_languages(key):
    procedure = procedure_of(key)
    assert {"en", "zh"} <= set(procedure.name)
    run = BenchRun(procedure)
    for place in range(len(procedure.order)):
        run.place = place
        for language in ("en", "zh"):
            assert run.prompt(language).do
            assert "{" not in run.prompt(language).do
    for test in procedure.tests:
        assert {"en", "zh"} <= set(test.name)
        assert test.definition


def test_a_run_knows_until_when_it_was_fed(short):
    run = BenchRun(short)
    assert run.fed_until_us is None
    run.confirm(START)
    assert run.fed_until_us == START
    run.feed(seconds(5, 1), np.full(5, 2.0))
    assert BenchRun.from_dict(run.to_dict(), short).fed_until_us == START + 5 * S


def test_steps_are_done_again_and_out_of_order(short):
    values = np.random.default_rng(3).normal(0, 0.01, 100)
    run = BenchRun(short)
    run.confirm(START, "high")  # the second first
    run.feed(seconds(100), 8.0 + values)
    assert (run.phase, run.prompt().step) == (Phase.OPERATOR, "low")
    run.confirm(START + 100 * S)
    run.feed(seconds(100, 100), 2.0 + values)
    assert run.phase is Phase.FINISHED
    run.repeat("high")
    assert (run.phase, run.prompt().step) == (Phase.OPERATOR, "high")
    run.confirm(START + 200 * S)
    run.feed(seconds(100, 200), 8.1 + values)
    assert run.phase is Phase.FINISHED
    assert [one.outcome for one in run.segments] == [Outcome.REPEATED, Outcome.COMPLETE, Outcome.COMPLETE]
    assert np.mean(run.counted("high")[0].readings) == pytest.approx(8.1, abs=0.02)


def test_a_signal_that_moves_while_it_is_read_begins_again(short):
    values = np.random.default_rng(4).normal(0, 0.01, 120)
    values[55:] += 1.5  # another standard arrives
    run = BenchRun(replace(short, steps={**short.steps, "low": replace(short.steps["low"], readings=5)}))
    run.confirm(START)
    run.feed(seconds(120), 2.0 + values)
    segment = run.segments[0]
    assert "then moved" in segment.notes[0]
    assert np.mean(segment.readings) == pytest.approx(3.5, abs=0.02)


def test_a_day_of_seconds_is_read_in_seconds_and_its_drift_found():
    """86,400 rows of the span, drifting by 0.6 % of the range a day, read once an hour."""
    procedure = procedure_of("hjt99-2003")
    at = np.arange(86_400)
    values = 8.0 + 0.06 * at / 86_400 + np.random.default_rng(6).normal(0, 0.02, 86_400)
    run = BenchRun(procedure)
    over_recording(run, START + at * S, values, [("span_24h", START, START + 86_400 * S)])
    assert len(run.segments[0].readings) == 24
    drift = next(one for one in results(run) if one.test.key == "high_drift").figures[0]
    assert drift.value == pytest.approx(0.06 * 22 / 24, abs=0.01)


def test_actual_samples_are_judged_in_the_band_of_the_laboratory(tmp_path):
    """HJ 101: 0.2 mg/L below 2 mg/L, from there on 10 %; and the glucose check of HJ/T 100 against its own value."""
    procedure = procedure_of("hj101-2019")
    laboratory = {"sample1": [1.0] * 6, "sample2": [5.0] * 6, "sample3": [5.0] * 5}
    run = BenchRun(procedure, facts={"laboratory": laboratory})
    off = np.array([0.1, -0.1, 0.3, -0.3, 0.1, -0.1])  # the sizes have a mean of 0.5/3
    levels = {"sample1": 1.0, "sample2": 5.0, "sample3": 5.0}
    for k, (key, level) in enumerate(levels.items()):
        run.confirm(START + 100 * k * S, key)
        run.feed(START + (100 * k + np.arange(1, 7)) * S, level + 5 * off * (key == "sample2") + off * (level == 1.0))
    found = {one.test.key: one for one in results(run)}
    low, high, unpaired = (found[f"actual_sample_{k}"] for k in (1, 2, 3))
    assert (low.figures[0].unit, low.finding) == ("mg L-1", Finding.MET_UNVERIFIED)
    assert low.figures[0].value == pytest.approx(0.5 / 3)
    assert low.figures[1].value == pytest.approx(50 / 3)
    assert (high.figures[0].unit, high.finding) == ("%", Finding.NOT_MET_UNVERIFIED)
    assert high.figures[0].value == pytest.approx(50 / 3)
    assert "5 values for 6 readings" in unpaired.figures[0].note
    run = BenchRun(procedure_of("hjt100-2003"))
    run.confirm(START, "glucose")
    run.feed(START + np.arange(1, 7) * S, np.full(6, 4.2))
    for facts in ({}, {"glucose_value": "four"}, {"laboratory": [1.0], "hours": None}):
        run.learn(facts)
        before = {one.test.key: one for one in results(run)}["glucose"]
        assert before.finding is Finding.NOT_MADE
    assert "a number is needed" in before.figures[0].note
    run.learn({"glucose_value": 4.0})
    after = {one.test.key: one for one in results(run)}["glucose"]
    assert after.figures[0].value == pytest.approx(5.0)
