"""Configurations of ioos_qc: every form they have, every test, contexts, and what is refused."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pytest
from tests.qc.peers import theirs

from nilometer.errors import ConfigError
from nilometer.qc import Profile, check, load
from nilometer.qc.frames import check_frame
from nilometer.qc.peer import streams
from nilometer.qc.peer_contexts import Region
from nilometer.qc.peer_parts import Parts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ioos_qc.config import Config
    from ioos_qc.results import collect_results
    from ioos_qc.streams import PandasStream

TESTS = {"gross_range_test": {"fail_span": [0, 12], "suspect_span": [1, 11]}, "aggregate": None}
YAML = """
region: None
window:
    starting: null
    ending: null
attrs: {title: "Both ends"}
streams:
    salt:
        qartod:
            gross_range_test:
                suspect_span: [1, 11]
                fail_span: [0, 12]
            rate_of_change_test: {threshold: 1e-3}
            aggregate:
    heat:
        qartod: {flat_line_test: {tolerance: 0.01, suspect_threshold: 3600, fail_threshold: 86400}}
        axds: {valid_range_test: {valid_span: [0, 30]}}
"""


def spans(found):
    return {test.name: test.parameters["fail"] for test in found.tests if "fail" in test.parameters}


def test_every_form_of_a_configuration_is_read(tmp_path):
    inner = {"qartod": TESTS}
    (tmp_path / "one.json").write_text(json.dumps({"salt": inner}), encoding="utf-8")
    (tmp_path / "one.yaml").write_text(
        "salt:\n  qartod:\n    gross_range_test: {fail_span: [0, 12]}\n", encoding="utf-8"
    )
    forms = [
        {"salt": inner},
        {"streams": {"salt": inner}},
        {"contexts": [{"streams": {"salt": inner}}]},
        json.dumps({"salt": inner}),
        io.StringIO(json.dumps({"streams": {"salt": inner}})),
        tmp_path / "one.json",
        str(tmp_path / "one.yaml"),
    ]
    for form in forms:
        assert spans(streams(form)["salt"]) == {"gross_range": (0.0, 12.0)}
    for form in (inner, TESTS):
        assert list(streams(form)) == ["_stream"]
        assert spans(load(form)) == {"gross_range": (0.0, 12.0)}
    assert spans(load(tmp_path / "one.json")) == spans(load(str(tmp_path / "one.yaml"))) == {"gross_range": (0.0, 12.0)}


def test_yaml_is_read_as_they_read_it():
    found = streams(YAML)
    assert list(found) == ["salt", "heat"]
    assert found["salt"].title == "Both ends"
    assert found["salt"].names == ("gross_range", "rate_of_change")
    assert found["salt"].tests[1].parameters["suspect"] == 1e-3  # YAML 1.1 calls this text
    assert found["heat"].names == ("flat_line", "valid_range")
    assert found["heat"].tests[1].kind == "gross_range"
    assert found["heat"].tests[1].parameters["fail"] == (0.0, np.nextafter(30.0, 0.0))
    ours = {name: sorted(test.name for test in profile.tests) for name, profile in found.items()}
    calls = Config(YAML).calls
    assert ours == {
        name: sorted(
            call.method.removesuffix("_test") for call in calls if call.stream_id == name and not call.is_aggregate
        )
        for name in ours
    }


def test_a_configuration_that_is_already_theirs_is_taken():
    found = streams(Config(YAML))
    assert {name: spans(profile) for name, profile in found.items()} == {
        name: spans(profile) for name, profile in streams(YAML).items()
    }
    assert list(streams(Config(YAML).calls[:1])) == ["salt"]


def test_check_takes_a_configuration_in_every_form(tmp_path):
    inner = {"qartod": {"gross_range_test": {"fail_span": [0, 12], "suspect_span": [1, 11]}}}
    text = json.dumps({"salt": inner})
    (tmp_path / "one.json").write_text(text, encoding="utf-8")
    (tmp_path / "one.yaml").write_text(
        "salt:\n  qartod:\n    gross_range_test: {fail_span: [0, 12]}\n", encoding="utf-8"
    )
    carried = check_frame({"salt": np.array([5.0])}, {"salt": inner})
    xr = pytest.importorskip("xarray")
    dataset = check_frame(xr.Dataset({"salt": ("time", np.array([5.0]))}), {"salt": inner}).flags
    dataset.to_netcdf(tmp_path / "flags.nc", engine="h5netcdf")
    forms = [
        inner, text, f"salt: {inner}\n", io.StringIO(text), tmp_path / "one.json", str(tmp_path / "one.yaml"),
        Config({"salt": inner}), Config({"salt": inner}).calls, dataset, tmp_path / "flags.nc",
        str(tmp_path / "flags.nc"),
    ]  # fmt: skip
    for form in forms:
        assert check([5.0, 12.5], form).tests["gross_range"] == [1, 4]
        if form is not inner:  # a frame is judged by a configuration as it is
            found = check({"salt": np.array([5.0, 12.5]), "other": np.array([5.0, 12.5])}, form)
            assert list(found.results) == ["salt"]
            assert found.flags["salt_qartod_gross_range_test"].tolist() == [1, 4]
    assert carried.flags["salt_qartod_rollup"].tolist() == [1]
    assert list(check({"a": np.array([5.0]), "b": np.array([5.0])}, inner).results) == ["a", "b"]


def test_a_file_of_ours_may_be_yaml_or_json(tmp_path):
    for name, text in (("p.yaml", "tests: {gross_range: {fail: [0, 12]}}\n"), ("p.json", '{"tests": {"mark": {}}}')):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert check([5.0], tmp_path / name).profile.name == "p"


@pytest.mark.parametrize(
    ("profiles", "says"),
    [
        ("river/ph", "give a profile for each"),
        (None, "give a profile for each"),
        ("nothing: {qartod: {gross_range_test: {fail_span: [0, 12]}}}\n", "no column of numbers has the name"),
        ({"contexts": [{"streams": {"nothing": {"qartod": TESTS}}}]}, "no column of numbers has the name"),
    ],
)
def test_a_frame_wants_to_know_what_judges_which_column(profiles, says):
    with pytest.raises(ConfigError, match=says):
        check({"ph": np.array([7.0])}, profiles)


def test_a_column_may_be_called_as_a_test_of_theirs_is():
    ours = {"tests": {"gross_range": {"fail": [0, 12]}}}
    for profiles in ({"gross_range_test": ours}, {"qartod": ours}, {"qartod": "river/ph"}):
        (name,) = profiles
        assert list(check({name: np.array([7.0])}, profiles).results) == [name]


def test_a_dataset_carries_its_configuration(tmp_path):
    xr = pytest.importorskip("xarray")
    whole = xr.Dataset(attrs={"ioos_qc_config": json.dumps({"salt": {"qartod": TESTS}})})
    assert spans(streams(whole)["salt"]) == {"gross_range": (0.0, 12.0)}
    about = {
        "ioos_qc_target": "salt",
        "ioos_qc_module": "qartod",
        "ioos_qc_test": "gross_range_test",
        "ioos_qc_config": json.dumps({"fail_span": [0, 12]}),
    }
    parts = xr.Dataset({"salt_qc": ("time", np.zeros(2, np.int8), about)})
    assert spans(streams(parts)["salt"]) == {"gross_range": (0.0, 12.0)}
    parts.to_netcdf(tmp_path / "flags.nc", engine="h5netcdf")
    assert spans(streams(tmp_path / "flags.nc")["salt"]) == {"gross_range": (0.0, 12.0)}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"qartod": {"location_on_land_test": None}}, "no map of the land"),
        ({"qartod": {"location_bounds_test": {"shape": [[0, 0], [1, 0], [1, 1]]}}}, "no polygon"),
        ({"qartod": {"location_bounds_test": {"shape": [0, 0, 1, 1], "flag_area": "inside"}}}, "good here"),
        ({"argo": {"pressure_increasing_test": {}}}, "no test here asks that values only rise"),
        ({"argo": {"speed_test": {"suspect_threshold": 1, "fail_threshold": 3}}}, "speed between positions"),
        ({"argo": {"duplicate_timestamp_test": {}}}, "a repeated time is settled before"),
        ({"qartod": {"my_test": {}}}, "there is no such test"),
        ({"salt": {"qartod": {"spike_test": {}}, "mine": {"x_test": {}}}}, "mine.x_test"),
        ({"qartod": {"spike_test": {"suspect_threshold": "high"}}}, "suspect_threshold = 'high' (allowed: a number)"),
        ({"qartod": {"spike_test": {"suspect": 1}}}, "not a parameter of this test"),
        ({"qartod": {"spike_test": {"method": "median", "suspect_threshold": 1}}}, "average, differential"),
        ({"qartod": {"gross_range_test": {"fail_span": [1]}}}, "allowed: two numbers"),
        ({"qartod": {"gross_range_test": {"fail_span": [0, 1], "suspect_span": [0, 2]}}}, "must lie inside fail"),
        ({"qartod": {"density_inversion_test": {"fail_threshold": 0.1}}}, "only a drop is judged"),
        (
            {"qartod": {"climatology_test": {"config": [{"vspan": [0, 1], "tspan": [1, 2], "period": "minute"}]}}},
            "month",
        ),
        (
            {"qartod": {"climatology_test": {"config": [{"vspan": [0, 1], "tspan": ["summer", "2020"]}]}}},
            "dates such as",
        ),
        (
            {"qartod": {"climatology_test": {"config": [{"vspan": [5, 6], "fspan": [0, 1], "tspan": [1, 2]}]}}},
            "outside",
        ),
        ({"qartod": {"syntax_test": {"nchar": 3, "lentype": "words"}}}, "lentype = 'words'"),
        ({"axds": {"valid_range_test": {"valid_span": ["2020-01-01", None]}}}, "two numbers"),
        ({"streams": {"a": {"qartod": TESTS}}, "windows": {}}, "windows"),
        ({"streams": {"a": {"qartod": TESTS}}, "window": {"from": "2020-01-01"}}, "starting, ending"),
        ({"streams": {"a": {"qartod": TESTS}}, "window": {"starting": "spring"}}, "window.starting = 'spring'"),
        ({"streams": {"a": {"qartod": TESTS}}, "region": {"type": "Point", "coordinates": [0, 0]}}, "MultiPolygon"),
        ({"contexts": {"streams": {}}}, "a list of tables"),
    ],
)
def test_what_our_tests_cannot_say_is_refused_by_name(document, says):
    with pytest.raises(ConfigError) as raised:
        streams(document)
    assert says in str(raised.value)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n", "just: words\n"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="config"):
        streams(tmp_path / "other.yaml")
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        streams(tmp_path / "absent.yaml")


def test_one_profile_is_not_made_of_several_streams_or_contexts():
    with pytest.raises(ConfigError, match="one series is judged by one stream"):
        check([1.0], {"a": {"qartod": TESTS}, "b": {"qartod": TESTS}})
    window = {"contexts": [{"window": {"starting": "2020-01-01"}, "streams": {"a": {"qartod": TESTS}}}]}
    with pytest.raises(ConfigError, match=r"nilometer\.qc\.check takes contexts"):
        load(window)
    assert isinstance(streams(window)["a"], Parts)


def stamps(n):
    return np.datetime64("2020-01-01", "us") + np.arange(n) * np.timedelta64(1, "h")


def test_a_window_judges_its_rows_as_one_series_and_no_other():
    pd = pytest.importorskip("pandas")
    times, values = stamps(48), np.sin(np.arange(48.0))
    values[[5, 20, 30]] = 9, np.nan, 7
    asked = {
        "qartod": {
            "spike_test": {"suspect_threshold": 2, "fail_threshold": 5},
            "gross_range_test": {"fail_span": [-2, 8]},
        }
    }
    window = {"starting": "2020-01-01T10:00:00", "ending": "2020-01-02T10:00:00"}
    document = {"contexts": [{"window": window, "streams": {"x": asked}}]}
    mine = check(values, document, times)
    parsed = {key: pd.Timestamp(value) for key, value in window.items()}  # text is compared as text there
    frame = pd.DataFrame({"time": times.astype("datetime64[ns]"), "x": values})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = PandasStream(frame).run(Config({"contexts": [{"window": parsed, "streams": {"x": asked}}]}))
        other = collect_results(results, how="dict")["x"]["qartod"]
    assert mine.tests["spike"].tolist() == other["spike_test"].tolist()
    assert mine.tests["gross_range"].tolist() == other["gross_range_test"].tolist()
    assert set(mine.flags[:10].tolist()) == {2}
    assert mine.profile.names == ("spike", "gross_range")


def test_a_region_judges_the_rows_inside():
    hole = [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]
    feature = {"type": "FeatureCollection", "features": [{"geometry": {"type": "Polygon", "coordinates": hole}}]}
    latitude, longitude = np.array([3.0, 1.5, 3, 9, np.nan]), np.array([3.0, 1.5, 0.5, 3, 3])
    document = {"region": feature, "streams": {"x": {"qartod": {"gross_range_test": {"fail_span": [0, 5]}}}}}
    found = check(np.array([1.0, 1, 7, 1, 1]), document, latitude=latitude, longitude=longitude)
    assert found.flags.tolist() == [1, 2, 4, 2, 2]
    with pytest.raises(ValueError, match="give latitude and longitude"):
        check(np.ones(2), document)


def test_a_region_holds_what_shapely_says_it_holds():
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(1)
    for _ in range(20):
        hulls = [shapely.MultiPoint(rng.normal(size=(6, 2)) + shift).convex_hull for shift in (0, 8)]
        area = shapely.MultiPolygon(hulls)
        longitude, latitude = rng.uniform(-3, 11, (2, 500))
        mine = Region.from_geojson(shapely.GeometryCollection([area])).contains(longitude, latitude)
        assert mine.tolist() == shapely.contains_xy(area, longitude, latitude).tolist()


def test_contexts_without_times_are_refused():
    document = {"window": {"starting": "2020-01-01"}, "streams": {"x": {"qartod": TESTS}}}
    with pytest.raises(ValueError, match="brings no times"):
        check(np.ones(3), document)


@pytest.mark.parametrize("config", [[], [{"vspan": [0, 1], "tspan": [0, 0], "period": "month"}]])
def test_a_climatology_that_holds_never_says_nothing(config):
    asked = {"qartod": {"climatology_test": {"config": config}}}
    assert check(np.array([1.0, np.nan]), asked, stamps(2)).flags.tolist() == [2, 9]


def test_density_runs_down_the_cast_and_the_rest_along_time():
    asked = {
        "density_inversion_test": {"suspect_threshold": -0.1},
        "rate_of_change_test": {"threshold": 1e-5},
        "gross_range_test": {"fail_span": [0, 50]},
    }
    density, depth, times = np.array([20.0, 22, 21, 23]), np.array([1.0, 2, 3, 4]), stamps(4)
    found = check(density, {"qartod": asked}, times, depth=depth)
    assert found.tests["density_inversion"].tolist() == theirs(
        "density_inversion_test", density, depth, suspect_threshold=-0.1
    )
    assert found.tests["rate_of_change"].tolist()[1:] == theirs("rate_of_change_test", density, times, 1e-5)[1:]
    with pytest.raises(ConfigError, match="down a cast"):
        load({"qartod": asked})
    del asked["rate_of_change_test"]
    assert load({"qartod": asked}).along == "depth"


def test_records_are_judged_by_their_length_and_numbers_by_their_column():
    asked = {"qartod": {"syntax_test": {"nchar": 5}}}
    assert check(["12345", "1234"], asked).flags == [1, 4]
    assert check(np.array(["12345", "1234"]), asked).flags.tolist() == [1, 4]
    assert check([1.0, 2.0], asked, syntax=[1, 4]).flags == [1, 4]


def test_the_kind_of_the_series_comes_back():
    pd = pytest.importorskip("pandas")
    series = pd.Series([1.0, 7.0], index=pd.to_datetime(["2020-01-01", "2020-02-01"]), name="salt")
    found = check(series, {"window": {"ending": "2020-01-15"}, "streams": {"salt": {"qartod": TESTS}}})
    assert isinstance(found.flags, pd.Series)
    assert found.flags.index.equals(series.index)
    assert found.tests["gross_range"].tolist() == [1, 2]


def test_a_frame_is_judged_by_the_streams_of_a_configuration():
    frame = {"time": stamps(3), "salt": np.array([5.0, 11.5, 13]), "heat": np.array([5.0, 31, 13])}
    asked = {"heat": {"qartod": {"gross_range_test": {"fail_span": [0, 30]}}}, "salt": {"qartod": TESTS}}
    window = {"ending": "2020-01-01T02:00"}
    found = check_frame(frame, streams({"contexts": [{"streams": asked}, {"window": window, "streams": asked}]}))
    assert {name: flags.tolist() for name, flags in found.flags.items()} == {
        "heat_qartod_rollup": [1, 4, 1],
        "heat_qartod_gross_range_test": [1, 4, 1],
        "heat_qartod_gross_range_2_test": [1, 4, 2],
        "salt_qartod_rollup": [1, 3, 4],
        "salt_qartod_gross_range_test": [1, 3, 4],
        "salt_qartod_gross_range_2_test": [1, 3, 2],
    }


def test_everything_they_have_loads_at_once():
    asked = {
        "location_test": {"bbox": [-80, 40, -70, 60], "range_max": 20000},
        "gross_range_test": {"fail_span": [0, 40]},
        "climatology_test": {"config": [{"vspan": [0, 30], "tspan": [0, 366], "period": "dayofyear"}]},
        "spike_test": {"suspect_threshold": 1, "fail_threshold": 2},
        "rate_of_change_test": {"threshold": 0.001},
        "flat_line_test": {"suspect_threshold": 3600, "fail_threshold": 86400, "tolerance": 0.001},
        "attenuated_signal_test": {"suspect_threshold": 2, "fail_threshold": 1, "test_period": 86400, "min_obs": 5},
        "time_gap_test": {"fail_span": 2},
        "percentile_range_test": {},
        "data_reception_test": {"fail_span": 6},
        "impossible_date_test": {"fail_span": ["2000-01-01", "2030-01-01"]},
        "aggregate": {},
    }
    found = load({"qartod": asked})
    assert isinstance(found, Profile)
    assert len(found.tests) == len(asked) - 1
    result = check(np.array([1.0, 4, 7, 10, 13]), found, stamps(5), latitude=45.0, longitude=-75.0)
    assert {name: flags.tolist() for name, flags in result.tests.items() if set(flags.tolist()) != {1}} == {
        "spike": [2, 1, 1, 1, 2],
        "rate_of_change": [2, 1, 1, 1, 1],
        "flat_line": [2, 1, 1, 1, 1],
        "attenuated_signal": [2, 2, 2, 2, 1],
        "gap": [2, 1, 1, 1, 1],
        "percentile_range": [3, 1, 1, 1, 3],
        "data_reception": [2, 2, 2, 2, 2],
    }
    assert result.flags.tolist() == [3, 1, 1, 1, 3]
