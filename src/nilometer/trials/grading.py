"""A grade: the claim that was shown, with the range of conditions for which it was; never a blanket yes.

Strata are declared beforehand. A claim is tested in each, all strata of all conditions together at its level by Holm's
rule; the grade's ranges are of neighbouring strata where it was shown, no farther than the conditions that were met,
and the pairs within all of them together have to show it once more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.trials.deciding import Sampling, condition_of, decide, margin_of, outcome_of, within
from nilometer.trials.endpoint import Decision, Endpoint, Outcome
from nilometer.trials.figure import Figure
from nilometer.trials.intervals import Sampled
from nilometer.trials.pairs import Pairs
from nilometer.units import symbol

__all__ = ["Grade", "Stratum", "grade"]

Floats = NDArray[np.float64]

SHOWN = (Outcome.NON_INFERIOR, Outcome.EQUIVALENT)
# What is met is from the 1st to the 99th percentile: single pairs beyond claim nothing.
MET = (0.01, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """A claim in one part of a condition.

    Parameters
    ----------
    condition : str
        ``range``: of the reference's result.
    low, high : float
        As declared; infinite at the ends. `low` is in, `high` is not.
    figure : Figure
        Of the pairs in it, with an interval of 1 − 2·`level`.
    level : float
        One-sided, by Holm's rule: at which it was last tested.
    outcome : Outcome
        NOT_TESTED where there are fewer than two pairs.
    """

    condition: str
    low: float
    high: float
    figure: Figure
    level: float
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """Where a claim holds.

    Parameters
    ----------
    endpoint : Endpoint
        The claim.
    ranges : mapping of str to (float, float)
        Of each stratified condition; empty where nothing is claimed.
    decision : Decision
        Of the pairs within all ranges together.
    strata : tuple of Stratum
        Each with its outcome.
    met : mapping of str to (float, float)
        What the other conditions were: neither tested apart nor claimed beyond.
    is_shown : bool
        Whether there is a grade.
    statement : str
        One sentence.
    """

    endpoint: Endpoint
    ranges: Mapping[str, tuple[float, float]]
    decision: Decision
    strata: tuple[Stratum, ...]
    met: Mapping[str, tuple[float, float]]
    is_shown: bool
    statement: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, an infinite edge as null."""

        def plain(edge: float) -> float | None:
            return edge if math.isfinite(edge) else None

        return {
            "endpoint": self.endpoint.name,
            "is_shown": self.is_shown,
            "statement": self.statement,
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "met": {name: list(ends) for name, ends in self.met.items()},
            "decision": self.decision.to_dict(),
            "strata": [
                {
                    "condition": each.condition,
                    "low": plain(each.low),
                    "high": plain(each.high),
                    "level": each.level,
                    "outcome": str(each.outcome),
                    "figure": each.figure.to_dict(),
                }
                for each in self.strata
            ],
        }


def grade(
    pairs: Pairs,
    endpoint: Endpoint,
    strata: Mapping[str, Sequence[float]],
    *,
    arbiter: Floats | None = None,
    sampling: Sampling | None = None,
    units: Mapping[str, str] | None = None,
) -> Grade:
    """Return for which conditions a claim was shown.

    Parameters
    ----------
    pairs : Pairs
        All that are admissible.
    endpoint : Endpoint
        The claim; its own condition is kept.
    strata : mapping of str to sequence of float
        Edges that part a condition, rising, as declared beforehand; ``range`` parts the reference's results.
    arbiter, sampling
        As in `deciding.decide`.
    units : mapping of str to str, optional
        CF text of conditions, for the statement.

    Returns
    -------
    Grade

    Raises
    ------
    ConfigError
        If a condition is not known or its edges do not rise.

    References
    ----------
    Holm (1979), Scandinavian J. Statistics 6, 65-70.

    Examples
    --------
    >>> from nilometer.trials.endpoint import Margin
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.uniform(0.0, 20.0, 3000)
    >>> seen = np.where(truth < 8.0, truth, 0.8 * truth + 1.6) + 0.1 * rng.normal(size=3000)
    >>> found = Pairs.of(np.arange(3000) * 600_000_000, seen, truth, "mg L-1")
    >>> claim = Endpoint(name="accuracy", statistic="bias", margin=Margin(value=0.2, unit="mg L-1"))
    >>> grade(found, claim, {"range": [4.0, 8.0, 12.0]}, sampling=Sampling(resamples=500)).statement
    'accuracy: not inferior at 0.1–7.9 mg/L'
    """
    how = sampling or Sampling()
    for name, edges in strata.items():
        condition_of(pairs, name)
        if any(low >= high for low, high in pairwise(edges)):
            raise ConfigError(f"strata.{name}", seen=list(edges), allowed="edges that rise from the first to the last")
    own = within(pairs, endpoint.condition)
    parts = [
        (name, low, high)
        for name, edges in strata.items()
        for low, high in pairwise([-math.inf, *edges, math.inf])
        if len(edges)
    ]
    tested = _by_holm(pairs, endpoint, parts, own, arbiter, how)
    ranges = {name: _range_of(pairs, own, [each for each in tested if each.condition == name]) for name in strata}
    shown = {name: ends for name, ends in ranges.items() if ends is not None}
    lacking = sorted(set(ranges) - set(shown))
    box = replace(endpoint, condition={**endpoint.condition, **_joined(endpoint.condition, shown)})
    decision = decide(pairs, [box], arbiter=arbiter, sampling=how)[0]
    is_shown = not lacking and decision.outcome in SHOWN
    others = [name for name in ("range", *pairs.conditions) if name not in strata]
    inside = within(pairs, box.condition)
    met = {name: ends for name in others if (ends := _met(condition_of(pairs, name)[inside])) is not None}
    return Grade(
        endpoint=endpoint,
        ranges=shown if is_shown else {},
        decision=decision,
        strata=tuple(tested),
        met=met,
        is_shown=is_shown,
        statement=_statement(endpoint, pairs, shown, met, decision, lacking, units or {}),
    )


