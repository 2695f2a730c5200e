from __future__ import annotations

import csv
import gzip
import io

import gsw
import numpy as np
import pytest

from nilometer.derivation import sound, water_density
from nilometer.derivation.hydrostatic import (
    LAYERED_LEVEL,
    LayeredColumn,
    absolute_level,
    bubbler_level,
    mean_density,
    vented_level,
)
from nilometer.derivation.shaft_encoder import encoder_level, unwrapped
from nilometer.derivation.ultrasonic import (
    PROFILE_DISTANCE,
    flight_distance,
    level_below_gauge,
    profile_distance,
    radar_distance,
    temperature_corrected_distance,
)
from nilometer.errors import ConfigError

KPA_OF_PSI = 6.894757293168
G = 9.80665


def columns(text, header, names, skip=0):
    rows = list(csv.reader(io.StringIO(text)))
    at = [next(k for k, title in enumerate(rows[header]) if title.startswith(name)) for name in names]
    found = np.full((len(at), len(rows)), np.nan)
    for i, row in enumerate(rows[header + 1 + skip :]):
        for j, k in enumerate(at):
            try:
                found[j, i] = float(row[k])
            except (ValueError, IndexError):
                continue
    return found[:, np.isfinite(found).all(axis=0)]


def hobo_residuals(water, air, depth_ft, temperature, density):
    """Return millimetres between our level and the maker's column."""
    ours = absolute_level(water * KPA_OF_PSI, air * KPA_OF_PSI, density(temperature))
    return 1000.0 * (ours - depth_ft * 0.3048)


@pytest.mark.real
def test_a_hobo_logger_with_a_barometer_has_the_makers_depth(real_data):
    """Two months of a stream: the maker's column is our level to its last digit, 0.001 ft.

    Density of fresh water at the water's temperature and standard gravity: what is left has a standard deviation of
    0.092 mm, and rounding of the three columns alone makes 0.093 mm.
    """
    text = (real_data / "raw_logs/hobo/Charlies_AW_20170726_20170926.csv").read_text(encoding="utf-8-sig")
    data = columns(text, 1, ["Abs Pres,", "Abs Pres Barom", "Sensor Depth", "Water Temp"])
    assert data.shape[1] == 2976
    left = hobo_residuals(*data, water_density.tanaka)
    assert abs(np.mean(left)) < 0.1
    assert np.std(left) < 0.095
    assert np.max(np.abs(left)) < 0.305  # 0.001 ft
    for fixed in (1000.0, 998.2, 996.86):
        assert np.std(hobo_residuals(*data, lambda t, rho=fixed: np.full_like(t, rho))) > 1.15 * np.std(left)


@pytest.mark.real
def test_two_deployments_differ_from_the_makers_depth_by_one_constant_each(real_data):
    """A logger's depth is that of a hand reading at the start: +8.31 mm in the first deployment, -6.47 mm after it.

    The 1440 rows of 2014 are those of 2013 once more, a year later.
    """
    path = real_data / "level/hobo_depth/DATA_test2_Aw_20130101_20141231.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    data = columns(text, 0, ["Water.P.psi", "Air.BP.psi", "Sensor.Depth.ft", "Water.Temp.C"])
    assert data.shape[1] == 9627
    left = hobo_residuals(*data, water_density.tanaka)
    first = left > 0
    assert np.count_nonzero(np.diff(first.astype(int))) == 1, "one deployment after the other"
    for part, constant in ((left[first], 8.31), (left[~first], -6.47)):
        assert np.median(part) == pytest.approx(constant, abs=0.01)
        away = np.abs(part - np.median(part))
        assert np.std(part) < 0.1
        assert np.count_nonzero(away > 0.305) <= 3  # three rows are 0.8 to 1.1 mm away


