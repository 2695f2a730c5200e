"""SensorThings over MQTT, spoken to by paho, a client that others wrote, over real sockets."""

from __future__ import annotations

import asyncio
import json
import queue
from dataclasses import replace
from typing import Any

import pytest

from nilometer.model import MultiDatastream
from nilometer.web.mqtt.hearing import Hearing
from nilometer.web.times import format_time
from tests.web.conftest import NOON
from tests.web.mqtt.listening import WITHIN_S, Client, listening

TOKEN = "a token of the station"


@pytest.mark.parametrize(("carrier", "version"), [("tcp", 4), ("tcp", 5), ("websockets", 5)])
async def test_what_is_published_is_stored_and_told_as_get_would_say_it(tmp_path, carrier, version):
    async with listening(tmp_path, over=carrier) as place:
        datastream = place.station.id("river/ph")
        reader = await place.client(carrier=carrier, version=version)
        writer = await place.client(carrier=carrier, version=version)
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


@pytest.mark.parametrize("carrier", ["tcp", "websockets"])
async def test_only_who_knows_the_token_connects(tmp_path, carrier):
    async with listening(tmp_path, TOKEN, over=carrier) as place:
        stranger = Client(place.port(carrier), password="a guess of somebody", carrier=carrier)
        _, code = await stranger.connect()
        await stranger.close()
        assert code.is_failure
        client = await place.client(carrier=carrier, password=TOKEN)
        assert (await client.subscribe("v1.1/Things")).value == 0


@pytest.mark.parametrize(("carrier", "version"), [("tcp", 4), ("tcp", 5), ("websockets", 4)])
async def test_a_client_that_comes_back_hears_what_it_missed(tmp_path, carrier, version):
    async with listening(tmp_path, over=carrier) as place:
        first = await place.client("logger", carrier=carrier, version=version, clean=False)
        assert not first.session_present
        await first.subscribe("v1.1/Observations?$select=result", 1)
        await first.close()
        await asyncio.to_thread(first.left.get, timeout=WITHIN_S)
        await place.station.ingest("river/ph", NOON, [7.0, 7.1])
        again = await place.client("logger", carrier=carrier, version=version, clean=False)
        assert again.session_present
        assert [(await again.next())[1]["result"] for _ in range(2)] == [7.0, 7.1]


async def test_a_second_connection_of_a_name_ends_the_first(tmp_path):
    async with listening(tmp_path) as place:
        first = await place.client("one name", version=5)
        second = Client(place.port(), "one name", version=5)
        place.clients.append(second)
        await second.connect()
        assert (await first.next(first.left)).value == 0x8E
        await asyncio.to_thread(first.client.loop_stop)
        assert place.listener.figures().clients == 1


async def test_nonsense_ends_one_connection_and_disturbs_no_other(tmp_path):
    async with listening(tmp_path) as place:
        client = await place.client()
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x30\x05hello", b"\x10\xff\xff\xff\xff\x7f", b"\x10\x00"):
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port())
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
