"""Passing and Bablok's line of many pairs: ours beside all slopes in NumPy, and beside methcomp where it is installed.

    python benchmarks/trials_passing_bablok.py [--pairs 50000] [--peer-pairs 4000] [--peer-package FOLDER]

The peers hold all slopes in memory, so they run at a size that they can hold; ours runs at both. Lines are compared
before the clock counts. CPU seconds of one process, and its largest memory. methcomp loops over pairs in Python, and
is asked for its core alone, without the plots: it is given a tenth of the peers' pairs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from nilometer.trials.statistics.regression import passing_bablok


def all_slopes(x, y) -> tuple[float, float]:
    """The same line from a sort of every slope."""
    one, other = np.triu_indices(len(x), 1)
    rise, run = y[other] - y[one], x[other] - x[one]
    there = (rise != 0.0) | (run != 0.0)
    with np.errstate(divide="ignore"):
        slopes = rise[there] / run[there]
    slopes = np.sort(slopes[slopes != -1.0])
    shift, count = int(np.count_nonzero(slopes < -1.0)), len(slopes)
    slope = (slopes[(count + 1) // 2 + shift - 1] + slopes[count // 2 + shift]) / 2.0
    return float(slope), float(np.median(y - slope * x))


def spent(call) -> tuple[float, object]:
    begin = time.process_time()
    answer = call()
    return time.process_time() - begin, answer


def memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def water(n: int, digits: int | None):
    rng = np.random.default_rng(1)
    x = np.exp(rng.normal(1.0, 0.5, n))
    pair = x + rng.normal(0, 0.2, n), 1.05 * x + rng.normal(0, 0.2, n)
    return pair if digits is None else tuple(np.round(each, digits) for each in pair)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--peer-pairs", type=int, default=4000)
    parser.add_argument("--peer-package", default="")
    asked = parser.parse_args()
    passing_bablok(*water(2000, None))  # compiled
    before = memory_mib()
    for name, digits in (("as measured", None), ("to tenths", 1)):
        seconds, line = spent(lambda digits=digits: passing_bablok(*water(asked.pairs, digits)))
        print(
            f"{asked.pairs} pairs {name}: {seconds:.2f} s, {memory_mib() - before:.0f} MiB more, slope {line.slope:.5f}"
        )
    x, y = water(asked.peer_pairs, None)
    ours, line = spent(lambda: passing_bablok(x, y))
    theirs, plain = spent(lambda: all_slopes(x, y))
    assert plain == (line.slope, line.intercept)
    print(f"{asked.peer_pairs} pairs: ours {ours:.2f} s, all slopes in NumPy {theirs:.2f} s: ratio {theirs / ours:.1f}")
    sys.path[:0] = [asked.peer_package] if asked.peer_package else []
    try:
        from methcomp.regression import _PassingBablok  # noqa: PLC0415 -- a peer that may be missing
    except ImportError as error:
        print(f"methcomp: not here ({error})")
        return
    x, y = x[: asked.peer_pairs // 10], y[: asked.peer_pairs // 10]
    ours, line = spent(lambda: passing_bablok(x, y))
    theirs, peer = spent(lambda: _PassingBablok(x, y, "x", "y", "", 0.95, True, True, True, "k", "k"))
    slopes = f"slopes {line.slope:.5f} and {peer.slope[0]:.5f}"
    print(f"{len(x)} pairs: ours {ours:.4f} s, methcomp {theirs:.2f} s: ratio {theirs / ours:.0f}, {slopes}")


if __name__ == "__main__":
    main()
