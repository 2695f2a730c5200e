from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from nilometer.web.sensorthings.conformance import CONFORMANCE
from tests.docs.blocks import blocks
from tests.web.conftest import open_station

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETS = [
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "MultiDatastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
]


async def values(filled, path):
    return (await filled.json(path))["value"]


async def names(filled, path):
    return [item["name"] for item in await values(filled, path)]


async def test_the_root_lists_the_sets_and_what_is_met(filled):
    root = await filled.json("/v1.1")
    assert [item["name"] for item in root["value"]] == SETS
    assert all(item["url"] == f"http://station/v1.1/{item['name']}" for item in root["value"])
    assert root["serverSettings"]["conformance"] == list(CONFORMANCE)


# The station has no MultiDatastream; those are read in tests/web/conformance.
@pytest.mark.parametrize("plural", [name for name in SETS if name != "MultiDatastreams"])
async def test_every_entity_has_id_self_link_and_navigation(filled, plural):
    found = await values(filled, f"/v1.1/{plural}")
    assert found
    for item in found[:3]:
        assert item["@iot.selfLink"] == f"http://station/v1.1/{plural}({item['@iot.id']})"
        links = {name: link for name, link in item.items() if name.endswith("@iot.navigationLink")}
        assert links
        for link in links.values():
            await filled.json(link)
        alone = await filled.json(item["@iot.selfLink"])
        assert alone == item


async def test_a_datastream_spans_its_observations(filled):
    (item,) = await values(filled, "/v1.1/Datastreams?$filter=name eq 'Dissolved oxygen'")
    assert item["phenomenonTime"] == "2021-03-05T12:00:00Z/2021-03-05T12:04:00Z"
    assert item["observedArea"] == {"type": "Point", "coordinates": [120.1, 30.2]}
    assert item["unitOfMeasurement"]["symbol"] == "mg/L"
    assert item["properties"]["nilometer"]["key"] == "river/dissolved_oxygen"
    (empty,) = await values(filled, "/v1.1/Datastreams?$filter=properties/nilometer/key eq 'sea/free'")
    assert "phenomenonTime" not in empty
    assert "observedArea" not in empty


async def test_times_are_utc_with_ms_and_more_where_there_is_more(filled):
    found = await values(filled, f"/v1.1/Datastreams({filled.id('sea/water_temperature')})/Observations")
    assert [item["phenomenonTime"] for item in found] == [
        "2021-03-05T12:00:00Z",
        "2021-03-05T12:00:00.000250Z",
        "2021-03-05T12:00:00.000500Z",
    ]
    assert all(item["resultTime"] is None for item in found)


async def test_an_observation_over_four_hours_is_an_interval(filled):
    (item,) = await values(filled, f"/v1.1/Datastreams({filled.id('river/codmn')})/Observations")
    assert item["phenomenonTime"] == "2021-03-05T12:00:00Z/2021-03-05T16:00:00Z"


async def test_result_quality_names_flag_tests_and_profile(filled):
    path = f"/v1.1/Datastreams({filled.id('river/ph')})/Observations?$filter=result gt 13"
    (spike,) = await values(filled, path)
    quality = spike["resultQuality"]
    assert quality["flag"] in {3, 4}
    assert quality["tests"]["spike"] in {3, 4}
    assert quality["profile"]["name"] == "river/ph"
    assert (await filled.json(quality["profile"]["href"]))["name"] == "river/ph"


async def test_property_value_and_ref(filled):
    assert await filled.json("/v1.1/Things(1)/name") == {"name": "River"}
    answer = await filled.client.get("/v1.1/Things(1)/name/$value")
    assert answer.text == "River"
    assert answer.headers["content-type"].startswith("text/plain")
    answer = await filled.client.get("/v1.1/Things(1)/properties/$value")
    assert answer.json()["tidal"] is False
    assert await filled.json("/v1.1/Things(1)/Datastreams/$ref?$top=1") == {
        "@iot.nextLink": "http://station/v1.1/Things(1)/Datastreams/$ref?$top=1&$skiptoken=k1",
        "value": [{"@iot.selfLink": "http://station/v1.1/Datastreams(1)"}],
    }
    assert await filled.json("/v1.1/Datastreams(1)/Thing/$ref") == {"@iot.selfLink": "http://station/v1.1/Things(1)"}


