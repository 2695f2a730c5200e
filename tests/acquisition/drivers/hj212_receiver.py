"""An HJ 212 receiver at work on a free port, what it delivers to, and stations that say frames by hand."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from tests.patience import PATIENCE_S

from nilometer.acquisition.drivers.hj212 import DRIVER
from nilometer.acquisition.protocols.hj212 import FrameSplitter, encode_frame, parse_frame
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Reading
from nilometer.model.entities import SampleKind

WATER = ConstantFeed(
    {
        "codcr": 35.2,
        "nh3_n": Reading(1.803, mark="D"),
        "ph": Reading(7.1, sample=SampleKind.SPAN),
        "flow_rate": 17.5,
        "total_phosphorus": float("nan"),
        "w01003": 12.5,
    }
)


def now() -> int:
    return time.time_ns() // 1000


class Basin:
    """A sink that keeps what it is given, and acknowledges it from another thread when told to."""

    def __init__(self, *, durable=True):
        self.batches, self.reports, self.durable = [], [], durable
        self.changed = asyncio.Event()

    async def emit(self, batch):
        self.batches.append(batch)
        self.changed.set()
        if self.durable:
            threading.Thread(target=batch.acknowledge).start()

    def report(self, report):
        self.reports.append(report)
        self.changed.set()

    def newest(self, beginning=""):
        found = {}
        for key, at, *_ in self.rows():
            if key.startswith(beginning):
                found[key] = max(found.get(key, at), at)
        return found

    async def until(self, holds):
        async with asyncio.timeout(PATIENCE_S):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()

    def rows(self):
        return [
            (batch.channels[i].key, at, value, mark, sample)
            for batch in self.batches
            for i, at, value, mark, sample in zip(
                batch.channel,
                batch.phenomenon_time.tolist(),
                batch.raw_result.tolist(),
                batch.mark,
                batch.sample.tolist(),
                strict=True,
            )
        ]

    def states(self):
        return [report.state for report in self.reports if not report.device]


class Station:
    """A connection that says frames by hand and reads what comes back."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self._frames, self._messages = reader, writer, FrameSplitter(), []

    async def answer(self):
        while not self._messages:
            self._messages += [parse_frame(frame) for frame in self._frames.feed(await self.reader.read(4096))]
        return self._messages.pop(0)

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()


class Receiver:
    """A driver at work on a free port."""

    def __init__(self, basin=None, **options):
        self.basin = basin or Basin()
        self.driver = DRIVER.make(DRIVER.options(port=0, **options), now)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.driver.run(self.basin))
        await self.basin.until(lambda b: any("waiting" in report.detail for report in b.reports))
        self.port = int(self.basin.reports[-1].detail.rpartition(":")[2])
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    async def station(self):
        return Station(*await asyncio.open_connection("127.0.0.1", self.port))


def upload(
    number="1", command="2011", *, device="A1", flag="5", area="DataTime=20240601120000;w01018-Rtd=35.2", **more
):
    header = {"QN": f"2024060112000000{number}", "ST": "32", "CN": command, "PW": "123456", "MN": device, "Flag": flag}
    header |= more
    head = ";".join(f"{name}={text}" for name, text in header.items())
    return encode_frame(f"{head};CP=&&{area}&&".encode())
