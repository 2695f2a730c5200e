"""What the doctor finds in a folder, what a store refuses to open, and that neither makes anything worse."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3

import numpy as np
import pytest
from deltalake import DeltaTable

from nilometer.errors import SchemaMismatch, StoreError
from nilometer.model import Datastream
from nilometer.store import Store
from nilometer.store.folder import FOLDER_VERSION
from nilometer.store.integrity import examine
from tests.postgres import PASSWORD
from tests.store.backup_writer import Writers, write
from tests.store.doomed import Doomed
from tests.store.releases import unpack
from tests.store.waters import Water

NEW_YEAR = int(np.datetime64("2026-01-01", "us").astype(np.int64))


def hashed(folder):
    """The bytes of everything but the lock, which says who looks."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def bad(folder, **options):
    return [(one.what, one.detail) for one in examine(folder, **options) if not one.ok]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A closed folder: two years sealed, revisions, a journal that is not sealed, a state."""
    folder = tmp_path_factory.mktemp("made") / "data"
    water = Water(Store.open(folder, catalog_url=f"sqlite:///{folder / 'catalog.sqlite'}"))
    for number in water.ids:
        water.send(number, range(0, 40_000, 10), np.arange(4000.0))
    water.store.seal()
    water.send(water.ids[0], [10, 20], [100.0, 200.0])
    water.store.seal()
    water.store.compact()
    water.store.save_state("qc", water.store.sequence(), b"state")
    water.send(water.ids[1], [50_000], [1.0])
    water.store.close()
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def lake_file(folder, which=0):
    """The files that hold the current rows, the largest first; others lie there until they are swept."""
    table = DeltaTable(str(folder / "lake" / "observations"))
    files = [folder / "lake" / "observations" / path for path in table.get_add_actions()["path"].to_pylist()]
    return sorted(files, key=lambda file: -file.stat().st_size if file.exists() else 0)[which]


def flip(file, at=0.5):
    content = bytearray(file.read_bytes())
    content[int(len(content) * at)] ^= 0x40
    file.write_bytes(content)


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_folder_is_well_and_stays_as_it_is(folder, deep):
    before = hashed(folder)
    found = list(examine(folder, deep=deep))
    assert [one.what for one in found if not one.ok] == []
    details = {one.what: one.detail for one in found}
    assert details["catalog"] == "3 Datastreams"
    assert details["lake/observations"].startswith("11997 rows in ")
    assert details["lake/revisions"].startswith("2 rows in ")
    assert ("every value read" in details["lake/observations"]) == deep
    assert hashed(folder) == before


def test_a_missing_file_is_named_with_what_it_held_and_nothing_is_made_worse(folder):
    gone = lake_file(folder)
    gone.unlink()
    before = hashed(folder)
    (found,) = bad(folder)
    assert found[0] == "lake/observations"
    assert f"{gone} is missing: " in found[1]
    assert "rows of Datastreams weir/ph0, weir/ph1, weir/ph2, 2026-01-01T00:00Z to " in found[1]
    assert "put it back from a backup" in found[1]
    with pytest.raises(StoreError, match=r"is missing: \d+ rows of Datastreams 1 to 3, .*nothing was changed"):
        Store.open(folder)
    assert hashed(folder) == before


def test_several_missing_files_are_counted_when_a_store_refuses(folder):
    for file in [lake_file(folder, which=which) for which in (0, 1)]:
        file.unlink()
    with pytest.raises(StoreError, match="1 more are not as they were written"):
        Store.open(folder)
    assert len(bad(folder)) == 2


def test_a_file_of_another_size_is_refused(folder):
    os.truncate(lake_file(folder), 1000)
    before = hashed(folder)
    ((what, detail),) = bad(folder)
    assert (what, "is damaged, 1000 bytes in place of" in detail) == ("lake/observations", True)
    with pytest.raises(StoreError, match="1000 bytes in place of"):
        Store.open(folder)
    assert hashed(folder) == before


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5])
def test_a_flipped_bit_in_a_page_is_found_by_a_deep_look(folder, at):
    hurt = lake_file(folder)
    flip(hurt, at)
    before = hashed(folder)
    assert bad(folder) == []
    ((what, detail),) = bad(folder, deep=True)
    assert what == "lake/observations"
    assert f"{hurt} is damaged: " in detail
    assert hashed(folder) == before


def test_a_damaged_footer_is_found_at_once(folder):
    hurt = lake_file(folder)
    content = bytearray(hurt.read_bytes())
    content[-8:-4] = b"\xff\xff\xff\x7f"
    hurt.write_bytes(content)
    ((_, detail),) = bad(folder)
    assert "its footer cannot be read" in detail


def test_a_read_of_a_damaged_file_names_it_and_the_rest_is_served(folder):
    hurt = lake_file(folder)
    content = bytearray(hurt.read_bytes())
    content[4:2000] = bytes(1996)
    hurt.write_bytes(content)
    files = {path for path in hashed(folder) if path.endswith(".parquet")}
    store = Store.open(folder)
    with pytest.raises(StoreError, match=rf"{hurt.name} is damaged .*rows of Datastreams 1 to 3; put it back"):
        store.snapshot().read([1])
    assert store.snapshot().read([1], end=NEW_YEAR).num_rows
    with pytest.raises(StoreError, match=f"{hurt.name} is damaged"):
        Water(store).send(1, [30_000], [9.0])
    store.close()
    assert {path for path in hashed(folder) if path.endswith(".parquet")} == files


@pytest.mark.parametrize("missing", ["lake", "lake/observations", "lake/revisions"])
def test_a_lake_that_is_gone_is_not_made_anew(folder, missing):
    shutil.rmtree(folder / missing)
    before = hashed(folder)
    said = re.compile(f"{missing}(/observations)? is missing")
    assert any(said.search(detail) for what, detail in bad(folder) if what == "lake")
    with pytest.raises(StoreError, match=said):
        Store.open(folder)
    assert hashed(folder) == before


def test_a_folder_and_a_catalog_of_a_newer_version_are_left_alone(folder):
    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = hashed(folder)
    ((what, detail),) = bad(folder)
    assert (what, "revision 9999, which this nilometer does not know" in detail) == ("catalog", True)
    with pytest.raises(SchemaMismatch, match=r"revision 9999.*nothing was changed"):
        Store.open(folder)
    assert hashed(folder) == before
    (folder / "VERSION").write_text("99\n", encoding="utf-8")
    before = hashed(folder)
    assert bad(folder) == [
        (
            "version",
            f"{folder} was written by a newer nilometer (folder version 99, this one reads up to "
            f"{FOLDER_VERSION}): upgrade nilometer",
        )
    ]
    with pytest.raises(SchemaMismatch, match=r"newer nilometer.*nothing was changed"):
        Store.open(folder)
    assert hashed(folder) == before


def test_damage_of_catalog_state_and_version_is_named(folder):
    flip(folder / "state" / "index.state")
    assert [what for what, _ in bad(folder)] == ["state"]
    (folder / "catalog.sqlite").write_bytes(b"no database" * 1000)
    assert any("catalog.sqlite is damaged" in detail for _, detail in bad(folder))
    (folder / "catalog.sqlite").unlink()
    assert any("catalog.sqlite is missing" in detail for _, detail in bad(folder))
    (folder / "VERSION").unlink()
    assert "VERSION is missing" in bad(folder)[0][1]


def test_a_folder_left_by_a_killed_process_is_looked_at_without_mending_it(tmp_path):
    assert Doomed(write, tmp_path / "data", tmp_path / "backup", "backup.lake").end()[0] == -signal.SIGKILL
    before = hashed(tmp_path / "data")
    assert (tmp_path / "data" / "catalog.sqlite-wal").exists()
    assert bad(tmp_path / "data", deep=True) == []
    assert hashed(tmp_path / "data") == before
    # As a copy made by hand has it: the log without its index.
    (tmp_path / "data" / "catalog.sqlite-shm").unlink()
    before = hashed(tmp_path / "data")
    assert bad(tmp_path / "data", deep=True) == []
    assert hashed(tmp_path / "data") == before
    Store.open(tmp_path / "data").close()


def test_a_folder_that_is_written_and_sealed_meanwhile_is_well(tmp_path):
    water = Water(Store.open(tmp_path / "data"))
    writers = Writers(water)
    writers.start(at_least=50)
    try:
        for n in range(8):
            assert bad(tmp_path / "data", deep=bool(n % 2)) == []
    finally:
        writers.stop()
    assert [water.store.snapshot().count([number]) for number in water.ids] == writers.acknowledged
    water.store.close()


def test_a_catalog_on_postgresql_is_looked_at_and_not_held(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    water = Water(Store.open(tmp_path, catalog_url=postgres.database()))
    assert bad(tmp_path) == []
    assert {one.what: one.detail for one in examine(tmp_path)}["catalog"] == "3 Datastreams"
    water.add("weir/next")
    water.store.close()
    with postgres.away():
        ((what, detail),) = bad(tmp_path)
        assert (what, "takes nothing at present" in detail) == ("catalog", True)
    assert any("another folder" in detail for _, detail in bad(tmp_path, catalog_url=_foreign(tmp_path, postgres)))


def _foreign(tmp_path, postgres):
    url = postgres.database()
    Store.open(tmp_path / "other", catalog_url=url).close()
    return url


def segment(folder):
    """The only segment of the journal, and where its records begin."""
    (path,) = (folder / "journal").glob("segment-*")
    content = path.read_bytes()
    return path, [at for at in range(4096, len(content), 4096) if content[at : at + 8] == b"NILRECO1"]


def test_the_doctor_tells_a_torn_end_of_the_journal_from_damage_and_cuts_neither(tmp_path):
    water = Water(Store.open(tmp_path / "data"))
    for second in range(3):
        water.send(1, [second], [1.0])
    water.store.close()
    path, places = segment(tmp_path / "data")
    assert len(places) == 3
    whole = path.read_bytes()
    for spoilt, expected in ((places[2], []), (places[1], ["journal", "journal"])):
        content = bytearray(whole)
        content[spoilt + 100] ^= 1
        path.write_bytes(content)
        before = hashed(tmp_path / "data")
        assert [what for what, _ in bad(tmp_path / "data")] == expected
        details = [one.detail for one in examine(tmp_path / "data") if one.what == "journal"]
        said = "record 2 is damaged or missing" if expected else "record 3 with 1 rows at the end"
        assert any(said in detail for detail in details)
        assert hashed(tmp_path / "data") == before


def test_a_folder_of_version_1_is_looked_at_as_it_is_and_its_damage_named(tmp_path):
    old = unpack("0.1.0", tmp_path)
    before = hashed(old)
    assert bad(old) == []
    details = {one.what: one.detail for one in examine(old)}
    assert details["version"] == "folder version 1: the next start brings it to 3"
    assert details["journal"].startswith("7 records; ")
    assert "journal.sqlite of folder version 1" in details["journal"]
    assert hashed(old) == before
    with sqlite3.connect(old / "journal.sqlite") as connection:
        connection.execute("UPDATE records SET body = x'00' WHERE sequence = 11")
    connection.close()
    before = hashed(old)
    ((what, detail),) = bad(old)
    assert what == "journal"
    assert "record 11 fails its checksum; the next start cuts it off" in detail
    assert hashed(old) == before


def test_who_names_a_datastream_that_was_deleted_is_told(folder, water):
    with water.store.catalog.edit("delete", 0) as edit:
        edit.strike(Datastream, water.ids[1])
    named = {"uplink far": {"weir/ph0", "weir/ph1"}, "uplink near": {"weir/ph2"}}
    assert bad(folder, named=named) == [
        ("uplink far", "names weir/ph1: no such Datastream; it was deleted, or has yet to come")
    ]
