"""import, export, doctor: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

import shutil

import pyarrow.csv
import pyarrow.parquet
import pytest

from nilometer.client import connect
from nilometer.store import Store
from tests.cli.conftest import ROWS, nilometer, write_csv

KEYS = {"creek/ph", "creek/water_temperature", "creek/dissolved_oxygen", "creek/staff"}
TOKEN = "a-token-of-some-length"


def exported(folder, tmp_path, *arguments):
    called = nilometer("export", "--data", folder, "-o", tmp_path / "out.parquet", *arguments)
    assert called.code == 0, called.err
    return pyarrow.parquet.read_table(tmp_path / "out.parquet")


def test_a_file_is_imported_once_however_often_it_is_sent(creek, tmp_path):
    first = nilometer("import", creek, "--data", tmp_path / "d", "--thing", "creek", "--json")
    assert first.code == 0
    (report,) = first.json["files"]
    assert (report["accepted"], report["unchanged"], report["rejected"]) == (4 * ROWS, 0, 0)
    assert set(report["datastreams"]) == KEYS
    again = nilometer("import", creek, "--data", tmp_path / "d", "--thing", "creek")
    assert f"0 new, {4 * ROWS} unchanged, 0 revised, 0 rejected, in 4 Datastreams" in again.out
    corrected = write_csv(tmp_path / "creek.csv", shift=0.01)
    revised = nilometer("import", corrected, "--data", tmp_path / "d", "--thing", "creek", "--json").json["files"][0]
    assert (revised["revised"], revised["accepted"]) == (ROWS - 1, 0)


def test_imported_rows_are_flagged_and_exported_with_their_flags(folder, tmp_path):
    table = exported(folder, tmp_path)
    assert set(table["datastream"].to_pylist()) == KEYS
    assert table.num_rows == 4 * ROWS
    ph = exported(folder, tmp_path, "--datastream", "creek/ph")
    assert ph["result"].to_pylist()[49:52] == [7.04, 13.5, 7.01]
    assert ph["result_quality"].to_pylist()[50] in {3, 4}
    part = exported(folder, tmp_path, "--start", "2024-05-01T01:00:00Z", "--end", "2024-05-01T02:00:00+00:00")
    assert part.num_rows == 4 * 4


def test_an_export_to_csv_has_the_same_rows(folder, tmp_path):
    assert nilometer("export", "--data", folder, "-o", tmp_path / "out.csv").out.endswith(f"{4 * ROWS} rows\n")
    assert pyarrow.csv.read_csv(tmp_path / "out.csv").num_rows == 4 * ROWS


def test_a_folder_without_datastreams_gives_an_empty_file(tmp_path):
    Store.open(tmp_path / "d").close()
    called = nilometer("export", "--data", tmp_path / "d", "-o", tmp_path / "out.parquet")
    assert (called.code, called.out.endswith("0 rows\n")) == (0, True)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 0


def test_a_column_in_another_unit_is_converted_to_what_is_there(tmp_path):
    times = [f"2024-05-0{day}T00:00:00Z" for day in (1, 2)]
    for day, (head, cell) in enumerate([("Temp (°C)", "10"), ("Temp (°F)", "50")]):
        (tmp_path / f"{day}.csv").write_text(f"time,{head},ph\n{times[day]},{cell},7\n", encoding="utf-8")
    for file in ("0.csv", "1.csv"):
        assert nilometer("import", tmp_path / file, "--data", tmp_path / "d", "--thing", "x").code == 0
    table = exported(tmp_path / "d", tmp_path, "--datastream", "x/water_temperature")
    assert table["result"].to_pylist() == pytest.approx([10.0, 10.0])
    (tmp_path / "2.csv").write_text("time,Staff (m)\n2024-05-01T00:00:00Z,1\n", encoding="utf-8")
    (tmp_path / "3.csv").write_text("time,Staff (mg/L)\n2024-05-02T00:00:00Z,1\n", encoding="utf-8")
    assert nilometer("import", tmp_path / "2.csv", "--data", tmp_path / "d", "--thing", "x").code == 0
    called = nilometer("import", tmp_path / "3.csv", "--data", tmp_path / "d", "--thing", "x")
    assert called.code == 2
    assert "x/staff is there already" in called.err


def test_three_columns_of_one_property_are_three_datastreams(tmp_path):
    text = "time,pH,pH 甲,pH 乙,pH 甲 2\n2024-05-01T00:00:00Z,7.0,7.1,7.2,7.3\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    (report,) = nilometer("import", tmp_path / "a.csv", "--data", tmp_path / "d", "--thing", "x", "--json").json[
        "files"
    ]
    assert len(set(report["datastreams"])) == 4
    assert report["accepted"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--thing", "1creek"], "--thing = '1creek' (allowed: a letter first"),
        (["--thing", "creek", "--water-body", "rivr"], "--water-body = 'rivr'; did you mean river?"),
        (["--thing", "creek", "--time-zone", "Asia/Shangai"], "time_zone = 'Asia/Shangai'"),
        (["--thing", "creek", "--format", "csvv"], "did you mean csv"),
    ],
)
def test_a_wrong_option_of_import_is_named_and_makes_nothing(creek, tmp_path, arguments, said):
    called = nilometer("import", creek, "--data", tmp_path / "d", *arguments)
    assert called.code == 2
    assert said in called.err
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--datastream", "creek/phh"], "did you mean creek/ph"),
        (["--start", "yesterday"], "'yesterday' is not a time"),
        (["-o", "out.xls"], "--out = 'out.xls'"),
    ],
)
def test_a_wrong_option_of_export_is_named(folder, tmp_path, arguments, said):
    called = nilometer("export", "--data", folder, "-o", tmp_path / "out.csv", *arguments)
    assert called.code == 2
    assert said in called.err
    assert not (tmp_path / "out.csv").exists()


def test_a_folder_that_is_none_is_named(tmp_path):
    called = nilometer("export", "--data", tmp_path, "-o", tmp_path / "out.csv")
    assert called.code == 2
    assert "this is no data folder of nilometer" in called.err


def test_a_folder_of_a_newer_version_is_left_alone(folder, creek, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(folder, newer)
    (newer / "VERSION").write_text("99\n", encoding="utf-8")
    for command in (
        ["export", "-o", tmp_path / "out.csv"],
        ["import", creek, "--thing", "creek"],
        ["serve", "--port", 0],
    ):
        called = nilometer(*command, "--data", newer)
        assert called.code == 1
        assert "written by a newer nilometer (folder version 99" in called.err
        assert "upgrade nilometer" in called.err
    told = nilometer("doctor", "--data", newer)
    assert (told.code, "BAD  version" in told.out) == (1, True)


def test_a_folder_held_by_another_process_is_named(folder, creek, tmp_path):
    # Without an address, as `nilometer import` holds it.
    held = Store.open(folder)
    try:
        for command in (["export", "-o", tmp_path / "o.csv"], ["import", creek, "--thing", "creek"]):
            called = nilometer(*command, "--data", folder)
            assert called.code == 1
            assert "held" in called.err or "another process" in called.err
    finally:
        held.close()


def test_import_and_export_go_through_the_server_that_holds_the_folder(server, creek, folder, tmp_path):
    again = nilometer("import", creek, "--data", server.folder, "--thing", "creek", "--json")
    assert again.json["files"][0]["unchanged"] == 4 * ROWS
    client = connect(server.address, token=TOKEN)
    before = client.things()
    new = nilometer("import", creek, "--data", server.folder, "--thing", "brook", "--water-body", "lake", "--json")
    assert new.code == 0, new.err
    assert new.json["files"][0]["accepted"] == 4 * ROWS
    assert [thing["key"] for thing in client.things()] == ["creek", "brook"]
    assert client.things()[0]["name"] == before[0]["name"]
    assert client.datastream("brook/ph")["profile"] == "lake/ph"
    keys = [item for key in sorted(KEYS) for item in ("--datastream", key)]
    through = exported(server.folder, tmp_path, *keys)
    alone = exported(folder, tmp_path, *keys)
    assert through.drop_columns(["commit", "provenance"]).equals(alone.drop_columns(["commit", "provenance"]))
    csv = nilometer("export", "--data", server.folder, "-o", tmp_path / "all.csv")
    assert csv.out.endswith(f"{8 * ROWS} rows\n")


def test_censored_values_are_imported_alike_with_and_without_a_server(server, tmp_path):
    file = tmp_path / "lab.csv"
    file.write_text("time,NH3-N (mg/L)\n2024-05-01T00:00:00Z,<0.025\n2024-05-02T00:00:00Z,0.3\n", encoding="utf-8")
    got = []
    for number, folder in enumerate((tmp_path / "d", server.folder)):
        called = nilometer("import", file, "--data", folder, "--thing", "lab", "--water-body", "river", "--json")
        assert called.code == 0, called.err
        (key,) = called.json["files"][0]["datastreams"]
        table = exported(folder, tmp_path, "--datastream", key)
        got.append((number, table["result"].to_pylist(), table["censored"].to_pylist()))
    assert got[0][1:] == got[1][1:]
    assert got[0][2] == [-1, None]


def test_a_server_says_who_holds_the_folder_and_the_doctor_too(server):
    second = nilometer("serve", "--data", server.folder, "--port", 0)
    assert second.code == 1
    assert server.address in second.err
    told = nilometer("doctor", "--data", server.folder)
    assert told.code == 0
    assert f"held by a server at {server.address}" in told.out


def test_the_doctor_looks_at_everything(folder):
    told = nilometer("doctor", "--data", folder)
    for what in ("nilometer", "drivers", "instruments", "formats", "profiles", "standards", "data folder"):
        assert f"ok   {what}: " in told.out
    assert "ok   catalog: 4 Datastreams" in told.out
    assert f"; {4 * ROWS} rows are not sealed yet" in told.out
    findings = nilometer("doctor", "--data", folder, "--json").json
    assert {finding["what"] for finding in findings} >= {"drivers", "data folder", "web interface"}
    assert all(set(finding) == {"ok", "what", "detail"} for finding in findings)
    assert nilometer("doctor", "--data", folder / "nowhere").out.count("holds no data yet") == 1


def test_the_doctor_names_what_was_cut_off_until_it_is_taken_away(folder):
    kept = folder / "journal" / "damaged-segment-000000000001-at-4096"
    kept.write_bytes(b"")
    told = nilometer("doctor", "--data", folder)
    assert told.code == 1
    assert "BAD  journal: records that were cut off are kept in damaged-segment" in told.out
    kept.unlink()
    assert nilometer("doctor", "--data", folder).code == 0


def test_the_doctor_names_a_missing_file_of_the_lake_and_reads_the_rest_when_asked(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "d")
    store = Store.open(tmp_path / "d")
    store.seal()
    store.close()
    well = nilometer("doctor", "--data", tmp_path / "d", "--deep")
    assert (well.code, "every value read" in well.out) == (0, True)
    gone = next(iter((tmp_path / "d" / "lake" / "observations").glob("*/*.parquet")))
    gone.unlink()
    told = nilometer("doctor", "--data", tmp_path / "d")
    assert told.code == 1
    assert f"BAD  lake/observations: {gone} is missing: {4 * ROWS - 4} rows of Datastreams creek/" in told.out
    refused = nilometer("export", "--data", tmp_path / "d", "-o", tmp_path / "o.csv")
    assert (refused.code, f"{gone} is missing" in refused.err) == (1, True)


def test_the_doctor_finds_a_wrong_configuration(tmp_path):
    (tmp_path / "nilometer.toml").write_text("[servr]\n", encoding="utf-8")
    told = nilometer("doctor", "--data", tmp_path)
    assert told.code == 1
    assert "BAD  configuration" in told.out
    assert "did you mean server" in told.out
    (tmp_path / "nilometer.toml").write_text(
        '[[thing]]\nkey = "r"\nname = "R"\n[[source]]\nname = "s"\nthing = "r"\ndriver = "modbus_tpc"\n',
        encoding="utf-8",
    )
    told = nilometer("doctor", "--data", tmp_path)
    assert told.code == 1
    assert "did you mean modbus_tcp" in told.out


def test_the_doctor_names_the_datastream_that_an_uplink_speaks_of_and_that_is_not_there(folder):
    config = folder / "nilometer.toml"
    text = config.read_text(encoding="utf-8") if config.exists() else ""
    options = 'url = "http://127.0.0.1:1/v1.1"\ndatastreams = { "gone/ph" = 1 }\n'
    uplink = f'\n[[uplink]]\nname = "far"\nreceiver = "sensorthings"\n[uplink.options]\n{options}'
    config.write_text(text + uplink, encoding="utf-8")
    try:
        told = nilometer("doctor", "--data", folder)
    finally:
        config.write_text(text, encoding="utf-8")
    assert told.code != 0
    assert "uplink far: names gone/ph: no such Datastream; it was deleted, or has yet to come" in told.out
