from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.errors import ConfigError
from nilometer.model import QartodFlag, SampleKind
from nilometer.model.schemas import TIME
from nilometer.periods.spans import edges
from nilometer.store.flow_means import flow_weighted
from nilometer.store.means import mean, mean_uncertainty, total
from nilometer.store.rollups import READ, roll_up, rollups
from tests.store.rolled import rolled, same
from tests.store.waters import SECOND, START, rows, settlement

HOUR = 3600
ROW = st.tuples(
    st.integers(0, 50 * 3600),
    st.one_of(st.none(), st.floats(-50, 400, allow_nan=False).map(lambda x: round(x, 2))),
    st.sampled_from([1, 1, 2, 3, 4, 9]),
    st.sampled_from([None, None, -1, 1]),
    st.sampled_from([None, 0.0, 0.25, 0.5]),
)


def table(seconds, values, quality=None, censored=None, uncertainty=None):
    n = len(seconds)
    return pa.table(
        {
            "datastream": pa.array([7] * n, pa.int32()),
            "phenomenon_time": (START + np.array(seconds, np.int64) * SECOND).astype("datetime64[us]"),
            "result": pa.array(values, pa.float64()),
            "result_quality": pa.array([1] * n if quality is None else quality, pa.int8()),
            "censored": pa.array([None] * n if censored is None else censored, pa.int8()),
            "result_uncertainty": pa.array([None] * n if uncertainty is None else uncertainty, pa.float32()),
            "provenance": pa.array([1] * n, pa.int32()),
        }
    ).cast(pa.schema([("datastream", pa.int32()), ("phenomenon_time", TIME), *_REST]))


_REST = [
    ("result", pa.float64()),
    ("result_quality", pa.int8()),
    ("censored", pa.int8()),
    ("result_uncertainty", pa.float32()),
    ("provenance", pa.int32()),
]


_READ = ["datastream", *READ, "result_uncertainty", "provenance"]


def hours(*columns, kind="arithmetic"):
    found = table(*columns)
    time = found["phenomenon_time"].cast(pa.int64()).to_numpy()
    return roll_up(7, found, edges("hour", int(time[0]), int(time[-1]) + 1), kind)


@given(
    st.lists(ROW, min_size=1, max_size=40, unique_by=lambda row: row[0]).map(
        lambda rows: sorted(rows, key=lambda row: row[0])
    ),
    st.sampled_from(["hour", "day"]),
    st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns"]),
    st.sampled_from(["arithmetic", "hydrogen_ion", "circular"]),
)
@settings(max_examples=80, deadline=None)
def test_rows_come_to_what_they_come_to_one_by_one(given_rows, span, zone, kind):
    found = table(*(list(column) for column in zip(*given_rows, strict=True)))
    time = found["phenomenon_time"].cast(pa.int64()).to_numpy()
    every = edges(span, int(time[0]), int(time[-1]) + 1, zone)
    same(roll_up(7, found, every, kind), rolled(found, span, zone, kind))
    same(roll_up(7, found, every, kind, own=lambda _: 0.3), rolled(found, span, zone, kind, own=0.3))


def test_hours_follow_late_rows_revisions_settlements_deletes_and_samples(water):
    store, one = water.store, water.ids[0]

    def check():
        for snapshot in (store.snapshot(), *(store.snapshot(moment) for moment in past)):
            for span, zone in (("hour", "UTC"), ("day", "Asia/Kathmandu")):
                found = rollups(snapshot, one, span, time_zone=zone)
                same(found, rolled(snapshot.read([one], columns=_READ), span, zone))

    past = []
    water.send(one, np.arange(0, 6 * HOUR, 600), np.arange(36) % 7)
    water.send(one, [8 * HOUR], [3.0])
    check()
    past.append(store.snapshot().committed(store.mark()))
    store.save_state("qc", store.sequence(), b"")
    store.seal()
    check()
    late = water.send(one, [7 * HOUR, 300, 900], [9.0, 9.0, -1.0])  # new hours, and late rows of a sealed one
    check()
    water.send(one, [600], [99.0])  # a revision
    water.put(rows([], [], []), settled=settlement(late.rows.id[:1], QartodFlag.FAIL, "4"))
    check()
    past.append(store.snapshot().committed(store.mark()))
    store.delete([one], START + HOUR * SECOND, START + 2 * HOUR * SECOND)
    check()
    feature = store.catalog.sample_feature(one, SampleKind.CHECK)
    water.send(one, [60], [4.0], feature=np.array([feature], np.int32))
    check()
    store.save_state("qc", store.sequence(), b"")
    store.seal()
    store.compact()
    check()
    assert rollups(store.snapshot(), one, "hour")["count"].to_pylist()[0] == 8


