"""The journal alone: order, checksums, damage, and time that never runs back."""

from __future__ import annotations

import sqlite3

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import StoreError
from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import JOURNAL
from nilometer.store import Store
from nilometer.store.journal import Journal
from nilometer.store.record import (
    ROWS,
    compact,
    decode_rows,
    decode_tombstone,
    encode_rows,
    encode_tombstone,
    full_rows,
)
from tests.store.waters import judge, rows


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open(sealed=0)
    yield journal
    journal.close()


def again(journal, sealed=0):
    journal.close()
    other = Journal(journal.path)
    other.open(sealed=sealed)
    return other


def test_sequences_have_no_gaps_and_time_never_runs_back(journal):
    times = [journal.write(ROWS, b"x", now)[1] for now in (100, 50, 50, 200)]
    assert times == [100, 101, 102, 200]
    other = again(journal)
    assert [record.sequence for record in other.records(1)] == [2, 3, 4]
    assert other.write(ROWS, b"y", 0) == (5, 201)
    other.close()


def test_dropped_records_leave_their_sequence_and_time_behind(journal):
    for now in (10, 20, 30):
        journal.write(ROWS, b"x", now)
    journal.plan(3, b"held")
    journal.drop(3, planned=3)
    other = again(journal, sealed=3)
    assert list(other.records(0)) == []
    assert other.planned(3) == b"held"
    assert other.planned(2) is None
    assert other.write(ROWS, b"y", 0) == (4, 31)
    other.close()


@pytest.mark.parametrize("column", ["body", "time", "checksum", "kind"])
def test_a_damaged_tail_is_found_reported_and_cut_back(journal, column):
    for _ in range(5):
        journal.write(ROWS, b"some rows", 1)
    journal.close()
    with sqlite3.connect(journal.path) as connection:
        value = b"other row" if column == "body" else 99
        connection.execute(f"UPDATE records SET {column} = ? WHERE sequence = 4", (value,))
    connection.close()
    other = again(journal)
    assert other.sequence == 3
    assert "records from 4 on failed their checksum: 2 were cut off" in other.damage[0]
    assert other.write(ROWS, b"y", 5)[0] == 4
    third = again(other)
    assert third.damage == []
    third.close()


def test_damage_among_sealed_records_cuts_nothing(journal):
    for _ in range(5):
        journal.write(ROWS, b"some rows", 1)
    journal.close()
    with sqlite3.connect(journal.path) as connection:
        connection.execute("UPDATE records SET body = x'00' WHERE sequence = 2")
    connection.close()
    other = again(journal, sealed=3)
    assert other.sequence == 5
    assert [record.sequence for record in other.records(0)] == [3, 4, 5]
    other.close()


def test_a_torn_page_keeps_what_came_before_it(journal):
    body = bytes(range(256)) * 400
    for _ in range(20):
        journal.write(ROWS, body, 1)
    journal.close()
    content = bytearray(journal.path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    journal.path.write_bytes(content)
    other = again(journal)
    assert 0 < other.sequence < 20
    assert other.damage
    assert all(record.body == body for record in other.records(0))
    sequence = other.sequence
    assert other.write(ROWS, b"y", 5)[0] == sequence + 1
    third = again(other)
    assert third.sequence == sequence + 1
    third.close()


def test_a_file_that_is_no_journal_is_named(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"could not open the journal in .*journal\.sqlite"):
        Journal(path).open(sealed=0)


def test_a_store_whose_tail_was_cut_says_so_and_serves_the_rest(water, folder):
    one = water.ids[0]
    for second in range(4):
        water.send(one, second, second)
    water.store.close()
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        connection.execute("UPDATE records SET body = substr(body, 1, 20) WHERE sequence = 4")
    connection.close()
    water.store = Store.open(folder)
    assert water.values(one) == [0, 1, 2]
    assert len(water.store.status().damage) == 1
    assert water.send(one, 3, 3).status.tolist() == [0]


FLOATS = st.one_of(st.none(), st.floats(allow_nan=False))


@given(
    st.lists(
        st.tuples(st.integers(1, 1 << 20), st.integers(-(1 << 50), 1 << 50), FLOATS, st.text(max_size=3) | st.none()),
        min_size=1,
        max_size=20,
    )
)
def test_any_rows_come_back_from_their_bytes(found):
    n = len(found)
    batch = ObservationBatch(
        datastream=np.array([row[0] for row in found], np.int32),
        phenomenon_time=np.array([row[1] for row in found]),
        raw_result=np.array([np.nan if row[2] is None else row[2] for row in found]),
        mark=pa.array([row[3] for row in found], pa.string()),
        id=np.arange(n) + 1,
    )
    judge(batch)
    whole = batch.to_arrow(commit=7)
    settled = Settlements(np.arange(2), np.ones(2, np.int8), pa.array(["1", None]))
    read, changes = decode_rows(encode_rows(compact(whole), settled))
    assert full_rows(read, 7).equals(whole)
    assert changes.id.tolist() == [0, 1]
    assert changes.tests.to_pylist() == ["1", None]
    kept, none = decode_rows(encode_rows(compact(whole, keep_commit=True), Settlements.none()))
    assert full_rows(kept, 0).equals(whole)
    assert len(none) == 0


def test_a_record_is_small_because_silent_columns_are_left_out():
    batch = judge(rows(1, range(1000), range(1000)))
    batch.id = np.arange(1000)
    body = encode_rows(compact(batch.to_arrow(commit=1)), Settlements.none())
    assert len(body) < 1000 * 40
    assert len(JOURNAL.names) == 20


def test_a_tombstone_comes_back_from_its_bytes():
    found = decode_tombstone(encode_tombstone(np.array([3, 5], np.int32), -7, 9), 4)
    assert (found.commit, found.datastreams.tolist(), found.start, found.end) == (4, [3, 5], -7, 9)
    assert found.hides(np.array([3, 4, 5]), np.array([-7, 0, 9])).tolist() == [True, False, False]
