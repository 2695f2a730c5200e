from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nilometer.derivation.burst import BurstRules, burst
from nilometer.derivation.dispersion import pressure_response, wavelength
from nilometer.derivation.wave_pressure import surface_elevation, surface_spectrum
from nilometer.derivation.wave_spectrum import WaveSpectrum, spectrum
from nilometer.derivation.waves import waves

STEP_US = 500_000


def sea(seed: int, *, seconds: int = 2048, depth: float | None = None, height: float = 0.0) -> np.ndarray:
    """Give a Gaussian sea of a Pierson-Moskowitz spectrum, Hm0 2 m, Tp 8 s; of a depth: the head at a sensor."""
    n = seconds * 2
    f = np.fft.rfftfreq(n, 0.5)[1:]
    density = 5.0 / 16.0 * 4.0 * 0.125**4 * f**-5 * np.exp(-1.25 * (0.125 / f) ** 4)
    rng = np.random.default_rng(seed)
    lines = np.zeros(len(f) + 1, complex)
    lines[1:] = np.sqrt(density / (4 * f[0])) * (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f))) * f[0] * n
    if depth is not None:
        lines[1:] *= np.nan_to_num(np.asarray(pressure_response(1.0 / f, depth, height)))
    return np.fft.irfft(lines, n)


def times(n: int) -> np.ndarray:
    return np.arange(n) * STEP_US + 1_700_000_000_000_000


@pytest.fixture(scope="module")
def seas() -> list[np.ndarray]:
    return [sea(seed) for seed in range(80)]


def test_heights_have_the_spread_that_they_say(seas):
    found = [spectrum(one, time=times(len(one))).parameters() for one in seas]
    hm0 = np.array([one.hm0 for one in found])
    said = np.array([one.hm0_uncertainty for one in found])
    assert hm0.mean() == pytest.approx(2.0, abs=0.03)
    assert np.std((hm0 - 2.0) / said) == pytest.approx(1.0, abs=0.25)  # 80 draws know it to 8 %
    covered = np.mean([one.hm0_low <= 2.0 <= one.hm0_high for one in found])
    assert covered >= 0.88
    assert np.mean([one.tp for one in found]) == pytest.approx(8.0, abs=0.4)
    assert np.mean([one.tm02 for one in found]) == pytest.approx(8.0 * 0.72, abs=0.2)  # within 1 Hz; 0.710 of all
    counted = [waves(one, time=times(len(one))).statistics() for one in seas]
    h13 = np.array([one.h13 for one in counted])
    assert h13.mean() == pytest.approx(0.95 * 2.0, abs=0.06)  # broad seas: below the 4.00 sqrt(m0) of narrow ones
    assert np.std(h13) == pytest.approx(np.mean([one.h13_uncertainty for one in counted]), rel=0.3)
    for one in counted:
        assert one.hmean < one.h13 < one.h110 < one.hmax <= one.crest - one.trough + 1e-9


def test_energy_is_kept(seas):
    one = spectrum(seas[0], time=times(4096), segment_s=2048.0)
    assert np.sum(one.density * one.width) == pytest.approx(np.var(seas[0]), rel=0.15)
    white = np.random.default_rng(1).normal(size=1 << 16)
    flat = spectrum(white, time=times(len(white)))
    assert flat.density[5:-5].mean() == pytest.approx(2 * 0.5, rel=0.02)
    scatter = np.var(flat.density[5:-5]) / flat.density[5:-5].mean() ** 2
    assert scatter == pytest.approx(2 / flat.degrees_of_freedom, rel=0.25)


