"""Decisions: what is shown, in which order, on what it hangs; and nothing is said of what the data do not allow."""

from __future__ import annotations

import numpy as np
import pytest
from tests.trials.test_resampling import TEN_MINUTES, ar1

from nilometer.errors import ConfigError, UnitError
from nilometer.trials.inference.claims import CLAIMS, caveat_of
from nilometer.trials.inference.deciding import Sampling, decide
from nilometer.trials.inference.endpoint import Endpoint, Kind, Margin, Outcome
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.report.words import Words

QUICK = Sampling(resamples=500)


def pairs_of(n: int = 2000, *, bias: float = 0.0, sd: float = 0.2, r: float = 0.5, seed: int = 1, **more) -> Pairs:
    reference = 8.0 + ar1(n, 0.9, seed + 50)
    return Pairs.of(np.arange(n) * TEN_MINUTES, reference + bias + sd * ar1(n, r, seed), reference, "mg L-1", **more)


def claim(statistic: str, margin: float, unit: str = "mg L-1", **more) -> Endpoint:
    relative = more.pop("relative", False)
    given = Margin(value=margin, unit=unit, is_relative=relative)
    return Endpoint(name=f"{statistic} within {margin}", statistic=statistic, margin=given, **more)


def outcomes(pairs: Pairs, *claims: Endpoint, **more) -> list[Outcome]:
    return [each.outcome for each in decide(pairs, claims, sampling=QUICK, **more)]


def test_each_kind_of_statistic_has_its_side():
    pairs = pairs_of(bias=-0.1)
    assert outcomes(pairs, claim("bias", 0.2), claim("bias", 0.2, kind=Kind.EQUIVALENCE)) == [
        Outcome.NON_INFERIOR,
        Outcome.EQUIVALENT,
    ]
    assert outcomes(pairs, claim("bias", 0.05)) == [Outcome.INFERIOR]
    assert outcomes(pairs, claim("bias", 0.1)) == [Outcome.INCONCLUSIVE]
    assert outcomes(pairs, claim("bias", 0.02, "1", relative=True)) == [Outcome.NON_INFERIOR]
    assert outcomes(pairs, claim("bias", 200.0, "ug L-1")) == [Outcome.NON_INFERIOR]
    assert outcomes(pairs, claim("slope", 0.1, "1")) == [Outcome.NON_INFERIOR]
    assert outcomes(pairs, claim("concordance", 0.05, "1")) == [Outcome.NON_INFERIOR]
    assert outcomes(pairs, claim("concordance", 0.001, "1")) == [Outcome.INFERIOR]
    assert outcomes(pairs, claim("lower_limit", 0.3)) == [Outcome.INFERIOR]


def test_testing_ends_with_the_first_that_is_not_shown_and_figures_go_on():
    found = decide(pairs_of(bias=0.1), [claim("sd", 0.5), claim("bias", 0.1), claim("rmse", 0.5)], sampling=QUICK)
    assert [each.outcome for each in found] == [Outcome.NON_INFERIOR, Outcome.INCONCLUSIVE, Outcome.NOT_TESTED]
    assert found[2].figure.value == pytest.approx(0.22, abs=0.05)
    assert "before it was not shown" in found[2].reason


def test_error_beyond_that_of_the_reference_takes_an_arbiter():
    n = 400
    truth = 8.0 + ar1(n, 0.9, 3)
    noise = np.random.default_rng(4)
    pairs = Pairs.of(
        np.arange(n) * TEN_MINUTES, truth + 0.1 * noise.normal(size=n), truth + 0.3 * noise.normal(size=n), "mg L-1"
    )
    known = np.where(np.arange(n) % 2 == 0, truth, np.nan)
    decision = decide(pairs, [claim("excess_error", 0.05)], arbiter=known, sampling=QUICK)[0]
    assert decision.outcome is Outcome.NON_INFERIOR
    assert decision.figure.n == 200
    assert decision.figure.interval[1] < 0.0  # the candidate is the better one
    assert outcomes(pairs, claim("excess_error", 0.05, kind=Kind.EQUIVALENCE), arbiter=known) == [Outcome.INFERIOR]
    with pytest.raises(ConfigError, match="arbiter"):
        decide(pairs, [claim("excess_error", 0.05)])


