"""One client's connection: greeted, kept alive, answered in the order in which it asked.

A message is confirmed when its Observation is durable. One that is refused is confirmed too, or the client would send
it for ever: version 5 is told the reason, for 3.1.1 it is logged. Where the store takes nothing, the connection is
closed unconfirmed, and the client sends again when it comes back.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, NamedTuple, Protocol, cast

from nilometer.acquisition.protocols.mqtt_server import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Acknowledged,
    ClientPackets,
    Connect,
    Disconnect,
    OversizedPacketError,
    Ping,
    Received,
    Subscribe,
    Unsubscribe,
    Will,
    acknowledgement,
    connected,
    disconnected,
    pong,
    subscribed,
    unsubscribed,
)
from nilometer.errors import FrameError, NilometerError, NotAuthorized, NotFound, Overloaded, StoreError
from nilometer.pipeline.log import Log
from nilometer.web.mqtt.session import Session

__all__ = ["Connection", "Desk"]

GREETING_S = 10.0
MOST_OPEN = 4_000
"""Messages of one client that are being stored before no more are read of it."""
MOST_BYTES = 1 << 20
MOST_UNREAD = 8 << 20
"""Bytes written to a client that does not read them, before it is told nothing more."""
MOST_ANSWERS = 8 << 20
"""Bytes of answers beyond them: a client that goes on to ask and reads none is cut off."""
PARTING_S = 10.0
"""How long a client may take to read what was written before the connection was closed."""
MALFORMED, PROTOCOL_ERROR, NOT_AUTHORISED, BUSY, STOPPING, KEEP_ALIVE, TAKEN_OVER, TOO_LARGE = (
    0x81, 0x82, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x95,
)  # fmt: skip
TOPIC_INVALID, PAYLOAD_INVALID, WILL_ALL_THE_SAME = 0x90, 0x99, 4
_log = Log(__name__)


class Desk(Protocol):
    """What a connection asks of the listener."""

    def admit(self, connection: Connection, greeting: Connect) -> tuple[Session, bool]:
        """Return the client's session and whether it was kept, or raise NotAuthorized or Overloaded."""

    def leave(self, connection: Connection, session: Session) -> None:
        """Take notice that a client is gone."""

    def wait_s(self, address: str, size: int) -> float:
        """Count a message, and return how long no more should be read, s."""

    def create(self, topic: str, payload: bytes) -> Coroutine[Any, Any, None]:
        """Store what a message says, durably."""

    def subscribe(self, session: Session, topic: str, qos: int) -> Awaitable[int]:
        """Return the QoS that is granted."""

    def unsubscribe(self, session: Session, topics: Iterable[str]) -> list[bool]:
        """Say of each topic whether it was subscribed to."""

    def refused(self, topic: str, reason: str) -> None:
        """Take notice of a message that was not stored."""


class _Turn(NamedTuple):
    """A message that is being stored, and what confirms it."""

    message: Received
    task: asyncio.Task[None]


