"""Real recordings: as many rows as their owners counted, the columns that the instruments measured, in their units."""

from __future__ import annotations

import numpy as np
import pytest

import nilometer
from nilometer.errors import ReadError

pytestmark = pytest.mark.real

LRO = {
    "temp": ("water_temperature", "degree_Celsius"),
    "cond": ("conductivity_25", "uS cm-1"),
    "ph": ("ph", "1"),
    "do": ("dissolved_oxygen", "mg L-1"),
}
LRO_ALL = LRO | {"turb": ("turbidity_ntu", "NTU"), "stage": ("water_level", "cm")}
NERRS = {
    "temp": ("water_temperature", "degree_Celsius"),
    "spcond": ("conductivity_25", "mS cm-1"),
    "sal": ("salinity", "1"),
    "do_pct": ("oxygen_saturation", "%"),
    "do_mgl": ("dissolved_oxygen", "mg L-1"),
    "depth": ("sensor_depth", "m"),
    "ph": ("ph", "1"),
    "turb": ("turbidity_ntu", "NTU"),
}
DRIFTR = {
    "Temp": ("water_temperature", "degree_Celsius"),
    "SpCond": ("conductivity_25", "mS cm-1"),
    "pH": ("ph", "1"),
    "pHmV": ("ph_electrode_potential", "mV"),
    "Chloride": ("chloride", "mg L-1"),
    "AmmoniumN": ("ammonium_n", "mg L-1"),
    "NitrateN": ("nitrate_n", "mg L-1"),
    "Turbidity+": ("turbidity_ntu", "NTU"),
    "DO": ("oxygen_saturation", "%"),
}
WQ = "water_quality/"
FILES = [
    (WQ + "lro/MainStreet2019.csv.gz", 25881, "2019-01-01T00:00", "2019-09-27", LRO_ALL),
    (WQ + "lro/TonyGrove2019.csv.gz", 30450, "2019-01-01T00:15", "2019-11-14", LRO_ALL),
    (WQ + "lro/BlackSmithFork2019.csv.gz", 31162, "2019-01-01T00:00", "2019-11-21", LRO_ALL),
    (WQ + "lro/FranklinBasin2014.csv.gz", 18668, "2014-06-20T13:00", "2014-12-31", LRO_ALL),
    (WQ + "lro/MainStreet2020.csv.gz", 8736, "2020-01-01T00:00", "2020-03-31", LRO_ALL),
    (WQ + "lro/FranklinBasin2017_2019.csv.gz", 103605, "2017-01-01T00:00", "2019-12-16", LRO),
    (WQ + "nerrs/apacpwq_2012_2013.csv.gz", 70176, "2012-01-01T05:00", "2014-01-01", NERRS),
    (WQ + "nerrs/gndblwq2021_cdmo_export.csv.gz", 5856, "2021-07-02T00:00", "2021-08-31", None),
    (WQ + "driftr/sonde_raw.csv", 1527, "2015-09-18T12:10:49", "2015-09-23", DRIFTR),
    (WQ + "driftr/sonde_corrected.csv.gz", 1527, "2015-09-18T12:10:49", "2015-09-23", None),
    (
        WQ + "saqc/hydro_data.csv.gz", 70163, "2016-01-01T00:02", "2017-12-31",
        {"sac254_raw": ("sac254", "m-1"), "level_raw": ("water_level", "cm"), "water_temp_raw": LRO["temp"]},
    ),
    (
        WQ + "saqc/tempSensorGroup.csv.gz", 52559, "2017-01-01T00:10", "2017-12-31",
        {f"temp{n}": LRO["temp"] for n in range(1, 6)},
    ),
    (WQ + "saqc/turbidity_plateaus.csv.gz", 25000, "2000-01-01T00:00", "2000-06-22", {"base3": (None, "1")}),
    (
        WQ + "queensland/sandy_creek_labelled.csv", 5402, "2017-03-12T01:00", "2018-03-12",
        {"Level": ("water_level", "m"), "Cond": LRO["cond"], "Tur": ("turbidity_ntu", "NTU")},
    ),
    (WQ + "neon/NEON_PRIN_5min_cleaned.parquet", 105984, "2019-07-01T00:00", "2019-12-31", None),
    (
        WQ + "ioos/attenuated_salinity_example.csv.gz", 24436, "2001-08-16T03:06:55", "2001-09-02",
        {"sandi.790.A.CTD": ("salinity", "1")},
    ),
    (WQ + "ioos/20363_1000427.csv.gz", 89717, "2015-08-20T23:00", "2019-09-03", None),
    ("level/tide/490-01-JAN-2003_slev.csv", 6667, "2003-01-01T05:00", "2003-10-08", {"SLEV": ("water_level", "m")}),
    ("level/tide/ioos_water_level_example.csv", 7241, "2018-09-05T21:00", "2019-07-10", None),
    (
        "level/usgs/usgs_gage_height_TRTS_20100810_instantaneous.csv", 96, "2010-08-10T08:00", "2010-08-11",
        {"Gage height": ("water_level", "ft")},
    ),
    (
        "level/usgs/usgs_discharge_TRTS_20090801_20190801_daily.csv", 3653, "2009-08-01", "2019-08-01",
        {"Discharge": ("discharge", "ft3 s-1")},
    ),
    ("level/hobo_depth/DATA_test2_Aw_20130101_20141231.csv.gz", 9699, "2013-04-26T10:30", "2014-09-30", None),
    ("level/stage_discharge/co_channel.csv", 15, "2021-05-26T16:35:18", "2015-06-05", None),
    ("ocean/wave/spotter_20210929.csv.gz", 179, "2021-09-28T13:12:01", "2021-09-06", None),
    ("collocation/epa_sensortoolkit/toco_toucan_RT01_raw.csv.gz", 42836, "2019-08-01T12:11", "2019-09-01", None),
    ("raw_logs/exo/korexo_LNB_GM_20210908_20210920_raw.csv", 1149, "2021-09-08T11:48:37", "2021-09-20", None),
    ("raw_logs/hobo/Charlies_AW_20170726_20170926.csv", 2976, "2017-07-26T21:00", "2017-09-26", None),
    ("raw_logs/hobo/driftr_hoboRaw.txt", 6023, "2017-11-10T18:54:05", "2017-12-01", None),
    ("raw_logs/campbell/TOA5_Station_Daily.dat", 57, "2014-04-11", "2014-06-06", None),
    ("raw_logs/minidot/2019-12-13_151700Z.txt", 49, "2019-12-13T15:17", "2019-12-14", None),
    ("raw_logs/sondes/ysi/0108BAYT.csv", 1062, "2008-01-29T09:00", "2008-03-13", None),
    ("raw_logs/sondes/eureka/JDM2_20060808_CDT_EU0312.csv", 1691, "2006-08-08T11:15", "2006-08-26", None),
    ("raw_logs/sondes/solinst/0712NU08.csv", 2316, "2012-07-30T09:00", "2012-08-23", None),
    ("raw_logs/sondes/greenspan/1208SB1S.csv.gz", 9085, "2008-10-27T12:15", "2009-02-02", None),
    ("raw_logs/sondes/espey/BZ3L_ALL.csv.gz", 8821, "2008-08-23T17:00:08", "2009-08-26", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "first", "last_day", "expected"), FILES, ids=[file[0] for file in FILES])