def test_what_hangs_on_suspect_results_or_on_the_blocks_is_said():
    pairs = pairs_of(sd=0.1)
    suspect = np.zeros(2000, np.bool_)
    suspect[700:720] = True
    spilled = Pairs.of(pairs.time, pairs.candidate + 20.0 * suspect, pairs.reference, "mg L-1")
    decision = decide(spilled, [claim("bias", 0.1)], suspect=suspect, sampling=QUICK)[0]
    assert decision.outcome is not Outcome.NON_INFERIOR
    assert "non-inferior with SUSPECT results left out" in decision.reason
    assert "hangs" not in decide(pairs, [claim("bias", 0.1)], suspect=suspect, sampling=QUICK)[0].reason


def test_a_condition_limits_the_claim():
    heat = np.linspace(0.0, 30.0, 2000)
    pairs = pairs_of(conditions={"temperature": heat})
    hot = Pairs.of(
        pairs.time, pairs.candidate + (heat > 20.0), pairs.reference, "mg L-1", conditions={"temperature": heat}
    )
    assert outcomes(hot, claim("bias", 0.1)) != [Outcome.NON_INFERIOR]
    assert outcomes(hot, claim("bias", 0.1, condition={"temperature": (0.0, 20.0)})) == [Outcome.NON_INFERIOR]
    with pytest.raises(ConfigError, match="turbidity"):
        decide(hot, [claim("bias", 0.1, condition={"turbidity": (0.0, 9.0)})])


def test_without_enough_data_there_is_no_decision():
    for pairs in (pairs_of(0), pairs_of(1)):
        decision = decide(pairs, [claim("bias", 0.1)])[0]
        assert decision.outcome is Outcome.INCONCLUSIVE
        assert "measured pairs" in decision.reason
    constant = Pairs.of(np.arange(50), np.full(50, 1.0), np.full(50, 1.0), "m")
    decision = decide(constant, [claim("bias", 0.1, "m"), claim("slope", 0.1, "1")], sampling=QUICK)
    assert "never changes" in decision[0].reason
    assert decision[0].outcome is Outcome.INCONCLUSIVE
    assert "reference never changes" in decision[1].reason
    moving = pairs_of(sd=0.01)
    stuck = Pairs.of(moving.time, np.full(len(moving), moving.reference.mean()), moving.reference, "mg L-1")
    turned = Pairs.of(moving.time, moving.reference, stuck.candidate, "mg L-1")
    for pairs, arm in ((stuck, "candidate"), (turned, "reference")):
        decision = decide(pairs, [claim("bias", 5.0)], sampling=QUICK)[0]
        assert decision.outcome is Outcome.INCONCLUSIVE, "a mean difference within the margin proves no sensor"
        assert f"the {arm} never changes" in decision.reason
    short = decide(pairs_of(300, r=0.99), [claim("bias", 5.0)], sampling=QUICK)[0]
    assert short.outcome is Outcome.INCONCLUSIVE
    assert "independent pairs" in short.reason


def test_a_margin_of_another_dimension_is_refused():
    with pytest.raises(UnitError, match="margin in degree_Celsius for bias"):
        decide(pairs_of(50), [claim("bias", 0.1, "degree_Celsius")])
    with pytest.raises(UnitError, match="share of the reference's mean"):
        decide(pairs_of(50), [claim("slope", 0.1, "1", relative=True)])
    warm = Pairs.of(np.arange(50), np.arange(50.0) + np.arange(50) % 3, np.arange(50.0), "degree_Celsius")
    assert decide(warm, [claim("bias", 2.0, "K")], sampling=QUICK)[0].margin == pytest.approx(2.0)
    for share in (claim("bias", 0.1, "1", relative=True), claim("relative_bias", 0.1, "1")):
        with pytest.raises(UnitError, match="arbitrary zero"):
            decide(warm, [share])
    with pytest.raises(ValueError, match=r"0\.05 is 5 %"):
        claim("bias", 5.0, "1", relative=True)
    with pytest.raises(ConfigError, match="statistic"):
        decide(pairs_of(50), [claim("goodness", 0.1)])


def test_a_decision_whose_error_rate_was_not_shown_says_so_in_both_languages():
    found = decide(pairs_of(), [claim("bias", 0.2), claim("sd", 0.5), claim("sd", 0.1)], sampling=QUICK)
    assert [bool(each.note) for each in found] == [False, True, True]
    assert found[1].note == found[1].to_dict()["note"] == caveat_of("sd")
    assert all(Words("zh").told(caveat_of(name))[1] for name in CLAIMS)
    sites = pairs_of(cluster=np.repeat(np.arange(8, dtype=np.int32), 250), clusters=tuple("abcdefgh"))
    # Of clusters the standard deviation decides nothing, so that there is nothing to be careful with.
    assert not any(
        each.note for each in decide(sites, [claim("drift", 9.0, "mg L-1 d-1"), claim("sd", 0.5)], sampling=QUICK)
    )
