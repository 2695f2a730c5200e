from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import RequestError
from nilometer.web.sensorthings.creation import MOST_BYTES, read_observation

JSON = {"content-type": "application/json"}


async def post(station, path, body, status=201, headers=JSON):
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = await station.client.post(f"/v1.1/{path}", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_posted_observation_is_there_when_it_is_answered(station):
    body = {
        "phenomenonTime": "2021-03-05T20:00:00.250+08:00",
        "result": 7.5,
        "resultTime": "2021-03-05T12:00:01Z",
        "Datastream": {"@iot.id": 1},
        "parameters": {"depth": 3},
        "validTime": "2021-03-05T12:00:00Z/2021-03-05T13:00:00Z",
    }
    answer = await post(station, "Observations", body)
    stored = await station.json(answer.headers["location"])
    assert answer.json() == {"@iot.id": stored["@iot.id"], "@iot.selfLink": stored["@iot.selfLink"]}
    assert stored["phenomenonTime"] == "2021-03-05T12:00:00.250Z"
    assert stored["resultTime"] == "2021-03-05T12:00:01Z"
    assert stored["result"] == 7.5
    assert stored["parameters"] == {"depth": 3}
    assert stored["validTime"] == "2021-03-05T12:00:00Z/2021-03-05T13:00:00Z"
    assert stored["resultQuality"]["profile"]["name"] == "river/ph"
    assert (await station.json("/v1.1/Datastreams(1)"))["resultTime"].startswith("2021-03-05T12:00:01Z/")


async def test_two_observations_may_share_a_time_and_a_bulk_row_of_that_time_is_recognised(station):
    body = {"phenomenonTime": "2021-03-05T15:00:00Z", "result": 7.25}
    first = await post(station, "Datastreams(1)/Observations", body)
    again = await post(station, "Datastreams(1)/Observations", body)
    assert first.headers["location"] != again.headers["location"]
    bulk = {"datastream": [1], "phenomenon_time": [body["phenomenonTime"]], "result": [7.25]}
    answer = await station.client.post("/api/v1/observations", content=msgspec.json.encode(bulk), headers=JSON)
    assert (answer.json()["accepted"], answer.json()["unchanged"]) == (0, 1)


async def test_without_a_time_it_is_the_clocks_and_an_interval_keeps_its_ends(station):
    answer = await post(station, "Datastreams(1)/Observations", {"result": 7})
    assert (await station.json(answer.headers["location"]))["phenomenonTime"] == "2021-03-05T13:00:00Z"
    interval = "2021-03-05T11:00:00Z/2021-03-05T12:00:00Z"
    answer = await post(station, "Things(1)/Datastreams(1)/Observations", {"result": 7, "phenomenonTime": interval})
    assert (await station.json(answer.headers["location"]))["phenomenonTime"] == interval


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("result", ["20", True, False, [1, None, {"a": "é"}], {"x": [1]}, 2**60 + 1, 20, -0.5])
async def test_a_result_keeps_its_json_type(refusing, result):
    answer = await post(refusing, f"Datastreams({refusing.id('sea/free')})/Observations", {"result": result})
    back = (await refusing.json(answer.headers["location"]))["result"]
    assert back == result
    assert isinstance(back, bool) == isinstance(result, bool)


async def test_a_clients_quality_comes_back_as_it_was_or_beside_ours(station):
    quality = [{"mine": 1}, "é"]
    free = f"Datastreams({station.id('sea/free')})/Observations"
    answer = await post(station, free, {"result": 1, "resultQuality": quality})
    assert (await station.json(answer.headers["location"]))["resultQuality"] == quality
    answer = await post(station, "Datastreams(1)/Observations", {"result": 7, "resultQuality": quality})
    ours = (await station.json(answer.headers["location"]))["resultQuality"]
    assert ours["supplied"] == quality
    assert "flag" in ours


async def test_a_feature_may_be_linked(station):
    water = (await post(station, "Datastreams(1)/Observations", {"result": 7})).headers["location"]
    feature = (await station.json(water + "/FeatureOfInterest"))["@iot.id"]
    body = {"result": 7, "phenomenonTime": "2021-03-05T10:00:00Z", "FeatureOfInterest": {"@iot.id": feature}}
    again = (await post(station, "Datastreams(1)/Observations", body)).headers["location"]
    assert (await station.json(again + "/FeatureOfInterest"))["@iot.id"] == feature


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", "byte 1"),
        (b"", "byte 0"),
        (b"[]", "$"),
        (b'{"result": 1, "x\xff": 2}', "byte"),
        (b"[" * 100_000, ""),
        ({}, "$.result"),
        ({"result": 1, "phenomenonTime": "yesterday"}, "$.phenomenonTime"),
        ({"result": 1, "phenomenonTime": "2021-03-05T12:00:00"}, "$.phenomenonTime"),
        ({"result": 1, "phenomenonTime": 5}, "$.phenomenonTime"),
        ({"result": 1, "phenomenonTime": "2021-03-05T12:00:00Z/2021-03-05T11:00:00Z"}, "$.phenomenonTime"),
        ({"result": 1, "resultTime": "x"}, "$.resultTime"),
        ({"result": 1, "validTime": "x"}, "$.validTime"),
        ({"result": 1, "phenomenontime": "2021-03-05T12:00:00Z"}, "$"),
        ({"result": 1, "Datastream": {"@iot.id": 2}}, "$.Datastream"),
        ({"result": 1, "Datastream": {"@iot.id": "1"}}, "$.Datastream"),
        ({"result": 1, "Datastream": 1}, "$.Datastream"),
        ({"result": 1, "FeatureOfInterest": {"@iot.id": 999}}, "$.FeatureOfInterest"),
        ({"result": 1, "parameters": [1]}, "$.parameters"),
        ({"result": 1, "parameters": {"@result": 1}}, "$.parameters"),
    ],
)
async def test_a_bad_body_is_400_with_its_place(refusing, body, place):
    answer = await post(refusing, "Datastreams(1)/Observations", body, 400)
    assert answer.json()["error"]["place"].startswith(place)


