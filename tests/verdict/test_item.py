from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.model.entities import WaterBody
from nilometer.verdict.item import Item, Rule

# GB 3838-2002 Table 1, typed apart from the shipped file.
TABLE_1 = {
    "dissolved_oxygen": [7.5, 6, 5, 3, 2],
    "codmn": [2, 4, 6, 10, 15],
    "codcr": [15, 15, 20, 30, 40],
    "bod5": [3, 3, 4, 6, 10],
    "nh3_n": [0.15, 0.5, 1.0, 1.5, 2.0],
    "total_phosphorus": [0.02, 0.1, 0.2, 0.3, 0.4],
    "copper": [0.01, 1.0, 1.0, 1.0, 1.0],
    "zinc": [0.05, 1.0, 1.0, 2.0, 2.0],
    "fluoride": [1.0, 1.0, 1.0, 1.5, 1.5],
    "selenium": [0.01, 0.01, 0.01, 0.02, 0.02],
    "arsenic": [0.05, 0.05, 0.05, 0.1, 0.1],
    "mercury": [0.00005, 0.00005, 0.0001, 0.001, 0.001],
    "cadmium": [0.001, 0.005, 0.005, 0.005, 0.01],
    "chromium_vi": [0.01, 0.05, 0.05, 0.05, 0.1],
    "lead": [0.01, 0.01, 0.05, 0.05, 0.1],
    "cyanide": [0.005, 0.05, 0.2, 0.2, 0.2],
    "volatile_phenol": [0.002, 0.002, 0.005, 0.01, 0.1],
    "petroleum": [0.05, 0.05, 0.05, 0.5, 1.0],
    "anionic_surfactant": [0.2, 0.2, 0.2, 0.3, 0.3],
    "sulfide": [0.05, 0.1, 0.2, 0.5, 1.0],
    "faecal_coliform": [200, 2000, 10000, 20000, 40000],
}
LAKE = {"total_phosphorus": [0.01, 0.025, 0.05, 0.1, 0.2], "total_nitrogen": [0.2, 0.5, 1.0, 1.5, 2.0]}


def item_of(standard, key, body=WaterBody.RIVER) -> Item:
    return next(item for item in standard.items_for(body) if item.property == key)


def rows():
    yield from ((WaterBody.RIVER, key, limits) for key, limits in TABLE_1.items())
    yield from ((body, key, limits) for body in (WaterBody.LAKE, WaterBody.RESERVOIR) for key, limits in LAKE.items())


@pytest.mark.parametrize(("body", "key", "limits"), [*rows()])
def test_every_row_of_table_1_is_as_printed_and_inclusive(gb3838, body, key, limits):
    item = item_of(gb3838, key, body)
    assert list(item.limits) == limits
    worse = -1 if item.rule is Rule.AT_LEAST else 1
    for index, limit in enumerate(limits):
        best = limits.index(limit)  # repeated limits: a class can be skipped
        assert item.class_index(float(limit)) == best
        after = limits.index(limit) + limits.count(limit)
        assert item.class_index(limit * (1 + worse * 1e-9)) == after, index


def test_the_table_has_24_items_and_21_decide(gb3838):
    assert {item.number for item in gb3838.items} == set(range(1, 25))
    for body in (WaterBody.RIVER, WaterBody.LAKE):
        decide = [item for item in gb3838.items_for(body) if item.role == "assessed"]
        assert len(decide) == gb3838.required == 21
    assert "total_nitrogen" not in {item.property for item in gb3838.items_for(WaterBody.RIVER)}


def test_an_item_can_skip_a_class(gb3838):
    cod = item_of(gb3838, "codcr")
    assert cod.class_index(15.0) == 0
    assert cod.class_index(15.1) == 2


@pytest.mark.parametrize(("ph", "index"), [(5.999999, 5), (6.0, 0), (7.0, 0), (9.0, 0), (9.000001, 5)])
def test_ph_is_class_i_or_inferior_v(gb3838, ph, index):
    assert item_of(gb3838, "ph").class_index(ph) == index


def test_a_mean_of_equal_limits_still_meets_the_limit(gb3838):
    mean = float(np.mean([0.2, 0.2, 0.2]))
    assert mean > 0.2  # binary arithmetic, not water
    assert item_of(gb3838, "total_phosphorus").class_index(mean) == 2


@pytest.mark.parametrize(
    ("oxygen", "share", "index"), [(6.9, 90.0, 0), (6.9, 89.999, 1), (1.0, 95.0, 0), (8.0, 40.0, 0)]
)
def test_saturation_only_upgrades(gb3838, oxygen, share, index):
    assert item_of(gb3838, "dissolved_oxygen").class_index(oxygen, share) == index


def test_a_change_of_temperature_cannot_be_read_from_a_value(gb3838):
    item = item_of(gb3838, "water_temperature")
    assert item.class_index(21.0) is None
    assert item.limit(2) is None


def test_no_number_has_no_class(gb3838):
    assert item_of(gb3838, "codmn").class_index(math.nan) is None


def test_the_multiple_is_over_the_limit_and_only_where_the_standard_has_one(gb3838):
    assert item_of(gb3838, "codmn").multiple(9.0, 2) == pytest.approx(0.5)
    assert item_of(gb3838, "codmn").multiple(6.0, 2) is None
    assert item_of(gb3838, "ph").multiple(9.5, 2) is None
    assert item_of(gb3838, "dissolved_oxygen").multiple(1.0, 2) is None


@given(key=st.sampled_from(sorted(TABLE_1)), value=st.floats(0, 1e6), other=st.floats(0, 1e6))
def test_a_worse_value_never_gets_a_better_class(gb3838, key, value, other):
    item = item_of(gb3838, key)
    worse, better = (min, max) if item.rule is Rule.AT_LEAST else (max, min)
    assert item.class_index(worse(value, other)) >= item.class_index(better(value, other))
