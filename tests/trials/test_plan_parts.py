"""What a plan says beyond two series: references as one, a norm, the tide, classes, parts of the water."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tests.trials.made_trial import STEP_US, made_plan, write_series

from nilometer.trials.grading import decided_strata, grade
from nilometer.trials.inference.deciding import Sampling, decide
from nilometer.trials.inference.endpoint import SHOWN, Endpoint, Margin, Outcome
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.pairing.strata import by_condition
from nilometer.trials.planning.plan import Plan, parse_plan
from nilometer.trials.report import charts_of_figures, charts_of_pairs, dependence, render_html
from nilometer.trials.result import Stratum, TrialResult
from nilometer.trials.trial import run_trial


def with_references(plan: Plan, *names: str, **told: object) -> Plan:
    document = plan.model_dump(mode="json")
    arm = document["reference"][0]
    document["reference"] = [arm | {"name": name, "column": name} for name in names]
    return parse_plan(document | {"references": told})


def reported(done: TrialResult, *texts: str) -> None:
    json.dumps(done.to_dict(), allow_nan=False)
    for text in texts:
        language = "en" if text.isascii() else "zh"
        with pytest.MonkeyPatch.context() as patch:
            # Words alone: `report/test_report.py` looks at the pictures, and drawing them takes longer than a trial.
            for module in (charts_of_figures, charts_of_pairs, dependence):
                patch.setattr(module, "svg_of", lambda _figure: "<svg></svg>")
            assert text in render_html(done, language=language, command="nilometer trial PLAN.toml")


def test_references_that_agree_are_one_and_those_that_do_not_are_each_by_itself(tmp_path: Path) -> None:
    write_series(tmp_path, days=20, biases={"new": 0.02, "two": 0.0, "off": 0.5})
    plan = made_plan(tmp_path)
    done = run_trial(
        with_references(plan, "old", "two", combine=True, agree_within=0.1, name="both"), tmp_path, resamples=1000
    )
    (one,) = done.comparisons
    assert one.reference == "both"
    combination = done.references.combination
    assert combination is not None
    assert combination.weights == pytest.approx((0.5, 0.5))
    assert one.pairs.reference_uncertainty[0] == pytest.approx(combination.birge_ratio * 0.02 / np.sqrt(2))
    reported(done, "They are compared as one, of weights old ", "合并为一个参比")
    apart = run_trial(
        with_references(plan, "old", "two", "off", combine=True, agree_within=0.1), tmp_path, resamples=1000
    )
    assert [each.reference for each in apart.comparisons] == ["old", "two", "off"]
    assert apart.references.combination is None
    assert apart.notes[0].endswith("that they agree: old and off, two and off")
    reported(apart, "未合并参比仪器")


def test_what_a_reference_errs_is_found_where_the_plan_asks_for_it(tmp_path: Path) -> None:
    """The file's reference errs by 0.02, what is made of it by 0.05; the two and the candidate tell it."""
    write_series(tmp_path, days=20, biases={"new": 0.02, "two": 0.0})
    plan = with_references(made_plan(tmp_path), "old", "two", uncertainty="estimated")
    done = run_trial(plan, tmp_path, resamples=1000)
    assert done.references.errors["old"].sd == pytest.approx(0.02, abs=0.005)
    assert done.references.errors["two"].sd == pytest.approx(0.05, abs=0.01)
    found = [one.pairs.reference_uncertainty[0] for one in done.comparisons]
    assert found == [done.references.errors[name].sd for name in ("old", "two")]
    reported(done, "由三台仪器估计的old随机误差")


