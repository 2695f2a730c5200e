"""A platform for HJ 212 uplinks: our own receiving driver in a pipeline of its own, behind a proxy that can fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acquisition.ports import reserved_port
from tests.pipeline.conftest import running, until

DEVICE = "010000A8900016F000169DC0"
CHINA_DAY = 1_714_492_800_000_000  # 2024-05-01T00:00 in Shanghai, µs UTC
HOUR = 3_600_000_000
MINUTE = 60_000_000


class Proxy:
    """A port before another one: `cut` ends what is connected and refuses what comes, `mute` swallows the answers."""

    def __init__(self, target: int) -> None:
        self.target, self.mute, self.port = target, False, 0
        self.sent = bytearray()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        self._is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer, out=True), self._pump(far_reader, writer, out=False))
        finally:
            for one in (writer, far_writer):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, out: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if out:
                    self.sent += data
                elif self.mute:
                    continue
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def platform(folder, **options):
    """A platform that listens, and its port."""
    with reserved_port() as port:
        source = {
            "name": "stations",
            "driver": "hj212",
            "thing": "province",
            "options": {"port": port, "stations": [DEVICE], "refill": [], **options},
        }
        config = {"thing": [{"key": "province", "name": "Province"}], "source": [source]}
        async with running(folder, config) as pipeline:
            await pipeline.start_sources()
            await until(lambda: "waiting for stations" in pipeline.sources()[0].detail)
            yield pipeline, port


@asynccontextmanager
async def proxied(folder, **options) -> AsyncIterator[tuple[object, Proxy]]:
    async with platform(folder, **options) as (pipeline, port):
        proxy = Proxy(port)
        await proxy.start()
        try:
            yield pipeline, proxy
        finally:
            await proxy.close()


class Clock:
    """The present, as a test says it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def station(port, *, name="province", datastreams=("codcr",), origin="instrument", **options):
    """The configuration of a station with one uplink; its Datastreams are filled by hand."""
    fast = {"over_time_s": 0.3, "retries": 1, "reconnect_first_s": 0.02, "reconnect_longest_s": 0.1, "delay_s": 0}
    since = "2024-05-01T00:00:00+08:00"
    told = {"host": "127.0.0.1", "port": port, "device": DEVICE, "since": since, "real_time_s": None, **fast, **options}
    return {
        "thing": [{"key": "mill", "name": "Mill", "time_zone": "Asia/Shanghai"}],
        "datastream": [
            {
                "key": f"mill/{key}",
                "thing": "mill",
                "property": key,
                "origin": origin,
                "profile": "",
                "mark_scheme": "hj212-2017",
            }
            for key in datastreams
        ],
        "uplink": [{"name": name, "receiver": "hj212", "options": told}],
    }


def received(pipeline, code, statistic, kind):
    """What the platform has stored of a code: (start, value, mark)."""
    channel = f"{code}-{statistic}.{kind}" if kind else f"{code}-{statistic}"
    known = pipeline.store.catalog.datastreams()
    found = [one.id for one in known if one.properties["nilometer"].get("channel") == channel]
    if not found:
        return []
    rows = pipeline.store.snapshot().read(found)
    times = rows["phenomenon_time"].cast("int64").to_pylist()
    return list(zip(times, rows["result"].to_pylist(), rows["mark"].to_pylist(), strict=True))
