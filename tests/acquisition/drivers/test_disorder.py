"""Late, doubled and overtaken messages of the stations that speak by themselves: every value keeps its own time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from tests.acquisition.sinks import RecordingSink

from nilometer.acquisition.drivers import hj212, nmea0183
from nilometer.acquisition.simulators import hj212 as station
from nilometer.acquisition.simulators import nmea0183 as talker
from nilometer.acquisition.simulators.feed import FunctionFeed
from nilometer.acquisition.simulators.simulator import Fault

SECOND = 1_000_000
PROTOCOLS = {"hj212": (hj212.DRIVER, station.SIMULATOR), "nmea0183": (nmea0183.DRIVER, talker.SIMULATOR)}
FAULTS = [Fault("late", 3, 5, amount=2), Fault("late", 3, 5), Fault("duplicate", 3, 5), Fault("out_of_order", 3, 5)]


def quick():
    """A clock that runs twenty times as fast, so that seconds of a protocol need not be waited for."""
    began, now = time.monotonic(), time.time_ns() // 1000
    return lambda: now + int(20e6 * (time.monotonic() - began))


def temperature(at):
    return at // SECOND % 1000 / 100


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind} {fault.amount:g}")
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_every_value_keeps_its_time_and_none_is_lost(protocol, fault):
    driver, simulator = PROTOCOLS[protocol]
    clock, sink = quick(), RecordingSink()
    virtual = simulator.make(
        None, FunctionFeed(lambda at: {"water_temperature": temperature(at)}), clock, [fault], interval_s=1.0
    )
    options = driver.options(**await virtual.start())
    tasks = [asyncio.create_task(driver.make(options, clock).run(sink))]
    tasks.append(asyncio.create_task(virtual.run()))
    await sink.until_rows(16)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    found = [
        (int(at) // SECOND, value)
        for batch in sink.batches
        for at, value, channel in zip(batch.phenomenon_time, batch.raw_result, batch.channel, strict=True)
        if batch.channels[channel].observed_property == "water_temperature"
    ]
    assert [value for _, value in found] == pytest.approx([temperature(at * SECOND) for at, _ in found])
    times = [at for at, _ in found]
    assert set(times) == set(range(min(times), max(times) + 1))
    if fault.kind == "out_of_order":
        assert times != sorted(times)
    if fault.kind == "duplicate":
        assert max(Counter(times).values()) == 2
