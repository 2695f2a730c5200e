"""Killed with -9 amid a review: what was acknowledged stands, and no step is half done."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.pipeline.review_writer import RealClock, write
from tests.pipeline.reviews import Replay, Reviewed, same
from tests.store.doomed import Doomed
from tests.store.waters import START

KILLS = int(os.environ.get("NILOMETER_KILLS", "3"))


def run(folder, seconds):
    """Review, kill some seconds after the second step, and return the steps that were acknowledged."""
    doomed = Doomed(write, folder)
    # A kill before any step is under way proves nothing, however long the machine took to get there.
    begun = [doomed.hear() for _ in range(2)]
    time.sleep(seconds)
    doomed.kill()
    status, acknowledged = doomed.end()
    assert status == -signal.SIGKILL
    return [*begun, *acknowledged]


def replayed(bench):
    """The history over the automatic rows, by the oracle."""
    table = bench.store.snapshot().versions([bench.ids[0]])
    reviewed = bench.store.catalog.reviewed(table["provenance"].to_numpy())
    replay = Replay()
    seconds = (table["phenomenon_time"].cast("int64").to_numpy() - START) / 1e6
    for one, by_review, second, result, quality in zip(
        table["id"].to_pylist(),
        reviewed.tolist(),
        seconds.tolist(),
        table["result"].to_pylist(),
        table["result_quality"].to_pylist(),
        strict=True,
    ):
        if not by_review:
            replay.automatic[one] = [second, result, quality]
    for step in bench.store.catalog.reviews.active():
        start, end = (step.start - START) / 1e6, (step.end - START) / 1e6
        replay.steps[step.id] = (step.action, start, end, dict(step.parameters))
    return replay.rows()


@pytest.mark.slow
def test_a_killed_review_is_whole_after_the_next_start(tmp_path):
    for _ in range(KILLS):
        acknowledged = run(tmp_path / "data", random.random() * 2)
        bench = Reviewed(tmp_path / "data", clock=RealClock(), datastreams=1)
        steps = {step.id: step for step in bench.store.catalog.reviews.steps()}
        assert all(step.is_applied for step in steps.values())
        assert set(acknowledged) <= set(steps)
        same(replayed(bench), bench.served())
        bench.close()
