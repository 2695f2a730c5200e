"""Compaction through the native API: it is asked for, it can be followed, and readers notice nothing."""

from __future__ import annotations

import asyncio

from tests.web.conftest import NOON

API = "/api/v1"


async def test_a_compaction_is_asked_for_and_followed(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2, 7.3])
    path = f"{API}/datastreams/river/ph/observations?samples=all"
    store = station.pipeline.store
    await asyncio.to_thread(store.seal)
    span = "start=2021-03-05T12:01:00Z&end=2021-03-05T12:02:00Z"
    await station.client.delete(f"{API}/datastreams/river/ph/observations?{span}&by=Li&reason=mistake")
    before = (await station.json(path))["columns"]["result"]
    assert before == [7.0, 7.2, 7.3]
    idle = await station.json(f"{API}/compact")
    assert idle["asked"] is False
    answer = await station.client.post(f"{API}/compact")
    assert answer.status_code == 202
    assert answer.json()["asked"] is True
    state = answer.json()
    while state["asked"]:
        state = await station.json(f"{API}/compact")
    assert state["error"] == ""
    assert state["report"]["rewritten"] == 1
    assert state["report"]["bytes"] > 0
    assert (await station.json(path))["columns"]["result"] == before
    assert not len(store._live.tombstones)
