from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.web.conftest import MINUTE, NOON, open_station

API = "/api/v1/datastreams"
HOUR_MS = 3_600_000
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_hours_come_as_columns_with_the_mean_of_the_property(filled):
    found = await filled.json(f"{API}/river/ph/rollups")
    assert (found["span"], found["mean"], found["below"], found["unit"]) == ("hour", "hydrogen_ion", "half", "1")
    columns = found["columns"]
    assert columns["start"] == [NOON // 1000]
    assert columns["end"] == [NOON // 1000 + HOUR_MS]
    assert columns["count"] == [60]  # the two check samples are not the water
    assert sum(columns[flag][0] for flag in ("pass", "not_evaluated", "suspect", "fail", "missing")) == 60
    assert columns["highest"] == [13.9]
    assert columns["highest_time"] == [(NOON + 30 * MINUTE) // 1000]
    assert columns["n"][0] + columns["fail"][0] + columns["missing"][0] == 60
    rows = (await filled.json(f"{API}/river/ph/observations"))["columns"]
    enters = [x for x, flag in zip(rows["result"], rows["quality"], strict=True) if flag < 4]
    assert columns["mean"] == pytest.approx([-np.log10(np.mean(10.0 ** -np.array(enters)))])
    assert len({len(cells) for cells in columns.values()}) == 1


async def test_days_are_those_of_the_thing(filled):
    found = await filled.json(f"{API}/river/ph/rollups?span=day&mean=arithmetic")
    assert found["time_zone"] == "Asia/Shanghai"
    assert found["columns"]["start"] == [NOON // 1000 - 20 * HOUR_MS]  # noon of UTC is eight in the evening there
    sea = await filled.json(f"{API}/sea/water_temperature/rollups?span=day")
    assert sea["time_zone"] == "UTC"
    assert sea["columns"]["min_time"] == [NOON // 1000]
    assert sea["columns"]["max_time"] == [(NOON + 500) / 1000]  # µs are kept


async def test_every_format_has_the_same_spans(filled):
    path = f"{API}/river/dissolved_oxygen/rollups"
    columns = (await filled.json(path))["columns"]
    arrow = pa.ipc.open_stream((await filled.client.get(f"{path}?format=arrow")).content).read_all()
    parquet = pa.parquet.read_table(io.BytesIO((await filled.client.get(f"{path}?format=parquet")).content))
    text = pa.csv.read_csv(io.BytesIO((await filled.client.get(f"{path}?format=csv")).content))
    assert arrow.equals(parquet)
    assert arrow["mean"].to_pylist() == text["mean"].to_pylist() == columns["mean"] == pytest.approx([8.2])
    assert arrow["sum_good"][0].as_py() + arrow["sum_suspect"][0].as_py() == pytest.approx(41.0)
    assert text["datastream"].to_pylist() == ["river/dissolved_oxygen"]


async def test_a_datastream_without_rows_has_no_spans_and_a_wrong_word_is_refused(filled):
    assert (await filled.json(f"{API}/sea/free/rollups"))["columns"]["start"] == []
    for query in (
        "span=week",
        "mean=geometric",
        "below=third",
        "mean=flow_weighted",
        "start=2021-03-06&end=2021-03-05",
    ):
        refused = await filled.json(f"{API}/river/ph/rollups?{query}", 400)
        assert refused["error"]["message"]
    await filled.json(f"{API}/nowhere/rollups", 404)


async def test_the_flow_weighted_mean_is_asked_for_with_a_discharge(tmp_path):
    async with open_station(tmp_path) as station:
        await station.ingest("river/codmn", NOON, [2.0, 4.0, 6.0])
        await station.ingest("river/dissolved_oxygen", NOON + 10 * MINUTE // 60, [1.0, 3.0])
        path = f"{API}/river/codmn/rollups?mean=flow_weighted&discharge=river/dissolved_oxygen&within_s=30"
        found = await station.json(path)
        assert found["columns"]["mean"] == [(2 + 12) / 4]
        assert found["columns"]["unpaired"] == [1]
        assert "datastream" in (await station.client.get(f"{path}&format=csv")).text.splitlines()[0]
