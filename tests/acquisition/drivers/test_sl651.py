"""The SL 651 receiver against its simulator and against frames written by hand, over real loopback sockets."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.sl651 import DRIVER
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import connect, listen
from nilometer.acquisition.links.udp import bind
from nilometer.acquisition.protocols.sl651 import SYMBOLS, Frame, FrameSplitter, encode_frame
from nilometer.acquisition.protocols.sl651_asking import asked_of
from nilometer.acquisition.protocols.sl651_frame import ACK, ENQ, EOT, ESC, ETB, NAK
from nilometer.acquisition.protocols.sl651_numbers import CHINA
from nilometer.acquisition.protocols.sl651_writing import Group, even_body, report_body, split_packets
from nilometer.acquisition.simulators.feed import ConstantFeed, FunctionFeed
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.acquisition.simulators.sl651 import SIMULATOR
from nilometer.acquisition.sl651_talk import Talk

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/sl651.json").read_text("utf-8"))["vectors"]
HOUR = 3_600_000_000
NOON = 1_719_806_400_000_000  # 2024-07-01 12:00 in China
STATION = "0012345678"


def at_noon() -> int:
    return NOON


class Receiver:
    """A driver at work on a free port."""

    def __init__(self, clock=at_noon, **options):
        self.sink = RecordingSink()
        self.driver = DRIVER.make(DRIVER.options(port=0, **options), clock)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.driver.run(self.sink))
        await self.sink.until(lambda: any("waiting" in report.detail for report in self.sink.reports))
        self.port = int(self.sink.reports[-1].detail.rpartition(":")[2])
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def rows(self):
        return [
            (batch.channels[i].key, at, value)
            for batch in self.sink.batches
            for i, at, value in zip(
                batch.channel, batch.phenomenon_time.tolist(), batch.raw_result.tolist(), strict=True
            )
        ]


class Station:
    """A connection that says frames by hand and reads what comes back."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self._frames, self._said = reader, writer, FrameSplitter(), []

    @classmethod
    async def dial(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def say(self, *frames):
        self.writer.write(b"".join(encode_frame(frame) for frame in frames))

    async def hear(self):
        async with asyncio.timeout(PATIENCE_S):
            while not self._said:
                self._said += self._frames.feed(await self.reader.read(4096))
        return self._said.pop(0)

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()


def report(serial, level, at=NOON, *, function=0x32, station=STATION, is_text=False, **more):
    body = report_body(serial, NOON, station, "H", [Group(at, [(SYMBOLS["Z"], level)])], CHINA, is_text=is_text)
    return Frame(1, station, "1234", function, body, is_text=is_text, **more)


async def test_a_report_is_confirmed_with_its_serial_number_once_it_is_durable():
    async with Receiver(stations=(STATION,)) as receiver:
        receiver.sink.acknowledges = False
        station = await Station.dial(receiver.port)
        station.say(report(7, 10.49), report(0, 0.0, function=0x2F))
        await receiver.sink.until_rows(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await station.hear()
        receiver.sink.batches[0].acknowledge()
        heard = await station.hear()
        assert (heard.function, heard.end, heard.is_down, asked_of(heard, CHINA).serial) == (0x32, ESC, True, 7)
        await station.close()
    assert receiver.rows() == [("Z", NOON, 10.49)]


@pytest.mark.parametrize(
    ("options", "said", "end"),
    [
        ({"keep_online": False}, report(3, 1.0), EOT),
        ({}, report(3, 1.0, end=ETB), ACK),
        ({}, report(3, 1.0, is_text=True), ESC),
    ],
)
async def test_the_end_of_a_confirmation_says_what_the_station_does_next(options, said, end):
    async with Receiver(**options) as receiver:
        station = await Station.dial(receiver.port)
        station.say(said)
        heard = await station.hear()
        assert (heard.end, heard.is_text, asked_of(heard, CHINA).serial) == (end, said.is_text, 3)
        await station.close()
    assert receiver.rows() == [(f"{STATION}/Z", NOON, 1.0)]


async def test_a_station_by_udp_is_confirmed_too():
    async with Receiver(transport="udp") as receiver:
        port = await bind("127.0.0.1", 0)
        port.send(encode_frame(report(9, 2.5)), ("127.0.0.1", receiver.port))
        async with asyncio.timeout(PATIENCE_S):
            (heard,) = FrameSplitter().feed((await port.receive())[0])
        await port.close()
        assert asked_of(heard, CHINA).serial == 9
    assert receiver.rows() == [(f"{STATION}/Z", NOON, 2.5)]


async def test_a_station_on_a_serial_line_is_confirmed_and_found_again(tmp_path):
    cable, sink = PtyPair(tmp_path), RecordingSink()
    options = {"transport": "serial", "path": str(cable.near), "reconnect_first_s": 0.02, "reconnect_longest_s": 0.05}
    task = asyncio.create_task(DRIVER.make(DRIVER.options(**options), at_noon).run(sink))
    try:
        for serial in (1, 2):
            await sink.until_said(SourceState.DISCONNECTED)
            await sink.until(lambda: "waiting" in sink.reports[-1].detail)
            link = await open_port(str(cable.far))
            await link.write(encode_frame(report(serial, 1.0 + serial)))
            (heard,) = FrameSplitter().feed(await link.read())
            assert asked_of(heard, CHINA).serial == serial
            sink.reports.clear()
            await link.close()
            cable.unplug(cable.near)
            await sink.until_said(SourceState.DISCONNECTED)
            cable.plug(cable.near)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        cable.close()


async def test_a_station_is_asked_for_the_present_when_it_comes():
    clock = JumpingClock()
    simulator = SIMULATOR.make(None, ConstantFeed({"Z": 10.5}), clock, interval_s=600.0)
    sink = RecordingSink()
    options = DRIVER.options.model_validate({**await simulator.start(), "ask_now": True})
    tasks = [asyncio.create_task(DRIVER.make(options, clock).run(sink)), asyncio.create_task(simulator.run())]
    try:
        await sink.until_rows(2)  # The report by which it came, and its answer.
        assert set(sink.rows().values()) == {(10.5, "m")}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_packet_that_is_lacking_is_asked_for_and_the_whole_is_confirmed_once():
    levels = [10 + i / 100 for i in range(100)]
    body = even_body(5, NOON, STATION, "H", SYMBOLS["Z"], NOON - 99 * 60_000_000, 60_000_000, levels, CHINA)
    packets = [*split_packets(Frame(1, STATION, "1234", 0x31, body), 200)]
    assert len(packets) == 3
    async with Receiver(stations=(STATION,), frame_timeout_s=0.05) as receiver:
        station = await Station.dial(receiver.port)
        station.say(packets[0], packets[2])
        lacking = await station.hear()
        assert (lacking.end, lacking.packet, asked_of(lacking, CHINA).serial) == (NAK, (2, 3), 5)
        station.say(packets[1])
        heard = await station.hear()
        while heard.end == NAK:  # It may have asked once more before the packet came.
            heard = await station.hear()
        assert (heard.end, heard.packet, asked_of(heard, CHINA).serial) == (ESC, (3, 3), 5)
        await station.close()
    assert [row[2] for row in receiver.rows()] == levels


async def test_a_message_whose_packets_never_come_is_given_up_and_said():
    packets = [*split_packets(Frame(1, STATION, "1234", 0x31, bytes(8) + bytes(600)), 200)]
    async with Receiver(frame_timeout_s=0.02, packet_tries=1) as receiver:
        station = await Station.dial(receiver.port)
        station.say(packets[1])
        await receiver.sink.until(lambda: any("never came" in report.detail for report in receiver.sink.reports))
        await station.close()


WRONG = report(1, 1.0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode_frame(replace(WRONG, station="0000000009")), "not one of the configured"),
        (encode_frame(replace(WRONG, centre=2)), "centre"),
        (encode_frame(replace(WRONG, password="9999")), "password"),
        (encode_frame(replace(WRONG, is_down=True, end=ENQ)), "direction"),
        (encode_frame(WRONG)[:-1] + b"\x00", "crc_mismatch"),
        (encode_frame(WRONG)[:20], "truncated"),
        (encode_frame(replace(WRONG, body=b"\x00\x01\x99")), "bytes are missing"),
        (bytes.fromhex(VECTORS[0]["frame"])[:9] + b"\xff\xfe\xfd", "noise"),
    ],
    ids=["stranger", "centre", "password", "direction", "crc", "truncated", "body", "noise"],
)
async def test_what_is_not_to_be_trusted_is_refused_and_the_next_report_is_taken(data, reason):
    options = {"stations": (STATION,), "centre": 1, "password": "1234", "frame_timeout_s": 0.05}
    async with Receiver(**options) as receiver:
        station = await Station.dial(receiver.port)
        station.writer.write(data)
        if reason == "truncated":
            await receiver.sink.until(lambda: any(reason in item.detail for item in receiver.sink.reports))
        station.say(report(2, 3.25))
        heard = await station.hear()
        assert asked_of(heard, CHINA).serial == 2
        await receiver.sink.until(lambda: any(reason in item.detail for item in receiver.sink.reports))
        await station.close()
    assert receiver.rows() == [("Z", NOON, 3.25)]


