"""A station with a MultiDatastream: every other room passes its rows by, and none stumbles over them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nilometer.cli.exporting import export_rows
from nilometer.pipeline.retaining import Retaining
from nilometer.store.integrity import examine
from nilometer.web.sensorthings.members import member_of
from nilometer.web.sensorthings.query.bound import AllOf, AnyOf, Exists, IsNull, Not, Truth, holds_of_nothing
from tests.web.api.test_live import Stream
from tests.web.conformance.test_multi_datastreams import multi
from tests.web.conftest import NOON, Station, open_station
from tests.web.test_as_of import seal

API = "/api/v1"


async def make(station: Station, *results: Any) -> int:
    """Make a MultiDatastream of the river with some rows."""
    thing = station.pipeline.store.catalog.thing_by_key("river")
    rows = [{"phenomenonTime": f"2021-03-05T12:0{n}:00Z", "result": result} for n, result in enumerate(results)]
    answer = await station.client.post(f"/v1.1/Things({thing.id})/MultiDatastreams", json=multi(Observations=rows))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["@iot.id"])


async def results(station: Station, path: str) -> list[Any]:
    return [one["result"] for one in (await station.json(f"/v1.1/{path}"))["value"]]


async def test_listings_of_datastreams_do_not_know_it(station):
    before = await station.json(f"{API}/datastreams")
    number = await make(station, [1, 2], [3, 4])
    await station.ingest("river/ph", NOON, [7.0])
    after = await station.json(f"{API}/datastreams")
    assert [one["key"] for one in after["datastreams"]] == [one["key"] for one in before["datastreams"]]
    for path in (f"{API}/datastreams/{number}", f"{API}/datastreams/river/multi/observations"):
        await station.json(path, 404)
    latest = await station.client.get(f"{API}/latest?format=csv")
    assert "river/ph" in latest.text
    assert "river/multi" not in latest.text
    for path in (f"{API}/things", f"{API}/things/river", f"{API}/things/river/verdict", "/health"):
        await station.json(path)
    assert (await station.client.get("/metrics")).status_code == 200
    deletion = {"datastreams": [number], "comment": "x"}
    assert (await station.client.request("DELETE", f"{API}/observations", json=deletion)).status_code in {400, 404, 422}
    assert await results(station, f"MultiDatastreams({number})/Observations") == [[1, 2], [3, 4]]


async def test_the_live_stream_of_all_leaves_it_out(station):
    number = await make(station)
    stream = Stream(station.app)
    assert await stream.status() == 200
    answer = await station.client.post(f"/v1.1/MultiDatastreams({number})/Observations", json={"result": [1, 2]})
    assert answer.status_code == 201
    await station.ingest("river/ph", NOON, [7.0])
    assert list((await stream.event("observations"))["rows"]) == [str(station.id("river/ph"))]
    await stream.close()


async def test_its_rows_are_sealed_and_found_after_a_restart_and_after_it_was_deleted(tmp_path):
    folder = tmp_path / "data"
    async with open_station(folder) as station:
        number = await make(station, [1, 2], [3, 4])
        await asyncio.to_thread(seal, station)
    async with open_station(folder) as station:
        path = f"MultiDatastreams({number})/Observations"
        assert await results(station, path) == [[1, 2], [3, 4]]
        answer = await station.client.post(f"/v1.1/{path}", json={"result": [5, 6]})
        row = answer.json()["@iot.id"]
        deleting = Retaining(station.pipeline.store, None, station.clock)
        assert await deleting.look() == 0
        before = station.moment()
        assert (await station.client.delete(f"/v1.1/MultiDatastreams({number})")).status_code == 200
        await station.json(f"/v1.1/Observations({row})", 404)
        found = await station.json(f"/v1.1/Observations({row})?as_of={before}")
        assert found["result"] == [5, 6]
        assert "MultiDatastream@iot.navigationLink" in found
        assert "Datastream@iot.navigationLink" not in found
        await asyncio.to_thread(seal, station)
    async with open_station(folder) as station:
        assert await results(station, f"Observations?as_of={before}&$select=result") == [[1, 2], [3, 4], [5, 6]]
        assert not await results(station, "Observations")
    assert all(finding.ok for finding in examine(folder))


async def test_an_insert_that_was_cut_off_is_taken_back(tmp_path):
    async with open_station(tmp_path) as station:
        number = await make(station)
        with station.pipeline.store.catalog.edit("leave a note", 5) as edit:
            edit.begin_insertion({"made": [["MultiDatastream", number]], "stood": [], "row": [number, NOON, 0]})
    async with open_station(tmp_path) as station:
        await station.json(f"/v1.1/MultiDatastreams({number})", 404)
        found = await station.json("/v1.1/ObservedProperties?$expand=MultiDatastreams&$filter=name eq 'current speed'")
        assert [one["MultiDatastreams"] for one in found["value"]] == [[]]


async def test_files_are_exported_beside_it(tmp_path):
    folder = tmp_path / "data"
    async with open_station(folder) as station:
        await make(station, [1, 2])
        await station.ingest("river/ph", NOON, [7.0])
    made = tmp_path / "out.csv"
    assert export_rows(folder, made) == 1
    assert "river/multi" not in made.read_text()


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (("[0]",), 1),
        (("[1]", "a"), 2),
        (("[1]", "a", "[0]"), None),
        (("[9]",), None),
        (("a",), None),
    ],
)
def test_elements_of_arrays_are_dug_out(members, found):
    assert member_of([1, {"a": 2}], members) == found


def test_what_is_not_there_has_nothing_but_null():
    absent, known = IsNull(None, 0), Truth(value=True)
    assert holds_of_nothing(absent)
    assert holds_of_nothing(AllOf((absent, known)))
    assert holds_of_nothing(AnyOf((absent, Truth(value=False))))
    assert holds_of_nothing(Not(Exists(None, known)))
    assert not holds_of_nothing(Exists(None, known))
    assert not holds_of_nothing(Not(absent))
    assert not holds_of_nothing(AllOf((absent, Truth(None))))
