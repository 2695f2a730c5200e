"""Derived Datastreams over HTTP: what can be, what is, declaring and taking back; their rows are computed, not sent."""

from __future__ import annotations

import msgspec

from tests.web.conftest import MINUTE, NOON

TABLE = {
    "key": "river/oxygen_saturation", "thing": "river", "property": "oxygen_saturation",
    "function": "oxygen.saturation",
    "inputs": {
        "dissolved_oxygen": "river/dissolved_oxygen",
        "temperature": {"datastream": "sea/water_temperature", "tolerance": "5 min"},
        "salinity": {"value": 0.2, "uncertainty": 0.05},
    },
}  # fmt: skip
KEY = TABLE["key"]


async def send(station, method, path, body=None, status=200):
    content = None if body is None else msgspec.json.encode(body)
    headers = {"content-type": "application/json"}
    answer = await station.client.request(method, path, content=content, headers=headers)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    return msgspec.json.decode(answer.content)


async def test_functions_are_told_with_units_and_ranges(refusing):
    told = await refusing.json("/api/v1/functions")
    saturation = next(one for one in told["functions"] if one["name"] == "oxygen.saturation")
    assert saturation["inputs"][3] == {"name": "pressure", "unit": "atm", "low": 0.3, "high": 1.2, "default": 1.0}
    assert saturation["unit"] == "%"
    assert saturation["source"]
    assert "segments" in next(one for one in told["families"] if one["name"] == "rating.curve")["parameters"]


async def test_a_datastream_is_declared_derived_changed_and_taken_back(station):
    assert await station.json("/api/v1/derived") == {"derived": []}
    made = await send(station, "POST", "/api/v1/derived", {**TABLE, "by": "Li Na"})
    number = made["datastream"]
    assert (made["key"], made["unit"], made["source"], made["problem"]) == (KEY, "%", "api", None)
    await station.ingest("river/dissolved_oxygen", NOON, [8.0, 8.1])
    await station.ingest("sea/water_temperature", NOON, [12.0, 12.5])
    rows = await station.json(f"/api/v1/datastreams/{number}/observations")
    assert len(rows["columns"]["result"]) == 2
    document = await station.json(f"/api/v1/datastreams/{number}")
    assert document["origin"] == "derived"
    assert document["derived"] == made
    assert (await station.json(f"/api/v1/datastreams/{station.id('river/ph')}"))["derived"] is None

    changed = {**TABLE, "inputs": {**TABLE["inputs"], "salinity": 5.0}}
    again = await send(station, "POST", "/api/v1/derived", changed)
    assert (again["datastream"], again["version"] > made["version"]) == (number, True)
    assert (await station.json("/api/v1/derived"))["derived"] == [again]

    gone = await send(station, "DELETE", f"/api/v1/derived/{KEY}?by=Li")
    assert gone == {"datastream": number, "key": KEY}
    assert (await station.json(f"/api/v1/datastreams/{number}"))["derived"] is None
    assert len((await station.json(f"/api/v1/datastreams/{number}/observations"))["columns"]["result"]) == 2
    await send(station, "DELETE", f"/api/v1/derived/{KEY}", status=404)
    by = [(row.action, row.actor) for row in station.pipeline.store.catalog.ledger.audit()]
    assert by[-3:] == [("derived.set", "Li Na"), ("derived.set", "api"), ("derived.remove", "Li")]


async def test_what_cannot_be_is_refused_with_its_place_and_changes_nothing(station):
    for change, place, why in [
        ({"function": "oxygen.saturatoin"}, "$.function", "did you mean oxygen.saturation"),
        ({"inputs": {"dissolved_oxygen": "river/ph", "temperature": 12}}, "$.inputs.dissolved_oxygen", "mg"),
        ({"inputs": {"dissolved_oxygen": "river/do", "temperature": 12}}, "$.inputs", "no such Datastream"),
        ({"thing": "lake"}, "$.thing", "no such thing"),
        ({"deadline": "soon"}, "$.deadline", "90 s"),
        ({"wind": 1}, "$", "wind"),
    ]:
        told = (await send(station, "POST", "/api/v1/derived", {**TABLE, **change}, status=400))["error"]
        assert told["place"].startswith(place), told
        assert why in f"{told}", told
    await station.ingest("river/ph", NOON, [7.0])
    taken = {**TABLE, "key": "river/ph", "property": "ph", "unit": "%"}
    told = (await send(station, "POST", "/api/v1/derived", taken, status=400))["error"]
    assert told["place"] == "$.key"
    assert await station.json("/api/v1/derived") == {"derived": []}


async def test_what_others_are_derived_from_is_not_taken_back(station):
    await send(station, "POST", "/api/v1/derived", TABLE)
    partial = {"saturation": KEY, "temperature": {"datastream": "sea/water_temperature", "tolerance": "5 min"}}
    second = {**TABLE, "key": "river/x", "property": "x", "function": "oxygen.partial_pressure", "inputs": partial}
    await send(station, "POST", "/api/v1/derived", second)
    told = (await send(station, "DELETE", f"/api/v1/derived/{KEY}", status=400))["error"]
    assert "river/x is derived from" in f"{told}"


async def test_rows_of_a_derived_datastream_are_refused_and_others_kept(station):
    number = (await send(station, "POST", "/api/v1/derived", TABLE))["datastream"]
    rows = {
        "datastream": ["river/ph", KEY, "river/ph", KEY],
        "phenomenon_time": [NOON // 1000 + 60_000 * n for n in range(4)],
        "result": [7.0, 99.0, 7.1, 99.0],
    }
    told = await send(station, "POST", "/api/v1/observations", rows)
    assert (told["accepted"], told["rejected"]) == (2, 2)
    assert [one["row"] for one in told["errors"]] == [1, 3]
    for part in ("is derived", "river/dissolved_oxygen", "sea/water_temperature"):
        assert part in told["errors"][0]["reason"]
    single = {"datastream": [number], "phenomenon_time": ["2021-03-05T12:00:00Z"], "result": [99.0]}
    told = await send(station, "POST", "/api/v1/observations", single, status=400)
    assert "is derived" in told["errors"][0]["reason"]

    observation = {"result": 99.0, "phenomenonTime": "2021-03-05T12:00:00Z"}
    path = f"/v1.1/Datastreams({number})/Observations"
    for more in ({}, {"parameters": {"a": 1}}):
        answer = await station.client.post(path, json=observation | more)
        assert answer.status_code == 400, answer.text
        assert "river/dissolved_oxygen" in answer.text
    linked = observation | {"Datastream": {"@iot.id": number}}
    assert (await station.client.post("/v1.1/Observations", json=linked)).status_code == 400
    assert station.pipeline.store.snapshot().extent(number) is None

    # Its inputs are not: and what was derived is its own again once nobody derives it.
    await station.ingest("river/dissolved_oxygen", NOON, [8.0])
    await station.ingest("sea/water_temperature", NOON + MINUTE, [12.0])
    await send(station, "DELETE", f"/api/v1/derived/{KEY}")
    assert (await send(station, "POST", "/api/v1/observations", rows))["rejected"] == 0
