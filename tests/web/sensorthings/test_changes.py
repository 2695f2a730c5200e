"""Entities are made, changed and deleted as the standard has it, on the catalog and the lake of the platform."""

from __future__ import annotations

import asyncio
import contextlib
import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer import units
from nilometer.errors import RequestError, StoreFull
from nilometer.store import Store
from nilometer.web.sensorthings.changes.json_patch import patched
from nilometer.web.sensorthings.changes.unit_text import understood
from tests.web.api.test_derived import TABLE as DERIVED
from tests.web.conftest import NOON, open_station

PATCHES = "application/json-patch+json"
POINT = {"type": "Point", "coordinates": [8.0, 51.0, 3.5]}
LOCATION = {
    "name": "Jetty",
    "description": "wood",
    "encodingType": "application/vnd.geo+json",
    "location": {"type": "Feature", "geometry": POINT},
}
SENSOR = {"name": "Meter", "description": "s", "encodingType": "application/pdf", "metadata": {"any": [1]}}
OBSERVED = {"name": "Flux", "definition": "http://example.org/flux", "description": "of light"}
DATASTREAM = {
    "name": "Light",
    "description": "d",
    "unitOfMeasurement": {"name": "lumen 河", "symbol": "lm", "definition": None},
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "properties": {"deep": {"a": [1, None, "'"]}},
    "Sensor": SENSOR,
    "ObservedProperty": OBSERVED,
}
THING = {"name": "Buoy", "description": "", "properties": {"colour": "red"}, "Locations": [LOCATION]}
TIMES = ("2015-03-03T00:00:00Z", "2015-03-04T00:00:00Z", "2015-03-05T00:00:00Z")


def whole(results=(3, "text")):
    """A Thing with all that can come with it."""
    observations = [{"phenomenonTime": time, "result": value} for time, value in zip(TIMES, results, strict=False)]
    return {**THING, "Datastreams": [{**DATASTREAM, "Observations": observations}]}


async def send(station, method, path, body=None, status=200, media_type="application/json"):
    content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
    url = path if path.startswith("http") else f"/v1.1/{path}"
    answer = await station.client.request(method, url, content=content, headers={"content-type": media_type})
    assert answer.status_code == status, (method, path, answer.status_code, answer.text[:500])
    return msgspec.json.decode(answer.content) if answer.content else None


async def make(station, path, body):
    return (await send(station, "POST", path, body, 201))["@iot.id"]


async def counts(station):
    sets = [one["name"] for one in (await station.json("/v1.1"))["value"]]
    return {name: (await station.json(f"/v1.1/{name}?$count=true&$top=0"))["@iot.count"] for name in sets}


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_a_deep_insert_comes_back_as_it_was_sent_and_goes_with_its_thing(backend, request, tmp_path):
    url = request.getfixturevalue("postgres").database() if backend == "postgresql" else None
    async with open_station(tmp_path, catalog_url=url) as station:
        before = await counts(station)
        thing = await make(station, "Things", whole())
        expand = "$expand=Locations,HistoricalLocations,Datastreams($expand=Sensor,ObservedProperty,Observations)"
        found = await station.json(f"/v1.1/Things({thing})?{expand}")
        stream = found["Datastreams"][0]
        for given, read in [(THING, found), (LOCATION, found["Locations"][0]), (DATASTREAM, stream)]:
            plain = {name: value for name, value in given.items() if name[0].islower()}
            assert {name: read[name] for name in plain} == plain
        assert stream["Sensor"]["metadata"] == SENSOR["metadata"]
        assert [one["result"] for one in stream["Observations"]] == [3, "text"]
        assert (stream["phenomenonTime"], stream["observedArea"]) == ("/".join(TIMES[:2]), POINT)
        assert len(found["HistoricalLocations"]) == 1
        moment = station.moment()
        await send(station, "DELETE", f"Things({thing})")
        after = await counts(station)
        assert after == before | {
            "Locations": before["Locations"] + 1,
            "Sensors": before["Sensors"] + 1,
            "ObservedProperties": before["ObservedProperties"] + 1,
            "FeaturesOfInterest": before["FeaturesOfInterest"] + 1,
        }
        await send(station, "GET", f"Datastreams({stream['@iot.id']})", status=404)
        again = await make(station, "Things", whole())
        assert again > thing
    async with open_station(tmp_path, catalog_url=url) as station:
        then = await station.json(f"/v1.1/Observations?as_of={moment}&$expand=FeatureOfInterest")
        assert [one["result"] for one in then["value"]] == [3, "text"]
        assert (await counts(station))["Observations"] == 2


