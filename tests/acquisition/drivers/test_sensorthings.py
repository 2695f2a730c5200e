"""The driver `sensorthings` at a real server: ours."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from tests.acquisition.sinks import RecordingSink
from tests.system.server import Server

from nilometer.acquisition.drivers.sensorthings import DRIVER

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
ROWS = 250
CONFIG = """[[thing]]
key = "river"
name = "River"
[[datastream]]
key = "river/ph"
thing = "river"
property = "ph"
[[datastream]]
key = "river/temperature"
thing = "river"
property = "water_temperature"
"""


async def test_what_our_own_server_serves_comes_back_with_units_properties_and_quality(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "nilometer.toml").write_text(CONFIG, encoding="utf-8")
    server = await asyncio.to_thread(Server, folder)
    times = [NOON - timedelta(minutes=number) for number in range(ROWS)]
    for key, value in (("river/ph", 7.4), ("river/temperature", 14.5)):
        table = pa.table({"datastream": [key] * ROWS, "phenomenon_time": times, "result": [value] * ROWS})
        await asyncio.to_thread(server.client.write, table)
    asked = {"base_url": f"{server.address}/v1.1", "filter": "Thing/name eq 'River'", "page_size": 100}
    options = DRIVER.options.model_validate({**asked, "history_days": 1})
    sink = RecordingSink()
    task = asyncio.create_task(DRIVER.make(options, lambda: int(NOON.timestamp() * 1e6)).run(sink))
    try:
        await sink.until(lambda: sum(len(batch) for batch in sink.batches) >= 2 * ROWS)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(server.stop)
    assert sink.rows() == {"ph": (7.4, "1"), "water_temperature": (14.5, "degree_Celsius")}
    found = {
        (one.channels[at].key, time)
        for one in sink.batches
        for at, time in zip(one.channel, one.phenomenon_time, strict=True)
    }
    assert len(found) == 2 * ROWS
    assert all(mark for batch in sink.batches for mark in batch.mark or ())
