"""One candidate beside one reference as a plan wants it: pairs, figures, strata, decisions, and the grade of it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import TrialError
from nilometer.model.flags import QartodFlag
from nilometer.trials.figure import Figure
from nilometer.trials.gathering import Gathered
from nilometer.trials.grading import decided_strata, grade
from nilometer.trials.inference.deciding import Sampling, condition_of, decide, in_order
from nilometer.trials.inference.endpoint import SHOWN, Decision, Endpoint
from nilometer.trials.inference.intervals import figures
from nilometer.trials.inference.moments import has_arbitrary_zero
from nilometer.trials.norms import judged
from nilometer.trials.pairing.alignment import Alignment, Pairing, Rules, align, with_condition
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.pairing.strata import TIDE, Part, by_condition, by_time, quantile_edges, with_tide_phase
from nilometer.trials.planning.plan import LOGARITHMS, EndpointPlan, Plan
from nilometer.trials.result import Comparison, Stratum
from nilometer.trials.statistics.availability import Availability, availability
from nilometer.trials.statistics.figures import classical_figures
from nilometer.trials.statistics.samples import Sampled, error_figures, match_samples
from nilometer.trials.statistics.water_class import ClassAgreement, class_agreement, class_edges, typed_classes
from nilometer.trials.steps import step

__all__ = ["compare", "endpoint_of", "meaningless", "one_of_each", "pairs_of", "rules_of"]

_SEEN = frozenset({QartodFlag.PASS})
_DOUBTED = frozenset({QartodFlag.PASS, QartodFlag.SUSPECT})
_LEAST = 3  # pairs of a stratum, below which it has no figures
_WEEKS_UP_TO_US = 120 * 86_400_000_000  # longer trials are shown by month
_OF_STRATA = ("bias", "rmse", "lower_limit", "upper_limit")
_OF_TIME = ("bias", "rmse")
_OF_RATIOS = frozenset(
    {"relative_bias", "lower_ratio_limit", "upper_ratio_limit", "weighted_slope", "weighted_intercept"}
)


def compare(plan: Plan, gathered: Gathered, candidate: Arm, reference: Arm, *, resamples: int = 10_000) -> Comparison:
    """Compare one candidate with one reference.

    Parameters
    ----------
    plan : Plan
        What is to be shown.
    gathered : Gathered
        Its data.
    candidate, reference : Arm
        Of these.
    resamples : int
        Of the bootstrap.

    Raises
    ------
    TrialError
        If rows that pair by order are not as many.
    ValueError
        If nothing can be paired, or nothing is left.
    """
    step("pairs")
    pairs, alignment, doubtful = pairs_of(plan, gathered, candidate, reference)
    step("figures")
    how = Sampling(resamples=resamples, class_edges=_class_edges(plan))
    sampled = how.of(pairs)
    left_out = meaningless(pairs.unit, plan.trial.property, by_order=plan.alignment.by == "order")
    shown = [*figures(sampled), *classical_figures(pairs, alignment=alignment)]
    sure = pairs.take(~doubtful & (pairs.candidate_censored == 0) & (pairs.reference_censored == 0))
    without = figures(how.of(sure)) if doubtful.any() and len(sure) >= _LEAST else []
    samples = _samples(plan, gathered, candidate, reference)
    decisions = _decisions(plan, pairs, doubtful, samples, how)
    strata = _strata(plan, pairs, gathered, decisions, how)
    return Comparison(
        candidate=candidate.name,
        reference=reference.name,
        pairs=pairs,
        alignment=alignment,
        figures=one_of_each(shown, left_out),
        without_suspect=one_of_each(without, left_out),
        strata=tuple(strata),
        over_time=tuple(_over_time(plan, pairs)),
        decisions=tuple(decisions),
        grade=grade(pairs, decisions, strata, _units(pairs, gathered), is_kept=plan.strata.share > 0),
        availability=_availability(plan, gathered, (candidate, reference)),
        samples={name: error_figures(one) for name, one in samples.items()},
        classes=_classes(plan, pairs),
        norms={one.name: judged(samples[one.name], plan.trial.property, one.norm) for one in plan.sample if one.norm}
        if samples
        else {},
    )


def pairs_of(
    plan: Plan, gathered: Gathered, candidate: Arm, reference: Arm
) -> tuple[Pairs, Alignment, NDArray[np.bool_]]:
    """Return the pairs that count, how they came to be, and which of them rest on a result that is SUSPECT.

    Raises
    ------
    TrialError
        If rows that pair by order are not as many, or both are one series.
    ValueError
        If nothing can be paired.
    """
    # No two instruments agree to the last digit of every result.
    if np.array_equal(candidate.time, reference.time) and np.array_equal(candidate.values, reference.values):
        raise TrialError(
            "all times and results are the same: this is one series twice, and nothing is compared; name another file "
            "or column",
            candidate=candidate.name,
            reference=reference.name,
        )
    if plan.alignment.by == "order" and len(candidate) != len(reference):
        raise TrialError(
            f"{len(candidate)} and {len(reference)} rows do not pair by order: one a row of the other is needed",
            candidate=candidate.name,
            reference=reference.name,
        )
    pairs, alignment = align(candidate, reference, rules_of(plan, gathered, suspect=plan.alignment.suspect))
    doubtful = np.zeros(len(pairs), np.bool_)
    if plan.alignment.suspect and _is_suspect(candidate, reference):
        try:
            sure, _ = align(candidate, reference, rules_of(plan, gathered, suspect=False))
        except ValueError:  # of an arm that is suspect as a whole nothing else is left: every pair rests on it
            doubtful = np.ones(len(pairs), np.bool_)
        else:
            doubtful = ~np.isin(pairs.time, sure.time)
    for name, condition in gathered.conditions.items():
        told = plan.condition[name].tolerance
        tolerance = round(told * 1e6) if told is not None else max(condition.step_us, alignment.interval_us) // 2
        pairs = with_condition(pairs, name, condition, tolerance)
    if plan.tide is not None and gathered.tide is not None:
        pairs = with_tide_phase(pairs, gathered.tide, plan.tide.least_range, by=plan.tide.by)
    if plan.alignment.by == "order":
        alignment = replace(alignment, notes=("rows were paired by their order: no clock is common", *alignment.notes))
    return pairs, alignment, doubtful


def _is_suspect(*arms: Arm) -> bool:
    return any(arm.flags is not None and bool((arm.flags == QartodFlag.SUSPECT).any()) for arm in arms)


def rules_of(plan: Plan, gathered: Gathered, *, suspect: bool) -> Rules:
    """Return how results are paired, with or without what is SUSPECT."""
    told, flags = plan.alignment, _DOUBTED if suspect else _SEEN
    if told.by == "order":
        return Rules(flags=flags, pairing=Pairing.NEAREST, tolerance_us=0, clock_search_us=0)
    start, end = plan.time(plan.trial.start), plan.time(plan.trial.end)
    bounds = np.iinfo(np.int64)
    period = None
    if start is not None or end is not None:
        period = (int(bounds.min) if start is None else start, int(bounds.max) if end is None else end)
    return Rules(
        flags=flags,
        maintenance=gathered.maintenance,
        period=period,
        pairing=Pairing(told.pairing),
        tolerance_us=None if told.tolerance is None else round(told.tolerance * 1e6),
        least_share=told.least_share,
        match_response=told.response == "match",
        correct_clock=told.clock == "correct",
        clock_tolerance_us=None if told.clock_tolerance is None else round(told.clock_tolerance * 1e6),
        clock_search_us=round(told.clock_search * 1e6),
        cleanings=gathered.cleanings,
    )


def meaningless(unit: str, quantity: str = "", *, by_order: bool = False) -> frozenset[str]:
    """Return figures that these pairs do not allow: of rows without a clock, and of a scale with an arbitrary zero.

    Shares, ratios and errors in proportion to the value mean nothing of °C, nor of pH, which is a logarithm.
    """
    found: set[str] = set()
    if by_order:
        found |= {"drift", "theil_sen_drift", "response_lag"}
    if quantity in LOGARITHMS or has_arbitrary_zero(unit):
        found |= _OF_RATIOS
    return frozenset(found)


def one_of_each(made: Iterable[Figure], without: frozenset[str]) -> tuple[Figure, ...]:
    """Return one figure of each name, the first, which heeds dependence; none that the plan gives nothing for."""
    found: dict[str, Figure] = {}
    for figure in made:
        if figure.name not in without | {"class_agreement", "excess_error"}:
            found.setdefault(figure.name, figure)
    return tuple(found.values())


def _samples(plan: Plan, gathered: Gathered, candidate: Arm, reference: Arm) -> dict[str, Sampled]:
    if plan.alignment.by == "order":
        return {}
    rules = rules_of(plan, gathered, suspect=plan.alignment.suspect)
    return {
        one.name: match_samples(candidate, reference, gathered.samples[one.name], round(one.window * 1e6), rules=rules)
        for one in plan.sample
    }


def _decisions(
    plan: Plan, pairs: Pairs, doubtful: NDArray[np.bool_], samples: Mapping[str, Sampled], how: Sampling
) -> list[Decision]:
    """Return what is decided of each endpoint, in the plan's order over those of pairs and of samples."""
    made: list[Decision] = []
    for place, told in enumerate(plan.endpoint):
        step("endpoints", place, len(plan.endpoint), told.name)
        endpoint = endpoint_of(told, pairs.unit, plan.strata.share)
        if told.against == "reference":
            made += decide(pairs, [endpoint], suspect=doubtful if doubtful.any() else None, sampling=how)
            continue
        one = next(iter(samples.values()))
        made += decide(one.pairs, [endpoint], arbiter=one.laboratory, sampling=how)
    return in_order(made)


