"""MultiDatastreams: requirement classes multi-datastream/properties, relations and constraints, by URLs alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conformance.conftest import OGC_OM, Api, location, observed, sensor, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEASURED = OGC_OM + "OM_Measurement"
COMPLEX = OGC_OM + "OM_ComplexObservation"
SPEED = {"name": "metre per second", "symbol": "m/s", "definition": "http://unit/mps"}
DEGREE = {"name": "degree", "symbol": "deg", "definition": None}
NONE = {"name": None, "symbol": None, "definition": None}


def multi(name: str = "current", **more: Any) -> dict[str, Any]:
    """Return a MultiDatastream with all it needs but the Thing: speed, and where to."""
    return {
        "name": name,
        "description": f"of {name}",
        "observationType": COMPLEX,
        "unitOfMeasurements": [SPEED, DEGREE],
        "multiObservationDataTypes": [MEASURED, MEASURED],
        "Sensor": sensor(f"{name} meter"),
        "ObservedProperties": [observed(f"{name} speed"), observed(f"{name} direction")],
        **more,
    }


def rows(*results: Any, year: int = 2021) -> list[dict[str, Any]]:
    return [{"phenomenonTime": f"{year}-01-{n:02d}T00:00:00Z", "result": result} for n, result in enumerate(results, 1)]


async def make(api: Api, name: str, *results: Any, **more: Any) -> int:
    """Make a Thing with a MultiDatastream, and return the id of the latter."""
    thing = {
        "name": name,
        "description": "a pier",
        "Locations": [location(name)],
        "MultiDatastreams": [multi(name, Observations=rows(*results), **more)],
    }
    number = await api.make("Things", thing)
    return int((await api.ask(f"Things({number})/MultiDatastreams"))["value"][0]["@iot.id"])


async def results(api: Api, path: str) -> list[Any]:
    return await api.names(path, "result")


async def refused(api: Api, path: str, document: Any, place: str, *, method: str = "POST", status: int = 400) -> None:
    answer = await api.client.request(method, f"/v1.1/{path}", json=document)
    assert answer.status_code == status, answer.text[:300]
    assert answer.json()["error"]["place"] == place, answer.text[:300]
    assert answer.json()["error"]["message"]


async def test_the_root_has_the_set_and_promises_the_class(api: Api):
    root = await api.ask("")
    assert {"name": "MultiDatastreams", "url": "http://station/v1.1/MultiDatastreams"} in root["value"]
    told = [name.partition("/req/")[2] for name in root["serverSettings"]["conformance"]]
    assert {f"multi-datastream/{name}" for name in ("properties", "relations", "constraints")} <= set(told)


async def test_it_comes_back_as_it_was_given_with_its_links(api: Api):
    number = await make(api, "whole", [1.5, 90], [2, 180])
    found = await api.ask(f"MultiDatastreams({number})")
    own = f"http://station/v1.1/MultiDatastreams({number})"
    assert found == {
        "@iot.id": number,
        "@iot.selfLink": own,
        "name": "whole",
        "description": "of whole",
        "unitOfMeasurements": [SPEED, DEGREE],
        "observationType": COMPLEX,
        "multiObservationDataTypes": [MEASURED, MEASURED],
        "observedArea": {"type": "Point", "coordinates": [8.0, 51.0]},
        "phenomenonTime": "2021-01-01T00:00:00Z/2021-01-02T00:00:00Z",
        **{
            f"{name}@iot.navigationLink": f"{own}/{name}"
            for name in ("Thing", "Sensor", "ObservedProperties", "Observations")
        },
    }
    for path, name in (("Thing", "whole"), ("Sensor", "whole meter")):
        related = await api.ask(f"MultiDatastreams({number})/{path}")
        assert related["name"] == name
        assert await api.names(f"{path}s({related['@iot.id']})/MultiDatastreams") == ["whole"]
    observed_ones = (await api.ask(f"MultiDatastreams({number})/ObservedProperties"))["value"]
    for one in observed_ones:
        assert await api.names(f"ObservedProperties({one['@iot.id']})/MultiDatastreams") == ["whole"]
        assert await api.names(f"ObservedProperties({one['@iot.id']})/Datastreams") == []
    bare = await api.client.get(f"/v1.1/MultiDatastreams({number})/unitOfMeasurements/$value")
    assert bare.json() == [SPEED, DEGREE]
    assert await api.ask(f"MultiDatastreams({number})/multiObservationDataTypes") == {
        "multiObservationDataTypes": [MEASURED, MEASURED]
    }


async def test_an_id_means_one_of_the_two(api: Api):
    number = await make(api, "one of two", [1, 2])
    thing = (await api.ask(f"MultiDatastreams({number})/Thing"))["@iot.id"]
    plain = await api.make(f"Things({thing})/Datastreams", whole("plain of two"))
    assert plain != number
    for path in (f"Datastreams({number})", f"Datastreams({number})/Observations", f"MultiDatastreams({plain})"):
        await api.ask(path, 404)
    await api.ask(f"Things({thing})/Datastreams({number})", 404)
    await api.post(f"Datastreams({number})/Observations", {"result": 1}, 404)
    await api.post(f"MultiDatastreams({plain})/Observations", {"result": [1, 2]}, 404)
    await api.delete(f"Datastreams({number})", 404)
    assert await api.names(f"Things({thing})/Datastreams") == ["plain of two"]
    assert await api.names(f"Things({thing})/MultiDatastreams") == ["one of two"]
    listed = await api.ask("Datastreams?$select=id&$top=1000")
    assert number not in {one["@iot.id"] for one in listed["value"]}


async def test_the_order_of_properties_is_that_of_the_results(api: Api):
    names = ["zeta", "alpha", "zeta", "midst"]
    ids = {name: await api.make("ObservedProperties", observed(name)) for name in names}
    links = [{"@iot.id": ids[name]} for name in names]
    arrays = {"unitOfMeasurements": [SPEED, DEGREE, NONE, NONE], "multiObservationDataTypes": [MEASURED] * 4}
    number = await make(api, "ordered", [1, 2, "x", None], ObservedProperties=links, **arrays)
    path = f"MultiDatastreams({number})"
    assert await api.names(f"{path}/ObservedProperties") == names
    expanded = await api.ask(f"{path}?$expand=ObservedProperties($select=name;$count=true)")
    assert [one["name"] for one in expanded["ObservedProperties"]] == names
    assert expanded["ObservedProperties@iot.count"] == 4
    page = await api.ask(f"{path}/ObservedProperties?$top=3&$select=name")
    assert [one["name"] for one in page["value"]] == names[:3]
    following = await api.ask(page["@iot.nextLink"])
    assert [one["name"] for one in following["value"]] == names[3:]
    assert await api.names(f"{path}/ObservedProperties?$orderby=name") == sorted(names)
    assert await api.names(f"ObservedProperties({ids['zeta']})/MultiDatastreams") == ["ordered"]


LENGTHS = [
    ({"unitOfMeasurements": [SPEED]}, "unitOfMeasurements"),
    ({"unitOfMeasurements": [SPEED, DEGREE, NONE]}, "unitOfMeasurements"),
    ({"multiObservationDataTypes": [MEASURED]}, "multiObservationDataTypes"),
    ({"ObservedProperties": [observed("lone")]}, "unitOfMeasurements"),
    ({"ObservedProperties": []}, "ObservedProperties"),
    ({"unitOfMeasurements": [], "multiObservationDataTypes": [], "ObservedProperties": []}, "ObservedProperties"),
    ({"unitOfMeasurements": SPEED}, "unitOfMeasurements"),
    ({"unitOfMeasurements": [SPEED, "m/s"]}, "unitOfMeasurements[1]"),
    ({"unitOfMeasurements": None}, "unitOfMeasurements"),
    ({"multiObservationDataTypes": [MEASURED, 5]}, "multiObservationDataTypes[1]"),
    ({"observationType": MEASURED}, "observationType"),
    ({"unitOfMeasurement": SPEED}, "unitOfMeasurement"),
    ({"ObservedProperty": observed("lone")}, "ObservedProperty"),
    ({"ObservedProperties": [{"@iot.id": 999_999}, observed("x")]}, "ObservedProperties[0]"),
]


@pytest.mark.parametrize(("broken", "place"), LENGTHS, ids=range(len(LENGTHS)))
async def test_arrays_that_do_not_fit_are_refused_whole(api: Api, broken: Any, place: str):
    sets = ("Things", "MultiDatastreams", "Sensors", "ObservedProperties")
    before = [await api.ask(f"{name}?$count=true&$top=0") for name in sets]
    thing = {"name": "broken", "description": "x", "MultiDatastreams": [multi("broken") | broken]}
    await refused(api, "Things", thing, f"$.MultiDatastreams[0].{place}")
    assert [await api.ask(f"{name}?$count=true&$top=0") for name in sets] == before


@pytest.mark.parametrize("name", ["unitOfMeasurements", "multiObservationDataTypes", "name", "Sensor", "Thing"])
async def test_what_is_missing_is_named(api: Api, name: str):
    given = multi("lacking", Thing={"name": "lacking", "description": "x"})
    del given[name]
    await refused(api, "MultiDatastreams", given, f"$.{name}")


BAD = [5, "text", None, {}, {"a": 1}, [], [1], [1, 2, 3], True]


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_a_result_is_an_array_of_the_right_length(api: Api, bad: Any):
    number = await make(api, f"strict {bad!r}", [1, 2])
    path = f"MultiDatastreams({number})/Observations"
    (first,) = (await api.ask(path))["value"]
    await refused(api, path, {"result": bad}, "$.result")
    await refused(api, "Observations", {"result": bad, "MultiDatastream": {"@iot.id": number}}, "$.result")
    await refused(api, f"Observations({first['@iot.id']})", {"result": bad}, "$.result", method="PATCH")
    thing = {"name": "x", "description": "x", "Locations": [location("x")]}
    deep = multi("x", Observations=[{"result": [1, 2]}, {"result": bad}])
    await refused(api, "Things", {**thing, "MultiDatastreams": [deep]}, "$.MultiDatastreams[0].Observations[1].result")
    assert await results(api, path) == [[1, 2]]


async def test_an_observation_belongs_to_one_of_the_two(api: Api):
    number = await make(api, "belonging", [1, 2])
    thing = (await api.ask(f"MultiDatastreams({number})/Thing"))["@iot.id"]
    plain = await api.make(f"Things({thing})/Datastreams", whole("belonging plain"))
    of_multi, of_plain = {"MultiDatastream": {"@iot.id": number}}, {"Datastream": {"@iot.id": plain}}
    both = {"result": [1, 2], **of_multi, **of_plain}
    await refused(api, "Observations", both, "$.MultiDatastream")
    await refused(api, f"Datastreams({plain})/Observations", {"result": [1, 2], **of_multi}, "$.MultiDatastream")
    await refused(api, f"MultiDatastreams({number})/Observations", {"result": 1, **of_plain}, "$.MultiDatastream")
    await refused(api, "Observations", {"result": [1, 2]}, "$.Datastream")
    await refused(api, "Observations", {"result": 1, "Datastream": {"@iot.id": number}}, "$.Datastream")
    await refused(api, "Observations", {"result": [1, 2], "MultiDatastream": {"@iot.id": plain}}, "$.MultiDatastream")
    with_place = {"FeatureOfInterest": {**location("f"), "feature": {"type": "Point", "coordinates": [1, 2]}}}
    del with_place["FeatureOfInterest"]["location"]
    await refused(api, "Observations", {**both, **with_place}, "$.MultiDatastream")
    await api.post("Observations", {"result": [3, 4], **of_multi, **with_place})
    await api.post(f"MultiDatastreams({number})/Observations", {"result": [5, 6], **of_multi})
    assert sorted(await results(api, f"MultiDatastreams({number})/Observations")) == [[1, 2], [3, 4], [5, 6]]


async def test_it_is_changed_whole_or_not_at_all(api: Api):
    number = await make(api, "changed")
    path = f"MultiDatastreams({number})"
    await api.patch(path, {"name": "renamed", "properties": {"a": 1}})
    found = await api.ask(path)
    assert (found["name"], found["description"], found["properties"]["a"]) == ("renamed", "of changed", 1)
    before = await api.names(f"{path}/ObservedProperties")
    await refused(api, path, {"unitOfMeasurements": [SPEED]}, "$.unitOfMeasurements", method="PATCH")
    third = await api.make("ObservedProperties", observed("changed depth"))
    own = [one["@iot.id"] for one in (await api.ask(f"{path}/ObservedProperties"))["value"]]
    links = [{"@iot.id": one} for one in (third, *own)]
    await refused(api, path, {"ObservedProperties": links}, "$.unitOfMeasurements", method="PATCH")
    await refused(api, f"{path}/ObservedProperties", {"@iot.id": third}, "$")
    assert await api.names(f"{path}/ObservedProperties") == before
    wider = {"unitOfMeasurements": [NONE, SPEED, DEGREE], "multiObservationDataTypes": [MEASURED] * 3}
    await api.patch(path, {**wider, "ObservedProperties": links})
    assert await api.names(f"{path}/ObservedProperties") == ["changed depth", *before]
    await api.make(f"{path}/Observations", {"result": [1, 2, 3]})
    narrower = {"unitOfMeasurements": [SPEED], "multiObservationDataTypes": [MEASURED]}
    await refused(
        api, path, {**narrower, "ObservedProperties": links[:1]}, "$.unitOfMeasurements", method="PATCH", status=409
    )
    await api.patch(path, {"ObservedProperties": links[::-1]})
    assert (await api.names(f"{path}/ObservedProperties"))[-1] == "changed depth"
    await refused(api, path, {"name": "x", "description": "x"}, "$.unitOfMeasurements", method="PUT")
    await api.put(path, {"name": "whole", "description": "anew", **wider})
    assert "properties" not in await api.ask(path)
    steps = [{"op": "replace", "path": "/unitOfMeasurements/0/symbol", "value": "m"}]
    await api.patch(path, steps, media="application/json-patch+json")
    assert [unit["symbol"] for unit in (await api.ask(path))["unitOfMeasurements"]] == ["m", "m/s", "deg"]


async def test_relations_are_linked_by_ref_and_listed_by_ref(api: Api):
    number = await make(api, "linked")
    other = await api.make("Things", {"name": "linked elsewhere", "description": "x"})
    path = f"MultiDatastreams({number})"
    await api.put(f"{path}/Thing/$ref", {"@iot.id": other}, 204)
    assert (await api.ask(f"{path}/Thing"))["name"] == "linked elsewhere"
    thing = await api.make("Things", {"name": "linked back", "description": "x"})
    await api.client.post(f"/v1.1/Things({thing})/MultiDatastreams/$ref", json={"@iot.id": number})
    assert await api.names(f"Things({thing})/MultiDatastreams") == ["linked"]
    links = await api.ask(f"Things({thing})/MultiDatastreams/$ref")
    assert links["value"] == [{"@iot.selfLink": f"http://station/v1.1/{path}"}]
    (first, _) = (await api.ask(f"{path}/ObservedProperties"))["value"]
    await api.delete(f"{path}/ObservedProperties({first['@iot.id']})/$ref", 409)
    assert len((await api.ask(f"{path}/ObservedProperties"))["value"]) == 2


async def test_a_deep_insert_works_from_every_end(api: Api):
    thing = {"name": "ends", "description": "x", "Locations": [location("ends")]}
    given = multi("of sensor", Thing=thing)
    del given["Sensor"]
    made = await api.make("Sensors", sensor("ends sensor", MultiDatastreams=[given]))
    assert await api.names(f"Sensors({made})/MultiDatastreams") == ["of sensor"]
    lone = {"unitOfMeasurements": [SPEED], "multiObservationDataTypes": [MEASURED]}
    given = {**multi("of property", Thing={"name": "ends too", "description": "x"}), **lone}
    del given["ObservedProperties"]
    made = await api.make("ObservedProperties", observed("ends property", MultiDatastreams=[given]))
    assert await api.names(f"ObservedProperties({made})/MultiDatastreams") == ["of property"]
    number = (await api.ask(f"ObservedProperties({made})/MultiDatastreams"))["value"][0]["@iot.id"]
    assert await api.names(f"MultiDatastreams({number})/ObservedProperties") == ["ends property"]
    posted = await api.make(f"ObservedProperties({made})/MultiDatastreams", {**given, "name": "by path"})
    assert await api.names(f"MultiDatastreams({posted})/ObservedProperties") == ["ends property"]
    await refused(api, f"MultiDatastreams({posted})/ObservedProperties", observed("one more"), "$.MultiDatastreams")
    everything = {"result": [1, 2], "MultiDatastream": multi("of row", Thing={**thing, "name": "ends of row"})}
    row = await api.make("Observations", everything)
    assert (await api.ask(f"Observations({row})/MultiDatastream/Thing"))["name"] == "ends of row"


@pytest.mark.parametrize("what", ["Thing", "Sensor", "ObservedProperties", "MultiDatastream"])
async def test_it_goes_with_what_it_belongs_to_and_its_observations_with_it(api: Api, what: str):
    number = await make(api, f"gone with {what}", [1, 2], [3, 4])
    path = f"MultiDatastreams({number})"
    ids = [one["@iot.id"] for one in (await api.ask(f"{path}/Observations"))["value"]]
    if what == "MultiDatastream":
        target = path
    elif what == "ObservedProperties":  # the second of them
        target = f"{what}({(await api.ask(f'{path}/{what}'))['value'][1]['@iot.id']})"
    else:
        target = f"{what}s({(await api.ask(f'{path}/{what}'))['@iot.id']})"
    await api.delete(target)
    await api.ask(path, 404)
    await api.ask(f"{path}/Observations", 404)
    for one in ids:
        await api.ask(f"Observations({one})", 404)
    named = f"gone with {what} speed"
    assert await api.names(f"ObservedProperties?$filter=name eq '{named}'") == [named]
    assert await api.names(f"ObservedProperties?$filter=name eq '{named}' and MultiDatastreams/id ne null") == []
    await api.post("Observations", {"result": [1, 2], "MultiDatastream": {"@iot.id": number}}, 400)


async def test_observations_are_changed_and_deleted(api: Api):
    number = await make(api, "rows", [1, 2], [3, 4])
    path = f"MultiDatastreams({number})"
    first, second = ((one["@iot.id"]) for one in (await api.ask(f"{path}/Observations"))["value"])
    await api.patch(f"Observations({first})", {"parameters": {"by": "hand"}})
    assert (await api.ask(f"Observations({first})"))["result"] == [1, 2]
    await api.patch(f"Observations({first})", {"result": [9, None], "MultiDatastream": {"@iot.id": number}})
    assert (await api.ask(f"Observations({first})"))["result"] == [9, None]
    other = await make(api, "rows elsewhere")
    for name in ("MultiDatastream", "Datastream"):
        document = {name: {"@iot.id": other}}
        await refused(api, f"Observations({first})", document, f"$.{name}", method="PATCH", status=409)
    await api.delete(f"Observations({second})")
    found = await api.ask(path)
    assert found["phenomenonTime"] == "2021-01-01T00:00:00Z/2021-01-01T00:00:00Z"
    await api.delete(f"Observations({first})")
    assert "phenomenonTime" not in await api.ask(path)


async def test_data_arrays_come_in_and_go_out_by_group(api: Api):
    number = await make(api, "arrays")
    thing = (await api.ask(f"MultiDatastreams({number})/Thing"))["@iot.id"]
    plain = await api.make(f"Things({thing})/Datastreams", whole("arrays plain"))
    components = ["phenomenonTime", "result"]
    lines = [["2022-01-01T00:00:00Z", [1, 2]], ["2022-01-02T00:00:00Z", [1]], ["2022-01-03T00:00:00Z", 5]]
    groups = [
        {"MultiDatastream": {"@iot.id": number}, "components": components, "dataArray": lines},
        {"Datastream": {"@iot.id": plain}, "components": components, "dataArray": [["2022-01-01T00:00:00Z", 7]]},
        {"MultiDatastream": {"@iot.id": plain}, "components": components, "dataArray": [["2022-01-01T00:00:00Z", [7]]]},
        {
            "Datastream": {"@iot.id": plain},
            "MultiDatastream": {"@iot.id": number},
            "components": components,
            "dataArray": [["2022-01-01T00:00:00Z", [7, 8]]],
        },
    ]
    answer = await api.client.post("/v1.1/CreateObservations", json=groups)
    assert answer.status_code == 201
    told = answer.json()
    assert [text.startswith("http") for text in told] == [True, False, False, True, False, False]
    assert "1 results" in told[1]
    assert "$[2].MultiDatastream" in told[4]
    nobody = {"components": components, "dataArray": [["2022-01-01T00:00:00Z", 7]]}
    answer = await api.client.post("/v1.1/CreateObservations", json=[*groups, nobody])
    assert answer.status_code == 400
    assert answer.json()["error"]["place"] == "$[4].Datastream"
    assert await results(api, f"MultiDatastreams({number})/Observations") == [[1, 2]]
    assert await results(api, f"Datastreams({plain})/Observations") == [7.0]
    found = await api.ask(f"MultiDatastreams({number})/Observations?$resultFormat=dataArray&$select=result&$count=true")
    assert found["value"] == [
        {
            "MultiDatastream@iot.navigationLink": f"http://station/v1.1/MultiDatastreams({number})",
            "components": ["result"],
            "dataArray": [[[1, 2]]],
            "dataArray@iot.count": 1,
        }
    ]


async def test_a_batch_makes_one_and_its_observation(api: Api):
    thing = {"name": "batched", "description": "x", "Locations": [location("batched")]}
    requests = [
        {"id": "t", "atomicityGroup": "g", "method": "post", "url": "Things", "body": thing},
        {
            "id": "m",
            "atomicityGroup": "g",
            "method": "post",
            "url": "MultiDatastreams",
            "body": multi("batched", Thing={"@iot.id": "$t"}),
        },
        {"id": "o", "atomicityGroup": "g", "method": "post", "url": "$m/Observations", "body": {"result": [1, 2]}},
        {"id": "n", "method": "post", "url": "$m/Observations", "body": {"result": [3]}},
    ]
    answer = await api.client.post("/v1.1/$batch", json={"requests": requests})
    assert [one["status"] for one in answer.json()["responses"]] == [201, 201, 201, 400]
    assert await results(api, "Observations?$filter=MultiDatastream/name eq 'batched'") == [[1, 2]]


async def test_a_row_is_not_called_missing_and_identity_may_be_by_time(api: Api):
    number = await make(api, "again", properties={"nilometer": {"identity": "time"}})
    path = f"MultiDatastreams({number})/Observations"
    row = {"phenomenonTime": "2021-05-01T00:00:00Z", "result": [1, 2]}
    first = await api.post(path, row)
    assert first["resultQuality"] == {"flag": 2}
    assert (await api.post(path, row))["@iot.id"] == first["@iot.id"]
    group = {"MultiDatastream": {"@iot.id": number}, "components": list(row), "dataArray": [list(row.values())]}
    answer = await api.client.post("/v1.1/CreateObservations", json=[group])
    assert answer.json() == [first["@iot.selfLink"]]
    assert (await api.post(path, {**row, "result": [1, 3]}))["@iot.id"] == first["@iot.id"]
    assert await results(api, path) == [[1, 3]]
