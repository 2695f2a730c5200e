"""The NMEA 0183 driver against its simulator over real loopback links."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from pydantic import ValidationError
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import RawBatch, SourceReport, SourceState
from nilometer.acquisition.drivers.nmea0183 import DRIVER
from nilometer.acquisition.protocols.nmea0183 import encode
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.nmea0183 import SIMULATOR
from nilometer.acquisition.simulators.simulator import Fault, Reading

WATER = ConstantFeed(
    {
        "water_temperature": 15.25,
        "depth_below_transducer": 12.5,
        "salinity": 34.512,
        "wind_speed": 5.0,
        "wind_direction": 270.0,
        "dissolved_oxygen": 8.25,
        "air_pressure": Reading(float("nan")),
    }
)


def now() -> int:
    return time.time_ns() // 1000


class Basin:
    """A sink that keeps what it is given."""

    def __init__(self):
        self.batches: list[RawBatch] = []
        self.reports: list[SourceReport] = []
        self.changed = asyncio.Event()

    async def emit(self, batch):
        self.batches.append(batch)
        self.changed.set()

    def report(self, report):
        self.reports.append(report)
        self.changed.set()

    async def until(self, holds):
        async with asyncio.timeout(PATIENCE_S):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()

    def values(self):
        return {
            batch.channels[i].key: value
            for batch in self.batches
            for i, value in zip(batch.channel, batch.raw_result.tolist(), strict=True)
        }

    def states(self):
        return [report.state for report in self.reports if not report.device]


async def running(*awaitables):
    tasks = [asyncio.create_task(awaitable) for awaitable in awaitables]
    await asyncio.sleep(0)
    return tasks


async def end(tasks):
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@pytest.mark.parametrize("transport", ["tcp", "udp", "serial"])
async def test_what_the_platform_says_arrives_over_every_link(transport):
    simulator = SIMULATOR.make(None, WATER, now, transport=transport, interval_s=0.1, latitude=52.5, longitude=-4.25)
    options = await simulator.start()
    driver = DRIVER.make(DRIVER.options(**options, moving=True), now)
    basin = Basin()
    tasks = await running(driver.run(basin), simulator.run())
    await basin.until(
        lambda b: {"MTW.water_temperature", "XDR.L.salinity", "XDR.G.dissolved_oxygen"} <= set(b.values())
    )
    await end(tasks)
    values = basin.values()
    assert values["MTW.water_temperature"] == 15.25
    assert values["DPT.depth_below_transducer"] == 12.5
    assert values["XDR.L.salinity"] == 34.512
    assert values["XDR.G.dissolved_oxygen"] == 8.25
    assert values["MWD.wind_speed"] == pytest.approx(9.72)
    assert "MMB.air_pressure" not in values
    assert SourceState.LIVE in basin.states()
    batch = basin.batches[-1]
    assert abs(int(batch.phenomenon_time[-1]) - now()) < 60_000_000
    assert batch.latitude[-1] == pytest.approx(52.5)
    assert batch.longitude[-1] == pytest.approx(-4.25)


async def test_talkers_that_dial_in_are_served_side_by_side():
    driver = DRIVER.make(DRIVER.options(link="tcp_server", port=0, time="arrival"), now)
    basin = Basin()
    tasks = await running(driver.run(basin))
    await basin.until(lambda b: any("waiting for a talker" in report.detail for report in b.reports))
    port = int(basin.reports[-1].detail.rpartition(":")[2])
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(2)]
    writers[0].write(encode("YX", "MTW", ["15.2", "C"])[:8])
    writers[1].write(encode("SD", "DPT", ["2.5", "", ""]))
    writers[0].write(encode("YX", "MTW", ["15.2", "C"])[8:])
    await basin.until(lambda b: len(b.values()) == 2)
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    await basin.until(lambda b: [r.state for r in b.reports if r.device].count(SourceState.DISCONNECTED) == 2)
    await end(tasks)


async def test_silence_becomes_a_state_and_the_platform_comes_back_by_itself():
    clock, basin = JumpingClock(), Basin()
    simulator = SIMULATOR.make(None, WATER, clock, [Fault("silence", HOUR_S, HOUR_S)], interval_s=0.05)
    driver = DRIVER.make(DRIVER.options(**await simulator.start(), silent_after_s=0.2), clock)
    tasks = await running(driver.run(basin), simulator.run())
    for state in (SourceState.LIVE, SourceState.SILENT, SourceState.LIVE):
        await basin.until(lambda b, state=state: b.states()[-1] is state)
        clock.jump()
    await end(tasks)


async def test_a_restart_is_a_cut_and_the_driver_dials_again():
    clock, basin = JumpingClock(), Basin()
    simulator = SIMULATOR.make(None, WATER, clock, [Fault("restart", HOUR_S, HOUR_S)], interval_s=0.05)
    options = DRIVER.options(**await simulator.start(), reconnect_first_s=0.05, reconnect_longest_s=0.1)
    tasks = await running(DRIVER.make(options, clock).run(basin), simulator.run())
    for state in (SourceState.LIVE, SourceState.DISCONNECTED, SourceState.LIVE):
        await basin.until(lambda b, state=state: b.states()[-1] is state)
        clock.jump()
    await end(tasks)


async def test_sentences_with_a_wrong_checksum_are_counted_and_not_believed():
    faults = [Fault("wrong_crc", 0.0, 3600.0)]
    simulator = SIMULATOR.make(None, WATER, now, faults, interval_s=0.05)
    basin = Basin()
    tasks = await running(DRIVER.make(DRIVER.options(**await simulator.start()), now).run(basin), simulator.run())
    await basin.until(lambda b: sum(report.bad_frames for report in b.reports) >= 10)
    await end(tasks)
    assert not basin.batches
    assert any(report.detail.startswith("checksum_mismatch") for report in basin.reports)


@pytest.mark.real
async def test_a_recorded_log_is_played_with_its_own_clock(real_data):
    log = real_data / "raw_logs/nmea0183/depths.nmea"
    simulator = SIMULATOR.make(None, ConstantFeed({}), now, lines=log, lines_per_tick=500, interval_s=0.005)
    basin = Basin()
    options = DRIVER.options(**await simulator.start(), sentences=("DPT", "MTW"))
    driver = DRIVER.make(options, now)
    tasks = await running(simulator.run(), driver.run(basin))
    await basin.until(lambda b: sum(map(len, b.batches)) >= 2504)
    await end(tasks)
    rows = [
        (batch.channels[i].key, at)
        for batch in basin.batches
        for i, at in zip(batch.channel, batch.phenomenon_time.tolist(), strict=True)
    ]
    for key, count in (("DPT.depth_below_transducer", 1255), ("MTW.water_temperature", 1249)):
        times = [at for name, at in rows if name == key]
        assert len(times) == len(set(times)) == count
        assert times[0] == 1_473_250_763_000_000  # 2016-09-07T12:19:23Z
        assert times == sorted(times)


@pytest.mark.parametrize(
    "options",
    [{"link": "tcp"}, {"link": "serial"}, {"port": 1, "xdr": {"C.x": {"property": "water_temprature"}}}, {"prot": 1}],
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValidationError):
        DRIVER.options(**options)


async def test_an_unreachable_platform_is_a_visible_state():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        basin = Basin()
        tasks = await running(DRIVER.make(DRIVER.options(port=port), now).run(basin))
        await basin.until(lambda b: SourceState.DISCONNECTED in b.states())
        await end(tasks)
    assert "cannot connect" in basin.reports[-1].detail
