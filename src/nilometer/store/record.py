"""One journal record as bytes: rows with their settlements, or a tombstone.

A record's columns that say nothing (all null, all zero) are left out, and its Arrow schema is implied::

    rows        ┌──────────┬──────┬─────────┬───────────────┬────────────────────┬───────────────────────────┐
                │ columns  │ rows │ settled │ bytes of rows │ rows, an Arrow IPC │ settlements, an Arrow IPC │
                │ u32 bits │ u32  │ u32     │ u32           │ record batch       │ record batch              │
                └──────────┴──────┴─────────┴───────────────┴────────────────────┴───────────────────────────┘
    tombstone   ┌──────────────┬────────────┬───────┬───────────────────┬──────────────────────┐
                │ start i64 µs │ end i64 µs │ n u32 │ n datastreams i32 │ who and why, as JSON │
                └──────────────┴────────────┴───────┴───────────────────┴──────────────────────┘
    of rows     ┌──────────────┬────────────┬───────┬───────────────────┬───────┬──────────┬──────────────────────┐
                │ start i64 µs │ end i64 µs │ n u32 │ n datastreams i32 │ m u32 │ m ids i64│ who and why, as JSON │
                └──────────────┴────────────┴───────┴───────────────────┴───────┴──────────┴──────────────────────┘

All little-endian. Bit i of `columns` is the i-th column of the schema JOURNAL; bit 31 marks a commit that `as_of` tells
from those around it. Bit 31 of a tombstone's n says that it names rows: only these of the range are deleted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import JOURNAL, SETTLEMENT

__all__ = [
    "ROWS",
    "TOMBSTONE",
    "Tombstone",
    "compact",
    "decode_rows",
    "decode_tombstone",
    "encode_rows",
    "encode_tombstone",
    "full_rows",
    "is_marked",
    "no_rows",
    "pack",
    "row_parts",
]

ROWS, TOMBSTONE = 0, 1

_HEAD = struct.Struct("<IIII")
_RANGE = struct.Struct("<qqI")
_COUNT = struct.Struct("<I")
_OF_ROWS = 1 << 31
_MARK = 1 << 31
_PLACE = {name: place for place, name in enumerate(JOURNAL.names)}
# What a column holds where it is left out; the others are null.
_IMPLIED: dict[str, object] = {"duration": 0, "supersedes": False}


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted time range; it hides rows with a lower commit.

    Parameters
    ----------
    commit : int
        Its journal sequence.
    datastreams : ndarray of int32, sorted
        Whose rows it hides.
    start, end : int
        µs since 1970 UTC, start inclusive, end exclusive.
    told : str
        Who deleted and why, as JSON; empty: nobody said.
    ids : ndarray of int64, sorted, optional
        The rows that it hides; None: all in the range.
    """

    commit: int
    datastreams: NDArray[np.int32]
    start: int
    end: int
    told: str = ""
    ids: NDArray[np.int64] | None = None

    def hides(
        self, datastream: NDArray[np.int32], time: NDArray[np.int64], number: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which rows it speaks of, by their Datastreams, times and ids."""
        inside: NDArray[np.bool_] = (time >= self.start) & (time < self.end)
        if inside.any():
            inside &= np.isin(datastream, self.datastreams)
            if self.ids is not None:
                inside &= np.isin(number, self.ids)
        return inside


def pack(rows: ObservationBatch) -> pa.RecordBatch:
    """Return finished rows as a record holds them: `compact` of `rows.to_arrow`, without making what it leaves out."""
    if not len(rows):
        return no_rows()
    spoken = rows.spoken()
    kept = [(position, spoken[name]) for name, position in _PLACE.items() if name in spoken]
    schema = _schema(sum(1 << position for position, _ in kept))
    return pa.RecordBatch.from_arrays([array for _, array in kept], schema=schema)


def compact(rows: pa.RecordBatch, *, keep_commit: bool = False) -> pa.RecordBatch:
    """Return rows of schema JOURNAL without the columns that say nothing.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
        Of schema JOURNAL.
    keep_commit : bool
        Keep the column `commit`, which is otherwise the record's own sequence.

    Returns
    -------
    pyarrow.RecordBatch
        What a record holds.
    """
    n = rows.num_rows
    kept = [
        position
        for position, name in enumerate(JOURNAL.names)
        if (name != "commit" or keep_commit) and not _says_nothing(name, rows.column(position), n)
    ]
    schema = _schema(sum(1 << position for position in kept))
    return pa.RecordBatch.from_arrays([rows.column(position) for position in kept], schema=schema)


def encode_rows(rows: pa.RecordBatch, settled: Settlements, *, marked: bool = False) -> bytes:
    """Return compact rows and settlements as bytes, as drawn above."""
    return b"".join(row_parts(rows, settled, marked=marked))


def row_parts(rows: pa.RecordBatch, settled: Settlements, *, marked: bool = False) -> tuple[bytes | memoryview, ...]:
    """Return the same in parts that lie one behind the other: to write them nothing is copied."""
    n = rows.num_rows
    bits = sum(1 << _PLACE[name] for name in rows.schema.names) if n else 0
    body = rows.serialize() if n else b""
    changes = b""
    if len(settled):
        columns = [
            pa.array(settled.id, pa.int64()),
            pa.array(settled.result_quality, pa.int8()),
            settled.tests.cast(pa.string()),
        ]
        changes = pa.RecordBatch.from_arrays(columns, schema=SETTLEMENT).serialize()
    head = _HEAD.pack(bits | (_MARK if marked else 0), n, len(settled), len(body))
    return head, memoryview(body), memoryview(changes)


def decode_rows(body: bytes) -> tuple[pa.RecordBatch, Settlements]:
    """Return the columns that were written and the settlements; `full_rows` adds the columns left out."""
    bits, n, settled, length = _HEAD.unpack_from(body)
    view = pa.py_buffer(body)
    start = _HEAD.size
    schema = _schema(bits & ~_MARK)
    rows = pa.ipc.read_record_batch(view.slice(start, length), schema) if n else no_rows()
    if not settled:
        return rows, Settlements.none()
    changes = pa.ipc.read_record_batch(view.slice(start + length), SETTLEMENT)
    return rows, Settlements(changes["id"].to_numpy(), changes["result_quality"].to_numpy(), changes["tests"])


def is_marked(kind: int, body: bytes) -> bool:
    """Return whether `as_of` tells a commit from those around it: a delete, a mark, a step of a review."""
    if kind == TOMBSTONE:
        return True
    bits, n, settled, _ = _HEAD.unpack_from(body)
    return bool(bits & _MARK) or not (n or settled)


def full_rows(rows: pa.RecordBatch, commit: int) -> pa.RecordBatch:
    """Return rows in schema JOURNAL, with the columns that were left out."""
    n = rows.num_rows
    names = set(rows.schema.names)
    arrays = []
    for item in JOURNAL:
        if item.name in names:
            arrays.append(rows.column(item.name))
        elif item.name == "commit":
            arrays.append(pa.array(np.full(n, commit, np.int64)))
        elif item.name in _IMPLIED:
            arrays.append(pa.repeat(pa.scalar(_IMPLIED[item.name], item.type), n))
        else:
            arrays.append(pa.nulls(n, item.type))
    return pa.RecordBatch.from_arrays(arrays, schema=JOURNAL)


def no_rows() -> pa.RecordBatch:
    """Return a batch without rows and columns."""
    return pa.RecordBatch.from_pylist([], schema=pa.schema([]))


def encode_tombstone(
    datastreams: NDArray[np.int32], start: int, end: int, told: bytes = b"", ids: NDArray[np.int64] | None = None
) -> bytes:
    """Return a tombstone as bytes; `ids`: of these rows alone."""
    n = len(datastreams) | (0 if ids is None else _OF_ROWS)
    rows = b"" if ids is None else _COUNT.pack(len(ids)) + ids.astype("<i8").tobytes()
    return _RANGE.pack(start, end, n) + datastreams.astype("<i4").tobytes() + rows + told


def decode_tombstone(body: bytes, commit: int) -> Tombstone:
    """Return the tombstone written in a record."""
    start, end, n = _RANGE.unpack_from(body)
    is_of_rows, n = bool(n & _OF_ROWS), n & ~_OF_ROWS
    datastreams = np.frombuffer(body, "<i4", n, _RANGE.size).astype(np.int32)
    at, ids = _RANGE.size + 4 * n, None
    if is_of_rows:
        (m,) = _COUNT.unpack_from(body, at)
        ids = np.frombuffer(body, "<i8", m, at + _COUNT.size).astype(np.int64)
        at += _COUNT.size + 8 * m
    return Tombstone(commit, datastreams, start, end, body[at:].decode(), ids)


def _schema(bits: int) -> pa.Schema:
    found = _SCHEMAS.get(bits)
    if found is None:
        found = pa.schema([item for position, item in enumerate(JOURNAL) if bits >> position & 1])
        _SCHEMAS[bits] = found
    return found


_SCHEMAS: dict[int, pa.Schema] = {}


def _says_nothing(name: str, column: pa.Array, n: int) -> bool:
    if name in _IMPLIED:
        return not pc.any(column).as_py() if name == "supersedes" else not column.to_numpy().any()
    return bool(column.null_count == n and JOURNAL.field(name).nullable)
