from __future__ import annotations

import pytest

from nilometer.errors import ConfigError, StandardNotApplicable
from nilometer.model.entities import WaterBody
from nilometer.model.properties import vocabulary
from nilometer.units import same_dimension
from nilometer.verdict import find_standard, not_applicable, standard_for
from nilometer.verdict.standard import standards

SMALL = """
key = "s"
name = "S 1"
edition = "1"
title = { en = "s", zh = "s" }
beyond = { en = "worse", zh = "更差" }
applies_to = ["river"]
classes = ["good", "bad"]
[method]
name = "m"
title = { en = "m", zh = "m" }
required = 1
[method.period]
shortest_days = 1
text = { en = "a day", zh = "日" }
[method.mean]
source = "m"
[method.censored]
below = "half"
[[item]]
number = 1
property = "codmn"
unit = "mg L-1"
rule = "at_most"
limits = [1.0, 2.0]
source = "Table 1"
"""


def write(tmp_path, text):
    file = tmp_path / "s.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_nothing_shipped_is_broken():
    assert standards().broken == {}


def test_every_item_is_a_property_of_the_vocabulary_in_a_unit_of_its_kind(gb3838):
    for item in gb3838.items:
        term = vocabulary()[item.property]
        assert same_dimension(term.unit, item.unit), item.property
        assert item.mean == term.mean, item.property
        assert item.source


@pytest.mark.parametrize("name", ["GB 3838-2002", "gb3838-2002", "GB3838-2002", "gb 3838-2002"])
def test_a_standard_is_found_by_name_however_it_is_typed(gb3838, name):
    assert find_standard(name) is gb3838


def test_an_unknown_standard_is_refused_with_the_near_names():
    with pytest.raises(ConfigError, match="GB 3838-2002"):
        find_standard("GB 3838-2020")


def test_a_standard_of_ones_own_is_a_file(tmp_path):
    own = find_standard(write(tmp_path, SMALL))
    assert own.class_name(2) == "worse"
    assert own.items[0].class_index(1.5) == 1


def test_the_standard_of_a_water_body(gb3838):
    assert standard_for(WaterBody.RIVER) is gb3838
    assert standard_for(WaterBody.SEA) is None
    assert standard_for(WaterBody.WASTE_WATER) is None


@pytest.mark.parametrize("body", [WaterBody.SEA, WaterBody.WASTE_WATER, WaterBody.GROUNDWATER, WaterBody.ESTUARY])
def test_a_standard_is_refused_for_water_it_was_not_made_for(gb3838, body):
    with pytest.raises(StandardNotApplicable, match="river"):
        gb3838.items_for(body)


def test_no_applicable_standard_is_said_in_both_languages():
    said = not_applicable(WaterBody.SEA)
    assert said["applicable"] is False
    assert said["class"] is None
    assert said["reason"] == {"en": "no applicable standard for sea", "zh": "无适用标准（海水）"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('rule = "at_most"', 'rule = "at_mots"', "at_most"),
        ("limits = [1.0, 2.0]", "limits = [1.0]", "2 numbers"),
        ("limits = [1.0, 2.0]", "limits = [2.0, 1.0]", "stricter"),
        ('applies_to = ["river"]', 'applies_to = ["rivr"]', "river"),
        ('name = "S 1"', "", "name"),
        ("required = 1", 'required = "1"', "required"),
        ('source = "Table 1"', "", r"item\[0\]\.source"),
        ('unit = "mg L-1"', "unit = 1", r"item\[0\]\.unit"),
        ('rule = "at_most"', 'rule = "within"', "limits"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_key_and_what_works(tmp_path, old, new, message):
    file = write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        find_standard(file)
    assert str(file) in str(caught.value)


def test_a_property_stands_once_for_a_water_body(tmp_path):
    row = SMALL[SMALL.index("[[item]]") :]
    with pytest.raises(ConfigError, match="twice"):
        find_standard(write(tmp_path, SMALL + row))


def test_a_file_that_is_absent_or_no_toml_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        find_standard(tmp_path / "absent.toml")
    with pytest.raises(ConfigError):
        find_standard(write(tmp_path, "= 3"))
