"""How much pairs are worth that know of each other: autocorrelation of the differences, and the blocks that keep it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.dependence import Autocorrelation, autocorrelation
from nilometer.trials.inference.intervals import block_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.report.canvas import ACCENT, GREY, LINE, SHADE, paper, svg_of
from nilometer.trials.report.document import Block, Heading, Picture, Text, line
from nilometer.trials.report.numbers import length, plain
from nilometer.trials.report.tables import effective
from nilometer.trials.report.telling import Teller
from nilometer.trials.result import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dependence"]

_LEAST = 8  # pairs, to say how neighbours depend on each other
_LAGS = 60  # that are drawn as bars; more are a line
_POINTS = 600  # of a line


def dependence(tell: Teller, comparison: Comparison) -> list[Block]:
    """Return what the pairs are worth, with the correlation of differences by how far they are apart."""
    words = tell.words
    heading = Heading(2, words("section.dependence"))
    pairs = comparison.pairs
    measured = pairs.take((pairs.candidate_censored == 0) & (pairs.reference_censored == 0))
    if len(measured) < _LEAST or not np.ptp(measured.difference) > 0.0:
        return [heading, Text(line(words("sentence.too_few_pairs", n=f"{len(measured):,}")))]
    found = autocorrelation(measured.difference, measured.time, measured.cluster)
    block, _, step_us = block_of(measured)
    most = min(len(found.correlations) - 1, len(measured) // 3)
    # As far as two blocks, so that it is seen where the correlation ends.
    farthest = math.ceil(min(most, max(2.0 * block, _LAGS)))
    every = max(1, math.ceil(farthest / _POINTS))
    told = _told(tell, comparison, measured, found, block * step_us / 1e6 if tell.has_times else block)
    lags = np.arange(every, farthest + 1, every)
    if len(lags) < 2:
        return [heading, Text(line(told))]
    alt = f"{words('section.dependence')}. {told}"
    return [
        heading,
        Text(line(told)),
        Picture(_correlogram(tell, found, lags, len(measured)), alt, words("sentence.correlogram_says")),
    ]


def _told(tell: Teller, comparison: Comparison, pairs: Pairs, found: Autocorrelation, block: float) -> str:
    words = tell.words
    span = words("chart.the_rows")
    if tell.has_times:
        span = length((int(pairs.time.max()) - int(pairs.time.min())) / 1e6, words)
    r = float(found.correlations[1]) if len(found.correlations) > 1 else math.nan
    # As many digits as tell it from 1.
    digits = 2 if not abs(r) < 1.0 else max(2, math.ceil(-math.log10(1.0 - abs(r)) + 0.5))
    blocks = length(float(f"{block:.1e}"), words) if tell.has_times else words("chart.rows", n=plain(block, 2))
    known = {"n": f"{len(pairs):,}", "span": span, "r": plain(r, digits), "block": blocks}
    bias = comparison.figure("bias")
    if bias is None or not math.isfinite(bias.n_effective):
        return words("sentence.dependence_plain", **known)
    return words("sentence.dependence", **known, n_eff=effective(bias))


def _correlogram(tell: Teller, found: Autocorrelation, chosen: NDArray[np.int64], n: int) -> str:
    words = tell.words
    shown, lags = found.correlations[chosen], chosen.astype(np.float64)
    step = found.step_us / 1e6
    label = words("chart.lag_rows")
    if tell.has_times:
        size, unit = next(
            (each for each in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")) if step * lags[-1] >= 3 * each[0]),
            (1.0, "s"),
        )
        lags, label = lags * step / size, f"{words('chart.lag')}, {unit}"
    with paper(1.9) as (figure, axes):
        _draw(axes, lags, shown, n)
        if not tell.has_times:
            axes.locator_params(axis="x", integer=True)
        axes.set_xlabel(label)
        axes.set_ylabel(words("chart.correlation"))
        return svg_of(figure)


def _draw(axes: Axes, lags: np.ndarray, shown: np.ndarray, n: int) -> None:
    axes.axhline(0.0, color=LINE, linewidth=0.8)
    for end in (-1.96 / math.sqrt(n), 1.96 / math.sqrt(n)):
        axes.axhline(end, color=GREY, linewidth=0.7, linestyle=":")
    if len(lags) <= _LAGS:
        axes.vlines(lags, 0.0, shown, color=ACCENT, linewidth=2.0)
    else:
        axes.fill_between(lags, 0.0, shown, color=SHADE, linewidth=0)
        axes.plot(lags, shown, color=ACCENT, linewidth=1.2)
    axes.set_xlim(0.0, float(lags[-1]) * 1.02)
    axes.set_ylim(min(-0.2, float(shown.min()) * 1.1), 1.0)