def test_a_norm_speaks_beside_the_decision(tmp_path: Path) -> None:
    """Ammonia of 8 to 12 mg/L: 15 % of the laboratory's, so that an offset of 0.3 passes, and one of 3 does not."""
    write_series(tmp_path, days=12, biases={"new": 3.0})
    rows = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    lab = "\n".join(",".join(row.split(",")[i] for i in (0, 2)) for row in rows[70::288])
    (tmp_path / "lab.csv").write_text(f"Time,NH3N (mg/L)\n{lab}\n", encoding="utf-8")
    sample = '[[sample]]\nname = "lab"\nfile = "lab.csv"\ncolumn = "NH3N"\nwindow = "15 min"\nnorm = "hj355-2019"\n'
    document = made_plan(tmp_path).model_dump()
    document["trial"]["property"] = "nh3_n"
    plan = parse_plan(document | tomllib.loads(sample))
    done = run_trial(plan, tmp_path, resamples=1000)
    found = done.comparisons[0].norms["lab"]
    assert found.candidate is not None
    assert found.reference is not None
    assert (found.candidate.passes, found.reference.passes) == (False, True)
    assert (len(found.candidate.errors), found.candidate.needed) == (6, 4)
    reported(done, "By HJ 355-2019 new does not pass: 0 of 6", "imported合格：6")


def test_the_tide_is_a_condition_that_a_claim_may_name(tmp_path: Path) -> None:
    write_series(tmp_path, days=20)
    rows = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    hours = np.arange(len(rows) - 1) / 6.0
    level = 2.0 + np.cos(2 * np.pi * hours / 12.4206) + 0.3 * np.cos(2 * np.pi * hours / 12.0)
    lines = [f"{row.split(',')[0]},{value:.4f}" for row, value in zip(rows[1:], level, strict=True)]
    (tmp_path / "level.csv").write_text("\n".join(["Time,level (m)", *lines]), encoding="utf-8")
    tide = '[tide]\nfile = "level.csv"\ncolumn = "level"\nedges = [0.25, 0.75]\nby = "{}"\n'
    phases = []
    for by in ("observed", "harmonic"):
        more = f"condition = {{tide_phase = [0.0, 0.5]}}\n{tide.format(by)}"
        done = run_trial(made_plan(tmp_path, more=more), tmp_path, resamples=1000)
        (one,) = done.comparisons
        assert one.decisions[1].figure.n == pytest.approx(len(one.pairs) / 2, rel=0.05)
        assert [each.n > 500 for each in one.strata if each.condition == "tide_phase"][:3] == [True] * 3
        phases.append(one.pairs.conditions["tide_phase"])
    apart = np.abs(phases[0] - phases[1])
    assert np.nanquantile(np.minimum(apart, 1 - apart), 0.99) < 0.02
    assert np.isfinite(phases[1]).all()  # where the level begins and ends the harmonic tide is known, too
    reported(done, "高潮间相位")


@pytest.mark.parametrize("classes", ['standard = "GB 3838-2002"', "class_edges = [2, 3, 5, 6, 7.5]"])
def test_a_claim_on_classes_takes_them_from_a_standard_or_from_the_plan(tmp_path: Path, classes: str) -> None:
    write_series(tmp_path, days=10)
    claim = '[[endpoint]]\nname = "class"\nstatistic = "class_agreement"\nmargin = 0.1\n'
    done = run_trial(made_plan(tmp_path, trial=classes, more=claim), tmp_path, resamples=1000)
    (one,) = done.comparisons
    assert one.classes is not None
    assert one.decisions[2].figure.value == pytest.approx(one.classes.agreement.value)
    assert one.decisions[2].figure.interval[0] > 0.5
    reported(done)


def test_where_the_whole_water_fails_the_answer_names_the_parts_that_hold(tmp_path: Path) -> None:
    """Off by 0.5 where the water is warm: shown below 14 degrees alone, if the plan kept a share."""
    write_series(tmp_path, days=40, biases={"new": 0.0})
    lines = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines[1:]]
    off = [[*row[:3], f"{float(row[3]) + 0.5 * (float(row[1]) > 14):.3f}"] for row in cells]
    (tmp_path / "series.csv").write_text("\n".join([lines[0], *(",".join(row) for row in off)]), encoding="utf-8")
    (tmp_path / "kept").mkdir()
    done = run_trial(made_plan(tmp_path, more="[strata]\nshare = 0.2\n"), tmp_path, resamples=1000)
    answer = done.comparisons[0].grade
    assert answer.outcome not in SHOWN
    # Below 8 mg/L the water is never so warm; 9 to 11 mg/L hold both and fail.
    told = {(one.condition, one.low, one.high) for one in answer.parts}
    assert ("temperature", 8.0, 14.0) in told
    assert ("temperature", 14.0, 30.0) not in told
    assert any("shown alone at temperature" in note for note in answer.notes)
    assert done.comparisons[0].decisions[0].endpoint.alpha == pytest.approx(0.02)
    reported(done, "in each of these parts, declared beforehand", "温度为下列区间时单独得到证实")
    plain = run_trial(made_plan(tmp_path), tmp_path, resamples=1000).comparisons[0].grade
    assert plain.parts == ()


