"""The roll-up, for every set of outcomes there is."""

from __future__ import annotations

from itertools import product

import pytest
from tests.qc import oracle

from nilometer.qc.profile import load
from nilometer.qc.rollup import Rule, roll_up, told

TESTS = {name: {"test": "gross_range", "fail": [0, 1]} for name in ("one", "two", "three")}


@pytest.mark.parametrize("rule", ["required", "ioos_qc"])
@pytest.mark.parametrize("required", [[], ["one"], ["one", "two"]])
def test_every_set_of_outcomes_is_rolled_up_as_the_rule_says(rule, required):
    profile = load({"required": required, "rollup": rule, "tests": TESTS})
    for outcomes in product((1, 2, 3, 4, 9), repeat=3):
        for present in (True, False):
            summary = 0
            for name, flag in zip(profile.names, outcomes, strict=True):
                summary |= told(flag, int(name in required))
            rolled = roll_up(summary, int(Rule[rule.upper()]), present)
            assert rolled == oracle.roll_up(profile, outcomes, present), (outcomes, present)
