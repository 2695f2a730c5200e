"""Reading: resource paths and query options, clause 9 of the standard."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.web.conformance.conftest import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")


THINGS = [
    ("name eq 'Weir'", "W"),
    ("'Weir' eq name", "W"),
    ("name ne 'Weir'", "OB"),
    ("name eq 'O''Brien 100%_\\ quay'", "O"),
    ("id gt 0", "WOB"),
    ("not (name eq 'Weir')", "OB"),
    ("name eq 'Weir' or name eq '北京 buoy'", "WB"),
    ("name eq 'Weir' and description eq 'x' or true", "WOB"),
    ("substringof('%', name)", "O"),
    ("substringof('_', name)", "O"),
    ("substringof('weir', name)", ""),
    ("substringof('weir', tolower(name))", "W"),
    ("substringof('STRASSE', toupper(description)) or substringof('STRAßE', toupper(description))", "O"),
    ("startswith(name, 'We')", "W"),
    ("startswith(name, 'We') eq true", "W"),
    ("startswith(name, 'We') eq false", "OB"),
    ("endswith(name, 'buoy')", "B"),
    ("length(name) eq 4", "W"),
    ("length(name) eq 7", "B"),
    ("indexof(name, 'eir') eq 1", "W"),
    ("indexof(name, 'zzz') eq -1", "WOB"),
    ("substring(name, 1) eq 'eir'", "W"),
    ("substring(name, 1, 2) eq 'ei'", "W"),
    ("trim(concat(concat('  ', name), ' ')) eq 'Weir'", "W"),
    ("concat(name, description) eq 'Weira weir of stone'", "W"),
    ("properties/depth gt 9", "W"),
    ("properties/depth gt 8.5", "WO"),
    ("properties/depth eq 12.5", "W"),
    ("properties/depth add 1 gt 13", "W"),
    ("properties/depth sub 0.5 eq 12", "W"),
    ("properties/depth mul 2 eq 25", "W"),
    ("properties/depth div 2 eq 4.5", "O"),
    ("properties/depth mod 2 eq 1", "O"),
    ("-properties/depth lt -10", "W"),
    ("properties/built eq 1901", "W"),
    ("properties/built eq '1901'", "O"),
    ("properties/is_open eq true", "W"),
    ("properties/is_open eq false", "O"),
    ("properties/deep/er eq 'x'", "W"),
    ("properties/absent eq null", "WOB"),
    ("properties/note eq null", "WOB"),
    ("properties/absent eq 1", ""),
    ("round(properties/depth) eq 13 or round(properties/depth) eq 12", "W"),
    ("floor(properties/depth) eq 12", "W"),
    ("ceiling(properties/depth) eq 13", "W"),
    ("Datastreams/name eq 'weir level'", "W"),
    ("Datastreams/properties/order ge 1", "WO"),
    ("Datastreams/ObservedProperty/name eq 'quay level quantity'", "O"),
    ("Datastreams/Sensor/name eq 'quay level probe'", "O"),
    ("substringof('level', Datastreams/name)", "WO"),
    ("Datastreams/Observations/result gt 15", "O"),
    ("Locations/name eq 'at the weir'", "W"),
    ("geo.intersects(Locations/location, geography'POLYGON((7 50, 8.5 50, 8.5 52, 7 52, 7 50))')", "W"),
    ("st_within(Locations/location, geography'POLYGON((7 50, 8.5 50, 8.5 52, 7 52, 7 50))')", "W"),
    ("geo.distance(Locations/location, geography'POINT(9 52)') lt 0.01", "O"),
    ("(name eq 'Weir') eq true", "W"),
    ("true", "WOB"),
    ("false", ""),
    ("1 eq 1", "WOB"),
    ("1 add 2 mul 3 eq 7", "WOB"),
    ("name gt 'Q' and name lt 'Z'", "W"),
    ("name eq 5", ""),
]
LETTER = {"Weir": "W", "O'Brien 100%_\\ quay": "O", "北京 buoy": "B"}


@pytest.mark.parametrize(("condition", "expected"), THINGS)
async def test_things_are_filtered(filled: Api, condition: str, expected: str):
    names = await filled.names(f"Things?$filter={quote(condition)}&$orderby=id")
    assert "".join(LETTER[name] for name in names) == expected
    counted = await filled.ask(f"Things?$filter={quote(condition)}&$count=true&$top=0")
    assert counted["@iot.count"] == len(expected)


OBSERVATIONS = [
    ("result gt 3", [4.0, 10.0, 20.0]),
    ("result eq 3", [3.0]),
    ("result eq 'open'", ["open", "open"]),
    ("result ne 'open' and Datastream/name eq 'weir state'", ["shut"]),
    ("substringof('hu', result)", ["shut"]),
    ("result add 1 eq 3", [2.0]),
    ("result mod 2 eq 0 and result lt 10", [2.0, 4.0]),
    ("phenomenonTime ge 2021-03-05T08:00:00Z and Datastream/name eq 'weir level'", [3.0, 4.0]),
    ("phenomenonTime lt 2021-03-05T01:00:00.000Z", [10.0]),
    ("phenomenonTime eq 2021-03-05T08:30:15.250+08:00", [10.0]),
    ("2021-03-05T01:00:00Z gt phenomenonTime", [10.0]),
    ("resultTime gt 2021-03-05T09:00:00Z", [4.0]),
    ("hour(phenomenonTime) eq 1", [20.0]),
    ("minute(phenomenonTime) eq 30 and second(phenomenonTime) eq 15 and result eq 1", [1.0]),
    ("fractionalseconds(phenomenonTime) eq 0.25 and result eq 1", [1.0]),
    ("year(phenomenonTime) eq 2021 and month(phenomenonTime) eq 3 and day(phenomenonTime) eq 5 and result eq 2", [2.0]),
    ("date(phenomenonTime) eq 2021-03-05 and result eq 2", [2.0]),
    ("time(phenomenonTime) gt 09:00:00", [4.0]),
    ("totaloffsetminutes(phenomenonTime) eq 0 and result eq 2", [2.0]),
    ("phenomenonTime lt now() and result eq 2", [2.0]),
    ("phenomenonTime gt mindatetime() and phenomenonTime lt maxdatetime() and result eq 2", [2.0]),
    ("parameters/qc eq 3", [4.0]),
    ("parameters/by eq 'person 3'", [4.0]),
    ("Datastream/name eq 'quay level'", [10.0, 20.0]),
    ("Datastream/Thing/name eq 'Weir' and result gt 2", [3.0, 4.0]),
    ("Datastream/Thing/properties/depth eq 9", [10.0, 20.0]),
    ("Datastream/ObservedProperty/name eq 'quay level quantity'", [10.0, 20.0]),
    ("FeatureOfInterest/name eq 'at the quay'", [10.0, 20.0]),
    ("st_within(FeatureOfInterest/feature, geography'POLYGON((8.5 51, 10 51, 10 53, 8.5 53, 8.5 51))')", [10.0, 20.0]),
    ("round(result) eq 4 or floor(result) eq 10", [4.0, 10.0]),
    ("result div 0 eq 1", []),
    ("not (result gt 1) and Datastream/name eq 'weir level'", [1.0]),
    ("before(phenomenonTime, 2021-03-05T01:00:00Z)", [10.0]),
    ("after(phenomenonTime, 2021-03-05T09:00:00Z)", [4.0]),
    ("during(phenomenonTime, 2021-03-05T09:00:00Z/2021-03-05T10:00:00Z)", [4.0]),
]


@pytest.mark.parametrize(("condition", "expected"), OBSERVATIONS)
async def test_observations_are_filtered(filled: Api, condition: str, expected: list[Any]):
    path = f"Observations?$filter={quote(condition)}&$orderby=Datastream/id,phenomenonTime&$count=true"
    found = await filled.ask(path)
    assert sorted((item["result"] for item in found["value"]), key=str) == sorted(expected, key=str)
    assert found["@iot.count"] == len(expected)


@pytest.mark.parametrize(
    "query",
    [
        "$top=-1",
        "$top=abc",
        "$top=1.5",
        "$skip=-1",
        "$count=maybe",
        "$filter=",
        "$filter=name eq",
        "$filter=name eq 'x",
        "$filter=nonsense eq 1",
        "$filter=nonsense(name)",
        "$filter=substringof('x')",
        "$filter=(name eq 'x'",
        "$filter=name eq 'x')",
        "$filter=name",
        "$filter=Datastreams/nonsense eq 1",
        "$filter=" + "(" * 10_000,
        "$orderby=nonsense",
        "$orderby=name up",
        "$select=nonsense",
        "$select=",
        "$expand=Nonsense",
        "$expand=Datastreams(",
        "$expand=Datastreams($top=1",
        "$top=0&$expand=Datastreams($filter=nonsense eq 1)",
        "$top=0&$expand=Datastreams/Observations($orderby=nonsense)",
        "$top=0&$expand=Datastreams/Observations($select=nonsense;$expand=Datastream)",
        "$top=0&$expand=Datastreams/Thing($filter=name eq)",
        "$top=1&$expand=Datastreams/Thing($filter=nonsense eq 1)",
        "$expand=Datastreams($nonsense=1)",
        "$nonsense=1",
        "$resultFormat=nonsense",
        "$top=1&$top=2",
        "$filter=name eq 'a\x00b' and",
    ],
)
async def test_what_is_malformed_is_400_and_says_where(filled: Api, query: str):
    answer = await filled.client.get(f"/v1.1/Things?{quote(query, safe='$=&')}")
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Nonsense", 404),
        ("Things(999999)", 404),
        ("Things(999999)/Datastreams", 404),
        ("Things(99999999999999999999999)", 404),
        ("Things('a')", 404),
        ("Things(-1)", 404),
        ("Things/name", 404),
    ],
)
async def test_what_is_not_there_is_said(filled: Api, path: str, status: int):
    await filled.ask(path, status)


async def test_paths_lead_to_properties_values_and_links(filled: Api):
    (weir,) = (await filled.ask("Things?$filter=name eq 'Weir'"))["value"]
    here = f"Things({weir['@iot.id']})"
    assert await filled.ask(f"{here}/name") == {"name": "Weir"}
    answer = await filled.client.get(f"/v1.1/{here}/name/$value")
    assert (answer.status_code, answer.text) == (200, "Weir")
    assert (await filled.client.get(f"/v1.1/{here}/properties/$value")).json()["depth"] == 12.5
    links = await filled.ask(f"{here}/Datastreams/$ref")
    assert [set(item) for item in links["value"]] == [{"@iot.selfLink"}] * 2
    stream = (await filled.ask(f"{here}/Datastreams?$filter=name eq 'weir level'"))["value"][0]["@iot.id"]
    assert await filled.names(f"{here}/Datastreams({stream})/Observations", "result") == [1.0, 2.0, 3.0, 4.0]
    assert await filled.ask(f"Datastreams({stream})/Thing/name") == {"name": "Weir"}
    other = (await filled.ask("Datastreams?$filter=name eq 'quay level'"))["value"][0]["@iot.id"]
    await filled.ask(f"{here}/Datastreams({other})", 404)
    await filled.ask(f"{here}/nonsense", 404)
    unit = await filled.ask(f"Datastreams({stream})/unitOfMeasurement")
    assert unit["unitOfMeasurement"]["symbol"] == "°C"
    row = (await filled.ask(f"Datastreams({stream})/Observations?$top=1"))["value"][0]["@iot.id"]
    answer = await filled.client.get(f"/v1.1/Observations({row})/validTime")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_expansions_carry_all_options(filled: Api):
    found = await filled.ask(
        "Things?$orderby=id&$select=name&$expand=Datastreams($orderby=name desc;$top=1;$count=true;$select=name;"
        "$expand=Observations($filter=result gt 1;$top=2;$orderby=result desc;$select=result))"
    )
    weir = found["value"][0]
    assert set(weir) <= {"name", "Datastreams", "Datastreams@iot.count", "Datastreams@iot.nextLink", "@iot.id"}
    assert weir["Datastreams@iot.count"] == 2
    assert [item["name"] for item in weir["Datastreams"]] == ["weir state"]
    assert found["value"][2]["Datastreams"] == []
    following = await filled.ask(weir["Datastreams@iot.nextLink"])
    assert [item["name"] for item in following["value"]] == ["weir level"]
    assert [row["result"] for row in following["value"][0]["Observations"]] == [4.0, 3.0]
    merged = await filled.ask("Datastreams?$expand=Thing/Locations,Thing/HistoricalLocations&$top=1")
    assert {"Locations", "HistoricalLocations"} <= merged["value"][0]["Thing"].keys()
    text = quote("name eq ')' or name eq ';' or name eq 'weir level'")
    (weir, *_) = (await filled.ask(f"Things?$orderby=id&$expand=Datastreams($filter={text})"))["value"]
    assert [item["name"] for item in weir["Datastreams"]] == ["weir level"]


@pytest.mark.parametrize("path", ["Things", "Observations", "Datastreams", "Locations"])
async def test_pages_neither_repeat_nor_lose(filled: Api, path: str):
    every = [item["@iot.id"] for item in (await filled.ask(f"{path}?$orderby=id"))["value"]]
    for order in ("", "&$orderby=id desc", "&$select=id", "&$filter=id gt 0"):
        seen: list[int] = []
        link = f"{path}?$top=2{order}"
        while link:
            page = await filled.ask(link)
            assert len(page["value"]) <= 2
            seen += [item["@iot.id"] for item in page["value"]]
            link = page.get("@iot.nextLink", "")
        assert sorted(seen) == sorted(every)
        assert len(seen) == len(every)
    assert await filled.names(f"{path}?$skip=1&$top=1&$orderby=id", "@iot.id") == every[1:2]


async def test_orders_go_through_relations_and_expressions(filled: Api):
    assert await filled.names("Things?$orderby=name desc") == ["北京 buoy", "Weir", "O'Brien 100%_\\ quay"]
    names = await filled.names("Datastreams?$orderby=Thing/name,name desc")
    assert names == ["quay level", "weir state", "weir level"]
    assert await filled.names("Datastreams?$orderby=properties/order desc&$filter=properties/order gt 0") == [
        "quay level",
        "weir level",
    ]
    rows = await filled.names("Observations?$filter=result gt 0&$orderby=result desc&$top=3", "result")
    assert rows == [20.0, 10.0, 4.0]


async def test_a_data_array_has_the_same_rows(filled: Api):
    (stream,) = (await filled.ask("Datastreams?$filter=name eq 'weir level'"))["value"]
    path = f"Datastreams({stream['@iot.id']})/Observations?$resultFormat=dataArray&$count=true"
    (group,) = (await filled.ask(path))["value"]
    assert group["Datastream@iot.navigationLink"].endswith(f"/Datastreams({stream['@iot.id']})")
    assert group["dataArray@iot.count"] == 4
    at = group["components"].index("result")
    assert [row[at] for row in group["dataArray"]] == [1.0, 2.0, 3.0, 4.0]
    chosen = await filled.ask("Observations?$resultFormat=dataArray&$select=result,phenomenonTime&$orderby=id")
    assert len(chosen["value"]) == 3
    assert chosen["value"][0]["components"] == ["result", "phenomenonTime"]
    page = await filled.ask("Observations?$resultFormat=dataArray&$top=2")
    assert "resultFormat=dataArray" in page["@iot.nextLink"]
    assert (await filled.client.get("/v1.1/Things?$resultFormat=dataArray")).status_code in {400, 501}


async def test_the_root_promises_only_sets_that_are_there(filled: Api):
    root = await filled.ask("")
    for item in root["value"]:
        await filled.ask(item["url"])
    promised = root["serverSettings"]["conformance"]
    assert len(set(promised)) == len(promised) > 30
    assert all(uri.startswith(("http://www.opengis.net/spec/iot_sensing/1.1/req/", "https://")) for uri in promised)
