"""`nilometer rating`: from gaugings to a curve, from stages to discharge and volumes."""

from __future__ import annotations

import csv
import json
import tomllib

import numpy as np
import pytest

import nilometer as library
from nilometer.derivation.function import families
from nilometer.derivation.rating import RatingCurve
from tests.cli.conftest import nilometer


@pytest.fixture
def gaugings(tmp_path):
    """Twenty gaugings of a crest in feet, and one that is off."""
    random = np.random.default_rng(7)
    stage = np.linspace(1.5, 4.0, 20)
    flow = 30.0 * (stage - 1.0) ** 1.5 * np.exp(0.02 * random.standard_normal(20))
    flow[4] *= 1.3
    rows = "".join(
        f"2024-{1 + k // 2:02d}-01,{h:.3f},{q:.4f}\n" for k, (h, q) in enumerate(zip(stage, flow, strict=True))
    )
    path = tmp_path / "gaugings.csv"
    path.write_text("date,stage (ft),discharge (ft3/s)\n" + rows, encoding="utf-8")
    return path


@pytest.fixture
def curve(tmp_path):
    path = tmp_path / "curve.json"
    made = RatingCurve.of([(None, 1.0, 2.0, 1.5)], gauged_range=(1.1, 3.0), scatter=0.05, station="A")
    path.write_text(json.dumps(made.to_document()), encoding="utf-8")
    return path


@pytest.fixture
def stages(tmp_path):
    path = tmp_path / "stages.csv"
    hours = "".join(f"2024-05-{1 + h // 24:02d}T{h % 24:02d}:00Z,{200 + h}\n" for h in range(48))
    path.write_text("time,water level (cm)\n" + hours + "2024-05-03T00:00Z,320\n", encoding="utf-8")
    return path


def test_a_fit_writes_a_curve_in_the_units_asked_for_and_names_what_is_off(gaugings, tmp_path):
    out, plot = tmp_path / "curve.json", tmp_path / "curve.png"
    wishes = ["--in", "m", "m3/s", "--robust", "--control", "section", "--station", "A"]
    called = nilometer("rating", "fit", gaugings, *wishes, "-o", out, "--plot", plot, "--json")
    assert called.code == 0, called.err
    told = json.loads(called.out)
    made = RatingCurve.from_document(json.loads(out.read_text()))
    assert (made.unit_stage, made.unit_discharge, made.station) == ("m", "m3 s-1", "A")
    assert len(made.offset) == 1
    expected = 30.0 * 0.3048**3 * (np.array([2.0, 3.5]) - 1.0) ** 1.5
    assert made(np.array([2.0, 3.5]) * 0.3048) == pytest.approx(expected, rel=0.02)
    assert [row["line"] for row in told["check"]["gaugings"] if row["is_out"]] == [6]
    assert plot.read_bytes().startswith(b"\x89PNG")
    spoken = nilometer("rating", "fit", gaugings, "--segments", "1", "--to", "2024-09-01")
    assert "16 gaugings" in spoken.out
    assert "segment 1 exponent: " in spoken.out


def test_a_curve_as_toml_is_that_of_json_and_what_a_derived_datastream_takes(gaugings, tmp_path):
    wishes = [
        "--segments",
        "1",
        "--sample",
        "50",
        "--station",
        "甲",
        "--valid-from",
        "2024-01-01",
        "--limits",
        "1.2",
        "4.5",
    ]
    for name in ("curve.json", "curve.toml"):
        assert nilometer("rating", "fit", gaugings, *wishes, "-o", tmp_path / name).code == 0
    document = tomllib.loads((tmp_path / "curve.toml").read_text(encoding="utf-8"))
    assert document == json.loads((tmp_path / "curve.json").read_text(encoding="utf-8"))
    assert len(document["sample"]) == 50
    assert families().items["rating.curve"].make(document).estimate(2.0, uncertainty={"stage": 0.01}).uncertainty > 0
    shown = nilometer("rating", "show", tmp_path / "curve.toml")
    assert "extrapolated from 1.2 to 4.5 ft" in shown.out


