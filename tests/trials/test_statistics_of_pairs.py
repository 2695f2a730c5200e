"""Agreement, lines and Allan deviations where the published sets of tests/test_check_values.py do not reach."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from nilometer.errors import ConfigError
from nilometer.trials.allan.deviation import allan_deviation
from nilometer.trials.pairing.alignment import align
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.agreement import concordance, limits_of_agreement
from nilometer.trials.statistics.drift import theil_sen
from nilometer.trials.statistics.field_comparison import compare_with_laboratory
from nilometer.trials.statistics.reference_error import three_cornered_hat
from nilometer.trials.statistics.references import combine
from nilometer.trials.statistics.regression import Line, deming, passing_bablok
from nilometer.trials.statistics.water_class import weighted_kappa
from nilometer.trials.statistics.weighted_deming import jackknifed_deming, weighted_deming


def test_missing_results_leave_their_pair_out() -> None:
    found = limits_of_agreement([1.0, None, 3.0, 4.1, math.nan], [1.1, 2.0, 3.0, 4.0, 5.0])
    assert found.n == 3
    with pytest.raises(ValueError, match="2 complete pairs"):
        limits_of_agreement([1.0, None, 3.0], [1.1, 2.0, 3.0])
    with pytest.raises(ValueError, match="3 and 2 results"):
        deming([1.0, 2.0, 3.0], [1.0, 2.0])


def test_a_difference_that_grows_with_the_value_shows_in_the_trend() -> None:
    x = np.linspace(1, 10, 50)
    found = limits_of_agreement(1.1 * x, x)
    assert found.trend == pytest.approx(0.1 / 1.05)
    assert found.trend_se == pytest.approx(0.0, abs=1e-9)


def test_concordance_is_of_lin() -> None:
    """An offset lowers it though the correlation is 1; its interval holds it."""
    x = np.arange(10.0)
    found, (low, high) = concordance(x, x + 1.0)
    assert found == pytest.approx(2 * 8.25 / (2 * 8.25 + 1.0))
    assert low <= found <= high
    with pytest.raises(ValueError, match="never changes"):
        concordance(x, np.ones(10))


def test_deming_knows_which_instrument_errs() -> None:
    """With errors in y alone it tends to the least squares of y on x, with errors in x alone to those of x on y."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 10, 200)
    y = 2 * x + 1 + rng.normal(0, 1, 200)
    assert deming(x, y, ratio=1e9).slope == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-6)
    assert deming(x, y, ratio=1e-9).slope == pytest.approx(1 / np.polyfit(y, x, 1)[0], rel=1e-6)
    with pytest.raises(ValueError, match="ratio"):
        deming(x, y, ratio=0)
    with pytest.raises(ValueError, match="no line"):
        deming([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])


def test_passing_bablok_is_not_bent_by_an_outlier_and_covers_its_slope() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        x = rng.uniform(0, 10, 40)
        noise = rng.normal(0, 0.3, (2, 40))
        line = passing_bablok(x + noise[0], 1.2 * x + 1.2 * noise[1])
        covered += line.slope_interval[0] <= 1.2 <= line.slope_interval[1]
    assert covered >= 51  # of 60 at 95 % fewer come once in two thousand runs, and the seed is fixed
    x[0] = 1000.0
    y = 1.2 * x
    y[0] = -500.0
    assert passing_bablok(x, y).slope == pytest.approx(1.2)


def test_white_noise_falls_with_the_root_of_the_time_and_drift_rises() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, 20_000)
    one, hundred = allan_deviation(noise, [1, 100])
    assert hundred / one == pytest.approx(0.1, rel=0.15)
    drift = np.arange(1000.0)
    assert allan_deviation(drift, [1, 10]).tolist() == pytest.approx([1 / math.sqrt(2), 10 / math.sqrt(2)])
    assert np.isnan(allan_deviation([1.0, 2.0, 3.0], [2])).all()
    with pytest.raises(ValueError, match="gaps"):
        allan_deviation([1.0, math.nan], [1])


