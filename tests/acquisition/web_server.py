"""A web server on loopback that answers what a test says, byte for byte: whole, cut, slow or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

__all__ = ["Question", "WebServer", "answer", "serving"]


class Question(NamedTuple):
    path: str
    query: dict[str, str]
    headers: dict[str, str]


def answer(body: str | bytes, kind: str = "application/json", status: str = "200 OK", **headers: str) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}\r\n"
    return head.encode() + data


class WebServer:
    """Gives `script`'s answers in turn, then what `default` makes of the question; b"" hangs up without a word."""

    def __init__(self, default: Callable[[Question], bytes]) -> None:
        self.default, self.script, self.asked = default, [], []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                parts = urlsplit(head[0].split(" ")[1])
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                question = Question(parts.path, query, headers)
                self.asked.append(question)
                said = self.script.pop(0) if self.script else self.default(question)
                said = said(question) if callable(said) else said
                writer.write(said)
                await writer.drain()
                length = next((line for line in said.split(b"\r\n") if line.startswith(b"Content-Length")), b"0")
                if not said.startswith(b"HTTP/") or len(said.partition(b"\r\n\r\n")[2]) < int(length.split(b" ")[-1]):
                    return  # cut off
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(default: Callable[[Question], bytes]) -> AsyncIterator[WebServer]:
    made = WebServer(default)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
