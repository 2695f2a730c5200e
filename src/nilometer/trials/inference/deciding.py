"""From pairs and margins to decisions: non-inferior, equivalent, inferior, or nothing shown.

Endpoints are tested in their stated order at their full level; the first that is not shown ends the testing, and the
figures of those behind it are shown all the same. "Not significantly different" is no outcome here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError, UnitError
from nilometer.trials.figure import Figure
from nilometer.trials.inference.claims import caveat_of
from nilometer.trials.inference.endpoint import SHOWN, Decision, Endpoint, Kind, Outcome
from nilometer.trials.inference.intervals import Sampled, sample
from nilometer.trials.inference.moments import has_arbitrary_zero, unit_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.units import convert, same_dimension, symbol

__all__ = [
    "HIGHER_IS_BETTER",
    "IDEAL",
    "Sampling",
    "condition_of",
    "decide",
    "distance_of",
    "in_order",
    "margin_of",
    "outcome_of",
    "within",
]

Floats = NDArray[np.float64]
Interval = tuple[float, float]

# Where a perfect candidate is, for statistics that may miss it to both sides.
IDEAL = {
    "bias": 0.0,
    "relative_bias": 0.0,
    "drift": 0.0,
    "intercept": 0.0,
    "slope": 1.0,
    "lower_limit": 0.0,
    "upper_limit": 0.0,
}
HIGHER_IS_BETTER = ("concordance", "class_agreement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How intervals are made, the same for all endpoints of a trial; fields as in `intervals.sample`.

    The same pairs are drawn once: endpoints share their resamples.
    """

    resamples: int = 10_000
    seed: int = 1
    scheme: str = "stationary"
    ratio: float | None = None
    class_edges: Sequence[float] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    _drawn: dict[tuple[bytes, float], Sampled] = field(default_factory=dict, repr=False, compare=False)

    def of(self, pairs: Pairs, *, arbiter: Floats | None = None, stretch: float = 1.0) -> Sampled:
        """Return resamples of pairs."""
        key = _fingerprint(pairs, arbiter), stretch
        if key not in self._drawn:
            self._drawn[key] = sample(
                pairs,
                resamples=self.resamples,
                seed=self.seed,
                scheme=self.scheme,
                ratio=self.ratio,
                class_edges=self.class_edges,
                arbiter=arbiter,
                stretch=stretch,
                **self.options,
            )
        return self._drawn[key]


def _fingerprint(pairs: Pairs, arbiter: Floats | None) -> bytes:
    """Return what tells pairs apart, as far as resamples hang on them."""
    whole = hashlib.sha256()
    columns = (
        pairs.time, pairs.candidate, pairs.reference, pairs.candidate_uncertainty, pairs.reference_uncertainty,
        pairs.candidate_censored, pairs.reference_censored, pairs.cluster, pairs.interval,
    )  # fmt: skip
    for column in columns:
        whole.update(np.ascontiguousarray(column).tobytes())
    if arbiter is not None:
        whole.update(b"arbiter" + np.ascontiguousarray(arbiter).tobytes())
    return whole.digest()


def decide(
    pairs: Pairs,
    endpoints: Sequence[Endpoint],
    *,
    arbiter: Floats | None = None,
    suspect: NDArray[np.bool_] | None = None,
    sampling: Sampling | None = None,
    sensitivity: bool = True,
) -> list[Decision]:
    """Decide on the endpoints of a trial, in their order.

    Parameters
    ----------
    pairs : Pairs
        All that are admissible.
    endpoints : sequence of Endpoint
        As frozen before the first datum.
    arbiter : ndarray of float64, shape (n,), optional
        What was true, by a laboratory or a standard, in the pairs' unit; NaN where not known. ``excess_error``, the
        error of the candidate beyond that of the reference, is of the pairs that have one.
    suspect : ndarray of bool, shape (n,), optional
        Pairs with a SUSPECT result. They are in; a decision that falls without them says so.
    sampling : Sampling, optional
        How intervals are made.
    sensitivity : bool
        Whether to ask as well what blocks of half and of twice the length, and leaving SUSPECT out, would say.

    Returns
    -------
    list of Decision
        One an endpoint.

    Raises
    ------
    ConfigError
        If an endpoint asks for a statistic or condition that there is not, or for what is not given.
    UnitError
        If a margin has another dimension than its statistic.
    ValueError
        If lengths differ.

    Examples
    --------
    >>> from nilometer.trials.inference.endpoint import Margin
    >>> rng = np.random.default_rng(1)
    >>> truth = 8.0 + rng.normal(size=400)
    >>> found = Pairs.of(np.arange(400) * 600_000_000, truth + 0.1 * rng.normal(size=400), truth, "mg L-1")
    >>> claim = Endpoint(name="accuracy", statistic="bias", margin=Margin(value=0.1, unit="mg L-1"))
    >>> str(decide(found, [claim])[0].outcome)
    'non_inferior'
    """
    how = sampling or Sampling()
    for name, column in (("arbiter", arbiter), ("suspect", suspect)):
        if column is not None and len(column) != len(pairs):
            raise ValueError(f"{name}: {len(column)} rows for {len(pairs)} pairs: give as many")
    for endpoint in endpoints:
        _check(endpoint, pairs, arbiter, how)
    return in_order(
        [_decide_one(pairs, endpoint, arbiter, suspect, how, sensitivity=sensitivity) for endpoint in endpoints]
    )


