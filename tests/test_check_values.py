"""Every check value: what the papers, standards and manuals print, by the function that is said to follow them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nilometer.acquisition.current_loop import WORDS, CurrentLoop
from nilometer.config import LoopConfig
from nilometer.derivation import (
    ammonia,
    conductivity,
    eos80,
    flume,
    oxygen,
    oxygen_seawater,
    ph,
    pss78,
    seawater,
    sound,
    tank,
    thermometer,
    trophic,
    water_density,
    weir,
)
from nilometer.model import QartodFlag
from nilometer.qc import check
from nilometer.qc.marks.scheme import said
from nilometer.qc.rollup import Rule, roll_up_all, summarise
from nilometer.trials.allan import deviation as allan
from nilometer.trials.statistics import agreement, field_comparison, regression, repeated
from nilometer.verdict import assess, indices

FILE = Path(__file__).parent / "vectors" / "check_values" / "check-values.yaml"
VALUES = {one["id"]: one for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))["values"]}
ONLY_DATA = {"pb_td41_data"}
"""Sets whose results are not in the file; they are computed all the same."""

COMPUTED: dict[str, Callable[[dict[str, Any]], Any]] = {}


def computes(*ids: str) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[dict[str, Any]], Any]]:
    def note(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        for one in ids:
            assert one in VALUES, one
            COMPUTED[one] = function
        return function

    return note


def starting(*prefixes: str) -> list[str]:
    return [one for one in VALUES if one.startswith(prefixes)]


@computes(*starting("do_"))
def _solubility(given: dict[str, Any]) -> float:
    return oxygen.solubility(given["t_degC"], given["S"], given["P_atm"])


T68 = 1.00024
"""IPTS-68 over ITS-90."""


@computes("gg_umolkg")
def _seawater_solubility(given: dict[str, Any]) -> float:
    return oxygen_seawater.solubility_content(given["t_degC"], given["S"])


@computes("gsw_o2")
def _teos10_solubility(given: dict[str, Any]) -> list[float]:
    return oxygen_seawater.solubility_teos10(given["pt"], given["SP"]).tolist()


@computes("unesco_svel", "unesco_svel_c", "unesco_svel_d")
def _chen_millero(given: dict[str, Any]) -> float:
    return eos80.sound_speed(given["S"], given["t68"] / T68, given["p_dbar"])


@computes("unesco_rho", "unesco_rho_b")
def _unesco_density(given: dict[str, Any]) -> float:
    return eos80.density(given["S"], given["t68"] / T68, given["p_dbar"])


@computes("unesco_cp")
def _unesco_heat_capacity(given: dict[str, Any]) -> float:
    return eos80.heat_capacity(given["S"], given["t68"] / T68, given["p_dbar"])


@computes("unesco_depth")
def _unesco_depth(given: dict[str, Any]) -> float:
    return eos80.depth(given["p_dbar"], given["lat"])


@computes("unesco_adtg")
def _unesco_lapse_rate(given: dict[str, Any]) -> float:
    return eos80.adiabatic_lapse_rate(given["S"], given["t68"] / T68, given["p_dbar"])


@computes("unesco_fp")
def _unesco_freezing_point(given: dict[str, Any]) -> float:
    return eos80.freezing_point(given["S"], given["p_dbar"]) * T68


@computes("pss_1", "pss_2")
def _practical_salinity(given: dict[str, Any]) -> float:
    return pss78.salinity(given["R"], given["t68"] / T68, given["p_dbar"])


@computes("gsw_rho")
def _teos10_density(given: dict[str, Any]) -> list[float]:
    return seawater.density(given["SA"], given["CT"], given["p"]).tolist()


@computes("gsw_c", "gsw_c_b")
def _teos10_sound_speed(given: dict[str, Any]) -> list[float]:
    return seawater.sound_speed(given["SA"], given["CT"], given["p"]).tolist()


@computes(*starting("tanaka_"))
def _tanaka(given: dict[str, Any]) -> float:
    return water_density.tanaka(given["t90"])


@computes("nlf_10", "nlf_20", "nlf_0.3", "nlf_20.1")
def _nonlinear_factor(given: dict[str, Any]) -> float:
    return conductivity.nonlinear_factor(given["t_degC"])


@computes("nlf_15_2")
def _nonlinear_compensation(given: dict[str, Any]) -> float:
    return conductivity.at_25(given["k_T"], given["t_degC"])


@computes(*starting("pt100_"))
def _platinum(given: dict[str, Any]) -> float:
    resistance = thermometer.platinum_resistance(given["t_degC"])
    assert thermometer.platinum(resistance) == pytest.approx(given["t_degC"], abs=1e-9)
    return resistance


@computes(*starting("nernst_"))
def _nernst(given: dict[str, Any]) -> float:
    return ph.nernst_slope(given["t_degC"])


@computes("ntc")
def _thermistor(given: dict[str, Any]) -> float:
    return thermometer.steinhart_hart(given["R_ohm"], given["a"], given["b"], given["c"])


@computes("air_c", "air_c_b")
def _air(given: dict[str, Any]) -> float:
    return sound.dry_air(given["t_degC"])


@computes("tli_a", "tli_c")
def _trophic_level(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "sub": [
            trophic.tli_chlorophyll(given["chla_mg_m3"]),
            trophic.tli_phosphorus(given["tp"]),
            trophic.tli_nitrogen(given["tn"]),
            trophic.tli_secchi(given["sd_m"]),
            trophic.tli_permanganate(given["codmn"]),
        ],
        "tli": trophic.tli(given["chla_mg_m3"], given["tp"], given["tn"], given["sd_m"], given["codmn"]),
    }


@computes("E_class2")
def _eutrophication(given: dict[str, Any]) -> float:
    return trophic.sea_eutrophication(given["COD"], given["DIN"], given["DIP"])


@computes(*starting("nh3_"))
def _emerson(given: dict[str, Any]) -> float:
    return ammonia.fraction(given["pH"], given["t_degC"])


@computes(*starting("gb3097_nh3_"))
def _gb3097_annex_b(given: dict[str, Any]) -> float:
    return ammonia.fraction_gb3097(given["pH"], given["t_degC"], given["S"])


@computes("cw_total")
def _clegg_whitfield_total(given: dict[str, Any]) -> list[float]:
    return (ammonia.fraction_seawater_total(given["pH"], given["t"], given["S"]) / 100).tolist()


@computes("cw_free")
def _clegg_whitfield_free(given: dict[str, Any]) -> list[float]:
    return (ammonia.fraction_seawater_free(given["pH"], given["t"], given["S"]) / 100).tolist()


@computes(*starting("vnotch_"))
def _v_notch(given: dict[str, Any]) -> float:
    return weir.v_notch_90(given["h_m"])


@computes("ks_90")
def _kindsvater_shen(given: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(("Ce", "kh_m"), weir.kindsvater_shen(float(given["theta"])), strict=True))


@computes("parshall_06", "parshall_1")
def _parshall(given: dict[str, Any]) -> float:
    return flume.parshall(given["ha_m"], given["b_m"])


@computes("tank_half")
def _half_a_tank(given: dict[str, Any]) -> float:
    return tank.horizontal_cylinder(given["h"], given["R"], given["L"])


@computes("tank_heads")
def _heads_of_a_tank(given: dict[str, Any]) -> float:
    """The two heads alone are what a tank with them holds more than one without."""
    shape = {"level": given["h"], "radius": given["R"], "length": 4.0}
    deep = given["R"] / 2
    return tank.horizontal_cylinder(**shape, left_depth=deep, right_depth=deep) - tank.horizontal_cylinder(**shape)


@computes("ne43")
def _current_loop(given: dict[str, Any]) -> list[str]:
    loop = CurrentLoop.of(LoopConfig(lower=0.0, upper=10.0, unit="m"))
    words = {QartodFlag.PASS: "good", QartodFlag.SUSPECT: "suspect", QartodFlag.FAIL: "fail"}
    marks = [WORDS[code] for code in loop.codes(np.array(given["mA"], float))]
    return ["good" if mark is None else words[said("namur-ne43", mark)] for mark in marks]


@computes("nbs14_10")
def _allan(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "adev": allan.allan_deviation(given["y"], given["tau"], overlapping=False).tolist(),
        "oadev": allan.allan_deviation(given["y"], given["tau"]).tolist(),
    }


@computes("nbs14_1000")
def _averages(given: dict[str, Any]) -> dict[str, Any]:
    numbers = [1234567890]
    for _ in range(1000):
        numbers.append(16807 * numbers[-1] % 2147483647)
    assert ", ".join(map(str, numbers[1:4])) in given["check"]
    values = np.array(numbers[:1000]) / 2147483647
    means = [values[: 1000 // m * m].reshape(-1, m).mean(axis=1) for m in given["tau"]]
    return {"sample_sd": [float(mean.std(ddof=1)) for mean in means]}


@computes("pefr")
def _peak_flow(given: dict[str, Any]) -> dict[str, Any]:
    found = agreement.limits_of_agreement(given["wright1"], given["mini1"], k=2.0)
    return {
        "mean_d": found.mean,
        "sd_d": found.sd,
        "limits_2sd": list(found.limits),
        "se_mean": found.mean_se,
        "pearson_r": found.correlation,
    }


def test_the_rest_of_bland_and_altmans_example_comes_out() -> None:
    """Their paper of 1986, both readings: 21.6 and 28.2 of repeats, 33.2 of means, and 37.7 put together of them."""
    given = VALUES["pefr"]["inputs"]
    wright, mini = (list(zip(given[name + "1"], given[name + "2"], strict=True)) for name in ("wright", "mini"))
    large, small = (repeated.repeatability(each)[1] for each in (wright, mini))
    assert (round(large, 1), round(small, 1)) == (43.3, 56.3)
    found = repeated.limits_of_replicates(wright, mini, k=2.0)
    assert round(found.sd, 1) == 37.7


@computes("pb_td15")
def _passing_bablok(given: dict[str, Any]) -> dict[str, Any]:
    line = regression.passing_bablok(given["x"], given["y"])
    return {
        "intercept": line.intercept,
        "slope": line.slope,
        "slope_ci": list(line.slope_interval),
        "intercept_ci": list(line.intercept_interval),
    }


@computes("pb_td41_data")
def _passing_bablok_of_data(given: dict[str, Any]) -> None:
    line = regression.passing_bablok(given["x"], given["y"])
    assert line.slope_interval[0] < line.slope < line.slope_interval[1]
    assert line.intercept_interval[0] < line.intercept < line.intercept_interval[1]
    # It is symmetric: with the instruments exchanged the same line comes out, which no least squares do.
    other = regression.passing_bablok(given["y"], given["x"])
    assert other.slope == pytest.approx(1 / line.slope, rel=1e-6)


@computes("creatinine")
def _deming(given: dict[str, Any]) -> dict[str, Any]:
    line = regression.deming(given["serum"], given["plasma"])
    return {
        "intercept": line.intercept,
        "slope": line.slope,
        "se_intercept": line.intercept_se,
        "se_slope": line.slope_se,
    }


@computes("ccme")
def _ccme(given: dict[str, Any]) -> dict[str, Any]:
    objectives = {name: indices.Objective(one["lower"], one["upper"]) for name, one in given.items()}
    found = indices.ccme_wqi({name: one["values"] for name, one in given.items()}, objectives)
    return {
        "total_variables": found.variables,
        "failed_variables": found.failed_variables,
        "total_tests": found.tests,
        "failed_tests": found.failed_tests,
        "F1": found.scope,
        "F2": found.frequency,
        "wqi": found.index,
    }


@computes("nsf")
def _nsf(given: dict[str, Any]) -> float:
    words = {"do": "do_percent_saturation", "temp_change": "temperature_change"}
    return indices.nsf_wqi({words.get(name, name): rating for name, rating in given["Q"].items()})[0]


@computes("hj355_cod")
def _hj355(given: dict[str, Any]) -> dict[str, Any]:
    online, laboratory = zip(*given["pairs"], strict=True)
    found = field_comparison.compare_with_laboratory(online, laboratory, "codcr")
    band = f"rel {100 * found.limit:.0f} %" if found.is_relative else f"abs {found.limit:g}"
    return {"band": band, "within": list(found.within), "result": "pass" if found.passes else "fail"}


@computes("hj355_qc")
def _hj355_sample(given: dict[str, Any]) -> dict[str, Any]:
    error, passes = field_comparison.judge_control_sample(given["reading"], 25.0)
    return {"error_pct": 100 * error, "limit_pct": 10, "result": "pass" if passes else "fail"}


PROFILES: dict[str, dict[str, Any]] = {
    "qc_gross": {"gross_range_test": {"fail_span": [0, 8], "suspect_span": [2, 6]}},
    "qc_spike": {"spike_test": {"suspect_threshold": 1, "fail_threshold": 3}},
    "qc_roc": {"rate_of_change_test": {"threshold": 0.02}},
    "qc_flat": {"flat_line_test": {"tolerance": 0.01, "suspect_threshold": 180, "fail_threshold": 300}},
}


def _flags(one: str) -> Callable[[dict[str, Any]], list[int]]:
    def of(given: dict[str, Any]) -> list[int]:
        values = np.array([math.nan if value is None else value for value in given["x"]])
        times = np.datetime64("2024-01-01", "s") + 60 * np.arange(len(values))
        found = check(values, time=times, profile={"qartod": PROFILES[one]})
        (flags,) = found.tests.values()
        return np.asarray(flags).tolist()

    return of


for _one in PROFILES:
    computes(_one)(_flags(_one))


@computes("qc_location")
def _location(given: dict[str, Any]) -> list[int]:
    longitude, latitude = (
        np.array([math.nan if value is None else value for value in given[axis]]) for axis in ("lon", "lat")
    )
    profile = {"qartod": {"location_test": {}}}
    found = check(np.ones(len(longitude)), profile=profile, longitude=longitude, latitude=latitude)
    (flags,) = found.tests.values()
    return np.asarray(flags).tolist()


@computes("qc_rollup")
def _roll_up(given: dict[str, Any]) -> list[int]:
    summaries = np.zeros(len(given["t1"]), np.uint32)
    for flags in given.values():
        summarise(summaries, np.array(flags, np.uint8), 0)
    return roll_up_all(summaries.astype(np.int64), int(Rule.IOOS_QC)).tolist()


LISTED = {"qc_roc": {0: 2, 3: 3}, "qc_flat": {0: 2, 1: 2, 2: 2}}
"""Where we differ from the peer that these were executed with, as docs/qartod.md lists and justifies: row to flag."""


@computes("gb3838_a")
def _surface_water(given: dict[str, Any]) -> dict[str, Any]:
    words = {"do": "dissolved_oxygen", "nh3n": "nh3_n", "tp": "total_phosphorus"}
    values = {words.get(name, name): value for name, value in given.items() if name != "river"}
    verdict = assess(values, "GB 3838-2002", water_body="river")
    back = {word: name for name, word in words.items()}
    return {
        "items": {back.get(part.property, part.property): part.class_ for part in verdict.items},
        "overall": verdict.class_,
    }


@computes("gb3838_e")
def _surface_water_item(given: dict[str, Any]) -> dict[str, Any]:
    return {"item": assess({"codcr": given["cod"]}, "GB 3838-2002", water_body="river").class_}


@computes("gb3097_a")
def _sea_water(given: dict[str, Any]) -> dict[str, Any]:
    words = {
        "ph": "ph",
        "do": "dissolved_oxygen",
        "cod": "cod_alkaline",
        "din": "dissolved_inorganic_nitrogen",
        "phosphate": "orthophosphate_p",
    }
    verdict = assess({words[name]: value for name, value in given.items()}, "GB 3097-1997", water_body="sea")
    return {"overall": int(verdict.class_ or 0)}


@computes("gb3097_c")
def _sea_water_item(given: dict[str, Any]) -> dict[str, Any]:
    return {"item": int(assess({"dissolved_oxygen": given["do"]}, "GB 3097-1997", water_body="sea").class_ or 0)}


TOLERANCES: dict[str, float | dict[str, float]] = {
    "pefr": {"mean_d": 0.05, "sd_d": 0.05, "limits_2sd": 0.1, "se_mean": 0.05, "pearson_r": 0.005},
    "pb_td15": {"intercept": 1e-8, "slope": 1e-8, "slope_ci": 1e-3, "intercept_ci": 2e-2},
    "creatinine": 1e-6,
    "ccme": {"F1": 0.05, "F2": 0.05, "wqi": 0.5},
    "ks_90": {"Ce": 5e-5, "kh_m": 5e-8},
    "hj355_qc": 1e-9,
}
"""What `tolerance` says in words."""


def _tolerance(one: dict[str, Any], part: str) -> dict[str, float]:
    said = TOLERANCES.get(one["id"], one["tolerance"])
    if isinstance(said, dict):
        return {"abs": said.get(part, 0.0), "rel": 0.0}
    if isinstance(said, str) and said.startswith("rel "):
        return {"rel": float(said[4:]), "abs": 0.0}
    return {"abs": float(said or 0.0), "rel": 0.0}


def _same(one: dict[str, Any], found: Any, expected: Any, part: str = "") -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            _same(one, found[key], value, key)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            _same(one, ours, theirs, part)
    elif isinstance(expected, bool | str):
        assert found == expected, part
    else:
        assert float(found) == pytest.approx(expected, **_tolerance(one, part)), part


def test_every_check_value_is_computed() -> None:
    assert set(COMPUTED) == set(VALUES)


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_check_value(name: str) -> None:
    one = VALUES[name]
    found = COMPUTED[name](one["inputs"])
    if name not in ONLY_DATA:
        expected = one["expected"]
        if name in LISTED:
            expected = [LISTED[name].get(row, flag) for row, flag in enumerate(expected)]
            assert expected != one["expected"]
        _same(one, found, expected)
