"""A real pipeline with a real store in a temporary folder, and the application over it, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from nilometer.config import parse
from nilometer.model import ObservationBatch, SampleKind
from nilometer.pipeline import Pipeline
from nilometer.web.app import App, create_app
from nilometer.web.times import format_time

NOON = 1_614_945_600_000_000  # 2021-03-05T12:00:00Z
MINUTE = 60_000_000

CONFIG: dict[str, Any] = {
    "thing": [
        {
            "key": "river",
            "name": "River",
            "names": {"en": "River", "zh": "河"},
            "water_body": "river",
            "target_class": "III",
            "time_zone": "Asia/Shanghai",
            "location": [120.1, 30.2],
            "properties": {"reach": {"order": 5, "name": "12.5"}, "tidal": False},
        },
        {"key": "sea", "name": "Sea & shore", "water_body": "sea", "location": [122.0, 30.0]},
    ],
    "datastream": [
        {"key": "river/ph", "thing": "river", "property": "ph"},
        {"key": "river/dissolved_oxygen", "thing": "river", "property": "dissolved_oxygen"},
        {"key": "river/codmn", "thing": "river", "property": "codmn"},
        {"key": "sea/water_temperature", "thing": "sea", "property": "water_temperature"},
        {"key": "sea/free", "thing": "sea", "property": "a_thing_of_its_own", "identity": "always_new"},
    ],
}


class FixedClock:
    """The present, set by the test."""

    def __init__(self) -> None:
        self.now = NOON + 60 * MINUTE

    def __call__(self) -> int:
        return self.now


@dataclass
class Station:
    pipeline: Pipeline
    app: App
    client: httpx.AsyncClient
    clock: FixedClock
    made: dict[str, Any] = field(default_factory=dict)

    def id(self, key: str) -> int:
        datastream = self.pipeline.store.catalog.datastream_by_key(key)
        assert datastream is not None
        return datastream.id

    async def ingest(self, key: str, start: int, values: list[float], *, step: int = MINUTE, **columns: Any) -> Any:
        n = len(values)
        batch = ObservationBatch(
            datastream=np.full(n, self.id(key), np.int32),
            phenomenon_time=start + step * np.arange(n, dtype=np.int64),
            raw_result=np.array(values, float),
            **columns,
        )
        return await self.pipeline.ingest(batch)

    def moment(self) -> str:
        """Mark the present: what was committed before shows as of it, and nothing that comes after."""
        store = self.pipeline.store
        return format_time(store.snapshot().committed(store.mark()))

    def sample(self, key: str, kind: SampleKind, n: int) -> np.ndarray:
        return np.full(n, self.pipeline.store.catalog.sample_feature(self.id(key), kind), np.int32)

    async def json(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return msgspec.json.decode(answer.content) if answer.content else None


@asynccontextmanager
async def open_station(
    folder: Any, token: str | None = None, *, catalog_url: str | None = None, server: dict[str, Any] | None = None
) -> AsyncIterator[Station]:
    clock = FixedClock()
    config = parse({**CONFIG, "store": {"catalog_url": catalog_url}, "server": server or {}})
    pipeline = Pipeline(folder, config, clock=clock)
    await pipeline.start()
    try:
        app = create_app(pipeline, token)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://station") as client:
            yield Station(pipeline, app, client, clock)
    finally:
        await pipeline.close()


@pytest_asyncio.fixture
async def station(tmp_path) -> AsyncIterator[Station]:
    """A station of this test alone."""
    async with open_station(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Station]:
    """A station without data, for tests of what it does not take."""
    async with open_station(tmp_path_factory.mktemp("station")) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest) -> str | None:
    """Where the catalog of what is only read lies."""
    return request.getfixturevalue("postgres").database() if request.param == "postgresql" else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory, catalog_url: str | None) -> AsyncIterator[Station]:
    """A station with some hours of data, for tests that only read."""
    async with open_station(tmp_path_factory.mktemp("station"), catalog_url=catalog_url) as opened:
        steady = [7.0 + 0.01 * (n % 7) for n in range(60)]
        steady[30] = 13.9
        await opened.ingest("river/ph", NOON, steady)
        checks = opened.sample("river/ph", SampleKind.CHECK, 2)
        await opened.ingest("river/ph", NOON + MINUTE // 2, [4.0, 4.01], feature=checks)
        await opened.ingest("river/dissolved_oxygen", NOON, [8.0, 8.1, 8.2, 8.3, 8.4])
        await opened.ingest("river/codmn", NOON, [4.5], duration=np.array([4 * 60 * MINUTE]))
        catalog = opened.pipeline.store.catalog
        sea = catalog.datastream(opened.id("sea/water_temperature"))
        catalog.update_datastream(replace(sea, clock_resolution_us=1))
        await opened.ingest("sea/water_temperature", NOON, [12.5, 12.5, 12.75], step=250)
        yield opened
