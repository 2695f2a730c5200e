from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.qc.streams import batch

from nilometer.errors import ConfigError
from nilometer.qc.engine import QcEngine
from nilometer.qc.marks import censored
from nilometer.qc.profile import load

PROFILE = load({"tests": {"gross_range": {"fail": [0, 14]}, "spike": {"suspect": 3}, "mark": {}}})


def judged(marks, scheme, values=None, profile=PROFILE):
    engine = QcEngine()
    engine.set(1, profile, unit="1", mark_scheme=scheme)
    values = [7.0] * len(marks) if values is None else values
    rows = batch([(1, k, value, k, False, mark) for k, (mark, value) in enumerate(zip(marks, values, strict=True))])
    engine.evaluate(rows)
    return rows.result_quality.tolist(), rows.tests.to_pylist()


def test_hj212_letters_are_judged_by_the_table_of_their_edition():
    quality, tests = judged(["N", "N", "M", "D", "S", "T", "N"], "hj212-2017")
    assert quality == [1, 1, 4, 4, 3, 3, 1]
    assert tests == ["121", None, "114", "114", "113", "113", "121"]


def test_a_letter_without_a_value_makes_the_row_missing_for_every_test():
    quality, tests = judged(["N", "N", "F", "N"], "hj212-2017")
    assert quality == [1, 1, 9, 1]
    assert tests == ["121", "121", "999", "121"]


def test_a_calibrating_instrument_moves_no_test():
    quality, tests = judged(["N", "N", "C", "N", "N"], "hj212-2017", [7.0, 7, 14, 7, 7])
    assert quality == [1, 1, 4, 1, 1]
    assert tests == ["121", None, "124", None, "121"]


def test_an_unlisted_letter_is_kept_and_not_evaluated():
    assert judged(["Z"], "hj212-2017") == ([1], ["122"])


def test_a_value_without_a_mark_is_not_evaluated_where_the_protocol_has_marks():
    assert judged([None, "", "N"], "hj212-2017")[1] == ["122", "112", "121"]


def test_without_a_scheme_no_mark_passes_and_any_mark_is_not_understood():
    assert judged([None, "D", None], None)[1] == ["121", "112", "121"]


def test_without_a_profile_only_the_instruments_own_doubt_counts():
    assert judged(["N", "D", "S", "F", None], "hj212-2017", profile=None) == ([2, 4, 3, 9, 2], [None] * 5)


def test_dictionary_encoded_marks_are_read_alike():
    engine = QcEngine()
    engine.set(1, PROFILE, unit="1", mark_scheme="hj212-2017")
    rows = batch([(1, 0, 7.0, 0, False, None), (1, 1, 7.0, 1, False, None)])
    rows.mark = pa.array(["D", None]).dictionary_encode()
    engine.evaluate(rows)
    assert rows.tests.to_pylist() == ["124", "122"]


def test_a_mark_above_the_measurable_hints_at_censoring():
    assert censored(pa.array(["N", "T", None, "?"]), "hj212-2017").tolist() == [0, 1, 0, 0]


def test_an_unknown_scheme_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"mark_scheme = 'hj212'.*hj212-2017") as caught:
        QcEngine().set(1, None, unit="1", mark_scheme="hj212")
    assert "hj212-2017" in caught.value.near
    with pytest.raises(ConfigError):
        censored(pa.array(["N"]), "nope")


def test_of_several_words_in_one_mark_the_worst_counts():
    tests = judged(["P", "A,e", "P,Eqp", "A,new", "P,e,new"], "usgs")[1]
    assert [outcomes[2] for outcomes in tests] == ["1", "3", "9", "2", "3"]
    assert judged(["v I", "p O", None], "noaa_coops")[1][0][2] == "3"
    assert censored(pa.array(["P,<", "A", "P"]), "usgs").tolist() == [-1, 0, 0]


def test_marks_are_verbatim_after_judging():
    rows = batch([(1, 0, 7.0, 0, False, "T")])
    engine = QcEngine()
    engine.set(1, PROFILE, unit="1", mark_scheme="hj212-2017")
    engine.evaluate(rows)
    assert rows.mark.to_pylist() == ["T"]
    assert rows.censored is None
    assert np.array_equal(rows.result, [7.0])
