"""The SDI-12 driver at virtual sensors: several on one bus, each with its own faults, over sockets and ptys."""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import ValidationError
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.sdi12 import DRIVER, Sdi12Options
from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.sdi12_instrument import Sdi12Instrument
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.sdi12 import Sdi12Simulator, SensorOnBus
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.errors import ConfigError

FAST: dict[str, Any] = {
    **{"poll_interval_s": 0.05, "timeout_s": 0.15, "retries": 0, "silent_poll_s": 0.2},
    **{"reconnect_first_s": 0.05, "reconnect_longest_s": 0.2},
}


def probe(**more: Any) -> Sdi12Instrument:
    """Return a sensor of six values, two a page: what is late or doubled would shift them."""
    keys = ("a", "b", "c", "d", "e", "f")
    channels = [
        {"key": key, "position": place, "unit": "1", "commands": ["M", "R0", "HA", "HB", "V"]}
        for place, key in enumerate(keys, 1)
    ]
    measurement = [{"command": name, "per_page": 2, "seconds": 0} for name in ("M", "HA", "HB", "V")]
    head = {"name": "probe", "title": "t", "maker": "Maker", "models": ["Model"], "protocol": "sdi12"}
    words = {"document": "d", "evidence": "e", "measurement": measurement, "channel": channels}
    return sdi12_instrument({**head, **words, **more})


def water(base: float) -> ConstantFeed:
    return ConstantFeed({key: base + place for place, key in enumerate("abcdef", 1)})


