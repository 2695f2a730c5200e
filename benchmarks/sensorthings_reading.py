"""Observations read through SensorThings over HTTP: data arrays, pages, CSV, the newest of many Datastreams.

A server of its own process on a free loopback port, over a fresh data folder; the client is in this process, reads
everything and throws it away, so both share the machine's cores. The rows are pH with a calibration and a profile, so
that ``resultQuality`` has a flag, tests, an uncertainty and links. Of each request the median is told; beside what
streams stands how far the memory of the server grew meanwhile.
``python benchmarks/sensorthings_reading.py --help`` shows the sizes.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import statistics
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
import numpy as np
import pyarrow as pa
from web_ingest import START_MS, STEP_MS, Server, arrow_body, run_server

from nilometer.web.api.bodies import ARROW

NEWEST = "Things?$expand=Datastreams($top=1000;$expand=Observations($top=1;$orderby=phenomenonTime desc))"
TIMED = (
    (
        "35,000 rows: result, time, quality; data array",
        "$select=result,phenomenonTime,resultQuality",
        "dataArray",
        35_000,
    ),
    (
        "35,000 rows: result, time, flag; data array",
        "$select=result,phenomenonTime,resultQuality/flag",
        "dataArray",
        35_000,
    ),
    ("35,000 rows: result, time, quality; JSON", "$select=result,phenomenonTime,resultQuality", "", 35_000),
    ("35,000 rows: result, time; CSV", "$select=result,phenomenonTime", "CSV", 35_000),
)
STREAMED = (
    ("result, time; data array", "$select=result,phenomenonTime", "dataArray"),
    ("all seven components; data array", "", "dataArray"),
    ("result, time; CSV", "$select=result,phenomenonTime", "CSV"),
    ("whole Observations; JSON", "", ""),
)


def rows_of(stream: np.ndarray, place: np.ndarray) -> pa.Table:
    moments = START_MS + STEP_MS * place
    values = np.round(7.2 + 0.25 * np.sin(place / 23) + np.random.default_rng(1).normal(0, 0.015, len(place)), 2)
    return pa.table(
        {
            "datastream": pa.array(stream),
            "phenomenon_time": pa.array(moments, pa.timestamp("ms", "UTC")),
            "result": values,
        }
    )


def load(server: Server, rows: int, streams: int) -> None:
    """Give the first Datastream so many rows, and every other ten."""
    parts = [
        rows_of(np.ones(len(some), np.int64), some) for some in np.array_split(np.arange(rows), max(1, rows // 250_000))
    ]
    others = np.arange(2, streams + 1)
    parts.append(rows_of(np.repeat(others, 10), np.tile(np.arange(10), len(others))))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    for part in parts:
        connection.request("POST", "/api/v1/observations", arrow_body(part), {"Content-Type": ARROW})
        answer = msgspec.json.decode(connection.getresponse().read())
        assert answer["accepted"] == len(part), answer


def get(server: Server, path: str) -> int:
    """Read an answer to its end, and return how many bytes it had."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200, (path, answer.read()[:300])
    size = 0
    while piece := answer.read(1 << 20):
        size += len(piece)
    connection.close()
    return size


def median_ms(server: Server, path: str, times: int = 9) -> tuple[float, int]:
    get(server, path)
    taken, size = [], 0
    for _ in range(times):
        began = time.perf_counter()
        size = get(server, path)
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken), size


def memory_mb(server: Server) -> float:
    words = Path(f"/proc/{server.pid}/statm").read_text(encoding="ascii").split()
    return int(words[1]) * 4096 / 1e6


def streamed(server: Server, path: str) -> tuple[float, int, float]:
    """Return seconds, bytes, and by how many MB the server grew meanwhile."""
    before, peak, over = memory_mb(server), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], memory_mb(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    size = get(server, path)
    took = time.perf_counter() - began
    over.set()
    watcher.join()
    return took, size, max(0.0, peak[0] - before)


def pages(server: Server, path: str, most: int) -> tuple[float, float, int]:
    """Follow next links; return ms of the first and of the last page, and how many rows came."""
    first = last = 0.0
    rows = 0
    while path and rows < most:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        connection.request("GET", path)
        page = msgspec.json.decode(connection.getresponse().read())
        last = (time.perf_counter() - began) * 1e3
        first = first or last
        rows += len(page["value"])
        link = urlsplit(page.get("@iot.nextLink", ""))
        path = f"{link.path}?{link.query}" if link.path else ""
    return first, last, rows


def measure(server: Server, rows: int, streams: int) -> None:
    base = "/v1.1/Datastreams(1)/Observations?"

    def asked(select: str, form: str, top: int) -> str:
        return base + "&".join(
            part for part in (select, f"$resultFormat={form}" if form else "", f"$top={top}") if part
        )

    for name, select, form in STREAMED:
        used = server.cpu_s() or 0.0
        took, size, grown = streamed(server, asked(select, form, min(rows, 1_000_000)))
        rate = min(rows, 1_000_000) / took
        used = ((server.cpu_s() or 0.0) - used) / min(rows, 1_000_000) * 1e9
        print(
            f"{rows:,} rows: {name:37} {took:9.2f} s  {size / 1e6:8.1f} MB {rate:12,.0f} rows/s, "
            f"{used:,.0f} ns of CPU a row, + {grown:.0f} MB"
        )
    for name, select, form, top in TIMED:
        taken, size = median_ms(server, asked(select, form, min(top, rows)))
        print(f"{name:52} {taken:9.1f} ms {size / 1e6:8.1f} MB")
    taken, size = median_ms(server, f"/v1.1/{quote(NEWEST, safe='$()=;,?&')}")
    print(f"{f'newest of {streams} Datastreams of a Thing, expanded':52} {taken:9.1f} ms {size / 1e6:8.1f} MB")
    began = time.perf_counter()
    first, last, got = pages(server, f"{base}$top=1000", min(rows, 100_000))
    print(
        f"{got:,} rows in pages of 1,000: {time.perf_counter() - began:.2f} s, first {first:.1f} ms, last {last:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--folder", help="where the data goes; default: a temporary folder")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        told = context.Queue()
        process = context.Process(target=run_server, args=(folder, options.streams, options.streams, told))
        process.start()
        try:
            server = Server(told.get(timeout=600), process.pid)
            load(server, options.rows, options.streams)
            measure(server, options.rows, options.streams)
        finally:
            process.terminate()
            process.join()


if __name__ == "__main__":
    main()
