"""Figures of pairs are those the published formulas give; their intervals follow what the pairs are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES, ar1

from nilometer.errors import ConfigError
from nilometer.trials.inference.intervals import block_of, figures, sample
from nilometer.trials.inference.long_run import long_run
from nilometer.trials.inference.moments import STATISTICS, unit_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.agreement import concordance, limits_of_agreement
from nilometer.trials.statistics.regression import deming


def pairs_of(n: int, r: float, seed: int, **more) -> Pairs:
    rng = np.random.default_rng(seed)
    reference = 8.0 + ar1(n, 0.5, seed + 1000)
    candidate = 0.1 + 1.02 * reference + 0.3 * ar1(n, r, seed) + 0.01 * rng.normal(size=n)
    return Pairs.of(np.arange(n) * TEN_MINUTES, candidate, reference, "mg L-1", **more)


def test_values_are_those_of_the_formulas_and_intervals_hold_them():
    pairs = pairs_of(900, 0.0, 1)
    found = {each.name: each for each in figures(sample(pairs, class_edges=[7.0, 8.0], resamples=2000))}
    assert set(found) == set(STATISTICS)
    d = pairs.difference
    agreement = limits_of_agreement(pairs.candidate, pairs.reference)
    line = deming(pairs.reference, pairs.candidate)
    day = (pairs.time - pairs.time[0]) / 86_400e6
    expected = {
        "bias": d.mean(),
        "relative_bias": d.mean() / pairs.reference.mean(),
        "mean_absolute_difference": np.abs(d).mean(),
        "rmse": math.sqrt(np.mean(d**2)),
        "sd": agreement.sd,
        "lower_limit": agreement.limits[0],
        "upper_limit": agreement.limits[1],
        "absolute_difference_95": np.quantile(np.abs(d), 0.95),
        "slope": line.slope,
        "intercept": line.intercept,
        "concordance": concordance(pairs.candidate, pairs.reference)[0],
        "drift": np.polyfit(day, d, 1)[0],
        "class_agreement": np.mean(np.digitize(pairs.candidate, [7, 8]) == np.digitize(pairs.reference, [7, 8])),
    }
    for name, value in expected.items():
        figure = found[name]
        assert figure.value == pytest.approx(value), name
        assert figure.interval[0] < figure.value < figure.interval[1]
        assert figure.unit == unit_of(name, "mg L-1")
    assert math.isnan(found["excess_error"].value)
    assert "no arbiter" in found["excess_error"].note
    with pytest.raises(ConfigError, match="statistic"):
        figures(sample(pairs, resamples=10), ["accuracy"])


def test_intervals_of_independent_pairs_are_as_wide_as_the_classical_ones():
    """But for Student's t of 12 and, now and then, of 3: on average of many."""
    widths = []
    for seed in range(40):
        pairs = pairs_of(300, 0.0, 100 + seed)
        drawn, agreement = sample(pairs, resamples=400), limits_of_agreement(pairs.candidate, pairs.reference)
        for name, se in {"bias": agreement.mean_se, "upper_limit": agreement.limit_se}.items():
            low, high = drawn.figure(name).interval
            widths.append((high - low) / (2 * 2.18 * se))
    assert np.median(widths) == pytest.approx(1.0, abs=0.1)


def test_memory_widens_the_interval_and_is_told():
    short, long = (sample(pairs_of(3000, r, 5), resamples=1000).figure("bias") for r in (0.0, 0.95))
    widths = [each.interval[1] - each.interval[0] for each in (short, long)]
    assert widths[1] / widths[0] == pytest.approx(math.sqrt(1.95 / 0.05), rel=0.5)
    assert short.n_effective > 2000 > 200 > long.n_effective
    brief = sample(pairs_of(200, 0.99, 6), resamples=500).figure("bias")
    assert "are needed" in brief.note


def test_order_of_the_rows_does_not_matter_and_censored_pairs_are_left_out():
    pairs = pairs_of(300, 0.5, 7)
    mixed = pairs.take(np.random.default_rng(1).permutation(300))
    one, other = (sample(each, resamples=200).figure("rmse") for each in (pairs, mixed))
    assert one == other
    below = np.zeros(300, np.int8)
    below[:20] = -1
    kept = sample(pairs_of(300, 0.5, 7, candidate_censored=below), resamples=200).figure("rmse")
    assert kept.n == 280
    assert "20 pairs beyond" in kept.note
    with pytest.raises(ValueError, match="1 measured pairs"):
        sample(pairs.take(np.arange(1)))


def test_with_five_clusters_the_population_is_spoken_of_and_with_two_it_is_not():
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(6, dtype=np.int32), 200)
    offset = rng.normal(size=6)
    reference = 8.0 + rng.normal(size=1200)
    candidate = reference + offset[cluster] + 0.01 * rng.normal(size=1200)
    time = np.tile(np.arange(200) * TEN_MINUTES, 6)
    pairs = Pairs.of(time, candidate, reference, "m", cluster=cluster, clusters=tuple("abcdef"))
    figure = sample(pairs, resamples=2000).figure("bias")
    se = offset.std(ddof=1) / math.sqrt(6)
    assert figure.method == "cluster_bootstrap"
    assert (figure.interval[1] - figure.interval[0]) / 2 == pytest.approx(2.571 * se, rel=0.02)
    few = sample(pairs.take(cluster < 2), resamples=500).figure("bias")
    assert "of these 2 clusters" in few.note
    assert few.interval[1] - few.interval[0] < 0.02


def test_agreement_of_all_classes_has_the_exact_limit():
    pairs = pairs_of(400, 0.0, 11)
    figure = sample(pairs, class_edges=[100.0], resamples=100).figure("class_agreement")
    assert figure.interval == (pytest.approx(0.025 ** (1 / figure.n_effective)), 1.0)
    assert figure.method == "binomial"


def test_a_constant_difference_has_no_interval():
    reference = np.arange(50.0)
    pairs = Pairs.of(np.arange(50), reference + 1.0, reference, "m")
    figure = sample(pairs, resamples=50).figure("bias")
    assert figure.value == 1.0
    assert math.isnan(figure.interval[0])
    assert "never changes" in figure.note
    assert block_of(pairs) == (1.0, 1.0, 1)
    assert long_run(pairs.difference, pairs.time, pairs.cluster).se == 0.0


def test_what_a_fit_takes_out_of_the_slowest_waves_is_put_back():
    """Of white noise: the standard error of a slope is the classical one, on average of many."""
    ratios = []
    for seed in range(60):
        pairs = pairs_of(400, 0.0, 300 + seed)
        day = (pairs.time - pairs.time.mean()) / 86_400e6
        left = pairs.difference - np.polyval(np.polyfit(day, pairs.difference, 1), day)
        classical = left.std(ddof=2) / math.sqrt(float(day @ day))
        spread = sample(pairs, resamples=2).spread("drift")
        assert spread.degrees_of_freedom < 12
        ratios.append((spread.se / classical) ** 2)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.2)


def test_of_clusters_only_what_scatters_evenly_is_decided():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(8, dtype=np.int32), 50)
    reference = 8.0 + rng.normal(size=400)
    pairs = Pairs.of(
        np.tile(np.arange(50) * TEN_MINUTES, 8),
        reference + rng.normal(size=8)[cluster] + 0.1 * rng.normal(size=400),
        reference,
        "m",
        cluster=cluster,
        clusters=tuple("abcdefgh"),
    )
    drawn = sample(pairs, resamples=100)
    assert drawn.figure("bias").note == ""
    assert "of 8 clusters" in drawn.figure("sd").note
