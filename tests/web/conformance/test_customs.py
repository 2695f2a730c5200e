"""What clients and public test suites take for granted, where the standard is silent or is easily read otherwise."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.web.conformance.conftest import OGC_OM, Api, location, point, sensor, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req"


async def stream_of(api: Api, name: str, results: list[Any], **more: Any) -> int:
    """Make a Thing with one Datastream of some results, a day apart, and return the Datastream's id."""
    rows = [
        {"phenomenonTime": f"2020-01-{1 + n % 28:02d}T00:{n // 28:02d}:00Z", "result": one}
        for n, one in enumerate(results)
    ]
    thing = {
        "name": name,
        "description": name,
        "Locations": [location(name)],
        "Datastreams": [whole(name, Observations=rows)],
        **more,
    }
    made = await api.make("Things", thing)
    (stream,) = (await api.ask(f"Things({made})/Datastreams"))["value"]
    return int(stream["@iot.id"])


async def results(api: Api, stream: int, condition: str) -> list[Any]:
    path = f"Datastreams({stream})/Observations?$filter={quote(condition)}&$orderby=phenomenonTime"
    return await api.names(path, "result")


async def test_an_error_has_the_members_that_clients_read_and_says_where(api: Api):
    answer = await api.client.get("/v1.1/Things?$filter=name%20eq")
    document = answer.json()
    assert (document["code"], document["type"]) == (400, "error")
    assert "$filter at 7" in document["message"]
    assert document["error"]["place"] == "$filter at 7"
    asked = {"requests": [{"id": "a", "method": "get", "url": "Things(999999)"}]}
    (answered,) = (await api.client.post("/v1.1/$batch", json=asked)).json()["responses"]
    assert (answered["status"], answered["body"]["code"], answered["body"]["type"]) == (404, 404, "error")


async def test_the_root_lists_the_requirements_of_the_data_model_one_by_one(api: Api):
    told = set((await api.ask(""))["serverSettings"]["conformance"])
    kinds = ("thing", "location", "historical-location", "datastream", "sensor", "observed-property", "observation")
    wanted = {f"{REQUIREMENT}/datamodel/{kind}/{part}" for kind in kinds for part in ("properties", "relations")}
    assert wanted | {f"{REQUIREMENT}/datamodel/entity-control-information/common-control-information"} <= told


async def test_whole_numbers_and_whole_seconds_come_back_as_they_were_sent(api: Api):
    stream = await stream_of(api, "verbatim", [20, 0.5, -3, 1e15])
    text = (await api.client.get(f"/v1.1/Datastreams({stream})/Observations?$select=result")).text
    assert text == '{"value":[{"result":20},{"result":0.5},{"result":-3},{"result":1000000000000000}]}'
    sent = {
        "phenomenonTime": "2021-01-01T00:00:00Z/2021-01-01T01:00:00.250Z",
        "resultTime": "2021-01-01T02:00:00Z",
        "validTime": "2021-01-01T00:00:00Z/2022-01-01T00:00:00Z",
    }
    made = await api.post(f"Datastreams({stream})/Observations", {**sent, "result": 8})
    assert {name: made[name] for name in sent} == sent
    value = await api.client.get(f"/v1.1/Observations({made['@iot.id']})/result/$value")
    assert value.text == "8"


async def test_properties_that_nobody_gave_are_not_there(api: Api):
    made = await api.post("Things", {"name": "bare", "description": "d"})
    assert "properties" not in made
    thing = f"Things({made['@iot.id']})"
    for path in ("properties", "properties/$value"):
        assert (await api.client.get(f"/v1.1/{thing}/{path}")).status_code == 204
    bare = "name eq 'bare' and properties eq null"
    assert await api.names(f"Things?$filter={bare}") == ["bare"]
    await api.post(f"{thing}/Locations", location("bare"))
    here = "description eq 'here' and properties eq null"
    await api.post(f"{thing}/Datastreams", whole("bare", Observations=[{"result": 1}], description="here"))
    assert await api.names(f"Datastreams?$filter={here} and length(description) eq 4") == ["bare"]
    assert await api.names("Things?$filter=Locations/name eq 'bare' and Locations/properties eq null") == ["bare"]
    asked = (
        "Datastream/description eq 'here' and Datastream/properties eq null and FeatureOfInterest/properties ne null"
    )
    assert await api.names(f"Observations?$filter={asked}", "result") == [1]
    assert await api.names(f"Things?$filter={bare.replace('eq null', 'ne null')}") == []
    first = [{"op": "add", "path": "/properties/depth", "value": 3}]
    await api.patch(thing, first, media="application/json-patch+json")
    assert (await api.ask(thing))["properties"] == {"depth": 3}
    assert await api.names(f"Things?$filter={bare}") == []