async def test_a_part_that_cannot_be_undoes_all_of_it(station):
    before = await counts(station)
    bad = [
        (("Datastreams", 0, "Sensor", "name"), None, "$.Datastreams[0].Sensor.name"),
        (("Datastreams", 0, "Observations", 1, "phenomenonTime"), "yesterday", "$.Datastreams[0].Observations[1]"),
        (("Datastreams", 0, "ObservedProperty"), {"@iot.id": 999}, "$.Datastreams[0].ObservedProperty"),
        (("Datastreams", 0, "properties"), {"nilometer": {"profile": "no/such"}}, "$.Datastreams[0].properties"),
        (("Datastreams", 0, "properties"), {"nilometer": {"mark_scheme": "none"}}, "$.Datastreams[0].properties"),
        (("Datastreams", 0, "properties"), {"nilometer": {"identity": [1]}}, "$.Datastreams[0].properties"),
        (("Datastreams", 0, "unitOfMeasurement"), "m", "$.Datastreams[0].unitOfMeasurement"),
        (("Datastreams", 0, "name"), 5, "$.Datastreams[0].name"),
        (("Locations",), LOCATION, "$.Locations"),
        (("Locatoins",), [], "$.Locatoins"),
    ]
    for path, value, place in bad:
        body = copy.deepcopy(whole())
        part = body
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        answer = await send(station, "POST", "Things", body, 400)
        assert answer["error"]["place"].startswith(place), answer
        assert await counts(station) == before


async def test_a_store_that_takes_no_rows_takes_no_entities_either_now_or_after_a_crash(tmp_path, monkeypatch):
    async with open_station(tmp_path) as station:
        before = await counts(station)

        async def refuse(_rows):
            raise StoreFull("no space is left")

        with monkeypatch.context() as patch:
            patch.setattr(station.pipeline.changes, "_ingest", refuse)  # a full disk, when the rows come
            await send(station, "POST", "Things", whole(), 507)
            assert await counts(station) == before
            # A crash at the same place: nothing is taken back any more.
            patch.setattr("nilometer.pipeline.changing._undo", lambda *_: None)
            await send(station, "POST", "Things", whole(), 507)
        assert await counts(station) != before
    async with open_station(tmp_path) as station:
        assert await counts(station) == before
        await make(station, "Things", whole())
    async with open_station(tmp_path) as station:
        assert (await counts(station))["Observations"] == 2


async def test_a_crash_between_catalog_and_lake_finishes_a_delete(tmp_path, monkeypatch):
    async with open_station(tmp_path) as station:
        thing = await make(station, "Things", whole())
        with monkeypatch.context() as patch:
            patch.setattr(Store, "delete", lambda *_, **__: 0)  # the process ends where the rows would go
            await send(station, "DELETE", f"Things({thing})")
        assert (await counts(station))["Observations"] == 2
    async with open_station(tmp_path) as station:
        assert (await counts(station))["Observations"] == 0


