"""Devices that POST: their tokens, their shapes of JSON, CSV and Arrow, and an answer that means durable."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import time
import zlib
from contextlib import asynccontextmanager

import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.acquisition.certificates import certificate
from tests.acquisition.ports import reserved_port
from tests.acquisition.sinks import RecordingSink

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.http_push import DRIVER, HttpPushOptions
from nilometer.acquisition.http_push_bodies import RouteOptions, read_body
from nilometer.acquisition.http_push_tokens import PushDeviceOptions, Tokens
from nilometer.errors import ConfigError, FrameError

DAM, WEIR = "dam-token-0123456789", "weir-token-0123456789"
DEVICES = {"dam": {"token": DAM}, "weir": {"token": WEIR}}
ROUTES = [
    {
        **{"path": "/json", "records": "data", "time": "t"},
        "values": {
            "lvl": {"key": "level", "unit": "cm", "missing": [-999]},
            "s.temp": {"property": "water_temperature"},
        },
    },
    {"path": "/table", "time": "time"},
    {"path": "/plain"},
]
TIMES = ["2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z"]


@asynccontextmanager
async def listening(sink, **options):
    with reserved_port() as port:
        made = HttpPushOptions.model_validate({"port": port, "devices": DEVICES, "routes": ROUTES, **options})
        task = asyncio.create_task(DRIVER.make(made, lambda: time.time_ns() // 1000).run(sink))
        try:
            await sink.until(lambda: any("listening" in report.detail for report in sink.reports))
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                client.headers["authorization"] = f"Bearer {DAM}"
                client.port = port
                yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def rows(sink):
    return [
        (batch.channels[index].key, int(moment), float(value), mark)
        for batch in sink.batches
        for index, moment, value, mark in zip(
            batch.channel, batch.phenomenon_time, batch.raw_result, batch.mark, strict=True
        )
    ]


async def test_each_format_says_the_same_and_the_device_is_whose_token_it_is():
    sink = RecordingSink()
    table = pa.table({"time": pa.array([1_714_557_600_000_000], pa.timestamp("us", tz="UTC")), "ph": [7.5]})
    arrow = pa.BufferOutputStream()
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    async with listening(sink) as client:
        body = {"data": [{"t": TIMES[0], "lvl": 12, "s": {"temp": "8.5"}}, {"t": TIMES[1], "lvl": -999}]}
        answers = [
            await client.post("/json", json=body),
            await client.post("/table", content=f"time;ph\n{TIMES[0]};7,5\n", headers={"content-type": "text/csv"}),
            await client.post(
                "/table",
                content=arrow.getvalue().to_pybytes(),
                headers={"content-type": "application/vnd.apache.arrow.stream", "authorization": f"Bearer {WEIR}"},
            ),
            await client.put("/table", json=[{"time": TIMES[0], "ph": 7.5}], auth=("any", WEIR)),
            await client.post("/plain", json={"ph": 7.1}, headers={"authorization": "", "x-api-key": WEIR}),
        ]
    assert [(answer.status_code, answer.json()["accepted"]) for answer in answers] == [
        (200, n) for n in (2, 1, 1, 1, 1)
    ]
    found = rows(sink)
    at = 1_714_557_600_000_000
    assert found[0] == ("dam/level", at, 12.0, None)
    assert found[1][:3] == ("dam/s.temp", at, 8.5)
    assert found[2][3] == "-999"
    assert [row[:3] for row in found[3:6]] == [("dam/ph", at, 7.5), ("weir/ph", at, 7.5), ("weir/ph", at, 7.5)]
    assert abs(found[6][1] - time.time_ns() // 1000) < 60_000_000
    units = {channel.key: (channel.unit, channel.observed_property) for channel in sink.batches[-1].channels}
    assert units["dam/level"] == ("cm", None)
    assert units["dam/s.temp"][1] == "water_temperature"


async def test_over_tls_the_certificate_is_that_of_the_files(tmp_path):
    cert, key = certificate(tmp_path, "push", "urn:push")
    sink = RecordingSink()
    async with listening(sink, cert_file=cert, key_file=key) as client:
        trusting = ssl.create_default_context(cafile=cert)
        async with httpx.AsyncClient(verify=trusting, headers=client.headers) as safe:
            answer = await safe.post(f"https://127.0.0.1:{client.port}/plain", json={"ph": 7.5})
        assert answer.status_code == 200
    with reserved_port() as port:
        wrong = HttpPushOptions.model_validate(
            {"port": port, "devices": DEVICES, "cert_file": str(tmp_path / "none.pem")}
        )
        with pytest.raises(ConfigError, match=r"none\.pem"):
            await DRIVER.make(wrong, lambda: 0).run(RecordingSink())


async def test_a_bad_record_is_named_and_the_others_are_stored():
    sink = RecordingSink()
    async with listening(sink) as client:
        text = f"time,ph\n{TIMES[0]},7.0\nyesterday,7.1\n{TIMES[1]},7.2\n"
        answer = await client.post("/table", content=text, headers={"content-type": "text/csv"})
        bad = await client.post("/table", content="time,ph\nyesterday,7.1\n", headers={"content-type": "text/csv"})
        broken = await client.post("/json", content=b'{"data": [')
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert answer.json()["rejected"] == 1
    assert answer.json()["errors"][0]["row"] == 2
    assert "yesterday" in answer.json()["errors"][0]["reason"]
    assert (bad.status_code, broken.status_code) == (400, 400)
    assert [row[2] for row in rows(sink)] == [7.0, 7.2]
    assert sum(report.bad_frames for report in sink.reports) == 3


async def test_200_comes_when_the_rows_are_durable_and_503_when_they_do_not_become_so():
    sink = RecordingSink(acknowledges=False)
    async with listening(sink, store_timeout_s=0.3, retry_after_s=7) as client:
        waiting = asyncio.create_task(client.post("/plain", json={"ph": 7.0}))
        await sink.until(lambda: sink.batches)
        assert not waiting.done()
        await asyncio.to_thread(sink.batches[0].acknowledge)
        assert (await waiting).status_code == 200
        refused = await client.post("/plain", json={"ph": 7.1})
        sink.open.clear()
        full = await client.post("/plain", json={"ph": 7.2})
        sink.open.set()
        sink.acknowledges = True
        again = await client.post("/plain", json={"ph": 7.3})
    assert [(one.status_code, one.headers["retry-after"]) for one in (refused, full)] == [(503, "7")] * 2
    assert again.status_code == 200


async def test_a_body_that_is_sent_again_under_its_key_keeps_its_moment():
    sink = RecordingSink()
    async with listening(sink) as client:
        for _ in range(2):
            await client.post("/plain", json=[{"ph": 7.0}, {"ph": 7.0}], headers={"idempotency-key": "a1"})
        await client.post("/plain", json=[{"ph": 7.0}])
    moments = [row[1] for row in rows(sink)]
    assert moments[:2] == moments[2:4]
    assert len(set(moments)) == 3


async def test_who_may_not_and_what_is_too_much_is_refused_before_it_is_read():
    sink = RecordingSink()
    bomb = gzip.compress(b" " * 10_000_000)
    async with listening(sink, longest_body_bytes=100_000) as client:
        for headers in (
            {"authorization": ""},
            {"authorization": "Bearer wrong-token-000000"},
            {"authorization": "Basic ?"},
        ):
            assert (await client.post("/plain", json={"ph": 7}, headers=headers)).status_code == 401
        assert (await client.post("/nowhere", json={"ph": 7})).status_code == 404
        assert (await client.get("/plain")).status_code == 405
        assert (await client.post("/plain", content=b"x" * 200_000)).status_code == 413
        assert (await client.post("/plain", content=bomb, headers={"content-encoding": "gzip"})).status_code == 413
        assert (await client.post("/plain", content=b"x", headers={"content-encoding": "br"})).status_code == 415
        assert (await client.post("/plain", content=b"x", headers={"content-encoding": "gzip"})).status_code == 400

        async def parts():
            for _ in range(20):
                yield b"1" * 20_000

        assert (await client.post("/plain", content=parts())).status_code == 413
        assert not sink.batches
        for packed, name in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
            body = packed(json.dumps({"ph": 7.5}).encode())
            assert (await client.post("/plain", content=body, headers={"content-encoding": name})).status_code == 200
    assert [row[2] for row in rows(sink)] == [7.5, 7.5]
    assert DAM not in str(sink.reports)


async def test_a_slow_peer_and_one_that_speaks_no_http_hold_nobody_up():
    sink = RecordingSink()
    async with listening(sink, head_timeout_s=0.15, body_timeout_s=0.15) as client:

        async def raw(said):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            try:
                writer.write(said)
                return await asyncio.wait_for(reader.read(), 10)
            finally:
                writer.close()
                await writer.wait_closed()

        head = f"POST /plain HTTP/1.1\r\nhost: x\r\nx-api-key: {DAM}\r\ncontent-length: 100\r\n"
        slow, stopped, garbage, expecting = await asyncio.gather(
            raw(b"POST /pl"),
            raw(f"{head}\r\n{{".encode()),
            raw(b"\x16\x03\x01" * 40 + b"\r\n\r\n"),
            raw(f"{head}expect: 100-continue\r\n\r\n".encode()),
        )
        assert (await client.post("/plain", json={"ph": 7.5})).status_code == 200
    assert slow.startswith(b"HTTP/1.1 408")
    assert stopped.startswith(b"HTTP/1.1 408")
    assert garbage.startswith(b"HTTP/1.1 400")
    assert expecting.startswith(b"HTTP/1.1 100")


async def test_a_device_that_stays_away_is_seen():
    sink = RecordingSink()
    async with listening(sink, device_silent_after_s=0.1) as client:
        await sink.until(lambda: {report.device for report in sink.reports} >= {"dam", "weir"})
        await client.post("/plain", json={"ph": 7.5})
        await sink.until(lambda: any(r.device == "dam" and r.state is SourceState.LIVE for r in sink.reports))


any_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "data", "lvl", "s", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None)
@given(
    st.binary(max_size=200) | any_json.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["json", "csv", "arrow"]),
)
def test_any_body_gives_records_or_a_frame_error(body, kind):
    for options in ROUTES:
        route = RouteOptions.model_validate(
            {"time": "t", **options, **({} if "records" in options else {"format": kind})}
        )
        try:
            found = read_body(route, "", body)
        except FrameError:
            continue
        assert found.messages or found.refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"devices": {}},
        {"devices": {"a": {"token": "short"}}},
        {"devices": {"a": {}}},
        {"routes": [{"path": "/a"}, {"path": "/a"}]},
        {"routes": [{"path": "/a", "format": "csv"}]},
        {"host": "somewhere"},
        {"key_file": "k.pem"},
    ],
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        HttpPushOptions.model_validate({"port": 1, "devices": DEVICES, **wrong})


def test_tokens_come_from_places_and_are_of_one_device_each(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("from-a-file-0123456789\n")
    monkeypatch.setenv("PUSH_TOKEN", "from-the-env-0123456789")
    options = {"a": {"token_file": str(tmp_path / "token")}, "b": {"token_env": "PUSH_TOKEN"}}
    tokens = Tokens({name: PushDeviceOptions.model_validate(one) for name, one in options.items()})
    assert tokens.owner({"x-api-key": "from-a-file-0123456789"}) == "a"
    assert tokens.owner({"authorization": "bearer from-the-env-0123456789"}) == "b"
    assert tokens.owner({}) is None
    for bad in ({"token_env": "NOT_SET_ANYWHERE"}, {"token_file": str(tmp_path / "none")}):
        with pytest.raises(ConfigError, match="devices"):
            Tokens({"a": PushDeviceOptions.model_validate(bad)})
    with pytest.raises(ConfigError, match="same token"):
        Tokens({name: PushDeviceOptions(token=DAM) for name in "ab"})
