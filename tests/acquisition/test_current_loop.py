"""NAMUR NE 43 on every current, and the line from current to value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.current_loop import WORDS, CurrentLoop
from nilometer.calibration.certificate import Calibration
from nilometer.config import LoopConfig, parse
from nilometer.errors import ConfigError, UnitError
from nilometer.qc.marks import said

LEVEL = CurrentLoop(4.0, 0.0, 10.0, "m")
CURRENTS = [0.0, 3.6, 3.7, 3.8, 4.0, 12.0, 20.5, 20.8, 21.0]
# NE 43; suspect between the bands is our convention.
FLAGS = ["FAIL", "FAIL", "SUSPECT", "PASS", "PASS", "PASS", "PASS", "SUSPECT", "FAIL"]


def test_the_bands_of_ne_43_give_their_flags():
    codes = LEVEL.codes(np.array(CURRENTS))
    assert [said(None, WORDS[code]).name if code else "PASS" for code in codes] == FLAGS
    assert [WORDS[code] for code in LEVEL.codes(np.array([3.9, 20.2, np.nan]))] == [
        "ne43:saturated_low",
        "ne43:saturated_high",
        None,
    ]


@pytest.mark.parametrize(
    ("config", "raw", "unit", "current", "value"),
    [
        ({"lower": 0, "upper": 10, "unit": "m"}, 12.0, "mA", 12.0, 5.0),
        ({"lower": 0, "upper": 10, "unit": "m"}, 12_000.0, "uA", 12.0, 5.0),
        ({"lower": 14, "upper": 0, "unit": "1"}, 8.0, "mA", 8.0, 10.5),
        ({"signal": "0-20mA", "lower": -5, "upper": 45, "unit": "degree_Celsius"}, 10.0, "mA", 10.0, 20.0),
        ({"signal": "1-5V", "lower": 0, "upper": 100, "unit": "percent"}, 2.0, "V", 8.0, 25.0),
        ({"lower": 0, "upper": 10, "unit": "m", "shunt_ohm": 100}, 1200.0, "mV", 12.0, 5.0),
    ],
)
def test_a_signal_is_a_current_and_the_current_a_value(config, raw, unit, current, value):
    loop = CurrentLoop.of(LoopConfig.model_validate(config))
    assert loop.current(np.array([raw]), unit)[0] == pytest.approx(current, rel=1e-12)
    made = Calibration.from_document(loop.calibration())
    signal = raw / 1000 if unit in {"uA", "mV"} else raw
    assert made.coefficients[0] + made.coefficients[1] * signal == pytest.approx(value, rel=1e-12)
    assert made.valid_range is None
    assert made.outside == "extrapolate"


def test_a_voltage_meets_the_limits_that_its_current_meets():
    loop = CurrentLoop.of(LoopConfig(signal="1-5V", lower=0, upper=1, unit="m"))
    volts = np.array(CURRENTS) * 0.25
    assert loop.codes(loop.current(volts, "V")).tolist() == LEVEL.codes(np.array(CURRENTS)).tolist()


def test_without_a_live_zero_nothing_can_be_said():
    loop = CurrentLoop.of(LoopConfig(signal="0-20mA", lower=0, upper=1, unit="m"))
    assert not loop.codes(np.array([0.0, 21.0])).any()
    with pytest.raises(UnitError):
        loop.current(np.array([1.0]), "m")


@given(st.lists(st.floats(), max_size=30))
def test_any_number_has_a_band_and_many_have_what_each_has(currents):
    codes = LEVEL.codes(np.array(currents, float))
    assert codes.tolist() == [int(LEVEL.codes(np.array([one]))[0]) for one in currents]


def test_a_range_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="upper"):
        parse(
            {
                "source": [
                    {
                        "name": "a",
                        "driver": "b",
                        "thing": "c",
                        "channels": {"x": {"loop": {"lower": 1, "upper": 1, "unit": "m"}}},
                    }
                ]
            }
        )