def _joined(
    asked: Mapping[str, tuple[float, float]], shown: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    whole = (-math.inf, math.inf)
    return {
        name: (max(low, asked.get(name, whole)[0]), min(high, asked.get(name, whole)[1]))
        for name, (low, high) in shown.items()
    }


def _by_holm(
    pairs: Pairs,
    endpoint: Endpoint,
    parts: Sequence[tuple[str, float, float]],
    own: NDArray[np.bool_],
    arbiter: Floats | None,
    how: Sampling,
) -> list[Stratum]:
    truth = arbiter if endpoint.statistic == "excess_error" else None
    drawn: list[Sampled | None] = []
    for name, low, high in parts:
        values = condition_of(pairs, name)
        rows = own & (values >= low) & (values < high)
        try:
            drawn.append(how.of(pairs.take(rows), arbiter=None if truth is None else truth[rows]))
        except ValueError:  # fewer than two measured pairs
            drawn.append(None)
    left = [place for place, each in enumerate(drawn) if each is not None]
    found: dict[int, Stratum] = {}
    while left:
        level = endpoint.alpha / len(left)
        now = {place: _tested(endpoint, parts[place], drawn[place], level) for place in left}
        found |= now
        passed = [place for place, each in now.items() if each.outcome in SHOWN]
        if not passed:
            break
        # One at a time would take the same ones: a lower level only gets easier for those that are left.
        left = [place for place in left if place not in passed]
    return [found.get(place) or _tested(endpoint, part, None, math.nan) for place, part in enumerate(parts)]


def _tested(endpoint: Endpoint, part: tuple[str, float, float], drawn: Sampled | None, level: float) -> Stratum:
    condition, low, high = part
    if drawn is None:
        figure = Figure(name=endpoint.statistic, value=math.nan, unit="", note="fewer than two measured pairs")
        return Stratum(condition=condition, low=low, high=high, figure=figure, level=level, outcome=Outcome.NOT_TESTED)
    figure = drawn.figure(endpoint.statistic, probability=1.0 - 2.0 * level)
    outcome = outcome_of(endpoint, figure.interval, margin_of(endpoint, drawn.pairs))
    if not math.isfinite(figure.value) or drawn.lack(endpoint.statistic, drawn.spread(endpoint.statistic)):
        outcome = Outcome.INCONCLUSIVE
    return Stratum(condition=condition, low=low, high=high, figure=figure, level=level, outcome=outcome)


def _range_of(pairs: Pairs, own: NDArray[np.bool_], strata: Sequence[Stratum]) -> tuple[float, float] | None:
    """Return the range of neighbouring strata that were shown: of several such groups that of the most pairs."""
    groups: list[list[Stratum]] = [[]]
    for each in strata:
        if each.outcome in SHOWN:
            groups[-1].append(each)
        elif groups[-1]:
            groups.append([])
    best = max(groups, key=lambda group: sum(each.figure.n for each in group))
    if not best:
        return None
    values = condition_of(pairs, best[0].condition)
    return _met(values[own & (values >= best[0].low) & (values < best[-1].high)])


def _met(values: Floats) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, MET)
    return float(low), float(high)


def _statement(
    endpoint: Endpoint,
    pairs: Pairs,
    shown: Mapping[str, tuple[float, float]],
    met: Mapping[str, tuple[float, float]],
    decision: Decision,
    lacking: Sequence[str],
    units: Mapping[str, str],
) -> str:
    if lacking:
        return f"{endpoint.name}: not shown in any part of {', '.join(lacking)}"
    if decision.outcome not in SHOWN:
        return f"{endpoint.name}: not shown for the conditions together: {decision.reason}"

    def said(name: str, ends: tuple[float, float]) -> str:
        unit = pairs.unit if name == "range" else units.get(name, "1")
        text = f"{ends[0]:.2g}–{ends[1]:.2g}{'' if unit == '1' else ' ' + symbol(unit)}"
        return text if name == "range" else f"{name} {text}"

    what = "equivalent" if decision.outcome is Outcome.EQUIVALENT else "not inferior"
    text = f"{endpoint.name}: {what}"
    if shown:
        text += f" at {', '.join(said(name, ends) for name, ends in shown.items())}"
    if met:
        text += f" (met, not tested apart: {', '.join(said(name, ends) for name, ends in met.items())})"
    return text
