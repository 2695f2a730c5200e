"""What moves the ends of an interval is what theory says of a case that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES

from nilometer.trials.inference.intervals import sample
from nilometer.trials.inference.skewness import Shape, shape_of, skewness_of_mean
from nilometer.trials.pairing.pairs import Pairs


def test_the_logarithm_of_a_mean_of_normal_squares_has_the_skewness_of_theory():
    """Hall's −2·γ − 6·b with γ = √(8/n) and b = −√(2/n)/2, and mean bias − γ/2 − 2·b with bias = b."""
    n, rng, found = 1000, np.random.default_rng(1), []
    for _ in range(60):
        squares = rng.normal(size=n) ** 2
        middle = float(squares.mean())
        drawn = squares[rng.integers(0, n, (300, n))].mean(axis=1)
        found.append(
            shape_of(np.log(drawn), math.log(middle), drawn - middle, skewness_of_mean(squares - middle, 1.0), 1.0)
        )
    assert np.mean([each.skewness for each in found]) == pytest.approx(-math.sqrt(2 / n), rel=0.25)
    assert np.mean([each.shift for each in found]) == pytest.approx(-math.sqrt(2 / n) / 2, rel=0.25)


def test_the_ends_are_those_a_cubic_makes_normal():
    shape = Shape(shift=-0.1, skewness=-0.3)
    for end, quantile in zip(shape.ends(2.2), (-2.2, 2.2), strict=True):
        off = 0.05
        assert end + off * end**2 + off**2 * end**3 / 3 - off + 0.1 == pytest.approx(quantile)


def test_the_upper_end_of_a_positive_statistic_goes_further_than_the_logarithm_alone():
    """On average of many; the bias, which is even, keeps its middle."""
    further, middles = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        reference = 8.0 + rng.normal(size=200)
        pairs = Pairs.of(np.arange(200) * TEN_MINUTES, reference + rng.normal(size=200), reference, "m")
        drawn = sample(pairs, resamples=400)
        low, high = drawn.figure("rmse").interval
        up, down = math.log(high / drawn.moments.value("rmse")), math.log(drawn.moments.value("rmse") / low)
        further.append(up / down)
        low, high = drawn.figure("bias").interval
        middles.append(((low + high) / 2 - drawn.moments.value("bias")) / (high - low))
    assert 1.03 < np.mean(further) < 1.3
    assert np.mean(middles) == pytest.approx(0.0, abs=0.03)