def in_order(decisions: Sequence[Decision]) -> list[Decision]:
    """Return decisions with all behind the first that was not shown NOT_TESTED; their figures stay.

    Each claim is tested at its full level, for none is tested unless all before it were shown.
    """
    ordered: list[Decision] = []
    before: Endpoint | None = None
    for decision in decisions:
        if before is not None:
            reason = f"not tested, for {before.name!r} before it was not shown; its figure alone: {decision.reason}"
            ordered.append(replace(decision, outcome=Outcome.NOT_TESTED, reason=reason))
            continue
        if decision.outcome not in SHOWN:
            before = decision.endpoint
        ordered.append(decision)
    return ordered


def within(pairs: Pairs, condition: Mapping[str, Interval]) -> NDArray[np.bool_]:
    """Return which pairs meet ranges of conditions, ends included; ``range`` is the reference's result.

    Raises
    ------
    ConfigError
        If the pairs know no such condition.
    """
    rows = np.ones(len(pairs), np.bool_)
    for name, (low, high) in condition.items():
        values = condition_of(pairs, name)
        rows &= (values >= low) & (values <= high)
    return rows


def condition_of(pairs: Pairs, name: str) -> Floats:
    """Return a condition of pairs; ``range`` is the reference's result."""
    if name == "range":
        return pairs.reference
    if name not in pairs.conditions:
        raise ConfigError("condition", seen=name, allowed=["range", *pairs.conditions])
    return pairs.conditions[name]


def margin_of(endpoint: Endpoint, pairs: Pairs) -> float:
    """Return the margin in the statistic's unit; a relative one is of the mean of the reference's results as met.

    Raises
    ------
    UnitError
        If it is of another dimension, or a share of a scale whose zero is arbitrary.
    """
    margin, unit = endpoint.margin, unit_of(endpoint.statistic, pairs.unit)
    if (margin.is_relative or endpoint.statistic == "relative_bias") and has_arbitrary_zero(pairs.unit):
        raise UnitError(
            f"endpoint {endpoint.name!r}: {pairs.unit} has an arbitrary zero, so that a share of it says nothing: give "
            "a margin in a unit, of a statistic such as bias"
        )
    if margin.is_relative:
        if unit != pairs.unit:
            raise UnitError(
                f"endpoint {endpoint.name!r}: a share of the reference's mean is no margin of {endpoint.statistic}, "
                f"which is in {unit}: give one in that unit"
            )
        return margin.value * abs(float(pairs.reference.mean())) if len(pairs) else math.nan
    if not same_dimension(margin.unit, unit):
        raise UnitError(
            f"endpoint {endpoint.name!r}: a margin in {margin.unit} for {endpoint.statistic}, which is in {unit}: "
            "give it in a unit of that dimension"
        )
    # Of a difference: 1 degree Celsius is 1 K, not 274.15 K.
    ends = convert(np.array([0.0, margin.value]), margin.unit, unit)
    return float(ends[1] - ends[0])


def outcome_of(endpoint: Endpoint, interval: Interval, margin: float) -> Outcome:
    """Return what an interval shows against a margin.

    Parameters
    ----------
    endpoint : Endpoint
        The claim: its statistic and kind.
    interval : (float, float)
        Of probability 1 − 2·alpha.
    margin : float
        In the statistic's unit.

    Examples
    --------
    >>> from nilometer.trials.inference.endpoint import Margin
    >>> claim = Endpoint(name="bias", statistic="bias", margin=Margin(value=1.0, unit="1"))
    >>> [str(outcome_of(claim, ends, 1.0)) for ends in [(-0.5, 0.5), (0.5, 1.5), (1.1, 1.5)]]
    ['non_inferior', 'inconclusive', 'inferior']
    """
    low, high = _worse(endpoint, interval)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Outcome.INCONCLUSIVE
    two_sided = _is_two_sided(endpoint)
    if high < margin and (low > -margin or not two_sided):
        return Outcome.EQUIVALENT if endpoint.kind is Kind.EQUIVALENCE else Outcome.NON_INFERIOR
    if low > margin or (two_sided and high < -margin):
        return Outcome.INFERIOR
    return Outcome.INCONCLUSIVE


def _is_two_sided(endpoint: Endpoint) -> bool:
    return endpoint.statistic in IDEAL or (endpoint.kind is Kind.EQUIVALENCE and endpoint.statistic == "excess_error")


def distance_of(statistic: str, value: float) -> float:
    """Return how far a statistic is from its ideal: what is held against a margin."""
    return 1.0 - value if statistic in HIGHER_IS_BETTER else value - IDEAL.get(statistic, 0.0)


def _worse(endpoint: Endpoint, interval: Interval) -> Interval:
    """Return the interval as a distance from the ideal that grows with how bad the candidate is."""
    low, high = sorted(distance_of(endpoint.statistic, end) for end in interval)
    return low, high


