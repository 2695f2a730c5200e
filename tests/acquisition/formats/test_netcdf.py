"""netCDF: series, packed and flagged; profiles level by level; both formats, and what is damaged refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.acquisition.formats import made_up_netcdf
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.acquisition.formats.netcdf_table import write_table
from nilometer.errors import ConfigError, ReadError

NAN = float("nan")


def read(folder, content, **wishes):
    path = folder / "log"
    path.write_bytes(content)
    return nilometer.read(path, **wishes)


def same(seen, expected):
    assert np.array_equal(np.asarray(seen, float), np.asarray(expected, float), equal_nan=True)


def test_levels_of_a_profile_are_rows_with_the_time_of_the_profile(tmp_path):
    recording = read(tmp_path, made_up_netcdf.argo())
    assert recording.format == "netcdf"
    assert seconds(recording) == ["2021-06-21T06:00:00"] * 2 + ["2021-06-22T12:00:00"] * 3
    same(recording["water_pressure"].values, [1.1, 5.0, 1.0, 6.0, 11.0])
    same(recording["water_temperature"].values, [20.5, 18.25, 21.0, NAN, 15.125])
    assert recording.aside["TEMP_QC"].to_pylist() == ["1", "1", "1", "9", "4"]
    assert recording.qualifies == {"TEMP_QC": "TEMP"}
    assert recording.metadata["station"] == "4902337"
    assert any("time of the profile" in note for note in recording.notes)


@pytest.mark.parametrize("version", [1, 2])
def test_a_packed_series_is_unpacked_and_its_flags_stand_aside(tmp_path, version):
    recording = read(tmp_path, made_up_netcdf.buoy(version))
    assert seconds(recording) == ["2019-12-31T23:00:00", "2020-01-01T00:00:00", "2020-01-01T01:00:00"]
    part = recording["water_temperature"]
    assert np.allclose(part.values, [11.25, NAN, 11.3], equal_nan=True)
    assert (part.unit, part.statistic) == ("degree_Celsius", "mean")
    assert recording.qualifies == {"flag": "temp"}
    assert (recording.metadata["model"], recording.metadata["serial number"]) == ("SBE37", "0278")
    assert recording.metadata["stamps"] == "interval, which end is not told"


def test_bounds_say_which_end_of_its_interval_a_stamp_is(tmp_path):
    recording = read(tmp_path, made_up_netcdf.mooring())
    assert seconds(recording) == ["2020-01-01T01:00:00", "2020-01-01T02:00:00"]
    same(recording["water_level"].values, [1.1, 1.2])
    assert recording.metadata["stamps"] == "end of the interval"


def test_without_its_library_hdf5_names_the_extra_and_the_classic_format_is_read(tmp_path, monkeypatch):
    # The library is installed where tests run: that it is absent can only be feigned.
    content = made_up_netcdf.mooring()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"nilometer\[netcdf\]"):
        read(tmp_path, content)
    assert len(read(tmp_path, made_up_netcdf.buoy())) == 3


@pytest.mark.parametrize("make", [made_up_netcdf.argo, made_up_netcdf.buoy, made_up_netcdf.mooring])
def test_a_file_cut_off_is_refused(tmp_path, make):
    content = make()
    with pytest.raises(ReadError, match="damaged"):
        read(tmp_path, content[: len(content) * 2 // 3])


def test_a_calendar_of_models_is_refused(tmp_path):
    content = made_up_netcdf.buoy().replace(
        b"minutes since 2020-01-01T00:00:00+01:00", b"months since 2020-01-01T00:00:00 UTC   "
    )
    with pytest.raises(ReadError, match="months since"):
        read(tmp_path, content)


def test_what_we_write_we_read(tmp_path):
    first = read(tmp_path, made_up_netcdf.buoy())
    write_table(first.to_arrow(aside=True), tmp_path / "out.nc")
    again = nilometer.read(tmp_path / "out.nc")
    assert np.array_equal(again.times, first.times)
    assert np.array_equal(again["water_temperature"].values, first["water_temperature"].values, equal_nan=True)


@pytest.mark.real
@pytest.mark.parametrize("name", ["ocean/argo/6900388_prof.nc", "ocean/argo/D4902337_219.nc"])
def test_real_floats_hold_what_xarray_sees(real_data, name):
    xarray = pytest.importorskip("xarray")
    recording = nilometer.read(real_data / name)
    with xarray.open_dataset(real_data / name, engine="scipy") as other:
        for column in ("PRES", "TEMP", "PSAL"):
            seen = other[column].to_numpy().ravel()
            assert np.isfinite(recording[column].values).sum() == np.isfinite(seen).sum()
            assert np.allclose(np.nansum(recording[column].values), np.nansum(seen.astype(float)), rtol=1e-6)
        first = other["JULD"].to_numpy().min().astype("datetime64[us]").astype(np.int64)
        assert abs(recording.times.min() - first) <= 1
    assert set(recording.aside["TEMP_QC"].to_pylist()) <= set("0123456789")
    assert recording.qualifies["TEMP_QC"] == "TEMP"
    assert recording.qualifies["TEMP_ADJUSTED"] == "TEMP"


@pytest.mark.real
def test_a_real_glider_and_a_real_pco2_sensor_are_read(real_data):
    glider = nilometer.read(real_data / "ocean/glider/dfo-eva035-20190718.nc")
    assert len(glider) == 5521
    assert glider["water_pressure"].unit == "dbar"
    assert (glider.metadata["model"], glider.metadata["serial number"]) == ("SeaExplorer", "035")
    sensor = nilometer.read(real_data / "water_quality/ioos/pco2_netcdf_example.nc")
    assert len(sensor) == 7339
    assert (sensor["pco2"].unit, sensor.metadata["model"]) == ("uatm", "SAMI-pCO2")
    assert sensor.qualifies["pco2_seawater_qc_results"] == "pco2_seawater"
