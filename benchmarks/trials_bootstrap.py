"""Block bootstrap of a year of ten-minute pairs, all endpoint statistics at once, beside `arch` and SciPy in one run.

    python benchmarks/trials_bootstrap.py [--resamples 10000] [--peer-resamples 100]

Ours draws blocks and forms thirteen statistics with intervals; `arch.bootstrap.StationaryBootstrap` draws rows and gets
the same statistics from NumPy, a resample at a time; `scipy.stats.bootstrap` knows no blocks and gets the bias alone.
Peers make fewer resamples, and their time is scaled to as many: it is proportional to them. CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from scipy.signal import lfilter
from scipy.stats import bootstrap

from nilometer.trials.inference.dependence import autocorrelation, block_length
from nilometer.trials.inference.intervals import figures, sample
from nilometer.trials.inference.moments import STATISTICS
from nilometer.trials.pairing.pairs import Pairs

YEAR = 52_560
EDGES = np.array([6.0, 7.5, 9.0])


def year() -> Pairs:
    rng = np.random.default_rng(1)
    slow = lfilter([0.14], [1.0, -0.99], rng.normal(size=YEAR))
    reference = 8.0 + np.sin(np.arange(YEAR) / 144 * 2 * np.pi) + slow
    error = lfilter([0.3], [1.0, -0.95], rng.normal(size=YEAR))
    return Pairs.of(np.arange(YEAR) * 600_000_000, 1.01 * reference + 0.2 * error, reference, "mg L-1")


def statistics(candidate, reference, day):
    d = candidate - reference
    bias, sd = d.mean(), d.std(ddof=1)
    sxx, syy = reference.var(), candidate.var()
    sxy = np.mean((candidate - candidate.mean()) * (reference - reference.mean()))
    slope = (syy - sxx + np.sqrt((syy - sxx) ** 2 + 4 * sxy**2)) / (2 * sxy)
    t = day - day.mean()
    same = np.searchsorted(EDGES, candidate) == np.searchsorted(EDGES, reference)
    absolute = np.abs(d)
    return np.array(
        [
            *(bias, bias / reference.mean(), absolute.mean(), np.sqrt(np.mean(d**2)), sd),
            *(bias - 1.96 * sd, bias + 1.96 * sd, np.quantile(absolute, 0.95), slope),
            *(candidate.mean() - slope * reference.mean(), 2 * sxy / (sxx + syy + bias**2)),
            *(np.mean(t * d) / np.mean(t * t), same.mean()),
        ]
    )


def spent(call):
    begin = time.process_time()
    found = call()
    return found, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--peer-resamples", type=int, default=100)
    asked = parser.parse_args()
    pairs, day = year(), np.arange(YEAR) / 144
    sample(pairs.take(np.arange(100)), resamples=2)  # compiled before it is timed

    def ours():
        drawn = sample(pairs, resamples=asked.resamples, class_edges=EDGES, ratio=1.0)
        return drawn, figures(drawn, [name for name in STATISTICS if name != "excess_error"])

    (drawn, found), mine = spent(ours)
    print(f"ours: {len(found)} figures, {asked.resamples} resamples, blocks of {drawn.length:.0f}: {mine:.2f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory of the process so far: {memory:.0f} MB")
    _, floor = spent(lambda: sample(pairs, resamples=asked.resamples, length=YEAR ** (1 / 3), class_edges=EDGES))
    print(f"ours at the shortest blocks allowed (n^1/3 = 37), resamples alone: {floor:.2f} s")
    scale = asked.resamples / asked.peer_resamples
    peer = StationaryBootstrap(drawn.length, pairs.candidate, pairs.reference, day, seed=1)
    theirs, cost = spent(lambda: peer.apply(statistics, asked.peer_resamples))
    print(f"arch, the same statistics: {cost * scale:.0f} s: ratio {cost * scale / mine:.0f}")
    errors = {name: drawn.replicates(name).std() for name in ("bias", "rmse", "slope", "drift")}
    places = {"bias": 0, "rmse": 3, "slope": 8, "drift": 11}
    for name, error in errors.items():
        print(f"  standard error of {name}: ours {error:.3g}, arch {theirs[:, places[name]].std():.3g}")
    _, cost = spent(
        lambda: bootstrap(
            (pairs.difference,), np.mean, n_resamples=asked.peer_resamples, batch=10, method="basic", rng=1
        )
    )
    print(f"scipy, independent rows, the bias alone: {cost * scale:.1f} s: ratio {cost * scale / mine:.1f}")
    column = autocorrelation(pairs.difference, pairs.time, pairs.cluster)
    print(f"block lengths: ours {block_length(column)}, arch {optimal_block_length(pairs.difference).to_numpy()[0]}")


if __name__ == "__main__":
    main()
