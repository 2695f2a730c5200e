from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.errors import RequestError
from nilometer.web.sensorthings.answers.paging import read_token, write_token
from nilometer.web.sensorthings.answers.texts import interval_texts, number_texts
from nilometer.web.times import format_interval


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[wr]-?[1-9]\d{0,2}(\.-?[1-9]\d{0,2}){1,2}", fullmatch=True)))
@settings(max_examples=30)
def test_any_text_is_a_token_or_refused(text):
    with suppress(RequestError):
        token = read_token(text, "$skiptoken")
        assert write_token(token) == text


@given(
    st.lists(
        st.tuples(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999), st.sampled_from([0, 1, 10**6])),
        max_size=8,
    )
)
@settings(max_examples=30)
def test_times_of_columns_are_those_of_each(pairs):
    starts, durations = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    durations = np.minimum(durations, 253_402_300_799_999_999 - starts)
    expected = [format_interval(int(start), int(duration)) for start, duration in zip(starts, durations, strict=True)]
    assert interval_texts(starts, durations).to_pylist() == expected


@given(st.lists(st.floats(), max_size=8))
@settings(max_examples=30)
def test_numbers_of_columns_read_back_as_they_were(values):
    texts = number_texts(np.array(values, np.float64)).to_pylist()
    assert [np.nan if text is None else float(text) for text in texts] == [
        pytest.approx(value, abs=0, rel=0, nan_ok=True) if np.isfinite(value) else pytest.approx(np.nan, nan_ok=True)
        for value in values
    ]
