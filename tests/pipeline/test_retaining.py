"""Retention through the whole pipeline: what goes, what a signature holds, and who is said to have done it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.pipeline.retaining import BY
from tests.web.conftest import CONFIG, MINUTE, NOON, open_station

API = "/api/v1"
DAY = 1440 * MINUTE
PH = "river/ph"


def keep(station, text, key=PH, **more):
    """Say in the catalog how long rows are kept."""
    catalog = station.pipeline.store.catalog
    one = catalog.datastream_by_key(key)
    ours = {**one.properties.get("nilometer", {}), "retention": text, **more}
    catalog.update_datastream(replace(one, properties={**one.properties, "nilometer": ours}))


def times(station, key=PH, snapshot=None):
    rows = (snapshot or station.pipeline.store.snapshot()).read([station.id(key)])
    return [(moment - NOON) // DAY for moment in rows["phenomenon_time"].cast("int64").to_pylist()]


async def test_rows_beyond_their_retention_go_and_the_audit_trail_says_why(tmp_path):
    async with open_station(tmp_path) as station:
        station.clock.now = NOON + 10 * DAY
        await station.ingest(PH, NOON, [7.0] * 11, step=DAY)
        await station.ingest("river/codmn", NOON, [4.0] * 11, step=DAY)
        then = station.pipeline.store.mark()
        keep(station, "3 d")
        assert await station.pipeline._retaining.look() == 7
        # Noon of UTC is eight in the evening there: day 7 began at midnight before.
        assert times(station) == [7, 8, 9, 10]
        assert times(station, "river/codmn") == list(range(11))
        store = station.pipeline.store
        assert times(station, snapshot=store.snapshot(store.snapshot().committed(then))) == list(range(11))
        (row,) = store.catalog.ledger.audit("observations.delete")
        assert row.actor == BY
        assert row.detail["comment"] == "kept for 3 d"
        before = store.sequence()
        assert await station.pipeline._retaining.look() == 0
        assert store.sequence() == before  # nothing is written where nothing is over
        station.clock.now += DAY
        assert await station.pipeline._retaining.look() == 1
        assert times(station) == [8, 9, 10]


async def test_the_end_waits_for_the_thread_that_reads_the_store(tmp_path, monkeypatch):
    began, goes_on = threading.Event(), threading.Event()

    def look(*_):
        began.set()
        assert goes_on.wait(20)
        return []

    async with open_station(tmp_path) as station:
        retaining = station.pipeline._retaining
        await retaining.stop()
        monkeypatch.setattr("nilometer.pipeline.retaining.expired", look)
        retaining.start()
        assert await asyncio.to_thread(began.wait, 20)
        ends = asyncio.ensure_future(retaining.stop())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not ends.done()
        goes_on.set()
        await ends


async def test_datastreams_of_one_stretch_go_in_one_commit(tmp_path):
    async with open_station(tmp_path) as station:
        station.clock.now = NOON + 10 * DAY
        for key in (PH, "river/codmn"):
            await station.ingest(key, NOON, [7.0] * 11, step=DAY)
            keep(station, "3 d", key)
        before = station.pipeline.store.sequence()
        assert await station.pipeline._retaining.look() == 14
        assert station.pipeline.store.sequence() == before + 1


async def test_what_somebody_signed_stays_unless_the_datastream_says_otherwise(tmp_path):
    async with open_station(tmp_path) as station:
        station.clock.now = NOON + 10 * DAY
        await station.ingest(PH, NOON, [7.0] * 11, step=DAY)
        order = {
            "action": "sign_off",
            "datastreams": [PH],
            "start": (NOON + 2 * DAY) // 1000,
            "end": (NOON + 4 * DAY) // 1000,
            "by": "Li",
            "reason": "approval",
            "level": "first",
        }
        answer = await station.client.post(f"{API}/reviews", json=order)
        assert answer.status_code == 200, answer.text
        keep(station, "3 d")
        assert await station.pipeline._retaining.look() == 5
        assert times(station) == [2, 3, 7, 8, 9, 10]
        assert await station.pipeline._retaining.look() == 0
        keep(station, "3 d", retention_signed=True)
        assert await station.pipeline._retaining.look() == 2
        assert times(station) == [7, 8, 9, 10]


async def test_a_retention_that_cannot_be_read_deletes_nothing_and_holds_up_nobody(tmp_path):
    async with open_station(tmp_path) as station:
        station.clock.now = NOON + 10 * DAY
        for key in (PH, "river/codmn"):
            await station.ingest(key, NOON, [7.0] * 11, step=DAY)
        keep(station, "a while")
        keep(station, "3 d", "river/codmn")
        assert await station.pipeline._retaining.look() == 7
        assert times(station) == list(range(11))


async def test_it_is_looked_when_the_pipeline_starts(tmp_path):
    async with open_station(tmp_path) as station:
        await station.ingest(PH, NOON, [7.0] * 11, step=DAY)
        keep(station, "1 y")
    async with open_station(tmp_path) as station:
        station.clock.now = NOON + 400 * DAY  # the clock stands at noon when it starts; nothing is over then
        assert times(station) == list(range(11))
        await station.pipeline._retaining.stop()
        station.pipeline._retaining.start()
        for _ in range(20_000):  # turns of the pump, in one of which the look deletes
            await station.pipeline._in_pump(lambda: None)
            if not times(station):
                break
        assert times(station) == []
        await station.pipeline._retaining.stop()


async def test_the_configuration_says_how_long_and_takes_it_back(tmp_path):
    async with open_station(tmp_path) as station:
        body = {"datastream": [{"key": PH, "thing": "river", "property": "ph", "retention": "5 y"}]}
        assert (await station.client.post(f"{API}/datastreams", json=body)).status_code == 200
        catalog = station.pipeline.store.catalog
        assert catalog.datastream_by_key(PH).properties["nilometer"]["retention"] == "5 y"
        body["datastream"][0].pop("retention")
        await station.client.post(f"{API}/datastreams", json=body)
        assert catalog.datastream_by_key(PH).properties["nilometer"]["retention"] == "5 y"
        body["datastream"][0]["retention"] = "forever"
        await station.client.post(f"{API}/datastreams", json=body)
        assert "retention" not in catalog.datastream_by_key(PH).properties["nilometer"]
        body["datastream"][0]["retention"] = "5 weeks"
        refused = await station.client.post(f"{API}/datastreams", json=body)
        assert refused.status_code == 400
        assert "'5 y'" in refused.json()["error"]["message"]


def test_a_channel_of_a_source_takes_a_retention_too():
    source = {"name": "a", "driver": "modbus_tcp", "thing": "river", "channels": {"t": {"retention": "18 months"}}}
    config = parse({"thing": CONFIG["thing"], "source": [source]})
    assert config.sources[0].channels["t"].retention == "18 months"
    source["channels"]["t"]["retention"] = "soon"
    with pytest.raises(ConfigError, match="18 months"):
        parse({"thing": CONFIG["thing"], "source": [source]})
