"""Calibration records and standard solutions over HTTP."""

from __future__ import annotations

import msgspec
import pytest

from nilometer.model import SampleKind
from tests.web.conftest import MINUTE, NOON

AT = NOON // 1000
DAY = 86_400_000
BUFFER = {
    "key": "ph7/a1", "name": "pH 7 buffer", "quantity": "ph", "value": 7, "unit": "1", "uncertainty": 0.02,
    "coverage_factor": 2, "lot": "A1", "certificate": "C-17", "issued_by": "NIM", "opened": AT - DAY, "by": "Li",
    "expires": "2021-03-06T00:00:00+08:00",
}  # fmt: skip
RULE = {"key": "river/ph", "thing": "river", "property": "ph", "calibration": {"every": "7 d", "limit": 0.1}}
DONE = {
    "datastream": "river/ph", "kind": "verification", "time": AT, "operator": "Wang", "by": "Li",
    "points": [{"standard": "ph7/a1", "before": 7.05, "readings": 4, "spread": 0.02, "temperature": 25.1}],
    "attachments": ["sheets/2021-03-05.pdf"],
}  # fmt: skip


async def send(station, path, body, status=200, method="POST"):
    answer = await station.client.request(method, f"/api/v1/{path}", content=msgspec.json.encode(body))
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    return msgspec.json.decode(answer.content)


async def test_a_record_is_entered_corrected_withdrawn_and_its_history_read(station):
    await station.ingest("river/ph", NOON - 9 * 1440 * MINUTE, [7.0])
    await send(station, "datastreams", {"datastream": [RULE]})
    standard = await send(station, "standard-solutions", BUFFER)
    assert (standard["uncertainty"], standard["coverage_factor"], standard["expires"]) == (0.01, 2, AT + 4 * 3_600_000)
    nothing = station.moment()
    due = await station.json("/api/v1/calibration-records/due")
    assert [(one["datastream"], one["state"], one["due"]) for one in due["calibrations"]] == [
        ("river/ph", "never", None)
    ]
    record = (await send(station, "calibration-records", DONE))["record"]
    assert (record["passed"], record["sound"], record["due"], record["limit"]) == (True, True, AT + 7 * DAY, 0.1)
    assert record["outcome"]["as_found"]["points"] == [
        {"deviation": 0.05, "percent": 0.714286, "uncertainty": 0.0141421, "passed": True, "certain": True}
    ]
    point = record["points"][0]
    assert (point["value"], point["uncertainty"], point["standard"]["lot"]) == (7, 0.01, "A1")
    first = station.moment()
    corrected = {**DONE, "points": [{"standard": "ph7/a1", "before": 7.5}], "comment": "misread"}
    done = await send(station, "calibration-records/1", corrected, method="PUT")
    assert (done["record"]["id"], done["record"]["version"], done["record"]["passed"]) == (1, 2, False)
    # The standard is corrected too: each version of a record keeps the version of it that it used.
    await send(station, "standard-solutions/1", {**BUFFER, "value": 7.01}, method="PUT")
    found = await station.json("/api/v1/calibration-records/1")
    assert [one["points"][0]["before"] for one in found["versions"]] == [7.05, 7.5]
    assert found["points"][0]["value"] == 7
    assert (await station.json("/api/v1/standard-solutions/ph7%2Fa1"))["value"] == 7.01
    assert [one["value"] for one in (await station.json("/api/v1/standard-solutions/1"))["versions"]] == [7, 7.01]
    text = (await station.client.get("/metrics")).text
    assert 'nilometer_calibrations{state="failed"} 1.0' in text
    assert (await station.json("/api/v1/calibration-records/due"))["calibrations"][0]["state"] == "failed"
    detail = await station.json(f"/api/v1/datastreams/{station.id('river/ph')}")
    doubts = detail["profile_detail"]["tests"][-1]
    assert (doubts["name"], doubts["parameters"]["doubts"][0]["reason"]) == ("calibration_valid", "failed")
    gone = await send(station, "calibration-records/1/withdraw", {"by": "Li", "comment": "another probe"})
    assert gone["record"]["withdrawn"]
    for as_of, passed in (("", []), (f"?as_of={first}", [True]), (f"?as_of={nothing}", [])):
        records = (await station.json(f"/api/v1/calibration-records{as_of}"))["records"]
        assert [one["passed"] for one in records] == passed
    assert len((await station.json("/api/v1/calibration-records?withdrawn=true&kind=verification"))["records"]) == 1
    for as_of, last in ((first, {"id": 1, "kind": "verification", "time": AT}), (nothing, None)):
        then = await station.json(f"/api/v1/calibration-records/due?as_of={as_of}")
        assert then["calibrations"][0]["last"] == last


