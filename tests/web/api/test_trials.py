"""Trials over HTTP: from a plan to its decision, with what must not be seen, changed or taken back on the way."""

from __future__ import annotations

import asyncio
import json
import re
import threading

import msgspec
import numpy as np
import pytest

from nilometer.pipeline.trial_rows import StoreRows
from nilometer.pipeline.trial_running import TrialRunner
from nilometer.trials.planning.freezing import verify
from nilometer.trials.planning.plan import load_plan
from nilometer.trials.trial import run_trial
from nilometer.web.times import parse_moment
from tests.web.conftest import MINUTE, NOON

STEP = 10 * MINUTE
N = 432  # three days
PLAN = """
[trial]
title = "Optode A beside the imported one"
property = "dissolved_oxygen"
unit = "mg L-1"
start = 2021-03-05T12:00:00Z
end = 2021-03-08T12:00:00Z

[[candidate]]
name = "A-17"
datastream = "river/new"
every = "10 min"

[[reference]]
name = "imported"
datastream = "river/dissolved_oxygen"
every = "10 min"

[[maintenance]]
start = 2021-03-06T12:00:00Z
end = 2021-03-06T13:00:00Z

[[endpoint]]
name = "mean difference"
statistic = "bias"
margin = 0.3
kind = "equivalence"
source = "a fifth of the width of class III"
"""


