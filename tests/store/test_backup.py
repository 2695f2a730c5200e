"""A backup taken while rows come, and what a restore of it gives; damaged, unfinished and foreign ones."""

from __future__ import annotations

import json
import os
import shutil
import signal

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from nilometer.errors import ConfigError, Overloaded, RequestError, SchemaMismatch, StoreError
from nilometer.model import SampleKind
from nilometer.store import Store
from nilometer.store.backup import CATALOG, JOURNAL
from nilometer.store.manifest import MANIFEST, Manifest
from nilometer.store.restore import check_backup, restore_backup
from tests.postgres import PASSWORD
from tests.store.backup_writer import Writers, write
from tests.store.doomed import Doomed, die
from tests.store.waters import SECOND, START, Water, rows, settlement

STEPS = [
    "backup.lake",
    "backup.log",
    "backup.state",
    "backup.journal",
    "backup.catalog",
    "backup.durable",
    "backup.manifest",
]
RESTORE_STEPS = ["restore.files", "restore.journal", "restore.version"]


def everything(store):
    """All rows and versions that were ever there, but for what a mark at the moment of the backup adds."""
    snapshot = store.snapshot()
    return (
        snapshot.read(water_only=False).to_pydict(),
        snapshot.versions([1, 2, 3]).to_pydict(),
        snapshot.latest().to_pydict(),
        [store.catalog.datastreams(), store.catalog.features(), store.catalog.events(), store.catalog.things()],
    )


def filled(folder, **options):
    """A folder with sealed, revised, deleted, settled and fresh rows."""
    water = Water(Store.open(folder, **options))
    one, two, three = water.ids
    water.send(one, range(50), np.arange(50.0))
    water.send(two, range(50), np.arange(50.0))
    water.store.seal()
    water.send(one, [3, 4], [103.0, 104.0])
    water.store.delete([two], START + 10 * SECOND, START + 20 * SECOND)
    first = water.store.snapshot().read([one], limit=1)
    water.store.catalog.sample_feature(three, SampleKind.CHECK)
    water.store.catalog.add_event(1, None, 5, "source", {"state": "back"})
    water.store.seal()
    water.send(three, range(7), np.arange(7.0))
    water.send(one, [5], [105.0])
    admitted = water.send(two, [60], [1.0])
    water.store.commit(water.store.admit(rows(1, [], [])).rows, settlement(admitted.rows.id))
    assert first.num_rows == 1
    return water


def test_a_backup_restored_is_the_folder_as_it_was(tmp_path):
    water = filled(tmp_path / "data")
    (tmp_path / "data" / "nilometer.toml").write_text("[store]\nseal_rows = 5000\n", encoding="utf-8")
    manifest = water.store.backup(tmp_path / "backup")
    before = everything(water.store)
    moment = water.store.snapshot().latest()["phenomenon_time"].to_pylist()
    water.send(water.ids[0], [500], [1.0])
    water.store.close()
    assert check_backup(tmp_path / "backup") == Manifest.read(tmp_path / "backup") == manifest
    assert restore_backup(tmp_path / "backup", tmp_path / "again") == manifest
    again = Water(Store.open(tmp_path / "again"))
    assert everything(again.store) == before
    assert again.store.status().damage == ()
    assert again.store.sequence() == manifest.sequence
    assert again.store.snapshot().latest()["phenomenon_time"].to_pylist() == moment
    assert (tmp_path / "again" / "nilometer.toml").read_text(encoding="utf-8").startswith("[store]")
    # It goes on where it was: an id is never given out twice, an earlier row is recognised.
    used = set(again.store.snapshot().read(water_only=False, columns=["id"])["id"].to_pylist())
    sent = again.send(again.ids[0], [0, 900], [0.0, 1.0])
    assert len(sent.rows) == 1
    assert sent.rows.id[0] not in used
    again.store.seal()
    again.store.close()


