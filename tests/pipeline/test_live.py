"""Listeners: narrowed, bounded, and told what they lost."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from nilometer.config import parse
from nilometer.errors import Overloaded
from nilometer.pipeline import Pipeline
from nilometer.pipeline import pipeline as module
from nilometer.pipeline.live import MOST_ROWS
from tests.pipeline.conftest import MINUTE, NOON, RIVER, rows, running, until

CONFIG = {
    "thing": [RIVER],
    "datastream": [
        {"key": "river/ph", "thing": "river", "property": "ph"},
        {"key": "river/a", "thing": "river", "property": "anything"},
    ],
}
SOME = MOST_ROWS * 3 // 5


async def _three_large_commits(pipeline: Pipeline) -> None:
    for part in range(3):
        await pipeline.ingest(rows(2, NOON + part * SOME * 1000, np.arange(SOME), step=1000))


async def test_a_slow_listener_loses_its_oldest_rows_and_is_told_how_many(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        slow = pipeline.subscribe()
        await _three_large_commits(pipeline)
        await until(lambda: pipeline.shed == 2 * SOME)
        assert slow.take_shed() == 2 * SOME
        assert slow.take_shed() == 0
        assert pipeline.shed == 2 * SOME
        kept = await anext(slow)
        assert int(kept.rows.phenomenon_time[0]) == NOON + 2 * SOME * 1000
        await pipeline.ingest(rows(1, NOON, [7.0]))
        assert len((await anext(slow)).rows) == 1


async def test_rows_nobody_asked_for_are_neither_kept_nor_counted_as_lost(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        narrow = pipeline.subscribe([1])
        await pipeline.ingest(rows(1, NOON, [7.0]))
        await _three_large_commits(pipeline)
        await pipeline.ingest(rows(1, NOON + MINUTE, [7.1]))
        got = [await anext(narrow), await anext(narrow)]
        assert [one.rows.raw_result.tolist() for one in got] == [[7.0], [7.1]]
        assert narrow.take_shed() == 0


async def test_a_spike_is_told_with_the_row_that_settles_it(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        listener = pipeline.subscribe([1])
        outcome = await pipeline.ingest(rows(1, NOON, [7.0, 7.0, 7.0, 12.0]))
        await anext(listener)
        await pipeline.ingest(rows(1, NOON + 4 * MINUTE, [7.0]))
        live = await anext(listener)
        assert live.settled.id.tolist() == [outcome.id[3]]
        assert live.settled.result_quality[0] in {3, 4}


async def test_a_listener_ends_when_it_is_let_go_or_the_pipeline_ends(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        let_go, left = pipeline.subscribe(), pipeline.subscribe()
        waiting = asyncio.create_task(anext(left, None))
        pipeline.unsubscribe(let_go)
        assert [one async for one in let_go] == []
    assert await waiting is None


async def test_a_full_queue_refuses_a_delivery_and_takes_the_next_when_there_is_room(tmp_path, monkeypatch):
    # Only how long it is patient is changed.
    monkeypatch.setattr(module, "ROOM_TIMEOUT_S", 0.05)
    pipeline = Pipeline(tmp_path, parse(CONFIG))
    try:
        large = asyncio.create_task(pipeline.ingest(rows(9, NOON, np.zeros(2_000_000))))
        await until(lambda: pipeline.queued)
        with pytest.raises(Overloaded, match="2000000 rows wait"):
            await pipeline.ingest(rows(1, NOON, [7.0]))
        monkeypatch.setattr(module, "ROOM_TIMEOUT_S", 60)
        patient = asyncio.create_task(pipeline.ingest(rows(1, NOON, [7.0])))
        await asyncio.sleep(0)
        await pipeline.start()
        assert (await large).rejected == 2_000_000
        assert (await patient).accepted == 1
    finally:
        await pipeline.close()
