"""``nilometer trial`` as its users call it: a plan made, frozen, amended, run; a quick look; a pilot; and mistakes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Called, nilometer
from tests.trials.made_trial import made_plan, write_series


def called(*arguments: object, status: int = 0) -> Called:
    found = nilometer(*arguments)
    assert found.code == status, found.err
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_series(tmp_path, days=12)
    made_plan(tmp_path)
    return tmp_path


def test_a_plan_is_frozen_amended_and_run_to_its_reports(folder: Path) -> None:
    plan = folder / "plan.toml"
    assert "not frozen" in called("trial", "check", plan).out
    frozen = called("trial", "freeze", plan, "--by", "Li Na")
    assert "frozen since" in frozen.out
    plan.write_text(plan.read_text(encoding="utf-8").replace("margin = 0.1", "margin = 0.15"), encoding="utf-8")
    changed = called("trial", plan, status=2)
    assert "endpoint[0].margin was 0.1, is 0.15" in changed.err
    amended = called("trial", "amend", plan, "--why", "the permit was changed")
    assert "endpoint[0].margin: 0.1 became 0.15" in amended.out
    assert "amended: the permit was changed" in called("trial", "check", plan).out

    told = called("trial", plan, "-o", folder / "report.pdf", "--resamples", "1000")
    assert "new beside imported: not inferior, at" in told.out
    assert "explores" in told.out  # the data are older than the plan
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    secret = ["--token", "a token that is nobody's business"]
    called("trial", plan, "-o", folder / "report.html", "--language", "zh", "--resamples", "1000", *secret)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "非劣效" in page
    assert "nilometer trial" in page
    assert "business" not in page
    whole = json.loads(called("trial", plan, "--json", "--resamples", "1000").out)
    assert whole["comparisons"][0]["grade"]["outcome"] == "non_inferior"
    assert whole["frozen"][1]["why"] == "the permit was changed"


def test_the_command_of_a_report_makes_it_again_and_from_its_data_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "out").mkdir()
    report = folder / "out" / "report.html"
    called("trial", folder / "plan.toml", "-o", report, "--resamples", "1000")
    first = report.read_text(encoding="utf-8")
    printed = re.search(r"<pre><code>nilometer (.+?)</code></pre>", first)
    assert printed is not None
    monkeypatch.chdir(folder)
    called(*shlex.split(printed[1]))
    made_at = re.compile(r"Computed \d+ \w+ \d+ \d\d:\d\d")
    assert made_at.sub("", (folder / "report.html").read_text(encoding="utf-8")) == made_at.sub("", first)
    series = folder / "series.csv"
    text = series.read_text(encoding="utf-8").rstrip("\n")
    series.write_text(f"{text[:-1]}{(int(text[-1]) + 1) % 10}\n", encoding="utf-8")
    assert "the data hash to" in called(*shlex.split(printed[1]), status=1).err


def test_a_quick_look_takes_two_files_and_a_margin(folder: Path) -> None:
    shutil.copy(folder / "series.csv", folder / "copy.csv")
    columns = ["--column", "new", "--reference-column", "old"]
    files = [folder / "series.csv", folder / "copy.csv"]
    told = called("trial", *files, *columns, "--margin", "0.1 mg L-1", "--resamples", "1000")
    assert "series beside copy: not inferior" in told.out
    percent = ["--margin", "1 %", "--unit", "mg L-1"]
    whole = json.loads(called("trial", *files, *columns, *percent, "--json", "--resamples", "1000").out)
    (decision,) = whole["comparisons"][0]["decisions"]
    assert decision["margin"] == pytest.approx(0.01 * 10.4, rel=0.1)


def test_a_pilot_says_how_long_a_trial_has_to_be(folder: Path) -> None:
    plan = folder / "plan.toml"
    assert "days (" in called("trial", "plan", plan, "--power", "0.9").out
    first = json.loads(called("trial", "plan", plan, "--json", "--difference", "0").out)[0]
    assert first["sizing"]["days"] > 0


def test_a_template_is_a_plan_that_lacks_its_files(tmp_path: Path) -> None:
    plan = tmp_path / "PLAN.toml"
    called("trial", "new", plan)
    assert "Optode A" in called("trial", "check", plan).out
    assert "a17.csv" in called("trial", plan, status=2).err
    assert "does not exist yet" in called("trial", "new", plan, status=2).err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.csv", "b.csv"], "--margin"),
        (["a.csv", "b.csv", "--margin", "wide"], "0.3 mg L-1"),
        (["a.csv", "b.csv", "--margin", "5 %"], "--unit"),
        (["a.csv", "b.csv", "--margin", "0.1 mg L-1", "-o", "report.doc"], ".pdf, .html, .json"),
        (["absent.toml"], "absent.toml"),
        (["plan.toml", "--language", "fr"], "en, zh"),
    ],
)
def test_a_wrong_call_says_what_would_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[Any], says: str
) -> None:
    monkeypatch.chdir(folder)
    assert says in called("trial", *arguments, status=2).err


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            'unit = "ug L-1"',
            'unit = "K"',
            "endpoint 'scatter': a margin in K for mean_absolute_difference, which is in mg L-1",
        ),
        ('statistic = "bias"', 'statistic = "biass"', "endpoint[0].statistic = 'biass'; did you mean bias?"),
        ('statistic = "bias"', 'statistic = "class_agreement"', "name the classes by trial.standard or"),
        ('statistic = "bias"', 'statistic = "excess_error"', 'against = "samples"'),
        (
            'margin = 300\nunit = "ug L-1"',
            "margin = 5\nrelative = true",
            "margin = 5 of the result itself: 0.05 is 5 %",
        ),
        ("margin = 300", "margin = inf", "endpoint[1].margin = inf"),
        ("margin = 300", "margin = 300\nalpha = 1e-9", "endpoint[1].alpha"),
        (
            'column = "new"',
            'column = "new"\nunit = "m"',
            "new (series.csv: new): m cannot be converted to mg L-1: give",
        ),
        ("range_edges", "start = 2026-04-01\nend = 2026-03-01\nrange_edges", "has no length"),
        ("range_edges", "start = 2031-03-01\nrange_edges", "none of 288 results may count (outside_period: 288)"),
        ('column = "new"', 'column = "old"', "this is one series twice"),
        (
            'column = "new"',
            'column = "words"',
            "column = 'words': it holds no numbers; did you mean old?",
        ),
        ('column = "new"', 'column = "nu"', "column = 'nu' (allowed: T, bound, later, new, old, wild)"),
        ('column = "new"', 'column = "wild"', "1e+300 at 2026-03-01T00:50:00Z, row 5, is no measurement"),
        (
            'column = "new"',
            'column = "bound"',
            "0 measured pairs (288 more have a result beyond what an instrument measures)",
        ),
        ('column = "new"', 'column = "later"', "left out are 88 unmatched of the one, 200 unmatched"),
        ('[[endpoint]]\nname = "scatter"', '[[endpoint]\nname = "scatter"', "it is no TOML: Expected ']]'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, before: str, after: str, says: str) -> None:
    write_series(tmp_path, days=2)
    made_plan(tmp_path)
    lines = (tmp_path / "series.csv").read_text(encoding="utf-8").splitlines()
    more = [f"{lines[0]},words,wild (mg/L),bound (mg/L),later (mg/L)"]
    for row, line in enumerate(lines[1:]):
        time, warm, old, new = line.split(",")
        reference = "" if "later" in after and row >= 200 else old
        wild, later = ("1e300" if row == 5 else new), (new if row >= 200 else "")
        more.append(",".join([time, warm, reference, new, "oops", wild, "<9.5", later]))
    (tmp_path / "series.csv").write_text("\n".join(more) + "\n", encoding="utf-8")
    plan = tmp_path / "plan.toml"
    text = plan.read_text(encoding="utf-8")
    assert before in text
    plan.write_text(text.replace(before, after, 1), encoding="utf-8")
    found = nilometer("trial", plan, "--resamples", "1000")
    assert found.code in {1, 2}
    assert says in found.err
    assert "{'" not in found.err
    assert found.out == ""