def test_the_lake_of_a_backup_is_read_by_anything(tmp_path):
    water = filled(tmp_path / "data")
    water.store.backup(tmp_path / "backup")
    kept = pl.scan_delta(str(tmp_path / "backup" / "lake" / "observations")).collect()
    assert kept.sort("id").equals(pl.scan_delta(str(tmp_path / "data" / "lake" / "observations")).collect().sort("id"))
    assert kept.height
    water.store.close()


@pytest.mark.parametrize("link", [True, False])
def test_what_was_acknowledged_before_a_backup_under_load_is_in_it_once(tmp_path, link):
    water = Water(Store.open(tmp_path / "data"))
    writers = Writers(water)
    writers.start(at_least=50)
    try:
        for n in range(3):
            began = list(writers.acknowledged)
            water.store.backup(tmp_path / f"backup{n}", link=link)
            restore_backup(tmp_path / f"backup{n}", tmp_path / f"again{n}")
            audit(tmp_path / f"again{n}", began, [count + 10_000_000 for count in began])
    finally:
        writers.stop()
    # The folder itself went on.
    assert [water.store.snapshot().count([number]) for number in water.ids] == writers.acknowledged
    water.store.close()


def audit(folder, at_least, at_most):
    """Each Datastream holds a beginning of what was sent, all that was acknowledged, and each row once."""
    store = Store.open(folder)
    try:
        assert store.status().damage == ()
        for number, least, most in zip((1, 2, 3), at_least, at_most, strict=True):
            table = store.snapshot().read([number], columns=["id", "phenomenon_time", "result"])
            second = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // SECOND
            assert second.tolist() == list(range(len(second)))
            assert table["result"].to_pylist() == second.tolist()
            assert len(set(table["id"].to_pylist())) == table.num_rows
            assert least <= len(second) <= most
            assert store.snapshot().latest([number])["result"].to_pylist() == [len(second) - 1]
    finally:
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_no_backup_passes_for_whole_and_the_folder_is_well(tmp_path, step):
    status, (began,) = Doomed(write, tmp_path / "data", tmp_path / "backup", step).end()
    assert status == -signal.SIGKILL
    if step == "backup.manifest":
        restore_backup(tmp_path / "backup", tmp_path / "again")
        audit(tmp_path / "again", began, [1 << 40] * 3)
    else:
        for refused in (check_backup, lambda backup: restore_backup(backup, tmp_path / "again")):
            with pytest.raises(StoreError, match=r"no whole backup: its manifest\.json"):
                refused(tmp_path / "backup")
        assert not (tmp_path / "again").exists()
    audit(tmp_path / "data", began, [1 << 40] * 3)


def restore(say, backup, folder, point):
    """Restore, and die at a point of it."""
    restore_backup(backup, folder, step=lambda name: die() if name == point else None)


@pytest.mark.parametrize("step", RESTORE_STEPS)
def test_a_restore_that_ends_early_does_not_open_and_is_made_again(tmp_path, step):
    water = filled(tmp_path / "data")
    water.store.backup(tmp_path / "backup")
    before = everything(water.store)
    water.store.close()
    assert Doomed(restore, tmp_path / "backup", tmp_path / "again", step).end() == (-signal.SIGKILL, [])
    if step != "restore.version":
        with pytest.raises(SchemaMismatch, match="not restored to the end: empty it and restore again"):
            Store.open(tmp_path / "again")
        restore_backup(tmp_path / "backup", tmp_path / "third")
    store = Store.open(tmp_path / ("again" if step == "restore.version" else "third"))
    assert everything(store) == before
    store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    water = filled(folder / "data")
    water.store.backup(folder / "backup", link=False)
    water.store.close()
    return folder / "backup"


