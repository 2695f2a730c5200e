"""Trials on made-up water of which the truth is known: how often claims pass that are false, and intervals miss.

What the intervals and decisions of this room promise is measured here, on series that depend on themselves, scatter
with the value, lag, drift and have gaps; ``python -m nilometer.trials.simulation`` prints the tables of
docs/trials-validation.md. Nothing here knows how the intervals are made.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.deciding import Sampling
from nilometer.trials.figure import Figure
from nilometer.trials.intervals import figures
from nilometer.trials.moments import STATISTICS, moments_of
from nilometer.trials.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["CONDITIONS", "Condition", "Findings", "made_up", "study"]

Floats = NDArray[np.float64]

STEP_US = 600_000_000
_DAY = 144
_CLASS_EDGES = (7.0, 8.0, 9.0)
_MEAN, _OFFSET, _SLOPE, _NOISE = 8.0, 0.1, 1.02, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A kind of trial: pairs every ten minutes.

    Parameters
    ----------
    name : str
        In the tables.
    n : int
        Pairs due.
    memory : float
        Correlation of the candidate's errors from one pair to the next; 0: none.
    long_memory : bool
        Errors of many memories at once, up to a day's, which no single correlation describes.
    daily : float
        Size of a daily wave in the errors, beside that of the water.
    heteroscedastic : float
        By what share the errors grow with each unit of the value.
    lag : float
        Time constant of the candidate, in pairs.
    drift : float
        Of the candidate, per day.
    missing : float
        Share of pairs that is gone, in gaps of hours.
    """

    name: str
    n: int
    memory: float = 0.0
    long_memory: bool = False
    daily: float = 0.0
    heteroscedastic: float = 0.0
    lag: float = 0.0
    drift: float = 0.0
    missing: float = 0.0


