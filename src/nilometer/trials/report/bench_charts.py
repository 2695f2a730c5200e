"""Pictures of a bench run: the whole of it, and each step's signal with its steady part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.bench.procedure import Test
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.segment import Outcome, Segment
from nilometer.trials.bench.selecting import standard_of
from nilometer.trials.report.canvas import ACCENT, GREY, INK, LINE, SHADE, SOFT, VERMILION, label, paper, sheet, svg_of
from nilometer.trials.report.numbers import unit_text
from nilometer.trials.report.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PANELS", "is_thinned", "overview", "segments", "with_unit"]

Floats = NDArray[np.float64]

COLUMNS: Final = 3
PANELS: Final = 9
"""Steps in one picture."""
_BUCKETS: Final = 300  # stretches of which the least and the largest value are drawn
_FEW: Final = 40  # values up to which each is a dot
_HOUR_S: Final = 3600.0


def with_unit(name: str, unit: str) -> str:
    """Return the name of an axis with its unit."""
    shown = unit_text(unit)
    return f"{name}, {shown}" if shown else name


def is_thinned(run: BenchRun) -> bool:
    """Return whether a record is too long to be drawn value by value."""
    return any(len(one.values) > 2 * _BUCKETS for one in run.segments)


def overview(run: BenchRun, words: Words) -> str:
    """Draw the whole run, in h or min since its first standard was given.

    Parameters
    ----------
    run : BenchRun
        With a segment that has values.
    words : Words
        The language.
    """
    shown = [(number, one) for number, one in enumerate(run.segments, 1) if one.values]
    start = min(one.began_us for _, one in shown)
    length = (max(one.times[-1] for _, one in shown) - start) / 1e6
    scale, key = (_HOUR_S, "run_hours") if length > 2.0 * _HOUR_S else (60.0, "run_minutes")
    with paper(2.5) as (figure, axes):
        last = -math.inf
        for number, one in shown:
            begin, end = ((at - start) / 1e6 / scale for at in (one.began_us, one.times[-1]))
            axes.axvspan(begin, end, color=SHADE if number % 2 else LINE, alpha=0.7, linewidth=0, zorder=0)
            x, y = _drawn(one, start, scale)
            axes.plot(x, y, color=ACCENT, linewidth=0.8, marker=_dot(x), markersize=1.6, zorder=2)
            _readings(axes, one, start, scale, 2.0)
            middle = (begin + end) / 2.0
            if (middle - last) * scale > 0.022 * length:  # numbers that would cover each other are left out
                axes.annotate(
                    str(number),
                    (middle, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="center",
                    fontsize=6.5,
                    annotation_clip=False,
                )
                last = middle
        axes.margins(x=0.01, y=0.08)
        axes.set_xlabel(words(f"bench_chart.{key}"))
        axes.set_ylabel(with_unit(words("bench_chart.reading"), run.procedure.unit))
        return svg_of(figure)


def segments(run: BenchRun, part: list[tuple[int, Segment]], words: Words) -> str:
    """Draw steps, each from the moment its standard was given, with the part that was read.

    Parameters
    ----------
    run : BenchRun
        Of which.
    part : list of (int, Segment)
        Up to `PANELS` of them with their numbers.
    words : Words
        The language.
    """
    rows = math.ceil(len(part) / COLUMNS)
    with sheet(0.25 + 1.55 * rows, rows, COLUMNS) as (figure, every):
        for axes, (number, one) in zip(every, part, strict=False):
            _segment(axes, run, one, words)
            axes.set_title(f"{number} · {label(one.step, 24, 1)}", fontsize=7.5, loc="left", color=INK)
        for axes in every[len(part) :]:
            axes.set_visible(False)
        figure.supylabel(with_unit(words("bench_chart.reading"), run.procedure.unit), fontsize=8.0, color=INK)
        return svg_of(figure)


def _segment(axes: Axes, run: BenchRun, one: Segment, words: Words) -> None:
    length = (one.times[-1] - one.began_us) / 1e6
    scale, key = (
        (_HOUR_S, "hours") if length > 2.0 * _HOUR_S else (60.0, "minutes") if length > 300.0 else (1.0, "seconds")
    )
    x, y = _drawn(one, one.began_us, scale)
    if one.steady_us is not None and one.readings and run.procedure.steps[one.step].is_steady:
        begin, end = (one.steady_us - one.began_us) / 1e6 / scale, length / scale
        axes.axvspan(begin, max(end, begin), color=SHADE, linewidth=0, zorder=0)
    nominal = standard_of(run, one.step)
    if math.isfinite(nominal):
        axes.axhline(nominal, color=SOFT, linewidth=0.8, linestyle="--", zorder=1)
    colour = GREY if one.outcome in {Outcome.REPEATED, Outcome.NOT_STEADY} else ACCENT
    axes.plot(x, y, color=colour, linewidth=0.8, marker=_dot(x), markersize=1.6, zorder=2)
    _readings(axes, one, one.began_us, scale, 3.0)
    axes.margins(x=0.03, y=0.12)
    # Of a signal that hardly moves, not its last digit alone.
    low, high = axes.get_ylim()
    least = 0.002 * run.procedure.span
    if high - low < least:
        middle = (low + high) / 2.0
        axes.set_ylim(middle - least / 2.0, middle + least / 2.0)
    axes.locator_params(axis="both", nbins=4)
    axes.tick_params(labelsize=6.5)
    axes.set_xlabel(words(f"bench_chart.{key}"), fontsize=6.5)


def _dot(x: Floats) -> str:
    return "o" if len(x) <= _FEW else ""


def _readings(axes: Axes, one: Segment, start_us: int, scale: float, size: float) -> None:
    if one.outcome is Outcome.REPEATED or not one.readings:
        return
    at = (np.array(one.reading_times, np.float64) - start_us) / 1e6 / scale
    axes.plot(at, one.readings, linestyle="", marker="o", markersize=size, color=INK, zorder=3)


def _drawn(one: Segment, start_us: int, scale: float) -> tuple[Floats, Floats]:
    """Return what is drawn of a record: all of it, or the least and the largest value of every stretch."""
    times, values = one.arrays()
    x = (times.astype(np.float64) - start_us) / 1e6 / scale
    if len(x) <= 2 * _BUCKETS:
        return x, values
    places: list[int] = []
    for stretch in np.array_split(np.arange(len(x)), _BUCKETS):
        there = stretch[np.isfinite(values[stretch])]
        if len(there):
            ends = {int(there[np.argmin(values[there])]), int(there[np.argmax(values[there])])}
            places += sorted(ends)
    return x[places], values[places]


def limit_lines(axes: Axes, bound: float | None, middle: float, words: Words) -> None:
    """Draw a limit to both sides of a level."""
    if bound is None or not math.isfinite(bound):
        return
    for sign in (-1.0, 1.0):
        name = words("bench_chart.limit") if sign > 0 else None
        axes.axhline(middle + sign * bound, color=VERMILION, linewidth=0.9, linestyle=":", label=name, zorder=1)


def in_hours(test: Test, run: BenchRun) -> tuple[Floats, Floats]:
    """Return the readings of a test's first step, h since the first of them."""
    made = run.counted(test.steps[0])
    at = np.array([moment for one in made for moment in one.reading_times], np.float64)
    values = np.array([value for one in made for value in one.readings], np.float64)
    return (at - at[0]) / 1e6 / _HOUR_S, values
