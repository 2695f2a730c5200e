"""Bulk and single writes through HTTP, durable: observations a second, by kind of body.

A server of its own process on a free loopback port, over a fresh data folder; the clients are in this process, so both
share the machine's cores. ``python benchmarks/web_ingest.py --help`` shows the sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import multiprocessing
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv

from nilometer.config import parse
from nilometer.pipeline import Pipeline
from nilometer.web.api.bodies import ARROW
from nilometer.web.app import create_app
from nilometer.web.serving import bind, serve

START_MS = 1_600_000_000_000


def config(datastreams: int):
    return parse(
        {
            "thing": [{"key": "bench", "name": "Bench"}],
            "datastream": [
                {"key": f"bench/ph{n}", "thing": "bench", "property": "ph", "profile": "river/ph"}
                for n in range(datastreams)
            ],
        }
    )


def run_server(folder: str, datastreams: int, told) -> None:
    async def main() -> None:
        pipeline = Pipeline(Path(folder), config(datastreams))
        await pipeline.start()
        listener = bind("127.0.0.1", 0)
        try:
            await serve(create_app(pipeline), listener, ready=lambda: told.put(listener.getsockname()[1]))
        finally:
            await pipeline.close()

    asyncio.run(main())


def table(rows: int, datastreams: int, at: int) -> pa.Table:
    """Rows as they arrive live: every Datastream in turn, a second apart."""
    place = np.arange(rows)
    keys = pa.DictionaryArray.from_arrays(
        pa.array((place % datastreams).astype(np.int32)), pa.array([f"bench/ph{n}" for n in range(datastreams)])
    )
    moments = START_MS + 1000 * (at // datastreams + place // datastreams)
    values = np.round(7 + np.sin((at + place) / 1e4), 2)
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


BODIES = {"arrow": (arrow_body, ARROW), "csv": (csv_body, "text/csv"), "json": (json_body, "application/json")}


def bulk(port: int, kind: str, rows: int, bodies: int, datastreams: int, at: int) -> float:
    encode, media_type = BODIES[kind]
    made = [encode(table(rows, datastreams, at + n * rows)) for n in range(bodies)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    for body in made:
        connection.request("POST", "/api/v1/observations", body, {"Content-Type": media_type})
        answer = msgspec.json.decode(connection.getresponse().read())
        assert answer["accepted"] == rows, answer
    return rows * bodies / (time.perf_counter() - began)


async def single(port: int, clients: int, posts: int) -> float:
    """One Observation a request, so many clients at a time; written to the socket, or the client would be measured."""
    waiting = iter(range(posts))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in waiting:
            moment = f"2021-01-01T00:{n // 60_000:02}:{n // 1000 % 60:02}.{n % 1000:03}Z"
            body = msgspec.json.encode({"phenomenonTime": moment, "result": 7.0})
            head = f"POST /v1.1/Datastreams({n % 10 + 1})/Observations HTTP/1.1\r\nHost: bench\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 201 " in answer, answer
            await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return posts / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows a body")
    parser.add_argument("--bodies", type=int, default=4, help="bodies of each kind")
    parser.add_argument("--datastreams", type=int, default=100)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--posts", type=int, default=5_000)
    given = parser.parse_args()
    told = multiprocessing.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.get_context("spawn").Process(
            target=run_server, args=(folder, given.datastreams, told), daemon=True
        )
        server.start()
        try:
            port = told.get(timeout=120)
            bulk(port, "arrow", given.datastreams * 10, 1, given.datastreams, 0)  # warm
            at = given.datastreams * 10
            for kind in BODIES:
                rate = bulk(port, kind, given.rows, given.bodies, given.datastreams, at)
                at += given.rows * given.bodies
                print(f"{kind:6} {given.bodies} bodies of {given.rows:,} rows: {rate:12,.0f} observations/s")
            rate = asyncio.run(single(port, given.clients, given.posts))
            print(f"single {given.posts:,} posts by {given.clients} clients: {rate:12,.0f} observations/s")
        finally:
            server.terminate()
            server.join(30)


if __name__ == "__main__":
    main()
