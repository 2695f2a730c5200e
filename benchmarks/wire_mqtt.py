"""MQTT QoS 1 from a real Mosquitto into the store, acknowledged after the journal's sync: messages a second.

    python benchmarks/wire_mqtt.py [--messages 200000] [--datastreams 50] [--skip-peers]

Broker, publisher and subscriber are processes of one machine and share its cores. The publisher writes QoS 1 messages
of one Observation each (SensorThings topics) and keeps at most a window of them unacknowledged by the broker. Ours: a
pipeline in a process of its own, through admission, calibration, qc and the journal with fsync; the time is from the
first message's publication to the moment all rows are synced; then what is stored is counted, and what the broker
still holds as not acknowledged.
Beside it the loop a user would write: paho-mqtt with manual acknowledgement into InfluxDB 1.x, a batch of line protocol
a write, acknowledged when InfluxDB has answered; and paho alone, acknowledging and storing nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as paho
import uvloop
from web_ingest import syncs_a_second

from nilometer.acquisition.protocols.mqtt import PacketSplitter, Publish, connect_packet, publish_packet
from nilometer.acquisition.simulators.mosquitto import Mosquitto
from nilometer.config import parse
from nilometer.pipeline import Pipeline

BEGAN_S = 1_714_557_600
WINDOW = 2000
FILTER = "v1.1/+/Observations"


def topic(place: int) -> str:
    return f"v1.1/Datastreams({place})/Observations"


def payload(number: int, datastreams: int) -> bytes:
    seconds = BEGAN_S + number // datastreams
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    return b'{"phenomenonTime":"%s","result":%.2f}' % (text.encode(), 7.2 + number % 50 / 100)


def publish_all(port: int, messages: int, datastreams: int, told) -> None:
    """Publish in a process of its own: packets made before, a window of them on their way."""
    packets = [
        publish_packet(topic(n % datastreams), payload(n, datastreams), packet_id=n % 65535 + 1)
        for n in range(messages)
    ]
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(connect_packet("publisher", clean=True))
    splitter = PacketSplitter()
    link.recv(4)
    told.put(time.monotonic())
    sent = answered = 0
    while answered < messages:
        if sent < messages and sent - answered < WINDOW:
            upto = min(messages, answered + WINDOW)
            link.sendall(b"".join(packets[sent:upto]))
            sent = upto
        answered += len(splitter.feed(link.recv(65536)))
    told.put(time.monotonic())


def ours(port: int, messages: int, folder: str, told) -> None:
    """The pipeline with its MQTT source."""

    async def main() -> None:
        source = {"name": "net", "driver": "mqtt", "thing": "bench"}
        source["options"] = {
            "port": port,
            "client_id": "subscriber",
            "topics": [{"topic": FILTER, "format": "sensorthings"}],
        }
        pipeline = Pipeline(Path(folder), parse({"thing": [{"key": "bench", "name": "Bench"}], "source": [source]}))
        await pipeline.start()
        await pipeline.start_sources()
        while "connected to" not in pipeline.sources()[0].detail:
            await asyncio.sleep(0.01)
        told.put("ready")
        before_s = time.process_time()
        while pipeline.committed_rows < messages:
            await asyncio.sleep(0.005)
        ended, cpu_s = time.monotonic(), time.process_time() - before_s
        await asyncio.sleep(0.5)
        stored = pipeline.store.snapshot().read(None, columns=["result"]).num_rows
        await pipeline.close()
        told.put((ended, cpu_s, stored))

    uvloop.run(main())


def paho_loop(port: int, messages: int, folder: str | None, told) -> None:
    """The loop a user would write: decode, batch, write, acknowledge; without a folder, acknowledge only."""
    server = contextlib.nullcontext() if folder is None else InfluxServer(Path(folder))
    with server as database:
        done = threading.Event()
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False, manual_ack=True
        )
        lines: list[str] = []
        waiting: list[int] = []
        lock = threading.Lock()
        confirmed = 0

        def on_message(client, _userdata, message) -> None:
            nonlocal confirmed
            body = json.loads(message.payload)
            moment = datetime.fromisoformat(body["phenomenonTime"])
            series = message.topic[17 : message.topic.index(")")]
            line = f"water,stream={series} value={body['result']} {int(moment.timestamp())}"
            if database is None:
                client.ack(message.mid, message.qos)
                confirmed += 1
                if confirmed >= messages:
                    done.set()
                return
            with lock:
                lines.append(line)
                waiting.append(message.mid)

        def write() -> None:
            nonlocal confirmed
            while confirmed < messages:
                with lock:
                    body, ids = lines[:], waiting[:]
                    lines.clear()
                    waiting.clear()
                if not body:
                    time.sleep(0.001)
                    continue
                database.write("\n".join(body))
                for mid in ids:
                    client.ack(mid, 1)
                confirmed += len(ids)
            done.set()

        client.on_message = on_message
        client.connect("127.0.0.1", port)
        client.subscribe(FILTER, 1)
        client.loop_start()
        time.sleep(1.0)
        if database is not None:
            threading.Thread(target=write, daemon=True).start()
        told.put("ready")
        before_s = time.process_time()
        done.wait(900)
        ended, cpu_s = time.monotonic(), time.process_time() - before_s
        stored = 0 if database is None else database.count()
        time.sleep(0.5)
        client.disconnect()
        client.loop_stop()
        told.put((ended, cpu_s, stored))


class InfluxServer(contextlib.AbstractContextManager["InfluxServer"]):
    """A private InfluxDB 1.x: its write-ahead log is synced at every write."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        ports = []
        for _ in range(2):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        config = folder / "influxdb.conf"
        config.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{ports[0]}"\n'
            f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{ports[1]}"\nlog-enabled = false\n',
            encoding="utf-8",
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(["influxd", "-config", str(config)], **quiet)
        self._port = ports[1]
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    break
            time.sleep(0.05)
        self._link = http.client.HTTPConnection("127.0.0.1", self._port)
        self._ask("POST", "/query?q=CREATE%20DATABASE%20bench")

    def write(self, body: str) -> None:
        self._ask("POST", "/write?db=bench&precision=s", body)

    def count(self) -> int:
        answer = json.loads(self._ask("GET", "/query?db=bench&q=SELECT%20count(value)%20FROM%20water"))
        return answer["results"][0]["series"][0]["values"][0][1]

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self._link.request(method, path, body)
        answer = self._link.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"InfluxDB answers {answer.status}: {text[:200]!r}")
        return text

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def measure(name: str, target, arguments: tuple, messages: int, datastreams: int, port: int) -> float:
    context = multiprocessing.get_context("spawn")
    told, times = context.Queue(), context.Queue()
    subscriber = context.Process(target=target, args=(port, messages, *arguments, told))
    subscriber.start()
    assert told.get(timeout=120) == "ready"
    publisher = context.Process(target=publish_all, args=(port, messages, datastreams, times))
    publisher.start()
    began = times.get(timeout=120)
    published = times.get(timeout=900)
    ended, cpu_s, stored = told.get(timeout=900)
    subscriber.join(120)
    publisher.join(120)
    left = unacknowledged(port)
    rate = messages / (ended - began)
    print(
        f"{name}: {rate:,.0f} messages/s ({messages:,} in {ended - began:.1f} s, "
        f"published in {published - began:.1f} s; "
        f"{stored:,} stored, {left} not acknowledged; {cpu_s / messages * 1e6:.0f} µs CPU of the subscriber a message)",
        flush=True,
    )
    return rate


