from __future__ import annotations

import numpy as np
import pytest
from tests.qc.oracle import great_circle
from tests.qc.streams import SECOND, Columns, judged

from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load
from nilometer.qc.qartod.location import _distance

DEGREE_M = 6_371_000 * np.pi / 180


def flags(places, times=None, **asked):
    engine = QcEngine()
    engine.set(1, load({"tests": {"location": asked}}), unit="1")
    n = len(places)
    time = (np.arange(n) if times is None else np.array(times)) * SECOND
    rows = Columns(np.ones(n), time, np.full(n, 7.0), np.arange(n))
    rows.latitude, rows.longitude = np.array(places, float).T
    return [int(text or 1) for _, text in judged(engine, rows, [np.arange(n)])]


def test_a_place_that_cannot_be_fails_and_its_ends_can():
    assert flags([(90, 180), (-90, -180), (90.001, 0), (-91, 0), (0, 180.001), (0, -181)]) == [1, 1, 4, 4, 4, 4]


def test_half_a_place_fails_and_none_is_missing():
    nothing = float("nan")
    assert flags([(nothing, 1), (1, nothing), (nothing, nothing), (1, float("inf")), (1, 1)]) == [4, 4, 9, 4, 1]


def test_bounds_hold_their_ends_and_may_cross_the_date_line():
    assert flags([(0, 10), (20, 30), (20.001, 20), (5, 9.999), (5, 30.001), (-0.001, 20)], bounds=[10, 0, 30, 20]) == [
        1, 1, 4, 4, 4, 4,
    ]  # fmt: skip
    assert flags([(0, 175), (0, -175), (0, 180), (0, 0), (0, 169), (0, -169)], bounds=[170, -5, -170, 5]) == [
        1, 1, 1, 4, 4, 4,
    ]  # fmt: skip


def test_a_move_from_where_it_belongs_is_suspect_beyond_the_displacement():
    just = 0.5 * DEGREE_M
    places = [(0.4999, 0), (0.5001, 0), (0, 0.4999), (0, -0.5001)]
    assert flags(places, displacement=just, place=[0, 0]) == [1, 3, 1, 3]


def test_without_a_place_the_position_before_counts_and_late_rows_have_none():
    # The third row is late, the fifth has half a position: neither moves where it was.
    places = [(0, 0), (0, 0.3), (0, 50), (0, 0.8), (0, float("nan")), (0, 1.4)]
    assert flags(places, [0, 1, 0.5, 2, 3, 4], displacement=0.55 * DEGREE_M) == [1, 1, 1, 1, 4, 3]


def test_a_place_outside_the_bounds_is_one_it_moved_from():
    assert flags([(0, 0), (0, 20), (0, 1)], displacement=2 * DEGREE_M, bounds=[-10, -10, 10, 10]) == [1, 4, 3]
    assert flags([(0, 0), (0, 200), (0, 1)], displacement=2 * DEGREE_M) == [1, 4, 1]


@pytest.mark.parametrize("other", [(0, 90), (60, 30), (89.9, -179), (-33.3, 151.2), (0, 180), (10.001, 20)])
def test_distances_are_great_circles(other):
    away = great_circle((10, 20), other)
    assert flags([other], place=[10, 20], displacement=away * (1 + 1e-9)) == [1]
    assert flags([other], place=[10, 20], displacement=away * (1 - 1e-9)) == [3]


def test_an_edge_belongs_to_what_it_bounds():
    everywhere = [-180, -90, 180, 90]
    places = [(90, 0), (-90, 0), (90.0001, 0), (-90.0001, 0), (0, 180), (0, -180), (0, 180.0001), (0, -180.0001)]
    assert flags(places, bounds=everywhere) == [1, 1, 4, 4, 1, 1, 4, 4]
    assert flags([(0, 170), (0, -170), (5, 175), (-5, 175)], bounds=[170, -5, -170, 5]) == [1] * 4
    assert flags([(0, 10), (0, 9.9999), (0, 10.0001), (0, 50)], bounds=[10, -5, 10, 5]) == [1, 4, 4, 4]


def test_a_move_of_the_displacement_itself_is_none():
    away = float(_distance(0.0, 0.0, 0.25, 0.5))
    assert flags([(0.25, 0.5)], displacement=away, place=[0, 0]) == [1]
    assert flags([(0.25, 0.5)], displacement=np.nextafter(away, 0), place=[0, 0]) == [3]


def test_a_pole_and_the_date_line_are_places_to_move_from():
    assert flags([(90, 0), (0, 0)], displacement=1000) == [1, 3]
    assert flags([(-90, 0), (0, 0)], displacement=1000) == [1, 3]
    assert flags([(0, 180), (0, 0)], displacement=1000) == [1, 3]
