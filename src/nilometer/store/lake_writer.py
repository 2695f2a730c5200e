"""Write rows that are sorted by (datastream, phenomenon_time, id) into Parquet files of one year."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_place import LakePlace

__all__ = [
    "FILE_ROWS",
    "GROUP_ROWS",
    "SORTED_BY",
    "Counted",
    "YearWriter",
    "encodings",
    "new_path",
    "sort_rows",
    "years",
]

GROUP_ROWS = 32_768
"""Rows of a row group, about: what one look at a Datastream has to decode at least."""

LEAST_GROUP_ROWS = 8_192
"""A row group of so many rows ends where a Datastream ends: whoever asks for one finds no other beside it."""

SORTED_BY = ("datastream", "phenomenon_time", "id")
"""The order of the rows of a file."""

FILE_ROWS = 8_000_000
"""Rows of a file, about, at most; a merge starts another one."""

_MOST_GROUP_ROWS = GROUP_ROWS + LEAST_GROUP_ROWS
_COUNTED = ("id", "datastream", "feature", "phenomenon_time", "duration", "result_quality", "provenance", "commit")
_WORDS_AND_VALUES = (
    "result",
    "raw_result",
    "result_uncertainty",
    "mark",
    "tests",
    "depth",
    "latitude",
    "longitude",
    "extra",
)
_WITH_STATISTICS = ("id", "datastream", "phenomenon_time", "commit", "result", "result_quality", "feature")
_DELTA_PACKED = ("id", "phenomenon_time", "commit", "result_time", "superseded_commit")


def sort_rows(table: pa.Table) -> pa.Table:
    """Return rows sorted by (datastream, phenomenon_time, id)."""
    datastream = table["datastream"].to_numpy()
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    number = table["id"].to_numpy()
    if _is_sorted(datastream, time, number):
        return table
    return table.combine_chunks().take(pa.array(_order(datastream, time, number)))


def years(table: pa.Table) -> Iterable[tuple[str, pa.Table]]:
    """Yield each year of phenomenon_time (UTC) with its rows, their order kept."""
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    number = time.astype("datetime64[us]").astype("datetime64[Y]")
    found = np.unique(number)
    for year in found:
        rows = table if len(found) == 1 else table.filter(pa.array(number == year))
        yield str(year), rows


@dataclass(slots=True)
class YearWriter:
    """Files of one year of one table, from tables of rows that follow each other in order.

    A table may lack columns that are null in all of its rows.

    Parameters
    ----------
    place : LakePlace
        Where the files of the table lie.
    year : str
        The partition, such as ``2026-11``.
    schema : pyarrow.Schema
        OBSERVATION or REVISION.
    level : int
        How hard zstd tries: a merge, whose files stay, harder than a seal.
    prefix : str
        What the names of its files begin with.
    """

    place: LakePlace
    year: str
    schema: pa.Schema
    level: int = 3
    prefix: str = ""
    files: list[LakeFile] = field(default_factory=list)
    _waiting: list[pa.Table] = field(default_factory=list)
    _count: int = 0
    _open: _OpenFile | None = None

    def write(self, table: pa.Table) -> None:
        """Add rows; whole row groups are written at once, the rest waits for more."""
        if not table.num_rows:
            return
        self._waiting.append(table)
        self._count += table.num_rows
        if self._count > _MOST_GROUP_ROWS:
            self._write(_MOST_GROUP_ROWS)

    def close(self) -> list[LakeFile]:
        """Write what waits, sync, and return the files."""
        self._write(0)
        if self._open is not None:
            self.files.append(self._open.close())
            self._open = None
        return self.files

    def abandon(self) -> None:
        """Remove what was written."""
        if self._open is not None:
            self._open.abandon()
        for file in self.files:
            file.discard()

    def _write(self, keep: int) -> None:
        """Write row groups until no more than so many rows wait."""
        if self._count <= keep:
            return
        whole = pa.concat_tables(self._waiting, promote_options="default")
        ends, start = _ends(whole["datastream"].to_numpy()), 0
        while self._count - start > keep:
            stop = _cut(ends, start)
            self._put(whole.slice(start, stop - start))
            start = stop
        self._waiting, self._count = [whole.slice(start)], self._count - start

    def _put(self, group: pa.Table) -> None:
        if self._open is None:
            path = new_path(self.year, self.prefix)
            options = encodings(self.schema, group, self.level)
            self._open = _OpenFile(self.place, path, self.year, self.schema, options)
        self._open.write(group)
        if self._open.rows >= FILE_ROWS:
            self.files.append(self._open.close())
            self._open = None


class Counted:
    """What the log says of a file, from the rows that were written to it.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the table.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._least: dict[str, int] = {}
        self._most: dict[str, int] = {}
        self._nulls: dict[str, int] = dict.fromkeys(schema.names, 0)

    def count(self, table: pa.Table) -> None:
        """Take rows, with all columns."""
        for name in self._nulls:
            column = table[name]
            self._nulls[name] += column.null_count
            if name in _COUNTED:
                bounds = pc.min_max(column)
                least, most = (bounds[which].cast(pa.int64()).as_py() for which in ("min", "max"))
                self._least[name] = min(self._least.get(name, least), least)
                self._most[name] = max(self._most.get(name, most), most)
        self.rows += table.num_rows

    def file(self, place: LakePlace, path: str, year: str, size: int) -> LakeFile:
        """Return the file that they were written to."""
        return LakeFile(
            place=place,
            path=path,
            year=year,
            size=size,
            rows=self.rows,
            first=self._least["datastream"],
            last=self._most["datastream"],
            earliest=self._least["phenomenon_time"],
            latest=self._most["phenomenon_time"],
            absent=frozenset(name for name, nulls in self._nulls.items() if nulls == self.rows),
            constant={name: least for name, least in self._least.items() if least == self._most[name]},
        )


