"""How often decisions and intervals of trials are wrong: a study on made-up water whose truth is known.

    python -m nilometer.trials.simulation [--trials 1000] [--processes 2] [--write docs/trials-validation.md]

Each world makes pairs of a candidate and a reference with one difficulty of the field. In every trial a candidate
stands exactly at the edge of the margin, so that each pass is wrong. What came out is kept beside the page as JSON,
from which `trials.validation` writes the page.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.deciding import outcome_of
from nilometer.trials.inference.endpoint import Endpoint, Margin, Outcome
from nilometer.trials.inference.intervals import KINDS, Sampled, sample
from nilometer.trials.inference.moments import QUANTILE, STATISTICS, moments_of
from nilometer.trials.inference.power import power_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["LEVEL", "PLAIN", "STUDIED", "WORLDS", "Report", "World", "study"]

Floats = NDArray[np.float64]

STEP_US = 600_000_000
DAY = 144
LEVEL = 0.025
SD = 0.2
EDGES = (7.0, 8.0, 9.0)
STUDIED = tuple(STATISTICS)
PLAIN = ("bias", "rmse")
AGES = 40
# The relative bias is of a candidate with a bias: of one without it says the same as the bias.
OFF = 0.4
# Between reference and arbiter, independent from pair to pair.
ARBITER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Water and two instruments in it.

    Parameters
    ----------
    name : str
        What is difficult in it.
    n : int
        Pairs of a trial.
    apart : int
        Steps of ten minutes between them.
    memory : float
        Autocorrelation of the differences at lag 1.
    white : float
        Share of their variance that has none.
    long_memory : float
        Order of fractional integration d of the differences, instead of `memory`.
    cycle : float
        Amplitude of a daily cycle of the difference.
    spread : float
        By which share the differences' spread grows for each unit of the reference.
    response_steps : float
        Time constant with which the candidate follows.
    drift : float
        Per day, back to its beginning at each cleaning, every five days.
    missing : float
        Share of pairs lost, and a week in the middle as well.
    clusters : int
        Sites, each with an offset of its own and with so many pairs.
    is_claimed : bool
        Whether coverage is claimed there.
    """

    name: str
    n: int
    apart: int = 1
    memory: float = 0.9
    white: float = 0.0
    long_memory: float = 0.0
    cycle: float = 0.0
    spread: float = 0.0
    response_steps: float = 0.0
    drift: float = 0.0
    missing: float = 0.0
    clusters: int = 1
    is_claimed: bool = True

    def pairs(self, rng: np.random.Generator, *, ages: int = 1) -> Pairs:
        """Return pairs of one trial, or of one as long as so many, for the truth."""
        if self.clusters > 1:
            parts = [self._site(rng, 0.3 * float(rng.normal())) for _ in range(self.clusters * ages)]
            time, candidate, reference = (np.concatenate(column) for column in zip(*parts, strict=True))
            cluster = np.repeat(np.arange(len(parts), dtype=np.int32), self.n)
            names = tuple(str(each) for each in range(len(parts)))
            return Pairs.of(time, candidate, reference, "mg L-1", cluster=cluster, clusters=names)
        time, candidate, reference = self._site(rng, 0.0, self.n * ages)
        stretch = np.full(len(time), -1, np.int32)
        if self.drift:
            stretch = (np.arange(len(time)) // (5 * DAY)).astype(np.int32)
        pairs = Pairs.of(time, candidate, reference, "mg L-1", interval=stretch)
        if self.missing:
            place = np.arange(len(time)) % self.n
            gone = (place > self.n // 2) & (place < self.n // 2 + 7 * DAY)
            pairs = pairs.take(~gone & (rng.random(len(time)) >= self.missing))
        return pairs

    def _site(
        self, rng: np.random.Generator, offset: float, n: int | None = None
    ) -> tuple[NDArray[np.int64], Floats, Floats]:
        n = n or self.n
        place = np.arange(n, dtype=np.int64) * self.apart
        day = 2.0 * math.pi * place / DAY
        reference = 8.0 + np.sin(day) + 0.5 * _ar1(rng, n, 0.5)
        water = reference
        if self.response_steps:
            part = 1.0 / (1.0 + self.response_steps)
            water = reference.mean() + _filtered(reference - reference.mean(), part, 1.0 - part)
        if self.long_memory:
            error = _fractional(rng, n, self.long_memory)
        else:
            error = math.sqrt(1.0 - self.white) * _ar1(rng, n, self.memory)
            error += math.sqrt(self.white) * rng.normal(size=n)
        error = SD * error * (1.0 + self.spread * (reference - 8.0)) + self.cycle * np.cos(day) + offset
        since = (place % (5 * DAY)) / DAY
        error = error + self.drift * (since - since[: 5 * DAY].mean())
        return place * STEP_US, water + error, reference

    @property
    def is_normal(self) -> bool:
        """Whether the differences are normal, all of the same spread and independent of the water."""
        changed = self.long_memory or self.cycle or self.spread or self.response_steps or self.drift
        return not changed and self.clusters == 1

    @property
    def effective(self) -> float:
        """Independent pairs an AR(1) process with white noise is worth; NaN of other worlds."""
        if self.long_memory or self.clusters > 1 or self.spread or self.response_steps or self.missing:
            return math.nan
        return self.n / (1.0 + 2.0 * (1.0 - self.white) * self.memory / (1.0 - self.memory))


WORLDS = (
    World(name="independent, 40 grab samples", n=40, apart=37, memory=0.0),
    World(name="independent, 5 days", n=720, memory=0.0),
    World(name="AR(1) 0.9, 15 days", n=2160),
    World(name="AR(1) 0.99, 50 days", n=7200, memory=0.99),
    World(name="AR(1) 0.97 under white noise, 30 days", n=4320, memory=0.97, white=0.4),
    World(name="daily cycle, 20 days", n=2880, cycle=0.2),
    World(name="spread grows with the value, 30 days", n=4320, spread=0.3),
    World(name="candidate lags (τ = 40 min), 30 days", n=4320, response_steps=4.0),
    World(name="drift between cleanings, 30 days", n=4320, drift=0.02),
    World(name="30 % and a week missing, 30 days", n=4320, missing=0.3),
    World(name="eight sites of 200 pairs", n=200, memory=0.5, clusters=8),
    World(name="thirty sites of 100 pairs", n=100, memory=0.5, clusters=30),
    World(name="AR(1) 0.99, 10 days: too short", n=1440, memory=0.99, is_claimed=False),
    World(name="long memory d = 0.2, 30 days", n=4320, long_memory=0.2, is_claimed=False),
    World(name="long memory d = 0.35, 30 days", n=4320, long_memory=0.35, is_claimed=False),
)


def _filtered(values: Floats, gain: float, stay: float) -> Floats:
    from scipy.signal import lfilter  # noqa: PLC0415 -- slow to import

    return np.asarray(lfilter([gain], [1.0, -stay], values), np.float64)


def _ar1(rng: np.random.Generator, n: int, r: float) -> Floats:
    before = math.ceil(20.0 / (1.0 - r))
    return _filtered(rng.normal(size=n + before), math.sqrt(1.0 - r * r), r)[before:]


def _fractional(rng: np.random.Generator, n: int, d: float) -> Floats:
    from scipy.signal import fftconvolve  # noqa: PLC0415 -- slow to import

    k = np.arange(1, 4 * n)
    weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
    return np.asarray(fftconvolve(rng.normal(size=4 * n), weights)[3 * n : 4 * n], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out in a world.

    Parameters
    ----------
    world : World
        Which.
    trials : int
        How many.
    effective : float
        Median of what the pairs' differences were found worth.
    refused : dict of str to float
        Share of trials in which a statistic decided nothing, for want of effective pairs or of clusters.
    passed : dict of str to float
        Share of wrong passes at the edge of the margin, by statistic.
    passed_iid : float
        The same for the bias by the t-test of independent pairs.
    covered : dict of (str, str) to float
        Coverage of 95 % intervals by kind and statistic.
    power : float
        Share of right passes of a candidate without bias; NaN where no formula says what it should be.
    """

    world: World
    trials: int
    effective: float
    refused: dict[str, float]
    passed: dict[str, float]
    passed_iid: float
    covered: dict[tuple[str, str], float]
    power: float

    @property
    def power_formula(self) -> float:
        """What `power_of` says of `power`."""
        world = self.world
        if math.isnan(self.power):
            return math.nan
        return power_of(world.effective, SD, _margin(world), two_sided=True, memory=world.n / world.effective)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON; what there is not is null."""
        kinds = {kind: {name: share for (its, name), share in self.covered.items() if its == kind} for kind in KINDS}
        return {
            "world": self.world.name,
            "trials": self.trials,
            "effective": self.effective,
            "refused": self.refused,
            "passed": self.passed,
            "passed_iid": self.passed_iid,
            "covered": kinds,
            "power": None if math.isnan(self.power) else self.power,
        }

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Report:
        """Return what `to_dict` made."""
        world = next(each for each in WORLDS if each.name == kept["world"])
        covered = {(kind, name): share for kind, found in kept["covered"].items() for name, share in found.items()}
        power = math.nan if kept["power"] is None else kept["power"]
        return cls(**(kept | {"world": world, "covered": covered, "power": power}))


def study(world: World, *, trials: int = 1500, resamples: int = 400, seed: int = 1) -> Report:
    """Return how often decisions and intervals were wrong in a world.

    Parameters
    ----------
    world : World
        Which.
    trials : int
        How many; the Monte-Carlo error of a share p is √(p·(1 − p)/trials).
    resamples : int
        Of each trial.
    seed : int
        The same seed gives the same report.
    """
    truth = _truth(world, seed)
    found: dict[str, list[bool]] = {}
    worth = []
    margin = _margin(world)
    for number in range(trials):
        rng = np.random.default_rng([seed, number])
        pairs = world.pairs(rng)
        beside = sample(
            pairs, resamples=resamples, seed=number, ratio=1.0, class_edges=EDGES, arbiter=_arbiter(pairs, rng)
        )
        for name in STUDIED:
            drawn = _off(beside) if name == "relative_bias" else beside
            spread = drawn.spread(name)
            lacking = bool(drawn.lack(name, spread))
            found.setdefault(f"lack {name}", []).append(lacking)
            for kind in KINDS if name in PLAIN else KINDS[:1]:
                low, high = drawn.interval(name, LEVEL, kind=kind, spread=spread)
                found.setdefault(f"{kind} {name}", []).append(low <= truth[name] <= high)
                if kind == "scaled":
                    passes = _passes(name, (low, high), truth[name]) and not lacking
                    found.setdefault(f"pass {name}", []).append(passes)
                    if name == "bias":
                        worth.append(spread.n_effective)
                        right = -margin < low - truth[name] and high - truth[name] < margin and not lacking
                        found.setdefault("power", []).append(right)
        found.setdefault("iid", []).append(_passes_iid(beside.pairs.difference, truth["bias"]))
    share = {key: float(np.mean(each)) for key, each in found.items()}
    return Report(
        world=world,
        trials=trials,
        effective=float(np.median(worth)),
        refused={name: share[f"lack {name}"] for name in STUDIED},
        passed={name: share[f"pass {name}"] for name in STUDIED},
        passed_iid=share["iid"],
        covered={
            (kind, name): share[f"{kind} {name}"] for kind in KINDS for name in (STUDIED if kind == "scaled" else PLAIN)
        },
        power=share["power"] if math.isfinite(margin) and not world.cycle and not world.drift else math.nan,
    )


def _margin(world: World) -> float:
    return 3.2 * SD / math.sqrt(world.effective) if math.isfinite(world.effective) else math.nan


def _truth(world: World, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 2**31])
    # So long that its own error is a fiftieth of a trial's: at a twentieth it moved wrong passes by half a point.
    parts = []
    for _ in range(64):
        pairs = world.pairs(rng, ages=AGES)
        parts.append(moments_of(pairs, ratio=1.0, class_edges=EDGES, arbiter=_arbiter(pairs, rng)))
    truth = {name: float(np.mean([part.value(name) for part in parts])) for name in STUDIED}
    # What is known is not estimated.
    relative = OFF / float(np.mean([part.reference_mean for part in parts]))
    truth |= {"bias": 0.0, "relative_bias": relative, "drift": world.drift if world.clusters == 1 else 0.0}
    return truth | (_of_normal(SD) if world.is_normal else {})


def _of_normal(sd: float) -> dict[str, float]:
    """Return the statistics of differences that are normal, of mean 0."""
    limit, beyond = 1.96 * sd, coverage_factor(0.95, math.inf) * sd
    known = {"rmse": sd, "sd": sd, "lower_limit": -limit, "upper_limit": limit, QUANTILE: beyond}
    absolute = math.sqrt(2.0 / math.pi)
    excess = absolute * (math.hypot(sd, ARBITER) - ARBITER)
    return known | {"mean_absolute_difference": absolute * sd, "excess_error": excess}


def _arbiter(pairs: Pairs, rng: np.random.Generator) -> Floats:
    return np.asarray(pairs.reference + ARBITER * rng.normal(size=len(pairs)))


def _off(drawn: Sampled) -> Sampled:
    """Return the resamples of a candidate with a bias: the columns are of what deviates from the mean."""
    return replace(drawn, moments=replace(drawn.moments, difference_mean=drawn.moments.difference_mean + OFF))


def _passes(name: str, interval: tuple[float, float], truth: float) -> bool:
    """Return whether a claim passes whose statistic is exactly at the margin: what an interval short of it means."""
    if name in {"concordance", "class_agreement"}:
        return interval[0] > truth
    if name == "lower_limit":
        return interval[0] > truth
    if name == "bias":
        # Moved to the edge: bias 1 against a margin of 1.
        claim = Endpoint(name=name, statistic=name, margin=Margin(value=1.0, unit="mg L-1"))
        return outcome_of(claim, (1.0 + interval[0], 1.0 + interval[1]), 1.0) is Outcome.NON_INFERIOR
    return interval[1] < truth


def _passes_iid(difference: Floats, truth: float) -> bool:
    n = len(difference)
    half = coverage_factor(1.0 - 2.0 * LEVEL, n - 1) * float(difference.std(ddof=1)) / math.sqrt(n)
    return float(difference.mean()) + half < truth


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, or take what it left, and print its page or write it."""
    from nilometer.trials.validation import page  # noqa: PLC0415 -- it reads what is made here

    parser = argparse.ArgumentParser(prog="python -m nilometer.trials.simulation")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--write", type=Path, help="put the page here instead of printing it, and the results beside it"
    )
    parser.add_argument("--results", type=Path, help="take results that were written before instead of a run")
    asked = parser.parse_args(arguments)
    if asked.results:
        kept = json.loads(asked.results.read_text(encoding="utf-8"))
    else:
        studied = partial(study, trials=asked.trials, seed=asked.seed)
        if asked.processes > 1:
            with ProcessPoolExecutor(asked.processes) as pool:
                reports = list(pool.map(studied, WORLDS))
        else:
            reports = [studied(world) for world in WORLDS]
        command = f"python -m nilometer.trials.simulation --trials {asked.trials} --seed {asked.seed}"
        kept = {"command": command, "worlds": [report.to_dict() for report in reports]}
    text = page([Report.of(each) for each in kept["worlds"]], kept["command"])
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")
        asked.write.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    else:
        print(text)  # noqa: T201 -- its output


if __name__ == "__main__":
    main()
