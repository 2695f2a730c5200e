"""From a real broker into the store: nothing lost and nothing doubled, whichever of the three falls over when."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time

import pytest

from nilometer.acquisition.links.mqtt import MqttLink
from tests.acquisition.brokers import broker, publisher, until
from tests.pipeline.conftest import RIVER, running, stored
from tests.pipeline.conftest import until as until_true
from tests.system.demos import wait_for
from tests.system.server import Server

TOPICS = [{"topic": "v1.1/+/Observations", "format": "sensorthings"}]


def config(port, **options):
    fast = {"client_id": "nilometer", "reconnect_first_s": 0.05, "reconnect_longest_s": 0.3}
    source = {
        "name": "net",
        "driver": "mqtt",
        "thing": "river",
        "options": {"port": port, "topics": TOPICS, **fast, **options},
    }
    return {"thing": [RIVER], "source": [source]}


def observation(number):
    hours, minutes, seconds = number // 3600, number // 60 % 60, number % 60
    time_text = f"2024-05-01T{hours:02}:{minutes:02}:{seconds:02}Z"
    return json.dumps({"phenomenonTime": time_text, "result": number})


def numbers(pipeline):
    table = stored(pipeline)
    return sorted(table["result"].to_pylist())


async def test_rows_that_are_durable_and_not_acknowledged_are_not_doubled(tmp_path, monkeypatch):
    confirmed = []
    with broker() as at, publisher(at.port) as publish:
        # The moment between the journal's sync and the PUBACK is too short to hit: the PUBACK itself is held back.
        with monkeypatch.context() as patch:
            patch.setattr(MqttLink, "confirm", lambda _self, ids: confirmed.extend(ids))
            async with running(tmp_path, config(at.port)) as pipeline:
                await pipeline.start_sources()
                await until_true(lambda: any("connected" in one.detail for one in pipeline.sources()))
                for number in range(20):
                    await asyncio.to_thread(publish, "v1.1/Datastreams(5)/Observations", observation(number))
                await until_true(lambda: len(confirmed) == 20)
                assert numbers(pipeline) == list(range(20))
        async with running(tmp_path, config(at.port)) as pipeline:
            await pipeline.start_sources()
            await asyncio.to_thread(publish, "v1.1/Datastreams(5)/Observations", observation(20))
            await until_true(lambda: pipeline.sources()[0].received == 21)
            await until_true(lambda: 20.0 in numbers(pipeline))
            assert numbers(pipeline) == list(range(21))


@pytest.mark.slow
def test_killed_servers_and_a_restarted_broker_lose_and_double_nothing(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    over, sent = threading.Event(), []
    with broker(max_inflight_messages="1000") as at:
        options = config(at.port)["source"][0]["options"]
        toml = [f"{key} = {json.dumps(value)}" for key, value in options.items() if key != "topics"]
        (folder / "nilometer.toml").write_text(
            '[[thing]]\nkey = "river"\nname = "River"\n[[source]]\nname = "net"\ndriver = "mqtt"\nthing = "river"\n'
            "[source.options]\n" + "\n".join(toml) + '\n[[source.options.topics]]\ntopic = "v1.1/+/Observations"\n'
            'format = "sensorthings"\n',
            encoding="utf-8",
        )

        def publish_all():
            with publisher(at.port) as publish:
                while not over.is_set():
                    publish("v1.1/Datastreams(5)/Observations", observation(len(sent)))
                    sent.append(len(sent))
                    time.sleep(0.002)

        server = Server(folder)
        until(lambda: "connected to" in "".join(server.output))
        thread = threading.Thread(target=publish_all)
        thread.start()
        try:
            for _ in range(3):
                # In full spate, however slow this machine is.
                enough = len(sent) + random.randrange(100, 300)
                until(lambda enough=enough: len(sent) >= enough)
                server.kill()
                # In order, so that Mosquitto writes down what it has promised to keep; that is its part, not ours.
                at.stop()
                at.start()
                server = Server(folder)
        finally:
            over.set()
            thread.join(60)
        assert not thread.is_alive()
        server.kill()
        server = Server(folder)
        wait_for("every value", lambda: len(_values(server)) >= len(sent))
        assert _values(server) == sent
        server.stop()


def _values(server):
    (datastream,) = server.client.datastreams()
    return sorted(server.client.read(datastream["key"])["result"].to_pylist())
