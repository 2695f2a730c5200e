"""The rule of each test, on history whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.qc import check, proposals
from nilometer.qc.history import DAY, HOUR, History

START = int(np.datetime64("2022-01-01", "us").astype(int))


def seasonal(days, seed=1, step=HOUR):
    rng = np.random.default_rng(seed)
    times = START + step * np.arange(int(days * DAY / step), dtype=np.int64)
    day = (times - START) / DAY
    values = 12 - 9 * np.cos(2 * np.pi * day / 365.25) + rng.normal(0, 0.5, len(times))
    return times, np.round(values, 2)


def spans(proposal):
    return {member["time"][0]: member["suspect"] for member in proposal.table["members"]}


@pytest.mark.parametrize(("season", "count"), [("month", 12), ("quarter", 4)])
def test_a_climatology_holds_the_next_year_of_the_same_water_and_not_the_wrong_season(season, count):
    made = proposals.climatology(History.of(*seasonal(730)), 1e-3, season, None)
    members = spans(made)
    assert list(members) == list(range(1, count + 1))
    times, values = seasonal(365, seed=5)
    month = times.astype("datetime64[us]").astype("datetime64[M]").astype(int) % 12
    number = month // (12 // count) + 1
    low, high = (np.array([members[n][k] for n in number]) for k in (0, 1))
    assert ((values < low) | (values > high)).mean() < 1e-3
    summer, winter = members[7 if season == "month" else 3], members[1]
    assert winter[1] < summer[1]
    assert winter[0] < summer[0]
    assert made.notes["members[0]"].endswith("2 years")


def test_more_years_leave_a_narrower_margin():
    one, four = (
        spans(proposals.climatology(History.of(*seasonal(days)), 1e-3, "quarter", None)) for days in (365, 1461)
    )
    for number in (1, 2, 3, 4):
        assert four[number][1] - four[number][0] < one[number][1] - one[number][0]


def test_a_season_without_history_has_no_span_and_no_season_no_climatology():
    half = proposals.climatology(History.of(*seasonal(100)), 1e-3, "month", (0.0, 40.0))
    assert list(spans(half)) == [1, 2, 3]  # ten days of April are too few
    assert all(low >= 0 for low, _ in spans(half).values())
    assert proposals.climatology(History.of(*seasonal(10)), 1e-3, "month", None) is None


def test_the_least_variation_is_below_all_that_was_seen_and_above_a_stuck_sensor():
    times, values = seasonal(200, step=HOUR // 4)
    made = proposals.attenuated_signal(History.of(times, values), 1e-4)
    assert made.table["over"] == "12 h"
    assert 0.1 < made.table["suspect"] < 0.5
    assert made.table["fail"] <= made.table["suspect"]


def test_where_the_water_itself_is_still_no_least_variation_is_proposed():
    times, values = seasonal(200, step=HOUR // 4)
    values[: len(values) // 3] = 0.01  # ice
    assert proposals.attenuated_signal(History.of(times, values), 1e-4) is None


def test_a_gap_is_longer_than_the_holes_that_are_usual():
    times, values = seasonal(60, step=HOUR // 4)
    assert proposals.gap(History.of(times, values), 1e-4).table == {"suspect": "1 h"}
    lossy = np.random.default_rng(1).random(len(times)) > 0.3
    assert proposals.gap(History.of(times[lossy], values[lossy]), 1e-4).table == {"suspect": "2 h"}


def test_the_operators_span_is_wider_the_less_of_a_year_was_seen_and_stays_inside_the_sensors():
    times, values = seasonal(365)
    year = proposals.gross_range(History.of(times, values), 1e-4, (-5.0, 50.0), (-0.5, 35.0)).table
    month = proposals.gross_range(History.of(times[:720], values[:720]), 1e-4, (-5.0, 50.0), None).table
    assert year["fail"] == [-5.0, 50.0]
    assert year["suspect"][0] == -0.5
    assert 24 < year["suspect"][1] <= 35
    assert month["suspect"][1] - values[:720].max() > 4


def test_stuck_values_do_not_lengthen_the_flat_line():
    times, values = seasonal(200, step=HOUR // 4)
    clean = proposals.flat_line(History.of(times, values), 1e-4)
    values[5000:5400] = values[5000]
    stuck = proposals.flat_line(History.of(times, values), 1e-4)
    assert stuck.table == clean.table
    assert stuck.table["tolerance"] == pytest.approx(0.005)
    assert stuck.bad[5000:5400].all()
    assert stuck.bad.sum() < 420


def test_movement_is_allowed_for_that_half_a_year_has_not_shown():
    times, values = seasonal(730)
    year, half = (History.of(times[:n], values[:n]) for n in (730 * 24, 182 * 24))
    for rule in (proposals.spike, lambda h, rate: proposals.rate_of_change(h, rate, with_fail=False)):
        assert rule(half, 1e-4).table["suspect"] == pytest.approx(1.5 * rule(year, 1e-4).table["suspect"], rel=0.15)


def test_a_change_of_one_digit_is_never_flagged():
    times = START + HOUR // 4 * np.arange(20000, dtype=np.int64)
    values = np.round(8 + 0.1 * np.sin(np.arange(20000) / 400), 1)  # a meter that shows tenths
    history = History.of(times, values)
    assert history.resolution == pytest.approx(0.1)
    assert proposals.spike(history, 1e-4).table["suspect"] >= 0.2
    assert proposals.rate_of_change(history, 1e-4, with_fail=False).table["suspect"] >= 0.8


@pytest.mark.parametrize("period", [2, 3, 8])
def test_what_repeats_itself_is_not_flagged_for_its_least_variation(period):
    values = 7.5 + 0.5 * np.cos(2 * np.pi * np.arange(5000) / period)
    times = START + HOUR // 4 * np.arange(5000, dtype=np.int64)
    made = proposals.attenuated_signal(History.of(times, values), 1e-4)
    found = check(values, {"tests": {"attenuated_signal": made.table}}, times).flags
    assert set(found.tolist()) == {1, 2}
