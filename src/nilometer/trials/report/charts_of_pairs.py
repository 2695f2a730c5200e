"""Pictures of pairs: agreement (Bland–Altman), regression, differences over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.report.canvas import (
    AMBER,
    GREY,
    INK,
    LINE,
    SHADE,
    SOFT,
    VERMILION,
    clean,
    label,
    paper,
    points,
    svg_of,
)
from nilometer.trials.report.numbers import interval, joined, unit_text
from nilometer.trials.report.words import Words
from nilometer.trials.result import Comparison, Stratum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawn", "agreement", "over_time", "regression", "regression_lines"]

Floats = NDArray[np.float64]

_BARS = {
    "bias": 0.97,
    "upper_limit": 0.982,
}  # share of the width at which an interval stands, so that none covers another
_DASHES = ("-", (0, (6, 2)), (0, (2, 2)), (0, (6, 2, 1, 2)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture and whether its points were gathered into cells."""

    svg: str
    is_thinned: bool


def agreement(comparison: Comparison, words: Words, margin: float | None = None) -> Drawn:
    """Draw differences against means, with bias and limits of agreement as the figures have them.

    Parameters
    ----------
    comparison : Comparison
        Its pairs and figures.
    words : Words
        The language.
    margin : float, optional
        Of the bias, in the unit of the pairs.
    """
    pairs = comparison.pairs
    with paper(3.3) as (figure, axes):
        axes.axhline(0.0, color=LINE, linewidth=0.8, zorder=0)
        for statistic, style, key in (
            ("bias", "-", "bias"),
            ("lower_limit", "--", "limits"),
            ("upper_limit", "--", ""),
        ):
            found = comparison.figure(statistic)
            if found is not None and math.isfinite(found.value):
                _level(axes, found, style, words(f"chart.{key}") if key else None)
        for end in (-margin, margin) if margin is not None and math.isfinite(margin) else ():
            name = words("chart.margin") if end > 0 else None
            axes.axhline(end, color=VERMILION, linewidth=0.9, linestyle=":", label=name, zorder=1)
        thinned = points(axes, (pairs.candidate + pairs.reference) / 2.0, pairs.difference)
        _mark_bounds(axes, pairs, (pairs.candidate + pairs.reference) / 2.0, pairs.difference, words)
        axes.set_xlabel(_with_unit(words("chart.mean_of_both"), pairs.unit))
        axes.set_ylabel(_with_unit(words("chart.difference"), pairs.unit))
        axes.margins(x=0.02, y=0.08)
        _legend(axes)
        return Drawn(svg_of(figure), thinned)


def _level(axes: Axes, figure: Figure, style: str, name: str | None) -> None:
    low, high = figure.interval
    if math.isfinite(low) and math.isfinite(high):
        if style == "-":
            axes.axhspan(low, high, color=SHADE, linewidth=0, zorder=0)
        # Bands of limits would cover one another where pairs are few: their intervals stand at the edge.
        place = _BARS.get(figure.name, 0.994)
        # Of the width, from the start: a place among the results would pull the axis there.
        across = axes.get_yaxis_transform()
        axes.plot(
            [place, place], [low, high], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4, transform=across
        )
    axes.axhline(figure.value, color=INK, linewidth=1.0, linestyle=style, label=name, zorder=3)
    text, _low, _high, unit = interval(figure)
    axes.annotate(
        joined(text, unit),
        (1.0, figure.value),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        annotation_clip=False,
    )


def _mark_bounds(axes: Axes, pairs: Pairs, x: Floats, y: Floats, words: Words) -> None:
    """Draw pairs with a bound apart, for their place is not known."""
    bound = np.flatnonzero((pairs.candidate_censored != 0) | (pairs.reference_censored != 0))
    if len(bound):
        axes.plot(
            x[bound[:500]],
            y[bound[:500]],
            linestyle="",
            marker="v",
            markersize=3.5,
            markerfacecolor="none",
            markeredgecolor=AMBER,
            markeredgewidth=0.8,
            label=words("chart.censored"),
        )


def regression_lines(figures: tuple[Figure, ...]) -> list[tuple[Figure, Figure]]:
    """Return slopes with their intercepts, by the names they share."""
    known = {figure.name: figure for figure in figures if math.isfinite(figure.value)}
    return [
        (slope, known[other])
        for name, slope in known.items()
        if name.endswith("slope") and (other := name.removesuffix("slope") + "intercept") in known
    ]