def damaged(whole, tmp_path, change):
    shutil.copytree(whole, tmp_path / "backup")
    change(tmp_path / "backup")
    return tmp_path / "backup"


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("lake/observations", flip, r"lake/observations/.* has other bytes"),
        ("lake/observations", lambda file: file.unlink(), r"lake/observations/.* is missing"),
        ("lake/observations", lambda file: os.truncate(file, 100), "has 100 bytes in place of"),
        (CATALOG, flip, r"catalog\.sqlite has other bytes"),
        (JOURNAL, flip, r"journal\.records has other bytes"),
        (JOURNAL, lambda file: file.unlink(), r"journal\.records is missing"),
        (MANIFEST, flip, r"manifest\.json is damaged"),
    ],
)
def test_a_damaged_backup_is_refused_by_name_and_leaves_nothing(whole, tmp_path, name, change, words):
    def hurt(backup):
        place = backup / name
        change(next(iter(sorted(place.glob("*/*.parquet")))) if place.is_dir() else place)

    backup = damaged(whole, tmp_path, hurt)
    for refused in (check_backup, lambda backup: restore_backup(backup, tmp_path / "again")):
        with pytest.raises(StoreError, match=words):
            refused(backup)
    assert not (tmp_path / "again").exists() or list((tmp_path / "again").iterdir()) == []


def test_a_backup_of_a_newer_version_and_one_that_reaches_outside_are_refused(whole, tmp_path):
    def newer(backup):
        document = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
        (backup / MANIFEST).write_text(json.dumps(document | {"folder_version": 99}), encoding="utf-8")

    with pytest.raises(SchemaMismatch, match="made by a newer nilometer"):
        check_backup(damaged(whole, tmp_path / "a", newer))

    def reaches(backup):
        manifest = Manifest.read(backup)
        manifest.files["../../stolen"] = manifest.files[CATALOG]
        manifest.write(backup)

    with pytest.raises(StoreError, match="outside of itself"):
        restore_backup(damaged(whole, tmp_path / "b", reaches), tmp_path / "again")


def test_places_that_cannot_be_used_are_named(whole, tmp_path):
    water = Water(Store.open(tmp_path / "data"))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(RequestError, match="is not empty"):
        water.store.backup(tmp_path / "used")
    with pytest.raises(RequestError, match="lies in the data folder"):
        water.store.backup(tmp_path / "data" / "backup")
    water.store.on_step = lambda name: name == "backup.lake" and water.store.backup(tmp_path / "second")
    with pytest.raises(Overloaded, match="another backup"):
        water.store.backup(tmp_path / "first")
    water.store.close()
    with pytest.raises(ConfigError, match="not empty"):
        restore_backup(whole, tmp_path / "used")


def test_a_folder_with_a_missing_file_makes_no_backup(tmp_path):
    water = filled(tmp_path / "data")
    table = DeltaTable(str(tmp_path / "data" / "lake" / "observations"))
    (tmp_path / "data" / "lake" / "observations" / table.get_add_actions()["path"].to_pylist()[0]).unlink()
    with pytest.raises(StoreError, match="is missing: the folder is damaged, and no backup was made"):
        water.store.backup(tmp_path / "backup")
    with pytest.raises(StoreError, match="no whole backup"):
        check_backup(tmp_path / "backup")
    water.store.close()


def test_a_catalog_moves_to_postgresql_and_back_through_a_backup(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    water = filled(tmp_path / "data")
    before = everything(water.store)
    water.store.backup(tmp_path / "backup")
    water.store.close()
    url = postgres.database()
    restore_backup(tmp_path / "backup", tmp_path / "served", catalog_url=url)
    served = Water(Store.open(tmp_path / "served", catalog_url=url))
    assert everything(served.store) == before
    added = served.add("weir/more")
    served.store.backup(tmp_path / "second")
    served.store.close()
    with pytest.raises((StoreError, SchemaMismatch), match="holds a catalog already"):
        restore_backup(tmp_path / "backup", tmp_path / "third", catalog_url=url)
    assert list((tmp_path / "third").iterdir()) == []
    restore_backup(tmp_path / "second", tmp_path / "own")
    own = Water(Store.open(tmp_path / "own"))
    assert everything(own.store)[:3] == before[:3]
    assert own.store.catalog.datastreams()[-1] == added
    assert own.add("weir/still").id == added.id + 1
    own.store.close()
