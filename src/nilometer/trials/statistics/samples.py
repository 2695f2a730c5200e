"""Grab samples that a laboratory analysed, as arbiter of both instruments.

A laboratory errs, too: its uncertainty goes into every figure that can hold it, and is told beside the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import UnitError
from nilometer.model.flags import QartodFlag
from nilometer.trials.figure import Figure
from nilometer.trials.pairing.alignment import Rules
from nilometer.trials.pairing.arm import Arm, Spans
from nilometer.trials.pairing.matching import windows
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.differences import lacking
from nilometer.trials.statistics.field_comparison import Comparison, compare_with_laboratory
from nilometer.uncertainty.coverage import coverage_factor
from nilometer.units import affine, convert, symbol

__all__ = ["Sampled", "error_figures", "judge_by_norm", "match_samples"]

Floats = NDArray[np.float64]
LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Samples at which both instruments have results.

    Parameters
    ----------
    pairs : Pairs
        Candidate and reference at the times of the samples: means of what each gave around them.
    laboratory, laboratory_uncertainty : ndarray of float64, shape (n,)
        The laboratory's results and their standard uncertainty (k = 1; NaN where unknown), in the unit of the pairs.
    candidate_count, reference_count : ndarray of int64, shape (n,)
        Results in each mean.
    left_out : mapping of str to int
        Samples that are not used, by reason: ``missing``, ``censored``, ``outside_period``, ``maintenance``,
        ``no_candidate``, ``no_reference`` …
    """

    pairs: Pairs
    laboratory: Floats
    laboratory_uncertainty: Floats
    candidate_count: NDArray[np.int64]
    reference_count: NDArray[np.int64]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def candidate_error(self) -> Floats:
        """Candidate minus laboratory."""
        return self.pairs.candidate - self.laboratory

    @property
    def reference_error(self) -> Floats:
        """Reference minus laboratory."""
        return self.pairs.reference - self.laboratory

    @property
    def excess_error(self) -> Floats:
        """By how much the candidate's error is the larger, without sign: below 0 where it is the smaller."""
        return np.abs(self.candidate_error) - np.abs(self.reference_error)

    @property
    def score(self) -> Floats:
        """The candidate's ζ score: its error over the combined standard uncertainty of both (ISO 13528).

        NaN where the laboratory's uncertainty is unknown; an unknown one of the candidate counts as none.
        """
        own = np.nan_to_num(self.pairs.candidate_uncertainty, nan=0.0)
        both = np.hypot(own, self.laboratory_uncertainty)
        found = np.full(len(self), np.nan)
        np.divide(self.candidate_error, both, out=found, where=both > 0.0)
        return found


def match_samples(
    candidate: Arm,
    reference: Arm,
    samples: Arm,
    window_us: int,
    *,
    rules: Rules | None = None,
) -> Sampled:
    """Bring samples together with what both instruments showed around them.

    Parameters
    ----------
    candidate, reference : Arm
        As recorded; of intervals, the middle says whether one lies near a sample.
    samples : Arm
        Times of sampling and results of the laboratory.
    window_us : int
        Results count up to so long before and after the sampling.
    rules : Rules, optional
        Flags, maintenance and period, as of the pairs. Flags do not hold for samples.

    Returns
    -------
    Sampled
        In the reference's unit; censored results of any side are not used. May be empty: `left_out` says why.

    Raises
    ------
    UnitError
        If units are not of one dimension.
    ValueError
        If the window has no length.

    Examples
    --------
    >>> minutes = np.arange(0, 60, 10) * 60_000_000
    >>> new, old = (Arm(time=minutes, values=np.arange(6.0) + off, unit="mg L-1") for off in (0.5, 0.1))
    >>> water = Arm(time=np.array([20 * 60_000_000]), values=np.array([2000.0]), unit="ug L-1")
    >>> found = match_samples(new, old, water, 10 * 60_000_000)
    >>> found.pairs.candidate.tolist(), found.laboratory.tolist(), found.excess_error.round(3).tolist()
    ([2.5], [2.0], [0.4])
    """
    if window_us <= 0:
        raise ValueError(f"window_us = {window_us!r} (allowed: above 0)")
    rules = rules or Rules()
    unit = reference.unit
    ours, laboratory = (_in_unit(arm, unit, reference.name) for arm in (candidate, samples))
    usable, left_out = laboratory.admissible(frozenset(QartodFlag), rules.maintenance, rules.period)
    if usable.censored is not None:
        plain = usable.censored == 0
        _note(left_out, "censored", ~plain)
        usable = usable.take(plain)
    sides = [_around(arm, usable.time, window_us, rules.flags, rules.maintenance) for arm in (ours, reference)]
    there = np.ones(len(usable), np.bool_)
    for name, (means, _, _) in zip(("no_candidate", "no_reference"), sides, strict=True):
        gone = there & ~np.isfinite(means)
        _note(left_out, name, gone)
        there &= ~gone
    unknown = np.full(len(usable), np.nan)
    pairs = Pairs.of(
        usable.time[there],
        sides[0][0][there],
        sides[1][0][there],
        unit,
        candidate_uncertainty=sides[0][2][there],
        reference_uncertainty=sides[1][2][there],
    )
    return Sampled(
        pairs=pairs,
        laboratory=usable.values[there],
        laboratory_uncertainty=(unknown if usable.uncertainty is None else usable.uncertainty)[there],
        candidate_count=sides[0][1][there],
        reference_count=sides[1][1][there],
        left_out=left_out,
    )


