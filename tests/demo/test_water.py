from __future__ import annotations

import numpy as np
import pytest

from nilometer.demo.noise import seed_of
from nilometer.demo.rain import Climate, rain_rate, response, storms_between
from nilometer.demo.river import RiverWater
from nilometer.demo.sea import SeaWater
from nilometer.demo.sun import DAY_US, HOUR_US, answer, elevation_sine
from nilometer.demo.works import WorksWater

YEAR = int(np.datetime64("2026-01-01", "us").astype(np.int64)) + np.arange(365 * 24) * HOUR_US
CLIMATE = Climate(seed_of("river", "rain"))


@pytest.fixture(scope="module")
def river():
    return RiverWater().at(YEAR)


def local_hour(times):
    return (times // HOUR_US + 8) % 24


def test_the_sun_stands_where_almanacs_put_it():
    noon = np.array([int(np.datetime64("2024-12-21T12:00", "us").astype(np.int64))])
    assert np.degrees(np.arcsin(elevation_sine(noon, 0.0, 51.48)[0])) == pytest.approx(15.1, abs=0.2)  # Greenwich
    up = elevation_sine(YEAR, 119.95, 30.05) > 0
    assert up.mean() == pytest.approx(0.5, abs=0.01)
    june = up[(YEAR[0] + 171 * DAY_US <= YEAR) & (YEAR[0] + 172 * DAY_US > YEAR)]
    assert 13 <= june.sum() <= 15


def test_warmth_comes_after_the_sun():
    day = YEAR[0] + 200 * DAY_US + np.arange(1440) * 60_000_000
    light, kept = elevation_sine(day, 119.95, 30.05), answer(day, 119.95, 30.05, 5.0)
    assert day[kept.argmax()] - day[light.argmax()] > 2 * HOUR_US
    assert 0.0 <= kept.min() < kept.max() <= 1.0


def test_storms_are_the_same_whatever_span_is_asked_for():
    wide = storms_between(CLIMATE, int(YEAR[0]), int(YEAR[-1]))
    narrow = storms_between(CLIMATE, int(YEAR[4000]), int(YEAR[5000]))
    assert [storm for storm in wide if narrow[0].start <= storm.start <= narrow[-1].start] == narrow
    assert 70 < len(wide) < 150


def test_the_rain_that_falls_is_the_depth_of_its_storms():
    minutes = YEAR[0] + np.arange(60 * 1440) * 60_000_000
    fallen = rain_rate(CLIMATE, minutes).sum() / 60.0
    storms = storms_between(CLIMATE, int(minutes[0]) - 2 * DAY_US, int(minutes[-1]))
    whole = sum(storm.depth_mm for storm in storms if storm.start >= minutes[0] and storm.end <= minutes[-1])
    assert fallen == pytest.approx(whole, rel=0.03)


def test_a_catchment_answers_with_a_quick_rise_and_a_slow_recession():
    storm = max(storms_between(CLIMATE, int(YEAR[0]), int(YEAR[-1])), key=lambda item: item.depth_mm)
    times = storm.start + np.arange(96 * 6) * 600_000_000
    wave = response(CLIMATE, times, rise_h=3.0, recession_h=20.0)
    peak = int(wave.argmax())
    assert storm.depth_mm * 0.9 < wave.max()
    assert times[peak] - storm.start < 24 * HOUR_US


def test_the_river_stays_within_what_such_rivers_show(river):
    ranges = {
        "water_temperature": (3, 33), "ph": (6.7, 8.6), "dissolved_oxygen": (4, 14), "conductivity_25": (80, 380),
        "turbidity_ntu": (2, 600), "codmn": (1.5, 12), "nh3_n": (0.02, 2.5), "total_phosphorus": (0.03, 0.6),
        "total_nitrogen": (0.9, 6), "discharge": (15, 1500),
    }  # fmt: skip
    assert set(river) == set(ranges)
    for key, (low, high) in ranges.items():
        assert low < river[key].min() < river[key].max() < high, key


def test_rain_raises_flow_and_mud_washes_in_and_thins_out(river):
    flood = river["discharge"] > np.percentile(river["discharge"], 98)
    calm = river["discharge"] < np.median(river["discharge"])
    assert river["turbidity_ntu"][flood].mean() > 3 * river["turbidity_ntu"][calm].mean()
    assert river["conductivity_25"][flood].mean() < 0.8 * river["conductivity_25"][calm].mean()
    assert river["total_phosphorus"][flood].mean() > 1.2 * river["total_phosphorus"][calm].mean()


def test_oxygen_and_ph_follow_the_sun_together(river):
    summer = slice(190 * 24, 230 * 24)
    hours = local_hour(YEAR[summer])
    oxygen = np.array([river["dissolved_oxygen"][summer][hours == hour].mean() for hour in range(24)])
    ph = np.array([river["ph"][summer][hours == hour].mean() for hour in range(24)])
    assert 13 <= oxygen.argmax() <= 18
    assert 3 <= oxygen.argmin() <= 8
    assert np.corrcoef(oxygen, ph)[0, 1] > 0.9


def test_cold_water_holds_more_oxygen(river):
    assert river["dissolved_oxygen"][: 40 * 24].mean() > river["dissolved_oxygen"][190 * 24 : 230 * 24].mean() + 1.5


def test_the_sea_has_its_tide_its_stream_and_its_waves():
    sea = SeaWater().at(YEAR)
    assert sea["depth_below_transducer"].min() > 8
    assert 0.8 < sea["flow_velocity"].max() < 2.5
    towards = sea["current_direction"][sea["flow_velocity"] > 0.7]
    axis = np.minimum(np.abs(towards - 105.0), np.abs(towards - 285.0))
    assert np.percentile(axis, 95) < 25  # flood up the estuary, ebb down
    assert np.corrcoef(sea["wind_speed"], sea["significant_wave_height"])[0, 1] > 0.8
    assert 0 <= sea["wind_direction"].min() <= sea["wind_direction"].max() < 360
    assert 970 < sea["air_pressure"].min() < sea["air_pressure"].max() < 1055


def test_the_works_has_the_day_of_a_town():
    works = WorksWater().at(YEAR)
    hours = local_hour(YEAR)
    flow = np.array([np.median(works["flow_rate"][hours == hour]) for hour in range(24)])
    assert 2 <= flow.argmin() <= 5
    assert 8 <= flow.argmax() <= 21
    assert 200 < flow.min() < flow.max() < 700
    assert 12 < works["codcr"].min() < works["codcr"].max() < 50
