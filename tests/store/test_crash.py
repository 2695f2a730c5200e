"""Killed with -9 at any moment and at every step of a seal: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from nilometer.store import Store
from nilometer.store.faults import POINTS
from tests.store.crash_writer import KEPT, ROWS, SECOND, SHORT, START, STREAMS, write
from tests.store.doomed import Doomed

KILLS = int(os.environ.get("NILOMETER_KILLS", "4"))
STEPS = [point for point in POINTS if point.startswith(("seal.", "compact."))]

_PATIENCE_S = 240
"""For a writer that never gets there: the compactor gives way to seals, and this writer seals without end."""


def run(folder, first, step="", seconds=None):
    """Run the writer until it is killed; return the last batch it said was acknowledged."""
    doomed = Doomed(write, folder, first, step)
    begun = doomed.hear()
    if seconds is not None:
        time.sleep(seconds)
        doomed.kill()
    status, acknowledged = doomed.end(_PATIENCE_S)
    assert status == -signal.SIGKILL
    return [begun, *acknowledged][-1]


def audit(folder, acknowledged):
    """Check every row; return the first batch that was not committed."""
    store = Store.open(folder)
    try:
        snapshot = store.snapshot()
        table = snapshot.read(columns=["id", "datastream", "phenomenon_time", "result"])
        assert len(set(table["id"].to_pylist())) == table.num_rows
        datastream = table["datastream"].to_numpy()
        second = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // SECOND
        result = table["result"].to_numpy()
        batches = int(second.max()) // ROWS + 1
        # The batch under way when it was killed is there whole or not at all.
        assert batches - 1 in {acknowledged, acknowledged + 1}
        for number in STREAMS:
            mine = datastream == number
            expected = np.arange(batches * ROWS)
            if number == SHORT:
                cuts = {max(0, done - KEPT) * ROWS for done in (acknowledged, batches - 1)}
                assert second[mine][0] in cuts
                expected = expected[second[mine][0] :]
            assert second[mine].tolist() == expected.tolist()
            revised = (expected % ROWS == 0) & (expected // ROWS < batches - 1)
            assert result[mine].tolist() == np.where(revised, expected + 0.5, expected).tolist()
            # Ids are in order of arrival and no other row has them.
            assert (np.diff(table["id"].to_numpy()[mine]) > 0).all()
        assert snapshot.count() == table.num_rows
        assert snapshot.latest()["phenomenon_time"].cast(pa.int64()).to_pylist() == [
            START + (batches * ROWS - 1) * SECOND
        ] * len(STREAMS)
        lake = pl.scan_delta(str(folder / "lake" / "observations")).select("id").collect()["id"]
        assert lake.n_unique() == lake.len()
        versions = snapshot.versions(STREAMS.tolist(), columns=["id", "commit", "superseded_commit"])
        assert len({tuple(row.values()) for row in versions.to_pylist()}) == versions.num_rows
        store.compact()
        assert store.snapshot().read(columns=table.schema.names).equals(table)
        assert store.snapshot().versions(STREAMS.tolist(), columns=versions.schema.names).equals(versions)
        former = pl.scan_delta(str(folder / "lake" / "revisions")).select("id", "commit").collect()
        assert former.unique().height == former.height
    finally:
        store.close()
    return batches


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost_and_nothing_doubled(tmp_path):
    chance = random.Random(20261122)
    first = 0
    for _ in range(KILLS):
        acknowledged = run(tmp_path / "data", first, seconds=chance.uniform(0.05, 0.8))
        first = audit(tmp_path / "data", acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(3 * _PATIENCE_S)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_of_a_seal_nothing_is_lost_and_nothing_doubled(tmp_path, step):
    acknowledged = run(tmp_path / "data", 0, step)
    first = audit(tmp_path / "data", acknowledged)
    store = Store.open(tmp_path / "data")
    store.seal()
    store.close()
    assert audit(tmp_path / "data", acknowledged) == first
