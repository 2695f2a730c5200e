"""Companions at work: a pH from mV and a temperature is what a run over all rows gives, in whatever order they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.calibration.certificate import Calibration
from nilometer.calibration.evaluation import evaluate
from nilometer.config import parse
from nilometer.pipeline import Pipeline
from nilometer.pipeline.deleting import DeleteOrder
from nilometer.pipeline.reprocess_order import ReprocessOrder
from tests.pipeline.conftest import MINUTE, NOON, PATIENT, RIVER, ids, rows, running, stored, until
from tests.pipeline.test_deriving import let_go

PH, T = "river/ph", "river/t"
ELECTRODE = Calibration(
    kind="nernst",
    coefficients=(-4.2, 98.1),
    covariance=((0.25, 0.0), (0.0, 0.09)),
    companion=T,
    temperature_uncertainty=0.2,
)


DOCUMENT = {"kind": "nernst", **{k: v for k, v in ELECTRODE.to_document().items() if k != "kind"}}
STATION = {
    "thing": [RIVER],
    "datastream": [
        {"key": PH, "thing": "river", "property": "ph", "unit": "1", "raw_unit": "mV", "calibrations": [DOCUMENT]},
        {"key": T, "thing": "river", "property": "water_temperature"},
    ],
}


def expected(volts: Any, temperature: Any) -> np.ndarray[Any, Any]:
    return np.asarray(evaluate(ELECTRODE, volts, temperature).value)


async def test_a_row_waits_for_no_companion_and_is_revised_by_it(tmp_path: Path) -> None:
    async with running(tmp_path, STATION) as pipeline:
        number = ids(pipeline)
        await pipeline.ingest(rows(number[PH], NOON + MINUTE, [-60.0, -61.0]))
        first = stored(pipeline, PH)
        assert first["result"].null_count == 2
        assert first["raw_result"].to_pylist() == [-60.0, -61.0]
        await pipeline.ingest(rows(number[T], NOON, [10.0]))
        assert np.allclose(stored(pipeline, PH)["result"], expected([-60.0, -61.0], [10.0, 10.0]), atol=1e-3)
        await pipeline.ingest(rows(number[T], NOON + 2 * MINUTE, [30.0]))
        assert np.allclose(stored(pipeline, PH)["result"], expected([-60.0, -61.0], [10.0, 30.0]), atol=1e-3)
        await pipeline.delete(DeleteOrder([T], NOON, NOON + MINUTE, by="Li Na"))
        assert stored(pipeline, PH)["result"].null_count == 1


PARTS = [(PH, minute) for minute in range(0, 30, 3)] + [(T, minute) for minute in range(1, 30, 2)]


async def play(folder: Path, order: list[tuple[str, int]], crashes: frozenset[int]) -> pa.Table:
    """Send rows in an order, one a commit, with a crash before some of them; return what is served of the pH."""
    pipeline = Pipeline(folder, parse({"store": PATIENT, **STATION}))
    await pipeline.start()
    for place, (key, minute) in enumerate(order):
        if place in crashes:
            await let_go(pipeline)
            pipeline = Pipeline(folder, parse({"store": PATIENT, **STATION}))
            await pipeline.start()
        value = -60.0 - minute if key == PH else 5.0 + 0.5 * minute
        await pipeline.ingest(rows(ids(pipeline)[key], NOON + minute * MINUTE, [value]))
    try:
        numbers = ["phenomenon_time", "raw_result", "result", "result_uncertainty"]
        before = stored(pipeline, PH)
        pipeline.reprocessing.start(ReprocessOrder())
        await until(lambda: not pipeline.reprocessing.progress.running)
        assert not pipeline.reprocessing.progress.error
        # A late row is judged by the point tests alone; reprocessing judges it in its place.
        assert stored(pipeline, PH).select(numbers).equals(before.select(numbers))
        return stored(pipeline, PH).drop_columns(["id"])
    finally:
        await pipeline.close()


async def test_any_order_and_a_crash_give_the_bytes_of_one_run_and_of_reprocessing(tmp_path: Path) -> None:
    shuffled = [PARTS[place] for place in np.random.default_rng(7).permutation(len(PARTS))]
    whole = await play(tmp_path / "whole", sorted(PARTS, key=lambda part: part[1]), frozenset())
    assert whole["result"].null_count == 1
    assert (await play(tmp_path / "any", shuffled, frozenset({6, 15}))).equals(whole)


async def test_a_calibration_of_the_companion_reaches_the_rows_by_reprocessing(tmp_path: Path) -> None:
    async with running(tmp_path, STATION) as pipeline:
        number = ids(pipeline)
        await pipeline.ingest(rows(number[T], NOON, [10.0]))
        await pipeline.ingest(rows(number[PH], NOON, [-60.0]))
        line = Calibration(kind="polynomial", coefficients=(5.0, 1.0), residual_uncertainty=0.1)
        pipeline.store.catalog.add_calibration(number[T], 0, line.to_document())
        pipeline.entity_changed(number[T])
        pipeline.reprocessing.start(ReprocessOrder())
        await until(lambda: not pipeline.reprocessing.progress.running)
        assert not pipeline.reprocessing.progress.error
        assert np.allclose(stored(pipeline, PH)["result"], expected([-60.0], [15.0]), atol=1e-3)
