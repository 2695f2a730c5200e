"""Thresholds from history: what they are on water that is known, and that contamination does not move them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.acquisition.formats.reading import read
from nilometer.errors import ConfigError
from nilometer.qc import check, load, suggest
from nilometer.qc.history import HOUR, History
from nilometer.qc.profile import Profile
from nilometer.qc.tails import lower, outward, upper

STEP = np.timedelta64(15, "m")


def river(days=400, seed=1, step=STEP):
    """A year of water temperature: season, day, weather, noise; in hundredths."""
    rng = np.random.default_rng(seed)
    n = int(days * (np.timedelta64(1, "D") / step))
    times = np.datetime64("2023-01-01") + np.arange(n) * step
    day = np.arange(n) * (step / np.timedelta64(1, "D"))
    weather = np.cumsum(rng.normal(0, 0.01, n))
    weather -= np.linspace(0, weather[-1], n)
    values = 11 - 8 * np.cos(2 * np.pi * day / 365.25) + 1.5 * np.sin(2 * np.pi * day) + weather
    return times, np.round(values + rng.normal(0, 0.03, n), 2)


def spoilt(values, seed=2):
    """0.6 % of the values spoilt: spikes, fill values, and two hours stuck every other week."""
    rng = np.random.default_rng(seed)
    bad = values.copy()
    where = rng.choice(len(values), len(values) // 400, replace=False)
    bad[where] += rng.choice([-1, 1], len(where)) * rng.uniform(3, 20, len(where))
    bad[rng.choice(len(values), len(values) // 1000, replace=False)] = -9999
    for start in range(500, len(values) - 50, 96 * 14):
        bad[start : start + 9] = bad[start]
    return bad


def thresholds(made):
    return {test.name: dict(test.parameters) for test in made.profile.tests}


def test_contamination_hardly_moves_the_thresholds():
    times, values = river()
    clean = suggest(values, times, unit="degC", base="river/water_temperature")
    dirty = suggest(spoilt(values), times, unit="degC", base="river/water_temperature")
    assert dirty.history.fill.keys() == {-9999.0}
    a, b = thresholds(clean), thresholds(dirty)
    for test, key in (("spike", "suspect"), ("spike", "fail"), ("rate_of_change", "suspect"), ("flat_line", "suspect")):
        assert b[test][key] == pytest.approx(a[test][key], rel=0.35), (test, key)
    assert b["gross_range"]["suspect"] == pytest.approx(a["gross_range"]["suspect"], abs=2)
    assert b["flat_line"]["tolerance"] == a["flat_line"]["tolerance"] == 0.005


def test_good_water_is_flagged_about_as_often_as_asked_and_spoilt_values_are_found():
    times, values = river()
    made = suggest(spoilt(values), times, unit="degC", base="river/water_temperature", rate=1e-3)
    later, fresh = river(seed=7)
    judged = check(fresh, made.profile, later, unit="degC")
    for test in ("gross_range", "spike", "rate_of_change", "flat_line"):
        assert np.isin(judged.tests[test], (3, 4)).mean() < 3e-3, test
    broken = spoilt(fresh, seed=9)
    flags = np.asarray(check(broken, made.profile, later, unit="degC").flags)
    wrong = np.abs(broken - fresh) > 2
    assert np.isin(flags[wrong], (3, 4)).mean() > 0.98


def test_fewer_false_alarms_are_had_for_the_asking():
    times, values = river()
    often = suggest(values, times, unit="degC", rate={"spike": 1e-2})
    seldom = suggest(values, times, unit="degC", rate={"spike": 1e-5})
    a, b = thresholds(often), thresholds(seldom)
    assert b["spike"]["suspect"] > 1.3 * a["spike"]["suspect"]
    assert b["rate_of_change"] == a["rate_of_change"]
    flagged = [(np.asarray(made.would_flag.tests["spike"]) >= 3).mean() for made in (often, seldom)]
    assert flagged[0] > 20 * flagged[1]


def test_the_text_reads_back_to_the_same_profile_and_says_where_numbers_come_from(tmp_path):
    times, values = river()
    made = suggest(spoilt(values), times, unit="degC", base="river/water_temperature", name="mine")
    text = made.text()
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    again = load(tmp_path / "mine.toml")
    assert again.digest == made.profile.digest
    assert again.lineage == ("river/water_temperature 1",)
    assert "Taken for no measurement: -9999" in text
    assert "q90" in text
    assert "2023-01-01 to 2024-02-04" in text
    for key in made.evidence:
        assert made.evidence[key].split(";")[0] in text


def test_tests_that_the_base_leaves_out_are_not_proposed():
    times, values = river(days=60)
    made = suggest(np.abs(values) + 1, times, unit="FNU", base="river/turbidity_fnu")
    assert "rate_of_change" not in made.document["tests"]
    assert made.profile.names[:2] == ("gap", "gross_range")
    alone = suggest(np.abs(values) + 1, times, unit="FNU", property="turbidity_fnu")
    assert "rate_of_change" in alone.document["tests"]
    assert alone.profile.required == {"gap", "gross_range"}


def test_thresholds_are_proposed_in_the_unit_of_the_series():
    times, values = river(days=60)
    made = suggest(values * 1.8 + 32, times, unit="degF", base="river/water_temperature")
    assert made.profile.unit == "degree_Fahrenheit"
    assert thresholds(made)["gross_range"]["fail"] == pytest.approx((23, 122))


def test_order_duplicates_and_holes_of_the_history_do_not_matter():
    times, values = river(days=90)
    shuffle = np.random.default_rng(3).permutation(len(times))
    straight = suggest(values, times, unit="degC", base="river/water_temperature")
    mixed = suggest(
        np.concatenate([values[shuffle], values[:50], [np.nan] * 5]),
        np.concatenate([times[shuffle], times[:50], times[-5:] + STEP]),
        unit="degC",
        base="river/water_temperature",
    )
    assert thresholds(mixed) == thresholds(straight)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"season": "weekly"}, "season = 'weekly'"),
        ({"rate": 0.5}, "rate.gap = 0.5"),
        ({"rate": {"spik": 0.01}}, "rate = 'spik'"),
        ({"base": "river/ph", "unit": "degC"}, "unit = 'degree_Celsius'"),
        ({"base": "river/ph", "unit": "1", "property": "orp"}, "it judges ph, and the series is orp"),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments, said):
    times, values = river(days=5)
    with pytest.raises(ConfigError) as caught:
        suggest(values, times, **arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize("values", [[], [np.nan] * 500, [7.0] * 50])
def test_too_little_history_is_refused(values):
    times = np.datetime64("2024-01-01") + np.arange(len(values)) * STEP
    with pytest.raises(ValueError, match="at least 100 are needed"):
        suggest(np.array(values, float), times)
    with pytest.raises(ValueError, match="no times"):
        suggest(np.arange(500.0))


def test_a_series_that_never_moves_gets_a_profile_without_spikes():
    times = np.datetime64("2024-01-01") + np.arange(500) * STEP
    made = suggest(np.full(500, 7.0), times, unit="1", property="ph")
    assert "spike" not in made.document["tests"]
    assert isinstance(made.profile, Profile)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.floats(-1e9, 1e9), st.sampled_from([np.nan, 0.0, 1.0, -9999.0, 7999.0, np.inf])),
        min_size=120,
        max_size=300,
    ),
    st.sampled_from(["month", "quarter", "none", "auto"]),
)
def test_whatever_the_history_the_proposal_is_a_profile_or_a_clear_refusal(values, season):
    times = np.datetime64("2024-01-01") + np.arange(len(values)) * np.timedelta64(7, "h")
    try:
        made = suggest(np.array(values, float), times, unit="m", season=season)
    except ValueError as error:
        if "usable values" not in str(error):
            raise
        return
    assert Profile.from_document(made.profile.to_document(), name=made.profile.name) == made.profile


def test_tails_are_continued_from_what_is_trusted():
    rng = np.random.default_rng(5)
    good = rng.exponential(size=200_000)
    assert upper(good, 1e-4).value == pytest.approx(np.log(1e4), rel=0.03)
    assert lower(-good, 1e-4).value == pytest.approx(-np.log(1e4), rel=0.03)
    assert upper(np.zeros(10), 1e-3).value == 0


def test_numbers_are_rounded_away_from_the_good():
    assert [outward(x, up=True) for x in (0.0201, 0.02, 123.0, 9.99, 0.0)] == [0.021, 0.02, 130, 10, 0]
    assert [outward(x, up=False) for x in (0.0209, 0.02, 129.0)] == [0.02, 0.02, 120]


def test_fill_values_are_told_from_excursions_and_resolution_from_noise():
    times = np.arange(2000) * (HOUR // 4)
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(8, 0.3, 2000), 2)
    values[100:140] = np.linspace(60, 90, 40).round(1)
    values[1000:1010] = 7999.0
    values[1500] = -999.9
    history = History.of(times, values)
    assert history.fill == {7999.0: 10, -999.9: 1}
    assert history.resolution == pytest.approx(0.01)
    assert History.of(times, rng.normal(8, 0.3, 2000) * 1e3).resolution < 3


@pytest.mark.real
def test_raw_logan_river_history_finds_most_of_what_its_technicians_labelled_wild(real_data):
    file = real_data / "water_quality/lro/MainStreet2019.csv.gz"
    recording = read(file)
    times = recording.times.view("datetime64[us]")
    ph = recording["ph"]
    made = suggest(ph.values, times, unit=ph.unit, base="river/ph")
    texts = recording.aside["ph_cor"].to_pylist()
    corrected = np.array([np.nan if text in {None, "NULL"} else float(text) for text in texts])
    flags = np.asarray(made.would_flag.flags)
    wild = (corrected == -9999) & (np.abs(ph.values - np.nanmedian(ph.values)) > 1)
    assert wild.sum() > 50
    assert np.isin(flags[wild], (3, 4)).mean() > 0.95
    assert np.isin(flags, (3, 4)).mean() < 0.02
    assert thresholds(made)["spike"]["suspect"] < load("river/ph").tests[2].parameters["suspect"]


def test_two_years_of_history_give_a_climatology_by_month_and_one_year_by_quarter():
    times, values = river(days=760)
    made = suggest(values, times, unit="degC", base="river/water_temperature")
    (climate,) = [test for test in made.profile.tests if test.kind == "climatology"]
    assert [member["period"] for member in climate.parameters["members"]] == ["month"] * 12
    low, high = thresholds(made)["gross_range"]["suspect"]
    assert all(low <= member["suspect"][0] < member["suspect"][1] <= high for member in climate.parameters["members"])
    assert "tests.climatology.members[0]" in made.evidence
    year = suggest(values[: 96 * 365], times[: 96 * 365], unit="degC", base="river/water_temperature")
    assert len(year.document["tests"]["climatology"]["members"]) == 4
    assert "climatology" not in suggest(values[: 96 * 90], times[: 96 * 90], unit="degC").document["tests"]


def test_the_seasons_of_what_would_be_flagged_add_up():
    times, values = river()
    made = suggest(spoilt(values), times, unit="degC", base="river/water_temperature")
    counts = made.counts()
    assert set(counts) == {*made.profile.names, "any"}
    for row in counts.values():
        assert sum(count for season, count in row.items() if season != "all") == row["all"]
    assert counts["any"]["all"] == int(np.isin(made.would_flag.flags, (3, 4)).sum()) > 0


@pytest.mark.real
def test_three_raw_years_find_the_summer_week_in_which_the_sensor_was_stuck_at_0(real_data):
    recording = read(real_data / "water_quality/lro/FranklinBasin2017_2019.csv.gz")
    temperature = recording["water_temperature"]
    times = recording.times.view("datetime64[us]")
    made = suggest(temperature.values, times, unit=temperature.unit, base="river/water_temperature")
    stuck = (times > np.datetime64("2018-07-10")) & (times < np.datetime64("2018-07-25")) & (temperature.values < 0.5)
    assert stuck.sum() > 300
    for test, least in (("climatology", 0.99), ("flat_line", 0.85)):  # two hours of each run are not yet flat
        assert np.isin(made.would_flag.tests[test][stuck], (3, 4)).mean() > least, test
    assert np.isin(made.would_flag.flags, (3, 4)).mean() < 0.01


def test_a_series_of_any_library_gives_the_same_proposal():
    pandas, polars, xarray = (pytest.importorskip(name) for name in ("pandas", "polars", "xarray"))
    times, values = river(days=60)
    expected = suggest(values, times, unit="degC").document
    naive = times.astype("datetime64[ns]")
    assert suggest(pandas.Series(values, pandas.DatetimeIndex(naive)), unit="degC").document == expected
    assert (
        suggest(polars.Series(values), polars.Series(times.astype("datetime64[us]")), unit="degC").document == expected
    )
    assert suggest(xarray.DataArray(values, {"time": naive}, "time"), unit="degC").document == expected


def test_rows_without_a_time_are_left_out():
    times, values = river(days=60)
    holed = times.astype("datetime64[us]")
    holed[100:110] = np.datetime64("NaT")
    made = suggest(values, holed, unit="degC")
    assert len(made.history) == len(values) - 10
    assert len(made.would_flag.flags) == len(values)