async def test_a_null_property_is_204(filled):
    (item,) = await values(filled, f"/v1.1/Datastreams({filled.id('river/codmn')})/Observations")
    answer = await filled.client.get(item["@iot.selfLink"] + "/resultTime")
    assert answer.status_code == 204
    assert answer.content == b""


async def test_paths_nest_and_each_step_is_checked(filled):
    ph, sea = filled.id("river/ph"), filled.id("sea/water_temperature")
    (first,) = await values(filled, f"/v1.1/Datastreams({ph})/Observations?$top=1")
    number = first["@iot.id"]
    path = f"/v1.1/Things(1)/Datastreams({ph})/Observations({number})/FeatureOfInterest/name"
    assert "name" in await filled.json(path)
    await filled.json(f"/v1.1/Things(1)/Datastreams({sea})", 404)
    await filled.json(f"/v1.1/Things(2)/Datastreams({ph})/Observations", 404)
    await filled.json(f"/v1.1/Datastreams({sea})/Observations({number})", 404)
    thing = await filled.json(f"/v1.1/Observations({number})/Datastream/Thing/Locations")
    assert thing["value"][0]["location"]["type"] == "Point"


@pytest.mark.parametrize(
    "path",
    [
        "Thing",
        "Things(99)",
        "Things(99)/Datastreams",
        "Things('a')",
        "Things(99999999999999999999)",
        "Observations(123456789012)",
        "Observations(9223372036854775807)",
        "Things(1)/nonsense",
        "Things(1)/Observations",
        "Things(1)/name/more",
        "Things/name",
        "Datastreams(1)/Observations(1)",
    ],
)
async def test_what_is_not_there_is_404(filled, path):
    document = await filled.json(f"/v1.1/{path}", 404)
    assert document["error"]["message"]


@pytest.mark.parametrize(
    "query",
    [
        "$top=abc",
        "$top=-1",
        "$skip=1.5",
        "$count=maybe",
        "$orderby=nonsense",
        "$orderby=name up",
        "$select=nonsense",
        "$expand=Nonsense",
        "$expand=Datastreams(",
        "$expand=Datastreams($top=x)",
        "$filter=name eq",
        "$filter=name eq 'x",
        "$filter=nonsense eq 1",
        "$filter=Datastreams eq 1",
        "$filter=name/first eq 1",
        "$filter=1 add 2",
        "$filter=length(name)",
        "$filter=length(1) gt 1",
        "$filter=length(name,name) gt 1",
        "$filter=nonsense(name)",
        "$filter=year(name) eq 2",
        "$filter=name add 1 eq 2",
        "$filter=name eq 'a%00'",
        "$filter=Datastreams/some(d: d/id eq 1)",
        "$filter=Datastreams/any(d d/id eq 1)",
        "$filter=name/any(d: d/id eq 1)",
        "$filter=Datastreams/any(d: d/nonsense eq 1)",
        "$filter=Datastreams/unitOfMeasurement/nonsense eq 1",
        "$filter=geo.distance(Locations/location, geography'POINT(8') lt 1",
        "$filter=st_relate(Locations/location, Locations/location, 'T')",
        "$filter=HistoricalLocations/time add duration'P1M' gt now()",
        "$filter=HistoricalLocations/time gt 2021-02-30",
        "$filter=HistoricalLocations/time gt 25:00",
        "$filter=2021-03-05T12:00:00Z/2021-03-05T11:00:00Z eq HistoricalLocations/time",
        "$orderby=Datastreams/name",
        "$orderby=name eq 'a'",
        "$orderby=geography'POINT(8 51)'",
        "$nonsense=1",
        "nonsense=1",
        "$top=1&$top=2",
        "$filter=%ff",
    ],
)
async def test_what_cannot_be_understood_is_400_with_a_place(filled, query):
    document = await filled.json(f"/v1.1/Things?{query}", 400)
    assert document["error"]["place"]


async def test_what_is_understood_and_not_served_is_501(filled):
    await filled.json("/v1.1/Things?$format=atom", 501)


async def test_options_of_a_set_do_not_go_with_one_entity(filled):
    await filled.json("/v1.1/Things(1)?$top=1", 400)
    await filled.json("/v1.1/Things(1)/name?$top=1", 400)


async def test_pages_follow_next_links_and_miss_nothing(filled):
    path, seen = "/v1.1/Observations?$top=7&$count=true&$select=id,result&$orderby=result", []
    while path:
        page = await filled.json(path)
        assert page["@iot.count"] == 69
        seen += page["value"]
        path = page.get("@iot.nextLink")
    assert len(seen) == 69
    assert len({item["@iot.id"] for item in seen}) == 69
    assert [item["result"] for item in seen] == sorted(item["result"] for item in seen)