async def test_an_observation_brings_what_it_belongs_to_and_a_location_its_things(station):
    datastream = {**DATASTREAM, "Thing": THING}
    feature = {"name": "Sea", "description": "", "encodingType": "application/geo+json", "feature": POINT}
    made = await send(
        station, "POST", "Observations", {"result": 1, "Datastream": datastream, "FeatureOfInterest": feature}, 201
    )
    link = made["@iot.selfLink"]
    assert (await station.json(f"{link}/Datastream/Thing"))["name"] == "Buoy"
    assert (await station.json(f"{link}/FeatureOfInterest"))["feature"] == POINT
    place = await make(station, "Locations", {**LOCATION, "Things": [{"name": "A", "description": ""}]})
    thing = (await station.json(f"/v1.1/Locations({place})/Things"))["value"][0]["@iot.id"]
    assert (await station.json(f"/v1.1/Things({thing})/HistoricalLocations?$count=true"))["@iot.count"] == 1
    number = (await station.json(f"{link}/Datastream"))["@iot.id"]
    sensor = await make(station, "Sensors", {**SENSOR, "Datastreams": [{"@iot.id": number}]})
    assert (await station.json(f"{link}/Datastream/Sensor"))["@iot.id"] == sensor
    contradicts = {**DATASTREAM, "Thing": {"@iot.id": thing + 1}}
    await send(station, "POST", f"Things({thing})/Datastreams", contradicts, 400)


async def test_a_thing_that_moves_has_a_history_and_another_feature(station):
    thing = await make(station, "Things", {**THING, "Datastreams": [DATASTREAM]})
    stream = (await station.json(f"/v1.1/Things({thing})/Datastreams"))["value"][0]["@iot.id"]
    path = f"Datastreams({stream})/Observations"

    async def feature():
        made = await send(station, "POST", path, {"result": 1}, 201)
        return (await station.json(f"{made['@iot.selfLink']}/FeatureOfInterest"))["@iot.id"]

    here = await asyncio.gather(*(feature() for _ in range(20)))
    assert len(set(here)) == 1
    station.clock.now += 1_000_000
    other = {**LOCATION, "name": "Pier", "location": {"type": "Point", "coordinates": [9, 50]}}
    pier = await make(station, f"Things({thing})/Locations", other)
    moved = await feature()
    assert moved not in here
    assert (await station.json(f"/v1.1/FeaturesOfInterest({moved})"))["feature"] == other["location"]
    jetty = (await station.json(f"/v1.1/Things({thing})/HistoricalLocations?$orderby=time&$expand=Locations"))["value"]
    assert [one["Locations"][0]["name"] for one in jetty] == ["Jetty", "Pier"]
    old = jetty[0]["Locations"][0]["@iot.id"]
    past = {"time": "2001-01-01T00:00:00Z", "Thing": {"@iot.id": thing}, "Locations": [{"@iot.id": old}]}
    await make(station, "HistoricalLocations", past)
    assert (await station.json(f"/v1.1/Things({thing})/Locations"))["value"][0]["@iot.id"] == pier
    await make(station, "HistoricalLocations", past | {"time": "2031-01-01T00:00:00Z"})
    assert (await station.json(f"/v1.1/Things({thing})/Locations"))["value"][0]["@iot.id"] == old
    assert await feature() == here[0]
    await send(station, "DELETE", f"FeaturesOfInterest({here[0]})")
    assert (await station.json(f"/v1.1/{path}?$count=true"))["@iot.count"] == 1
    assert await feature() not in {*here, moved}
    await send(station, "DELETE", f"Locations({old})")
    left = (await station.json(f"/v1.1/Things({thing})/HistoricalLocations"))["value"]
    assert len(left) == 1
    await send(station, "DELETE", f"Locations({pier})")
    nowhere = await make(station, "Things", {"name": "Lost", "description": "", "Datastreams": [DATASTREAM]})
    lost = (await station.json(f"/v1.1/Things({nowhere})/Datastreams"))["value"][0]["@iot.id"]
    await send(station, "POST", f"Datastreams({lost})/Observations", {"result": 1}, 400)


