"""How often decisions and intervals of trials are wrong: a study on made-up water whose truth is known.

    python -m nilometer.trials.simulation [--trials 1500] [--processes 2] [--write docs/trials-validation.md]

Each world makes pairs of a candidate and a reference with one difficulty of the field. In every trial a candidate
stands exactly at the edge of the margin, so that each pass is wrong. Shares come with their Monte-Carlo error.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.deciding import outcome_of
from nilometer.trials.inference.endpoint import Endpoint, Margin, Outcome
from nilometer.trials.inference.intervals import KINDS, sample
from nilometer.trials.inference.moments import QUANTILE, STATISTICS, moments_of
from nilometer.trials.inference.power import power_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["WORLDS", "Report", "World", "study"]

Floats = NDArray[np.float64]

STEP_US = 600_000_000
DAY = 144
LEVEL = 0.025
EDGES = (7.0, 8.0, 9.0)
STUDIED = tuple(name for name in STATISTICS if name not in {"relative_bias", "excess_error"})
PLAIN = ("bias", "rmse")
AGES = 40
SAID = "\n## What it says\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Water and two instruments in it.

    Parameters
    ----------
    name : str
        What is difficult in it.
    n : int
        Pairs of a trial, ten minutes apart.
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
        place = np.arange(n, dtype=np.int64)
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
        error = 0.2 * error * (1.0 + self.spread * (reference - 8.0)) + self.cycle * np.cos(day) + offset
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
    World(name="independent, 40 grab samples", n=40, memory=0.0),
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
    power, power_formula : float
        Share of right passes of a candidate without bias, and what the formula says; NaN where it says nothing.
    """

    world: World
    trials: int
    effective: float
    refused: dict[str, float]
    passed: dict[str, float]
    passed_iid: float
    covered: dict[tuple[str, str], float]
    power: float
    power_formula: float


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
    sd = 0.2
    margin = 3.2 * sd / math.sqrt(world.effective) if math.isfinite(world.effective) else math.nan
    for number in range(trials):
        rng = np.random.default_rng([seed, number])
        drawn = sample(world.pairs(rng), resamples=resamples, seed=number, ratio=1.0, class_edges=EDGES)
        for name in STUDIED:
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
        found.setdefault("iid", []).append(_passes_iid(drawn.pairs.difference, truth["bias"]))
    share = {key: float(np.mean(each)) for key, each in found.items()}
    formula = _formula(world, sd, margin) if math.isfinite(margin) else math.nan
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
        power_formula=formula if not world.cycle and not world.drift else math.nan,
    )


def _formula(world: World, sd: float, margin: float) -> float:
    return power_of(world.effective, sd, margin, two_sided=True, memory=world.n / world.effective)


def _truth(world: World, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 2**31])
    # So long that its own error is a fiftieth of a trial's: at a twentieth it moved wrong passes by half a point.
    parts = [moments_of(world.pairs(rng, ages=AGES), ratio=1.0, class_edges=EDGES) for _ in range(64)]
    truth = {name: float(np.mean([part.value(name) for part in parts])) for name in STUDIED}
    # What is known is not estimated.
    truth |= {"bias": 0.0, "drift": world.drift if world.clusters == 1 else 0.0}
    return truth | (_of_normal(0.2) if world.is_normal else {})


def _of_normal(sd: float) -> dict[str, float]:
    """Return the statistics of differences that are normal, of mean 0."""
    limit, beyond = 1.96 * sd, coverage_factor(0.95, math.inf) * sd
    known = {"rmse": sd, "sd": sd, "lower_limit": -limit, "upper_limit": limit, QUANTILE: beyond}
    return known | {"mean_absolute_difference": sd * math.sqrt(2.0 / math.pi)}


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


