from __future__ import annotations

import numpy as np
import pytest

from nilometer.qc import check


def spikes(values, **parameters):
    return check(np.array(values, float), {"tests": {"spike": parameters}}).tests["spike"].tolist()


def test_a_single_spike_hits_its_neighbours_with_half_its_height():
    # reference/qartod.md section 4: 0,0,10,0,0 with 2 and 6
    assert spikes([0, 0, 10, 0, 0], suspect=2, fail=6) == [2, 3, 4, 3, 2]


def test_differential_spares_the_neighbours():
    assert spikes([0, 0, 10, 0, 0], suspect=2, fail=6, method="differential") == [2, 1, 4, 1, 2]


def test_differential_passes_a_step_and_a_ramp():
    assert spikes([0, 0, 10, 10, 20], suspect=2, method="differential") == [2, 1, 1, 1, 2]


@pytest.mark.parametrize("method", ["average", "differential"])
def test_a_departure_equal_to_the_threshold_passes(method):
    assert spikes([0, 2, 0], suspect=2, method=method) == [2, 1, 2]
    assert spikes([0, np.nextafter(2, 3), 0], suspect=2, method=method) == [2, 3, 2]


def test_a_value_beside_a_missing_one_is_not_judged():
    assert spikes([0, 0, np.nan, 0, 0, 0], suspect=1) == [2, 2, 9, 2, 1, 2]


def test_neighbours_beyond_float64_leave_it_unjudged():
    assert spikes([1.5e308, 0, 1.5e308], suspect=1) == [2, 2, 2]
    assert spikes([-1.7e308, 1.7e308, -1.7e308], suspect=1, method="differential") == [2, 2, 2]
