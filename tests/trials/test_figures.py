"""Figures by name, drift between cleanings, yield, classes and strata: by hand, by property, and what they refuse."""

from __future__ import annotations

import math
import tomllib
from importlib import resources

import numpy as np
import pytest

from nilometer.errors import ConfigError, StandardNotApplicable, UnitError
from nilometer.trials.inference.intervals import figures, sample
from nilometer.trials.pairing.alignment import Rules, align
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.pairing.pooling import pool
from nilometer.trials.pairing.response import first_order
from nilometer.trials.pairing.strata import by_condition, by_time, quantile_edges, tide_phase, with_tide_phase
from nilometer.trials.report.words import Words
from nilometer.trials.statistics import slopes
from nilometer.trials.statistics.availability import availability
from nilometer.trials.statistics.drift import drift
from nilometer.trials.statistics.figures import NAMES, STATISTICS, classical_figures, response_lag
from nilometer.trials.statistics.water_class import class_agreement, classes_of, weighted_kappa
from nilometer.verdict.item import Rule
from nilometer.verdict.standard import standards

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000


def water(n, seed=1, **more) -> Pairs:
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.normal(1, 0.5, n))
    ours, theirs = truth + 0.1 + rng.normal(0, 0.2, n), truth + rng.normal(0, 0.1, n)
    return Pairs.of(np.arange(n) * HOUR, np.abs(ours), np.abs(theirs), "mg L-1", **more)


def test_every_figure_has_a_name_an_interval_and_the_plain_statistic():
    columns = {"candidate_uncertainty": np.full(200, 0.2), "reference_uncertainty": np.full(200, 0.1)}
    pairs = water(200, **columns)
    found = {one.name: one for one in classical_figures(pairs)}
    assert list(found) == [name for name in NAMES if name in found]
    assert {*STATISTICS, "linearity", "theil_sen_drift"} == set(found)
    for name, statistic in STATISTICS.items():
        if name not in {"slope", "intercept", "weighted_slope", "weighted_intercept"}:  # those heed the uncertainties
            assert statistic(pairs.candidate, pairs.reference) == pytest.approx(found[name].value), name
    for name, one in found.items():
        if name != "linearity":
            assert one.interval[0] < one.value < one.interval[1], name
    shared = {one.name: one for one in figures(sample(pairs, resamples=200))}
    assert len(shared.keys() & found.keys()) >= 9
    for name in shared.keys() & found.keys():  # another interval, the same statistic
        assert shared[name].value == pytest.approx(found[name].value, rel=1e-9), name
    told = Words("zh")
    assert all(told.told(one.note)[1] for one in found.values())
    words = tomllib.loads((resources.files("nilometer.trials.report") / "words.toml").read_text("utf-8"))
    assert set(NAMES) <= set(words["statistic"])
    assert {one.method for one in found.values()} <= set(words["interval"])
    assert found["bias"].unit == found["upper_limit"].unit == found["intercept"].unit == "mg L-1"
    assert found["theil_sen_drift"].unit == "mg L-1 d-1"
    assert found["slope"].value == pytest.approx(1.0, abs=0.05)
    assert "no uncertainty is stated" in classical_figures(water(200), ["slope"])[0].note
    with pytest.raises(ConfigError, match="did you mean bias"):
        classical_figures(pairs, ["bais"])


def test_pairs_that_depend_on_each_other_say_what_they_are_worth():
    """An AR(1) difference of r = 0.9: worth n·(1 − r)/(1 + r), a nineteenth, and every classical interval says so."""
    rng = np.random.default_rng(26)
    apart = rng.normal(0, 0.1, 8000)
    for i in range(1, len(apart)):
        apart[i] += 0.9 * apart[i - 1]
    pairs = Pairs.of(np.arange(8000) * 10 * MINUTE, 5 + apart, 5 + 0 * apart, "mg L-1")
    found = classical_figures(pairs, ["bias", "theil_sen_drift"])
    assert found[0].n_effective == pytest.approx(8000 / 19, rel=0.3)
    assert all("the interval is for independent pairs, and these are worth" in one.note for one in found)
    assert all(Words("zh").told(one.note)[1] for one in found)
    mixed = pairs.take(rng.permutation(8000))
    again = Pairs.of(pairs.time, mixed.candidate, mixed.reference, "mg L-1")
    assert classical_figures(again, ["bias"])[0].note == ""


