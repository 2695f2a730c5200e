"""Bulk and single writes through HTTP, durable: observations a second, by kind of body.

A server of its own process on a free loopback port, over a fresh data folder; the clients are in this process, so both
share the machine's cores. The rows are those of rivers: pH with its day and its noise, in the steps a meter shows,
every ten minutes, of which the profile flags next to nothing; the share is printed. Beside each rate stands what a row
cost the server's process in CPU time, which other work on the machine moves less, and the syncs a second that the disk
gave.
``python benchmarks/web_ingest.py --help`` shows the sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv

from nilometer.config import parse
from nilometer.model import QartodFlag
from nilometer.pipeline import Pipeline
from nilometer.store import Store
from nilometer.web.api.bodies import ARROW
from nilometer.web.app import create_app
from nilometer.web.serving import bind, run, serve

START_MS = 1_600_000_000_000
STEP_MS = 600_000
DAY_MS = 86_400_000
# A meter that reads 0.02 too high and 2 % too steep, and how well the buffers told.
CERTIFICATE = {"kind": "polynomial", "coefficients": [0.12, 0.98], "residual_uncertainty": 0.02}


def config(datastreams: int, calibrated: int):
    return parse(
        {
            "thing": [{"key": "bench", "name": "Bench", "location": [120.0, 30.0]}],
            "datastream": [
                {"key": f"bench/ph{n}", "thing": "bench", "property": "ph", "profile": "river/ph"}
                | ({"calibrations": [CERTIFICATE]} if n < calibrated else {})
                for n in range(datastreams)
            ],
        }
    )


def run_server(folder: str, datastreams: int, calibrated: int, told) -> None:
    async def main() -> None:
        pipeline = Pipeline(Path(folder), config(datastreams, calibrated))
        await pipeline.start()
        listener = bind("127.0.0.1", 0)
        try:
            await serve(create_app(pipeline), listener, ready=lambda: told.put(listener.getsockname()[1]))
        finally:
            await pipeline.close()

    run(main())


def table(rows: int, datastreams: int, at: int) -> pa.Table:
    """Rows as they arrive live: every Datastream in turn, ten minutes apart; `at` rows came before."""
    place = np.arange(at, at + rows)
    stream, moments = place % datastreams, START_MS + STEP_MS * (place // datastreams)
    keys = pa.DictionaryArray.from_arrays(
        pa.array(stream.astype(np.int32)), pa.array([f"bench/ph{n}" for n in range(datastreams)])
    )
    day = 0.25 * np.sin(2 * np.pi * (moments % DAY_MS) / DAY_MS)
    noise = np.random.default_rng(at).normal(0, 0.015, rows)
    values = np.round(7.2 + stream % 10 / 10 + day + noise, 2)
    return pa.table(
        {"datastream": keys, "phenomenon_time": pa.array(moments, pa.timestamp("ms", "UTC")), "result": values}
    )


def arrow_body(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()


def csv_body(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    texts = pa.array(np.datetime_as_string(rows["phenomenon_time"].to_numpy(), unit="ms", timezone="UTC"))
    shown = rows.set_column(1, "phenomenon_time", texts).set_column(
        0, "datastream", rows["datastream"].cast(pa.string())
    )
    pa.csv.write_csv(shown, sink)
    return sink.getvalue().to_pybytes()


def json_body(rows: pa.Table) -> bytes:
    texts = np.datetime_as_string(rows["phenomenon_time"].to_numpy(), unit="ms", timezone="UTC").tolist()
    columns = {
        "datastream": rows["datastream"].to_pylist(),
        "phenomenon_time": texts,
        "result": rows["result"].to_pylist(),
    }
    return msgspec.json.encode(columns)


def data_array_body(rows: pa.Table) -> bytes:
    """A group for each Datastream, as SensorThings has them."""
    moments = np.datetime_as_string(rows["phenomenon_time"].to_numpy(), unit="ms", timezone="UTC")
    stream = rows["datastream"].combine_chunks().indices.to_numpy()
    values = rows["result"].to_numpy()
    groups = []
    for number in np.unique(stream):
        mine = stream == number
        cells = list(zip(moments[mine].tolist(), values[mine].tolist(), strict=True))
        groups.append(
            {
                "Datastream": {"@iot.id": int(number) + 1},
                "components": ["phenomenonTime", "result"],
                "dataArray@iot.count": len(cells),
                "dataArray": cells,
            }
        )
    return msgspec.json.encode(groups)


BODIES = {
    "arrow": (arrow_body, ARROW),
    "csv": (csv_body, "text/csv"),
    "json": (json_body, "application/json"),
    "dataarray": (data_array_body, "application/json"),
}


@dataclass
class Server:
    """The process that is measured."""

    port: int
    pid: int

    def cpu_s(self) -> float | None:
        """What it has used of the cores since its start; None where the system does not say."""
        try:
            used = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return None
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def measured(self, rows: int, act: Callable[[], None]) -> str:
        """Do something that stores rows, and say what it took."""
        before, began = self.cpu_s(), time.perf_counter()
        act()
        rate = rows / (time.perf_counter() - began)
        after = self.cpu_s()
        cost = "" if before is None or after is None else f", {(after - before) / rows * 1e9:9,.0f} ns of CPU a row"
        return f"{rate:12,.0f} observations/s{cost}"


def bulk(server: Server, kind: str, rows: int, bodies: int, datastreams: int, at: int) -> str:
    encode, media_type = BODIES[kind]
    made = [encode(table(rows, datastreams, at + n * rows)) for n in range(bodies)]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)

    def act() -> None:
        for body in made:
            path = "/v1.1/CreateObservations" if kind == "dataarray" else "/api/v1/observations"
            connection.request("POST", path, body, {"Content-Type": media_type})
            answer = msgspec.json.decode(connection.getresponse().read())
            if kind == "dataarray":
                assert sum(text.startswith("http") for text in answer) == rows, answer[:5]
            else:
                assert answer["accepted"] == rows, answer

    return server.measured(rows * bodies, act)


class Poster(asyncio.Protocol):
    """A client that posts as soon as it was answered: nothing between it and the socket, or it would be measured."""

    def __init__(self, waiting: Iterator[bytes], took: list[float]) -> None:
        self._waiting, self._took = waiting, took
        self._begun, self._read = 0.0, b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._post()

    def _post(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._transport.close()
            self.ended.set_result(None)
            return
        self._begun = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        # The answer to a POST is one JSON object, sent in one piece or in two.
        if not self._read.endswith(b"}"):
            return
        if not self._read.startswith(b"HTTP/1.1 201 "):
            self.ended.set_exception(AssertionError(self._read))
            return
        self._took.append(time.perf_counter() - self._begun)
        self._read = b""
        self._post()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or AssertionError("the server hung up"))


async def single(port: int, clients: int, rows: pa.Table, took: list[float]) -> None:
    """One Observation a request, so many clients at a time, each with a connection of its own."""
    moments = np.datetime_as_string(rows["phenomenon_time"].to_numpy(), unit="ms", timezone="UTC").tolist()
    numbers = 1 + rows["datastream"].combine_chunks().indices.to_numpy()
    waiting = map(posted, numbers.tolist(), moments, rows["result"].to_pylist())
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Poster(waiting, took), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.gather(*(poster.ended for _, poster in made))


def posted(number: int, moment: str, result: float) -> bytes:
    body = f'{{"phenomenonTime":"{moment}","result":{result}}}'
    return (
        f"POST /v1.1/Datastreams({number})/Observations HTTP/1.1\r\nHost: bench\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def tell_single(server: Server, clients: int, rows: pa.Table) -> None:
    took: list[float] = []
    before, load = time.process_time(), os.getloadavg()[0]
    said = server.measured(len(rows), lambda: run(single(server.port, clients, rows, took)))
    own = (time.process_time() - before) / len(rows) * 1e9
    print(f"single {len(rows):,} posts by {clients} clients: {said}; of the clients {own:,.0f} ns")
    print(f"       99 of 100 were answered within {np.quantile(took, 0.99) * 1e3:.1f} ms; load {load:.1f}", flush=True)


def syncs_a_second(folder: str, n: int = 200) -> float:
    """Return how many times a second 4 KiB more of a file could be made durable."""
    path = Path(folder) / "syncs"
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(n):
            file.write(bytes(4096))
            os.fsync(file.fileno())
        took = time.perf_counter() - began
    path.unlink()
    return n / took


def flagged(folder: Path) -> float:
    """Return the share of rows that did not pass: their digits are stored, those of the others are not."""
    store = Store.open(folder)
    try:
        quality = store.snapshot().read(columns=["result_quality"])["result_quality"].to_numpy()
    finally:
        store.close()
    return float((quality != QartodFlag.PASS).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows a body")
    parser.add_argument("--bodies", type=int, default=4, help="bodies of each kind; 0: no bulk")
    parser.add_argument("--kinds", default="arrow,csv,json,dataarray", help="kinds of bodies")
    parser.add_argument("--datastreams", type=int, default=1_000)
    parser.add_argument("--calibrated", type=int, help="how many Datastreams have a certificate; default: all")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--posts", type=int, default=5_000, help="single Observations; 0: none")
    parser.add_argument("--rounds", type=int, default=3, help="how many times single Observations are posted")
    given = parser.parse_args()
    calibrated = given.datastreams if given.calibrated is None else given.calibrated
    told = multiprocessing.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        print(f"the disk syncs {syncs_a_second(folder):,.0f} times a second")
        process = multiprocessing.get_context("spawn").Process(
            target=run_server, args=(folder, given.datastreams, calibrated, told), daemon=True
        )
        process.start()
        try:
            assert process.pid is not None
            server = Server(told.get(timeout=300), process.pid)
            at = given.datastreams * 10
            bulk(server, "arrow", at, 1, given.datastreams, 0)  # warm
            for kind in given.kinds.split(",") if given.bodies else ():
                said = bulk(server, kind, given.rows, given.bodies, given.datastreams, at)
                at += given.rows * given.bodies
                print(f"{kind:6} {given.bodies} bodies of {given.rows:,} rows: {said}", flush=True)
            for _ in range(given.rounds if given.posts else 0):
                tell_single(server, given.clients, table(given.posts, given.datastreams, at))
                at += given.posts
        finally:
            process.terminate()
            process.join(60)
        print(f"{flagged(Path(folder)):.2%} of all rows are flagged")


if __name__ == "__main__":
    main()