async def test_history_that_comes_with_its_location_is_of_that_location(station):
    past = {"time": TIMES[0], "Thing": {"name": "Buoy", "description": ""}}
    other = past | {"Locations": [LOCATION | {"name": "Bay"}]}
    location = await make(station, "Locations", LOCATION | {"HistoricalLocations": [past, other]})
    found = await station.json(f"/v1.1/Locations({location})/HistoricalLocations?$expand=Locations,Thing/Locations")
    assert [sorted(one["name"] for one in item["Locations"]) for item in found["value"]] == [
        ["Jetty"],
        ["Bay", "Jetty"],
    ]
    assert [item["Thing"]["Locations"] for item in found["value"]] == [item["Locations"] for item in found["value"]]


async def test_observations_are_revised_and_deleted_and_the_datastream_follows(station):
    thing = await make(station, "Things", whole((1, 2, 3)))
    stream = (await station.json(f"/v1.1/Things({thing})/Datastreams"))["value"][0]
    mine = (await station.json(f"{stream['@iot.selfLink']}/Observations?$orderby=phenomenonTime"))["value"]
    first, middle, last = (one["@iot.selfLink"] for one in mine)
    moment = station.moment()

    async def span():
        return (await station.json(stream["@iot.selfLink"])).get("phenomenonTime")

    body = {"parameters": {"qc": 1}, "resultTime": TIMES[2], "validTime": "/".join(TIMES[:2])}
    revised = await send(station, "PATCH", middle, body)
    assert {**mine[1], **body, "result": 2.0} == revised | {"validTime": body["validTime"]}
    assert (await send(station, "PATCH", middle, {"result": [1, {}]}))["result"] == [1, {}]
    await send(station, "PATCH", last, {"phenomenonTime": "2020-01-01T00:00:00Z"})
    assert await span() == f"{TIMES[0]}/2020-01-01T00:00:00Z"
    operations = [{"op": "test", "path": "/parameters/qc", "value": 1}, {"op": "remove", "path": "/parameters"}]
    assert "parameters" not in await send(station, "PATCH", middle, operations, media_type=PATCHES)
    await send(station, "PATCH", middle, [operations[0]], 400, PATCHES)
    (*_, noted) = station.pipeline.store.catalog.ledger.audit("observation.update")
    assert (noted.subject, noted.detail) == (f"Observation/{mine[1]['@iot.id']}", {"changed": ["parameters"]})
    replaced = await send(station, "PUT", middle, {"result": True, "phenomenonTime": TIMES[1]})
    assert (replaced["result"], replaced["resultTime"], "validTime" in replaced) == (True, None, False)
    await send(station, "DELETE", last)
    assert await span() == "/".join(TIMES[:2])
    await send(station, "DELETE", last, status=404)
    await send(station, "PATCH", last, {"result": 1}, 404)
    then = await station.json(f"{stream['@iot.selfLink']}/Observations?as_of={moment}&$orderby=phenomenonTime")
    assert [one["result"] for one in then["value"]] == [1, 2, 3]
    await send(station, "DELETE", first)
    await send(station, "DELETE", middle)
    assert await span() is None


