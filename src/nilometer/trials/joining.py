"""Several references as the plan wants them: each by itself, or as one if they agree; their own errors where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from nilometer.trials.comparison import rules_of
from nilometer.trials.figure import Figure
from nilometer.trials.gathering import Gathered
from nilometer.trials.inference.deciding import Sampling
from nilometer.trials.inference.intervals import figures
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.planning.plan import Plan
from nilometer.trials.statistics.reference_error import ErrorVariance, three_cornered_hat
from nilometer.trials.statistics.references import References, combine, meeting

__all__ = ["join_references"]


def join_references(plan: Plan, gathered: Gathered, *, resamples: int = 10_000) -> tuple[dict[str, Arm], References]:
    """Return the references that candidates are compared with, by name.

    Parameters
    ----------
    plan : Plan
        What it says of `references`.
    gathered : Gathered
        Its data.
    resamples : int
        Of the intervals of what references differ by.

    Returns
    -------
    dict of str to Arm, References
        One arm where they are combined, else all.

    Raises
    ------
    ValueError
        If references that are combined never meet, or fewer than four times have results of all three instruments.
    """
    told, arms = plan.references, gathered.references
    if not told.combine and told.uncertainty == "stated":
        return arms, References()
    usable = {name: _usable(plan, gathered, arm) for name, arm in arms.items()}
    first = next(iter(gathered.candidates.values()))
    tolerance = min(arm.step_us for arm in arms.values()) // 2
    if told.tolerance is not None:
        tolerance = round(told.tolerance * 1e6)
    errors: dict[str, ErrorVariance] = {}
    notes: list[str] = []
    if told.uncertainty == "estimated":
        errors, notes = _errors(list(usable.values()), _usable(plan, gathered, first), tolerance)
        arms, usable = _stating(arms, errors), _stating(usable, errors)
    differences: tuple[tuple[str, str, Figure], ...] = ()
    if told.combine:
        differences = _differences(list(usable.values()), tolerance, Sampling(resamples=resamples))
        apart = [
            f"{one} and {other}"
            for one, other, figure in differences
            if not max(abs(end) for end in figure.interval) <= (told.agree_within or 0.0)
        ]
        if not apart:
            joined, how = combine(list(usable.values()), tolerance, name=told.name)
            if errors and how.how == "stated":
                how = replace(how, how="found")
            return {told.name: joined}, References(
                differences=differences, combination=how, errors=errors, notes=tuple(notes)
            )
        notes.append(f"the references are not combined, for it is not shown that they agree: {', '.join(apart)}")
    return arms, References(differences=differences, errors=errors, notes=tuple(notes))


def _usable(plan: Plan, gathered: Gathered, arm: Arm) -> Arm:
    rules = rules_of(plan, gathered, suspect=plan.alignment.suspect)
    found = arm.in_unit(plan.trial.unit).admissible(rules.flags, rules.maintenance, rules.period)[0]
    return found if found.censored is None else found.take(found.censored == 0)


def _differences(arms: Sequence[Arm], tolerance_us: int, how: Sampling) -> tuple[tuple[str, str, Figure], ...]:
    found = []
    for one, other in combinations(arms, 2):
        ours, theirs = meeting([one, other], tolerance_us)
        pairs = Pairs.of(ours.time, ours.values, theirs.values, ours.unit)
        found.append((one.name, other.name, figures(how.of(pairs), ["bias"])[0]))
    return tuple(found)


def _errors(references: Sequence[Arm], candidate: Arm, tolerance_us: int) -> tuple[dict[str, ErrorVariance], list[str]]:
    """Return the error of each reference, from it and the two behind it in turn; the candidate is a third of two."""
    pool = [*references, candidate] if len(references) == 2 else list(references)
    found: dict[str, ErrorVariance] = {}
    notes = []
    for place, arm in enumerate(references):
        three = [pool[(place + step) % len(pool)] for step in range(3)]
        met = meeting(three, tolerance_us)
        error = three_cornered_hat({each.name: each.values for each in met})[0]
        found[arm.name] = error
        names = ", ".join(each.name for each in three)
        if error.variance > 0.0:
            notes.append(f"the uncertainty of {arm.name} is estimated from {names}: {error.sd:.3g}")
        else:
            notes.append(f"from {names} no error of {arm.name} can be told: what it states stays")
    return found, notes


def _stating(arms: dict[str, Arm], errors: dict[str, ErrorVariance]) -> dict[str, Arm]:
    return {
        name: replace(arm, uncertainty=np.full(len(arm), errors[name].sd)) if errors[name].variance > 0.0 else arm
        for name, arm in arms.items()
    }
