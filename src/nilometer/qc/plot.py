"""Pictures of flags: each series with what was flagged, its thresholds, and the outcome of every test below it.

One meaning, one colour, one shape, as on the screens: PASS plain ink, SUSPECT an amber triangle, FAIL a vermilion
cross, NOT_EVALUATED grey. Extremes never disappear by downsampling. Needs the extra ``plot``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, SUSPECT
from nilometer.qc.profile import Profile

__all__ = ["SUFFIXES", "Panel", "draw"]

SUFFIXES = (".png", ".svg", ".pdf")
_INK, _GREY, _LINE, _AMBER, _VERMILION = "#15202a", "#76828d", "#d3dae0", "#d98200", "#c2330f"
_SHADES = {NOT_EVALUATED: "#c9d1d8", SUSPECT: _AMBER, FAIL: _VERMILION, MISSING: "#e9edf0"}
_RANK = (0, 0, 2, 3, 4, 0, 0, 0, 0, 1)  # which flag a bin of the strip shows: the worst, MISSING last but PASS
_BINS = 1600
_CELLS = 500  # along a strip: each wider than two pixels, so that none is lost when it is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One series to draw.

    Parameters
    ----------
    title : str
        Above it.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC, rising.
    values : ndarray of float64, shape (n,)
        NaN where there is none.
    flags : ndarray of int8, shape (n,)
        The roll-up.
    tests : dict of str to ndarray of int8
        The outcome of each test.
    unit : str
        Display symbol.
    profile : Profile
        Its thresholds, in that unit.
    season : str
        ``month`` or ``quarter``: counts of each are written into the strips, where there is room.
    """

    title: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    flags: NDArray[np.int8]
    tests: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    unit: str = ""
    profile: Profile
    season: str = ""