async def test_an_id_is_selected_alone(api: Api):
    made = await api.make("Things", {"name": "selected", "description": "d"})
    assert await api.ask(f"Things({made})?$select=id,name") == {"@iot.id": made, "name": "selected"}
    stream = await stream_of(api, "one result", [1])
    rows = await api.ask(f"Datastreams({stream})/Observations?$select=id")
    assert [set(row) for row in rows["value"]] == [{"@iot.id"}]
    links = await api.ask(f"Datastreams({stream})/Observations/$ref")
    assert [set(row) for row in links["value"]] == [{"@iot.selfLink"}]


async def test_a_datastream_spans_its_observations_to_their_ends(api: Api):
    stream = await stream_of(api, "spans", [])
    rows = f"Datastreams({stream})/Observations"
    long = await api.make(rows, {"phenomenonTime": "2020-01-01T00:00:00Z/2020-03-01T00:00:00Z", "result": 1})
    await api.make(rows, {"phenomenonTime": "2020-02-01T00:00:00Z/2020-02-02T00:00:00Z", "result": 2})
    path = f"Datastreams({stream})"
    assert (await api.ask(path))["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-03-01T00:00:00Z"
    inside = quote(f"id eq {stream} and phenomenonTime ge 2020-01-01T00:00:00Z/2020-03-01T00:00:00Z")
    assert len((await api.ask(f"Datastreams?$filter={inside}"))["value"]) == 1
    await api.delete(f"Observations({long})")
    assert (await api.ask(path))["phenomenonTime"] == "2020-02-01T00:00:00Z/2020-02-02T00:00:00Z"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("phenomenonTime lt 2020-01-02", [1]),
        ("phenomenonTime le 2020-01-02", [1, 2]),
        ("phenomenonTime eq 2020-01-02", [2]),
        ("phenomenonTime ne 2020-01-02", [1, 3]),
        ("phenomenonTime ge 2020-01-02", [2, 3]),
        ("phenomenonTime gt 2020-01-02", [3]),
        ("2020-01-02 lt phenomenonTime", [3]),
        ("not phenomenonTime lt 2020-01-02", [2, 3]),
        ("phenomenonTime ge 2020-01-02 and phenomenonTime lt 2020-01-03", [2]),
    ],
)
async def test_a_date_beside_a_time_is_its_day(filled: Api, condition: str, found: list[int]):
    known = await filled.ask("Datastreams?$filter=name eq 'days'")
    ids = [one["@iot.id"] for one in known["value"]] or [await stream_of(filled, "days", [1, 2, 3])]
    assert await results(filled, ids[0], condition) == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("result gt '3'", [4, 5, "open"]),
        ("result le '12'", [10, 12]),
        ("result eq '4'", []),
        ("result gt 4", [5, 10, 12]),
        ("result ge 'open'", ["open"]),
        ("'3' lt result", [4, 5, "open"]),
    ],
)
async def test_beside_a_text_results_are_ordered_as_texts(filled: Api, condition: str, found: list[Any]):
    known = await filled.ask("Datastreams?$filter=name eq 'mixed'")
    ids = [one["@iot.id"] for one in known["value"]]
    ids = ids or [await stream_of(filled, "mixed", [4, 5, 10, 12, "open", True])]
    assert await results(filled, ids[0], condition) == found


