"""When a calibration held: due dates and doubts from records, and deviations against limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.calibration.checks import Limit
from nilometer.calibration.outcome import Compared, found
from nilometer.calibration.validity import Rule, doubts, standing
from nilometer.errors import ConfigError
from nilometer.model.calibration_records import CalibrationRecord, Interval, RecordKind, parse_every

DAY = 86_400_000_000
KINDS = list(RecordKind)
EVERY = Rule(Interval(0, 24 * 10))


def record(kind, day, number=1, *, passed=True, expired=(), until=None):
    told = {"datastream": 1, "sensor": 1, "operator": "Li", "passed": passed, "expired": expired}
    until = None if until is None else until * DAY
    return CalibrationRecord(
        id=number, kind=RecordKind(kind), time=day * DAY, effective=day * DAY, valid_until=until, **told
    )


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.integers(0, 30), st.sampled_from([True, False, None]),
        st.sampled_from([(), ("ph7",)]), st.sampled_from([None, 3, 17]),
    ),
    max_size=7,
)  # fmt: skip


def doubtful(records, day):
    """A day said in plain words: overdue, failed and expired are each looked for by walking the records up to it."""
    reasons = set()
    past = [one for one in records if one.effective <= day * DAY]
    renewing = [one for one in past if one.is_sound and one.kind in ("verification", "adjustment")]
    if renewing:
        last = renewing[-1]
        due = last.valid_until if last.valid_until is not None else last.time + 10 * DAY
        reasons |= {"overdue"} if day * DAY >= due else set()
    for number, one in enumerate(past):
        healed = [
            later for later in past[number + 1 :]
            if later.is_sound and (later.kind == one.kind or later.kind in ("verification", "adjustment"))
        ]  # fmt: skip
        if not one.is_sound and not healed:
            reasons.add("expired_standard" if one.expired else "failed")
    return reasons


@given(RECORDS)
def test_every_day_is_in_doubt_for_the_reasons_that_the_records_before_it_give(given_records):
    records = [
        record(kind, day, number, passed=passed, expired=expired, until=None if until is None else day + until)
        for number, (kind, day, passed, expired, until) in enumerate(sorted(given_records, key=lambda one: one[1]), 1)
    ]
    spans = doubts(records, EVERY)
    for day in range(0, 60):
        here = {one.reason for one in spans if one.start <= day * DAY and (one.end is None or day * DAY < one.end)}
        assert here == doubtful(records, day)
        stands = standing(records, EVERY, day * DAY)
        assert stands is not None
        assert (stands.state in here) if here else stands.state in ("valid", "never")


@pytest.mark.parametrize(
    ("reading", "assigned", "limit", "passed"),
    [
        (7.1, 7.0, Limit(0.1), True),  # the limit itself, though 7.1 − 7.0 is a little more in binary
        (7.11, 7.0, Limit(0.1), False),
        (10.4, 10.0, Limit(0.1, 5), True),
        (0.2, 0.0, Limit(0, 5), False),
        (0.08, 0.0, Limit(0.1, 5), True),
        (7.0, 7.0, None, None),
        (math.nan, 7.0, Limit(0.1), None),
    ],
)
def test_a_deviation_is_accepted_up_to_the_larger_limit(reading, assigned, limit, passed):
    assert found([Compared(assigned, reading)], limit)["passed"] is passed


@pytest.mark.parametrize("text", ["0 d", "30", "5 fortnights", "-1 d", "2000 y", ""])
def test_an_interval_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="30 d"):
        parse_every(text)
