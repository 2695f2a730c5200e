"""Every test of every norm on a record whose answer is known by arithmetic alone: it has to come out exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from nilometer.trials.bench.limits import Finding
from nilometer.trials.bench.overall import Overall, overall
from nilometer.trials.bench.procedure import Step, procedure_of, procedures
from nilometer.trials.bench.results import STATISTICS, TestResult, results
from nilometer.trials.bench.run import BenchRun, over_recording
from nilometer.trials.figure import Figure

S = 1_000_000
START = 1_700_000_000 * S
HOUR = 3600
Reading = Callable[[str, int, int], float]
"""A reading of a step, of how many times it was given before, of its number; −1: before it is steady."""

PATTERN = (1, -1, 1, -1, 1, -1)  # six readings: s = √(6/5) of its height


def s_of(height: float) -> float:
    return height * math.sqrt(6 / 5)


def run_of(key: str, reading: Reading, facts: dict | None = None) -> BenchRun:
    """Return a run of all steps. Of a step that waits, rows are 1 s apart (5 s over a day) and settle at once."""
    procedure = procedure_of(key)
    low, high = procedure.low, procedure.high
    times, values, declared, given, at = [], [], [], {}, START
    for name in procedure.order:
        step = procedure.steps[name]
        level = step.nominal(low, high) or 0.0
        time = given[name] = given.get(name, -1) + 1
        apart, every, wait = spacing(step, procedure.steadiness.window_s)
        length = wait + every * step.readings + 2 * apart
        seconds = np.arange(apart if step.is_steady else 0, length, apart)
        number = np.where(seconds < wait, -1, (seconds - wait) // every)
        rows = {int(k): reading(name, time, min(int(k), step.readings - 1)) for k in np.unique(number)}
        times += (at + (seconds + (0 if step.is_steady else 60)) * S).tolist()
        values += [level + rows[int(k)] for k in number]
        declared.append((name, at, at + length * S))
        at += length * S
    run = BenchRun(procedure, facts=facts or {})
    over_recording(run, times, values, declared)
    return run


def spacing(step: Step, window_s: float) -> tuple[int, int, int]:
    """Return s between rows, s between readings, and s until the signal is called steady."""
    if not step.is_steady:
        every = int(step.every_s or HOUR)
        return every, every, 0
    apart = 5 if step.every_s else 1
    return apart, int(step.every_s or step.reading_s), int(window_s) + apart


def figures(found: list[TestResult]) -> dict[str, Figure]:
    named: dict[str, Figure] = {}
    for one in found:
        for figure in one.figures:  # of two of one name, in % and in the unit, that of the limit comes first
            named.setdefault(f"{one.test.key}.{figure.name}", figure)
    return named


def analyser(name: str, time: int, k: int) -> float:
    """What an analyser shows beyond the standard: each test its own part, in mg/L."""
    parts = {
        "low_24h": 0.001 * k,  # from the mean of the first three, 0.001, to 0.023: 0.022
        "high_24h": -0.005 * k,
        "level20": 0.06,
        "level50": 0.1,
        "level80": 0.2 + 0.04 * PATTERN[k % 6],
        "loq": 0.01 * (-1) ** k if k < 6 else 0.0,  # s = √(6·0.01²/6) = 0.01
        "memory80": -0.15 if time and not k else 0.0,
        "memory20": 0.25 if not k else 0.0,
        "voltage_low": -0.08,
        "cold": 0.2,
        "warm": -0.32,
        "interferent": 0.4,
    }
    return parts.get(name, 0.0)


FACTS = {
    "hours": 1440.0,
    "failures": 2,
    "valid": 95,
    "due": 100,
    "working_hours": 990.0,
    "total_hours": 1000.0,
    "glucose_value": 4.0,
    "control_value": 100.0,
    "reference_volume": 500.0,
}


def beside(run: BenchRun, key: str, reading: Reading, gains: tuple[float, ...]) -> None:
    """Put units beside a run that show its readings times a gain."""
    procedure = run.procedure
    for gain in gains:

        def scaled(name: str, time: int, k: int, gain: float = gain) -> float:
            level = procedure.steps[name].nominal(procedure.low, procedure.high) or 0.0
            return gain * (level + reading(name, time, k)) - level

        run.beside.append(run_of(key, scaled))


@cache
def analysed(key: str) -> dict[str, Figure]:
    """Return the figures of an analyser, in its own range: what it shows is a share of that."""
    scale = procedure_of(key).span / 10.0

    def shown(name: str, time: int, k: int) -> float:
        if name.startswith("sample"):
            return scale * (4.0 + 0.2 * PATTERN[k % 6])
        return 4.2 if name == "glucose" else scale * analyser(name, time, k)

    facts = {**FACTS, "laboratory": {f"sample{n}": [scale * 4.0] * 6 for n in (1, 2, 3)}}
    run = run_of(key, shown, facts)
    beside(run, key, shown, (1.1, 0.9))
    return figures(results(run))


@pytest.mark.parametrize("key", ["hj101-2019", "hj377-2019", "hjt100-2003", "hjt102-2003", "hjt103-2003"])
def test_an_analyser_shows_what_it_was_given(key):
    found = analysed(key)
    scale = procedure_of(key).span / 10.0
    is_hjt = key.startswith("hjt")
    expected = {
        "indication_error_20.indication_error_level20": 3.0,
        "indication_error_50.indication_error_level50": 2.0,
        "indication_error_80.indication_error_level80": 2.5,
        "repeatability.repeatability": 100 * s_of(0.04) / 8.2,
        "low_drift.drift": 0.22 if is_hjt else 0.022 * scale,  # HJ/T over the range, HJ in the unit
        "high_drift.drift": -1.1,
        "loq.loq": 10 * 0.01 * scale,
        "loq_error.indication_error_loq": 0.0,
        "memory_80_20.memory_memory80_to_memory20": 0.25 * scale,
        "memory_20_80.memory_memory20_to_memory80": -0.15 * scale,
        "voltage.influence_voltage_low": -1.0,
        "voltage.influence_voltage_high": 0.0,
        "ambient_temperature.influence_warm": -4.0,
        "ambient_temperature.influence_cold": 2.5,
        "interference.influence_interferent": 5.0,
        "mtbf.mtbf": 720.0,
        "valid_data_rate.valid_data_rate": 95.0,
        "consistency.consistency": 90.0,
        "consistency.consistency_level50": 90.0,
        "actual_sample_1.actual_sample": 5.0,
    }
    if key == "hjt100-2003":
        expected["glucose.indication_error"] = 5.0
    if is_hjt:
        expected["linearity.linearity_error"] = 1.0
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
    assert set(found) >= set(expected)


def test_a_low_band_of_actual_water_is_in_the_unit():
    low = {f"sample{n}": [1.0] * 6 for n in (1, 2, 3)}
    run = run_of("hj101-2019", lambda _name, _time, k: 1.0 + 0.1 * PATTERN[k % 6], {"laboratory": low})
    found = {one.test.key: one for one in results(run)}["actual_sample_2"]
    assert (found.figures[0].unit, found.figures[0].value) == ("mg L-1", pytest.approx(0.1))
    assert found.finding is Finding.MET_UNVERIFIED


def five_parameters(name: str, time: int, k: int) -> float:
    """Shares of the range that a probe shows beyond its standard, small enough to be steady."""
    steady = {"span": 0.001, "ph4": 0.001, "level80": 0.001}
    parts = {
        **{key: height * PATTERN[k % 6] if k >= 0 and not time else 0.0 for key, height in steady.items()},
        "middle": 0.002,
        "at_10": 0.003,
        "at_30": -0.004,
        "voltage_low": 0.005,
        "voltage_high": -0.002,
    }
    if name.endswith("_24h") or name.startswith("drift"):
        return 0.0001 * max(k, 0)  # 24 readings: 0.0023 less the mean of the first three, 0.0001
    return parts.get(name, 0.0)


@pytest.mark.parametrize("key", ["hjt96-2003", "hjt97-2003", "hjt98-2003", "hjt99-2003"])
def test_a_probe_of_the_five_parameters_shows_what_it_was_given(key):
    procedure = procedure_of(key)
    span = procedure.span
    laboratory = {f"sample{n}": [0.4 * span] * 6 for n in (1, 2, 3)}

    def shown(name: str, time: int, k: int) -> float:
        if name.startswith("sample"):
            return span * (0.4 + 0.001 * (PATTERN[k % 6] if k >= 0 else 0.0))
        return span * five_parameters(name, time, k)

    found = figures(results(run_of(key, shown, {**FACTS, "laboratory": laboratory})))
    options = {test.key: test.options for test in procedure.tests}
    level = procedure.steps["ph7" if key == "hjt96-2003" else "span"].nominal(procedure.low, procedure.high)

    def in_unit(test: str, share: float, of: float) -> float:
        return 100.0 * share * span / of if options[test].get("relative") else share * span

    expected = {
        "repeatability.repeatability": in_unit("repeatability", s_of(0.001), level),
        "temperature_compensation.temperature_compensation": in_unit(
            "temperature_compensation", -0.004, procedure.steps["at_20"].nominal(procedure.low, procedure.high)
        ),
        "voltage.influence_voltage_low": in_unit("voltage", 0.005, level),
        "voltage.influence_voltage_high": in_unit("voltage", -0.002, level),
        "mtbf.mtbf": 720.0,
    }
    for test in ("low_drift", "high_drift") if key != "hjt96-2003" else ("drift_ph4", "drift_ph7", "drift_ph9"):
        expected[f"{test}.drift"] = 0.0022 * span if options[test].get("relative") is False else 0.22
    if key != "hjt96-2003":
        expected["linearity.linearity_error"] = 0.2
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-6, abs=1e-9), name
    sample = found["actual_sample_1.actual_sample"]
    assert sample.value == pytest.approx(0.25 if sample.unit == "%" else 0.001 * span)
    assert found["response.response_time"].value == pytest.approx(0.9, abs=1e-6)  # a step within one row of 1 s


def test_a_sensor_of_iso_15839_shows_what_it_was_given():
    """Range 0 to 10: a line of slope 1.02 through 0.05, with ± 0.01 about it at each level."""

    def shown(name: str, time: int, k: int) -> float:
        level = procedure_of("iso15839").steps[name].nominal(0.0, 10.0)
        own = 0.02 * level + 0.05
        if name.startswith("level") and k >= 0:
            own += 0.01 * PATTERN[k % 6]
        if name == "interferent20":
            own += 0.03
        if name == "interferent80":
            own -= 0.12
        if name == "drift":
            own += 0.002 * max(k, 0)
        del time
        return own

    found = figures(results(run_of("iso15839", shown, FACTS)))
    s = s_of(0.01)
    residual = math.sqrt(42 * 0.01**2 / 40)  # seven levels of six, less slope and intercept
    expected = {
        "response.response_time": 0.9,
        "response.delay_time": 0.1,
        "response.rise_time": 0.8,
        "linearity.slope": 1.02,
        "linearity.intercept": 0.05,
        "linearity.residual_s": residual,
        "linearity.coefficient_of_variation": 100 * residual / 5.0,
        "lod.lod": 3 * s,
        "loq.loq": 10 * s,
        "repeatability_20.repeatability": s,
        "repeatability_80.repeatability": s,
        "ldc_20.ldc": 3 * s,
        "ldc_80.ldc": 3 * s,
        "interference_20.influence_interferent20": 0.03,
        "interference_80.influence_interferent80": -0.12,
        "bias.bias_level20": 0.09,
        "bias.bias_level80": 0.21,
        "memory.memory_high_to_low": 0.0,
        "short_term_drift.drift_rate": 100 * 0.002 * 24 / 10,
        "up_time.up_time": 99.0,
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_days_of_iso_15839_scatter_as_their_means_do(tmp_path):
    own = tmp_path / "days.toml"
    days = ", ".join(['"level35"'] * 5)
    own.write_text(f'extends = "iso15839"\nkey = "days"\norder = [{days}]\n', encoding="utf-8")
    run = run_of(str(own), lambda _name, time, _k: (-0.2, -0.1, 0.0, 0.1, 0.2)[time])
    assert figures(results(run))["day_to_day.day_to_day"].value == pytest.approx(0.1 * math.sqrt(2.5))


def test_a_level_gauge_shows_its_backlash_its_line_and_its_class():
    """Range 10 m: 5 mm high on the way down, 1 mm a metre too much, nothing else."""

    def shown(name: str, time: int, k: int) -> float:
        del k
        return 0.001 * procedure_of("level-gauge").steps[name].nominal(0.0, 10.0) + 0.005 * time

    found = results(run_of("level-gauge", shown))
    got = figures(found)
    errors = [0.001 * level + down for level in range(11) for down in (0.0, 0.005)]
    expected = {
        "hysteresis.hysteresis": 0.05,
        "linearity.linearity": 0.025,  # 2.5 mm to either side of the line through both ways
        "largest_error.largest_error": 0.15,
        "level_uncertainty.level_uncertainty": 100 * 2 * math.sqrt(np.mean(np.square(errors))) / 10,
    }
    for name, value in expected.items():
        assert abs(got[name].value) == pytest.approx(value, rel=1e-6), name
    assert "class 2" in found[-1].notes


def at_rest(rates: np.ndarray) -> dict[str, Figure]:
    run = BenchRun(procedure_of("mems-noise"))
    over_recording(run, START + np.arange(len(rates)) * S, rates, [("rest", START, START + len(rates) * S)])
    return {figure.name: figure for figure in results(run)[0].figures}


def test_noise_terms_of_records_that_have_one_alone():
    """A ramp of the rate has σ(τ) = R·τ/√2 to the last digit; white noise of σ each second has N = σ."""
    ramp = at_rest(1e-4 * np.arange(4000.0))
    assert ramp["rate_ramp"].value == pytest.approx(1e-4, rel=1e-6)
    assert math.isnan(ramp["random_walk"].value)
    white = at_rest(np.random.default_rng(2).normal(0.0, 0.02, 40_000))  # N = σ·√τ0
    assert white["random_walk"].interval[0] <= 0.02 <= white["random_walk"].interval[1]
    assert math.isnan(white["rate_ramp"].value)


FIELD = [
    # property, laboratory's mean, the band (share or absolute), in the unit of the procedure
    ("hj355-2019-codcr", 20.0, 5.0, False),
    ("hj355-2019-codcr", 45.0, 0.30, True),
    ("hj355-2019-codcr", 80.0, 0.20, True),
    ("hj355-2019-codcr", 200.0, 0.15, True),
    ("hj355-2019-nh3n", 1.0, 0.3, False),
    ("hj355-2019-nh3n", 5.0, 0.15, True),
    ("hj355-2019-tp", 0.2, 0.04, False),
    ("hj355-2019-tp", 2.0, 0.15, True),
    ("hj355-2019-tn", 1.5, 0.3, False),
    ("hj355-2019-tn", 20.0, 0.15, True),
    ("hj355-2019-ph", 7.0, 0.5, False),
]


@pytest.mark.parametrize(("key", "mean", "band", "is_relative"), FIELD)
@pytest.mark.parametrize(("pairs", "needed"), [(3, 2), (4, 3), (5, 4)])
def test_pairs_of_hj_355_lie_within_the_band_of_the_laboratory_as_often_as_it_asks(
    key, mean, band, is_relative, pairs, needed
):
    reach = band * mean if is_relative else band

    def finding(within: int) -> TestResult:
        run = BenchRun(procedure_of(key), facts={"laboratory": {"pair": [mean] * pairs}})
        for k in range(pairs):
            run.confirm(START + 100 * k * S, "pair")
            run.feed([START + (100 * k + 1) * S], [mean + reach * (0.99 if k < within else -1.01)])
        return results(run)[0]

    enough, few = finding(needed), finding(needed - 1)
    assert (enough.finding, few.finding) == (Finding.MET, Finding.NOT_MET)
    assert (enough.figures[0].value, few.figures[0].value) == (needed, needed - 1)
    assert enough.figures[1].value == pytest.approx(-1.01 * (100 * band if is_relative else band))
    assert enough.limit.text().startswith(f"{needed} of {pairs} pairs within")


def test_what_hj_355_cannot_judge_says_why():
    def shown(laboratory: object, readings: int = 3) -> TestResult:
        run = BenchRun(procedure_of("hj355-2019-codcr"), facts={"laboratory": {"pair": laboratory}})
        for k in range(readings):
            run.confirm(START + 100 * k * S, "pair")
            run.feed([START + (100 * k + 1) * S], [100.0])
        return results(run)[0]

    for laboratory, said in (
        ([100.0, 100.0], "2 values for 3 readings"),
        ([0.0, 200.0, 200.0], "0 or below"),
        ([-1.0, 100.0, 100.0], "0 or below"),
    ):
        result = shown(laboratory)
        assert result.finding is Finding.NOT_DECIDED
        assert said in result.figures[0].note
    assert "3 or more are needed" in shown([100.0, 100.0], 2).figures[0].note
    assert shown("none").finding is Finding.NOT_MADE


def test_control_samples_levels_and_flows_of_hj_355():
    run = run_of("hj355-2019-codcr", lambda name, _time, _k: 110.1 if name == "control" else 0.0, FACTS)
    control = {one.test.key: one for one in results(run)}["control_sample"]
    assert (control.figures[0].value, control.finding) == (pytest.approx(10.1), Finding.NOT_MET)
    level = [1.0, 1.1, 1.2, 1.1, 1.0, 0.9]
    run = run_of("hj355-2019-level", lambda _n, _t, k: level[k] - 0.013 * (k == 3), {"laboratory": {"pair": level}})
    (found,) = results(run)
    assert (found.figures[0].value, found.finding) == (pytest.approx(-0.013), Finding.NOT_MET)  # 12 mm are allowed
    run = run_of("hj355-2019-flow", lambda _n, _t, _k: 540.0, FACTS)
    (found,) = results(run)
    assert (found.figures[0].value, found.finding) == (pytest.approx(8.0), Finding.MET)


def test_every_statistic_and_every_test_of_ours_has_its_truth_here():
    """What the procedures name is what is tried above; a statistic that none names is tried nowhere."""
    used = {test.statistic for key in procedures() for test in procedure_of(key).tests}
    assert used == set(STATISTICS)


def test_hours_without_a_failure_decide_only_what_they_can():
    run = BenchRun(procedure_of("hjt99-2003"), facts={"hours": 2160.0, "failures": 0})
    found = {one.test.key: one for one in results(run)}["mtbf"]
    assert found.finding is Finding.MET_UNVERIFIED  # with 95 % confidence above 721 h of 720 h
    run.learn({"hours": 1440.0})
    assert {one.test.key: one for one in results(run)}["mtbf"].finding is Finding.NOT_DECIDED


def test_a_run_is_never_better_than_the_worst_and_the_least_sure_of_its_tests():
    run = run_of("hj355-2019-flow", lambda _n, _t, _k: 540.0, FACTS)
    assert overall(results(run)) is Overall.MET
    run.learn({"reference_volume": 400.0})
    assert overall(results(run)) is Overall.NOT_MET
    del run.facts["reference_volume"]
    assert overall(results(run)) is Overall.NOTHING
    gauge = run_of("level-gauge", lambda _n, _t, _k: 0.0)
    assert overall(results(gauge)) is Overall.MET_UNVERIFIED
    half = run_of("hj355-2019-codcr", lambda _n, _t, _k: 100.0, {"control_value": 100.0})
    assert overall(results(half)) is Overall.INCOMPLETE  # pairs without a laboratory


def test_what_giving_a_standard_again_adds_is_no_repeatability():
    again = run_of("hjt99-2003", lambda name, time, _k: 0.1 * time if name == "span" else 0.0)
    assert figures(results(again))["repeatability.repeatability"].value == 0.0