def test_limits_of_several_units_hold_what_differs_between_them():
    rng = np.random.default_rng(25)
    parts = {}
    for name, off in zip("abcdef", (-0.5, -0.3, 0.0, 0.1, 0.3, 0.6), strict=True):
        plain = water(300, seed=ord(name))
        parts[name] = Pairs.of(plain.time, plain.reference + off + rng.normal(0, 0.1, 300), plain.reference, "mg L-1")
    last = parts["f"]
    parts["f"] = Pairs.of(last.time, 1000 * last.candidate, 1000 * last.reference, "ug L-1")
    whole = pool(parts)
    one, all_ = (classical_figures(pairs, ["upper_limit"])[0] for pairs in (parts["c"], whole))
    assert one.method == "student_t"
    assert all_.method == "jackknife"
    assert "of 6 units: 0.10" in all_.note
    assert all_.value == pytest.approx(0.033 + 1.96 * math.hypot(0.1, 0.40), abs=0.05)
    assert all_.interval[1] - all_.interval[0] > 10 * (one.interval[1] - one.interval[0])
    with pytest.raises(ValueError, match="of 6 clusters already"):
        pool({"again": whole})


def test_what_pairs_do_not_allow_has_a_reason_where_the_number_would_be():
    one = Pairs.of([0], [1.0], [2.0], "mg L-1")
    found = classical_figures(one)
    assert all(math.isnan(each.value) and each.note for each in found)
    still = Pairs.of(np.arange(9) * HOUR, np.full(9, 3.0), np.arange(9.0), "mg L-1")
    by_name = {each.name: each for each in classical_figures(still)}
    for name in ("concordance", "bias_slope", "passing_bablok_slope"):
        assert "never changes" in by_name[name].note
    assert "above 0" in by_name["lower_ratio_limit"].note
    assert by_name["bias"].value == pytest.approx(-1.0)
    # Results below 0 turn the ends of an intercept round, and three pairs that fall have no rising line at all.
    below = Pairs.of(np.arange(40), np.arange(-40.0, 0.0) + np.sin(np.arange(40.0)), np.arange(-40.0, 0.0), "m")
    low, high = classical_figures(below, ["passing_bablok_intercept"])[0].interval
    assert low < high
    falling = Pairs.of(range(3), [3.0, 2.0, 0.5], [1.0, 1.5, 1.6], "m")
    assert "do not rise together" in classical_figures(falling, ["passing_bablok_slope"])[0].note


