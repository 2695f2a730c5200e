"""Row groups copied from one Parquet file to another beside columns that are other: whoever reads it finds the rows."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store import Store, lake_writer
from nilometer.store.lake_splicer import FileChunks, SplicedFile
from nilometer.store.parquet_footer import Footer
from tests.store.waters import Clock, Water


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    """Give a store with a file of several row groups, some of several Datastreams."""
    for name, size in (("GROUP_ROWS", 32), ("_MOST_GROUP_ROWS", 40), ("LEAST_GROUP_ROWS", 8)):
        monkeypatch.setattr(lake_writer, name, size)
    store = Store.open(tmp_path, now=Clock(5))
    water = Water(store, datastreams=3)
    for number, n in ((1, 100), (2, 7), (3, 60)):
        water.send(number, range(n), float(number))
    store.seal()
    store.compact()
    yield store
    store.close()


def read(path):
    """Return the rows as three readers find them, with the checksum of every page looked at."""
    mine = pq.ParquetFile(path, page_checksum_verification=True).read()
    theirs = duckdb.sql(f"select * from read_parquet('{path}', hive_partitioning=false)").to_arrow_table()
    assert theirs["id"].to_pylist() == pl.read_parquet(path)["id"].to_list() == mine["id"].to_pylist()
    assert theirs["result"].to_pylist() == pl.read_parquet(path)["result"].to_list() == mine["result"].to_pylist()
    return mine


def test_copied_groups_hold_the_rows_that_they_held_and_new_columns_beside_them(sealed):
    (file,) = sealed.snapshot().files
    groups, lengths = np.arange(len(file.blocks.rows)), file.blocks.rows
    assert len(groups) > 4
    table, n = file.read(groups, OBSERVATION.names).combine_chunks(), file.rows
    source = FileChunks.of(file)
    assert source is not None
    numbers = pa.array(np.arange(n) / 7)
    new = table.set_column(table.schema.get_field_index("result"), OBSERVATION.field("result"), numbers)
    current = SplicedFile(file.place, file.year, OBSERVATION, 1, source)
    half = len(groups) // 2
    cut = int(lengths[:half].sum())
    current.write(groups[:half], new.slice(0, cut), ["result"])
    current.write(groups[half:], new.slice(cut), ["result"])
    (made,) = current.close()
    found = read(made.place.at(made.path))
    assert found.equals(new.cast(found.schema))
    assert (made.rows, made.first, made.last, made.earliest, made.latest) == (
        *(n, file.first, file.last),
        *(file.earliest, file.latest),
    )
    assert made.absent == file.absent
    for mine, theirs in zip(made.blocks, file.blocks, strict=True):
        assert mine.tolist() == theirs.tolist()
    footer = pq.read_metadata(made.place.at(made.path))
    assert footer.row_group(half).sorting_columns == pq.SortingColumn.from_ordering(
        OBSERVATION, [(name, "ascending") for name in lake_writer.SORTED_BY], null_placement="at_end"
    )
    offsets = [footer.row_group(group).column(0).dictionary_page_offset or 0 for group in range(len(groups))]
    assert max(offsets) < made.size

    # Of some groups all rows have ended, of one none, of the others some.
    ended = np.ones(n, bool)
    ended[[0, 3, n - 1]] = False
    ended[lengths[0] : lengths[0] + lengths[1]] = False
    counts = np.add.reduceat(ended, np.append(0, np.cumsum(lengths)[:-1]), dtype=np.int64)
    former = SplicedFile(file.place, file.year, REVISION, 1, source)
    rows = table.filter(pa.array(ended))
    rows = rows.append_column(REVISION.field("superseded_commit"), pa.repeat(pa.scalar(77, pa.int64()), len(rows)))
    former.write(groups, rows, ["superseded_commit"], counts)
    (over,) = former.close()
    found = read(over.place.at(over.path))
    assert found.equals(rows.cast(found.schema))
    assert over.rows == ended.sum()
    nothing = SplicedFile(file.place, file.year, REVISION, 1, source)
    nothing.write(groups, rows.slice(0, 0), ["superseded_commit"], np.zeros(len(groups), np.int64))
    assert nothing.close() == []


def test_a_file_that_another_program_wrote_is_not_copied(sealed, tmp_path):
    (file,) = sealed.snapshot().files
    path = file.place.at(file.path)
    table = pq.read_table(path, partitioning=None)
    for options in ({"write_page_index": True}, {"store_schema": True}):
        pq.write_table(table.select(OBSERVATION.names[::-1]), path, **options)
        assert FileChunks.of(file) is None
    pq.write_table(table.cast(OBSERVATION), path, write_page_index=True, store_schema=False)
    assert FileChunks.of(file) is None


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 200))
def test_a_footer_that_is_none_is_refused_or_read_and_nothing_behind_it_is_touched(noise, groups, cut):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), sink, store_schema=False)
    data = sink.getvalue().to_pybytes()
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8]
    read = Footer.of(footer, 1, 2)
    assert read is not None
    assert read.with_groups([], 0)
    Footer.of(noise, groups, 2)
    Footer.of(footer[:cut] + noise, groups, 2)
