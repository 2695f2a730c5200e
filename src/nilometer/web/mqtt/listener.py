"""The listener: its clients and their sessions, who may connect, and what becomes of what they publish."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from nilometer.acquisition.protocols.mqtt_server import Connect
from nilometer.errors import NotAuthorized, Overloaded, RequestError
from nilometer.pipeline import Pipeline
from nilometer.pipeline.log import Log
from nilometer.web.mqtt.connection import STOPPING, Connection
from nilometer.web.mqtt.hearing import Hearing
from nilometer.web.mqtt.session import Session
from nilometer.web.mqtt.topics import path_of
from nilometer.web.mqtt.websocket import PATH
from nilometer.web.rates import Rates
from nilometer.web.sensorthings.endpoint import ROOT, SensorThings
from nilometer.web.sensorthings.paths import parse_path
from nilometer.web.sensorthings.schema import STREAMS
from nilometer.web.serving import LOOPBACK

__all__ = ["MqttFigures", "MqttListener"]

MOST_CLIENTS = 5_000
MOST_KEPT = 1_000
"""Sessions of clients that are away."""
LONGEST_KEPT_S = 86_400.0
TELL_EVERY_S = 10.0
_log = Log(__name__)


class MqttFigures(NamedTuple):
    """What the listener has done: clients that are there, messages stored, refused, and lost to slow clients."""

    clients: int
    stored: int
    refused: int
    shed: int


class MqttListener:
    """SensorThings over MQTT 3.1.1 and 5: on a port of its own, and over WebSocket on that of HTTP.

    Parameters
    ----------
    pipeline : Pipeline
        Takes new Observations, tells of new rows.
    sensorthings : SensorThings
        Creates and words entities.
    address : str
        The server's URL, for links in what is told.
    token : str, optional
        What a client must give as its password; None: loopback only, everybody there may connect.
    rates : Rates
        How much each client may publish.
    """

    def __init__(
        self, pipeline: Pipeline, sensorthings: SensorThings, address: str, token: str | None, rates: Rates
    ) -> None:
        self._rates = rates
        self._service, self._creation = sensorthings.service, sensorthings.creation
        self._root = address + ROOT
        self._token = None if token is None else token.encode()
        self._hearing = Hearing(pipeline, self._service, self._root, f"{address}/api/v1")
        self._loop = asyncio.get_running_loop()
        self._connections: dict[str, Connection] = {}
        self._sessions: dict[str, Session] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._server: asyncio.Server | None = None
        self._host, self._port = "", 0
        self._stored = self._refused = self._shed = 0
        self._told = -TELL_EVERY_S

    async def start(self, listener: socket.socket | None) -> None:
        """Accept clients on a socket that is bound, if there is one, and have the service's root say where."""
        if listener is not None:
            self._host, self._port = listener.getsockname()[:2]
            self._server = await self._loop.create_server(self.connect, sock=listener)
        self._service.mqtt = self.endpoints

    def connect(self) -> Connection:
        """Return a new client's connection, over whatever carries it."""
        return Connection(self)

    def endpoints(self, root: str) -> list[str]:
        """Return where MQTT is spoken, for a client that reached the SensorThings service at `root`.

        A port on loopback is told to clients on this machine alone.
        """
        name = urlsplit(root).hostname or ""
        found = []
        if self._port and (self._host not in LOOPBACK or name in LOOPBACK):
            host = name if self._host in {"0.0.0.0", "::"} else self._host  # noqa: S104 -- compared, not bound
            found.append(f"mqtt://{f'[{host}]' if ':' in host else host}:{self._port}")
        found.append(f"{root.removesuffix(ROOT).replace('http', 'ws', 1)}{PATH}")
        return found

    async def stop(self) -> None:
        """Take no more clients, and send those that are there away."""
        self._service.mqtt = None
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections.values()):
            connection.close(STOPPING, "the server ends")
        for timer in self._ends.values():
            timer.cancel()
        await self._hearing.close()

    def figures(self) -> MqttFigures:
        """Return what was done so far."""
        shed = self._shed + sum(session.shed for session in self._sessions.values())
        return MqttFigures(len(self._connections), self._stored, self._refused, shed)

    def admit(self, connection: Connection, greeting: Connect) -> tuple[Session, bool]:
        """Return a client's session, and whether it was kept from before; another connection of its name is ended.

        Raises
        ------
        NotAuthorized
            If its password is not the token.
        Overloaded
            If there are too many clients.
        """
        if self._token is not None and not hmac.compare_digest(greeting.password or b"", self._token):
            raise NotAuthorized("give the server's token as the password", place="password")
        name = greeting.client_id
        before = self._connections.get(name)
        if before is None and len(self._connections) >= MOST_CLIENTS:
            raise Overloaded(f"there are {MOST_CLIENTS} clients already")
        if before is not None:
            before.take_over()
        known = self._sessions.get(name)
        if known is not None and greeting.clean:
            self._drop(known)
            known = None
        kept_s = min(float(greeting.session_expiry_s), LONGEST_KEPT_S)
        session = known or Session(name, kept_s)
        session.kept_s = kept_s
        timer = self._ends.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._sessions[name], self._connections[name] = session, connection
        return session, known is not None

    def leave(self, connection: Connection, session: Session) -> None:
        """Keep a session for its client's return, as long as it asked for, or drop it."""
        if self._connections.get(session.client_id) is not connection:
            return
        del self._connections[session.client_id]
        if session.kept_s <= 0.0 or len(self._ends) >= MOST_KEPT:
            self._drop(session)
        else:
            self._ends[session.client_id] = self._loop.call_later(session.kept_s, self._drop, session)

    def _drop(self, session: Session) -> None:
        timer = self._ends.pop(session.client_id, None)
        if timer is not None:
            timer.cancel()
        self._hearing.forget(session)
        self._shed += session.shed
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]

    def wait_s(self, address: str, size: int) -> float:
        """Count a message of a client, and return how long no more should be read of it, s."""
        allowance = self._rates.of_address(address)
        return 0.0 if allowance is None else allowance.spend(requests=1, size=size)

    async def create(self, topic: str, payload: bytes) -> None:
        """Store an Observation that was published.

        Raises
        ------
        RequestError, NotFound, NotSupported, StoreError
            If it cannot be stored.
        """
        path, query = path_of(topic)
        if query:
            raise RequestError("a topic that is published to takes no options", place="topic")
        stream = self._creation.stream_of(path)
        if stream is None and path != b"Observations":
            kind, owner = await asyncio.to_thread(self._service.find_owner, parse_path(path), self._root)
            stream = owner if kind in STREAMS else None
        if stream is None and path != b"Observations":
            await self._creation.store_below(payload, owner)
        else:
            await self._creation.store(payload, stream)
        self._stored += 1

    async def subscribe(self, session: Session, topic: str, qos: int) -> int:
        """Return the QoS with which a client is told of a topic; see `Hearing.subscribe`."""
        return await self._hearing.subscribe(session, topic, qos)

    def unsubscribe(self, session: Session, topics: Iterable[str]) -> list[bool]:
        """Say of each topic whether the client had subscribed to it."""
        return [self._hearing.unsubscribe(session, topic) for topic in topics]

    def refused(self, topic: str, reason: str) -> None:
        """Count what was refused, and log it, but not every one of a flood."""
        self._refused += 1
        now = self._loop.time()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            _log.warning("MQTT: refused", topic=topic[:200], reason=reason, refused=self._refused)
