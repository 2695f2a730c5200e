"""Value for value beside ioos_qc on real series; the counts of what differs are those of docs/qartod.md."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.qc import peers
from tests.qc.peers import differing, ours, theirs

from nilometer.qc import check

pytestmark = pytest.mark.real
SERIES = {
    "Logan River temperature": lambda folder: peers.logan_river(folder, "temp"),
    "Logan River turbidity": lambda folder: peers.logan_river(folder, "turb"),
    "Logan River stage": lambda folder: peers.logan_river(folder, "stage"),
    "apacpwq temperature": lambda folder: peers.apalachicola(folder, "temp"),
    "apacpwq salinity": lambda folder: peers.apalachicola(folder, "sal"),
    "sea level": peers.sea_level,
    "salinity": peers.salinity,
}


@pytest.fixture(scope="module", params=SERIES)
def series(request, real_data):
    values, times = SERIES[request.param](real_data)
    quantiles = [float(q) for q in np.nanquantile(values, [0.01, 0.05, 0.2, 0.8, 0.95, 0.99])]
    interval = int(np.median(np.diff(times).astype("timedelta64[s]").astype(int)))
    return request.param, values, times, quantiles, float(np.nanstd(values)), interval


def counted(mine, other):
    return dict(Counter((one, two) for _, one, two in differing(mine, other)))


def test_range_spike_and_percentiles_agree(series):
    _, values, times, q, sd, _ = series
    given = {"fail_span": [q[0], q[5]], "suspect_span": [q[1], q[4]]}
    assert ours(values, "gross_range_test", given, times) == theirs("gross_range_test", values, **given)
    given = {"valid_span": [q[1], q[4]]}
    assert ours(values, "valid_range_test", given, module="axds") == theirs(
        "valid_range_test", values, module="axds", **given
    )
    for method in ("average", "differential"):
        given = {"suspect_threshold": sd / 20, "fail_threshold": sd / 5, "method": method}
        assert ours(values, "spike_test", given, times) == theirs("spike_test", values, **given)
    given = {"low_percentile": 3, "hi_percentile": 98, "pad": 0.1}
    assert ours(values, "percentile_range_test", given) == theirs("percentile_range_test", values, **given)


RATES = {"Logan River temperature": {(2, 1): 1, (4, 1): 2}, "apacpwq salinity": {(2, 1): 1, (3, 1): 5}}


def test_rate_of_change_agrees_but_for_the_first_value_and_those_after_a_missing_one(series):
    name, values, times, _, sd, _ = series
    given = {"threshold": sd / 9000, "fail_threshold": sd / 900}
    mine, other = (
        ours(values, "rate_of_change_test", given, times),
        theirs("rate_of_change_test", values, times, **given),
    )
    assert counted(mine, other) == RATES.get(name, {(2, 1): 1})


FLAT = {
    "Logan River temperature": {(2, 1): 1, (2, 3): 1},
    "apacpwq temperature": {(2, 1): 1, (2, 3): 1, (2, 4): 2},
    "apacpwq salinity": {(2, 1): 2, (2, 3): 1, (2, 4): 2},
    "sea level": {(2, 1): 5, (3, 1): 26, (1, 3): 7, (4, 3): 1},
    "salinity": {(2, 1): 4, (3, 1): 23, (4, 1): 3, (4, 3): 1},
}


def test_flat_line_agrees_but_for_uneven_steps_and_values_alone(series):
    name, values, times, _, _, interval = series
    given = {"suspect_threshold": 4 * interval, "fail_threshold": 12 * interval, "tolerance": 0.02}
    mine, other = ours(values, "flat_line_test", given, times), theirs("flat_line_test", values, times, **given)
    assert counted(mine, other) == FLAT.get(name, {(2, 1): 1})


def test_an_attenuated_signal_agrees_by_deviation_and_by_range_without_missing_values(series):
    _, values, times, _, sd, interval = series
    for kind in ("std", "range"):
        given = {
            "suspect_threshold": sd / 10,
            "fail_threshold": sd / 50,
            "test_period": 24 * interval,
            "check_type": kind,
        }
        for least in ({"min_obs": 12}, {"min_period": 12 * interval}):
            mine = ours(values, "attenuated_signal_test", given | least, times)
            other = theirs("attenuated_signal_test", values, times, **given, **least)
            rows = np.ones(len(values), bool)
            if kind == "range":  # there a window with a missing value says nothing
                near = np.flatnonzero(np.isnan(values))
                rows[(near[:, None] + np.arange(24)).ravel().clip(max=len(values) - 1)] = False
            assert np.array_equal(np.array(mine)[rows], np.array(other)[rows])


def test_an_attenuated_signal_of_a_whole_series_agrees(series):
    _, values, times, _, sd, _ = series
    given = {"suspect_threshold": 1.1 * sd, "fail_threshold": sd / 50}
    assert ours(values, "attenuated_signal_test", given, times) == theirs(
        "attenuated_signal_test", values, times, **given
    )


def test_climatology_agrees_where_there_is_a_value(series):
    _, values, times, q, _, _ = series
    config = [
        {"vspan": [q[1], q[4]], "tspan": [1, 6], "period": "month"},
        {"vspan": [q[1], q[4]], "fspan": [q[0], q[5]], "tspan": [20, 30], "period": "week"},
        {"vspan": [q[2], q[3]], "tspan": [5, 5], "period": "dayofweek"},
        {"vspan": [q[2], q[4]], "tspan": [300, 366], "period": "dayofyear"},
        {"vspan": [q[2], q[4]], "tspan": [str(times[500]), str(times[1500])]},
        {"vspan": [q[2], q[4]], "tspan": [3, 3], "period": "quarter"},
        {"vspan": [q[0], q[4]], "tspan": [2013, 2013], "period": "year"},
        {"vspan": [q[2], q[4]], "tspan": [22, 23], "period": "hour"},
    ]
    nowhere = np.full(len(values), np.nan)
    for asked in [*([member] for member in config), config]:
        mine = np.array(ours(values, "climatology_test", {"config": asked}, times))
        other = np.array(theirs("climatology_test", asked, values, times, nowhere))
        there = np.isfinite(values)
        assert np.array_equal(mine[there], other[there])
        assert (mine[~there] == 9).all()


def test_tests_of_times_agree_but_for_the_first_row(series):
    _, values, times, _, _, interval = series
    given = {"fail_span": interval / 3600}
    mine, other = ours(values, "time_gap_test", given, times), theirs("time_gap_test", times, **given)
    assert (mine[0], mine[1:]) == (2, other[1:])
    given = {"fail_span": [str(times[100]), str(times[-100])]}
    assert ours(values, "impossible_date_test", given, times) == theirs("impossible_date_test", times, **given)
    given = {"fail_span": 5, "from_time": str(times[-50])}
    assert ours(values, "data_reception_test", given, times) == theirs("data_reception_test", times, **given)


@pytest.fixture(scope="module")
def glider(real_data):
    return peers.glider(real_data)


def test_density_inversion_agrees_down_a_cast(real_data):
    density, depth = peers.cast(real_data)
    for drop in (0.0, 0.0005, 0.002):
        given = {"suspect_threshold": -drop, "fail_threshold": -2 * drop - 0.001}
        mine = ours(density, "density_inversion_test", given, np.arange(len(depth)), depth=depth)
        assert mine == theirs("density_inversion_test", density, depth, **given)


def test_density_inversion_of_a_glider_differs_only_where_it_turns_or_stands_or_misses(glider):
    density, times, depth, _, _ = glider
    given = {"suspect_threshold": -0.005}
    mine = ours(density, "density_inversion_test", given, times, depth=depth)
    other = theirs("density_inversion_test", density, depth, **given)
    way = np.sign(np.diff(np.round(depth * 1e6)))  # a depth is known to the micrometre
    odd = np.zeros(len(depth), bool)  # a row beside a step of another way than the step before, or none
    for k in np.flatnonzero((way[1:] != way[:-1]) | (way[1:] == 0)):
        odd[k : k + 4] = True
    for k in np.flatnonzero(~np.isfinite(density)):
        odd[k : k + 2] = True
    found = differing(mine, other)
    assert all(odd[k] for k, _, _ in found)
    assert len(found) == 438


def test_location_of_a_glider_agrees(glider):
    density, times, _, latitude, longitude = glider
    for metres in (5, 50, 200):
        given = {"range_max": metres}
        mine = ours(density, "location_test", given, times, latitude=latitude, longitude=longitude)
        assert mine == theirs("location_test", longitude, latitude, **given)
        # The ellipsoid makes no difference to these.
        assert mine == theirs("location_test", longitude, latitude, **given, range_method="wgs84")
    west, south, east, north = (float(np.quantile(x, q)) + 1e-9 for q in (0.1, 0.9) for x in (longitude, latitude))
    given = {"shape": [west, south, east, north]}
    mine = ours(density, "location_bounds_test", given, times, latitude=latitude, longitude=longitude)
    assert mine == theirs("location_bounds_test", longitude, latitude, **given)


def test_climatology_by_depth_agrees_where_there_is_a_value(glider):
    density, times, depth, _, _ = glider
    config = [
        {"vspan": [1020, 1025], "fspan": [1010, 1030], "tspan": [1, 12], "period": "month", "zspan": [0, 20]},
        {"vspan": [1025, 1027], "tspan": [1, 12], "period": "month", "zspan": [20, 2000]},
    ]
    mine = np.array(ours(density, "climatology_test", {"config": config}, times, depth=depth))
    other = np.array(theirs("climatology_test", config, density, times, depth))
    there = np.isfinite(density)
    assert np.array_equal(mine[there], other[there])


# What docs/qartod.md says of the differences, in figures.


def test_the_rows_beside_gaps_that_get_no_spike_verdict(real_data):
    values, times = peers.sea_level(real_data)
    spike = {"suspect_threshold": 0.1, "fail_threshold": 0.3}
    asked = {"qartod": {"time_gap_test": {"fail_span": 1}, "spike_test": spike}}
    found = check(values, asked, times)
    assert int((found.tests["gap"] == 4).sum()) == 238
    assert counted(found.tests["spike"].tolist(), theirs("spike_test", values, **spike)) == {(2, 1): 446, (2, 4): 18}


def test_the_missing_values_that_climatology_calls_good(real_data):
    values, times = peers.logan_river(real_data, "temp")
    config = [{"vspan": [-5, 50], "tspan": [1, 12], "period": "month"}]
    mine = ours(values, "climatology_test", {"config": config}, times)
    other = theirs("climatology_test", config, values, times, np.full(len(values), np.nan))
    assert counted(mine, other) == {(9, 1): 30}


def test_the_rows_beside_missing_values_that_a_range_does_not_judge(real_data):
    values, times = peers.logan_river(real_data, "temp")
    sd = float(np.nanstd(values))
    given = {"suspect_threshold": sd / 10, "fail_threshold": sd / 50, "test_period": 21600, "min_obs": 12}
    given["check_type"] = "range"
    mine = ours(values, "attenuated_signal_test", given, times)
    other = theirs("attenuated_signal_test", values, times, **given)
    assert counted(mine, other) == {(4, 2): 228, (1, 2): 43, (3, 2): 5}


def test_the_rows_before_the_first_full_window_of_a_signal(real_data):
    values, times = peers.salinity(real_data)
    given = {"suspect_threshold": 1.0, "fail_threshold": 0.2, "test_period": 5760}
    mine = ours(values, "attenuated_signal_test", given, times)
    other = theirs("attenuated_signal_test", values, times, **given)
    assert {one for _, one, _ in differing(mine, other)} == {2}
    assert len(differing(mine, other)) == 96


def test_how_far_a_window_in_parts_deviates_on_dense_rows(real_data):
    values, times = peers.salinity(real_data)
    given = {"test_period": 43200, "min_obs": 12}
    for kind, levels, rows in (("std", (5.4845, 4.6289), 90), ("range", (17.33, 15.45), 36)):
        given |= {"suspect_threshold": levels[0], "fail_threshold": levels[1]}
        mine = ours(values, "attenuated_signal_test", given | {"check_type": kind}, times)
        other = theirs("attenuated_signal_test", values, times, **given, check_type=kind)
        assert len(differing(mine, other)) == rows  # of 24,436


def test_a_sea_level_stuck_for_months_with_no_tolerance_given(real_data):
    values, times = peers.sea_level(real_data)
    given = {"suspect_threshold": 6 * 3600, "fail_threshold": 12 * 3600}
    mine = ours(values, "flat_line_test", given, times)
    assert Counter(theirs("flat_line_test", values, times, **given)) == {1: len(values)}
    assert mine.count(4) == 4188
