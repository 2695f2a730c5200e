"""netCDF out of files and out of a data folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import xarray as xr

from nilometer.store import Store
from tests.cli.conftest import ROWS, nilometer, write_csv

STATION = '[[thing]]\nkey = "creek"\nname = "Creek"\nwater_body = "river"\nlocation = [120.1, 30.2]\n'


def opened(path):
    return xr.open_dataset(path, engine="h5netcdf")


ACDD = """
[thing.properties.acdd]
creator_name = "River Board"
creator_email = "data@example.org"
creator_url = "https://example.org"
publisher_name = "River Board"
publisher_email = "data@example.org"
publisher_url = "https://example.org"
institution = "River Board"
license = "CC-BY-4.0"
naming_authority = "org.example"
project = "Creek"
processing_level = "calibrated and flagged"
acknowledgement = "none"
comment = "none"
"""


@pytest.fixture
def station(creek, tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    (folder / "nilometer.toml").write_text(STATION, encoding="utf-8")
    assert nilometer("import", creek, "--data", folder, "--thing", "creek").code == 0
    return folder


def test_a_folder_becomes_a_cf_time_series_with_its_flags(station, tmp_path):
    called = nilometer("export", "--data", station, "-o", tmp_path / "out.nc")
    assert (called.code, called.out.split()[-2:]) == (0, [str(4 * ROWS), "rows"])
    rows = pyarrow.parquet.read_table
    assert nilometer("export", "--data", station, "-o", tmp_path / "out.parquet").code == 0
    table = rows(tmp_path / "out.parquet", filters=[("datastream", "=", "creek/ph")])
    with opened(tmp_path / "out.nc") as file:
        assert file.attrs["featureType"] == "timeSeries"
        assert (file["longitude"].item(), file["latitude"].item()) == (120.1, 30.2)
        assert file["ph"].dims == ("time",)
        assert file["ph"].encoding["coordinates"] == "latitude longitude station"
        assert np.array_equal(file["ph"].values, table["result"].to_numpy(), equal_nan=True)
        assert file["ph_qartod_rollup"].values.tolist() == table["result_quality"].to_pylist()
        about = file["ph_qartod_rollup"].attrs
        assert (about["nilometer_profile"], about["standard_name"]) == ("river/ph", "aggregate_quality_flag")
        assert json.loads(about["nilometer_profile_document"])["tests"]["gross_range"]["fail"] == [2, 12]
        assert "staff_qartod_rollup" in file, "a Datastream that no profile judges has its flags too"
        assert "staff_qartod_spike_test" not in file


def test_datastreams_of_several_things_keep_their_whole_keys(station, tmp_path):
    other = write_csv(tmp_path / "brook.csv", rows=50)
    assert nilometer("import", other, "--data", station, "--thing", "brook", "--water-body", "lake").code == 0
    assert nilometer("export", "--data", station, "-o", tmp_path / "out.nc").code == 0
    with opened(tmp_path / "out.nc") as file:
        assert file["creek_ph"].dims == ("time",)
        assert file["brook_ph"].dims == ("time_2",)
        assert "featureType" not in file.attrs


def test_an_export_of_a_span_and_of_one_datastream(station, tmp_path):
    span = ("--start", "2024-05-01T01:00:00Z", "--end", "2024-05-01T02:00:00Z")
    assert nilometer("export", "--data", station, "--datastream", "creek/ph", *span, "-o", tmp_path / "o.nc").code == 0
    with opened(tmp_path / "o.nc") as file:
        assert file.sizes["time"] == 4
        assert "water_temperature" not in file


def test_what_is_known_beside_a_value_is_in_the_file(tmp_path):
    file = tmp_path / "lab.csv"
    file.write_text("time,NH3-N (mg/L)\n2024-05-01T00:00:00Z,<0.025\n2024-05-02T00:00:00Z,0.3\n", encoding="utf-8")
    assert nilometer("import", file, "--data", tmp_path / "d", "--thing", "lab", "--water-body", "river").code == 0
    assert nilometer("export", "--data", tmp_path / "d", "-o", tmp_path / "o.nc").code == 0
    with opened(tmp_path / "o.nc") as made:
        assert made["nh3_n"].values.tolist() == [0.025, 0.3]
        assert made["nh3_n_censored"].values.tolist() == [-1, 0]
        assert "nh3_n_censored" in made["nh3_n"].attrs["ancillary_variables"]


def test_a_folder_without_datastreams_gives_a_file_without_variables(tmp_path):
    Store.open(tmp_path / "d").close()
    called = nilometer("export", "--data", tmp_path / "d", "-o", tmp_path / "out.nc")
    assert (called.code, called.out.endswith("0 rows\n")) == (0, True)
    with opened(tmp_path / "out.nc") as file:
        assert not file.data_vars


def test_a_key_that_is_not_there_leaves_no_file(station, tmp_path):
    for suffix in ("nc", "csv", "parquet"):
        called = nilometer("export", "--data", station, "--datastream", "creek/phh", "-o", tmp_path / f"o.{suffix}")
        assert "did you mean creek/ph" in called.err
        assert not (tmp_path / f"o.{suffix}").exists()


def test_a_parquet_export_carries_the_profiles_behind_its_digits(station, tmp_path):
    assert nilometer("export", "--data", station, "-o", tmp_path / "o.parquet").code == 0
    told = json.loads(pyarrow.parquet.read_metadata(tmp_path / "o.parquet").metadata[b"nilometer_profiles"])
    table = pyarrow.parquet.read_table(tmp_path / "o.parquet")
    for row in table.filter(pyarrow.compute.is_valid(table["profile_id"])).slice(0, 5).to_pylist():
        assert told[str(row["profile_id"])]["tests"] == row["test_names"].split(";")
        assert len(row["tests"]) == len(row["test_names"].split(";"))


# Files that are read

QUALITY = "time,pH,pH_qual,DO (mg/L),DO_qual\n" + "".join(
    f"2024-05-01T00:{minute:02d}:00Z,7.{minute:02d},{code},8,{other}\n"
    for minute, (code, other) in enumerate([("1", "A"), ("4", ""), ("7", "9"), ("x", "0")])
)


@pytest.fixture
def coded(tmp_path):
    file = tmp_path / "coded.csv"
    file.write_text(QUALITY, encoding="utf-8")
    return file


def test_quality_codes_stay_beside_their_values(coded, tmp_path):
    head, first = nilometer("read", coded).out.splitlines()[:2]
    assert head == '"time","pH","DO [mg L-1]","pH_qual","DO_qual"'
    assert first.endswith('7,8,"1","A"')
    assert nilometer("read", coded, "--column", "pH").out.splitlines()[0] == '"time","pH","pH_qual"'


def test_quality_codes_are_read_as_qartod_flags_by_a_named_scheme(coded, tmp_path):
    called = nilometer("read", coded, "--flags", "seadatanet", "-o", tmp_path / "o.nc")
    assert called.code == 0
    assert "pH_qual has what seadatanet does not list, not evaluated: x" in called.err
    with opened(tmp_path / "o.nc") as file:
        assert file["pH"].attrs["ancillary_variables"] == "pH_qual pH_qual_qartod"
        assert file["pH_qual"].values.tolist() == ["1", "4", "7", "x"]
        assert file["pH_qual_qartod"].values.tolist() == [1, 4, 3, 2]
        assert file["DO_qual_qartod"].values.tolist() == [3, 2, 9, 2]
        assert file["pH_qual_qartod"].attrs["flag_scheme"] == "seadatanet"
        assert file["DO"].attrs["units"] == "mg L-1"
    assert nilometer("read", coded, "--flags", "seadatanet", "-o", tmp_path / "o.csv").code == 0
    assert pyarrow.csv.read_csv(tmp_path / "o.csv")["DO_qual_qartod"].to_pylist() == [3, 2, 9, 2]


def test_a_scheme_that_is_not_there_or_has_nothing_to_read_is_named(coded, creek):
    assert "did you mean seadatanet" in nilometer("read", coded, "--flags", "seadata").err
    assert "no column of" in nilometer("read", creek, "--flags", "argo").err


def test_several_files_become_one_axis(creek, tmp_path):
    assert nilometer("read", creek, creek, "-o", tmp_path / "o.nc").code == 0
    with opened(tmp_path / "o.nc") as file:
        assert file.sizes == {"time": 2 * ROWS}


def test_columns_that_would_share_a_name_are_refused(tmp_path):
    file = tmp_path / "twice.csv"
    file.write_text("time,a b,a-b\n2024-05-01T00:00:00Z,1,2\n", encoding="utf-8")
    called = nilometer("read", file, "-o", tmp_path / "o.nc")
    assert called.code == 2
    assert "in netCDF it would be a_b, as a b is" in called.err
    assert not (tmp_path / "o.nc").exists()


def test_the_schemes_are_listed_with_what_they_can_write():
    rows = {row["name"]: row for row in nilometer("schemes", "--json").json["items"]}
    assert rows["argo"]["written"].startswith("PASS=1")
    assert rows["usgs"]["written"] == ""
    assert rows["qartod-first"]["verified"] == "no"


@pytest.mark.real
def test_a_nerrs_export_becomes_netcdf_with_its_own_flags(real_data, tmp_path):
    file = real_data / "water_quality" / "nerrs" / "gndblwq2021_cdmo_export.csv.gz"
    called = nilometer("read", file, "--flags", "nerrs", "-o", tmp_path / "gndbl.nc")
    assert called.code == 0
    assert "does not list" not in called.err
    with opened(tmp_path / "gndbl.nc") as made:
        flags = made["F_Turb_qartod"].values
        assert (flags == 4).sum() == 5
        assert (flags == 9).sum() == 523
        assert np.isfinite(made["Turb"].values[flags == 1]).all()


def complaints(path, *checks):
    """Return what the IOOS compliance checker says of a file, as lines."""
    tool = Path(sys.executable).with_name("compliance-checker")
    options = [word for check in checks for word in ("-t", check)]
    called = subprocess.run([tool, *options, "-c", "normal", path], capture_output=True, text=True, check=False)
    assert "IOOS Compliance Checker Report" in called.stdout, called.stderr
    return [line.strip() for line in called.stdout.splitlines() if line.startswith("* ")]


@pytest.mark.real
def test_the_compliance_checker_of_ioos_finds_no_fault(real_data, tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    (folder / "nilometer.toml").write_text(STATION + ACDD, encoding="utf-8")
    file = real_data / "raw_logs" / "exo" / "korexo_LNB_GM_20210908_20210920_raw.csv"
    assert nilometer("import", file, "--data", folder, "--thing", "creek").code == 0
    told = ("--attribute", "standard_name_vocabulary=CF Standard Name Table")
    assert nilometer("export", "--data", folder, *told, "-o", tmp_path / "o.nc").code == 0
    found = complaints(tmp_path / "o.nc", "cf:1.11", "acdd:1.3")
    # Neither the standard name of a quantity that has none, nor a depth that nobody gave, is made up.
    left = {"* standard_name", "* units"}
    assert [line for line in found if line not in left and not line.startswith("* geospatial_")] == []
    with opened(tmp_path / "o.nc") as made:
        assert made.attrs["geospatial_bounds"] == "POINT (30.2 120.1)"
        assert made.attrs["time_coverage_resolution"] == "PT15M"
        assert made["water_temperature"].attrs["sdn_parameter_urn"] == "SDN:P01::TEMPPR01"


def test_a_folder_is_what_erddap_reads_a_time_series_to_a_file(station, tmp_path):
    other = write_csv(tmp_path / "brook.csv", rows=50)
    assert nilometer("import", other, "--data", station, "--thing", "brook", "--water-body", "lake").code == 0
    out = tmp_path / "erddap"
    assert nilometer("export", "--data", station, "-o", out).code == 2
    out.mkdir()
    assert nilometer("export", "--data", station, "-o", out, "--attribute", "institution=River <Board>").code == 0
    datasets = ElementTree.parse(out / "datasets.xml").getroot()
    assert {one.get("datasetID") for one in datasets} == {"creek", "brook"}
    for one in datasets:
        with opened(out / one.findtext("fileNameRegex").replace("\\", "")) as file:
            named = {variable.findtext("sourceName") for variable in one.iter("dataVariable")}
            assert named == set(file.variables)
            assert file.attrs["institution"] == "River <Board>"
            assert (file.attrs.get("featureType") == "timeSeries") == (one.get("datasetID") == "creek")
            assert set(file.sizes) == {"time"}
    assert nilometer("export", "--data", station, "-o", out, "--attribute", "institution").code == 2
