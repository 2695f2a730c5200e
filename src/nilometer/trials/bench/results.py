"""From the segments of a run to figures, limits and what they say: one place that joins statistics to steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from nilometer.trials.allan.noise import read_noise
from nilometer.trials.bench import laboratory, response, statistics
from nilometer.trials.bench.limits import BenchLimit, Finding, judge, limits_of
from nilometer.trials.bench.procedure import Test
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.segment import Outcome
from nilometer.trials.bench.selecting import (
    LEAST_RATES,
    allan_of,
    changes,
    is_numbers,
    laboratory_of,
    mean_of_segment,
    one_giving,
    readings_of,
    standard_of,
    way_up_and_down,
)
from nilometer.trials.figure import Figure
from nilometer.trials.statistics.field_comparison import Comparison as FieldComparison

__all__ = ["STATISTICS", "TestResult", "document_of", "results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test of a run.

    Parameters
    ----------
    test : Test
        Which, with its definition.
    figures : tuple of Figure
        What came out; NaN with a note where nothing could be said.
    limit : BenchLimit, optional
        What holds for the first figure.
    finding : Finding
        What the limit says.
    notes : tuple of str
        Doubts about the readings, and what the limit needs said.
    """

    __test__ = False  # pytest: a test of an instrument, not of this code

    test: Test
    figures: tuple[Figure, ...]
    limit: BenchLimit | None
    finding: Finding
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "test": self.test.key,
            "name": dict(self.test.name),
            "definition": self.test.definition,
            "confidence": self.test.confidence,
            "figures": [figure.to_dict() for figure in self.figures],
            "limit": self.limit.to_dict() if self.limit else None,
            "finding": str(self.finding),
            "notes": list(self.notes),
        }


def results(run: BenchRun, limits: Mapping[str, BenchLimit] | None = None) -> list[TestResult]:
    """Return every test of the procedure, made or not.

    Parameters
    ----------
    run : BenchRun
        Finished or not: tests whose steps lack are said to be not made.
    limits : mapping of str to BenchLimit, optional
        Default: those the procedure names.
    """
    known = limits if limits is not None else (limits_of(run.procedure.limits) if run.procedure.limits else {})
    return [_result(run, test, _limit_for(run, test, known)) for test in run.procedure.tests]


def _limit_for(run: BenchRun, test: Test, known: Mapping[str, BenchLimit]) -> BenchLimit | None:
    """Return the limit of a test; of an actual sample that of the band in which the laboratory's mean lies."""
    name = test.limit or test.key
    if test.statistic == "field_comparison":
        return laboratory.limit_of(_judged(run, test), run.procedure, name)
    low = known.get(f"{name}_low")
    if low is None or low.below is None or test.statistic != "actual_sample":
        return known.get(name)
    results = [value for value in laboratory_of(run, test.steps[0]) if math.isfinite(value)]
    return low if results and sum(results) / len(results) < low.below else known.get(name)


def document_of(run: BenchRun, found: Sequence[TestResult]) -> dict[str, Any]:
    """Return a run's results as plain JSON."""
    return {
        "procedure": run.procedure.key,
        "range": [run.procedure.low, run.procedure.high],
        "unit": run.procedure.unit,
        "phase": str(run.phase),
        "notes": list(run.notes),
        "results": [one.to_dict() for one in found],
    }


def _result(run: BenchRun, test: Test, limit: BenchLimit | None) -> TestResult:
    lacking = _lacking(run, test)
    if lacking:
        figures = [Figure(name=test.key, value=math.nan, unit=run.procedure.unit, note=lacking)]
    else:
        figures = STATISTICS[test.statistic](run, test)
    if limit is not None:  # a norm sets one of them a limit: that of its kind comes first
        figures = sorted(figures, key=lambda one: (one.unit == "%") != (limit.unit == "%"))
    elif not lacking:  # the noise a record does not show is said behind that which it does
        figures = sorted(figures, key=lambda one: math.isnan(one.value))
    finding, note = (Finding.NOT_MADE, lacking) if lacking else judge(figures[0], limit)
    notes = [note] if note and note != figures[0].note else []
    for key in test.steps:
        for segment in run.counted(key):
            about = [segment.reason] if segment.outcome is Outcome.SHORT else []
            notes += [f"{key}: {text}" for text in [*about, *segment.notes]]
    if limit is not None and limit.condition:
        notes.append(f"limit holds for: {limit.condition}")
    return TestResult(
        test=test, figures=tuple(figures), limit=limit, finding=finding, notes=tuple(dict.fromkeys(notes))
    )


def _lacking(run: BenchRun, test: Test) -> str:
    for fact in test.facts:
        if fact not in run.facts:
            return f"{fact} is not given: say it in the facts of the run"
        if not is_numbers(run.facts[fact]):
            return f"{fact} is {run.facts[fact]!r}: a number is needed, or a list of them"
    if test.statistic == "consistency" and len(run.beside) < 2:
        return f"{1 + len(run.beside)} of 3 units: runs of two more are needed beside it"
    if test.statistic in _BESIDE_LABORATORY and not laboratory_of(run, test.steps[0]):
        return f"laboratory.{test.steps[0]} is not given as a list of numbers: say it in the facts of the run"
    return _lacking_step(run, test)


