"""Allan deviations beside published vectors and allantools; what they say of a sensor's noise beside known noise."""

from __future__ import annotations

import gzip
import math

import allantools
import numpy as np
import pytest

from nilometer.trials.allan.confidence import degrees_of_freedom
from nilometer.trials.allan.deviation import allan_curve, allan_deviation, averaging_factors
from nilometer.trials.allan.noise import BIAS_INSTABILITY_FACTOR, read_noise

STABLE32 = {  # file of results: (file of data, deviation)
    "gps_stable32_ADEV_decade": ("gps_1pps_phase_data", "adev"),
    "gps_stable32_OADEV_octave": ("gps_1pps_phase_data", "oadev"),
    "gps_stable32_MDEV_octave": ("gps_1pps_phase_data", "mdev"),
    "gps_stable32_TDEV_octave": ("gps_1pps_phase_data", "tdev"),
    "gps_stable32_HDEV_octave": ("gps_1pps_phase_data", "hdev"),
    "tic_oadev": ("tic_phase", "oadev"),
    "ocxo_stable32_oadev_alltau": ("ocxo_frequency", "oadev"),
    "ocxo_stable32_mdev_alltau": ("ocxo_frequency", "mdev"),
    "ocxo_stable32_hdev_alltau": ("ocxo_frequency", "hdev"),
}

# NIST SP 1065 (2008), tables 30 and 31; Riley, The calculation of time domain frequency stability, for hdev.
NINE = {  # factors 1 and 2
    "adev": (91.22945, 115.8082),
    "oadev": (91.22945, 85.95287),
    "mdev": (91.22945, 74.78849),
    "tdev": (52.67135, 86.35831),
    "hdev": (70.80608, 116.7980),
    "ohdev": (70.80607, 85.61487),
}
THOUSAND = {  # factors 1, 10 and 100
    "adev": (2.922319e-01, 9.965736e-02, 3.897804e-02),
    "oadev": (2.922319e-01, 9.159953e-02, 3.241343e-02),
    "mdev": (2.922319e-01, 6.172376e-02, 2.170921e-02),
    "tdev": (1.687202e-01, 3.563623e-01, 1.253382),
    "hdev": (2.943883e-01, 1.052754e-01, 3.910860e-02),
    "ohdev": (2.943883e-01, 9.581083e-02, 3.237638e-02),
}


@pytest.mark.parametrize("kind", NINE)
def test_deviations_are_those_of_the_published_sets(kind):
    nine = [892.0, 809, 823, 798, 671, 644, 883, 903, 677]
    assert allan_deviation(nine, [1, 2], kind=kind) == pytest.approx(NINE[kind], rel=2e-7)
    thousand, number = [], 1234567890
    for _ in range(1000):
        thousand.append(number / 2147483647)
        number = 16807 * number % 2147483647
    assert allan_deviation(thousand, [1, 10, 100], kind=kind) == pytest.approx(THOUSAND[kind], rel=3e-7)


@pytest.mark.real
@pytest.mark.parametrize("name", STABLE32)
def test_deviations_are_those_stable32_printed(name, real_data):
    """Every one to its five digits; intervals within 2 % of their width where both see the same noise."""
    folder = real_data / "imu_can" / "allan"
    data, kind = STABLE32[name]
    with gzip.open(folder / f"{data}.txt.gz") as file:
        values = np.loadtxt(file)
    if data == "ocxo_frequency":
        values = (values - 1e7) / 1e7
    factor, _, n, alpha, low, sigma, high = np.loadtxt(folder / f"{name}.txt").T
    curve = allan_curve(
        values, factor.astype(int).tolist(), kind=kind, of="rate" if data == "ocxo_frequency" else "phase"
    )
    assert curve.n.tolist() == n.tolist()
    half_a_digit = 0.502 * 10.0 ** (np.floor(np.log10(sigma)) - 4)
    assert (np.abs(curve.deviation - sigma) <= half_a_digit).all()
    assert (curve.noise == alpha)[curve.factor * 30 < len(values)].mean() > 0.95
    # Where a record is short for them, the tables that Stable32 uses are coarse, and α is guessed in another way.
    same = (curve.noise == alpha) & (low > 0) & (curve.edf > 30) & (curve.edf < 20_000)
    if kind != "oadev":  # a wide stride
        assert (curve.deviation - curve.lower)[same] / (sigma - low)[same] == pytest.approx(1.0, abs=0.02)
        assert (curve.upper - curve.deviation)[same] / (high - sigma)[same] == pytest.approx(1.0, abs=0.02)


