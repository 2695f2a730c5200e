"""What clients of SensorThings ask, in their own words: QGIS, Grafana, dashboards in JavaScript."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.web.conformance.conftest import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXTENT = "Polygon ((7 50, 8.5 50, 8.5 52, 7 52, 7 50))"
POINTS = "location/type eq 'Point' or location/geometry/type eq 'Point'"
POLYGONS = POINTS.replace("Point", "Polygon")


async def test_qgis_lists_sets_counts_geometries_and_pages(filled: Api):
    root = await filled.ask("")
    urls = {item["name"]: item["url"] for item in root["value"]}
    assert {"Things", "Locations", "FeaturesOfInterest", "Observations"} <= urls.keys()
    for condition, n in ((POINTS, 2), (POLYGONS, 0)):
        page = await filled.ask(f"{urls['Locations']}?$top=0&$count=true&$filter={quote(condition)}")
        assert page["@iot.count"] == n
    page = await filled.ask(f"{urls['Locations']}?$top=1&$count=false&$filter={quote(POINTS)}")
    assert "@iot.count" not in page
    assert len((await filled.ask(page["@iot.nextLink"]))["value"]) == 1


async def test_qgis_asks_for_what_it_shows(filled: Api):
    condition = quote(f"({POINTS}) and (geo.intersects(location, geography'{EXTENT}'))")
    page = await filled.ask(f"Locations?$top=200&$count=false&$filter={condition}")
    assert [item["name"] for item in page["value"]] == ["at the weir"]
    foi = quote("feature/type eq 'Point' or feature/geometry/type eq 'Point'")
    assert len((await filled.ask(f"FeaturesOfInterest?$top=200&$filter={foi}"))["value"]) == 2
    deep = (
        "$expand=Things($select=name;$orderby=id asc;$top=3;$expand=Datastreams($orderby=id asc;$filter=name ne 'x'))"
    )
    page = await filled.ask(f"Locations?$top=200&{deep}&$filter={condition}")
    (thing,) = page["value"][0]["Things"]
    assert [item["name"] for item in thing["Datastreams"]] == ["weir level", "weir state"]


@pytest.mark.parametrize("query", ["$filter=id eq {id}", "$filter=@iot.id eq {id}"])
async def test_an_entity_is_found_by_its_id(filled: Api, query: str):
    (weir,) = (await filled.ask("Things?$filter=name eq 'Weir'"))["value"]
    (again,) = (await filled.ask("Things?" + query.format(id=weir["@iot.id"])))["value"]
    assert again == weir


async def test_grafana_asks_for_a_window_of_a_datastream(filled: Api):
    (stream,) = (await filled.ask("Datastreams?$filter=name eq 'weir level'&$select=@iot.id,name"))["value"]
    condition = "phenomenonTime gt 2021-03-05T06:45:00.000Z and phenomenonTime lt 2021-03-05T09:00:00.000Z"
    query = f"$select=phenomenonTime,result,parameters&$orderby=phenomenonTime asc&$filter={quote(condition)}&$top=1000"
    rows = (await filled.ask(f"Datastreams({stream['@iot.id']})/Observations?{query}"))["value"]
    assert [row["result"] for row in rows] == [2.0, 3.0]
    assert all(set(row) == {"phenomenonTime", "result", "parameters"} for row in rows)
    history = await filled.ask(
        f"Datastreams({stream['@iot.id']})/Thing/HistoricalLocations?$expand=Locations&$top=1000"
    )
    assert history["value"][0]["Locations"][0]["location"]["coordinates"] == [8.0, 51.0]


async def test_a_dashboard_asks_for_the_newest_of_everything(filled: Api):
    newest_row = "Observations($top=1;$orderby=phenomenonTime desc;$select=result,phenomenonTime)"
    inner = f"$expand={newest_row},ObservedProperty($select=name)"
    found = await filled.ask(
        f"Things?$expand=Locations($select=location),Datastreams({inner};$select=name,unitOfMeasurement)"
    )
    newest: dict[str, Any] = {
        stream["name"]: stream["Observations"][0]["result"]
        for thing in found["value"]
        for stream in thing["Datastreams"]
    }
    assert newest == {"weir level": 4.0, "weir state": "open", "quay level": 20.0}


async def test_options_may_be_encoded_and_blanks_be_plus(filled: Api):
    plain = await filled.ask("Things?$filter=name%20eq%20%27Weir%27&$select=name")
    assert await filled.ask("Things?%24filter=name+eq+%27Weir%27&%24select=name") == plain
    assert await filled.ask("Things?$select=name&$filter=name%20eq%20'Weir'") == plain
