"""How long a trial has to be: the published factors, and that trials of that length show it as often as was said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES, ar1

from nilometer.trials.inference.deciding import Sampling, decide
from nilometer.trials.inference.endpoint import Endpoint, Margin, Outcome
from nilometer.trials.inference.power import _within, power_of, sample_size, size_of_trial
from nilometer.trials.pairing.pairs import Pairs

CLAIM = Endpoint(name="bias", statistic="bias", margin=Margin(value=0.1, unit="mg L-1"))


def pairs_of(n: int, seed: int, **more) -> Pairs:
    reference = 8.0 + ar1(n, 0.9, seed + 10_000)
    return Pairs.of(np.arange(n) * TEN_MINUTES, reference + 0.2 * ar1(n, 0.8, seed), reference, "mg L-1", **more)


def test_sizes_are_the_published_ones():
    assert sample_size(1.0, 1.0) == pytest.approx(7.849, abs=5e-4)
    assert sample_size(1.0, 1.0, power=0.9) == pytest.approx(10.507, abs=5e-4)
    assert sample_size(2.0, 1.0, difference=0.5) == pytest.approx(16 * 7.849, rel=1e-4)
    two = sample_size(1.0, 1.0, power=0.8, two_sided=True)
    assert two == pytest.approx((1.959964 + 1.281552) ** 2, rel=1e-6)
    assert sample_size(1.0, 0.1, memory=10.0) > sample_size(1.0, 0.1)
    for wrong in ({"difference": 1.0}, {"power": 1.0}, {"alpha": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            sample_size(1.0, 1.0, **wrong)


def test_power_and_size_are_each_others_inverse():
    for more in ({"difference": 0.05, "memory": 5.0}, {"two_sided": True, "memory": 1.0}):
        n = sample_size(1.0, 0.2, power=0.8, **more)
        assert power_of(n, 1.0, 0.2, **more) == pytest.approx(0.8, abs=1e-5)


def test_both_sides_are_failed_together_where_the_spread_found_is_large():
    """Two one-sided t-tests of three degrees of freedom, drawn: three waves of a record of long memory."""
    rng = np.random.default_rng(1)
    mean, found = rng.normal(size=200_000), np.sqrt(rng.chisquare(3.0, 200_000) / 3.0)
    drawn = float(np.mean(np.abs(mean) + 3.182446 * found < 3.2))
    assert power_of(21.0, 1.0, 3.2 / math.sqrt(21.0), two_sided=True, memory=1e6) < drawn
    assert _within((3.2, 3.2), 0.025, 3) == pytest.approx(drawn, abs=0.005)


def test_trials_of_the_computed_length_show_it_as_often_as_was_said():
    """From a pilot of a year; 100 trials have an error of 4 points."""
    pilot = pairs_of(52_560, 1)
    size = size_of_trial(pilot, CLAIM, 0.06, power=0.8, difference=0.0)
    assert size.sd == pytest.approx(0.2, rel=0.05)
    assert size.apart_s == pytest.approx(9 * 600, rel=0.35)
    assert size.days == pytest.approx(size.pairs / 144, rel=0.01)
    claim = Endpoint(name="bias", statistic="bias", margin=Margin(value=0.06, unit="mg L-1"))
    shown = [
        decide(pairs_of(size.pairs, 100 + seed), [claim], sampling=Sampling(resamples=200))[0].outcome
        is Outcome.NON_INFERIOR
        for seed in range(100)
    ]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.12)


def test_more_references_and_grab_samples_are_counted_with_their_noise():
    pilot = pairs_of(5000, 2, reference_uncertainty=np.full(5000, 0.15))
    size = size_of_trial(pilot, CLAIM, 0.1, difference=0.0, arbiter_uncertainty=0.3)
    less = [size.by_references[count] for count in (1, 2, 3, 4)]
    assert less == sorted(less, reverse=True)
    assert less[0] == pytest.approx(size.days)
    alone = sample_size(math.hypot(size.sd, 0.3), 0.1, two_sided=True, memory=1.0)
    assert size.grab_samples == math.ceil(alone)
    assert "rough" in size_of_trial(pairs_of(100, 3), CLAIM, 0.1, difference=0.0).note
    with pytest.raises(ValueError, match="below the margin"):
        size_of_trial(pilot, CLAIM, 0.1, difference=0.2)
