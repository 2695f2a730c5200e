"""How long a value takes from the wire to a client, and to the screen of a real browser.

    python benchmarks/latency.py [--values 300] [--interval 0.1] [--no-browser]

An NMEA 0183 instrument in this process says one MTW sentence an interval, each with a value of its own. A ``nilometer
serve`` of its own process reads it, and its rows go the whole way: calibration, qc, journal with fsync, subscribers.
One client reads the live stream; Chromium (where there is one) shows the Datastream's page, and a value is on screen
when its digits are in the document. All clocks are this machine's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.system.browser import CHROMIUM, browser
from tests.system.server import Server

DATASTREAM = "bench/water_temperature"
CONFIG = """
[[thing]]
key = "bench"
name = "Bench"
water_body = "river"

[[source]]
name = "thermometer"
driver = "nmea0183"
thing = "bench"
options = {{ link = "tcp", host = "127.0.0.1", port = {port}, time = "arrival" }}
"""
WATCH = """() => {
  window.seen = {};
  const target = document.querySelector('main [data-testid=latest-value]');
  const note = () => {
    const text = target.innerText;
    if (!(text in window.seen)) window.seen[text] = performance.timeOrigin + performance.now();
  };
  new MutationObserver(note).observe(target, { childList: true, characterData: true, subtree: true });
}"""


def sentence(value: float) -> bytes:
    body = f"WIMTW,{value:.2f},C"
    check = 0
    for byte in body.encode():
        check ^= byte
    return f"${body}*{check:02X}\r\n".encode()


class Instrument:
    """Says a value an interval to whoever dialled; `said` is when each left, ms of the wall clock."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.said: dict[str, float] = {}

    def accept(self) -> None:
        self._listener.settimeout(60)
        self._peer, _ = self._listener.accept()
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, value: float) -> None:
        data = sentence(value)
        self.said[f"{value:.2f}"] = time.time() * 1000
        self._peer.sendall(data)

    def close(self) -> None:
        self._peer.close()
        self._listener.close()


class Listener(threading.Thread):
    """Reads the live stream; `heard` is when each value came, `stamped` the arrival time that its row carries, ms."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._connection.request("GET", "/api/v1/live")
        self._answer = self._connection.getresponse()
        self.heard: dict[str, float] = {}
        self.stamped: dict[str, float] = {}
        self.start()

    def run(self) -> None:
        kind = ""
        while line := self._answer.fp.readline():
            if line.startswith(b"event:"):
                kind = line.split(b":", 1)[1].strip().decode()
            elif line.startswith(b"data:") and kind == "observations":
                at = time.time() * 1000
                for rows in json.loads(line[5:])["rows"].values():
                    for value, stamp in zip(rows["result"], rows["time"], strict=True):
                        self.heard.setdefault(f"{value:.2f}", at)
                        self.stamped.setdefault(f"{value:.2f}", stamp)


def told(name: str, spans: list[float], values: int) -> None:
    spans = sorted(spans)
    p95 = spans[min(len(spans) - 1, int(0.95 * len(spans)))]
    missed = f", {values - len(spans)} not seen singly" if len(spans) < values else ""
    print(
        f"{name:34} median {statistics.median(spans):6.1f} ms   p95 {p95:6.1f} ms   most {spans[-1]:6.1f} ms   "
        f"({len(spans)} values{missed})",
        flush=True,
    )


def between(after: dict[str, float], before: dict[str, float], values: list[str]) -> list[float]:
    return [after[value] - before[value] for value in values if value in after and value in before]


def measure(options: argparse.Namespace, folder: Path) -> None:
    instrument = Instrument()
    data = folder / "data"
    data.mkdir()
    (data / "nilometer.toml").write_text(CONFIG.format(port=instrument.port), encoding="utf-8")
    server = Server(data, is_new=True)
    try:
        instrument.accept()
        for step in range(10):  # so that the Datastream exists and all is warm
            instrument.say(5 + step / 100)
            time.sleep(options.interval)
        listener = Listener(server.address)
        values = [f"{10 + step / 100:.2f}" for step in range(options.values)]

        def say_all() -> None:
            due = time.monotonic()
            for value in values:
                instrument.say(float(value))
                due += options.interval
                time.sleep(max(due - time.monotonic(), 0))
            time.sleep(1)

        seen: dict[str, float] = {}
        if CHROMIUM.exists() and not options.no_browser:
            with browser(folder / "profile") as context:
                page = context.pages[0]
                page.goto(f"{server.address}/datastreams/{DATASTREAM}?range=1h")
                page.locator("main [data-testid=latest-value]").wait_for()
                page.locator("[data-testid=live-indicator][data-state=live]").wait_for()
                page.evaluate(WATCH)
                say_all()
                seen = page.evaluate("() => window.seen")
        else:
            say_all()
        wait = listener.heard
        told("wire → driver (row is stamped)", between(listener.stamped, instrument.said, values), len(values))
        told("driver → live stream (durable)", between(wait, listener.stamped, values), len(values))
        told("wire → live stream", between(wait, instrument.said, values), len(values))
        if seen:
            told("live stream → document", between(seen, wait, values), len(values))
            told("wire → document", between(seen, instrument.said, values), len(values))
        instrument.close()
        server.stop()
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=300)
    parser.add_argument("--interval", type=float, default=0.1, help="seconds from value to value")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; a value each {options.interval:g} s")
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