def _check(endpoint: Endpoint, pairs: Pairs, arbiter: Floats | None, how: Sampling) -> None:
    margin_of(endpoint, pairs)
    within(pairs, endpoint.condition)
    if endpoint.statistic == "excess_error" and arbiter is None:
        raise ConfigError("arbiter", allowed="what a laboratory or a standard said of the pairs, for excess_error")
    if endpoint.statistic == "class_agreement" and not len(how.class_edges):
        raise ConfigError("class_edges", allowed="limits between classes, for class_agreement")


def _decide_one(
    pairs: Pairs,
    endpoint: Endpoint,
    arbiter: Floats | None,
    suspect: NDArray[np.bool_] | None,
    how: Sampling,
    *,
    sensitivity: bool,
) -> Decision:
    rows = within(pairs, endpoint.condition)
    truth = arbiter if endpoint.statistic == "excess_error" else None
    first = _outcome(pairs, rows, endpoint, truth, how)
    if first.figure.method == "" or not sensitivity:
        return first
    others = {
        "blocks of half the length": (rows, 0.5),
        "blocks of twice the length": (rows, 2.0),
    }
    if suspect is not None and np.any(suspect & rows):
        others["SUSPECT results left out"] = (rows & ~suspect, 1.0)
    flips = []
    for what, (kept, stretch) in others.items():
        other = _outcome(pairs, kept, endpoint, truth, how, stretch=stretch)
        if other.outcome is not first.outcome:
            flips.append(f"{_said(other.outcome)} with {what}")
    if flips:
        return replace(first, reason=f"{first.reason}; it hangs on how it is reckoned: {', '.join(flips)}")
    return first


def _outcome(
    pairs: Pairs,
    rows: NDArray[np.bool_],
    endpoint: Endpoint,
    arbiter: Floats | None,
    how: Sampling,
    *,
    stretch: float = 1.0,
) -> Decision:
    kept = pairs.take(rows)
    margin = margin_of(endpoint, kept)
    try:
        sampled = how.of(kept, arbiter=None if arbiter is None else arbiter[rows], stretch=stretch)
    except ValueError as error:
        if len(kept) >= 2 and arbiter is None and not _few_measured(kept):
            raise
        figure = Figure(
            name=endpoint.statistic,
            value=math.nan,
            unit=unit_of(endpoint.statistic, pairs.unit),
            probability=1.0 - 2.0 * endpoint.alpha,
            n=len(kept),
            note=str(error),
        )
        return Decision(
            endpoint=endpoint, outcome=Outcome.INCONCLUSIVE, figure=figure, margin=margin, reason=str(error)
        )
    figure = sampled.figure(endpoint.statistic, probability=1.0 - 2.0 * endpoint.alpha)
    outcome = outcome_of(endpoint, figure.interval, margin)
    lacking = (
        sampled.lack(endpoint.statistic, sampled.spread(endpoint.statistic)) if math.isfinite(figure.value) else ""
    )
    if lacking:
        outcome = Outcome.INCONCLUSIVE
    reason = _sentence(endpoint, figure, margin, outcome, lacking)
    decides = not lacking and all(math.isfinite(end) for end in figure.interval)
    note = caveat_of(endpoint.statistic, of_clusters=sampled.scheme == "clusters") if decides else ""
    return Decision(endpoint=endpoint, outcome=outcome, figure=figure, margin=margin, reason=reason, note=note)


def _few_measured(pairs: Pairs) -> bool:
    return int(np.count_nonzero((pairs.candidate_censored == 0) & (pairs.reference_censored == 0))) < 2


def _sentence(endpoint: Endpoint, figure: Figure, margin: float, outcome: Outcome, lacking: str) -> str:
    if not math.isfinite(figure.value):
        return f"{endpoint.statistic} cannot be formed: {figure.note}"
    if not math.isfinite(figure.interval[0]):
        return f"{endpoint.statistic} has no interval: {figure.note}"
    unit = symbol(figure.unit) if figure.unit != "1" else ""
    low, high = figure.interval
    ideal = IDEAL.get(endpoint.statistic, 0.0)
    if endpoint.statistic in HIGHER_IS_BETTER:
        bound = f"at least {1.0 - margin:.4g}"
    elif _is_two_sided(endpoint):
        bound = f"{ideal - margin:.4g} to {ideal + margin:.4g}"
    else:
        bound = f"below {margin:.4g}"
    where = {
        Outcome.NON_INFERIOR: "lies within what is allowed",
        Outcome.EQUIVALENT: "lies within what is allowed",
        Outcome.INFERIOR: "lies beyond what is allowed as a whole",
    }.get(outcome, "reaches beyond what is allowed, or says too little")
    if lacking:
        where = f"decides nothing: {lacking}"
    text = f"{endpoint.statistic} {figure.value:.4g}, {100 * figure.probability:g} % interval {low:.4g} to {high:.4g}"
    return f"{text}{' ' + unit if unit else ''} ({bound} allowed) {where}"


def _said(outcome: Outcome) -> str:
    return str(outcome).replace("_", "-")