async def test_entities_are_patched_replaced_and_linked(station):
    thing = f"Things({await make(station, 'Things', whole())})"
    stream = (await station.json(f"/v1.1/{thing}/Datastreams"))["value"][0]
    path = f"Datastreams({stream['@iot.id']})"
    assert (await send(station, "PATCH", path, {"properties": {"a": 1}}))["properties"] == {"a": 1}
    assert (await send(station, "PUT", path, {name: stream[name] for name in stream if name[0].islower()}))["name"]
    replaced = await send(station, "PUT", thing, {"name": "N", "description": "D"})
    assert (replaced["name"], "properties" in replaced) == ("N", False)
    operations = [
        {"op": "add", "path": "/properties/x", "value": [1]},
        {"op": "replace", "path": "/name", "value": "M"},
    ]
    after = await send(station, "PATCH", thing, operations, media_type=PATCHES)
    assert (after["name"], after["properties"]) == ("M", {"x": [1]})
    await send(station, "PATCH", thing, {"name": None}, 400)
    await send(station, "PUT", thing, {"name": "N"}, 400)
    await send(station, "PATCH", path, {"Sensor": SENSOR}, 400)
    sensor = await make(station, "Sensors", SENSOR)
    await send(station, "PATCH", path, {"Sensor": {"@iot.id": sensor}})
    assert (await station.json(f"/v1.1/{path}/Sensor"))["@iot.id"] == sensor
    place = await make(station, "Locations", LOCATION)
    await send(station, "POST", f"{thing}/Locations/$ref", {"@odata.id": f"http://x/v1.1/Locations({place})"}, 204)
    assert (await station.json(f"/v1.1/{thing}/Locations"))["value"][0]["@iot.id"] == place
    await send(station, "DELETE", f"{thing}/Locations({place})/$ref", status=204)
    assert (await station.json(f"/v1.1/{thing}/Locations"))["value"] == []
    await send(station, "DELETE", f"{path}/Thing/$ref?$id=Things(1)", status=409)
    await send(station, "DELETE", f"Sensors({sensor})")
    await send(station, "GET", path, status=404)
    await send(station, "PATCH", "Things(999)", {"name": "x"}, 404)
    await send(station, "DELETE", "Things", status=405)
    audit = station.pipeline.store.catalog.ledger.audit("entity.delete")
    assert (audit[-1].subject, audit[-1].detail["name"]) == (f"Sensor/{sensor}", "Meter")


async def test_what_the_configuration_declares_and_what_is_accounted_for_stays(station):
    for path in ("Things(1)", "Datastreams(1)", "Locations(1)", "ObservedProperties(1)"):
        answer = await send(station, "DELETE", path, status=409)
        assert "nilometer.toml" in answer["error"]["message"]
    await send(station, "PATCH", "Things(1)", {"name": "x"}, 409)
    await send(station, "PATCH", "Datastreams(1)", {"unitOfMeasurement": DATASTREAM["unitOfMeasurement"]}, 409)
    assert (await send(station, "PATCH", "Datastreams(1)", {"description": "mine"}))["description"] == "mine"
    await make(station, "Things(1)/Datastreams", DATASTREAM)
    mine = {**DATASTREAM, "unitOfMeasurement": {"name": "pH", "symbol": "", "definition": "ucum:1"}}
    mine["properties"] = {"nilometer": {"key": "mine", "profile": "river/ph", "property": "ph"}}
    stream = await make(station, "Things(1)/Datastreams", mine)
    made = await send(station, "POST", f"Datastreams({stream})/Observations", {"result": 77}, 201)
    quality = (await station.json(made["@iot.selfLink"]))["resultQuality"]
    assert (quality["flag"], quality["profile"]["name"]) == (4, "river/ph")
    certificate = {"kind": "polynomial", "coefficients": [0.0, 1.0]}
    station.pipeline.store.catalog.add_calibration(stream, 0, certificate)
    assert "calibrations" in (await send(station, "DELETE", f"Datastreams({stream})", status=409))["error"]["message"]


async def test_a_unit_that_is_not_understood_is_kept_and_never_taken_for_another(station):
    stream = await make(station, "Things(1)/Datastreams", DATASTREAM)
    catalog = station.pipeline.store.catalog
    assert catalog.datastream(stream).unit == units.UNKNOWN
    answer = await station.client.get(f"/api/v1/datastreams/{stream}")
    assert (answer.status_code, answer.json()["unit"]) == (200, "unknown")
    assert (await station.client.get("/api/v1/things")).status_code == 200
    judged = {"properties": {"nilometer": {"profile": "river/ph"}}}
    assert (
        "unitOfMeasurement" in (await send(station, "PATCH", f"Datastreams({stream})", judged, 400))["error"]["message"]
    )
    said = {"properties": {"nilometer": {"unit": "lx"}}}
    await send(station, "PATCH", f"Datastreams({stream})", said, 400)
    assert understood({"symbol": "µS/cm", "name": "microsiemens", "definition": "ucum:uS/cm"}) == "uS cm-1"
    assert understood({"symbol": "m", "definition": "ucum:kg"}) == units.UNKNOWN
    assert understood({"symbol": "", "name": None}) == units.UNKNOWN


