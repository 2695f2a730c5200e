"""What a station says to a platform written by hand: greetings, answers to requests, and bytes of the standard."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from nilometer.acquisition.protocols.hj212 import (
    FrameSplitter,
    Message,
    Value,
    encode_frame,
    parse_frame,
    parse_segment,
)
from nilometer.store.uplink_ledger import PeriodState
from nilometer.uplink.hj212_content import Sender, segments
from nilometer.uplink.periods import Grid
from tests.pipeline.conftest import ids, rows, running, until
from tests.uplink.platforms import CHINA_DAY, DEVICE, HOUR, MINUTE, Clock, station

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/acquisition/hj212.json").read_text("utf-8"))["vectors"]


class Host:
    """A platform by hand: keeps what it hears, answers what wants an answer, and asks what a test has it ask."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self._frames = FrameSplitter()
        self._serial = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self._writer = writer
        while data := await reader.read(65536):
            for frame in self._frames.feed(data):
                message = parse_frame(frame)
                self.heard.append(message)
                if message.wants_answer:
                    header = {"QN": message.request, "ST": "91", "CN": "9014", "MN": DEVICE, "Flag": "4"}
                    writer.write(encode_frame(Message(header=header).encode()))

    async def ask(self, command, fields, *, until_command="9012", **header):
        """Return what the station answers, as (CN, fields), up to a command."""
        self._serial += 1
        number = f"20240501{self._serial:09}"
        told = {"QN": number, "ST": "21", "CN": command, "PW": "123456", "MN": DEVICE, "Flag": "5"} | header
        self._writer.write(b"noise ##12" + encode_frame(Message(header=told, fields=fields).encode()))
        await until(lambda: any(one.request == number and one.command == until_command for one in self.heard))
        return [(one.command, dict(one.fields)) for one in self.heard if one.request == number]


async def test_a_platform_is_greeted_and_its_requests_are_answered(tmp_path):
    clock = Clock(CHINA_DAY + 3 * HOUR)
    async with Host() as host:
        told = {"login": "9021", "announce_start": True, "heartbeat_s": 0.05, "minute_min": None, "days": False}
        config = station(host.port, since="2024-05-01T03:00:00+08:00", **told)
        async with running(tmp_path, config, clock=clock) as pipeline:
            batch = rows(ids(pipeline)["mill/codcr"], CHINA_DAY, np.arange(3.0), step=HOUR)
            await pipeline.ingest(batch)
            await pipeline.start_sources()
            await until(lambda: [one.command for one in host.heard[:3]] == ["9021", "2081", "9015"])
            assert await host.ask("1012", {"SystemTime": "20240501000000"}, until_command="9011") == [
                ("9011", {"QnRtn": "2"})
            ]
            done = ("9012", {"ExeRtn": "1"})
            will = ("9011", {"QnRtn": "1"})
            assert await host.ask("1011", {}) == [will, ("1011", {"SystemTime": "20240501030000"}), done]
            assert await host.ask("1000", {"OverTime": "9", "ReCount": "2"}) == [will, done]
            assert await host.ask("1062", {"RtdInterval": "30"}) == [will, done]
            assert await host.ask("1061", {}) == [will, ("1061", {"RtdInterval": "30"}), done]
            assert await host.ask("2012", {}, until_command="9013") == [("9013", {})]
            for command, fields, outcome, header in [
                ("1072", {"NewPW": "654321"}, "2", {}),
                ("1064", {"MinInterval": "5"}, "2", {}),
                ("1062", {"RtdInterval": "99999"}, "2", {}),
                ("3012", {}, "8", {}),
                ("1011", {}, "4", {"MN": "somebody"}),
                ("1011", {}, "3", {"PW": "wrong"}),
                ("2051", {"BeginTime": "20240501000000", "EndTime": "20240501010000"}, "2", {}),
                ("2061", {"BeginTime": "yesterday", "EndTime": "tomorrow"}, "2", {}),
            ]:
                answered = await host.ask(command, fields, until_command="9011", **header)
                assert answered == [("9011", {"QnRtn": outcome})], command
            # Hours from before the receiver's beginning: the store has them.
            asked = {"BeginTime": "20240501010000", "EndTime": "20240501020000"}
            assert await host.ask("2061", asked) == [will, done]
            sent = [one for one in host.heard if one.command == "2061" and one.values]
            assert [(one.fields["DataTime"], one.values[1].value) for one in sent] == [
                ("20240501010000", 1.0),
                ("20240501020000", 2.0),
            ]
            for extreme in ("00010101000000", "99991231235959"):
                asked = {"BeginTime": extreme, "EndTime": extreme}
                assert await host.ask("2061", asked) == [will, ("9012", {"ExeRtn": "100"})]
            states = [one.state for one in pipeline.store.catalog.uplinks.periods("province", "hour")]
            assert states == [PeriodState.ANSWERED] * 2


def uploads():
    return [
        one for one in VECTORS
        if one["status"] == "ok" and one["id"].startswith("hj212-split-noack") and "chunks" in one["input"]
    ]  # fmt: skip


@pytest.mark.parametrize("vector", uploads(), ids=lambda one: one["id"])
def test_packets_of_the_standard_are_made_byte_for_byte(vector):
    """HJ 212-2017 C.49: our packets of its values are its frames, where the length that parts them is the same."""
    for chunk in vector["input"]["chunks"]:
        segment = chunk[6:-6]
        message = parse_segment(segment.encode())
        sender = Sender(system="32", password="123456", device=message.device, edition="2017", answered=False)
        values = [
            Value(code=one.code, statistic=one.statistic, value=f"{one.value:.1f}", flag=one.flag)
            for one in message.values
        ]
        (made,) = segments(sender, message.command, message.fields["DataTime"], values, iter([message.request]))
        packet = f";PNUM={message.packet[1]};PNO={message.packet[0]}"
        whole = made.replace("Flag=4;CP", f"Flag=6{packet};CP")
        assert encode_frame(whole.encode()).decode() == chunk


def test_a_day_of_23_hours_has_23_hours():
    berlin = ZoneInfo("Europe/Berlin")
    hours, days = Grid(berlin, HOUR), Grid(berlin)
    start = days.start(1_711_843_200_000_000)  # 2024-03-31, the night the clocks go forward
    end = days.end(start)
    at, found = start, 0
    while at < end:
        at, found = hours.end(at), found + 1
    assert (found, at, end - start) == (23, end, 23 * HOUR)
    autumn = days.start(1_730_030_400_000_000)
    assert days.end(autumn) - autumn == 25 * HOUR
    assert {hours.start(autumn + 90 * MINUTE), hours.start(autumn + 119 * MINUTE)} == {autumn + HOUR}
