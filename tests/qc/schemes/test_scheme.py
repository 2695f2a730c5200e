from __future__ import annotations

import gzip
import importlib.metadata
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import nilometer
from nilometer import plugins
from nilometer.errors import ConfigError
from nilometer.model import QartodFlag
from nilometer.plugins import DataFile
from nilometer.qc.marks import schemes as mark_schemes
from nilometer.qc.schemes import scheme, schemes
from nilometer.qc.schemes.reading import _scheme

NAMES = sorted(schemes().items)


def test_all_of_ours_can_be_used_and_say_where_they_come_from():
    assert schemes().broken == {}
    assert {"argo", "seadatanet", "iode", "nerrs", "hj212-2017", "qartod", "ioos_qc", "usgs"} <= set(NAMES)
    for name in NAMES:
        table = scheme(name)
        assert len(table.source) > 20
        assert table.verified or table.doubt, f"{name} says neither that it was verified nor what was not"


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_that_has_a_code_comes_back_as_itself(name):
    table = scheme(name)
    for flag in table.written:
        code = table.from_qartod([flag])
        assert table.to_qartod(code).tolist() == [flag], f"{name}: {flag.name} is written {code[0]!r}"


@pytest.mark.parametrize("name", NAMES)
def test_a_table_that_loses_nothing_has_one_code_a_flag(name):
    table = scheme(name)
    flags = [code.flag for code in table.codes.values()]
    assert table.loses["to_qartod"].startswith("nothing") == (len(flags) == len(set(flags)))
    if table.loses["from_qartod"] == "nothing.":
        assert set(table.written) == set(QartodFlag)


@given(name=st.sampled_from([name for name in NAMES if scheme(name).codes]), data=st.data())
def test_every_code_and_every_nonsense_gets_a_flag_of_the_same_place(name, data):
    table = scheme(name)
    some = st.one_of(st.sampled_from(sorted(table.codes)), st.text(max_size=8), st.none(), st.just(float("nan")))
    codes = data.draw(st.lists(some, max_size=20))
    flags = table.to_qartod(np.array(codes, object))
    assert flags.dtype == np.int8
    assert flags.tolist() == [table.to_qartod(np.array([code], object))[0] for code in codes]


def test_digits_are_not_copied():
    assert scheme("argo").to_qartod(["2"]).tolist() == [QartodFlag.PASS]
    assert scheme("argo").from_qartod([QartodFlag.NOT_EVALUATED]).tolist() == ["0"]
    assert scheme("seadatanet").to_qartod(["2", "7", "8"]).tolist() == [1, 3, 3]
    assert scheme("qartod-first").to_qartod([1, 3]).tolist() == [QartodFlag.FAIL, QartodFlag.PASS]
    assert scheme("nerrs").to_qartod(["<1>", "<-2>", "<4>"]).tolist() == [3, 9, 2]


def test_the_iode_scheme_is_qartods():
    flags = np.array(list(QartodFlag))
    assert scheme("iode").to_qartod(flags).tolist() == flags.tolist()
    assert scheme("iode").from_qartod(flags).dtype == np.int8


def test_hj_212_letters_follow_the_mark_table_and_only_pass_has_a_letter():
    table = scheme("hj212-2017")
    for letter, said in mark_schemes()["hj212-2017"].letters.items():
        assert table.to_qartod([letter]).tolist() == [said.flag]
    assert table.censored(["T", "N", ""]).tolist() == [1, 0, 0]
    assert table.from_qartod([1, 3, 4]).tolist() == ["N", "", ""]
    with pytest.raises(ConfigError, match=r"SUSPECT.*PASS"):
        table.from_qartod([3], strict=True)


def test_the_bare_number_of_a_nerrs_flag_is_the_flag():
    table = scheme("nerrs")
    assert table.to_qartod(list(table.codes)).tolist() == [code.flag for code in table.codes.values()]
    assert table.to_qartod(np.array([-3, 0, 1])).tolist() == [4, 1, 3]
    assert table.to_qartod(["<1", "1 [SDO]", "(CSM) 5", "12"]).tolist() == [2] * 4


