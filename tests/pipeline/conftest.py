"""Pipelines with a real store in a temporary folder, and sources whose driver is a stranger's plug-in."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nilometer import plugins
from nilometer.acquisition.driver import Channel, RawBatch
from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline
from tests.patience import PATIENCE_S
from tests.pipeline.stranger import scripted

NOON = 1_714_564_800_000_000  # 2024-05-01T12:00:00Z
MINUTE = 60_000_000
RIVER = {"key": "river", "name": "River", "water_body": "river", "target_class": "III"}
PATIENT = {"seal_every_s": 3600.0}


@asynccontextmanager
async def running(folder: Path, config: dict[str, Any], **options: Any) -> AsyncIterator[Pipeline]:
    """A pipeline that takes rows, and is closed after."""
    pipeline = Pipeline(folder, parse({"store": PATIENT, **config}), **options)
    await pipeline.start()
    try:
        yield pipeline
    finally:
        await pipeline.close()


def ids(pipeline: Pipeline) -> dict[str, int]:
    return {one.key: one.id for one in pipeline.store.catalog.datastreams()}


def rows(datastream: int, start: int, values: Any, *, step: int = MINUTE, **columns: Any) -> ObservationBatch:
    values = np.asarray(values, float)
    return ObservationBatch(
        datastream=np.full(len(values), datastream, np.int32),
        phenomenon_time=start + step * np.arange(len(values), dtype=np.int64),
        raw_result=values,
        **columns,
    )


def stored(pipeline: Pipeline, *keys: str, **options: Any) -> pa.Table:
    """All that is stored but when it was committed and by what row of provenance."""
    wanted = [ids(pipeline)[key] for key in keys] or None
    table = pipeline.store.snapshot().read(wanted, **{"water_only": False, **options})
    return table.drop_columns(["commit", "provenance"])


def values(pipeline: Pipeline, key: str, **options: Any) -> list[float]:
    return stored(pipeline, key, **options)["result"].to_pylist()


def raw(channel: Channel, start: int, numbers: Any, **columns: Any) -> RawBatch:
    numbers = np.asarray(numbers, float)
    return RawBatch(
        channels=[channel],
        channel=np.zeros(len(numbers), np.int32),
        phenomenon_time=start + MINUTE * np.arange(len(numbers), dtype=np.int64),
        raw_result=numbers,
        **columns,
    )


def source(script: str, **settings: Any) -> dict[str, Any]:
    return {"name": "sonde", "driver": "scripted", "thing": "river", "options": {"script": script}, **settings}


async def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Install the stranger's package as pip would, and give its scripts to be written."""
    place = tmp_path / "site"
    info = place / "stranger-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[nilometer.drivers]\nstranger = tests.pipeline.stranger\n", encoding="utf-8"
    )
    sys.path.insert(0, str(place))
    plugins.constants.cache_clear()
    try:
        yield scripted.SCRIPTS
    finally:
        sys.path.remove(str(place))
        plugins.constants.cache_clear()
        scripted.SCRIPTS.clear()
        scripted.REFUSED_MAKES.clear()


class Lines:
    """A script that emits what the test hands it, and keeps what was acknowledged."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[RawBatch] = asyncio.Queue()
        self.acknowledged = 0
        self.emitted = 0

    def send(self, batch: RawBatch) -> None:
        batch.acknowledge = self._acknowledged
        self._queue.put_nowait(batch)

    def _acknowledged(self) -> None:
        self.acknowledged += 1

    async def __call__(self, sink: Any, _clock: Any) -> None:
        while True:
            await sink.emit(await self._queue.get())
            self.emitted += 1


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Refuse every write beyond `size` bytes of a file, as a full disk does."""
    resource = pytest.importorskip("resource", reason="file size limits are a matter of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
