"""A small version of the study of docs/trials-validation.md: wrong passes, coverage, and that the t-test fails."""

from __future__ import annotations

from nilometer.trials.simulation import WORLDS, page, study

TRIALS = 100


def test_wrong_passes_stay_rare_where_the_test_of_independent_pairs_fails():
    world = next(each for each in WORLDS if each.name.startswith("AR(1) 0.9,"))
    report = study(world, trials=TRIALS, resamples=200)
    # 2.5 % of 100 are 2.5 ± 1.6: more than 7 have a chance of 0.4 %.
    assert report.passed["bias"] * TRIALS <= 7
    assert report.passed_iid > 0.15
    for name in ("bias", "mean_absolute_difference", "slope", "drift"):
        assert report.covered["scaled", name] > 0.89, name
    assert report.covered["percentile", "bias"] < report.covered["scaled", "bias"]
    assert abs(report.power - report.power_formula) < 0.15
    text = page([report], "this test")
    assert "AR(1) 0.9, 15 days" in text
    assert "Coverage" in text