async def test_a_span_is_made_of_stored_samples_and_due_is_shown_in_metrics(station):
    await send(
        station, "datastreams", {"datastream": [{**RULE, "calibration": {"every": "1 d", "renewed_by": ["span"]}}]}
    )
    span = station.sample("river/ph", SampleKind.SPAN, 3)
    await station.ingest("river/ph", NOON, [9.1, 9.2, 9.3], feature=span)
    sample = {"start": AT, "end": AT + 180_000}
    body = {**DONE, "kind": "span", "points": [{"value": 9.18, "from_observations": sample}], "limit_percent": 1}
    record = (await send(station, "calibration-records", body))["record"]
    point = record["points"][0]
    assert (point["before"], point["readings"], point["spread"]) == (pytest.approx(9.2), 3, pytest.approx(0.1))
    assert (record["passed"], record["due"]) == (True, AT + DAY)
    lines = (await station.client.get("/metrics")).text.splitlines()
    (line,) = [line for line in lines if line.startswith("nilometer_calibration_due_timestamp_seconds{")]
    assert (
        float(line.removeprefix('nilometer_calibration_due_timestamp_seconds{datastream="river/ph"}')) * 1000
        == AT + DAY
    )
    station.clock.now = NOON + 1440 * MINUTE
    assert (await station.json("/api/v1/calibration-records/due?thing=river"))["calibrations"][0]["state"] == "overdue"


@pytest.mark.parametrize(
    ("path", "change", "status", "place", "says"),
    [
        ("calibration-records", {"kind": "zer"}, 400, "$.kind", "verification"),
        ("calibration-records", {"time": "2021-03-05T12:00:00"}, 400, "$.time", "with Z or an offset"),
        ("calibration-records", {"points": [{"befor": 1}]}, 400, "$.points[0].befor", "unknown member"),
        (
            "calibration-records",
            {"points": [{"value": 7, "from_observations": {"start": AT, "end": AT, "sample": "spam"}}]},
            400,
            "$.points[0].from_observations.sample",
            "did you mean span",
        ),
        ("calibration-records", {"datastream": "river/pH"}, 404, "", "did you mean river/ph"),
        ("calibration-records", {"points": [{"standard": "ph7", "before": 7}]}, 404, "", "no standard solution 'ph7'"),
        ("calibration-records", {"points": [{"value": 7, "unit": "mV", "before": 7}]}, 400, "", "$.points[0].unit"),
        ("calibration-records", {"calibration": {"kind": "line"}}, 409, "", "polynomial"),
        ("standard-solutions", {"unit": "furlong per x"}, 400, "", "furlong"),
        ("standard-solutions", {"coverage_factor": 0}, 400, "$.coverage_factor", "such as 2"),
        ("standard-solutions", {"key": "7"}, 400, "$.key", "a letter"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_is_refused_with_its_place(refusing, path, change, status, place, says):
    body = {**(BUFFER if path == "standard-solutions" else {**DONE, "points": [{"value": 7, "before": 7}]}), **change}
    error = (await send(refusing, path, body, status))["error"]
    assert says in error["message"]
    assert not place or error["place"] == place


@pytest.mark.asyncio(loop_scope="module")
async def test_the_routes_are_described(refusing):
    paths = (await refusing.json("/openapi.json"))["paths"]
    body = paths["/api/v1/calibration-records"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"points", "accept_expired", "calibration"} <= set(body["properties"])
    assert "/api/v1/standard-solutions/{name}" in paths
    for path in ("calibration-records/99", "standard-solutions/none", "standard-solutions/99"):
        assert (await refusing.client.get(f"/api/v1/{path}")).status_code == 404
