"""From two series to pairs of results of one water: what is compared with what, and a full account of what is not.

In this order: the candidate's unit becomes the reference's; what may not count is left out of both alike; the faster
instrument is slowed down to the slower; the clocks are compared, and corrected only where that was asked for; results
are paired. Nothing is filled, and no result counts twice where results pair one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import UnitError
from nilometer.model.flags import QartodFlag
from nilometer.trials.pairing.arm import Arm, moment
from nilometer.trials.pairing.clock import FARTHEST_US, ClockOffset, clock_offset
from nilometer.trials.pairing.matching import mutual_nearest, nearest, windows
from nilometer.trials.pairing.pairs import Pairs, check_size
from nilometer.trials.pairing.response import first_order, time_constant
from nilometer.units import affine, canonical

__all__ = ["Alignment", "Pairing", "Rules", "align", "with_condition"]


class Pairing(StrEnum):
    """How results meet."""

    AUTO = "auto"
    NEAREST = "nearest"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How two series are brought together.

    Parameters
    ----------
    flags : frozenset of QartodFlag
        What may count; with SUSPECT beside PASS the figures of a sensor that is trusted too much can be seen.
    maintenance : sequence of (int, int)
        Spans [start, end), µs by the reference's clock, out of both alike.
    period : (int, int), optional
        Of the trial.
    pairing : Pairing
        MEAN: the faster instrument's results are averaged over each interval of the slower's. AUTO does so where the
        slower's results stand for intervals at least twice as long as the faster's step, else pairs nearest results.
    tolerance_us : int, optional
        How far apart nearest results may be; without it half the shorter of the two sampling intervals.
    least_share : float
        Of the values that an interval should hold, for a mean.
    match_response : bool
        Whether the faster instrument is slowed down to the slower where both response times, or the slower's, are
        known.
    correct_clock : bool
        Whether a clear offset is taken out of the candidate's times.
    clock_tolerance_us : int, optional
        A clear offset above it is taken out unasked.
    clock_search_us : int
        How far apart the clocks may be; 0: they are not compared.
    cleanings : sequence of int
        Times at which the candidate was cleaned or calibrated, µs.
    """

    flags: frozenset[QartodFlag] = frozenset({QartodFlag.PASS})
    maintenance: Sequence[tuple[int, int]] = ()
    period: tuple[int, int] | None = None
    pairing: Pairing = Pairing.AUTO
    tolerance_us: int | None = None
    least_share: float = 0.75
    match_response: bool = True
    correct_clock: bool = False
    clock_tolerance_us: int | None = None
    clock_search_us: int = FARTHEST_US
    cleanings: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not 0.0 < self.least_share <= 1.0:
            raise ValueError(f"least_share = {self.least_share!r} (allowed: above 0, at most 1)")
        if self.tolerance_us is not None and self.tolerance_us < 0:
            raise ValueError(f"tolerance_us = {self.tolerance_us!r} (allowed: 0 or more)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What was done to two series, and every result that is in no pair.

    Parameters
    ----------
    pairs, censored_pairs : int
        Made; of these with a censored result on either side.
    candidate_rows, reference_rows : int
        That came in.
    candidate_used, reference_used : int
        That are in a pair, alone or in a mean.
    candidate_left_out, reference_left_out : mapping of str to int
        By reason: ``missing``, ``outside_period``, ``flag_suspect`` …, ``maintenance``, ``settling``,
        ``mixed_censoring``, ``too_few_values``, ``unmatched``. With what was used they add up to the rows.
    clock : ClockOffset
        What the series say of their clocks.
    clock_correction_us : int
        Taken out of the candidate's times; 0: they are as recorded.
    filtered : str
        ``candidate`` or ``reference`` where that one was slowed down, else empty.
    time_constant_us : float
        Of that filter.
    pairing : Pairing
        NEAREST or MEAN.
    averaged : str
        Which side was averaged; empty where neither was.
    interval_us : int
        Over which; 0 where neither was.
    tolerance_us : int
        Of nearest results.
    unit : str
        Of the pairs.
    notes : tuple of str
        What a reader has to know.
    """

    pairs: int
    censored_pairs: int
    candidate_rows: int
    reference_rows: int
    candidate_used: int
    reference_used: int
    candidate_left_out: Mapping[str, int]
    reference_left_out: Mapping[str, int]
    clock: ClockOffset
    clock_correction_us: int
    filtered: str
    time_constant_us: float
    pairing: Pairing
    averaged: str
    interval_us: int
    tolerance_us: int
    unit: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**asdict(self), "clock": self.clock.to_dict(), "pairing": str(self.pairing), "notes": list(self.notes)}


@dataclass(slots=True)
class _Side:
    """One arm on its way, and its account."""

    arm: Arm
    rows: int
    left_out: dict[str, int] = field(default_factory=dict)
    used: int = 0

    def leave(self, reason: str, count: int) -> None:
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count


def align(candidate: Arm, reference: Arm, rules: Rules | None = None) -> tuple[Pairs, Alignment]:
    """Pair the results of two instruments.

    Censored results keep their bound as value and are marked in the pairs: figures of differences leave them out and
    say how many, the agreement of classes uses them where the bound decides. A mean with censored results is a bound
    itself; one with bounds on both sides says nothing and is left out. The uncertainty of a mean is the mean of its
    uncertainties: what the results have in common does not get less by averaging.

    Parameters
    ----------
    candidate, reference : Arm
        As recorded.
    rules : Rules, optional
        How.

    Returns
    -------
    Pairs, Alignment
        In the reference's unit. The pairs' times are the slower instrument's (the reference's where both are alike).

    Raises
    ------
    UnitError
        If the units are not of one dimension.
    ValueError
        If nothing is left of a side, the two do not overlap, or no results meet: with what was left out and why.

    Examples
    --------
    >>> minutes = np.arange(0, 60, 10) * 60_000_000
    >>> fast = Arm(time=minutes, values=np.arange(6.0), unit="mg L-1")
    >>> slow = Arm(time=minutes[::3], values=np.array([1.1, 4.2]), unit="ug L-1", duration_us=1_800_000_000)
    >>> pairs, account = align(fast, slow)
    >>> pairs.candidate.round().tolist(), pairs.unit, str(account.pairing)
    ([1000.0, 4000.0], 'ug L-1', 'mean')
    """
    rules = rules or Rules()
    converted = _in_unit(candidate, reference)
    notes: list[str] = []
    sides = _admitted(converted, reference, rules, 0)
    filtered, tau = _slow_down(sides, rules, notes)
    clock, correction = _clocks(sides, rules, notes)
    if correction:
        # Spans of maintenance are by the reference's clock: what they touch is known only now.
        sides = _admitted(converted, reference, rules, correction)
        _slow_down(sides, rules, [])
    _must_overlap(sides)
    check_size(*(side.arm.values for side in sides))
    pairs, pairing, averaged, length, tolerance = _paired(sides, rules, notes)
    ours, theirs = sides
    if not len(pairs):
        raise ValueError(
            f"no result of {ours.arm.name} meets one of {theirs.arm.name}: left out are {_counts(ours.left_out)} of "
            f"the one, {_counts(theirs.left_out)} of the other; the tolerance is {tolerance / 1e6:g} s, the least "
            f"share of values of a mean {rules.least_share:g}: look at their times, or allow more in [alignment]"
        )
    if rules.cleanings:
        stretch = np.searchsorted(np.sort(np.asarray(rules.cleanings, np.int64)), pairs.time, side="right")
        pairs = replace(pairs, interval=stretch.astype(np.int32))
    return pairs, Alignment(
        pairs=len(pairs),
        censored_pairs=int(np.count_nonzero((pairs.candidate_censored != 0) | (pairs.reference_censored != 0))),
        candidate_rows=ours.rows,
        reference_rows=theirs.rows,
        candidate_used=ours.used,
        reference_used=theirs.used,
        candidate_left_out=ours.left_out,
        reference_left_out=theirs.left_out,
        clock=clock,
        clock_correction_us=correction,
        filtered=filtered,
        time_constant_us=tau,
        pairing=pairing,
        averaged=averaged,
        interval_us=length,
        tolerance_us=tolerance,
        unit=pairs.unit,
        notes=tuple(notes),
    )


def with_condition(pairs: Pairs, name: str, condition: Arm, tolerance_us: int) -> Pairs:
    """Return the pairs with what the water was like at their times: the nearest value within a tolerance, else NaN.

    Parameters
    ----------
    pairs : Pairs
        In any order.
    name : str
        Of the condition, such as ``temperature``.
    condition : Arm
        Its series; only values that PASS count.
    tolerance_us : int
        How far away a value may be.
    """
    usable, _ = condition.admissible(frozenset({QartodFlag.PASS}))
    found = np.full(len(pairs), np.nan)
    if len(usable):
        near = nearest(pairs.time, usable.time)
        fits = np.abs(usable.time[near] - pairs.time) <= tolerance_us
        found[fits] = usable.values[near[fits]]
    return replace(pairs, conditions={**pairs.conditions, name: found})


def _in_unit(candidate: Arm, reference: Arm) -> Arm:
    try:
        affine(candidate.unit, reference.unit)
    except UnitError as error:
        raise UnitError(f"{candidate.name} cannot be held against {reference.name}: {error}") from error
    return candidate.in_unit(reference.unit)


def _admitted(candidate: Arm, reference: Arm, rules: Rules, correction: int) -> tuple[_Side, _Side]:
    sides = []
    for arm in (candidate.shifted(-correction), reference):
        if not len(arm):
            raise ValueError(f"{arm.name}: the series is empty: there is nothing to pair")
        usable, reasons = arm.admissible(rules.flags, rules.maintenance, rules.period)
        if not len(usable):
            raise ValueError(
                f"{arm.name}: none of {len(arm)} results may count"
                + (f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})" if reasons else "")
                + ": look at its flags, the period of the trial and the spans of maintenance"
            )
        sides.append(_Side(usable, len(arm), reasons))
    return sides[0], sides[1]


def _slow_down(sides: tuple[_Side, _Side], rules: Rules, notes: list[str]) -> tuple[str, float]:
    """Pass the faster series through what its instrument lacks in slowness; return which, and the time constant."""
    ours, theirs = sides
    if ours.arm.response_us == theirs.arm.response_us:
        return "", 0.0
    if not rules.match_response:
        notes.append("the response times differ and were left as they are: differences hold what the slower one lags")
        return "", 0.0
    name, fast = ("candidate", ours) if ours.arm.response_us < theirs.arm.response_us else ("reference", theirs)
    # Delays of instruments in a row add up, so the filter makes up the difference of the time constants.
    tau = time_constant(abs(ours.arm.response_us - theirs.arm.response_us))
    if fast.arm.step_us > 5.0 * tau:
        notes.append("the response times are short beside the sampling interval: neither series was slowed down")
        return "", 0.0
    measured = fast.arm if fast.arm.censored is None else fast.arm.take(fast.arm.censored == 0)
    fast.leave("censored_before_filter", len(fast.arm) - len(measured))
    longest = max(3 * fast.arm.step_us, round(tau))
    shown, settled = first_order(measured.time, measured.values, tau, longest)
    fast.leave("settling", int(np.count_nonzero(~settled)))
    fast.arm = replace(measured, values=shown).take(settled)
    return name, tau


def _clocks(sides: tuple[_Side, _Side], rules: Rules, notes: list[str]) -> tuple[ClockOffset, int]:
    if not rules.clock_search_us:
        return ClockOffset(note="the clocks were not compared"), 0
    plain = []
    for side in sides:
        arm = side.arm if side.arm.censored is None else side.arm.take(side.arm.censored == 0)
        plain.append((arm.time + arm.duration_us // 2, arm.values))
    if min(len(times) for times, _ in plain) < 2:
        return ClockOffset(note="there are too few results to compare the clocks"), 0
    found = clock_offset(
        plain[0],
        plain[1],
        step_us=max(side.arm.step_us for side in sides),
        search_us=rules.clock_search_us,
    )
    limit = rules.clock_tolerance_us
    is_wanted = rules.correct_clock or (limit is not None and abs(found.offset_us) > limit)
    if not found.is_clear:
        if rules.correct_clock or found.named:
            notes.append(f"the clocks were left alone: {found.note}")
        return found, 0
    is_real = abs(found.offset_us) > 3.0 * found.uncertainty_us
    if is_wanted and is_real:
        correction = found.named_us or round(found.offset_us)
        notes.append(f"the candidate's clock ran {_ahead(correction)} and was corrected")
        return found, correction
    if found.named:
        kind = "daylight saving" if found.named == "daylight_saving" else "another time zone"
        notes.append(
            f"the clocks are {found.named_us / 3.6e9:+.0f} h apart, which looks like {kind}; nothing was moved"
        )
    elif is_real and abs(found.offset_us) > found.step_us / 2:
        notes.append(f"the candidate's clock seems to run {_ahead(found.offset_us)}; nothing was moved")
    return found, 0


def _ahead(offset_us: float) -> str:
    return f"{abs(offset_us) / 1e6:.0f} s {'ahead' if offset_us > 0 else 'behind'}"


def _counts(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in left_out.items()) or "none"


def _must_overlap(sides: tuple[_Side, _Side]) -> None:
    for side in sides:
        if not len(side.arm):
            raise ValueError(
                f"{side.arm.name}: no result is left after it was slowed down ({_counts(side.left_out)}): its "
                "stretches are shorter than the other's response time; leave the responses as they are"
            )
    (a, b) = (side.arm for side in sides)
    ends = [(int(arm.time[0]), int(arm.time[-1]) + arm.duration_us) for arm in (a, b)]
    slack = max(a.step_us, b.step_us)
    if ends[0][0] <= ends[1][1] + slack and ends[1][0] <= ends[0][1] + slack:
        return
    apart = (ends[1][0] - ends[0][1] if ends[1][0] > ends[0][1] else ends[0][0] - ends[1][1]) / 3.6e9
    raise ValueError(
        f"{a.name} ({moment(ends[0][0])} to {moment(ends[0][1])}) and {b.name} ({moment(ends[1][0])} to "
        f"{moment(ends[1][1])}) do not overlap, {apart:.1f} h lie between them: look at their dates and time zones"
    )


def _paired(sides: tuple[_Side, _Side], rules: Rules, notes: list[str]) -> tuple[Pairs, Pairing, str, int, int]:
    ours, theirs = sides
    # Where both are alike the reference gives the times.
    slow, fast = (ours, theirs) if _length(ours.arm) > _length(theirs.arm) else (theirs, ours)
    length = slow.arm.duration_us or slow.arm.step_us
    is_mean = rules.pairing is Pairing.MEAN or (
        rules.pairing is Pairing.AUTO and slow.arm.duration_us >= 2 * max(fast.arm.step_us, fast.arm.duration_us, 1)
    )
    if is_mean and length > 0:
        rows, fast_arm = _means(slow, fast, length, rules.least_share)
        tolerance = 0
    else:
        steps = [arm.step_us for arm in (slow.arm, fast.arm) if arm.step_us]
        tolerance = rules.tolerance_us if rules.tolerance_us is not None else min(steps, default=0) // 2
        middle = [side.arm.time + side.arm.duration_us // 2 for side in (slow, fast)]
        rows, others = mutual_nearest(middle[0], middle[1], tolerance)
        fast_arm = fast.arm.take(others)
        apart = float(np.median(np.abs(middle[0][rows] - middle[1][others]))) if len(rows) else 0.0
        if apart > 0.25 * max(min(steps, default=0), 1):
            notes.append(
                f"the results of a pair lie {apart / 1e6:g} s apart in the median: what the water did then is in it"
            )
        slow.leave("unmatched", len(slow.arm) - len(rows))
        fast.leave("unmatched", len(fast.arm) - len(others))
        fast.used = len(others)
    slow.used = len(rows)
    slow_arm = slow.arm.take(rows)
    one, other = (slow_arm, fast_arm) if slow is ours else (fast_arm, slow_arm)
    pairs = Pairs.of(
        slow_arm.time,
        one.values,
        other.values,
        canonical(theirs.arm.unit),
        **_columns("candidate", one),
        **_columns("reference", other),
    )
    averaged = ("reference" if slow is ours else "candidate") if is_mean and length > 0 else ""
    return pairs, Pairing.MEAN if averaged else Pairing.NEAREST, averaged, length if averaged else 0, tolerance


def _length(arm: Arm) -> int:
    return max(arm.duration_us, arm.step_us)


def _columns(side: str, arm: Arm) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if arm.censored is not None:
        found[f"{side}_censored"] = np.asarray(arm.censored, np.int8)
    if arm.uncertainty is not None:
        found[f"{side}_uncertainty"] = np.asarray(arm.uncertainty, np.float64)
    return found


def _means(slow: _Side, fast: _Side, length: int, least_share: float) -> tuple[NDArray[np.int64], Arm]:
    """Return which slow results have enough fast ones, and these as one mean a slow result.

    A result of an interval belongs where its middle lies. An instant of the slower one stands in the middle of what
    is averaged.
    """
    arm = fast.arm
    start = slow.arm.time - (0 if slow.arm.duration_us else length // 2)
    inside = windows(arm.time + arm.duration_us // 2, start, length)
    expected = max(length / arm.step_us, 1.0) if arm.step_us else 1.0
    enough = inside.count >= max(least_share * expected - 1e-9, 1.0)
    below = inside.any(arm.censored < 0) if arm.censored is not None else np.zeros(len(start), np.bool_)
    above = inside.any(arm.censored > 0) if arm.censored is not None else np.zeros(len(start), np.bool_)
    fits = enough & ~(below & above)
    slow.leave("too_few_values", int(np.count_nonzero(~enough)))
    slow.leave("mixed_censoring", int(np.count_nonzero(enough & below & above)))
    covered = np.zeros(len(arm) + 1, np.int64)
    np.add.at(covered, inside.begin[fits], 1)
    np.add.at(covered, inside.end[fits], -1)
    fast.used = int(np.count_nonzero(np.cumsum(covered[:-1])))
    fast.leave("unmatched", len(arm) - fast.used)
    rows = np.flatnonzero(fits)
    return rows, replace(
        arm,
        time=slow.arm.time[rows],
        values=inside.mean(arm.values)[rows],
        flags=None,
        censored=None if arm.censored is None else (above.astype(np.int8) - below.astype(np.int8))[rows],
        uncertainty=None if arm.uncertainty is None else inside.mean(arm.uncertainty)[rows],
    )
