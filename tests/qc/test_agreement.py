"""Value for value beside ioos_qc on made series; every difference left out here stands in docs/qartod.md.

Those differences have their tests in test_difference.py, real series theirs in test_agreement_real.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc.peers import ours, theirs

from nilometer.qc import check
from nilometer.qc.rollup import Rule, roll_up

pytest.importorskip("gsw")  # their location test asks for it
INTERVAL = 900
# Quarters, so that sums and differences are exact and equality with a threshold happens.
NUMBERS = st.integers(-40, 80).map(lambda k: k / 4)
MISSING = st.sampled_from([np.nan, np.inf, -np.inf])
SERIES = st.lists(st.one_of(NUMBERS, NUMBERS, NUMBERS, st.just(1.0), MISSING), min_size=3, max_size=80)
WHOLE = st.lists(st.one_of(NUMBERS, st.just(2.0)), min_size=3, max_size=80)
LEVELS = st.tuples(st.integers(1, 20).map(lambda k: k / 4), st.integers(-2, 20).map(lambda k: k / 4))
SPANS = st.tuples(NUMBERS, NUMBERS).map(list)
many = settings(max_examples=100, deadline=None)
some = settings(max_examples=50, deadline=None)


def times(n):
    return np.arange(n) * np.timedelta64(INTERVAL, "s") + np.datetime64("2024-01-01", "s")


def finite(values):
    return [x for x in values if not np.isinf(x)]


@many
@given(values=SERIES, span=SPANS, wider=st.integers(0, 8))
def test_gross_range_agrees(values, span, wider):
    values = finite(values)
    fail = [max(span) + wider / 2, min(span) - wider / 2]  # the wrong way round is sorted there
    assert ours(values, "gross_range_test", {"fail_span": fail, "suspect_span": span}) == theirs(
        "gross_range_test", np.array(values), fail_span=tuple(fail), suspect_span=tuple(span)
    )


@some
@given(values=SERIES, span=SPANS, ends=st.tuples(st.booleans(), st.booleans()), is_open=st.sampled_from([None, 0, 1]))
def test_the_valid_range_of_axds_agrees_at_its_ends(values, span, ends, is_open):
    span = [None if k == is_open else end for k, end in enumerate(sorted(span))]
    parameters = {"valid_span": span, "start_inclusive": ends[0], "end_inclusive": ends[1]}
    filled = [np.nan if end is None else end for end in span]
    values = finite(values)
    assert ours(values, "valid_range_test", parameters, module="axds") == theirs(
        "valid_range_test", np.array(values), module="axds", **(parameters | {"valid_span": filled})
    )


@many
@given(
    values=SERIES, levels=LEVELS, method=st.sampled_from(["average", "differential"]), off=st.sampled_from([0, 1, 2])
)
def test_spike_agrees(values, levels, method, off):
    low, more = levels
    parameters = {"suspect_threshold": low, "fail_threshold": max(low + more, 0.25), "method": method}
    if off:
        parameters["fail_threshold"] = 0
    if off == 2:
        parameters["suspect_threshold"] = None
    assert ours(values, "spike_test", parameters) == theirs("spike_test", np.array(values), **parameters)


@many
@given(values=st.lists(st.one_of(NUMBERS, NUMBERS, st.just(np.nan)), min_size=3, max_size=80), levels=LEVELS)
def test_rate_of_change_agrees_but_for_the_first_value_and_those_after_a_missing_one(values, levels):
    low, more = levels
    parameters = {"threshold": low / INTERVAL, "fail_threshold": max(low + more, 0) / INTERVAL}
    expected = theirs("rate_of_change_test", np.array(values), times(len(values)), **parameters)
    mine = ours(values, "rate_of_change_test", parameters, times(len(values)))
    there = np.isfinite(values)
    for k, (one, other) in enumerate(zip(mine, expected, strict=True)):
        assert one == other or (there[k] and (k == 0 or not there[k - 1]) and other == 1)


@many
@given(values=SERIES, counts=st.tuples(st.integers(1, 6), st.integers(-1, 6)), tolerance=st.integers(1, 30))
def test_flat_line_agrees_where_the_record_reaches_back_and_two_values_are_in_the_window(values, counts, tolerance):
    suspect, fail = counts[0] * INTERVAL, max(sum(counts), 1) * INTERVAL
    parameters = {"suspect_threshold": suspect, "fail_threshold": fail, "tolerance": tolerance / 4}
    expected = theirs("flat_line_test", np.array(values), times(len(values)), **parameters)
    mine = ours(values, "flat_line_test", parameters, times(len(values)))
    there = np.flatnonzero(np.isfinite(values))
    for k, (one, other) in enumerate(zip(mine, expected, strict=True)):
        # The shorter of the two windows is judged last: what it cannot tell, no test here calls good.
        alone = not np.isin(there, range(k - min(suspect, fail) // INTERVAL, k)).any()
        begins = not len(there) or k - there[0] < max(suspect, fail) // INTERVAL
        assert one == other or ((alone or begins) and one in {2, 3}), (k, mine, expected)


@many
@given(values=SERIES, points=st.integers(1, 100), least=st.integers(1, 12), levels=LEVELS)
def test_the_standard_deviation_of_a_signal_agrees(values, points, least, levels):
    # Beside the quarters, where no standard deviation lies: theirs is rounded as the window slides.
    low, more = levels[0] + 0.0137, max(levels[0] + levels[1], 0.0) + 0.0139
    parameters = {"suspect_threshold": more, "fail_threshold": low, "test_period": points * INTERVAL, "min_obs": least}
    if least > points:  # no window of pandas may hold more than it can
        least = parameters["min_obs"] = points
    assert ours(values, "attenuated_signal_test", parameters, times(len(values))) == theirs(
        "attenuated_signal_test", np.array(values), times(len(values)), **parameters
    )


@many
@given(values=WHOLE, points=st.integers(1, 100), least=st.integers(1, 12), levels=LEVELS, by_time=st.booleans())
def test_the_range_of_a_signal_agrees(values, points, least, levels, by_time):
    low, more = levels
    parameters = {"suspect_threshold": low, "fail_threshold": max(low + more, 0.25), "check_type": "range"}
    parameters["test_period"] = points * INTERVAL
    parameters |= {"min_period": least * INTERVAL + 400} if by_time else {"min_obs": least}
    if least > points:
        return
    assert ours(values, "attenuated_signal_test", parameters, times(len(values))) == theirs(
        "attenuated_signal_test", np.array(values), times(len(values)), **parameters
    )


@some
@given(values=SERIES, levels=LEVELS, kind=st.sampled_from(["std", "range"]))
def test_a_signal_without_a_period_gets_one_verdict_as_there(values, levels, kind):
    if not np.isfinite(values).any():
        return
    low, more = levels[0] + 0.0137, max(levels[0] + levels[1], 0.0) + 0.0139
    parameters = {"suspect_threshold": more, "fail_threshold": low, "check_type": kind}
    assert ours(values, "attenuated_signal_test", parameters, times(len(values))) == theirs(
        "attenuated_signal_test", np.array(values), times(len(values)), **parameters
    )


PERIODS = {
    "year": (1999, 2003),
    "quarter": (1, 4),
    "month": (0, 13),
    "week": (1, 53),
    "weekofyear": (1, 53),
    "dayofyear": (0, 366),
    "day_of_year": (1, 366),
    "dayofweek": (0, 6),
    "weekday": (0, 6),
    "hour": (0, 24),
}
DAYS = st.integers(0, 1460).map(lambda day: str(np.datetime64("1999-06-01") + day))


@st.composite
def members(draw):
    made = {"vspan": draw(SPANS)}
    period = draw(st.sampled_from([None, *PERIODS]))
    if period is None:
        made["tspan"] = [draw(DAYS), draw(DAYS)]
    else:
        made |= {"period": period, "tspan": [draw(st.integers(*PERIODS[period])) for _ in range(2)]}
    if draw(st.booleans()):
        made["zspan"] = [draw(st.integers(0, 20)) for _ in range(2)]
    if draw(st.booleans()):  # narrower than vspan on one side, perhaps
        low, high = sorted(made["vspan"])
        made["fspan"] = [min(low + draw(st.integers(-4, 1)), high), max(high + draw(st.integers(-1, 4)), low)]
    return made


@many
@given(
    values=st.lists(NUMBERS, min_size=1, max_size=60),
    config=st.lists(members(), min_size=1, max_size=4),
    start=st.integers(0, 1000),
    step=st.integers(1, 60),
    depths=st.one_of(st.lists(st.integers(0, 20).map(float), min_size=60, max_size=60), st.just([np.nan] * 60)),
)
def test_climatology_agrees_in_every_period(values, config, start, step, depths):
    n = len(values)
    stamps = np.datetime64("1999-06-01T00", "h") + 24 * start + np.arange(n) * np.timedelta64(11 * step, "h")
    depth = np.array(depths[:n])
    with_depth = not np.isnan(depth).all()
    beside = {"depth": depth} if with_depth else {}
    mine = ours(values, "climatology_test", {"config": config}, stamps, **beside)
    assert mine == theirs("climatology_test", config, np.array(values), stamps, depth)


@many
@given(
    rho=st.lists(st.integers(0, 30).map(lambda k: 1020 + k / 64), min_size=2, max_size=40),
    steps=st.lists(st.integers(1, 8), min_size=40, max_size=40),
    down=st.booleans(),
    drops=st.tuples(st.integers(0, 6), st.integers(-2, 6)),
)
def test_density_inversion_agrees_down_a_cast_and_up(rho, steps, down, drops):
    depth = np.cumsum(steps[: len(rho)])[:: 1 if down else -1] / 4.0
    parameters = {"suspect_threshold": -drops[0] / 64, "fail_threshold": -max(sum(drops), 0) / 64}
    mine = ours(rho, "density_inversion_test", parameters, times(len(rho)), depth=depth)
    assert mine == theirs("density_inversion_test", np.array(rho), depth, **parameters)


PLACES = st.tuples(st.floats(-80, 80), st.floats(-179, 179))
FIRST = st.tuples(st.integers(-4, 4), st.integers(-4, 4)).map(lambda step: (step[0] / 7, step[1] / 7))


@many
@given(
    start=PLACES,
    steps=st.lists(FIRST, min_size=2, max_size=30),
    lost=st.sets(st.sampled_from(["latitude", "longitude", "both"]), max_size=1),
    range_max=st.one_of(st.none(), st.floats(1000, 100_000)),
)
def test_location_agrees_but_for_the_place_after_one_that_is_not_whole(start, steps, lost, range_max):
    moved = np.array(start) + np.cumsum(steps, axis=0)
    latitude, longitude = moved[:, 0].copy(), moved[:, 1].copy()
    if lost & {"latitude", "both"}:
        latitude[1] = np.nan
    if lost & {"longitude", "both"}:
        longitude[1] = np.nan
    parameters = {"range_max": range_max}
    mine = ours(
        np.ones(len(steps)), "location_test", parameters, times(len(steps)), latitude=latitude, longitude=longitude
    )
    other = theirs("location_test", longitude, latitude, **parameters)
    whole = np.isfinite(latitude) & np.isfinite(longitude) & (np.abs(longitude) <= 180) & (np.abs(latitude) <= 90)
    for k, (one, two) in enumerate(zip(mine, other, strict=True)):
        assert one == two or not whole[k] or (k > 0 and not whole[k - 1])


@some
@given(
    places=st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=30),
    box=st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 20), st.integers(1, 20)),
)
def test_location_bounds_agrees_off_the_border(places, box):
    west, south, wide, high = box
    shape = [west + 0.5, south + 0.5, west + wide + 0.5, south + high + 0.5]
    longitude, latitude = np.array(places, float).T
    mine = ours(np.ones(len(places)), "location_bounds_test", {"shape": shape}, latitude=latitude, longitude=longitude)
    assert mine == theirs("location_bounds_test", longitude, latitude, shape)


@some
@given(steps=st.lists(st.sampled_from([600, 3600, 7200, 7201, 9000]), min_size=2, max_size=40))
def test_gap_agrees_but_for_the_first_row(steps):
    stamps = np.datetime64("2024-01-01", "ns") + np.cumsum(steps) * np.timedelta64(1, "s")
    mine = ours(np.ones(len(steps)), "time_gap_test", {"fail_span": 2}, stamps)
    assert mine == [2, *theirs("time_gap_test", stamps, fail_span=2)[1:]]


@some
@given(
    values=st.lists(st.one_of(NUMBERS, st.just(np.nan)), min_size=1, max_size=80),
    low=st.integers(0, 49),
    high=st.integers(50, 100),
    pad=st.integers(0, 4),
)
def test_percentile_range_agrees(values, low, high, pad):
    if np.isnan(values).all():
        return
    parameters = {"low_percentile": low, "hi_percentile": high, "pad": pad / 4}
    assert ours(values, "percentile_range_test", parameters) == theirs(
        "percentile_range_test", np.array(values), **parameters
    )


@some
@given(steps=st.lists(st.integers(1, 7200), min_size=2, max_size=40), hours=st.sampled_from([0.5, 6, None]))
def test_data_reception_agrees(steps, hours):
    stamps = np.datetime64("2024-01-01", "s") + np.cumsum(steps) * np.timedelta64(1, "s")
    parameters = {"from_time": str(stamps[-1])} | ({} if hours is None else {"fail_span": hours})
    assert ours(np.ones(len(steps)), "data_reception_test", parameters, stamps) == theirs(
        "data_reception_test", stamps, **parameters
    )


@some
@given(
    steps=st.lists(st.integers(1, 7200), min_size=2, max_size=40), ends=st.tuples(st.integers(0, 9), st.integers(0, 9))
)
def test_impossible_date_agrees(steps, ends):
    stamps = np.datetime64("2024-01-01", "s") + np.cumsum(steps) * np.timedelta64(1, "s")
    span = [str(stamps[ends[0] % len(steps)]), str(stamps[-1 - ends[1] % len(steps)])]
    if span[0] > span[1]:
        return
    mine = ours(np.ones(len(steps)), "impossible_date_test", {"fail_span": span}, stamps)
    assert mine == theirs("impossible_date_test", stamps, span)


@some
@given(
    records=st.lists(st.text("0123456789ABCDEF,", min_size=0, max_size=12), min_size=1, max_size=20),
    how=st.sampled_from(
        [{"nchar": 6}, {"nchar": 3, "lentype": "byte"}, {"nchar": 2, "delimiter": ","}, {"nchar": 1, "delimiter": ","}]
    ),
)
def test_syntax_agrees(records, how):
    found = check(records, {"qartod": {"syntax_test": how}})
    assert found.tests["syntax"] == theirs("syntax_test", np.array(records), **how)


@some
@given(flags=st.lists(st.lists(st.sampled_from([1, 2, 3, 4, 9]), min_size=3, max_size=3), min_size=1, max_size=4))
def test_its_roll_up_rule_is_an_option(flags):
    expected = theirs("qartod_compare", [np.array(column) for column in flags])
    for k, other in enumerate(expected):
        summary = 0
        for column in flags:
            summary |= 1 << column[k]
        assert roll_up(summary, int(Rule.IOOS_QC), False) == other
