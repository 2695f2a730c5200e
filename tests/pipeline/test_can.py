"""A CAN bus, an NMEA 2000 network and an IIO device into one store: a fault of one leaves the others alone."""

from __future__ import annotations

import asyncio

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Fault
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.pipeline.conftest import RIVER, running, stored, until

WATER = ConstantFeed({"water_temperature": 15.5, "ph": 7.4, "depth_below_transducer": 12.3})
FAST = {"reconnect_first_s": 0.05, "reconnect_longest_s": 0.2}


async def test_a_cut_of_one_is_seen_and_mended_while_the_others_go_on(tmp_path):
    clock = JumpingClock()
    made = {
        "nmea2000": ([Fault("restart", HOUR_S, HOUR_S)], {"interval_s": 0.1}),
        "can": ([], {"interval_s": 0.1, "interface": "virtual", "channel": "pipeline"}),
        "iio": ([], {}),
    }
    virtual = {
        name: simulators()[name].make(None, WATER, clock, faults, **link) for name, (faults, link) in made.items()
    }
    reached = {name: await one.start() for name, one in virtual.items()}
    tasks = [asyncio.create_task(one.run()) for one in virtual.values()]
    quick = {"nmea2000": FAST, "can": FAST, "iio": {"poll_interval_s": 0.1}}
    sources = [
        {"name": name, "driver": name, "thing": "river", "options": {**options, **quick[name]}}
        for name, options in reached.items()
    ]
    try:
        async with running(tmp_path, {"thing": [RIVER], "source": sources}) as pipeline:
            await pipeline.start_sources()

            def states():
                return {one.name: one.state for one in pipeline.sources()}

            await until(lambda: set(states().values()) == {SourceState.LIVE})
            clock.jump()
            await until(lambda: states()["nmea2000"] is SourceState.DISCONNECTED)
            assert (states()["can"], states()["iio"]) == (SourceState.LIVE, SourceState.LIVE)
            before = stored(pipeline).num_rows
            await until(lambda: stored(pipeline).num_rows > before + 3)
            clock.jump()
            await until(lambda: set(states().values()) == {SourceState.LIVE})
            values = {row["result"] for row in stored(pipeline).to_pylist()}
        assert {15.5, 7.4, 12.3} <= values
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