@pytest.mark.asyncio(loop_scope="module")
async def test_paths_to_nowhere_and_missing_datastreams(refusing):
    await post(refusing, "Datastreams(99)/Observations", {"result": 1}, 404)
    await post(refusing, "Things(2)/Datastreams(1)/Observations", {"result": 1}, 404)
    await post(refusing, "Observations", {"result": 1}, 400)
    await post(refusing, "Observations", {"result": 1, "Datastream": {"@iot.id": 99}}, 400)
    await post(refusing, "Things(1)", {"name": "x", "description": "x"}, 405)
    feature = {"result": 1, "FeatureOfInterest": {"name": "x"}}
    await post(refusing, "Datastreams(1)/Observations", feature, 400)


@pytest.mark.asyncio(loop_scope="module")
async def test_other_media_types_encodings_and_sizes_are_refused(refusing):
    await post(refusing, "Datastreams(1)/Observations", {"result": 1}, 415, {"content-type": "text/plain"})
    gzip = JSON | {"content-encoding": "gzip"}
    await post(refusing, "Datastreams(1)/Observations", {"result": 1}, 415, gzip)
    await post(refusing, "Datastreams(1)/Observations", b" " * (MOST_BYTES + 1), 413)


async def test_many_at_a_time_are_all_there(station):
    path = f"Datastreams({station.id('sea/free')})/Observations"
    times = [f"2021-03-05T12:{n // 60:02}:{n % 60:02}Z" for n in range(200)]
    answers = await asyncio.gather(*(post(station, path, {"result": 1, "phenomenonTime": time}) for time in times))
    assert len({answer.headers["location"] for answer in answers}) == 200
    assert (await station.json(f"/v1.1/{path}?$count=true&$top=0"))["@iot.count"] == 200


@given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(str.encode)))
def test_any_bytes_are_an_observation_or_a_request_error(body):
    with contextlib.suppress(RequestError):
        read_observation(body)