def test_a_span_that_is_touched_is_given_whole(water):
    one = water.ids[0]
    water.send(one, [0, 1800, 3600, 7200], [1.0, 2.0, 3.0, 4.0])
    found = rollups(water.store.snapshot(), one, "hour", START + 1800 * SECOND, START + 3601 * SECOND)
    assert found["count"].to_pylist() == [2, 1]
    assert (
        rollups(water.store.snapshot(), one, "hour", START + 1800 * SECOND, START + 3600 * SECOND)["count"][0].as_py()
        == 2
    )
    assert not len(rollups(water.store.snapshot(), one, "day", START + 100 * HOUR * SECOND))
    assert not len(rollups(water.store.snapshot(), water.ids[1], "day"))


def test_years_of_hours_are_rolled_up_a_part_at_a_time(water):
    one = water.ids[0]
    water.send(one, np.arange(0, 25_000) * HOUR, np.arange(25_000) % 24)
    found = rollups(water.store.snapshot(), one, "hour")
    assert found["first"].to_pylist() == [float(n % 24) for n in range(25_000)]
    assert total(found)["count"].to_pylist() == [25_000]
    assert total(found)["last_time"] == found["last_time"].slice(24_999)


def test_means_treat_a_value_below_its_limit_as_told():
    found = hours([0, 1, 2, 3], [8.0, 2.0, 4.0, 100.0], [1, 1, 3, 4], [None, -1, -1, None])
    assert mean(found).tolist() == [(8 + 1 + 2) / 3]
    assert mean(found, below="zero").tolist() == [8 / 3]
    assert mean(found, below="limit").tolist() == [14 / 3]
    assert mean(found, without_suspect=True).tolist() == [(8 + 1) / 2]
    assert (found["below_good"][0].as_py(), found["below_suspect"][0].as_py()) == (1, 1)


def test_the_hydrogen_ion_mean_is_that_of_the_activities():
    found = hours([0, 1, 2], [6.0, 8.0, 1.0], [1, 1, 4], kind="hydrogen_ion")
    assert mean(found, "hydrogen_ion").round(3).tolist() == [6.297]
    # One dead electrode among good ones is left out, not taken off a sum in which nothing else is left.
    dead = hours([0, 1, 2], [8.25, 0.0, 8.25], [1, 3, 1], kind="hydrogen_ion")
    assert mean(dead, "hydrogen_ion", without_suspect=True) == pytest.approx([8.25], abs=1e-12)
    with pytest.raises(ConfigError, match="sum_h"):
        mean(hours([0], [7.0]), "hydrogen_ion")


def test_the_circular_mean_goes_the_short_way_round():
    found = hours(
        [0, 1, HOUR, HOUR + 1, 2 * HOUR, 2 * HOUR + 1], [350.0, 20.0, 0.0, 180.0, 270.0, 270.0], kind="circular"
    )
    means = mean(found, "circular")
    assert means[[0, 2]] == pytest.approx([5.0, 270.0])
    assert np.isnan(means[1])  # opposite directions have none
    north = hours([0, 1], [359.0, 1.0], kind="circular")
    assert min(mean(north, "circular")[0], 360 - mean(north, "circular")[0]) < 1e-9
    assert 0 <= mean(north, "circular")[0] < 360


def test_a_span_in_which_nothing_enters_has_no_mean_and_no_extremes_but_shows_what_there_was():
    found = hours([0, 1], [55.0, None], [4, 9])
    assert np.isnan(mean(found)).all()
    assert found["min"].to_pylist() == found["first_time"].to_pylist() == [None]
    assert (found["lowest"][0].as_py(), found["highest"][0].as_py()) == (55.0, 55.0)


def test_a_month_is_the_total_of_its_days():
    found = hours([0, HOUR, 2 * HOUR], [5.0, 1.0, 9.0], [1, 4, 3], [None, None, -1])
    one = total(found).to_pylist()[0]
    assert (one["count"], one["fail"], one["n_good"], one["n_suspect"]) == (3, 1, 1, 1)
    assert (one["min"], one["max"], one["lowest"], one["first"], one["last"]) == (5.0, 9.0, 1.0, 5.0, 9.0)
    assert mean(total(found)).tolist() == [(5 + 4.5) / 2]
    assert one["end"] == found["end"][2].as_py()