def test_a_norm_without_a_band_says_which_it_has() -> None:
    with pytest.raises(ConfigError, match="codcr"):
        compare_with_laboratory([1.0] * 3, [1.0] * 3, "codmn")
    with pytest.raises(ConfigError, match="hj355-2019"):
        compare_with_laboratory([1.0] * 3, [1.0] * 3, "codcr", "hj355")
    with pytest.raises(ValueError, match="3 pairs"):
        compare_with_laboratory([1.0] * 2, [1.0] * 2, "codcr")
    low = compare_with_laboratory([24.0, 16.0, 20.0, 26.1], [20.0] * 4, "codcr")
    assert (low.limit, low.is_relative, low.within) == (5, False, (True, True, True, False))
    assert low.passes


@pytest.mark.parametrize("line", [deming, jackknifed_deming, weighted_deming])
def test_of_what_never_changes_there_is_no_line(line: Callable[..., Line]) -> None:
    """The mean of thirty times 0.1 is not 0.1: sums of squares about it are not 0, and made a slope of -1e31."""
    still, moving = np.full(30, 0.1), np.linspace(1.0, 2.0, 30)
    for x, y in ((still, moving), (moving, still), (still, still)):
        with pytest.raises(ValueError, match="no line"):
            line(x, y)
    with pytest.raises(ValueError, match="all x are the same"):
        passing_bablok(still, moving)
    with pytest.raises(ValueError, match=r"one pair alone|do not settle"):
        weighted_deming(np.r_[still, 3.0], np.r_[moving, 3.0])


@pytest.mark.parametrize("size", [1e-300, 5e-320, 1e300])
def test_results_that_cannot_be_squared_are_refused(size: float) -> None:
    x = np.linspace(1.0, 2.0, 8)
    y = x**2
    time = np.arange(8) * 600_000_000

    def arms() -> list[Arm]:
        return [Arm(time=time, values=each * size, unit="m") for each in (x, y)]

    for asked in (
        lambda: deming(x * size, y * size),
        lambda: weighted_deming(x * size, y * size),
        lambda: limits_of_agreement(x * size, y * size),
        lambda: three_cornered_hat({"a": x * size, "b": y * size, "c": x * size}),
        lambda: combine(arms(), 0),
        lambda: align(*arms()),
        lambda: Pairs.of(time, x * size, y * size, "m"),
    ):
        with pytest.raises(ValueError, match=r"their squares|is no measurement"):
            asked()
    assert weighted_deming(x * 1e-100, y * 1e-100).slope == pytest.approx(weighted_deming(x, y).slope)


def test_kappa_of_the_radiologists() -> None:
    """Boyd et al. (1982), 85 xeromammograms by two radiologists, as in the manual of Stata's kap.

    Four classes with linear weights: kappa 0.5684; normal, benign, suspect, cancer.
    """
    table = np.array([[21, 12, 0, 0], [4, 17, 1, 0], [3, 9, 15, 2], [0, 0, 0, 1]])
    assert round(weighted_kappa(table).value, 4) == 0.5684


def test_concordance_of_the_peak_flow_meters() -> None:
    """Wright and mini-Wright of Bland and Altman (1986), first readings: 0.943, as Stata's concord prints it.

    The interval is by Fisher's z with the variance of Lin (1989) as corrected in 2000, written out here once more.
    """
    x = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427], float)
    y = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451], float)
    value, interval = concordance(x, y)
    assert round(value, 3) == 0.943
    r, u = float(np.corrcoef(x, y)[0, 1]), float((x.mean() - y.mean()) / math.sqrt(x.std() * y.std()))
    c = value
    parts = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u**2 / (r * (1 - c**2) ** 2)
        - c**4 * u**4 / (2 * r**2 * (1 - c**2) ** 2)
    )
    half = 1.959963985 * math.sqrt(parts / (len(x) - 2))
    assert interval == pytest.approx((math.tanh(math.atanh(c) - half), math.tanh(math.atanh(c) + half)), rel=1e-9)


def test_slope_of_sen() -> None:
    """The example of Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389: slope 4, of 93 % from 26/7 to 35/8."""
    day = np.array([1.0, 2.0, 3.0, 4.0, 10.0, 12.0, 18.0])
    level = np.array([9.0, 15.0, 19.0, 20.0, 45.0, 55.0, 78.0])
    slope, interval = theil_sen(day, level, probability=0.93)
    assert (slope, *interval) == pytest.approx((4.0, 26 / 7, 35 / 8))
