"""Reprocessing after a calibration changed for the past: rows read, calibrated, judged, compared and written a second.

``python benchmarks/measure_reprocess.py [--rows N] [--series N]`` (``--rows 50000000``: the full size). Ours: sealed
and compacted rows of a data folder, every result and most uncertainties change; afterwards the lake holds the new rows
and, beside them, the old ones for `as_of`. The peer in the same run is a script as one would write it for Parquet:
pyarrow reads the raw values, NumPy applies the polynomial and its uncertainty, ioos_qc (or, as fast as it goes, NumPy)
flags them, pyarrow writes a file a series; it keeps no former version, no provenance, and survives no crash.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.pipeline.reprocess_order import ReprocessOrder

STEP = 600_000_000
START = 1_262_304_000_000_000
FIRST = {"kind": "polynomial", "coefficients": [0.02, 1.0], "coefficient_uncertainties": [0.02, 0.004]}
SECOND = {"kind": "polynomial", "coefficients": [0.05, 1.01], "coefficient_uncertainties": [0.02, 0.003]}


def config(series: int, *calibrations: dict[str, Any]) -> dict[str, Any]:
    river = {"key": "river", "name": "River", "water_body": "river"}
    streams = [
        {"key": f"river/ph{n}", "thing": "river", "property": "ph", "calibrations": list(calibrations)}
        for n in range(series)
    ]
    return {"store": {"seal_every_s": 3600.0}, "thing": [river], "datastream": streams}


def water(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    slow = 7.6 + 0.4 * np.sin(np.arange(rows) / 4000) + 0.1 * np.sin(np.arange(rows) * 2 * np.pi / 144)
    values = np.round(slow + rng.normal(0, 0.01, rows), 2)
    values[rng.integers(0, rows, rows // 1000)] += 1.5
    return values


async def fill(folder: Path, series: int, each: int) -> None:
    pipeline = Pipeline(folder, parse(config(series, FIRST)))
    await pipeline.start()
    for number in range(1, series + 1):
        values = water(each, number)
        for first in range(0, each, 100_000):
            part = values[first : first + 100_000]
            await pipeline.ingest(
                ObservationBatch(
                    datastream=np.full(len(part), number, np.int32),
                    phenomenon_time=START + STEP * np.arange(first, first + len(part)),
                    raw_result=part,
                )
            )
    await asyncio.to_thread(pipeline.store.seal)
    await asyncio.to_thread(pipeline.store.compact)
    await pipeline.close()


async def ours(folder: Path, series: int) -> tuple[dict[str, Any], float, float, float]:
    pipeline = Pipeline(folder, parse(config(series, FIRST, SECOND)))
    await pipeline.start()
    began, cpu = time.perf_counter(), time.process_time()
    report = await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder())
    done, cpu = time.perf_counter() - began, time.process_time() - cpu
    await asyncio.to_thread(pipeline.store.seal)
    await asyncio.to_thread(pipeline.store.compact)
    whole = time.perf_counter() - began
    again = await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder())
    assert again["revised"] == again["restated"] == 0, again
    await pipeline.close()
    return report, done, cpu, whole


def flags_numpy(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gross range, spike, rate of change and flat line as whole-array NumPy, the worst of them."""
    flags = np.ones(len(x), np.int8)
    flags[(x < 6) | (x > 9.5)] = 3
    flags[(x < 2) | (x > 12)] = 4
    spike = np.zeros(len(x))
    spike[1:-1] = np.abs(x[1:-1] - (x[:-2] + x[2:]) / 2)
    flags = np.maximum(flags, np.where(spike > 0.5, 4, np.where(spike > 0.2, 3, 1)).astype(np.int8))
    rate = np.zeros(len(x))
    rate[1:] = np.abs(np.diff(x)) / (np.diff(t) / 3.6e9)
    flags = np.maximum(flags, np.where(rate > 1, 3, 1).astype(np.int8))
    view = np.lib.stride_tricks.sliding_window_view(x, 72)
    flat = np.zeros(len(x), bool)
    flat[71:] = view.max(axis=1) - view.min(axis=1) < 0.005
    return np.maximum(flags, np.where(flat, 3, 1).astype(np.int8))


