"""Pages of other origins that may use this server from a browser: those that are named (Fetch Standard, CORS)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import Message, Send

__all__ = ["Origins"]

_METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"
_REMEMBERED_S = "600"


class Origins:
    """The origins that were named.

    Parameters
    ----------
    allowed : iterable of str
        Such as ``https://dashboard.example.org``; ``*``: every one.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def allow(self, origin: str) -> bool:
        """Say whether pages of an origin may read and write here."""
        return bool(origin) and ("*" in self._allowed or origin in self._allowed)

    def may_write(self, origin: str, host: str) -> bool:
        """Say whether a request may change something: no page asks, one of ours (of the same host), or a named one."""
        return not origin or urlsplit(origin).netloc == host or self.allow(origin)

    def preflight(self, wanted_headers: str) -> list[tuple[str, str]]:
        """Return what the question before a request is answered, beside what `telling` adds."""
        told = [("access-control-allow-methods", _METHODS), ("access-control-max-age", _REMEMBERED_S)]
        return [*told, ("access-control-allow-headers", wanted_headers)] if wanted_headers else told

    def telling(self, origin: str, send: Send) -> Send:
        """Return a `send` that lets the browser hand answers to pages of an origin."""
        name = b"*" if "*" in self._allowed else origin.encode("latin-1")
        told = [
            (b"access-control-allow-origin", name),
            (b"access-control-expose-headers", b"location, retry-after"),
            (b"vary", b"origin"),
        ]

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        return tell
