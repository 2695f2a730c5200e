"""What goes with a number: a method, a class, a label that something is missing."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.derivation import clarity, thermometer, trophic, turbidity
from nilometer.errors import UnitError


@pytest.mark.parametrize(("source", "target"), [("NTU", "FNU"), ("FNU", "FAU"), ("FTU", "NTU"), ("FBU", "FNU")])
def test_turbidity_of_one_method_is_never_turned_into_another(source: str, target: str) -> None:
    with pytest.raises(UnitError, match="formazin"):
        turbidity.in_unit([3.0], source, target)


def test_turbidity_of_one_method_stays_what_it_is() -> None:
    assert turbidity.in_unit([3.0, np.nan], "ntu", "NTU").tolist()[0] == 3.0
    with pytest.raises(UnitError, match="no unit of turbidity"):
        turbidity.method("mg/L")


def test_a_class_of_platinum_is_a_rectangle_and_holds_in_its_range_only() -> None:
    class_a = thermometer.platinum_class([-100.0, 0.0, 100.0, 460.0], "A")
    assert class_a.size[:3] == pytest.approx([0.35, 0.15, 0.35])
    assert np.isnan(class_a.size[3])
    assert np.isnan(thermometer.platinum_class(160.0, "AA", resistor="film").size)
    half_width = thermometer.platinum_class(20.0, "B").size
    estimate = thermometer.platinum.estimate(
        108.0,
        uncertainty={"resistance": 0.0, "ice_resistance": half_width * 0.39 / 3**0.5},
    )
    assert float(estimate.uncertainty) == pytest.approx(0.4 / 3**0.5, rel=0.1)
    with pytest.raises(ValueError, match="allowed: AA"):
        thermometer.platinum_class(0.0, "D")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="wire, film"):
        thermometer.platinum_class(0.0, "A", resistor="foil")  # type: ignore[arg-type]


def test_an_index_of_fewer_items_is_scaled_and_says_so() -> None:
    found = trophic.comprehensive(
        {
            "chlorophyll": [10.0, 10.0, np.nan],
            "phosphorus": [0.05, 0.05, np.nan],
            "nitrogen": [1.0, np.nan, np.nan],
            "secchi": [0.8, 0.8, np.nan],
            "permanganate": [4.0, 0.0, np.nan],
        }
    )
    assert found.index[0] == pytest.approx(float(trophic.tli(10.0, 0.05, 1.0, 0.8, 4.0)))
    three = 50.006 + 0.7056 * 45.709 + 0.6889 * 55.509  # a concentration of 0 has no logarithm: as if missing
    assert found.index[1] == pytest.approx(three / (1 + 0.7056 + 0.6889), abs=1e-3)
    assert np.isnan(found.index[2])
    assert found.items.tolist() == [5, 3, 0]
    assert found.is_partial.tolist() == [False, True, True]
    with pytest.raises(ValueError, match="allowed: chlorophyll"):
        trophic.comprehensive({"chl": [1.0]})
    with pytest.raises(ValueError, match="allowed: chlorophyll"):
        trophic.comprehensive({})


def test_grades_hold_their_limits() -> None:
    assert [trophic.lake_grade(index) for index in (29.9, 30.0, 50.0, 50.1, 60.1, 70.0, 70.1, np.nan)] == [
        "oligotrophic", "mesotrophic", "mesotrophic", "lightly eutrophic", "moderately eutrophic",
        "moderately eutrophic", "hypereutrophic", "",
    ]  # fmt: skip
    assert [trophic.sea_grade(index) for index in (0.99, 1.0, 3.0, 3.1, 9.0, 9.1, np.nan)] == [
        "none", "light", "light", "moderate", "moderate", "severe", "",
    ]  # fmt: skip


def test_light_in_water() -> None:
    assert float(clarity.euphotic_depth(clarity.attenuation_from_secchi(3.4))) == pytest.approx(4.60517 / 0.5)
    assert clarity.black_odorous_limit([10.0, 25.0, 200.0]) == pytest.approx([4.0, 10.0, 10.0])
    assert float(clarity.beam_attenuation(100.0 * np.exp(-1.0), 0.25)) == pytest.approx(4.0)