class Connection(asyncio.Protocol):
    """The server's end.

    Parameters
    ----------
    desk : Desk
        The listener.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._packets = ClientPackets(MOST_BYTES)
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._turns: deque[_Turn] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._will: Will | None = None
        self._keep_alive_s = 0.0
        self._heard = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._address = ""
        self._rested: asyncio.TimerHandle | None = None
        self._is_paused = self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a greeting, not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MOST_UNREAD)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self._watch = self._loop.call_later(GREETING_S, self._look)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        self._heard = self._loop.time()
        try:
            for packet in self._packets.feed(data):
                if self._is_closed:
                    return
                self._take(packet)
        except OversizedPacketError as error:
            self.close(TOO_LARGE, str(error))
        except FrameError as error:
            self.close(MALFORMED, str(error))

    def connection_lost(self, _error: Exception | None) -> None:
        """Say the client's will, unless it said goodbye; what it sent is still stored."""
        self._is_closed = True
        for timer in (self._watch, self._rested):
            if timer is not None:
                timer.cancel()
        if self._session is not None:
            session, self._session = self._session, None
            session.disconnect()
            self._desk.leave(self, session)
        if self._will is not None:
            will, self._will = self._will, None
            self._receive(Received(will.topic, will.payload, 0, 0, is_again=False))

    def pause_writing(self) -> None:
        """Take notice that the client does not read."""
        if self._session is not None:
            self._session.is_slow = True

    def resume_writing(self) -> None:
        """Go on."""
        if self._session is not None:
            self._session.is_slow = False
            self._session.go_on()

    def take_over(self) -> None:
        """Leave the session to a new connection of the same client."""
        session, self._session = self._session, None
        if session is not None:
            session.disconnect()
            if self._packets.version == 5:
                self._write(disconnected(TAKEN_OVER, "the client connected again"))
        self.close()

    def close(self, code: int = 0, reason: str = "") -> None:
        """End the connection; version 5 is told why."""
        if self._transport is None or self._is_closed:
            return
        self._is_closed = True
        if code and self._packets.version == 5 and self._session is not None:
            self._write(disconnected(code, reason))
        self._transport.close()
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_later(PARTING_S, self._transport.abort)

    def _take(self, packet: Any) -> None:  # noqa: ANN401 -- a packet of a client
        match packet:
            case Received():
                self._receive(packet)
            case Connect():
                self._greet(packet)
            case Acknowledged():
                self._acknowledged(packet)
            case Subscribe():
                self._start(self._subscribe(packet))
            case Unsubscribe():
                self._unsubscribe(packet)
            case Ping():
                self._write(pong())
            case Disconnect(reason):
                if reason != WILL_ALL_THE_SAME:
                    self._will = None
                self.close()

    def _greet(self, greeting: Connect) -> None:
        version = greeting.version
        if not version:
            self._write(connected(1, version=4))
            self.close()
            return
        if not greeting.client_id and version == 4 and not greeting.clean:
            self._write(connected(2, version=4))
            self.close()
            return
        given = ""
        if not greeting.client_id:
            given = f"nilometer-{secrets.token_hex(8)}"
            greeting = greeting._replace(client_id=given)
        try:
            session, was_kept = self._desk.admit(self, greeting)
        except NotAuthorized as error:
            self._write(connected(NOT_AUTHORISED if version == 5 else 5, version=version, reason=str(error)))
            self.close()
            return
        except Overloaded as error:
            self._write(connected(BUSY if version == 5 else 3, version=version, reason=str(error)))
            self.close()
            return
        self._session, self._will = session, greeting.will
        self._keep_alive_s = 1.5 * greeting.keep_alive_s
        self._write(connected(0, version=version, session_present=was_kept, client_id=given, longest=MOST_BYTES))
        session.connect(self._write, version, greeting.receive_maximum, greeting.longest)

    def _look(self) -> None:
        """Close where no greeting came, or no sign of life (3.1.2.10)."""
        if self._session is None:
            self.close()
            return
        silence = self._loop.time() - self._heard
        if self._keep_alive_s and silence > self._keep_alive_s:
            self.close(KEEP_ALIVE, f"nothing was heard for {silence:.0f} s")
            return
        left = self._keep_alive_s - silence if self._keep_alive_s else 60.0
        self._watch = self._loop.call_later(max(left, 1.0), self._look)

    def _receive(self, message: Received) -> None:
        session = self._session
        if message.qos == 2 and session is not None:
            if message.packet_id in session.unreleased:
                self._write(acknowledgement(PUBREC, message.packet_id, version=self._packets.version))
                return
            session.unreleased.add(message.packet_id)
        task = self._start(self._desk.create(message.topic, message.payload))
        self._turns.append(_Turn(message, task))
        task.add_done_callback(self._answer)
        wait_s = self._desk.wait_s(self._address, len(message.payload))
        if wait_s > 0.0 and not self._is_closed:
            # It waits, and nothing is lost: version 3.1.1 has no word for "later".
            if self._rested is not None:
                self._rested.cancel()
            self._rested = self._loop.call_later(wait_s, self._rest)
            self._heard = self._loop.time() + wait_s
        self._read_or_pause()

    def _answer(self, _done: asyncio.Task[None]) -> None:
        """Confirm what is durable, in the order in which it came (4.6)."""
        pieces: list[bytes] = []
        while self._turns and self._turns[0].task.done():
            message, task = self._turns.popleft()
            error = None if task.cancelled() else task.exception()
            if task.cancelled() or not (error is None or isinstance(error, NilometerError)):
                _log.error("a message could not be stored", topic=message.topic[:200], error=repr(error))
                self.close(BUSY, "the message could not be stored")
                return
            if isinstance(error, StoreError | Overloaded):
                self._flush(pieces)
                self.close(BUSY, str(error))
                return
            if error is not None:
                self._desk.refused(message.topic, str(error))
            if message.qos:
                pieces.append(self._confirmation(message, error))
        self._flush(pieces)
        self._read_or_pause()

    def _rest(self) -> None:
        self._rested = None
        self._read_or_pause()

    def _read_or_pause(self) -> None:
        """Read no more of a client that sends more than is stored, or than it may."""
        if self._transport is None or self._is_closed:
            return
        n = len(self._turns)
        wanted = self._rested is not None or n >= (MOST_OPEN // 2 if self._is_paused else MOST_OPEN)
        if wanted and not self._is_paused:
            self._transport.pause_reading()
        elif self._is_paused and not wanted:
            self._transport.resume_reading()
        self._is_paused = wanted

    def _confirmation(self, message: Received, error: BaseException | None) -> bytes:
        code = 0
        if error is not None:
            code = TOPIC_INVALID if isinstance(error, NotFound) else PAYLOAD_INVALID
            if message.qos == 2 and self._session is not None and self._packets.version == 5:
                self._session.unreleased.discard(message.packet_id)
        kind = PUBACK if message.qos == 1 else PUBREC
        reason = "" if error is None else str(error)
        return acknowledgement(kind, message.packet_id, version=self._packets.version, code=code, reason=reason)

    def _acknowledged(self, packet: Acknowledged) -> None:
        session = self._session
        if session is None:
            return
        if packet.kind == PUBACK:
            session.confirm(packet.packet_id)
        elif packet.kind == PUBREL:
            session.unreleased.discard(packet.packet_id)
            self._write(acknowledgement(PUBCOMP, packet.packet_id, version=self._packets.version))
        else:
            self.close(PROTOCOL_ERROR, "nothing was sent with QoS 2")

    async def _subscribe(self, packet: Subscribe) -> None:
        codes: list[int] = []
        reasons: list[str] = []
        for topic, qos in packet.topics:
            session = self._session
            if session is None:
                return
            try:
                codes.append(await self._desk.subscribe(session, topic, qos))
            except NilometerError as error:
                codes.append(TOPIC_INVALID - 1)
                reasons.append(str(error))
                self._desk.refused(topic, str(error))
        version = self._packets.version
        self._write(subscribed(packet.packet_id, codes, version=version, reason="; ".join(reasons)))

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        if self._session is not None:
            were = self._desk.unsubscribe(self._session, packet.topics)
            codes = [0 if was else 0x11 for was in were]
            self._write(unsubscribed(packet.packet_id, codes, version=self._packets.version))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _flush(self, pieces: list[bytes]) -> None:
        if pieces:
            self._write(b"".join(pieces))

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > MOST_UNREAD + MOST_ANSWERS:
            _log.warning("MQTT: a client reads none of its answers, and is cut off", address=self._address)
            self._is_closed = True
            transport.abort()
