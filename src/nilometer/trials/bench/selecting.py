"""What a statistic takes of a run: readings, standards, changes between them, the laboratory, a record at rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from nilometer.trials.allan.deviation import AllanCurve, allan_curve
from nilometer.trials.bench.procedure import Test
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.segment import Segment

__all__ = [
    "LEAST_RATES",
    "allan_of",
    "changes",
    "is_numbers",
    "laboratory_of",
    "mean_of_segment",
    "one_giving",
    "readings_of",
    "standard_of",
    "way_up_and_down",
]

LEAST_RATES: Final = 101
"""Values of a record below which no noise is read from it."""


def readings_of(run: BenchRun, key: str) -> list[float]:
    """Return the readings of a step that count, in order of time."""
    return [value for segment in run.counted(key) for value in segment.readings]


def one_giving(run: BenchRun, key: str) -> list[float]:
    """Return the readings of the first time that a standard was given; of steps of one reading those of all times.

    Repeatability is that of readings in a row: what giving a standard again adds is no part of it.
    """
    several = [one.readings for one in run.counted(key) if len(one.readings) > 1]
    return list(several[0]) if several else readings_of(run, key)


def standard_of(run: BenchRun, key: str) -> float:
    """Return the nominal value of a step's standard; NaN where it has none."""
    level = run.procedure.steps[key].nominal(run.procedure.low, run.procedure.high)
    return math.nan if level is None else level


def mean_of_segment(segment: Segment) -> float:
    """Return the mean of a segment's readings; NaN without any."""
    return float(np.nanmean(segment.readings)) if np.isfinite(segment.readings).any() else math.nan


def changes(run: BenchRun, test: Test) -> list[tuple[Segment, Segment]]:
    """Return the segments that followed each other in time, where both are of the test's steps and differ."""
    made = sorted((one for key in dict.fromkeys(test.steps) for one in run.counted(key)), key=lambda one: one.began_us)
    every = sorted((one for one in run.segments if one.values), key=lambda one: one.began_us)
    follows = {id(after): before for before, after in pairwise(every)}
    return [
        (follows[id(one)], one)
        for one in made
        if id(one) in follows and follows[id(one)] in made and follows[id(one)].step != one.step
    ]


def way_up_and_down(run: BenchRun, test: Test) -> tuple[list[float], list[float], list[float]]:
    """Return standards with mean readings of steps that come twice in a run: on the way up, on the way down."""
    levels, up, down = [], [], []
    for key in test.steps:
        made = sorted(run.counted(key), key=lambda one: one.began_us)
        levels.append(standard_of(run, key))
        up.append(mean_of_segment(made[0]))
        down.append(mean_of_segment(made[-1]) if len(made) > 1 else math.nan)
    return levels, up, down


def laboratory_of(run: BenchRun, key: str) -> list[float]:
    """Return the laboratory's results of a step; none where they are not there, or no list of numbers."""
    table = run.facts.get("laboratory")
    given = table.get(key) if isinstance(table, Mapping) else None
    return [float(value) for value in given] if isinstance(given, list) and is_numbers(given) else []


def is_numbers(given: object) -> bool:
    """Return whether a fact is a number, or a list of such."""
    if isinstance(given, list):
        return all(is_numbers(one) for one in given)
    return isinstance(given, int | float) and not isinstance(given, bool)


def allan_of(run: BenchRun, test: Test) -> AllanCurve | tuple[int, str]:
    """Return the Allan curve of the longest stretch at a steady interval, or how many values there are instead."""
    times, values = max((one.arrays() for one in run.counted(test.steps[0])), key=lambda one: len(one[0]))
    steps = np.diff(times)
    if len(values) < LEAST_RATES:
        return len(values), "values"
    interval = float(np.median(steps))
    cuts = np.flatnonzero((np.abs(steps - interval) > 0.5 * interval) | ~np.isfinite(values[1:])) + 1
    ends = np.concatenate([[0], cuts, [len(values)]])
    longest = int(np.argmax(np.diff(ends)))
    part = values[ends[longest] : ends[longest + 1]]
    part = part[np.isfinite(part)]
    if len(part) < LEAST_RATES:
        return len(part), "values without a gap"
    return allan_curve(part, "log", interval_s=interval / 1e6)
