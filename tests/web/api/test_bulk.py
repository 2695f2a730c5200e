from __future__ import annotations

from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import Overloaded, StoreFull
from nilometer.web.api.bodies import ARROW, read_body
from nilometer.web.api.columns import Refusals, numbers, times
from nilometer.web.api.one_row import read_one_row
from tests.web.conftest import NOON

HEADER = "datastream,phenomenon_time,result"


async def write(station, body, media_type="text/csv", status=200, **headers):
    answer = await station.client.post(
        "/api/v1/observations", content=body, headers={"content-type": media_type} | headers
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def csv(*rows, header=HEADER):
    return "\n".join([header, *rows]).encode() + b"\n"


async def test_rows_are_new_then_unchanged_then_revised(station):
    rows = ["river/ph,2021-03-05T12:00:00Z,7.0", "1,2021-03-05T12:01:00Z,7.1"]
    answer = await write(station, csv(*rows))
    assert answer == {"accepted": 2, "unchanged": 0, "revised": 0, "rejected": 0, "errors": []}
    rows[1] = "river/ph,2021-03-05T12:01:00Z,7.2"
    answer = await write(station, csv(*rows))
    assert (answer["accepted"], answer["unchanged"], answer["revised"]) == (0, 1, 1)


async def test_bad_rows_are_named_and_do_not_undo_the_good(station):
    rows = [
        "river/ph,2021-03-05T12:00:00Z,7.0",
        "river/pH2,2021-03-05T12:01:00Z,7.1",
        "river/ph,noon,7.1",
        "river/ph,2021-03-05T12:02:00Z",
        "river/ph,2021-03-05T12:03:00Z,high",
        ",2021-03-05T12:03:00Z,7",
        "river/ph,2021-03-05T12:04:00Z,7.4",
    ]
    answer = await write(station, csv(*rows))
    assert (answer["accepted"], answer["rejected"]) == (2, 5)
    assert [error["row"] for error in answer["errors"]] == [1, 2, 3, 4, 5]
    assert "did you mean river/ph" in answer["errors"][0]["reason"]
    assert "missing" in answer["errors"][4]["reason"]


async def test_only_the_first_hundred_reasons_are_told(station):
    answer = await write(station, csv(*["nowhere,2021-03-05T12:00:00Z,1"] * 250), status=400)
    assert answer["rejected"] == 250
    assert [error["row"] for error in answer["errors"]] == list(range(100))


async def test_arrow_and_json_say_the_same_as_csv(station):
    moments = NOON // 1000 + 1000 * np.arange(5)
    table = pa.table(
        {
            "datastream": pa.array(["river/ph"] * 5).dictionary_encode(),
            "phenomenon_time": pa.array(moments, pa.timestamp("ms", "UTC")),
            "result": pa.array([7.0, 7.1, None, 7.3, 7.4]),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert (await write(station, sink.getvalue().to_pybytes(), ARROW))["accepted"] == 5
    columns = {"datastream": [1] * 5, "phenomenon_time": moments.tolist(), "result": [7.0, 7.1, None, 7.3, 7.5]}
    answer = await write(station, msgspec.json.encode(columns), "application/json; charset=utf-8")
    assert (answer["unchanged"], answer["revised"]) == (4, 1)
    found = await station.json("/api/v1/datastreams/1/observations")
    assert found["columns"]["result"] == [7.0, 7.1, None, 7.3, 7.5]
    assert found["columns"]["quality"][2] == 9


async def test_optional_columns_reach_the_store(station):
    header = HEADER + ",duration_s,result_time,censored,mark,sample,depth,parameters"
    row = 'river/ph,2021-03-05T12:00:00Z,7.0,60,2021-03-05T12:00:02Z,-1,N,,2.5,"{""lot"": 3}"'
    check = "river/ph,2021-03-05T12:00:00Z,4.0,,,,,check,,"
    wrong = "river/ph,2021-03-05T12:00:00Z,4.0,-5,,7,,beer,,[1]"
    answer = await write(station, csv(row, check, wrong, header=header))
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    ours = await write(station, csv(row.replace("lot", "@result"), header=header), status=400)
    assert "does not start with @, as '@result' does" in ours["errors"][0]["reason"]
    found = await station.json("/v1.1/Datastreams(1)/Observations")
    (only,) = found["value"]
    assert only["phenomenonTime"].endswith("/2021-03-05T12:01:00Z")
    assert only["resultTime"] == "2021-03-05T12:00:02Z"
    assert only["parameters"] == {"lot": 3}
    assert only["resultQuality"]["mark"] == "N"
    assert only["resultQuality"]["censoring"] == "below"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "text/csv", 400),
        (b"a,b\n", "text/csv", 400),
        (b"{", "application/json", 400),
        (b"\x00" * 50, ARROW, 400),
        (b"x", "text/plain", 415),
        (b"x", "", 415),
    ],
)
async def test_bodies_that_are_nothing_are_refused_with_a_place(refusing, body, media_type, status):
    answer = await write(refusing, body, media_type, status)
    assert answer["error"]["message"]


