"""The lake in an object store: what is true of a folder is true of it, and nothing is lost when it does not answer."""

from __future__ import annotations

import json
import shutil
import sys

import duckdb
import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from nilometer.errors import ConfigError, SchemaMismatch, StoreError, StoreUnwritable
from nilometer.store import Store
from nilometer.store.integrity import examine
from nilometer.store.restore import restore_backup
from tests.object_store import Wire
from tests.store.waters import SECOND, START, Clock, Water

DAY = 86_400


@pytest.fixture
def lake(object_store):
    return object_store.lake()


@pytest.fixture
def cuttable(object_store):
    wire = Wire(object_store.port)
    yield wire, object_store.lake(wire.port)
    wire.cut()


def live(water, moments):
    """Rows of two years, revised, late, deleted, sealed and compacted."""
    one, two, _ = water.ids
    steps = (
        lambda: water.send(one, np.arange(400), np.arange(400.0)),
        water.store.seal,
        lambda: water.send([two] * 300, np.arange(300) + DAY, 7.5),
        lambda: water.send(one, np.arange(50, 60), 0.5),
        lambda: water.store.delete([one], START + 100 * SECOND, START + 200 * SECOND),
        water.store.seal,
        water.store.compact,
        lambda: water.send(two, np.arange(20), 3.0),
        water.store.seal,
    )
    for step in steps:
        step()
        moments.append(water.store._now())


def answers(store, moments):
    now = store.snapshot()
    found = [now.read(water_only=False), now.latest(), now.count(), now.versions([1, 2, 3])]
    past = [store.snapshot(moment) for moment in moments]
    return [*found, *(one.read(water_only=False) for one in past), *(one.count() for one in past)]


def test_every_answer_is_that_of_a_folder(tmp_path, lake, object_store):
    found, all_moments = [], []
    for name, where in (("near", {}), ("far", lake)):
        clock, moments = Clock(2), []
        water = Water(Store.open(tmp_path / name, now=clock, **where))
        live(water, moments)
        before = answers(water.store, moments)
        water.store.close()
        # The folder says where its lake is.
        more = {"lake_options": where["lake_options"]} if where else {}
        store = Store.open(tmp_path / name, now=clock, **more)
        assert answers(store, moments) == before
        store.close()
        found.append(before)
        all_moments.append(moments)
    assert all_moments[0] == all_moments[1]
    assert found[0] == found[1]
    assert not (tmp_path / "far" / "lake").exists()
    frame = pl.scan_delta(f"{lake['lake_url']}/observations", storage_options=lake["lake_options"]).collect()
    assert frame["id"].n_unique() == frame.height > 500


def test_duckdb_reads_the_rows_that_the_log_names(tmp_path, lake):
    water = Water(Store.open(tmp_path / "data", **lake))
    water.send(1, np.arange(100), np.arange(100.0))
    water.store.seal()
    water.store.close()
    table = DeltaTable(f"{lake['lake_url']}/observations", storage_options=lake["lake_options"])
    with duckdb.connect() as reader:
        reader.register("rows", table.to_pyarrow_dataset())
        assert reader.sql("SELECT sum(result), count(*) FROM rows").fetchall() == [(4851.0, 99)]


def test_what_no_log_speaks_of_is_swept(tmp_path, lake, object_store):
    water = Water(Store.open(tmp_path / "data", **lake))
    live(water, [])
    water.store.forgetting.files_s = 0.0
    water.store.compact()
    known = {
        f"{table.place.name}/{file.path}"
        for table in (water.store._observations, water.store._revisions)
        for file in table.files
    }
    water.store.close()
    lying = {name for name in object_store.names(lake["lake_url"]) if name.endswith(".parquet")}
    assert lying == known


def test_a_lake_that_does_not_answer_loses_nothing_and_is_tried_again(tmp_path, cuttable):
    wire, lake = cuttable
    lake["lake_options"] |= {"max_retries": "0", "retry_timeout": "1s"}
    water = Water(Store.open(tmp_path / "data", **lake))
    water.send(1, np.arange(100), np.arange(100.0))
    water.store.seal()
    wire.cut()
    water.send(1, np.arange(100, 200), np.arange(100.0, 200.0))
    assert water.store.snapshot().latest()["result"].to_pylist() == [199.0]
    with pytest.raises(StoreUnwritable, match=r"could not .*: the object store does not do what it is asked for"):
        water.store.seal()
    assert "object store" in water.store.status().seal_error
    with pytest.raises(StoreUnwritable, match=r"observations/year=2025.*object store"):
        water.values(1)
    wire.mend()
    assert water.values(1) == np.arange(200.0).tolist()
    assert water.store.seal().rows == 100
    assert water.store.status().seal_error == ""
    water.store.close()
    wire.cut()
    with pytest.raises(StoreUnwritable, match="object store"):
        Store.open(tmp_path / "data", **lake)
    wire.mend()
    water = Water(Store.open(tmp_path / "data", **lake))
    assert water.values(1) == np.arange(200.0).tolist()
    water.store.close()


