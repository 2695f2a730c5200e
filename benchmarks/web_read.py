"""Read through the whole web application, in this process and without a socket: a Datastream-year, charts, latest.

    python benchmarks/web_read.py [--streams 1000] [--step 600] [--scale 1.0] [--folder DIR]

The data are those of store_read.py. Each request is sent for several Datastreams in turn; the median is told.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from store_ingest import START, fill
from store_read import arguments, build

from nilometer.config import parse
from nilometer.pipeline import Pipeline
from nilometer.store import Store
from nilometer.web.app import create_app

API = "/api/v1"
NEWEST = "$expand=Observations($orderby=phenomenonTime desc;$top=1)"
OF_ONE = (
    "observations?format=arrow&columns=phenomenon_time,result,result_quality",
    "observations?format=arrow",
    "observations",
    "observations?format=csv",
    "observations?max_points=2000",
    f"observations?start={START // 1000}&end={START // 1000 + 243 * 86_400_000}",
    "rollups?span=hour",
    "rollups?span=day",
)
OF_ALL = (
    f"{API}/latest",
    f"{API}/latest?format=arrow",
    f"/v1.1/Datastreams?$top=1000&{NEWEST}",
    "/v1.1/Datastreams(7)/Observations?$top=0&$count=true",
    "/v1.1/Datastreams(7)/Observations?$filter=result gt 1000&$count=true",
    "/v1.1/Observations?$filter=resultQuality/flag eq 4&$count=true",
)


async def median_of(client, paths):
    taken, size = [], 0
    for path in paths:
        started = time.perf_counter()
        answer = await client.get(path)
        taken.append((time.perf_counter() - started) * 1e3)
        assert answer.status_code == 200, (path, answer.text[:200])
        size = len(answer.content)
    return statistics.median(taken[1:]), size


async def measure(folder, streams):
    pipeline = Pipeline(folder, parse({}))
    await pipeline.start()
    transport = httpx.ASGITransport(app=create_app(pipeline, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60) as client:
        for query in OF_ONE:
            paths = [f"{API}/datastreams/{1 + (17 * n) % streams}/{query}" for n in range(16)]
            median, size = await median_of(client, paths)
            print(f"{median:8.1f} ms {size:10} bytes  …/{query}")
        for path in OF_ALL:
            median, size = await median_of(client, [path] * 8)
            print(f"{median:8.1f} ms {size:10} bytes  {path}")
    await pipeline.close()


def main():
    options = arguments(__doc__)
    streams = max(7, int(options.streams * options.scale))
    with tempfile.TemporaryDirectory(dir=options.folder) as where:
        folder = Path(where) / "data"
        store = Store.open(folder)
        fill(store, streams)
        store.save_state("qc", 1 << 60, b"")
        build(store, streams, options.step)
        print(f"{store.snapshot().count()} rows of {streams} Datastreams in {len(store.snapshot().files)} files")
        store.close()
        asyncio.run(measure(folder, streams))


if __name__ == "__main__":
    main()