def test_a_real_recording_is_read_whole(real_data, name, rows, first, last_day, expected):
    recording = nilometer.read(real_data / name)
    assert len(recording) == rows
    moments = recording.times.astype("datetime64[us]")
    assert moments[0] == np.datetime64(first)
    assert moments[-1].astype("datetime64[D]") == np.datetime64(last_day)
    if expected is not None:
        assert {n: (c.observed_property, c.unit) for n, c in recording.columns.items()} == expected


def test_the_owners_labels_and_corrections_stand_aside(real_data):
    recording = nilometer.read(real_data / WQ / "lro/MainStreet2019.csv.gz")
    labelled = {name: sum(word != "NULL" for word in recording.aside[f"{name}_qual"].to_pylist()) for name in LRO_ALL}
    assert {name: labelled[name] for name in ("do", "cond", "ph", "turb", "stage")} == {
        "do": 5674, "cond": 519, "ph": 123, "turb": 71, "stage": 5021,
    }  # fmt: skip
    tony = nilometer.read(real_data / WQ / "lro/TonyGrove2019.csv.gz")
    assert np.isnan(tony["temp"].values).sum() == 19
    corrected = nilometer.read(real_data / WQ / "lro/MainStreet2019.csv.gz", columns=["do_cor"])
    assert corrected["do_cor"].values[0] == 11.78