def test_the_flow_weighted_mean_pairs_each_value_with_the_nearest_discharge(water):
    c, q = water.ids[:2]
    water.send(c, [0, 600, 1200, HOUR, 2 * HOUR], [10.0, 20.0, 30.0, 40.0, 50.0])
    water.send(q, [-100, 650, 1300, HOUR + 1, 2 * HOUR], [1.0, 3.0, 6.0, 0.0, 4.0])
    found = flow_weighted(water.store.snapshot(), c, q, "hour", within_us=100 * SECOND)
    assert found["n"].to_pylist() == [3, 1, 1]
    assert found["unpaired"].to_pylist() == [0, 0, 0]
    assert found["mean"].to_pylist() == [(10 * 1 + 20 * 3 + 30 * 6) / 10, None, 50.0]
    assert found["discharge"].to_pylist() == [10 / 3, 0.0, 4.0]
    near = flow_weighted(water.store.snapshot(), c, q, "hour", within_us=60 * SECOND)
    assert near["unpaired"].to_pylist() == [2, 0, 0]
    assert near["mean"].to_pylist() == [20.0, None, 50.0]
    assert flow_weighted(water.store.snapshot(), c, water.ids[2], "hour")["mean"].null_count == 3
    assert not len(flow_weighted(water.store.snapshot(), water.ids[2], q, "hour"))


def test_the_flow_weighted_mean_leaves_out_what_failed_and_takes_half_a_limit(water):
    c, q = water.ids[:2]
    water.send(c, [0, 10], [10.0, 4.0], censored=np.array([0, -1], np.int8))
    water.put(rows(c, [20], [1000.0]), quality=QartodFlag.FAIL)
    water.put(rows(c, [30], [40.0]), quality=QartodFlag.SUSPECT)
    water.send(q, [0, 10, 30], [1.0, 1.0, 2.0])
    snapshot = water.store.snapshot()
    assert flow_weighted(snapshot, c, q, "hour")["mean"].to_pylist() == [(10 + 2 + 80) / 4]
    assert flow_weighted(snapshot, c, q, "hour", below="limit")["mean"].to_pylist() == [(10 + 4 + 80) / 4]
    assert flow_weighted(snapshot, c, q, "hour", without_suspect=True)["mean"].to_pylist() == [6.0]


@pytest.mark.parametrize("kind", ["arithmetic", "hydrogen_ion"])
def test_a_mean_keeps_what_its_rows_have_in_common_and_loses_what_each_has_for_itself(kind):
    """Against draws: one error of calibration for all rows, an error of reading for each."""
    values, common, own = np.array([7.0, 7.4, 7.1, 6.9]), 0.08, 0.06
    found = table([0, 60, 120, 180], values, uncertainty=[float(np.hypot(common, own))] * 4)
    every = edges("hour", START, START + 1)
    spread = mean_uncertainty(roll_up(7, found, every, kind, own=lambda _: own), kind).item()
    rng = np.random.default_rng(6)
    drawn = values + common * rng.normal(size=(40_000, 1)) + own * rng.normal(size=(40_000, 4))
    means = drawn.mean(axis=1) if kind == "arithmetic" else -np.log10((10.0**-drawn).mean(axis=1))
    assert spread == pytest.approx(means.std(), rel=0.02)
    assert mean_uncertainty(roll_up(7, found, every, kind), kind).item() == pytest.approx(0.1)


def test_a_mean_of_rows_of_which_one_says_nothing_is_as_uncertain_as_nobody_knows():
    every = edges("hour", START, START + 1)
    lacking = table([0, 60], [7.0, 7.4], uncertainty=[0.1, None])
    censored = table([0, 60], [7.0, 7.4], censored=[-1, None], uncertainty=[0.1, 0.1])
    failed = table([0, 60], [7.0, 7.4], quality=[1, 4], uncertainty=[0.1, None])
    assert np.isnan(mean_uncertainty(roll_up(7, lacking, every))).all()
    assert np.isnan(mean_uncertainty(roll_up(7, censored, every))).all()
    assert mean_uncertainty(roll_up(7, failed, every)).item() == pytest.approx(0.1)
    assert np.isnan(mean_uncertainty(roll_up(7, failed, every, "circular"), "circular")).all()
