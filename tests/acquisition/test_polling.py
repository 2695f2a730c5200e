"""A polled Modbus line at virtual devices of pymodbus, and at peers that misbehave on purpose."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers import modbus_rtu, modbus_rtu_tcp, modbus_tcp
from nilometer.acquisition.instrument import Instrument, instrument
from nilometer.acquisition.links.tcp import TcpLink, connect, listen
from nilometer.acquisition.modbus_master import ModbusMaster, RefusalError
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import Other, ReadAnswer, ReadRequest
from nilometer.acquisition.simulators.feed import ConstantFeed, FunctionFeed
from nilometer.acquisition.simulators.modbus import ModbusSimulator, Occupant, make
from nilometer.acquisition.simulators.simulator import Fault, Reading
from nilometer.errors import ChecksumError, ConfigError, FrameError, LinkTimeout
from nilometer.model.batch import NO_TIME
from nilometer.model.entities import SampleKind

HERE = "127.0.0.1"
QUICK: dict[str, Any] = {
    "poll_interval_s": 0.05,
    # Long enough for a machine that is busy: only a device that is silent on purpose is waited for.
    "timeout_s": 1.0,
    "retries": 0,
    "silent_poll_s": 0.2,
    "reconnect_first_s": 0.05,
    "reconnect_longest_s": 0.2,
}
HOUR_US = 3_600_000_000
FOREVER = 1e9


def now() -> int:
    return time.time_ns() // 1000


def quickened(name: str, **changes: Any) -> Instrument:
    """Return an installed instrument whose sensor needs no time to warm up."""
    model = instrument(name)
    steps = tuple(step.model_copy(update={"wait_s": 0.1}) for step in model.start)
    return model.model_copy(update={"start": steps, **changes})


@asynccontextmanager
async def at_work(
    simulator: ModbusSimulator, driver: Any, clock: Any = now, **options: Any
) -> AsyncIterator[RecordingSink]:
    given = {**await simulator.start(), **QUICK, **options}
    sink = RecordingSink()
    made = driver.DRIVER.make(driver.DRIVER.options.model_validate(given), clock)
    tasks = [asyncio.create_task(simulator.run()), asyncio.create_task(made.run(sink))]
    await asyncio.sleep(0)
    try:
        yield sink
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def rows(sink: RecordingSink, key: str) -> list[tuple[int, float, str | None]]:
    return [
        (int(when), float(value), mark)
        for batch in sink.batches
        for index, when, value, mark in zip(
            batch.channel, batch.phenomenon_time, batch.raw_result, batch.mark or [], strict=True
        )
        if batch.channels[index].key == key
    ]


async def test_a_silent_device_leaves_its_neighbours_undisturbed() -> None:
    water = ConstantFeed({"ph": 7.0, "dissolved_oxygen": 8.0})
    devices = [
        Occupant("yosemitech_y532", water, 1),
        Occupant("yosemitech_y4000", water, 2, [Fault("silence", 0.0, FOREVER)]),
        Occupant("yosemitech_y4000", water, 3),
    ]
    async with at_work(ModbusSimulator(devices, now, transport="rtu_tcp"), modbus_rtu_tcp, silent_poll_s=2.0) as sink:
        await sink.until(lambda: len(rows(sink, "unit1.ph")) >= 10 and len(rows(sink, "unit3.ph")) >= 10)
        assert rows(sink, "unit2.ph") == []
        states = {report.device: report.state for report in sink.reports}
        assert states == {
            "": SourceState.SILENT,
            "unit1": SourceState.LIVE,
            "unit2": SourceState.SILENT,
            "unit3": SourceState.LIVE,
        }
        assert any("unit2: no answer within 1 s" in report.detail for report in sink.reports)


@pytest.mark.parametrize(("transport", "driver"), [("tcp", modbus_tcp), ("rtu_tcp", modbus_rtu_tcp)])
async def test_a_sensor_that_starts_on_a_count_of_zero_is_started(transport: str, driver: Any, tmp_path) -> None:
    model = quickened("yosemitech_y520")
    file = tmp_path / "y520.toml"
    file.write_text(_source("yosemitech_y520").replace("wait_s = 5.0", "wait_s = 0.1"))
    feed = ConstantFeed({"temperature": 23.156, "conductivity": 1.388})
    simulator = ModbusSimulator([Occupant(model, feed)], now, transport=transport)
    async with at_work(simulator, driver, instrument=str(file)) as sink:
        await sink.until(lambda: rows(sink, "conductivity"))
        assert rows(sink, "conductivity")[0][1:] == (1.388, None)
        assert rows(sink, "temperature")[0][1:] == (23.156, None)


def _source(name: str) -> str:
    return (files("nilometer.acquisition.instruments") / f"{name}.toml").read_text()


async def test_a_sensor_that_is_not_started_shows_zero_as_its_logs_do() -> None:
    feed = ConstantFeed({"temperature": 23.156, "conductivity": 1.388})
    simulator = ModbusSimulator([Occupant(quickened("yosemitech_y520"), feed)], now)
    async with at_work(simulator, modbus_tcp, instrument="yosemitech_y532", unit_id=1):
        async with _master(simulator) as master:
            answer = await master.ask(1, ReadRequest(3, 0x2602, 2), 5.0)
            assert modbus.registers_of(answer) == [0, 0]
            await master.ask(1, Other(16, bytes.fromhex("1c00000000")), 5.0)
            await asyncio.sleep(0.15)
            answer = await master.ask(1, ReadRequest(3, 0x2602, 2), 5.0)
            assert modbus.registers_of(answer) != [0, 0]


@asynccontextmanager
async def _master(simulator: ModbusSimulator, framing: Any = "tcp") -> AsyncIterator[ModbusMaster]:
    link = await connect(HERE, simulator._port)
    try:
        yield ModbusMaster(link, framing)
    finally:
        await link.close()


async def test_each_poll_of_a_single_shot_sensor_starts_it_anew() -> None:
    count = 0

    def water(_: int) -> dict[str, float]:
        nonlocal count
        count += 1
        return {"temperature": 15.0, "conductivity": float(count), "salinity": 0.25, "tds_kcl": 262.0}

    simulator = ModbusSimulator([Occupant(quickened("aqualabo_c4e"), FunctionFeed(water))], now)
    async with at_work(simulator, modbus_tcp, instrument="aqualabo_c4e") as sink:
        await sink.until(lambda: len(rows(sink, "conductivity")) >= 2)
        assert all(value > 0 for _, value, _ in rows(sink, "conductivity"))


async def test_a_device_that_refuses_a_part_of_a_block_is_read_whole() -> None:
    feed = ConstantFeed({"ph": 7.4, "temperature": 18.5})
    simulator = ModbusSimulator([Occupant("hamilton_ph_arc", feed)], now)
    async with at_work(simulator, modbus_tcp) as sink:
        await sink.until_rows(1)
        assert rows(sink, "ph")[0][1:] == (7.4, None)
        async with _master(simulator) as master:
            with pytest.raises(RefusalError, match="illegal data address") as refusal:
                await master.ask(1, ReadRequest(3, 2091, 2), 5.0)
            assert refusal.value.code == 2


async def test_an_analysers_result_is_one_interval_taken_once_with_its_kind_of_sample() -> None:
    sampled = now() // 1_000_000 * 1_000_000 - 2 * HOUR_US
    feed = {"codmn": Reading(3.4, sampled), "nh3_n": Reading(0.15, sampled, sample=SampleKind.CHECK)}

    def water(_: int) -> dict[str, Reading]:
        return feed

    simulator = make("river_station", FunctionFeed(water), now)
    async with at_work(simulator, modbus_tcp) as sink:
        await sink.until_rows(5)
        assert rows(sink, "codmn") == [(sampled, 3.4, None)]
        batch = sink.batches[0]
        at = [batch.channels[index].key for index in batch.channel].index("nh3_n")
        assert batch.duration is not None
        assert batch.result_time is not None
        assert batch.sample is not None
        assert batch.raw_result[at] == 0.15
        assert batch.duration[at] == 30 * 60 * 1_000_000
        assert batch.result_time[at] == sampled + batch.duration[at]
        assert batch.sample[at] == SampleKind.CHECK
        assert batch.result_time[0] == NO_TIME
        feed["codmn"] = Reading(3.6, sampled + HOUR_US)
        await sink.until(lambda: len(rows(sink, "codmn")) == 2)
        assert rows(sink, "codmn")[1] == (sampled + HOUR_US, 3.6, None)


async def test_a_result_is_not_shown_before_its_cycle_is_done() -> None:
    feed = ConstantFeed({"codmn": Reading(3.4, now() - 60_000_000), "ph": 7.0})
    async with at_work(make("river_station", feed, now), modbus_tcp) as sink:
        await sink.until_rows(3)
        assert rows(sink, "codmn") == []


async def test_a_value_without_quality_has_no_number_and_its_mark() -> None:
    feed = ConstantFeed({"ph": Reading(math.nan, mark="maintenance"), "turbidity_ntu": Reading(4.0, mark="doubtful")})
    async with at_work(make("river_station", feed, now), modbus_tcp) as sink:
        await sink.until_rows(1)
        (_, value, mark), *_ = rows(sink, "ph")
        assert math.isnan(value)
        assert mark == "maintenance"
        assert rows(sink, "turbidity_ntu")[0][1:] == (4.0, "doubtful")


async def test_swapped_words_give_another_number_as_on_a_real_wire() -> None:
    simulator = make("river_station", ConstantFeed({"ph": 7.4}), now, [Fault("swapped_words", 0.0, FOREVER)])
    async with at_work(simulator, modbus_tcp) as sink:
        await sink.until_rows(1)
        assert rows(sink, "ph")[0][1] != 7.4


async def test_a_block_that_is_refused_is_named_and_the_rest_is_delivered() -> None:
    model = instrument("yosemitech_y532")
    lacking = model.model_copy(update={"channel": model.channel[:2]})
    simulator = ModbusSimulator([Occupant(lacking, ConstantFeed({"ph": 7.4}))], now)
    async with at_work(simulator, modbus_tcp, instrument="yosemitech_y532") as sink:
        await sink.until_rows(1)
        assert rows(sink, "ph")[0][1] == 7.4
        assert any("registers 4608 to 4609" in r.detail and r.state is SourceState.LIVE for r in sink.reports)


async def test_a_device_that_refuses_everything_is_silent_with_the_reason() -> None:
    simulator = ModbusSimulator([Occupant("yosemitech_y532", ConstantFeed({}))], now)
    async with at_work(simulator, modbus_tcp, instrument="yosemitech_y4000") as sink:
        await sink.until_said(SourceState.SILENT)
        assert any("illegal data address" in report.detail for report in sink.reports)


async def test_values_are_dated_by_the_given_clock() -> None:
    def clock() -> int:
        return 1_700_000_000_123_456

    async with at_work(make("river_station", ConstantFeed({"ph": 7.0}), clock), modbus_tcp, clock) as sink:
        await sink.until_rows(1)
        assert rows(sink, "ph")[0][0] == 1_700_000_000_123_000


@asynccontextmanager
async def peer(answers: Sequence[bytes], *, pause_s: float = 0.0) -> AsyncIterator[tuple[ModbusMaster, list[bytes]]]:
    """Give an RTU master at a peer that answers each request with given bytes."""
    asked: list[bytes] = []

    async def serve(link: TcpLink) -> None:
        for answer in answers:
            asked.append(await link.read())
            for part in (answer[:3], answer[3:]):
                await asyncio.sleep(pause_s)
                await link.write(part)
        await asyncio.Event().wait()

    listener = await listen(HERE, 0, serve)
    link = await connect(HERE, listener.port)
    try:
        yield ModbusMaster(link, "rtu", heartbeat=b"PING"), asked
    finally:
        await link.close()
        await listener.close()


def answer(value: int, unit: int = 1) -> bytes:
    return modbus.encode_rtu(unit, modbus.encode(ReadAnswer(3, value.to_bytes(2))))


READ = ReadRequest(3, 0, 1)


@pytest.mark.parametrize(
    "before",
    [b"", b"PING", b"PINGPING", b"\x00\xff", answer(9, unit=2), modbus.encode_rtu(1, modbus.encode(READ))],
    ids=["nothing", "heartbeat", "two heartbeats", "noise", "another unit", "an echo"],
)
async def test_the_answer_is_found_behind(before: bytes) -> None:
    async with peer([before + answer(7)], pause_s=0.01) as (master, _):
        assert await master.ask(1, READ, 5.0) == ReadAnswer(3, b"\x00\x07")


async def test_a_heartbeat_inside_the_data_of_an_answer_is_data() -> None:
    data = b"xPINGy" + b"\0" * 4
    frame = modbus.encode_rtu(1, modbus.encode(ReadAnswer(3, data)))
    async with peer([frame]) as (master, _):
        assert await master.ask(1, ReadRequest(3, 0, 5), 5.0) == ReadAnswer(3, data)


async def test_bad_answers_are_told_apart() -> None:
    spoilt = answer(7)[:-1] + b"\x00"
    wrong_size = modbus.encode_rtu(1, modbus.encode(ReadAnswer(3, b"\0\1\0\2")))
    async with peer([spoilt, wrong_size, answer(7)[:4], b""]) as (master, _):
        with pytest.raises(ChecksumError):
            await master.ask(1, READ, 5.0)
        with pytest.raises(FrameError, match="asked for 2 bytes, 4 came"):
            await master.ask(1, READ, 5.0)
        with pytest.raises(FrameError, match="no whole answer"):
            await master.ask(1, READ, 1.0)
        with pytest.raises(LinkTimeout, match="no answer"):
            await master.ask(1, READ, 0.2)


async def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    async with peer([answer(1), answer(2)], pause_s=0.06) as (master, _):
        with pytest.raises(LinkTimeout):
            await master.ask(1, READ, 0.05)
        assert await master.ask(1, READ, 5.0) == ReadAnswer(3, b"\x00\x02")


async def test_a_message_of_the_makers_own_is_carried() -> None:
    async with peer([modbus.encode_rtu(1, b"\x41\x01\x02\x03")]) as (master, asked):
        assert await master.ask(1, Other(0x41, b"\x09"), 5.0) == Other(0x41, b"\x01\x02\x03")
        assert asked == [modbus.encode_rtu(1, b"\x41\x09")]


async def test_a_link_on_which_nothing_answers_is_opened_anew() -> None:
    dialled = 0

    async def deaf(link: TcpLink) -> None:
        nonlocal dialled
        dialled += 1
        while True:
            await link.read()

    listener = await listen(HERE, 0, deaf)
    options = {"host": HERE, "port": listener.port, "instrument": "river_station", **QUICK, "timeout_s": 0.05}
    made = modbus_tcp.DRIVER.make(modbus_tcp.ModbusTcpOptions(**options, reopen_s=0.2), now)
    sink = RecordingSink()
    task = asyncio.create_task(made.run(sink))
    async with asyncio.timeout(PATIENCE_S):
        while dialled < 3:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await listener.close()
    assert [report.state for report in sink.reports if not report.device] == [SourceState.STARTING, SourceState.SILENT]


@pytest.mark.parametrize("driver", [modbus_tcp, modbus_rtu, modbus_rtu_tcp], ids=lambda module: module.DRIVER.name)
def test_an_unknown_instrument_is_answered_with_near_names(driver: Any) -> None:
    options = driver.DRIVER.options.model_construct(instrument="river_staton", devices=(), unit_id=None)
    with pytest.raises(ConfigError, match="did you mean river_station"):
        driver.DRIVER.make(options, now)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "either `instrument` or `devices`"),
        ({"instrument": "a", "devices": [{"instrument": "a"}]}, "either `instrument` or `devices`"),
        ({"instrument": "a", "prot": 1}, "prot"),
        ({"instrument": "a", "unit_id": 256}, "255"),
        ({"instrument": "a", "poll_interval_s": 0}, "greater than 0"),
        ({"devices": [{"instrument": "a"}], "unit_id": 3}, "each of the `devices`"),
    ],
)
def test_options_that_cannot_work_are_refused(change: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        modbus_tcp.ModbusTcpOptions.model_validate({"host": HERE, **change})


def test_two_devices_of_one_address_are_refused() -> None:
    options = modbus_tcp.ModbusTcpOptions(
        host=HERE, devices=[{"instrument": "yosemitech_y504"}, {"instrument": "yosemitech_y511"}]
    )
    with pytest.raises(ConfigError, match="unit1 has it already"):
        modbus_tcp.DRIVER.make(options, now)


def test_a_registration_packet_is_text_or_hexadecimal() -> None:
    made = {"host": HERE, "port": 1, "instrument": "a", "mode": "listen"}
    assert modbus_rtu_tcp.ModbusRtuTcpOptions(**made, registration="hex:fe 01").registration == "hex:fe 01"
    with pytest.raises(ValidationError, match="pairs of hexadecimal digits"):
        modbus_rtu_tcp.ModbusRtuTcpOptions(**made, heartbeat="hex:f")
