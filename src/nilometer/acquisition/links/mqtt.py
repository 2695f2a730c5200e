"""An MQTT connection to a broker: messages out, and what is to be said to it; knows no payload."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nilometer.acquisition.links.link import read_within
from nilometer.acquisition.links.tcp import TcpLink, connect
from nilometer.acquisition.protocols.mqtt import (
    CONNACK,
    DISCONNECT,
    PUBACK,
    SUBACK,
    Answer,
    PacketSplitter,
    Publish,
    Will,
    connect_packet,
    disconnect_packet,
    ping_packet,
    pubacks,
    publish_packet,
    reason_text,
    subscribe_packet,
)
from nilometer.errors import FrameError, LinkError, LinkTimeout

__all__ = ["Broker", "MqttLink", "open_mqtt"]

READ_MOST = 262_144
ANSWER_S = 10.0
AWAY_S = 2.0
GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a broker is, and who we are to it; a password is never part of its text."""

    host: str
    port: int
    client_id: str
    version: int = 4
    clean: bool = False
    keep_alive_s: int = 60
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    session_expiry_s: int = 0xFFFFFFFF
    receive_maximum: int = 65535
    longest: int = 1_048_576
    connect_timeout_s: float = ANSWER_S
    will: Will | None = None


class MqttLink:
    """One connection, used by one task; `confirm` and `publish` by any code of its loop.

    `session_present`: the broker kept our session, and with it what we have not acknowledged.
    """

    def __init__(self, link: TcpLink, broker: Broker, splitter: PacketSplitter) -> None:
        self.name = link.name
        self.session_present = False
        self.is_open = True
        self.keep_alive_s: float = broker.keep_alive_s
        self.acknowledged: deque[int] = deque(maxlen=65536)
        self._link, self._broker, self._splitter = link, broker, splitter
        self._loop = asyncio.get_running_loop()
        self._heard = self._sent = self._left = self._loop.time()
        self._number = 0
        self._messages: list[Publish] = []
        # Why no more comes; what came before it is given first.
        self._ended: LinkError | None = None

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> list[str]:
        """Subscribe; return what the broker refused, with its reason.

        Raises
        ------
        LinkError
            If no answer comes.
        """
        refused: list[str] = []
        number = self._next()
        await self._write(subscribe_packet(number, filters, version=self._broker.version))
        answer = await self._await(SUBACK)
        for (name, _), code in zip(filters, answer.codes, strict=False):
            if code >= 0x80:
                refused.append(f"{name}: {reason_text(code) if self._broker.version == 5 else 'subscription refused'}")
        return refused

    async def receive(self, within_s: float) -> list[Publish]:
        """Return the messages that are there, at least one; none when the time is over.

        Raises
        ------
        LinkError
            If the connection is cut, or the broker says no sign of life for 1.5 times the keep-alive.
        """
        if self._messages:
            taken, self._messages = self._messages, []
            return taken
        if self._ended is not None:
            raise self._ended
        now = self._loop.time()
        if now - self._left > AWAY_S:
            self._heard = now  # While nobody reads, nothing is heard; that is not the broker's silence.
        until = now + within_s
        try:
            while now < until:
                with contextlib.suppress(LinkTimeout):
                    messages = self._take(await read_within(self._link, min(until - now, AWAY_S), READ_MOST))
                    if messages:
                        return messages
                now = self._loop.time()
                if self.keep_alive_s and now - self._heard > 1.5 * self.keep_alive_s:
                    raise LinkError(f"no sign of life for {now - self._heard:.0f} s", link=self.name)
            return []
        finally:
            self._left = self._loop.time()

    async def keep_alive(self) -> None:
        """Ping when nothing was sent for a while, until cancelled; also while nobody reads."""
        while self.keep_alive_s:
            await asyncio.sleep(min(self.keep_alive_s / 4, 5.0))
            if self._loop.time() - self._sent >= self.keep_alive_s / 2:
                self.ping()

    def ping(self) -> None:
        """Ask the broker for a sign of life; so it sees one of ours."""
        self._sent = self._loop.time()
        self._link.post(ping_packet())

    async def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> int:
        """Send a message and return its packet id, 0 at QoS 0; `acknowledged` gets it when the broker has it.

        Raises
        ------
        LinkError
            If the connection is cut.
        """
        number = self._next() if qos else 0
        version = self._broker.version
        await self._write(publish_packet(topic, payload, packet_id=number, retain=retain, version=version))
        return number

    def confirm(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge messages, in their order; nothing happens on a connection that is gone."""
        packet_ids = list(packet_ids)
        if self.is_open and packet_ids:
            self._sent = self._loop.time()
            self._link.post(pubacks(packet_ids))

    async def close(self, *, say_goodbye: bool = True) -> None:
        """Close the connection; without a goodbye the broker says our will."""
        if self.is_open and say_goodbye:
            self.is_open = False
            with contextlib.suppress(LinkError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._link.write(disconnect_packet())
                    # A socket closed over unread bytes is reset, and takes along PUBACKs that the broker has not read:
                    # it is the broker that hangs up.
                    while True:
                        await self._link.read(READ_MOST)
        self.is_open = False
        await self._link.close()

    async def greet(self) -> None:
        """Say who we are, and hear whether we may.

        Raises
        ------
        LinkError
            If the broker refuses us; its reason is given.
        """
        broker = self._broker
        packet = connect_packet(
            broker.client_id,
            version=broker.version,
            clean=broker.clean,
            keep_alive_s=broker.keep_alive_s,
            username=broker.username,
            password=broker.password,
            session_expiry_s=broker.session_expiry_s,
            receive_maximum=broker.receive_maximum,
            will=broker.will,
        )
        await self._write(packet)
        answer = await self._await(CONNACK)
        if answer.codes[0]:
            why = answer.reason or reason_text(answer.codes[0])
            raise LinkError(f"the broker refuses client {broker.client_id!r}: {why}", link=self.name)
        self.session_present = answer.session_present
        if answer.keep_alive_s is not None:
            self.keep_alive_s = answer.keep_alive_s

    async def _await(self, kind: int) -> Answer:
        until = self._loop.time() + self._broker.connect_timeout_s
        while True:
            left_s = until - self._loop.time()
            if left_s <= 0.0:
                raise LinkTimeout(f"no answer within {self._broker.connect_timeout_s:g} s", link=self.name)
            try:
                data = await read_within(self._link, left_s, READ_MOST)
            except LinkTimeout:
                continue
            answers: list[Answer] = []
            # Messages of a kept session may come before the answer to a subscription.
            self._messages += self._take(data, answers)
            for answer in answers:
                if answer.kind == kind:
                    return answer
            if self._ended is not None:
                raise self._ended

    def _take(self, data: bytes, answers: list[Answer] | None = None) -> list[Publish]:
        self._heard = self._loop.time()
        packets: list[Publish | Answer] = []
        with contextlib.suppress(FrameError):
            packets = self._splitter.feed(data)
        if self._splitter.broken is not None:
            self._ended = LinkError(
                f"the peer speaks no MQTT {self._version()}: {self._splitter.broken}", link=self.name
            )
        messages: list[Publish] = []
        for packet in packets:
            if isinstance(packet, Publish):
                messages.append(packet)
            elif packet.kind == PUBACK:
                self.acknowledged.append(packet.packet_id)
            elif packet.kind == DISCONNECT:
                why = packet.reason or reason_text(packet.codes[0])
                self._ended = LinkError(f"the broker ends the connection: {why}", link=self.name)
                break
            elif answers is not None:
                answers.append(packet)
        if self._ended is not None and not messages and answers is None:
            raise self._ended
        return messages

    def _version(self) -> str:
        return "5" if self._broker.version == 5 else "3.1.1"

    async def _write(self, data: bytes) -> None:
        self._sent = self._loop.time()
        await self._link.write(data)

    def _next(self) -> int:
        self._number = self._number % 65535 + 1
        return self._number


async def open_mqtt(broker: Broker) -> MqttLink:
    """Connect to a broker.

    Raises
    ------
    LinkError
        If it cannot be reached, does not answer in time, or refuses us.
    """
    link = await connect(broker.host, broker.port, timeout_s=broker.connect_timeout_s, tls=broker.tls)
    connection = MqttLink(link, broker, PacketSplitter(broker.version, broker.longest))
    try:
        await connection.greet()
    except BaseException:
        await connection.close(say_goodbye=False)
        raise
    return connection
