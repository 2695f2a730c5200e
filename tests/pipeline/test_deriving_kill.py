"""Killed with -9 while inputs come: what follows from them is, in the end, what one run gives, and nothing is twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from nilometer.config import parse
from nilometer.pipeline import Pipeline
from tests.pipeline.conftest import MINUTE, NOON, ids, stored
from tests.pipeline.derived_runs import same_as_one_run
from tests.pipeline.derived_writer import CONFIG, oxygen, step, wall_clock, write
from tests.pipeline.test_deriving import DO, SATURATION, SOLUBILITY, Clock, pass_time
from tests.store.doomed import Doomed

KILLS = int(os.environ.get("NILOMETER_KILLS", "1"))
REST = 4


def run(folder: Path, first: int) -> int:
    """Send from `first` on until killed; return the last step that was acknowledged."""
    doomed = Doomed(write, folder, first)
    begun = [doomed.hear() for _ in range(3)]
    time.sleep(random.random() / 2)
    doomed.kill()
    status, acknowledged = doomed.end()
    assert status == -signal.SIGKILL
    last: int = [*begun, *acknowledged][-1]
    return last


async def test_what_was_derived_when_it_was_killed_ends_as_one_run_gives_it(tmp_path: Path) -> None:
    acknowledged = -1
    for _ in range(KILLS):
        # What was acknowledged last is sent again too.
        acknowledged = run(tmp_path, max(0, acknowledged))

    clock = Clock()
    clock.now = wall_clock()
    pipeline = Pipeline(tmp_path, parse(CONFIG), clock=clock)
    await pipeline.start()
    try:
        steps = acknowledged + 1 + REST
        for k in range(acknowledged + 1, steps):
            for answer in [await pipeline.queue(batch) for batch in step(pipeline, k)]:
                await answer
        for _ in range(2):
            await pass_time(pipeline, clock, 120)

        # What was sent is there, each row once.
        water = stored(pipeline, DO)
        minutes = np.arange(10 * steps)
        assert (water["phenomenon_time"].cast(pa.int64()).to_numpy() == NOON + minutes * MINUTE).all()
        corrected = (minutes % 10 == 4) & (minutes < 10 * (steps - 1))
        assert (water["result"].to_numpy() == np.where(corrected, oxygen(minutes) + 0.5, oxygen(minutes))).all()

        # What follows from it is there, each row once, though it was waiting when it was killed.
        number = ids(pipeline)
        counts = same_as_one_run(pipeline)
        assert counts[number[SATURATION]] == len(minutes)
        assert counts[number[SOLUBILITY]] == counts[number["river/full"]] == 5 * (steps - 1)
        versions = pipeline.store.snapshot().versions([number[SATURATION]])
        same = ["id", "result", "result_uncertainty", "tests", "result_quality"]
        rows = list(zip(*(versions[name].to_pylist() for name in same), strict=True))
        assert len(set(rows)) == len(rows), "a version that says what another says"
        good = np.isfinite(stored(pipeline, SATURATION)["result"].to_numpy(zero_copy_only=False))
        assert good[: 10 * (steps - 3)].all()
    finally:
        await pipeline.close()
