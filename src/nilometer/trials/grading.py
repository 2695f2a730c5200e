"""From decisions to the one answer of a comparison, with the range of conditions it holds in: never a blanket yes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nilometer.trials.inference.deciding import Sampling, condition_of, decide
from nilometer.trials.inference.endpoint import SHOWN, Decision, Endpoint, Outcome
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.result import Grade, Stratum
from nilometer.units import symbol

__all__ = ["decided_strata", "grade"]

_FEWEST = 20  # pairs of a stratum below which it is not asked
_OF_MEANS = frozenset({"bias", "relative_bias"})
_TAIL = 0.01  # share of pairs at either end of a range that do not widen it


def decided_strata(
    strata: Sequence[tuple[Stratum, Pairs]], claims: Sequence[Endpoint], *, sampling: Sampling | None = None
) -> list[Stratum]:
    """Return strata with what the claims come to in each of them.

    A stratum is shown where every claim is, which costs no level. All strata of all conditions share the level of the
    claims after Holm: evenly at first, then what is shown leaves its share to the others, so that the chance that any
    of them is wrongly called is at most that level.

    Parameters
    ----------
    strata : sequence of (Stratum, Pairs)
        As the plan declared them, with their pairs.
    claims : sequence of Endpoint
        In their order; ranges of conditions that they name do not count here.
    sampling : Sampling, optional
        How intervals are made.
    """
    found = [stratum for stratum, _ in strata]
    open_ = [place for place, (_, pairs) in enumerate(strata) if len(pairs) >= _FEWEST]
    while open_:
        shared = [replace(claim, alpha=claim.alpha / len(open_), condition={}) for claim in claims]
        for place in open_:
            made = decide(strata[place][1], shared, sampling=sampling, sensitivity=False)
            found[place] = replace(found[place], decisions=tuple(made))
        left = [place for place in open_ if not _is_shown(found[place])]
        if len(left) == len(open_):
            break
        open_ = left
    return found


def grade(
    pairs: Pairs,
    decisions: Sequence[Decision],
    strata: Sequence[Stratum],
    units: Mapping[str, str],
    *,
    is_kept: bool = False,
) -> Grade:
    """Return the answer of a comparison.

    Parameters
    ----------
    pairs : Pairs
        All that were compared.
    decisions : sequence of Decision
        In their order.
    strata : sequence of Stratum
        Declared ones carry a decision, as `decided_strata` gives it; the others say nothing of the range.
    units : mapping of str to str
        Of the conditions, ``range`` among them.
    is_kept : bool
        Whether the plan kept a share of alpha for strata: only then may they be called where not all was shown.

    Returns
    -------
    Grade
        Where all was shown, each condition has the range between the 1st and 99th percentile of what was met, narrowed
        to the neighbouring strata, the fullest among them, in which the claims that were asked of them hold by
        themselves. Where not all was shown and strata were asked for every claim, those in which each was shown.
    """
    outcome = _outcome(decisions)
    if outcome not in SHOWN:
        why = tuple(one.reason for one in decisions if one.outcome is outcome)[:1]
        parts = tuple(one for one in strata if is_kept and _is_shown(one))
        told = [f"shown alone at {name} {_told(parts, name)}" for name in dict.fromkeys(one.condition for one in parts)]
        return Grade(outcome=outcome, notes=(*why, *told), parts=parts)
    ranges: dict[str, tuple[float, float]] = {}
    notes = list(dict.fromkeys(one.note for one in decisions if one.note))
    for name in ("range", *pairs.conditions):
        values = condition_of(pairs, name)
        values = values[np.isfinite(values)]
        if not len(values):
            notes.append(f"{name} is known of no pair: nothing is said of it")
            continue
        low, high = (float(end) for end in np.quantile(values, [_TAIL, 1.0 - _TAIL]))
        mine = [one for one in strata if one.condition == name and not math.isnan(one.low)]
        if not any(one.decisions for one in mine):
            notes.append(f"no strata of {name} were declared, or none has pairs enough: it holds for the mix as met")
        else:
            held = _held(mine)
            if held is None:
                notes.append(f"in no stratum of {name} was it shown alone: it holds for the mix as met")
            else:
                low, high = max(low, held[0]), min(high, held[1])
                notes += _beyond(name, mine, held)
        ranges[name] = (low, high)
    if {one.endpoint.statistic for one in decisions} <= _OF_MEANS:
        measured = (pairs.candidate_censored == 0) & (pairs.reference_censored == 0)
        low, high = np.quantile(pairs.difference[measured], [0.025, 0.975])
        unit = symbol(pairs.unit) if pairs.unit != "1" else ""
        # An instrument that errs much, now up, now down, keeps any margin of a mean.
        notes.append(f"of means alone: 95 % of single differences lay between {low:.4g} and {high:.4g} {unit}".rstrip())
    return Grade(
        outcome=outcome, ranges=ranges, units={name: units.get(name, "1") for name in ranges}, notes=tuple(notes)
    )


def _outcome(decisions: Sequence[Decision]) -> Outcome:
    """Return what all decisions come to: the first that was not shown, else the weakest word for what was."""
    for decision in decisions:
        if decision.outcome not in SHOWN:
            return decision.outcome
    outcomes = {decision.outcome for decision in decisions}
    return Outcome.EQUIVALENT if outcomes == {Outcome.EQUIVALENT} else Outcome.NON_INFERIOR


def _is_shown(stratum: Stratum) -> bool:
    return bool(stratum.decisions) and all(one.outcome in SHOWN for one in stratum.decisions)


def _held(strata: Sequence[Stratum]) -> tuple[float, float] | None:
    """Return the range of neighbouring strata in which it was shown, around the fullest of these; None: in none."""
    shown = [place for place, one in enumerate(strata) if _is_shown(one)]
    if not shown:
        return None
    first = last = max(shown, key=lambda place: strata[place].n)
    while first - 1 in shown:
        first -= 1
    while last + 1 in shown:
        last += 1
    return strata[first].low, strata[last].high


def _beyond(name: str, strata: Sequence[Stratum], held: tuple[float, float]) -> list[str]:
    """Return a note where pairs lie in strata in which it was not shown."""
    others = [one for one in strata if one.n and not held[0] <= one.low < held[1]]
    if not others:
        return []
    return [f"it was not shown alone at {name} {_told(others, name)}"]


def _told(strata: Sequence[Stratum], name: str) -> str:
    return ", ".join(f"{_range(one)} ({one.n} pairs)" for one in strata if one.condition == name)


def _range(stratum: Stratum) -> str:
    if math.isinf(stratum.low):
        return f"< {stratum.high:.4g}"
    return f"≥ {stratum.low:.4g}" if math.isinf(stratum.high) else f"{stratum.low:.4g} to {stratum.high:.4g}"