def error_figures(sampled: Sampled, *, probability: float = 0.95) -> tuple[Figure, ...]:
    """Return how candidate and reference err against the laboratory.

    Parameters
    ----------
    sampled : Sampled
        Samples are taken as independent: of days, not of minutes.
    probability : float
        Of Student's intervals.

    Returns
    -------
    tuple of Figure
        ``excess_error``: mean of |candidate's error| − |reference's error|, the statistic of non-inferiority against an
        arbiter; ``excess_mean_square``: the same of squares, in which the laboratory's own error cancels;
        ``candidate_error`` and ``reference_error``: mean errors; ``candidate_error_rms`` and ``reference_error_rms``:
        root mean squares less the laboratory's stated uncertainty; ``score_share``: samples with |ζ| of 2 or less.
    """
    unit, n = sampled.pairs.unit, len(sampled)
    ours, theirs = sampled.candidate_error, sampled.reference_error
    square = _squared(unit)
    spread = sampled.laboratory_uncertainty
    is_known = bool(n) and bool(np.isfinite(spread).all())
    told = (
        f"the laboratory's standard uncertainty is {float(np.sqrt(np.mean(spread**2))):.3g} {symbol(unit)}".rstrip()
        if is_known
        else "the laboratory's uncertainty is not stated: its error counts as the instruments'"
    )
    figures = [
        _mean("excess_error", sampled.excess_error, unit, probability, told),
        _mean("excess_mean_square", ours**2 - theirs**2, square, probability, "the laboratory's own error cancels"),
        _mean("candidate_error", ours, unit, probability, told),
        _mean("reference_error", theirs, unit, probability, told),
    ]
    for name, error in (("candidate_error_rms", ours), ("reference_error_rms", theirs)):
        figures.append(_rms(name, error, spread if is_known else np.zeros(n), unit, told))
    score = sampled.score[np.isfinite(sampled.score)]
    share = float(np.mean(np.abs(score) <= 2.0)) if len(score) else math.nan
    note = "" if len(score) else "the laboratory's uncertainty is not stated"
    figures.append(Figure(name="score_share", value=share, unit="1", n=len(score), method="count", note=note))
    return tuple(figures)


def judge_by_norm(sampled: Sampled, observed_property: str, norm: str = "hj355-2019") -> tuple[Comparison, Comparison]:
    """Judge candidate and reference beside the laboratory by a norm of the field.

    Parameters
    ----------
    sampled : Sampled
        Of actual water samples.
    observed_property : str
        Vocabulary key, such as ``codcr``.
    norm : str
        Of `nilometer.trials.statistics.field_comparison`.

    Returns
    -------
    Comparison, Comparison
        Of the candidate, of the reference: a reference that does not pass itself says little of the candidate.

    Raises
    ------
    ConfigError, ValueError, UnitError
        As `compare_with_laboratory` does, or if the unit cannot become the table's.
    """
    unit = "1" if observed_property == "ph" else "mg L-1"
    ours, theirs, laboratory = (
        convert(each, sampled.pairs.unit, unit).tolist()
        for each in (sampled.pairs.candidate, sampled.pairs.reference, sampled.laboratory)
    )
    return (
        compare_with_laboratory(ours, laboratory, observed_property, norm),
        compare_with_laboratory(theirs, laboratory, observed_property, norm),
    )


def _squared(unit: str) -> str:
    """Return the CF text of a unit times itself."""

    def twice(part: re.Match[str]) -> str:
        return f"{part[1]}{2 * int(part[2] or 1)}"

    return unit if unit == "1" else re.sub(r"([^\W\d]+)(-?\d+)?", twice, unit)


def _in_unit(arm: Arm, unit: str, name: str) -> Arm:
    try:
        affine(arm.unit, unit)
    except UnitError as error:
        raise UnitError(f"{arm.name} cannot be held against {name}: {error}") from error
    return arm.in_unit(unit)


def _note(left_out: dict[str, int], reason: str, rows: NDArray[np.bool_]) -> None:
    if rows.any():
        left_out[reason] = left_out.get(reason, 0) + int(np.count_nonzero(rows))


def _around(
    arm: Arm, times: NDArray[np.int64], window_us: int, flags: frozenset[QartodFlag], maintenance: Spans
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return mean, count and mean uncertainty of what an instrument showed around each time."""
    usable, _ = arm.admissible(flags, maintenance)
    if usable.censored is not None:
        usable = usable.take(usable.censored == 0)
    # Both ends of the window belong to it.
    inside = windows(usable.time + usable.duration_us // 2, times - window_us, 2 * window_us + 1)
    spread = np.full(len(times), np.nan) if usable.uncertainty is None else inside.mean(usable.uncertainty)
    return inside.mean(usable.values), inside.count, spread


def _mean(name: str, column: Floats, unit: str, probability: float, note: str) -> Figure:
    n = len(column)
    if n < LEAST:
        return lacking(name, unit, n, f"{n} samples: {LEAST} or more are needed")
    value = float(column.mean())
    half = coverage_factor(probability, n - 1) * float(column.std(ddof=1)) / math.sqrt(n)
    return Figure(
        name=name,
        value=value,
        unit=unit,
        interval=(value - half, value + half),
        probability=probability,
        n=n,
        method="student_t",
        note=note,
    )


def _rms(name: str, error: Floats, spread: Floats, unit: str, note: str) -> Figure:
    n = len(error)
    if n < LEAST:
        return lacking(name, unit, n, f"{n} samples: {LEAST} or more are needed")
    rest = float(np.mean(error**2 - spread**2))
    if rest < 0.0:
        return lacking(name, unit, n, f"the errors are smaller than the laboratory's uncertainty explains; {note}")
    return Figure(name=name, value=math.sqrt(rest), unit=unit, n=n, method="moments", note=note)
