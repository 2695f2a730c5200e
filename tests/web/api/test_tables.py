from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nilometer.web.api.tables import words


@given(st.lists(st.one_of(st.none(), st.sampled_from(["", "1", "14", "断电"]))), st.booleans())
def test_words_are_those_of_the_column(cells, coded):
    column = pa.array(cells, pa.string())
    assert words(column.dictionary_encode() if coded else column) == cells
