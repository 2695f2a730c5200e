"""Statistics by rule and filters beside pandas: millions of values a second and core, ratios of the same run.

    python benchmarks/measure_statistics.py [--values 2000000] [--rounds 3]

Minutes of some years. Daily statistics of ours are counts, completeness, mean, extremes with their times, sum and
integral; those of pandas are mean, min, max, count and sum. CPU seconds, the least of the rounds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from nilometer.derivation import filters
from nilometer.derivation.statistics import period_statistics

MINUTE_US = 60_000_000


def least(call, rounds: int) -> float:
    call()
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        spent.append(time.process_time() - begin)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    n, rounds = asked.values, asked.rounds
    when = np.arange(n) * MINUTE_US
    y = np.random.default_rng(1).normal(size=n)
    series = pd.Series(y, pd.to_datetime(when, unit="us", utc=True))

    def say(what: str, ours: float, theirs: float) -> None:
        rates = f"ours {n / ours / 1e6:.0f} M values/s, pandas {n / theirs / 1e6:.0f}"
        print(f"{what}: {rates}: ratio {theirs / ours:.2f}")

    aggregates = ["mean", "min", "max", "count", "sum"]
    a = least(lambda: period_statistics(y, "day", time=when), rounds)
    b = least(lambda: series.resample("D").agg(aggregates), rounds)
    say("days of UTC", a, b)
    a = least(lambda: period_statistics(y, "day", time=when, time_zone="Europe/Berlin"), rounds)
    b = least(lambda: series.tz_convert("Europe/Berlin").resample("D").agg(aggregates), rounds)
    say("days of Berlin", a, b)
    hourly = when * 60
    a = least(lambda: filters.godin().apply(y, time=hourly), rounds)
    b = least(lambda: series.rolling(24).mean().rolling(24).mean().rolling(25).mean(), rounds)
    say("Godin's tide killer", a, b)
    eight = filters.moving_mean(8 * 3600.0, step_s=60.0, trailing=True)
    a = least(lambda: eight.apply(y, time=when), rounds)
    b = least(lambda: series.rolling(480).mean(), rounds)
    say("trailing mean of 8 h", a, b)


if __name__ == "__main__":
    main()
