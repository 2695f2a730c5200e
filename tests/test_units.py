"""Units: spellings of the field in, CF text inside, UCUM and symbols out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer import units
from nilometer.errors import UnitError

SPELLINGS = {
    "degree_Celsius": ["°C", "degC", "Cel", "℃", "C", "deg C", "degrees_Celsius", "ºC", "DEGC"],
    "mg L-1": ["mg/L", "mg L-1", "mg/l", "MG/L", "Mg/L", "mg.L-1", "mg{N}/L", "mg/L as N", "毫克/升", "mg L⁻¹", "㎎/L"],
    "uS cm-1": ["µS/cm", "μS/cm", "uS/cm", "US/CM", "uS cm^-1"],
    "mS cm-1": ["mS/cm", "MS/CM"],
    "NTU": ["NTU", "ntu", "{NTU}", "NTU+"],
    "FNU": ["FNU", "{FNU}"],
    "1": ["1", "", "[pH]", "pH units", "psu", "PSU", "std units", "无量纲"],
    "%": ["%", "percent", "% sat"],
    "m3 s-1": ["m3/s", "m³/s", "m^3/s", "m**3 s**-1", "cumecs", "立方米/秒"],
    "ft3 s-1": ["ft3/s", "cfs", "[ft_i]3/s"],
    "L s-1": ["L/s", "l/s"],
    "MPN dL-1": ["MPN/100mL", "MPN/100 mL", "MPN/100ml"],
    "CFU dL-1": ["CFU/100mL", "[CFU]/dL"],
    "RFU": ["RFU"],
    "QSU": ["QSU"],
    "dbar": ["dbar"],
    "degree_Fahrenheit": ["degF", "°F", "[degF]"],
    "inHg": ["inHg", "in Hg", "[in_i'Hg]"],
    "ft": ["ft", "feet", "[ft_i]"],
    "knot": ["kn", "kt", "knots", "[kn_i]"],
    "umol m-2 s-1": ["umol/m2/s", "µmol/(m2 s)", "umol.m-2.s-1"],
    "degree_north": ["degrees_north", "°N"],
    "1e-3": ["1e-3", "0.001", "10*-3", "10^-3"],
}
CANONICAL = sorted(
    {*SPELLINGS, "m", "cm", "ug L-1", "ng L-1", "S m-1", "hPa", "kPa", "psi", "m s-1", "W m-2", "Bq L-1", "count L-1"}
    | {
        "V",
        "mV",
        "mm h-1",
        "g kg-1",
        "umol kg-1",
        "K",
        "day",
        "h",
        "degree",
        "m-1",
        "MPN L-1",
        "cell mL-1",
        "FBU",
        "PCU",
    }
)


def pairs():
    """Some 2,400 pairs are looked at to find these: not in every process that only gathers the tests."""
    return st.sampled_from([(a, b) for a in CANONICAL for b in CANONICAL if a != b and units.same_dimension(a, b)])


@pytest.mark.parametrize(("spelling", "canonical"), [(s, c) for c, words in SPELLINGS.items() for s in words])
def test_every_spelling_of_the_field_becomes_cf_text(spelling, canonical):
    assert units.canonical(spelling) == canonical


@pytest.mark.parametrize("unit", CANONICAL)
def test_cf_ucum_and_symbol_lead_back_to_the_same_unit(unit):
    assert units.canonical(unit) == unit
    assert units.canonical(units.ucum(unit)) == unit
    assert units.canonical(units.symbol(unit)) == unit


@given(pair=st.deferred(pairs), value=st.floats(-1e6, 1e6))
def test_a_conversion_and_its_inverse_give_the_value_back(pair, value):
    there = units.convert(value, *pair)
    back = units.convert(there, pair[1], pair[0])
    _, offset = units.affine(*pair)
    assert back == pytest.approx(value, rel=1e-12, abs=1e-9 * max(1.0, abs(offset)))


@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_a_unit_error(text):
    try:
        known = units.canonical(text)
    except UnitError:
        return
    assert units.canonical(known) == known


@pytest.mark.parametrize(
    ("source", "target", "scale", "offset"),
    [
        ("degF", "degC", 5 / 9, -160 / 9),
        ("degC", "K", 1.0, 273.15),
        ("degC m-1", "degF m-1", 1.8, 0.0),
        ("mS/cm", "uS/cm", 1000.0, 0.0),
        ("S/m", "uS/cm", 10000.0, 0.0),
        ("cfs", "m3 s-1", 0.028316846592, 0.0),
        ("ft", "m", 0.3048, 0.0),
        ("kn", "m s-1", 1852 / 3600, 0.0),
        ("ug/L", "mg/L", 0.001, 0.0),
        ("g/m3", "mg/L", 1.0, 0.0),
        ("MPN/100mL", "L-1", 10.0, 0.0),
        ("MGD", "L/s", 43.81263638888889, 0.0),
        ("inHg", "hPa", 33.86388640341, 0.0),
    ],
)
def test_factors_are_the_published_ones(source, target, scale, offset):
    assert units.affine(source, target) == pytest.approx((scale, offset), rel=1e-15)


def test_a_power_of_ten_is_exact_in_both_directions():
    values = np.array([0.1, 0.3, 7.7, 1234.5])
    assert units.convert(values * 1000, "ug/L", "mg/L").tolist() == (values * 1000 / 1000).tolist()


@pytest.mark.parametrize(("a", "b"), [("NTU", "FNU"), ("NTU", "FTU"), ("RFU", "ug/L"), ("QSU", "ug/L"), ("mg/L", "m")])
def test_units_of_different_dimension_are_refused(a, b):
    assert not units.same_dimension(a, b)
    with pytest.raises(UnitError, match="cannot be converted"):
        units.affine(a, b)


@pytest.mark.parametrize("word", ["ppm", "ppb", "ppt", "PPM", "psig"])
def test_a_unit_that_says_too_little_is_refused_with_what_to_write(word):
    with pytest.raises(UnitError, match=r"write|give"):
        units.canonical(word)


def test_an_unknown_unit_names_its_neighbours():
    with pytest.raises(UnitError, match="did you mean"):
        units.canonical("mg/LL")


def test_psu_has_a_note_and_milligrams_have_none():
    assert "ratio" in units.note("PSU")
    assert units.note("mg/L") == ""


def test_nan_stays_nan_and_the_input_is_not_changed():
    values = np.array([1.0, np.nan])
    assert np.isnan(units.convert(values, "m", "ft")[1])
    same = units.convert(values, "m", "m")
    same[0] = 5.0
    assert values[0] == 1.0


def test_pint_is_not_imported_before_a_conversion():
    code = "import sys, nilometer.units as u; u.canonical('mg/L'); u.ucum('degC'); sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_partial_pressure_in_microatmospheres_is_known():
    assert units.canonical("µatm") == units.canonical("uatm") == units.canonical("uAtm") == "uatm"
    assert units.convert([1.0], "µatm", "Pa")[0] == 0.101325


@pytest.mark.parametrize("text", ["s m-1/3", "m0.5 s-1", "m^0.5", "m**-.5"])
def test_a_broken_power_is_refused_and_not_read_as_another_unit(text):
    with pytest.raises(UnitError, match="whole number"):
        units.canonical(text)