async def test_an_interval_is_what_lasts(api: Api):
    await api.ask("Observations?$filter=during(phenomenonTime,2020-01-01T00:00:00Z)", 400)
    await api.ask("Observations?$filter=during(2020-01-01T00:00:00Z,resultTime)", 400)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("properties/rows[1] gt 2", ["second"]),
        ("properties/rows[0] eq 1", ["first"]),
        ("properties/rows[7] eq null", ["first", "second"]),
        ("properties/nested[0][1] eq 8", ["first"]),
        ("properties/of[0]/name eq 'a'", ["second"]),
        ("startswith(properties/of[0]/name,'a')", ["second"]),
        ("properties/rows[0] ne null and properties/of[1] eq null", ["first", "second"]),
        ("properties/keyed[1] eq 5", []),
    ],
)
async def test_elements_of_arrays_are_asked_of(filled: Api, condition: str, found: list[str]):
    if not (await filled.ask("Things?$filter=description eq 'array'"))["value"]:
        first = {"rows": [1, 2], "nested": [[7, 8]], "keyed": {"1": 5}}
        await filled.make("Things", {"name": "first", "description": "array", "properties": first})
        second = {"rows": [3, 4], "of": [{"name": "a"}]}
        await filled.make("Things", {"name": "second", "description": "array", "properties": second})
    asked = quote(f"description eq 'array' and ({condition})")
    assert await filled.names(f"Things?$filter={asked}&$orderby=name") == found


@pytest.mark.parametrize("asked", ["properties/a[", "properties/a[x] eq 1", "properties/a[-1] eq 1", "name[0] eq 'a'"])
async def test_places_of_elements_are_checked(api: Api, asked: str):
    await api.ask(f"Things?$filter={quote(asked)}", 400)


async def test_elements_of_arrays_in_observations_are_asked_of(api: Api):
    stream = await stream_of(api, "elements", [])
    for n in range(3):
        body = {"result": n, "phenomenonTime": f"2020-01-0{n + 1}T00:00:00Z", "parameters": {"list": [n, {"x": n}]}}
        await api.make(f"Datastreams({stream})/Observations", {**body, "resultQuality": [{"code": n}]})
    assert await results(api, stream, "parameters/list[0] ge 1") == [1, 2]
    assert await results(api, stream, "parameters/list[1]/x eq 1") == [1]
    assert await results(api, stream, "resultQuality[0]/code eq 2") == [2]


async def test_an_observation_that_names_its_feature_makes_no_other(api: Api):
    stream = await stream_of(api, "named feature", [])
    feature = {"name": "f", "description": "d", "encodingType": "application/geo+json", "feature": point(1, 2)}
    number = await api.make("FeaturesOfInterest", feature)
    count = "FeaturesOfInterest?$count=true&$top=0"
    before = (await api.ask(count))["@iot.count"]
    await api.make(f"Datastreams({stream})/Observations", {"result": 1, "FeatureOfInterest": {"@iot.id": number}})
    row = ["2020-01-01T00:00:00Z", 2, number]
    group = {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result", "FeatureOfInterest/id"]}
    await api.client.post("/v1.1/CreateObservations", json=[{**group, "dataArray": [row]}])
    assert (await api.ask(count))["@iot.count"] == before
    await api.make(f"Datastreams({stream})/Observations", {"result": 3})
    assert (await api.ask(count))["@iot.count"] == before + 1


async def test_a_group_without_its_datastream_refuses_the_whole(api: Api):
    stream = await stream_of(api, "grouped", [])
    rows = {"components": ["phenomenonTime", "result"], "dataArray": [["2020-01-01T00:00:00Z", 1]]}
    body = [{"Datastream": {"@iot.id": stream}, **rows}, rows]
    answer = await api.client.post("/v1.1/CreateObservations", json=body)
    assert (answer.status_code, answer.json()["error"]["place"]) == (400, "$[1].Datastream")
    assert await results(api, stream, "result eq 1") == []


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [300, 900, 990, 100_000])
async def test_json_that_nobody_can_walk_is_refused_at_every_door(api: Api, depth: int):
    stream = await stream_of(api, f"deep {depth}", [1])
    thing = f'{{"name": "n", "description": "d", "properties": {{"a": {nested(depth)}}}}}'
    row = f'{{"result": 1, "parameters": {{"a": {nested(depth)}}}, "Datastream": {{"@iot.id": {stream}}}}}'
    cells = f'["2020-01-01T00:00:00Z", {nested(depth)}]'
    group = f'[{{"Datastream": {{"@iot.id": {stream}}}, "components": ["phenomenonTime", "result"], "dataArray": '
    patch = f'[{{"op": "add", "path": "/properties/a", "value": {nested(depth)}}}]'
    batch = f'{{"requests": [{{"id": "1", "method": "post", "url": "Things", "body": {thing}}}]}}'
    for method, path, body, media in (
        ("POST", "Things", thing, "application/json"),
        ("POST", "Observations", row, "application/json"),
        ("PATCH", f"Datastreams({stream})", patch, "application/json-patch+json"),
        ("POST", "$batch", batch, "application/json"),
    ):
        answer = await api.client.request(method, f"/v1.1/{path}", content=body, headers={"content-type": media})
        assert (answer.status_code, answer.json()["type"]) == (400, "error"), (path, answer.text[:200])
    answer = await api.client.post("/v1.1/CreateObservations", content=f"{group}[{cells}]}}]")
    assert answer.status_code == 400 or answer.json()[0].startswith("error: ")
    assert await results(api, stream, "result ne null") == [1]