def _lacking_step(run: BenchRun, test: Test) -> str:
    for key in test.steps:
        if run.counted(key):
            continue
        made = [one for one in run.segments if one.step == key and one.outcome is not Outcome.REPEATED]
        if not made:
            return f"step {key} was not made"
        last = made[-1]
        return f"step {key} was skipped: {last.reason}" if last.outcome is Outcome.SKIPPED else f"{key}: {last.reason}"
    return ""


def _of_readings(call: Callable[..., Figure]) -> Callable[[BenchRun, Test], list[Figure]]:
    return lambda run, test: [call(one_giving(run, test.steps[0]), run.procedure.unit, **test.options)]


def _error(run: BenchRun, test: Test) -> list[Figure]:
    """Return the relative error of each step's standard; the first figure is that of the first step."""
    found = [statistics.indication_error(readings_of(run, key), standard_of(run, key)) for key in test.steps]
    return [replace(one, name=f"indication_error_{key}") for key, one in zip(test.steps, found, strict=True)]


def _bias(run: BenchRun, test: Test) -> list[Figure]:
    unit = run.procedure.unit
    return [
        statistics.offset(readings_of(run, key), standard_of(run, key), unit, name=f"bias_{key}") for key in test.steps
    ]


def _drift(run: BenchRun, test: Test) -> list[Figure]:
    options = dict(test.options)
    span = run.procedure.span if options.pop("relative", True) else None
    return [statistics.drift(readings_of(run, test.steps[0]), run.procedure.unit, span, **options)]


def _drift_rate(run: BenchRun, test: Test) -> list[Figure]:
    segments = run.counted(test.steps[0])
    times = [moment for segment in segments for moment in segment.reading_times]
    return [statistics.drift_rate(times, readings_of(run, test.steps[0]), run.procedure.span)]


def _linearity_error(run: BenchRun, test: Test) -> list[Figure]:
    key = test.steps[0]
    return [statistics.linearity_error(readings_of(run, key), standard_of(run, key), run.procedure.span)]


def _line(run: BenchRun, test: Test) -> list[Figure]:
    found = statistics.line_of_levels(
        [standard_of(run, key) for key in test.steps], [readings_of(run, key) for key in test.steps], run.procedure.unit
    )
    return sorted(found, key=lambda one: one.name != "residual_s")  # the norm's figure first


def _influence(run: BenchRun, test: Test) -> list[Figure]:
    """Return the change from the first step's readings to those of each other step; largest first."""
    plain = readings_of(run, test.steps[0])
    found = [
        replace(
            statistics.influence(readings_of(run, key), plain, run.procedure.unit, **test.options),
            name=f"influence_{key}",
        )
        for key in test.steps[1:]
    ]
    return sorted(found, key=lambda one: -abs(one.value) if math.isfinite(one.value) else 0.0)


def _temperature(run: BenchRun, test: Test) -> list[Figure]:
    groups = [readings_of(run, key) for key in test.steps]
    return [statistics.temperature_compensation(groups, run.procedure.unit, **test.options)]


def _memory(run: BenchRun, test: Test) -> list[Figure]:
    """Return the first reading after the first standard minus the second's value, or its plain mean; largest first."""
    is_plain, found = test.options.get("against") == "mean", []
    for before, after in changes(run, test):
        if (before.step, after.step) != test.steps[:2]:
            continue
        first = next((value for value in after.readings if math.isfinite(value)), math.nan)
        rest = [value for one in run.counted(after.step) for value in one.readings[1 if one is after else 0 :]]
        rest = [value for value in rest if math.isfinite(value)]
        level = (float(np.mean(rest)) if rest else math.nan) if is_plain else standard_of(run, after.step)
        name = f"memory_{before.step}_to_{after.step}"
        found.append(Figure(name=name, value=first - level, unit=run.procedure.unit, n=1, method="first_reading"))
    none = Figure(name="memory", value=math.nan, unit=run.procedure.unit, note="no change between the standards")
    return sorted(found, key=lambda one: -abs(one.value)) or [none]


def _response(run: BenchRun, test: Test) -> list[Figure]:
    found = []
    for before, after in changes(run, test):
        times, values = after.arrays()
        start, end = mean_of_segment(before), mean_of_segment(after)
        # A signal that did not follow has no response, and its noise would be timed.
        if abs(end - start) < 0.5 * abs(standard_of(run, after.step) - standard_of(run, before.step)):
            end = start
        found.append(response.response_times(times, values, after.began_us, start, end))
    figures = response.summary_of_responses(found)
    return sorted(figures, key=lambda one: one.name != "response_time")


def _day_to_day(run: BenchRun, test: Test) -> list[Figure]:
    means = [mean_of_segment(segment) for segment in run.counted(test.steps[0])]
    least = int(test.options.get("days", 5))
    if len(means) < least:
        return [statistics.too_few("day_to_day", run.procedure.unit, len(means), least, "days")]
    return [statistics.spread(means, run.procedure.unit, name="day_to_day")]


