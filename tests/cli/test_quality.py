"""qc: flags of a file, what is said of them, and what stops a pipeline."""

from __future__ import annotations

import json

import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.cli.conftest import ROWS, nilometer

STEPS = [f"2024-01-01T{i // 4:02d}:{15 * (i % 4):02d}:00" for i in range(90)]


def recorded(folder, rows, head="time,pH"):
    file = folder / "creek.csv"
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return file


def flags_of(file, *arguments):
    called = nilometer("qc", file, "--json", *arguments)
    assert called.code == 0, called.err
    return called.json["columns"][0]["flags"], called.err


def test_a_file_is_flagged_by_the_profiles_of_its_water(creek, tmp_path):
    called = nilometer("qc", creek, "-o", tmp_path / "flags.parquet")
    assert called.code == 0
    assert "pH (river/ph 1)" in called.out
    assert "Staff: not judged, its name does not say what it measures" in called.out
    flags = pyarrow.parquet.read_table(tmp_path / "flags.parquet")
    assert flags.num_rows == 3 * ROWS
    ph = flags.filter(pyarrow.compute.equal(flags["column"].cast("string"), "pH"))
    assert ph["result_quality"].to_pylist()[50] in {3, 4}
    assert {"gross_range", "spike"} <= set(ph.column_names)
    summary = nilometer("qc", creek, "--json").json
    assert [line["column"] for line in summary["columns"]] == ["pH", "Temp", "ODO", "Staff"]
    assert (summary["rows"], summary["first"]) == (ROWS, "2024-05-01T00:00:00Z")
    line = summary["columns"][0]
    assert sum(line["flags"].values()) == ROWS
    assert line["tests"]["gross_range"]["FAIL"] == 1
    assert line["profile"]["name"] == "river/ph"
    assert summary["columns"][3]["profile"] is None


def test_one_profile_may_be_named_for_a_column_and_inherit_from_its_neighbours(creek, tmp_path):
    assert nilometer("qc", creek, "--column", "pH", "--profile", "river/ph").code == 0
    folder = tmp_path / "profiles" / "mill"
    folder.mkdir(parents=True)
    (folder / "ph.toml").write_text(
        'inherits = "river/ph"\n[tests.gross_range]\nsuspect = [7.01, 8]\n', encoding="utf-8"
    )
    for named in (["--profile", folder / "ph.toml"], ["--profile", "mill/ph", "--data", tmp_path]):
        line = nilometer("qc", creek, "--column", "pH", *named, "--json").json["columns"][0]
        assert line["profile"]["name"] == "mill/ph"
        assert line["tests"]["gross_range"]["SUSPECT"] == ROWS // 5 - 1


def test_flags_go_to_csv_and_netcdf_and_a_picture(creek, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    for name in ("flags.csv", "flags.nc"):
        assert nilometer("qc", creek, "-o", tmp_path / name, "--plot", tmp_path / "flags.svg").code == 0
    assert pyarrow.csv.read_csv(tmp_path / "flags.csv").num_rows == 3 * ROWS
    with xarray.open_dataset(tmp_path / "flags.nc", engine="h5netcdf") as written:
        assert int(written["pH_qartod_gross_range_test"][50]) == 4
        assert "Staff" in written
    drawn = (tmp_path / "flags.svg").read_text(encoding="utf-8")
    for word in ("pH by river/ph 1", "FAIL 3", "gross_range", "1 fail"):
        assert word in drawn


def test_a_pipeline_stops_on_what_it_asks_for(creek, tmp_path):
    stopped = nilometer("qc", creek, "--fail-on", "fail")
    assert (stopped.code, "3 values are FAIL" in stopped.err) == (1, True)
    good = recorded(tmp_path, [f"{time}Z,{7 + 0.01 * (n % 5):.2f}" for n, time in enumerate(STEPS)])
    assert nilometer("qc", good, "--fail-on", "suspect").code == 0
    doubtful = recorded(
        tmp_path, [f"{time}Z,{7.6 if n == 50 else 7 + 0.01 * (n % 5):.2f}" for n, time in enumerate(STEPS)]
    )
    assert nilometer("qc", doubtful, "--fail-on", "suspect").code == 1
    assert nilometer("qc", doubtful, "--fail-on", "suspect", "--fail-on", "fail").code == 1  # the wider one counts


def test_a_pipeline_stops_on_a_column_without_one_value_when_it_asks_for_that(tmp_path):
    half = recorded(tmp_path, [f"{time}Z,{'' if n % 2 else 7},," for n, time in enumerate(STEPS)], "time,pH,ODO,x")
    both = ("--column", "pH", "--column", "ODO")
    assert nilometer("qc", half, "--fail-on", "missing").code == 0  # an empty column is taken only when asked for
    for levels in ([], ["--fail-on", "fail"]):
        assert nilometer("qc", half, *both, *levels).code == 0
    stopped = nilometer("qc", half, *both, "--fail-on", "fail", "--fail-on", "missing", "-o", tmp_path / "flags.csv")
    assert (stopped.code, stopped.err.splitlines()[-1]) == (1, "every value of ODO is MISSING")
    assert pyarrow.csv.read_csv(tmp_path / "flags.csv").num_rows == 2 * len(STEPS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--water", "rivr"], "--water = 'rivr': no profiles for this water; did you mean river?"),
        (["--profile", "river/phh"], "did you mean river/ph"),
        (["--profile", "river/ph"], "it is in 1, column Temp is in degree_Celsius"),
        (["--profile", "river/ph", "--config", "c.json"], "give either --profile or --config"),
        (["--config", "absent.json"], "config = 'absent.json': No such file"),
        (["--column", "Staff"], "has a profile for river: Staff (?)"),
        (["--data", "nowhere"], "--data = 'nowhere': there is no such folder"),
        (["--fail-on", "warn"], "--fail-on = 'warn' (allowed: fail, missing, suspect)"),
        (["--plot", "flags.bmp"], "--plot = 'flags.bmp' (allowed: a name that ends in .png, .svg, .pdf)"),
        (["-o", "flags.xls"], "--out = 'flags.xls' (allowed: a name that ends in .csv, .parquet, .nc)"),
    ],
)
def test_a_wrong_option_of_qc_is_named(creek, arguments, said):
    called = nilometer("qc", creek, *arguments)
    assert called.code == 2
    assert said in called.err


