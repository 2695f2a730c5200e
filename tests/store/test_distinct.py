"""Distinct numbers are those that NumPy finds, in whatever order they come."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nilometer.store.distinct import distinct


@given(arrays(np.int64, st.integers(0, 40), elements=st.integers(-5, 30) | st.integers(-(2**63), 2**63 - 1)))
def test_distinct_numbers_are_those_of_numpy(numbers):
    assert distinct(numbers).tolist() == np.unique(numbers).tolist()
    assert distinct(np.sort(numbers)).tolist() == np.unique(numbers).tolist()