async def test_a_next_link_keeps_all_options_escaped(filled):
    text = "name ne 'a&b#c+d%é'"
    page = await filled.json(f"/v1.1/Datastreams?$top=2&$filter={quote(text)}&$select=name&$expand=Thing($select=name)")
    link = page["@iot.nextLink"]
    assert re.fullmatch(r"[\x21-\x7e]+", link)
    following = await filled.json(link)
    assert len(following["value"]) == 2
    assert set(following["value"][0]) == {"name", "Thing"}


async def test_top_zero_skip_and_count(filled):
    page = await filled.json("/v1.1/Datastreams?$top=0&$count=true")
    assert page["value"] == []
    assert page["@iot.count"] == 5
    assert len(await values(filled, "/v1.1/Datastreams?$skip=3")) == 2
    page = await filled.json("/v1.1/Datastreams?$skip=30&$count=true&$filter=Thing/name eq 'River'")
    assert (page["value"], page["@iot.count"]) == ([], 3)


async def test_select_and_orderby(filled):
    found = await values(filled, "/v1.1/Things?$select=name,Datastreams&$orderby=name desc")
    assert [item["name"] for item in found] == ["Sea & shore", "River"]
    assert set(found[0]) == {"name", "Datastreams@iot.navigationLink"}
    assert await values(filled, "/v1.1/Things?$select=id&$top=1") == [{"@iot.id": 1}]
    by_thing = await values(filled, "/v1.1/Datastreams?$orderby=Thing/name desc,name&$select=name&$expand=Thing")
    assert [item["Thing"]["name"] for item in by_thing] == ["Sea & shore"] * 2 + ["River"] * 3


async def test_expansions_nest_page_and_count(filled):
    query = (
        "$expand=Datastreams($orderby=name;$top=2;$count=true;"
        "$expand=Observations($top=1;$orderby=phenomenonTime desc),ObservedProperty($select=name)),Locations"
    )
    river = (await values(filled, f"/v1.1/Things?{query}"))[0]
    assert river["Datastreams@iot.count"] == 3
    assert len(river["Datastreams"]) == 2
    assert river["Locations"][0]["name"]
    for datastream in river["Datastreams"]:
        assert set(datastream["ObservedProperty"]) == {"name"}
        (newest,) = datastream["Observations"]
        following = await values(
            filled, f"/v1.1/Datastreams({datastream['@iot.id']})/Observations?$orderby=phenomenonTime desc&$top=1"
        )
        assert following == [newest]
    rest = await filled.json(river["Datastreams@iot.nextLink"])
    assert len(rest["value"]) == 1
    assert rest["@iot.count"] == 3


