"""What is drawn of a comparison: some of its pairs, so chosen that no extreme is lost, and how its differences lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.pairing.matching import median_step
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.plot_lines import drift_lines, regression_lines, sloping_lines
from nilometer.trials.result import Comparison

__all__ = ["autocorrelation", "plots_of", "thinned"]

MOST_BARS = 60
MOST_LAGS = 200
_KEPT_A_BIN = 8


def plots_of(comparison: Comparison, *, most: int = 3000) -> dict[str, Any]:
    """Return what is drawn of a comparison, as plain JSON.

    Parameters
    ----------
    comparison : Comparison
        With its pairs.
    most : int
        Pairs at most, about.

    Returns
    -------
    dict
        ``pairs``: columns ``time`` (ms since 1970 UTC), ``candidate``, ``reference``, ``difference`` (in ``unit``),
        ``censored`` (whether either result is a bound), ``interval`` (stretch between cleanings), and ``all``, how many
        pairs there are of which these are some; ``histogram`` of the differences of all measured pairs: ``edges``,
        ``counts``; ``autocorrelation`` of these: ``values`` from lag 1 on, ``step_s`` of a lag, ``band``: within it a
        value is what independent differences give in 95 of 100 cases; ``sloping``, ``lines`` and ``drift`` as
        `plot_lines` gives them.
    """
    pairs = comparison.pairs
    rows = thinned(pairs, most)
    some = pairs.take(rows)
    censored = (pairs.candidate_censored != 0) | (pairs.reference_censored != 0)
    measured = pairs.difference[~censored]
    counts, edges = _histogram(measured)
    found = autocorrelation(measured, MOST_LAGS)
    return {
        "candidate": comparison.candidate,
        "reference": comparison.reference,
        "unit": pairs.unit,
        "pairs": {
            "all": len(pairs),
            "time": (some.time // 1000).tolist(),
            "candidate": some.candidate.tolist(),
            "reference": some.reference.tolist(),
            "difference": some.difference.tolist(),
            "censored": censored[rows].tolist(),
            "interval": some.interval.tolist(),
        },
        "histogram": {"edges": edges, "counts": counts},
        "autocorrelation": {
            "values": [None if math.isnan(one) else one for one in found.tolist()],
            "step_s": median_step(pairs.time[~censored]) / 1e6,
            "band": 1.96 / math.sqrt(len(measured)) if len(measured) else None,
        },
        "sloping": sloping_lines(pairs),
        "lines": regression_lines(comparison),
        "drift": drift_lines(pairs),
    }


def thinned(pairs: Pairs, most: int) -> NDArray[np.int64]:
    """Return which pairs to draw: of each stretch of pairs its first and last, and the extremes of all that is drawn.

    Parameters
    ----------
    pairs : Pairs
        In order.
    most : int
        At least 8; all pairs where there are no more.

    Returns
    -------
    ndarray of int64
        Rising.

    Examples
    --------
    >>> values = np.zeros(1000)
    >>> values[123] = 9.0
    >>> found = thinned(Pairs.of(np.arange(1000), values, np.zeros(1000), "m"), 80)
    >>> len(found) <= 80, 123 in found
    (True, True)
    """
    if len(pairs) <= most:
        return np.arange(len(pairs), dtype=np.int64)
    drawn = (pairs.difference, pairs.candidate, pairs.reference)
    ends = np.linspace(0, len(pairs), max(most // _KEPT_A_BIN, 1) + 1).astype(np.int64)
    kept: set[int] = set()
    for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        kept |= {first, last - 1}
        for column in drawn:
            kept |= {first + int(np.argmin(column[first:last])), first + int(np.argmax(column[first:last]))}
    return np.array(sorted(kept), np.int64)


def autocorrelation(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return the autocorrelation of a series from lag 1 on, up to a quarter of its length.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Without gaps.
    most : int
        Lags at most.

    Returns
    -------
    ndarray of float64
        Sums of products over the sum of squares, by 1/n (biased, so that it never leaves -1 to 1); empty below 8 values
        or where they never change.

    Examples
    --------
    >>> autocorrelation(np.tile([1.0, -1.0], 8), 2).round(3).tolist()
    [-0.938, 0.875]
    """
    n = len(values)
    lags = min(most, n // 4)
    apart = values - values.mean() if n else values
    whole = float(np.dot(apart, apart))
    if lags < 2 or whole == 0.0:
        return np.empty(0)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(apart, size)
    products = np.fft.irfft(spectrum * spectrum.conj(), size)[1 : lags + 1]
    return np.asarray(products / whole, np.float64)


def _histogram(values: NDArray[np.float64]) -> tuple[list[int], list[float]]:
    if not len(values):
        return [], []
    edges = np.histogram_bin_edges(values, "fd") if len(values) > 1 else np.array([values[0], values[0]])
    if not 2 <= len(edges) <= MOST_BARS + 1:
        edges = np.histogram_bin_edges(values, min(MOST_BARS, max(len(values) // 4, 1)))
    counts, edges = np.histogram(values, edges)
    return counts.tolist(), edges.tolist()
