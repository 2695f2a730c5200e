"""The recorder's side of the bus, on a link in memory that remembers when what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acquisition.clocks import JumpingLoop

from nilometer.acquisition.protocols.sdi12_answer import Here, Started, Text
from nilometer.acquisition.protocols.sdi12_command import command
from nilometer.acquisition.protocols.sdi12_crc import crc_text
from nilometer.acquisition.protocols.sdi12_parity import with_parity, without_parity
from nilometer.acquisition.sdi12_bus import IDLE_S, Sdi12Bus, Timing
from nilometer.acquisition.sdi12_measuring import Recorder
from nilometer.acquisition.sdi12_sensors import Sensor
from nilometer.errors import FrameError, LinkError, LinkTimeout

pytestmark = pytest.mark.jumping

QUICK = Timing(timeout_s=0.05, gap_s=0.02, settle_s=0.005)


class MemoryLink:
    """Answers each write as it is told; keeps (time, what) of writes and breaks."""

    name = "memory"

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.log: list[tuple[float, bytes]] = []
        self._waiting = bytearray()
        self._arrived = asyncio.Event()

    def arrive(self, data: bytes) -> None:
        self._waiting += data
        self._arrived.set()

    async def read(self, most: int = 65536) -> bytes:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        taken = bytes(self._waiting[:most])
        del self._waiting[:most]
        return taken

    async def write(self, data: bytes) -> None:
        self.log.append((asyncio.get_running_loop().time(), data))
        self.arrive(self.answer(data))

    async def close(self) -> None:
        return

    @property
    def sent(self) -> list[bytes]:
        return [data for _, data in self.log]


class BareLink(MemoryLink):
    """One that can send a break, logged as NUL when it begins and ends."""

    async def send_break(self, duration_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.log.append((loop.time(), b"\0"))
        await asyncio.sleep(duration_s)
        self.log.append((loop.time(), b"\0"))


def bus(answer: Callable[[bytes], bytes], timing: Timing = QUICK) -> tuple[Sdi12Bus, Any, list[str]]:
    link = BareLink(answer) if timing.is_direct else MemoryLink(answer)
    bad: list[str] = []
    return Sdi12Bus(link, timing, bad.append), link, bad


async def test_a_bus_that_we_drive_gets_break_marking_and_even_parity() -> None:
    line, link, _ = bus(lambda data: with_parity(b"0\r\n"), Timing.direct())
    assert await line.ask(command("0!")) == Here("0")
    assert [data for _, data in link.log] == [b"\0", b"\0", with_parity(b"0!")]
    assert without_parity(link.log[2][1])[0] == b"0!"
    began, ended, wrote = (when for when, _ in link.log)
    assert ended - began >= 0.012
    assert wrote - ended >= 0.00833


async def test_a_break_is_spared_while_the_line_is_awake_and_sent_for_another_sensor() -> None:
    line, link, _ = bus(lambda data: data[:1] + b"\x8d\n", Timing.direct())
    await line.ask(command("0!"))
    await line.ask(command("0!"))
    await line.ask(command("3!"))
    assert [data[:1] for data in link.sent] == [b"\0", b"\0", b"0", b"0", b"\0", b"\0", b"3"]


async def test_a_break_is_sent_again_when_the_line_rested() -> None:
    line, link, _ = bus(lambda data: b"0\r\n", Timing.direct())
    await line.ask(command("0!"))
    await asyncio.sleep(IDLE_S + 0.02)
    await line.ask(command("0!"))
    assert link.sent.count(b"\0") == 4


async def test_a_silent_sensor_is_asked_three_times_for_each_break() -> None:
    line, link, bad = bus(lambda data: b"", Timing.direct(0.03))
    with pytest.raises(LinkTimeout):
        await line.ask(command("0M!"), tries=3)
    assert link.sent == [b"\0", b"\0", *[with_parity(b"0M!")] * 3] * 3
    assert bad == []
    begins = [when for when, data in link.log if data != b"\0"]
    assert begins[2] - link.log[1][0] > 0.1  # One try is long after the break, for a sensor that slept.
    # Between the end of a command and its repetition lies more than 16.67 ms.
    assert min(b - a for a, b in pairwise(begins)) > 0.0167


async def test_a_bad_answer_is_asked_for_again_and_counted() -> None:
    answers = iter([b"0+1.5XXX\r\n", b"0\xff\r\n", b"00012\r\n"])
    line, link, bad = bus(lambda data: next(answers))
    assert await line.ask(command("0M!")) == Started("0", 1, 2)
    assert link.sent == [b"0M!"] * 3
    assert bad == ["0", "0"]


async def test_two_broken_answers_are_never_joined() -> None:
    answers = iter([b"000", b"12\r\n"])
    line, _, _ = bus(lambda data: next(answers))
    with pytest.raises(FrameError, match="bad answer"):
        await line.ask(command("0M!"), tries=2)


async def test_a_late_line_of_another_sensor_is_passed_over() -> None:
    line, _, bad = bus(lambda data: b"1+7.5\r\n00012\r\n")
    assert await line.ask(command("0M!")) == Started("0", 1, 2)
    assert bad == []


async def test_another_sensor_alone_is_no_answer() -> None:
    line, _, _ = bus(lambda data: b"10012\r\n")
    with pytest.raises(FrameError, match="address_mismatch"):
        await line.ask(command("0M!"), tries=1)


@pytest.mark.parametrize("echo", [b"0M!", b"0M!\r\n", b"\x000M!"])
async def test_an_echo_is_taken_off(echo: bytes) -> None:
    line, _, bad = bus(lambda data: echo + b"00012\r\n")
    assert await line.ask(command("0M!"), tries=1) == Started("0", 1, 2)
    assert bad == []


async def test_a_line_too_many_is_noticed() -> None:
    line, link, _ = bus(lambda data: b"0\r\n")
    await line.ask(command("0!"))
    assert await line.settled("0")
    link.arrive(b"0+1\r\n")
    assert not await line.settled("0")
    line.begin("0")
    assert await line.settled("0")
    link.arrive(b"1+1\r\n")  # Another sensor's late line says nothing of this one.
    assert await line.settled("0")


async def test_a_service_request_is_that_of_its_sensor() -> None:
    line, link, _ = bus(lambda data: b"")
    link.arrive(b"1\r\n0+\r\n")
    assert not await line.service_request("0", 0.03)
    link.arrive(b"0\r")
    assert await line.service_request("0", 5.0)
    link.arrive(with_parity(b"1\r\n"))
    assert await line.service_request("1", 5.0)


async def test_an_address_is_changed_only_to_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nilometer.acquisition.sdi12_bus.CHANGE_S", 0.0
    )  # The second that a sensor may take is not ours.
    taken, _, _ = bus(lambda data: b"1\r\n" if data == b"1!" else b"")
    with pytest.raises(FrameError, match="taken"):
        await taken.change_address("0", "1")
    free, link, _ = bus(lambda data: b"1\r\n" if data == b"0A1!" else b"")
    await free.change_address("0", "1")
    assert link.sent == [b"1!", b"0A1!"]


async def test_the_makers_own_commands_give_their_first_line() -> None:
    line, _, _ = bus(lambda data: b"0A0C1\r\n0F0\r\n")
    assert await line.ask(command("0XPR0!")) == Text("0", "A0C1")
    assert await line.settled("0")


async def test_a_link_without_break_cannot_be_direct() -> None:
    with pytest.raises(TypeError, match="break"):
        Sdi12Bus(MemoryLink(lambda data: b""), Timing.direct())


async def test_noise_without_end_is_a_bad_answer() -> None:
    line, _, _ = bus(lambda data: b"0" * 20_000)
    with pytest.raises(FrameError, match="noise"):
        await line.ask(command("0M!"), tries=1)


@pytest.mark.parametrize("chatter", [b"0", b"\xff", b"1\r\n", b"\0", b"0\r\n"])
async def test_a_device_that_chatters_on_does_not_hold_the_bus(chatter: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINE_S", "PAGE_S", "REST_S"):
        monkeypatch.setattr(f"nilometer.acquisition.sdi12_bus.{name}", 0.05)
    line, link, _ = bus(lambda data: b"")

    async def talk() -> None:
        while True:
            link.arrive(chatter)
            await asyncio.sleep(0.004)

    talking = asyncio.create_task(talk())
    try:
        async with asyncio.timeout(10):
            with pytest.raises((FrameError, LinkTimeout)):
                await line.ask(command("0M!"), tries=2)
            with pytest.raises((FrameError, LinkTimeout)):
                await line.ask_page(command("0DB0!"), tries=2)
            await line.settled("0")
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


def jumping(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(work)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["0M!", "0D0!", "0I!", "0!", "?!", "0XA!"]))
def test_any_answer_gives_an_answer_or_an_error_of_ours(said: bytes, text: str) -> None:
    async def try_it() -> None:
        line, _, _ = bus(lambda data: said, Timing(timeout_s=0.002, gap_s=0.001, settle_s=0.001))
        try:
            await line.ask(command(text), tries=1)
        except (FrameError, LinkError):
            return

    jumping(try_it())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_any_page_gives_values_or_an_error_of_ours(said: bytes) -> None:
    async def try_it() -> None:
        line, _, _ = bus(lambda data: said, Timing(timeout_s=0.002, gap_s=0.001, settle_s=0.001))
        try:
            await line.ask_page(command("0DB0!"), tries=1)
        except (FrameError, LinkError):
            return

    jumping(try_it())


class DisorderlyLink(MemoryLink):
    """A bridge that loses answers, doubles them, or holds them back until the next command."""

    def __init__(self, answer: Callable[[bytes], bytes], fates: list[str]) -> None:
        super().__init__(answer)
        self._fates, self._held = iter(fates), b""

    async def write(self, data: bytes) -> None:
        said = self.answer(data)
        fate = next(self._fates, "through")
        before, self._held = self._held, b""
        if fate == "late":
            self._held = said
        elif fate == "copy":
            self._held = said
            before += said
        elif fate != "lost":
            before += said * (2 if fate == "double" else 1)
        self.arrive(before)


PAGES = {f"0D{page}!".encode(): f"0+{page}1+{page}2".encode() for page in range(3)}


def six_values(data: bytes) -> bytes:
    if data.endswith(b"MC!"):
        return b"00006\r\n"
    return PAGES[data] + crc_text(PAGES[data]) + b"\r\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["through", "lost", "double", "late", "copy"]), max_size=10))
def test_whatever_the_bridge_does_to_answers_no_value_stands_at_a_wrong_place(fates: list[str]) -> None:
    async def try_it() -> None:
        link = DisorderlyLink(six_values, fates)
        line = Sdi12Bus(link, Timing(timeout_s=0.004, gap_s=0.002, settle_s=0.002))
        sensor = Sensor("sensor0", "", "0", ("M",), True, (), 60.0)
        try:
            measured = await Recorder(line, lambda: 0).measure(sensor, "M", 3)
        except (FrameError, LinkTimeout):
            return
        # A copy that a bridge keeps for ever, behind the last command, nobody can hear.
        assert measured.values == (1.0, 2.0, 11.0, 12.0, 21.0, 22.0)

    jumping(try_it())