@pytest.mark.real
def test_a_sonde_in_brackish_water_has_the_makers_depth_with_density_of_temperature_and_salinity(real_data):
    """A year in an estuary: with TEOS-10 density one gravity (9.7902 m/s²) makes the maker's column, to 1.2 mm."""
    text = gzip.decompress((real_data / "raw_logs/sondes/espey/BZ3L_ALL.csv.gz").read_bytes()).decode("latin-1")
    temperature, salinity, psi, depth = columns(
        text.replace("\r", ""), 1, [" Temp", "   Sal", "  Press", "  Depth"], skip=2
    )
    kept = depth > 1.0
    temperature, salinity, psi, depth = (column[kept] for column in (temperature, salinity, psi, depth))
    assert len(depth) == 8820
    density = gsw.rho_t_exact(gsw.SA_from_SP(salinity, 0.0, -95.0, 29.0), temperature, 0.0)
    left = 1000.0 * (vented_level(psi * KPA_OF_PSI, density, 9.7902) - depth)
    assert abs(np.mean(left)) < 0.1
    assert np.std(left) < 0.42  # rounding of psi and m: 0.35 mm
    assert np.max(np.abs(left)) < 1.2
    fresh = 1000.0 * (vented_level(psi * KPA_OF_PSI, 1000.0, 9.7902) - depth)
    assert np.std(fresh) > 40.0


def test_vented_and_absolute_sensors_agree_and_air_has_weight():
    rho, rho_air, height, h = 998.2, 1.2, 12.0, 2.5
    surface = 100.0 + rho_air * G * (height - h) / 1000.0  # the barometer is higher, so it reads less
    at_sensor = surface + rho * G * h / 1000.0
    settings = {"sensor_elevation": 3.0, "air_density": rho_air}
    assert float(absolute_level(at_sensor, 100.0, rho, barometer_height=height, **settings)) == pytest.approx(h + 3.0)
    assert float(vented_level(at_sensor - 100.0, rho, vent_height=height, **settings)) == pytest.approx(h + 3.0)
    plain = float(absolute_level(at_sensor, 100.0, rho))
    assert plain - h == pytest.approx(rho_air / rho * (height - h), rel=1e-9)
    # 1 hPa of air pressure that is not taken off is 10.2 mm of fresh water.
    assert float(vented_level(0.1, 1000.0)) == pytest.approx(0.0102, abs=1e-5)


def test_a_bubbler_is_a_vented_sensor_with_a_heavy_tube():
    assert float(bubbler_level(30.0, 998.2)) == pytest.approx(float(vented_level(30.0, 998.2)))
    # Gas as dense as the air outside weighs nothing until it is compressed.
    light = float(bubbler_level(1e-6, 998.2, gas_density=1.2, air_density=1.2, gauge_height=20.0))
    assert light == pytest.approx(0.0, abs=1e-6)
    pressed = float(bubbler_level(101.325, 998.2, gas_density=1.2, air_density=1.2, gauge_height=20.0))
    assert pressed - float(vented_level(101.325, 998.2 - 1.2)) == pytest.approx(1.2 * 20.0 / 997.0)
    assert float(bubbler_level(30.5, 998.2, flow_loss=0.5)) == pytest.approx(float(vented_level(30.0, 998.2)))


def test_a_layered_column_is_filled_from_below():
    column = LayeredColumn(tops=(1.0, 3.0), densities=(1025.0, 1010.0, 1000.0)).as_function()
    rising = np.array([0.5, 1.0, 2.0, 3.0, 4.5])
    weight = np.interp(rising, [0, 1, 3, 4.5], [0, 1025, 1025 + 2020, 1025 + 2020 + 1500])
    assert column(weight * G / 1000.0) == pytest.approx(rising)
    assert float(column(-1.0)) == pytest.approx(-1000 / (1025 * G))
    mean = mean_density([0, 1, 3], [1025, 1025, 1000], 2.0)
    assert mean == pytest.approx((1025 + (1025 + 1012.5) / 2) / 2)
    made = LAYERED_LEVEL.make({"tops": [1.0], "densities": [1020.0, 1000.0]})
    assert made.estimate(30.0, uncertainty={"pressure": 0.01}).uncertainty == pytest.approx(10 / G / 1000, rel=1e-6)
    for wrong in (
        {"tops": [1.0], "densities": [1000.0]},
        {"tops": [2.0, 1.0], "densities": [1e3, 1e3, 1e3]},
        {"densities": [1.0]},
    ):
        with pytest.raises(ConfigError):
            LAYERED_LEVEL.make(wrong)
    with pytest.raises(ValueError, match="rising"):
        mean_density([1, 0], [1000, 1000], 2.0)


def test_sound_travels_at_the_speed_of_the_check_values():
    assert float(flight_distance(2.0, 20.0)) * 1000 == pytest.approx(343.2, abs=0.1)
    assert float(flight_distance(2.0, -10.0)) * 1000 == pytest.approx(325.2, abs=0.2)


