"""River, site, Datastream: what is inherited, where a threshold comes from, and what the message says."""

from __future__ import annotations

import pytest

from nilometer.errors import ConfigError
from nilometer.qc import load
from nilometer.qc.profile import Profile
from nilometer.qc.shelf import Shelf
from nilometer.qc.thresholds import Place

SITE = """
inherits = "river/water_temperature"
version = "3"
[tests.gross_range]
suspect = [28.4, 86]
unit = "degF"
[tests.spike]
suspect = 0.9
unit = "degF"
"""


@pytest.fixture
def station(tmp_path):
    folder = tmp_path / "profiles" / "mill-race"
    folder.mkdir(parents=True)
    (folder / "water_temperature.toml").write_text(SITE, encoding="utf-8")
    return tmp_path


def write(station, name, text):
    file = station / "profiles" / f"{name}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def parameters(profile, test):
    return next(item.parameters for item in profile.tests if item.name == test)


def test_a_site_inherits_from_the_river_and_a_datastream_from_the_site(station):
    shelf = Shelf.beside(station)
    name = Shelf.changed_name("mill-race/water_temperature", "mill-race/upper")
    changes = {"tests": {"spike": {"fail": 9, "unit": "degF"}, "flat_line": False}}
    profile = shelf.effective(name, changes, Place())
    assert profile.name == "mill-race/water_temperature@mill-race/upper"
    assert profile.version == "3"
    assert profile.lineage == ("river/water_temperature 1", "mill-race/water_temperature 3")
    assert profile.unit == "degree_Celsius"
    assert parameters(profile, "gross_range")["suspect"] == pytest.approx((-2, 30))
    assert parameters(profile, "gross_range")["fail"] == (-5, 50)
    assert parameters(profile, "spike") == {
        "suspect": pytest.approx(0.5),
        "fail": pytest.approx(5),
        "method": "average",
    }
    assert "flat_line" not in profile.names
    assert profile.origins["tests.gross_range.fail"] == "river/water_temperature"
    assert profile.origins["tests.gross_range.suspect"] == "mill-race/water_temperature"
    assert profile.origins["tests.spike.fail"] == profile.name
    assert shelf.effective(shelf.unchanged_name(name), {}, Place()) == shelf["mill-race/water_temperature"]


def test_the_digest_tells_whether_two_profiles_judge_alike(station):
    shelf = Shelf.beside(station)
    at = "mill-race/water_temperature@x"
    same = [shelf.effective(at, {"tests": {"spike": {"fail": 9}}}, Place()) for _ in range(2)]
    other = shelf.effective(at, {"tests": {"spike": {"fail": 9.5}}}, Place())
    assert same[0].digest == same[1].digest != other.digest
    assert Profile.from_document(other.to_document(), name=other.name).digest == other.digest


def test_the_order_of_slots_outlives_a_database_that_sorts_its_keys():
    profile = load({"tests": {"spike": {"suspect": 1}, "gap": {"suspect": 60}, "mark": {}}})
    document = profile.to_document()
    document["tests"] = dict(sorted(document["tests"].items()))
    assert Profile.from_document(document, name="dict").names == ("spike", "gap", "mark")
    document["slots"] = ["spike", "gap"]
    with pytest.raises(ConfigError, match="each test has one slot"):
        Profile.from_document(document, name="dict")


def test_a_file_below_profiles_finds_its_neighbours_and_is_called_by_its_path(station):
    upper = write(station, "mill-race/upper", 'inherits = "mill-race/water_temperature"\nversion = 4\n')
    profile = load(upper)
    assert (profile.name, profile.version) == ("mill-race/upper", "4")
    assert parameters(profile, "gross_range")["suspect"] == pytest.approx((-2, 30))
    assert Shelf.beside(station)["mill-race/upper"] == profile
    assert Shelf.beside(station)[str(upper)] == profile


def test_a_profile_of_the_site_goes_before_the_waters(station):
    shelf = Shelf.beside(station / "nilometer.toml")
    site = "mill-race/water_temperature"
    assert shelf.site("x", "mill-race", "water_temperature") == site
    assert shelf.site(site, "other", "other") == site
    assert shelf.site("x", "mill-race", "ph") is None


