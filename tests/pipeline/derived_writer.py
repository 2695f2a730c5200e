"""What sends rows of the inputs of derived Datastreams as fast as it can while seals run, to be killed.

Step k brings ten minutes of oxygen, the temperatures of the ten minutes before, the pressure of those before them, and
a correction of one row of oxygen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline
from tests.pipeline.conftest import MINUTE, NOON
from tests.pipeline.test_deriving import DO, P, T, station

CONFIG: dict[str, Any] = {**station(), "store": {"seal_every_s": 0.2}}


def oxygen(minutes: Any) -> Any:
    return 8.0 + 0.01 * (minutes % 37)


def step(pipeline: Pipeline, k: int) -> list[ObservationBatch]:
    """The rows of a step; sending them twice changes nothing."""
    ten = np.arange(10.0)
    now, before, earlier = 10 * k + ten, 10 * (k - 1) + ten[::2], 10 * (k - 2) + ten[:1]
    parts = [(DO, now, oxygen(now))]
    if k >= 1:
        parts += [(T, before, 12.0 + 0.01 * (before % 31)), (DO, before[2:3], oxygen(before[2:3]) + 0.5)]
    if k >= 2:
        parts.append((P, earlier, 1000.0 + 0.1 * (earlier % 41)))
    return [sent(pipeline, *part) for part in parts]


def sent(pipeline: Pipeline, key: str, minutes: Any, values: Any) -> ObservationBatch:
    datastream = pipeline.store.catalog.datastream_by_key(key)
    assert datastream is not None
    return ObservationBatch(
        datastream=np.full(len(minutes), datastream.id, np.int32),
        phenomenon_time=NOON + (minutes * MINUTE).astype(np.int64),
        raw_result=values,
    )


def wall_clock() -> int:
    return time.time_ns() // 1000


def write(say: Callable[[object], None], folder: Path, first: int) -> None:
    """Send steps from `first` on for ever; say each once all of it is acknowledged."""
    asyncio.run(_write(say, folder, first))


async def _write(say: Callable[[object], None], folder: Path, first: int) -> None:
    pipeline = Pipeline(folder, parse(CONFIG), clock=wall_clock)
    await pipeline.start()
    k = first
    while True:
        for answer in [await pipeline.queue(batch) for batch in step(pipeline, k)]:
            await answer
        say(k)
        k += 1