def test_a_curve_is_shown_with_a_table_and_gaugings_against_it(curve, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("h [m],q [l/s],uncertainty (%)\n2.0,2000,2\n2.5,5000,2\n", encoding="utf-8")
    called = nilometer("rating", "show", curve, "--table", "0.5", "--gaugings", new)
    assert "Q = 2 (h - 1)^1.5000" in called.out
    assert "  2.5: 3.6742" in called.out
    assert "line 3: stage 2.5, +36.1 %" in called.out
    assert "out of the chart" in called.out
    told = json.loads(nilometer("rating", "show", curve, "--table", "0.5", "--json").out)
    assert [row["stage"] for row in told["table"]] == [1.5, 2.0, 2.5, 3.0]


def test_stages_become_discharge_in_a_file_that_reads_back(curve, stages, tmp_path):
    out = tmp_path / "discharge.csv"
    called = nilometer("rating", "apply", stages, "--curve", curve, "-o", out, "--stage-uncertainty", "0.01")
    assert called.code == 0, called.err
    assert "1 stages lie beyond the curve's limits" in called.err
    again = library.read(out)
    assert again.units["discharge"] == "m3 s-1"
    assert again["discharge"].values[:48] == pytest.approx(2.0 * (1.0 + 0.01 * np.arange(48)) ** 1.5)
    assert np.isnan(again["discharge"].values[48])
    spread = next(column for name, column in again.aside.items() if name.startswith("discharge_uncertainty"))
    assert float(spread[0].as_py()) == pytest.approx(np.hypot(0.1, 0.03), rel=0.01)
    wide = json.loads(nilometer("rating", "apply", stages, "--curve", curve, "--limits", "1", "4", "--json").out)
    assert (wide["values"], wide["extrapolated"], wide["beyond"]) == (49, 1, 0)


def test_volumes_are_by_day_and_say_what_they_cover(curve, stages):
    told = json.loads(nilometer("rating", "apply", stages, "--curve", curve, "--volume", "day", "--json").out)[
        "volumes"
    ]
    assert [row["coverage"] for row in told] == pytest.approx([1.0, 23 / 24])
    assert told[0]["unit"] == "m3"
    hours = 2.0 * (1.0 + 0.01 * np.arange(25)) ** 1.5
    assert told[0]["volume"] == pytest.approx(3600 * (hours.sum() - (hours[0] + hours[-1]) / 2))
    spoken = nilometer("rating", "apply", stages, "--curve", curve, "--volume", "total")
    assert spoken.out.splitlines()[
        0
    ] == '"time","end","volume [m3]","uncertainty [m3]","systematic [m3]","random [m3]",' + (
        '"coverage","extrapolated"'
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "absent.csv"], "No such file"),
        (["fit", "{gaugings}", "--stage", "level"], "no column is called 'level'"),
        (["fit", "{gaugings}", "--break", "3"], "a stage and its standard uncertainty, such as 4.2,0.1"),
        (["fit", "{gaugings}", "-o", "curve.txt"], "ends in .json or .toml"),
        (["fit", "{gaugings}", "--control", "weir"], "known: any, section"),
        (["show", "{stages}"], "no USGS rating"),
        (["apply", "{stages}", "--curve", "{curve}", "--volume", "week"], "day, month, total, year"),
        (["apply", "{stages}", "--curve", "{curve}", "--volume", "day", "--zone", "Mars"], "Mars"),
        (["apply", "{stages}", "--curve", "{curve}", "--limits", "2", "4"], "must contain the gauged range"),
    ],
)
def test_what_cannot_be_done_says_what_would_work(gaugings, stages, curve, arguments, words):
    places = {"gaugings": gaugings, "stages": stages, "curve": curve}
    called = nilometer("rating", *(text.format(**places) for text in arguments))
    assert called.code != 0
    assert words in called.err


def test_a_unit_that_nobody_told_is_asked_for(curve, tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("time,stage\n2024-05-01T00:00Z,2.0\n2024-05-01T01:00Z,2.1\n", encoding="utf-8")
    called = nilometer("rating", "apply", bare, "--curve", curve)
    assert called.code == 2
    assert "--unit" in called.err
    told = nilometer("rating", "apply", bare, "--curve", curve, "--unit", "m")
    assert list(csv.reader(told.out.splitlines()))[1][2] == "2"
