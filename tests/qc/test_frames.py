from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

from nilometer.errors import ConfigError
from nilometer.qc import check
from nilometer.qc.frames import check_frame
from nilometer.qc.schemes import scheme
from nilometer.series import is_frame

N = 48
TIMES = np.datetime64("2024-01-01T00:00", "us") + np.arange(N) * np.timedelta64(900, "s")
PH = {"tests": {"gross_range": {"fail": [0, 14], "suspect": [6, 9]}, "spike": {"suspect": 0.5, "fail": 1.0}}}
WARM = {"unit": "degree_Celsius", "tests": {"gap": {"suspect": "1 h"}, "gross_range": {"fail": [-5, 40]}}}
NAMES = [
    "ph_qartod_rollup",
    "ph_qartod_gross_range_test",
    "ph_qartod_spike_test",
    "warm_qartod_rollup",
    "warm_qartod_time_gap_test",
    "warm_qartod_gross_range_test",
]


def data():
    ph = 7 + 0.01 * np.sin(np.arange(N))
    ph[10], ph[20] = 9.5, np.nan
    warm = np.full(N, 12.0)
    warm[30] = 50.0
    return {"time": TIMES, "ph": ph, "warm": warm, "note": np.array(["x"] * N)}


FRAMES = {
    "mapping": data,
    "pandas column": lambda: pd.DataFrame(data()),
    "pandas index": lambda: pd.DataFrame(data()).set_index("time"),
    "polars": lambda: pl.DataFrame(data()),
    "arrow": lambda: pa.table(data()),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_each_column_is_judged_as_it_is_alone_and_the_kind_stays(kind):
    frame = FRAMES[kind]()
    assert is_frame(frame)
    found = check_frame(frame, {"ph": PH, "warm": WARM})
    assert type(found.flags) is type(frame)
    names = found.flags.column_names if kind == "arrow" else getattr(found.flags, "columns", found.flags)
    assert list(names) == NAMES
    for column, profile in (("ph", PH), ("warm", WARM)):
        alone = check(data()[column], profile, TIMES)
        assert np.asarray(found.flags[f"{column}_qartod_rollup"]).tolist() == alone.flags.tolist()
        for test, flags in alone.tests.items():
            called = "time_gap" if test == "gap" else test
            assert np.asarray(found.flags[f"{column}_qartod_{called}_test"]).tolist() == flags.tolist()
            assert found.results[column].tests[test].tolist() == flags.tolist()


def test_a_pandas_frame_keeps_its_index():
    frame = FRAMES["pandas index"]()
    assert check_frame(frame, {"ph": PH}).flags.index.equals(frame.index)


def test_times_may_be_named_or_given():
    frame = data() | {"when": TIMES}
    del frame["time"]
    assert check_frame(frame, {"warm": WARM}, time="when").flags["warm_qartod_time_gap_test"].tolist()[1] == 1
    del frame["when"]
    assert check_frame(frame, {"warm": WARM}).flags["warm_qartod_time_gap_test"].tolist()[1] == 2
    assert check_frame(frame, {"warm": WARM}, time=TIMES).flags["warm_qartod_time_gap_test"].tolist()[1] == 1


def test_thresholds_are_converted_to_the_unit_of_the_column():
    fahrenheit = {"time": TIMES, "warm": np.full(N, 53.6)}
    found = check_frame(fahrenheit, {"warm": WARM}, units={"warm": "degree_Fahrenheit"})
    assert set(found.flags["warm_qartod_gross_range_test"].tolist()) == {1}
    assert found.results["warm"].profile.unit == "degree_Fahrenheit"
    assert set(check_frame(fahrenheit, {"warm": WARM}).flags["warm_qartod_gross_range_test"].tolist()) == {4}


@pytest.mark.parametrize(
    ("profiles", "said"),
    [({"pH": PH}, "did you mean ph"), ({"note": PH}, "note"), ({"ph": "river/phh"}, "river/ph")],
)
def test_a_column_or_profile_that_is_not_there_is_refused_with_the_near_names(profiles, said):
    with pytest.raises(ConfigError, match=said):
        check_frame(data(), profiles)


def test_a_number_is_no_frame():
    assert not is_frame(np.zeros(3))
    assert not is_frame(pd.Series([1.0]))
    with pytest.raises(TypeError):
        check_frame(np.zeros(3), {"ph": PH})


# Datasets


def dataset(**attributes):
    columns = data()
    return xr.Dataset(
        {
            "ph": ("time", columns["ph"], {"units": "1", "ancillary_variables": "note"}),
            "warm": ("time", columns["warm"], {"units": "degree_Celsius"} | attributes),
            "note": ("time", columns["note"]),
            "spectrum": (("time", "band"), np.zeros((N, 3))),
        },
        coords={"time": ("time", TIMES.astype("datetime64[ns]"), {"standard_name": "time"})},
        attrs={"title": "a buoy"},
    )


def test_a_dataset_comes_back_with_flags_beside_what_was_judged():
    before = dataset()
    found = check_frame(before, {"ph": PH, "warm": WARM}).flags
    assert list(found.data_vars) == [*before.data_vars, *NAMES]
    assert found.attrs == before.attrs
    assert found["ph"].attrs["ancillary_variables"].split() == ["note", *NAMES[:3]]
    assert found["warm"].attrs["ancillary_variables"].split() == NAMES[3:]
    about = found["ph_qartod_gross_range_test"].attrs
    assert about["standard_name"] == "gross_range_test_quality_flag"
    assert about["flag_meanings"].split()[0] == "PASS"
    assert found["ph_qartod_rollup"].values.tolist() == check(data()["ph"], PH, TIMES).flags.tolist()
    assert xr.testing.assert_identical(found[["note", "spectrum"]], before[["note", "spectrum"]]) is None
    assert "ancillary_variables" not in before["warm"].attrs, "the Dataset given was changed"


def test_judging_a_dataset_again_replaces_its_flags():
    once = check_frame(dataset(), {"ph": PH}).flags
    twice = check_frame(once, {"ph": {"tests": {"gross_range": {"fail": [0, 14]}}}}).flags
    assert twice["ph_qartod_gross_range_test"].values[10] == 1
    assert twice["ph"].attrs["ancillary_variables"].split().count("ph_qartod_rollup") == 1


def test_the_unit_of_a_variable_is_taken():
    before = dataset(units="K")
    before["warm"] = ("time", data()["warm"] + 273.15, {"units": "K"})
    found = check_frame(before, {"warm": WARM}).flags["warm_qartod_gross_range_test"].values
    assert (found == 4).nonzero()[0].tolist() == [30]
    with pytest.raises(ConfigError, match="bananas"):
        check_frame(dataset(units="bananas"), {"warm": WARM})


@pytest.mark.parametrize("unit", ["1e-3", "1", "psu"])
def test_practical_salinity_is_of_its_scale_whatever_unit_a_file_writes(unit):
    salt = xr.Dataset(
        {"salt": ("time", np.full(N, 35.0), {"units": unit, "standard_name": "sea_water_practical_salinity"})},
        coords={"time": TIMES.astype("datetime64[ns]")},
    )
    assert set(check_frame(salt, {"salt": "sea/salinity"}).flags["salt_qartod_gross_range_test"].values) == {1}


def test_a_variable_of_two_dimensions_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"'spectrum'.*band.*isel"):
        check_frame(dataset(), {"spectrum": PH})
    with pytest.raises(ConfigError, match="spectrum"):
        check_frame(dataset(), {"spectrums": PH})


