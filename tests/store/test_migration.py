"""From the journal of folder version 1, a SQLite file, to segments: whole at whatever step a crash comes."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib

import pytest

from nilometer.errors import StoreError, StoreFull
from nilometer.store import Store
from nilometer.store.journal import Journal
from nilometer.store.journal_sqlite import convert
from tests.store.releases import VECTORS, reading, unpack
from tests.store.test_full import no_file_above

GOLDEN = json.loads((VECTORS / "0.1.0" / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(tmp_path):
    return unpack("0.1.0", tmp_path)


def check(folder):
    store = Store.open(folder)
    try:
        assert json.loads(json.dumps(reading(store, GOLDEN["moments"]))) == GOLDEN["reading"]
        assert store.status().damage == ()
    finally:
        store.close()
    assert (folder / "VERSION").read_text() == "3\n"
    assert {"journal.sqlite", "journal.new"}.isdisjoint(path.name for path in folder.iterdir())
    assert (folder / "journal.sqlite.v1").exists()


def test_the_old_file_is_kept_as_it_was(old):
    check(old)
    with sqlite3.connect(old / "journal.sqlite.v1") as connection:
        assert connection.execute("SELECT min(sequence), max(sequence) FROM records").fetchone() == (5, 11)
    connection.close()


def half_copied(old):
    convert(old / "journal.sqlite", old / "journal", sealed=4)
    (old / "journal").rename(old / "journal.new")
    next((old / "journal.new").glob("segment-*")).write_bytes(b"half")


def copied(old):
    convert(old / "journal.sqlite", old / "journal", sealed=4)


def copied_and_then_spoilt(old):
    copied(old)
    next((old / "journal").glob("segment-*")).unlink()


def version_raised(old):
    copied(old)
    (old / "VERSION").write_text("2\n")


@pytest.mark.parametrize("crash", [half_copied, copied, copied_and_then_spoilt, version_raised])
def test_a_crash_at_any_step_leaves_a_folder_that_opens_whole(old, crash):
    crash(old)
    check(old)
    check(old)


def test_a_version_written_by_hand_does_not_hide_the_old_journal(old):
    (old / "VERSION").write_text("2\n")
    check(old)


def test_a_full_disk_leaves_the_old_folder_as_it_was(old):
    with no_file_above(2000), pytest.raises(StoreFull):
        Store.open(old)
    assert (old / "VERSION").read_text() == "1\n"
    assert (old / "journal.sqlite").exists()
    check(old)


def spoil(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_a_damaged_record_of_the_old_journal_is_said_and_what_came_before_is_there(old):
    spoil(old / "journal.sqlite", "UPDATE records SET body = x'00' WHERE sequence = 9")
    store = Store.open(old)
    assert store.sequence() == 8
    assert "records 9 to 11 of the journal of the older version are damaged" in store.damage[0]
    store.close()


@pytest.mark.parametrize("change", ["UPDATE records SET time = 1", "DELETE FROM records"])
def test_damage_that_the_lake_has_already_loses_nothing(tmp_path, change):
    path = tmp_path / "journal.sqlite"
    journal = Journal(tmp_path / "from")
    journal.open(sealed=0)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE records (sequence INTEGER PRIMARY KEY, kind, time, checksum, body);"
            "CREATE TABLE plans (sequence INTEGER PRIMARY KEY, checksum, body);"
            "CREATE TABLE floor (one, sequence, time); INSERT INTO floor VALUES (1, 0, 0);"
        )
        for sequence in range(1, 7):
            known = zlib.crc32(b"body", zlib.crc32(struct.pack("<qBq", sequence, 0, 10 * sequence)))
            connection.execute("INSERT INTO records VALUES (?, 0, ?, ?, ?)", (sequence, 10 * sequence, known, b"body"))
        connection.execute(f"{change} WHERE sequence IN (2, 3)")
    connection.close()
    damage = convert(path, tmp_path / "journal", sealed=4)
    assert damage == ["records up to 3 of the journal of the older version are damaged; they are sealed"]
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=4)
    assert [(record.sequence, record.time) for record in journal.records(0)] == [(4, 40), (5, 50), (6, 60)]
    assert journal.damage == []
    journal.close()


def test_an_old_journal_whose_records_have_all_left_hands_on_sequence_and_time(tmp_path):
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE records (sequence INTEGER PRIMARY KEY, kind, time, checksum, body);"
            "CREATE TABLE plans (sequence INTEGER PRIMARY KEY, checksum, body);"
            "CREATE TABLE floor (one, sequence, time); INSERT INTO floor VALUES (1, 7, 700);"
        )
    connection.close()
    assert convert(path, tmp_path / "journal", sealed=7) == []
    journal = Journal(tmp_path / "journal")
    journal.open(sealed=7)
    assert journal.write(0, b"next", 5) == (8, 701)
    journal.close()


def test_a_torn_page_of_the_old_journal_keeps_what_came_before(old):
    path = old / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[-8192:] = b"\xff" * 8192
    path.write_bytes(content)
    store = Store.open(old)
    assert 4 <= store.sequence() < 11
    assert store.damage
    store.close()


def test_a_file_that_is_no_journal_is_named_and_left(old):
    for path in old.glob("journal.sqlite*"):
        path.unlink()
    (old / "journal.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"could not read the journal of an older version in .*journal\.sqlite"):
        Store.open(old)
    assert (old / "journal.sqlite").read_bytes() == b"no database at all" * 100
    assert (old / "VERSION").read_text() == "1\n"