async def test_what_a_filter_chooses_is_deleted_only_where_that_is_allowed(tmp_path):
    chosen = "Observations?$filter=result gt 1 and parameters/qc eq null"
    async with open_station(tmp_path / "off") as station:
        await make(station, "Things", whole((1, 2, 3)))
        assert "delete_by_filter" in (await send(station, "DELETE", chosen, status=405))["error"]["message"]
    async with open_station(tmp_path / "on", server={"delete_by_filter": True}) as station:
        thing = await make(station, "Things", whole((1, 2, 3)))
        await make(station, "Things", whole((4, "text")))
        moment = station.moment()
        assert await send(station, "DELETE", chosen) == {"deleted": 3}
        left = (await station.json("/v1.1/Observations?$select=result"))["value"]
        assert sorted(str(one["result"]) for one in left) == ["1", "text"]
        assert (await station.json(f"/v1.1/Observations?$count=true&$top=0&as_of={moment}"))["@iot.count"] == 5
        stream = (await station.json(f"/v1.1/Things({thing})/Datastreams"))["value"][0]
        assert stream["phenomenonTime"] == f"{TIMES[0]}/{TIMES[0]}"
        assert await send(station, "DELETE", f"Datastreams({stream['@iot.id']})/{chosen}") == {"deleted": 0}
        for query in ("$filter=result gt 1&$top=1", "$filter=", "$filter=nothing eq 1"):
            await send(station, "DELETE", f"Observations?{query}", status=400)
        await send(station, "DELETE", "Things?$filter=id eq 1", status=405)


async def test_a_body_that_is_too_large_or_cut_makes_nothing(station):
    before = await counts(station)
    assert "16777216" in (await send(station, "POST", "Things", b" " * (16 * 2**20 + 1), 413))["error"]["message"]

    async def cut():
        yield msgspec.json.encode(whole())[:-20]
        raise ConnectionResetError

    with contextlib.suppress(ConnectionResetError):
        await station.client.post("/v1.1/Things", content=cut(), headers={"content-type": "application/json"})
    assert await counts(station) == before


ODD = [
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\x00",
    "é'",
    [],
    [None],
    {},
    {"@iot.id": 1},
    {"@iot.id": 2**70},
    {"@iot.id": "1"},
]
ODD += [{"nilometer": value} for value in ([], {"key": 5}, {"unit": []}, {"time_zone": "../x"}, {"origin": []})]


def places(document, path=()):
    """Every place in a document."""
    if path:
        yield path
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for step, value in pairs:
        yield from places(value, (*path, step))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["Things", "Observations", "HistoricalLocations"])
