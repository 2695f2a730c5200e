"""Links on loopback and a pty pair."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acquisition.ports import reserved_port
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.rfc2217_server import device_server
from tests.patience import PATIENCE_S

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.links.dial_in import DialIn
from nilometer.acquisition.links.link import discard_pending, read_within
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import TcpLink, connect, listen
from nilometer.acquisition.links.udp import bind
from nilometer.errors import ConfigError, LinkError, LinkTimeout

HERE = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as reserved:
        yield reserved


async def dial(port: int) -> TcpLink:
    """Connect as soon as somebody listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await connect(HERE, port)
            except LinkError:
                await asyncio.sleep(0.01)


async def test_bytes_go_both_ways_over_tcp_and_an_end_is_an_error() -> None:
    async def echo(link: TcpLink) -> None:
        await link.write((await link.read()).upper())

    listener = await listen(HERE, 0, echo)
    link = await connect(HERE, listener.port)
    await link.write(b"water")
    assert await read_within(link, 5.0) == b"WATER"
    with pytest.raises(LinkError, match="peer closed"):
        await link.read()
    await link.close()
    await link.close()
    await listener.close()


async def test_a_refused_connection_and_a_port_in_use_say_so(port: int) -> None:
    with pytest.raises(LinkError, match=f"{port}: cannot connect: Connection refused"):
        await connect(HERE, port)

    async def serve(link: TcpLink) -> None:
        await link.read()

    listener = await listen(HERE, 0, serve)
    with pytest.raises(LinkError, match="in use"):
        await listen(HERE, listener.port, serve)
    await listener.close()


async def test_an_unknown_host_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="cannot connect"):
        await connect("no.such.host.invalid", 1)


async def test_silence_is_a_time_out_and_what_came_unasked_can_be_dropped() -> None:
    async def talk(link: TcpLink) -> None:
        await link.read()
        await link.write(b"late")
        await asyncio.Event().wait()

    listener = await listen(HERE, 0, talk)
    link = await connect(HERE, listener.port)
    with pytest.raises(LinkTimeout):
        await read_within(link, 0.01)
    await link.write(b"x")
    dropped = b""
    async with asyncio.timeout(PATIENCE_S):
        while len(dropped) < 4:
            dropped += await discard_pending(link)
            await asyncio.sleep(0.01)
    assert dropped == b"late"
    assert await discard_pending(link) == b""
    await link.close()
    await listener.close()


async def test_a_listener_beyond_its_fill_closes_the_newcomer() -> None:
    has_come = asyncio.Event()

    async def stay(link: TcpLink) -> None:
        has_come.set()
        await link.read()

    listener = await listen(HERE, 0, stay, most_connections=1)
    first = await connect(HERE, listener.port)
    await has_come.wait()
    second = await connect(HERE, listener.port)
    with pytest.raises(LinkError):
        await read_within(second, 5.0)
    for link in (first, second):
        await link.close()
    await listener.close()


async def test_datagrams_come_with_their_sender_and_the_oldest_are_shed() -> None:
    receiver = await bind(HERE, 0, most_waiting=2)
    sender = await bind(HERE, 0)
    for text in (b"1", b"2", b"3"):
        sender.send(text, (HERE, receiver.port))
    async with asyncio.timeout(PATIENCE_S):
        while not receiver.shed:
            await asyncio.sleep(0.01)
    assert await receiver.receive() == (b"2", (HERE, sender.port))
    assert receiver.shed == 1
    with pytest.raises(LinkError, match="in use"):
        await bind(HERE, receiver.port)
    await receiver.close()
    assert await receiver.receive() == (b"3", (HERE, sender.port))
    with pytest.raises(LinkError, match="closed"):
        await receiver.receive()
    await sender.close()


async def test_bytes_go_both_ways_over_a_serial_line_and_unplugging_is_seen(tmp_path: Path) -> None:
    cable = PtyPair(tmp_path)
    near, far = await open_port(str(cable.near), baud=9600), await open_port(str(cable.far))
    await near.write(b"\x01\x03")
    assert await read_within(far, 5.0) == b"\x01\x03"
    with pytest.raises(LinkError, match="cannot open"):
        await open_port(str(cable.near))
    cable.unplug(cable.near)
    with pytest.raises(LinkError, match="port lost"):
        await near.read()
    await near.close()
    await far.close()
    cable.close()
    with pytest.raises(LinkError, match="cannot open"):
        await open_port(str(tmp_path / "absent"))