async def test_a_wrong_clock_is_said_and_set():
    async with Receiver(lambda: NOON + 2 * HOUR, set_time=True) as receiver:
        station = await Station.dial(receiver.port)
        station.say(report(1, 1.0))
        heard = [await station.hear(), await station.hear()]
        order = next(frame for frame in heard if frame.function == 0x4A)
        assert (order.end, asked_of(order, CHINA).sent) == (ENQ, NOON + 2 * HOUR)
        assert any("7200 s behind" in item.detail for item in receiver.sink.reports)
        await station.close()


async def test_hours_that_a_station_did_not_report_are_asked_for_and_filled():
    options = {"stations": (STATION,), "refill": ("Z",), "refill_after_s": 0.02, "refill_timeout_s": 5.0}
    async with Receiver(**options) as receiver:
        station = await Station.dial(receiver.port)
        for serial, hour in enumerate((-5, -4, -1), 1):
            station.say(report(serial, 10.0 + hour, NOON + hour * HOUR))
        heard = await station.hear()
        while heard.end != ENQ:
            heard = await station.hear()
        asked = asked_of(heard, CHINA)
        assert (asked.serial, asked.symbol, asked.step_us) == (0, "Z", HOUR)
        assert (asked.first, asked.last) == (NOON - 3 * HOUR, NOON - 2 * HOUR)
        body = even_body(4, NOON, STATION, "H", SYMBOLS["Z"], asked.first, HOUR, [7.0, 8.0], CHINA)
        station.say(Frame(1, STATION, "1234", 0x38, body))
        await receiver.sink.until_rows(4)
        await station.close()
    assert sorted(receiver.rows(), key=lambda row: row[1]) == [
        ("Z", NOON + hour * HOUR, 10.0 + hour) for hour in range(-5, 0)
    ]