class Bus:
    """Virtual sensors and the driver that reads them."""

    def __init__(self, sensors: Sequence[SensorOnBus], options: dict[str, Any], path: Path | None = None, **line: Any):
        self.clock, self.sink = JumpingClock(), RecordingSink()
        self._folder = path
        self._options, self._sensors, self._line = options, sensors, line
        self.cable: PtyPair | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        if self._folder is not None:
            self.cable = PtyPair(self._folder)
            self._line["path"] = str(self.cable.far)
        self.simulator = Sdi12Simulator(self._sensors, self.clock, **self._line)
        found = dict(await self.simulator.start())
        if self.cable is not None:
            found["path"] = str(self.cable.near)
        named = found.pop("sensors", None) or [{k: found.pop(k) for k in ("instrument", "address")}]
        own = self._options.get("sensors", [{} for _ in named])
        channels = [channel.model_dump() for channel in probe().channels]
        sensors = [
            {"channels": channels, "commands": ["M"], "address": item["address"]} | more
            for item, more in zip(named, own, strict=True)
        ]
        options = {**found, **FAST, **self._options, "sensors": sensors}
        self.driver = DRIVER.make(Sdi12Options.model_validate(options), self.clock)
        self._tasks = [asyncio.create_task(self.simulator.run()), asyncio.create_task(self.driver.run(self.sink))]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.cable is not None:
            self.cable.close()

    def values(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for batch in self.sink.batches:
            for index, value in zip(batch.channel, batch.raw_result, strict=True):
                found.setdefault(batch.channels[index].key, []).append(float(value))
        return found

    def details(self, device: str) -> list[tuple[SourceState, str]]:
        return [(report.state, report.detail) for report in self.sink.reports if report.device == device]


def three(fault: Fault | None = None, **more: Any) -> list[SensorOnBus]:
    return [
        SensorOnBus(probe(), water(100 * place), address, [fault] if fault and address == "1" else [], **more)
        for place, address in enumerate("01z", 1)
    ]


def expected(base: float) -> dict[str, float]:
    return {key: base + place for place, key in enumerate("abcdef", 1)}


def check_all(bus: Bus) -> None:
    truth = {
        f"sensor{a}.{k}": v for a, base in zip("01z", (100, 200, 300), strict=True) for k, v in expected(base).items()
    }
    for key, values in bus.values().items():
        assert set(values) == {truth[key]}, key


FAULTS = ("silence", "wrong_crc", "noise", "restart", "late", "duplicate", "out_of_order")
QUIET = ("silence", "wrong_crc", "restart", "late")


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_sensor_that_fails_disturbs_no_other_gives_no_wrong_value_and_comes_back(kind: str) -> None:
    fault = Fault(kind, HOUR_S, HOUR_S, amount=0.4 if kind == "late" else 0.0)
    async with Bus(three(fault), {}) as bus:
        await bus.sink.until(lambda: {"sensor0.f", "sensor1.f", "sensorz.f"} <= set(bus.values()))
        check_all(bus)
        bus.sink.forget()
        bus.clock.jump(HOUR_S)
        if kind in QUIET:
            await bus.sink.until(lambda: any(state is SourceState.SILENT for state, _ in bus.details("sensor1")))
        await bus.sink.until(
            lambda: len(bus.values().get("sensor0.a", [])) >= 5 <= len(bus.values().get("sensorz.a", []))
        )
        assert not bus.details("sensor0")
        assert not bus.details("sensorz")
        check_all(bus)
        bus.sink.forget()
        bus.clock.jump(HOUR_S)
        await bus.sink.until(lambda: len(bus.values().get("sensor1.f", [])) >= 2)
        check_all(bus)
        if kind in QUIET:
            assert any(state is SourceState.LIVE for state, _ in bus.details("sensor1"))


async def test_wrong_parity_on_a_bus_that_we_drive_gives_no_value(tmp_path: Path) -> None:
    sensors = three(Fault("parity", HOUR_S, HOUR_S))
    async with Bus(sensors, {"timeout_s": 0.06}, tmp_path, line="direct") as bus:
        await bus.sink.until(lambda: {"sensor0.f", "sensor1.f", "sensorz.f"} <= set(bus.values()))
        bus.clock.jump(HOUR_S)
        await bus.sink.until(lambda: any(state is SourceState.SILENT for state, _ in bus.details("sensor1")))
        assert any("characters" in detail or "has no end" in detail for _, detail in bus.details("sensor1"))
        assert sum(report.bad_frames for report in bus.sink.reports if report.device == "sensor1") > 0
        check_all(bus)
        bus.sink.forget()
        bus.clock.jump(HOUR_S)
        await bus.sink.until(lambda: len(bus.values().get("sensor1.f", [])) >= 2)
        check_all(bus)


async def test_what_a_check_value_cannot_tell_is_delivered_as_it_came() -> None:
    faults = {"swapped_words": {102.0, 101.0}, "spike": {101.0, 106.0}, "stuck": {101.0}}
    for kind, seen in faults.items():
        fault = Fault(kind, HOUR_S, HOUR_S, amount=5.0)
        async with Bus([SensorOnBus(probe(), water(100), "0", [fault])], {}) as bus:
            await bus.sink.until_rows(2)
            bus.clock.jump(HOUR_S)
            await bus.sink.until_rows(len(bus.sink.batches) + 3)
            assert set(bus.values()["sensor0.a"]) == seen


async def test_concurrent_measurements_overlap() -> None:
    own = {"sensors": [{"commands": ["C"]}] * 3, "poll_interval_s": 30.0}
    async with Bus(three(seconds=1), own) as bus:
        await bus.sink.until(lambda: {"sensor0.f", "sensor1.f", "sensorz.f"} <= set(bus.values()))
        said = [item for item in bus.simulator.heard if item[1] in "CD"]
        assert sorted(said[:3]) == ["0CC!", "1CC!", "zCC!"]
        check_all(bus)


async def test_a_measurement_that_is_not_concurrent_holds_the_bus_until_its_service_request() -> None:
    # Longer than a busy machine keeps an answer: a sensor that is given up for silence lets the next one speak.
    async with Bus(three(seconds=900, ready_s=0.1), {"timeout_s": 3.0}) as bus:
        await bus.sink.until(lambda: {"sensor0.f", "sensor1.f", "sensorz.f"} <= set(bus.values()))
        said = list(bus.simulator.heard)
        starts = [place for place, item in enumerate(said) if item.endswith("MC!")]
        for place in starts[:-1]:
            assert [item[0] for item in said[place : place + 4]] == [said[place][0]] * 4
        check_all(bus)


async def test_without_a_service_request_the_promised_time_is_waited_for() -> None:
    # Ready at once, so that it has nothing to say in between.
    async with Bus([SensorOnBus(probe(), water(100), "0", seconds=1, ready_s=0.0)], {}) as bus:
        began = asyncio.get_running_loop().time()
        await bus.sink.until_rows(1)
        assert asyncio.get_running_loop().time() - began >= 1.0
        check_all(bus)


async def test_a_service_request_at_the_last_moment_is_not_taken_for_an_answer() -> None:
    async with Bus([SensorOnBus(probe(), water(100), "0", seconds=1, ready_s=1.0)], {}) as bus:
        await bus.sink.until_rows(2)
        check_all(bus)
        assert not bus.sink.said(SourceState.SILENT)


@pytest.mark.parametrize("command", ["R0", "HA", "HB", "V", "C", "M"])
async def test_every_kind_of_measurement_is_read_whole(command: str) -> None:
    async with Bus([SensorOnBus(probe(), water(100), "0")], {"sensors": [{"commands": [command]}]}) as bus:
        key = "b" if command == "R0" else "f"  # R0 has one answer only, and so two values a page.
        await bus.sink.until(lambda: f"sensor0.{key}" in bus.values())
        for name, values in bus.values().items():
            assert set(values) == {expected(100)[name[-1]]}
        marked = bus.sink.batches[0].syntax
        assert marked is not None
        assert set(marked) == {2 if command == "V" else 1}


async def test_several_measurements_of_one_sensor_follow_one_another_and_one_that_fails_is_named() -> None:
    short = probe(
        measurement=[{"command": "M", "count": 6, "per_page": 2}, {"command": "V", "count": 9, "per_page": 1}]
    )
    async with Bus([SensorOnBus(short, water(100), "0")], {"sensors": [{"commands": ["M", "M1", "V"]}]}) as bus:
        await bus.sink.until(lambda: bool(bus.details("sensor0")))
        assert bus.details("sensor0")[0] == (SourceState.LIVE, "M1: nothing to measure")
        assert bus.values()["sensor0.f"][0] == 106.0


async def test_an_old_sensor_without_crc_is_found_out_once() -> None:
    async with Bus([SensorOnBus(probe(), water(100), "0", knows_crc=False)], {"identify": False}) as bus:
        await bus.sink.until_rows(3)
        said = list(bus.simulator.heard)
        assert said.count("0MC!") == 1
        assert said.count("0M!") >= 3
        assert bus.sink.batches[0].syntax is not None
        assert set(bus.sink.batches[0].syntax) == {2}


async def test_an_identification_before_1_3_says_that_there_is_no_crc() -> None:
    async with Bus([SensorOnBus(probe(), water(100), "0", knows_crc=False)], {}) as bus:
        await bus.sink.until_rows(2)
        assert list(bus.simulator.heard)[:2] == ["0I!", "0M!"]
        assert "0MC!" not in bus.simulator.heard


async def test_another_instrument_than_the_configured_one_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        'title = "the other"\nmaker = "m"\nprotocol = "sdi12"\ndocument = "d"\nevidence = "e"\n'
        '[defaults]\nidentification = "14OTHER"\n[[channel]]\nkey = "a"\nposition = 1\n'
    )
    own = {"sensors": [{"instrument": str(file), "channels": []}]}
    async with Bus([SensorOnBus(probe(), water(100), "0")], own) as bus:
        await bus.sink.until(lambda: bool(bus.details("sensor0")))
        state, detail = bus.details("sensor0")[0]
        assert state is SourceState.LIVE
        assert "14Maker   Model 100SIM" in detail
        assert "the other" in detail


