"""Many requests in one: each answered in order, change sets all or nothing, later ones naming what earlier made."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.errors import RequestError
from nilometer.web.sensorthings.changes.multipart import Answered, read_parts, write_parts
from tests.web.conftest import NOON
from tests.web.sensorthings.test_changes import DATASTREAM, LOCATION, THING, counts, send

MULTIPART = "multipart/mixed; boundary=b_1"


def part(request, body=None, about=""):
    content = b"" if body is None else msgspec.json.encode(body)
    head = f"Content-Type: application/http\r\n{about}\r\n{request} HTTP/1.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def joined(parts, boundary="b_1"):
    mark = f"\r\n--{boundary}"
    return b"".join(f"{mark}\r\n".encode() + one for one in parts) + f"{mark}--\r\n".encode()


def change_set(parts):
    return b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + joined(parts, "c")


async def test_a_multipart_batch_with_a_change_set_whose_parts_name_each_other(station):
    href = "http://station/v1.1"
    body = joined(
        [
            part(f"GET {href}/Things?$select=name&$top=1"),
            change_set(
                [
                    part("POST Things", THING, "Content-ID: t\r\n"),
                    part("POST $t/Datastreams", DATASTREAM, "Content-ID: d\r\n"),
                    part("PATCH $d", {"description": "河 patched"}, "Content-ID: p\r\n"),
                ]
            ),
            part("POST /v1.1/$d/Observations", {"result": 5}),
            part("GET $d?$expand=Thing,Observations"),
            part("GET /v1.1/Nothing"),
        ]
    )
    answer = await station.client.post("/v1.1/$batch", content=body, headers={"content-type": MULTIPART})
    assert answer.status_code == 200, answer.text
    text = answer.content.decode()
    assert text.count("HTTP/1.1 ") == 7
    order = [line.split()[1] for line in text.split("\r\n") if line.startswith("HTTP/1.1 ")]
    assert order == ["200", "201", "201", "200", "201", "200", "404"]
    assert [line for line in text.split("\r\n") if line.startswith("Content-ID")] == [
        f"Content-ID: {name}" for name in "tdp"
    ]
    document = msgspec.json.decode(next(line for line in text.split("\r\n") if '"Observations":' in line))
    assert (document["description"], document["Thing"]["name"]) == ("河 patched", "Buoy")
    assert [one["result"] for one in document["Observations"]] == [5]


async def test_a_change_set_of_which_one_request_fails_is_undone_and_the_rest_of_the_batch_is_not(station):
    before = await counts(station)
    requests = [
        {"id": "1", "atomicityGroup": "g", "method": "POST", "url": "Things", "body": THING},
        {"id": "2", "atomicityGroup": "g", "method": "POST", "url": "$1/Locations", "body": LOCATION},
        {"id": "3", "atomicityGroup": "g", "method": "POST", "url": "Sensors", "body": {"name": "no"}},
        {"id": "4", "method": "post", "url": "Things", "body": THING},
        {"id": "5", "method": "PATCH", "url": "$4", "body": {"Locations": [{"@iot.id": 1}]}},
        {"id": "6", "method": "GET", "url": "$1"},
        {"id": "7", "method": "POST", "url": "$batch", "body": {"requests": []}},
    ]
    answers = (await send(station, "POST", "$batch", {"requests": requests}))["responses"]
    assert [one["status"] for one in answers] == [424, 424, 400, 201, 200, 400, 501]
    assert "request 3 failed" in answers[0]["body"]["error"]["message"]
    assert answers[3]["body"]["name"] == "Buoy"
    after = await counts(station)
    assert (after["Things"] - before["Things"], after["Sensors"]) == (1, before["Sensors"])
    thing = answers[3]["headers"]["Location"].rpartition("/")[2]
    observed = {**DATASTREAM, "Thing": {"@iot.id": "$a"}, "Observations": [{"result": 1}, {"result": 2}]}
    group = [
        {"id": "a", "atomicityGroup": "h", "method": "POST", "url": "Things", "body": THING},
        {"id": "b", "atomicityGroup": "h", "method": "POST", "url": "Datastreams", "body": observed},
        {"id": "c", "atomicityGroup": "h", "method": "POST", "url": "$b/Observations", "body": {"result": 3}},
        {"id": "d", "atomicityGroup": "i", "method": "DELETE", "url": f"/v1.1/{thing}"},
    ]
    answers = (await send(station, "POST", "$batch", {"requests": group}))["responses"]
    assert [one["status"] for one in answers] == [201, 201, 201, 200]
    assert (await station.json(answers[2]["headers"]["Location"]))["result"] == 3
    assert (await counts(station))["Observations"] == 3
    await send(station, "GET", thing, status=404)


async def test_a_change_set_that_fails_has_one_answer_in_a_multipart(station):
    before = await counts(station)
    refused = change_set([part(f"POST {one}", THING, f"Content-ID: {one}\r\n") for one in ("Things", "Sensors", "x")])
    body = joined([refused, part("GET Things?$top=0")])
    answer = await station.client.post("/v1.1/$batch", content=body, headers={"content-type": MULTIPART})
    lines = answer.text.split("\r\n")
    assert [line.split()[1] for line in lines if line.startswith("HTTP/1.1 ")] == ["400", "200"]
    assert [line for line in lines if line.startswith("Content-ID")] == ["Content-ID: Sensors"]
    assert answer.text.count("multipart/mixed") == 0
    assert await counts(station) == before


async def test_what_depends_on_a_request_that_failed_is_not_done(station):
    thing = {"method": "POST", "url": "Things", "body": THING}
    requests = [
        {"id": "1", "method": "POST", "url": "Things", "body": {}},
        {"id": "2", **thing, "dependsOn": ["1"]},
        {"id": "3", "atomicityGroup": "g", **thing, "dependsOn": ["2"]},
        {"id": "4", "atomicityGroup": "g", **thing, "dependsOn": ["3"]},
        {"id": "5", **thing, "dependsOn": ["g"]},
        {"id": "6", "atomicityGroup": "h", **thing},
        {"id": "7", **thing, "dependsOn": ["h", "6"]},
    ]
    before = await counts(station)
    answers = (await send(station, "POST", "$batch", {"requests": requests}))["responses"]
    assert [one["status"] for one in answers] == [400, 424, 424, 424, 424, 201, 201]
    assert "it depends on 1, which failed" in answers[1]["body"]["message"]
    assert (await counts(station))["Things"] == before["Things"] + 2


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{}", "application/json", 400),
        (b'{"requests": [{"id": "1", "method": "GET", "url": "x", "dependsOn": ["1"]}]}', "application/json", 400),
        (b'{"requests": [{"id": "1", "method": "GET", "url": "x", "if": "not $1"}]}', "application/json", 501),
        (b"[" * 50_000, "application/json", 400),
        (b'{"requests": [{"method": "BREW", "url": "x"}]}', "application/json", 400),
        (b"--b_1\r\n", MULTIPART, 400),
        (b"", MULTIPART, 400),
        (b"", "multipart/mixed", 400),
        (b"", "text/plain", 415),
        (joined([b"Content-Type: text/plain\r\n\r\nx"]), MULTIPART, 400),
        (joined([b"Content-Type: application/http\r\n\r\nBREW x"]), MULTIPART, 400),
    ],
)
async def test_what_is_no_batch_is_refused(refusing, body, media_type, status):
    answer = await refusing.client.post("/v1.1/$batch", content=body, headers={"content-type": media_type})
    assert (answer.status_code, "error" in answer.json()) == (status, True)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=80), st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"\n", b"GET x"]), max_size=9))
def test_any_bytes_are_a_batch_or_a_request_error(noise, pieces):
    for body in (noise, b"".join(pieces), b"".join(pieces) + noise):
        with contextlib.suppress(RequestError):
            read_parts(body, b"b")


def test_answers_are_written_as_parts():
    answers = [Answered("1", 200, {}, b"{}"), Answered("2", 201, {"Location": "x"}, b"", "g"), Answered("3", 404, {})]
    text = write_parts(answers, "b")
    assert text.startswith(b"--b\r\n")
    assert text.endswith(b"--b--\r\n")
    assert text.count(b"--b-g\r\n") == 1
    assert b"Content-Length: 2\r\n\r\n{}\r\n" in text


async def test_an_answer_that_is_too_large_for_a_batch_is_refused_there_and_stops_being_made(station, monkeypatch):
    monkeypatch.setattr("nilometer.web.sensorthings.changes.batch.MOST_OF_PART", 2000)
    monkeypatch.setattr("nilometer.web.sensorthings.answers.observation_answers._AT_ONCE", 10)
    await station.ingest("river/ph", NOON, [7.0] * 60)
    parts = ["Observations?$top=60", "Observations?$resultFormat=CSV", "Things(1)/name"]
    requests = [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(parts)]
    answer = await station.client.post("/v1.1/$batch", json={"requests": requests})
    whole, pieces, small = answer.json()["responses"]
    for large in (whole, pieces):
        assert (large["status"], "larger than 2000 bytes" in large["body"]["error"]["message"]) == (413, True)
    assert small["body"] == {"name": "River"}
    assert station.app.sensorthings.service.gate.inside == 0
