"""A profile as a file: what is written reads back, with its comments."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.qc import load
from nilometer.qc.profile import Profile, profiles
from nilometer.qc.profile_text import document_text, duration_text, profile_text
from nilometer.qc.qartod.definition import seconds


@pytest.mark.parametrize("name", sorted(profiles().items))
@pytest.mark.parametrize("origins", [True, False])
def test_every_shipped_profile_reads_back_from_its_text(name, origins):
    profile = profiles()[name]
    text = profile_text(profile, origins=origins)
    again = Profile.from_document(tomllib.loads(text), name=name)
    assert again == replace(profile, lineage=())
    assert again.fingerprint == profile.fingerprint
    thresholds = sum(len(test.parameters) for test in profile.tests)
    behind = [line for line in text.splitlines() if "  # " in line]
    assert len(behind) == (thresholds if origins else 0)


def test_an_inherited_profile_says_its_ancestors_first():
    profile = load({"inherits": "river/ph", "version": "3", "tests": {"spike": {"suspect": 0.3}, "flat_line": False}})
    lines = profile_text(profile).splitlines()
    assert lines[0] == f"# dict, version 3, digest {profile.digest[:16]}"
    assert lines[1] == "# river/ph 1 <- dict 3"
    assert "suspect = 0.3                                 # dict" in lines
    assert "fail = 0.5                                    # river/ph" in lines


def test_what_is_left_out_is_written_once_and_reads_back():
    document = {
        "inherits": "river/ph",
        "tests": {
            "spike": {"suspect": 0.3, "fail": False},
            "gap": False,
            "flat_line": False,
            "a name, with \"quotes\"": {"test": "mark"},
        },
        "required": [],
    }  # fmt: skip
    text = document_text(document, head=["why"], notes={"tests.spike": "two\nlines", "tests.spike.suspect": "here"})
    assert tomllib.loads(text) == document
    assert "# two\n# lines\n[tests.spike]" in text
    assert load(tomllib.loads(text)).names[-1] == 'a name, with "quotes"'


def test_lists_of_tables_stand_a_line_each_with_their_comments():
    document = {"tests": {"climatology": {"members": [{"time": [1, 3], "suspect": [0.5, 9]}, {"time": [4, 6]}]}}}
    text = document_text(document, notes={"tests.climatology.members[1]": "90 values"})
    assert tomllib.loads(text) == document
    assert text.splitlines()[-2].endswith("},                          # 90 values")


@given(st.floats(1e-3, 1e9, allow_subnormal=False))
def test_times_read_back_as_they_were(value):
    assert seconds(duration_text(value)) == pytest.approx(value, rel=1e-12)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1),
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**53), 2**53),
            st.booleans(),
            st.text(min_size=1),
        ),
    )
)
def test_any_table_reads_back(table):
    text = document_text({"tests": {"x": table}})
    assert tomllib.loads(text)["tests"]["x"] == table


def test_every_test_there_is_reads_back_from_its_text():
    tests = {
        "syntax": {},
        "location": {"displacement": 500, "place": [41.7, -111.8], "bounds": [-112, 41, -111, 42]},
        "climatology": {
            "members": [
                {"period": "month", "time": [12, 2], "suspect": [-1, 8], "depth": [0, 10]},
                {"time": ["2024-01-01", "2024-02-01T00:00:00Z"], "suspect": [0, 3], "fail": [-1, 30]},
            ],
            "utc_offset": "-07:00",
        },
        "rate_of_change": {"n_dev": 3, "tim_dev": "25 h"},
        "multi_variate": {"other": "ph", "n_dev": 2, "other_n_dev": 2, "tim_dev": "25 h"},
        "attenuated_signal": {"suspect": 0.1, "over": "12 h"},
        "neighbor": {"other": "a/b", "suspect": 0.5, "within": "15 min", "deadline": "1 h"},
        "ts_curve": {"other": "salinity", "curve": [[0, 0, 30], [35, -2, 30]]},
        "data_reception": {"suspect": "6 h"},
        "impossible_date": {"earliest": "2000-01-01", "future": "1 h"},
        "percentile_range": {"low": 5, "high": 95, "pad": 1, "span": [0, 20]},
    }
    for unit in ("degC", "degF"):
        profile = load({"unit": "degree_Celsius", "tests": tests}).in_unit(unit)
        text = profile_text(profile, exact=True)
        assert Profile.from_document(tomllib.loads(text), name="dict").fingerprint == profile.fingerprint
        assert Profile.from_document(profile.to_document(), name="dict") == profile
        assert max(len(line) for line in text.splitlines()) < 130


def test_thresholds_are_shown_as_a_person_wrote_them_and_kept_as_they_are():
    members = [{"period": "month", "time": [1, 12], "suspect": [0, 20.1]}]
    document = {
        "unit": "degree_Celsius",
        "tests": {
            "gross_range": {"fail": [0, 95], "suspect": [33.8, 68.2], "unit": "degF"},
            "spike": {"suspect": 0.1, "fail": 1.23456789012345},
            "flat_line": {"tolerance": 0.005, "suspect": "1 h"},
            "climatology": {"members": members},
        },
    }
    profile = load(document)
    fahrenheit = profile.in_unit("K").in_unit("degF")
    text = profile_text(fahrenheit, origins=False)
    assert {"fail = [0, 95]", "suspect = [33.8, 68.2]", "suspect = 0.18", "tolerance = 0.009"} <= set(text.splitlines())
    assert "suspect = [32, 68.18]" in text
    assert fahrenheit.tests[0].parameters["suspect"] != (33.8, 68.2)  # it is judged by the doubles of the conversion
    assert "fail = 1.23456789012345" in profile_text(profile, origins=False)
    assert profile_text(fahrenheit, exact=True) != profile_text(fahrenheit)


@given(st.floats(1e-300, 1e300))
def test_what_is_shown_is_the_threshold_to_twelve_digits_and_what_was_written_to_the_last(value):
    for threshold, tolerance in ((value, 5e-12), (float(f"{value:.15g}"), 0.0)):
        profile = load({"tests": {"spike": {"suspect": threshold}}})
        again = tomllib.loads(profile_text(profile))["tests"]["spike"]["suspect"]
        assert again == pytest.approx(threshold, rel=tolerance, abs=0)


def test_a_table_in_its_own_unit_is_converted_down_to_its_members():
    members = [{"period": "month", "time": [1, 12], "suspect": [32, 50]}]
    profile = load({"unit": "degC", "tests": {"climatology": {"members": members, "unit": "degF"}}})
    assert profile.tests[0].parameters["members"][0]["suspect"] == pytest.approx([0, 10])
