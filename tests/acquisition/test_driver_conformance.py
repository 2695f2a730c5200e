"""What every driver promises, tried on each that is installed, through the simulator that its manifest names."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.ports import reserved_port
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer import units
from nilometer.acquisition.driver import DriverInfo, RawBatch, SourceState
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Fault, Simulator
from nilometer.model.properties import term
from nilometer.plugins import constants

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
FAST = {"reconnect_first_s": 0.05, "reconnect_longest_s": 0.2}
MODBUS: dict[str, Any] = {"poll_interval_s": 0.05, "timeout_s": 0.3, "retries": 0, "silent_poll_s": 0.2, **FAST}
SDI12: dict[str, Any] = {
    **{"poll_interval_s": 0.05, "timeout_s": 0.3, "retries": 0, "silent_poll_s": 0.2, "commands": ["M"]},
    **FAST,
}
PUBLIC: dict[str, Any] = {"poll_interval_s": 0.05, "timeout_s": 1.0, "history_days": 0.5, **FAST}
SERVICE: dict[str, Any] = {"step_s": 3600, "has_age": False}
SENSOR: dict[str, Any] = {"seconds": 1, "ready_s": 0.02}


@dataclass(frozen=True)
class Case:
    """One way to try a driver: its simulator's instrument and link, and the options that make it quick."""

    driver: str
    label: str = ""
    instrument: str | None = None
    link: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    driver_listens: bool = False
    answers: bool = False  # Its simulator counts the answers it gets, as `acknowledged`.
    is_serial: bool = False
    needs: str = ""  # A program without which it cannot run.
    has_check: bool = True  # Its frames bear a check value that can be wrong.

    @property
    def name(self) -> str:
        return f"{self.driver}-{self.label}" if self.label else self.driver


CASES = [
    Case("modbus_tcp", instrument="river_station", options=MODBUS, has_check=False),
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
    Case("sdi12", "bridge", "in_situ_aqua_troll_400_sdi12", SENSOR, SDI12),
    Case("sdi12", "adapter", "in_situ_aqua_troll_400_sdi12", SENSOR, SDI12, is_serial=True),
    Case(
        "sdi12",
        "direct",
        "in_situ_aqua_troll_400_sdi12",
        SENSOR | {"line": "direct"},
        SDI12 | {"timeout_s": 0.06},
        is_serial=True,
    ),
    Case("nmea0183", link={"interval_s": 0.1}, options={"silent_after_s": 0.5, "time": "arrival", **FAST}),
    Case("can", link={"interval_s": 0.1}, options={"silent_after_s": 0.5, **FAST}, is_serial=True),
    Case("nmea2000", link={"interval_s": 0.1}, options={"silent_after_s": 0.5, **FAST}),
    Case("iio", options={"poll_interval_s": 0.05, **FAST}),
    Case(
        "hj212",
        link={"interval_s": 0.2, "over_time_s": 0.5},
        options={"silent_after_s": 0.5, **FAST},
        driver_listens=True,
        answers=True,
    ),
    Case(
        "sl651",
        link={"interval_s": 0.2, "over_time_s": 0.5},
        options={"silent_after_s": 0.5, **FAST},
        driver_listens=True,
        answers=True,
    ),
    Case(
        "opcua",
        link={"interval_s": 0.1},
        options={"publishing_interval_s": 0.1, "watch_interval_s": 0.1, "timeout_s": 1.0, **FAST},
        has_check=False,
    ),
    Case(
        "file_drop",
        link={"interval_s": 0.1},
        options={"poll_interval_s": 0.03, "after": "delete", "silent_after_s": 0.4},
    ),
    Case(
        "http_push",
        link={"interval_s": 0.1},
        options={"silent_after_s": 0.4, **FAST},
        driver_listens=True,
        answers=True,
    ),
    Case("mqtt", "ttn", needs="mosquitto", link={"interval_s": 0.1}, options={"silent_after_s": 0.5, **FAST}),
    Case(
        "mqtt",
        "sparkplug",
        needs="mosquitto",
        link={"interval_s": 0.1, "form": "sparkplug"},
        options={"silent_after_s": 0.5, **FAST},
    ),
    *(Case(name, link=SERVICE, options=PUBLIC) for name in ("usgs", "noaa_coops", "ndbc", "sensorthings")),
]
KNOWN = {case.driver for case in CASES}
ALL = [case for case in CASES if case.driver in DRIVERS] + [Case(name) for name in DRIVERS if name not in KNOWN]


def test_no_driver_is_broken_or_without_a_simulator() -> None:
    assert constants("nilometer.drivers", "DRIVER").broken == {}
    assert {info.name for info in DRIVERS.values() if info.simulator is None} == set()
    assert set(DRIVERS) >= KNOWN


