"""Durable ingest of the store alone: admit and commit, sealing in the background.

    python benchmarks/store_ingest.py [--rows N] [--streams N] [--batch N] [--folder DIR] [--steady SECONDS --rate R]

Without --steady: as fast as it goes, for one sorted and one interleaved order of arrival, then the same rows again
(unchanged), and one row a commit. With --steady: R rows/s for so long, with the memory of the process by the minute.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from nilometer.model import Datastream, ObservationBatch, ObservedProperty, Sensor, Settlements, Thing
from nilometer.store import Store

SECOND = 1_000_000
START = int(np.datetime64("2026-01-01T00:00:00", "us").astype(np.int64))


def fill(store, streams):
    catalog = store.catalog
    catalog.add_thing(Thing(key="a", name="A"))
    catalog.add_sensor(Sensor(key="s", name="S"))
    catalog.add_observed_property(ObservedProperty(key="p", name="P", definition=""))
    for number in range(streams):
        catalog.add_datastream(Datastream(key=f"a/{number}", name="d", thing=1, sensor=1, observed_property=1))


def fsyncs(folder, seconds=1.0):
    path = Path(folder) / "fsync"
    count, limit = 0, time.perf_counter() + seconds
    with path.open("wb") as file:
        while time.perf_counter() < limit:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            count += 1
    path.unlink()
    return count / seconds


def memory_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def put(store, datastream, time_us, value):
    rows = store.admit(ObservationBatch(datastream=datastream, phenomenon_time=time_us, raw_result=value)).rows
    if len(rows):
        rows.result = rows.raw_result
        rows.result_quality = np.ones(len(rows), np.int8)
        store.commit(rows, Settlements.none())
    return len(rows)


def batches(rows, streams, batch, *, interleaved, first=0):
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(8, 1, batch), 2)
    ids = np.arange(1, streams + 1, dtype=np.int32)
    each = batch // streams
    for number in range(rows // batch):
        step = first + number * each + np.arange(each)
        if interleaved:
            yield np.tile(ids, each), START + np.repeat(step, streams) * SECOND, values
        else:
            yield np.repeat(ids, each), START + np.tile(step, streams) * SECOND, values


@contextmanager
def sealed_beside(store, rows):
    """Seal in a thread whenever so many rows are hot."""
    end = threading.Event()

    def run():
        while not end.wait(0.05):
            if store.status().hot_rows >= rows:
                store.seal()

    thread = threading.Thread(target=run)
    store.on_full = lambda: True
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def bulk(folder, options):
    store = Store.open(Path(folder) / "bulk")
    fill(store, options.streams)
    with sealed_beside(store, options.seal):
        bulk_rows(store, options)
    started = time.perf_counter()
    report = store.seal()
    print(f"last seal    {time.perf_counter() - started:6.2f} s, {report.rows} rows; {store.status()}")
    store.close()
    started = time.perf_counter()
    store = Store.open(Path(folder) / "bulk")
    print(f"reopen       {time.perf_counter() - started:6.2f} s; {store.snapshot().count()} rows")
    store.close()


def bulk_rows(store, options):
    store.save_state("qc", 1 << 60, b"")
    first = 0
    for name, interleaved, again in (("sorted", False, False), ("interleaved", True, False), ("again", True, True)):
        if again:
            first -= options.rows // options.streams
        made = list(batches(options.rows, options.streams, options.batch, interleaved=interleaved, first=first))
        first += options.rows // options.streams
        gc.collect()
        started = time.perf_counter()
        slowest = 0.0
        kept = 0
        for columns in made:
            before = time.perf_counter()
            kept += put(store, *columns)
            slowest = max(slowest, time.perf_counter() - before)
        seconds = time.perf_counter() - started
        print(
            f"{name:12} {options.rows / seconds / 1e6:6.2f} M rows/s  ({kept} kept, batches of {options.batch}, "
            f"slowest {slowest * 1e3:.0f} ms, {memory_mb():.0f} MB)"
        )


def singles(folder):
    store = Store.open(Path(folder) / "singles")
    fill(store, 10)
    n = 5000
    started = time.perf_counter()
    for number in range(n):
        put(store, np.array([1 + number % 10], np.int32), np.array([START + number * SECOND]), np.array([1.5]))
    print(f"one a commit {n / (time.perf_counter() - started):6.0f} rows/s")
    store.close()


def steady(folder, options):
    store = Store.open(Path(folder) / "steady")
    fill(store, 1000)
    with sealed_beside(store, options.seal):
        steady_rows(store, options)
    store.close()


def steady_rows(store, options):
    streams, rate = 1000, options.rate
    pending = [np.empty(0, np.int64)]
    store.hold(lambda: pending[0])
    ids = np.arange(1, streams + 1, dtype=np.int32)
    rng = np.random.default_rng(1)
    stop = threading.Event()
    latencies, reads = [], []

    def read():
        while not stop.wait(0.2):
            before = time.perf_counter()
            store.snapshot().read([int(rng.integers(1, streams))], limit=1000, newest_first=True)
            reads.append(time.perf_counter() - before)

    reader = threading.Thread(target=read)
    reader.start()
    per = rate // streams // 10  # rows of each stream in a tenth of a second
    started = time.perf_counter()
    step, told = 0, 0
    while (elapsed := time.perf_counter() - started) < options.steady:
        due = started + step * 0.1
        time.sleep(max(0.0, due - time.perf_counter()))
        n = streams * per
        times = START + (step * per + np.repeat(np.arange(per), streams)) * (SECOND // (per * 10))
        batch = ObservationBatch(
            datastream=np.tile(ids, per), phenomenon_time=times, raw_result=np.round(rng.normal(8, 1, n), 2)
        )
        before = time.perf_counter()
        rows = store.admit(batch).rows
        rows.result, rows.result_quality = rows.raw_result, np.full(n, 1, np.int8)
        rows.tests = pa.array(["112"] * n)
        settled = Settlements(pending[0], np.ones(len(pending[0]), np.int8), pa.nulls(len(pending[0]), pa.string()))
        sequence = store.commit(rows, settled)
        pending[0] = rows.id[-streams:]
        latencies.append(time.perf_counter() - before)
        if step % 50 == 0:
            store.save_state("qc", sequence, b"x" * 1000)
        step += 1
        if elapsed - told > 30:
            told = elapsed
            status = store.status()
            print(
                f"{elapsed:6.0f} s  {step * n / elapsed:9.0f} rows/s  {memory_mb():6.0f} MB  hot {status.hot_rows:8}  "
                f"files {status.files:4}  commit p50 {np.median(latencies) * 1e3:.1f} p99 "
                f"{np.quantile(latencies, 0.99) * 1e3:.0f} max {max(latencies) * 1e3:.0f} ms  read p50 "
                f"{np.median(reads) * 1e3:.1f} max {max(reads) * 1e3:.0f} ms {status.seal_error}",
                flush=True,
            )
            latencies.clear()
            reads.clear()
    stop.set()
    reader.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--seal", type=int, default=1_000_000, help="hot rows that start a seal")
    parser.add_argument("--folder", help="where the data goes; default: a temporary folder")
    parser.add_argument("--steady", type=float, default=0.0, help="seconds at a steady rate")
    parser.add_argument("--rate", type=int, default=50_000, help="rows/s with --steady")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"fsync        {fsyncs(folder):6.0f} /s on {folder}")
        if options.steady:
            steady(folder, options)
        else:
            bulk(folder, options)
            singles(folder)


if __name__ == "__main__":
    main()