async def test_configured_commands_are_sent_before_the_first_measurement_and_again_after_silence() -> None:
    fault = Fault("silence", HOUR_S, HOUR_S)
    async with Bus([SensorOnBus(probe(), water(100), "0", [fault])], {"sensors": [{"setup": ["XGU0"]}]}) as bus:
        await bus.sink.until_rows(3)
        assert list(bus.simulator.heard)[:3] == ["0I!", "0XGU0!", "0MC!"]
        assert list(bus.simulator.heard).count("0XGU0!") == 1
        bus.clock.jump(HOUR_S)
        await bus.sink.until_said(SourceState.SILENT)
        bus.sink.forget()
        bus.clock.jump(HOUR_S)
        await bus.sink.until_rows(1)
        assert list(bus.simulator.heard).count("0XGU0!") == 2


async def test_a_number_that_stands_for_none_is_missing_with_its_mark() -> None:
    channels = [{"key": "a", "position": 1, "unit": "m", "scale": 0.001, "sentinel": {"-9999": "sensor_error"}}]
    feed = ConstantFeed({"b": 7.0})
    own = {"sensors": [{"channels": channels}]}
    async with Bus([SensorOnBus(probe(), feed, "0")], own) as bus:
        await bus.sink.until_rows(1)
        batch = bus.sink.batches[0]
        assert [channel.key for channel in batch.channels] == ["sensor0.a"]
        assert math.isnan(batch.raw_result[0])
        assert batch.mark == ["sensor_error"]


