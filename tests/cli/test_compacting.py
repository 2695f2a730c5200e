"""compact: of a folder that nobody holds, and through the server that holds one."""

from __future__ import annotations

import polars as pl
import pytest

from nilometer.cli import compacting
from nilometer.errors import StoreError
from nilometer.store import Store
from tests.cli.conftest import nilometer
from tests.cli.test_folder import exported

KEYS = ["--by", "Li", "--reason", "mistake"]


@pytest.fixture
def owing(creek, tmp_path):
    """A sealed folder of which a Datastream was deleted."""
    folder = tmp_path / "data"
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    store = Store.open(folder)
    store.seal()
    key, number = store.catalog.datastreams()[0].key, store.catalog.datastreams()[0].id
    store.close()
    assert nilometer("delete", key, "--data", folder, "--all", *KEYS).code == 0
    return folder, number


def in_the_lake(folder, number):
    frame = pl.scan_delta(str(folder / "lake" / "observations")).filter(pl.col("datastream") == number)
    return frame.collect().height


def test_a_folder_that_nobody_holds_is_compacted(owing, tmp_path):
    folder, number = owing
    before = exported(folder, tmp_path)
    assert in_the_lake(folder, number) > 0
    done = nilometer("compact", "--data", folder, "--json")
    assert done.code == 0, done.err
    assert done.json["rewritten"] >= 1
    assert done.json["files"] >= 1
    assert in_the_lake(folder, number) == 0
    assert exported(folder, tmp_path).equals(before)
    again = nilometer("compact", "--data", folder)
    assert again.out.startswith(
        "0 files written anew without revised and deleted rows, 0 merged, 0 deleted; 0 revisions"
    )


def test_files_that_left_the_lake_go_when_their_time_has_come(owing):
    folder, _ = owing
    assert nilometer("compact", "--data", folder).code == 0
    there = len(list((folder / "lake").rglob("*.parquet")))
    # Nobody has said otherwise: an hour, whatever happens to the process meanwhile.
    assert nilometer("compact", "--data", folder, "--json").json["deleted"] == 0
    (folder / "nilometer.toml").write_text('[store]\nkeep_files = "0 s"\n', encoding="utf-8")
    done = nilometer("compact", "--data", folder, "--json").json
    assert done["deleted"] >= 1
    assert len(list((folder / "lake").rglob("*.parquet"))) == there - done["deleted"] == done["files"]


def test_a_folder_that_a_server_holds_is_compacted_through_it(server):
    done = nilometer("compact", "--data", server.folder, "--json")
    assert done.code == 0, done.err
    assert set(done.json) == {"rewritten", "merged", "forgotten", "deleted", "files", "bytes", "seconds"}


def test_what_a_server_could_not_do_is_said():
    class Refused:
        """A server whose disk is full: the store's own refusals are tested with the store."""

        def compact(self):
            return {"asked": False, "report": None, "error": "the disk is full"}

    with pytest.raises(StoreError, match="the disk is full"):
        compacting._through(Refused(), lambda *_: None)


def test_no_data_folder_is_named(tmp_path):
    called = nilometer("compact", "--data", tmp_path)
    assert (called.code, "this is no data folder" in called.err) == (2, True)
