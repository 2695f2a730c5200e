"""Write a file of the lake anew of which some columns change: the others are copied as they are stored.

A row group all of whose rows stay in the file gets the column chunks that changed, newly encoded, and beside them the
bytes of those that did not, page checksums and all. What was in the file goes to `revisions` the same way: where every
row of a row group has ended its chunks are copied and one is added, the commit that ended them; where only some have,
the rows are encoded as anywhere else. So most of what is not decoded for judging is neither decoded nor encoded.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_place import LakePlace
from nilometer.store.lake_writer import SORTED_BY, Counted, encodings, new_path
from nilometer.store.parquet_footer import MAGIC, Chunk, Footer, row_group, sorting_columns

__all__ = ["FileChunks", "SplicedFile"]

_Chunks = dict[str, tuple[Chunk, memoryview]]

_TAIL = 8
"""The length of the footer, and the mark at the end."""


@dataclass(frozen=True, slots=True)
class FileChunks:
    """The column chunks of a file of `observations`, as they are stored.

    Parameters
    ----------
    data : mmap or bytes
        The file: mapped where it lies on a disk, fetched where it lies in an object store.
    footer : Footer
        Where its chunks are.
    uniform : frozenset of str
        Columns that say the same in every row.
    """

    data: mmap.mmap | bytes
    footer: Footer
    uniform: frozenset[str]

    @staticmethod
    def of(file: LakeFile) -> FileChunks | None:
        """Return them; None where the file is not as this version writes one: its rows are to be encoded anew."""
        data: mmap.mmap | bytes
        with file.place.reading(file.path, file.size) as source:
            if isinstance(source, Path):
                with source.open("rb") as opened:
                    data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            else:
                data = source.read()
        footer = _footer(data, len(file.blocks.rows), len(OBSERVATION.names))
        if footer is None or footer.fields[2] != _empty(OBSERVATION).fields[2]:
            if isinstance(data, mmap.mmap):
                data.close()
            return None
        return FileChunks(data, footer, file.absent | file.constant.keys())


class SplicedFile:
    """A file of one year of one table, from row groups of another file.

    Parameters
    ----------
    place : LakePlace
        Where the files of the table lie.
    year : str
        The partition.
    schema : pyarrow.Schema
        OBSERVATION or REVISION.
    level : int
        How hard zstd tries.
    source : FileChunks
        The other file.
    """

    def __init__(self, place: LakePlace, year: str, schema: pa.Schema, level: int, source: FileChunks) -> None:
        self._place, self._year, self._schema, self._level, self._source = place, year, schema, level, source
        self._counted = Counted(schema)
        self._groups: list[bytes] = []
        self._path, self._sink, self._at = "", None, 0
        self._sorting = sorting_columns([schema.get_field_index(name) for name in SORTED_BY])
        self._files: list[LakeFile] = []
        self._uniform: dict[int, _Chunks] = {}

    _sink: Any

    def write(
        self,
        groups: NDArray[np.int64],
        table: pa.Table,
        names: Sequence[str],
        counts: NDArray[np.int64] | None = None,
    ) -> None:
        """Add rows of row groups of the other file.

        Parameters
        ----------
        groups : ndarray of int64, shape (g,)
            Which row groups they are of.
        table : pyarrow.Table
            The rows, with all columns.
        names : sequence of str
            The columns in which they are others than in the other file; one that is not in that has one value.
        counts : ndarray of int64, shape (g,), optional
            How many rows there are of each row group; None: all.
        """
        lengths = self._source.footer.rows[groups]
        counts = lengths if counts is None else counts
        if not counts.any():
            return
        self._counted.count(table)
        is_whole, starts = counts == lengths, np.cumsum(counts) - counts
        same = {name for name in names if name not in OBSERVATION.names}
        changed = self._encoded(table, names, same, starts[is_whole], counts[is_whole])
        even = same | (self._source.uniform - set(names))
        anew = self._encoded(table, self._schema.names, even, starts[~is_whole], counts[~is_whole])
        for group, count, whole in zip(groups.tolist(), counts.tolist(), is_whole.tolist(), strict=True):
            if count:
                found = next(changed if whole else anew)
                self._add([found.get(name) or self._copied(group, name) for name in self._schema.names], count)

    def close(self) -> list[LakeFile]:
        """Write the footer, sync, and return the file; none where no row came."""
        if self._sink is not None:
            footer = _empty(self._schema).with_groups(self._groups, self._counted.rows)
            self._sink.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
            size = self._place.finish(self._sink)
            self._sink = None
            self._files = [self._counted.file(self._place, self._path, self._year, size)]
        return self._files

    def abandon(self) -> None:
        """Remove what was written."""
        if self._sink is not None:
            with suppress(OSError):
                self._sink.close()
            with suppress(OSError):  # what cannot be removed now is swept after the next start
                self._place.remove(self._path)
            self._sink = None
        for file in self._files:
            file.discard()

    def _copied(self, group: int, name: str) -> tuple[Chunk, memoryview]:
        source = self._source
        chunk = source.footer.chunk(group, OBSERVATION.get_field_index(name))
        return chunk, memoryview(source.data)[chunk.start : chunk.start + chunk.size]

    def _encoded(
        self,
        table: pa.Table,
        names: Sequence[str],
        same: Set[str],
        starts: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Iterator[_Chunks]:
        """Yield, row group by row group, the chunks of columns, newly encoded; once for those always the `same`."""
        counts, starts = counts[counts > 0], starts[counts > 0]
        rest = [name for name in names if name not in same]
        fresh = _encode(table.select(rest), self._fields(rest), starts, counts, self._level)
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            kept = self._uniform.setdefault(count, {})
            lacking = [name for name in names if name in same and name not in kept]
            if lacking:
                one = (np.array([start]), np.array([count]))
                kept |= next(_encode(table.select(lacking), self._fields(lacking), *one, self._level))
            yield kept | next(fresh)

    def _fields(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([self._schema.field(name) for name in names])

    def _add(self, chunks: list[tuple[Chunk, memoryview]], rows: int) -> None:
        if self._sink is None:
            self._path = new_path(self._year)
            self._sink = self._place.create(self._path)
            self._sink.write(MAGIC)
            self._at = len(MAGIC)
        placed = []
        for chunk, data in chunks:
            placed.append((chunk, self._at))
            self._at += len(data)
        self._sink.write(b"".join(data for _, data in chunks))
        self._groups.append(row_group(placed, rows, self._sorting, len(self._groups)))


def _encode(
    table: pa.Table, schema: pa.Schema, starts: NDArray[np.int64], counts: NDArray[np.int64], level: int
) -> Iterator[_Chunks]:
    """Yield the chunks of row groups, of which start and number of rows are given."""
    if not len(counts) or not schema.names:
        yield from ({} for _ in counts)
        return
    part = pa.Table.from_arrays(table.columns, schema=schema)
    sink = pa.BufferOutputStream()
    options = encodings(schema, part.slice(int(starts[0]), int(counts[0])), level)
    with pq.ParquetWriter(sink, schema, **options) as writer:
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            writer.write_table(part.slice(start, count), row_group_size=count)
    data = memoryview(sink.getvalue())
    footer = _footer(data, len(counts), len(schema.names))
    assert footer is not None  # noqa: S101 -- pyarrow has just written it
    for group in range(len(counts)):
        chunks = [footer.chunk(group, column) for column in range(len(schema.names))]
        yield {
            name: (chunk, data[chunk.start : chunk.start + chunk.size])
            for name, chunk in zip(schema.names, chunks, strict=True)
        }


def _footer(data: Any, groups: int, columns: int) -> Footer | None:  # noqa: ANN401 -- what can be sliced
    size = int.from_bytes(data[-_TAIL:-4], "little")
    return Footer.of(bytes(data[-_TAIL - size : -_TAIL]), groups, columns)


@cache
def _empty(schema: pa.Schema) -> Footer:
    """Return the footer of a file without row groups."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema, store_schema=False).close()
    footer = _footer(memoryview(sink.getvalue()), 0, len(schema.names))
    assert footer is not None  # noqa: S101 -- it has nothing that could not be moved
    return footer
