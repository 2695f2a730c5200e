from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import httpx
import msgspec

from nilometer.web.serving import bind, serve
from tests.web.conftest import MINUTE, NOON


class Stream:
    """One client of the live stream, speaking ASGI to the application itself."""

    def __init__(self, app, query=b""):
        self.sent = asyncio.Queue()
        self.hung_up = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": "/api/v1/live", "raw_path": b"/api/v1/live",
                 "query_string": query, "headers": [(b"host", b"station")]}  # fmt: skip
        self.task = asyncio.create_task(app(scope, self._receive, self.sent.put))
        self._asked = False

    async def _receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def status(self):
        return (await self.sent.get())["status"]

    async def event(self, wanted):
        while True:
            message = await asyncio.wait_for(self.sent.get(), 10)
            for block in message["body"].split(b"\n\n"):
                head, _, data = block.partition(b"\ndata: ")
                if head == b"event: " + wanted.encode():
                    return msgspec.json.decode(data)

    async def close(self):
        self.hung_up.set()
        await asyncio.wait_for(self.task, 10)


async def test_a_committed_row_is_sent_and_its_settled_flag_follows(station):
    stream = Stream(station.app, b"datastream=river/ph")
    assert await stream.status() == 200
    await asyncio.sleep(0)
    await station.ingest("river/dissolved_oxygen", NOON, [8.0])
    await station.ingest("river/ph", NOON, [7.0, 7.1, 9.9])
    rows = (await stream.event("observations"))["rows"]
    assert list(rows) == [str(station.id("river/ph"))]
    (columns,) = rows.values()
    assert columns["result"] == [7.0, 7.1, 9.9]
    assert {len(column) for column in columns.values()} == {3}
    await station.ingest("river/ph", NOON + 3 * MINUTE, [7.1])
    (settled,) = (await stream.event("settled"))["rows"].values()
    assert settled["id"] == [columns["id"][2]]
    assert settled["quality"][0] in {3, 4}
    await stream.close()
    assert station.app._live.clients == 0


async def test_unknown_datastreams_and_options_are_refused(station):
    await station.json("/api/v1/live?datastream=99", 404)
    await station.json("/api/v1/live?datastream=nowhere", 404)
    await station.json("/api/v1/live?thing=1", 400)


async def test_stopping_ends_the_streams(station):
    stream = Stream(station.app)
    assert await stream.status() == 200
    station.app.stop()
    await asyncio.wait_for(stream.task, 10)


async def test_a_server_with_a_listening_client_ends_at_once(station):
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn passes the signal on once it has ended
    try:
        await end_while_listening(station)
    finally:
        signal.signal(signal.SIGTERM, before)


async def end_while_listening(station):
    listener = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(station.app, listener, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", f"{address}/api/v1/live") as answer:
            pieces = answer.aiter_bytes()
            assert b"retry" in await anext(pieces)
            signal.raise_signal(signal.SIGTERM)
            began = asyncio.get_running_loop().time()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError, StopAsyncIteration):
                await asyncio.wait_for(anext(pieces), 10)
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        await asyncio.wait_for(serving, 10)
    assert asyncio.get_running_loop().time() - began < 10
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rsplit(":", 1)[1]))) != 0
