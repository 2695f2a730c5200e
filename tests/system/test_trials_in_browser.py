"""A trial by its pages, in a real browser on a real server: planned, frozen, run, answered, in two languages."""

from __future__ import annotations

import datetime as dt
import json
import shlex

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from nilometer.cli.main import app
from tests.system.browser import CHROMIUM, Witness, browser
from tests.system.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM} (set NILOMETER_CHROMIUM)"),
]
BEGIN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
N = 7 * 144
KEYS = ("bridge/new", "bridge/imported")


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("station"))
    try:
        streams = [{"key": key, "thing": "bridge", "property": "dissolved_oxygen"} for key in KEYS]
        server.client.configure([{"key": "bridge", "name": "Bridge", "water_body": "river"}], streams)
        noise = np.random.default_rng(5)
        water = 8.0 + np.sin(2 * np.pi * np.arange(N) / 144)
        times = [BEGIN + dt.timedelta(minutes=10 * step) for step in range(N)]
        for key, bias in zip(KEYS, (0.02, 0.0), strict=True):
            values = water + bias + noise.normal(0.0, 0.05, N)
            server.client.write(
                pa.table({"datastream": [key] * N, "phenomenon_time": pa.array(times), "result": values})
            )
        yield server
        server.stop()
    finally:
        server.kill()


def made_again(station, folder):
    """Fetch the trial, run it by the command that its result names, and return its data's hash."""
    found = station.client.trials.result(1)
    steps = [shlex.split(step)[1:] for step in found["command"].split(" && ")]
    steps[0][steps[0].index("PLAN.json")] = steps[1][steps[1].index("PLAN.json")] = str(folder / "PLAN.json")
    for step in (steps[0], [*steps[1], "--resamples", "1000", "--json"]):
        answer = CliRunner().invoke(app, step)
        assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)["data_hash"]


def put_scatter_before_it(page):
    """Add a second endpoint and move it before the first, by the keyboard alone; its margin cannot be."""
    page.get_by_test_id("add-endpoint").press("Enter")
    page.get_by_test_id("plan-endpoint1").fill("scatter")
    page.get_by_test_id("plan-margin1").fill("-1")
    page.get_by_test_id("plan-source1").fill("chosen for this test")
    claim = page.locator("[data-endpoint='1']")
    claim.get_by_label("Statistic", exact=True).select_option("rmse")
    claim.get_by_label("To be shown").select_option("non_inferiority")
    claim.get_by_role("button", name="Earlier: scatter").press("Enter")
    expect(page.get_by_test_id("plan-endpoint")).to_have_value("scatter")


def size_it(page):
    page.get_by_test_id("pilot-start").fill("2026-03-02T00:00")
    page.get_by_test_id("pilot-end").fill("2026-03-09T00:00")
    page.get_by_test_id("size").click()
    expect(page.get_by_test_id("sizes").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_test_id("sizes")).to_contain_text("mean difference")


def test_a_trial_is_planned_frozen_run_and_answered(station, tmp_path):
    with browser(tmp_path / "profile") as context:
        page = context.new_page()
        witness = Witness(page, station.address)
        page.goto(f"{station.address}/trials")
        expect(page.get_by_test_id("no-trials")).to_be_visible()
        page.get_by_test_id("new-trial").click()
        page.get_by_test_id("plan-candidate").select_option(KEYS[0])
        page.get_by_test_id("plan-reference").select_option(KEYS[1])
        for field, text in {
            "title": "New beside imported",
            "start": "2026-03-02T00:00",
            "end": "2026-03-09T00:00",
            "endpoint": "mean difference",
            "margin": "0.2",
            "source": "chosen for this test",
            "by": "Li Na",
        }.items():
            page.get_by_test_id(f"plan-{field}").fill(text)
        put_scatter_before_it(page)
        page.get_by_test_id("plan-save").click()
        refused = page.get_by_test_id("field-error")
        expect(refused).to_have_text("input should be greater than 0")
        assert refused.evaluate("said => said.parentElement.dataset.field") == "endpoint[0].margin"
        expect(page.get_by_test_id("plan-margin")).to_be_focused()
        page.get_by_test_id("plan-margin").fill("0.3")
        page.get_by_test_id("plan-save").click()
        state = page.get_by_test_id("trial-state")
        expect(state).to_have_attribute("data-state", "draft")
        expect(page.get_by_test_id("plan-endpoints").locator("li").first).to_contain_text("1. scatter")
        size_it(page)
        page.get_by_test_id("freeze").press("Enter")
        page.get_by_test_id("freeze-by").press("Escape")
        expect(page.get_by_test_id("freeze")).to_be_focused()
        page.get_by_test_id("freeze").press("Enter")
        page.get_by_test_id("freeze-by").press("Enter")
        expect(state).to_have_attribute("data-state", "ended")
        expect(page.get_by_test_id("plan-history")).to_contain_text("Li Na")
        page.get_by_test_id("run").click()
        expect(page.get_by_test_id("trial-answer")).to_contain_text("Not inferior")
        expect(page.get_by_test_id("standing")).to_have_attribute("data-confirmatory", "false")
        expect(state).to_have_attribute("data-state", "decided")
        decisions = page.get_by_test_id("decision")
        outcomes = ["non_inferior", "equivalent"]
        assert decisions.evaluate_all("all => all.map((one) => one.dataset.outcome)") == outcomes
        for plot in ("agreement", "regression", "drift"):
            drawn = page.get_by_test_id(f"plot-{plot}").locator("path.points").first
            assert drawn.get_attribute("d").count("M") > 500
        page.get_by_test_id("table-agreement").locator("summary").press("Enter")
        expect(page.get_by_test_id("table-agreement").get_by_role("row")).to_have_count(4)
        expect(page.get_by_test_id("trial-figures")).to_contain_text("block bootstrap")
        known = station.client.trials.result(1)
        expect(page.get_by_test_id("trial-evidence")).to_contain_text(known["data_hash"])
        page.get_by_test_id("lang-switch").get_by_role("button", name="中文").click()
        expect(page.get_by_test_id("trial-answer")).to_contain_text("非劣效")
        expect(page.get_by_test_id("trial-figures")).to_contain_text("分块自助法")
        page.go_back()
        expect(page.get_by_test_id("trial-answer")).to_contain_text("Not inferior")
        with page.expect_download() as pdf:
            page.get_by_role("link", name="English PDF").press("Enter")
        assert pdf.value.suggested_filename.endswith("-en.pdf")
        assert pdf.value.path().read_bytes().startswith(b"%PDF")
        assert station.client.trials.report(1, "html", "zh").startswith(b"<!")
        assert made_again(station, tmp_path) == known["data_hash"]
        arguments = ["--server", station.address, "--by", "Li Na", "-o", str(tmp_path / "report.html")]
        started = CliRunner().invoke(app, ["trial", "start", "1", *arguments])
        assert "new beside imported: non inferior\n" in started.output, started.output
        assert known["data_hash"] in (tmp_path / "report.html").read_text(encoding="utf-8")
        listed = CliRunner().invoke(app, ["trial", "list", "--server", station.address]).output
        assert "New beside imported (new: non inferior)" in listed
        page.close()
        # The one refusal that was asked for, as the browser tells it.
        assert [one for one in witness.complaints if "400" not in one] == []
        assert sum("400" in one for one in witness.complaints) == 2
