"""Any file of the field: found out, read, and what was assumed is said."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import nilometer
from nilometer.acquisition.formats.reading import formats
from nilometer.errors import ConfigError, ReadError
from nilometer.series import columns, microseconds

CSV = (
    "time,temp [degC],ph,ph_qual\n2024-01-01T00:00:00Z,4.5,7.1,P\n2024-01-01T00:15:00Z,,7.2,\n"
    "2024-01-01T00:30:00Z,4.7,-9999,S\n"
)
NAN = float("nan")


def written(folder, text, name="log.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def same(seen, expected):
    assert np.array_equal(np.asarray(seen, float), np.asarray(expected, float), equal_nan=True)


def times(*words):
    return microseconds(list(words)).tolist()


def test_a_plain_file_gives_times_values_units_properties_and_qualifiers(tmp_path):
    recording = nilometer.read(written(tmp_path, CSV))
    assert recording.format == "csv"
    assert recording.times.tolist() == times("2024-01-01T00:00Z", "2024-01-01T00:15Z", "2024-01-01T00:30Z")
    assert list(recording.columns) == ["temp", "ph"]
    same(recording["temp"].values, [4.5, NAN, 4.7])
    same(recording["ph"].values, [7.1, 7.2, NAN])
    assert recording["water_temperature"] is recording["temp"]
    assert dict(recording.units) == {"temp": "degree_Celsius", "ph": "1"}
    assert recording["temp"].unit_from == "name"
    assert recording.aside["ph_qual"].to_pylist() == ["P", "", "S"]
    assert recording.qualifies == {"ph_qual": "ph"}
    assert any("1 fill values" in note for note in recording.notes)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_compression_is_seen_by_its_first_bytes_not_by_its_name(tmp_path, pack, suffix):
    for name in (f"log.csv.{suffix}", "log"):
        assert len(nilometer.read(written(tmp_path, pack(CSV.encode()), name))) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "gb18030"])
def test_encodings_are_found_out(tmp_path, encoding):
    word = {"cp1252": "Temp (°C)", "gb18030": "水温(℃)"}.get(encoding, "水温 [°C]")
    text = f"time,{word}\n2024-01-01 00:00,4.5\n2024-01-01 00:15,4.6\n2024-01-01 00:30,4.7\n"
    recording = nilometer.read(written(tmp_path, text, encoding=encoding))
    assert recording["water_temperature"].unit == "degree_Celsius"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends_are_found_out(tmp_path, delimiter, end):
    text = CSV.replace(",", delimiter).replace("\n", end)
    same(nilometer.read(written(tmp_path, text))["temp"].values, [4.5, NAN, 4.7])


def test_a_decimal_comma_is_seen_beside_semicolons(tmp_path):
    text = (
        "Datum;Zeit;SpCond (mS/cm)\n01.02.2024;00:00:00;1.234,5\n13.02.2024;00:15:00;0,754\n14.02.2024;00:30:00;0,755\n"
    )
    recording = nilometer.read(written(tmp_path, text))
    same(recording["conductivity_25"].values, [1234.5, 0.754, 0.755])
    assert recording.times.tolist() == times("2024-02-01", "2024-02-13T00:15", "2024-02-14T00:30")


def test_a_preamble_a_units_row_and_two_columns_of_time(tmp_path):
    text = (
        "Plot Title: bay\nSerial,123\n\nDate,Time,Temp,DO,DO,Battery\nM/D/Y,hh:mm:ss,C,%,mg/L,V\n"
        "9/8/2015,12:10:49,14.76,92.65,9.1,12.1\n9/8/2015,12:15:50,14.64,93.73,9.2,12.1\n"
    )
    recording = nilometer.read(written(tmp_path, text))
    assert recording.times.tolist() == times("2015-09-08T12:10:49", "2015-09-08T12:15:50")
    assert dict(recording.properties) == {
        "Temp": "water_temperature",
        "DO": "oxygen_saturation",
        "DO (2)": "dissolved_oxygen",
        "Battery": "battery_voltage",
    }
    assert recording["Temp"].unit_from == "units row"
    assert "Plot Title: bay" in recording.metadata["preamble"]


@pytest.mark.parametrize(
    ("stamps", "expected", "said"),
    [
        (["12/03/2017 1:00", "13/03/2017 1:00", "14/03/2017 1:00"], "2017-03-12T01:00", "day/month"),
        (["3/12/2017 1:00", "3/13/2017 1:00", "3/14/2017 1:00"], "2017-03-12T01:00", "month/day"),
        (["01/03/2017", "02/03/2017", "03/03/2017"], "2017-03-01", "day/month"),
        (["03/01/2017", "03/02/2017", "03/03/2017"], "2017-03-01", "month/day"),
        (["11/10/17 02:54:05 PM", "11/10/17 02:59:05 PM", "11/30/17 03:04:05 AM"], "2017-11-10T14:54:05", "month/day"),
        (["01-Mar-2017 00:00", "02-Mar-2017 00:00", "03-Mar-2017 00:00"], "2017-03-01", ""),
        (["2017年3月1日 08:00", "2017年3月1日 09:00", "2017年3月1日 10:00"], "2017-03-01T08:00", ""),
        (["20170301080000", "20170301090000", "20170301100000"], "2017-03-01T08:00", ""),
        (["1488355200", "1488355260", "1488355320"], "2017-03-01T08:00", ""),
        (["1488355200000", "1488355260000", "1488355320000"], "2017-03-01T08:00", ""),
        (["2017-03-01 08:00 [UTC-07:00]", "2017-03-01 09:00", "2017-03-01 10:00 [UTC-07:00]"], "2017-03-01T15:00", ""),
        (["2017-03-01T08:00:00+08:00", "2017-03-01T09:00:00+08:00", "2017-03-01T09:00:00+08:00"], "2017-03-01", ""),
        (["2017-03-01T08:00:00.123456Z"] * 3, "2017-03-01T08:00:00.123456", ""),
        (["2017-02-28 24:00", "2017-03-01 01:00", "2017-03-01 02:00"], "2017-03-01", ""),
    ],
)
def test_times_are_read_in_the_spellings_of_the_field(tmp_path, stamps, expected, said):
    text = "timestamp,level [m]\n" + "".join(f"{stamp},{number}.5\n" for number, stamp in enumerate(stamps))
    recording = nilometer.read(written(tmp_path, text))
    assert recording.times[0] == microseconds([expected])[0]
    assert len(recording) == 3
    assert said in " ".join(recording.notes)


def test_an_order_of_day_and_month_that_nothing_shows_is_stated_and_can_be_turned(tmp_path):
    path = written(tmp_path, "time,ph\n01/02/2017,7\n")
    recording = nilometer.read(path)
    assert recording.times.tolist() == times("2017-01-02")
    assert any("day_first=True" in note for note in recording.notes)
    assert nilometer.read(path, day_first=True).times.tolist() == times("2017-02-01")


def test_rows_that_contradict_one_order_of_day_and_month_are_refused(tmp_path):
    path = written(tmp_path, "time,ph\n13/02/2017,7\n02/13/2017,7\n")
    with pytest.raises(ConfigError, match=r"log\.csv: day_first: some rows can only be day/month"):
        nilometer.read(path)


@pytest.mark.parametrize(
    ("header", "zone", "hour"),
    [
        ("Date Time, GMT-04:00", None, 12),
        ("time PST", None, 16),
        ("time", "Asia/Shanghai", 0),
        ("time", "+08:00", 0),
        ("time (UTC)", None, 8),
        ("time", None, 8),
        ("time PST", "UTC", 8),
    ],
)
def test_the_zone_is_the_callers_else_the_files_else_utc(tmp_path, header, zone, hour):
    path = written(tmp_path, f'"{header}",ph\n2024-01-15 08:00,7.0\n2024-01-15 08:15,7.1\n')
    recording = nilometer.read(path, time_zone=zone)
    assert recording.times[0] == microseconds([f"2024-01-15T{hour:02d}:00"])[0]
    assert any("UTC is assumed" in note for note in recording.notes) is (header == "time" and zone is None)


def test_a_zone_with_summer_time_moves_its_clock(tmp_path):
    path = written(tmp_path, "time,ph\n2024-03-31 01:59,7.0\n2024-03-31 03:00,7.1\n")
    moved = nilometer.read(path, time_zone="Europe/Berlin").times
    assert moved.tolist() == times("2024-03-31T00:59", "2024-03-31T01:00")


@pytest.mark.parametrize(
    ("words", "values", "censored", "said"),
    [
        (["0.31", "0.025L", "0.025 L"], [0.31, 0.025, 0.025], [0, -1, -1], ""),
        (["0.31", "<0.025", "未检出"], [0.31, 0.025, 0.025], [0, -1, -1], "limit 0.025 is taken"),
        (["0.31", "未检出（0.04）", "ND(<0.05)"], [0.31, 0.04, 0.05], [0, -1, -1], ""),
        (["0.31", "0.33", "ND"], [0.31, 0.33, NAN], [0, 0, -1], "does not name one limit: no value"),
        (["<0.02", "<0.05", "未检出"], [0.02, 0.05, NAN], [-1, -1, -1], "does not name one limit"),
        (["0.31", "≥2400", "＞ 50"], [0.31, 2400.0, 50.0], [0, 1, 1], ""),
    ],
)
def test_what_was_not_detected_is_a_limit_and_not_a_gap(tmp_path, words, values, censored, said):
    rows = "".join(f"2024-01-01 00:{at:02d},{word}\n" for at, word in enumerate(words))
    recording = nilometer.read(written(tmp_path, f"time,氨氮(mg/L)\n{rows}"))
    (column,) = recording.columns.values()
    same(column.values, values)
    assert column.censored.tolist() == censored
    assert said in " ".join(recording.notes)
    told = recording.to_arrow(aside=True)
    marks = told.column(f"{column.name}_censored").to_pylist()
    assert marks == [{-1: "<", 0: "", 1: ">"}[one] for one in censored]
    assert told.schema.field(f"{column.name}_censored").metadata == {b"qualifies": column.name.encode()}


def test_missing_words_fill_values_and_censored_values(tmp_path):
    words = ["NULL", "NaN", "-9999", "", "N/A", "-99.9", "<0.05", "> 50", "1,269.4", "+3.49", "1e-3"]
    text = "time;tp [mg/L]\n" + "".join(f"2024-01-01 {hour:02d}:00;{word}\n" for hour, word in enumerate(words))
    column = nilometer.read(written(tmp_path, text), missing=["-99.9"])["total_phosphorus"]
    same(column.values, [NAN] * 6 + [0.05, 50.0, 1269.4, 3.49, 0.001])
    assert column.censored.tolist() == [0] * 6 + [-1, 1, 0, 0, 0]


def test_texts_among_numbers_are_missing_and_counted(tmp_path):
    text = "time,ph\n" + "".join(f"2024-01-01 {h:02d}:00,{'fuera de rango' if h == 3 else 7}\n" for h in range(10))
    recording = nilometer.read(written(tmp_path, text))
    assert np.isnan(recording["ph"].values).sum() == 1
    assert any("'fuera de rango'" in note for note in recording.notes)


def test_rows_of_another_width_and_rows_without_a_time_are_left_out_and_said(tmp_path):
    rows = [f"2024-01-01 {h:02d}:00,7.{h}\n" for h in range(10)]
    text = "time,ph\n" + "".join(rows) + "recovery finished\n,7.5\n2024-01-01 11:00,7.5,1,2\n2024-01-01 12"
    recording = nilometer.read(written(tmp_path, text))
    assert len(recording) == 10
    assert any(note.startswith("3 rows were left out") and "line 12" in note for note in recording.notes)
    assert any(note.startswith("1 row has no time") for note in recording.notes)


def test_columns_may_be_chosen_even_qualifiers_and_corrections(tmp_path):
    text = "time,do,do_cor,do_qual\n2024-01-01,14.1,11.8,10\n2024-01-02,14.2,11.9,10\n"
    path = written(tmp_path, text)
    assert list(nilometer.read(path).columns) == ["do"]
    chosen = nilometer.read(path, columns=["do_cor"])
    assert list(chosen.columns) == ["do_cor"]
    assert set(chosen.aside) == {"do", "do_qual"}
    with pytest.raises(ConfigError, match="did you mean do_cor"):
        nilometer.read(path, columns=["do_corr"])


def test_the_time_column_may_be_named(tmp_path):
    path = written(tmp_path, "a,b,ph\n2024-01-01,2023-01-01,7\n2024-01-02,2023-01-02,7\n")
    assert nilometer.read(path, time="b").times.tolist() == times("2023-01-01", "2023-01-02")
    with pytest.raises(ConfigError, match="no such column"):
        nilometer.read(path, time="c")
    with pytest.raises(ConfigError, match="holds no times"):
        nilometer.read(path, time="ph")


def test_a_long_table_becomes_wide(tmp_path):
    text = (
        "site,timestamp,parameter,value,units\nA,2024-11-01T07:00:00Z,DO,9.1,mg/L\nA,2024-11-01T07:00:00Z,pH,7.9,pH\n"
        "A,2024-11-01T07:15:00Z,DO,9.2,mg/L\nB,2024-11-01T07:00:00Z,DO,8.1,mg/L\n"
    )
    recording = nilometer.read(written(tmp_path, text))
    same(recording["dissolved_oxygen"].values, [9.1, 9.2, 8.1])
    same(recording["ph"].values, [7.9, NAN, NAN])
    same(recording.only("site", "B")["DO"].values, [8.1])
    with pytest.raises(ConfigError, match="allowed: A, B"):
        recording.only("site", "C")


def test_our_own_bulk_csv_is_read_back(tmp_path):
    text = "datastream,phenomenon_time,result\nx/ph,2024-01-01T00:00:00Z,7.1\nx/codmn,2024-01-01T00:00:00Z,3\n"
    assert set(nilometer.read(written(tmp_path, text)).columns) == {"x/ph", "x/codmn"}


def test_an_unknown_unit_makes_a_column_no_property(tmp_path):
    recording = nilometer.read(written(tmp_path, "time,NO2,ph,do,temp\n,furlong,pH,mg/L,C\n2024-01-01,3,7,9,5\n"))
    assert recording["NO2"].observed_property is None
    assert any("'furlong'" in note for note in recording.notes)


def test_a_file_without_names_numbers_its_columns(tmp_path):
    recording = nilometer.read(written(tmp_path, "2024-01-01 00:00,7.1\n2024-01-01 00:15,7.2\n2024-01-01 00:30,7.3\n"))
    assert list(recording.columns) == ["column 2"]


@pytest.mark.parametrize("index", [False, True])
def test_parquet_keeps_types_and_units(tmp_path, index):
    stamps = np.array(["2024-01-01T00:00", "2024-01-01T00:15"], "datetime64[ms]")
    schema = pa.schema(
        [
            pa.field("when", pa.timestamp("ms", "UTC" if index else None)),
            pa.field("chlorophyll", pa.float32(), metadata={"units": "RFU"}),
            pa.field("site", pa.string()),
        ]
    )
    path = tmp_path / "x.bin"
    pa.parquet.write_table(pa.table([stamps, [1.5, None], ["a", "b"]], schema=schema), path)
    recording = nilometer.read(path)
    assert recording.format == "parquet"
    assert recording["chlorophyll_fluorescence"].unit == "RFU"
    same(recording["chlorophyll"].values, [1.5, NAN])
    assert recording.times.tolist() == times("2024-01-01", "2024-01-01T00:15")
    shifted = nilometer.read(path, time_zone="Asia/Shanghai").times
    assert shifted.tolist() == (recording.times - (0 if index else 8 * 3_600_000_000)).tolist()


def test_a_recording_becomes_arrow_pandas_and_a_frame_of_the_pure_stages(tmp_path):
    recording = nilometer.read(written(tmp_path, CSV))
    table = recording.to_arrow(aside=True)
    assert table.schema.field("temp").metadata == {
        b"unit": b"degree_Celsius",
        b"observed_property": b"water_temperature",
    }
    assert table.column("temp").null_count == 1
    assert "ph_qual" in table.schema.names
    frame = recording.to_pandas()
    assert frame.index.tz is not None
    assert frame.attrs["units"]["temp"] == "degree_Celsius"
    assert list(recording.frame(by="property")) == ["time", "water_temperature", "ph"]
    assert columns(recording).times.tolist() == recording.times.tolist()
    path = tmp_path / "again.parquet"
    pa.parquet.write_table(recording.to_arrow(), path)
    again = nilometer.read(path)
    assert again.times.tolist() == recording.times.tolist()
    assert dict(again.units) == dict(recording.units)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (gzip.compress(CSV.encode() * 50, mtime=0)[:60], "cut off or damaged"),
        (bytes(range(256)) * 40, "binary"),
        (b"PK\x03\x04" + bytes(100), "Excel"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "netCDF file is damaged"),
        (b"PAR1" + bytes(20), "Parquet"),
        (b"only one column\n1\n2\n", "no format knows|nothing separates"),
        (b"a,b\n", "no row of values"),
        (b"station,ph\nA,7.1\nB,7.2\n", r"no column of times is seen among 'station', 'ph'.*time="),
    ],
)
def test_what_cannot_be_read_says_why_and_where(tmp_path, content, message):
    path = written(tmp_path, content, "bad.csv")
    with pytest.raises(ReadError, match=message) as caught:
        nilometer.read(path)
    assert str(path) in str(caught.value)
    assert caught.value.path == path


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        nilometer.read(tmp_path / "nothing.csv")
    with pytest.raises(ReadError, match="folder"):
        nilometer.read(tmp_path)
    with pytest.raises(ConfigError, match="did you mean csv"):
        nilometer.read(written(tmp_path, CSV), format="cvs")
    with pytest.raises(ConfigError, match="Asia/Shanghai"):
        nilometer.read(written(tmp_path, CSV.replace("Z", "")), time_zone="Mars/Olympus")


def test_every_format_says_what_it_is():
    found = formats()
    assert not found.broken
    for name, info in found.items.items():
        assert info.name == name
        assert info.title
        assert all(suffix.startswith(".") for suffix in info.suffixes)