async def test_json_of_a_hundred_levels_goes_through_every_door(api: Api):
    stream = await stream_of(api, "hundred", [1])
    deep = json.loads(nested(100))
    thing = await api.make("Things", {"name": "n", "description": "d", "properties": {"a": deep}})
    patch = [{"op": "add", "path": "/properties/b", "value": {"x": 1}}]
    await api.patch(f"Things({thing})", patch, media="application/json-patch+json")
    for ending in ("", "?$resultFormat=GeoJSON", "?$resultFormat=CSV"):
        assert (await api.client.get(f"/v1.1/Things({thing}){ending}")).status_code == 200
    made = await api.post(f"Datastreams({stream})/Observations", {"result": deep, "parameters": {"a": deep}})
    assert (made["result"], made["parameters"]) == (deep, {"a": deep})


async def test_a_patch_that_copies_its_copies_is_stopped(api: Api):
    thing = await api.make("Things", {"name": "n", "description": "d", "properties": {"a": [1, 2]}})
    bomb = [{"op": "copy", "from": "/properties", "path": f"/properties/c{n}"} for n in range(60)]
    answer = await api.patch(f"Things({thing})", bomb, 400, "application/json-patch+json")
    assert answer.json()["error"]["place"].endswith("].from")
    assert (await api.ask(f"Things({thing})"))["properties"] == {"a": [1, 2]}


@pytest.mark.parametrize(
    "place",
    [
        {"type": ["Point"], "coordinates": {}},
        {"type": {}, "coordinates": None},
        {"type": "Feature", "geometry": {"type": ["Feature"]}},
        {"type": 5},
        "somewhere",
    ],
)
async def test_a_location_that_is_no_geojson_is_kept_and_shown_without_geometry(api: Api, place: Any):
    made = await api.make("Locations", {**location("odd"), "location": place})
    answer = await api.client.get(f"/v1.1/Locations({made})?$resultFormat=GeoJSON")
    assert (answer.status_code, answer.json()["features"][0]["geometry"]) == (200, None)
    area = "geography'POLYGON((7 50,9 50,9 52,7 52,7 50))'"
    assert await api.names(f"Locations?$filter={quote(f'id eq {made} and st_within(location,{area})')}") == []


async def test_what_a_location_says_of_us_is_any_json(api: Api):
    made = await api.make("Locations", {**location("ours"), "properties": {"nilometer": 5}})
    changed = {**location("ours"), "properties": {"nilometer": [1]}}
    await api.put(f"Locations({made})", changed)
    assert (await api.ask(f"Locations({made})"))["properties"] == {"nilometer": [1]}
    await api.patch(f"Locations({made})", {"properties": {"a": 1}})
    assert (await api.ask(f"Locations({made})"))["properties"] == {"a": 1}


