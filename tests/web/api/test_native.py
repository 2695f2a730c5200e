from __future__ import annotations

import io

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from nilometer.model import ObservationBatch, SampleKind
from tests.web.conftest import MINUTE, NOON

pytestmark = pytest.mark.asyncio(loop_scope="module")
API = "/api/v1"
NOON_MS = NOON // 1000


async def test_status_tells_time_and_counts(filled):
    status = await filled.json(f"{API}/status")
    assert status["now"] == filled.clock.now // 1000
    assert (status["things"], status["datastreams"], status["observations"]) == (2, 5, 71)
    assert status["name"] == "nilometer"


async def test_things_come_with_latest_values_sparklines_and_verdict(filled):
    river, sea = (await filled.json(f"{API}/things?spark=3600"))["things"]
    assert river["names"] == {"en": "River", "zh": "河"}
    assert river["location"] == [120.1, 30.2]
    assert river["state"] == "none"
    assert river["verdict"]["applicable"]
    assert river["verdict"]["target_class"] == "III"
    assert not sea["verdict"]["applicable"]
    ph = river["datastreams"][0]
    assert ph["latest"]["time"] == (NOON + 59 * MINUTE) // 1000
    assert ph["latest"]["result"] > 6
    assert 0 < len(ph["spark"]["time"]) <= 60
    assert max(ph["spark"]["result"]) == 13.9
    assert sea["datastreams"][1]["latest"] is None
    assert sea["datastreams"][1]["spark"]["time"] == []


async def test_a_thing_by_id_and_by_key(filled):
    by_id, by_key = await filled.json(f"{API}/things/1"), await filled.json(f"{API}/things/river")
    assert by_id["key"] == by_key["key"] == "river"
    assert by_id["sensors"][0]["name"]
    assert "spark" not in by_id["datastreams"][0]
    await filled.json(f"{API}/things/99", 404)
    await filled.json(f"{API}/things/nowhere", 404)


