from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr

from nilometer.errors import ConfigError
from nilometer.netcdf import CfFile, Variable, measured, safe_name

SECOND = 1_000_000


def written(path, *parts):
    with CfFile(path, {"title": "a test", "history": None}) as file:
        for times, variables in parts:
            file.part(np.asarray(times, np.int64), variables)
    return xr.open_dataset(path, engine="h5netcdf")


def test_values_come_back_bit_for_bit_with_unit_and_standard_name(tmp_path):
    values = np.array([0.1 + 0.2, np.nan, -0.0])
    temperature = measured("Temp C", values, "degree_Celsius", "water_temperature")
    with written(tmp_path / "x.nc", ([0, SECOND, 2 * SECOND], [temperature])) as file:
        assert file["Temp_C"].values.tobytes() == values.tobytes()
        assert file["Temp_C"].attrs["units"] == "degree_Celsius"
        assert file["Temp_C"].attrs["standard_name"] == "sea_water_temperature"
        assert file.attrs["Conventions"].startswith("CF-1.11")
        assert "history" not in file.attrs


@pytest.mark.parametrize(("step", "unit"), [(SECOND, "seconds"), (1_000, "milliseconds"), (1, "microseconds")])
def test_times_are_whole_numbers_of_the_coarsest_step_and_exact(tmp_path, step, unit):
    times = np.array([1_600_000_000_000_000, 1_600_000_000_000_000 + 7 * step], np.int64)
    with written(tmp_path / "x.nc", (times, [measured("a", np.zeros(2), "m")])) as file:
        assert file["time"].values.astype("datetime64[us]").astype(np.int64).tolist() == times.tolist()
        assert file["time"].encoding["units"].startswith(unit)


def test_series_with_the_same_times_share_an_axis_and_others_get_their_own(tmp_path):
    one, other = [0, SECOND], [0, SECOND, 2 * SECOND]
    with written(
        tmp_path / "x.nc",
        (one, [measured("a", np.zeros(2), "m")]),
        (other, [measured("b", np.zeros(3), "m")]),
        (one, [measured("c", np.zeros(2), "m")]),
    ) as file:
        assert file["a"].dims == file["c"].dims == ("time",)
        assert file["b"].dims == ("time_2",)


def test_a_unit_of_a_scale_is_kept_beside_a_unit_that_udunits_knows(tmp_path):
    with written(tmp_path / "x.nc", ([0], [measured("turb", np.zeros(1), "FNU", "turbidity_fnu")])) as file:
        assert file["turb"].attrs["units"] == "1"
        assert file["turb"].attrs["nilometer_unit"] == "FNU"


def test_texts_and_a_missing_one_are_kept(tmp_path):
    mark = Variable(name="mark", values=np.array(["N", None, "校准"], object))
    with written(tmp_path / "x.nc", ([0, 1, 2], [mark])) as file:
        assert file["mark"].values.tolist() == ["N", "", "校准"]


def test_a_file_without_rows_opens(tmp_path):
    with written(tmp_path / "x.nc", ([], [measured("a", np.zeros(0), "m")])) as file:
        assert file.sizes["time"] == 0


def test_a_file_that_failed_is_removed(tmp_path):
    with pytest.raises(RuntimeError), CfFile(tmp_path / "x.nc"):
        raise RuntimeError("the source broke")
    assert not (tmp_path / "x.nc").exists()


def test_a_missing_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(ConfigError, match=r"pip install nilometer\[netcdf\]"):
        CfFile(tmp_path / "x.nc")
    assert not (tmp_path / "x.nc").exists()


def test_names_are_made_safe():
    assert safe_name("mill-race/ph") == "mill_race_ph"
    assert safe_name("2m") == "v_2m"
    assert safe_name("水温") == "v___"
