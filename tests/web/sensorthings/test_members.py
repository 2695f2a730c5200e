"""Members of JSON are reached by path, and chosen by $select, in entities and in expansions."""

from __future__ import annotations

import msgspec
import pytest
import pytest_asyncio

from tests.web.conftest import open_station
from tests.web.sensorthings.test_changes import make

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEEP = {"a": {"b": {"c": 1, "none": None}, "text": 'é, "x"'}, "my key": True, "1st/2": [1]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deep(tmp_path_factory, catalog_url):
    async with open_station(tmp_path_factory.mktemp("station"), catalog_url=catalog_url) as station:
        await make(station, "Things", {"name": "Deep", "description": "", "properties": DEEP})
        for n, parameters in enumerate([{"p": {"q": 5, "r": "x,y"}}, {"p": {}}, None]):
            body = {"result": {"u": n, "v": [n]}, "phenomenonTime": f"2021-03-05T12:0{n}:00Z", "parameters": parameters}
            await make(station, "Datastreams(1)/Observations", body)
        yield station


THING = "Things?$filter=name eq 'Deep'&"


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("Things(3)/properties/a/b/c", 200, {"c": 1}),
        ("Things(3)/properties/a/b", 200, {"b": {"c": 1, "none": None}}),
        ("Things(3)/properties/a/text/$value", 200, 'é, "x"'),
        ("Things(3)/properties/a/b/$value", 200, '{"c":1,"none":null}'),
        ("Things(3)/properties/my%20key/$value", 200, "true"),
        ("Things(3)/properties/a/b/none", 204, None),
        ("Things(3)/properties/a/zz", 404, "'zz' (known: b, text)"),
        ("Things(3)/properties/a/text/deeper", 404, "a/text has no member 'deeper'"),
        ("Things(3)/name/x", 404, "nothing follows the property 'name'"),
        ("Things(3)/my%20key", 400, "is not a step"),
        ("Things(3)/properties/a/$ref", 400, "$ref follows entities"),
        ("Datastreams(1)/unitOfMeasurement/symbol", 200, {"symbol": ""}),
        ("Datastreams(1)/unitOfMeasurement/nothing", 404, "no member 'nothing'"),
        ("Datastreams(1)/Thing/Locations/properties/a", 404, "is a set"),
        ("Datastreams(1)/observedArea/type/$value", 200, "Point"),
    ],
)
async def test_a_path_goes_into_json(deep, path, status, told):
    answer = await deep.client.get(f"/v1.1/{path}")
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert told in answer.json()["error"]["message"]
    elif told is not None:
        assert (answer.text if path.endswith("$value") else answer.json()) == told


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (THING + "$select=properties/a/b/c,name", {"name": "Deep", "properties": {"a": {"b": {"c": 1}}}}),
        (THING + "$select=properties/a/b/none", {"properties": {"a": {"b": {"none": None}}}}),
        (THING + "$select=properties/a/text,properties", {"properties": DEEP}),
        (THING + "$select=properties/nothing", {}),
        (
            "Datastreams?$top=1&$select=unitOfMeasurement/symbol,observedArea/type,properties/nilometer/key",
            {
                "unitOfMeasurement": {"symbol": ""},
                "observedArea": {"type": "Point"},
                "properties": {"nilometer": {"key": "river/ph"}},
            },
        ),
        (
            "Things?$top=1&$select=id&$expand=Datastreams($top=1;$select=unitOfMeasurement/name)",
            {"Datastreams": [{"unitOfMeasurement": {"name": "1"}}]},
        ),
        ("Observations?$top=1&$select=parameters/p/q,result/u", {"parameters": {"p": {"q": 5}}, "result": {"u": 0}}),
        ("Observations?$top=1&$select=resultQuality/flag,resultQuality/tests", {"resultQuality": {"flag": 2}}),
    ],
)
async def test_select_goes_into_json(deep, query, told):
    (item,) = (await deep.json(f"/v1.1/{query}"))["value"]
    item = {name: value for name, value in item.items() if "@" not in name}
    if "resultQuality" in told:
        assert set(item["resultQuality"]) <= {"flag", "tests"}
        assert "flag" in item["resultQuality"]
    else:
        assert item == told


async def test_members_are_columns_of_a_data_array_and_of_csv(deep):
    select = "$select=parameters/p/q,parameters/p/r,result/v"
    array = (await deep.json(f"/v1.1/Observations?$resultFormat=dataArray&{select}"))["value"][0]
    assert array["components"] == ["parameters/p/q", "parameters/p/r", "result/v"]
    assert array["dataArray"] == [[5, "x,y", [0]], [None, None, [1]], [None, None, [2]]]
    text = (await deep.client.get(f"/v1.1/Observations?$resultFormat=CSV&{select}")).text
    assert text.split("\r\n")[:3] == ["parameters/p/q,parameters/p/r,result/v", '5,"x,y",[0]', ",,[1]"]
    text = (await deep.client.get(f"/v1.1/{THING}$resultFormat=CSV&$select=properties/a/b/c,name")).text
    assert text == "properties/a/b/c,name\r\n1,Deep\r\n"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("Things?$select=name/x", "$select"),
        ("Things?$select=nothing/x", "$select"),
        ("Datastreams?$select=unitOfMeasurement/nothing", "$select"),
        ("Observations?$select=phenomenonTime/x", "$select"),
    ],
)
async def test_what_has_no_members_is_refused(deep, query, place):
    error = (await deep.json(f"/v1.1/{query}", 400))["error"]
    assert error["place"] == place


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("Datastreams?$filter=unitOfMeasurement eq null", 0),
        ("Datastreams?$filter=unitOfMeasurement ne null", 5),
        ("Things?$filter=Datastreams/unitOfMeasurement ne null", 2),
        ("Things?$filter=Datastreams/unitOfMeasurement eq null", 1),
        ("Observations?$filter=Datastream/unitOfMeasurement ne null", 3),
        ("Observations?$filter=parameters eq null", 1),
        ("Datastreams?$filter=observedArea eq null", 4),
        ("Datastreams?$filter=observedArea/type eq 'Point'", 1),
    ],
)
async def test_json_as_a_whole_is_asked_whether_it_is_there(deep, query, n):
    assert (await deep.json(f"/v1.1/{query}&$count=true"))["@iot.count"] == n


async def test_a_next_link_keeps_what_was_selected(deep):
    page = await deep.json("/v1.1/Observations?$top=1&$select=result/u")
    following = msgspec.json.decode((await deep.client.get(page["@iot.nextLink"])).content)
    assert following["value"] == [{"result": {"u": 1}}]


@pytest.mark.parametrize(
    "asked", ["Datastreams?$orderby=unitOfMeasurement", "Observations?$orderby=Datastream/unitOfMeasurement"]
)
async def test_a_unit_is_sorted_by_its_members(deep, asked):
    refused = await deep.json(f"/v1.1/{asked}", 400)
    assert refused["error"]["place"].startswith("$orderby at")
    await deep.json(f"/v1.1/{asked}/symbol")
