from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from nilometer.model.outcomes import outcomes_by_name


def served(tests, names, **options):
    return pa.table({"tests": pa.array(tests, pa.string()), "test_names": pa.array(names, pa.string(), **options)})


def test_rows_of_several_versions_are_parted_by_their_own_names():
    rows = served(["13", "41", "2"], ["gap;spike", "spike;gap", "range 1"])
    found = {name: flags.tolist() for name, flags in outcomes_by_name(rows).items()}
    assert found == {"gap": [1, 1, 2], "spike": [3, 4, 2], "range 1": [2, 2, 2]}


def test_dictionaries_and_chunks_and_rows_that_nobody_judged():
    rows = served(["13"], ["gap;spike"])
    rows = pa.concat_tables([rows, served([None], [None]), rows])
    coded = rows.set_column(1, "test_names", rows["test_names"].dictionary_encode())
    for table in (rows, coded):
        assert outcomes_by_name(table)["spike"].tolist() == [3, 2, 3]


def test_a_missing_string_is_all_passed_as_in_the_lake():
    assert outcomes_by_name(served([None, "14"], ["gap;spike"] * 2))["spike"].tolist() == [1, 4]


@pytest.mark.parametrize("count", [1, 2, 25])
def test_digits_come_back_from_csv(count):
    digits = np.random.default_rng(1).choice([1, 2, 3, 4, 9], (20, count))
    names = ";".join(f"t{n}" for n in range(count))
    text = "tests,test_names\n" + "".join(f"{';'.join(map(str, row))},{names}\n" for row in digits)
    found = outcomes_by_name(pa.csv.read_csv(io.BytesIO(text.encode())))
    assert np.array_equal(np.column_stack([found[f"t{n}"] for n in range(count)]), digits)


def test_no_rows_and_no_judged_rows_have_no_tests():
    assert outcomes_by_name(served([], [])) == {}
    assert outcomes_by_name(served([None], [None])) == {}


def test_digits_that_do_not_pair_with_the_names_are_refused():
    with pytest.raises(ValueError, match="2 names"):
        outcomes_by_name(served(["123"], ["gap;spike"]))
    with pytest.raises(ValueError, match="test_names"):
        outcomes_by_name(pa.table({"tests": ["1"]}))
