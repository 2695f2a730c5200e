"""Two series of one water, as instruments and their owners spoil them: what pairs, and whether the account adds up."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from nilometer.errors import UnitError
from nilometer.model.flags import QartodFlag
from nilometer.trials.pairing.alignment import Pairing, Rules, align, with_condition
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.clock import clock_offset
from nilometer.trials.pairing.response import first_order, time_constant

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
STILL = Rules(clock_search_us=0)


def arm(values, step=10 * MINUTE, start=0, unit="mg L-1", **more) -> Arm:
    values = np.asarray(values, np.float64)
    return Arm(time=start + np.arange(len(values), dtype=np.int64) * step, values=values, unit=unit, **more)


def water(seconds, seed=1) -> np.ndarray:
    """A day's wave, a tide and a wandering level, straight between its minutes."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(-2 * 86400, 22 * 86400, 60.0)
    wander = np.convolve(rng.normal(0, 0.02, len(minutes)), np.exp(-np.arange(3000) / 500), "same")
    days = minutes / 86400
    return np.interp(seconds, minutes, 15 + 2 * np.sin(2 * np.pi * days) + np.sin(2 * np.pi * days * 1.93) + wander)


def adds_up(account) -> None:
    assert account.candidate_used + sum(account.candidate_left_out.values()) == account.candidate_rows
    assert account.reference_used + sum(account.reference_left_out.values()) == account.reference_rows


def test_every_result_is_in_one_pair_or_left_out_by_a_reason():
    flags = np.array([1, 1, 3, 4, 1, 1, 1, 2, 1, 1], np.uint8)
    values = np.arange(10.0)
    values[5] = math.nan
    candidate = arm(values, flags=flags, start=MINUTE)
    reference = arm(np.arange(12.0), unit="ug L-1")
    rules = Rules(clock_search_us=0, maintenance=[(60 * MINUTE, 71 * MINUTE)], period=(0, 100 * MINUTE))
    pairs, account = align(candidate, reference, rules)
    assert account.notes == ()
    assert "300 s apart" in align(arm(np.arange(9.0), start=5 * MINUTE), reference, STILL)[1].notes[0]
    assert pairs.candidate.tolist() == [0, 1000, 4000, 8000, 9000]
    assert pairs.reference.tolist() == [0, 1, 4, 8, 9]
    assert pairs.time.tolist() == [0, 10 * MINUTE, 40 * MINUTE, 80 * MINUTE, 90 * MINUTE]
    assert account.candidate_left_out == {
        "missing": 1,
        "flag_not_evaluated": 1,
        "flag_suspect": 1,
        "flag_fail": 1,
        "maintenance": 1,
    }
    assert account.reference_left_out == {"outside_period": 2, "maintenance": 2, "unmatched": 3}
    adds_up(account)
    trusting = Rules(clock_search_us=0, flags=frozenset({QartodFlag.PASS, QartodFlag.SUSPECT}))
    both, account = align(candidate, reference, trusting)
    assert 2000.0 in both.candidate
    adds_up(account)


def test_no_result_pairs_twice_and_the_tolerance_is_kept():
    rng = np.random.default_rng(2)
    times = [np.unique(rng.integers(0, 10_000, 900)) for _ in range(2)]
    one, other = (Arm(time=each, values=each.astype(float), unit="1") for each in times)
    pairs, account = align(one, other, Rules(clock_search_us=0, tolerance_us=3))
    assert np.abs(pairs.candidate - pairs.reference).max() <= 3
    assert len(np.unique(pairs.candidate)) == len(np.unique(pairs.reference)) == len(pairs) > 200
    adds_up(account)


def test_the_faster_is_averaged_over_the_intervals_of_the_slower():
    fast = np.arange(60.0)
    fast[[12, 13, 14]] = math.nan  # 7 of 10 are left in the second interval, 8 of 10 in the fourth
    fast[[30, 39]] = math.nan
    censored = np.zeros(60, np.int8)
    censored[45] = -1
    candidate = arm(fast, MINUTE, censored=censored, uncertainty=np.full(60, 0.3))
    reference = arm(np.zeros(6), 10 * MINUTE, duration_us=10 * MINUTE)
    pairs, account = align(candidate, reference, STILL)
    assert (account.pairing, account.averaged, account.interval_us) == (Pairing.MEAN, "candidate", 10 * MINUTE)
    assert pairs.candidate.tolist() == [4.5, 24.5, 34.5, 44.5, 54.5]
    assert pairs.candidate_censored.tolist() == [0, 0, 0, -1, 0]
    assert pairs.candidate_uncertainty.tolist() == pytest.approx([0.3] * 5)
    assert (account.reference_left_out, account.censored_pairs) == ({"too_few_values": 1}, 1)
    adds_up(account)
    # Instants meet the nearest, unless a mean around them is asked for.
    spot = arm(np.zeros(5), 10 * MINUTE, start=5 * MINUTE)
    assert align(candidate, spot, STILL)[1].pairing is Pairing.NEAREST
    around, account = align(spot, candidate, Rules(clock_search_us=0, pairing=Pairing.MEAN))
    assert (account.averaged, around.reference[0]) == ("reference", 4.5)


