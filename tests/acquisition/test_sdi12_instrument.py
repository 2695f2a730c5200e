"""SDI-12 instrument files: all that ship can be used, and a bad one says what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from nilometer import units
from nilometer.acquisition.decoding import DecodedValue
from nilometer.acquisition.instrument import instrument, instruments, sdi12_instrument
from nilometer.acquisition.protocols.sdi12 import DECODER
from nilometer.acquisition.sdi12_instrument import Sdi12Channel, Sdi12Instrument
from nilometer.errors import ConfigError
from nilometer.model.properties import term

SHIPPED = {name: item for name, item in instruments().items.items() if isinstance(item, Sdi12Instrument)}
BARE = {
    "title": "t", "maker": "m", "protocol": "sdi12", "document": "d", "evidence": "e",
    "channel": [{"key": "a", "position": 1}],
}  # fmt: skip


def test_no_shipped_file_is_broken() -> None:
    assert instruments().broken == {}
    assert len(SHIPPED) >= 8


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_names_its_document_its_evidence_and_known_words(name: str) -> None:
    model = SHIPPED[name]
    assert model.document
    assert model.evidence
    for channel in model.channels:
        if channel.unit is not None:
            assert units.canonical(channel.unit) == channel.unit
        if channel.observed_property is not None:
            assert channel.unit is not None
            units.affine(channel.unit, term(channel.observed_property).unit)
    for command in model.defaults.commands:
        assert model.knows(command)
        assert model.measurement_of(command).count


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channel": [{"key": "a", "positon": 1}]}, "did you mean position"),
        ({"channel": [{"key": "a", "position": 0}]}, "greater than or equal to 1"),
        ({"channel": [{"key": "a", "position": 1, "commands": ["MC"]}]}, "pattern"),
        ({"channel": [{"key": "a", "position": 1, "scale": 0}]}, "scale of 0"),
        ({"channel": [{"key": "a", "position": 1, "sentinel": {"bad": "x"}}]}, "no number"),
        ({"channel": [{"key": "a", "position": 1}, {"key": "a", "position": 2}]}, "unique"),
        ({"channel": [{"key": "a", "position": 1}, {"key": "b", "position": 1, "commands": ["C"]}]}, "stand at M 1"),
        ({"defaults": {"address": "00"}}, "pattern"),
        ({"defaults": {"identification": "("}}, "regular expression"),
        ({"protocol": "sdi13"}, "modbus"),
    ],
)
def test_a_bad_file_says_what_is_wrong(change: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sdi12_instrument(BARE | change)


def test_a_file_of_the_other_protocol_is_refused_with_names_that_would_work() -> None:
    with pytest.raises(ConfigError, match="speaks sdi12, not modbus"):
        instrument("ott_pls")
    with pytest.raises(ConfigError, match="speaks modbus, not sdi12"):
        sdi12_instrument("keller_series30")


def test_the_file_that_the_documentation_shows_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "instrument.md").read_text(encoding="utf-8")
    shown = tomllib.loads(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    assert set(shown["channel"][0]) == set(Sdi12Channel.model_fields)
    assert sdi12_instrument(shown).measurement_of("C").per_page == 3


def test_decoded_values_have_the_names_units_and_missing_marks_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "probe.toml"
    head = 'title = "t"\nmaker = "m"\nprotocol = "sdi12"\ndocument = "d"\nevidence = "e"\n'
    channels = (
        '[[channel]]\nkey = "depth"\nunit = "m"\nposition = 1\nscale = 0.001\n'
        '[[channel]]\nkey = "temperature"\nunit = "degree_Celsius"\nposition = 2\nsentinel = [-9999]\n'
    )
    file.write_text(head + channels)
    decoder = DECODER.make(str(file))
    found = list(decoder.feed(b"0C!000003\r\n0D0!0+1234-9999+7\r\n"))
    values = [item for item in found if isinstance(item, DecodedValue)]
    assert [(item.parameter, item.unit, item.flag) for item in values] == [
        ("depth", "m", None), ("temperature", "degree_Celsius", "-9999"), ("3", None, None),
    ]  # fmt: skip
    assert values[0].value == pytest.approx(1.234)
    assert values[1].value != values[1].value
