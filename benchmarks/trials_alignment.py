"""Two series brought together: how long each step of an alignment takes, beside pandas' nearest join.

    python benchmarks/trials_alignment.py [--rows 10000000]

A series of every second with flags and maintenance, beside one like it, one of ten minutes and one that lags. CPU
seconds of one process. pandas' `merge_asof` does the nearest join alone, without clocks, flags or an account, and uses
a result twice.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from nilometer.trials.pairing.alignment import Rules, align
from nilometer.trials.pairing.arm import Arm

SECOND = 1_000_000


def spent(call) -> tuple[float, object]:
    begin = time.process_time()
    answer = call()
    return time.process_time() - begin, answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    n = parser.parse_args().rows
    rng = np.random.default_rng(1)
    times = np.arange(n) * SECOND
    water = 15 + 3 * np.sin(2 * np.pi * times / 86_400e6) + np.cumsum(rng.normal(0, 0.002, n))
    flags = np.where(rng.uniform(size=n) < 0.01, 4, 1).astype(np.uint8)
    candidate = Arm(time=times, values=water, unit="mg L-1", name="candidate", flags=flags)
    rules = Rules(maintenance=[(10**11 * one, 10**11 * one + 10**10) for one in range(50)])
    still = Rules(maintenance=rules.maintenance, clock_search_us=0)
    alike = Arm(time=times + 300_000, values=water + 0.1, unit="mg L-1", name="reference")
    slow = Arm(time=times[::600], values=water[::600], unit="mg L-1", name="reference", duration_us=600 * SECOND)
    lagging = Arm(time=alike.time, values=alike.values, unit="mg L-1", name="reference", response_us=60 * SECOND)
    align(candidate.take(np.arange(9000)), lagging.take(np.arange(9000)))  # compiled
    for name, reference, how in (
        ("nearest, clocks compared", alike, rules),
        ("nearest", alike, still),
        ("means over ten minutes, clocks compared", slow, rules),
        ("the faster slowed down, clocks compared", lagging, rules),
    ):
        seconds, (pairs, _) = spent(lambda reference=reference, how=how: align(candidate, reference, how))
        print(f"{n} rows, {name}: {seconds:.1f} s, {len(pairs)} pairs")
    left, right = (pd.DataFrame({"time": arm.time, "value": arm.values}) for arm in (candidate, alike))
    seconds, _ = spent(lambda: pd.merge_asof(left, right, on="time", direction="nearest", tolerance=500_000))
    print(f"{n} rows, pandas merge_asof, nearest: {seconds:.1f} s")


if __name__ == "__main__":
    main()
