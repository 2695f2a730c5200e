"""The manual review and events over HTTP."""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pytest

from tests.web.conftest import MINUTE, NOON, open_station

AT = NOON // 1000
SPAN = {"start": AT, "end": AT + 120_000, "by": "Li", "reason": "other"}


async def send(station, path, body, status=200, method="POST"):
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = await station.client.request(method, path, content=content)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    return msgspec.json.decode(answer.content)


async def results(station, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    found = await station.json(f"/api/v1/datastreams/river%2Fph/observations?{text}")
    return found["columns"]["result"]


async def test_a_step_is_entered_listed_and_undone(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2])
    body = {"action": "drift", "datastreams": ["river/ph"], "gap": 0.2, **SPAN, "comment": "pH 7 buffer"}
    done = await send(station, "/api/v1/reviews", body)
    assert done["rows"] == 2
    step = done["steps"][0]
    assert (step["action"], step["datastreams"], step["parameters"]) == ("drift", ["river/ph"], {"gap": 0.2})
    assert (step["by"], step["reason"], step["comment"], step["start"]) == ("Li", "other", "pH 7 buffer", AT)
    assert await results(station) == [7.0, 7.2, 7.2]
    undone = await send(station, f"/api/v1/reviews/{step['id']}/undo", {"by": "Wang"})
    assert undone["steps"][0]["undoes"] == step["id"]
    assert await results(station) == [7.0, 7.1, 7.2]
    history = (await station.json("/api/v1/reviews?datastream=river/ph"))["steps"]
    assert [(one["action"], one["undone_by"]) for one in history] == [("drift", 2), ("undo", None)]
    assert (await station.json("/api/v1/reviews?datastream=river/codmn"))["steps"] == []
    assert (await station.json("/api/v1/reviews/1"))["rows"] == 2


async def test_the_history_is_shown_as_of_a_moment(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2])
    await send(station, "/api/v1/reviews", {"action": "offset", "datastreams": ["river/ph"], "offset": 1, **SPAN})
    commit = station.pipeline.store.sequence()
    moment = station.pipeline.store.snapshot().committed(commit)
    await send(station, "/api/v1/reviews/1/undo", {"by": "Wang"})
    then = -(-moment // 1000)
    if station.pipeline.store.commit_at(then * 1000) == commit:  # both within one millisecond: nothing to tell apart
        found = (await station.json(f"/api/v1/reviews?as_of={then}"))["steps"]
        assert [(one["id"], one["undone_by"]) for one in found] == [(1, None)]
        assert await results(station, as_of=then) == [8.0, 8.1, 7.2]
    assert (await station.json(f"/api/v1/reviews?as_of={moment // 1000 - 1}"))["steps"] == []


async def test_the_row_tells_who_changed_it_and_what_it_was(station):
    outcome = await station.ingest("river/ph", NOON, [7.0, 7.1])
    body = {"action": "flag", "datastreams": ["river/ph"], "flag": "fail", **SPAN, "comment": "in air"}
    await send(station, "/api/v1/reviews", body)
    await send(
        station, "/api/v1/reviews", {"action": "sign_off", "datastreams": ["river/ph"], "level": "first", **SPAN}
    )
    row = await station.json(f"/v1.1/Observations({outcome.id[0]})")
    review = row["resultQuality"]["review"]
    assert (row["resultQuality"]["flag"], review["level"], review["by"]) == (4, "first", "Li")
    assert [(one["action"], one["by"], one["comment"]) for one in review["steps"]] == [("flag", "Li", "in air")]
    one = await station.json(f"/api/v1/observations/{outcome.id[0]}")
    assert one["revisions"][0]["quality"] == 2
    assert one["revisions"][0]["served"]
    levels = await station.json("/api/v1/datastreams/river%2Fph/levels")
    assert levels["rows"] == {"first": 2}


async def test_a_level_is_shown_as_of_a_moment_in_every_form(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2])
    moments = []

    async def note(action, path="/api/v1/reviews", **told):
        if action:
            await send(station, path, {"action": action, "datastreams": ["river/ph"], **told, **SPAN})
        moments.append(station.moment())

    await note("")
    await note("sign_off", level="first")
    await note("sign_off", level="second")
    await send(station, "/api/v1/reviews/2/undo", {"by": "Wang"})
    await note("")
    await note("offset", offset=1, force=True)
    await note("sign_off", level="first")
    expected = [[None] * 3, ["first"] * 2, ["second"] * 2, ["first"] * 2, [None] * 2, ["first"] * 2]
    place = "/api/v1/datastreams/river%2Fph/"
    for moment, reached in zip([*moments, None], [*expected, expected[-1]], strict=True):
        levels = [*reached, None][:3]
        then = "" if moment is None else f"as_of={moment}"
        assert (await station.json(f"{place}observations?{then}"))["columns"]["review_level"] == levels
        counted = (await station.json(f"{place}levels?{then}"))["rows"]
        assert counted == {str(level or "raw"): levels.count(level) for level in set(levels)}
        arrow = (await station.client.get(f"{place}observations?format=arrow&{then}")).content
        assert pa.ipc.open_stream(arrow).read_all()["review_level"].to_pylist() == levels