def test_one_site_of_two_can_be_taken(real_data):
    recording = nilometer.read(real_data / WQ / "neon/NEON_PRIN_5min_cleaned.parquet")
    upstream = recording.only("site", "upstream")
    assert len(upstream) == 52992
    assert (np.diff(upstream.times) > 0).all()
    assert upstream["turbidity_fnu"].unit == "FNU"


def test_an_exo_export_tells_its_properties_by_unit(real_data):
    recording = nilometer.read(real_data / "raw_logs/exo/korexo_LNB_GM_20210908_20210920_raw.csv")
    for key, unit in {
        "chlorophyll_fluorescence": "RFU", "chlorophyll_a": "ug L-1", "conductivity": "uS cm-1",
        "conductivity_25": "uS cm-1", "oxygen_saturation": "%", "dissolved_oxygen": "mg L-1", "salinity": "1",
        "turbidity_fnu": "FNU", "ph": "1", "water_temperature": "degree_Celsius", "battery_voltage": "V",
    }.items():  # fmt: skip
        assert recording[key].unit == unit


def test_long_tables_of_hydrovu_are_set_side_by_side(real_data):
    recording = nilometer.read(real_data / "raw_logs/hydrovu/archery_2024-11-01_0300.csv")
    assert sum(np.isfinite(column.values).sum() for column in recording.columns.values()) == 14 * 13
    assert recording["conductivity_25"].unit == "uS cm-1"


def test_a_sounders_log_gives_depth_and_temperature(real_data):
    recording = nilometer.read(real_data / "raw_logs/nmea0183/depths.nmea")
    assert recording.format == "nmea0183"
    assert np.isfinite(recording["water_temperature"].values).sum() == 1249
    depths = recording["depth_below_transducer"].values
    assert np.isfinite(depths).sum() == 1245
    assert recording.times[0] == np.datetime64("2016-09-07T12:19:23", "us").astype(np.int64)


def test_a_log_whose_clock_has_no_date_is_read_once_its_day_is_named(real_data):
    path = real_data / "raw_logs/nmea0183/plaka.log.gz"
    with pytest.raises(ReadError, match="date="):
        nilometer.read(path)
    recording = nilometer.read(path, date="2014-08-15")
    assert np.isfinite(recording["depth_below_transducer"].values).sum() > 7000
    assert recording["speed_through_water"].unit == "knot"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("level/stage_discharge/nordura.csv", "'stage', 'q'"),
        (WQ + "driftr/cal_values.csv", "'Cal Standard'"),
        ("level/rws/VLISSGN_ana.txt", "no column of times"),
        ("raw_logs/modbus/flowmeter_graph_tool.sr", "zip archive"),
        ("imu_can/imu/fusion_sensor_data.csv.gz", "no column of times"),
    ],
)
def test_what_is_no_time_series_or_of_a_later_family_is_refused_clearly(real_data, name, message):
    with pytest.raises(ReadError, match=message):
        nilometer.read(real_data / name)


@pytest.mark.parametrize(
    ("name", "station"),
    [
        (WQ + "nerrs/gndblwq2021_cdmo_export.csv.gz", "gndblwq"),
        ("raw_logs/hydrovu/archery_2024-11-01_0300.csv", "archery"),
        ("raw_logs/exo/korexo_LNB_GM_20210908_20210920_raw.csv", "GM"),
    ],
)
def test_a_column_of_one_site_names_the_station(real_data, name, station):
    assert nilometer.read(real_data / name).metadata["station"] == station


def test_every_recording_says_its_zone_and_what_its_stamps_are(real_data):
    for name, *_ in FILES:
        recording = nilometer.read(real_data / name)
        assert {"time column", "time zone", "stamps"} <= set(recording.metadata), name
