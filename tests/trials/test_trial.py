"""A plan run from its files to the answer: what is good passes in the range it met, what is bad does not."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.trials.made_trial import made_plan, write_series

from nilometer.errors import TrialError
from nilometer.trials.figure import Figure
from nilometer.trials.gathering import gather
from nilometer.trials.grading import grade
from nilometer.trials.inference.endpoint import Decision, Endpoint, Margin, Outcome
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.planning.history import Frozen, amended, begun
from nilometer.trials.planning.plan import parse_plan
from nilometer.trials.report.words import Words
from nilometer.trials.result import Stratum, TrialResult
from nilometer.trials.sizing import sizes
from nilometer.trials.trial import run_trial


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    """Four candidates: two as good as the reference, one off by more than the margin, one on it."""
    folder = tmp_path_factory.mktemp("trial")
    write_series(folder, biases={"new": 0.02, "next": -0.01, "bad": 0.3, "edge": 0.1})
    return run_trial(made_plan(folder, "new", "next", "bad", "edge"), folder, resamples=1000)


def test_what_is_good_passes_and_what_is_bad_does_not(done: TrialResult) -> None:
    outcomes = {one.candidate: [str(each.outcome) for each in one.decisions] for one in done.comparisons}
    assert outcomes["new"] == outcomes["next"] == ["equivalent", "non_inferior"]
    assert outcomes["bad"] == ["inferior", "not_tested"]
    assert outcomes["edge"][0] == "inconclusive"
    grades = {one.candidate: one.grade for one in done.comparisons}
    assert grades["new"].outcome is Outcome.NON_INFERIOR
    assert grades["bad"].ranges == {}


def test_the_answer_holds_in_what_was_met_and_not_beyond(done: TrialResult) -> None:
    answer = done.comparisons[0]
    known = answer.pairs.conditions["temperature"]
    low, high = answer.grade.ranges["temperature"]
    assert known.min() <= low < high <= known.max()
    assert answer.grade.units == {"range": "mg L-1", "temperature": "degree_Celsius"}
    empty = [one for one in answer.strata if one.condition == "temperature" and not one.n]
    assert [one.low for one in empty] == [30.0]


def test_all_that_was_asked_for_is_there(done: TrialResult) -> None:
    one = done.comparisons[0]
    names = {figure.name for figure in one.figures}
    assert {"bias", "concordance", "slope", "passing_bablok_slope", "theil_sen_drift", "response_lag"} <= names
    bias = one.figure("bias")
    assert bias is not None
    assert bias.interval[0] < 0.02 < bias.interval[1]
    assert bias.n == 5760
    assert bias.n_effective < 1000
    assert one.availability["new"].data_yield.value == 1.0
    assert len(one.over_time) == 7  # 1 March 2026 is a Sunday
    assert not done.is_confirmatory
    table = done.units["imported"]
    assert [row.name for row in table.units] == ["bad", "edge", "new", "next"]
    text = json.dumps(done.to_dict(), allow_nan=False)
    assert done.data_hash in text


def test_the_same_data_give_the_same_numbers(tmp_path: Path) -> None:
    write_series(tmp_path, days=3)
    plan = made_plan(tmp_path)
    results = [run_trial(plan, tmp_path, resamples=1000).to_dict() for _ in range(2)]
    for one in results:
        one.pop("made_at")
    assert results[0] == results[1]


def test_three_days_are_worth_too_little_and_a_pilot_says_how_many_it_takes(tmp_path: Path) -> None:
    write_series(tmp_path, days=1)
    plan = made_plan(tmp_path, margin=0.03)
    (one,) = run_trial(plan, tmp_path, resamples=1000).comparisons
    assert one.grade.outcome is Outcome.INCONCLUSIVE
    found = {one.endpoint: one for one in sizes(plan, tmp_path, difference=0.0)}
    needed = found["mean difference"].sizing
    assert needed is not None
    assert needed.days > 1
    assert "days" in found["mean difference"].told()
    impossible = sizes(plan, tmp_path, difference=1.0)[0]
    assert "below the margin of 0.03" in impossible.told()


def test_what_is_suspect_counts_by_the_plan_and_is_shown_without(tmp_path: Path) -> None:
    write_series(tmp_path, days=5)
    (tmp_path / "profile.toml").write_text("[tests.gross_range]\nfail = [0, 20]\nsuspect = [0, 10]\n", encoding="utf-8")
    plan = made_plan(tmp_path)
    profile = {"profile": str(tmp_path / "profile.toml")}
    arm = plan.candidate[0].model_copy(update=profile)
    doubted = plan.model_copy(update={"candidate": (arm,)})
    (one,) = run_trial(doubted, tmp_path, resamples=1000).comparisons
    assert one.without_suspect
    assert one.without_suspect[0].n < one.figures[0].n
    strict = doubted.model_copy(update={"alignment": plan.alignment.model_copy(update={"suspect": False})})
    (other,) = run_trial(strict, tmp_path, resamples=1000).comparisons
    assert other.figures[0].n == one.without_suspect[0].n
    assert other.alignment.candidate_left_out["flag_suspect"] == one.figures[0].n - other.figures[0].n
    # An arm that is suspect as a whole is compared all the same, and the decision says on what it hangs.
    (tmp_path / "profile.toml").write_text("[tests.gross_range]\nfail = [0, 20]\nsuspect = [0, 1]\n", encoding="utf-8")
    (whole,) = run_trial(doubted, tmp_path, resamples=1000).comparisons
    assert (whole.figures[0].n, whole.without_suspect) == (one.figures[0].n, ())
    assert "inconclusive with SUSPECT results left out" in whole.decisions[0].reason


def test_samples_decide_where_the_plan_says_so(tmp_path: Path) -> None:
    write_series(tmp_path, days=40, biases={"new": 0.0})
    rows = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "lab.csv").write_text(
        "Time,DO (mg/L)\n" + "\n".join(",".join(row.split(",")[i] for i in (0, 2)) for row in rows[70::144]) + "\n",
        encoding="utf-8",
    )
    sample = (
        '[[sample]]\nname = "Winkler"\nfile = "lab.csv"\ncolumn = "DO"\nuncertainty = 0.05\nwindow = "15 min"\n'
        '[[endpoint]]\nname = "beside the laboratory"\nstatistic = "excess_error"\nmargin = 0.2\nagainst = "samples"\n'
    )
    (one,) = run_trial(made_plan(tmp_path, more=sample), tmp_path, resamples=1000).comparisons
    assert [str(each.outcome) for each in one.decisions] == ["equivalent", "non_inferior", "non_inferior"]
    assert one.decisions[2].figure.n == 40
    assert {figure.name for figure in one.samples["Winkler"]} >= {"excess_error", "candidate_error"}


def test_classes_of_a_standard_are_compared(tmp_path: Path) -> None:
    write_series(tmp_path, days=3)
    (one,) = run_trial(made_plan(tmp_path, trial='standard = "GB 3838-2002"'), tmp_path, resamples=1000).comparisons
    assert one.classes is not None
    assert int(np.sum(one.classes.confusion)) == 3 * 144


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("2026-03-01T00:10:00Z", "2026-03-01T00:00:00Z"), "stands twice"),
        (lambda text: "\n".join(text.splitlines()[:2]) + "\n", "new beside imported: 1 measured pairs"),
    ],
)
def test_of_data_that_say_nothing_the_reason_is_told(tmp_path: Path, change, says: str) -> None:
    write_series(tmp_path, days=1)
    file = tmp_path / "series.csv"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(TrialError, match=says):
        run_trial(made_plan(tmp_path), tmp_path, resamples=1000)


def test_series_that_do_not_overlap_and_rows_that_do_not_pair_are_named(tmp_path: Path) -> None:
    write_series(tmp_path, days=1)
    text = (tmp_path / "series.csv").read_text(encoding="utf-8")
    (tmp_path / "other.csv").write_text(text.replace("2026-03", "2027-03"), encoding="utf-8")
    plan = made_plan(tmp_path)
    apart = plan.model_copy(update={"reference": (plan.reference[0].model_copy(update={"file": "other.csv"}),)})
    with pytest.raises(TrialError, match=r"new beside imported: .*do not overlap"):
        run_trial(apart, tmp_path)
    (tmp_path / "other.csv").write_text("\n".join(text.splitlines()[:100]), encoding="utf-8")
    by_order = apart.model_copy(update={"alignment": plan.alignment.model_copy(update={"by": "order"})})
    with pytest.raises(TrialError, match="144 and 99 rows do not pair by order"):
        run_trial(by_order, tmp_path)


def test_a_constant_candidate_has_figures_and_no_line(tmp_path: Path) -> None:
    write_series(tmp_path, days=3)
    lines = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    stuck = [lines[0], *(",".join([*line.split(",")[:3], "8.000"]) for line in lines[1:])]
    (tmp_path / "series.csv").write_text("\n".join(stuck) + "\n", encoding="utf-8")
    (one,) = run_trial(made_plan(tmp_path), tmp_path, resamples=1000).comparisons
    assert one.grade.outcome is not Outcome.NON_INFERIOR
    for name in ("slope", "intercept", "concordance", "passing_bablok_slope"):
        figure = one.figure(name)
        assert figure is not None
        assert np.isnan([figure.value, *figure.interval]).all(), name
    json.dumps(one.to_dict(), allow_nan=False)


def test_what_moves_an_answer_after_the_first_datum_makes_it_explore(done: TrialResult) -> None:
    early = datetime.fromtimestamp(done.first_datum / 1e6 - 3600, UTC)
    late = early + timedelta(days=2)
    begun_early = begun(done.plan, Frozen(), at=early)
    assert replace(done, frozen=begun_early).is_confirmatory
    assert not replace(done, frozen=begun(done.plan, Frozen(), at=late)).is_confirmatory
    for change, is_confirmatory in (({"end": late}, False), ({"question": "again?"}, True)):
        moved = done.plan.model_copy(update={"trial": done.plan.trial.model_copy(update=change)})
        history = amended(moved, begun_early, at=late, why="because")
        assert replace(done, frozen=history).is_confirmatory is is_confirmatory
        before = amended(moved, begun_early, at=early, why="because")
        assert replace(done, frozen=before).is_confirmatory


def stratum(low: float, high: float, outcome: Outcome | None, n: int = 50) -> Stratum:
    claim = Endpoint(name="e", statistic="bias", margin=Margin(value=1.0, unit="m"))
    figure = Figure(name="bias", value=0.0, unit="m")
    made = () if outcome is None else (Decision(endpoint=claim, outcome=outcome, figure=figure, margin=1.0, reason=""),)
    return Stratum(condition="range", low=low, high=high, unit="m", n=n, decisions=made)


def test_a_grade_is_narrowed_to_neighbouring_strata_in_which_it_was_shown() -> None:
    good, open_ = Outcome.NON_INFERIOR, Outcome.INCONCLUSIVE
    pairs = Pairs.of(range(401), np.linspace(0, 4, 401), np.linspace(0, 4, 401), "m")
    decision = stratum(0, 1, good).decisions[0]
    strata = [stratum(0, 1, good), stratum(1, 2, open_), stratum(2, 3, good, 99), stratum(3, 4, good)]
    found = grade(pairs, [decision], strata, {"range": "m"})
    assert found.ranges["range"] == pytest.approx((2.0, 3.96))
    assert "0 to 1 (50 pairs), 1 to 2 (50 pairs)" in found.notes[0]
    assert found.notes[-1] == "of means alone: 95 % of single differences lay between 0 and 0 m"
    open_ends = grade(pairs, [decision], [stratum(-math.inf, 1, open_), *strata[1:], stratum(4, math.inf, open_)], {})
    assert "< 1 (50 pairs)" in open_ends.notes[0]
    assert "≥ 4 (50 pairs)" in open_ends.notes[0]
    chinese, is_told = Words("zh").told(open_ends.notes[0])
    assert is_told
    assert "< 1（50 个数据对）" in chinese
    assert "pairs" not in chinese
    unasked = grade(pairs, [decision], [stratum(0, 4, None)], {"range": "m"})
    assert unasked.ranges["range"] == pytest.approx((0.04, 3.96))
    assert "mix as met" in unasked.notes[0]
    assert "in no stratum" in grade(pairs, [decision], [stratum(0, 4, open_)], {}).notes[0]


@pytest.mark.real
def test_ozone_sensors_stand_five_hours_behind_when_their_zone_is_not_believed(real_data: Path) -> None:
    """The sensors' header tells the zone; read as UTC the clock that comes out is that of the header."""
    air = real_data / "collocation" / "epa_sensortoolkit"
    arm = {"file": "toco_toucan_RT01_raw.csv.gz", "column": "O3 (ppb)", "unit": "1e-9"}
    station = {"file": "airnowtech_example_reference_data.csv.gz", "column": "O3", "unit": "1e-9", "stands_for": "1 h"}
    plan = parse_plan(
        {
            "trial": {"title": "ozone", "property": "ozone", "unit": "1e-9"},
            "candidate": [{"name": "told", **arm}, {"name": "not told", "time_zone": "UTC", **arm}],
            "reference": [{"name": "station", **station}],
            "alignment": {"clock": "correct"},
            "endpoint": [{"name": "e", "statistic": "bias", "margin": 5, "unit": "1e-9"}],
        }
    )
    found = {one.candidate: one.alignment for one in run_trial(plan, air, resamples=1000).comparisons}
    assert abs(found["told"].clock.offset_us) < 600e6
    assert found["not told"].clock_correction_us == -5 * 3_600_000_000
    assert gather(plan, air).hash != ""
