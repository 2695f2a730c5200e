"""``nilometer simulate``: a file as water, its faults, and the options it prints."""

from __future__ import annotations

import asyncio
import re
import tomllib
from contextlib import asynccontextmanager

import numpy as np
import pytest
from tests.acquisition.sinks import RecordingSink

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.session import feed_of, parse_fault, run_simulator
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.errors import ConfigError, LinkError, ReadError
from nilometer.pipeline import drivers, wall_clock

START = 1_700_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
def water(tmp_path):
    """Ten seconds of water, not in the order of time."""
    lines = ["time,pH,Temp (°C),COD (mg/L),Depth (m)"]
    lines += [f"2024-05-01T00:00:0{n}Z,7.{n},1{n}.5,3{n},2.{n}" for n in (*range(5, 10), *range(5))]
    file = tmp_path / "water.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@asynccontextmanager
async def simulated(instrument, data, *faults, speed=1.0, **link):
    """A simulator at work; gives the options that it printed, as nilometer.toml would read them."""
    said: asyncio.Queue[str] = asyncio.Queue()
    settings = {"port": 0, "path": None, "target": None, **link}
    running = asyncio.create_task(
        run_simulator(instrument, data, faults, speed=speed, link=settings, say=said.put_nowait)
    )
    told = asyncio.create_task(said.get())
    await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if running.done():
            await running
        printed = re.search(r"options = (\{.*\}) \(Ctrl-C", await told)
        yield tomllib.loads(f"options = {printed[1]}")["options"]
    finally:
        told.cancel()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def driven(name, options):
    info, sink = drivers()[name], RecordingSink()
    driver = info.make(info.options.model_validate(options), wall_clock)
    running = asyncio.create_task(driver.run(sink))
    try:
        yield sink
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def properties(sink):
    return {batch.channels[index].observed_property for batch in sink.batches for index in batch.channel}


def test_a_file_is_water_from_its_first_row_and_begins_again(water):
    feed = feed_of(read(water), start=START, speed=2.0)
    shown = [feed.at(START + n * SECOND // 2)["ph"].value for n in range(12)]
    assert np.allclose(shown, [7 + 0.1 * (n % 10) for n in range(12)])
    assert feed.at(START - 1) == {}
    assert feed.at(START)["Temp"].value == feed.at(START)["water_temperature"].value == 10.5


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("silence@60+20", Fault("silence", 60, 20)),
        ("spike:ph@30+5=3", Fault("spike", 30, 5, 3, "ph")),
        ("drift:dissolved oxygen@0+3600=-0.5", Fault("drift", 0, 3600, -0.5, "dissolved oxygen")),
        ("restart@0.5+.25", Fault("restart", 0.5, 0.25)),
    ],
)
def test_a_fault_is_written_in_a_line(text, fault):
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["", "spike", "spike@1", "spike@+1", "spik@1+1", "spike@1.2.3+1", "spike@1+1=x"])
def test_what_is_no_fault_is_refused_with_the_form(text):
    with pytest.raises(ConfigError, match="--fault"):
        parse_fault(text)


@pytest.mark.parametrize(
    ("instrument", "driver", "more", "measured"),
    [
        ("yosemitech_y4000", "modbus_tcp", {"poll_interval_s": 0.05}, {"ph", "water_temperature"}),
        ("nmea0183", "nmea0183", {"time": "arrival"}, {"water_temperature"}),
        ("hj212", "hj212", {}, {"ph", "codcr"}),
        ("meter_hydros_21", "sdi12", {"commands": ["R0"], "poll_interval_s": 0.05}, {"water_temperature"}),
    ],
)
async def test_the_options_that_are_printed_are_those_of_the_driver(water, instrument, driver, more, measured):
    async with simulated(instrument, water, speed=50) as options:
        async with driven(driver, {**options, **more}) as sink:
            await sink.until(lambda: measured <= properties(sink))


async def test_a_target_is_dialled(water):
    info = drivers()["modbus_rtu_tcp"]
    async with simulated("yosemitech_y4000", water, target="127.0.0.1:1") as options:
        assert (options["mode"], options["port"]) == ("listen", 1)
        info.options.model_validate(options)


async def test_faults_are_seen_by_the_driver(water):
    async with simulated("yosemitech_y4000", water, "silence@0+1000") as options:
        quick = {"poll_interval_s": 0.05, "timeout_s": 0.1, "retries": 0}
        async with driven("modbus_tcp", {**options, **quick}) as sink:
            await sink.until_said(SourceState.SILENT)
            assert not sink.batches
    async with simulated("yosemitech_y4000", water, "spike:ph@0+1000=50") as options:
        async with driven("modbus_tcp", {**options, "poll_interval_s": 0.05}) as sink:
            await sink.until(lambda: sink.batches)
            batch = sink.batches[0]
            seen = {batch.channels[c].key: v for c, v in zip(batch.channel, batch.raw_result, strict=True)}
            assert seen["ph"] >= 57
            assert seen["temperature"] < 20


@pytest.mark.parametrize(
    ("instrument", "link", "kind", "said"),
    [
        ("yosemitech_y400", {}, ConfigError, "did you mean yosemitech_y4000"),
        ("nmea018", {}, ConfigError, "did you mean nmea0183"),
        ("absent.toml", {}, ConfigError, "absent.toml"),
        ("nmea0183", {"target": "localhost"}, ConfigError, "HOST:PORT"),
        ("hj212", {"target": "h:99999"}, ConfigError, "HOST:PORT"),
        ("ott_pls", {"target": "localhost:9"}, ConfigError, "does not dial"),
        ("sdi12", {}, ConfigError, "ott_pls"),
        ("yosemitech_y4000", {"path": "/dev/no-such-port"}, LinkError, "no-such-port"),
    ],
)
async def test_what_cannot_be_simulated_is_named(water, instrument, link, kind, said):
    with pytest.raises(kind, match=said):
        async with simulated(instrument, water, **link):
            pass


async def test_a_fault_that_a_simulator_does_not_have_is_refused(water):
    with pytest.raises(ConfigError, match="silence"):
        async with simulated("yosemitech_y4000", water, "late@0+1"):
            pass
    async with simulated("ott_pls", water, "late@0+1=0.5"):
        pass


async def test_a_file_that_is_no_recording_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ReadError, match="no column of times"):
        async with simulated("yosemitech_y4000", tmp_path / "x.csv"):
            pass


async def test_a_service_that_plays_a_recording_has_a_past(water):
    simulator = simulators()["usgs"].make(
        None, feed_of(read(water), start=START, speed=1.0), lambda: START, [], step_s=60
    )
    options = await simulator.start()
    task = asyncio.create_task(simulator.run())
    info = drivers()["usgs"]
    sink = RecordingSink()
    driver = info.make(info.options.model_validate({**options, "history_days": 0.01}), lambda: START)
    running = asyncio.create_task(driver.run(sink))
    await sink.until_rows(1)
    for one in (running, task):
        one.cancel()
    await asyncio.gather(running, task, return_exceptions=True)
    assert min(sink.batches[0].phenomenon_time) < START
    assert {"ph", "water_temperature"} <= properties(sink)
