from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.derivation.oxygen import solubility
from nilometer.errors import ConfigError, StandardNotApplicable
from nilometer.verdict import ItemSeries, assess, assess_periods, assess_series
from tests.verdict.inputs import DAY_US, FAIL, MISSING, PASS, SUSPECT, series

REFERENCE = {"ph": 7.2, "dissolved_oxygen": 6.4, "codmn": 3.9, "nh3_n": 0.62, "total_phosphorus": 0.09}


def classes(verdict):
    return {part.property: part.class_ for part in verdict.items}


def said(verdict):
    return " | ".join(note.en for note in verdict.notes)


def test_the_reference_case():
    verdict = assess(REFERENCE, "GB 3838-2002", water_body="river")
    assert classes(verdict) == {
        "ph": "I", "dissolved_oxygen": "II", "codmn": "II", "nh3_n": "III", "total_phosphorus": "II",
    }  # fmt: skip
    assert verdict.class_ == "III"
    assert [part.property for part in verdict.limiting] == ["nh3_n"]
    assert (verdict.items_assessed, verdict.items_required) == (5, 21)
    assert "5 of the 21" in said(verdict)


def test_the_same_phosphorus_is_another_class_in_a_lake():
    assert assess({"total_phosphorus": 0.09}, water_body="river").class_ == "II"
    assert assess({"total_phosphorus": 0.09}, water_body="lake").class_ == "IV"


def test_without_a_water_body_it_says_what_it_assumed():
    assert "assessed as a river" in said(assess({"total_phosphorus": 0.09}))


def test_beyond_class_v_is_inferior_v_and_the_target_is_missed_by_a_multiple():
    verdict = assess({"codmn": 18.0, "nh3_n": 2.5, "ph": 7.0}, water_body="river", target_class="III")
    assert verdict.class_ == "inferior V"
    assert verdict.met is False
    assert [(part.property, part.multiple) for part in verdict.limiting] == [("codmn", 2.0), ("nh3_n", 1.5)]


def test_limiting_items_come_with_the_largest_multiple_first():
    verdict = assess({"codmn": 16.0, "nh3_n": 8.0}, water_body="river", target_class="III")
    assert [part.property for part in verdict.limiting] == ["nh3_n", "codmn"]


def test_nothing_limits_water_of_the_best_class():
    verdict = assess({"codmn": 1.0, "ph": 7.0}, water_body="river", target_class="II")
    assert (verdict.class_, verdict.limiting, verdict.met) == ("I", (), True)


def test_without_a_target_nothing_is_said_of_meeting():
    verdict = assess(REFERENCE, water_body="river")
    assert (verdict.target_class, verdict.met) == (None, None)


@pytest.mark.parametrize(("days", "indicative"), [(1 / 24, True), (1, True), (6.9, True), (7, False), (31, False)])
def test_a_window_shorter_than_the_method_is_indicative(days, indicative):
    part = {"codmn": series([3.0, 3.0], days=days)}
    verdict = assess_series(part, water_body="river", start=0, end=int(days * DAY_US))
    assert verdict.indicative is indicative
    assert verdict.class_ == "II"


def test_data_of_a_week_span_a_week_though_the_last_value_stands_before_its_end():
    assert not assess_series({"codmn": series([3.0] * 672, days=7)}, water_body="river").indicative
    assert assess_series({"codmn": series([3.0] * 96, days=1)}, water_body="river").indicative


def test_without_times_the_verdict_is_indicative():
    verdict = assess(REFERENCE, water_body="river")
    assert verdict.indicative
    assert "not known" in verdict.indicative_reason.en


def test_the_verdict_stands_with_and_without_suspect():
    part = {"codmn": series([3.0, 3.0, 3.0, 90.0], quality=[PASS, PASS, PASS, SUSPECT])}
    verdict = assess_series(part, water_body="river", target_class="III")
    assert (verdict.class_, verdict.met) == ("inferior V", False)
    assert (verdict.class_without_suspect, verdict.without_suspect.met) == ("II", True)
    assert "1 values flagged SUSPECT" in said(verdict)


def test_without_suspect_there_is_one_verdict():
    verdict = assess_series({"codmn": series([3.0], quality=[PASS])}, water_body="river")
    assert verdict.without_suspect is None
    assert verdict.class_without_suspect == "II"


def test_an_item_of_suspect_values_only_is_missing_from_the_other_verdict():
    part = {"codmn": series([9.0], quality=[SUSPECT]), "ph": series([7.0], "1", quality=[PASS])}
    verdict = assess_series(part, water_body="river")
    assert (verdict.class_, verdict.items_assessed) == ("IV", 2)
    assert (verdict.class_without_suspect, verdict.without_suspect.items_assessed) == ("I", 1)
    assert "codmn" in verdict.without_suspect.missing_items


def test_when_everything_failed_there_is_no_class():
    part = {"codmn": series([3.0, math.nan], quality=[FAIL, MISSING])}
    verdict = assess_series(part, water_body="river", target_class="III")
    assert (verdict.class_, verdict.met, verdict.items_assessed) == (None, None, 0)
    assert "no class" in said(verdict)
    assert "1 values flagged FAIL, 1 MISSING" in said(verdict)


def test_values_that_were_not_judged_are_counted_and_said():
    assert "3 values were not judged" in said(assess_series({"codmn": series([1.0, 2.0, 3.0])}, water_body="river"))


def test_the_sample_of_the_standard_is_mentioned():
    assert "30 minutes" in said(assess(REFERENCE, water_body="river"))


