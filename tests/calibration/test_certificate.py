"""Certificates as documents."""

from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.calibration import Calibration
from nilometer.calibration.certificate import ALWAYS
from nilometer.errors import CalibrationError

NUMBERS = st.floats(-1e6, 1e6)
SPREADS = st.floats(0, 10)


@st.composite
def documents(draw):
    kind = draw(st.sampled_from(["identity", "polynomial", "table"]))
    document = {"kind": kind, "sensor": "SN 1", "certificate": "C 7"}
    if kind == "polynomial":
        size = draw(st.integers(1, 5))
        document["coefficients"] = draw(st.lists(NUMBERS, min_size=size, max_size=size))
        if draw(st.booleans()):
            document["coefficient_uncertainties"] = draw(st.lists(SPREADS, min_size=size, max_size=size))
    if kind == "table":
        readings = sorted(draw(st.sets(NUMBERS, min_size=2, max_size=6)))
        document["points"] = [[x, draw(NUMBERS), draw(SPREADS)][: draw(st.integers(2, 3))] for x in readings]
    if draw(st.booleans()):
        document["valid_from"] = "2024-03-01T08:00:00.123456+08:00"
    if draw(st.booleans()):
        document["residual_uncertainty"] = draw(SPREADS)
    if draw(st.booleans()):
        document["valid_range"] = [0, 10]
    return document


@given(document=documents())
def test_a_document_reads_back_to_the_same_calibration(document):
    calibration = Calibration.from_document(document)
    again = Calibration.from_document(json.loads(json.dumps(calibration.to_document())))
    assert again.to_document() == calibration.to_document()
    assert repr(again) == repr(calibration)  # NaN is not equal to itself


def test_times_are_read_with_their_zone():
    calibration = Calibration.from_document({"valid_from": "2024-03-01T08:00:00+08:00"})
    assert calibration.valid_from == int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert Calibration.from_document({"valid_from": datetime(2024, 3, 1, tzinfo=UTC)}) == calibration
    assert Calibration.from_document({"valid_from": calibration.valid_from}) == calibration
    assert Calibration.from_document({}).valid_from == ALWAYS


def test_a_table_holds_for_its_points_and_gives_nothing_outside():
    table = Calibration.from_document({"kind": "table", "points": [[0, 1], [10, 2, 0.1]], "valid_range": [-5, 8]})
    assert table.span == (0, 8)
    assert table.outside == "missing"
    assert math.isnan(table.points[0][2])
    assert table.is_uncertain


def test_units_are_read_in_any_spelling():
    assert Calibration.from_document({"unit_in": "mV", "unit_out": "mg/l"}).unit_out == "mg L-1"


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({"kind": "cubic"}, "kind = 'cubic' (allowed: identity, offset, slope, polynomial, table, nernst"),
        ({"coefs": [1]}, "'coefs' is no key"),
        ({"kind": "polynomial"}, "coefficients = []"),
        ({"kind": "polynomial", "coefficients": "12"}, "a list of numbers"),
        ({"kind": "polynomial", "coefficients": [1, math.nan]}, "coefficients"),
        ({"kind": "polynomial", "coefficients": [1, True]}, "a list of numbers"),
        ({"kind": "polynomial", "coefficients": [1, 2], "covariance": [[1]]}, "a square of 2 rows"),
        ({"kind": "polynomial", "coefficients": [1, 2], "covariance": [[1, 2], [0, 1]]}, "symmetric"),
        ({"kind": "polynomial", "coefficients": [1, 2], "covariance": [[1, 2], [2, 1]]}, "negative eigenvalue"),
        ({"kind": "polynomial", "coefficients": [1, 2], "covariance": 3}, "a square of numbers"),
        ({"kind": "polynomial", "coefficients": [1, 2], "coefficient_uncertainties": [1]}, "for each coefficient"),
        ({"kind": "polynomial", "coefficients": [1], "coefficient_uncertainties": [-1]}, "from 0"),
        (
            {"kind": "polynomial", "coefficients": [1], "coefficient_uncertainties": [1], "covariance": [[1]]},
            "either these or covariance",
        ),
        ({"kind": "table", "points": [[0, 1]]}, "two or more"),
        ({"kind": "table", "points": [[0, 1], [0, 2]]}, "rising readings, 0 comes"),
        ({"kind": "table", "points": [[0, 1], [1]]}, "rows of [reading, quantity]"),
        ({"kind": "table", "points": [[0, 1, -1], [1, 2]]}, "from 0"),
        ({"kind": "table", "points": [[0, 1], [1, math.inf]]}, "finite"),
        ({"valid_range": [3, 1]}, "the lower first"),
        ({"valid_range": [3]}, "the lower first"),
        ({"residual_uncertainty": -1}, "a number from 0"),
        ({"reading_uncertainty": "x"}, "a number"),
        ({"outside": "clip"}, "extrapolate, missing"),
        ({"unit_in": "furlong"}, "unit_in"),
        ({"valid_from": "yesterday"}, "ISO 8601"),
        ({"valid_from": "2024-03-01"}, "with its zone"),
    ],
)
def test_what_cannot_be_applied_is_named_with_sensor_and_certificate(document, part):
    with pytest.raises(CalibrationError) as caught:
        Calibration.from_document({"sensor": "SN 4711", "certificate": "PTB 9"} | document)
    assert part in str(caught.value)
    assert str(caught.value).startswith("SN 4711 PTB 9: ")
    assert pickle.loads(pickle.dumps(caught.value)).certificate == "PTB 9"
