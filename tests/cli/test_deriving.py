"""`nilometer derived` and `nilometer functions`: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

import pytest

from tests.cli.conftest import nilometer

SATURATION = """
[[derived]]
key = "creek/oxygen_saturation"
thing = "creek"
property = "oxygen_saturation"
function = "oxygen.saturation"
[derived.inputs]
dissolved_oxygen = "creek/dissolved_oxygen"
temperature = { datastream = "creek/water_temperature", tolerance = "5 min" }
salinity = { value = 0.2, uncertainty = 0.05 }
"""
KEY = "creek/oxygen_saturation"


@pytest.fixture(params=["alone", "served"])
def data(request, creek, tmp_path):
    """A folder with the creek, held by nobody or by a server."""
    if request.param == "served":
        yield request.getfixturevalue("server").folder
        return
    folder = tmp_path / "alone"
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    yield folder


def test_what_is_derived_is_checked_added_listed_changed_and_removed(data, tmp_path):
    file = tmp_path / "saturation.toml"
    file.write_text(SATURATION, encoding="utf-8")
    assert nilometer("derived", "list", "--data", data).out == "nothing is derived\n"
    assert nilometer("derived", "check", file).out == f"{KEY}: oxygen.saturation can be computed\n"
    assert nilometer("derived", "check", file, "--json").json == [{"key": KEY, "function": "oxygen.saturation"}]

    done = nilometer("derived", "add", file, "--data", data, "--by", "Li Na")
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"{KEY}: derived by oxygen.saturation from now on (version ")
    assert "nilometer reprocess" in second
    (line,) = nilometer("derived", "list", "--data", data).out.splitlines()
    inputs = "dissolved_oxygen = creek/dissolved_oxygen, temperature = creek/water_temperature, salinity = 0.2"
    assert line == f"{KEY} = oxygen.saturation({inputs}) in %, by the api"
    (told,) = nilometer("derived", "list", "--data", data, "--json").json
    assert (told["key"], told["unit"], told["source"], told["problem"]) == (KEY, "%", "api", None)
    assert told["inputs"]["temperature"] == {"datastream": "creek/water_temperature", "tolerance": "300 s"}

    file.write_text(SATURATION.replace("0.2,", "0.3,"), encoding="utf-8")
    (again,) = nilometer("derived", "add", file, "--data", data, "--json").json
    assert again["version"] > told["version"]
    assert again["inputs"]["salinity"]["value"] == 0.3

    gone = nilometer("derived", "remove", KEY, "--data", data)
    assert gone.out == f"{KEY} is derived no more; its rows stay\n"
    assert nilometer("derived", "list", "--data", data, "--json").json == []
    twice = nilometer("derived", "remove", KEY, "--data", data)
    assert twice.code != 0
    assert "is not derived" in twice.err


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ("oxygen.saturation", "oxygen.saturatoin", "oxygen.saturation"),
        ("salinity = {", "salt = {", "no such input"),
        ('"creek/dissolved_oxygen"', '"creek/ph"', "mg"),
        ("[[derived]]", "[derived]", "derived"),
        ('"creek/water_temperature"', '"creek/temperature"', "creek/water_temperature"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(folder, tmp_path, was, now, why):
    file = tmp_path / "wrong.toml"
    file.write_text(SATURATION.replace(was, now, 1), encoding="utf-8")
    told = nilometer("derived", "add", file, "--data", folder)
    assert told.code != 0
    assert "derived" in told.err
    assert why in told.err
    assert nilometer("derived", "list", "--data", folder, "--json").json == []


def test_a_file_without_tables_says_so(tmp_path):
    file = tmp_path / "empty.toml"
    file.write_text("", encoding="utf-8")
    told = nilometer("derived", "check", file)
    assert told.code != 0
    assert "[[derived]]" in told.err


def test_functions_are_listed_and_told_whole():
    found = nilometer("functions", "--json").json["items"]
    assert {"oxygen.saturation", "seawater.practical_salinity", "rating.curve"} <= {one["name"] for one in found}
    assert "oxygen.saturation" in nilometer("functions").out
    told = nilometer("functions", "oxygen.saturation").out
    assert "  dissolved_oxygen: mg L-1, 0 to 60\n" in told
    assert "  pressure: atm, 0.3 to 1.2, default 1\n" in told
    assert "  gives %\n" in told
    one = nilometer("functions", "oxygen.saturation", "--json").json
    assert [item["name"] for item in one["inputs"]] == ["dissolved_oxygen", "temperature", "salinity", "pressure"]
    family = nilometer("functions", "rating.curve", "--json").json
    assert "segments" in family["parameters"]
    assert "segments" in nilometer("functions", "rating.curve").out
    wrong = nilometer("functions", "oxygen.saturatoin")
    assert wrong.code != 0
    assert "did you mean oxygen.saturation" in wrong.err


@pytest.mark.parametrize("command", ["check", "add"])
def test_help_shows_no_empty_brackets(command):
    assert "[]" not in nilometer("derived", command, "--help").out