def test_moist_air_is_faster_by_the_factor_that_is_told():
    factor = float(sound.humid_air(30.0, 100.0)) / float(sound.dry_air(30.0))
    assert factor == pytest.approx(1.0070, abs=2e-4)
    assert float(flight_distance(20.0, 30.0, moisture_factor=factor)) == pytest.approx(
        0.01 * float(sound.humid_air(30.0, 100.0))
    )
    corrected = temperature_corrected_distance(3.0, 30.0, 30.0, moisture_factor=factor)
    assert float(corrected) == pytest.approx(3.0 * factor)


def test_the_mean_slowness_of_a_temperature_profile_is_that_of_its_slices():
    warm, cold = 35.0, 5.0
    slices = warm + (cold - warm) * (np.arange(100_000) + 0.5) / 100_000
    slowness = np.mean(1 / (331.3 * np.sqrt(1 + slices / 273.15)))
    time_ms = 2 * 8.0 * slowness * 1000
    assert float(flight_distance(time_ms, warm, cold - warm)) == pytest.approx(8.0, rel=1e-9)
    # A gauge that took the whole path to be as warm as its sun-lit housing.
    told = float(flight_distance(time_ms, 45.0))
    assert float(temperature_corrected_distance(told, warm, 45.0, cold - warm)) == pytest.approx(8.0, rel=1e-9)


def test_several_thermometers_are_the_slices_between_them():
    depths, temperatures = [0.0, 1.0, 3.0, 4.0], [30.0, 20.0, 20.0, 10.0]
    gauge = PROFILE_DISTANCE.make({"depths": depths})
    z = (np.arange(400_000) + 0.5) * 1e-5 * 1.5
    time = 2e3 * np.cumsum(1.5e-5 / (331.3 * np.sqrt(1 + np.interp(z, depths, temperatures) / 273.15)))
    for k in (30_000, 150_000, 230_000, 399_999):
        assert float(gauge(time[k], *temperatures)) == pytest.approx(z[k] + 0.75e-5, rel=1e-8)
    two = profile_distance([0.0, 8.0])
    whole = float(flight_distance(46.0, 35.0, -30.0))
    assert float(two(46.0, 35.0, 35.0 - 30.0 * 8.0 / whole)) == pytest.approx(whole, rel=1e-12)
    found = gauge.estimate(20.0, *temperatures, uncertainty={f"temperature_{n}": 0.5 for n in (1, 2, 3, 4)})
    assert found.uncertainty == pytest.approx(3.45 * 0.0017 * 0.5, rel=0.5)
    for wrong in ({"depths": [0.0]}, {"depths": [0.5, 1.0]}, {"depths": [0.0, 2.0, 1.0]}, {}):
        with pytest.raises(ConfigError):
            PROFILE_DISTANCE.make(wrong)


def test_a_level_from_above_keeps_the_limits_of_its_gauge():
    found = level_below_gauge([0.29, 0.3, 4.0, 12.1, 4.0], 10.0, 0.0, 0.3, 12.0, [90, 90, 90, 90, 19], 20.0)
    assert np.isnan(found).tolist() == [True, False, False, True, True]
    assert found[2] == 6.0
    assert float(level_below_gauge(4.0, 10.0, 10.0)) == pytest.approx(10 - 4 * np.cos(np.radians(10)))
    assert float(radar_distance(10.0, 300.0)) == pytest.approx(10 - 0.003, abs=1e-6)
    assert float(radar_distance(10.0, 300.0, 300.0)) == 10.0


def test_counts_go_on_where_a_counter_overflows():
    truth = np.array([10, 300, 900, 65_500, 66_000, 65_000, -100], float)
    small = np.mod(truth, 65_536)
    small[3] = 65_500
    steps = np.concatenate(
        [truth[:3], np.linspace(900, 65_500, 9), truth[4:5], truth[5:6], np.linspace(65_000, -100, 9)]
    )
    assert unwrapped(np.mod(steps, 65_536), 65_536) == pytest.approx(steps)
    assert unwrapped([], 4096).tolist() == []
    assert float(encoder_level(-800.0, 400.0, 0.4, 5.0)) == pytest.approx(4.2)
    assert float(encoder_level(400.0, 400.0, 0.4, 0.0, 0.001)) == pytest.approx(0.4 + np.pi * 0.001)
    with pytest.raises(ValueError, match="span"):
        unwrapped([1.0], 1)
