"""A station that listens to MQTT, over TCP and over WebSocket, and paho as its client."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from nilometer.web.mqtt.listener import MqttListener
from nilometer.web.mqtt.websocket import Entrance, WebSocket
from nilometer.web.serving import bind, serve
from tests.patience import PATIENCE_S
from tests.web.conftest import Station, open_station

WITHIN_S = PATIENCE_S


class Client:
    """A client in its own thread; what it hears is in `heard`."""

    def __init__(
        self,
        port: int,
        name: str = "",
        *,
        version: int = 4,
        password: str | None = None,
        clean: bool = True,
        carrier: str = "tcp",
        headers: dict[str, str] | None = None,
    ) -> None:
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        extra: dict[str, Any] = {} if version == 5 else {"clean_session": clean}
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.said: queue.Queue[Any] = queue.Queue()
        self.connected: queue.Queue[Any] = queue.Queue()
        self.left: queue.Queue[Any] = queue.Queue()
        self.version, self.clean, self.port = version, clean, port
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, transport=carrier, **extra
        )
        if carrier == "websockets":
            self.client.ws_set_options("/mqtt", headers)
        self.client.max_inflight_messages_set(20_000)
        if password is not None:
            self.client.username_pw_set("anybody", password)
        self.client.on_connect = lambda _c, _u, flags, code, _p: self.connected.put((flags, code))
        self.client.on_message = lambda _c, _u, message: self.heard.put((message.topic, json.loads(message.payload)))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.said.put(codes)
        self.client.on_unsubscribe = lambda _c, _u, _m, codes, _p: self.said.put(codes)
        self.client.on_publish = lambda _c, _u, _m, code, _p: self.said.put(code)
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: self.left.put(code)

    async def connect(self) -> tuple[Any, Any]:
        extra: dict[str, Any] = {}
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if self.clean else 600
            extra = {"clean_start": self.clean, "properties": properties}
        await asyncio.to_thread(self.client.connect, "127.0.0.1", self.port, 30, **extra)
        self.client.loop_start()
        return await self.next(self.connected)

    async def next(self, of: queue.Queue[Any] | None = None) -> Any:
        return await asyncio.to_thread((of or self.heard).get, timeout=WITHIN_S)

    async def subscribe(self, topic: str, qos: int = 0) -> Any:
        self.client.subscribe(topic, qos)
        return (await self.next(self.said))[0]

    async def publish(self, topic: str, document: Any, qos: int = 1) -> Any:
        payload = document if isinstance(document, bytes) else json.dumps(document)
        self.client.publish(topic, payload, qos)
        return await self.next(self.said)

    async def close(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


class Place:
    """A station with its listener, and the clients of a test."""

    def __init__(self, station: Station, listener: MqttListener, sockets: dict[str, socket.socket]) -> None:
        self.station, self.listener, self.sockets = station, listener, sockets
        self.clients: list[Client] = []

    def port(self, carrier: str = "tcp") -> int:
        return int(self.sockets[carrier].getsockname()[1])

    async def client(self, name: str = "", *, carrier: str = "tcp", **options: Any) -> Client:
        client = Client(self.port(carrier), name, carrier=carrier, **options)
        self.clients.append(client)
        flags, code = await client.connect()
        assert not code.is_failure
        client.session_present = flags.session_present  # type: ignore[attr-defined]
        return client


@asynccontextmanager
async def listening(folder: Any, token: str | None = None, *, over: str = "tcp", **server: Any) -> AsyncIterator[Place]:
    """Open a station; `over` "websockets": with its web server."""
    async with open_station(folder, token, server=server) as station:
        sockets = {"tcp": bind("127.0.0.1", 0)}
        app = station.app
        listener = MqttListener(station.pipeline, app.sensorthings, "http://station", token, app.rates)
        await listener.start(sockets["tcp"])
        place = Place(station, listener, sockets)
        try:
            if over == "tcp":
                yield place
            else:
                async with _serving(place):
                    yield place
        finally:
            for client in place.clients:
                await client.close()
            await listener.stop()


@asynccontextmanager
async def _serving(place: Place) -> AsyncIterator[None]:
    place.sockets["websockets"], ready = bind("127.0.0.1", 0), asyncio.Event()
    app = place.station.app
    entrance = partial(WebSocket, Entrance(place.listener.connect, app.origins))
    serving = asyncio.create_task(serve(app, place.sockets["websockets"], ready=ready.set, websocket=entrance))
    await asyncio.wait_for(ready.wait(), WITHIN_S)
    try:
        yield
    finally:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(serving, WITHIN_S)
