"""Serve an ASGI application on an address: binding first, so that a port in use is one clear sentence."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import uvicorn

if sys.platform != "win32":
    import uvloop

from nilometer.errors import ConfigError, LinkError
from nilometer.web.framing import BoundedFraming
from nilometer.web.one_write import OneWriteProtocol
from nilometer.web.waiting import HeadInTime

__all__ = ["LOOPBACK", "bind", "run", "serve"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

THREADS = 32
"""For what waits for a disk, a database or a client: with as many as there are cores, a few that wait held up all."""

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, as `asyncio.run`, in the loop that serves best.

    That is uvloop's where it is made for (not on Windows): it answers in two thirds of the time.
    """
    make = None if sys.platform == "win32" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=make) as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS, "nilometer"))
        return runner.run(main)


def bind(host: str, port: int, *, token: str | None = None) -> socket.socket:
    """Return a listening socket.

    Parameters
    ----------
    host : str
        Address or name; anything but loopback needs a token.
    port : int
        0 takes a free one.
    token : str, optional
        The bearer token that requests must carry.

    Returns
    -------
    socket
        Bound, to be given to `serve`.

    Raises
    ------
    ConfigError
        If the address is not loopback and there is no token.
    LinkError
        If the port is in use or the address is not of this machine.
    """
    if host not in LOOPBACK and not token:
        allowed = "127.0.0.1, localhost, ::1; or any address with server.token set"
        raise ConfigError("server.host", seen=host, allowed=allowed, reason="it would be open to everyone")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on: an answer then waits 40 ms for its second packet.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        number = error.errno if isinstance(error, OSError) else None
        reason = str(error)
        if number == errno.EADDRINUSE:
            reason = f"port {port} is in use; choose another with --port, or --port 0 for a free one"
        elif number == errno.EACCES:
            reason = f"port {port} is not allowed to this user; choose one above 1023 with --port"
        raise LinkError(reason, link=f"http://{host}:{port}") from error
    return listener


async def serve(
    app: Any,  # noqa: ANN401 -- any ASGI application
    listener: socket.socket,
    *,
    ready: Callable[[], None] = lambda: None,
    websocket: Callable[..., asyncio.Protocol] | None = None,
) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM), then close what is open within a few seconds.

    Parameters
    ----------
    app : ASGI application
        What to serve.
    listener : socket
        From `bind`.
    ready : callable
        Called once connections are accepted.
    websocket : callable, optional
        Takes over a connection that asks to become a WebSocket; None: it is answered as any other.
    """
    # What a proxy says of the address is read where it is needed: `Exchange.root`.
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        lifespan="off",
        proxy_headers=False,
        http=_Connection,
        ws="none" if websocket is None else cast("type[asyncio.Protocol]", websocket),
    )
    await _Server(config, app, ready).serve(sockets=[listener])


class _Connection(HeadInTime, BoundedFraming, OneWriteProtocol):
    """A connection as this server holds it."""


class _Server(uvicorn.Server):
    """Uvicorn's server, that says when it is ready, and that ends on a signal without raising it again.

    Raised again, it would cancel the task that has yet to make what was accepted durable.
    """

    def __init__(self, config: uvicorn.Config, app: Any, ready: Callable[[], None]) -> None:  # noqa: ANN401 -- any ASGI application
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams first: they would be waited for."""
        if hasattr(self._app, "stop"):
            self._app.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM as the wish to end."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