async def test_every_version_of_a_span_is_read(station):
    await station.ingest("river/ph", NOON, [7.0])
    await send(station, "/api/v1/reviews", {"action": "offset", "datastreams": ["river/ph"], "offset": 1, **SPAN})
    found = await station.json("/api/v1/datastreams/river%2Fph/versions")
    columns = found["columns"]
    assert (columns["result"], columns["steps"]) == ([7.0, 8.0], [[], [1]])
    assert columns["superseded_commit"] == [columns["commit"][1], None]


async def test_an_event_is_entered_edited_and_withdrawn(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2])
    body = {"kind": "cleaning", "thing": "river", "start": AT, "end": AT + 60_000, "by": "Li", "note": "brush"}
    made = (await send(station, "/api/v1/events", body))["event"]
    assert (made["kind"], made["thing"], made["by"]) == ("cleaning", "river", "Li")

    async def flags():
        found = await station.json("/api/v1/datastreams/river%2Fph/observations")
        return [flag == 4 for flag in found["columns"]["quality"]]

    assert await flags() == [True, False, False]
    path = f"/api/v1/events/{made['id']}"
    edited = await send(station, path, body | {"end": "2021-03-05T12:02:00Z"}, method="PUT")
    assert edited["event"]["id"] == made["id"]
    assert await flags() == [True, True, False]
    whole = await station.json(path)
    assert len(whole["versions"]) == 2
    done = [(step["action"], step["undone_by"] is None) for step in whole["steps"]]
    assert done == [("flag", False), ("undo", True), ("flag", True)]
    assert [one["id"] for one in (await station.json("/api/v1/events?thing=river"))["events"]] == [made["id"]]
    of_thing = (await station.json("/api/v1/things/river/events"))["events"]
    assert [one["kind"] for one in of_thing] == ["cleaning"]
    await send(station, f"{path}/withdraw", {"by": "Wang"})
    assert await flags() == [False, False, False]
    assert (await station.json("/api/v1/events"))["events"] == []
    assert len((await station.json("/api/v1/events?withdrawn=true"))["events"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    [
        ("/reviews", b"{", 400, "$"),
        ("/reviews", {"action": "offset"}, 400, "$.datastreams"),
        ("/reviews", {"action": "offset", "datastreams": ["river/ph"], "ofset": 1, **SPAN}, 400, "$.ofset"),
        ("/reviews", {"action": "offset", "datastreams": ["river/ph"], "offset": 1, **SPAN}, 400, "$.start"),
        ("/reviews", {"action": "offset", "datastreams": ["no/ph"], "offset": 1, **SPAN}, 404, ""),
        ("/reviews", {"action": "offset", "datastreams": ["river/ph"], **SPAN, "start": "today"}, 400, "$.start"),
        ("/reviews", {"action": "flag", "datastreams": ["river/ph"], "level": "x", **SPAN}, 400, "$.level"),
        ("/reviews/7/undo", {"by": "Li"}, 404, ""),
        ("/reviews/7/undo", {}, 400, "$.by"),
        ("/events", {"kind": "cleaning", "thing": "river", "by": "Li"}, 400, "$.start"),
        ("/events", {"kind": "party", "thing": "river", "start": AT, "by": "Li"}, 400, "$.kind"),
        ("/events/7/withdraw", {"by": "Li"}, 404, ""),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(refusing, path, body, status, place):
    refused = await send(refusing, f"/api/v1{path}", body, status)
    assert refused["error"]["place"] == place


async def test_what_the_history_does_not_allow_is_a_conflict(station):
    await station.ingest("river/ph", NOON, [7.0])
    await send(
        station, "/api/v1/reviews", {"action": "sign_off", "datastreams": ["river/ph"], "level": "first", **SPAN}
    )
    body = {"action": "offset", "datastreams": ["river/ph"], "offset": 1, **SPAN}
    refused = await send(station, "/api/v1/reviews", body, 409)
    assert (refused["error"]["code"], refused["error"]["place"]) == ("review_refused", "$.force")
    await send(station, "/api/v1/reviews", body | {"force": True})


async def test_a_token_guards_the_review(tmp_path):
    async with open_station(tmp_path, token="a-token-of-16-or-more") as guarded:
        answer = await guarded.client.post("/api/v1/reviews", content=b"{}")
        assert answer.status_code == 401


async def test_the_settings_and_the_openapi_document_say_what_works(refusing):
    settings = await refusing.json("/api/v1/reviews/settings")
    assert [one["key"] for one in settings["levels"]] == ["raw", "first", "second"]
    assert settings["levels"][1]["names"]["zh"] == "初审"
    assert {"drift", "clock"} <= set(settings["reasons"])
    assert set(settings["events"]) == {"maintenance", "cleaning", "check_sample", "calibration"}
    paths = (await refusing.json("/openapi.json"))["paths"]
    body = paths["/api/v1/reviews"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"action", "datastreams", "by", "reason"} <= set(body["required"])
    assert "/api/v1/events/{number}/withdraw" in paths


async def test_listeners_are_told_of_the_rows_that_a_step_changed(station):
    listener = station.pipeline.subscribe([station.id("river/ph")])
    await station.ingest("river/ph", NOON, [7.0, 7.1])
    told = await anext(aiter(listener))  # listeners may hear of rows after who sent them
    assert told.rows.result.tolist() == [7.0, 7.1]
    await send(station, "/api/v1/reviews", {"action": "offset", "datastreams": ["river/ph"], "offset": 1, **SPAN})
    told = await anext(aiter(listener))
    assert told.rows.result.tolist() == [8.0, 8.1]
    await station.ingest("river/ph", NOON + MINUTE // 2, [6.0])
    told = await anext(aiter(listener))
    assert told.rows.result.tolist() == [7.0], "of a row that arrives in a reviewed span only what is served"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/reviews", {"action": "flag", "flag": "fail", "datastreams": [2**70], **SPAN}, 404),
        ("/reviews", {"action": "flag", "flag": "fail", "datastreams": [-1], **SPAN}, 404),
        (
            "/reviews",
            {"action": "flag", "flag": "fail", "datastreams": ["river/ph"], "observations": [2**63], **SPAN},
            400,
        ),
        ("/reviews", {"action": "flag", "flag": "fail", "datastreams": [], **SPAN}, 400),
        ("/reviews", {"action": "offset", "offset": 1e999, "datastreams": ["river/ph"], **SPAN}, 400),
        ("/reviews", {"action": "offset", "offset": 1, "datastreams": ["river/ph"], **SPAN, "end": 10**18}, 400),
        (
            "/reviews",
            {"action": "drift", "points": [["today", 1]], "datastreams": ["river/ph"], **SPAN},
            400,
        ),
        (f"/reviews/{2**70}/undo", {"by": "Li"}, 404),
        (f"/events/{2**70}/withdraw", {"by": "Li"}, 404),
        ("/events", {"kind": "cleaning", "thing": 2**70, "start": AT, "by": "Li"}, 404),
        ("/events", {"kind": "cleaning", "datastreams": ["river/ph", "sea/free"], "start": AT, "by": "Li"}, 400),
        ("/events", [1], 400),
        ("/reviews", b"\xff\xfe", 400),
        ("/reviews", b"[" * 100_000, 400),
    ],
)
async def test_no_body_brings_the_server_down(refusing, path, body, status):
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    await send(refusing, f"/api/v1{path}", content, status)
