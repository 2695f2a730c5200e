"""SensorThings uplinks against a real server: our own, over HTTP, behind a proxy that swallows answers."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import numpy as np
import pytest

from tests.patience import PATIENCE_S
from tests.pipeline.conftest import RIVER, ids, rows, running, until
from tests.system.server import Server
from tests.uplink.platforms import CHINA_DAY, MINUTE, Proxy
from tests.uplink.things_server import ThingsServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "nilometer.toml").write_text(
        '[[thing]]\nkey = "far"\nname = "Far"\nlocation = [120.1, 30.2]\n'
        '[[datastream]]\nkey = "far/ph"\nthing = "far"\nproperty = "ph"\nidentity = "always_new"\nprofile = ""\n',
        encoding="utf-8",
    )
    server = Server(folder)
    yield server
    server.stop()


def numbers(server, key):
    return sorted(server.client.read(key)["result"].to_pylist())


def sender(url, datastreams, **options):
    fast = {"retry_first_s": 0.02, "retry_longest_s": 0.1, "since": "2024-01-01T00:00:00Z"}
    told = {"url": url, "datastreams": datastreams, **fast, **options}
    return {
        "thing": [RIVER],
        "datastream": [
            {"key": f"river/{key}", "thing": "river", "property": "ph", "profile": ""} for key in ("ph", "other")
        ],
        "uplink": [{"name": "far", "receiver": "sensorthings", "options": told}],
    }


def behind(pipeline):
    return pipeline.uplinks.gaps("far", 0, 2 * CHINA_DAY)["gaps"]


async def test_a_lost_answer_doubles_nothing_on_a_real_server(tmp_path, server):
    far = next(one["id"] for one in server.client.datastreams() if one["key"] == "far/ph")
    proxy = Proxy(int(server.address.rpartition(":")[2].rstrip("/")))
    await proxy.start()
    told = {"method": "post", "batch": 4, "timeout_s": 1.0}
    config = sender(f"http://127.0.0.1:{proxy.port}/v1.1", {"river/ph": far}, **told)
    try:
        async with running(tmp_path, config) as pipeline:
            await asyncio.to_thread(numbers, server, "far/ph")
            proxy.mute = True
            await pipeline.ingest(rows(ids(pipeline)["river/ph"], CHINA_DAY, np.arange(10.0)))
            await pipeline.ingest(rows(ids(pipeline)["river/other"], CHINA_DAY, [99.0]))
            await pipeline.start_sources()
            status = pipeline.uplinks.statuses()[0]
            # The rows get there, and we do not know it.
            async with asyncio.timeout(PATIENCE_S):
                while not await asyncio.to_thread(numbers, server, "far/ph"):
                    await asyncio.sleep(0.01)
            await until(lambda: status.state == "disconnected")
            proxy.mute = False
            await until(lambda: status.state == "live" and not behind(pipeline))
            assert await asyncio.to_thread(numbers, server, "far/ph") == list(range(10))
            assert status.refused == {"not_mapped": 1}
            # A revision is a new Observation there, with our id and a higher commit.
            await pipeline.ingest(rows(ids(pipeline)["river/ph"], CHINA_DAY + MINUTE, [1.5]))
            await until(lambda: not behind(pipeline))
            assert await asyncio.to_thread(numbers, server, "far/ph") == sorted([1.5, *range(10)])
            url = f"{server.address}/v1.1/Datastreams({far})/Observations?$orderby=result&$top=3"
            found = json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(url).read()))["value"]
            first, second, revised = (one["parameters"]["nilometer"] for one in found)
            assert second["id"] != first["id"]
            assert (revised["id"], revised["commit"] > second["commit"]) == (second["id"], True)
    finally:
        await proxy.close()


async def test_data_arrays_are_taken_once_whatever_answers_are_lost(tmp_path):
    far = ThingsServer()
    try:
        async with running(tmp_path, sender(far.url, {"river/ph": 7, "river/other": 8}, batch=5)) as pipeline:
            far.swallow = True
            await pipeline.ingest(rows(ids(pipeline)["river/ph"], CHINA_DAY, np.arange(12.0)))
            await pipeline.ingest(rows(ids(pipeline)["river/other"], CHINA_DAY, [99.0]))
            await pipeline.start_sources()
            status = pipeline.uplinks.statuses()[0]
            await until(lambda: len(far.observations) == 5 and status.state == "disconnected")
            far.down, far.swallow = True, False
            await until(lambda: "503" in status.detail)
            far.down = False
            await until(lambda: not behind(pipeline))
            assert far.results() == list(range(12))
            assert status.refused == {"server": 1}
    finally:
        far.close()


async def test_what_a_server_never_takes_is_counted_and_holds_up_nothing(tmp_path, server):
    far = next(one["id"] for one in server.client.datastreams() if one["key"] == "far/ph")
    config = sender(f"{server.address}/v1.1", {"river/ph": 4_000, "river/other": far, "river/gone": 1})
    async with running(tmp_path, config) as pipeline:
        await pipeline.ingest(rows(ids(pipeline)["river/ph"], CHINA_DAY, [1.0, 2.0]))
        await pipeline.ingest(rows(ids(pipeline)["river/other"], CHINA_DAY, [3.0]))
        await pipeline.start_sources()
        status = pipeline.uplinks.statuses()[0]
        await until(lambda: status.answered == 3)
        assert status.refused == {"server": 2}
        await until(lambda: "there is no Datastream with id 4000" in status.detail)
        await pipeline.ingest(rows(ids(pipeline)["river/other"], CHINA_DAY + MINUTE, [3.5]))
        await until(lambda: "river/gone: no such Datastream" in status.detail)
