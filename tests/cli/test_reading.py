"""What `nilometer read` writes keeps what the file says: units, places, limits, zone and instrument."""

from __future__ import annotations

import json

import pyarrow.parquet
import pytest

import nilometer as library
from tests.cli.conftest import nilometer

TWO_SITES = (
    "# Serial number: 4711\n断面名称,监测时间(北京时间),水温(℃),氨氮(mg/L),备注\n"
    "甲,2024-05-01 08:00,20.5,<0.025,清\n乙,2024-05-01 08:00,21.5,0.03,浊\n"
)


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(TWO_SITES, encoding="gb18030")
    return file


@pytest.mark.parametrize("name", ["back.csv", "back.parquet"])
def test_what_was_written_is_read_back_as_it_was(log, tmp_path, name):
    first = library.read(log)
    called = nilometer("read", log, "-o", tmp_path / name)
    assert called.code == 0
    assert "no values, and not written: 备注" in called.err
    again = library.read(tmp_path / name)
    assert again.times.tolist() == first.times.tolist()
    assert dict(again.units) == dict(first.units) == {"水温": "degree_Celsius", "氨氮": "mg L-1"}
    assert dict(again.properties) == dict(first.properties)
    assert [column.values.tolist() for column in again.columns.values()] == [[20.5, 21.5], [0.025, 0.03]]
    assert again.aside["断面名称"].to_pylist() == ["甲", "乙"]
    assert again["nh3_n"].censored.tolist() == first["nh3_n"].censored.tolist() == [-1, 0]
    assert again.metadata["time zone"] in {"in each row", "+00:00"}


def test_a_written_file_tells_instrument_zone_and_what_was_assumed(log, tmp_path):
    assert nilometer("read", log, "-o", tmp_path / "o.parquet").code == 0
    told = pyarrow.parquet.read_schema(tmp_path / "o.parquet").metadata
    assert (told[b"serial number"], told[b"time zone"]) == (b"4711", b"+08:00")
    assert library.read(tmp_path / "o.parquet").metadata["serial number"] == "4711"


def test_what_a_file_tells_is_a_document_too(log):
    told = json.loads(nilometer("read", log, "--json").out)
    assert (told["format"], told["rows"], told["first"]) == ("csv", 2, "2024-05-01T00:00:00.000000Z")
    assert told["metadata"]["time zone"] == "+08:00"
    assert told["columns"][1] == {
        "name": "氨氮", "observed_property": "nh3_n", "unit": "mg L-1", "unit_from": "name",
        "statistic": None, "values": 2, "limits": 1,
    }  # fmt: skip
