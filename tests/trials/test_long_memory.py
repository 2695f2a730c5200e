"""Memory without end: found where it is, not where it is only long, and what a mean is known to with it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES, ar1

from nilometer.trials.inference.deciding import Sampling, decide
from nilometer.trials.inference.endpoint import Endpoint, Margin, Outcome
from nilometer.trials.inference.intervals import sample
from nilometer.trials.inference.long_memory import find_long_memory
from nilometer.trials.inference.long_run import LongRun, long_run, of_uneven
from nilometer.trials.pairing.pairs import Pairs


def fractional(n: int, d: float, seed: int) -> np.ndarray:
    k = np.arange(1, 4 * n)
    weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
    lines = np.fft.rfft(np.random.default_rng(seed).normal(size=4 * n), 8 * n) * np.fft.rfft(weights, 8 * n)
    return np.fft.irfft(lines, 8 * n)[3 * n : 4 * n]


def run_of(values: np.ndarray) -> LongRun:
    return long_run(values, np.arange(len(values)) * TEN_MINUTES, np.zeros(len(values), np.int32))


def test_waves_that_are_level_are_seldom_taken_for_memory():
    rng = np.random.default_rng(1)
    for count in (6, 20, 100, 1000):
        found = [find_long_memory(rng.chisquare(1, count), 10 * count) for _ in range(500)]
        assert sum(each is not None for each in found) <= 14, count  # 1 % are 5 +- 2.2


def test_order_and_variance_are_those_of_the_noise():
    means, variances, orders = [], [], []
    for seed in range(150):
        values = fractional(2000, 0.3, seed)
        off = values - values.mean()
        i = np.arange(2000) + 0.5
        power = np.array([2 / 2000 * float(np.cos(np.pi * j / 2000 * i) @ off) ** 2 for j in range(1, 81)])
        found = find_long_memory(power, 2000)
        means.append(values.mean())
        if found:
            orders.append(found.order)
            variances.append(found.variance)
    assert len(orders) > 100  # of 150: those that show no rise are not taken for it
    assert np.mean(orders) == pytest.approx(0.3, abs=0.04)
    assert np.median(variances) == pytest.approx(np.var(means), rel=0.35)


def test_a_line_in_the_spectrum_is_no_memory():
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(100):
        power = rng.chisquare(1, 100)
        power[[4, 9]] += 400.0
        found += find_long_memory(power, 2000) is not None
    assert found <= 6


def test_an_interval_is_wider_where_memory_does_not_end_and_not_where_it_is_long():
    for d, least in ((0.2, 1.2), (0.35, 1.8)):
        runs = [run_of(fractional(4320, d, seed)) for seed in range(20)]
        assert sum(run.order > 0.0 for run in runs) >= 12, d
        assert np.median([run.se for run in runs if run.order]) > least / np.sqrt(4320)
    runs = [run_of(ar1(4320, 0.95, seed)) for seed in range(60)]
    assert sum(run.order > 0.0 for run in runs) <= 4


def test_what_decides_says_that_the_memory_is_long():
    reference = 8.0 + ar1(4320, 0.5, 9)
    pairs = Pairs.of(np.arange(4320) * TEN_MINUTES, reference + 0.1 * fractional(4320, 0.35, 1), reference, "mg L-1")
    drawn = sample(pairs, resamples=100)
    assert drawn.spread("bias").order > 0.2
    assert drawn.spread("bias").n_effective < 20
    claim = Endpoint(name="bias", statistic="bias", margin=Margin(value=1.0, unit="mg L-1"))
    decision = decide(pairs, [claim], sampling=Sampling(resamples=100), sensitivity=False)[0]
    assert decision.outcome is Outcome.INCONCLUSIVE
    assert "of long memory (d = 0.3" in decision.reason
    mild = Pairs.of(pairs.time, reference + 0.1 * fractional(4320, 0.3, 1), reference, "mg L-1")
    assert "the memory is long (d = 0.2" in sample(mild, resamples=100).figure("bias").note


def test_terms_that_now_and_then_are_large_leave_fewer_degrees_of_freedom():
    rng = np.random.default_rng(3)
    found = LongRun(se=0.1, degrees_of_freedom=12.0, n_effective=100.0)
    assert of_uneven(found, rng.normal(size=20_000)).degrees_of_freedom == pytest.approx(12.0, abs=0.3)
    assert of_uneven(found, rng.normal(size=200_000) ** 2).degrees_of_freedom == pytest.approx(9.7, abs=0.3)
    assert of_uneven(found, np.ones(10)) == found
