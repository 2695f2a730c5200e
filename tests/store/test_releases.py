"""Data folders that former releases wrote: each opens, reads as its own code read it, and goes on."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from nilometer.model import Settlements
from nilometer.store import Store
from tests.store.releases import VECTORS, reading, unpack
from tests.store.waters import judge, rows

RELEASES = sorted(path.name for path in VECTORS.iterdir() if (path / "golden.json").exists())


@pytest.fixture(params=RELEASES)
def release(request, tmp_path):
    golden = json.loads((VECTORS / request.param / "golden.json").read_text(encoding="utf-8"))
    return unpack(request.param, tmp_path), golden


def read(store, golden):
    return json.loads(json.dumps(reading(store, golden["moments"])))


def test_there_is_a_folder_of_the_first_release():
    assert "0.1.0" in RELEASES


def test_a_folder_of_a_release_reads_as_that_release_read_it(release):
    folder, golden = release
    for _ in range(2):
        store = Store.open(folder)
        found = read(store, golden)
        assert store.status().damage == ()
        store.close()
        for part, expected in golden["reading"].items():
            assert found[part] == expected, part


def test_a_folder_of_a_release_takes_rows_and_seals_what_it_had_open(release):
    folder, golden = release
    store = Store.open(folder)
    batch = judge(store.admit(rows(3, [0, 1], [5.0, 6.0])).rows)
    sequence = store.commit(batch, Settlements.none())
    assert sequence == golden["reading"]["sequence"] + 1
    store.seal()
    store.close()
    store = Store.open(folder)
    assert store.status().damage == ()
    found = read(store, golden)
    assert found["count"] == golden["reading"]["count"] + 2
    assert set(zip(found["rows"]["id"], found["rows"]["result"], strict=True)) >= set(
        zip(golden["reading"]["rows"]["id"], golden["reading"]["rows"]["result"], strict=True)
    )
    assert found["as_of"] == golden["reading"]["as_of"]
    store.compact()
    compacted = read(store, golden)
    for part in ("rows", "versions", "as_of", "count", "latest", "extents"):
        assert compacted[part] == found[part], part
    former = zip(*(compacted["versions"][name] for name in ("id", "commit", "result")), strict=True)
    known = zip(*(golden["reading"]["versions"][name] for name in ("id", "commit", "result")), strict=True)
    assert Counter(former) - Counter(known) == Counter(
        {(number, sequence, value): 1 for number, value in zip(batch.id.tolist(), [5.0, 6.0], strict=True)}
    )
    store.close()