def test_every_deviation_is_that_of_allantools_however_it_drifts():
    """An offset and a drift a million times the noise leave the digits: the running sum is compensated."""
    rng = np.random.default_rng(8)
    values = 1e6 + 0.05 * np.arange(20_000) + rng.normal(0.0, 1.0, 20_000)
    factors = [1, 3, 64, 1000, 3999]
    for kind in ("adev", "oadev", "mdev", "tdev", "hdev", "ohdev"):
        theirs = getattr(allantools, kind)(values, rate=2.0, data_type="freq", taus=np.array(factors) / 2.0)[1]
        ours = allan_deviation(values, factors, kind=kind, interval_s=0.5)
        assert ours == pytest.approx(theirs, rel=1e-9), kind
        assert allan_deviation(values, factors, kind=kind, interval_s=0.5, threads=3) == pytest.approx(ours, rel=1e-12)
        phase = np.concatenate([[0.0], np.cumsum(values - values.mean())]) * 0.5
        assert allan_deviation(phase, factors, kind=kind, of="phase", interval_s=0.5) == pytest.approx(ours, rel=1e-6)


def test_factors_beyond_the_cache_are_walked_in_another_order_to_the_same_sums():
    values = np.random.default_rng(9).normal(0.0, 1.0, 450_000)
    factors = np.array([1, 2, 4, 8, 30_000, 65_536, 131_072])
    theirs = allantools.oadev(values, rate=1.0, data_type="freq", taus=factors.astype(float))[1]
    assert allan_deviation(values, factors) == pytest.approx(theirs, rel=1e-11)
    assert allan_deviation(values, factors, threads=2) == pytest.approx(theirs, rel=1e-11)
    assert allan_deviation(values, factors[::-1])[::-1] == pytest.approx(theirs, rel=1e-11)
    assert np.isnan(allan_deviation(values, [300_000])).all()
    octaves = 2 ** np.arange(18)  # near ones in a window that is moved, far ones in lanes of which the last is short
    theirs = allantools.oadev(values, rate=1.0, data_type="freq", taus=octaves.astype(float))[1]
    assert allan_deviation(values, octaves) == pytest.approx(theirs, rel=1e-11)
    assert allan_deviation(values, octaves, threads=2) == pytest.approx(theirs, rel=1e-11)
    third = allan_deviation(values, octaves[:17], kind="ohdev")
    assert third == pytest.approx(allan_deviation(values, octaves[:17], kind="ohdev", threads=2), rel=1e-11)
    for count in (0, 1, 2048, 2049):  # ends of blocks and of lanes
        few = allan_deviation(values[:count], octaves[:4])
        assert few == pytest.approx(allan_deviation(values[:count], octaves[:4], threads=2), rel=1e-11, nan_ok=True)


def test_degrees_of_freedom_are_those_of_the_published_sums():
    """Allan variances that do not overlap of white rates: 2/3·(N−1)… by Greenhall and Riley, as allantools has them."""
    for alpha, order, overlaps, modified in [
        (0, 2, False, False),
        (0, 2, True, False),
        (-2, 2, True, False),
        (1, 2, True, False),
        (2, 2, True, False),
        (0, 2, True, True),
        (-3, 3, True, False),
    ]:
        for n, m in [(1000, 1), (1000, 10), (1000, 100)]:
            theirs = allantools.edf_greenhall(alpha, order, m, n, overlapping=overlaps, modified=modified)
            ours = degrees_of_freedom(
                n, np.array([m]), np.array([alpha]), order=order, overlaps=overlaps, is_modified=modified
            )
            assert ours[0] == pytest.approx(theirs, rel=0.03), (alpha, order, overlaps, modified, m)


def test_intervals_hold_the_true_deviation_as_often_as_they_say():
    rng = np.random.default_rng(2)
    held = np.zeros(4)
    for _ in range(300):
        curve = allan_curve(rng.normal(0.0, 1.0, 600), [1, 8, 32, 100], probability=0.9)
        truth = 1.0 / np.sqrt(curve.factor)
        held += (curve.lower <= truth) & (truth <= curve.upper)
    assert held / 300 == pytest.approx(0.9, abs=0.05)


