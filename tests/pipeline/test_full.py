"""A disk that takes no more: senders are told, rows are held, and later nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest

from nilometer.acquisition.driver import Channel
from nilometer.errors import StoreFull
from nilometer.web.app import create_app
from tests.pipeline.conftest import (
    MINUTE,
    NOON,
    RIVER,
    Lines,
    ids,
    no_file_above,
    raw,
    rows,
    running,
    source,
    stored,
    until,
    values,
)

CONFIG = {"thing": [RIVER], "datastream": [{"key": "river/ph", "thing": "river", "property": "ph"}]}
STEADY = [7.0 + 0.01 * (n % 5) for n in range(60)]
SPIKED = [*STEADY[:30], 13.0, *STEADY[31:]]


async def test_rows_are_held_and_others_refused_until_there_is_room(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        ph = ids(pipeline)["river/ph"]
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=create_app(pipeline, None)), base_url="http://station"
        )
        await pipeline.ingest(rows(ph, NOON, SPIKED[:10]))
        with no_file_above(0):
            held = asyncio.create_task(pipeline.ingest(rows(ph, NOON + 10 * MINUTE, SPIKED[10:40])))
            await until(lambda: pipeline.refusing)
            with pytest.raises(StoreFull, match="disk is full"):
                await pipeline.ingest(rows(ph, NOON + 40 * MINUTE, SPIKED[40:]))
            body = "datastream,phenomenon_time,result\nriver/ph,2024-05-02T12:00:00Z,7.9\n"
            answer = await client.post("/api/v1/observations", content=body, headers={"content-type": "text/csv"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (507, "store_full")
            assert "retry-after" in answer.headers
            assert not held.done()
            assert len(values(pipeline, "river/ph")) == 10
        assert (await held).accepted == 30
        assert pipeline.refusing is None
        assert (await pipeline.ingest(rows(ph, NOON + 40 * MINUTE, SPIKED[40:]))).accepted == 20
        assert (await pipeline.ingest(rows(ph, NOON, SPIKED))).unchanged == 60
        got = stored(pipeline)
        await client.aclose()
    async with running(tmp_path, CONFIG) as pipeline:
        assert stored(pipeline).equals(got)
    async with running(tmp_path / "never full", CONFIG) as pipeline:
        await pipeline.ingest(rows(1, NOON, SPIKED))
        assert stored(pipeline).equals(got)


async def test_rows_given_up_at_the_end_leave_no_trace_in_the_tests(tmp_path):
    async with running(tmp_path / "spoilt", CONFIG) as pipeline:
        ph = ids(pipeline)["river/ph"]
        await pipeline.ingest(rows(ph, NOON, SPIKED[:25]))
        with no_file_above(0):
            held = asyncio.create_task(pipeline.ingest(rows(ph, NOON + 25 * MINUTE, SPIKED[25:35])))
            await until(lambda: pipeline.refusing)
            await pipeline.close()
            with pytest.raises(StoreFull):
                await held
    async with running(tmp_path / "spoilt", CONFIG) as pipeline:
        assert values(pipeline, "river/ph") == SPIKED[:25]
        assert (await pipeline.ingest(rows(ph, NOON + 25 * MINUTE, SPIKED[25:]))).accepted == 35
        got = stored(pipeline)
    async with running(tmp_path / "whole", CONFIG) as pipeline:
        await pipeline.ingest(rows(1, NOON, SPIKED))
        assert stored(pipeline).drop_columns(["id"]).equals(got.drop_columns(["id"]))


async def test_a_state_that_cannot_be_saved_is_saved_later(tmp_path):
    config = {**CONFIG, "store": {"seal_every_s": 0.05}}
    async with running(tmp_path, config) as pipeline:
        with no_file_above(0):
            held = asyncio.create_task(pipeline.ingest(rows(1, NOON, [7.0])))
            await until(lambda: pipeline.refusing)
        await held
        await until(lambda: pipeline.store.load_state("qc"))
        await pipeline.ingest(rows(1, NOON + MINUTE, [7.1]))
        with no_file_above(0):
            # Saving fails between commits here, and must not take the pump along.
            await asyncio.sleep(0.3)
        assert (await pipeline.ingest(rows(1, NOON + 2 * MINUTE, [7.2]))).accepted == 1
        assert len(values(pipeline, "river/ph")) == 3


async def test_a_source_whose_datastream_cannot_be_made_yet_waits_and_is_judged_after(tmp_path, scripts):
    scripts["a"] = lines = Lines()
    async with running(tmp_path / "data", {"thing": [RIVER], "source": [source("a")]}) as pipeline:
        await pipeline.start_sources()
        with no_file_above(0):
            lines.send(raw(Channel("ph", "ph", "1"), NOON, SPIKED))
            await until(lambda: pipeline.refusing)
            assert lines.acknowledged == 0
        await until(lambda: lines.acknowledged == 1)
        table = stored(pipeline, "river/ph")
        assert table["result"].to_pylist() == SPIKED
        assert table["result_quality"].to_pylist()[30] == 4
        made = pipeline.store.snapshot().read()["provenance"].to_pylist()
        assert np.all(np.array(made) > 0)
