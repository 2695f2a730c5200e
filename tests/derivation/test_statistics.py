from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

from nilometer.derivation import exceedance, low_flow, sampling_error
from nilometer.derivation.statistics import Completeness, period_statistics
from nilometer.periods.spans import edges
from nilometer.store.means import mean, mean_uncertainty
from nilometer.store.rollups import roll_up
from nilometer.units import registry

HOUR = 3_600_000_000


def times(n: int, step=HOUR, first="2026-01-01") -> np.ndarray:
    return np.datetime64(first, "us").view(np.int64) + np.arange(n) * step


@pytest.mark.parametrize("kind", ["arithmetic", "hydrogen_ion", "circular"])
@pytest.mark.parametrize("without_suspect", [False, True])
def test_a_notebook_gives_the_numbers_of_the_store_to_the_last_digit(kind, without_suspect):
    rng = np.random.default_rng(8)
    n = 4000
    when = np.sort(times(n, HOUR // 4) + rng.integers(0, 600_000_000, n))
    value = rng.uniform(6.0, 8.5, n)
    flags = rng.choice([1, 2, 3, 4, 9], n, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    censored = rng.choice([-1, 0, 1], n, p=[0.1, 0.85, 0.05])
    u = rng.uniform(0.1, 0.2, n).astype(np.float32)
    rows = pa.table(
        {
            "phenomenon_time": pa.array(when, pa.timestamp("us", "UTC")),
            "result": value,
            "result_quality": pa.array(flags, pa.int8()),
            "censored": pa.array(censored, pa.int8()),
            "result_uncertainty": u,
            "provenance": pa.array(np.ones(n), pa.int32()),
        }
    )
    every = edges("day", int(when[0]), int(when[-1]) + 1, "Asia/Shanghai")
    theirs = roll_up(1, rows, every, kind, own=lambda way: 0.05)
    shuffled = rng.permutation(n)
    ours = period_statistics(
        value[shuffled],
        "day",
        time=when[shuffled],
        time_zone="Asia/Shanghai",
        rule="any",
        mean=kind,
        flags=flags[shuffled],
        without_suspect=without_suspect,
        censored=censored[shuffled],
        below="half",
        uncertainty=u.astype(float)[shuffled],
        own_uncertainty=0.05,
    )
    assert ours.start.tolist() == theirs["start"].cast(pa.int64()).to_pylist()
    assert (ours.mean == mean(theirs, kind, without_suspect=without_suspect)).all()
    expected = mean_uncertainty(theirs, kind, without_suspect=without_suspect)
    assert np.array_equal(ours.uncertainty, expected, equal_nan=True)
    if not without_suspect:
        assert (ours.min == theirs["min"].to_numpy()).all()
        assert ours.max_time.tolist() == theirs["max_time"].cast(pa.int64()).to_pylist()


def test_the_calibration_part_does_not_get_less_by_averaging():
    found = period_statistics(np.ones(24), time=times(24), uncertainty=0.5, own_uncertainty=0.4)
    assert found.uncertainty[0] == pytest.approx(np.sqrt(0.3**2 + 0.4**2 / 24))


def test_units_go_in_and_come_out():
    ask = registry()
    level = ask.Quantity(np.ones(24), "cm")
    found = period_statistics(level, time=times(24), uncertainty=ask.Quantity(5.0, "mm"))
    assert (found.unit, found.mean[0], found.uncertainty[0]) == ("cm", 1.0, pytest.approx(0.5))
    median = exceedance.percentile(level, 50)
    assert (median.magnitude, str(median.units)) == (1.0, "centimeter")
    assert sampling_error.standard_error(pl.Series([1.0, None, 3.0, 1.0])) > 0.0


def test_a_day_that_misses_its_rule_has_counts_alone():
    when = times(72, first="2026-03-28T23:00")  # from midnight in Berlin: the first day has 23 hours
    value = np.where(np.arange(72) < 17, 1.0, np.nan)
    found = period_statistics(value, "day", time=when, time_zone="Europe/Berlin")
    assert found.expected.tolist()[:2] == [23, 24]
    assert found.present[0] == 17
    assert not found.is_complete[0]
    assert np.isnan(found.mean[0])
    loose = period_statistics(value, "day", time=when, time_zone="Europe/Berlin", rule=Completeness(least_share=0.7))
    assert (loose.mean[0], loose.total[0], loose.n.tolist()) == (1.0, 17.0, [17, 0, 0, 0][: len(loose)])
    assert loose.integral[0] == pytest.approx(23 * 3600.0)


def test_months_and_hydrological_years_by_the_rule_of_the_wmo():
    day = times(3 * 365, 24 * HOUR, first="2025-01-01T12:00")
    value = pd.Series(np.ones(len(day)), pd.to_datetime(day, unit="us", utc=True))
    value.loc["2025-03-02":"2025-03-06"] = np.nan  # five in a row
    value[np.isin(value.index.strftime("%m-%d %Y"), [f"04-{of:02} 2025" for of in (2, 5, 9, 12, 20)])] = np.nan
    value.loc["2025-05-10":"2025-05-12"] = np.nan
    value.loc["2025-06-01":"2025-06-30":5] = np.nan
    found = pd.DataFrame(period_statistics(value, "month", rule="WMO 3/5").columns()).set_index("start")
    kept = dict(zip(found.index.strftime("%Y-%m"), found.is_complete, strict=True))
    assert not kept["2025-03"]
    assert kept["2025-04"]
    assert kept["2025-05"]
    assert not kept["2025-06"]
    years = period_statistics(value, "year", first_month=11, time_zone="Asia/Shanghai", rule="75 %")
    starts = years.start.view("datetime64[us]").astype("datetime64[h]").astype(str).tolist()
    assert starts[:2] == ["2024-10-31T16", "2025-10-31T16"]
    assert years.is_complete.tolist() == [True, True, True, False]
    assert years.total[1] == 365.0


def test_flow_weighted_and_censored_means():
    c, q = np.array([1.0, 3.0, 5.0, 100.0]), np.array([1.0, 3.0, 0.0, np.nan])
    found = period_statistics(c, time=times(4), mean="flow_weighted", discharge=q, rule="any")
    assert (found.mean[0], found.n[0]) == (2.5, 3)
    halved = period_statistics([4.0, 2.0], time=times(2), censored=[0, -1], rule="any")
    assert (halved.mean[0], halved.below[0], halved.total[0]) == (2.5, 1, 5.0)
    with pytest.raises(ValueError, match="needs a discharge"):
        period_statistics(c, time=times(4), mean="flow_weighted")
    with pytest.raises(ValueError, match=r"flags has shape \(2,\)"):
        period_statistics(c, time=times(4), flags=[1, 1])
    assert len(period_statistics([], time=np.array([], "datetime64[us]"))) == 0


def test_standard_errors_hold_under_autocorrelation():
    rng = np.random.default_rng(4)
    white = rng.normal(size=(300, 1200))
    series = np.zeros_like(white)
    for at in range(1, white.shape[1]):
        series[:, at] = 0.8 * series[:, at - 1] + white[:, at]
    series = series[:, 200:]
    scatter = series.mean(axis=1).std()
    said = np.mean([sampling_error.standard_error(one) for one in series])
    assert said == pytest.approx(scatter, rel=0.15)
    worth = np.mean([sampling_error.effective_size(one) for one in series])
    assert worth == pytest.approx(1000 * 0.2 / 1.8, rel=0.2)
    assert sampling_error.standard_error(white[0]) == pytest.approx(1 / np.sqrt(1200), rel=0.35)
    gappy = np.where(rng.random(1000) < 0.2, np.nan, series[0])
    assert sampling_error.standard_error(gappy) == pytest.approx(sampling_error.standard_error(series[0]), rel=0.4)
    bursts = sampling_error.burst_means(
        series[0], time=times(1000, 1_000_000) + np.arange(1000) // 250 * HOUR, pause_s=60
    )
    assert bursts.mean == pytest.approx(series[0].reshape(4, 250).mean(axis=1))
    assert np.isfinite(bursts.standard_error).all()


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        ("weibull", "weibull"),
        ("hazen", "hazen"),
        ("linear", "linear"),
        ("median", "median_unbiased"),
        ("blom", "normal_unbiased"),
    ],
)
def test_percentiles_equal_those_of_numpy(ours, numpys):
    values = np.random.default_rng(5).lognormal(size=200)
    percent = [5.0, 33.0, 50.0, 90.0, 95.0]
    assert exceedance.percentile(values, percent, position=ours) == pytest.approx(
        np.percentile(values, percent, method=numpys), rel=1e-12
    )
    assert exceedance.flow_duration(values, 95, position=ours) == exceedance.percentile(values, 5, position=ours)


def test_events_end_with_gaps():
    y = [5.0, np.nan, 5.0, 1.0, 7.0, 6.0, 9.0]
    when = np.array([0, 1, 2, 3, 4, 5, 50]) * 1_000_000
    found = exceedance.exceedances(y, 4.0, time=when, longest_gap_s=10.0)
    assert (found.start // 1_000_000).tolist() == [0, 4, 50]
    assert (found.end // 1_000_000).tolist() == [2, 5, 50]
    assert found.extreme.tolist() == [5.0, 7.0, 9.0]
    low = exceedance.exceedances(y, 4.0, time=when, is_below=True)
    assert (len(low), low.extreme[0]) == (1, 1.0)


@pytest.mark.real
def test_low_flow_of_the_tanana(real_data):
    table = pd.read_csv(real_data / "level" / "usgs" / "usgs_discharge_TRTS_20090801_20190801_daily.csv", index_col=0)
    flow = pd.Series(table.iloc[:, 0].to_numpy(float), pd.to_datetime(table.index, utc=True))
    _, least = low_flow.annual_minima(flow, first_month=8)
    rolled = flow.rolling(7).mean()
    years = [rolled[f"{year}-08-01" : f"{year + 1}-07-31"].min() for year in range(2009, 2019)]
    assert least == pytest.approx(years, rel=1e-9)
    assert low_flow.mean_annual_minimum(flow, first_month=8) == pytest.approx(np.mean(years))
    found = low_flow.low_flow(flow, first_month=8)
    log = np.log10(years)
    expected = 10 ** (log.mean() + log.std(ddof=1) * stats.pearson3.ppf(0.1, stats.skew(log, bias=False)))
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert (found.years, found.zeros) == (10, 0)
    assert 0.01 < found.uncertainty / found.value < 0.15
    assert np.isnan(low_flow.low_flow(flow["2012":], first_month=8).value)  # seven years are too few


def test_years_without_flow_are_set_apart():
    day = times(20 * 365 + 5, 24 * HOUR, first="2000-04-01")
    year = (np.arange(len(day)) // 365.25).astype(int)
    flow = np.where((year < 4) & (np.arange(len(day)) % 365 < 30), 0.0, 2.0 + year / 10.0)
    found = low_flow.low_flow(flow, time=day)
    assert (found.value, found.zeros) == (0.0, 4)
    assert low_flow.low_flow(flow, time=day, return_period=2.0).value > 1.0