def endpoint_of(told: EndpointPlan, unit: str, kept: float = 0.0) -> Endpoint:
    """Return a claim of a plan, of pairs in a unit; the share `kept` of its alpha is for parts of the water."""
    return Endpoint(
        name=told.name,
        statistic=told.statistic,
        margin=told.as_margin(unit),
        kind=told.kind,
        alpha=told.alpha * (1.0 - kept),
        condition=dict(told.condition),
    )


def _class_edges(plan: Plan) -> tuple[float, ...]:
    told = plan.trial
    if told.class_edges or not any(one.statistic == "class_agreement" for one in plan.endpoint):
        return told.class_edges
    return class_edges(str(told.standard), told.property, told.water_body, told.unit)


def _units(pairs: Pairs, gathered: Gathered) -> dict[str, str]:
    tide = {} if gathered.tide is None else {TIDE: "1"}
    return {"range": pairs.unit} | {name: one.unit for name, one in gathered.conditions.items()} | tide


def _strata(
    plan: Plan, pairs: Pairs, gathered: Gathered, decisions: Sequence[Decision], how: Sampling
) -> list[Stratum]:
    """Return strata by each condition: of those that the plan declared, what is decided of them as well."""
    declared: list[tuple[Stratum, Pairs]] = []
    seen: list[Stratum] = []
    edges = {"range": plan.trial.range_edges} | {name: one.edges for name, one in plan.condition.items()}
    if plan.tide is not None:
        edges[TIDE] = plan.tide.edges
    for name, unit in _units(pairs, gathered).items():
        if not np.isfinite(condition_of(pairs, name)).any():
            continue
        parts = by_condition(pairs, name, edges[name] or quantile_edges(pairs, name))
        made = [(_stratum(part, unit, how), part.pairs) for part in parts]
        if edges[name]:
            declared += [one for one, part in zip(made, parts, strict=True) if not part.is_unknown]
        else:
            seen += [stratum for stratum, _ in made]
    share = plan.strata.share
    claims = [one.endpoint for one in decisions[:1]]
    if share:
        claims = [endpoint_of(told, pairs.unit) for told in plan.endpoint]
    if share and not all(one.outcome in SHOWN for one in decisions):
        if any(told.against == "samples" for told in plan.endpoint):
            # Of samples there are too few in a part of the water, and a part has to meet every claim.
            return [*(stratum for stratum, _ in declared), *seen]
        claims = [replace(claim, alpha=claim.alpha * share) for claim in claims]
    elif share:
        claims = [claim for claim, told in zip(claims, plan.endpoint, strict=True) if told.against == "reference"]
    return [*decided_strata(declared, claims, sampling=how), *seen]


