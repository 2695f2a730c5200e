"""What goes to the socket, and in how many pieces."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from nilometer.web.one_write import OneWriteProtocol

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]}


class Socket(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.pieces, self.is_closed = [], False

    def write(self, data):
        assert not self.is_closed
        self.pieces.append(data)

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed

    def get_extra_info(self, name, default=None):
        return default


@pytest.fixture
def connect():
    """Return a connection to an application, and its socket."""

    def made(app):
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", http=OneWriteProtocol)
        config.load()
        protocol, there = OneWriteProtocol(config=config, server_state=ServerState(), app_state={}), Socket()
        protocol.connection_made(there)
        return protocol, there

    return made


async def turns(n=10):
    for _ in range(n):
        await asyncio.sleep(0)


async def test_an_answer_is_one_write(connect):
    async def app(scope, receive, send):
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"0123456789"})

    protocol, there = connect(app)
    for _ in range(2):
        protocol.data_received(ASKED)
        await turns()
    assert len(there.pieces) == 2
    assert all(piece.startswith(b"HTTP/1.1 200 OK\r\n") and piece.endswith(b"0123456789") for piece in there.pieces)


async def test_a_head_does_not_wait_for_a_body_that_comes_later(connect):
    come = asyncio.Event()

    async def app(scope, receive, send):
        await send(HEAD)
        await come.wait()
        await send({"type": "http.response.body", "body": b"HTTP/", "more_body": True})
        await send({"type": "http.response.body", "body": b"1.1 x"})

    protocol, there = connect(app)
    protocol.data_received(ASKED)
    await turns()
    assert len(there.pieces) == 1
    come.set()
    await turns()
    assert there.pieces[1:] == [b"HTTP/", b"1.1 x"]


async def test_what_is_held_leaves_before_the_connection_closes(connect):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        message = "the application fails behind the head"
        raise RuntimeError(message)

    protocol, there = connect(app)
    protocol.data_received(ASKED)
    await turns()
    assert there.is_closed
    assert b"".join(there.pieces).startswith(b"HTTP/1.1 200 OK\r\n")
