from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from ioos_qc.config import Config
from ioos_qc.streams import XarrayStream

from nilometer.qc import check, load
from nilometer.qc.cf import Judged, flag_attributes, flag_name, rollup_name, write

TIMES = 1_600_000_000_000_000 + np.arange(60) * 900_000_000
TWO_SPIKES = {
    "unit": "1",
    "tests": {
        "gross_range": {"fail": [0, 14], "suspect": [6, 9]},
        "spike": {"suspect": 0.5, "fail": 1.0},
        "slow_spike": {"test": "spike", "suspect": 0.1},
        "mark": {},
    },
}


def series():
    values = 7 + 0.01 * np.sin(np.arange(60))
    values[20], values[40] = 9.5, np.nan
    return values


@pytest.fixture
def file(tmp_path):
    values = series()
    result = check(values, TWO_SPIKES, TIMES)
    censored = np.where(np.arange(60) == 3, -1, 0).astype(np.int8)
    write(
        tmp_path / "ph.nc",
        TIMES,
        [
            Judged(name="pH", values=values, result=result, unit="1", observed_property="ph", censored=censored),
            Judged(name="level", values=values, unit="m", observed_property="water_level"),
        ],
    )
    with xr.open_dataset(tmp_path / "ph.nc", engine="h5netcdf") as opened:
        yield opened, result, tmp_path / "ph.nc"


def test_every_test_has_its_variable_with_its_flags(file):
    opened, result, _ = file
    assert opened["pH_qartod_rollup"].values.tolist() == result.flags.tolist()
    for test in result.profile.tests:
        flags = opened[flag_name("pH", test.name, test.kind)]
        assert flags.values.tolist() == result.tests[test.name].tolist()
        assert flags.dtype == np.int8


def test_the_value_names_its_flags_as_cf_asks(file):
    opened, result, _ = file
    named = opened["pH"].attrs["ancillary_variables"].split()
    assert named[0] == rollup_name("pH")
    assert len(named) == 1 + len(result.profile.tests) + 1
    assert all(name in opened for name in named)
    assert "ancillary_variables" not in opened["level"].attrs


def test_flag_values_and_meanings_pair_up(file):
    opened, _, _ = file
    about = opened["pH_qartod_spike_test"].attrs
    pairs = dict(zip(about["flag_values"].tolist(), about["flag_meanings"].split(), strict=True))
    assert pairs == {1: "PASS", 2: "NOT_EVALUATED", 3: "SUSPECT", 4: "FAIL", 9: "MISSING"}
    assert about["standard_name"] == "spike_test_quality_flag"
    assert opened["pH_qartod_rollup"].attrs["standard_name"] == "aggregate_quality_flag"
    assert opened["pH_nilometer_mark_test"].attrs["standard_name"] == "quality_flag"


def test_the_profile_comes_out_of_the_file_as_it_judged(file):
    opened, result, _ = file
    about = opened["pH_qartod_rollup"].attrs
    profile = load(json.loads(about["nilometer_profile_document"]))
    assert profile.tests == result.profile.tests
    assert about["nilometer_profile_digest"] == result.profile.digest
    assert json.loads(opened["pH_qartod_slow_spike_test"].attrs["nilometer_parameters"])["suspect"] == 0.1


def test_ioos_qc_finds_its_configuration_in_the_file(file):
    _, _, path = file
    calls = {call.method: call.kwargs for context in Config(path).contexts.values() for call in context}
    assert calls["gross_range_test"] == {"fail_span": [0.0, 14.0], "suspect_span": [6.0, 9.0]}
    # The second spike has other thresholds: ioos_qc, which knows one spike a variable, is told of the first.
    assert calls["spike_test"] == {"suspect_threshold": 0.5, "fail_threshold": 1.0, "method": "average"}


def test_ioos_qc_runs_its_own_tests_over_the_file_and_agrees(file):
    _, result, path = file
    found = [call for one in XarrayStream(str(path), time="time").run(Config(path)) for call in one.results]
    assert {call.test for call in found} == {"gross_range_test", "spike_test"}
    for call in found:
        ours = result.tests[call.test.removesuffix("_test")]
        assert np.asarray(call.results).tolist() == ours.tolist(), call.test


def test_a_threshold_that_ioos_qc_cannot_say_is_not_said_there(tmp_path):
    tests = {"flat_line": {"suspect": 0.5, "fail": 1.5, "tolerance": 0.1}, "rate_of_change": {"fail": 3, "per": 60}}
    result = check(series(), {"tests": tests}, TIMES)
    for test in result.profile.tests:
        assert "ioos_qc_config" not in flag_attributes("x", result.profile, test)
        assert (
            json.loads(flag_attributes("x", result.profile, test)["nilometer_parameters"])["fail"]
            == tests[test.name]["fail"]
        )


def test_names_are_those_of_ioos_qc():
    assert flag_name("salinity", "rate_of_change") == "salinity_qartod_rate_of_change_test"
    assert flag_name("salinity", "gap") == "salinity_qartod_time_gap_test"
    assert flag_name("salinity", "long gap", "gap") == "salinity_qartod_long_gap_test"
