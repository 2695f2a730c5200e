"""How much each client may ask in a while: requests and bytes a second, heavy queries at a time.

A client is an address (of IPv6 the /64 network, which one client has whole). Behind a proxy on this machine it is the
last that ``X-Forwarded-For`` names; what others say of themselves is not believed.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar

from starlette.types import Message, Receive, Scope, Send

from nilometer.config import RateLimitConfig
from nilometer.errors import RateLimited

__all__ = ["SAVED_S", "Allowance", "Rates", "address_of", "asking"]

SAVED_S = 5.0
"""What is not asked for is saved up, for so long."""
_MOST_CLIENTS = 10_000
_BESIDE_US = frozenset({"127.0.0.1", "::1"})

asking: ContextVar[Allowance | None] = ContextVar("asking", default=None)
"""Of whom a request is, for what counts within it."""


class _Flow:
    """So many a second; who took more than there was waits until the debt is paid."""

    def __init__(self, setting: str, noun: str, rate: float, clock: Callable[[], float]) -> None:
        self._setting, self._noun, self._rate, self._clock = setting, noun, rate, clock
        self._most = max(1.0, rate * SAVED_S)
        self._left, self._seen = self._most, clock()

    def take(self, n: float) -> None:
        """Count so many, whether they are there or not."""
        self._left = self._now() - n

    def wait_s(self) -> float:
        """Return how long it takes until there is something again, s."""
        return max(0.0, -self._now() / self._rate)

    def check(self, client: str, n: float) -> None:
        """Refuse while there is less than n."""
        left = self._now()
        if left < n:
            raise RateLimited(
                f"{client} asked for more than {self._rate:g} {self._noun} a second "
                f"(server.rate_limit.{self._setting})",
                wait_s=(n - left) / self._rate,
            )

    def _now(self) -> float:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen) * self._rate)
        self._seen = now
        return self._left


class Allowance:
    """What one client may ask for; used by the event loop, `enter` and `leave` by any thread under the gate's lock.

    Parameters
    ----------
    client : str
        For messages.
    limits : RateLimitConfig
        None of a kind: any number.
    clock : callable
        Seconds that only go on.
    """

    def __init__(self, client: str, limits: RateLimitConfig, clock: Callable[[], float]) -> None:
        self.client = client
        self._most_heavy, self._heavy = limits.heavy_queries, 0
        requests, sizes = limits.requests_per_s, limits.bytes_per_s
        self._requests = None if requests is None else _Flow("requests_per_s", "requests", requests, clock)
        self._bytes = None if sizes is None else _Flow("bytes_per_s", "bytes", sizes, clock)

    @property
    def is_busy(self) -> bool:
        """Whether it may not be forgotten."""
        return self._heavy > 0

    def ask(self) -> None:
        """Count a request.

        Raises
        ------
        RateLimited
            If there were too many, or too many bytes.
        """
        if self._bytes is not None:
            self._bytes.check(self.client, 0.0)
        if self._requests is not None:
            self._requests.check(self.client, 1.0)
            self._requests.take(1.0)

    def spend(self, *, requests: int = 0, size: int = 0) -> float:
        """Count what was taken already, and return how long the client should wait before it asks again, s."""
        waits = [0.0]
        for flow, n in ((self._requests, requests), (self._bytes, size)):
            if flow is not None and n:
                flow.take(float(n))
                waits.append(flow.wait_s())
        return max(waits)

    def enter(self) -> None:
        """Count a heavy query in.

        Raises
        ------
        RateLimited
            If as many as may be run already.
        """
        if self._most_heavy is not None and self._heavy >= self._most_heavy:
            raise RateLimited(
                f"{self._most_heavy} heavy queries of {self.client} are being answered, and no more run at a time "
                "(server.rate_limit.heavy_queries)",
                wait_s=1.0,
            )
        self._heavy += 1

    def leave(self) -> None:
        """Count one out."""
        self._heavy -= 1

    def counted(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Return ASGI's two ends, which count the bytes that pass."""
        if self._bytes is None:
            return receive, send

        async def received() -> Message:
            message = await receive()
            self.spend(size=len(message.get("body", b"")))
            return message

        async def sent(message: Message) -> None:
            self.spend(size=len(message.get("body", b"")))
            await send(message)

        return received, sent


class Rates:
    """The allowances of clients; those that asked last are remembered.

    Parameters
    ----------
    limits : RateLimitConfig
        What each may ask for.
    clock : callable
        Seconds that only go on.
    """

    def __init__(self, limits: RateLimitConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._is_on = limits != RateLimitConfig()
        self._known: OrderedDict[str, Allowance] = OrderedDict()

    def of_request(self, scope: Scope) -> Allowance | None:
        """Return the allowance of whom a request is; None: nothing is limited."""
        if not self._is_on:
            return None
        peer = (scope.get("client") or ("",))[0]
        said = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
        return self.of_address(address_of(peer, said))

    def of_address(self, address: str) -> Allowance | None:
        """Return the allowance of an address; None: nothing is limited."""
        if not self._is_on:
            return None
        client = _network(address)
        known = self._known.pop(client, None) or Allowance(client, self._limits, self._clock)
        self._known[client] = known
        if len(self._known) > _MOST_CLIENTS:
            first = next(iter(self._known.values()))
            if not first.is_busy:
                del self._known[first.client]
        return known


def address_of(peer: str, forwarded_for: str) -> str:
    """Return the address of a client: who connected, or whom a proxy on this machine names last."""
    if peer not in _BESIDE_US:
        return peer
    return forwarded_for.rpartition(",")[2].strip() or peer


def _network(address: str) -> str:
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if number.version == 4:
        return str(number)
    return str(ipaddress.ip_network((number, 64), strict=False))