def draw(panels: Sequence[Panel], path: Path, *, title: str = "") -> None:
    """Draw series with their flags into a file.

    Parameters
    ----------
    panels : sequence of Panel
        One above the other, on one time axis.
    path : path
        ``.png``, ``.svg`` or ``.pdf``.
    title : str
        Above all.

    Raises
    ------
    ConfigError
        If matplotlib is not installed, or the file's name says no kind of picture.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError("--plot", seen=str(path), allowed=f"a name that ends in {', '.join(SUFFIXES)}")
    try:
        from matplotlib import rc_context  # noqa: PLC0415 -- an optional dependency
        from matplotlib.figure import Figure  # noqa: PLC0415 -- the same
    except ImportError as error:
        reason = "matplotlib is not installed"
        raise ConfigError("--plot", reason=reason, allowed="pip install nilometer[plot]") from error
    heights = [size for panel in panels for size in (2.4, 0.18 * max(1, len(panel.tests)))]
    figure = Figure(figsize=(11.5, 0.7 + sum(heights) + 0.7 * len(panels)), layout="constrained")
    figure.set_layout_engine("constrained", h_pad=0.04, hspace=0.0, w_pad=0.06)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, above, below in zip(panels, axes[::2], axes[1::2], strict=True):
        _draw_series(panel, above)
        _draw_strips(panel, below)
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold", color=_INK)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "nilometer"}):  # words stay words
        figure.savefig(path, dpi=130, facecolor="white")


def _draw_series(panel: Panel, axis: Any) -> None:  # noqa: ANN401 -- matplotlib has no types here
    times = panel.times.view("datetime64[us]")
    low, high = _limits(panel)
    shown = _thinned(panel.times, panel.values)
    clipped = np.clip(panel.values, low, high)
    axis.plot(times[shown], clipped[shown], color=_INK, linewidth=0.7, zorder=2)
    drawn = _draw_thresholds(panel, axis, low, high)
    for flag, colour, marker, size in ((SUSPECT, _AMBER, "^", 14), (FAIL, _VERMILION, "x", 16)):
        rows = np.flatnonzero((panel.flags == flag) & np.isfinite(panel.values))
        name = "SUSPECT" if flag == SUSPECT else "FAIL"
        width = 1.0 if marker == "x" else 0
        axis.scatter(
            times[rows],
            clipped[rows],
            s=size,
            c=colour,
            marker=marker,
            linewidths=width,
            zorder=4,
            label=f"{name} {len(rows)}",
        )
    outside = int(((panel.values < low) | (panel.values > high)).sum())
    beyond = " and ".join([f"{outside} values"] * bool(outside) + ["the thresholds"] * (not drawn))
    title = f"{panel.title}   ({beyond} beyond the axis)" if beyond else panel.title
    axis.set_title(title, loc="left", fontsize=9.5, color=_INK)
    axis.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + np.timedelta64(1, "s"))
    room = 0.04 * (high - low)
    axis.set_ylim(low - room, high + room)
    axis.set_ylabel("" if panel.unit == "1" else panel.unit, fontsize=8.5, color=_INK)
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=6,
        fontsize=8,
        frameon=False,
        handletextpad=0.3,
        borderpad=0.1,
    )
    _plain(axis)


def _draw_thresholds(panel: Panel, axis: Any, low: float, high: float) -> bool:  # noqa: ANN401 -- as above
    """Draw the spans; return whether one was to be seen, or none there was to draw."""
    edges = [
        (edge, colour, f"{key} span")
        for test in panel.profile.tests
        if test.kind == "gross_range"
        for key, colour in (("suspect", _AMBER), ("fail", _VERMILION))
        for edge in test.parameters.get(key, ())
    ]
    named: set[str] = set()
    for edge, colour, name in edges:
        if low <= edge <= high:
            label = "" if name in named else name
            axis.axhline(edge, color=colour, linewidth=1.0, linestyle=(0, (5, 3)), zorder=3, label=label)
            named.add(name)
    climates = [test for test in panel.profile.tests if test.kind == "climatology"]
    for test in climates:
        _draw_climatology(panel, test.parameters["members"], axis, low, high)
    return bool(named or climates or not edges)


def _draw_climatology(panel: Panel, members: Any, axis: Any, low: float, high: float) -> None:  # noqa: ANN401 -- as above
    """Draw the span of each month or quarter as a step line; members by other periods have no line."""
    first, last = (time.astype("datetime64[M]") for time in panel.times.view("datetime64[us]")[[0, -1]])
    months = np.arange(first, last + 2)
    number = months.astype(int) % 12 + 1
    edges = np.full((2, len(months)), np.nan)
    for member in members:
        span = member.get("suspect")
        start, end = (int(time) for time in member["time"])
        of_period = {"month": number, "quarter": (number + 2) // 3}.get(member.get("period"))
        if of_period is None or span is None:
            continue
        inside = (
            (of_period >= start) & (of_period <= end) if start <= end else (of_period >= start) | (of_period <= end)
        )
        edges[:, inside] = np.array(span)[:, None]
    edges[(edges < low) | (edges > high)] = np.nan
    starts = months.astype("datetime64[us]")
    for line, label in zip(edges, ("climatology", ""), strict=True):
        axis.step(starts, line, where="post", color=_AMBER, linewidth=1.1, linestyle=":", zorder=3, label=label)


def _draw_strips(panel: Panel, axis: Any) -> None:  # noqa: ANN401 -- as above
    """Draw the worst outcome of each test along time, a row a test, with its counts."""
    names = list(panel.tests)
    edges = np.linspace(panel.times[0], panel.times[-1] + 1, min(_CELLS, max(2, len(panel.times))) + 1)
    where = np.clip(np.searchsorted(edges, panel.times, side="right") - 1, 0, len(edges) - 2)
    ticks = edges.astype(np.int64).view("datetime64[us]")
    from matplotlib.colors import ListedColormap  # noqa: PLC0415 -- an optional dependency

    rank = np.array(_RANK)
    colours = ["white", _SHADES[MISSING], _SHADES[NOT_EVALUATED], _SHADES[SUSPECT], _SHADES[FAIL]]
    image = np.zeros((max(1, len(names)), len(edges) - 1))
    for row, name in enumerate(names):
        np.maximum.at(image[row], where, rank[panel.tests[name]])
    axis.pcolormesh(
        ticks, np.arange(len(image) + 1), image, cmap=ListedColormap(colours), vmin=-0.5, vmax=4.5, rasterized=True
    )
    axis.set_ylim(len(image), 0)
    axis.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7.5)
    axis.tick_params(axis="y", length=0)
    for line in range(1, len(names)):
        axis.axhline(line, color=_LINE, linewidth=0.5)
    _write_seasons(panel, axis)
    beside = axis.secondary_yaxis("right")
    beside.set_yticks(np.arange(len(names)) + 0.5, [_counted(panel.tests[name]) for name in names], fontsize=7.5)
    beside.tick_params(length=0, colors=_INK)
    beside.spines["right"].set_visible(False)
    _plain(axis)


def _write_seasons(panel: Panel, axis: Any) -> None:  # noqa: ANN401 -- as above
    """Write how many values each test flagged in each season of the record, where that can be read."""
    months = panel.times.view("datetime64[us]").astype("datetime64[M]")
    length = {"month": 1, "quarter": 3}.get(panel.season, 0)
    if not length or (months[-1] - months[0]).astype(int) > 14 * length:
        return
    season = months.astype(int) // length
    for number in range(int(season[0]), int(season[-1]) + 1):
        start, end = (np.datetime64(length * n, "M").astype("datetime64[us]") for n in (number, number + 1))
        inside = season == number
        axis.axvline(start, color=_LINE, linewidth=0.6)
        middle = (max(start, panel.times[0].view("datetime64[us]")), min(end, panel.times[-1].view("datetime64[us]")))
        for row, outcome in enumerate(panel.tests.values()):
            count = int(np.isin(outcome[inside], (SUSPECT, FAIL)).sum())
            if count:
                at = middle[0] + (middle[1] - middle[0]) // 2
                under = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
                where = {"ha": "center", "va": "center", "zorder": 5, "bbox": under}
                axis.text(at, row + 0.54, str(count), fontsize=6.5, color=_INK, **where)


def _counted(outcome: NDArray[np.int8]) -> str:
    suspect, fail = int((outcome == SUSPECT).sum()), int((outcome == FAIL).sum())
    return " + ".join(text for count, text in ((suspect, f"{suspect} suspect"), (fail, f"{fail} fail")) if count) or "–"


def _plain(axis: Any) -> None:  # noqa: ANN401 -- as above
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(_LINE)
    axis.tick_params(colors=_INK, labelsize=8, color=_LINE)


def _limits(panel: Panel) -> tuple[float, float]:
    """Return a value axis that shows the good values well: what lies far outside is drawn at its edge."""
    there = np.isfinite(panel.values)
    trusted = there & ~np.isin(panel.flags, (SUSPECT, FAIL))
    good = panel.values[trusted if 2 * trusted.sum() > there.sum() else there]
    if len(good) == 0:
        return 0.0, 1.0
    inner_low, inner_high = np.quantile(good, [0.005, 0.995])
    spread = max(inner_high - inner_low, 1e-9 * max(1.0, abs(inner_high)))
    low = max(float(good.min()), float(inner_low - 0.6 * spread))
    high = min(float(good.max()), float(inner_high + 0.6 * spread))
    near = [edge for edge in _suspect_edges(panel.profile) if low - 0.6 * spread <= edge <= high + 0.6 * spread]
    low, high = min([low, *near]), max([high, *near])
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _suspect_edges(profile: Profile) -> list[float]:
    """Return the ends of every span outside which a value is suspect."""
    edges: list[float] = []
    for test in profile.tests:
        spans = [test.parameters] if test.kind == "gross_range" else test.parameters.get("members", ())
        edges += [float(edge) for span in spans for edge in span.get("suspect", ())]
    return edges


def _thinned(times: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return rows enough to draw: the first, lowest, highest and last of each bin, in order, and all where few."""
    if len(values) <= 4 * _BINS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _BINS + 1).astype(np.intp)
    kept: list[int] = []
    for start, end in pairwise(edges.tolist()):
        part = values[start:end]
        kept += [start, end - 1]
        if np.isfinite(part).any():
            kept += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
            kept += (start + np.flatnonzero(np.isnan(part))[:1]).tolist()
    return np.unique(np.array(kept, np.intp))
