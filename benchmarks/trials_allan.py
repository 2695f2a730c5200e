"""Overlapping Allan deviations beside allantools, of the same run: CPU seconds on one core, least of the rounds.

    python benchmarks/trials_allan.py [--values 10000000] [--rounds 3]

Both get the rates and the same octaves of averaging times, and give the deviations.
"""

from __future__ import annotations

import argparse
import time

import allantools
import numpy as np

from nilometer.trials.allan.deviation import allan_curve, allan_deviation


def least(call, rounds: int) -> float:
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        spent.append(time.process_time() - begin)
    return min(spent)


def beside(kind: str, rates, factors, rounds: int) -> None:
    peer, taus = getattr(allantools, kind), factors.astype(float)
    allan_deviation(rates[:1000], [1], kind=kind)  # compiled
    ours = least(lambda: allan_deviation(rates, factors, kind=kind), rounds)
    theirs = least(lambda: peer(rates, rate=1.0, data_type="freq", taus=taus), rounds)
    found = peer(rates, rate=1.0, data_type="freq", taus=taus)[1]
    apart = np.abs(allan_deviation(rates, factors, kind=kind)[: len(found)] / found - 1.0).max()
    print(
        f"{kind}, {len(rates):,} values, {len(factors)} octaves: ours {ours:.3f} s, allantools {theirs:.2f} s: "
        f"ratio {theirs / ours:.1f}; largest relative difference {apart:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rates = np.random.default_rng(1).normal(size=asked.values)
    factors = 2 ** np.arange(int(np.log2(asked.values / 2)))
    for kind in ("oadev", "mdev", "ohdev"):
        beside(kind, rates, factors if kind == "oadev" else factors[factors * 4 < asked.values], asked.rounds)
    print(f"the curve with noise, degrees of freedom and intervals: {least(lambda: allan_curve(rates), 1):.2f} s")


if __name__ == "__main__":
    main()
