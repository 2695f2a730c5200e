"""Each deliberate difference from ioos_qc that docs/qartod.md lists, shown: what it says, and what we say."""

from __future__ import annotations

import numpy as np
import pytest
from tests.qc.peers import ours, theirs

from nilometer.qc import check, load
from nilometer.qc.peer import streams

NAN, INF = np.nan, np.inf


def every(seconds, n, start="2024-01-01"):
    return np.datetime64(start, "us") + np.arange(n) * np.timedelta64(int(seconds * 1e6), "us")


def at(*seconds):
    return np.datetime64("2024-01-01", "us") + (np.array(seconds) * 1e6).astype("timedelta64[us]")


def both(values, test, parameters, times, *order, module="qartod", **beside):
    """Return our flags and theirs; `order` are the columns that theirs takes."""
    mine = ours(values, test, parameters, times, module=module, **beside)
    return mine, theirs(test, *order, module=module, **parameters)


def test_gap_the_first_row_is_not_evaluated():
    times = at(0, 3600, 20000)
    assert both([1.0] * 3, "time_gap_test", {"fail_span": 2}, times, times) == ([2, 1, 4], [1, 1, 4])


def test_gap_ends_every_sequence():
    times, values = at(0, 60, 120, 20000, 20060, 20120), [1.0, 1, 1, 9, 9, 9]
    found = check(
        np.array(values), {"qartod": {"time_gap_test": {"fail_span": 2}, "spike_test": {"fail_threshold": 3}}}, times
    )
    assert found.tests["spike"].tolist() == [2, 1, 2, 2, 1, 2]
    assert theirs("spike_test", np.array(values), fail_threshold=3) == [2, 1, 4, 4, 1, 2]


def test_an_infinity_is_missing_in_every_test():
    values = np.array([0.0, 0, INF])
    given = {"fail_span": [0, 1]}
    assert both(values, "gross_range_test", given, None, values) == ([1, 1, 9], [1, 1, 4])
    given = {"low_percentile": 0, "hi_percentile": 40}
    assert both(values, "percentile_range_test", given, None, values) == ([1, 1, 9], [1, 1, 3])


def test_rate_of_change_judges_no_first_value_and_goes_on_over_a_missing_one():
    times, given = every(1, 3), {"threshold": 1}
    assert both([0, NAN, 9], "rate_of_change_test", given, times, [0, NAN, 9], times) == ([2, 9, 3], [1, 9, 1])
    assert both([0, INF, 0], "rate_of_change_test", given, times, [0, INF, 0], times) == ([2, 9, 1], [1, 9, 3])


def test_rate_of_change_knows_parts_of_a_second():
    times, given = at(0, 1.9), {"threshold": 0.6}
    assert both([0, 1.0], "rate_of_change_test", given, times, [0, 1.0], times) == ([2, 1], [1, 3])


def test_flat_line_measures_time_not_a_count_from_the_median():
    minutes = np.array([0, 15, 30, 45, 46, 47, 48, 60, 75, 90, 105, 120, 135, 150, 165, 180, 195])
    times, values = at(*(60 * minutes)), np.ones(17)
    given = {"suspect_threshold": 3600, "fail_threshold": 7200, "tolerance": 0.1}
    mine, other = both(values, "flat_line_test", given, times, values, times)
    assert [minutes[mine.index(3)], minutes[mine.index(4)]] == [60, 120]
    assert [minutes[other.index(3)], minutes[other.index(4)]] == [46, 75]


def test_flat_line_says_nothing_before_the_first_full_window_nor_of_a_value_alone():
    times, given = every(900, 6), {"suspect_threshold": 1800, "fail_threshold": 1800, "tolerance": 0.1}
    values = [1, 1, 1, NAN, NAN, 1]
    assert both(values, "flat_line_test", given, times, values, times) == ([2, 2, 4, 9, 9, 2], [1, 1, 4, 9, 9, 4])


def test_flat_line_with_a_threshold_between_two_rows_waits_for_the_later_one():
    times, given = every(900, 5), {"suspect_threshold": 2000, "fail_threshold": 90000, "tolerance": 0.1}
    values = np.ones(5)
    assert both(values, "flat_line_test", given, times, values, times) == ([2, 2, 2, 3, 3], [1, 1, 3, 3, 3])


def test_flat_line_without_a_tolerance_sees_what_repeats_exactly():
    times, given = every(900, 4), {"suspect_threshold": 1800, "fail_threshold": 90000}
    values = np.ones(4)
    assert both(values, "flat_line_test", given, times, values, times) == ([2, 2, 3, 3], [1, 1, 1, 1])


def test_rows_out_of_order_and_duplicates_get_the_point_tests_only():
    times, given = at(0, 60, 60, 30, 120), {"threshold": 0.01}
    values = [0.0, 0, 9, 9, 0]
    mine, other = both(values, "rate_of_change_test", given, times, np.array(values), times)
    assert mine == [2, 1, 2, 2, 1]
    assert other == [1, 1, 3, 1, 3]


def test_an_attenuated_signal_is_not_judged_before_its_window_is_full():
    times, values = every(900, 6), np.array([1.0, 1, 1, 1, 2, 3])
    given = {"suspect_threshold": 0.5, "fail_threshold": 0.1, "test_period": 1800}
    assert both(values, "attenuated_signal_test", given, times, values, times) == (
        [2, 2, 4, 4, 1, 1],
        [4, 4, 4, 4, 1, 1],
    )


def test_an_attenuated_signal_by_range_is_judged_beside_a_missing_value():
    times, values = every(900, 6), np.array([0.0, 1, NAN, 1, 0, 1])
    given = {"suspect_threshold": 0.5, "fail_threshold": 0.1, "test_period": 2700, "min_obs": 2, "check_type": "range"}
    assert both(values, "attenuated_signal_test", given, times, values, times) == (
        [2, 1, 9, 4, 1, 1],
        [2, 1, 9, 2, 2, 1],
    )


