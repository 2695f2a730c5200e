from __future__ import annotations

import csv
import io

import msgspec
import pytest

from nilometer.web.sensorthings.quality import Evidence
from tests.web.conftest import MINUTE, NOON

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROPERTIES = ["id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"]
RESULTS = ['low, "very"\nlow', True, {"a": [1, None, {"b": "é"}]}, [1, 2.5, "x"], 7.25, 20, 2**63, "20", [], ""]


async def all_pages(station, path):
    pages = []
    while path:
        pages.append(await station.json(path))
        path = pages[-1].get("@iot.nextLink")
    return pages


def as_documents(page):
    """Return the rows of a data array as the JSON objects that they stand for."""
    found = []
    for group in page["value"]:
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        found += [dict(zip(group["components"], row, strict=True)) for row in group["dataArray"]]
    return found


def comparable(document):
    """Return an Observation as a data array has it: every property, null where there is nothing."""
    return {name: document.get("@iot.id" if name == "id" else name) for name in PROPERTIES}


@pytest.mark.parametrize(
    "query",
    [
        "samples=all",
        "$filter=result gt 7.01",
        "$orderby=phenomenonTime desc",
        "$orderby=result desc&$skip=3",
        "$filter=Datastream/Thing/name eq 'River'&$orderby=result",
    ],
)
async def test_a_data_array_has_what_json_has_page_by_page(filled, query):
    listed = [item for page in await all_pages(filled, f"/v1.1/Observations?{query}&$top=20") for item in page["value"]]
    assert len(listed) > 20
    pages = await all_pages(filled, f"/v1.1/Observations?{query}&$top=13&$count=true&$resultFormat=dataArray")
    skipped = 3 if "$skip" in query else 0
    assert {page["@iot.count"] for page in pages} == {len(listed) + skipped}
    found = []
    for at, page in enumerate(pages):
        links = [group["Datastream@iot.navigationLink"] for group in page["value"]]
        assert len(set(links)) == len(links)
        assert all(group["components"] == PROPERTIES for group in page["value"])
        rows = as_documents(page)
        # Of one page the rows of a Datastream stand together; else their order is that of JSON.
        expected = [comparable(item) for item in listed[13 * at : 13 * at + 13]]
        assert sorted(rows, key=lambda row: row["id"]) == sorted(expected, key=lambda row: row["id"])
        found += rows
    assert len(found) == len(listed)


async def test_select_decides_the_components_and_their_order(filled):
    path = f"/v1.1/Datastreams({filled.id('river/ph')})/Observations?$top=2&$resultFormat=DataArray&$select="
    (group,) = (await filled.json(path + "result,resultQuality/flag,@iot.id"))["value"]
    assert group["components"] == ["result", "resultQuality/flag", "id"]
    assert [row[0] for row in group["dataArray"]] == [7.0, 7.01]
    assert {row[1] for row in group["dataArray"]} <= {1, 2, 3, 4, 9}
    empty = await filled.json(
        f"/v1.1/Datastreams({filled.id('sea/free')})/Observations?$resultFormat=dataArray&$count=true"
    )
    assert empty == {"@iot.count": 0, "value": []}
    (plain,) = (await filled.json(path.replace("DataArray", "geojson") + "resultQuality/flag"))["features"][:1]
    assert set(plain["properties"]) == {"resultQuality/flag"}


@pytest.mark.parametrize(
    "path",
    [
        "Things?$resultFormat=dataArray",
        "Observations?$resultFormat=dataArray&$expand=Datastream",
        "Observations?$resultFormat=dataArray&$select=Datastream",
        "Observations?$resultFormat=xml",
        "Datastreams?$expand=Observations($resultFormat=dataArray)",
        "Things?$resultFormat=CSV&$expand=Datastreams",
        "Things?$skiptoken=w1.2.3",
        "Observations?$skiptoken=nonsense",
        "Observations?$skiptoken=r5.5",
        "Observations?$orderby=result&$skiptoken=w1.2.3",
        "Observations?$skiptoken=w1.2.99999999999999999999",
        "Observations?$select=resultTime/nonsense",
        "Things?$select=name/flag",
    ],
)
async def test_a_format_that_cannot_hold_the_answer_is_refused_with_a_place(filled, path):
    assert (await filled.json(f"/v1.1/{path}", 400))["error"]["place"]


async def test_results_of_any_kind_come_back_whole_in_every_format(station):
    number = station.id("sea/free")
    for at, result in enumerate(RESULTS):
        body = {"result": result, "phenomenonTime": f"2021-03-05T12:{at:02}:00Z", "parameters": {"at": at, "x": "a,b"}}
        answer = await station.client.post(f"/v1.1/Datastreams({number})/Observations", json=body)
        assert answer.status_code == 201, answer.text
    base = f"/v1.1/Datastreams({number})/Observations?$orderby=phenomenonTime"
    listed = (await station.json(base))["value"]
    assert [item["result"] for item in listed] == RESULTS
    rows = as_documents(await station.json(f"{base}&$resultFormat=dataArray"))
    assert rows == [comparable(item) for item in listed]
    answer = await station.client.get(f"{base}&$resultFormat=CSV&$select=result,parameters")
    assert answer.headers["content-type"].startswith("text/csv")
    header, *lines = csv.reader(io.StringIO(answer.text, newline=""))
    assert header == ["result", "parameters"]
    for result, (shown, parameters), at in zip(RESULTS, lines, range(len(RESULTS)), strict=True):
        assert (shown if isinstance(result, str) else msgspec.json.decode(shown)) == result
        assert msgspec.json.decode(parameters) == {"at": at, "x": "a,b"}
    alone = await station.client.get(f"/v1.1/Observations({listed[0]['@iot.id']})/result/$value")
    assert alone.text == RESULTS[0]
    assert await station.json(f"/v1.1/Observations({listed[2]['@iot.id']})/result") == {"result": RESULTS[2]}