class _OpenFile:
    def __init__(self, place: LakePlace, path: str, year: str, schema: pa.Schema, options: dict[str, Any]) -> None:
        self.place, self.path, self.year = place, path, year
        self._counted, self._schema = Counted(schema), schema
        self._sink = place.create(path)
        try:
            self._writer = pq.ParquetWriter(self._sink, schema, **options)
        except BaseException:
            self._sink.close()
            raise

    @property
    def rows(self) -> int:
        return self._counted.rows

    def write(self, group: pa.Table) -> None:
        """Write a row group."""
        table = self._filled(group)
        self._counted.count(table)
        self._writer.write_table(table, row_group_size=table.num_rows)

    def _filled(self, table: pa.Table) -> pa.Table:
        names = set(table.schema.names)
        columns = [
            table[item.name] if item.name in names else pa.nulls(table.num_rows, item.type) for item in self._schema
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)

    def close(self) -> LakeFile:
        self._writer.close()
        return self._counted.file(self.place, self.path, self.year, self.place.finish(self._sink))

    def abandon(self) -> None:
        with suppress(OSError):  # a full disk refuses what was not flushed yet
            self._writer.close()  # before its sink: it would try again when it is collected, and complain
        with suppress(OSError):
            self._sink.close()
        with suppress(OSError):  # what cannot be removed now is swept after the next start
            self.place.remove(self.path)


def new_path(year: str, prefix: str = "") -> str:
    """Return the path of a new file of a year."""
    return f"year={year}/{prefix}{uuid.uuid4().hex}.parquet"


def encodings(schema: pa.Schema, sample: pa.Table, level: int) -> dict[str, Any]:
    """Return the writer's options: dictionaries for what repeats, differences for what climbs."""
    packed = {name: "DELTA_BINARY_PACKED" for name in _DELTA_PACKED if name in schema.names}
    for name in ("result", "raw_result"):
        if name in sample.schema.names and not _repeats(sample[name]):
            packed[name] = "BYTE_STREAM_SPLIT"
    sorting = [pq.SortingColumn(schema.get_field_index(name)) for name in SORTED_BY if name in schema.names]
    return {
        "compression": "zstd",
        "compression_level": level,
        # Parquet's own types say all there is; Arrow's schema would be 1.5 kB in every file.
        "store_schema": False,
        # Numbers that hardly change cost less as they are than as a dictionary of one.
        "use_dictionary": [name for name in _WORDS_AND_VALUES if name in schema.names and name not in packed],
        "column_encoding": packed,
        "write_statistics": [name for name in _WITH_STATISTICS if name in schema.names],
        "data_page_size": 1 << 20,
        # With a checksum a page: a bit that flips on the disk is found by the doctor, not served as a number.
        "write_page_checksum": True,
        **({"sorting_columns": sorting} if set(SORTED_BY) <= set(schema.names) else {}),
    }


def _repeats(column: pa.ChunkedArray) -> bool:
    # Readings are rounded and repeat; a value that was computed seldom does, and a dictionary would double it. A few
    # rows say nothing of that, and will be merged.
    sample = column.drop_null()
    return len(sample) < LEAST_GROUP_ROWS or len(sample.unique()) < 0.75 * len(sample)


def _ends(datastream: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return where the rows of each Datastream end."""
    return np.append(np.flatnonzero(datastream[1:] != datastream[:-1]) + 1, len(datastream))


def _cut(ends: NDArray[np.int64], start: int) -> int:
    """Return where the row group from `start` on ends: with a Datastream, or in the middle of a long one."""
    last = int(np.searchsorted(ends, start + _MOST_GROUP_ROWS, "right")) - 1
    if last >= 0 and ends[last] >= min(start + LEAST_GROUP_ROWS, ends[-1]):
        return int(ends[last])
    return start + GROUP_ROWS


def _order(datastream: NDArray[Any], time: NDArray[Any], number: NDArray[Any]) -> NDArray[np.int64]:
    """Return the order; by one key where Datastream and time fit into 63 bits together, which is three times faster."""
    start = int(time.min())
    bits = (int(time.max()) - start).bit_length()
    if bits + int(datastream.max()).bit_length() <= 63:
        key = (datastream.astype(np.int64) << bits) | (time - start)
        order = np.argsort(key)
        climbing = key[order]
        if (climbing[1:] != climbing[:-1]).all():
            return order
    return np.lexsort((number, time, datastream))


def _is_sorted(datastream: NDArray[Any], time: NDArray[Any], number: NDArray[Any]) -> bool:
    step = np.diff(datastream)
    later = np.diff(time)
    same = step == 0
    even = same & (later == 0)
    return bool(
        (step >= 0).all() and (later[same] >= 0).all() and (not even.any() or (np.diff(number)[even] > 0).all())
    )
