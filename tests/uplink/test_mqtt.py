"""MQTT uplinks through a real Mosquitto: nothing lost over restarts of either side, and what may be doubled says so."""

from __future__ import annotations

import numpy as np

from tests.acquisition.brokers import broker
from tests.pipeline.conftest import RIVER, ids, rows, running, until, values
from tests.uplink.platforms import CHINA_DAY, MINUTE


def sender(port, **options):
    fast = {"reconnect_first_s": 0.02, "reconnect_longest_s": 0.1, "since": "2024-01-01T00:00:00Z", "window": 7}
    told = {"host": "127.0.0.1", "port": port, "client_id": "onward", "format": "sensorthings", **fast, **options}
    return {
        "thing": [RIVER],
        "datastream": [{"key": "river/ph", "thing": "river", "property": "ph", "profile": ""}],
        "uplink": [{"name": "broker", "receiver": "mqtt", "options": told}],
    }


def receiver(port):
    topics = [{"topic": "v1.1/+/Observations", "format": "sensorthings"}]
    options = {"port": port, "client_id": "inward", "topics": topics, "reconnect_first_s": 0.05}
    source = {"name": "net", "driver": "mqtt", "thing": "river", "options": options}
    return {"thing": [RIVER], "source": [source]}


async def test_rows_revisions_and_outages_from_store_to_store(tmp_path):
    with broker() as at:
        async with running(tmp_path / "in", receiver(at.port)) as platform:
            await platform.start_sources()
            await until(lambda: any("connected" in one.detail for one in platform.sources()))

            def arrived():
                keys = [one.key for one in platform.store.catalog.datastreams()]
                return values(platform, keys[0]) if keys else []

            async with running(tmp_path / "out", sender(at.port)) as pipeline:
                number = ids(pipeline)["river/ph"]
                await pipeline.ingest(rows(number, CHINA_DAY, np.arange(20.0)))
                await pipeline.start_sources()
                await until(lambda: arrived() == list(range(20)))
                await pipeline.ingest(rows(number, CHINA_DAY, [7.5]))
                await until(lambda: arrived()[:2] == [7.5, 1.0])
                status = pipeline.uplinks.statuses()[0]
                await until(lambda: status.answered == 21)
                await until(lambda: not pipeline.uplinks.gaps("broker", CHINA_DAY, CHINA_DAY + 60 * MINUTE)["gaps"])
                at.stop()
                await until(lambda: status.state == "disconnected")
                await pipeline.ingest(rows(number, CHINA_DAY + 20 * MINUTE, np.arange(20.0, 30)))
                await until(lambda: status.waiting == 10)
            async with running(tmp_path / "out", sender(at.port)) as pipeline:
                at.start()
                await pipeline.start_sources()
                await until(lambda: arrived() == [7.5, *range(1, 30)])
                status = pipeline.uplinks.statuses()[0]
                await until(lambda: status.answered == 10)
                assert status.repeated == 0
                # The place is noted a moment after the last PUBACK.
                await until(lambda: not pipeline.uplinks.gaps("broker", CHINA_DAY, CHINA_DAY + 60 * MINUTE)["gaps"])
                assert await pipeline.uplinks.resend("broker", None, CHINA_DAY, CHINA_DAY + 5 * MINUTE) == 5
                await until(lambda: status.repeated == 5)
                await until(lambda: status.waiting == 0)


async def test_what_was_under_way_is_sent_again_as_repeated(tmp_path):
    """A crash between the broker's PUBACK and our note of it: the place is behind, and the rows say so."""
    with broker() as at:
        async with running(tmp_path, sender(at.port)) as pipeline:
            number = ids(pipeline)["river/ph"]
            await pipeline.ingest(rows(number, CHINA_DAY, np.arange(5.0)))
            ledger = pipeline.store.catalog.uplinks
            position = {"commit": 0, "id": (1 << 63) - 1, "under_way": None, "again": [], "from": None}
            ledger.begin("broker", "mqtt", 0, position)
            last = int(pipeline.store.snapshot().read([number], columns=["id"])["id"][2].as_py())
            ledger.move("broker", position | {"under_way": [pipeline.store.sequence(), last]})
            await pipeline.start_sources()
            status = pipeline.uplinks.statuses()[0]
            await until(lambda: status.answered == 5)
            assert status.repeated == 3
            await until(lambda: ledger.position("broker").position["under_way"] is None)
