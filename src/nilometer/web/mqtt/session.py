"""What the listener knows of a client beyond its connection: its topics, and the messages it has not confirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from nilometer.acquisition.protocols.mqtt_server import published

__all__ = ["MOST_WAITING", "Message", "Session"]

MOST_WAITING = 10_000
"""Messages of QoS 1 that wait for one client, connected or not, before its oldest are shed."""
WINDOW = 1_000
"""Messages that may be unconfirmed at a time, where the client does not ask for fewer."""


class Message(NamedTuple):
    """What is said."""

    topic: str
    payload: bytes


class Session:
    """One client's topics and messages.

    Parameters
    ----------
    client_id : str
        Its name.
    kept_s : float
        How long it is kept when the client is gone; 0: not at all.
    """

    def __init__(self, client_id: str, kept_s: float) -> None:
        self.client_id, self.kept_s = client_id, kept_s
        self.topics: dict[str, int] = {}
        self.unreleased: set[int] = set()
        """Messages of QoS 2 that were taken, and may come again until the client releases them."""
        self.shed = 0
        self._waiting: deque[Message] = deque()
        self._unconfirmed: dict[int, Message] = {}
        self._number = 0
        self._write: Callable[[bytes], None] | None = None
        self._version, self._window, self._longest = 4, WINDOW, 0
        self.is_slow = False
        """The client does not read what was written to it."""

    def connect(self, write: Callable[[bytes], None], version: int, window: int, longest: int) -> None:
        """Begin to speak, with what was not confirmed before."""
        self._write, self._version, self._window, self._longest = write, version, min(window, WINDOW), longest
        self.is_slow = False
        for number, message in self._unconfirmed.items():
            write(published(message.topic, message.payload, version=version, qos=1, number=number, is_again=True))
        self.go_on()

    def disconnect(self) -> None:
        """Speak no more; what is of QoS 1 waits."""
        self._write = None

    def say(self, topic: str, payload: bytes, qos: int) -> None:
        """Tell the client; a message of QoS 0 is lost where the client is away or does not read."""
        if qos:
            self._waiting.append(Message(topic, payload))
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self.shed += 1
            self.go_on()
        elif self._write is not None:
            packet = published(topic, payload, version=self._version)
            if self.is_slow or len(packet) > self._longest:
                self.shed += 1
            else:
                self._write(packet)

    def confirm(self, number: int) -> None:
        """Take a PUBACK."""
        self._unconfirmed.pop(number, None)
        self.go_on()

    def go_on(self) -> None:
        """Say what waits, as far as the window and the client's reading allow."""
        while self._write is not None and self._waiting and len(self._unconfirmed) < self._window and not self.is_slow:
            message = self._waiting.popleft()
            number = self._next()
            packet = published(message.topic, message.payload, version=self._version, qos=1, number=number)
            if len(packet) > self._longest:
                self.shed += 1
                continue
            self._unconfirmed[number] = message
            self._write(packet)

    def _next(self) -> int:
        while True:
            self._number = self._number % 65535 + 1
            if self._number not in self._unconfirmed:
                return self._number
