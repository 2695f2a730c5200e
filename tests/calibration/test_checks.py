"""Checks against standards, and what a visit finds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.calibration.checks import Limit, Visit, check, rating, zero_and_span
from nilometer.calibration.drift import correct


def test_a_check_passes_within_its_limit_and_says_how_surely():
    spreads = {"found_uncertainty": 0.03, "standard_uncertainty": 0.04}
    near = check(10.45, 10.0, Limit(percent=5), **spreads)
    assert (near.passed, near.is_certain) == (True, False)
    assert near.percent == pytest.approx(4.5)
    assert near.en == pytest.approx(4.5)
    far = check(9.2, 10.0, Limit(0.1, 5), **spreads)
    assert (far.passed, far.is_certain) == (False, True)
    bare = check(0.02, 0.0)
    assert (bare.passed, bare.is_certain) == (None, None)
    assert math.isnan(bare.percent)
    assert math.isnan(bare.en)
    assert check(0.02, 0.0, Limit(percent=1), span=4).passed is True


def test_a_span_is_judged_after_its_zero():
    zero, span = zero_and_span((0, 0.5), (80, 81.5), 100, (Limit(percent=1), Limit(percent=0.5)))
    assert (zero.percent, zero.passed) == (0.5, True)
    assert (span.percent, span.passed) == (1.0, False)
    with pytest.raises(ValueError, match="must rise"):
        zero_and_span((0, 0), (0, 1), 100)


def test_what_a_visit_found_leaves_the_record_as_the_cleaned_and_adjusted_sensor_reads():
    # Fouling has taken 5 % of the signal, the sensor itself reads 2 % too low; the water stood at 10 all along.
    visit = Visit(before_cleaning=9.31, after_cleaning=9.8, standard=20.0, in_standard=19.6, drift_uncertainty=0.02)
    hour = 3_600_000_000
    times = np.arange(0, 11) * hour
    for percent, left in ((False, 0.3), (True, 1e-9)):
        corrections = visit.corrections(0, 10 * hour, percent=percent)
        assert [item.cause for item in corrections] == ["fouling", "drift"]
        closed = correct([9.31], corrections, time=[10 * hour - 1], uncertainty=[0.0])
        # A constant found in a standard of 20 is too much at 10; a percentage holds at both.
        assert closed.result[0] == pytest.approx(10, abs=left)
        assert closed.uncertainty[0] == pytest.approx(0.01 if percent else 0.02, rel=0.02)
        assert correct([9.31], corrections, time=times[:1]).result == [9.31]
    assert visit.total == pytest.approx(0.89)
    assert Visit(standard=7.0, in_standard=7.1).corrections(0, 1)[0].gap == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Visit(before_cleaning=3.0), "of use together"),
        (lambda: Visit(standard=math.nan, in_standard=1.0), "finite"),
        (lambda: Visit(standard=1.0, in_standard=0.0).corrections(0, 1, percent=True), "no percentage"),
        (lambda: Limit(-1), "from 0"),
        (lambda: rating(1, 1, [("good", Limit(2)), ("fair", Limit(1))], "poor"), "more and more"),
    ],
)
def test_what_says_nothing_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
