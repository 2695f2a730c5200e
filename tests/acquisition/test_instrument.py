"""Instrument files: all that ship can be used, and a bad one says what is wrong with it."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer import units
from nilometer.acquisition.instrument import ChannelField, Instrument, instrument, instruments
from nilometer.acquisition.protocols.registers import RegisterType
from nilometer.acquisition.register_map import CycleTimes, RegisterMap
from nilometer.errors import ConfigError
from nilometer.model.entities import SampleKind
from nilometer.model.properties import term

SHIPPED = {name: item for name, item in instruments().items.items() if isinstance(item, Instrument)}
BARE = {"title": "t", "maker": "m", "document": "d", "evidence": "e", "channel": [{"key": "a", "address": 0}]}


def test_no_shipped_file_is_broken() -> None:
    assert instruments().broken == {}
    assert len(SHIPPED) >= 14


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_names_its_document_its_evidence_and_known_words(name: str) -> None:
    model = SHIPPED[name]
    assert model.document
    assert model.evidence
    for channel in model.channel:
        if channel.unit is not None:
            assert units.canonical(channel.unit) == channel.unit
        if channel.observed_property is not None:
            assert channel.unit is not None
            units.affine(channel.unit, term(channel.observed_property).unit)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_put_into_the_registers_is_read_from_them(name: str) -> None:
    model = SHIPPED[name]
    registers = RegisterMap(model)
    image: dict[tuple[int, int], int] = {}
    for read in registers.reads:
        image.update({(read.function, read.address + i): 0 for i in range(read.count)})
    wanted = {}
    for number, channel in enumerate(registers.polled):
        wanted[channel.key] = 3.0 + number
        registers.put_value(channel, wanted[channel.key], image)
    seen = {item.channel.key: (item.value, item.mark) for item in registers.values(image, registers.polled)}
    assert {key: value for key, (value, _) in seen.items()} == pytest.approx(wanted, abs=0.01)
    assert {mark for _, mark in seen.values()} == {None}
    for channel in registers.polled:
        registers.put_value(channel, math.nan, image)
    has_none = [c for c in registers.polled if c.quality or c.sentinel or c.type is RegisterType.FLOAT32]
    seen_missing = registers.values(image, has_none)
    doubted = {c.key for c in has_none if c.quality and all(rule.otherwise == "doubtful" for rule in c.quality)}
    assert all(math.isnan(item.value) for item in seen_missing)
    assert all(item.mark or item.is_absent for item in seen_missing if item.channel.key not in doubted)


def test_reads_follow_the_blocks_and_take_what_stands_apart_alone() -> None:
    registers = RegisterMap(SHIPPED["yosemitech_y532"])
    assert [(read.function, read.address, read.count) for read in registers.reads] == [
        (3, 0x2800, 2),
        (3, 0x2400, 2),
        (3, 0x1200, 2),
    ]
    assert [read.count for read in RegisterMap(SHIPPED["hamilton_ph_arc"]).reads] == [10, 10]


@given(st.integers(1, 2**32 - 1), st.integers(0, 10**5), st.sampled_from(SampleKind))
def test_the_times_of_a_cycle_come_back(start_s: int, length_s: int, kind: SampleKind) -> None:
    registers = RegisterMap(SHIPPED["river_station"])
    cycle = registers.instrument.cycle_named("codmn")
    image: dict[tuple[int, int], int] = {}
    end_s = min(start_s + length_s, 2**32 - 1)
    times = CycleTimes(start_s * 1_000_000, end_s * 1_000_000, kind)
    registers.put_cycle(cycle, times, image)
    assert registers.cycle_times(cycle, image) == times


def test_an_unknown_kind_of_sample_never_passes_for_water() -> None:
    registers = RegisterMap(SHIPPED["river_station"])
    cycle = registers.instrument.cycle_named("codmn")
    image = {(3, 100 + i): 99 for i in range(8)}
    times = registers.cycle_times(cycle, image)
    assert times is not None
    assert times.sample is not SampleKind.WATER


def test_hundredths_are_divided_so_that_they_are_the_nearest_number() -> None:
    registers = RegisterMap(SHIPPED["aquaread_leveline_ctd"])
    image = {(4, i): 0 for i in range(10)} | {(4, 0): 1234, (4, 2): 10456}
    values = {item.channel.key: item.value for item in registers.values(image)}
    assert (values["temperature"], values["pressure"]) == (12.34, 1045.6)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean yosemitech_y4000"):
        instrument("yosemitec_y4000")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channel": [{"key": "a", "adress": 0}]}, "did you mean address"),
        ({"channel": [{"key": "a", "address": 70000}]}, "65535"),
        ({"channel": [{"key": "a", "address": 0, "type": "float16"}]}, "float32"),
        ({"channel": [{"key": "a", "address": 0, "order": "ACBD"}]}, "ABCD"),
        ({"channel": [{"key": "a", "address": 0, "type": "string"}]}, "count"),
        ({"channel": [{"key": "a", "address": 0, "scale": 0}]}, "scale of 0"),
        ({"channel": [{"key": "a", "address": 0}, {"key": "a", "address": 2}]}, "unique"),
        ({"channel": [{"key": "a", "address": 0, "cycle": "x"}]}, "no cycle named"),
        ({"channel": []}, "at least 1"),
        ({"documnet": "x"}, "did you mean document"),
    ],
)
def test_a_bad_file_says_what_is_wrong(change: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        instrument(BARE | change)


def test_a_file_anywhere_can_be_named_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "t"\nmaker = "m"\ndocument = "d"\nevidence = "e"\n[[channel]]\nkey = "a"\naddress = 3\n')
    assert isinstance(instrument(str(file)), Instrument)
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        instrument(tmp_path / "absent.toml")
    file.write_text("title = ")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        instrument(file)


def test_the_file_that_the_documentation_shows_can_be_used() -> None:
    page = Path(__file__).parents[2] / "docs" / "formats" / "instrument.md"
    shown = re.search(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    model = instrument(tomllib.loads(shown.group(1)))
    assert set(ChannelField.model_fields) - {"mask"} <= set(tomllib.loads(shown.group(1))["channel"][0])
    assert model.cycle_named("codmn").nominal_s == 2700
