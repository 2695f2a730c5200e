"""The vocabulary: every shipped term is usable, and quantities that share a unit are never taken for one another."""

from __future__ import annotations

import pytest

from nilometer import units
from nilometer.errors import ConfigError, PropertyMismatch
from nilometer.model.properties import by_hj525, read_vocabulary, refuse_mismatch, term, vocabulary

# HJ 212-2017 table B.1 and the codes of 2005 beside them.
TABLE_B1 = {
    "w00000": "B01", "w01001": "001", "w01002": "002", "w01006": "", "w01009": "", "w01010": "", "w01012": "003",
    "w01014": "", "w01017": "010", "w01018": "011", "w01019": "", "w01020": "015", "w02003": "550", "w02006": "",
    "w03001": "570", "w03002": "571", "w19001": "", "w19002": "520", "w20012": "039", "w20023": "037", "w20038": "040",
    "w20061": "038", "w20089": "041", "w20092": "036", "w20111": "020", "w20113": "021", "w20115": "022",
    "w20116": "023", "w20117": "024", "w20119": "026", "w20120": "027", "w20121": "028", "w20122": "029",
    "w20123": "030", "w20124": "031", "w20125": "032", "w20126": "033", "w20127": "034", "w20128": "035", "w20138": "",
    "w20139": "", "w20140": "", "w20141": "", "w20142": "", "w20143": "", "w20144": "", "w21001": "065",
    "w21003": "060", "w21004": "062", "w21006": "063", "w21007": "064", "w21011": "101", "w21016": "070",
    "w21017": "072", "w21019": "071", "w21022": "090", "w21038": "", "w22001": "080", "w23002": "110", "w25043": "540",
    "w33001": "350", "w33007": "351", "w99001": "061",
}  # fmt: skip
MIX_UPS = [
    ("nh3_n", "ammonium"), ("nh3_n", "ammonium_n"), ("nh3_n", "unionised_ammonia"), ("codmn", "codcr"),
    ("codcr", "uv_cod"), ("codmn", "uv_cod"), ("turbidity_fnu", "turbidity_ntu"), ("conductivity", "conductivity_25"),
    ("nitrate", "nitrate_n"), ("total_copper", "copper"), ("orthophosphate", "total_phosphorus"),
    ("dissolved_oxygen", "oxygen_saturation"), ("uv254", "sac254"), ("toc", "doc"), ("salinity", "absolute_salinity"),
    ("chromium_vi", "total_chromium"), ("discharge", "flow_rate"), ("sensor_depth", "depth_below_transducer"),
]  # fmt: skip


@pytest.mark.parametrize("code", TABLE_B1)
def test_every_code_of_the_table_leads_to_one_property(code):
    found = by_hj525(code)
    assert found is not None
    assert found.hj525 == code
    assert found.hj525_unit is not None
    assert units.same_dimension(found.hj525_unit, found.unit)
    assert (found.hj525_2005 or "") == TABLE_B1[code]
    if TABLE_B1[code]:
        assert by_hj525(TABLE_B1[code]) is found


def test_a_code_outside_the_table_has_no_unit_of_its_own():
    found = by_hj525("W01003")
    assert found is not None
    assert (found.key, found.hj525_unit) == ("turbidity_ntu", None)
    assert by_hj525("w99999") is None


@pytest.mark.parametrize(("a", "b"), MIX_UPS)
def test_a_known_mix_up_is_refused_with_the_difference(a, b):
    for pair in ((a, b), (b, a)):
        with pytest.raises(PropertyMismatch, match=f"{pair[0]} .*is not {pair[1]} .*: ."):
            refuse_mismatch(*pair)


def test_one_property_is_itself_even_outside_the_vocabulary():
    refuse_mismatch("codmn", term("codmn"))
    refuse_mismatch("microplastics", "microplastics")
    with pytest.raises(PropertyMismatch, match="not in the vocabulary"):
        refuse_mismatch("microplastics", "codmn")


def test_the_vocabulary_covers_what_stations_use():
    assert len(vocabulary()) >= 60
    for key in ("water_temperature", "ph", "dissolved_oxygen", "codmn", "nh3_n", "water_level", "wind_direction"):
        assert term(key).name_zh
    assert term("wind_direction").mean == "circular"
    assert term("ph").mean == "hydrogen_ion"


@pytest.mark.parametrize(
    ("key", "definition"),
    [
        ("water_temperature", "http://vocab.nerc.ac.uk/collection/P01/current/TEMPPR01/"),
        ("air_temperature", "http://vocab.nerc.ac.uk/standard_name/air_temperature/"),
        ("codmn", "urn:nilometer:property:codmn"),
    ],
)
def test_a_definition_is_a_public_uri_where_there_is_one(key, definition):
    assert term(key).definition == definition


def test_definitions_and_column_names_belong_to_one_property():
    terms = list(vocabulary().values())
    assert len({item.definition for item in terms}) == len(terms)
    names = [name for item in terms for name in item.columns]
    assert len(names) == len(set(names))
    assert all(name == " ".join(name.lower().split()) for name in names)


def test_an_unknown_key_names_its_neighbours():
    with pytest.raises(ConfigError, match="dissolved_oxygen"):
        term("disolved_oxygen")


GOOD = '[term.x]\nname_en = "X"\nname_zh = "某"\nunit = "mg L-1"\ndecimals = 1\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + 'colour = "red"\n', r"bad.toml: term.x = 'colour'.*allowed: basis"),
        (GOOD.replace("mg L-1", "mg/L"), r"term.x.unit = 'mg/L' \(allowed: mg L-1\)"),
        (GOOD.replace("mg L-1", "mgg"), r"term.x.unit = 'mgg'"),
        (GOOD.replace("decimals = 1", "decimals = true"), r"term.x.decimals = True \(allowed: 0 to 9\)"),
        (GOOD + 'mean = "median"\n', r"term.x.mean = 'median'.*allowed: arithmetic, circular, hydrogen_ion"),
        (GOOD + 'not_the_same_as = { y = "no" }\n', r"term.x.not_the_same_as = 'y'"),
        (GOOD + 'columns = "x"\n', r"term.x.columns = 'x' \(allowed: a list of texts\)"),
        (GOOD.replace('name_zh = "某"\n', ""), r"term.x: name_zh is missing"),
        (GOOD + 'basis = ""\n', r"term.x.basis = '' \(allowed: text\)"),
        ("[term.x", r"bad.toml: vocabulary"),
    ],
)
def test_a_bad_file_is_refused_with_file_key_value_and_allowed(tmp_path, text, message):
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_vocabulary(tmp_path)


def test_a_key_in_two_files_is_refused(tmp_path):
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is in one.toml too"):
        read_vocabulary(tmp_path)
