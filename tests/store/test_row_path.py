"""From finished rows to a record and to the hot tail: what is left out, what is short-cut, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.model import NO_TIME, ObservationBatch, Settlements
from nilometer.store.hot import FEW, Words
from nilometer.store.record import decode_rows, encode_rows, full_rows, pack
from nilometer.store.settling import settle_own

N = 4
MOST_DATASTREAMS = 3


def some(values, kind):
    return st.lists(st.sampled_from(values), min_size=N, max_size=N).map(lambda found: np.array(found, kind))


FLOATS = some([np.nan, 1.0, 2.5, -0.1], np.float64)
WORDS = st.lists(st.sampled_from([None, "a", '{"x":1}', '{"y":2}']), min_size=N, max_size=N)
TEXTS = WORDS.map(lambda found: pa.array(found, pa.string()))
BATCHES = st.builds(
    ObservationBatch,
    datastream=some([1, 2], np.int32),
    phenomenon_time=some([-5, 6], np.int64),
    raw_result=FLOATS,
    feature=some([1, 3], np.int32),
    duration=st.none() | some([0, 0, 9], np.int64),
    result_time=st.none() | some([NO_TIME, 4], np.int64),
    censored=st.none() | some([-1, 0, 1], np.int8),
    mark=st.none() | TEXTS,
    extra=st.none() | TEXTS,
    depth=st.none() | FLOATS,
    latitude=st.none() | FLOATS,
    longitude=st.none() | FLOATS,
    provenance=some([1, 2], np.int32),
    id=some([7, 8], np.int64),
    supersedes=st.none() | some([True, False, False], np.bool_),
    result=FLOATS,
    result_uncertainty=st.none() | FLOATS,
    result_quality=some([1, 4], np.int8),
    tests=st.none() | TEXTS,
)
ABSENT = {"duration": 0, "result_time": NO_TIME, "censored": 0, "supersedes": False}


def listed(batch, name):
    """A column as a list in which what is absent is None."""
    column = getattr(batch, name)
    if column is None:
        return [None] * N
    absent = ABSENT.get(name)
    return [None if value != value or value == absent else value for value in column.tolist()]


@given(BATCHES)
def test_a_record_gives_back_every_row_and_holds_no_column_that_says_nothing(batch):
    packed = pack(batch)
    packed.validate(full=True)
    rows, _ = decode_rows(encode_rows(packed, Settlements.none()))
    back = ObservationBatch.from_arrow(full_rows(rows, 9))
    for name in ("id", "datastream", "feature", "phenomenon_time", "result", "provenance", "result_quality"):
        assert listed(back, name) == listed(batch, name)
    for name in ("duration", "result_time", "censored", "depth", "latitude", "longitude", "supersedes"):
        assert listed(back, name) == listed(batch, name)
        assert (name in packed.schema.names) == any(value is not None for value in listed(batch, name))
    for name in ("mark", "tests", "extra"):
        assert listed(back, name) == listed(batch, name)
    # Without a result of its own a row has the raw one, where there is one to have.
    unsaid = [np.nan if value is None else value for value in listed(batch, "raw_result")]
    np.testing.assert_array_equal(back.raw_result, unsaid)
    assert "commit" not in packed.schema.names


def test_an_uncertainty_that_no_float32_holds_is_infinite():
    batch = ObservationBatch(
        datastream=np.ones(1, np.int32),
        phenomenon_time=np.zeros(1, np.int64),
        raw_result=np.ones(1),
        id=np.ones(1, np.int64),
        result=np.ones(1),
        result_uncertainty=np.array([1e300]),
        result_quality=np.ones(1, np.int8),
    )
    assert pack(batch)["result_uncertainty"].to_pylist() == [np.inf]


def test_rows_that_were_not_judged_are_not_packed():
    batch = ObservationBatch(datastream=np.ones(1, np.int32), phenomenon_time=np.zeros(1, int), raw_result=np.ones(1))
    with pytest.raises(ValueError, match="admitted, calibrated and judged"):
        pack(batch)


@given(st.lists(st.lists(st.sampled_from([None, "a", "bb", "ccc", "14", "41"]), max_size=6), max_size=6))
def test_few_strings_and_many_have_the_same_codes(chunks):
    few, many = Words(10), Words(10)
    for chunk in chunks:
        padded = chunk + [None] * (FEW + 1)
        codes = few.encode(pa.array(chunk, pa.string()))
        assert codes.dtype == np.int32
        assert many.encode(pa.array(padded, pa.string()))[: len(chunk)].tolist() == codes.tolist()
        assert few.decode(codes).to_pylist() == chunk
    assert few.words == many.words


NUMBERED = st.tuples(st.integers(1, MOST_DATASTREAMS), st.integers(1, 4))
IDS = NUMBERED.map(lambda pair: (pair[0] << 32) + pair[1])


@given(
    st.lists(IDS, min_size=1, max_size=8),
    st.lists(st.tuples(IDS, st.integers(1, 4), st.sampled_from([None, "14", "41"])), max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.booleans(),
)
def test_the_last_settlement_of_a_row_of_the_same_call_stands_in_it(ids, settled, revised, has_tests):
    n = len(ids)
    supersedes = np.array(revised[:n], np.bool_)
    batch = ObservationBatch(
        datastream=np.array([number >> 32 for number in ids], np.int32),
        phenomenon_time=np.zeros(n, np.int64),
        raw_result=np.zeros(n),
        id=np.array(ids, np.int64),
        supersedes=supersedes,
        result_quality=np.full(n, 9, np.int8),
        tests=pa.array(["9"] * n) if has_tests else None,
    )
    # Of rows that share an id the last one is meant, unless it revises an earlier row.
    last = {number: row for row, number in enumerate(ids)}
    flags, digits, left = [9] * n, ["9" if has_tests else None] * n, []
    for number, flag, tests in settled:
        row = last.get(number)
        if row is None or supersedes[row]:
            left.append((number, flag, tests))
        else:
            flags[row], digits[row] = flag, tests
    given_up = settle_own(
        batch,
        Settlements(
            np.array([item[0] for item in settled], np.int64),
            np.array([item[1] for item in settled], np.int8),
            pa.array([item[2] for item in settled], pa.string()),
        ),
    )
    told = zip(given_up.id.tolist(), given_up.result_quality.tolist(), given_up.tests.to_pylist(), strict=True)
    assert list(told) == left
    assert batch.result_quality.tolist() == flags
    assert (digits if batch.tests is None else batch.tests.to_pylist()) == digits
