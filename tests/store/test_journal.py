"""The journal alone: order, checksums, damage, and time that never runs back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.errors import StoreError
from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import JOURNAL
from nilometer.store import Store
from nilometer.store.disk import Disk
from nilometer.store.journal import Journal
from nilometer.store.journal_segment import BLOCK, HEAD, Head, Segment, parse
from nilometer.store.journal_survey import segment_name
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

LARGE = bytes(range(256)) * 100
SMALL = {"least": 8 * BLOCK, "most": 32 * BLOCK}


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=0)
    yield journal
    journal.close()


def again(journal, sealed=0, **options):
    journal.close()
    other = Journal(journal.path, **options)
    other.open(sealed=sealed)
    return other


def sequences(journal, after=0):
    return [record.sequence for record in journal.records(after)]


def segments(folder):
    return sorted(path for path in folder.iterdir() if path.name.startswith("segment-"))


def place_of(path, sequence):
    """Where a record of the newest life of a segment lies, and where it ends."""
    content = path.read_bytes()
    epoch = Head.from_block(content).epoch
    for at in range(BLOCK, len(content), BLOCK):
        place = parse(content[at : at + HEAD], at)
        if place is not None and place.epoch == epoch and place.sequence == sequence:
            return place
    raise AssertionError(f"no record {sequence} in {path}")


def spoil(folder, sequence, offset):
    """Change a byte of a record; offset -1 is the last of its body."""
    for path in segments(folder):
        try:
            place = place_of(path, sequence)
        except AssertionError:
            continue
        at = place.at + (HEAD + place.length - 1 if offset < 0 else offset)
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0x40]))
        return place
    raise AssertionError(f"no record {sequence}")


def test_sequences_have_no_gaps_and_time_never_runs_back(journal):
    times = [journal.write(ROWS, b"x", now)[1] for now in (100, 50, 50, 200)]
    assert times == [100, 101, 102, 200]
    other = again(journal)
    assert sequences(other, after=1) == [2, 3, 4]
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


def test_only_the_plan_of_the_last_seal_is_kept_and_a_damaged_one_is_named(journal):
    journal.write(ROWS, b"x", 1)
    journal.plan(1, b"one")
    journal.plan(2, b"two")
    journal.drop(0, planned=2)
    assert (journal.planned(1), journal.planned(2)) == (None, b"two")
    path = journal.path / "plan-2"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="kept hot at sequence 2 are damaged"):
        journal.planned(2)


def test_a_body_may_come_in_parts_and_be_of_any_length(journal):
    bodies = [b"", b"x" * (BLOCK - HEAD), b"y" * (BLOCK - HEAD + 1), LARGE * 100]
    for body in bodies:
        journal.write(ROWS, [body[:7], memoryview(body)[7:]], 1, rows=3)
    assert [record.body for record in journal.records(0)] == bodies
    other = again(journal)
    assert [(record.body, record.rows) for record in other.records(0)] == [(body, 3) for body in bodies]
    other.close()


@pytest.mark.parametrize("offset", [0, 10, 17, 25, 33, 41, 45, 49, 61, HEAD, -1])
@pytest.mark.parametrize("body", [b"some rows", LARGE])
def test_a_damaged_record_behind_which_others_lie_is_cut_off_and_kept_aside(journal, offset, body):
    for _ in range(5):
        journal.write(ROWS, body, 1)
    journal.close()
    spoil(journal.path, 4, offset)
    other = again(journal)
    assert other.sequence == 3
    assert "record 4 is damaged or missing" in other.damage[0]
    assert other.torn == []
    (aside,) = journal.path.glob("damaged-*")
    kept = place_of(aside, 5)
    assert aside.read_bytes()[kept.at + HEAD :][: len(body)] == body
    assert other.write(ROWS, b"y", 5)[0] == 4
    # Record 5 still lies where it was, whole: it must not come back behind the new record 4.
    third = again(other)
    assert sequences(third) == [1, 2, 3, 4]
    assert [message for message in third.damage if "cut off are kept in damaged-" not in message] == []
    aside.unlink()
    fourth = again(third)
    assert fourth.damage == []
    fourth.close()


@pytest.mark.parametrize("length", [1, HEAD, HEAD + 1, BLOCK, 3 * BLOCK])
def test_a_torn_end_is_a_crash_and_said_but_no_damage(journal, length):
    for _ in range(4):
        journal.write(ROWS, LARGE, 1, rows=7)
    journal.close()
    (path,) = segments(journal.path)
    place = place_of(path, 4)
    content = bytearray(path.read_bytes())
    content[place.at + length :] = bytes(len(content) - place.at - length)
    path.write_bytes(content)
    other = again(journal)
    assert (other.sequence, other.damage) == (3, [])
    assert [("record 4 with 7 rows" in message) for message in other.torn] == [True] * (length >= HEAD)
    assert other.write(ROWS, b"y", 5)[0] == 4
    third = again(other)
    assert sequences(third) == [1, 2, 3, 4]
    assert (third.torn, third.damage) == ([], [])
    third.close()


@pytest.mark.parametrize("sealed", [2, 3, 5])
def test_damage_among_sealed_records_cuts_nothing(journal, sealed):
    for _ in range(5):
        journal.write(ROWS, b"some rows", 1)
    journal.close()
    spoil(journal.path, 2, -1)
    other = again(journal, sealed=sealed)
    assert other.sequence == 5
    assert sequences(other) == [3, 4, 5]
    assert other.first == 3
    assert "records 2 to 2 are damaged; they are sealed" in other.damage[0]
    assert other.write(ROWS, b"y", 5)[0] == 6
    other.close()


def test_a_record_of_another_life_is_not_taken_though_its_sequence_is_due(journal, tmp_path):
    other = Journal(tmp_path / "other")
    other.open(sealed=0)
    for number in range(3):
        other.write(ROWS, b"theirs", 1)
        if number < 2:
            journal.write(ROWS, b"ours", 1)
    other.close()
    journal.close()
    (theirs,), (ours,) = segments(other.path), segments(journal.path)
    place = place_of(theirs, 3)
    ours.write_bytes(ours.read_bytes() + theirs.read_bytes()[place.at :])
    third = again(journal)
    assert [record.body for record in third.records(0)] == [b"ours", b"ours"]
    assert (third.damage, third.torn) == ([], [])
    third.close()


@pytest.mark.parametrize("offset", [0, -1])
def test_damage_that_begins_before_the_lakes_sequence_and_ends_behind_it_is_cut_off_there(journal, offset):
    for _ in range(6):
        journal.write(ROWS, b"some rows", 1)
    journal.close()
    for number in (3, 4):
        spoil(journal.path, number, offset)
    other = again(journal, sealed=3)
    assert other.sequence == 3
    assert "record 4 is damaged or missing" in " ".join(other.damage)
    third = again(other, sealed=3)
    assert third.damage == other.damage
    assert third.write(ROWS, b"y", 1)[0] == 4
    fourth = again(third, sealed=3)
    assert sequences(fourth, after=3) == [4]
    assert len(list(journal.path.glob("damaged-*"))) == 1
    fourth.close()


def begin(journal, first):
    """Make an empty segment behind all others, as a process does before it writes the first record of it."""
    ordinal = int(segments(journal.path)[-1].name.removeprefix("segment-"), 16) + 1
    head = Segment.fresh(ordinal, first, 0)
    path = journal.path / segment_name(ordinal)
    Segment.begin(journal.path / "unready", path, Disk(), head, 1 << 20, spare=False).close()
    return path


def test_a_segment_takes_the_place_of_what_an_earlier_one_has_from_its_first_sequence_on(journal):
    for _ in range(3):
        journal.write(ROWS, b"x", 1)
    journal.close()
    begin(journal, 3)
    begin(journal, 3)
    other = again(journal)
    assert (other.sequence, sequences(other)) == (2, [1, 2])
    assert (other.damage, other.torn) == ([], [])
    assert len(segments(journal.path)) == 2  # the one that nothing was written to is gone
    assert other.write(ROWS, b"y", 1)[0] == 3
    other.close()


def test_a_crash_before_what_was_cut_off_is_kept_aside_changes_nothing(tmp_path):
    journal = filled(tmp_path)
    journal.close()
    cut = Head.from_block(segments(journal.path)[1].read_bytes()).first - 2
    spoil(journal.path, cut, -1)
    other = again(journal)
    assert other.write(ROWS, b"new", 1)[0] == cut
    other.close()
    aside = sorted(journal.path.glob("damaged-segment-????????????"))
    assert len(aside) > 1
    for path in aside:
        path.rename(path.with_name(path.name.removeprefix("damaged-")))
    third = again(other)
    assert sequences(third) == list(range(1, cut + 1))
    assert sorted(journal.path.glob("damaged-segment-????????????")) == aside
    third.close()


def test_what_was_dropped_may_be_damaged(journal):
    for _ in range(5):
        journal.write(ROWS, b"some rows", 1)
    journal.drop(3, planned=3)
    journal.close()
    spoil(journal.path, 2, -1)
    other = again(journal, sealed=3)
    assert (sequences(other), other.damage) == ([4, 5], [])
    other.close()


def filled(tmp_path, records=40):
    journal = Journal(tmp_path / "small", start=lambda action: action(), **SMALL)
    journal.open(sealed=0)
    for number in range(records):
        journal.write(ROWS, b"%d" % number * 3000, number)
    return journal


def test_records_go_on_from_segment_to_segment_and_dropped_ones_are_used_again(tmp_path):
    journal = filled(tmp_path)
    files = {path.stat().st_ino for path in segments(journal.path)}
    assert len(files) > 3
    journal.drop(30, planned=30)
    for number in range(40, 400):
        journal.write(ROWS, b"%d" % number * 3000, number)
        journal.drop(number - 5, planned=number)
    assert len(list(journal.path.iterdir())) < 8
    other = again(journal, sealed=394)
    assert [record.body[:3] for record in other.records(0)] == [b"394", b"395", b"396", b"397", b"398", b"399"]
    assert other.damage == []
    other.close()


def test_a_reader_goes_on_while_records_are_dropped_under_it(tmp_path):
    journal = filled(tmp_path)
    seen = []
    for record in journal.records(0):
        seen.append(record.sequence)
        if record.sequence == 5:
            journal.drop(30, planned=30)
            journal.write(ROWS, b"later", 50)
    assert seen == [1, 2, 3, 4, 5, *range(31, 42)]
    journal.close()


@pytest.mark.parametrize("sealed", [0, 40])
def test_a_segment_that_is_gone_is_missed(tmp_path, sealed):
    journal = filled(tmp_path)
    journal.close()
    _, gone, *later = segments(journal.path)
    first = Head.from_block(gone.read_bytes()).first
    gone.unlink()
    other = again(journal, sealed=sealed)
    assert other.sequence == (sealed or first - 1)
    assert "are sealed, nothing is lost" in other.damage[0] if sealed else "cut off" in other.damage[0]
    aside = [path.name.removeprefix("damaged-") for path in journal.path.glob("damaged-*")]
    assert {path.name for path in later} <= set(aside) if not sealed else aside == []
    other.close()


def test_a_segment_whose_head_is_damaged_is_read_without_it(tmp_path):
    journal = filled(tmp_path)
    journal.close()
    path = segments(journal.path)[1]
    with path.open("r+b") as file:
        file.write(b"rust")
    other = again(journal)
    assert sequences(other) == list(range(1, 41))
    assert "the head of" in other.damage[0]
    other.close()


def test_a_lost_floor_is_said_and_nothing_else_is_lost(tmp_path):
    journal = filled(tmp_path)
    journal.drop(20, planned=20)
    journal.close()
    (journal.path / "floor").write_bytes(b"")
    other = again(journal, sealed=20)
    assert (other.sequence, other.first <= 21) == (40, True)
    assert sequences(other, after=20) == list(range(21, 41))
    assert "the file floor is missing or damaged" in other.damage[0]
    other.close()


def test_a_journal_that_ends_before_the_lake_goes_on_behind_it(journal):
    for _ in range(3):
        journal.write(ROWS, b"x", 1)
    other = again(journal, sealed=9)
    assert (other.sequence, sequences(other)) == (9, [1, 2, 3])
    assert other.write(ROWS, b"y", 1)[0] == 10
    third = again(other, sealed=9)
    assert sequences(third, after=9) == [10]
    third.close()


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(0, 40_000), st.binary(min_size=1, max_size=600))
@settings(max_examples=60, deadline=None)
def test_any_bytes_over_a_segment_are_found_out(bodies, at, rubbish):
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        journal.open(sealed=0)
        for body in bodies:
            journal.write(ROWS, body, 1)
        journal.close()
        for path in segments(journal.path):
            content = bytearray(path.read_bytes())
            content[at : at + len(rubbish)] = rubbish
            path.write_bytes(content)
        other = again(journal)
        found = [record.body for record in other.records(0)]
        assert found == bodies[: len(found)]
        sequence = other.sequence
        assert other.write(ROWS, b"on it goes", 9)[0] == sequence + 1
        third = again(other)
        assert [record.body for record in third.records(0)] == [*found, b"on it goes"]
        third.close()


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(b"no folder at all")
    with pytest.raises(StoreError, match=r"could not open the journal in .*journal"):
        Journal(path).open(sealed=0)


def test_a_store_whose_journal_was_cut_says_so_and_serves_the_rest(water, folder):
    one = water.ids[0]
    for second in range(5):
        water.send(one, second, second)
    water.store.close()
    spoil(folder / "journal", 4, -1)
    water.store = Store.open(folder)
    assert water.values(one) == [0, 1, 2]
    assert "record 4 is damaged" in water.store.status().damage[0]
    assert water.send(one, [3, 4], [3, 4]).status.tolist() == [0, 0]
    water.store.close()
    water.store = Store.open(folder)
    assert water.values(one) == [0, 1, 2, 3, 4]
    assert "kept in damaged-" in water.store.status().damage[0]


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
    assert found.hides(np.array([3, 4, 5]), np.array([-7, 0, 9]), np.arange(3)).tolist() == [True, False, False]
    one = decode_tombstone(encode_tombstone(np.array([3], np.int32), -7, 9, b"{}", np.array([2**40])), 4)
    assert (one.told, one.ids.tolist()) == ("{}", [2**40])
    assert one.hides(np.array([3, 3]), np.array([0, 0]), np.array([2**40, 1])).tolist() == [True, False]
