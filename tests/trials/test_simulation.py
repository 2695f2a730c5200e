"""A small version of the study of docs/trials-validation.md, and what its page and the engine claim of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from nilometer.trials.inference.claims import CLAIMS, OF_CLUSTERS, Standing
from nilometer.trials.inference.moments import STATISTICS
from nilometer.trials.simulation import WORLDS, Report, study
from nilometer.trials.validation import judged, page

TRIALS = 100
RESULTS = Path(__file__).parents[2] / "docs" / "trials-validation.json"


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
    assert Report.of(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()


def test_the_engine_claims_what_the_study_shows_and_the_page_says_the_same():
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    reports = [Report.of(each) for each in kept["worlds"]]
    assert [report.world for report in reports] == list(WORLDS)
    assert RESULTS.with_suffix(".md").read_text(encoding="utf-8") == page(reports, kept["command"])
    sites = [each for each in reports if each.world.is_claimed and each.world.clusters == 1]
    clusters = [each for each in reports if each.world.is_claimed and each.world.clusters > 1]
    assert {name: judged(sites, name) for name in STATISTICS} == CLAIMS
    assert {name: judged(clusters, name) for name in OF_CLUSTERS} == dict.fromkeys(OF_CLUSTERS, Standing.VALIDATED)
    # The rule sees a world that is wrong to either side, and an inferior sensor that passes.
    for share, shown in ((0.92, Standing.NARROW), (0.98, Standing.WIDE)):
        wrong = replace(sites[3], covered=sites[3].covered | {("scaled", "bias"): share})
        assert judged([*sites[:3], wrong, *sites[4:]], "bias") is shown
    assert judged([replace(each, passed=each.passed | {"bias": 0.035}) for each in sites], "bias") is Standing.LEANING
