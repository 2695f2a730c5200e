"""Rows judged per second: history, interleaved and shuffled Datastreams, micro-batches; beside ioos_qc where it is.

    python benchmarks/qc_kernel.py [--rows 2000000] [--peer-rows 200000] [--repeat 5]

Prints one table, and the ratio to ioos_qc for gross range, spike, rate of change and flat line over one series, and to
a copy of the same arrays. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine, warm
from nilometer.qc.profile import load

MINUTE = 60_000_000
TESTS = {
    "gross_range": {"fail": [-5, 50], "suspect": [-1, 40]},
    "spike": {"suspect": 3, "fail": 5},
    "rate_of_change": {"suspect": 20, "per": "1 h"},
    "flat_line": {"suspect": "1 h", "fail": "3 h", "tolerance": 0.001},
}
FOUR = load({"tests": TESTS})
SERIES = load(
    {
        "required": ["gap", "gross_range"],
        "tests": {"gap": {"suspect": "2 h"}}
        | TESTS
        | {
            "climatology": {
                "members": [
                    {"period": "month", "time": [4, 9], "suspect": [0, 30]},
                    {"period": "month", "time": [10, 3], "suspect": [-1, 20]},
                ]
            },
            "moved": {"test": "rate_of_change", "n_dev": 5, "tim_dev": "25 h"},
            "attenuated_signal": {"suspect": 0.001, "over": "12 h"},
            "mark": {},
        },
    }
)
SIX = load({"required": ["gap", "gross_range"], "tests": {"gap": {"suspect": "2 h"}} | TESTS | {"mark": {}}})


_HALF_HOURS = 52


def best(repeat, prepare, work):
    took = []
    for k in range(repeat):
        ready = prepare(k)
        start = time.perf_counter()
        work(ready)
        took.append(time.perf_counter() - start)
    return min(took)


def water(n):
    rng = np.random.default_rng(1)
    walk = 15 + 5 * np.sin(np.arange(n) / 1440 * 2 * np.pi) + rng.normal(0, 0.05, n)
    walk[rng.integers(0, n, n // 1000)] += 8
    walk[rng.integers(0, n, n // 500)] = np.nan
    return walk


def engine(profile, count):
    made = QcEngine()
    for datastream in range(count):
        made.set(datastream, profile, unit="1")
    return made


def rows(streams, order, n, shift):
    per = n // streams
    if order == "sorted":
        datastream = np.repeat(np.arange(streams, dtype=np.int32), per)
        ticks = np.tile(np.arange(per), streams)
    else:
        ticks = np.repeat(np.arange(per), streams)
        datastream = np.tile(np.arange(streams, dtype=np.int32), per)
        if order == "shuffled":
            rng = np.random.default_rng(2)
            datastream = np.concatenate([rng.permutation(streams).astype(np.int32) for _ in range(per)])
    values = water(len(ticks))
    return ObservationBatch(
        datastream=datastream,
        phenomenon_time=(ticks + shift * per) * MINUTE,
        raw_result=values,
        result=values,
        id=np.arange(len(ticks)),
    )


def one(name, streams, order, n, repeat, profile=SIX):
    judge = engine(profile, streams)
    took = best(repeat, lambda k: rows(streams, order, n, k), judge.evaluate)
    n -= n % streams
    print(f"{name:58s} {n / took / 1e6:8.2f} M rows/s {took / n * 1e9:8.1f} ns/row")


def live(streams, repeat, profile, order):
    """One value a Datastream a batch: what arrives live, judged and its settlements written.

    A day goes before, a value each half hour, so that windows over hours are full; then a value a minute is timed.
    """
    judge = engine(profile, streams)
    rng = np.random.default_rng(3)
    orders = [np.arange(streams, dtype=np.int32)]
    if order != "in order":
        orders = [rng.permutation(orders[0]) for _ in range(3)]
    values = [15 + rng.normal(0, 0.05, streams) for _ in range(4)]
    took, at = [], 0
    for k in range(_HALF_HOURS + 6 * repeat + 2):
        at += 30 * MINUTE if k < _HALF_HOURS else MINUTE
        batch = ObservationBatch(
            datastream=orders[k % len(orders)],
            phenomenon_time=np.full(streams, at),
            raw_result=values[k % 4],
            result=values[k % 4],
            id=np.arange(streams) + k * streams,
        )
        start = time.perf_counter()
        judge.walk(batch, None)
        took.append(time.perf_counter() - start)
    took = float(np.median(took[_HALF_HOURS + 2 :]))
    name = f"live, {len(profile.tests)} tests, {streams:,} Datastreams {order}, one value each"
    kept = judge.bytes_used() / streams
    print(f"{name:70s} {streams / took / 1e6:8.2f} M rows/s {took * 1e3:8.3f} ms/batch {kept:6.0f} B/Datastream")


def peer(values, times, repeat):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ioos_qc import qartod  # noqa: PLC0415 -- the peer may be absent
    except ImportError:
        print("ioos_qc is not installed: no ratio")
        return None

    def work(_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            qartod.gross_range_test(values, fail_span=(-5, 50), suspect_span=(-1, 40))
            qartod.spike_test(values, 3, 5)
            qartod.rate_of_change_test(values, times, 20 / 3600)
            qartod.flat_line_test(values, times, 3600, 10800, 0.001)

    return best(repeat, lambda k: k, work)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--peer-rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    start = time.perf_counter()
    warm()
    print(f"kernel ready after {time.perf_counter() - start:.2f} s\n")

    n = given.rows
    one("history, six tests, 1 Datastream", 1, "sorted", n, given.repeat)
    one("history, six tests, 1,000 Datastreams, sorted", 1000, "sorted", n, given.repeat)
    one("interleaved, six tests, 1,000 Datastreams", 1000, "interleaved", n, given.repeat)
    one("shuffled, six tests, 1,000 Datastreams", 1000, "shuffled", n, given.repeat)
    one("interleaved, six tests, 100,000 Datastreams", 100_000, "interleaved", n, given.repeat)
    one("shuffled, six tests, 100,000 Datastreams", 100_000, "shuffled", n, given.repeat)
    one("history, nine series tests, 1 Datastream", 1, "sorted", n, given.repeat, SERIES)
    print()
    for streams in (100, 10_000, 100_000):
        for profile in (SIX, SERIES):
            for order in ("in order", "shuffled"):
                live(streams, given.repeat, profile, order)

    print()
    batch = rows(1, "sorted", n, 0)
    four = best(given.repeat, lambda _: engine(FOUR, 1), lambda judge: judge.walk(batch, None)) / n
    suite = best(given.repeat, lambda _: engine(SERIES, 1), lambda judge: judge.walk(batch, None)) / n

    def copies(flags):
        """Copies of what is read and of what is written: values, times, flags of each test, the roll-up."""
        return [column.copy() for column in (batch.result, batch.phenomenon_time, *flags)]

    for name, ours, flags in (("four tests", four, 4), (f"{len(SERIES.tests)} tests", suite, len(SERIES.tests))):
        written = [np.ones((flags, n), np.uint8), np.ones(n, np.int8)]
        copy = best(given.repeat, lambda k: k, lambda _, flags=written: copies(flags)) / n
        ratio = ours / copy
        print(f"{name}, one series: {ours * 1e9:.1f} ns/row; a copy of its arrays {copy * 1e9:.2f}: {ratio:.1f} ×")
    m = given.peer_rows
    stamps = batch.phenomenon_time[:m].astype("datetime64[us]").astype("datetime64[s]")
    theirs = peer(batch.result[:m], stamps, given.repeat)
    if theirs is not None:
        print(f"ioos_qc, the same four over {m:,} rows: {theirs / m * 1e9:.0f} ns/row: {theirs / m / four:.0f} × ours")


if __name__ == "__main__":
    main()
