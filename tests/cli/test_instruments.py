"""`nilometer instruments`: found by what people know of them, shown with their evidence, checked with clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from nilometer.acquisition.instrument import instruments
from nilometer.acquisition.lorawan_device import lorawan_devices
from tests.cli.conftest import nilometer

MINE = """title = "Mine"
maker = "Nobody"
models = ["X1"]
document = "own"
evidence = "own"
[[channel]]
key = "ph"
unit = "1"
observed_property = "ph"
range = [0, 14]
accuracy = "± 0.1"
address = 3
"""


def names(*arguments):
    called = nilometer("instruments", *arguments, "--json")
    assert called.code == 0, called.err
    return {item["name"] for item in called.json["items"]}


def test_at_least_25_models_of_the_makers_of_the_field_have_files():
    models = {model for item in instruments().items.values() for model in item.models}
    models |= {model for item in lorawan_devices().items.values() for model in item.models}
    assert len(models) >= 50
    makers = {item["maker"] for item in nilometer("instruments", "--json").json["items"]}
    wanted = ["Yosemitech", "KELLER", "In-Situ", "YSI", "Hach", "Hamilton", "Aqualabo", "VEGA", "Endress", "Decentlab"]
    for maker in [*wanted, "Dragino", "Milesight", "METER", "OTT", "Campbell"]:
        assert any(maker.casefold() in name.casefold() for name in makers), maker


@pytest.mark.parametrize("said", ["dissolved_oxygen", "Dissolved oxygen", "溶解氧", "w01009"])
def test_a_property_is_found_by_key_english_chinese_and_code(said):
    found = names("--property", said)
    assert {"yosemitech_y4000", "ysi_odo_rtu"} <= found
    assert "yosemitech_y532" not in found


def test_makers_models_protocols_and_words_narrow_the_list():
    assert names("--maker", "hach", "--search", "turbidity") == {"hach_surface_scatter_7_sc", "hach_tss_ex1_sc"}
    assert names("--model", "em500-swl") == {"milesight_em500_swl"}
    assert "yosemitech_y4000" not in names("--protocol", "sdi12", "--search", "电导率")
    assert names("--search", "no such thing") == set()
    bad = nilometer("instruments", "--property", "disolved_oxygen")
    assert bad.code == 2
    assert "did you mean dissolved_oxygen" in bad.err
    assert nilometer("instruments", "--protocol", "profibus").code == 2


def test_one_is_shown_with_ranges_claims_and_evidence():
    shown = nilometer("instruments", "show", "yosemitech_y4000")
    assert shown.code == 0
    assert "ph [1] → ph  2 to 12  ± 0.1" in shown.out
    assert "claims: github.com/EnviroDIY/ModularSensors" in shown.out
    told = nilometer("instruments", "show", "decentlab_dl_ctd10", "--json").json
    assert told["protocol"] == "lorawan"
    assert told["evidence"]
    missing = nilometer("instruments", "show", "yosemitech_y4001")
    assert missing.code == 2
    assert "did you mean yosemitech_y4000" in missing.err


def test_a_folder_of_ones_own_needs_no_code(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(MINE, encoding="utf-8")
    assert str(tmp_path / "mine.toml") in names("--folder", tmp_path, "--maker", "nobody")
    good = nilometer("instruments", "check", tmp_path)
    assert (good.code, good.out.startswith("ok ")) == (0, True)
    assert "± 0.1" in nilometer("instruments", "show", tmp_path / "mine.toml").out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("address = 3", "adress = 3"), "did you mean address"),
        (("range = [0, 14]", "range = [14, 0]"), "a range rises"),
        (('evidence = "own"', ""), "evidence"),
        (('key = "ph"', 'key = "ph" # [[['), ""),
        (("[[channel]]", "[[channel]"), "line 6"),
    ],
)
def test_a_bad_file_is_named_with_its_key_and_what_would_work(tmp_path: Path, change, said):
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace(*change), encoding="utf-8")
    called = nilometer("instruments", "check", file)
    if said:
        assert called.code == 2
        assert str(file) in called.out
        assert said in called.out
    else:
        assert called.code == 0


def test_a_first_word_that_is_no_command_is_searched_for():
    assert names("keller") == names("--search", "keller") >= {"keller_series30"}