CONDITIONS = (
    Condition(name="independent, 200 pairs", n=200),
    Condition(name="independent, 60 pairs", n=60),
    Condition(name="memory 0.9, 10 days", n=1440, memory=0.9),
    Condition(name="memory 0.97, 30 days", n=4320, memory=0.97),
    Condition(name="memory 0.99, 60 days", n=8640, memory=0.99),
    Condition(name="many memories, 60 days", n=8640, long_memory=True),
    Condition(name="daily wave, memory 0.9, 30 days", n=4320, memory=0.9, daily=0.2),
    Condition(name="scatter grows 30 % a unit, memory 0.9, 30 days", n=4320, memory=0.9, heteroscedastic=0.3),
    Condition(name="lag of 20 min, memory 0.9, 30 days", n=4320, memory=0.9, lag=2.0),
    Condition(name="drift, memory 0.9, 30 days", n=4320, memory=0.9, drift=0.005),
    Condition(name="a third missing in gaps, memory 0.97, 30 days", n=4320, memory=0.97, missing=0.33),
    Condition(name="too short: memory 0.99, 3 days", n=432, memory=0.99),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What many trials of one kind came to.

    Parameters
    ----------
    condition : Condition
        Which kind.
    trials : int
        How many were made.
    n_effective : float
        Median of what the pairs were worth, for the bias.
    wrong_passes : float
        Share in which a candidate whose bias is the margin itself was called not inferior.
    wrong_passes_independent : float
        The same by Student's t, as if pairs were independent.
    wrong_equivalences : float
        Share in which it was called equivalent.
    undecided : float
        Share with too little worth for any decision.
    power : float
        Share in which a candidate without a bias was called not inferior, with a margin of four standard deviations
        of the bias.
    coverage : dict of str to float
        Share of intervals of 95 % that hold the truth, by statistic, among those that may decide.
    """

    condition: Condition
    trials: int
    n_effective: float
    wrong_passes: float
    wrong_passes_independent: float
    wrong_equivalences: float
    undecided: float
    power: float
    coverage: dict[str, float] = field(default_factory=dict)


def made_up(condition: Condition, rng: np.random.Generator, *, cluster: int = 0) -> tuple[Pairs, Floats]:
    """Return pairs of one made-up trial, and the water that both instruments measured.

    Parameters
    ----------
    condition : Condition
        Which kind.
    rng : Generator
        Of the draws.
    cluster : int
        Number the pairs carry.
    """
    n = condition.n
    place = np.arange(n)
    if condition.memory or condition.long_memory:
        daily = np.sin(2.0 * np.pi * place / _DAY + rng.uniform(0.0, 2.0 * np.pi))
        water = _MEAN + daily + 0.5 * _wandering(n, 0.98, rng)
    else:
        water = _MEAN + 0.9 * rng.normal(size=n)  # grab samples, far enough apart to know nothing of each other
    error = _errors(condition, rng)
    error *= 1.0 + condition.heteroscedastic * (water - _MEAN)
    error += condition.daily * np.sin(2.0 * np.pi * place / _DAY + rng.uniform(0.0, 2.0 * np.pi))
    seen = water if not condition.lag else _followed(water, condition.lag)
    drift = condition.drift * (place / _DAY - (n - 1) / (2.0 * _DAY))
    candidate = _MEAN + _SLOPE * (seen - _MEAN) + _OFFSET + _NOISE * error + drift
    reference = water + 0.02 * rng.normal(size=n)
    kept = _kept(condition, rng)
    pairs = Pairs.of(
        place[kept] * STEP_US, candidate[kept], reference[kept], "mg L-1",
        cluster=np.full(int(kept.sum()), cluster, np.int32), clusters=tuple(map(str, range(cluster + 1))),
    )  # fmt: skip
    return pairs, water[kept]


def _wandering(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """Return a series of unit variance whose neighbours are so correlated, in its steady state from the start."""
    from scipy.signal import lfilter  # noqa: PLC0415 -- slow to import

    if not memory:
        return rng.normal(size=n)
    shocks = math.sqrt(1.0 - memory**2) * rng.normal(size=n)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks, zi=[memory * rng.normal()])[0], np.float64)


def _errors(condition: Condition, rng: np.random.Generator) -> Floats:
    if not condition.long_memory:
        return _wandering(condition.n, condition.memory, rng)
    parts = [_wandering(condition.n, memory, rng) for memory in (0.5, 0.9, 0.98, 0.995)]
    return np.asarray(np.sum(parts, axis=0) / math.sqrt(len(parts)), np.float64)


def _followed(water: Floats, lag: float) -> Floats:
    from scipy.signal import lfilter  # noqa: PLC0415 -- slow to import

    share = 1.0 - math.exp(-1.0 / lag)
    start = [(1.0 - share) * water[0]]
    return np.asarray(lfilter([share], [1.0, share - 1.0], water, zi=start)[0], np.float64)


def _kept(condition: Condition, rng: np.random.Generator) -> NDArray[np.bool_]:
    kept = np.ones(condition.n, np.bool_)
    while kept.mean() > 1.0 - condition.missing:
        start = int(rng.integers(0, condition.n))
        kept[start : start + int(rng.integers(6, _DAY))] = False
    return kept


def truth_of(condition: Condition, *, sets: int = 400, seed: int = 0) -> dict[str, float]:
    """Return every statistic of the whole from which trials of a kind are drawn: of many of them taken together."""
    rng = np.random.default_rng([seed, 99])
    made = [made_up(condition, rng, cluster=number) for number in range(sets)]
    columns = [
        np.concatenate([getattr(pairs, name) for pairs, _ in made])
        for name in ("time", "candidate", "reference", "cluster")
    ]
    time, candidate, reference, cluster = columns
    names = tuple(map(str, range(sets)))
    whole = Pairs.of(time, candidate, reference, "mg L-1", cluster=cluster, clusters=names)
    water = np.concatenate([each for _, each in made])
    moments = moments_of(whole, class_edges=_CLASS_EDGES, arbiter=water, ratio=1.0)
    found = {name: moments.value(name) for name in STATISTICS}
    return found | {"bias": _OFFSET, "drift": condition.drift}


def study(condition: Condition, *, trials: int = 1000, resamples: int = 400, seed: int = 1) -> Findings:
    """Return what many trials of one kind come to.

    Parameters
    ----------
    condition : Condition
        Which kind.
    trials : int
        How many; the Monte Carlo standard error of a share p is √(p(1 − p)/trials).
    resamples : int
        Of the bootstrap in each.
    seed : int
        Of the draws.
    """
    rng = np.random.default_rng([seed, sum(condition.name.encode())])
    truth = truth_of(condition, seed=seed)
    held: dict[str, list[bool]] = {name: [] for name in STATISTICS}
    means, worth, wide = np.empty(trials), np.empty(trials), np.empty((trials, 2))
    independent = np.empty(trials)
    sure = np.ones(trials, np.bool_)
    for number in range(trials):
        pairs, water = made_up(condition, rng)
        how = Sampling(resamples=resamples, seed=number, class_edges=_CLASS_EDGES, ratio=1.0)
        found = {figure.name: figure for figure in figures(how.of(pairs, arbiter=water))}
        for name, figure in found.items():
            if _may_decide(figure):
                held[name].append(figure.interval[0] <= truth[name] <= figure.interval[1])
        bias = found["bias"]
        means[number], worth[number], wide[number] = bias.value, bias.n_effective, bias.interval
        sure[number] = _may_decide(bias)
        spread = float(pairs.difference.std(ddof=1)) / math.sqrt(len(pairs))
        independent[number] = bias.value + coverage_factor(0.95, len(pairs) - 1) * spread
    # An interval of the mean moves with it, so that one set of trials serves every true bias.
    margin = 4.0 * float(means.std(ddof=1))
    at_margin = wide[:, 1] < _OFFSET
    return Findings(
        condition=condition,
        trials=trials,
        n_effective=float(np.median(worth)),
        wrong_passes=float(np.mean(at_margin & sure)),
        wrong_passes_independent=float(np.mean(independent - _OFFSET < 0.0)),
        wrong_equivalences=float(np.mean(at_margin & (wide[:, 0] - _OFFSET > -2.0 * margin) & sure)),
        undecided=float(np.mean(~sure)),
        power=float(np.mean((wide[:, 1] - _OFFSET < margin) & (wide[:, 0] - _OFFSET > -margin) & sure)),
        coverage={name: float(np.mean(each)) for name, each in held.items() if each},
    )


def _may_decide(figure: Figure) -> bool:
    return math.isfinite(figure.interval[0]) and "needed" not in figure.note


def _rows(findings: Sequence[Findings]) -> Iterable[str]:
    yield "| trials | worth, pairs | wrong pass | by independent t | power | undecided |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for one in findings:
        yield (
            f"| {one.condition.name} | {one.n_effective:.0f} | {100 * one.wrong_passes:.1f} % | "
            f"{100 * one.wrong_passes_independent:.1f} % | {100 * one.power:.0f} % | {100 * one.undecided:.0f} % |"
        )
    yield ""
    names = [name for name in STATISTICS if any(name in one.coverage for one in findings)]
    yield "| coverage of 95 % | " + " | ".join(str(place + 1) for place in range(len(findings))) + " |"
    yield "| --- |" + " ---: |" * len(findings)
    for name in names:
        cells = [f"{100 * one.coverage[name]:.1f}" if name in one.coverage else "–" for one in findings]
        yield f"| {name} | " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of docs/trials-validation.md."""
    asked = argparse.ArgumentParser(prog="python -m nilometer.trials.simulation", description=main.__doc__)
    asked.add_argument("--trials", type=int, default=1000, help="of each kind")
    asked.add_argument("--resamples", type=int, default=400)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--processes", type=int, default=2)
    told = asked.parse_args(arguments)
    with ProcessPoolExecutor(told.processes) as pool:
        jobs = [
            pool.submit(study, one, trials=told.trials, resamples=told.resamples, seed=told.seed) for one in CONDITIONS
        ]
        findings = [job.result() for job in jobs]
    error = 100 * math.sqrt(0.95 * 0.05 / told.trials)
    sys.stdout.write(
        "\n".join(_rows(findings)) + f"\n\n{told.trials} trials of each kind: ± {error:.1f} points (1 s)\n"
    )


if __name__ == "__main__":
    main()