def test_a_nerrs_flag_is_read_out_of_its_text():
    table = scheme("nerrs")
    assert table.to_qartod(["<0> ", "<1> [SDO] (CCU)", "<-3> [GIM] (CSM)", "{CSM} {CWE}", ""]).tolist() == [
        1,
        3,
        4,
        2,
        2,
    ]
    assert table.meaning("<1> [SDO] (CCU)") == "suspect data; dissolved oxygen suspect; cause unknown"
    assert table.unknown(["{CSM} {CWE}", "<7>", "foo", "<0>"]) == ("7", "foo")


def test_of_several_usgs_qualifiers_the_worst_counts():
    table = scheme("usgs")
    assert table.to_qartod(["A", "P", "A:e", "P Ice", "A <"]).tolist() == [1, 2, 3, 9, 1]
    assert table.censored(["A <", "A"]).tolist() == [-1, 0]
    with pytest.raises(ConfigError, match="approval by people"):
        table.from_qartod([1])


def test_limits_of_measurement_come_out_beside_the_flags():
    assert scheme("seadatanet").censored(["6", "Q", "7", "1"]).tolist() == [-1, -1, 1, 0]


@pytest.mark.parametrize(
    "codes",
    [
        ["1", "4", None],
        np.array([b"1", b"4", b" "]),
        np.array([1.0, 4.0, np.nan]),
        np.ma.array([1, 4, 7], mask=[0, 0, 1]),
        np.ma.array([1.0, 4.0, 7.0], mask=[0, 0, 1]),
        pd.Series([1, 4, None], dtype="Int8"),
        pd.Series(["1", "4", None]),
        pl.Series(["1", "4", None]),
        pa.array(["1", "4", None]),
    ],
    ids=["list", "bytes", "floats", "masked integers", "masked floats", "Int8", "pandas", "polars", "arrow"],
)
def test_codes_are_taken_as_any_library_gives_them(codes):
    assert scheme("argo").to_qartod(codes).tolist() == [1, 4, 2]


def test_shape_is_kept():
    codes = np.array([["1", "2", "3"], ["4", "9", " "]])
    flags = scheme("argo").to_qartod(codes)
    assert flags.tolist() == [[1, 1, 3], [4, 9, 2]]
    assert scheme("argo").from_qartod(flags).shape == (2, 3)


def test_no_codes_give_no_flags():
    assert scheme("argo").to_qartod([]).tolist() == []
    assert scheme("argo").from_qartod([]).tolist() == []


def test_an_unknown_code_is_not_evaluated_or_refused_by_name():
    assert scheme("argo").to_qartod(["x"]).tolist() == [2]
    with pytest.raises(ConfigError, match=r"argo code.*'x'"):
        scheme("argo").to_qartod(["1", "x"], strict=True)
    with pytest.raises(ConfigError, match="7"):
        scheme("argo").from_qartod([7])


def test_an_unknown_scheme_is_refused_with_the_near_names():
    with pytest.raises(ConfigError, match="seadatanet"):
        scheme("seadata")


