"""HJ 212 uplinks against our own receiving driver, run for real, through a proxy that fails."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nilometer.acquisition.driver import Channel
from nilometer.model import SampleKind
from nilometer.model.properties import vocabulary
from nilometer.pipeline.review_orders import Order
from nilometer.store.uplink_ledger import PeriodState
from tests.pipeline.conftest import ids, raw, rows, running, until
from tests.uplink.platforms import CHINA_DAY, HOUR, MINUTE, Clock, proxied, received, station


async def fill(pipeline, key, start, values, step=MINUTE, **columns):
    return await pipeline.ingest(rows(ids(pipeline)[key], start, values, step=step, **columns))


async def test_hours_and_days_arrive_as_they_were_measured(tmp_path):
    clock = Clock(CHINA_DAY + 25 * HOUR)
    async with proxied(tmp_path / "platform") as (platform, proxy):
        config = station(proxy.port, minute_min=30, datastreams=("codcr", "ph", "flow_rate"))
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/codcr", CHINA_DAY, [20.0, 20.25, 20.5, 20.5, 9.0, 9.5])
            await fill(pipeline, "mill/ph", CHINA_DAY, [6.0, 8.0])
            await fill(pipeline, "mill/flow_rate", CHINA_DAY, [10.0, 20.0])
            await pipeline.start_sources()
            await until(lambda: received(platform, "w00000", "Cou", "day"))
            await until(lambda: pipeline.uplinks.statuses()[0].waiting == 0)
            # 99.75 / 6 = 16.625 → 16.6; 10^-6 and 10^-8 → pH 6.2967; 15 L/s over an hour = 54 m³.
            assert received(platform, "w01018", "Avg", "hour") == [(CHINA_DAY, 16.6, "N")]
            assert received(platform, "w01018", "Max", "minute") == [(CHINA_DAY, 20.5, "N")]
            assert received(platform, "w01001", "Avg", "hour") == [(CHINA_DAY, 6.30, "N")]
            assert received(platform, "w00000", "Cou", "hour") == [(CHINA_DAY, 54.0, "N")]
            assert received(platform, "w00000", "Cou", "day") == [(CHINA_DAY, 1296.0, "N")]
            ledger = pipeline.store.catalog.uplinks
            hours = ledger.periods("province", "hour")
            assert [one.state for one in hours[:2]] == [PeriodState.ANSWERED, PeriodState.EMPTY]
            assert len(hours) == 25
            assert (hours[0].rows, hours[0].body) == (10, None)


async def test_an_outage_is_made_up_for_and_nothing_is_sent_twice(tmp_path):
    clock = Clock(CHINA_DAY + HOUR)
    only_hours = {"minute_min": None, "days": False}
    async with proxied(tmp_path / "platform") as (platform, proxy):
        config = station(proxy.port, **only_hours)
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/codcr", CHINA_DAY, np.arange(6.0), step=HOUR)
            await pipeline.start_sources()
            await until(lambda: len(received(platform, "w01018", "Avg", "hour")) == 1)
            ledger, status = pipeline.store.catalog.uplinks, pipeline.uplinks.statuses()[0]
            await until(lambda: status.answered == 1)
            # Answers are swallowed: the hour is on the platform's disk, and we cannot know it.
            proxy.mute = True
            clock.now += HOUR
            await until(lambda: status.repeated >= 1)
            await until(lambda: status.state == "silent")
            proxy.cut()
            clock.now += 3 * HOUR
            await until(lambda: status.state == "disconnected")
            assert [one.state for one in ledger.periods("province", "hour")] == ["answered", "sent"]
            proxy.mute = False
            proxy.mend()
            await until(lambda: len(received(platform, "w01018", "Avg", "hour")) == 5)
            await until(lambda: status.waiting == 0)
            assert [value for _, value, _ in received(platform, "w01018", "Avg", "hour")] == [0.0, 1.0, 2.0, 3.0, 4.0]
            assert {one.state for one in ledger.periods("province", "hour")} == {PeriodState.ANSWERED}
            # What was sent again was the same frame, with its QN: one of a kind each.
            frames = [frame for frame in bytes(proxy.sent).split(b"\r\n") if frame]
            assert len(set(frames)) == 5 < len(frames)


async def test_each_receiver_has_its_own_edition_number_codes_and_pace(tmp_path):
    clock = Clock(CHINA_DAY + HOUR)
    city_device, quiet = "88888880000001", {"minute_min": None, "days": False}
    told = {"stations": [city_device], "password": "654321", "edition": "2005"}
    async with proxied(tmp_path / "province") as (province, near), proxied(tmp_path / "city", **told) as (city, far):
        config = station(near.port, datastreams=("codcr", "ph"), **quiet)
        other = station(far.port, name="city", device=city_device, password="654321", edition="2005", **quiet)
        other["uplink"][0]["options"]["codes"] = {"w01018": {"decimals": 0}}
        config["uplink"] += other["uplink"]
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/codcr", CHINA_DAY, np.arange(6.0) + 10.5, step=HOUR)
            await fill(pipeline, "mill/ph", CHINA_DAY, np.full(6, 7.25), step=HOUR)
            far.cut()
            await pipeline.start_sources()
            # One is away, which is nothing to the other.
            clock.now += 3 * HOUR
            await until(lambda: len(received(province, "w01018", "Avg", "hour")) == 4)
            ledger = pipeline.store.catalog.uplinks
            await until(lambda: len(ledger.periods("province", "hour", states=[PeriodState.ANSWERED])) == 4)
            assert received(city, "011", "Avg", "hour") == []
            far.mend()
            await until(lambda: len(received(city, "011", "Avg", "hour")) == 4)
            await until(lambda: len(ledger.periods("city", "hour", states=[PeriodState.ANSWERED])) == 4)
            # 10.5 and 12.5 go to the even digit; the city asked for whole numbers, and for nothing but COD.
            assert [value for _, value, _ in received(city, "011", "Avg", "hour")] == [10.0, 12.0, 12.0, 14.0]
            assert [value for _, value, _ in received(province, "w01018", "Avg", "hour")] == [10.5, 11.5, 12.5, 13.5]
            assert len(received(province, "w01001", "Avg", "hour")) == 4
            assert b"MN=88888880000001;" in far.sent
            assert b"PW=654321;" in far.sent
            assert b"001-" not in far.sent


async def test_the_platform_asks_for_what_it_lacks(tmp_path):
    clock = Clock(CHINA_DAY + 6 * HOUR)
    async with proxied(tmp_path / "platform", refill=["hour"], refill_after_s=0.05, refill_days=3650) as (
        platform,
        proxy,
    ):
        since = "2024-05-01T05:00:00+08:00"
        config = station(proxy.port, minute_min=None, days=False, since=since)
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/codcr", CHINA_DAY, np.arange(6.0), step=HOUR)
            await platform.deliver("stations", _hour(CHINA_DAY))
            await pipeline.start_sources()
            await until(lambda: len(received(platform, "w01018", "Avg", "hour")) == 6)
            ledger = pipeline.store.catalog.uplinks
            await until(lambda: len(ledger.periods("province", "hour", states=[PeriodState.ANSWERED])) == 5)


def _hour(start):
    """An hour that the platform has from before."""
    channel = Channel("w01018-Avg.hour", "codcr", "mg L-1")
    return raw(channel, start, [0.0], duration=np.array([HOUR]), mark=["N"])


async def test_what_no_instrument_measured_never_leaves(tmp_path):
    clock = Clock(CHINA_DAY + 3 * HOUR)
    async with proxied(tmp_path / "platform") as (platform, proxy):
        config = station(proxy.port, minute_min=None, days=False)
        config["datastream"] += station(proxy.port, datastreams=("nh3_n",), origin="simulated")["datastream"]
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/nh3_n", CHINA_DAY, [1.0])
            catalog, number = pipeline.store.catalog, ids(pipeline)["mill/codcr"]
            features = [catalog.water_feature(number), catalog.sample_feature(number, SampleKind.SPAN)]
            await fill(pipeline, "mill/codcr", CHINA_DAY, [10.0, 11.0], feature=np.array(features, np.int32))
            await fill(pipeline, "mill/codcr", CHINA_DAY + HOUR, [20.0, 30.0])
            order = {"start": CHINA_DAY + HOUR, "end": CHINA_DAY + HOUR + 1, "by": "Li", "reason": "fouling"}
            await pipeline.review(
                Order(action="offset", datastreams=["mill/codcr"], parameters={"offset": 1.0}, **order)
            )
            await pipeline.start_sources()
            await until(lambda: len(received(platform, "w01018", "Avg", "hour")) == 2)
            hours = [(CHINA_DAY, 10.0, "N"), (CHINA_DAY + HOUR, 30.0, "N")]
            assert received(platform, "w01018", "Avg", "hour") == hours
            status = pipeline.uplinks.statuses()[0]
            await until(lambda: status.waiting == 0)
            assert status.refused == {"sample": 1, "corrected": 1}
            assert "mill/nh3_n (simulated)" in status.detail
            assert b"w21003" not in proxy.sent


async def test_late_rows_fill_what_was_empty_and_mark_what_was_sent(tmp_path, monkeypatch):
    monkeypatch.setattr("nilometer.uplink.hj212_station.LOOK_EVERY_S", 0.0)
    clock = Clock(CHINA_DAY + 2 * HOUR)
    async with proxied(tmp_path / "platform") as (platform, proxy):
        config = station(proxy.port, minute_min=None, days=False)
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await fill(pipeline, "mill/codcr", CHINA_DAY, [1.0])
            await pipeline.start_sources()
            ledger, status = pipeline.store.catalog.uplinks, pipeline.uplinks.statuses()[0]
            await until(lambda: len(ledger.periods("province", "hour")) == 2)
            await fill(pipeline, "mill/codcr", CHINA_DAY + 10 * MINUTE, [3.0])
            await fill(pipeline, "mill/codcr", CHINA_DAY + HOUR, [7.0])
            await until(lambda: len(received(platform, "w01018", "Avg", "hour")) == 2)
            await until(lambda: status.waiting == 0)
            first, second = ledger.periods("province", "hour")
            assert (first.state, first.is_late, second.state, second.is_late) == ("answered", True, "answered", False)
            assert received(platform, "w01018", "Avg", "hour")[0] == (CHINA_DAY, 1.0, "N")
            # Somebody decides that the platform shall have it as it is now.
            ledger.ask("province", "hour", CHINA_DAY, CHINA_DAY + HOUR, clock())
            pipeline.uplinks.wake()
            await until(lambda: received(platform, "w01018", "Avg", "hour")[0] == (CHINA_DAY, 2.0, "N"))


@pytest.mark.parametrize("edition", ["2005", "2017", "2025"])
async def test_the_present_is_sent_in_packets_that_fit(tmp_path, edition):
    clock = Clock(CHINA_DAY)
    keys = [term.key for term in vocabulary().values() if term.hj525]
    async with proxied(tmp_path / "platform", edition=edition) as (platform, proxy):
        quiet = {"minute_min": None, "hours": False, "days": True}
        config = station(proxy.port, real_time_s=60, datastreams=keys, edition=edition, over_time_s=20, **quiet)
        async with running(tmp_path / "station", config, clock=clock) as pipeline:
            await pipeline.start_sources()
            status = pipeline.uplinks.statuses()[0]
            for key in keys:
                await fill(pipeline, f"mill/{key}", CHINA_DAY + MINUTE // 2, [5.25], mark=pa.array(["M"]))
            await until(lambda: pipeline.store.snapshot().count() == len(keys))
            clock.now = CHINA_DAY + MINUTE
            code = "011" if edition == "2005" else "w01018"
            count = 2 if edition == "2005" else 3
            await until(lambda: status.answered == count)
            await until(lambda: received(platform, code, "Rtd", ""))
            assert f";{code}-Rtd=5.2,{code}-Flag=M".encode() in proxy.sent
            assert received(platform, code, "Rtd", "") == [(CHINA_DAY + MINUTE, 5.2, "M")]
            frames = [frame for frame in bytes(proxy.sent).split(b"\r\n") if frame]
            bits = {"2005": 3, "2017": 7, "2025": 11}[edition]
            assert [b"PNUM=%d;PNO=%d" % (count, at) in frame for at, frame in enumerate(frames, 1)] == [True] * count
            assert all(b";Flag=%d;" % bits in frame and len(frame) <= 1024 + 10 for frame in frames)
