"""Feeds, and the faults of a probe over them."""

from __future__ import annotations

import math

import pytest

from nilometer.acquisition.simulators.feed import ConstantFeed, FaultyFeed, FunctionFeed, TableFeed, split_faults
from nilometer.acquisition.simulators.simulator import Fault, Reading
from nilometer.errors import ConfigError

S = 1_000_000


def test_a_table_shows_its_newest_row() -> None:
    feed = TableFeed([0, 10 * S, 20 * S], {"ph": [7.0, 7.1, math.nan]})
    assert feed.at(-1) == {}
    assert feed.at(9 * S)["ph"].value == 7.0
    assert feed.at(10 * S)["ph"].value == 7.1
    assert math.isnan(feed.at(25 * S)["ph"].value)
    assert feed.at(30 * S) == {}


def test_a_table_can_begin_now_run_faster_and_repeat() -> None:
    feed = TableFeed([0, 10 * S, 20 * S], {"ph": [7.0, 7.1, 7.2]}, start=1000 * S, speed=10.0, repeat=True)
    assert [feed.at(1000 * S + i * S)["ph"].value for i in range(5)] == [7.0, 7.1, 7.2, 7.0, 7.1]


@pytest.mark.parametrize("time", [[], [2, 1]])
def test_a_table_without_rising_times_is_refused(time: list[int]) -> None:
    with pytest.raises(ConfigError, match="rising"):
        TableFeed(time, {"ph": [7.0] * len(time)})


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="length"):
        TableFeed([1, 2], {"ph": [7.0]})


def test_a_function_is_asked_for_each_moment() -> None:
    assert FunctionFeed(lambda time: {"ph": time / S}).at(7 * S)["ph"] == Reading(7.0)


def test_a_stuck_probe_holds_the_value_it_had_and_lets_go() -> None:
    feed = FaultyFeed(FunctionFeed(lambda t: {"ph": t / S, "orp": t / S}), [Fault("stuck", 10, 10, channel="ph")], 0)
    seen = [feed.at(t * S)["ph"].value for t in (9, 10, 15, 19, 20)]
    assert seen == [9, 10, 10, 10, 20]
    assert feed.at(15 * S)["orp"].value == 15


def test_a_spike_adds_for_its_time_and_a_drift_grows_by_the_hour() -> None:
    faults = [Fault("spike", 10, 1, amount=5.0), Fault("drift", 3600, 7200, amount=0.5)]
    feed = FaultyFeed(ConstantFeed({"ph": 7.0}), faults, 0)
    assert [feed.at(t * S)["ph"].value for t in (0, 10, 11, 3600, 7200, 10800, 99999)] == [7, 12, 7, 7, 7.5, 8, 8]


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    wire, value = split_faults([Fault("silence", 0, 1), Fault("stuck", 0, 1)])
    assert (wire[0].kind, value[0].kind) == ("silence", "stuck")
    with pytest.raises(ConfigError, match="did you mean spike"):
        split_faults([Fault("spiky", 0, 1)])