FILE = {
    "title": "Ours",
    "source": "the station's own handbook",
    "codes": {"ok": {"flag": "pass", "meaning": "fine"}},
    "loses": {"to_qartod": "nothing", "from_qartod": "much"},
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"code": "letters"}, "letters"),
        ({"source": ""}, "source"),
        ({"codes": {}}, "codes"),
        ({"codes": {"ok": {"flag": "good", "meaning": "fine"}}}, r"codes\.ok\.flag"),
        ({"codes": {"ok": {"flag": "pass"}}}, r"codes\.ok\.meaning"),
        ({"codes": {"ok": {"flag": "pass", "meaning": "fine", "colour": 1}}}, "colour"),
        ({"codes": {"ok": {"flag": "pass", "meaning": "fine", "censored": 2}}}, "censored"),
        ({"from_qartod": {"pass": "fine"}}, r"from_qartod\.pass"),
        ({"from_qartod": {"good": "ok"}}, "from_qartod"),
        ({"code": "number", "from_qartod": {"pass": "ok"}}, "from_qartod"),
        ({"loses": {"to_qartod": "nothing"}}, "loses"),
        ({"pattern": "("}, "pattern"),
        ({"marks": "hj300"}, "marks"),
        ({"bits": ["rollup"]}, "bits"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_key_and_place(change, named):
    with pytest.raises(ConfigError, match=named) as caught:
        _scheme(DataFile("ours", "ours.toml", FILE | change))
    assert "ours.toml" in str(caught.value)


def test_a_strangers_package_adds_a_scheme(tmp_path, monkeypatch):
    package = tmp_path / "their_flags"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "theirs.toml").write_text(
        'title = "Theirs"\nsource = "their handbook"\n[codes.ok]\nflag = "pass"\nmeaning = "fine"\n'
        '[codes.no]\nflag = "fail"\nmeaning = "broken"\n[loses]\nto_qartod = "nothing."\nfrom_qartod = "all"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = importlib.metadata.EntryPoint("theirs", "their_flags", "nilometer.flag_schemes")
    real = importlib.metadata.entry_points

    def with_theirs(**wanted):
        return [*real(**wanted), entry] if wanted.get("group") == entry.group else real(**wanted)

    # A package cannot be installed within a test: its entry point is all that is pretended.
    monkeypatch.setattr(importlib.metadata, "entry_points", with_theirs)
    plugins.data_files.cache_clear()
    schemes.cache_clear()
    try:
        assert scheme("theirs").to_qartod(["ok", "no"]).tolist() == [1, 4]
        assert "argo" in schemes().items
    finally:
        plugins.data_files.cache_clear()
        schemes.cache_clear()
        sys.modules.pop("their_flags", None)


# Real files


@pytest.mark.real
@pytest.mark.parametrize("name", ["apacpwq_2012_2013.csv.gz", "gndblwq2021_cdmo_export.csv.gz"])
def test_every_flag_of_a_nerrs_file_is_known_and_read(real_data, name):
    recording = nilometer.read(real_data / "water_quality" / "nerrs" / name)
    table, seen = scheme("nerrs"), Counter()
    for column, owner in recording.qualifies.items():
        texts = recording.aside[column].to_pylist()
        assert table.unknown(texts) == ()
        flags = table.to_qartod(texts)
        seen += Counter(flags.tolist())
        assert [int(flag) for flag in flags[:3]] == [table.to_qartod([text])[0] for text in texts[:3]]
        if owner in recording.columns:
            empty = np.isnan(recording.columns[owner].values)
            assert not empty[flags == QartodFlag.PASS].any(), f"{column} calls a missing value good"
    assert set(seen) == {1, 2, 3, 4, 9} if name.startswith("apa") else {1, 3, 4, 9} <= set(seen)


@pytest.mark.real
def test_the_rejected_oxygen_of_apalachicola_is_what_the_file_says(real_data):
    path = real_data / "water_quality" / "nerrs" / "apacpwq_2012_2013.csv.gz"
    recording = nilometer.read(path)
    flags = scheme("nerrs").to_qartod(recording.aside["f_do_mgl"].to_pylist())
    with gzip.open(path, "rt") as file:
        header = next(file).rstrip().split(",")
        where = header.index("f_do_mgl")
        said = Counter(line.rstrip("\n").split(",")[where].split(">")[0] + ">" for line in file)
    counts = Counter(flags.tolist())
    assert counts[QartodFlag.FAIL] == said["<-3>"] == 7717
    assert counts[QartodFlag.PASS] == said["<0>"]


@pytest.mark.real
@pytest.mark.parametrize("name", ["6900388_prof.nc", "D4902337_219.nc"])
def test_argo_levels_called_bad_are_never_good_here(real_data, name):
    with xr.open_dataset(real_data / "ocean" / "argo" / name, engine="scipy", decode_times=False) as profile:
        for parameter in ("PRES", "TEMP", "PSAL"):
            codes = profile[f"{parameter}_QC"].values
            values = profile[parameter].values
            flags = scheme("argo").to_qartod(codes)
            assert flags.shape == values.shape
            text = np.array([b"" if code != code else bytes(code) for code in codes.ravel()]).reshape(codes.shape)
            assert (flags[text == b"4"] == QartodFlag.FAIL).all()
            assert (flags[(text == b"1") | (text == b"2")] == QartodFlag.PASS).all()
            assert (flags[text == b"0"] == QartodFlag.NOT_EVALUATED).all()
            assert np.isfinite(values[flags == QartodFlag.PASS]).all()
            assert (flags == QartodFlag.PASS).any()


@pytest.mark.real
def test_a_usgs_file_is_approved(real_data):
    path = real_data / "level" / "usgs" / "USGS_08313000_Jan2019_instantaneous.json.gz"
    with gzip.open(path, "rt") as file:
        series = json.load(file)["value"]["timeSeries"]
    qualifiers = [":".join(value["qualifiers"]) for one in series for part in one["values"] for value in part["value"]]
    assert len(qualifiers) == 2972
    assert set(scheme("usgs").to_qartod(qualifiers).tolist()) == {QartodFlag.PASS}


def test_the_page_on_schemes_says_what_the_tables_say():
    page = (Path(__file__).resolve().parents[3] / "docs" / "formats" / "flag_schemes.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line.split("|")[3].split() for line in page.splitlines() if line.startswith("| `")}
    for name in set(NAMES) - {"hj212-2005", "hj212-2017", "usgs", "ooi"}:
        written = [scheme(name).written.get(flag, "(none)") for flag in QartodFlag]
        assert rows[name] == written, name
    assert all(f"`{name}`" in page for name in NAMES)


# Bit fields


def test_bit_fields_give_each_test_its_outcome_and_the_worst_of_them():
    found = scheme("ooi").tests_of_bits([0b11101, 0b11101, 0b1, 0, np.nan], [0b11100, 0b11101, 0b1, 0, np.nan])
    assert found["global_range"].tolist() == [3, 1, 1, 2, 2]
    assert found["local_range"].tolist() == [2] * 5
    assert found["spike"].tolist() == [1, 1, 2, 2, 2]
    assert found["rollup"].tolist() == [3, 1, 1, 2, 2]


def test_a_scheme_says_how_it_is_read():
    with pytest.raises(ConfigError, match="tests_of_bits"):
        scheme("ooi").to_qartod([1])
    with pytest.raises(ConfigError, match="to_qartod"):
        scheme("argo").tests_of_bits([1], [1])
    with pytest.raises(ConfigError, match="bit fields are not written"):
        scheme("ooi").from_qartod([1])


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127)), max_size=30))
def test_the_worst_of_the_tests_that_were_run_is_the_roll_up(pairs):
    run, passed = np.array(pairs, np.int64).reshape(-1, 2).T
    found = scheme("ooi").tests_of_bits(run, passed)
    rollup = found.pop("rollup")
    order = {2: 0, 1: 1, 3: 2}  # not run, passed, not passed
    for row in range(len(pairs)):
        assert rollup[row] == max((flags[row] for flags in found.values()), key=lambda flag: order[int(flag)])


@pytest.mark.real
def test_the_bits_of_the_pco2_file_are_read(real_data):
    path = real_data / "water_quality" / "ioos" / "pco2_netcdf_example.nc"
    with xr.open_dataset(path, engine="h5netcdf") as file:
        found = scheme("ooi").tests_of_bits(file["pco2_seawater_qc_executed"], file["pco2_seawater_qc_results"])
        assert Counter(found["global_range"].tolist()) == {3: 2367, 1: 4972}
        assert Counter(found["rollup"].tolist()) == {3: 2367, 1: 4972}
        assert set(found["local_range"].tolist()) == {2}
        values = file["pco2_seawater"].values
        # The order of the bits shows in the values: what failed the lowest one is what lies beyond 600 uatm.
        assert np.nanmin(values[found["global_range"] == 3]) > 600 > np.nanmax(values[found["global_range"] == 1])