def unacknowledged(port: int) -> int:
    """Return how many messages the broker still holds for the subscriber: it sends them again to who comes as it."""
    link = socket.create_connection(("127.0.0.1", port))
    link.settimeout(1.0)
    link.sendall(connect_packet("subscriber"))
    splitter, left = PacketSplitter(), 0
    try:
        while data := link.recv(65536):
            left += sum(isinstance(packet, Publish) for packet in splitter.feed(data))
    except TimeoutError:
        pass
    link.close()
    return left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--datastreams", type=int, default=50)
    parser.add_argument("--skip-peers", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        print(f"load {os.getloadavg()[0]:.1f}, {syncs_a_second(folder):,.0f} syncs of 4 KiB a second", flush=True)
        runs = [("ours into the store", ours, (str(folder / "ours"),))]
        if not options.skip_peers:
            runs.append(("paho alone, storing nothing", paho_loop, (None,)))
            if shutil.which("influxd"):
                runs.append(("paho loop into InfluxDB 1.x", paho_loop, (str(folder / "influx"),)))
            else:
                print("no influxd (apt-get install influxdb)")
        rates = {}
        for name, target, arguments in runs:
            broker = Mosquitto(options={"max_inflight_messages": "20000"})
            broker.start()
            try:
                rates[name] = measure(name, target, arguments, options.messages, options.datastreams, broker.port)
            finally:
                broker.close()
        first, *others = rates.items()
        for name, rate in others:
            print(f"{first[0]} is {first[1] / rate:.1f} times {name}")


if __name__ == "__main__":
    main()
