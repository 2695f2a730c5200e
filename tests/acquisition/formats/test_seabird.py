"""Sea-Bird files: columns by their codes, bad flags missing, and times from the cast's start."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.errors import ReadError

FOLDER = "ocean/ctd/"


def read(folder, content, name="cast", **wishes):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("cp1252"))
    return nilometer.read(path, **wishes)


@pytest.mark.parametrize("content", [made_up.CNV, made_up.binary_cnv()], ids=["text", "binary"])
def test_a_column_of_elapsed_seconds_counts_from_the_start(tmp_path, content):
    recording = read(tmp_path, content)
    assert recording.format == "cnv"
    start = np.datetime64("2011-04-01T07:26:35", "us").astype(np.int64)
    assert recording.times.tolist() == [start, start + 250_000]
    assert {name: (part.unit, part.observed_property) for name, part in recording.columns.items()} == {
        "prDM": ("dbar", "water_pressure"),
        "t090C": ("degree_Celsius", "water_temperature"),
        "sbeox0ML/L": ("mL L-1", None),
    }
    assert np.allclose(recording["t090C"].values, [26.9647, np.nan], equal_nan=True)
    told = recording.metadata
    assert (told["model"], told["station"], told["sensor serial numbers"]) == (
        "Sea-Bird SBE16plusV2", "BL1", "Temperature 4322",
    )  # fmt: skip
    assert told["title of prDM"] == "Pressure, Digiquartz"
    assert told["start from"] == "NMEA time, first data scan"
    assert not any("UTC is assumed" in note for note in recording.notes)


def test_a_cast_without_times_bears_its_start_and_says_whose_clock_it_was(tmp_path):
    recording = read(tmp_path, made_up.CAST)
    start = np.datetime64("2011-04-01T07:26:35", "us").astype(np.int64)
    assert recording.times.tolist() == [start, start]
    assert recording.metadata["start from"] == "System UpLoad Time"
    assert any("every row bears the time" in note for note in recording.notes)
    assert any("UTC is assumed" in note for note in recording.notes)


def test_a_signalling_nan_in_a_binary_file_is_a_missing_value(tmp_path):
    content = made_up.binary_cnv()
    recording = read(tmp_path, content[:-16] + b"\x01\x00\xa0\x7f" + content[-12:])
    assert np.isnan(recording["prDM"].values[1])


def test_columns_that_touch_are_told_by_their_width(tmp_path):
    rows = "      0.000-12345.1234    26.9647      4.621  0.000e+00\n"
    recording = read(tmp_path, made_up.CNV[: made_up.CNV.index("*END*") + 6] + rows)
    assert recording["prDM"].values.tolist() == [-12345.1234]


def test_a_line_that_is_no_row_is_left_out_with_its_number(tmp_path):
    recording = read(tmp_path, made_up.CNV + "      0.500      garbage\n")
    assert len(recording) == 2
    line = made_up.CNV.count("\n") + 1
    assert any(f"the first is line {line}" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("cut", "message"),
    [("*END*", "END"), ("# name", "names a column"), ("# start_time", "nothing tells when")],
)
def test_a_header_that_lacks_what_is_needed_says_so(tmp_path, cut, message):
    text = "\n".join(line for line in made_up.CAST.split("\n") if not line.startswith(cut))
    with pytest.raises(ReadError, match=message):
        read(tmp_path, text, format="cnv")


def test_bottles_give_means_as_values_and_spreads_aside(tmp_path):
    recording = read(tmp_path, made_up.BTL)
    assert recording.format == "btl"
    assert seconds(recording) == ["2013-06-27T21:23:18", "2013-06-27T21:30:29"]
    assert recording["water_temperature"].values.tolist() == [9.1594, 12.5179]
    assert recording["Sbeox0Mm/Kg"].unit == "umol kg-1"
    assert recording["PrDM"].statistic == "mean"
    assert recording.aside["T090C_sdev"].to_pylist() == ["0.0253", "0.0062"]
    assert recording.aside["bottle"].to_pylist() == [1, 2]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rows", "start", "end", "sums"),
    [
        ("CTD-spiked-unfiltered.cnv.bz2", 71325, "2011-04-01T07:26:35", "2011-04-01T08:16:06", {"prDM": 6.433}),
        ("g01mcan05c.cnv.gz", 13341, "2012-07-11T12:49:08", "2012-07-11T12:58:23", {}),
        ("CTD_with_sigma_e00.cnv", 199, "2013-07-12T12:59:29", "2013-07-12T12:59:29", {"prDM": 2.0}),
        ("d201211_0011.cnv.gz", 78, "2012-08-09T06:34:34", "2012-08-09T06:34:34", {"prDM": 1.0, "sal00": 25.1637}),
        ("bottletest.btl", 12, "2013-06-27T21:23:18", "2013-06-27T21:30:29", {"T090C": 9.1594}),
    ],
)
def test_real_casts_are_read_whole(real_data, name, rows, start, end, sums):
    recording = nilometer.read(real_data / FOLDER / name)
    assert len(recording) == rows
    moments = seconds(recording)
    assert (moments[0], moments[-1]) == (start, end)
    assert {"water_temperature", "water_pressure", "conductivity"} <= set(recording.properties.values())
    for column, first in sums.items():
        assert recording[column].values[0] == pytest.approx(first, abs=2e-3)
    assert recording.metadata["model"] == "Sea-Bird SBE9"


@pytest.mark.real
@pytest.mark.parametrize(("name", "least"), [("CTD_with_sigma_e00.cnv", 17), ("g01mcan05c.cnv.gz", 23)])
def test_the_spans_that_a_real_header_tells_are_those_of_its_values(real_data, name, least):
    path = real_data / FOLDER / name
    content = path.read_bytes()
    header = (gzip.decompress(content) if name.endswith(".gz") else content).decode("cp1252")
    recording = nilometer.read(path)
    names = re.findall(r"# name \d+ = (.*?):", header)
    checked = 0
    for at, *span in re.findall(r"# span (\d+) =\s*(\S+),\s*(\S+)", header):
        part = recording.columns.get(names[int(at)])
        if part is not None:
            seen = [np.nanmin(part.values), np.nanmax(part.values)]
            assert seen == pytest.approx([float(word) for word in span], rel=1e-4, abs=1e-4)
            checked += 1
    assert checked == least