async def test_an_expanded_empty_set_is_an_empty_array(filled):
    path = "/v1.1/Datastreams?$filter=properties/nilometer/key eq 'sea/free'&$expand=Observations"
    assert (await values(filled, path))[0]["Observations"] == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name eq 'River'", ["River"]),
        ("name ne 'River'", ["Sea & shore"]),
        ("not (name eq 'River')", ["Sea & shore"]),
        ("id ge 2", ["Sea & shore"]),
        ("2 le id", ["Sea & shore"]),
        ("id lt 99999999999999999999999", ["River", "Sea & shore"]),
        ("name eq 5", []),
        ("startswith(name,'Sea')", ["Sea & shore"]),
        ("startswith(name,'sea')", []),
        ("substringof('&',name)", ["Sea & shore"]),
        ("substringof('%',name) eq true", []),
        ("endswith(name,'er')", ["River"]),
        ("properties/reach/order eq 5", ["River"]),
        ("properties/reach/order gt 12", []),
        ("properties/reach/order eq '5'", []),
        ("properties/reach/name lt '9'", ["River"]),
        ("properties/reach/name lt 99", []),
        ("properties/tidal eq false", ["River"]),
        ("properties/tidal ne true", ["River"]),
        ("properties/absent eq null", ["River", "Sea & shore"]),
        ("properties/absent ne null", []),
        ("properties/nilometer/water_body eq 'sea'", ["Sea & shore"]),
        ("Datastreams/ObservedProperty/name eq 'pH'", ["River"]),
        ("substringof('xygen', Datastreams/name)", ["River"]),
        ("Locations/name ne null and id eq 1 or id eq 2", ["River", "Sea & shore"]),
        ("HistoricalLocations/time lt 2000-01-01T00:00:00Z", []),
        ("Datastreams/unitOfMeasurement/symbol eq '°C'", ["Sea & shore"]),
        ("tolower(name) eq 'river' or toupper(name) eq 'SEA & SHORE'", ["River", "Sea & shore"]),
        ("concat(concat(name, ', '), properties/reach/name) eq 'River, 12.5'", ["River"]),
        ("properties/reach/order mul 2 add 1 eq 11", ["River"]),
        ("year(HistoricalLocations/time) ge 2021", ["River", "Sea & shore"]),
        ("HistoricalLocations/time gt 1970-01-01T00:00:00Z add duration'P1D'", ["River", "Sea & shore"]),
        ("geo.distance(Locations/location, geography'POINT(120.1 31.2)') le 1", ["River"]),
        (
            "st_within(Locations/location, geography'POLYGON((121 29, 123 29, 123 31, 121 31, 121 29))')",
            ["Sea & shore"],
        ),
        ("Datastreams/Observations/result gt 13", ["River"]),
        ("Datastreams/Observations/result gt 13 and Datastreams/ObservedProperty/name eq 'Dissolved oxygen'", []),
        ("Datastreams/any(d: d/Observations/result gt 13 and d/ObservedProperty/name eq 'pH')", ["River"]),
        ("not Datastreams/ObservedProperty/name eq 'pH'", ["Sea & shore"]),
        ("properties/reach/order div 0 eq 1 or properties/reach/order mod 0 eq 1", []),
        ("not (properties/absent eq 5)", []),
        (" or ".join(f"id eq {n}" for n in range(2, 1900)), ["Sea & shore"]),
        (" or ".join(f"name eq '{n}'" for n in range(1200)), []),
    ],
)
async def test_filters_over_entities(filled, condition, expected):
    assert await names(filled, f"/v1.1/Things?$filter={quote(condition)}") == expected


@pytest.mark.parametrize(
    ("condition", "n"),
    [
        ("result gt 13", 1),
        ("result ge 7 and result lt 7.015", 18),
        ("not (result gt 7)", 9),
        ("result mul 2 gt 27", 1),
        ("result div 0 gt 1", 0),
        ("-result lt -13", 1),
        ("result eq 'high'", 0),
        ("result eq null", 0),
        ("resultTime eq null", 60),
        ("phenomenonTime ge 2021-03-05T12:50:00Z", 10),
        ("phenomenonTime gt 2021-03-05T20:50:00%2B08:00 and phenomenonTime le 2021-03-05T12:55:00Z", 5),
        ("phenomenonTime eq 2021-03-05T12:00:00.000Z", 1),
        ("phenomenonTime lt 2021-03-05T12:10:00Z or result gt 13", 11),
        ("Datastream/id eq 1", 60),
        ("Datastream/name eq 'pH'", 60),
        ("Datastream/Thing/name eq 'Sea & shore'", 0),
        ("resultQuality/flag ge 3 and result gt 13", 1),
        ("resultQuality/flag eq 9", 0),
    ],
)
async def test_filters_over_observations(filled, condition, n):
    path = f"/v1.1/Datastreams({filled.id('river/ph')})/Observations?$count=true&$top=1&$filter="
    page = await filled.json(path + quote(condition, safe="%"))
    assert page["@iot.count"] == n


async def test_filters_over_all_observations_use_relations(filled):
    found = await filled.json("/v1.1/Observations?$count=true&$filter=Datastream/Thing/properties/tidal eq false")
    assert found["@iot.count"] == 66
    (first, second) = await values(filled, "/v1.1/Observations?$top=2&$orderby=Datastream/Thing/name desc,result desc")
    assert first["result"] == 12.75
    both = f"id eq {first['@iot.id']} or id eq {second['@iot.id']}"
    assert len(await values(filled, f"/v1.1/Observations?$filter={both}")) == 2


async def test_a_check_sample_is_shown_only_when_asked_for(filled):
    observations = f"/v1.1/Datastreams({filled.id('river/ph')})/Observations?$count=true"
    assert (await filled.json(observations))["@iot.count"] == 60
    assert (await filled.json(f"{observations}&samples=all"))["@iot.count"] == 62
    condition = "FeatureOfInterest/properties/nilometer/sample_kind eq 'check'"
    page = await filled.json(f"{observations}&$filter={condition}&$expand=FeatureOfInterest")
    assert page["@iot.count"] == 2
    feature = page["value"][0]["FeatureOfInterest"]
    assert feature["properties"]["nilometer"]["sample_kind"] == "check"
    of_feature = await filled.json(f"/v1.1/FeaturesOfInterest({feature['@iot.id']})/Observations?$count=true")
    assert of_feature["@iot.count"] == 2
    newest = f"/v1.1/Datastreams({filled.id('river/ph')})?$expand=Observations($top=100)"
    assert all(item["result"] > 5 for item in (await filled.json(newest))["Observations"])


