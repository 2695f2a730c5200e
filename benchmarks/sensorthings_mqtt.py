"""MQTT create: Observations a second published with QoS 1, each confirmed when durable; Mosquitto beside it.

The server is a process of its own over a fresh data folder; the clients are in this process and write packets made
beforehand, so both share the machine's cores. Mosquitto takes the same packets from the same clients, and does nothing
with them: no parsing, no flags, nothing durable. It is what the wire alone costs. Over WebSocket each packet is a
message.
``python benchmarks/sensorthings_mqtt.py --help`` shows the sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import msgspec

from nilometer.acquisition.protocols.mqtt import connect_packet, publish_packet
from nilometer.acquisition.simulators.mosquitto import Mosquitto
from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.web.running import run_server
from nilometer.web.serving import run

START_S = 1_600_000_000
WINDOW = 1_000
UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def serve(folder: str, datastreams: int, told) -> None:
    config = parse(
        {
            "server": {"mqtt_port": 0},
            "thing": [{"key": "bench", "name": "Bench", "location": [120.0, 30.0]}],
            "datastream": [
                {"key": f"bench/ph{n}", "thing": "bench", "property": "ph", "profile": "river/ph"}
                for n in range(datastreams)
            ],
        }
    )

    def say(line: str) -> None:
        if line.startswith("SensorThings over MQTT"):
            told.put(int(line.rpartition(":")[2]))

    def ready(address: str) -> None:
        told.put(int(address.rpartition(":")[2]))

    run(run_server(Path(folder), config, port=0, say=say, ready=ready))


def packets(client: int, n: int, datastreams: int) -> list[bytes]:
    """Messages of one client: pH of its own Datastreams, every ten minutes."""
    made = []
    for i in range(n):
        number = 1 + (client + 64 * i) % datastreams
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + 600 * i + client))
        body = msgspec.json.encode({"phenomenonTime": moment, "result": 7.2 + i % 7 / 100})
        made.append(publish_packet(f"v1.1/Datastreams({number})/Observations", body, packet_id=1 + i % 65535))
    return made


def framed(packet: bytes) -> bytes:
    """Return a packet as a message of a client, under a mask (RFC 6455, 5.2)."""
    mask = b"\x37\xfa\x21\x3d"
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(packet))
    length = bytes([0x80 | len(packet)]) if len(packet) < 126 else b"\xfe" + len(packet).to_bytes(2)
    return b"\x82" + length + mask + hidden


async def unframed(reader: asyncio.StreamReader) -> bytes:
    """Return the payload of a message of the server."""
    length = (await reader.readexactly(2))[1]
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    return await reader.readexactly(length)


async def publish_framed(port: int, made: list[list[bytes]]) -> float:
    """Return the same over WebSocket, s."""

    async def one(name: int, messages: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(framed(connect_packet(f"bench-{name}", clean=True)))
        await unframed(reader)
        sent = confirmed = 0
        while confirmed < len(messages):
            room = min(len(messages), confirmed + WINDOW)
            if room > sent:
                writer.write(b"".join(messages[sent:room]))
                sent = room
            confirmed += len(await unframed(reader)) // 4
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(name, messages) for name, messages in enumerate(made)))
    return time.perf_counter() - began


async def publish(port: int, made: list[list[bytes]]) -> float:
    """Return how long all clients take until the last message is confirmed, s."""

    async def one(name: int, messages: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(connect_packet(f"bench-{name}", clean=True))
        await reader.readexactly(4)
        sent = confirmed = 0
        while confirmed < len(messages):
            room = min(len(messages), confirmed + WINDOW)
            if room > sent:
                writer.write(b"".join(messages[sent:room]))
                sent = room
            data = await reader.read(65536)
            confirmed += len(data) // 4
            if len(data) % 4:
                await reader.readexactly(4 - len(data) % 4)
                confirmed += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(name, messages) for name, messages in enumerate(made)))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--messages", type=int, default=10_000, help="of each client")
    parser.add_argument("--datastreams", type=int, default=1_000)
    given = parser.parse_args()
    made = [packets(client, given.messages, given.datastreams) for client in range(given.clients)]
    n = given.clients * given.messages
    told = multiprocessing.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(folder, given.datastreams, told), daemon=True
        )
        process.start()
        try:
            port, web = told.get(timeout=300), told.get(timeout=300)
            run(publish(port, [messages[:500] for messages in made]))  # warm
            ours = n / run(publish(port, made))
            # Other rows: those of before would be known already.
            later = [packets(client + 1_000_000, given.messages, given.datastreams) for client in range(given.clients)]
            frames = [[framed(packet) for packet in messages] for messages in later]
            over_websocket = n / run(publish_framed(web, frames))
        finally:
            process.terminate()
            process.join(60)
    print(
        f"nilometer, stored and durable   {ours:10,.0f} observations/s, {given.clients} clients, {os.cpu_count()} cores"
    )
    print(f"the same over WebSocket         {over_websocket:10,.0f} observations/s")
    try:
        broker = Mosquitto()
    except ConfigError as error:
        print(f"Mosquitto is not here: {error}")
        return
    broker.start()
    try:
        theirs = n / run(publish(broker.port, made))
    finally:
        broker.stop()
    print(f"Mosquitto, taken and forgotten  {theirs:10,.0f} messages/s; ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