STREAMS = {"pH": {"qartod": {"gross_range_test": {"fail_span": [0, 14], "suspect_span": [6, 9]}}}}
YAML = """
streams:
  pH:
    qartod:
      gross_range_test: {fail_span: [0, 14], suspect_span: [6, 9]}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", json.dumps(STREAMS)),
        ("c.json", json.dumps({"streams": STREAMS, "window": None})),
        ("c.json", json.dumps({"contexts": [{"streams": STREAMS}]})),
        ("c.yaml", YAML),
        ("c.yml", json.dumps(STREAMS)),
    ],
)
def test_a_configuration_of_ioos_qc_judges_by_column(creek, tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    columns = nilometer("qc", creek, "--config", tmp_path / name, "--json").json["columns"]
    assert columns[0]["flags"] == {"PASS": ROWS - 1, "NOT_EVALUATED": 0, "SUSPECT": 1, "FAIL": 0, "MISSING": 0}
    assert columns[1]["profile"] is None


def test_a_configuration_of_one_stream_judges_every_column(creek, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(STREAMS["pH"]), encoding="utf-8")
    columns = nilometer("qc", creek, "--config", tmp_path / "c.json", "--json").json["columns"]
    assert all(line["profile"]["name"] == "c" for line in columns)


def test_a_context_judges_the_rows_of_its_window(creek, tmp_path):
    window = {"starting": "2024-05-01T06:00:00Z", "ending": "2024-05-02T00:00:00Z"}
    document = {"contexts": [{"streams": STREAMS, "window": window}]}
    (tmp_path / "c.json").write_text(json.dumps(document), encoding="utf-8")
    flags = nilometer("qc", creek, "--config", tmp_path / "c.json", "--json").json["columns"][0]["flags"]
    assert flags == {"PASS": 71, "NOT_EVALUATED": ROWS - 72, "SUSPECT": 1, "FAIL": 0, "MISSING": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "a table of streams, contexts or modules"),
        ("a: [1", "neither YAML nor JSON"),
        (json.dumps({"pH": 3}), "pH"),
        (json.dumps({"other": STREAMS["pH"]}), "no column of"),
        (json.dumps({"pH": {"qartod": {"spike_tset": {}}}}), "spike_tset"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(creek, tmp_path, text, said):
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    called = nilometer("qc", creek, "--config", tmp_path / "c.yaml")
    assert (called.code, said in called.err) == (2, True), called.err


def test_places_and_other_columns_of_the_file_serve_the_tests_that_need_them(tmp_path):
    rows = [
        f"{time}Z,{7 + 0.01 * (n % 5):.2f},{20 + n % 3},{41.7 if n < 80 else 44.0},-111.8,{n % 9}"
        for n, time in enumerate(STEPS)
    ]
    file = recorded(tmp_path, rows, "time,pH,Temp (°C),latitude,longitude,depth")
    profile = tmp_path / "mine.toml"
    profile.write_text(
        """
        [tests.location]
        displacement = 20000
        [tests.climatology]
        members = [{ depth = [0, 4], suspect = [7, 8] }, { depth = [5, 9], suspect = [0, 1] }]
        [tests.neighbor]
        other = "water_temperature"
        suspect = 5
        within = "1 min"
        """,
        encoding="utf-8",
    )
    line = nilometer("qc", file, "--profile", profile, "--json").json["columns"][0]
    tests = line["tests"]
    assert (line["column"], tests["location"]["SUSPECT"]) == ("pH", 1)
    assert tests["climatology"]["SUSPECT"] == sum(1 for n in range(90) if n % 9 >= 5)
    assert tests["neighbor"]["SUSPECT"] == 90


def test_rows_out_of_order_are_judged_in_time_order(tmp_path):
    rows = [f"{time}Z,{7 + 0.01 * (n % 5):.2f}" for n, time in enumerate(STEPS)]
    flags, said = flags_of(recorded(tmp_path, rows[:30] + rows[60:] + rows[30:60]))
    assert (flags["PASS"], flags["NOT_EVALUATED"]) == (89, 1)
    assert "1 times the clock goes back; the rows are judged in time order" in said


def test_a_row_of_the_same_time_gets_the_point_tests_only(tmp_path):
    rows = [f"{time}Z,{7 + 0.01 * (n % 5):.2f}" for n, time in enumerate(STEPS)]
    flags, said = flags_of(recorded(tmp_path, [row for row in rows for _ in range(2)]))
    assert (flags["PASS"], flags["NOT_EVALUATED"]) == (89, 91)
    assert "90 times a row has the time of the row before" in said


CAST = """
unit = "degree_Celsius"
along = "depth"
required = ["gross_range"]
[tests.gross_range]
fail = [0, 30]
[tests.rate_of_change]
suspect = 1.0
per = "1 m"
"""


@pytest.mark.parametrize(("unit", "metre"), [("m", 1.0), ("ft", 1 / 0.3048)])
def test_a_cast_is_judged_down_its_depth_in_metres(tmp_path, unit, metre):
    (tmp_path / "cast.toml").write_text(CAST, encoding="utf-8")
    # One time for all rows, as a float has it; 0.5 m a row, 0.3 degree_Celsius a row but for one step of 0.9.
    rows = [f"2024-01-01T00:00:00Z,{0.5 * n * metre:.4f},{20 - 0.3 * n - 0.6 * (n > 6):.2f}" for n in range(12)]
    file = recorded(tmp_path, rows, f"time,depth ({unit}),Temp (C)")
    called = nilometer("qc", file, "--column", "Temp (C)", "--profile", tmp_path / "cast.toml", "--json")
    assert called.code == 0, called.err
    assert "has the time of the row before" not in called.err
    assert called.json["columns"][0]["tests"]["rate_of_change"]["SUSPECT"] == 1


def test_a_z_that_counts_upwards_is_a_depth(tmp_path):
    (tmp_path / "cast.toml").write_text(
        CAST + "[tests.climatology]\nmembers = [{ depth = [0, 10], suspect = [15, 25] }]\n", encoding="utf-8"
    )
    rows = [f"2024-01-01T00:00:00Z,{-0.5 * n},{20 - 0.1 * n:.2f}" for n in range(12)]
    file = recorded(tmp_path, rows, "time,z (m),Temp (C)")
    called = nilometer("qc", file, "--column", "Temp (C)", "--profile", tmp_path / "cast.toml", "--json")
    assert called.code == 0, called.err
    assert "z counts upwards; its depth is taken to be -z" in called.err
    assert called.json["columns"][0]["tests"]["climatology"]["PASS"] == 12


def test_a_cast_without_depth_is_refused_with_what_is_missing(tmp_path, creek):
    (tmp_path / "cast.toml").write_text(CAST, encoding="utf-8")
    called = nilometer("qc", creek, "--column", "Temp (°C)", "--profile", tmp_path / "cast.toml")
    assert called.code == 2
    assert "its tests run down a cast, and" in called.err
    assert "has no column of numbers called depth or z" in called.err


def test_words_infinity_and_nothing_are_missing_values(tmp_path):
    rows = [
        f"{time}Z,{('abc', 'inf', '')[n // 30] if n % 10 == 5 else 7 + 0.01 * (n % 5)}" for n, time in enumerate(STEPS)
    ]
    flags, said = flags_of(recorded(tmp_path, rows))
    assert flags["MISSING"] == 9
    assert "3 words of 'pH' are no numbers, such as 'abc': missing" in said


def test_times_of_several_zones_are_one_clock(tmp_path):
    rows = [f"{time}{'+00:00' if n % 2 else 'Z'},{7 + 0.01 * (n % 5):.2f}" for n, time in enumerate(STEPS)]
    flags, _ = flags_of(recorded(tmp_path, rows))
    assert flags["PASS"] == 89
    shifted = [f"2024-01-01T08:{15 * n:02d}:00+08:00,7.0{n}" for n in (0, 2)] + [
        f"2024-01-01T00:{15 * n}:00Z,7.0{n}" for n in (1, 3)
    ]
    summary = nilometer("qc", recorded(tmp_path, shifted), "--json").json
    assert (summary["first"], summary["last"]) == ("2024-01-01T00:00:00Z", "2024-01-01T00:45:00Z")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row of values"),
        ([f"{time}Z,abc" for time in STEPS], "there is no column of numbers in this file"),
        ([f"{time}Z," for time in STEPS], "there is no column of numbers in this file"),
    ],
)
def test_a_file_without_values_is_refused(tmp_path, rows, said):
    called = nilometer("qc", recorded(tmp_path, rows))
    assert (called.code, said in called.err) == (2, True), called.err


def test_a_column_that_is_asked_for_and_holds_nothing_is_all_missing(tmp_path):
    flags, _ = flags_of(
        recorded(tmp_path, [f"{time}Z," for time in STEPS]), "--column", "pH", "--plot", tmp_path / "x.png"
    )
    assert flags["MISSING"] == 90


@pytest.mark.real
def test_a_recording_of_the_logan_river_is_flagged_and_drawn(real_data, tmp_path):
    file = real_data / "water_quality/lro/MainStreet2019.csv.gz"
    summary = nilometer("qc", file, "--json", "--plot", tmp_path / "m.png").json
    by_column = {line["column"]: line["flags"] for line in summary["columns"]}
    assert set(by_column) == {"temp", "cond", "ph", "do", "turb", "stage"}
    assert by_column["do"]["FAIL"] > 700
    assert (tmp_path / "m.png").stat().st_size > 50_000


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ocean/glider/sea063.22.gli.sub.120.gz", "Temperature"),
        ("water_quality/ioos/20363_1000427.csv.gz", "value"),
        ("raw_logs/nmea0183/depths.nmea", None),
        ("raw_logs/campbell/TOA5_Station_Daily.dat", "AirT_Max"),
        ("raw_logs/hydrovu/lincoln_2024-11-01_0300.csv", None),
        ("raw_logs/sondes/ysi/0108BAYT.CDF", None),
        ("water_quality/queensland/sandy_creek_labelled.csv", None),
    ],
)
def test_what_read_opens_is_flagged(real_data, tmp_path, name, column):
    (tmp_path / "any.toml").write_text("[tests.gross_range]\nfail = [-50, 2000]\n", encoding="utf-8")
    chosen = [] if column is None else ["--column", column, "--profile", tmp_path / "any.toml"]
    called = nilometer("qc", real_data / name, "--json", *chosen)
    assert called.code == 0, called.err
    assert any(line["profile"] for line in called.json["columns"])


@pytest.mark.real
def test_a_dive_of_a_glider_is_judged_down_its_depth(real_data, tmp_path):
    (tmp_path / "cast.toml").write_text(CAST, encoding="utf-8")
    file = real_data / "ocean/glider/sea063.22.gli.sub.120.gz"
    called = nilometer("qc", file, "--column", "Temperature", "--profile", tmp_path / "cast.toml", "--json")
    tests = called.json["columns"][0]["tests"]
    assert tests["rate_of_change"]["PASS"] > 40


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("level/stage_discharge/nordura.csv", "no column of times is seen among 'stage', 'q'; name it"),
        ("level/usgs/waterservices_ratings.txt", "it is a rating table"),
        ("imu_can/dbc/vehicle.dbc", "name it as database= when you read a capture"),
    ],
)
def test_what_read_does_not_open_says_what_to_do(real_data, name, said):
    for command in ("read", "qc"):
        called = nilometer(command, real_data / name)
        assert (called.code, said in called.err) == (2, True), called.err


def test_what_the_file_does_not_say_can_be_said(tmp_path):
    rows = "".join(f"0{1 + at // 24}/04/2024 {at % 24:02d}:00,{-8 if at == 5 else 7}\n" for at in range(72))
    (tmp_path / "log.csv").write_text(f"time,pH\n{rows}", encoding="utf-8")
    out = tmp_path / "flags.csv"
    shown = nilometer("qc", tmp_path / "log.csv", "--day-first", "--missing", "-8", "-o", out)
    assert shown.code == 0
    assert out.read_text(encoding="utf-8").splitlines()[6].startswith('2024-04-01 05:00:00.000000Z,"pH",,9')
