"""SL 651 uplinks against our own receiving driver, run for real, through a proxy that fails."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
import pyarrow as pa
import pytest

from nilometer.store.uplink_ledger import PeriodState
from tests.acquisition.ports import reserved_port
from tests.pipeline.conftest import ids, rows, running, until
from tests.uplink.platforms import CHINA_DAY, HOUR, MINUTE, Clock, Proxy

STATION = "0012345678"


@asynccontextmanager
async def centre(folder, clock, **options):
    """A centre that listens behind a proxy that can fail."""
    with reserved_port() as port:
        told = {"port": port, "stations": [STATION], "clock_tolerance_s": 1e9, **options}
        source = {"name": "stations", "driver": "sl651", "thing": "centre", "options": told}
        config = {"thing": [{"key": "centre", "name": "Centre"}], "source": [source]}
        async with running(folder, config, clock=clock) as pipeline:
            await pipeline.start_sources()
            await until(lambda: "waiting for stations" in pipeline.sources()[0].detail)
            proxy = Proxy(port)
            await proxy.start()
            try:
                yield pipeline, proxy
            finally:
                await proxy.close()


def gauge(port, *, datastreams=("water_level",), origin="instrument", **options):
    fast = {"over_time_s": 0.3, "retries": 1, "reconnect_first_s": 0.02, "reconnect_longest_s": 0.1, "delay_s": 0}
    told = {"host": "127.0.0.1", "port": port, "station": STATION, "since": "2024-05-01T00:00:00+08:00"}
    streams = [
        {"key": f"gauge/{key}", "thing": "gauge", "property": key, "origin": origin, "profile": ""}
        for key in datastreams
    ]
    return {
        "thing": [{"key": "gauge", "name": "Gauge", "time_zone": "Asia/Shanghai"}],
        "datastream": streams,
        "uplink": [{"name": "basin", "receiver": "sl651", "things": ["gauge"], "options": told | fast | options}],
    }


def received(pipeline, symbol):
    known = pipeline.store.catalog.datastreams()
    found = [one.id for one in known if one.properties["nilometer"].get("channel") == symbol]
    if not found:
        return []
    table = pipeline.store.snapshot().read(found)
    return list(zip(table["phenomenon_time"].cast("int64").to_pylist(), table["result"].to_pylist(), strict=True))


async def fill(pipeline, key, start, values, step=HOUR, **columns):
    return await pipeline.ingest(rows(ids(pipeline)[key], start, values, step=step, **columns))


@pytest.mark.parametrize("coding", ["hex", "ascii"])
async def test_each_hours_newest_value_arrives_with_its_own_time(tmp_path, coding):
    clock = Clock(CHINA_DAY + 3 * HOUR)
    async with centre(tmp_path / "centre", clock) as (basin, proxy):
        config = gauge(proxy.port, datastreams=("water_level", "water_temperature"), coding=coding)
        async with running(tmp_path / "gauge", config, clock=clock) as pipeline:
            await fill(pipeline, "gauge/water_level", CHINA_DAY + HOUR, [10.1234, -0.5, 12.0])
            await fill(pipeline, "gauge/water_temperature", CHINA_DAY + 10 * MINUTE, [8.25, 8.35], step=20 * MINUTE)
            await pipeline.start_sources()
            await until(lambda: len(received(basin, "Z")) == 3)
            await until(lambda: pipeline.uplinks.statuses()[0].waiting == 0)
            assert received(basin, "Z") == [
                (CHINA_DAY + HOUR, 10.123),
                (CHINA_DAY + 2 * HOUR, -0.5),
                (CHINA_DAY + 3 * HOUR, 12.0),
            ]
            # Half to even, in decimals: 8.35 is 8.4.
            assert received(basin, "C") == [(CHINA_DAY + 30 * MINUTE, 8.4)]


async def test_an_outage_is_made_up_for_and_what_was_not_confirmed_is_sent_as_it_was(tmp_path):
    clock = Clock(CHINA_DAY + HOUR)
    async with centre(tmp_path / "centre", clock) as (basin, proxy):
        async with running(tmp_path / "gauge", gauge(proxy.port), clock=clock) as pipeline:
            await fill(pipeline, "gauge/water_level", CHINA_DAY + HOUR, np.arange(6.0))
            await pipeline.start_sources()
            await until(lambda: len(received(basin, "Z")) == 1)
            ledger, status = pipeline.store.catalog.uplinks, pipeline.uplinks.statuses()[0]
            await until(lambda: status.answered == 1)
            # Confirmations are swallowed: the hour is on the centre's disk, and we cannot know it.
            proxy.mute = True
            clock.now += HOUR
            await until(lambda: status.repeated >= 1)
            await until(lambda: status.state == "silent")
            proxy.cut()
            clock.now += 3 * HOUR
            await until(lambda: status.state == "disconnected")
            assert [one.state for one in ledger.periods("basin", "report")] == ["answered", "sent"]
            proxy.mute = False
            proxy.mend()
            await until(lambda: len(received(basin, "Z")) == 5)
            await until(lambda: status.waiting == 0)
            assert [value for _, value in received(basin, "Z")] == [0.0, 1.0, 2.0, 3.0, 4.0]
            assert {one.state for one in ledger.periods("basin", "report")} == {PeriodState.ANSWERED}


async def test_what_no_instrument_said_of_the_water_never_leaves(tmp_path):
    clock = Clock(CHINA_DAY + 2 * HOUR)
    async with centre(tmp_path / "centre", clock) as (basin, proxy):
        config = gauge(proxy.port, datastreams=("water_level", "ph"))
        config["datastream"] += gauge(0, datastreams=("dissolved_oxygen",), origin="simulated")["datastream"]
        async with running(tmp_path / "gauge", config, clock=clock) as pipeline:
            await fill(pipeline, "gauge/dissolved_oxygen", CHINA_DAY + HOUR, [8.0])
            await fill(pipeline, "gauge/ph", CHINA_DAY + HOUR, [7.0], mark=pa.array(["D"]))
            await fill(pipeline, "gauge/water_level", CHINA_DAY + HOUR, [10.0], censored=np.array([1], np.int8))
            await fill(pipeline, "gauge/water_level", CHINA_DAY + 90 * MINUTE, [11.0])
            await pipeline.start_sources()
            await until(lambda: received(basin, "Z"))
            await until(lambda: pipeline.uplinks.statuses()[0].waiting == 0)
            assert received(basin, "Z") == [(CHINA_DAY + 90 * MINUTE, 11.0)]
            assert received(basin, "PH") == received(basin, "DO") == []
            status = pipeline.uplinks.statuses()[0]
            assert status.refused == {"mark": 1, "censored": 1}
            assert "gauge/dissolved_oxygen is simulated" in status.detail


async def test_a_centre_asks_for_the_present(tmp_path):
    clock = Clock(CHINA_DAY + HOUR)
    async with centre(tmp_path / "centre", clock, ask_now=True) as (basin, proxy):
        async with running(tmp_path / "gauge", gauge(proxy.port), clock=clock) as pipeline:
            await fill(pipeline, "gauge/water_level", CHINA_DAY + 30 * MINUTE, [10.0])
            await pipeline.start_sources()
            await until(lambda: pipeline.uplinks.statuses()[0].answered == 2)
            assert received(basin, "Z") == [(CHINA_DAY + 30 * MINUTE, 10.0)]