async def test_values_without_any_description_have_their_place_for_a_name() -> None:
    own = {"sensors": [{"channels": [], "commands": ["C"]}]}
    async with Bus([SensorOnBus(probe(), water(100), "0")], own) as bus:
        await bus.sink.until_rows(1)
        assert bus.values()["sensor0.C.6"] == [106.0]


async def test_an_adapter_that_echoes_is_understood(tmp_path: Path) -> None:
    async with Bus(three(), {}, tmp_path, echo=True) as bus:
        await bus.sink.until(lambda: {"sensor0.f", "sensor1.f", "sensorz.f"} <= set(bus.values()))
        check_all(bus)
        assert not any(report.bad_frames for report in bus.sink.reports)


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
async def test_over_a_socat_pair(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    ends = [f"pty,raw,echo=0,link={end}" for end in (near, far)]
    process = await asyncio.create_subprocess_exec("socat", *ends)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (near.exists() and far.exists()):
                await asyncio.sleep(0.02)
        simulator = Sdi12Simulator(three(), JumpingClock(), path=str(far))
        await simulator.start()
        sink = RecordingSink()
        options = {"path": str(near), "sensors": [{"address": a, "commands": ["C"]} for a in "01z"], **FAST}
        driver = DRIVER.make(Sdi12Options.model_validate(options), JumpingClock())
        tasks = [asyncio.create_task(simulator.run()), asyncio.create_task(driver.run(sink))]
        try:
            await sink.until(lambda: {"sensor0.C.6", "sensor1.C.6", "sensorz.C.6"} <= set(sink.rows()))
            assert sink.rows()["sensorz.C.6"] == (306.0, None)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "0"}, "give either `path`"),
        ({"path": "x", "host": "h", "port": 1, "address": "0"}, "give either `path`"),
        ({"host": "h", "address": "0"}, "give either `path`"),
        ({"host": "h", "port": 1, "line": "direct", "address": "0"}, "no break passes"),
        ({"path": "x"}, "who is on the bus"),
        ({"path": "x", "address": "?"}, "pattern"),
        ({"path": "x", "address": "0", "commands": ["MC"]}, "pattern"),
        ({"path": "x", "address": "0", "sensors": [{"address": "1"}]}, "belong to each of `sensors`"),
    ],
)
def test_options_that_cannot_work_say_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Sdi12Options.model_validate(options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sensors": [{"address": "0"}, {"address": "0", "name": "b"}]}, "has it already"),
        ({"instrument": "keller_series30"}, "speaks modbus, not sdi12"),
        ({"instrument": "ott_plss"}, "did you mean"),
    ],
)
def test_sensors_that_cannot_be_say_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DRIVER.make(Sdi12Options.model_validate({"path": "x", **options}), JumpingClock())


async def test_pages_that_read_alike_count_when_they_do_so_again() -> None:
    flat = ConstantFeed(dict.fromkeys("abcdef", 0.0))
    async with Bus([SensorOnBus(probe(), flat, "0")], {"timeout_s": 10.0}) as bus:
        await bus.sink.until_rows(2)
        assert bus.values()["sensor0.f"][0] == 0.0
        assert not bus.sink.said(SourceState.SILENT)


def test_the_configuration_that_the_documentation_shows_can_be_used() -> None:
    page = (Path(__file__).parents[3] / "docs" / "drivers" / "sdi12.md").read_text(encoding="utf-8")
    shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    source = tomllib.loads(shown.group(1))["source"][0]
    made = DRIVER.make(Sdi12Options.model_validate(source["options"]), JumpingClock())
    assert [sensor.name for sensor in made._sensors] == ["level", "sensor3"]
