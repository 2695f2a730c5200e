"""Grades: what was shown, and no farther than it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES, ar1

from nilometer.errors import ConfigError
from nilometer.trials.deciding import Sampling
from nilometer.trials.endpoint import Endpoint, Margin, Outcome
from nilometer.trials.grading import grade
from nilometer.trials.pairs import Pairs

QUICK = Sampling(resamples=300)
CLAIM = Endpoint(name="accuracy", statistic="bias", margin=Margin(value=0.2, unit="mg L-1"))


def river(n: int = 6000, *, fouled: float = 1.0) -> Pairs:
    """Return pairs of a candidate that is wrong in turbid water, at temperatures of 3 to 27."""
    rng = np.random.default_rng(5)
    turbidity, heat = np.exp(4.0 + rng.normal(size=n)), rng.uniform(3.0, 27.0, n)
    reference = 8.0 + ar1(n, 0.5, 6)
    candidate = reference + fouled * (turbidity > 100.0) + 0.1 * ar1(n, 0.5, 7)
    conditions = {"turbidity": turbidity, "temperature": heat}
    return Pairs.of(np.arange(n) * TEN_MINUTES, candidate, reference, "mg L-1", conditions=conditions)


def test_a_candidate_that_fails_in_turbid_water_is_graded_for_clear_water():
    pairs = river()
    found = grade(pairs, CLAIM, {"turbidity": [50.0, 100.0, 200.0]}, sampling=QUICK, units={"turbidity": "FNU"})
    assert found.is_shown
    low, high = found.ranges["turbidity"]
    assert 0.0 < low < high < 100.0
    assert [each.outcome for each in found.strata[2:]] == [Outcome.INFERIOR] * 2
    assert found.strata[0].level == CLAIM.alpha / 4
    assert found.strata[3].level == CLAIM.alpha / 2  # Holm: two were shown before
    assert "FNU" in found.statement
    assert "temperature 3.3–27" in found.statement
    assert json.loads(json.dumps(found.to_dict()))["strata"][0]["low"] is None
    inside = (pairs.conditions["turbidity"] >= low) & (pairs.conditions["turbidity"] <= high)
    assert found.decision.figure.n == np.count_nonzero(inside)


def test_what_was_not_met_is_not_claimed():
    """Few pairs are below 3.01 degrees and none beyond 27: those strata claim nothing, and the range ends there."""
    found = grade(river(fouled=0.0), CLAIM, {"temperature": [3.01, 15.0, 30.0]}, sampling=QUICK)
    assert found.ranges["temperature"] == (pytest.approx(3.2, abs=0.1), pytest.approx(26.8, abs=0.1))
    assert found.strata[0].outcome in {Outcome.INCONCLUSIVE, Outcome.NOT_TESTED}
    assert found.strata[3].outcome is Outcome.NOT_TESTED


def test_without_a_stratum_that_shows_it_there_is_no_grade():
    found = grade(
        river(fouled=0.0),
        Endpoint(name="accuracy", statistic="rmse", margin=Margin(value=0.05, unit="mg L-1")),
        {"temperature": [15.0]},
        sampling=QUICK,
    )
    assert not found.is_shown
    assert found.ranges == {}
    assert "not shown in any part of temperature" in found.statement
    with pytest.raises(ConfigError, match="rise"):
        grade(river(500), CLAIM, {"temperature": [15.0, 15.0]})
    with pytest.raises(ConfigError, match="salinity"):
        grade(river(500), CLAIM, {"salinity": [15.0]})