@pytest.mark.parametrize("table", ["observations", "revisions"])
def test_a_commit_whose_answer_is_lost_is_found_out_about(tmp_path, cuttable, table):
    wire, lake = cuttable
    lake["lake_options"] |= {"max_retries": "0", "retry_timeout": "1s"}
    clock, moments = Clock(2), []
    water = Water(Store.open(tmp_path / "data", now=clock, **lake))
    live(water, moments)
    water.send(1, np.arange(1000, 1100), 4.0)
    water.send(1, np.arange(1000, 1050), 5.0)  # and what they were before goes to the revisions
    before = answers(water.store, moments)
    wire.fatal = f"{table}/_delta_log".encode()
    log = water.store._observations if table == "observations" else water.store._revisions
    version = log._table.version()
    with pytest.raises(StoreUnwritable):
        water.store.seal()
    wire.fatal = None
    wire.mend()
    # It has arrived, and nobody was told.
    assert DeltaTable(log.place.uri, storage_options=log.place.options).version() == version + 1
    assert log.is_in_doubt
    assert answers(water.store, moments) == before
    water.store.seal()
    assert answers(water.store, moments) == before
    water.store.compact()
    assert answers(water.store, moments) == before
    water.store.close()
    store = Store.open(tmp_path / "data", now=clock, **lake)
    assert answers(store, moments) == before
    store.close()


def test_a_merge_whose_answer_is_lost_is_found_out_about(tmp_path, cuttable):
    wire, lake = cuttable
    lake["lake_options"] |= {"max_retries": "0", "retry_timeout": "1s"}
    water = Water(Store.open(tmp_path / "data", **lake))
    for start in range(0, 100, 20):
        water.send(1, np.arange(start, start + 20), 1.0)
        water.store.seal()
    wire.fatal = b"observations/_delta_log/00"
    with pytest.raises(StoreUnwritable):
        water.store.compact()
    wire.fatal = None
    wire.mend()
    assert water.values(1) == [1.0] * 100
    assert len(water.store.snapshot().files) == 5
    water.store.forgetting.files_s = 0.0
    water.store.compact()
    assert len(water.store.snapshot().files) == 1
    assert water.values(1) == [1.0] * 100
    water.store.close()


def test_a_commit_that_is_carried_out_after_it_was_given_up_finds_its_files(tmp_path, lake, monkeypatch):
    water = Water(Store.open(tmp_path / "data", **lake))
    water.send(1, np.arange(100), 1.0)
    table, late = water.store._observations._table, []
    write = table.create_write_transaction

    class Slow:
        """Gives up before the store does what it was asked for."""

        def create_write_transaction(self, *what, **more):
            late.append(lambda: write(*what, **more))
            raise OSError("Generic S3 error: operation timed out")

        def __getattr__(self, name):
            return getattr(table, name)

    water.store._observations._table = Slow()
    with pytest.raises(StoreUnwritable):
        water.store.seal()
    water.store._observations._table = DeltaTable(table.table_uri, storage_options=lake["lake_options"])
    late.pop()()
    with pytest.raises(StoreError, match="start this one again"):
        water.store.seal()
    assert water.values(1) == [1.0] * 100
    water.store.close()
    water = Water(Store.open(tmp_path / "data", **lake))
    assert water.values(1) == [1.0] * 100
    water.store.seal()
    assert water.values(1) == [1.0] * 100
    water.store.close()


def test_a_lake_belongs_to_one_folder(tmp_path, lake):
    def opened(name):
        # Inside the folder: one on a server would refuse the copy before the lake does.
        return Store.open(tmp_path / name, catalog_url=f"sqlite:///{tmp_path / name / 'catalog.sqlite'}", **lake)

    opened("one").close()
    with pytest.raises(SchemaMismatch, match=r"belongs to another data folder than .*two"):
        opened("two")
    assert not (tmp_path / "two" / "LAKE").exists()
    # Of two that hold the same folder's copies, the second to write is refused; nothing is written twice.
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    first, second = (Water(opened(name)) for name in ("one", "copy"))
    for water in (first, second):
        water.send(1, np.arange(10), 1.0)
    first.store.seal()
    for _ in range(2):
        with pytest.raises(StoreError, match="was written by another process since this one opened it"):
            second.store.seal()
    assert second.values(1) == [1.0] * 10
    for water in (first, second):
        water.store.close()
    uri = f"{lake['lake_url']}/observations"
    assert DeltaTable(uri, storage_options=lake["lake_options"]).to_pyarrow_table().num_rows == 9


