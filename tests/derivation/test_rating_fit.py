"""Fitting rating curves: to curves that are known, and to gaugings of which others published the curve."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from nilometer.derivation.rating_check import check, runs_test, sign_test
from nilometer.derivation.rating_fit import Control, fit
from nilometer.errors import CalibrationError

_MADE = {}


@pytest.fixture
def fitted(real_data):
    """Fit a set of gaugings once, whichever tests ask for it."""

    def made(name, **wishes):
        key = (name, str(wishes))
        if key not in _MADE:
            _MADE[key] = _fitted(real_data / "level" / "stage_discharge" / f"{name}.csv", name, wishes)
        return _MADE[key]

    return made


def _fitted(path, name, wishes):
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    stage, discharge = (
        np.array([float(row.get(key) or row[other]) for row in rows]) for key, other in (("stage", "W"), ("q", "Q"))
    )
    spread = np.array([float(row["q_sigma"]) for row in rows]) if "q_sigma" in rows[0] else None
    return fit(stage, discharge, spread, station=name, **wishes)


def parameter(made, name, segment=1):
    return next(row for row in made.parameters() if row["parameter"] == name and row["segment"] == segment)


def gaugings(*, count=60, scatter=0.03, seed=5):
    """Gaugings of a crest that a channel drowns at stage 2: exponents 1.5 and 5/3."""
    random = np.random.default_rng(seed)
    stage = np.sort(1.05 + 2.9 * random.random(count) ** 1.5)
    truth = true_flow(stage)
    return stage, truth, truth * np.exp(scatter * random.standard_normal(count))


def true_flow(stage):
    lower, upper = 4.0 * (stage - 1.0) ** 1.5, 4.0 * (np.maximum(stage - 1.4, 0.0) / 0.6) ** (5 / 3)
    return np.where(stage < 2.0, lower, upper)


def test_a_known_curve_is_found_with_its_break_and_the_band_covers_it():
    stage, truth, discharge = gaugings()
    made = fit(stage, discharge)
    assert len(made.curve.offset) == 2
    assert made.curve.start[1] == pytest.approx(2.0, abs=0.1)
    found = made.curve.discharge(stage)
    assert found.value == pytest.approx(truth, rel=0.06)
    assert made.curve.scatter == pytest.approx(0.03, rel=0.35)
    inside = np.abs(np.log(found.value / truth)) < 2.5 * found.systematic / found.value
    assert inside.mean() > 0.9
    covered = (discharge > found.lower) & (discharge < found.upper)
    assert 0.88 <= covered.mean() <= 1.0
    assert fit(stage, discharge).curve.to_document() == made.curve.to_document(), "the same gaugings, another curve"


def test_the_order_of_the_gaugings_does_not_matter_and_is_told():
    stage, _, discharge = gaugings(count=20)
    turned = fit(stage[::-1], discharge[::-1], segments=1)
    assert turned.curve.to_document() == fit(stage, discharge, segments=1).curve.to_document()
    assert turned.order.tolist() == list(range(19, -1, -1))


def test_a_wild_gauging_does_not_draw_a_robust_fit():
    stage, truth, discharge = gaugings(count=30)
    discharge[12] *= 3.0
    made = fit(stage, discharge, segments=2, robust=True)
    plain = fit(stage, discharge, segments=2)
    error, plain_error = (np.abs(np.log(one.curve.flow(stage) / truth)).max() for one in (made, plain))
    assert error < 0.7 * plain_error
    assert any("gauging 13 " in told for told in made.warnings)


def test_what_is_known_before_holds_the_curve():
    stage, _, discharge = gaugings(count=12)
    told = fit(stage, discharge, controls=["section", Control(2.0, 0.01)], breaks=[(2.3, 0.01)], zero_flow=(0.9, 0.005))
    assert told.curve.start[1] == pytest.approx(2.3, abs=0.03)
    assert told.curve.zero_flow == pytest.approx(0.9, abs=0.02)
    assert told.curve.exponent[1] == pytest.approx(2.0, abs=0.1)


def test_an_uncertain_gauging_and_an_uncertain_stage_weigh_less():
    stage = np.linspace(1.1, 3.0, 14)
    discharge = 4.0 * (stage - 1.0) ** 1.5 * np.exp(0.01 * np.random.default_rng(1).standard_normal(14))
    off = discharge.copy()
    off[3] *= 1.5
    spread = 0.02 * off
    spread[3] = 0.8 * off[3]
    good = fit(stage, discharge, 0.02 * discharge, segments=1).curve.flow(stage[:6])
    assert fit(stage, off, spread, segments=1).curve.flow(stage[:6]) == pytest.approx(good, rel=0.03)
    loose = fit(stage, off, 0.02 * off, segments=1, stage_uncertainty=np.where(np.arange(14) == 3, 0.5, 0.0))
    assert loose.curve.flow(stage[:6]) == pytest.approx(good, rel=0.03)


@pytest.mark.parametrize(
    ("stage", "discharge", "wishes", "words"),
    [
        ([1, 2, 3], [1, 2, 3], {}, "too few"),
        ([1, 2, 3, 4, 5], [1, 2, 0, 4, 5], {}, "gauging 3 has stage 3 and discharge 0"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4], {}, "one of each"),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], {}, "does not rise with the stage"),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], {"segments": 2}, "too few for 2 segments"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], {"controls": "weir"}, "known: any, section"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], {"controls": ["any", "any"], "segments": 1}, "different segments"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], {"zero_flow": (0.5, 0.0)}, "standard uncertainty"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(stage, discharge, wishes, words):
    with pytest.raises(CalibrationError, match=words):
        fit(stage, discharge, **wishes)


def test_tests_of_signs_and_runs_have_their_exact_chances():
    # Nine of ten by the binomial distribution; 5 + 5 in two runs: 2 of C(10, 5) orders.
    assert sign_test([1] * 9 + [-1]) == pytest.approx(2 * 11 / 2**10)
    assert runs_test([-1] * 5 + [1] * 5) == pytest.approx(2 / 252)
    assert sign_test([]) == runs_test([1, 1]) == 1.0


@pytest.mark.real
def test_krokfors_has_the_parameters_that_bdrc_published(fitted):
    """bdrc 2.0.0, reference page of summary.plm0: a 1.64 (1.15 2.12), b 2.82 (2.46 3.21), c 7.676 (7.580 7.752)."""
    made = fitted("bdrc_krokfors", segments=1)
    for name, published in {
        "scale": (1.15, 1.64, 2.12),
        "exponent": (2.46, 2.82, 3.21),
        "offset": (7.580, 7.676, 7.752),
        "scatter": (0.151, 0.191, 0.253),
    }.items():
        row = parameter(made, name, 0 if name == "scatter" else 1)
        width = published[2] - published[0]
        assert row["median"] == pytest.approx(published[1], abs=0.2 * width), name
        assert row["lower"] == pytest.approx(published[0], abs=0.2 * width), name
        assert row["upper"] == pytest.approx(published[2], abs=0.25 * width), name
    assert made.waic[1] == pytest.approx(-2.864, abs=1.5)


@pytest.mark.real
def test_krokfors_in_two_segments_lies_in_the_band_that_bdrc_published(fitted):
    """bdrc 2.0.0, introduction: predictive median and 95 % band of the generalised power law at 8.00, 8.10, 8.20 m."""
    made = fitted("bdrc_krokfors")
    assert len(made.curve.offset) == 2
    found = made.curve.discharge([8.0, 8.1, 8.2])
    assert found.value == pytest.approx([0.0825, 0.1743, 0.2965], rel=0.07)
    assert (found.value > [0.0614, 0.1326, 0.2274]).all()
    assert (found.value < [0.1109, 0.2295, 0.3873]).all()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "segments"),
    [
        ("green_channel", 2),  # ratingcurve's model-selection notebook: 2 segments rank highest
        ("co_channel", 1),  # channel control at all stages
        ("chalk_artificial", 1),  # section control
        ("isere", 1),  # a single channel control over the range of the data
        ("mahurangi_artificial", 3),  # the official curve has three segments
    ],
)
def test_the_number_of_segments_is_the_one_that_was_published(fitted, name, segments):
    made = fitted(name)
    assert len(made.curve.offset) == segments
    assert made.posterior.rhat < 1.2


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        *(
            "green_channel",
            "co_channel",
            "chalk_artificial",
            "isere",
            "mahurangi_artificial",
            "skajalfandafljot",
            "nordura",
        ),
        *("bdrc_norn", "bdrc_krokfors", "bdrc_kallstorp", "bdrc_melby"),
    ],
)
def test_every_set_of_gaugings_gets_a_rising_curve_without_bias_whose_band_covers_them(fitted, name):
    made = fitted(name)
    found = made.curve.discharge(made.stage)
    own = made.relative_uncertainty * made.discharge
    reach = np.maximum(found.upper - found.value, found.value - found.lower)
    covered = np.abs(made.discharge - found.value) < np.hypot(reach, 1.96 * own)
    assert covered.mean() >= 0.88
    assert (np.diff(made.curve.band.value) > 0).all()
    told = check(made.curve, made.stage, made.discharge, own)
    assert told.bias_p > 0.01
    assert told.sign_p > 0.01


@pytest.mark.real
def test_mahurangi_begins_as_the_notch_that_it_is(fitted):
    """A 90° V-notch 0.6 m high: Q = 8/15 · 0.578 · √(2g) · h^2.5, 1.366 h^2.5 (ISO 1438, fully contracted)."""
    made = fitted("mahurangi_artificial", controls=("v_notch", "any", "any"))
    stage = np.array([0.3, 0.45, 0.6])
    assert made.curve.flow(stage) == pytest.approx(8 / 15 * 0.578 * np.sqrt(2 * 9.80665) * stage**2.5, rel=0.08)
    assert made.curve.start[1] == pytest.approx(0.6, abs=0.15)
