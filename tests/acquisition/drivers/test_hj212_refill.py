"""What an HJ 212 station lost is asked for: gaps that are filled, given up and named, or nobody's wish."""

from __future__ import annotations

import asyncio
import contextlib
import time

from tests.acquisition.drivers.hj212_receiver import WATER, Basin, Receiver, upload

from nilometer.acquisition.drivers.hj212 import DRIVER
from nilometer.acquisition.protocols.hj212 import encode_frame
from nilometer.acquisition.simulators.hj212 import SIMULATOR
from nilometer.acquisition.simulators.simulator import Fault


class FastClock:
    """A clock that runs so many times faster than the wall's."""

    def __init__(self, speed):
        self._speed, self._began, self.start = speed, time.monotonic_ns(), 1_717_171_200_000_000

    def __call__(self):
        return self.start + (time.monotonic_ns() - self._began) // 1000 * self._speed

    def seconds(self):
        return (self() - self.start) / 1e6


def minutes(basin, clock, name="minute"):
    """Which minutes since the clock's start are there of a mean."""
    keys = {key for key, *_ in basin.rows() if key.endswith(f"-Avg.{name}")}
    key = min(keys, default="")
    return sorted((at - clock.start) // 60_000_000 for one, at, *_ in basin.rows() if one == key)


def is_whole(found):
    return found == list(range(found[0], found[0] + len(found)))


@contextlib.asynccontextmanager
async def at_work(*coroutines):
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


REFILL = {"refill_after_s": 0.2, "refill_timeout_s": 10.0, "minute_interval_min": 1}


async def test_what_a_station_lost_is_asked_for_and_comes():
    clock, basin = FastClock(600), Basin()
    fault = Fault("restart", start_s=600.0, duration_s=900.0)
    simulator = SIMULATOR.make(None, WATER, clock, [fault], interval_s=10.0, minute_min=1, hours=True, resends=False)
    options = await simulator.start()
    driver = DRIVER.make(DRIVER.options(**options, **REFILL), clock)
    async with at_work(driver.run(basin), simulator.run()):
        await basin.until(lambda b: len(found := set_of(b, clock)) > 30 and is_whole(found))
    assert {report.detail for report in basin.reports if "did not come" in report.detail} == set()


async def test_after_its_own_pause_the_platform_asks_from_where_it_had_come():
    clock, basin = FastClock(600), Basin()
    simulator = SIMULATOR.make(None, WATER, clock, interval_s=10.0, minute_min=1, resends=False)
    options = await simulator.start()
    async with at_work(simulator.run()):
        async with at_work(DRIVER.make(DRIVER.options(**options, **REFILL), clock).run(basin)):
            await basin.until(lambda b: len(minutes(b, clock)) > 5)
        away = clock.seconds()
        while clock.seconds() < away + 600:
            await asyncio.sleep(0.05)
        assert minutes(basin, clock)[-1] < clock.seconds() / 60 - 5
        async with at_work(DRIVER.make(DRIVER.options(**options, **REFILL), clock).run(basin)):
            await basin.until(lambda b: minutes(b, clock)[-1] > (away + 600) / 60 and is_whole(set_of(b, clock)))


def set_of(basin, clock):
    return sorted(set(minutes(basin, clock)))


async def test_a_gap_that_nobody_can_fill_is_given_up_and_named():
    async with Receiver(refill_after_s=0.01, refill_timeout_s=5.0, refill_tries=2, stations=("A1",)) as receiver:
        station = await receiver.station()
        for number, at in enumerate(("20240601120000", "20240601121000", "20240601125000")):
            station.writer.write(upload(str(number), "2051", area=f"DataTime={at};w01018-Avg=35.2"))
        asked = []
        while len(asked) < 2:
            message = await station.answer()
            if message.command != "2051":
                assert message.command == "9014"
                continue
            asked.append((message.fields["BeginTime"], message.fields["EndTime"]))
            assert (message.system, message.header["PW"], message.device, message.flag) == ("32", "123456", "A1", 5)
            for command, name, outcome in (("9011", "QnRtn", "1"), ("9012", "ExeRtn", "100")):
                header = f"QN={message.request};ST=91;CN={command};PW=123456;MN=A1;Flag=4"
                station.writer.write(encode_frame(f"{header};CP=&&{name}={outcome}&&".encode()))
        assert asked == [("20240601122000", "20240601124959")] * 2
        told = "minute data of 20240601122000 to 20240601124000 did not come, asked for 2 times (no data)"
        await receiver.basin.until(lambda b: any(report.detail == told for report in b.reports))
        await station.close()


async def test_nothing_is_asked_for_where_it_is_not_wanted():
    async with Receiver(refill=(), refill_after_s=0.01, stations=("A1",)) as receiver:
        station = await receiver.station()
        for number, at in enumerate(("20240601120000", "20240601125000")):
            station.writer.write(upload(str(number), "2051", area=f"DataTime={at};w01018-Avg=35.2"))
        station.writer.write(upload("9", "9015", area=""))
        answers = [await station.answer() for _ in range(3)]
        assert [message.command for message in answers] == ["9014"] * 3
        await station.close()
