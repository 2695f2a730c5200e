"""Enough Datastreams that the kernel fetches their tables ahead."""

from __future__ import annotations

import numpy as np
import pytest
from tests.qc.streams import FULL

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine

MANY = 5000


@pytest.fixture(scope="module")
def engines():
    made = []
    for _ in range(2):
        engine = QcEngine()
        for datastream in range(MANY):
            engine.set(datastream * 3, FULL, unit="degree_Celsius")
        made.append(engine)
    return made


def test_the_order_of_many_datastreams_changes_nothing(engines):
    rng = np.random.default_rng(7)
    streams = np.tile(np.arange(MANY + 5, dtype=np.int32) * 3, 6)  # some are unknown
    ids = np.arange(len(streams), dtype=np.int64)
    time = np.repeat(np.arange(6) * 900_000_000, MANY + 5)
    value = rng.choice([1.0, 1.2, 5.0, 20.0, 35.0, np.nan], len(streams))
    shuffled = np.concatenate([k * (MANY + 5) + rng.permutation(MANY + 5) for k in range(6)])

    def judged(engine, order):
        batch = ObservationBatch(
            datastream=streams[order],
            phenomenon_time=time[order],
            raw_result=value[order],
            result=value[order],
            id=ids[order],
        )
        assert len(engine.evaluate(batch)) == 0
        back = np.argsort(order)
        tests = batch.tests.to_pylist()
        return batch.result_quality[back].tolist(), [tests[k] for k in back]

    assert judged(engines[0], ids) == judged(engines[1], shuffled)
    assert engines[0].snapshot() == engines[1].snapshot()