def test_no_file_takes_the_name_of_an_installed_profile(station):
    file = write(station, "river/ph", 'inherits = "river/ph"\n')
    shelf = Shelf.beside(station)
    assert "the name is taken by" in shelf.profiles.broken[str(file)]
    assert shelf["river/ph"] == load("river/ph")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('inherits = "mill-race/b"', ["a.toml", "inherits = 'mill-race/b'", "did you mean"]),
        ('inherits = "mill-race/a"', ["inherits = 'mill-race/a'", "goes round: mill-race/a > mill-race/a"]),
        ("[tests", ["a.toml", "this is no TOML"]),
        ("version = true", ["version = True", "text or a whole number"]),
        ('along = "width"', ["along = 'width'", "depth, time"]),
        ('property = "ph"\nunit = "mg/L"', ["unit = 'mg/L'", "ph is measured in 1, not in mg L-1"]),
        ("[tests.spike]\nsuspect = nan", ["tests.spike.suspect = nan", "a number"]),
        ("[tests.spike]\nsuspect = false\nfail = 1", ["tests.spike.suspect = False", "nothing of that name"]),
        ('[tests.spike]\nsuspect = "1"', ["tests.spike.suspect = '1'", "a number"]),
        ('[tests.gap]\nsuspect = "-1 h"', ["tests.gap.suspect = '-1 h'", "15 min"]),
        ("[tests.gap]\nsuspect = true", ["tests.gap.suspect = True", "15 min"]),
        ("[tests.gross_range]\nfail = [9, 2]", ["tests.gross_range.fail = [9, 2]", "the lower first"]),
        ('[tests.spike]\nsuspect = 1\nunit = "degF"', ["tests.spike.unit = 'degF'", "the profile has no unit"]),
        (
            'unit = "m"\n[tests.spike]\nsuspect = 1\nunit = "degF"',
            ["tests.spike.unit = 'degF'", "the profile is in m"],
        ),
        ('unit = "m"\n[tests.gap]\nsuspect = 1\nunit = "ft"', ["tests.gap.unit = 'ft'", "no threshold in this table"]),
        ('unit = "m"\n[tests.spike]\nsuspect = 1\nunit = 3', ["tests.spike.unit = 3", "the text of a unit"]),
        ("[tests.spike]\ntest = 3", ["tests.spike.test = 3", "gross_range"]),
    ],
)
def test_a_mistake_in_a_folder_names_file_key_value_and_what_would_work(station, text, parts):
    file = write(station, "mill-race/a", text + "\n")
    said = Shelf.beside(station).profiles.broken["mill-race/a"]
    with pytest.raises(ConfigError) as caught:
        load(file)
    for part in [str(file.name), *parts]:
        assert part in str(caught.value)
        assert part in said


def test_profiles_that_inherit_from_each_other_are_all_named(station):
    write(station, "mill-race/a", 'inherits = "mill-race/b"\n')
    write(station, "mill-race/b", 'inherits = "mill-race/a"\n')
    broken = Shelf.beside(station).profiles.broken
    assert "goes round: mill-race/a > mill-race/b > mill-race/a" in broken["mill-race/a"]
    assert "goes round" in broken["mill-race/b"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"inherits": "river/ph"}, ["datastream[0].qc.inherits = 'river/ph'", "name it there"]),
        ({"tests": {"spik": {}}}, ["datastream[0].qc.tests = 'spik'", "did you mean spike"]),
        ({"unit": "mg/L"}, ["nilometer.toml: datastream[0].qc.unit = 'mg/L'", "degree_Celsius"]),
        ({"tests": {"spike": {"suspect": 4}}}, ["datastream[0].qc.tests.spike", "must not lie beyond fail"]),
    ],
)
def test_a_mistake_in_a_change_names_its_place_in_the_configuration(changes, parts):
    place = Place("nilometer.toml", "datastream[0].qc")
    with pytest.raises(ConfigError) as caught:
        Shelf().effective("river/water_temperature@x", changes, place)
    for part in parts:
        assert part in str(caught.value)
