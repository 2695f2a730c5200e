"""A picture of a rating curve: its 95 % band, its gaugings, what is extrapolated, and how far each gauging deviates.

Discharge and stage above zero flow are drawn by logarithms, where a segment is a straight line. Needs the extra
``plot``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.rating import RatingCurve
from nilometer.errors import ConfigError
from nilometer.units import symbol

__all__ = ["SUFFIXES", "draw"]

SUFFIXES: Final = (".png", ".svg", ".pdf")
_INK, _GREY, _BAND, _AMBER = "#15202a", "#76828d", "#cfe0ee", "#d98200"

Array = NDArray[np.float64]


def draw(
    curve: RatingCurve, path: Path, stage: Array | None = None, discharge: Array | None = None, *, title: str = ""
) -> None:
    """Draw a curve and its gaugings into a file.

    Parameters
    ----------
    curve : RatingCurve
        Drawn between its limits.
    path : path
        ``.png``, ``.svg`` or ``.pdf``.
    stage, discharge : ndarray of float64, shape (n,), optional
        Gaugings in the curve's units.
    title : str
        Above all; default: the station.

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
    figure = Figure(figsize=(10.0, 6.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1.2])
    _draw_curve(curve, left)
    if stage is not None and discharge is not None:
        _draw_gaugings(curve, stage, discharge, left, right)
    left.set_xlabel(f"discharge, {symbol(curve.unit_discharge)}")
    left.set_ylabel(
        f"stage above zero flow ({curve.zero_flow:.4g} {symbol(curve.unit_stage)}), {symbol(curve.unit_stage)}"
    )
    right.set_xlabel("deviation, %")
    left.legend(loc="lower right", fontsize=8, frameon=False)
    figure.suptitle(title or curve.station or "Rating curve", x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "nilometer"}):  # words stay words
        figure.savefig(path, dpi=130, facecolor="white")


def _draw_curve(curve: RatingCurve, axis: Any) -> None:  # noqa: ANN401 -- matplotlib has no types here
    low, high = curve.limits
    least = max(low, curve.zero_flow + 1e-3 * (high - curve.zero_flow))
    stage = curve.zero_flow + np.geomspace(least - curve.zero_flow, high - curve.zero_flow, 300)
    stage = np.clip(stage, low, high)
    found = curve.discharge(stage)
    head = stage - curve.zero_flow
    axis.fill_betweenx(head, np.maximum(found.lower, found.value / 100), found.upper, color=_BAND, label="95 % band")
    for inside, style, name in ((True, "-", "rating curve"), (False, "--", "extrapolated")):
        part = np.where(found.extrapolated != inside, found.value, np.nan)
        if np.isfinite(part).any():
            axis.plot(part, head, style, color=_INK, linewidth=1.2, label=name)
    for number, edge in enumerate(curve.start[1:]):
        if low < edge < high and len(curve.start) <= 8:
            axis.axhline(
                edge - curve.zero_flow, color=_GREY, linewidth=0.6, linestyle=":", label="" if number else "break"
            )
    axis.set_xscale("log")
    axis.set_yscale("log")


def _draw_gaugings(curve: RatingCurve, stage: Array, discharge: Array, left: Any, right: Any) -> None:  # noqa: ANN401
    head = stage - curve.zero_flow
    wet = (head > 0) & (discharge > 0)
    left.scatter(
        discharge[wet], head[wet], s=16, color=_AMBER, zorder=4, linewidths=0, label=f"{int(wet.sum())} gaugings"
    )
    found = curve.discharge(stage[wet])
    right.axvline(0.0, color=_INK, linewidth=0.8)
    right.scatter(100.0 * (discharge[wet] / found.value - 1.0), head[wet], s=16, color=_AMBER, linewidths=0)
