"""Which curve and which shift held when, and whether a rating is a loop."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from nilometer.derivation.hysteresis import jones, loop_test
from nilometer.derivation.rating import RatingCurve
from nilometer.derivation.rating_history import RatingHistory
from nilometer.derivation.rating_shift import Shift
from nilometer.errors import CalibrationError

DAY = 86_400_000_000


def curve(scale, start, **others):
    return RatingCurve.of(
        [(None, 1.0, scale, 1.5)], gauged_range=(1.1, 3.0), scatter=0.05, valid_from=start, station="A", **others
    )


def history():
    return RatingHistory(
        [curve(4.0, 10 * DAY), curve(2.0, 0)],
        [
            Shift(valid_from=2 * DAY, points=((1.0, 0.2), (3.0, 0.0))),
            Shift(valid_from=8 * DAY, points=((1.0, 0.0),), ramp_from=4 * DAY),
        ],
    )


def test_each_value_is_by_the_curve_and_the_shift_that_held():
    times = np.array([-1, 0, 3, 6, 9, 10]) * DAY
    found = history().discharge(np.full(6, 2.0), times)
    # Half way down the shift curve 0.1; half of the ramp 0.05.
    heads = np.array([np.nan, 1.0, 1.1, 1.05, 1.0, 1.0])
    assert found.value[1:] == pytest.approx(np.array([2, 2, 2, 2, 4]) * heads[1:] ** 1.5)
    assert np.isnan(found.value[0])


def test_a_history_keeps_kinds_and_comes_back_from_its_document():
    made = history()
    series = pd.Series([2.0, 2.5], pd.to_datetime(["1970-01-04", "1970-01-12"]))
    found = made.discharge(series, stage_uncertainty=0.01)
    assert found.value.index.equals(series.index)
    assert (found.upper > found.value).all()
    again = RatingHistory.from_document(json.loads(json.dumps(made.to_document())))
    assert again(series).tolist() == found.value.tolist()
    assert RatingHistory.from_document(curve(2.0, 0).to_document())([2.0]) == pytest.approx([2.0])


def test_what_contradicts_itself_is_refused():
    with pytest.raises(CalibrationError, match="same moment"):
        RatingHistory([curve(2.0, 0), curve(3.0, 0)])
    with pytest.raises(CalibrationError, match="different units"):
        RatingHistory([curve(2.0, 0), curve(3.0, 1, unit_stage="ft")])
    with pytest.raises(ValueError, match="times"):
        history().discharge([2.0])
    with pytest.raises(CalibrationError, match="higher one"):
        Shift(valid_from=0, points=((1.0, 2.0), (2.0, 0.0)))
    with pytest.raises(CalibrationError, match="valid_from is lacking"):
        Shift.from_document({"shift": 0.1})


def test_a_loop_shows_in_the_deviations_and_the_sign_is_told():
    random = np.random.default_rng(2)
    rate = random.normal(0.0, 2e-5, 30)
    deviation = np.log(jones(100.0, rate, 2.0, 1e-3) / 100.0) + random.normal(0.0, 1e-3, 30)
    assert "the rating is a loop" in loop_test(deviation, rate).warning
    assert "backwater" in loop_test(-deviation, rate).warning
    assert loop_test(random.normal(size=30), rate).warning == ""
