"""Results of trials to report: real pairs, real alignments and real figures of generated water, and every outcome."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from nilometer.trials.figure import Figure
from nilometer.trials.gathering import Taken
from nilometer.trials.inference.endpoint import Decision, Endpoint, Outcome
from nilometer.trials.pairing.alignment import Rules, align, with_condition
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.planning.history import Frozen, amended, begun
from nilometer.trials.planning.plan import Plan, parse_plan
from nilometer.trials.result import Comparison, Grade, Stratum, TrialResult
from nilometer.trials.statistics.differences import lacking
from nilometer.trials.statistics.figures import classical_figures
from nilometer.trials.trial import run_trial

MINUTE, DAY = 60_000_000, 86_400_000_000
START = 1_772_323_200_000_000  # 2026-03-01 in UTC


def written(**changes) -> dict:
    """A plan as its file has it."""
    return {
        "trial": {
            "title": "Optical dissolved-oxygen sensor beside the imported reference",
            "question": "Can the optical sensor take the place of the imported one at the intake of the water works?",
            "place": "Intake of the water works, right bank, 1.2 m below the surface",
            "property": "dissolved_oxygen",
            "unit": "mg L-1",
            "time_zone": "Asia/Shanghai",
            "cleaning": "wiped every seven days",
            "standard": "HJ 915-2017",
            "responsible": "Water laboratory",
            "range_edges": [0, 4, 8, 12],
        },
        "candidate": [
            {
                "name": "Optode A",
                "file": "a.csv",
                "maker": "Example Sensors",
                "model": "DO-2",
                "serial": "A-0017",
                "lot": "2026-01",
                "certificate": "JL-2026-0311, valid until 2027-01-12",
                "t90": "40 s",
                "every": "10 min",
            }
        ],
        "reference": [
            {
                "name": "Reference R",
                "file": "r.csv",
                "maker": "Imported",
                "model": "X6",
                "uncertainty": 0.05,
                "t90": "30 s",
            }
        ],
        "condition": {"temperature": {"file": "t.csv", "unit": "degree_Celsius", "edges": [5, 15, 25, 35]}},
        "maintenance": [{"start": "2026-03-08T08:00", "end": "2026-03-08T10:00", "kind": "cleaning"}],
        "endpoint": [
            {
                "name": "Accuracy",
                "statistic": "bias",
                "margin": 0.3,
                "origin": "hj355",
                "source": "HJ 355-2019, table 1: ± 0.3 mg/L beside the comparison method",
            },
            {
                "name": "Scatter",
                "statistic": "rmse",
                "margin": 0.5,
                "origin": "user",
                "source": "Half of a class width",
            },
            {"name": "Stability", "statistic": "drift", "margin": 0.02, "kind": "equivalence"},
        ],
        **changes,
    }


def plan_of(**changes) -> Plan:
    return parse_plan(written(**changes))


def wander(count: int, seed: int, memory: float = 0.97, spread: float = 1.0) -> np.ndarray:
    """A series that remembers, of unit spread."""
    noise = np.random.default_rng(seed).normal(size=count)
    values = np.empty(count)
    values[0] = noise[0]
    for i in range(1, count):
        values[i] = memory * values[i - 1] + math.sqrt(1 - memory**2) * noise[i]
    return spread * values


def water(days: float, *, bias: float, seed: int = 1, scatter: float = 0.15, step: int = 10 * MINUTE):
    """Pairs of a candidate and a reference, aligned as in a trial, with the temperature at their times."""
    count = int(days * DAY / step)
    time = START + np.arange(count, dtype=np.int64) * step
    day = (time - START) / DAY
    truth = 6.5 + 1.6 * np.sin(2 * np.pi * day) + wander(count, seed, 0.995, 0.8)
    temperature = 14 + 4 * np.sin(2 * np.pi * (day - 0.2)) + 0.2 * day
    flags = np.ones(count, np.uint8)
    flags[count // 3 : count // 3 + count // 40] = 3
    values = truth + bias + 0.004 * (truth - 6) + wander(count, seed + 1, 0.95, scatter) + 0.002 * day
    values[:: max(count // 9, 2)] = math.nan
    candidate = Arm(time=time, values=values, unit="mg L-1", name="Optode A", flags=flags, response_us=40_000_000)
    reference = Arm(
        time=time + 20_000_000,
        values=truth + np.random.default_rng(seed + 2).normal(0, 0.03, count),
        unit="mg L-1",
        name="Reference R",
        uncertainty=np.full(count, 0.05),
        response_us=30_000_000,
    )
    cleanings = [START + k * 7 * DAY for k in range(1, int(days // 7) + 1)]
    rules = Rules(maintenance=[(at - 2 * 60 * MINUTE, at) for at in cleanings], cleanings=cleanings)
    pairs, account = align(candidate, reference, rules)
    climate = Arm(time=time, values=temperature, unit="degree_Celsius", name="temperature")
    return with_condition(pairs, "temperature", climate, 10 * MINUTE), account


STRATUM = ("bias", "rmse", "lower_limit", "upper_limit")


def figures_of(pairs: Pairs, names=None) -> tuple[Figure, ...]:
    """Figures of pairs as a trial has them; the bias and the drift with what they are worth."""
    made = list(classical_figures(pairs, names))
    if len(pairs) > 9:
        made[0] = replace(made[0], n_effective=len(pairs) / 21.5, method="block_bootstrap")
    if names is None:
        drift = next((one for one in made if one.name == "theil_sen_drift"), None)
        made.append(Figure(name="class_agreement", value=0.934, unit="1", interval=(0.91, 0.957), n=9, method="wilson"))
        made.append(lacking("weighted_kappa", "1", len(pairs), "all pairs are of one class: chance alone agrees"))
        made += [replace(drift, name="drift")] if drift else []
    return tuple(made)


def decisions_of(plan: Plan, figures: tuple[Figure, ...], outcomes: tuple[Outcome, ...]) -> tuple[Decision, ...]:
    made = []
    for one, outcome in zip(plan.endpoint, outcomes, strict=True):
        figure = next((each for each in figures if each.name == one.statistic), None)
        figure = figure or Figure(name=one.statistic, value=math.nan, unit="mg L-1", n=0)
        endpoint = Endpoint(
            name=one.name,
            statistic=one.statistic,
            margin=one.as_margin(figure.unit),
            kind=one.kind,
            alpha=one.alpha,
            condition=one.condition,
        )
        made.append(Decision(endpoint=endpoint, outcome=outcome, figure=figure, margin=one.margin, reason=""))
    return tuple(made)


def comparison_of(
    plan: Plan, *, outcomes: tuple[Outcome, ...], days: float = 28, bias: float = 0.05, candidate="Optode A", **more
):
    pairs, account = water(days, bias=bias, **more)
    figures = figures_of(pairs)
    strata = []
    for name, values, unit, edges in (
        ("range", pairs.reference, "mg L-1", (0.0, 4.0, 8.0, 12.0)),
        ("temperature", pairs.conditions["temperature"], "degree_Celsius", (5.0, 15.0, 25.0, 35.0)),
    ):
        for low, high in pairwise(edges):
            part = pairs.take((values >= low) & (values < high))
            strata.append(
                Stratum(
                    condition=name,
                    low=low,
                    high=high,
                    unit=unit,
                    n=len(part),
                    figures=figures_of(part, STRATUM) if len(part) else (),
                )
            )
    weeks = []
    for begin in range(int(pairs.time[0]), int(pairs.time[-1]), 7 * DAY):
        part = pairs.take((pairs.time >= begin) & (pairs.time < begin + 7 * DAY))
        if len(part):
            weeks.append(
                Stratum(
                    condition="time",
                    low=begin,
                    high=begin + 7 * DAY,
                    unit="us",
                    n=len(part),
                    figures=figures_of(part, ["bias"]),
                )
            )
    met = {"range": (1.0, 12.0), "temperature": (9.5, 25.0)} if outcomes[0] is Outcome.NON_INFERIOR else {}
    worst = next((each for each in outcomes if each not in {Outcome.NON_INFERIOR, Outcome.EQUIVALENT}), outcomes[0])
    return Comparison(
        candidate=candidate,
        reference="Reference R",
        pairs=pairs,
        alignment=account,
        figures=figures,
        without_suspect=figures_of(pairs.take(np.arange(len(pairs)) % 7 > 0), STRATUM),
        strata=tuple(strata),
        over_time=tuple(weeks),
        decisions=decisions_of(plan, figures, outcomes),
        grade=Grade(outcome=worst, ranges=met, units={"range": "mg L-1", "temperature": "degree_Celsius"}),
    )


def frozen_of(plan: Plan) -> Frozen:
    return begun(plan, Frozen(), at=datetime(2026, 2, 20, 2, tzinfo=UTC), by="Li Wei")


def result_of(plan: Plan, comparisons: tuple[Comparison, ...], frozen: Frozen | None = None, **more) -> TrialResult:
    return TrialResult(
        plan=plan,
        frozen=frozen if frozen is not None else frozen_of(plan),
        first_datum=START,
        taken=(
            Taken(
                name="Optode A",
                place="a.csv: oxygen",
                rows=4032,
                missing=9,
                hash="a1" * 32,
                notes=("the header is in line 3",),
            ),
            Taken(name="Reference R", place="r.csv: oxygen", rows=4032, missing=0, hash="b2" * 32),
        ),
        data_hash="c3" * 32,
        comparisons=comparisons,
        version="0.1.0",
        made_at="2026-04-02T08:30:00Z",
        **more,
    )


PASS, FAIL, OPEN, NOT = Outcome.NON_INFERIOR, Outcome.INFERIOR, Outcome.INCONCLUSIVE, Outcome.NOT_TESTED
COMMAND = "nilometer trial PLAN.toml -o report.pdf"


def tiny() -> TrialResult:
    """Three pairs, of which nothing can be said."""
    plan = plan_of()
    pairs, account = water(28, bias=0.0)
    few = pairs.take(np.arange(3))
    figures = figures_of(few)
    none = Comparison(
        candidate="Optode A",
        reference="Reference R",
        pairs=few,
        alignment=replace(account, pairs=3),
        figures=figures,
        decisions=decisions_of(plan, (lacking("bias", "mg L-1", 3, "4 pairs are needed"),), (OPEN, NOT, NOT)),
        grade=Grade(outcome=OPEN),
    )
    return result_of(plan, (none,), Frozen())


HOSTILE = '#evil $x$ <script>alert("1")</script> \\ *b* _i_ `c` @ref [l] & "q" \'s\' // {0} %s \u202e\x07 \U0001f9ea'


def every_outcome() -> TrialResult:
    """Four candidates, one of each outcome, frozen late and amended, with a plan that tries to be markup."""
    document = written()
    names = [f"Candidate {letter}" for letter in "ABCD"]
    document["candidate"] = [{**document["candidate"][0], "name": name} for name in names]
    document["candidate"][3]["serial"] = "W" * 110
    document["trial"]["title"] = HOSTILE
    document["trial"]["question"] = HOSTILE + " " + "unbroken" * 30
    document["candidate"][1]["maker"] = HOSTILE
    document["endpoint"][0]["source"] = HOSTILE
    plan = parse_plan(document)
    outcomes = {
        names[0]: ((PASS, PASS, Outcome.EQUIVALENT), 0.05),
        names[1]: ((FAIL, NOT, NOT), 0.9),
        names[2]: ((PASS, OPEN, NOT), 0.27),
        names[3]: ((NOT, NOT, NOT), 0.0),
    }
    made = tuple(
        comparison_of(plan, outcomes=each, bias=bias, candidate=name, days=9, step=60 * MINUTE, seed=seed)
        for seed, (name, (each, bias)) in enumerate(outcomes.items())
    )
    made = (*made[:3], replace(made[3], decisions=(), figures=(), strata=(), over_time=(), grade=Grade(outcome=NOT)))
    noted = replace(made[2].grade, notes=("the clocks were not compared", HOSTILE))
    made = (*made[:2], replace(made[2], grade=noted), made[3])
    before = plan_of(endpoint=[{**one, "margin": one["margin"] / 2} for one in document["endpoint"]])
    frozen = amended(plan, frozen_of(before), at=datetime(2026, 3, 5, 1, tzinfo=UTC), why=HOSTILE, by="Li Wei")
    return result_of(plan, made, frozen, notes=(HOSTILE,))


def crowded() -> TrialResult:
    """Fifty thousand pairs in the order of rows, some of them bounds."""
    plan = plan_of(alignment={"by": "order"}, maintenance=[])
    pairs, account = water(347, bias=0.05)
    censored = np.zeros(len(pairs), np.int8)
    censored[5:40] = -1
    pairs = replace(pairs, reference_censored=censored, time=np.arange(len(pairs), dtype=np.int64) * 1_000_000)
    figures = figures_of(pairs, (*STRATUM, "slope", "intercept"))
    one = Comparison(
        candidate="Optode A",
        reference="Reference R",
        pairs=pairs,
        alignment=replace(account, pairs=len(pairs), censored_pairs=35),
        figures=figures,
        decisions=decisions_of(plan, figures, (PASS, PASS, Outcome.EQUIVALENT)),
        grade=Grade(outcome=PASS),
    )
    return replace(result_of(plan, (one,)), first_datum=0)


def run_in(folder: Path) -> TrialResult:
    """A trial that is run: files of two units of two lots, samples, a standard's classes, strata, and a cleaning."""
    step, count = 60 * MINUTE, 24 * 20
    time = START + np.arange(count, dtype=np.int64) * step
    truth = 6.2 + 1.5 * np.sin(np.arange(count) / 24 * 2 * np.pi) + wander(count, 5, 0.98, 0.7)
    warm = 14 + 6 * np.sin(np.arange(count) / 24 * 2 * np.pi)
    columns = {
        "a1": truth + 0.05 + wander(count, 6, 0.8, 0.1),
        "b2": truth + 0.85 + wander(count, 7, 0.8, 0.2),
        "r": truth + np.random.default_rng(8).normal(0, 0.03, count),
        "t": warm,
    }
    stamps = [datetime.fromtimestamp(each / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for each in time.tolist()]
    for name, values in columns.items():
        rows = [f"{stamp},{value:.3f}" for stamp, value in zip(stamps, values, strict=True) if stamp[11:13] != "17"]
        (folder / f"{name}.csv").write_text("\n".join([f"time,{name}", *rows]) + "\n", encoding="utf-8")
    grabs = [f"{stamps[i]},{truth[i] + 0.02:.2f}" for i in range(10, count, 24)]
    (folder / "lab.csv").write_text("\n".join(["time,lab", *grabs]) + "\n", encoding="utf-8")
    document = written()
    document["trial"] |= {"standard": "GB 3838-2002", "range_edges": [5, 7.5]}
    common = {"unit": "mg L-1", "every": "1 h", "t90": "40 s"}
    document["candidate"] = [
        {"name": "A-1", "file": "a1.csv", "column": "a1", "lot": "2026-01", "serial": "A-1", **common},
        {"name": "B-2", "file": "b2.csv", "column": "b2", "lot": "2026-02", "serial": "B-2", **common},
    ]
    document["reference"] = [{"name": "R", "file": "r.csv", "column": "r", "uncertainty": 0.05, **common}]
    document["sample"] = [
        {"name": "Winkler", "file": "lab.csv", "column": "lab", "unit": "mg L-1", "uncertainty": 0.04, "window": "1 h"}
    ]
    document["condition"] = {
        "temperature": {"file": "t.csv", "column": "t", "unit": "degree_Celsius", "edges": [12, 16]}
    }
    (folder / "visits.csv").write_text("start,end\n2026-03-08T08:00Z,2026-03-08T10:00Z\n", encoding="utf-8")
    document["maintenance"] = [{"file": "visits.csv"}]
    document["endpoint"] = document["endpoint"][:2]
    plan = parse_plan(document)
    return run_trial(plan, folder, frozen=frozen_of(plan), resamples=1000, now=datetime(2026, 4, 2, tzinfo=UTC))
