"""What a report counts of very many rows: largest and mean exactly, the median to a thousandth, in little memory."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.pipeline.reprocess_report import MOST_EXACT, Spread


@pytest.mark.parametrize("n", [MOST_EXACT, 6 * MOST_EXACT])
def test_a_median_of_many_numbers_is_known_to_a_thousandth_and_takes_little_memory(n):
    values = np.exp(np.random.default_rng(5).normal(-3, 2, n))
    time = np.arange(n)
    one, other = Spread(), Spread()
    for start in range(0, n, 7919):
        (one if start < n // 3 else other).add(values[start : start + 7919], time[start : start + 7919])
    one.take_over(other)
    told = one.to_document()
    assert told is not None
    assert (one.count, told["max"], one.when) == (n, values.max(), values.argmax())
    assert told["mean"] == pytest.approx(values.mean(), rel=1e-12)
    exact = n <= MOST_EXACT
    assert told["median"] == pytest.approx(np.median(values), rel=1e-15 if exact else 1e-3)
    kept = sum(part.nbytes for part in one._exact) + (0 if one._bins is None else one._bins.nbytes)
    assert kept <= 8 * MOST_EXACT
