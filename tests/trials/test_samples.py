"""The laboratory as arbiter, several references, several units and lots."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.errors import ConfigError, UnitError
from nilometer.model.flags import QartodFlag
from nilometer.trials.pairing.alignment import Rules
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.figures import NAMES
from nilometer.trials.statistics.lots import components, unit_table
from nilometer.trials.statistics.references import combine
from nilometer.trials.statistics.samples import error_figures, judge_by_norm, match_samples

MINUTE, DAY = 60_000_000, 86_400_000_000


def series(values, name, step=10 * MINUTE, **more) -> Arm:
    values = np.asarray(values, np.float64)
    return Arm(time=np.arange(len(values)) * step, values=values, unit="mg L-1", name=name, **more)


def test_a_sample_meets_what_both_showed_around_it_or_is_left_out_by_a_reason():
    flags = np.ones(100, np.uint8)
    flags[60:66] = 4
    candidate = series(np.arange(100.0), "new", flags=flags, uncertainty=np.full(100, 0.3))
    reference = series(np.arange(100.0) - 1.0, "old")
    when = np.array([5, 20, 40, 63, 80, 500]) * 10 * MINUTE + MINUTE
    water = Arm(
        time=when,
        values=np.array([6000.0, 20000.0, math.nan, 1.0, 2.0, 3.0]),
        unit="ug L-1",
        name="laboratory",
        censored=np.array([0, 0, 0, 0, -1, 0], np.int8),
        uncertainty=np.full(6, 400.0),
    )
    found = match_samples(candidate, reference, water, 11 * MINUTE)
    assert found.pairs.candidate.tolist() == [5.0, 20.0]
    assert found.pairs.reference.tolist() == [4.0, 19.0]
    assert found.candidate_count.tolist() == [3, 3]
    assert found.laboratory.tolist() == [6.0, 20.0]
    assert found.excess_error.tolist() == [-1.0, -1.0]
    assert found.score.tolist() == pytest.approx([-2.0, 0.0])  # of 0.3 and 0.4 together
    assert found.left_out == {"missing": 1, "censored": 1, "no_candidate": 2}
    kept = Rules(maintenance=[(0, 100 * MINUTE)], flags=frozenset({QartodFlag.PASS, QartodFlag.FAIL}))
    assert match_samples(candidate, reference, water, 11 * MINUTE, rules=kept).left_out["maintenance"] == 1
    with pytest.raises(UnitError, match="new cannot be held against level"):
        match_samples(candidate, Arm(time=when, values=np.ones(6), unit="m", name="level"), water, MINUTE)
    assert "2 samples" in error_figures(found)[0].note


def test_the_laboratorys_own_error_cancels_in_squares_and_is_taken_off_the_rest():
    rng = np.random.default_rng(31)
    truth = rng.uniform(20, 60, 4000)
    laboratory = series(truth + rng.normal(0, 2.0, 4000), "lab", DAY, uncertainty=np.full(4000, 2.0))
    candidate = series(truth + 0.5 + rng.normal(0, 1.5, 4000), "new", DAY)
    reference = series(truth + rng.normal(0, 1.0, 4000), "old", DAY)
    found = {one.name: one for one in error_figures(match_samples(candidate, reference, laboratory, MINUTE))}
    assert set(found) <= set(NAMES)
    assert found["candidate_error_rms"].value == pytest.approx(math.hypot(0.5, 1.5), abs=0.08)
    assert found["reference_error_rms"].value == pytest.approx(1.0, abs=0.12)
    assert found["excess_mean_square"].value == pytest.approx(0.25 + 2.25 - 1.0, abs=0.25)
    assert found["excess_mean_square"].unit == "mg2 L-2"
    assert found["candidate_error"].interval[0] < 0.5 < found["candidate_error"].interval[1]
    # Without signs the laboratory's error dampens what the candidate's is more.
    assert 0.0 < found["excess_error"].value < math.hypot(0.5, 1.5) - 1.0
    assert "standard uncertainty is 2 mg/L" in found["excess_error"].note
    assert found["score_share"].value == pytest.approx(0.88, abs=0.03)


def test_a_norm_judges_both_beside_the_laboratory():
    water = series([50.0, 52.0, 48.0, 50.0], "lab", DAY)
    ours, theirs = judge_by_norm(
        match_samples(series([60.0, 55.0, 50.0, 66.0], "new", DAY), series([70.0] * 4, "old", DAY), water, MINUTE),
        "codcr",
    )
    assert (ours.passes, theirs.passes) == (True, False)
    assert ours.within == (True, True, True, False)
    with pytest.raises(ConfigError, match="codcr"):
        judge_by_norm(match_samples(water, water, water, MINUTE), "chlorophyll")


def test_references_weigh_by_what_they_err_and_say_when_they_disagree():
    rng = np.random.default_rng(32)
    truth = rng.uniform(5, 10, 2000)
    sds = (0.1, 0.2, 0.4)
    plain = [series(truth + rng.normal(0, sd, 2000), name) for sd, name in zip(sds, "abc", strict=True)]
    both, how = combine(plain, MINUTE)
    assert how.how == "found"
    assert how.weights == pytest.approx([16 / 21, 4 / 21, 1 / 21], abs=0.04)
    assert np.std(both.values - truth) == pytest.approx(1 / math.sqrt(131.25), rel=0.05)
    assert both.uncertainty[0] == pytest.approx(1 / math.sqrt(131.25), rel=0.05)
    stated = [series(one.values, one.name, uncertainty=np.full(2000, sd)) for one, sd in zip(plain, sds, strict=True)]
    assert combine(stated, MINUTE)[1].birge_ratio == pytest.approx(1.0, abs=0.03)
    apart = [stated[0], series(stated[1].values + 1.0, "b", uncertainty=np.full(2000, 0.2))]
    both, how = combine(apart, MINUTE)
    assert how.birge_ratio > 4
    assert "differ by more than they state" in how.note
    assert both.uncertainty[0] > 4 / math.sqrt(125)
    assert how.between[0][2].value == pytest.approx(-1.0, abs=0.02)
    two, how = combine(plain[:2], MINUTE)
    assert (how.how, how.weights) == ("equal", (0.5, 0.5))
    assert two.uncertainty[0] == pytest.approx(math.sqrt(0.05 / 4), rel=0.05)
    late = Arm(time=plain[0].time[5:] + 2 * MINUTE, values=truth[5:], unit="mg L-1", name="late")
    _, how = combine([plain[0], late], 2 * MINUTE)
    assert (how.n, how.left_out) == (1995, (5, 0))
    with pytest.raises(ValueError, match="a, late never have results within 60 s"):
        combine([plain[0], late], MINUTE)


def test_units_and_lots_share_what_differs_between_them():
    """Unequal numbers of results of units and of units of lots: estimates without bias, intervals that hold."""
    rng = np.random.default_rng(33)
    sizes = [[5, 10, 20], [8, 8], [30, 3, 4, 10], [6, 6], [10, 10, 10], [12, 12]]
    lot = np.concatenate([[i] * sum(units) for i, units in enumerate(sizes)])
    unit = np.concatenate([[f"{i}-{j}"] * m for i, units in enumerate(sizes) for j, m in enumerate(units)])
    member = np.unique(unit, return_inverse=True)[1]
    estimates, held = [], []
    for _ in range(300):
        difference = rng.normal(0, 0.4, 6)[lot] + rng.normal(0, 0.3, 16)[member] + rng.normal(0, 0.5, len(lot))
        found = components(difference, unit, lot)
        estimates.append(found.variances)
        held.append(
            [
                figure.interval[0] <= sd <= figure.interval[1]
                for figure, sd in ((found.within, 0.5), (found.unit, 0.3), (found.lot, 0.4))
            ]
        )
    assert np.mean(estimates, axis=0) == pytest.approx([0.25, 0.09, 0.16], abs=0.03)
    assert np.all(np.mean(held, axis=0) > 0.91)
    assert {row.name: row.n for row in found.units}["2-0"] == 30
    assert [row.n for row in found.lots] == [35, 16, 47, 12, 30, 24]


def test_a_table_of_units_takes_blocks_of_series_that_know_of_themselves():
    """Ten-minute results that hang together make equal units look different; means of days do not."""
    rng = np.random.default_rng(34)
    n = 60 * 144
    found_plain, found_days = [], []
    for _ in range(10):
        pairs = {}
        for name in "abcd":
            noise = rng.normal(0, 0.1, n)
            for i in range(1, n):
                noise[i] += 0.97 * noise[i - 1]
            pairs[name] = Pairs.of(np.arange(n) * 10 * MINUTE, noise, np.zeros(n), "mg L-1")
        found_plain.append(unit_table(pairs).variances[1])
        found_days.append(unit_table(pairs, block_us=DAY))
    assert np.mean(found_plain) > 3 * abs(np.mean([one.variances[1] for one in found_days]))
    assert len(found_days[0].units) == 4
    assert found_days[0].lot.note == "there is one lot"
    with pytest.raises(ValueError, match="no lot is named for b, c, d"):
        unit_table(pairs, {"a": "1"})
    with pytest.raises(ValueError, match="of two lots"):
        components(np.arange(4.0), ["a", "a", "b", "b"], ["x", "y", "y", "y"])
    with pytest.raises(ValueError, match="4 results of 4 units"):
        components(np.arange(4.0), list("abcd"))