def test_noise_is_read_where_the_curve_has_its_slope_and_nowhere_else():
    """White noise under a random walk: both come back, and the turn between them is not taken for flicker."""
    rng = np.random.default_rng(3)
    n, step, walk, wander = 400_000, 0.01, 0.02, 0.003
    rate = rng.normal(0, walk / math.sqrt(step), n) + np.cumsum(rng.normal(0, wander * math.sqrt(step), n))
    found = {figure.name: figure for figure in read_noise(allan_curve(rate, interval_s=step), "degree s-1")}
    assert found["random_walk"].value == pytest.approx(walk, rel=0.02)
    assert found["random_walk"].unit == "(degree s-1) s^0.5"
    low, high = found["rate_random_walk"].interval
    assert low < wander < high < 1.6 * wander
    assert math.isnan(found["bias_instability"].value)
    assert "not found" in found["bias_instability"].note
    assert math.isnan(found["rate_ramp"].value)
    # a second of a signal that white noise governs only up to 0.1 s is never taken for N
    ramp = rng.normal(0, walk, n) + 3.0 * step * np.arange(n)
    found = {figure.name: figure for figure in read_noise(allan_curve(ramp, interval_s=step))}
    assert found["rate_ramp"].value == pytest.approx(3.0, rel=0.01)
    assert math.isnan(found["random_walk"].value)


def test_flicker_gives_the_instability_and_the_bare_minimum_apart():
    rng = np.random.default_rng(4)
    n, step, instability = 1 << 18, 0.01, 0.01
    frequency = np.fft.rfftfreq(n, step)
    one_sided = np.zeros_like(frequency)
    one_sided[1:] = 2.0 * instability**2 / (2.0 * math.pi * frequency[1:])  # IEEE 952 has the two-sided density
    sides = np.sqrt(one_sided * n / (2.0 * step)) * np.exp(2j * math.pi * rng.random(len(frequency)))
    curve = allan_curve(np.fft.irfft(sides, n)[: n // 2], interval_s=step)
    found = {figure.name: figure for figure in read_noise(curve)}
    assert found["bias_instability"].value == pytest.approx(instability, rel=0.1)
    assert found["bias_instability_minimum"].value == pytest.approx(0.6643 * found["bias_instability"].value, rel=1e-3)
    assert pytest.approx(0.6643, abs=5e-5) == BIAS_INSTABILITY_FACTOR
    # quantisation: the uniform error of a step q of the angle is q/√12
    angle = rng.uniform(-0.5, 0.5, 20_001) * 1e-3
    found = {figure.name: figure for figure in read_noise(allan_curve(np.diff(angle) / step, interval_s=step))}
    assert found["quantisation"].value == pytest.approx(1e-3 / math.sqrt(12.0), rel=0.02)


@pytest.mark.real
def test_thirteen_seconds_of_a_real_gyroscope_show_no_drift(real_data):
    with gzip.open(real_data / "imu_can" / "imu" / "fusion_sensor_data.csv.gz") as file:
        log = np.loadtxt(file, delimiter=",", skiprows=1)
    still = log[log[:, 0] < 13.4]
    assert np.diff(still[:, 0]).max() < 0.0102
    for axis in (1, 2, 3):
        found = {f.name: f for f in read_noise(allan_curve(still[:, axis], "log", interval_s=0.01), "degree s-1")}
        assert math.isnan(found["rate_random_walk"].value)
        assert math.isnan(found["rate_ramp"].value)
        assert math.isnan(found["bias_instability"].value)
        assert "still falls" in found["bias_instability_minimum"].note
        assert 0.002 < found["bias_instability_minimum"].value < 0.05


def test_records_that_allow_nothing_are_refused_or_say_so():
    with pytest.raises(ValueError, match="gaps"):
        allan_curve([1.0, math.nan, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="factor 0"):
        allan_deviation([1.0, 2.0, 3.0], [0])
    with pytest.raises(ValueError, match="four or more"):
        allan_curve([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="not read from 'mdev'"):
        read_noise(allan_curve(np.arange(9.0), kind="mdev"))
    stuck = read_noise(allan_curve(np.full(1000, 7.0)))
    assert all(math.isnan(figure.value) for figure in stuck)
    assert averaging_factors(1000, "log").tolist()[:6] == [1, 2, 3, 4, 5, 6]
    assert averaging_factors(9, "all").tolist() == [1]
    with pytest.raises(ValueError, match="spacing"):
        averaging_factors(9, "thirds")
