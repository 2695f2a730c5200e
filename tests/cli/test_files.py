"""read, assess."""

from __future__ import annotations

import json

import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.cli.conftest import ROWS, nilometer


def test_a_file_is_read_to_a_table_with_utc_times(creek, tmp_path):
    shown = nilometer("read", creek)
    assert shown.code == 0
    head, first = shown.out.splitlines()[:2]
    assert head.startswith('"time"')
    assert first.startswith("2024-05-01 00:00:00.000000Z,7,15,8,0")
    for name in ("a.csv", "a.parquet"):
        assert nilometer("read", creek, creek, "-o", tmp_path / name).code == 0
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").num_rows == 2 * ROWS
    assert pyarrow.csv.read_csv(tmp_path / "a.csv").num_rows == 2 * ROWS


def test_only_named_columns_are_read(creek):
    assert nilometer("read", creek, "--column", "pH").out.splitlines()[0] == '"time","pH"'


def test_a_zone_is_assumed_only_where_it_is_said(tmp_path):
    (tmp_path / "bare.csv").write_text("time,pH\n2024-05-01 08:00,7\n2024-05-01 09:00,7\n", encoding="utf-8")
    shown = nilometer("read", tmp_path / "bare.csv", "--time-zone", "Asia/Shanghai")
    assert shown.out.splitlines()[1].startswith("2024-05-01 00:00:00")
    assert "UTC is assumed" in nilometer("read", tmp_path / "bare.csv").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "csvv"], "did you mean csv"),
        (["--time", "Dte"], "time = 'Dte': no such column"),
        (["--time-zone", "Asia/Shangai"], "time_zone = 'Asia/Shangai'"),
        (["--column", "ph2"], "columns = 'ph2'"),
        (["-o", "out.txt"], "--out = 'out.txt' (allowed: a name that ends in .csv, .parquet or .nc)"),
    ],
)
def test_a_wrong_option_of_read_is_named(creek, arguments, said):
    called = nilometer("read", creek, *arguments)
    assert called.code == 2
    assert said in called.err


def test_a_file_without_times_or_that_is_not_there_is_named(tmp_path):
    (tmp_path / "timeless.csv").write_text("depth,ph\n1,7\n2,7.1\n", encoding="utf-8")
    for command in (["read"], ["qc"], ["assess"], ["import", "--data", tmp_path / "d", "--thing", "x"]):
        called = nilometer(*command, tmp_path / "timeless.csv")
        assert called.code == 2
        assert "no column of times is seen among 'depth', 'ph'" in called.err
        assert "--time" in called.err
        absent = nilometer(*command, tmp_path / "absent.csv")
        assert (absent.code, "there is no such file" in absent.err) == (2, True)
        (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 20)
        assert nilometer(*command, tmp_path / "binary.csv").code == 2
    assert not (tmp_path / "d").exists()


def test_the_water_of_a_file_is_judged(creek, tmp_path):
    called = nilometer("assess", creek, "--target-class", "III", "-o", tmp_path / "verdict.json")
    assert called.code == 0
    assert called.out.startswith("GB 3838-2002: class ")
    assert "target class III: met" in called.out
    assert "of 21 required items assessed" in called.out
    assert "indicative" in called.out
    document = nilometer("assess", creek, "--target-class", "III", "--json").json
    assert document == json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert document["met"] is True


def test_a_spike_that_is_not_left_out_makes_the_water_worse(creek):
    checked = nilometer("assess", creek, "--json").json
    as_it_is = nilometer("assess", creek, "--no-check", "--json").json
    (ph,), (raw_ph,) = ([i for i in one["items"] if i["property"] == "ph"] for one in (checked, as_it_is))
    assert ph["value"] == pytest.approx(7.02, abs=0.01)
    assert raw_ph["value"] != ph["value"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--standard", "GB 3838"], 2, "did you mean GB 3838-2002?"),
        (["--water-body", "rivr"], 2, "did you mean river?"),
        (["--target-class", "IX"], 2, "target_class = 'IX'"),
        (["--water-body", "sea"], 1, "GB 3838-2002 does not apply to sea"),
    ],
)
def test_what_cannot_be_judged_is_said(creek, arguments, code, said):
    called = nilometer("assess", creek, *arguments)
    assert called.code == code
    assert said in called.err


def test_what_the_file_does_not_say_can_be_said_in_the_shell(tmp_path):
    (tmp_path / "log.csv").write_text(
        "time,pH,NH3-N mg/L\n03/04/2024 08:00,7,<0.1\n04/04/2024 08:00,-8,0.2\n", encoding="utf-8"
    )
    shown = nilometer("read", tmp_path / "log.csv", "--day-first", "--missing", "-8")
    assert shown.code == 0
    assert shown.out.splitlines()[1:] == [
        '2024-04-03 08:00:00.000000Z,7,0.1,"<"', '2024-04-04 08:00:00.000000Z,,0.2,""',
    ]  # fmt: skip
    other = nilometer("read", tmp_path / "log.csv", "--month-first")
    assert other.out.splitlines()[1].startswith("2024-03-04")


def test_a_log_without_a_date_is_read_once_its_day_is_said(tmp_path):
    (tmp_path / "log.nmea").write_text("$SDDBT,7.8,f,2.4,M,1.3,F*0D\n$GPGLL,4916.45,N,12311.12,W,225444,A*31\n" * 3)
    assert "date=" in nilometer("read", tmp_path / "log.nmea").err
    shown = nilometer("read", tmp_path / "log.nmea", "--date", "2014-08-15")
    assert shown.code == 0
    assert "2014-08-15 22:54:44" in shown.out


def test_a_file_tells_what_it_is_without_its_values(creek):
    shown = nilometer("read", creek, "--about")
    assert shown.code == 0
    assert "stamps: instant (not told by the file)" in shown.out
    assert "time zone: in each row" in shown.out
    assert "column pH: ph, 1" in shown.out
    assert '"time"' not in shown.out


def test_every_command_that_opens_a_file_takes_what_can_be_said_of_it(tmp_path):
    file = tmp_path / "odd.csv"
    rows = "".join(f"{day:02}/03/2024 10:00,{7.0 if day % 3 else -77}\n" for day in range(1, 29))
    file.write_text(f"when,ph\n{rows}", encoding="utf-8")
    said = ("--missing", "-77", "--day-first", "--time", "when")
    into = ("--data", tmp_path / "d", "--thing", "x")
    told = nilometer("import", file, *into, *said, "--about")
    assert "19 values" in told.out
    assert "2024-03-01T10:00:00Z to 2024-03-28T10:00:00Z" in told.out
    assert not (tmp_path / "d").exists()
    assert nilometer("import", file, *into, *said, "--json").json["files"][0]["accepted"] == 19
    assert "19 values" in nilometer("profiles", "suggest", file, *said, "--about").out
