"""Creating, changing and deleting: clauses 10 (create-update-delete) of the standard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.web.conformance.conftest import OGC_OM, Api, datastream, location, observed, point, sensor, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"the {name}", **more}


async def test_an_entity_comes_back_as_it_was_given(api: Api):
    given = thing("Wehr „北京“ 'q' \"d\" 100%_\\", properties={"a": {"b": [1, 2.5, None, True, "ü"]}, "n": -1e-9})
    made = await api.post("Things", given)
    assert {key: made[key] for key in ("name", "description")} == {key: given[key] for key in ("name", "description")}
    assert {key: made["properties"][key] for key in given["properties"]} == given["properties"]
    feature = {
        "type": "Feature",
        "properties": {"x": 1},
        "geometry": {"type": "Point", "coordinates": [8.1, 51.2, 7.5]},
    }
    place = await api.post("Locations", location("with a height") | {"location": feature})
    assert place["location"] == feature
    assert place["encodingType"] == "application/geo+json"


@pytest.mark.parametrize(
    ("plural", "document"),
    [
        ("Things", {"name": "no description"}),
        ("Things", {"name": None, "description": "null"}),
        ("Things", {"description": "no name"}),
        ("Locations", {"name": "x", "description": "x", "encodingType": "application/geo+json"}),
        ("Sensors", {"name": "x", "description": "x", "encodingType": "text/html"}),
        ("ObservedProperties", {"name": "x", "description": "x"}),
        ("Datastreams", datastream("without relations")),
        ("Datastreams", whole("without a Thing")),
        ("Datastreams", whole("linked to nothing", Thing={"@iot.id": 999_999})),
        ("Observations", {"result": 1}),
        ("Observations", {"result": 1, "Datastream": {"@iot.id": 999_999}}),
        ("HistoricalLocations", {"time": "2020-01-01T00:00:00Z"}),
        ("Things", []),
        ("Things", "text"),
        ("Things", None),
        ("Things", thing("wrong type", properties=5)),
        ("FeaturesOfInterest", thing("nowhere", encodingType="application/geo+json", feature=None)),
    ],
)
async def test_what_is_not_whole_is_refused(api: Api, plural: str, document: Any):
    before = await api.ask(f"{plural}?$count=true&$top=0")
    answer = await api.client.post(f"/v1.1/{plural}", json=document)
    assert answer.status_code in {400, 409}
    assert answer.json()["error"]["message"]
    assert (await api.ask(f"{plural}?$count=true&$top=0"))["@iot.count"] == before["@iot.count"]


async def test_a_deep_insert_makes_everything(api: Api):
    made = await api.post(
        "Things",
        thing(
            "deep",
            Locations=[location("deep place", 9.0, 52.0)],
            Datastreams=[
                whole("deep one", Observations=[{"phenomenonTime": "2021-01-01T00:00:00Z", "result": 1.5}]),
                whole("deep two"),
            ],
        ),
    )
    number = made["@iot.id"]
    assert sorted(await api.names(f"Things({number})/Datastreams")) == ["deep one", "deep two"]
    assert await api.names(f"Things({number})/Locations") == ["deep place"]
    assert len((await api.ask(f"Things({number})/HistoricalLocations"))["value"]) == 1
    found = await api.ask(f"Things({number})/Datastreams?$filter=name eq 'deep one'&$expand=Observations,Sensor")
    (stream,) = found["value"]
    assert [item["result"] for item in stream["Observations"]] == [1.5]
    assert stream["Sensor"]["name"] == "deep one probe"
    assert stream["phenomenonTime"].startswith("2021-01-01T00:00:00")


async def test_a_deep_insert_works_from_either_end(api: Api):
    made = await api.post("Locations", location("other end", Things=[thing("of the other end")]))
    assert await api.names(f"Locations({made['@iot.id']})/Things") == ["of the other end"]
    made = await api.post(
        "Sensors",
        sensor(
            "other sensor",
            Datastreams=[datastream("of sensor", Thing=thing("of sensor"), ObservedProperty=observed("of sensor"))],
        ),
    )
    assert await api.names(f"Sensors({made['@iot.id']})/Datastreams") == ["of sensor"]
    there = thing("observed", Datastreams=[whole("of the observed", Observations=[{"result": 1}])])
    made = await api.post("Locations", location("observed place", Things=[there]))
    (stands,) = (await api.ask(f"Locations({made['@iot.id']})/Things?$expand=HistoricalLocations,Datastreams"))["value"]
    assert len(stands["HistoricalLocations"]) == 1
    (row,) = (await api.ask(f"Datastreams({stands['Datastreams'][0]['@iot.id']})/Observations"))["value"]
    assert (await api.ask(f"Observations({row['@iot.id']})/FeatureOfInterest"))["name"] == "observed place"


@pytest.mark.parametrize(
    "broken",
    [
        {"Datastreams": [whole("good"), datastream("without sensor", ObservedProperty=observed())]},
        {"Datastreams": [whole("good", Observations=[{"result": 1, "phenomenonTime": "no time"}])]},
        {"Locations": [location("good"), {"name": "bad"}]},
        {"Datastreams": [whole("good"), {"@iot.id": 999_999}]},
        {"Nonsense": [1]},
    ],
)
async def test_a_deep_insert_that_fails_leaves_nothing(api: Api, broken: Any):
    sets = (
        "Things",
        "Locations",
        "HistoricalLocations",
        "Datastreams",
        "Sensors",
        "ObservedProperties",
        "Observations",
    )

    async def counts() -> list[int]:
        return [(await api.ask(f"{name}?$count=true&$top=0"))["@iot.count"] for name in sets]

    before = await counts()
    answer = await api.client.post("/v1.1/Things", json=thing("half", **broken))
    assert answer.status_code in {400, 409}
    assert await counts() == before


async def test_posting_below_an_entity_links_it(api: Api):
    number = await api.make("Things", thing("parent", Locations=[location("parent place")]))
    stream = await api.make(f"Things({number})/Datastreams", whole("child"))
    assert (await api.ask(f"Datastreams({stream})/Thing"))["@iot.id"] == number
    made = await api.post(
        f"Datastreams({stream})/Observations", {"result": 3, "phenomenonTime": "2021-01-01T00:00:00Z"}
    )
    assert (await api.ask(f"Observations({made['@iot.id']})/Datastream"))["@iot.id"] == stream
    await api.post("Things(999999)/Datastreams", whole("nowhere"), 404)
    other = await api.make("Things", thing("other"))
    await api.post(f"Things({number})/Datastreams", whole("contradicts", Thing={"@iot.id": other}), 400)
    await api.post(f"Things({other})/Datastreams({stream})/Observations", {"result": 3}, 404)


async def test_the_present_is_the_time_of_an_observation_without_one(api: Api):
    number = await api.make("Things", thing("now", Locations=[location("now")], Datastreams=[whole("now")]))
    (stream,) = (await api.ask(f"Things({number})/Datastreams"))["value"]
    made = await api.post(f"Datastreams({stream['@iot.id']})/Observations", {"result": 1})
    assert made["resultTime"] is None
    assert made["phenomenonTime"] >= "2026"


@pytest.mark.parametrize(
    "result",
    [20, -0.1, 1e300, "20", "Grüße", "", True, False, {"a": [1, {"b": None}]}, [1, "2", None], 12345678901234567890],
)
async def test_a_result_keeps_its_type(api: Api, result: Any):
    kind = "OM_Observation"
    stream = whole("any", observationType=OGC_OM + kind)
    number = await api.make("Things", thing("any", Locations=[location("any")], Datastreams=[stream]))
    (found,) = (await api.ask(f"Things({number})/Datastreams"))["value"]
    made = await api.post(f"Datastreams({found['@iot.id']})/Observations", {"result": result})
    assert made["result"] == result
    assert isinstance(made["result"], bool) is isinstance(result, bool)  # in Python 1 == True


async def test_times_come_back_in_utc_with_their_milliseconds(api: Api):
    number = await api.make("Things", thing("times", Locations=[location("times")], Datastreams=[whole("times")]))
    (found,) = (await api.ask(f"Things({number})/Datastreams"))["value"]
    given = {
        "result": 1,
        "phenomenonTime": "2021-03-05T12:00:00.123+08:00/2021-03-05T13:00:00+08:00",
        "resultTime": "2021-03-05T14:00:00.5+08:00",
        "validTime": "2021-01-01T00:00:00Z/2022-01-01T00:00:00Z",
        "parameters": {"qc": 1},
    }
    made = await api.post(f"Datastreams({found['@iot.id']})/Observations", given)
    assert made["phenomenonTime"].startswith("2021-03-05T04:00:00.123")
    assert made["resultTime"].startswith("2021-03-05T06:00:00.5")
    assert made["parameters"] == {"qc": 1}
    assert made["validTime"].startswith("2021-01-01T00:00:00")
    for bad in ("2021-13-01T00:00:00Z", "yesterday", "2021-03-05T12:00:00Z/2021-03-05T11:00:00Z", 5):
        await api.post(f"Datastreams({found['@iot.id']})/Observations", {"result": 1, "phenomenonTime": bad}, 400)


async def test_a_feature_of_interest_is_made_of_the_location_and_reused(api: Api):
    number = await api.make("Things", thing("foi", Locations=[location("foi", 1.0, 2.0)], Datastreams=[whole("foi")]))
    (found,) = (await api.ask(f"Things({number})/Datastreams"))["value"]
    path = f"Datastreams({found['@iot.id']})/Observations"
    answers = await asyncio.gather(*(api.client.post(f"/v1.1/{path}", json={"result": n}) for n in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    features = {
        (await api.ask(f"{answer.headers['location'].split('/v1.1/')[1]}/FeatureOfInterest"))["@iot.id"]
        for answer in answers
    }
    assert len(features) == 1
    feature = await api.ask(f"FeaturesOfInterest({features.pop()})")
    assert feature["feature"] == point(1.0, 2.0)
    await api.post(f"Things({number})/Locations", location("foi moved", 3.0, 4.0))
    moved = await api.post(path, {"result": 9})
    assert (await api.ask(f"Observations({moved['@iot.id']})/FeatureOfInterest"))["feature"] == point(3.0, 4.0)
    (place,) = (await api.ask(f"Things({number})/Locations"))["value"]
    await api.patch(f"Locations({place['@iot.id']})", {"location": point(3.5, 4.0)})
    corrected = await api.post(path, {"result": 10})
    assert (await api.ask(f"Observations({corrected['@iot.id']})/FeatureOfInterest"))["feature"] == point(3.5, 4.0)
    assert (await api.ask(f"Observations({moved['@iot.id']})/FeatureOfInterest"))["feature"] == point(3.0, 4.0)


async def test_a_feature_of_interest_may_be_of_several_things(api: Api):
    made = [
        await api.make("Things", thing(f"shared {n}", Locations=[location("shared")], Datastreams=[whole("shared")]))
        for n in range(3)
    ]
    streams = [(await api.ask(f"Things({number})/Datastreams"))["value"][0]["@iot.id"] for number in made]
    first = await api.post(f"Datastreams({streams[0]})/Observations", {"result": 0})
    feature = (await api.ask(f"Observations({first['@iot.id']})/FeatureOfInterest"))["@iot.id"]
    linked = {"FeatureOfInterest": {"@iot.id": feature}}
    await api.post(f"Datastreams({streams[1]})/Observations", {"result": 1} | linked)
    await api.post(f"FeaturesOfInterest({feature})/Observations", {"result": 2, "Datastream": {"@iot.id": streams[2]}})
    await api.post(f"Datastreams({streams[2]})/Observations", {"result": 3})
    path = f"FeaturesOfInterest({feature})/Observations"
    assert await api.names(f"{path}?$orderby=result", "result") == [0, 1, 2]
    assert (await api.ask(f"{path}?$filter=result gt 0&$count=true&$top=0"))["@iot.count"] == 2
    found = await api.ask(f"FeaturesOfInterest({feature})?$expand=Observations($orderby=result desc;$select=result)")
    assert [item["result"] for item in found["Observations"]] == [2, 1, 0]
    await api.delete(f"FeaturesOfInterest({feature})")
    assert await api.names("Observations?$filter=Datastream/name eq 'shared'&$orderby=result", "result") == [3]


async def test_a_thing_that_moves_has_a_history(api: Api):
    number = await api.make("Things", thing("moves", Locations=[location("first")]))
    await api.post(f"Things({number})/Locations", location("second"))
    assert await api.names(f"Things({number})/Locations") == ["second"]
    third = await api.make("Locations", location("third"))
    await api.patch(f"Things({number})", {"Locations": [{"@iot.id": third}]})
    assert await api.names(f"Things({number})/Locations") == ["third"]
    history = (await api.ask(f"Things({number})/HistoricalLocations?$orderby=time&$expand=Locations"))["value"]
    assert [item["Locations"][0]["name"] for item in history] == ["first", "second", "third"]


async def test_a_historical_location_of_the_past_moves_nothing(api: Api):
    number = await api.make("Things", thing("stays", Locations=[location("here")]))
    there = await api.make("Locations", location("there"))
    past = {"time": "2001-01-01T00:00:00Z", "Thing": {"@iot.id": number}, "Locations": [{"@iot.id": there}]}
    await api.post("HistoricalLocations", past)
    assert await api.names(f"Things({number})/Locations") == ["here"]
    await api.post("HistoricalLocations", past | {"time": "2999-01-01T00:00:00Z"})
    assert await api.names(f"Things({number})/Locations") == ["there"]


async def test_patch_changes_what_it_names_and_nothing_else(api: Api):
    number = await api.make("Things", thing("patched", properties={"a": 1, "b": 2}))
    await api.patch(f"Things({number})", {"name": "new name"})
    found = await api.ask(f"Things({number})")
    assert (found["name"], found["description"]) == ("new name", "the patched")
    await api.patch(f"Things({number})", {"properties": {"c": 3}})
    properties = (await api.ask(f"Things({number})"))["properties"]
    assert properties["c"] == 3
    assert not {"a", "b"} & properties.keys()
    await api.patch("Things(999999)", {"name": "x"}, 404)
    await api.patch(f"Things({number})", {"name": None}, 400)
    await api.patch(f"Things({number})", {"Datastreams": [whole("inline")]}, 400)
    assert await api.names(f"Things({number})/Datastreams") == []


async def test_put_replaces_the_whole(api: Api):
    number = await api.make("Things", thing("put", properties={"a": 1}))
    await api.put(f"Things({number})", thing("replaced"))
    found = await api.ask(f"Things({number})")
    assert found["name"] == "replaced"
    assert "a" not in found.get("properties", {})
    await api.put(f"Things({number})", {"name": "no description"}, 400)


async def test_json_patch_is_all_or_nothing(api: Api):
    number = await api.make("Things", thing("rfc 6902", properties={"a": 1, "list": [1, 2]}))
    media = "application/json-patch+json"
    good = [
        {"op": "replace", "path": "/name", "value": "changed"},
        {"op": "add", "path": "/properties/list/-", "value": 3},
    ]
    await api.patch(f"Things({number})", good, media=media)
    found = await api.ask(f"Things({number})")
    assert (found["name"], found["properties"]["list"]) == ("changed", [1, 2, 3])
    bad = [{"op": "replace", "path": "/name", "value": "half"}, {"op": "test", "path": "/properties/a", "value": 2}]
    await api.patch(f"Things({number})", bad, 400, media=media)
    assert (await api.ask(f"Things({number})"))["name"] == "changed"


async def test_an_observation_is_changed_and_its_datastream_follows(api: Api):
    number = await api.make("Things", thing("spans", Locations=[location("spans")], Datastreams=[whole("spans")]))
    (found,) = (await api.ask(f"Things({number})/Datastreams"))["value"]
    stream = found["@iot.id"]
    assert "phenomenonTime" not in found
    ids = [
        await api.make(
            f"Datastreams({stream})/Observations", {"result": day, "phenomenonTime": f"2021-01-0{day}T00:00:00Z"}
        )
        for day in (2, 3, 4)
    ]

    async def span() -> str:
        return (await api.ask(f"Datastreams({stream})"))["phenomenonTime"]

    assert (await span())[:10] + (await span()).partition("/")[2][:10] == "2021-01-022021-01-04"
    await api.patch(f"Observations({ids[0]})", {"phenomenonTime": None}, 400)
    await api.patch(f"Observations({ids[0]})", {"result": 20.5})
    assert (await api.ask(f"Observations({ids[0]})"))["result"] == 20.5
    await api.patch(f"Observations({ids[0]})", {"phenomenonTime": "2021-01-01T00:00:00Z"})
    assert (await span()).startswith("2021-01-01")
    await api.delete(f"Observations({ids[2]})")
    assert (await span()).partition("/")[2].startswith("2021-01-03")
    await api.ask(f"Observations({ids[2]})", 404)
    await api.delete(f"Observations({ids[2]})", 404)
    for left in ids[:2]:
        await api.delete(f"Observations({left})")
    assert "phenomenonTime" not in await api.ask(f"Datastreams({stream})")


async def world(api: Api, name: str) -> dict[str, Any]:
    number = await api.make(
        "Things",
        thing(
            name,
            Locations=[location(name)],
            Datastreams=[whole(name, Observations=[{"result": 1, "phenomenonTime": "2021-01-01T00:00:00Z"}])],
        ),
    )
    (stream,) = (await api.ask(f"Things({number})/Datastreams?$expand=Sensor,ObservedProperty,Observations"))["value"]
    (observation,) = stream["Observations"]
    return {
        "Things": number,
        "Locations": (await api.ask(f"Things({number})/Locations"))["value"][0]["@iot.id"],
        "HistoricalLocations": (await api.ask(f"Things({number})/HistoricalLocations"))["value"][0]["@iot.id"],
        "Datastreams": stream["@iot.id"],
        "Sensors": stream["Sensor"]["@iot.id"],
        "ObservedProperties": stream["ObservedProperty"]["@iot.id"],
        "Observations": observation["@iot.id"],
        "FeaturesOfInterest": (await api.ask(f"Observations({observation['@iot.id']})/FeatureOfInterest"))["@iot.id"],
    }


GOES: dict[str, set[str]] = {
    "Things": {"Datastreams", "Observations", "HistoricalLocations"},
    "Locations": {"HistoricalLocations"},
    "Datastreams": {"Observations"},
    "Sensors": {"Datastreams", "Observations"},
    "ObservedProperties": {"Datastreams", "Observations"},
    "FeaturesOfInterest": {"Observations"},
    "Observations": set(),
    "HistoricalLocations": set(),
}


@pytest.mark.parametrize("plural", GOES)
async def test_what_hangs_on_an_entity_goes_with_it(api: Api, plural: str):
    made = await world(api, f"deleted {plural}")
    await api.delete(f"{plural}({made[plural]})")
    for name, number in made.items():
        gone = name == plural or name in GOES[plural]
        await api.ask(f"{name}({number})", 404 if gone else 200)
    await api.delete(f"{plural}({made[plural]})", 404)


async def test_observations_in_bulk_are_answered_row_by_row(api: Api):
    made = await world(api, "bulk")
    group = {
        "Datastream": {"@iot.id": made["Datastreams"]},
        "components": ["phenomenonTime", "result", "resultTime", "FeatureOfInterest/id"],
        "dataArray@iot.count": 3,
        "dataArray": [
            ["2022-01-01T00:00:00Z", 1.5, "2022-01-01T00:00:01Z", made["FeaturesOfInterest"]],
            ["no time", 2.5, None, made["FeaturesOfInterest"]],
            ["2022-01-01T00:02:00Z", 3.5, None, made["FeaturesOfInterest"]],
        ],
    }
    answer = await api.client.post("/v1.1/CreateObservations", json=[group])
    assert answer.status_code == 201
    first, second, third = answer.json()
    assert second.startswith("error")
    assert (await api.ask(first))["result"] == 1.5
    assert (await api.ask(third))["result"] == 3.5
    for bad in ({"dataArray": []}, [{"components": ["result"]}], [group | {"components": ["result", "nonsense"]}], "x"):
        answer = await api.client.post("/v1.1/CreateObservations", json=bad)
        assert answer.status_code in {400, 201}
        assert answer.status_code == 400 or all(line.startswith("error") for line in answer.json())
