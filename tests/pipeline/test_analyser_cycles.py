"""An analyser's cycle from the wire into the store: one observation, from sample to result, however often shown."""

from __future__ import annotations

import asyncio

from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.protocols.hj212 import encode_frame
from nilometer.acquisition.simulators.feed import FunctionFeed
from nilometer.acquisition.simulators.modbus import ModbusSimulator, Occupant
from nilometer.acquisition.simulators.simulator import Reading
from tests.acquisition.ports import reserved_port
from tests.pipeline.conftest import RIVER, running, stored, until

MINUTE = 60_000_000
MORNING = 1_719_792_000_000_000  # 2024-07-01 08:00 in China
SAMPLED = "w01018-SampleTime=20240701080000"
ANALYSER = """
title = "Analyser with a clock of its own"
maker = "nobody"
protocol = "modbus"
document = "made for the test"
evidence = "none"

[[cycle]]
name = "codmn"
start = { address = 0, unit = "calendar", zone = "Asia/Shanghai" }
completion = { address = 6, unit = "bcd", zone = "Asia/Shanghai" }
state = { address = 9, done = [2, 3], running = 1 }
nominal_s = 2700
period_s = 14400

[[channel]]
key = "codmn"
observed_property = "codmn"
unit = "mg L-1"
address = 10
cycle = "codmn"
"""


class Analyser:
    """A Modbus analyser of which the test says when it sampled what, and what time it is."""

    def __init__(self, folder):
        self.now, self.reading = MORNING + 50 * MINUTE, Reading(3.4, MORNING)
        self.file = folder / "analyser.toml"
        self.file.write_text(ANALYSER)
        self.simulator = ModbusSimulator([Occupant(instrument(self.file), FunctionFeed(self._at))], lambda: self.now)
        self.polled = 0

    def _at(self, _time):
        self.polled += 1
        return {"codmn": self.reading}


def cycles(pipeline):
    table = stored(pipeline)
    columns = ("phenomenon_time", "duration", "result_time", "result")
    return [tuple(_us(row[name]) for name in columns) for row in table.select(columns).to_pylist()]


def _us(value):
    return int(value.timestamp() * 1e6) if hasattr(value, "timestamp") else value


async def test_a_modbus_analyser_gives_one_row_a_cycle_over_polls_and_restarts(tmp_path):
    analyser = Analyser(tmp_path)
    options = {**await analyser.simulator.start(), "instrument": str(analyser.file), "poll_interval_s": 0.02}
    config = {"thing": [RIVER], "source": [{"name": "a", "driver": "modbus_tcp", "thing": "river", "options": options}]}
    serving = asyncio.create_task(analyser.simulator.run())
    first = (MORNING, 45 * MINUTE, MORNING + 45 * MINUTE, 3.4)
    try:
        async with running(tmp_path / "data", config) as pipeline:
            await pipeline.start_sources()
            await until(lambda: cycles(pipeline) == [first])
            # It has sampled again and shows the new time beside the old result: that is no new observation.
            analyser.reading, analyser.now = Reading(4.1, MORNING + 240 * MINUTE), MORNING + 250 * MINUTE
            polled = analyser.polled
            await until(lambda: analyser.polled > polled + 5)
            assert cycles(pipeline) == [first]
            assert pipeline.sources()[0].received == 1
            analyser.now = MORNING + 290 * MINUTE
            second = (MORNING + 240 * MINUTE, 45 * MINUTE, MORNING + 285 * MINUTE, 4.1)
            await until(lambda: cycles(pipeline) == [first, second])
        async with running(tmp_path / "data", config) as pipeline:
            await pipeline.start_sources()
            # What was stored before the restart is shown again, and is known.
            await until(lambda: pipeline.sources()[0].received >= 1)
            await until(lambda: cycles(pipeline) == [first, second])
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_an_hj_212_analyser_gives_one_row_a_cycle_however_often_it_is_uploaded(tmp_path):
    with reserved_port() as port:
        options = {"port": port, "stations": ["A1"], "analysis_min": {"w01018": 40}, "answers": "always"}
        config = {"thing": [RIVER], "source": [{"name": "a", "driver": "hj212", "thing": "river", "options": options}]}
        async with running(tmp_path, config) as pipeline:
            await pipeline.start_sources()
            await until(lambda: any("waiting" in one.detail for one in pipeline.sources()))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for minute in (0, 1, 2):
                area = (
                    f"DataTime=202407010900{minute:02d};w01018-SampleTime=20240701080000,w01018-Rtd=35.2,w01018-Flag=N"
                )
                writer.write(encode_frame(f"QN=2024070109000{minute}000;ST=32;CN=2011;MN=A1;CP=&&{area}&&".encode()))
                await reader.readuntil(b"\r\n")
            area = "w21003-SampleTime=20240701080000,w21003-CompleteTime=20240701082500,w21003-Avg=0.5"
            writer.write(encode_frame(f"QN=20240701090003000;ST=32;CN=2013;MN=A1;CP=&&{area}&&".encode()))
            await reader.readuntil(b"\r\n")
            writer.close()
            assert sorted(cycles(pipeline), key=lambda row: -row[3]) == [
                (MORNING, 40 * MINUTE, MORNING + 40 * MINUTE, 35.2),
                (MORNING, 25 * MINUTE, MORNING + 25 * MINUTE, 0.5),
            ]