def flags_ioos(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    from ioos_qc import qartod  # noqa: PLC0415 -- slow to import, and of the peer alone

    times = t.astype("datetime64[us]").astype("datetime64[ns]")
    parts = [
        qartod.gross_range_test(x, fail_span=(2, 12), suspect_span=(6, 9.5)),
        qartod.spike_test(x, suspect_threshold=0.2, fail_threshold=0.5),
        qartod.rate_of_change_test(x, times, threshold=1 / 3600),
        qartod.flat_line_test(x, times, suspect_threshold=43_200, fail_threshold=86_400, tolerance=0.005),
    ]
    return np.maximum.reduce([np.asarray(part, np.int8) for part in parts])


def peer(folder: Path, series: int, each: int, flags: Any) -> tuple[float, float]:
    source, target = folder / "raw", folder / "done"
    source.mkdir(exist_ok=True)
    target.mkdir(exist_ok=True)
    for number in range(1, series + 1):
        time_us = START + STEP * np.arange(each)
        raw = water(each, number)
        old = np.round(0.02 + raw, 4)
        table = {"time": time_us, "raw": raw, "result": old, "u": np.full(each, 0.036, np.float32)}
        pq.write_table(pa.table(table | {"flag": np.ones(each, np.int8)}), source / f"{number}.parquet")
    os.sync()

    def one(number: int) -> int:
        table = pq.read_table(source / f"{number}.parquet", use_threads=False)
        t, raw = table["time"].to_numpy(), table["raw"].to_numpy()
        result = 0.05 + 1.01 * raw
        u = np.sqrt(0.02**2 + (0.003 * raw) ** 2)
        scale = 10 ** (1 - np.floor(np.log10(u)))
        u = np.round(u * scale) / scale
        result = np.round(result * scale * 10) / (scale * 10)
        flag = flags(t, result)
        moved = int((result != table["result"].to_numpy()).sum())
        columns = {"time": t, "raw": raw, "result": result, "u": u.astype(np.float32), "flag": flag}
        pq.write_table(pa.table(columns), target / f"{number}.parquet", compression="zstd")
        return moved

    began, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as workers:
        warnings.simplefilter("ignore")
        assert sum(workers.map(one, range(1, series + 1))) > 0.9 * series * each
    cpu = time.process_time() - cpu
    for file in target.iterdir():
        with file.open("rb") as done:
            os.fsync(done.fileno())
    return time.perf_counter() - began, cpu


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=2_000_000)
    options.add_argument("--series", type=int, default=20)
    chosen = options.parse_args()
    each = chosen.rows // chosen.series
    rows = each * chosen.series
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        asyncio.run(fill(folder / "data", chosen.series, each))
        report, done, cpu, whole = asyncio.run(ours(folder / "data", chosen.series))
        assert report["revised"] > 0.9 * rows, report
        print(f"{rows} rows in {chosen.series} series; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"{'ours, until every row is revised':<36}{done:8.2f} s {rows / done / 1e6:6.2f} M/s {cpu:8.2f} s of CPU")
        print(f"{'ours, until the lake is compact too':<36}{whole:8.2f} s {rows / whole / 1e6:6.2f} M/s")
        for name, flags in (("pyarrow + NumPy", flags_numpy), ("pyarrow + NumPy + ioos_qc", flags_ioos)):
            took, spent = peer(folder, chosen.series, each, flags)
            ratios = f"ours is {took / done:.2f} × as fast, {spent / cpu:.2f} × by CPU"
            print(f"{name:<36}{took:8.2f} s {rows / took / 1e6:6.2f} M/s {spent:8.2f} s of CPU; {ratios}")
        print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
