"""Data arrays become Observations; a bad row is named, and undoes no other."""

from __future__ import annotations

import msgspec
import pytest

from nilometer.web.sensorthings.changes.data_arrays import MOST_BYTES
from tests.web.conftest import open_station

JSON = {"content-type": "application/json"}
TIMES = [f"2021-03-05T12:00:{second:02}Z" for second in range(60)]


async def send(station, body, status=201):
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = await station.client.post("/v1.1/CreateObservations", content=content, headers=JSON)
    assert answer.status_code == status, answer.text[:500]
    return answer.json()


def group(datastream, rows, components=("phenomenonTime", "result")):
    return {"Datastream": {"@iot.id": datastream}, "components": components, "dataArray": rows}


async def test_groups_come_back_in_order_and_bad_rows_undo_no_others(station):
    plain = [[time, second / 4] for second, time in enumerate(TIMES)]
    mixed = [
        ["2021-03-05T13:00:00+08:00", "text", None, None, {"depth": 1}],
        ["yesterday", 1, None, None, None],
        [TIMES[0], 2**60 + 1, TIMES[1], 1, None],
        [f"{TIMES[0]}/{TIMES[1]}", 1, "late", None, None],
        [f"{TIMES[0]}/{TIMES[1]}", [1], None, None, None],
        [TIMES[0], 1],
        [TIMES[0], 1, None, 99, None],
    ]
    names = ("phenomenonTime", "result", "resultTime", "FeatureOfInterest/id", "parameters")
    free, ph = station.id("sea/free"), station.id("river/ph")
    await send(station, [group(ph, [["2021-03-05T11:00:00Z", 7]])])  # the water is there from here on
    body = [group(ph, plain), group(99, [[TIMES[0], 1]]), group(free, mixed, names), group(ph, [])]
    answer = await send(station, body)
    assert len(answer) == 60 + 1 + 7
    is_bad = [text.startswith("error: ") for text in answer]
    assert [row for row, bad in enumerate(is_bad) if bad] == [60, 62, 64, 66, 67]
    assert "no Datastream with id 99" in answer[60]
    assert "yesterday" in answer[62]
    assert [(await station.json(link))["result"] for link in answer[:3]] == [0.0, 0.25, 0.5]
    text = await station.json(answer[61])
    assert (text["result"], text["phenomenonTime"], text["parameters"]) == (
        "text",
        "2021-03-05T05:00:00Z",
        {"depth": 1},
    )
    exact = await station.json(f"{answer[63]}?$expand=FeatureOfInterest")
    assert (exact["result"], exact["resultTime"], exact["FeatureOfInterest"]["@iot.id"]) == (
        2**60 + 1,
        "2021-03-05T12:00:01Z",
        1,
    )
    assert (await station.json(answer[65]))["phenomenonTime"].count("/") == 1
    path = f"/v1.1/Datastreams({ph})/Observations?$count=true&$top=0"
    assert (await station.json(path))["@iot.count"] == 61


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{}", "$"),
        (b"[" * 50_000, "$"),
        ([{"Datastream": {"@iot.id": 1}, "components": ["result", "x"], "dataArray": [[1, 2]]}], "$[0].components"),
        ([{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime"], "dataArray": []}], "$[0].components"),
        ([{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": [1]}], "$[0].dataArray[0]"),
        ([{"Datastream": {"@iot.id": 1}, "components": ["result"]}], "$[0]"),
    ],
)
async def test_what_is_no_array_of_groups_is_400_with_its_place(refusing, body, place):
    assert (await send(refusing, body, 400))["error"]["place"].startswith(place)


async def test_a_body_beyond_the_limit_is_413(tmp_path):
    async with open_station(tmp_path) as station:
        assert str(MOST_BYTES) in (await send(station, b" " * (MOST_BYTES + 1), 413))["error"]["message"]
