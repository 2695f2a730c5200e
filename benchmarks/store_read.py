"""Read a Datastream-year out of many, the latest of all, counts and rollups, beside DuckDB over the same Parquet files.

    python benchmarks/store_read.py [--streams 1000] [--step 600] [--scale 1.0] [--folder DIR]

--step is the seconds between rows: 600 makes 52.6 M rows of 1,000 Datastreams, 60 makes 525.6 M. --scale 0.1 takes a
tenth of the Datastreams. Rows arrive in order of time, a day of all Datastreams at once, and are sealed as they come.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
from deltalake import DeltaTable
from store_ingest import START, fill, memory_mb, put

from nilometer.store import Store, Values
from nilometer.store.rollups import rollups

YEAR_S = 365 * 86400


def build(store, streams, step):
    rng = np.random.default_rng(1)
    per_day = 86400 // step
    days = max(1, min(365, 2_000_000 // (streams * per_day)))
    ids = np.arange(1, streams + 1, dtype=np.int32)
    level = rng.normal(8, 2, streams)
    for day in range(0, 365, days):
        n = min(days, 365 - day) * per_day
        seconds = day * 86400 + np.arange(n) * step
        wave = np.sin(seconds / 86400 * 2 * np.pi)
        values = np.round(level[:, None] + wave + rng.normal(0, 0.05, (streams, n)), 2)
        put(store, np.repeat(ids, n), START + np.tile(seconds, streams) * 1_000_000, values.ravel())
        if store.status().hot_rows > 2_000_000:
            store.seal()
    store.seal()


def median_ms(call, times=15):
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)


def measure(store, folder, streams):
    rng = np.random.default_rng(2)

    def one():
        return int(rng.integers(1, streams + 1))

    snapshot = store.snapshot()
    started = time.perf_counter()
    rows = snapshot.read([one()]).num_rows
    print(f"first read, footers cold          {(time.perf_counter() - started) * 1e3:8.1f} ms  {rows} rows")
    year, month = START, START + 30 * 86400 * 1_000_000
    narrow = ["phenomenon_time", "result", "result_quality"]
    print(f"Datastream-year, all columns      {median_ms(lambda: snapshot.read([one()])):8.1f} ms")
    print(f"Datastream-year, time value flag  {median_ms(lambda: snapshot.read([one()], columns=narrow)):8.1f} ms")
    within = median_ms(lambda: snapshot.read([one()], year, month, columns=narrow))
    print(f"Datastream-month, the same        {within:8.1f} ms")
    newest = median_ms(lambda: snapshot.read([one()], limit=100, newest_first=True))
    print(f"newest 100 of a Datastream        {newest:8.1f} ms")
    print(f"latest of all {streams:5}               {median_ms(snapshot.latest):8.1f} ms")
    print(f"count of a Datastream-year        {median_ms(lambda: snapshot.count([one()])):8.1f} ms")
    print(f"count of everything               {median_ms(snapshot.count):8.1f} ms  {snapshot.count()} rows")
    zone = {"time_zone": "Asia/Shanghai"}
    print(f"hours of a Datastream-year        {median_ms(lambda: rollups(snapshot, one(), 'hour')):8.1f} ms")
    print(f"days of it, in its zone           {median_ms(lambda: rollups(snapshot, one(), 'day', **zone)):8.1f} ms")
    failed = Values(flags=frozenset({4}))
    looked = median_ms(lambda: snapshot.read(columns=["id"], values=failed))
    print(f"a flag that no row of all has     {looked:8.1f} ms")
    uris = DeltaTable(str(folder / "lake" / "observations")).file_uris()
    database = duckdb.connect()

    def peer(columns):
        sql = f"SELECT {columns} FROM read_parquet(?) WHERE datastream = ? ORDER BY phenomenon_time"
        return database.sql(sql, params=[uris, one()]).to_arrow_table()

    print(f"DuckDB, the same, all columns     {median_ms(lambda: peer('*')):8.1f} ms")
    print(f"DuckDB, the same, time value flag {median_ms(lambda: peer(', '.join(narrow))):8.1f} ms")


def arguments(description):
    """Return how much is built, and where, as the command line says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--step", type=int, default=600, help="seconds between rows")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the Datastreams")
    parser.add_argument("--folder", help="where the data goes; default: a temporary folder")
    return parser.parse_args()


def main():
    options = arguments(__doc__)
    streams = max(1, int(options.streams * options.scale))
    with tempfile.TemporaryDirectory(dir=options.folder) as where:
        folder = Path(where) / "data"
        store = Store.open(folder)
        fill(store, streams)
        started = time.perf_counter()
        store.save_state("qc", 1 << 60, b"")
        build(store, streams, options.step)
        rows = streams * YEAR_S // options.step
        seconds = time.perf_counter() - started
        size = sum(file.stat().st_size for file in (folder / "lake" / "observations").rglob("*.parquet"))
        print(f"built {rows} rows in {seconds:.0f} s ({rows / seconds / 1e6:.2f} M/s, generation included)")
        store.close()
        store = Store.open(folder)
        live = sum(file.size for file in store.snapshot().files)
        print(
            f"{live / rows:.2f} bytes a row in {len(store.snapshot().files)} files ({size / rows:.2f} with merged ones)"
        )
        measure(store, folder, streams)
        print(f"memory {memory_mb():.0f} MB")
        store.close()


if __name__ == "__main__":
    main()
