"""Where row groups and files end, and that every row is in exactly one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.model.schemas import OBSERVATION
from nilometer.store import lake_writer
from nilometer.store.lake_place import FolderPlace
from nilometer.store.lake_writer import YearWriter
from tests.store.waters import SECOND, START

LEAST, WHOLE = 8, 32


def table(counts, values=None):
    """Rows of as many Datastreams as counts."""
    datastream = np.repeat(np.arange(1, len(counts) + 1, dtype=np.int32), counts)
    number = np.concatenate([np.arange(1, count + 1) for count in counts])
    n = len(number)
    columns = {
        "id": (datastream.astype(np.int64) << 32) + number,
        "datastream": datastream,
        "feature": np.ones(n, np.int32),
        "phenomenon_time": pa.array(START + number * SECOND).cast(pa.timestamp("us", "UTC")),
        "duration": np.zeros(n, np.int64),
        "result": number.astype(float) if values is None else values,
        "result_quality": np.ones(n, np.int8),
        "provenance": np.ones(n, np.int32),
        "commit": np.ones(n, np.int64),
    }
    return pa.table({name: pa.array(column, OBSERVATION.field(name).type) for name, column in columns.items()})


def groups(writer):
    """The Datastreams of each row group of each file."""
    for file in writer.files:
        with pq.ParquetFile(file.place.at(file.path)) as opened:
            for number in range(opened.num_row_groups):
                yield opened.read_row_group(number, columns=["datastream", "id"])


@given(st.lists(st.integers(1, 90), min_size=1, max_size=20), st.integers(1, 300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_row_groups_end_with_a_datastream_however_the_rows_come(tmp_path, monkeypatch, counts, step):
    monkeypatch.setattr(lake_writer, "GROUP_ROWS", WHOLE)
    monkeypatch.setattr(lake_writer, "LEAST_GROUP_ROWS", LEAST)
    monkeypatch.setattr(lake_writer, "_MOST_GROUP_ROWS", WHOLE + LEAST)
    rows = table(counts)
    writer = YearWriter(FolderPlace(tmp_path), "2025", OBSERVATION)
    for start in range(0, rows.num_rows, step):
        writer.write(rows.slice(start, step))
    writer.close()
    found = list(groups(writer))
    assert pa.concat_tables(found)["id"].to_pylist() == rows["id"].to_pylist()
    for group, behind in zip(found, [*found[1:], None], strict=True):
        assert group.num_rows <= WHOLE + LEAST
        if behind is not None and group["datastream"][-1] == behind["datastream"][0]:
            # In the middle of a long one only, of which enough comes behind.
            assert group.num_rows == WHOLE
            first = group["datastream"][-1].as_py()
            assert behind["datastream"].to_pylist().count(first) >= LEAST


def test_a_file_that_is_full_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(lake_writer, "FILE_ROWS", 50_000)
    writer = YearWriter(FolderPlace(tmp_path), "2025", OBSERVATION)
    writer.write(table([30_000] * 5))
    files = writer.close()
    assert [file.rows for file in files] == [60_000, 60_000, 30_000]
    assert [(file.first, file.last) for file in files] == [(1, 2), (3, 4), (5, 5)]


@pytest.mark.parametrize(("digits", "encoding"), [(2, "RLE_DICTIONARY"), (15, "BYTE_STREAM_SPLIT")])
def test_values_that_repeat_have_a_dictionary_and_others_have_none(tmp_path, rng, digits, encoding):
    writer = YearWriter(FolderPlace(tmp_path), "2025", OBSERVATION)
    writer.write(table([20_000], np.round(rng.normal(7, 1, 20_000), digits)))
    (file,) = writer.close()
    column = pq.read_metadata(file.place.at(file.path)).row_group(0).column(OBSERVATION.get_field_index("result"))
    assert encoding in column.encodings
