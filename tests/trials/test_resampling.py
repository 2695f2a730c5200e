"""Blocks and memory: what is drawn is what was asked for, to the last pair, and no gap is bridged."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import lfilter

from nilometer.trials.inference.dependence import autocorrelation, block_length, effective_size, run_starts
from nilometer.trials.inference.resampling import _lengths, resample

TEN_MINUTES = 600_000_000
MASK = (1 << 64) - 1


def ar1(n: int, r: float, seed: int) -> np.ndarray:
    burn = int(30 / (1 - r))
    noise = np.random.default_rng(seed).normal(size=n + burn)
    return lfilter([math.sqrt(1 - r * r)], [1.0, -r], noise)[burn:]


def correlated(values, time=None):
    time = np.arange(len(values)) * TEN_MINUTES if time is None else time
    return autocorrelation(values, time, np.zeros(len(values), np.int32))


def test_memory_of_an_ar1_series_is_found():
    """Effective size and block lengths tend to what the process has."""
    n, r = 40_000, 0.8
    found = correlated(ar1(n, r, 1))
    assert found.correlations[1] == pytest.approx(r, abs=0.02)
    for method in ("geyer", "ar1"):
        assert effective_size(found, method=method) == pytest.approx(n * (1 - r) / (1 + r), rel=0.1)
    bend = 2 * r / (1 - r * r)  # Σ|k|γ over Σγ
    stationary, circular = block_length(found)
    assert stationary == pytest.approx(bend ** (2 / 3) * n ** (1 / 3), rel=0.15)
    assert circular == pytest.approx(stationary * 1.5 ** (1 / 3))
    with pytest.raises(ValueError, match="never changes"):
        correlated(np.ones(5))
    with pytest.raises(ValueError, match="allowed: geyer"):
        effective_size(found, method="guess")


def test_both_sides_of_a_gap_are_no_neighbours():
    """A series cut in two by three weeks has one product less at lag 1, and a run on either side."""
    values = ar1(400, 0.9, 2)
    time = np.arange(400) * TEN_MINUTES
    time[200:] += 21 * 144 * TEN_MINUTES
    found = correlated(values, time)
    assert found.products[1] == 398
    off = values - values.mean()
    lag = off[1:] * off[:-1]
    assert found.shares[1] == pytest.approx((lag.sum() - lag[199]) / (off @ off))
    one = np.zeros(400, np.int32)
    assert run_starts(time, one, step_us=TEN_MINUTES, length=30).tolist() == [0, 200, 400]
    assert run_starts(time, one, step_us=TEN_MINUTES, length=4000).tolist() == [0, 400]
    missing = np.delete(np.arange(400), np.arange(50, 60))
    assert len(run_starts(time[missing], one[missing], step_us=TEN_MINUTES, length=30)) == 3


def mixed(state: int) -> int:
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def drawn_rows(r: int, seed: int, runs: list[int], clusters: list[int], chances: list[int], fixed: int) -> list[int]:
    """Draw the rows of one resample in words, for the kernel to be held against."""
    golden, rows = 0x9E3779B97F4A7C15, []
    state = mixed((seed + (r + 1) * golden) & MASK)
    for first, last in pairwise(clusters):
        own = [place for place, row in enumerate(runs[:-1]) if first <= row < last]
        left = last - first
        while left:
            state = (state + golden) & MASK
            bits = mixed(state)
            at = first + (((bits >> 32) * (last - first)) >> 32)
            size = 1 + sum(chance <= bits & 0xFFFFFFFF for chance in chances) if chances else fixed
            for moved in range(min(size, left)):
                if moved and at in runs:
                    state = (state + golden) & MASK
                    at = runs[own[0] + (((mixed(state) >> 32) * len(own)) >> 32)]
                rows.append(at)
                at += 1
            left -= min(size, left)
    return rows


@pytest.mark.parametrize("scheme", ["stationary", "circular"])
def test_sums_and_quantiles_are_those_of_the_rows_that_were_drawn(scheme):
    rng = np.random.default_rng(3)
    n, runs, clusters = 97, [0, 20, 26, 60, 97], [0, 60, 97]
    columns, ranked = rng.normal(size=(n, 3)), np.round(rng.exponential(size=n), 1)
    asked = {"length": 6.0, "resamples": 25, "seed": 2**63 + 5, "scheme": scheme, "probability": 0.9}
    got = resample(columns, np.array(runs), np.array(clusters), ranked=ranked, **asked)
    chances = _lengths(6.0).tolist() if scheme == "stationary" else []
    for r in range(25):
        rows = drawn_rows(r, 2**63 + 5, runs, clusters, chances, 6)
        assert len(rows) == n
        assert got.means[r] == pytest.approx(columns[rows].mean(axis=0))
        assert got.quantiles[r] == pytest.approx(np.quantile(ranked[rows], 0.9))


def test_every_pair_has_the_same_chance_and_lengths_are_geometric():
    n, runs = 60, np.array([0, 3, 40, 60])
    drawn = resample(np.eye(n), runs, np.array([0, n]), length=8.0, resamples=20_000)
    assert drawn.means.mean(axis=0) * n == pytest.approx(np.ones(n), abs=0.06)
    chances = np.array(_lengths(8.0)) / 2**32
    assert np.sum(1.0 - chances) + 1.0 == pytest.approx(8.0, rel=1e-6)


def test_whole_clusters_are_drawn_as_they_are():
    values = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], [1, 2, 3, 4, 5])
    clusters = np.array([0, 1, 3, 6, 10, 15])
    got = resample(
        np.stack([values, values == 4.0], axis=1), clusters, clusters, length=2, resamples=4000, whole_clusters=True
    )
    share = np.mean(got.means[:, 1] == 0.0)
    assert share == pytest.approx(0.8**5, abs=0.03)
    with pytest.raises(ValueError, match="allowed: stationary, circular"):
        resample(values[:, None], clusters, clusters, length=2, scheme="moving")