async def test_datastreams_by_key_by_thing_and_one(filled):
    assert len((await filled.json(f"{API}/datastreams"))["datastreams"]) == 5
    assert len((await filled.json(f"{API}/datastreams?thing=sea"))["datastreams"]) == 2
    assert (await filled.json(f"{API}/datastreams?key=river/ph"))["datastreams"][0]["property"] == "ph"
    one = await filled.json(f"{API}/datastreams/river/ph")
    assert one["extent"] == [NOON_MS, (NOON + 59 * MINUTE) // 1000]
    assert one["count"] == 60
    assert one["profile_detail"]["tests"][0]["slot"] == 0
    assert all(test["title"]["zh"] and test["clause"] for test in one["profile_detail"]["tests"])
    assert one["thing"]["key"] == "river"
    assert (await filled.json(f"{API}/datastreams/river%2Fph"))["id"] == one["id"]


async def test_observations_as_columns_leave_samples_out_unless_asked(filled):
    path = f"{API}/datastreams/river/ph/observations"
    found = await filled.json(path)
    columns = found["columns"]
    assert (found["rows"], found["returned"], found["resolution"]) == (60, 60, "raw")
    assert {len(column) for column in columns.values()} == {60}
    assert columns["time"][:2] == [NOON_MS, NOON_MS + 60_000]
    assert set(columns["sample"]) == {0}
    every = (await filled.json(f"{path}?samples=all"))["columns"]
    assert sorted(set(every["sample"])) == [0, int(SampleKind.CHECK)]
    some = await filled.json(f"{path}?start=2021-03-05T12:10:00Z&end={NOON_MS + 12 * 60_000}")
    assert some["rows"] == 2
    sub = await filled.json(f"{API}/datastreams/sea/water_temperature/observations")
    assert sub["columns"]["time"] == [NOON_MS, NOON_MS + 0.25, NOON_MS + 0.5]


async def test_reduced_observations_keep_extremes_and_flags(filled):
    found = await filled.json(f"{API}/datastreams/river/ph/observations?max_points=12")
    assert found["resolution"] == "extremes"
    assert found["rows"] == 60
    assert found["returned"] < 30
    assert max(found["columns"]["result"]) == 13.9
    assert min(found["columns"]["result"]) == 7.0
    assert any(flag in {3, 4} for flag in found["columns"]["quality"])


async def test_observations_as_csv_arrow_and_parquet(filled):
    path = f"{API}/datastreams/river/ph/observations?format="
    csv = pa.csv.read_csv(io.BytesIO((await filled.client.get(f"{path}csv")).content))
    assert csv.num_rows == 60
    assert csv["datastream"][0].as_py() == "river/ph"
    arrow = pa.ipc.open_stream((await filled.client.get(f"{path}arrow")).content).read_all()
    assert arrow.num_rows == 60
    assert len(ObservationBatch.from_arrow(arrow)) == 60
    parquet = pa.parquet.read_table(io.BytesIO((await filled.client.get(f"{path}parquet")).content))
    assert parquet.num_rows == 60


async def test_an_export_of_several_is_one_file(filled):
    path = f"{API}/export?datastream=river/ph,river/dissolved_oxygen&datastream=sea/free&format="
    csv = pa.csv.read_csv(io.BytesIO((await filled.client.get(f"{path}csv")).content))
    assert csv.num_rows == 65
    parquet = pa.parquet.read_table(io.BytesIO((await filled.client.get(f"{path}parquet")).content))
    assert parquet.num_rows == 65
    assert sorted(set(parquet["datastream"].to_pylist())) == ["river/dissolved_oxygen", "river/ph"]


async def test_one_observation_with_its_evidence(filled):
    columns = (await filled.json(f"{API}/datastreams/river/ph/observations"))["columns"]
    spike = columns["id"][columns["result"].index(13.9)]
    found = await filled.json(f"{API}/observations/{spike}")
    assert found["observation"]["result"] == 13.9
    outcomes = {test["name"]: test["outcome"] for test in found["tests"]}
    assert outcomes["spike"] in {3, 4}
    assert found["profile"]["name"] == "river/ph"
    await filled.json(f"{API}/observations/1", 404)


async def test_a_revised_observation_tells_what_it_said_before(station):
    for value in (7.0, 7.5, 7.25):
        await station.ingest("river/ph", NOON, [value])
    number = (await station.json(f"{API}/datastreams/river/ph/observations"))["columns"]["id"][0]
    revisions = (await station.json(f"{API}/observations/{number}"))["revisions"]
    assert [version["result"] for version in revisions] == [7.5, 7.0]
    assert revisions[0]["until"] >= revisions[1]["until"]


async def test_verdicts_over_windows_and_by_day(filled):
    verdict = await filled.json(f"{API}/things/river/verdict?window=4h")
    assert verdict["applicable"]
    assert verdict["indicative"]
    assert verdict["items"]
    ph = next(item for item in verdict["items"] if item["property"] == "ph")
    assert ph["n"] < 61
    days = (await filled.json(f"{API}/things/river/verdicts?start=2021-03-04T00:00:00Z&end=2021-03-06T00:00:00Z"))[
        "verdicts"
    ]
    assert len(days) == 3
    assert all((day["start"] + 8 * 3_600_000) % 86_400_000 == 0 for day in days)
    assert (await filled.json(f"{API}/things/sea/verdicts"))["verdicts"] == []
    assert not (await filled.json(f"{API}/things/sea/verdict"))["applicable"]


@pytest.mark.parametrize(
    "path",
    [
        "things?spark=x",
        "datastreams/river/ph/observations?start=yesterday",
        "datastreams/river/ph/observations?start=2021-03-05T12:00:00Z&end=2021-03-05T11:00:00Z",
        "datastreams/river/ph/observations?max_points=0",
        "datastreams/river/ph/observations?format=xml",
        "datastreams/river/ph/observations?start=999999999999999",
        "things/river/verdict?window=year",
        "things/river/events?limit=0",
        "observations/x",
        "export",
    ],
)
async def test_a_bad_parameter_is_400_with_its_place(filled, path):
    error = (await filled.json(f"{API}/{path}", 400))["error"]
    assert error["place"]
    assert error["message"]


async def test_unknown_paths_and_methods(filled):
    assert (await filled.json(f"{API}/nonsense", 404))["error"]["code"] == "not_found"
    answer = await filled.client.put(f"{API}/status")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_the_openapi_document_tells_the_truth(filled):
    document = await filled.json("/openapi.json")
    text = str(document)
    assert "422" not in text
    assert "HTTPValidationError" not in text
    assert "post" in document["paths"][f"{API}/observations"]
    assert f"{API}/live" in document["paths"]


async def test_the_docs_load_nothing_from_elsewhere(filled):
    page = await filled.client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!doctype html>", "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png", "start.js"):
        assert (await filled.client.get(f"/docs/{name}")).status_code == 200
    assert (await filled.client.get("/docs/nonsense.js")).status_code == 404


async def test_health_and_metrics(filled):
    assert (await filled.json("/health"))["status"] == "ok"
    text = (await filled.client.get("/metrics")).text
    assert "nilometer_committed_rows_total 71.0" in text
    assert 'nilometer_http_requests_total{room="health",status="200"}' in text


async def test_deleting_a_stretch_is_seen_at_once(station):
    await station.ingest("river/ph", NOON, [7.0] * 10)
    path = f"{API}/datastreams/river/ph/observations"
    answer = await station.client.delete(f"{path}?start=2021-03-05T12:05:00Z")
    assert answer.json()["deleted"] == 5
    assert (await station.json(path))["rows"] == 5


async def test_a_past_moment_can_be_asked_for(station):
    await station.ingest("river/ph", NOON, [7.0])
    before = station.moment()
    path = f"{API}/datastreams/river/ph/observations"
    await station.ingest("river/ph", NOON, [7.5])
    assert (await station.json(path))["columns"]["result"] == [7.5]
    assert (await station.json(f"{path}?as_of={before}"))["columns"]["result"] == [7.0]


async def test_things_and_datastreams_can_be_made(station):
    body = {
        "thing": [{"key": "lake", "name": "Lake"}],
        "datastream": [{"key": "lake/ph", "thing": "lake", "property": "ph"}],
    }
    answer = await station.client.post(f"{API}/datastreams", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["datastreams"][0]["key"] == "lake/ph"
    assert (await station.json(f"{API}/things/lake"))["name"] == "Lake"
    more = {"datastream": [{"key": "lake/codmn", "thing": "lake", "property": "codmn"}]}
    assert (await station.client.post(f"{API}/datastreams", json=more)).status_code == 200
    bad = {"datastream": [{"key": "lake/x", "thing": "laek", "property": "ph"}]}
    answer = await station.client.post(f"{API}/datastreams", json=bad)
    assert answer.status_code == 400
    assert "lake" in answer.json()["error"]["message"]
    answer = await station.client.post(f"{API}/datastreams", content=b"{")
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["json", "csv", "arrow", "parquet"])
async def test_columns_that_are_asked_for_are_those_of_the_whole_answer(filled, name):
    def read(content):
        if name == "json":
            return pa.table({key: pa.array(cells) for key, cells in msgspec.json.decode(content)["columns"].items()})
        if name == "csv":
            # A row of one column that says nothing is an empty line.
            return pa.csv.read_csv(io.BytesIO(content), parse_options=pa.csv.ParseOptions(ignore_empty_lines=False))
        return pa.ipc.open_stream(content).read_all() if name == "arrow" else pa.parquet.read_table(io.BytesIO(content))

    path = f"{API}/datastreams/river/ph/observations?samples=all&format={name}"
    whole = read((await filled.client.get(path)).content)
    for wanted in (*([one] for one in whole.schema.names), whole.schema.names[::-2]):
        found = read((await filled.client.get(f"{path}&columns={','.join(wanted)}")).content)
        assert set(found.schema.names) == set(wanted)
        assert found.equals(whole.select(found.schema.names)), wanted


async def test_columns_have_two_spellings_and_a_wrong_one_is_refused(filled):
    path = f"{API}/datastreams/river/ph/observations"
    found = await filled.json(f"{path}?columns=phenomenon_time&columns=quality")
    assert list(found["columns"]) == ["time", "quality"]
    assert found["profiles"] == {}
    table = pa.ipc.open_stream((await filled.client.get(f"{path}?format=arrow&columns=time,result")).content).read_all()
    assert table.schema.names == ["phenomenon_time", "result"]
    refused = await filled.json(f"{path}?columns=resul", 400)
    assert refused["error"]["place"] == "columns"
    assert "result" in refused["error"]["message"]
    reduced = await filled.json(f"{path}?columns=id&max_points=5")
    assert list(reduced["columns"]) == ["id"]
    assert reduced["resolution"] == "extremes"


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("flag=1", lambda value, flag: flag == 1),
        ("flag=3,4&flag=9", lambda value, flag: flag in {3, 4, 9}),
        ("least=7.02&greatest=7.04", lambda value, flag: 7.02 <= value <= 7.04),
        ("greatest=7.0&flag=1,2", lambda value, flag: value <= 7.0 and flag in {1, 2}),
        ("least=1e9", lambda value, flag: False),
    ],
)
async def test_observations_of_some_values_and_flags(filled, query, keep):
    path = f"{API}/datastreams/river/ph/observations"
    whole = (await filled.json(path))["columns"]
    wanted = [
        number
        for number, value, flag in zip(whole["id"], whole["result"], whole["quality"], strict=True)
        if keep(value, flag)
    ]
    found = await filled.json(f"{path}?{query}")
    assert found["columns"]["id"] == wanted
    assert found["rows"] == len(wanted)
    drawn = await filled.json(f"{path}?{query}&max_points=3&columns=id")
    assert set(drawn["columns"]["id"]) <= set(wanted)
    assert drawn["rows"] == len(wanted)


@pytest.mark.parametrize(("query", "place"), [("flag=5", "flag"), ("flag=bad", "flag"), ("least=nan", "least")])
async def test_a_value_or_flag_that_is_none_is_refused(filled, query, place):
    refused = await filled.json(f"{API}/datastreams/river/ph/observations?{query}", 400)
    assert refused["error"]["place"] == place