@pytest.mark.asyncio(loop_scope="module")
async def test_compressed_bodies_are_refused(refusing):
    await write(refusing, b"\x1f\x8b", status=415, **{"content-encoding": "gzip"})


@pytest.mark.asyncio(loop_scope="module")
async def test_a_header_alone_writes_nothing(refusing):
    assert (await write(refusing, csv()))["accepted"] == 0


async def test_a_store_that_refuses_says_when_to_come_back(station, monkeypatch):
    for error, status in ((StoreFull("no space is left"), 507), (Overloaded("too much"), 503)):

        async def refuse(_batch, error=error):
            raise error

        # A full disk cannot be had in a test folder; the pipeline's refusal stands in for it.
        monkeypatch.setattr(station.pipeline, "queue", refuse)
        answer = await station.client.post(
            "/api/v1/observations", content=csv("1,2021-03-05T12:00:00Z,7"), headers={"content-type": "text/csv"}
        )
        assert answer.status_code == status
        assert int(answer.headers["retry-after"]) > 0


async def test_a_body_of_one_row_is_told_the_same_as_a_row_of_many(station):
    def body(key="river/ph", time="2021-03-05T12:00:00Z", result=7.0):
        return msgspec.json.encode({"datastream": [key], "phenomenon_time": [time], "result": [result]})

    async def counts(**row):
        answer = await write(station, body(**row), "application/json")
        return tuple(answer[name] for name in ("accepted", "unchanged", "revised", "rejected"))

    assert await counts() == (1, 0, 0, 0)
    assert await counts() == (0, 1, 0, 0)
    assert await counts(key="1") == (0, 1, 0, 0)
    assert await counts(key=1) == (0, 1, 0, 0)
    assert await counts(time="2021-03-05T20:00:00+08:00") == (0, 1, 0, 0), "by the way of many rows"
    assert await counts(result=7.5) == (0, 0, 1, 0)
    assert await counts(key="sea/free", result=1) == (1, 0, 0, 0)
    assert await counts(key="sea/free", result=1) == (1, 0, 0, 0), "its Datastream takes all as new"
    for wrong, reason in (
        ({"key": "river/pH"}, "did you mean river/ph"),
        ({"key": ""}, "datastream is missing"),
        ({"time": "noon"}, "noon"),
        ({"time": "2021-02-30T12:00:00Z"}, "2021-02-30"),
        ({"result": "high"}, "high"),
    ):
        answer = await write(station, body(**wrong), "application/json", status=400)
        assert answer["rejected"] == 1
        assert reason in answer["errors"][0]["reason"]


@given(
    time=st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),  # noqa: DTZ001 -- as UTC
    result=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70),
    digits=st.integers(0, 6),
)
def test_what_one_row_is_read_as_is_what_many_rows_are(time, result, digits):
    text = time.strftime("%H:%M:%S") + (f".{time.microsecond:06}"[: digits + 1] if digits else "")
    text = f"{time.year:04}-{time.month:02}-{time.day:02}T{text}Z"
    body = msgspec.json.encode({"datastream": ["1"], "phenomenon_time": [text], "result": [result]})
    row = read_one_row(body)
    if row is None:
        assert abs(result) > 2**53
        return
    columns, refusals = read_body(body, "application/json").columns, Refusals(1)
    assert times(columns["phenomenon_time"], "phenomenon_time", refusals, required=True).tolist() == [row.time]
    assert numbers(columns["result"], "result", refusals).tolist() == [row.result]
    assert not refusals.refused.any()


@given(st.binary(max_size=80))
def test_whatever_is_no_row_is_left_to_the_way_of_many(body):
    assert read_one_row(body) is None