async def test_urls_of_a_batch_that_are_none_are_refused_alone(api: Api):
    asked = [{"id": "1", "method": "get", "url": "//["}, {"id": "2", "method": "get", "url": "Things?$top=0"}]
    answer = await api.client.post("/v1.1/$batch", json={"requests": asked})
    assert [one["status"] for one in answer.json()["responses"]] == [400, 200]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def described(api: Api) -> Api:
    for name, metadata in {"A": "a.pdf", "B": "B.pdf", "n": 7, "t": True, "o": {"x": 1}, "l": ["a.pdf"]}.items():
        await api.post("Sensors", sensor(name) | {"description": "described", "metadata": metadata})
    return api


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("metadata eq 'a.pdf'", ["A"]),
        ("metadata ne 'a.pdf'", ["B"]),
        ("metadata gt 'B.pdf'", ["A"]),
        ("metadata le 'B.pdf'", ["B"]),
        ("startswith(metadata,'a') or endswith(tolower(metadata),'b.pdf')", ["A", "B"]),
        ("length(metadata) eq 5 and contains(metadata,'pdf')", ["A", "B"]),
        ("metadata eq 7 or metadata add 1 eq 9", ["n"]),
        ("metadata lt 8", ["n"]),
        ("metadata eq true", ["t"]),
        ("metadata", ["t"]),
        ("metadata/x eq 1", ["o"]),
        ("metadata[0] eq 'a.pdf'", ["l"]),
        ("metadata ne null", ["A", "B", "l", "n", "o", "t"]),
    ],
)
async def test_a_document_may_be_a_text_or_a_number_by_itself(described: Api, condition: str, found: list[str]):
    asked = f"Sensors?$filter=description eq 'described' and ({condition})"
    assert sorted(await described.names(asked)) == found


async def test_whole_documents_are_sorted_by(described: Api):
    path = "Sensors?$filter=description eq 'described'&$orderby=metadata"
    assert await described.names(f"{path},name") == ["n", "B", "A", "t", "l", "o"]
    assert await described.names(f"{path} desc,name desc") == ["n", "A", "B", "t", "o", "l"]
    for path in (
        "Things?$orderby=properties",
        "Locations?$orderby=location desc",
        "FeaturesOfInterest?$orderby=feature",
    ):
        shown = (await described.ask(f"{path},id&$count=true&$top=1000"))["value"]
        everything = (await described.ask(f"{path.partition('?')[0]}?$top=1000"))["value"]
        assert sorted(one["@iot.id"] for one in shown) == [one["@iot.id"] for one in everything]


async def test_an_observation_that_was_read_may_be_posted(api: Api):
    stream = await stream_of(api, "read and posted", [7.5])
    (read,) = (await api.ask(f"Datastreams({stream})/Observations"))["value"]
    made = await api.post(f"Datastreams({stream})/Observations", read)
    assert made["result"] == 7.5
    assert made["@iot.id"] != read["@iot.id"]


async def test_json_patches_go_into_a_change_set(api: Api):
    stream = await stream_of(api, "patched in a set", [])
    thing = (await api.ask(f"Datastreams({stream})/Thing"))["@iot.id"]
    (past,) = (await api.ask(f"Things({thing})/HistoricalLocations"))["value"]
    replaced = [{"op": "replace", "path": "/name", "value": "new"}, {"op": "add", "path": "/properties/a", "value": 1}]
    unit = [{"op": "replace", "path": "/unitOfMeasurement/symbol", "value": "K"}]
    moved = [{"op": "replace", "path": "/time", "value": "2001-02-03T04:05:06Z"}]
    again = [{"op": "test", "path": "/properties/a", "value": 1}, {"op": "remove", "path": "/properties/a"}]
    urls = (f"Things({thing})", f"Datastreams({stream})", f"HistoricalLocations({past['@iot.id']})", f"Things({thing})")
    headers = {"content-type": "application/json-patch+json"}
    requests = [
        {"id": str(n), "method": "patch", "url": url, "headers": headers, "body": body, "atomicityGroup": "g"}
        for n, (url, body) in enumerate(zip(urls, (replaced, unit, moved, again), strict=True))
    ]
    answer = await api.client.post("/v1.1/$batch", json={"requests": requests})
    assert [one["status"] for one in answer.json()["responses"]] == [200] * 4, answer.text
    after = await api.ask(f"Things({thing})")
    assert (after["name"], "properties" in after) == ("new", False)
    assert (await api.ask(urls[1]))["unitOfMeasurement"]["symbol"] == "K"
    assert (await api.ask(urls[2]))["time"] == "2001-02-03T04:05:06Z"
    answer = await api.client.post("/v1.1/$batch", json={"requests": [requests[0], requests[3], requests[3]]})
    told = answer.json()["responses"]
    assert [(one["status"], one["body"]["code"], one["body"]["type"]) for one in told] == [
        (424, 424, "error"),
        (424, 424, "error"),
        (400, 400, "error"),
    ]
    assert "properties" not in await api.ask(f"Things({thing})")


