"""The first rows of an order are those of all rows sorted, though not all of them are looked at."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.model import NO_TIME, ObservationBatch
from nilometer.web.sensorthings import slices
from nilometer.web.sensorthings.query import orders
from tests.web.conftest import NOON, open_station

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = 1_000_000


async def fill(station):
    """Give five Datastreams rows: some at one time, gaps of months, results that tie or are none, some result times."""
    random = np.random.default_rng(7)
    n = 400
    stride = np.array([1, 60, 86_400, 86_400 * 30])[random.integers(0, 4, n)]
    time = NOON + np.cumsum(stride * random.integers(0, 2, n)) * SECOND
    result = random.integers(-3, 4, n).astype(float)
    result[random.random(n) < 0.1] = np.nan
    result_time = np.where(random.random(n) < 0.3, time + random.integers(0, 9, n) * SECOND, NO_TIME)
    rows = ObservationBatch(
        datastream=random.integers(1, 6, n).astype(np.int32),
        phenomenon_time=random.permutation(time),
        raw_result=result,
        result_time=result_time,
        always_new=np.ones(n, bool),
    )
    assert (await station.pipeline.ingest(rows.take(slice(0, 250)))).accepted == 250
    store = station.pipeline.store
    await asyncio.to_thread(station.pipeline._judging.save, store.sequence())
    await asyncio.to_thread(store.seal)
    assert (await station.pipeline.ingest(rows.take(slice(250, n)))).accepted == n - 250


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_FEW", 5)  # as of so many rows a second that a slice is a small part of them
        patch.setattr(orders, "_MANY_TIMES", 1)
        async with open_station(tmp_path_factory.mktemp("orders")) as station:
            await fill(station)
            yield station


NAMES = ("phenomenonTime", "id", "result", "resultTime", "Datastream/id", "day(phenomenonTime)")
KEYS = st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=3)
FILTERS = st.sampled_from(
    [
        "",
        "result gt 0",
        "result add 0 eq 3",
        "phenomenonTime lt 2021-09-01T00:00:00Z",
        "phenomenonTime ge 2021-06-01T00:00:00Z and result add 0 lt 1",
        "Datastream/id ge 3",
        "resultTime ne null",
        "id lt 0",
    ]
)


def key_of(row, name):
    match name:
        case "id":
            return row["@iot.id"]
        case "Datastream/id":
            return row["@iot.id"] >> 32
        case "day(phenomenonTime)":
            return int(row["phenomenonTime"][8:10])
    return row[name]


@given(KEYS, FILTERS, st.integers(0, 5), st.integers(1, 12))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_are_those_of_all_rows_sorted(filled, keys, condition, skip, top):
    narrowed = f"&$filter={quote(condition)}" if condition else ""
    everything = (await filled.json(f"/v1.1/Observations?$top=1000{narrowed}"))["value"]
    wanted = sorted(everything, key=lambda row: row["@iot.id"], reverse=keys[-1][1])
    for name, descending in reversed(keys):
        there = [row for row in wanted if key_of(row, name) is not None]
        there.sort(key=lambda row: key_of(row, name), reverse=descending)
        wanted = there + [row for row in wanted if key_of(row, name) is None]
    order = quote(",".join(f"{name} {'desc' if descending else 'asc'}" for name, descending in keys))
    url = f"/v1.1/Observations?$orderby={order}&$top={top}&$skip={skip}{narrowed}"
    seen = []
    for _ in range(3):
        page = await filled.json(url)
        seen += [row["@iot.id"] for row in page["value"]]
        if "@iot.nextLink" not in page:
            break
        url = page["@iot.nextLink"]
    assert seen == [row["@iot.id"] for row in wanted][skip : skip + 3 * top]


async def test_few_rows_are_looked_at_for_the_newest_of_all(filled, monkeypatch):
    asked = []
    store = type(filled.pipeline.store.snapshot())
    read = store.read
    monkeypatch.setattr(store, "read", lambda self, *a, **k: asked.append(found := read(self, *a, **k)) or found)
    (newest,) = (await filled.json("/v1.1/Observations?$orderby=phenomenonTime desc&$top=1"))["value"]
    everything = (await filled.json("/v1.1/Observations?$top=1000"))["value"]
    assert newest["phenomenonTime"] == max(row["phenomenonTime"] for row in everything)
    assert 0 < sum(map(len, asked)) < 100
