"""What every driver promises, tried on each that is installed, through the simulator that its manifest names."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nilometer import units
from nilometer.acquisition.driver import DriverInfo, RawBatch, SourceState
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Fault, Simulator
from nilometer.model.properties import term
from nilometer.plugins import constants
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.sinks import RecordingSink

pytestmark = pytest.mark.timeout(60)

WATER = {
    "water_temperature": 18.5,
    "ph": 7.4,
    "dissolved_oxygen": 8.1,
    "conductivity_25": 512.0,
    "turbidity_ntu": 12.5,
    "depth_below_transducer": 12.3,
    "wind_speed": 5.2,
    "codcr": 31.0,
    "codmn": 3.4,
    "nh3_n": 0.25,
    "total_phosphorus": 0.12,
    "total_nitrogen": 1.5,
    "flow_rate": 42.0,
}
DRIVERS: dict[str, DriverInfo] = constants("nilometer.drivers", "DRIVER").items
HOUR_S = 3600.0
FAST = {"reconnect_first_s": 0.05, "reconnect_longest_s": 0.2}
MODBUS: dict[str, Any] = {"poll_interval_s": 0.05, "timeout_s": 0.3, "retries": 0, "silent_poll_s": 0.2, **FAST}


@dataclass(frozen=True)
class Case:
    """One way to try a driver: its simulator's instrument and link, and the options that make it quick."""

    driver: str
    label: str = ""
    instrument: str | None = None
    link: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    driver_listens: bool = False
    is_serial: bool = False

    @property
    def name(self) -> str:
        return f"{self.driver}-{self.label}" if self.label else self.driver


CASES = [
    Case("modbus_tcp", instrument="river_station", options=MODBUS),
    Case("modbus_rtu_tcp", "dial", "river_station", {"transport": "rtu_tcp"}, MODBUS),
    Case(
        "modbus_rtu_tcp",
        "dtu",
        "river_station",
        {"transport": "dtu", "registration": b"866123", "heartbeat": b"\xfe\xfe", "heartbeat_s": 0.05},
        MODBUS,
        driver_listens=True,
    ),
    Case("modbus_rtu", instrument="river_station", options=MODBUS, is_serial=True),
    Case("nmea0183", options={"silent_after_s": 0.5, "time": "arrival", **FAST}),
    Case("hj212", options={"silent_after_s": 0.5}, driver_listens=True),
]
KNOWN = {case.driver for case in CASES}
ALL = CASES + [Case(name) for name in DRIVERS if name not in KNOWN]


def test_no_driver_is_broken() -> None:
    assert constants("nilometer.drivers", "DRIVER").broken == {}


@dataclass
class Bench:
    """A driver at its simulator; `jump` moves the clock, by which the simulator's faults are timed."""

    case: Case
    simulator: Simulator
    options: dict[str, Any]
    sink: RecordingSink
    start: Callable[[], asyncio.Task[None]]
    jump: Callable[[float], None]
    cut: Callable[[], None]
    restore: Callable[[], None]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def _bench(case: Case, folder: Path, faults: list[Fault]) -> AsyncIterator[Bench]:
    if case.driver not in DRIVERS:
        pytest.fail(f"driver {case.driver} is not installed: {constants('nilometer.drivers', 'DRIVER').broken}")
    info = DRIVERS[case.driver]
    assert info.simulator, f"{info.name} names no simulator"
    made = importlib.import_module(f"nilometer.acquisition.simulators.{info.simulator}").SIMULATOR
    ahead_us = 0

    def clock() -> int:
        return time.time_ns() // 1000 + ahead_us

    def jump(seconds: float) -> None:
        nonlocal ahead_us
        ahead_us += int(seconds * 1e6)

    link = dict(case.link)
    cable = PtyPair(folder) if case.is_serial else None
    if cable is not None:
        link["path"] = str(cable.far)
    if case.driver_listens:
        link["target"] = f"127.0.0.1:{_free_port()}"
    simulator = made.make(case.instrument, ConstantFeed(WATER), clock, faults, **link)
    options = {**await simulator.start(), **case.options}
    if cable is not None:
        options["path"] = str(cable.near)
    sink = RecordingSink()
    tasks = [asyncio.create_task(simulator.run())]
    await asyncio.sleep(0)  # A task that was never begun could not close what start() opened.

    def start() -> asyncio.Task[None]:
        driver = info.make(info.options.model_validate(options), clock)
        tasks.append(asyncio.create_task(driver.run(sink)))
        return tasks[-1]

    def cut() -> None:
        if cable is not None:
            cable.unplug(cable.near)
        else:
            jump(HOUR_S)

    def restore() -> None:
        if cable is not None:
            cable.plug(cable.near)
        else:
            jump(HOUR_S)

    try:
        yield Bench(case, simulator, options, sink, start, jump, cut, restore)
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if cable is not None:
            cable.close()


each = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)


@each
def test_the_manifest_is_complete(case: Case) -> None:
    info = DRIVERS[case.driver]
    assert info.name == case.driver
    assert info.title
    assert info.manual
    assert info.maintainer
    assert info.options.model_config.get("extra") == "forbid"
    for key, unit in info.observed_properties.items():
        units.affine(unit, term(key).unit)


@each
async def test_delivers_what_the_instrument_measures(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, []) as bench:
        bench.start()
        await bench.sink.until(lambda: len(set(bench.sink.rows()) & set(WATER)) >= 2)
        await bench.sink.until_rows(3)
        for key, (value, unit) in bench.sink.rows().items():
            if key in WATER and unit is not None:
                assert float(units.convert(value, unit, term(key).unit)) == pytest.approx(WATER[key], rel=0.02), key
        for batch in bench.sink.batches:
            _check_columns(batch, DRIVERS[case.driver].clock_resolution_us)


def _check_columns(batch: RawBatch, resolution_us: int) -> None:
    n = len(batch)
    names = ("phenomenon_time", "raw_result", "duration", "result_time", "censored", "sample", "mark", "extra")
    for name in names:
        column = getattr(batch, name)
        assert column is None or len(column) == n, name
    assert batch.channel.max(initial=0) < len(batch.channels)
    keys = [channel.key for channel in batch.channels]
    assert len(set(keys)) == len(keys)
    assert (batch.phenomenon_time % resolution_us == 0).all()


@each
async def test_the_sink_may_acknowledge_late_and_from_any_thread(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, []) as bench:
        task = bench.start()
        await bench.sink.until_rows(1)
        first = bench.sink.batches[0]
        await asyncio.to_thread(first.acknowledge)
        bench.sink.forget()
        await bench.sink.until_rows(1)
        assert not task.done()


@each
async def test_silence_becomes_visible_and_ends_by_itself(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, [Fault("silence", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.sink.forget()
        bench.jump(HOUR_S)
        await bench.sink.until_said(SourceState.SILENT)
        bench.sink.forget()
        bench.jump(HOUR_S)
        await bench.sink.until_said(SourceState.LIVE)
        await bench.sink.until_rows(1)


@each
async def test_a_cut_link_becomes_visible_and_is_taken_up_again(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, [] if case.is_serial else [Fault("restart", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.sink.forget()
        bench.cut()
        await bench.sink.until_said(SourceState.DISCONNECTED)
        bench.sink.forget()
        bench.restore()
        await bench.sink.until_said(SourceState.LIVE)
        await bench.sink.until_rows(1)


@each
async def test_spoilt_frames_deliver_no_wrong_value(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, [Fault("wrong_crc", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.jump(HOUR_S)
        await asyncio.sleep(0.5)
        bench.jump(HOUR_S)
        bench.sink.forget()
        await bench.sink.until_rows(2)
        for key, (value, unit) in bench.sink.rows().items():
            if key in WATER and unit is not None:
                assert float(units.convert(value, unit, term(key).unit)) == pytest.approx(WATER[key], rel=0.02), key


@each
async def test_cancellation_closes_every_link(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, []) as bench:
        before = len(os.listdir("/proc/self/fd"))
        tasks_before = len(asyncio.all_tasks())
        for _ in range(2):
            task = bench.start()
            bench.sink.forget()
            await bench.sink.until_rows(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.3)
        # The simulator may keep what it had before: its listener, and one connection that it has not yet given up.
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        assert len(asyncio.all_tasks()) <= tasks_before + 1


@each
async def test_an_absent_peer_is_reported_with_its_address(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, []) as bench:
        place = str(bench.options.get("path") or bench.options.get("port"))
    sink = RecordingSink()
    info = DRIVERS[case.driver]
    driver = info.make(info.options.model_validate(bench.options), lambda: time.time_ns() // 1000)
    task = asyncio.create_task(driver.run(sink))
    try:
        await sink.until_said(SourceState.DISCONNECTED)
        await sink.until(lambda: any(place in report.detail for report in sink.reports))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@each
async def test_a_slow_sink_holds_back_the_wire(case: Case, tmp_path: Path) -> None:
    async with _bench(case, tmp_path, []) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.sink.open.clear()
        await bench.sink.until(lambda: bench.sink.outstanding > 0)
        await asyncio.sleep(0.5)
        assert bench.sink.most_outstanding <= 2
        bench.sink.forget()
        bench.sink.open.set()
        await bench.sink.until_rows(3)
        assert max(len(batch) for batch in bench.sink.batches) < 5000