def test_flags_survive_the_way_through_a_file(tmp_path):
    found = check_frame(dataset(), {"ph": PH}).flags
    found.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as back:
        assert back["ph_qartod_spike_test"].values.tolist() == found["ph_qartod_spike_test"].values.tolist()
        assert back["ph_qartod_spike_test"].attrs["flag_values"].tolist() == [1, 2, 3, 4, 9]
        assert back["ph_qartod_spike_test"].dtype == np.int8


# Real files


@pytest.mark.real
def test_the_pco2_record_of_the_ocean_observatories_is_flagged(real_data):
    path = real_data / "water_quality" / "ioos" / "pco2_netcdf_example.nc"
    profile = {"tests": {"gross_range": {"fail": [0, 2000], "suspect": [200, 1000]}, "spike": {"suspect": 100}}}
    with xr.open_dataset(path, engine="h5netcdf") as file:
        found = check_frame(file, {"pco2_seawater": profile, "pco2w_thermistor_temperature": "sea/water_temperature"})
        values = file["pco2_seawater"].values
        outside = (values < 200) | (values > 1000)
        flags = found.flags["pco2_seawater_qartod_gross_range_test"].values
        assert len(flags) == 7339
        assert (flags == 3).sum() == (outside & (values >= 0) & (values <= 2000)).sum() > 0
        assert (flags == 9).sum() == np.isnan(values).sum()
        names = found.flags["pco2_seawater"].attrs["ancillary_variables"]
        assert "absorbance_blank_434 thermistor_raw" in names, "what the owner had named is kept"
        assert found.flags["pco2w_thermistor_temperature_qartod_rollup"].attrs["nilometer_profile_unit"] == (
            "degree_Celsius"
        )


@pytest.mark.real
def test_a_glider_is_flagged_with_its_own_times(real_data):
    with xr.open_dataset(real_data / "ocean" / "glider" / "dfo-eva035-20190718.nc", engine="h5netcdf") as glider:
        found = check_frame(glider, {"temperature": "sea/water_temperature", "salinity": "sea/salinity"})
        times = glider["time"].values
        for name in ("temperature", "salinity"):
            alone = check(glider[name].values, f"sea/{'water_temperature' if name == 'temperature' else name}", times)
            assert found.flags[f"{name}_qartod_rollup"].values.tolist() == alone.flags.tolist()
            good = found.flags[f"{name}_qartod_gross_range_test"].values
            assert (good == 9).sum() == np.isnan(glider[name].values).sum()
            assert (good == 1).mean() > 0.5


@pytest.mark.real
def test_an_argo_cast_is_flagged_where_its_owner_flagged_it(real_data):
    path = real_data / "ocean" / "argo" / "6900388_prof.nc"
    with xr.open_dataset(path, engine="scipy", decode_times=False) as argo:
        cast = argo.isel(N_PROF=0)[["TEMP", "PSAL", "TEMP_QC", "PSAL_QC"]]
        spans = {
            "PSAL": {"tests": {"gross_range": {"fail": [2, 41]}}},
            "TEMP": {"tests": {"gross_range": {"fail": [-2.5, 40]}}},
        }
        found = check_frame(cast, spans).flags
        for name in spans:
            ours = found[f"{name}_qartod_rollup"].values
            theirs = scheme("argo").to_qartod(cast[f"{name}_QC"].values)
            assert (ours[theirs == 1] == 1).all()
            assert (ours == 9).sum() == np.isnan(cast[name].values).sum()
