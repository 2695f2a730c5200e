"""profiles: list, show, check, suggest."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.qc import load
from tests.cli.conftest import nilometer

CONFIG = """
[[thing]]
key = "mill"
name = "Mill race"
water_body = "river"
[[datastream]]
key = "mill/upper"
thing = "mill"
property = "water_temperature"
[datastream.qc.tests.spike]
suspect = 0.9
unit = "degF"
[[source]]
name = "sonde"
driver = "modbus_tcp"
thing = "mill"
options = { host = "127.0.0.1", instrument = "yosemitech_y4000" }
[source.channels.ph]
property = "ph"
qc = { tests = { gross_range = { suspect = [7, 9] } } }
"""


@pytest.fixture
def station(tmp_path):
    (tmp_path / "profiles" / "mill").mkdir(parents=True)
    text = 'inherits = "river/water_temperature"\nversion = 2\n[tests.gross_range]\nsuspect = [0, 25]\n'
    (tmp_path / "profiles" / "mill" / "water_temperature.toml").write_text(text, encoding="utf-8")
    (tmp_path / "nilometer.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def history(tmp_path):
    rng = np.random.default_rng(1)
    times = np.datetime64("2023-01-01T00:00") + np.arange(5000) * np.timedelta64(15, "m")
    ph = np.round(8 + 0.2 * np.sin(np.arange(5000) / 15) + rng.normal(0, 0.01, 5000), 2)
    ph[2000], ph[2500] = 3.0, -9999
    rows = [f"{time}:00Z,{value:.2f},{10 + value / 10:.2f}" for time, value in zip(times, ph, strict=True)]
    file = tmp_path / "creek.csv"
    file.write_text("\n".join(["time,pH,Temp (°C)", *rows]) + "\n", encoding="utf-8")
    return file


def test_profiles_are_listed_those_of_a_folder_too(station):
    names = [row["name"] for row in nilometer("profiles", "--json").json["items"]]
    assert "river/ph" in names
    assert "mill/water_temperature" not in names
    rows = {row["name"]: row for row in nilometer("profiles", "--data", station, "--json").json["items"]}
    assert rows["mill/water_temperature"]["inherits"] == "river/water_temperature 1"
    assert "river/ph" in nilometer("profiles").out


def test_the_effective_profile_of_a_datastream_says_where_each_threshold_comes_from(station):
    shown = nilometer("profiles", "show", "mill/upper", "--data", station)
    assert shown.code == 0
    head, ancestry = shown.out.splitlines()[:2]
    name = "mill/water_temperature@mill/upper"
    assert head.startswith(f"# {name}, version 2, digest ")
    assert ancestry == f"# river/water_temperature 1 <- mill/water_temperature 2 <- {name} 2"
    (line,) = [line for line in shown.out.splitlines() if line.startswith("suspect = 0.5 ")]
    assert line.endswith(f"# {name}")
    assert "suspect = [0, 25]                             # mill/water_temperature" in shown.out
    file = station / "shown.toml"
    file.write_text(shown.out, encoding="utf-8")
    assert [test.parameters for test in load(file).tests][2]["suspect"] == pytest.approx(0.5)
    site = nilometer("profiles", "show", "mill/water_temperature", "--data", station, "--json").json
    assert site["origins"]["tests.gross_range.suspect"] == "mill/water_temperature"
    assert site["origins"]["tests.gross_range.fail"] == "river/water_temperature"
    channel = nilometer("profiles", "show", "mill/ph", "--data", station, "--json").json
    assert (channel["name"], channel["tests"]["gross_range"]["suspect"]) == ("river/ph@mill/ph", [7, 9])
    fahrenheit = nilometer("profiles", "show", "river/water_temperature", "--unit", "degF", "--json").json
    assert fahrenheit["tests"]["gross_range"]["fail"] == pytest.approx([23, 122])
    tolerance = fahrenheit["tests"]["flat_line"]["tolerance"]
    assert tolerance == 0.005 * 1.8 != 0.009  # machines get the double that judges, people what they would write
    text = nilometer("profiles", "show", "river/water_temperature", "--unit", "degF").out
    assert "tolerance = 0.009  " in text


def test_files_are_checked_and_a_broken_one_is_exit_status_1(station):
    good = nilometer("profiles", "check", station / "profiles")
    assert (good.code, "mill/water_temperature can be used" in good.out) == (0, True)
    broken = station / "profiles" / "mill" / "ph.toml"
    broken.write_text('inherits = "river/ph"\n[tests.spike]\nsuspect = "a lot"\n', encoding="utf-8")
    bad = nilometer("profiles", "check", station / "profiles")
    assert bad.code == 1
    assert "ph.toml: tests.spike.suspect = 'a lot'" in bad.err
    odd = station / "odd.toml"
    odd.write_text('property = "phh"\n[tests.gross_range]\nfail = [0, 14]\n', encoding="utf-8")
    said = nilometer("profiles", "check", odd).out
    assert "property phh is not in the vocabulary; did you mean ph" in said
    assert "no unit" in said
    assert "no test is required" in said
    rows = nilometer("profiles", "check", odd, broken, "--json").json
    assert ["error" in row for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "river/phh"], "did you mean river/ph"),
        (["show", "river/ph", "--unit", "mg/L"], "profile river/ph is in 1"),
        (["show", "river/ph", "--data", "nowhere"], "--data = 'nowhere': there is no such folder"),
        (["check", "nowhere.toml"], "No such file"),
    ],
)
def test_a_wrong_name_is_said(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called = nilometer("profiles", *arguments)
    assert called.code in {1, 2}
    assert said in called.err


def test_a_profile_is_proposed_from_a_file_and_drawn(history, tmp_path):
    called = nilometer(
        "profiles", "suggest", history, "--column", "pH", "-o", tmp_path / "my.toml", "--plot", tmp_path / "my.png"
    )
    assert called.code == 0, called.err
    made = load(tmp_path / "my.toml")
    assert made.lineage == ("river/ph 1",)
    assert made.tests[1].parameters["suspect"][0] > 3
    assert (tmp_path / "my.png").read_bytes().startswith(b"\x89PNG")
    assert "pH: values flagged, by test" in called.out
    printed = nilometer("profiles", "suggest", history, "--column", "pH")
    assert printed.out == (tmp_path / "my.toml").read_text(encoding="utf-8")
    assert "values flagged" in printed.err


def test_proposals_are_one_document_for_machines(history):
    made = nilometer("profiles", "suggest", history, "--json").json
    assert list(made) == ["pH", "Temp"]
    assert made["pH"]["profile"]["inherits"] == "river/ph"
    assert "q90" in made["pH"]["evidence"]["tests.spike.suspect"]
    assert made["pH"]["would_flag"]["gross_range"]["all"] >= 1


def test_several_columns_become_files_of_a_folder(history, tmp_path):
    assert nilometer("profiles", "suggest", history, "-o", tmp_path / "made", "--season", "quarter").code == 0
    assert sorted(file.name for file in (tmp_path / "made").iterdir()) == ["ph.toml", "water_temperature.toml"]
    assert nilometer("profiles", "check", tmp_path / "made").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "choose one, or name a folder with -o (allowed: Temp, pH)"),
        (["--column", "pH", "--season", "week"], "--season = 'week' (allowed: auto, month"),
        (["--column", "pH", "--false-alarm", "often"], "--false-alarm = 'often'"),
        (["--column", "pH", "--false-alarm", "spik=0.01"], "did you mean spike"),
        (["--column", "pH", "--false-alarm", "2"], "--false-alarm = 2.0 (allowed: 0.000001 to 0.1"),
        (["--column", "pH", "--base", "river/phh"], "did you mean river/ph"),
        (["--column", "pH", "--base", "river/dissolved_oxygen"], "river/dissolved_oxygen"),
        (["--column", "pH", "--plot", "x.bmp"], "--plot = 'x.bmp' (allowed: a name that ends in .png, .svg, .pdf)"),
        (["--column", "PH2"], "columns = 'PH2'"),
    ],
)
def test_a_wrong_option_of_suggest_is_named(history, arguments, said):
    called = nilometer("profiles", "suggest", history, *arguments)
    assert called.code == 2, called
    assert said in called.err


def test_a_file_with_too_little_history_is_said(tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("time,pH\n2024-01-01T00:00Z,7\n2024-01-01T01:00Z,7.1\n", encoding="utf-8")
    called = nilometer("profiles", "suggest", file)
    assert (called.code, "at least 100 are needed" in called.err) == (2, True)


def test_the_doctor_names_a_broken_profile_of_the_folder(station):
    assert "1 of the folder's own" in nilometer("doctor", "--data", station).out
    (station / "profiles" / "mill" / "ph.toml").write_text("[tests", encoding="utf-8")
    called = nilometer("doctor", "--data", station)
    assert called.code == 1
    assert "ph.toml" in called.out
    assert "this is no TOML" in called.out