def _hysteresis(run: BenchRun, test: Test) -> list[Figure]:
    """Return them of steps that come twice in a run: once on the way up, once on the way down."""
    levels, up, down = way_up_and_down(run, test)
    found = response.hysteresis(levels, up, down, run.procedure.span, run.procedure.unit)
    wanted = test.options.get("first", "hysteresis")
    return sorted(found, key=lambda one: one.name != wanted)


def _level_uncertainty(run: BenchRun, test: Test) -> list[Figure]:
    errors = [mean_of_segment(segment) - standard_of(run, key) for key in test.steps for segment in run.counted(key)]
    known = float(run.facts.get("reference_uncertainty", 0.0))
    return [response.level_uncertainty(errors, run.procedure.span, known)]


def _mtbf(run: BenchRun, test: Test) -> list[Figure]:
    del test
    return [statistics.mean_time_between_failures(float(run.facts["hours"]), int(run.facts["failures"]))]


def _valid_data(run: BenchRun, test: Test) -> list[Figure]:
    del test
    return [statistics.valid_data_rate(int(run.facts["valid"]), int(run.facts["due"]))]


def _up_time(run: BenchRun, test: Test) -> list[Figure]:
    del test
    working, total = float(run.facts["working_hours"]), float(run.facts["total_hours"])
    value = 100.0 * working / total if 0.0 <= working <= total and total > 0.0 else math.nan
    note = "" if math.isfinite(value) else f"{working:g} h of {total:g} h is no share"
    return [Figure(name="up_time", value=value, unit="%", method="ratio", note=note)]


def _consistency(run: BenchRun, test: Test) -> list[Figure]:
    """Return how alike units are over all steps, then at each of them."""
    units = [run, *run.beside]
    whole = statistics.consistency([[value for key in test.steps for value in readings_of(one, key)] for one in units])
    each = [
        replace(statistics.consistency([readings_of(one, key) for one in units]), name=f"consistency_{key}")
        for key in test.steps
        if all(one.counted(key) for one in units)
    ]
    return [whole, *(each if len(test.steps) > 1 else [])]


def _judged(run: BenchRun, test: Test) -> FieldComparison | str:
    """Return what the norm says of the pairs of a step, or why it says nothing."""
    key = test.steps[0]
    return laboratory.judged(
        readings_of(run, key), laboratory_of(run, key), run.procedure, test.options.get("norm", "")
    )


def _field_comparison(run: BenchRun, test: Test) -> list[Figure]:
    return laboratory.figures_of(_judged(run, test), run.procedure.unit)


def _largest_difference(run: BenchRun, test: Test) -> list[Figure]:
    key = test.steps[0]
    return [
        laboratory.largest_difference(
            readings_of(run, key), laboratory_of(run, key), run.procedure.unit, **test.options
        )
    ]


def _actual_sample(run: BenchRun, test: Test) -> list[Figure]:
    """Return the mean error beside the laboratory, in % of its results and in the unit."""
    ours, theirs = readings_of(run, test.steps[0]), laboratory_of(run, test.steps[0])
    return [
        statistics.beside_laboratory(ours, theirs, run.procedure.unit, relative=relative) for relative in (True, False)
    ]


def _error_of_fact(run: BenchRun, test: Test) -> list[Figure]:
    """Return the relative error of a check solution whose value is a fact of the run."""
    return [statistics.indication_error(readings_of(run, test.steps[0]), float(run.facts[test.facts[0]]))]


def _allan(run: BenchRun, test: Test) -> list[Figure]:
    """Return the noise terms of the longest stretch at a steady interval."""
    unit, curve = run.procedure.unit, allan_of(run, test)
    if isinstance(curve, tuple):
        return [statistics.too_few("random_walk", unit, curve[0], LEAST_RATES, curve[1])]
    figures = read_noise(curve, unit)
    return sorted(figures, key=lambda one: one.name != "random_walk")


_BESIDE_LABORATORY: Final = {"actual_sample", "field_comparison", "largest_difference"}
STATISTICS: Final[dict[str, Callable[[BenchRun, Test], list[Figure]]]] = {
    "actual_sample": _actual_sample,
    "allan": _allan,
    "bias": _bias,
    "consistency": _consistency,
    "day_to_day": _day_to_day,
    "detection_limit": _of_readings(statistics.detection_limit),
    "drift": _drift,
    "drift_rate": _drift_rate,
    "error_of_fact": _error_of_fact,
    "field_comparison": _field_comparison,
    "hysteresis": _hysteresis,
    "indication_error": _error,
    "influence": _influence,
    "level_uncertainty": _level_uncertainty,
    "largest_difference": _largest_difference,
    "line": _line,
    "linearity_error": _linearity_error,
    "memory": _memory,
    "mtbf": _mtbf,
    "repeatability": _of_readings(statistics.spread),
    "response": _response,
    "temperature_compensation": _temperature,
    "up_time": _up_time,
    "valid_data_rate": _valid_data,
}
"""What a procedure's file can name."""
