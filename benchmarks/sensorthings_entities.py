"""Ask SensorThings for entities of a large catalog, in this process and without a socket: filters, orders, expansions.

    python benchmarks/sensorthings_entities.py [--things 10000] [--streams 10] [--url postgresql://…] [--folder DIR]
        [--only TEXT]

Each Thing has so many Datastreams, each of them two Observations. Every request is sent eleven times; the median and
the slowest are told, without the first, beside them the CPU time of this process and of the database's, which other
work on the machine moves less (helpers that PostgreSQL starts for one query are not in it). With ``--only`` the
requests that have this text.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import text

from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.store import tables
from nilometer.web.app import create_app

ALL_OF_IT = "&$expand=Thing,Sensor,ObservedProperty,Observations($top=1)"
REQUESTS = (
    "Things",
    "Datastreams",
    "Datastreams?$count=true",
    "Datastreams?$orderby=name desc",
    "Things?$orderby=properties/depth desc,name",
    "Datastreams?$orderby=Thing/name,name",
    "Datastreams?$filter=name eq 'Stream 54321'",
    "Datastreams?$filter=startswith(name,'Stream 5432')&$count=true",
    "Datastreams?$filter=substringof('4321',name)",
    "Datastreams?$filter=tolower(name) eq 'stream 54321'",
    "Things?$filter=properties/depth gt 98.5 and properties/kind eq 'k7'&$count=true",
    "Datastreams?$filter=properties/n eq 99999",
    "Datastreams?$filter=properties/n eq 99999&$count=true",
    "Datastreams?$filter=properties/site eq 'site 77'&$count=true",
    "Datastreams?$filter=properties/n gt 99990&$count=true",
    "Datastreams?$filter=startswith(properties/site,'site 97')&$count=true",
    "Datastreams?$filter=properties/n ne 99999&$count=true",
    "Datastreams?$orderby=properties/n desc",
    "Datastreams?$filter=Thing/name eq 'Station 5432'",
    "Datastreams?$filter=Thing/properties/depth gt 99.9&$count=true",
    "Datastreams?$filter=ObservedProperty/name eq 'Property 3' and Sensor/name eq 'Sensor 7'&$count=true",
    "Datastreams?$filter=unitOfMeasurement/symbol eq 'u3'&$orderby=name&$count=true",
    "Things?$filter=Datastreams/ObservedProperty/name eq 'Property 3'&$count=true",
    "Things?$filter=Datastreams/name eq 'Stream 54321'",
    "Things?$filter=not (Datastreams/ObservedProperty/name eq 'Property 3')",
    "Things?$filter=Datastreams/properties/n eq 99999",
    "Things?$filter=Locations/name eq 'Place 77'",
    "Things?$filter=geo.distance(Locations/location, geography'POINT(20 30)') lt 0.5",
    "Locations?$filter=st_within(location, geography'POLYGON((20 20, 21 20, 21 21, 20 21, 20 20))')&$count=true",
    "Datastreams?$filter=phenomenonTime gt 2020-01-01T00:00:00Z",
    "Datastreams?$orderby=phenomenonTime desc",
    "Datastreams?$filter=st_within(observedArea, geography'POLYGON((20 20, 21 20, 21 21, 20 21, 20 20))')&$count=true",
    "Datastreams?$filter=geo.distance(observedArea, geography'POINT(20 30)') lt 2.5&$count=true",
    "Datastreams?$orderby=geo.distance(observedArea, geography'POINT(20 30)')",
    "Things?$expand=Datastreams",
    "Things?$expand=Datastreams($expand=ObservedProperty,Sensor;$top=3),Locations",
    "Things?$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))",
    "Datastreams?$expand=Thing($expand=Locations)",
    "Things?$filter=id gt 5000&$expand=Datastreams($filter=length(name) eq 12;$count=true)&$select=name",
    "Datastreams?$orderby=name&$count=true" + ALL_OF_IT,
    "Datastreams?$filter=Thing/name eq 'Station 5432'&$orderby=name&$count=true" + ALL_OF_IT,
    "Datastreams?$filter=ObservedProperty/name eq 'Property 3'&$orderby=name&$count=true" + ALL_OF_IT,
    "Datastreams?$filter=startswith(Thing/name,'Station 54')&$orderby=name&$count=true" + ALL_OF_IT,
    "Datastreams?$filter=substringof('4321',name)&$orderby=name&$count=true" + ALL_OF_IT,
    "Datastreams(5)/Thing",
    "Things(77)/Datastreams?$filter=ObservedProperty/id eq 3",
)


def fill(engine, things, streams):
    with engine.begin() as connection:

        def add(table, rows):
            for start in range(0, len(rows), 2000):
                connection.execute(table.insert(), rows[start : start + 2000])

        add(
            tables.sensors,
            [
                {
                    "id": n,
                    "key": f"s{n}",
                    "name": f"Sensor {n}",
                    "description": "",
                    "encoding_type": "text/plain",
                    "metadata": "",
                    "properties": {},
                }
                for n in range(1, 101)
            ],
        )
        add(
            tables.observed_properties,
            [
                {
                    "id": n,
                    "key": f"o{n}",
                    "name": f"Property {n}",
                    "definition": "",
                    "description": "",
                    "properties": {},
                }
                for n in range(1, 51)
            ],
        )
        add(
            tables.things,
            [
                {
                    "id": n,
                    "key": f"t{n}",
                    "name": f"Station {n}",
                    "description": f"The station {n}",
                    "water_body": "river",
                    "target_class": None,
                    "time_zone": "UTC",
                    "properties": {
                        "depth": (n * 37 % 10007) / 100,
                        "kind": f"k{n % 13}",
                        "owner": {"name": f"o{n % 7}"},
                    },
                }
                for n in range(1, things + 1)
            ],
        )
        add(
            tables.locations,
            [
                {
                    "id": n,
                    "name": f"Place {n}",
                    "description": "",
                    "encoding_type": "application/geo+json",
                    "properties": {},
                    "location": {"type": "Point", "coordinates": [n % 360 - 180, n * 7 % 170 - 85]},
                }
                for n in range(1, things + 1)
            ],
        )
        add(tables.things_locations, [{"thing": n, "location": n, "ordinal": 0} for n in range(1, things + 1)])
        add(
            tables.features_of_interest,
            [
                {
                    "id": n,
                    "name": f"Water {n}",
                    "description": "",
                    "encoding_type": "application/geo+json",
                    "feature": {"type": "Point", "coordinates": [n % 360 - 180, n * 7 % 170 - 85]},
                    "sample_kind": 0,
                    "thing": n,
                    "properties": {},
                }
                for n in range(1, things + 1)
            ],
        )
        add(tables.datastreams, [
            {"id": n, "key": f"d{n}", "name": f"Stream {n}", "description": "", "thing": (n - 1) // streams + 1,
             "sensor": n % 100 + 1, "observed_property": n % 50 + 1, "unit": "1", "unit_name": f"unit {n % 9}",
             "unit_symbol": f"u{n % 9}", "unit_definition": "", "observation_type": "", "origin": "instrument",
             "profile": None, "mark_scheme": None, "identity": "time", "clock_resolution_us": 1000,
             "properties": {"n": n, "site": f"site {n % 977}"}}
            for n in range(1, things * streams + 1)
        ])  # fmt: skip


def batch(things, streams, n):
    """Return the n-th row of each Datastream, of the water of its Thing; of some the second is of another one's."""
    datastream = np.arange(1, things * streams + 1)
    thing = (datastream - 1) // streams
    return ObservationBatch(
        datastream=datastream.astype(np.int32),
        phenomenon_time=1_700_000_000_000_000 + n * 600_000_000 + datastream * 7919 % 100_000 * 1000,
        raw_result=datastream % 100 / 10,
        feature=(np.where(datastream % 50, thing, (thing + n) % things) + 1).astype(np.int32),
    )


