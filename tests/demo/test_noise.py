from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.demo.noise import normal, seed_of, uniform, wander

MOMENTS = np.arange(200_000, dtype=np.int64) * 7_000_000 + 1_700_000_000_000_000


def test_the_numbers_are_the_same_on_every_machine():
    assert seed_of("river", "rain") == seed_of("river", "rain") != seed_of("rain", "river")
    first = uniform(1, np.arange(3, dtype=np.int64))
    assert first.tolist() == uniform(1, np.arange(3, dtype=np.int64)).tolist()


def test_uniform_and_normal_have_their_moments():
    counter = np.arange(200_000, dtype=np.int64)
    even, bell = uniform(5, counter), normal(5, counter)
    assert (even >= 0).all()
    assert (even < 1).all()
    assert even.mean() == pytest.approx(0.5, abs=0.005)
    assert bell.mean() == pytest.approx(0.0, abs=0.01)
    assert bell.std() == pytest.approx(1.0, abs=0.01)
    assert abs(np.corrcoef(bell[:-1], bell[1:])[0, 1]) < 0.01


def test_wander_is_slow_and_of_variance_one():
    drift = wander(9, MOMENTS, 3600.0)
    assert drift.std() == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.diff(drift)).max() < 0.03


@given(st.integers(0, 2**60), st.integers(0, 2**63))
def test_a_draw_alone_is_the_draw_in_bulk(moment, seed):
    around = np.arange(moment - 3, moment + 4, dtype=np.int64)
    assert uniform(seed, np.array([moment]))[0] == uniform(seed, around)[3]