def test_a_lake_is_moved_by_a_copy_of_it(tmp_path, lake, object_store):
    clock = Clock(2)
    water = Water(Store.open(tmp_path / "data", now=clock))
    moments = []
    live(water, moments)
    before = answers(water.store, moments)
    water.store.close()
    with pytest.raises(SchemaMismatch, match=r"has a lake of its own.*copy .*lake to s3://.*nothing was changed"):
        Store.open(tmp_path / "data", now=clock, **lake)
    object_store.upload(tmp_path / "data" / "lake", lake["lake_url"])
    store = Store.open(tmp_path / "data", now=clock, **lake)
    assert answers(store, moments) == before
    Water(store).send(1, 900, 9.0)
    store.seal()
    store.close()
    # What lies in the folder is a copy now, and never read again; to another place the same number leads.
    shutil.rmtree(tmp_path / "data" / "lake")
    store = Store.open(tmp_path / "data", now=clock, lake_options=lake["lake_options"])
    assert store.snapshot().count() == before[2] + 1
    store.close()


def test_an_older_copy_is_not_taken_for_the_lake(tmp_path, lake, object_store):
    water = Water(Store.open(tmp_path / "data"))
    water.send(1, np.arange(10), 1.0)
    water.store.seal()
    object_store.upload(tmp_path / "data" / "lake", lake["lake_url"])
    for second in (20, 30):
        water.send(1, np.arange(second, second + 5), 1.0)
        water.store.seal()
    water.store.close()
    with pytest.raises(SchemaMismatch, match="is no copy"):
        Store.open(tmp_path / "data", **lake)


def test_an_object_that_is_gone_is_named(tmp_path, lake, object_store):
    water = Water(Store.open(tmp_path / "data", **lake))
    water.send(1, np.arange(100), 1.0)
    water.store.seal()
    name = f"observations/{water.store._observations.files[0].path}"
    object_store.remove(lake["lake_url"], name)
    with pytest.raises(StoreError, match=f"{lake['lake_url']}/{name} is missing: 99 rows"):
        water.values(1)
    water.store.close()
    found = [one for one in examine(tmp_path / "data", lake_options=lake["lake_options"]) if not one.ok]
    assert [f"{name} is missing" in one.detail for one in found] == [True]
    with pytest.raises(StoreError, match=r"is missing.*nothing was changed"):
        Store.open(tmp_path / "data", **lake)


def test_the_doctor_reads_it_without_the_lock(tmp_path, lake):
    water = Water(Store.open(tmp_path / "data", **lake))
    live(water, [])
    found = list(examine(tmp_path / "data", lake_options=lake["lake_options"], deep=True))
    assert all(one.ok for one in found), found
    assert any(one.what == "lake/observations" and "every value read" in one.detail for one in found)
    water.store.close()


def test_a_backup_holds_the_lake_and_is_restored_into_a_folder(tmp_path, lake):
    clock, moments = Clock(2), []
    water = Water(Store.open(tmp_path / "data", now=clock, **lake))
    live(water, moments)
    before = answers(water.store, moments)
    water.store.backup(tmp_path / "backup")
    water.store.close()
    restore_backup(tmp_path / "backup", tmp_path / "restored")
    store = Store.open(tmp_path / "restored", now=clock)
    assert answers(store, moments) == before
    store.close()
    with pytest.raises(SchemaMismatch, match=r"belongs to another data folder|is no copy"):
        Store.open(tmp_path / "restored", now=clock, **lake)


@pytest.mark.parametrize("url", ["lake", "s3://", "ftp://host/lake", "file:///tmp/lake", "s3:/bucket/lake"])
def test_a_url_that_is_none_is_refused(tmp_path, url):
    with pytest.raises(ConfigError, match=r"store\.lake_url"):
        Store.open(tmp_path / "data", lake_url=url)
    assert not (tmp_path / "data" / "LAKE").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("max_retries", "many"), ("retry_timeout", "soon"), ("AWS_NONSENSE", "1"), ("timeout", "long")]
)
def test_an_option_that_is_none_is_refused_by_name(tmp_path, lake, name, value):
    options = {**lake["lake_options"], name: value}
    with pytest.raises(ConfigError, match=rf"store\.lake_options.*({name.lower()}|{name}|{value})"):
        Store.open(tmp_path / "data", lake_url=lake["lake_url"], lake_options=options)


def test_without_its_library_the_extra_is_named(tmp_path, lake, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "nilometer.store.lake_object_store", raising=False)
    with pytest.raises(ConfigError, match=r"needs obstore.*nilometer\[object-store\]"):
        Store.open(tmp_path / "data", **lake)


def test_a_bucket_that_is_not_there_is_said(tmp_path, object_store):
    with pytest.raises(StoreUnwritable, match=r"s3://nobodys/lake.*404"):
        Store.open(tmp_path / "data", lake_url="s3://nobodys/lake", lake_options=object_store.options())


def test_a_damaged_file_lake_changes_nothing(tmp_path, lake):
    Store.open(tmp_path / "data", **lake).close()
    (tmp_path / "data" / "LAKE").write_text('{"lake": ')
    with pytest.raises(SchemaMismatch, match="LAKE is damaged"):
        Store.open(tmp_path / "data", **lake)


def test_the_file_lake_holds_no_secret(tmp_path, lake):
    Store.open(tmp_path / "data", **lake).close()
    assert set(json.loads((tmp_path / "data" / "LAKE").read_text())) == {"lake", "url"}