async def test_a_json_batch_says_where_what_it_made_is(api: Api):
    body = {"name": "made in a batch", "description": "d"}
    alone = {"id": "a", "method": "post", "url": "Things", "body": body}
    answer = await api.client.post("/v1.1/$batch", json={"requests": [alone, {**alone, "atomicityGroup": "g"}]})
    for one in answer.json()["responses"]:
        assert (await api.ask(one["location"]))["name"] == body["name"]


@pytest.mark.parametrize("host", ['a"b', "a\\b", "x:1"])
async def test_whatever_a_client_calls_us_its_answers_are_json(api: Api, host: str):
    stream = await stream_of(api, "called", [1])
    group = {"Datastream": {"@iot.id": stream}, "components": ["result"], "dataArray": [[2], ["a", 3]]}
    made = await api.client.post("/v1.1/CreateObservations", json=[group], headers={"host": host})
    assert made.json()[0].startswith(f"http://{host}/v1.1/Observations(")
    rows = f"Datastreams({stream})/Observations"
    for path in (
        rows,
        f"{rows}?$top=1",
        f"{rows}?$resultFormat=dataArray",
        f"Datastreams({stream})?$expand=Observations",
    ):
        answer = await api.client.get(f"/v1.1/{path}", headers={"host": host})
        assert host in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")


async def test_an_expansion_that_comes_back_to_where_it_was_is_stopped(api: Api):
    streams = [whole(f"s{n}") for n in range(90)]
    thing = await api.make("Things", {"name": "many", "description": "d", "Datastreams": streams})
    once = f"Things({thing})?$expand=Datastreams($top=100;$expand=Thing)"
    assert [item["Thing"]["name"] for item in (await api.ask(once))["Datastreams"]] == ["many"] * 90
    back = "Datastreams($top=100;$select=name;$expand=Thing($select=name;$expand=Datastreams($top=100;$select=name)))"
    assert len((await api.ask(f"Things({thing})?$expand={back}"))["Datastreams"][89]["Thing"]["Datastreams"]) == 90
    further = back.replace("$top=100;$select=name)))", "$top=100;$expand=Thing($expand=Datastreams($top=100)))))")
    await api.ask(f"Things({thing})?$expand={further}", 400)
    stream = await stream_of(api, "round", list(range(700)))
    rows = f"Datastreams({stream})/Observations?$top=700&$select=result"
    assert len((await api.ask(f"{rows}&$expand=Datastream($select=name)"))["value"]) == 700
    await api.ask(f"{rows}&$expand=Datastream($expand=Observations($top=700))", 400)


async def test_things_that_share_a_place_are_not_multiplied_for_ever(api: Api):
    things = [{"name": f"t{n}", "description": "d"} for n in range(60)]
    place = await api.make("Locations", {**location("shared"), "Things": things})
    inner = "$expand=Locations($select=name;$expand=Things($select=name%s))"
    path = f"Locations({place})?$expand=Things($select=name;{inner})"
    for one in (await api.ask(path % ""))["Things"]:
        assert len(one["Locations"][0]["Things"]) == 60
    await api.ask(path % f";{inner % ''}", 400)


async def test_a_count_observation_type_is_kept(api: Api):
    stream = await stream_of(
        api, "counted", [7], Datastreams=[whole("c", observationType=OGC_OM + "OM_CountObservation")]
    )
    assert (await api.ask(f"Datastreams({stream})"))["observationType"] == OGC_OM + "OM_CountObservation"