async def send(station, method, path, body=None, status=200):
    content = None if body is None else msgspec.json.encode(body)
    answer = await station.client.request(method, path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    return msgspec.json.decode(answer.content)


async def ran(station, number):
    await send(station, "POST", f"/api/v1/trials/{number}/run", {"by": "Li Na"}, 202)
    for _ in range(3000):
        told = await station.json("/api/v1/trials/running")
        if not told["running"]:
            assert told["error"] == ""
            return await station.json(f"/api/v1/trials/{number}/result")
        await asyncio.sleep(0.02)
    raise AssertionError(told)


async def fill(station, first, last):
    noise = np.random.default_rng(7)
    water = 8.0 + np.cumsum(noise.normal(0, 0.05, N)) * 0.5
    rows = slice(first, last)
    for key, values in (
        ("river/new", water + 0.02 + noise.normal(0, 0.05, N)),
        ("river/dissolved_oxygen", water + noise.normal(0, 0.05, N)),
    ):
        await station.ingest(key, NOON + first * STEP, values[rows].tolist(), step=STEP)


@pytest.fixture
async def trial(station):
    """A frozen trial of which the half is over."""
    table = {"key": "river/new", "thing": "river", "property": "dissolved_oxygen"}
    await send(station, "POST", "/api/v1/datastreams", {"thing": [], "datastream": [table]})
    station.clock.now = NOON - MINUTE
    made = await send(station, "POST", "/api/v1/trials", {"toml": PLAN, "by": "Li Na"}, 201)
    assert (made["state"], made["history"]) == ("draft", [])
    path = f"/api/v1/trials/{made['id']}"
    plan = made["plan"] | {"endpoint": [made["plan"]["endpoint"][0] | {"margin": 0.2}]}
    changed = await send(station, "PUT", path, {"plan": plan, "by": "Li Na"})
    body = {"by": "Li Na", "plan_hash": made["plan_hash"]}
    assert (
        "not the plan that was seen" in (await send(station, "POST", f"{path}/freeze", body, 409))["error"]["message"]
    )
    frozen = await send(station, "POST", f"{path}/freeze", body | {"plan_hash": changed["plan_hash"]})
    assert frozen["state"] == "waiting"
    await fill(station, 0, N // 2)
    station.clock.now = NOON + N // 2 * STEP
    return made["id"]


def check_lines(drawn, comparison):
    """Check what is drawn through the pairs against the figures that the table has."""
    figures = {one["name"]: one for one in comparison["figures"]}
    level, sloping = figures["bias"]["value"], drawn["sloping"]
    assert sloping["lower"][1] < sloping["bias"][1] < sloping["upper"][1]
    assert sloping["bias"][0] < level < sloping["bias"][2] or sloping["bias"][2] < level < sloping["bias"][0]
    line = next(one for one in drawn["lines"] if one["name"] == "slope")
    slope, intercept = figures["slope"]["value"], figures["intercept"]["value"]
    np.testing.assert_allclose(line["y"], intercept + slope * np.array(line["x"]))
    half = (np.array(line["high"]) - np.array(line["low"])) / 2
    place = int(np.argmin(half))
    assert 0 < place < len(half) - 1  # a line is surest in the middle of what was met
    # Far from there the band widens by as much as the slope may err.
    far = (figures["slope"]["interval"][1] - figures["slope"]["interval"][0]) / 2 * (line["x"][-1] - line["x"][place])
    assert 0.7 * far < half[-1] < 1.5 * (far + half[place])
    assert [one["n"] for one in drawn["drift"]] == [143, N - 7 - 143]  # either side of the cleaning
    for one in drawn["drift"]:
        assert one["interval"][0] < one["slope"] < one["interval"][1]
        days = (one["end"] - one["start"]) / 86_400_000
        assert one["last"] - one["first"] == pytest.approx(one["slope"] * days)


async def test_a_trial_runs_from_its_plan_to_a_report_and_is_repeatable(station, trial, tmp_path):
    path = f"/api/v1/trials/{trial}"
    found = await station.json(f"{path}/progress")
    assert found["share"] == 0.5
    # The newest value is not judged before the next one: a spike shows by both of its neighbours.
    usable = N // 2 - 1
    assert [(arm["rows"], arm["due"], arm["usable"]) for arm in found["arms"]] == [(N // 2, N // 2, usable)] * 2
    assert found["arms"][0]["yield"] == usable / (N // 2)
    assert (found["pairs"][0]["pairs"], found["cleanings"]) == (usable - 6, 1)

    interim = await ran(station, trial)
    one = interim["comparisons"][0]
    assert (interim["decided"], one["decisions"], one["grade"]) == (False, [], None)
    assert one["figures"]
    assert "descriptive" in interim["interim"]
    assert (await station.json(path))["state"] == "under_way"
    assert "not decided" in (await station.json(f"{path}/report.html", 409))["error"]["message"]

    await fill(station, N // 2, N)
    station.clock.now = NOON + N * STEP
    assert (await station.json(path))["state"] == "ended"
    result = await ran(station, trial)
    decision = result["comparisons"][0]["decisions"][0]
    assert (decision["outcome"], decision["allowed"]) == ("equivalent", [-0.2, 0.2])
    assert set(decision["told"]) == {"en", "zh"}
    assert result["words"]["names"]["statistic.bias"] == {"en": "Bias", "zh": "偏倚"}
    assert result["words"]["symbols"]["mg L-1"] == "mg/L"
    assert result["is_confirmatory"]
    listed = (await station.json("/api/v1/trials"))["trials"][0]
    assert (listed["state"], listed["outcomes"][0]["outcome"]) == ("decided", "equivalent")
    assert len((await station.json(path))["runs"]) == 2

    plots = await station.json(f"{path}/plots")
    pairs = plots["comparisons"][0]["pairs"]
    assert pairs["all"] == len(pairs["time"]) == N - 7
    assert sum(plots["comparisons"][0]["histogram"]["counts"]) == N - 7
    check_lines(plots["comparisons"][0], result["comparisons"][0])
    assert plots["marks"][0]["kind"] == "cleaning"

    # What comes later changes nothing that was shown: the moment is kept, and gives the same data again.
    await station.ingest("river/new", NOON, [1.0, 1.0, 1.0], step=STEP)
    station.pipeline.trials._results.clear()
    page = await station.client.get(f"{path}/report.html?language=zh")
    assert page.status_code == 200, page.text
    assert result["data_hash"] in page.text

    (tmp_path / "PLAN.json").write_text(json.dumps((await station.json(path))["plan"]))
    (tmp_path / "PLAN.frozen.json").write_text(json.dumps(await station.json(f"{path}/frozen")))
    plan = load_plan(tmp_path / "PLAN.json")
    command = re.search(rf"trial fetch {trial} .* --as-of (20\S+)", result["command"])
    again = run_trial(
        plan,
        frozen=verify(plan, tmp_path / "PLAN.json"),
        rows=StoreRows(station.pipeline.store, parse_moment(command[1], "as_of")),
        resamples=1000,
    )
    assert (again.data_hash, again.frozen.hash) == (result["data_hash"], (await station.json(path))["hash"])
    acts = [row.action for row in station.pipeline.store.catalog.ledger.audit() if row.subject == f"trial/{trial}"]
    assert acts == ["trial.create", "trial.change", "trial.freeze", "trial.run", "trial.run"]


async def test_a_frozen_trial_changes_by_amendments_alone_and_stays(station, trial):
    path = f"/api/v1/trials/{trial}"
    known = await station.json(path)
    plan = known["plan"]
    for method, part, body in (
        ("PUT", "", {"plan": plan, "by": "Li Na"}),
        ("POST", "/withdraw", {"by": "Li Na"}),
        ("POST", "/freeze", {"by": "Li Na"}),
    ):
        said = await send(station, method, path + part, body, 409)
        assert said["error"]["code"] == "trial_error"
        assert "is frozen since 2021-03-05T11:59:00Z" in said["error"]["message"]
    wider = plan | {"endpoint": [plan["endpoint"][0] | {"margin": 0.5}]}
    await send(station, "POST", f"{path}/amend", {"plan": wider, "why": " ", "by": "Li Na"}, 400)
    amended = await send(station, "POST", f"{path}/amend", {"plan": wider, "why": "flood", "by": "Li Na"})
    assert [entry["why"] for entry in amended["history"]] == ["", "flood"]
    assert amended["history"][1]["changes"] == [{"key": "endpoint[0].margin", "before": 0.2, "after": 0.5}]
    assert amended["history"][1]["before"] == known["hash"] != amended["hash"]


async def test_one_trial_is_run_at_a_time_and_is_given_up_within_a_batch_of_resamples(station, trial, monkeypatch):
    drawing, go, heard = threading.Event(), threading.Event(), TrialRunner._hear
    steps = []

    def held(self, told):
        steps.append(told.part)
        heard(self, told)
        if told.part == "resamples" and told.done:
            drawing.set()
            assert go.wait(60)

    monkeypatch.setattr(TrialRunner, "_hear", held)
    path = f"/api/v1/trials/{trial}"
    assert (await send(station, "DELETE", f"{path}/run", None, 404))["error"]["code"] == "not_found"
    await send(station, "POST", f"{path}/run", {}, 202)
    assert await asyncio.to_thread(drawing.wait, 60)
    told = await station.json("/api/v1/trials/running")
    assert (told["comparison"]["about"], told["comparison"]["done"], told["comparison"]["of"]) == (
        "A-17 beside imported", 0, 1,
    )  # fmt: skip
    assert told["step"]["part"] == "figures"
    assert 0 < told["resamples"]["done"] < told["resamples"]["of"] == 10_000
    assert "is being run" in (await send(station, "POST", f"{path}/run", {}, 503))["error"]["message"]
    given_up = await send(station, "DELETE", f"{path}/run")
    assert (given_up["running"], given_up["is_given_up"]) == (True, True)
    known = len(steps)
    go.set()
    station.pipeline.trials.stop()
    assert steps[known:] == ["resamples"]  # where the next batch would have been drawn
    told = await station.json("/api/v1/trials/running")
    assert (told["running"], told["is_given_up"], told["error"]) == (False, False, "cancelled")
    assert "was never run" in (await station.json(f"{path}/result", 404))["error"]["message"]
    # A server that is started again knows of no run, and runs the trial anew.
    again = TrialRunner(station.pipeline.store, station.clock, resamples=1000)
    assert (again.progress.running, again.last(trial)) == (False, None)
    again.start(trial, "Li Na")
    again._thread.join()
    assert (again.progress.error, again.last(trial).document["decided"]) == ("", False)


async def test_a_trial_is_sized_by_a_pilot_and_a_frozen_one_not_by_its_own_data(station, trial):
    path = f"/api/v1/trials/{trial}"
    pilot = {"start": "2021-03-05T12:00:00Z", "end": "2021-03-06T12:00:00Z"}
    said = await send(station, "POST", f"{path}/size", pilot, 409)
    assert "not sized by its own data" in said["error"]["message"]
    plan = (await station.json(path))["plan"]
    plan["endpoint"][0]["margin"] = 0.02
    draft = (await send(station, "POST", "/api/v1/trials", {"plan": plan, "by": "Li Na"}, 201))["id"]
    path = f"/api/v1/trials/{draft}"
    sized = {}
    for power in (0.8, 0.95):
        found = await send(station, "POST", f"{path}/size", {**pilot, "power": power, "difference": 0.0})
        assert [one["endpoint"] for one in found["sizes"]] == ["mean difference"]
        sized[power] = found["sizes"][0]["sizing"]
    assert sized[0.8]["days"] < sized[0.95]["days"]
    assert (sized[0.8]["margin"], sized[0.8]["alpha"]) == (0.02, 0.025)
    assert sized[0.8]["grab_samples"] >= 20
    for wrong, says in (
        ({"end": pilot["start"]}, "begins before"),
        ({"end": "2021-03-05T12:05:00Z"}, "none of 1 results"),
    ):
        said = await send(station, "POST", f"{path}/size", pilot | wrong, 409 if "none" in says else 400)
        assert says in said["error"]["message"]


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        ({"candidate": [{"name": "a", "file": "a.csv"}]}, "candidate[0].file", "a server reads no files"),
        ({"candidate": [{"name": "a", "datastream": "river/dissolved_oxigen"}]}, "candidate[0].datastream", "did you"),
        ({"candidate": [{"name": "a", "datastream": "river/dissolved_oxygen"}]}, "reference[0].datastream", "itself"),
        ({"candidate": [{"name": "a", "datastream": "sea/water_temperature"}]}, "", "candidate[0].datastream"),
        ({"endpoint": [{"name": "e", "statistic": "bias", "margin": -1}]}, "endpoint[0].margin", "greater than 0"),
    ],
)
async def test_a_plan_that_this_server_cannot_serve_is_refused_with_its_place(station, change, place, says):
    plan = {
        "trial": {"title": "t", "property": "dissolved_oxygen", "unit": "mg L-1"},
        "candidate": [{"name": "a", "datastream": "river/ph"}],
        "reference": [{"name": "b", "datastream": "river/dissolved_oxygen"}],
        "endpoint": [{"name": "e", "statistic": "bias", "margin": 0.1}],
        **change,
    }
    error = (await send(station, "POST", "/api/v1/trials", {"plan": plan, "by": "Li Na"}, 400))["error"]
    assert error["place"] == place
    assert says in error["message"]