class Bench:
    """A driver at its simulator, whose faults are timed by a clock that jumps."""

    def __init__(self, case: Case, folder: Path, faults: list[Fault]) -> None:
        if case.needs and shutil.which(case.needs, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None:
            pytest.skip(f"no {case.needs} (apt install {case.needs})")
        self.case, self.clock, self.sink = case, JumpingClock(), RecordingSink()
        self.cable = PtyPair(folder) if case.is_serial else None
        self.info = DRIVERS[case.driver]
        self.options: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._reserved = ExitStack()
        link = dict(case.link)
        if self.cable is not None:
            link["path"] = str(self.cable.far)
        if case.driver_listens:
            link["target"] = f"127.0.0.1:{self._reserved.enter_context(reserved_port())}"
        simulators = f"nilometer.acquisition.simulators.{self.info.simulator}"
        made = importlib.import_module(simulators).SIMULATOR
        self.simulator: Simulator = made.make(case.instrument, ConstantFeed(WATER), self.clock, faults, **link)

    async def __aenter__(self) -> Self:
        self.options = {**await self.simulator.start(), **self.case.options}
        if self.cable is not None:
            self.options["path"] = str(self.cable.near)
        self._tasks.append(asyncio.create_task(self.simulator.run()))
        await asyncio.sleep(0)  # A task that was never begun could not close what start() opened.
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.cable is not None:
            self.cable.close()
        self._reserved.close()

    def start(self) -> asyncio.Task[None]:
        driver = self.info.make(self.info.options.model_validate(self.options), self.clock)
        self._tasks.append(asyncio.create_task(driver.run(self.sink)))
        return self._tasks[-1]

    def cut(self) -> None:
        if self.cable is not None:
            self.cable.unplug(self.cable.near)
        else:
            self.clock.jump(HOUR_S)

    def restore(self) -> None:
        if self.cable is not None:
            self.cable.plug(self.cable.near)
        else:
            self.clock.jump(HOUR_S)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


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
    async with Bench(case, tmp_path, []) as bench:
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
async def test_acknowledging_from_another_thread_does_no_harm(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, []) as bench:
        bench.sink.acknowledges = False
        task = bench.start()
        for _ in range(3):
            bench.sink.forget()
            await bench.sink.until_rows(1)
            await asyncio.gather(*(asyncio.to_thread(batch.acknowledge) for batch in bench.sink.batches))
        assert not task.done()


@pytest.mark.parametrize("case", [case for case in ALL if case.answers], ids=lambda case: case.name)
async def test_the_peer_is_answered_only_when_the_sink_has_acknowledged(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, []) as bench:
        bench.sink.acknowledges = False
        bench.start()
        await bench.sink.until_rows(1)
        await asyncio.sleep(0.3)
        assert bench.simulator.acknowledged == 0  # type: ignore[attr-defined]
        for batch in bench.sink.batches:
            batch.acknowledge()
        bench.sink.acknowledges = True
        async with asyncio.timeout(PATIENCE_S):
            while bench.simulator.acknowledged == 0:  # type: ignore[attr-defined]
                await asyncio.sleep(0.02)


@each
async def test_silence_becomes_visible_and_ends_by_itself(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, [Fault("silence", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.sink.forget()
        bench.clock.jump(HOUR_S)
        await bench.sink.until_said(SourceState.SILENT)
        bench.sink.forget()
        bench.clock.jump(HOUR_S)
        await bench.sink.until_said(SourceState.LIVE)
        await bench.sink.until_rows(1)


@each
async def test_a_cut_link_becomes_visible_and_is_taken_up_again(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, [] if case.is_serial else [Fault("restart", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.sink.forget()
        bench.cut()
        await bench.sink.until_said(SourceState.DISCONNECTED)
        bench.sink.forget()
        bench.restore()
        await bench.sink.until_said(SourceState.LIVE)
        await bench.sink.until_rows(1)


@pytest.mark.parametrize("case", [case for case in ALL if case.has_check], ids=lambda case: case.name)
async def test_spoilt_frames_deliver_no_wrong_value(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, [Fault("wrong_crc", HOUR_S, HOUR_S)]) as bench:
        bench.start()
        await bench.sink.until_rows(1)
        bench.clock.jump(HOUR_S)
        await bench.sink.until(lambda: sum(report.bad_frames for report in bench.sink.reports) >= 2)
        bench.clock.jump(HOUR_S)
        await bench.sink.until_rows(len(bench.sink.batches) + 2)
        for batch in bench.sink.batches:
            for index, value in zip(batch.channel, batch.raw_result, strict=True):
                key, unit = batch.channels[index].observed_property, batch.channels[index].unit
                if key in WATER and unit is not None:
                    assert float(units.convert(value, unit, term(key).unit)) == pytest.approx(WATER[key], rel=0.02), key


@each
async def test_cancellation_closes_every_link(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, []) as bench:
        before = _open_files()
        tasks_before = len(asyncio.all_tasks())
        for _ in range(2):
            task = bench.start()
            bench.sink.forget()
            await bench.sink.until_rows(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        # The simulator may keep what it had before: its listener, and one connection that it has not yet given up.
        async with asyncio.timeout(PATIENCE_S):
            while _open_files() > before + 1 or len(asyncio.all_tasks()) > tasks_before + 1:
                await asyncio.sleep(0.02)


@each
async def test_an_absent_peer_is_reported_with_its_address(case: Case, tmp_path: Path) -> None:
    async with Bench(case, tmp_path, []) as bench:
        named = ("path", "port", "url", "base_url")
        place = str(next(bench.options[name] for name in named if bench.options.get(name)))
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
    async with Bench(case, tmp_path, []) as bench:
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