def page(reports: Sequence[Report], command: str) -> str:
    """Return the reports as a page."""
    trials = reports[0].trials
    error = 100.0 * math.sqrt(0.05 * 0.95 / trials)
    alpha_error = 100.0 * math.sqrt(LEVEL * (1.0 - LEVEL) / trials)
    return "\n".join(
        [
            _HEAD.format(command=command, trials=trials, error=error, alpha_error=alpha_error),
            *_table(
                [
                    "world",
                    "worth",
                    "refused",
                    "bias",
                    "mean abs. d.",
                    "rmse",
                    "t-test, independent",
                    "power",
                    "formula",
                ],
                reports,
                _decisions,
            ),
            "\n## Coverage of 95 % intervals, per cent\n",
            "In italics: of statistics that decided nothing in most of these trials.\n",
            *_table(["world", *(name.replace("_", " ") for name in STUDIED)], reports, partial(_coverage, "scaled")),
            "\n## The plain block bootstrap, to compare: coverage of 95 % intervals, per cent\n",
            *_table(["world", "bias, percentile", "bias, basic", "rmse, percentile", "rmse, basic"], reports, _plain),
            "",
        ]
    )


def _table(head: Sequence[str], reports: Sequence[Report], cells: Callable[[Report], Sequence[str]]) -> list[str]:
    rows = [[_named(report.world), *cells(report)] for report in reports]
    rule = "|---|" + "---:|" * (len(head) - 1)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _named(world: World) -> str:
    return world.name if world.is_claimed else f"*{world.name}*"


def _per_cent(share: float) -> str:
    return "" if math.isnan(share) else f"{100.0 * share:.1f}"


def _decisions(report: Report) -> list[str]:
    passed = [report.passed[name] for name in ("bias", "mean_absolute_difference", "rmse")]
    shares = [report.refused["bias"], *passed, report.passed_iid, report.power, report.power_formula]
    return [f"{report.effective:.0f}", *map(_per_cent, shares)]


def _coverage(kind: str, report: Report) -> list[str]:
    shown = {name: _per_cent(report.covered[kind, name]) for name in STUDIED}
    return [f"*{text}*" if report.refused[name] > 0.5 else text for name, text in shown.items()]


def _plain(report: Report) -> list[str]:
    return [_per_cent(report.covered[kind, name]) for name in PLAIN for kind in ("percentile", "basic")]


_HEAD = """# Trials: what was validated

`{command}` wrote this page.

In each of {trials} trials a world, a candidate stands exactly at the edge of its margin: every pass is wrong, and at
most 2.5 % are accepted. Shares have a Monte-Carlo error (one standard deviation) of {alpha_error:.2f} points near 2.5 %
and {error:.2f} near 95 %. Worlds in italics are those for which nothing is claimed. Pairs are ten minutes apart.

## Wrong passes, per cent, and power

*worth*: median of the effective pairs found. *refused*: trials with fewer than 20, which decide nothing on the bias.
*t-test, independent*: the bias by a test that takes pairs for independent. *power*: a candidate without bias, margin
3.2 standard errors of the true process, beside what `nilometer.trials.inference.power` says.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m nilometer.trials.simulation")
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="put the tables here instead of printing them")
    asked = parser.parse_args(arguments)
    one = partial(study, trials=asked.trials, seed=asked.seed)
    if asked.processes > 1:
        with ProcessPoolExecutor(asked.processes) as pool:
            reports = list(pool.map(one, WORLDS))
    else:
        reports = [one(world) for world in WORLDS]
    command = f"python -m nilometer.trials.simulation --trials {asked.trials} --seed {asked.seed}"
    text = page(reports, command)
    if asked.write:
        # What was made of the tables by hand stays behind them.
        before = asked.write.read_text(encoding="utf-8") if asked.write.exists() else ""
        said = before[before.index(SAID) :] if SAID in before else ""
        asked.write.write_text(text + said, encoding="utf-8")
    else:
        print(text)  # noqa: T201 -- its output


if __name__ == "__main__":
    main()