def cpu_ms(backends):
    """Return the CPU time of this process, and of each of the database's that runs on this machine."""
    theirs = {}
    for pid in backends:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            theirs[pid] = (int(words[11]) + int(words[12])) * 1e3 / os.sysconf("SC_CLK_TCK")
    return time.process_time() * 1e3, theirs


def backends(engine):
    """Return the processes of the database that serve this program."""
    if engine.dialect.name == "sqlite":
        return []
    with engine.connect() as connection:
        asked = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        return list(connection.execute(asked).scalars())


async def measure(folder, options):
    settings = {"store": {"catalog_url": options.url}} if options.url else {}
    pipeline = Pipeline(folder, parse(settings))
    fill(pipeline.store.catalog.engine, options.things, options.streams)
    if options.url:  # PostgreSQL does so by itself within a minute, and plans by what it learns
        with pipeline.store.catalog.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    await pipeline.close()
    pipeline = Pipeline(folder, parse(settings))  # what was written behind its back it reads when it opens
    await pipeline.start()
    for n in range(2):
        rows = batch(options.things, options.streams, n)
        assert (await pipeline.ingest(rows)).accepted == len(rows)
    transport = httpx.ASGITransport(app=create_app(pipeline, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60) as client:
        for path in (path for path in REQUESTS if options.only in path):
            taken = []
            for turn in range(11):
                if turn == 1:
                    serving = backends(pipeline.store.catalog.engine)
                    before = cpu_ms(serving)
                started = time.perf_counter()
                answer = await client.get(f"/v1.1/{path}")
                taken.append((time.perf_counter() - started) * 1e3)
                assert answer.status_code == 200, (path, answer.text[:300])
            shown = len(answer.json().get("value", "x"))
            after = cpu_ms(serving)
            ours = after[0] - before[0]
            theirs = sum(used - before[1].get(pid, used) for pid, used in after[1].items())
            print(
                f"{statistics.median(taken[1:]):8.1f} ms, at most {max(taken[1:]):8.1f} ms, CPU {ours / 10:6.1f} "
                f"+ {theirs / 10:6.1f} ms {shown:5} shown  {path}",
                flush=True,
            )
    await pipeline.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--things", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--url")
    parser.add_argument("--folder")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as where:
        asyncio.run(measure(Path(where) / "data", options))


if __name__ == "__main__":
    main()
