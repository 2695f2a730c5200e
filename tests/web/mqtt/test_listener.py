"""SensorThings over MQTT, spoken to by paho, a client that others wrote, over real sockets."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from nilometer.model import MultiDatastream
from nilometer.web.mqtt.hearing import Hearing
from nilometer.web.mqtt.listener import MqttListener
from nilometer.web.serving import bind
from nilometer.web.times import format_time
from tests.patience import PATIENCE_S
from tests.web.conftest import NOON, Station, open_station

WITHIN_S = PATIENCE_S
TOKEN = "a token of the station"


class Client:
    """A client in its own thread; what it hears is in `heard`."""

    def __init__(
        self, port: int, name: str = "", *, version: int = 4, password: str | None = None, clean: bool = True
    ) -> None:
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        extra: dict[str, Any] = {} if version == 5 else {"clean_session": clean}
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.said: queue.Queue[Any] = queue.Queue()
        self.connected: queue.Queue[Any] = queue.Queue()
        self.left: queue.Queue[Any] = queue.Queue()
        self.version, self.clean, self.port = version, clean, port
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **extra)
        self.client.max_inflight_messages_set(20_000)
        if password is not None:
            self.client.username_pw_set("anybody", password)
        self.client.on_connect = lambda _c, _u, flags, code, _p: self.connected.put((flags, code))
        self.client.on_message = lambda _c, _u, message: self.heard.put((message.topic, json.loads(message.payload)))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.said.put(codes)
        self.client.on_unsubscribe = lambda _c, _u, _m, codes, _p: self.said.put(codes)
        self.client.on_publish = lambda _c, _u, _m, code, _p: self.said.put(code)
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: self.left.put(code)

    async def connect(self) -> tuple[Any, Any]:
        extra: dict[str, Any] = {}
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if self.clean else 600
            extra = {"clean_start": self.clean, "properties": properties}
        await asyncio.to_thread(self.client.connect, "127.0.0.1", self.port, 30, **extra)
        self.client.loop_start()
        return await self.next(self.connected)

    async def next(self, of: queue.Queue[Any] | None = None) -> Any:
        return await asyncio.to_thread((of or self.heard).get, timeout=WITHIN_S)

    async def subscribe(self, topic: str, qos: int = 0) -> Any:
        self.client.subscribe(topic, qos)
        return (await self.next(self.said))[0]

    async def publish(self, topic: str, document: Any, qos: int = 1) -> Any:
        payload = document if isinstance(document, bytes) else json.dumps(document)
        self.client.publish(topic, payload, qos)
        return await self.next(self.said)

    async def close(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


class Place:
    """A station with its listener, and the clients of a test."""

    def __init__(self, station: Station, listener: MqttListener, port: int) -> None:
        self.station, self.listener, self.port = station, listener, port
        self.clients: list[Client] = []

    async def client(self, name: str = "", **options: Any) -> Client:
        client = Client(self.port, name, **options)
        self.clients.append(client)
        flags, code = await client.connect()
        assert not code.is_failure
        client.session_present = flags.session_present  # type: ignore[attr-defined]
        return client


@asynccontextmanager
async def listening(folder: Any, token: str | None = None, **server: Any) -> AsyncIterator[Place]:
    async with open_station(folder, token, server=server) as station:
        socket = bind("127.0.0.1", 0)
        listener = MqttListener(station.pipeline, station.app.sensorthings, "http://station", token, station.app.rates)
        await listener.start(socket)
        place = Place(station, listener, socket.getsockname()[1])
        try:
            yield place
        finally:
            for client in place.clients:
                await client.close()
            await listener.stop()


@pytest.mark.parametrize("version", [4, 5])
async def test_what_is_published_is_stored_and_told_as_get_would_say_it(tmp_path, version):
    async with listening(tmp_path) as place:
        datastream = place.station.id("river/ph")
        reader, writer = await place.client(version=version), await place.client(version=version)
        topic = f"v1.1/Datastreams({datastream})/Observations"
        assert (await reader.subscribe(topic)).value == 0
        assert (await reader.subscribe("v1.1/Observations?$select=result", 2)).value == 1
        assert not (await writer.publish(topic, {"phenomenonTime": "2021-03-05T12:00:00Z", "result": 7.25})).is_failure
        heard = dict([await reader.next(), await reader.next()])
        number = heard[topic]["@iot.id"]
        assert heard["v1.1/Observations?$select=result"] == {"result": 7.25}
        assert heard[topic] == await place.station.json(f"/v1.1/Observations({number})")
        other = {"result": 12.5, "Datastream": {"@iot.id": place.station.id("sea/free")}}
        assert not (await writer.publish("v1.1/Observations", other, qos=2)).is_failure
        assert (await reader.next())[1] == {"result": 12.5}
        assert reader.heard.empty()  # the other Datastream's topic heard nothing of it
        feature = (await place.station.json(f"/v1.1/Observations({number})/FeatureOfInterest"))["@iot.id"]
        assert not (await writer.publish(f"v1.1/FeaturesOfInterest({feature})/Observations", other)).is_failure
        assert (await reader.next())[1] == {"result": 12.5}
        asked = f"/v1.1/FeaturesOfInterest({feature})/Observations?$filter=result eq 12.5&$count=true"
        assert (await place.station.json(asked))["@iot.count"] == 1
        assert place.listener.figures().stored == 3
        settings = (await place.station.json("/v1.1"))["serverSettings"]
        told = next(name for name in settings["conformance"] if name.endswith("/receive-updates"))
        assert settings[told] == {"endpoints": [f"mqtt://127.0.0.1:{place.port}"]}


async def test_changed_entities_are_told_by_set_entity_and_property(tmp_path):
    async with listening(tmp_path) as place:
        client = await place.client()
        catalog = place.station.pipeline.store.catalog
        thing = catalog.thing_by_key("river")
        topics = ("v1.1/Things", f"v1.1/Things({thing.id})", f"v1.1/Things({thing.id})/description")
        for topic in topics:
            assert (await client.subscribe(topic)).value == 0
        catalog.update_thing(replace(thing, name="Stream"))
        heard = dict([await client.next(), await client.next()])
        assert heard.keys() == set(topics[:2])  # the description is what it was
        assert heard[topics[1]]["name"] == "Stream"
        catalog.update_thing(replace(thing, name="Stream", description="It flows"))
        heard = dict([await client.next(), await client.next(), await client.next()])
        assert heard[topics[2]] == {"description": "It flows"}
        assert heard[topics[0]] == await place.station.json(f"/v1.1/Things({thing.id})")


async def test_where_a_thing_stands_from_now_on_is_told(tmp_path):
    async with listening(tmp_path) as place:
        client = await place.client()
        thing = place.station.pipeline.store.catalog.thing_by_key("river")
        topics = {"v1.1/HistoricalLocations", f"v1.1/Things({thing.id})/HistoricalLocations"}
        for topic in topics:
            await client.subscribe(topic)
        stands = {"time": "2999-01-01T00:00:00Z", "Thing": {"@iot.id": thing.id}, "Locations": [{"@iot.id": 1}]}
        answer = await place.station.client.post("/v1.1/HistoricalLocations", json=stands)
        heard = dict([await client.next(), await client.next()])
        assert heard == dict.fromkeys(topics, await place.station.json(answer.headers["location"]))


async def test_a_datastreams_times_are_told_when_rows_move_them(tmp_path):
    async with listening(tmp_path) as place:
        number = place.station.id("river/ph")
        client = await place.client()
        topic = f"v1.1/Datastreams({number})/phenomenonTime"
        await client.subscribe(topic)
        await place.station.ingest("river/ph", NOON, [7.0, 7.1])
        assert await client.next() == (topic, {"phenomenonTime": "2021-03-05T12:00:00Z/2021-03-05T12:01:00Z"})


async def test_a_multi_datastream_is_written_to_and_told_of(tmp_path):
    async with listening(tmp_path) as place:
        catalog = place.station.pipeline.store.catalog
        with catalog.edit("add one", 5) as edit:
            observed = catalog.observed_properties()[0].id
            sensor, thing = catalog.sensors()[0].id, catalog.thing_by_key("river").id
            fields = {"key": "river/multi", "name": "x", "thing": thing, "sensor": sensor}
            units: dict[str, Any] = {"unit_of_measurements": [{}, {}], "multi_observation_data_types": ["t", "t"]}
            number = edit.add(MultiDatastream(**fields, observed_property=observed, **units)).id
            edit.observe(number, [observed, observed])
        place.station.pipeline.entity_changed(number)
        client = await place.client(version=5)
        topics = [f"v1.1/MultiDatastreams({number})/{name}" for name in ("Observations", "phenomenonTime")]
        for topic in (*topics, f"v1.1/Datastreams({place.station.id('river/ph')})/Observations"):
            assert (await client.subscribe(topic)).value == 0
        assert (await client.subscribe(f"v1.1/Datastreams({number})/Observations")).is_failure
        row = {"phenomenonTime": "2021-03-05T12:00:00Z", "result": [7, 8]}
        assert (await client.publish(topics[0], {**row, "result": [7]})).is_failure
        assert not (await client.publish(topics[0], row)).is_failure
        heard = dict([await client.next(), await client.next()])
        assert heard[topics[0]]["result"] == [7, 8]
        assert heard[topics[1]]["phenomenonTime"].startswith("2021-03-05T12:00:00")
        assert client.heard.empty()


@pytest.mark.parametrize(
    ("topic", "payload", "what"),
    [
        ("v1.1/Observations", b"{", "no JSON"),
        ("v1.1/Observations", b'{"result": 1}', "Datastream is missing"),
        ("v1.1/Datastreams(999)/Observations", b'{"result": 1}', "no Datastream"),
        ("v1.1/Things", b'{"name": "x"}', "only Observations"),
        ("elsewhere", b"{}", "v1.1/"),
        ("v1.1/Observations?$top=1", b"{}", "no options"),
    ],
)
async def test_what_is_refused_is_confirmed_with_its_reason(tmp_path, topic, payload, what):
    async with listening(tmp_path) as place:
        reasons: queue.Queue[str] = queue.Queue()
        client = await place.client(version=5)
        client.client.on_publish = lambda _c, _u, _m, code, properties: reasons.put(
            f"{code.value:#x} {getattr(properties, 'ReasonString', '')}"
        )
        client.client.publish(topic, payload, 1)
        reason = await client.next(reasons)
        assert reason.startswith(("0x99", "0x90"))
        assert what in reason
        old = await place.client()
        assert not (await old.publish(topic, payload)).is_failure  # 3.1.1 has no way to say no
        assert place.listener.figures()[1:3] == (0, 2)


async def test_a_topic_that_cannot_be_told_silences_no_other(tmp_path, monkeypatch):
    async with listening(tmp_path) as place:
        client, datastream = await place.client(), place.station.id("river/ph")
        topics = [f"v1.1/Datastreams({datastream})/Observations", "v1.1/Things?$select=name"]
        monkeypatch.setattr(Hearing, "_tried", lambda _hearing, _heard: None)  # it was right when it was subscribed to
        for topic in ("v1.1/Observations?$select=nothing", "v1.1/Things?$expand=Nothing", *topics):
            assert (await client.subscribe(topic)).value == 0
        await place.station.ingest("river/ph", NOON, [7.0])
        assert (await client.next())[0] == topics[0]
        catalog = place.station.pipeline.store.catalog
        catalog.update_thing(replace(catalog.thing_by_key("river"), name="Stream"))
        assert await client.next() == (topics[1], {"name": "Stream"})
        assert client.heard.empty()


@pytest.mark.parametrize(
    "topic",
    [
        *("v1.1/Nothing", "v1.1/Things(99)", "v1.1/Things/+", "Things", "v1.1/Things?$top=1"),
        *("v1.1/Observations?$select=nothing", "v1.1/Things?$select=nothing", "v1.1/Things?$expand=Nothing"),
        "v1.1/Datastreams(1)/Observations?$expand=Nothing",
    ],
)
async def test_a_topic_that_leads_nowhere_is_not_granted(tmp_path, topic):
    async with listening(tmp_path) as place:
        client = await place.client(version=5)
        assert (await client.subscribe(topic)).is_failure
        assert (await client.subscribe("v1.1/#")).value == 0  # the client goes on
        await place.station.ingest("river/ph", NOON, [7.0])
        heard = dict([await client.next(), await client.next()])
        # The water was made with its first row; the Datastream itself has not changed.
        assert heard.keys() == {"v1.1/FeaturesOfInterest", "v1.1/Observations"}


async def test_only_who_knows_the_token_connects(tmp_path):
    async with listening(tmp_path, TOKEN) as place:
        stranger = Client(place.port, password="a guess of somebody")
        _, code = await stranger.connect()
        await stranger.close()
        assert code.is_failure
        client = await place.client(password=TOKEN)
        assert (await client.subscribe("v1.1/Things")).value == 0


@pytest.mark.parametrize("version", [4, 5])
async def test_a_client_that_comes_back_hears_what_it_missed(tmp_path, version):
    async with listening(tmp_path) as place:
        first = await place.client("logger", version=version, clean=False)
        assert not first.session_present
        await first.subscribe("v1.1/Observations?$select=result", 1)
        await first.close()
        await asyncio.to_thread(first.left.get, timeout=WITHIN_S)
        await place.station.ingest("river/ph", NOON, [7.0, 7.1])
        again = await place.client("logger", version=version, clean=False)
        assert again.session_present
        assert [(await again.next())[1]["result"] for _ in range(2)] == [7.0, 7.1]


async def test_a_second_connection_of_a_name_ends_the_first(tmp_path):
    async with listening(tmp_path) as place:
        first = await place.client("one name", version=5)
        second = Client(place.port, "one name", version=5)
        place.clients.append(second)
        await second.connect()
        assert (await first.next(first.left)).value == 0x8E
        await asyncio.to_thread(first.client.loop_stop)
        assert place.listener.figures().clients == 1


async def test_nonsense_ends_one_connection_and_disturbs_no_other(tmp_path):
    async with listening(tmp_path) as place:
        client = await place.client()
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x30\x05hello", b"\x10\xff\xff\xff\xff\x7f", b"\x10\x00"):
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(nonsense)
            assert await asyncio.wait_for(reader.read(100), WITHIN_S) == b""
            writer.close()
        assert (await client.subscribe("v1.1/Things")).value == 0


async def test_a_refusal_quotes_nothing_that_a_client_would_hang_up_on(tmp_path):
    async with listening(tmp_path) as place:
        client = await place.client(version=5)
        for member in ("\0", "\x01\u009f", "\uffff", "\u202e", "n" * 5000):
            client.client.publish("v1.1/Observations", json.dumps({member: 1}), 1)
            assert (await client.next(client.said)).value == 0x99
        assert client.left.empty()


async def test_a_flood_of_messages_is_stored_to_the_last(tmp_path):
    async with listening(tmp_path) as place:
        number = place.station.id("river/ph")
        client = await place.client()
        n, topic = 2_000, f"v1.1/Datastreams({number})/Observations"
        for i in range(n):
            body = json.dumps({"phenomenonTime": format_time(NOON + 1_000_000 * i), "result": i})
            client.client.publish(topic, body, 1)
        for _ in range(n):
            assert not (await client.next(client.said)).is_failure
        stored = await place.station.json(f"/{topic}?$count=true&$top=0")
        assert stored["@iot.count"] == n


async def test_who_publishes_more_than_it_may_is_read_more_slowly_and_loses_nothing(tmp_path):
    async with listening(tmp_path, rate_limit={"requests_per_s": 20}) as place:
        writer = await place.client()
        topic = f"v1.1/Datastreams({place.station.id('river/ph')})/Observations"
        began = asyncio.get_running_loop().time()
        for n in range(110):  # 100 are saved up
            writer.client.publish(
                topic, json.dumps({"phenomenonTime": f"2021-03-05T12:{n % 60:02d}:00Z", "result": n}), 1
            )
        for _ in range(110):
            assert not (await writer.next(writer.said)).is_failure
        # All come in one piece, so what is over shows with the next one.
        assert not (await writer.publish(topic, {"result": 1})).is_failure
        assert asyncio.get_running_loop().time() - began > 0.3
        assert place.listener.figures()[1:3] == (111, 0)
