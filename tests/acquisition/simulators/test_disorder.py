"""What becomes of messages on a disorderly way."""

from __future__ import annotations

from nilometer.acquisition.simulators.disorder import MOST_HELD, Disorder
from nilometer.acquisition.simulators.simulator import Fault


def arriving(*faults, ticks=10):
    """What arrives at each second, of messages that are named by theirs."""
    clock = [0]
    way = Disorder(faults, lambda: clock[0], 0)
    arrived = []
    for tick in range(ticks):
        clock[0] = tick * 1_000_000
        arrived.append(way.pass_on([tick]))
    return arrived


def test_without_a_fault_all_arrives_as_it_is_said():
    assert arriving(ticks=3) == [[0], [1], [2]]


def test_what_is_late_comes_so_many_seconds_later_and_at_the_end_of_the_fault_after_what_is_new():
    assert arriving(Fault("late", 2, 4, amount=2)) == [[0], [1], [], [], [2], [3], [6, 4, 5], [7], [8], [9]]


def test_without_an_amount_all_is_held_until_the_fault_ends():
    assert arriving(Fault("late", 2, 3), ticks=7) == [[0], [1], [], [], [], [5, 2, 3, 4], [6]]


def test_what_is_doubled_comes_twice():
    assert arriving(Fault("duplicate", 1, 2), ticks=4) == [[0], [1, 1], [2, 2], [3]]


def test_two_by_two_they_change_places_and_the_last_is_not_lost():
    assert arriving(Fault("out_of_order", 1, 3), ticks=6) == [[0], [], [2, 1], [], [4, 3], [5]]


def test_what_is_held_is_bounded():
    way = Disorder([Fault("late", 0, 1e9)], lambda: 0, 0)
    assert way.pass_on(range(2 * MOST_HELD)) == []
    assert len(way._late) == MOST_HELD
