"""Profiles as written by people: what works, and what the message says when it does not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.qc.streams import batch

from nilometer.errors import ConfigError
from nilometer.qc import check, load
from nilometer.qc.engine import QcEngine
from nilometer.qc.layout import MOST_TESTS
from nilometer.qc.profile import Profile
from nilometer.qc.qartod.definition import seconds
from nilometer.qc.rollup import Rule


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_inherits_overrides_adds_and_leaves_out(tmp_path):
    path = write(
        tmp_path,
        """
        inherits = "river/ph"
        version = "7"
        [tests]
        flat_line = false
        [tests.gross_range]
        suspect = [7, 8]
        [tests.rate_of_change]
        fail = 3
        [tests.lone]
        test = "spike"
        method = "differential"
        suspect = 0.4
        """,
    )
    profile, parent = load(path), load("river/ph")
    assert profile.names == ("gap", "gross_range", "spike", "rate_of_change", "mark", "lone")
    assert profile.tests[1].parameters == {"fail": (2, 12), "suspect": (7, 8)}
    assert profile.tests[3].parameters == {"suspect": 1, "fail": 3, "per": 3600}
    assert (profile.name, profile.version, profile.unit) == ("mine", "7", parent.unit)
    assert profile.required == parent.required
    assert load(str(path)) == profile


def test_inherited_thresholds_are_converted_to_the_childs_unit():
    child = load({"inherits": "river/water_temperature", "unit": "degF"})
    parameters = {test.name: test.parameters for test in child.tests}
    assert child.unit == "degree_Fahrenheit"
    assert parameters["gross_range"]["fail"] == pytest.approx((23, 122))
    assert parameters["spike"]["suspect"] == pytest.approx(1.8)
    assert parameters["flat_line"]["tolerance"] == pytest.approx(0.009)
    assert parameters["flat_line"]["suspect"] == 6 * 3600


def test_thresholds_are_judged_in_the_unit_of_the_series():
    fahrenheit = {"unit": "degF", "tests": {"gross_range": {"fail": [32, 212]}}}
    assert check(np.array([-0.1, 0, 100, 100.1]), fahrenheit, unit="°C").flags.tolist() == [4, 1, 1, 4]
    assert check(np.array([31.9, 212]), fahrenheit).flags.tolist() == [4, 1]


def test_a_wrong_dimension_is_an_error():
    with pytest.raises(ConfigError, match=r"degree_Celsius.*mg L-1"):
        check([1.0], "river/water_temperature", unit="mg/L")
    with pytest.raises(ConfigError):
        load({"inherits": "river/water_temperature", "unit": "mg/L"})


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"tets": {}}, ["key = 'tets'", "did you mean tests"]),
        ({"tests": {"spikes": {}}}, ["tests = 'spikes'", "did you mean spike"]),
        ({"tests": {"fast": {"test": "spik"}}}, ["tests.fast.test = 'spik'", "did you mean spike"]),
        ({"tests": {"spike": {"suspekt": 1}}}, ["tests.spike = 'suspekt'", "did you mean suspect"]),
        ({"tests": {"spike": {"suspect": "1"}}}, ["tests.spike.suspect = '1'", "a number"]),
        ({"tests": {"spike": {"suspect": True}}}, ["tests.spike.suspect = True", "a number"]),
        ({"tests": {"spike": {"suspect": -1}}}, ["tests.spike.suspect = -1", "above 0"]),
        ({"tests": {"spike": {"suspect": 3, "fail": 2}}}, ["suspect (3) must not lie beyond fail (2)"]),
        ({"tests": {"spike": {}}}, ["tests.spike", "give suspect, fail or both"]),
        ({"tests": {"spike": {"suspect": 1, "method": "mean"}}}, ["'mean'", "average, differential"]),
        ({"tests": {"gross_range": {"fail": [14, 0]}}}, ["tests.gross_range.fail = [14, 0]", "the lower first"]),
        ({"tests": {"gross_range": {"fail": [0, 14], "suspect": [6, 15]}}}, ["must lie inside fail"]),
        ({"tests": {"gross_range": {"fail": [0, float("nan")]}}}, ["tests.gross_range.fail", "a number"]),
        ({"tests": {"gap": {"suspect": "2 weeks"}}}, ["tests.gap.suspect = '2 weeks'", "15 min"]),
        ({"tests": {"flat_line": {"suspect": "2 h"}}}, ["give tolerance"]),
        ({"tests": {"gap": False}}, ["tests.gap = False", "nothing of that name is inherited"]),
        ({"tests": {"gap": 3}}, ["tests.gap = 3", "a table, or false"]),
        ({"tests": []}, ["tests = []", "a table per test"]),
        ({"required": ["gap"], "tests": {"mark": {}}}, ["required = 'gap'", "mark"]),
        ({"required": "mark", "tests": {"mark": {}}}, ["required = 'mark'", "a list"]),
        ({"rollup": "worst"}, ["rollup = 'worst'", "ioos_qc, required"]),
        ({"unit": "furlong"}, ["unit = 'furlong'"]),
        ({"title": 3}, ["title = 3", "text"]),
        ({"inherits": "river/phh"}, ["inherits = 'river/phh'", "did you mean river/ph"]),
        ({"qartod": {"spike_test": {"threshold": 1}}}, ["qartod.spike_test = 'threshold'", "not a parameter"]),
        ({"qartod": {"location_on_land_test": {}}}, ["qartod.location_on_land_test", "no map", "gross_range_test"]),
        ({"qartod": []}, ["qartod = []", "a table per test"]),
    ],
)
def test_a_mistake_is_named_with_its_place_its_value_and_what_would_work(document, parts):
    with pytest.raises(ConfigError) as caught:
        load(document)
    for part in parts:
        assert part in str(caught.value)


def test_a_mistake_in_a_file_names_the_file(tmp_path):
    path = write(tmp_path, "[tests.spike]\nsuspect = -1\n")
    with pytest.raises(ConfigError, match=r"mine\.toml.*tests\.spike\.suspect = -1"):
        load(path)
    for text in ("[tests", None):
        target = write(tmp_path, text) if text else tmp_path / "absent.toml"
        with pytest.raises(ConfigError, match="profile = "):
            load(target)


def test_an_unknown_name_has_near_names():
    with pytest.raises(ConfigError, match="did you mean river/dissolved_oxygen"):
        load("river/disolved_oxygen")


@pytest.mark.parametrize(
    ("text", "expected"), [("90 s", 90), ("15 min", 900), ("1.5 h", 5400), ("2day", 172800), (7, 7), (0.5, 0.5)]
)
def test_times_are_read(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1 h", 0, -1, True, None, "1 month", float("inf")])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="15 min"):
        seconds(text)


def test_a_profile_of_25_tests_keeps_every_outcome():
    tests = {f"span_{k}": {"test": "gross_range", "suspect": [k, 100]} for k in range(23)}
    profile = load({"tests": tests | {"spike": {"suspect": 50}, "mark": {}}, "required": ["span_0"]})
    engine = QcEngine()
    engine.set(1, profile, unit="1")
    engine.set(2, load({"tests": {"mark": {}}}), unit="1")
    rows = batch([(1, k, 10.0 + k, k, False, None) for k in range(3)] + [(2, 0, 1.0, 9, False, "?")])
    engine.evaluate(rows)
    assert rows.tests.to_pylist() == [
        "1" * 11 + "3" * 12 + "21",
        "1" * 12 + "3" * 11 + "11",
        "1" * 13 + "3" * 10 + "21",
        "2",
    ]
    assert len(profile.names) == 25


def test_more_tests_than_fit_are_refused():
    tests = {f"t{k}": {"test": "mark"} for k in range(MOST_TESTS + 1)}
    with pytest.raises(ConfigError, match=f"tests = {MOST_TESTS + 1}.*at most {MOST_TESTS}"):
        load({"tests": tests})


def test_ioos_qc_configurations_are_read_in_their_own_meaning():
    profile = load(
        {
            "qartod": {
                "aggregate": {},
                "gross_range_test": {"fail_span": [14, 0], "suspect_span": [6, 9]},
                "spike_test": {"suspect_threshold": 0, "fail_threshold": 5},
                "rate_of_change_test": {"threshold": 0.1},
                "flat_line_test": {"suspect_threshold": 300, "fail_threshold": 900, "tolerance": 0.01},
                "time_gap_test": {"fail_span": 2},
            }
        }
    )
    parameters = {test.name: test.parameters for test in profile.tests}
    assert profile.rollup is Rule.IOOS_QC
    assert parameters["gross_range"] == {"fail": (0, 14), "suspect": (6, 9)}
    assert parameters["spike"] == {"fail": 5, "method": "average"}
    assert parameters["rate_of_change"] == {"suspect": 0.1, "per": 1}
    assert parameters["flat_line"] == {"suspect": 300, "fail": 900, "tolerance": 0.01}
    assert parameters["gap"] == {"fail": 7200}
    assert load({"spike_test": {"fail_threshold": 5}}).tests[0].parameters["fail"] == 5


def test_a_profile_with_every_slot_taken_still_gets_the_test_of_its_calibration():
    doubts = {"since": "2023-01-01", "doubts": [{"from": "2024-01-01", "reason": "overdue"}]}
    ranges = {f"t{k}": {"test": "gross_range", "fail": [0, 14]} for k in range(MOST_TESTS)}
    full = load({"tests": {**ranges, "calibration_valid": doubts}})
    assert Profile.from_document(full.to_document(), name="full").names == full.names
    flags = check([7.0, 7.0], full, time=np.array(["2023-06-01", "2024-06-01"], "datetime64[us]")).flags
    assert list(flags) == [1, 3]