async def test_whatever_stands_at_any_place_of_a_body_is_made_or_refused_with_its_place(refusing, kind):
    bodies = {
        "Things": whole(),
        "Observations": {"result": 1, "phenomenonTime": TIMES[0], "Datastream": {**DATASTREAM, "Thing": THING}},
        "HistoricalLocations": {"time": TIMES[0], "Thing": {"@iot.id": 1}, "Locations": [LOCATION]},
    }
    for number, path in enumerate(places(bodies[kind])):
        body = copy.deepcopy(bodies[kind])
        part = body
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = ODD[number % len(ODD)]
        answer = await refusing.client.post(
            f"/v1.1/{kind}", content=msgspec.json.encode(body), headers={"content-type": "application/json"}
        )
        assert answer.status_code in {201, 400, 409}, (path, answer.text)
        assert answer.status_code == 201 or answer.json()["error"]["place"].startswith("$"), (path, answer.text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
POINTERS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "~1", ""]), max_size=3).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTERS},
    optional={"from": POINTERS, "value": JSON},
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("ab"), JSON, max_size=2), st.lists(OPERATIONS, max_size=4))
def test_a_json_patch_is_done_or_refused_and_never_half(document, operations):
    before = copy.deepcopy(document)
    with contextlib.suppress(RequestError):
        patched(document, operations)
    assert document == before
    undone = patched(
        patched(document, [{"op": "add", "path": "/new", "value": [1]}]), [{"op": "remove", "path": "/new"}]
    )
    assert undone == {name: value for name, value in document.items() if name != "new"}


async def test_what_was_derived_and_what_was_signed_follows_or_refuses(station):
    made = await station.client.post("/api/v1/derived", json=DERIVED)
    derived = f"Datastreams({made.json()['datastream']})"
    await station.ingest("river/dissolved_oxygen", NOON, [8.0, 8.1, 8.2])
    await station.ingest("sea/water_temperature", NOON, [12.0, 12.5, 13.0])
    oxygen = f"Datastreams({station.id('river/dissolved_oxygen')})/Observations?$orderby=phenomenonTime"
    first, middle, last = (one["@iot.selfLink"] for one in (await station.json(f"/v1.1/{oxygen}"))["value"])

    async def results():
        rows = await station.json(f"/v1.1/{derived}/Observations?$select=result&$orderby=phenomenonTime")
        return [one["result"] for one in rows["value"]]

    before = await results()
    assert len(before) == 3
    await send(station, "PATCH", middle, {"result": 4.05})
    changed = await results()
    assert changed[::2] == before[::2]
    assert changed[1] == pytest.approx(before[1] / 2, rel=1e-3)
    await send(station, "DELETE", first)
    assert await results() == changed[1:]
    row = (await station.json(f"/v1.1/{derived}/Observations"))["value"][0]["@iot.selfLink"]
    for method, path in (("DELETE", row), ("DELETE", derived)):
        assert "derived" in (await send(station, method, path, status=409))["error"]["message"]
    await send(station, "PATCH", row, {"result": 1}, 409)
    span = {"start": "2021-03-05T12:01:30Z", "end": "2021-03-05T13:00:00Z", "by": "Li", "reason": "other"}
    step = {"action": "sign_off", "datastreams": ["river/dissolved_oxygen"], "level": "first", **span}
    signed = await station.client.post("/api/v1/reviews", json=step)
    assert signed.status_code in {200, 201}, signed.text
    for method, body in (("DELETE", None), ("PATCH", {"result": 1})):
        assert "signed" in (await send(station, method, last, body, 409))["error"]["message"]
    await send(station, "PATCH", middle, {"result": 4})


async def test_rows_that_are_sent_again_after_a_move_are_known_by_their_old_water(station):
    thing = await make(station, "Things", {**THING, "Datastreams": [DATASTREAM]})
    stream = (await station.json(f"/v1.1/Things({thing})/Datastreams"))["value"][0]["@iot.id"]
    key = station.pipeline.store.catalog.datastream(stream).key
    await station.ingest(key, NOON, [1.0, 2.0])
    await make(
        station, f"Things({thing})/Locations", {**LOCATION, "location": {"type": "Point", "coordinates": [0, 0]}}
    )
    again = await station.ingest(key, NOON, [1.0, 2.5, 3.0])
    assert (again.unchanged, again.revised, again.accepted) == (1, 1, 1)
    rows = (await station.json(f"/v1.1/Datastreams({stream})/Observations?$expand=FeatureOfInterest"))["value"]
    assert len({row["FeatureOfInterest"]["@iot.id"] for row in rows}) == 2
