"""Peers that dial us: 4G modems (DTU) that come from anywhere, and say who they are in their first bytes.

One listening port serves any number of sources; the registration packet tells whose connection it is. A modem that
dials again while its old connection seems to stand (half-open: the network dropped it silently) replaces it.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import structlog

from nilometer.acquisition.links.link import read_within
from nilometer.acquisition.links.tcp import Listener, TcpLink, listen
from nilometer.errors import ConfigError, LinkError, LinkTimeout

__all__ = ["DialIn"]

_log = structlog.get_logger(__name__)


class _Reception:
    """The listening socket of one address, and who is expected there."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.expected: dict[bytes, DialIn] = {}
        self.listener: Listener | None = None
        self.lock = asyncio.Lock()

    async def serve(self, link: TcpLink) -> None:
        guest = await self._recognise(link)
        if guest is None:
            return
        await guest.receive(link)
        await link.closed.wait()

    async def _recognise(self, link: TcpLink) -> DialIn | None:
        said = b""
        if set(self.expected) != {b""}:
            timeout_s = max((guest.registration_timeout_s for guest in self.expected.values()), default=1.0)
            loop = asyncio.get_running_loop()
            deadline = loop.time() + timeout_s
            try:
                while any(known.startswith(said) and known != said for known in self.expected if known):
                    said += await read_within(link, max(0.0, deadline - loop.time()))
            except LinkTimeout:
                pass
        known = max((key for key in self.expected if said.startswith(key)), key=len, default=None)
        if known is None:
            _log.warning("unknown registration packet", port=self.port, peer=link.name, said=said[:64].hex(" "))
            return None
        link.give_back(said[len(known) :])
        return self.expected[known]


_RECEPTIONS: MutableMapping[asyncio.AbstractEventLoop, dict[tuple[str, int], _Reception]] = WeakKeyDictionary()


class DialIn:
    """One expected peer; an async context manager that listens while it is entered.

    Parameters
    ----------
    host, port : str, int
        Where to listen; several may share it if their registrations differ.
    registration : bytes
        What the peer says first; empty: whoever comes and is not somebody else.
    registration_timeout_s : float
        How long a new connection may take to say it, s.
    """

    def __init__(
        self, host: str, port: int, *, registration: bytes = b"", registration_timeout_s: float = 15.0
    ) -> None:
        self.registration, self.registration_timeout_s = registration, registration_timeout_s
        self._address = (host, port)
        self._waiting: TcpLink | None = None
        self._current: TcpLink | None = None
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Be expected; raises ConfigError where another source expects the same registration."""
        receptions = _RECEPTIONS.setdefault(asyncio.get_running_loop(), {})
        reception = receptions.setdefault(self._address, _Reception(*self._address))
        if self.registration in reception.expected:
            text = self.registration.hex(" ") or "(none)"
            raise ConfigError("registration", seen=text, reason=f"another source waits for it at {self._address}")
        reception.expected[self.registration] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be expected no longer; the last one closes the port."""
        receptions = _RECEPTIONS[asyncio.get_running_loop()]
        reception = receptions[self._address]
        del reception.expected[self.registration]
        for link in (self._waiting, self._current):
            if link is not None:
                await link.close()
        if not reception.expected:
            del receptions[self._address]
            if reception.listener is not None:
                await reception.listener.close()

    async def receive(self, link: TcpLink) -> None:
        """Take a connection that said our registration; an older one gives way."""
        for old in (self._waiting, self._current):
            if old is not None:
                await old.close()
        self._waiting, self._current = link, None
        self._arrived.set()

    async def next_link(self) -> TcpLink:
        """Return the next connection of our peer, waiting until it dials.

        Raises
        ------
        LinkError
            If the port cannot be listened on.
        """
        reception = _RECEPTIONS[asyncio.get_running_loop()][self._address]
        async with reception.lock:
            if reception.listener is None:
                reception.listener = await listen(*self._address, reception.serve)
        while self._waiting is None:
            self._arrived.clear()
            await self._arrived.wait()
        link, self._waiting = self._waiting, None
        if link.closed.is_set():
            raise LinkError("the peer left before it was asked", link=link.name)
        self._current = link
        return link