@pytest.mark.parametrize(("ahead_s", "name"), [(217, ""), (3600, "daylight_saving"), (28800, "time_zone")])
def test_a_clock_that_is_off_is_found_named_and_moved_only_when_asked(ahead_s, name):
    rng = np.random.default_rng(5)
    seconds = np.arange(0, 20 * 86400, 300.0)
    times = (seconds * 1e6).astype(np.int64)
    keep = rng.uniform(size=len(times)) > 0.2
    reference = Arm(time=times[keep], values=(water(seconds) + rng.normal(0, 0.05, len(times)))[keep], unit="1")
    spoilt = water(seconds - ahead_s) * 1.1 + 3 + rng.normal(0, 0.05, len(times))
    candidate = Arm(time=times, values=spoilt, unit="1")
    _, account = align(candidate, reference)
    clock = account.clock
    assert clock.is_clear
    assert abs(clock.offset_us / 1e6 - ahead_s) < 4 * clock.uncertainty_us / 1e6 < 240
    assert (clock.named, account.clock_correction_us) == (name, 0)
    assert any("nothing was moved" in note for note in account.notes)
    pairs, account = align(candidate, reference, Rules(correct_clock=True))
    assert account.clock_correction_us == pytest.approx(ahead_s * 1e6, abs=60e6)
    assert np.corrcoef(pairs.candidate, pairs.reference)[0, 1] > 0.998
    adds_up(account)


def test_clocks_that_agree_are_left_alone_and_a_still_series_shows_no_clock():
    seconds = np.arange(0, 10 * 86400, 600.0)
    rng = np.random.default_rng(6)
    one, other = (arm(water(seconds) + rng.normal(0, 0.05, len(seconds))) for _ in range(2))
    _, account = align(one, other, Rules(correct_clock=True))
    assert (account.clock.is_clear, account.clock_correction_us, account.notes) == (True, 0, ())
    _, account = align(arm(np.full(1000, 7.0)), arm(water(seconds[:1000])), Rules(correct_clock=True))
    assert math.isnan(account.clock.offset_us)
    assert "candidate never changes" in account.clock.note
    assert "left alone" in account.notes[0]
    noise = [arm(rng.normal(size=2000)) for _ in range(2)]
    assert not clock_offset((noise[0].time, noise[0].values), (noise[1].time, noise[1].values), step_us=1).is_clear


@pytest.mark.parametrize(("hours", "way"), [(1, "forward"), (-1, "back")])
def test_a_clock_that_changes_to_summer_time_on_the_way_is_found_out(hours, way):
    rng = np.random.default_rng(7)
    seconds = np.arange(0, 20 * 86400, 600.0)
    one, other = (water(seconds) + rng.normal(0, 0.05, len(seconds)) for _ in range(2))
    local = seconds + 3600 * hours * (seconds >= 8 * 86400)
    kept = np.diff(np.maximum.accumulate(local), prepend=-1) > 0  # what is written twice can stand only once
    candidate = Arm(time=(local[kept] * 1e6).astype(np.int64), values=one[kept], unit="1")
    _, account = align(candidate, arm(other, unit="1"), Rules(correct_clock=True))
    assert (account.clock.named, account.clock.is_clear) == ("daylight_saving_change", False)
    assert account.clock_correction_us == 0
    assert f"put {way} by an hour near 1970-01-0" in account.notes[0]


def test_the_faster_instrument_is_slowed_down_to_the_slower():
    """A step of the water: T90 after it the slow instrument shows nine tenths, and so does the fast one then."""
    tau = time_constant(600e6)
    time = np.arange(0, 3600, 5, dtype=np.int64) * 1_000_000
    step = np.where(time >= 1800e6, 10.0, 0.0)
    slow, _ = first_order(time, step, tau, 10_000_000)
    after = int(np.flatnonzero(time == 2_400_000_000)[0])
    assert slow[after] == pytest.approx(9.0, abs=0.03)  # the step itself takes one interval
    candidate = Arm(time=time, values=step, unit="1")
    reference = Arm(time=time, values=slow, unit="1", response_us=600_000_000)
    pairs, account = align(candidate, reference, STILL)
    assert np.abs(pairs.difference).max() < 1e-9
    assert (account.filtered, account.candidate_left_out["settling"]) == ("candidate", 120)
    adds_up(account)
    raw, account = align(candidate, reference, Rules(clock_search_us=0, match_response=False))
    assert np.abs(raw.difference).max() > 9
    assert "response times differ" in account.notes[0]