async def test_what_the_virtual_station_lost_in_an_outage_is_asked_for_and_comes():
    clock = JumpingClock()
    feed = FunctionFeed(lambda at: {"Z": (at // 60_000_000 % 1000) / 100})
    faults = [Fault("restart", 3 * HOUR_S, 3 * HOUR_S)]
    simulator = SIMULATOR.make(None, feed, clock, faults, interval_s=60.0, over_time_s=2.0, resends=False)
    options = {"refill": ("Z",), "refill_step_min": 1, "refill_after_s": 0.02, "refill_days": 1}
    driver = DRIVER.make(DRIVER.options.model_validate({**await simulator.start(), **options}), clock)
    sink = RecordingSink()
    tasks = [asyncio.create_task(driver.run(sink))]
    await sink.until(lambda: sink.reports and "waiting" in sink.reports[-1].detail)
    tasks.append(asyncio.create_task(simulator.run()))

    def minutes():
        return {
            at // 60_000_000: value
            for batch in sink.batches
            for at, value in zip(batch.phenomenon_time.tolist(), batch.raw_result.tolist(), strict=True)
        }

    try:
        await sink.until(minutes)
        sink.reports.clear()
        clock.jump(3 * HOUR_S)
        await sink.until_said(SourceState.DISCONNECTED)
        clock.jump(3 * HOUR_S + 60.0)
        await sink.until(lambda: len(found := minutes()) > 360 and len(found) == max(found) - min(found) + 1, 15)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert all(value == minute % 1000 / 100 for minute, value in minutes().items())


@pytest.mark.parametrize("kind", ["late", "duplicate", "out_of_order"])
async def test_late_doubled_and_disordered_reports_arrive_once_each(kind):
    clock = JumpingClock()
    feed = FunctionFeed(lambda at: {"Z": (at // 60_000_000 % 1000) / 100})
    faults = [Fault(kind, 0.0, 1e9, amount=240.0)]
    simulator = SIMULATOR.make(None, feed, clock, faults, interval_s=60.0, over_time_s=2.0, is_text=kind == "late")
    driver = DRIVER.make(DRIVER.options.model_validate(await simulator.start()), clock)
    sink = RecordingSink()
    tasks = [asyncio.create_task(driver.run(sink)), asyncio.create_task(simulator.run())]
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len({at for batch in sink.batches for at in batch.phenomenon_time.tolist()}) < 6:
                clock.jump(30.0)
                await asyncio.sleep(0.01)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for batch in sink.batches:
        for at, value in zip(batch.phenomenon_time.tolist(), batch.raw_result.tolist(), strict=True):
            assert value == (at // 60_000_000 % 1000) / 100
            assert kind != "late" or clock() - at >= 240e6


async def test_every_vector_leaves_the_receiver_alive():
    async with Receiver(lambda: time.time_ns() // 1000) as receiver:
        station = await Station.dial(receiver.port)
        for vector in VECTORS:
            station.writer.write(bytes.fromhex(vector["frame"]))
        station.say(report(77, 1.5))
        heard = await station.hear()
        while asked_of(heard, CHINA).serial != 77:
            heard = await station.hear()
        await station.close()
    assert len(receiver.rows()) > 40
    assert receiver.sink.said(SourceState.LIVE)


@pytest.mark.parametrize(
    "options",
    [
        {"transport": "serial"},
        {"port": None},
        {"time_zone": "Mars/North"},
        {"refill": ("DRP",)},
        {"refill_step_min": 7},
        {"stations": ("12",)},
        {"password": "x"},
    ],
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValidationError):
        DRIVER.options(**{"port": 0, **options})


async def test_a_long_report_goes_in_packets_and_one_that_was_lost_is_sent_again_alone():
    lost, repeated = [], []

    async def write(data):
        # The second packet is lost the first time that it is sent.
        if b"\x16\x00\x40\x02" in data and not lost:
            lost.append(data)
            return
        await link.write(data)

    levels = [(SYMBOLS["Z"], 10 + i / 100) for i in range(100)]
    body = report_body(8, NOON, STATION, "H", [Group(NOON - i, [level]) for i, level in enumerate(levels)], CHINA)
    async with Receiver(stations=(STATION,), frame_timeout_s=0.05) as receiver:
        link = await connect("127.0.0.1", receiver.port)
        frame = Frame(1, STATION, "1234", 0x32, b"")
        talk = Talk(link, frame, CHINA, most_bytes=400, write=write, repeated=lambda: repeated.append(1))
        end = await talk.report(0x32, 8, body)
        await talk.close()
    assert (end, len(lost), repeated) == (ESC, 1, [])
    assert [row[2] for row in receiver.rows()] == [level for _, level in levels]


async def test_a_report_that_nobody_confirms_is_sent_three_times():
    heard = FrameSplitter()
    frames, repeated = [], []

    async def deaf(link):
        while True:
            frames.extend(heard.feed(await link.read()))

    listener = await listen("127.0.0.1", 0, deaf)
    link = await connect("127.0.0.1", listener.port)
    talk = Talk(
        link,
        Frame(1, STATION, "1234", 0x32, b""),
        CHINA,
        over_time_s=0.02,
        repeated=lambda: repeated.append(1),
    )
    assert await talk.report(0x32, 3, report(3, 1.0).body) is None
    await talk.keep(b"\x00\x03" + bytes.fromhex("240701120000"))
    while len(frames) < 4:
        await asyncio.sleep(0.005)
    await talk.close()
    await listener.close()
    assert [frame.function for frame in frames] == [0x32, 0x32, 0x32, 0x2F]
    assert frames[0] == replace(frames[1], offset=0) == replace(frames[2], offset=0)
    assert len(repeated) == 2