def test_climatology_calls_a_missing_value_missing_in_every_period():
    times, values = every(900, 2), np.array([1.0, NAN])
    for period, span in {"month": [1, 1], "quarter": [1, 1], "year": [2024, 2024], "dayofyear": [1, 1]}.items():
        config = [{"vspan": [0, 2], "tspan": span, "period": period}]
        mine, other = (
            ours(values, "climatology_test", {"config": config}, times),
            theirs("climatology_test", config, values, times, np.full(2, NAN)),
        )
        assert (mine, other) == ([1, 9], [1, 1])


def test_climatology_asks_no_member_with_a_depth_about_a_row_without_one():
    times, values, depth = every(900, 2), np.array([1.0, 1.0]), np.array([1.0, NAN])
    config = [{"vspan": [0, 2], "tspan": [1, 1], "period": "month", "zspan": [0, 9]}]
    assert ours(values, "climatology_test", {"config": config}, times, depth=depth) == [1, 2]
    assert theirs("climatology_test", config, values, times, depth) == [1, 1]


def test_density_is_not_compared_where_a_cast_turns_or_stands_nor_with_a_missing_value():
    given = {"fail_threshold": -0.1}
    for depth, rho, mine, other in (
        ([1.0, 2, 3, 2, 1], [20.0, 21, 22, 23, 22], [1, 1, 1, 1, 1], [1, 1, 4, 4, 1]),
        ([1.0, 2, 2, 3], [20.0, 21, 20, 22], [1, 1, 2, 1], [1, 1, 1, 1]),
        ([1.0, 2, 3, 4], [20.0, NAN, 22, 23], [2, 9, 1, 1], [1, 9, 9, 1]),
    ):
        z, x = np.array(depth), np.array(rho)
        assert both(x, "density_inversion_test", given, every(1, len(x)), x, z, depth=z) == (mine, other)


def test_a_displacement_is_measured_from_the_last_place_that_can_be():
    given = {"range_max": 200_000}
    for latitude, mine, other in (
        ([0.0, NAN, 0.0], [1, 4, 1], [1, 3, 3]),  # half a place
        ([0.0, 95.0, 0.5], [1, 4, 1], [1, 4, 3]),
    ):
        lat, lon = np.array(latitude), np.zeros(3)
        assert both(np.ones(3), "location_test", given, every(900, 3), lon, lat, latitude=lat, longitude=lon) == (
            mine,
            other,
        )


def test_wgs84_is_taken_for_a_sphere():
    given = {"range_max": 110_900, "range_method": "wgs84"}
    lat, lon = np.array([0.0, 1.0]), np.zeros(2)  # 110,574 m on the ellipsoid, 111,195 m on the sphere
    assert both(np.ones(2), "location_test", given, every(900, 2), lon, lat, latitude=lat, longitude=lon) == (
        [1, 3],
        [1, 1],
    )


def test_the_border_of_a_box_belongs_to_it():
    given = {"shape": [0, 0, 1, 1]}
    lat, lon = np.array([0.5, 0.0]), np.array([0.5, 0.5])
    assert both(np.ones(2), "location_bounds_test", given, None, lon, lat, latitude=lat, longitude=lon) == (
        [1, 1],
        [1, 4],
    )


def test_no_clock_is_read():
    times = every(900, 2)
    assert both(np.ones(2), "data_reception_test", {"fail_span": 6}, times, times) == ([2, 2], [4, 4])
    future = every(900, 2, "2200-01-01")
    assert both(np.ones(2), "impossible_date_test", {}, future, future) == ([1, 1], [4, 4])
    received = "2199-12-31T23:59:30"
    assert ours(np.ones(2), "impossible_date_test", {}, future, received=received) == [1, 4]
    assert ours(np.ones(2), "data_reception_test", {"fail_span": 6}, times, received="2024-01-01T06:10") == [4, 1]


def test_an_impossible_date_moves_no_state():
    times, values = at(0, 60, 9e9, 120), [1.0, 1, 9, 1]
    asked = {
        "impossible_date_test": {"fail_span": ["2024-01-01", "2024-02-01"]},
        "rate_of_change_test": {"threshold": 0.01},
    }
    found = check(np.array(values), {"qartod": asked}, times)
    assert found.tests["impossible_date"].tolist() == [1, 1, 4, 1]
    assert found.tests["rate_of_change"].tolist() == [2, 1, 2, 1]


def test_percentiles_are_not_taken_live_and_a_whole_series_is_judged_only_when_it_is_there():
    assert load({"qartod": {"percentile_range_test": {}}}).tests[0].parameters == {"low": 5.0, "high": 95.0}
    with pytest.raises(ValueError, match="needs it whole; give test_period"):
        load({"qartod": {"attenuated_signal_test": {"suspect_threshold": 2, "fail_threshold": 1}}})
    given = {"suspect_threshold": 2, "fail_threshold": 1, "test_period": 60, "min_period": 30}
    with pytest.raises(ValueError, match="give min_obs"):
        load({"qartod": {"attenuated_signal_test": given}})


def test_one_test_in_two_contexts_has_two_outcomes_and_the_worse_counts():
    asked = [{"streams": {"x": {"qartod": {"gross_range_test": {"fail_span": [0, top]}}}}} for top in (5, 10)]
    found = streams({"contexts": asked})["x"].check(np.array([1.0, 7.0]))
    assert found.tests["gross_range"].tolist() == [1, 4]
    assert found.tests["gross_range_2"].tolist() == [1, 1]
    assert found.flags.tolist() == [1, 4]