async def test_csv_has_a_column_for_each_property_and_of_an_expansion(filled):
    path = f"/v1.1/Datastreams({filled.id('river/ph')})/Observations?$resultFormat=CSV&$select=result,phenomenonTime"
    answer = await filled.client.get(
        f"{path}&$expand=Datastream($select=id,name,unitOfMeasurement;$expand=Thing($select=name))"
    )
    lines = answer.text.split("\r\n")
    assert lines[0] == (
        "result,phenomenonTime,Datastream/id,Datastream/name,Datastream/unitOfMeasurement/name,"
        "Datastream/unitOfMeasurement/symbol,Datastream/unitOfMeasurement/definition,Datastream/Thing/name"
    )
    assert lines[1].startswith("7,2021-03-05T12:00:00Z,1,pH,")
    assert lines[1].endswith(",River")
    assert len(lines) == 62, "the whole set, for there is no next link"
    assert (await filled.client.get(f"{path}&$top=2&$skip=1")).text.split("\r\n")[1:] == lines_of(lines, 2, 4)
    things = await filled.client.get("/v1.1/Things?$resultFormat=CSV&$select=name,properties&$orderby=name desc")
    rows = list(csv.reader(io.StringIO(things.text)))
    assert [row[0] for row in rows] == ["name", "Sea & shore", "River"]
    assert msgspec.json.decode(rows[2][1])["tidal"] is False


def lines_of(lines, start, stop):
    return [*(line.rsplit(",", 6)[0] for line in lines[start:stop]), ""]


async def test_geojson_has_a_feature_for_each_entity(filled):
    answer = await filled.client.get("/v1.1/Things?$resultFormat=GeoJSON&$expand=Locations,Datastreams($top=1)&$top=1")
    assert answer.headers["content-type"] == "application/geo+json"
    collection = answer.json()
    assert collection["type"] == "FeatureCollection"
    assert "$resultFormat=GeoJSON" in collection["@iot.nextLink"]
    (river,) = collection["features"]
    assert river["geometry"] == {"type": "Point", "coordinates": [120.1, 30.2]}
    assert river["properties"]["properties/reach/order"] == 5
    assert "Datastreams/0/unitOfMeasurement/symbol" in river["properties"]
    assert not [name for name in river["properties"] if "@iot" in name or "coordinates" in name]
    for path in ("Locations", "FeaturesOfInterest", "Datastreams", "Locations(1)"):
        for feature in (await filled.json(f"/v1.1/{path}?$resultFormat=GeoJSON"))["features"]:
            assert feature["geometry"] is None or feature["geometry"]["type"] == "Point"
            assert isinstance(feature["properties"]["id"], int)
    found = await filled.json("/v1.1/Observations?$resultFormat=GeoJSON&$top=2&$expand=FeatureOfInterest")
    assert [item["geometry"]["type"] for item in found["features"]] == ["Point", "Point"]
    assert found["features"][0]["properties"]["result"] == 7.0


async def test_quality_of_many_rows_is_what_it_is_of_each(filled):
    store = filled.pipeline.store
    evidence = Evidence(store.catalog)
    rows = store.snapshot().read(water_only=False).to_pylist()
    page = await filled.json("/v1.1/Observations?samples=all&$top=1000&$select=id,resultQuality")
    found = {item["@iot.id"]: item["resultQuality"] for item in page["value"]}
    assert found == {row["id"]: evidence.document(row, None, "http://station/api/v1") for row in rows}
    assert len({str(quality) for quality in found.values()}) > 3


@pytest.mark.parametrize("order", ["", "$orderby=phenomenonTime desc&", "$orderby=result&"])
async def test_pages_neither_repeat_nor_lose_a_row_while_rows_arrive(station, order):
    await station.ingest("river/ph", NOON, [7.0 + 0.1 * (n % 5) for n in range(20)])
    path = f"/v1.1/Datastreams({station.id('river/ph')})/Observations?{order}$top=3&$select=id&$count=true"
    before = [item["@iot.id"] for item in (await station.json(path.replace("$top=3", "$top=100")))["value"]]
    seen, step = [], 0
    while path:
        page = await station.json(path)
        seen += [item["@iot.id"] for item in page["value"]]
        path = page.get("@iot.nextLink")
        if step < 3:  # a row before all of them, one behind them; one between them is corrected
            step += 1
            for start in (NOON - step * MINUTE, NOON + (30 + step) * MINUTE, NOON + 10 * MINUTE + step):
                await station.ingest("river/ph", start, [7.05])
    assert len(seen) == len(set(seen))
    assert [number for number in seen if number in set(before)] == before
