"""Rows a second through the pump, with and without derivation: the cost of oxygen saturation at every time.

Run: python benchmarks/measure_derive_live.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline

STATIONS, TIMES = 50, 200
START, STEP = 1_714_564_800_000_000, 60_000_000


def config(*, derives: bool) -> dict[str, object]:
    parts = [
        {"key": f"s{k}/{name}", "thing": "river", "property": term}
        for k in range(STATIONS)
        for name, term in (("do", "dissolved_oxygen"), ("t", "water_temperature"))
    ]
    derived = [
        {
            "key": f"s{k}/saturation",
            "thing": "river",
            "property": "oxygen_saturation",
            "function": "oxygen.saturation",
            "inputs": {"dissolved_oxygen": f"s{k}/do", "temperature": f"s{k}/t"},
        }
        for k in range(STATIONS if derives else 0)
    ]
    thing = {"key": "river", "name": "River", "water_body": "river"}
    return {"store": {"seal_every_s": 3600.0}, "thing": [thing], "datastream": parts, "derived": derived}


async def measured(*, derives: bool, rounds: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), parse(config(derives=derives)))
        await pipeline.start()
        ids = {one.key: one.id for one in pipeline.store.catalog.datastreams()}
        inputs = np.array([ids[f"s{k}/{name}"] for k in range(STATIONS) for name in ("do", "t")], np.int32)
        random = np.random.default_rng(6)
        spent = 0.0
        for n in range(rounds + 1):
            times = START + STEP * (n * TIMES + np.arange(TIMES, dtype=np.int64))
            batch = ObservationBatch(
                datastream=np.tile(inputs, TIMES),
                phenomenon_time=np.repeat(times, len(inputs)),
                raw_result=np.tile([8.0, 12.0], STATIONS * TIMES) + random.normal(0.0, 0.2, len(inputs) * TIMES),
            )
            began = time.perf_counter()
            await pipeline.ingest(batch)
            spent += time.perf_counter() - began if n else 0.0  # the first round compiles, and fills the windows
        await pipeline.close()
        return rounds * len(inputs) * TIMES / spent


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    plain = asyncio.run(measured(derives=False, rounds=rounds))
    derived = asyncio.run(measured(derives=True, rounds=rounds))
    print(f"input rows/s, {STATIONS} stations: {plain:,.0f} without, {derived:,.0f} with one derived row for two")
    print(f"derived rows/s besides: {derived / 2:,.0f}; ratio with/without {derived / plain:.2f}")


if __name__ == "__main__":
    main()
