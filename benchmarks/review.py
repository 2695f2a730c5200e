"""A year of minute data under manual review: how long each step takes, and the memory of the process.

``python benchmarks/review.py [--rows N]``; no peer keeps such a history, so there is none beside it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.config import ReviewConfig
from nilometer.model import Datastream, ObservationBatch, ObservedProperty, Sensor, Settlements, Thing
from nilometer.pipeline.review_orders import Order, Orders
from nilometer.pipeline.reviewing import Reviewing
from nilometer.store import Store

MINUTE = 60_000_000
START = 1_704_067_200_000_000


def filled(store: Store, rows: int) -> int:
    catalog = store.catalog
    catalog.add_thing(Thing(key="mill", name="Mill"))
    catalog.add_sensor(Sensor(key="sonde", name="Sonde"))
    catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition=""))
    made = catalog.add_datastream(Datastream(key="mill/ph", name="pH", thing=1, sensor=1, observed_property=1))
    way = catalog.provenance(None, None, "benchmark", "0")
    values = np.round(7 + np.random.default_rng(1).normal(0, 0.1, rows), 2)
    for first in range(0, rows, 100_000):
        part = values[first : first + 100_000]
        admitted = store.admit(
            ObservationBatch(
                datastream=np.full(len(part), made.id, np.int32),
                phenomenon_time=START + MINUTE * np.arange(first, first + len(part)),
                raw_result=part,
            )
        ).rows
        admitted.result = admitted.raw_result.copy()
        admitted.result_quality = np.ones(len(part), np.int8)
        admitted.provenance = np.full(len(part), way, np.int32)
        store.commit(admitted, Settlements.none())
    seal(store)
    return made.id


def seal(store: Store) -> None:
    store.save_state("qc", store.sequence(), b"")
    store.seal()


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=525_600)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "data")
        datastream = filled(store, rows)
        orders = Orders(store, ReviewConfig(), Reviewing(store, lambda *_: None), lambda: time.time_ns() // 1000)
        print(f"{rows} rows, {megabytes():.0f} MB at most before the first step")
        print(f"{'step':<32}{'rows changed':>14}{'s':>8}{'MB at most':>12}")

        def timed(name: str, action: Callable[[], Any]) -> None:
            began = time.perf_counter()
            done = action()
            seconds = time.perf_counter() - began
            print(f"{name:<32}{getattr(done, 'rows', ''):>14}{seconds:>8.2f}{megabytes():>12.0f}")

        def step(action: str, **told: Any) -> Any:
            end = START + rows * MINUTE
            return orders.enter(
                Order(
                    action=action,
                    datastreams=[datastream],
                    start=START - 60 * MINUTE,
                    end=end,
                    parameters=told,
                    by="benchmark",
                    reason="other",
                )
            )

        timed("drift", lambda: step("drift", gap=0.5))
        timed("flag fail where above 7.6", lambda: step("flag", flag="fail", where={"above": 7.6}))
        timed("interpolate", lambda: step("interpolate", greatest_gap="10 min"))
        timed("seal", lambda: seal(store))
        timed("offset", lambda: step("offset", offset=0.5))
        timed("retime by −1 h", lambda: step("retime", shift="-1 h"))
        timed("undo of the drift", lambda: orders.undo(1, by="benchmark"))
        timed("sign-off", lambda: step("sign_off", level="first"))
        store.close()


if __name__ == "__main__":
    main()
