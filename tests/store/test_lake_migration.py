"""From a partition a month to a partition a year: whole at whatever step it is cut short."""

from __future__ import annotations

import json

import polars as pl
import pytest
from deltalake import DeltaTable

from nilometer.errors import StoreFull
from nilometer.store import Store, lake_migration
from nilometer.store.lake import LakeTable
from tests.pipeline.conftest import no_file_above
from tests.store.releases import VECTORS, reading, unpack

RELEASE = "0.1.0-folder2"


class Crash(BaseException):
    """A process that ends."""


@pytest.fixture
def old(tmp_path):
    return unpack(RELEASE, tmp_path)


@pytest.fixture
def golden():
    return json.loads((VECTORS / RELEASE / "golden.json").read_text(encoding="utf-8"))


def check(folder, golden):
    store = Store.open(folder)
    try:
        assert store.status().damage == ()
        assert json.loads(json.dumps(reading(store, golden["moments"]))) == golden["reading"]
        lake = folder / "lake"
        assert sorted(path.name for path in lake.iterdir()) == ["observations", "revisions"]
        for name in ("observations", "revisions"):
            assert DeltaTable(str(lake / name)).metadata().partition_columns == ["year"]
        frame = pl.scan_delta(str(lake / "observations")).select("id", "year", "phenomenon_time").collect()
        assert frame["id"].n_unique() == frame.height
        assert (frame["year"] == frame["phenomenon_time"].dt.year().cast(pl.String)).all()
    finally:
        store.close()


def test_a_lake_of_months_becomes_one_of_years(old, golden):
    assert DeltaTable(str(old / "lake" / "observations")).metadata().partition_columns == ["month"]
    for _ in range(2):
        check(old, golden)
    assert (old / "VERSION").read_text() == "3\n"


@pytest.mark.parametrize("at", range(4))
def test_cut_short_before_any_name_it_goes_on(old, golden, monkeypatch, at):
    names = []

    def crash(*places):
        names.append(places)
        if len(names) > at:
            raise Crash
        rename(*places)

    rename = lake_migration._rename
    with monkeypatch.context() as patch:
        # Where a process may be killed; the names themselves are really given.
        patch.setattr(lake_migration, "_rename", crash)
        with pytest.raises(Crash):
            Store.open(old)
    assert len(names) == at + 1
    check(old, golden)


@pytest.mark.parametrize("at", range(4))
def test_cut_short_before_any_commit_it_goes_on(old, golden, monkeypatch, at):
    commits = []

    def crash(table, *what):
        commits.append(table.place.name)
        if len(commits) > at:
            raise Crash
        commit(table, *what)

    commit = LakeTable.commit
    with monkeypatch.context() as patch:
        patch.setattr(LakeTable, "commit", crash)
        with pytest.raises(Crash):
            Store.open(old)
    assert set(commits) <= {"observations.new", "revisions.new"}
    check(old, golden)


def test_a_full_disk_leaves_the_old_lake_and_the_next_start_goes_on(old, golden):
    with no_file_above(4000), pytest.raises(StoreFull):
        Store.open(old)
    assert DeltaTable(str(old / "lake" / "observations")).metadata().partition_columns == ["month"]
    check(old, golden)
