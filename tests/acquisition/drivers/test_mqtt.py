"""The MQTT driver at real brokers, fed by a publisher that is not ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from contextlib import asynccontextmanager

import pytest
from pydantic import ValidationError
from tests.acquisition.brokers import broker, nats, publisher
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.mqtt import DRIVER, MqttOptions
from nilometer.acquisition.mqtt_session import Receipts
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.mqtt import SIMULATOR
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.errors import ConfigError

STREAM = "v1.1/Datastreams(5)/Observations"
FAST = {"reconnect_first_s": 0.05, "reconnect_longest_s": 0.2, "client_id": "driver"}
THINGS = {"topics": [{"topic": "v1.1/+/Observations", "format": "sensorthings"}], **FAST}


def now():
    return time.time_ns() // 1000


def observation(n):
    return json.dumps({"phenomenonTime": f"2024-05-01T10:{n // 60:02}:{n % 60:02}Z", "result": n})


@asynccontextmanager
async def listening(port, sink, clock=now, *, host="127.0.0.1", **options):
    """The driver at work, once it has subscribed."""
    settings = MqttOptions.model_validate({"host": host, "port": port, **THINGS, **options})
    task = asyncio.create_task(DRIVER.make(settings, clock).run(sink))
    try:
        await sink.until(lambda: any("connected" in report.detail for report in sink.reports))
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def values(sink):
    return [value for batch in sink.batches for value in batch.raw_result.tolist()]


def details(sink):
    return " | ".join(report.detail for report in sink.reports)


async def say(publish, *messages, **how):
    for topic, payload in messages:
        await asyncio.to_thread(publish, topic, payload, **how)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_another_client_publishes_arrives_in_both_versions(version):
    sink = RecordingSink()
    with broker() as at, publisher(at.port) as publish:
        async with listening(at.port, sink, version=version):
            await say(publish, *((STREAM, observation(n)) for n in range(20)))
            await sink.until(lambda: len(values(sink)) == 20)
    assert values(sink) == list(range(20))
    assert sink.batches[0].phenomenon_time[0] == 1_714_557_600_000_000


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_message_is_acknowledged_when_its_rows_are_durable_and_not_before(version):
    with broker() as at, publisher(at.port) as publish:
        sink = RecordingSink(acknowledges=False)
        async with listening(at.port, sink, version=version):
            await say(publish, *((STREAM, observation(n)) for n in range(5)))
            await sink.until(lambda: len(values(sink)) == 5)
        again = RecordingSink(acknowledges=False)
        async with listening(at.port, again, version=version):
            await again.until(lambda: len(values(again)) == 5)
            for batch in again.batches:
                batch.acknowledge()
            await say(publish, (STREAM, observation(6)))
            await again.until(lambda: len(values(again)) == 6)
            again.batches[-1].acknowledge()
            # The last one's PUBACK has left when a message behind it has come back to us.
            await say(publish, (STREAM, observation(7)), qos=0)
            await again.until(lambda: len(values(again)) == 7)
        last = RecordingSink()
        async with listening(at.port, last, version=version):
            await say(publish, (STREAM, observation(8)))
            await last.until(lambda: 8.0 in values(last))
        assert values(last) == [8.0]


async def test_what_was_published_while_we_were_away_is_there_when_we_come_back():
    with broker() as at, publisher(at.port) as publish:
        async with listening(at.port, RecordingSink()):
            pass
        await say(publish, *((STREAM, observation(n)) for n in range(30)))
        sink = RecordingSink()
        async with listening(at.port, sink):
            await sink.until(lambda: len(values(sink)) == 30)
        assert values(sink) == list(range(30))


async def test_a_restarted_broker_is_found_again_and_gives_again_what_was_not_acknowledged():
    with broker() as at:
        sink = RecordingSink(acknowledges=False)
        async with listening(at.port, sink):
            with publisher(at.port) as publish:
                await say(publish, *((STREAM, observation(n)) for n in range(5)))
            await sink.until(lambda: len(values(sink)) == 5)
            at.stop()
            await sink.until_said(SourceState.DISCONNECTED)
            stale = list(sink.batches)
            sink.forget()
            at.start()
            await sink.until(lambda: len(values(sink)) == 5)
            # A receipt for the lost connection must not acknowledge anything on the new one.
            for batch in stale:
                batch.acknowledge()
            await asyncio.sleep(0)
        again = RecordingSink()
        async with listening(at.port, again):
            await again.until(lambda: len(values(again)) == 5)


async def test_a_redelivered_message_without_a_time_is_the_same_observation():
    topics = [{"topic": "lora/+", "format": "payload"}]
    with broker() as at:
        sink = RecordingSink(acknowledges=False)
        async with listening(at.port, sink, topics=topics, devices={"*": {"decoder": "lpp"}}):
            with publisher(at.port) as publish:
                await say(publish, ("lora/d1", bytes.fromhex("03670110")), ("lora/d1", bytes.fromhex("03670111")))
            await sink.until(lambda: len(values(sink)) == 2)
            before = [t for batch in sink.batches for t in batch.phenomenon_time.tolist()]
            at.stop()
            await sink.until_said(SourceState.DISCONNECTED)
            sink.forget()
            at.start()
            await sink.until(lambda: len(values(sink)) == 2)
            assert [t for batch in sink.batches for t in batch.phenomenon_time.tolist()] == before


@pytest.mark.parametrize(("retained", "expected"), [("timed", [1.0, 9.0]), ("keep", [1.0, 2.0, 9.0]), ("skip", [9.0])])
async def test_a_retained_message_counts_when_it_knows_its_time(retained, expected):
    with broker() as at, publisher(at.port) as publish:
        await say(publish, ("v1.1/Datastreams(1)/Observations", observation(1)), retain=True)
        await say(publish, ("v1.1/Datastreams(2)/Observations", '{"result": 2}'), retain=True)
        sink = RecordingSink()
        async with listening(at.port, sink, retained=retained):
            await say(publish, (STREAM, observation(9)))
            await sink.until(lambda: 9.0 in values(sink))
        assert sorted(values(sink)) == expected


async def test_a_garbled_message_is_reported_and_does_not_block_those_behind_it():
    with broker(max_inflight_messages="1") as at, publisher(at.port) as publish:
        sink = RecordingSink()
        async with listening(at.port, sink, longest_message_bytes=1024):
            await say(publish, (STREAM, b"\xff{"), (STREAM, b"x" * 5000), (STREAM, b""), (STREAM, observation(1)))
            await sink.until(lambda: values(sink) == [1.0])
        assert sum(report.bad_frames for report in sink.reports) == 3
        assert "longest_message_bytes" in details(sink)


async def test_a_wrong_password_is_said_and_the_right_one_is_never_shown(tmp_path, monkeypatch):
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "sonde", "s3cret"], check=True)
    with broker(allow_anonymous="false", password_file=str(tmp_path / "users")) as at:
        sink = RecordingSink()
        monkeypatch.setenv("MQTT_PASSWORD", "wrong-one")
        options = MqttOptions.model_validate(
            {"port": at.port, **THINGS, "username": "sonde", "password_env": "MQTT_PASSWORD"}
        )
        task = asyncio.create_task(DRIVER.make(options, now).run(sink))
        try:
            await sink.until_said(SourceState.DISCONNECTED)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert "not authorised" in details(sink)
        (tmp_path / "password").write_text("s3cret\n", encoding="utf-8")
        good = RecordingSink()
        async with listening(at.port, good, username="sonde", password_file=str(tmp_path / "password")):
            pass
    for said in (details(sink), details(good), repr(options)):
        assert "s3cret" not in said
        assert "wrong-one" not in said


async def test_tls_is_spoken_and_a_stranger_with_another_certificate_is_refused(tmp_path):
    for name in ("ours", "strange"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / f"{name}.key"]
        subprocess.run([*command, "-out", tmp_path / f"{name}.pem"], check=True, capture_output=True)
    files = {"certfile": str(tmp_path / "ours.pem"), "keyfile": str(tmp_path / "ours.key")}
    with broker(**files) as at:
        sink = RecordingSink()
        async with listening(at.port, sink, tls=True, ca_file=str(tmp_path / "ours.pem")):
            pass
        sink = RecordingSink()
        options = MqttOptions.model_validate(
            {"port": at.port, **THINGS, "tls": True, "ca_file": str(tmp_path / "strange.pem")}
        )
        task = asyncio.create_task(DRIVER.make(options, now).run(sink))
        try:
            await sink.until_said(SourceState.DISCONNECTED)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert "certificate" in details(sink).lower()


async def test_another_broker_is_understood_too(tmp_path):
    sink = RecordingSink()
    with nats(tmp_path) as port, publisher(port) as publish:
        topics = [{"topic": "site/+/data", "format": "json", "time": "at", "time_form": "s"}]
        async with listening(port, sink, topics=topics):
            await say(publish, *(("site/dam/data", json.dumps({"at": 1714557600 + n, "ph": n})) for n in range(20)))
            await sink.until(lambda: len(values(sink)) == 20)
        assert values(sink) == list(range(20))
        held = RecordingSink(acknowledges=False)
        async with listening(port, held, topics=topics):
            await say(publish, ("site/dam/data", '{"at": 1714557700, "ph": 7}'))
            await held.until(lambda: len(values(held)) == 1)
        again = RecordingSink()
        async with listening(port, again, topics=topics):
            await again.until(lambda: values(again) == [7.0])


async def simulated(faults, form, until, *, options=None):
    """Run the simulator with faults that begin at the first jump and end at the second."""
    clock, sink = JumpingClock(), RecordingSink()
    simulator = SIMULATOR.make(None, ConstantFeed({"ph": 7.4}), clock, faults, form=form, interval_s=0.05)
    reached = await simulator.start()
    running = asyncio.create_task(simulator.run())
    await asyncio.sleep(0)  # A task that was never begun could not end its broker.
    try:
        async with listening(sink=sink, clock=clock, **{**reached, **(options or {})}):
            await sink.until_rows(2)
            sink.forget()
            clock.jump(HOUR_S)
            await until(sink, clock)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return sink


@pytest.mark.parametrize("form", ["ttn", "chirpstack"])
async def test_a_frame_counter_that_begins_anew_is_said(form):
    async def wait(sink, _clock):
        await sink.until(lambda: "began anew" in details(sink))

    await simulated([Fault("counter_restart", HOUR_S, HOUR_S)], form, wait)


@pytest.mark.parametrize("form", ["ttn", "chirpstack", "sensorthings", "sparkplug", "json"])
async def test_a_doubled_message_is_the_same_observation_again(form):
    async def wait(sink, _clock):
        await sink.until(lambda: len(_times(sink)) - len(set(_times(sink))) >= 3)

    await simulated([Fault("duplicate", HOUR_S, HOUR_S)], form, wait)


@pytest.mark.parametrize("kind", ["late", "out_of_order"])
async def test_what_comes_late_or_out_of_order_keeps_its_own_time(kind):
    async def wait(sink, clock):
        if kind == "late":
            await asyncio.sleep(0.3)
            clock.jump(HOUR_S)
        await sink.until(lambda: "came late" in details(sink) or "missing before" in details(sink))
        await sink.until(lambda: _times(sink) != sorted(_times(sink)))

    sink = await simulated([Fault(kind, HOUR_S, HOUR_S)], "ttn", wait)
    assert len(set(_times(sink))) == len(_times(sink))


def _times(sink):
    return [time for batch in sink.batches for time in batch.phenomenon_time.tolist()]


async def test_an_edge_node_whose_birth_nobody_heard_is_born_again_on_request():
    clock, sink = JumpingClock(), RecordingSink()
    simulator = SIMULATOR.make(None, ConstantFeed({"ph": 7.4}), clock, [], form="sparkplug", interval_s=0.05)
    reached = await simulator.start()
    running = asyncio.create_task(simulator.run())
    await asyncio.sleep(0)  # A task that was never begun could not end its broker.
    try:
        await asyncio.to_thread(_wait_for, lambda: simulator.sent > 3)
        async with listening(sink=sink, clock=clock, **reached):
            await sink.until(lambda: "never born" in details(sink))
            await sink.until_rows(2)
        assert {channel.observed_property for batch in sink.batches for channel in batch.channels} == {"ph"}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


async def test_receipts_leave_in_the_order_of_arrival():
    told = []
    receipts = Receipts(told.extend)
    first, second = receipts.group([1, 2]), receipts.group([3])
    receipts.nothing_to_store([4])
    second()
    await asyncio.sleep(0)
    assert told == []
    await asyncio.to_thread(first)
    await asyncio.sleep(0)
    assert told == [1, 2, 3, 4]
    assert len(receipts) == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"topics": []}, "at least 1"),
        ({"topics": [{"topic": "a/#/b", "format": "ttn"}]}, "# stands alone"),
        ({"topics": [{"topic": "a", "format": "ttn", "time": "x"}]}, "belong to format"),
        ({"topics": [{"topic": "a", "format": "json", "time_zone": "Mars"}]}, "IANA"),
        ({"topics": [{"topic": "a", "format": "json", "values": {"x": {"property": "pH"}}}]}, "observed property"),
        ({"devices": {"d": {"decoder": "decentlab_dl_pr26"}}}, "Pmin, Pmax"),
        ({"devices": {"d": {"decoder": "milesight_em500_swx"}}}, "milesight_em500_swl"),
        ({"password_env": "P"}, "username"),
        ({"ca_file": "x"}, "tls = true"),
    ],
)
def test_options_that_cannot_work_are_refused_with_what_would(options, why):
    with pytest.raises(ValidationError, match=why):
        MqttOptions.model_validate({**THINGS, **options})


async def test_files_that_are_not_there_are_named(tmp_path):
    for options in (
        {"username": "u", "password_file": str(tmp_path / "none")},
        {"username": "u", "password_env": "NILOMETER_NO_SUCH"},
        {"tls": True, "ca_file": str(tmp_path / "none.pem")},
    ):
        with pytest.raises(ConfigError, match=r"none|NO_SUCH"):
            await DRIVER.make(MqttOptions.model_validate({**THINGS, **options}), now).run(RecordingSink())


async def test_a_device_that_falls_silent_is_seen_beside_one_that_speaks():
    topics = [{"topic": "site/+", "format": "json"}]
    with broker() as at, publisher(at.port) as publish:
        sink = RecordingSink()
        async with listening(at.port, sink, topics=topics, device_silent_after_s=0.3):
            await say(publish, ("site/quiet", '{"ph": 7}'))
            speaking = asyncio.create_task(_speak(publish))
            try:
                await sink.until(lambda: ("quiet", SourceState.SILENT) in _devices(sink))
                assert ("loud", SourceState.SILENT) not in _devices(sink)
                await say(publish, ("site/quiet", '{"ph": 8}'))
                await sink.until(lambda: ("quiet", SourceState.LIVE) in _devices(sink))
            finally:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)


async def test_a_device_that_was_silent_is_live_again_after_another_connection():
    topics = [{"topic": "site/+", "format": "json"}]
    with broker() as at:
        sink = RecordingSink()
        async with listening(at.port, sink, topics=topics, device_silent_after_s=0.2):
            with publisher(at.port) as publish:
                await say(publish, ("site/quiet", '{"ph": 7}'))
                await sink.until(lambda: ("quiet", SourceState.SILENT) in _devices(sink))
            at.stop()
            await sink.until_said(SourceState.DISCONNECTED)
            at.start()
            with publisher(at.port) as publish:
                await say(publish, ("site/quiet", '{"ph": 8}'))
                await sink.until(lambda: ("quiet", SourceState.LIVE) in _devices(sink))


async def _speak(publish):
    while True:
        await say(publish, ("site/loud", '{"ph": 7}'))
        await asyncio.sleep(0.02)


def _devices(sink):
    return [(report.device, report.state) for report in sink.reports if report.device]


async def test_a_broker_that_falls_mute_is_given_up_and_found_again():
    with broker() as at, publisher(at.port) as publish:
        sink = RecordingSink()
        async with listening(at.port, sink, keep_alive_s=1, connect_timeout_s=0.5):
            await say(publish, (STREAM, observation(1)))
            await sink.until(lambda: values(sink) == [1.0])
            at.pause()
            await sink.until(lambda: "no sign of life" in details(sink))
            await sink.until(lambda: "no answer within" in details(sink))
            at.resume()
            await say(publish, (STREAM, observation(2)))
            await sink.until(lambda: 2.0 in values(sink))


GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x20\x02\x00\x00\xff\xff\xff\xff\xff",
    b"\x20\x00",
    b"\x30\x80\x80\x80\x80\x80",
    b"",
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_peer_that_speaks_no_mqtt_is_reported_and_tried_again(garbage):
    dialled = []

    async def speak(_reader, writer):
        dialled.append(garbage)
        writer.write(garbage)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    sink = RecordingSink()
    options = MqttOptions.model_validate({**THINGS, "port": server.sockets[0].getsockname()[1]})
    task = asyncio.create_task(DRIVER.make(options, now).run(sink))
    try:
        await sink.until(lambda: sum(report.state is SourceState.DISCONNECTED for report in sink.reports) >= 2)
        assert len(dialled) >= 2
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()
        await server.wait_closed()
    assert all("trying again" in report.detail for report in sink.reports if report.state is SourceState.DISCONNECTED)