def test_temperature_and_lake_nitrogen_are_reported_beside_and_decide_nothing():
    verdict = assess({"total_nitrogen": 9.0, "water_temperature": 21.0, "codmn": 1.0}, water_body="lake")
    assert verdict.class_ == "I"
    assert {part.property: part.class_ for part in verdict.reference_items} == {
        "water_temperature": None,
        "total_nitrogen": "inferior V",
    }
    river = assess({"total_nitrogen": 9.0, "codmn": 1.0}, water_body="river")
    assert river.reference_items == ()
    assert "no item of this standard: Total nitrogen" in said(river)


def test_ammonium_is_never_taken_for_ammonia_nitrogen():
    verdict = assess({"ammonium": 5.0, "uv_cod": 90.0, "codmn": 1.0}, water_body="river")
    assert verdict.class_ == "I"
    assert "not assessed as it" in said(verdict)


def test_saturation_given_raises_oxygen_and_says_so():
    verdict = assess({"dissolved_oxygen": 6.9, "oxygen_saturation": 95.0}, water_body="river")
    assert verdict.class_ == "I"
    assert verdict.item("dissolved_oxygen").by_saturation
    assert "by saturation" in said(verdict)


def test_saturation_is_computed_from_temperature_and_never_lowers():
    warm = assess({"dissolved_oxygen": 7.1, "water_temperature": 30.0}, water_body="river")
    assert warm.class_ == "I"
    assert "sea-level" in said(warm)
    cold = assess({"dissolved_oxygen": 7.6, "water_temperature": 2.0}, water_body="river")  # 55 % saturation
    assert cold.class_ == "I"
    assert not cold.item("dissolved_oxygen").by_saturation


def test_local_saturation_uses_the_pressure_of_the_place():
    oxygen = 0.91 * float(solubility(15.0, 0.0, 0.7))
    frame = {"dissolved_oxygen": oxygen, "water_temperature": 15.0}
    assert assess(frame, water_body="river").class_ == "II"
    high = assess(frame, water_body="river", pressure_atm=0.7)
    assert high.class_ == "I"
    assert "local saturation" in said(high)


def test_each_oxygen_value_meets_the_temperature_of_its_moment():
    hour = 3_600_000_000
    times = np.arange(24) * hour
    temperature = 10.0 + 20.0 * (np.arange(24) >= 12)
    oxygen = solubility(temperature) * 0.91
    part = {
        "dissolved_oxygen": ItemSeries(values=oxygen, unit="mg L-1", times=times),
        "water_temperature": ItemSeries(values=temperature[::-1], unit="degree_Celsius", times=times[::-1]),
    }
    verdict = assess_series(part, water_body="river")
    assert verdict.item("dissolved_oxygen").class_ == "I"
    far = {**part, "water_temperature": ItemSeries(values=np.array([30.0]), unit="degree_Celsius", times=times[:1])}
    assert not assess_series(far, water_body="river").item("dissolved_oxygen").by_saturation


@pytest.mark.parametrize("body", ["sea", "waste_water"])
def test_water_the_standard_was_not_made_for_is_refused(body):
    with pytest.raises(StandardNotApplicable):
        assess(REFERENCE, "GB 3838-2002", water_body=body)


def test_unknown_words_are_refused_with_what_would_work():
    with pytest.raises(ConfigError, match="river"):
        assess(REFERENCE, water_body="rivers")
    with pytest.raises(ConfigError, match="VI"):
        assess(REFERENCE, water_body="river", target_class="VI")
    with pytest.raises(ConfigError, match="half"):
        assess(REFERENCE, water_body="river", below="third")


def test_each_period_gets_its_own_verdict_and_an_empty_one_none():
    part = {"codmn": series([1.0, 5.0], days=2)}
    first, second, empty = assess_periods(part, [0, DAY_US, 2 * DAY_US, 3 * DAY_US], water_body="river")
    assert [first.class_, second.class_, empty.class_] == ["I", "III", None]
    assert (second.start, second.end) == (DAY_US, 2 * DAY_US)


def test_the_document_is_json_with_times_in_ms_and_null_for_no_number():
    part = {
        "codmn": series([7.0, 80.0], quality=[PASS, SUSPECT], key="a/codmn"),
        "nh3_n": series([math.nan], quality=[MISSING], key="a/nh3_n"),
    }
    document = assess_series(part, water_body="river", target_class="III", start=0, end=DAY_US).to_document()
    json.dumps(document, allow_nan=False)
    assert (document["start"], document["end"]) == (0, 86_400_000)
    assert document["class"] == "inferior V"
    assert document["class_without_suspect"] == "IV"
    row = document["items"][0]
    assert row["limit"] == 15.0
    assert row["target_limit"] == 6.0
    assert row["without_suspect"] == {"value": 7.0, "class": "IV"}
    assert (row["n"], row["suspect"], row["decimals"] is not None, row["symbol"]) == (2, 1, True, "mg/L")
    assert document["items"][1]["value"] is None
    assert {"property": "nh3_n", "names": {"en": "Ammonia nitrogen", "zh": "氨氮"}} in document["missing_items"]
    assert document["data"]["datastreams"] == ["a/codmn", "a/nh3_n"]
    assert document["without_suspect"]["class"] == "IV"
    assert all(set(note) == {"en", "zh"} and note["zh"] for note in document["notes"])


@given(
    values=st.fixed_dictionaries({}, optional={key: st.floats(0, 100) for key in ("codmn", "codcr", "bod5", "nh3_n")}),
    worse=st.sampled_from(["codmn", "codcr", "bod5", "nh3_n"]),
    more=st.floats(0, 100),
)
def test_more_pollution_or_one_more_item_never_gives_a_better_class(values, worse, more):
    if not values:
        return
    before = assess(values, water_body="river").class_index
    after = assess({**values, worse: values.get(worse, 0.0) + more}, water_body="river").class_index
    assert after >= before
