"""TCP links: we dial, or we listen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable

from nilometer.acquisition.links.link import READ_MOST
from nilometer.errors import LinkError, LinkTimeout

__all__ = ["Listener", "TcpLink", "connect", "listen"]


class TcpLink:
    """One TCP connection; meets `Link`. `closed` is set when we have closed it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self.name = name
        self.closed = asyncio.Event()
        self._reader, self._writer = reader, writer
        self._returned = b""
        connection = writer.get_extra_info("socket")
        if connection is not None:
            # A device that loses its power says no goodbye: let the kernel find out while nobody asks.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def give_back(self, data: bytes) -> None:
        """Put bytes back in front of what is still to be read."""
        self._returned = data + self._returned

    async def read(self, most: int = READ_MOST) -> bytes:
        """Return the bytes that are there, at least one; LinkError when the connection is cut or ended."""
        if self._returned:
            data, self._returned = self._returned[:most], self._returned[most:]
            return data
        try:
            data = await self._reader.read(most)
        except OSError as error:
            raise LinkError(f"connection cut: {_reason(error)}", link=self.name) from error
        if not data:
            raise LinkError("the peer closed the connection", link=self.name)
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; LinkError when the connection is cut."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise LinkError(f"connection cut: {_reason(error)}", link=self.name) from error

    def post(self, data: bytes) -> None:
        """Send bytes without waiting; what the peer does not take stays with us, and a cut is seen by the reader."""
        self._writer.write(data)

    async def close(self) -> None:
        """Close the connection, dropping what the peer does not take."""
        self.closed.set()
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        transport = self._writer.transport
        if not transport.is_closing():
            transport.abort()


async def connect(host: str, port: int, *, timeout_s: float = 5.0, tls: ssl.SSLContext | None = None) -> TcpLink:
    """Dial a TCP peer.

    Parameters
    ----------
    host, port : str, int
        The peer.
    timeout_s : float
        How long to wait for it, s.
    tls : ssl.SSLContext, optional
        Speak TLS, by these rules.

    Raises
    ------
    LinkTimeout
        If the peer does not answer in time.
    LinkError
        If it refuses, its name is unknown, or its certificate is not accepted.
    """
    name = f"{'tls' if tls is not None else 'tcp'}://{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    except TimeoutError as error:
        raise LinkTimeout(f"no answer to the connection within {timeout_s:g} s", link=name) from error
    except OSError as error:
        raise LinkError(f"cannot connect: {_reason(error)}", link=name) from error
    return TcpLink(reader, writer, name)


class Listener:
    """A listening socket whose connections are served until it is closed."""

    def __init__(self, server: asyncio.Server, name: str, tasks: set[asyncio.Task[None]]) -> None:
        self.name = name
        self._server, self._tasks = server, tasks

    @property
    def port(self) -> int:
        """Return the port, also where 0 was asked for."""
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._server.wait_closed()


async def listen(
    host: str,
    port: int,
    serve: Callable[[TcpLink], Awaitable[None]],
    *,
    most_connections: int = 1000,
    tls: ssl.SSLContext | None = None,
) -> Listener:
    """Listen, and serve every connection in a task of its own; the link is closed when `serve` leaves.

    Parameters
    ----------
    host, port : str, int
        Where to listen; port 0 takes a free one.
    serve : callable
        ``await serve(link)``; a LinkError that it raises ends its connection only.
    most_connections : int
        Beyond this many at a time a new one is closed at once.
    tls : ssl.SSLContext, optional
        Speak TLS, by these rules.

    Raises
    ------
    LinkError
        If the port is in use or may not be opened.
    """
    name = f"tcp-listen://{host}:{port}"
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        peer = writer.get_extra_info("peername") or ("?", 0)
        link = TcpLink(reader, writer, f"tcp://{peer[0]}:{peer[1]}")
        if task is None or len(tasks) >= most_connections:
            await link.close()
            return
        tasks.add(task)
        try:
            with contextlib.suppress(LinkError):
                await serve(link)
        except asyncio.CancelledError:
            # Cancelled by `Listener.close`, which waits for us; asyncio's own callback would log it as an error.
            pass
        finally:
            tasks.discard(task)
            await link.close()

    try:
        server = await asyncio.start_server(accepted, host, port, ssl=tls)
    except OSError as error:
        raise LinkError(f"cannot listen: {_reason(error)}", link=name) from error
    listener = Listener(server, name, tasks)
    listener.name = f"tcp-listen://{host}:{listener.port}"
    return listener


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror | ssl.SSLError):
        return os.strerror(error.errno)  # asyncio's own text hides why.
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