def _over_time(plan: Plan, pairs: Pairs) -> Iterable[Stratum]:
    if plan.alignment.by == "order":
        return
    span = "week" if int(pairs.time[-1] - pairs.time[0]) <= _WEEKS_UP_TO_US else "month"
    for part in by_time(pairs, span, plan.trial.time_zone):
        yield _stratum(part, "us", Sampling(resamples=1000), _OF_TIME)


def _stratum(part: Part, unit: str, how: Sampling, names: Sequence[str] = _OF_STRATA) -> Stratum:
    step("strata", about=part.condition)
    made: list[Figure] = []
    bounds = (part.pairs.candidate_censored != 0) | (part.pairs.reference_censored != 0)
    if np.count_nonzero(~bounds) >= _LEAST:
        made = figures(how.of(part.pairs), names)
    return Stratum(
        condition=part.condition, low=part.low, high=part.high, unit=unit, n=len(part.pairs), figures=tuple(made)
    )


def _availability(plan: Plan, gathered: Gathered, arms: Sequence[Arm]) -> dict[str, Availability]:
    """Return what was due and given over the trial's period, or over what both arms span where it has none."""
    if plan.alignment.by == "order":
        return {}
    start, end = plan.time(plan.trial.start), plan.time(plan.trial.end)
    first = min(int(arm.time[0]) for arm in arms) if start is None else start
    last = max(int(arm.time[-1]) + max(arm.duration_us, arm.step_us, 1) for arm in arms) if end is None else end
    flags = _DOUBTED if plan.alignment.suspect else _SEEN
    return {
        arm.name: availability(arm, (first, last), flags=flags, maintenance=gathered.maintenance)
        for arm in arms
        if arm.step_us > 0
    }


def _classes(plan: Plan, pairs: Pairs) -> ClassAgreement | None:
    told = plan.trial
    if told.class_edges:
        return typed_classes(pairs, told.class_edges)
    if told.standard is None:
        return None
    return class_agreement(pairs, told.standard, told.property, told.water_body)
