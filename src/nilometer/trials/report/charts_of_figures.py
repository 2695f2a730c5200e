"""Pictures of figures with their intervals: endpoints against margins, and one figure by condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nilometer.trials.figure import Figure
from nilometer.trials.inference.deciding import IDEAL, distance_of
from nilometer.trials.inference.endpoint import Decision, Kind
from nilometer.trials.report.canvas import ACCENT, GREY, INK, LINE, MARKS, SHADE, SOFT, VERMILION, label, paper, svg_of
from nilometer.trials.report.numbers import NONE, interval, joined
from nilometer.trials.report.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Row", "by_condition", "margins"]

_FARTHEST = 3.0  # margins from the ideal; beyond it the axis ends in an arrow


@dataclass(frozen=True, slots=True)
class Row:
    """A figure in a picture: what it is of, or why there is none."""

    name: str
    figure: Figure | None
    n: int
    why: str = ""


def margins(decisions: Sequence[tuple[str, Decision]], words: Words) -> tuple[str, bool]:
    """Draw the interval of each endpoint in units of its margin; return the picture and whether an interval is cut.

    Parameters
    ----------
    decisions : sequence of (str, Decision)
        With the name they go by.
    words : Words
        The language.
    """
    is_cut = False
    with paper(0.75 + 0.48 * len(decisions)) as (figure, axes):
        ends = [_scaled(decision) for _name, decision in decisions]
        reach = max([1.6, *(abs(each) * 1.08 for three in ends for each in three if math.isfinite(each))])
        limit = min(reach, _FARTHEST)
        two_sided = any(_is_two_sided(decision) for _name, decision in decisions)
        axes.set_xlim(-limit if two_sided or any(three[1] < -0.3 for three in ends) else -0.3, limit)
        for place, ((_name, decision), (value, low, high)) in enumerate(zip(decisions, ends, strict=True)):
            left = -1.0 if _is_two_sided(decision) else axes.get_xlim()[0]
            axes.fill_betweenx([place - 0.38, place + 0.38], left, 1.0, color=SHADE, linewidth=0, zorder=0)
            axes.plot([1.0, 1.0], [place - 0.38, place + 0.38], color=INK, linewidth=1.2, zorder=2)
            if _is_two_sided(decision):
                axes.plot([-1.0, -1.0], [place - 0.38, place + 0.38], color=INK, linewidth=1.2, zorder=2)
            colour, marker = MARKS[str(decision.outcome)]
            is_cut |= _interval(
                axes, place, (value, low, high), colour, marker, is_open=marker == "o" and colour == GREY
            )
            told = _estimate(decision.figure)
            told = words("sentence.no_estimate") if told == NONE else told
            _beside(axes, place, f"{words.outcome(decision.outcome)}\n{told}")
        axes.axvline(0.0, color=LINE, linewidth=0.8, zorder=1)
        axes.set_ylim(len(decisions) - 0.45, -0.55)
        axes.set_yticks(range(len(decisions)), [label(name, 26) for name, _decision in decisions])
        axes.set_xlabel(words("chart.in_margins"))
        axes.tick_params(axis="y", length=0, pad=9, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        return svg_of(figure), is_cut


def _scaled(decision: Decision) -> tuple[float, float, float]:
    """Return value and ends as distances from the ideal, in margins, rising with how bad the candidate is."""
    if not decision.margin > 0.0:
        return math.nan, math.nan, math.nan
    value, *ends = (
        distance_of(decision.endpoint.statistic, each) / decision.margin
        for each in (decision.figure.value, *decision.figure.interval)
    )
    low, high = sorted(ends)
    return value, low, high


def _is_two_sided(decision: Decision) -> bool:
    endpoint = decision.endpoint
    return endpoint.statistic in IDEAL or (endpoint.kind is Kind.EQUIVALENCE and endpoint.statistic == "excess_error")


def _interval(
    axes: Axes, place: float, ends: tuple[float, float, float], colour: str, marker: str, *, is_open: bool = False
) -> bool:
    """Draw an estimate with its interval, with arrows where the axis cuts it; return whether it does."""
    value, low, high = ends
    left, right = axes.get_xlim()
    cut = [edge for edge, is_beyond in ((left, low < left), (right, high > right)) if is_beyond]
    if not (math.isnan(low) or math.isnan(high)):
        shown = max(low, left), min(high, right)
        axes.plot(shown, [place, place], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)
        for edge in cut:
            head = "<" if edge == left else ">"
            axes.plot([edge], [place], marker=head, color=colour, markersize=6, clip_on=False, zorder=4)
    if math.isfinite(value):
        # The outcome is to be seen even of an estimate that the axis does not reach: beside its arrow.
        room = 0.05 * (right - left) if not left <= value <= right else 0.0
        inside = min(max(value, left + room), right - room)
        face = "white" if is_open else colour
        axes.plot([inside], [place], marker=marker, markersize=8, color=colour, markerfacecolor=face, zorder=5)
    return bool(cut)


def _beside(axes: Axes, place: float, text: str) -> None:
    axes.annotate(
        text,
        (1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        annotation_clip=False,
    )


def _estimate(figure: Figure) -> str:
    value, low, high, unit = interval(figure)
    if value == NONE:
        return NONE
    ends = "" if low == high == NONE else f" [{low}, {high}]"
    return joined(f"{value}{ends}", unit)


def by_condition(rows: Sequence[Row], words: Words, margin: float | None = None) -> str:
    """Draw one figure with its interval for every stratum, the empty ones too.

    Parameters
    ----------
    rows : sequence of Row
        From top to bottom; the first is of all pairs.
    words : Words
        The language.
    margin : float, optional
        In the unit of the figures, drawn to both sides of 0.
    """
    with paper(0.7 + 0.25 * len(rows)) as (figure, axes):
        known = [row.figure for row in rows if row.figure is not None and math.isfinite(row.figure.value)]
        numbers = [each for one in known for each in (one.value, *one.interval) if math.isfinite(each)]
        if margin is not None and math.isfinite(margin):
            numbers += [-margin, margin]
            for end in (-margin, margin):
                axes.axvline(end, color=VERMILION, linewidth=0.9, linestyle=":", zorder=1)
        low, high = min([0.0, *numbers]), max([0.0, *numbers])
        room = 0.06 * (high - low) or 1.0
        axes.set_xlim(low - room, high + room)
        axes.axvline(0.0, color=LINE, linewidth=0.8, zorder=0)
        for place, row in enumerate(rows):
            if row.figure is None or not math.isfinite(row.figure.value):
                _beside(axes, place, row.why or NONE)
                axes.plot([0.0], [place], marker="|", markersize=7, color=GREY, zorder=3)
                continue
            colour = INK if not place else ACCENT
            _interval(axes, place, (row.figure.value, *row.figure.interval), colour, "D" if not place else "o")
            _beside(axes, place, f"{_estimate(row.figure)} · n = {row.n:,}")
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [label(row.name, 48, 1) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        if known:
            unit = interval(known[0])[3]
            name = words.name("statistic", known[0].name)
            axes.set_xlabel(f"{name}, {unit}" if unit else name, color=SOFT)
        return svg_of(figure)