def test_drift_is_that_between_cleanings_and_not_the_step_at_one(monkeypatch):
    """A fouling of 0.1 a day that each cleaning takes away, with spikes: pooled and of each week."""
    rng = np.random.default_rng(21)
    hours = np.arange(0, 28 * 24, 2)
    days = hours / 24
    apart = 0.1 * (days % 7) + rng.normal(0, 0.05, len(days))
    apart[rng.integers(0, len(days), 20)] += 30.0
    pairs = Pairs.of(hours * HOUR, apart, np.zeros(len(days)), "m", interval=(days // 7).astype(np.int32))
    found = drift(pairs)
    assert found.pooled.value == pytest.approx(0.1, abs=0.01)
    assert found.pooled.interval[0] < 0.1 < found.pooled.interval[1]
    assert [part.interval for part in found.intervals] == [0, 1, 2, 3]
    assert all(part.figure.value == pytest.approx(0.1, abs=0.02) for part in found.intervals)
    assert (found.intervals[1].start, found.intervals[1].end) == (7 * DAY, 14 * DAY - 2 * HOUR)
    parts = [((hours[one : one + 84] - hours[one]) / 24, apart[one : one + 84]) for one in range(0, 336, 84)]
    every = np.concatenate([slopes.PairwiseSlopes(*part)._sorted for part in parts])
    assert found.pooled.value == np.median(every)
    monkeypatch.setattr(slopes, "_FEW", 0)
    assert drift(pairs).pooled == found.pooled
    short = drift(pairs.take(np.arange(3)))
    assert short.pooled.note == "3 pairs: 5 or more are needed"


def test_yield_and_uptime_count_what_was_due():
    time = np.arange(0, DAY, 10 * MINUTE)[:144] + np.random.default_rng(22).integers(0, 60_000_000, 144)
    values, flags = np.ones(144), np.ones(144, np.uint8)
    flags[10:16] = 4
    values[20] = math.nan
    kept = np.r_[0:50, 60:144]
    arm = Arm(time=time[kept], values=values[kept], unit="1", flags=flags[kept], interval_us=10 * MINUTE)
    found = availability(arm, (0, DAY), maintenance=[(100 * 10 * MINUTE, 106 * 10 * MINUTE)])
    assert (found.due + found.maintenance, found.outages, found.longest_outage_us) == (144, 2, 100 * MINUTE)
    assert 6 <= found.maintenance <= 7
    assert (found.due - found.present, found.present - found.valid) == (11, 6)
    assert found.data_yield.value == found.valid / found.due
    assert math.isnan(found.data_yield.interval[0])
    assert found.reasons["flag_fail"] == 6
    silent = availability(arm.take(np.zeros(0, np.int64)), (0, DAY))
    assert (silent.uptime.value, silent.due) == (0.0, 144)
    with pytest.raises(ValueError, match="no length"):
        availability(arm, (DAY, DAY))


def test_classes_agree_where_results_do_and_the_bound_of_a_censored_one_may_decide():
    """Ammonia by GB 3838: I 0.15, II 0.5, III 1.0, IV 1.5, V 2.0 mg/L."""
    reference = np.array([0.10, 0.30, 0.49, 0.80, 1.20, 1.90, 2.50, 0.05, 0.40, 0.40])
    candidate = np.array([0.12, 0.30, 0.52, 0.80, 0.90, 1.90, 2.60, 0.10, 0.60, 0.45])
    bounds = np.zeros(10, np.int8)
    bounds[[7, 8]] = -1  # below 0.10 is class I; below 0.60 may be I, II or III
    times = np.arange(10)
    pairs = Pairs.of(times, 1000 * candidate, 1000 * reference, "ug L-1", candidate_censored=bounds)
    found = class_agreement(pairs, "GB 3838-2002", "nh3_n", "river")
    assert found.undecided == 1
    assert found.confusion.sum() == 9
    assert found.confusion.diagonal().tolist() == [2, 2, 1, 0, 1, 1]
    assert (found.off_by_one, found.off_by_more, found.agreement.value) == (2, 0, 7 / 9)
    assert found.off_by_one_near_limit.value == 0.5  # 0.49 beside 0.5; 1.20 is far from every limit
    assert found.kappa.value > 0.7
    with pytest.raises(ConfigError, match="nh3_n"):
        class_agreement(pairs, "GB 3838-2002", "nh3", "river")
    with pytest.raises(StandardNotApplicable):
        class_agreement(pairs, "GB 3838-2002", "nh3_n", "sea")
    warm = Pairs.of(times, candidate, reference, "degree_Celsius")
    with pytest.raises(UnitError):
        class_agreement(warm, "GB 3838-2002", "nh3_n", "river")


def test_columns_of_results_have_the_classes_that_single_ones_have():
    """Every item of every standard, at, around and between its limits."""
    rng = np.random.default_rng(27)
    for standard in standards().items.values():
        for item in standard.items:
            ends = [end for end in (*item.limits, item.lower, item.upper, *np.ravel(item.ranges)) if end is not None]
            if item.rule is Rule.CHANGE or not ends:
                continue
            near = np.concatenate([np.array(ends) * factor for factor in (1.0, 1 - 1e-14, 1 + 1e-14, 0.999, 1.001)])
            values = np.concatenate([near, rng.uniform(0, 2 * max(ends), 20)])
            expected = [item.class_index(float(value)) for value in values]
            assert classes_of(item, values).tolist() == expected, (standard.name, item.property)


def test_kappa_is_1_for_one_mind_0_for_chance_and_its_interval_holds():
    assert weighted_kappa(np.diag([5, 6, 7])).value == pytest.approx(1.0)
    assert weighted_kappa(np.outer([10, 20, 30], [5, 3, 2])).value == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(weighted_kappa(np.array([[9, 0], [0, 0]])).value)
    rng = np.random.default_rng(23)
    shares = np.array([[0.3, 0.08, 0.02], [0.05, 0.2, 0.05], [0.02, 0.08, 0.2]])
    truth = weighted_kappa((shares * 1e9).astype(np.int64)).value
    found = [weighted_kappa(rng.multinomial(150, shares.ravel()).reshape(3, 3)) for _ in range(500)]
    held = np.mean([one.interval[0] <= truth <= one.interval[1] for one in found])
    assert held == pytest.approx(0.95, abs=0.03)


def test_strata_lose_no_pair_and_keep_what_was_not_met():
    warm = np.array([5.0, 10.0, 15.0, math.nan, 29.0])
    pairs = Pairs.of(np.arange(5) * DAY, np.arange(5.0), np.arange(5.0), "m", conditions={"temperature": warm})
    parts = by_condition(pairs, "temperature", [10.0, 20.0, 25.0])
    assert [len(part.pairs) for part in parts] == [1, 2, 0, 1, 1]
    assert parts[-1].is_unknown
    assert [len(part.pairs) for part in by_condition(pairs, "range", quantile_edges(pairs, "range", 2))] == [2, 3]
    with pytest.raises(ConfigError, match="salinity"):
        by_condition(pairs, "salinity", [1.0])
    # 1970-01-01 is a Thursday: the fifth day is a Monday, in Shanghai from 16:00 UTC of the day before.
    assert [len(part.pairs) for part in by_time(pairs, "week")] == [4, 1]
    assert [len(part.pairs) for part in by_time(pairs, "week", "Asia/Shanghai")] == [4, 1]
    late = Pairs.of(pairs.time + 17 * HOUR, np.arange(5.0), np.arange(5.0), "m")
    assert [len(part.pairs) for part in by_time(late, "week", "Asia/Shanghai")] == [3, 2]
    gap = Pairs.of([0, 70 * DAY], [1.0, 2.0], [1.0, 2.0], "m")
    assert [len(part.pairs) for part in by_time(gap, "month")] == [1, 0, 1]
    high = np.array([0, 12, 25, 80]) * HOUR
    assert tide_phase(np.array([6, 50]) * HOUR, high).tolist() == pytest.approx([0.5, math.nan], nan_ok=True)


@pytest.mark.real
def test_the_tide_at_halifax_has_its_phases(real_data):
    """Levels by phase fall from high water and rise again to it, through the tides of months."""
    rows = np.genfromtxt(
        real_data / "level" / "tide" / "490-01-JAN-2003_slev.csv",
        delimiter=",",
        skip_header=8,
        dtype=str,
        usecols=(0, 1),
    )
    time = np.array([stamp.replace("/", "-").strip() for stamp in rows[:, 0]], "datetime64[us]").astype("i8")
    level = Arm(time=time, values=rows[:, 1].astype(float), unit="m", name="gauge")
    pairs = with_tide_phase(Pairs.of(time, level.values, level.values, "m"), level)
    parts = by_condition(pairs, "tide_phase", np.arange(0.125, 1.0, 0.25).tolist())
    high, ebb, low, flood, again, *_ = (float(part.pairs.reference.mean()) for part in parts)
    assert high > ebb > low < flood < again
    assert high == pytest.approx(again, abs=0.05)
    assert np.isnan(pairs.conditions["tide_phase"]).mean() < 0.1


def test_a_slow_instrument_shows_its_lag():
    rng = np.random.default_rng(24)
    time = np.arange(0, 10 * DAY, MINUTE)
    seen = np.sin(2 * np.pi * time / DAY) + np.interp(time, time[::180], rng.normal(0, 0.5, len(time[::180])))
    slow, _ = first_order(time, seen, 600e6, 10 * MINUTE)
    noise = rng.normal(0, 0.02, (2, len(time)))
    arms = [Arm(time=time, values=each + more, unit="1") for each, more in zip((slow, seen), noise, strict=True)]
    found = response_lag(align(*arms)[1])
    assert found.value == pytest.approx(600.0, rel=0.1)
    assert found.interval[0] < found.value < found.interval[1]
    still = response_lag(align(*arms, Rules(clock_search_us=0))[1])
    assert math.isnan(still.value)
    assert "not compared" in still.note
