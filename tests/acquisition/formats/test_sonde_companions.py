"""Real sonde files hold what their owners read from them: quantities, values at named times, serial number, site."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats.companions import KEYS, companion

import nilometer

pytestmark = pytest.mark.real
FOLDER = "raw_logs/sondes/"
# File, format, rows, and parameters of the companion that bear no property here (with the reason).
SONDES = [
    ("espey/BZ3L_ALL.csv.gz", "csv", 8821, {"air_pressure": "a column of another time, named for a worksheet"}),
    ("eureka/JDM2_20060808_CDT_EU0312.csv", "csv", 1691, {}),
    ("greenspan/1208SB1S.csv.gz", "greenspan_csv", 9085, {}),
    ("hydrolab/BAYT_20031117_CST_HY349_000.txt", "hydrolab", 660, {}),
    ("hydrolab/SANT_20060503_CDT_HY0000_000.txt", "hydrolab", 1012, {}),
    ("hydrotech/0109CHKN.csv", "hydrolab_csv", 698, {}),
    ("macroctd/JDM1_20060919_CDT_MC0647.csv", "macroctd", 4123, {}),
    ("midgewater/BRAZOSD_20090812_CXT_MW9999.txt", "columns", 5789, {}),
    ("solinst/0712NU08.csv", "solinst_csv", 2316, {}),
    ("solinst/1034598.lev", "solinst_lev", 1467, {}),
    ("ysi/0108BAYT.CDF", "csv", 1062, {}),
    ("ysi/0108BAYT.csv", "csv", 1062, {}),
    ("ysi/0108BAYT.dat", "ysi_dat", 1062, {}),
]


@pytest.mark.parametrize(("name", "format_name", "rows", "unnamed"), SONDES, ids=[one[0] for one in SONDES])
def test_a_real_file_agrees_with_its_companion(real_data, name, format_name, rows, unnamed):
    path = real_data / FOLDER / name
    bare = name.removesuffix(".gz")
    stem, _, suffix = bare.rpartition(".")
    answer = companion(real_data / FOLDER / f"{stem}_{suffix}_test.txt")
    recording = nilometer.read(path)
    assert (recording.format, len(recording)) == (format_name, rows)
    seen = {part.observed_property: part for part in reversed(recording.columns.values())}
    columns = {}
    for at, parameter in enumerate(answer.parameters):
        key = next((key for key in KEYS[parameter] if key in seen), None)
        if parameter in unnamed:
            assert key is None
        else:
            assert key is not None, f"{parameter} is not found"
            columns[at] = seen[key].values
    assert answer.rows
    for stamp, values in answer.rows:
        found = np.flatnonzero(recording.times == stamp)
        assert len(found), f"no row at {stamp}"
        for at, column in columns.items():
            expected = values[at]
            tolerance = 0.006 if format_name == "ysi_dat" else 1e-9
            assert column[found[0]] == pytest.approx(expected, abs=tolerance, nan_ok=True), answer.parameters[at]
    if answer.serial:
        assert recording.metadata["serial number"] == answer.serial
    if answer.site:
        assert recording.metadata["station"] == answer.site


@pytest.mark.parametrize(
    ("name", "format_name", "rows", "serial", "properties"),
    [
        ("solinst/1034602.lev", "solinst_lev", 1465, "1034602", {"water_level", "water_temperature"}),
        ("solinst/FallsCity63606_09_16_10.lev", "solinst_lev", 604, "63606", {"water_level", "water_temperature"}),
        (
            "solinst/JDM1_20060130_CST_SL0652.lev", "solinst_lev", 4163, "60652",
            {"water_level", "water_temperature", "conductivity"},
        ),
        ("solinst/MCFHQ_20060130_CST_SB6796.lev", "solinst_lev", 4228, "36796", {"water_temperature"}),
        (
            "greenspan/JARD_20070524_CDT_GS7837.txt", "greenspan", 450, "17837",
            {"dissolved_oxygen", "water_temperature", "conductivity_25", "ph"},
        ),
    ],
)  # fmt: skip
def test_real_files_without_a_companion_are_read_whole(real_data, name, format_name, rows, serial, properties):
    recording = nilometer.read(real_data / FOLDER / name)
    assert (recording.format, len(recording), recording.metadata["serial number"]) == (format_name, rows, serial)
    assert set(recording.properties.values()) == properties


def test_a_report_in_columns_of_blanks_has_its_year_first(real_data):
    recording = nilometer.read(real_data / FOLDER / "ysi/LAVC1010.txt")
    assert (recording.format, len(recording)) == ("columns", 916)
    assert recording.times[0] == np.datetime64("2010-10-04T11:00:31", "us").astype(np.int64)
    assert recording["salinity"].values[4] == 12.05


def test_a_real_daily_file_of_a_minidot_tells_its_serial_number(real_data):
    recording = nilometer.read(real_data / "raw_logs/minidot/2019-12-13_151700Z.txt")
    assert (recording.format, recording.metadata["serial number"]) == ("minidot", "7392-354869")
    assert list(recording.aside) == ["Q ()"]
    assert recording["dissolved_oxygen"].values[0] == 9.654


@pytest.mark.parametrize(
    ("name", "rows", "unit"), [("46042w1996.txt.gz", 8712, "m2 Hz-1"), ("46097h201908qc.txt.gz", 4464, None)]
)
def test_real_buoys_are_in_utc_and_their_nines_are_missing(real_data, name, rows, unit):
    recording = nilometer.read(real_data / "ocean/wave" / name)
    assert (recording.format, len(recording), recording.metadata["time zone"]) == ("ndbc", rows, "UTC")
    if unit is not None:
        assert recording[".070"].unit == unit
        assert recording[".070"].values[0] == 14.02
        assert recording.times[0] == np.datetime64("1996-01-01", "us").astype(np.int64)
    else:
        heights = recording["significant_wave_height"].values
        assert np.isnan(heights[0])
        assert heights[1] == 1.07
        assert np.nanmax(heights) < 20.0
