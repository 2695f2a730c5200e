from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nilometer.web.api.reduction import reduce_rows, stand_ins

SERIES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))),
        st.sampled_from([1, 1, 1, 2, 3, 4, 9]),
    ),
    min_size=1,
    max_size=400,
)


@given(SERIES, st.integers(3, 50))
def test_extremes_and_ends_stay_and_the_number_is_bounded(series, most):
    time = np.sort(np.array([row[0] for row in series], np.int64))
    result = np.array([row[1] for row in series])
    quality = np.array([row[2] for row in series], np.int8)
    kept = reduce_rows(time, result, quality, most)
    assert np.all(np.diff(kept) > 0)
    if len(series) <= most:
        assert len(kept) == len(series)
        return
    assert {0, len(series) - 1} <= set(kept.tolist())
    assert len(kept) <= 2 * most + 14
    if np.isfinite(result).any():
        assert np.nanmin(result) == np.nanmin(result[kept])
        assert np.nanmax(result) == np.nanmax(result[kept])
    flagged = np.flatnonzero(quality > 2)
    if len(flagged) <= most:
        assert set(flagged.tolist()) <= set(kept.tolist())
    for flag in (3, 4, 9):
        assert (quality == flag).any() == (quality[kept] == flag).any()


def test_every_short_spike_of_a_long_record_stays():
    n = 500_000
    result = np.sin(np.arange(n) / 5e4)
    spikes = np.arange(1000, n, 50_000)
    result[spikes] += np.where(np.arange(len(spikes)) % 2, 3.0, -3.0)
    kept = reduce_rows(np.arange(n) * 60_000_000, result, np.ones(n, np.int8), 2000)
    assert set(spikes.tolist()) <= set(kept.tolist())
    assert len(kept) <= 4000


@given(SERIES, st.integers(1, 10**6))
def test_the_rows_that_stand_for_a_span_are_its_ends_its_extremes_and_its_worst(series, width):
    time = np.sort(np.array([row[0] for row in series], np.int64))
    result = np.array([row[1] for row in series])
    quality = np.array([row[2] for row in series], np.int8)
    kept = set(stand_ins(time, result, quality, np.arange(0, 10**6 + 2 * width, width)).tolist())
    wanted = set()
    for span in set((time // width).tolist()):
        mine = [row for row in range(len(time)) if time[row] // width == span]
        wanted |= {mine[0], mine[-1]}
        for which in (mine, *([row for row in mine if quality[row] == flag] for flag in (3, 4, 9))):
            finite = [row for row in which if np.isfinite(result[row])]
            if finite:
                wanted |= {min(finite, key=lambda row: result[row]), max(finite, key=lambda row: result[row])}
            absent = [row for row in which if np.isnan(result[row])]
            if absent and which is not mine:
                wanted.add(absent[0])
    assert kept == wanted
