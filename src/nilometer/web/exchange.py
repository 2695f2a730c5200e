"""One plain ASGI exchange: a bounded body in, one answer out.

Never waits for a slow body for ever, never inflates one, never holds more bodies at a time than the budget allows.
"""

from __future__ import annotations

import asyncio
import math
import re
import types
from collections.abc import Callable, Generator, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from nilometer.errors import (
    MethodNotAllowed,
    NilometerError,
    Overloaded,
    RateLimited,
    RequestError,
    TooLarge,
    WrongMediaType,
)
from nilometer.web.statuses import RETRY_AFTER_S, error_document, status_of

__all__ = ["FORWARDED", "Budget", "ClientGone", "Exchange", "Headers", "encode_json"]

Headers = Iterable[tuple[str, str]]
SILENCE_S = 20.0
"""How long the next piece of a body may take."""
WHOLE_S = 600.0
"""How long a whole body may take."""

# Where a proxy that ends TLS for us stands; what others say of scheme, host and prefix is not believed.
_BESIDE_US = frozenset({"127.0.0.1", "::1"})
FORWARDED = frozenset({b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix"})
"""What a proxy says of how it was asked."""
_HOST = re.compile(r"[\w.-]{1,253}(:\d{1,5})?|\[[0-9a-f:.]{2,45}\](:\d{1,5})?", re.IGNORECASE | re.ASCII)
_PREFIX = re.compile(r"(/[\w.~-]{1,100}){1,10}/?", re.ASCII)

_encoder = msgspec.json.Encoder()


def encode_json(document: Any) -> bytes:  # noqa: ANN401 -- whatever is sent
    """Return JSON bytes; NaN and infinities become null."""
    return _encoder.encode(document)


class ClientGone(Exception):  # noqa: N818 -- no fault of ours: nobody is left to answer
    """The client hung up before its body was complete."""


class Budget:
    """How many bytes of bodies may be held in memory at a time.

    Parameters
    ----------
    total : int
        Bytes.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.held = 0

    def hold(self, size: int) -> None:
        """Count bytes in.

        Raises
        ------
        Overloaded
            If they do not fit beside what is held.
        """
        if self.held and self.held + size > self.total:
            raise Overloaded(f"bodies of {self.held} bytes are being read already; send again later")
        self.held += size

    def release(self, size: int) -> None:
        """Count bytes out."""
        self.held -= size


class Exchange:
    """A request and the way to answer it.

    Parameters
    ----------
    scope, receive, send
        As ASGI gives them.
    """

    __slots__ = ("_headers", "_receive", "_send", "method", "path", "query", "scope", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.status = 0
        # Of a header that comes twice the first counts.
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def header(self, name: bytes) -> str:
        """Return a request header, or an empty text."""
        value = self._headers.get(name)
        return "" if value is None else value.decode("latin-1")

    @property
    def media_type(self) -> str:
        """The media type of the body, lower case, without parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    @property
    def root(self) -> str:
        """Scheme and host, as the client addressed us, or the proxy on this machine that it addressed."""
        host = self.header(b"host")
        if not host:
            name, port = self.scope.get("server") or ("localhost", 80)
            host = f"{name}:{port}"
        scheme, prefix = self.scope.get("scheme", "http"), ""
        if not FORWARDED.isdisjoint(self._headers) and (self.scope.get("client") or ("",))[0] in _BESIDE_US:
            said = self._forwarded(b"x-forwarded-host")
            host = said if _HOST.fullmatch(said) else host
            said = self._forwarded(b"x-forwarded-prefix")
            prefix = said.rstrip("/") if _PREFIX.fullmatch(said) else ""
            if b"x-forwarded-proto" in self._headers:
                scheme = "https" if self._forwarded(b"x-forwarded-proto").lower() == "https" else "http"
        return f"{scheme}://{host}{prefix}{self.scope.get('root_path', '')}"

    def _forwarded(self, name: bytes) -> str:
        """Return what the proxy said that the client addressed: the first, where several stand in a row."""
        return self.header(name).partition(",")[0].strip()

    async def body(self, limit: int, budget: Budget | None = None) -> bytes:
        """Return the whole body.

        Parameters
        ----------
        limit : int
            The most bytes that are taken.
        budget : Budget, optional
            Shared with other exchanges; the caller releases ``len(body)`` when it is done.

        Raises
        ------
        TooLarge, WrongMediaType, RequestError, Overloaded
            For a body beyond the limit, compressed, too slow, or one too many.
        ClientGone
            When the client hung up.
        """
        encoding = self.header(b"content-encoding").strip().lower()
        if encoding not in {"", "identity"}:
            raise WrongMediaType(f"content-encoding {encoding[:40]!r} is not read; send the body as it is")
        announced = self.header(b"content-length")
        if announced.isascii() and announced.isdigit() and int(announced[:19]) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes; send it in parts", place=f"byte {limit}")
        return await self._gather(limit, budget)

    async def _gather(self, limit: int, budget: Budget | None) -> bytes:
        parts: list[bytes] = []
        size = 0
        deadline = asyncio.get_running_loop().time() + WHOLE_S
        try:
            while True:
                part, more = await self._next_part(limit - size, deadline)
                if budget is not None:
                    budget.hold(len(part))
                size += len(part)
                parts.append(part)
                if not more:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException as error:
            if budget is not None:
                budget.release(size)
            if isinstance(error, TimeoutError):
                raise RequestError(f"the body stopped after {size} bytes", place=f"byte {size}") from error
            raise

    async def _next_part(self, room: int, deadline: float) -> tuple[bytes, bool]:
        message = await _within(self._receive, deadline)
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        if len(part) > room:
            raise TooLarge("the body is larger than what is taken at a time; send it in parts", place=f"byte {room}")
        return part, bool(message.get("more_body", False))

    async def send(self, message: Message) -> None:
        """Pass a message of an inner application on, and note its status."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def gone(self) -> None:
        """Return when the client has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(
        self, status: int, body: bytes = b"", media_type: str = "application/json", headers: Headers = ()
    ) -> None:
        """Send one whole answer."""
        self.status = status
        lines = [(b"content-length", str(len(body)).encode())]
        if body:
            lines.append((b"content-type", media_type.encode("latin-1")))
        lines.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
        await self._send({"type": "http.response.start", "status": status, "headers": lines})
        shown = b"" if self.method == "HEAD" else body
        await self._send({"type": "http.response.body", "body": shown})

    async def answer_json(self, document: Any, status: int = HTTPStatus.OK, headers: Headers = ()) -> None:  # noqa: ANN401
        """Send one JSON document."""
        await self.answer(status, encode_json(document), headers=headers)

    async def refuse(
        self,
        error: NilometerError,
        headers: Headers = (),
        document: Callable[[NilometerError], dict[str, Any]] = error_document,
    ) -> None:
        """Send an error with its status, when to try again if it may pass, and which methods would do."""
        wait_s = error.wait_s if isinstance(error, RateLimited) else RETRY_AFTER_S
        told = [("retry-after", str(math.ceil(wait_s)))] if error.retryable else []
        if isinstance(error, MethodNotAllowed) and error.allowed:
            told.append(("allow", error.allowed))
        await self.answer_json(document(error), status_of(error), [*told, *headers])

    async def begin(self, media_type: str, headers: Headers = ()) -> None:
        """Start an answer that is sent in pieces."""
        self.status = HTTPStatus.OK
        lines = [(b"content-type", media_type.encode("latin-1"))]
        lines.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": lines})

    async def piece(self, body: bytes | memoryview, *, last: bool = False) -> None:
        """Send a piece of it."""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})


async def _within(receive: Receive, deadline: float) -> Message:
    """Return the next message; wait for it no longer than `SILENCE_S` and not beyond the deadline.

    What is there already, as the whole of a small body is, comes without a timer.
    """
    steps = receive().__await__()
    try:
        awaited = next(steps)
    except StopIteration as there:
        message: Message = there.value
        return message
    async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + SILENCE_S)):
        return await _resumed(steps, awaited)


@types.coroutine
def _resumed(steps: Generator[Any, Any, Message], awaited: Any) -> Generator[Any, Any, Message]:  # noqa: ANN401 -- whatever a loop is given to wait for
    """Go on with a coroutine that waits for `awaited`."""
    while True:
        step: Callable[[], Any]
        try:
            sent = yield awaited
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 -- a cancellation above all: it is the coroutine's
            step = partial(steps.throw, error)
        else:
            step = partial(steps.send, sent)
        try:
            awaited = step()
        except StopIteration as done:
            message: Message = done.value
            return message
