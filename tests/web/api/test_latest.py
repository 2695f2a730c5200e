from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from sqlalchemy import event

from nilometer.model import SampleKind
from nilometer.web.api.tables import SERVED
from tests.web.conftest import MINUTE, NOON, open_station

API = "/api/v1"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_newest_row_of_the_water_of_every_datastream_comes_as_columns(filled):
    found = await filled.json(f"{API}/latest")
    columns = found["columns"]
    assert columns["key"] == ["river/ph", "river/dissolved_oxygen", "river/codmn", "sea/water_temperature"]
    assert columns["property"] == ["ph", "dissolved_oxygen", "codmn", "water_temperature"]
    assert columns["unit"][1] == "mg L-1"
    assert columns["time"][:3] == [(NOON + 59 * MINUTE) // 1000, (NOON + 4 * MINUTE) // 1000, NOON // 1000]
    assert columns["result"][1:] == [8.4, 4.5, 12.75]
    assert columns["thing"] == [1, 1, 1, 2]
    assert (found["rows"], found["without"], found["as_of"]) == (4, 1, None)
    assert found["profiles"].keys() == {str(number) for number in columns["profile"] if number is not None}
    assert {len(cells) for cells in columns.values()} == {4}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("thing=sea", ["sea/water_temperature"]),
        ("thing=1&property=ph,codmn", ["river/ph", "river/codmn"]),
        ("property=ph&property=water_temperature", ["river/ph", "sea/water_temperature"]),
        ("datastream=river/codmn,1", ["river/ph", "river/codmn"]),
        ("datastream=river/codmn&thing=sea", []),
    ],
)
async def test_latest_is_narrowed_by_datastream_thing_and_property(filled, query, keys):
    assert (await filled.json(f"{API}/latest?{query}"))["columns"]["key"] == keys


@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_that_is_unknown_is_refused_with_what_is_near(filled):
    refused = await filled.json(f"{API}/latest?property=codmm", 400)
    assert "codmn" in refused["error"]["message"]
    assert refused["error"]["place"] == "property"
    await filled.json(f"{API}/latest?thing=nowhere", 404)
    await filled.json(f"{API}/latest?datastream=nowhere", 404)


@pytest.mark.asyncio(loop_scope="module")
async def test_latest_comes_as_arrow_and_csv_as_other_rows_do(filled):
    arrow = pa.ipc.open_stream((await filled.client.get(f"{API}/latest?format=arrow")).content).read_all()
    assert arrow.schema.names == SERVED.names
    assert arrow["result"].to_pylist()[1:] == [8.4, 4.5, 12.75]
    body = (await filled.client.get(f"{API}/latest?format=csv&thing=river")).content
    table = pa.csv.read_csv(io.BytesIO(body))
    assert table["datastream"].to_pylist() == ["river/ph", "river/dissolved_oxygen", "river/codmn"]


async def test_latest_of_a_past_moment_is_what_was_newest_then(tmp_path):
    async with open_station(tmp_path) as station:
        await station.ingest("river/ph", NOON, [7.0])
        then = station.moment()
        await station.ingest("river/ph", NOON + MINUTE, [7.5])
        checks = station.sample("river/ph", SampleKind.CHECK, 1)
        await station.ingest("river/ph", NOON + 2 * MINUTE, [4.0], feature=checks)
        assert (await station.json(f"{API}/latest"))["columns"]["result"] == [7.5]
        past = await station.json(f"{API}/latest?as_of={then}")
        assert past["columns"]["result"] == [7.0]
        assert past["as_of"] is not None


async def test_newest_observations_of_many_datastreams_cost_as_many_questions_as_those_of_one(tmp_path):
    path = "/v1.1/Datastreams?$expand=Observations($orderby=phenomenonTime desc;$top=1)&$top="
    async with open_station(tmp_path) as station:
        for key in ("river/ph", "river/codmn", "sea/water_temperature"):
            await station.ingest(key, NOON, [5.0, 6.0], result_time=np.array([NOON, NOON + MINUTE]))
        await station.json(f"{path}5")  # what provenance says is remembered from here on
        asked = []
        event.listen(station.pipeline.store.catalog.engine, "before_cursor_execute", lambda *told: asked.append(told))
        await station.json(f"{path}1")
        one = len(asked)
        found = (await station.json(f"{path}5"))["value"]
        assert len(asked) - one == one
        assert [len(item["Observations"]) for item in found] == [1, 0, 1, 1, 0]
        assert found[2]["resultTime"] == "2021-03-05T12:00:00Z/2021-03-05T12:01:00Z"
        assert found[2]["observedArea"]["coordinates"] == [120.1, 30.2]
        assert found[3]["observedArea"]["coordinates"] == [122.0, 30.0]
        assert "Observations@iot.nextLink" in found[2]


async def test_the_result_time_of_a_datastream_begins_with_its_water_not_with_a_sample(tmp_path):
    async with open_station(tmp_path) as station:
        checks = station.sample("river/ph", SampleKind.CHECK, 1)
        await station.ingest("river/ph", NOON, [4.0], feature=checks, result_time=np.array([NOON]))
        await station.ingest("river/ph", NOON + MINUTE, [7.0], result_time=np.array([NOON + 5 * MINUTE]))
        await station.ingest("river/ph", NOON + 2 * MINUTE, [7.0], result_time=np.array([NOON + 6 * MINUTE]))
        found = await station.json("/v1.1/Datastreams(1)")
        assert found["resultTime"] == "2021-03-05T12:05:00Z/2021-03-05T12:06:00Z"
        assert found["phenomenonTime"] == "2021-03-05T12:00:00Z/2021-03-05T12:02:00Z"
