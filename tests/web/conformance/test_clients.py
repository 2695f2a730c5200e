"""What clients of SensorThings ask: their own requests, recorded while they ran, and what each of them needs beyond."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import pytest_asyncio

from tests.web.conformance.conftest import OGC_OM, Api, datastream, location, observed, sensor

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECORDED = Path(__file__).parents[2] / "vectors" / "web" / "clients"
QGIS = {"user-agent": "Mozilla/5.0 QGIS/34006/Debian GNU/Linux 13 (trixie)"}
LINE = {"type": "LineString", "coordinates": [[120, 30], [120.2, 30.1]]}
AREA = {"type": "Polygon", "coordinates": [[[119, 29], [121, 29], [121, 31], [119, 31], [119, 29]]]}


def recorded(name: str) -> list[str]:
    return (RECORDED / f"{name}.txt").read_text().splitlines()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(filled: Api) -> Api:
    """The usual Things, and one with every geometry and a MultiDatastream."""
    several: dict[str, Any] = {
        **datastream("wind"),
        "observationType": OGC_OM + "OM_ComplexObservation",
        "multiObservationDataTypes": [OGC_OM + "OM_Measurement"] * 2,
        "unitOfMeasurements": [{"name": "m/s", "symbol": "m s-1", "definition": "u"}] * 2,
        "ObservedProperties": [observed("speed"), observed("direction")],
        "Sensor": sensor("vane"),
        "Observations": [{"phenomenonTime": f"2021-03-05T0{n}:00:00Z", "result": [n, 10 * n]} for n in range(5)],
    }
    del several["unitOfMeasurement"]
    shapes = {"point": {"type": "Point", "coordinates": [120.1, 30.2]}, "line": LINE, "area": AREA}
    places = [location(f"河 {name}", properties={"kind": name}, **{"location": one}) for name, one in shapes.items()]
    for place in places:
        await filled.make("Things", {"name": "站点", "description": "x", "Locations": [place]})
    await filled.make(
        "Things", {"name": "mast", "description": "x", "Locations": places[:1], "MultiDatastreams": [several]}
    )
    return filled


async def walked(api: Api, target: str) -> list[Any]:
    """Return all entities of a set, page by page."""
    found, following = [], target.removeprefix("/v1.1/")
    while following:
        page = await api.ask(following)
        found += page["value"]
        following = page.get("@iot.nextLink", "")
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.txt")))
async def test_every_request_that_a_client_sent_is_answered(world: Api, name: str):
    for target in recorded(name):
        page = await world.ask(target.removeprefix("/v1.1").removeprefix("/"))
        if "@iot.nextLink" in page:
            assert (await world.ask(page["@iot.nextLink"]))["value"]


async def test_qgis_reads_as_many_as_it_counted(world: Api):
    targets = recorded("qgis_3.40.6")
    counts = [target for target in targets if "$top=0&$count=true" in target]
    assert len(counts) > 10
    seen = set()
    for target in counts:
        (page, read) = (await world.ask(target.removeprefix("/v1.1/")), target.replace("$top=0&$count=true", "$top=2"))
        assert len(await walked(world, read)) == page["@iot.count"]
        seen.add((unquote(target).split("?")[0], page["@iot.count"]))
    assert {("/v1.1/Locations", 1), ("/v1.1/MultiDatastreams", 1), ("/v1.1/FeaturesOfInterest", 0)} <= seen


async def test_qgis_keeps_32_bits_of_a_number_and_so_has_observations_ids_as_texts(world: Api):
    plain = await walked(world, "Observations?$top=1000")
    numbers = [row["@iot.id"] for row in plain]
    assert len({number & 0xFFFF_FFFF for number in numbers}) < len(numbers)  # it would show one for several
    for target, rows in (
        ("Observations?$top=1000", lambda page: page["value"]),
        (
            "Datastreams?$expand=Observations",
            lambda page: [row for one in page["value"] for row in one["Observations"]],
        ),
    ):
        answer = (await world.client.get(f"/v1.1/{target}", headers=QGIS)).json()
        ids = [row["@iot.id"] for row in rows(answer)]
        assert ids
        assert all(isinstance(one, str) and int(one) in numbers for one in ids)
        assert all(f"({row['@iot.id']})" in row["@iot.selfLink"] for row in rows(answer))
    things = (await world.client.get("/v1.1/Things", headers=QGIS)).json()["value"]
    assert all(isinstance(thing["@iot.id"], int) for thing in things)


@pytest.mark.parametrize("query", ["$filter=id eq {id}", "$filter=@iot.id eq {id}", "$filter=id eq '{id}'"])
async def test_an_entity_is_found_by_its_id(filled: Api, query: str):
    (weir,) = (await filled.ask("Things?$filter=name eq 'Weir'"))["value"]
    (again,) = (await filled.ask("Things?" + query.format(id=weir["@iot.id"])))["value"]
    assert again == weir


async def test_helgoland_puts_every_id_in_quotes(world: Api):
    (weir,) = (await world.ask("Things?$filter=name eq 'Weir'"))["value"]
    number = weir["@iot.id"]
    assert await world.ask(f"Things('{number}')") == weir
    streams = await world.ask(f"Things({number})/Datastreams")
    assert await world.ask(f"Things('{number}')/Datastreams") == streams
    through = f"Datastreams/Thing/id eq '{number}'"
    assert await world.names(f"ObservedProperties?$filter={through}&$orderby=name", "name") == [
        "weir level quantity",
        "weir state quantity",
    ]
    (row,) = (await world.ask("Observations?$top=1"))["value"]
    for path in (f"Observations('{row['@iot.id']}')", f"Observations?$filter=id eq '{row['@iot.id']}'"):
        found = await world.ask(path)
        assert found.get("value", [found]) == [row]
    assert number not in await world.names(f"Things?$filter=id ne '{number}'", "@iot.id")
    assert await world.names("Things?$filter=id eq 'one' or id eq '01' or id eq '-1'") == []
    made = await world.make("Things", {"name": "h", "description": "d"})
    await world.put(f"Things('{made}')", {"name": "h2", "description": "d"})
    assert (await world.ask(f"Things({made})"))["name"] == "h2"
    await world.delete(f"Things('{made}')")


@pytest.mark.parametrize("path", ["Things('a')", "Things('0')", "Things('1''')", "Things('99999999999999999999')"])
async def test_quotes_make_no_id_of_what_is_none(filled: Api, path: str):
    await filled.ask(path, 404)


@pytest.mark.parametrize(
    ("plain", "n"),
    [
        ("phenomenonTime ge 2021-03-05T08:30:15.250Z", 3),
        ("phenomenonTime eq 2021-03-05T16:30:15.25+08:00", 2),
        ("phenomenonTime lt 2021-03-05", 0),
        ("resultTime lt 2021-03-06", 9),
        ("phenomenonTime lt 2021-03-05T09:00:00Z/2021-03-05T10:00:00Z", 8),
    ],
)
async def test_istsos_wants_times_in_quotes(world: Api, plain: str, n: int):
    name, operator, time = plain.split()
    of = "Datastream/Thing/name ne 't'"
    for condition in (plain, f"{name} {operator} '{time}'"):
        found = await world.ask(f"Observations?$count=true&$top=0&$filter={quote(f'{condition} and {of}')}")
        assert found["@iot.count"] == n
    assert await world.names(f"Observations?$filter={name} eq 'soon' or {name} eq '2021'", "@iot.id") == []
    await world.ask(f"Observations?$filter={name} eq '2021-13-05'", 400)


async def test_grafanas_tables_are_searched_by_the_first_digits_of_an_id(world: Api):
    for name in ("Things", "Observations"):
        ids = [one["@iot.id"] for one in await walked(world, f"{name}?$top=1000")]
        first = str(ids[-1])[:1]
        wanted = [number for number in ids if str(number).startswith(first)]
        found = await world.ask(f"{name}?$filter=startswith(@iot.id,'{first}')&$count=true&$top=1000")
        assert (found["@iot.count"], [one["@iot.id"] for one in found["value"]]) == (len(wanted), wanted)
    assert await world.names("Things?$filter=length(id) gt 5") == []


async def test_virtualcitymap_sorts_streams_by_their_newest_or_first_observation(world: Api):
    late = datastream("late", Sensor=sensor("l"), ObservedProperty=observed("l"))
    rows = [
        {"phenomenonTime": "2021-03-04T00:00:00Z", "result": 1},
        {"phenomenonTime": "2022-01-01T00:00:00Z", "result": 2},
    ]
    streams, places = [{**late, "Observations": rows}], [location("there")]
    made = {"name": "t", "description": "d", "Locations": places, "Datastreams": streams}
    thing = await world.make("Things", made)
    assert (await world.names("Datastreams?$orderby=Observations/phenomenonTime desc"))[0] == "late"
    assert (await world.names("Datastreams?$orderby=Observations/phenomenonTime asc&$top=1")) == ["late"]
    by_end = await walked(world, "Datastreams?$top=2&$orderby=Observations/phenomenonTime desc,id")
    ends = [one["phenomenonTime"].rpartition("/")[2] for one in by_end if "phenomenonTime" in one]
    assert ends == sorted(ends, reverse=True)
    assert len(by_end) == len(await walked(world, "Datastreams"))
    await world.ask("Datastreams?$orderby=Observations/result", 400)
    await world.ask("Things?$orderby=Datastreams/name", 400)
    await world.delete(f"Things({thing})")


async def test_a_query_may_stand_on_several_lines(world: Api):
    plain = await world.ask(
        "Datastreams?$filter=name eq 'weir level'&$expand=Observations($top=1;$orderby=result desc)"
    )
    spread = (
        "Datastreams?%20%20$filter=name%20eq%20'weir level'&%0A%20$expand="
        "Observations(%20$top=1;%20%20$orderby=result%20desc)"
    )
    assert await world.ask(spread) == plain


async def test_grafana_asks_for_a_window_of_a_datastream(filled: Api):
    (stream,) = (await filled.ask("Datastreams?$filter=name eq 'weir level'&$select=@iot.id,name"))["value"]
    condition = "phenomenonTime ge 2021-03-05T06:45:00.000Z and phenomenonTime le 2021-03-05T09:00:00.000Z"
    query = f"$orderby=phenomenonTime asc&$filter={condition}&$top=1"
    rows = await walked(filled, f"Datastreams({stream['@iot.id']})/Observations?{query}")
    assert [row["result"] for row in rows] == [2.0, 3.0]


async def test_a_dashboard_asks_for_the_newest_of_everything(filled: Api):
    newest_row = "Observations($top=1;$orderby=phenomenonTime desc;$select=result,phenomenonTime)"
    inner = f"$expand={newest_row},ObservedProperty($select=name)"
    found = await filled.ask(
        f"Things?$filter=Datastreams/id ne null&$expand=Locations($select=location),"
        f"Datastreams({inner};$select=name,unitOfMeasurement)"
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