def regression(comparison: Comparison, words: Words) -> Drawn:
    """Draw results against each other, with what would be the same and the lines that the figures have."""
    pairs = comparison.pairs
    low = float(min(pairs.reference.min(), pairs.candidate.min()))
    high = float(max(pairs.reference.max(), pairs.candidate.max()))
    room = 0.04 * (high - low) or 0.5
    ends = np.array([low - room, high + room])
    with paper(4.2) as (figure, axes):
        axes.plot(ends, ends, color=SOFT, linewidth=0.9, linestyle="--", label=words("chart.identity"), zorder=1)
        for place, (slope, intercept) in enumerate(regression_lines(comparison.figures)):
            name = words.name("line", slope.name)
            axes.plot(
                ends,
                intercept.value + slope.value * ends,
                color=INK,
                linewidth=1.1,
                linestyle=_DASHES[place % len(_DASHES)],
                label=name,
                zorder=4,
            )
        thinned = points(axes, pairs.reference, pairs.candidate)
        _mark_bounds(axes, pairs, pairs.reference, pairs.candidate, words)
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        axes.set_aspect("equal")
        axes.set_xlabel(label(_with_unit(clean(comparison.reference), pairs.unit), 60, 2))
        axes.set_ylabel(label(_with_unit(clean(comparison.candidate), pairs.unit), 44, 2))
        _legend(axes)
        return Drawn(svg_of(figure), thinned)


def over_time(
    comparison: Comparison, words: Words, zone: str | None, maintenance: tuple[tuple[int, int], ...] = ()
) -> Drawn:
    """Draw differences in order of time.

    Parameters
    ----------
    comparison : Comparison
        Its pairs, and the bias of each stretch of time where there is one.
    words : Words
        The language.
    zone : str, optional
        Of the axis; without it the rows are drawn in their order.
    maintenance : tuple of (int, int)
        Windows, µs since 1970 UTC.
    """
    pairs = comparison.pairs
    order = np.argsort(pairs.time, kind="stable")
    with paper(2.9) as (figure, axes):
        x = _days(pairs.time[order]) if zone else np.arange(1.0, len(order) + 1.0)
        axes.axhline(0.0, color=LINE, linewidth=0.8, zorder=0)
        thinned = points(axes, x, pairs.difference[order])
        if zone:
            first, last = float(x[0]), float(x[-1])
            _spans(axes, maintenance, (first, last), words)
            _stretches(axes, comparison.over_time, words)
            _cleanings(axes, pairs, order, words)
            _time_axis(axes, zone)
            room = 0.01 * (last - first) or 0.01
            axes.set_xlim(first - room, last + room)
        else:
            axes.set_xlabel(words("chart.row"))
        axes.set_ylabel(_with_unit(words("chart.difference"), pairs.unit))
        axes.margins(y=0.1)
        _legend(axes)
        return Drawn(svg_of(figure), thinned)


def _days(time_us: NDArray[np.int64]) -> Floats:
    return time_us / 86_400e6


def _spans(axes: Axes, maintenance: tuple[tuple[int, int], ...], ends: tuple[float, float], words: Words) -> None:
    """Shade windows; an hour of a year is a hair wide still."""
    least = (ends[1] - ends[0]) / 600.0
    name: str | None = words("chart.maintenance")
    for start, end in ((start / 86_400e6, end / 86_400e6) for start, end in maintenance):
        if end <= ends[0] or start >= ends[1]:
            continue
        more = max(least - (end - start), 0.0) / 2.0
        axes.axvspan(start - more, end + more, color=GREY, alpha=0.35, linewidth=0, label=name, zorder=0)
        name = None


def _stretches(axes: Axes, strata: tuple[Stratum, ...], words: Words) -> None:
    name: str | None = words("chart.stretch_bias")
    for stratum in strata:
        bias = next((figure for figure in stratum.figures if figure.name == "bias"), None)
        if bias is None or not math.isfinite(bias.value):
            continue
        ends = [stratum.low / 86_400e6, stratum.high / 86_400e6]
        if math.isfinite(bias.interval[0]) and math.isfinite(bias.interval[1]):
            axes.fill_between(ends, *bias.interval, color=AMBER, alpha=0.22, linewidth=0, zorder=3)
        axes.plot(ends, [bias.value] * 2, color=AMBER, linewidth=1.4, label=name, zorder=4)
        name = None


def _cleanings(axes: Axes, pairs: Pairs, order: NDArray[np.int64], words: Words) -> None:
    """Mark where a new interval of drift begins: between the last pair of one and the first of the next."""
    changes = np.flatnonzero(np.diff(pairs.interval[order]) != 0)
    if len(changes):
        at = (_days(pairs.time[order][changes]) + _days(pairs.time[order][changes + 1])) / 2.0
        axes.plot(
            at,
            np.zeros(len(at)),
            linestyle="",
            marker="|",
            markersize=7,
            color=INK,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            label=words("chart.cleaning"),
        )


def _time_axis(axes: Axes, zone: str) -> None:
    from matplotlib import dates  # noqa: PLC0415 -- an optional dependency

    untyped: Any = dates
    locator = untyped.AutoDateLocator(tz=zone, minticks=3, maxticks=8)
    numeric = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
    beginning = ["", "%Y", "%Y-%m-%d", "%m-%d", "%m-%d %H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        untyped.ConciseDateFormatter(locator, tz=zone, formats=numeric, zero_formats=beginning, offset_formats=[""] * 6)
    )


def _with_unit(text: str, unit: str) -> str:
    symbol = unit_text(unit)
    return f"{text}, {symbol}" if symbol else text


def _legend(axes: Any) -> None:  # noqa: ANN401 -- matplotlib's methods take anything
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2, handlelength=2.2)
