"""Campbell tables: the three ways of writing one hold the same values, units, logger and meaning of a stamp."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.acquisition.formats import made_up

import nilometer
from nilometer.acquisition.formats.tob1 import fp2
from nilometer.errors import ReadError

TABLES = {"toa5": made_up.TOA5.encode(), "tob1": made_up.tob1(), "csixml": made_up.CSIXML.encode()}
FOLDER = "raw_logs/campbell/"


def read(folder, content, name="weir.dat", **wishes):
    path = folder / name
    path.write_bytes(content)
    return nilometer.read(path, **wishes)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_tells_its_values_units_logger_and_what_a_stamp_is(tmp_path, kind):
    recording = read(tmp_path, TABLES[kind], "weir")
    assert recording.format == kind
    assert recording.times.astype("datetime64[us]").tolist() == [
        np.datetime64(f"2014-04-11T0{hour}:00", "us").item() for hour in (1, 2)
    ]
    assert {name: (part.unit, part.observed_property, part.statistic) for name, part in recording.columns.items()} == {
        "WaterT_Avg": ("degree_Celsius", "water_temperature", "mean"),
        "WaterT_Max": ("degree_Celsius", "water_temperature", "maximum"),
        "Lvl": ("ft", None, "point"),
    }
    assert np.array_equal(recording["WaterT_Avg"].values, [17.5, np.nan], equal_nan=True)
    assert recording["WaterT_Max"].values.tolist() == [18.25, 18.5]
    assert recording["Lvl"].values.tolist() == [0.559, 0.5]
    assert recording.aside["Flag"].to_pylist() == ["ok", "ok"]
    assert {"WaterT_TMx", "RECORD"} <= set(recording.aside)
    told = recording.metadata
    assert (told["station"], told["model"], told["serial number"], told["table"]) == (
        "weir", "CR1000", "12345", "Hourly",
    )  # fmt: skip
    assert told["stamps"] == "end of the interval (maximum, mean); instant (point)"
    assert told["time zone"] == "UTC (assumed)"
    assert any("UTC is assumed" in note for note in recording.notes)


@pytest.mark.parametrize("kind", TABLES)
def test_the_loggers_clock_can_be_named(tmp_path, kind):
    recording = read(tmp_path, TABLES[kind], time_zone="-07:00")
    assert recording.times[0] == np.datetime64("2014-04-11T08:00", "us").astype(np.int64)


def test_the_field_metadata_of_a_table_carry_the_statistic(tmp_path):
    table = read(tmp_path, TABLES["toa5"]).to_arrow()
    assert table.schema.field("WaterT_Max").metadata[b"cell_method"] == b"maximum"


def test_a_record_cut_off_by_a_lost_link_is_left_out_and_said(tmp_path):
    recording = read(tmp_path, made_up.tob1()[:-3])
    assert len(recording) == 1
    assert any("no whole record" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"FP2"', b'"FP4"', "'FP4' is not known among .*FP2"),
        (b'"FP2",', b"", "8 names stand over 7 types"),
        (b'"ASCII(4)"', b'"ASCII(999999)"', "ASCII"),
    ],
)
def test_a_header_that_cannot_be_followed_is_refused_with_its_line(tmp_path, old, new, message):
    with pytest.raises(ReadError, match=message) as caught:
        read(tmp_path, made_up.tob1().replace(old, new))
    assert caught.value.line == 5


def test_a_header_alone_is_refused(tmp_path):
    with pytest.raises(ReadError, match="not one whole record"):
        read(tmp_path, made_up.tob1()[:-60])


def test_xml_that_declares_entities_is_refused(tmp_path):
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><csixml>&a;</csixml>'
    with pytest.raises(ReadError, match="document type"):
        read(tmp_path, bomb, format="csixml")


@given(st.integers(0, 8189), st.integers(0, 3), st.booleans())
def test_a_two_byte_float_is_its_mantissa_over_a_power_of_ten(mantissa, exponent, negative):
    word = negative << 15 | exponent << 13 | mantissa
    value = float(fp2(np.array([word], np.uint16))[0])
    assert value == float(f"{'-' if negative else ''}{mantissa}e-{exponent}")


@pytest.mark.parametrize("word", [0x9FFE, 0x1FFE, 0x1FFF, 0x9FFF])
def test_words_for_no_number_are_missing(word):
    assert np.isnan(fp2(np.array([word], np.uint16))[0])


@pytest.mark.real
def test_one_real_table_in_three_formats_is_one_table(real_data):
    names = ("TOA5", "TOB1", "CSIXML")
    tables = [nilometer.read(real_data / FOLDER / f"{name}_Station_Daily.dat") for name in names]
    text = tables[0]
    assert [table.format for table in tables] == ["toa5", "tob1", "csixml"]
    assert len(text) == 57
    assert text["WaterLvl_Min"].values[0] == 0.559
    assert text["WaterT_Max"].unit == "degree_Celsius"
    for other in tables[1:]:
        assert np.array_equal(other.times, text.times)
        assert list(other.columns) == list(text.columns)
        for name, part in text.columns.items():
            seen = other[name]
            assert (seen.unit, seen.observed_property, seen.statistic) == (
                part.unit, part.observed_property, part.statistic,
            )  # fmt: skip
            # Text has four significant digits, the binary file the float itself.
            assert np.allclose(seen.values, part.values, rtol=6e-4, equal_nan=True)
        for key in ("station", "model", "serial number", "stamps"):
            assert other.metadata[key] == text.metadata[key]


@pytest.mark.parametrize("kind", ["TOB2", "TOB3"])
def test_a_file_of_a_memory_card_is_refused_by_its_name(tmp_path, kind):
    path = tmp_path / "card.dat"
    path.write_bytes(
        f'"{kind}","CR1000","CR1000","1234","CR1000.Std.31","prog","123","2020"\r\n'.encode() + b"\x00\x01" * 40
    )
    with pytest.raises(ReadError, match=f"this is a {kind} file.*CardConvert"):
        nilometer.read(path)
