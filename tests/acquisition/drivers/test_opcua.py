"""The OPC UA driver at a real server (asyncua's, in a thread of its own), over a wire that can be cut and spoilt."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
import tomllib
from contextlib import asynccontextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.acquisition.certificates import certificate
from tests.acquisition.sinks import RecordingSink
from typer.testing import CliRunner

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.opcua import DRIVER, OpcuaOptions
from nilometer.acquisition.links.opcua import Endpoint, OpcuaValue, open_opcua
from nilometer.acquisition.links.tcp import listen
from nilometer.acquisition.opcua_nodes import NodeOptions, Nodes, node_key
from nilometer.acquisition.opcua_probing import config_block, probe
from nilometer.acquisition.opcua_rows import NodeChannel, ValueRows, has_overflowed
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.simulators.opcua_server import NAMESPACE, OpcuaServer
from nilometer.acquisition.simulators.relay import Relay, Wire
from nilometer.cli.main import app
from nilometer.errors import ConfigError, LinkError
from nilometer.model.flags import QartodFlag
from nilometer.qc.marks import Marks

ua = pytest.importorskip("asyncua").ua
FAST = {
    **{"publishing_interval_s": 0.05, "watch_interval_s": 0.1, "timeout_s": 1.0},
    **{"reconnect_first_s": 0.05, "reconnect_longest_s": 0.1},
}
PASSWORD = "sluice-gate-9"


def now():
    return time.time_ns() // 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    files = certificate(tmp_path_factory.mktemp("server"), "server", "urn:freeopcua:python:server")
    made = OpcuaServer(certificate_file=files[0], key_file=files[1], password=PASSWORD)
    made.start()
    yield made
    made.stop()


def do(server, action):
    return asyncio.wrap_future(server.call(action))


def node(folder, name, **more):
    return {"id": f"nsu={NAMESPACE};s={folder}.{name}", "key": name, **more}


@asynccontextmanager
async def listening(port, nodes, sink, clock=now, **options):
    made = OpcuaOptions.model_validate({"url": f"opc.tcp://127.0.0.1:{port}", "nodes": nodes, **FAST, **options})
    task = asyncio.create_task(DRIVER.make(made, clock).run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def wire_to(server):
    state = [Wire.WHOLE]
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(Relay("127.0.0.1", server.port, lambda: state[0]).serve(ready.set_result))
    try:
        yield await ready, state
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def rows(sink, key):
    return [
        (int(moment), float(value), mark, extra)
        for batch in sink.batches
        for index, moment, value, mark, extra in zip(
            batch.channel, batch.phenomenon_time, batch.raw_result, batch.mark, batch.extra, strict=True
        )
        if batch.channels[index].key == key
    ]


def details(sink):
    return " | ".join(report.detail for report in sink.reports)


async def test_every_kind_of_value_keeps_its_status_and_its_time(server):
    level = await do(server, server.add("kinds", "water_level", 1.0, unit="cm"))
    others = {
        "pump": True,
        "count": ua.Variant(2**60, ua.VariantType.Int64),
        "text": "sluice open",
        "profile": [1.0, 2.0, math.nan],
        "lost": ua.Variant(math.inf, ua.VariantType.Double),
    }
    for name, value in others.items():
        await do(server, server.add("kinds", name, value))
    at = 1_714_557_600_123_456
    await do(server, server.put(level, 17.5, at, 0x40930000))
    sink = RecordingSink()
    async with listening(server.port, [node("kinds", name) for name in ("water_level", *others)], sink):
        await sink.until(lambda: all(rows(sink, key) for key in ("water_level", "pump", "count", "text", "lost")))
        await do(server, server.put(level, 18.5, at + 1_000_000, 0x808C0000))
        await do(server, server.put(level, 19.5, None, 0x00000700))  # Good, and the limit bits say: constant
        await sink.until(lambda: len(rows(sink, "water_level")) == 3)
    first, bad, undated = rows(sink, "water_level")
    assert first == (at, 17.5, "UncertainSensorNotAccurate", None)
    assert bad[0] == at + 1_000_000
    assert bad[2] == "BadSensorFailure"
    assert abs(undated[0] - now()) < 60_000_000
    assert '"limit": "constant"' in undated[3]
    assert rows(sink, "pump")[0][1] == 1.0
    assert str(2**60) in rows(sink, "count")[0][3]
    assert math.isnan(rows(sink, "text")[0][1])
    assert "sluice open" in rows(sink, "text")[0][3]
    assert [rows(sink, f"profile.{place}")[0][1] for place in (0, 1)] == [1.0, 2.0]
    assert math.isnan(rows(sink, "profile.2")[0][1])
    assert math.isnan(rows(sink, "lost")[0][1])
    channel = next(item for item in sink.batches[0].channels if item.key == "water_level")
    assert (channel.unit, channel.observed_property) == ("cm", "water_level")


async def test_an_outage_is_filled_from_history_in_order_and_without_history_it_is_said(server):
    kept = await do(server, server.add("outage", "kept", 0.0, keeps=True))
    lost = await do(server, server.add("outage", "lost", 0.0))
    begin = now()

    async def put(first, last):
        for n in range(first, last):
            await server.put(kept, float(n), begin + n * 1000)
            await server.put(lost, float(n), begin + n * 1000)

    sink = RecordingSink()
    async with wire_to(server) as (port, state):
        async with listening(port, [node("outage", "kept"), node("outage", "lost")], sink):
            await do(server, put(1, 5))
            await sink.until(lambda: rows(sink, "kept") and rows(sink, "kept")[-1][1] == 4.0)
            state[0] = Wire.CUT
            await sink.until_said(SourceState.DISCONNECTED)
            await do(server, put(5, 40))
            state[0] = Wire.WHOLE
            await sink.until(lambda: rows(sink, "kept")[-1][1] == 39.0 and rows(sink, "lost")[-1][1] == 39.0)
    values = [row[1] for row in rows(sink, "kept")]
    assert sorted(set(values)) == [float(n) for n in range(int(values[0]), 40)]
    assert [row[0] for row in rows(sink, "kept")] == sorted(row[0] for row in rows(sink, "kept"))
    assert len(rows(sink, "lost")) < 10
    assert "no history at the server for lost" in details(sink)
    assert "came from the server's history" in details(sink)


async def test_an_overflown_queue_is_filled_from_history_or_said(server):
    kept = await do(server, server.add("overflow", "kept", 0.0, keeps=True))
    lost = await do(server, server.add("overflow", "lost", 0.0))
    begin = now()
    sink = RecordingSink(acknowledges=False)
    async with listening(server.port, [node("overflow", name, queue_size=2) for name in ("kept", "lost")], sink):
        await sink.until(lambda: rows(sink, "kept"))
        for n in range(1, 21):  # Nothing is acknowledged, so nothing more is asked for: the server's queue is full.
            status = 0x480 if n == 19 else 0  # This server drops values and sets no bit: it is set by hand.
            await do(server, server.put(kept, float(n), begin + n * 1000, status))
            await do(server, server.put(lost, float(n), begin + n * 1000, status))
        assert len(rows(sink, "kept")) == 1
        sink.acknowledges = True
        sink.batches[0].acknowledge()
        await sink.until(lambda: rows(sink, "kept")[-1][1] == 20.0 and rows(sink, "lost")[-1][1] == 20.0)
    assert sorted({row[1] for row in rows(sink, "kept")}) == [float(n) for n in range(21)]
    assert [row[1] for row in rows(sink, "lost")] == [0.0, 19.0, 20.0]
    assert "lost: the server's queue overflowed" in details(sink)
    assert "raise queue_size" in details(sink)


async def test_a_garbled_and_a_mute_server_are_seen_and_come_back(server):
    value = await do(server, server.add("noise", "value", 0.0))
    sink = RecordingSink()
    async with wire_to(server) as (port, state):
        async with listening(port, [node("noise", "value")], sink, timeout_s=0.3, reopen_after_s=0.3):
            for n, fault in enumerate((Wire.GARBLED, Wire.MUTE), 1):
                await sink.until(lambda n=n: rows(sink, "value") and rows(sink, "value")[-1][1] == n - 1)
                sink.reports.clear()
                state[0] = fault
                await sink.until_said(SourceState.DISCONNECTED)
                assert fault is Wire.GARBLED or sink.said(SourceState.SILENT)
                state[0] = Wire.WHOLE
                await do(server, server.put(value, float(n), now()))
            await sink.until(lambda: rows(sink, "value")[-1][1] == 2.0)


@pytest.mark.parametrize("mode", ["sign", "sign_and_encrypt"])
async def test_a_secured_channel_with_user_and_password(server, mode, tmp_path, monkeypatch):
    await do(server, server.add(f"safe-{mode}", "value", 4.5))
    files = certificate(tmp_path, "client", "urn:nilometer:test")
    monkeypatch.setenv("OPCUA_PASSWORD", PASSWORD)
    safe = {"security": mode, "certificate_file": files[0], "key_file": files[1], "username": "nilometer"}
    sink = RecordingSink()
    async with listening(server.port, [node(f"safe-{mode}", "value")], sink, **safe, password_env="OPCUA_PASSWORD"):
        await sink.until(lambda: rows(sink, "value"))
    assert rows(sink, "value")[0][1] == 4.5
    assert sink.batches[0].syntax.tolist() == [QartodFlag.PASS]
    (tmp_path / "wrong").write_text("wrong-secret\n")
    refused = RecordingSink()
    wrong = {"password_file": str(tmp_path / "wrong")}
    async with listening(server.port, [node(f"safe-{mode}", "value")], refused, **safe, **wrong):
        await refused.until_said(SourceState.DISCONNECTED)
    assert "wrong-secret" not in details(refused)
    assert not refused.batches
    made = OpcuaOptions.model_validate(
        {"url": "opc.tcp://127.0.0.1:1", "nodes": [node("x", "y")], **safe, "key_file": str(tmp_path / "absent.pem")}
    )
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        await DRIVER.make(made, now).run(RecordingSink())


async def test_a_probe_lists_what_the_server_has_and_writes_the_block_that_reads_it(server):
    await do(server, server.add("probe", "flow", 12.5, unit="m³/h", keeps=True))
    await do(server, server.add("probe", "note", "hello"))
    notes = []
    link = await open_opcua(Endpoint(url=f"opc.tcp://127.0.0.1:{server.port}"))
    try:
        found = {item.path: item for item in await probe(link, 200, lambda: None, notes.append)}
    finally:
        await link.close()
    flow = found["probe/flow"]
    assert (flow.unit, flow.value, flow.data_type, flow.has_history) == ("m3 h-1", 12.5, "Double", True)
    assert not any(path.startswith("Server/") for path in found)
    text = config_block(
        f"opc.tcp://127.0.0.1:{server.port}", [item for path, item in found.items() if "probe/" in path]
    )
    source = tomllib.loads(text)["source"][0]
    made = OpcuaOptions.model_validate(source["options"])
    assert [item.id for item in made.nodes] == [f"nsu={NAMESPACE};s=probe.flow"]
    sink = RecordingSink()
    async with listening(server.port, source["options"]["nodes"], sink):
        await sink.until(lambda: rows(sink, "probe.flow"))


async def test_a_clock_that_differs_or_jumps_is_said_and_a_time_that_cannot_be_is_not_taken(server):
    await do(server, server.put(await do(server, server.add("clock", "value", 1.0)), 2.0, now()))
    behind = [3_600_000_000]
    sink = RecordingSink()
    async with listening(server.port, [node("clock", "value")], sink, clock=lambda: now() - behind[0]):
        await sink.until(lambda: rows(sink, "value") and "ahead of ours" in details(sink))
        behind[0] = 0
        await sink.until(lambda: re.search(r"jumped 3(599|600|601)\.\d s back", details(sink)))
    moment, _, _, extra = rows(sink, "value")[0]
    assert abs(moment - now() + 3_600_000_000) < 60_000_000
    assert "device_time" in extra


def test_the_command_lists_variables_and_writes_the_block(server, tmp_path):
    server.call(server.add("command", "flow", 2.5, unit="L/s")).result(10)
    out = tmp_path / "block.toml"
    answer = CliRunner().invoke(app, ["probe", "opcua", f"127.0.0.1:{server.port}", "--json", "-o", str(out)])
    assert answer.exit_code == 0, answer.output
    found = {item["path"]: item for item in json.loads(answer.stdout)["found"]}
    assert found["command/flow"]["unit"] == "L s-1"
    assert "s=command.flow" in out.read_text(encoding="utf-8")
    assert (
        "command/flow  Double: 2.5 L s-1"
        in CliRunner().invoke(app, ["probe", "opcua", f"127.0.0.1:{server.port}"]).output
    )


async def test_a_node_that_is_not_there_does_not_keep_the_others_away(server):
    await do(server, server.add("some", "there", 2.0))
    sink = RecordingSink()
    async with listening(server.port, [node("some", "gone"), node("some", "there"), {"id": "nsu=urn:x;i=1"}], sink):
        await sink.until(lambda: rows(sink, "there"))
    assert "BadNodeIdUnknown" in details(sink) or "some.gone" in details(sink)
    assert "no namespace 'urn:x'" in details(sink)


@pytest.mark.parametrize(
    "noise", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"ACKF\x1c\0\0\0" + b"\xff" * 20, b"\xff" * 64]
)
async def test_a_peer_that_is_no_opcua_server_is_a_link_error(noise):
    async def talk(link):
        await link.write(noise)

    listener = await listen("127.0.0.1", 0, talk)
    try:
        with pytest.raises(LinkError):
            await open_opcua(Endpoint(url=f"opc.tcp://127.0.0.1:{listener.port}", timeout_s=0.1))
    finally:
        await listener.close()


async def test_spoilt_bytes_from_the_first_on_are_a_link_error(server):
    async with wire_to(server) as (port, state):
        for state[0] in (Wire.GARBLED, Wire.MUTE, Wire.CUT):
            with pytest.raises(LinkError):
                await open_opcua(Endpoint(url=f"opc.tcp://127.0.0.1:{port}", timeout_s=0.1))


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncua", None)
    made = OpcuaOptions.model_validate({"url": "opc.tcp://127.0.0.1:1", "nodes": [{"id": "i=1"}]})
    with pytest.raises(ConfigError, match=r"nilometer\[opcua\]"):
        asyncio.run(DRIVER.make(made, now).run(RecordingSink()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://x"},
        {"url": "opc.tcp://user:secret@host:4840"},
        {"nodes": [{"id": "Tank.Level"}]},
        {"nodes": [{"id": "ns=2;s=a"}, {"id": "ns=3;s=a"}]},
        {"security": "sign"},
        {"certificate_file": "x.pem"},
        {"password_env": "X"},
        {"nodes": [{"id": "i=1", "unit": "sluices"}]},
    ],
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises((ValidationError, ConfigError, ValueError)):
        OpcuaOptions.model_validate({"url": "opc.tcp://host:4840", "nodes": [{"id": "i=1"}], **wrong})


def test_the_status_decides_the_flag_also_of_codes_that_nobody_listed():
    marks = Marks()
    row = marks.row("opcua")
    texts = {
        "Good": QartodFlag.PASS,
        "GoodClamped": QartodFlag.PASS,
        "GoodLocalOverride": QartodFlag.SUSPECT,
        "UncertainInitialValue": QartodFlag.NOT_EVALUATED,
        "UncertainLastUsableValue": QartodFlag.SUSPECT,
        "Uncertain 0x40FF0000": QartodFlag.SUSPECT,
        "BadSensorFailure": QartodFlag.FAIL,
        "BadNoCommunication": QartodFlag.MISSING,
        "Bad 0x80FF0000": QartodFlag.FAIL,
        "N": QartodFlag.NOT_EVALUATED,
        None: QartodFlag.PASS,
    }
    codes, table = marks.read(pa.array(list(texts), pa.string()))
    assert [int(table[row][code]) for code in codes] == [int(flag) for flag in texts.values()]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
)
times = st.none() | st.integers(-(2**62), 2**62)


@settings(max_examples=60, deadline=None)
@given(values, st.integers(0, 2**32 - 1), times, times)
def test_any_value_gives_rows_with_a_time_that_can_be_true(value, status, source, server_time):
    made = ValueRows(ChannelTable())
    problems = []
    item = OpcuaValue("n", value, status, "Good", source, server_time)
    for row in made.rows(item, NodeChannel("n"), 1_714_557_600_000_000, problems):
        assert 946_684_800_000_000 <= row.time <= 1_714_557_900_000_000
        assert math.isnan(row.value) or np.isfinite(row.value)
    assert has_overflowed(status) == (status & 0x480 == 0x480)


def test_a_namespace_that_moves_is_found_by_its_uri():
    ids = ["ns=2;s=Tank.Level", "nsu=urn:plc;i=7", "i=2258"]
    nodes, notes = Nodes([NodeOptions(id=one) for one in ids]), []
    before, after = (
        ["http://opcfoundation.org/UA/", "urn:server", "urn:plc"],
        ["http://opcfoundation.org/UA/", "urn:new"],
    )
    assert [nodes.indexed(one, before, notes.append) for one in ids] == ["ns=2;s=Tank.Level", "ns=2;i=7", "i=2258"]
    moved = [nodes.indexed(one, [*after, "urn:server", "urn:plc"], notes.append) for one in ids]
    assert moved == ["ns=3;s=Tank.Level", "ns=3;i=7", "i=2258"]
    assert notes == ["namespace 'urn:plc' is now number 3; the nodes are found by its URI"]
    with pytest.raises(LinkError, match="no namespace 'urn:plc'"):
        nodes.indexed(ids[0], after, notes.append)


def test_a_key_is_the_identifier_whatever_stands_in_it():
    assert node_key('ns=3;s="DB1"."x;y"') == '"DB1"."x;y"'
    assert node_key("i=85") == "i=85"
