"""A real server is imported into a folder: everything, over a bad line, once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from urllib.parse import quote

import httpx
import pytest

from nilometer.errors import LinkError, RequestError
from nilometer.web.sensorthings.incoming.documents import document_of
from nilometer.web.sensorthings.incoming.holder import held
from nilometer.web.sensorthings.incoming.origin import Origin, followed
from nilometer.web.sensorthings.incoming.rows import identity, read_page
from nilometer.web.sensorthings.incoming.taking import Taking, Wishes
from tests.system.meddler import Meddler
from tests.system.server import Server

PLAIN = 90
UNIT = {"name": "lumen 河", "symbol": "lm", "definition": None}
KIND = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
STRANGE = [
    {"deep": {"河": [1, None, "'\"\\"]}},
    [1, "two", None],
    "text ☃",
    True,
    2**70,
    -1.5e-300,
    3,
    "",
    None,
]
SEVERAL = [[n / 7, "two", None, {"n": [n]}] for n in range(30)]
FEATURE = {"name": "Spot", "description": "x", "encodingType": "application/geo+json"}


def place(name, x):
    point = {"type": "Point", "coordinates": [x, 51.5, 3.0]}
    return {"name": name, "description": "d", "encodingType": "application/geo+json", "location": point}


def stream(name, **more):
    return {
        "name": name,
        "description": "d",
        "unitOfMeasurement": UNIT,
        "observationType": KIND,
        "properties": {"a": {"b": [1, None]}},
        "Sensor": {"name": f"Meter of {name}", "description": "s", "encodingType": "text/html", "metadata": {"x": [1]}},
        "ObservedProperty": {"name": name, "definition": f"http://example.org/{quote(name)}", "description": "of"},
        **more,
    }


def several(name, observed):
    """A MultiDatastream, of which one property comes twice."""
    one = stream(name)
    for key in ("unitOfMeasurement", "ObservedProperty"):
        del one[key]
    return {
        **one,
        "observationType": KIND.replace("OM_Observation", "OM_ComplexObservation"),
        "unitOfMeasurements": [UNIT, {**UNIT, "symbol": None}, UNIT, UNIT],
        "multiObservationDataTypes": [KIND] * 4,
        "ObservedProperties": [{"@iot.id": number} for number in observed],
    }


class Face:
    """The SensorThings face of a server, as anybody reads and writes it."""

    def __init__(self, address):
        self.root = f"{address}/v1.1"

    def post(self, path, body):
        answer = httpx.post(f"{self.root}/{path}", json=body, timeout=60)
        assert answer.is_success, answer.text
        return answer.json()

    def walk(self, path):
        url = f"{self.root}/{path}"
        while url:
            page = httpx.get(url, timeout=60).raise_for_status().json()
            yield from page["value"]
            url = page.get("@iot.nextLink")


def build(face):
    """A world with most of what the standard allows."""
    buoy = {
        "name": "浮标 “Ö”",
        "description": "",
        "properties": {"farbe": "rot", "n": [1.5, None]},
        "Locations": [place("Jetty", 8.0), {**place("Jetty as text", 8.0), "location": "beside the jetty"}],
        "Datastreams": [stream("Light"), stream("Words")],
    }
    thing = face.post("Things", buoy)["@iot.id"]
    old = face.post("Locations", place("Before", 7.0))["@iot.id"]
    face.post(
        "HistoricalLocations",
        {"time": "2019-05-01T00:00:00Z", "Thing": {"@iot.id": thing}, "Locations": [{"@iot.id": old}]},
    )
    face.post("Things", {"name": "Nowhere", "description": "no place", "Datastreams": [stream("Adrift")]})
    face.post("Sensors", stream("Unused")["Sensor"])
    light, words = (one["@iot.id"] for one in face.walk(f"Things({thing})/Datastreams?$orderby=id"))
    adrift = next(face.walk("Datastreams?$filter=name eq 'Adrift'"))["@iot.id"]
    times = [f"2020-01-01T{n // 60:02}:{n % 60:02}:00Z" for n in range(PLAIN)]
    rows = [[time, n / 7] for n, time in enumerate(times)] + [[times[40], 40 / 7], [times[40], 40 / 7]]
    face.post(
        "CreateObservations",
        [{"Datastream": {"@iot.id": light}, "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    for n, result in enumerate(STRANGE):
        body = {
            "phenomenonTime": f"2020-02-0{n + 1}T00:00:00Z/2020-02-0{n + 1}T06:00:00.250Z",
            "result": result,
            "resultTime": "2020-03-01T00:00:00.000123Z",
            "validTime": "2020-03-01T00:00:00Z/2021-03-01T00:00:00Z",
            "resultQuality": {"nameOfMeasure": "Güte", "DQ_Result": [{"code": n}]},
            "parameters": {"tiefe": 1.5, "n": [n]},
        }
        face.post(f"Datastreams({words})/Observations", body)
        spot = {**FEATURE, "feature": {"type": "Point", "coordinates": [n, n]}, "properties": {"n": n}}
        face.post(f"Datastreams({adrift})/Observations", {**body, "FeatureOfInterest": spot})
    observed = [face.post("ObservedProperties", stream(name)["ObservedProperty"])["@iot.id"] for name in "zya"]
    multi = {**several("Current", [observed[0], observed[1], observed[0], observed[2]]), "Thing": {"@iot.id": thing}}
    current = face.post("MultiDatastreams", multi)["@iot.id"]
    rows = [[f"2020-01-02T00:{n:02}:00.000Z", result] for n, result in enumerate(SEVERAL)]
    face.post(
        "CreateObservations",
        [{"MultiDatastream": {"@iot.id": current}, "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    checks = {**FEATURE, "feature": None, "properties": {"nilometer": {"sample_kind": "check"}}}
    body = {"phenomenonTime": "2020-01-02T00:00:00Z", "result": 4.0, "FeatureOfInterest": checks}
    face.post(f"Datastreams({adrift})/Observations", body)
    return light


def plain(entity):
    """An entity without ids, links and what is ours; related ones likewise, in any order."""
    found = {}
    for name, value in entity.items():
        if "@iot" in name:
            continue
        if name[0].isupper():
            parts = value if isinstance(value, list) else [value]
            found[name] = sorted(json.dumps(plain(one), sort_keys=True) for one in parts)
        else:
            found[name] = value
    found.get("properties", {}).pop("nilometer", None)
    return {name: value for name, value in found.items() if name != "properties" or value}


def world(face):
    """Everything a server has, as a multiset of its JSON."""
    paths = [
        "Things?$expand=Locations,HistoricalLocations($expand=Locations),Datastreams($expand=Sensor,ObservedProperty),"
        "MultiDatastreams($expand=Sensor,ObservedProperties)",
        "Locations",
        "Sensors",
        "ObservedProperties",
        "FeaturesOfInterest",
        "Observations?$expand=FeatureOfInterest,Datastream($select=name),MultiDatastream($select=name)",
        "Observations?samples=all&$expand=FeatureOfInterest,Datastream($select=name),MultiDatastream($select=name)",
    ]
    return {path: Counter(json.dumps(plain(one), sort_keys=True) for one in face.walk(path)) for path in paths}


async def take(url, folder, things=None, since=None, *, dry=False):
    waits = []

    async def pause(seconds):
        waits.append(seconds)

    origin = Origin(url, pause=pause)
    try:
        async with held(folder) as holder:
            taking = Taking(origin, holder, Wishes(things, since), dry=dry, told=lambda _: None)
            return (await taking.run()).document(), waits
    finally:
        await origin.close()


async def over_a_bad_line(line, folder):
    """Import again and again, each time a little further, until it is whole; return how often it was cut off."""
    line.cut_from, cuts = line.asked + 9, 0
    while True:
        try:
            await take(line.url, folder)
        except LinkError:
            line.cut_from, cuts = line.asked + 9 + 6 * cuts, cuts + 1
        else:
            return cuts


def test_a_whole_server_comes_over_a_bad_line_and_only_once(tmp_path, monkeypatch):
    monkeypatch.setattr("nilometer.web.sensorthings.incoming.stream.ROWS", 25)
    monkeypatch.setattr("nilometer.web.sensorthings.incoming.taking.PAGE", 1)
    there, folder = Server(tmp_path / "there"), tmp_path / "here"
    n = PLAIN + 2 + 2 * len(STRANGE) + len(SEVERAL) + 1

    async def first(line):
        line.busy = frozenset({2, 5})
        report, waits = await take(line.url, tmp_path / "counted", dry=True)
        assert report["new"]["Observation"] == n
        assert len(waits) == 2
        assert await over_a_bad_line(line, folder) >= 3
        line.cut_from = None
        report, _ = await take(line.url, folder)
        assert (report["new"], report["left_out"], report["notes"]) == ({}, {}, [])
        assert report["known"]["Thing"] == 2
        assert line.arrays >= 3
        report, _ = await take(line.url, folder, since="2020-01-15T00:00:00Z")
        assert (report["new"], report["known"]["Observation"]) == ({}, 2 * len(STRANGE))
        report, _ = await take(line.url, folder)
        assert (report["new"], report["known"]["Observation"]) == ({}, 2 * len(STRANGE) + 1)

    async def through_a_server(line):
        report, _ = await take(line.url, folder, "name ne 'Nowhere'")
        assert report["new"] == {"Observation": 2, "Thing": 1, "Location": 1, "HistoricalLocation": 1}
        return line.url

    async def with_line(step):
        server = await asyncio.start_server(meddler.handle, "127.0.0.1", port[0])
        port[0] = server.sockets[0].getsockname()[1]
        meddler.url = f"http://127.0.0.1:{port[0]}/v1.1"
        try:
            return await step(meddler)
        finally:
            server.close()

    meddler, port = Meddler(there.address), [0]
    try:
        face = Face(there.address)
        light = build(face)
        asyncio.run(with_line(first))
        # Late rows and a new Thing; now a server holds the folder.
        late = {"phenomenonTime": "2019-12-31T00:00:00Z", "result": 1}
        for _ in range(2):
            face.post(f"Datastreams({light})/Observations", late)
        face.post("Things", {"name": "New", "description": "n", "Locations": [place("Pier", 9.0)]})
        here = Server(folder)
        try:
            asyncio.run(with_line(through_a_server))
            expected, found = world(face), world(Face(here.address))
            own = found["FeaturesOfInterest"] - expected["FeaturesOfInterest"]
            for path, entities in expected.items():
                if path == "FeaturesOfInterest":  # this folder makes one of its own for each Thing too
                    assert entities <= found[path]
                    assert sum(own.values()) <= 2
                else:
                    assert found[path] == entities, path
            mark = next(Face(here.address).walk(f"Datastreams?$filter=properties/nilometer/imported/id eq {light}"))
            assert mark["name"] == "Light"
            (current,) = Face(here.address).walk("MultiDatastreams?$expand=ObservedProperties($select=name)")
            assert [one["name"] for one in current["ObservedProperties"]] == ["z", "y", "z", "a"]
        finally:
            here.kill()
    finally:
        there.kill()


def test_a_next_page_is_asked_for_where_the_first_one_was():
    base = "https://x.org/frost/v1.1"
    assert followed("http://in:80/v1.0/Things?$skip=1", base, base) == f"{base}/Things?$skip=1"
    assert followed("?$skip=1", base, f"{base}/Things") == f"{base}/Things?$skip=1"
    with pytest.raises(RequestError, match="root of a service"):
        Origin("ftp://x.org")


def test_a_stranger_s_data_array_and_entity_are_read_to_the_last_member():
    array = {"components": ["result", "id", "phenomenonTime"], "dataArray": [[None, 7, "2020-01-01T01:00:00+01:00"]]}
    (row,) = read_page({"value": [array]}, 3)
    assert (row.id, row.feature) == (7, 3)
    same = {"phenomenonTime": "2020-01-01T00:00:00Z", "resultTime": None, "parameters": {}}
    assert identity(row.values, 1) == identity(same, 1) != identity(same, 2)
    assert read_page({"value": [{**array, "components": ["result"]}]}, 3) is None
    sensor = {"@iot.id": "ü", "name": None, "encodingType": "text", "metadata": "m", "uuid": 1, "properties": [1]}
    document, left = document_of("Sensor", sensor, "https://x.org/v1.1", "ü")
    assert document["properties"] == {"nilometer": {"imported": {"from": "https://x.org/v1.1", "id": "ü"}}}
    assert (document["name"], len(left)) == ("", 4)
