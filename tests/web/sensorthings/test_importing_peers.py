"""What other servers do otherwise: each is imported whole, once, and with what belongs together."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from nilometer.config import Config
from nilometer.errors import RequestError
from nilometer.pipeline import Pipeline
from nilometer.web.app import create_app
from nilometer.web.sensorthings.incoming.documents import document_of
from nilometer.web.sensorthings.incoming.holder import Holder
from nilometer.web.sensorthings.incoming.origin import Origin
from nilometer.web.sensorthings.incoming.taking import Taking, Wishes
from tests.web.sensorthings.peers import HydroServer, IstSos


async def no_pause(_: float) -> None:
    return


async def take(peer, client, **access):
    origin = Origin(peer.url, pause=no_pause, **access)
    try:
        report = await Taking(origin, Holder(client), Wishes(), dry=False, told=lambda _: None).run()
    finally:
        await origin.close()
    return report.document()


async def values(client, path):
    return (await client.get(f"/v1.1/{path}")).json()["value"]


@pytest_asyncio.fixture
async def here(tmp_path):
    """A folder without a configuration, reached in process."""
    pipeline = Pipeline(tmp_path, Config())
    await pipeline.start()
    try:
        transport = httpx.ASGITransport(app=create_app(pipeline))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client
    finally:
        await pipeline.close()


async def test_data_arrays_without_a_next_link_are_read_to_the_empty_one(here, monkeypatch):
    monkeypatch.setattr("nilometer.web.sensorthings.incoming.stream.ROWS", 4)
    with IstSos(rows=11) as peer:
        report = await take(peer, here)
        assert (report["new"]["Observation"], report["left_out"]) == (11, {})
        rows = await values(here, "Observations?$orderby=phenomenonTime&$expand=FeatureOfInterest($select=name)")
        assert [(row["result"], row["FeatureOfInterest"]["name"]) for row in rows] == [
            (n / 2, "Weir") for n in range(1, 12)
        ]
        assert sum("dataArray" in asked for asked in peer.asked) == 3  # 5 to 8, 9 to 11, none
        assert (await take(peer, here))["new"] == {}


async def test_an_expansion_that_was_cut_is_asked_for_by_its_own_path(here):
    with IstSos(rows=0) as peer:
        report = await take(peer, here)
    assert report["new"]["Datastream"] == 3
    assert [one["name"] for one in await values(here, "Datastreams?$orderby=name")] == ["Level 1", "Level 2", "Level 3"]


async def test_each_datastream_has_its_own_sensor_whatever_a_list_says(here):
    with HydroServer() as peer:
        await take(peer, here)
    found = await values(here, "Datastreams?$orderby=name&$expand=Sensor,ObservedProperty")
    assert [(one["name"], one["Sensor"]["name"], one["ObservedProperty"]["name"]) for one in found] == [
        ("Tide 河", "Tide gauge", "tide"),
        ("Wind", "Anemometer", "wind"),
    ]


async def test_rows_that_name_no_feature_come_once(here):
    with HydroServer() as peer:
        first = await take(peer, here)
        assert first["new"]["Observation"] == 2
        peer.rows["a-1"].append(("q-0", "2026-01-01 00:20:00+00:00", 2.5))  # its id is not the last
        peer.rows["a-1"].sort()
        second = await take(peer, here)
    assert (second["new"], second["known"]["Observation"]) == ({"Observation": 1}, 2)
    rows = await values(here, "Observations?$orderby=phenomenonTime")
    assert [row["result"] for row in rows] == [1.5, -9999, 2.5]
    assert rows[0]["phenomenonTime"] == "2026-01-01T00:00:00Z"


async def test_a_server_that_refuses_so_many_rows_is_asked_for_fewer(here):
    with HydroServer() as peer:
        await take(peer, here)
        tops = [asked for asked in peer.asked if "/Observations" in asked]
    assert ["top=5000" in asked for asked in tops] == [True, False, False]


async def test_what_cannot_be_ordered_comes_as_it_is_and_is_told(here):
    with HydroServer() as peer:
        report = await take(peer, here)
        assert [asked for asked in peer.asked if asked.startswith("Locations?")][-1] == "Locations?$top=100"
    assert "Locations there: they come in no order by id, so a page may have missed one" in report["notes"]


async def test_a_server_that_is_down_for_a_while_is_still_asked_for_its_order(here):
    with IstSos(rows=0, down=5) as peer:
        report = await take(peer, here)
        things = [asked for asked in peer.asked if asked.startswith("Things?")]
    assert ["$orderby" in asked for asked in things] == [True, True, True, False, True, True]
    assert (report["new"]["Thing"], report["notes"]) == (1, [])


async def test_coordinates_that_are_texts_become_numbers(here):
    with HydroServer() as peer:
        report = await take(peer, here)
    near = "Locations?$filter=geo.distance(location,geography'POINT(-111.75 41.5)') lt 0.001&$select=location"
    (found,) = await values(here, near)
    assert found["location"]["geometry"]["coordinates"] == [-111.75, 41.5]
    assert any("location.coordinates: texts" in note for note in report["notes"])
    line = {"type": "LineString", "coordinates": [["1", 2], ["1e-3", "x"]], "name": "7"}
    document, left = document_of("FeatureOfInterest", {"feature": line, "name": "n"}, "u", 1)
    assert document["feature"] == {**line, "coordinates": [[1.0, 2], [0.001, "x"]]}
    assert len(left) == 2  # and there is no description


async def test_a_key_in_a_header_goes_with_each_request(here):
    with IstSos(rows=0) as peer:
        await take(peer, here, header="X-Api-Key:  a:b ")
        assert {one["x-api-key"] for one in peer.headers} == {"a:b"}
    for wrong in ("X-Api-Key", "X Key: a", ": a", "X-Key: a\r\nX-Other: b"):
        with pytest.raises(RequestError, match="begins no header"):
            Origin(peer.url, header=wrong)