async def test_head_and_other_methods(filled):
    answer = await filled.client.head("/v1.1/Things")
    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await filled.client.request(method, "/v1.1/Things")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        answer = await filled.client.request(method, "/v1.1/Things(1)/name")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = await filled.client.post("/v1.1/Things(1)", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT, PATCH, DELETE")
    assert (await filled.client.request("TRACE", "/v1.1/Things")).status_code == 405


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("Sensors?$orderby=metadata", None),
        ("Locations?$orderby=location desc", 2),
        ("FeaturesOfInterest?$orderby=feature,properties", None),
        ("Sensors?$filter=metadata eq 'nowhere'", 0),
        ("Sensors?$filter=startswith(metadata,'nowhere') or metadata lt 'a' and metadata gt 'b'", 0),
        ("Things?$filter=properties eq 5 or properties gt 5 or properties eq true", 0),
    ],
)
async def test_a_whole_document_is_a_value_too(filled, asked, number):
    found = await values(filled, f"/v1.1/{asked}")
    assert number is None or len(found) == number


async def test_every_address_of_the_pages_is_answered(filled):
    pages = sorted((Path(__file__).parents[3] / "docs").glob("sensorthings*.md"))
    lines = [
        line for page in pages for block in blocks(page) if block.language == "http" for line in block.text.splitlines()
    ]
    requests = [line.partition(":8080")[2] for line in lines if ":8080" in line]
    assert len(requests) > 20
    for request in requests:
        await filled.json(request)


@pytest.mark.parametrize(
    "path",
    [
        "/v1.1/Things(9999999999)",
        "/v1.1/HistoricalLocations(9999999999)",
        "/v1.1/Datastreams(9999999999)/Observations",
        "/v1.1/Sensors(1)/Datastreams(9999999999)",
        "/api/v1/calibrations/9999999999",
        "/api/v1/profiles/9999999999",
    ],
)
async def test_an_id_beyond_any_is_not_found(filled, path):
    await filled.json(path, 404)


@pytest.mark.parametrize("order", ["", "&$orderby=id desc", "&$orderby=@iot.id"])
async def test_pages_of_entities_go_on_behind_the_last_id_and_lose_nothing_to_changes(order, tmp_path):
    async with open_station(tmp_path) as station:
        page = await station.json(f"/v1.1/Datastreams?$top=2&$count=true&$select=id{order}")
        assert "$skiptoken=k" in page["@iot.nextLink"]
        assert "$skip=" not in page["@iot.nextLink"]
        seen = [one["@iot.id"] for one in page["value"]]
        answer = await station.client.delete(f"/v1.1/Datastreams({seen[0]})")
        assert answer.status_code in {200, 409}
        while "@iot.nextLink" in page:
            page = await station.json(page["@iot.nextLink"])
            assert page["@iot.count"] == 5 - (answer.status_code == 200)
            seen += [one["@iot.id"] for one in page["value"]]
        assert seen == sorted(range(1, 6), reverse="desc" in order)
        thing = (await station.json("/v1.1/Things?$top=1&$expand=Datastreams($top=1;$select=id)"))["value"][0]
        link = thing["Datastreams@iot.nextLink"]
        assert "$skiptoken=k1" in link
        assert [one["@iot.id"] for one in (await station.json(link))["value"]] == [2]


@pytest.mark.parametrize(
    "query", ["Things?$skiptoken=k1&$orderby=name", "Things?$skiptoken=r1.2", "Observations?$skiptoken=k1"]
)
async def test_a_token_of_another_order_is_refused(filled, query):
    assert (await filled.json(f"/v1.1/{query}", 400))["error"]["place"] == "$skiptoken"


async def test_entities_in_another_order_are_paged_by_how_many_were_shown(filled):
    page = await filled.json("/v1.1/Things?$top=1&$orderby=name")
    assert "$skip=1" in page["@iot.nextLink"]
    assert len((await filled.json(page["@iot.nextLink"]))["value"]) == 1
