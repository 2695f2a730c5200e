"""Real brokers for tests, and a publisher that is not ours: paho-mqtt."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from tests.patience import PATIENCE_S

from nilometer.acquisition.simulators.mosquitto import Mosquitto
from nilometer.errors import ConfigError

__all__ = ["broker", "nats", "publisher", "until"]


@contextmanager
def broker(**options: str) -> Iterator[Mosquitto]:
    """A Mosquitto that keeps its sessions over restarts."""
    try:
        found = Mosquitto(persistent=True, options=options)
    except ConfigError as error:
        pytest.skip(str(error))
    try:
        found.start()
        yield found
    finally:
        found.close()


@contextmanager
def nats(folder: Path) -> Iterator[int]:
    """A nats-server with JetStream and its MQTT listener; gives the port."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        pytest.skip("no nats-server (apt install nats-server)")
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    config = folder / "nats.conf"
    config.write_text(
        f'server_name: tests\nlisten: "127.0.0.1:{ports[0]}"\njetstream {{ store_dir: "{folder}/jetstream" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{ports[1]}", ack_wait: "1s" }}\n',
        encoding="utf-8",
    )
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(ports[1]))
        yield ports[1]
    finally:
        process.kill()
        process.wait()


@contextmanager
def publisher(port: int, client_id: str = "publisher") -> Iterator[Callable[..., None]]:
    """Gives ``publish(topic, payload, qos=1, retain=False)``, which returns when the broker has the message."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def publish(topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        while True:
            try:
                client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(20)
            except RuntimeError:
                # The broker is away: paho says so, and dials again by itself.
                time.sleep(0.05)
            else:
                return

    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()


def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