def test_a_pressure_sensor_gives_the_surface_back():
    rules = BurstRules(most_missing=0.02)
    surface, felt = sea(5), sea(5, depth=8.0, height=0.5)
    pressure = (felt + 7.5) * 1025.0 * 9.80665 / 1e4
    true = spectrum(surface, time=times(4096)).parameters(high_hz=0.22)
    found = surface_spectrum(pressure, time=times(4096), sensor_height=0.5, rules=rules)
    assert found.frequency[-1] < 0.32  # where the response falls to a tenth
    assert found.parameters(high_hz=0.22).hm0 == pytest.approx(true.hm0, rel=0.005)
    whole = spectrum(surface, time=times(4096)).parameters()
    with_tail = surface_spectrum(pressure, time=times(4096), sensor_height=0.5, tail=-5.0).parameters()
    assert with_tail.hm0 == pytest.approx(whole.hm0, rel=0.02)
    assert with_tail.tm02 == pytest.approx(whole.tm02, rel=0.04)
    back = surface_elevation(pressure, time=times(4096), sensor_height=0.5)
    counted = waves(back).statistics()
    assert counted.h13 == pytest.approx(waves(surface, time=times(4096)).statistics().h13, rel=0.05)
    assert surface_spectrum(pressure * 0, time=times(4096), sensor_height=0.5).refused == "the value never changes"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda y, t: (y[:500], t[:500]), "lasts 250 s"),
        (lambda y, t: (np.where(np.arange(len(y)) % 10 == 0, np.nan, y), t), "10.0 % of the samples"),
        (lambda y, t: (np.where(abs(np.arange(len(y)) - 900) < 5, np.nan, y), t), "a gap of 4.5 s"),
        (lambda y, t: (y, t + np.arange(len(y)) % 2 * 200_000), "sampling is uneven"),
        (lambda y, t: (y * 0, t), "never changes"),
        (lambda y, t: (y * np.nan, t), "empty"),
    ],
)
def test_what_is_no_burst_has_no_waves(spoil, reason):
    y, t = spoil(sea(1), times(4096))
    assert reason in burst(y, time=t).refused
    assert reason in spectrum(y, time=t).parameters().refused
    assert np.isnan(spectrum(y, time=t).parameters().hm0)
    assert np.isnan(waves(y, time=t).statistics().h13)


def test_short_gaps_are_filled_and_swings_too_small_are_no_waves():
    y, t = sea(2), times(4096)
    spoiled = np.where(np.arange(4096) % 100 < 2, np.nan, y)
    assert spectrum(spoiled, time=t).parameters().hm0 == pytest.approx(spectrum(y, time=t).parameters().hm0, rel=0.01)
    every, great = waves(y, time=t), waves(y, time=t, least_height=0.2)
    assert len(great.height) < len(every.height)
    assert great.period.sum() == pytest.approx(every.period.sum(), rel=0.02)
    upward = waves(-y, time=t, crossing="up")
    assert (upward.height == every.height).all()


def test_waves_keep_to_the_dispersion_of_any_depth():
    period, depth = np.meshgrid([1.0, 4.0, 8.0, 20.0, 600.0], [0.1, 1.0, 10.0, 100.0, 4000.0])
    k = 2 * np.pi / np.asarray(wavelength(period, depth))
    assert np.abs(9.80665 * k * np.tanh(k * depth) * (period / 2 / np.pi) ** 2 - 1.0).max() < 1e-12


@pytest.mark.real
def test_the_spectra_of_a_spotter_give_its_own_parameters(real_data):
    table = pd.read_csv(real_data / "ocean" / "wave" / "spotter_20210929.csv.gz")
    table.columns = [name.strip() for name in table.columns]
    f, width, density = (
        table.filter(regex=rf"^{name}_\d+$").to_numpy(float) for name in ("f", "df", "varianceDensity")
    )
    for row in range(len(table)):
        found = WaveSpectrum.of(f[row], density[row], width[row]).parameters(low_hz=0.0)
        assert found.hm0 == pytest.approx(table["Significant Wave Height (m)"][row], abs=5.5e-4)
        assert found.tm01 == pytest.approx(table["Mean Period (s)"][row], abs=5.5e-4)
        assert found.tp == pytest.approx(table["Peak Period (s)"][row], abs=5.5e-4)


@pytest.mark.real
def test_the_spectra_of_an_awac_give_its_own_heights(real_data):
    lines = (real_data / "raw_logs" / "nmea0183" / "nortec_awac.nmea").read_text().splitlines()
    of = {
        kind: [line.split("*")[0].split(",") for line in lines if line.startswith(kind)]
        for kind in ("$PNORE", "$PNORW")
    }
    own = {tuple(row[1:3]): row for row in of["$PNORW"]}
    pairs = [(row, own[tuple(row[1:3])]) for row in of["$PNORE"] if tuple(row[1:3]) in own]
    assert len(pairs) >= 9
    for row, said in pairs:
        start, step, n = float(row[4]), float(row[5]), int(row[6])
        density = np.maximum([float(one) for one in row[7 : 7 + n]], 0.0)
        found = WaveSpectrum.of(start + step * np.arange(n), density).parameters(low_hz=0.02)
        assert found.hm0 == pytest.approx(float(said[5]), abs=0.03)
        assert found.tp == pytest.approx(float(said[10]), rel=0.13)  # its steps are 0.01 Hz
