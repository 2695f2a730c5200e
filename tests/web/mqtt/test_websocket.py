"""What MQTT over WebSocket has beyond TCP: the upgrade, whose pages may ask for it, frames, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio

from nilometer.acquisition.links.mqtt import Will
from nilometer.acquisition.protocols.mqtt import connect_packet, publish_packet, subscribe_packet
from nilometer.web.mqtt import connection as mqtt_connection
from tests.web.conftest import NOON
from tests.web.mqtt.listening import WITHIN_S, Place, listening

HEAD = {
    "Host": "station",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqttv3.1, mqtt",
}
GREETING = connect_packet("a client", clean=True)
PING, PONG = b"\xc0\x00", b"\xd0\x00"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A station that is listened to by all tests that do not need one of their own."""
    folder = tmp_path_factory.mktemp("station")
    async with listening(folder, over="websockets", origins=["https://dashboard.example.org"]) as opened:
        yield opened


def masked(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """Return a client's frame, bit by bit as 5.2 and 5.3 of RFC 6455 have it."""
    n, key = len(payload), bytes.fromhex("37fa213d")
    length = bytes([0x80 | n]) if n < 126 else b"\xfe" + n.to_bytes(2) if n < 65536 else b"\xff" + n.to_bytes(8)
    mask = (key * (n // 4 + 1))[:n]
    body = (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(n)
    return bytes([opcode | (0x80 if is_last else 0)]) + length + key + body


@pytest_asyncio.fixture(loop_scope="module")
async def failed() -> AsyncIterator[list[dict[str, object]]]:
    """What nobody caught."""
    found: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: found.append(context))
    yield found
    loop.set_exception_handler(None)


class Client:
    """A client by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WITHIN_S)).decode()

    async def say(self, *frames: bytes) -> None:
        for frame in frames:
            self.writer.write(frame)
            await self.writer.drain()

    async def hear(self, n: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(n), WITHIN_S)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), WITHIN_S)

    async def greet(self, greeting: bytes = GREETING) -> None:
        assert "101 Switching Protocols" in await self.head()
        await self.say(masked(2, greeting))
        assert await self.hear(6) == bytes.fromhex("8204 20020000")


@asynccontextmanager
async def connected(place: Place, carrier: str = "websockets") -> AsyncIterator[Client]:
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that what is not read fills up soon
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", place.port(carrier)))
    reader, writer = await asyncio.open_connection(sock=end, limit=1 << 10)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def asked(place: Place, path: str = "/mqtt", method: str = "GET", **changed: str | None) -> AsyncIterator[Client]:
    """Ask for the upgrade, in other words."""
    given = {**HEAD, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
    async with connected(place) as client:
        await client.say("\r\n".join((*lines, "", "")).encode())
        yield client


async def test_packets_may_be_split_over_frames_and_joined_in_one(place):
    before = place.listener.figures().stored
    topic = f"v1.1/Datastreams({place.station.id('river/ph')})/Observations"
    one, two = (publish_packet(topic, json.dumps({"result": n}).encode(), packet_id=n) for n in (1, 2))
    stream = GREETING + one + two
    async with asked(place) as client:
        assert "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".lower() in (await client.head()).lower()
        await client.say(*(masked(2, stream[n : n + 1]) for n in range(len(stream))))
        heard = b""
        while heard.count(b"\x40\x02") < 2:  # PUBACKs, in one message or two
            heard += await client.hear(1)
        assert heard.startswith(bytes.fromhex("8204 20020000"))
    assert place.listener.figures().stored - before == 2


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://station", True),
        ("https://dashboard.example.org", True),
        ("http://evil.example", False),
        ("null", False),
        ("http://station:81", False),
    ],
)
async def test_a_page_of_another_origin_gets_no_socket(place, origin, allowed):
    async with asked(place, Origin=origin) as client:
        assert (await client.head()).startswith("HTTP/1.1 101 " if allowed else "HTTP/1.1 401 ")
        assert allowed or "server.origins" in (await client.rest()).decode()


@pytest.mark.parametrize(
    ("request_", "status", "what"),
    [
        ({"path": "/v1.1/Things"}, 404, "/mqtt"),
        ({"Sec_WebSocket_Version": "8"}, 400, "version 13"),
        ({"Sec_WebSocket_Protocol": None}, 400, "subprotocol"),
        ({"Sec_WebSocket_Protocol": "wamp"}, 400, "subprotocol"),
        ({"Sec_WebSocket_Key": None}, 400, "Sec-WebSocket-Key"),
        ({"method": "POST"}, 400, "GET"),
        ({"host": "another"}, 400, "Bad HTTP"),  # the second
        ({"Host": "a..b"}, 400, "label"),
        ({"Host": "m\u00fcller"}, 400, "ascii"),
    ],
)
async def test_what_is_no_upgrade_to_mqtt_is_refused(place, request_, status, what):
    async with asked(place, **request_) as client:
        head = await client.head()
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert "sec-websocket-version: 13" in head
        assert what in json.loads(await client.rest())["error"]["message"]


async def test_a_name_of_other_letters_is_compared_as_browsers_write_it(place):
    name = "xn--mller-kva.example:8080"
    async with asked(place, Host=name, Origin=f"http://{name}") as client:
        assert (await client.head()).startswith("HTTP/1.1 101 ")


async def test_who_does_not_ask_for_the_upgrade_is_told_to(place):
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{place.port('websockets')}/mqtt")
    assert answer.status_code == 400
    assert "WebSocket" in answer.json()["error"]["message"]


async def test_control_frames_may_come_within_a_message(place):
    ping, pong = masked(9, b"?"), masked(10, b"!")
    async with asked(place) as client:
        await client.head()
        await client.say(masked(2, GREETING[:3], is_last=False) + ping + masked(0, is_last=False) + pong)
        await client.say(masked(0, GREETING[3:] + PING[:1]) + ping + masked(2, PING[1:]))
        assert await client.hear(16) == bytes.fromhex("8a01 3f 8204 20020000 8a01 3f 8202 d000")  # in their order


async def test_a_message_may_be_longer_than_a_packet(place):
    """mqtt.js joins packets that wait."""
    many = b"".join(publish_packet("nowhere", bytes(100_000), packet_id=n + 1) for n in range(12))
    assert len(many) > mqtt_connection.MOST_BYTES
    async with asked(place) as client:
        await client.greet()
        await client.say(masked(2, many + PING))
        heard = b""
        while heard.count(b"\x40\x02") < 12 or PONG not in heard:
            heard += await client.hear(1)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (masked(1, b"text"), 1003),
        (b"\x82\x01x", 1002),  # no mask
        (b"\xc2" + masked(2, b"x")[1:], 1002),  # of an extension
        (masked(3, b"x"), 1002),  # an opcode of the future
        (masked(0, b"x"), 1002),  # goes on with nothing
        (masked(2, PING, is_last=False) + masked(2, PING), 1002),  # a message within a message
        (masked(9, b"x", is_last=False), 1002),
        (masked(9, b"x" * 126), 1002),
        (b"\x82\xff" + b"\xff" * 12, 1002),  # more than 63 bits of length
        (masked(8, b"x"), 1002),  # half a code
        (masked(8, b"\x03\xe9"), 1001),  # the client's own code
        (masked(8), None),
        (masked(2, b"\xf0\x00"), 1000),  # whole frames, and no MQTT
    ],
)
async def test_what_is_no_mqtt_ends_the_connection_with_its_code(place, frame, code, monkeypatch):
    monkeypatch.setattr("nilometer.web.mqtt.websocket.CLOSING_S", 0.05)
    async with asked(place) as other, asked(place) as client:
        await other.greet(connect_packet("another", clean=True))
        await client.greet()
        await client.say(frame)
        with contextlib.suppress(ConnectionResetError):
            heard = (await client.rest()).removeprefix(b"\x82\x02" + PONG)
            assert heard[:1] == b"\x88"
            assert heard[1] == len(heard) - 2
            assert heard[2:4] == (b"" if code is None else code.to_bytes(2))
        await other.say(masked(2, PING))
        assert await other.hear(4) == b"\x82\x02" + PONG  # and disturbs nobody


async def test_any_bytes_are_frames_or_end_the_connection(place, failed):
    chance = random.Random(6455)
    for n in range(60):
        async with asked(place) as client:
            await client.greet(connect_packet(f"client {n}", clean=True))
            opcode = chance.choice([0, 1, 2, 8, 9, 10, 11])
            await client.say(masked(opcode, chance.randbytes(n % 9), is_last=n % 4 > 0), chance.randbytes(n))
            with contextlib.suppress(ConnectionError):
                await client.say(masked(8))
    assert not failed


async def test_what_comes_after_the_end_is_passed_over(place, failed):
    topic = f"v1.1/Datastreams({place.station.id('river/ph')})/Observations"
    late = masked(9, b"?") + masked(2, publish_packet(topic, b'{"result": 1}', packet_id=1))
    other, before = await place.client(), place.listener.figures().stored
    for last, code in ((masked(1, b"text"), 1003), (masked(2, b"\xe0\x00"), 1000), (masked(8, b"\x03\xe9"), 1001)):
        async with asked(place) as client:
            await client.greet()
            await client.say(last + late + masked(8))
            assert (await client.rest())[2:4] == code.to_bytes(2)
    await other.publish(topic, {"result": 2})
    assert place.listener.figures().stored - before == 1
    assert not failed


async def test_pings_of_a_client_that_reads_nothing_are_not_kept(place, monkeypatch):
    monkeypatch.setattr(mqtt_connection, "MOST_UNREAD", 1 << 14)
    monkeypatch.setattr("nilometer.web.mqtt.websocket.CLOSING_S", 0.05)
    place.sockets["websockets"].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what is accepted inherits it
    async with asked(place) as client:
        await client.greet()
        await client.say(*[masked(9, bytes(125)) * 100] * 100, masked(2, b"\xe0\x00"))
        answers = await client.rest()
    assert answers.startswith(b"\x8a\x7d")
    assert answers.endswith(b"\x88\x02\x03\xe8")
    assert len(answers) < 10_000 * 127 / 4


async def test_a_ping_is_answered_and_who_never_says_goodbye_cannot_hold_the_end_up(place, monkeypatch):
    monkeypatch.setattr("nilometer.web.mqtt.websocket.CLOSING_S", 0.05)
    async with asked(place) as client:
        await client.greet()
        await client.say(masked(9, b"here?"))
        assert await client.hear(7) == b"\x8a\x05here?"
        await client.say(masked(2, b"\xe0\x00"))  # DISCONNECT, and no Close ever
        assert await client.rest() == b"\x88\x02\x03\xe8"


async def test_the_will_of_a_connection_that_is_cut_is_said_and_of_one_that_parts_is_not(place):
    topic = f"v1.1/Datastreams({place.station.id('sea/free')})/Observations"
    hearer = await place.client()
    await hearer.subscribe(f"{topic}?$select=result")
    for result, parting in ((1, [masked(2, b"\xe0\x00")]), (2, []), (3, [masked(8, b"")])):
        async with asked(place) as client:
            will = Will(topic=topic, payload=json.dumps({"result": result}).encode())
            await client.greet(connect_packet(f"client {result}", clean=True, will=will))
            await client.say(*parting)
            if parting:
                assert (await client.hear(2))[:1] == b"\x88"
    assert [(await hearer.next())[1] for _ in range(2)] == [{"result": 2}, {"result": 3}]
    assert hearer.heard.empty()


async def test_a_socket_outlives_the_time_a_request_may_take(place, monkeypatch):
    monkeypatch.setattr("nilometer.web.waiting.HEAD_S", 0.05)
    async with asked(place) as client:
        await client.greet()
        await asyncio.sleep(0.2)
        await client.say(masked(2, PING))
        assert await client.hear(4) == b"\x82\x02" + PONG


@pytest.mark.parametrize("carrier", ["tcp", "websockets"])
async def test_who_asks_and_reads_no_answers_is_cut_off(place, carrier, monkeypatch):
    monkeypatch.setattr(mqtt_connection, "MOST_UNREAD", 1 << 16)
    monkeypatch.setattr(mqtt_connection, "MOST_ANSWERS", 1 << 16)
    place.sockets[carrier].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what is accepted inherits it
    pings = b"\xc0\x00" * 30_000
    async with connected(place, carrier) if carrier == "tcp" else asked(place) as client:
        if carrier == "tcp":
            await client.say(GREETING)
            assert await client.hear(4) == bytes.fromhex("20020000")
        else:
            await client.greet()
            pings = masked(2, pings)
        with pytest.raises(ConnectionError):
            await client.say(*[pings] * 10_000)


async def test_who_reads_nothing_is_not_waited_for_when_its_connection_ends(place, monkeypatch):
    monkeypatch.setattr(mqtt_connection, "PARTING_S", 0.05)
    place.sockets["websockets"].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    n, hearer, greeting = 1_000, await place.client(), connect_packet("one name", clean=True)
    topic = f"v1.1/Datastreams({place.station.id('river/dissolved_oxygen')})/Observations"
    await hearer.subscribe(topic)
    async with asked(place) as client, asked(place) as again:
        await client.greet(greeting)
        await client.say(masked(2, subscribe_packet(1, [(topic, 0)])))
        assert await client.hear(7) == bytes.fromhex("8205 9003000100")
        await place.station.ingest("river/dissolved_oxygen", NOON, [8.0] * n)
        size = sum([len(json.dumps((await hearer.next())[1])) for _ in range(n)])
        await again.greet(greeting)
        await asyncio.sleep(0.2)
        with contextlib.suppress(ConnectionResetError):
            assert len(await client.rest()) < size / 2


@pytest.mark.parametrize(
    ("root", "bound", "endpoints"),
    [
        ("http://127.0.0.1:8080/v1.1", "127.0.0.1", ["mqtt://127.0.0.1:1883", "ws://127.0.0.1:8080/mqtt"]),
        ("https://data.example.org/v1.1", "127.0.0.1", ["wss://data.example.org/mqtt"]),
        ("http://station:8080/v1.1", "0.0.0.0", ["mqtt://station:1883", "ws://station:8080/mqtt"]),
        ("http://station/v1.1", "192.0.2.5", ["mqtt://192.0.2.5:1883", "ws://station/mqtt"]),
        ("http://[::1]:8080/v1.1", "::", ["mqtt://[::1]:1883", "ws://[::1]:8080/mqtt"]),
        ("http://station/v1.1", "", ["ws://station/mqtt"]),
    ],
)
async def test_the_root_names_where_its_client_can_reach_mqtt(place, root, bound, endpoints, monkeypatch):
    monkeypatch.setattr(place.listener, "_host", bound)
    monkeypatch.setattr(place.listener, "_port", 1883 if bound else 0)
    settings = (await place.station.json(root))["serverSettings"]
    for ending in ("/observations-creation", "/receive-updates"):
        (told,) = (name for name in settings["conformance"] if name.endswith(ending))
        assert settings[told] == {"endpoints": endpoints}


async def test_behind_a_proxy_each_client_has_its_own_allowance(tmp_path):
    async with listening(tmp_path, over="websockets", rate_limit={"requests_per_s": 2}) as place:
        greedy = await place.client(carrier="websockets", headers={"X-Forwarded-For": "192.0.2.1"})
        topic = f"v1.1/Datastreams({place.station.id('river/ph')})/Observations"
        for n in range(12):  # 10 are saved up
            greedy.client.publish(topic, json.dumps({"result": n}), 0)
        while place.listener.figures().stored < 12:
            await asyncio.sleep(0.01)
        rates = place.station.app.rates
        assert [rates.of_address(f"192.0.2.{n}").spend(requests=1) > 0 for n in (1, 2)] == [True, False]


async def test_the_server_that_ends_parts_from_its_clients(tmp_path):
    async with listening(tmp_path, over="websockets") as place:
        client = await place.client(carrier="websockets", version=5)
        place.clients.remove(client)
    assert (await client.next(client.left)).value == 0x8B
    await asyncio.to_thread(client.client.loop_stop)
