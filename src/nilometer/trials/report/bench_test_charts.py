"""Pictures of single tests of a bench: response, line with residuals, drift, hysteresis, Allan curve, pairs, units."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from nilometer.trials.allan.deviation import AllanCurve
from nilometer.trials.bench.laboratory import judged
from nilometer.trials.bench.response import response_times
from nilometer.trials.bench.results import TestResult
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.selecting import (
    allan_of,
    changes,
    laboratory_of,
    mean_of_segment,
    readings_of,
    standard_of,
    way_up_and_down,
)
from nilometer.trials.bench.wording import word
from nilometer.trials.figure import Figure
from nilometer.trials.report.bench_charts import in_hours, limit_lines, with_unit
from nilometer.trials.report.canvas import ACCENT, AMBER, GREY, INK, LINE, SHADE, SOFT, VERMILION, paper, sheet, svg_of
from nilometer.trials.report.numbers import plain
from nilometer.trials.report.words import Words
from nilometer.units import convert

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawing", "drawing_of"]

Drawing = tuple[str, str]
"""A picture and its caption."""

_SLOPE: Final = re.compile(r"line of slope ([+-][\d.]+) from ([\d.e+-]+) to ([\d.e+-]+) s, read at ([\d.e+-]+) s")
_FLAT: Final = re.compile(r"flat from ([\d.e+-]+) to ([\d.e+-]+) s")
_STYLES: Final = ((INK, "--"), (AMBER, "-."), (VERMILION, "-"), (GREY, "--"), (SOFT, "-."))


def drawing_of(run: BenchRun, result: TestResult, words: Words) -> Drawing | None:
    """Return the picture of a test where it says more than figures do; None for others, and where there are none."""
    draw = _DRAWINGS.get(result.test.statistic)
    if draw is None or not any(math.isfinite(figure.value) for figure in result.figures):
        return None
    return draw(run, result, words)


def _response(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    with paper(2.9) as (figure, axes):
        longest = 0.0
        for place, (before, after) in enumerate(changes(run, result.test)):
            start, end = mean_of_segment(before), mean_of_segment(after)
            times, values = after.arrays()
            told = response_times(times, values, after.began_us, start, end)
            if not math.isfinite(told["response"]):
                continue
            x, share = (times - after.began_us) / 1e6, (values - start) / (end - start)
            longest = max(longest, told["response"])
            colour = ACCENT if end > start else AMBER
            axes.plot(np.concatenate([[0.0], x]), np.concatenate([[0.0], share]), color=colour, linewidth=0.9, zorder=2)
            axes.plot([told["response"]], [0.9], marker="o", markersize=4, color=INK, zorder=4 + place)
        for level in (0.1, 0.9):
            axes.axhline(level, color=SOFT, linewidth=0.8, linestyle=":", zorder=1)
        axes.set_xlim(0.0, 3.0 * longest)
        axes.set_xlabel(words("bench_chart.seconds"))
        axes.set_ylabel(words("bench_chart.share"))
        return svg_of(figure), words("bench_sentence.response_says")


def _line(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    keys = result.test.steps
    pairs = [(standard_of(run, key), value) for key in keys for value in readings_of(run, key) if math.isfinite(value)]
    x, y = (np.array(column) for column in zip(*pairs, strict=True))
    known = {figure.name: figure.value for figure in result.figures}
    slope, intercept = known["slope"], known["intercept"]
    unit = run.procedure.unit
    with sheet(4.2, 2, 1, heights=(3, 2)) as (figure, (upper, lower)):
        ends = np.array([x.min(), x.max()])
        upper.plot(ends, intercept + slope * ends, color=INK, linewidth=1.0, zorder=1)
        upper.plot(x, y, linestyle="", marker="o", markersize=3, color=ACCENT, zorder=2)
        upper.set_ylabel(with_unit(words("bench_chart.reading"), unit))
        lower.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
        lower.plot(x, y - intercept - slope * x, linestyle="", marker="o", markersize=3, color=ACCENT, zorder=2)
        lower.set_ylabel(with_unit(words("bench_chart.residual"), unit))
        lower.set_xlabel(with_unit(words("bench_chart.standard"), unit))
        return svg_of(figure), words("bench_sentence.line_says")


def _drift(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    x, y = in_hours(result.test, run)
    first = int(result.test.options.get("first", 3))
    level = float(y[np.isfinite(y)][:first].mean())
    bound = result.limit.at_most if result.limit is not None else None
    if bound is not None and result.limit is not None and result.limit.unit == "%":
        bound *= run.procedure.span / 100.0
    with paper(2.5) as (figure, axes):
        axes.axhline(level, color=SOFT, linewidth=0.9, linestyle="--", zorder=1)
        # A limit far beyond the readings would make of them a line.
        if bound is not None and bound < 8.0 * float(np.nanmax(np.abs(y - level))):
            limit_lines(axes, bound, level, words)
        _in_time(axes, x, y, run, words)
        return svg_of(figure), words("bench_sentence.drift_says", first=first)


def _drift_rate(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    x, y = in_hours(result.test, run)
    there = np.isfinite(y)
    slope, start = np.polyfit(x[there], y[there], 1)
    with paper(2.5) as (figure, axes):
        axes.plot(x, start + slope * x, color=INK, linewidth=1.0, zorder=1)
        _in_time(axes, x, y, run, words)
        return svg_of(figure), words("bench_sentence.drift_rate_says")


def _in_time(axes: Axes, x: object, y: object, run: BenchRun, words: Words) -> None:
    axes.plot(x, y, color=ACCENT, linewidth=0.8, marker="o", markersize=3, zorder=2)  # type: ignore[arg-type]
    axes.margins(x=0.02, y=0.12)
    axes.set_xlabel(words("bench_chart.hours"))
    axes.set_ylabel(with_unit(words("bench_chart.reading"), run.procedure.unit))


def _hysteresis(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    levels, up, down = (np.array(column) for column in way_up_and_down(run, result.test))
    order = np.argsort(levels)
    unit = run.procedure.unit
    with paper(2.7) as (figure, axes):
        axes.axhline(0.0, color=LINE, linewidth=0.8, zorder=0)
        for values, key, colour, marker in ((up, "up", ACCENT, "^"), (down, "down", AMBER, "v")):
            axes.plot(
                levels[order],
                (values - levels)[order],
                color=colour,
                linewidth=0.9,
                marker=marker,
                markersize=4,
                label=words(f"bench_chart.{key}"),
                zorder=2,
            )
        axes.set_xlabel(with_unit(words("bench_chart.standard"), unit))
        axes.set_ylabel(with_unit(words("bench_chart.error"), unit))
        axes.legend(loc="best", ncols=2)
        return svg_of(figure), words("bench_sentence.hysteresis_says")


def _allan(run: BenchRun, result: TestResult, words: Words) -> Drawing | None:
    curve = allan_of(run, result.test)
    if not isinstance(curve, AllanCurve):
        return None
    there = np.isfinite(curve.deviation) & (curve.deviation > 0.0)
    tau, sigma = curve.tau_s[there], curve.deviation[there]
    with paper(3.6) as (figure, axes):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.fill_between(tau, curve.lower[there], curve.upper[there], color=SHADE, linewidth=0, zorder=0)
        axes.plot(tau, sigma, color=ACCENT, linewidth=1.2, marker="o", markersize=3, zorder=3)
        low, high = axes.get_ylim()
        styles = iter(_STYLES)
        for one in result.figures:
            if math.isfinite(one.value) and one.method == "allan_slope":
                _term(axes, one, next(styles), words)
        axes.set_ylim(low, high)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _place: plain(value, 1))
            axis.set_minor_formatter(lambda _value, _place: "")
        axes.set_xlabel(words("bench_chart.tau"))
        axes.set_ylabel(with_unit(words("bench_chart.deviation"), run.procedure.unit))
        axes.grid(visible=True, which="major", color=LINE, linewidth=0.5)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best")
        return svg_of(figure), words("bench_sentence.allan_says")


def _term(axes: Axes, one: Figure, style: tuple[str, str], words: Words) -> None:
    """Draw the line a term was read from, along the stretch that has its slope and to where it is read."""
    sloped, flat = _SLOPE.match(one.note), _FLAT.match(one.note)
    if sloped:
        slope, begin, end, at = (float(number) for number in sloped.groups())
        x = np.array([min(begin, at), max(end, at)])
        y = one.value * (x / at) ** slope
        axes.plot([at], [one.value], marker="s", markersize=4, color=style[0], zorder=5)
    elif flat:
        x = np.array([float(number) for number in flat.groups()])
        y = np.full(2, one.value * 0.664)
    else:
        return
    name = word("figure", one.name, words.language)
    axes.plot(x, y, color=style[0], linestyle=style[1], linewidth=1.1, label=name, zorder=4)


def _pairs(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    key = result.test.steps[0]
    ours, theirs = np.array(readings_of(run, key)), np.array(laboratory_of(run, key))
    there = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[there], theirs[there]
    told = next((one for one in result.figures if one.name in {"largest_error", "actual_sample"}), result.figures[0])
    is_relative = told.unit == "%"
    errors = 100.0 * (ours - theirs) / theirs if is_relative else ours - theirs
    with paper(2.3) as (figure, axes):
        axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
        limit_lines(axes, _band(result, run), 0.0, words)
        number = np.arange(1, len(errors) + 1)
        axes.vlines(number, 0.0, errors, color=ACCENT, linewidth=1.2, zorder=2)
        axes.plot(number, errors, linestyle="", marker="o", markersize=4.5, color=ACCENT, zorder=3)
        axes.set_xticks(number)
        axes.margins(x=0.06, y=0.15)
        axes.set_xlabel(words("bench_chart.pair"))
        axes.set_ylabel(with_unit(words("bench_chart.pair_error"), "%" if is_relative else run.procedure.unit))
        return svg_of(figure), words("bench_sentence.pairs_says")


def _band(result: TestResult, run: BenchRun) -> float | None:
    """Return the band of a comparison, in % or in the unit of the run."""
    if result.limit is None:
        return None
    if result.test.statistic == "field_comparison":
        key = result.test.steps[0]
        norm = result.test.options.get("norm", "")
        found = judged(readings_of(run, key), laboratory_of(run, key), run.procedure, norm)
        return None if isinstance(found, str) else found.limit * (100.0 if found.is_relative else 1.0)
    if result.limit.at_most is None:
        return None
    return float(convert(result.limit.at_most, result.limit.unit, result.figures[0].unit))


def _consistency(run: BenchRun, result: TestResult, words: Words) -> Drawing:
    units = [run, *run.beside]
    means = np.array([[np.mean(readings_of(one, key)) for key in result.test.steps] for one in units])
    middle = means.mean(axis=0)
    with paper(2.5) as (figure, axes):
        axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
        for place, row in enumerate(means):
            axes.plot(
                np.arange(len(row)) + 0.06 * (place - (len(units) - 1) / 2.0),
                100.0 * (row - middle) / middle,
                linestyle="",
                marker="osD^v<>"[place % 7],
                markersize=5,
                color=(ACCENT, AMBER, VERMILION, GREY)[place % 4],
                label=words("bench_chart.unit", n=place + 1),
                zorder=2,
            )
        axes.set_xticks(range(len(result.test.steps)), list(result.test.steps))
        axes.margins(x=0.15, y=0.15)
        axes.set_ylabel(words("bench_chart.from_mean"))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return svg_of(figure), words("bench_sentence.consistency_says")


_DRAWINGS: Final[dict[str, Callable[[BenchRun, TestResult, Words], Drawing | None]]] = {
    "actual_sample": _pairs,
    "allan": _allan,
    "consistency": _consistency,
    "drift": _drift,
    "drift_rate": _drift_rate,
    "field_comparison": _pairs,
    "hysteresis": _hysteresis,
    "largest_difference": _pairs,
    "line": _line,
    "response": _response,
}