def test_what_cannot_be_paired_says_what_where_and_what_to_do():
    with pytest.raises(ValueError, match=r"series: time runs back .* at row 2: put the rows in order"):
        Arm(time=np.array([0, 20, 10]), values=np.zeros(3), unit="1")
    with pytest.raises(ValueError, match="runs backwards from its first to its last row"):
        Arm(time=np.array([30, 20, 10]), values=np.zeros(3), unit="1")
    with pytest.raises(ValueError, match="1970-01-01T00:00:00Z stands twice, at row 1"):
        Arm(time=np.array([0, 0]), values=np.zeros(2), unit="1")
    with pytest.raises(UnitError, match=r"new cannot be held against old: mg L-1 cannot be converted to uS cm-1"):
        align(arm([1.0], name="new"), arm([1.0], unit="uS cm-1", name="old"))
    with pytest.raises(
        ValueError, match=r"do not overlap, 23.8 h lie between them: look at their dates and time zones"
    ):
        align(arm([1.0, 2.0]), arm([1.0, 2.0], start=DAY))
    with pytest.raises(ValueError, match=r"none of 2 results may count \(flag_fail: 2\)"):
        align(arm([1.0, 2.0], flags=np.full(2, 4, np.uint8)), arm([1.0, 2.0]))
    with pytest.raises(ValueError, match="the series is empty"):
        align(arm([]), arm([1.0]))
    slow = arm([1.0, 2.0], response_us=DAY)
    with pytest.raises(ValueError, match="no result is left after it was slowed down"):
        align(arm([1.0, 2.0]), slow)
    with pytest.raises(
        ValueError, match=r"no result of series meets one of series.*2 unmatched of the one.*tolerance is 0 s"
    ):
        align(arm([1.0, 2.0]), arm([1.0, 2.0], start=1), Rules(clock_search_us=0, tolerance_us=0))
    with pytest.raises(ValueError, match="2 times and 1 values"):
        Arm(time=np.array([0, 1]), values=np.zeros(1), unit="1")
    pairs, account = align(arm([1.0]), arm([2.0]))
    assert (len(pairs), account.clock.note) == (1, "there are too few results to compare the clocks")


def test_pairs_know_their_cleaning_and_what_the_water_was_like():
    pairs, _ = align(arm(np.arange(6.0)), arm(np.arange(6.0)), Rules(clock_search_us=0, cleanings=[20 * MINUTE]))
    assert pairs.interval.tolist() == [0, 0, 1, 1, 1, 1]
    warm = arm([5.0, math.nan, 7.0], 30 * MINUTE, unit="degree_Celsius")
    assert with_condition(pairs, "temperature", warm, 10 * MINUTE).conditions["temperature"].tolist() == pytest.approx(
        [5.0, 5.0, math.nan, math.nan, math.nan, 7.0], nan_ok=True
    )


@pytest.mark.real
def test_real_sensors_that_keep_local_time_are_found_to(real_data):
    """EPA's three sensors of one model log UTC−5 through the summer; the station's means of hours are in UTC."""
    folder = real_data / "collocation" / "epa_sensortoolkit"
    station = pd.read_csv(folder / "airnowtech_example_reference_data.csv.gz").query("Param in ['OZONE', 'O3']")
    hours = pd.to_datetime(station["Date (UTC)"] + " " + station["Time (UTC)"]).to_numpy("datetime64[us]").astype("i8")
    reference = Arm(time=hours, values=station.Value.to_numpy(float), unit="1", name="station", duration_us=HOUR)
    for number in (1, 2, 3):
        rows = pd.read_csv(folder / f"toco_toucan_RT0{number}_raw.csv.gz", skiprows=5)
        minutes = pd.to_datetime(rows["Time"]).to_numpy("datetime64[us]").astype("i8")
        later = np.concatenate([[True], np.diff(minutes) > 0])
        candidate = Arm(time=minutes[later], values=rows["O3 (ppb)"].to_numpy(float)[later], unit="1", name="sensor")
        _, account = align(candidate, reference)
        assert (account.clock.is_clear, account.clock.named, account.clock.named_us) == (True, "time_zone", -5 * HOUR)
        assert account.clock.correlation_at_zero < 0.3
        assert account.pairing is Pairing.MEAN
        moved, account = align(candidate, reference, Rules(correct_clock=True))
        assert account.clock_correction_us == -5 * HOUR
        assert np.corrcoef(moved.candidate, moved.reference)[0, 1] > 0.92
        adds_up(account)