def test_parts_of_a_water_are_wrongly_called_in_no_more_than_alpha() -> None:
    """All water and three of its four parts lie on the margin: any call of these is wrong, and they are alpha together.

    One part is inside it, so that Holm's steps are taken and the others get its share.
    """
    rng = np.random.default_rng(7)
    alpha, share, wrong, trials = 0.1, 0.4, 0, 200
    where = np.tile([0.5, 1.5, 2.5, 3.5], 40)
    bias = np.array([-1.0, 1.0, 1.0, -0.6])[where.astype(int)]
    claim = Endpoint(name="e", statistic="bias", margin=Margin(value=1.0, unit="m"), alpha=alpha)
    for _ in range(trials):
        noise = rng.normal(size=len(where))
        pairs = Pairs.of(
            np.arange(len(where)) * STEP_US, 8 + bias + noise, np.full(len(where), 8.0), "m", conditions={"c": where}
        )
        how = Sampling(resamples=100)
        kept = Endpoint(name="e", statistic="bias", margin=claim.margin, alpha=alpha * share)
        parts = [
            (Stratum(condition="c", low=part.low, high=part.high, unit="1", n=len(part.pairs)), part.pairs)
            for part in by_condition(pairs, "c", [1.0, 2.0, 3.0])
        ]
        all_water = Endpoint(name="e", statistic="bias", margin=Margin(value=0.1, unit="m"), alpha=alpha * (1 - share))
        whole = decide(pairs, [all_water], sampling=how, sensitivity=False)
        strata = decided_strata(parts, [kept], sampling=how)
        found = grade(pairs, whole, strata, {"c": "1"}, is_kept=True)
        assert found.outcome is not Outcome.NON_INFERIOR or not found.parts
        called = {one.low for one in found.parts}
        wrong += bool(called & {-np.inf, 1.0, 2.0}) or found.outcome in SHOWN
    assert wrong <= trials * alpha + 2 * np.sqrt(trials * alpha * (1 - alpha))


@pytest.mark.real
def test_of_a_group_of_five_thermometers_four_are_not_as_one(real_data: Path, tmp_path: Path) -> None:
    """Twenty days are worth 14 pairs of them: within 5 K four are one reference, within 0.1 K two are not."""
    file = {"file": "tempSensorGroup.csv.gz", "unit": "degree_Celsius"}
    names = ["temp2", "temp3", "temp4", "temp5"]
    found = {}
    for within, count in ((5.0, 4), (0.1, 2)):
        plan = {
            "trial": {
                "title": "One beside four of its group",
                "property": "water_temperature",
                "unit": "degree_Celsius",
                "start": "2017-01-01",
                "end": "2017-01-21",
            },
            "candidate": [{"name": "temp1", "column": "temp1", **file}],
            "reference": [{"name": name, "column": name, **file} for name in names[:count]],
            "references": {"combine": True, "agree_within": within, "uncertainty": "estimated"},
            "endpoint": [{"name": "bias", "statistic": "bias", "margin": 1.0, "unit": "K"}],
        }
        found[within] = run_trial(parse_plan(plan), real_data / "water_quality" / "saqc", resamples=1000)
    assert [one.reference for one in found[5.0].comparisons] == ["references"]
    assert [one.reference for one in found[0.1].comparisons] == names[:2]
    assert len(found[5.0].references.differences) == 6
    reported(found[5.0], "compared as one")
    reported(found[0.1], "not combined")