async def test_modems_on_one_port_are_told_apart_by_what_they_say_first(port: int) -> None:
    one, two = DialIn(HERE, port, registration=b"DTU-1"), DialIn(HERE, port, registration=b"DTU-2")
    async with one, two:
        waits = [asyncio.create_task(guest.next_link()) for guest in (one, two)]
        second, first = await dial(port), await dial(port)
        await second.write(b"DTU-2rest")
        await first.write(b"DT")
        await asyncio.sleep(0.05)
        await first.write(b"U-1")
        links = await asyncio.gather(*waits)
        assert await read_within(links[1], 5.0) == b"rest"
        await first.write(b"hello")
        assert await read_within(links[0], 5.0) == b"hello"
        again = await connect(HERE, port)
        await again.write(b"DTU-1")
        newer = await one.next_link()
        with pytest.raises(LinkError):  # The half-open connection has given way.
            await links[0].read()
        await again.write(b"new")
        assert await read_within(newer, 5.0) == b"new"
        stranger = await connect(HERE, port)
        await stranger.write(b"who knows")
        with pytest.raises(LinkError):
            await read_within(stranger, 5.0)
        for link in (first, second, again, stranger):
            await link.close()
    listener = await listen(HERE, port, lambda link: link.close())
    await listener.close()


async def test_one_registration_serves_one_source(port: int) -> None:
    async with DialIn(HERE, port, registration=b"A"):
        with pytest.raises(ConfigError, match="another source"):
            async with DialIn(HERE, port, registration=b"A"):
                pass


async def test_a_modem_that_says_nothing_is_taken_where_nothing_is_asked(port: int) -> None:
    async with DialIn(HERE, port) as guest:
        wait = asyncio.create_task(guest.next_link())
        modem = await dial(port)
        link = await wait
        await link.write(b"ask")
        assert await read_within(modem, 5.0) == b"ask"
        await modem.close()


def test_waits_grow_stay_bounded_and_never_agree() -> None:
    waits = [Backoff(first_s=1.0, longest_s=8.0) for _ in range(20)]
    first = [wait.next_s() for wait in waits]
    assert len(set(first)) > 1
    assert all(0.7 <= wait <= 1.0 for wait in first)
    for _ in range(200):
        last = waits[0].next_s()
    assert 5.6 <= last <= 8.0
    waits[0].reset()
    assert waits[0].next_s() <= 1.0


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's own
async def test_a_remote_port_is_set_read_written_and_lost_over_rfc_2217(tmp_path: Path) -> None:
    cable = PtyPair(tmp_path)
    far = await open_port(str(cable.far))
    with device_server(cable.near) as server:
        url = f"rfc2217://{HERE}:{server.port}"
        link = await open_port(url, baud=19200)  # a pty knows no parity
        assert link.name == url
        assert server.line.baudrate == 19200
        with pytest.raises(LinkTimeout):
            await read_within(link, 0.05)
        await link.write(b"\xff\x00water")  # 255 is the protocol's own escape
        said = b""
        while len(said) < 7:
            said += await read_within(far, 5.0)
        assert said == b"\xff\x00water"
        await far.write(b"\xffdeep\xff")
        said = b""
        while len(said) < 6:
            said += await read_within(link, 5.0)
        assert said == b"\xffdeep\xff"
        server.hang_up()
        with pytest.raises(LinkError, match="port lost"):
            await read_within(link, 5.0)
        await link.close()
        await link.close()
    await far.close()
    cable.close()
    with pytest.raises(LinkError, match="cannot open"):
        await open_port(f"rfc2217://{HERE}:{server.port}")
    for url in ("rfc2217://nowhere", "socket://:1", "socket://h:port"):
        with pytest.raises(LinkError, match="HOST:PORT"):
            await open_port(url)


async def test_a_port_that_passes_bytes_alone_is_a_socket() -> None:
    async def echo(link: TcpLink) -> None:
        await link.write(await link.read())

    listener = await listen(HERE, 0, echo)
    link = await open_port(f"socket://{HERE}:{listener.port}", baud=4800)
    await link.write(b"water")
    assert await read_within(link, 5.0) == b"water"
    await link.close()
    await listener.close()
