"""How often the classical intervals of a trial's figures hold the truth, for independent pairs: 95 % is what they say.

    python benchmarks/trials_coverage.py [--runs 2000]

Each row is a figure; each column a number of pairs (of units in lots: 16 in 6). Fixed seeds: the same table each time.
With 2,000 runs a share of 95 % is known to half a point. Intervals for results that depend on each other are not these.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict

import numpy as np

from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.agreement import concordance, limits_of_agreement
from nilometer.trials.statistics.differences import bias, mean_absolute_difference, relative_bias, rmse
from nilometer.trials.statistics.drift import drift
from nilometer.trials.statistics.lots import components
from nilometer.trials.statistics.proportional import ratio_limits, sloping_limits
from nilometer.trials.statistics.reference_error import three_cornered_hat
from nilometer.trials.statistics.regression import deming, passing_bablok
from nilometer.trials.statistics.repeated import repeated_limits
from nilometer.trials.statistics.water_class import weighted_kappa
from nilometer.trials.statistics.weighted_deming import jackknifed_deming, weighted_deming

SIZES = (60, 200)


class Table:
    def __init__(self) -> None:
        self.held: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))

    def note(self, row: str, column: object, interval, truth: float) -> None:
        self.held[row][str(column)].append(bool(interval[0] <= truth <= interval[1]))

    def say(self, columns) -> None:
        print("| figure | " + " | ".join(str(column) for column in columns) + " |")
        print("| --- |" + " ---: |" * len(columns))
        for row, found in self.held.items():
            cells = [f"{100 * np.mean(found[str(one)]):.1f}" if str(one) in found else "" for one in columns]
            print(f"| {row} | " + " | ".join(cells) + " |")


def constant(table: Table, n: int, rng) -> None:
    """Errors alike along the range, a bias of 2 % and 0.1."""
    x = rng.uniform(5, 15, n)
    a, b = x + rng.normal(0, 0.3, n), 1.02 * x + 0.1 + rng.normal(0, 0.4, n)
    pairs = Pairs.of(range(n), b, a, "mg L-1")
    sd = math.sqrt(0.25 + 0.02**2 * 100 / 12)
    mad = sd * math.sqrt(2 / math.pi) * math.exp(-0.045 / sd**2) + 0.3 * math.erf(0.3 / sd / math.sqrt(2))
    table.note("bias", n, bias(pairs).interval, 0.3)
    table.note("relative bias", n, relative_bias(pairs).interval, 0.03)
    table.note("mean absolute difference", n, mean_absolute_difference(pairs).interval, mad)
    table.note("RMSE", n, rmse(pairs).interval, math.hypot(0.3, sd))
    limits = limits_of_agreement(b, a)
    table.note("upper limit of agreement", n, limits.upper_interval, 0.3 + 1.96 * sd)
    table.note("lower limit of agreement", n, limits.lower_interval, 0.3 - 1.96 * sd)
    table.note("Deming slope, analytical", n, deming(a, b, ratio=16 / 9).slope_interval, 1.02)
    line = jackknifed_deming(a, b, ratio=16 / 9)
    table.note("Deming slope, jackknife", n, line.slope_interval, 1.02)
    table.note("Deming intercept, jackknife", n, line.intercept_interval, 0.1)


def normal(table: Table, n: int, rng) -> None:
    """A normal range, errors alike; three instruments of it."""
    x = rng.normal(10, 2, n)
    a, b = x + rng.normal(0, 0.5, n), x + 0.3 + rng.normal(0, 0.5, n)
    table.note("concordance", n, concordance(a, b)[1], 8 / (8.5 + 0.09))
    line = passing_bablok(a, b)
    table.note("Passing–Bablok slope", n, line.slope_interval, 1.0)
    table.note("Passing–Bablok intercept", n, line.intercept_interval, 0.3)
    sds = (0.3, 0.5, 0.4)
    found = three_cornered_hat({str(sd): x + rng.normal(0, sd, n) for sd in sds})
    for one, sd in zip(found, sds, strict=True):
        table.note(f"three-cornered hat, {sd} of 0.3, 0.4, 0.5", n, one.interval, sd**2)


def proportional(table: Table, n: int, rng) -> None:
    """Lognormal values with errors in proportion, 5 % more."""
    x = np.exp(rng.normal(1, 0.5, n))
    a, b = x * np.exp(rng.normal(0, 0.03, n)), 1.05 * x * np.exp(rng.normal(0, 0.03, n))
    ratios, lines = ratio_limits(b, a), sloping_limits(b, a, weighted=True)
    table.note("ratio", n, ratios.ratio_interval, 1.05)
    table.note("upper limit of ratios", n, ratios.upper_interval, 1.05 * math.exp(1.96 * 0.03 * math.sqrt(2)))
    table.note("slope of the bias", n, lines.slope_interval, 2 * 0.05 / 2.05)
    table.note("slope of the spread", n, lines.spread_slope_interval, 0.03 * math.sqrt(2))
    line = weighted_deming(a, b)
    table.note("weighted Deming slope", n, line.slope_interval, 1.05)
    table.note("weighted Deming intercept", n, line.intercept_interval, 0.0)


def classes(table: Table, n: int, rng, truth: float, shares) -> None:
    found = weighted_kappa(rng.multinomial(n, shares.ravel()).reshape(shares.shape))
    table.note("weighted kappa", n, found.interval, truth)


def over_time(table: Table, n: int, rng) -> None:
    """Drift of 0.05 a day in six intervals between cleanings, each with a step of its own."""
    part = np.repeat(np.arange(6), n // 6)
    day = np.tile(np.arange(n // 6) / 4, 6)
    apart = 0.05 * day + rng.normal(0, 0.1, len(day)) + rng.normal(0, 0.2, 6)[part]
    time = np.arange(len(day)) * 21_600_000_000
    pairs = Pairs.of(time, apart, np.zeros(len(day)), "m", interval=part.astype(np.int32))
    found = drift(pairs)
    table.note("Theil–Sen drift, pooled", n, found.pooled.interval, 0.05)
    table.note("Theil–Sen drift of one interval", n, found.intervals[0].figure.interval, 0.05)


def units(table: Table, rng) -> None:
    member = np.repeat(np.arange(12), 8)
    apart = 0.2 + rng.normal(0, 0.5, 12)[member] + rng.normal(0, 0.3, 96)
    found = repeated_limits(apart, np.zeros(96), member)
    table.note("mean of 12 units with 8 pairs", "units", found.mean_interval, 0.2)
    table.note("their upper limit", "units", found.upper_interval, 0.2 + 1.96 * math.hypot(0.5, 0.3))
    sizes = [[5, 10, 20], [8, 8], [30, 3, 4, 10], [6, 6], [10, 10, 10], [12, 12]]
    lot = np.concatenate([[i] * sum(each) for i, each in enumerate(sizes)])
    name = np.concatenate([[100 * i + j] * m for i, each in enumerate(sizes) for j, m in enumerate(each)])
    place = np.unique(name, return_inverse=True)[1]
    apart = rng.normal(0, 0.4, 6)[lot] + rng.normal(0, 0.3, 16)[place] + rng.normal(0, 0.5, len(lot))
    parts = components(apart, name, lot)
    for what, figure, sd in (("within", parts.within, 0.5), ("unit", parts.unit, 0.3), ("lot", parts.lot, 0.4)):
        table.note(f"standard deviation: {what}", "units", figure.interval, sd)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    shares = np.array([[0.3, 0.08, 0.02], [0.05, 0.2, 0.05], [0.02, 0.08, 0.2]])
    truth = weighted_kappa((shares * 1e12).astype(np.int64)).value
    table = Table()
    for n in SIZES:
        rng = np.random.default_rng(n)
        for _ in range(runs):
            constant(table, n, rng)
            normal(table, n, rng)
            proportional(table, n, rng)
            classes(table, n, rng, truth, shares)
            over_time(table, n, rng)
    rng = np.random.default_rng(1)
    for _ in range(runs):
        units(table, rng)
    table.say([*SIZES, "units"])


if __name__ == "__main__":
    main()
